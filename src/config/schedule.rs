//! `"Mon-Fri 08:00-18:00 Europe/Berlin"`: when something holds.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::calendar::{Form, Parts, wrong};
use super::diagnostic::Problems;
use super::units::Misread;
use super::walk::Said;
use crate::rule::{Days, Hours, Schedule};

const FORM: Form = Form {
    id: "bad-schedule",
    title: "a schedule is wrong here",
    examples: "write it as in `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun`, `22:00-06:00 UTC` or \
               `2026-12-24T18:00 - 2026-12-27`",
};

/// Reads a schedule. `None`: something is wrong, which has been said.
pub(super) fn parse(problems: &mut Problems<'_>, said: &Said<'_>, local: &TimeZone) -> Option<Schedule> {
    let (when, zone) = FORM.read(problems, said, local, |parts| when(parts, said.text))?;
    match when {
        When::Weekly(days, hours) => Some(Schedule::weekly(days, hours, zone)),
        When::Once(from, to) => Schedule::once(from, to, zone),
    }
}

enum When {
    Weekly(Days, Vec<Hours>),
    Once(DateTime, DateTime),
}

/// When it holds, whatever the zone.
fn when(parts: &Parts, text: &str) -> Result<When, Misread> {
    if let [(from, to, at), more @ ..] = parts.dates.as_slice() {
        let other = parts.times.first().map(|(_, _, at)| at).or(parts.days.as_ref().map(|(_, at)| at));
        return match to {
            _ if !more.is_empty() => wrong(&more[0].2, "only one range of dates; write a list of schedules"),
            _ if other.is_some() => {
                wrong(other.unwrap_or(at), "a date stands without days and times; it may hold a time")
            }
            None => wrong(at, "expected an end: `- ` and a date"),
            Some(to) if to <= from => wrong(at, "ends before it begins"),
            Some(to) => Ok(When::Once(*from, *to)),
        };
    }
    let mut hours = Vec::with_capacity(parts.times.len());
    for (from, to, at) in &parts.times {
        let Some(to) = to else { return wrong(at, "expected a range such as `08:00-18:00`") };
        match Hours::new(*from, *to) {
            Some(range) => hours.push(range),
            None if from == to => return wrong(at, "ends when it begins; all day is `00:00-24:00`"),
            None => return wrong(at, "begins at the end of the day; write `00:00`"),
        }
    }
    match &parts.days {
        None if hours.is_empty() => wrong(&(0..text.len()), "expected days, times or dates"),
        days => Ok(When::Weekly(days.as_ref().map_or(Days::ALL, |(days, _)| *days), hours)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::render;
    use crate::config::{Diagnostic, zone};
    use proptest::prelude::*;

    fn read(text: &str) -> (Option<Schedule>, String, Vec<Diagnostic>) {
        let file = format!("'{text}'");
        let mut problems = Problems::new(Path::new("a.toml"), &file);
        let berlin = zone::find("Europe/Berlin", &TimeZone::UTC).unwrap();
        let schedule = parse(&mut problems, &Said::new(text, 0..file.len()), &berlin);
        let diagnostics = problems.finish();
        assert_eq!(schedule.is_some(), diagnostics.is_empty(), "{text}: {diagnostics:?}");
        (schedule, file, diagnostics)
    }

    fn good(text: &str, shown: &str) {
        let (schedule, _, diagnostics) = read(text);
        let schedule = schedule.unwrap_or_else(|| panic!("{text}: {diagnostics:#?}"));
        assert_eq!(schedule.to_string(), shown, "{text}");
        assert_eq!(read(shown).0, Some(schedule), "{shown}");
    }

    #[test]
    fn days_times_and_a_zone_are_read_in_any_order() {
        good("Mon-Fri 08:00-18:00 Europe/Berlin", "Mon-Fri 08:00-18:00 Europe/Berlin");
        good("08:00-18:00 UTC, Mon - Fri", "Mon-Fri 08:00-18:00 UTC");
        good("Sat,Sun", "Sat,Sun Europe/Berlin");
        good("fri-MON 22:00-6:00 local", "Fri-Mon 22:00-06:00 Europe/Berlin");
        good(
            "Monday, Wed,Thu,Friday 08:00-12:00,13:00 - 17:30",
            "Mon,Wed-Fri 08:00-12:00,13:00-17:30 Europe/Berlin",
        );
        good("18:00-00:00 america/port-au-prince", "18:00-24:00 America/Port-au-Prince");
        good("Mon-Sun", "Mon-Sun Europe/Berlin");
    }

    #[test]
    fn dates_are_meant_up_to_their_end() {
        good("2026-12-24 - 2026-12-26 UTC", "2026-12-24T00:00 - 2026-12-27T00:00 UTC");
        good("2026-12-24-2026-12-26", "2026-12-24T00:00 - 2026-12-27T00:00 Europe/Berlin");
        good("2026-12-31", "2026-12-31T00:00 - 2027-01-01T00:00 Europe/Berlin");
        good("2026-12-24T18:00 - 2026-12-27T06:00", "2026-12-24T18:00 - 2026-12-27T06:00 Europe/Berlin");
        good("2026-12-24T18:00 - 2026-12-24", "2026-12-24T18:00 - 2026-12-25T00:00 Europe/Berlin");
        good("2026-12-24 - 2026-12-24T24:00", "2026-12-24T00:00 - 2026-12-25T00:00 Europe/Berlin");
    }

    fn bad(text: &str, expected: &[(&str, &str)]) {
        let (_, file, problems) = read(text);
        let told: Vec<_> = problems.iter().map(|problem| (problem.id, &file[problem.span.clone()])).collect();
        assert_eq!(told, expected, "{text}: {problems:#?}");
        assert!(
            problems.iter().all(|problem| problem.help.is_some() || problem.id != "bad-schedule"),
            "{text}"
        );
    }

    #[test]
    fn the_wrong_part_of_a_schedule_is_named() {
        bad("", &[("bad-schedule", "")]);
        bad("UTC", &[("bad-schedule", "UTC")]);
        bad("Mon-Fri 08:00", &[("bad-schedule", "08:00")]);
        bad("Mon-Fri 8-18", &[("bad-schedule", "8")]);
        bad("Mon-Fri 8am-6pm", &[("bad-schedule", "8am")]);
        bad("08:00-18:00:30", &[("bad-schedule", "18:00:30")]);
        bad("08:00-25:00", &[("bad-schedule", "25:00")]);
        bad("08:00-18:60", &[("bad-schedule", "18:60")]);
        bad("08:00-08:00", &[("bad-schedule", "08:00-08:00")]);
        bad("24:00-08:00", &[("bad-schedule", "24:00-08:00")]);
        bad("08:00-", &[("bad-schedule", "-")]);
        bad("-08:00", &[("bad-schedule", "-")]);
        bad("Mon-08:00", &[("bad-schedule", "Mon-08:00")]);
        bad("Mon,", &[("bad-schedule", ",")]);
        bad(",Mon", &[("bad-schedule", ",")]);
        bad("Mon–Fri", &[("bad-schedule", "–")]);
        bad("Mon UTC Europe/Berlin", &[("bad-schedule", "Europe/Berlin")]);
        bad("2026-12-24T18:00", &[("bad-schedule", "2026-12-24T18:00")]);
        bad("2026-12-24T18 - 2026-12-25", &[("bad-schedule", "18")]);
        bad("2026-02-29", &[("bad-schedule", "2026-02-29")]);
        bad("2026-1-1", &[("bad-schedule", "2026-1-1")]);
        bad("2226-12-24", &[("bad-schedule", "2226-12-24")]);
        bad("2026-12-26 - 2026-12-24", &[("bad-schedule", "2026-12-26 - 2026-12-24")]);
        bad("2026-12-24, 2026-12-26", &[("bad-schedule", "2026-12-26")]);
        bad("2026-12-24 08:00-18:00", &[("bad-schedule", "08:00-18:00")]);
        bad("Mno-Fri 08:00-18:00 Europe/Berln", &[("unknown-zone", "Mno"), ("unknown-zone", "Europe/Berln")]);
        bad("Mon-Fir", &[("unknown-zone", "Fir")]);
    }

    #[test]
    fn what_was_meant_is_found() {
        for (text, meant) in [
            ("Mno-Fri", "did you mean `Mon`?"),
            ("Wedensday", "did you mean `Wednesday`?"),
            ("Mon Europe/Berln", "did you mean `Europe/Berlin`?"),
            ("Mon berlin", "did you mean `Europe/Berlin`?"),
            ("Mon New_York", "did you mean `America/New_York`?"),
            ("Mon Local", "did you mean `local`?"),
        ] {
            let (_, _, problems) = read(text);
            assert_eq!(problems[0].help.as_deref(), Some(meant), "{text}");
        }
    }

    #[test]
    fn a_wrong_schedule_is_shown_with_examples() {
        let (_, file, problems) = read("Mon-Fri 8am-18:00");
        let shown = render::text(&problems, &[("a.toml".into(), file)].into(), false);
        let expected = "\
error[bad-schedule]: a schedule is wrong here
 --> a.toml:1:10
  |
1 | 'Mon-Fri 8am-18:00'
  |          ^^^ expected a time in hours and minutes, such as `08:00`
  |
  = help: write it as in `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun`, `22:00-06:00 UTC` or `2026-12-24T18:00 - 2026-12-27`

error: 1 problem in 1 file
";
        assert_eq!(shown, expected);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([0-9:T,/ é-]|Mon|Sun|UTC|2026-12-24|08:00){0,10}") {
            read(&text);
        }
    }
}
