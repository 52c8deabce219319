//! Start, stop, restart and reload.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::Notify;

use super::{DISK, TO_STDOUT, config, sandbox};
use crate::support::sandbox::{Peer, Running, Sandbox, accepted};
use crate::support::script::Step;

/// Waits until as many alerts were accepted, and gives them.
#[track_caller]
fn taken(peer: &Peer, many: usize) -> Vec<Value> {
    let what = format!("alert number {many}");
    accepted(&peer.wait_until(&what, |requests| accepted(requests).len() >= many))
}

/// A tripline that follows `app.log` and tells a peer of disks.
fn watched() -> (Peer, Sandbox, Running) {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    (peer, sandbox, running)
}

#[test]
fn an_alert_that_is_open_survives_a_restart_and_is_resolved_by_its_key() {
    let (peer, sandbox, running) = watched();
    sandbox.append("app.log", "disk sda bad\n");
    let raised = taken(&peer, 1).remove(0);
    assert_eq!(raised["event_status"], "Critical");
    assert!(running.stop().expect(0).talk().contains(" stopped"));
    // Written while nobody looked.
    sandbox.append("app.log", "disk sdb bad\n");
    let running = sandbox.watch("tripline.toml");
    assert_eq!(taken(&peer, 2)[1]["labels"]["dev"], "sdb");
    sandbox.append("app.log", "disk sda good\n");
    let resolved = taken(&peer, 3).remove(2);
    assert_eq!((&resolved["event_status"], &resolved["alert_key"]), (&"Ok".into(), &raised["alert_key"]));
    running.stop().expect(0);
    assert_eq!(peer.received().len(), 3, "nothing is said twice");
}

#[test]
fn a_start_right_behind_a_kill_waits_for_the_lock() {
    let (_peer, sandbox, mut running) = watched();
    for _ in 0..4 {
        running.signal(Signal::KILL);
        let mut next = sandbox.watch("tripline.toml");
        next.says("following");
        // Whoever comes too late is told by whom it is held.
        let told = sandbox.run(&["run", "--config", "tripline.toml"]).expect(2).talk();
        assert!(told.contains(&format!("is in use by process {}", next.id())), "{told}");
        running = next;
    }
}

#[test]
fn a_stop_reads_to_the_end_and_delivers() {
    let (peer, sandbox, mut running) = watched();
    sandbox.append("app.log", "disk sda bad\n");
    // The first alert shows that the file is followed; the others are written just before a stop.
    taken(&peer, 1);
    for round in 0..5 {
        sandbox.append("app.log", format!("disk late{round} bad\n"));
        running.stop().expect(0);
        assert_eq!(accepted(&peer.received()).len(), 2 + round);
        running = sandbox.watch("tripline.toml");
        running.says("following");
    }
    running.stop().expect(0);
}

#[test]
fn what_a_dead_peer_did_not_take_is_kept_for_the_next_start() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let main = config(&format!("http://{nobody}")).replace("\"5s\"", "\"100ms\"");
    let sandbox = sandbox(&main, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.says("delivery not answered");
    let finished = running.stop().expect(0);
    assert!(finished.talk().contains("owed=1 kept=true"), "{finished:#?}");
    let peer = Peer::new([]);
    sandbox.write("tripline.toml", config(&peer.url()));
    let running = sandbox.watch("tripline.toml");
    assert_eq!(taken(&peer, 1)[0]["labels"]["dev"], "sda");
    running.stop().expect(0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let never = Arc::new(Notify::new());
    let peer = Peer::new([Step::WhenTold(never, Box::new(Step::Close))]);
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let sandbox = sandbox(&config(&peer.url()), DISK);
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        sandbox.append("app.log", "disk sda bad\n");
        running.metric("tripline_outbox_deliveries{sink=\"oncall\"}", |owed| owed == 1.0 || code == 130);
        running.signal(signal);
        running.says("stopping");
        if code == 143 {
            running.signal(signal);
            running.finish().expect(code);
        } else {
            running.finish().expect(0);
        }
    }
}

#[test]
fn rules_are_reloaded_when_asked_and_when_they_change() {
    let (peer, sandbox, mut running) = watched();
    sandbox.append("app.log", "disk sda bad\n");
    let raised = taken(&peer, 1).remove(0);

    // A new rule, found by looking.
    let fan = DISK.replace("disk", "fan");
    sandbox.write("rules/fan.toml", &fan);
    running.says("the configuration was loaded");
    sandbox.append("app.log", "fan f1 bad\n");
    assert_eq!(taken(&peer, 2)[1]["labels"]["rule"], "fan");

    // A broken one changes nothing and is shown.
    sandbox.write("rules/fan.toml", fan.replace("\\S+) bad", "[z-a]) bad"));
    running.says("error[bad-pattern]");
    running.says("rules/fan.toml:");
    running.says("^^^");
    running.says("the running one stays");
    sandbox.append("app.log", "fan f2 bad\n");
    assert_eq!(taken(&peer, 3)[2]["labels"]["dev"], "f2");
    running.metric("tripline_config_last_reload_successful", |fits| fits == 0.0);
    // Asked, it is said again.
    running.signal(Signal::HUP);
    running.says("error[bad-pattern]");
    running.says("the running one stays");

    // A text is changed, and SIGHUP says so: alerts stay what they are.
    sandbox.write("rules/fan.toml", fan.replace("summary = \"fan", "summary = \"the fan"));
    running.signal(Signal::HUP);
    running.says("the configuration was loaded");
    running.metric("tripline_config_last_reload_successful", |fits| fits == 1.0);
    sandbox.append("app.log", "fan f1 good\n");
    let resolved = taken(&peer, 4).remove(3);
    assert_eq!((&resolved["event_status"], &resolved["labels"]["dev"]), (&"Ok".into(), &"f1".into()));

    // A rule that is gone takes its alerts with it.
    std::fs::remove_file(sandbox.path("rules/r.toml")).unwrap();
    let resolved = taken(&peer, 5).remove(4);
    assert_eq!((&resolved["event_status"], &resolved["alert_key"]), (&"Ok".into(), &raised["alert_key"]));
    running.stop().expect(0);
}

#[test]
fn a_rule_that_went_while_nobody_ran_takes_its_alerts_with_it() {
    let (peer, sandbox, running) = watched();
    sandbox.append("app.log", "disk sda bad\n");
    let raised = taken(&peer, 1).remove(0);
    running.stop().expect(0);
    sandbox.write("rules/r.toml", DISK.replace("disk", "fan"));
    let running = sandbox.watch("tripline.toml");
    let resolved = taken(&peer, 2).remove(1);
    assert_eq!((&resolved["event_status"], &resolved["alert_key"]), (&"Ok".into(), &raised["alert_key"]));
    running.stop().expect(0);
}

#[test]
fn a_reload_without_the_key_changes_nothing() {
    let ((peer, sandbox, mut running), other) = (watched(), Peer::new([]));
    sandbox.write("tripline.toml", config(&other.url()).replace("\"key\"", "\"no-key\""));
    running.says("sink `oncall` has no key");
    sandbox.append("app.log", "disk sda bad\n");
    taken(&peer, 1);
    running.stop().expect(0);
    assert!(other.received().is_empty());
}

#[test]
fn a_dry_run_prints_what_it_would_send_and_remembers_nothing() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    // What is not sent needs no key.
    std::fs::remove_file(sandbox.path("key")).unwrap();
    let mut running = sandbox.start(&["run", "--dry-run"]);
    running.says("following");
    sandbox.append("app.log", "disk sda bad\ndisk sda good\n");
    let out = crate::support::sandbox::Out::Stdout;
    running.wait_for(out, "the raise", |line| {
        line.starts_with("would send to oncall: {") && line.contains("\"status\":\"critical\"")
    });
    running.wait_for(out, "the resolve", |line| line.contains("\"status\":\"ok\""));
    running.stop().expect(0);
    assert!(peer.received().is_empty());
    assert!(!sandbox.path("state").exists());
}

#[test]
fn stdin_is_followed_to_its_end() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut command = sandbox.command(&["run", "--rules", "rules/r.toml", "-"]);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut stdin = running.stdin();
    stdin.write_all(b"disk sda bad\n").unwrap();
    running.tells("disk", "critical");
    // The last line has no end, and is one all the same once the pipe has ended.
    stdin.write_all(b"disk sda good\ndisk sdb bad").unwrap();
    drop(stdin);
    let finished = running.finish().expect(0);
    // Order is kept within a key.
    let mut told: Vec<String> =
        finished.json().iter().map(|json| format!("{} {}", json["labels"]["dev"], json["status"])).collect();
    told[1..].sort();
    assert_eq!(told, [r#""sda" "critical""#, r#""sda" "ok""#, r#""sdb" "critical""#]);
    assert!(!sandbox.path("state").exists(), "files as arguments keep no state");
}

#[test]
fn a_sign_of_life_arrives_while_sources_are_read() {
    let peer = Peer::new([]);
    let main = config(&peer.url()) + "[heartbeat]\nsink = \"oncall\"\nevery = \"1s\"\n";
    let sandbox = sandbox(&main, DISK);
    let running = sandbox.watch("tripline.toml");
    let beats = taken(&peer, 2);
    assert!(beats.iter().all(|beat| beat["title_rule"] == "tripline heartbeat"), "{beats:?}");
    assert_eq!(beats[0]["alert_key"], beats[1]["alert_key"]);
    running.stop().expect(0);
}

#[test]
fn a_stop_resolves_what_is_open_if_told_so() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&format!("on_stop = \"resolve\"\n{}", config(&peer.url())), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    let raised = taken(&peer, 1).remove(0);
    running.stop().expect(0);
    let resolved = taken(&peer, 2).remove(1);
    assert_eq!((&resolved["event_status"], &resolved["alert_key"]), (&"Ok".into(), &raised["alert_key"]));
    assert!(resolved["description"].as_str().unwrap().contains("stopped"), "{resolved}");
}

#[test]
fn an_alert_that_stays_open_is_told_again_and_one_that_comes_and_goes_says_so() {
    let rules = "[[rule]]\nname = 'disk'\nsource = 'app'\nmatch = 'disk bad'\nresolve = 'disk good'\nrenotify = '1s'\n\
                 [[rule]]\nname = 'link'\nsource = 'app'\nmatch = 'link down'\nresolve = 'link up'\n\
                 flap = { changes = 4, within = '10m' }\n";
    let sandbox = sandbox(TO_STDOUT, rules);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk bad\n");
    assert_eq!(running.tells("disk", "warning")["reason"], "level reached");
    for _ in 0..2 {
        let again = running.tells("disk", "warning");
        assert_eq!((&again["reason"], &again["previous"]), (&"still open".into(), &"warning".into()));
    }
    for status in ["warning", "ok", "warning"] {
        let line = if status == "ok" { "link up\n" } else { "link down\n" };
        sandbox.append("app.log", line);
        running.tells("link", status);
    }
    sandbox.append("app.log", "link up\n");
    let kept = running.tells("link", "warning");
    assert_eq!((&kept["reason"], &kept["labels"]["flapping"]), (&"flapping".into(), &"true".into()));
    running.stop().expect(0);
}
