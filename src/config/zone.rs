//! Names of time zones.

use std::ops::Range;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::diagnostic::{Problems, did_you_mean, short};
use super::walk::Said;

/// The zone of that name, from the database that the program carries: the system's would be read from files. `local` is
/// what "local" means.
pub(super) fn find(name: &str, local: &TimeZone) -> Option<TimeZone> {
    if name == "local" {
        return Some(local.clone());
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

/// The zone that `said` names; says so if there is none.
pub(super) fn read(problems: &mut Problems<'_>, said: &Said<'_>, local: &TimeZone) -> TimeZone {
    find(said.text, local).unwrap_or_else(|| {
        let title = format!("`{}` is not a time zone", short(said.text));
        unknown(problems, said.span.clone(), title, said.text, None);
        TimeZone::UTC
    })
}

/// Says that there is no zone `name`. `otherwise`: what may be meant that is no zone.
pub(super) fn unknown(
    problems: &mut Problems<'_>,
    span: Range<usize>,
    title: String,
    name: &str,
    otherwise: Option<String>,
) {
    let zones: Vec<String> = TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect();
    let known = || zones.iter().map(String::as_str).chain(["local"]);
    // Who leaves out the continent means the city.
    let city =
        known().find(|zone| zone.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(name)));
    let city = city.map(|zone| format!("did you mean `{zone}`?"));
    let label = "takes \"local\", \"UTC\" or a name such as \"Europe/Berlin\"";
    let problem = problems.error("unknown-zone", span, title, label);
    problem.help = otherwise.or(city).or_else(|| did_you_mean(name, known()));
}
