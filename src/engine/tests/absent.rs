//! What stays away is missed.

use super::*;

#[test]
fn what_stays_away_is_missed_and_what_comes_back_is_not() {
    let mut bench = Bench::new(vec![missing(&[])]);
    bench.run_until(1000);
    bench.line(1000, "a", MatchKind::Match);
    bench.line(1099, "a", MatchKind::Match);
    bench.run_until(1250);
    bench.line(1250, "a", MatchKind::Match);
    bench.run_until(1260);
    assert_eq!(said(&bench), [(1199, "a", "warning"), (1250, "a", "ok")]);
    assert_eq!(bench.rows.keys.len(), 1, "it is remembered");
    // Missed for ten times as long as the worst level it is forgotten.
    bench.said.clear();
    bench.run_until(10_000);
    assert_eq!(said(&bench), [(1350, "a", "warning"), (1550, "a", "critical"), (4250, "a", "ok")]);
    assert!(bench.rows.keys.is_empty());
}

#[test]
fn what_is_expected_is_missed_though_it_was_never_seen_and_never_forgotten() {
    let mut bench = Bench::new(vec![missing(&["a", "b"])]);
    bench.engine.phase(FILE, Phase::AtEnd, at(50));
    bench.line(60, "b", MatchKind::Match);
    bench.run_until(155);
    assert_eq!(said(&bench), [(150, "a", "warning")]);
    // Neither a restart nor a kill begins the waiting anew.
    let rows = std::mem::take(&mut bench.rows);
    let mut again = Bench::resume(vec![missing(&["a", "b"])], rows.clone(), at(158));
    again.engine.phase(FILE, Phase::AtEnd, at(158));
    again.run_until(10_000);
    assert_eq!(said(&again), [(160, "b", "warning"), (350, "a", "critical"), (360, "b", "critical")]);
    // What is not expected any more and was never seen is over.
    let mut other = Bench::resume(vec![missing(&["b"])], rows, at(158));
    other.engine.phase(FILE, Phase::AtEnd, at(158));
    other.run_until(159);
    assert_eq!(said(&other), [(158, "a", "ok")]);
}

#[test]
fn a_restart_takes_no_key_from_a_rule_that_has_as_many_as_it_may() {
    let rule = || Rule { max_keys: 3, ..missing(&["a", "z"]) };
    let mut bench = Bench::new(vec![rule()]);
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    for (time, key) in [(60, "a"), (60, "z"), (70, "b")] {
        bench.line(time, key, MatchKind::Match);
    }
    bench.run_until(80);
    let rows = std::mem::take(&mut bench.rows);
    let mut again = Bench::resume(vec![rule()], rows, at(81));
    again.engine.phase(FILE, Phase::AtEnd, at(81));
    again.run_until(200);
    let mut told = said(&again);
    told.sort_unstable();
    assert_eq!(told, [(160, "a", "warning"), (160, "z", "warning"), (170, "b", "warning")]);
}

#[test]
fn nothing_is_missed_while_a_file_of_the_source_is_behind_or_unreadable() {
    let mut bench = Bench::new(vec![missing(&["a"])]);
    bench.engine.opened(FileId(2), &SourceName::new("s"), Path::new("/y").into());
    bench.engine.phase(FILE, Phase::AtEnd, at(0));
    bench.run_until(500);
    assert_eq!(said(&bench), [], "the other file may have it");
    bench.backlog(FileId(2), &[(40, "a"), (410, "a")], 500);
    bench.engine.phase(FileId(2), Phase::Unreadable, at(500));
    bench.run_until(600);
    // It was missed between the two, long ago.
    assert_eq!(said(&bench), [(140, "a", "warning"), (340, "a", "critical"), (410, "a", "ok")]);
    bench.engine.phase(FileId(2), Phase::AtEnd, at(600));
    bench.run_until(600);
    assert_eq!(said(&bench)[3..], [(510, "a", "warning")]);
}

#[test]
fn any_level_is_reached_at_a_moment_and_not_before() {
    let hours = |hours: f64| hours * 3600.0;
    for than in [hours(1.1), hours(0.07), hours(0.54), hours(2.2), 1.36, 0.009, 1e-9, 1.5e-6, 1e9] {
        for op in [Op::AtLeast, Op::Above] {
            let mut rule = missing(&[]);
            rule.ladder = [None, Some(Comparison { op, than }), None];
            let mut bench = Bench::new(vec![rule]);
            bench.line(0, "a", MatchKind::Match);
            bench.run_until(20_000_000_000);
            let statuses: Vec<&str> = bench.said.iter().map(|(_, _, status)| *status).collect();
            assert_eq!(statuses, ["warning", "ok"], "{op:?} {than}");
            assert!((bench.said[0].0 as f64 - than).abs() <= 1.0, "{op:?} {than}: {:?}", bench.said);
        }
    }
}

#[test]
fn what_was_seen_once_is_missed_also_after_its_rule_was_changed_twice() {
    let mut bench = Bench::new(vec![missing(&[])]);
    bench.line(0, "a", MatchKind::Match);
    let mut rows = std::mem::take(&mut bench.rows);
    for digest in [1, 2] {
        let changed = Rule { condition_digest: [digest; 16], ..missing(&[]) };
        let mut again = Bench::resume(vec![changed], rows, at(10));
        again.engine.phase(FILE, Phase::AtEnd, at(10));
        again.run_until(11);
        rows = std::mem::take(&mut again.rows);
    }
    let mut last = Bench::resume(vec![Rule { condition_digest: [2; 16], ..missing(&[]) }], rows, at(20));
    last.engine.phase(FILE, Phase::AtEnd, at(20));
    last.run_until(100);
    assert_eq!(said(&last), [(100, "a", "warning")]);
}

#[test]
fn what_is_missed_at_different_times_is_missed_in_their_order() {
    let mut bench = Bench::new(vec![missing(&["a", "b", "c"])]);
    bench.backlog(FILE, &[(0, "a"), (50, "c"), (90, "a"), (195, "b")], 2000);
    assert_eq!(
        said(&bench),
        [(100, "b", "warning"), (150, "c", "warning"), (190, "a", "warning"), (195, "b", "ok")]
    );
}

#[test]
fn in_a_finished_log_the_waiting_begins_with_its_first_match() {
    let mut bench = Bench::new(vec![missing(&["a", "b"])]);
    bench.backlog(FILE, &[(1000, "a"), (1090, "a"), (1180, "a"), (1270, "b")], 2000);
    assert_eq!(said(&bench), [(1100, "b", "warning"), (1270, "b", "ok")]);
}
