//! A real log written line by line at the moments of its stamps, and the machine that follows it: whatever sinks are
//! told, `replay` of the finished log says too.

#![expect(clippy::disallowed_methods, reason = "the log and the rules are files")]

use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::daemon::core::{Core, Now, Setup};
use tripline::model::Timestamp;
use tripline::sink::attempt::Outcome;
use tripline::sink::stdout;
use tripline::store::Store;
use tripline::store::crash::CrashDisk;
use tripline::tail::fake::FakeDisk;

use crate::support::sandbox::{Sandbox, sample};

const SETTINGS: &str = "[admin]\nlisten = \"off\"\n[[source]]\nname = \"auth\"\nfiles = [\"/log/auth.log\"]\n\
                        start = \"beginning\"\ntz = \"UTC\"\n[[sink]]\nname = \"out\"\ntype = \"stdout\"\n";

/// Nothing happens later than so long after the last line, in microseconds.
const REST: i64 = 3 * 3_600_000_000;

/// What can be said of such a log besides the pack: every way in which time alone changes something.
const MORE: &str = r#"
[defaults]
source = "auth"

[[rule]]
name   = "users"
match  = 'Failed password for (?:invalid user )?(?<user>\S*) from %{ip:src_ip}'
by     = ["src_ip"]
within = "5m"
measure  = "distinct(user)"
info     = ">= 2"
warning  = ">= 5"
critical = ">= 9"
resolve_after = "3m"

[[rule]]
name   = "load"
match  = 'sshd'
within = "2m"
measure = "rate"
info    = "> 0.1"
warning = "> 0.5"
for     = "40s"
resolve_after = "1m"

[[rule]]
name    = "silence"
match   = 'sshd'
measure = "absent"
warning = "> 4m"

[[rule]]
name     = "session"
match    = 'Invalid user (?<user>\S+) from %{ip:src_ip}'
resolve  = 'Received disconnect from %{ip:src_ip}'
by       = ["src_ip"]
expire_after = "1h"

[[rule]]
name    = "spike"
match   = 'Failed password'
within  = "10m"
measure = "spike"
info    = ">= 4"
resolve_after = "5m"
"#;

/// What the sink is told while each line is written at the moment of its stamp, in 2015, and for a while after.
fn live(lines: &[&str], rules: &str, scope: &str) -> Vec<String> {
    let stamp = |line: &str| {
        let at = DateTime::strptime("%Y %b %e %H:%M:%S", format!("2015 {}", &line[..15])).expect("a stamp");
        at.to_zoned(TimeZone::UTC).expect("a moment").timestamp().as_microsecond()
    };
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/log")).expect("an empty disk");
    let text = |path: &str, text: &str| Text { path: path.into(), text: text.to_owned() };
    let (settings, problems) = config::settings(&text("/tripline.toml", SETTINGS), &TimeZone::UTC);
    let settings = settings.unwrap_or_else(|_| panic!("{problems:?}"));
    let ruleset =
        config::ruleset(&[text("/rules.toml", rules)], Some(&settings.sources), &[], &TimeZone::UTC).0;
    let opened = Store::with_backend(CrashDisk::new(1)).expect("a sound disk");
    let setup = Setup {
        disk: disk.clone(),
        store: opened.store,
        saved: opened.saved,
        settings,
        ruleset: ruleset.expect("sound rules"),
        scope: scope.to_owned(),
        every: false,
        cores: 1,
        seed: 1,
        set_aside: None,
    };
    let start = stamp(lines[0]) - 1_000_000;
    let now = |time: i64| Now { time: Timestamp(time), skew_us: 0, wall: Timestamp(time) };
    let mut core = Core::new(setup, now(start));
    let (mut told, mut wake) = (Vec::new(), start);
    let mut run_until = |until: i64| {
        while wake <= until {
            disk.set_time(Timestamp(wake));
            let step = core.step(now(wake));
            for attempt in &step.attempts {
                told.extend(
                    attempt.deliveries.iter().map(|row| (row.seq, stdout::content_json(&row.content))),
                );
                let accepted = |_| Outcome::Accepted { note: String::new() };
                let outcomes = attempt.deliveries.iter().map(accepted).collect();
                core.outcomes(&attempt.sink, attempt.id, outcomes, now(wake));
            }
            wake = if step.attempts.is_empty() { step.wake.0.max(wake + 1) } else { wake + 1 };
        }
        wake = wake.min(until + 1);
    };
    for line in lines {
        let at = stamp(line);
        run_until(at - 1);
        disk.set_time(Timestamp(at));
        disk.append(Path::new("/log/auth.log"), line.as_bytes()).expect("it is a file");
    }
    let last = stamp(lines[lines.len() - 1]);
    run_until(last + REST);
    // What is due at the same time may leave in any order, but for one key.
    told.sort();
    told.into_iter().map(|(_, line)| line).collect()
}

/// The same of a log as it is, replayed by the program. `shown`: what of each transition has to be the same.
fn check(log: &Path, rules: &str, shown: impl Fn(&str) -> String) {
    let text = std::fs::read_to_string(log).expect("a readable log");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", rules);
    let log = log.to_str().expect("a plain path");
    let finished =
        sandbox.run(&["replay", "--rules", "rules.toml", "--year", "2015", "--tz", "UTC", "--json", log]);
    let finished = finished.expect(0);
    let scope = finished.json()[0]["labels"]["instance"].as_str().expect("a scope").to_owned();
    let live = live(&lines, rules, &scope);
    assert!(live.len() > 20, "{live:#?}");
    for (number, (live, replayed)) in live.iter().zip(&finished.stdout).enumerate() {
        assert_eq!(shown(live), shown(replayed), "number {number}");
    }
    assert_eq!(live.len(), finished.stdout.len());
}

#[test]
fn a_replay_says_what_was_told_while_the_log_was_written() {
    let Some(log) = sample("OpenSSH_2k.log") else { return };
    let packed = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/sshd.toml");
    let pack = std::fs::read_to_string(packed).expect("the pack");
    // Every byte of it.
    check(&log, &pack, str::to_owned);
}

#[test]
fn what_time_alone_changes_changes_at_the_same_moment_in_a_replay() {
    let Some(log) = sample("OpenSSH_2k.log") else { return };
    // When a timer is due at the moment of a stamp, lines of the same second may be written before or after it rings:
    // live nobody can know, and a replay takes them for earlier. So what is counted may differ by those.
    check(&log, MORE, |line| {
        let json: serde_json::Value = serde_json::from_str(line).expect("an object");
        let fields = ["time", "alert_key", "status", "previous", "reason", "since", "episode", "step"];
        fields.map(|field| json[field].to_string()).join(" ")
    });
}
