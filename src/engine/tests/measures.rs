//! Numbers that are held against a ladder.

use super::*;

/// What a rule says of lines with these numbers, up to `until`.
fn check_numbers(rule: Rule, lines: &[(i64, &str)], until: i64, expected: &[(i64, &str)]) {
    let shown = format!("{:?} {lines:?}", rule.measure);
    let mut bench = Bench::new(vec![rule]);
    for (time, number) in lines {
        bench.line(*time, number, MatchKind::Match);
    }
    bench.run_until(until);
    let said: Vec<_> = bench.said.iter().map(|(time, _, status)| (*time, *status)).collect();
    assert_eq!(said, expected, "{shown}");
}

#[test]
fn a_measure_is_held_against_the_ladder_with_every_line_and_as_lines_leave() {
    let x = || Value::Capture(0);
    let bad = Condition::Compared(
        Number::Of(x()),
        Op::AtLeast,
        Number::Is(Quantity { value: 500.0, unit: Unit::One }),
    );
    let ratio = Measure::Ratio(Filter { text: "x >= 500".into(), condition: bad });
    let half = &[(0, "200"), (1, "500"), (2, "200"), (30, "200")];
    check_numbers(measured(ratio.clone(), 60, Op::AtLeast, 0.5), half, 200, &[(1, "warning"), (2, "ok")]);
    // The good line of the beginning has left, and half of the rest is bad.
    let later = &[(0, "200"), (1, "500"), (30, "200")];
    check_numbers(
        measured(ratio.clone(), 60, Op::AtLeast, 0.5),
        later,
        200,
        &[(1, "warning"), (30, "ok"), (60, "warning"), (61, "ok")],
    );
    let enough = Rule { min_lines: 3, ..measured(ratio, 60, Op::AtLeast, 0.3) };
    check_numbers(
        enough,
        &[(0, "500"), (1, "500"), (2, "200"), (70, "500")],
        200,
        &[(2, "warning"), (60, "ok")],
    );
    let numbers = &[(0, "10"), (10, "30"), (20, "20")];
    let over = |measure| measured(measure, 60, Op::Above, 19.0);
    check_numbers(over(Measure::Average(x())), numbers, 200, &[(10, "warning"), (80, "ok")]);
    check_numbers(over(Measure::Sum(x())), numbers, 200, &[(10, "warning"), (80, "ok")]);
    check_numbers(over(Measure::Most(x())), numbers, 200, &[(10, "warning"), (80, "ok")]);
    check_numbers(over(Measure::Least(x())), numbers, 200, &[(60, "warning"), (80, "ok")]);
    check_numbers(over(Measure::Percentile(50, x())), numbers, 200, &[(20, "warning"), (80, "ok")]);
    check_numbers(over(Measure::Last(x())), numbers, 200, &[(10, "warning"), (80, "ok")]);
    let different = || measured(Measure::Distinct(x()), 60, Op::AtLeast, 2.0);
    let texts = &[(0, "a"), (1, "a"), (30, "b"), (40, "b")];
    check_numbers(different(), texts, 200, &[(30, "warning"), (61, "ok")]);
    // Matches are so many, whatever their texts are.
    check_numbers(Rule { min_lines: 4, ..different() }, texts, 200, &[(40, "warning"), (60, "ok")]);
    check_numbers(Rule { min_lines: 5, ..different() }, texts, 200, &[]);
    let rate = measured(Measure::Rate, 10, Op::AtLeast, 0.3);
    check_numbers(rate, &[(0, "-"), (1, "-"), (2, "-")], 200, &[(2, "warning"), (10, "ok")]);
}

#[test]
fn a_window_is_held_against_the_one_before() {
    let spike = |op, than| measured(Measure::Spike, 60, op, than);
    let lines = |times: &[i64]| times.iter().map(|time| (*time, "-")).collect::<Vec<_>>();
    // Nothing is known before two windows have passed since the first match.
    let early = lines(&[0, 10, 61, 62, 63, 64, 65, 66, 67]);
    check_numbers(spike(Op::AtLeast, 3.0), &early, 119, &[]);
    // At 120 one match lies in the window before, that of 10, and seven in this one.
    // Two seconds later it is five to three.
    check_numbers(spike(Op::AtLeast, 3.0), &early, 1000, &[(120, "warning"), (122, "ok")]);
    let enough = Rule { min_lines: 3, ..spike(Op::AtLeast, 3.0) };
    check_numbers(enough, &early, 1000, &[]);
    // A drop is one too: at 130 nothing is left of four, until these are forgotten.
    let steady = lines(&[0, 20, 40, 60, 70]);
    check_numbers(spike(Op::Below, 0.5), &steady, 1000, &[(120, "warning"), (190, "ok")]);
}

#[test]
fn the_lowest_level_ends_when_clear_is_true() {
    let band = || Rule {
        clear: Some(Comparison { op: Op::Below, than: 400.0 }),
        ..measured(Measure::Last(Value::Capture(0)), 0, Op::Above, 500.0)
    };
    let numbers = &[(0, "501"), (1, "450"), (2, "499"), (3, "399"), (4, "450")];
    check_numbers(band(), numbers, 200, &[(0, "warning"), (3, "ok")]);
    // Silence ends nothing: neither does a number between the two.
    let never = || Rule { resolve_after: None, ..band() };
    check_numbers(never(), &numbers[..3], 1_000_000, &[(0, "warning")]);
    check_numbers(never(), numbers, 200, &[(0, "warning"), (3, "ok")]);
    let plain = Rule { clear: None, ..never() };
    check_numbers(plain, &numbers[..3], 200, &[(0, "warning"), (1, "ok")]);
}

#[test]
fn the_last_number_stays_until_its_window_is_over_or_a_line_resolves_it() {
    let last = |within| measured(Measure::Last(Value::Capture(0)), within, Op::Above, 5.0);
    check_numbers(last(0), &[(0, "6")], 1_000_000, &[(0, "warning")]);
    check_numbers(last(60), &[(0, "6")], 1_000_000, &[(0, "warning"), (60, "ok")]);
    let mut bench = Bench::new(vec![Rule { expire_after: Some(secs(100)), ..last(0) }]);
    bench.line(0, "6", MatchKind::Match);
    bench.line(1, "", MatchKind::Resolve);
    bench.line(2, "7", MatchKind::Match);
    bench.run_until(1000);
    let said: Vec<_> = bench.said.iter().map(|(time, _, status)| (*time, *status)).collect();
    assert_eq!(said, [(0, "warning"), (1, "ok"), (2, "warning"), (102, "ok")]);
}

#[test]
fn a_key_rings_sooner_when_the_lines_of_its_file_come_in_time_again() {
    let mut bench = Bench::new(vec![Rule { hold: secs(60), ..rule("r", 1, 6000, Some(0)) }]);
    let mut line = |arrival: i64, stamp: i64, key: &str| {
        bench.engine.phase(FILE, Phase::AtEnd, at(arrival));
        let hit = bench.hit(FILE, MatchKind::Match, stamp, key);
        let arrival = Arrival { at: Some(at(arrival)), modified: at(arrival), skew_us: 0 };
        bench.engine.read(Read { file: FILE, matches: [hit.seen()], stamp: None, arrival }, arrival.modified);
        bench.collect();
    };
    // Ten minutes late, then in time.
    line(1000, 400, "a");
    line(1001, 1001, "b");
    bench.run_until(1001);
    assert_eq!(said(&bench), [(460, "a", "warning")]);
}

#[test]
fn a_line_without_the_number_that_is_measured_is_no_match() {
    let mut bench = Bench::new(vec![measured(Measure::Sum(Value::Capture(0)), 60, Op::Above, 5.0)]);
    for (time, number) in [(0, "6"), (1, "-"), (2, "5s"), (3, "")] {
        bench.line(time, number, MatchKind::Match);
    }
    let (_, counts, _) = bench.engine.rule_counts().next().expect("one rule");
    assert_eq!((counts.matches, counts.unreadable), (1, 3));
}
