//! What an attempt comes to: for each of its rows, and for the sink, which waits, is suspended or goes on.

use std::time::Duration;

use super::row::Row;
use super::{LEAST_WAIT, Queue};
use crate::model::{Content, DeliveryKind, Status, Subject, Timestamp, Transition, micros};
use crate::saved::DeadLetter;
use crate::sink::attempt::{Change, Outcome};

/// Least and most that a peer's `Retry-After` is believed.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

impl Queue {
    /// Takes what became of an attempt, one outcome per row in their order; a missing one counts as `Retry`. An
    /// unknown `attempt` (such as one of the queue before a reload) is ignored.
    pub fn handle(
        &mut self,
        attempt: u64,
        outcomes: Vec<Outcome>,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        if let Some(subjects) = self.again.remove(&attempt) {
            return self.told_again(&subjects, &outcomes);
        }
        let Some(seqs) = self.in_flight.remove(&attempt) else { return };
        let mut outcomes = outcomes.into_iter();
        let (mut accepted, mut alive, mut suspended) = (false, false, None);
        for seq in seqs {
            let missing = || Outcome::Retry { after: None, why: "the answer says nothing of it".to_owned() };
            match outcomes.next().unwrap_or_else(missing) {
                Outcome::Accepted { note } => {
                    accepted = true;
                    self.accept(seq, now, changes);
                    self.seen.last_accepted = Some((now, note));
                }
                Outcome::Retry { after, why } => {
                    self.postpone(seq, after, now);
                    self.seen.last_failure = Some(why);
                }
                Outcome::Suspend { why } => {
                    self.set_aside(seq, now);
                    suspended = Some(why);
                }
                Outcome::Shrink { why } => {
                    alive = true;
                    if self.rows[&seq].shrink {
                        self.give_up(seq, why, now, changes);
                    } else {
                        self.seen.shrunk += 1;
                        self.put_back(seq, Timestamp::MIN, |row| (row.shrink, row.alone) = (true, true));
                    }
                }
                Outcome::Alone { why } => {
                    alive = true;
                    if self.rows[&seq].alone {
                        self.give_up(seq, why, now, changes);
                    } else {
                        self.put_back(seq, Timestamp::MIN, |row| row.alone = true);
                    }
                }
                Outcome::Dead { why } => {
                    alive = true;
                    self.give_up(seq, why, now, changes);
                }
            }
        }
        if accepted || alive {
            self.waits = 0;
        }
        if !accepted && !alive {
            self.seen.failing_since.get_or_insert(now);
        }
        if let Some(why) = suspended {
            self.seen.last_failure = Some(why.clone());
            self.seen.suspended = Some(why);
            self.breaker = false;
            self.failures = 0;
            self.probe_at = now.plus(self.limits.probe_every.max(LEAST_WAIT));
        } else if accepted {
            self.reopen();
        } else if alive {
            // It answers, so it is neither down nor deaf: the next row may show whether it takes any.
            self.failures = 0;
            self.seen.failing_since = None;
            self.probe_at = now;
        } else if self.seen.suspended.is_some() {
            self.probe_at = now.plus(self.limits.probe_every.max(LEAST_WAIT));
        } else {
            self.count_failure(attempt, now);
        }
    }

    /// Counts a failure, unless it is one with the last: of an attempt that was under way then, or within the wait that
    /// a row has after so many failures. Else every row of a burst would count, and a peer that is away for a second would
    /// be left alone for as long as one that is away for a minute.
    fn count_failure(&mut self, attempt: u64, now: Timestamp) {
        let (next, from) = self.next_failure;
        if attempt < next || (now < from && self.failures > 0 && !self.breaker) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.next_failure = (self.next_attempt, now.plus(self.most_wait(self.failures)));
        if self.failures >= self.limits.breaker_after.max(1) {
            self.breaker = true;
            self.probe_at = now.plus(self.jitter(self.failures));
        }
    }

    /// What was told again is told again when its time comes, whatever became of it this time.
    fn told_again(&mut self, subjects: &[Subject], outcomes: &[Outcome]) {
        for subject in subjects {
            if let Some(lane) = self.lanes.get_mut(subject) {
                lane.busy = false;
            }
            self.list(subject);
        }
        let why = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Accepted { .. } => None,
            Outcome::Retry { why, .. }
            | Outcome::Suspend { why }
            | Outcome::Shrink { why }
            | Outcome::Alone { why }
            | Outcome::Dead { why } => Some(why),
        });
        if let Some(why) = why {
            self.seen.last_failure = Some(why.clone());
        } else if self.rows.is_empty() {
            self.seen.last_failure = None;
        }
    }

    fn accept(&mut self, seq: u64, now: Timestamp, changes: &mut Vec<Change>) {
        let row = self.finish(seq);
        if let Some(resend) = self.limits.resend {
            self.standing.accept(&row.delivery, resend, now, changes);
        }
        if let Content::Alert(kind, t) = &row.delivery.content
            && let Some(lane) = self.lanes.get_mut(&row.delivery.subject())
        {
            let shown = (*kind != DeliveryKind::Resolve).then_some((t.episode, t.status));
            lane.show(shown, &self.name, &t.key, changes);
        }
        changes.push(Change::Remove(seq));
        self.seen.accepted += 1;
        (self.seen.refused, self.seen.refusal) = (0, None);
    }

    fn give_up(&mut self, seq: u64, why: String, now: Timestamp, changes: &mut Vec<Change>) {
        let row = self.finish(seq);
        self.seen.dead += 1;
        self.seen.refused += 1;
        self.seen.refusal = Some(why.clone());
        if let Content::Alert(kind, Transition { episode, ref key, .. }) = row.delivery.content
            && let Some(lane) = self.lanes.get_mut(&row.delivery.subject())
        {
            let mut shown = match kind {
                DeliveryKind::Resolve => None,
                _ if row.unsure => None,
                DeliveryKind::Raise => Some((episode, Status::Ok)),
                DeliveryKind::Change | DeliveryKind::Beat => lane.shown,
            };
            if shown == Some((episode, Status::Ok))
                && let Some(&next) = lane.rows.front()
                && self.rows[&next].does(DeliveryKind::Resolve, episode)
            {
                lane.rows.pop_front();
                shown = None;
                self.rows.remove(&next);
                changes.push(Change::Remove(next));
                self.seen.skipped += 1;
            }
            lane.show(shown, &self.name, key, changes);
        }
        changes.push(Change::Dead(DeadLetter { delivery: row.delivery, at: now, why }));
    }

    /// Takes an attempted row out; its lane waits for the commit.
    fn finish(&mut self, seq: u64) -> Row {
        let row = self.rows.remove(&seq).expect("a row in flight is kept until its outcome");
        let subject = row.delivery.subject();
        if let Some(lane) = self.lanes.get_mut(&subject) {
            lane.rows.pop_front();
            lane.busy = false;
            lane.settling = true;
            lane.not_before = Timestamp::MIN;
            self.settling.push(subject);
        }
        row
    }

    fn postpone(&mut self, seq: u64, after: Option<Duration>, now: Timestamp) {
        self.seen.retried += 1;
        let wait = self.jitter(self.rows[&seq].retries.saturating_add(1));
        if let Some(after) = after {
            // What was under way when the peer asked first gets the same answer.
            let again = now >= self.hold;
            self.waits = self.waits.saturating_add(u32::from(again));
            let doublings = self.waits.saturating_sub(1).min(self.limits.wait_doublings);
            let doubled = after.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
            self.hold = self.hold.max(now.plus(doubled.clamp(RETRY_AFTER.0, RETRY_AFTER.1)));
        }
        self.put_back(seq, now.plus(wait), |row| {
            row.retries = row.retries.saturating_add(1);
            row.unsure = true;
        });
    }

    /// A row that only asked whether the sink takes something again says nothing of itself by being refused.
    fn set_aside(&mut self, seq: u64, now: Timestamp) {
        self.seen.suspends += 1;
        let before = self.rows[&seq].suspends;
        let suspends = before.saturating_add(u32::from(seq != self.last_probe));
        let doubled = self.limits.probe_every.saturating_mul(2 << before.min(10));
        let wait = doubled.min(self.limits.retry_cap).max(LEAST_WAIT);
        self.put_back(seq, now.plus(wait), |row| row.suspends = suspends);
    }

    fn put_back(&mut self, seq: u64, not_before: Timestamp, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.rows.get_mut(&seq) else { return };
        change(row);
        let subject = row.delivery.subject();
        if let Some(lane) = self.lanes.get_mut(&subject) {
            lane.busy = false;
            lane.not_before = not_before;
        }
        self.list(&subject);
    }

    /// Full jitter: anything up to base × 2^(failures − 1), at most the cap.
    fn jitter(&mut self, failures: u32) -> Duration {
        let most = micros(self.most_wait(failures)).unsigned_abs();
        Duration::from_micros(self.rng.u64(0..=most)).max(LEAST_WAIT)
    }

    /// The most that is waited after so many failures.
    fn most_wait(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.limits.retry_base.saturating_mul(factor).min(self.limits.retry_cap)
    }
}
