//! Puts the matches of files that are behind in the order of their record times.
//!
//! Without it, what a backlog leads to would depend on which of two files happened to be read first. The reader
//! always continues the file whose time is lowest, so a file is ahead of the others by at most the blocks read at
//! once; what arrives live never waits.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{FileId, Timestamp};
use crate::scan::KeptMatch;

/// A match with its record time.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) time: Timestamp,
    pub(super) hit: KeptMatch,
}

/// Matches that wait for other files of their source.
#[derive(Debug, Default)]
pub(super) struct Merge {
    waiting: BTreeMap<FileId, VecDeque<Timed>>,
}

impl Merge {
    pub(super) fn push(&mut self, timed: Timed) {
        self.waiting.entry(timed.hit.at.file).or_default().push_back(timed);
    }

    /// Where the first match of `file` that was not applied stands.
    pub(super) fn first_waiting(&self, file: FileId) -> Option<u64> {
        Some(self.waiting.get(&file)?.front()?.hit.at.offset)
    }

    /// The next match to apply, if no file that holds others up may still bring an earlier one. `frontier` tells
    /// of a file: `None` if it holds nothing up, else the time up to which it was read.
    pub(super) fn pop(
        &mut self,
        same_source: impl Fn(FileId, FileId) -> bool,
        frontiers: &[(FileId, Timestamp)],
    ) -> Option<Timed> {
        let heads = self.waiting.iter().filter_map(|(file, queue)| Some((queue.front()?.time, *file)));
        let mut heads: Vec<_> = heads.collect();
        heads.sort_unstable();
        for (time, file) in heads {
            let earlier = frontiers.iter().any(|(other, frontier)| {
                *other != file
                    && *frontier < time
                    && same_source(*other, file)
                    && self.first_waiting(*other).is_none()
            });
            if !earlier {
                return self.pop_of(file);
            }
        }
        None
    }

    /// The next match of `file`, without regard to others.
    pub(super) fn pop_of(&mut self, file: FileId) -> Option<Timed> {
        let queue = self.waiting.get_mut(&file)?;
        let timed = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&file);
        }
        timed
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
