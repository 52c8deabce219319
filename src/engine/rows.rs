//! Rows that must survive, as they change.

use crate::model::{FileId, KeyHash, RuleName};
use crate::saved::{Entry, Saved, SavedClock, SavedKey, SavedSilence};

/// A row that must be written or removed with the next commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A key.
    Key(Box<SavedKey>),
    /// A key is forgotten.
    KeyGone(RuleName, KeyHash),
    /// A window's chunk.
    Chunk(RuleName, KeyHash, u64, Vec<Entry>),
    /// A window's chunk is no longer needed.
    ChunkGone(RuleName, KeyHash, u64),
    /// A file's clock.
    Clock(SavedClock),
    /// A file's clock is no longer needed.
    ClockGone(FileId),
    /// A silence.
    Silence(SavedSilence),
    /// A silence is over.
    SilenceGone(u64),
}

impl Change {
    /// Does to rows what a store does, for those who have none: a restart finds what it would find there.
    pub fn keep(self, rows: &mut Saved) {
        match self {
            Change::Key(row) => {
                rows.keys.retain(|known| (&known.rule, known.hash) != (&row.rule, row.hash));
                rows.keys.push(*row);
            }
            Change::KeyGone(rule, hash) => {
                rows.keys.retain(|known| (&known.rule, known.hash) != (&rule, hash));
            }
            Change::Chunk(rule, hash, number, entries) => {
                rows.chunks.retain(|(r, h, n, _)| (r, *h, *n) != (&rule, hash, number));
                rows.chunks.push((rule, hash, number, entries));
                rows.chunks.sort_by(|a, b| (&a.0, a.1, a.2).cmp(&(&b.0, b.1, b.2)));
            }
            Change::ChunkGone(rule, hash, number) => {
                rows.chunks.retain(|(r, h, n, _)| (r, *h, *n) != (&rule, hash, number));
            }
            Change::Clock(row) => {
                rows.clocks.insert(row.file, row);
            }
            Change::ClockGone(file) => _ = rows.clocks.remove(&file),
            Change::Silence(row) => {
                rows.silences.retain(|known| known.id != row.id);
                rows.silences.push(row);
            }
            Change::SilenceGone(id) => rows.silences.retain(|known| known.id != id),
        }
    }
}
