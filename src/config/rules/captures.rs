//! What a line has to fit, and what is known of it then: patterns, captures and what becomes of them, keys.

use super::super::captured::{Captured, bare};
use super::super::diagnostic::{Problems, did_you_mean, listed, short};
use super::super::pattern::{self, Compiled};
use super::super::possible;
use super::super::rewrite;
use super::super::tokens::Names;
use super::super::walk::{Fields, Said, is_identifier, missing};
use super::{Around, Reader};
use crate::config::Sources;
use crate::model::ContainerPart;
use crate::rule::{By, Redaction, Rewrite, Value};
use crate::scan::why::wants_line_end;
use crate::settings::Source;
use std::collections::BTreeSet;

/// What can be said of every match, besides its captures.
pub(super) const OF_A_MATCH: [(&str, Value); 9] = [
    ("file", Value::File),
    ("source", Value::Source),
    ("line", Value::Line),
    ("instance", Value::Instance),
    ("rule", Value::Rule),
    ("namespace", Value::Container(ContainerPart::Namespace)),
    ("pod", Value::Container(ContainerPart::Pod)),
    ("container", Value::Container(ContainerPart::Container)),
    ("workload", Value::Container(ContainerPart::Workload)),
];

/// What a name says of a match, if it is a built-in one.
pub(super) fn of_a_match(name: &str) -> Option<Value> {
    OF_A_MATCH.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
}

/// The patterns of a rule; `None` where one of them is wrong.
pub(super) struct Patterns {
    pub(super) matches: Option<Vec<Compiled>>,
    pub(super) ignore: Option<Vec<Compiled>>,
    pub(super) resolve: Option<Vec<Compiled>>,
    /// See [`crate::rule::Rule::whole`].
    pub(super) whole: bool,
}

impl<'t> Reader<'t, '_> {
    /// `has_fields`: lines have fields, so that a pattern need not be given; `without`: what would give them some.
    pub(super) fn patterns(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        has_fields: bool,
        without: &dyn Fn() -> String,
    ) -> Patterns {
        let mut compile = |problems: &mut Problems<'_>, key: &'static str, fields: Fields<'t, '_>| {
            let texts = fields.texts(key);
            let each: Vec<Option<Compiled>> =
                texts.iter().map(|said| self.compile(problems, around, key, said)).collect();
            each.into_iter().collect::<Option<Vec<Compiled>>>()
        };
        let matches = compile(problems, "match", self.fields.own());
        let all = compile(problems, "match_all", self.fields.own());
        let has_any = ["match", "match_all"].iter().any(|key| self.fields.own().value(key).is_some());
        let whole = has_fields && !has_any;
        if !has_any && !whole {
            missing(problems, &self.header, "match", "a rule").help = Some(without());
        } else if has_any {
            for (key, patterns) in [("match", &matches), ("match_all", &all)] {
                let none = patterns.as_ref().is_some_and(Vec::is_empty);
                self.not_empty(problems, key, none, "a rule without a pattern matches no line");
            }
        }
        let matches = matches.zip(all).and_then(|(mut matches, all)| {
            matches.extend(self.together(problems, all)?);
            Some(matches)
        });
        let ignore = compile(problems, "ignore", self.fields);
        let resolve = compile(problems, "resolve", self.fields.own());
        let none = resolve.as_ref().is_some_and(Vec::is_empty);
        self.not_empty(problems, "resolve", none, "leave it out instead");
        // Without a single sound pattern nothing is known of captures.
        Patterns { matches: matches.filter(|patterns| whole || !patterns.is_empty()), ignore, resolve, whole }
    }

    /// Compiles a pattern of `key` and tries what it costs.
    pub(super) fn compile(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        key: &str,
        said: &Said<'_>,
    ) -> Option<Compiled> {
        let rule = self.fields.own().text("name").map_or("", |name| name.text);
        let compiled = pattern::compile(problems, key, said, self.macros, rule, &mut around.budget)?;
        let allowed = self.fields.switch("allow_slow").unwrap_or(false);
        around.probe.judge(problems, said, &compiled, allowed);
        if !possible::can_fit(&compiled.hir) {
            let title = format!("a pattern of `{key}` can never fit");
            let label = "wants something before the beginning, behind the end, or in no text";
            problems.warning("never-fits", said.span.clone(), title, label).help = Some(
                "`^` and `$` are the beginning and the end of the line; a `$` by itself is written `\\$`"
                    .to_owned(),
            );
        }
        let is_asked = matches!(key, "match" | "match_all" | "ignore" | "resolve");
        if is_asked && wants_line_end(&compiled.hir) && self.lines_are_alone(around.sources) {
            let title = format!("a pattern of `{key}` can never fit");
            let problem =
                problems.warning("line-end", said.span.clone(), title, "it wants the end of a line inside");
            problem.help =
                Some("give the source `multiline`, so that its lines are joined to records".to_owned());
        }
        Some(compiled)
    }

    /// True if it is known that no source of the rule joins lines.
    fn lines_are_alone(&self, sources: Sources<'_>) -> bool {
        let names = self.fields.texts("source");
        let seen = |source: &&Source| names.iter().any(|name| name.text == source.name.as_str());
        let mut seen = sources.configured().unwrap_or_default().iter().filter(seen).peekable();
        seen.peek().is_some() && seen.all(|source| source.multiline.is_none())
    }

    /// What is taken out of lines that the rule takes.
    pub(super) fn redact(&self, problems: &mut Problems<'_>, around: &mut Around<'_>) -> Redaction {
        let mut own = Vec::new();
        for said in self.fields.texts("redact") {
            own.extend(self.compile(problems, around, "redact", &said).map(|compiled| compiled.regex));
        }
        Redaction { defaults: true, own }
    }

    /// The patterns of `match_all` as one, if there are any.
    fn together(&self, problems: &mut Problems<'_>, all: Vec<Compiled>) -> Option<Vec<Compiled>> {
        let mut names = BTreeSet::new();
        for (pattern, said) in all.iter().zip(self.fields.own().texts("match_all")) {
            if let Some(name) = pattern.names().find(|name| !names.insert((*name).to_owned())) {
                let title = format!("`{}` is captured twice", short(name));
                let label = "captured by an earlier pattern too";
                problems.error("duplicate-capture", said.span, title, label).help =
                    Some("choose another name, or leave it out here".to_owned());
                return None;
            }
        }
        let mut all = all.into_iter();
        let first = all.next();
        Some(first.map(|first| Compiled { also: all.collect(), ..first }).into_iter().collect())
    }

    pub(super) fn by(
        &self,
        problems: &mut Problems<'_>,
        matches: Option<&[Compiled]>,
        captured: &Captured,
        set: &[&str],
    ) -> Vec<By> {
        let mut by: Vec<By> = Vec::new();
        for said in self.fields.texts("by") {
            let (name, is_quoted) = bare(said.text);
            if by.iter().any(|earlier| *earlier.name == *name) {
                let title = format!("`{}` is in `by` twice", short(said.text));
                problems.error("duplicate-name", said.span.clone(), title, "used again");
                continue;
            }
            let built_in = |name: &str| match name {
                "file" => Some(Value::File),
                "source" => Some(Value::Source),
                "namespace" | "pod" | "container" | "workload" => of_a_match(name),
                // Any other text is a name here.
                _ if captured.has_fields() && !name.is_empty() => captured.field(name, is_quoted),
                _ => None,
            };
            let from = captured.of_any(said.text, built_in);
            if let (Some(matches), None | Some(Value::Capture(_))) = (matches, &from)
                && !set.contains(&name)
                && (from.is_none() || !captured.is_only_field(name))
            {
                check_captured(problems, &said, matches, &captured.note(name));
            }
            by.extend(from.map(|from| By { name: name.into(), from }));
        }
        by.sort_by(|a, b| a.name.cmp(&b.name));
        by
    }

    /// What becomes of captures. What is made anew is then captured too.
    pub(super) fn set(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        captured: &mut Captured,
    ) -> Option<Vec<Rewrite>> {
        let find = |name: &str| captured.of_any(name, of_a_match);
        let built_in = OF_A_MATCH.iter().map(|(name, _)| *name);
        let known = captured.known();
        let all = known.as_ref().map(|all| all.iter().map(|name| &**name).chain(built_in).collect());
        let names = Names { find: &find, all, note: &|name| captured.note(name) };
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "set", said).map(|compiled| compiled.regex)
        };
        let mut texts = Vec::new();
        for (name, said) in self.fields.own().pairs("set") {
            let to = rewrite::parse(problems, &said, &names, self.lookups, &mut compile);
            texts.push((name, said.text, to));
        }
        let placed: Vec<Option<Rewrite>> = texts
            .into_iter()
            .map(|(name, text, to)| {
                let capture = captured.add(name);
                Some(Rewrite { text: text.into(), capture: capture?, to: to? })
            })
            .collect();
        placed.into_iter().collect()
    }
}

/// A name of `by` that no pattern of `match` captures is wrong; one that some do not capture is empty for those.
pub(super) fn check_captured(problems: &mut Problems<'_>, said: &Said<'_>, matches: &[Compiled], note: &str) {
    let has = |pattern: &Compiled| pattern.names().any(|name| name == said.text);
    let with = matches.iter().filter(|pattern| has(pattern)).count();
    let span = said.span.clone();
    let name = short(said.text);
    if with == 0 {
        let names: BTreeSet<&str> = matches.iter().flat_map(Compiled::names).collect();
        let known =
            || names.iter().copied().chain(["file", "source", "namespace", "pod", "container", "workload"]);
        let title = format!("no pattern of `match` captures `{name}`");
        let problem = problems.error("by-not-captured", span, title, "captured nowhere");
        let meant = did_you_mean(said.text, known());
        let note = if meant.is_none() { note } else { "" };
        problem.note = Some(format!("the names are {}{note}", listed(known())));
        let capture = || Some(format!("capture it: `(?<{name}>…)`")).filter(|_| is_identifier(said.text));
        problem.help = match said.text {
            "rule" | "instance" => Some(format!("leave it out: the {name} is part of every key")),
            _ => meant.or_else(capture),
        };
    } else if with < matches.len() {
        let title = format!("`{name}` is not captured by every pattern of `match`");
        let label = format!("captured by {with} of {} patterns", matches.len());
        problems.warning("by-not-captured", span, title, label).help =
            Some("lines of the other patterns share one alert with an empty value".to_owned());
    }
}
