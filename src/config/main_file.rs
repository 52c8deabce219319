//! `tripline.toml` → [`Settings`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use toml::de::DeTable;

use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::{
    ADMIN, ADMIN_LATER, FLASHDUTY, HEARTBEAT, Key, MAIN, MAIN_LATER, SINK, SINK_LATER, SINK_TYPES,
    SINK_TYPES_LATER, SOURCE, SOURCE_LATER,
};
use super::macros::Macros;
use super::pattern::{self, Budget};
use super::walk::{Fields, Said, check, parse, require};
use super::{Diagnostic, Draft, Second, Severity, Text, when, zone};
use crate::model::{Format, SinkName, SourceName};
use crate::rule::Redaction;
use crate::settings::{Admin, Flashduty, Heartbeat, OnStop, Peer, SecretFrom, Settings, Sink, Source, Start};

/// Where Flashduty takes alerts unless a sink says otherwise.
const FLASHDUTY_URL: &str = "https://api.flashcat.cloud";

/// The query parameter of a pasted push URL that holds the key.
const KEY_PARAMETER: &str = "integration_key";

pub(super) fn read(text: &Text, local: &TimeZone) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    let mut problems = Problems::new(&text.path, &text.text);
    let document = parse(&mut problems);
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
    let mut sinks = Vec::new();
    for (header, table) in fields.tables("sink") {
        sinks.extend(read_sink(&mut problems, &header, table, base));
        unique(&mut problems, &mut names, "sink", table);
    }
    if fields.value("sink").is_none() {
        let name = SinkName::new("stdout");
        sinks.push(Sink { name, peer: Peer::Stdout, probe_every: Duration::from_secs(60), when: None });
        names.insert("stdout".to_owned(), 0..0);
    }
    let known_sinks: Vec<&str> = names.keys().map(String::as_str).collect();
    let heartbeat = read_heartbeat(&mut problems, fields, &known_sinks);
    let admin = read_admin(&mut problems, fields);
    if sources.is_empty() && fields.value("source").is_none() && !document.is_empty() {
        problems.warning("no-source", 0..0, "no `[[source]]` is configured", "").help =
            Some("add one with `name` and `files`, or name files on the command line".to_owned());
    }
    for key in ["state_dir", "scope"] {
        not_blank(&mut problems, fields, key);
    }

    let globs = match fields.value("rules") {
        Some(_) => fields.texts("rules").iter().map(|glob| base.join(glob.text)).collect(),
        None => vec![base.join("rules/*.toml")],
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
        threads: fields.count("threads").map(|threads| threads.min(MOST_THREADS)),
    };
    let diagnostics = problems.finish();
    if diagnostics.iter().all(|problem| problem.severity == Severity::Warning) {
        return (Ok(settings), diagnostics);
    }
    // A source without a name may be the one that a rule means.
    let named = settings.sources.len() == fields.tables("source").len();
    let Settings { rules, sources, labels, .. } = settings;
    (Err(Draft { rules, sources: named.then_some(sources), labels }), diagnostics)
}

/// More threads than any machine's disks can feed.
const MOST_THREADS: usize = 256;

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
fn not_blank(problems: &mut Problems<'_>, fields: Fields<'_, '_>, key: &str) {
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
    require(problems, table, header, "files", "a source");
    let fields = Fields { table, defaults: None };
    let files: Vec<PathBuf> = fields.texts("files").iter().map(|glob| base.join(glob.text)).collect();
    if let Some(value) =
        fields.value("files").filter(|value| value.get_ref().as_array().is_some_and(|a| a.is_empty()))
    {
        problems.error("empty-list", value.span(), "`files` is empty", "a source without files has no line");
    }
    Some(Source {
        name: SourceName::new(fields.text("name")?.text),
        files,
        exclude: fields.texts("exclude").iter().map(|glob| glob.text.to_owned()).collect(),
        start: match fields.text("start") {
            Some(word) if word.text == "beginning" => Start::Beginning,
            _ => Start::End,
        },
        tz: fields.text("tz").map_or_else(|| local.clone(), |tz| zone::read(problems, &tz, local)),
        max_age: fields.duration("max_age").unwrap_or(Duration::from_secs(15 * 60)),
        flush: fields.duration("flush").unwrap_or(Duration::from_secs(5)),
        max_line: fields.size("max_line").unwrap_or(64 * 1024),
        repeats: fields.switch("repeats").unwrap_or(false),
        format: match fields.text("format").map(|word| word.text) {
            Some("json") => Format::Json,
            Some("logfmt") => Format::Logfmt,
            _ => Format::Plain,
        },
        labels: labels(fields),
        redact: redact(problems, fields, false),
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
        let title = format!("there is no sink named `{}`", short(sink.text));
        let problem = problems.error("unknown-sink", sink.span, title, "unknown sink");
        problem.help = did_you_mean(sink.text, sinks.iter().copied());
        problem.note = Some(format!("the sinks are {}", listed(sinks.iter().copied())));
    }
    let every = fields.duration("every").unwrap_or(Duration::from_secs(60));
    Some(Heartbeat { sink: SinkName::new(sink.text), every })
}

fn read_admin(problems: &mut Problems<'_>, fields: Fields<'_, '_>) -> Admin {
    let default = Admin { listen: Some(SocketAddr::from(([127, 0, 0, 1], 7437))) };
    let Some(table) = fields.value("admin").and_then(|value| value.get_ref().as_table()) else {
        return default;
    };
    check(problems, table, "[admin]", &[ADMIN], ADMIN_LATER);
    let Some(listen) = (Fields { table, defaults: None }).text("listen") else { return default };
    if matches!(listen.text, "" | "off") {
        return Admin { listen: None };
    }
    match listen.text.parse::<SocketAddr>() {
        Ok(address) => Admin { listen: Some(address) },
        Err(_) => {
            let title = format!("`{}` is not an address with a port", short(listen.text));
            problems.error("bad-address", listen.span, title, "takes an IP address and a port").help =
                Some("write `\"127.0.0.1:7437\"`, `\"[::1]:7437\"`, or `\"off\"`".to_owned());
            default
        }
    }
}

fn read_sink(
    problems: &mut Problems<'_>,
    header: &Range<usize>,
    table: &DeTable<'_>,
    base: &Path,
) -> Option<Sink> {
    let fields = Fields { table, defaults: None };
    let kind = fields.text("type");
    let (what, keys): (&str, &[&[Key]]) = match kind.as_ref().map(|kind| kind.text) {
        Some("stdout") => ("a stdout sink", &[SINK]),
        Some("flashduty") => ("a flashduty sink", &[SINK, FLASHDUTY]),
        // The keys of a peer that is not there yet cannot be judged.
        Some(later) if SINK_TYPES_LATER.contains(&later) => ("", &[]),
        _ => ("a sink", &[SINK, FLASHDUTY]),
    };
    if !keys.is_empty() {
        check(problems, table, what, keys, SINK_LATER);
    }
    require(problems, table, header, "name", "a sink");
    require(problems, table, header, "type", "a sink");
    let kind = kind?;
    let peer = match kind.text {
        "stdout" => Peer::Stdout,
        "flashduty" => Peer::Flashduty(read_flashduty(problems, header, fields, base)?),
        later if SINK_TYPES_LATER.contains(&later) => {
            let title = format!("sinks of type `{later}` are not supported by this version");
            problems.error("not-yet", kind.span, title, "not supported yet").note =
                Some(format!("the types are {}", listed(SINK_TYPES.iter().copied())));
            return None;
        }
        other => {
            let title = format!("there is no sink type `{}`", short(other));
            let problem = problems.error("unknown-type", kind.span, title, "unknown type");
            problem.help = did_you_mean(other, SINK_TYPES.iter().copied());
            problem.note = Some(format!("the types are {}", listed(SINK_TYPES.iter().copied())));
            return None;
        }
    };
    let probe_every = fields.duration("probe_every").unwrap_or(Duration::from_secs(60));
    let when = fields.text("when").and_then(|said| when::read(problems, &said));
    Some(Sink { name: SinkName::new(fields.text("name")?.text), peer, probe_every, when })
}

fn read_flashduty(
    problems: &mut Problems<'_>,
    header: &Range<usize>,
    fields: Fields<'_, '_>,
    base: &Path,
) -> Option<Flashduty> {
    let plaintext = fields.switch("allow_plaintext").unwrap_or(false);
    let url = fields.text("url");
    let pasted = url.as_ref().map(|url| read_url(problems, url, plaintext));
    let (url_text, url_key) = match pasted {
        Some(pasted) => pasted?,
        None => (FLASHDUTY_URL.to_owned(), None),
    };
    for key in ["title_rule", "ca_file", "integration_key_env", "integration_key_file", "integration_key"] {
        not_blank(problems, fields, key);
    }
    let mut keys: Vec<(Range<usize>, SecretFrom)> = Vec::new();
    if let (Some((at, key)), Some(url)) = (url_key, &url) {
        keys.push((url.place(problems, &at), SecretFrom::Inline(key)));
    }
    let place = |key: &str| fields.key_span(key, header);
    if let Some(name) = fields.text("integration_key_env") {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.text.is_empty()
            || name.text.starts_with(|c: char| c.is_ascii_digit())
            || !name.text.chars().all(sound)
        {
            // Not shown: it may be the key itself.
            let title = "`integration_key_env` is not the name of a variable";
            problems.error("bad-name", name.span.clone(), title, "not a name").help = Some(
                "write the name of the environment variable that holds the key, such as `FLASHDUTY_KEY`"
                    .to_owned(),
            );
        }
        keys.push((place("integration_key_env"), SecretFrom::Env(name.text.to_owned())));
    }
    if let Some(file) = fields.text("integration_key_file") {
        // What begins with a variable is expanded by the daemon and is no relative path.
        let path = if file.text.starts_with('$') { PathBuf::from(file.text) } else { base.join(file.text) };
        keys.push((place("integration_key_file"), SecretFrom::File(path)));
    }
    if let Some(key) = fields.text("integration_key") {
        keys.push((place("integration_key"), SecretFrom::Inline(SecretString::from(key.text))));
    }
    keys.sort_by_key(|(span, _)| span.start);
    for (span, _) in keys.iter().filter(|(_, key)| matches!(key, SecretFrom::Inline(_))) {
        let title = "the integration key stands in the configuration";
        problems
            .warning("inline-secret", span.clone(), title, "whoever reads this file can send alerts")
            .help = Some("use `integration_key_env` or `integration_key_file`".to_owned());
    }
    match keys.as_slice() {
        [] => {
            if !["integration_key_env", "integration_key_file", "integration_key"]
                .iter()
                .any(|key| fields.value(key).is_some())
            {
                let title = "a flashduty sink needs its integration key";
                problems.error("missing-key", header.clone(), title, "the key is missing").help = Some(
                    "add `integration_key_env = \"FLASHDUTY_KEY\"`, or `integration_key_file`".to_owned(),
                );
            }
            return None;
        }
        [_] => {}
        [first, second, ..] => {
            let (first, second) = (first.0.clone(), second.0.clone());
            let file = problems.file.to_path_buf();
            let title = "a flashduty sink has more than one integration key";
            problems.error("several-keys", second, title, "given again").second =
                Some(Second { file, span: first, label: "first given here".to_owned() });
        }
    }
    let (_, key) = keys.into_iter().next()?;
    Some(Flashduty {
        url: url_text,
        key,
        title_rule: fields.text("title_rule").map(|title| title.text.to_owned()),
        ca_file: fields.text("ca_file").map(|file| base.join(file.text)),
        allow_plaintext: plaintext,
    })
}

/// The address without its key, and the key with its place in the string.
type TakenApart = (String, Option<(Range<usize>, SecretString)>);

/// Takes the key out of an address. `None`: it is no address, which has been said without showing it.
fn read_url(problems: &mut Problems<'_>, said: &Said<'_>, plaintext: bool) -> Option<TakenApart> {
    let mut wrong = |at: Range<usize>, label: &str| {
        let span = said.place(problems, &at);
        problems.error("bad-url", span, "`url` is not a valid address", label).help =
            Some(format!("write it like `\"{FLASHDUTY_URL}\"`, or paste the whole push URL"));
        None
    };
    let text = said.text;
    let Some(scheme) = text.find("://") else {
        return wrong(0..text.len(), "expected `https://`");
    };
    if let Some(at) = text.find(|c: char| c.is_whitespace() || c.is_control() || "\"<>\\^`{|}#".contains(c)) {
        let end = at + text[at..].chars().next().map_or(1, char::len_utf8);
        return wrong(at..end, "this cannot stand in an address");
    }
    let host_at = scheme + 3;
    let host_end = text[host_at..].find(['/', '?']).map_or(text.len(), |length| host_at + length);
    let authority = &text[host_at..host_end];
    if authority.contains('@') {
        return wrong(host_at..host_end, "a user or password cannot stand in the address");
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            if port.parse::<u16>().is_err() {
                return wrong(host_end - port.len()..host_end, "expected a port, 0 to 65535");
            }
            host
        }
        _ => authority,
    };
    if host.is_empty() {
        return wrong(host_at..host_end, "a host is missing");
    }
    match &text[..scheme] {
        "https" => {}
        "http" if plaintext || is_loopback(host) => {}
        "http" => {
            let span = said.place(problems, &(0..host_at));
            let title = "alerts and the integration key would be sent unencrypted";
            problems.error("plaintext-url", span, title, "not encrypted").help =
                Some("write `https://`, or add `allow_plaintext = true`".to_owned());
            return None;
        }
        _ => return wrong(0..scheme, "expected `https`"),
    }
    let Some(query_at) = text.find('?') else { return Some((text.to_owned(), None)) };
    let mut kept: Vec<&str> = Vec::new();
    let mut key = None;
    let mut at = query_at + 1;
    for parameter in text[at..].split('&') {
        match parameter.split_once('=') {
            Some((KEY_PARAMETER, value)) if !value.is_empty() && key.is_none() => {
                key = Some((at..at + KEY_PARAMETER.len(), SecretString::from(value)));
            }
            Some((KEY_PARAMETER, _)) => {
                return wrong(at..at + KEY_PARAMETER.len(), "expected one key with a value");
            }
            _ => kept.push(parameter),
        }
        at += parameter.len() + 1;
    }
    let query = kept.join("&");
    let address = &text[..query_at];
    Some((if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") }, key))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
