//! Real logs, which cannot be part of the project: what the scan finds in them is what each pattern finds by itself.

#![expect(clippy::disallowed_methods, reason = "logs lie in a folder that a variable may name")]
#![expect(clippy::print_stderr, reason = "a test that checks nothing must not look like one that passed")]

use std::fmt::Write as _;
use std::path::Path;

use fastrand::Rng;
use regex::bytes::{Regex, RegexBuilder};
use tripline::config::{self, Text};
use tripline::model::FileId;
use tripline::scan::{Block, Captures, Scanned, Scanner, Tail};

/// Bytes read at once: lines are cut anywhere.
const BLOCK: usize = 10_007;

/// All logs, one behind the other.
fn logs() -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("TRIPLINE_LOGS").map_or(beside, Into::into);
    let entries = std::fs::read_dir(&folder).ok().into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    let logs: Vec<u8> = paths.iter().flat_map(|path| std::fs::read(path).expect("a readable log")).collect();
    if logs.is_empty() {
        eprintln!(
            "NOT CHECKED: {} holds no real logs to hold the scan against; TRIPLINE_LOGS names another folder",
            folder.display()
        );
    }
    (!logs.is_empty()).then_some(logs)
}

/// A pattern made from a piece of one of `lines`: as an author might who has the line before him.
fn pattern(lines: &[&[u8]], rng: &mut Rng) -> String {
    loop {
        let line = lines[rng.usize(..lines.len())];
        let from = rng.usize(..line.len());
        let piece = &line[from..line.len().min(from + rng.usize(3..24))];
        let plain = |piece: &&str| piece.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let Some(piece) = std::str::from_utf8(piece).ok().filter(plain) else { continue };
        let mut pattern = String::new();
        let mut inside_number = false;
        for char in piece.chars() {
            if char.is_ascii_digit() {
                if !std::mem::replace(&mut inside_number, true) {
                    pattern += ["\\d+", "(?<n>\\d+)", "[0-9]{1,9}"][rng.usize(..3)];
                }
                continue;
            }
            inside_number = false;
            match rng.u8(..24) {
                0 => pattern += ".",
                1 => pattern += "\\S*?",
                2 => pattern += ".*",
                _ => pattern += &regex::escape(&char.to_string()),
            }
        }
        if rng.u8(..8) == 0 {
            pattern = format!("(?i){pattern}");
        }
        if rng.u8(..16) == 0 && from == 0 {
            pattern = format!("^{pattern}");
        }
        // One group of a name, and a line of its own in a rule file.
        if pattern.matches("?<n>").count() <= 1 && !pattern.contains('\'') && !pattern.contains("%{") {
            return pattern;
        }
    }
}

fn check(logs: &[u8], rules: usize, every: usize) {
    let lines: Vec<&[u8]> = logs.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut rng = Rng::with_seed(rules as u64);
    let patterns: Vec<String> = (0..rules).map(|_| pattern(&lines, &mut rng)).collect();
    let mut text = String::new();
    for (number, pattern) in patterns.iter().enumerate() {
        let _ = writeln!(text, "[[rule]]\nname = 'r{number}'\nsource = 's'\nmatch = '{pattern}'");
    }
    let (ruleset, problems) =
        config::ruleset(&[Text { path: "rules.toml".into(), text }], None, &[], &jiff::tz::TimeZone::UTC);
    let ruleset = ruleset.unwrap_or_else(|| panic!("{problems:#?}"));
    let log: Vec<u8> =
        lines.iter().step_by(every).flat_map(|line| [line, b"\n".as_slice()].concat()).collect();

    let compiled = |pattern: &String| RegexBuilder::new(pattern).unicode(false).build().expect("a pattern");
    let naive: Vec<Regex> = patterns.iter().map(compiled).collect();
    let mut expected = Vec::new();
    let mut offset = 0;
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let text = &line[..line.len() - 1];
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        for (rule, regex) in (0u32..).zip(&naive).filter(|(_, regex)| regex.is_match(text)) {
            let captures = regex.captures(text).expect("it fits");
            let number = captures.name("n").map(|number| number.as_bytes().to_vec());
            expected.push((offset as u64, rule, number));
        }
        offset += line.len();
    }
    assert!(expected.len() > rules, "{} matches prove little", expected.len());

    let scanner = Scanner::new(&ruleset, |rule| !rule.sources.is_empty(), 64 << 10);
    for scanner in [scanner.attuned(&log[..log.len().min(64 << 10)]), scanner] {
        let (mut found, mut scanned, mut at) = (Vec::new(), Scanned::default(), 0);
        while at < log.len() {
            let bytes = &log[at..log.len().min(at + BLOCK)];
            let block =
                Block { file: FileId(1), offset: at as u64, bytes, skipping: false, tail: Tail::Wait };
            scanner.scan(block, &mut scanned);
            let number = |captures: Captures<'_>| captures.get(0).map(<[u8]>::to_vec);
            let seen =
                scanned.matches(bytes).map(|seen| (seen.at.offset, seen.rule.0, number(seen.captures)));
            found.extend(seen);
            at += scanned.consumed;
        }
        let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert!(
            differs.is_none(),
            "{differs:?} {:?}",
            differs.map(|(_, (_, rule, _))| &patterns[*rule as usize])
        );
        assert_eq!(found.len(), expected.len(), "{rules} rules");
    }
}

#[test]
fn a_hundred_rules_find_in_real_logs_what_each_finds_by_itself() {
    if let Some(logs) = logs() {
        check(&logs, 100, 1);
    }
}

#[test]
fn a_thousand_rules_find_in_real_logs_what_each_finds_by_itself() {
    if let Some(logs) = logs() {
        check(&logs, 1000, 8);
    }
}
