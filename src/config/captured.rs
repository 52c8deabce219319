//! The names of what a rule knows of a line: what its patterns capture, what `set` makes, and fields.
//!
//! On lines that have fields, every name that means nothing else is a field; which of them a line has, nobody knows
//! before it comes. So fields are found out here as they are named.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::diagnostic::short;
use super::pattern::Compiled;
use crate::rule::Value;

/// What a rule captures, by its names.
#[derive(Debug)]
pub(super) struct Captured {
    /// All of them, as [`crate::rule::Rule::captures`]; `None`: it is not known which there are, because a pattern is
    /// wrong.
    all: RefCell<Option<Vec<Arc<str>>>>,
    /// Those that are there when a match is judged. What only `resolve` captures is not.
    of_match: BTreeSet<Arc<str>>,
    /// Those that go before the built-in names of texts.
    first: RefCell<BTreeSet<Arc<str>>>,
    /// Those that are fields.
    fields: RefCell<BTreeSet<usize>>,
    /// What was said of containers.
    of_containers: RefCell<BTreeSet<&'static str>>,
    /// Whether lines have fields.
    has_fields: bool,
    /// What is said of names that are not known.
    note: String,
}

/// A name as it was typed, and whether it stands between backticks: then it is no built-in one.
pub(super) fn bare(typed: &str) -> (&str, bool) {
    let inner = typed.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inner.map_or((typed, false), |name| (name, true))
}

/// True for names that need no backticks.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

impl Captured {
    /// What these patterns capture; `None`: one of them is wrong. `note`: what is said of names that are not known.
    pub(super) fn new(
        matches: Option<&[Compiled]>,
        resolve: Option<&[Compiled]>,
        has_fields: bool,
        note: String,
    ) -> Captured {
        let names = |patterns: &[Compiled]| -> Vec<Arc<str>> {
            patterns.iter().flat_map(Compiled::names).map(Arc::from).collect()
        };
        let all = matches.zip(resolve).map(|(matches, resolve)| {
            let mut all: Vec<Arc<str>> = Vec::new();
            for name in names(matches).into_iter().chain(names(resolve)) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
            all
        });
        Captured {
            of_match: names(matches.unwrap_or_default()).into_iter().collect(),
            first: RefCell::new(all.iter().flatten().cloned().collect()),
            all: RefCell::new(all),
            fields: RefCell::default(),
            of_containers: RefCell::default(),
            has_fields,
            note,
        }
    }

    /// These names, and no fields.
    pub(super) fn plain(names: &[&str]) -> Captured {
        let all: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        let set: BTreeSet<Arc<str>> = all.iter().cloned().collect();
        Captured {
            all: RefCell::new(Some(all)),
            of_match: set.clone(),
            first: RefCell::new(set),
            fields: RefCell::default(),
            of_containers: RefCell::default(),
            has_fields: false,
            note: String::new(),
        }
    }

    /// What `set` makes is there too; the place of it, if it is known what there is.
    pub(super) fn add(&mut self, name: &str) -> Option<usize> {
        self.of_match.insert(name.into());
        self.first.borrow_mut().insert(name.into());
        self.place(name)
    }

    /// What a name stands for in what is asked of a match, where these are the built-in ones.
    pub(super) fn of_match(&self, typed: &str, built_in: impl Fn(&str) -> Option<Value>) -> Option<Value> {
        let (name, _) = bare(typed);
        let known = self.of_match.contains(name).then(|| self.position(name)).flatten();
        known.map(Value::Capture).or_else(|| self.other(typed, built_in))
    }

    /// What a name stands for in texts and in `set`, where what only `resolve` captures counts too.
    pub(super) fn of_any(&self, typed: &str, built_in: impl Fn(&str) -> Option<Value>) -> Option<Value> {
        let (name, _) = bare(typed);
        let known = self.first.borrow().contains(name).then(|| self.position(name)).flatten();
        if let Some(at) = known {
            // A recovery line captures it; a match has it as a field.
            if self.has_fields && !self.of_match.contains(name) {
                self.fields.borrow_mut().insert(at);
            }
            return Some(Value::Capture(at));
        }
        self.other(typed, built_in)
    }

    fn other(&self, typed: &str, built_in: impl Fn(&str) -> Option<Value>) -> Option<Value> {
        let (name, is_quoted) = bare(typed);
        if let Some(value) = built_in(name).filter(|_| !is_quoted) {
            if let Value::Container(part) = value {
                self.of_containers.borrow_mut().insert(part.as_str());
            }
            return Some(value);
        }
        let is_field = self.has_fields && !name.is_empty() && (is_quoted || is_plain(name));
        if is_field { self.field(name, is_quoted) } else { None }
    }

    /// The field of that name.
    pub(super) fn field(&self, name: &str, is_quoted: bool) -> Option<Value> {
        let at = self.place(name)?;
        if !is_quoted {
            self.first.borrow_mut().insert(name.into());
        }
        self.fields.borrow_mut().insert(at);
        Some(Value::Capture(at))
    }

    /// True for a field that is captured by no pattern and made by no `set`.
    pub(super) fn is_only_field(&self, name: &str) -> bool {
        let is_field = |at: usize| self.fields.borrow().contains(&at);
        !self.of_match.contains(name) && self.position(name).is_some_and(is_field)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.all.borrow().as_ref()?.iter().position(|known| **known == *name)
    }

    fn place(&self, name: &str) -> Option<usize> {
        if let Some(at) = self.position(name) {
            return Some(at);
        }
        let mut all = self.all.borrow_mut();
        let all = all.as_mut()?;
        all.push(name.into());
        Some(all.len() - 1)
    }

    /// What of a container has been named so far.
    pub(super) fn of_containers(&self) -> BTreeSet<&'static str> {
        self.of_containers.borrow().clone()
    }

    /// Whether lines have fields.
    pub(super) fn has_fields(&self) -> bool {
        self.has_fields
    }

    /// What is said of a name that is not known, besides the names that there are.
    pub(super) fn note(&self, typed: &str) -> String {
        if self.has_fields {
            return format!(
                "; a field with other characters stands between backticks: `` `{}` ``",
                short(typed)
            );
        }
        self.note.clone()
    }

    /// The names that are known so far; `None`: a pattern is wrong.
    pub(super) fn known(&self) -> Option<Vec<Arc<str>>> {
        self.all.borrow().clone()
    }

    /// The same, without those that only `resolve` captures.
    pub(super) fn known_of_match(&self) -> Option<Vec<Arc<str>>> {
        self.all.borrow().as_ref().map(|_| self.of_match.iter().cloned().collect())
    }

    /// Which of the known names are fields.
    pub(super) fn fields(&self) -> Vec<usize> {
        self.fields.borrow().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Diagnostic, Sources, Text, probe::Probe, ruleset_probed};
    use super::*;
    use crate::model::Format;
    use crate::rule::{Condition, Measure, Number, Rule, Segment, Template, Word};

    fn read(lines: &str, format: Format) -> (String, Option<Rule>, Vec<Diagnostic>) {
        let text = format!("[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
        let file = Text { path: "a".into(), text: text.clone() };
        let format = [format];
        let sources = Sources::Any(&format);
        let (found, problems) = ruleset_probed(
            &[file],
            sources,
            &crate::config::csv::Files::new(),
            &[],
            &jiff::tz::TimeZone::UTC,
            &mut Probe::none(),
        );
        (text, found.map(|mut found| found.rules.swap_remove(0)), problems)
    }

    /// A rule without `match` on JSON lines.
    fn on_json(lines: &str) -> Rule {
        let (_, found, problems) = read(lines, Format::Json);
        assert!(problems.is_empty(), "{lines}: {problems:?}");
        found.expect("nothing is wrong")
    }

    /// What is said of a rule, and what it is said of.
    fn check_wrong(lines: &str, format: Format, expected: &[(&str, &str)]) -> Vec<Diagnostic> {
        let (text, _, problems) = read(lines, format);
        let told: Vec<(&str, &str)> =
            problems.iter().map(|problem| (problem.id, &text[problem.span.clone()])).collect();
        assert_eq!(told, expected, "{lines}");
        problems
    }

    fn names(rule: &Rule) -> Vec<&str> {
        rule.field_names().collect()
    }

    fn places(template: &Template) -> Vec<&Value> {
        template
            .0
            .iter()
            .filter_map(|segment| match segment {
                Segment::Value(value) => Some(value),
                Segment::Text(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_name_that_means_nothing_else_is_a_field_wherever_it_stands() {
        let rule = on_json(
            "where = 'a.b >= 5'\nset = { c = 'lower(d)' }\nby = ['e']\nmeasure = 'max(f)'\nwithin = '1m'\nwarning = '> 1'\n\
             summary = '{g}'\nlabels = { h = '{i}' }\nrunbook = 'https://x/{j}'\nimages = ['https://y/{k}']",
        );
        let mut fields = names(&rule);
        fields.sort_unstable();
        assert_eq!(fields, ["a.b", "d", "e", "f", "g", "i", "j", "k"]);
        assert!(rule.whole);
    }

    #[test]
    fn with_a_pattern_its_captures_are_no_fields_and_others_are() {
        let rule = on_json(
            "match = 'x (?<user>\\S+)'\nresolve = 'y (?<host>\\S+)'\nby = ['user', 'host']\nsummary = '{user} {app}'",
        );
        assert_eq!(names(&rule), ["host", "app"]);
        assert_eq!(rule.captures.iter().map(|name| &**name).collect::<Vec<_>>(), ["user", "host", "app"]);
        assert!(!rule.whole);
    }

    #[test]
    fn between_backticks_a_name_may_be_anything_and_is_no_built_in_one() {
        let rule = on_json(
            "where = '`user-agent` =~ \"bot\" and `line` == \"7\" and `and` == `in`'\nsummary = '{`status`} {`x y`} {line} {status}'",
        );
        assert_eq!(names(&rule), ["user-agent", "line", "and", "in", "status", "x y"]);
        let status = rule.captures.iter().position(|name| &**name == "status").expect("a field");
        let expected = [&Value::Capture(status), &Value::Capture(5), &Value::Line, &Value::Status];
        assert_eq!(places(&rule.summary), expected);
    }

    #[test]
    fn a_field_that_was_named_goes_before_the_built_in_name_of_texts() {
        let rule = on_json("where = 'status >= 500'\nsummary = '{status} {count}'");
        assert_eq!(places(&rule.summary), [&Value::Capture(0), &Value::Count]);
        let rule = on_json("summary = '{status}'");
        assert_eq!(places(&rule.summary), [&Value::Status]);
    }

    #[test]
    fn keys_take_any_name_and_backticks_where_it_is_a_built_in_one() {
        let rule = on_json("by = ['user-agent', 'file', '`source`']");
        let by: Vec<(&str, &Value)> = rule.by.iter().map(|by| (&*by.name, &by.from)).collect();
        let expected =
            [("file", &Value::File), ("source", &Value::Capture(1)), ("user-agent", &Value::Capture(0))];
        assert_eq!(by, expected);
    }

    #[test]
    fn measures_and_rewritings_are_made_of_fields() {
        let rule = on_json(
            "measure = 'p95(`took-ms`)'\nwithin = '1m'\nwarning = '> 1'\nset = { path = 'mask(path)' }\nby = ['path']",
        );
        assert_eq!(names(&rule), ["path", "took-ms"]);
        assert!(matches!(rule.measure, Measure::Percentile(95, Value::Capture(1))), "{:?}", rule.measure);
        assert_eq!(rule.set[0].capture, 0);
        let rule = on_json("where = 'a > b.c or d == \"x\"'");
        let Some(Condition::Any(all)) = rule.filter.map(|filter| filter.condition) else { panic!("an `or`") };
        assert!(matches!(
            all[0],
            Condition::Compared(Number::Of(Value::Capture(0)), _, Number::Of(Value::Capture(1)))
        ));
        assert!(matches!(all[1], Condition::Same(Word::Of(Value::Capture(2)), _)));
    }

    #[test]
    fn a_text_with_another_field_is_another_text_and_decides_nothing() {
        let (one, other) = (on_json("summary = '{a}'"), on_json("summary = '{b}'"));
        assert_ne!(one.texts_digest, other.texts_digest);
        assert_eq!(one.condition_digest, other.condition_digest);
        let decides = on_json("where = 'a == \"x\"'\nsummary = '{a}'");
        assert_ne!(one.condition_digest, decides.condition_digest);
    }

    #[test]
    fn what_is_no_name_is_no_field() {
        check_wrong("summary = '{a b}'", Format::Json, &[("unknown-name", "a b")]);
        check_wrong("summary = '{\"a\": 1}'", Format::Json, &[("unknown-name", "\"a\": 1")]);
        check_wrong("summary = '{``}'", Format::Json, &[("unknown-name", "``")]);
        check_wrong("where = '`a > 5'", Format::Json, &[("bad-condition", "`")]);
        check_wrong("where = '`` > 5'", Format::Json, &[("bad-condition", "``")]);
        let problems = check_wrong(
            "measure = 'sum(a + b)'\nwithin = '1m'\nwarning = '> 1'",
            Format::Json,
            &[("unknown-name", "a + b")],
        );
        let note = problems[0].note.as_deref().unwrap_or_default();
        assert!(
            note.ends_with("a field with other characters stands between backticks: `` `a + b` ``"),
            "{note}"
        );
    }

    #[test]
    fn on_plain_lines_names_are_checked_and_the_way_to_fields_is_said() {
        let problems = check_wrong(
            "match = 'x'\nwhere = 'level == \"error\"'\nby = ['host']\nsummary = '{app}'",
            Format::Plain,
            &[("unknown-name", "level"), ("by-not-captured", "'host'"), ("unknown-name", "app")],
        );
        for problem in problems {
            let note = problem.note.as_deref().unwrap_or_default();
            assert!(note.contains("it may be a field if the source has a `format`"), "{problem:?}");
        }
        check_wrong("summary = 'x'", Format::Plain, &[("missing-key", "[[rule]]")]);
    }
}
