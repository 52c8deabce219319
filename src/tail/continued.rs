//! Contents that were compressed while nobody looked: they go on in the text of what they became.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Tail;
use super::disk::{Disk, Fault, Kind};
use super::evidence::Evidence;
use super::follow::Progress;
use super::glob::Listings;
use crate::model::{FileId, Timestamp};

/// How names of compressed files end.
pub(super) const PACKED: [&[u8]; 8] = [b".gz", b".bz2", b".xz", b".zst", b".lz4", b".Z", b".zip", b".lzma"];
/// Those that can be read.
const READ: [&[u8]; 2] = [b".gz", b".zst"];
/// How many compressed files beside a lost one are tried: years of daily rotation.
const MOST_TRIED: usize = 1000;

impl<D: Disk> Tail<D> {
    /// Goes on with a content of which no file is left in the compressed one that has the same text before the read
    /// position, if there is one in its directory.
    ///
    /// # Errors
    /// If some could not be tried, and none of the others is it.
    pub(super) fn go_on_packed(
        &mut self,
        id: FileId,
        listings: &mut Listings,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(file) = self.files.get(&id) else { return Ok(false) };
        let dir = file.path.parent().map(|dir| (dir, self.reach(&file.source, dir)));
        let names = match dir {
            Some((dir, at)) => match listings.get(&mut self.disk, at) {
                Ok(entries) => {
                    let files =
                        entries.iter().filter(|(name, kind)| **kind == Kind::File && file.may_be_in(name));
                    files.map(|(name, _)| dir.join(name)).collect()
                }
                Err(fault) if fault.absent => Vec::new(),
                Err(fault) => return Err(fault),
            },
            None => Vec::new(),
        };
        let mut untried = None;
        for path in names.into_iter().take(MOST_TRIED) {
            match self.try_packed(id, &path, now) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => untried = Some(Fault::from(error)).filter(|fault| !fault.absent).or(untried),
            }
        }
        untried.map_or(Ok(false), Err)
    }

    fn try_packed(&mut self, id: FileId, path: &Path, now: Timestamp) -> std::io::Result<bool> {
        let Some(file) = self.files.get_mut(&id) else { return Ok(false) };
        let disk = &mut self.disk;
        let position = file.progress.position;
        let Some(watched) = self.sources.get(&file.source) else { return Ok(false) };
        let handle = disk.open_packed(watched.globs.reach(path))?;
        let mut read = |offset: u64, buf: &mut [u8]| disk.read_at(&handle, offset, buf);
        if !file.evidence.holds_to(position, &mut read)? {
            return Ok(false);
        }
        let evidence = Evidence::take(&mut read, position)?;
        let facts = disk.stat(&handle)?;
        if facts.kind != Kind::File {
            return Ok(false);
        }
        let skipping = file.progress.skipping;
        file.progress = Progress::found(position, skipping, facts.size, facts.modified, now);
        file.progress.gone = Some(now);
        file.evidence = evidence;
        file.links = facts.links;
        file.handle = Some(handle);
        file.packed = true;
        file.missing = None;
        let renamed = *file.path != *path;
        if renamed {
            file.rename(path.into());
        }
        // What it was in is gone, and where that lay another file may lie by now.
        self.reads_no_more(id);
        self.found(id, renamed, now);
        Ok(true)
    }
}

impl<F> super::Followed<F> {
    /// Whether a file may be what compression made of this one, by its name: the evidence decides.
    fn may_be_in(&self, name: &OsStr) -> bool {
        let packed = name.as_bytes();
        let name = |known: &Path| known.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        READ.iter().any(|end| packed.ends_with(end))
            && self.names().any(|known| packed.starts_with(stem(&name(known))))
    }
}

/// True if a name is one of a compressed file.
pub(super) fn is_packed(path: &Path) -> bool {
    let name = path.file_name().map_or(&[][..], |name| name.as_bytes());
    PACKED.iter().any(|end| name.ends_with(end) && name.len() > end.len())
}

/// What the name of a log begins with, however it is rotated: all before the first sign that is not its first character.
fn stem(name: &[u8]) -> &[u8] {
    let sign = name.iter().skip(1).position(|byte| !byte.is_ascii_alphanumeric() && !b"-_".contains(byte));
    &name[..sign.map_or(name.len(), |at| at + 1)]
}
