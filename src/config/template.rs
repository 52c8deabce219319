//! Texts with `{name}` places: `{{` and `}}` are braces, and there is no logic.

use super::captured::Captured;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::walk::{Said, is_identifier};
use crate::model::ContainerPart;
use crate::rule::{Segment, Template, Value};
use crate::settings::Place;
use std::ops::Range;

/// The names that every text may use, besides the rule's captures, which come first, with what they say.
pub const BUILT_IN: &[(&str, Value, &str)] = &[
    ("file", Value::File, "path of the file the line stands in"),
    ("source", Value::Source, "name of the source"),
    (
        "namespace",
        Value::Container(ContainerPart::Namespace),
        "namespace of the pod, by the path of the file",
    ),
    ("pod", Value::Container(ContainerPart::Pod), "the pod, by the path of the file"),
    ("container", Value::Container(ContainerPart::Container), "the container, by the path of the file"),
    (
        "workload",
        Value::Container(ContainerPart::Workload),
        "the pod without what is different in each of its kind",
    ),
    ("instance", Value::Instance, "the observer's scope"),
    ("rule", Value::Rule, "name of the rule"),
    ("line", Value::Line, "the last matching line"),
    ("lines", Value::Lines, "in `description` the lines that are kept; elsewhere their number, `{count}`"),
    ("count", Value::Count, "matches inside the window"),
    ("total", Value::Total, "matches since the first one"),
    ("value", Value::Value, "the number that is compared"),
    ("within", Value::Within, "the window"),
    ("deadline", Value::Deadline, "the deadline that was missed, as its zone shows it"),
    ("for", Value::For, "how long it must last"),
    ("status", Value::Status, "`info`, `warning` or `critical`"),
    ("since", Value::Since, "when the alert was raised"),
    ("time", Value::Time, "when this happened"),
];

/// The names that texts about changes may use, besides captures, with what they say.
pub const OF_A_CHANGE: &[(&str, Value, &str)] = &[
    ("file", Value::File, "path of the file the line stands in"),
    ("source", Value::Source, "name of the source"),
    (
        "namespace",
        Value::Container(ContainerPart::Namespace),
        "namespace of the pod, by the path of the file",
    ),
    ("pod", Value::Container(ContainerPart::Pod), "the pod, by the path of the file"),
    ("container", Value::Container(ContainerPart::Container), "the container, by the path of the file"),
    (
        "workload",
        Value::Container(ContainerPart::Workload),
        "the pod without what is different in each of its kind",
    ),
    ("instance", Value::Instance, "the observer's scope"),
    ("rule", Value::Rule, "name of the rule"),
    ("line", Value::Line, "the line"),
    ("status", Value::Status, "how far the change has come"),
    ("time", Value::Time, "when it came that far, or will"),
];

/// The names that the body of a webhook may use, besides `label.NAME`, `labels` and `all`, with what they say.
pub const IN_A_BODY: &[(&str, Place, &str)] = &[
    ("kind", Place::Kind, "`alert` or `change`"),
    ("id", Place::Id, "of what is said; the same whenever it is sent again"),
    ("key", Place::Key, "the alert's key, or the change's"),
    ("rule", Place::Rule, "name of the rule"),
    ("status", Place::Status, "`info`, `warning`, `critical` or `ok`; how far the change has come"),
    ("previous", Place::Previous, "what `status` was before; of a change nothing"),
    ("state", Place::State, "`firing` or `resolved`; of a change nothing"),
    (
        "severity",
        Place::Severity,
        "`info`, `warning` or `critical`, at the end that of before; of a change nothing",
    ),
    ("reason", Place::Reason, "why the alert stands so"),
    ("value", Place::Value, "the number that was compared"),
    ("count", Place::Count, "matches inside the window"),
    ("total", Place::Total, "matches since the first one"),
    ("since", Place::Since, "when the alert was raised"),
    ("time", Place::Time, "when it became so"),
    ("summary", Place::Summary, "the rule's `summary`"),
    ("description", Place::Description, "the rule's `description`"),
    ("runbook", Place::Runbook, "the rule's `runbook`"),
    ("link", Place::Link, "the link of a change"),
];

/// The names that a text may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// What lines capture.
    pub(super) captured: &'a Captured,
    /// What is known besides.
    pub(super) built_in: &'static [(&'static str, Value, &'static str)],
}

/// A piece of a text as it was written.
#[derive(Debug)]
pub(super) enum Piece {
    /// What is said as it is.
    Text(String),
    /// Where a name stands, without its braces.
    Place(Range<usize>),
}

/// Reads a text.
pub(super) fn parse(problems: &mut Problems<'_>, said: &Said<'_>, names: Names<'_>) -> Template {
    let pieces = pieces(problems, said).into_iter();
    say_idiom(problems, said, names);
    let segments = pieces.filter_map(|piece| match piece {
        Piece::Text(text) => Some(Segment::Text(text.into())),
        Piece::Place(at) => name_value(problems, said, at, names).map(Segment::Value),
    });
    Template(segments.collect())
}

/// Says that a place of others, `{{ $labels.user }}` or `$user`, is only a text here.
fn say_idiom(problems: &mut Problems<'_>, said: &Said<'_>, names: Names<'_>) {
    let text = said.text;
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let doubled = text.match_indices("{{").find_map(|(at, _)| {
        let inner = text[at + 2..].split_once("}}")?.0;
        // Four of them are two: whoever writes that means what he says. Others have a name and nothing behind it.
        let doubled = text[at + 2..].starts_with('{') || text[..at].ends_with('{');
        let name = inner.trim().strip_prefix(['$', '.'])?;
        let is_name =
            name.split_whitespace().next().is_some_and(|name| name.chars().all(|c| is_part(c) || c == '.'));
        (is_name && !doubled).then_some((at..at + inner.len() + 4, inner))
    });
    let known = names.captured.known().unwrap_or_default();
    let dollar = text.match_indices('$').find_map(|(at, _)| {
        let rest = &text[at + 1..];
        let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // Who says it in our way too means both.
        let meant = known.iter().any(|known| **known == *name) && !text.contains(&format!("{{{name}}}"));
        meant.then_some((at..at + 1 + name.len(), name))
    });
    if let Some((at, inner)) = doubled.or(dollar) {
        let last = inner.trim().rsplit(['$', '.']).next().unwrap_or_default();
        let name = if !last.is_empty() && last.chars().all(is_part) { last } else { "name" };
        let title = format!("`{}` stands for nothing", short(&text[at.clone()]));
        let span = said.place(problems, &at);
        problems.warning("other-idiom", span, title, "told as it is written").help =
            Some(format!("write `{{{name}}}`"));
    }
}

/// Takes a text apart, and says which braces are wrong.
pub(super) fn pieces(problems: &mut Problems<'_>, said: &Said<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut constant = String::new();
    let mut rest = 0;
    let text = said.text;
    while let Some(found) = text[rest..].find(['{', '}']) {
        let at = rest + found;
        constant.push_str(&text[rest..at]);
        let brace = &text[at..=at];
        if text[at + 1..].starts_with(brace) {
            constant.push_str(brace);
            rest = at + 2;
            continue;
        }
        let close = if brace == "{" { text[at..].find('}').map(|length| at + length) } else { None };
        let Some(close) = close else {
            let (title, label) = if brace == "{" {
                ("a `{` is not closed", "no `}` follows")
            } else {
                ("a `}` closes nothing", "no `{` before it")
            };
            let span = said.place(problems, &(at..at + 1));
            problems.error("bad-template", span, title, label).help =
                Some(format!("a brace that is only a brace is written `{brace}{brace}`"));
            rest = at + 1;
            continue;
        };
        if !constant.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut constant)));
        }
        pieces.push(Piece::Place(at + 1..close));
        rest = close + 1;
    }
    constant.push_str(&text[rest..]);
    if !constant.is_empty() {
        pieces.push(Piece::Text(constant));
    }
    pieces
}

/// Reads a text of one line, where there is no place for lines: `{lines}` says how many they are.
pub(super) fn parse_line(problems: &mut Problems<'_>, said: &Said<'_>, names: Names<'_>) -> Template {
    let Template(segments) = parse(problems, said, names);
    let counted = |segment| match segment {
        Segment::Value(Value::Lines) => Segment::Value(Value::Count),
        other => other,
    };
    Template(segments.into_iter().map(counted).collect())
}

fn name_value(
    problems: &mut Problems<'_>,
    said: &Said<'_>,
    at: Range<usize>,
    Names { captured, built_in }: Names<'_>,
) -> Option<Value> {
    let name = &said.text[at.clone()];
    // What the author has named wins.
    let find =
        |name: &str| built_in.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| value.clone());
    if let Some(value) = captured.of_any(name, find) {
        return Some(value);
    }
    let captures = captured.known()?;
    let known = || captures.iter().map(|capture| &**capture).chain(built_in.iter().map(|(known, ..)| *known));
    let span = said.place(problems, &if at.is_empty() { at.start - 1..at.end + 1 } else { at });
    let title = format!("`{{{}}}` is not known", short(name));
    let problem =
        problems.error("unknown-name", span, title, "no capture and no built-in value has this name");
    let meant = did_you_mean(name, known()).filter(|_| is_identifier(name));
    let note = if meant.is_none() { captured.note(name) } else { String::new() };
    problem.note = Some(format!("the names are {}{note}", listed(known())));
    let braces = || "a brace that is only a brace is written `{{` or `}}`".to_owned();
    problem.help = meant.or_else(|| (!is_identifier(name)).then(braces));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn check(text: &str, expected: Result<&[Segment], (&str, &str)>) {
        let file = format!("'{text}'");
        let mut problems = Problems::new(Path::new("f"), &file);
        let said = Said::new(text, 0..file.len());
        let captured = Captured::plain(&["user", "status"]);
        let template = parse(&mut problems, &said, Names { captured: &captured, built_in: BUILT_IN });
        let list = problems.finish();
        match expected {
            Ok(segments) => {
                assert!(list.is_empty(), "{text}: {list:?}");
                assert_eq!(template.0, segments, "{text}");
            }
            Err((id, place)) => {
                assert_eq!((list[0].id, &file[list[0].span.clone()]), (id, place), "{text}");
            }
        }
    }

    #[test]
    fn places_and_braces_are_read() {
        let text = |text: &str| Segment::Text(text.into());
        check("", Ok(&[]));
        check("a {user} b", Ok(&[text("a "), Segment::Value(Value::Capture(0)), text(" b")]));
        check("{count}{line}", Ok(&[Segment::Value(Value::Count), Segment::Value(Value::Line)]));
        check("{status}", Ok(&[Segment::Value(Value::Capture(1))]));
        check("{{user}} }}{{", Ok(&[text("{user} }{")]));
        check("{{{user}}}", Ok(&[text("{"), Segment::Value(Value::Capture(0)), text("}")]));
    }

    #[test]
    fn a_wrong_place_is_pointed_at() {
        check("a {usr} b", Err(("unknown-name", "usr")));
        check("a {} b", Err(("unknown-name", "{}")));
        check("{ user }", Err(("unknown-name", " user ")));
        check("a { b", Err(("bad-template", "{")));
        check("a } b", Err(("bad-template", "}")));
    }
}
