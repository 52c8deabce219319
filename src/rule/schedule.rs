//! When something holds by the calendar of a zone: `Mon-Fri 08:00-18:00 Europe/Berlin`.
//!
//! What counts is the clock on the wall of that zone: a schedule holds whenever that clock shows a time in it. So a
//! range of which the beginning is skipped in spring begins where the clock goes on, and one that the clock shows twice
//! in autumn holds both times; no case has to be thought of by itself.

use std::fmt;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::Days;
use crate::model::Timestamp;

/// Minutes of a day.
pub(super) const DAY: i16 = 24 * 60;

/// The beginning of a year after which the rules of no zone that is known today are special.
const YEAR_2026: i64 = 1_767_225_600;
/// A year and some days.
const A_YEAR: Duration = Duration::from_secs(400 * 86_400);
/// Beginnings and ends that are looked at in it.
const MOST_CHANGES: usize = 4000;

/// Times at which something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    when: When,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    /// At these times of these days, week after week; no times: all day.
    Weekly { days: Days, times: Vec<Hours> },
    /// From the first moment on, up to the second, which is later; once.
    Once { from: DateTime, to: DateTime },
}

/// A part of a day in whole minutes, which may go on into the next day: `22:00-06:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Minutes after midnight at which it begins; less than a day.
    from: i16,
    /// Minutes after midnight at which it is over, never the same as `from`; if less, on the next day.
    to: i16,
}

impl Hours {
    /// From `from` minutes after midnight (0 to 1439) to `to` (0 to 1440), on the next day if that is earlier. `None`: out
    /// of range, or both the same.
    pub fn new(from: i16, to: i16) -> Option<Hours> {
        let sound = (0..DAY).contains(&from) && (0..=DAY).contains(&to) && from != to;
        // The midnight at the end of a day has one form here, however it was written.
        sound.then_some(Hours { from, to: if to == 0 { DAY } else { to } })
    }

    fn next_day(self) -> bool {
        self.to < self.from
    }
}

/// `08:00-18:00`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl Schedule {
    /// At these times of these days, week after week; all day if there are no times. What goes on after midnight
    /// belongs to the day it begins on.
    pub fn weekly(days: Days, times: Vec<Hours>, zone: TimeZone) -> Schedule {
        Schedule { when: When::Weekly { days, times }, zone }
    }

    /// Once, from the first moment on, up to the second. `None`: the second is not later.
    pub fn once(from: DateTime, to: DateTime, zone: TimeZone) -> Option<Schedule> {
        (from < to).then_some(Schedule { when: When::Once { from, to }, zone })
    }

    /// True if between `active` (always, if there are none) and `mute` no moment is left, as far as a year shows and
    /// the dates that are named.
    pub fn leave_nothing(active: &[Schedule], mute: &[Schedule]) -> bool {
        let all = || active.iter().chain(mute);
        let dates = |schedules: &[Schedule]| -> Vec<(Timestamp, Timestamp)> {
            schedules.iter().filter_map(Schedule::dates).collect()
        };
        let holds =
            |schedules: &[Schedule], at| schedules.iter().any(|schedule: &Schedule| schedule.contains(at));
        let is_left = |at| (active.is_empty() || holds(active, at)) && !holds(mute, at);
        let is_left_between = |from: Timestamp, to: Timestamp| {
            let next = |at: &Timestamp| all().filter_map(|schedule| schedule.next_change(*at)).min();
            let mut changes = std::iter::successors(Some(from), next).take_while(|at| *at < to);
            // Who writes more of them than this is believed.
            changes.by_ref().take(MOST_CHANGES).any(is_left) || changes.next().is_some()
        };
        // Behind all dates, where only the week counts: whatever clocks do in a year is seen.
        let dates_of_all = [dates(active), dates(mute)].concat();
        let behind =
            dates_of_all.iter().map(|(_, to)| *to).fold(Timestamp::from_secs(YEAR_2026), Timestamp::max);
        let week_is_left = is_left_between(behind, behind.plus(A_YEAR));
        !(week_is_left || dates(active).into_iter().any(|(from, to)| is_left_between(from, to)))
    }

    /// About from when to when, at most, if it holds once.
    fn dates(&self) -> Option<(Timestamp, Timestamp)> {
        let When::Once { from, to } = &self.when else { return None };
        let instant = |at: &DateTime, days: i64| {
            let at = at.checked_add(days.days()).ok()?.to_zoned(self.zone.clone()).ok()?;
            Some(Timestamp(at.timestamp().as_microsecond()))
        };
        Some((instant(from, -1)?, instant(to, 1)?))
    }

    /// True if it holds at that moment; never outside of the years -9999 to 9999.
    pub fn contains(&self, at: Timestamp) -> bool {
        let instant = jiff::Timestamp::from_microsecond(at.0);
        instant.is_ok_and(|instant| self.when.holds(self.zone.to_datetime(instant)))
    }

    /// That moment on the clock on the wall of its zone, with the day of the week: `Mon 2026-01-05 09:30 +01:00`.
    pub fn shown(&self, moment: Timestamp) -> String {
        match jiff::Timestamp::from_microsecond(moment.0) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime("%a %F %H:%M %:z").to_string(),
            Err(_) => moment.to_string(),
        }
    }

    /// The first moment after that one at which it begins or ends. `None`: there is none.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let mut at = jiff::Timestamp::from_microsecond(after.0).ok()?;
        let now = self.when.holds(self.zone.to_datetime(at));
        // Between two turns of the zone its clock goes on evenly, so that a time on the wall is one moment.
        loop {
            let offset = self.zone.to_offset(at);
            let wall = offset.to_datetime(at);
            let turn = self.zone.following(at).next().map(|turn| turn.timestamp());
            let change = self.when.next_change(wall, now);
            if change.is_none() && self.when.is_over(wall) {
                return None;
            }
            let change = change.and_then(|wall| offset.to_timestamp(wall).ok());
            if let Some(change) = change.filter(|change| turn.is_none_or(|turn| *change < turn)) {
                return Some(Timestamp(change.as_microsecond()));
            }
            at = turn?;
            if self.when.holds(self.zone.to_datetime(at)) != now {
                return Some(Timestamp(at.as_microsecond()));
            }
        }
    }
}

impl When {
    /// True if it holds when the clock shows `wall`.
    fn holds(&self, wall: DateTime) -> bool {
        match self {
            When::Once { from, to } => *from <= wall && wall < *to,
            When::Weekly { days, times } if times.is_empty() => days.has(wall.weekday()),
            When::Weekly { days, times } => {
                let minute = i16::from(wall.hour()) * 60 + i16::from(wall.minute());
                let today = days.has(wall.weekday());
                let yesterday = days.has(wall.weekday().previous());
                times.iter().any(|hours| match hours.next_day() {
                    false => today && (hours.from..hours.to).contains(&minute),
                    true => today && hours.from <= minute || yesterday && minute < hours.to,
                })
            }
        }
    }

    /// The first time after `wall` at which it holds if it does not hold `now`, or the other way round, on a clock that
    /// goes on evenly.
    fn next_change(&self, wall: DateTime, now: bool) -> Option<DateTime> {
        let changes = |at: &DateTime| *at > wall && self.holds(*at) != now;
        match self {
            When::Once { from, to } => [*from, *to].into_iter().find(changes),
            When::Weekly { times, .. } => {
                let mut minutes: Vec<i16> =
                    times.iter().flat_map(|hours| [hours.from, hours.to % DAY]).collect();
                minutes.push(0);
                minutes.sort_unstable();
                let days = (0..=8).map_while(|days| wall.date().checked_add(days.days()).ok());
                let each = |day: Date| minutes.iter().map(move |minute| at_minute(day, *minute));
                days.flat_map(each).find(changes)
            }
        }
    }

    /// True if no turn of the zone brings back what was before `wall`: no clock was ever put back by more than a day.
    fn is_over(&self, wall: DateTime) -> bool {
        match self {
            When::Weekly { .. } => true,
            When::Once { to, .. } => wall.checked_sub(2.days()).is_ok_and(|earlier| earlier > *to),
        }
    }
}

/// So many minutes after the midnight that a day begins with.
pub(super) fn at_minute(day: Date, minute: i16) -> DateTime {
    day.at(0, 0, 0, 0).saturating_add(i64::from(minute).minutes())
}

/// As it is written, with the zone that is meant.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Weekly { days, times } => {
                let mut separator = "";
                if *days != Days::ALL || times.is_empty() {
                    write!(f, "{days}")?;
                    separator = " ";
                }
                for hours in times {
                    write!(f, "{separator}{hours}")?;
                    separator = ",";
                }
            }
            When::Once { from, to } => {
                let minutes = |at: &DateTime| at.strftime("%Y-%m-%dT%H:%M").to_string();
                write!(f, "{} - {}", minutes(from), minutes(to))?;
            }
        }
        self.zone.iana_name().map_or(Ok(()), |zone| write!(f, " {zone}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::Weekday::{self, Friday, Monday, Sunday, Thursday};
    use jiff::tz::TimeZoneDatabase;
    use proptest::prelude::*;

    use crate::rule::Rule;

    fn zone(name: &str) -> TimeZone {
        TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn hours(from: i16, to: i16) -> Hours {
        Hours::new(from, to).unwrap()
    }

    fn instant(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    /// All changes after the first moment and before the second, as the zone shows them.
    fn check(schedule: &Schedule, from: &str, to: &str, expected: &[&str]) {
        let mut at = instant(from);
        let mut inside = schedule.contains(at);
        let mut changes = Vec::new();
        while let Some(change) = schedule.next_change(at).filter(|change| *change < instant(to)) {
            assert!(change > at, "{schedule}: {change} does not lie after {at}");
            inside = !inside;
            assert_eq!(schedule.contains(change), inside, "{schedule}: at {change}");
            assert_eq!(schedule.contains(Timestamp(change.0 - 1)), !inside, "{schedule}: before {change}");
            let shown = jiff::Timestamp::from_microsecond(change.0).unwrap().to_zoned(schedule.zone.clone());
            changes.push(shown.strftime("%a %d %H:%M %z").to_string());
            at = change;
        }
        assert_eq!(changes, expected, "{schedule}");
    }

    #[test]
    fn a_week_goes_round() {
        let berlin = zone("Europe/Berlin");
        let office = Schedule::weekly(Days::between(Monday, Friday), vec![hours(480, 1080)], berlin.clone());
        let (from, to) = ("2026-01-08T12:00:00Z", "2026-01-12T12:00:00Z");
        check(
            &office,
            from,
            to,
            &["Thu 08 18:00 +0100", "Fri 09 08:00 +0100", "Fri 09 18:00 +0100", "Mon 12 08:00 +0100"],
        );
        let weekend = Schedule::weekly(Days::between(Friday, Sunday), Vec::new(), berlin.clone());
        check(&weekend, from, to, &["Fri 09 00:00 +0100", "Mon 12 00:00 +0100"]);
        // What begins on Friday evening goes on into Saturday, and Monday has no morning of it.
        let nights =
            Schedule::weekly(Days::between(Thursday, Friday), vec![hours(1320, 360)], berlin.clone());
        check(
            &nights,
            from,
            to,
            &["Thu 08 22:00 +0100", "Fri 09 06:00 +0100", "Fri 09 22:00 +0100", "Sat 10 06:00 +0100"],
        );
        let split = vec![hours(0, 720), hours(720, 1440)];
        let always = Schedule::weekly(Days::ALL, split, berlin);
        check(&always, from, to, &[]);
        assert!(always.contains(instant(from)));
    }

    #[test]
    fn a_time_that_is_skipped_begins_where_the_clock_goes_on() {
        let berlin = zone("Europe/Berlin");
        let from_the_gap = Schedule::weekly(Days::ALL, vec![hours(150, 240)], berlin.clone());
        let (from, to) = ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z");
        check(&from_the_gap, from, to, &["Sun 29 03:00 +0200", "Sun 29 04:00 +0200"]);
        let to_the_gap = Schedule::weekly(Days::ALL, vec![hours(90, 150)], berlin.clone());
        check(&to_the_gap, from, to, &["Sun 29 01:30 +0100", "Sun 29 03:00 +0200"]);
        let inside = Schedule::weekly(Days::between(Sunday, Sunday), vec![hours(120, 180)], berlin);
        check(&inside, from, "2026-04-05T12:00:00Z", &["Sun 05 02:00 +0200", "Sun 05 03:00 +0200"]);
        let apia = Schedule::weekly(Days::between(Friday, Friday), Vec::new(), zone("Pacific/Apia"));
        check(
            &apia,
            "2011-12-29T00:00:00Z",
            "2012-01-08T00:00:00Z",
            &["Fri 06 00:00 +1400", "Sat 07 00:00 +1400"],
        );
    }

    #[test]
    fn a_time_that_comes_twice_holds_twice() {
        let berlin = zone("Europe/Berlin");
        let (from, to) = ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z");
        let around = Schedule::weekly(Days::ALL, vec![hours(60, 240)], berlin.clone());
        check(&around, from, to, &["Sun 25 01:00 +0200", "Sun 25 04:00 +0100"]);
        let inside = Schedule::weekly(Days::ALL, vec![hours(120, 150)], berlin.clone());
        let both = ["Sun 25 02:00 +0200", "Sun 25 02:30 +0200", "Sun 25 02:00 +0100", "Sun 25 02:30 +0100"];
        check(&inside, from, to, &both);
        let once =
            Schedule::once("2026-10-24T20:00".parse().unwrap(), "2026-10-25T02:30".parse().unwrap(), berlin);
        let twice = ["Sat 24 20:00 +0200", "Sun 25 02:30 +0200", "Sun 25 02:00 +0100", "Sun 25 02:30 +0100"];
        check(&once.unwrap(), from, to, &twice);
        let lord_howe = Schedule::weekly(Days::ALL, vec![hours(90, 105)], zone("Australia/Lord_Howe"));
        let both = ["Sun 05 01:30 +1100", "Sun 05 01:45 +1100", "Sun 05 01:30 +1030", "Sun 05 01:45 +1030"];
        check(&lord_howe, "2026-04-04T12:00:00Z", "2026-04-05T00:00:00Z", &both);
    }

    #[test]
    fn once_is_over_for_ever() {
        let once = |from: &str, to: &str| {
            let berlin = zone("Europe/Berlin");
            Schedule::once(from.parse().unwrap(), to.parse().unwrap(), berlin)
        };
        let feast = once("2036-12-24T00:00", "2036-12-27T00:00").unwrap();
        let changes = ["Wed 24 00:00 +0100", "Sat 27 00:00 +0100"];
        check(&feast, "2026-07-01T00:00:00Z", "2999-01-01T00:00:00Z", &changes);
        assert_eq!(once("2036-12-24T00:00", "2036-12-24T00:00"), None);
    }

    #[test]
    fn no_moment_is_too_far() {
        let office = Schedule::weekly(Days::between(Monday, Friday), vec![hours(480, 1080)], TimeZone::UTC);
        for at in [
            Timestamp::MIN,
            Timestamp::MAX,
            instant("9999-12-30T22:00:00Z"),
            Timestamp::from_secs(-377_705_023_201),
        ] {
            office.contains(at);
            office.next_change(at);
        }
    }

    #[test]
    fn hours_are_some_of_a_day() {
        for (from, to) in [(480, 480), (0, 0), (1440, 60), (0, 1441), (-1, 5)] {
            assert_eq!(Hours::new(from, to), None, "{from}-{to}");
        }
        assert_eq!(Hours::new(1320, 0), Hours::new(1320, 1440));
    }

    #[test]
    fn a_rule_is_muted_outside_of_active_and_inside_of_mute() {
        let weekly = |from, to| Schedule::weekly(Days::ALL, vec![hours(from, to)], TimeZone::UTC);
        let mut rule = Rule::bare("r");
        let changes = |rule: &Rule| {
            let mut at = instant("2026-01-05T00:00:00Z");
            let mut changes = vec![format!("{}", rule.is_muted(at))];
            while let Some(next) =
                rule.next_mute_change(at).filter(|next| *next < instant("2026-01-06T00:00:00Z"))
            {
                assert_ne!(rule.is_muted(at), rule.is_muted(next), "{next}");
                changes.push(next.to_string()[11..16].to_owned());
                at = next;
            }
            changes.join(" ")
        };
        assert_eq!(changes(&rule), "false");
        rule.mute = vec![weekly(600, 660)];
        assert_eq!(changes(&rule), "false 10:00 11:00");
        // Two that follow on each other are one.
        rule.active = vec![weekly(480, 720), weekly(720, 1080)];
        assert_eq!(changes(&rule), "true 08:00 10:00 11:00 18:00");
        rule.mute.clear();
        rule.active.push(weekly(0, 1440));
        assert_eq!(changes(&rule), "false");
    }

    #[test]
    fn schedules_of_several_zones_leave_what_no_clock_covers() {
        let daily = |from, to, name| Schedule::weekly(Days::ALL, vec![hours(from, to)], zone(name));
        let leaves = |active: &[Schedule], mute: &[Schedule]| !Schedule::leave_nothing(active, mute);
        let (berlin, tokyo) = ("Europe/Berlin", "Asia/Tokyo");
        // Eight hours apart in winter, seven in summer.
        assert!(leaves(&[daily(480, 540, berlin)], &[daily(960, 1020, tokyo)]));
        assert!(leaves(&[daily(480, 540, berlin)], &[daily(900, 960, tokyo)]));
        assert!(!leaves(&[daily(480, 540, berlin)], &[daily(900, 1020, tokyo)]));
        let once = |from: &str, to: &str| {
            Schedule::once(from.parse().unwrap(), to.parse().unwrap(), zone(berlin)).unwrap()
        };
        // A year of quiet ends.
        assert!(leaves(&[], &[once("2026-01-01T00:00", "2027-06-01T00:00")]));
        assert!(leaves(&[once("2030-01-01T00:00", "2030-01-02T00:00")], &[]));
        assert!(leaves(
            &[once("2030-01-01T00:00", "2030-01-02T00:00")],
            &[once("2030-01-01T00:00", "2030-01-01T23:59")]
        ));
        assert!(!leaves(
            &[once("2030-01-01T00:00", "2030-01-02T00:00")],
            &[once("2029-12-31T00:00", "2030-01-02T00:00")]
        ));
    }

    /// What a calendar of paper says: each day with all that begins on it.
    fn naive(days: Days, times: &[(i16, i16)], zone: &TimeZone, at: jiff::Timestamp) -> bool {
        let wall = zone.to_datetime(at);
        [wall.date().yesterday().unwrap(), wall.date()].into_iter().any(|day| {
            let at = |minutes: i16| day.at(0, 0, 0, 0) + i64::from(minutes).minutes();
            let goes_on = |(from, to): &(i16, i16)| if to <= from { to + DAY } else { *to };
            days.has(day.weekday())
                && times.iter().any(|range| at(range.0) <= wall && wall < at(goes_on(range)))
        })
    }

    const ZONES: [(&str, &[&str]); 5] = [
        ("Europe/Berlin", &["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2026-06-01T00:00:00Z"]),
        ("America/New_York", &["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"]),
        ("Australia/Lord_Howe", &["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]),
        ("Asia/Kathmandu", &["1985-12-31T18:30:00Z", "2026-01-01T00:00:00Z"]),
        ("Pacific/Apia", &["2011-12-30T10:00:00Z", "2012-03-31T14:00:00Z"]),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(1000) / 4))]

        #[test]
        fn a_week_hour_by_hour_shows_whether_a_moment_is_left(
            active in prop::collection::vec((0..7_i8, 0..7_i8, 0..6_i16, 0..=6_i16), 0..3),
            mute in prop::collection::vec((0..7_i8, 0..7_i8, 0..6_i16, 0..=6_i16), 0..4),
        ) {
            let day = |offset| Weekday::from_monday_zero_offset(offset).unwrap();
            let made = |all: &[(i8, i8, i16, i16)]| -> Vec<Schedule> {
                let times = |from: i16, to: i16| Hours::new(from * 240, to * 240).into_iter().collect();
                let one = |(first, last, from, to): &(i8, i8, i16, i16)| {
                    Schedule::weekly(Days::between(day(*first), day(*last)), times(*from, *to), TimeZone::UTC)
                };
                all.iter().map(one).collect()
            };
            let mut rule = Rule::bare("r");
            (rule.active, rule.mute) = (made(&active), made(&mute));
            let monday = instant("2026-01-05T00:00:00Z");
            let left = (0..7 * 24).any(|hour| !rule.is_muted(Timestamp(monday.0 + hour * 3_600_000_000)));
            prop_assert_eq!(Schedule::leave_nothing(&rule.active, &rule.mute), !left);
        }

        #[test]
        fn a_walk_minute_by_minute_finds_the_same_changes(
            which in 0..ZONES.len(), place in any::<prop::sample::Index>(), before in 0..4000_i64,
            first in 0..7_i8, last in 0..7_i8, times in prop::collection::vec((0..96_i16, 0..=96_i16), 1..4),
        ) {
            let (name, places) = ZONES[which];
            let zone = zone(name);
            let near: jiff::Timestamp = places[place.index(places.len())].parse().unwrap();
            let day = |offset| Weekday::from_monday_zero_offset(offset).unwrap();
            let days = Days::between(day(first), day(last));
            let times: Vec<(i16, i16)> = times.into_iter().map(|(from, to)| (from * 15, to * 15))
                .filter(|(from, to)| from != to && *from < DAY).collect();
            prop_assume!(!times.is_empty());
            let schedule = Schedule::weekly(
                days, times.iter().map(|(from, to)| hours(*from, *to)).collect(), zone.clone(),
            );
            let start = near - before.minutes();
            let was = naive(days, &times, &zone, start);
            prop_assert_eq!(schedule.contains(Timestamp(start.as_microsecond())), was, "{}", schedule);
            let mut walk = (1..11 * 24 * 60_i64).map(|minutes| start + minutes.minutes());
            let change = walk.find(|at| naive(days, &times, &zone, *at) != was);
            let next = schedule.next_change(Timestamp(start.as_microsecond()));
            let change = change.map(|at| Timestamp(at.as_microsecond()));
            if change.is_some() || next.is_some_and(|next| next.0 < (start + (11 * 24).hours()).as_microsecond()) {
                prop_assert_eq!(next, change, "{} after {}", schedule, start);
            }
        }
    }
}
