//! Rules that name their files.

use super::{TO_STDOUT, sandbox};
use crate::support::sandbox::Sandbox;

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
