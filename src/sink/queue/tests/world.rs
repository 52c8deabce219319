//! A world round the queue: rules that go through episodes, a store that loses what was not committed, a peer that
//! accepts, fails and refuses, and crashes at any instant.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use crate::model::{Episode, Status};
use crate::sink::attempt::Outcome;
use crate::sink::budget::Budget;
use crate::sink::sample::row;
use crate::sink::stdout::content_json;

const KEYS: u8 = 4;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The key moves on to this status.
    Move(u8, Status),
    Plan,
    /// The outcome of one attempt in flight.
    Answer(u8, u8),
    Commit,
    /// Seconds pass.
    Pass(u16),
    /// The process dies; attempts in flight arrive or not.
    Crash(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = prop_oneof![
        3 => Just(Status::Ok),
        1 => Just(Status::Info),
        1 => Just(Status::Warning),
        1 => Just(Status::Critical)
    ];
    let step = prop_oneof![
        8 => (0..KEYS, status).prop_map(|(key, status)| Step::Move(key, status)),
        6 => Just(Step::Plan),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Step::Answer(which, what)),
        4 => Just(Step::Commit),
        3 => (0_u16..400).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 0..200)
}

/// What the rules know of a key; part of the same commit as the outbox.
#[derive(Clone, Copy, Default)]
struct Alert {
    status: Status,
    episode: u64,
    step: u32,
}

#[derive(Clone, Default)]
struct Durable {
    alerts: BTreeMap<u8, Alert>,
    outbox: BTreeMap<u64, Delivery>,
    dead: Vec<Delivery>,
    refused: BTreeMap<AlertKey, Refused>,
    next_seq: u64,
}

impl Durable {
    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(row) => {
                    if let Some(old) = self.outbox.insert(row.seq, row.clone()) {
                        let same = Delivery { attempted: false, ..old.clone() }
                            == Delivery { attempted: false, ..row.clone() };
                        assert!(!old.attempted || same, "an attempted row changed");
                    }
                }
                Change::Remove(seq) => {
                    self.outbox.remove(seq);
                }
                Change::Dead(letter) => {
                    self.outbox.remove(&letter.delivery.seq);
                    self.dead.push(letter.delivery.clone());
                }
                Change::Refused(row) => drop(self.refused.insert(row.key.clone(), row.clone())),
                Change::Unrefused(_, key) => drop(self.refused.remove(key)),
                Change::Stand(_) | Change::Unstand(..) => {}
            }
        }
    }
}

/// What arrived at the peer, per key.
#[derive(Default)]
struct Shown {
    open: Option<(Episode, Status)>,
    /// Highest (episode, step) that ever arrived, and whether it was a resolve.
    newest: Option<(Episode, u32)>,
}

struct World {
    limits: Limits,
    /// Whether the peer may refuse rows for good.
    refusing: bool,
    now: Timestamp,
    queue: Queue,
    durable: Durable,
    /// As the process sees it, ahead of `durable`.
    alerts: BTreeMap<u8, Alert>,
    next_seq: u64,
    changes: Vec<Change>,
    /// Planned, waiting for the commit that must come before sending.
    planned: Vec<Attempt>,
    in_flight: Vec<Attempt>,
    peer: BTreeMap<AlertKey, Shown>,
    /// When attempts left, since the last start.
    sent: Vec<Timestamp>,
    /// When each row was there to be planned first; rows of before a crash: always.
    seen: BTreeMap<u64, Timestamp>,
}

impl World {
    fn new(limits: Limits, refusing: bool) -> World {
        World {
            queue: Queue::new(SinkName::new("oncall"), limits.clone(), 1, Vec::new()),
            limits,
            refusing,
            now: Timestamp::from_secs(1_000_000),
            durable: Durable { next_seq: 1, ..Durable::default() },
            alerts: BTreeMap::new(),
            next_seq: 1,
            changes: Vec::new(),
            planned: Vec::new(),
            in_flight: Vec::new(),
            peer: BTreeMap::new(),
            sent: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Move(key, status) => self.shift(key, status),
            Step::Plan => {
                let single = self.queue.closed();
                let tried: Vec<u64> = self
                    .queue
                    .rows
                    .values()
                    .filter(|row| row.tries > 0)
                    .map(|row| row.delivery.seq)
                    .collect();
                for seq in self.queue.rows.keys() {
                    self.seen.entry(*seq).or_insert(self.now);
                }
                let attempts = self.queue.plan(self.now, &mut self.changes);
                if !single {
                    self.check_units(&attempts, &tried);
                }
                self.sent.extend(attempts.iter().map(|_| self.now));
                self.planned.extend(attempts);
                assert!(self.planned.len() + self.in_flight.len() <= self.limits.concurrency);
                assert!(self.queue.next_wake().is_none_or(|wake| wake > self.now), "invariant 7");
                self.check_budget();
            }
            Step::Answer(which, what) => {
                if !self.in_flight.is_empty() {
                    let attempt = self.in_flight.remove(usize::from(which) % self.in_flight.len());
                    self.answer(attempt, what);
                }
            }
            Step::Commit => self.commit(),
            Step::Pass(seconds) => self.now = self.now.plus(Duration::from_secs(seconds.into())),
            Step::Crash(arrive) => self.crash(arrive),
        }
    }

    /// A unit is within its bounds, and goes when it is full or one of its rows has waited long enough, no later.
    fn check_units(&self, attempts: &[Attempt], tried: &[u64]) {
        let Limits { unit, unit_bytes, linger, concurrency, in_order, .. } = self.limits;
        if in_order {
            // There is no company to wait for: the oldest goes alone, and all others wait for it.
            let oldest = self.queue.rows.keys().next();
            let alone = |attempt: &Attempt| attempt.deliveries.iter().map(|row| &row.seq).eq(oldest);
            assert!(attempts.iter().all(alone), "{attempts:?}");
            return;
        }
        let waited = |seq: &u64| tried.contains(seq) || self.now >= self.seen[seq].plus(linger);
        let left: Vec<&u64> =
            self.queue.ready.iter().map(|(_, seq)| seq).filter(|seq| !self.queue.rows[*seq].alone).collect();
        for (n, attempt) in attempts.iter().enumerate() {
            let rows = &attempt.deliveries;
            let bytes: usize = rows.iter().map(|row| content_json(&row.content).len()).sum();
            assert!(
                rows.len() <= unit && (rows.len() == 1 || bytes <= unit_bytes),
                "{bytes} bytes in {rows:?}"
            );
            // What went after it did not fit any more.
            let others = n + 1 < attempts.len() || !left.is_empty();
            let full = rows.len() == unit || bytes >= unit_bytes || others;
            assert!(
                full || self.queue.rows[&rows[0].seq].alone || rows.iter().any(|row| waited(&row.seq)),
                "too early: {rows:?}"
            );
        }
        let free = self.queue.in_flight.len() < concurrency
            && self.queue.meter.free_at() <= self.now
            && self.queue.hold <= self.now;
        assert!(!free || !left.into_iter().any(waited), "one has waited too long");
    }

    fn shift(&mut self, key: u8, status: Status) {
        let alert = self.alerts.entry(key).or_default();
        if alert.status == status {
            return;
        }
        let kind = match (alert.status, status) {
            (Status::Ok, _) => DeliveryKind::Raise,
            (_, Status::Ok) => DeliveryKind::Resolve,
            _ => DeliveryKind::Change,
        };
        let previous = std::mem::replace(&mut alert.status, status);
        (alert.episode, alert.step) = match kind {
            DeliveryKind::Raise => (self.next_seq, 0),
            _ => (alert.episode, alert.step + 1),
        };
        let mut delivery = row(self.next_seq, key, kind, status, alert.episode, alert.step);
        if let Content::Alert(_, transition) = &mut delivery.content {
            transition.previous = previous;
            transition.time = self.now;
        }
        self.next_seq += 1;
        self.queue.push(delivery, &mut self.changes);
    }

    fn commit(&mut self) {
        self.durable.apply(&std::mem::take(&mut self.changes));
        self.durable.alerts = self.alerts.clone();
        self.durable.next_seq = self.next_seq;
        self.queue.committed();
        for attempt in std::mem::take(&mut self.planned) {
            for sent in &attempt.deliveries {
                assert_eq!(self.durable.outbox.get(&sent.seq), Some(sent), "sent, but not owed");
                assert!(sent.attempted);
            }
            self.in_flight.push(attempt);
        }
    }

    fn answer(&mut self, attempt: Attempt, what: u8) {
        let outcome = match what % 8 {
            0 => Outcome::Retry { after: None, why: String::new() },
            1 => {
                // Arrived, but the answer was lost.
                attempt.deliveries.iter().for_each(|row| self.arrive(row));
                Outcome::Retry { after: Some(Duration::from_secs(u64::from(what))), why: String::new() }
            }
            2 => Outcome::Suspend { why: String::new() },
            3 if self.refusing => Outcome::Dead { why: String::new() },
            4 if self.refusing && what < 128 => Outcome::Shrink { why: String::new() },
            4 if self.refusing => Outcome::Alone { why: String::new() },
            _ => {
                attempt.deliveries.iter().for_each(|row| self.arrive(row));
                Outcome::Accepted { note: String::new() }
            }
        };
        let outcomes = vec![outcome; attempt.deliveries.len()];
        self.queue.handle(attempt.id, outcomes, self.now, &mut self.changes);
    }

    fn arrive(&mut self, row: &Delivery) {
        let Some((kind, t)) = row.alert() else { return };
        let refused = self.durable.refused.get(&t.key);
        assert!(
            kind != DeliveryKind::Resolve || refused.is_none_or(|row| row.episode != t.episode),
            "the end of what was refused: {}",
            row.id()
        );
        let shown = self.peer.entry(t.key.clone()).or_default();
        let id = (t.episode, t.step);
        assert!(
            shown.newest.is_none_or(|newest| newest <= id),
            "{} arrived after {:?}",
            row.id(),
            shown.newest
        );
        if shown.newest == Some(id) {
            return;
        }
        shown.newest = Some(id);
        let orderly = match kind {
            DeliveryKind::Raise => shown.open.is_none(),
            DeliveryKind::Change | DeliveryKind::Resolve => {
                shown.open.is_some_and(|open| open.0 == t.episode)
            }
            DeliveryKind::Beat => false,
        };
        assert!(orderly || self.refusing, "{:?} of {} while {:?}", kind, row.id(), shown.open);
        shown.open = (kind != DeliveryKind::Resolve).then_some((t.episode, t.status));
    }

    fn crash(&mut self, arrive: bool) {
        if arrive {
            for attempt in std::mem::take(&mut self.in_flight) {
                attempt.deliveries.iter().for_each(|row| self.arrive(row));
            }
        }
        self.in_flight.clear();
        self.planned.clear();
        self.changes.clear();
        self.sent.clear();
        self.alerts = self.durable.alerts.clone();
        self.next_seq = self.durable.next_seq;
        let rows = self.durable.outbox.values().cloned().collect();
        self.queue = Queue::new(SinkName::new("oncall"), self.limits.clone(), self.next_seq, rows);
        self.queue.refuse(self.durable.refused.values().cloned().collect());
        self.seen = self.queue.rows.keys().map(|seq| (*seq, Timestamp::MIN)).collect();
    }

    fn check_budget(&self) {
        let Some(last) = self.sent.last() else { return };
        for budget in &self.limits.budgets {
            for first in &self.sent {
                let within = self.sent.iter().filter(|sent| *sent >= first).count() as u128;
                let span = last.since(*first).as_micros();
                let allowed =
                    u128::from(budget.burst) + span * u128::from(budget.tokens) / budget.per.as_micros();
                assert!(within <= allowed, "{within} sends in {span} us");
            }
        }
    }

    /// The peer is well again and nothing more happens: everything owed arrives.
    fn drain(&mut self) {
        for _ in 0..2_000 {
            self.step(Step::Plan);
            self.commit();
            for attempt in std::mem::take(&mut self.in_flight) {
                self.answer(attempt, 7);
            }
            self.commit();
            match self.queue.next_wake() {
                Some(wake) => self.now = self.now.max(wake),
                None => break,
            }
        }
        assert_eq!(self.queue.status().queued, 0);
        assert!(self.durable.outbox.is_empty());
    }

    /// The peer shows what is true, or a dead letter says which row it refused. Whoever was told "firing" and not
    /// "resolved" refused the very resolve.
    fn check_end(&self) {
        for (key, alert) in &self.alerts {
            let key = super::key(*key);
            let open = self.peer.get(&key).and_then(|shown| shown.open);
            let truth = (alert.status != Status::Ok).then_some((alert.episode, alert.status));
            if open.map(|(episode, status)| (episode.0.offset, status)) == truth {
                continue;
            }
            let over = open.filter(|(episode, _)| Some(episode.0.offset) != truth.map(|truth| truth.0));
            let refused = self.durable.dead.iter().any(|row| {
                row.alert().is_some_and(|(kind, t)| {
                    t.key == key
                        && match over {
                            Some((episode, _)) => t.episode == episode && kind == DeliveryKind::Resolve,
                            None => t.episode.0.offset == alert.episode && kind != DeliveryKind::Resolve,
                        }
                })
            });
            assert!(refused, "{key} shows {open:?}, is {truth:?}");
        }
    }
}

fn run(limits: Limits, refusing: bool, steps: &[Step]) {
    let mut world = World::new(limits, refusing);
    for step in steps {
        world.step(*step);
    }
    world.drain();
    world.check_end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_the_peer_is_told_every_episode_in_order(
        steps in steps(),
        unit in 1_usize..4,
        // A row of these is about 450 bytes.
        unit_bytes in prop_oneof![Just(usize::MAX), 1_usize..1_500],
        linger in prop_oneof![Just(0), 1_u64..300],
        concurrency in 1_usize..4,
        breaker_after in 1_u32..6,
        tokens in 1_u32..20,
        burst in 1_u32..4,
        max_rows in 0_usize..8,
        max_age in 300_u64..20_000,
        in_order in any::<bool>(),
    ) {
        let (max_age, linger) = (Duration::from_secs(max_age), Duration::from_secs(linger));
        let budgets = vec![Budget { tokens, per: Duration::from_secs(60), burst }];
        let limits = Limits {
            unit,
            unit_bytes,
            linger,
            concurrency,
            breaker_after,
            budgets,
            max_rows,
            max_age,
            in_order,
            ..Limits::default()
        };
        run(limits, false, &steps);
    }

    #[test]
    fn refusals_lose_nothing_but_what_they_name(
        steps in steps(),
        max_rows in 0_usize..6,
        unit in 1_usize..4,
        linger in prop_oneof![Just(0), 1_u64..300],
        in_order in any::<bool>(),
    ) {
        let linger = Duration::from_secs(linger);
        run(Limits { max_rows, unit, linger, in_order, concurrency: 2, ..Limits::default() }, true, &steps);
    }
}
