//! What is said of changes, from the log to stdout.

use crate::support::sandbox::{Finished, Out, Peer, Sandbox, told};
use crate::support::script::Step;

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
fn two_sets_of_rules_are_compared_in_what_they_say_of_changes() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", CHANGES);
    let other = CHANGES.replace("|failed)", ")").replace(", failed = \"Canceled\"", "");
    sandbox.write("other.toml", other.replace("\"Done\"", "\"Canceled\""));
    sandbox.write(
        "a.log",
        "2026-01-05T10:00:00Z deploy <b>1 started\n2026-01-05T10:00:30Z deploy web 1 started\n\
         2026-01-05T10:01:00Z deploy web 1 failed\n2026-01-05T10:02:00Z deploy api 2 started\n\
         2026-01-05T10:03:00Z deploy <i> 2 finished\n",
    );
    let run = |against: &str, args: &[&str]| {
        let args =
            [&["replay", "--rules", "rules.toml", "--tz=UTC", "--against", against, "a.log"], args].concat();
        sandbox.run(&args)
    };
    let alike = run("rules.toml", &[]).expect(0);
    assert!(alike.talk().contains("4 lines about changes alike, 0 only with --rules"), "{alike:?}");
    let found = run("other.toml", &["--html", "page.html"]).expect(1);
    let lines: Vec<&str> = found.stdout.iter().map(|line| line.trim_end()).collect();
    let expected = [
        "- 2026-01-05T10:01:00Z  CHANGE    deploy  web-1 is Canceled: web 1 failed",
        "~ 2026-01-05T10:03:00Z  CHANGE    deploy  <i>-2 is Canceled: <i> 2 finished",
        "    with --against: Canceled instead of Done",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert_eq!(lines.len(), 3);
    assert!(
        found
            .talk()
            .contains("2 lines about changes alike, 1 only with --rules, 0 only with --against, 1 different")
    );
    let page = String::from_utf8(sandbox.read("page.html")).expect("a page is UTF-8");
    for words in
        ["− only with --rules", "&lt;i&gt;-2 is Canceled", "with --against: Canceled instead of Done"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let json = run("other.toml", &["--json"]).expect(1).json();
    assert_eq!(json[0]["difference"], "only_with_rules");
    assert_eq!((&json[1]["kind"], &json[1]["change_key"]), (&"change".into(), &"<i>-2".into()));
    assert_eq!(
        (&json[1]["rules"]["change_status"], &json[1]["against"]["change_status"]),
        (&"Done".into(), &"Canceled".into())
    );
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

/// A configuration that tells a Flashduty of alerts and of changes.
fn flashduty(url: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let config = format!(
        "state_dir = 'state'\n[admin]\nlisten = 'off'\n[[source]]\nname = 'app'\nfiles = ['a.log']\n\
         start = 'beginning'\n[[sink]]\nname = 'oncall'\ntype = 'flashduty'\nurl = '{url}'\n\
         integration_key_file = 'alerts'\nchange_integration_key_file = 'changes'\n"
    );
    sandbox.write("tripline.toml", &config);
    sandbox.write("rules/a.toml", CHANGES);
    sandbox.write("alerts", "alertkey");
    sandbox.write("changes", "changekey");
    sandbox
}

#[test]
fn a_flashduty_hears_of_changes_at_another_address_and_in_order() {
    let peer = Peer::new([]);
    let sandbox = flashduty(&peer.url());
    sandbox.write("a.log", "deploy api 1 started\nERROR\ndeploy api 1 finished\n");
    let running = sandbox.start(&["run"]);
    let requests = peer.wait_until("an alert and two words of a change", |requests| requests.len() >= 3);
    running.stop().expect(0);
    let at = |path: &str| requests.iter().filter(|request| request.head.contains(path)).collect::<Vec<_>>();
    assert_eq!(at("POST /event/push/alert/standard?integration_key=alertkey ").len(), 1);
    let changes = at("POST /event/push/change/standard?integration_key=changekey ");
    let stands: Vec<String> = changes
        .iter()
        .map(|request| told(request))
        .map(|told| format!("{} {} {}", told["change_key"], told["change_status"], told["title"]))
        .collect();
    assert_eq!(stands, [r#""api-1" "Processing" "api 1 started""#, r#""api-1" "Done" "api 1 finished""#]);
}

#[test]
fn a_change_goes_forward_at_a_flashduty_and_lives_again_over_a_restart() {
    let peer = Peer::new([]);
    let sandbox = flashduty(&peer.url());
    let rules = CHANGES
        .replace("|failed)", "|failed|planned)")
        .replace("{ started", "{ planned = \"Planned\", started");
    sandbox.write("rules/a.toml", &rules);
    sandbox.write("a.log", "deploy api 1 started\ndeploy api 1 planned\ndeploy api 1 finished\n");
    let running = sandbox.start(&["run"]);
    peer.wait_until("the first life", |requests| requests.len() >= 2);
    running.stop().expect(0);
    sandbox.append("a.log", "deploy api 1 failed\ndeploy api 1 planned\ndeploy api 1 finished\n");
    let running = sandbox.start(&["run"]);
    let requests = peer.wait_until("the second life", |requests| requests.len() >= 5);
    running.stop().expect(0);
    let stands = requests.iter().map(told);
    let stands: Vec<_> =
        stands.map(|told| format!("{} {}", told["change_key"], told["change_status"])).collect();
    let expected = [
        r#""api-1" "Processing""#,
        r#""api-1" "Done""#,
        r#""api-1" "Canceled""#,
        r#""api-1#2" "Planned""#,
        r#""api-1#2" "Done""#,
    ];
    assert_eq!(stands, expected);
}

#[test]
fn a_wrong_key_for_changes_holds_up_no_alert() {
    let refused =
        r#"{"request_id":"1","error":{"code":"InvalidParameter","message":"integration_key is wrong"}}"#;
    let peer = Peer::new([Step::json(400, refused)]);
    let sandbox = flashduty(&peer.url());
    sandbox.write("a.log", "deploy api 1 started\n");
    let mut running = sandbox.start(&["run"]);
    running.says("sink suspended");
    sandbox.append("a.log", "ERROR\n");
    // That the sink of changes is suspended is an alert too, and it is told.
    let requests = peer.wait_until("two alerts", |requests| requests.len() >= 3);
    running.stop().expect(0);
    let of: Vec<String> =
        requests[1..].iter().map(|request| told(request)["labels"]["rule"].to_string()).collect();
    assert!(
        of.contains(&"\"error\"".to_owned()) && of.contains(&"\"tripline_sink_suspended\"".to_owned()),
        "{of:?}"
    );
}
