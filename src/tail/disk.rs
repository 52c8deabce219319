//! The one place here that touches the operating system: facts and bytes of files, and hints that names moved.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::inotify::{self, WatchFlags};
use rustix::fs::{AtFlags, CWD, Dir, FileType, OFlags, Statx, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

use super::growth::{self, Growth, is_exhausted};
use super::mounts::Mounts;
use super::opened;
use super::packed::{Broken, Packed};
use super::reach::{LinkLeft, Reach};
use crate::model::{FileId, Timestamp};
use crate::saved::Locator;

/// What lies at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, or an entry whose type only a stat can tell.
    Link,
    /// A FIFO, socket or device.
    Other,
    /// A regular file that this process itself writes its log or its alerts to.
    Own,
}

/// What the kernel tells of a file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Which file.
    pub locator: Locator,
    /// Bytes from its beginning to its end.
    pub size: u64,
    /// Last change of the content; coarse (up to 10 ms late on local file systems, 2 s on others).
    pub modified: Timestamp,
    /// When the inode was made, where the file system keeps it.
    pub born: Option<Timestamp>,
    /// Names it has; 0: deleted, and alive only through handles.
    pub links: u64,
    /// What it is.
    pub kind: Kind,
}

/// What is hinted of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It was written or cut.
    Written,
    /// Its last name is gone, and nothing was written before that.
    Gone,
}

/// A failed look, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The operating system's words.
    pub text: String,
    /// There is no such name. The only fault that speaks of absence; every other one proves nothing.
    pub absent: bool,
    /// The process or the system is out of file handles.
    pub crowded: bool,
    /// The handle is of a server that forgot it; only opening the path again helps.
    pub stale: bool,
    /// The path leads through a symbolic link that is not to be followed.
    pub link: bool,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault {
            absent: is_absent(&error),
            crowded: is_crowded(&error),
            stale: is(&error, Errno::STALE),
            link: LinkLeft::is(&error),
            text: error.to_string(),
        }
    }
}

/// Whether an error says that there is no such name.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether an error says that the process or the system is out of file handles.
pub(crate) fn is_crowded(error: &io::Error) -> bool {
    is(error, Errno::MFILE) || is(error, Errno::NFILE)
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// What a tail needs of a file system. Two implementations: [`RealDisk`] and [`super::fake::FakeDisk`].
///
/// Paths are absolute. An error of the kinds `NotFound` and `NotADirectory` says that the name is absent; any
/// other error says that nothing is known.
pub trait Disk {
    /// An open file. Dropping it closes it.
    type File;

    /// The entries of a directory, in any order, without `.` and `..`; of a link it is not followed what it is.
    ///
    /// # Errors
    /// If any part of the listing failed: half a listing would look like deletion.
    fn list(&mut self, dir: Reach<'_>) -> io::Result<Vec<(OsString, Kind)>>;

    /// Opens for reading, through no link but those that may be followed; never waits (not even for the writer of a
    /// FIFO).
    ///
    /// # Errors
    /// As the operating system says, or that there is a link.
    fn open(&mut self, at: Reach<'_>) -> io::Result<Self::File>;

    /// The same with a compressed log, to be read as what it was before: sizes and offsets are those of its text.
    ///
    /// # Errors
    /// The same.
    fn open_packed(&mut self, at: Reach<'_>) -> io::Result<Self::File>;

    /// That the text of such a file ends too early, if it does and has been read to there.
    fn broken(&self, file: &Self::File) -> Option<Broken>;

    /// The facts of an open file.
    ///
    /// # Errors
    /// As the operating system says.
    fn stat(&mut self, file: &Self::File) -> io::Result<Facts>;

    /// The facts of what a path leads to now: of a link at its end only if that may not be followed. On the way there
    /// all links are followed, so it says nothing of what [`Disk::open`] will open.
    ///
    /// # Errors
    /// As the operating system says; a link that is followed and leads nowhere is `NotFound`.
    fn stat_path(&mut self, at: Reach<'_>) -> io::Result<Facts>;

    /// Reads at `offset`; may give fewer bytes than asked for, and gives 0 only at the end of the file.
    ///
    /// # Errors
    /// As the operating system says; an interrupted read is tried again inside.
    fn read_at(&mut self, file: &Self::File, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Asks for hints about the names in these directories, and no others, and as far as can be about where the
    /// directories themselves lie. Only a hint: failure shows in [`Disk::watching`].
    ///
    /// # Errors
    /// If there can be no more of them now, though there are for some of the directories.
    fn watch(&mut self, dirs: &BTreeSet<PathBuf>) -> io::Result<()>;

    /// True if every directory of the last [`Disk::watch`] that exists is watched.
    fn watching(&self) -> bool;

    /// True if names may have changed since the last call.
    fn hinted(&mut self) -> bool;

    /// Asks for one hint about the next write to this file, for [`Disk::woken`]; none comes once its last name is gone.
    /// False: none can be relied on where it lies.
    ///
    /// # Errors
    /// If there can be no more of them now.
    fn ask(&mut self, file: &Self::File, id: FileId) -> io::Result<bool>;

    /// Takes that back.
    fn unask(&mut self, id: FileId);

    /// The files whose hint has come since the last call, each once for each time it was asked for. `None`: some hints
    /// are lost, and all that were asked for are taken back.
    fn woken(&mut self) -> Option<BTreeMap<FileId, Hint>>;
}

/// An open file of this machine.
#[derive(Debug)]
pub struct RealFile {
    file: Arc<File>,
    packed: Option<Packed>,
}

/// Which names of a directory matter.
#[derive(Debug)]
enum Matter {
    /// All that are in it.
    All,
    /// Those through which the way leads to others.
    On(BTreeSet<OsString>),
}

impl Matter {
    /// Whether it matters what happened to that name; without one it happened to the directory itself.
    fn holds(&self, name: Option<&OsStr>) -> bool {
        match (self, name) {
            (Matter::On(names), Some(name)) => names.contains(name),
            _ => true,
        }
    }
}

/// The file system of this machine.
///
/// The generation of a [`Locator`] is the birth time (`statx`): the kernel's file handles would tell the same
/// without a clock, but are refused on overlay file systems. Where a file system keeps no birth time the
/// generation is empty, and a reused inode is told apart by its content alone.
#[derive(Debug)]
pub struct RealDisk {
    hints: Option<OwnedFd>,
    /// By the number of the watch: which names matter there.
    watched: BTreeMap<i32, Matter>,
    complete: bool,
    /// A directory was listed before it was watched: what changed in between, nobody said.
    unsaid: bool,
    /// Device and inode of what stdout and stderr go to.
    own: BTreeSet<(u64, u64)>,
    growth: Growth,
    mounts: Mounts,
}

impl RealDisk {
    /// Without inotify (limits, old kernels, sandboxes) it works by sweeps alone.
    pub fn new() -> RealDisk {
        RealDisk {
            hints: growth::hints().ok(),
            watched: BTreeMap::new(),
            complete: false,
            unsaid: false,
            own: own(),
            growth: Growth::new(),
            mounts: Mounts::default(),
        }
    }

    /// Descriptors of which one is readable while a hint waits to be taken.
    ///
    /// # Errors
    /// If the process is out of descriptors.
    pub fn descriptors(&self) -> io::Result<Vec<OwnedFd>> {
        let names = self.hints.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(names.into_iter().chain(self.growth.descriptor()?).collect())
    }

    fn facts(&self, stat: &Statx) -> Facts {
        let facts = facts(stat);
        let is_own = facts.kind == Kind::File && self.own.contains(&(facts.locator.dev, facts.locator.inode));
        Facts { kind: if is_own { Kind::Own } else { facts.kind }, ..facts }
    }
}

impl Default for RealDisk {
    fn default() -> RealDisk {
        RealDisk::new()
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    fn list(&mut self, dir: Reach<'_>) -> io::Result<Vec<(OsString, Kind)>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = opened::open(dir, flags)?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => opened::file_type(&dir, Path::new(name)),
                known => known,
            };
            entries.push((name.to_owned(), kind_of(kind)));
        }
        Ok(entries)
    }

    fn open(&mut self, at: Reach<'_>) -> io::Result<RealFile> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = Arc::new(File::from(opened::open(at, flags)?));
        Ok(RealFile { file, packed: None })
    }

    fn open_packed(&mut self, at: Reach<'_>) -> io::Result<RealFile> {
        let RealFile { file, .. } = self.open(at)?;
        let from = Arc::clone(&file);
        let raw = Arc::new(move |offset, buf: &mut [u8]| read_at(&from, offset, buf));
        let packed = Packed::new(raw, file.metadata()?.len());
        Ok(RealFile { file, packed: Some(packed) })
    }

    fn broken(&self, file: &RealFile) -> Option<Broken> {
        file.packed.as_ref().and_then(Packed::broken)
    }

    fn stat(&mut self, file: &RealFile) -> io::Result<Facts> {
        let facts = self.facts(&rustix::fs::statx(&file.file, "", AtFlags::EMPTY_PATH, WANTED)?);
        let size = file.packed.as_ref().map_or(facts.size, Packed::size);
        Ok(Facts { size, ..facts })
    }

    fn stat_path(&mut self, at: Reach<'_>) -> io::Result<Facts> {
        let flags = if at.is_followed() { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(self.facts(&rustix::fs::statx(CWD, at.path, flags, WANTED)?))
    }

    fn read_at(&mut self, file: &RealFile, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match &file.packed {
            Some(packed) => packed.read_at(offset, buf),
            None => read_at(&file.file, offset, buf),
        }
    }

    fn watch(&mut self, dirs: &BTreeSet<PathBuf>) -> io::Result<()> {
        let Some(hints) = &self.hints else { return Ok(()) };
        let what = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let add = |dir: &Path| inotify::add_watch(hints, dir, what);
        self.complete = true;
        // Adding a watch again is how a directory that was replaced under its name is found: the old watch
        // stays with the old directory, and the kernel gives one number per directory.
        let mut fresh = BTreeMap::new();
        let mut exhausted = Ok(());
        for dir in dirs {
            if self.mounts.is_blind_at(dir).unwrap_or(false) {
                self.complete = false;
                continue;
            }
            match add(dir) {
                Ok(watch) => {
                    fresh.insert(watch, Matter::All);
                }
                Err(error) => {
                    self.complete &= is_absent(&error.into());
                    if is_exhausted(error) {
                        exhausted = Err(error.into());
                    }
                }
            }
        }
        for (dir, names) in above(dirs) {
            // Who may not read a directory can not watch it: what is moved there is seen later.
            let Ok(watch) = add(dir) else { continue };
            let matter = fresh.entry(watch).or_insert(Matter::On(BTreeSet::new()));
            if let Matter::On(known) = matter {
                known.extend(names.into_iter().map(OsStr::to_owned));
            }
        }
        for old in self.watched.keys().filter(|watch| !fresh.contains_key(watch)) {
            // The kernel has already removed the watch of a deleted directory; that is no failure.
            let _ = inotify::remove_watch(hints, *old);
        }
        self.unsaid |= fresh.keys().any(|watch| !self.watched.contains_key(watch));
        self.watched = fresh;
        exhausted
    }

    fn watching(&self) -> bool {
        self.hints.is_some() && self.complete
    }

    fn hinted(&mut self) -> bool {
        let Some(hints) = &self.hints else { return false };
        let mut any = std::mem::take(&mut self.unsaid);
        // An overflow is an ordinary entry of the queue, so it counts as a hint like the rest. Bounded: a
        // directory that changes faster than it is read must not hold the caller here.
        let taken = growth::take(hints, |hint| {
            let name = hint.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            any |= self.watched.get(&hint.wd()).is_none_or(|matter| matter.holds(name));
        });
        self.complete &= taken.is_ok();
        any
    }

    fn ask(&mut self, file: &RealFile, id: FileId) -> io::Result<bool> {
        if self.mounts.is_blind(&*file.file)? {
            return Ok(false);
        }
        self.growth.ask(&file.file, id)
    }

    fn unask(&mut self, id: FileId) {
        self.growth.unask(id);
    }

    fn woken(&mut self) -> Option<BTreeMap<FileId, Hint>> {
        self.growth.woken()
    }
}

/// The directories above these, each with the names through which the way leads.
fn above(dirs: &BTreeSet<PathBuf>) -> BTreeMap<&Path, BTreeSet<&OsStr>> {
    let mut above: BTreeMap<&Path, BTreeSet<&OsStr>> = BTreeMap::new();
    for dir in dirs {
        for step in dir.ancestors() {
            let (Some(parent), Some(name)) = (step.parent(), step.file_name()) else { break };
            if !above.entry(parent).or_default().insert(name) {
                break;
            }
        }
    }
    above
}

fn read_at(file: &File, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match std::os::unix::fs::FileExt::read_at(file, buf, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// What stdout and stderr go to. A terminal or a pipe among them is no file that is ever followed.
fn own() -> BTreeSet<(u64, u64)> {
    let identity = |facts: Facts| (facts.locator.dev, facts.locator.inode);
    let of = |stat: rustix::io::Result<Statx>| stat.ok().map(|stat| identity(facts(&stat)));
    [
        of(rustix::fs::statx(io::stdout(), "", AtFlags::EMPTY_PATH, WANTED)),
        of(rustix::fs::statx(io::stderr(), "", AtFlags::EMPTY_PATH, WANTED)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn facts(stat: &Statx) -> Facts {
    let birth = (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then_some(stat.stx_btime);
    let mut generation = [0; 12];
    if let Some(birth) = birth {
        generation[..8].copy_from_slice(&birth.tv_sec.to_le_bytes());
        generation[8..].copy_from_slice(&birth.tv_nsec.to_le_bytes());
    }
    Facts {
        locator: Locator {
            dev: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
            inode: stat.stx_ino,
            generation: birth.map_or(&[][..], |_| &generation).into(),
        },
        size: stat.stx_size,
        modified: instant(stat.stx_mtime),
        born: birth.map(instant),
        links: u64::from(stat.stx_nlink),
        kind: kind_of(FileType::from_raw_mode(u32::from(stat.stx_mode))),
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink | FileType::Unknown => Kind::Link,
        _ => Kind::Other,
    }
}

fn instant(time: StatxTimestamp) -> Timestamp {
    Timestamp(Timestamp::from_secs(time.tv_sec).0.saturating_add(i64::from(time.tv_nsec / 1000)))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "real files are what is tested")]
mod tests {
    use super::*;

    #[test]
    fn the_real_disk_tells_a_new_life_of_a_name_from_the_old_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.log");
        let mut disk = RealDisk::new();
        std::fs::write(&path, "one\n").unwrap();
        let file = disk.open(Reach::whole(&path)).unwrap();
        let old = disk.stat(&file).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "other\n").unwrap();
        assert_eq!(disk.stat(&file).unwrap().links, 0);
        let new = disk.stat_path(Reach::whole(&path)).unwrap();
        assert_ne!(new.locator, old.locator);
        assert_eq!((new.size, new.links, new.kind), (6, 1, Kind::File));
        assert_eq!(disk.stat_path(Reach::whole(home.path())).unwrap().kind, Kind::Dir);
    }

    #[test]
    fn a_changed_name_is_hinted_once_where_inotify_works() {
        let home = tempfile::tempdir().unwrap();
        let mut disk = RealDisk::new();
        let dirs = BTreeSet::from([home.path().to_path_buf(), home.path().join("absent")]);
        disk.watch(&dirs).unwrap();
        if !disk.watching() {
            return;
        }
        assert!(disk.hinted(), "it may have changed before it was watched");
        disk.watch(&dirs).unwrap();
        assert!(!disk.hinted());
        std::fs::write(home.path().join("a.log"), "").unwrap();
        assert!(disk.hinted());
        assert!(!disk.hinted());
        std::fs::write(home.path().join("a.log"), "growth is no structure").unwrap();
        assert!(!disk.hinted());
    }
}
