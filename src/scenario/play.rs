//! Plays a test, and holds what came of it against what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::expected::{Expected, Sent, inline, quoted};
use super::world::{MAX_LINE, World};
use super::{Feed, Happens, LineTest, Lines, MOST_TURNS, Scenario, Takes, path_of};
use crate::engine::{Engine, Timing};
use crate::model::{Envelope, FileId, Format, SourceName, Timestamp};
use crate::rule::{Multiline, Rule, Ruleset, without_blank_end};
use crate::saved::Saved;
use crate::scan::{Block, MatchKind, Scanned, Scanner, Tail, inner_lines, records, stamp};

/// What became of a line by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct LineVerdict {
    /// The line.
    pub text: String,
    /// Which line of a sample, from 1.
    pub number: Option<usize>,
    /// What was expected.
    pub expected: Vec<Takes>,
    /// What took it.
    pub took: Vec<Took>,
    /// What is wrong with the remark above it.
    pub remark: Option<String>,
}

/// A rule that took a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Took {
    /// Its name.
    pub rule: String,
    /// As a match, or as its recovery.
    pub kind: MatchKind,
    /// What it captured, after `set`.
    pub captures: BTreeMap<String, String>,
}

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Everything that left while it lasted.
    pub sent: Vec<Sent>,
    /// What is not as expected; nothing: it passed.
    pub differences: Vec<Difference>,
    /// Lines that were fed and that no rule of their source takes.
    pub untaken: Vec<String>,
    /// When it was given up, counted from its start: more than [`MOST_TURNS`] lines had come or moments been looked at, or
    /// more than [`super::MOST_SENT`] was sent.
    pub given_up: Option<Duration>,
}

impl Verdict {
    /// True if it went to its end as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.given_up.is_none()
    }
}

/// Expected and found, side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The moment, if it is of what is open then.
    pub open_at: Option<Duration>,
    /// In order.
    pub rows: Vec<Row>,
}

/// One of what was expected or found.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// As expected.
    Same(Sent),
    /// Expected, and not found.
    Missing(Expected),
    /// Found, and not expected.
    Unexpected(Sent),
    /// The same alert, and these of it are not as expected.
    Other(Box<Expected>, Box<Sent>, Vec<&'static str>),
}

impl LineVerdict {
    /// True if it is taken as expected.
    pub fn passed(&self) -> bool {
        let fits = |(takes, took): (&Takes, &Took)| {
            let captured = |(name, value): (&String, &String)| {
                took.captures.get(name).map_or("", String::as_str) == value
            };
            takes.rule == took.rule && takes.captures.iter().all(captured)
        };
        self.remark.is_none()
            && self.expected.len() == self.took.len()
            && self.expected.iter().zip(&self.took).all(fits)
    }

    /// The remark that a sample would have above this line.
    pub fn annotation(&self) -> String {
        if self.took.is_empty() {
            return "#= none".to_owned();
        }
        let one = |took: &Took| {
            let captures = took.captures.iter().map(|(name, value)| {
                let plain = !value.is_empty() && !value.contains([' ', '"', '\\', '\t']);
                format!(" {name}={}", if plain { value.clone() } else { quoted(value) })
            });
            format!("#= rule={}{}", took.rule, captures.collect::<String>())
        };
        self.took.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    /// What `rule` and `captures` of a `[[line]]` would be.
    pub fn keys(&self) -> (String, Option<String>) {
        match self.took.as_slice() {
            [] => ("false".to_owned(), None),
            [took] => {
                (quoted(&took.rule), Some(inline(&took.captures)).filter(|_| !took.captures.is_empty()))
            }
            several => {
                let names: Vec<String> = several.iter().map(|took| quoted(&took.rule)).collect();
                (format!("[{}]", names.join(", ")), None)
            }
        }
    }
}

/// Asks which rules take the lines of a test, each by itself. `sample`: what its file holds.
pub fn lines(ruleset: &Arc<Ruleset>, test: &LineTest, sample: Option<&str>) -> Vec<LineVerdict> {
    let LineTest { source, format, multiline, envelope, path, .. } = test;
    let judge = Judge::new(ruleset.clone(), source, *format, multiline.as_ref(), path.as_ref(), *envelope);
    let Lines::Text(text) = &test.from else { return judge.sample(sample.unwrap_or_default()) };
    let mut expected = test.takes.clone();
    expected.sort_by(|a, b| a.rule.cmp(&b.rule));
    vec![LineVerdict {
        text: text.clone(),
        number: None,
        expected,
        took: judge.took(&judge.inner(text).0),
        remark: None,
    }]
}

struct Judge {
    ruleset: Arc<Ruleset>,
    multiline: Option<Multiline>,
    envelope: Option<Envelope>,
    scanner: Scanner,
    engine: Engine,
}

impl Judge {
    fn new(
        ruleset: Arc<Ruleset>,
        source: &SourceName,
        format: Format,
        multiline: Option<&Multiline>,
        path: Option<&String>,
        envelope: Option<Envelope>,
    ) -> Judge {
        let sees = |rule: &Rule| rule.sources.contains(source);
        let scanner = Scanner::joining(&ruleset, sees, MAX_LINE, format, multiline);
        let timing = Timing { name: source.clone(), tz: TimeZone::UTC, max_age: Duration::MAX, year: None };
        let mut engine = Engine::new(
            ruleset.clone(),
            "h1".to_owned(),
            vec![timing],
            &mut Saved::default(),
            Timestamp::default(),
        );
        engine.opened(FileId(1), source, path_of(path, source));
        Judge { ruleset, multiline: multiline.cloned(), envelope, scanner, engine }
    }

    /// A text without envelopes, and which line of it each of these lines begins with, from 0.
    fn inner(&self, text: &str) -> (String, Vec<usize>) {
        inner(self.envelope, text)
    }

    fn took(&self, text: &str) -> Vec<Took> {
        let mut scanned = Scanned::default();
        let bytes = text.as_bytes();
        self.scanner.scan(
            Block { file: FileId(1), offset: 0, bytes, skipping: false, tail: Tail::Final },
            &mut scanned,
        );
        let mut took = Vec::new();
        for hit in scanned.matches(bytes) {
            let Some(captures) = self.engine.captures(&hit) else { continue };
            let rule = self.ruleset.rule(hit.rule);
            let named = rule.captures.iter().zip(&captures);
            let captures = named.filter_map(|(name, value)| {
                Some((name.to_string(), String::from_utf8_lossy(value.as_ref()?).into_owned()))
            });
            took.push(Took { rule: rule.name.to_string(), kind: hit.kind, captures: captures.collect() });
        }
        took.sort_by(|a, b| a.rule.cmp(&b.rule));
        took
    }

    /// The lines or records of a sample, each with the remarks right above it; one without is to be taken by no rule.
    fn sample(&self, sample: &str) -> Vec<LineVerdict> {
        let (mut verdicts, mut expected, mut remark) = (Vec::new(), Vec::new(), None);
        let mut lines = (1..).zip(sample.lines()).peekable();
        while let Some((number, line)) = lines.next() {
            let mut text = match in_sample(line) {
                InSample::Line(line) => line.to_owned(),
                InSample::Comment => continue,
                InSample::Remark(said) => {
                    match annotation(said) {
                        Ok(takes) => expected.extend(takes),
                        Err(wrong) => remark = Some(format!("line {number}: {wrong}")),
                    }
                    continue;
                }
            };
            while let Some(InSample::Line(line)) = lines.peek().map(|(_, line)| in_sample(line)) {
                text.push('\n');
                text.push_str(line);
                lines.next();
            }
            let (text, places) = self.inner(&text);
            let mut at = 0;
            for record in records(text.as_bytes(), self.multiline.as_ref()) {
                let text = String::from_utf8_lossy(record).into_owned();
                let begin = number + places.get(at).copied().unwrap_or_default();
                at += 1 + record.iter().filter(|byte| **byte == b'\n').count();
                // What is blank stands between lines, unless it is part of a record.
                if without_blank_end(text.as_bytes()).is_empty() {
                    continue;
                }
                let mut expected: Vec<Takes> = std::mem::take(&mut expected);
                expected.sort_by(|a, b| a.rule.cmp(&b.rule));
                verdicts.push(LineVerdict {
                    number: Some(begin),
                    expected,
                    took: self.took(&text),
                    remark: remark.take(),
                    text,
                });
            }
        }
        verdicts
    }
}

/// What a line of a sample is.
enum InSample<'s> {
    /// A line of the log.
    Line(&'s str),
    /// What stands behind `#=`.
    Remark(&'s str),
    /// Nothing that anybody looks at.
    Comment,
}

/// Logs have lines that begin with `#` too, such as the slow log of MySQL: behind `#|` any line stands as it is.
fn in_sample(line: &str) -> InSample<'_> {
    if let Some(line) = line.strip_prefix("#|") {
        return InSample::Line(line);
    }
    match line.strip_prefix("#=") {
        Some(said) => InSample::Remark(said),
        None if line.starts_with('#') => InSample::Comment,
        None => InSample::Line(line),
    }
}

/// Reads what stands behind `#=`: `none`, or `rule=NAME` and captures. Values with blanks stand between `"`, in which
/// `\"` and `\\` are what they are elsewhere.
fn annotation(said: &str) -> Result<Option<Takes>, String> {
    let mut rest = said.trim();
    if rest == "none" {
        return Ok(None);
    }
    let mut takes = Takes::default();
    while !rest.is_empty() {
        let Some((name, behind)) =
            rest.split_once('=').filter(|(name, _)| !name.contains(char::is_whitespace))
        else {
            return Err(format!("`{rest}` is neither `none` nor `name=value`"));
        };
        let value = match behind.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut chars = quoted.char_indices();
                let end = loop {
                    match chars.next() {
                        Some((at, '"')) => break at + 1,
                        Some((_, '\\')) => value.extend(chars.next().map(|(_, c)| c)),
                        Some((_, c)) => value.push(c),
                        None => return Err(format!("the text of `{name}` is not closed")),
                    }
                };
                rest = quoted[end..].trim_start();
                value
            }
            None => {
                let end = behind.find(char::is_whitespace).unwrap_or(behind.len());
                rest = behind[end..].trim_start();
                behind[..end].to_owned()
            }
        };
        match name {
            "rule" => takes.rule = value,
            name => drop(takes.captures.insert(name.to_owned(), value)),
        }
    }
    if takes.rule.is_empty() { Err("it names no rule".to_owned()) } else { Ok(Some(takes)) }
}

/// A text without envelopes, and which line of it each of these lines begins with, from 0.
fn inner(envelope: Option<Envelope>, text: &str) -> (String, Vec<usize>) {
    let Some(envelope) = envelope else { return (text.to_owned(), (0..=text.lines().count()).collect()) };
    let (places, lines): (Vec<usize>, Vec<Vec<u8>>) =
        inner_lines(envelope, text.as_bytes()).into_iter().unzip();
    (String::from_utf8_lossy(&lines.join(&b'\n')).into_owned(), places)
}

/// Something that happens at one moment.
struct Turn<'a> {
    at: Timestamp,
    feed: &'a Feed,
    lines: Vec<u8>,
    /// Its place among the reloads with rules of their own.
    reload: Option<usize>,
}

/// Plays a scenario. `reloads`: the rules of its reloads, in their order. `samples`: what the files hold that it feeds,
/// in their order. `seen` is shown each line with the rules in force.
pub fn play(
    scenario: &Scenario,
    ruleset: &Arc<Ruleset>,
    reloads: &[Arc<Ruleset>],
    samples: &[String],
    mut seen: impl FnMut(&Ruleset, &SourceName, &[u8]),
) -> Verdict {
    let turns = turns(scenario, samples);
    let mut world = World::new(scenario, ruleset.clone());
    let mut opens: Vec<_> = scenario.open.iter().collect();
    opens.sort_by_key(|open| open.at);
    let mut opens = opens.into_iter().peekable();
    let mut differences = Vec::new();
    let mut untaken: Vec<String> = Vec::new();
    let mut fed = 0u64;
    let mut force = ruleset.clone();
    let mut judges: BTreeMap<&SourceName, Judge> = BTreeMap::new();
    let mut known: BTreeSet<(&SourceName, Vec<u8>)> = BTreeSet::new();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    let mut look = |world: &mut World<'_>, before: Timestamp| {
        while let Some(open) = opens.next_if(|open| scenario.start.plus(open.at) < before) {
            world.pass(scenario.start.plus(open.at), true);
            if world.given_up.is_some() {
                return;
            }
            let rows = same_set(&open.alerts, world.open());
            if !rows.iter().all(Row::is_same) {
                differences.push(Difference { open_at: Some(open.at), rows });
            }
        }
    };
    for turn in turns {
        look(&mut world, turn.at);
        world.pass(turn.at, false);
        fed += turn.lines.iter().filter(|byte| **byte == b'\n').count().max(1) as u64;
        if fed > MOST_TURNS {
            world.give_up();
        }
        if world.given_up.is_some() {
            break;
        }
        let rules = turn.reload.and_then(|reload| reloads.get(reload));
        if let Some(rules) = rules {
            force = rules.clone();
            judges.clear();
            known.clear();
        }
        if let Happens::Lines(source, _) = &turn.feed.what {
            let multiline = scenario.multiline.as_ref();
            let text = inner(scenario.envelope, &String::from_utf8_lossy(&turn.lines)).0;
            for line in records(text.as_bytes(), multiline)
                .into_iter()
                .filter(|line| !without_blank_end(line).is_empty())
            {
                // What is fed again and again is asked about once.
                if !known.insert((source, line.to_vec())) {
                    continue;
                }
                seen(&force, source, line);
                let judge = judges.entry(source).or_insert_with(|| {
                    let format = scenario.formats.of(source);
                    Judge::new(Arc::clone(&force), source, format, multiline, scenario.path.as_ref(), None)
                });
                let text = String::from_utf8_lossy(line).into_owned();
                if judge.took(&text).is_empty() && unknown.insert(text.clone()) {
                    untaken.push(text);
                }
            }
        }
        world.happen(turn.feed, &turn.lines, rules);
    }
    look(&mut world, Timestamp::MAX);
    world.pass(scenario.start.plus(scenario.lasts()), true);
    let sent = std::mem::take(&mut world.sent);
    // A part of what would have been sent says nothing of the rest.
    if let Some(expected) = scenario.sent.as_ref().filter(|_| world.given_up.is_none()) {
        let rows = aligned(expected, &sent);
        if !rows.iter().all(Row::is_same) {
            differences.insert(0, Difference { open_at: None, rows });
        }
    }
    let given_up = world.given_up.map(|at| at.since(scenario.start));
    Verdict { sent, differences, untaken, given_up }
}

/// Everything that happens, in the order of time and then of the file.
fn turns<'a>(scenario: &'a Scenario, samples: &[String]) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    let (mut reloads, mut samples) = (0.., samples.iter());
    for feed in &scenario.feed {
        let begin = scenario.start.plus(feed.at);
        let reload = match &feed.what {
            Happens::Reload(rules) if !rules.is_empty() => reloads.next(),
            _ => None,
        };
        let text = match &feed.what {
            Happens::Lines(_, Lines::Sample(_)) => {
                let lines = samples.next().map(String::as_str).unwrap_or_default().lines();
                let mut at = begin;
                let of_log = |line| match in_sample(line) {
                    InSample::Line(line) => Some(line),
                    InSample::Remark(_) | InSample::Comment => None,
                };
                let lines: Vec<&str> = lines.filter_map(of_log).collect();
                let text = lines.join("\n");
                // Where lines stand in envelopes, the world joins them.
                let multiline = scenario.multiline.as_ref().filter(|_| scenario.envelope.is_none());
                for record in records(text.as_bytes(), multiline) {
                    if without_blank_end(record).is_empty() {
                        continue;
                    }
                    let first = record.split(|byte| *byte == b'\n').next().unwrap_or_default();
                    let stamp = stamp::find(first).filter(|_| scenario.own_stamps);
                    let time = stamp.and_then(|stamp| stamp.resolve(&scenario.tz, at));
                    at = at.max(time.unwrap_or(at));
                    turns.push(Turn { at, feed, lines: [record, b"\n"].concat(), reload });
                }
                continue;
            }
            Happens::Lines(_, Lines::Text(text)) => text.as_str(),
            _ => "",
        };
        for n in 0..feed.times {
            let at = begin.plus(feed.every.saturating_mul(n));
            let lines = if text.is_empty() { Vec::new() } else { format!("{text}\n").into_bytes() };
            turns.push(Turn { at, feed, lines, reload });
        }
    }
    turns.sort_by_key(|turn| turn.at);
    turns
}

impl Row {
    /// True if it is as expected.
    pub fn is_same(&self) -> bool {
        matches!(self, Row::Same(_))
    }
}

/// Both lists, with as many the same as possible.
fn aligned(expected: &[Expected], sent: &[Sent]) -> Vec<Row> {
    let same = |e: usize, s: usize| expected[e].differs(&sent[s]).is_empty();
    let (rows, columns) = (expected.len(), sent.len());
    // The longest run of what is the same from (e, s) on.
    let mut longest = vec![vec![0usize; columns + 1]; rows + 1];
    for e in (0..rows).rev() {
        for s in (0..columns).rev() {
            longest[e][s] =
                if same(e, s) { longest[e + 1][s + 1] + 1 } else { longest[e + 1][s].max(longest[e][s + 1]) };
        }
    }
    let (mut e, mut s, mut found) = (0, 0, Vec::new());
    while e < rows || s < columns {
        if e < rows && s < columns && same(e, s) {
            found.push(Row::Same(sent[s].clone()));
            (e, s) = (e + 1, s + 1);
        } else if e < rows
            && s < columns
            && longest[e + 1][s + 1] == longest[e][s]
            && alike(&expected[e], &sent[s])
        {
            let differs = expected[e].differs(&sent[s]);
            found.push(Row::Other(Box::new(expected[e].clone()), Box::new(sent[s].clone()), differs));
            (e, s) = (e + 1, s + 1);
        } else if s == columns || e < rows && longest[e + 1][s] >= longest[e][s + 1] {
            found.push(Row::Missing(expected[e].clone()));
            e += 1;
        } else {
            found.push(Row::Unexpected(sent[s].clone()));
            s += 1;
        }
    }
    found
}

/// True if both speak of the same alert.
fn alike(expected: &Expected, sent: &Sent) -> bool {
    expected.differs(sent).iter().all(|name| !matches!(*name, "rule" | "by" | "change_key"))
}

/// Both sets, whatever their order.
fn same_set(expected: &[Expected], mut open: Vec<Sent>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut rest = Vec::new();
    for expected in expected {
        match open.iter().position(|sent| expected.differs(sent).is_empty()) {
            Some(at) => rows.push(Row::Same(open.remove(at))),
            None => rest.push(expected),
        }
    }
    for expected in rest {
        match open.iter().position(|sent| alike(expected, sent)) {
            Some(at) => {
                let sent = open.remove(at);
                let differs = expected.differs(&sent);
                rows.push(Row::Other(Box::new(expected.clone()), Box::new(sent), differs));
            }
            None => rows.push(Row::Missing(expected.clone())),
        }
    }
    rows.extend(open.into_iter().map(Row::Unexpected));
    rows
}
