//! PagerDuty as the peer: an alert through its life, and changes beside it.

use serde_json::Value;

use super::sandbox;
use crate::support::sandbox::{Peer, told};
use crate::support::script::Step;

const RULES: &str = r#"
[[rule]]
name     = "disk"
source   = "app"
match    = 'disk (?<dev>\S+) (?<n>\d+) used'
by       = ["dev"]
measure  = "last(n)"
warning  = ">= 80"
critical = ">= 95"
resolve_after = "0s"
summary  = "disk {dev} is at {n}"

[[rule]]
name          = "deploy"
source        = "app"
kind          = "change"
match         = 'deploy (?<app>\S+) (?<phase>started|finished)'
change_key    = "{app}"
change_status = { started = "Processing", finished = "Done" }
summary       = "{app} {phase}"
"#;

fn config(url: &str) -> String {
    format!(
        "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'app'\nfiles = ['app.log']\n\
         [[sink]]\nname = 'pd'\ntype = 'pagerduty'\nurl = '{url}'\nrouting_key_file = 'key'\nprobe_every = '1s'\n\
         severity = {{ warning = 'error' }}\n"
    )
}

const KEY: &str = "0123456789abcdef0123456789ABCDEF";

fn accept() -> Step {
    Step::json(202, r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#)
}

#[test]
fn an_alert_goes_through_its_life_and_changes_have_an_address_of_their_own() {
    let peer = Peer::new((0..20).map(|_| accept()));
    let sandbox = sandbox(&config(&peer.url()), RULES);
    sandbox.write("key", KEY);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    for (line, requests) in [
        ("disk sda 85 used\n", 1),
        ("disk sda 97 used\n", 2),
        ("disk sda 90 used\n", 3),
        ("disk sda 10 used\n", 4),
        ("deploy api started\n", 5),
        ("deploy api finished\n", 6),
    ] {
        sandbox.append("app.log", line);
        peer.wait_until(line, |seen| seen.len() >= requests);
    }
    running.stop().expect(0);
    let line = |request: &crate::support::script::Received| {
        let told = told(request);
        let path = request.head.split_whitespace().nth(1).expect("a path").to_owned();
        let of = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        assert_eq!(told["routing_key"], KEY);
        let (action, payload) = (of(&told["event_action"]), &told["payload"]);
        format!("{path} {action} {} {}", of(&payload["severity"]), of(&payload["summary"]))
    };
    let record: Vec<String> = peer.received().iter().map(line).collect();
    let expected = [
        "/v2/enqueue trigger error disk sda is at 85",
        "/v2/enqueue trigger critical disk sda is at 97",
        "/v2/enqueue trigger error disk sda is at 90",
        "/v2/enqueue resolve - -",
        "/v2/change/enqueue - - api started",
        "/v2/change/enqueue - - api finished",
    ];
    assert_eq!(record, expected);
    let keys: std::collections::BTreeSet<String> =
        peer.received()[..4].iter().map(|request| told(request)["dedup_key"].to_string()).collect();
    assert_eq!(keys.len(), 1);
}

#[test]
fn a_key_of_another_form_is_found_out_at_the_start_and_shown_nowhere() {
    let sandbox = sandbox(&config("http://127.0.0.1:1"), RULES);
    sandbox.write("key", "CANARY0123");
    let refused = sandbox.run(&["run"]).expect(2);
    assert!(refused.talk().contains("a routing key has 32 letters and digits"), "{refused:?}");
    assert!(!refused.talk().contains("CANARY"), "{refused:?}");
}
