//! What a peer shows that believes nothing for long: it is told again and again, though nobody owes it. Pure.
//!
//! A row stands from its acceptance on: what fires until something newer is accepted, what is over for a while, since
//! the peer may have lost it. Each stands in the store too, put there by the commit that removes the accepted row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attempt::Change;
use crate::model::{AlertKey, Delivery, DeliveryKind, SinkName, Timestamp};
use crate::saved::SavedStanding;

/// How a peer is told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// How often; longer than zero.
    pub every: Duration,
    /// For how long what is over.
    pub over_for: Duration,
    /// For how long what fires is to be believed after we stopped; `None`: as ever.
    pub hold: Option<Duration>,
}

/// Everything that stands at one sink.
#[derive(Debug, Default)]
pub(super) struct Standing {
    rows: BTreeMap<AlertKey, (SavedStanding, Timestamp)>,
    due: BTreeSet<(Timestamp, AlertKey)>,
}

impl Standing {
    /// Goes on with what stood before, and tells it at once: who knows for how long nobody did.
    pub(super) fn restore(&mut self, rows: Vec<SavedStanding>) {
        for row in rows {
            self.put(row, Timestamp::MIN);
        }
    }

    /// Stands from now on, in place of what stood of this alert.
    pub(super) fn accept(
        &mut self,
        delivery: &Delivery,
        resend: Resend,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let Some((kind, _)) = delivery.alert() else { return };
        let until = match kind {
            DeliveryKind::Resolve => now.plus(resend.over_for),
            DeliveryKind::Raise | DeliveryKind::Change => Timestamp::MAX,
            DeliveryKind::Beat => return,
        };
        let row = SavedStanding { delivery: delivery.clone(), until };
        changes.push(Change::Stand(row.clone()));
        self.put(row, now.plus(resend.every));
    }

    fn put(&mut self, row: SavedStanding, next: Timestamp) {
        let Some((_, told)) = row.delivery.alert() else { return };
        let key = told.key.clone();
        self.take(&key);
        self.due.insert((next, key.clone()));
        self.rows.insert(key, (row, next));
    }

    fn take(&mut self, key: &AlertKey) -> Option<SavedStanding> {
        let (row, next) = self.rows.remove(key)?;
        self.due.remove(&(next, key.clone()));
        Some(row)
    }

    /// Up to `most` rows that are to be told again now, and come again after `every`; of those for which `free` is not
    /// true something newer is on its way. What was over for long enough stands no longer.
    pub(super) fn due(
        &mut self,
        now: Timestamp,
        every: Duration,
        most: usize,
        free: impl Fn(&AlertKey) -> bool,
        changes: &mut Vec<Change>,
    ) -> Vec<Delivery> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some((_, key)) = self.due.first().filter(|(next, _)| *next <= now).cloned()
            && let Some(row) = self.take(&key)
        {
            if row.until <= now {
                changes.push(Change::Unstand(row.delivery.sink, key));
                continue;
            }
            if free(&key) {
                due.push(row.delivery.clone());
            }
            self.put(row, now.plus(every));
        }
        due
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(next, _)| *next)
    }

    /// What fires, as it stands.
    pub(super) fn firing(&self) -> impl Iterator<Item = &Delivery> {
        let firing = self.rows.values().filter(|(row, _)| row.until == Timestamp::MAX);
        firing.map(|(row, _)| &row.delivery)
    }

    /// Nothing stands any more: the peer of this name remembers by itself.
    pub(super) fn clear(&mut self, sink: &SinkName, changes: &mut Vec<Change>) {
        self.due.clear();
        let keys = std::mem::take(&mut self.rows).into_keys();
        changes.extend(keys.map(|key| Change::Unstand(sink.clone(), key)));
    }
}
