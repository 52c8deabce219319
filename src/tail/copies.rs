//! Whether a new file is a copy of one that was read, as `copytruncate` makes it, and from where on it is new.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::Disk;
use super::evidence;
use super::reach::Reach;
use super::seen::Named;
use super::{Followed, Tail};
use crate::model::{FileId, Timestamp};

/// How long a file is held back whose head is that of a file it may be a copy of.
const COPY_SPAN: Duration = Duration::from_secs(10);
/// The same for a file that is still too short to tell.
const EMPTY_COPY_SPAN: Duration = Duration::from_secs(1);
/// The longest that a copy may be in the making.
const LONGEST_COPY: Duration = Duration::from_secs(60);
/// What has fewer bytes is believed to be a copy only once its original was cut.
const COPY_EVIDENCE: u64 = 64;

/// What a new file is, next to one whose name its own begins with.
pub(super) enum Copy {
    /// A copy; what lies before the offset was read from the original.
    From(u64),
    /// It is one or may become one, while the original still grows: decide when the original is cut, or else after
    /// this long for this offset.
    Unsure(Duration, u64),
    /// Its original is seen to be cut only now: the next sweep knows both, unless that happens all the time.
    Later,
    No,
}

impl Copy {
    /// Whether a file is not opened yet that is held back for so long, and was not written to for so long.
    pub(super) fn waits(&self, held: Duration, quiet: Duration) -> bool {
        match *self {
            Copy::Unsure(span, _) => held < span || (quiet < span && held < LONGEST_COPY),
            Copy::Later => held < LONGEST_COPY,
            Copy::From(_) | Copy::No => false,
        }
    }
}

impl<D: Disk> Tail<D> {
    /// Whether a new file is the copy that `copytruncate` makes of one that was read under a shorter name. Only
    /// such a name makes it one: two files that are alike by chance are both read.
    pub(super) fn copy_of(
        &mut self,
        path: &Path,
        size: u64,
        handle: &D::File,
        named: &Named,
        now: Timestamp,
    ) -> std::io::Result<Copy> {
        let ids: Vec<FileId> = originals(path).flat_map(|name| named.of(&name)).collect();
        let mut outcome = Copy::No;
        for id in &ids {
            self.rouse(*id);
            let is_open = |file: &Followed<D::File>| !file.packed && file.handle.is_some();
            if self.files.get(id).is_some_and(|file| is_open(file)) && self.look_at(*id, now) {
                self.sweep_soon(now);
                return Ok(Copy::Later);
            }
        }
        let disk = &mut self.disk;
        for id in ids {
            let Some(file) = self.files.get(&id) else { continue };
            let position = file.progress.position;
            let at = self.sources.get(&file.source).map(|watched| watched.globs.reach(&file.path));
            let mut read = |offset: u64, buf: &mut [u8]| disk.read_at(handle, offset, buf);
            let known = position.min(size);
            let verdict = if position == 0 {
                // Nothing of it is consumed: what the two have in common is read in one of them, once one is cut.
                let start = evidence::fetch(&mut read, 0, beginning(size))?;
                match begins_with(disk, file, at, &start) {
                    Some(true) if !file.ended => Copy::Unsure(EMPTY_COPY_SPAN, 0),
                    _ => continue,
                }
            } else if file.evidence.holds_to(known, &mut read)? {
                match (known < COPY_EVIDENCE, file.ended) {
                    (true, true) => return Ok(Copy::From(known)),
                    (true, false) => Copy::Unsure(EMPTY_COPY_SPAN, 0),
                    (false, _) => Copy::Unsure(COPY_SPAN, known),
                }
            } else if size < file.evidence.head().end {
                // Too short for the digests, but the original still has its bytes, unless it was cut.
                let start = evidence::fetch(&mut read, 0, beginning(size))?;
                match begins_with(disk, file, at, &start) {
                    Some(false) => continue,
                    // Whoever copies a file does not rename or delete it too.
                    None if file.missing.is_some() => continue,
                    _ => Copy::Unsure(EMPTY_COPY_SPAN, 0),
                }
            } else if size < position && file.ended && file.evidence.whole_head_holds(&mut read)? {
                // It was read past what was copied, all at once, so no guard lies in between.
                return Ok(Copy::From(known));
            } else if size < position && file.evidence.head_holds(&mut read)? {
                Copy::Unsure(COPY_SPAN, 0)
            } else {
                continue;
            };
            // The copy is made before the original is cut, so then it is whole.
            match verdict {
                Copy::Unsure(_, 0) if file.ended => {}
                Copy::Unsure(_, offset) if file.ended => return Ok(Copy::From(offset)),
                verdict => outcome = verdict,
            }
        }
        Ok(outcome)
    }
}

/// How many bytes of a file of that size are compared with those of another one, where no digest tells.
fn beginning(size: u64) -> usize {
    const MOST: usize = 1024;
    usize::try_from(size).map_or(MOST, |size| size.min(MOST))
}

/// Whether a followed content begins with these bytes, as far as it can be asked.
fn begins_with<D: Disk>(
    disk: &mut D,
    file: &Followed<D::File>,
    at: Option<Reach<'_>>,
    bytes: &[u8],
) -> Option<bool> {
    // One that is parked lies where it did, or it can not be asked.
    let opened = match (&file.handle, at.filter(|_| file.parked)) {
        (None, Some(at)) => disk
            .open(at)
            .ok()
            .filter(|opened| disk.stat(opened).is_ok_and(|facts| facts.locator == file.locator)),
        _ => None,
    };
    let handle = file.handle.as_ref().or(opened.as_ref())?;
    let mut read = |offset: u64, buf: &mut [u8]| disk.read_at(handle, offset, buf);
    let head = evidence::fetch(&mut read, 0, bytes.len()).ok()?;
    (head.len() == bytes.len()).then(|| head == bytes)
}

/// The shorter names in the same directory that `name` begins with, up to a sign: what it may be a copy of.
pub(super) fn originals(name: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let last = name.file_name().map_or(&[][..], OsStr::as_bytes);
    let ends = (1..last.len()).filter(|len| !last[*len].is_ascii_alphanumeric());
    ends.map(move |len| name.with_file_name(OsStr::from_bytes(&last[..len])))
}
