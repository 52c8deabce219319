//! A peer that fails in every way.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::support::sandbox::{Peer, accepted, told};
use crate::support::script::Step;

/// Unlike anything that may stand in an output by chance.
const KEY: &str = "C4n4ryK3y0123456789abcdef";

#[test]
fn everything_arrives_in_order_whatever_the_peer_does_and_the_key_is_nowhere() {
    const DISKS: [&str; 3] = ["sda", "sdb", "sdc"];
    let (over, first) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let bad_key = format!(
        r#"{{"request_id":"1","error":{{"code":"InvalidParameter","message":"integration_key {KEY} is invalid"}}}}"#
    );
    let quoting = |status| Step::json(status, &format!("{{\"error\":{{\"message\":\"{KEY}\"}}}}"));
    let peer = Peer::new([
        // The first is held until all the others are owed as well.
        Step::WhenTold(Arc::clone(&first), Box::new(quoting(500))),
        Step::WhenTold(Arc::clone(&over), Box::new(Step::Close)),
        Step::Answer { status: 429, headers: vec![("retry-after", "1".to_owned())], body: String::new() },
        // From here on the sink is suspended and tried once a second.
        Step::json(400, &bad_key),
        Step::Answer {
            status: 302,
            headers: vec![("location", format!("http://127.0.0.1:1/{KEY}"))],
            body: String::new(),
        },
        Step::Close,
        Step::Reset,
        Step::Raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{{\"request_id\":\"{KEY}\"").into()),
        quoting(503),
        Step::json(400, &bad_key),
    ]);
    let sandbox = super::sandbox(&super::config(&peer.url()), super::DISK);
    sandbox.write("key", KEY);
    let mut command = sandbox.command(&["run"]);
    command.env("TRIPLINE_LOG", "trace");
    let mut running = crate::support::sandbox::Running::start(command);
    running.says("following");

    sandbox.append("app.log", "disk sda bad\n");
    peer.wait_until("the first raise", |requests| !requests.is_empty());
    sandbox.append("app.log", "disk sdb bad\ndisk sdc bad\n");
    peer.wait_until("a second", |requests| requests.len() >= 2);
    sandbox.append("app.log", "disk sda good\ndisk sdb good\ndisk sdc good\ndisk sda bad\n");
    running.metric("tripline_outbox_deliveries{sink=\"oncall\"}", |owed| owed >= 7.0);
    first.notify_one();
    over.notify_one();

    peer.wait_until("every raise and resolve", |requests| {
        let told: Vec<_> = accepted(requests).iter().map(|told| told["event_status"].to_string()).collect();
        told.iter().filter(|status| *status == "\"Critical\"").count() >= 4
            && told.iter().filter(|status| *status == "\"Ok\"").count() >= 3
    });
    running.metric("tripline_outbox_deliveries{sink=\"oncall\"}", |owed| owed == 0.0);
    let metrics = running.get("/metrics") + &running.get("/") + &running.get("/readyz");
    let finished = running.stop().expect(0);

    let requests = peer.received();
    for disk in DISKS {
        let of_disk = |all: Vec<serde_json::Value>| -> Vec<String> {
            let mine = all.into_iter().filter(|told| told["labels"]["dev"] == disk);
            mine.map(|told| told["event_status"].as_str().expect("a status").to_owned()).collect()
        };
        let taken = of_disk(accepted(&requests));
        let tried = of_disk(requests.iter().map(told).collect());
        let whole: &[&str] =
            if disk == "sda" { &["Critical", "Ok", "Critical"] } else { &["Critical", "Ok"] };
        assert_eq!(taken, whole, "{disk}");
        let mut changes = tried.clone();
        changes.dedup();
        assert_eq!(changes, whole, "{disk}: {tried:?}");
    }
    let refused = requests.iter().filter(|request| request.status != Some(200)).count();
    assert!(refused >= 8, "the whole script was played: {refused}");

    for (place, text) in [("stdout", finished.answer()), ("stderr", finished.talk()), ("admin", metrics)] {
        assert!(!text.contains(KEY), "the key is in {place}: {text}");
    }
    assert!(finished.talk().contains("sink suspended"), "{finished:#?}");
    let state = sandbox.read("state/state.redb");
    assert!(!state.windows(KEY.len()).any(|bytes| bytes == KEY.as_bytes()), "the key is in the state");
}
