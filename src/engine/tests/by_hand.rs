//! An operator's word against every kind of rule.

use super::*;
use crate::model::AlertKey;

/// Raises with lines at these seconds, resolves the alert by hand at 100, then writes lines again.
fn check(rule: &Rule, lines: &[i64], again: &[i64], expected: &[(i64, &str)]) {
    for restart in [false, true] {
        let mut bench = Bench::new(vec![rule.clone()]);
        bench.engine.phase(FILE, Phase::AtEnd, at(0));
        lines.iter().for_each(|time| bench.line(*time, "7", MatchKind::Match));
        bench.run_until(100);
        let open: Vec<_> = bench.engine.open_alerts().map(|alert| alert.key.clone()).collect();
        assert_eq!(open.len(), 1, "{:?}", bench.said);
        bench.said.clear();
        bench.engine.resolve(&open, at(100));
        // Twice is once.
        bench.engine.resolve(&open, at(100));
        bench.collect();
        if restart {
            let said = std::mem::take(&mut bench.said);
            bench = Bench { said, ..Bench::resume(vec![rule.clone()], bench.rows, at(100)) };
            bench.engine.phase(FILE, Phase::AtEnd, at(100));
        }
        again.iter().for_each(|time| bench.line(*time, "7", MatchKind::Match));
        bench.run_until(300);
        let said: Vec<_> = bench.said.iter().map(|(time, _, status)| (*time, *status)).collect();
        assert_eq!(said, expected, "{rule:?} {restart}");
        assert_eq!(bench.tells.iter().filter(|tell| **tell != Tell::Now).count(), 0);
    }
}

#[test]
fn what_was_resolved_by_hand_begins_anew() {
    // The window is empty: what had been counted counts no more.
    let counted = rule("r", 3, 3600, None);
    check(&counted, &[1, 2, 3], &[], &[(100, "ok")]);
    check(&counted, &[1, 2, 3], &[110, 111], &[(100, "ok")]);
    check(&counted, &[1, 2, 3], &[110, 111, 112], &[(100, "ok"), (112, "warning")]);
    // A condition that lasts.
    let latched = Rule { latch: true, ..rule("r", 1, 0, None) };
    check(&latched, &[1], &[], &[(100, "ok")]);
    check(&latched, &[1], &[110], &[(100, "ok"), (110, "warning")]);
    // Each line by itself.
    check(&rule("r", 1, 0, None), &[1], &[110], &[(100, "ok"), (110, "warning")]);
    // A number.
    let last = Rule { measure: Measure::Last(Value::Capture(0)), ..rule("r", 5, 0, None) };
    check(&last, &[1], &[], &[(100, "ok")]);
    check(&last, &[1], &[110], &[(100, "ok"), (110, "warning")]);
}

#[test]
fn what_is_true_of_nothing_waits_for_a_line() {
    let mut low = rule("r", 1, 3600, None);
    low.measure = Measure::Average(Value::Capture(0));
    low.ladder = [None, Some(Comparison { op: Op::Below, than: 8.0 }), None];
    check(&low, &[1], &[], &[(100, "ok")]);
    check(&low, &[1], &[110], &[(100, "ok"), (110, "warning")]);
}

#[test]
fn what_is_missed_is_missed_again_after_the_same_time() {
    let mut absent = rule("r", 1, 0, Some(0));
    absent.measure = Measure::Absent;
    absent.unit = Unit::Time;
    absent.ladder = [None, Some(Comparison { op: Op::Above, than: 50.0 }), None];
    check(&absent, &[1], &[], &[(100, "ok"), (150, "warning")]);
    check(&absent, &[1], &[140, 180, 220, 260], &[(100, "ok")]);
    absent.expect = vec![vec!["7".into()]];
    check(&absent, &[], &[], &[(100, "ok"), (150, "warning")]);
}

#[test]
fn a_word_of_now_is_told_however_old_the_alert_is() {
    let mut bench = Bench::new(vec![Rule { latch: true, ..rule("r", 1, 0, None) }]);
    bench.line(1, "a", MatchKind::Match);
    bench.line(2, "b", MatchKind::Match);
    let days = 5 * 86_400;
    bench.run_until(days);
    let first = bench.engine.open_alerts().next().map(|alert| alert.key.clone()).expect("two are open");
    bench.engine.resolve(&[first, AlertKey { rule: RuleName::new("x"), hash: KeyHash([0; 16]) }], at(days));
    let emitted = bench.engine.take().transitions;
    let [one] = emitted.as_slice() else { panic!("{emitted:?}") };
    assert_eq!((one.tell, one.transition.time), (Tell::Now, at(days)));
    assert_eq!(one.transition.reason, Reason::ByHand);
    assert_eq!(bench.engine.open_alerts().count(), 1);
}
