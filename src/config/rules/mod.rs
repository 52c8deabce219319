//! Rule files → [`Ruleset`].

mod captures;
mod change;
mod containers;
mod files;
mod levels;
mod links;
mod never;
mod restraints;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use captures::{OF_A_MATCH, Patterns, of_a_match};
pub(super) use change::untold;
pub(super) use files::sources;
pub(super) use links::MOST_LINKS;
use never::Known;
pub(super) use restraints::parse_max_raises;
use restraints::{Reference, Restraints};

use super::captured::Captured;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::rules::{CHANGE, DEFAULTS, IMAGE, RULE_FILE, RULE_LATER, RULE_OWN};
use super::ladder;
use super::macros::Macros;
use super::own::{OWN_PREFIX, own_rules};
use super::pattern::{Budget, Compiled};
use super::probe::Probe;
use super::rewrite::Tables;
use super::tokens::Names;
use super::walk::{Fields, Said, check, missing, parse, require, said};
use super::{Diagnostic, Second, Severity, Sources, Text, csv, demand, digest, pack, schedule, template};
use crate::model::{Format, RuleName, SinkName, SourceName};
use crate::rule::{ImageTemplate, Measure, Pattern, Rewrite, Rule, Ruleset, Schedule, Template, Unit};
use crate::settings::Source;

/// What a rule is read against.
struct Around<'a> {
    sources: Sources<'a>,
    /// What rules are sources of by themselves.
    inline: Vec<Source>,
    tables: &'a csv::Files,
    globals: &'a [(Arc<str>, String)],
    local: &'a TimeZone,
    /// Where each enabled name was first used.
    names: BTreeMap<String, (PathBuf, Range<usize>)>,
    /// What rules say of others.
    references: Vec<Reference>,
    budget: Budget,
    probe: &'a mut Probe,
}

pub(super) fn read(
    texts: &[Text],
    sources: Sources<'_>,
    tables: &csv::Files,
    globals: &[(Arc<str>, String)],
    local: &TimeZone,
    probe: &mut Probe,
) -> (Option<Ruleset>, Vec<Diagnostic>) {
    let mut around = Around {
        sources,
        inline: files::sources(texts, local),
        tables,
        globals,
        local,
        names: BTreeMap::new(),
        references: Vec::new(),
        budget: Budget::new(),
        probe,
    };
    let mut rules = Vec::new();
    let mut diagnostics = Vec::new();
    for text in texts {
        let mut problems = Problems::new(&text.path, &text.text);
        let mut of_tables = Vec::new();
        read_file(&mut problems, &mut of_tables, &mut around, &mut rules);
        diagnostics.extend(problems.finish());
        diagnostics.append(&mut of_tables);
    }
    let references = std::mem::take(&mut around.references);
    let mut late = Vec::new();
    restraints::connect(&mut rules, references, around.names.keys(), |file, say| {
        if let Some(text) = texts.iter().find(|text| text.path == *file) {
            let mut problems = Problems::new(&text.path, &text.text);
            say(&mut problems);
            late.extend(problems.finish());
        }
    });
    diagnostics.extend(late);
    let place = |file: &std::path::Path| texts.iter().position(|text| text.path == file);
    diagnostics.sort_by_key(|problem: &Diagnostic| (place(&problem.file), problem.span.start));
    for mut own in own_rules() {
        own.labels = globals.iter().map(|(name, value)| (name.clone(), Template::constant(value))).collect();
        rules.push(own);
    }
    let sound = diagnostics.iter().all(|problem| problem.severity == Severity::Warning);
    (sound.then_some(Ruleset { rules }), diagnostics)
}

fn read_file(
    problems: &mut Problems<'_>,
    of_tables: &mut Vec<Diagnostic>,
    around: &mut Around<'_>,
    rules: &mut Vec<Rule>,
) {
    let document = parse(problems);
    check(problems, &document, "a rule file", &[RULE_FILE], &[]);
    pack::check_pack(problems, &document);
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
    let mut lookups = Tables::new();
    for (name, value) in tables.into_iter().flat_map(|tables| tables.iter()) {
        let Some(table) = value.get_ref().as_table() else { continue };
        let entries = if csv::is_meant(table) {
            csv::read(problems, of_tables, table, &name.span(), around.tables)
        } else {
            let pairs = table.iter().filter_map(|(key, value)| Some((key, value.get_ref().as_str()?)));
            pairs.map(|(key, value)| (key.get_ref().as_ref().into(), value.into())).collect()
        };
        lookups.insert(name.get_ref().to_string(), Arc::new(entries));
    }
    let shared = defaults.map(change::without_alerts);
    for (header, table) in file.tables("rule") {
        let errors = problems.errors();
        let of_changes = change::check_kind(problems, table);
        let shared_table = change::without_alerts(table);
        let fields = if of_changes {
            Fields { table: &shared_table, defaults: shared.as_ref() }
        } else {
            Fields { table, defaults }
        };
        let reader = Reader { header, fields, macros: &macros, lookups: &lookups, of_changes, errors };
        rules.extend(reader.read(problems, around));
    }
    // Where something is wrong, that may be why.
    if file.tables("rule").is_empty() && problems.errors() == 0 {
        let title = "there is no rule in this file";
        problems.warning("no-rule", 0..0, title, "").help = Some("a rule begins with `[[rule]]`".to_owned());
    }
}

fn check_defaults(problems: &mut Problems<'_>, defaults: &DeTable<'_>) {
    files::say_both(problems, defaults);
    for key in [RULE_OWN, CHANGE].concat() {
        if let Some((name, _)) = defaults.get_key_value(key.name) {
            let title = format!("`{}` belongs to a single rule", key.name);
            problems.error("not-a-default", name.span(), title, "cannot be a default");
        }
    }
    // The keys of single rules are known here too, so that they are not called unknown besides.
    check(problems, defaults, "[defaults]", &[DEFAULTS, RULE_OWN, CHANGE], RULE_LATER);
}

/// Reads one `[[rule]]`.
struct Reader<'t, 'i> {
    header: Range<usize>,
    fields: Fields<'t, 'i>,
    macros: &'t Macros,
    lookups: &'t Tables,
    /// True with `kind = "change"`. The fields then hold nothing of what only alerts have.
    of_changes: bool,
    /// How many errors there were before it.
    errors: usize,
}

impl<'t> Reader<'t, '_> {
    /// `None`: the rule is disabled or wrong; what is wrong has been said.
    fn read(&self, problems: &mut Problems<'_>, around: &mut Around<'_>) -> Option<Rule> {
        check(problems, self.fields.table, "a rule", &[RULE_OWN, DEFAULTS, CHANGE], RULE_LATER);
        let enabled = self.fields.switch("enabled").unwrap_or(true);
        let name = self.name(problems, around, enabled);
        let inline = self.inline(problems, around);
        let sources = if inline.is_some() { Vec::new() } else { self.sources(problems, around.sources) };
        let formats = formats(around.sources, &sources);
        let has_fields = !formats.is_empty() && formats.iter().all(|(_, format)| *format != Format::Plain);
        let without = || without_match(&formats);
        let Patterns { matches, ignore, resolve, whole } =
            self.patterns(problems, around, has_fields, &without);

        let note = without_fields(&formats);
        let mut captured = Captured::new(matches.as_deref(), resolve.as_deref(), has_fields, note);
        let set = self.set(problems, around, &mut captured);
        let set_names: Vec<&str> = self.fields.own().pairs("set").into_iter().map(|(name, _)| name).collect();
        let by = self.by(problems, matches.as_deref(), &captured, &set_names);
        let max_keys = self.fields.count("max_keys").unwrap_or(1000);
        let redact = self.redact(problems, around);
        let restraints = self.restraints(problems, &mut around.references);
        let Restraints { max_raises, flap, renotify, unless, after } = restraints;
        // What only `resolve` captures is never there when a match is judged.
        let find = |name: &str| captured.of_match(name, of_a_match);
        let built_in = OF_A_MATCH.iter().map(|(name, _)| *name);
        let there = captured.known_of_match();
        let all = there.as_ref().map(|all| all.iter().map(|name| &**name).chain(built_in).collect());
        let names = Names { find: &find, all, note: &|name| captured.note(name) };
        let filter = self.filter(problems, around, &names);
        let measure = self.measure(problems, around, &names);
        let sure =
            Known { matches: matches.as_deref().unwrap_or_default(), captured: &captured, set: &set_names };
        self.check_taken(
            problems,
            sure.matches,
            ignore.as_deref().unwrap_or_default(),
            resolve.as_deref().unwrap_or_default(),
        );
        self.check_recoveries(problems, resolve.as_deref().unwrap_or_default(), &by, &sure);
        let ratio = if let Some(Measure::Ratio(of)) = &measure { Some(of) } else { None };
        for (key, condition) in [("where", filter.as_ref()), ("measure", ratio)] {
            if let Some((said, condition)) = self.fields.own().text(key).zip(condition) {
                self.check_condition(problems, &said, &condition.condition, &sure);
            }
        }
        let deadlines = self.deadlines(problems, around.local);
        // What stays away is measured by itself, whatever the defaults say of windows.
        let absent = matches!(measure, Some(Measure::Absent));
        let within = self.fields.duration("within").filter(|_| !absent).unwrap_or_default();
        let seconds = if matches!(measure, Some(Measure::Rate)) { within.as_secs_f64() } else { 1.0 };
        let ladder = ladder::read(problems, self.fields, measure.as_ref(), seconds, self.has_deadline());
        let few = ladder.few;
        let min_lines = self.fields.count("min_lines").filter(|_| !absent && !few).unwrap_or(0) as u64;
        let unit = ladder.unit.unwrap_or(Unit::One);
        let hold = self.fields.duration("for").unwrap_or_default();
        let has_resolve = self.fields.table.contains_key("resolve");
        let expect = self.expect(problems, absent || few, &by, max_keys);
        self.check_expected(problems, &by, &sure);
        let resolve_after = self.resolve_after(problems, has_resolve, measure.as_ref(), few);
        let expire_after = self.expire_after(problems, has_resolve);
        if let Some(measure) = &measure {
            let captures = captured.known().unwrap_or_default();
            self.check_measure(problems, measure, &ladder, &sure, &captures, &by);
        }
        if few {
            self.check_few(problems);
        }
        let (active, mute) = self.told(problems, around.local);
        let counts = matches!(measure, None | Some(Measure::Count));
        self.check_window(problems, has_resolve, counts);
        let latches = has_resolve && within.is_zero() && counts;
        if latches {
            self.check_latched(problems, flap);
        }

        let built_in = if self.of_changes { template::OF_A_CHANGE } else { template::BUILT_IN };
        let known = template::Names { captured: &captured, built_in };
        let sinks = self.fields.texts("sinks");
        self.not_empty(problems, "sinks", sinks.is_empty(), "leave it out for all of them");
        let block = |problems: &mut Problems<'_>, key: &str| {
            self.fields.text(key).map(|said| template::parse(problems, &said, known))
        };
        let text = |problems: &mut Problems<'_>, key: &str| {
            self.fields.text(key).map(|said| template::parse_line(problems, &said, known))
        };
        let default = |text: &str| {
            let span = self.header.clone();
            let mut silent = Problems::new(std::path::Path::new(""), "");
            let captured = Captured::plain(&[]);
            let names = template::Names { captured: &captured, built_in };
            template::parse(&mut silent, &Said::new(text, span), names)
        };
        let summary = text(problems, "summary").unwrap_or_else(|| {
            // Where too little came there may be no line.
            default(if few { "{rule}: {value} within {within}" } else { "{rule}: {line}" })
        });
        let description = block(problems, "description")
            .unwrap_or_else(|| default(if self.of_changes { "{line}" } else { "{lines}" }));
        let runbook = self.fields.text("runbook").map(|said| links::address(problems, &said, known));
        let labels = self.labels(problems, around, &sources, known);
        let images = self.images(problems, known);
        let links = self.links(problems, known);

        let change = match matches.as_deref() {
            Some(matches) if self.of_changes => self.change(problems, matches, &known, &set_names),
            _ => None,
        };

        self.check_containers(problems, around, (inline.as_ref(), &sources), &captured);
        if problems.errors() > self.errors || !enabled {
            return None;
        }
        let captures = captured.known().unwrap_or_default();
        let slots = |patterns: Option<Vec<Compiled>>| -> Vec<Pattern> {
            patterns.into_iter().flatten().map(|pattern| pattern.placed(&captures)).collect()
        };
        let fields = captured.fields();
        let patterns = if whole {
            let made = set.iter().flatten().map(|rewrite: &Rewrite| rewrite.capture).collect();
            let formats = formats.iter().map(|(_, format)| *format).collect();
            demand::patterns(filter.as_ref(), &captures, &fields, &made, &formats)
        } else {
            slots(matches)
        };
        let mut rule = Rule {
            name: RuleName::new(name?),
            sources: match inline {
                Some(source) => vec![source],
                None => sources.iter().map(|source| SourceName::new(source.text)).collect(),
            },
            patterns,
            ignore: slots(ignore),
            resolve: slots(resolve),
            redact: Arc::new(redact),
            set: set.unwrap_or_default(),
            filter,
            latch: latches,
            captures: captures.clone(),
            fields,
            whole,
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
            outlives: self.outlives(expire_after),
            expect,
            deadlines,
            active,
            mute,
            max_keys,
            max_raises,
            flap,
            renotify,
            unless,
            after,
            raise_remembered: std::time::Duration::ZERO,
            change,
            sinks: sinks.iter().map(|said| SinkName::new(said.text)).collect(),
            labels,
            summary,
            description,
            runbook,
            images,
            links,
            lines_kept: self.lines_kept(),
            condition_digest: [0; 16],
            texts_digest: [0; 16],
        };
        rule.condition_digest = digest::condition(&rule);
        rule.texts_digest = digest::texts(&rule);
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

    fn sources(&self, problems: &mut Problems<'_>, sources: Sources<'_>) -> Vec<Said<'t>> {
        let configured = sources.configured();
        if self.fields.value("source").is_none() {
            missing(problems, &self.header, "source", "a rule").help = Some(
                "name a source of tripline.toml, or write `files = [\"…\"]` in its place; for files on the command line any name will do"
                    .to_owned(),
            );
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

    /// `active` and `mute`.
    fn told(&self, problems: &mut Problems<'_>, local: &TimeZone) -> (Vec<Schedule>, Vec<Schedule>) {
        let active = self.fields.texts("active");
        let label = "never or always?";
        let list = self.fields.value("active").and_then(|value| value.get_ref().as_array());
        self.not_empty(problems, "active", list.is_some_and(|list| list.is_empty()), label);
        let errors = problems.errors();
        let mut read = |list: Vec<Said<'_>>| -> Vec<Schedule> {
            list.iter().filter_map(|said| schedule::parse(problems, said, local)).collect()
        };
        let (active, mute) = (read(active), read(self.fields.texts("mute")));
        if problems.errors() == errors && Schedule::leave_nothing(&active, &mute) {
            let key = if mute.is_empty() { "active" } else { "mute" };
            let span = self.fields.value(key).map_or(self.header.clone(), |value| value.span());
            let title = "alerts of this rule are never told";
            let label = match (active.is_empty(), mute.is_empty()) {
                (_, true) => "no moment is in it",
                (true, false) => "every moment is in it",
                (false, false) => "every moment of `active` is in it",
            };
            problems.warning("never-told", span, title, label).help =
                Some("if nobody is to hear of the rule, write `enabled = false`".to_owned());
        }
        (active, mute)
    }

    fn labels(
        &self,
        problems: &mut Problems<'_>,
        around: &Around<'_>,
        sources: &[Said<'_>],
        names: template::Names<'_>,
    ) -> Vec<(Arc<str>, Template)> {
        let mut labels: BTreeMap<Arc<str>, Template> = BTreeMap::new();
        for (name, value) in around.globals.iter().chain(&shared_labels(around.sources.configured(), sources))
        {
            labels.insert(name.clone(), Template::constant(value));
        }
        let defaults = self.fields.defaults.map(|table| Fields { table, defaults: None });
        for fields in defaults.into_iter().chain([self.fields.own()]) {
            for (name, value) in fields.pairs("labels") {
                labels.insert(name.into(), template::parse_line(problems, &value, names));
            }
        }
        labels.into_iter().collect()
    }

    fn images(&self, problems: &mut Problems<'_>, names: template::Names<'_>) -> Vec<ImageTemplate> {
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
            let mut address =
                |said: Option<Said<'_>>| said.map(|said| links::address(problems, &said, names));
            let (src, href) = (address(src), address(href));
            let alt = alt.map(|said| template::parse_line(problems, &said, names));
            images.extend(src.map(|src| ImageTemplate { src, href, alt }));
        }
        images
    }
}

/// The formats of the sources that a rule sees, with their names; none, if it is not known which these are.
fn formats<'a>(sources: Sources<'a>, names: &[Said<'_>]) -> Vec<(&'a str, Format)> {
    match sources {
        Sources::Any(formats) => formats.iter().map(|format| ("", *format)).collect(),
        Sources::These(all) => {
            let seen = all.iter().filter(|source| names.iter().any(|name| name.text == source.name.as_str()));
            seen.map(|source| (source.name.as_str(), source.format)).collect()
        }
    }
}

/// What is said of a name that would be a field if all of the sources had a format.
fn without_fields(formats: &[(&str, Format)]) -> String {
    let plain = formats.iter().find(|(_, format)| *format == Format::Plain);
    match plain {
        Some((source, _)) if formats.len() > 1 => {
            format!("; it may be a field if all sources of the rule have a `format`: `{source}` has none")
        }
        Some(_) => "; it may be a field if the source has a `format`: \"json\" or \"logfmt\"".to_owned(),
        None => String::new(),
    }
}

/// What lets a rule be without `match`.
fn without_match(formats: &[(&str, Format)]) -> String {
    let fielded = "`format = \"json\"` or `\"logfmt\"`";
    let plain = formats.iter().find(|(_, format)| *format == Format::Plain).map(|(source, _)| *source);
    match plain {
        Some("") => format!(
            "only lines with fields need none: those of a source with {fielded}; for files on the command line `--format` says it, for tests their `format`"
        ),
        Some(source) => {
            format!(
                "only lines with fields need none: give source `{source}` {fielded}, if that is what they are"
            )
        }
        None => format!("only lines with fields need none: those of a source with {fielded}"),
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
