//! Which rules a line fits, and what they capture.
//!
//! All patterns that make a match or a recovery are asked at once; only for a line that fits one of them is a
//! pattern run by itself.

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use super::{Captures, MatchKind};
use crate::rule::{Pattern, Rule, RuleIx, Ruleset};

/// Bytes that the compiled form of a set may take: some hundred times what one pattern may.
const SET_SIZE: usize = 64 << 20;
/// Bytes of states that a set may keep while it searches; too few, and it forgets what it needs next.
const SET_STATES: usize = 16 << 20;

/// The rules of one source.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    seen: Vec<Seen>,
    gates: Vec<Gate>,
}

/// What has to be known of a rule here.
#[derive(Clone, Debug)]
struct Seen {
    ix: RuleIx,
    captures: usize,
    ignore: Vec<Regex>,
    /// `resolve`, then `patterns`: the first that fits decides.
    deciding: Vec<Pattern>,
    recoveries: usize,
}

/// A pattern that fits: which rule of `seen`, which of its deciding patterns. The order is the order of judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    seen: usize,
    deciding: usize,
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
        let seen: Vec<Seen> =
            ruleset.iter().filter(|(_, rule)| sees(rule)).map(|(ix, rule)| Seen::new(ix, rule)).collect();
        let gates = gates(&seen, SET_SIZE);
        Matcher { seen, gates }
    }

    /// Tells `found` of every rule that `line` fits, in the order of rules. `hits` is room to work in.
    pub(super) fn judge(
        &self,
        line: &[u8],
        hits: &mut Vec<Hit>,
        mut found: impl FnMut(RuleIx, MatchKind, Captures),
    ) {
        hits.clear();
        for gate in &self.gates {
            match gate {
                // Asking for all that fit allocates, so it is asked only of lines that fit something.
                Gate::Set(set, of) if set.is_match(line) => {
                    hits.extend(set.matches(line).iter().map(|place| of[place]));
                }
                Gate::Single(regex, hit) if regex.is_match(line) => hits.push(*hit),
                Gate::Set(..) | Gate::Single(..) => {}
            }
        }
        hits.sort_unstable();
        for hits in hits.chunk_by(|one, other| one.seen == other.seen) {
            let rule = &self.seen[hits[0].seen];
            if rule.ignore.iter().any(|regex| regex.is_match(line)) {
                continue;
            }
            let decided =
                hits.iter().find_map(|hit| Some((hit.deciding, rule.captures(hit.deciding, line)?)));
            if let Some((deciding, captures)) = decided {
                let kind = if deciding < rule.recoveries { MatchKind::Resolve } else { MatchKind::Match };
                found(rule.ix, kind, captures);
            }
        }
    }
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

    fn captures(&self, deciding: usize, line: &[u8]) -> Option<Captures> {
        let pattern = &self.deciding[deciding];
        let groups = pattern.regex.captures(line)?;
        let mut captures = vec![None; self.captures];
        for (group, slot) in &pattern.slots {
            captures[*slot] = groups.get(*group).map(|text| text.as_bytes().into());
        }
        Some(captures)
    }
}

fn gates(seen: &[Seen], size: usize) -> Vec<Gate> {
    let all = || {
        seen.iter().enumerate().flat_map(|(seen, rule)| {
            rule.deciding.iter().enumerate().map(move |(deciding, pattern)| (Hit { seen, deciding }, pattern))
        })
    };
    [false, true]
        .into_iter()
        .flat_map(|unicode| {
            let (hits, patterns): (Vec<Hit>, Vec<&Pattern>) =
                all().filter(|(_, pattern)| pattern.unicode == unicode).unzip();
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
        matcher.judge(line, &mut Vec::new(), |ix, kind, captures| all.push((ix, kind, captures)));
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
        assert!(
            sets.gates.iter().all(|gate| matches!(gate, Gate::Set(..))),
            "sets of this size can be built"
        );
        let singles = Matcher { gates: gates(&sets.seen, 1), ..sets.clone() };
        assert!(singles.gates.iter().all(|gate| matches!(gate, Gate::Single(..))), "one byte is too small");
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
