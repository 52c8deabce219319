//! `message repeated 5 times: [ X ]`, as rsyslog writes instead of five lines with X.
//!
//! Only where it stands right behind the tag of a line: `Dec 10 06:55:46 host sshd[7]: message repeated …`. Anywhere
//! else it may be somebody's user name.

use std::sync::LazyLock;

use memchr::memmem::{Finder, find};

/// What such a line has behind its tag.
const WORDS: &[u8] = b"message repeated ";
static WORDS_FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(WORDS));

/// The first place from `from` on where it may stand.
pub(super) fn next(text: &[u8], from: usize) -> Option<usize> {
    WORDS_FINDER.find(&text[from..]).map(|at| from + at)
}

/// Appends the line that was left out, with the head of this one, to `out` and says how often it was. `None`: this is
/// another line.
pub(super) fn undo(line: &[u8], out: &mut Vec<u8>) -> Option<u32> {
    let head = find(line, b": ")? + 2;
    let rest = line[head..].strip_prefix(WORDS)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = rest.split_at(digits);
    let rest = rest.strip_prefix(b" times: [")?;
    let inner = rest.trim_ascii_end().strip_suffix(b"]")?;
    // A number that is too large is a lie, and one that is none as well.
    let times = std::str::from_utf8(number).ok()?.parse::<u32>().ok().filter(|times| *times > 0)?;
    out.extend_from_slice(&line[..head]);
    out.extend_from_slice(inner.strip_prefix(b" ").unwrap_or(inner));
    Some(times)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::FileId;
    use crate::rule::Ruleset;
    use crate::scan::samples::rule;
    use crate::scan::{Block, KeptMatch, Scanned, Scanner, Tail};

    fn check(line: &str, expected: Option<(&str, u32)>) {
        let mut out = Vec::new();
        let times = undo(line.as_bytes(), &mut out);
        let found = times.map(|times| (String::from_utf8_lossy(&out).into_owned(), times));
        assert_eq!(found, expected.map(|(line, times)| (line.to_owned(), times)), "{line}");
    }

    #[test]
    fn a_line_that_stands_for_several_is_that_line_and_how_often() {
        let head = "Dec 10 06:55:46 h sshd[7]: ";
        let line = format!("{head}message repeated 5 times: [ Failed password for root]");
        check(&line, Some(("Dec 10 06:55:46 h sshd[7]: Failed password for root", 5)));
        check(
            &format!("{head}message repeated 4294967295 times: [x [y]] "),
            Some((&format!("{head}x [y]"), u32::MAX)),
        );
        check("kernel: message repeated 1 times: []", Some(("kernel: ", 1)));
    }

    #[test]
    fn what_only_looks_like_it_is_a_line_of_its_own() {
        for line in [
            "sshd[7]: Invalid user message repeated 9 times: [ root]",
            "sshd[7]: Invalid user x: message repeated 9 times: [ root]",
            "sshd[7]: message repeated 9 times: [ root] from 192.0.2.7",
            "sshd[7]: message repeated 4294967296 times: [ root]",
            "sshd[7]: message repeated 0 times: [ root]",
            "sshd[7]: message repeated  times: [ root]",
            "sshd[7]: message repeated -1 times: [ root]",
            "message repeated 9 times: [ root]",
            "h last message repeated 9 times",
            "",
        ] {
            check(line, None);
        }
    }

    fn found(text: &str, repeats: bool) -> Vec<KeptMatch> {
        let rules = vec![
            rule(&["sshd\\[\\d+\\]: Failed \\S+ for (?<user>\\S+)"], &["ignored"], &[]),
            rule(&["^\\w+ 1\\d.*(?<x>root)$"], &[], &["bob"]),
            rule(&["x"], &[], &[]),
        ];
        let scanner = Scanner::new(&Ruleset { rules }, |_| true, 200).counting_repeats(repeats);
        let mut scanned = Scanned::default();
        let block =
            Block { file: FileId(1), offset: 7, bytes: text.as_bytes(), skipping: false, tail: Tail::Final };
        scanner.scan(block, &mut scanned);
        scanned.matches(text.as_bytes()).map(|found| found.keep()).collect()
    }

    proptest! {
        #[test]
        fn a_line_is_what_the_line_that_it_stands_for_would_be(
            lines in proptest::collection::vec(
                (
                    proptest::sample::select(vec!["Failed password for root", "Failed x for bob", "ignored Failed a for b", "", "-"]),
                    proptest::option::of(1..5u32),
                    0..60u8,
                    proptest::sample::select(vec!["\n", "\r\n"]),
                ),
                0..12,
            ),
            ended in any::<bool>(),
        ) {
            let (mut text, mut plain, mut offsets) = (String::new(), String::new(), Vec::new());
            for (words, times, second, end) in &lines {
                offsets.push((plain.len(), text.len(), times.unwrap_or(1)));
                let head = format!("Dec 10 06:55:{second:02} h sshd[7]: ");
                let repeated = times.map(|times| format!("message repeated {times} times: [ {words}]"));
                text += &format!("{head}{}{end}", repeated.as_deref().unwrap_or(words));
                plain += &format!("{head}{words}{end}");
            }
            if !ended {
                text.truncate(text.trim_end().len());
                plain.truncate(plain.len() - usize::from(plain.ends_with('\n')));
            }
            let mut expected = found(&plain, false);
            for found in &mut expected {
                let at = usize::try_from(found.at.offset - 7).expect("small");
                let (_, offset, times) = offsets.iter().find(|(plain, ..)| *plain == at).expect("a line");
                (found.at.offset, found.times) = (7 + *offset as u64, *times);
            }
            prop_assert_eq!(found(&text, true), expected, "{}", text);
        }
    }

    #[test]
    fn without_being_asked_nothing_is_repeated() {
        let line = "h sshd[7]: message repeated 5 times: [ Failed password for root]";
        assert_eq!(found(line, false), []);
        assert_eq!(found(line, true).len(), 1);
    }
}
