//! Too few matches in a window, from outside; and against a naive oracle.

use super::*;

const WITHIN: i64 = 60;

/// A rule with one key that wants three matches a minute.
fn few(expected: bool) -> Rule {
    Rule {
        expect: if expected { vec![Vec::new()] } else { Vec::new() },
        ..measured(Measure::Count, WITHIN as u64, Op::Below, 3.0)
    }
}

/// What is said of lines at these times, by a rule that is first in force at 0.
#[track_caller]
fn check(rule: Rule, lines: &[i64], until: i64, expected: &[(i64, &str)]) {
    let mut bench = started(rule);
    lines.iter().for_each(|time| bench.line(*time, "1", MatchKind::Match));
    bench.run_until(until);
    assert_eq!(times(&bench), expected, "{lines:?}");
}

fn started(rule: Rule) -> Bench {
    let mut bench = Bench::new(vec![rule]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.run_until(0);
    bench
}

fn times(bench: &Bench) -> Vec<(i64, &'static str)> {
    bench.said.iter().map(|(time, _, status)| (*time, *status)).collect()
}

#[test]
fn too_few_are_missed_when_a_line_leaves_and_never_before_a_whole_window_was_seen() {
    // The one at 10 leaves at 70, and is one of three.
    check(few(false), &[10, 30, 50], 100, &[(70, "warning")]);
    check(few(false), &[10, 30, 50, 69], 89, &[]);
    // Two are too few from the end of the first window on.
    check(few(false), &[10, 30], 69, &[]);
    check(few(false), &[10, 30], 100, &[(70, "warning")]);
    // Three are enough, at the very moment at which they are three.
    check(few(false), &[10, 40, 80, 90], 99, &[(70, "warning"), (90, "ok")]);
    check(few(false), &[10, 40, 80, 90], 200, &[(70, "warning"), (90, "ok"), (100, "warning")]);
}

#[test]
fn what_leaves_and_comes_in_one_moment_is_as_many_as_before() {
    check(few(false), &[10, 10, 10, 70, 70, 70], 129, &[]);
    check(few(false), &[10, 10, 10, 70, 70], 129, &[(70, "warning")]);
}

#[test]
fn nothing_at_all_is_few_where_something_is_expected() {
    check(few(true), &[], 10_000, &[(60, "warning")]);
    check(few(true), &[5, 10, 15], 64, &[]);
    check(few(false), &[], 10_000, &[]);
}

#[test]
fn what_nobody_expects_is_forgotten_when_its_window_was_empty_for_ten_times_its_length() {
    let end = 10 + WITHIN + 10 * WITHIN;
    check(few(false), &[10], 100_000, &[(70, "warning"), (end, "ok")]);
    // Seen again it is seen for the first time.
    let again = [(70, "warning"), (end, "ok"), (end + 70, "warning")];
    check(few(false), &[10, end + 10], end + 100, &again);
    check(few(true), &[10], 100_000, &[(60, "warning")]);
}

#[test]
fn few_for_a_while_are_told_when_the_while_is_over() {
    let held = Rule { hold: secs(20), ..few(false) };
    check(held.clone(), &[10, 30, 50], 100, &[(90, "warning")]);
    check(held, &[10, 30, 50, 85, 86], 100, &[]);
}

#[test]
fn enough_ends_what_silence_never_ends() {
    let never = Rule { resolve_after: None, ..few(true) };
    check(never, &[70, 71, 72], 100, &[(60, "warning"), (72, "ok")]);
    let band =
        Rule { resolve_after: None, clear: Some(Comparison { op: Op::AtLeast, than: 4.0 }), ..few(true) };
    check(band, &[70, 71, 72, 80], 100, &[(60, "warning"), (80, "ok")]);
}

#[test]
fn nothing_is_few_while_a_file_of_the_source_is_behind_or_unreadable() {
    let mut bench = Bench::new(vec![few(true)]);
    bench.engine.opened(FileId(2), &SourceName::new("s"), Path::new("/y").into());
    for file in [FILE, FileId(2)] {
        bench.engine.phase(file, Phase::AtEnd, at(0));
    }
    bench.engine.tick(at(0));
    bench.engine.phase(FileId(2), Phase::Behind, at(10));
    bench.run_until(100);
    assert_eq!(times(&bench), []);
    bench.backlog(FileId(2), &[(50, "1"), (55, "1"), (58, "1")], 100);
    bench.engine.phase(FileId(2), Phase::Unreadable, at(100));
    bench.run_until(200);
    assert_eq!(times(&bench), []);
    bench.engine.phase(FileId(2), Phase::AtEnd, at(200));
    bench.run_until(200);
    assert_eq!(times(&bench), [(110, "warning")]);
}

#[test]
fn an_alert_about_few_stays_open_when_its_condition_changes_until_it_can_be_told() {
    let changed = |than: f64| Rule {
        condition_digest: [1; 16],
        ladder: [None, Some(Comparison { op: Op::Below, than }), None],
        ..few(true)
    };
    for (than, said) in [(2.0, &[(60, "warning"), (160, "ok")][..]), (9.0, &[(60, "warning")])] {
        let mut bench = started(few(true));
        bench.run_until(100);
        bench.engine.adopt(Arc::new(Ruleset { rules: vec![changed(than)] }), timings(), at(100));
        [120, 140].into_iter().for_each(|time| bench.line(time, "1", MatchKind::Match));
        bench.run_until(170);
        assert_eq!(times(&bench), said, "{than}");
    }
}

#[test]
fn what_was_few_and_is_resolved_by_hand_is_counted_for_a_whole_window_first() {
    let mut bench = started(few(true));
    bench.run_until(100);
    let open: Vec<_> = bench.engine.open_alerts().map(|alert| alert.key.clone()).collect();
    bench.engine.resolve(&open, at(100));
    bench.collect();
    bench.run_until(1000);
    assert_eq!(times(&bench), [(60, "warning"), (100, "ok"), (160, "warning")]);
}

#[derive(Clone, Debug)]
struct Case {
    measure: usize,
    within: i64,
    quiet: Option<i64>,
    hold: i64,
    /// Of `warning` and `critical`, with the operator of both.
    levels: (i64, i64, Op),
    clear: Option<i64>,
    expected: bool,
    /// When, and which text or number.
    lines: Vec<(i64, i64)>,
    /// The process is killed after so many lines, and is back so many seconds later.
    kill: (usize, i64),
}

fn case() -> impl Strategy<Value = Case> {
    let gap = prop_oneof![4 => 0i64..3, 4 => 0i64..9, 1 => 60i64..190];
    let lines = prop::collection::vec((gap, -1i64..4), 0..40);
    let levels = (1i64..5, 0i64..4, prop_oneof![Just(Op::Below), Just(Op::AtMost)]);
    let spans = (1i64..14, prop::option::weighted(0.9, 0i64..12), prop_oneof![Just(0i64), 1i64..8]);
    let rest = (0usize..4, prop::option::of(0i64..3), any::<bool>(), (0usize..40, 0i64..60));
    (spans, levels, lines, rest).prop_map(
        |((within, quiet, hold), (least, more, op), gaps, (measure, band, expected, kill))| {
            let mut now = 0;
            let mut at = |gap: i64| {
                now += gap;
                now
            };
            let lines: Vec<(i64, i64)> = gaps.into_iter().map(|(gap, value)| (at(gap), value)).collect();
            let levels = (least + more, least, op);
            let clear = band.map(|band| least + more + 1 + band);
            // Only a line can end what silence never ends, and what was few is over then at once.
            let measure = if quiet.is_none() { 0 } else { measure };
            Case { measure, within, quiet, hold, levels, clear, expected, lines, kill }
        },
    )
}

impl Case {
    /// What a level says of the measure, which counts so many a second if it is a rate.
    fn than(&self, level: i64) -> f64 {
        if self.measure == 1 { level as f64 / self.within as f64 } else { level as f64 }
    }

    fn rule(&self) -> Rule {
        let x = || Value::Capture(0);
        let measure = match self.measure {
            0 => Measure::Count,
            1 => Measure::Rate,
            2 => Measure::Distinct(x()),
            _ => Measure::Sum(x()),
        };
        let (warning, critical, op) = self.levels;
        let level = |level| Some(Comparison { op, than: self.than(level) });
        Rule {
            ladder: [None, level(warning), level(critical)],
            clear: self.clear.map(|clear| Comparison { op: Op::AtLeast, than: self.than(clear) }),
            hold: secs(self.hold as u64),
            resolve_after: self.quiet.map(|quiet| secs(quiet as u64)),
            expect: if self.expected { vec![Vec::new()] } else { Vec::new() },
            ..measured(measure, self.within as u64, op, 1.0)
        }
    }

    fn until(&self) -> i64 {
        self.lines.last().map_or(0, |(time, _)| *time) + 14 * self.within + 30
    }

    /// The measure of what lies in the window that ends at a second.
    fn value(&self, now: i64) -> f64 {
        let inside = || {
            let all = self.lines.iter().filter(|(time, _)| *time > now - self.within && *time <= now);
            all.map(|(_, value)| *value)
        };
        match self.measure {
            0 => inside().count() as f64,
            1 => inside().count() as f64 / self.within as f64,
            2 => inside().collect::<BTreeSet<_>>().len() as f64,
            _ => inside().sum::<i64>() as f64,
        }
    }

    /// Looks at every second.
    fn oracle(&self) -> Vec<(i64, &'static str)> {
        let (warning, critical, op) = self.levels;
        let (mut born, mut last) = (self.expected.then_some(0), None);
        // Since when each level is true, and when it held last.
        let (mut since, mut held): ([Option<i64>; 2], [Option<i64>; 2]) = Default::default();
        let mut shown = "ok";
        let mut said = Vec::new();
        for now in 0..self.until() {
            let comes = self.lines.iter().any(|(time, _)| *time == now);
            if comes {
                born = born.or(Some(now));
                last = Some(now);
            }
            if !self.expected && last.is_some_and(|last| now >= last + 11 * self.within) {
                (born, since, held) = (None, [None; 2], [None; 2]);
            }
            if born.is_some_and(|born| now >= born + self.within) {
                let value = self.value(now);
                for (at, level) in [warning, critical].into_iter().enumerate() {
                    let clear = self.clear.is_none_or(|clear| value >= self.than(clear));
                    let holds = op.holds(value, self.than(level)) || at == 0 && since[at].is_some() && !clear;
                    since[at] = if holds { since[at].or(Some(now)) } else { None };
                    if since[at].is_some_and(|since| now >= since + self.hold) {
                        held[at] = Some(now);
                    }
                }
                // A line that says that it is over ends what silence never ends.
                let over = |level: i64| !op.holds(value, self.than(level));
                let is_clear =
                    self.clear.map_or(over(warning) && over(critical), |clear| value >= self.than(clear));
                if self.quiet.is_none() && comes && is_clear {
                    (since, held) = ([None; 2], [None; 2]);
                }
            }
            let alive = |held: Option<i64>| {
                held.is_some_and(|held| self.quiet.is_none_or(|quiet| now <= held + quiet))
            };
            let status = match held.map(alive) {
                [_, true] => "critical",
                [true, _] => "warning",
                _ => "ok",
            };
            if status != shown {
                said.push((now, status));
                shown = status;
            }
            if status == "ok" {
                // What is over is over.
                held = held.map(|held| held.filter(|held| *held == now));
            }
        }
        said
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(600)))]
    #[test]
    fn few_are_missed_as_an_oracle_sees_second_by_second(case in case()) {
        let mut bench = started(case.rule());
        for (n, (time, value)) in case.lines.iter().enumerate() {
            if n == case.kill.0 {
                let before = n.checked_sub(1).map_or(0, |n| case.lines[n].0);
                let back = at((before + case.kill.1).min(*time));
                bench.collect();
                let (said, rows, offset) = (bench.said, bench.rows, bench.offset);
                bench = Bench::resume(vec![case.rule()], rows, back);
                bench.engine.phase(FILE, Phase::AtEnd, back);
                (bench.said, bench.offset) = (said, offset);
            }
            bench.line(*time, &value.to_string(), MatchKind::Match);
        }
        bench.run_until(case.until() - 1);
        prop_assert_eq!(times(&bench), case.oracle());
    }

    #[test]
    fn a_backlog_misses_what_a_live_feed_of_the_same_lines_misses(case in case()) {
        let case = Case { expected: false, ..case };
        let mut live = started(case.rule());
        case.lines.iter().for_each(|(time, value)| live.line(*time, &value.to_string(), MatchKind::Match));
        live.run_until(case.until());
        let mut behind = Bench::new(vec![case.rule()]);
        let last = case.lines.last().map_or(0, |(time, _)| *time);
        behind.engine.phase(FILE, Phase::Behind, at(last));
        let texts: Vec<_> = case.lines.iter().map(|(time, value)| (*time, value.to_string())).collect();
        for block in texts.chunks(7) {
            let block: Vec<_> = block.iter().map(|(time, value)| (*time, value.as_str())).collect();
            behind.backlog(FILE, &block, last);
        }
        behind.engine.phase(FILE, Phase::AtEnd, at(last));
        behind.run_until(case.until());
        // What was decided late is told again when the backlog is read.
        let firm = |bench: &Bench| {
            let mut said = times(bench);
            said.dedup_by_key(|(_, status)| *status);
            said
        };
        prop_assert_eq!(firm(&live), firm(&behind));
    }
}
