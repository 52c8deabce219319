//! Rules for the tests of this room, made from patterns alone.

use std::sync::Arc;

use proptest::prelude::*;
use regex_automata::meta::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use crate::rule::{Pattern, Rule};

/// Compiled as rules are: ASCII, unless the pattern asks for more.
pub(super) fn compiled(text: &str) -> Regex {
    built(text).expect("a valid pattern")
}

fn built(text: &str) -> Option<Regex> {
    Pattern::engine(&parsed(text)?, 1 << 20)
}

/// The meaning of a pattern, if it is valid.
pub(super) fn parsed(text: &str) -> Option<Hir> {
    ParserBuilder::new().utf8(false).unicode(is_unicode(text)).build().parse(text).ok()
}

pub(super) fn is_unicode(text: &str) -> bool {
    !text.is_ascii() || text.contains("(?u")
}

/// A rule with these patterns, captures in the order in which they appear, `patterns` first.
pub(crate) fn rule(patterns: &[&str], ignore: &[&str], resolve: &[&str]) -> Rule {
    let mut captures: Vec<Arc<str>> = Vec::new();
    let mut pattern = |text: &&str| {
        let regex = compiled(text);
        let named = regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO)
            .enumerate()
            .filter_map(|(group, name)| Some((group, name?)));
        let slots = named
            .map(|(group, name)| {
                let known = captures.iter().position(|capture| &**capture == name);
                let slot = known.unwrap_or_else(|| {
                    captures.push(name.into());
                    captures.len() - 1
                });
                (group, slot)
            })
            .collect();
        let hir = parsed(text).expect("a valid pattern");
        Pattern { text: (*text).into(), expanded: (*text).into(), hir, slots, regex, also: Vec::new() }
    };
    let patterns = patterns.iter().map(&mut pattern).collect();
    let resolve = resolve.iter().map(&mut pattern).collect();
    let ignore = ignore.iter().map(&mut pattern).collect();
    Rule { patterns, ignore, resolve, captures, max_keys: 1, ..Rule::bare("sample") }
}

/// Any pattern over a small alphabet, so that some of the lines of [`crowded`] fit it.
pub(super) fn any_pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(vec!["a", "b", "fail", "connection", "7", " ", "refused by", "é", "ERROR"])
            .prop_map(str::to_owned),
        3 => proptest::sample::select(vec![
            "[ab]", "\\d", "\\w", "[^a]", ".", "(?i:Connection)", "(?i:k)", "[0-9]{3}", "\\s", "[a-f7]{2}", "(?i:é)", "\\n",
        ])
        .prop_map(str::to_owned),
        1 => proptest::sample::select(vec!["^", "$", "\\b", "", "(?u:\\w)", "(?m:^)", "(?m:$)"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            5 => proptest::collection::vec(inner.clone(), 2..5).prop_map(|parts| parts.concat()),
            2 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner, proptest::sample::select(vec!["?", "*", "+", "{2}", "{2,}", "{1,3}", "*?", "+?"]))
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    })
    .prop_filter("valid, and not too large", |text| built(text).is_some())
}

/// Text in which the patterns of [`any_pattern`] find something.
pub(super) fn crowded() -> impl Strategy<Value = Vec<u8>> {
    let words = vec![
        "a",
        "b",
        "fail",
        "FAIL",
        "connection",
        "Connection",
        "7",
        "777",
        " ",
        "refused by",
        "é",
        "É",
        "ERROR",
        "K",
        "\n",
        "\r\n",
        "\0",
        "k",
        "f7",
    ];
    proptest::collection::vec(proptest::sample::select(words), 0..120)
        .prop_map(|words| words.concat().into_bytes())
}
