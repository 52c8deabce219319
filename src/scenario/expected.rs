//! What a test expects of one alert that leaves or is open: only what it says is compared.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::model::{ChangeReport, Labels, Status, Timestamp, Transition, duration_text};
use crate::rule::Rule;

/// What is expected. What is `None` or empty may be anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// When it leaves, counted from the start.
    pub at: Option<Duration>,
    /// The rule's name.
    pub rule: Option<String>,
    /// Names and values of `by`: all of them.
    pub by: Option<BTreeMap<String, String>>,
    /// Of a change: which.
    pub change_key: Option<String>,
    /// `info`, `warning`, `critical` or `ok`; of a change its own words.
    pub status: Option<String>,
    /// Matches in the window.
    pub count: Option<u64>,
    /// The measure.
    pub value: Option<Number>,
    /// The words of its reason.
    pub reason: Option<String>,
    /// The rule's `summary`, rendered.
    pub summary: Option<String>,
    /// The rule's `description`, rendered.
    pub description: Option<String>,
    /// Labels that it has, perhaps among others.
    pub labels: BTreeMap<String, String>,
}

/// A measure, as a test writes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A number, up to a billionth of it.
    Exact(f64),
    /// As texts show it, with its unit: `3.2%`.
    Shown(String),
}

/// What left, or is open.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// When it left, counted from the start.
    pub at: Duration,
    /// What was told.
    pub what: What,
    /// Names and values of `by`.
    pub by: BTreeMap<String, String>,
    /// The measure as texts show it.
    pub value: Option<String>,
}

/// What can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Of an alert.
    Alert(Transition),
    /// Of a change.
    Change(ChangeReport),
}

impl Sent {
    /// The rule's name.
    pub fn rule(&self) -> &str {
        match &self.what {
            What::Alert(transition) => transition.key.rule.as_str(),
            What::Change(report) => report.rule.as_str(),
        }
    }

    /// The word of its status.
    pub fn status(&self) -> &'static str {
        match &self.what {
            What::Alert(transition) => transition.status.as_str(),
            What::Change(report) => report.status.as_str(),
        }
    }

    /// The transition, if it is of an alert.
    pub fn alert(&self) -> Option<&Transition> {
        match &self.what {
            What::Alert(transition) => Some(transition),
            What::Change(_) => None,
        }
    }

    /// Summary and description.
    pub fn texts(&self) -> (&str, &str) {
        match &self.what {
            What::Alert(transition) => (&transition.summary, &transition.description),
            What::Change(report) => (&report.summary, &report.description),
        }
    }

    /// All labels.
    pub fn labels(&self) -> Labels {
        let (labels, details) = match &self.what {
            What::Alert(transition) => (&transition.labels, &transition.details),
            What::Change(report) => (&report.labels, &report.details),
        };
        details.iter().chain(labels).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    pub(super) fn change(start: Timestamp, now: Timestamp, report: ChangeReport) -> Sent {
        Sent { at: now.since(start), what: What::Change(report), by: BTreeMap::new(), value: None }
    }

    pub(super) fn new(start: Timestamp, now: Timestamp, transition: Transition, rule: Option<&Rule>) -> Sent {
        let by = |name: &str| Some((name.to_owned(), transition.labels.get(name)?.clone()));
        let by = rule.into_iter().flat_map(|rule| &rule.by).filter_map(|part| by(&part.name)).collect();
        let value = rule.and_then(|rule| Some(rule.number_text(transition.value?)));
        Sent { at: now.since(start), by, value, what: What::Alert(transition) }
    }
}

impl Expected {
    /// The names of what is not as expected.
    pub fn differs(&self, sent: &Sent) -> Vec<&'static str> {
        let alert = sent.alert();
        let (summary, description) = sent.texts();
        let text =
            |expected: &Option<String>, found: &str| expected.as_ref().is_none_or(|text| text == found);
        let number = self.value.as_ref().is_none_or(|value| match value {
            Number::Exact(number) => alert
                .and_then(|alert| alert.value)
                .is_some_and(|value| (value - number).abs() <= number.abs() * 1e-9),
            Number::Shown(text) => sent.value.as_ref() == Some(text),
        });
        let labels = sent.labels();
        let label = |(name, value): (&String, &String)| labels.get(name.as_str()) == Some(value);
        let change_key = match &sent.what {
            What::Alert(_) => "",
            What::Change(report) => &report.change_key,
        };
        let same = [
            // A level such as `> 26h` begins a microsecond later.
            ("at", self.at.is_none_or(|at| at.as_millis() == sent.at.as_millis())),
            ("rule", text(&self.rule, sent.rule())),
            ("by", self.by.as_ref().is_none_or(|by| *by == sent.by)),
            ("change_key", text(&self.change_key, change_key)),
            ("status", text(&self.status, sent.status())),
            ("count", self.count.is_none_or(|count| alert.is_some_and(|alert| alert.count == count))),
            ("value", number),
            ("reason", text(&self.reason, alert.map_or("", |alert| alert.reason.as_str()))),
            ("summary", text(&self.summary, summary)),
            ("description", text(&self.description, description)),
            ("labels", self.labels.iter().all(label)),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

/// As it is written in a test file.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = Row::new(f)?;
        row.text("at", self.at.map(duration_text).as_deref())?;
        row.text("rule", self.rule.as_deref())?;
        row.table("by", self.by.as_ref())?;
        row.text("change_key", self.change_key.as_deref())?;
        row.text("status", self.status.as_deref())?;
        row.plain("count", self.count.map(|count| count.to_string()))?;
        match &self.value {
            Some(Number::Exact(value)) => row.plain("value", Some(value.to_string()))?,
            Some(Number::Shown(text)) => row.text("value", Some(text))?,
            None => {}
        }
        row.text("reason", self.reason.as_deref())?;
        row.text("summary", self.summary.as_deref())?;
        row.text("description", self.description.as_deref())?;
        row.table("labels", Some(&self.labels).filter(|labels| !labels.is_empty()))?;
        f.write_str(" }")
    }
}

/// As it would be expected: when, which alert, what it shows, and how many matches there are.
impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = Row::new(f)?;
        row.text("at", Some(&duration_text(self.at)))?;
        row.text("rule", Some(self.rule()))?;
        row.table("by", Some(&self.by).filter(|by| !by.is_empty()))?;
        match &self.what {
            What::Change(report) => {
                row.text("change_key", Some(&report.change_key))?;
                row.text("status", Some(self.status()))?;
            }
            What::Alert(t) => {
                row.text("status", Some(self.status()))?;
                if t.status == Status::Ok {
                    row.text("reason", Some(t.reason.as_str()))?;
                } else {
                    row.plain("count", Some(t.count.to_string()))?;
                }
            }
        }
        f.write_str(" }")
    }
}

/// An inline table.
struct Row<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    first: bool,
}

impl<'a, 'f> Row<'a, 'f> {
    fn new(out: &'a mut fmt::Formatter<'f>) -> Result<Row<'a, 'f>, fmt::Error> {
        out.write_str("{ ")?;
        Ok(Row { out, first: true })
    }

    fn plain(&mut self, name: &str, value: Option<String>) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let comma = if std::mem::take(&mut self.first) { "" } else { ", " };
        write!(self.out, "{comma}{name} = {value}")
    }

    fn text(&mut self, name: &str, value: Option<&str>) -> fmt::Result {
        self.plain(name, value.map(quoted))
    }

    fn table(&mut self, name: &str, table: Option<&BTreeMap<String, String>>) -> fmt::Result {
        self.plain(name, table.map(inline))
    }
}

/// A table of texts on one line, as TOML.
pub(super) fn inline(table: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        table.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
    if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
}

/// A text as TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                // Writing to a String can not fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
