//! The built program from outside: arguments, files, signals and a scripted peer go in; lines, requests and exit
//! codes come out.

#![expect(clippy::disallowed_methods, reason = "files and times of the world around the program")]

/// Questions to the running program.
mod admin;
/// A real Alertmanager as the peer.
mod alertmanager;
/// What can not work: a sentence, exit 2, and nothing is done.
mod bad_input;
mod changes;
mod chats;
/// `check`: every problem of a configuration at once.
mod check;
/// Help, colour, pipes that close, the demo.
mod cli;
mod containers;
/// A peer that fails in every way.
mod delivery;
/// All of them at once, with kills.
mod every_sink;
/// Rotation, truncation and sudden death: every line counts once.
mod exactly_once;
/// What the rules make of one line.
mod explain;
mod fields;
mod files;
/// Lines of an attacker: their own rule, and nothing else.
mod hostile;
/// Start, stop, restart and reload.
mod life;
/// What stands in files: ends of lines, bytes, lengths, names.
mod lines;
/// Logs that the real `logrotate` rotates.
mod logrotate;
/// Texts that would be markup, on the status page.
mod markup;
/// Names of files that were chosen to do harm, and what is no file at all.
mod names;
mod outbox;
/// The status page in a real browser.
mod page;
mod pagerduty;
/// What others on this machine, and on the way, get to see.
mod private;
/// A thousand rules, put in force while lines come.
mod reload;
/// Finished logs on their own time, and the same logs under `run`.
mod replay;
/// `test`: rules and what they are held against.
mod rule_tests;
/// Rule files that are not there: a lost mount ends no alert.
mod rules_lost;
/// Names and labels of metrics.
mod series;
/// The first minutes: `init`, `packs`, completions and manual pages.
mod setup;
/// Who asks slowly, or without end.
mod slow;
/// What the public is told, over lost answers and sudden death.
mod status_page;
mod streams;
mod tellers;
/// How the kernel tells of files, and what happens when it does not.
mod wake;

use std::process::{Command, Stdio};

/// Rules over a source `app`: a disk that is bad until it is good.
const DISK: &str = r#"
[[rule]]
name = "disk"
source = "app"
match = 'disk (?<dev>\S+) bad'
resolve = 'disk (?<dev>\S+) good'
by = ["dev"]
severity = "critical"
summary = "disk {dev}"
"#;

/// A rule over a source `app`: a load with two levels, by host.
const LOAD: &str = r#"
[[rule]]
name          = "load"
source        = "app"
match         = 'load (?<host>\S+) (?<load>\d+)'
resolve       = 'calm (?<host>\S+)'
by            = ["host"]
measure       = "last(load)"
warning       = ">= 50"
critical      = ">= 90"
resolve_after = "1s"
max_raises    = "never"
summary       = "the load of {host}"
"#;

/// A configuration with state, an admin page, `app.log` as source `app`, and a Flashduty at that address.
fn config(url: &str) -> String {
    format!(
        r#"
state_dir = "state"
stop_budget = "5s"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["app.log"]
[[sink]]
name = "oncall"
type = "flashduty"
url = "{url}"
integration_key_file = "key"
probe_every = "1s"
"#
    )
}

/// The same with alerts on stdout.
const TO_STDOUT: &str = r#"
state_dir = "state"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["app.log"]
"#;

/// True if a program is there; a sentence on stderr if not, which CI does not put up with.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must not look like one that passed")]
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_ok() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "`{program}` is missing: `.ci/run` installs it");
    eprintln!(
        "NOT CHECKED: there is no `{program}`, so this test has looked at nothing; install the Debian package"
    );
    false
}

/// A sandbox with a configuration, these rules and an empty `app.log`.
fn sandbox(config: &str, rules: &str) -> crate::support::sandbox::Sandbox {
    let sandbox = crate::support::sandbox::Sandbox::new();
    sandbox.write("tripline.toml", config);
    sandbox.write("rules/r.toml", rules);
    sandbox.write("key", "k3y\n");
    sandbox.write("app.log", "");
    sandbox
}
