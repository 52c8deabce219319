//! Single rules of the queue; `world` drives it at random against a peer and a store that lose things.

use super::*;
use crate::model::DeliveryKind::{Change as Update, Raise, Resolve};
use crate::model::Status::{Critical, Info, Ok as Over, Warning};
use crate::model::{KeyHash, Reason, RuleName, Status};
use crate::sink::attempt::Outcome;
use crate::sink::budget::Budget;
use crate::sink::sample::{change, row};
use crate::sink::standing::Resend;
use crate::sink::stdout::content_json;

mod left_out;
mod outcome;
mod world;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

/// The key of what [`row`] makes.
fn key(key: u8) -> AlertKey {
    AlertKey { rule: RuleName::new("r"), hash: KeyHash([key; 16]) }
}

fn accepted() -> Outcome {
    Outcome::Accepted { note: String::new() }
}

fn refused() -> Outcome {
    Outcome::Dead { why: "no".to_owned() }
}

fn retry() -> Outcome {
    Outcome::Retry { after: None, why: "down".to_owned() }
}

fn suspend() -> Outcome {
    Outcome::Suspend { why: "bad key".to_owned() }
}

/// A queue with what it emitted; every commit is immediate unless a case says otherwise.
struct Bench {
    queue: Queue,
    changes: Vec<Change>,
}

impl Bench {
    fn new(limits: Limits, rows: Vec<Delivery>) -> Bench {
        Bench { queue: Queue::new(SinkName::new("oncall"), limits, 7, rows), changes: Vec::new() }
    }

    fn wide() -> Bench {
        Bench::new(Limits { concurrency: 100, ..Limits::default() }, Vec::new())
    }

    fn push(&mut self, rows: impl IntoIterator<Item = Delivery>) -> &mut Bench {
        for row in rows {
            self.queue.push(row, &mut self.changes);
        }
        self
    }

    fn plan(&mut self, now: i64) -> Vec<Attempt> {
        self.queue.plan(at(now), &mut self.changes)
    }

    /// The `seq`s of what is planned now, attempt by attempt.
    fn seqs(&mut self, now: i64) -> Vec<Vec<u64>> {
        let attempts = self.plan(now);
        attempts.iter().map(|a| a.deliveries.iter().map(|row| row.seq).collect()).collect()
    }

    fn handle(&mut self, attempt: u64, outcome: Outcome, now: i64) -> &mut Bench {
        self.queue.handle(attempt, vec![outcome], at(now), &mut self.changes);
        self
    }

    /// What the store would hold for an outbox that began empty.
    fn stored(&self) -> Vec<(u64, DeliveryKind, Status, bool)> {
        let mut rows = BTreeMap::new();
        for change in &self.changes {
            match change {
                Change::Put(row) => {
                    let (kind, t) = row.alert().expect("all are of alerts");
                    rows.insert(row.seq, (row.seq, kind, t.status, row.attempted));
                }
                Change::Remove(seq) => {
                    rows.remove(seq);
                }
                Change::Dead(letter) => {
                    rows.remove(&letter.delivery.seq);
                }
                Change::Stand(_) | Change::Unstand(..) | Change::Refused(_) | Change::Unrefused(..) => {}
            }
        }
        rows.into_values().collect()
    }
}

#[test]
fn rows_of_a_digest_go_one_by_one_while_the_budget_lasts_and_then_together() {
    let budget = Budget { tokens: 1, per: Duration::from_secs(10), burst: 3 };
    let limits = Limits { unit: 4, digest: true, budgets: vec![budget], ..Limits::default() };
    let mut bench = Bench::new(limits, Vec::new());
    let raised = |seqs: std::ops::Range<u64>| seqs.map(|seq| row(seq, seq as u8, Raise, Warning, seq, 0));
    let mut attempt = 0;
    let mut next = |bench: &mut Bench, now: i64| {
        let seqs = bench.seqs(now).concat();
        attempt += 1;
        let outcomes = vec![accepted(); seqs.len()];
        bench.queue.handle(attempt, outcomes, at(now), &mut bench.changes);
        bench.queue.committed();
        seqs
    };
    bench.push(raised(1..4));
    for alone in 1..4 {
        assert_eq!(next(&mut bench, 100), [alone], "there is a send for each");
    }
    bench.push(raised(4..10));
    assert!(bench.seqs(109).is_empty());
    assert_eq!(next(&mut bench, 110), [4, 5, 6, 7], "six are ready, and there is one send");
    assert_eq!(next(&mut bench, 130), [8], "two are ready, and there are two sends");
    assert_eq!(next(&mut bench, 130), [9]);
}

#[test]
fn the_next_row_of_a_key_waits_until_the_end_of_the_one_before_is_durable() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Warning, 1, 0), row(2, 1, Resolve, Over, 1, 1)]);
    assert_eq!(bench.seqs(0), [[1]]);
    assert!(bench.seqs(0).is_empty());
    bench.handle(1, accepted(), 0);
    assert!(bench.seqs(0).is_empty() && bench.queue.wants_commit());
    assert_eq!(bench.queue.next_wake(), None);
    bench.queue.committed();
    assert!(!bench.queue.wants_commit());
    assert_eq!(bench.seqs(0), [[2]]);
    bench.handle(2, accepted(), 0).queue.committed();
    assert_eq!(bench.stored(), []);
    assert_eq!(bench.queue.lanes.len(), 0);
}

#[test]
fn a_row_is_marked_before_its_first_attempt_and_only_then() {
    let mut bench = Bench::wide();
    bench.push([row(1, 1, Raise, Warning, 1, 0)]);
    assert_eq!(bench.stored(), [(1, Raise, Warning, false)]);
    let attempt = bench.plan(0).remove(0);
    assert!(attempt.deliveries[0].attempted);
    assert_eq!(bench.stored(), [(1, Raise, Warning, true)]);
    let emitted = bench.changes.len();
    bench.handle(attempt.id, retry(), 0);
    assert_eq!(bench.plan(10)[0].number, 2);
    assert_eq!(bench.changes.len(), emitted);
}

/// A peer that is told again every minute, and of ends for five.
fn forgetful() -> Bench {
    let resend = Resend {
        every: Duration::from_secs(60),
        over_for: Duration::from_secs(300),
        hold: Some(Duration::from_secs(600)),
    };
    Bench::new(Limits { unit: 10, concurrency: 2, resend: Some(resend), ..Limits::default() }, Vec::new())
}

impl Bench {
    /// Everything that is sent up to `until` if it is accepted at once: when, whether again, and the numbers.
    fn accepted_until(&mut self, from: i64, until: i64) -> Vec<(i64, bool, Vec<u64>)> {
        let (mut sent, mut now) = (Vec::new(), at(from));
        loop {
            for attempt in self.queue.plan(now, &mut self.changes) {
                let rows = attempt.deliveries.iter().map(|row| row.seq).collect();
                sent.push((now.as_secs(), attempt.purpose == Purpose::Again, rows));
                let outcomes = vec![accepted(); attempt.deliveries.len()];
                self.queue.handle(attempt.id, outcomes, now, &mut self.changes);
            }
            self.queue.committed();
            let wake = self.queue.next_wake();
            assert!(wake.is_none_or(|wake| wake > now || !self.queue.ready.is_empty()), "invariant 7");
            match wake {
                Some(wake) if wake <= at(until) => now = now.max(wake),
                _ => return sent,
            }
        }
    }
}

#[test]
fn a_peer_that_forgets_is_told_again_what_fires_and_for_a_while_what_is_over() {
    let mut bench = forgetful();
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]);
    assert_eq!(bench.accepted_until(0, 70), [(0, false, vec![1, 2]), (60, true, vec![1, 2])]);
    bench.push([row(3, 1, Update, Critical, 1, 1), row(4, 2, Resolve, Over, 2, 1)]);
    let sent = bench.accepted_until(100, 500);
    // From then on the news is what is told again; the end no longer than it has to be.
    let expected = [
        (100, false, vec![4, 3]),
        (160, true, vec![3, 4]),
        (220, true, vec![3, 4]),
        (280, true, vec![3, 4]),
        (340, true, vec![3, 4]),
        (400, true, vec![3]),
        (460, true, vec![3]),
    ];
    assert_eq!(sent, expected);
    let standing: Vec<_> = bench
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Stand(row) => Some((row.delivery.seq, true)),
            Change::Unstand(_, gone) => Some((u64::from(gone.hash.0[0]), false)),
            _ => None,
        })
        .collect();
    assert_eq!(standing, [(1, true), (2, true), (4, true), (3, true), (2, false)]);
    let held: Vec<_> = bench.queue.hold().iter().map(|attempt| (attempt.id, attempt.purpose)).collect();
    assert_eq!(held, [(HOLD, Purpose::Hold(Duration::from_secs(600)))]);
}

#[test]
fn what_stood_before_a_restart_is_told_again_at_once_and_to_a_peer_that_remembers_never() {
    let stood = || vec![SavedStanding { delivery: row(1, 1, Raise, Info, 1, 0), until: Timestamp::MAX }];
    let mut bench = forgetful();
    bench.queue.stand(stood());
    assert_eq!(bench.accepted_until(500, 570), [(500, true, vec![1]), (560, true, vec![1])]);
    let mut other = Bench::wide();
    other.queue.stand(stood());
    assert_eq!(other.queue.next_wake(), None);
    other.queue.retune(Limits::default(), &mut other.changes);
    assert!(matches!(&other.changes[..], [Change::Unstand(..)]), "{:?}", other.changes);
}

#[test]
fn news_of_an_alert_wait_for_what_is_told_again_and_that_is_not_told_before_them() {
    let mut bench = forgetful();
    bench.push([row(1, 1, Raise, Info, 1, 0)]);
    bench.accepted_until(0, 10);
    let again = bench.plan(60).remove(0);
    assert_eq!(again.purpose, Purpose::Again);
    bench.push([row(2, 1, Resolve, Over, 1, 1)]);
    assert!(bench.plan(61).is_empty(), "it could arrive first");
    // Whatever became of it: the news go.
    bench.handle(again.id, retry(), 62);
    let end = bench.plan(63).remove(0);
    assert_eq!((end.purpose, end.deliveries[0].seq), (Purpose::Owed, 2));
    // While the end is on its way, nothing says that it fires.
    assert!(bench.plan(200).is_empty());
    bench.handle(end.id, retry(), 201);
    assert!(bench.plan(201).iter().all(|attempt| attempt.purpose == Purpose::Owed));
}

#[test]
fn a_digest_without_a_budget_goes_row_by_row() {
    let limits = Limits { digest: true, unit: 10, concurrency: 10, ..Limits::default() };
    let mut bench = Bench::new(limits, Vec::new());
    bench.push([row(1, 1, Raise, Info, 1, 0), row(2, 2, Raise, Info, 2, 0)]);
    assert_eq!(bench.seqs(0), [[1], [2]]);
}

#[test]
fn a_resolve_goes_before_raises_and_a_critical_raise_before_others() {
    let mut bench = Bench::new(
        Limits { concurrency: 9, ..Limits::default() },
        vec![
            row(1, 1, Update, Info, 1, 1),
            row(2, 2, Raise, Warning, 2, 0),
            row(3, 3, Raise, Critical, 3, 0),
            row(4, 4, Resolve, Over, 4, 1),
            row(5, 5, Raise, Info, 5, 0),
        ],
    );
    assert_eq!(bench.seqs(0), [[4], [3], [2], [5], [1]]);
}

#[test]
fn a_unit_holds_rows_of_different_keys_and_each_has_its_outcome() {
    let limits = Limits { unit: 3, ..Limits::default() };
    let mut bench = Bench::new(limits, Vec::new());
    bench.push((1..=4).map(|n| row(n, u8::try_from(n).unwrap(), Raise, Info, n, 0)));
    bench.push([row(5, 1, Resolve, Over, 1, 1)]);
    assert_eq!(bench.seqs(0), [[1, 2, 3]]);
    bench.queue.handle(1, vec![accepted(), refused()], at(0), &mut bench.changes);
    assert_eq!(
        bench.stored(),
        [(3, Raise, Info, true), (4, Raise, Info, false), (5, Resolve, Over, false)],
        "a missing outcome counts as retry"
    );
    bench.queue.committed();
    assert_eq!(bench.seqs(0), [[5, 4]]);
    assert_eq!(bench.queue.status().dead, 1);
}

/// A queue whose units may wait ten seconds for more rows.
fn patient(limits: Limits) -> Bench {
    Bench::new(Limits { linger: Duration::from_secs(10), ..limits }, Vec::new())
}

/// The raise of key `n`.
fn raised(n: u8) -> Delivery {
    row(n.into(), n, Raise, Info, n.into(), 0)
}

#[test]
fn a_unit_that_is_not_full_waits_for_more_and_a_full_one_goes_at_once() {
    let mut bench = patient(Limits { unit: 3, concurrency: 9, ..Limits::default() });
    bench.push([raised(1)]);
    assert_eq!(bench.queue.next_wake(), Some(Timestamp::MIN), "nobody has seen it yet");
    assert!(bench.seqs(100).is_empty());
    assert_eq!(bench.queue.next_wake(), Some(at(110)));
    bench.push([raised(2)]);
    assert!(bench.seqs(104).is_empty());
    assert_eq!(bench.queue.next_wake(), Some(at(110)), "the oldest counts");
    assert_eq!(bench.seqs(110), [[1, 2]]);
    bench.push([raised(3), raised(4), raised(5), raised(6)]);
    assert_eq!(bench.seqs(111), [[3, 4, 5]], "and one is left");
    assert_eq!(bench.queue.next_wake(), Some(at(121)));
    assert_eq!(bench.seqs(121), [[6]]);
}

#[test]
fn a_resolve_waits_no_longer_than_a_raise_and_what_was_tried_waits_no_more() {
    let mut bench = patient(Limits { unit: 3, concurrency: 9, ..Limits::default() });
    bench.push([raised(1)]).plan(0);
    assert_eq!(bench.seqs(10), [[1]]);
    bench.push([row(2, 1, Resolve, Over, 1, 1)]).plan(12);
    bench.handle(1, accepted(), 20).queue.committed();
    assert!(bench.seqs(21).is_empty());
    assert_eq!(bench.seqs(22), [[2]], "it was owed since 12");
    bench.handle(2, retry(), 22);
    let wake = bench.queue.next_wake().unwrap();
    assert!(wake <= at(23), "{wake}");
    assert_eq!(bench.queue.plan(wake, &mut bench.changes).len(), 1);
}

#[test]
fn a_row_of_a_full_unit_that_is_tried_again_by_itself_does_not_wait_for_company() {
    let mut bench = patient(Limits { unit: 2, ..Limits::default() });
    bench.push([raised(1), raised(2)]);
    assert_eq!(bench.seqs(0), [[1, 2]]);
    bench.queue.handle(1, vec![accepted(), retry()], at(0), &mut bench.changes);
    bench.queue.committed();
    let wake = bench.queue.next_wake().unwrap();
    assert!(wake <= at(1), "{wake}: what it is told with was told long ago");
    assert_eq!(bench.seqs(1), [[2]]);
}

#[test]
fn bytes_bound_a_unit_and_a_row_that_is_larger_goes_alone() {
    let bytes = content_json(&raised(1).content).len();
    let long = |n: u8| {
        let mut row = raised(n);
        if let Content::Alert(_, transition) = &mut row.content {
            transition.description = "x".repeat(3 * bytes);
        }
        row
    };
    let limits = Limits { unit: 9, unit_bytes: 2 * bytes, concurrency: 9, ..Limits::default() };
    let mut bench = patient(limits.clone());
    bench.push([raised(1), raised(2), raised(3), long(4), raised(5)]);
    assert_eq!(bench.seqs(0), [vec![1, 2], vec![3], vec![4]]);
    assert_eq!(bench.seqs(10), [[5]]);
    bench.push([raised(6), raised(7)]);
    let wide = Limits { unit_bytes: usize::MAX, linger: Duration::ZERO, ..limits };
    bench.queue.retune(wide, &mut Vec::new());
    assert_eq!(bench.seqs(10), [[6, 7]]);
}

#[test]
fn what_was_owed_before_a_restart_has_waited_long_enough() {
    let limits = Limits { unit: 3, linger: Duration::from_secs(10), ..Limits::default() };
    let mut bench = Bench::new(limits, vec![raised(1)]);
    bench.push([raised(2)]);
    assert_eq!(bench.seqs(0), [[1, 2]]);
}

#[test]
fn other_limits_count_what_was_sent() {
    let budget = Budget { tokens: 1, per: Duration::from_secs(10), burst: 1 };
    let limits = Limits { concurrency: 9, budgets: vec![budget], ..Limits::default() };
    let mut bench = Bench::new(
        limits.clone(),
        (1..=3).map(|n| row(n, u8::try_from(n).unwrap(), Raise, Info, n, 0)).collect(),
    );
    assert_eq!(bench.seqs(0), [[1]]);
    assert_eq!(bench.queue.next_wake(), Some(at(10)));
    bench.queue.retune(Limits { budgets: vec![Budget { burst: 2, ..budget }], ..limits }, &mut Vec::new());
    assert_eq!(bench.seqs(0), [[2]]);
    assert_eq!(bench.queue.next_wake(), Some(at(10)));
}

#[test]
fn an_urgent_row_goes_by_itself_past_those_that_wait_for_a_commit() {
    let mut bench = Bench::new(Limits::default(), Vec::new());
    bench.push([row(1, 1, Raise, Critical, 1, 1), row(2, 2, Raise, Critical, 2, 1)]);
    assert_eq!(bench.seqs(0), [[1]]);
    bench.push([row(3, 3, Raise, Critical, 3, 1)]);
    assert_eq!(bench.seqs(0), [[0; 0]; 0], "one is in flight");
    let urgent = key(3);
    let mut ask = |now| bench.queue.plan_urgent(|key| *key == urgent, at(now), &mut bench.changes);
    let attempt = ask(0).unwrap();
    assert_eq!(attempt.deliveries.iter().map(|row| row.seq).collect::<Vec<_>>(), [3]);
    assert_eq!(ask(0), None, "it is under way");
    bench.handle(attempt.id, retry(), 0);
    let mut ask = |now| bench.queue.plan_urgent(|key| *key == urgent, at(now), &mut bench.changes);
    assert_eq!(ask(0), None, "it has failed and waits");
    assert!(ask(5).is_some());
}

/// The row says of the change `api` or of another one that it is done.
fn said(seq: u64, of: &str) -> Delivery {
    change(seq, of, ChangeStatus::Done)
}

#[test]
fn what_is_said_of_a_change_goes_in_its_order_and_behind_what_is_said_of_alerts() {
    let mut bench = Bench::wide();
    bench.push([said(1, "api"), said(2, "api"), said(3, "web"), row(4, 1, Raise, Info, 4, 0)]);
    assert_eq!(bench.seqs(0), [[4], [1], [3]]);
    bench.handle(2, accepted(), 0);
    assert!(bench.seqs(0).is_empty(), "the end of the first is not durable");
    bench.queue.committed();
    assert_eq!(bench.seqs(0), [[2]]);
    bench.handle(1, accepted(), 0).handle(3, accepted(), 0).handle(4, accepted(), 0);
    bench.queue.committed();
    assert_eq!((bench.queue.status().queued, bench.queue.status().accepted), (0, 4));
    // The alert is open, and nothing is remembered of changes.
    assert_eq!(bench.queue.lanes.len(), 1);
}

#[test]
fn what_was_owed_of_changes_is_owed_after_a_restart() {
    let attempted = Delivery { attempted: true, ..said(1, "api") };
    let mut bench = Bench::new(Limits { max_rows: 1, ..Limits::default() }, vec![said(2, "api"), attempted]);
    bench.push([said(3, "web")]);
    assert_eq!(bench.queue.rows.keys().copied().collect::<Vec<_>>(), [1]);
    assert_eq!(bench.seqs(0), [[1]]);
}

#[test]
fn where_order_is_everything_the_oldest_row_goes_first_and_holds_up_the_rest() {
    let limits = Limits { in_order: true, concurrency: 4, unit: 4, ..Limits::default() };
    let mut bench = Bench::new(limits, Vec::new());
    bench.push([
        row(1, 1, Raise, Info, 1, 0),
        change(2, "api-1", ChangeStatus::Processing),
        row(3, 2, Raise, Critical, 1, 0),
        row(4, 1, Resolve, Over, 1, 1),
        change(5, "api-1", ChangeStatus::Done),
    ]);
    let said = |attempts: Vec<Attempt>| -> Vec<(u64, bool, Option<u64>)> {
        let end = |attempt: &Attempt| attempt.before.end.as_ref().map(|row| row.seq);
        attempts.iter().map(|a| (a.deliveries[0].seq, a.before.again, end(a))).collect()
    };
    assert_eq!(said(bench.plan(0)), [(1, false, Some(4))]);
    bench.queue.committed();
    assert_eq!((said(bench.plan(0)), bench.queue.next_wake()), (vec![], None));
    // The answer was lost: nothing else goes before it, and it is not said again blindly.
    bench.handle(1, retry(), 0);
    let wake = bench.queue.next_wake().expect("it is tried again");
    assert!(wake > at(0));
    assert_eq!(said(bench.plan(0)), []);
    assert_eq!(said(bench.plan(wake.as_secs() + 1)), [(1, true, Some(4))]);
    bench.handle(2, accepted(), 2);
    assert_eq!(said(bench.plan(2)), [(2, false, Some(5))]);
    bench.handle(3, suspend(), 2);
    // The row that tries whether the sink is back is the oldest, too.
    assert_eq!(said(bench.plan(500)), [(2, true, Some(5))]);
    bench.handle(4, accepted(), 500);
    bench.queue.committed();
    for (attempt, expected) in [(5, (3, false, None)), (6, (4, false, None)), (7, (5, false, None))] {
        assert_eq!(said(bench.plan(501)), [expected]);
        bench.handle(attempt, accepted(), 501);
        bench.queue.committed();
    }
    // What another process attempted may have arrived.
    let attempted = Delivery { attempted: true, ..row(9, 1, Raise, Info, 1, 0) };
    let mut bench = Bench::new(Limits { in_order: true, ..Limits::default() }, vec![attempted]);
    assert_eq!(said(bench.plan(0)), [(9, true, None)]);
}

#[test]
fn queues_of_one_seed_that_fail_at_one_moment_are_tried_again_at_different_ones() {
    let wakes = |seed: u64| -> BTreeSet<Timestamp> {
        let wake = |n: u32| {
            let name = SinkName::new(format!("am/10.0.0.{n}:9093"));
            let mut queue = Queue::new(name, Limits::default(), seed, Vec::new());
            let mut changes = Vec::new();
            queue.push(raised(1), &mut changes);
            let attempt = queue.plan(at(0), &mut changes).remove(0);
            queue.handle(attempt.id, vec![retry()], at(0), &mut changes);
            queue.next_wake().expect("it is tried again")
        };
        (1..=9).map(wake).collect()
    };
    assert_eq!(wakes(1).len(), 9);
    assert_eq!(wakes(1), wakes(1), "the same seed and the same name wait the same");
    assert_ne!(wakes(1), wakes(2));
}

/// When a queue of that seed sends what is owed at `time`.
fn sent_at(seed: u64, shuns_half_hours: bool, time: Timestamp) -> Timestamp {
    let limits = Limits { shuns_half_hours, ..Limits::default() };
    let mut queue = Queue::new(SinkName::new("night"), limits, seed, Vec::new());
    queue.push(raised(1), &mut Vec::new());
    if !queue.plan(time, &mut Vec::new()).is_empty() {
        return time;
    }
    let wake = queue.next_wake().unwrap();
    assert!(wake > time, "{wake} does not lie ahead of {time}");
    assert_eq!(queue.plan(wake, &mut Vec::new()).len(), 1, "{wake}");
    wake
}

#[test]
fn the_first_seconds_of_each_half_hour_are_left_to_others() {
    let half = 30 * 60;
    let mut waits = BTreeSet::new();
    for seed in 0..20 {
        for begin in [0, half, 7 * half, 1_000_000 * half, -half] {
            let sent = sent_at(seed, true, at(begin));
            let wait = sent.since(at(begin));
            assert!((SHUNNED.0..=SHUNNED.1).contains(&wait), "{begin} {sent}");
            waits.insert(wait);
            // Whoever comes later waits no longer than whoever was there.
            assert_eq!(sent_at(seed, true, at(begin + 1)), sent);
            for free in [begin - 1, begin + 10, begin + half / 2, begin + half - 1] {
                assert_eq!(sent_at(seed, true, at(free)), at(free));
            }
            assert_eq!(sent_at(seed, false, at(begin)), at(begin));
        }
    }
    assert!(waits.len() == 20, "each queue has its own: {waits:?}");
}

#[test]
fn a_wake_up_that_falls_on_a_half_hour_comes_after_its_first_seconds() {
    let limits = Limits { shuns_half_hours: true, ..Limits::default() };
    let mut bench = Bench::new(limits, Vec::new());
    bench.push([raised(1)]);
    assert_eq!(bench.seqs(1_799), [[1]]);
    bench.handle(1, Outcome::Retry { after: Some(Duration::from_secs(1)), why: String::new() }, 1_799);
    let wake = bench.queue.next_wake().unwrap();
    assert!(wake >= at(1_802) && wake <= at(1_810), "{wake}");
}
