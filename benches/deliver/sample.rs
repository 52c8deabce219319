//! What an alert and a change of a busy machine say, and settings of sinks to say it to.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::model::{AlertKey, FileId, KeyHash, Labels, Position, RuleName, Status, Timestamp, Transition};
use tripline::settings::Settings;

/// A configuration with these sinks and one source.
pub(crate) fn settings(sinks: &str) -> Settings {
    let text = format!("[admin]\nlisten = 'off'\n[[source]]\nname = 'app'\nfiles = ['/nowhere']\n{sinks}");
    let (settings, problems) =
        config::settings(&Text { path: PathBuf::from("/bench/tripline.toml"), text }, &TimeZone::UTC);
    settings.unwrap_or_else(|_| panic!("{problems:#?}"))
}

/// A warning of the key of this number: three labels, five lines.
pub(crate) fn transition(key: u64) -> Transition {
    let time = Timestamp(1_700_000_000_000_000);
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&key.to_be_bytes());
    let labels = [("instance", "web-1"), ("team", "infra"), ("src_ip", "203.0.113.9")];
    let line =
        "2026-01-05T10:01:20Z web-1 sshd[812]: Failed password for root from 203.0.113.9 port 40004 ssh2";
    let (rule, at) = (RuleName::new("ssh_bruteforce"), Position { file: FileId(1), offset: key });
    let key = AlertKey { rule, hash: KeyHash(hash) };
    Transition {
        value: Some(5.0),
        count: 5,
        total: 5,
        labels: labels.into_iter().map(|(name, value)| (name.into(), value.to_owned())).collect(),
        details: Labels::from([("user".into(), "root".to_owned())]),
        summary: "5 failed logins from 203.0.113.9 in 10m".to_owned(),
        description: [line; 5].join("\n"),
        runbook: Some("https://wiki.example.com/ssh".to_owned()),
        lines: vec![line.to_owned(); 5],
        ..Transition::bare(key, Status::Warning, at, time)
    }
}
