//! What holds alerts back, folds them, keeps them open or tells them again, from outside.

use super::*;
use crate::rule::{After, Days, Flap, Hours, MaxRaises, Schedule};

use MatchKind::{Match as M, Resolve as R};

/// A rule that stays open from a match to its recovery line.
fn latched(name: &str) -> Rule {
    Rule { latch: true, ..rule(name, 1, 0, None) }
}

/// What was said: rule, second, key, status and how it is told.
fn said(bench: &Bench) -> Vec<(&str, i64, &str, &str, Tell)> {
    let said = bench.said.iter().zip(&bench.rules).zip(&bench.tells);
    said.map(|(((time, key, status), rule), tell)| (rule.as_str(), *time, key.as_str(), *status, *tell))
        .collect()
}

/// Lines are rule, second, key and kind.
fn check(
    rules: Vec<Rule>,
    lines: &[(u32, i64, &str, MatchKind)],
    until: i64,
    expected: &[(&str, i64, &str, &str, Tell)],
) {
    let mut bench = Bench::new(rules.clone());
    lines.iter().for_each(|(rule, time, key, kind)| bench.line_of(*rule, *time, key, *kind));
    bench.run_until(until);
    assert_eq!(said(&bench), expected, "{lines:?}");
    // The same with a restart before each line.
    let mut bench = Bench::new(rules.clone());
    let mut past = (Vec::new(), Vec::new(), Vec::new());
    for (line, (rule, time, key, kind)) in lines.iter().enumerate() {
        bench.line_of(*rule, *time, key, *kind);
        past.0.append(&mut bench.said);
        past.1.append(&mut bench.rules);
        past.2.append(&mut bench.tells);
        let rows = std::mem::take(&mut bench.rows);
        bench = Bench::resume(rules.clone(), rows, at(*time));
        bench.engine.phase(FILE, Phase::AtEnd, at(*time));
        bench.skip(10 * (line as u64 + 1));
    }
    bench.run_until(until);
    past.0.append(&mut bench.said);
    past.1.append(&mut bench.rules);
    past.2.append(&mut bench.tells);
    (bench.said, bench.rules, bench.tells) = past;
    assert_eq!(said(&bench), expected, "restarted: {lines:?}");
}

#[test]
fn a_raise_is_held_back_while_another_rule_is_open_for_the_same_values() {
    let rules = || vec![Rule { unless: vec![RuleName::new("down")], ..latched("slow") }, latched("down")];
    check(
        rules(),
        &[(1, 1, "a", M), (0, 2, "a", M), (0, 3, "b", M), (1, 9, "a", R), (0, 20, "a", R)],
        100,
        &[
            ("down", 1, "a", "warning", Tell::Now),
            ("slow", 2, "a", "warning", Tell::Known),
            ("slow", 3, "b", "warning", Tell::Now),
            ("down", 9, "a", "ok", Tell::Now),
            // Its true time, though it is told later.
            ("slow", 2, "a", "warning", Tell::IfOther),
            ("slow", 20, "a", "ok", Tell::Now),
        ],
    );
    // What is over before the other is over is told to nobody who did not know of it.
    check(
        rules(),
        &[(1, 1, "a", M), (0, 2, "a", M), (0, 3, "a", R), (1, 9, "a", R)],
        100,
        &[
            ("down", 1, "a", "warning", Tell::Now),
            ("slow", 2, "a", "warning", Tell::Known),
            ("slow", 3, "a", "ok", Tell::Now),
            ("down", 9, "a", "ok", Tell::Now),
        ],
    );
}

/// Rules have no order: of two alerts that one line ends, the one that was held back by the other is not told as if it went on.
#[test]
fn what_one_line_ends_is_over_for_all_rules_at_once() {
    for (down, slow) in [(0, 1), (1, 0)] {
        let mut rules = vec![latched("down"), latched("slow")];
        rules[1].unless = vec![RuleName::new("down")];
        if down == 1 {
            rules.swap(0, 1);
        }
        let mut bench = Bench::new(rules);
        bench.line_of(down, 1, "a", M);
        bench.line_of(slow, 2, "a", M);
        let mut ended = [(down, R), (slow, R)];
        ended.sort_by_key(|(rule, _)| *rule);
        bench.line_of_all(9, "a", &ended);
        bench.run_until(100);
        let mut told = said(&bench);
        // Both in one moment: which of them first is nobody's business.
        told[2..].sort_by_key(|(rule, ..)| *rule);
        let expected = [
            ("down", 1, "a", "warning", Tell::Now),
            ("slow", 2, "a", "warning", Tell::Known),
            ("down", 9, "a", "ok", Tell::Now),
            ("slow", 9, "a", "ok", Tell::Now),
        ];
        assert_eq!(told, expected, "{down} {slow}");
    }
}

#[test]
fn a_raise_is_held_back_while_its_rule_is_muted() {
    // The first minute of each day.
    let minute = Schedule::weekly(Days::ALL, vec![Hours::new(0, 1).unwrap()], TimeZone::UTC);
    let muted = || Rule { mute: vec![minute.clone()], ..latched("r") };
    check(
        vec![muted()],
        &[(0, 10, "a", M), (0, 20, "b", M), (0, 30, "b", R), (0, 70, "c", M), (0, 200, "", R)],
        1000,
        &[
            ("r", 10, "a", "warning", Tell::Known),
            ("r", 20, "b", "warning", Tell::Known),
            ("r", 30, "b", "ok", Tell::Now),
            ("r", 10, "a", "warning", Tell::IfOther),
            ("r", 70, "c", "warning", Tell::Now),
            ("r", 200, "a", "ok", Tell::Now),
            ("r", 200, "c", "ok", Tell::Now),
        ],
    );
}

#[test]
fn a_rule_without_a_shared_name_holds_back_every_key() {
    let whole = Rule { by: Vec::new(), ..latched("down") };
    let slow = Rule { unless: vec![RuleName::new("down")], ..latched("slow") };
    let mut bench = Bench::new(vec![slow, whole]);
    bench.line_of(1, 1, "x", M);
    bench.line_of(0, 2, "a", M);
    bench.line_of(1, 3, "", R);
    let tells: Vec<Tell> = bench.tells.clone();
    assert_eq!(tells, [Tell::Now, Tell::Known, Tell::Now, Tell::IfOther]);
}

#[test]
fn a_match_counts_only_after_the_alert_it_has_to_come_after() {
    let after = |within| Some(After { rules: vec![RuleName::new("login")], within: secs(within) });
    let rules = |within| {
        vec![
            Rule { after: after(within), ..rule("wipe", 1, 0, Some(5)) },
            Rule { raise_remembered: secs(within), ..rule("login", 1, 0, Some(10)) },
        ]
    };
    let login = |at, key| (1, at, key, M);
    let wipe = |at, key| (0, at, key, M);
    // Open from 10 to 20; remembered until 40.
    check(
        rules(30),
        &[wipe(5, "a"), login(10, "a"), wipe(12, "b"), wipe(39, "a"), wipe(41, "a")],
        100,
        &[
            ("login", 10, "a", "warning", Tell::Now),
            ("login", 20, "a", "ok", Tell::Now),
            ("wipe", 39, "a", "warning", Tell::Now),
            ("wipe", 44, "a", "ok", Tell::Now),
        ],
    );
    check(
        rules(0),
        &[login(10, "a"), wipe(19, "a"), wipe(21, "a")],
        100,
        &[
            ("login", 10, "a", "warning", Tell::Now),
            ("wipe", 19, "a", "warning", Tell::Now),
            ("login", 20, "a", "ok", Tell::Now),
            ("wipe", 24, "a", "ok", Tell::Now),
        ],
    );
}

#[test]
fn an_open_alert_is_told_again() {
    let again = || Rule { renotify: Some(secs(60)), ..latched("r") };
    check(
        vec![again()],
        &[(0, 10, "a", M), (0, 150, "a", R)],
        1000,
        &[
            ("r", 10, "a", "warning", Tell::Now),
            ("r", 70, "a", "warning", Tell::Again),
            ("r", 130, "a", "warning", Tell::Again),
            ("r", 150, "a", "ok", Tell::Now),
        ],
    );
}

#[test]
fn what_comes_and_goes_stays_open_until_it_was_quiet_for_longer() {
    let flap = Some(Flap { changes: 4, within: secs(100) });
    let short = || Rule { flap, ..rule("r", 1, 0, Some(5)) };
    check(
        vec![short()],
        &[(0, 0, "a", M), (0, 10, "a", M), (0, 40, "a", M)],
        1000,
        &[
            ("r", 0, "a", "warning", Tell::Now),
            ("r", 5, "a", "ok", Tell::Now),
            ("r", 10, "a", "warning", Tell::Now),
            // The fourth change.
            ("r", 15, "a", "warning", Tell::Again),
            ("r", 140, "a", "ok", Tell::Now),
        ],
    );
    let told = || Rule { flap, ..latched("r") };
    check(
        vec![told()],
        &[(0, 0, "a", M), (0, 5, "a", R), (0, 10, "a", M), (0, 20, "a", R), (0, 30, "a", M), (0, 31, "a", R)],
        1000,
        &[
            ("r", 0, "a", "warning", Tell::Now),
            ("r", 5, "a", "ok", Tell::Now),
            ("r", 10, "a", "warning", Tell::Now),
            ("r", 20, "a", "warning", Tell::Again),
            ("r", 131, "a", "ok", Tell::Now),
        ],
    );
    // Slow enough.
    check(
        vec![told()],
        &[(0, 0, "a", M), (0, 90, "a", R), (0, 101, "a", M), (0, 191, "a", R)],
        1000,
        &[
            ("r", 0, "a", "warning", Tell::Now),
            ("r", 90, "a", "ok", Tell::Now),
            ("r", 101, "a", "warning", Tell::Now),
            ("r", 191, "a", "ok", Tell::Now),
        ],
    );
}

fn storm() -> Rule {
    let about = By { name: "k".into(), from: Value::Capture(0) };
    Rule { captures: vec!["rule_name".into()], by: vec![about], ..latched("tripline_storm") }
}

#[test]
fn raises_beyond_the_bound_are_folded_into_one_alert_until_they_end() {
    let bounded = Rule { max_raises: Some(MaxRaises { most: 2, within: secs(60) }), ..latched("r") };
    let mut bench = Bench::new(vec![bounded, storm()]);
    for (time, key) in [(0, "a"), (1, "b"), (2, "c"), (3, "d")] {
        bench.line_of(0, time, key, M);
    }
    bench.line_of(0, 10, "c", R);
    bench.line_of(0, 11, "d", R);
    // There is room again.
    bench.line_of(0, 62, "e", M);
    bench.run_until(100);
    assert_eq!(
        said(&bench),
        [
            ("r", 0, "a", "warning", Tell::Now),
            ("r", 1, "b", "warning", Tell::Now),
            ("tripline_storm", 2, "r", "warning", Tell::Now),
            ("r", 2, "c", "warning", Tell::Known),
            ("r", 3, "d", "warning", Tell::Known),
            ("r", 10, "c", "ok", Tell::Now),
            ("tripline_storm", 11, "r", "ok", Tell::Now),
            ("r", 11, "d", "ok", Tell::Now),
            ("r", 62, "e", "warning", Tell::Now),
        ]
    );
}

#[test]
fn what_tripline_says_of_itself_is_over_and_what_a_line_says_is_recovered() {
    let resolve = crate::scan::samples::rule(&["x"], &[], &["y"]).resolve;
    let recovered = Rule { resolve, ..latched("r") };
    let mut bench = Bench::new(vec![recovered, storm()]);
    let reasons = |bench: &mut Bench| -> Vec<&str> {
        bench.engine.take().transitions.iter().map(|emitted| emitted.transition.reason.as_str()).collect()
    };
    for (time, kind) in [(1, M), (2, R)] {
        bench.engine.own("tripline_storm", kind, &[("rule_name", "r")], "", at(time));
    }
    assert_eq!(reasons(&mut bench), ["level reached", "condition over"]);
    for (time, kind) in [(3, M), (4, R)] {
        let hit = bench.hit(FILE, kind, time, "a");
        let arrival = Arrival { at: Some(at(time)), modified: at(time), skew_us: 0 };
        bench.engine.read(Read { file: FILE, matches: vec![hit.seen()], stamp: None, arrival }, at(time));
        bench.engine.tick(at(time));
    }
    assert_eq!(reasons(&mut bench), ["level reached", "recovery line seen"]);
}

#[test]
fn neither_a_restart_nor_a_reload_gives_a_rule_its_raises_anew() {
    let rules = || {
        let bounded = Rule { max_raises: Some(MaxRaises { most: 2, within: secs(60) }), ..latched("r") };
        vec![bounded, storm()]
    };
    for restart in [true, false] {
        let mut bench = Bench::new(rules());
        bench.line_of(0, 0, "a", M);
        bench.line_of(0, 1, "b", M);
        if restart {
            bench.run_until(2);
            bench = Bench::resume(rules(), std::mem::take(&mut bench.rows), at(2));
            bench.engine.phase(FILE, Phase::AtEnd, at(2));
        } else {
            let timings = vec![Timing {
                name: SourceName::new("s"),
                tz: TimeZone::UTC,
                max_age: secs(900),
                year: None,
            }];
            bench.engine.adopt(Arc::new(Ruleset { rules: rules() }), timings, at(2));
        }
        bench.line_of(0, 3, "c", M);
        bench.line_of(0, 61, "d", M);
        bench.run_until(62);
        let told = [
            ("tripline_storm", 3, "r", "warning", Tell::Now),
            ("r", 3, "c", "warning", Tell::Known),
            ("r", 61, "d", "warning", Tell::Now),
        ];
        let said = said(&bench);
        assert_eq!(said[said.len() - 3..], told, "{restart}");
    }
}

#[test]
fn a_storm_says_again_when_it_is_ten_times_as_large() {
    let bounded = Rule { max_raises: Some(MaxRaises { most: 1, within: secs(6000) }), ..latched("r") };
    let mut bench = Bench::new(vec![bounded, storm()]);
    for n in 0..102 {
        bench.line_of(0, n, &format!("k{n}"), M);
    }
    let storms = said(&bench).into_iter().filter(|(rule, ..)| *rule == "tripline_storm");
    let storms: Vec<_> = storms.map(|(_, time, _, _, tell)| (time, tell)).collect();
    assert_eq!(storms, [(1, Tell::Now), (10, Tell::Again), (100, Tell::Again)]);
}

#[test]
fn a_storm_ends_with_its_rule() {
    let bounded = || Rule { max_raises: Some(MaxRaises { most: 1, within: secs(60) }), ..latched("r") };
    let mut bench = Bench::new(vec![bounded(), storm()]);
    bench.line_of(0, 0, "a", M);
    bench.line_of(0, 1, "b", M);
    bench.said.clear();
    let ruleset = Arc::new(Ruleset { rules: vec![storm()] });
    let timings =
        vec![Timing { name: SourceName::new("s"), tz: TimeZone::UTC, max_age: secs(900), year: None }];
    bench.engine.adopt(ruleset, timings, at(2));
    bench.run_until(10);
    let mut ended: Vec<_> = bench.said.iter().map(|(_, key, status)| (key.as_str(), *status)).collect();
    ended.sort_unstable();
    assert_eq!(ended, [("a", "ok"), ("b", "ok"), ("r", "ok")]);
}

proptest! {
    /// Whatever holds, folds, flaps and is told again: a sink that hears what it is told by the rules of routing hears
    /// of beginning and end in turn, and in the end, when everything is over, believes that nothing is open.
    #[test]
    fn whoever_is_told_of_a_beginning_is_told_of_the_end(
        lines in prop::collection::vec((0u32..3, 0i64..40, 0usize..3, any::<bool>()), 0..60),
        restart in any::<prop::sample::Index>(),
    ) {
        let rules = || vec![
            Rule {
                unless: vec![RuleName::new("b")],
                max_raises: Some(MaxRaises { most: 2, within: secs(60) }),
                flap: Some(Flap { changes: 4, within: secs(50) }),
                renotify: Some(secs(30)),
                ..latched("a")
            },
            Rule { flap: Some(Flap { changes: 3, within: secs(80) }), ..rule("b", 1, 0, Some(15)) },
            Rule {
                after: Some(After { rules: vec![RuleName::new("a")], within: secs(20) }),
                unless: vec![RuleName::new("a")],
                ..latched("c")
            },
            storm(),
        ];
        let mut bench = Bench::new(rules());
        let mut time = 0;
        let mut told: BTreeMap<(String, String), Status> = BTreeMap::new();
        let mut hear = |bench: &mut Bench| {
            let (said, rules, tells) = (
                std::mem::take(&mut bench.said),
                std::mem::take(&mut bench.rules),
                std::mem::take(&mut bench.tells),
            );
            for (((_, key, status), rule), tell) in said.into_iter().zip(rules).zip(tells) {
                let status = if status == "ok" { Status::Ok } else { Status::Warning };
                let last = told.entry((rule, key)).or_default();
                match tell {
                    Tell::Known | Tell::Again if *last == Status::Ok => {}
                    Tell::Again => assert_eq!((*last, status), (Status::Warning, Status::Warning)),
                    Tell::Now | Tell::Known | Tell::IfOther => *last = status,
                    Tell::Stale => unreachable!("nothing is late"),
                }
            }
            told.values().filter(|status| **status != Status::Ok).count()
        };
        let restart = restart.index(lines.len().max(1));
        for (at_line, (rule, wait, key, ends)) in lines.iter().enumerate() {
            time += wait;
            if at_line == restart {
                let rows = std::mem::take(&mut bench.rows);
                bench = Bench::resume(rules(), rows, at(time));
                bench.skip(100_000);
            }
            bench.line_of(*rule, time, ["a", "b", "c"][*key], if *ends { R } else { M });
            hear(&mut bench);
        }
        for rule in 0..3 {
            bench.line_of(rule, time + 1, "", R);
        }
        bench.run_until(time + 1000);
        prop_assert_eq!(hear(&mut bench), 0);
        let keys: usize = bench.engine.rule_counts().map(|(_, _, keys)| keys).sum();
        prop_assert_eq!((bench.engine.held.len(), keys), (0, 0));
    }
}
