//! Rule files that are not there: a lost mount ends no alert.

use rustix::process::Signal;

use super::{DISK, TO_STDOUT, sandbox};
use crate::support::sandbox::{Running, Sandbox};

/// What is shown, without its cuts into lines.
fn status(sandbox: &Sandbox) -> String {
    let shown = sandbox.run(&["status", "--state-dir", "state"]).expect(0).answer();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A tripline with an open alert of the rule `disk`.
fn raised(sandbox: &Sandbox) -> Running {
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad\n");
    running.tells("disk", "critical");
    running
}

/// What takes the rule file away in one of several ways ends nothing, and is told, until it is back.
fn check(config: &str, asked: bool, lose: impl Fn(&Sandbox), says: &str) {
    let sandbox = sandbox(config, DISK);
    let mut running = raised(&sandbox);
    lose(&sandbox);
    if asked {
        running.signal(Signal::HUP);
    }
    running.says(says);
    running.metric("tripline_config_last_reload_successful", |fits| fits == 0.0);
    let shown = status(&sandbox);
    assert!(shown.contains(says) && shown.contains("disk sda"), "{shown}");
    sandbox.write("rules/r.toml", DISK);
    running.says("the configuration was loaded");
    running.metric("tripline_config_last_reload_successful", |fits| fits == 1.0);
    let shown = status(&sandbox);
    assert!(!shown.contains(says) && shown.contains("disk sda"), "{shown}");
    sandbox.append("app.log", "disk sda good\n");
    let ended = running.tells("disk", "ok");
    assert_eq!(ended["reason"], "recovery line seen");
    running.stop().expect(0);
}

fn remove(sandbox: &Sandbox) {
    std::fs::remove_file(sandbox.path("rules/r.toml")).expect("it is there");
}

fn remove_all(sandbox: &Sandbox) {
    std::fs::remove_dir_all(sandbox.path("rules")).expect("it is there");
}

#[test]
fn rules_whose_files_are_gone_stay_in_force_until_they_are_back() {
    let lost = "no rule file fits";
    check(TO_STDOUT, false, remove, lost);
    check(TO_STDOUT, true, remove_all, lost);
    check(&format!("rules = \"rules\"\n{TO_STDOUT}"), false, remove, lost);
    check(
        &format!("rules = \"rules/r.toml\"\n{TO_STDOUT}"),
        false,
        remove_all,
        "the configuration on disk is wrong",
    );
}

#[test]
fn a_file_that_a_full_disk_has_emptied_ends_nothing() {
    let emptied = |sandbox: &Sandbox| sandbox.write("rules/r.toml", "");
    check(TO_STDOUT, true, emptied, "rules/r.toml` is empty");
    // So it is if there are others.
    let beside = |sandbox: &Sandbox| {
        sandbox.write("rules/other.toml", DISK.replace("disk", "plate"));
        sandbox.write("rules/r.toml", "\n");
    };
    check(TO_STDOUT, false, beside, "rules/r.toml` is empty");
    let sandbox = sandbox(TO_STDOUT, DISK);
    raised(&sandbox).stop().expect(0);
    sandbox.write("rules/r.toml", "");
    let talk = sandbox.run(&["run"]).expect(2).talk();
    assert!(
        talk.contains("rules/r.toml` is empty, and 1 open alert is of a rule that is not there: `disk`"),
        "{talk}"
    );
    // Who means it leaves a word.
    sandbox.write("rules/r.toml", "# nothing any more\n");
    let mut running = sandbox.watch("tripline.toml");
    assert_eq!(running.tells("disk", "ok")["reason"], "rule gone");
    running.stop().expect(0);
}

#[test]
fn a_directory_that_can_not_be_read_is_not_an_empty_one() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = raised(&sandbox);
    // As a mount that has broken: it is there, and can not be looked into, by whoever.
    remove_all(&sandbox);
    std::os::unix::fs::symlink("rules", sandbox.path("rules")).expect("the sandbox can be written");
    running.says("can not read the directory");
    running.metric("tripline_config_last_reload_successful", |fits| fits == 0.0);
    assert!(status(&sandbox).contains("disk sda"));
    running.stop().expect(0);
    // And a start refuses it as well.
    let refused = sandbox.run(&["run"]).expect(2);
    assert!(refused.talk().contains("can not read the directory"), "{refused:?}");
}

#[test]
fn a_fifo_among_the_rules_is_told_and_keeps_nobody_waiting() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = raised(&sandbox);
    let fifo = sandbox.path("rules/f.toml");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
    assert!(made.success());
    running.says("it is a FIFO, and no regular file");
    for (args, code) in [(&["check"][..], 1), (&["check", "rules/f.toml"], 1), (&["run"], 2)] {
        let refused = sandbox.run(args).expect(code);
        assert!(format!("{refused:?}").contains("it is a FIFO"), "{refused:?}");
    }
    std::fs::remove_file(fifo).expect("it is there");
    sandbox.write("rules/r2.toml", DISK.replace("disk", "plate"));
    running.says("the configuration was loaded rules=2");
    // What is open is counted at the next start: it is not told again.
    running.stop().expect(0);
    let mut running = sandbox.watch("tripline.toml");
    running.says("open since before, and told then: `tripline status` shows them alerts=1");
    running.stop().expect(0);
}

#[test]
fn a_start_without_the_files_of_an_open_alert_is_refused() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    raised(&sandbox).stop().expect(0);
    remove(&sandbox);
    let refused = sandbox.run(&["run"]).expect(2);
    let talk = refused.talk();
    assert!(
        talk.contains("fits `rules/*.toml`, and 1 open alert is of a rule that is not there: `disk`"),
        "{talk}"
    );
    // Who means it says so: then it is over.
    sandbox.write("tripline.toml", format!("rules = []\n{TO_STDOUT}"));
    let mut running = sandbox.watch("tripline.toml");
    let ended = running.tells("disk", "ok");
    assert_eq!(ended["reason"], "rule gone");
    assert!(status(&sandbox).contains("no rule is in force, so nothing is watched"));
    running.stop().expect(0);
    // Nothing is open any more: files may come later.
    sandbox.write("tripline.toml", TO_STDOUT);
    let mut running = sandbox.watch("tripline.toml");
    running.says("no rule file fits");
    assert!(status(&sandbox).contains("no rule is in force, so nothing is watched"));
    sandbox.write("rules/r.toml", DISK);
    running.says("the configuration was loaded rules=1");
    assert!(!status(&sandbox).contains("no rule is in force"));
    running.stop().expect(0);
}

#[test]
fn a_configuration_that_is_gone_is_told_and_is_in_force_again_when_it_is_back() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = raised(&sandbox);
    std::fs::remove_file(sandbox.path("tripline.toml")).expect("it is there");
    running.says("can not read `tripline.toml`");
    let shown = status(&sandbox);
    assert!(shown.contains("can not read `tripline.toml`"), "{shown}");
    sandbox.write("tripline.toml", TO_STDOUT);
    running.says("the configuration was loaded");
    running.stop().expect(0);
}
