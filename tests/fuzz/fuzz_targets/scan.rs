//! Any patterns, any text: the scan finds what each pattern finds by itself on each line, however the text is cut.
//!
//! The input is patterns, one a line and at most six, then an empty line, then the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use regex::bytes::RegexBuilder;
use tripline::config::{self, Text};
use tripline::model::FileId;
use tripline::scan::{Block, Scanned, Scanner, Tail};

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.windows(2).position(|pair| pair == b"\n\n") else { return };
    let (patterns, text) = (&input[..end], &input[end + 2..]);
    let Ok(patterns) = std::str::from_utf8(patterns) else { return };
    // A line's head of NULs is no text, which is tested elsewhere.
    let plain = |pattern: &str| pattern.len() <= 48 && pattern.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    if text.contains(&0) || !patterns.lines().all(plain) {
        return;
    }
    let mut rules = String::new();
    let mut naive = Vec::new();
    for pattern in patterns.lines().take(6) {
        // What a rule may not say is not what is looked for here.
        let unicode = pattern.contains("(?u") || pattern.contains('u');
        let Ok(regex) = RegexBuilder::new(pattern).unicode(false).size_limit(1 << 18).build() else { return };
        if unicode || pattern.contains("%{") || pattern.contains("'") {
            return;
        }
        let name = format!("r{}", naive.len());
        rules += &format!("[[rule]]\nname = '{name}'\nsource = 's'\nmatch = '{pattern}'\nallow_slow = true\n");
        naive.push(regex);
    }
    let text_of_rules = Text { path: "rules.toml".into(), text: rules };
    let (Some(ruleset), _) = config::ruleset(&[text_of_rules], None, &[], &jiff::tz::TimeZone::UTC) else { return };

    let mut expected = Vec::new();
    let mut offset = 0;
    for piece in text.split_inclusive(|byte| *byte == b'\n') {
        let line = piece.strip_suffix(b"\n").unwrap_or(piece);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        for (rule, regex) in naive.iter().enumerate() {
            if regex.is_match(line) {
                expected.push((offset as u64, rule as u32));
            }
        }
        offset += piece.len();
    }

    let mut scanner = Scanner::new(&ruleset, |rule| !rule.sources.is_empty(), 64 << 10);
    if text.len() % 2 == 0 {
        scanner = scanner.attuned(text);
    }
    let cut = text.first().map_or(0, |byte| usize::from(*byte) * text.len() / 256);
    let (mut found, mut scanned, mut at) = (Vec::new(), Scanned::default(), 0);
    for (to, tail) in [(cut, Tail::Wait), (text.len(), Tail::Final)] {
        let bytes = &text[at..to];
        scanner.scan(Block { file: FileId(1), offset: at as u64, bytes, skipping: false, tail }, &mut scanned);
        found.extend(scanned.matches(bytes).map(|found| (found.at.offset, found.rule.0)));
        at += scanned.consumed;
    }
    assert_eq!(found, expected, "{patterns:?} on {}", text.escape_ascii());
});
