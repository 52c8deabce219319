//! Contents that were born under a name and renamed away again between two looks, or while nobody looked: rotation
//! may be faster than any sweep.
//!
//! They are found by their birth when the next content appears under the name: whatever was rotated through it lies
//! beside it under a longer name, was born after the name was last seen with a content we know, and before the
//! content that has it now. A copy that was made of a content we know is none of them.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{Disk, Kind};
use super::evidence::Evidence;
use super::follow::{LIVE_SPAN, Progress};
use super::glob::Listings;
use super::sweep::Copy;
use super::{Followed, Tail};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Locator;

/// Births are stamped with a clock that ticks so coarsely, at most.
const BIRTH_TICK: Duration = Duration::from_millis(20);
/// How many names are remembered that have no content.
const MOST_LEFT: usize = 1024;

impl<D: Disk> Tail<D> {
    /// The content of `path`, born at `born`, is no longer there; it was when the names were last reconciled.
    pub(super) fn leave(&mut self, source: &SourceName, path: &Path, born: Option<Timestamp>) {
        let seen = self.swept.unwrap_or(self.committed_at).minus(BIRTH_TICK);
        // What comes after a content is younger than it.
        let seen = born.map_or(seen, |born| seen.max(Timestamp(born.0 + 1)));
        self.left.entry((source.clone(), path.to_path_buf())).or_insert(seen);
        if self.left.len() > MOST_LEFT
            && let Some(oldest) =
                self.left.iter().min_by_key(|(_, seen)| **seen).map(|(name, _)| name.clone())
        {
            self.left.remove(&oldest);
        }
    }

    /// Names that have a content we know: nothing can have gone through them unseen any more.
    pub(super) fn came_back(&mut self, source: &SourceName, names: &BTreeMap<PathBuf, Locator>) {
        let readers = &self.readers;
        self.left.retain(|(of, path), _| {
            let known = |locator: &Locator| readers.contains_key(&(source.clone(), locator.clone()));
            of != source || !names.get(path).is_some_and(known)
        });
    }

    /// Follows what went through `path` unseen before the content that was born there at `born`.
    pub(super) fn open_missed(
        &mut self,
        source: &SourceName,
        path: &Path,
        born: Timestamp,
        listings: &mut Listings,
        by_path: &BTreeMap<PathBuf, Vec<FileId>>,
        now: Timestamp,
    ) -> std::io::Result<()> {
        let Some(since) = self.left.remove(&(source.clone(), path.to_path_buf())) else { return Ok(()) };
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let Ok(entries) = listings.get(&mut self.disk, dir) else { return Ok(()) };
        let longer = entries.iter().filter(|(other, kind)| {
            **kind == Kind::File && other.len() > name.len() && other.as_bytes().starts_with(name.as_bytes())
        });
        let beside: Vec<PathBuf> = longer.map(|(other, _)| dir.join(other)).collect();
        let mut missed = Vec::new();
        for beside in beside {
            let Ok(facts) = self.disk.stat_path(&beside) else { continue };
            let known = self.readers.contains_key(&(source.clone(), facts.locator.clone()));
            // What fits is opened as any new file; what is excluded is nobody's business.
            let fits = self
                .sources
                .get(source)
                .is_some_and(|watched| watched.globs.fit(&beside) || watched.globs.left_out(&beside));
            let between = facts.born.is_some_and(|at| at >= since && at <= born);
            if facts.regular && !known && !fits && between {
                missed.push((facts.born, beside, facts.locator));
            }
        }
        missed.sort();
        for (birth, beside, locator) in missed {
            let handle = self.disk.open(&beside)?;
            let facts = self.disk.stat(&handle)?;
            if facts.locator != locator {
                continue;
            }
            // What is too short to be told from a copy is read: a line twice is better than never.
            match self.copy_of(&beside, facts.size, &handle, by_path)? {
                Copy::No | Copy::Unsure(_, 0) => {}
                Copy::From(_) | Copy::Unsure(..) => continue,
            }
            let fresh = self.swept.is_some_and(|swept| now.since(swept) <= LIVE_SPAN)
                && birth.is_some_and(|birth| now.since(birth) <= LIVE_SPAN);
            let mut progress = if fresh {
                Progress::fresh(facts.size, facts.modified, now)
            } else {
                Progress::found(0, false, facts.size, facts.modified, now)
            };
            progress.gone = Some(now);
            let mut file = Followed::new(source.clone(), beside, locator, progress);
            file.evidence = Evidence::take(|offset, buf| self.disk.read_at(&handle, offset, buf), 0)?;
            file.handle = Some(handle);
            file.links = facts.links;
            file.born = facts.born;
            let id = self.new_id();
            self.add(id, file, now);
        }
        Ok(())
    }
}
