//! Lines of an attacker: they change nothing but counters and what their own rule says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::sandbox::Sandbox;

/// Three rules over one log. `app` is the one whose lines an attacker can write.
const RULES: &str = r#"
[[rule]]
name = "logins"
source = "s"
match = 'sshd: Failed \S+ for (?<user>\S+) from (?<ip>\S+)$'
by = ["ip"]
within = "10m"
warning = ">= 3"
summary = "{count} failed logins of {user} from {ip}"

[[rule]]
name = "disk"
source = "s"
match = '^\S+ kernel: disk (?<id>\S+) bad'
resolve = '^\S+ kernel: disk (?<id>\S+) good'
by = ["id"]
severity = "critical"
summary = "disk {id}"

[[rule]]
name = "app"
source = "s"
match = 'app: (?<id>\S+) bad(?<rest>.*)'
resolve = 'app: (?<id>\S+) good'
by = ["id"]
max_keys = 100
summary = "{id} is bad: {rest}"
"#;

/// What happens whatever the attacker does.
const STORY: [&str; 6] = [
    "2026-01-05T10:00:00Z kernel: disk sda bad",
    "2026-01-05T10:00:01Z sshd: Failed password for root from 192.0.2.7",
    "2026-01-05T10:00:02Z sshd: Failed password for root from 192.0.2.7",
    "2026-01-05T10:00:04Z sshd: Failed password for root from 192.0.2.7",
    "2026-01-05T10:00:05Z kernel: disk sdb bad",
    "2026-01-05T10:30:00Z kernel: disk sda good",
];

/// What is told of each rule, if these lines of an attacker stand in the middle of the story. What is told by its place
/// in the file is left out: places are others, as there are more lines.
fn told(lines: &[u8]) -> BTreeMap<String, Vec<Value>> {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", RULES);
    let head = STORY[..3].join("\n") + "\n";
    let log = [head.as_bytes(), lines, STORY[3..].join("\n").as_bytes(), b"\n"].concat();
    sandbox.write("s.log", log);
    let finished = sandbox.run(&["replay", "--rules", "r.toml", "--tz", "UTC", "--json", "s.log"]).expect(0);
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mut line in finished.json() {
        let rule = line["rule"].as_str().expect("a name").to_owned();
        line.as_object_mut().expect("an object").remove("episode");
        told.entry(rule).or_default().push(line);
    }
    told
}

/// With these lines the other rules say what they say without, and `app` says so many things.
#[track_caller]
fn check(lines: &[u8], of_app: std::ops::RangeInclusive<usize>) -> BTreeMap<String, Vec<Value>> {
    let (without, with) = (told(b""), told(lines));
    assert_eq!((without["logins"].len(), without["disk"].len()), (2, 4), "{without:#?}");
    for rule in ["logins", "disk"] {
        assert_eq!(with[rule], without[rule]);
    }
    let said = with.get("app").map_or(0, Vec::len);
    assert!(of_app.contains(&said), "{said} transitions of `app`");
    with
}

#[test]
fn a_line_of_ten_megabytes_is_cut_and_forgotten() {
    let filler = "x".repeat(10 << 20);
    check(format!("2026-01-05T10:00:03Z {filler} kernel: disk sda good\n").as_bytes(), 0..=0);
    // Of a match within its head no more is kept than texts may hold.
    let with = check(format!("2026-01-05T10:00:03Z app: a bad {filler}\n").as_bytes(), 2..=2);
    assert!(with["app"][0]["summary"].as_str().expect("a text").len() < 4096);
}

#[test]
fn control_characters_are_data() {
    let hostile = b"2026-01-05T10:00:03Z app: \x1b[2J\x00\xff\xc3\x80\x07 bad \x1b]0;owned\x07\r\x08\n";
    let with = check(hostile, 2..=2);
    // JSON has no control characters in it, and no byte that is no text.
    let line = with["app"][0].to_string();
    assert!(line.bytes().all(|byte| byte >= b' ') && line.contains(r"\u001b[2J"), "{line}");
}

#[test]
fn ten_thousand_keys_in_a_second_are_bounded_and_told_together() {
    let lines: String =
        (0..10_000).map(|n| format!("2026-01-05T10:00:03.{n:04}Z app: key{n} bad\n")).collect();
    // 30 raises within five minutes are told one by one, and 100 keys are kept.
    let with = check(lines.as_bytes(), 1..=200);
    for own in ["tripline_key_overflow", "tripline_storm"] {
        let first = &with.get(own).unwrap_or_else(|| panic!("no {own}: {:?}", with.keys()))[0];
        assert_eq!((&first["labels"]["rule_name"], &first["previous"]), (&"app".into(), &"ok".into()));
    }
}

#[test]
fn templates_in_a_log_are_text() {
    let with = check(b"2026-01-05T10:00:03Z app: {count}{{ bad {summary} {ip} %{ip} {{{\n", 2..=2);
    let first = &with["app"][0];
    assert_eq!(first["summary"], "{count}{{ is bad:  {summary} {ip} %{ip} {{{");
    assert_eq!(first["labels"]["id"], "{count}{{");
}

#[test]
fn a_forged_recovery_line_ends_nothing_of_another_rule() {
    let forged = [
        // The right words in the wrong place, and the right value for another rule.
        "2026-01-05T10:00:03Z app: sda good",
        "2026-01-05T10:00:03Z app: x bad kernel: disk sda good",
        "app: kernel: disk sdb good",
        "2026-01-05T10:00:03Z sshd: Failed password for disk sda good from 192.0.2.9 ",
        "2026-01-05T10:00:03Z app: disk:sda bad\r2026-01-05T10:00:03Z kernel: disk sda good",
        "2026-01-05T10:00:03Z app: y bad\\n2026-01-05T10:00:03Z kernel: disk sda good",
    ];
    check((forged.join("\n") + "\n").as_bytes(), 2..=8);
}
