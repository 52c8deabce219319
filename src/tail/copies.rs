//! Whether a new file is a copy of one that was read, as `copytruncate` makes it, and from where on it is new.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::Disk;
use super::evidence;
use super::reach::Reach;
use super::seen::Named;
use super::{Followed, Tail};
use crate::model::{Encoding, FileId, Timestamp};

/// How long a file is held back whose head is that of a file it may be a copy of.
const COPY_SPAN: Duration = Duration::from_secs(10);
/// The same for a file that is still too short to tell.
const EMPTY_COPY_SPAN: Duration = Duration::from_secs(1);
/// What has fewer bytes is believed to be a copy only once its original was cut.
const COPY_EVIDENCE: u64 = 64;

/// What a new file is, next to one whose name its own begins with.
pub(super) enum Copy {
    /// A copy; what lies before the offset was read from the original.
    From(u64),
    /// It is one or may become one, while the original still grows: decide when the original is cut, or else after
    /// this long for this offset.
    Unsure(Duration, u64),
    No,
}

/// Up to where a copy is known from one of the contents it may be a copy of.
#[derive(Clone, Copy)]
struct Copied {
    to: u64,
    /// The last bytes that were compared end here.
    vouched: u64,
}

impl Copied {
    /// Of several originals that begin alike, the one that is the same for longest; of those, the one of which least was read:
    /// a line twice is better than never.
    fn better(self, other: Copied) -> Copied {
        if (self.vouched, Reverse(self.to)) >= (other.vouched, Reverse(other.to)) { self } else { other }
    }
}

impl<D: Disk> Tail<D> {
    /// Looks at what a new file may be a copy of: if it was cut by now, [`Tail::copy_of`] can tell at once.
    pub(super) fn look_at_originals(&mut self, path: &Path, named: &mut Named, now: Timestamp) {
        for id in originals_in(named, path) {
            self.rouse(id);
            if self.files.get(&id).is_some_and(|file| !file.packed && file.handle.is_some()) {
                self.look_at(id, now);
            }
        }
        // What has taken the place of one that was cut may have been copied and cut too.
        self.bring_up(named);
    }

    /// Whether a new file is the copy that `copytruncate` makes of one that was read under a shorter name. Only
    /// such a name makes it one: two files that are alike by chance are both read.
    pub(super) fn copy_of(
        &mut self,
        path: &Path,
        size: u64,
        handle: &D::File,
        named: &Named,
    ) -> std::io::Result<Copy> {
        let ids = originals_in(named, path);
        for id in &ids {
            self.rouse(*id);
        }
        let disk = &mut self.disk;
        let (mut outcome, mut read_before) = (Copy::No, None::<Copied>);
        for id in ids {
            let Some(file) = self.files.get(&id) else { continue };
            let position = file.progress.position;
            let at = self.sources.get(&file.source).map(|watched| watched.globs.reach(&file.path));
            let mut read = |offset: u64, buf: &mut [u8]| disk.read_at(handle, offset, buf);
            let known = position.min(size);
            let short = if known < COPY_EVIDENCE { EMPTY_COPY_SPAN } else { COPY_SPAN };
            let mut copied = None;
            let verdict = if position == 0 {
                // Nothing of it is consumed: what the two have in common is read in one of them, once one is cut.
                let start = evidence::fetch(&mut read, 0, beginning(size))?;
                match begins_with(disk, file, at, &start) {
                    Some(true) => Copy::Unsure(EMPTY_COPY_SPAN, 0),
                    _ => continue,
                }
            } else if let Some(vouched) = file.evidence.vouches_to(known, &mut read)? {
                copied = Some(Copied { to: known, vouched });
                Copy::Unsure(short, if known < COPY_EVIDENCE { 0 } else { known })
            } else if let Some(whole) = file.evidence.begun_by(known, &mut read)? {
                // It was read past what was copied, all at once, so no guard lies in between. A beginning that two files
                // have in common may end in the middle of a line.
                let said = self.sources.get(&file.source).and_then(|watched| watched.settings.encoding);
                let (encoding, _) = Encoding::of(said, file.evidence.start());
                let to = match encoding.unit() {
                    _ if known == position => known,
                    1 => whole,
                    _ => 0,
                };
                copied = Some(Copied { to, vouched: known }).filter(|copied| copied.to > 0);
                Copy::Unsure(short, 0)
            } else if size < file.evidence.head().end {
                // Too short for the digests, but the original still has its bytes, unless it was cut.
                let start = evidence::fetch(&mut read, 0, beginning(size))?;
                match begins_with(disk, file, at, &start) {
                    Some(false) => continue,
                    // Whoever copies a file does not rename or delete it too.
                    None if file.missing.is_some() => continue,
                    _ => Copy::Unsure(EMPTY_COPY_SPAN, 0),
                }
            } else if size < position && file.evidence.head_holds(&mut read)? {
                Copy::Unsure(COPY_SPAN, 0)
            } else {
                continue;
            };
            if file.ended {
                // The copy is made before the original is cut, so then it is whole.
                read_before = read_before.into_iter().chain(copied).reduce(Copied::better);
            } else if !matches!((&outcome, &verdict), (Copy::Unsure(_, more), Copy::Unsure(_, to)) if more > to)
            {
                outcome = verdict;
            }
        }
        Ok(match (read_before, outcome) {
            // One that is not cut yet may be the original of what lies behind.
            (Some(Copied { to, .. }), Copy::Unsure(span, offset)) if to < size => {
                Copy::Unsure(span, offset.max(to))
            }
            (Some(copied), _) => Copy::From(copied.to),
            (None, outcome) => outcome,
        })
    }
}

/// What a file may be a copy of, by its name.
fn originals_in(named: &Named, path: &Path) -> Vec<FileId> {
    originals(path).flat_map(|name| named.of(&name)).collect()
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
