//! What is owed and is not said.

use super::*;

#[test]
fn before_the_first_attempt_a_raise_takes_the_content_of_changes() {
    let mut bench = Bench::wide();
    bench.push([
        row(1, 1, Raise, Warning, 1, 0),
        row(2, 1, Update, Critical, 1, 1),
        row(3, 1, Update, Info, 1, 2),
    ]);
    assert_eq!(bench.stored(), [(1, Raise, Info, false)]);
    let sent = &bench.plan(0)[0].deliveries[0];
    let (_, told) = sent.alert().unwrap();
    assert_eq!((told.step, told.previous, sent.seq), (2, Over, 1));
    assert_eq!(bench.queue.status().coalesced, 2);
}

#[test]
fn behind_an_attempt_changes_give_way_to_newer_ones_and_to_the_resolve() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(0);
    bench.push([row(2, 1, Update, Warning, 1, 1), row(3, 1, Update, Critical, 1, 2)]);
    assert_eq!(bench.stored(), [(1, Raise, Info, true), (3, Update, Critical, false)]);
    bench.push([row(4, 1, Resolve, Over, 1, 3)]);
    assert_eq!(bench.stored(), [(1, Raise, Info, true), (4, Resolve, Over, false)]);
}

#[test]
fn a_change_back_to_what_was_told_is_dropped() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(0);
    bench.push([row(2, 1, Update, Warning, 1, 1), row(3, 1, Update, Info, 1, 2)]);
    assert_eq!(bench.stored(), [(1, Raise, Info, true)]);
    bench.handle(1, accepted(), 0).queue.committed();
    bench.push([row(4, 1, Update, Warning, 1, 3), row(5, 1, Update, Info, 1, 4)]);
    assert_eq!(bench.stored(), []);
    bench.push([row(6, 1, Resolve, Over, 1, 5)]);
    assert_eq!(bench.stored(), [(6, Resolve, Over, false)]);
}

#[test]
fn what_is_said_again_on_purpose_is_told_though_nothing_changed_and_once_for_a_sink_that_was_down() {
    let again = |seq, step, reason| {
        let mut row = row(seq, 1, Update, Info, 1, step);
        if let Content::Alert(_, t) = &mut row.content {
            (t.previous, t.reason) = (Info, reason);
        }
        row
    };
    for reason in [Reason::StillOpen, Reason::Flapping] {
        let mut bench = Bench::wide();
        bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(0);
        bench.handle(1, accepted(), 0).queue.committed();
        bench.push([again(2, 1, reason)]).plan(1);
        assert_eq!(bench.stored(), [(2, Update, Info, true)], "{reason:?}");
        bench.push([again(3, 2, reason), again(4, 3, reason)]);
        assert_eq!(bench.stored(), [(2, Update, Info, true), (4, Update, Info, false)], "{reason:?}");
        bench.push([row(5, 1, Resolve, Over, 1, 4)]);
        assert_eq!(bench.stored(), [(2, Update, Info, true), (5, Resolve, Over, false)], "{reason:?}");
    }
}

#[test]
fn a_short_episode_is_told_whole_and_episodes_never_merge() {
    let mut bench = Bench::wide();
    bench.push([
        row(1, 1, Raise, Info, 1, 0),
        row(2, 1, Resolve, Over, 1, 1),
        row(3, 1, Raise, Warning, 9, 0),
        row(4, 1, Update, Critical, 9, 1),
    ]);
    assert_eq!(
        bench.stored(),
        [(1, Raise, Info, false), (2, Resolve, Over, false), (3, Raise, Critical, false)]
    );
}

#[test]
fn what_was_over_a_day_ago_and_was_never_attempted_is_given_up_and_the_rest_is_owed_for_ever() {
    let mut bench = Bench::wide();
    bench.push([
        row(1, 1, Raise, Info, 1, 0),
        row(2, 2, Raise, Info, 2, 0),
        change(3, "api", ChangeStatus::Done),
    ]);
    let first = bench.plan(10);
    first.iter().for_each(|attempt| bench.queue.handle(attempt.id, vec![suspend()], at(11), &mut Vec::new()));
    // Suspended: nothing more is attempted but by probes.
    bench.push([
        row(4, 1, Resolve, Over, 1, 1),
        row(5, 3, Raise, Info, 5, 0),
        row(6, 3, Resolve, Over, 5, 1),
        row(7, 4, Raise, Info, 7, 0),
        change(8, "web", ChangeStatus::Done),
    ]);
    bench.queue.limits.concurrency = 0;
    let a_day = 24 * 3600;
    bench.changes.clear();
    bench.plan(a_day + 10);
    assert!(bench.changes.iter().all(|change| matches!(change, Change::Put(_))), "{:?}", bench.changes);
    bench.changes.clear();
    bench.plan(a_day + 12);
    let given_up: Vec<(u64, bool)> = bench
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Put(_) | Change::Stand(_) | Change::Unstand(..) => None,
            Change::Refused(_) | Change::Unrefused(..) => None,
            Change::Remove(seq) => Some((*seq, false)),
            Change::Dead(letter) => Some((letter.delivery.seq, letter.why.starts_with("expired"))),
        })
        .collect();
    assert_eq!(given_up, [(8, true), (5, true), (6, false)]);
    let status = bench.queue.status();
    assert_eq!(
        (status.expired, status.dead, status.queued),
        (2, 2, 5),
        "what may be known, or is open, stays"
    );
}

#[test]
fn a_full_queue_folds_whole_episodes_that_were_never_attempted_oldest_first() {
    let mut bench = Bench::new(Limits { max_rows: 4, ..Limits::default() }, Vec::new());
    bench.push([row(1, 1, Raise, Info, 1, 0)]).plan(0);
    bench.push([
        row(2, 1, Resolve, Over, 1, 1),
        row(3, 2, Raise, Info, 2, 0),
        row(4, 2, Resolve, Over, 2, 1),
        row(5, 3, Raise, Info, 3, 0),
        row(6, 3, Resolve, Over, 3, 1),
        row(7, 4, Raise, Info, 4, 0),
        row(8, 5, Raise, Info, 5, 0),
        row(9, 6, Raise, Info, 6, 0),
    ]);
    let kept: Vec<u64> = bench.stored().iter().map(|row| row.0).collect();
    assert_eq!(kept, [1, 2, 7, 8, 9], "what was attempted or is open stays, though the queue is full");
    assert_eq!(bench.queue.status().folded, 2);
}

#[test]
fn a_full_queue_drops_what_is_said_of_changes_before_any_alert_and_never_what_was_attempted() {
    let mut bench = Bench::new(Limits { max_rows: 3, ..Limits::default() }, Vec::new());
    bench.push([said(1, "api")]);
    assert_eq!(bench.seqs(0), [[1]]);
    bench.push([row(2, 1, Raise, Info, 2, 0), row(3, 1, Resolve, Over, 2, 1)]);
    bench.push([said(4, "api"), said(5, "web"), row(6, 2, Raise, Info, 6, 0)]);
    let left: Vec<u64> = bench.queue.rows.keys().copied().collect();
    assert_eq!((left, bench.queue.status().folded), (vec![1, 6], 3), "the attempt and the open alert stay");
    let removed: Vec<_> = bench.changes.iter().filter(|change| matches!(change, Change::Remove(_))).collect();
    assert_eq!(removed, [4, 5, 2, 3].map(Change::Remove).iter().collect::<Vec<_>>());
}

#[test]
fn of_a_sink_that_is_gone_for_good_nothing_is_left() {
    let mut bench = forgetful();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]).plan(0);
    bench.queue.handle(1, vec![accepted(), refused()], at(0), &mut bench.changes);
    bench.queue.committed();
    bench.push([row(3, 1, Update, Critical, 1, 1), row(4, 3, Raise, Info, 3, 0)]).plan(1);
    bench.push([row(5, 1, Resolve, Over, 1, 2)]);
    let mut changes = Vec::new();
    let rows = bench.queue.forsake(&mut changes);
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4, 5], "under way or not");
    let sink = || SinkName::new("oncall");
    let expected = [
        Change::Unstand(sink(), key(1)),
        Change::Unrefused(sink(), key(2)),
        Change::Remove(3),
        Change::Remove(4),
        Change::Remove(5),
    ];
    assert_eq!(changes, expected);
}
