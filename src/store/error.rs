//! What can go wrong with the state, in sentences for whoever has to mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::FORMAT;

/// Why the state could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the directory.
    #[error(
        "the state directory `{}` is in use by {}; stop that one first, or give this one a `state_dir` of its own",
        dir.display(), Holder(*pid)
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process, if it left its number.
        pid: Option<u32>,
    },
    /// A newer tripline wrote it; nothing was changed.
    #[error(
        "`{}` has format {found}, and this tripline knows formats up to {FORMAT}; run the newer tripline, or move the file away to start afresh",
        place.display()
    )]
    Newer {
        /// The database.
        place: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The disk or a quota is full.
    #[error("no space is left for `{}`: {error}; make room, nothing that was committed is lost", place.display())]
    Full {
        /// The database or its directory.
        place: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The system refused or failed.
    #[error("can not use `{}` for the state: {error}; `state_dir` or `--state-dir` names another place", place.display())]
    Io {
        /// The database, its directory or its lock.
        place: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content is not what was written.
    #[error("`{}` is corrupt: {why}; restore it, or move it away to start afresh", place.display())]
    Corrupt {
        /// The database.
        place: PathBuf,
        /// What was found, without row contents.
        why: String,
    },
    /// There is none, and one was required.
    #[error("there is no `{}`, and an existing state is required", place.display())]
    Missing {
        /// Where it should be.
        place: PathBuf,
    },
    /// Something else stands where the database should: nothing is read through links or from devices.
    #[error("`{}` is {what}, not a regular file; move it away", place.display())]
    Irregular {
        /// Where.
        place: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// An operation failed before and the store was not reopened since.
    #[error("`{}` was closed after a failure and has to be reopened", place.display())]
    Closed {
        /// The database.
        place: PathBuf,
    },
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

impl StoreError {
    pub(super) fn io(place: &Path, source: io::Error) -> StoreError {
        let place = place.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Full { place, error: source }
            }
            // redb says so of a wrong magic number, the system of a file that is shorter than its header claims.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                StoreError::Corrupt { place, why: source.to_string() }
            }
            _ => StoreError::Io { place, error: source },
        }
    }

    pub(super) fn redb(place: &Path, error: redb::Error) -> StoreError {
        match error {
            redb::Error::Io(source) => StoreError::io(place, source),
            redb::Error::DatabaseAlreadyOpen => {
                StoreError::Locked { dir: place.parent().unwrap_or(place).to_owned(), pid: None }
            }
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                StoreError::Closed { place: place.to_owned() }
            }
            redb::Error::Corrupted(why) => StoreError::Corrupt { place: place.to_owned(), why },
            other => StoreError::Corrupt { place: place.to_owned(), why: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_the_system_said_is_told_once() {
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull] {
            let error = StoreError::io(Path::new("/state/lock"), io::Error::new(kind, "no"));
            let text = error.to_string();
            // Who tells of an error tells its sources behind it.
            assert!(text.contains(": no") && error.source().is_none(), "{text}");
        }
    }
}
