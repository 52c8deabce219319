//! What is said of changes, from the log to stdout.

use crate::support::sandbox::{Finished, Out, Sandbox};

/// A rule about deployments, and another one about errors.
const CHANGES: &str = r#"[[rule]]
name          = "deploy"
source        = "app"
kind          = "change"
match         = 'deploy (?<app>\S+) (?<version>\S+) (?<phase>started|finished|failed)'
change_key    = "{app}-{version}"
change_status = { started = "Processing", finished = "Done", failed = "Canceled" }
summary       = "{app} {version} {phase}"

[[rule]]
name   = "error"
source = "app"
match  = 'ERROR'
resolve_after = "1m"
"#;

/// Of each JSON line its time, and how the alert or the change stands.
fn stands(finished: &Finished) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let one = |json: &serde_json::Value| match json.get("kind") {
        Some(_) => {
            format!("{} {} {}", text(&json["time"]), text(&json["change_key"]), text(&json["change_status"]))
        }
        None => format!("{} {} {}", text(&json["time"]), text(&json["rule"]), text(&json["status"])),
    };
    finished.json().iter().map(one).collect()
}

#[test]
fn a_replay_shows_changes_among_transitions_in_the_order_of_time() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", CHANGES);
    let log = "2026-01-05T10:00:00Z deploy api 1.4 started\n2026-01-05T10:00:10Z ERROR\n\
               2026-01-05T10:00:20Z deploy api 1.4 paused\n2026-01-05T10:00:30Z deploy api 1.4 failed\n\
               2026-01-05T10:05:00Z deploy api 1.3 started\n";
    sandbox.write("a.log", log);
    let finished = sandbox.run(&["replay", "--rules", "rules.toml", "--json", "a.log"]).expect(0);
    let expected = [
        "2026-01-05T10:00:00Z api-1.4 Processing",
        "2026-01-05T10:00:10Z error warning",
        "2026-01-05T10:00:30Z api-1.4 Canceled",
        "2026-01-05T10:01:10Z error ok",
        "2026-01-05T10:05:00Z api-1.3 Processing",
    ];
    assert_eq!(stands(&finished), expected);
}

#[test]
fn a_running_tripline_tells_of_each_change_once_over_a_kill() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "tripline.toml",
        "state_dir = 'state'\n[admin]\nlisten = 'off'\n[[source]]\nname = 'app'\nfiles = ['a.log']\n\
         start = 'beginning'\n",
    );
    sandbox.write("rules/a.toml", CHANGES);
    sandbox.write("a.log", "deploy api 1 started\n");
    let mut running = sandbox.start(&["run"]);
    running.wait_for(Out::Stdout, "the first change", |line| line.contains("\"api-1\""));
    // Whether it was accepted before the kill is anybody's guess: then it comes again, as the same.
    let first = running.kill();
    sandbox.append("a.log", "deploy api 2 started\ndeploy api 2 finished\n");
    let mut running = sandbox.start(&["run"]);
    running.wait_for(Out::Stdout, "the last change", |line| line.contains("\"Done\""));
    let second = running.stop();
    let mut told: Vec<(String, String)> = Vec::new();
    for json in first.json().into_iter().chain(second.json()) {
        let of = |name: &str| json[name].as_str().unwrap().to_owned();
        let one = (of("id"), format!("{} {}", of("change_key"), of("change_status")));
        if !told.contains(&one) {
            told.push(one);
        }
    }
    let told: Vec<_> = told.iter().map(|(_, stands)| stands.as_str()).collect();
    assert_eq!(told, ["api-1 Processing", "api-2 Processing", "api-2 Done"]);
}
