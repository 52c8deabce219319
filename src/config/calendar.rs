//! What schedules and deadlines are made of: days, times, dates and a zone, in whatever order.

use std::ops::Range;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::diagnostic::{Problems, did_you_mean, short};
use super::units::Misread;
use super::walk::Said;
use super::zone;
use crate::rule::Days;

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

/// Years of dates. Others are typing mistakes, and each takes time to look for when the next change is.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

/// What a text is to be, and what is said if it is something else.
pub(super) struct Form {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// For whoever wrote something else.
    pub(super) examples: &'static str,
}

impl Form {
    /// Reads a text and makes something of its parts; with it comes the zone that is meant. `None`: something is wrong,
    /// which has been said.
    pub(super) fn read<T>(
        &self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        local: &TimeZone,
        make: impl FnOnce(&Parts) -> Result<T, Misread>,
    ) -> Option<(T, TimeZone)> {
        let misread = |problems: &mut Problems<'_>, Misread { at, why }| {
            let span = said.place(problems, &at);
            problems.error(self.id, span, self.title, why).help = Some(self.examples.to_owned());
        };
        let parts = tokens(said.text).and_then(|tokens| Parts::read(&tokens));
        let parts = parts.map_err(|wrong| misread(problems, wrong)).ok()?;
        // What is wrong with a word says more than that something seems to be missing.
        let zone = self.zone(problems, said, local, &parts.words)?;
        let made = make(&parts).map_err(|wrong| misread(problems, wrong)).ok()?;
        Some((made, zone))
    }

    /// The zone that the words name.
    fn zone(
        &self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        local: &TimeZone,
        words: &[Range<usize>],
    ) -> Option<TimeZone> {
        let mut found = None;
        let mut sound = true;
        for at in words {
            let name = &said.text[at.clone()];
            let span = said.place(problems, at);
            match zone::find(name, local) {
                Some(_) if found.is_some() => {
                    problems.error(self.id, span, self.title, "there is a zone already").help =
                        Some("write a list, each with its zone".to_owned());
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

/// Says what is wrong at a place of the text.
pub(super) fn wrong<T>(at: &Range<usize>, label: &str) -> Result<T, Misread> {
    Err(Misread { at: at.clone(), why: label.to_owned() })
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
fn tokens(text: &str) -> Result<Vec<Placed>, Misread> {
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
                let len = clock(&text[at..]);
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

/// How long what may be meant as a time is.
fn clock(text: &str) -> usize {
    run(text, |c| c.is_ascii_alphanumeric() || ":.".contains(c))
}

/// True if there is a year and a dash.
fn is_date(text: &str) -> bool {
    run(text, |c| c.is_ascii_digit()) == 4 && text[4..].starts_with('-')
}

/// A date at `at`, with its time if there is one.
fn moment(text: &str, at: usize) -> Result<(Token, usize), Misread> {
    let len = 10.min(run(&text[at..], |c| c.is_ascii_digit() || c == '-'));
    let date = text[at..at + len].parse::<Date>().ok().filter(|date| YEARS.contains(&date.year()));
    let Some(date) = date else {
        return wrong(&(at..at + len), "expected a date of the years 1970 to 2199, such as `2026-12-24`");
    };
    if !text[at + len..].starts_with(['T', 't']) {
        return Ok((Token::Date(date), len));
    }
    let from = at + len + 1;
    let clock = from..from + clock(&text[from..]);
    let minutes = time(text, clock.clone())?;
    Ok((Token::Moment(midnight(date).saturating_add(i64::from(minutes).minutes())), clock.end - at))
}

fn midnight(date: Date) -> DateTime {
    date.at(0, 0, 0, 0)
}

/// Minutes after midnight of the time that stands there.
fn time(text: &str, at: Range<usize>) -> Result<i16, Misread> {
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
pub(super) struct Parts {
    pub(super) days: Option<(Days, Range<usize>)>,
    /// Minutes after midnight: one alone, or from one to another.
    pub(super) times: Vec<(i16, Option<i16>, Range<usize>)>,
    /// From the first moment up to the second, if there is one.
    pub(super) dates: Vec<(DateTime, Option<DateTime>, Range<usize>)>,
    /// What may be the name of a zone.
    words: Vec<Range<usize>>,
}

impl Parts {
    fn read(tokens: &[Placed]) -> Result<Parts, Misread> {
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
}
