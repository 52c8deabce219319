//! What container runtimes write around each line of a container: its time, its stream, and whether it goes on.
//!
//! Two forms are read, by hand and not by a regex, since it is done for every line:
//!
//! ```text
//! CRI     2026-11-28T20:04:32.123456789Z stdout F text
//! Docker  {"log":"text\n","stream":"stdout","time":"2026-11-28T20:04:32.123456789Z"}
//! ```
//!
//! A long line comes in pieces: in CRI all but the last have the tag `P`, in Docker's form their `log` does not end
//! with a line end.

use memchr::{memchr, memchr2, memmem, memrchr};

use super::fields::escapes;
use super::frame::LINE_END;
use super::stamp::{self, Stamp};
use crate::model::Envelope;

/// Bytes of an envelope in CRI's form at most: a stamp, a stream, tags.
const CRI_MOST: usize = 128;
/// The same of Docker's form, with the labels of the container.
const DOCKER_MOST: usize = 1024;
/// Bytes of text in one piece, as far as is usual.
const PIECE: usize = 16 * 1024;
/// Bytes of the longest escape that stands for one.
const ESCAPED: usize = 6;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
    /// It has no envelope.
    Bare,
}

/// A line in its envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrapped<'a> {
    pub(super) stream: Stream,
    /// The line goes on in the next one of the stream.
    pub(super) goes_on: bool,
    /// When it was written, as it stands there; empty if it has no envelope.
    pub(super) written: &'a [u8],
    /// What is in the envelope.
    pub(super) text: &'a [u8],
    /// Its text has escapes, as JSON has.
    pub(super) escaped: bool,
}

impl Wrapped<'_> {
    pub(super) fn stamp(&self) -> Option<Stamp> {
        stamp::find(self.written)
    }

    /// True if there is nothing but NULs in it.
    pub(super) fn is_void(&self) -> bool {
        let mut text = Vec::new();
        self.put(&mut text);
        text.iter().all(|byte| *byte == 0)
    }

    /// Appends the text, which is one line.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        if self.escaped {
            escapes::undo(self.text, out);
        } else {
            out.extend_from_slice(self.text);
        }
    }
}

/// True if a text begins with a line in an envelope. Of a line that does not end there, what there is of it is believed.
pub fn is_wrapped(text: &[u8]) -> bool {
    let Some(end) = memchr(b'\n', text) else {
        return cri(text).is_some() || text.starts_with(br#"{"log":""#);
    };
    open(Envelope::Auto, &text[..end]).stream != Stream::Bare
}

/// True if what the first line of a text says may go on behind its last line.
pub fn goes_on(text: &[u8]) -> bool {
    let lines = text.strip_suffix(b"\n").unwrap_or(text);
    let first = memchr(b'\n', lines).map_or(lines, |end| &lines[..end]);
    let last = memrchr(b'\n', lines).map_or(lines, |end| &lines[end + 1..]);
    let [first, last] = [first, last].map(|line| open(Envelope::Auto, line));
    let is_bare = first.stream == Stream::Bare || last.stream == Stream::Bare;
    !is_bare && (last.goes_on || last.stream != first.stream)
}

/// What is in the envelopes of a text: its lines, each in one piece, and which line of the text each begins with, from 0.
pub fn inner_lines(envelope: Envelope, text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut open_ones = [None; 3];
    let all = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
    for (number, line) in all.enumerate() {
        let line = open(envelope, line);
        if line.stream == Stream::Bare {
            open_ones = [None; 3];
        }
        let place = open_ones[line.stream as usize].unwrap_or_else(|| {
            lines.push((number, Vec::new()));
            lines.len() - 1
        });
        line.put(&mut lines[place].1);
        open_ones[line.stream as usize] = line.goes_on.then_some(place);
    }
    lines
}

/// What is in the envelopes of a text: all lines of the stream of the first one, in one piece each, and when the first was
/// written. `None`: it stands in no envelope.
pub fn unwrapped(envelope: Envelope, text: &[u8]) -> Option<(Vec<u8>, Option<Stamp>)> {
    let mut lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
    let first = open(envelope, lines.next()?);
    let mut out = Vec::new();
    let mut goes_on = false;
    let rest = lines.map(|line| open(envelope, line)).take_while(|line| line.stream != Stream::Bare);
    for line in std::iter::once(first).chain(rest).filter(|line| line.stream == first.stream) {
        if !out.is_empty() && !goes_on {
            out.push(b'\n');
        }
        line.put(&mut out);
        goes_on = line.goes_on;
    }
    (first.stream != Stream::Bare).then(|| (out, first.stamp()))
}

/// Bytes of a line of a file of which all is looked at: more than `max_line` of them are text, and more than any piece
/// has that runtimes write unless they are told to.
pub(super) fn longest(envelope: Envelope, max_line: usize) -> usize {
    let text = max_line.max(PIECE) + LINE_END + 1;
    match envelope {
        Envelope::Cri => text + CRI_MOST,
        Envelope::Docker | Envelope::Auto => text * ESCAPED + DOCKER_MOST,
    }
}

/// Bytes of a file in which so many lines stand, of so many bytes together.
pub(super) fn extent(envelope: Envelope, lines: usize, bytes: usize) -> usize {
    match envelope {
        Envelope::Cri => bytes + lines * CRI_MOST,
        Envelope::Docker | Envelope::Auto => bytes * ESCAPED + lines * DOCKER_MOST,
    }
}

/// Takes a line, without its `\n`, out of its envelope; as it is, if it has none.
pub(super) fn open(envelope: Envelope, line: &[u8]) -> Wrapped<'_> {
    let opened = match envelope {
        Envelope::Cri => cri(line),
        Envelope::Docker => docker(line),
        Envelope::Auto => cri(line).or_else(|| docker(line)),
    };
    opened.unwrap_or(Wrapped {
        stream: Stream::Bare,
        goes_on: false,
        written: b"",
        text: line.strip_suffix(b"\r").unwrap_or(line),
        escaped: false,
    })
}

fn stream(name: &[u8]) -> Option<Stream> {
    match name {
        b"stdout" => Some(Stream::Out),
        b"stderr" => Some(Stream::Err),
        _ => None,
    }
}

fn cri(line: &[u8]) -> Option<Wrapped<'_>> {
    // `2026-11-28T20:04:32Z` and what a fraction and an offset add to it.
    let place = memchr(b' ', line.get(..36).unwrap_or(line)).filter(|place| *place >= 20)?;
    let (written, rest) = (&line[..place], &line[place + 1..]);
    let shape = written[4] == b'-' && written[10] == b'T' && written[13] == b':' && written[16] == b':';
    if !shape || !written[0].is_ascii_digit() {
        return None;
    }
    let stream = stream(rest.get(..6)?)?;
    let tags = rest[6..].strip_prefix(b" ")?;
    let most = CRI_MOST - 36 - 8;
    let end = memchr(b' ', tags.get(..most).unwrap_or(tags));
    let (tags, text) = match end {
        Some(end) => (&tags[..end], &tags[end + 1..]),
        None if tags.len() < most => (tags, &tags[tags.len()..]),
        None => return None,
    };
    let goes_on = match tags {
        [b'F'] | [b'F', b':', ..] => false,
        [b'P'] | [b'P', b':', ..] => true,
        _ => return None,
    };
    Some(Wrapped { stream, goes_on, written, text, escaped: false })
}

fn docker(line: &[u8]) -> Option<Wrapped<'_>> {
    let log = line.strip_prefix(br#"{"log":""#)?;
    let (mut end, mut escaped, mut goes_on) = (0, false, true);
    loop {
        end += memchr2(b'"', b'\\', &log[end..])?;
        let escape = match &log[end..] {
            [b'"', ..] => break,
            [_, escape @ ..] => escape,
            [] => return None,
        };
        if escape.starts_with(b"n\"") {
            goes_on = false;
        } else if escape.first() == Some(&b'n') || is_line_end(escape) {
            // Docker writes a line by itself.
            return None;
        } else {
            escaped = true;
        }
        end = (end + 2).min(log.len());
    }
    let (text, rest) = (&log[..end - if goes_on { 0 } else { 2 }], &log[end..]);
    if rest.len() > DOCKER_MOST {
        return None;
    }
    let rest = rest.strip_prefix(br#"","stream":""#)?;
    let stream = stream(rest.get(..6)?)?;
    // Labels of the container may stand between them.
    let place = memmem::rfind(rest, br#","time":""#)?;
    let between = &rest[6..place];
    if between != b"\"" && !(between.starts_with(br#"","attrs":{"#) && between.ends_with(b"}")) {
        return None;
    }
    let written = rest[place + 9..].strip_suffix(br#""}"#)?;
    Some(Wrapped { stream, goes_on, written, text, escaped })
}

/// True for what stands behind a backslash for a line end, though nobody has to write it so.
fn is_line_end(escape: &[u8]) -> bool {
    escape.get(..5).is_some_and(|escape| escape.eq_ignore_ascii_case(b"u000a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `stream tag text`, or `bare`.
    fn check(envelope: Envelope, line: &str, expected: &str) {
        let opened = open(envelope, line.as_bytes());
        let mut text = Vec::new();
        opened.put(&mut text);
        let text = String::from_utf8_lossy(&text);
        let stream = match opened.stream {
            Stream::Out => "out",
            Stream::Err => "err",
            Stream::Bare => "bare",
        };
        let tag = if opened.goes_on { "P" } else { "F" };
        assert_eq!(format!("{stream} {tag} {text}"), expected, "{line}");
        assert_eq!(opened.stream == Stream::Bare, opened.stamp().is_none(), "{line}");
    }

    #[test]
    fn a_line_is_taken_out_of_what_cri_writes_around_it() {
        let cri = |line: &str, expected: &str| {
            check(Envelope::Cri, line, expected);
            check(Envelope::Auto, line, expected);
        };
        cri("2026-11-28T20:04:32.123456789Z stdout F a b", "out F a b");
        cri("2026-11-28T20:04:32.123456789+08:00 stderr P  a", "err P  a");
        cri("2026-11-28T20:04:32Z stdout F:x:y a", "out F a");
        cri("2026-11-28T20:04:32Z stdout F ", "out F ");
        cri("2026-11-28T20:04:32Z stdout F", "out F ");
        cri("2026-11-28T20:04:32Z stdout F a\r", "out F a\r");
        for bare in [
            "",
            "a line",
            "2026-11-28 20:04:32Z stdout F a",
            "2026-11-28T20:04:32Z stdin F a",
            "2026-11-28T20:04:32Z stdout X a",
            "2026-11-28T20:04:32Z stdout Full a",
            "2026-11-28T20:04:32Z stdoutF a",
            "2026-11-28T20:04:32Z  stdout F a",
        ] {
            let opened = open(Envelope::Cri, bare.as_bytes());
            assert_eq!((opened.stream, opened.text), (Stream::Bare, bare.as_bytes()));
        }
        let tags = format!("2026-11-28T20:04:32Z stdout F:{} a", "x".repeat(100));
        assert_eq!(open(Envelope::Cri, tags.as_bytes()).stream, Stream::Bare, "no runtime writes such tags");
    }

    #[test]
    fn a_line_is_taken_out_of_what_docker_writes_around_it() {
        let docker = |log: &str, expected: &str| {
            for attrs in ["", r#","attrs":{"a":"b","time":"x"}"#] {
                let line = format!(
                    r#"{{"log":"{log}","stream":"stderr"{attrs},"time":"2026-11-28T20:04:32.123456789Z"}}"#
                );
                check(Envelope::Docker, &line, expected);
                check(Envelope::Auto, &line, expected);
            }
        };
        docker(r"a b\n", "err F a b");
        docker(r"a b", "err P a b");
        docker(r"\n", "err F ");
        docker(r"", "err P ");
        docker(r#"say \"a\" \u003c\u00e9\t\n"#, "err F say \"a\" <é\t");
        docker(r"c:\\new\n", r"err F c:\new");
        docker(r"c:\\n", r"err P c:\n");
        docker(r"c:\\\n", r"err F c:\");
        docker(r"\r\n", "err F \r");
        for bare in [
            "",
            "{",
            r#"{"log":"a"#,
            r#"{"log":"a\"#,
            r#"{"log":"a","stream":"stdout"}"#,
            r#"{"log":"a\nb\n","stream":"stdout","time":"2026-11-28T20:04:32Z"}"#,
            r#"{"log":"a\u000A","stream":"stdout","time":"2026-11-28T20:04:32Z"}"#,
            r#"{"log":"a","stream":"stdin","time":"2026-11-28T20:04:32Z"}"#,
            r#"{"log":"a","stream":"stdout","b":1,"time":"2026-11-28T20:04:32Z"}"#,
            r#"{"log":"a","stream":"stdout","time":"2026-11-28T20:04:32Z"} "#,
        ] {
            let opened = open(Envelope::Docker, bare.as_bytes());
            assert_eq!((opened.stream, opened.text), (Stream::Bare, bare.as_bytes()));
        }
    }

    #[test]
    fn what_a_text_begins_with_is_known_and_taken_out() {
        let [out, err] = ["stdout", "stderr"].map(|stream| {
            move |tag: &str, text: &str| format!("2026-11-28T20:04:32.5Z {stream} {tag} {text}")
        });
        let check = |lines: &[String], expected: Option<&str>, more: bool| {
            let text = lines.join("\n");
            for text in [text.clone(), text + "\n"] {
                let found = unwrapped(Envelope::Auto, text.as_bytes());
                let found = found.map(|(text, stamp)| {
                    assert!(stamp.is_some());
                    String::from_utf8(text).expect("it was")
                });
                assert_eq!(found.as_deref(), expected, "{text}");
                assert_eq!(goes_on(text.as_bytes()), more, "{text}");
                assert_eq!(is_wrapped(text.as_bytes()), expected.is_some(), "{text}");
            }
        };
        check(&[String::new()], None, false);
        check(&["a".to_owned(), out("F", "b")], None, false);
        check(&[out("F", "a")], Some("a"), false);
        check(&[out("P", "a")], Some("a"), true);
        check(&[out("P", "a"), err("F", "b")], Some("a"), true);
        check(&[out("P", "a"), err("F", "b"), out("F", "c")], Some("ac"), false);
        check(
            &[out("F", "a"), out("P", " b"), out("F", "c"), "bare".to_owned(), out("F", "d")],
            Some("a\n bc"),
            false,
        );
        let docker =
            |log: &str| format!(r#"{{"log":"{log}","stream":"stdout","time":"2026-11-28T20:04:32Z"}}"#);
        check(&[docker("a"), docker("b\\n"), docker("c\\n")], Some("ab\nc"), false);
        assert!(is_wrapped(docker("a").split_at(20).0.as_bytes()) && !is_wrapped(b"{\"log\":5}\n"));
    }

    #[test]
    fn lines_of_a_text_are_in_the_order_in_which_they_begin() {
        let text = "2026-11-28T20:04:32Z stdout P a\n2026-11-28T20:04:32Z stderr F x\n2026-11-28T20:04:32Z stdout F b\n\
                    2026-11-28T20:04:32Z stderr P y\nbare\n2026-11-28T20:04:32Z stderr F z\n";
        let lines = inner_lines(Envelope::Auto, text.as_bytes());
        let shown = lines.iter().map(|(number, line)| format!("{number} {}", String::from_utf8_lossy(line)));
        assert_eq!(shown.collect::<Vec<_>>(), ["0 ab", "1 x", "3 y", "4 bare", "5 z"]);
    }

    #[test]
    fn what_stands_around_a_line_is_bounded() {
        let text = "a".repeat(1000);
        let cri = format!("2026-11-28T20:04:32.123456789+08:00 stdout F:{} {text}", "x".repeat(80));
        assert!(open(Envelope::Cri, cri.as_bytes()).stream == Stream::Out);
        assert!(cri.len() <= longest(Envelope::Cri, 1000));
        let text = r"\u0007".repeat(1000);
        let attrs = "x".repeat(900);
        let docker = format!(
            r#"{{"log":"{text}\n","stream":"stdout","attrs":{{"a":"{attrs}"}},"time":"2026-11-28T20:04:32Z"}}"#
        );
        assert!(open(Envelope::Docker, docker.as_bytes()).stream == Stream::Out);
        assert!(docker.len() <= longest(Envelope::Docker, 1000));
    }
}
