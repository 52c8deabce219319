//! A file system in memory, for tests that decide what happens and when: inode numbers are reused at once, the
//! clock is set by hand, every call can be made to fail, reads can be short, hints can be lost.
//!
//! Clones share the files, as processes do. A file stays alive while a name or a [`FakeFile`] holds it, so
//! dropping a tail is a crash that the files survive.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::disk::{Disk, Facts, Hint, Kind};
use super::packed::{Broken, Packed};
use super::reach::{LinkLeft, Reach};
use crate::model::{FileId, Timestamp};
use crate::saved::Locator;

/// How many symbolic links one path may lead through.
const MAX_LINKS: usize = 40;

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// [`Disk::list`].
    List,
    /// [`Disk::open`].
    Open,
    /// [`Disk::stat`], of an open file.
    Stat,
    /// [`Disk::stat_path`].
    StatPath,
    /// [`Disk::read_at`].
    Read,
}

/// The file system, and one process's view of its hints.
#[derive(Clone, Debug)]
pub struct FakeDisk {
    state: Arc<Mutex<State>>,
    /// The count of structure changes this clone was told of.
    told: u64,
    /// The overflows it was told of.
    overflown: u64,
    /// There was room for all that was to be watched.
    complete: bool,
    /// The files it was asked to tell of, and their writes at that time.
    asked: BTreeMap<FileId, (u64, u64)>,
}

/// An open file. Dropping it closes it.
#[derive(Debug)]
pub struct FakeFile {
    state: Arc<Mutex<State>>,
    serial: u64,
    packed: Option<Packed>,
}

#[derive(Debug)]
struct State {
    nodes: BTreeMap<u64, Node>,
    next_serial: u64,
    next_inode: u64,
    free_inodes: BTreeSet<u64>,
    device: u64,
    now: Timestamp,
    births: bool,
    hints: bool,
    /// Whether hints about writes come, though they can be asked for.
    tells: bool,
    most_asked: usize,
    /// How often those were written that are gone.
    last_writes: BTreeMap<u64, u64>,
    /// Hints that did not fit.
    overflows: u64,
    changes: u64,
    longest_read: Option<usize>,
    most_open: usize,
    faults: BTreeMap<Call, Vec<(Option<Target>, i32)>>,
    /// Calls until what is deferred happens, while something is to be deferred.
    calls_left: Option<usize>,
    deferred: Vec<Change>,
    /// The file that the process itself writes to.
    own: Option<u64>,
}

/// What a writer does.
#[derive(Debug)]
enum Change {
    Append(PathBuf, Vec<u8>),
    Rename(PathBuf, PathBuf),
    Truncate(PathBuf, usize),
    CopyTruncate(PathBuf, PathBuf),
    Unlink(PathBuf),
}

/// What a fault is bound to: the file behind a path if there is one, so that it follows a rename; else the name.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Node(u64),
    Name(PathBuf),
}

#[derive(Debug)]
struct Node {
    inode: u64,
    born: Timestamp,
    modified: Timestamp,
    links: u64,
    opens: u64,
    /// How often it was written.
    writes: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    File(Vec<u8>),
    Dir(BTreeMap<OsString, u64>),
    Link(PathBuf),
    Fifo,
}

impl Body {
    fn kind(&self) -> Kind {
        match self {
            Body::File(_) => Kind::File,
            Body::Dir(_) => Kind::Dir,
            Body::Link(_) => Kind::Link,
            Body::Fifo => Kind::Other,
        }
    }
}

const ROOT: u64 = 0;

impl FakeDisk {
    /// An empty root directory, inode reuse and birth times on, at the epoch.
    pub fn new() -> FakeDisk {
        let root = Node {
            inode: 1,
            born: Timestamp(0),
            modified: Timestamp(0),
            links: 1,
            opens: 0,
            writes: 0,
            body: Body::Dir(BTreeMap::new()),
        };
        let state = State {
            nodes: BTreeMap::from([(ROOT, root)]),
            next_serial: ROOT + 1,
            next_inode: 2,
            free_inodes: BTreeSet::new(),
            device: 1,
            now: Timestamp(0),
            births: true,
            hints: true,
            tells: true,
            most_asked: usize::MAX,
            last_writes: BTreeMap::new(),
            overflows: 0,
            changes: 0,
            longest_read: None,
            most_open: usize::MAX,
            faults: BTreeMap::new(),
            calls_left: None,
            deferred: Vec::new(),
            own: None,
        };
        FakeDisk {
            state: Arc::new(Mutex::new(state)),
            told: 0,
            overflown: 0,
            complete: true,
            asked: BTreeMap::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the clock that stamps births and changes.
    pub fn set_time(&self, now: Timestamp) {
        self.state().now = now;
    }

    /// This file is what the process itself writes its log to.
    ///
    /// # Errors
    /// If it is absent.
    pub fn make_own(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.own = Some(state.find(path, true)?);
        Ok(())
    }

    /// Whether births are kept; without them a reused inode has the same locator as its former life.
    pub fn keep_births(&self, keep: bool) {
        self.state().births = keep;
    }

    /// Whether changes of names are hinted. Lost hints stay lost.
    pub fn keep_hints(&self, keep: bool) {
        let mut state = self.state();
        // That some were lost is a hint of its own, once there are any.
        state.changes += u64::from(keep && !state.hints);
        state.hints = keep;
    }

    /// Whether writes are hinted to those who asked; if not, they wait for ever.
    pub fn tell_writes(&self, tell: bool) {
        self.state().tells = tell;
    }

    /// How many directories, and how many files, may wait for a hint at once; one more fails with `ENOSPC`.
    pub fn limit_hints(&self, most: usize) {
        self.state().most_asked = most;
    }

    /// Loses all hints that wait, and says so.
    pub fn overflow(&self) {
        let mut state = self.state();
        state.overflows += 1;
        state.changes += 1;
    }

    /// Another device number for every file, as after a remount.
    pub fn remount(&self) {
        let mut state = self.state();
        state.device += 1;
        state.changes += 1;
    }

    /// No read gives more than this many bytes; `None`: as many as asked for.
    pub fn shorten_reads(&self, longest: Option<usize>) {
        self.state().longest_read = longest;
    }

    /// How many files may be open at once over all clones; one more fails with `EMFILE`.
    pub fn limit_open(&self, most: usize) {
        self.state().most_open = most;
    }

    /// Makes a call fail with this error number until [`FakeDisk::heal`]: for the file that is now behind `path`
    /// (or for that name, if there is none), or always.
    pub fn fail(&self, call: Call, path: Option<&Path>, errno: i32) {
        let mut state = self.state();
        let target =
            path.map(|path| state.find(path, true).map_or_else(|_| Target::Name(path.into()), Target::Node));
        state.faults.entry(call).or_default().push((target, errno));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// What is appended, renamed, truncated or unlinked from now on happens, in order, in the middle of somebody's
    /// look: right before the call on a [`Disk`] that follows `calls` others. An error of it is lost.
    pub fn defer(&self, calls: usize) {
        self.state().calls_left = Some(calls);
    }

    /// Lets everything that was deferred happen now, and what comes next at once.
    pub fn catch_up(&self) {
        let mut state = self.state();
        state.calls_left = None;
        state.happen();
    }

    /// The state, for a call that a [`Disk`] gets.
    fn call(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        match &mut state.calls_left {
            Some(0) => {
                state.calls_left = None;
                state.happen();
            }
            Some(left) => *left -= 1,
            None => {}
        }
        state
    }

    /// Number of files held open.
    pub fn open_files(&self) -> u64 {
        self.state().nodes.values().map(|node| node.opens).sum()
    }

    /// Appends to a file, making it and its directories if need be.
    ///
    /// # Errors
    /// If the path is no file.
    pub fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.state().do_or_defer(Change::Append(path.into(), bytes.into()))
    }

    /// A new, empty file.
    ///
    /// # Errors
    /// If the name exists.
    pub fn create(&self, path: &Path) -> io::Result<()> {
        self.state().make_below(path, Body::File(Vec::new())).map(drop)
    }

    /// A new directory, and those above it.
    ///
    /// # Errors
    /// If one of the names is no directory.
    pub fn mkdir(&self, path: &Path) -> io::Result<()> {
        self.state().make_dirs(path).map(drop)
    }

    /// A new FIFO.
    ///
    /// # Errors
    /// If the name exists.
    pub fn mkfifo(&self, path: &Path) -> io::Result<()> {
        self.state().make_below(path, Body::Fifo).map(drop)
    }

    /// A symbolic link at `path` that leads to `target`, which is absolute.
    ///
    /// # Errors
    /// If the name exists.
    pub fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.state().make_below(path, Body::Link(target.into())).map(drop)
    }

    /// Another name for the same file.
    ///
    /// # Errors
    /// If `path` is absent or `name` exists.
    pub fn link(&self, path: &Path, name: &Path) -> io::Result<()> {
        let mut state = self.state();
        let serial = state.find(path, false)?;
        state.enter(name, serial)?;
        state.node(serial)?.links += 1;
        Ok(())
    }

    /// Gives a file or directory another name, in place of what had it.
    ///
    /// # Errors
    /// If `from` is absent.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().do_or_defer(Change::Rename(from.into(), to.into()))
    }

    /// Removes a name (of a directory: with all that is in it).
    ///
    /// # Errors
    /// If it is absent.
    pub fn unlink(&self, path: &Path) -> io::Result<()> {
        self.state().do_or_defer(Change::Unlink(path.into()))
    }

    /// Cuts a file to `len` bytes, or fills it with zeros up to there.
    ///
    /// # Errors
    /// If the path is no file.
    pub fn truncate(&self, path: &Path, len: usize) -> io::Result<()> {
        self.state().do_or_defer(Change::Truncate(path.into(), len))
    }

    /// Copies the content to `copy` and cuts the file to nothing.
    ///
    /// # Errors
    /// If `path` is no file.
    pub fn copytruncate(&self, path: &Path, copy: &Path) -> io::Result<()> {
        self.state().do_or_defer(Change::CopyTruncate(path.into(), copy.into()))
    }

    /// The whole content.
    ///
    /// # Errors
    /// If the path is no file.
    pub fn content(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().content(path)
    }

    /// Writes through an open file at an offset of the writer's own, wherever its name went; `None`: at the end.
    ///
    /// # Errors
    /// Never for a regular file.
    pub fn write(&self, file: &FakeFile, offset: Option<usize>, bytes: &[u8]) -> io::Result<()> {
        self.state().change(file.serial, |content| {
            let from = offset.unwrap_or(content.len());
            content.resize(content.len().max(from + bytes.len()), 0);
            content[from..from + bytes.len()].copy_from_slice(bytes);
        })
    }
}

impl Default for FakeDisk {
    fn default() -> FakeDisk {
        FakeDisk::new()
    }
}

impl State {
    fn do_or_defer(&mut self, change: Change) -> io::Result<()> {
        if self.calls_left.is_some() {
            self.deferred.push(change);
            return Ok(());
        }
        self.apply(&change)
    }

    fn happen(&mut self) {
        for change in std::mem::take(&mut self.deferred) {
            // Whoever deferred it is no longer there to be told.
            let _ = self.apply(&change);
        }
    }

    fn apply(&mut self, change: &Change) -> io::Result<()> {
        match change {
            Change::Append(path, bytes) => {
                let serial = match self.find(path, true) {
                    Ok(serial) => serial,
                    Err(_) => self.make_below(path, Body::File(Vec::new()))?,
                };
                self.change(serial, |content| content.extend(bytes))
            }
            Change::Rename(from, to) => {
                let serial = self.find(from, false)?;
                if self.find(to, false).is_ok() {
                    self.remove(to)?;
                }
                let (dir, name) = self.place(from)?;
                self.dir(dir)?.remove(&name);
                self.enter(to, serial)
            }
            Change::Truncate(path, len) => {
                let serial = self.find(path, true)?;
                self.change(serial, |content| content.resize(*len, 0))
            }
            Change::CopyTruncate(path, copy) => {
                let content = self.content(path)?;
                self.apply(&Change::Append(copy.clone(), content))?;
                self.apply(&Change::Truncate(path.clone(), 0))
            }
            Change::Unlink(path) => self.remove(path),
        }
    }

    fn content(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let serial = self.find(path, true)?;
        match &self.node(serial)?.body {
            Body::File(content) => Ok(content.clone()),
            _ => Err(Errno::ISDIR.into()),
        }
    }

    fn node(&mut self, serial: u64) -> io::Result<&mut Node> {
        self.nodes.get_mut(&serial).ok_or_else(|| Errno::STALE.into())
    }

    fn dir(&mut self, serial: u64) -> io::Result<&mut BTreeMap<OsString, u64>> {
        match &mut self.node(serial)?.body {
            Body::Dir(entries) => Ok(entries),
            _ => Err(Errno::NOTDIR.into()),
        }
    }

    fn change(&mut self, serial: u64, edit: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let (now, tells) = (self.now, self.tells);
        let node = self.node(serial)?;
        let Body::File(content) = &mut node.body else { return Err(Errno::ISDIR.into()) };
        edit(content);
        node.modified = now;
        node.writes += u64::from(tells);
        Ok(())
    }

    fn find(&mut self, path: &Path, follow: bool) -> io::Result<u64> {
        self.walk(Reach::whole(path), follow, MAX_LINKS)
    }

    fn walk(&mut self, path: Reach<'_>, follow: bool, links_left: usize) -> io::Result<u64> {
        let mut at = ROOT;
        let mut parts = path.path.components().enumerate().peekable();
        while let Some((index, part)) = parts.next() {
            let Component::Normal(name) = part else { continue };
            let next = *self.dir(at)?.get(name).ok_or(Errno::NOENT)?;
            let is_last = parts.peek().is_none();
            at = match &self.node(next)?.body {
                Body::Link(target) if follow || !is_last => {
                    let target = target.clone();
                    let left = links_left.checked_sub(1).ok_or(Errno::LOOP)?;
                    if index < path.given {
                        self.walk(Reach::whole(&target), true, left)?
                    } else {
                        let followed = path.follow(&target).filter(|_| is_last);
                        let (root, _) = followed.ok_or_else(LinkLeft::error)?;
                        let given = Path::new(root).components().count();
                        self.walk(Reach { path: &target, given, into: path.into }, true, left)?
                    }
                }
                _ => next,
            };
        }
        Ok(at)
    }

    fn place(&mut self, path: &Path) -> io::Result<(u64, OsString)> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::INVAL.into());
        };
        Ok((self.find(dir, true)?, name.to_owned()))
    }

    fn enter(&mut self, path: &Path, serial: u64) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        let entries = self.dir(dir)?;
        if entries.contains_key(&name) {
            return Err(Errno::EXIST.into());
        }
        entries.insert(name, serial);
        self.changes += u64::from(self.hints);
        Ok(())
    }

    fn make_dirs(&mut self, path: &Path) -> io::Result<()> {
        if let Some(above) = path.parent() {
            self.make_dirs(above)?;
            if self.find(path, true).is_err() {
                self.make(path, Body::Dir(BTreeMap::new()))?;
            }
        }
        Ok(())
    }

    fn make_below(&mut self, path: &Path, body: Body) -> io::Result<u64> {
        if let Some(dir) = path.parent() {
            self.make_dirs(dir)?;
        }
        self.make(path, body)
    }

    fn make(&mut self, path: &Path, body: Body) -> io::Result<u64> {
        let serial = self.next_serial;
        self.enter(path, serial)?;
        self.next_serial += 1;
        let inode = self.free_inodes.pop_first().unwrap_or_else(|| {
            self.next_inode += 1;
            self.next_inode - 1
        });
        let (born, modified) = (self.now, self.now);
        self.nodes.insert(serial, Node { inode, born, modified, links: 1, opens: 0, writes: 0, body });
        Ok(serial)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let serial = self.find(path, false)?;
        if let Body::Dir(entries) = &self.node(serial)?.body {
            for name in entries.keys().cloned().collect::<Vec<_>>() {
                self.remove(&path.join(name))?;
            }
        }
        let (dir, name) = self.place(path)?;
        self.dir(dir)?.remove(&name);
        self.changes += u64::from(self.hints);
        self.node(serial)?.links -= 1;
        self.release(serial);
        Ok(())
    }

    fn release(&mut self, serial: u64) {
        let dead = self.nodes.get(&serial).is_some_and(|node| node.links == 0 && node.opens == 0);
        if let Some(node) = dead.then(|| self.nodes.remove(&serial)).flatten() {
            self.free_inodes.insert(node.inode);
            self.last_writes.insert(serial, node.writes);
        }
    }

    fn read_at(&mut self, serial: u64, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.check(Call::Read, Some(serial), None)?;
        let longest = self.longest_read.unwrap_or(usize::MAX);
        let Body::File(content) = &self.node(serial)?.body else { return Err(Errno::ISDIR.into()) };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let len = buf.len().min(content.len() - from).min(longest);
        buf[..len].copy_from_slice(&content[from..from + len]);
        Ok(len)
    }

    fn check(&mut self, call: Call, serial: Option<u64>, path: Option<&Path>) -> io::Result<()> {
        let fault = self.faults.get(&call).and_then(|faults| {
            faults.iter().find(|(target, _)| match target {
                None => true,
                Some(Target::Node(node)) => serial == Some(*node),
                Some(Target::Name(name)) => path == Some(name),
            })
        });
        fault.map_or(Ok(()), |(_, errno)| Err(io::Error::from_raw_os_error(*errno)))
    }

    /// The file behind a path, unless the call is to fail.
    fn reach(&mut self, call: Call, at: Reach<'_>) -> io::Result<u64> {
        let serial = match call {
            Call::StatPath => self.find(at.path, at.is_followed()),
            _ => self.walk(at, true, MAX_LINKS),
        };
        self.check(call, serial.as_ref().ok().copied(), Some(at.path))?;
        serial
    }

    fn facts(&mut self, serial: u64) -> io::Result<Facts> {
        let (dev, births, is_own) = (self.device, self.births, self.own == Some(serial));
        let node = self.node(serial)?;
        let size = if let Body::File(content) = &node.body { content.len() as u64 } else { 0 };
        let serial = serial.to_le_bytes();
        let generation = if births { &serial[..] } else { &[] }.into();
        Ok(Facts {
            locator: Locator { dev, inode: node.inode, generation },
            size,
            modified: node.modified,
            born: births.then_some(node.born),
            links: node.links,
            kind: if is_own { Kind::Own } else { node.body.kind() },
        })
    }
}

impl Drop for FakeFile {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(node) = state.node(self.serial) {
            node.opens -= 1;
        }
        state.release(self.serial);
    }
}

impl Disk for FakeDisk {
    type File = FakeFile;

    fn list(&mut self, dir: Reach<'_>) -> io::Result<Vec<(OsString, Kind)>> {
        let mut state = self.call();
        let serial = state.reach(Call::List, dir)?;
        let entries = state.dir(serial)?.clone();
        let mut list = Vec::new();
        for (name, serial) in entries {
            list.push((name, state.node(serial)?.body.kind()));
        }
        Ok(list)
    }

    fn open(&mut self, at: Reach<'_>) -> io::Result<FakeFile> {
        let mut state = self.call();
        let serial = state.reach(Call::Open, at)?;
        if state.nodes.values().map(|node| node.opens).sum::<u64>() >= state.most_open as u64 {
            return Err(Errno::MFILE.into());
        }
        state.node(serial)?.opens += 1;
        Ok(FakeFile { state: Arc::clone(&self.state), serial, packed: None })
    }

    fn open_packed(&mut self, at: Reach<'_>) -> io::Result<FakeFile> {
        let mut file = self.open(at)?;
        let (state, serial) = (Arc::clone(&self.state), file.serial);
        let raw = move |offset, buf: &mut [u8]| {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.read_at(serial, offset, buf)
        };
        let size = self.state().facts(serial)?.size;
        file.packed = Some(Packed::new(Arc::new(raw), size));
        Ok(file)
    }

    fn broken(&self, file: &FakeFile) -> Option<Broken> {
        file.packed.as_ref().and_then(Packed::broken)
    }

    fn stat(&mut self, file: &FakeFile) -> io::Result<Facts> {
        let mut state = self.call();
        state.check(Call::Stat, Some(file.serial), None)?;
        let facts = state.facts(file.serial)?;
        let size = file.packed.as_ref().map_or(facts.size, Packed::size);
        Ok(Facts { size, ..facts })
    }

    fn stat_path(&mut self, at: Reach<'_>) -> io::Result<Facts> {
        let mut state = self.call();
        let serial = state.reach(Call::StatPath, at)?;
        state.facts(serial)
    }

    fn read_at(&mut self, file: &FakeFile, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.call();
        match &file.packed {
            Some(packed) => {
                drop(state);
                packed.read_at(offset, buf)
            }
            None => state.read_at(file.serial, offset, buf),
        }
    }

    fn watch(&mut self, dirs: &BTreeSet<PathBuf>) -> io::Result<()> {
        let most = self.state().most_asked;
        self.complete = dirs.len() <= most;
        if self.complete { Ok(()) } else { Err(Errno::NOSPC.into()) }
    }

    fn watching(&self) -> bool {
        self.complete && self.state().hints
    }

    fn hinted(&mut self) -> bool {
        let changes = self.state().changes;
        std::mem::replace(&mut self.told, changes) != changes
    }

    fn ask(&mut self, file: &FakeFile, id: FileId) -> io::Result<bool> {
        let mut state = self.state();
        if !state.hints {
            return Ok(false);
        }
        let full = self.asked.len() >= state.most_asked;
        let writes = state.node(file.serial)?.writes;
        drop(state);
        if full {
            return Err(Errno::NOSPC.into());
        }
        self.asked.insert(id, (file.serial, writes));
        Ok(true)
    }

    fn unask(&mut self, id: FileId) {
        self.asked.remove(&id);
    }

    fn woken(&mut self) -> Option<BTreeMap<FileId, Hint>> {
        let state = self.state();
        let overflows = state.overflows;
        let hint = |serial: &u64, writes: &u64| match state.nodes.get(serial) {
            Some(node) if node.writes != *writes => Some(Hint::Written),
            Some(node) if node.links > 0 => None,
            None if state.last_writes.get(serial) != Some(writes) => Some(Hint::Written),
            _ => Some(Hint::Gone),
        };
        let woken = self.asked.iter().filter_map(|(id, (serial, writes))| Some((*id, hint(serial, writes)?)));
        let woken: BTreeMap<FileId, Hint> = woken.collect();
        drop(state);
        if std::mem::replace(&mut self.overflown, overflows) != overflows {
            self.asked.clear();
            return None;
        }
        self.asked.retain(|id, _| !woken.contains_key(id));
        Some(woken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inode_number_is_reused_only_when_neither_name_nor_handle_holds_it() {
        let mut disk = FakeDisk::new();
        disk.keep_births(false);
        let a = Path::new("/d/a");
        disk.append(a, b"one").unwrap();
        let first = disk.stat_path(Reach::whole(a)).unwrap().locator;
        let held = disk.open(Reach::whole(a)).unwrap();
        disk.unlink(a).unwrap();
        disk.create(a).unwrap();
        assert_ne!(disk.stat_path(Reach::whole(a)).unwrap().locator, first);
        assert_eq!((disk.stat(&held).unwrap().links, disk.stat(&held).unwrap().size), (0, 3));
        drop(held);
        disk.create(Path::new("/d/b")).unwrap();
        assert_eq!(disk.stat_path(Reach::whole(Path::new("/d/b"))).unwrap().locator, first);
    }

    #[test]
    fn what_is_deferred_happens_between_two_calls() {
        let mut disk = FakeDisk::new();
        let (a, b) = (Path::new("/a"), Path::new("/b"));
        disk.append(a, b"x").unwrap();
        disk.defer(1);
        disk.rename(a, b).unwrap();
        disk.append(a, b"yz").unwrap();
        assert_eq!(disk.clone().stat_path(Reach::whole(a)).unwrap().size, 1);
        assert_eq!(
            (disk.stat_path(Reach::whole(a)).unwrap().size, disk.stat_path(Reach::whole(b)).unwrap().size),
            (2, 1)
        );
        disk.defer(9);
        disk.unlink(a).unwrap();
        disk.catch_up();
        assert!(disk.stat_path(Reach::whole(a)).is_err());
    }

    #[test]
    fn faults_follow_the_file_and_end_when_healed() {
        let mut disk = FakeDisk::new();
        disk.append(Path::new("/a"), b"x").unwrap();
        disk.fail(Call::Open, Some(Path::new("/a")), Errno::ACCESS.raw_os_error());
        disk.rename(Path::new("/a"), Path::new("/b")).unwrap();
        let error = disk.open(Reach::whole(Path::new("/b"))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        disk.heal();
        assert!(disk.open(Reach::whole(Path::new("/b"))).is_ok());
        assert_eq!(disk.open(Reach::whole(Path::new("/a"))).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let mut disk = FakeDisk::new();
        disk.symlink(Path::new("/b"), Path::new("/a")).unwrap();
        disk.symlink(Path::new("/a"), Path::new("/b")).unwrap();
        assert_eq!(
            disk.open(Reach::whole(Path::new("/a"))).unwrap_err().raw_os_error(),
            Some(Errno::LOOP.raw_os_error())
        );
    }
}
