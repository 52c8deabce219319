//! Rule files → [`Ruleset`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::condition::{self, Names};
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::{DEFAULTS, IMAGE, RULE_FILE, RULE_LATER, RULE_OWN};
use super::ladder::{self, Ladder};
use super::macros::Macros;
use super::own::{OWN_PREFIX, own_rules};
use super::pattern::{self, Budget, Compiled};
use super::probe::Probe;
use super::rewrite::{self, Tables};
use super::walk::{Fields, Said, check, parse, require, said};
use super::{Diagnostic, Second, Severity, Text, digest, measure, template};
use crate::model::{RuleName, SourceName};
use crate::rule::{
    By, Filter, ImageTemplate, Measure, Pattern, Rewrite, Rule, Ruleset, Template, Unit, Value,
};
use crate::settings::Source;

/// What can be said of every match, besides its captures.
const OF_A_MATCH: [(&str, Value); 5] = [
    ("file", Value::File),
    ("source", Value::Source),
    ("line", Value::Line),
    ("instance", Value::Instance),
    ("rule", Value::Rule),
];

/// What a rule is read against.
struct Around<'a> {
    sources: Option<&'a [Source]>,
    globals: &'a [(Arc<str>, String)],
    /// Where each enabled name was first used.
    names: BTreeMap<String, (PathBuf, Range<usize>)>,
    budget: Budget,
    probe: &'a mut Probe,
}

pub(super) fn read(
    texts: &[Text],
    sources: Option<&[Source]>,
    globals: &[(Arc<str>, String)],
    probe: &mut Probe,
) -> (Option<Ruleset>, Vec<Diagnostic>) {
    let mut around = Around { sources, globals, names: BTreeMap::new(), budget: Budget::new(), probe };
    let mut rules = Vec::new();
    let mut diagnostics = Vec::new();
    for text in texts {
        let mut problems = Problems::new(&text.path, &text.text);
        read_file(&mut problems, &mut around, &mut rules);
        diagnostics.extend(problems.finish());
    }
    for mut own in own_rules() {
        own.labels = globals.iter().map(|(name, value)| (name.clone(), Template::constant(value))).collect();
        rules.push(own);
    }
    let sound = diagnostics.iter().all(|problem| problem.severity == Severity::Warning);
    (sound.then_some(Ruleset { rules }), diagnostics)
}

fn read_file(problems: &mut Problems<'_>, around: &mut Around<'_>, rules: &mut Vec<Rule>) {
    let document = parse(problems);
    check(problems, &document, "a rule file", &[RULE_FILE], &[]);
    let file = Fields { table: &document, defaults: None };
    let defaults = file.value("defaults").and_then(|value| value.get_ref().as_table());
    if let Some(defaults) = defaults {
        check_defaults(problems, defaults);
    }
    let pairs = file.pairs("patterns");
    let patterns = file.value("patterns").and_then(|value| value.get_ref().as_table());
    let macros = Macros::read(problems, &pairs, |name| {
        patterns.and_then(|table| table.get_key_value(name)).map_or(0..0, |(key, _)| key.span())
    });
    let tables = file.value("lookup").and_then(|value| value.get_ref().as_table());
    let entries = |table: &DeTable<'_>| {
        let pairs = table.iter().filter_map(|(key, value)| Some((key, value.get_ref().as_str()?)));
        Arc::new(pairs.map(|(key, value)| (key.get_ref().as_ref().into(), value.into())).collect())
    };
    let named = tables.into_iter().flat_map(|tables| tables.iter());
    let lookups: Tables = named
        .filter_map(|(name, table)| Some((name.get_ref().to_string(), entries(table.get_ref().as_table()?))))
        .collect();
    for (header, table) in file.tables("rule") {
        let fields = Fields { table, defaults };
        let reader = Reader { header, fields, macros: &macros, lookups: &lookups };
        rules.extend(reader.read(problems, around));
    }
}

fn check_defaults(problems: &mut Problems<'_>, defaults: &DeTable<'_>) {
    for key in RULE_OWN {
        if let Some((name, _)) = defaults.get_key_value(key.name) {
            let title = format!("`{}` belongs to a single rule", key.name);
            problems.error("not-a-default", name.span(), title, "cannot be a default");
        }
    }
    // The keys of single rules are known here too, so that they are not called unknown besides.
    check(problems, defaults, "[defaults]", &[DEFAULTS, RULE_OWN], RULE_LATER);
}

/// Reads one `[[rule]]`.
struct Reader<'t, 'i> {
    header: Range<usize>,
    fields: Fields<'t, 'i>,
    macros: &'t Macros,
    lookups: &'t Tables,
}

/// The patterns of a rule; `None` where one of them is wrong.
struct Patterns {
    matches: Option<Vec<Compiled>>,
    ignore: Option<Vec<Compiled>>,
    resolve: Option<Vec<Compiled>>,
}

impl<'t> Reader<'t, '_> {
    /// `None`: the rule is disabled or wrong; what is wrong has been said.
    fn read(&self, problems: &mut Problems<'_>, around: &mut Around<'_>) -> Option<Rule> {
        let errors = problems.errors();
        check(problems, self.fields.table, "a rule", &[RULE_OWN, DEFAULTS], RULE_LATER);
        let enabled = self.fields.switch("enabled").unwrap_or(true);
        let name = self.name(problems, around, enabled);
        let sources = self.sources(problems, around.sources);
        let Patterns { matches, ignore, resolve } = self.patterns(problems, around);

        let captures = matches.as_ref().zip(resolve.as_ref()).map(|(matches, resolve)| {
            let mut names: Vec<Arc<str>> = Vec::new();
            for name in matches.iter().chain(resolve).flat_map(Compiled::names) {
                if !names.iter().any(|known| **known == *name) {
                    names.push(name.into());
                }
            }
            names
        });
        let (set, captures) = self.set(problems, around, captures);
        let set_names: Vec<&str> = self.fields.own().pairs("set").into_iter().map(|(name, _)| name).collect();
        let by = self.by(problems, matches.as_deref(), captures.as_deref(), &set_names);
        let max_keys = self.fields.count("max_keys").unwrap_or(1000);
        // What only `resolve` captures is never there when a match is judged.
        let captured: Option<BTreeSet<&str>> = matches.as_ref().map(|matches| {
            matches.iter().flat_map(Compiled::names).chain(set_names.iter().copied()).collect()
        });
        let find = |name: &str| {
            if captured.as_ref().is_some_and(|captured| captured.contains(name)) {
                return captures.as_ref()?.iter().position(|known| **known == *name).map(Value::Capture);
            }
            OF_A_MATCH.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let built_in = OF_A_MATCH.iter().map(|(name, _)| *name);
        let all = captured.as_ref().map(|captured| captured.iter().copied().chain(built_in).collect());
        let names = Names { find: &find, all };
        let filter = self.filter(problems, around, &names);
        let measure = self.measure(problems, around, &names);
        // What stays away is measured by itself, whatever the defaults say of windows.
        let absent = matches!(measure, Some(Measure::Absent));
        let within = self.fields.duration("within").filter(|_| !absent).unwrap_or_default();
        let min_lines = self.fields.count("min_lines").filter(|_| !absent).unwrap_or(0) as u64;
        let seconds = if matches!(measure, Some(Measure::Rate)) { within.as_secs_f64() } else { 1.0 };
        let ladder = ladder::read(problems, self.fields, measure.as_ref(), seconds);
        let unit = ladder.unit.unwrap_or(Unit::One);
        let hold = self.fields.duration("for").unwrap_or_default();
        let has_resolve = self.fields.table.contains_key("resolve");
        let expect = self.expect(problems, absent, &by, max_keys);
        let resolve_after = self.resolve_after(problems, has_resolve, absent);
        let expire_after = self.expire_after(problems, has_resolve);
        if let Some(measure) = &measure {
            self.check_measure(problems, measure, &ladder, matches.as_deref().unwrap_or_default());
        }
        let counts = matches!(measure, None | Some(Measure::Count));
        self.check_window(problems, has_resolve, counts);

        let known = captures.as_deref();
        let text = |problems: &mut Problems<'_>, key: &str| {
            self.fields.text(key).map(|said| template::parse(problems, &said, known))
        };
        let default = |text: &str| {
            let span = self.header.clone();
            let mut silent = Problems::new(std::path::Path::new(""), "");
            template::parse(&mut silent, &Said::new(text, span), Some(&[]))
        };
        let summary = text(problems, "summary").unwrap_or_else(|| default("{rule}: {line}"));
        let description = text(problems, "description").unwrap_or_else(|| default("{lines}"));
        let runbook = text(problems, "runbook");
        let labels = self.labels(problems, around, &sources, known);
        let images = self.images(problems, known);

        if problems.errors() > errors || !enabled {
            return None;
        }
        let captures = captures.unwrap_or_default();
        let slots = |patterns: Option<Vec<Compiled>>| -> Vec<Pattern> {
            patterns.into_iter().flatten().map(|pattern| pattern.placed(&captures)).collect()
        };
        let mut rule = Rule {
            name: RuleName::new(name?),
            sources: sources.iter().map(|source| SourceName::new(source.text)).collect(),
            patterns: slots(matches),
            ignore: slots(ignore),
            resolve: slots(resolve),
            set: set.unwrap_or_default(),
            filter,
            latch: has_resolve && within.is_zero() && counts,
            captures: captures.clone(),
            by,
            scoped: self.fields.value("scope").is_none(),
            measure: measure?,
            within,
            min_lines,
            ladder: ladder.levels,
            unit,
            clear: ladder.clear,
            hold,
            resolve_after,
            expire_after,
            expect,
            max_keys,
            labels,
            summary,
            description,
            runbook,
            images,
            condition_digest: [0; 16],
        };
        rule.condition_digest = digest::condition(&rule);
        Some(rule)
    }

    fn name(&self, problems: &mut Problems<'_>, around: &mut Around<'_>, enabled: bool) -> Option<&'t str> {
        require(problems, self.fields.table, &self.header, "name", "a rule");
        let name = self.fields.own().text("name")?;
        if name.text.starts_with(OWN_PREFIX) {
            let title = format!("rule names cannot begin with `{OWN_PREFIX}`");
            problems.error("reserved-name", name.span, title, "kept for tripline's own alerts");
            return None;
        }
        if !enabled {
            return Some(name.text);
        }
        if let Some((file, span)) = around.names.get(name.text) {
            let title = format!("there are two rules named `{}`", short(name.text));
            let second =
                Second { file: file.clone(), span: span.clone(), label: "first used here".to_owned() };
            problems.error("duplicate-name", name.span, title, "used again").second = Some(second);
        } else {
            around.names.insert(name.text.to_owned(), (problems.file.to_path_buf(), name.span));
        }
        Some(name.text)
    }

    fn sources(&self, problems: &mut Problems<'_>, configured: Option<&[Source]>) -> Vec<Said<'t>> {
        if self.fields.value("source").is_none() {
            require(problems, self.fields.table, &self.header, "source", "a rule");
            return Vec::new();
        }
        let sources = self.fields.texts("source");
        self.not_empty(problems, "source", sources.is_empty(), "a rule without a source sees no line");
        if let Some(configured) = configured {
            let names = || configured.iter().map(|source| source.name.as_str());
            for source in sources.iter().filter(|source| names().all(|name| name != source.text)) {
                let title = format!("there is no source named `{}`", short(source.text));
                let problem = problems.error("unknown-source", source.span.clone(), title, "unknown source");
                problem.help = did_you_mean(source.text, names());
                problem.note = Some(match configured {
                    [] => "no `[[source]]` is configured".to_owned(),
                    _ => format!("the sources are {}", listed(names())),
                });
            }
        }
        let mut seen = BTreeSet::new();
        sources.into_iter().filter(|source| seen.insert(source.text)).collect()
    }

    fn not_empty(&self, problems: &mut Problems<'_>, key: &str, empty: bool, label: &str) {
        if let Some(value) = self.fields.value(key).filter(|value| empty && value.get_ref().is_array()) {
            problems.error("empty-list", value.span(), format!("`{key}` is empty"), label);
        }
    }

    fn patterns(&self, problems: &mut Problems<'_>, around: &mut Around<'_>) -> Patterns {
        let mut compile = |problems: &mut Problems<'_>, key: &'static str, fields: Fields<'t, '_>| {
            let texts = fields.texts(key);
            let each: Vec<Option<Compiled>> =
                texts.iter().map(|said| self.compile(problems, around, key, said)).collect();
            each.into_iter().collect::<Option<Vec<Compiled>>>()
        };
        let matches = compile(problems, "match", self.fields.own());
        let all = compile(problems, "match_all", self.fields.own());
        let has_all = self.fields.own().value("match_all").is_some();
        if has_all || require(problems, self.fields.table, &self.header, "match", "a rule") {
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
        Patterns { matches: matches.filter(|patterns| !patterns.is_empty()), ignore, resolve }
    }

    /// Compiles a pattern of `key` and tries what it costs.
    fn compile(
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
        Some(compiled)
    }

    /// The patterns of `match_all` as one; the inner `None`: there are none.
    #[expect(clippy::option_option, reason = "nothing is wrong with having none")]
    fn together(&self, problems: &mut Problems<'_>, all: Vec<Compiled>) -> Option<Option<Compiled>> {
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
        Some(first.map(|first| Compiled { also: all.collect(), ..first }))
    }

    fn by(
        &self,
        problems: &mut Problems<'_>,
        matches: Option<&[Compiled]>,
        captures: Option<&[Arc<str>]>,
        set: &[&str],
    ) -> Vec<By> {
        let mut by: Vec<By> = Vec::new();
        for said in self.fields.texts("by") {
            if by.iter().any(|earlier| *earlier.name == *said.text) {
                let title = format!("`{}` is in `by` twice", short(said.text));
                problems.error("duplicate-name", said.span.clone(), title, "used again");
                continue;
            }
            let captured = captures.unwrap_or_default().iter().position(|c| **c == *said.text);
            let from = match (captured, said.text) {
                (Some(capture), _) => Some(Value::Capture(capture)),
                (None, "file") => Some(Value::File),
                (None, "source") => Some(Value::Source),
                (None, _) => None,
            };
            if let (Some(matches), None | Some(Value::Capture(_))) = (matches, &from)
                && !set.contains(&said.text)
            {
                check_captured(problems, &said, matches);
            }
            by.extend(from.map(|from| By { name: said.text.into(), from }));
        }
        by.sort_by(|a, b| a.name.cmp(&b.name));
        by
    }

    /// What becomes of captures, and all captures that there are then.
    fn set(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        captures: Option<Vec<Arc<str>>>,
    ) -> (Option<Vec<Rewrite>>, Option<Vec<Arc<str>>>) {
        let find = |name: &str| {
            let captured = captures.as_ref().and_then(|all| all.iter().position(|known| **known == *name));
            let built_in =
                || OF_A_MATCH.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            captured.map(Value::Capture).or_else(built_in)
        };
        let built_in = OF_A_MATCH.iter().map(|(name, _)| *name);
        let all = captures.as_ref().map(|all| all.iter().map(|name| &**name).chain(built_in).collect());
        let names = Names { find: &find, all };
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "set", said).map(|compiled| compiled.regex)
        };
        let mut texts = Vec::new();
        for (name, said) in self.fields.own().pairs("set") {
            let to = rewrite::parse(problems, &said, &names, self.lookups, &mut compile);
            texts.push(to.map(|to| (name, said.text, to)));
        }
        let mut known = captures.clone();
        let placed =
            texts.into_iter().collect::<Option<Vec<_>>>().zip(known.as_mut()).map(|(texts, known)| {
                let place = |(name, text, to): (&str, &str, _)| {
                    let capture = known.iter().position(|known| **known == *name).unwrap_or_else(|| {
                        known.push(name.into());
                        known.len() - 1
                    });
                    Rewrite { text: text.into(), capture, to }
                };
                texts.into_iter().map(place).collect()
            });
        (placed, known)
    }

    fn filter(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        names: &Names<'_, Value>,
    ) -> Option<Filter> {
        let said = self.fields.own().text("where")?;
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "where", said).map(|compiled| compiled.regex)
        };
        let condition = condition::parse(problems, &said, names, &mut compile)?;
        Some(Filter { text: said.text.into(), condition })
    }

    /// `None`: it is wrong, which has been said.
    fn measure(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        names: &Names<'_, Value>,
    ) -> Option<Measure> {
        let Some(said) = self.fields.own().text("measure") else { return Some(Measure::Count) };
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "measure", said).map(|compiled| compiled.regex)
        };
        measure::parse(problems, &said, names, &mut compile)
    }

    /// The keys that are missed though they were never seen, as lists of values in the order of `by`.
    fn expect(
        &self,
        problems: &mut Problems<'_>,
        absent: bool,
        by: &[By],
        max_keys: usize,
    ) -> Vec<Vec<Box<str>>> {
        let Some(value) = self.fields.own().value("expect") else {
            return if absent && by.is_empty() { vec![Vec::new()] } else { Vec::new() };
        };
        let Some(table) = value.get_ref().as_table() else { return Vec::new() };
        if !absent {
            let title = "`expect` has no effect without `measure = \"absent\"`";
            problems.error("expect-without-absent", value.span(), title, "nothing is ever missed");
        }
        for (name, _) in table.iter().filter(|(name, _)| by.iter().all(|by| *by.name != **name.get_ref())) {
            let title = format!("`{}` is not in `by`", short(name.get_ref()));
            let problem = problems.error("unknown-name", name.span(), title, "no part of the key");
            problem.help = did_you_mean(name.get_ref(), by.iter().map(|by| &*by.name));
        }
        let mut all: Vec<Vec<Box<str>>> = vec![Vec::new()];
        for by in by {
            let own = Fields { table, defaults: None };
            let values = own.texts(&by.name);
            if own.value(&by.name).is_none() {
                let title = format!("`expect` does not say which `{}`", by.name);
                problems.error("missing-key", value.span(), title, "a key needs each name of `by`");
            }
            let with = |known: &Vec<Box<str>>, said: &Said<'_>| {
                known.iter().cloned().chain([said.text.into()]).collect()
            };
            all = all.iter().flat_map(|known| values.iter().map(move |said| with(known, said))).collect();
            if all.len() > max_keys {
                let title = format!("`expect` names more than {max_keys} keys");
                problems.error("out-of-range", value.span(), title, "more than `max_keys`");
                return Vec::new();
            }
        }
        all
    }

    fn resolve_after(
        &self,
        problems: &mut Problems<'_>,
        has_resolve: bool,
        absent: bool,
    ) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(30 * 60);
        let own = self.fields.own().duration_or_never("resolve_after");
        let at_once = absent.then_some(Some(Duration::ZERO));
        let implied = at_once.or(has_resolve.then_some(None));
        let written = self.fields.duration_or_never("resolve_after");
        let after = own.or(implied).or(written).unwrap_or(Some(DEFAULT));
        if after.is_none()
            && !has_resolve
            && let Some(value) = self.fields.text("resolve_after")
        {
            let title = "nothing will ever end this alert";
            problems.warning("never-ends", value.span, title, "silence never ends it").help =
                Some("give the rule a `resolve` pattern, or a duration here".to_owned());
        }
        after
    }

    fn expire_after(&self, problems: &mut Problems<'_>, has_resolve: bool) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);
        if has_resolve {
            return self.fields.duration_or_never("expire_after").unwrap_or(Some(DEFAULT));
        }
        if let Some(value) = self.fields.own().value("expire_after") {
            let title = "`expire_after` has no effect without `resolve`";
            problems.warning("no-effect", value.span(), title, "no recovery line is waited for").help =
                Some("`resolve_after` ends an alert after quiet".to_owned());
        }
        None
    }

    /// Whether a measure has what it needs.
    fn check_measure(
        &self,
        problems: &mut Problems<'_>,
        measure: &Measure,
        ladder: &Ladder,
        matches: &[Compiled],
    ) {
        let Some(said) = self.fields.own().text("measure") else { return };
        let name = short(said.text);
        let needs_window = !matches!(measure, Measure::Count | Measure::Last(_) | Measure::Absent);
        if let (Measure::Absent, Some(value)) = (measure, self.fields.own().value("within")) {
            let title = "`within` has no effect with `absent`";
            problems.error("no-effect", value.span(), title, "the time is what is compared").help =
                Some("say in the level for how long: `warning = \"> 26h\"`".to_owned());
        }
        if let (Measure::Absent, Some(value)) = (measure, self.fields.own().value("clear")) {
            let title = "`clear` has no effect with `absent`";
            problems.error("no-effect", value.span(), title, "a line that fits `match` ends the alert");
        }
        if let (Measure::Absent, Some(value)) = (measure, self.fields.own().value("resolve")) {
            let title = "`resolve` has no effect with `absent`";
            problems.error("no-effect", value.span(), title, "a line that fits `match` ends the alert");
        }
        if needs_window && self.fields.value("within").is_none() {
            let title = format!("`{name}` needs `within`");
            problems.error("measure-without-window", said.span.clone(), title, "of which matches?").help =
                Some("say over which time: `within = \"5m\"`".to_owned());
        }
        if !matches!(measure, Measure::Count) && ladder.written.is_none() {
            let title = format!("`{name}` is compared with nothing");
            problems.error("measure-without-level", said.span.clone(), title, "no level is given").help =
                Some("say from which value on: `warning = \"> …\"`".to_owned());
        }
        let is_number = !matches!(measure, Measure::Distinct(_));
        if let (Some(Value::Capture(_)), true, Some(unit), Some(span)) =
            (measure.of(), is_number, ladder.unit, &ladder.written)
        {
            let behind = said.text.split_once('(').map_or("", |(_, behind)| behind);
            let capture = behind.trim_end().trim_end_matches(')').trim();
            measure::check_unit(problems, span.clone(), unit, capture, matches);
        }
    }

    /// Things that only make sense with a window.
    fn check_window(&self, problems: &mut Problems<'_>, has_resolve: bool, counts: bool) {
        if self.fields.value("within").is_some() {
            return;
        }
        if let Some(value) = self.fields.own().value("min_lines") {
            let title = "`min_lines` has no effect without `within`";
            problems.warning("no-effect", value.span(), title, "each line counts by itself");
        }
        if !counts {
            return;
        }
        let (span, label) = (self.header.clone(), "in this rule".to_owned());
        let second = Some(Second { file: problems.file.to_path_buf(), span, label });
        let lasts = self.fields.duration("for").is_some_and(|hold| !hold.is_zero());
        if let Some(hold) = self.fields.text("for").filter(|_| lasts && !has_resolve) {
            let from_defaults = self.fields.own().value("for").is_none();
            let title = "`for` needs `within` or `resolve`";
            let problem = problems.error("for-without-window", hold.span, title, "nothing lasts here");
            problem.note = Some("without them each line stands for itself and is over at once".to_owned());
            problem.second = second.clone().filter(|_| from_defaults);
        }
        for word in ["info", "warning", "critical"] {
            let Some(said) = self.fields.text(word) else { continue };
            let written = ladder::parse_comparison(said.text);
            let needed = written.map_or(1, |written| written.comparison().needed(1.0));
            let used = self.fields.own().value(word).is_some() || !self.says_ladder();
            if needed > 1 && used {
                let title = format!("`{word}` waits for {needed} matches, and there is no `within`");
                let problem = problems.error(
                    "threshold-without-window",
                    said.span,
                    title,
                    "each line is counted by itself",
                );
                problem.help = Some("say over which time: `within = \"10m\"`".to_owned());
                problem.second = second.clone().filter(|_| self.fields.own().value(word).is_none());
            }
        }
    }

    fn says_ladder(&self) -> bool {
        ["info", "warning", "critical", "severity"].iter().any(|word| self.fields.own().value(word).is_some())
    }

    fn labels(
        &self,
        problems: &mut Problems<'_>,
        around: &Around<'_>,
        sources: &[Said<'_>],
        captures: Option<&[Arc<str>]>,
    ) -> Vec<(Arc<str>, Template)> {
        let mut labels: BTreeMap<Arc<str>, Template> = BTreeMap::new();
        for (name, value) in around.globals.iter().chain(&shared_labels(around.sources, sources)) {
            labels.insert(name.clone(), Template::constant(value));
        }
        let defaults = self.fields.defaults.map(|table| Fields { table, defaults: None });
        for fields in defaults.into_iter().chain([self.fields.own()]) {
            for (name, value) in fields.pairs("labels") {
                labels.insert(name.into(), template::parse(problems, &value, captures));
            }
        }
        labels.into_iter().collect()
    }

    fn images(&self, problems: &mut Problems<'_>, captures: Option<&[Arc<str>]>) -> Vec<ImageTemplate> {
        let list = self.fields.value("images").and_then(|value| value.get_ref().as_array());
        let mut images = Vec::new();
        for item in list.into_iter().flat_map(|list| list.iter()) {
            let [src, href, alt] = match item.get_ref() {
                DeValue::Table(table) => {
                    let fields = Fields { table, defaults: None };
                    [0, 1, 2].map(|at: usize| fields.text(IMAGE[at].name))
                }
                _ => [said(item), None, None],
            };
            let mut text =
                |said: Option<Said<'_>>| said.map(|said| template::parse(problems, &said, captures));
            if let Some(src) = text(src) {
                images.push(ImageTemplate { src, href: text(href), alt: text(alt) });
            }
        }
        images
    }
}

impl Compiled {
    /// With the places of its groups among the rule's captures.
    pub(super) fn placed(self, captures: &[Arc<str>]) -> Pattern {
        let slot = |(group, name): &(usize, String)| {
            captures.iter().position(|capture| **capture == **name).map(|slot| (*group, slot))
        };
        let slots = self.names.iter().filter_map(slot).collect();
        let also = self.also.into_iter().map(|also| also.placed(captures)).collect();
        let Compiled { text, expanded, hir, regex, .. } = self;
        Pattern { text, expanded, hir, regex, slots, also }
    }

    /// The names that a line has captured which it fits.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.names.iter().chain(self.also.iter().flat_map(|also| &also.names));
        own.map(|(_, name)| name.as_str())
    }
}

/// A name of `by` that no pattern of `match` captures is wrong; one that some do not capture is empty for those.
fn check_captured(problems: &mut Problems<'_>, said: &Said<'_>, matches: &[Compiled]) {
    let has = |pattern: &Compiled| pattern.names().any(|name| name == said.text);
    let with = matches.iter().filter(|pattern| has(pattern)).count();
    let span = said.span.clone();
    let name = short(said.text);
    if with == 0 {
        let names: BTreeSet<&str> = matches.iter().flat_map(Compiled::names).collect();
        let known = || names.iter().copied().chain(["file", "source"]);
        let title = format!("no pattern of `match` captures `{name}`");
        let problem = problems.error("by-not-captured", span, title, "captured nowhere");
        problem.help = did_you_mean(said.text, known()).or_else(|| {
            Some(format!("capture it: `(?<{name}>…)`")).filter(|_| super::walk::is_identifier(said.text))
        });
        problem.note = Some(format!("the names are {}", listed(known())));
    } else if with < matches.len() {
        let title = format!("`{name}` is not captured by every pattern of `match`");
        let label = format!("captured by {with} of {} patterns", matches.len());
        problems.warning("by-not-captured", span, title, label).help =
            Some("lines of the other patterns share one alert with an empty value".to_owned());
    }
}

/// The labels that all of these sources have with the same value.
fn shared_labels(configured: Option<&[Source]>, names: &[Said<'_>]) -> Vec<(Arc<str>, String)> {
    let seen: Vec<&Source> = configured
        .unwrap_or_default()
        .iter()
        .filter(|source| names.iter().any(|name| name.text == source.name.as_str()))
        .collect();
    let Some((first, others)) = seen.split_first() else { return Vec::new() };
    first
        .labels
        .iter()
        .filter(|label| others.iter().all(|other| other.labels.contains(label)))
        .cloned()
        .collect()
}
