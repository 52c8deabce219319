//! What facts about one file mean: which bytes are to be read, whether their arrival is known, when a last line
//! without an end is worth a look, when a file whose name is gone has ended. Pure: facts and time in, decisions
//! out.

use std::time::Duration;

use super::Turn;
use super::lag::Lag;
use crate::model::{Encoding, Timestamp};

/// How long a file whose name is gone must stay quiet before it has ended. Each late write starts it again.
pub(crate) const QUIET: Duration = Duration::from_secs(30);
/// Looks further apart than this tell nothing about when bytes arrived.
pub(crate) const LIVE_SPAN: Duration = Duration::from_secs(10);
/// Between two looks at a file that just grew.
pub(crate) const SHORTEST_PACE: Duration = Duration::from_millis(10);
/// Between two looks at a quiet file, while there are few files.
pub(crate) const LONGEST_PACE: Duration = Duration::from_millis(250);

/// Looks that are further apart than this fall on the same moments, so that many of them are one turn.
const BEAT: Duration = Duration::from_micros(BEAT_US.unsigned_abs());
const BEAT_US: i64 = 1_000_000;

/// What a rest without a line end at the end of a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailKind {
    /// It waits for its end; leave it.
    Wait,
    /// It has not grown for the source's `flush`: match it early, but leave it.
    Flush,
    /// Its file has ended for good: match it and consume it.
    Final,
}

/// Unread bytes whose arrival is known.
#[derive(Clone, Copy, Debug)]
struct Live {
    /// The look that saw the first of them.
    first: Timestamp,
    /// The look that saw the last of them.
    latest: Timestamp,
}

/// The block that is being scanned.
#[derive(Clone, Copy, Debug)]
struct Out {
    end: u64,
    offset: u64,
    tail: TailKind,
}

/// A [`Progress`] of which nothing is to be done until it grows, but for [`Remainder`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) position: u64,
    skipping: bool,
    pub(crate) size: u64,
    pub(crate) modified: Timestamp,
    looked: Timestamp,
    pub(crate) grown: Timestamp,
}

/// What stands behind the position of one that is settled, of few.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remainder {
    /// How many NUL bytes.
    nuls: u64,
    /// When a rest came that was offered and not consumed, if that is known.
    rest_came: Option<Timestamp>,
}

impl Settled {
    /// As it was.
    pub(crate) fn resumed(self, remainder: Remainder) -> Progress {
        let Settled { position, skipping, size, modified, looked, grown } = self;
        let Remainder { nuls, rest_came } = remainder;
        let (flushed, nuls) = (Some(size), position + nuls);
        let found = Progress::found(position, skipping, size, modified, looked);
        Progress { nuls, offered: size, lag: Lag::default(), looked, grown, rest_came, flushed, ..found }
    }

    /// As [`Progress::read_to`].
    pub(crate) fn read_to(&self) -> (u64, bool) {
        (self.position, self.skipping)
    }

    /// As [`Progress::differs`].
    pub(crate) fn differs(&self, size: u64, modified: Timestamp) -> bool {
        size != self.size || modified != self.modified
    }

    /// As [`Progress::unchanged_until`].
    pub(crate) fn unchanged_until(&mut self, then: Timestamp) {
        self.looked = self.looked.max(then);
    }
}

/// How far one content is read, and what was seen of it.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Everything before it was consumed by scanning.
    pub(crate) position: u64,
    /// The position lies in an over-long line.
    pub(crate) skipping: bool,
    /// Everything before it was offered to scanning at least once.
    offered: u64,
    /// The NUL bytes from `position` on reach up to here, as far as known.
    nuls: u64,
    /// At the last look.
    pub(crate) size: u64,
    /// At the last look.
    pub(crate) modified: Timestamp,
    looked: Timestamp,
    /// The look that saw the last change.
    pub(crate) grown: Timestamp,
    live: Option<Live>,
    /// Since when unread bytes wait.
    pub(crate) lag: Lag,
    /// When the last of what was offered and not consumed arrived, if that is known.
    rest_came: Option<Timestamp>,
    /// The size at which the rest was matched early.
    flushed: Option<u64>,
    due: TailKind,
    out: Option<Out>,
    /// Since when the name is gone.
    pub(crate) gone: Option<Timestamp>,
}

impl Progress {
    /// A content that was there before anybody looked: what lies beyond `position` was found unread.
    pub(crate) fn found(
        position: u64,
        skipping: bool,
        size: u64,
        modified: Timestamp,
        now: Timestamp,
    ) -> Progress {
        Progress {
            position,
            skipping,
            offered: position,
            nuls: position,
            size,
            modified,
            looked: now,
            grown: modified.min(now),
            live: None,
            lag: if size > position { Lag::found(modified, now) } else { Lag::default() },
            rest_came: None,
            flushed: None,
            due: TailKind::Wait,
            out: None,
            gone: None,
        }
    }

    /// Up to where it was consumed, and whether that lies in an over-long line.
    pub(crate) fn read_to(&self) -> (u64, bool) {
        (self.position, self.skipping)
    }

    /// Whether nothing is to be done until it grows: it is read to its end, and a rest that may go on was matched early.
    pub(crate) fn is_settled(&self) -> bool {
        let is_matched = self.position.max(self.nuls) >= self.size || self.flushed == Some(self.size);
        self.out.is_none() && self.at_end() && self.due == TailKind::Wait && is_matched
    }

    /// What is worth to be kept of one that is settled.
    pub(crate) fn settled(&self) -> (Settled, Remainder) {
        let &Progress { position, skipping, nuls, size, modified, looked, grown, rest_came, .. } = self;
        let remainder = Remainder {
            nuls: nuls.saturating_sub(position),
            rest_came: rest_came.filter(|_| position < size),
        };
        (Settled { position, skipping, size, modified, looked, grown }, remainder)
    }

    /// A content of which no byte existed at the look before this one, which was at most [`LIVE_SPAN`] ago.
    pub(crate) fn fresh(size: u64, modified: Timestamp, now: Timestamp) -> Progress {
        let live = Some(Live { first: now, latest: now });
        let found = Progress::found(0, false, size, modified, now);
        let lag = if size > 0 { Lag::found(now, now) } else { Lag::default() };
        Progress { live, lag, grown: now, ..found }
    }

    /// Bytes that were seen and not yet offered.
    #[inline]
    pub(crate) fn unread(&self) -> u64 {
        self.size.saturating_sub(self.offered.max(self.position))
    }

    /// Whether all that was seen has been offered.
    #[inline]
    pub(crate) fn at_end(&self) -> bool {
        self.offered >= self.size
    }

    /// Whether a content that replaces this one now has appeared between two close looks.
    pub(crate) fn is_watched(&self, now: Timestamp) -> bool {
        self.at_end() && now.since(self.looked) <= LIVE_SPAN
    }

    /// Whether the unread bytes have a known arrival.
    pub(crate) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether these facts differ from the last ones, so that the evidence is to be checked.
    pub(crate) fn differs(&self, size: u64, modified: Timestamp) -> bool {
        size != self.size || modified != self.modified
    }

    /// Bytes that were seen and never read, and are gone from a file that has so many now.
    pub(crate) fn cut_off(&self, size: u64) -> u64 {
        self.size.saturating_sub(size.max(self.offered))
    }

    /// Whether an empty file is one that was changed: what was written to it was never seen, and is cut away.
    pub(crate) fn is_empty_again(&self, size: u64, modified: Timestamp) -> bool {
        (self.size, size) == (0, 0) && modified != self.modified
    }

    /// Takes in a look. The caller has made sure that the content is still the same.
    pub(crate) fn looked(&mut self, size: u64, modified: Timestamp, now: Timestamp) {
        let close = now.since(self.looked) <= LIVE_SPAN;
        if size > self.size {
            self.live = match self.live {
                _ if !close => None,
                Some(live) if now.since(live.first) <= LIVE_SPAN => Some(Live { latest: now, ..live }),
                None if self.at_end() => Some(Live { first: now, latest: now }),
                _ => None,
            };
            self.changed(now);
        } else if size < self.size || (modified != self.modified && self.position < size) {
            // The rest behind the position was cut, or written over in place as in a preallocated file.
            self.offered = self.position;
            self.nuls = self.position;
            self.changed(now);
        }
        self.lag.looked(self.size, size, self.offered.max(self.position), now);
        self.size = size;
        self.modified = modified;
        self.looked = now;
    }

    /// It is known from elsewhere that nothing has changed from the last look until then.
    pub(crate) fn unchanged_until(&mut self, then: Timestamp) {
        self.looked = self.looked.max(then);
    }

    fn changed(&mut self, now: Timestamp) {
        self.grown = now;
        self.rest_came = None;
        self.due = TailKind::Wait;
    }

    /// Decides about the rest and about the end, as of the last look: what was written after it may yet be seen. `held`:
    /// the rest may go on elsewhere, so it does not end yet. True: the file has ended for good and nothing is left to
    /// read.
    pub(crate) fn judge(&mut self, flush: Duration, held: bool) -> bool {
        if self.out.is_some() || !self.at_end() {
            return false;
        }
        let rest = self.position.max(self.nuls) < self.size;
        match self.gone {
            Some(_) if self.looked >= self.quiet_at() && !held => {
                self.due = TailKind::Final;
                return !rest;
            }
            _ if rest && self.flushed != Some(self.size) && self.looked >= self.grown.plus(flush) => {
                self.due = TailKind::Flush;
            }
            _ => {}
        }
        false
    }

    fn quiet_at(&self) -> Timestamp {
        self.gone.map_or(Timestamp::MAX, |since| since.max(self.grown).plus(QUIET))
    }

    /// Whether a read would bring something.
    pub(crate) fn wants(&self) -> bool {
        self.out.is_none() && (!self.at_end() || self.due != TailKind::Wait)
    }

    /// When the next look is due. `longest` is the pace of quiet files; `held` is as in
    /// [`Progress::judge`].
    pub(crate) fn next_look(
        &self,
        now: Timestamp,
        flush: Duration,
        longest: Duration,
        held: bool,
    ) -> Timestamp {
        let pace = (now.since(self.grown) / 8).clamp(SHORTEST_PACE, longest);
        let mut next = now.plus(pace);
        if pace >= BEAT {
            next = Timestamp(next.0 - next.0.rem_euclid(BEAT_US));
        }
        if self.position.max(self.nuls) < self.size && self.flushed != Some(self.size) {
            next = next.min(self.grown.plus(flush));
        }
        if !held {
            next = next.min(self.quiet_at());
        }
        next.max(now.plus(SHORTEST_PACE))
    }

    /// Where the next block begins: behind NUL bytes that are known already.
    pub(crate) fn read_from(&self) -> u64 {
        self.position.max(self.nuls)
    }

    /// What a read at [`Progress::read_from`] gave, and whether it filled its buffer. NULs at the beginning of a line
    /// are a hole that a writer left behind; they are passed over once something follows them, as is the mark that a
    /// file begins with, of so many bytes.
    /// Returns how many bytes of the block to drop, and the turn, if there is anything to scan.
    pub(crate) fn block(
        &mut self,
        block: &[u8],
        (encoding, mark): (Encoding, usize),
        full: bool,
        now: Timestamp,
    ) -> (usize, Option<Turn>) {
        let from = self.read_from();
        let end = from + block.len() as u64;
        if end > self.size {
            self.looked(end, self.modified, now);
        } else if end < self.size && !full {
            // It ends earlier than it said: believe the bytes, and let the next look say what happened.
            self.size = end;
            self.due = TailKind::Wait;
        }
        let holes = if self.skipping { 0 } else { mark + encoding.nuls(from + mark as u64, &block[mark..]) };
        if holes == block.len() {
            self.nuls = end;
            self.offered = end;
            self.lag.read(end, self.size);
            self.due = TailKind::Wait;
            return (holes, None);
        }
        let offset = from + holes as u64;
        self.position = offset;
        self.nuls = offset;
        let to_end = end >= self.size;
        let tail = if to_end { self.due } else { TailKind::Wait };
        self.out = Some(Out { offset, end, tail });
        let turn = Turn {
            offset,
            carried: None,
            len: block.len() - holes,
            encoding,
            skipping: self.skipping,
            tail,
            arrival: self.live.map(|live| live.latest).or(self.rest_came),
            modified: self.modified,
            to_end,
        };
        (holes, Some(turn))
    }

    /// Gives out a rest of so many bytes that is kept elsewhere, for the last time.
    pub(crate) fn last(&mut self, len: usize, encoding: Encoding) -> Turn {
        let (offset, end) = (self.position, self.position + len as u64);
        self.out = Some(Out { offset, end, tail: TailKind::Final });
        Turn {
            offset,
            carried: None,
            len,
            encoding,
            skipping: false,
            tail: TailKind::Final,
            arrival: self.rest_came,
            modified: self.modified,
            to_end: true,
        }
    }

    /// The rest went on elsewhere, and this much of it was consumed there.
    pub(crate) fn went_on(&mut self, bytes: usize) {
        self.position += bytes as u64;
        self.nuls = self.position;
    }

    /// Whether a block is being scanned.
    pub(crate) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// Scanning consumed this much of the block. True: that was the end of the file.
    pub(crate) fn consumed(&mut self, bytes: usize, skipping: bool) -> bool {
        let Some(out) = self.out.take() else { return false };
        self.position = (out.offset + bytes as u64).min(out.end);
        self.nuls = self.position;
        self.skipping = skipping;
        self.offered = out.end;
        self.lag.read(out.end, self.size);
        if out.tail != TailKind::Wait {
            self.due = TailKind::Wait;
            self.flushed = Some(out.end);
        }
        if self.at_end() {
            self.rest_came = self.live.take().map(|live| live.latest).or(self.rest_came);
        }
        out.tail == TailKind::Final && self.at_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: Duration = Duration::from_secs(5);
    const UTF_8: (Encoding, usize) = (Encoding::Utf8, 0);

    fn at(ms: i64) -> Timestamp {
        Timestamp(ms * 1000)
    }

    /// A look that sees nothing new.
    fn judge(file: &mut Progress, now: Timestamp) -> bool {
        file.looked(file.size, file.modified, now);
        file.judge(FLUSH, false)
    }

    /// Reads all there is; `rest` bytes stay.
    fn read(file: &mut Progress, rest: usize, now: Timestamp) -> Turn {
        let block = vec![b'x'; usize::try_from(file.size - file.position).unwrap()];
        let turn = file.block(&block, UTF_8, true, now).1.unwrap();
        file.consumed(block.len() - rest, false);
        turn
    }

    #[test]
    fn arrival_is_known_only_while_the_file_is_read_to_its_end_and_watched() {
        // (look at, size, read?) → arrival of what is read then
        let check = |steps: &[(i64, u64, Option<Option<i64>>)]| {
            let mut file = Progress::found(0, false, 10, at(0), at(0));
            for (ms, size, reads) in steps {
                file.looked(*size, at(*ms), at(*ms));
                if let Some(arrival) = reads {
                    assert_eq!(read(&mut file, 0, at(*ms)).arrival, arrival.map(at), "{steps:?} at {ms}");
                }
            }
        };
        check(&[(0, 10, Some(None)), (100, 20, Some(Some(100)))]);
        check(&[(0, 10, None), (100, 20, Some(None)), (200, 30, Some(Some(200)))]);
        check(&[(0, 10, Some(None)), (10_001, 20, Some(None))]);
        check(&[(0, 10, Some(None)), (100, 20, None), (200, 30, Some(Some(200)))]);
        check(&[(0, 10, Some(None)), (100, 20, None), (9000, 25, None), (10_200, 30, Some(None))]);
    }

    #[test]
    fn a_rest_is_matched_early_once_per_size() {
        let mut file = Progress::found(0, false, 8, at(0), at(0));
        assert_eq!(read(&mut file, 3, at(0)).tail, TailKind::Wait);
        assert!(!file.wants());
        assert!(!judge(&mut file, at(4999)) && !file.wants());
        assert!(!judge(&mut file, at(5000)) && file.wants());
        assert_eq!(read(&mut file, 3, at(5000)).tail, TailKind::Flush);
        assert!(!judge(&mut file, at(60_000)) && !file.wants());
        file.looked(9, at(60_000), at(60_000));
        assert_eq!(read(&mut file, 4, at(60_000)).tail, TailKind::Wait);
        judge(&mut file, at(65_000));
        assert_eq!((file.position, read(&mut file, 4, at(65_000)).tail), (5, TailKind::Flush));
    }

    #[test]
    fn a_nameless_file_ends_after_a_quiet_time_that_each_write_starts_again() {
        let mut file = Progress::found(0, false, 4, at(0), at(0));
        file.gone = Some(at(1000));
        assert!(!judge(&mut file, at(100_000)), "unread bytes");
        read(&mut file, 0, at(0));
        assert!(!judge(&mut file, at(30_999)));
        file.looked(6, at(30_999), at(30_999));
        read(&mut file, 2, at(30_999));
        assert!(!judge(&mut file, at(60_998)));
        assert_eq!(read(&mut file, 2, at(60_998)).tail, TailKind::Flush);
        assert!(!judge(&mut file, at(60_999)), "a rest is read before the end");
        let block = [b'x'; 2];
        assert_eq!(file.block(&block, UTF_8, false, at(60_999)).1.unwrap().tail, TailKind::Final);
        assert!(file.consumed(2, false));
    }

    #[test]
    fn holes_are_passed_over_when_something_follows() {
        let mut file = Progress::found(0, false, 9, at(0), at(0));
        assert_eq!(file.block(&[0; 4], UTF_8, true, at(0)), (4, None));
        assert!(file.wants());
        assert_eq!(file.read_from(), 4);
        let (drop, turn) = file.block(b"\0\0\0a\n", UTF_8, true, at(0));
        let turn = turn.unwrap();
        assert_eq!((drop, turn.offset, turn.len, turn.to_end), (3, 7, 2, true));
        file.consumed(2, false);
        file.looked(12, at(1), at(1));
        assert_eq!(file.block(&[0; 3], UTF_8, true, at(1)), (3, None));
        assert!(
            !file.wants() && !judge(&mut file, at(9000)) && !file.wants(),
            "nothing but zeros is no line"
        );
        assert_eq!(file.position, 9);
        file.looked(12, at(2), at(9001));
        assert!(file.wants(), "written over in place");
        assert_eq!(file.read_from(), 9);
    }

    #[test]
    fn the_next_look_is_never_now() {
        let mut file = Progress::found(0, false, 4, at(0), at(0));
        file.gone = Some(at(0));
        for ms in [0, 1, 5000, 30_000, 90_000] {
            let next = file.next_look(at(ms), FLUSH, LONGEST_PACE, false);
            assert!(next >= at(ms + 10) && next <= at(ms + 250), "{ms}: {next}");
        }
    }
}
