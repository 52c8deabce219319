//! Which patterns of which rules something has reached.

use std::collections::BTreeMap;

use crate::model::SourceName;
use crate::rule::{Pattern, Rule, Ruleset};

/// The keys that hold patterns, as they are called in a rule file.
const KINDS: [&str; 3] = ["match", "resolve", "ignore"];

/// What has been reached so far, by the names of rules.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    rules: BTreeMap<String, [BTreeMap<String, bool>; 3]>,
}

/// A pattern that nothing has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// The rule.
    pub rule: String,
    /// `match`, `resolve` or `ignore`.
    pub kind: &'static str,
    /// As it was written.
    pub pattern: String,
}

impl Coverage {
    /// Those rules are to be reached; tripline's own are not.
    pub fn add(&mut self, ruleset: &Ruleset) {
        for rule in ruleset.rules.iter().filter(|rule| !rule.sources.is_empty()) {
            let known = self.rules.entry(rule.name.to_string()).or_default();
            for (known, patterns) in known.iter_mut().zip(patterns(rule)) {
                for pattern in patterns {
                    known.entry(pattern.text.to_string()).or_default();
                }
            }
        }
    }

    /// A line of a source was seen.
    pub fn see(&mut self, ruleset: &Ruleset, source: &SourceName, line: &[u8]) {
        for rule in ruleset.rules.iter().filter(|rule| rule.sources.contains(source)) {
            let Some(known) = self.rules.get_mut(rule.name.as_str()) else { continue };
            let ignored = rule.ignore.iter().any(|pattern| fits(pattern, line));
            for (kind, (known, patterns)) in known.iter_mut().zip(patterns(rule)).enumerate() {
                // A line that is ignored has reached what ignores it, and nothing else.
                if ignored && KINDS[kind] != "ignore" {
                    continue;
                }
                for pattern in patterns.iter().filter(|pattern| fits(pattern, line)) {
                    if let Some(reached) = known.get_mut(&*pattern.text) {
                        *reached = true;
                    }
                }
            }
        }
    }

    /// How many patterns there are, and how many of them were reached.
    pub fn patterns(&self) -> (usize, usize) {
        let all = self.rules.values().flatten().flat_map(BTreeMap::values);
        all.fold((0, 0), |(all, reached), is| (all + 1, reached + usize::from(*is)))
    }

    /// How many rules there are, and of how many a `match` was reached.
    pub fn rules(&self) -> (usize, usize) {
        let reached = self.rules.values().filter(|kinds| kinds[0].values().any(|reached| *reached));
        (self.rules.len(), reached.count())
    }

    /// What was not reached, by rule.
    pub fn missing(&self) -> impl Iterator<Item = Uncovered> {
        self.rules.iter().flat_map(|(rule, kinds)| {
            KINDS.into_iter().zip(kinds).flat_map(move |(kind, patterns)| {
                let missed = patterns.iter().filter(|(_, reached)| !**reached);
                missed.map(move |(pattern, _)| Uncovered {
                    rule: rule.clone(),
                    kind,
                    pattern: pattern.clone(),
                })
            })
        })
    }
}

fn patterns(rule: &Rule) -> [&[Pattern]; 3] {
    [&rule.patterns, &rule.resolve, &rule.ignore]
}

fn fits(pattern: &Pattern, line: &[u8]) -> bool {
    pattern.regex.is_match(line) && pattern.also.iter().all(|also| also.regex.is_match(line))
}
