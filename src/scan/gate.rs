//! For patterns of which nothing rare is known: every line is walked, all patterns at once.
//!
//! One automaton for as many patterns as fit into the nearer caches, made when the rules are loaded, so that a byte
//! costs one look into a table. Such looks wait for each other, so four lines are walked side by side.

use memchr::memchr_iter;
use regex_automata::Input;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::meta::Regex;
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::Hir;

use super::frame::Line;
use crate::rule::Pattern;

/// Bytes that one automaton may take.
pub(super) const MOST: usize = 512 << 10;
/// Bytes that may be used to make it, as a multiple of what it may take.
const MAKING: usize = 4;
/// Lines that are walked side by side.
const LANES: usize = 4;

/// A pattern, and what it is called here.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) number: u32,
    pub(super) pattern: &'a Pattern,
}

/// Finds which of its patterns each line fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    automata: Vec<Automaton>,
    /// Patterns whose automaton is too large.
    singles: Vec<(Regex, u32)>,
    /// Patterns that every line fits: an automaton would tell of them at every byte.
    always: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Automaton {
    dfa: dense::DFA<Vec<u32>>,
    /// Where every line begins.
    start: StateID,
    /// What its patterns are called.
    numbers: Vec<u32>,
}

/// A line that is being walked.
#[derive(Clone, Copy)]
struct Walk<'a> {
    /// Where it begins and ends in its chunk.
    bounds: (usize, usize),
    /// What is left of its text.
    rest: &'a [u8],
    state: StateID,
    /// Where patterns were found last: most that match stay so.
    told: StateID,
}

impl Gate {
    /// `most`: bytes that an automaton may take.
    pub(super) fn new(asked: &[Asked<'_>], most: usize) -> Gate {
        let mut gate = Gate::default();
        let (always, asked): (Vec<Asked<'_>>, Vec<Asked<'_>>) =
            asked.iter().partition(|asked| fits_always(&asked.pattern.hir));
        gate.always = always.iter().map(|asked| asked.number).collect();
        gate.add(&asked, most);
        gate
    }

    fn add(&mut self, asked: &[Asked<'_>], most: usize) {
        match (Automaton::new(asked, most), asked) {
            (_, []) => {}
            (Some(automaton), _) => self.automata.push(automaton),
            (None, [asked]) => self.singles.push((asked.pattern.regex.clone(), asked.number)),
            (None, _) => {
                let (some, others) = asked.split_at(asked.len() / 2);
                self.add(some, most);
                self.add(others, most);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.automata.is_empty() && self.singles.is_empty() && self.always.is_empty()
    }

    /// Tells `found` of lines of `chunk` and patterns that they fit: which pattern, where the line begins, and where it
    /// ends.
    pub(super) fn ask(&self, chunk: &[u8], max_line: usize, found: impl FnMut(u32, usize, usize)) {
        self.ask_each(lines(chunk, max_line), found);
    }

    /// The same of texts, each with two numbers by which it is told.
    pub(super) fn ask_each<'a>(
        &self,
        texts: impl Iterator<Item = ((usize, usize), &'a [u8])> + Clone,
        mut found: impl FnMut(u32, usize, usize),
    ) {
        for automaton in &self.automata {
            automaton.ask(texts.clone(), &mut found);
        }
        if self.singles.is_empty() && self.always.is_empty() {
            return;
        }
        for ((begin, end), text) in texts {
            self.always.iter().for_each(|number| found(*number, begin, end));
            for (_, number) in self.singles.iter().filter(|(regex, _)| regex.is_match(text)) {
                found(*number, begin, end);
            }
        }
    }
}

/// True if nothing at all fits, wherever it stands.
fn fits_always(hir: &Hir) -> bool {
    hir.properties().minimum_len() == Some(0) && hir.properties().look_set().is_empty()
}

/// The lines of a chunk: where each begins and ends, and its text.
fn lines(chunk: &[u8], max_line: usize) -> impl Iterator<Item = ((usize, usize), &[u8])> + Clone {
    let last = (!chunk.ends_with(b"\n")).then_some(chunk.len());
    let mut begin = 0;
    memchr_iter(b'\n', chunk).chain(last).map(move |end| {
        let bounds = (begin, end);
        begin = end + 1;
        (bounds, Line::of(&chunk[bounds.0..end], max_line).text)
    })
}

impl Automaton {
    fn new(asked: &[Asked<'_>], most: usize) -> Option<Automaton> {
        let hirs: Vec<&Hir> = asked.iter().map(|asked| &asked.pattern.hir).collect();
        // Patterns that are large by themselves are not worth the time it takes to find out.
        let nfa = thompson::Config::new().utf8(false).nfa_size_limit(Some(most));
        let nfa = thompson::Compiler::new().configure(nfa).build_many_from_hir(&hirs).ok()?;
        let config = dense::Config::new()
            .match_kind(regex_automata::MatchKind::All)
            .start_kind(StartKind::Unanchored)
            .accelerate(false)
            .dfa_size_limit(Some(most))
            .determinize_size_limit(Some(most * MAKING));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()?;
        let start = dfa.start_state_forward(&Input::new(b"")).ok()?;
        Some(Automaton { dfa, start, numbers: asked.iter().map(|asked| asked.number).collect() })
    }

    fn ask<'a>(
        &self,
        mut lines: impl Iterator<Item = ((usize, usize), &'a [u8])>,
        found: &mut impl FnMut(u32, usize, usize),
    ) {
        let mut next = || {
            let (bounds, rest) = lines.next()?;
            Some(Walk { bounds, rest, state: self.start, told: self.start })
        };
        let mut walks: Vec<Walk<'_>> = Vec::with_capacity(LANES);
        loop {
            while walks.len() < LANES
                && let Some(mut walk) = next()
            {
                // Some patterns match before the first byte.
                self.tell(&mut walk, found);
                walks.push(walk);
            }
            let [one, two, three, four] = &mut walks[..] else { break };
            self.walk([one, two, three, four], found);
            walks.retain_mut(|walk| {
                let over = walk.rest.is_empty();
                if over {
                    self.end(walk, found);
                }
                !over
            });
        }
        for mut walk in walks {
            for byte in walk.rest {
                walk.state = self.dfa.next_state(walk.state, *byte);
                if self.dfa.is_special_state(walk.state) {
                    self.tell(&mut walk, found);
                }
            }
            self.end(&mut walk, found);
        }
    }

    /// Walks four lines until one of them has ended.
    fn walk(&self, lanes: [&mut Walk<'_>; LANES], found: &mut impl FnMut(u32, usize, usize)) {
        let steps = lanes.iter().map(|walk| walk.rest.len()).min().unwrap_or(0);
        let [one, two, three, four] = lanes.each_ref().map(|walk| &walk.rest[..steps]);
        let mut walked = 0;
        let mut states = lanes.each_ref().map(|walk| walk.state);
        let dfa = &self.dfa;
        for (((one, two), three), four) in one.iter().zip(two).zip(three).zip(four) {
            walked += 1;
            states = [
                dfa.next_state(states[0], *one),
                dfa.next_state(states[1], *two),
                dfa.next_state(states[2], *three),
                dfa.next_state(states[3], *four),
            ];
            // One branch for all, which is hardly ever taken.
            let special = states.map(|state| dfa.is_special_state(state));
            if special[0] | special[1] | special[2] | special[3] {
                break;
            }
        }
        for (walk, state) in lanes.into_iter().zip(states) {
            walk.rest = &walk.rest[walked..];
            walk.state = state;
            if dfa.is_special_state(state) {
                self.tell(walk, found);
            }
            if dfa.is_dead_state(state) {
                walk.rest = &[];
            }
        }
    }

    /// Tells of the patterns that match where a walk is.
    fn tell(&self, walk: &mut Walk<'_>, found: &mut impl FnMut(u32, usize, usize)) {
        if walk.state != walk.told && self.dfa.is_match_state(walk.state) {
            walk.told = walk.state;
            for place in 0..self.dfa.match_len(walk.state) {
                let number = self.numbers[self.dfa.match_pattern(walk.state, place).as_usize()];
                found(number, walk.bounds.0, walk.bounds.1);
            }
        }
    }

    /// Tells of the patterns that match because the line is over.
    fn end(&self, walk: &mut Walk<'_>, found: &mut impl FnMut(u32, usize, usize)) {
        walk.state = self.dfa.next_eoi_state(walk.state);
        self.tell(walk, found);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::samples::{any_pattern, crowded, rule};

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        rule(texts, &[], &[]).patterns
    }

    fn gate(patterns: &[Pattern], most: usize) -> Gate {
        let asked = |(number, pattern)| Asked { number, pattern };
        Gate::new(&(0u32..).zip(patterns).map(asked).collect::<Vec<_>>(), most)
    }

    /// Where a line begins and ends, and which pattern it fits; each once.
    fn asked(gate: &Gate, chunk: &[u8]) -> Vec<(usize, usize, u32)> {
        let mut all = Vec::new();
        gate.ask(chunk, 100, |number, begin, end| all.push((begin, end, number)));
        all.sort_unstable();
        all.dedup();
        all
    }

    #[test]
    fn many_patterns_share_an_automaton_and_what_is_too_large_stands_alone() {
        let patterns = patterns(&["[A-Z]{3,5}-\\d{5}", "\\d+ ms$", "(?u)\\bé", "^x"]);
        let gate = gate(&patterns, MOST);
        // An automaton cannot tell words beyond ASCII.
        assert_eq!((gate.automata.len(), gate.singles.len()), (2, 1));
        let text = "a\nABC-12345 7 ms\r\n\n\r\nx is é\n9 ms";
        assert_eq!(
            asked(&gate, text.as_bytes()),
            [(2, 17, 0), (2, 17, 1), (21, 28, 2), (21, 28, 3), (29, 33, 1)]
        );
    }

    #[test]
    fn the_room_for_an_automaton_is_kept_to() {
        let patterns = patterns(&["\\d.{8}x", "\\w.{8}y", "[ab].{9}[cd]"]);
        let small = gate(&patterns, 20_000);
        assert_eq!((small.automata.len(), small.singles.len()), (0, 3));
        let large = gate(&patterns, MOST);
        assert!(large.automata.iter().all(|automaton| automaton.dfa.memory_usage() <= MOST));
        assert!(!large.automata.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]
        #[test]
        fn each_line_is_found_by_what_it_fits(
            texts in proptest::collection::vec(any_pattern(), 1..6),
            chunk in crowded(),
            most in proptest::sample::select(vec![1, 4000, MOST]),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let patterns = patterns(&texts);
            let mut expected = Vec::new();
            for ((begin, end), text) in lines(&chunk, 100) {
                let fits = (0u32..).zip(&patterns).filter(|(_, pattern)| pattern.regex.is_match(text));
                expected.extend(fits.map(|(number, _)| (begin, end, number)));
            }
            prop_assert_eq!(asked(&gate(&patterns, most), &chunk), expected);
        }
    }
}
