//! Blocks of files in which each line stands in an envelope: what is in them is scanned as any other text.
//!
//! Several streams may stand in one file, and lines of each in pieces, or joined to records. A block may begin wherever
//! nothing is pending in any of them: so what is consumed says all that has to be known of a file, and restarts and
//! rotations are what they are for files without envelopes. What is pending is held up by nothing but itself:
//!
//! - it is over when a line of another stream is written `flush` later;
//! - it is over when as many bytes have come as the longest record may have.
//!
//! Both depend on what stands in the file and not on how it is read.
//!
//! Where no line is in pieces, and none are joined or all are of one stream, that is: nearly always, what was
//! in the envelopes is one text with the same lines. Else the streams are sorted, and each is a text.

use std::ops::Range;
use std::time::Duration;

use memchr::{memchr, memrchr};

use super::envelope::{self, Stream, Wrapped, open};
use super::frame::{LINE_END, Line};
use super::record::Walk;
use super::stamp::Stamp;
use super::{Block, STAMP_LINES, Scanned, Scanner, Tail};
use crate::model::{Envelope, Position, Timestamp};
use crate::rule::Multiline;

/// Bytes of other streams that a line in pieces may have among them at least.
const SLACK: usize = 64 * 1024;

/// What has to be known of the envelopes of a source.
#[derive(Clone, Debug)]
pub(super) struct Unwrap {
    envelope: Envelope,
    flush: Duration,
    /// Bytes of a line of the file that may stand in an envelope.
    longest: usize,
    /// Bytes of the file over which something may be pending.
    most: usize,
}

impl Unwrap {
    pub(super) fn new(
        envelope: Envelope,
        flush: Duration,
        max_line: usize,
        multiline: Option<&Multiline>,
    ) -> Unwrap {
        let lines = multiline.map_or(1, |multiline| multiline.max_lines.min(super::MOST_UNWRAPPED));
        let bytes = multiline.map_or(max_line, |multiline| multiline.max_bytes.max(max_line));
        Unwrap {
            envelope,
            flush,
            longest: envelope::longest(envelope, max_line),
            most: envelope::extent(envelope, lines, bytes) + SLACK,
        }
    }

    /// The same with other bounds.
    #[cfg(test)]
    pub(super) fn bounded(self, longest: usize, most: usize) -> Unwrap {
        Unwrap { longest, most, ..self }
    }

    /// What is looked at of the line of a block that begins there.
    fn whole_line<'b>(&self, bytes: &'b [u8], begin: usize) -> &'b [u8] {
        let rest = &bytes[begin..bytes.len().min(begin + self.longest)];
        let line = memchr(b'\n', rest).map_or(rest, |newline| &rest[..newline]);
        &line[line.iter().take_while(|byte| **byte == 0).count()..]
    }

    /// Bytes of a block that always gets on.
    pub(super) fn longest_block(&self) -> usize {
        self.most.max(self.longest) + self.longest + LINE_END
    }
}

/// Room to work in, used again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    strands: [Strand; 3],
}

/// What is in the envelopes of one stream.
#[derive(Clone, Debug, Default)]
struct Strand {
    text: Vec<u8>,
    lines: Vec<Place>,
    /// Where what was pending in `text` is over, whatever follows.
    ends: Vec<usize>,
    /// The last line goes on.
    open: bool,
    /// The rest of an over-long line is skipped: where its latest piece begins.
    skip: Option<usize>,
    /// When the latest piece of what is pending was written, if it says so.
    written: Option<Timestamp>,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where it begins in the text of its stream.
    text: usize,
    /// Where it begins in the block.
    raw: usize,
    /// Where its last piece begins.
    last: usize,
    /// It has no envelope.
    bare: bool,
}

/// A line or record, as far as it is known.
#[derive(Clone, Debug)]
struct Stretch {
    strand: usize,
    /// In the block: where it begins, and where its last piece does.
    begin: usize,
    last: usize,
    /// It may go on.
    open: bool,
    /// Where it begins in the text of its strand.
    text: usize,
}

impl Strand {
    fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.ends.clear();
        (self.open, self.skip, self.written) = (false, None, None);
    }

    /// The line in which a place of the text lies.
    fn line_at(&self, text: usize) -> Place {
        self.lines[self.lines.partition_point(|line| line.text <= text).saturating_sub(1)]
    }

    /// Where what may be pending begins.
    fn begun(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// What is pending is over.
    fn close(&mut self) {
        self.end_line();
        self.skip = None;
        if self.text.len() > self.begun() {
            self.ends.push(self.text.len());
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open) {
            self.text.push(b'\n');
        }
    }

    /// The parts of the text that nothing may join.
    fn parts(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let ends = self.ends.iter().copied().chain(Some(self.text.len()).filter(|end| *end > self.begun()));
        ends.scan(0, |begin, end| Some(std::mem::replace(begin, end)..end))
    }
}

impl Scanner {
    /// [`Scanner::scan`] for lines in envelopes.
    pub(super) fn scan_wrapped(&self, how: &Unwrap, block: Block<'_>, out: &mut Scanned) {
        let mut room = std::mem::take(&mut out.room.unwrap);
        room.strands.iter_mut().for_each(Strand::clear);
        let simple = if block.skipping { None } else { self.read_simple(how, block, &mut room.strands[0]) };
        let told = match simple {
            Some(end) => self.scan_simple(how, block, &room.strands[0], end, out),
            None => {
                room.strands.iter_mut().for_each(Strand::clear);
                let mut sorter = Sorter::new(self, how, block, &mut room.strands);
                sorter.read();
                sorter.scan(out)
            }
        };
        let consumed = out.consumed;
        for strand in &room.strands {
            let lines = strand.lines.iter().take_while(|line| line.raw < consumed);
            out.bare_lines += lines.filter(|line| line.bare).count() as u64;
        }
        out.stamp = self.stamp_of_last(how, block.bytes, told);
        out.room.unwrap = room;
    }

    /// Takes all lines out of their envelopes, if each is by itself: up to where. `None`: the streams have to be sorted.
    fn read_simple(&self, how: &Unwrap, block: Block<'_>, strand: &mut Strand) -> Option<usize> {
        let bytes = block.bytes;
        let mut at = 0;
        let mut first = None;
        strand.text.reserve(bytes.len());
        while at < bytes.len() {
            let newline = memchr(b'\n', &bytes[at..]);
            let end = newline.map_or(bytes.len(), |newline| at + newline);
            let raw = &bytes[at..end];
            if raw.first() == Some(&0) || raw.len() > how.longest {
                return None;
            }
            if newline.is_none() && block.tail == Tail::Wait {
                break;
            }
            let line = open(how.envelope, raw);
            let same = *first.get_or_insert(line.stream) == line.stream;
            if line.goes_on || self.multiline.is_some() && !same {
                return None;
            }
            let bare = line.stream == Stream::Bare;
            strand.lines.push(Place { text: strand.text.len(), raw: at, last: at, bare });
            line.put(&mut strand.text);
            if newline.is_some() {
                strand.text.push(b'\n');
            }
            at = end + usize::from(newline.is_some());
        }
        Some(at)
    }

    /// Scans lines that are each by itself; `end`: what of the block they are. Returns the end of what tells the time.
    fn scan_simple(
        &self,
        how: &Unwrap,
        block: Block<'_>,
        strand: &Strand,
        end: usize,
        out: &mut Scanned,
    ) -> usize {
        if strand.lines.is_empty() {
            return 0;
        }
        let all = 0..strand.text.len();
        self.scan_text(Block { offset: 0, bytes: &strand.text, skipping: false, ..block }, out);
        out.consumed = if out.consumed < all.end { strand.line_at(out.consumed).raw } else { end };
        self.put_back(how, block, (strand, all), 0, out);
        match block.tail {
            Tail::Wait => self.told(block.bytes, out.consumed, end),
            Tail::Flush | Tail::Final => end,
        }
    }

    /// What was found in a part of a text is where its lines stand in the block. `from`: the first of these hits.
    fn put_back(
        &self,
        how: &Unwrap,
        block: Block<'_>,
        (strand, part): (&Strand, Range<usize>),
        from: usize,
        out: &mut Scanned,
    ) {
        let text = &strand.text[part.clone()];
        let mut known = None;
        for hit in &mut out.hits[from..] {
            let raw = strand.line_at(part.start + hit.at.offset as usize).raw;
            let (stamp, before, line) = match known {
                Some((of, stamp, before, line)) if of == raw => (stamp, before, line),
                _ => {
                    let stamp = open(how.envelope, how.whole_line(block.bytes, raw)).stamp();
                    (stamp, hit.line, hit.line.moved(text, &mut out.made, block.bytes.len()))
                }
            };
            let line = if before == hit.line {
                line
            } else {
                hit.line.moved(text, &mut out.made, block.bytes.len())
            };
            known = Some((raw, stamp, before, line));
            hit.at = Position { file: block.file, offset: block.offset + raw as u64 };
            (hit.stamp, hit.line) = (stamp.or(hit.stamp), line);
        }
    }

    /// The end of what tells the time of a block that is consumed up to there: if lines are joined, the first of a record
    /// that may go on does too.
    fn told(&self, bytes: &[u8], consumed: usize, end: usize) -> usize {
        let next = bytes.get(consumed..end).and_then(|rest| memchr(b'\n', rest));
        next.filter(|_| self.multiline.is_some()).map_or(consumed, |newline| consumed + newline + 1)
    }

    /// The stamp nearest to the end of these bytes of a block.
    fn stamp_of_last(&self, how: &Unwrap, bytes: &[u8], told: usize) -> Option<Stamp> {
        let mut bytes = &bytes[..told];
        for _ in 0..STAMP_LINES {
            let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let start = memrchr(b'\n', lines).map_or(0, |newline| newline + 1);
            let line = open(how.envelope, how.whole_line(lines, start));
            let text = &line.text[..line.text.len().min(self.max_line)];
            let found = line.stamp().or_else(|| match line.stream {
                Stream::Bare => self.matcher.reader.stamp(text),
                Stream::Out | Stream::Err => None,
            });
            if found.is_some() || start == 0 {
                return found;
            }
            bytes = &bytes[..start];
        }
        None
    }
}

/// Sorts the lines of a block by their streams, and finds out what is pending.
struct Sorter<'a> {
    scanner: &'a Scanner,
    how: &'a Unwrap,
    block: Block<'a>,
    strands: &'a mut [Strand; 3],
    /// The rest of an over-long line with which the block begins: of which strand, and where its last piece begins.
    rest: Option<(usize, usize)>,
    /// Up to there nothing was pending.
    floor: usize,
    /// What of the block was read.
    end: usize,
    /// It ends in a line that has no end and is too long to have an envelope.
    unending: bool,
}

impl<'a> Sorter<'a> {
    fn new(
        scanner: &'a Scanner,
        how: &'a Unwrap,
        block: Block<'a>,
        strands: &'a mut [Strand; 3],
    ) -> Sorter<'a> {
        Sorter { scanner, how, block, strands, rest: None, floor: 0, end: 0, unending: false }
    }

    fn read(&mut self) {
        let bytes = self.block.bytes;
        if self.block.skipping {
            let Some(newline) = memchr(b'\n', bytes) else {
                (self.end, self.unending) = (bytes.len(), true);
                return;
            };
            let first = open(self.how.envelope, &bytes[..newline]);
            if first.goes_on {
                let strand = first.stream as usize;
                self.strands[strand].skip = Some(0);
                self.strands[strand].written = instant(&first);
                self.rest = Some((strand, 0));
            }
            self.end = newline + 1;
        }
        while self.end < bytes.len() {
            let begin = self.end;
            let newline = memchr(b'\n', &bytes[begin..]);
            let end = newline.map_or(bytes.len(), |newline| begin + newline);
            let raw = &bytes[begin..end];
            let nuls = raw.iter().take_while(|byte| **byte == 0).count();
            // As for lines without envelopes: many NULs are a hole, and no line.
            let hole = nuls - nuls % self.how.longest;
            if hole > 0 {
                self.close_all();
            }
            let long = raw.len() - hole > self.how.longest;
            let is_whole = newline.is_some();
            let is_void = nuls == raw.len() && !is_whole;
            if !is_whole && !long && (is_void || self.block.tail != Tail::Final) {
                self.end = if self.block.tail == Tail::Final { end } else { begin + hole };
                return;
            }
            let behind = end + usize::from(is_whole);
            let known = raw.len().min(hole + self.how.longest);
            let line = open(self.how.envelope, &raw[nuls.min(known)..known]);
            // No runtime goes on behind as much as that.
            let line = Wrapped { goes_on: line.goes_on && !long, ..line };
            self.end = behind;
            // Of a line of which only the envelope is there, nothing is.
            let is_there = is_whole || self.strands[line.stream as usize].open;
            if is_there || !line.is_void() {
                self.line(begin + hole, behind, line);
            }
            self.unending = long && !is_whole;
        }
    }

    /// Adds a line of the file to its stream. `begin` and `end` are of the block.
    fn line(&mut self, begin: usize, end: usize, line: Wrapped<'_>) {
        if end - self.floor > self.how.most {
            self.floor = self.floor.max(self.cut(begin).0);
            if end - self.floor > self.how.most {
                self.close_all();
                self.floor = begin;
            }
        }
        let (which, joins) = (line.stream as usize, self.scanner.multiline.is_some());
        for other in (0..self.strands.len()).filter(|other| *other != which) {
            let strand = &self.strands[other];
            let pending = strand.open || strand.skip.is_some() || joins && strand.text.len() > strand.begun();
            let bare = Stream::Bare as usize;
            if pending && (which == bare || other == bare || self.is_later(strand, &line)) {
                self.strands[other].close();
            }
        }
        let strand = &mut self.strands[which];
        if line.goes_on || joins {
            strand.written = instant(&line);
        }
        if strand.skip.is_some() {
            match strand.lines.last_mut() {
                Some(known) => known.last = begin,
                None => self.rest = Some((which, begin)),
            }
            strand.skip = Some(begin).filter(|_| line.goes_on);
            self.floor = self.floor.max(self.cut(end).0);
            return;
        }
        let (text, bare) = (strand.text.len(), line.stream == Stream::Bare);
        match strand.lines.last_mut().filter(|_| strand.open) {
            Some(known) => known.last = begin,
            None => strand.lines.push(Place { text, raw: begin, last: begin, bare }),
        }
        line.put(&mut strand.text);
        strand.open = true;
        let long = strand
            .lines
            .last()
            .is_some_and(|known| Line::of(&strand.text[known.text..], self.scanner.max_line).cut);
        if !line.goes_on || long {
            strand.end_line();
        }
        if line.goes_on && long {
            strand.skip = Some(begin);
            self.floor = self.floor.max(self.cut(end).0);
        }
    }

    /// True if a line was written so much later than what is pending in another stream that it does not wait for that.
    fn is_later(&self, pending: &Strand, line: &Wrapped<'_>) -> bool {
        pending.written.zip(instant(line)).is_some_and(|(since, until)| until >= since.plus(self.how.flush))
    }

    fn close_all(&mut self) {
        self.strands.iter_mut().for_each(Strand::close);
    }

    /// Every line or record, strand by strand.
    fn stretches(&self) -> Vec<Stretch> {
        let mut all = Vec::new();
        for (number, strand) in self.strands.iter().enumerate() {
            let stretch = |range: Range<usize>, open: bool| Stretch {
                strand: number,
                begin: strand.line_at(range.start).raw,
                last: strand.line_at(range.end - 1).last,
                open,
                text: range.start,
            };
            let Some(how) = &self.scanner.multiline else {
                let whole = strand.lines.len() - usize::from(strand.open);
                all.extend(strand.lines.iter().enumerate().map(|(at, line)| Stretch {
                    strand: number,
                    begin: line.raw,
                    last: line.last,
                    open: at >= whole,
                    text: line.text,
                }));
                continue;
            };
            for part in strand.parts() {
                let over = part.end <= strand.begun();
                let tail = if over { Tail::Final } else { Tail::Wait };
                let bytes = &strand.text[part.clone()];
                let walk = Walk { how, max_line: self.scanner.max_line, bytes, tail };
                let mut at = 0;
                while let Some(record) = walk.record(at) {
                    all.push(stretch(part.start + at..part.start + record.to, !over && !record.over));
                    at = record.to;
                }
            }
            // A line of which nothing but an empty piece, or NULs, is there.
            if strand.open
                && let Some(line) = strand.lines.last()
            {
                let known = all.iter().rev().find(|known: &&Stretch| known.strand == number);
                if known.is_none_or(|known| known.last < line.last) {
                    all.push(Stretch {
                        strand: number,
                        begin: line.raw,
                        last: line.last,
                        open: true,
                        text: line.text,
                    });
                }
            }
        }
        all
    }

    /// The last place up to `end` over which nothing reaches, and whether the rest of an over-long line follows.
    fn cut(&self, end: usize) -> (usize, bool) {
        let stretches = self.stretches();
        let skips = self.strands.iter().filter_map(|strand| strand.skip);
        let pending = stretches.iter().filter(|stretch| stretch.open).map(|stretch| stretch.begin);
        let mut cut = pending.chain(skips).min().unwrap_or(end).min(end);
        let rest = self.rest.iter().map(|(strand, last)| (*strand, 0, *last));
        let reaches: Vec<_> =
            stretches.iter().map(|known| (known.strand, known.begin, known.last)).chain(rest).collect();
        loop {
            let over = |(strand, begin, last): &&(usize, usize, usize)| {
                // Pieces that are skipped say themselves that they are.
                let told = *last == cut && self.strands[*strand].skip == Some(cut);
                *begin < cut && *last >= cut && !told
            };
            match reaches.iter().filter(over).map(|(_, begin, _)| *begin).min() {
                Some(begin) => cut = begin,
                None => break,
            }
        }
        // A line of which nothing but its first piece is there is no rest: it is judged when more comes.
        let begins =
            |number: usize| stretches.iter().any(|known| known.strand == number && known.begin == cut);
        let skips = self.strands.iter().enumerate().filter(|(_, strand)| strand.skip == Some(cut));
        let skipping = skips.into_iter().any(|(number, _)| !begins(number));
        (cut, skipping || cut == 0 && self.block.skipping)
    }

    /// Matches early what is pending behind all else, and ends what is pending before that: returns the strand, and where
    /// in its text that begins.
    fn flush(&mut self) -> Option<(usize, usize)> {
        let stretches = self.stretches();
        let (newest, _) = self
            .strands
            .iter()
            .enumerate()
            .filter_map(|(number, strand)| Some((number, strand.lines.last()?.last)))
            .max_by_key(|(_, last)| *last)?;
        let mine = |stretch: &&Stretch| stretch.strand == newest && stretch.open;
        let last = stretches.iter().find(mine).map(|stretch| (stretch.begin, stretch.text));
        let alone = last.filter(|(begin, _)| {
            let others = self.strands.iter().enumerate().filter(|(number, _)| *number != newest);
            others.filter_map(|(_, strand)| strand.lines.last()).all(|line| line.last < *begin)
        });
        for (number, strand) in self.strands.iter_mut().enumerate() {
            if (alone.is_none() || number != newest) && strand.skip.is_none() {
                strand.close();
            }
        }
        alone.map(|(_, text)| (newest, text))
    }

    /// Scans what is not pending; returns the end of what tells the time.
    fn scan(mut self, out: &mut Scanned) -> usize {
        let early = match self.block.tail {
            Tail::Wait => None,
            Tail::Flush => self.flush(),
            Tail::Final => {
                self.close_all();
                None
            }
        };
        let (cut, skipping) = self.cut(self.end);
        (out.consumed, out.skipping) = (cut, skipping || self.unending && cut == self.end);
        let (consumed, skipping) = (out.consumed, out.skipping);
        let stretches = self.stretches();
        for (number, strand) in self.strands.iter().enumerate() {
            let waits = |stretch: &&Stretch| stretch.strand == number && stretch.begin >= cut;
            let judged = stretches.iter().find(waits).map_or(strand.text.len(), |stretch| stretch.text);
            for part in strand.parts().filter(|part| part.start < judged) {
                self.judge(strand, part.start..part.end.min(judged), Tail::Final, out);
            }
        }
        if let Some((number, from)) = early {
            let strand = &self.strands[number];
            self.judge(strand, from.max(strand.begun())..strand.text.len(), Tail::Flush, out);
        }
        out.hits.sort_by_key(|hit| (hit.at.offset, hit.rule));
        (out.consumed, out.skipping) = (consumed, skipping);
        match self.block.tail {
            Tail::Wait => self.scanner.told(self.block.bytes, consumed, self.end),
            Tail::Flush | Tail::Final => self.end,
        }
    }

    fn judge(&self, strand: &Strand, part: Range<usize>, tail: Tail, out: &mut Scanned) {
        if part.is_empty() {
            return;
        }
        let from = out.hits.len();
        let bytes = &strand.text[part.clone()];
        let block = Block { offset: 0, bytes, skipping: false, tail, ..self.block };
        self.scanner.scan_text(block, out);
        self.scanner.put_back(self.how, self.block, (strand, part), from, out);
    }
}

/// When a line was written, if it says so.
fn instant(line: &Wrapped<'_>) -> Option<Timestamp> {
    match line.stamp() {
        Some(Stamp::Instant(instant)) => Some(instant),
        _ => None,
    }
}
