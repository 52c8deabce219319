//! What has to come by a time, from outside; and against a naive oracle.

use jiff::tz::TimeZoneDatabase;
use jiff::{ToSpan, civil};

use super::*;
use crate::rule::{Days, Deadline, Deadlines, Flap};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Half past two, every day, as the epoch counts days.
const DUE: i64 = 2 * HOUR + 30 * MINUTE;

/// A rule that misses each key that has not come by 02:30 UTC, and badly more than two hours later.
fn due(within: Option<i64>, expect: &[&str]) -> Rule {
    let deadline = Deadline::new(Days::ALL, 150, TimeZone::UTC).unwrap();
    let within = within.map(|within| secs(within as u64));
    let level = |op, than| Some(Comparison { op, than });
    Rule {
        deadlines: Some(Deadlines { each: vec![deadline], within }),
        ladder: [None, level(Op::AtLeast, 0.0), level(Op::Above, 7200.0)],
        summary: Template(vec![
            Segment::Value(Value::Deadline),
            Segment::Text(" ".into()),
            Segment::Value(Value::Value),
        ]),
        ..missing(expect)
    }
}

/// What was said, each once: what is decided late is told when it is.
fn firm(bench: &Bench) -> Vec<(i64, &str, &str)> {
    let mut said = said(bench);
    said.dedup();
    said
}

/// What is said of lines of the key `a` at these times, by a rule that is first in force at 0.
fn check(rule: Rule, lines: &[i64], until: i64, expected: &[(i64, &str)]) {
    let mut bench = Bench::new(vec![rule]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    for time in lines {
        bench.ring_before(*time);
        bench.line(*time, "a", MatchKind::Match);
    }
    bench.run_until(until);
    let expected: Vec<_> = expected.iter().map(|(time, status)| (*time, "a", *status)).collect();
    assert_eq!(said(&bench), expected, "{lines:?}");
}

#[test]
fn what_has_not_come_by_its_deadline_is_missed_until_it_comes() {
    // It came in time, once on the last moment; then not at all.
    check(
        due(None, &[]),
        &[HOUR, DAY + DUE],
        3 * DAY,
        &[(2 * DAY + DUE, "warning"), (2 * DAY + DUE + 2 * HOUR, "critical")],
    );
    // It came late, and that counts for the next deadline too.
    check(
        due(None, &[]),
        &[HOUR, DAY + 3 * HOUR],
        3 * DAY,
        &[(DAY + DUE, "warning"), (DAY + 3 * HOUR, "ok")],
    );
    // What is missed is late by the first deadline that it missed.
    let worse = [
        (DAY + DUE, "warning"),
        (DAY + DUE + 2 * HOUR, "critical"),
        (3 * DAY, "ok"),
        (4 * DAY + DUE, "warning"),
    ];
    check(due(None, &[]), &[HOUR, 3 * DAY], 4 * DAY + 3 * HOUR, &worse);
}

#[test]
fn what_comes_too_early_has_not_come() {
    let four = Some(4 * HOUR);
    check(due(four, &[]), &[HOUR, DAY - HOUR], DAY + 3 * HOUR, &[]);
    check(due(four, &[]), &[HOUR, DAY - 2 * HOUR], DAY + 3 * HOUR, &[(DAY + DUE, "warning")]);
    // It ends what was missed, and does not count for the next deadline.
    let late = [(DAY + DUE, "warning"), (DAY + 3 * HOUR, "ok"), (2 * DAY + DUE, "warning")];
    check(due(four, &[]), &[HOUR, DAY + 3 * HOUR], 2 * DAY + 3 * HOUR, &late);
}

#[test]
fn what_is_expected_is_due_from_the_first_deadline_on() {
    check(due(None, &["a"]), &[], 3 * HOUR, &[(DUE, "warning")]);
    check(due(None, &["a"]), &[HOUR], 3 * HOUR, &[]);
    // Nobody waits for what was never seen.
    check(due(None, &[]), &[], 3 * DAY, &[]);
}

#[test]
fn what_nobody_expects_is_forgotten_after_ten_deadlines() {
    let until_then = [(DAY + DUE, "warning"), (DAY + DUE + 2 * HOUR, "critical")];
    let forgotten = [until_then[0], until_then[1], (10 * DAY + DUE, "ok")];
    check(due(None, &[]), &[HOUR], 20 * DAY, &forgotten);
    check(due(None, &["a"]), &[HOUR], 20 * DAY, &until_then);
    // What is remembered of it for an hour wakes it up once more.
    let flap = Some(Flap { changes: 4, within: secs(HOUR as u64) });
    check(Rule { flap, ..due(None, &[]) }, &[HOUR], 20 * DAY, &forgotten);
    // A level that begins later is waited for all the same.
    let mut patient = due(None, &[]);
    patient.ladder = [None, Some(Comparison { op: Op::AtLeast, than: (12 * DAY) as f64 }), None];
    check(patient, &[HOUR], 200 * DAY, &[(13 * DAY + DUE, "warning"), (121 * DAY + DUE, "ok")]);
}

#[test]
fn no_deadline_is_missed_while_a_file_may_still_have_the_line() {
    let mut bench = Bench::new(vec![due(None, &["a", "b"])]);
    bench.engine.opened(FileId(2), &SourceName::new("s"), Path::new("/y").into());
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.engine.phase(FileId(2), Phase::AtEnd, at(0));
    bench.engine.tick(at(0));
    bench.engine.phase(FileId(2), Phase::Behind, at(HOUR));
    bench.run_until(3 * HOUR);
    assert_eq!(said(&bench), []);
    bench.backlog(FileId(2), &[(2 * HOUR, "a")], 3 * HOUR);
    bench.engine.phase(FileId(2), Phase::Unreadable, at(3 * HOUR));
    bench.run_until(4 * HOUR);
    assert_eq!(said(&bench), []);
    bench.engine.phase(FileId(2), Phase::AtEnd, at(4 * HOUR));
    bench.run_until(4 * HOUR);
    assert_eq!(firm(&bench), [(DUE, "b", "warning")]);
}

#[test]
fn a_line_that_came_by_the_deadline_and_is_read_later_ends_the_alert() {
    let mut bench = Bench::new(vec![due(None, &["a"])]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.run_until(DUE + 10);
    let hit = bench.hit(FILE, MatchKind::Match, DUE - 5, "a");
    let arrival = Arrival { at: Some(at(DUE + 11)), modified: at(DUE + 11), skew_us: 0 };
    bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, at(DUE + 11));
    bench.run_until(DAY + HOUR);
    assert_eq!(said(&bench), [(DUE, "a", "warning"), (DUE, "a", "ok")]);
}

#[test]
fn a_deadline_that_passes_while_nobody_runs_is_missed_at_the_next_start() {
    let rule = || due(None, &["a"]);
    let mut bench = Bench::new(vec![rule()]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.line(HOUR, "a", MatchKind::Match);
    let mut again = Bench::resume(vec![rule()], bench.rows, at(DAY + 8 * HOUR));
    again.engine.phase(FILE, Phase::AtEnd, at(DAY + 8 * HOUR));
    again.run_until(DAY + 8 * HOUR);
    assert_eq!(said(&again)[..1], [(DAY + DUE, "a", "warning")]);
    let tells = [Tell::Stale, Tell::Stale, Tell::IfOther];
    assert_eq!(again.tells, tells, "told once, as it is when it is told");
}

#[test]
fn texts_name_the_deadline_as_its_zone_shows_it() {
    let berlin = TimeZoneDatabase::bundled().get("Europe/Berlin").unwrap();
    let mut rule = due(None, &["a"]);
    let deadline = Deadline::new(Days::ALL, 150, berlin).unwrap();
    rule.deadlines = Some(Deadlines { each: vec![deadline], within: None });
    let mut bench = Bench::new(vec![rule]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.engine.tick(at(4 * HOUR));
    let now = |emitted: &Emitted| emitted.tell == Tell::Stale;
    let summaries: Vec<String> = bench
        .engine
        .take()
        .transitions
        .into_iter()
        .filter(now)
        .map(|emitted| emitted.transition.summary)
        .collect();
    assert_eq!(summaries, ["1970-01-01T02:30:00+01:00 0s", "1970-01-01T02:30:00+01:00 2h"]);
}

#[test]
fn another_deadline_is_held_against_what_was_seen() {
    let mut bench = Bench::new(vec![due(None, &["a"])]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.run_until(3 * HOUR);
    let mut later = due(None, &["a"]);
    let deadline = Deadline::new(Days::ALL, 240, TimeZone::UTC).unwrap();
    later.deadlines = Some(Deadlines { each: vec![deadline], within: None });
    later.condition_digest = [1; 16];
    bench.engine.adopt(Arc::new(Ruleset { rules: vec![later] }), timings(), at(3 * HOUR));
    bench.run_until(5 * HOUR);
    assert_eq!(firm(&bench), [(DUE, "a", "warning"), (DUE, "a", "ok"), (4 * HOUR, "a", "warning")]);
}

#[test]
fn what_was_resolved_by_hand_is_due_at_the_next_deadline() {
    let both = |lines: &[i64], expected: &[(i64, &str)]| {
        for (within, restart) in [(None, false), (Some(4 * HOUR), true)] {
            let mut bench = Bench::new(vec![due(within, &[])]);
            bench.engine.phase(FILE, Phase::AtEnd, at(0));
            bench.line(HOUR, "a", MatchKind::Match);
            bench.run_until(DAY + 3 * HOUR);
            let open: Vec<_> = bench.engine.open_alerts().map(|alert| alert.key.clone()).collect();
            bench.engine.resolve(&open, at(DAY + 3 * HOUR));
            bench.collect();
            if restart {
                let said = std::mem::take(&mut bench.said);
                let again = Bench::resume(vec![due(within, &[])], bench.rows, at(DAY + 3 * HOUR));
                bench = Bench { said, offset: bench.offset, ..again };
                bench.engine.phase(FILE, Phase::AtEnd, at(DAY + 3 * HOUR));
            }
            for time in lines {
                bench.ring_before(*time);
                bench.line(*time, "a", MatchKind::Match);
            }
            bench.run_until(2 * DAY + 3 * HOUR);
            let said: Vec<_> = bench.said.iter().map(|(time, _, status)| (*time, *status)).collect();
            assert_eq!(said, expected, "{within:?} {lines:?}");
        }
    };
    let first = [(DAY + DUE, "warning"), (DAY + 3 * HOUR, "ok")];
    both(&[2 * DAY + HOUR], &first);
    both(&[], &[first[0], first[1], (2 * DAY + DUE, "warning")]);
}

/// Zones with a moment around which something happens to their clocks.
const PLACES: [(&str, &str); 6] = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "2026-06-01T00:00:00Z"),
];

#[derive(Clone, Debug)]
struct Case {
    place: usize,
    /// Minutes between the beginning and the moment of the place.
    before: i64,
    /// First and last day, and the minute of the day.
    deadlines: Vec<(i8, i8, i16)>,
    within: Option<i64>,
    levels: (i64, i64),
    expected: bool,
    /// Minutes after the beginning.
    lines: Vec<i64>,
    /// The process is killed after so many lines, and is back so many minutes later.
    kill: (usize, i64),
    until: i64,
}

fn case() -> impl Strategy<Value = Case> {
    // Clocks are changed in the small hours.
    let time = prop_oneof![0..=24i16, 1..4i16];
    let deadlines = prop::collection::vec((0..7i8, 0..7i8, time), 1..4);
    let levels = (prop_oneof![Just(0), 0..600i64], 1..3000i64);
    let gaps = prop::collection::vec(prop_oneof![0..3i64, 10..40i64, 50..120i64], 0..7);
    let flags = (any::<bool>(), 0..2i64);
    let times = (0..100i64, prop::option::of(1..33i64), (0..7usize, 0..50i64));
    (0..PLACES.len(), deadlines, levels, gaps, flags, times).prop_map(
        |(place, deadlines, levels, gaps, (expected, odd), (before, within, kill))| {
            let mut now = 0;
            // All of it happens at whole hours, so that things meet; or the lines come a little later each time.
            let mut hours = |gap: &i64| {
                now += gap * 60 + gap % 60 * odd;
                now
            };
            let lines: Vec<i64> = gaps.iter().map(&mut hours).collect();
            let deadlines =
                deadlines.into_iter().map(|(first, last, hour)| (first, last, hour * 60)).collect();
            let within = within.map(|hours| hours * 60);
            let kill = (kill.0, kill.1 * 60);
            let until = now + 9000;
            Case { place, before: before * 60, deadlines, within, levels, expected, lines, kill, until }
        },
    )
}

impl Case {
    fn zone(&self) -> TimeZone {
        TimeZoneDatabase::bundled().get(PLACES[self.place].0).unwrap()
    }

    fn begin(&self) -> i64 {
        let near: jiff::Timestamp = PLACES[self.place].1.parse().unwrap();
        near.as_second() - self.before * MINUTE
    }

    fn days(first: i8, last: i8) -> Days {
        let day = |day| civil::Weekday::from_monday_zero_offset(day).unwrap();
        Days::between(day(first), day(last))
    }

    fn rule(&self) -> Rule {
        let one = |(first, last, minute): &(i8, i8, i16)| {
            Deadline::new(Case::days(*first, *last), *minute, self.zone()).unwrap()
        };
        let level = |minutes: i64| Some(Comparison { op: Op::AtLeast, than: (minutes * MINUTE) as f64 });
        Rule {
            deadlines: Some(Deadlines {
                each: self.deadlines.iter().map(one).collect(),
                within: self.within.map(|minutes| secs((minutes * MINUTE) as u64)),
            }),
            ladder: [None, level(self.levels.0), level(self.levels.0 + self.levels.1)],
            ..due(None, if self.expected { &["a"] } else { &[] })
        }
    }

    /// Walks minute by minute, looks at the clock on the wall, and remembers what it has to.
    fn oracle(&self) -> Vec<(i64, &'static str)> {
        let zone = self.zone();
        let wall = |minute: i64| {
            zone.to_datetime(jiff::Timestamp::from_second(self.begin() + minute * MINUTE).unwrap())
        };
        // For each deadline the next time on the wall that has not come yet.
        let shown_before = (0..=1500).map(|back| wall(-back)).max().unwrap();
        let mut waiting: Vec<(Days, civil::DateTime)> = Vec::new();
        for (first, last, minute) in &self.deadlines {
            let mut next =
                shown_before.date().yesterday().unwrap().at(0, 0, 0, 0) + i64::from(*minute).minutes();
            while next <= shown_before {
                next += 1.day();
            }
            waiting.push((Case::days(*first, *last), next));
        }
        // The end of a day belongs to the day.
        let day_of = |next: civil::DateTime, minute: i16| (next - i64::from(minute).minutes()).weekday();
        let (mut seen, mut missed, mut times): (Vec<i64>, Option<i64>, i64) = (Vec::new(), None, 0);
        let mut before = i64::MIN;
        let mut shown = "ok";
        let mut said = Vec::new();
        for now in 1..=self.until {
            if self.lines.contains(&now) {
                seen.push(now);
                missed = None;
            }
            let mut is_due = false;
            let clock = wall(now);
            for ((days, next), (_, _, minute)) in waiting.iter_mut().zip(&self.deadlines) {
                while *next <= clock {
                    is_due |= days.has(day_of(*next, *minute));
                    *next += 1.day();
                }
            }
            if is_due {
                // At most so long before it, or after the one before.
                let from = self.within.map_or(before + 1, |within| now - within);
                before = now;
                let watched = self.expected || !seen.is_empty();
                if watched && !seen.iter().any(|seen| *seen >= from) {
                    times = if missed.is_some() { times + 1 } else { 1 };
                    missed.get_or_insert(now);
                }
            }
            let late = missed.map(|from| now - from);
            let worst = self.levels.0 + self.levels.1;
            if !self.expected && times >= 10 && late.is_some_and(|late| late >= worst * 10) {
                (missed, seen) = (None, Vec::new());
            }
            let status = match missed.map(|from| now - from) {
                Some(late) if late >= worst => "critical",
                Some(late) if late >= self.levels.0 => "warning",
                _ => "ok",
            };
            if status != shown {
                said.push((now, status));
                shown = status;
            }
        }
        said
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(20_000) / 2))]

    #[test]
    fn deadlines_are_missed_as_an_oracle_sees_minute_by_minute(case in case()) {
        let begin = case.begin();
        let time = |minute: i64| begin + minute * MINUTE;
        let mut bench = Bench::resume(vec![case.rule()], Saved::default(), at(begin));
        bench.engine.phase(FILE, Phase::AtEnd, at(begin));
        bench.engine.tick(at(begin));
        for (n, minute) in case.lines.iter().enumerate().filter(|(_, minute)| **minute > 0) {
            if n == case.kill.0 {
                let back = at(time((minute - 1).min(case.lines[n.saturating_sub(1)] + case.kill.1)));
                bench.collect();
                let (said, rows, offset) = (bench.said, bench.rows, bench.offset);
                bench = Bench::resume(vec![case.rule()], rows, back);
                bench.engine.phase(FILE, Phase::AtEnd, back);
                (bench.said, bench.offset) = (said, offset);
            }
            bench.line(time(*minute), "a", MatchKind::Match);
        }
        bench.run_until(time(case.until));
        let said: Vec<_> = bench.said.iter().map(|(time, _, status)| ((time - begin) / MINUTE, *status)).collect();
        // Several levels may be passed within one minute, which the oracle does not see.
        let mut last: Vec<(i64, &'static str)> = Vec::new();
        for (minute, status) in said {
            if last.last().is_some_and(|(known, _)| *known == minute) { last.pop(); }
            if last.last().map_or("ok", |(_, known)| known) != status { last.push((minute, status)); }
        }
        prop_assert_eq!(last, case.oracle());
    }
}
