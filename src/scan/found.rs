//! What was found in a block, without an allocation for a match: the lines stay where they are, and room is used again.

use std::ops::Range;

use super::matcher::Room;
use super::stamp::Stamp;
use crate::model::Position;
use crate::rule::RuleIx;
use crate::rule::redact::{MASK, masked};

/// What was found in a block. The caller keeps one and offers it again, so that its room is used again.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Ordered by offset, then by rule.
    pub(super) hits: Vec<Hit>,
    /// Where the captures of all hits stand in their lines.
    pub(super) spans: Vec<Option<Span>>,
    /// Bytes of the block that are done with; the next block begins behind them.
    pub consumed: usize,
    /// True if the next block begins in the rest of an over-long line.
    pub skipping: bool,
    /// The stamp nearest to the end of what was consumed or flushed, and of the first line of a record that may go on, as
    /// far back as for [`Match::stamp`].
    pub stamp: Option<Stamp>,
    /// For every line on which patterns of a rule were tried: that rule.
    pub tried: Vec<RuleIx>,
    /// Lines that were longer than `max_line`; one counts when its head is consumed.
    pub cut_lines: u64,
    /// Records that a rule might have wanted and that have as many lines or bytes as they may have: what follows them is
    /// in records of its own.
    pub cut_records: u64,
    /// Lines of which fields were wanted and that are not of their source's format.
    pub unparsed_lines: u64,
    /// Lines without the envelope of their source, which were matched as they are.
    pub bare_lines: u64,
    pub(super) room: Room,
    /// Lines that others stand for, and records that do not stand in the block as they are joined.
    pub(super) made: Vec<u8>,
}

/// A line that fits a rule, as it stands in its block.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// Which rule.
    pub rule: RuleIx,
    /// As what.
    pub kind: MatchKind,
    /// Where the line, or the first line of the record, begins. Skipped NULs at its head are part of it.
    pub at: Position,
    /// That line's own stamp, else the nearest before it in the block, at most 64 lines back, or as many as a record may
    /// have.
    pub stamp: Option<Stamp>,
    /// What was matched: the line without its end, at most `max_line` bytes; or the lines of a record, each without its
    /// end, joined by `\n`. Any bytes.
    pub line: &'a [u8],
    /// What the pattern captured, and the fields that the rule names.
    pub captures: Captures<'a>,
    /// True if the end of the line or record was not there yet: the whole will be matched again.
    pub partial: bool,
    /// For how many lines it stands, 1 or more.
    pub times: u32,
}

/// A [`Match`] that outlives its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMatch {
    /// See [`Match::rule`].
    pub rule: RuleIx,
    /// See [`Match::kind`].
    pub kind: MatchKind,
    /// See [`Match::at`].
    pub at: Position,
    /// See [`Match::stamp`].
    pub stamp: Option<Stamp>,
    /// See [`Match::line`].
    pub line: Box<[u8]>,
    /// See [`Match::captures`].
    pub captures: Vec<Option<Box<[u8]>>>,
    /// See [`Match::partial`].
    pub partial: bool,
    /// See [`Match::times`].
    pub times: u32,
}

/// What a line is to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKind {
    /// It fits one of `patterns`.
    Match,
    /// It fits one of `resolve`, whatever else it fits.
    Resolve,
}

/// What was captured, aligned with [`crate::rule::Rule::captures`]; `None`: the group took no part, or there is no such
/// field.
#[derive(Clone, Copy, Debug)]
pub enum Captures<'a> {
    /// Pieces of a line, or, behind its end, of what was made of it.
    Spans {
        /// The line.
        line: &'a [u8],
        /// Texts that stand in lines in another form: with escapes.
        made: &'a [u8],
        /// Where each stands.
        spans: &'a [Option<Span>],
    },
    /// Each by itself.
    Each(&'a [Option<Box<[u8]>>]),
}

/// A piece of a text, in bytes, or of another text that is thought of as standing behind it. Both together are shorter
/// than 4 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: u32,
    to: u32,
}

/// A match without what stands in its block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) rule: RuleIx,
    pub(super) kind: MatchKind,
    pub(super) at: Position,
    pub(super) stamp: Option<Stamp>,
    /// Where in the block, or behind its end in [`Scanned::made`].
    pub(super) line: Span,
    /// Where its captures begin in the list of all, and how many there are.
    pub(super) captures: (u32, u32),
    pub(super) partial: bool,
    pub(super) times: u32,
}

impl Scanned {
    pub(super) fn clear(&mut self) {
        self.hits.clear();
        self.spans.clear();
        self.tried.clear();
        self.room.fields.made.clear();
        self.made.clear();
        (self.consumed, self.skipping, self.stamp) = (0, false, None);
        (self.cut_lines, self.cut_records, self.unparsed_lines, self.bare_lines) = (0, 0, 0, 0);
    }

    /// Lines on which patterns were tried and did not fit: what is watched for is more common than the patterns.
    pub fn wasted(&self) -> usize {
        self.tried.len() - self.hits.len()
    }

    /// What fits, ordered by offset, then by rule. `block`: the bytes that were scanned.
    pub fn matches<'a>(&'a self, block: &'a [u8]) -> impl ExactSizeIterator<Item = Match<'a>> {
        self.hits.iter().map(|hit| {
            let Hit { rule, kind, at, stamp, line, captures: (from, count), partial, times } = *hit;
            let line = line.of(block, &self.made);
            let spans = &self.spans[from as usize..][..count as usize];
            let captures = Captures::Spans { line, made: &self.room.fields.made, spans };
            Match { rule, kind, at, stamp, line, captures, partial, times }
        })
    }
}

impl Match<'_> {
    /// The same without these places of its line, sorted and apart, and without what `others` finds in captures that are
    /// no pieces of the line.
    pub fn redacted(&self, out: &[Range<usize>], others: impl Fn(&[u8]) -> Vec<Range<usize>>) -> KeptMatch {
        let captures = match self.captures {
            Captures::Spans { line, made, spans } => {
                let capture = |span: &Option<Span>| {
                    let span = (*span)?;
                    let (piece, from) = (span.of(line, made), span.from as usize);
                    // Where what was made of the line stood in it is not known; nothing of a secret may be left.
                    let made_of_secrets = from >= line.len() && !out.is_empty() && !piece.is_empty();
                    Some(if made_of_secrets { MASK.into() } else { masked(piece, from, out).into() })
                };
                spans.iter().map(capture).collect()
            }
            Captures::Each(all) => {
                let capture = |value: &Option<Box<[u8]>>| {
                    let value = value.as_deref()?;
                    Some(masked(value, 0, &others(value)).into())
                };
                all.iter().map(capture).collect()
            }
        };
        KeptMatch { line: masked(self.line, 0, out).into(), captures, ..self.keep() }
    }

    /// For when the block is gone.
    pub fn keep(&self) -> KeptMatch {
        let Match { rule, kind, at, stamp, line, captures, partial, times } = *self;
        let captures = captures.iter().map(|capture| Some(capture?.into())).collect();
        KeptMatch { rule, kind, at, stamp, line: line.into(), captures, partial, times }
    }
}

impl KeptMatch {
    /// As it was in its block.
    pub fn seen(&self) -> Match<'_> {
        let KeptMatch { rule, kind, at, stamp, ref line, ref captures, partial, times } = *self;
        Match { rule, kind, at, stamp, line, captures: Captures::Each(captures), partial, times }
    }
}

impl<'a> Captures<'a> {
    /// The capture of that index. Any bytes.
    pub fn get(&self, ix: usize) -> Option<&'a [u8]> {
        match *self {
            Captures::Spans { line, made, spans } => Some((*spans.get(ix)?)?.of(line, made)),
            Captures::Each(all) => all.get(ix)?.as_deref(),
        }
    }

    /// Where each stands in the line, in bytes; `None`: it took no part, or stands in it in another form.
    pub fn places(self) -> Vec<Option<Range<usize>>> {
        let Captures::Spans { line, spans, .. } = self else { return Vec::new() };
        let place = |span: &Option<Span>| {
            let place = span.map(|span| span.from as usize..span.to as usize)?;
            (place.end <= line.len()).then_some(place)
        };
        spans.iter().map(place).collect()
    }

    /// All of them.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> {
        let count = match self {
            Captures::Spans { spans, .. } => spans.len(),
            Captures::Each(all) => all.len(),
        };
        (0..count).map(move |ix| self.get(ix))
    }
}

impl Span {
    pub(super) fn new(from: usize, to: usize) -> Span {
        Span { from: from as u32, to: to as u32 }
    }

    /// The same behind a block of `len` bytes rather than in or behind `text`: what stands in `text` is put into `made`,
    /// where what stands behind it is already.
    pub(super) fn moved(self, text: &[u8], made: &mut Vec<u8>, len: usize) -> Span {
        let (from, to) = (self.from as usize, self.to as usize);
        if let Some(from) = from.checked_sub(text.len()) {
            return Span::new(len + from, len + to - text.len());
        }
        let from_made = made.len();
        made.extend_from_slice(&text[from..to]);
        Span::new(len + from_made, len + made.len())
    }

    #[inline]
    pub(super) fn of<'a>(self, text: &'a [u8], behind: &'a [u8]) -> &'a [u8] {
        let (from, to) = (self.from as usize, self.to as usize);
        match from.checked_sub(text.len()) {
            Some(from) => &behind[from..to - text.len()],
            None => &text[from..to],
        }
    }
}
