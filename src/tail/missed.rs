//! Contents that were born under a name and renamed away again between two looks, or while nobody looked: rotation
//! may be faster than any sweep.
//!
//! They are found by their birth when the next content appears under the name: whatever was rotated through it lies
//! beside it under a longer name, was born after the name was last seen with a content we know, and before the
//! content that has it now. A copy that was made of a content we know is none of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{Disk, Kind, is_absent, is_crowded};
use super::evidence::Evidence;
use super::follow::{LIVE_SPAN, Progress};
use super::sweep::Copy;
use super::{Followed, Tail};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Locator;

/// Births are stamped with a clock that ticks so coarsely, at most.
const BIRTH_TICK: Duration = Duration::from_millis(20);
/// How often what lies beside a name is listed, while names move under our eyes.
const MOST_PASSES: u32 = 4;
/// How many names are remembered that have no content.
const MOST_LEFT: usize = 1024;

impl<D: Disk> Tail<D> {
    /// Notes up to when all births are known.
    pub(super) fn reconciled(&mut self) {
        let births = self.files.values().filter_map(|file| file.born);
        // Born in what is the future, since the clock was set back: there, nothing can be told by its birth.
        let future = births.filter(|born| *born > self.wall).max().map(|born| born.plus(BIRTH_TICK * 2));
        self.swept_to = self.swept_to.max(self.wall).max(future.unwrap_or(Timestamp::MIN));
    }

    /// The content of `path`, born at `born`, is no longer there; it was when the names were last reconciled.
    pub(super) fn leave(&mut self, source: &SourceName, path: &Path, born: Option<Timestamp>) {
        let seen = self.swept_to.minus(BIRTH_TICK);
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
    ///
    /// # Errors
    /// If file handles have run out; the next attempt begins anew.
    pub(super) fn open_missed(
        &mut self,
        source: &SourceName,
        path: &Path,
        born: Timestamp,
        by_path: &BTreeMap<PathBuf, Vec<FileId>>,
        now: Timestamp,
    ) -> std::io::Result<()> {
        let name = (source.clone(), path.to_path_buf());
        let Some(since) = self.left.get(&name).copied() else { return Ok(()) };
        for _ in 0..MOST_PASSES {
            if self.pass_missed(source, path, since..=born, by_path, now)? {
                break;
            }
        }
        self.left.remove(&name);
        Ok(())
    }

    /// One pass over what lies beside `path`. False: names moved meanwhile, so that some may have been passed over.
    fn pass_missed(
        &mut self,
        source: &SourceName,
        path: &Path,
        births: RangeInclusive<Timestamp>,
        by_path: &BTreeMap<PathBuf, Vec<FileId>>,
        now: Timestamp,
    ) -> std::io::Result<bool> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(true) };
        let Some(watched) = self.sources.get(source) else { return Ok(true) };
        let mut still = true;
        let mut missed = Vec::new();
        // The listing of the sweep may be older than the last rotation.
        let listing = self.disk.list(dir).unwrap_or_default();
        for (other, kind) in &listing {
            let beside = dir.join(other);
            let longer = other.len() > name.len() && other.as_bytes().starts_with(name.as_bytes());
            // What fits is opened as any new file.
            if *kind != Kind::File || !longer || watched.globs.fit(&beside) {
                continue;
            }
            let Ok(facts) = self.disk.stat_path(&beside) else {
                still = false;
                continue;
            };
            let known = self.readers.contains_key(&(source.clone(), facts.locator.clone()));
            let between = facts.born.is_some_and(|born| births.contains(&born));
            if facts.regular && !known && between {
                missed.push((facts.born, beside, facts.locator));
            }
        }
        // Of names that are shifted on, each may have been asked for before its content came.
        still &= self.disk.list(dir).is_ok_and(|now| now == listing);
        missed.sort();
        for (_, beside, locator) in missed {
            match self.open_beside(source, &beside, &locator, by_path, now) {
                Ok(same) => still &= same,
                Err(error) if is_absent(&error) => still = false,
                Err(error) if is_crowded(&error) => return Err(error),
                // What nobody may read must not keep its successor from being read.
                Err(_) => {}
            }
        }
        Ok(still)
    }

    /// Follows one content that was missed. False: another one lies there by now.
    fn open_beside(
        &mut self,
        source: &SourceName,
        beside: &Path,
        locator: &Locator,
        by_path: &BTreeMap<PathBuf, Vec<FileId>>,
        now: Timestamp,
    ) -> std::io::Result<bool> {
        let handle = self.disk.open(beside)?;
        let facts = self.disk.stat(&handle)?;
        if facts.locator != *locator {
            return Ok(false);
        }
        // What is too short to be told from a copy is read: a line twice is better than never.
        match self.copy_of(beside, facts.size, &handle, by_path)? {
            Copy::No | Copy::Unsure(_, 0) => {}
            Copy::From(_) | Copy::Unsure(..) => return Ok(true),
        }
        let fresh = self.swept.is_some_and(|swept| now.since(swept) <= LIVE_SPAN)
            && facts.born.is_some_and(|born| self.wall.since(born) <= LIVE_SPAN);
        let mut progress = if fresh {
            Progress::fresh(facts.size, facts.modified, now)
        } else {
            Progress::found(0, false, facts.size, facts.modified, now)
        };
        progress.gone = Some(now);
        let mut file = Followed::new(source.clone(), beside.to_path_buf(), facts.locator, progress);
        file.evidence = Evidence::take(|offset, buf| self.disk.read_at(&handle, offset, buf), 0)?;
        file.handle = Some(handle);
        file.links = facts.links;
        file.born = facts.born;
        let id = self.new_id();
        self.add(id, file, now);
        Ok(true)
    }
}
