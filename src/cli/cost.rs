//! What the patterns of rules cost, for authors: a table or JSON, the most expensive first.
//!
//! Patterns and rules are text of others here, and the bytes of a log are only counted.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::{Failure, json_line};
use crate::config::probe::{LINE, Probe};
use crate::rule::Ruleset;
use crate::scan::plan::{PatternPlan, Tally, Tier, Tried, Watch};
use crate::scan::{MatchKind, SAMPLE, Scanner};
use crate::untrusted::Untrusted;

/// Bytes of a sample that are read at once.
const BLOCK: usize = 1 << 20;
/// Characters of a line of the table that show what is watched for.
const WATCHED: usize = 40;

/// What every pattern costs.
#[derive(Debug)]
pub(super) struct Costs {
    /// The most expensive first.
    rows: Vec<Row>,
    /// The lines of the sample.
    lines: Option<u64>,
}

/// One pattern, as a machine gets it.
#[derive(Debug, Serialize)]
struct Row {
    rule: String,
    /// `match` or `resolve`; `where` for what was made from that.
    key: &'static str,
    /// Where in the list of that key, from 1.
    number: usize,
    pattern: String,
    tier: &'static str,
    /// Each of the runs, one of which stands in every line that is tried.
    watched_for: Vec<String>,
    /// For the hardest of the lines of 64 KiB that it was tried on, in microseconds; there if it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_us: Option<u64>,
    #[serde(flatten)]
    sampled: Option<Sampled>,
}

/// What the pattern came to on the sample.
#[derive(Debug, Serialize)]
struct Sampled {
    sample_lines: u64,
    sample_bytes: u64,
    /// Lines on which it was tried.
    candidates: u64,
    candidates_per_million_lines: u64,
    /// Lines that it fits.
    matches: u64,
}

/// What the patterns of `ruleset` cost, by what `probe` has tried and by the lines of `sample`.
pub(super) fn costs(ruleset: &Ruleset, probe: &Probe, sample: Option<&Path>) -> Result<Costs, Failure> {
    let mut scanner = Scanner::new(ruleset, |_| true, LINE);
    let tally = match sample {
        Some(path) => {
            let unreadable = |error| Failure(format!("can not read `{}`: {error}", path.display()));
            let file = File::open(path).map_err(unreadable)?;
            Some(count(&mut scanner, file).map_err(unreadable)?)
        }
        None => None,
    };
    let row = |at: usize, plan: &PatternPlan| {
        let rule = ruleset.rule(plan.rule);
        let (key, patterns) = match plan.kind {
            MatchKind::Match if rule.whole => ("where", &rule.patterns),
            MatchKind::Match => ("match", &rule.patterns),
            MatchKind::Resolve => ("resolve", &rule.resolve),
        };
        let pattern = &patterns[plan.number];
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let sampled = tally.as_ref().map(|tally| {
            let tried = tally.patterns.get(at).copied().unwrap_or_default();
            sampled(tally, tried)
        });
        let row = Row {
            rule: rule.name.as_str().to_owned(),
            key,
            number: plan.number + 1,
            pattern: pattern.text.to_string(),
            tier: plan.tier().as_str(),
            watched_for: plan.watches.iter().map(shown).collect(),
            probe_us: probe.cost(pattern).map(|cost| micros(cost.took)),
            sampled,
        };
        (plan.tier(), row)
    };
    let mut rows: Vec<(Tier, Row)> =
        scanner.plan().iter().enumerate().map(|(at, plan)| row(at, plan)).collect();
    rows.sort_by_cached_key(|(tier, row)| {
        // How often it is tried times what that takes; without a sample the tier says how often that may be.
        let each = u128::from(row.probe_us.unwrap_or(1));
        let work = row.sampled.as_ref().map(|sampled| u128::from(sampled.candidates) * each);
        (Reverse((work, *tier, row.probe_us)), row.rule.clone(), row.number)
    });
    Ok(Costs { rows: rows.into_iter().map(|(_, row)| row).collect(), lines: tally.map(|tally| tally.lines) })
}

fn sampled(tally: &Tally, tried: Tried) -> Sampled {
    let rate = u128::from(tried.lines) * 1_000_000 / u128::from(tally.lines.max(1));
    Sampled {
        sample_lines: tally.lines,
        sample_bytes: tally.bytes,
        candidates: tried.lines,
        candidates_per_million_lines: u64::try_from(rate).unwrap_or(u64::MAX),
        matches: tried.fits,
    }
}

/// Counts what the patterns come to on a log of any size. The first block shows what the log is like, as it does
/// where logs are followed.
fn count(scanner: &mut Scanner, mut log: impl std::io::Read) -> std::io::Result<Tally> {
    let (mut tally, mut rest, mut first, mut skipping) = (Tally::default(), Vec::new(), true, false);
    loop {
        let before = rest.len();
        let read = loop {
            match log.by_ref().take(BLOCK as u64).read_to_end(&mut rest) {
                Err(error) if error.kind() == ErrorKind::Interrupted => rest.truncate(before),
                result => break result?,
            }
        };
        if std::mem::take(&mut first) && rest.len() >= SAMPLE {
            *scanner = scanner.attuned(&rest);
        }
        if std::mem::take(&mut skipping) {
            // The rest of a line whose head was counted.
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |newline| newline + 1);
            skipping = end == rest.len() && !rest.ends_with(b"\n") && read > 0;
            tally.bytes += end as u64;
            rest.drain(..end);
        }
        let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) if read > 0 => newline + 1,
            None if read > 0 && rest.len() <= LINE => 0,
            // A line that does not end is counted by its head; so is the last one.
            _ => {
                skipping = !rest.is_empty() && read > 0;
                rest.len()
            }
        };
        scanner.tally(&rest[..whole], &mut tally);
        rest.drain(..whole);
        if read == 0 {
            return Ok(tally);
        }
    }
}

/// A run as an author would write it: literal text, and classes in brackets.
fn shown(watch: &Watch) -> String {
    let (mut out, mut text) = (String::new(), Vec::new());
    for place in &watch.run {
        if let [byte] = place.as_slice() {
            text.push(*byte);
            continue;
        }
        literal(&mut out, &mut text);
        class(&mut out, place);
    }
    literal(&mut out, &mut text);
    out
}

/// Text that stands for itself; signs that would be read as a class have a backslash.
fn literal(out: &mut String, text: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if ['[', ']', '.', '\\'].contains(&c) {
                out.push('\\');
            }
            let _ = write!(out, "{}", Untrusted(c.encode_utf8(&mut [0; 4])));
        }
        let _ = write!(out, "{}", chunk.invalid().escape_ascii());
    }
    text.clear();
}

fn class(out: &mut String, bytes: &[u8]) {
    let missing: Vec<u8> = (0..=255).filter(|byte| !bytes.contains(byte)).collect();
    if missing.is_empty() || missing == *b"\n" {
        out.push('.');
        return;
    }
    let negated = missing.len() < bytes.len();
    out.push_str(if negated { "[^" } else { "[" });
    let mut left = if negated { missing.as_slice() } else { bytes };
    while let Some(from) = left.first() {
        let length = left.iter().zip(*from..=255).take_while(|(byte, next)| **byte == *next).count();
        let (range, others) = left.split_at(length);
        left = others;
        if let [first, _, .., last] = range {
            member(out, *first);
            out.push('-');
            member(out, *last);
        } else {
            range.iter().for_each(|byte| member(out, *byte));
        }
    }
    out.push(']');
}

fn member(out: &mut String, byte: u8) {
    match byte {
        b'-' | b']' | b'[' | b'^' => out.extend(['\\', char::from(byte)]),
        byte => out.extend(byte.escape_ascii().map(char::from)),
    }
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most - 1) {
        Some((at, c)) if text.len() > at + c.len_utf8() => format!("{}…", &text[..at]),
        _ => text.to_owned(),
    }
}

impl Costs {
    /// One JSON object per pattern and line.
    pub(super) fn json(&self) -> String {
        let row = |row: &Row| json_line(row);
        self.rows.iter().map(row).collect()
    }

    /// A table of at most 100 columns.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        let (tried, fits) = match self.lines {
            Some(lines) => {
                let _ = writeln!(out, "on {lines} lines; `tried` is for each million of them");
                ("tried", "fits")
            }
            None => ("", ""),
        };
        let mut line = |tier: &str, cost: &str, tried: &str, fits: &str, watched: &str, name: &str| {
            let sampled = if self.lines.is_some() { format!(" {tried:>8} {fits:>7}") } else { String::new() };
            let row = format!(
                "{cost:>8}  {tier:<10}{sampled}  {:<WATCHED$}  {}",
                cut(watched, WATCHED),
                cut(name, 24)
            );
            let _ = writeln!(out, "{}", row.trim_end());
        };
        line("filter", "64 KiB", tried, fits, "watched for", "rule");
        for row in &self.rows {
            let cost = match row.probe_us {
                None => "-".to_owned(),
                Some(us @ 0..100_000) => format!("{}.{:02} ms", us / 1000, us % 1000 / 10),
                Some(us) => format!("{} ms", us / 1000),
            };
            let (tried, fits) = row.sampled.as_ref().map_or_else(Default::default, |sampled| {
                (sampled.candidates_per_million_lines.to_string(), sampled.matches.to_string())
            });
            let watched = match row.watched_for.as_slice() {
                [] => "-".to_owned(),
                runs => runs.join(" or "),
            };
            let name = match (row.key, row.number) {
                ("match" | "where", 1) => row.rule.clone(),
                (key, number) => format!("{} {key} {number}", row.rule),
            };
            line(row.tier, &cost, &tried, &fits, &watched, &name);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Text, ruleset};
    use crate::untrusted::is_hostile;

    fn rules(patterns: &[&str]) -> Ruleset {
        let mut text = String::new();
        for (number, pattern) in patterns.iter().enumerate() {
            let _ = writeln!(text, "[[rule]]\nname = 'r{number}'\nsource = 's'\nmatch = '{pattern}'");
        }
        ruleset(&[Text { path: "a".into(), text }], None, &[], &jiff::tz::TimeZone::UTC)
            .0
            .expect("right rules")
    }

    fn check(run: &[&[u8]], expected: &str) {
        let run = run.iter().map(|place| place.to_vec()).collect();
        assert_eq!(shown(&Watch { tier: Tier::Words, run }), expected);
    }

    #[test]
    fn a_run_reads_as_an_author_would_write_it() {
        let all: Vec<u8> = (0..=255).collect();
        let no_blank: Vec<u8> = all.iter().copied().filter(|byte| *byte != b' ').collect();
        check(&[b"5", b"0123456789", b"aA"], "5[0-9][Aa]".replace("[Aa]", "[aA]").as_str());
        check(&[b"[", b"0123456789", b"]", b"."], r"\[[0-9]\]\.");
        check(
            &["größe".as_bytes(), b"x"].concat().iter().map(std::slice::from_ref).collect::<Vec<_>>(),
            "größex",
        );
        check(&[&all, &no_blank], ".[^ ]");
        check(&[b"-^ab"], r"[\-\^ab]");
    }

    #[test]
    fn hostile_bytes_are_shown_as_escapes() {
        let hostile = "\x1b[31m\u{202e}\u{200b}\r\n\t";
        let run: Vec<Vec<u8>> =
            hostile.bytes().map(|byte| vec![byte]).chain([vec![0xff], vec![7, 27]]).collect();
        let shown = shown(&Watch { tier: Tier::Words, run });
        assert!(!shown.chars().any(is_hostile), "{shown:?}");
        assert!(shown.ends_with("\\xff[\\x07\\x1b]"), "{shown}");
    }

    /// Lines, and what the pattern `x` came to on them.
    fn check_count(log: &[u8], lines: u64, candidates: u64, fits: u64) {
        let mut scanner = Scanner::new(&rules(&["xyz"]), |_| true, LINE);
        let tally = count(&mut scanner, log).expect("a log in memory");
        let tried = Tried { lines: candidates, fits };
        assert_eq!(tally, Tally { lines, bytes: log.len() as u64, patterns: vec![tried] });
    }

    #[test]
    fn a_sample_of_any_shape_is_counted_line_by_line() {
        check_count(b"", 0, 0, 0);
        check_count(b"xyz\n-\nxyz", 3, 2, 2);
        check_count(&b"- xyz -\n".repeat(300_000), 300_000, 300_000, 300_000);
        let long = [&vec![b'-'; 3 * BLOCK + 5], &b"xyz\nxyz\n"[..]].concat();
        check_count(&long, 2, 1, 1);
        check_count(&vec![b'-'; 2 * BLOCK], 1, 0, 0);
    }

    #[test]
    fn what_is_tried_on_every_line_comes_first() {
        let costs = costs(&rules(&["Connection refused", "\\w", "ERROR"]), &Probe::none(), None).unwrap();
        let order: Vec<&str> = costs.rows.iter().map(|row| row.rule.as_str()).collect();
        assert_eq!(order, ["r1", "r2", "r0"]);
        assert!(costs.table().lines().all(|line| line.chars().count() <= 100), "{}", costs.table());
        assert_eq!(costs.json().lines().count(), 3);
    }
}
