//! The key tables as JSON Schema (draft 2020-12), for editors that complete and check TOML files.
//!
//! A schema says what a key takes, not what only reading it can tell: patterns, conditions and what fits together are the
//! business of `tripline check`.

use serde_json::{Map, Value, json};

use super::keys::main_file::{ADMIN, HEARTBEAT, JOURNAL, MAIN, MULTILINE, SOURCE};
use super::keys::rules::{
    CHANGE, DEFAULTS, FLAP, IMAGE, LINES_KEPT, LINK, PACK, PACK_SOURCE, RULE_FILE, RULE_OWN,
};
use super::keys::scenario::{EXPECTED, FEED, FORMATS, LINE_TEST, OPEN_AT, TEST, TEST_FILE};
use super::keys::sinks::{BATCH, PEERS};
use super::keys::{Key, Kind};
use super::measure::MEASURES;
use super::rules::MOST_LINKS;
use crate::model::{ChangeStatus, ComponentStatus, MOST_LINES, Severity};
use crate::rule::Preset;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// As [`super::units::parse_duration`] reads it, but for the order of units.
const DURATION: &str = "^([0-9]+(w|d|h|ms|m|s))+$";
/// The beginning of what [`super::ladder`] reads.
const COMPARISON: &str = "^ *(>=|<=|==|!=|>|<) *[-+0-9.].*$";
const LABEL: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Of a rule file.
pub fn rules() -> Value {
    whole("tripline rules", table(&[RULE_FILE], &[]))
}

/// Of a test file, whose name ends in `.test.toml`.
pub fn tests() -> Value {
    whole("tripline tests", table(&[TEST_FILE], &["rules"]))
}

/// Of `tripline.toml`.
pub fn config() -> Value {
    whole("tripline configuration", table(&[MAIN], &[]))
}

fn whole(title: &str, table: Value) -> Value {
    let mut schema = json!({ "$schema": DIALECT, "title": title });
    if let (Value::Object(schema), Value::Object(table)) = (&mut schema, table) {
        schema.extend(table);
    }
    schema
}

/// A table with all keys of these tables and no other; `required` must be there.
fn table(tables: &[&[Key]], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        tables.iter().copied().flatten().map(|key| (key.name.to_owned(), property(key))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

/// A table for each type of sink.
fn sinks() -> Value {
    let sink = |(name, keys): &(&str, &[&[Key]])| {
        let mut sink = table(keys, &["name", "type"]);
        sink["properties"]["type"] = json!({ "const": name, "description": "Which peer." });
        sink
    };
    json!({ "anyOf": PEERS.iter().map(sink).collect::<Vec<_>>() })
}

/// A source has lines from somewhere.
fn source() -> Value {
    let mut source = table(&[SOURCE], &["name"]);
    let kinds = super::stream::KINDS.iter();
    source["anyOf"] = kinds.map(|kind| json!({ "required": [kind] })).collect();
    source
}

fn property(key: &Key) -> Value {
    let mut schema = match (key.kind, key.name) {
        (Kind::Table, "admin") => table(&[ADMIN], &[]),
        (Kind::Table, "heartbeat") => table(&[HEARTBEAT], &["sink"]),
        (Kind::Table, "journal") => table(&[JOURNAL], &[]),
        (Kind::Table, "batch") => table(&[BATCH], &[]),
        (Kind::Table, "pack") => table(&[PACK], &["about"]),
        (Kind::Any, "source") => {
            json!({ "type": "object", "additionalProperties": table(&[PACK_SOURCE], &[]) })
        }
        (Kind::Table, _) => table(&[DEFAULTS], &[]),
        (Kind::Tables, "source") => list(source()),
        (Kind::Tables, "sink") => list(sinks()),
        (Kind::Tables, "line") => list(table(&[LINE_TEST], &["source"])),
        (Kind::Tables, "test") => list(table(&[TEST], &["name"])),
        (Kind::Tables, "feed") => list(table(&[FEED], &[])),
        (Kind::Tables, "open") => list(table(&[OPEN_AT], &["at", "alerts"])),
        (Kind::Any, "sent" | "alerts") => list(table(&[EXPECTED], &[])),
        (Kind::Tables, _) => list(table(&[RULE_OWN, CHANGE, DEFAULTS], &["name"])),
        (kind, _) => value(kind),
    };
    schema["description"] = key.about.into();
    // A default that is a value, as it would be typed; others are words.
    let typed = format!("x = {}", key.default).parse::<toml::Table>();
    if let Some(default) = typed.ok().and_then(|mut table| table.remove("x")) {
        schema["default"] = serde_json::to_value(default).unwrap_or_default();
    }
    schema
}

/// What a key takes by its kind alone.
fn value(kind: Kind) -> Value {
    let text = || json!({ "type": "string" });
    let fits = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let name = || fits("^[a-z0-9_-]{1,64}$");
    let rule_name = || fits("^[a-z0-9_]{1,64}$");
    let id = || json!({ "type": "integer", "minimum": 1 });
    let object = |of: Value| json!({ "type": "object", "additionalProperties": of });
    let never = |other: Value| json!({ "anyOf": [other, { "const": "never" }] });
    match kind {
        Kind::Text | Kind::Secret | Kind::Condition | Kind::Pattern => text(),
        Kind::Texts | Kind::Patterns | Kind::Globs | Kind::Schedules | Kind::Deadlines => one_or_list(text()),
        Kind::Name => name(),
        Kind::Names => one_or_list(name()),
        Kind::RuleName => rule_name(),
        Kind::RuleNames => one_or_list(rule_name()),
        Kind::Duration(_) => fits(DURATION),
        Kind::DurationOrNever(_) => never(fits(DURATION)),
        Kind::Size(least, most) => json!({ "anyOf": [
            { "type": "integer", "minimum": least, "maximum": most },
            { "type": "string", "pattern": "^[0-9]+(B|KiB|MiB)?$" },
        ]}),
        Kind::Count(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::ChangeStatus => {
            let words: Vec<&str> = ChangeStatus::ALL.iter().map(|status| status.as_str()).collect();
            let word = || json!({ "enum": words });
            json!({ "anyOf": [word(), object(word()), object(object(word()))] })
        }
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Id => id(),
        Kind::Ids => list(id()),
        Kind::NamesOrIds => one_or_list(json!({ "anyOf": [id(), text()] })),
        Kind::ComponentStatus => json!({
            "type": "object",
            "propertyNames": { "enum": Severity::ALL.map(Severity::as_str) },
            "additionalProperties": { "enum": ComponentStatus::OF_ALERTS.map(ComponentStatus::as_str) },
        }),
        Kind::Comparison => fits(COMPARISON),
        Kind::Measure => fits(&measures()),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Labels => {
            json!({ "type": "object", "propertyNames": { "pattern": LABEL }, "additionalProperties": text() })
        }
        Kind::Expected => object(one_or_list(text())),
        Kind::Rewritings | Kind::PatternTable => object(text()),
        Kind::Lookups => object(object(text())),
        Kind::Images => list(json!({ "anyOf": [text(), table(&[IMAGE], &["src"])] })),
        Kind::Links => {
            let mut links = list(json!({ "anyOf": [text(), table(&[LINK], &["href"])] }));
            links["maxItems"] = MOST_LINKS.into();
            links
        }
        Kind::FewLines => few_lines(),
        Kind::LinesKept => json!({ "anyOf": [few_lines(), table(&[LINES_KEPT], &[])] }),
        Kind::MaxRaises => never(fits("^[0-9]+/[0-9a-z]+$")),
        Kind::Flap => never(table(&[FLAP], &[])),
        Kind::Multiline => {
            let names = Preset::ALL.map(Preset::as_str);
            json!({ "anyOf": [{ "enum": names }, table(&[MULTILINE], &[])] })
        }
        Kind::Start => fits("^(end|beginning|last:[0-9]+ *([KM]i)?B?|since:[0-9a-z]+)$"),
        Kind::Formats => json!({ "anyOf": [{ "enum": FORMATS }, object(json!({ "enum": FORMATS }))] }),
        Kind::Rate => fits("^([0-9]+/[0-9a-z]+|unlimited)$"),
        Kind::Codes => list(json!({ "type": "integer", "minimum": 200, "maximum": 599 })),
        Kind::Headers => object(text()),
        Kind::Mode => fits("^[0-7]{3,4}$"),
        Kind::Body => json!({ "anyOf": [{ "type": "object" }, { "type": "array" }] }),
        Kind::Any => json!({}),
        Kind::Table => json!({ "type": "object" }),
        Kind::Tables => list(json!({ "type": "object" })),
    }
}

fn few_lines() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": MOST_LINES })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn one_or_list(of: Value) -> Value {
    json!({ "anyOf": [of, list(of.clone())] })
}

/// All measures, those with something in brackets too.
fn measures() -> String {
    let (with, without): (Vec<_>, Vec<_>) = MEASURES.iter().partition(|(_, takes, _)| !takes.is_empty());
    let names = |all: Vec<&(&str, &str, &str)>| {
        let mut names: Vec<&str> =
            all.iter().map(|(name, ..)| *name).filter(|name| !name.starts_with('p')).collect();
        names.sort_unstable();
        names.join("|")
    };
    format!(r"^ *({}|({}|p[1-9][0-9]?) *\(.*\)) *$", names(without), names(with))
}
