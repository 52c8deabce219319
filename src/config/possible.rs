//! What a pattern can fit, and what its captures can be: told from its form alone, before a line has come.
//!
//! An answer of "never" is proven. Where nothing can be proven, everything is possible.

use std::collections::BTreeSet;

use regex_automata::Input;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::pattern::Compiled;
use crate::rule::Pattern;

/// The largest group that is held against a text, compiled.
const MOST_COMPILED: usize = 256 * 1024;

/// Places that a search can be at, as far as `^` and `$` go: at the beginning of the line or behind it, and with more
/// of it to come or not.
const PLACES: usize = 4;

/// From which place one comes to which by what a part of a pattern fits.
type Ways = [[bool; PLACES]; PLACES];

/// The number of a place.
const fn place(begun: bool, ended: bool) -> usize {
    begun as usize + 2 * ended as usize
}

const STAY: Ways = {
    let mut ways = [[false; PLACES]; PLACES];
    let mut at = 0;
    while at < PLACES {
        ways[at][at] = true;
        at += 1;
    }
    ways
};

/// False if the pattern fits nothing at all: it wants what is before the beginning of a line, what is behind its end, or
/// a character that is in no text.
pub(super) fn can_fit(hir: &Hir) -> bool {
    // Where nothing has been said of the end.
    ways(hir)[..2].iter().flatten().any(|way| *way)
}

fn ways(hir: &Hir) -> Ways {
    let none = [[false; PLACES]; PLACES];
    match hir.kind() {
        HirKind::Empty => STAY,
        HirKind::Class(Class::Bytes(class)) if class.ranges().is_empty() => none,
        HirKind::Class(Class::Unicode(class)) if class.ranges().is_empty() => none,
        HirKind::Literal(_) | HirKind::Class(_) => {
            let mut ways = none;
            for begun in [false, true] {
                ways[place(begun, false)][place(true, false)] = true;
            }
            ways
        }
        HirKind::Look(Look::Start) => {
            let mut ways = STAY;
            for ended in [false, true] {
                ways[place(true, ended)] = [false; PLACES];
            }
            ways
        }
        HirKind::Look(Look::End) => {
            let mut ways = none;
            for begun in [false, true] {
                for ended in [false, true] {
                    ways[place(begun, ended)][place(begun, true)] = true;
                }
            }
            ways
        }
        // Whether these hold hangs on the bytes around them.
        HirKind::Look(_) => STAY,
        HirKind::Capture(capture) => ways(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().fold(STAY, |ways_so_far, part| behind(&ways_so_far, &ways(part)))
        }
        HirKind::Alternation(parts) => parts.iter().map(ways).fold(none, either),
        HirKind::Repetition(repetition) => {
            let once = ways(&repetition.sub);
            // No way leads back, so nothing new comes of more steps than there are places.
            let steps = PLACES as u32;
            let least = (0..repetition.min.min(steps)).fold(STAY, |ways, _| behind(&ways, &once));
            let more = repetition.max.map_or(steps, |max| (max - repetition.min).min(steps));
            (0..more).fold(least, |ways, _| either(ways, behind(&ways, &once)))
        }
    }
}

fn behind(first: &Ways, then: &Ways) -> Ways {
    let mut ways = [[false; PLACES]; PLACES];
    for (from, row) in first.iter().enumerate() {
        for (over, _) in row.iter().enumerate().filter(|(_, way)| **way) {
            for to in 0..PLACES {
                ways[from][to] |= then[over][to];
            }
        }
    }
    ways
}

fn either(one: Ways, other: Ways) -> Ways {
    let mut ways = one;
    for (row, more) in ways.iter_mut().zip(other) {
        for (way, also) in row.iter_mut().zip(more) {
            *way |= also;
        }
    }
    ways
}

/// True if whatever the pattern fits holds this text.
fn holds(hir: &Hir, text: &[u8]) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.windows(text.len().max(1)).any(|part| part == text),
        HirKind::Repetition(repetition) => repetition.min > 0 && holds(&repetition.sub, text),
        HirKind::Capture(capture) => holds(&capture.sub, text),
        HirKind::Concat(all) => all.iter().any(|part| holds(part, text)),
        HirKind::Alternation(all) => all.iter().all(|part| holds(part, text)),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// True if `needle` is a text by itself, and whatever `hir` fits holds it.
pub(super) fn is_in(needle: &Hir, hir: &Hir) -> bool {
    matches!(needle.kind(), HirKind::Literal(text) if holds(hir, &text.0))
}

/// What the groups of that name hold.
pub(super) fn groups<'p>(pattern: &'p Compiled, name: &str) -> Vec<&'p Hir> {
    let mut groups = Vec::new();
    for pattern in std::iter::once(pattern).chain(&pattern.also) {
        gather(&pattern.hir, name, &mut groups);
    }
    groups
}

fn gather<'h>(hir: &'h Hir, name: &str, groups: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => groups.push(&capture.sub),
        HirKind::Capture(capture) => gather(&capture.sub, name, groups),
        HirKind::Repetition(repetition) => gather(&repetition.sub, name, groups),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| gather(part, name, groups));
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
    }
}

/// The values that a pattern's capture can have; nothing if it has no such capture. `None`: they are not a few words.
pub(super) fn values(pattern: &Compiled, name: &str) -> Option<BTreeSet<Vec<u8>>> {
    let mut all = BTreeSet::new();
    for group in groups(pattern, name) {
        let words = Extractor::new().extract(group);
        let exact = words.is_exact();
        all.extend(words.literals().filter(|_| exact)?.iter().map(|word| word.as_bytes().to_vec()));
    }
    Some(all)
}

/// False if none of these groups can capture this text.
pub(super) fn can_be(groups: &[&Hir], text: &str) -> bool {
    // One that takes no part is the empty text, and what is secret becomes `***`.
    groups.is_empty()
        || text.is_empty()
        || text.contains("***")
        || groups.iter().any(|group| fits(group, text))
}

fn fits(group: &Hir, text: &str) -> bool {
    // What stands around it is not known.
    if !group.properties().look_set().is_empty() {
        return true;
    }
    let whole = Hir::concat(vec![Hir::look(Look::Start), group.clone(), Hir::look(Look::End)]);
    Pattern::engine(&whole, MOST_COMPILED).is_none_or(|regex| regex.is_match(Input::new(text)))
}

/// False if none of these groups can capture a digit, and so no number.
pub(super) fn can_be_number(groups: &[&Hir]) -> bool {
    groups.is_empty() || groups.iter().any(|group| has_digit(group))
}

fn has_digit(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(u8::is_ascii_digit),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| range.start() <= b'9' && range.end() >= b'0')
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| range.start() <= '9' && range.end() >= '0')
        }
        HirKind::Repetition(repetition) => has_digit(&repetition.sub),
        HirKind::Capture(capture) => has_digit(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(has_digit),
    }
}

/// True if all of these groups fit nothing but what numbers without a unit are made of.
pub(super) fn are_bare(groups: &[&Hir]) -> bool {
    !groups.is_empty() && groups.iter().all(|group| is_bare(group))
}

fn is_bare(hir: &Hir) -> bool {
    let number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => literal.0.iter().all(|byte| number(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|range| (range.start()..=range.end()).all(number))
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().all(|range| (range.start()..=range.end()).all(|c| u8::try_from(c).is_ok_and(number)))
        }
        HirKind::Repetition(repetition) => is_bare(&repetition.sub),
        HirKind::Capture(capture) => is_bare(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_bare),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hir(pattern: &str) -> Hir {
        regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(pattern).expect(pattern)
    }

    #[test]
    fn what_nothing_can_fit_is_known() {
        for pattern in [
            "ERROR$ x",
            "^a^b",
            "a^",
            "$a",
            r"[^\s\S]",
            r"a[^\s\S]+b",
            "a(?:^b|$c)",
            "(?:a$){2}",
            r"a\Ab",
            "(a^)+",
            "x(?:^y)+z",
        ] {
            assert!(!can_fit(&hir(pattern)), "{pattern}");
        }
        for pattern in [
            "",
            "^$",
            "^^a$$",
            "a|b^",
            "(?:a^)*b",
            "(?:a$)?b",
            r"(?m)a$ ?\n^b",
            r"\ba\B",
            "a{0}",
            r"[^\s\S]*x",
            "(?:^a|b)c",
            "(?:^a)+",
            "(?:a|^)b",
            "(?:$|a)b",
            "(?:^|,)x(?:,|$)",
        ] {
            assert!(can_fit(&hir(pattern)), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_that_fits_something_is_never_said_to_fit_nothing(
            pattern in r"([ab^$]|\(\?:|\)|[|*+?]|\{2\}){0,12}",
            texts in proptest::collection::vec("[ab]{0,5}", 1..8),
        ) {
            let Ok(found) = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(&pattern) else {
                return Ok(());
            };
            let regex = Pattern::engine(&found, MOST_COMPILED).expect("it is small");
            let fits = texts.iter().any(|text| regex.is_match(text.as_bytes()));
            prop_assert!(!fits || can_fit(&found), "{pattern}");
            // A part that all matches hold is in all of them.
            for text in texts.iter().filter(|text| regex.is_match(text.as_bytes())) {
                for part in ["a", "b", "ab"] {
                    prop_assert!(!holds(&found, part.as_bytes()) || text.contains(part), "{pattern} {text} {part}");
                }
            }
        }

        #[test]
        fn what_a_group_captured_it_can_be(group in r"([0-9a-c]|\[a-c0\]|\\d|\\w|\\b|[|*+?.]){1,8}", text in "[0-9a-c ]{0,12}") {
            let whole = format!("(?P<x>{group})");
            let parser = || regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build();
            let (Ok(inner), Ok(outer)) = (parser().parse(&group), parser().parse(&whole)) else { return Ok(()) };
            let regex = Pattern::engine(&outer, MOST_COMPILED).expect("it is small");
            let mut captures = regex.create_captures();
            regex.captures(text.as_bytes(), &mut captures);
            if let Some(found) = captures.get_group(1) {
                let said = &text[found.range()];
                prop_assert!(can_be(&[&inner], said), "{group} {said:?}");
                prop_assert!(can_be_number(&[&inner]) || crate::rule::Quantity::read(said.as_bytes()).is_none());
            }
        }
    }
}
