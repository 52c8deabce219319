//! Which lines are one record, for sources whose lines are joined.
//!
//! A record ends where a line says so (see [`Multiline`]), and wherever nothing may be joined: behind an over-long line,
//! at a hole of NULs, and at the bounds of a record. That depends on nothing that came before its first line, so a block
//! may begin with any record. Nor is a line looked at without need: the sieve goes over a block as it stands, and only
//! around its hits, and at the end of the block, it is looked for where records begin and end.

use std::ops::Range;

use memchr::{memchr, memrchr};

use super::found::Hit;
use super::frame::Line;
use super::matcher::{Candidate, Fit};
use super::stamp::{self, Stamp};
use super::{Block, CHUNK, Scanned, Scanner, Span, Tail};
use crate::model::Position;
use crate::rule::{Multiline, without_blank_end};

/// A record, by places in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Where its first line begins.
    from: usize,
    /// Bytes behind that which belong to no line.
    hole: usize,
    /// Where the next one begins.
    pub(super) to: usize,
    /// Nothing that follows can belong to it.
    pub(super) over: bool,
    /// It may be only the head of what was written: it has as many lines or bytes as it may have.
    cut: bool,
    /// `to` lies in the rest of an over-long line.
    skipping: bool,
    /// Where its text stands: in the block, or behind its end in [`Scanned::made`].
    text: Span,
}

/// A line, by places in its block.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    begin: usize,
    /// Without its `\n`.
    end: usize,
    /// Behind its `\n`.
    next: usize,
    line: Line<'a>,
}

impl Piece<'_> {
    fn is_whole(&self) -> bool {
        self.next > self.end
    }

    /// Where its text begins and ends.
    fn text(&self) -> Range<usize> {
        let begin = self.begin + self.line.hole + self.line.nuls;
        begin..begin + self.line.text.len()
    }
}

/// Goes from record to record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    pub(super) how: &'a Multiline,
    pub(super) max_line: usize,
    pub(super) bytes: &'a [u8],
    /// What becomes of an unterminated last line.
    pub(super) tail: Tail,
}

impl<'a> Walk<'a> {
    /// The line that begins there. `None`: there is none, or nothing but NULs whose end is not known.
    fn piece(&self, begin: usize) -> Option<Piece<'a>> {
        let ahead = self.bytes.get(begin..).filter(|ahead| !ahead.is_empty())?;
        let newline = memchr(b'\n', ahead);
        let end = newline.map_or(self.bytes.len(), |newline| begin + newline);
        let line = Line::of(&self.bytes[begin..end], self.max_line);
        let next = end + usize::from(newline.is_some());
        (newline.is_some() || !line.void).then_some(Piece { begin, end, next, line })
    }

    /// Bytes at `begin` that belong to no line, if there is nothing but NULs.
    fn hole(&self, begin: usize) -> usize {
        Line::of(&self.bytes[begin..], self.max_line).hole
    }

    /// The record that begins there.
    pub(super) fn record(&self, from: usize) -> Option<Record> {
        let first = self.piece(from)?;
        let begin = from + first.line.hole;
        let mut record = Record {
            from,
            hole: first.line.hole,
            to: first.next,
            over: false,
            cut: false,
            skipping: false,
            text: Span::new(first.text().start, first.text().end),
        };
        let (mut last, mut lines) = (first, 1);
        loop {
            record.to = last.next;
            if last.line.cut {
                (record.over, record.skipping) = (true, !last.is_whole());
            } else if last.is_whole() && lines >= self.how.max_lines {
                (record.over, record.cut) = (true, self.how.max_lines > 1);
            } else {
                record.over = last.is_whole() && self.how.ends(last.line.text);
            }
            if record.over || !last.is_whole() {
                break;
            }
            let fits =
                |end: usize| last.next + (end - last.next).min(self.max_line) - begin <= self.how.max_bytes;
            let Some(next) = self.piece(last.next) else {
                // NULs are not known to be a line, but count if they are the beginning of one.
                record.over = self.hole(last.next) > 0 || !fits(self.bytes.len());
                break;
            };
            // Of an over-long line that is known to be one, all is known that will ever be.
            let known = next.is_whole() || next.line.cut || self.tail != Tail::Wait;
            let parts = known && self.how.parts(last.line.text, next.line.text);
            record.over = parts || next.line.hole > 0 || !fits(next.end);
            record.cut = !parts && !fits(next.end);
            // What is matched early must not turn out to belong to another record when it has grown.
            let grows = self.tail == Tail::Flush && !next.is_whole();
            if record.over || !known || grows && !fits(next.begin + self.max_line) {
                break;
            }
            (last, lines) = (next, lines + 1);
        }
        let text = first.text().start..last.text().end;
        let length = if lines > 1 { without_blank_end(&self.bytes[text.clone()]).len() } else { text.len() };
        record.text = Span::new(text.start, text.start + length);
        Some(record)
    }

    /// The last place at or before the line of `place` where a record begins, whatever came before it; `floor` if there
    /// is none behind it.
    fn begin_before(&self, place: usize, floor: usize) -> usize {
        let line_of =
            |place: usize| memrchr(b'\n', &self.bytes[floor..place]).map_or(floor, |at| floor + at + 1);
        let mut begin = line_of(place);
        let Some(mut piece) = self.piece(begin) else { return begin };
        while begin > floor {
            let above = line_of(begin - 1);
            let Some(before) = self.piece(above) else { break };
            if before.line.cut || piece.line.hole > 0 || self.how.parts(before.line.text, piece.line.text) {
                break;
            }
            (begin, piece) = (above, before);
        }
        begin
    }

    /// The same for the last line whose end is known.
    fn last_begin(&self, floor: usize) -> usize {
        match memrchr(b'\n', &self.bytes[floor..]) {
            Some(newline) => self.begin_before(floor + newline, floor),
            None => floor,
        }
    }

    /// Puts the lines of a record together in `made`, if they do not stand so in the block.
    fn join(&self, record: &mut Record, made: &mut Vec<u8>) {
        let (mut at, mut stands) = (record.from, true);
        while stands && let Some(piece) = self.piece(at).filter(|piece| piece.begin < record.to) {
            let text = piece.text();
            stands = (at == record.from || text.start == piece.begin)
                && (piece.next >= record.to || text.end == piece.end);
            at = piece.next;
        }
        if stands {
            return;
        }
        let from = made.len();
        let mut at = record.from;
        while let Some(piece) = self.piece(at).filter(|piece| piece.begin < record.to) {
            if at > record.from {
                made.push(b'\n');
            }
            made.extend_from_slice(piece.line.text);
            at = piece.next;
        }
        made.truncate(from + without_blank_end(&made[from..]).len());
        record.text = Span::new(self.bytes.len() + from, self.bytes.len() + made.len());
    }
}

impl Scanner {
    /// [`Scanner::scan`] for lines that are joined. `begin`: where the first line of the block begins.
    pub(super) fn scan_records(&self, how: &Multiline, block: Block<'_>, begin: usize, out: &mut Scanned) {
        let bytes = block.bytes;
        let walk = Walk { how, max_line: self.max_line, bytes, tail: block.tail };
        let mut at = walk.last_begin(begin);
        let mut last = walk.record(at);
        while let Some(record) = last.filter(|record| record.over) {
            (at, out.skipping) = (record.to, record.skipping);
            last = walk.record(at);
        }
        let (consumed, judged) = match (block.tail, last) {
            (Tail::Wait, Some(last)) => (at + last.hole, at),
            (Tail::Flush, Some(last)) => (at + last.hole, last.to),
            (Tail::Wait | Tail::Flush, None) => (at + walk.hole(at), at),
            (Tail::Final, Some(_)) => (bytes.len(), bytes.len()),
            (Tail::Final, None) => (bytes.len(), at),
        };
        out.consumed = consumed;
        // A record that may go on tells the time already: how late lines come is seen by the newest.
        let first = last.filter(|_| block.tail == Tail::Wait).and_then(|last| walk.piece(last.from));
        let told = first.filter(Piece::is_whole).map_or(judged, |first| first.next);
        out.stamp = self.stamp_before(&bytes[begin..told]);
        let partial = last.filter(|_| block.tail == Tail::Flush).map(|last| last.from);
        self.judge_records(&walk, block, begin..judged, partial, out);
    }

    /// Judges the records of a part of a block. `partial`: where the one begins that may go on.
    fn judge_records(
        &self,
        walk: &Walk<'_>,
        block: Block<'_>,
        part: Range<usize>,
        partial: Option<usize>,
        out: &mut Scanned,
    ) {
        let Scanned { hits, spans, tried, room, unparsed_lines, made, cut_lines, cut_records, .. } = out;
        let mut places = std::mem::take(&mut room.places);
        let mut records = std::mem::take(&mut room.records);
        let mut candidates = std::mem::take(&mut room.candidates);
        places.clear();
        records.clear();
        candidates.clear();
        let most = CHUNK.min(self.max_line + 1);
        let chunks = Chunks { bytes: &block.bytes[..part.end], at: part.start, most };
        for chunk in chunks {
            if chunk.long {
                let line = &block.bytes[chunk.range.clone()];
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                *cut_lines += u64::from(Line::of(line, self.max_line).cut);
            }
            let from = chunk.range.start;
            self.matcher.sieve.sift(&block.bytes[chunk.range], |waiting, place| {
                places.push(((from + place) as u32, waiting));
            });
        }
        let every = !self.matcher.gate.is_empty();
        if every {
            let mut at = part.start;
            while at < part.end
                && let Some(record) = walk.record(at)
            {
                at = record.to;
                records.push(record);
            }
        }
        places.sort_unstable();
        places.dedup();
        for (place, waiting) in &places {
            let (place, hit) = (*place as usize, self.matcher.hits[*waiting as usize]);
            let number = if every {
                records.partition_point(|record| record.to <= place)
            } else {
                let floor = records.last().map_or(part.start, |record| record.to);
                if place >= floor {
                    let mut next = walk.record(walk.begin_before(place, floor));
                    while let Some(record) = next.filter(|record| record.to <= place) {
                        next = walk.record(record.to);
                    }
                    records.extend(next);
                }
                records.len().saturating_sub(1)
            };
            // NULs at the end of a block may be no line.
            if records.get(number).is_some_and(|record| place < record.to) {
                candidates.push(Candidate::of_record(number, hit));
            }
        }
        for record in &mut records {
            walk.join(record, made);
            *cut_records += u64::from(record.cut);
        }
        let text = |record: &Record| record.text.of(block.bytes, made);
        if every {
            let texts = records.iter().enumerate().map(|(number, record)| ((number, 0), text(record)));
            self.matcher.gate.ask_each(texts, |waiting, number, _| {
                candidates.push(Candidate::of_record(number, self.matcher.hits[waiting as usize]));
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
        let is_partial = |number: usize| partial == Some(records[number].from);
        // What is partial is the last.
        let whole = candidates.partition_point(|candidate| !is_partial(candidate.record()));
        let mut known: Option<(usize, Option<Stamp>)> = None;
        for (candidates, partial) in [(&candidates[..whole], false), (&candidates[whole..], true)] {
            let line = |candidate: &Candidate| Line {
                hole: 0,
                nuls: 0,
                text: text(&records[candidate.record()]),
                cut: false,
                void: false,
            };
            self.matcher.try_each(candidates, line, room, tried, |found: Fit<'_>| {
                let record = &records[found.begin];
                let stamp = match known {
                    Some((of, stamp)) if of == found.begin => stamp,
                    _ => found
                        .stamp
                        .or_else(|| stamp::find(first_line(found.line.text)))
                        .or_else(|| self.stamp_before(&block.bytes[part.start..record.from])),
                };
                known = Some((found.begin, stamp));
                hits.push(Hit {
                    rule: found.rule,
                    kind: found.kind,
                    at: Position {
                        file: block.file,
                        offset: block.offset + (record.from + record.hole) as u64,
                    },
                    stamp,
                    line: record.text,
                    captures: (spans.len() as u32, found.spans.len() as u32),
                    partial,
                    times: 1,
                });
                spans.extend_from_slice(found.spans);
            });
            let unparsed = std::mem::take(&mut room.unparsed);
            *unparsed_lines += if partial { 0 } else { unparsed };
        }
        (room.places, room.records, room.candidates) = (places, records, candidates);
    }
}

/// The records of a whole text, each without its last line end; the lines, if lines are not joined.
pub fn records<'t>(text: &'t [u8], multiline: Option<&Multiline>) -> Vec<&'t [u8]> {
    let Some(how) = multiline else {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        return text.split(|byte| *byte == b'\n').collect();
    };
    let walk = Walk { how, max_line: how.max_bytes, bytes: text, tail: Tail::Final };
    let mut records = Vec::new();
    let mut at = 0;
    while let Some(record) = walk.record(at) {
        let whole = &text[record.from..record.to];
        records.push(whole.strip_suffix(b"\n").unwrap_or(whole));
        at = record.to;
    }
    records
}

/// A record's line that tells its time.
fn first_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).map_or(text, |newline| &text[..newline])
}

/// Pieces of a block that end with a line, and are small where lines are.
struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
    most: usize,
}

struct Chunk {
    range: Range<usize>,
    /// It is one line, of more bytes than a piece should have.
    long: bool,
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let Chunks { bytes, at, most } = *self;
        let ahead = &bytes[at..bytes.len().min(at + most)];
        if ahead.is_empty() {
            return None;
        }
        let (end, long) = match memrchr(b'\n', ahead) {
            Some(newline) => (at + newline + 1, false),
            None => {
                let behind = at + ahead.len();
                let end = memchr(b'\n', &bytes[behind..]).map_or(bytes.len(), |at| behind + at + 1);
                (end, true)
            }
        };
        self.at = end;
        Some(Chunk { range: at..end, long })
    }
}
