//! Rules that name their files.

use std::net::TcpListener;

use super::{TO_STDOUT, sandbox};
use crate::support::sandbox::{Out, Peer, Sandbox};
use crate::support::script::Received;

const OWN: &str = "[[rule]]\nname = \"own\"\nfiles = [\"../logs/*.log\"]\nexclude = \"*.old.log\"\nmatch = 'disk (?<dev>\\S+) bad'\nby = [\"dev\"]\n";

#[test]
fn rules_with_files_need_no_configuration() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/own.toml", OWN);
    sandbox.write("logs/a.log", "disk sda bad\n");
    sandbox.write("logs/b.old.log", "");
    let mut running = sandbox.start(&["run", "--rules", "rules/own.toml"]);
    running.says("following");
    sandbox.append("logs/b.old.log", "disk sdb bad\n");
    sandbox.append("logs/a.log", "disk sdc bad\n");
    let told = running.tells("own", "warning");
    assert_eq!(told["labels"]["dev"], "sdc");
    // A file that comes later is read from its beginning.
    sandbox.write("logs/c.log", "disk sdd bad\n");
    assert_eq!(running.tells("own", "warning")["labels"]["dev"], "sdd");
    running.stop().expect(0);
    // Nothing is watched by a rule that names a source.
    sandbox.write(
        "rules/own.toml",
        OWN.replace("files = [\"../logs/*.log\"]\nexclude = \"*.old.log\"", "source = \"app\""),
    );
    let finished = sandbox.run(&["run", "--rules", "rules/own.toml"]).expect(2);
    assert!(finished.talk().contains("no log file is named"), "{finished:?}");
}

#[test]
fn a_file_that_is_called_like_a_glob_is_watched_and_a_glob_means_what_comes() {
    let sandbox = Sandbox::new();
    let own = OWN.replace("../logs/*.log", "../logs/c.log");
    for name in ["rules[1]/own.toml", "logs/app[1].log", "logs/app1.log", "logs/b.log"] {
        sandbox.write(name, if name.starts_with("rules") { own.as_str() } else { "" });
    }
    sandbox.write("logs/c.log", "disk sdz bad\n");
    let rules = "rules[1]/own.toml";
    let mut running =
        sandbox.start(&["run", "--rules", rules, "logs/app[1].log", "logs/b*.log", "logs/none*.log"]);
    running.says("no file fits yet; what appears is read from its beginning glob=logs/none*.log");
    running.says("following");
    for (name, dev) in [("app1.log", "sda"), ("app[1].log", "sdb"), ("b.log", "sdc"), ("none.log", "sdd")] {
        sandbox.append(&format!("logs/{name}"), format!("disk {dev} bad\n"));
        if dev != "sda" {
            assert_eq!(running.tells("own", "warning")["labels"]["dev"], dev);
        }
    }
    let talk = running.stop().expect(0).talk();
    assert!(!talk.contains("is not there yet"), "{talk}");
    let mut running = sandbox.start(&["run", "--rules", rules]);
    running.says("following");
    sandbox.append("logs/c.log", "disk sde bad\n");
    assert_eq!(running.tells("own", "warning")["labels"]["dev"], "sde");
    running.stop().expect(0);
}

#[test]
fn a_rule_with_files_is_a_source_beside_the_others_and_goes_on_after_a_restart() {
    let sandbox = sandbox(TO_STDOUT, OWN);
    sandbox.write("logs/a.log", "");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(status.contains("\napp ") && status.contains("\nown "), "{status}");
    running.metric("tripline_source_files{source=\"own\"}", |files| files == 1.0);
    sandbox.append("logs/a.log", "disk sda bad\n");
    running.tells("own", "warning");
    running.stop().expect(0);
    // Written while nobody looked; another rule has come to the same files.
    sandbox.append("logs/a.log", "disk sdb bad\n");
    sandbox.write("rules/r.toml", OWN.to_owned() + &OWN.replace("\"own\"", "\"second\""));
    let mut running = sandbox.watch("tripline.toml");
    assert_eq!(running.tells("own", "warning")["labels"]["dev"], "sdb");
    sandbox.append("logs/a.log", "disk sdc bad\n");
    assert_eq!(running.tells("second", "warning")["labels"]["dev"], "sdb");
    assert_eq!(running.tells("second", "warning")["labels"]["dev"], "sdc");
    let status = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    assert!(!status.contains("\nsecond "), "{status}");
    running.stop().expect(0);
}

#[test]
fn tests_replay_and_explain_know_the_source_by_the_name_of_the_rule() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/own.toml", OWN);
    sandbox.write("a.log", "2026-01-05T10:00:00Z disk sda bad\n");
    let rules = ["--rules", "rules/own.toml"];
    let shown = sandbox.run(&[&["replay"], &rules[..], &["a.log"]].concat()).expect(0).answer();
    assert!(shown.contains("WARNING") && shown.contains("dev=sda"), "{shown}");
    let line = "2026-01-05T10:00:00Z disk sda bad";
    sandbox.run(&[&["explain", "--source", "own"], &rules[..], &[line]].concat()).expect(0);
    sandbox.run(&[&["explain", "--source", "other"], &rules[..], &[line]].concat()).expect(2);
    let test =
        "rules = [\"rules/own.toml\"]\n[[line]]\nsource = \"own\"\ntext = \"disk sda bad\"\nrule = \"own\"\n";
    sandbox.write("own.test.toml", test);
    sandbox.run(&["test", "own.test.toml"]).expect(0);
}

#[test]
fn case_60_a_file_of_the_future_or_of_the_beginning_of_time_is_read_like_any_other() {
    let sandbox = sandbox(TO_STDOUT, OWN);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    for (name, days) in [("future", 47_000), ("past", 0), ("yesterday", 20_000)] {
        let path = format!("logs/{name}.log");
        sandbox.write(&path, format!("disk {name} bad\n"));
        let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(days * 86_400);
        sandbox.appender(&path).set_modified(modified).expect("a time that a file may have");
        assert_eq!(running.tells("own", "warning")["labels"]["dev"], name);
        let more = format!("{name}2");
        sandbox.append(&path, format!("disk {more} bad\n"));
        assert_eq!(running.tells("own", "warning")["labels"]["dev"], *more);
    }
    running.stop().expect(0);
}

/// A rule that fits every line, each as something new.
const ALL: &str = "[[rule]]\nname = \"all\"\nsource = \"app\"\nmatch = '(?<all>.+)'\nby = [\"all\"]\nresolve_after = \"1h\"\n";

#[test]
fn what_tripline_writes_itself_is_left_alone() {
    for to_stdout in [false, true] {
        let sandbox = sandbox(&TO_STDOUT.replace("app.log", "*.log"), ALL);
        sandbox.write("own.log", "");
        let mut command = sandbox.command(&["run"]);
        let own = sandbox.appender("own.log");
        if to_stdout {
            command.stdout(own)
        } else {
            command.stderr(own)
        };
        let other = sandbox.appender("other");
        if to_stdout {
            command.stderr(other)
        } else {
            command.stdout(other)
        };
        let mut child = command.spawn().expect("it starts");
        let (log, alerts) = if to_stdout { ("other", "own.log") } else { ("own.log", "other") };
        let holds =
            |name: &str, words: &str| String::from_utf8_lossy(&sandbox.read(name)).matches(words).count();
        let until = |name: &str, words: &str| {
            let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while holds(name, words) == 0 {
                assert!(std::time::Instant::now() < patience, "never: {words}");
                std::thread::yield_now();
            }
        };
        until(log, "is what tripline itself writes to, and is left alone");
        until(log, "following");
        sandbox.append("app.log", "the first\n");
        until(alerts, "the first");
        sandbox.append("app.log", "the second\n");
        until(alerts, "the second");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        assert!(child.wait().expect("our own child").success());
        assert_eq!(holds(log, "left alone"), 1);
        assert_eq!(holds(alerts, "\"rule\":\"all\""), 2);
    }
}

#[test]
fn a_loop_over_other_programs_dies_out() {
    let peer = Peer::new([]);
    let sink = "[[sink]]\nname = \"oncall\"\ntype = \"flashduty\"\nintegration_key_file = \"key\"\n";
    let config = format!("{TO_STDOUT}{sink}url = \"{}\"\n", peer.url());
    let sandbox = sandbox(&config, ALL);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "the first\n");
    let is_storm = |request: &Received| String::from_utf8_lossy(&request.body).contains("tripline_storm");
    // What it says goes where it reads: one new alert for each delivery that it says was accepted.
    let mut turns = 0;
    while !peer.received().iter().any(is_storm) {
        let line = running.says("delivery accepted");
        sandbox.append("app.log", line + "\n");
        turns += 1;
        assert!(turns < 100, "it goes on and on");
    }
    running.stop().expect(0);
}

#[test]
fn case_59_a_backlog_with_a_sink_away_takes_no_memory_and_holds_up_no_new_file() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it has one");
    let source = TO_STDOUT.replace("\"app.log\"]", "\"app.log\", \"late.log\"]\nstart = \"beginning\"");
    let sinks = "[[sink]]\nname = \"out\"\ntype = \"stdout\"\n\
                 [[sink]]\nname = \"oncall\"\ntype = \"flashduty\"\nintegration_key_file = \"key\"\n";
    let rule =
        "[[rule]]\nname = \"disk\"\nsource = \"app\"\nmatch = 'disk (?<dev>\\S+) bad'\nby = [\"dev\"]\n";
    let sandbox = sandbox(&format!("{source}{sinks}url = \"http://{nobody}\"\n"), rule);
    let lines = (0..300_000).map(|n| {
        let word = if n % 100 == 0 { "bad" } else { "well" };
        format!("2026-01-05T10:00:00Z disk sd{} {word} {}\n", n % 500, "x".repeat(100))
    });
    // Of 42 MiB.
    sandbox.write("app.log", lines.collect::<String>());
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.write("late.log", "disk new bad\n");
    running.wait_for(Out::Stdout, "the new file", |line| line.contains("\"new\""));
    running.metric("tripline_source_unread_bytes{source=\"app\"}", |unread| unread == 0.0);
    running.metric("tripline_outbox_deliveries{sink=\"oncall\"}", |owed| owed > 0.0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.and_then(|peak| peak.parse().ok()).expect("a number");
    assert!(peak < 64 << 10, "{peak} kB");
    running.stop().expect(0);
}
