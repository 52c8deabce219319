//! How the files of each source are, taken together: asked for all the time, so nothing is copied.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::Disk;
use super::{FileStatus, Followed, Phase, Tail};
use crate::model::{FileId, SourceName, Timestamp};

/// The files of one source.
#[derive(Debug, Default)]
pub struct Standing<'a> {
    /// How many are followed.
    pub files: usize,
    /// How many of them can not be read.
    pub unreadable: usize,
    /// Of those with unread bytes, the one whose bytes have waited longest.
    pub behind: Option<Behind<'a>>,
}

/// A file with unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind<'a> {
    /// Its name.
    pub path: &'a Path,
    /// How many are unread.
    pub lag: u64,
    /// The look that saw the oldest of them first.
    pub seen: Option<Timestamp>,
    /// The look that saw the last change.
    pub grown: Timestamp,
}

impl<D: Disk> Tail<D> {
    /// How the files of each source are that has any.
    pub fn standings(&self) -> BTreeMap<&SourceName, Standing<'_>> {
        let mut standings: BTreeMap<&SourceName, Standing<'_>> = BTreeMap::new();
        for file in self.files.values().filter(|file| !file.ended) {
            let standing = standings.entry(&file.source).or_default();
            standing.files += 1;
            match file.phase() {
                Phase::Unreadable => standing.unreadable += 1,
                Phase::Behind => {
                    let progress = &file.progress;
                    let behind = Behind {
                        path: &file.path,
                        lag: progress.unread(),
                        seen: progress.lag.seen(),
                        grown: progress.grown,
                    };
                    let waits = |file: &Behind<'_>| file.seen.unwrap_or(Timestamp::MAX);
                    let before = standing.behind.filter(|before| waits(before) < waits(&behind));
                    standing.behind = Some(before.unwrap_or(behind));
                }
                _ => {}
            }
        }
        for (source, count) in self.resting.counts() {
            standings.entry(source).or_default().files += count;
        }
        standings
    }
}

impl<F> Followed<F> {
    #[inline]
    pub(super) fn status(&self, id: FileId) -> FileStatus<'_> {
        FileStatus {
            file: id,
            source: &self.source,
            path: &self.path,
            size: self.progress.size,
            offset: self.progress.position,
            lag: self.progress.unread(),
            phase: self.phase(),
            problem: self.problem(),
            grown: self.progress.grown,
            unread_since: self.progress.lag.since(),
            unread_seen: self.progress.lag.seen(),
            lost: self.lost,
        }
    }
}
