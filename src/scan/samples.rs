//! Rules for the tests of this room, made from patterns alone.

use std::sync::Arc;
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder};

use crate::model::RuleName;
use crate::rule::{Comparison, Op, Pattern, Rule, Template};

/// Compiled as rules are: ASCII, unless the pattern asks for more.
pub(super) fn compiled(text: &str) -> Regex {
    let unicode = !text.is_ascii() || text.contains("(?u)");
    RegexBuilder::new(text).unicode(unicode).build().expect("a valid pattern")
}

/// A rule with these patterns, captures in the order in which they appear, `patterns` first.
pub(super) fn rule(patterns: &[&str], ignore: &[&str], resolve: &[&str]) -> Rule {
    let mut captures: Vec<Arc<str>> = Vec::new();
    let mut pattern = |text: &&str| {
        let regex = compiled(text);
        let named = regex.capture_names().enumerate().filter_map(|(group, name)| Some((group, name?)));
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
        let unicode = !text.is_ascii() || text.contains("(?u)");
        Pattern { text: (*text).into(), expanded: (*text).into(), unicode, slots, regex }
    };
    let patterns = patterns.iter().map(&mut pattern).collect();
    let resolve = resolve.iter().map(&mut pattern).collect();
    let ignore = ignore.iter().map(&mut pattern).collect();
    Rule {
        name: RuleName::new("sample"),
        sources: Vec::new(),
        patterns,
        ignore,
        resolve,
        captures,
        by: Vec::new(),
        scoped: true,
        within: Duration::ZERO,
        ladder: [None, Some(Comparison { op: Op::AtLeast, than: 1.0 }), None],
        hold: Duration::ZERO,
        resolve_after: None,
        expire_after: None,
        max_keys: 1,
        labels: Vec::new(),
        summary: Template::default(),
        description: Template::default(),
        runbook: None,
        images: Vec::new(),
        latch: false,
        condition_digest: [0; 16],
    }
}
