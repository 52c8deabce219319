//! Who reads a content. Asked for each name at each sweep, and kept for each file: an index, and no copy of what the rows
//! say.

use std::collections::BTreeSet;

use super::Tail;
use super::disk::Disk;
use crate::model::{FileId, SourceName};
use crate::saved::Locator;

/// The readers of all contents that have not ended, by inode.
#[derive(Debug, Default)]
pub(super) struct Readers(BTreeSet<(u64, FileId)>);

impl<D: Disk> Tail<D> {
    /// Who reads this content for that source.
    pub(super) fn reader(&self, source: &SourceName, locator: &Locator) -> Option<FileId> {
        let of_inode = (locator.inode, FileId(0))..=(locator.inode, FileId(u64::MAX));
        let reads = |id: &FileId| match (self.files.get(id), self.resting.get(*id)) {
            (Some(file), _) => (&file.source, &file.locator) == (source, locator),
            (None, Some(file)) => (&file.source, &file.locator) == (source, locator),
            (None, None) => false,
        };
        self.readers.0.range(of_inode).map(|(_, id)| *id).find(reads)
    }

    /// Whether a file reads its content: a newer one may.
    pub(super) fn is_read_by(&self, id: FileId) -> bool {
        self.files.get(&id).is_some_and(|file| self.readers.0.contains(&(file.locator.inode, id)))
    }

    /// A file reads its content from now on, and nobody else does for its source.
    pub(super) fn reads(&mut self, id: FileId) {
        let Some(file) = self.files.get(&id) else { return };
        let inode = file.locator.inode;
        if let Some(other) = self.reader(&file.source, &file.locator) {
            self.readers.0.remove(&(inode, other));
        }
        self.readers.0.insert((inode, id));
    }

    /// A file does not read its content any more.
    pub(super) fn reads_no_more(&mut self, id: FileId) {
        if let Some(file) = self.files.get(&id) {
            self.readers.0.remove(&(file.locator.inode, id));
        }
    }
}
