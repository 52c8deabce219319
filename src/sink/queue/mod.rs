//! The queue of one sink: what is owed, in which order, and when it is tried. Pure.
//!
//! ```text
//! push ──▶ lanes (one per key, strictly in order) ──plan──▶ attempts ──▶ the courier
//!            ▲                                                              │
//!            └── committed ◀── changes for the store ◀──────── handle ◀── outcomes
//! ```
//!
//! A row is in flight only after the commit that marks it as attempted, and the next row of its key follows only
//! after the commit that removes it. So whatever a crash cuts off, a raise is not sent again once its resolve was
//! sent, and nothing owed is forgotten.
//!
//! Rows that are ready go together, as far as [`Limits`] allows. A unit that is not full may wait a while for more;
//! what has waited once, or was tried, waits no more.
//!
//! What is said of a change goes the same way, in the order of its key, and stands for itself: nothing of it is
//! coalesced, and it waits behind everything that is said of alerts.
//!
//! Here stand the order and the attempts; `row` is what is kept of each row, `left_out` what is owed and yet not said, and
//! `outcome` what an attempt comes to.

mod left_out;
mod outcome;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attempt::{Attempt, Before, Change, Limits, Purpose, QueueStatus};
use super::budget::Meter;
use super::standing::{Resend, Standing};
use crate::model::{
    AlertKey, ChangeStatus, Content, Delivery, DeliveryKind, SinkName, Status, Subject, Timestamp, micros,
};
use crate::saved::{Refused, SavedStanding};
use left_out::Alert;
use row::{Lane, Row, bytes_of};

/// The number of all attempts of [`Queue::hold`].
pub const HOLD: u64 = u64::MAX;

const HALF_HOUR: Duration = Duration::from_secs(30 * 60);

/// Least and most of the beginning of a half hour that [`Limits::shuns_half_hours`] leaves out.
const SHUNNED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// Least wait before a row is tried again, so that a wake-up always lies ahead.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// The queue of one sink. The same calls with the same seed give the same attempts.
#[derive(Debug)]
pub struct Queue {
    name: SinkName,
    limits: Limits,
    rng: fastrand::Rng,
    meter: Meter,
    rows: BTreeMap<u64, Row>,
    lanes: BTreeMap<Subject, Lane>,
    /// First rows of free lanes, by priority.
    ready: BTreeSet<(u8, u64)>,
    /// First rows of free lanes that wait for a time.
    later: BTreeSet<(Timestamp, u64)>,
    in_flight: BTreeMap<u64, Vec<u64>>,
    /// Rows that no `plan` has seen yet, if rows wait for more.
    fresh: Vec<u64>,
    settling: Vec<Subject>,
    /// What the peer is told again.
    standing: Standing,
    /// Attempts that tell it again, and of what.
    again: BTreeMap<u64, Vec<Subject>>,
    /// Raises that were never attempted and whose resolve is queued too.
    foldable: BTreeSet<u64>,
    /// What is said of changes and was never attempted.
    untried_changes: BTreeSet<u64>,
    next_attempt: u64,
    /// How often the peer has asked to be left alone since it took something.
    waits: u32,
    /// The last time that was told; before the first one, the beginning of time.
    clock: Timestamp,
    /// The whole sink waits until then: the peer's `Retry-After`.
    hold: Timestamp,
    /// How much of the beginning of a half hour is left out, for peers that want it so.
    shunned: Duration,
    /// Failures in a row, and what may be the next one: an attempt of that number or a later one that fails at that
    /// time or later. What fails together fails once.
    failures: u32,
    next_failure: (u64, Timestamp),
    breaker: bool,
    probe_at: Timestamp,
    last_probe: u64,
    /// The counts and texts; the fields that can be computed are filled in when asked.
    seen: QueueStatus,
}

impl Queue {
    /// A queue that goes on with the `rows` the store holds for the sink. The waits are drawn from `seed` and the name:
    /// queues of one seed that fail at the same moment are not all tried again at the same moment.
    pub fn new(name: SinkName, limits: Limits, seed: u64, mut rows: Vec<Delivery>) -> Queue {
        rows.sort_by_key(|delivery| delivery.seq);
        let mixed = |seed, byte: u8| fastrand::Rng::with_seed(seed ^ u64::from(byte)).u64(..);
        let seed = name.as_str().bytes().fold(seed, mixed);
        let [least, most] = [SHUNNED.0, SHUNNED.1].map(|span| micros(span).unsigned_abs());
        let shunned = fastrand::Rng::with_seed(!seed).u64(least..=most);
        let mut queue = Queue {
            name,
            meter: Meter::new(limits.budgets.clone()),
            limits,
            rng: fastrand::Rng::with_seed(seed),
            rows: BTreeMap::new(),
            lanes: BTreeMap::new(),
            ready: BTreeSet::new(),
            later: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            fresh: Vec::new(),
            settling: Vec::new(),
            standing: Standing::default(),
            again: BTreeMap::new(),
            foldable: BTreeSet::new(),
            untried_changes: BTreeSet::new(),
            next_attempt: 1,
            clock: Timestamp::MIN,
            hold: Timestamp::MIN,
            shunned: Duration::from_micros(shunned),
            waits: 0,
            failures: 0,
            next_failure: (0, Timestamp::MIN),
            breaker: false,
            probe_at: Timestamp::MIN,
            last_probe: 0,
            seen: QueueStatus::default(),
        };
        for delivery in rows {
            let subject = delivery.subject();
            queue.unlist(&subject);
            queue.append(delivery);
            queue.list(&subject);
        }
        // They have waited long enough.
        queue.fresh.clear();
        queue
    }

    /// Goes on with what the peer is told again.
    pub fn stand(&mut self, rows: Vec<SavedStanding>) {
        self.standing.restore(rows);
    }

    /// Goes on with what the peer refused.
    pub fn refuse(&mut self, refused: Vec<Refused>) {
        for Refused { key, episode, .. } in refused {
            let lane = self.lanes.entry(Subject::Alert(key)).or_insert_with(Lane::new);
            lane.shown = Some((episode, Status::Ok));
        }
    }

    /// Owes `delivery`; `seq` must be higher than any before. What makes an earlier row of the same episode
    /// needless, or is itself needless, is coalesced. A [`DeliveryKind::Beat`] is never owed and is ignored.
    pub fn push(&mut self, delivery: Delivery, changes: &mut Vec<Change>) {
        let subject = delivery.subject();
        self.unlist(&subject);
        match delivery.content {
            Content::Alert(DeliveryKind::Beat, _) => {}
            Content::Alert(kind, transition) => {
                let Delivery { seq, sink, attempted, .. } = delivery;
                self.merge(Alert { seq, sink, kind, transition, attempted }, changes);
            }
            Content::Change(_) => {
                changes.push(Change::Put(delivery.clone()));
                self.append(delivery);
            }
        }
        self.list(&subject);
        while self.rows.len() > self.limits.max_rows && (self.drop_change(changes) || self.fold(changes)) {}
    }

    /// The attempts to make now. Rows that were never attempted are marked and emitted: commit the changes
    /// **before** sending.
    pub fn plan(&mut self, now: Timestamp, changes: &mut Vec<Change>) -> Vec<Attempt> {
        self.clock = now;
        self.expire(changes);
        for seq in std::mem::take(&mut self.fresh) {
            if let Some(row) = self.rows.get_mut(&seq) {
                row.linger = now.plus(self.limits.linger);
            }
        }
        while let Some(&(due, seq)) = self.later.first().filter(|(due, _)| *due <= now) {
            self.later.remove(&(due, seq));
            self.ready.insert((self.rows[&seq].priority(), seq));
        }
        let mut attempts = Vec::new();
        if now < self.hold || now < self.unshunned(now) {
            return attempts;
        }
        if self.closed() {
            if self.in_flight.is_empty()
                && now >= self.probe_at
                && let Some(seq) = self.next_probe()
                && self.meter.take(now)
            {
                self.last_probe = seq;
                attempts.push(self.start(vec![seq], changes));
            }
            return attempts;
        }
        while self.has_room()
            && let Some((mut unit, due)) = self.next_unit()
            && due <= now
            && self.meter.take(now)
        {
            // Each by itself, as long as there is a send for each.
            if self.limits.digest && self.ready.len().saturating_sub(1) <= self.meter.left(now) {
                unit.truncate(1);
            }
            attempts.push(self.start(unit, changes));
        }
        if let Some(resend) = self.limits.resend {
            self.tell_again(resend, now, changes, &mut attempts);
        }
        attempts
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() + self.again.len() < self.limits.concurrency.max(1)
    }

    /// Attempts that tell the peer what it was told: nobody owes them, so nothing has to be durable for them.
    fn tell_again(
        &mut self,
        resend: Resend,
        now: Timestamp,
        changes: &mut Vec<Change>,
        attempts: &mut Vec<Attempt>,
    ) {
        while self.has_room() && self.standing.next().is_some_and(|next| next <= now) && self.meter.take(now)
        {
            let lanes = &self.lanes;
            let free = |key: &AlertKey| {
                let lane = lanes.get(&Subject::Alert(key.clone()));
                lane.is_none_or(|lane| !lane.busy && !lane.settling && lane.rows.is_empty())
            };
            let rows = self.standing.due(now, resend.every, self.limits.unit.max(1), free, changes);
            if rows.is_empty() {
                continue;
            }
            let subjects: Vec<Subject> = rows.iter().map(Delivery::subject).collect();
            // What is new of it waits until this is answered.
            for subject in &subjects {
                self.lanes.entry(subject.clone()).or_insert_with(Lane::new).busy = true;
            }
            let id = self.next_attempt;
            self.next_attempt += 1;
            self.again.insert(id, subjects);
            let sink = self.name.clone();
            attempts.push(Attempt {
                id,
                sink,
                deliveries: rows,
                number: 1,
                shrink: false,
                purpose: Purpose::Again,
                before: Before::default(),
            });
        }
    }

    /// What fires at a peer that forgets, to be told a last time before a stop; their outcomes need not be handled.
    pub fn hold(&self) -> Vec<Attempt> {
        let Some(hold) = self.limits.resend.and_then(|resend| resend.hold) else { return Vec::new() };
        let rows: Vec<&Delivery> = self.standing.firing().collect();
        let attempt = |rows: &[&Delivery]| Attempt {
            id: HOLD,
            sink: self.name.clone(),
            deliveries: rows.iter().copied().cloned().collect(),
            number: 1,
            shrink: false,
            purpose: Purpose::Hold(hold),
            before: Before::default(),
        };
        rows.chunks(self.limits.unit.max(1)).map(attempt).collect()
    }

    /// An attempt for the first row of the first key that `is_urgent`, by itself and beyond the limit of attempts in
    /// flight: for the one alert that must not wait behind rows which can not be made durable. Commit rules as in
    /// [`Queue::plan`], unless the caller knows better.
    pub fn plan_urgent(
        &mut self,
        is_urgent: impl Fn(&AlertKey) -> bool,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> Option<Attempt> {
        let free = |lane: &Lane| !lane.busy && !lane.settling && lane.not_before <= now;
        let urgent = |subject: &Subject| matches!(subject, Subject::Alert(key) if is_urgent(key));
        let (_, lane) = self.lanes.iter().find(|(subject, lane)| urgent(subject) && free(lane))?;
        let seq = *lane.rows.front()?;
        let may_go = !self.closed() && now >= self.hold && self.meter.take(now);
        may_go.then(|| self.start(vec![seq], changes))
    }

    /// Everything emitted so far is durable: the successors of rows that ended may go.
    pub fn committed(&mut self) {
        for subject in std::mem::take(&mut self.settling) {
            if let Some(lane) = self.lanes.get_mut(&subject) {
                lane.settling = false;
            }
            self.list(&subject);
        }
    }

    /// True if a row waits only for the end of its predecessor to become durable.
    pub fn wants_commit(&self) -> bool {
        self.settling.iter().any(|subject| self.lanes.get(subject).is_some_and(|lane| !lane.rows.is_empty()))
    }

    /// When to call [`Queue::plan`] again if nothing else happens; an instant in the past means now.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let ready = if self.limits.linger.is_zero() || !self.fresh.is_empty() {
            (!self.ready.is_empty()).then_some(Timestamp::MIN)
        } else {
            self.next_unit().map(|(_, due)| due)
        };
        let later = self.later.first().map(|(due, _)| *due);
        let owed = match self.limits.in_order {
            true => self.oldest().map(|(_, due)| due),
            false => [ready, later].into_iter().flatten().min(),
        };
        let due = if self.closed() {
            owed.filter(|_| self.in_flight.is_empty()).map(|_| self.probe_at)?
        } else {
            let again = self.standing.next().filter(|_| self.limits.resend.is_some());
            owed.into_iter().chain(again).min().filter(|_| self.has_room())?
        };
        Some(self.unshunned(due.max(self.hold).max(self.meter.free_at())))
    }

    /// The first moment from `time` on at which the peer may be sent something.
    fn unshunned(&self, time: Timestamp) -> Timestamp {
        if !self.limits.shuns_half_hours {
            return time;
        }
        // In the past means now.
        let time = time.max(self.clock);
        let begun = Duration::from_micros(time.0.rem_euclid(micros(HALF_HOUR)).unsigned_abs());
        time.plus(self.shunned.saturating_sub(begun))
    }

    /// Goes on with other limits; what was sent keeps counting against budgets.
    pub fn retune(&mut self, limits: Limits, changes: &mut Vec<Change>) {
        self.meter.retune(limits.budgets.clone());
        if limits.resend.is_none() {
            self.standing.clear(&self.name, changes);
        }
        self.limits = limits;
        for row in self.rows.values_mut() {
            row.bytes = bytes_of(&row.delivery, &self.limits);
        }
    }

    /// Settings or the key changed: whatever the queue waited for is tried anew at once.
    pub fn release(&mut self, now: Timestamp) {
        self.hold = Timestamp::MIN;
        self.waits = 0;
        self.probe_at = now;
        self.reopen();
        self.wake(|_| true);
    }

    /// Everything that is owed, in the order of its making.
    pub fn rows(&self) -> impl Iterator<Item = &Delivery> {
        self.rows.values().map(|row| &row.delivery)
    }

    /// True if something is owed of that alert or change.
    pub fn owes(&self, subject: &Subject) -> bool {
        self.lanes.get(subject).is_some_and(|lane| !lane.rows.is_empty())
    }

    /// How many rows are owed.
    pub fn owed(&self) -> usize {
        self.rows.len()
    }

    /// How many rows were accepted since the start of the process.
    pub fn accepted(&self) -> u64 {
        self.seen.accepted
    }

    /// Why nothing but probes is sent, until settings change.
    pub fn suspended(&self) -> Option<&str> {
        self.seen.suspended.as_deref()
    }

    /// What the last failed attempt said; `None` once something was accepted after it.
    pub fn last_failure(&self) -> Option<&str> {
        self.seen.last_failure.as_deref()
    }

    /// Since when nothing was accepted though it was tried; `None` once something was.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.seen.failing_since
    }

    /// What the status page shows.
    pub fn status(&self) -> QueueStatus {
        QueueStatus {
            queued: self.rows.len(),
            in_flight: self.in_flight.len(),
            oldest: self.rows.first_key_value().map(|(_, row)| row.delivery.time()),
            breaker_open: self.breaker,
            next_attempt: self.next_wake().filter(|wake| !self.rows.is_empty() && *wake > self.clock),
            ..self.seen.clone()
        }
    }

    fn closed(&self) -> bool {
        self.breaker || self.seen.suspended.is_some()
    }

    fn reopen(&mut self) {
        // What waited for the peer to come back waits no longer. A row that suspended the sink again, after others were
        // taken, keeps its own wait: it may be the only one that the peer refuses so.
        let (down, deaf) = (self.breaker, self.seen.suspended.is_some());
        if down || deaf {
            self.wake(|row| down || row.suspends <= 1);
        }
        self.breaker = false;
        self.failures = 0;
        self.last_probe = 0;
        self.seen.suspended = None;
        self.seen.last_failure = None;
        self.seen.failing_since = None;
    }

    fn wake(&mut self, which: impl Fn(&Row) -> bool) {
        let later = std::mem::take(&mut self.later);
        for (at, seq) in later {
            let row = &self.rows[&seq];
            if !which(row) {
                self.later.insert((at, seq));
                continue;
            }
            if let Some(lane) = self.lanes.get_mut(&row.delivery.subject()) {
                lane.not_before = Timestamp::MIN;
            }
            self.ready.insert((row.priority(), seq));
        }
    }

    fn append(&mut self, delivery: Delivery) {
        let lane = self.lanes.entry(delivery.subject()).or_insert_with(Lane::new);
        match &delivery.content {
            Content::Alert(DeliveryKind::Resolve, over) => {
                let last = lane.rows.back().and_then(|seq| self.rows.get(seq));
                let raise = last.filter(|last| last.does(DeliveryKind::Raise, over.episode));
                self.foldable
                    .extend(raise.filter(|raise| !raise.delivery.attempted).map(|raise| raise.delivery.seq));
            }
            Content::Alert(..) => {}
            Content::Change(_) => {
                self.untried_changes.extend((!delivery.attempted).then_some(delivery.seq));
            }
        }
        lane.rows.push_back(delivery.seq);
        self.fresh.extend((!self.limits.linger.is_zero()).then_some(delivery.seq));
        self.rows.insert(delivery.seq, Row::new(delivery, self.clock, &self.limits));
    }

    /// The next row to find out with whether the peer is back: the oldest first, then in turn, so that one row the
    /// peer chokes on does not keep it closed for all.
    fn next_probe(&self) -> Option<u64> {
        if self.limits.in_order {
            return self.oldest().map(|(seq, _)| seq);
        }
        let heads = || self.ready.iter().map(|(_, seq)| *seq).chain(self.later.iter().map(|(_, seq)| *seq));
        heads().filter(|seq| *seq > self.last_probe).min().or_else(|| heads().min())
    }

    /// The rows that go together next, and from when on they may go; `None` if none is ready. A row that is to go
    /// alone does so at once.
    fn next_unit(&self) -> Option<(Vec<u64>, Timestamp)> {
        if self.limits.in_order {
            return self.oldest().map(|(seq, due)| (vec![seq], due));
        }
        let mut heads = self.ready.iter().map(|(_, seq)| (*seq, &self.rows[seq]));
        let (first, row) = heads.next()?;
        let (mut unit, mut bytes, mut due) = (vec![first], row.bytes, row.linger);
        if row.alone {
            return Some((unit, Timestamp::MIN));
        }
        for (seq, row) in heads.filter(|(_, row)| !row.alone) {
            bytes = bytes.saturating_add(row.bytes);
            if unit.len() >= self.limits.unit || bytes > self.limits.unit_bytes {
                return Some((unit, Timestamp::MIN));
            }
            unit.push(seq);
            due = due.min(row.linger);
        }
        let full = unit.len() >= self.limits.unit || bytes >= self.limits.unit_bytes;
        Some((unit, if full { Timestamp::MIN } else { due }))
    }

    /// The oldest row and when it may be tried, if it is neither in flight nor waits for a commit.
    fn oldest(&self) -> Option<(u64, Timestamp)> {
        let (seq, row) = self.rows.first_key_value()?;
        let lane = self.lanes.get(&row.delivery.subject())?;
        (!lane.busy && !lane.settling).then_some((*seq, lane.not_before))
    }

    fn start(&mut self, seqs: Vec<u64>, changes: &mut Vec<Change>) -> Attempt {
        let mut attempt = Attempt {
            id: self.next_attempt,
            sink: self.name.clone(),
            deliveries: Vec::with_capacity(seqs.len()),
            number: 0,
            shrink: false,
            purpose: Purpose::Owed,
            before: Before::default(),
        };
        self.next_attempt += 1;
        for &seq in &seqs {
            let subject = self.rows[&seq].delivery.subject();
            self.unlist(&subject);
            if let Some(lane) = self.lanes.get_mut(&subject) {
                lane.busy = true;
            }
            if self.limits.in_order {
                attempt.before.end = self.what_ends(seq).map(Box::new);
            }
            let Some(row) = self.rows.get_mut(&seq) else { continue };
            attempt.before.again |= row.unsure || row.tries > 0;
            row.tries = row.tries.saturating_add(1);
            row.linger = Timestamp::MIN;
            if !row.delivery.attempted {
                row.delivery.attempted = true;
                self.foldable.remove(&seq);
                self.untried_changes.remove(&seq);
                changes.push(Change::Put(row.delivery.clone()));
            }
            attempt.number = attempt.number.max(row.tries);
            attempt.shrink |= row.shrink;
            attempt.deliveries.push(row.delivery.clone());
        }
        self.in_flight.insert(attempt.id, seqs);
        attempt
    }

    /// What ends the episode or the change of a row, if it is owed too.
    fn what_ends(&self, seq: u64) -> Option<Delivery> {
        let delivery = &self.rows.get(&seq)?.delivery;
        let behind = self.lanes.get(&delivery.subject())?.rows.iter().filter(|other| **other > seq);
        let mut behind = behind.map(|seq| &self.rows[seq]);
        let end = match &delivery.content {
            Content::Alert(DeliveryKind::Raise, t) => {
                behind.find(|row| row.does(DeliveryKind::Resolve, t.episode))
            }
            Content::Alert(..) => None,
            Content::Change(_) => behind.find(|row| {
                let status = row.delivery.change().map(|report| report.status);
                matches!(status, Some(ChangeStatus::Done | ChangeStatus::Canceled))
            }),
        };
        end.map(|row| row.delivery.clone())
    }

    /// Shows the first row of a free lane to `plan`; forgets a lane that holds nothing.
    fn list(&mut self, subject: &Subject) {
        let Some(lane) = self.lanes.get(subject) else { return };
        if lane.busy || lane.settling {
            return;
        }
        match lane.rows.front() {
            Some(&seq) if lane.not_before == Timestamp::MIN => {
                self.ready.insert((self.rows[&seq].priority(), seq));
            }
            Some(&seq) => {
                self.later.insert((lane.not_before, seq));
            }
            None if lane.shown.is_none() => {
                self.lanes.remove(subject);
            }
            None => {}
        }
    }

    fn unlist(&mut self, subject: &Subject) {
        let Some(lane) = self.lanes.get(subject) else { return };
        if let Some(&seq) = lane.rows.front() {
            self.ready.remove(&(self.rows[&seq].priority(), seq));
            self.later.remove(&(lane.not_before, seq));
        }
    }
}

#[cfg(test)]
mod tests;
