//! Lines in envelopes: what is found is what is found in the texts that were put into them.

use super::super::envelope::{Stream, open};
use super::*;
use crate::model::Envelope;
use crate::model::Timestamp;

const FLUSH: Duration = Duration::from_secs(5);

/// What is known of a stream of a file.
#[derive(Default)]
struct Naively {
    /// Lines that may be joined, with where each begins in the file and when it says that it was written.
    lines: Vec<(usize, Option<Stamp>, Vec<u8>)>,
    open: bool,
    written: Option<Stamp>,
}

/// All that is to be found in a whole file, with nothing of speed: its lines are sorted by streams, and each stream is
/// read for itself.
fn naive_file(
    envelope: Envelope,
    text: &[u8],
    rules: &[Rule],
    max_line: usize,
    multiline: Option<&Multiline>,
) -> Vec<KeptMatch> {
    let mut streams: [Naively; 3] = Default::default();
    let mut found = Vec::new();
    let mut over = |stream: &mut Naively| {
        let Naively { lines, .. } = std::mem::take(stream);
        let text: Vec<u8> = lines.iter().flat_map(|(_, _, text)| [text, &b"\n"[..]].concat()).collect();
        let mut begins = Vec::new();
        let mut at = 0;
        for (_, _, line) in &lines {
            begins.push(at);
            at += line.len() + 1;
        }
        let (mut records, _) = records_of(&text, max_line, multiline, false);
        for record in &mut records {
            let line = begins.partition_point(|begin| *begin <= record.start) - 1;
            (record.start, record.stamp) = (lines[line].0, lines[line].1);
        }
        found.extend(naive_of(&records, rules));
    };
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let begin = at;
        at += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let nuls = line.iter().take_while(|byte| **byte == 0).count();
        if nuls == line.len() && at == text.len() && !text.ends_with(b"\n") {
            break;
        }
        let line = open(envelope, &line[nuls..]);
        let which = line.stream as usize;
        let is_last = at == text.len() && !text.ends_with(b"\n");
        if is_last && !streams[which].open && line.is_void() {
            break;
        }
        let instant = |stamp: Option<Stamp>| stamp?.resolve(&jiff::tz::TimeZone::UTC, Timestamp::default());
        for other in (0..3).filter(|other| *other != which) {
            let later = instant(streams[other].written).zip(instant(line.stamp()));
            let later = later.is_some_and(|(since, until)| until >= since.plus(FLUSH));
            let waits = streams[other].open || multiline.is_some();
            if waits && (later || line.stream == Stream::Bare || other == Stream::Bare as usize) {
                over(&mut streams[other]);
            }
        }
        let stream = &mut streams[which];
        let mut text = Vec::new();
        line.put(&mut text);
        match stream.lines.last_mut().filter(|_| stream.open) {
            Some((.., known)) if !Line::of(known, max_line).cut => known.extend(text),
            Some(_) => {}
            None => stream.lines.push((begin, line.stamp(), text)),
        }
        (stream.open, stream.written) = (line.goes_on, line.stamp());
    }
    streams.iter_mut().for_each(over);
    found.sort_by_key(|found| (found.at.offset, found.rule));
    found
}

/// What was found, to be read and compared. Lines without an envelope have their own stamps, which others look after.
fn shown(envelope: Envelope, longest: usize, text: &[u8], found: Vec<KeptMatch>) -> Vec<String> {
    let is_bare = |found: &KeptMatch| {
        let rest = &text[found.at.offset as usize - 1000..];
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = &line[..line.len().min(longest)];
        let nuls = line.iter().take_while(|byte| **byte == 0).count();
        open(envelope, &line[nuls..]).stream == Stream::Bare
    };
    let captures = |found: &KeptMatch| -> Vec<String> {
        let text =
            |capture: &Option<Box<[u8]>>| capture.as_ref().map(|bytes| bytes.escape_ascii().to_string());
        found.captures.iter().map(|capture| text(capture).unwrap_or_default()).collect()
    };
    let shown = |found: KeptMatch| {
        let stamp = found.stamp.filter(|_| !is_bare(&found));
        let KeptMatch { rule, kind, at, ref line, partial, .. } = found;
        let line = line.escape_ascii();
        format!("{}: rule {} {kind:?} `{line}` {:?} {stamp:?} {partial}", at.offset, rule.0, captures(&found))
    };
    found.into_iter().map(shown).collect()
}

fn escaped(text: &[u8], whole: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\r' => out.extend(b"\\r"),
            b'x' => out.extend(b"\\u0078"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    if whole {
        out.extend(b"\\n");
    }
    out
}

/// One line of a file.
fn wrap(envelope: Envelope, at: i64, stream: &str, whole: bool, text: &[u8]) -> Vec<u8> {
    let at = jiff::Timestamp::from_second(1_767_366_245 + at).expect("in range");
    match envelope {
        Envelope::Docker => {
            let text = escaped(text, whole);
            let ends = format!("\",\"stream\":\"{stream}\",\"time\":\"{at}\"}}");
            [b"{\"log\":\"", &text[..], ends.as_bytes()].concat()
        }
        Envelope::Cri | Envelope::Auto => {
            let tag = if whole { "F" } else { "P" };
            [format!("{at} {stream} {tag} ").as_bytes(), text].concat()
        }
    }
}

/// Files of a runtime, now and then with something else in them.
fn files(envelope: Envelope) -> impl Strategy<Value = Vec<u8>> {
    let line = texts().prop_map(|text| text.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec());
    let small =
        proptest::sample::select(vec!["fail", " bob", "fail bob", "", "Y 0b", " x", "xx", "\0", "\r"]);
    let text = prop_oneof![3 => small.prop_map(|text| text.as_bytes().to_vec()), 1 => line];
    let streams = proptest::sample::select(vec!["stdout", "stdout", "stdout", "stderr"]);
    let step = proptest::sample::select(vec![0i64, 0, 0, 1, 2, 7]);
    let kind = 0..12u8;
    let one = (text, streams, step, proptest::bool::weighted(0.7), kind, any::<bool>());
    (proptest::collection::vec(one, 0..40), any::<bool>(), any::<bool>()).prop_map(
        move |(lines, single, whole_only)| {
            let (mut at, mut file) = (0, Vec::new());
            for (text, stream, step, whole, kind, windows) in lines {
                at += step;
                let stream = if single { "stdout" } else { stream };
                match kind {
                    0 if !whole_only => file.extend(&text),
                    1 if !whole_only => file.extend([0, 0, 0]),
                    _ => file.extend(wrap(envelope, at, stream, whole || whole_only, &text)),
                }
                file.extend(if windows && kind == 2 { &b"\r\n"[..] } else { b"\n" });
            }
            if whole_only {
                file
            } else {
                // What is being written, or was cut off.
                file.truncate(file.len() - file.len() % 3);
                file
            }
        },
    )
}

fn envelopes() -> impl Strategy<Value = Envelope> {
    proptest::sample::select(vec![Envelope::Cri, Envelope::Docker, Envelope::Auto])
}

/// Two ways of reading a file: in pieces, each from where the one before was done; and all at once.
fn check(scanner: &Scanner, text: &[u8], reads: &[usize]) -> Follower<'static> {
    let (scanner, text): (&'static Scanner, &'static [u8]) =
        (Box::leak(Box::new(scanner.clone())), Box::leak(text.to_vec().into_boxed_slice()));
    let mut follower = Follower::new(scanner, text);
    let mut read = 0;
    for bytes in reads {
        read = text.len().min(read + bytes);
        follower.take(read, Tail::Wait);
    }
    follower.take(text.len(), Tail::Final);
    assert_eq!(follower.offset, text.len());
    follower
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(600), ..ProptestConfig::default() })]
    #[test]
    fn however_files_are_cut_what_was_put_into_envelopes_is_found(
        rules in rules(),
        (envelope, text) in envelopes().prop_flat_map(|envelope| (Just(envelope), files(envelope))),
        (max_line, join) in (16..48usize).prop_flat_map(|max_line| (Just(max_line), joins(max_line))),
        reads in proptest::collection::vec(1..200usize, 0..40),
    ) {
        let ruleset = Ruleset { rules };
        let how = join.map(joined);
        let how = how.as_ref();
        let scanner = Scanner::joining(&ruleset, |_| true, max_line, Format::Plain, how);
        let scanner = scanner.unwrapping(Some(envelope), FLUSH);
        let found = check(&scanner, &text, &reads).matches;
        let expected = naive_file(envelope, &text, &ruleset.rules, max_line, how);
        prop_assert_eq!(
            shown(envelope, usize::MAX, &text, found),
            shown(envelope, usize::MAX, &text, expected),
            "{}", text.escape_ascii()
        );
    }

    #[test]
    fn however_files_are_cut_what_waits_too_long_is_over_at_the_same_place(
        rules in rules(),
        (envelope, text) in envelopes().prop_flat_map(|envelope| (Just(envelope), files(envelope))),
        max_line in 16..48usize,
        most in 1..400usize,
        longer in 131..400usize,
        reads in proptest::collection::vec(1..200usize, 0..40),
    ) {
        let ruleset = Ruleset { rules };
        let scanner = Scanner::new(&ruleset, |_| true, max_line).unwrapping(Some(envelope), FLUSH);
        let unwrap = scanner.unwrap.clone().map(|unwrap| unwrap.bounded(max_line + longer, most));
        let scanner = Scanner { unwrap, ..scanner };
        let pieces = check(&scanner, &text, &reads);
        let whole = check(&scanner, &text, &[]);
        prop_assert_eq!(
            shown(envelope, max_line + longer, &text, pieces.matches),
            shown(envelope, max_line + longer, &text, whole.matches),
            "{}", text.escape_ascii()
        );
        prop_assert_eq!(pieces.cut_lines, whole.cut_lines, "{}", text.escape_ascii());
    }
}

/// What every line of a file is matched as, each as `place:text`, `~` for what is matched early; and what is consumed.
fn told(how: Option<Preset>, tail: Tail, text: &str) -> (Vec<String>, usize, bool) {
    let ruleset = Ruleset { rules: vec![rule(&["(?s).*"], &[], &[])] };
    let how = how.map(Preset::multiline);
    let scanner = Scanner::joining(&ruleset, |_| true, 64, Format::Plain, how.as_ref());
    let scanner = scanner.unwrapping(Some(Envelope::Cri), FLUSH);
    let mut scanned = Scanned::default();
    let block = Block { file: FileId(1), offset: 0, bytes: text.as_bytes(), skipping: false, tail };
    scanner.scan(block, &mut scanned);
    let told = scanned.matches(block.bytes).map(|found| {
        let line = text[..found.at.offset as usize].matches('\n').count();
        let sign = if found.partial { "~" } else { ":" };
        format!("{line}{sign}{}", String::from_utf8_lossy(found.line).replace('\n', "|"))
    });
    (told.collect(), text[..scanned.consumed].matches('\n').count(), scanned.skipping)
}

/// Lines are `second stream tag text`.
fn check_told(how: Option<Preset>, tail: Tail, lines: &[&str], expected: &[&str], consumed: usize) {
    let text: String = lines.iter().map(|line| format!("2026-01-02T15:04:{line}\n")).collect();
    let text = text.replace(" out ", "Z stdout ").replace(" err ", "Z stderr ");
    let (told, lines, skipping) = told(how, tail, &text);
    assert_eq!(told, expected, "{text}");
    assert_eq!((lines, skipping), (consumed, false), "{text}");
}

#[test]
fn case_44_pieces_of_one_stream_are_not_glued_to_those_of_another() {
    let lines = ["01 out P aa", "01 err F EE", "01 out F bb"];
    check_told(None, Tail::Wait, &lines, &["0:aabb", "1:EE"], 3);
    // Until it is known how the line ends, what is behind it waits.
    check_told(None, Tail::Wait, &lines[..2], &[], 0);
    // But not for long: by the times of lines, or because nothing comes.
    check_told(
        None,
        Tail::Wait,
        &["01 out P aa", "06 err F EE", "06 out F bb"],
        &["0:aa", "1:EE", "2:bb"],
        3,
    );
    check_told(None, Tail::Flush, &lines[..2], &["0:aa", "1:EE"], 2);
    check_told(
        None,
        Tail::Wait,
        &["01 out P aa", "01 err P EE", "01 out F bb", "01 err F FF"],
        &["0:aabb", "1:EEFF"],
        4,
    );
}

#[test]
fn case_45_a_line_of_which_the_last_piece_never_comes_is_matched() {
    check_told(None, Tail::Wait, &["01 out F a", "01 out P last"], &["0:a"], 1);
    // Early, when nothing comes; it may go on.
    check_told(None, Tail::Flush, &["01 out F a", "01 out P last"], &["0:a", "1~last"], 1);
    check_told(None, Tail::Final, &["01 out F a", "01 out P last"], &["0:a", "1:last"], 2);
}

#[test]
fn records_are_joined_for_each_stream_by_itself() {
    let trace = ["01 out F A", "01 err F B", "01 out F  a", "01 err F  b", "01 out F C", "01 err F D"];
    check_told(Some(Preset::Indented), Tail::Wait, &trace, &["0:A| a", "1:B| b"], 4);
    check_told(Some(Preset::Indented), Tail::Final, &trace, &["0:A| a", "1:B| b", "4:C", "5:D"], 6);
    let pieces = ["01 out F A", "01 out P  a", "01 out F a", "01 out F B"];
    check_told(Some(Preset::Indented), Tail::Wait, &pieces, &["0:A| aa"], 3);
    check_told(Some(Preset::Indented), Tail::Flush, &pieces, &["0:A| aa", "3~B"], 3);
    check_told(Some(Preset::Indented), Tail::Flush, &pieces[..2], &["0~A| a"], 0);
}

#[test]
fn of_a_long_line_in_pieces_the_head_is_matched_and_the_rest_skipped() {
    let piece = format!("01 out P {}", "x".repeat(40));
    let head = format!("0:{}", "x".repeat(64));
    let text = |lines: &[&str]| -> String {
        let lines = lines.iter().map(|line| format!("2026-01-02T15:04:{line}\n"));
        lines.collect::<String>().replace(" out ", "Z stdout ").replace(" err ", "Z stderr ")
    };
    // The next block begins with the last piece, which says itself what is skipped.
    let whole = text(&[&piece, &piece, &piece, "01 out F end", "01 out F next"]);
    let (found, lines, skipping) = told(None, Tail::Wait, &whole);
    assert_eq!((found, lines, skipping), (vec![head.clone(), "4:next".to_owned()], 5, false));
    let (found, lines, skipping) = told(None, Tail::Wait, &text(&[&piece, &piece, &piece]));
    assert_eq!((found, lines, skipping), (vec![head], 2, true));
}
