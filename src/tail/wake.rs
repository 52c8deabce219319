//! How growth is noticed at once: for next to nothing while nothing grows, and without a toll on whoever writes.
//!
//! A hint of the kernel costs its writer some 20 µs, half as much again as a lone write does. So a file that has grown
//! within the last second is glanced at more often than once a millisecond, which its writer does not feel, and only a
//! file that is quiet for longer, or gives up its handle, asks for a hint about its next write. A file that asks is looked at rarely: those
//! looks are for what no hint tells, as writes through a mapping. Where there are no hints the looks are as close as
//! ever.

use std::collections::BTreeSet;
use std::time::Duration;

use super::disk::{Disk, Hint};
use super::follow::LONGEST_PACE;
use super::{Backoff, Fault, Followed, Note, Tail};
use crate::model::{FileId, Timestamp};

/// How long after its last growth a file is glanced at.
pub(super) const HOT: Duration = Duration::from_secs(1);
/// Between two glances, while few files are hot.
const GLANCE: Duration = Duration::from_micros(400);
/// So many hot files are few; glances at more of them are rarer in the same measure.
const FEW: usize = 8;
/// Between two glances at most.
const RAREST_GLANCE: Duration = Duration::from_millis(10);
/// Between two looks at a file that waits for its hint, while there are few files. Within the span in which a look tells when bytes arrived.
const ASKED_PACE: Duration = Duration::from_secs(5);
/// How long nothing was short when hints are said to be back: each one that comes makes room for another wish.
const BACK_AFTER: Duration = Duration::from_secs(60);
/// A file that grew so often without its hint asks for none any more.
const MOST_UNHEARD: u8 = 3;

/// Who is glanced at, and how it stands with hints.
#[derive(Debug)]
pub(super) struct Wakes {
    hot: BTreeSet<FileId>,
    /// When hints were taken last.
    taken: Timestamp,
    /// Since hints have run out: when to ask again.
    backoff: Backoff,
    /// When they were short last, until that is told to be over.
    short: Option<Timestamp>,
}

impl Wakes {
    pub(super) fn new(now: Timestamp) -> Wakes {
        Wakes { hot: BTreeSet::new(), taken: now, backoff: Backoff::NONE, short: None }
    }
}

/// What a file expects of hints.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// The next write will be hinted.
    pub(super) asked: bool,
    /// It has come, or a sweep has seen a change, and no look has followed it yet.
    pub(super) come: bool,
    /// It asked, and there are none where it lies.
    refused: bool,
    /// So many writes were not.
    unheard: u8,
}

impl<D: Disk> Tail<D> {
    /// How long to wait until the next [`Tail::glance`]; `None`: no file has grown of late.
    pub fn glances(&self) -> Option<Duration> {
        let hot = u32::try_from(self.wakes.hot.len().div_ceil(FEW)).unwrap_or(u32::MAX);
        (hot > 0).then(|| GLANCE.saturating_mul(hot).min(RAREST_GLANCE))
    }

    /// Asks files that have grown within the last second whether they have again, and nothing else. True: the next
    /// [`Tail::look`] has something to look at.
    pub fn glance(&mut self, now: Timestamp) -> bool {
        let mut grown = Vec::new();
        let (files, disk) = (&self.files, &mut self.disk);
        self.wakes.hot.retain(|id| {
            let Some(file) = files.get(id).filter(|file| file.is_hot(now)) else { return false };
            let asks = file.progress.at_end() && file.fault.is_none();
            let Some(handle) = file.handle.as_ref().filter(|_| asks) else { return true };
            if disk.stat(handle).map_or(true, |facts| facts.size != file.progress.size) {
                grown.push(*id);
            }
            true
        });
        for id in &grown {
            self.schedule_at(*id, now);
        }
        !grown.is_empty()
    }

    /// Takes the hints there are: the files they are about are looked at now.
    pub(super) fn take_hints(&mut self, now: Timestamp) {
        let before = std::mem::replace(&mut self.wakes.taken, now);
        let woken = self.disk.woken();
        let overflown = woken.is_none();
        let woken = woken.unwrap_or_else(|| {
            self.rouse_all(|file| file.wish.asked);
            let asked = self.files.iter().filter(|(_, file)| file.wish.asked);
            asked.map(|(id, _)| (*id, Hint::Written)).collect()
        });
        for (id, hint) in woken {
            self.rouse(id);
            let Some(file) = self.files.get_mut(&id) else { continue };
            file.wish.asked = false;
            file.wish.come |= hint == Hint::Written || !file.parked;
            if !overflown {
                // Nothing had been told of it until the hints before were taken, so nothing had happened.
                file.progress.unchanged_until(before);
            }
            match hint {
                // Where it went, if it went, only a sweep can see.
                Hint::Gone if file.parked => self.sweep_soon(now),
                Hint::Written if file.parked => self.unpark(id, now),
                _ => self.schedule_at(id, now),
            }
        }
    }

    /// Asks for a hint about a file that is quiet, before it is looked at: what is written in between is told twice.
    /// True: one was asked for earlier, and has not come.
    pub(super) fn ask(&mut self, id: FileId, now: Timestamp) -> bool {
        let Some(file) = self.files.get_mut(&id) else { return false };
        if !file.wish.asked && file.is_hot(now) {
            file.wish.come = false;
            return false;
        }
        self.ask_anyway(id, now)
    }

    /// The same, however lately it has grown.
    pub(super) fn ask_anyway(&mut self, id: FileId, now: Timestamp) -> bool {
        let Some(file) = self.files.get_mut(&id) else { return false };
        let has_come = std::mem::take(&mut file.wish.come);
        if file.wish.asked {
            return true;
        }
        if has_come || !file.may_ask() || now < self.wakes.backoff.at {
            return false;
        }
        let Some(handle) = &file.handle else { return false };
        match self.disk.ask(handle, id) {
            Ok(asked) => {
                file.wish.asked = asked;
                file.wish.refused = !asked;
            }
            Err(error) => {
                let fault = Fault { crowded: true, ..Fault::from(error) };
                self.wakes.backoff = self.wakes.backoff.after(&fault, now);
                self.run_out(fault.text, now);
            }
        }
        false
    }

    /// Takes whether all directories are watched that could be.
    pub(super) fn names_are_hinted(&mut self, watched: std::io::Result<()>, now: Timestamp) {
        if let Err(error) = watched {
            self.run_out(error.to_string(), now);
        } else if self.wakes.short.is_some_and(|short| now.since(short) >= BACK_AFTER) {
            self.wakes.short = None;
            self.wakes.backoff = Backoff::NONE;
            self.notes.push(Note::Hinted);
        }
    }

    fn run_out(&mut self, error: String, now: Timestamp) {
        if self.wakes.short.replace(now).is_none() {
            self.notes.push(Note::Polled { error });
        }
    }

    /// A look has seen that a file changed, though a hint was expected to say so, or not.
    pub(super) fn changed(&mut self, id: FileId, expected: bool, now: Timestamp) {
        if expected {
            // It may be on its way.
            self.take_hints(now);
            if let Some(file) = self.files.get_mut(&id).filter(|file| file.wish.asked) {
                file.wish.unheard = file.wish.unheard.saturating_add(1);
            }
        }
        self.unask(id);
    }

    /// A file is not to be glanced at.
    pub(super) fn cool(&mut self, id: FileId) {
        self.wakes.hot.remove(&id);
    }

    /// A file needs no hint any more.
    pub(super) fn unask(&mut self, id: FileId) {
        self.cool(id);
        if let Some(file) = self.files.get_mut(&id)
            && std::mem::take(&mut file.wish.asked)
        {
            self.disk.unask(id);
        }
    }

    /// Begins or goes on to glance at a file that has grown of late.
    pub(super) fn warm(&mut self, id: FileId, now: Timestamp) {
        if self.files.get(&id).is_some_and(|file| file.is_hot(now)) {
            self.wakes.hot.insert(id);
        }
    }

    /// Between two looks at a file that is quiet.
    pub(super) fn longest_pace(&self, id: FileId) -> Duration {
        let asked = self.files.get(&id).is_some_and(|file| file.wish.asked);
        (if asked { ASKED_PACE } else { LONGEST_PACE }) * self.load()
    }
}

impl<F> Followed<F> {
    /// Whether it has not grown for a while.
    pub(super) fn is_cold(&self, now: Timestamp) -> bool {
        now.since(self.progress.grown) >= HOT
    }

    fn is_hot(&self, now: Timestamp) -> bool {
        self.handle.is_some() && !self.packed && !self.ended && !self.is_cold(now)
    }

    /// Whether a hint about the next write would be of use, and can be expected. The kernel tells nothing of a file that
    /// has no name.
    fn may_ask(&self) -> bool {
        let is_new = !self.wish.asked && !self.wish.refused && self.wish.unheard < MOST_UNHEARD;
        is_new && !self.packed && self.links > 0 && self.progress.gone.is_none() && self.progress.at_end()
    }
}
