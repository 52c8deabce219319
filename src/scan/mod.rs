//! Bytes → matches. A whole block goes in and the matches of its lines come out: what is done per line and what
//! per block stays in here.
//!
//! However the same bytes are cut into blocks, the matches are the same, as long as the caller offers again what
//! was not consumed, followed by what came since.

mod backtrack;
mod decode;
mod envelope;
mod fields;
mod found;
mod frame;
mod gate;
mod matcher;
pub mod plan;
mod record;
mod repeats;
mod review;
mod runs;
#[cfg(test)]
pub(crate) mod samples;
mod sieve;
mod spelled;
pub mod stamp;
pub mod stamps;
mod unwrap;
pub mod why;

use std::ops::Range;
use std::time::Duration;

use memchr::{memchr, memrchr};

pub use decode::Decoded;
pub use envelope::{goes_on, inner_lines, is_wrapped, unwrapped};
use found::Hit;
pub use found::{Captures, KeptMatch, Match, MatchKind, Scanned, Span};
use frame::LINE_END;
use frame::Line;
use matcher::{Fit, Matcher};
pub use record::records;
pub use review::Review;

use crate::model::{Envelope, FileId, Format, Position};
use crate::rule::{Multiline, Rule, Ruleset};
use stamp::Stamp;
use unwrap::Unwrap;

/// Bytes that show what a log is like. Where less is read at a time, there is little to gain from knowing.
pub const SAMPLE: usize = 64 * 1024;
/// Bytes that are gone through at once, up to the end of a line: they stay in the nearest cache for every pass.
const CHUNK: usize = 16 << 10;
/// Lines of a record whose lines stand in envelopes, at most: what stands around them takes room too.
pub const MOST_UNWRAPPED: usize = 1000;
/// Lines that are gone back over for a stamp, for a line that has none of its own.
const STAMP_LINES: usize = 64;

/// Matches the lines of one source. Immutable, so that threads share it.
#[derive(Clone, Debug)]
pub struct Scanner {
    matcher: Matcher,
    max_line: usize,
    /// See [`Scanner::counting_repeats`].
    repeats: bool,
    /// How lines are joined, if they are.
    multiline: Option<Multiline>,
    /// See [`Scanner::unwrapping`].
    unwrap: Option<Unwrap>,
}

/// Bytes of one file, to be scanned.
///
/// A block of [`Scanner::longest`] bytes or more always gets on; with fewer, [`Scanned::consumed`] may be 0 until more
/// bytes, or another [`Tail`], are offered.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Which file.
    pub file: FileId,
    /// Bytes of the file before `bytes`. The beginning of a line or record, unless `skipping`.
    pub offset: u64,
    /// The bytes, as read: any bytes at all.
    pub bytes: &'a [u8],
    /// True if `offset` lies in the rest of an over-long line: [`Scanned::skipping`] of the block before.
    pub skipping: bool,
    /// What becomes of an unterminated last line, or of a record that may go on.
    pub tail: Tail,
}

/// What becomes of a last line, or a last record, whose end is not in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// It stays for the next block.
    Wait,
    /// It is matched as it is, but stays: its matches are [`Match::partial`].
    Flush,
    /// No more bytes will come: it is matched and consumed.
    Final,
}

impl Scanner {
    /// Prepares those rules of `ruleset` for which `sees` is true. `max_line`: bytes of a line that are matched,
    /// 1 or more.
    ///
    /// Patterns of which nothing rare is known are asked of every line, which is slower.
    pub fn new(ruleset: &Ruleset, sees: impl Fn(&Rule) -> bool, max_line: usize) -> Scanner {
        Scanner::structured(ruleset, sees, max_line, Format::Plain)
    }

    /// The same for lines that have fields.
    pub fn structured(
        ruleset: &Ruleset,
        sees: impl Fn(&Rule) -> bool,
        max_line: usize,
        format: Format,
    ) -> Scanner {
        Scanner::joining(ruleset, sees, max_line, format, None)
    }

    /// The same for lines that are joined to records: these are to rules what lines are otherwise.
    pub fn joining(
        ruleset: &Ruleset,
        sees: impl Fn(&Rule) -> bool,
        max_line: usize,
        format: Format,
        multiline: Option<&Multiline>,
    ) -> Scanner {
        let most = multiline.map_or(usize::MAX, |multiline| multiline.max_bytes);
        Scanner {
            matcher: Matcher::new(ruleset, sees, format, multiline.is_some()),
            max_line: max_line.min(most).max(1),
            repeats: false,
            multiline: multiline.cloned(),
            unwrap: None,
        }
    }

    /// Bytes of a block that always gets on.
    pub fn longest(max_line: usize, multiline: Option<&Multiline>, envelope: Option<Envelope>) -> usize {
        match envelope {
            Some(envelope) => Unwrap::new(envelope, Duration::ZERO, max_line, multiline).longest_block(),
            None => multiline.map_or(max_line, |multiline| multiline.max_bytes.max(max_line)) + LINE_END,
        }
    }

    /// The same for lines that stand in an envelope: what is in it is matched. The time in it is that of the line. Where
    /// several streams stand in one file, what waits for its end does not hold up the lines of others that are written
    /// `flush` later or more.
    ///
    /// Records then have at most [`MOST_UNWRAPPED`] lines.
    pub fn unwrapping(self, envelope: Option<Envelope>, flush: Duration) -> Scanner {
        let multiline = self.multiline.clone().map(|multiline| match envelope {
            Some(_) => Multiline { max_lines: multiline.max_lines.min(MOST_UNWRAPPED), ..multiline },
            None => multiline,
        });
        let unwrap = |envelope| Unwrap::new(envelope, flush, self.max_line, multiline.as_ref());
        Scanner { unwrap: envelope.map(unwrap), multiline, ..self }
    }

    /// The same, for logs whose lines are not joined and in which a line such as `sshd[7]: message repeated 5 times: [ X ]` may stand for five lines with
    /// `sshd[7]: X`: it is a match of each of them, if `repeats`.
    pub fn counting_repeats(self, repeats: bool) -> Scanner {
        Scanner { repeats, ..self }
    }

    /// The same for a log that is like `sample`, of [`SAMPLE`] bytes or more: finds the same, and sooner.
    pub fn attuned(&self, sample: &[u8]) -> Scanner {
        Scanner { matcher: self.matcher.attuned(sample), ..self.clone() }
    }

    /// Replaces what is in `out` by what is found in `block`.
    ///
    /// Lines end at `\n`; one `\r` before it is part of the end. NULs at the head of a line are skipped. Of a line
    /// longer than `max_line` the head is matched, and the rest skipped over as many blocks as it takes.
    pub fn scan(&self, block: Block<'_>, out: &mut Scanned) {
        out.clear();
        match &self.unwrap {
            Some(unwrap) => self.scan_wrapped(unwrap, block, out),
            None => self.scan_text(block, out),
        }
    }

    /// Adds to `out` what is found in lines that stand in no envelope.
    fn scan_text(&self, block: Block<'_>, out: &mut Scanned) {
        let bytes = block.bytes;
        let mut begin = 0;
        if block.skipping {
            let Some(newline) = memchr(b'\n', bytes) else {
                out.consumed = bytes.len();
                out.skipping = true;
                return;
            };
            begin = newline + 1;
        }
        if let Some(how) = &self.multiline {
            return self.scan_records(how, block, begin, out);
        }
        let mut lines = Lines { scanner: self, block, begin, out };
        let mut at = begin;
        // Lines of a chunk are not over-long.
        let chunk = CHUNK.min(self.max_line + 1);
        loop {
            let ahead = &bytes[at..bytes.len().min(at + chunk)];
            if let Some(newline) = memrchr(b'\n', ahead) {
                lines.judge(at, at + newline + 1, false);
                at += newline + 1;
            } else if let Some(newline) = memchr(b'\n', &bytes[at + ahead.len()..]) {
                let end = at + ahead.len() + newline;
                lines.judge(at, end + 1, false);
                lines.count(Line::of(&bytes[at..end], self.max_line));
                at = end + 1;
            } else {
                break;
            }
        }
        let stamped = lines.rest(at);
        out.stamp = self.stamp_before(&bytes[begin..stamped]);
    }

    /// The same of a block whose first `len` bytes stand in another file, from there on: its last record, which may go on
    /// in this one.
    pub fn scan_on(&self, from: Position, len: usize, block: Block<'_>, out: &mut Scanned) {
        self.scan(Block { file: from.file, offset: from.offset, ..block }, out);
        for hit in &mut out.hits {
            if let Some(behind) = hit.at.offset.checked_sub(from.offset + len as u64) {
                hit.at = Position { file: block.file, offset: block.offset + behind };
            }
        }
    }

    /// The stamp nearest to the end of `bytes`, which begin with a line.
    fn stamp_before(&self, mut bytes: &[u8]) -> Option<Stamp> {
        let lines = self.multiline.as_ref().map_or(0, |multiline| multiline.max_lines).max(STAMP_LINES);
        for _ in 0..lines {
            let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let start = memrchr(b'\n', line).map_or(0, |newline| newline + 1);
            let found = self.matcher.reader.stamp(Line::of(&line[start..], self.max_line).text);
            if found.is_some() || start == 0 {
                return found;
            }
            bytes = &bytes[..start];
        }
        None
    }
}

/// A block on its way through a scanner.
struct Lines<'a> {
    scanner: &'a Scanner,
    block: Block<'a>,
    /// Where its first line begins.
    begin: usize,
    out: &'a mut Scanned,
}

impl Lines<'_> {
    /// Deals with what stands behind the last newline, from `at` on; returns the end of what a stamp is looked
    /// for in.
    fn rest(&mut self, at: usize) -> usize {
        let end = self.block.bytes.len();
        let line = Line::of(&self.block.bytes[at..], self.scanner.max_line);
        let waiting = at + line.hole;
        let (consumed, stamped) = match self.block.tail {
            _ if line.cut => {
                self.judge(at, end, false);
                self.count(line);
                self.out.skipping = true;
                (end, end)
            }
            Tail::Wait => (waiting, at),
            Tail::Flush if line.void => (waiting, at),
            Tail::Final if line.void => (end, at),
            Tail::Flush => {
                self.judge(at, end, true);
                (waiting, end)
            }
            Tail::Final => {
                self.judge(at, end, false);
                self.count(line);
                (end, end)
            }
        };
        self.out.consumed = consumed;
        stamped
    }

    fn count(&mut self, line: Line<'_>) {
        self.out.cut_lines += u64::from(line.cut);
    }

    /// Judges the lines from `from` to `to`: whole ones, or the last one of the block.
    fn judge(&mut self, mut from: usize, to: usize, partial: bool) {
        let (bytes, mut at) = (self.block.bytes, from);
        while self.scanner.repeats
            && let Some(place) = repeats::next(&bytes[..to], at)
        {
            let begin = memrchr(b'\n', &bytes[from..place]).map_or(from, |newline| from + newline + 1);
            at = memchr(b'\n', &bytes[place..to]).map_or(to, |newline| place + newline);
            let line = Line::of(&bytes[begin..at], self.scanner.max_line);
            let made = self.out.made.len();
            let times = repeats::undo(line.text, &mut self.out.made).filter(|_| !line.cut);
            if let Some(times) = times {
                self.judge_lines(from..begin, partial, None);
                self.judge_lines(begin..at, partial, Some(Repeated { made, hole: line.hole, times }));
                from = to.min(at + 1);
            }
        }
        self.judge_lines(from..to, partial, None);
    }

    /// Judges lines as they stand in a part of the block, or the one that this part stands for.
    fn judge_lines(&mut self, part: Range<usize>, partial: bool, repeated: Option<Repeated>) {
        if part.is_empty() {
            return;
        }
        let Lines { scanner, block, begin, .. } = *self;
        let Scanned { hits, spans, tried, room, unparsed_lines, made: lines, .. } = &mut *self.out;
        // Of the line that was found last: several rules may want it.
        let mut known: Option<(usize, Option<Stamp>)> = None;
        let chunk = match &repeated {
            Some(repeated) => &lines[repeated.made..],
            None => &block.bytes[part.clone()],
        };
        scanner.matcher.judge(chunk, scanner.max_line, room, tried, |found: Fit<'_>| {
            let at = part.start + found.begin;
            let stamp = match known {
                Some((of, stamp)) if of == at => stamp,
                _ => found
                    .stamp
                    .or_else(|| stamp::find(found.line.text))
                    .or_else(|| scanner.stamp_before(&block.bytes[begin..at])),
            };
            known = Some((at, stamp));
            let (hole, text, times) = match &repeated {
                Some(repeated) => (repeated.hole, block.bytes.len() + repeated.made, repeated.times),
                None => (found.line.hole, at + found.line.hole + found.line.nuls, 1),
            };
            hits.push(Hit {
                rule: found.rule,
                kind: found.kind,
                at: Position { file: block.file, offset: block.offset + (at + hole) as u64 },
                stamp,
                line: Span::new(text, text + found.line.text.len()),
                captures: (spans.len() as u32, found.spans.len() as u32),
                partial,
                times,
            });
            spans.extend_from_slice(found.spans);
        });
        let unparsed = std::mem::take(&mut room.unparsed);
        // What is partial will be looked at again.
        *unparsed_lines += if partial { 0 } else { unparsed };
    }
}

/// A line that another one stands for.
struct Repeated {
    /// Where it begins in [`Scanned::made`].
    made: usize,
    /// Bytes before the beginning of the other one that belong to no line.
    hole: usize,
    times: u32,
}

#[cfg(test)]
mod tests;
