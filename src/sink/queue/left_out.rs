//! What is owed and is not said: what a later row makes needless, what is dropped because there is no room for it, and
//! what became too old. An end whose beginning may have been heard is none of it.

use super::Queue;
use super::row::{Lane, Row, bytes_of};
use crate::model::{Content, Delivery, DeliveryKind, SinkName, Status, Subject, Transition, duration_text};
use crate::saved::DeadLetter;
use crate::sink::attempt::Change;

/// A delivery of an alert, taken apart.
pub(super) struct Alert {
    pub(super) seq: u64,
    pub(super) sink: SinkName,
    pub(super) kind: DeliveryKind,
    pub(super) transition: Transition,
    pub(super) attempted: bool,
}

impl Queue {
    /// Forgets everything: what is owed, which it gives back, what stands and what was refused. For a sink that is gone
    /// for good.
    pub fn forsake(mut self, changes: &mut Vec<Change>) -> Vec<Delivery> {
        self.standing.clear(&self.name, changes);
        let refused = self.lanes.iter().filter_map(|(subject, lane)| match (subject, lane.shown) {
            (Subject::Alert(key), Some((_, Status::Ok))) => Some(key.clone()),
            _ => None,
        });
        changes.extend(refused.map(|key| Change::Unrefused(self.name.clone(), key)));
        changes.extend(self.rows.keys().map(|seq| Change::Remove(*seq)));
        self.rows.into_values().map(|row| row.delivery).collect()
    }

    /// Coalesces within one episode and appends what is left. The lane must not be listed.
    pub(super) fn merge(&mut self, mut owed: Alert, changes: &mut Vec<Change>) {
        let episode = owed.transition.episode;
        let lane = self.lanes.entry(Subject::Alert(owed.transition.key.clone())).or_insert_with(Lane::new);
        if let Some(last) = lane.rows.back().and_then(|seq| self.rows.get_mut(seq))
            && !last.delivery.attempted
            && let Content::Alert(kind, told) = &mut last.delivery.content
            && told.episode == episode
        {
            let previous = told.previous;
            match (*kind, owed.kind) {
                (DeliveryKind::Raise, DeliveryKind::Change) => {
                    *told = Transition { previous, ..owed.transition };
                    last.bytes = bytes_of(&last.delivery, &self.limits);
                    changes.push(Change::Put(last.delivery.clone()));
                    self.seen.coalesced += 1;
                    return;
                }
                (DeliveryKind::Change, DeliveryKind::Change | DeliveryKind::Resolve) => {
                    let seq = last.delivery.seq;
                    owed.transition.previous = previous;
                    lane.rows.pop_back();
                    self.rows.remove(&seq);
                    changes.push(Change::Remove(seq));
                    self.seen.coalesced += 1;
                }
                _ => {}
            }
        }
        let shown = match lane.rows.back().and_then(|seq| self.rows[seq].delivery.alert()) {
            Some((_, last)) => Some((last.episode, last.status)),
            None => lane.shown,
        };
        match owed.kind {
            // There and back, maybe by way of another episode. After a restart only the row itself tells what the peer
            // shows.
            DeliveryKind::Change
                if !owed.transition.reason.says_again()
                    && shown.map_or(owed.transition.previous, |(_, status)| status)
                        == owed.transition.status =>
            {
                self.seen.coalesced += 1;
                return;
            }
            DeliveryKind::Resolve if shown == Some((episode, Status::Ok)) => {
                self.seen.skipped += 1;
                let shown = lane.shown.filter(|_| !lane.rows.is_empty());
                lane.show(shown, &self.name, &owed.transition.key, changes);
                return;
            }
            _ => {}
        }
        let Alert { seq, sink, kind, transition, attempted } = owed;
        let delivery = Delivery { seq, sink, content: Content::Alert(kind, transition), attempted };
        changes.push(Change::Put(delivery.clone()));
        self.append(delivery);
    }

    /// Drops what is said of a change and is the oldest that was never attempted; false if there is none.
    pub(super) fn drop_change(&mut self, changes: &mut Vec<Change>) -> bool {
        let Some(&seq) = self.untried_changes.first() else { return false };
        changes.extend(self.take_untried(seq, 1).map(|row| Change::Remove(row.seq)));
        self.seen.folded += 1;
        true
    }

    /// Drops the oldest episode that is over and of which nothing was attempted; false if there is none.
    pub(super) fn fold(&mut self, changes: &mut Vec<Change>) -> bool {
        let Some(&raise) = self.foldable.first() else { return false };
        changes.extend(self.take_untried(raise, 2).map(|row| Change::Remove(row.seq)));
        self.seen.folded += 1;
        true
    }

    /// Gives up what was over long ago and was never attempted, the oldest first.
    pub(super) fn expire(&mut self, changes: &mut Vec<Change>) {
        let (now, most) = (self.clock, self.limits.max_age);
        // A line that is read late is no older to whoever is told of it.
        let too_old = |row: &Row| now.since(row.delivery.time().max(row.since)) > most;
        loop {
            let change = self.untried_changes.first().filter(|seq| too_old(&self.rows[seq]));
            let raise = self.foldable.first().filter(|raise| self.end_of(**raise).is_some_and(too_old));
            let Some((first, rows)) = change.map(|seq| (*seq, 1)).or(raise.map(|raise| (*raise, 2))) else {
                break;
            };
            let mut taken = self.take_untried(first, rows);
            if let Some(delivery) = taken.next() {
                let why = format!("expired: it was over, and owed for more than {}", duration_text(most));
                changes.push(Change::Dead(DeadLetter { delivery, at: now, why }));
            }
            changes.extend(taken.map(|row| Change::Remove(row.seq)));
            self.seen.expired += 1;
            self.seen.dead += 1;
        }
    }

    /// The resolve of an episode that may be folded.
    fn end_of(&self, raise: u64) -> Option<&Row> {
        let lane = self.lanes.get(&self.rows.get(&raise)?.delivery.subject())?;
        let at = lane.rows.iter().position(|seq| *seq == raise)?;
        self.rows.get(lane.rows.get(at + 1)?)
    }

    /// Takes so many rows of a lane out, from `first` on; none of them was attempted.
    fn take_untried(&mut self, first: u64, rows: usize) -> impl Iterator<Item = Delivery> + use<> {
        let subject = self.rows[&first].delivery.subject();
        self.unlist(&subject);
        let mut taken = Vec::new();
        if let Some(lane) = self.lanes.get_mut(&subject)
            && let Some(at) = lane.rows.iter().position(|seq| *seq == first)
        {
            for seq in lane.rows.drain(at..(at + rows).min(lane.rows.len())) {
                self.foldable.remove(&seq);
                self.untried_changes.remove(&seq);
                taken.extend(self.rows.remove(&seq).map(|row| row.delivery));
            }
        }
        self.list(&subject);
        taken.into_iter()
    }
}
