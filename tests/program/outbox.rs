//! Sinks and what is owed to them, as the command line shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{DISK, config, sandbox};
use crate::support::sandbox::{Peer, parse, told};
use crate::support::script::Step;

const REFUSED: &str = r#"{"request_id":"r8","error":{"code":"InvalidParameter","message":"no such thing"}}"#;
const BAD_KEY: &str =
    r#"{"request_id":"r9","error":{"code":"InvalidParameter","message":"integration_key is wrong"}}"#;

#[test]
fn a_dead_letter_is_shown_and_owed_again_while_it_is_true_and_can_be_dropped() {
    let peer = Peer::new([Step::json(400, REFUSED), Step::json(400, REFUSED)]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let outbox = || parse(&sandbox.run(&["outbox", "--state-dir", "state", "--json"]).expect(0).answer());
    assert_eq!(outbox()["dead"], serde_json::json!([]));

    sandbox.append("app.log", "disk sda bad\n");
    running.says("lies in the dead letters");
    sandbox.append("app.log", "disk sdb bad\n");
    running.metric("tripline_dead_letters{sink=\"oncall\"}", |dead| dead >= 2.0);
    let dead = outbox()["dead"].as_array().expect("a list").clone();
    let about: Vec<_> = dead.iter().map(|letter| letter["summary"].as_str().expect("a text")).collect();
    assert_eq!(about, ["disk sda", "disk sdb"], "{dead:?}");
    assert_eq!(dead[0]["why"], "400 InvalidParameter: no such thing");
    // It answers, and takes nothing.
    let shown = sandbox.run(&["sinks", "--state-dir", "state"]).expect(0).answer();
    for words in
        ["oncall  (flashduty)  refusing, 2 in a row", "because   400 InvalidParameter: no such thing"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.lines().any(|line| line.starts_with("oncall") && line.ends_with("refusing")), "{status}");
    let shown = sandbox.run(&["outbox", "--state-dir", "state"]).expect(0).answer();
    assert!(shown.contains("given up: 2 dead letters") && shown.contains("because 400"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");

    // The alert of the first is still open: it is sent again, word for word.
    let number = dead[0]["number"].to_string();
    let again = sandbox.run(&["outbox", "retry", &number, "--state-dir", "state"]).expect(0);
    assert_eq!(again.answer(), format!("owed again: {number}"));
    let requests = peer.wait_until("the same again", |requests| requests.len() >= 3);
    assert_eq!(requests[2].body, requests[0].body);
    running.says("delivery accepted");
    let shown = sandbox.run(&["sinks", "--state-dir", "state"]).expect(0).answer();
    assert!(shown.contains("oncall  (flashduty)  ok"), "{shown}");

    // That of the second is over, and nobody wants to be woken by it.
    sandbox.append("app.log", "disk sdb good\n");
    let number = dead[1]["number"].to_string();
    running.metric("tripline_alerts{rule=\"disk\",status=\"critical\"}", |open| open == 1.0);
    let late = sandbox.run(&["outbox", "retry", &number, "--state-dir", "state"]).expect(1);
    assert!(late.talk().contains("out of date"), "{late:?}");
    assert!(late.answer().is_empty(), "{late:?}");
    let dropped = sandbox.run(&["outbox", "drop", "--all", "--state-dir", "state"]).expect(0);
    assert_eq!(dropped.answer(), format!("dropped: {number}"));
    assert_eq!(running.kill().code, None);
    let running = sandbox.watch("tripline.toml");
    assert_eq!(outbox()["dead"], serde_json::json!([]), "what was dropped stays so");
    let none = sandbox.run(&["outbox", "drop", "77", "--state-dir", "state"]).expect(1);
    assert!(none.talk().contains("there is no dead letter of that number"), "{none:?}");
    running.stop().expect(0);
}

#[test]
fn the_end_of_a_refused_beginning_is_not_sent_after_a_restart_though_its_letter_was_dropped() {
    let peer = Peer::new([Step::json(400, REFUSED)]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("lies in the dead letters");
    sandbox.run(&["outbox", "drop", "--all", "--state-dir", "state"]).expect(0);
    assert_eq!(running.kill().code, None);

    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    // An end goes before a beginning.
    sandbox.append("app.log", "disk sda good\ndisk sdb bad\n");
    peer.wait_until("the next alert", |requests| requests.len() >= 2);
    running.stop().expect(0);
    let told: Vec<_> = peer.received().iter().map(told).collect();
    let told: Vec<_> = told.iter().map(|one| (&one["event_status"], &one["labels"]["dev"])).collect();
    assert_eq!(told, [(&"Critical".into(), &"sda".into()), (&"Critical".into(), &"sdb".into())]);
}

#[test]
fn a_sink_that_was_removed_before_the_start_is_a_problem_while_it_is_owed_something() {
    let busy = (0..50).map(|_| Step::json(503, "{}"));
    let peer = Peer::new([Step::accept()].into_iter().chain(busy));
    let with = config(&peer.url());
    let (without, _) = with.split_once("[[sink]]").expect("a sink");
    let sandbox = sandbox(&with, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("delivery accepted");
    sandbox.append("app.log", "disk sda good\n");
    running.says("delivery put off by the peer");
    assert_eq!(running.kill().code, None);

    sandbox.write("tripline.toml", without);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let shown = sandbox.run(&["sinks", "--state-dir", "state"]).expect(0).answer();
    assert!(shown.contains("oncall  (removed)  waits, not configured"), "{shown}");
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.contains("waits, not configured"), "{status}");
    let status = parse(&sandbox.run(&["status", "--state-dir", "state", "--json"]).expect(0).answer());
    let problem = "sink `oncall` is not configured any more: what it is owed (1) waits until it is again, or until \
                   `tripline outbox drop --sink oncall` forgets it";
    assert_eq!(status["problems"], serde_json::json!([problem]));
    running.stop().expect(0);
}

#[test]
fn what_is_owed_to_a_sink_that_is_gone_for_good_is_dropped_by_hand_and_nothing_else_is() {
    let busy = (0..50).map(|_| Step::json(503, "{}"));
    let peer = Peer::new([Step::accept(), Step::accept()].into_iter().chain(busy));
    let with = config(&peer.url());
    let (without, _) = with.split_once("[[sink]]").expect("a sink");
    let sandbox = sandbox(&with, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\ndisk sdb bad\n");
    running.says("delivery accepted");
    running.says("delivery accepted");
    sandbox.append("app.log", "disk sda good\n");
    running.says("delivery put off by the peer");
    let drop = |sink: &str| sandbox.run(&["outbox", "drop", "--sink", sink, "--state-dir", "state"]);
    let refused = drop("oncall").expect(1);
    assert!(refused.talk().contains("no dead letter fits"), "it is configured: {refused:?}");
    assert_eq!(running.kill().code, None);

    sandbox.write("tripline.toml", without);
    let mut running = sandbox.watch("tripline.toml");
    running.says("owed to sinks that are not configured any more");
    let outbox = || parse(&sandbox.run(&["outbox", "--state-dir", "state", "--json"]).expect(0).answer());
    assert_eq!(outbox()["owed"].as_array().expect("a list").len(), 1);
    drop("oncal").expect(1);
    let dropped = drop("oncall").expect(0).answer();
    for words in [
        "dropped: 1 delivery owed to oncall, which is not configured any more",
        "ok disk:",
        "disk sda",
        "it is not told the end of 1 alert",
    ] {
        assert!(dropped.contains(words), "{words}: {dropped}");
    }
    assert_eq!(outbox()["owed"], serde_json::json!([]));
    drop("oncall").expect(1);
    assert_eq!(running.kill().code, None);
    // That lasts, and the end of the second is owed to nobody.
    let mut running = sandbox.watch("tripline.toml");
    sandbox.append("app.log", "disk sdb good\ndisk sdc bad\n");
    running.tells("disk", "critical");
    assert_eq!(outbox()["owed"], serde_json::json!([]));
    let status = parse(&sandbox.run(&["status", "--state-dir", "state", "--json"]).expect(0).answer());
    assert_eq!(status["problems"], serde_json::json!([]));
    assert_eq!(status["sinks"].as_array().expect("a list").len(), 1, "stdout: {status}");
    running.stop().expect(0);
}

#[test]
fn sinks_show_their_state_and_what_the_peer_said_last() {
    let peer = Peer::new([Step::accept(), Step::json(400, BAD_KEY), Step::json(400, BAD_KEY)]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("delivery accepted");
    sandbox.append("app.log", "disk sdb bad\n");
    running.says("sink suspended");
    let show = || sandbox.run(&["sinks", "--state-dir", "state"]).expect(0).answer();
    // What was taken is counted once that is committed.
    running.wait_until("accepted  1;", || show().contains("accepted  1;"));
    let shown = show();
    for words in [
        "oncall  (flashduty)  suspended",
        "accepted  1;",
        "because   400 InvalidParameter",
        "request_id=0acef4",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let json = parse(&sandbox.run(&["sinks", "list", "--state-dir", "state", "--json"]).expect(0).answer());
    assert_eq!((&json["sinks"][0]["name"], &json["sinks"][0]["accepted"]), (&"oncall".into(), &1.into()));
    running.kill();
}

#[test]
fn a_sink_is_tried_with_an_alert_that_says_so_and_is_over_at_once() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let tried = sandbox.run(&["sinks", "test", "oncall"]).expect(0);
    let lines: Vec<_> = tried.answer().lines().map(str::to_owned).collect();
    assert!(
        lines[0].starts_with("oncall: raise accepted") && lines[1].starts_with("oncall: resolve accepted"),
        "{lines:?}"
    );
    let sent: Vec<_> = peer.received().iter().map(told).collect();
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter().all(|told| told["labels"]["rule"] == "tripline_test" && told["labels"]["test"] == "true")
    );
    assert_eq!((&sent[0]["event_status"], &sent[1]["event_status"]), (&"Warning".into(), &"Ok".into()));
    assert_eq!(sent[0]["alert_key"], sent[1]["alert_key"]);

    let refusing = Peer::new([Step::json(400, BAD_KEY), Step::Close]);
    let sandbox = super::sandbox(&config(&refusing.url()), DISK);
    let tried = sandbox.run(&["sinks", "test", "oncall"]).expect(1);
    assert!(tried.talk().contains("the sink would be suspended: 400 InvalidParameter"), "{tried:?}");
    assert!(tried.talk().contains("resolve not accepted now"), "{tried:?}");
    let unknown = sandbox.run(&["sinks", "test", "oncal"]).expect(2);
    assert!(unknown.talk().contains("there is no sink named `oncal`: the sinks are oncall"), "{unknown:?}");
    let cluster =
        "[[sink]]\nname = 'am'\ntype = 'alertmanager'\nurls = ['http://127.0.0.1:1', 'http://127.0.0.1:2']\n";
    sandbox.append("tripline.toml", cluster);
    let unknown = sandbox.run(&["sinks", "test", "oncal"]).expect(2);
    let names = "the sinks are oncall, am, am/127.0.0.1:1, am/127.0.0.1:2";
    assert_eq!(unknown.talk().matches("am,").count(), 1, "{unknown:?}");
    assert!(unknown.talk().contains(names), "{unknown:?}");
}

#[test]
fn a_queue_is_tried_by_itself_by_the_name_that_sinks_are_shown_with() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&format!("{}change_integration_key_file = 'key'\n", config(&peer.url())), DISK);
    let tried = |name: &str| -> Vec<String> {
        let tried = sandbox.run(&["sinks", "test", name]).expect(0);
        let what = |line: &String| line.split(" accepted").next().expect("a word").to_owned();
        tried.stdout.iter().map(what).collect()
    };
    let changes = ["oncall/changes: change", "oncall/changes: its end"];
    assert_eq!(tried("oncall/changes"), changes);
    assert_eq!(tried("oncall"), [["oncall: raise", "oncall: resolve"], changes].concat());
    let unknown = sandbox.run(&["sinks", "test", "oncall/alerts"]).expect(2);
    assert!(unknown.talk().contains("the sinks are oncall, oncall/changes"), "{unknown:?}");
}

#[test]
fn a_fallback_is_told_what_a_suspended_sink_does_not_take_and_nothing_before() {
    let pager = Peer::new([Step::accept()].into_iter().chain((0..50).map(|_| Step::json(400, BAD_KEY))));
    let backup = Peer::new([]);
    let url = backup.url();
    let second = format!(
        "[[sink]]\nname = 'backup'\ntype = 'flashduty'\nurl = '{url}'\nintegration_key_file = 'key'\n"
    );
    let sandbox = sandbox(&format!("{}fallback = 'backup'\n{second}", config(&pager.url())), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("delivery accepted");
    sandbox.append("app.log", "disk sdb bad\n");
    let requests = backup.wait_until("what was owed, and why", |requests| requests.len() >= 2);
    let mut rules: Vec<_> = requests.iter().map(|one| told(one)["title_rule"].to_string()).collect();
    rules.sort();
    assert!(rules[0].contains("disk sdb") && rules[1].contains("sink oncall takes no alerts"), "{rules:?}");
    // What it was told of it is told the end of; it never heard of the first.
    sandbox.append("app.log", "disk sda good\ndisk sdb good\n");
    let requests = backup.wait_until("the end", |requests| requests.len() >= 3);
    let over = told(&requests[2]);
    assert_eq!((&over["event_status"], &over["labels"]["dev"]), (&"Ok".into(), &"sdb".into()));
    running.stop();
    assert_eq!(backup.received().len(), 3);
}

#[test]
fn that_a_sink_is_suspended_is_told_once_over_reloads_and_a_kill_and_is_over_when_it_took_something() {
    let well = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&well);
    let peer = Peer::answering(Arc::new(move |_| match now.load(Ordering::Relaxed) {
        true => Step::accept(),
        false => Step::json(400, BAD_KEY),
    }));
    let with = config(&peer.url()) + "[[sink]]\nname = 'out'\ntype = 'stdout'\n";
    let sandbox = sandbox(&with, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.tells("tripline_sink_suspended", "critical");
    for edition in 1..=2 {
        let tried = peer.received().len();
        sandbox.write("tripline.toml", format!("{with}# edition {edition}\n"));
        running.says("the configuration was loaded");
        peer.wait_until("another try", |requests| requests.len() > tried);
    }
    let said = |lines: &[String]| -> Vec<String> {
        let lines = lines.iter().map(|line| parse(line));
        let own = lines.filter(|line| line["rule"] == "tripline_sink_suspended");
        own.map(|line| line["status"].as_str().expect("a status").to_owned()).collect()
    };
    assert_eq!(said(&running.kill().stdout), ["critical"]);

    let tried = peer.received().len();
    let mut running = sandbox.watch("tripline.toml");
    peer.wait_until("another try", |requests| requests.len() > tried);
    well.store(true, Ordering::Relaxed);
    sandbox.write("tripline.toml", &with);
    running.tells("tripline_sink_suspended", "ok");
    assert_eq!(said(&running.stop().expect(0).stdout), ["ok"]);
}

#[test]
fn a_fallback_that_comes_while_a_sink_takes_nothing_is_told_what_that_one_is_owed() {
    let peer = Peer::answering(Arc::new(|_| Step::json(400, BAD_KEY)));
    let (pager, out) = (config(&peer.url()), "[[sink]]\nname = 'out'\ntype = 'stdout'\n");
    let sandbox = sandbox(&format!("{pager}{out}"), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.tells("tripline_sink_suspended", "critical");
    let spare = "[[sink]]\nname = 'spare'\ntype = 'file'\npath = 'out.ndjson'\n";
    sandbox.write("tripline.toml", format!("{pager}fallback = 'spare'\n{out}{spare}"));
    let told = || {
        String::from_utf8_lossy(&std::fs::read(sandbox.path("out.ndjson")).unwrap_or_default()).into_owned()
    };
    running.wait_until("the fallback", || told().contains("disk sda"));
    running.kill();
}

#[test]
fn a_sink_that_is_gone_and_believes_that_something_is_open_is_a_problem_while_it_can_be_helped() {
    let peer = Peer::new([]);
    let with = config(&peer.url());
    let (without, _) = with.split_once("[[sink]]").expect("a sink");
    let sandbox = sandbox(&with, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("delivery accepted");
    sandbox.write("tripline.toml", without);
    let believes = "sink `oncall` is not configured any more and believes that 1 alert is open: ";
    let problems = || {
        let status = sandbox.run(&["status", "--state-dir", "state", "--json"]).expect(0).answer();
        parse(&status)["problems"].clone()
    };
    running.says(believes);
    let while_it_runs = format!(
        "{believes}it is told the end while this process runs, and not after a restart; configure it again under this \
         name until then"
    );
    assert_eq!(problems(), serde_json::json!([while_it_runs]));
    assert_eq!(running.kill().code, None);

    let mut running = sandbox.watch("tripline.toml");
    running.says(believes);
    let after_a_restart = format!(
        "{believes}nobody tells it the end; configure it again under this name until then, or see to its end there, and \
         `tripline outbox drop --sink oncall` forgets it"
    );
    assert_eq!(problems(), serde_json::json!([after_a_restart]));
    let shown = sandbox.run(&["sinks", "--state-dir", "state"]).expect(0).answer();
    assert!(shown.contains("oncall  (removed)"), "{shown}");
    sandbox.write("tripline.toml", &with);
    running.says("the configuration was loaded");
    assert_eq!(problems(), serde_json::json!([]));
    sandbox.append("app.log", "disk sda good\n");
    peer.wait_until("the end", |requests| {
        requests.last().is_some_and(|last| told(last)["event_status"] == "Ok")
    });
    running.stop().expect(0);
}
