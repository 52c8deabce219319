//! Contents that were born under a name and renamed away again between two looks, or while nobody looked: rotation
//! may be faster than any sweep.
//!
//! They are found by their birth when the next content appears under the name: whatever was rotated through it lies
//! beside it under a longer name, was born after the name was last seen with a content we know, and before the
//! content that has it now. A copy that was made of a content we know is none of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::ops::{Bound, RangeInclusive};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::copies::{Copy, originals};
use super::disk::{Disk, Kind, is_absent, is_crowded};
use super::evidence::Evidence;
use super::follow::{LIVE_SPAN, Progress};
use super::glob::Listings;
use super::seen::{FileNames, Named};
use super::{Followed, Tail};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Locator;

/// Births are stamped with a clock that ticks so coarsely, at most.
const BIRTH_TICK: Duration = Duration::from_millis(20);
/// What was born so much later than the clock was read may have come since. If the clock was set back by less than
/// that, all that was born before is still followed under whatever name.
const LONGEST_TURN: Duration = Duration::from_secs(10);
/// How often what lies beside a name is listed, while names move under our eyes.
const MOST_PASSES: u32 = 4;
/// How long a content whose bytes are gone is remembered because what may be its copy can not be looked at.
const LONGEST_HIDDEN: Duration = Duration::from_secs(60 * 60);
/// How many names are remembered that have no content.
const MOST_LEFT: usize = 1024;

/// A name that has lost its content.
#[derive(Debug)]
pub(super) struct Left {
    /// The earliest birth of what may have gone through it since.
    since: Timestamp,
    /// What it had.
    last: Option<Locator>,
}

impl<D: Disk> Tail<D> {
    /// Notes up to when all births are known.
    pub(super) fn reconciled(&mut self) {
        let births = self.files.values().filter_map(|file| file.born);
        let births = births.chain(self.resting.iter().filter_map(|(_, file)| file.born()));
        // Born in what is the future, since the clock was set back: there, nothing can be told by its birth.
        let meanwhile = self.wall.plus(LONGEST_TURN);
        let future = births.filter(|born| *born > meanwhile).max().map(|born| born.plus(BIRTH_TICK * 2));
        self.swept_to = self.swept_to.max(self.wall).max(future.unwrap_or(Timestamp::MIN));
    }

    /// The content `last` of `path`, born at `born`, is no longer there; it was when the names were last reconciled.
    pub(super) fn leave(
        &mut self,
        source: &SourceName,
        path: &Path,
        last: Option<&Locator>,
        born: Option<Timestamp>,
    ) {
        let seen = self.swept_to.minus(BIRTH_TICK);
        // What comes after a content is not older than it.
        let since = born.map_or(seen, |born| seen.max(born));
        let left = Left { since, last: last.cloned() };
        self.left.entry((source.clone(), path.to_path_buf())).or_insert(left);
        if self.left.len() > MOST_LEFT
            && let Some(oldest) =
                self.left.iter().min_by_key(|(_, left)| left.since).map(|(name, _)| name.clone())
        {
            self.left.remove(&oldest);
        }
    }

    /// Names that have a content we know: nothing can have gone through them unseen any more.
    pub(super) fn came_back(&mut self, source: &SourceName, names: &FileNames) {
        let mut left = std::mem::take(&mut self.left);
        left.retain(|(of, path), _| {
            let known = |locator: &Locator| self.reader(source, locator).is_some();
            of != source || !names.at(path).is_some_and(known)
        });
        self.left = left;
    }

    /// True if a content whose bytes are gone, and that is to be remembered until `until`, has told all copies of it
    /// that there are: names were looked at since, and whatever went through its own was found.
    pub fn has_told_copies(&self, file: FileId, until: Timestamp) -> bool {
        // Not by the clock alone: a machine may have been suspended, and nobody looked.
        if !self.names.are_known_to(until) {
            return false;
        }
        let Some(file) = self.files.get(&file) else { return true };
        let name = (file.source.clone(), file.path.to_path_buf());
        let hides =
            |path: &Path| file.path.starts_with(path) || originals(path).any(|name| *name == *file.path);
        let hidden = self.path_faults.keys().any(|(source, path)| *source == file.source && hides(path));
        !self.left.contains_key(&name) && (!hidden || self.names.are_known_to(until.plus(LONGEST_HIDDEN)))
    }

    /// Follows what went through `path` unseen before `opened`, which was born there at `born`. `beside`: what lies in its
    /// directory, listed after `opened` was found.
    ///
    /// # Errors
    /// If file handles have run out; the next attempt begins anew.
    pub(super) fn open_missed(
        &mut self,
        source: &SourceName,
        path: &Path,
        (opened, born): (&Locator, Timestamp),
        beside: &mut Listings,
        named: &mut Named,
        now: Timestamp,
    ) -> std::io::Result<()> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let left = (source.clone(), path.to_path_buf());
        let known = self.left.get(&left).map(|left| (left.since, left.last.clone()));
        // A name that is new had nothing when the names were last reconciled.
        let (since, last) = known.unwrap_or_else(|| (self.swept_to.minus(BIRTH_TICK), None));
        for _ in 0..MOST_PASSES {
            let at = self.reach(source, dir);
            let names = beside.get(&mut self.disk, at).map_or_else(
                |_| Vec::new(),
                |entries| {
                    let after = (Bound::Excluded(name), Bound::Unbounded);
                    rotated(entries.range::<OsStr, _>(after), dir, name)
                },
            );
            if self.pass_missed(source, &names, since..=born, opened, last.as_ref(), named, now)? {
                break;
            }
            beside.forget(dir);
        }
        self.left.remove(&left);
        Ok(())
    }

    /// One pass over names, for other contents than these. False: some moved since they were listed, so that a content
    /// may have been passed over. They are shifted from the last to the first and looked at from the first to the last,
    /// so that one is gone then, or has what came later, or two have the same.
    fn pass_missed(
        &mut self,
        source: &SourceName,
        names: &[PathBuf],
        births: RangeInclusive<Timestamp>,
        opened: &Locator,
        last: Option<&Locator>,
        named: &mut Named,
        now: Timestamp,
    ) -> std::io::Result<bool> {
        let mut still = true;
        let (mut missed, mut met) = (Vec::new(), BTreeSet::from([opened.clone()]));
        for beside in names {
            let at = self.reach(source, beside);
            let Ok(facts) = self.disk.stat_path(at) else {
                still = false;
                continue;
            };
            still &= met.insert(facts.locator.clone());
            if last == Some(&facts.locator) || self.reader(source, &facts.locator).is_some() {
                continue;
            }
            still &= facts.born.is_none_or(|born| born <= *births.end());
            if facts.kind == Kind::File
                && facts.locator != *opened
                && facts.born.is_some_and(|born| births.contains(&born))
            {
                missed.push((facts.born, beside.clone(), facts.locator));
            }
        }
        missed.sort();
        for (_, beside, locator) in missed {
            match self.open_beside(source, &beside, &locator, named, now) {
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
        named: &mut Named,
        now: Timestamp,
    ) -> std::io::Result<bool> {
        self.look_at_originals(beside, named, now);
        let at = self.reach(source, beside);
        let handle = self.disk.open(at)?;
        let facts = self.disk.stat(&handle)?;
        if facts.locator != *locator || facts.kind != Kind::File {
            return Ok(false);
        }
        // What fits and may be a copy waits as any new file does; of what does not fit, what is too short to be told
        // from a copy is read: a line twice is better than never. What is excluded by the name it has now had a
        // followed one before.
        let fits = self.sources.get(source).is_some_and(|watched| watched.globs.fit(beside));
        match self.copy_of(beside, facts.size, &handle, named)? {
            Copy::No => {}
            Copy::Unsure(_, 0) if !fits => {}
            Copy::From(_) | Copy::Unsure(..) => return Ok(true),
        }
        let fresh = self.names.were_known_at(now, LIVE_SPAN)
            && facts.born.is_some_and(|born| self.wall.since(born) <= LIVE_SPAN);
        let mut progress = if fresh {
            Progress::fresh(facts.size, facts.modified, now)
        } else {
            Progress::found(0, false, facts.size, facts.modified, now)
        };
        progress.gone = Some(now);
        let mut file = Followed::new(source.clone(), beside.into(), facts.locator, progress);
        file.evidence = Evidence::take(|offset, buf| self.disk.read_at(&handle, offset, buf), 0)?;
        file.handle = Some(handle);
        file.links = facts.links;
        file.born = facts.born;
        let id = self.new_id();
        self.add(id, file, now);
        Ok(true)
    }
}

/// The names beside `name` that rotation may have given to what was there: longer by a sign and a number or a date, or
/// by a word that is used for it. What was packed since is no log.
fn rotated<'a>(
    entries: impl Iterator<Item = (&'a OsString, &'a Kind)>,
    dir: &Path,
    name: &OsStr,
) -> Vec<PathBuf> {
    let is_rotated =
        |other: &OsString| other.as_bytes().strip_prefix(name.as_bytes()).is_some_and(is_rotation);
    let rotated = entries.filter(|(other, kind)| **kind == Kind::File && is_rotated(other));
    rotated.map(|(other, _)| dir.join(other)).collect()
}

/// True if rotation may have given that name to what had the shorter one.
pub(super) fn is_rotation_of(name: &Path, shorter: &Path) -> bool {
    let suffix = name.as_os_str().as_bytes().strip_prefix(shorter.as_os_str().as_bytes());
    suffix.is_some_and(is_rotation)
}

fn is_rotation(suffix: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"old", b"prev", b"last", b"bak", b"save", b"orig"];
    suffix.split_first().is_some_and(|(sign, rest)| {
        b".-_~@".contains(sign)
            && (WORDS.contains(&rest) || rest.iter().any(u8::is_ascii_digit))
            && !super::continued::PACKED.iter().any(|end| suffix.ends_with(end))
    })
}
