//! The time a line says it was written.
//!
//! A stamp that names no zone stays civil, one that names no year stays without: only the caller knows the
//! source's zone and an instant to hold the stamp against ([`Stamp::resolve`]).

mod find;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::Timestamp;

pub use find::find;
pub(super) use find::{alone, of_seconds};

/// Where in a line its stamp stands, in bytes.
///
/// Found by leaving out what is not needed to find the same stamp: slow, and always what [`find`] reads.
pub fn place(line: &[u8]) -> Option<std::ops::Range<usize>> {
    let stamp = find(line)?;
    let same = |from: usize, to: usize| find(&line[from..to]) == Some(stamp);
    let to = (1..=line.len()).find(|to| same(0, *to))?;
    let from = (0..to).rev().find(|from| same(*from, to))?;
    // Zeros at its end change nothing and belong to it.
    let rest = line[to..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b':').count();
    let to = (to..=to + rest).rev().find(|to| same(from, *to)).unwrap_or(to);
    let in_brackets = line[from] == b'[' && line.get(to) == Some(&b']');
    Some(from..to + usize::from(in_brackets))
}

/// When a line says it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The zone was named, or the format is defined in UTC.
    Instant(Timestamp),
    /// What a clock on a wall showed.
    Civil(Civil),
}

/// Date and time without a zone. [`find`] makes only such as exist in some year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 1970 to 9999; `None`: the format has no year.
    pub year: Option<i16>,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 31.
    pub day: i8,
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
    /// 0 to 59; a leap second is the last microsecond of the 59th.
    pub second: i8,
    /// 0 to 999 999; further digits are dropped.
    pub micros: u32,
}

impl Stamp {
    /// The instant that is meant, for a source whose clocks show `zone`.
    ///
    /// Without a year it is the one that puts the stamp nearest to `reference`, but never more than one day after
    /// it: a line of Dec 31 read on Jan 1 is of last year, and a clock may be a little ahead. Times that a change
    /// of the clocks skips or repeats follow RFC 5545: the offset before the gap, the first of the two.
    ///
    /// `None`: there is no such instant, as for Feb 29 of a common year.
    pub fn resolve(self, zone: &TimeZone, reference: Timestamp) -> Option<Timestamp> {
        let civil = match self {
            Stamp::Instant(instant) => return Some(instant),
            Stamp::Civil(civil) => civil,
        };
        if let Some(year) = civil.year {
            return civil.in_zone(year, zone);
        }
        let now = jiff::Timestamp::from_microsecond(reference.0).ok()?;
        let year = zone.to_datetime(now).year();
        let latest = reference.plus(std::time::Duration::from_secs(24 * 60 * 60));
        // Two leap days are at most eight years apart.
        (year - 8..=year + 1)
            .rev()
            .filter_map(|year| civil.in_zone(year, zone))
            .find(|instant| *instant <= latest)
    }

    /// False if [`Stamp::resolve`] has to choose the year.
    pub fn has_year(self) -> bool {
        match self {
            Stamp::Instant(_) => true,
            Stamp::Civil(civil) => civil.year.is_some(),
        }
    }
}

impl Civil {
    #[inline]
    fn checked(
        year: Option<i16>,
        (month, day): (i8, i8),
        (hour, minute, second): (i8, i8, i8),
        micros: u32,
    ) -> Option<Civil> {
        let year_fits = year.is_none_or(|year| (1970..=9999).contains(&year));
        let leap = year.is_none_or(|year| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if !year_fits || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (second, micros) = if second == 60 { (59, 999_999) } else { (second, micros) };
        Some(Civil { year, month, day, hour, minute, second, micros })
    }

    fn in_zone(self, year: i16, zone: &TimeZone) -> Option<Timestamp> {
        let nanos = i32::try_from(self.micros).ok()?.checked_mul(1_000)?;
        let shown =
            DateTime::new(year, self.month, self.day, self.hour, self.minute, self.second, nanos).ok()?;
        Some(Timestamp(zone.to_timestamp(shown).ok()?.as_microsecond()))
    }

    /// The instant, if `offset` seconds east of UTC is what the clock was set to.
    fn at_offset(self, offset: i64) -> Option<Stamp> {
        // Counting from March makes the leap day the last of its year.
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year?) - i64::from(month < 3);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        let minutes = (days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute);
        let seconds = minutes * 60 + i64::from(self.second) - offset;
        Some(Stamp::Instant(Timestamp(seconds * 1_000_000 + i64::from(self.micros))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(line: &str, zone: &str, reference: &str) -> String {
        let zone = TimeZone::get(zone).expect("a bundled zone");
        let reference: jiff::Timestamp = reference.parse().expect("an instant");
        let stamp = find(line.as_bytes()).expect("a stamp");
        stamp
            .resolve(&zone, Timestamp(reference.as_microsecond()))
            .map_or("none".to_owned(), |instant| instant.to_string())
    }

    #[test]
    fn a_missing_year_is_the_one_nearest_to_the_reference_but_not_after_tomorrow() {
        for (line, zone, reference, expected) in [
            ("Dec 31 23:59:59 h x", "UTC", "2026-01-01T00:00:01Z", "2025-12-31T23:59:59Z"),
            ("Jan  1 00:00:01 h x", "UTC", "2025-12-31T23:59:58Z", "2026-01-01T00:00:01Z"),
            ("Jan  2 00:00:01 h x", "UTC", "2026-01-01T00:00:00Z", "2025-01-02T00:00:01Z"),
            ("Jan  2 00:00:00 h x", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("Feb 29 12:00:00 h x", "UTC", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
            ("Feb 29 12:00:00 h x", "UTC", "2103-03-01T00:00:00Z", "2096-02-29T12:00:00Z"),
            ("Jan  1 00:30:00 h x", "Asia/Shanghai", "2025-12-31T16:31:00Z", "2025-12-31T16:30:00Z"),
            ("2019 Jan  1 00:30:00 h x", "Asia/Shanghai", "2025-12-31T16:31:00Z", "2018-12-31T16:30:00Z"),
            ("2003-10-11T22:14:15Z", "Asia/Shanghai", "2025-12-31T16:31:00Z", "2003-10-11T22:14:15Z"),
        ] {
            assert_eq!(resolved(line, zone, reference), expected, "{line} {zone} {reference}");
        }
    }

    #[test]
    fn skipped_and_repeated_times_follow_the_compatible_choice() {
        for (line, expected) in [
            ("2026-03-29 02:30:00 skipped", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30:00 repeated", "2026-10-25T00:30:00Z"),
            ("Oct 25 02:30:00 repeated", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(resolved(line, "Europe/Berlin", "2026-10-25T12:00:00Z"), expected, "{line}");
        }
    }

    #[test]
    fn a_stamp_stands_where_it_is_read() {
        for (line, stamp) in [
            ("Dec 10 06:55:46 h x", "Dec 10 06:55:46"),
            ("<34>Oct  1 22:14:15 h x", "Oct  1 22:14:15"),
            ("2026-01-02T15:04:05.125+08:00 x", "2026-01-02T15:04:05.125+08:00"),
            ("h - [10/Oct/2000:13:55:36 -0700] x", "[10/Oct/2000:13:55:36 -0700]"),
            (r#"{"a":1,"time":"2026-01-02T15:04:05Z"}"#, "2026-01-02T15:04:05Z"),
            ("seen at 2026-01-02 15:04:05", "2026-01-02 15:04:05"),
        ] {
            let place = place(line.as_bytes()).expect("a stamp");
            assert_eq!(&line[place], stamp, "{line}");
        }
        assert_eq!(place(b"no stamp"), None);
    }

    #[test]
    fn a_stamp_knows_whether_it_has_a_year() {
        for (line, has) in [
            ("Dec 10 06:55:46 h x", false),
            ("2026 Dec 10 06:55:46 h x", true),
            ("1700000000 x", true),
            ("I1121 09:15:50.123456 x", false),
        ] {
            assert_eq!(find(line.as_bytes()).expect("a stamp").has_year(), has, "{line}");
        }
    }
}
