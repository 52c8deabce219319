//! Test files, and the tests that stand in rule files → [`Suite`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::scenario::{EXPECTED, FEED, LINE_TEST, OPEN_AT, TEST, TEST_FILE};
use super::walk::{Fields, Said, Value, check, parse, require, said};
use super::{Diagnostic, Severity, Text, multiline, zone};
use crate::model::{Envelope, Format, SourceName, Timestamp};
use crate::rule::Multiline;
use crate::scenario::{
    Expected, Feed, Formats, Happens, LineTest, Lines, MAX_LINE, MOST_TURNS, Number, OpenAt, Scenario, Suite,
    Takes,
};
use crate::settings::literal;

/// Reads the tests of a file. `is_pack`: it is a rule file, whose rules are said elsewhere; else a test file. See
/// [`super::tests`].
pub(super) fn read(text: &Text, is_pack: bool) -> (Result<Suite, Suite>, Vec<Diagnostic>) {
    let mut problems = Problems::new(&text.path, &text.text);
    let document = parse(&mut problems);
    if !is_pack {
        check(&mut problems, &document, "a test file", &[TEST_FILE], &[]);
    }
    let base = text.path.parent().unwrap_or(Path::new("")).to_owned();
    let fields = Fields { table: &document, defaults: None };
    let multiline = multiline::read(&mut problems, fields, MAX_LINE);
    let formats = if is_pack { Formats::default() } else { formats(fields).unwrap_or_default() };
    let envelope = envelope(fields).flatten();
    let file = File { base, fields, formats, multiline, envelope };
    let suite = file.read(&mut problems, is_pack);
    // What is wrong with rules of a pack is said when these are read.
    let diagnostics = problems.finish();
    let sound = diagnostics.iter().all(|problem| problem.severity == Severity::Warning);
    (if sound { Ok(suite) } else { Err(suite) }, diagnostics)
}

/// True if tests stand in a rule file.
pub(super) fn has_tests(text: &str) -> bool {
    let (table, _) = DeTable::parse_recoverable(text);
    ["line", "test"].iter().any(|key| table.get_ref().contains_key(*key))
}

/// See [`super::unseen_sources`].
pub(super) fn unseen_sources(text: &Text, known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let mut problems = Problems::new(&text.path, &text.text);
    let document = parse(&mut Problems::new(&text.path, &text.text));
    let tables = |table, key| (Fields { table, defaults: None }).tables(key);
    let tests = tables(&document, "test");
    let feeds = tests.iter().flat_map(|(_, test)| tables(test, "feed"));
    let all = tables(&document, "line").into_iter().chain(feeds.collect::<Vec<_>>()).chain(tests);
    for said in all.filter_map(|(_, table)| (Fields { table, defaults: None }).text("source")) {
        if !known.contains(said.text) {
            let title = format!("no rule sees source `{}`", short(said.text));
            let problem = problems.error("unknown-source", said.span, title, "unknown source");
            problem.help = did_you_mean(said.text, known.iter().copied());
            problem.note = Some(format!("rules see {}", listed(known.iter().copied())));
        }
    }
    problems.finish()
}

struct File<'t, 'i> {
    base: PathBuf,
    fields: Fields<'t, 'i>,
    /// What lines are made of where a test does not say it.
    formats: Formats,
    /// How lines are joined where a test does not say it.
    multiline: Option<Multiline>,
    /// What stands around lines where a test does not say it.
    envelope: Option<Envelope>,
}

impl<'t, 'i> File<'t, 'i> {
    fn read(&self, problems: &mut Problems<'_>, is_pack: bool) -> Suite {
        if !is_pack && self.fields.value("rules").is_none() {
            let title = "a test file needs `rules`";
            problems.error("missing-key", 0..0, title, "`rules` is missing").help =
                Some("name the rule files: `rules = [\"rules.toml\"]`".to_owned());
        }
        let rules = if is_pack { Vec::new() } else { self.paths(self.fields, "rules") };
        let tables = |key| self.fields.tables(key);
        let lines =
            tables("line").into_iter().filter_map(|(header, table)| self.line(problems, header, table));
        let lines: Vec<LineTest> = lines.collect();
        let mut tests: Vec<Scenario> = Vec::new();
        for (header, table) in tables("test") {
            let Some(test) = self.test(problems, header.clone(), table) else { continue };
            if tests.iter().any(|known| known.name == test.name) {
                let title = format!("there are two tests named `{}`", short(&test.name));
                problems.error("duplicate-name", header, title, "used again");
            }
            tests.push(test);
        }
        let formats =
            tests.iter().flat_map(|test| test.formats.all()).chain(lines.iter().map(|line| line.format));
        let with_fields = formats.chain(self.formats.all()).filter(|format| *format != Format::Plain);
        let mut formats: Vec<Format> = with_fields.collect::<BTreeSet<_>>().into_iter().collect();
        if formats.is_empty() {
            formats.push(Format::Plain);
        }
        Suite { rules, formats, lines, tests }
    }

    /// How lines are joined, as a table or else the file says it.
    fn multiline(&self, problems: &mut Problems<'_>, table: &DeTable<'_>) -> Option<Multiline> {
        let own = Fields { table, defaults: None };
        match own.value("multiline") {
            Some(_) => multiline::read(problems, own, MAX_LINE),
            None => self.multiline.clone(),
        }
    }

    fn paths(&self, fields: Fields<'_, '_>, key: &str) -> Vec<PathBuf> {
        fields.texts(key).iter().map(|said| literal(&self.base).join(said.text)).collect()
    }

    fn line(
        &self,
        problems: &mut Problems<'_>,
        header: Range<usize>,
        table: &DeTable<'_>,
    ) -> Option<LineTest> {
        check(problems, table, "a line test", &[LINE_TEST], &[]);
        let fields = Fields { table, defaults: None };
        let source = require(problems, table, &header, "source", "a line test");
        let from = self.lines(problems, fields, &header, "a line test");
        let is_sample = matches!(from, Some(Lines::Sample(_)));
        let mut takes = Vec::new();
        let mut places = BTreeMap::new();
        for key in ["rule", "captures"] {
            if let Some(value) = fields.value(key) {
                places.insert(key, value.span());
                if is_sample {
                    let title = format!("`{key}` has no effect with `log`");
                    problems.error("no-effect", value.span(), title, "the sample says it above each line");
                }
            }
        }
        if !is_sample && require(problems, table, &header, "rule", "a line test") {
            let value = fields.value("rule")?;
            match value.get_ref() {
                DeValue::Boolean(false) => {}
                DeValue::String(_) | DeValue::Array(_) => {
                    let takes_it = |said: Said<'_>| Takes { rule: said.text.to_owned(), ..Takes::default() };
                    takes.extend(fields.texts("rule").into_iter().map(takes_it));
                }
                _ => wrong(problems, value, "rule", "the name of a rule, a list of them, or `false`"),
            }
        }
        if let Some(value) = fields.value("captures").filter(|_| !is_sample) {
            match takes.as_mut_slice() {
                [one] => one.captures = texts(problems, value, "captures"),
                _ => {
                    let title = "`captures` belong to one rule";
                    problems.error("no-effect", value.span(), title, "of which rule?");
                }
            }
        }
        let source = SourceName::new(fields.text("source").filter(|_| source)?.text);
        let multiline = self.multiline(problems, table);
        let format = fields.text("format").map_or_else(|| self.formats.of(&source), |word| format(word.text));
        Some(LineTest {
            format,
            multiline,
            envelope: envelope(fields).unwrap_or(self.envelope),
            path: fields.text("file").map(|said| said.text.to_owned()),
            end: end(table, &header),
            header,
            source,
            from: from?,
            takes,
            places,
        })
    }

    fn lines(
        &self,
        problems: &mut Problems<'_>,
        fields: Fields<'_, '_>,
        header: &Range<usize>,
        what: &str,
    ) -> Option<Lines> {
        match (fields.text("text"), fields.text("log")) {
            (Some(text), None) => Some(Lines::Text(text.text.trim_end_matches('\n').to_owned())),
            (None, Some(log)) => Some(Lines::Sample(self.base.join(log.text))),
            (Some(_), Some(log)) => {
                let title = "`text` and `log` exclude each other";
                problems.error("conflict", log.span, title, "one of both");
                None
            }
            (None, None) => {
                let title = format!("{what} needs `text` or `log`");
                problems.error("missing-key", header.clone(), title, "which lines?");
                None
            }
        }
    }

    fn test(
        &self,
        problems: &mut Problems<'_>,
        header: Range<usize>,
        table: &DeTable<'_>,
    ) -> Option<Scenario> {
        check(problems, table, "a test", &[TEST], &[]);
        let own = Fields { table, defaults: None };
        let fields = Fields { table, defaults: Some(self.fields.table) };
        require(problems, table, &header, "name", "a test");
        let local = TimeZone::UTC;
        let tz = match fields.text("tz") {
            Some(said) => zone::read(problems, &said, &local),
            None => TimeZone::UTC,
        };
        let start = match fields.value("start") {
            Some(value) => start(problems, value, &tz)?,
            None => DEFAULT_START,
        };
        let source = own.text("source").map(|said| SourceName::new(said.text));
        let mut feed = Vec::new();
        let mut turns = 0u64;
        for (span, table) in own.tables("feed") {
            let Some(one) = self.feed(problems, span.clone(), table, source.as_ref()) else { continue };
            turns = turns.saturating_add(one.turns());
            if turns > MOST_TURNS {
                let title = format!("a test feeds more than {MOST_TURNS} lines");
                problems.error("out-of-range", span, title, "too many, with those before it").help =
                    Some("let fewer come, or at larger distances".to_owned());
                break;
            }
            feed.push(one);
        }
        let sent_value = own.value("sent");
        let sent = sent_value.map(|value| expectations(problems, value, "sent", true));
        let mut open = Vec::new();
        for (span, table) in own.tables("open") {
            check(problems, table, "a moment of `open`", &[OPEN_AT], &[]);
            let fields = Fields { table, defaults: None };
            let has_at = require(problems, table, &span, "at", "a moment of `open`");
            let alerts = match fields.value("alerts") {
                Some(value) => expectations(problems, value, "alerts", false),
                None => Vec::new(),
            };
            require(problems, table, &span, "alerts", "a moment of `open`");
            if let Some(at) = fields.duration("at").filter(|_| has_at) {
                open.push(OpenAt { at, alerts });
            }
        }
        if sent.is_none() && open.is_empty() {
            let title = "a test expects nothing";
            problems.error("missing-key", header.clone(), title, "`sent` and `open` are missing").help =
                Some("`sent = []` expects that nothing is told".to_owned());
        }
        Some(Scenario {
            name: own.text("name")?.text.to_owned(),
            header,
            start,
            tz,
            scope: fields.text("host").map_or("h1", |said| said.text).to_owned(),
            formats: formats(own).unwrap_or_else(|| self.formats.clone()),
            multiline: self.multiline(problems, table),
            envelope: envelope(own).unwrap_or(self.envelope),
            path: own.text("file").map(|said| said.text.to_owned()),
            own_stamps: own.text("stamps").is_some_and(|word| word.text == "log"),
            feed,
            sent,
            sent_at: sent_value.map(Spanned::span),
            open,
            until: own.duration("until").unwrap_or_default(),
        })
    }

    fn feed(
        &self,
        problems: &mut Problems<'_>,
        span: Range<usize>,
        table: &DeTable<'_>,
        source: Option<&SourceName>,
    ) -> Option<Feed> {
        check(problems, table, "a feed", &[FEED], &[]);
        let fields = Fields { table, defaults: None };
        let source = fields.text("source").map(|said| SourceName::new(said.text)).or_else(|| source.cloned());
        let at = fields.duration("at").unwrap_or_default();
        let every = fields.duration("every").unwrap_or_default();
        let times = fields.count("times").and_then(|times| u32::try_from(times).ok()).unwrap_or(1);
        let what = match fields.text("do") {
            None => {
                let lines = self.lines(problems, fields, &span, "a feed")?;
                let Some(source) = source else {
                    let title = "a feed needs `source`";
                    let problem = problems.error("missing-key", span, title, "from which source?");
                    problem.help = Some("give it here, or to the whole test".to_owned());
                    return None;
                };
                Happens::Lines(source, lines)
            }
            Some(word) => {
                for key in ["text", "log"] {
                    if let Some(value) = fields.value(key) {
                        let title = format!("`{key}` and `do` exclude each other");
                        problems.error("conflict", value.span(), title, "in a feed of its own");
                    }
                }
                match word.text {
                    "restart" => Happens::Restart(fields.duration("down").unwrap_or_default()),
                    "reload" => Happens::Reload(self.paths(fields, "rules")),
                    // A truncated file is another content, as a new one is.
                    "rotate" | "truncate" => Happens::Rotate(source),
                    "blind" => Happens::Blind(source),
                    "seeing" => Happens::Seeing(source),
                    // Said by the table of keys.
                    _ => return None,
                }
            }
        };
        for (key, word) in [("down", "restart"), ("rules", "reload")] {
            if let Some(value) =
                fields.value(key).filter(|_| fields.text("do").is_none_or(|said| said.text != word))
            {
                let title = format!("`{key}` has no effect without `do = \"{word}\"`");
                problems.error("no-effect", value.span(), title, "not here");
            }
        }
        Some(Feed { at, every, times, what })
    }
}

/// 2026-01-05T10:00:00Z: a Monday.
const DEFAULT_START: Timestamp = Timestamp::from_secs(1_767_607_200);

/// When a scenario begins: a date and time of TOML, or a text.
fn start(problems: &mut Problems<'_>, value: Value<'_, '_>, tz: &TimeZone) -> Option<Timestamp> {
    let written = match value.get_ref() {
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::String(text) => text.to_string(),
        _ => {
            wrong(problems, value, "start", "a date and time such as 2026-01-05T10:00:00Z");
            return None;
        }
    };
    let instant = written.parse::<jiff::Timestamp>().ok();
    let civil =
        || Some(written.parse::<jiff::civil::DateTime>().ok()?.to_zoned(tz.clone()).ok()?.timestamp());
    let found = instant.or_else(civil);
    if found.is_none() {
        let title = format!("`{}` is not a date and time", short(&written));
        problems.error("bad-start", value.span(), title, "takes 2026-01-05T10:00:00Z");
    }
    found.map(|found| Timestamp(found.as_microsecond()))
}

/// What a table says of what lines are made of.
fn formats(fields: Fields<'_, '_>) -> Option<Formats> {
    let word = |value: Value<'_, '_>| value.get_ref().as_str().map(format).unwrap_or_default();
    let value = fields.value("format")?;
    let named = value.get_ref().as_table().into_iter().flat_map(|words| words.iter());
    let named = named.map(|(name, value)| (SourceName::new(&**name.get_ref()), word(value)));
    Some(Formats { others: word(value), named: named.collect() })
}

/// What a table says of what stands around lines.
fn envelope(fields: Fields<'_, '_>) -> Option<Option<Envelope>> {
    Some(match fields.text("envelope")?.text {
        "cri" => Some(Envelope::Cri),
        "docker" => Some(Envelope::Docker),
        "auto" => Some(Envelope::Auto),
        _ => None,
    })
}

fn format(word: &str) -> Format {
    match word {
        "json" => Format::Json,
        "logfmt" => Format::Logfmt,
        _ => Format::Plain,
    }
}

/// A list of what is expected. `leaves`: it has a time at which it leaves.
fn expectations(problems: &mut Problems<'_>, value: Value<'_, '_>, key: &str, leaves: bool) -> Vec<Expected> {
    let DeValue::Array(list) = value.get_ref() else {
        wrong(problems, value, key, "a list of tables");
        return Vec::new();
    };
    let mut all = Vec::new();
    for item in list.iter() {
        let DeValue::Table(table) = item.get_ref() else {
            wrong(problems, item, key, "a list of tables");
            continue;
        };
        all.push(expected(problems, item.span(), table, leaves));
    }
    all
}

fn expected(problems: &mut Problems<'_>, span: Range<usize>, table: &DeTable<'_>, leaves: bool) -> Expected {
    check(problems, table, "an expectation", &[EXPECTED], &[]);
    let fields = Fields { table, defaults: None };
    let text = |key: &str| fields.text(key).map(|said| said.text.to_owned());
    if leaves {
        require(problems, table, &span, "at", "what is sent");
    } else if let Some(value) = fields.value("at") {
        let title = "what is open has no `at`";
        problems.error("no-effect", value.span(), title, "the moment has it");
    }
    let whole = |key: &str| {
        let number = fields.value(key)?.get_ref().as_integer()?;
        u64::from_str_radix(number.as_str(), number.radix()).ok()
    };
    if let Some(value) = fields.value("count").filter(|_| whole("count").is_none()) {
        wrong(problems, value, "count", "a whole number");
    }
    let value = fields.value("value").and_then(|value| match value.get_ref() {
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| Number::Exact(n as f64))
        }
        DeValue::Float(number) => number.as_str().parse().ok().map(Number::Exact),
        DeValue::String(text) => Some(Number::Shown(text.to_string())),
        _ => {
            wrong(problems, value, "value", "a number, or a text such as \"3.2%\"");
            None
        }
    });
    let table = |problems: &mut Problems<'_>, key| fields.value(key).map(|value| texts(problems, value, key));
    Expected {
        at: fields.duration("at"),
        rule: text("rule"),
        by: table(problems, "by"),
        change_key: text("change_key"),
        status: text("status"),
        count: whole("count"),
        value,
        reason: text("reason"),
        summary: text("summary"),
        description: text("description"),
        labels: table(problems, "labels").unwrap_or_default(),
    }
}

/// A table of texts.
fn texts(problems: &mut Problems<'_>, value: Value<'_, '_>, key: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let DeValue::Table(table) = value.get_ref() else {
        wrong(problems, value, key, "a table of texts");
        return all;
    };
    for (name, value) in table.iter() {
        match said(value) {
            Some(said) => drop(all.insert(name.get_ref().to_string(), said.text.to_owned())),
            None => wrong(problems, value, key, "a table of texts"),
        }
    }
    all
}

fn wrong(problems: &mut Problems<'_>, value: Value<'_, '_>, key: &str, takes: &str) {
    let title = format!("`{key}` takes {takes}");
    problems.error("wrong-type", value.span(), title, format!("found {}", value.get_ref().type_str()));
}

/// Behind the last value of a table.
fn end(table: &DeTable<'_>, header: &Range<usize>) -> usize {
    table.iter().map(|(_, value)| value.span().end).max().unwrap_or(header.end)
}
