//! Hints that a quiet file was written, from an inotify instance of their own: what names do is never drowned in them.
//!
//! Each hint is asked for by itself, and the kernel forgets the wish with the write that meets it. A wish costs no
//! descriptor, and outlives the handle it was made through.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::disk::Hint;
use crate::model::FileId;

/// Bytes of hints taken at once: some 500 of files, some 200 of names.
const HINTS: usize = 8 * 1024;
/// How often at once, so that files that are written faster than hints are read hold up nobody.
const MOST_READS: usize = 64;

/// Wishes for hints, by file.
#[derive(Debug)]
pub(super) struct Growth {
    hints: Option<OwnedFd>,
    /// By the number of the watch; several ids of one file share one.
    files: BTreeSet<(i32, FileId)>,
    watches: BTreeMap<FileId, i32>,
}

impl Growth {
    pub(super) fn new() -> Growth {
        Growth { hints: hints().ok(), files: BTreeSet::new(), watches: BTreeMap::new() }
    }

    /// As [`super::Disk::ask`].
    pub(super) fn ask(&mut self, file: &File, id: FileId) -> io::Result<bool> {
        let Some(hints) = &self.hints else { return Ok(false) };
        // The file itself, whatever has its name by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        match inotify::add_watch(hints, path, WatchFlags::MODIFY | WatchFlags::ONESHOT) {
            Ok(watch) => {
                self.forget(id);
                self.files.insert((watch, id));
                self.watches.insert(id, watch);
                Ok(true)
            }
            Err(error) if is_exhausted(error) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// As [`super::Disk::unask`].
    pub(super) fn unask(&mut self, id: FileId) {
        if let Some(watch) = self.forget(id)
            && let Some(hints) = &self.hints
        {
            // The kernel may have removed it by now; that is no failure.
            let _ = inotify::remove_watch(hints, watch);
        }
    }

    /// Drops a wish; the watch, if nobody else shares it.
    fn forget(&mut self, id: FileId) -> Option<i32> {
        let watch = self.watches.remove(&id)?;
        self.files.remove(&(watch, id));
        Some(watch).filter(|_| sharing(&self.files, watch).is_empty())
    }

    /// As [`super::Disk::woken`].
    pub(super) fn woken(&mut self) -> Option<BTreeMap<FileId, Hint>> {
        let mut woken = BTreeMap::new();
        let Growth { hints, files, watches } = self;
        let Some(hints) = hints else { return Some(woken) };
        let mut overflown = false;
        // What can not be read now is found by looks.
        let _ = take(hints, |hint| {
            overflown |= hint.events().contains(ReadFlags::QUEUE_OVERFLOW);
            // What ends a watch without a write is that the last name is gone: nothing is told of it any more.
            let is_write = hint.events().contains(ReadFlags::MODIFY);
            let what = if is_write { Hint::Written } else { Hint::Gone };
            for id in sharing(files, hint.wd()) {
                files.remove(&(hint.wd(), id));
                watches.remove(&id);
                woken.insert(id, what);
            }
        });
        if overflown {
            watches.clear();
            files.clear();
            return None;
        }
        Some(woken)
    }

    /// Readable when a hint waits.
    pub(super) fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        self.hints.as_ref().map(OwnedFd::try_clone).transpose()
    }
}

/// Where hints come from.
pub(super) fn hints() -> rustix::io::Result<OwnedFd> {
    inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
}

/// Takes the hints there are, and no more than are taken at once.
///
/// # Errors
/// What reading answers, but that there are none.
pub(super) fn take(hints: &OwnedFd, mut each: impl FnMut(&Event<'_>)) -> rustix::io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); HINTS];
    let mut hints = Reader::new(hints, &mut buffer);
    let mut reads = 0;
    loop {
        if hints.is_buffer_empty() {
            if reads == MOST_READS {
                return Ok(());
            }
            reads += 1;
        }
        match hints.next() {
            Ok(hint) => each(&hint),
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// The files of a watch.
fn sharing(files: &BTreeSet<(i32, FileId)>, number: i32) -> Vec<FileId> {
    files.range((number, FileId(0))..=(number, FileId(u64::MAX))).map(|(_, id)| *id).collect()
}

/// Whether an error says that no more watches are to be had.
pub(super) fn is_exhausted(error: Errno) -> bool {
    [Errno::NOSPC, Errno::NOMEM, Errno::MFILE, Errno::NFILE].contains(&error)
}
