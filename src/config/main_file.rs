//! `tripline.toml` → [`Settings`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::de::DeTable;

use super::csv::Files;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::main_file::{ADMIN, HEARTBEAT, MAIN, MAIN_LATER, SOURCE, SOURCE_LATER};
use super::macros::Macros;
use super::pattern::{self, Budget};
use super::stream;
use super::units::parse_start;
use super::walk::{Fields, check, parse, require};
use super::{Diagnostic, Draft, Second, Severity, Text, multiline, zone};
use crate::model::{Encoding, Envelope, Format, SinkName, SourceName};
use crate::rule::Redaction;
use crate::settings::{Admin, Heartbeat, OnStop, OwnAlerts, Peer, Settings, Sink, Source, Start, literal};

/// The files that sinks take their bodies from.
pub(super) fn body_files(text: &Text) -> Vec<PathBuf> {
    if !text.text.contains("body_file") {
        return Vec::new();
    }
    let document = parse(&mut Problems::new(&text.path, &text.text));
    let base = text.path.parent().unwrap_or(Path::new(""));
    let sinks = Fields { table: &document, defaults: None }.tables("sink");
    let named = sinks.iter().filter_map(|(_, table)| Fields { table, defaults: None }.text("body_file"));
    named.map(|said| base.join(said.text)).collect()
}

pub(super) fn place_in_sink(text: &Text, sink: &SinkName, keys: &[&str]) -> Range<usize> {
    let document = parse(&mut Problems::new(&text.path, &text.text));
    let sinks = Fields { table: &document, defaults: None }.tables("sink");
    let mut places = sinks.into_iter().filter_map(|(header, table)| {
        let fields = Fields { table, defaults: None };
        let named = fields.text("name").is_some_and(|said| said.text == sink.as_str());
        let key = keys.iter().find(|key| fields.value(key).is_some());
        named.then(|| key.map_or_else(|| header.clone(), |key| fields.key_span(key, &header)))
    });
    places.next().unwrap_or(0..0)
}

pub(super) fn read(
    text: &Text,
    local: &TimeZone,
    bodies: &Files,
) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    let mut problems = Problems::new(&text.path, &text.text);
    let document = parse(&mut problems);
    // Of what a syntax error left nobody knows what else would be there.
    let is_whole = problems.errors() == 0;
    check(&mut problems, &document, "tripline.toml", &[MAIN], MAIN_LATER);
    let fields = Fields { table: &document, defaults: None };
    let base = text.path.parent().unwrap_or(Path::new(""));

    let mut names = BTreeMap::new();
    let mut sources = Vec::new();
    for (header, table) in fields.tables("source") {
        sources.extend(read_source(&mut problems, &header, table, local, base));
        unique(&mut problems, &mut names, "source", table);
    }
    let mut names = BTreeMap::new();
    let (mut sinks, mut others) = (Vec::new(), Vec::new());
    let (mut right, mut wrong_sinks) = (Vec::new(), Some(Vec::new()));
    for (header, table) in fields.tables("sink") {
        let before = (problems.errors(), others.len());
        let read = super::sinks::read(&mut problems, &mut others, &header, table, base, bodies);
        unique(&mut problems, &mut names, "sink", table);
        if is_whole && (problems.errors(), others.len()) == before {
            right.extend(read.iter().cloned());
        } else if let Some(said) = (Fields { table, defaults: None }).text("name") {
            wrong_sinks.iter_mut().for_each(|wrong| wrong.push(SinkName::new(said.text)));
        } else {
            wrong_sinks = None;
        }
        sinks.extend(read);
    }
    if fields.value("sink").is_none() {
        sinks.push(Sink::new(SinkName::new("stdout"), Peer::Stdout));
        names.insert("stdout".to_owned(), 0..0);
    }
    super::sinks::check_fallbacks(&mut problems, fields, &sinks);
    // Some have no use for a sign of life; of a sink that is not believed nobody knows.
    let takes_none = |name: &str| {
        let mut mine = sinks.iter().filter(|sink| sink.of.as_str() == name).peekable();
        mine.peek().is_some() && mine.all(|sink| !sink.peer.takes_beats())
    };
    let known_sinks: Vec<&str> = names.keys().map(String::as_str).filter(|name| !takes_none(name)).collect();
    let heartbeat = read_heartbeat(&mut problems, fields, &known_sinks);
    let admin = read_admin(&mut problems, fields, base);
    if sources.is_empty() && fields.value("source").is_none() && !document.is_empty() {
        problems.warning("no-source", 0..0, "no `[[source]]` is configured", "").help =
            Some("add one with `name` and `files`, or name files on the command line".to_owned());
    }
    for key in ["state_dir", "scope"] {
        not_blank(&mut problems, fields, key);
    }

    let globs = match fields.value("rules") {
        Some(_) => fields.texts("rules").iter().map(|glob| literal(base).join(glob.text)).collect(),
        None => vec![literal(base).join("rules/*.toml")],
    };
    let settings = Settings {
        rules: globs,
        state_dir: Some(base.join(fields.text("state_dir").map_or("/var/lib/tripline", |dir| dir.text))),
        scope: fields.text("scope").map(|scope| scope.text.to_owned()),
        labels: labels(fields),
        redact: redact(&mut problems, fields, fields.switch("redact_defaults").unwrap_or(true)),
        sources,
        sinks,
        admin,
        heartbeat,
        on_stop: fields.text("on_stop").and_then(|word| match word.text {
            "keep" => Some(OnStop::Keep),
            "resolve" => Some(OnStop::Resolve),
            _ => None,
        }),
        stop_budget: fields.duration("stop_budget").unwrap_or(Duration::from_secs(25)),
        threads: fields.count("threads"),
    };
    let mut diagnostics = problems.finish();
    diagnostics.append(&mut others);
    if diagnostics.iter().all(|problem| problem.severity == Severity::Warning) {
        return (Ok(settings), diagnostics);
    }
    // A source without a name may be the one that a rule means.
    let knows_sources = settings.sources.len() == fields.tables("source").len();
    let wrong_sinks = wrong_sinks.filter(|_| is_whole);
    (Err(Draft { settings: Settings { sinks: right, ..settings }, knows_sources, wrong_sinks }), diagnostics)
}

fn redact(problems: &mut Problems<'_>, fields: Fields<'_, '_>, defaults: bool) -> Redaction {
    let (macros, mut budget) = (Macros::default(), Budget::new());
    let mut own = Vec::new();
    for said in fields.texts("redact") {
        let compiled = pattern::compile(problems, "redact", &said, &macros, "redact", &mut budget);
        own.extend(compiled.map(|compiled| compiled.regex));
    }
    Redaction { defaults, own }
}

fn labels(fields: Fields<'_, '_>) -> Vec<(Arc<str>, String)> {
    fields.pairs("labels").into_iter().map(|(name, value)| (name.into(), value.text.to_owned())).collect()
}

/// Says that a string is empty or holds control characters.
pub(super) fn not_blank(problems: &mut Problems<'_>, fields: Fields<'_, '_>, key: &str) {
    if let Some(value) = fields.text(key) {
        if value.text.trim().is_empty() {
            problems.error("empty", value.span, format!("`{key}` is empty"), "leave it out instead");
        } else if value.text.chars().any(char::is_control) {
            problems.error(
                "bad-text",
                value.span,
                format!("`{key}` holds a control character"),
                "not allowed here",
            );
        }
    }
}

fn unique(
    problems: &mut Problems<'_>,
    names: &mut BTreeMap<String, Range<usize>>,
    what: &str,
    table: &DeTable<'_>,
) {
    let Some(name) = (Fields { table, defaults: None }).text("name") else { return };
    if let Some(first) = names.get(name.text) {
        let file = problems.file.to_path_buf();
        let second = Second { file, span: first.clone(), label: "first used here".to_owned() };
        let title = format!("there are two {what}s named `{}`", short(name.text));
        problems.error("duplicate-name", name.span, title, "used again").second = Some(second);
    } else {
        names.insert(name.text.to_owned(), name.span);
    }
}

fn read_source(
    problems: &mut Problems<'_>,
    header: &Range<usize>,
    table: &DeTable<'_>,
    local: &TimeZone,
    base: &Path,
) -> Option<Source> {
    check(problems, table, "a source", &[SOURCE], SOURCE_LATER);
    require(problems, table, header, "name", "a source");
    let fields = Fields { table, defaults: None };
    let stream = stream::read(problems, fields, header, base);
    let max_line = fields.size("max_line").unwrap_or(64 * 1024);
    let multiline = multiline::read(problems, fields, max_line);
    if multiline.is_some() {
        let has = |key: &str| fields.value(key).map(|value| value.span());
        if let Some(span) = has("repeats").filter(|_| fields.switch("repeats") == Some(true)) {
            let title = "`repeats` and `multiline` exclude each other";
            problems.error("conflict", span, title, "lines of syslog are records by themselves");
        }
        if let Some(span) = has("flush") {
            let title = "`flush` has no effect with `multiline`";
            problems.error("no-effect", span, title, "a record waits for its own").help =
                Some("write it as `multiline = { …, flush = \"2s\" }`".to_owned());
        }
    }
    let files: Vec<PathBuf> =
        fields.texts("files").iter().map(|glob| literal(base).join(glob.text)).collect();
    if let Some(value) =
        fields.value("files").filter(|value| value.get_ref().as_array().is_some_and(|a| a.is_empty()))
    {
        problems.error("empty-list", value.span(), "`files` is empty", "a source without files has no line");
    }
    let own = OwnAlerts::default();
    let tz = fields.text("tz").map_or_else(|| local.clone(), |tz| zone::read(problems, &tz, local));
    let redact = redact(problems, fields, false);
    // All that can be said of a source without a name has been said.
    Some(Source {
        name: SourceName::new(fields.text("name")?.text),
        exclude: fields.texts("exclude").iter().map(|glob| glob.text.to_owned()).collect(),
        stream,
        follow_symlinks: fields.switch("follow_symlinks").unwrap_or(false),
        start: fields.text("start").and_then(|said| parse_start(said.text).ok()).unwrap_or(Start::End),
        tz,
        max_age: fields.duration("max_age").unwrap_or(Duration::from_secs(15 * 60)),
        flush: match &multiline {
            Some(multiline) => multiline.flush,
            None => fields.duration("flush").unwrap_or(Duration::from_secs(5)),
        },
        multiline,
        max_line,
        encoding: match fields.text("encoding").map(|word| word.text) {
            Some("utf-8") => Some(Encoding::Utf8),
            Some("utf-16le") => Some(Encoding::Utf16Le),
            Some("utf-16be") => Some(Encoding::Utf16Be),
            _ => None,
        },
        envelope: match fields.text("envelope").map(|word| word.text) {
            Some("none") => None,
            Some("cri") => Some(Envelope::Cri),
            Some("docker") => Some(Envelope::Docker),
            Some(_) => Some(Envelope::Auto),
            None => files.iter().find_map(|glob| Envelope::usual_for(glob)),
        },
        files,
        repeats: fields.switch("repeats").unwrap_or(false),
        format: match fields.text("format").map(|word| word.text) {
            Some("json") => Format::Json,
            Some("logfmt") => Format::Logfmt,
            _ => Format::Plain,
        },
        labels: labels(fields),
        redact,
        own: OwnAlerts {
            blind_after: fields.duration_or_never("blind_after").unwrap_or(own.blind_after),
            lagging_after: fields.duration_or_never("lagging_after").unwrap_or(own.lagging_after),
            lost_bytes: fields.switch("tell_lost").unwrap_or(own.lost_bytes),
        },
    })
}

fn read_heartbeat(problems: &mut Problems<'_>, fields: Fields<'_, '_>, sinks: &[&str]) -> Option<Heartbeat> {
    let value = fields.value("heartbeat")?;
    let table = value.get_ref().as_table()?;
    check(problems, table, "[heartbeat]", &[HEARTBEAT], &[]);
    require(problems, table, &value.span(), "sink", "[heartbeat]");
    let fields = Fields { table, defaults: None };
    let sink = fields.text("sink")?;
    if !sinks.contains(&sink.text) {
        let title = format!("there is no sink named `{}` that takes signs of life", short(sink.text));
        let problem = problems.error("unknown-sink", sink.span, title, "unknown sink");
        problem.help = did_you_mean(sink.text, sinks.iter().copied());
        problem.note = Some(format!("the sinks are {}", listed(sinks.iter().copied())));
    }
    let every = fields.duration("every").unwrap_or(Duration::from_secs(60));
    Some(Heartbeat { sink: SinkName::new(sink.text), every })
}

fn read_admin(problems: &mut Problems<'_>, fields: Fields<'_, '_>, base: &Path) -> Admin {
    let mut admin = Admin { listen: Some(SocketAddr::from(([127, 0, 0, 1], 7437))), ..Admin::default() };
    let Some(table) = fields.value("admin").and_then(|value| value.get_ref().as_table()) else {
        return admin;
    };
    check(problems, table, "[admin]", &[ADMIN], &[]);
    let fields = Fields { table, defaults: None };
    not_blank(problems, fields, "token_file");
    // A variable such as `$CREDENTIALS_DIRECTORY` stands for an absolute path.
    let place = |said: &str| if said.starts_with('$') { PathBuf::from(said) } else { base.join(said) };
    admin.token_file = fields.text("token_file").map(|said| place(said.text));
    for host in fields.texts("hosts") {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        if host.text.is_empty() || !host.text.bytes().all(is_part) {
            let title = format!("`{}` is not a host name", short(host.text));
            problems.error(
                "bad-address",
                host.span,
                title,
                "takes a name without a port, as `web-1.example.com`",
            );
        } else {
            admin.hosts.push(host.text.to_ascii_lowercase());
        }
    }
    let Some(listen) = fields.text("listen") else { return admin };
    match listen.text.parse::<SocketAddr>() {
        _ if matches!(listen.text, "" | "off") => admin.listen = None,
        Ok(address) => admin.listen = Some(address),
        Err(_) => {
            let title = format!("`{}` is not an address with a port", short(listen.text));
            problems.error("bad-address", listen.span, title, "takes an IP address and a port").help =
                Some("write `\"127.0.0.1:7437\"`, `\"[::1]:7437\"`, or `\"off\"`".to_owned());
        }
    }
    admin
}
