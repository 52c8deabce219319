//! Files: which there are, what happened to them, and their bytes, each complete line once.
//!
//! ```text
//! Disk ──names──▶ sweep ──opened, renamed, gone──▶ Tail ◀──facts, bytes── Disk
//!        (glob)    (every second, or hinted)        │
//!                                     follow (pure) ┴─▶ Turn: a block to scan, and what its last rest is
//! ```
//!
//! A content is known by its locator (device, inode, birth) and by evidence (digests of its head and of the bytes
//! before the read position). The same locator with failing evidence is a new content, and every content has a
//! [`FileId`] of its own per source. Only a name that is provably absent starts an end; whatever cannot be looked
//! at is kept. A file whose name is gone is read on until it has been quiet for 30 s.
//!
//! Deliberately absent: compressed files but as what became of a known content.

#[cfg(test)]
mod bench;
#[cfg(test)]
#[rustfmt::skip] // Steps read as a sentence; one to a line they are a thousand lines.
mod cases;
#[cfg(test)]
#[rustfmt::skip]
mod cases_copies;
#[cfg(test)]
#[rustfmt::skip]
mod cases_handles;
#[cfg(test)]
#[rustfmt::skip]
mod cases_links;
#[cfg(test)]
#[rustfmt::skip]
mod cases_packed;
#[cfg(test)]
#[rustfmt::skip]
mod cases_rotation;
#[cfg(test)]
#[rustfmt::skip]
mod cases_start;
#[cfg(test)]
#[rustfmt::skip]
mod cases_wake;
mod continued;
mod copies;
mod deleted;
pub mod disk;
#[cfg(test)]
mod encodings_tests;
mod evidence;
pub mod fake;
mod follow;
mod followed;
mod glob;
mod growth;
mod joined;
mod lag;
mod missed;
mod mounts;
mod names;
mod note;
mod opened;
mod packed;
mod parked;
#[cfg(test)]
mod random;
#[cfg(test)]
mod random_copies;
mod reach;
mod readers;
mod reading;
mod resting;
mod seen;
mod siblings;
mod standing;
mod start;
mod sweep;
pub(crate) mod unpack;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use disk::{Disk, Facts, Fault, Hint, Kind, RealDisk};
pub use follow::TailKind;
pub use note::{FileStatus, Loss, Note, Phase, Ready, Turn};
pub use reach::Reach;
pub use standing::{Behind, Standing};
pub use sweep::REMEMBER;

use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::{Locator, Saved, SavedFile};
use crate::settings::Source;
use evidence::Evidence;
use follow::Progress;
use followed::{Backoff, Followed};
use glob::Globs;

/// Between two reconciliations of names with files, while there are few files and not everything is hinted.
const SWEEP: Duration = Duration::from_secs(1);
/// From this many files on, paces are stretched so that idle files stay cheap.
const MANY_FILES: usize = 2000;
/// How far paces are stretched at most.
const MOST_LOAD: u32 = 4;
/// Between two attempts at a file whose bytes cannot be read.
const RETRY: Duration = Duration::from_secs(1);
/// How far a file was read whose first bytes are compared too whenever it has changed: as much is written anew between two
/// looks.
const SOON_REWRITTEN: u64 = 64 * 1024;

/// A source and what is known of its names.
#[derive(Debug)]
struct Watched {
    settings: Source,
    globs: Globs,
    first_seen: Timestamp,
    /// No sweep has seen it yet: the start policy applies to what is there.
    fresh: bool,
}

/// A name that cannot be looked at.
#[derive(Debug)]
struct PathFault {
    error: String,
    backoff: Backoff,
}

/// All files of all sources, on one disk.
#[derive(Debug)]
pub struct Tail<D: Disk> {
    disk: D,
    sources: BTreeMap<SourceName, Watched>,
    /// All but those that rest.
    files: BTreeMap<FileId, Box<Followed<D::File>>>,
    resting: resting::Table,
    /// Parked files that do not rest yet, or no more.
    roused: BTreeSet<FileId>,
    readers: readers::Readers,
    next_file: u64,
    notes: Vec<Note>,
    /// When each open file is looked at next.
    schedule: BTreeSet<(Timestamp, FileId)>,
    ready: BTreeSet<FileId>,
    /// Files with a turn that waits for its answer.
    turns_out: BTreeSet<FileId>,
    path_faults: BTreeMap<(SourceName, PathBuf), PathFault>,
    /// Names that fit and are left alone, and what lies there.
    odd: BTreeMap<(SourceName, PathBuf), Kind>,
    /// Sources of which it was said that they name compressed files.
    packed_told: BTreeSet<SourceName>,
    /// Files that look like a copy in the making, with when they were first seen.
    held_back: BTreeMap<(SourceName, Locator), Timestamp>,
    swept: Option<Timestamp>,
    /// The wall clock, by which files are born.
    wall: Timestamp,
    names: names::Names,
    /// The most that it had shown when names were known, or at any birth that we know of, also of processes before: what
    /// is born later was not there then, even if the clock was set back.
    swept_to: Timestamp,
    next_sweep: Timestamp,
    /// A sweep that has begun, and is not over.
    round: Option<Box<sweep::Round>>,
    /// Names whose content went away.
    left: BTreeMap<(SourceName, PathBuf), missed::Left>,
    /// Files of which it is not known yet what had their name before.
    unlinked: Vec<FileId>,
    /// Records that may go on are read at once: there may be no later.
    hurried: bool,
    wakes: wake::Wakes,
    handles: parked::Handles,
}

impl<D: Disk> Tail<D> {
    /// Goes on where `saved` ends (its sources, files and next id), and takes the rows of its files out of it: all of them
    /// twice would be most of the memory that quiet files ever need. Nothing is looked at before [`Tail::look`].
    pub fn new(disk: D, sources: &[Source], saved: &mut Saved, now: Timestamp) -> Tail<D> {
        let known: BTreeMap<&SourceName, Timestamp> =
            saved.sources.iter().map(|row| (&row.name, row.first_seen)).collect();
        let watched = |source: &Source| {
            let first_seen = known.get(&source.name).copied();
            (source.name.clone(), Watched::new(source, first_seen, now))
        };
        let mut tail = Tail {
            disk,
            sources: sources.iter().map(watched).collect(),
            files: BTreeMap::new(),
            resting: resting::Table::default(),
            roused: BTreeSet::new(),
            readers: readers::Readers::default(),
            next_file: saved.next_file.max(1),
            notes: Vec::new(),
            schedule: BTreeSet::new(),
            ready: BTreeSet::new(),
            turns_out: BTreeSet::new(),
            path_faults: BTreeMap::new(),
            odd: BTreeMap::new(),
            packed_told: BTreeSet::new(),
            held_back: BTreeMap::new(),
            swept: None,
            wall: now,
            names: names::Names::new(now),
            swept_to: saved.swept_to,
            next_sweep: now,
            round: None,
            left: BTreeMap::new(),
            unlinked: Vec::new(),
            hurried: false,
            wakes: wake::Wakes::new(now),
            handles: parked::Handles::default(),
        };
        for (_, row) in saved.files.extract_if(.., |id, _| !id.is_of_stream()) {
            let path = |bytes: &[u8]| -> Arc<Path> { Path::new(OsStr::from_bytes(bytes)).into() };
            let progress = Progress::found(row.offset, row.skipping, row.offset, Timestamp::MIN, now);
            let evidence = Evidence::saved(&row);
            // Each row brings a name of its own.
            let source = tail.sources.get_key_value(&row.source).map_or(&row.source, |(name, _)| name);
            let mut file = Followed::new(source.clone(), path(&row.path), row.locator, progress);
            file.former = row.former.iter().map(|name| path(name)).collect();
            file.evidence = evidence;
            tail.next_file = tail.next_file.max(row.id.0.saturating_add(1));
            tail.files.insert(row.id, Box::new(file));
            if !tail.sources.contains_key(&row.source) {
                tail.end(row.id);
            } else if row.ended {
                tail.end_remembered(row.id);
            } else {
                // Rows come in the order of their ids, so the newest of one inode's contents claims it.
                tail.reads(row.id);
                if row.offset == 0 {
                    tail.unlinked.push(row.id);
                } else {
                    tail.lay_down(row.id);
                }
            }
        }
        tail
    }

    /// Takes other settings. Sources are the same if their names are; files of sources that stay keep their
    /// offsets, unless their path fits no longer; all others end.
    pub fn reload(&mut self, sources: &[Source], now: Timestamp) {
        let mut old = std::mem::take(&mut self.sources);
        for source in sources {
            let before = old.remove(&source.name);
            let mut watched = Watched::new(source, before.as_ref().map(|before| before.first_seen), now);
            watched.fresh |= before.is_some_and(|before| before.fresh);
            self.sources.insert(source.name.clone(), watched);
        }
        self.rouse_all(|_| true);
        let leaves = |file: &Followed<D::File>| match self.sources.get(&file.source) {
            Some(watched) => file.progress.gone.is_none() && !watched.globs.fit(&file.path),
            None => true,
        };
        let left: Vec<FileId> =
            self.files.iter().filter(|(_, file)| !file.ended && leaves(file)).map(|(id, _)| *id).collect();
        for id in left {
            self.end(id);
        }
        self.path_faults.retain(|(source, _), _| self.sources.contains_key(source));
        self.odd.retain(|(source, _), _| self.sources.contains_key(source));
        self.next_sweep = now;
    }

    /// Reconciles names with files if that is due or hinted, and looks at the files that are due. Costs next to
    /// nothing when nothing is due. `wall` is what the clock shows that files are stamped by.
    ///
    /// False: at first sight of many files only some are opened yet. It is called again, with the same times, before
    /// anything else; what it noted is taken and saved meanwhile.
    #[must_use]
    pub fn look(&mut self, now: Timestamp, wall: Timestamp) -> bool {
        self.wall = wall;
        if self.round.is_none() {
            self.take_hints(now);
            self.take_names(now);
        }
        if !self.sweep_if_due(now) {
            return false;
        }
        self.park_in_time(now);
        // What a sweep has found out may be due at once, and need another one in its turn.
        for _ in 0..2 {
            if self.look_at_due(now) {
                self.sweep_soon(now);
                if !self.sweep_if_due(now) {
                    return false;
                }
            }
        }
        self.rest();
        true
    }

    /// Looks at the files that are due. True: names have moved.
    fn look_at_due(&mut self, now: Timestamp) -> bool {
        let mut names_moved = false;
        while let Some(&(due, id)) = self.schedule.first() {
            if due > now {
                break;
            }
            self.schedule.pop_first();
            names_moved |= self.look_at(id, now);
        }
        names_moved
    }

    /// Makes the next [`Tail::look`] reconcile all names and look at every open file, whenever that were due.
    ///
    /// From then on a record that may go on is read without waiting for `flush`.
    pub fn hurry(&mut self, now: Timestamp) {
        self.hurried = true;
        self.next_sweep = now;
        let open: Vec<FileId> = self.schedule.iter().map(|(_, id)| *id).collect();
        for id in open {
            self.schedule_at(id, now);
        }
    }

    /// What happened since the last call, in order.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Up to where a file was read, and whether that lies in an over-long line.
    pub fn read_to(&self, id: FileId) -> Option<(u64, bool)> {
        let resting = || self.resting.get(id).map(|file| file.progress.read_to());
        self.files.get(&id).map(|file| file.progress.read_to()).or_else(resting)
    }

    /// Where a file stands. [`Phase::Ended`] for a file that is not known.
    pub fn phase(&self, id: FileId) -> Phase {
        let resting = || self.resting.get(id).map(resting::Resting::phase);
        self.files.get(&id).map(|file| file.phase()).or_else(resting).unwrap_or(Phase::Ended)
    }

    /// The row of a file for a checkpoint up to which everything before `applied` was applied; `applied` is at
    /// most the read position. `None`: it is forgotten, delete its row.
    ///
    /// A file that has ended keeps its row until [`Tail::forget`]: a crash before its last lines are committed can
    /// read them again, and its copies are known.
    pub fn save(&self, id: FileId, applied: u64, skipping: bool) -> Option<SavedFile> {
        if let Some(file) = self.resting.get(id) {
            return Some(file.save(id, applied, skipping));
        }
        let file = self.files.get(&id)?;
        Some(SavedFile {
            id,
            source: file.source.clone(),
            path: bytes(&file.path),
            former: file.former.iter().map(|name| bytes(name)).collect(),
            locator: file.locator.clone(),
            head: file.evidence.head(),
            guard: file.evidence.guard_before(applied),
            offset: applied,
            skipping,
            ended: file.ended,
        })
    }

    /// Drops what is left of an ended file, after its end was committed. Does nothing to a file that is followed.
    pub fn forget(&mut self, id: FileId) {
        if self.files.get(&id).is_some_and(|file| file.ended) {
            self.files.remove(&id);
        }
    }

    /// When [`Tail::look`] has something to do next: after the time of the last look.
    pub fn next_wake(&self) -> Timestamp {
        let names = self.next_asking().map_or(self.next_sweep, |asking| self.next_sweep.min(asking));
        let due = self.schedule.first().map(|(due, _)| *due);
        names.min(due.into_iter().chain(self.next_parking()).min().unwrap_or(Timestamp::MAX))
    }

    /// The next free file id, for the checkpoint.
    pub fn next_file(&self) -> u64 {
        self.next_file
    }

    /// Up to when, by the wall clock, all names are reconciled, for the checkpoint.
    pub fn swept_to(&self) -> Timestamp {
        self.swept_to
    }

    /// Every file that is followed; those at rest come last.
    pub fn status(&self) -> impl DoubleEndedIterator<Item = FileStatus<'_>> {
        self.stirring().chain(self.resting.iter().map(|(id, file)| file.status(id)))
    }

    /// The same without those at rest, of which there is nothing to tell but that they are followed.
    pub fn stirring(&self) -> impl DoubleEndedIterator<Item = FileStatus<'_>> {
        let followed = self.files.iter().filter(|(_, file)| !file.ended);
        followed.map(|(id, file)| file.status(*id))
    }

    /// The source of a file.
    pub fn source(&self, id: FileId) -> Option<&SourceName> {
        let resting = || self.resting.get(id).map(|file| &file.source);
        self.files.get(&id).map(|file| &file.source).or_else(resting)
    }

    /// The last name of a content that is not forgotten.
    pub fn path(&self, id: FileId) -> Option<&Path> {
        let resting = || self.resting.get(id).map(|file| &*file.path);
        self.files.get(&id).map(|file| &*file.path).or_else(resting)
    }

    /// What is followed, and under which names.
    pub fn names(&self) -> impl Iterator<Item = (FileId, &SourceName, &Arc<Path>)> {
        let files = self.files.iter().filter(|(_, file)| !file.ended);
        let files = files.map(|(id, file)| (*id, &file.source, &file.path));
        files.chain(self.resting.iter().map(|(id, file)| (id, &file.source, &file.path)))
    }

    /// Every name and directory that should be looked at and can not be, with the operating system's words. In no
    /// order.
    pub fn faults(&self) -> impl Iterator<Item = (&SourceName, &Path, &str)> {
        let names = self.path_faults.iter();
        let names = names.map(|((source, path), fault)| (source, path.as_path(), fault.error.as_str()));
        let files = self
            .files
            .values()
            .filter(|file| !file.ended)
            .filter_map(|file| Some((&file.source, &*file.path, file.fault.as_ref()?.text.as_str())));
        names.chain(files)
    }

    /// True if changes of names are hinted by the disk; false: they are found by the sweep alone.
    pub fn watching(&self) -> bool {
        self.disk.watching()
    }

    /// Looks at one open file. True: its name must have gone, or its content was replaced, so that other names
    /// are worth a sweep now.
    fn look_at(&mut self, id: FileId, now: Timestamp) -> bool {
        let expected = self.ask(id, now);
        let Some(file) = self.files.get_mut(&id) else { return false };
        let Some(handle) = &file.handle else { return false };
        let disk = &mut self.disk;
        let stat = disk.stat(handle);
        let links = stat.as_ref().map_or(file.links, |facts| facts.links);
        let looked = stat.and_then(|facts| {
            let same = !file.progress.differs(facts.size, facts.modified)
                || (facts.size >= file.kept_to()
                    && file.evidence.near_holds(|offset, buf| disk.read_at(handle, offset, buf))?
                    && (file.progress.position > SOON_REWRITTEN
                        || file.evidence.begins_alike(|offset, buf| disk.read_at(handle, offset, buf))?)
                    && file.rest_holds(|offset, buf| disk.read_at(handle, offset, buf))?);
            Ok((facts, same))
        });
        let deleted = links == 0 && file.links != 0;
        file.links = links;
        if looked.as_ref().is_ok_and(|(facts, _)| file.progress.differs(facts.size, facts.modified)) {
            self.changed(id, expected, now);
        }
        let Some(file) = self.files.get_mut(&id) else { return false };
        match looked {
            Err(error) => {
                self.fail(id, error.into(), now);
                self.schedule_at(id, now.plus(RETRY));
                false
            }
            Ok((facts, false)) => {
                self.recovered(id);
                self.supersede(id, &facts, now);
                true
            }
            Ok((facts, true)) => {
                file.blocked = false;
                let lost = file.progress.cut_off(facts.size);
                if lost > 0 || file.progress.is_empty_again(facts.size, facts.modified) {
                    file.lost = file.lost.saturating_add(lost);
                    self.notes.push(Note::CutShort { file: id, path: file.path.clone(), lost });
                }
                file.progress.looked(facts.size, facts.modified, now);
                self.recovered(id);
                self.settle(id, now);
                deleted
            }
        }
    }

    /// Decides what follows from the state of a file: ready, ended, or looked at later.
    fn settle(&mut self, id: FileId, now: Timestamp) {
        let longest = self.longest_pace(id);
        let held = self.holds(id);
        let Some(file) = self.files.get_mut(&id) else { return };
        let broken = file.handle.as_ref().filter(|_| file.packed && file.progress.at_end());
        if let Some(broken) = broken.and_then(|handle| self.disk.broken(handle)) {
            return self.lose_as(id, broken.why, Loss::Packed, broken.left);
        }
        let flush = self.sources.get(&file.source).map_or(Duration::MAX, |watched| match self.hurried {
            true if watched.joins() => Duration::ZERO,
            _ => watched.settings.flush,
        });
        if file.progress.judge(flush, held) {
            self.end(id);
            return;
        }
        let mut next = file.progress.next_look(now, flush, longest, held);
        if self.schedule.contains(&(file.due, id)) {
            next = next.min(file.due);
        }
        self.schedule_at(id, next);
        self.refresh(id);
        self.warm(id, now);
    }

    fn schedule_at(&mut self, id: FileId, due: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        self.schedule.remove(&(file.due, id));
        file.due = due;
        if file.handle.is_some() {
            self.schedule.insert((due, id));
        }
    }

    fn refresh(&mut self, id: FileId) {
        if self.files.get(&id).is_some_and(|file| file.wants()) {
            self.ready.insert(id);
        } else {
            self.ready.remove(&id);
        }
    }

    /// How far paces are stretched.
    fn load(&self) -> u32 {
        u32::try_from((self.files.len() + self.resting.len()) / MANY_FILES)
            .unwrap_or(MOST_LOAD)
            .clamp(1, MOST_LOAD)
    }

    /// The file cannot be looked at. A stale handle is given up, so that the next sweep opens the path again.
    fn fail(&mut self, id: FileId, fault: Fault, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.backoff = file.backoff.after(&fault, now);
        if file.fault.is_none() {
            self.notes.push(Note::Unreadable {
                source: file.source.clone(),
                file: Some(id),
                path: file.path.clone(),
                error: fault.text.clone(),
            });
        }
        let stale = fault.stale;
        file.fault = Some(fault);
        if stale {
            self.unask(id);
            let Some(file) = self.files.get_mut(&id) else { return };
            file.handle = None;
            file.blocked = false;
            file.reads_fail = false;
            let due = file.due;
            self.schedule.remove(&(due, id));
            if file.progress.gone.is_some() {
                self.lose(id, "its name is gone and the server has forgotten its handle");
            }
            self.next_sweep = self.next_sweep.min(now.plus(RETRY));
        }
        self.refresh(id);
    }

    fn recovered(&mut self, id: FileId) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.reads_fail || file.fault.take().is_none() {
            return;
        }
        file.backoff = Backoff::NONE;
        let (source, path) = (file.source.clone(), file.path.clone());
        self.notes.push(Note::Readable { source, file: Some(id), path });
    }

    /// The same file holds another content now: a new id, from its beginning, through the same handle.
    fn supersede(&mut self, id: FileId, facts: &Facts, now: Timestamp) {
        self.unask(id);
        let Some(old) = self.files.get_mut(&id) else { return };
        let progress = if old.announced && old.progress.is_watched(now) {
            Progress::fresh(facts.size, facts.modified, now)
        } else {
            Progress::found(0, false, facts.size, facts.modified, now)
        };
        let lost = old.unread_if_gone();
        let mut next = Followed::new(old.source.clone(), old.path.clone(), old.locator.clone(), progress);
        next.former.clone_from(&old.former);
        next.lost = old.lost.saturating_add(lost);
        next.progress.gone = old.progress.gone;
        // Seen to be cut by this look: not when the file says, by a wall clock that may have been set since.
        next.progress.grown = now;
        next.links = facts.links;
        next.born = facts.born;
        next.handle = old.handle.take();
        let path = next.path.clone();
        let next_id = self.new_id();
        self.notes.push(Note::Truncated { file: id, path, next: next_id, lost });
        self.lose_bytes(id);
        self.add(next_id, next, now);
    }

    /// How far links are followed to a path, for a source.
    fn reach<'a>(&self, source: &SourceName, path: &'a Path) -> Reach<'a> {
        self.sources.get(source).map_or(Reach::new(path, 0), |watched| watched.globs.reach(path))
    }

    fn new_id(&mut self) -> FileId {
        let id = FileId(self.next_file);
        self.next_file += 1;
        id
    }

    /// Begins to follow an open file.
    fn add(&mut self, id: FileId, mut file: Followed<D::File>, now: Timestamp) {
        file.announced = true;
        self.notes.push(Note::Opened {
            file: id,
            source: file.source.clone(),
            path: file.path.clone(),
            from: file.progress.position,
        });
        self.files.insert(id, Box::new(file));
        self.reads(id);
        self.unlinked.push(id);
        self.settle(id, now);
    }

    fn lose(&mut self, id: FileId, why: &'static str) {
        let lost = self.files.get(&id).map_or(0, |file| file.unread_if_gone());
        self.lose_as(id, why, Loss::Vanished, lost);
    }

    fn lose_as(&mut self, id: FileId, why: &'static str, how: Loss, lost: u64) {
        if let Some(file) = self.files.get(&id) {
            let from = file.progress.position;
            self.notes.push(Note::Lost { file: id, path: file.path.clone(), from, lost, how, why });
            self.lose_bytes(id);
        }
    }

    /// Ends a content whose bytes are gone, though a copy of them may yet turn up.
    fn end_remembered(&mut self, id: FileId) {
        self.end_as(id, true);
    }

    fn end(&mut self, id: FileId) {
        self.end_as(id, false);
    }

    fn end_as(&mut self, id: FileId, remember: bool) {
        self.unask(id);
        let Some(file) = self.files.get_mut(&id) else { return };
        file.ended = true;
        file.handle = None;
        self.schedule.remove(&(file.due, id));
        self.ready.remove(&id);
        self.reads_no_more(id);
        self.notes.push(Note::Ended { file: id, remember });
    }
}

impl Watched {
    fn new(source: &Source, first_seen: Option<Timestamp>, now: Timestamp) -> Watched {
        Watched {
            settings: source.clone(),
            globs: Globs::new(source),
            first_seen: first_seen.unwrap_or(now),
            fresh: first_seen.is_none(),
        }
    }

    /// True if lines are joined, to records or from pieces, so that what is at the end of a file may go on in another.
    fn joins(&self) -> bool {
        self.settings.multiline.is_some() || self.settings.envelope.is_some()
    }
}

/// A path as the kernel gave it.
fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}
