//! What is well written and can never come true: patterns that fit nothing, values that no line has.
//!
//! Only what is proven is spoken of. A field may be anything, and so may what `set` makes.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::super::captured::{Captured, bare};
use super::super::diagnostic::{Problems, did_you_mean, short};
use super::super::pattern::Compiled;
use super::super::possible;
use super::super::tokens::{Token, tokens};
use super::super::walk::Said;
use super::Reader;
use crate::rule::{By, Condition, Number, Unit, Value, Word};
use regex_syntax::hir::Hir;

/// What is known of the captures of a match.
pub(super) struct Known<'a> {
    /// The patterns of `match`; nothing, if one of them is wrong.
    pub(super) matches: &'a [Compiled],
    pub(super) captured: &'a Captured,
    /// What `set` makes.
    pub(super) set: &'a [&'a str],
}

impl<'a> Known<'a> {
    /// What is captured by that name; nothing, if it may be something else too.
    pub(super) fn groups(&self, name: &str) -> Vec<&'a Hir> {
        let mut groups = Vec::new();
        for pattern in self.matches {
            let own = possible::groups(pattern, name);
            // Where no pattern captures it, a field does.
            if own.is_empty() && self.captured.has_fields() {
                return Vec::new();
            }
            groups.extend(own);
        }
        if self.set.contains(&name) { Vec::new() } else { groups }
    }

    /// The same, with the name.
    fn of(&self, value: &Value, names: &[std::sync::Arc<str>]) -> Option<(String, Vec<&'a Hir>)> {
        let Value::Capture(at) = value else { return None };
        let name = names.get(*at)?;
        let groups = self.groups(name);
        (!groups.is_empty()).then(|| (name.to_string(), groups))
    }
}

/// Patterns that are in the way of those of `match`.
const TAKERS: [(&str, &str); 2] = [
    ("ignore", "`ignore` leaves out every line that fits it"),
    ("resolve", "`resolve` takes every line that fits it"),
];

impl Reader<'_, '_> {
    /// Says which patterns of `match` only fit lines that never count, because others take them.
    pub(super) fn check_taken(
        &self,
        problems: &mut Problems<'_>,
        matches: &[Compiled],
        ignore: &[Compiled],
        resolve: &[Compiled],
    ) {
        let own = self.fields.own();
        let mut said = own.texts("match");
        // Those of `match_all` are one pattern, the last.
        said.extend(own.texts("match_all").into_iter().next());
        for (pattern, said) in matches.iter().zip(said) {
            for ((_, label), takers) in TAKERS.iter().zip([ignore, resolve]) {
                let takes = |taker: &Compiled| {
                    let mut all = std::iter::once(pattern).chain(&pattern.also);
                    all.any(|one| one.expanded == taker.expanded || possible::is_in(&taker.hir, &one.hir))
                };
                if takers.iter().any(takes) {
                    let title = format!("`{}` can never count", short(said.text));
                    problems.warning("never-fits", said.span.clone(), title, *label).help =
                        Some("write what tells the two kinds of lines apart".to_owned());
                    break;
                }
            }
        }
    }

    /// Says which parts of a condition can never hold. `said`: the text that it stands in.
    pub(super) fn check_condition(
        &self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        condition: &Condition<Value>,
        known: &Known<'_>,
    ) {
        let Some(names) = known.captured.known() else { return };
        let tokens = tokens(said.text).unwrap_or_default();
        let place = |problems: &Problems<'_>, is_it: &dyn Fn(Token<'_>) -> bool| {
            let found = tokens.iter().find(|(token, _)| is_it(*token));
            found.map_or(said.span.clone(), |(_, at)| said.place(problems, at))
        };
        let number = |problems: &mut Problems<'_>, value: &Value| {
            let Some((name, groups)) = known.of(value, &names) else { return };
            if !possible::can_be_number(&groups) {
                let span =
                    place(problems, &|token| matches!(token, Token::Name(typed) if bare(typed).0 == name));
                never_a_number(problems, span, &name);
            }
        };
        let text = |problems: &mut Problems<'_>, value: &Value, text: &str| {
            let Some((name, groups)) = known.of(value, &names) else { return };
            if !possible::can_be(&groups, text) {
                let span = place(problems, &|token| token == Token::Text(text));
                let title = format!("`{}` is never `{}`", short(&name), short(text));
                problems.warning("never-equal", span, title, format!("not what `{}` captures", short(&name)));
            }
        };
        for mut part in condition.parts() {
            while let Condition::Not(inner) = part {
                part = inner;
            }
            match part {
                Condition::Compared(Number::Of(value), _, Number::Is(than))
                | Condition::Compared(Number::Is(than), _, Number::Of(value)) => {
                    number(problems, value);
                    let found = known.of(value, &names);
                    if let Some((name, groups)) = found.filter(|_| than.unit != Unit::One)
                        && possible::can_be_number(&groups)
                        && possible::are_bare(&groups)
                    {
                        let span = place(problems, &|token| token == Token::Number(*than));
                        super::super::measure::no_unit(problems, span, &name);
                    }
                }
                Condition::Compared(Number::Of(one), _, Number::Of(other)) => {
                    number(problems, one);
                    number(problems, other);
                }
                Condition::OneOfNumbers(value, _) => number(problems, value),
                Condition::Same(Word::Of(value), Word::Is(word))
                | Condition::Same(Word::Is(word), Word::Of(value)) => text(problems, value, word),
                Condition::OneOf(value, words) => words.iter().for_each(|word| text(problems, value, word)),
                _ => {}
            }
        }
    }

    /// Says which values of `expect` no line can have.
    pub(super) fn check_expected(&self, problems: &mut Problems<'_>, by: &[By], known: &Known<'_>) {
        let value = self.fields.own().value("expect");
        let Some(table) = value.and_then(|value| value.get_ref().as_table()) else { return };
        for by in by.iter().filter(|by| matches!(by.from, Value::Capture(_))) {
            let groups = known.groups(&by.name);
            let own = super::super::walk::Fields { table, defaults: None };
            for said in own.texts(&by.name).iter().filter(|said| !possible::can_be(&groups, said.text)) {
                let title = format!("`{}` is never `{}`", by.name, short(said.text));
                problems.warning("never-equal", said.span.clone(), title, "would be missed for ever");
            }
        }
    }

    /// Says what `resolve` captures for nothing, though it may have been meant to say which alert is over.
    pub(super) fn check_recoveries(
        &self,
        problems: &mut Problems<'_>,
        resolve: &[Compiled],
        by: &[By],
        known: &Known<'_>,
    ) {
        let own = self.fields.own();
        let of_matches: BTreeSet<&str> = known.matches.iter().flat_map(Compiled::names).collect();
        for (pattern, said) in resolve.iter().zip(own.texts("resolve")) {
            let names: BTreeSet<&str> = pattern.names().collect();
            let missing = || by.iter().map(|by| &*by.name).filter(|by| !names.contains(by));
            let is_used = |name: &str| of_matches.contains(name) || speaks_of(own.table, name);
            let Some(unused) = names.iter().find(|name| missing().next().is_some() && !is_used(name)) else {
                continue;
            };
            let ends =
                if missing().count() == by.len() { "the alerts of all keys" } else { "more than one alert" };
            let at =
                said.text.find(&format!("<{unused}>")).or_else(|| said.text.find(&format!(":{unused}}}")));
            let span =
                at.map_or(said.span.clone(), |at| said.place(problems, &(at + 1..at + 1 + unused.len())));
            let title = format!("`{}` of `resolve` is used nowhere", short(unused));
            let problem = problems.warning("unused-capture", span, title, format!("such a line ends {ends}"));
            let first = missing().next().unwrap_or_default();
            problem.help = did_you_mean(unused, missing())
                .or_else(|| Some(format!("capture `{first}` to end one alert, or write `(?:…)`")));
        }
    }
}

/// Says that what is compared or measured is no number, whatever a line says.
pub(super) fn never_a_number(problems: &mut Problems<'_>, span: std::ops::Range<usize>, name: &str) {
    let title = format!("`{}` is never a number", short(name));
    problems.error("never-a-number", span, title, "what it captures holds no digit").help =
        Some("capture digits, or compare it with a text between quotes".to_owned());
}

/// True if a text of the table, patterns aside, holds this name.
fn speaks_of(table: &DeTable<'_>, name: &str) -> bool {
    fn holds(value: &DeValue<'_>, name: &str) -> bool {
        match value {
            DeValue::String(text) => text.contains(name),
            DeValue::Array(list) => list.iter().any(|item| holds(item.get_ref(), name)),
            DeValue::Table(table) => {
                table.iter().any(|(key, value)| key.get_ref() == name || holds(value.get_ref(), name))
            }
            _ => false,
        }
    }
    let texts = table
        .iter()
        .filter(|(key, _)| !["match", "match_all", "ignore", "resolve"].contains(&key.get_ref().as_ref()));
    texts.into_iter().any(|(_, value)| holds(value.get_ref(), name))
}
