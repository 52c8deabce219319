//! Spans of time and sizes as they are written: `10m`, `1h30m`, `250ms`, `64KiB`.
//!
//! Our own parser because the caret has to stand under the wrong part, and because
//! [`crate::model::duration_text`] has to be its exact inverse.

use std::ops::Range;
use std::time::Duration;

use crate::rule::{Quantity, Unit, number_len};
use crate::settings::Start;

/// Units of a duration, from large to small, with their length in milliseconds.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration that is believed, in milliseconds: 100 years. Longer ones are typing mistakes, and this one
/// is safe to add to any date.
const LONGEST: u64 = 36_500 * 86_400_000;

/// What is wrong with a number with a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The wrong bytes, in the text that was read.
    pub at: Range<usize>,
    /// What is wrong with them, for a caret's label.
    pub why: String,
}

impl Misread {
    fn new(at: Range<usize>, why: impl Into<String>) -> Misread {
        Misread { at, why: why.into() }
    }
}

/// Reads so many in so much time: `10/s`, `100/1m`; `None` for `unlimited`.
///
/// # Errors
/// The place of what is wrong, and what is wrong with it.
pub(super) fn parse_rate(text: &str) -> Result<Option<(u32, Duration)>, Misread> {
    if text == "unlimited" {
        return Ok(None);
    }
    let Some((most, per)) = text.split_once('/') else {
        return Err(Misread::new(0..text.len(), "expected a number, `/` and a time"));
    };
    let count = most.parse().ok().filter(|count| (1..=1_000_000).contains(count));
    let Some(count) = count else {
        return Err(Misread::new(0..most.len(), "expected a whole number from 1 to 1000000"));
    };
    let from = most.len() + 1;
    let unit = UNITS.iter().find(|(name, _)| *name == per).map(|(_, length)| Duration::from_millis(*length));
    match unit.map_or_else(|| parse_duration(per), Ok) {
        Ok(per) if per.is_zero() => Err(Misread::new(from..text.len(), "longer than nothing")),
        Ok(per) => Ok(Some((count, per))),
        Err(wrong) => Err(Misread::new(from + wrong.at.start..from + wrong.at.end, wrong.why)),
    }
}

/// Reads where a file that is there at first sight is begun: `end`, `beginning`, `last:1MiB`, `since:15m`.
///
/// # Errors
/// The place of what is wrong, and what is wrong with it.
pub fn parse_start(text: &str) -> Result<Start, Misread> {
    let behind = |at: usize, wrong: Misread| Misread::new(at + wrong.at.start..at + wrong.at.end, wrong.why);
    let (word, rest) = text.split_at(text.find(':').map_or(text.len(), |colon| colon + 1));
    let start = match word {
        "end" => Ok(Start::End),
        "beginning" => Ok(Start::Beginning),
        "last:" => parse_size(rest).map(Start::Last),
        "since:" => parse_duration(rest).map(Start::Since),
        _ => {
            let at = 0..text.len();
            return Err(Misread::new(
                at,
                "expected `end`, `beginning`, `last:` and a size, or `since:` and a time",
            ));
        }
    };
    start.map_err(|wrong| behind(word.len(), wrong))
}

/// Reads a duration: whole numbers with the units `w d h m s ms`, from large to small, without spaces; at most 100
/// years.
///
/// # Errors
/// The place of the first wrong byte and what was expected there.
pub fn parse_duration(text: &str) -> Result<Duration, Misread> {
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    let mut at = 0;
    if text.is_empty() {
        return Err(Misread::new(0..0, "nothing is written here"));
    }
    while at < text.len() {
        let digits = run(text, at, |c| c.is_ascii_digit());
        if digits == at {
            return Err(Misread::new(char_at(text, at), "expected a whole number"));
        }
        let letters = run(text, digits, |c| c.is_ascii_alphabetic());
        let unit = &text[digits..letters];
        if unit.is_empty() && digits == text.len() {
            return Err(Misread::new(at..digits, "a unit is missing: `w`, `d`, `h`, `m`, `s` or `ms`"));
        }
        let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let wrong = if unit.is_empty() { char_at(text, digits) } else { digits..letters };
            return Err(Misread::new(wrong, "expected a unit: `w`, `d`, `h`, `m`, `s` or `ms`"));
        };
        if *length >= smallest {
            return Err(Misread::new(at..letters, "units go from large to small, each once"));
        }
        smallest = *length;
        let part = text[at..digits].parse::<u64>().ok().and_then(|n| n.checked_mul(*length));
        total = match part.and_then(|part| total.checked_add(part)) {
            Some(total) if total <= LONGEST => total,
            _ => return Err(Misread::new(at..letters, "longer than 100 years")),
        };
        at = letters;
    }
    Ok(Duration::from_millis(total))
}

/// The units that [`parse_quantity`] knows, for those who wrote another one.
pub const QUANTITY_UNITS: &str =
    "times are `ns us ms s m h d w`, sizes `B kB MB GB TB KiB MiB GiB TiB`, shares `%`";

/// Reads the number that `text` begins with, with its sign and its unit; times may have several parts. Also gives how
/// long it is.
///
/// # Errors
/// The place of the first wrong byte and what is wrong there.
pub fn parse_quantity(text: &str) -> Result<(Quantity, usize), Misread> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let Some(mut len) = number_len(&text[sign..]).map(|len| sign + len) else {
        return Err(Misread::new(0..sign, "expected a number"));
    };
    loop {
        let unit_len = run(text, len, |c| c.is_alphabetic() || c == '%') - len;
        let unit = &text[len..len + unit_len];
        if unit_len > 0 && Unit::named(unit).is_none() {
            return Err(Misread::new(len..len + unit_len, "unknown unit"));
        }
        len += unit_len;
        match number_len(&text[len..]) {
            Some(more) if unit_len > 0 => len += more,
            _ => break,
        }
    }
    let quantity = Quantity::read(&text.as_bytes()[..len]).map(|quantity| (quantity, len));
    quantity.ok_or_else(|| Misread::new(0..len, "too large, or of several parts that are not all times"))
}

/// Reads a size in bytes: a whole number, alone or with `B`, `KiB` or `MiB`.
///
/// # Errors
/// The place of the first wrong byte and what was expected there.
pub fn parse_size(text: &str) -> Result<u64, Misread> {
    let digits = run(text, 0, |c| c.is_ascii_digit());
    if digits == 0 {
        return Err(Misread::new(char_at(text, 0), "expected a whole number"));
    }
    let factor = match text[digits..].trim_start() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return Err(Misread::new(digits..text.len(), "expected `B`, `KiB` or `MiB`")),
    };
    let bytes = text[..digits].parse::<u64>().ok().and_then(|n| n.checked_mul(factor));
    bytes.ok_or_else(|| Misread::new(0..text.len(), "too large"))
}

/// The end of the run of characters that `fits` accepts, from `at` on.
fn run(text: &str, at: usize, fits: impl Fn(char) -> bool) -> usize {
    text[at..].find(|c| !fits(c)).map_or(text.len(), |length| at + length)
}

/// The bytes of the character at `at`; empty at the end of the text.
fn char_at(text: &str, at: usize) -> Range<usize> {
    at..at + text[at..].chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::duration_text;

    #[test]
    fn a_rate_is_so_many_in_so_much_time() {
        let rate = |count, seconds| Ok(Some((count, Duration::from_secs(seconds))));
        assert_eq!(parse_rate("10/s"), rate(10, 1));
        assert_eq!(parse_rate("100/1m30s"), rate(100, 90));
        assert_eq!(parse_rate("unlimited"), Ok(None));
        for (text, place) in [
            ("10", 0..2),
            ("/s", 0..0),
            ("0/s", 0..1),
            ("-1/s", 0..2),
            ("10/", 3..3),
            ("10/0s", 3..5),
            ("1/5x", 3..4),
        ] {
            assert_eq!(parse_rate(text).unwrap_err().at, place, "{text}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn a_start_is_a_word_or_a_word_with_a_size_or_a_time() {
        assert_eq!(parse_start("end"), Ok(Start::End));
        assert_eq!(parse_start("beginning"), Ok(Start::Beginning));
        assert_eq!(parse_start("last:1MiB"), Ok(Start::Last(1 << 20)));
        assert_eq!(parse_start("since:1h30m"), Ok(Start::Since(Duration::from_secs(5400))));
        for (text, place) in [
            ("", 0..0),
            ("middle", 0..6),
            ("end:", 0..4),
            ("last", 0..4),
            ("last:", 5..5),
            ("last:5kb", 6..8),
            ("since:5", 6..7),
            ("since:5mm", 7..9),
        ] {
            assert_eq!(parse_start(text).unwrap_err().at, place, "{text}");
        }
    }

    #[test]
    fn durations_are_read_and_written_back() {
        for (text, millis, shown) in [
            ("5m", 300_000, "5m"),
            ("600s", 600_000, "10m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("250ms", 250, "250ms"),
            ("7d", 604_800_000, "7d"),
            ("1w", 604_800_000, "7d"),
            ("0s", 0, "0s"),
        ] {
            let span = parse_duration(text).unwrap();
            assert_eq!(span, Duration::from_millis(millis), "{text}");
            assert_eq!(duration_text(span), shown, "{text}");
        }
    }

    #[test]
    fn the_wrong_part_of_a_duration_is_named() {
        for (text, at) in [
            ("", 0..0),
            ("5", 0..1),
            ("5 m", 1..2),
            ("m", 0..1),
            ("1h5x", 3..4),
            ("5m1h", 2..4),
            ("1m1m", 2..4),
            ("10min", 2..5),
            ("-5m", 0..1),
            ("40000d", 0..6),
            ("99999999999999999999999s", 0..24),
            ("5µs", 1..3),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("64KiB", Some(65536)), ("1 MiB", Some(1 << 20)), ("77", Some(77)), ("8B", Some(8))]
        {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
        for text in ["", "KiB", "64kb", "99999999999999999999", "18446744073709551615MiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same(millis in 0..LONGEST) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&duration_text(span)), Ok(span));
        }

        #[test]
        fn a_wrong_place_lies_in_the_text(text in "\\PC{0,12}") {
            for wrong in [parse_duration(&text).err(), parse_size(&text).err()].into_iter().flatten() {
                prop_assert!(text.get(wrong.at).is_some());
            }
        }
    }
}
