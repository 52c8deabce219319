//! Whole files through the door: one case per kind of problem, the rendered text, and what loads.

mod languages;
mod main_file;
mod mistakes;
mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::cli::render;

fn file(path: &str, text: &str) -> Text {
    Text { path: path.into(), text: text.to_owned() }
}

fn rules(text: &str) -> (Option<Ruleset>, Vec<Diagnostic>) {
    ruleset(&[file("rules/a.toml", text)], None, &[], &TimeZone::UTC)
}

fn main_file(text: &str) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    settings(&file("/etc/tripline/tripline.toml", text), &TimeZone::UTC)
}

/// Ids of problems with the text their carets stand under.
fn told<'t>(text: &'t str, problems: &'t [Diagnostic]) -> Vec<(&'static str, &'t str)> {
    problems.iter().map(|problem| (problem.id, &text[problem.span.clone()])).collect()
}

/// One rule with these lines in it, and what is said of it.
fn check_rule(lines: &str, expected: &[(&str, &str)]) {
    let text = format!("[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
    let (found, problems) = rules(&text);
    assert_eq!(told(&text, &problems), expected, "{lines}\n{problems:#?}");
    assert_eq!(found.is_some(), problems.iter().all(|p| p.severity == Severity::Warning), "{lines}");
}

fn check_rules(text: &str, expected: &[(&str, &str)]) {
    let (_, problems) = rules(text);
    assert_eq!(told(text, &problems), expected, "{text}\n{problems:#?}");
}

fn check_main(text: &str, expected: &[(&str, &str)]) {
    let (found, problems) = main_file(text);
    let heard: Vec<_> = told(text, &problems).into_iter().filter(|(id, _)| *id != "no-source").collect();
    assert_eq!(heard, expected, "{text}\n{problems:#?}");
    assert_eq!(found.is_ok(), problems.iter().all(|p| p.severity == Severity::Warning), "{text}");
}

fn good(text: &str) -> Ruleset {
    let (found, problems) = rules(text);
    assert!(problems.is_empty(), "{problems:#?}");
    found.unwrap()
}

/// Ten mistakes of ten kinds.
const TEN: &str = r##"[defaults]
resolve_after = "30 m"

[[rule]]
name   = "ssh"
source = "auth"
mach   = 'x'
match  = "sshd\\[\\d+\\]: \"Failed\" [z-a]"

[[rule]]
name     = "ssh"
source   = "auth"
match    = 'from %{ipp:src_ip}'
repeats  = true

[[rule]]
name     = "disk"
source   = "kernel"
match    = 'dev (?<dev>\w+)(?! ok)'
severity = "critcal"

[[rule]]
name     = "login"
source   = "auth"
match    = 'login of %{user:user}'
by       = ["user"]
warning  = "== 5"
within   = "5m"
summary  = "{count} logins of {usr}"
"##;

#[test]
fn ten_mistakes_are_shown_in_the_order_of_the_file() {
    let (found, problems) = rules(TEN);
    assert!(found.is_none());
    let texts = BTreeMap::from([("rules/a.toml".into(), TEN.to_owned())]);
    let shown = render::text(&problems, &texts, false);
    assert_eq!(shown, include_str!("ten_mistakes.txt"), "{shown}");
}

#[test]
fn one_syntax_error_does_not_hide_the_others() {
    let text = "[[rule]]\nname = = 'r'\nsource = 's'\nmatch = \"\\d\"\nseverty = 'info'\n[[rule]\n";
    let (_, problems) = rules(text);
    let ids: Vec<&str> = problems.iter().map(|problem| problem.id).collect();
    assert!(ids.iter().filter(|id| **id == "syntax").count() >= 3, "{problems:#?}");
    assert!(ids.contains(&"unknown-key"), "{problems:#?}");
    assert!(!ids.contains(&"missing-key"), "{problems:#?}");
}

/// The examples of the rule language that this version has.
const EXAMPLES: &str = r##"
[defaults]
labels        = { team = "infra" }
resolve_after = "30m"

[patterns]
blkdev = 'sd[a-z]+|nvme\d+n\d+'

[[rule]]
name     = "ssh_bruteforce"
source   = "auth"
match    = 'sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?P<user>\S*) from %{ip:src_ip} port \d+'
ignore   = 'from 10\.0\.'
by       = ["src_ip"]
within   = "10m"
warning  = ">= 5"
critical = ">= 50"
summary  = "{count} failed ssh logins from {src_ip} in {within} (last user {user})"

[[rule]]
name     = "oom_kill"
source   = "kernel"
match    = 'Out of memory: Killed process (?P<pid>\d+) \((?P<process>[^)]+)\).*?anon-rss:(?P<rss_kb>\d+)kB'
by       = ["process"]
severity = "critical"
resolve_after = "1h"
summary  = "OOM killer ended {process} (pid {pid}, rss {rss_kb} kB)"

[[rule]]
name     = "disk_io"
source   = "kernel"
match    = ['I/O error, dev %{blkdev:dev}, sector', 'EXT4-fs error \(device %{blkdev:dev}\d*\)']
resolve  = '\[%{blkdev:dev}\] (?:Attached SCSI disk|link is back)'
by       = ["dev"]
severity = "critical"
summary  = "disk {dev}: {line}"

[[rule]]
name     = "deploy_stuck"
source   = "deploy"
match    = 'deploy (?P<app>\S+) (?P<version>\S+) started'
resolve  = 'deploy (?P<app>\S+) (?P<version>\S+) (?:finished|failed)'
by       = ["app", "version"]
for      = "30m"
summary  = "deploy of {app} {version} has been running for {for}"
"##;

#[test]
fn the_examples_of_the_rule_language_load_and_match() {
    let found = good(EXAMPLES);
    for (name, line, captured) in [
        (
            "ssh_bruteforce",
            "sshd[7]: Failed password for invalid user bob from 192.0.2.7 port 22 ssh2",
            "src_ip=192.0.2.7",
        ),
        (
            "ssh_bruteforce",
            "sshd[7]: Failed password for bob from 2001:db8::7 port 22 ssh2",
            "src_ip=2001:db8::7",
        ),
        ("oom_kill", "Out of memory: Killed process 5 (java) total-vm:1kB, anon-rss:77kB", "process=java"),
        ("disk_io", "EXT4-fs error (device sda1): x", "dev=sda"),
        ("deploy_stuck", "deploy shop v1 started", "version=v1"),
    ] {
        let rule = found.rule(found.find(name).unwrap());
        let (key, value) = captured.split_once('=').unwrap();
        let values = rule.patterns.iter().find_map(|pattern| {
            let mut captures = pattern.regex.create_captures();
            pattern.regex.captures(line.as_bytes(), &mut captures);
            let slot = rule.captures.iter().position(|capture| **capture == *key)?;
            let (group, _) = pattern.slots.iter().find(|(_, to)| *to == slot)?;
            Some(line.as_bytes()[captures.get_group(*group)?.range()].to_vec())
        });
        assert_eq!(values.as_deref(), Some(value.as_bytes()), "{name}: {line}");
    }
    let stuck = found.rule(found.find("deploy_stuck").unwrap());
    assert!(stuck.latches() && stuck.hold == Duration::from_secs(1800) && stuck.resolve_after.is_none());
    let ssh = found.rule(found.find("ssh_bruteforce").unwrap());
    assert_eq!((ssh.most_needed(), ssh.within, ssh.by.len()), (50, Duration::from_secs(600), 1));
}

#[test]
fn the_first_rule_of_the_book_loads() {
    let found = good(
        r##"[[rule]]
name     = "ssh_bruteforce"
source   = "auth"
match    = 'sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>\S*) from %{ip:src_ip} port \d+'
ignore   = 'from 10\.0\.'
by       = ["src_ip"]
within   = "10m"
warning  = ">= 5"
critical = ">= 50"
summary  = "{count} failed logins from {src_ip} in {within}"
"##,
    );
    let names: Vec<&str> = found.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ssh_bruteforce",
            "tripline_dead_letter",
            "tripline_state_lost",
            "tripline_store_failed",
            "tripline_sink_suspended",
            "tripline_sink_failing",
            "tripline_storm",
            "tripline_source_blind",
            "tripline_lagging",
            "tripline_lost_bytes",
            "tripline_key_overflow"
        ]
    );
}

/// All the little languages inside of a rule.
const LANGUAGES: &str = r##"
[defaults]
active = ["Mon-Fri 08:00-18:00 Europe/Berlin", "2026-12-24T18:00 - 2026-12-27"]
mute   = "22:00-06:00 UTC"
[patterns]
code = '[A-Z]{2}\d+'
[lookup.hosts]
'10.0.0.1' = "gateway"

[[rule]]
name     = "a"
source   = ["s", "t"]
match    = '(?<path>\S+) (?<status>\d+) %{num:took}ms %{code}'
match_all = ['from (?<ip>\S+)', 'port']
set      = { path = 'lower(mask(first(path, 20)))', new = 'replace(path, "x+", "y")', host = 'lookup(hosts, path, "?")' }
where    = 'status >= 500 and (path =~ "^/pay" or not status in [503, 504]) and file != "x"'
by       = ["path"]
measure  = "ratio(status >= 500 or took > 1500)"
within   = "1h30m"
warning  = ">= 2%"
critical = "> 0.5"
clear    = "< 1%"
for      = "1m"
max_raises = "30/5m"
flap     = { changes = 6, within = "1h" }
labels   = { host = "{host}{{" }
images   = ["https://x/{path}", { src = "https://y/", alt = "z" }]
links    = ["https://x/{path}", { href = "http://y:8/?{path}#x", text = "z {lines}" }]
lines_kept = { first = 3, last = 0 }

[[rule]]
name     = "b"
source   = "s"
match    = '(?<job>\S+) done'
by       = ["job"]
expect   = { job = ["x", "y"] }
deadline = "Mon-Fri 02:30 Europe/Berlin"
unless   = "a"
after    = ["a"]
after_within = "5m"
"##;

#[test]
fn all_languages_are_spoken_by_the_text_that_is_damaged() {
    let (found, problems) = rules(LANGUAGES);
    let ids: Vec<&str> = problems.iter().map(|problem| problem.id).collect();
    assert!(found.is_some(), "{problems:#?}");
    assert!(ids.iter().all(|id| *id == "nothing-shared"), "{ids:?}");
}

/// Everything that can be done with a text.
fn read_all(text: &str) {
    let as_main = file("tripline.toml", text);
    let (_, main) = settings(&as_main, &TimeZone::UTC);
    let (_, rules) = ruleset(&[as_main], Some(&[]), &[], &TimeZone::UTC);
    let texts = BTreeMap::from([("tripline.toml".into(), text.to_owned())]);
    for problems in [main, rules] {
        for problem in &problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            let second = problem.second.as_ref();
            assert!(second.is_none_or(|second| text.get(second.span.clone()).is_some()), "{problem:?}");
        }
        render::text(&problems, &texts, true);
        render::json(&problems, &texts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(200)))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damaged_file_makes_it_panic(
        which in 0..3_usize, at in any::<prop::sample::Index>(), gone in 0..20_usize, put in "[\"'\\\\\\[\\]{}=%é\n\r x(?<:]{0,6}",
    ) {
        let mut text = [TEN, EXAMPLES, LANGUAGES][which].to_owned();
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.ceil_char_boundary((start + gone).min(text.len()));
        text.replace_range(start..end, &put);
        read_all(&text);
    }

    #[test]
    fn no_pattern_and_no_text_makes_it_panic(
        pattern in "([(\\[{?<!=:>)\\]}%*+|\\\\a-z0-9é]|%\\{ip(:a)?\\}|\\(\\?<a>){0,16}", text in "[{}a-z é]{0,10}",
    ) {
        let quoted = toml::Value::String(pattern).to_string();
        read_all(&format!("[[rule]]\nname='r'\nsource='s'\nmatch={quoted}\nsummary='{text}'\nwithin='{text}'\nwarning='{text}'\n"));
    }
}
