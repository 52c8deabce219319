//! What a tail tells whoever drives it.

use std::path::Path;
use std::sync::Arc;

use super::disk::Kind;
use super::follow::TailKind;
use crate::model::{Encoding, FileId, Position, SourceName, Timestamp};
use crate::saved::SavedSource;

/// Something that happened to a file or a name, once per change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A source was looked at for the first time: remember it in the same commit as the rows of its files.
    SourceKnown(SavedSource),
    /// A content is followed from now on.
    Opened {
        /// Its id.
        file: FileId,
        /// Who follows it.
        source: SourceName,
        /// Its name.
        path: Arc<Path>,
        /// The offset where reading begins.
        from: u64,
    },
    /// A content has another name now, or its old one again.
    Renamed {
        /// Which.
        file: FileId,
        /// The name.
        path: Arc<Path>,
    },
    /// The name is gone; the content is read on until it is quiet.
    Vanished {
        /// Which.
        file: FileId,
    },
    /// The name belongs to another file now; the content is read on until it is quiet.
    Replaced {
        /// Which.
        file: FileId,
    },
    /// The content was cut or written anew in place. `Ended` for `file` and `Opened` for `next` follow.
    Truncated {
        /// The content that is gone.
        file: FileId,
        /// Its last name.
        path: Arc<Path>,
        /// The one that took its place.
        next: FileId,
        /// Bytes that were seen to be there and were not read.
        lost: u64,
    },
    /// The unread end of a content was cut off, or all that was written to an empty file since the last look; what is left
    /// is the same content.
    CutShort {
        /// Which.
        file: FileId,
        /// Its name.
        path: Arc<Path>,
        /// Bytes that were seen to be there and were not read.
        lost: u64,
    },
    /// A file or directory cannot be looked at or read. Nothing is concluded from that.
    Unreadable {
        /// Who wants it.
        source: SourceName,
        /// The content, if it is followed already.
        file: Option<FileId>,
        /// The name.
        path: Arc<Path>,
        /// The operating system's words.
        error: String,
    },
    /// The trouble of an `Unreadable` is over (also because the name is gone).
    Readable {
        /// Who wants it.
        source: SourceName,
        /// As in the `Unreadable`.
        file: Option<FileId>,
        /// As in the `Unreadable`.
        path: Arc<Path>,
    },
    /// A name that fits is no regular file, and is left alone; or a directory is a link through which it is not gone.
    LeftAlone {
        /// Whose globs it fits.
        source: SourceName,
        /// The name.
        path: Arc<Path>,
        /// What it is.
        kind: Kind,
    },
    /// Names that fit are of compressed files, and are left alone; once per source, with one of them.
    Packed {
        /// Whose globs they fit.
        source: SourceName,
        /// One of the names.
        path: Arc<Path>,
    },
    /// A content that the checkpoint knows was not found, or only a part of it; whatever was written behind `from` is lost. `Ended`
    /// follows.
    Lost {
        /// Which.
        file: FileId,
        /// Its last name.
        path: Arc<Path>,
        /// Everything before it was applied.
        from: u64,
        /// Bytes that were seen to be there and were not read; how many there were besides, nobody knows.
        lost: u64,
        /// How.
        how: Loss,
        /// Why, in words.
        why: &'static str,
    },
    /// A deleted file was held for too long, or too much was. `Ended` follows.
    GivenUp {
        /// Which.
        file: FileId,
        /// The name it had.
        path: Arc<Path>,
        /// Bytes that were there and were not read.
        lost: u64,
    },
    /// No more hints about writes are to be had: files that get none are polled, which finds the same a little later.
    Polled {
        /// The operating system's words.
        error: String,
    },
    /// They are to be had again.
    Hinted,
    /// Nothing more comes. Once everything of it is applied and committed, [`super::Tail::forget`] it.
    Ended {
        /// Which.
        file: FileId,
        /// Keep it and its row for [`super::REMEMBER`], and then until [`super::Tail::has_told_copies`]: one may turn up.
        remember: bool,
    },
}

/// How bytes were lost before they could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Their file was cut or written anew.
    Truncated,
    /// Their file is not to be found.
    Vanished,
    /// Their file was deleted, and could not be held for longer.
    GivenUp,
    /// They can not be unpacked from what their file was compressed to: compressed bytes, of which nobody knows what they
    /// would have become.
    Packed,
    /// They are an entry of the journal that is too long to be taken in.
    TooLong,
}

impl Loss {
    /// All of them.
    pub const ALL: [Loss; 5] = [Loss::Truncated, Loss::Vanished, Loss::GivenUp, Loss::Packed, Loss::TooLong];

    /// As metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Loss::Truncated => "truncated",
            Loss::Vanished => "vanished",
            Loss::GivenUp => "given_up",
            Loss::Packed => "packed",
            Loss::TooLong => "too_long",
        }
    }

    /// In words.
    pub fn about(self) -> &'static str {
        match self {
            Loss::Truncated => "the file was cut or written anew",
            Loss::Vanished => "the file is not to be found",
            Loss::GivenUp => "the file was deleted and could not be held for longer",
            Loss::Packed => "the file was compressed and can not be unpacked to its end",
            Loss::TooLong => "an entry is longer than is taken in",
        }
    }
}

impl Note {
    /// What is known to be lost with it: of which content, how, and how many bytes; 0 if nobody knows of any.
    pub fn loss(&self) -> Option<(FileId, Loss, u64)> {
        match self {
            Note::Truncated { file, lost, .. } | Note::CutShort { file, lost, .. } => {
                Some((*file, Loss::Truncated, *lost))
            }
            Note::Lost { file, lost, how, .. } => Some((*file, *how, *lost)),
            Note::GivenUp { file, lost, .. } => Some((*file, Loss::GivenUp, *lost)),
            _ => None,
        }
    }
}

/// Where a file stands, for whoever waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has bytes that were not handed out yet.
    Behind,
    /// All that was seen of it has been handed out.
    AtEnd,
    /// It cannot be looked at or read, so nobody knows.
    Unreadable,
    /// Its name is gone; all that was seen of it has been handed out; a late write may still come.
    Draining,
    /// Nothing more comes.
    Ended,
}

/// A file that has something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Which.
    pub file: FileId,
    /// Who follows it.
    pub source: SourceName,
    /// True if the arrival of its unread bytes is known.
    pub live: bool,
    /// Last change of its content.
    pub modified: Timestamp,
}

/// One block of a file, in the first `len` bytes of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Where it begins, behind what is carried: at the beginning of a line, unless `skipping`.
    pub offset: u64,
    /// A record that may go on from the content that had the name before: where it begins there, and how many of the
    /// first bytes are that.
    pub carried: Option<(Position, usize)>,
    /// Its bytes, with what is carried; 1 or more.
    pub len: usize,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// It begins in the rest of an over-long line.
    pub skipping: bool,
    /// What a rest without a line end, or a record that may go on, is at the end of the block.
    pub tail: TailKind,
    /// When the bytes arrived, late by the time between two looks (10 s at most); `None`: they were found unread.
    pub arrival: Option<Timestamp>,
    /// Last change of the content.
    pub modified: Timestamp,
    /// With this block the file is read to the size seen at the last look.
    pub to_end: bool,
}

/// A row for the status page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus<'a> {
    /// Which.
    pub file: FileId,
    /// Who follows it.
    pub source: &'a SourceName,
    /// Its last name.
    pub path: &'a Path,
    /// Bytes at the last look.
    pub size: u64,
    /// Bytes consumed by scanning.
    pub offset: u64,
    /// Bytes that were not handed out yet: a last line or record that may go on is no lag.
    pub lag: u64,
    /// Where it stands.
    pub phase: Phase,
    /// Why it is unreadable.
    pub problem: Option<&'a str>,
    /// The look that saw the last change (at the first look: the change itself).
    pub grown: Timestamp,
    /// Since when the oldest of its unread bytes is there, at least; `None`: all is read.
    pub unread_since: Option<Timestamp>,
    /// The look that saw it first.
    pub unread_seen: Option<Timestamp>,
    /// Bytes of it that are known to be lost since the process began.
    pub lost: u64,
}
