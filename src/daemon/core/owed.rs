//! What is owed to sinks, and what was given up.

use crate::model::{Content, Delivery, DeliveryKind, Status};
use crate::route::is_own;
use crate::saved::DeadLetter;
use crate::scan::MatchKind;
use crate::sink::attempt;
use crate::sink::queue::Queue;
use crate::tail::Disk;

use super::{Core, Now, Remark};

/// Dead letters that are kept; of more the oldest go, and are counted.
const MOST_DEAD: usize = 1_000;

/// Why a dead letter can not be owed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undead {
    /// There is none of that number.
    #[error("there is no dead letter of that number: `tripline outbox` lists them")]
    None,
    /// Its sink is gone.
    #[error("its sink is not in the configuration any more")]
    Sink,
    /// The alert has another state by now.
    #[error("it is out of date: the alert is over, or the sink was told something else of it since")]
    Late,
}

impl<D: Disk> Core<D> {
    pub(super) fn owe(&mut self, deliveries: Vec<Delivery>, now: Now) {
        self.urgent = true;
        for delivery in deliveries {
            let mut changes = Vec::new();
            if let Some(queue) = self.queues.get_mut(&delivery.sink) {
                queue.push(delivery, &mut changes);
            }
            self.rewritten.extend(changes.iter().filter_map(|change| match change {
                attempt::Change::Put(row) => Some(row.seq),
                _ => None,
            }));
            self.keep_rows(changes, now);
        }
    }

    pub(super) fn keep_rows(&mut self, changes: Vec<attempt::Change>, now: Now) {
        for change in changes {
            match change {
                attempt::Change::Put(row) => self.batch.put_delivery(&row),
                attempt::Change::Remove(seq) => self.batch.remove_delivery(seq),
                attempt::Change::Dead(letter) => {
                    self.batch.remove_delivery(letter.delivery.seq);
                    self.batch.put_dead(&letter);
                    let sink = letter.delivery.sink.clone();
                    let line = format!("{} will not be accepted: {}", letter.delivery.id(), letter.why);
                    let of_own = letter.delivery.alert().is_some_and(|(_, t)| is_own(&t.key));
                    if !of_own {
                        let about = [(crate::route::SINK_LABEL, sink.as_str())];
                        self.engine.own("tripline_dead_letter", MatchKind::Match, &about, &line, now.time);
                    }
                    self.dead.insert(letter.delivery.seq, letter);
                    self.bound_dead();
                    self.urgent = true;
                    self.remarks.push(Remark::Dead(sink, line));
                }
            }
        }
    }

    /// What was given up, the oldest first.
    pub fn dead(&self) -> impl Iterator<Item = &DeadLetter> {
        self.dead.values()
    }

    /// What is owed and not in the hands of a peer yet, sink by sink and in the order of its making.
    pub fn outbox(&self) -> impl Iterator<Item = &Delivery> {
        self.queues.values().flat_map(Queue::rows)
    }

    /// Owes a dead letter again, as it is; the next commit makes it last.
    ///
    /// # Errors
    /// If nobody can take it, or if what it says is not true any more.
    pub fn revive(&mut self, seq: u64, now: Now) -> Result<(), Undead> {
        let letter = self.dead.get(&seq).ok_or(Undead::None)?;
        let delivery = &letter.delivery;
        let queue = self.queues.get(&delivery.sink).filter(|_| !self.unreachable.contains(&delivery.sink));
        let queue = queue.ok_or(Undead::Sink)?;
        if let Content::Alert(kind, told) = &delivery.content {
            let shown = self.ledger.told(&delivery.sink, &told.key);
            let open = self.engine.open_alerts().find(|open| open.key == told.key);
            let same = open.is_some_and(|open| open.episode == told.episode);
            let true_still = match kind {
                DeliveryKind::Resolve => !same && shown == Status::Ok,
                _ => same && shown == told.status,
            };
            if !true_still || queue.owes(&delivery.subject()) {
                return Err(Undead::Late);
            }
        }
        let again = self.ledger.owe(&delivery.sink.clone(), delivery.content.clone());
        self.bury(seq);
        self.owe(vec![again], now);
        Ok(())
    }

    /// Forgets a dead letter; the next commit makes it last. False if there is none of that number.
    pub fn bury(&mut self, seq: u64) -> bool {
        let known = self.dead.remove(&seq).is_some();
        if known {
            self.batch.remove_dead(seq);
            self.urgent = true;
        }
        known
    }

    /// Keeps the number of dead letters within bounds.
    fn bound_dead(&mut self) {
        while self.dead.len() > MOST_DEAD
            && let Some((oldest, _)) = self.dead.pop_first()
        {
            self.batch.remove_dead(oldest);
            self.counts.dead_dropped += 1;
        }
    }
}
