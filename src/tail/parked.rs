//! Files without a handle: what is quiet is a row of a table, and a few hundred handles do for any number of files.
//!
//! A parked file was read to its end, and what may go on there was matched early. Its content is known by locator and
//! evidence as after a restart: it rests. What wakes it is a hint, or a sweep that sees another size or time; then it is
//! opened by its path, and goes on if it still is the same. A file whose name is gone is never parked: nobody could open
//! it again.

use super::disk::Disk;
use super::{Followed, Tail};
use crate::model::{FileId, Timestamp};

/// Handles of quiet files.
const QUIET: usize = 512;

/// How many handles there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handles {
    /// Beyond so many, quiet files give theirs up.
    pub(super) quiet: usize,
    /// Beyond so many, so does whoever is read to its end, and nothing more is opened.
    most: usize,
    /// Something was not opened for want of them, since the last sweep.
    pub(super) short: bool,
}

impl Default for Handles {
    fn default() -> Handles {
        Handles { quiet: QUIET, most: usize::MAX, short: false }
    }
}

impl<D: Disk> Tail<D> {
    /// How many files may be open at once. Beyond 512 they are closed as soon as they are quiet, whatever this is.
    pub fn limit_handles(&mut self, most: usize) {
        self.handles = Handles { quiet: QUIET.min(most), most, short: self.handles.short };
    }

    /// Makes room for one more handle. False: there is none, until others are read to their ends.
    pub(super) fn has_room(&mut self, now: Timestamp) -> bool {
        let Handles { quiet, most, .. } = self.handles;
        if self.schedule.len() >= quiet {
            // Some more than need be, so that not every opening has to look for who is quiet.
            self.park_down_to(quiet - quiet.div_ceil(8), |file| file.is_cold(now), now);
            if self.schedule.len() >= most {
                self.park_down_to(most - most.div_ceil(8), |_| true, now);
            }
        }
        let has_room = self.schedule.len() < most;
        self.handles.short |= !has_room;
        has_room
    }

    /// Parks those that have been quiet for longest, until no more than `left` files are open.
    fn park_down_to(&mut self, left: usize, fits: impl Fn(&Followed<D::File>) -> bool, now: Timestamp) {
        let open = self.schedule.iter().filter_map(|(_, id)| Some((*id, self.files.get(id)?)));
        let mut idle: Vec<(Timestamp, FileId)> = open
            .filter(|(_, file)| file.may_park() && fits(file))
            .map(|(id, file)| (file.progress.grown, id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(self.schedule.len().saturating_sub(left)) {
            self.park(id, now);
        }
    }

    /// Gives up the handle of a file, unless it has changed since it was read.
    fn park(&mut self, id: FileId, now: Timestamp) {
        // First the wish, then the look: what is written from here on is told.
        self.ask(id, now);
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(handle) = &file.handle else { return };
        let same = self
            .disk
            .stat(handle)
            .is_ok_and(|facts| facts.links > 0 && !file.progress.differs(facts.size, facts.modified));
        if !same {
            return self.schedule_at(id, now);
        }
        file.handle = None;
        file.parked = true;
        file.progress.unchanged_until(now);
        let due = file.due;
        self.schedule.remove(&(due, id));
        self.cool(id);
        self.roused.insert(id);
    }

    /// Opens a parked file that was written, by the name it had. If that leads nowhere now, the next sweep looks where it
    /// went.
    pub(super) fn unpark(&mut self, id: FileId, now: Timestamp) {
        self.rouse(id);
        let Some(file) = self.files.get(&id).filter(|file| file.backoff.at <= now) else { return };
        let path = file.path.clone();
        self.reopen(id, path, false, now);
        if self.files.get(&id).is_some_and(|file| file.parked) {
            self.next_sweep = self.next_sweep.min(now);
        }
    }
}

impl<F> Followed<F> {
    /// Whether all that is known of a file can be kept without its handle, and it can be found again.
    fn may_park(&self) -> bool {
        let is_whole = !self.leftover && !self.packed && !self.ended && self.block.is_empty();
        let can_be_found = self.links > 0 && self.progress.gone.is_none();
        self.progress.is_settled() && is_whole && self.fault.is_none() && can_be_found
    }
}
