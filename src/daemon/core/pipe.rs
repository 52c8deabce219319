//! Streams that can not be read again from any byte, such as stdin, a FIFO or a journal: their bytes are brought, not
//! fetched.
//!
//! A journal can be read on from behind an entry. What it is known by, its cursor, is committed with what the entries up
//! to there led to, in the row of a pretended file.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::{Core, Now};
use crate::engine::{Arrival, Phase, Read};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::{Guard, Locator, SavedFile};
use crate::scan::{self, Block};
use crate::tail::{Disk, Loss};

/// A stream that can not be read again.
#[derive(Debug)]
pub(super) struct Pipe {
    file: FileId,
    path: String,
    /// Bytes before `rest`.
    offset: u64,
    /// What has not become a line.
    rest: Vec<u8>,
    skipping: bool,
    /// When it last grew; `MAX` once its rest was matched as it is.
    grown: Timestamp,
    /// It brings what was there before: when that arrived, only it can tell.
    behind: bool,
    /// Why it can not be read.
    fault: Option<String>,
    /// Where its entries stand that are not committed, with the offset behind each.
    cursors: VecDeque<(u64, String)>,
    /// That of the last one that is.
    cursor: Option<String>,
}

impl<D: Disk> Core<D> {
    /// Follows a stream, as a file of `source`, whose path shows as `path`. `behind`: it brings what was there before,
    /// until [`Core::pipe_is_quiet`].
    pub fn open_pipe(&mut self, source: &SourceName, path: &str, behind: bool, now: Now) {
        let file = FileId::of_stream(source);
        self.engine.opened(file, source, Path::new(path).into());
        let cursor = self.cursors.get(source).cloned();
        let pipe = Pipe {
            file,
            path: path.to_owned(),
            // Never an offset of the process before.
            offset: now.time.0.unsigned_abs(),
            rest: Vec::new(),
            skipping: false,
            grown: now.time,
            behind,
            fault: None,
            cursors: VecDeque::new(),
            cursor,
        };
        self.pipes.insert(source.clone(), pipe);
        self.sync_pipe(source, now);
    }

    /// The entry of a journal up to which it was read.
    pub fn cursor(&self, source: &SourceName) -> Option<&str> {
        let read = self
            .pipes
            .get(source)
            .and_then(|pipe| pipe.cursors.back().map(|(_, cursor)| cursor).or(pipe.cursor.as_ref()));
        read.or_else(|| self.cursors.get(source)).map(String::as_str)
    }

    /// Bytes arrived in the pipe. `cursors`: where its entries stand, with the end of each in `bytes`.
    pub fn pipe(&mut self, source: &SourceName, bytes: &[u8], cursors: Vec<(usize, String)>, now: Now) {
        let Some(pipe) = self.pipes.get_mut(source) else { return };
        let from = pipe.offset + pipe.rest.len() as u64;
        pipe.cursors.extend(cursors.into_iter().map(|(end, cursor)| (from + end as u64, cursor)));
        pipe.rest.extend_from_slice(bytes);
        pipe.grown = now.time;
        self.scan_pipe(source, scan::Tail::Wait, now);
    }

    /// Bytes that the stream brought were too many to be taken in.
    pub fn pipe_lost(&mut self, source: &SourceName, bytes: u64, now: Now) {
        let Some(path) = self.pipes.get(source).filter(|_| bytes > 0).map(|pipe| pipe.path.clone()) else {
            return;
        };
        let counts = self.source_counts.entry(source.clone()).or_default();
        counts.lost_bytes[Loss::TooLong as usize] += bytes;
        self.tell_loss(source, &path, Loss::TooLong, bytes, now);
    }

    /// All that was there before has been brought.
    pub fn pipe_is_quiet(&mut self, source: &SourceName, now: Now) {
        if let Some(pipe) = self.pipes.get_mut(source) {
            pipe.behind = false;
        }
        self.sync_pipe(source, now);
    }

    /// The stream can not be read, and why; `None`: it can be again.
    pub fn pipe_fault(&mut self, source: &SourceName, fault: Option<String>, now: Now) {
        if let Some(pipe) = self.pipes.get_mut(source) {
            pipe.fault = fault;
        }
        self.sync_pipe(source, now);
    }

    /// Nothing more will come through the pipe: its last line has ended.
    pub fn close_pipe(&mut self, source: &SourceName, now: Now) {
        self.scan_pipe(source, scan::Tail::Final, now);
        if let Some(pipe) = self.pipes.remove(source) {
            self.engine.phase(pipe.file, Phase::Gone, now.time);
        }
    }

    /// The stream is followed no more: nothing of it is remembered.
    pub fn leave_pipe(&mut self, source: &SourceName, now: Now) {
        self.close_pipe(source, now);
        self.forget_stream(FileId::of_stream(source), now);
        self.cursors.remove(source);
    }

    /// Streams that a process before this one followed, and this one does not.
    pub(super) fn forget_streams(&mut self, now: Now) {
        let is_stream = |file: &FileId| {
            self.sources
                .iter()
                .any(|source| source.stream.is_some() && FileId::of_stream(&source.name) == *file)
        };
        let gone: Vec<FileId> =
            self.engine.files().filter(|file| file.is_of_stream() && !is_stream(file)).collect();
        for file in gone {
            self.forget_stream(file, now);
        }
        let has_stream = |name: &SourceName| {
            self.sources.iter().any(|source| source.stream.is_some() && source.name == *name)
        };
        for (name, _) in self.cursors.extract_if(.., |name, _| !has_stream(name)) {
            self.batch.remove_file(FileId::of_stream(&name));
        }
    }

    fn forget_stream(&mut self, file: FileId, now: Now) {
        self.engine.ended(file, now.time);
        self.batch.remove_file(file);
    }

    fn sync_pipe(&mut self, source: &SourceName, now: Now) {
        let Some(pipe) = self.pipes.get(source) else { return };
        let phase = match (&pipe.fault, pipe.behind) {
            (Some(_), _) => Phase::Unreadable,
            (None, true) => Phase::Behind,
            (None, false) => Phase::AtEnd,
        };
        self.engine.phase(pipe.file, phase, now.time);
    }

    fn scan_pipe(&mut self, source: &SourceName, tail: scan::Tail, now: Now) {
        let Some(pipe) = self.pipes.get_mut(source) else { return };
        let Some(scanner) = self.scanners.get(source) else { return };
        let block =
            Block { file: pipe.file, offset: pipe.offset, bytes: &pipe.rest, skipping: pipe.skipping, tail };
        scanner.scan(block, &mut self.scanned);
        pipe.offset += self.scanned.consumed as u64;
        pipe.skipping = self.scanned.skipping;
        let counts = self.source_counts.entry(source.clone()).or_default();
        counts.bytes += self.scanned.consumed as u64;
        counts.cut_lines += self.scanned.cut_lines;
        counts.cut_records += self.scanned.cut_records;
        counts.unparsed_lines += self.scanned.unparsed_lines;
        counts.bare_lines += self.scanned.bare_lines;
        let at = (!pipe.behind).then_some(now.time);
        let arrival = Arrival { at, modified: now.time, skew_us: now.skew_us };
        self.scanned.tried.iter().for_each(|rule| self.engine.tried(*rule));
        let read = Read {
            file: pipe.file,
            matches: self.scanned.matches(&pipe.rest),
            stamp: self.scanned.stamp,
            arrival,
        };
        self.engine.read(read, now.time);
        pipe.rest.drain(..self.scanned.consumed);
    }

    /// A line that has not ended for `flush` is matched as it is.
    pub(super) fn flush_pipes(&mut self, now: Now) {
        let due: Vec<SourceName> = self
            .sources
            .iter()
            .filter(|source| {
                let pipe = self.pipes.get(&source.name);
                pipe.is_some_and(|pipe| {
                    let is_due = now.time.since(pipe.grown) >= source.flush && pipe.grown != Timestamp::MAX;
                    is_due && !pipe.rest.is_empty()
                })
            })
            .map(|source| source.name.clone())
            .collect();
        for source in due {
            // Once, until it grows again.
            if let Some(pipe) = self.pipes.get_mut(&source) {
                pipe.grown = Timestamp::MAX;
            }
            self.scan_pipe(&source, scan::Tail::Flush, now);
        }
    }

    /// True if a commit would remember that a journal was read on.
    pub(super) fn has_read_on(&self) -> bool {
        self.pipes.values().any(|pipe| {
            let applied = || self.engine.applied(pipe.file, pipe.offset);
            pipe.cursors.front().is_some_and(|(end, _)| *end <= applied())
        })
    }

    /// Puts what was read of journals, and led to what it leads to, into the next commit.
    pub(super) fn save_cursors(&mut self) {
        for (source, pipe) in &mut self.pipes {
            let applied = self.engine.applied(pipe.file, pipe.offset);
            let mut last = None;
            while pipe.cursors.front().is_some_and(|(end, _)| *end <= applied) {
                last = pipe.cursors.pop_front();
            }
            let Some((offset, cursor)) = last else { continue };
            self.batch.put_file(&SavedFile {
                id: pipe.file,
                source: source.clone(),
                path: pipe.path.clone().into_bytes(),
                former: Vec::new(),
                locator: Locator { dev: 0, inode: 0, generation: cursor.as_bytes().into() },
                head: Guard::default(),
                guard: Guard::default(),
                offset,
                skipping: false,
                ended: false,
            });
            pipe.cursor = Some(cursor);
        }
    }
}

/// Streams that can not be read, and why.
pub(super) fn faults(pipes: &BTreeMap<SourceName, Pipe>) -> impl Iterator<Item = (&SourceName, &Path, &str)> {
    pipes.iter().filter_map(|(source, pipe)| Some((source, Path::new(&pipe.path), pipe.fault.as_deref()?)))
}
