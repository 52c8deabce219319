//! The command line talks to the running program: how it goes, and what is to be ended.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::Signal;
use serde_json::Value;

use super::{DISK, TO_STDOUT, config, sandbox};
use crate::support::sandbox::{Peer, accepted, parse};
use crate::support::script::Received;

/// What was accepted, without repeats: what a killed program had sent and not yet written down comes again.
fn told_once(requests: &[Received]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut told = accepted(requests);
    told.retain(|told| seen.insert((told["alert_key"].to_string(), told["event_status"].to_string())));
    told
}

#[test]
fn an_alert_that_is_resolved_by_hand_is_told_and_stays_so() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\ndisk sdb bad\n");
    peer.wait_until("two alerts", |requests| told_once(requests).len() == 2);

    let status = sandbox.run(&["status", "--config", "tripline.toml", "--json"]).expect(0);
    let report = parse(&status.answer());
    let alerts = report["alerts"].as_array().expect("a list");
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0]["reason"], "level reached");
    assert_eq!(report["sources"][0]["files"], 1);
    assert_eq!(report["sinks"][0]["name"], "oncall");

    // Several fit: none is touched.
    let several = sandbox.run(&["resolve", "disk", "--state-dir", "state"]).expect(1);
    assert!(several.talk().contains("2 open alerts fit"), "{several:?}");
    let none = sandbox.run(&["resolve", "disk", "--label", "dev=sdz", "--state-dir", "state"]).expect(1);
    assert!(none.talk().contains("no open alert fits"), "{none:?}");

    let done = sandbox.run(&["resolve", "disk", "--label", "dev=sda", "--state-dir", "state"]).expect(0);
    assert!(
        done.answer().starts_with("resolved 1 alert\n") && done.answer().contains("disk sda"),
        "{done:?}"
    );
    // It was durable when it was answered.
    assert_eq!(running.kill().code, None);
    let running = sandbox.watch("tripline.toml");
    let told = peer.wait_until("the end", |requests| told_once(requests).len() >= 3);
    let told = told_once(&told).pop().expect("three");
    assert_eq!((&told["event_status"], &told["labels"]["dev"]), (&"Ok".into(), &"sda".into()));
    assert!(told["description"].as_str().is_some_and(|text| text.contains("resolved by hand")), "{told}");

    // What a shell sees is a key that can be given back.
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.contains("1 open alert\n") && !status.contains("sda"), "{status}");
    let key = status.split_whitespace().find(|word| word.starts_with("disk:")).expect("a key").to_owned();
    let done = sandbox.run(&["resolve", &key, "--state-dir", "state", "--json"]).expect(0);
    assert_eq!(parse(&done.answer())["resolved"][0]["labels"]["dev"], "sdb");
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.contains("no open alert\n"), "{status}");
    running.stop().expect(0);
}

#[test]
fn without_a_running_tripline_there_is_a_sentence_with_a_way_out() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let check = |args: &[&str], words: &[&str]| {
        let finished = sandbox.run(args).expect(2);
        for word in words {
            assert!(finished.talk().contains(word), "{args:?} {word}: {finished:?}");
        }
    };
    check(&["status"], &["no tripline runs with the state directory", "/state`", "`tripline run`"]);
    check(&["status", "--state-dir", "elsewhere"], &["no tripline runs", "`elsewhere`", "--state-dir"]);
    sandbox.watch("tripline.toml").kill();
    assert!(sandbox.path("state/admin.sock").exists());
    check(&["resolve", "disk"], &["left of one that is gone", "`tripline run`"]);
    // The next start takes its place.
    let running = sandbox.watch("tripline.toml");
    sandbox.run(&["status"]).expect(0);
    assert_eq!(sandbox.path("state/admin.sock").metadata().expect("a socket").mode() & 0o777, 0o600);
    running.stop().expect(0);
    assert!(!sandbox.path("state/admin.sock").exists());
    sandbox.write("tripline.toml", "state_dir = 1\n");
    check(&["status"], &["tripline.toml` has errors", "tripline check", "--state-dir"]);
}

#[test]
fn health_is_one_line_and_an_exit_code_whatever_is_in_the_way() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let check = |args: &[&str], code: i32, line: &str| {
        let finished = sandbox.run(&[&["health"], args].concat()).expect(code);
        assert_eq!((finished.stdout.len(), finished.talk().as_str()), (1, ""), "{finished:?}");
        assert!(finished.answer().starts_with(line), "{args:?} {line}: {finished:?}");
    };
    check(&[], 1, "not ready: no tripline runs with the state directory");
    check(&["--json"], 1, r#"{"ready":false,"why":"no tripline runs with"#);
    let mut running = sandbox.watch("tripline.toml");
    running.metric("tripline_ready", |ready| ready > 0.0);
    check(&[], 0, "ready");
    check(&["--state-dir", "state", "--json"], 0, r#"{"ready":true,"why":null}"#);
    check(&["--state-dir", "elsewhere"], 1, "not ready: no tripline runs");
    running.signal(Signal::STOP);
    check(&["--timeout", "20ms"], 1, "not ready: tripline does not answer within 20ms");
    running.kill();
    check(&[], 1, "not ready: no tripline runs");
    sandbox.write("tripline.toml", "state_dir = 1\n");
    check(&[], 1, "not ready: ");
}

#[test]
fn what_is_no_socket_is_not_removed() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    sandbox.write("state/admin.sock", "mine");
    let finished = sandbox.run(&["run"]).expect(2);
    assert!(finished.talk().contains("is no socket: move it away"), "{finished:?}");
    assert_eq!(sandbox.read("state/admin.sock"), b"mine");
}

#[test]
fn an_alert_that_is_kept_outlives_its_rule_and_a_restart_and_can_be_resolved() {
    let rule = DISK.replace("critical", "critical\"\non_remove = \"keep");
    let sandbox = sandbox(TO_STDOUT, &rule);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    let key = running.tells("disk", "critical")["alert_key"].as_str().expect("a text").to_owned();
    let other = DISK.replace("\"disk\"", "\"other\"");
    sandbox.write("new.toml", &other);
    let args = ["check", "--config", "tripline.toml", "--rules", "new.toml", "--against-running"];
    let plan = sandbox.run(&args).expect(0).answer();
    assert!(plan.contains("1 open alert is kept open without it\n          kept open:\n"), "{plan}");
    sandbox.write("rules/r.toml", &other);
    running.says("the configuration was loaded");
    let status = |says: &str| {
        let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
        assert!(status.contains(says), "{status}");
    };
    status("(its rule is gone)");
    running.stop().expect(0);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    status("(its rule is gone)");
    sandbox.run(&["resolve", &key, "--state-dir", "state"]).expect(0);
    let ended = running.tells("disk", "ok");
    assert_eq!((&ended["alert_key"], &ended["reason"]), (&key.as_str().into(), &"resolved by hand".into()));
    status("no open alert");
    running.stop().expect(0);
}

#[test]
fn what_a_reload_will_do_is_told_before_it_is_done() {
    let old = DISK.to_owned() + &DISK.replace("\"disk\"", "\"old\"") + &DISK.replace("\"disk\"", "\"same\"");
    let sandbox = sandbox(TO_STDOUT, &old);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    for rule in ["disk", "old", "same"] {
        running.tells(rule, "critical");
    }
    let plan = |args: &[&str]| {
        let args = [&["check", "--config", "tripline.toml", "--against-running"], args].concat();
        sandbox.run(&args).expect(0).answer()
    };
    let nothing = plan(&[]);
    assert!(nothing.contains("would change\n  nothing\n3 rules stay as before"), "{nothing}");
    // A file that no glob of the configuration takes in: looked at, and not in force.
    let new = DISK.replace("bad'", "broken'")
        + &DISK.replace("\"disk\"", "\"same\"").replace("critical", "critical\"\nrunbook = \"https://x/");
    sandbox.write("new.toml", &new);
    let shown = plan(&["--rules", "new.toml"]);
    for line in [
        "  condition disk: its windows begin anew; 1 open alert is kept",
        "  gone      old: removed or disabled; 1 open alert is resolved",
        "  texts     same: all state is kept; 1 open alert is kept",
        "0 rules stay as before",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let lines = plan(&["--rules", "new.toml", "--json"]);
    let gone = lines.lines().map(parse).find(|line| line["plan"] == "gone").expect("a rule is gone");
    assert_eq!((&gone["rule"], &gone["resolved"][0]["labels"]["dev"]), (&"old".into(), &"sda".into()));
    // And so it comes.
    sandbox.write("rules/r.toml", &new);
    let ended = running.tells("old", "ok");
    assert_eq!(
        (&ended["reason"], &ended["alert_key"]),
        (&"rule gone".into(), &gone["resolved"][0]["alert_key"])
    );
    running.says("the configuration was loaded");
    let nothing = plan(&[]);
    assert!(nothing.contains("would change\n  nothing\n2 rules stay as before"), "{nothing}");
    running.stop().expect(0);
    let nobody = sandbox.run(&["check", "--config", "tripline.toml", "--against-running"]).expect(2);
    assert!(
        nobody.answer().contains("2 rules are right") && nobody.talk().contains("no tripline runs"),
        "{nobody:?}"
    );
}

#[test]
fn a_silence_holds_a_raise_over_a_restart_until_it_is_removed() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), &(DISK.to_owned() + "labels = { team = \"db\" }\n"));
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let silence = |args: &[&str], code: i32| {
        let finished = sandbox.run(&[&["silence"], args, &["--state-dir", "state"]].concat()).expect(code);
        finished.answer() + &finished.talk()
    };
    sandbox.append("app.log", "disk early bad\n");
    peer.wait_until("an alert", |requests| told_once(requests).len() == 1);
    let added = silence(&["add", "--for", "1h", "--comment", "upgrade", "team=db", "dev!=sdz"], 0);
    assert!(added.starts_with("silence ") && added.contains("1 open alert of it stay told"), "{added}");
    assert!(added.contains("it is true of 1 open alert now"), "{added}");
    let logged = running.says("a silence was added");
    for words in ["team=db", "dev!=sdz", "upgrade", "until="] {
        assert!(logged.contains(words), "{words}: {logged}");
    }
    // What fits nothing is taken, and not in silence; what can fit nothing is not.
    let odd = silence(&["add", "--for", "1h", "rule=dsk", "teem=db"], 0);
    for words in [
        "it is true of 0 open alerts",
        "no rule in force is called `dsk`",
        "no rule in force has a label `teem`",
    ] {
        assert!(odd.contains(words), "{words}: {odd}");
    }
    let id = odd.split(' ').nth(1).expect("it is named").to_owned();
    silence(&["remove", &id], 0);
    let logged = running.says("a silence was removed");
    assert!(logged.contains("rule=dsk") && logged.contains(&id), "{logged}");
    let refused = silence(&["add", "--for", "1h", "rule=a", "rule=b"], 2);
    assert!(refused.contains("`rule=a` and `rule=b` are never true of the same alert"), "{refused}");
    running.kill();
    let running = sandbox.watch("tripline.toml");
    sandbox.append("app.log", "disk sda bad\ndisk sdz bad\n");
    // It is told of what is not silent, which comes behind what is.
    peer.wait_until("the other", |requests| told_once(requests).len() == 2);
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.contains("disk sda (level reached; silence"), "{status}");
    assert!(status.contains("1 silence\n") && status.contains("upgrade"), "{status}");
    // Who was told of a beginning is told of the end.
    sandbox.append("app.log", "disk early good\n");
    peer.wait_until("the end", |requests| told_once(requests).len() == 3);
    let list = silence(&["list"], 0);
    assert!(list.contains("team=db dev!=sdz"), "{list}");
    let json = parse(&silence(&["list", "--json"], 0));
    let id = json["silences"][0]["id"].to_string();
    assert_eq!(silence(&["remove", &id], 0), format!("removed silence {id}"));
    let told = told_once(&peer.wait_until("what was held", |requests| told_once(requests).len() == 4));
    let told: Vec<_> =
        told.iter().map(|told| format!("{} {}", told["labels"]["dev"], told["event_status"])).collect();
    assert_eq!(
        told,
        ["\"early\" \"Critical\"", "\"sdz\" \"Critical\"", "\"early\" \"Ok\"", "\"sda\" \"Critical\""]
    );
    assert!(silence(&["remove", &id], 1).contains("there is no silence"));
    assert_eq!(silence(&["list"], 0), "no silence");
    running.stop().expect(0);
}

#[test]
fn a_silence_that_makes_no_sense_is_refused_with_the_way_out() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    for (args, words) in [
        (&["team=db"][..], "--for"),
        (&["--for", "2h", "--until", "18:00", "team=db"], "cannot be used with"),
        (&["--for", "2h"], "TERM"),
        (&["--for", "2x", "team=db"], "expected a unit"),
        (&["--until", "soon", "team=db"], "`soon` is no time: write `18:00`"),
        (&["--for", "2h", "team"], "`team` compares nothing: write `team=db`"),
        (&["--for", "2h", "team!=db"], "is true of every alert without such a label"),
        (&["--for", "2h", "k=~("], "is no pattern"),
        (&["--for", "2h", "team=db"], "no tripline runs with the state directory"),
    ] {
        let finished = sandbox.run(&[&["silence", "add"], args].concat()).expect(2);
        assert!(finished.talk().contains(words), "{args:?}: {finished:?}");
    }
    let running = sandbox.watch("tripline.toml");
    let finished = sandbox.run(&["silence", "add", "--until", "2020-01-01 10:00", "team=db"]).expect(2);
    assert!(finished.talk().contains("`2020-01-01T10:00:00Z` is over"), "{finished:?}");
    running.stop().expect(0);
}
