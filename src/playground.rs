//! The playground of the status page: rules and lines that somebody typed → what comes of them. Pure; the scanner and
//! the engine of the daemon on the lines' own time, which runs on behind the last one until no timer is left.
//!
//! Both are JSON, as `docs/api.md` describes it. Whatever is typed ends soon: rules, lines, keys, points and steps of time
//! have bounds, and what they leave out is said.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::config::probe::{Probe, Stopwatch};
use crate::config::{self, Diagnostic, Severity, Sources, Text, csv};
use crate::engine::{Arrival, Engine, Phase, Read, Timing};
use crate::model::{FileId, Format, SinkName, SourceName, Timestamp};
use crate::route::{Ledger, Route};
use crate::rule::{Multiline, Preset, Rule, RuleIx, Ruleset, rung_severity};
use crate::saved::Saved;
use crate::scan::{Block, Match, MatchKind, Scanned, Scanner, Tail, records};
use crate::sink::stdout::content_json;

/// Rules that are played, at most.
const MOST_RULES: usize = 100;
/// Lines, or records.
const MOST_LINES: usize = 2_000;
/// Keys whose measure is shown.
const MOST_KEYS: usize = 20;
/// Rules that take lines, all lines together.
const MOST_TAKEN: usize = 10_000;
/// Points of one measure.
const MOST_POINTS: usize = 2_000;
/// Transitions that are shown.
const MOST_SENT: usize = 500;
/// Timers that ring behind the last line.
const MOST_STEPS: usize = 5_000;
/// Bytes of a line that are matched.
const MAX_LINE: usize = 64 * 1024;
/// The file that the lines stand in.
const FILE: FileId = FileId(1);
/// Between two lines, where none of them says when it was written.
const APART: Duration = Duration::from_secs(1);

/// What is asked.
#[derive(Deserialize)]
struct Asked {
    rules: String,
    lines: String,
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    multiline: Option<String>,
}

/// What comes of it.
#[derive(Default, Serialize)]
struct Answer {
    problems: Vec<Problem>,
    lines: Vec<Line>,
    measures: Vec<Measured>,
    sent: Vec<serde_json::Value>,
    left_out: Option<String>,
}

#[derive(Serialize)]
struct Problem {
    level: &'static str,
    id: &'static str,
    message: String,
    line: usize,
    column: usize,
    length: usize,
    help: Option<String>,
}

#[derive(Serialize)]
struct Line {
    number: usize,
    text: String,
    time: Option<String>,
    taken: Vec<Taken>,
}

#[derive(Serialize)]
struct Taken {
    rule: String,
    #[serde(rename = "as")]
    role: &'static str,
    captures: Vec<Capture>,
}

/// What was captured, and where it stands in the text, in UTF-16 code units: `None`, where it was made by `set`.
#[derive(Serialize)]
struct Capture {
    name: String,
    value: String,
    from: Option<usize>,
    to: Option<usize>,
}

#[derive(Serialize)]
struct Measured {
    rule: String,
    key: BTreeMap<String, String>,
    levels: BTreeMap<&'static str, f64>,
    points: Vec<(String, Option<f64>)>,
}

/// Plays what is asked, in JSON. `now` is when lines end that do not say when they were written; `stopwatch` times
/// patterns that may be slow.
///
/// # Errors
/// A sentence, if it is not asked as it has to be.
pub fn try_out(asked: &[u8], now: Timestamp, stopwatch: Stopwatch) -> Result<String, String> {
    let asked: Asked =
        serde_json::from_slice(asked).map_err(|error| format!("this is not understood: {error}"))?;
    let format = match asked.format.as_deref() {
        None | Some("plain") => Format::Plain,
        Some("json") => Format::Json,
        Some("logfmt") => Format::Logfmt,
        Some(other) => return Err(format!("`{other}` is no format: `plain`, `json` or `logfmt`")),
    };
    let multiline = match asked.multiline.as_deref() {
        None | Some("") => None,
        Some(name) => {
            let preset = Preset::ALL.into_iter().find(|preset| preset.as_str() == name);
            Some(preset.ok_or_else(|| format!("`{name}` is no preset of `multiline`"))?.multiline())
        }
    };
    let text = Text { path: Path::new("rules.toml").to_owned(), text: asked.rules };
    let (ruleset, said) = config::ruleset_probed(
        std::slice::from_ref(&text),
        Sources::Any(&[format]),
        &csv::Files::new(),
        &[],
        &TimeZone::UTC,
        &mut Probe::suspects(stopwatch),
    );
    let mut answer =
        Answer { problems: said.iter().map(|one| problem(&text.text, one)).collect(), ..Answer::default() };
    if let Some(mut ruleset) = ruleset {
        let mut left_out = Vec::new();
        // tripline's own rules see no line.
        ruleset.rules.retain(|rule| !rule.sources.is_empty());
        if ruleset.rules.len() > MOST_RULES {
            ruleset.rules.truncate(MOST_RULES);
            left_out.push(format!("all rules but the first {MOST_RULES}"));
        }
        Play::new(ruleset, format, multiline, now).play(&asked.lines, &mut answer, &mut left_out);
        answer.left_out = (!left_out.is_empty()).then(|| format!("left out: {}", left_out.join(", ")));
    }
    let text = serde_json::to_string(&answer).map_err(|error| error.to_string())?;
    Ok(crate::untrusted::json(&text))
}

fn problem(text: &str, said: &Diagnostic) -> Problem {
    let before = text.get(..said.span.start).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let label = if said.label.is_empty() { String::new() } else { format!(": {}", said.label) };
    Problem {
        level: if said.severity == Severity::Error { "error" } else { "warning" },
        id: said.id,
        message: format!("{}{label}", said.title),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].encode_utf16().count() + 1,
        length: text.get(said.span.clone()).map_or(0, |typed| typed.encode_utf16().count()),
        help: said.help.clone().or_else(|| said.note.clone()),
    }
}

/// The rules on their way.
struct Play {
    ruleset: Arc<Ruleset>,
    scanner: Scanner,
    engine: Engine,
    multiline: Option<Multiline>,
    ledger: Ledger,
    measured: BTreeMap<(RuleIx, Vec<Vec<u8>>), Measured>,
    /// True if a key was not shown.
    more_keys: bool,
    /// When the lines have been written at the latest.
    now: Timestamp,
}

impl Play {
    fn new(mut ruleset: Ruleset, format: Format, multiline: Option<Multiline>, now: Timestamp) -> Play {
        let source = SourceName::new("lines");
        ruleset.see_instead(std::slice::from_ref(&source));
        let ruleset = Arc::new(ruleset);
        let scanner = Scanner::joining(&ruleset, |_: &Rule| true, MAX_LINE, format, multiline.as_ref());
        let timing = Timing { name: source.clone(), tz: TimeZone::UTC, max_age: Duration::MAX, year: None };
        let start = Timestamp::from_secs(0);
        let mut engine =
            Engine::new(ruleset.clone(), "here".to_owned(), vec![timing], &mut Saved::default(), start);
        engine.opened(FILE, &source, Path::new("lines").into());
        engine.phase(FILE, Phase::Behind, start);
        Play {
            ruleset,
            scanner,
            engine,
            multiline,
            ledger: Ledger::default(),
            measured: BTreeMap::new(),
            more_keys: false,
            now,
        }
    }

    /// True if any of the records says when it was written.
    fn is_stamped(&self, records: &[&[u8]]) -> bool {
        let mut scanned = Scanned::default();
        records.iter().any(|record| {
            self.scanner.scan(block(record, 0), &mut scanned);
            scanned.stamp.is_some()
        })
    }

    fn play(mut self, text: &str, answer: &mut Answer, left_out: &mut Vec<String>) {
        let bytes = text.as_bytes();
        let mut records = records(bytes, self.multiline.as_ref());
        // The text ends with a line end, and not with an empty line.
        if records.last().is_some_and(|last| last.is_empty()) {
            records.pop();
        }
        if records.len() > MOST_LINES {
            records.truncate(MOST_LINES);
            left_out.push(format!("all lines but the first {MOST_LINES}"));
        }
        let stamped = self.is_stamped(&records);
        let (mut number, mut offset, mut room) = (1, 0, MOST_TAKEN);
        let mut scanned = Scanned::default();
        let mut clock = self.now.minus(APART * u32::try_from(records.len()).unwrap_or(0));
        for record in records {
            clock = clock.plus(APART);
            self.scanner.scan(block(record, offset), &mut scanned);
            let taken: Vec<Taken> = scanned.matches(record).take(room).map(|hit| self.taken(&hit)).collect();
            room -= taken.len();
            // Lines that do not say when they were written arrive one by one; others are found in a file.
            let arrival = Arrival { at: (!stamped).then_some(clock), modified: self.now, skew_us: 0 };
            let read = Read { file: FILE, matches: scanned.matches(record), stamp: scanned.stamp, arrival };
            let present = if stamped { Timestamp::from_secs(0) } else { clock };
            if !stamped {
                self.engine.phase(FILE, Phase::AtEnd, present);
            }
            self.engine.read(read, present);
            if !stamped {
                self.engine.tick(present);
            }
            let time = if stamped { self.engine.frontier(FILE) } else { Some(clock) };
            answer.lines.push(Line {
                number,
                text: String::from_utf8_lossy(record).into_owned(),
                time: time.map(|time| time.to_string()),
                taken,
            });
            self.tell(answer);
            self.measure();
            number += 1 + record.iter().filter(|byte| **byte == b'\n').count();
            offset += record.len() as u64 + 1;
        }
        if room == 0 {
            left_out.push(format!("what is taken behind the first {MOST_TAKEN} times"));
        }
        self.run_on(answer, left_out);
        if self.more_keys {
            left_out.push(format!("the measures of all keys but the first {MOST_KEYS}"));
        }
        answer.measures = self.measured.into_values().collect();
    }

    /// Lets the clock run behind the last line until no timer is left.
    fn run_on(&mut self, answer: &mut Answer, left_out: &mut Vec<String>) {
        let end = self.engine.frontier(FILE).unwrap_or(self.now);
        self.engine.phase(FILE, Phase::AtEnd, end);
        self.engine.tick(end);
        self.engine.tell_once();
        for _ in 0..MOST_STEPS {
            self.tell(answer);
            self.measure();
            match self.engine.next_wake() {
                Some(wake) => self.engine.tick(wake),
                None => break,
            }
        }
        self.tell(answer);
        if answer.sent.len() == MOST_SENT {
            left_out.push(format!("what is sent behind the first {MOST_SENT}"));
        }
    }

    /// Keeps what leaves.
    fn tell(&mut self, answer: &mut Answer) {
        let route = Route::new(SinkName::new("try"));
        let route = std::slice::from_ref(&route);
        let now = self.engine.frontier(FILE).unwrap_or(self.now);
        loop {
            let output = self.engine.take();
            if output.transitions.is_empty() && output.changes.is_empty() {
                break;
            }
            let mut deliveries = Vec::new();
            for reported in output.changes {
                deliveries.extend(self.ledger.route_change(&reported.report, route, now).deliveries);
            }
            for emitted in output.transitions {
                self.ledger.route(&emitted, route, &mut deliveries, &mut Vec::new());
            }
            let room = MOST_SENT - answer.sent.len();
            let lines = deliveries.iter().take(room).map(|delivery| content_json(&delivery.content));
            answer.sent.extend(lines.filter_map(|line| serde_json::from_str(&line).ok()));
        }
        self.engine.forget_changes();
    }

    /// Keeps what measures are now, where they are not what they were.
    fn measure(&mut self) {
        for (ix, by, time, value) in self.engine.measured() {
            let rule = self.ruleset.rule(ix);
            let name = (ix, by.to_vec());
            if !self.measured.contains_key(&name) && self.measured.len() == MOST_KEYS {
                self.more_keys = true;
                continue;
            }
            let measured = self.measured.entry(name).or_insert_with(|| Measured {
                rule: rule.name.to_string(),
                key: rule.by.iter().zip(by).map(|(by, value)| (by.name.to_string(), lossy(value))).collect(),
                levels: levels(rule),
                points: Vec::new(),
            });
            let point = (time.to_string(), value.filter(|value| value.is_finite()));
            if measured.points.last() != Some(&point) && measured.points.len() < MOST_POINTS {
                measured.points.push(point);
            }
        }
    }

    fn taken(&self, hit: &Match<'_>) -> Taken {
        let rule = self.ruleset.rule(hit.rule);
        let counts = self.engine.captures(hit);
        let role = match (hit.kind, &counts) {
            (MatchKind::Resolve, _) => "resolve",
            (MatchKind::Match, Some(_)) => "match",
            (MatchKind::Match, None) => "dismissed",
        };
        let places = hit.captures.places();
        let raw =
            || hit.captures.iter().map(|value| value.map(Box::from)).collect::<Vec<Option<Box<[u8]>>>>();
        let values = counts.unwrap_or_else(raw);
        let captures = rule.captures.iter().zip(values).enumerate().filter_map(|(ix, (name, value))| {
            let value = value?;
            // What `set` has made of it stands nowhere.
            let place = places.get(ix).cloned().flatten().filter(|place| hit.line[place.clone()] == *value);
            let units = |to: usize| lossy(&hit.line[..to]).encode_utf16().count();
            Some(Capture {
                name: name.to_string(),
                value: lossy(&value),
                from: place.as_ref().map(|place| units(place.start)),
                to: place.as_ref().map(|place| units(place.end)),
            })
        });
        Taken { rule: rule.name.to_string(), role, captures: captures.collect() }
    }
}

fn block(record: &[u8], offset: u64) -> Block<'_> {
    Block { file: FILE, offset, bytes: record, skipping: false, tail: Tail::Final }
}

fn levels(rule: &Rule) -> BTreeMap<&'static str, f64> {
    let levels = rule.ladder.iter().enumerate();
    levels.filter_map(|(rung, level)| Some((rung_severity(rung).as_str(), level.as_ref()?.than))).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const RULE: &str = "[[rule]]\nname = 'guess'\nsource = 'auth'\nmatch = 'Failed (?<user>\\S+) from (?<ip>\\S+)'\n\
                        resolve = 'reset (?<ip>\\S+)'\nwhere = 'user != \"nobody\"'\nby = ['ip']\nwithin = '10m'\n\
                        warning = '>= 2'\nsummary = '{count} from {ip}'\n";

    /// 2026-01-06T10:00:00Z.
    const NOW: Timestamp = Timestamp::from_secs(1_767_693_600);

    fn play(rules: &str, lines: &str) -> Value {
        let asked = json!({ "rules": rules, "lines": lines, "format": "plain" }).to_string();
        let stopwatch: Stopwatch = Box::new(|work| {
            work();
            Duration::ZERO
        });
        serde_json::from_str(&try_out(asked.as_bytes(), NOW, stopwatch).unwrap()).unwrap()
    }

    #[test]
    fn lines_are_taken_measured_and_told() {
        let played = play(
            RULE,
            "2026-01-05T10:00:00Z é Failed root from 192.0.2.7\n2026-01-05T10:01:00Z Failed nobody from 192.0.2.7\n\
             2026-01-05T10:02:00Z Failed pi from 192.0.2.7\n2026-01-05T10:03:00Z other\n2026-01-05T10:04:00Z reset 192.0.2.7\n",
        );
        let roles: Vec<_> =
            played["lines"].as_array().unwrap().iter().map(|line| line["taken"][0]["as"].clone()).collect();
        assert_eq!(
            roles,
            [json!("match"), json!("dismissed"), json!("match"), Value::Null, json!("resolve")]
        );
        // In UTF-16 code units, as a browser counts.
        let user = &played["lines"][0]["taken"][0]["captures"][0];
        assert_eq!(*user, json!({ "name": "user", "value": "root", "from": 30, "to": 34 }));
        assert_eq!(played["lines"][4]["time"], "2026-01-05T10:04:00Z");
        let sent: Vec<_> = played["sent"].as_array().unwrap().iter().map(|sent| &sent["status"]).collect();
        assert_eq!(sent, ["warning", "ok"]);
        assert_eq!(played["sent"][0]["summary"], "2 from 192.0.2.7");
        let measured = &played["measures"][0];
        assert_eq!(
            (&measured["key"], &measured["levels"]),
            (&json!({ "ip": "192.0.2.7" }), &json!({ "warning": 2.0 }))
        );
        assert_eq!(measured["points"][1], json!(["2026-01-05T10:02:00Z", 2.0]));
    }

    #[test]
    fn what_is_wrong_with_rules_is_said_with_its_place_and_nothing_is_played() {
        let played = play("[[rule]]\nname = 'a'\nsource = 'x'\nmatch = '('\n", "a\n");
        assert_eq!(
            (&played["problems"][0]["level"], &played["problems"][0]["line"]),
            (&json!("error"), &json!(4))
        );
        assert_eq!((&played["lines"], &played["sent"]), (&json!([]), &json!([])));
    }

    #[test]
    fn lines_without_stamps_are_a_second_apart() {
        let played = play(RULE, "Failed a from b\nFailed a from b");
        assert_eq!(played["lines"][0]["time"], "2026-01-06T09:59:59Z");
        assert_eq!(played["lines"][1]["time"], "2026-01-06T10:00:00Z");
        assert_eq!(played["sent"][1]["reason"], "no recovery line seen");
    }

    #[test]
    fn what_is_too_much_is_left_out_and_that_is_said() {
        let played = play(RULE, &"Failed a from b\n".repeat(MOST_LINES + 1));
        assert_eq!(played["lines"].as_array().unwrap().len(), MOST_LINES);
        assert_eq!(played["left_out"], "left out: all lines but the first 2000");
        let many: String = (0..=MOST_KEYS).map(|n| format!("Failed a from b{n}\n")).collect();
        assert_eq!(play(RULE, &many)["measures"].as_array().unwrap().len(), MOST_KEYS);
    }

    #[test]
    fn what_is_not_asked_as_it_has_to_be_is_refused() {
        for (asked, why) in [
            ("{", "not understood"),
            (r#"{"rules":"","lines":"","format":"xml"}"#, "`xml` is no format"),
            (r#"{"rules":"","lines":"","multiline":"ruby"}"#, "`ruby` is no preset"),
        ] {
            let stopwatch: Stopwatch = Box::new(|_| Duration::ZERO);
            let refused = try_out(asked.as_bytes(), NOW, stopwatch).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
