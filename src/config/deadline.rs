//! `"Mon-Fri 02:30 Europe/Berlin"`: by when something has to have come.

use jiff::tz::TimeZone;

use super::calendar::{Form, Parts, wrong};
use super::diagnostic::Problems;
use super::units::Misread;
use super::walk::Said;
use crate::rule::{Days, Deadline};

const FORM: Form = Form {
    id: "bad-deadline",
    title: "a deadline is wrong here",
    examples: "write it as in `02:30`, `02:30 Europe/Berlin, Mon-Fri` or `Sat 24:00 UTC`",
};

/// Reads a deadline. `None`: something is wrong, which has been said.
pub(super) fn parse(problems: &mut Problems<'_>, said: &Said<'_>, local: &TimeZone) -> Option<Deadline> {
    let ((days, minute), zone) = FORM.read(problems, said, local, |parts| time(parts, said.text))?;
    Deadline::new(days, minute, zone)
}

/// The days, and minutes after midnight.
fn time(parts: &Parts, text: &str) -> Result<(Days, i16), Misread> {
    if let Some((_, _, at)) = parts.dates.first() {
        return wrong(at, "a deadline comes again and again: expected days and a time");
    }
    match parts.times.as_slice() {
        [] => wrong(&(0..text.len()), "expected a time such as `02:30`"),
        [(_, Some(_), at), ..] => wrong(at, "expected one time; `within` says how long before it"),
        [_, (_, _, at), ..] => wrong(at, "there is a time already; write a list of deadlines"),
        [(minute, None, _)] => Ok((parts.days.as_ref().map_or(Days::ALL, |(days, _)| *days), *minute)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::zone;

    fn read(text: &str) -> (Option<Deadline>, Vec<(&'static str, String)>) {
        let file = format!("'{text}'");
        let mut problems = Problems::new(Path::new("a.toml"), &file);
        let berlin = zone::find("Europe/Berlin", &TimeZone::UTC).unwrap();
        let deadline = parse(&mut problems, &Said::new(text, 0..file.len()), &berlin);
        let told = problems.finish().into_iter().map(|problem| (problem.id, file[problem.span].to_owned()));
        (deadline, told.collect())
    }

    #[test]
    fn a_time_with_days_and_a_zone_is_read_in_any_order() {
        for (text, shown) in [
            ("02:30", "02:30 Europe/Berlin"),
            ("02:30 Europe/Berlin, Mon-Fri", "Mon-Fri 02:30 Europe/Berlin"),
            ("Mon-Fri 02:30 America/New_York", "Mon-Fri 02:30 America/New_York"),
            ("Sat,Sun 24:00 UTC", "Sat,Sun 24:00 UTC"),
        ] {
            let (deadline, told) = read(text);
            assert_eq!(
                deadline.map(|deadline| deadline.to_string()).as_deref(),
                Some(shown),
                "{text}: {told:?}"
            );
        }
    }

    #[test]
    fn the_wrong_part_of_a_deadline_is_named() {
        for (text, id, at) in [
            ("", "bad-deadline", ""),
            ("Mon-Fri", "bad-deadline", "Mon-Fri"),
            ("02:30-04:00", "bad-deadline", "02:30-04:00"),
            ("02:30, 14:30", "bad-deadline", "14:30"),
            ("2026-12-24", "bad-deadline", "2026-12-24"),
            ("2:3", "bad-deadline", "2:3"),
            ("02:30 UTC Asia/Tokyo", "bad-deadline", "Asia/Tokyo"),
            ("02:30 Europe/Brelin", "unknown-zone", "Europe/Brelin"),
        ] {
            let (deadline, told) = read(text);
            assert_eq!((deadline, told), (None, vec![(id, at.to_owned())]), "{text}");
        }
    }
}
