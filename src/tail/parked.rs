//! Files without a handle: what is quiet is a row of a table, and a few hundred handles do for any number of files.
//!
//! A parked file was read to its end, and what may go on there was matched early. Its content is known by locator and
//! evidence as after a restart: it rests. What wakes it is a hint, or a sweep that sees another size or time; then it is
//! opened by its path, and goes on if it still is the same. A file whose name is gone is never parked: nobody could open
//! it again.

use super::disk::Disk;
use super::follow::LONGEST_PACE;
use super::wake::HOT;
use super::{Followed, Tail};
use crate::model::{FileId, Timestamp};

/// Handles of quiet files.
const QUIET: usize = 512;

/// How many handles there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handles {
    /// Beyond so many of their own, quiet files give theirs up.
    pub(super) quiet: usize,
    /// Beyond so many of all, so does whoever is read to its end, and nothing more is opened.
    most: usize,
    /// How many there were when it was looked for quiet ones last, or less since.
    looked: usize,
    /// Something was not opened for want of them, since the last sweep.
    pub(super) short: bool,
    /// When it was seen last whether there are too many of quiet ones.
    parked: Timestamp,
}

impl Default for Handles {
    fn default() -> Handles {
        Handles { quiet: QUIET, most: usize::MAX, looked: 0, short: false, parked: Timestamp::MIN }
    }
}

impl<D: Disk> Tail<D> {
    /// How many files may be open at once. Beyond 512 of them, quiet ones are closed, whatever this is.
    pub fn limit_handles(&mut self, most: usize) {
        self.handles = Handles { quiet: QUIET.min(most), most, looked: 0, ..self.handles };
    }

    /// Makes room for one more handle. False: there is none, until others are read to their ends.
    pub(super) fn has_room(&mut self, now: Timestamp) -> bool {
        let Handles { quiet, most, looked, .. } = self.handles;
        let open = self.schedule.len();
        self.handles.looked = looked.min(open);
        if open >= self.handles.looked + quiet.div_ceil(8) {
            self.park_quiet(now);
        }
        if self.schedule.len() >= most {
            let idle = self.idle(|_| true);
            self.park_first(&idle, self.schedule.len() - (most - most.div_ceil(8)), now);
        }
        let has_room = self.schedule.len() < most;
        self.handles.short |= !has_room;
        has_room
    }

    /// Lets only so many files that are quiet keep their handles. In the first sweep of all that is each that is read to its
    /// end: there may be many that were written a moment ago.
    pub(super) fn park_quiet(&mut self, now: Timestamp) {
        let quiet = self.handles.quiet;
        self.handles.parked = now;
        if self.schedule.len() >= quiet {
            let first = self.swept.is_none();
            // Some more than need be, so that not every opening has to look for who is quiet.
            let idle = self.idle(|file| first || file.is_cold(now));
            self.park_first(&idle, idle.len().saturating_sub(quiet - quiet.div_ceil(8)), now);
            self.handles.looked = self.schedule.len();
        }
    }

    /// The same once in a while: what was written a moment ago is quiet later, though nothing is opened then.
    pub(super) fn park_in_time(&mut self, now: Timestamp) {
        if self.next_parking().is_some_and(|due| due <= now) {
            self.park_quiet(now);
        }
    }

    /// When to look for quiet files again, while there are more than may keep their handles.
    pub(super) fn next_parking(&self) -> Option<Timestamp> {
        let Handles { quiet, parked, .. } = self.handles;
        (self.schedule.len() > quiet).then(|| parked.plus(HOT))
    }

    /// Open files that could be parked, those that have been quiet for longest first.
    fn idle(&self, fits: impl Fn(&Followed<D::File>) -> bool) -> Vec<FileId> {
        let open = self.schedule.iter().filter_map(|(_, id)| Some((*id, self.files.get(id)?)));
        let mut idle: Vec<(Timestamp, FileId)> = open
            .filter(|(_, file)| file.may_park() && fits(file))
            .map(|(id, file)| (file.progress.grown, id))
            .collect();
        idle.sort_unstable();
        idle.into_iter().map(|(_, id)| id).collect()
    }

    fn park_first(&mut self, idle: &[FileId], many: usize, now: Timestamp) {
        for id in idle.iter().take(many) {
            self.park(*id, now);
        }
    }

    /// Gives up the handle of a file, unless it has changed since it was read.
    fn park(&mut self, id: FileId, now: Timestamp) {
        // First the wish, then the look: what is written from here on is told.
        let asked_before = self.ask_anyway(id, now);
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(handle) = &file.handle else { return };
        let same = self
            .disk
            .stat(handle)
            .is_ok_and(|facts| facts.links > 0 && !file.progress.differs(facts.size, facts.modified));
        if !same {
            // No hint is to come of what was written before it was asked for.
            if !asked_before {
                self.unask(id);
            }
            return self.schedule_at(id, now);
        }
        file.handle = None;
        file.parked = true;
        file.progress.unchanged_until(now);
        let due = file.due;
        let is_hinted = file.wish.asked;
        self.schedule.remove(&(due, id));
        if !is_hinted {
            self.next_sweep = self.next_sweep.min(now.plus(LONGEST_PACE * self.load()));
        }
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
            self.sweep_soon(now);
        }
    }
}

impl<F> Followed<F> {
    /// Whether all that is known of a file can be kept without its handle, and it can be found again.
    fn may_park(&self) -> bool {
        let is_whole = !self.leftover && !self.packed && !self.ended && self.block.is_empty();
        let can_be_found = self.links > 0 && self.progress.gone.is_none();
        // What another file is held for until it is consumed here.
        let is_awaited = self.before.is_some() && self.progress.position == 0 && !self.rest.is_empty();
        self.progress.is_settled() && is_whole && self.fault.is_none() && can_be_found && !is_awaited
    }
}
