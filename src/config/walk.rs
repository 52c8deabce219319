//! A spanned TOML table, held against the keys it may have.
//!
//! [`check`] says everything that can be said of a table by its key list alone, once. After it the getters of
//! [`Fields`] give what is believable and stay silent about the rest.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnostic::{Diagnostic, Problems, SYNTAX, did_you_mean, listed, short};
use super::idioms;
use super::keys::main_file::MULTILINE;
use super::keys::rules::{FLAP, IMAGE, LINES_KEPT, LINK};
use super::keys::scenario::FORMATS;
use super::keys::{Key, Kind, MOST};
use super::ladder;
use super::place::typed;
use super::rules::{MOST_LINKS, parse_max_raises};
use super::units::{parse_duration, parse_rate, parse_size, parse_start};
use crate::model::{ChangeStatus, ComponentStatus, MOST_LINES, Severity};
use crate::rule::Preset;

/// A value of a table, with its place.
pub(super) type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

/// A string, or a part of one, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Said<'t> {
    pub(super) text: &'t str,
    /// Of a whole string with its quotes.
    pub(super) span: Range<usize>,
    /// The string that it is a part of, where the literal of that stands, and where in the string the part begins.
    whole: (&'t str, Range<usize>, usize),
}

impl<'t> Said<'t> {
    pub(super) fn new(text: &'t str, span: Range<usize>) -> Said<'t> {
        Said { text, span: span.clone(), whole: (text, span, 0) }
    }

    /// Where a part of the string was typed.
    pub(super) fn place(&self, problems: &Problems<'_>, inner: &Range<usize>) -> Range<usize> {
        let (whole, literal, from) = &self.whole;
        typed(problems.text, literal, whole, &(from + inner.start..from + inner.end))
    }

    /// A part of the string by itself.
    pub(super) fn part(&self, problems: &Problems<'_>, inner: &Range<usize>) -> Said<'t> {
        let (whole, literal, from) = &self.whole;
        let span = self.place(problems, inner);
        Said { text: &self.text[inner.clone()], span, whole: (whole, literal.clone(), from + inner.start) }
    }
}

/// Parses a file as far as possible and says what is wrong with its syntax.
pub(super) fn parse<'i>(problems: &mut Problems<'i>) -> DeTable<'i> {
    let (table, errors) = DeTable::parse_recoverable(problems.text);
    if let Some((language, span)) = other_language(problems.text).filter(|_| !errors.is_empty()) {
        let title = format!("this is {language}, and no TOML");
        problems.error(SYNTAX, span, title, "takes `key = value` and `[[rule]]`").help =
            Some("docs/rules.md shows what a rule looks like".to_owned());
        return DeTable::new();
    }
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim_end_matches('.');
        let (title, label) = message.split_once(", ").unwrap_or((message, ""));
        let escaped =
            || "write patterns between single quotes, so that backslashes need no doubling".to_owned();
        let escape = error.message().contains("escape").then(escaped);
        match bare_word(problems.text, &span).filter(|_| escape.is_none()) {
            Some((at, way)) => {
                let title = format!("`{}` is no value", short(&problems.text[at.clone()]));
                problems.error(SYNTAX, at, title, "a word without quotes").help = Some(way);
            }
            None => problems.error(SYNTAX, span, title, label).help = escape,
        }
    }
    table.into_inner()
}

/// In what a file seems to be written that is no TOML, and the line that shows it: each of its lines would be an error.
fn other_language(text: &str) -> Option<(&'static str, Range<usize>)> {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    let is_toml = |line: &str| {
        line.starts_with('[') || line.split_once('=').is_some_and(|(key, _)| is_word(key.trim_end()))
    };
    if text.lines().any(|line| is_toml(line.trim())) {
        return None;
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (said, from) = (line.trim(), at + line.len() - line.trim_start().len());
        at += line.len();
        if said.is_empty() || said.starts_with('#') || said == "---" {
            continue;
        }
        let is_key = said
            .split_once(':')
            .is_some_and(|(key, rest)| is_word(key) && (rest.is_empty() || rest.starts_with(' ')));
        let language = match said {
            _ if is_key || said.starts_with("- ") => "YAML",
            _ if said.starts_with('{') => "JSON",
            _ => return None,
        };
        return Some((language, from..from + said.len()));
    }
    None
}

/// The word without quotes that a syntax error points at, if it is one that stands for a value, and what to write.
fn bare_word(text: &str, span: &Range<usize>) -> Option<(Range<usize>, String)> {
    let before = text.get(..span.start)?;
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let is_value = before[line..].trim_end().ends_with(['=', '[', ',']);
    let is_part = |c: char| c.is_alphanumeric() || "_-.%".contains(c);
    let rest = text.get(span.start..)?;
    let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
    if !is_value || !word.starts_with(char::is_alphanumeric) || !word.contains(char::is_alphabetic) {
        return None;
    }
    let behind = rest[word.len()..].lines().next().unwrap_or_default().trim_start();
    let is_alone = behind.is_empty() || behind.starts_with(['#', ',', ']', '}']);
    let way = match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => "write `true`".to_owned(),
        "no" | "off" | "false" => "write `false`".to_owned(),
        _ if is_alone => format!("write it between quotes: `\"{}\"`", short(word)),
        _ => "write it between quotes".to_owned(),
    };
    Some((span.start..span.start + word.len(), way))
}

/// Says which keys of `table` are unknown or not yet supported, and which values are not what their key takes.
/// `what` names the table: "a rule".
pub(super) fn check(
    problems: &mut Problems<'_>,
    table: &DeTable<'_>,
    what: &str,
    keys: &[&[Key]],
    later: &[&str],
) {
    for (name, value) in table.iter() {
        let span = name.span();
        let name: &str = name.get_ref();
        let known = || keys.iter().copied().flatten();
        if let Some(key) = known().find(|key| key.name == name) {
            check_value(problems, key, value);
        } else if later.contains(&name) {
            let title = format!("`{name}` is not supported by this version");
            problems.error("not-yet", span, title, "not supported yet");
        } else {
            let title = format!("`{}` is not a key of {what}", short(name));
            let problem = problems.error("unknown-key", span, title, "unknown key");
            let slip = || did_you_mean(name, known().map(|key| key.name));
            problem.help = idioms::way(name, keys).or_else(slip);
            // Of a slip of the pen nobody wants to read all of them.
            if problem.help.is_none() {
                problem.note = Some(format!("the keys are {}", listed(known().map(|key| key.name))));
            }
        }
    }
}

fn check_value(problems: &mut Problems<'_>, key: &Key, value: Value<'_, '_>) {
    match (key.kind, value.get_ref()) {
        (Kind::Text | Kind::Secret | Kind::Condition | Kind::Measure | Kind::Pattern, DeValue::String(_))
        | (Kind::Switch, DeValue::Boolean(_)) => {}
        (Kind::Any, _) | (Kind::Table | Kind::Body, DeValue::Table(_)) | (Kind::Body, DeValue::Array(_)) => {}
        (
            Kind::Texts
            | Kind::Names
            | Kind::RuleNames
            | Kind::Patterns
            | Kind::Globs
            | Kind::Schedules
            | Kind::Deadlines,
            DeValue::String(_),
        ) => {
            check_text(problems, key, value);
        }
        (
            Kind::Texts
            | Kind::Names
            | Kind::RuleNames
            | Kind::Patterns
            | Kind::Globs
            | Kind::Schedules
            | Kind::Deadlines,
            DeValue::Array(list),
        ) => {
            for item in list.iter() {
                match item.get_ref() {
                    DeValue::String(_) => check_text(problems, key, item),
                    _ => wrong_type(problems, key, item),
                }
            }
        }
        (Kind::Tables, DeValue::Array(list)) => {
            for item in list.iter().filter(|item| !item.get_ref().is_table()) {
                wrong_type(problems, key, item);
            }
        }
        (Kind::Name | Kind::RuleName, DeValue::String(_)) => check_text(problems, key, value),
        (Kind::Duration(_) | Kind::DurationOrNever(_), DeValue::String(text)) => {
            check_duration(problems, key, &Said::new(text, value.span()));
        }
        (Kind::Size(least, most), DeValue::String(_) | DeValue::Integer(_)) => match size(value) {
            Ok(bytes) if (least..=most).contains(&bytes) => {}
            Ok(_) => {
                let label = format!("allowed are {least} to {most} bytes");
                problems.error(
                    "out-of-range",
                    value.span(),
                    format!("`{}` is out of range", key.name),
                    label,
                );
            }
            Err((at, why)) => {
                problems.error(
                    "bad-size",
                    inside(problems, value, &at),
                    format!("`{}` is not a size", key.name),
                    why,
                );
            }
        },
        (Kind::Count(least, most), DeValue::Integer(_)) => {
            if count(value).is_none_or(|count| !(least..=most).contains(&count)) {
                let title = format!("`{}` is out of range", key.name);
                problems.error("out-of-range", value.span(), title, format!("takes {least} to {most}"));
            }
        }
        (Kind::Id, DeValue::Integer(_)) => check_id(problems, key, value),
        (Kind::NamesOrIds, DeValue::Integer(_)) => check_id(problems, key, value),
        (Kind::NamesOrIds, DeValue::String(_)) => check_text(problems, key, value),
        (Kind::Ids | Kind::NamesOrIds, DeValue::Array(list)) => {
            for item in list.iter() {
                match (item.get_ref(), key.kind) {
                    (DeValue::Integer(_), _) => check_id(problems, key, item),
                    (DeValue::String(_), Kind::NamesOrIds) => check_text(problems, key, item),
                    _ => wrong_type(problems, key, item),
                }
            }
        }
        (Kind::ComponentStatus, DeValue::Table(words)) => {
            let severities = Severity::ALL.map(Severity::as_str);
            for (name, word) in words.iter() {
                if !severities.contains(&name.get_ref().as_ref()) {
                    let title = format!("`{}` is not a severity", short(name.get_ref()));
                    let problem = problems.error("unknown-key", name.span(), title, "unknown severity");
                    problem.help = did_you_mean(name.get_ref(), severities.iter().copied());
                    problem.note = Some(format!("the severities are {}", listed(severities.iter().copied())));
                }
                match word.get_ref() {
                    DeValue::String(_) => {
                        check_choice(
                            problems,
                            key,
                            &ComponentStatus::OF_ALERTS.map(ComponentStatus::as_str),
                            word,
                        );
                    }
                    _ => wrong_type(problems, key, word),
                }
            }
        }
        (Kind::ChangeStatus, DeValue::String(_)) => check_change_status(problems, key, value),
        (Kind::ChangeStatus, DeValue::Table(words)) => {
            for (_, value) in words.iter() {
                match value.get_ref() {
                    DeValue::String(_) => check_change_status(problems, key, value),
                    DeValue::Table(words) => {
                        words.iter().for_each(|(_, word)| check_change_status(problems, key, word));
                    }
                    _ => wrong_type(problems, key, value),
                }
            }
        }
        (Kind::Comparison, DeValue::String(text)) => {
            if let Err(wrong) = ladder::parse_comparison(text) {
                let span = inside(problems, value, &wrong.at);
                let title = format!("`{}` is not a comparison", key.name);
                problems.error("bad-comparison", span, title, wrong.label).help = wrong.help;
            }
        }
        (Kind::Formats, DeValue::String(_)) => check_choice(problems, key, FORMATS, value),
        (Kind::Formats, DeValue::Table(words)) => {
            for (_, word) in words.iter() {
                match word.get_ref() {
                    DeValue::String(_) => check_choice(problems, key, FORMATS, word),
                    _ => wrong_type(problems, key, word),
                }
            }
        }
        (Kind::Choice(words), DeValue::String(_)) => check_choice(problems, key, words, value),
        (Kind::Labels, DeValue::Table(labels)) => check_labels(problems, key, labels),
        (Kind::Expected, DeValue::Table(names)) => {
            let lists = names.iter().map(|(_, value)| (value, value.get_ref().as_array()));
            for (value, list) in lists {
                let wrong = |value: &Value<'_, '_>| !value.get_ref().is_str();
                let items: Vec<Value<'_, '_>> =
                    list.map_or_else(|| vec![value], |list| list.iter().collect());
                items.into_iter().filter(wrong).for_each(|item| wrong_type(problems, key, item));
            }
        }
        (Kind::Rewritings, DeValue::Table(texts)) => {
            for (name, value) in texts.iter() {
                if !is_identifier(name.get_ref()) {
                    let title = format!("`{}` is not a capture name", short(name.get_ref()));
                    let label = "a letter or `_`, then letters, digits and `_`";
                    problems.error("bad-capture-name", name.span(), title, label);
                }
                if !value.get_ref().is_str() {
                    wrong_type(problems, key, value);
                }
            }
        }
        (Kind::Lookups, DeValue::Table(tables)) => {
            for (_, table) in tables.iter() {
                let Some(entries) = table.get_ref().as_table() else {
                    wrong_type(problems, key, table);
                    continue;
                };
                let wrong = entries.iter().filter(|(_, value)| !value.get_ref().is_str());
                wrong.for_each(|(_, value)| wrong_type(problems, key, value));
            }
        }
        (Kind::PatternTable, DeValue::Table(patterns)) => {
            for (_, item) in patterns.iter().filter(|(_, item)| !item.get_ref().is_str()) {
                wrong_type(problems, key, item);
            }
        }
        (Kind::Images, DeValue::Array(list)) => {
            check_addresses(problems, key, list, IMAGE, "src", "an image");
        }
        (Kind::Links, DeValue::Array(list)) => {
            check_addresses(problems, key, list, LINK, "href", "a link");
            if list.len() > MOST_LINKS {
                let title = format!("`{}` is out of range", key.name);
                problems.error(
                    "out-of-range",
                    value.span(),
                    title,
                    format!("takes up to {MOST_LINKS} links"),
                );
            }
        }
        (Kind::FewLines | Kind::LinesKept, DeValue::Integer(_)) => {
            if few_lines(value).is_none() {
                let title = format!("`{}` is out of range", key.name);
                problems.error("out-of-range", value.span(), title, format!("takes 0 to {MOST_LINES}"));
            }
        }
        (Kind::LinesKept, DeValue::Table(table)) => {
            check(problems, table, "`lines_kept`", &[LINES_KEPT], &[]);
        }
        (Kind::MaxRaises, DeValue::String(text)) => {
            if let Some((at, why)) = parse_max_raises(text).err().filter(|_| text != "never") {
                let title = format!("`{}` is not a number in a time", short(text));
                let span = inside(problems, value, &at);
                problems.error("bad-max-raises", span, title, why).help =
                    Some(format!("`{}` takes {}", key.name, key.kind.describe()));
            }
        }
        (Kind::Rate, DeValue::String(text)) => {
            if let Err(wrong) = parse_rate(text) {
                let title = format!("`{}` is not a number in a time", short(text));
                let span = inside(problems, value, &wrong.at);
                problems.error("bad-rate", span, title, wrong.why).help =
                    Some(format!("`{}` takes {}", key.name, key.kind.describe()));
            }
        }
        (Kind::Start, DeValue::String(text)) => {
            if let Err(wrong) = parse_start(text) {
                let title = format!("`{}` cannot be `{}`", key.name, short(text));
                let span = inside(problems, value, &wrong.at);
                problems.error("bad-source-start", span, title, wrong.why).help =
                    did_you_mean(text, ["end", "beginning"]);
            }
        }
        (Kind::Codes, DeValue::Array(list)) => {
            if list.is_empty() {
                let title = format!("`{}` is empty", key.name);
                problems.error("empty-list", value.span(), title, "leave it out for every 2xx");
            }
            for item in list.iter() {
                if !item.get_ref().is_integer() {
                    wrong_type(problems, key, item);
                    continue;
                }
                let label = match code(item) {
                    None => "takes 200 to 599",
                    Some(408 | 425 | 429 | 500 | 502..) => {
                        "who answers so has taken nothing, and is asked again"
                    }
                    Some(_) => continue,
                };
                let title = format!("`{}` is out of range", key.name);
                problems.error("out-of-range", item.span(), title, label);
            }
        }
        (Kind::Headers, DeValue::Table(headers)) => {
            headers.iter().filter(|(_, value)| !value.get_ref().is_str()).for_each(|(_, value)| {
                wrong_type(problems, key, value);
            });
        }
        (Kind::Mode, DeValue::String(text)) => {
            if mode(text).is_none() {
                let title = format!("`{}` is no permissions", short(text));
                let label = "three octal digits, each 0 to 7, with or without a `0` before them";
                problems.error("bad-mode", value.span(), title, label);
            }
        }
        (Kind::Flap, DeValue::String(text)) if text == "never" => {}
        (Kind::Flap, DeValue::Table(table)) => {
            check(problems, table, "`flap`", &[FLAP], &[]);
        }
        (Kind::Multiline, DeValue::String(_)) => {
            check_choice(problems, key, &Preset::ALL.map(Preset::as_str), value);
        }
        (Kind::Multiline, DeValue::Table(table)) => {
            check(problems, table, "`multiline`", &[MULTILINE], &[]);
        }
        _ => wrong_type(problems, key, value),
    }
}

/// A list of addresses, or of tables with the address under `needed`.
fn check_addresses(
    problems: &mut Problems<'_>,
    key: &Key,
    list: &DeArray<'_>,
    table: &'static [Key],
    needed: &'static str,
    what: &str,
) {
    for item in list.iter() {
        match item.get_ref() {
            DeValue::String(_) => {}
            DeValue::Table(fields) => {
                check(problems, fields, what, &[table], &[]);
                require(problems, fields, &item.span(), needed, what);
            }
            _ => wrong_type(problems, key, item),
        }
    }
}

fn check_id(problems: &mut Problems<'_>, key: &Key, value: Value<'_, '_>) {
    if id(value).is_none() {
        let title = format!("`{}` is out of range", key.name);
        problems.error("out-of-range", value.span(), title, format!("takes 1 to {}", i64::MAX));
    }
}

fn check_choice(problems: &mut Problems<'_>, key: &Key, words: &[&str], value: Value<'_, '_>) {
    let Some(text) = value.get_ref().as_str().filter(|text| !words.contains(text)) else { return };
    let title = format!("`{}` cannot be `{}`", key.name, short(text));
    let label = format!("takes {}", listed(words.iter().copied()));
    problems.error("bad-choice", value.span(), title, label).help = did_you_mean(text, words.iter().copied());
}

/// One word of those that say how far a change has come.
fn check_change_status(problems: &mut Problems<'_>, key: &Key, value: Value<'_, '_>) {
    match value.get_ref() {
        DeValue::String(_) => {
            check_choice(problems, key, &ChangeStatus::ALL.map(ChangeStatus::as_str), value);
        }
        _ => wrong_type(problems, key, value),
    }
}

fn wrong_type(problems: &mut Problems<'_>, key: &Key, value: Value<'_, '_>) {
    let found = value.get_ref().type_str();
    let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
    let title = format!("`{}` takes {}", key.name, key.kind.describe());
    let help = match (key.kind, value.get_ref()) {
        (Kind::Duration(_) | Kind::DurationOrNever(_), DeValue::Integer(n)) => {
            let seconds: Option<u32> = n.as_str().parse().ok();
            seconds.filter(|seconds| *seconds > 0).map(|seconds| format!("write `\"{seconds}s\"`"))
        }
        (Kind::Comparison, DeValue::Integer(n)) => Some(format!("write `\">= {n}\"`")),
        (Kind::Tables, DeValue::Table(_)) => Some(format!("write `[[{}]]`, with two brackets", key.name)),
        (Kind::Labels, DeValue::Integer(n)) => Some(format!("write `\"{n}\"`, in quotes")),
        _ => None,
    };
    problems.error("wrong-type", value.span(), title, format!("found {article} {found}")).help = help;
}

fn check_duration(problems: &mut Problems<'_>, key: &Key, said: &Said<'_>) {
    let never = matches!(key.kind, Kind::DurationOrNever(_)) && said.text == "never";
    match parse_duration(said.text) {
        _ if never => {}
        Ok(span) => {
            if let Kind::Duration(least) | Kind::DurationOrNever(least) = key.kind
                && span < least
            {
                let title = format!("`{}` is too short", key.name);
                let label = format!("at least `{}`", crate::model::duration_text(least));
                problems.error("out-of-range", said.span.clone(), title, label);
            }
        }
        Err(wrong) => {
            let title = format!("`{}` is not a duration", short(said.text));
            let span = said.place(problems, &wrong.at);
            problems.error("bad-duration", span, title, wrong.why).help =
                Some(format!("`{}` takes {}", key.name, key.kind.describe()));
        }
    }
}

/// One string of those that a key takes.
fn check_text(problems: &mut Problems<'_>, key: &Key, value: Value<'_, '_>) {
    let DeValue::String(text) = value.get_ref() else { return };
    match key.kind {
        Kind::Name | Kind::Names | Kind::RuleName | Kind::RuleNames => {
            let dash = matches!(key.kind, Kind::Name | Kind::Names);
            let fits =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || (dash && b == b'-');
            if !(1..=64).contains(&text.len()) || !text.bytes().all(fits) {
                let title = format!("`{}` is not a valid name", short(text));
                problems.error("bad-name", value.span(), title, format!("takes {}", key.kind.describe()));
            }
        }
        Kind::NamesOrIds if text.trim().is_empty() => {
            problems.error(
                "empty",
                value.span(),
                format!("`{}` holds an empty name", key.name),
                "leave it out",
            );
        }
        Kind::Globs if text.is_empty() => {
            let title = format!("`{}` holds an empty glob", key.name);
            problems.error("bad-glob", value.span(), title, "names no file");
        }
        Kind::Globs if text.starts_with("~/") || is_variable_path(text) || text.contains("://") => {
            let (title, label) = match text.split_once("://") {
                Some(_) => (format!("`{}` is a URL", short(text)), "takes paths and globs"),
                None if text.starts_with('~') => {
                    (format!("`{}` begins with `~`", short(text)), "no home is put in its place")
                }
                None => (format!("`{}` begins with a variable", short(text)), "nothing is put in its place"),
            };
            problems.error("bad-glob", value.span(), title, label).help =
                Some("write the whole path".to_owned());
        }
        Kind::Globs => {
            if let Err(error) = globset::GlobBuilder::new(text).literal_separator(true).build() {
                let title = format!("`{}` is not a valid glob", short(text));
                problems.error("bad-glob", value.span(), title, error.kind().to_string());
            }
        }
        _ => {}
    }
}

/// True for `$HOME/x` and `${HOME}/x`.
fn is_variable_path(text: &str) -> bool {
    let name = text.strip_prefix('$').unwrap_or_default();
    name.starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic())
}

fn check_labels(problems: &mut Problems<'_>, key: &Key, labels: &DeTable<'_>) {
    for (name, value) in labels.iter() {
        let span = name.span();
        let name: &str = name.get_ref();
        if !is_identifier(name) {
            let title = format!("`{}` is not a label name", short(name));
            problems.error("bad-label-name", span, title, "a letter or `_`, then letters, digits and `_`");
        } else if name == "instance" || name == "alertname" || name.starts_with("layer_") {
            let title = format!("the label name `{}` is reserved", short(name));
            let problem = problems.error("reserved-label", span, title, "cannot be set here");
            problem.help = (name == "instance").then(|| "`scope` in tripline.toml sets it".to_owned());
        } else if name == "severity" {
            let title = "a label `severity` is not the severity of an alert";
            problems
                .warning("other-idiom", span, title, "only a label, which some peers take for more")
                .help = Some("write `severity = \"critical\"` in the rule, or levels".to_owned());
        }
        if !value.get_ref().is_str() {
            wrong_type(problems, key, value);
        }
    }
}

/// Says that a key is missing, at the table's header. True if it is there.
pub(super) fn require(
    problems: &mut Problems<'_>,
    table: &DeTable<'_>,
    header: &Range<usize>,
    key: &str,
    what: &str,
) -> bool {
    let there = table.contains_key(key);
    if !there {
        missing(problems, header, key, what);
    }
    there
}

/// Says that a key is missing, at the table's header; the answer is there to be given a `help`.
pub(super) fn missing<'p>(
    problems: &'p mut Problems<'_>,
    header: &Range<usize>,
    key: &str,
    what: &str,
) -> &'p mut Diagnostic {
    let (title, label) = (format!("{what} needs `{key}`"), format!("`{key}` is missing"));
    problems.error("missing-key", header.clone(), title, label)
}

/// True for `[A-Za-z_][A-Za-z0-9_]*` of at most 128 bytes: names of labels, captures and patterns.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The place of a part of a string value, or of the whole value.
fn inside(problems: &Problems<'_>, value: Value<'_, '_>, at: &Range<usize>) -> Range<usize> {
    match value.get_ref() {
        DeValue::String(text) => typed(problems.text, &value.span(), text, at),
        _ => value.span(),
    }
}

fn size(value: Value<'_, '_>) -> Result<u64, (Range<usize>, String)> {
    match value.get_ref() {
        DeValue::String(text) => parse_size(text).map_err(|wrong| (wrong.at, wrong.why)),
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
            .map_err(|_| (0..0, "expected a whole number".to_owned())),
        _ => Err((0..0, String::new())),
    }
}

fn count(value: Value<'_, '_>) -> Option<usize> {
    let number = value.get_ref().as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| (1..=MOST).contains(n))
}

fn code(value: Value<'_, '_>) -> Option<u16> {
    let number = value.get_ref().as_integer()?;
    u16::from_str_radix(number.as_str(), number.radix()).ok().filter(|code| (200..600).contains(code))
}

fn mode(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('0').filter(|rest| rest.len() == 3).unwrap_or(text);
    let octal = digits.len() == 3 && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal.then(|| u32::from_str_radix(digits, 8).ok())?
}

/// A number of lines that may be kept.
pub(super) fn few_lines(value: Value<'_, '_>) -> Option<usize> {
    let number = value.get_ref().as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| *n <= MOST_LINES)
}

fn id(value: Value<'_, '_>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok().filter(|id| *id > 0)
}

/// What a table says, with another table for what it does not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'t, 'i> {
    pub(super) table: &'t DeTable<'i>,
    pub(super) defaults: Option<&'t DeTable<'i>>,
}

impl<'t, 'i> Fields<'t, 'i> {
    /// The value as it stands.
    pub(super) fn value(&self, key: &str) -> Option<Value<'t, 'i>> {
        self.table.get(key).or_else(|| self.defaults?.get(key))
    }

    /// The same, from the table itself only.
    pub(super) fn own(self) -> Fields<'t, 'i> {
        Fields { table: self.table, defaults: None }
    }

    /// Where the key is typed in the table itself; the caller's `otherwise` if it is not.
    pub(super) fn key_span(&self, key: &str, otherwise: &Range<usize>) -> Range<usize> {
        let found =
            [Some(self.table), self.defaults].into_iter().flatten().find_map(|t| t.get_key_value(key));
        found.map_or_else(|| otherwise.clone(), |(name, _)| name.span())
    }

    pub(super) fn text(&self, key: &str) -> Option<Said<'t>> {
        said(self.value(key)?)
    }

    /// A string or a list of strings.
    pub(super) fn texts(&self, key: &str) -> Vec<Said<'t>> {
        match self.value(key) {
            Some(value) => match value.get_ref() {
                DeValue::Array(list) => list.iter().filter_map(said).collect(),
                _ => said(value).into_iter().collect(),
            },
            None => Vec::new(),
        }
    }

    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        self.value(key)?.get_ref().as_bool()
    }

    pub(super) fn count(&self, key: &str) -> Option<usize> {
        count(self.value(key)?)
    }

    pub(super) fn id(&self, key: &str) -> Option<i64> {
        id(self.value(key)?)
    }

    /// The numbers of a list.
    pub(super) fn ids(&self, key: &str) -> Vec<i64> {
        let list = self.value(key).and_then(|value| value.get_ref().as_array());
        list.into_iter().flat_map(|list| list.iter()).filter_map(id).collect()
    }

    /// Names and numbers, one or a list of them, as text.
    pub(super) fn names_or_ids(&self, key: &str) -> Vec<String> {
        let one = |value| id(value).map(|id| id.to_string()).or_else(|| Some(said(value)?.text.to_owned()));
        match self.value(key).map(|value| (value, value.get_ref().as_array())) {
            Some((_, Some(list))) => list.iter().filter_map(one).collect(),
            Some((value, None)) => one(value).into_iter().collect(),
            None => Vec::new(),
        }
    }

    pub(super) fn size(&self, key: &str) -> Option<usize> {
        usize::try_from(size(self.value(key)?).ok()?).ok()
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        parse_duration(self.text(key)?.text).ok()
    }

    /// The inner `None` is `never`.
    pub(super) fn duration_or_never(&self, key: &str) -> Option<Option<Duration>> {
        let text = self.text(key)?.text;
        if text == "never" { Some(None) } else { parse_duration(text).ok().map(Some) }
    }

    pub(super) fn mode(&self, key: &str) -> Option<u32> {
        mode(self.text(key)?.text)
    }

    /// HTTP codes.
    pub(super) fn codes(&self, key: &str) -> Vec<u16> {
        let list = self.value(key).and_then(|value| value.get_ref().as_array());
        list.into_iter().flat_map(|list| list.iter()).filter_map(code).collect()
    }

    /// The inner `None` is `unlimited`.
    pub(super) fn rate(&self, key: &str) -> Option<Option<(u32, Duration)>> {
        parse_rate(self.text(key)?.text).ok()
    }

    /// Names and values of a table of strings.
    pub(super) fn pairs(&self, key: &str) -> Vec<(&'t str, Said<'t>)> {
        let table = self.value(key).and_then(|value| value.get_ref().as_table());
        let pairs = table.into_iter().flat_map(|table| table.iter());
        pairs.filter_map(|(name, value)| Some((name.get_ref().as_ref(), said(value)?))).collect()
    }

    /// The tables of a list, with the place of their headers.
    pub(super) fn tables(&self, key: &str) -> Vec<(Range<usize>, &'t DeTable<'i>)> {
        let list = self.value(key).and_then(|value| value.get_ref().as_array());
        let items = list.into_iter().flat_map(|list| list.iter());
        items.filter_map(|item| Some((item.span(), item.get_ref().as_table()?))).collect()
    }
}

/// The string of a value.
pub(super) fn said<'t>(value: Value<'t, '_>) -> Option<Said<'t>> {
    Some(Said::new(value.get_ref().as_str()?, value.span()))
}
