//! Which rules the lines of a chunk fit, and what they capture.
//!
//! The sieve says where a pattern may match; bounds of lines are looked for there, and only there, and only there is a
//! pattern run by itself. Patterns that nothing can be watched for are asked of every line, all at once.

use std::sync::Arc;

use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{Extractor, Literal};

use super::backtrack::{self, Backtracker};
use super::fields::{Fields, Reader};
use super::frame::Line;
use super::gate::{self, Asked, Gate};
use super::record::Record;
use super::runs::{self, OneOf};
use super::sieve::{Choice, Rates, Sieve};
use super::stamp::Stamp;
use super::{MatchKind, Span, unwrap};
use crate::model::Format;
use crate::rule::{Pattern, Rule, RuleIx, Ruleset};

/// The rules of one source.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    pub(super) seen: Arc<[Seen]>,
    /// What the sieve's numbers stand for, in their order.
    pub(super) hits: Arc<[Hit]>,
    /// What each of them may be watched for by; nothing, if it is left to the gate.
    choices: Arc<[Vec<OneOf>]>,
    pub(super) sieve: Sieve,
    /// For patterns that the sieve cannot watch for.
    pub(super) gate: Arc<Gate>,
    /// For the fields that any of the rules names.
    pub(super) reader: Arc<Reader>,
}

/// Texts that are looked for one after the other rather than by a regex.
const MOST_LITERALS: usize = 4;

/// What has to be known of a rule here.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) ix: RuleIx,
    captures: usize,
    /// Captures that are taken from fields where no pattern captures them, and where the reader has each.
    fields: Vec<(usize, usize)>,
    /// See [`Rule::whole`].
    whole: bool,
    ignore: Vec<Regex>,
    /// `resolve`, then `patterns`: the first that fits decides.
    deciding: Vec<Deciding>,
    pub(super) recoveries: usize,
}

/// A pattern in the two forms in which it is run.
#[derive(Clone, Debug)]
struct Deciding {
    regex: Regex,
    /// See [`Pattern::slots`].
    slots: Vec<(usize, usize)>,
    /// The quicker one, for patterns and lines that it is made for.
    backtracker: Option<Backtracker>,
    /// All texts that it fits, if these are few and it captures nothing: looking for them is quicker.
    literals: Option<Vec<Finder<'static>>>,
    /// See [`Pattern::also`].
    also: Vec<Deciding>,
}

/// A rule that a line fits.
pub(super) struct Fit<'a> {
    /// Where the line begins in its chunk, or the number of the record.
    pub(super) begin: usize,
    pub(super) line: Line<'a>,
    pub(super) rule: RuleIx,
    pub(super) kind: MatchKind,
    /// Of the captures of the rule, in the line's text.
    pub(super) spans: &'a [Option<Span>],
    /// What a field says of when it was written.
    pub(super) stamp: Option<Stamp>,
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
    pub(super) candidates: Vec<Candidate>,
    /// Where something stands in a block that a pattern waits for, and which.
    pub(super) places: Vec<(u32, u32)>,
    pub(super) records: Vec<Record>,
    pub(super) unwrap: unwrap::Room,
    pub(super) backtrack: backtrack::Room,
    /// Where the groups of one pattern begin and end.
    slots: Vec<Option<NonMaxUsize>>,
    spans: Vec<Option<Span>>,
    /// Of the line that is being judged; their texts are those of all lines since they were taken.
    pub(super) fields: Fields,
    /// Lines that have no fields, though they were wanted, since this was taken.
    pub(super) unparsed: u64,
}

/// A line that a pattern may fit, by where it begins in its chunk; or a record, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    line: u32,
    pub(super) hit: Hit,
    /// Where the line ends, without its `\n`.
    end: u32,
}

impl Matcher {
    /// `joins`: lines are joined to records, so that a match may lie in several of them.
    pub(super) fn new(
        ruleset: &Ruleset,
        sees: impl Fn(&Rule) -> bool,
        format: Format,
        joins: bool,
    ) -> Matcher {
        Matcher::with(ruleset, sees, format, joins, gate::MOST)
    }

    fn with(
        ruleset: &Ruleset,
        sees: impl Fn(&Rule) -> bool,
        format: Format,
        joins: bool,
        gate_size: usize,
    ) -> Matcher {
        let rules: Vec<(RuleIx, &Rule)> = ruleset.iter().filter(|(_, rule)| sees(rule)).collect();
        let rates = Rates::usual();
        let fields = rules.iter().flat_map(|(_, rule)| rule.field_names());
        let reader = Reader::new(format, fields);
        let seen: Arc<[Seen]> =
            rules.iter().map(|(ix, rule)| Seen::new(*ix, rule, &reader, &rates)).collect();
        let deciding = (0u32..).zip(&rules).flat_map(|(seen, (_, rule))| {
            (0u32..).zip(deciding(rule)).map(move |(deciding, pattern)| (Hit { seen, deciding }, pattern))
        });
        let (hits, patterns): (Vec<Hit>, Vec<&Pattern>) = deciding.unzip();
        let mut choices: Vec<_> = patterns.iter().map(|pattern| required(pattern, &rates)).collect();
        if joins {
            let within = |all| runs::within_lines(all, &|run| rates.of_run(run));
            choices = choices.into_iter().map(within).collect();
        }
        let first: Vec<_> =
            choices.iter().map(|choices| choices.first().map(|runs| Choice::new(runs, &rates))).collect();
        let first: Vec<_> = first.iter().map(Option::as_ref).collect();
        let (sieve, left) = Sieve::new(&first, &rates);
        left.iter().for_each(|at| choices[*at].clear());
        let asked = |at: usize| Asked { number: at as u32, pattern: patterns[at] };
        let asked: Vec<Asked<'_>> = left.into_iter().map(asked).collect();
        let gate = Arc::new(Gate::new(&asked, gate_size));
        Matcher { hits: hits.into(), choices: choices.into(), sieve, gate, seen, reader: reader.into() }
    }

    /// The same for a log that is like `sample`: patterns are watched for by what is rare in it.
    pub(super) fn attuned(&self, sample: &[u8]) -> Matcher {
        let rates = Rates::of_log(sample);
        let choices: Vec<Choice<'_>> =
            self.choices.iter().flatten().map(|runs| Choice::new(runs, &rates)).collect();
        let all: Vec<_> = choices.iter().map(Some).collect();
        let (trial, left) = Sieve::new(&all, &rates);
        let mut counts = vec![0u32; all.len()];
        left.into_iter().for_each(|number| counts[number] = u32::MAX);
        trial.sift(sample, |number, _| counts[number as usize] = counts[number as usize].saturating_add(1));
        let mut counted = choices.iter().zip(counts);
        let best = |all: &Vec<OneOf>| {
            let all = counted.by_ref().take(all.len());
            all.min_by(|(one, count), (other, more)| {
                count.cmp(more).then_with(|| one.rate.total_cmp(&other.rate))
            })
        };
        let best: Vec<_> = self.choices.iter().map(best).map(|best| best.map(|(choice, _)| choice)).collect();
        Matcher { sieve: Sieve::of(&best, &rates), ..self.clone() }
    }

    /// Tells `found` of every rule that a line of `chunk` fits, in the order of lines, then of rules; adds to `tried` the
    /// rules that were tried.
    pub(super) fn judge(
        &self,
        chunk: &[u8],
        max_line: usize,
        room: &mut Room,
        tried: &mut Vec<RuleIx>,
        found: impl FnMut(Fit<'_>),
    ) {
        let mut candidates = std::mem::take(&mut room.candidates);
        self.gather(chunk, max_line, &mut candidates);
        self.try_each(&candidates, |candidate| candidate.line(chunk, max_line), room, tried, found);
        room.candidates = candidates;
    }

    /// The same of candidates, of which `line` says what each stands for.
    pub(super) fn try_each<'l>(
        &self,
        candidates: &[Candidate],
        line: impl Fn(&Candidate) -> Line<'l>,
        room: &mut Room,
        tried: &mut Vec<RuleIx>,
        mut found: impl FnMut(Fit<'_>),
    ) {
        for candidates in candidates.chunk_by(|one, other| one.line == other.line) {
            let Candidate { line: begin, .. } = candidates[0];
            let line = line(&candidates[0]);
            // Fields are read once, for all rules, and not before one of them wants the line.
            let mut read: Option<bool> = None;
            for candidates in candidates.chunk_by(|one, other| one.hit.seen == other.hit.seen) {
                let rule = &self.seen[candidates[0].hit.seen as usize];
                tried.push(rule.ix);
                let mut patterns = candidates.iter().map(|candidate| candidate.hit.deciding as usize);
                let fits = |deciding: &usize| rule.fits(*deciding, line.text, room);
                let Some(deciding) = patterns.find(fits) else { continue };
                if rule.ignore.iter().any(|regex| regex.is_match(line.text)) {
                    continue;
                }
                let kind = if deciding < rule.recoveries { MatchKind::Resolve } else { MatchKind::Match };
                let is_read = *read.get_or_insert_with(|| {
                    let is_read =
                        self.reader.is_structured() && self.reader.read(line.text, &mut room.fields);
                    room.unparsed += u64::from(self.reader.is_structured() && !is_read);
                    is_read
                });
                if !is_read && rule.whole && kind == MatchKind::Match {
                    continue;
                }
                let mut stamp = None;
                if is_read {
                    let Room { spans, fields, .. } = &mut *room;
                    rule.fields.iter().for_each(|(capture, field)| {
                        spans[*capture] = spans[*capture].or(fields.all[*field]);
                    });
                    stamp = self.reader.stamp_in(line.text, fields);
                }
                let spans = &room.spans;
                found(Fit { begin: begin as usize, line, rule: rule.ix, kind, spans, stamp });
            }
        }
    }

    /// Replaces what is in `candidates` by the lines of `chunk` that a pattern may fit, in the order of judgement.
    pub(super) fn gather(&self, chunk: &[u8], max_line: usize, candidates: &mut Vec<Candidate>) {
        candidates.clear();
        // Of the line that was hit last; none at first.
        let (mut begin, mut end) = (1, 0);
        self.sieve.sift(chunk, |waiting, place| {
            if !(begin..=end).contains(&place) {
                begin = memrchr(b'\n', &chunk[..place]).map_or(0, |newline| newline + 1);
                end = memchr(b'\n', &chunk[place..]).map_or(chunk.len(), |newline| place + newline);
            }
            let hit = self.hits[waiting as usize];
            candidates.push(Candidate { line: begin as u32, hit, end: end as u32 });
        });
        if !self.gate.is_empty() {
            self.gate.ask(chunk, max_line, |waiting, begin, end| {
                let hit = self.hits[waiting as usize];
                candidates.push(Candidate { line: begin as u32, hit, end: end as u32 });
            });
        }
        candidates.sort_unstable();
        candidates.dedup();
    }
}

impl Candidate {
    /// A record that a pattern may fit.
    pub(super) fn of_record(number: usize, hit: Hit) -> Candidate {
        Candidate { line: number as u32, hit, end: 0 }
    }

    /// The number of the record.
    pub(super) fn record(&self) -> usize {
        self.line as usize
    }

    /// The line, of the chunk in which it was found.
    #[inline]
    pub(super) fn line<'c>(&self, chunk: &'c [u8], max_line: usize) -> Line<'c> {
        Line::of(&chunk[self.line as usize..self.end as usize], max_line)
    }
}

impl Seen {
    fn new(ix: RuleIx, rule: &Rule, reader: &Reader, rates: &Rates) -> Seen {
        let field = |capture: &usize| Some((*capture, reader.place(&rule.captures[*capture])?));
        Seen {
            ix,
            captures: rule.captures.len(),
            fields: rule.fields.iter().filter_map(field).collect(),
            whole: rule.whole,
            ignore: rule.ignore.iter().map(|pattern| pattern.regex.clone()).collect(),
            deciding: deciding(rule).map(|pattern| Deciding::new(pattern, rates)).collect(),
            recoveries: rule.resolve.len(),
        }
    }

    /// One pattern by itself.
    pub(super) fn alone(pattern: &Pattern) -> Seen {
        let captures = pattern.slots.iter().map(|(_, slot)| slot + 1).max().unwrap_or(0);
        let deciding = vec![Deciding::new(pattern, &Rates::usual())];
        Seen {
            ix: RuleIx(0),
            captures,
            fields: Vec::new(),
            whole: false,
            ignore: Vec::new(),
            deciding,
            recoveries: 0,
        }
    }

    /// True if a line fits that pattern; then `room.spans` tells of the captures.
    pub(super) fn fits(&self, deciding: usize, line: &[u8], room: &mut Room) -> bool {
        room.spans.resize(self.captures, None);
        room.spans.fill(None);
        self.deciding[deciding].fits(line, room)
    }
}

impl Deciding {
    fn new(pattern: &Pattern, rates: &Rates) -> Deciding {
        let keeps = |group| pattern.slots.iter().any(|(kept, _)| *kept == group);
        let backtracker = Backtracker::new(&pattern.hir, &keeps, rates);
        let also = pattern.also.iter().map(|pattern| Deciding::new(pattern, rates)).collect();
        let literals = literals(&pattern.hir).filter(|_| pattern.slots.is_empty());
        Deciding { regex: pattern.regex.clone(), slots: pattern.slots.clone(), backtracker, literals, also }
    }

    fn fits(&self, line: &[u8], room: &mut Room) -> bool {
        self.fits_alone(line, room) && self.also.iter().all(|also| also.fits_alone(line, room))
    }

    fn fits_alone(&self, line: &[u8], room: &mut Room) -> bool {
        if let Some(literals) = &self.literals {
            return literals.iter().any(|text| text.find(line).is_some());
        }
        let Room { backtrack, slots, spans, .. } = room;
        if let Some(Ok(fits)) = self.backtracker.as_ref().map(|quick| quick.fits(line, backtrack)) {
            for (group, slot) in self.slots.iter().filter(|_| fits) {
                // A group that can take no part, as in `(?<x>a){0}`, has no place at all.
                let place = |at: usize| backtrack.slots.get(at).filter(|place| **place != usize::MAX);
                let ends = place(2 * group).zip(place(2 * group + 1));
                spans[*slot] = ends.map(|(from, to)| Span::new(*from, *to));
            }
            return fits;
        }
        slots.resize(self.regex.group_info().slot_len(), None);
        slots.fill(None);
        if self.regex.search_slots(&Input::new(line), slots).is_none() {
            return false;
        }
        for (group, slot) in &self.slots {
            let place = |at: usize| slots.get(at).copied().flatten();
            spans[*slot] =
                place(2 * group).zip(place(2 * group + 1)).map(|(from, to)| Span::new(from.get(), to.get()));
        }
        true
    }
}

/// The texts that a pattern fits, if it fits no others, wherever they stand.
fn literals(hir: &Hir) -> Option<Vec<Finder<'static>>> {
    // What stands around a text is not part of it.
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let all = Extractor::new().limit_total(MOST_LITERALS).extract(hir);
    let all = all.literals().filter(|all| all.iter().all(Literal::is_exact))?;
    Some(all.iter().map(|text| Finder::new(text.as_bytes()).into_owned()).collect())
}

/// The patterns of a rule, in the order in which they decide.
fn deciding(rule: &Rule) -> impl Iterator<Item = &Pattern> {
    rule.resolve.iter().chain(&rule.patterns)
}

/// What every match of a pattern holds, as far as that is known, the rarest first.
fn required(pattern: &Pattern, rates: &Rates) -> Vec<OneOf> {
    let of = |hir: &Hir| runs::required(hir, &|run| rates.of_run(run));
    let mut all = of(&pattern.hir);
    if !pattern.also.is_empty() {
        // Each of them has to fit, so each of their requirements will do.
        all.extend(pattern.also.iter().flat_map(|also| of(&also.hir)));
        let rate = |runs: &OneOf| runs.iter().map(|run| rates.of_run(run)).sum::<f64>();
        all.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Captures;
    use crate::scan::samples::{compiled, rule};

    /// Rule, kind and captures.
    type Judged = (RuleIx, MatchKind, Vec<Option<String>>);

    fn judged(matcher: &Matcher, line: &[u8]) -> Vec<Judged> {
        let mut all = Vec::new();
        matcher.judge(line, 1000, &mut Room::default(), &mut Vec::new(), |found| {
            let captures = Captures::Spans { line: found.line.text, made: b"", spans: found.spans };
            let captures = captures.iter().map(|text| Some(String::from_utf8(text?.to_vec()).unwrap()));
            all.push((found.rule, found.kind, captures.collect()));
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
        let sets = Matcher::new(&ruleset, |_| true, Format::Plain, false);
        // One byte is too little for an automaton.
        let singles = Matcher::with(&ruleset, |_| true, Format::Plain, false, 1);
        let expected: Vec<_> = expected
            .iter()
            .map(|(ix, kind, captures)| {
                let captures = captures.iter().map(|text| text.map(str::to_owned)).collect();
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
        let matcher =
            Matcher::new(&ruleset, |rule| rule.patterns[0].text.as_ref() == "a|b", Format::Plain, false);
        assert_eq!(judged(&matcher, b"a"), [(RuleIx(1), MatchKind::Match, vec![])]);
    }

    #[test]
    fn a_pattern_is_compiled_as_it_is_asked() {
        for (text, line, fits) in [("\\d", "٣", false), ("(?u)\\d", "٣", true), ("é|\\d", "٣", true)] {
            assert_eq!(compiled(text).is_match(line.as_bytes()), fits, "{text}");
        }
    }
}
