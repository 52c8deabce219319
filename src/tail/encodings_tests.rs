//! Files that are not written in UTF-8, read in pieces, over restarts and rotations, until nothing is left.

use std::path::Path;

use proptest::prelude::*;

use super::bench::{Bench, source};
use super::fake::FakeDisk;
use super::{Note, TailKind};
use crate::model::Encoding;
use crate::rule::Ruleset;
use crate::scan::{self, Block, Decoded, Scanned, Scanner, samples};

/// A tail whose lines are scanned as the machine does it.
struct Reader {
    disk: FakeDisk,
    bench: Bench<FakeDisk>,
    scanner: Scanner,
    lines: Vec<String>,
}

impl Reader {
    fn new(said: Option<Encoding>) -> Reader {
        let disk = FakeDisk::new();
        disk.mkdir(Path::new("/d")).unwrap();
        let mut source = source("s", &["/d/*.log"]);
        source.encoding = said;
        let ruleset = Ruleset { rules: vec![samples::rule(&["^(?<n>.*)$"], &[], &[])] };
        let mut bench = Bench::new(vec![source]);
        bench.start(disk.clone());
        let scanner = Scanner::new(&ruleset, |_| true, 64);
        let mut reader = Reader { disk, bench, scanner, lines: Vec::new() };
        reader.look();
        reader
    }

    fn add(&mut self, bytes: &[u8]) {
        self.disk.append(Path::new("/d/a.log"), bytes).unwrap();
    }

    /// Another process goes on where this one has committed.
    fn restart(&mut self) {
        self.bench.start(self.disk.clone());
    }

    /// Looks and reads, half a second later, and commits.
    fn look(&mut self) {
        let Reader { disk, bench, scanner, lines } = self;
        bench.now = bench.now.plus(std::time::Duration::from_millis(500));
        disk.set_time(bench.now);
        let tail = bench.tail.as_mut().unwrap();
        assert!(tail.look(bench.now, bench.now));
        let (mut buf, mut decoded, mut scanned) = ([0; 160], Decoded::default(), Scanned::default());
        loop {
            for note in tail.take_notes() {
                match note {
                    Note::SourceKnown(row) => bench.saved.sources.push(row),
                    Note::Truncated { .. } => lines.push("cut".to_owned()),
                    Note::Ended { file, .. } => {
                        tail.forget(file);
                        bench.saved.files.remove(&file);
                    }
                    _ => {}
                }
            }
            let Some(ready) = tail.ready().first().cloned() else { break };
            let Some(turn) = tail.read(ready.file, &mut buf, bench.now) else { continue };
            let tail_kind = match turn.tail {
                TailKind::Wait => scan::Tail::Wait,
                TailKind::Flush => scan::Tail::Flush,
                TailKind::Final => scan::Tail::Final,
            };
            let (file, offset, skipping) = (ready.file, turn.offset, turn.skipping);
            let block = Block { file, offset, bytes: &buf[..turn.len], skipping, tail: tail_kind };
            decoded.decode(turn.encoding, offset, block.bytes);
            scanner.scan_decoded(block, &decoded, &mut scanned);
            for found in scanned.matches(decoded.text()).filter(|found| !found.partial) {
                lines.push(format!("{}:{}", found.at.offset, String::from_utf8_lossy(found.line)));
            }
            tail.consumed(ready.file, scanned.consumed, scanned.skipping, bench.now);
            let row = tail.save(ready.file, offset + scanned.consumed as u64, scanned.skipping);
            bench.saved.files.extend(row.map(|row| (row.id, row)));
        }
        bench.saved.next_file = tail.next_file();
        bench.saved.swept_to = tail.swept_to();
    }
}

fn utf_16(big: bool, text: &str) -> Vec<u8> {
    let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn case_43_a_mark_is_no_text_and_says_how_the_rest_is_written_also_after_a_restart() {
    let check = |said, pieces: [&[u8]; 3], expected: &[&str]| {
        let mut reader = Reader::new(said);
        for piece in pieces {
            reader.add(piece);
            reader.look();
            reader.restart();
            reader.look();
        }
        assert_eq!(reader.lines, expected, "{said:?}");
    };
    check(None, [b"\xef\xbb\xbfone\nt", b"wo\n", b"\xef\xbb\xbfx\n"], &["3:one", "7:two", "11:\u{feff}x"]);
    // The mark comes in pieces.
    check(None, [b"\xef", b"\xbb\xbfone\n", b"two\n"], &["3:one", "7:two"]);
    check(None, [b"\xef\xbb\xbf", b"one\n", b"two\n"], &["3:one", "7:two"]);
    for big in [false, true] {
        let (one, two) = (utf_16(big, "\u{feff}one\nt"), utf_16(big, "wö\n\u{2028}\u{a0a}\n"));
        check(None, [&one, &two[..3], &two[3..]], &["2:one", "10:twö", "18:\u{2028}\u{a0a}"]);
        let said = Some(if big { Encoding::Utf16Be } else { Encoding::Utf16Le });
        check(said, [&one[2..], &two[..3], &two[3..]], &["0:one", "8:twö", "16:\u{2028}\u{a0a}"]);
        // What is said to be UTF-8 is not decoded.
        check(Some(Encoding::Utf8), [b"\xff\xfe\n", b"a\n", b"b\n"], &["0:\u{fffd}\u{fffd}", "3:a", "5:b"]);
    }
}

#[test]
fn what_is_there_at_first_sight_is_decoded_too_though_its_beginning_is_not_read() {
    for odd in [0, 1] {
        let disk = FakeDisk::new();
        let old = utf_16(false, "\u{feff}old\n");
        disk.append(Path::new("/d/a.log"), &old).unwrap();
        disk.append(Path::new("/d/a.log"), &b"n"[..odd]).unwrap();
        let mut reader = Reader::new(None);
        reader.disk = disk.clone();
        reader.bench.saved = crate::saved::Saved::default();
        reader.bench.start(disk);
        reader.look();
        reader.add(&utf_16(false, "new\nmore\n")[odd..]);
        reader.look();
        let expected: &[&str] = if odd == 1 { &["12:ew", "18:more"] } else { &["10:new", "18:more"] };
        assert_eq!(reader.lines, expected);
    }
}

#[test]
fn a_file_that_is_written_anew_is_written_as_it_begins_now() {
    let mut reader = Reader::new(None);
    let path = Path::new("/d/a.log");
    reader.add(&utf_16(true, "\u{feff}one\n"));
    reader.look();
    reader.disk.truncate(path, 0).unwrap();
    reader.add(b"two\n");
    reader.look();
    // Nothing but the mark had been read, or half a line.
    for rest in ["", "half"] {
        reader.disk.truncate(path, 0).unwrap();
        reader.add(&utf_16(false, &format!("\u{feff}{rest}")));
        reader.look();
        reader.disk.truncate(path, 0).unwrap();
        reader.add(b"three and some more\n");
        reader.look();
    }
    assert_eq!(
        reader.lines,
        ["2:one", "cut", "0:two", "cut", "0:three and some more", "cut", "cut", "0:three and some more",]
    );
}

#[test]
fn zeros_of_a_file_with_wide_units_are_a_hole_only_where_they_are_whole() {
    let mut reader = Reader::new(Some(Encoding::Utf16Be));
    reader.add(&[&[0; 500][..], &utf_16(true, "one\n")].concat());
    reader.look();
    reader.add(b"\0");
    reader.look();
    reader.add(b"\0\0\0\0t");
    reader.look();
    reader.restart();
    reader.add(&utf_16(true, "wo\n"));
    reader.look();
    assert_eq!(reader.lines, ["500:one", "512:two"]);
}

proptest! {
    #[test]
    fn case_40_units_cut_anywhere_are_the_lines_of_the_whole_file(
        mut lines in proptest::collection::vec("[a-c\u{e9}\u{4e2d}\u{a0a}\u{1f600}]{0,70}", 1..6),
        cuts in proptest::collection::vec((0usize..400, any::<bool>()), 0..6),
        big in any::<bool>(),
        marked in any::<bool>(),
        crlf in any::<bool>(),
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mark = if marked { "\u{feff}" } else { "" };
        let mut text = mark.to_owned();
        let mut expected = Vec::new();
        for line in &mut lines {
            // Only with that is a mark believed.
            if expected.is_empty() {
                line.insert(0, 'a');
            }
            // Of a line, 64 bytes are matched: whole characters of it, or a part of one.
            let head = String::from_utf8_lossy(&line.as_bytes()[..line.len().min(64)]).into_owned();
            expected.push(format!("{}:{head}", text.encode_utf16().count() * 2));
            text.push_str(line);
            text.push_str(end);
        }
        let bytes = utf_16(big, &text);
        let mut reader = Reader::new((!marked).then_some(if big { Encoding::Utf16Be } else { Encoding::Utf16Le }));
        let mut cuts: Vec<(usize, bool)> = cuts.into_iter().map(|(at, stop)| (at.min(bytes.len()), stop)).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for (at, stop) in cuts.into_iter().chain([(bytes.len(), false)]) {
            reader.add(&bytes[from..at]);
            reader.look();
            if stop {
                reader.restart();
                reader.look();
            }
            from = at;
        }
        prop_assert_eq!(reader.lines, expected);
    }
}
