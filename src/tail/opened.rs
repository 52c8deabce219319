//! How a path is opened of which only a part may be symbolic links, whoever exchanges names meanwhile.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::reach::{LinkLeft, Reach};

/// A directory that is only passed through.
const PASSED: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How many links the log of a container may lie behind.
const MOST_LINKS: usize = 4;

/// Opens a path.
///
/// # Errors
/// [`LinkLeft`] if it leads through a link that is not to be followed; else as the operating system says.
pub(super) fn open(at: Reach<'_>, flags: OFlags) -> io::Result<OwnedFd> {
    open_by(below, at, flags)
}

/// Opens what lies below a directory, through no link.
type Below = fn(OwnedFd, &Path, OFlags) -> io::Result<OwnedFd>;

fn open_by(below: Below, at: Reach<'_>, flags: OFlags) -> io::Result<OwnedFd> {
    let (given, found) = at.split();
    if found.as_os_str().is_empty() {
        return Ok(rustix::fs::open(given, flags, Mode::empty())?);
    }
    let pass = |dir: &Path| rustix::fs::open(dir, PASSED, Mode::empty());
    let mut outcome = below(pass(&given)?, &found, flags);
    let (mut root, mut found) = (given, found);
    for _ in 0..MOST_LINKS {
        if at.into.is_empty() || !outcome.as_ref().is_err_and(LinkLeft::is) {
            break;
        }
        let (Some(dir), Some(name)) = (found.parent(), found.file_name()) else { break };
        let dir = match dir.as_os_str().is_empty() {
            true => pass(&root)?,
            false => below(pass(&root)?, dir, PASSED)?,
        };
        let target = rustix::fs::readlinkat(dir, name, Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        let Some((next, rest)) = at.follow(target) else { break };
        outcome = below(pass(Path::new(next))?, &rest, flags);
        (root, found) = (next.into(), rest);
    }
    outcome
}

fn below(dir: OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    match rustix::fs::openat2(&dir, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(opened) => Ok(opened),
        Err(Errno::LOOP) => Err(LinkLeft::error()),
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(dir, path, flags),
        Err(error) => Err(error.into()),
    }
}

fn step_by_step(dir: OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut at = dir;
    let mut parts = path.iter().peekable();
    while let Some(part) = parts.next() {
        let flags = if parts.peek().is_some() { PASSED } else { flags };
        at = match rustix::fs::openat(&at, part, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => next,
            Err(Errno::LOOP) => return Err(LinkLeft::error()),
            Err(Errno::NOTDIR) if file_type(&at, Path::new(part)) == FileType::Symlink => {
                return Err(LinkLeft::error());
            }
            Err(error) => return Err(error.into()),
        };
    }
    Ok(at)
}

/// What lies at a name of a directory; unknown if that is not to be seen.
pub(super) fn file_type(dir: &OwnedFd, name: &Path) -> FileType {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "real files are what is tested")]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
    const WAYS: [Below; 2] = [below, step_by_step];

    /// A directory with `log/a.log`, `log/dir/b.log` and a secret, each also behind a link.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for (name, text) in [("log/a.log", "line"), ("log/dir/b.log", "line"), ("secret/b.log", "canary")] {
            std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            std::fs::write(at(name), text).unwrap();
        }
        symlink(at("secret/b.log"), at("log/link.log")).unwrap();
        symlink(at("secret"), at("log/link")).unwrap();
        symlink("log", at("linked")).unwrap();
        home
    }

    fn read(below: Below, at: Reach<'_>) -> io::Result<String> {
        let mut text = String::new();
        File::from(open_by(below, at, READ)?).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn links_are_gone_through_as_far_as_they_are_given() {
        let home = home();
        let components = home.path().components().count();
        for below in WAYS {
            let read = |name: &str, given: usize| {
                let path = home.path().join(name);
                read(below, Reach::new(&path, components + given)).map_err(|error| LinkLeft::is(&error))
            };
            assert_eq!(read("log/a.log", 0).unwrap(), "line");
            assert_eq!(read("log/dir/b.log", 1).unwrap(), "line");
            assert_eq!(read("linked/a.log", 1).unwrap(), "line");
            assert_eq!(read("log/link.log", 2).unwrap(), "canary");
            for name in ["linked/a.log", "log/link.log", "log/link/b.log", "linked/link.log"] {
                assert_eq!(read(name, 0), Err(true), "{name}");
            }
            assert_eq!(read("linked/link/b.log", 1), Err(true));
            assert_eq!(read("log/none.log", 1), Err(false));
            assert_eq!(read("log/a.log/b", 1), Err(false));
        }
    }

    #[test]
    fn links_into_some_directories_are_followed_and_no_further() {
        let home = home();
        let at = |name: &str| home.path().join(name);
        let root = at("log").into_os_string().into_string().unwrap();
        std::fs::create_dir(at("links")).unwrap();
        symlink(at("log/a.log"), at("log/second.log")).unwrap();
        for (name, target, expected) in [
            ("one", "log/a.log", Ok("line")),
            ("two", "log/second.log", Ok("line")),
            ("leads out", "secret/b.log", Err(true)),
            ("leads out then", "log/link.log", Err(true)),
            ("leads through one", "log/link/b.log", Err(true)),
            ("leads nowhere", "log/none.log", Err(false)),
        ] {
            let link = at("links").join(name);
            symlink(at(target), &link).unwrap();
            for below in WAYS {
                let given = home.path().components().count();
                let reach = Reach { path: &link, given, into: &[&root] };
                let seen = read(below, reach).map_err(|error| LinkLeft::is(&error));
                assert_eq!(seen.as_deref(), expected.as_ref().map(|text| *text), "{name}");
            }
        }
    }

    /// While somebody exchanges `log/{name}` for a link to `target` and back, `log/{path}` is opened again and again.
    fn race(below: Below, name: &str, path: &str, target: &str) {
        let home = home();
        let at = |name: &str| home.path().join(name);
        symlink(at(target), at("log/other")).unwrap();
        let (honest, other): (PathBuf, PathBuf) = (at("log").join(name), at("log/other"));
        let path = at("log").join(path);
        let done = AtomicBool::new(false);
        let (mut lines, mut left) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                while !done.load(Ordering::Relaxed) {
                    rustix::fs::renameat_with(rustix::fs::CWD, &honest, rustix::fs::CWD, &other, exchange)
                        .unwrap();
                }
            });
            let given = home.path().components().count() + 1;
            for _ in 0..100_000 {
                match read(below, Reach::new(&path, given)) {
                    Ok(text) => {
                        lines += 1;
                        if text != "line" {
                            done.store(true, Ordering::Relaxed);
                            panic!("read {text:?}");
                        }
                    }
                    Err(error) if LinkLeft::is(&error) => left += 1,
                    Err(_) => {}
                }
                if lines.min(left) >= 5000 {
                    break;
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(lines > 0 && left > 0, "nothing was exchanged: {lines} lines, {left} links");
    }

    #[test]
    fn case_32_and_17_whoever_exchanges_names_for_links_all_the_time_gets_no_secret_read() {
        for below in WAYS {
            race(below, "a.log", "a.log", "secret/b.log");
            race(below, "dir", "dir/b.log", "secret");
        }
    }
}
