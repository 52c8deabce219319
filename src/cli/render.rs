//! Diagnostics as a person or a machine wants them.
//!
//! Whatever stands in a configuration may end up on a terminal here: control characters are shown as `�`, and the
//! values of secrets as `***`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::json_line;
use crate::config::keys::sinks::{PEERS, SINK_LATER};
use crate::config::keys::{Key, Kind};
use crate::config::{Diagnostic, Severity};
use crate::settings::{is_path, is_unusual_variable, is_variable};

/// The diagnostics with the lines they speak of, and a sentence of how many there are. Empty if there are none.
///
/// `texts` are the files by the names the diagnostics use; a diagnostic of another file is shown without its lines.
/// The answer ends with a line end.
pub fn text(diagnostics: &[Diagnostic], texts: &BTreeMap<PathBuf, String>, color: bool) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let shown: BTreeMap<&Path, Shown> =
        texts.iter().map(|(path, text)| (path.as_path(), Shown::new(text))).collect();
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in diagnostics {
        out.push_str(&renderer.render(&[group(problem, &shown)]));
        out.push_str("\n\n");
    }
    out.push_str(&summary(diagnostics));
    out.push('\n');
    out
}

/// One JSON object per diagnostic and line: `file`, `line` and `column` (both from 1, the column in characters; 1 and 1
/// for a diagnostic without a place), `id`, `severity`, `message`, and where there are such `label`, `note`, `help`.
pub fn json(diagnostics: &[Diagnostic], texts: &BTreeMap<PathBuf, String>) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        file: Cow<'a, str>,
        line: usize,
        column: usize,
        id: &'a str,
        severity: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    }
    let mut out = String::new();
    for problem in diagnostics {
        let (line, column) = place(problem, texts);
        let line = Line {
            file: problem.file.to_string_lossy(),
            line,
            column,
            id: problem.id,
            severity: problem.severity.as_str(),
            message: &problem.title,
            label: &problem.label,
            note: problem.note.as_deref(),
            help: problem.help.as_deref(),
        };
        out.push_str(&json_line(&line));
    }
    out
}

/// Line and column of a diagnostic, as [`json`] has them.
pub(super) fn place(problem: &Diagnostic, texts: &BTreeMap<PathBuf, String>) -> (usize, usize) {
    let text = texts.get(&problem.file).map_or("", String::as_str);
    let before = text.get(..problem.span.start).unwrap_or("");
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn group<'a>(problem: &'a Diagnostic, shown: &'a BTreeMap<&Path, Shown>) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group =
        level.primary_title(clean(&problem.title)).id(problem.id).elements(Vec::<Origin<'_>>::new());
    let path = clean(&problem.file.to_string_lossy());
    match shown.get(problem.file.as_path()) {
        Some(file) if !(problem.span == (0..0) && problem.label.is_empty()) => {
            let primary = AnnotationKind::Primary.span(file.span(&problem.span)).label(label(&problem.label));
            let mut snippet = Snippet::source(file.text.as_str()).path(path).annotation(primary);
            let second = problem.second.as_ref().filter(|second| second.file == problem.file);
            if let Some(second) = second {
                let context = AnnotationKind::Context.span(file.span(&second.span));
                snippet = snippet.annotation(context.label(label(&second.label)));
            }
            group = group.element(snippet);
        }
        _ => group = group.element(Origin::path(path)),
    }
    if let Some(second) = problem.second.as_ref().filter(|second| second.file != problem.file)
        && let Some(file) = shown.get(second.file.as_path())
    {
        let context = AnnotationKind::Context.span(file.span(&second.span)).label(label(&second.label));
        let path = clean(&second.file.to_string_lossy());
        group = group.element(Snippet::source(file.text.as_str()).path(path).annotation(context));
    }
    if let Some(note) = &problem.note {
        group = group.element(Level::NOTE.message(clean(note)));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    group
}

fn label(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| clean(text))
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let warnings = diagnostics.iter().filter(|problem| problem.severity == Severity::Warning).count();
    let files: BTreeSet<&Path> = diagnostics.iter().map(|problem| problem.file.as_path()).collect();
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let all = count(diagnostics.len(), "problem");
    let files = count(files.len(), "file");
    if warnings == diagnostics.len() {
        format!("warning: {all} in {files}")
    } else if warnings == 0 {
        format!("error: {all} in {files}")
    } else {
        format!("error: {all} ({}) in {files}", count(warnings, "warning"))
    }
}

/// True for characters that move, hide or reorder what a terminal shows.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn clean(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A file as it may be shown, and where its bytes went.
struct Shown {
    text: String,
    /// Replaced bytes and what stands for them, in order.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

impl Shown {
    fn new(text: &str) -> Shown {
        let mut shown = Shown { text: String::with_capacity(text.len()), replaced: Vec::new() };
        let mut at = 0;
        for secret in secrets(text) {
            shown.push(text, at..secret.start);
            let lines = "\n".repeat(text[secret.clone()].matches('\n').count());
            at = secret.end;
            shown.replace(secret, &format!("***{lines}"));
        }
        shown.push(text, at..text.len());
        shown
    }

    fn push(&mut self, text: &str, range: Range<usize>) {
        for (offset, c) in text[range.clone()].char_indices() {
            let at = range.start + offset;
            let line_end = c == '\n' || (c == '\r' && text[at + 1..].starts_with('\n'));
            if is_unsafe(c) && !line_end && c != '\t' {
                self.replace(at..at + c.len_utf8(), "\u{fffd}");
            } else {
                self.text.push(c);
            }
        }
    }

    fn replace(&mut self, range: Range<usize>, with: &str) {
        let start = self.text.len();
        self.text.push_str(with);
        self.replaced.push((range, start..self.text.len()));
    }

    /// Where the bytes of the file are shown. What lies in a secret is the whole of its `***`.
    fn span(&self, span: &Range<usize>) -> Range<usize> {
        let find = |offset: usize, end: bool| {
            let behind = self.replaced.partition_point(|(from, _)| from.start < offset + usize::from(!end));
            let found = match behind.checked_sub(1).map(|at| &self.replaced[at]) {
                Some((from, to)) if offset < from.end => {
                    if end {
                        to.end
                    } else {
                        to.start
                    }
                }
                Some((from, to)) => to.end + (offset - from.end),
                None => offset,
            };
            self.text.floor_char_boundary(found)
        };
        let start = find(span.start, false);
        start..find(span.end, true).max(start)
    }
}

/// The bytes of a text that must not be shown, in order and apart. Finds them by their look, so that a file with
/// syntax errors keeps its secrets too: values of keys that are called like secrets, keys in pasted addresses, and
/// users in addresses.
fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut in_sink = false;
    let mut table = table_at(text, 0);
    // Of lists and tables that began on a line before.
    let mut inside: Option<Listed> = None;
    let ends = |c: char| c.is_whitespace() || "&\"'#".contains(c);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') {
            in_sink = trimmed.trim_start_matches(['[', ' ']).starts_with("sink");
            table = table_at(text, at);
            inside = (in_sink && trimmed.contains("headers")).then_some(Listed::Headers);
        } else if let Some(listed) = inside {
            found.extend(listed.hidden(text, at + line.len() - trimmed.len(), at + line.trim_end().len()));
        }
        if in_sink || line.contains("sink") {
            let listed = Listed::ALL.into_iter().find_map(|listed| Some((listed, listed.value(line)?)));
            if let Some((listed, value)) = listed {
                found.extend(listed.hidden(text, at + value, at + line.trim_end().len()));
                let part = &line[value..];
                let opens = part.contains(['[', '{']) && !part.contains([']', '}'])
                    || part.contains("\"\"\"")
                    || part.contains("'''");
                inside = opens.then_some(listed);
            }
        }
        if trimmed.starts_with([']', '}']) {
            inside = None;
        }
        let starts = line.match_indices(['{', ',', '[']).map(|(comma, _)| comma + 1);
        for start in std::iter::once(0).chain(starts) {
            found.extend(secret_value(text, at + start, in_sink, table));
        }
        if in_sink || line.contains("sink") {
            for (scheme, _) in line.match_indices("://") {
                let host = at + scheme + 3;
                let end = text[host..]
                    .find(|c: char| c == '/' || ends(c))
                    .map_or(text.len(), |length| host + length);
                found.extend(text[host..end].rfind('@').map(|length| host..host + length));
            }
        }
        at += line.len();
    }
    for name in ["integration_key=", "app_key=", "routing_key="] {
        for (name_at, _) in text.match_indices(name).filter(|(at, _)| text[..*at].ends_with(['?', '&'])) {
            let value = name_at + name.len();
            found.push(value..text[value..].find(ends).map_or(text.len(), |length| value + length));
        }
    }
    found.retain(|range| !range.is_empty());
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

/// A key of a sink whose value is a list or a table, in which secrets may stand.
#[derive(Clone, Copy)]
enum Listed {
    /// `headers`: each may be a secret.
    Headers,
    /// `env`: names of variables, and what is none.
    Variables,
}

impl Listed {
    const ALL: [Listed; 2] = [Listed::Headers, Listed::Variables];

    /// Where its value begins on the line, if it is set there.
    fn value(self, line: &str) -> Option<usize> {
        let name = match self {
            Listed::Headers => "headers",
            Listed::Variables => "env",
        };
        line.match_indices(name).find_map(|(at, _)| {
            let before = line[..at].trim_end_matches(['"', '\'']);
            let begins =
                before.ends_with(|c: char| c.is_whitespace() || ",{[.".contains(c)) || before.is_empty();
            let behind = line[at + name.len()..].trim_start_matches(['"', '\'']);
            let equals = line.len() - behind.len() + behind.find('=')?;
            // `headers.name = …` too.
            let key = behind[..behind.find('=')?].trim();
            let value = equals + 1 + (line[equals + 1..].len() - line[equals + 1..].trim_start().len());
            (begins && (key.is_empty() || key.starts_with('.'))).then_some(value)
        })
    }

    /// What is not to be shown of `from..to`, which holds its value or a part of it and is of one line.
    fn hidden(self, text: &str, from: usize, to: usize) -> Vec<Range<usize>> {
        match self {
            Listed::Headers => values(text, from, to),
            Listed::Variables => {
                let names = text[from..to].split(|c: char| c.is_whitespace() || "[],\"'".contains(c));
                let fine = names.filter(|name| !name.is_empty()).all(is_variable);
                if fine { Vec::new() } else { std::iter::once(from..to).collect() }
            }
        }
    }
}

/// The values of `{ name = "value", … }`, and all from where it is not written like that.
fn values(text: &str, from: usize, to: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = from;
    loop {
        at += text[at..to].len() - text[at..to].trim_start_matches(['{', '}', ',', ' ', '\t']).len();
        if at == to {
            return found;
        }
        let value = value_of(text, at).filter(|(key, value)| !key.is_empty() && value.end < to);
        let Some((_, value)) = value.filter(|(_, value)| text[value.end..to].starts_with(['"', '\''])) else {
            found.push(at..to);
            return found;
        };
        at = value.end + 1;
        found.push(value);
        // What follows without a comma is not what it seems.
        let behind = text[at..to].trim_start();
        if !(behind.is_empty() || behind.starts_with([',', '}', '#'])) {
            found.push(at..to);
            return found;
        }
    }
}

/// The table whose first line begins at `at`, up to where another begins.
fn table_at(text: &str, at: usize) -> &str {
    let mut end = at;
    for line in text[at..].split_inclusive('\n') {
        if end > at && line.trim_start().starts_with('[') {
            break;
        }
        end += line.len();
    }
    &text[at..end]
}

/// The value of `key = …` at `at`, if the key is called like a secret in this table.
fn secret_value(text: &str, at: usize, in_sink: bool, table: &str) -> Option<Range<usize>> {
    let (key, value) = value_of(text, at)?;
    // A key may have been pasted where the name of its variable or its file is wanted.
    let pasted = in_sink
        && (key.ends_with("_env")
            && (!is_variable(&text[value.clone()]) || is_unusual_variable(&text[value.clone()]))
            || key.ends_with("_file") && !is_path(&text[value.clone()]));
    (pasted || is_secret_name(key, in_sink, table)).then_some(value)
}

/// The key and the value of `key = …` at `at`.
fn value_of(text: &str, at: usize) -> Option<(&str, Range<usize>)> {
    let blank = |at: usize| at + text[at..].len() - text[at..].trim_start_matches([' ', '\t']).len();
    let from = blank(at);
    let key_end = text[from..]
        .find(|c: char| !(c.is_alphanumeric() || "_-.\"'".contains(c)))
        .map_or(text.len(), |length| from + length);
    let key = text[from..key_end].rsplit('.').next()?.trim_matches(['"', '\'']);
    let equals = blank(key_end);
    if !text[equals..].starts_with('=') {
        return None;
    }
    let value = blank(equals + 1);
    let rest = &text[value..];
    let line_end = rest.find('\n').unwrap_or(rest.len());
    let inner = |quote: &str, limit: usize| {
        let start = quote.len();
        let mut escaped = false;
        let closing = rest[start..limit].char_indices().find(|(offset, c)| {
            let closes = !escaped && rest[start + offset..limit].starts_with(quote);
            escaped = !escaped && *c == '\\' && quote.starts_with('"');
            closes
        });
        value + start..value + closing.map_or(limit, |(offset, _)| start + offset)
    };
    let value = match ["\"\"\"", "'''", "\"", "'"].iter().find(|quote| rest.starts_with(**quote)) {
        Some(quote) if quote.len() == 3 => inner(quote, rest.len()),
        Some(quote) => inner(quote, line_end),
        None => value..value + line_end,
    };
    Some((key, value))
}

fn is_secret_name(name: &str, in_sink: bool, table: &str) -> bool {
    let key = |tables: &[&[Key]]| tables.iter().copied().flatten().find(|key| key.name == name).copied();
    let known: Vec<(&str, Key)> =
        PEERS.iter().filter_map(|(peer, tables)| Some((*peer, key(tables)?))).collect();
    if !known.is_empty() {
        // What is a secret of one peer may be none of another.
        let here =
            |peer: &str| ["\"", "'"].iter().any(|quote| table.contains(&format!("{quote}{peer}{quote}")));
        return known.iter().all(|(_, key)| key.kind == Kind::Secret)
            || known.iter().any(|(peer, key)| key.kind == Kind::Secret && here(peer));
    }
    if name == "app_key" || name == "routing_key" {
        return true;
    }
    // In a sink a misspelt key still holds its secret.
    let words = ["key", "token", "secret", "passw", "credential"];
    let lower = name.to_ascii_lowercase();
    let like = strsim::jaro_winkler(&lower[..lower.floor_char_boundary(60)], "integration_key") >= 0.8;
    in_sink
        && !SINK_LATER.contains(&name)
        && !(lower.ends_with("_env") || lower.ends_with("_file"))
        && (like || words.iter().any(|word| lower.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(span: Range<usize>) -> Diagnostic {
        Diagnostic {
            id: "some-id",
            severity: Severity::Error,
            file: "a.toml".into(),
            span,
            title: "a title".to_owned(),
            label: "a label".to_owned(),
            note: None,
            help: None,
            second: None,
        }
    }

    fn rendered(file: &str, problem: Diagnostic) -> String {
        text(&[problem], &BTreeMap::from([("a.toml".into(), file.to_owned())]), false)
    }

    #[test]
    fn a_secret_is_never_shown() {
        for line in [
            "integration_key = \"S3CRET\"",
            "integration_key='S3CRET' # x",
            "  \"integration_key\" = \"S3C\\\"RET\"",
            "integration_key = '''\nS3CRET\nRET'''",
            "integration_key = S3CRET",
            "integration_key = \"S3CRET",
            "integraton_key = \"S3CRET\"",
            "api_token = \"S3CRET\"",
            "sink = [{ name = 'a', integration_key = 'S3CRET' }]",
            "sink.integration_key = 'S3CRET'",
            "url = \"https://h/x?a=b&integration_key=S3CRET&c=d\"",
            "url = \"https://h/x?app_key=S3CRET\"",
            "url = \"https://me:S3CRET@h/x\"",
            "headers = { Authorization = \"Bearer S3CRET\" }",
            "headers = { X-A = 'b', \"Cookie\" = 'sid=S3CRET; S3CRET' }",
            "headers.Cookie = 'sid=S3CRET'",
            "\"headers\" = { Cookie = 'sid=S3CRET",
            "headers = ['Authorization: Bearer S3CRET']",
            "headers = { X-A = 'b', Authorization: 'Bearer S3CRET' }",
            "headers = { Cookie = 'a=1' S3CRET = 'x' }",
            "headers = { Cookie = 'a, S3CRET=' }",
            "headers = { Cookie = S3CRET }",
            "headers.Cookie = '''\nS3CRET'''",
            "headers = [\n'Authorization: Bearer S3CRET',\n]",
            "headers = {\nX-A = 'b',\nCookie = 'sid=S3CRET',\n}",
            "[sink.headers]\nX-A = 'b'\nCookie = 'sid=S3CRET'",
            "env = ['TOKEN=S3CRET']",
            "env = [\n'TOKEN=S3CRET',\n]",
            "routing_key_env = 'S3CRET0123456789abcdef0123456789'",
            "routing_key_env = 'S3CRET-1'",
            "token_env = 'sk_live_S3CRETabcdefghijkl'",
            "token_env = 'S3CRETabcdefghijkl'",
            "token_file = 'xoxb-12345-S3CRET'",
            "routing_key_file = 'S3CRET0123456789abcdef0123456789'",
            "url_env = \"https://hooks.slack.com/services/S3CRET\"",
            "url_file = \"https://hooks.slack.com/services/S3CRET\"",
        ] {
            let file = format!("[[sink]]\nname = 'a'\n{line}\nother = 1\n");
            for at in 0..file.len() {
                let shown = rendered(&file, one(at..(at + 3).min(file.len())));
                assert!(!["S3", "CRET", "RET'''"].iter().any(|part| shown.contains(part)), "{line}\n{shown}");
            }
        }
    }

    #[test]
    fn an_address_is_a_secret_where_it_opens_a_group() {
        let sink =
            |kind: &str| format!("[[sink]]\nurl = \"https://h/S3CRET\"\ntype = {kind}\n[[sink]]\nx = 1\n");
        for (kind, hidden) in [
            ("'slack'", true),
            ("\"feishu\"", true),
            ("'dingtalk'", true),
            ("'wecom'", true),
            ("'flashduty'", false),
        ] {
            let file = sink(kind);
            let at = file.find("url").unwrap();
            assert_eq!(!rendered(&file, one(at..at + 3)).contains("S3CRET"), hidden, "{kind}");
        }
        let inline = "sink = [\n{ name = 'a', url = 'https://h/S3CRET', type = 'slack' }\n]\n";
        assert!(!rendered(inline, one(12..15)).contains("S3CRET"));
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for line in [
            "match = 'https?://VISIBLE@ api_key=VISIBLE [z'",
            "integration_key_env = 'VISIBLE'",
            "match = 'password=VISIBLE'",
            "max_keys = 'VISIBLE'",
            "[[sink]]\nheaders = { VISIBLE = 'x' }",
            "[[sink]]\nheaders = { X-A = 'x, y', \"VISIBLE\" = 'y' }",
            "[[sink]]\nenv = ['VISIBLE']\nroutng_key_env = 'VISIBLE'\nroutng_key_file = 'keys/VISIBLE'",
        ] {
            let shown = rendered(line, one(0..line.len()));
            assert!(shown.contains("VISIBLE"), "{shown}");
        }
    }

    #[test]
    fn carets_behind_a_secret_stand_right() {
        let file = "sink = [{ integration_key = 'S3CRET', nme = 'é' }]";
        let at = file.find("nme").unwrap();
        let shown = rendered(file, one(at..at + 3));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[3].find("nme"), lines[4].find("^^^"), "{shown}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let file = "x = '\u{1b}[31m\u{9b}1m\u{202e}' \u{7}bad";
        let mut problem = one(file.len() - 3..file.len());
        problem.title = "\u{1b}]0;x\u{7}".to_owned();
        problem.file = "a.toml".into();
        problem.help = Some("\r\u{85}".to_owned());
        let shown = rendered(file, problem);
        assert!(shown.chars().all(|c| c == '\n' || !is_unsafe(c)), "{shown:?}");
    }

    #[test]
    fn the_last_line_counts() {
        let warning = Diagnostic { severity: Severity::Warning, ..one(0..1) };
        let elsewhere = Diagnostic { file: "b.toml".into(), ..one(0..1) };
        for (problems, expected) in [
            (vec![one(0..1)], "error: 1 problem in 1 file"),
            (vec![one(0..1), elsewhere.clone()], "error: 2 problems in 2 files"),
            (vec![warning.clone(), warning.clone()], "warning: 2 problems in 1 file"),
            (vec![elsewhere, warning], "error: 2 problems (1 warning) in 2 files"),
        ] {
            assert_eq!(summary(&problems), expected);
        }
        assert_eq!(text(&[], &BTreeMap::new(), true), "");
    }

    #[test]
    fn a_machine_gets_one_object_per_problem() {
        let texts = BTreeMap::from([("a.toml".into(), "é\néé x\n".to_owned())]);
        let problem = Diagnostic { help: Some("do".to_owned()), ..one(8..9) };
        let expected = "{\"file\":\"a.toml\",\"line\":2,\"column\":4,\"id\":\"some-id\",\"severity\":\"error\",\
                        \"message\":\"a title\",\"label\":\"a label\",\"help\":\"do\"}\n";
        assert_eq!(json(&[problem], &texts), expected);
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(
            file in "(\\PC|[\n\r\t'\"=]|integration_key=|\u{1b}){0,20}", start in 0..60_usize, length in 0..30_usize,
        ) {
            let shown = rendered(&file, one(start..start + length));
            prop_assert!(shown.ends_with("error: 1 problem in 1 file\n"));
        }
    }
}
