//! Whether bytes are still the bytes that were read: digests of the head and of a few bytes before offsets.
//!
//! A digest is the first 8 bytes, little-endian, of SHA-256 over the bytes. It is part of the store's format.

use std::collections::VecDeque;
use std::io;

use sha2::{Digest, Sha256};

use crate::model::Encoding;
use crate::saved::{Guard, SavedFile};

/// Bytes of the head that are digested.
const HEAD: usize = 1024;
/// Bytes before an offset that are digested.
pub(super) const NEAR: usize = 64;
/// Guards kept per file; each is an offset that a checkpoint may name without a read.
const KEPT: usize = 32;
/// Guards that are never thinned out, at most: the first ends with the head, the second as far behind it as is digested of
/// each, and each other twice as far as the one before. So wherever a copy ends, what is compared lies not far before.
const MARKS: u32 = 40;

/// Reads at an offset of the file in question.
pub(crate) trait ReadAt: FnMut(u64, &mut [u8]) -> io::Result<usize> {}
impl<F: FnMut(u64, &mut [u8]) -> io::Result<usize>> ReadAt for F {}

/// How many guards are kept of a file that nobody reads.
const KEPT_AT_REST: usize = 3;

/// What is kept of [`Evidence`] while nobody reads on; whoever does takes it anew.
#[derive(Debug)]
pub(super) struct Traces {
    /// Of as many bytes of the head.
    head: u64,
    headed: u16,
    start: [u8; Encoding::MARK],
    started: u8,
    guards: Box<[Guard]>,
}

impl Traces {
    /// As [`Evidence::head`].
    pub(super) fn head(&self) -> Guard {
        Guard { end: self.headed.into(), len: self.headed, digest: self.head }
    }

    /// As [`Evidence::guard_before`].
    pub(super) fn guard_before(&self, offset: u64) -> Guard {
        self.guards.iter().rev().find(|guard| guard.end <= offset).copied().unwrap_or_default()
    }
}

impl From<Evidence> for Traces {
    fn from(evidence: Evidence) -> Traces {
        let mut start = [0; Encoding::MARK];
        let started = evidence.start.len().min(start.len());
        start[..started].copy_from_slice(&evidence.start[..started]);
        let guards = evidence.guards.iter().skip(evidence.guards.len().saturating_sub(KEPT_AT_REST));
        #[expect(clippy::cast_possible_truncation, reason = "a mark has four bytes at most")]
        let started = started as u8;
        let Guard { digest: head, len: headed, .. } = evidence.head();
        Traces { head, headed, start, started, guards: guards.copied().collect() }
    }
}

impl From<Traces> for Evidence {
    fn from(traces: Traces) -> Evidence {
        Evidence {
            head: Head::Digest(traces.head(), None),
            start: traces.start[..usize::from(traces.started)].to_vec(),
            guards: Vec::from(traces.guards).into(),
            ..Evidence::default()
        }
    }
}

/// What is known of the content of one file.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    head: Head,
    /// The first bytes of all, as far as they are needed to tell how the content is written.
    start: Vec<u8>,
    /// In the order of their ends; the last one is nearest to the read position.
    guards: VecDeque<Guard>,
    /// See [`MARKS`]; in the order of their ends.
    marks: Vec<Guard>,
    /// The number of the next of them, and where the block that is being scanned has some.
    next_mark: u32,
    proposed_marks: Vec<Guard>,
    /// The bytes under the last guard.
    near: Vec<u8>,
    /// Where the block that is being scanned may turn out to be consumed to.
    proposed: Vec<(Guard, Vec<u8>)>,
}

#[derive(Debug)]
enum Head {
    /// The first bytes, fewer than [`HEAD`].
    Growing(Vec<u8>),
    /// All of them, and their digest.
    Whole(Box<[u8]>, Guard),
    /// What it was when it was last read, and its first [`NEAR`] bytes, if they are known: the bytes are kept only of what
    /// is read from its beginning, and not while it rests, nor over a restart.
    Digest(Guard, Option<Guard>),
}

impl Head {
    /// As many of the bytes as are kept.
    fn bytes(&self) -> &[u8] {
        match self {
            Head::Growing(bytes) => bytes,
            Head::Whole(bytes, _) => bytes,
            Head::Digest(..) => &[],
        }
    }

    /// Without its bytes, if it is whole.
    fn digested(self) -> Head {
        match self {
            Head::Whole(bytes, all) => Head::Digest(all, Some(guard(NEAR as u64, &bytes[..NEAR]))),
            head => head,
        }
    }
}

impl Default for Head {
    fn default() -> Head {
        Head::Growing(Vec::new())
    }
}

impl Evidence {
    /// Takes the evidence for the bytes before `offset` from the file itself.
    pub(crate) fn take(mut read: impl ReadAt, offset: u64) -> io::Result<Evidence> {
        let mut evidence = Evidence::default();
        if offset > 0 {
            let len = before(offset, HEAD);
            let head = fetch(&mut read, 0, len.max(Encoding::MARK))?;
            evidence.begin(&head, 0);
            evidence.grow_head(&head[..len.min(head.len())]);
            evidence.head = evidence.head.digested();
        }
        let len = before(offset, NEAR);
        let near = fetch(&mut read, offset - len as u64, len)?;
        if !near.is_empty() {
            evidence.guards.push_back(guard(offset, &near));
            evidence.near = near;
        }
        Ok(evidence)
    }

    /// What a checkpoint remembers.
    pub(crate) fn saved(row: &SavedFile) -> Evidence {
        let guards = if row.guard.len == 0 { VecDeque::new() } else { VecDeque::from([row.guard]) };
        Evidence { head: Head::Digest(row.head, None), guards, ..Evidence::default() }
    }

    /// Whether the bytes before the read position are still there: one read of at most 64 bytes.
    pub(crate) fn near_holds(&self, mut read: impl ReadAt) -> io::Result<bool> {
        match self.guards.back() {
            Some(guard) => holds(guard, &mut read),
            None => Ok(true),
        }
    }

    /// Whether the first bytes are still there, as many as are kept: what is written anew may end like what was read, up to
    /// the read position.
    pub(crate) fn begins_alike(&self, mut read: impl ReadAt) -> io::Result<bool> {
        match &self.head {
            Head::Digest(all, first) => holds(first.as_ref().unwrap_or(all), &mut read),
            head => begins_with(head.bytes(), &mut read),
        }
    }

    /// As [`Evidence::near_holds`], and the head too.
    pub(crate) fn all_holds(&self, mut read: impl ReadAt) -> io::Result<bool> {
        Ok(self.head_holds(&mut read)? && self.near_holds(read)?)
    }

    /// As [`Evidence::vouches_to`], wherever that guard ends.
    pub(crate) fn holds_to(&self, offset: u64, read: impl ReadAt) -> io::Result<bool> {
        Ok(self.vouches_to(offset, read)?.is_some())
    }

    /// If another file holds the same bytes before the last guard up to `offset`, and the same head: where that guard ends.
    /// `None` if there is no full guard to tell, or no head: lines that end alike are no evidence by themselves.
    pub(crate) fn vouches_to(&self, offset: u64, mut read: impl ReadAt) -> io::Result<Option<u64>> {
        let guard = self.guard_before(offset);
        let mark = self.marks.iter().rev().find(|mark| mark.end <= offset).copied().unwrap_or_default();
        let guard = if mark.end > guard.end { mark } else { guard };
        // All there is before the offset, or as much as is ever digested.
        let is_full = guard.len > 0 && usize::from(guard.len) == before(guard.end, NEAR);
        // What is written anew begins alike, and goes on in other words.
        let is_near = offset - guard.end <= guard.end.saturating_sub(HEAD as u64).max(NEAR as u64);
        if !is_full || !is_near || !holds(&guard, &mut read)? {
            return Ok(None);
        }
        let begins_alike = match &self.head {
            Head::Growing(_) | Head::Whole(..) => {
                let kept = self.head.bytes();
                !kept.is_empty() && begins_with(&kept[..before(offset, kept.len())], read)?
            }
            Head::Digest(head, _) if head.end <= offset => holds(head, &mut read)?,
            // Less than was digested of the beginning: nothing but its very end can tell.
            Head::Digest(..) if guard.end != offset => false,
            Head::Digest(_, first) => match first.filter(|first| first.end <= offset) {
                Some(first) => holds(&first, &mut read)?,
                None => true,
            },
        };
        Ok(begins_alike.then_some(guard.end))
    }

    /// If the first `len` bytes of another file are all kept, and the same: where the last line of them that has an end ends;
    /// 0 if none has.
    pub(crate) fn begun_by(&self, len: u64, read: impl ReadAt) -> io::Result<Option<u64>> {
        let kept = usize::try_from(len).ok().and_then(|len| self.head.bytes().get(..len));
        let Some(kept) = kept.filter(|kept| !kept.is_empty()) else { return Ok(None) };
        let whole = memchr::memrchr(b'\n', kept).map_or(0, |at| at + 1);
        Ok(begins_with(kept, read)?.then_some(whole as u64))
    }

    /// Whether the first bytes are the same.
    pub(crate) fn head_holds(&self, mut read: impl ReadAt) -> io::Result<bool> {
        holds(&self.head(), &mut read)
    }

    /// Takes in bytes from the beginning of the content. So many of them are a mark and will never be handed out.
    pub(crate) fn begin(&mut self, bytes: &[u8], mark: usize) {
        self.start = bytes[..bytes.len().min(Encoding::MARK)].to_vec();
        if self.head().end == 0 && mark > 0 {
            self.grow_head(&bytes[..mark]);
            self.guards.push_back(guard(mark as u64, &bytes[..mark]));
            self.near = bytes[..mark].to_vec();
        }
    }

    /// The first bytes of the content, up to [`Encoding::MARK`] of them; none if they are not known.
    pub(crate) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Scanning has consumed these bytes.
    pub(crate) fn took(&mut self, offset: u64, bytes: &[u8]) {
        if let Head::Growing(head) = &self.head
            && head.len() as u64 == offset
        {
            self.grow_head(&bytes[..bytes.len().min(HEAD - head.len())]);
        }
        self.offer(offset, bytes);
        self.consumed(offset + bytes.len() as u64);
    }

    /// Looks at a block that is handed out for scanning. It will be consumed to the end of its last line, or as a
    /// whole; anything else is right too, and only makes the evidence older than the position.
    pub(crate) fn offer(&mut self, offset: u64, block: &[u8]) {
        let line_end = memchr::memrchr(b'\n', block).map(|at| at + 1);
        if let (Head::Growing(head), Some(end)) = (&self.head, line_end) {
            let known = head.len();
            if offset == known as u64 {
                self.grow_head(&block[..end.min(HEAD - known)]);
            }
        }
        let known =
            if self.guards.back().map_or(0, |guard| guard.end) == offset { &self.near[..] } else { &[] };
        let near_of = |end: usize| {
            let mut near = known[known.len() - NEAR.saturating_sub(end).min(known.len())..].to_vec();
            near.extend(&block[end.saturating_sub(NEAR)..end]);
            (guard(offset + end as u64, &near), near)
        };
        let ends = [line_end, Some(block.len()).filter(|len| Some(*len) != line_end && *len > 0)];
        self.proposed = ends.into_iter().flatten().map(near_of).collect();
        self.proposed_marks.clear();
        for number in self.next_mark..MARKS {
            let Some(end) = mark(number).checked_sub(offset) else {
                self.next_mark = number + 1;
                continue;
            };
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            if end > block.len() {
                break;
            }
            // Where bytes are missing before the block, this one is left out.
            self.proposed_marks.push(near_of(end).0);
        }
    }

    /// Scanning went on to `position`.
    pub(crate) fn consumed(&mut self, position: u64) {
        for mark in self.proposed_marks.drain(..).take_while(|mark| mark.end <= position) {
            self.next_mark += 1;
            if usize::from(mark.len) == NEAR {
                self.marks.push(mark);
            }
        }
        let proposed = std::mem::take(&mut self.proposed);
        if let Some((guard, near)) = proposed.into_iter().find(|(guard, _)| guard.end == position) {
            // Thinned out in the middle: the oldest is the last resort of a checkpoint that lies far behind.
            if self.guards.len() >= KEPT {
                self.guards.remove(1);
            }
            self.guards.push_back(guard);
            self.near = near;
        }
    }

    /// The newest guard at or before `offset`; one that proves nothing if there is none.
    pub(crate) fn guard_before(&self, offset: u64) -> Guard {
        self.guards.iter().rev().find(|guard| guard.end <= offset).copied().unwrap_or_default()
    }

    /// The head as far as it is known.
    pub(crate) fn head(&self) -> Guard {
        match &self.head {
            Head::Growing(bytes) => guard(bytes.len() as u64, bytes),
            Head::Whole(_, all) | Head::Digest(all, _) => *all,
        }
    }

    fn grow_head(&mut self, bytes: &[u8]) {
        if let Head::Growing(head) = &mut self.head {
            head.extend(bytes);
            if head.len() >= HEAD {
                let bytes = std::mem::take(head).into_boxed_slice();
                let all = guard(bytes.len() as u64, &bytes);
                self.head = Head::Whole(bytes, all);
            }
        }
    }
}

/// Where a guard of [`MARKS`] ends.
fn mark(number: u32) -> u64 {
    HEAD as u64 + number.checked_sub(1).map_or(0, |doubled| (NEAR as u64) << doubled)
}

fn guard(end: u64, bytes: &[u8]) -> Guard {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    Guard { end, len: u16::try_from(bytes.len()).unwrap_or(u16::MAX), digest: u64::from_le_bytes(first) }
}

fn holds(expected: &Guard, read: &mut impl ReadAt) -> io::Result<bool> {
    let len = usize::from(expected.len);
    let Some(from) = expected.end.checked_sub(len as u64) else { return Ok(false) };
    Ok(len == 0 || guard(expected.end, &fetch(read, from, len)?) == *expected)
}

fn begins_with(bytes: &[u8], mut read: impl ReadAt) -> io::Result<bool> {
    Ok(fetch(&mut read, 0, bytes.len())? == bytes)
}

/// Up to `len` bytes at `offset`; fewer only where the file ends.
pub(crate) fn fetch(read: &mut impl ReadAt, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut got = 0;
    while got < len {
        match read(offset + got as u64, &mut bytes[got..])? {
            0 => break,
            n => got += n,
        }
    }
    bytes.truncate(got);
    Ok(bytes)
}

/// How many of `len` bytes there are before `offset`.
fn before(offset: u64, len: usize) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(content: &[u8]) -> impl ReadAt + '_ {
        |offset, buf| {
            let rest = &content[(offset as usize).min(content.len())..];
            // Short reads are ordinary.
            let n = rest.len().min(buf.len()).min(7);
            buf[..n].copy_from_slice(&rest[..n]);
            Ok(n)
        }
    }

    #[test]
    fn evidence_from_blocks_is_the_evidence_from_the_file() {
        let content: Vec<u8> = (0..300).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        for block_len in [11, 64, 100, 700, 5000] {
            let mut evidence = Evidence::default();
            let mut position = 0;
            while position < content.len() {
                let block = &content[position..(position + block_len).min(content.len())];
                let n = memchr::memrchr(b'\n', block).expect("blocks are longer than lines") + 1;
                evidence.offer(position as u64, block);
                position += n;
                evidence.consumed(position as u64);
                let taken = Evidence::take(reader(&content), position as u64).unwrap();
                assert_eq!(
                    evidence.guard_before(u64::MAX),
                    taken.guard_before(u64::MAX),
                    "{block_len} {position}"
                );
                assert_eq!(evidence.near, taken.near);
                if evidence.head().len == 1024 {
                    assert_eq!(evidence.head(), taken.head());
                }
                assert!(evidence.all_holds(reader(&content)).unwrap());
            }
        }
    }

    #[test]
    fn a_guard_is_never_behind_the_offset_it_is_asked_for() {
        let content = vec![b'\n'; 10_000];
        let mut evidence = Evidence::take(reader(&content), 100).unwrap();
        for position in 100..1000u64 {
            evidence.offer(position, b"\n");
            evidence.consumed(position + 1);
        }
        assert_eq!(evidence.guard_before(99), Guard::default());
        assert_eq!(evidence.guard_before(100).end, 100);
        assert_eq!(evidence.guard_before(1000).end, 1000);
        assert!(evidence.guards.len() <= KEPT);
    }

    #[test]
    fn lines_that_end_alike_do_not_make_a_copy() {
        for lines in [1, 100] {
            let line = |number: usize| format!("{number:03} {}\n", "x".repeat(100));
            let content: Vec<u8> = (0..lines).flat_map(|n| line(n).into_bytes()).collect();
            let evidence = Evidence::take(reader(&content), content.len() as u64).unwrap();
            let mut read = Evidence::default();
            (0..lines).fold(0, |offset, number| {
                let line = line(number);
                read.took(offset, line.as_bytes());
                offset + line.len() as u64
            });
            // Of a log that was read on after the copy was made.
            let is_known = |part: &[u8]| {
                let len = part.len() as u64;
                read.holds_to(len, reader(part)).unwrap()
                    || read.begun_by(len, reader(part)).unwrap() == Some(len)
            };
            for lines in [6, 16, 70] {
                assert!(is_known(&content[..content.len().min(lines * 105)]), "{lines}");
            }
            let part = &content[..content.len().min(6 * 105)];
            let other: Vec<u8> =
                part.iter().enumerate().map(|(at, byte)| if at < 3 { b'7' } else { *byte }).collect();
            assert!(!is_known(&other), "{lines}");
            let other = line(777).into_bytes();
            assert!(!evidence.holds_to(other.len() as u64, reader(&other)).unwrap(), "{lines}");
            assert!(evidence.holds_to(content.len() as u64, reader(&content)).unwrap(), "{lines}");
        }
    }

    #[test]
    fn other_bytes_or_fewer_bytes_do_not_hold() {
        let content: Vec<u8> = (0..300).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let evidence = Evidence::take(reader(&content), 2000).unwrap();
        assert!(evidence.all_holds(reader(&content)).unwrap());
        assert!(!evidence.all_holds(reader(&content[..1999])).unwrap());
        for at in [0, 1023, 1936, 1999] {
            let mut other = content.clone();
            other[at] ^= 1;
            assert!(!evidence.all_holds(reader(&other)).unwrap(), "{at}");
        }
        let mut other = content.clone();
        other[2000] ^= 1;
        assert!(evidence.all_holds(reader(&other)).unwrap());
    }
}
