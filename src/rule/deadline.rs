//! By when something has to have been seen: `02:30 Europe/Berlin, Mon-Fri`.

use std::fmt;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::Days;
use super::schedule::{DAY, at_minute};
use crate::model::Timestamp;

/// A time of some days, once on each: the first moment at which the clock on the wall of the zone shows it, or a later
/// one because it is skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    days: Days,
    /// Minutes after the midnight that the day begins with; a day at most.
    minute: i16,
    zone: TimeZone,
}

impl Deadline {
    /// So many minutes (0 to 1440) after the midnight that each of these days begins with. `None`: out of range.
    pub fn new(days: Days, minute: i16, zone: TimeZone) -> Option<Deadline> {
        (0..=DAY).contains(&minute).then_some(Deadline { days, minute, zone })
    }

    /// The first one after that moment. `None`: there is none before the end of the calendar, in the year 9999.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = self.zone.to_datetime(jiff::Timestamp::from_microsecond(after.0).ok()?).date();
        // One of the day before may still come: at its end, or where a zone has left out the day.
        let days = (-1..=8).filter_map(|days| from.checked_add(days.days()).ok());
        let each = days.filter(|day| self.days.has(day.weekday()));
        each.filter_map(|day| self.moment(at_minute(day, self.minute))).find(|moment| *moment > after)
    }

    /// When the clock first shows that time, or where it goes on if it is skipped.
    fn moment(&self, wall: DateTime) -> Option<Timestamp> {
        let moment = match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok()?,
            // Read by the clock as it goes afterwards, a time that is skipped lies before the turn.
            AmbiguousOffset::Gap { after, .. } => {
                self.zone.following(after.to_timestamp(wall).ok()?).next()?.timestamp()
            }
        };
        Some(Timestamp(moment.as_microsecond()))
    }
}

/// As it is written, with the zone that is meant.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != Days::ALL {
            write!(f, "{} ", self.days)?;
        }
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)?;
        self.zone.iana_name().map_or(Ok(()), |zone| write!(f, " {zone}"))
    }
}

/// What has to be kept of a rule: that a match was seen in time before each of several deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// One after the other, whichever comes first; at least one.
    pub each: Vec<Deadline>,
    /// How long before a deadline, at most, what counts for it was seen; `None`: after the one before.
    pub within: Option<Duration>,
}

impl Deadlines {
    /// The first one after that moment, if the calendar has one.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.each.iter().filter_map(|deadline| deadline.next(after)).min()
    }

    /// The first one that is missed if nothing is seen after `seen`.
    pub fn missed_after(&self, seen: Timestamp) -> Option<Timestamp> {
        // What is seen at the very moment of a deadline has come by it.
        let not_before = |moment: Timestamp| self.next(Timestamp(moment.0.saturating_sub(1)));
        match self.within {
            Some(within) => self.next(seen.plus(within)),
            None => self.next(not_before(seen)?),
        }
    }

    /// That moment as the zone of its deadline shows it, RFC 3339 with the offset.
    pub fn shown(&self, moment: Timestamp) -> String {
        let is_its =
            |deadline: &&Deadline| deadline.next(Timestamp(moment.0.saturating_sub(1))) == Some(moment);
        let zone = self.each.iter().find(is_its).map_or(TimeZone::UTC, |deadline| deadline.zone.clone());
        match jiff::Timestamp::from_microsecond(moment.0) {
            Ok(instant) => instant.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Err(_) => moment.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Weekday::{Friday, Monday, Saturday, Sunday};
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    fn deadline(days: Days, minute: i16, zone: &str) -> Deadline {
        Deadline::new(days, minute, TimeZoneDatabase::bundled().get(zone).unwrap()).unwrap()
    }

    fn instant(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn check(each: &[Deadline], from: &str, expected: &[&str]) {
        let deadlines = Deadlines { each: each.to_vec(), within: None };
        let mut at = instant(from);
        let mut found = Vec::new();
        for _ in expected {
            at = deadlines.next(at).unwrap();
            found.push(deadlines.shown(at));
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn deadlines_follow_on_each_other() {
        let working = [deadline(Days::between(Monday, Friday), 150, "Europe/Berlin")];
        let expected = ["2026-01-09T02:30:00+01:00", "2026-01-12T02:30:00+01:00"];
        check(&working, "2026-01-09T00:00:00Z", &expected);
        let [working] = working;
        let weekend = deadline(Days::between(Saturday, Sunday), 1440, "America/New_York");
        // Midnight in New York comes after the deadline in Berlin.
        let expected = [
            "2026-01-09T02:30:00+01:00",
            "2026-01-11T00:00:00-05:00",
            "2026-01-12T02:30:00+01:00",
            "2026-01-12T00:00:00-05:00",
        ];
        check(&[working, weekend], "2026-01-09T00:00:00Z", &expected);
    }

    #[test]
    fn a_deadline_that_is_skipped_is_where_the_clock_goes_on_and_one_that_comes_twice_is_the_first() {
        let berlin = [deadline(Days::ALL, 150, "Europe/Berlin")];
        let spring = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
        check(&berlin, "2026-03-28T00:00:00Z", &spring);
        let autumn = ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"];
        check(&berlin, "2026-10-24T12:00:00Z", &autumn);
        let apia = [deadline(Days::between(Friday, Friday), 600, "Pacific/Apia")];
        check(&apia, "2011-12-29T00:00:00Z", &["2011-12-31T00:00:00+14:00", "2012-01-06T10:00:00+14:00"]);
        let lord_howe = [deadline(Days::ALL, 135, "Australia/Lord_Howe")];
        let spring = ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"];
        check(&lord_howe, "2026-10-03T12:00:00Z", &spring);
    }

    #[test]
    fn what_was_seen_counts_for_the_deadline_it_came_before() {
        let each = vec![deadline(Days::ALL, 150, "UTC")];
        let missed = |within: Option<u64>, seen: &str| {
            let deadlines = Deadlines { each: each.clone(), within: within.map(Duration::from_secs) };
            deadlines.missed_after(instant(seen)).unwrap().to_string()
        };
        for (within, seen, expected) in [
            (None, "2026-01-05T02:29:00Z", "2026-01-06T02:30:00Z"),
            (None, "2026-01-05T02:30:00Z", "2026-01-06T02:30:00Z"),
            (None, "2026-01-05T02:30:00.000001Z", "2026-01-07T02:30:00Z"),
            (Some(3600), "2026-01-05T01:29:59.999999Z", "2026-01-05T02:30:00Z"),
            (Some(3600), "2026-01-05T01:30:00Z", "2026-01-06T02:30:00Z"),
            (Some(3600), "2026-01-05T02:30:00Z", "2026-01-06T02:30:00Z"),
            (Some(3600), "2026-01-05T03:00:00Z", "2026-01-06T02:30:00Z"),
        ] {
            assert_eq!(missed(within, seen), expected, "{within:?} {seen}");
        }
    }

    #[test]
    fn no_moment_is_too_far() {
        let berlin = deadline(Days::ALL, 1440, "Europe/Berlin");
        let deadlines = Deadlines { each: vec![berlin], within: Some(Duration::MAX) };
        for at in
            [Timestamp::MIN, Timestamp::MAX, instant("9999-12-30T21:00:00Z"), instant("2026-01-01T00:00:00Z")]
        {
            deadlines.next(at);
            deadlines.missed_after(at);
            deadlines.shown(at);
        }
    }

    const PLACES: [(&str, &str); 9] = [
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("UTC", "2026-06-01T00:00:00Z"),
    ];

    proptest! {
        #[test]
        fn a_walk_minute_by_minute_meets_the_same_deadline(
            which in 0..PLACES.len(), before in 0..3000_i64, first in 0..7_i8, last in 0..7_i8, quarter in 0..=96_i16,
        ) {
            let (zone, near) = PLACES[which];
            let day = |offset| jiff::civil::Weekday::from_monday_zero_offset(offset).unwrap();
            let days = Days::between(day(first), day(last));
            let deadline = deadline(days, quarter * 15, zone);
            let start = near.parse::<jiff::Timestamp>().unwrap() - before.minutes();
            // Each day of the calendar in turn is waited for until the clock shows its time or a later one.
            let mut date = deadline.zone.to_datetime(start).date() - 2.days();
            let mut at = start - (4 * 24).hours();
            let expected = loop {
                let wall = date.at(0, 0, 0, 0) + i64::from(quarter * 15).minutes();
                while deadline.zone.to_datetime(at) < wall {
                    at += 1.minutes();
                }
                if at > start && days.has(date.weekday()) {
                    break at;
                }
                date = date.tomorrow().unwrap();
            };
            let found = deadline.next(Timestamp(start.as_microsecond()));
            prop_assert_eq!(found, Some(Timestamp(expected.as_microsecond())), "{} after {}", deadline, start);
        }
    }
}
