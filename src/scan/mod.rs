//! Bytes → matches. A whole block goes in and the matches of its lines come out: what is done per line and what
//! per block stays in here.
//!
//! However the same bytes are cut into blocks, the matches are the same, as long as the caller offers again what
//! was not consumed, followed by what came since.

mod backtrack;
mod fields;
mod found;
mod frame;
mod gate;
mod matcher;
pub mod plan;
mod repeats;
mod review;
mod runs;
#[cfg(test)]
pub(crate) mod samples;
mod sieve;
mod spelled;
pub mod stamp;
pub mod why;

use std::ops::Range;

use memchr::{memchr, memrchr};

use found::Hit;
pub use found::{Captures, KeptMatch, Match, MatchKind, Scanned, Span};
pub use frame::LINE_END;
use frame::Line;
use matcher::{Fit, Matcher};
pub use review::Review;

use crate::model::{FileId, Format, Position};
use crate::rule::{Rule, Ruleset};
use stamp::Stamp;

/// Bytes that show what a log is like. Where less is read at a time, there is little to gain from knowing.
pub const SAMPLE: usize = 64 * 1024;
/// Bytes that are gone through at once, up to the end of a line: they stay in the nearest cache for every pass.
const CHUNK: usize = 16 << 10;
/// Lines that are gone back over for a stamp, for a line that has none of its own.
const STAMP_LINES: usize = 64;

/// Matches the lines of one source. Immutable, so that threads share it.
#[derive(Clone, Debug)]
pub struct Scanner {
    matcher: Matcher,
    max_line: usize,
    /// See [`Scanner::counting_repeats`].
    repeats: bool,
}

/// Bytes of one file, to be scanned.
///
/// A block of `max_line` + [`LINE_END`] bytes or more always gets on; with fewer, [`Scanned::consumed`] may be 0
/// until more bytes, or another [`Tail`], are offered.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Which file.
    pub file: FileId,
    /// Bytes of the file before `bytes`. The beginning of a line, unless `skipping`.
    pub offset: u64,
    /// The bytes, as read: any bytes at all.
    pub bytes: &'a [u8],
    /// True if `offset` lies in the rest of an over-long line: [`Scanned::skipping`] of the block before.
    pub skipping: bool,
    /// What becomes of an unterminated last line.
    pub tail: Tail,
}

/// What becomes of a last line whose end is not in the block.
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
        Scanner { matcher: Matcher::new(ruleset, sees, format), max_line: max_line.max(1), repeats: false }
    }

    /// The same, for logs in which a line such as `sshd[7]: message repeated 5 times: [ X ]` may stand for five lines with
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

    /// The stamp nearest to the end of `bytes`, which begin with a line.
    fn stamp_before(&self, mut bytes: &[u8]) -> Option<Stamp> {
        for _ in 0..STAMP_LINES {
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
            let made = self.out.repeated.len();
            let times = repeats::undo(line.text, &mut self.out.repeated).filter(|_| !line.cut);
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
        let Scanned { hits, spans, tried, room, unparsed_lines, repeated: lines, .. } = &mut *self.out;
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
    /// Where it begins in [`Scanned::repeated`].
    made: usize,
    /// Bytes before the beginning of the other one that belong to no line.
    hole: usize,
    times: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::samples::{any_pattern, crowded, rule};
    use super::*;
    use crate::rule::{Pattern, RuleIx};

    /// All that is to be found in `text`, found in the plainest way. `cut_lines` too.
    fn naive(text: &[u8], rules: &[Rule], max_line: usize) -> (Vec<KeptMatch>, u64) {
        let (mut matches, mut cut_lines, mut stamp) = (Vec::new(), 0, None);
        let mut offset = 0;
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            let mut start = offset;
            offset += piece.len();
            let ended = piece.last() == Some(&b'\n');
            let mut raw = &piece[..piece.len() - usize::from(ended)];
            if !ended && raw.iter().all(|byte| *byte == 0) {
                break;
            }
            while raw.len() >= max_line && raw[..max_line].iter().all(|byte| *byte == 0) {
                raw = &raw[max_line..];
                start += max_line;
            }
            if raw.last() == Some(&b'\r') {
                raw = &raw[..raw.len() - 1];
            }
            if raw.len() > max_line {
                cut_lines += 1;
                raw = &raw[..max_line];
            }
            while raw.first() == Some(&0) {
                raw = &raw[1..];
            }
            stamp = stamp::find(raw).or(stamp);
            for (ix, rule) in (0..).zip(rules) {
                if rule.ignore.iter().any(|pattern| pattern.regex.is_match(raw)) {
                    continue;
                }
                let fits = |pattern: &&Pattern| {
                    pattern.regex.is_match(raw) && pattern.also.iter().all(|also| also.regex.is_match(raw))
                };
                let recovery = rule.resolve.iter().find(fits);
                let failure = rule.patterns.iter().find(fits);
                let kind = if recovery.is_some() { MatchKind::Resolve } else { MatchKind::Match };
                let Some(pattern) = recovery.or(failure) else { continue };
                let mut captures = vec![None; rule.captures.len()];
                for pattern in std::iter::once(pattern).chain(&pattern.also) {
                    let mut groups = pattern.regex.create_captures();
                    pattern.regex.captures(raw, &mut groups);
                    for (group, slot) in &pattern.slots {
                        captures[*slot] = groups.get_group(*group).map(|group| raw[group.range()].into());
                    }
                }
                let at = Position { file: FileId(7), offset: 1000 + start as u64 };
                matches.push(KeptMatch {
                    rule: RuleIx(ix),
                    kind,
                    at,
                    stamp,
                    captures,
                    line: raw.into(),
                    partial: false,
                    times: 1,
                });
            }
        }
        (matches, cut_lines)
    }

    /// Scans as a follower does: what is not consumed is offered again together with what came since.
    struct Follower<'a> {
        scanner: &'a Scanner,
        text: &'a [u8],
        offset: usize,
        skipping: bool,
        newest: Option<Stamp>,
        scanned: Scanned,
        matches: Vec<KeptMatch>,
        cut_lines: u64,
    }

    impl<'a> Follower<'a> {
        fn new(scanner: &'a Scanner, text: &'a [u8]) -> Follower<'a> {
            Follower {
                scanner,
                text,
                offset: 0,
                skipping: false,
                newest: None,
                scanned: Scanned::default(),
                matches: Vec::new(),
                cut_lines: 0,
            }
        }

        /// What is found in what was not consumed, up to `read`.
        fn scan(&mut self, read: usize, tail: Tail) -> Vec<KeptMatch> {
            let block = Block {
                file: FileId(7),
                offset: 1000 + self.offset as u64,
                bytes: &self.text[self.offset..read],
                skipping: self.skipping,
                tail,
            };
            self.scanner.scan(block, &mut self.scanned);
            // A line without a stamp takes the newest that its file had before the block.
            let keep = |found: Match<'_>| KeptMatch { stamp: found.stamp.or(self.newest), ..found.keep() };
            let matches = self.scanned.matches(block.bytes).map(keep).collect();
            let stuck = self.scanned.consumed == 0 && block.bytes.len() >= self.scanner.max_line + LINE_END;
            assert!(!stuck, "a block of that size must get on");
            matches
        }

        fn take(&mut self, read: usize, tail: Tail) {
            let mut matches = self.scan(read, tail);
            assert!(matches.iter().all(|found| !found.partial), "only a flush is partial");
            self.matches.append(&mut matches);
            self.offset += self.scanned.consumed;
            self.skipping = self.scanned.skipping;
            self.newest = self.scanned.stamp.or(self.newest);
            self.cut_lines += self.scanned.cut_lines;
        }

        /// What is known now, if the unterminated line is matched as it is.
        fn flushed(&mut self, read: usize) -> Vec<KeptMatch> {
            let matches = self.scan(read, Tail::Flush);
            let consumed = 1000 + (self.offset + self.scanned.consumed) as u64;
            let mut all = self.matches.clone();
            for found in matches {
                assert_eq!(found.partial, found.at.offset >= consumed, "what is partial stays");
                all.push(KeptMatch { partial: false, ..found });
            }
            all
        }
    }

    fn patterns(count: Range<usize>) -> impl Strategy<Value = Vec<&'static str>> {
        let pool = [
            "fail (?<user>\\w+)",
            "^fail",
            "(?<user>bob|eve)$",
            "^$",
            "x{5,}",
            "[^a]b",
            "(?i)FAIL|(?<word>Y)",
            "(?-u:\\xff)",
            "\\xff",
            "\\r$",
            "\\x00",
            "é(?<n>\\d?)",
            "(?u)\\w\\b é",
            "(?<word>\\w+)\\s+(?<user>\\S+)",
            "(?s)^.{16}$",
            "never there",
        ];
        proptest::collection::vec(proptest::sample::select(pool.to_vec()), count)
    }

    fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
        let patterns = |count| proptest::collection::vec(any_pattern(), count);
        fn texts(all: &[String]) -> Vec<&str> {
            all.iter().map(String::as_str).collect()
        }
        let one = (patterns(1..4), patterns(0..2), patterns(0..2), 0..3usize).prop_map(
            move |(patterns, ignore, resolve, also)| {
                let mut rule = rule(&texts(&patterns), &texts(&ignore), &texts(&resolve));
                // Some have to fit together.
                let from = rule.patterns.len() - also.min(rule.patterns.len() - 1);
                rule.patterns[0].also = rule.patterns.split_off(from);
                rule
            },
        );
        proptest::collection::vec(one, 0..12)
    }

    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let one = (patterns(1..4), patterns(0..2), patterns(0..3))
            .prop_map(|(patterns, ignore, resolve)| rule(&patterns, &ignore, &resolve));
        proptest::collection::vec(one, 0..5)
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            6 => Just(b"\n".to_vec()),
            3 => Just(b"\r\n".to_vec()),
            1 => Just(b"\r".to_vec()),
            2 => (1..50usize).prop_map(|n| vec![0; n]),
            2 => (1..50usize).prop_map(|n| vec![b'x'; n]),
            2 => Just(b"fail bob".to_vec()),
            1 => Just(b"fail".to_vec()),
            1 => Just(b" eve".to_vec()),
            1 => Just(b"Y 0b".to_vec()),
            1 => Just("é7".as_bytes().to_vec()),
            1 => Just(b"\xff\xc3".to_vec()),
            1 => (0..60u8).prop_map(|s| format!("Dec 10 06:55:{s:02} ").into_bytes()),
            1 => (0..60u8).prop_map(|s| format!("2026-01-02T15:04:{s:02}Z ").into_bytes()),
        ];
        // Fewer lines than are gone back over for a stamp, so that the naive way may go back to the beginning.
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]
        #[test]
        fn however_bytes_are_cut_the_naive_matches_are_found(
            rules in rules(),
            text in texts(),
            max_line in 16..48usize,
            reads in proptest::collection::vec((1..40usize, any::<bool>()), 1..40),
        ) {
            let ruleset = Ruleset { rules };
            let scanner = Scanner::new(&ruleset, |_| true, max_line);
            let mut follower = Follower::new(&scanner, &text);
            let mut read = 0;
            for (bytes, flush) in reads {
                read = text.len().min(read + bytes);
                if flush {
                    let (expected, ..) = naive(&text[..read], &ruleset.rules, max_line);
                    prop_assert_eq!(follower.flushed(read), expected);
                }
                follower.take(read, Tail::Wait);
            }
            follower.take(text.len(), Tail::Final);
            let (expected, cut_lines) = naive(&text, &ruleset.rules, max_line);
            prop_assert_eq!(follower.matches, expected);
            prop_assert_eq!(follower.cut_lines, cut_lines);
            prop_assert_eq!(follower.offset, text.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(150), ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_watched_for_the_naive_matches_are_found(
            rules in any_rules(),
            text in crowded(),
            max_line in prop_oneof![16..48usize, 200..2000usize],
            cuts in proptest::collection::vec(1..400usize, 1..8),
            attune in any::<bool>(),
        ) {
            let ruleset = Ruleset { rules };
            let mut scanner = Scanner::new(&ruleset, |_| true, max_line);
            if attune {
                scanner = scanner.attuned(&text);
            }
            let mut follower = Follower::new(&scanner, &text);
            let mut read = 0;
            for bytes in cuts {
                read = text.len().min(read + bytes);
                follower.take(read, Tail::Wait);
            }
            follower.take(text.len(), Tail::Final);
            let (expected, cut_lines) = naive(&text, &ruleset.rules, max_line);
            prop_assert_eq!(follower.matches, expected);
            prop_assert_eq!(follower.cut_lines, cut_lines);
        }
    }

    /// One rule that every line fits, `max_line` 16; shows consumed, skipping and the matched lines.
    fn check(bytes: &[u8], skipping: bool, tail: Tail, expected: (usize, bool, &[&str])) {
        let ruleset = Ruleset { rules: vec![rule(&["(?s)^"], &[], &[])] };
        let mut scanned = Scanned::default();
        let block = Block { file: FileId(1), offset: 0, bytes, skipping, tail };
        Scanner::new(&ruleset, |_| true, 16).scan(block, &mut scanned);
        let lines: Vec<String> = scanned
            .matches(bytes)
            .map(|found| {
                let partial = if found.partial { "~" } else { "" };
                format!("{partial}{}:{}", found.at.offset, found.line.escape_ascii())
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let shown = (scanned.consumed, scanned.skipping, &lines[..]);
        assert_eq!(shown, expected, "{} {tail:?}", bytes.escape_ascii());
    }

    #[test]
    fn an_unterminated_line_stays_until_it_is_flushed_or_final() {
        check(b"a\r\nbc\r", false, Tail::Wait, (3, false, &["0:a"]));
        check(b"a\r\nbc\r", false, Tail::Flush, (3, false, &["0:a", "~3:bc"]));
        check(b"a\r\nbc\r", false, Tail::Final, (6, false, &["0:a", "3:bc"]));
        check(b"", false, Tail::Final, (0, false, &[]));
    }

    #[test]
    fn a_line_is_over_long_when_no_line_end_can_save_it() {
        let all = "0123456789abcdef";
        let head = format!("0:{all}");
        let rest = |rest: &str| format!("{all}{rest}").into_bytes();
        check(&rest(""), false, Tail::Wait, (0, false, &[]));
        check(&rest("\r"), false, Tail::Wait, (0, false, &[]));
        check(&rest("\r\n"), false, Tail::Wait, (18, false, &[&head]));
        check(&rest("\rx"), false, Tail::Wait, (18, true, &[&head]));
        check(&rest("x"), false, Tail::Flush, (17, true, &[&head]));
        check(&rest("x\ny"), false, Tail::Final, (19, false, &[&head, "18:y"]));
    }

    #[test]
    fn the_rest_of_an_over_long_line_is_skipped() {
        check(b"xxx", true, Tail::Final, (3, true, &[]));
        check(b"xxx\ny\n", true, Tail::Wait, (6, false, &["4:y"]));
        check(b"", true, Tail::Wait, (0, true, &[]));
    }

    #[test]
    fn nuls_at_the_head_of_a_line_are_skipped_and_a_hole_takes_no_room() {
        check(b"\0\0a\n", false, Tail::Wait, (4, false, &["0:a"]));
        check(&[0; 40], false, Tail::Wait, (32, false, &[]));
        check(&[0; 40], false, Tail::Flush, (32, false, &[]));
        check(&[0; 40], false, Tail::Final, (40, false, &[]));
        let behind = [&[0; 40][..], b"abc\n"].concat();
        check(&behind, false, Tail::Wait, (44, false, &["32:abc"]));
    }

    /// The stamps of a block whose first line has one and whose last, after `between` others, fits a rule.
    fn check_stamps(between: usize, last: &str, of_match: Option<&str>, of_block: Option<&str>) {
        let text = format!("2026-01-02T15:04:05Z first\n{}{last}fits\n", "plain\n".repeat(between));
        let ruleset = Ruleset { rules: vec![rule(&["fits$"], &[], &[])] };
        let mut scanned = Scanned::default();
        let bytes = text.as_bytes();
        let block = Block { file: FileId(1), offset: 0, bytes, skipping: false, tail: Tail::Wait };
        Scanner::new(&ruleset, |_| true, 1024).scan(block, &mut scanned);
        let shown = |stamp| match stamp {
            Some(Stamp::Instant(instant)) => Some(instant.to_string()),
            Some(Stamp::Civil(_)) | None => None,
        };
        assert_eq!(
            shown(scanned.matches(bytes).next().unwrap().stamp).as_deref(),
            of_match,
            "{between} {last}"
        );
        assert_eq!(shown(scanned.stamp).as_deref(), of_block, "{between} {last}");
    }

    #[test]
    fn a_line_without_a_stamp_takes_the_nearest_of_64_lines_before() {
        let first = Some("2026-01-02T15:04:05Z");
        check_stamps(0, "", first, first);
        check_stamps(62, "", first, first);
        check_stamps(63, "", first, None);
        check_stamps(64, "", None, None);
        let own = Some("2026-01-02T16:00:00Z");
        check_stamps(64, "2026-01-02T16:00:00Z ", own, own);
    }

    #[test]
    fn a_flushed_line_tells_the_time_and_a_waiting_one_does_not() {
        for (tail, expected) in [(Tail::Wait, None), (Tail::Flush, Some(1)), (Tail::Final, Some(1))] {
            let bytes = b"plain\n1970-01-01T00:00:01Z x";
            let block = Block { file: FileId(1), offset: 0, bytes, skipping: false, tail };
            let mut scanned = Scanned::default();
            Scanner::new(&Ruleset::default(), |_| true, 64).scan(block, &mut scanned);
            let expected = expected.map(|s| Stamp::Instant(crate::model::Timestamp::from_secs(s)));
            assert_eq!(scanned.stamp, expected, "{tail:?}");
        }
    }

    #[test]
    fn scanned_forgets_the_block_before() {
        let ruleset = Ruleset { rules: vec![rule(&["a"], &[], &[])] };
        let scanner = Scanner::new(&ruleset, |_| true, 16);
        let mut scanned = Scanned::default();
        let text = b"Dec 10 06:55:46 and more a\na\n".as_slice();
        for (bytes, expected) in [(text, (1, 29, 1, true)), (b"", (0, 0, 0, false))] {
            scanner.scan(
                Block { file: FileId(1), offset: 0, bytes, skipping: false, tail: Tail::Wait },
                &mut scanned,
            );
            let Scanned { consumed, cut_lines, stamp, skipping, .. } = &scanned;
            assert!(!skipping);
            assert_eq!((scanned.matches(bytes).len(), *consumed, *cut_lines, stamp.is_some()), expected);
        }
    }
}
