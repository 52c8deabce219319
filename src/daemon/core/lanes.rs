//! Room to read into, one for each file that is scanned at the same time, and the threads that scan.
//!
//! Files are read here and by turns; what is read is scanned while the next one is read. What is found is applied in
//! the order in which the files were read, so that threads change nothing but the time it takes.

use rayon_core::{ThreadPool, ThreadPoolBuilder};

use crate::model::{Encoding, FileId};
use crate::scan::{self, Block, Decoded, Scanned, Scanner};
use crate::tail::{TailKind, Turn};

/// Fewer bytes are scanned at once: to hand them over would take as long.
const WORTH_A_THREAD: usize = 32 * 1024;

/// A file's block on its way.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) buf: Vec<u8>,
    decoded: Decoded,
    pub(super) scanned: Scanned,
    /// What was read.
    pub(super) turn: Option<Turn>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) all: Vec<Lane>,
    /// `None`: there is one lane, or threads can not be had.
    pool: Option<ThreadPool>,
}

impl Lane {
    /// The bytes that were scanned: those that were read, or their text.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.turn {
            Some(turn) if turn.encoding != Encoding::Utf8 => self.decoded.text(),
            turn => &self.buf[..turn.as_ref().map_or(0, |turn| turn.len)],
        }
    }

    fn scan(&mut self, file: FileId, scanner: &Scanner) {
        let Some(turn) = &self.turn else { return };
        let tail = match turn.tail {
            TailKind::Wait => scan::Tail::Wait,
            TailKind::Flush => scan::Tail::Flush,
            TailKind::Final => scan::Tail::Final,
        };
        let (offset, bytes) = (turn.offset, &self.buf[..turn.len]);
        let block = Block { file, offset, bytes, skipping: turn.skipping, tail };
        if turn.encoding != Encoding::Utf8 {
            self.decoded.decode(turn.encoding, offset, bytes);
            return scanner.scan_decoded(block, &self.decoded, &mut self.scanned);
        }
        match turn.carried {
            Some((from, len)) => scanner.scan_on(from, len, block, &mut self.scanned),
            None => scanner.scan(block, &mut self.scanned),
        }
    }
}

impl Lanes {
    /// One for each of `threads`, of `bytes` each.
    pub(super) fn resize(&mut self, threads: usize, bytes: usize) {
        if self.all.len() != threads {
            self.all.resize_with(threads, Lane::default);
            let name = |number| format!("scan-{number}");
            let pool = || ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
            self.pool = (threads > 1).then(pool).and_then(Result::ok);
        }
        for lane in self.all.iter_mut().filter(|lane| lane.buf.len() != bytes) {
            lane.buf = vec![0; bytes];
        }
    }

    /// Reads a block of each file into a lane of its own, in order, and scans it. `read` is `None` where there is
    /// nothing to scan.
    pub(super) fn run<'s>(
        &mut self,
        files: &[FileId],
        mut read: impl FnMut(FileId, &mut [u8]) -> Option<(Turn, &'s Scanner)>,
    ) {
        let lanes = self.all.iter_mut().zip(files);
        let mut fill = |lane: &mut Lane, file: FileId| {
            let (turn, scanner) = read(file, &mut lane.buf).unzip();
            lane.turn = turn;
            scanner
        };
        match &self.pool {
            Some(pool) if files.len() > 1 => pool.in_place_scope(|scope| {
                for (lane, file) in lanes {
                    let Some(scanner) = fill(lane, *file) else { continue };
                    if lane.turn.as_ref().is_none_or(|turn| turn.len < WORTH_A_THREAD) {
                        lane.scan(*file, scanner);
                    } else {
                        scope.spawn(|_| lane.scan(*file, scanner));
                    }
                }
            }),
            _ => lanes.for_each(|(lane, file)| {
                if let Some(scanner) = fill(lane, *file) {
                    lane.scan(*file, scanner);
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::rule::Ruleset;

    #[test]
    fn each_file_is_found_in_its_own_lane_whatever_threads_do() {
        let ruleset = Ruleset { rules: vec![scan::samples::rule(&["fail (?<n>\\d+)"], &[], &[])] };
        let scanner = Scanner::new(&ruleset, |_| true, 1024);
        // Some are worth a thread, some are not, some have nothing.
        let text = |file: u64| match file % 3 {
            0 => String::new(),
            1 => format!("fail {file}\n"),
            _ => format!("{}fail {file}\n", "nothing of note\n".repeat(4000)),
        };
        let files: Vec<FileId> = (1..=4).map(FileId).collect();
        for threads in [1, 2, 4] {
            let mut lanes = Lanes::default();
            lanes.resize(threads, 128 * 1024);
            for files in files.chunks(threads) {
                lanes.run(files, |FileId(file), buf| {
                    let text = text(file);
                    buf[..text.len()].copy_from_slice(text.as_bytes());
                    let (offset, modified) = (0, Timestamp::default());
                    let turn = Turn {
                        offset,
                        carried: None,
                        to_end: true,
                        len: text.len(),
                        encoding: Encoding::Utf8,
                        skipping: false,
                        tail: TailKind::Wait,
                        arrival: None,
                        modified,
                    };
                    (!text.is_empty()).then_some((turn, &scanner))
                });
                for (lane, file) in lanes.all.iter().zip(files) {
                    let found: Vec<String> = lane
                        .turn
                        .iter()
                        .flat_map(|_| lane.scanned.matches(lane.bytes()))
                        .map(|found| format!("{}:{}", found.at.file.0, String::from_utf8_lossy(found.line)))
                        .collect();
                    let expected =
                        if file.0 % 3 == 0 { Vec::new() } else { vec![format!("{0}:fail {0}", file.0)] };
                    assert_eq!(found, expected, "{threads} threads");
                }
            }
        }
    }
}
