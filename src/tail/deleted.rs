//! What is deleted and not read yet takes room on the disk that nobody else can give back: it is held for a while, not
//! for ever. A file that has another name now is no burden, and is read on as long as it takes.

use std::time::Duration;

use super::disk::Disk;
use super::{Note, Tail};
use crate::model::{FileId, Timestamp};

/// How long unread bytes of a deleted file are held at most.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How long they are held at least, however much it is.
const SHORTEST: Duration = Duration::from_secs(60);
/// How large deleted files with unread bytes may be together, beyond [`SHORTEST`].
const MOST_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The look that first saw bytes of it unread, which it is, and how large it is.
type Held = (Timestamp, FileId, u64);

impl<D: Disk> Tail<D> {
    /// Gives up deleted files that are held for too long, or are too much; those that have waited longest come first.
    pub(super) fn release_deleted(&mut self, now: Timestamp) {
        let held = |id: FileId, file: &super::Followed<D::File>| {
            let deleted = file.handle.is_some() && file.links == 0 && file.progress.gone.is_some();
            // Of what can not be read, how much there is may not be known either.
            let unreadable = file.fault.as_ref().and(file.progress.gone);
            let seen = file.progress.lag.seen().or(unreadable);
            let seen = seen.filter(|_| deleted && !file.progress.is_out())?;
            Some((seen, id, file.progress.size))
        };
        let held: Vec<Held> = self.files.iter().filter_map(|(id, file)| held(*id, file)).collect();
        for id in too_long(held, now) {
            self.give_up(id);
        }
    }

    fn give_up(&mut self, id: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            let size =
                file.handle.as_ref().and_then(|handle| self.disk.stat(handle).ok()).map(|facts| facts.size);
            file.progress.size = size.unwrap_or(0).max(file.progress.size);
            let lost = file.unread_if_gone();
            file.lost = file.lost.saturating_add(lost);
            self.notes.push(Note::GivenUp { file: id, path: file.path.clone(), lost });
            self.lose_bytes(id);
        }
    }
}

/// Those of deleted files with unread bytes that are to be held no longer.
fn too_long(mut held: Vec<Held>, now: Timestamp) -> Vec<FileId> {
    held.sort_unstable();
    let mut bytes: u64 = held.iter().map(|(_, _, size)| size).sum();
    let mut given_up = Vec::new();
    for (seen, id, size) in held {
        let waited = now.since(seen);
        if waited >= LONGEST || (waited >= SHORTEST && bytes > MOST_BYTES) {
            bytes -= size;
            given_up.push(id);
        }
    }
    given_up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_waited_longest_is_given_up_first_and_no_more_than_is_too_much() {
        const GIB: u64 = 1024 * 1024 * 1024;
        let check = |held: &[(i64, u64, u64)], given_up: &[u64]| {
            let held =
                held.iter().map(|(seen, id, gib)| (Timestamp::from_secs(*seen), FileId(*id), gib * GIB));
            let ids: Vec<FileId> = given_up.iter().map(|id| FileId(*id)).collect();
            assert_eq!(too_long(held.collect(), Timestamp::from_secs(10_000)), ids);
        };
        check(&[], &[]);
        check(&[(6400, 1, 0), (6401, 2, 0)], &[1]);
        check(&[(9000, 1, 2), (9001, 2, 2)], &[]);
        check(&[(9000, 1, 3), (9001, 2, 3), (9002, 3, 1)], &[1]);
        check(&[(9002, 1, 3), (9001, 2, 3), (9000, 3, 5)], &[3, 2]);
        check(&[(9940, 1, 5), (9941, 2, 5)], &[1]);
        check(&[(9941, 1, 5)], &[]);
    }
}
