//! Whole scans: whatever is done to get on faster, what is found is what the plainest way finds.

use proptest::prelude::*;

mod unwrapped;

use super::samples::{any_pattern, crowded, rule};
use super::*;
use crate::rule::{Bound, Pattern, Preset, RuleIx};

/// A line or record, as it is matched.
struct Naive {
    start: usize,
    text: Vec<u8>,
    stamp: Option<Stamp>,
}

/// The lines of `text`, or its records. `cut_lines` too.
///
/// `early`: an unterminated last line may yet grow, and is left out if then it may not fit into the record before it.
fn records_of(text: &[u8], max_line: usize, multiline: Option<&Multiline>, early: bool) -> (Vec<Naive>, u64) {
    let (mut records, mut cut_lines, mut stamp) = (Vec::<Naive>::new(), 0, None);
    let mut offset = 0;
    // Of the record so far: its lines, its last line, and whether another one must follow.
    let (mut lines, mut last, mut over) = (0, Vec::new(), true);
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
            over = true;
        }
        let grows = early && !ended;
        let end = start + if grows { max_line } else { raw.len().min(max_line) };
        let now = start + raw.len().min(max_line);
        let mut cut = false;
        if raw.last() == Some(&b'\r') {
            raw = &raw[..raw.len() - 1];
        }
        if raw.len() > max_line {
            cut_lines += 1;
            raw = &raw[..max_line];
            cut = true;
        }
        while raw.first() == Some(&0) {
            raw = &raw[1..];
        }
        stamp = stamp::find(raw).or(stamp);
        match (multiline, records.last_mut()) {
            (Some(how), Some(record))
                if !over
                    && lines < how.max_lines
                    && end - record.start <= how.max_bytes
                    && !how.parts(&last, raw) =>
            {
                record.text.push(b'\n');
                record.text.extend_from_slice(raw);
                lines += 1;
            }
            (Some(how), Some(record))
                if grows
                    && !cut
                    && !over
                    && lines < how.max_lines
                    && now - record.start <= how.max_bytes
                    && !how.parts(&last, raw) => {}
            _ => {
                records.push(Naive { start, text: raw.to_vec(), stamp });
                lines = 1;
            }
        }
        (last, over) = (raw.to_vec(), cut);
    }
    for record in &mut records {
        // Blank lines part it from the next one.
        while let Some(at) = record.text.iter().rposition(|byte| *byte == b'\n')
            && record.text[at + 1..].iter().all(|byte| b" \t\r".contains(byte))
        {
            record.text.truncate(at);
        }
    }
    (records, cut_lines)
}

/// All that is to be found in `text`, found in the plainest way. `cut_lines` too.
fn naive(
    text: &[u8],
    rules: &[Rule],
    max_line: usize,
    multiline: Option<&Multiline>,
    early: bool,
) -> (Vec<KeptMatch>, u64) {
    let (records, cut_lines) = records_of(text, max_line, multiline, early);
    (naive_of(&records, rules), cut_lines)
}

/// What of these records fits the rules, each held against each.
fn naive_of(records: &[Naive], rules: &[Rule]) -> Vec<KeptMatch> {
    let mut matches = Vec::new();
    for Naive { start, text, stamp } in records {
        let raw = text.as_slice();
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
            let at = Position { file: FileId(7), offset: 1000 + *start as u64 };
            matches.push(KeptMatch {
                rule: RuleIx(ix),
                kind,
                at,
                stamp: *stamp,
                captures,
                line: raw.into(),
                partial: false,
                times: 1,
            });
        }
    }
    matches
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
        let longest = match &self.scanner.unwrap {
            Some(unwrap) => unwrap.longest_block(),
            None => Scanner::longest(self.scanner.max_line, self.scanner.multiline.as_ref(), None),
        };
        let stuck = self.scanned.consumed == 0 && block.bytes.len() >= longest;
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
        "(?m)^fail(?<word> \\w*)$",
        "\\nfail",
        "fail (?<user>\\w+)\\n+\\s*Y",
        "bob\\s+(?<word>\\S+)",
        "x\\nx",
        "(?s)^fail.*eve$",
        "(?s)x{3}.{0,40}Y 0b",
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

/// A way to join lines: what a line says that fits the pattern, the other one behind a blank line, then `max_lines` and `max_bytes`.
type Join = (Bound, &'static str, Option<&'static str>, usize, usize);

fn joined((bound, pattern, behind_blank, max_lines, max_bytes): Join) -> Multiline {
    Multiline {
        bound,
        regex: samples::compiled(pattern),
        behind_blank: behind_blank.map(samples::compiled),
        max_lines,
        max_bytes,
        ..Preset::Indented.multiline()
    }
}

/// Lines by themselves, or joined in any way. No line is longer than `max_line`.
fn joins(max_line: usize) -> impl Strategy<Value = Option<Join>> {
    let patterns = ["^fail", "b", "^$", "^\\d", "^\\s", "x{3}", "é", "\\w$", "(?s)^.{9}", "never there", ""];
    let bound = proptest::sample::select(vec![Bound::Start, Bound::Continue, Bound::End]);
    let behind_blank = proptest::sample::select(vec![None, None, Some("^$|b"), Some("^fail")]);
    let one = (bound, proptest::sample::select(patterns.to_vec()), behind_blank, 1..9usize, 0..200usize);
    let one = one.prop_map(move |(bound, pattern, behind_blank, lines, more)| {
        (bound, pattern, behind_blank, lines, max_line + more)
    });
    proptest::option::weighted(0.7, one)
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
        (max_line, join) in (16..48usize).prop_flat_map(|max_line| (Just(max_line), joins(max_line))),
        reads in proptest::collection::vec((1..40usize, any::<bool>()), 1..40),
    ) {
        let ruleset = Ruleset { rules };
        let how = join.map(joined);
        let how = how.as_ref();
        let scanner = Scanner::joining(&ruleset, |_| true, max_line, Format::Plain, how);
        let mut follower = Follower::new(&scanner, &text);
        let mut read = 0;
        for (bytes, flush) in reads {
            read = text.len().min(read + bytes);
            if flush {
                let (expected, ..) = naive(&text[..read], &ruleset.rules, max_line, how, true);
                prop_assert_eq!(follower.flushed(read), expected);
            }
            follower.take(read, Tail::Wait);
        }
        follower.take(text.len(), Tail::Final);
        let (expected, cut_lines) = naive(&text, &ruleset.rules, max_line, how, false);
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
        (max_line, join) in prop_oneof![16..48usize, 200..2000usize]
            .prop_flat_map(|max_line| (Just(max_line), joins(max_line))),
        cuts in proptest::collection::vec(1..400usize, 1..8),
        attune in any::<bool>(),
    ) {
        let ruleset = Ruleset { rules };
        let how = join.map(joined);
        let how = how.as_ref();
        let mut scanner = Scanner::joining(&ruleset, |_| true, max_line, Format::Plain, how);
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
        let (expected, cut_lines) = naive(&text, &ruleset.rules, max_line, how, false);
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
    assert_eq!(shown(scanned.matches(bytes).next().unwrap().stamp).as_deref(), of_match, "{between} {last}");
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

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]
    #[test]
    fn nothing_but_a_line_feed_ends_a_line(pieces in proptest::collection::vec(separators(), 0..40)) {
        let text = [pieces.concat(), b"x\n".to_vec()].concat();
        let ruleset = Ruleset { rules: vec![rule(&["(?s)"], &[], &[])] };
        let scanner = Scanner::joining(&ruleset, |_| true, 4096, Format::Plain, None);
        let mut follower = Follower::new(&scanner, &text);
        follower.take(text.len(), Tail::Final);
        let starts: Vec<usize> = (0..text.len()).filter(|at| *at == 0 || text[at - 1] == b'\n').collect();
        let found: Vec<usize> = follower.matches.iter().map(|found| found.at.offset as usize - 1000).collect();
        prop_assert_eq!(found, starts);
    }
}

/// What ends a line elsewhere, and what hides its end.
fn separators() -> impl Strategy<Value = Vec<u8>> {
    let said: [&[u8]; 14] = [
        b"\n",
        b"\r",
        b"\r\n",
        b"\x0b",
        b"\x0c",
        b"\x1c",
        b"\x1e",
        b"\x85",
        "\u{85}".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{2029}".as_bytes(),
        b"\x1b[2K\x1b[1A",
        b"\x00",
        b"\\n#012",
    ];
    prop_oneof![
        3 => proptest::sample::select(said.to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..30),
        1 => Just(b"Jan  5 10:00:00 host sshd[1]: Failed".to_vec()),
    ]
}
