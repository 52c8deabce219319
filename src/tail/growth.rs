//! Hints that a quiet file was written, from an inotify instance of their own: what names do is never drowned in them.
//!
//! Each hint is asked for by itself, and the kernel forgets the wish with the write that meets it. A wish costs no
//! descriptor, and outlives the handle it was made through.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use rustix::io::Errno;

use super::disk::Hint;
use crate::model::FileId;

/// Bytes of hints taken at once: some 500 of files, some 200 of names.
pub(super) const HINTS: usize = 8 * 1024;
/// How often at once, so that files that are written faster than hints are read hold up nobody.
pub(super) const MOST_READS: usize = 64;

/// Wishes for hints, by file.
#[derive(Debug)]
pub(super) struct Growth {
    hints: Option<Inotify>,
    /// By the number of the watch; several ids of one file share one.
    files: BTreeSet<(i32, FileId)>,
    watches: BTreeMap<FileId, WatchDescriptor>,
}

impl Growth {
    pub(super) fn new() -> Growth {
        Growth { hints: Inotify::init().ok(), files: BTreeSet::new(), watches: BTreeMap::new() }
    }

    /// As [`super::Disk::ask`].
    pub(super) fn ask(&mut self, file: &File, id: FileId) -> io::Result<bool> {
        let Some(inotify) = &self.hints else { return Ok(false) };
        // The file itself, whatever has its name by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        match inotify.watches().add(path, WatchMask::MODIFY | WatchMask::ONESHOT) {
            Ok(watch) => {
                self.forget(id);
                self.files.insert((watch.get_watch_descriptor_id(), id));
                self.watches.insert(id, watch);
                Ok(true)
            }
            Err(error) if is_exhausted(&error) => Err(error),
            Err(_) => Ok(false),
        }
    }

    /// As [`super::Disk::unask`].
    pub(super) fn unask(&mut self, id: FileId) {
        if let Some(watch) = self.forget(id)
            && let Some(inotify) = &self.hints
        {
            // The kernel may have removed it by now; that is no failure.
            drop(inotify.watches().remove(watch));
        }
    }

    /// Drops a wish; the watch, if nobody else shares it.
    fn forget(&mut self, id: FileId) -> Option<WatchDescriptor> {
        let watch = self.watches.remove(&id)?;
        let number = watch.get_watch_descriptor_id();
        self.files.remove(&(number, id));
        Some(watch).filter(|_| sharing(&self.files, number).is_empty())
    }

    /// As [`super::Disk::woken`].
    pub(super) fn woken(&mut self) -> Option<BTreeMap<FileId, Hint>> {
        let mut woken = BTreeMap::new();
        let Some(inotify) = &mut self.hints else { return Some(woken) };
        let mut buffer = [0; HINTS];
        for _ in 0..MOST_READS {
            let Ok(hints) = inotify.read_events(&mut buffer) else { break };
            for hint in hints {
                if hint.mask.contains(EventMask::Q_OVERFLOW) {
                    self.watches.clear();
                    self.files.clear();
                    return None;
                }
                // What ends a watch without a write is that the last name is gone: nothing is told of it any more.
                let what = if hint.mask.contains(EventMask::MODIFY) { Hint::Written } else { Hint::Gone };
                let number = hint.wd.get_watch_descriptor_id();
                for id in sharing(&self.files, number) {
                    self.files.remove(&(number, id));
                    self.watches.remove(&id);
                    woken.insert(id, what);
                }
            }
        }
        Some(woken)
    }

    /// Readable when a hint waits.
    pub(super) fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        self.hints.as_ref().map(|hints| hints.as_fd().try_clone_to_owned()).transpose()
    }
}

/// The files of a watch.
fn sharing(files: &BTreeSet<(i32, FileId)>, number: i32) -> Vec<FileId> {
    files.range((number, FileId(0))..=(number, FileId(u64::MAX))).map(|(_, id)| *id).collect()
}

/// Whether an error says that no more watches are to be had.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    let full = [Errno::NOSPC, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    full.iter().any(|full| error.raw_os_error() == Some(full.raw_os_error()))
}
