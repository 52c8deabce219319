//! Alerts that stay open though no rule speaks of them any more: their rule said `on_remove = "keep"`. Nothing changes
//! them until a rule of that name and key is there again, somebody resolves them, or their time is over.

use std::collections::BTreeMap;

use super::{Change, Emitted, Engine, Tell};
use crate::model::{AlertKey, Reason, Status, Timestamp, Transition};
use crate::saved::SavedKey;

/// Their rows, all with an open alert and [`SavedKey::orphan_until`].
#[derive(Debug, Default)]
pub(super) struct Orphans {
    rows: BTreeMap<AlertKey, SavedKey>,
    /// When the time of one of them is over.
    next_end: Option<Timestamp>,
}

impl Orphans {
    fn insert(&mut self, row: SavedKey) {
        let key = AlertKey { rule: row.rule.clone(), hash: row.hash };
        self.rows.insert(key, row);
        self.look();
    }

    fn remove(&mut self, key: &AlertKey) -> Option<SavedKey> {
        let row = self.rows.remove(key);
        self.look();
        row
    }

    fn look(&mut self) {
        self.next_end = self.rows.values().filter_map(|row| row.orphan_until).min();
    }

    /// When the next of them is over.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.next_end
    }

    /// All of them, which are none from then on.
    pub(super) fn take(&mut self) -> impl Iterator<Item = SavedKey> + use<> {
        self.next_end = None;
        std::mem::take(&mut self.rows).into_values()
    }

    /// The last transition of each.
    pub(super) fn open(&self) -> impl Iterator<Item = &Transition> {
        self.rows.values().filter_map(|row| row.open.as_ref())
    }

    /// True if one of that rule is told with a storm alone.
    pub(super) fn is_folded(&self, rule: &str) -> bool {
        self.rows.values().any(|row| row.rule.as_str() == rule && row.folded.is_some())
    }

    /// True if one of that key is held back from sinks that know nothing of it.
    pub(super) fn is_held(&self, key: &AlertKey) -> bool {
        self.rows.get(key).is_some_and(|row| row.held)
    }
}

impl Engine {
    /// True if an open alert has no rule.
    pub fn is_orphan(&self, alert: &Transition) -> bool {
        self.orphans.rows.contains_key(&alert.key)
    }

    /// A key that no rule takes: resolves what is open of it and forgets it, or keeps it open as its rule had asked for.
    /// `chunks`: those of its window.
    pub(super) fn let_go(&mut self, row: SavedKey, chunks: Vec<u64>, outlives: bool) {
        for number in chunks {
            self.made.push(Change::ChunkGone(row.rule.clone(), row.hash, number));
        }
        let is_open = row.open.as_ref().is_some_and(|last| last.status != Status::Ok);
        match row.outlives.filter(|_| outlives && is_open) {
            Some(span) => self.keep_open(row, self.now.plus(span)),
            None => self.forget(row, Reason::RuleGone),
        }
    }

    fn keep_open(&mut self, mut row: SavedKey, until: Timestamp) {
        if row.orphan_until.is_none() {
            row.orphan_until = Some(until);
            // Nobody comes to tell it when the backlog is over.
            if std::mem::take(&mut row.untold)
                && let Some(last) = &mut row.open
            {
                last.step += 1;
                let tell = if row.held || row.folded.is_some() { Tell::Known } else { Tell::IfOther };
                let transition = Transition {
                    lines: row.lines.clone(),
                    last_lines: row.last_lines.clone(),
                    ..last.clone()
                };
                self.output.transitions.push(Emitted { transition, tell });
            }
            // Its window is gone: whatever rule takes it, it begins anew.
            row.condition_digest = [0; 16];
            self.made.push(Change::Key(Box::new(row.clone())));
        }
        self.orphans.insert(row);
    }

    /// Resolves what is open of a row, and removes it.
    fn forget(&mut self, row: SavedKey, reason: Reason) {
        if let Some(mut last) = row.open.filter(|last| last.status != Status::Ok || row.untold) {
            last.previous = last.status;
            last.status = Status::Ok;
            last.reason = reason;
            last.time = self.now;
            last.step += 1;
            (last.lines, last.last_lines) = (row.lines, row.last_lines);
            self.output.transitions.push(Emitted { transition: last, tell: Tell::IfOther });
        }
        self.made.push(Change::KeyGone(row.rule, row.hash));
    }

    /// Resolves an alert without a rule; false if there is none of that key.
    pub(super) fn end_orphan(&mut self, key: &AlertKey, reason: Reason) -> bool {
        let Some(row) = self.orphans.remove(key) else { return false };
        self.forget(row, reason);
        self.settle_storms(self.now);
        true
    }

    /// Resolves those whose time is over.
    pub(super) fn end_orphans(&mut self) {
        if self.orphans.next_end.is_none_or(|end| end > self.now) {
            return;
        }
        let is_over = |row: &SavedKey| row.orphan_until.is_none_or(|until| until <= self.now);
        let over = self.orphans.rows.iter().filter(|(_, row)| is_over(row)).map(|(key, _)| key.clone());
        for key in over.collect::<Vec<_>>() {
            self.end_orphan(&key, Reason::RuleGone);
        }
    }

    /// Resolves all of them: the process stops and nobody goes on.
    pub(super) fn stop_orphans(&mut self) {
        for row in self.orphans.take() {
            self.forget(row, Reason::Stopped);
        }
    }
}
