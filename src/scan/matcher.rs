//! Which rules the lines of a chunk fit, and what they capture.
//!
//! The sieve says where a pattern may match; bounds of lines are looked for there, and only there, and only there is a
//! pattern run by itself. Patterns that nothing can be watched for are asked of every line, all at once.

use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::ParserBuilder;

use super::frame::Line;
use super::runs::{self, OneOf};
use super::sieve::{Rates, Sieve};
use super::{Captures, MatchKind};
use crate::rule::{Pattern, Rule, RuleIx, Ruleset};

/// Bytes that the compiled form of a set may take: some hundred times what one pattern may.
const SET_SIZE: usize = 64 << 20;
/// Bytes of states that a set may keep while it searches; too few, and it forgets what it needs next.
const SET_STATES: usize = 16 << 20;

/// The rules of one source.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) seen: Vec<Seen>,
    /// What the sieve's numbers stand for, in their order.
    pub(super) hits: Vec<Hit>,
    /// What each of them may be watched for by.
    choices: Arc<[Vec<OneOf>]>,
    pub(super) sieve: Sieve,
    /// For patterns that the sieve cannot watch for.
    gates: Vec<Gate>,
}

/// What has to be known of a rule here.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) ix: RuleIx,
    captures: usize,
    ignore: Vec<Regex>,
    /// `resolve`, then `patterns`: the first that fits decides.
    deciding: Vec<Pattern>,
    pub(super) recoveries: usize,
}

/// A pattern that may fit: which rule of `seen`, which of its deciding patterns. The order is the order of judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    pub(super) seen: u32,
    pub(super) deciding: u32,
}

/// Room to work in, used again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    candidates: Vec<Candidate>,
    /// Where the groups of one pattern begin and end.
    slots: Vec<Option<NonMaxUsize>>,
}

/// A line that a pattern may fit, by where the line begins in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) line: usize,
    pub(super) hit: Hit,
}

#[derive(Clone, Debug)]
enum Gate {
    /// Many patterns in one pass.
    Set(RegexSet, Vec<Hit>),
    /// A pattern whose set could not be built.
    Single(Regex, Hit),
}

impl Matcher {
    pub(super) fn new(ruleset: &Ruleset, sees: impl Fn(&Rule) -> bool) -> Matcher {
        Matcher::with(ruleset, sees, SET_SIZE)
    }

    fn with(ruleset: &Ruleset, sees: impl Fn(&Rule) -> bool, set_size: usize) -> Matcher {
        let seen: Vec<Seen> =
            ruleset.iter().filter(|(_, rule)| sees(rule)).map(|(ix, rule)| Seen::new(ix, rule)).collect();
        let rates = Rates::usual();
        let (hits, patterns): (Vec<Hit>, Vec<&Pattern>) = deciding(&seen).unzip();
        let choices: Arc<[_]> = patterns.iter().map(|pattern| required(pattern, &rates)).collect();
        let first: Vec<_> = choices.iter().map(|choices| choices.first()).collect();
        let (sieve, left) = Sieve::new(&first, &rates);
        let left: Vec<(Hit, &Pattern)> = left.into_iter().map(|at| (hits[at], patterns[at])).collect();
        let gates = gates(&left, set_size);
        Matcher { hits, choices, sieve, gates, seen }
    }

    /// The same for a log that is like `sample`: patterns are watched for by what is rare in it.
    pub(super) fn attuned(&self, sample: &[u8]) -> Matcher {
        let rates = Rates::usual();
        let all: Vec<Option<&OneOf>> = self.choices.iter().flatten().map(Some).collect();
        let (trial, left) = Sieve::new(&all, &rates);
        let mut counts = vec![0u32; all.len()];
        left.into_iter().for_each(|number| counts[number] = u32::MAX);
        trial.sift(sample, |number, _| counts[number as usize] = counts[number as usize].saturating_add(1));
        let mut counts = counts.into_iter();
        let best: Vec<Option<&OneOf>> = self
            .choices
            .iter()
            .map(|choices| {
                choices.iter().zip(counts.by_ref()).min_by_key(|(_, count)| *count).map(|(one, _)| one)
            })
            .collect();
        // What can be watched for at all stays the same.
        let (sieve, _) = Sieve::new(&best, &rates);
        Matcher { sieve, ..self.clone() }
    }

    /// Tells `found` of every rule that a line of `chunk` fits: where the line begins, the line, and the rule; in the
    /// order of lines, then of rules.
    pub(super) fn judge(
        &self,
        chunk: &[u8],
        max_line: usize,
        room: &mut Room,
        mut found: impl FnMut(usize, Line<'_>, RuleIx, MatchKind, Captures),
    ) {
        let Room { candidates, slots } = room;
        self.gather(chunk, max_line, candidates);
        for candidates in candidates.chunk_by(|one, other| one.line == other.line) {
            let begin = candidates[0].line;
            let line = Line::of(line_at(chunk, begin), max_line);
            for candidates in candidates.chunk_by(|one, other| one.hit.seen == other.hit.seen) {
                let rule = &self.seen[candidates[0].hit.seen as usize];
                let decided = candidates.iter().find_map(|candidate| {
                    let deciding = candidate.hit.deciding as usize;
                    Some((deciding, rule.captures(deciding, line.text, slots)?))
                });
                let Some((deciding, captures)) = decided else { continue };
                if rule.ignore.iter().any(|regex| regex.is_match(line.text)) {
                    continue;
                }
                let kind = if deciding < rule.recoveries { MatchKind::Resolve } else { MatchKind::Match };
                found(begin, line, rule.ix, kind, captures);
            }
        }
    }

    /// Replaces what is in `candidates` by the lines of `chunk` that a pattern may fit, in the order of judgement.
    pub(super) fn gather(&self, chunk: &[u8], max_line: usize, candidates: &mut Vec<Candidate>) {
        candidates.clear();
        // Of the line that was hit last.
        let (mut begin, mut end) = (0, 0);
        self.sieve.sift(chunk, |waiting, place| {
            if !(begin..end).contains(&place) {
                begin = memrchr(b'\n', &chunk[..place]).map_or(0, |newline| newline + 1);
                end = memchr(b'\n', &chunk[place..]).map_or(chunk.len(), |newline| place + newline + 1);
            }
            candidates.push(Candidate { line: begin, hit: self.hits[waiting as usize] });
        });
        if !self.gates.is_empty() {
            self.ask_every_line(chunk, max_line, candidates);
        }
        candidates.sort_unstable();
        candidates.dedup();
    }

    /// What is matched of the line of `chunk` that begins at `begin`.
    pub(super) fn text<'c>(&self, chunk: &'c [u8], begin: usize, max_line: usize) -> &'c [u8] {
        Line::of(line_at(chunk, begin), max_line).text
    }

    fn ask_every_line(&self, chunk: &[u8], max_line: usize, candidates: &mut Vec<Candidate>) {
        let mut begin = 0;
        let ends = memchr_iter(b'\n', chunk).map(|newline| newline + 1);
        let last = (!chunk.ends_with(b"\n")).then_some(chunk.len());
        for end in ends.chain(last) {
            let text = Line::of(line_at(chunk, begin), max_line).text;
            for gate in &self.gates {
                match gate {
                    // Asking for all that fit allocates, so it is asked only of lines that fit something.
                    Gate::Set(set, of) if set.is_match(text) => {
                        let hits = set.matches(text);
                        candidates.extend(hits.iter().map(|place| Candidate { line: begin, hit: of[place] }));
                    }
                    Gate::Single(regex, hit) if regex.is_match(text) => {
                        candidates.push(Candidate { line: begin, hit: *hit });
                    }
                    Gate::Set(..) | Gate::Single(..) => {}
                }
            }
            begin = end;
        }
    }
}

/// The line of `chunk` that begins at `begin`, without its `\n`.
fn line_at(chunk: &[u8], begin: usize) -> &[u8] {
    let rest = &chunk[begin..];
    &rest[..memchr(b'\n', rest).unwrap_or(rest.len())]
}

impl Seen {
    fn new(ix: RuleIx, rule: &Rule) -> Seen {
        Seen {
            ix,
            captures: rule.captures.len(),
            ignore: rule.ignore.iter().map(|pattern| pattern.regex.clone()).collect(),
            deciding: rule.resolve.iter().chain(&rule.patterns).cloned().collect(),
            recoveries: rule.resolve.len(),
        }
    }

    /// One pattern by itself.
    pub(super) fn alone(pattern: &Pattern) -> Seen {
        let captures = pattern.slots.iter().map(|(_, slot)| slot + 1).max().unwrap_or(0);
        let deciding = vec![pattern.clone()];
        Seen { ix: RuleIx(0), captures, ignore: Vec::new(), deciding, recoveries: 0 }
    }

    pub(super) fn captures(
        &self,
        deciding: usize,
        line: &[u8],
        slots: &mut Vec<Option<NonMaxUsize>>,
    ) -> Option<Captures> {
        let pattern = &self.deciding[deciding];
        slots.clear();
        slots.resize(pattern.regex.group_info().slot_len(), None);
        pattern.regex.search_slots(&Input::new(line), slots)?;
        let mut captures = vec![None; self.captures];
        for (group, slot) in &pattern.slots {
            if let (Some(from), Some(to)) = (slots[2 * group], slots[2 * group + 1]) {
                captures[*slot] = Some(line[from.get()..to.get()].into());
            }
        }
        Some(captures)
    }
}

/// Every deciding pattern of every rule.
fn deciding(seen: &[Seen]) -> impl Iterator<Item = (Hit, &Pattern)> {
    (0u32..).zip(seen).flat_map(|(seen, rule)| {
        (0u32..).zip(&rule.deciding).map(move |(deciding, pattern)| (Hit { seen, deciding }, pattern))
    })
}

/// What every match of a pattern holds, as far as that is known.
fn required(pattern: &Pattern, rates: &Rates) -> Vec<OneOf> {
    let mut parser = ParserBuilder::new().utf8(false).unicode(pattern.unicode).build();
    let hir = parser.parse(&pattern.expanded);
    hir.map_or(Vec::new(), |hir| runs::required(&hir, &|run| rates.of_run(run)))
}

fn gates(left: &[(Hit, &Pattern)], size: usize) -> Vec<Gate> {
    [false, true]
        .into_iter()
        .flat_map(|unicode| {
            let (hits, patterns): (Vec<Hit>, Vec<&Pattern>) =
                left.iter().filter(|(_, pattern)| pattern.unicode == unicode).copied().unzip();
            if hits.is_empty() {
                return Vec::new();
            }
            let set = RegexSetBuilder::new(patterns.iter().map(|pattern| &*pattern.expanded))
                .unicode(unicode)
                .size_limit(size)
                .dfa_size_limit(SET_STATES)
                .build();
            match set {
                Ok(set) => vec![Gate::Set(set, hits)],
                Err(_) => hits
                    .into_iter()
                    .zip(patterns)
                    .map(|(hit, pattern)| Gate::Single(pattern.regex.clone(), hit))
                    .collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::samples::{compiled, rule};

    fn judged(matcher: &Matcher, line: &[u8]) -> Vec<(RuleIx, MatchKind, Captures)> {
        let mut all = Vec::new();
        matcher.judge(line, 1000, &mut Room::default(), |_, _, ix, kind, captures| {
            all.push((ix, kind, captures));
        });
        all
    }

    fn check(line: &str, expected: &[(u32, MatchKind, &[Option<&str>])]) {
        let rules = vec![
            rule(
                &["fail (?<user>\\w+)", "(?<word>x+)", "(?<user>y)"],
                &["ignored"],
                &["recovered (?<user>\\w+)"],
            ),
            rule(&["fail"], &[], &[]),
            rule(&["größe (?<n>\\d+)", "(?u)^\\w+$"], &[], &[]),
        ];
        let ruleset = Ruleset { rules };
        let sets = Matcher::new(&ruleset, |_| true);
        // One byte is too small for a set.
        let singles = Matcher::with(&ruleset, |_| true, 1);
        let expected: Vec<_> = expected
            .iter()
            .map(|(ix, kind, captures)| {
                let captures = captures.iter().map(|c| c.map(|text| text.as_bytes().into())).collect();
                (RuleIx(*ix), *kind, captures)
            })
            .collect();
        assert_eq!(judged(&sets, line.as_bytes()), expected, "{line}");
        assert_eq!(judged(&singles, line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn the_first_listed_pattern_that_fits_captures() {
        check("a yxx fail bob", &[(0, MatchKind::Match, &[Some("bob"), None]), (1, MatchKind::Match, &[])]);
        check("a yxx", &[(0, MatchKind::Match, &[None, Some("xx")])]);
        check("- y", &[(0, MatchKind::Match, &[Some("y"), None])]);
        check("- nothing", &[]);
    }

    #[test]
    fn what_is_ignored_is_neither_match_nor_recovery_for_that_rule() {
        check("fail bob, ignored", &[(1, MatchKind::Match, &[])]);
        check("recovered bob, ignored", &[]);
    }

    #[test]
    fn a_line_that_fits_both_recovers() {
        check(
            "fail bob, recovered eve",
            &[(0, MatchKind::Resolve, &[Some("eve"), None]), (1, MatchKind::Match, &[])],
        );
    }

    #[test]
    fn patterns_are_ascii_unless_they_ask_for_more() {
        check("größe ٣", &[(2, MatchKind::Match, &[Some("٣")])]);
        check("fail é", &[(1, MatchKind::Match, &[])]);
        check("größe", &[(2, MatchKind::Match, &[None])]);
    }

    #[test]
    fn a_rule_that_does_not_see_the_source_is_not_asked() {
        let ruleset = Ruleset { rules: vec![rule(&["a"], &[], &[]), rule(&["a|b"], &[], &[])] };
        let matcher = Matcher::new(&ruleset, |rule| rule.patterns[0].text.as_ref() == "a|b");
        assert_eq!(judged(&matcher, b"a"), [(RuleIx(1), MatchKind::Match, vec![])]);
    }

    #[test]
    fn a_pattern_is_compiled_as_it_is_asked() {
        for (text, line, fits) in [("\\d", "٣", false), ("(?u)\\d", "٣", true), ("é|\\d", "٣", true)] {
            assert_eq!(compiled(text).is_match(line.as_bytes()), fits, "{text}");
        }
    }
}
