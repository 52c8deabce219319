//! What is kept of a parked file while nothing happens to it, and of a saved one until it is looked for: a row of a table,
//! a tenth of what a file is that is open.
//!
//! Rows are looked at where most files are quiet most of the time: by sweeps, and for figures. Whoever has more to do
//! with such a file rouses it; with the end of the look it rests again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use super::disk::Disk;
use super::evidence::Traces;
use super::follow::{Remainder, Settled};
use super::wake::Wish;
use super::{FileStatus, Followed, Phase, Tail, bytes};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::{Locator, SavedFile};

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: BTreeMap<FileId, Box<Resting>>,
    /// How many of each source are known to be there.
    counts: BTreeMap<SourceName, usize>,
}

impl Table {
    fn insert(&mut self, id: FileId, row: Resting) {
        if row.announced {
            *self.counts.entry(row.source.clone()).or_default() += 1;
        }
        self.rows.insert(id, Box::new(row));
    }

    fn remove(&mut self, id: FileId) -> Option<Box<Resting>> {
        let row = self.rows.remove(&id)?;
        if row.announced
            && let Entry::Occupied(mut count) = self.counts.entry(row.source.clone())
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(row)
    }

    pub(super) fn get(&self, id: FileId) -> Option<&Resting> {
        self.rows.get(&id).map(|row| &**row)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (FileId, &Resting)> {
        self.rows.iter().map(|(id, row)| (*id, &**row))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (FileId, &mut Resting)> {
        self.rows.iter_mut().map(|(id, row)| (*id, &mut **row))
    }

    /// How many are known to be there of each source that has any.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&SourceName, usize)> {
        self.counts.iter().map(|(source, count)| (source, *count))
    }
}

/// A file without a handle that was read to its end, or that is saved and was not looked for yet.
#[derive(Debug)]
pub(super) struct Resting {
    pub(super) source: SourceName,
    pub(super) path: Arc<Path>,
    pub(super) locator: Locator,
    born: Birth,
    pub(super) progress: Settled,
    traces: Traces,
    /// What few have.
    more: Option<Box<More>>,
    /// False of what is only saved.
    announced: bool,
    pub(super) wish: Wish,
}

/// When a file was born, if that is known, in the room of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Birth(Timestamp);

impl Birth {
    const UNKNOWN: Birth = Birth(Timestamp(i64::MIN));
}

impl From<Option<Timestamp>> for Birth {
    fn from(born: Option<Timestamp>) -> Birth {
        born.map_or(Birth::UNKNOWN, Birth)
    }
}

impl From<Birth> for Option<Timestamp> {
    fn from(birth: Birth) -> Option<Timestamp> {
        Some(birth.0).filter(|_| birth != Birth::UNKNOWN)
    }
}

/// What there is of a file that was renamed, replaced or linked, or does not end with a line.
#[derive(Debug, PartialEq, Eq)]
struct More {
    former: Box<[Arc<Path>]>,
    links: u64,
    /// What was read and may go on.
    rest: Box<[u8]>,
    remainder: Remainder,
    before: Option<FileId>,
    after: Option<FileId>,
}

impl Default for More {
    fn default() -> More {
        More {
            former: Box::default(),
            links: 1,
            rest: Box::default(),
            remainder: Remainder::default(),
            before: None,
            after: None,
        }
    }
}

impl Resting {
    fn of<F>(file: Followed<F>) -> Resting {
        let (progress, remainder) = file.progress.settled();
        let more = More {
            former: file.former.into(),
            links: file.links,
            rest: file.rest.into(),
            remainder,
            before: file.before,
            after: file.after,
        };
        Resting {
            source: file.source,
            path: file.path,
            locator: file.locator,
            born: file.born.into(),
            progress,
            traces: file.evidence.into(),
            more: Some(more).filter(|more| *more != More::default()).map(Box::new),
            announced: file.announced,
            wish: file.wish,
        }
    }

    fn roused<F>(self) -> Followed<F> {
        let more = self.more.map(|more| *more).unwrap_or_default();
        let progress = self.progress.resumed(more.remainder);
        let mut file = Followed::new(self.source, self.path, self.locator, progress);
        file.rest = more.rest.into();
        file.former = more.former.into();
        file.born = self.born.into();
        file.links = more.links;
        file.announced = self.announced;
        file.wish = self.wish;
        file.evidence = self.traces.into();
        file.before = more.before;
        file.after = more.after;
        file.parked = self.announced;
        file
    }

    /// As [`Tail::phase`].
    pub(super) fn phase(&self) -> Phase {
        if self.announced { Phase::AtEnd } else { Phase::Unreadable }
    }

    /// As [`Tail::save`].
    pub(super) fn save(&self, id: FileId, applied: u64, skipping: bool) -> SavedFile {
        SavedFile {
            id,
            source: self.source.clone(),
            path: bytes(&self.path),
            former: self.former().map(bytes).collect(),
            locator: self.locator.clone(),
            head: self.traces.head(),
            guard: self.traces.guard_before(applied),
            offset: applied,
            skipping,
            ended: false,
        }
    }

    pub(super) fn born(&self) -> Option<Timestamp> {
        self.born.into()
    }

    /// Every name it is known to have had.
    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&*self.path).chain(self.former())
    }

    fn former(&self) -> impl Iterator<Item = &Path> {
        self.more.iter().flat_map(|more| more.former.iter().map(|name| &**name))
    }

    pub(super) fn status(&self, id: FileId) -> FileStatus<'_> {
        FileStatus {
            file: id,
            source: &self.source,
            path: &self.path,
            size: self.progress.size,
            offset: self.progress.position,
            lag: 0,
            phase: self.phase(),
            problem: None,
            grown: self.progress.grown,
            unread_since: None,
            unread_seen: None,
            lost: 0,
        }
    }
}

impl<D: Disk> Tail<D> {
    /// A file that rests is to be dealt with as others are.
    pub(super) fn rouse(&mut self, id: FileId) {
        if let Some(file) = self.resting.remove(id) {
            self.files.insert(id, Box::new(file.roused()));
            self.roused.insert(id);
        }
    }

    /// The same with all of which this holds.
    pub(super) fn rouse_all(&mut self, fits: impl Fn(&Resting) -> bool) {
        let ids: Vec<FileId> = self.resting.iter().filter(|(_, file)| fits(file)).map(|(id, _)| id).collect();
        for id in ids {
            self.rouse(id);
        }
    }

    /// What was parked or roused since the last time rests again, if nothing came of it.
    pub(super) fn rest(&mut self) {
        for id in std::mem::take(&mut self.roused) {
            match self.files.get(&id) {
                Some(file) if file.may_rest() => {}
                Some(file) if file.parked => {
                    self.roused.insert(id);
                    continue;
                }
                _ => continue,
            }
            self.lay_down(id);
        }
    }

    /// Its row is all that is kept of it.
    pub(super) fn lay_down(&mut self, id: FileId) {
        if let Some(file) = self.files.remove(&id) {
            self.resting.insert(id, Resting::of(*file));
        }
    }
}

impl<F> Followed<F> {
    /// Whether its row says all that is known of it.
    fn may_rest(&self) -> bool {
        let nothing_to_tell =
            !self.wish.come && self.fault.is_none() && self.missing.is_none() && self.lost == 0;
        self.parked && !self.ended && self.handle.is_none() && self.progress.gone.is_none() && nothing_to_tell
    }
}
