//! The reconciliation of names with files: the truth, of which hints are only the reason to come early.
//!
//! Every name is present, replaced, absent, or cannot be looked at. Only absence, seen in a directory that could
//! be listed, takes a name away from a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::continued::is_packed;
use super::copies::Copy;
use super::disk::{Disk, Facts, Fault, Kind};
use super::evidence::Evidence;
use super::follow::{LIVE_SPAN, Progress};
use super::glob::Listings;
use super::reach::{LinkLeft, Reach};
use super::seen::{FileNames, Name, Named, Seen};
use super::siblings::Sibling;
use super::{Backoff, Followed, Note, PathFault, Tail, start};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::{Locator, SavedSource};

/// How many files are opened at once at first sight, if that is more than a quarter of those there are.
const AT_FIRST: u64 = if cfg!(test) { 3 } else { 1000 };
/// How far a birth may seem to lie before its time: file systems stamp with a coarse clock.
const BIRTH_GRAIN: Duration = Duration::from_secs(1);
/// The longest that a copy may be in the making.
const LONGEST_COPY: Duration = Duration::from_secs(60);
/// How long a content is remembered whose bytes are gone, and then until all names were looked at once more, so that
/// its copy is known.
pub const REMEMBER: Duration = Duration::from_secs(15);
/// How long no name of a content must have been found before it is lost: a file that is renamed while a directory
/// is listed may be seen under neither name.
const MISSING_SPAN: Duration = Duration::from_millis(500);
/// Why a content is lost, or about to be.
pub(super) const NOT_FOUND: &str = "no file in its directory is the one that was read";
/// A sweep that has begun.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Those that are not done with, the next one last.
    sources: Vec<SourceName>,
    /// The files of each of them that have not ended and are not at rest.
    files: BTreeMap<SourceName, Vec<FileId>>,
    /// That one, if it is begun.
    begun: Option<Begun>,
    listings: Listings,
    dirs: BTreeSet<PathBuf>,
    linked: bool,
    /// What was held back before it.
    held_back: BTreeMap<(SourceName, Locator), Timestamp>,
}

/// A source that is being swept.
#[derive(Debug)]
struct Begun {
    seen: Seen,
    /// Files that are not reconciled yet, the next one last.
    known: Vec<FileId>,
    /// The place of the name from which on nothing was opened yet.
    from: usize,
    /// Of its directories, made after all names were looked at.
    beside: Listings,
}

impl<D: Disk> Tail<D> {
    /// Reconciles all names. False: at first sight of many files, some are opened; call it again for more of them,
    /// after what was noted so far was taken and saved.
    pub(super) fn sweep(&mut self, now: Timestamp) -> bool {
        let mut round = self.round.take().unwrap_or_else(|| {
            let sources = self.sources.keys().rev().cloned().collect();
            let files = self.open_by_source();
            Box::new(Round {
                sources,
                files,
                held_back: std::mem::take(&mut self.held_back),
                ..Round::default()
            })
        });
        while let Some(source) = round.sources.last().cloned() {
            let begun = round.begun.take().or_else(|| {
                round.listings.passing = round.sources.len() == 1;
                let seen = self.survey(&source, &mut round.listings, &mut round.dirs);
                round.listings.passing = false;
                let seen = seen?;
                round.linked |= seen.linked;
                let known = self.unreconciled(&source, &seen, &mut round.files, now);
                Some(Begun { seen, known, from: 0, beside: Listings::default() })
            });
            if let Some(mut begun) = begun {
                let is_done = self.settle_known(&mut begun, &mut round.listings, now)
                    && self.open_new(&source, &mut begun, &round, now);
                if !is_done {
                    round.begun = Some(begun);
                    self.round = Some(round);
                    return false;
                }
                self.came_back(&source, &begun.seen.names);
                self.tell_faults(&source, begun.seen, now);
                self.seen_at_first(source);
            }
            round.sources.pop();
        }
        self.link();
        self.release_deleted(now);
        self.park_quiet(now);
        let watched = self.disk.watch(&round.dirs);
        self.names_are_hinted(watched, now);
        self.swept = Some(now);
        self.reconciled();
        self.names_are_known(round.linked, now);
        self.next_sweep = now.plus(self.sweep_pace());
        true
    }

    /// All names of a source were seen, and what is there is open: but for want of handles.
    fn seen_at_first(&mut self, source: SourceName) {
        // What could not be opened yet is still there at first sight.
        let all = !self.handles.short;
        if let Some(watched) = self.sources.get_mut(&source).filter(|watched| watched.fresh && all) {
            watched.fresh = false;
            let first_seen = watched.first_seen;
            self.notes.push(Note::SourceKnown(SavedSource { name: source, first_seen }));
        }
    }

    fn survey(
        &mut self,
        source: &SourceName,
        listings: &mut Listings,
        dirs: &mut BTreeSet<PathBuf>,
    ) -> Option<Seen> {
        let found = self.sources.get(source)?.globs.walk(&mut self.disk, listings);
        dirs.extend(found.dirs);
        let first = self.swept.is_none() && !self.sources.get(source)?.fresh;
        let odd = found.links.into_iter().map(|link| (link, Kind::Link)).collect();
        let mut seen = Seen { blind: found.blind, odd, linked: found.linked, ..Seen::default() };
        let mut names = Vec::with_capacity(found.names.len());
        for name in found.names {
            if is_packed(&name) {
                if self.packed_told.insert(source.clone()) {
                    self.notes.push(Note::Packed { source: source.clone(), path: name.into() });
                }
                continue;
            }
            let at = self.reach(source, &name);
            match self.disk.stat_path(at).map_err(Fault::from) {
                Ok(facts) if facts.kind == Kind::File => {
                    let Facts { locator, size, modified, .. } = facts;
                    names.push(Name { path: name, locator, size, modified });
                }
                Ok(facts) => {
                    seen.odd.insert(name, facts.kind);
                }
                // Whatever went through it while nobody looked lies beside it, though there is no successor yet.
                Err(fault) if fault.absent && first => self.leave(source, &name, None, None),
                Err(fault) if fault.absent => {}
                Err(fault) => {
                    seen.blind.insert(name, fault);
                }
            }
        }
        seen.names = FileNames::new(names);
        Some(seen)
    }

    /// Says what changed of the names that cannot be used.
    fn tell_faults(&mut self, source: &SourceName, seen: Seen, now: Timestamp) {
        for (path, kind) in &seen.odd {
            if self.odd.insert((source.clone(), path.clone()), *kind) != Some(*kind) {
                self.notes.push(Note::LeftAlone {
                    source: source.clone(),
                    path: path.as_path().into(),
                    kind: *kind,
                });
            }
        }
        self.odd.retain(|(of, path), _| of != source || seen.odd.contains_key(path));
        let notes = &mut self.notes;
        self.path_faults.retain(|(of, path), _| {
            let stays = of != source || seen.blind.contains_key(path);
            if !stays {
                notes.push(Note::Readable { source: of.clone(), file: None, path: path.as_path().into() });
            }
            stays
        });
        for (path, fault) in seen.blind {
            let known = self.path_faults.get(&(source.clone(), path.clone()));
            let before = known.map_or(Backoff::NONE, |known| known.backoff);
            if known.is_none() {
                self.notes.push(Note::Unreadable {
                    source: source.clone(),
                    file: None,
                    path: path.as_path().into(),
                    error: fault.text.clone(),
                });
            }
            // A name that was not tried because its time has not come keeps its time.
            let backoff = if before.at > now { before } else { before.after(&fault, now) };
            self.path_faults.insert((source.clone(), path), PathFault { error: fault.text, backoff });
        }
    }

    /// The files of each source that are to be reconciled whatever is seen, in one pass: there may be many of both.
    fn open_by_source(&self) -> BTreeMap<SourceName, Vec<FileId>> {
        let mut files: BTreeMap<SourceName, Vec<FileId>> = BTreeMap::new();
        for (id, file) in self.files.iter().filter(|(_, file)| !file.ended) {
            match files.get_mut(&file.source) {
                Some(ids) => ids.push(*id),
                None => _ = files.insert(file.source.clone(), vec![*id]),
            }
        }
        files
    }

    /// The files of a source that are to be reconciled with what was seen, the next one last: all but those that rest and
    /// are as they were.
    fn unreconciled(
        &mut self,
        source: &SourceName,
        seen: &Seen,
        open: &mut BTreeMap<SourceName, Vec<FileId>>,
        now: Timestamp,
    ) -> Vec<FileId> {
        let mut ids = self.changed_at_rest(source, seen, now);
        ids.extend(open.remove(source).unwrap_or_default());
        // From the newest on: of several contents of one inode only the newest can still be there.
        ids.sort_unstable();
        ids
    }

    /// False: at first sight of many files some are left.
    fn settle_known(&mut self, begun: &mut Begun, listings: &mut Listings, now: Timestamp) -> bool {
        let first = self.swept.is_none();
        let mut left = if first { self.at_once() } else { u64::MAX };
        let Begun { seen, known, .. } = begun;
        while let Some(id) = known.pop_if(|_| left > 0) {
            left -= 1;
            // At once, so that the first sweep after a start holds few of them whole.
            if first {
                self.rest();
            }
            self.rouse(id);
            let Some(file) = self.files.get_mut(&id).filter(|file| !file.leftover) else { continue };
            // What was compressed has another inode, and its own may be somebody else's by now.
            let first = seen.names.of(&file.locator).next().filter(|_| !file.packed);
            let stays = first.is_some() && seen.names.of(&file.locator).any(|name| *name.path == *file.path);
            if let Some(name) = first.filter(|_| file.parked) {
                file.wish.come |= file.progress.differs(name.size, name.modified);
                if !file.wish.come && stays {
                    file.progress.unchanged_until(now);
                    file.missing = None;
                    continue;
                }
            }
            let place = first.map(|name| if stays { file.path.clone() } else { name.path.as_path().into() });
            let (is_open, may_try) = (file.handle.is_some(), file.backoff.at <= now);
            if is_open {
                self.settle_name(id, place, seen, now);
            } else if !self.is_read_by(id) {
                self.end_remembered(id);
            } else if may_try {
                self.settle_lost(id, place, seen, listings, now);
            }
        }
        known.is_empty()
    }

    /// How many files are reconciled or opened in one part of a sweep at first sight.
    fn at_once(&self) -> u64 {
        AT_FIRST.max(u64::from(self.many()) / 4)
    }

    /// Those at rest that are not as they were.
    fn changed_at_rest(&mut self, source: &SourceName, seen: &Seen, now: Timestamp) -> Vec<FileId> {
        let mut changed = Vec::new();
        for (id, file) in self.resting.iter_mut().filter(|(_, file)| file.source == *source) {
            let is_same = |name: &Name| !file.progress.differs(name.size, name.modified);
            let mut names = seen.names.of(&file.locator);
            let same = names.any(|name| *name.path == *file.path && is_same(name));
            if same {
                file.progress.unchanged_until(now);
            } else {
                changed.push(id);
            }
        }
        changed
    }

    /// An open file, and the name it was seen under.
    fn settle_name(&mut self, id: FileId, place: Option<Arc<Path>>, seen: &Seen, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        match place {
            Some(path) => {
                let came_back = file.progress.gone.take().is_some();
                let renamed = file.path != path;
                if renamed {
                    let (source, locator, born) = (file.source.clone(), file.locator.clone(), file.born);
                    let before = file.path.clone();
                    file.rename(path.clone());
                    self.leave(&source, &before, Some(&locator), born);
                }
                if came_back || renamed {
                    self.notes.push(Note::Renamed { file: id, path });
                    self.look_at(id, now);
                }
            }
            None if file.progress.gone.is_some() => {}
            None if file.links > 0 && seen.is_blind(&file.path) => {}
            None => {
                file.progress.gone = Some(now);
                let replaced = seen.names.at(&file.path).is_some();
                let (source, path) = (file.source.clone(), file.path.clone());
                let (locator, born) = (file.locator.clone(), file.born);
                self.notes.push(if replaced {
                    Note::Replaced { file: id }
                } else {
                    Note::Vanished { file: id }
                });
                self.leave(&source, &path, Some(&locator), born);
                // Its last lines come before the first ones of what took its name.
                self.look_at(id, now);
            }
        }
        self.settle(id, now);
    }

    /// A file without a handle: known from the checkpoint, or its handle was given up.
    fn settle_lost(
        &mut self,
        id: FileId,
        place: Option<Arc<Path>>,
        seen: &Seen,
        listings: &mut Listings,
        now: Timestamp,
    ) {
        let Some(file) = self.files.get(&id) else { return };
        if let Some(path) = place {
            self.reopen(id, path, false, now);
            return;
        }
        if seen.odd.get(&*file.path) == Some(&Kind::Own) {
            self.end(id);
            return;
        }
        if seen.is_blind(&file.path) {
            let fault = file.path.ancestors().find_map(|above| seen.blind.get(above)).cloned();
            if let Some(fault) = fault {
                self.fail(id, fault, now);
            }
            return;
        }
        if let Some(found) = seen.names.at(&file.path) {
            let (old, new) = (&file.locator, found);
            let remounted = old.dev != new.dev
                && (old.inode, &old.generation) == (new.inode, &new.generation)
                && !old.generation.is_empty();
            if remounted && self.reader(&file.source, new).is_none() {
                let path = file.path.clone();
                self.reads_no_more(id);
                if let Some(file) = self.files.get_mut(&id) {
                    file.locator = new.clone();
                }
                self.reads(id);
                self.reopen(id, path, false, now);
                return;
            }
        }
        let (source, path, locator) = (file.source.clone(), file.path.clone(), file.locator.clone());
        self.leave(&source, &path, Some(&locator), None);
        match self.find_sibling(&source, &path, &locator, listings) {
            Sibling::At(path) => self.reopen(id, path, true, now),
            Sibling::Nowhere if self.is_behind_link(&path, &locator, seen) => {
                self.fail(id, LinkLeft::error().into(), now);
            }
            Sibling::Nowhere => match self.go_on_packed(id, listings, now) {
                Ok(true) => {}
                Ok(false) => self.miss(id, now),
                Err(fault) => self.fail(id, fault, now),
            },
            Sibling::Unknown(fault) => self.fail(id, fault, now),
        }
    }

    fn miss(&mut self, id: FileId, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if now.since(*file.missing.get_or_insert(now)) < MISSING_SPAN {
            return;
        }
        if file.parked && !file.wish.come {
            // It was read to its end, and nothing was written to it since.
            self.notes.push(Note::Vanished { file: id });
            self.end(id);
        } else {
            self.lose(id, NOT_FOUND);
        }
    }

    /// Whether a content lies behind a link that was followed when it was read.
    fn is_behind_link(&mut self, path: &Path, locator: &Locator, seen: &Seen) -> bool {
        path.ancestors().any(|above| seen.odd.get(above) == Some(&Kind::Link))
            && self.disk.stat_path(Reach::whole(path)).is_ok_and(|facts| facts.locator == *locator)
    }

    /// Goes on with a known content at the exact byte, if it still is that content.
    pub(super) fn reopen(&mut self, id: FileId, path: Arc<Path>, outside: bool, now: Timestamp) {
        if !self.has_room(now) {
            return;
        }
        let Some(file) = self.files.get_mut(&id) else { return };
        let Some(watched) = self.sources.get(&file.source) else { return };
        let disk = &mut self.disk;
        let position = file.progress.position;
        let parked = file.parked;
        let opened = disk.open(watched.globs.reach(&path)).and_then(|handle| {
            let facts = disk.stat(&handle)?;
            if parked && facts.size < position {
                return Ok((handle, facts, None));
            }
            let mut read = |offset: u64, buf: &mut [u8]| disk.read_at(&handle, offset, buf);
            // Taken before it is compared: a content that is cut in between must not vouch for itself.
            let taken = Evidence::take(&mut read, position)?;
            let same = facts.size >= position && file.evidence.all_holds(read)?;
            Ok((handle, facts, same.then_some(taken)))
        });
        let (handle, facts, evidence) = match opened.map_err(Fault::from) {
            Ok(opened) => opened,
            // Gone between two calls: the next sweep knows more.
            Err(fault) if fault.absent => return,
            Err(fault) => return self.fail(id, fault, now),
        };
        if facts.locator != file.locator {
            return;
        }
        let renamed = file.path != path;
        if renamed {
            file.rename(path.clone());
        }
        file.missing = None;
        file.links = facts.links;
        file.born = facts.born;
        if std::mem::take(&mut file.parked) {
            file.handle = Some(handle);
            file.progress.gone = outside.then_some(now);
            // What does not hold stays, for the look that follows to see it, as of any open file.
            if let Some(evidence) = evidence {
                file.evidence = evidence;
            }
            if renamed {
                let (source, before) = (file.source.clone(), file.former[0].clone());
                self.leave(&source, &before, Some(&facts.locator), facts.born);
                self.notes.push(Note::Renamed { file: id, path });
            }
            self.schedule_at(id, now);
            self.look_at(id, now);
            return;
        }
        let Some(evidence) = evidence else {
            if outside && file.locator.generation.is_empty() {
                return self.lose(id, "the file that was read holds other bytes now");
            }
            // The very file, so it was cut and written anew before its name went.
            file.progress.gone = outside.then_some(now);
            file.handle = Some(handle);
            self.recovered(id);
            return self.supersede(id, &facts, now);
        };
        file.handle = Some(handle);
        file.evidence = evidence;
        let skipping = file.progress.skipping;
        file.progress = Progress::found(position, skipping, facts.size, facts.modified, now);
        file.progress.gone = outside.then_some(now);
        self.found(id, renamed, now);
    }

    /// A content that was known is open again, under another name if it was `renamed`, and goes on where it was read to.
    pub(super) fn found(&mut self, id: FileId, renamed: bool, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id) else { return };
        let (path, from) = (file.path.clone(), file.progress.position);
        if !std::mem::replace(&mut file.announced, true) {
            let source = file.source.clone();
            self.notes.push(Note::Opened { file: id, source, path, from });
        } else if renamed {
            self.notes.push(Note::Renamed { file: id, path });
        }
        self.recovered(id);
        self.settle(id, now);
    }

    /// Opens what is new. False: at first sight of many files some names are left, since what is told and saved of them
    /// all at once would take more memory than they do.
    fn open_new(&mut self, source: &SourceName, begun: &mut Begun, round: &Round, now: Timestamp) -> bool {
        let held_back = &round.held_back;
        let Begun { seen, from, beside, .. } = begun;
        let fresh = self.sources.get(source).is_some_and(|watched| watched.fresh);
        let most = self.next_file + self.at_once();
        let mut named: Option<Named> = None;
        for (place, Name { path, locator, .. }) in seen.names.iter().enumerate().skip(*from) {
            if self.reader(source, locator).is_some() {
                continue;
            }
            if fresh && self.next_file >= most {
                *from = place;
                return false;
            }
            let known = self.path_faults.get(&(source.clone(), path.clone()));
            if let Some(known) = known.filter(|known| known.backoff.at > now) {
                let text = known.error.clone();
                let fault = Fault { text, absent: false, crowded: true, stale: false, link: false };
                seen.blind.insert(path.clone(), fault);
                continue;
            }
            let named = named.get_or_insert_with(|| match fresh {
                true => Named::nothing(source),
                false => self.named(source),
            });
            // As in the first sweep of all.
            if fresh {
                self.rest();
            }
            let held_since = held_back.get(&(source.clone(), locator.clone())).copied().unwrap_or(now);
            let opened = self.open_one(source, path, locator, beside, named, held_since, now);
            match opened.map_err(Fault::from) {
                Err(fault) if fault.link => {
                    seen.odd.insert(path.clone(), Kind::Link);
                }
                Err(fault) if !fault.absent => {
                    seen.blind.insert(path.clone(), fault);
                }
                _ => {}
            }
        }
        true
    }

    fn open_one(
        &mut self,
        source: &SourceName,
        path: &Path,
        locator: &Locator,
        beside: &mut Listings,
        named: &mut Named,
        held_since: Timestamp,
        now: Timestamp,
    ) -> std::io::Result<()> {
        if !self.has_room(now) {
            return Ok(());
        }
        let fresh = self.sources.get(source).is_some_and(|watched| watched.fresh);
        // At first sight nothing is a copy of what was read.
        if !fresh {
            self.look_at_originals(path, named, now);
        }
        let Some(watched) = self.sources.get(source) else { return Ok(()) };
        let handle = self.disk.open(watched.globs.reach(path))?;
        let facts = self.disk.stat(&handle)?;
        // Another file than a moment ago: names are moving. Where that one went the next sweep sees; this one may be gone
        // by then.
        let moved = facts.locator != *locator;
        if facts.kind != Kind::File || moved && self.reader(source, &facts.locator).is_some() {
            return Ok(());
        }
        if let Some(dir) = path.parent().filter(|_| moved) {
            // It may be younger than what was listed.
            beside.forget(dir);
        }
        let (locator, held_since) = (&facts.locator, if moved { now } else { held_since });
        let older = facts.born.is_none_or(|born| born < watched.first_seen);
        let mut from = 0;
        if fresh {
            if older {
                let disk = &mut self.disk;
                let read = |offset: u64, buf: &mut [u8]| disk.read_at(&handle, offset, buf);
                from = start::begin(&watched.settings, facts.size, facts.modified, self.wall, read)?;
            }
        } else {
            let (held, quiet) = (now.since(held_since), self.wall.since(facts.modified));
            match self.copy_of(path, facts.size, &handle, named)? {
                Copy::From(offset) => from = offset,
                Copy::Unsure(span, _) if held < span || (quiet < span && held < LONGEST_COPY) => {
                    self.held_back.insert((source.clone(), locator.clone()), held_since);
                    return Ok(());
                }
                Copy::Unsure(_, offset) => from = offset,
                Copy::No => {}
            }
        }
        if let Some(born) = facts.born.filter(|_| !fresh) {
            self.open_missed(source, path, (locator, born), beside, named, now)?;
        }
        let evidence = Evidence::take(|offset, buf| self.disk.read_at(&handle, offset, buf), from)?;
        let newborn = from == 0
            && self.names.were_known_at(now, LIVE_SPAN)
            && facts.born.is_some_and(|born| born.plus(BIRTH_GRAIN) >= self.names.known_wall());
        let progress = if newborn {
            Progress::fresh(facts.size, facts.modified, now)
        } else {
            Progress::found(from, false, facts.size, facts.modified, now)
        };
        let mut file = Followed::new(source.clone(), path.into(), locator.clone(), progress);
        file.handle = Some(handle);
        file.evidence = evidence;
        file.links = facts.links;
        file.born = facts.born;
        let id = self.new_id();
        self.add(id, file, now);
        Ok(())
    }
}
