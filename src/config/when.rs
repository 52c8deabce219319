//! `when` of a sink, and `sinks` of a rule.

use std::path::Path;
use std::sync::Arc;

use super::condition;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::macros::Macros;
use super::pattern::{self, Budget};
use super::tokens::Names;
use super::walk::{Fields, Said, is_identifier, parse};
use super::{Diagnostic, Text};
use crate::model::Severity;
use crate::rule::{About, Condition, Number, When, Word};

/// Reads `when`. `None`: it is wrong, which has been said.
pub(super) fn read(problems: &mut Problems<'_>, said: &Said<'_>) -> Option<When> {
    let level = |word: &str| Severity::ALL.into_iter().find(|severity| severity.as_str() == word);
    let find = |name: &str| match name {
        "severity" => Some(About::Severity),
        "rule" => Some(About::Rule),
        word => {
            level(word).map(About::Level).or_else(|| is_identifier(word).then(|| About::Label(word.into())))
        }
    };
    let names = Names { find: &find, all: Some(vec!["severity", "rule"]), note: &|_| String::new() };
    let (macros, mut budget) = (Macros::default(), Budget::new());
    let condition = condition::parse(problems, said, &names, &mut |problems, said| {
        pattern::compile(problems, "when", said, &macros, "when", &mut budget).map(|compiled| compiled.regex)
    })?;
    let mut wrong = None;
    let condition = ranked(condition, &mut wrong);
    if let Some((title, label)) = wrong {
        problems.error("bad-condition", said.span.clone(), title, label).help =
            Some("compare it: `severity >= warning`".to_owned());
        return None;
    }
    Some(When { text: said.text.into(), names_rules: names_rules(&condition), condition })
}

type Wrong = Option<(String, &'static str)>;

/// The condition with severities that were written as texts made comparable.
fn ranked(condition: Condition<About>, wrong: &mut Wrong) -> Condition<About> {
    let list = |all: Vec<Condition<About>>, wrong: &mut Wrong| {
        all.into_iter().map(|one| ranked(one, wrong)).collect::<Vec<_>>()
    };
    match condition {
        Condition::Not(one) => Condition::Not(Box::new(ranked(*one, wrong))),
        Condition::All(all) => Condition::All(list(all, wrong)),
        Condition::Any(all) => Condition::Any(list(all, wrong)),
        Condition::Same(left, right) => {
            let severity = [&left, &right].contains(&&Word::Of(About::Severity));
            let level = |word: Word<About>, wrong: &mut Wrong| match word {
                Word::Is(text) if severity => word_of(&text, wrong),
                word => word,
            };
            Condition::Same(level(left, wrong), level(right, wrong))
        }
        Condition::OneOf(About::Severity, words) => {
            let same = |word: Arc<str>| Condition::Same(Word::Of(About::Severity), word_of(&word, wrong));
            Condition::Any(words.into_iter().map(same).collect())
        }
        Condition::Fits(About::Severity, ..) | Condition::OneOfNumbers(About::Severity, _) => {
            *wrong = Some(("`severity` is no text and no number".to_owned(), "not with this"));
            condition
        }
        Condition::Compared(left, op, right) => {
            let is = |side: &Number<About>, what: fn(&About) -> bool| matches!(side, Number::Of(about) if what(about));
            let severity = |side: &Number<About>| is(side, |about| *about == About::Severity);
            let level = |side: &Number<About>| is(side, |about| matches!(about, About::Level(_)));
            let both = severity(&left) && level(&right) || level(&left) && severity(&right);
            if !both && [&left, &right].into_iter().any(|side| severity(side) || level(side)) {
                *wrong = Some((
                    "`severity` is compared with `info`, `warning` or `critical`".to_owned(),
                    "not with anything else",
                ));
            }
            Condition::Compared(left, op, right)
        }
        condition => condition,
    }
}

fn word_of(text: &str, wrong: &mut Wrong) -> Word<About> {
    match Severity::ALL.into_iter().find(|severity| severity.as_str() == text) {
        Some(severity) => Word::Of(About::Level(severity)),
        None => {
            *wrong =
                Some((format!("`{}` is no severity", short(text)), "takes `info`, `warning` and `critical`"));
            Word::Of(About::Severity)
        }
    }
}

fn names_rules(condition: &Condition<About>) -> bool {
    let rule = |about: &About| *about == About::Rule;
    let word = |word: &Word<About>| matches!(word, Word::Of(about) if rule(about));
    let number = |number: &Number<About>| matches!(number, Number::Of(about) if rule(about));
    match condition {
        Condition::Not(one) => names_rules(one),
        Condition::All(all) | Condition::Any(all) => all.iter().any(names_rules),
        Condition::Compared(left, _, right) => number(left) || number(right),
        Condition::Same(left, right) => word(left) || word(right),
        Condition::Fits(about, ..) | Condition::OneOf(about, _) | Condition::OneOfNumbers(about, _) => {
            rule(about)
        }
    }
}

/// Says which names in `sinks` of rules are no sinks.
pub(super) fn unknown_sinks(texts: &[Text], sinks: &[&str]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for text in texts {
        let mut unheard = Problems::new(Path::new(""), &text.text);
        let document = parse(&mut unheard);
        let file = Fields { table: &document, defaults: None };
        let defaults = file.value("defaults").and_then(|value| value.get_ref().as_table());
        let tables = file.tables("rule").into_iter().map(|(_, table)| table).chain(defaults);
        let mut problems = Problems::new(&text.path, &text.text);
        for said in tables.flat_map(|table| Fields { table, defaults: None }.texts("sinks")) {
            if sinks.contains(&said.text) {
                continue;
            }
            let title = format!("there is no sink named `{}`", short(said.text));
            let problem = problems.error("unknown-sink", said.span, title, "unknown sink");
            problem.help = did_you_mean(said.text, sinks.iter().copied());
            problem.note = Some(format!("the sinks are {}", listed(sinks.iter().copied())));
        }
        diagnostics.extend(problems.finish());
    }
    diagnostics
}
