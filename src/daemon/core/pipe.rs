//! A stream that can not be read again, such as stdin: its bytes are brought, not fetched.

use super::{Core, Now};
use crate::engine::{Arrival, Phase, Read};
use crate::model::{FileId, SourceName, Timestamp};
use crate::scan::{self, Block};
use crate::tail::Disk;

/// A stream that can not be read again.
#[derive(Debug)]
pub(super) struct Pipe {
    file: FileId,
    source: SourceName,
    /// Bytes before `rest`.
    offset: u64,
    /// What has not become a line.
    rest: Vec<u8>,
    skipping: bool,
    /// When it last grew; `MAX` once its rest was matched as it is.
    grown: Timestamp,
}

impl<D: Disk> Core<D> {
    /// Follows a stream that can not be read again, such as stdin, as a file of `source`.
    pub fn open_pipe(&mut self, source: &SourceName, path: &str, now: Now) {
        // Never the id of a file, and another one after each start.
        let file = FileId((1 << 63) | now.time.0.unsigned_abs());
        self.engine.opened(file, source, path);
        self.engine.phase(file, Phase::AtEnd, now.time);
        self.pipe = Some(Pipe {
            file,
            source: source.clone(),
            offset: 0,
            rest: Vec::new(),
            skipping: false,
            grown: now.time,
        });
    }

    /// Bytes arrived in the pipe.
    pub fn pipe(&mut self, bytes: &[u8], now: Now) {
        if let Some(pipe) = &mut self.pipe {
            pipe.rest.extend_from_slice(bytes);
            pipe.grown = now.time;
        }
        self.scan_pipe(scan::Tail::Wait, now);
    }

    /// Nothing more will come through the pipe: its last line has ended.
    pub fn close_pipe(&mut self, now: Now) {
        self.scan_pipe(scan::Tail::Final, now);
        if let Some(pipe) = self.pipe.take() {
            self.engine.phase(pipe.file, Phase::Gone, now.time);
        }
    }

    pub(super) fn scan_pipe(&mut self, tail: scan::Tail, now: Now) {
        let Some(pipe) = &mut self.pipe else { return };
        let Some(scanner) = self.scanners.get(&pipe.source) else { return };
        let block =
            Block { file: pipe.file, offset: pipe.offset, bytes: &pipe.rest, skipping: pipe.skipping, tail };
        scanner.scan(block, &mut self.scanned);
        pipe.offset += self.scanned.consumed as u64;
        pipe.skipping = self.scanned.skipping;
        let counts = self.source_counts.entry(pipe.source.clone()).or_default();
        counts.bytes += self.scanned.consumed as u64;
        counts.cut_lines += self.scanned.cut_lines;
        counts.cut_records += self.scanned.cut_records;
        counts.unparsed_lines += self.scanned.unparsed_lines;
        counts.bare_lines += self.scanned.bare_lines;
        let arrival = Arrival { at: Some(now.time), modified: now.time, skew_us: now.skew_us };
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
    pub(super) fn flush_pipe(&mut self, now: Now) {
        let Some(pipe) = &mut self.pipe else { return };
        let flush = self.sources.iter().find(|source| source.name == pipe.source).map(|source| source.flush);
        let due = flush.is_some_and(|flush| now.time.since(pipe.grown) >= flush);
        if due && !pipe.rest.is_empty() && pipe.grown != Timestamp::MAX {
            // Once, until it grows again.
            pipe.grown = Timestamp::MAX;
            self.scan_pipe(scan::Tail::Flush, now);
        }
    }
}
