//! Finished logs: which files are meant, and their bytes by turns, scanned.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::cli::load::{self, Fitting};
use crate::cli::{Failure, talk};
use crate::daemon::clock::wall;
use crate::model::{Encoding, FileId, Timestamp};
use crate::scan::{Block, Decoded, Scanned, Scanner, Tail, is_wrapped};
use crate::tail::unpack::{Decoded as Unpacked, Taken};
use crate::untrusted::Untrusted;

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;
/// Bytes of which the first line of a file is read by itself: it says when the file begins.
const FIRST: usize = 4 * 1024;
/// Memory that a zstd file may ask for, in bytes: what `zstd` itself allows without being told.
const MOST_WINDOW: u64 = 128 << 20;

/// A file on its way through.
pub(super) struct Input {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    /// Device and inode.
    pub(super) place: (u64, u64),
    pub(super) modified: Timestamp,
    /// Bytes of the file, compressed as it may be; `None`: nobody knows.
    pub(super) size: Option<u64>,
    pub(super) taken: Arc<Taken>,
    from: Unpacked,
    /// Offset of the first byte of `rest`.
    pub(super) offset: u64,
    /// What was read and not yet used up: the beginning of a line.
    rest: Vec<u8>,
    /// How it is written, by the mark it begins with.
    encoding: Encoding,
    /// Whether its lines stand in envelopes; `None`: it is not known yet.
    pub(super) wrapped: Option<bool>,
    skipping: bool,
    /// True once its first line was read.
    begun: bool,
    /// True once nothing more comes of it.
    pub(super) done: bool,
}

/// Room for a block of one file, and for what each set of rules finds in it.
#[derive(Default)]
pub(super) struct Lane {
    buf: Vec<u8>,
    /// Bytes of `buf` that were scanned.
    len: usize,
    /// Their text; `None`: they are that themselves.
    decoded: Option<Decoded>,
    pub(super) scanned: Vec<Scanned>,
    /// Bytes that were used up.
    pub(super) consumed: usize,
    /// Why nothing more can be read of the file.
    pub(super) failed: Option<io::Error>,
}

impl Lane {
    /// What was scanned.
    pub(super) fn bytes(&self) -> &[u8] {
        self.decoded.as_ref().map_or(&self.buf[..self.len], Decoded::text)
    }
}

impl Input {
    /// Reads the next block into `lane` and scans it with each of the first `scanners`, or of the others if its lines stand
    /// in envelopes. All have the same length of lines.
    pub(super) fn turn(&mut self, [scanners, unwrapping]: [&[Scanner]; 2], lane: &mut Lane) {
        let before = self.rest.len();
        let room = before + if self.begun { BLOCK } else { FIRST };
        if lane.buf.len() < room {
            lane.buf.resize(room, 0);
        }
        lane.buf[..before].copy_from_slice(&self.rest);
        let mut filled = before;
        let result = loop {
            let result = self.from.read(&mut lane.buf[filled..room]);
            let came = *result.as_ref().unwrap_or(&0);
            filled += came;
            self.done = came == 0;
            let has_line = || lane.buf[..filled].contains(&b'\n') && filled >= Encoding::MARK;
            if self.done || self.begun || filled == room || has_line() {
                break result;
            }
        };
        if !self.begun {
            let (encoding, mark) = Encoding::of(None, &lane.buf[..filled]);
            lane.buf.copy_within(mark..filled, 0);
            filled -= mark;
            self.offset = mark as u64;
            self.encoding = encoding;
            self.wrapped.get_or_insert_with(|| is_wrapped(&lane.buf[..filled]));
        }
        let scanners = if self.wrapped == Some(true) { unwrapping } else { scanners };
        // A line that breaks off with what it stands in is no line.
        let tail = if self.done && result.is_ok() { Tail::Final } else { Tail::Wait };
        lane.failed = result.err();
        let first = (!self.begun).then(|| self.encoding.line_end(&lane.buf[..filled])).flatten();
        lane.len = first.unwrap_or(filled);
        self.begun = true;
        let bytes = &lane.buf[..lane.len];
        let block = Block { file: self.id, offset: self.offset, bytes, skipping: self.skipping, tail };
        lane.scanned.resize_with(scanners.len(), Scanned::default);
        lane.decoded = match self.encoding {
            Encoding::Utf8 => None,
            encoding => {
                let mut decoded = lane.decoded.take().unwrap_or_default();
                decoded.decode(encoding, block.offset, bytes);
                Some(decoded)
            }
        };
        for (scanner, scanned) in scanners.iter().zip(&mut lane.scanned) {
            match &lane.decoded {
                Some(decoded) => scanner.scan_decoded(block, decoded, scanned),
                None => scanner.scan(block, scanned),
            }
        }
        // Where lines end does not depend on rules.
        let [scanned, ..] = &lane.scanned[..] else { return };
        lane.consumed = scanned.consumed;
        self.skipping = scanned.skipping;
        self.offset += lane.consumed as u64;
        self.rest.clear();
        self.rest.extend_from_slice(&lane.buf[lane.consumed..filled]);
    }
}

/// Opens what the arguments name. A file that is named twice is read once.
pub(super) fn open(arguments: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    crate::daemon::limits::raise_file_limit();
    let mut inputs = Vec::new();
    let mut known = BTreeSet::new();
    for path in expand(arguments)? {
        let unreadable = |error| Failure(format!("can not read `{}`: {error}", path.display()));
        let file = if path.as_os_str() == "-" {
            io::stdin().as_fd().try_clone_to_owned().map(File::from)
        } else {
            File::open(&path)
        };
        let file = file.map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        if meta.is_dir() {
            return Err(Failure(format!(
                "`{0}` is a directory: name the files in it, or all of them as `{0}/*`",
                path.display()
            )));
        }
        let place = (meta.dev(), meta.ino());
        if !known.insert(place) {
            continue;
        }
        // What comes through a pipe is written now.
        let written = meta.modified().ok().filter(|_| meta.is_file());
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = written.map_or_else(wall, |since| Timestamp::default().plus(since));
        let taken = Arc::new(Taken::default());
        inputs.push(Input {
            id: FileId(inputs.len() as u64 + 1),
            path,
            place,
            modified,
            size: meta.is_file().then_some(meta.len()),
            from: Unpacked::new(Box::new(file), taken.clone(), MOST_WINDOW),
            taken,
            offset: 0,
            rest: Vec::new(),
            encoding: Encoding::Utf8,
            wrapped: None,
            skipping: false,
            begun: false,
            done: false,
        });
    }
    Ok(inputs)
}

/// The files that arguments name. A glob that a shell has not expanded is expanded here.
fn expand(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for argument in arguments {
        if let Some(path) = load::path_of(argument) {
            paths.push(path);
            continue;
        }
        let Fitting { files, unread } = load::fitting(argument).map_err(Failure)?;
        if let Some(unread) = unread {
            talk(&format!("warning: {}\n", Untrusted(&unread)));
        }
        if files.is_empty() {
            return Err(Failure(format!("no file fits `{}`: check the path", argument.display())));
        }
        paths.extend(files);
    }
    Ok(paths)
}
