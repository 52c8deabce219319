//! Alerts that outlive their rules.

use super::*;
use crate::model::AlertKey;

/// A rule that a line raises and another ends, whose alerts stay open for so long without it.
fn lasting(outlives: u64) -> Rule {
    Rule { latch: true, outlives: Some(secs(outlives)), condition_digest: [1; 16], ..rule("r", 1, 0, None) }
}

/// With an alert of `a`, from second 1 on.
fn raised(rule: &Rule) -> Bench {
    let mut bench = Bench::new(vec![rule.clone()]);
    bench.line(1, "a", MatchKind::Match);
    assert_eq!(bench.said, [(1, "a".to_owned(), "warning")]);
    bench.said.clear();
    bench
}

fn adopt(bench: &mut Bench, rules: Vec<Rule>, time: i64) {
    bench.engine.adopt(Arc::new(Ruleset { rules }), timings(), at(time));
    bench.collect();
}

fn restart(bench: Bench, rules: Vec<Rule>, time: i64) -> Bench {
    let mut bench =
        Bench { said: bench.said, tells: bench.tells, ..Bench::resume(rules, bench.rows, at(time)) };
    bench.engine.phase(FILE, Phase::AtEnd, at(time));
    bench.collect();
    bench
}

fn open(bench: &Bench) -> Vec<(AlertKey, bool)> {
    bench.engine.open_alerts().map(|alert| (alert.key.clone(), bench.engine.is_orphan(alert))).collect()
}

/// What is said from 5 on by a rule that is taken away then, and what of it is open at 90.
fn check(rule: &Rule, without: &[Rule], expected: &[(i64, &str)], is_open: bool) {
    for (at_start, again) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut bench = raised(rule);
        if at_start {
            bench = restart(bench, without.to_vec(), 5);
        } else {
            adopt(&mut bench, without.to_vec(), 5);
        }
        if again {
            adopt(&mut bench, without.to_vec(), 20);
            bench = restart(bench, without.to_vec(), 30);
        }
        bench.run_until(90);
        let said: Vec<_> = bench.said.iter().map(|(time, _, status)| (*time, *status)).collect();
        assert_eq!(said, expected, "{at_start} {again}");
        assert_eq!(!open(&bench).is_empty(), is_open, "{at_start} {again}");
        assert!(open(&bench).iter().all(|(_, orphan)| *orphan));
        assert_eq!(!bench.rows.keys.is_empty(), is_open, "{:?}", bench.rows.keys);
    }
}

#[test]
fn an_alert_stays_open_without_its_rule_until_its_time_is_over() {
    check(&lasting(1000), &[], &[], true);
    check(&lasting(60), &[], &[(65, "ok")], false);
    check(&Rule { outlives: None, ..lasting(1) }, &[], &[(5, "ok")], false);
    // Keyed in another way it is another alert.
    let rekeyed = || vec![Rule { by: Vec::new(), ..lasting(1000) }];
    check(&lasting(1000), &rekeyed(), &[], true);
    check(&lasting(1000), &[Rule { scoped: false, ..lasting(1000) }], &[], true);
    // What another rule is called does not matter.
    check(&lasting(1000), &[Rule { name: RuleName::new("other"), ..lasting(1000) }], &[], true);
}

#[test]
fn a_rule_of_that_name_and_key_takes_it_back() {
    for by_restart in [false, true] {
        let mut bench = raised(&lasting(1000));
        adopt(&mut bench, Vec::new(), 5);
        if by_restart {
            bench = restart(bench, vec![lasting(1000)], 500);
        } else {
            adopt(&mut bench, vec![lasting(1000)], 500);
        }
        assert_eq!(open(&bench).iter().map(|(_, orphan)| *orphan).collect::<Vec<_>>(), [false]);
        // It is in nobody's hands no more: its time does not matter.
        bench.run_until(5000);
        assert_eq!(bench.said, []);
        bench.line(5001, "a", MatchKind::Resolve);
        assert_eq!(bench.said, [(5001, "a".to_owned(), "ok")], "{by_restart}");
        assert!(bench.rows.keys.iter().all(|row| row.orphan_until.is_none()));
    }
}

#[test]
fn what_was_quiet_without_a_rule_is_quiet_from_its_return_on() {
    let counted = Rule { latch: false, within: secs(60), resolve_after: Some(secs(100)), ..lasting(10_000) };
    let mut bench = raised(&counted);
    adopt(&mut bench, Vec::new(), 5);
    bench.run_until(3000);
    assert_eq!(bench.said, []);
    adopt(&mut bench, vec![counted], 3000);
    bench.run_until(4000);
    assert_eq!(bench.said, [(3100, "a".to_owned(), "ok")]);
}

#[test]
fn somebody_or_a_stop_ends_it_and_it_does_not_come_again() {
    for by_hand in [true, false] {
        let mut bench = raised(&lasting(1000));
        adopt(&mut bench, Vec::new(), 5);
        let keys: Vec<AlertKey> = open(&bench).into_iter().map(|(key, _)| key).collect();
        if by_hand {
            bench.engine.resolve(&keys, at(7));
            bench.engine.resolve(&keys, at(8));
        } else {
            bench.engine.resolve_all(at(7));
        }
        bench.collect();
        assert_eq!(bench.said, [(7, "a".to_owned(), "ok")]);
        let mut bench = restart(bench, vec![lasting(1000)], 9);
        bench.run_until(5000);
        assert_eq!((open(&bench), bench.said.len()), (Vec::new(), 1));
    }
}

#[test]
fn what_the_newest_rule_said_of_it_holds_also_for_a_start_without_it() {
    let none = || Rule { outlives: None, ..lasting(1) };
    for (first, then, kept) in [(none(), lasting(1000), 1), (lasting(1000), none(), 0)] {
        let mut bench = raised(&first);
        adopt(&mut bench, vec![then], 3);
        let bench = restart(bench, Vec::new(), 5);
        assert_eq!(open(&bench).len(), kept);
    }
}

#[test]
fn what_is_not_expected_any_more_is_over_whatever_was_asked() {
    let missed = |expect: &[&str]| Rule { outlives: Some(secs(1000)), ..missing(expect) };
    let mut bench = Bench::new(vec![missed(&["a"])]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.run_until(5000);
    assert_eq!(open(&bench).len(), 1);
    adopt(&mut bench, vec![missed(&[])], 5000);
    assert_eq!(open(&bench), []);
}
