//! Which lines tripline takes for something else than they were made for.
//!
//! The program only says how many matches there were. So the same log goes through the library once more, as `replay`
//! reads it, while the generator tells line by line what each was made for.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use tripline::config::{self, Text};
use tripline::model::FileId;
use tripline::scan::{Block, SAMPLE, Scanned, Scanner, Tail};

use crate::{cell, corpus};

const BLOCK: usize = 256 << 10;
const MAX_LINE: usize = 64 << 10;
/// More would not help to understand.
const SHOWN: usize = 5;

/// The first lines that went astray, each with the patterns it was made for and found by. `made` begins where `log`
/// does.
pub(crate) fn lines(rules: String, patterns: &[String], log: &cell::Log, made: corpus::Log) -> Vec<String> {
    let text = Text { path: PathBuf::from("rules.toml"), text: rules };
    let (Some(ruleset), _) = config::ruleset(&[text], None, &[], &jiff::tz::TimeZone::UTC) else {
        return vec!["the rules are wrong".to_owned()];
    };
    let scanner = Scanner::new(&ruleset, |rule| !rule.sources.is_empty(), MAX_LINE);
    let name = |ix| ruleset.rule(ix).name.to_string();
    compare(scanner, name, patterns, log, made).unwrap_or_else(|error| vec![error.to_string()])
}

fn compare(
    mut scanner: Scanner,
    name: impl Fn(tripline::rule::RuleIx) -> String,
    patterns: &[String],
    log: &cell::Log,
    mut made: corpus::Log,
) -> io::Result<Vec<String>> {
    let mut file = File::open(&log.path)?;
    let (mut rest, mut offset, mut line_at, mut attune) = (Vec::new(), 0, 0, true);
    let mut scanned = Scanned::default();
    let mut astray = Vec::new();
    let mut line = Vec::new();
    while astray.len() < SHOWN {
        let before = rest.len();
        let read = file.by_ref().take(BLOCK as u64).read_to_end(&mut rest)?;
        let tail = if read == 0 { Tail::Final } else { Tail::Wait };
        if attune && before + read >= SAMPLE {
            scanner = scanner.attuned(&rest);
            attune = false;
        }
        scanner.scan(Block { file: FileId(1), offset, bytes: &rest, skipping: false, tail }, &mut scanned);
        let mut found: Vec<(u64, String)> =
            scanned.matches(&rest).map(|found| (found.at.offset, name(found.rule))).collect();
        offset += scanned.consumed as u64;
        rest.drain(..scanned.consumed);
        found.sort();
        let mut found = found.into_iter().peekable();
        while line_at < offset {
            line.clear();
            let wanted: Vec<String> =
                made.line(&mut line).map(|rule| format!("rule_{rule}")).into_iter().collect();
            let end = line_at + line.len() as u64;
            let mut got = Vec::new();
            while let Some((_, rule)) = found.next_if(|(at, _)| *at < end) {
                got.push(rule);
            }
            if got != wanted && astray.len() < SHOWN {
                astray.push(format!(
                    "at {line_at}, made for {}, found by {}: `{}`",
                    shown(&wanted, patterns),
                    shown(&got, patterns),
                    String::from_utf8_lossy(&line).trim_end()
                ));
            }
            line_at = end;
        }
        if read == 0 {
            break;
        }
    }
    if astray.is_empty() {
        astray.push("the library takes every line for what it was made for".to_owned());
    }
    Ok(astray)
}

fn shown(rules: &[String], patterns: &[String]) -> String {
    let pattern = |rule: &String| {
        let ix = rule.strip_prefix("rule_").and_then(|ix| ix.parse::<usize>().ok());
        format!("`{}`", ix.and_then(|ix| patterns.get(ix)).unwrap_or(rule))
    };
    if rules.is_empty() {
        "no rule".to_owned()
    } else {
        rules.iter().map(pattern).collect::<Vec<_>>().join(" and ")
    }
}
