//! `"Mon-Fri 08:00-18:00 Europe/Berlin"`: days, times and a zone, in whatever order.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::diagnostic::{Problems, did_you_mean, short};
use super::tokens::Wrong;
use super::walk::Said;
use super::zone;
use crate::rule::{Days, Hours, Schedule};

/// Days of the week, as they may be written, and as they are called in full.
const DAYS: [(&str, &str); 7] = [
    ("Mon", "Monday"),
    ("Tue", "Tuesday"),
    ("Wed", "Wednesday"),
    ("Thu", "Thursday"),
    ("Fri", "Friday"),
    ("Sat", "Saturday"),
    ("Sun", "Sunday"),
];

/// For whoever wrote something else.
const EXAMPLES: &str = "write it as in `Mon-Fri 08:00-18:00 Europe/Berlin`, `Sat,Sun`, `22:00-06:00 UTC` or \
                        `2026-12-24T18:00 - 2026-12-27`";

const TITLE: &str = "a schedule is wrong here";

/// Years of dates. Others are typing mistakes, and each takes time to look for when the next change is.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// Reads a schedule. `None`: something is wrong, which has been said.
pub(super) fn parse(problems: &mut Problems<'_>, said: &Said<'_>, local: &TimeZone) -> Option<Schedule> {
    let read = tokens(said.text).and_then(|tokens| Parts::read(&tokens));
    match read.and_then(|parts| Ok((parts.when(said.text)?, parts))) {
        Ok((when, parts)) => {
            let zone = parts.zone(problems, said, local)?;
            match when {
                When::Weekly(days, hours) => Some(Schedule::weekly(days, hours, zone)),
                When::Once(from, to) => Schedule::once(from, to, zone),
            }
        }
        Err(wrong) => {
            wrong.say(problems, said, "bad-schedule");
            None
        }
    }
}

fn wrong<T>(at: &Range<usize>, label: &str) -> Result<T, Wrong> {
    Err(Wrong::new(at.clone(), TITLE, label).help(EXAMPLES))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Day(Weekday),
    /// Minutes after midnight, up to 24:00.
    Time(i16),
    Date(Date),
    Moment(DateTime),
    /// No day, so perhaps the name of a zone.
    Word,
    Dash,
    Comma,
}

type Placed = (Token, Range<usize>);

/// What a text is made of, blanks aside.
fn tokens(text: &str) -> Result<Vec<Placed>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (token, len) = match first {
            ' ' => {
                at += 1;
                continue;
            }
            ',' => (Token::Comma, 1),
            '-' => (Token::Dash, 1),
            '0'..='9' if is_date(&text[at..]) => moment(text, at)?,
            '0'..='9' => {
                let len = run(&text[at..], |c| c.is_ascii_alphanumeric() || c == ':');
                (Token::Time(time(text, at..at + len)?), len)
            }
            'a'..='z' | 'A'..='Z' => word(&text[at..]),
            _ => return wrong(&(at..at + first.len_utf8()), "not expected here"),
        };
        tokens.push((token, at..at + len));
        at += len;
    }
    Ok(tokens)
}

/// How many bytes `text` begins with that are such characters.
fn run(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

/// True if there is a year and a dash.
fn is_date(text: &str) -> bool {
    run(text, |c| c.is_ascii_digit()) == 4 && text[4..].starts_with('-')
}

/// A date at `at`, with its time if there is one.
fn moment(text: &str, at: usize) -> Result<(Token, usize), Wrong> {
    let len = 10.min(run(&text[at..], |c| c.is_ascii_digit() || c == '-'));
    let date = text[at..at + len].parse::<Date>().ok().filter(|date| YEARS.contains(&date.year()));
    let Some(date) = date else {
        return wrong(&(at..at + len), "expected a date of the years 1970 to 2199, such as `2026-12-24`");
    };
    if !text[at + len..].starts_with(['T', 't']) {
        return Ok((Token::Date(date), len));
    }
    let from = at + len + 1;
    let clock = from..from + run(&text[from..], |c| c.is_ascii_alphanumeric() || c == ':');
    let minutes = time(text, clock.clone())?;
    Ok((Token::Moment(midnight(date).saturating_add(i64::from(minutes).minutes())), clock.end - at))
}

fn midnight(date: Date) -> DateTime {
    date.at(0, 0, 0, 0)
}

/// Minutes after midnight of the time that stands there.
fn time(text: &str, at: Range<usize>) -> Result<i16, Wrong> {
    let (hours, minutes) = text[at.clone()].split_once(':').unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=2).contains(&hours.len()) || minutes.len() != 2 || !digits(hours) || !digits(minutes) {
        return wrong(&at, "expected a time in hours and minutes, such as `08:00`");
    }
    match (hours.parse::<i16>(), minutes.parse::<i16>()) {
        (Ok(hours), Ok(minutes)) if minutes < 60 && hours * 60 + minutes <= 24 * 60 => {
            Ok(hours * 60 + minutes)
        }
        _ => wrong(&at, "a day goes from `00:00` to `24:00`"),
    }
}

/// A day or another word, and how long it is.
fn word(text: &str) -> (Token, usize) {
    let letters = run(text, |c| c.is_ascii_alphabetic());
    let part = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    let whole = run(text, part);
    let is_day = |(short, long): &(&str, &str)| {
        [short, long].into_iter().any(|name| text[..letters].eq_ignore_ascii_case(name))
    };
    let day = DAYS.iter().position(is_day).filter(|_| !text[letters..].starts_with(['/', '_']));
    match day.and_then(|day| Weekday::from_monday_zero_offset(i8::try_from(day).ok()?).ok()) {
        Some(day) => (Token::Day(day), letters),
        // A zone may hold dashes; without a `/` it is more likely a slip in a span of days.
        None if text[..whole].contains('/') => (Token::Word, whole),
        None => (Token::Word, run(text, |c| part(c) && c != '-')),
    }
}

/// "did you mean" for a slip in the name of a day. In short words, letters that have changed places are all there is to
/// recognise it by.
fn day_meant(name: &str) -> Option<String> {
    let letters = |name: &str| {
        let mut letters = name.to_ascii_lowercase().into_bytes();
        letters.sort_unstable();
        letters
    };
    let swapped = DAYS.iter().find(|(short, _)| letters(short) == letters(name));
    let swapped = swapped.map(|(short, _)| format!("did you mean `{short}`?"));
    swapped.or_else(|| did_you_mean(name, DAYS.iter().flat_map(|(short, long)| [*short, *long])))
}

/// What a text says.
#[derive(Debug, Default)]
struct Parts {
    days: Option<(Days, Range<usize>)>,
    /// Minutes after midnight: one alone, or from one to another.
    times: Vec<(i16, Option<i16>, Range<usize>)>,
    /// From the first moment up to the second, if there is one.
    dates: Vec<(DateTime, Option<DateTime>, Range<usize>)>,
    words: Vec<Range<usize>>,
}

enum When {
    Weekly(Days, Vec<Hours>),
    Once(DateTime, DateTime),
}

impl Parts {
    fn read(tokens: &[Placed]) -> Result<Parts, Wrong> {
        let mut parts = Parts::default();
        let mut rest = tokens;
        while let Some(((first, from), behind)) = rest.split_first() {
            let last = match behind {
                [(Token::Dash, dash), behind @ ..] if !matches!(first, Token::Comma | Token::Dash) => {
                    let Some((last, behind)) = behind.split_first() else {
                        return wrong(dash, "expected an end behind it");
                    };
                    rest = behind;
                    Some(last)
                }
                behind => {
                    rest = behind;
                    None
                }
            };
            let at = from.start..last.map_or(from.end, |(_, at)| at.end);
            match (first, last.map(|(token, _)| token)) {
                (Token::Day(first), Some(Token::Day(last))) => parts.add(Days::between(*first, *last), at),
                (Token::Day(first), None) => parts.add(Days::between(*first, *first), at),
                (Token::Day(_), Some(Token::Word)) => parts.words.extend(last.map(|(_, at)| at.clone())),
                (Token::Word, Some(Token::Day(_)) | None) => parts.words.push(from.clone()),
                (Token::Word, Some(Token::Word)) => {
                    parts.words.push(from.clone());
                    parts.words.extend(last.map(|(_, at)| at.clone()));
                }
                (Token::Time(from), Some(Token::Time(to))) => parts.times.push((*from, Some(*to), at)),
                (Token::Time(from), None) => parts.times.push((*from, None, at)),
                // A day is meant up to its end.
                (Token::Date(from), Some(Token::Date(to))) => {
                    parts.dates.push((midnight(*from), Some(midnight(*to).saturating_add(1.day())), at));
                }
                (Token::Date(from), None) => {
                    parts.dates.push((midnight(*from), Some(midnight(*from).saturating_add(1.day())), at));
                }
                (Token::Date(from), Some(Token::Moment(to))) => {
                    parts.dates.push((midnight(*from), Some(*to), at));
                }
                (Token::Moment(from), Some(Token::Date(to))) => {
                    parts.dates.push((*from, Some(midnight(*to).saturating_add(1.day())), at));
                }
                (Token::Moment(from), Some(Token::Moment(to))) => parts.dates.push((*from, Some(*to), at)),
                (Token::Moment(from), None) => parts.dates.push((*from, None, at)),
                (Token::Comma, _) if rest.is_empty() || rest.len() + 1 == tokens.len() => {
                    return wrong(&at, "expected something on both sides of it");
                }
                (Token::Comma, _) => {}
                (Token::Dash, _) => return wrong(&at, "expected a beginning before it"),
                (_, Some(_)) => return wrong(&at, "from one kind of thing to another"),
            }
        }
        Ok(parts)
    }

    fn add(&mut self, days: Days, at: Range<usize>) {
        self.days = Some(match &self.days {
            Some((known, first)) => (known.and(days), first.start..at.end),
            None => (days, at),
        });
    }

    /// When it holds, whatever the zone.
    fn when(&self, text: &str) -> Result<When, Wrong> {
        if let [(from, to, at), more @ ..] = self.dates.as_slice() {
            let other = self.times.first().map(|(_, _, at)| at).or(self.days.as_ref().map(|(_, at)| at));
            return match to {
                _ if !more.is_empty() => {
                    wrong(&more[0].2, "only one range of dates; write a list of schedules")
                }
                _ if other.is_some() => {
                    wrong(other.unwrap_or(at), "a date stands without days and times; it may hold a time")
                }
                None => wrong(at, "expected an end: `- ` and a date"),
                Some(to) if to <= from => wrong(at, "ends before it begins"),
                Some(to) => Ok(When::Once(*from, *to)),
            };
        }
        let mut hours = Vec::with_capacity(self.times.len());
        for (from, to, at) in &self.times {
            let Some(to) = to else { return wrong(at, "expected a range such as `08:00-18:00`") };
            match Hours::new(*from, *to) {
                Some(range) => hours.push(range),
                None if from == to => return wrong(at, "ends when it begins; all day is `00:00-24:00`"),
                None => return wrong(at, "begins at the end of the day; write `00:00`"),
            }
        }
        match &self.days {
            // What is wrong with a word says more.
            None if hours.is_empty() && self.words.is_empty() => {
                wrong(&(0..text.len()), "expected days, times or dates")
            }
            None if hours.is_empty()
                && self.words.iter().all(|at| zone::find(&text[at.clone()], &TimeZone::UTC).is_some()) =>
            {
                wrong(&(0..text.len()), "expected days, times or dates besides the zone")
            }
            days => Ok(When::Weekly(days.as_ref().map_or(Days::ALL, |(days, _)| *days), hours)),
        }
    }

    /// The zone that the words name.
    fn zone(&self, problems: &mut Problems<'_>, said: &Said<'_>, local: &TimeZone) -> Option<TimeZone> {
        let mut found = None;
        let mut sound = true;
        for at in &self.words {
            let name = &said.text[at.clone()];
            let span = said.place(problems, at);
            match zone::find(name, local) {
                Some(_) if found.is_some() => {
                    let label = "there is a zone already";
                    problems.error("bad-schedule", span, TITLE, label).help =
                        Some("write a list of schedules, each with its zone".to_owned());
                    sound = false;
                }
                Some(zone) => found = Some(zone),
                None => {
                    let title = format!("`{}` is neither a day nor a time zone", short(name));
                    zone::unknown(problems, span, title, name, day_meant(name));
                    sound = false;
                }
            }
        }
        sound.then(|| found.unwrap_or_else(|| local.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::render;
    use crate::config::Diagnostic;
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
