//! The state directory: its lock, its one database file, and what happens to a file that is of no use.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use redb::Database;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{Home, Opened, Store, StoreError, begin, builder, format, guarded};
use crate::model::Timestamp;

/// The database.
const STATE: &str = "state.redb";
/// A database whose first commit is not known to be durable.
const UNFINISHED: &str = "state.redb.new";
/// Held by flock while a tripline uses the directory; holds its process number as text.
const LOCK: &str = "lock";

/// Opens the state of `dir`, making both if need be (the directory with mode 0700, the file with 0600).
///
/// A corrupt database is moved to `state.redb.corrupt-<now>` beside it, never deleted, and a new one is begun;
/// [`Opened::set_aside`] says so. With `require`, a corrupt or missing one is refused instead.
///
/// # Errors
/// Every [`StoreError`] but `Closed`.
pub fn open(dir: &Path, require: bool, now: Timestamp) -> Result<Opened, StoreError> {
    make(dir)?;
    let lock = lock(dir)?;
    let path = dir.join(STATE);
    let mut corrupt = false;
    let held = |lock| Home::Directory(Held { path: path.clone(), identity: None, _lock: lock });
    let fail = |source: io::Error| StoreError::io(dir, source);
    if is_there(&path)? {
        refuse_newer(&path)?;
        match Store::open(held(lock.try_clone().map_err(fail)?)) {
            Ok((store, saved)) => return Ok(Opened { store, saved, set_aside: None, fresh: false }),
            Err(StoreError::Corrupt { .. }) if !require => corrupt = true,
            Err(error) => return Err(error),
        }
    } else if require {
        return Err(StoreError::Missing { place: path });
    }
    let set_aside = create(dir, corrupt.then_some(now))?;
    let (store, saved) = Store::open(held(lock))?;
    Ok(Opened { store, saved, set_aside, fresh: true })
}

/// A state directory that this process holds.
pub(super) struct Held {
    path: PathBuf,
    /// Device and inode of the file that is open.
    identity: Option<(u64, u64)>,
    _lock: File,
}

impl Held {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn open(&mut self) -> Result<Database, redb::Error> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(no_follow()).open(&self.path)?;
        let facts = file.metadata()?;
        // redb would take an empty file for one to begin in, and forget that there was a state.
        if facts.len() == 0 {
            return Err(super::corrupt("it is empty"));
        }
        self.identity = Some((facts.dev(), facts.ino()));
        Ok(builder().create_file(file)?)
    }

    /// A commit into a file that nobody will ever find again would look durable.
    pub(super) fn check_in_place(&self) -> io::Result<()> {
        let facts = fs::symlink_metadata(&self.path)?;
        if self.identity == Some((facts.dev(), facts.ino())) {
            Ok(())
        } else {
            Err(io::Error::other("the file was replaced by another while it was in use"))
        }
    }
}

fn no_follow() -> i32 {
    (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed()
}

fn make(dir: &Path) -> Result<(), StoreError> {
    let fail = |source| StoreError::io(dir, source);
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_dir(parent.unwrap_or(Path::new("."))).map_err(fail)
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let fail = |source| StoreError::io(&path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(&path)
        .map_err(fail)?;
    let hold = |file: &File| match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(fail(errno.into())),
    };
    if !hold(&file)? {
        let mut text = String::new();
        // Who it is is a courtesy; that it is held is certain.
        let _ = (&file).take(20).read_to_string(&mut text);
        let holder = text.trim().parse().ok();
        if !holder.is_none_or(ends_now) || !hold(&file)? {
            return Err(StoreError::Locked { dir: dir.to_owned(), pid: holder });
        }
    }
    file.rewind().map_err(fail)?;
    file.set_len(0).map_err(fail)?;
    // On a full disk the lock holds without a number in it.
    let _ = writeln!(file, "{}", std::process::id());
    Ok(file)
}

/// True if that process has ended, or does within a moment: one that was killed holds its files for a little longer.
fn ends_now(pid: u32) -> bool {
    const A_MOMENT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
    let Some(other) = pid.try_into().ok().filter(|_| pid != std::process::id()).and_then(Pid::from_raw)
    else {
        return false;
    };
    let process = match pidfd_open(other, PidfdFlags::empty()) {
        Ok(process) => process,
        // An old kernel does not tell.
        Err(error) => return error == Errno::SRCH,
    };
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&A_MOMENT)) == Ok(1)
}

fn is_there(path: &Path) -> Result<bool, StoreError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(facts) => facts.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::io(path, error)),
    };
    let what = if kind.is_file() {
        return Ok(true);
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "something special"
    };
    Err(StoreError::Irregular { place: path.to_owned(), what })
}

/// Looks at the format without write access, so that a newer store which was closed properly stays as it is to
/// the byte. One that was not is repaired by redb first; its rows stay as they are.
fn refuse_newer(path: &Path) -> Result<(), StoreError> {
    match guarded(path, || format(&builder().open_read_only(path)?)) {
        Ok(found) if found > super::FORMAT => Err(StoreError::Newer { place: path.to_owned(), found }),
        // Whatever else is wrong shows again, with a name, when it is opened for good.
        _ => Ok(()),
    }
}

/// Makes a new database whole before it takes its place. One that is `corrupt` gets another name at the time given,
/// and keeps its own until the very moment it is replaced: whenever this is cut short, the next start finds either
/// the corrupt one again or the new one after its alarm was raised.
fn create(dir: &Path, corrupt: Option<Timestamp>) -> Result<Option<PathBuf>, StoreError> {
    let (unfinished, path) = (dir.join(UNFINISHED), dir.join(STATE));
    let made = fill(&unfinished).and_then(|()| {
        let set_aside = corrupt.map(|now| keep_aside(&path, now)).transpose();
        set_aside
            .and_then(|kept| fs::rename(&unfinished, &path).map(|()| kept))
            .and_then(|kept| sync_dir(dir).map(|()| kept))
            .map_err(|source| StoreError::io(dir, source))
    });
    if made.is_err() {
        // What is left of it is in nobody's way: the next try removes it.
        let _ = fs::remove_file(&unfinished);
    }
    made
}

fn fill(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(path, error)),
        _ => {}
    }
    guarded(path, || {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let again = file.try_clone()?;
        begin(builder().create_file(file)?)?;
        Ok(again.sync_all()?)
    })
}

/// Gives a file a second name that is free, and says which.
fn keep_aside(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    for n in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".corrupt-{now}"));
        if n > 1 {
            name.push(format!("-{n}"));
        }
        match fs::hard_link(path, &name) {
            Ok(()) => return Ok(name.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Not every file system has second names; the lock keeps others of us away from this one.
            Err(_) => return fs::rename(path, &name).map(|()| name.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::fs::fsync(dir) {
        // Some file systems have nothing to sync there.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "damages real files")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::store::Batch;
    use crate::store::rows::samples;

    const NOW: Timestamp = Timestamp::from_secs(1_449_738_790);

    /// A directory with everything in it, closed; and what it holds.
    fn filled() -> (tempfile::TempDir, crate::saved::Saved) {
        let dir = tempfile::tempdir().unwrap();
        let mut opened = open(dir.path(), false, NOW).unwrap();
        opened.store.commit(&samples::batch()).unwrap();
        let saved = opened.store.load().unwrap();
        (dir, saved)
    }

    #[test]
    fn what_was_committed_is_there_at_the_next_start() {
        let (dir, saved) = filled();
        assert_eq!(saved, samples::saved());
        let opened = open(dir.path(), true, NOW).unwrap();
        assert_eq!((opened.saved, opened.set_aside, opened.fresh), (saved, None, false));
    }

    #[test]
    fn a_new_directory_and_its_files_are_private() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        let opened = open(&dir, false, NOW).unwrap();
        assert!(opened.fresh);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join(STATE)), 0o600);
        assert_eq!(mode(&dir.join(LOCK)), 0o600);
        assert!(!dir.join(UNFINISHED).exists());
    }

    #[test]
    fn a_second_one_is_refused_with_the_directory_and_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), false, NOW).unwrap();
        let error = open(dir.path(), false, NOW).unwrap_err();
        let StoreError::Locked { pid, .. } = &error else { panic!("{error}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
        drop(first);
        open(dir.path(), true, NOW).unwrap();
    }

    #[test]
    fn what_was_begun_and_not_finished_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(UNFINISHED), b"half of a header").unwrap();
        assert!(open(dir.path(), false, NOW).unwrap().fresh);
        assert!(!dir.path().join(UNFINISHED).exists());
    }

    #[test]
    fn a_required_state_that_is_missing_or_corrupt_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(STATE);
        assert!(matches!(open(dir.path(), true, NOW), Err(StoreError::Missing { .. })));
        assert!(!state.exists());
        fs::write(&state, b"garbage").unwrap();
        assert!(matches!(open(dir.path(), true, NOW), Err(StoreError::Corrupt { .. })));
        assert_eq!(fs::read(&state).unwrap(), b"garbage");
    }

    #[test]
    fn what_is_no_database_is_set_aside_under_a_name_of_its_own_each_time() {
        let (dir, _) = filled();
        let state = dir.path().join(STATE);
        let whole = fs::read(&state).unwrap();
        let mut aside = Vec::new();
        for content in
            [&b""[..], b"garbage", &[0; 8192], &whole[..300], &whole[..4096], &whole[..whole.len() / 2]]
        {
            fs::write(&state, content).unwrap();
            let mut opened = open(dir.path(), false, NOW).unwrap();
            assert!(opened.fresh);
            assert_eq!(opened.saved.keys, []);
            let path = opened.set_aside.unwrap();
            assert_eq!(fs::metadata(&path).unwrap().len(), content.len() as u64);
            aside.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            opened.store.commit(&samples::batch()).unwrap();
            drop(opened.store);
            assert_eq!(open(dir.path(), true, NOW).unwrap().saved, samples::saved());
        }
        assert_eq!(aside[0], "state.redb.corrupt-2015-12-10T09:13:10Z");
        assert_eq!(aside[5], "state.redb.corrupt-2015-12-10T09:13:10Z-6");
    }

    #[test]
    fn case_56_any_prefix_of_the_state_and_any_end_of_nulls_is_opened_or_set_aside() {
        let (dir, saved) = filled();
        let state = dir.path().join(STATE);
        let whole = fs::read(&state).unwrap();
        let pages = (0..12).map(|n| n * whole.len() / 12).flat_map(|at| [at, at + 1]);
        let mut kept = 0;
        for len in (0..320).step_by(40).chain(pages).chain([whole.len() - 1, whole.len()]) {
            let nulls = [&whole[..len], &vec![0; whole.len() - len]].concat();
            for content in [&whole[..len], &nulls] {
                fs::write(&state, content).unwrap();
                let opened = open(dir.path(), false, NOW).unwrap();
                if let Some(path) = opened.set_aside {
                    assert!(opened.fresh, "{len}");
                    fs::remove_file(path).unwrap();
                } else {
                    assert!(opened.saved == saved, "{len}");
                    kept += 1;
                }
            }
        }
        assert!(kept >= 2, "the whole is whole");
    }

    #[test]
    fn a_corrupt_database_stays_where_it_is_until_a_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(STATE);
        fs::write(&state, b"garbage").unwrap();
        // Nothing can be created under the name of what is unfinished.
        fs::create_dir_all(dir.path().join(UNFINISHED).join("x")).unwrap();
        assert!(matches!(open(dir.path(), false, NOW), Err(StoreError::Io { .. })));
        assert_eq!(fs::read(&state).unwrap(), b"garbage");
        fs::remove_dir_all(dir.path().join(UNFINISHED)).unwrap();
        assert!(open(dir.path(), false, NOW).unwrap().set_aside.is_some());
    }

    #[test]
    fn a_newer_format_is_refused_and_not_a_byte_is_changed() {
        let (dir, _) = filled();
        let state = dir.path().join(STATE);
        let mut opened = open(dir.path(), true, NOW).unwrap();
        let mut newer = Batch::default();
        newer.put_format(crate::store::FORMAT + 1);
        opened.store.commit(&newer).unwrap();
        drop(opened);
        let before = fs::read(&state).unwrap();
        let error = open(dir.path(), false, NOW).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found, .. } if found > crate::store::FORMAT), "{error}");
        assert!(fs::read(&state).unwrap() == before);
    }

    #[test]
    fn links_and_other_things_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(STATE);
        let (elsewhere, _) = filled();
        symlink(elsewhere.path().join(STATE), &state).unwrap();
        assert!(matches!(open(dir.path(), false, NOW), Err(StoreError::Irregular { .. })));
        fs::remove_file(&state).unwrap();
        fs::create_dir(&state).unwrap();
        assert!(matches!(open(dir.path(), false, NOW), Err(StoreError::Irregular { .. })));
        fs::remove_dir(&state).unwrap();
        fs::remove_file(dir.path().join(LOCK)).unwrap();
        symlink(elsewhere.path().join(STATE), dir.path().join(LOCK)).unwrap();
        assert!(matches!(open(dir.path(), false, NOW), Err(StoreError::Io { .. })));
    }

    #[test]
    fn a_commit_into_a_deleted_or_replaced_file_fails() {
        let (dir, _) = filled();
        let state = dir.path().join(STATE);
        let mut opened = open(dir.path(), true, NOW).unwrap();
        let copy = fs::read(&state).unwrap();
        fs::remove_file(&state).unwrap();
        assert!(matches!(opened.store.commit(&samples::batch()), Err(StoreError::Io { .. })));
        assert!(matches!(opened.store.commit(&samples::batch()), Err(StoreError::Closed { .. })));
        assert!(matches!(opened.store.reopen(), Err(StoreError::Io { .. })));
        fs::write(&state, copy).unwrap();
        opened.store.reopen().unwrap();
        opened.store.commit(&samples::batch()).unwrap();
    }
}
