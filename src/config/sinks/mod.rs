//! `[[sink]]` → [`Sink`]s. One file per peer for what is special about it; addresses and secrets are read alike for
//! all.

mod address;
mod alertmanager;
pub(super) mod among;
mod chat;
mod exec;
mod file;
mod flashduty;
mod pagerduty;
mod secret;
mod status_page;
mod webhook;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::Diagnostic;
use super::csv::Files;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::keys::Key;
use super::keys::sinks::{HTTP, PEERS, SINK_LATER};
use super::walk::{Fields, check, require};
use super::when;
use crate::model::SinkName;
use crate::settings::{ChatService, Http, Peer, Proxy, SecretFrom, Sink};

/// The types of sinks there are.
pub(super) fn types() -> impl Iterator<Item = &'static str> + Clone {
    PEERS.iter().map(|(name, _)| *name)
}

/// A sink of that type, in words.
fn sink_of(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind} sink")
}

/// Reads one `[[sink]]`; none if it can not be believed. `bodies` are the texts of files that it may name; problems of
/// these go to `others`.
pub(super) fn read(
    problems: &mut Problems<'_>,
    others: &mut Vec<Diagnostic>,
    header: &Range<usize>,
    table: &DeTable<'_>,
    base: &Path,
    bodies: &Files,
) -> Vec<Sink> {
    let fields = Fields { table, defaults: None };
    let kind = fields.text("type");
    let known = kind.as_ref().and_then(|kind| PEERS.iter().find(|(name, _)| *name == kind.text));
    match known {
        Some((name, keys)) => check(problems, table, &sink_of(name), keys, SINK_LATER),
        None => {
            let all: Vec<&[Key]> = PEERS.iter().flat_map(|(_, keys)| *keys).copied().collect();
            check(problems, table, "a sink", &all, SINK_LATER);
        }
    }
    require(problems, table, header, "name", "a sink");
    require(problems, table, header, "type", "a sink");
    let when = fields.text("when").and_then(|said| when::read(problems, &said));
    let Some(kind) = kind else { return Vec::new() };
    let Some((what, keys)) = known else {
        let title = format!("there is no sink type `{}`", short(kind.text));
        let problem = problems.error("unknown-type", kind.span, title, "unknown type");
        problem.help = did_you_mean(kind.text, types());
        problem.note = Some(format!("the types are {}", listed(types())));
        return Vec::new();
    };
    let mut reading = Reading { problems, others, header, fields, base, bodies, what, secrets: Vec::new() };
    let http = if keys.contains(&HTTP) { reading.http() } else { Http::default() };
    let peers = match *what {
        "flashduty" => flashduty::read(&mut reading),
        "alertmanager" => alertmanager::read(&mut reading),
        "pagerduty" => pagerduty::read(&mut reading),
        "slack" => chat::read(&mut reading, ChatService::Slack),
        "feishu" => chat::read(&mut reading, ChatService::Feishu),
        "dingtalk" => chat::read(&mut reading, ChatService::DingTalk),
        "wecom" => chat::read(&mut reading, ChatService::WeCom),
        "webhook" => webhook::read(&mut reading).into_iter().map(|peer| (String::new(), peer)).collect(),
        "file" => file::read(&mut reading).into_iter().map(|peer| (String::new(), peer)).collect(),
        "exec" => exec::read(&mut reading).into_iter().map(|peer| (String::new(), peer)).collect(),
        "flashduty-status-page" => status_page::read(&mut reading),
        _ => vec![(String::new(), Peer::Stdout)],
    };
    let secrets = reading.secrets;
    let probe_every = fields.duration("probe_every").unwrap_or(Duration::from_secs(60));
    let fallback = fields.text("fallback").map(|said| SinkName::new(said.text));
    let Some(name) = fields.text("name") else { return Vec::new() };
    let of = SinkName::new(name.text);
    let sink = |(suffix, peer): (String, Peer)| Sink {
        fallback: fallback.clone().filter(|_| peer.takes_alerts()),
        name: SinkName::new(format!("{of}{suffix}")),
        of: of.clone(),
        peer,
        secrets: secrets.clone(),
        http: http.clone(),
        probe_every,
        when: when.clone(),
    };
    peers.into_iter().map(sink).collect()
}

/// Says which fallbacks are none: unknown, themselves, or such that nobody would ever be told.
pub(super) fn check_fallbacks(problems: &mut Problems<'_>, fields: Fields<'_, '_>, sinks: &[Sink]) {
    let takes_alerts =
        |name: &str| sinks.iter().any(|sink| sink.of.as_str() == name && sink.peer.takes_alerts());
    let tables: Vec<_> =
        fields.tables("sink").into_iter().map(|(_, table)| Fields { table, defaults: None }).collect();
    let known =
        |name: &str| tables.iter().any(|sink| sink.text("name").is_some_and(|said| said.text == name));
    for sink in &tables {
        let (Some(name), Some(fallback)) = (sink.text("name"), sink.text("fallback")) else { continue };
        let title = match fallback.text {
            other if other == name.text => format!("sink `{}` can not stand in for itself", short(other)),
            // Of one that is not believed nobody knows what it takes.
            other if known(other) && sinks.iter().all(|sink| sink.of.as_str() != other) => continue,
            other if sinks.iter().any(|sink| sink.of.as_str() == other && sink.peer.is_chosen()) => {
                format!("`{}` is read by everybody, and is told only of what names it", short(other))
            }
            other if !takes_alerts(other) => {
                format!("there is no sink named `{}` that takes alerts", short(other))
            }
            other if sinks.iter().any(|sink| sink.of.as_str() == other && sink.fallback.is_some()) => {
                format!("`{}` is told nothing by itself, so it has no use for a fallback", short(other))
            }
            _ => continue,
        };
        let names = sinks.iter().filter(|sink| sink.peer.takes_beats() && sink.of.as_str() != fallback.text);
        let names: Vec<&str> = names.map(|sink| sink.of.as_str()).collect();
        let problem = problems.error("bad-fallback", fallback.span, title, "not a fallback");
        problem.help = did_you_mean(fallback.text, names.iter().copied());
    }
}

/// One `[[sink]]` while it is read.
struct Reading<'r, 'p, 't, 'i> {
    problems: &'r mut Problems<'p>,
    /// Of other files.
    others: &'r mut Vec<Diagnostic>,
    header: &'r Range<usize>,
    fields: Fields<'t, 'i>,
    base: &'r Path,
    bodies: &'r Files,
    /// The type.
    what: &'static str,
    /// What was found so far.
    secrets: Vec<(&'static str, SecretFrom)>,
}

impl Reading<'_, '_, '_, '_> {
    /// A path; what begins with a variable is expanded by the daemon and is no relative path.
    fn path(&self, key: &str) -> Option<PathBuf> {
        let file = self.fields.text(key)?;
        Some(if file.text.starts_with('$') { PathBuf::from(file.text) } else { self.base.join(file.text) })
    }

    fn not_blank(&mut self, keys: &[&str]) {
        for key in keys {
            super::main_file::not_blank(self.problems, self.fields, key);
        }
    }

    /// What [`HTTP`] says.
    fn http(&mut self) -> Http {
        self.not_blank(&["ca_file", "client_cert_file", "client_key_file"]);
        let usual = Http::default();
        let fields = self.fields;
        let client_cert = match (self.path("client_cert_file"), self.path("client_key_file")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (cert, _) => {
                let (has, lacks) = match cert {
                    Some(_) => ("client_cert_file", "client_key_file"),
                    None => ("client_key_file", "client_cert_file"),
                };
                let span = fields.key_span(has, self.header);
                let title = format!("`{has}` needs `{lacks}`");
                self.problems.error("missing-key", span, title, format!("`{lacks}` is missing"));
                None
            }
        };
        let ca_file = self.path("ca_file");
        let ca_only = fields.switch("ca_only").unwrap_or(false);
        if ca_only && ca_file.is_none() {
            let span = fields.key_span("ca_only", self.header);
            let title = "`ca_only` needs `ca_file`";
            self.problems.error("missing-key", span, title, "no authority would be left");
        }
        let proxied = self.secret(secret::PROXY, None, false);
        let from_env = fields.switch("proxy_from_env").unwrap_or(false);
        if proxied && from_env {
            let span = fields.key_span("proxy_from_env", self.header);
            let title = "a sink has `proxy_url` and `proxy_from_env`";
            self.problems.error("conflict", span, title, "leave one of them out");
        }
        Http {
            ca_file,
            ca_only,
            client_cert,
            proxy: match (proxied, from_env) {
                (true, _) => Proxy::Url,
                (false, true) => Proxy::FromEnv,
                (false, false) => Proxy::None,
            },
            allow_plaintext: fields.switch("allow_plaintext").unwrap_or(false),
            allow_link_local: fields.switch("allow_link_local").unwrap_or(false),
            connect_timeout: fields.duration("connect_timeout").unwrap_or(usual.connect_timeout),
            timeout: fields.duration("timeout").unwrap_or(match self.what {
                // Whoever takes webhooks often works before it answers.
                "webhook" => Duration::from_secs(30),
                _ => usual.timeout,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::{Text, settings};
    use super::*;

    fn text(lines: &str) -> Text {
        let path = "/etc/tripline/tripline.toml".into();
        Text { path, text: format!("[[sink]]\nname='a'\n{lines}\n") }
    }

    /// The sink with these lines, which are right.
    pub(super) fn sink(lines: &str) -> Sink {
        let (found, problems) = settings(&text(lines), &TimeZone::UTC);
        assert!(problems.iter().all(|problem| problem.id == "no-source"), "{lines}: {problems:#?}");
        found.expect("nothing is wrong").sinks.remove(0)
    }

    /// Its peer.
    pub(super) fn peer(lines: &str) -> Peer {
        sink(lines).peer
    }

    /// The ids of all that is said of a sink with these lines, each with the text under its caret.
    pub(super) fn check(lines: &str, expected: &[(&str, &str)]) {
        let text = text(lines);
        let problems = settings(&text, &TimeZone::UTC).1;
        let told = problems.iter().map(|problem| (problem.id, &text.text[problem.span.clone()]));
        let told: Vec<_> = told.filter(|(id, _)| *id != "no-source").collect();
        assert_eq!(told, expected, "{lines}: {problems:#?}");
    }
}
