//! A real Alertmanager, whose own notifications are the witness: what it was told is what somebody hears.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::is_installed;
use crate::support::sandbox::{Out, Peer, Running, Sandbox, parse};
use crate::support::script::{Received, Step};

pub(super) const PROGRAM: &str = "prometheus-alertmanager";

/// A disk that is bad until it is good, and one that may get worse.
const RULES: &str = r#"
[[rule]]
name     = "disk"
source   = "app"
match    = 'disk (?<dev>\S+) (?<n>\d+) bad'
resolve  = 'disk (?<dev>\S+) good'
by       = ["dev"]
measure  = "last(n)"
warning  = ">= 1"
critical = ">= 5"
summary  = "disk {dev}"
"#;

/// A running Alertmanager that notifies at once.
pub(super) struct Alertmanager {
    running: Running,
    pub(super) address: String,
}

impl Alertmanager {
    /// Starts one in a directory of `sandbox`; it goes on with what it has written down there.
    pub(super) fn start(sandbox: &Sandbox, name: &str, witness: &str, address: &str) -> Alertmanager {
        let config = format!(
            "route:\n  receiver: witness\n  group_by: [alertname, alert_key]\n  group_wait: 0s\n  \
             group_interval: 1s\n  repeat_interval: 10h\nreceivers:\n- name: witness\n  webhook_configs:\n  \
             - url: {witness}\n    send_resolved: true\n"
        );
        sandbox.write(&format!("{name}.yml"), config);
        let mut command = Command::new(PROGRAM);
        command
            .arg(format!("--config.file={}", sandbox.path(&format!("{name}.yml")).display()))
            .arg(format!("--storage.path={}", sandbox.path(name).display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running::start(command);
        let said = running.wait_for(Out::Stderr, "its address", |line| {
            line.contains("Listening on") && line.contains("address=")
        });
        let address = said.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        Alertmanager { running, address: address.expect("an address").to_owned() }
    }

    /// Ends it without a chance to write anything down.
    fn kill(self) -> String {
        self.running.kill();
        self.address
    }

    /// The alerts it has, by their device.
    pub(super) fn alerts(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(&self.address).expect("it answers");
        let host = &self.address;
        let request = format!("GET /api/v2/alerts HTTP/1.0\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it speaks UTF-8");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        parse(body).as_array().expect("a list").clone()
    }
}

/// What was notified: the device, and whether it fires.
fn heard(requests: &[Received]) -> Vec<String> {
    heard_by(requests, "dev")
}

/// What was notified of alerts with that label: its value, and whether it fires.
pub(super) fn heard_by(requests: &[Received], label: &str) -> Vec<String> {
    let mut heard = Vec::new();
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).expect("a notification is JSON");
        for alert in body["alerts"].as_array().expect("a list") {
            if let Some(dev) = alert["labels"][label].as_str() {
                heard.push(format!("{dev} {}", alert["status"].as_str().expect("a status")));
            }
        }
    }
    heard.dedup();
    heard
}

/// True if each of these was notified.
fn are_heard(requests: &[Received], told: &[&str]) -> bool {
    let heard = heard(requests);
    told.iter().all(|told| heard.iter().any(|heard| heard == told))
}

/// Tells these instances, and again after so long.
fn config(urls: &str, resend: &str) -> String {
    format!(
        "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'app'\nfiles = ['app.log']\n\
         [[sink]]\nname = 'am'\ntype = 'alertmanager'\nurls = [{urls}]\nresend = '{resend}'\n\
         hold_on_shutdown = '10m'\n"
    )
}

/// Where a tripline runs with that [`config`].
fn telling(urls: &str, resend: &str) -> Sandbox {
    super::sandbox(&config(urls, resend), RULES)
}

/// Instances that notify a witness each, and a tripline that tells all of them.
struct Cluster {
    /// Where the instances write down what they know.
    home: Sandbox,
    witnesses: Vec<Peer>,
    instances: Vec<Alertmanager>,
    /// Where tripline runs.
    sandbox: Sandbox,
    running: Running,
}

impl Cluster {
    fn start(names: &[&str]) -> Cluster {
        let home = Sandbox::new();
        let witnesses: Vec<Peer> = names.iter().map(|_| Peer::new([])).collect();
        let start =
            |(name, witness): (&&str, &Peer)| Alertmanager::start(&home, name, &witness.url(), "127.0.0.1:0");
        let instances: Vec<Alertmanager> = names.iter().zip(&witnesses).map(start).collect();
        let urls: Vec<String> = instances.iter().map(|one| format!("'http://{}'", one.address)).collect();
        let sandbox = telling(&urls.join(", "), "1s");
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        Cluster { home, witnesses, instances, sandbox, running }
    }
}

#[test]
fn what_an_alertmanager_is_told_is_heard_by_somebody_though_it_is_killed_in_between() {
    if !is_installed(PROGRAM) {
        return;
    }
    let Cluster { home, witnesses, mut instances, sandbox, mut running } = Cluster::start(&["one"]);
    let witness = &witnesses[0];
    sandbox.append("app.log", "disk sda 1 bad\ndisk sdb 1 bad\n");
    witness.wait_until("two alerts", |requests| heard(requests).len() >= 2);
    // It gets worse, and is the same alert there.
    sandbox.append("app.log", "disk sda 7 bad\n");
    running.metric("tripline_alerts{rule=\"disk\",status=\"critical\"}", |open| open == 1.0);
    sandbox.append("app.log", "disk sda good\n");
    witness.wait_until("the end of the first", |requests| are_heard(requests, &["sda resolved"]));

    // Killed, it has forgotten whom it notified of the second.
    let address = instances.remove(0).kill();
    let peer = Alertmanager::start(&home, "one", &witness.url(), &address);
    sandbox.append("app.log", "disk sdb good\n");
    let requests =
        witness.wait_until("the end of the second", |requests| are_heard(requests, &["sdb resolved"]));
    let mut told = heard(&requests);
    told.retain(|told| told.starts_with("sda"));
    assert_eq!(told, ["sda firing", "sda resolved"]);
    running.stop().expect(0);
    peer.kill();
}

#[test]
fn while_tripline_is_away_nothing_is_announced_as_over_and_what_fires_outlives_a_stop() {
    if !is_installed(PROGRAM) {
        return;
    }
    let Cluster { home: _home, witnesses, instances, sandbox, running } = Cluster::start(&["one"]);
    let (witness, peer) = (&witnesses[0], &instances[0]);
    sandbox.append("app.log", "disk sda 1 bad\n");
    witness.wait_until("the alert", |requests| !heard(requests).is_empty());
    assert_eq!(running.kill().code, None);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    // What stood is told again though nothing happens.
    let ends = || peer.alerts()[0]["endsAt"].as_str().expect("an end").to_owned();
    let mut again = 0;
    let mut last = ends();
    while again < 6 {
        let now = ends();
        again += usize::from(now != last);
        last = now;
    }
    assert_eq!(heard(&witness.received()), ["sda firing"], "more than four times `resend` have passed");
    // The last word before a stop lies further ahead.
    running.stop().expect(0);
    let minutes = |from: &str, to: &str| {
        let at = |text: &str| text.parse::<jiff::Timestamp>().expect("a time").as_second();
        (at(to) - at(from)) / 60
    };
    assert!(minutes(&last, &ends()) >= 9, "{last} {}", ends());
    let running = sandbox.watch("tripline.toml");
    sandbox.append("app.log", "disk sda good\n");
    witness
        .wait_until("the end", |requests| heard(requests).last().is_some_and(|last| last == "sda resolved"));
    running.stop().expect(0);
}

#[test]
fn every_instance_of_a_cluster_is_told_everything_whatever_becomes_of_the_others() {
    if !is_installed(PROGRAM) {
        return;
    }
    let Cluster { home, witnesses, mut instances, sandbox, running } = Cluster::start(&["one", "two"]);
    let both = |requests: &[Received]| are_heard(requests, &["sda resolved", "sdb firing"]);
    sandbox.append("app.log", "disk sda 1 bad\n");
    for witness in &witnesses {
        witness.wait_until("the alert", |requests| !heard(requests).is_empty());
    }
    let address = instances.remove(0).kill();
    sandbox.append("app.log", "disk sda good\ndisk sdb 1 bad\n");
    witnesses[1].wait_until("both", both);
    let one = Alertmanager::start(&home, "one", &witnesses[0].url(), &address);
    witnesses[0].wait_until("both, late", both);
    running.stop().expect(0);
    one.kill();
}

/// What a request tells an instance of, in its order: the device, and whether that is over.
fn posted(request: &Received) -> Vec<String> {
    if !request.head.starts_with("POST ") {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&request.body).expect("alerts are JSON");
    let of = |alert: &Value| {
        let end: jiff::Timestamp = alert["endsAt"].as_str().expect("an end").parse().expect("it is a time");
        let state = if end <= jiff::Timestamp::now() { "over" } else { "firing" };
        format!("{} {state}", alert["labels"]["dev"].as_str().expect("a device"))
    };
    body.as_array().expect("a list").iter().map(of).collect()
}

#[test]
fn an_end_whose_answer_was_lost_with_a_killed_tripline_is_told_again_and_nothing_fires_before() {
    let is_over = |request: &Received| posted(request) == ["sda over"];
    let lost = AtomicBool::new(false);
    let peer = Peer::answering(Arc::new(move |request| {
        if request.head.starts_with("GET ") {
            // It began an hour ago, by its own clock: it has heard of everything.
            let date = vec![("date", "Mon, 05 Jan 2026 10:00:00 GMT".to_owned())];
            let body = r#"{"uptime":"2026-01-05T09:00:00.000Z"}"#.to_owned();
            return Step::Answer { status: 200, headers: date, body };
        }
        match is_over(request) && !lost.swap(true, Ordering::Relaxed) {
            true => Step::Hang,
            false => Step::json(200, ""),
        }
    }));
    // What fires ends further ahead than any test lasts.
    let sandbox = telling(&format!("'{}'", peer.url()), "1m");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda 1 bad\n");
    running.says("delivery accepted");
    sandbox.append("app.log", "disk sda good\n");
    peer.wait_until("the end", |requests| requests.iter().any(is_over));
    assert_eq!(running.kill().code, None);

    let running = sandbox.watch("tripline.toml");
    let twice = |requests: &[Received]| requests.iter().filter(|one| is_over(one)).count() >= 2;
    peer.wait_until("the end, again", twice);
    sandbox.append("app.log", "disk sdb 1 bad\n");
    let requests = peer
        .wait_until("what comes next", |requests| requests.iter().any(|one| posted(one) == ["sdb firing"]));
    running.stop().expect(0);
    let told: Vec<String> = requests.iter().flat_map(posted).collect();
    assert_eq!(told, ["sda firing", "sda over", "sda over", "sdb firing"]);
    let ends: Vec<&Received> = requests.iter().filter(|one| is_over(one)).collect();
    assert_eq!(ends[0].body, ends[1].body, "it is the same word for word");
}

#[test]
fn what_is_open_is_known_to_every_instance_whichever_come_and_go() {
    let instance = || {
        Peer::answering(Arc::new(|request: &Received| {
            // It began an hour ago, by its own clock.
            let date = vec![("date", "Mon, 05 Jan 2026 10:00:00 GMT".to_owned())];
            let body = r#"{"uptime":"2026-01-05T09:00:00.000Z"}"#.to_owned();
            match request.head.starts_with("GET ") {
                true => Step::Answer { status: 200, headers: date, body },
                false => Step::json(200, ""),
            }
        }))
    };
    let [one, two, three] = [instance(), instance(), instance()];
    let hears = |peer: &Peer, told: &str| {
        peer.wait_until(told, |requests| requests.iter().flat_map(posted).any(|posted| posted == told))
    };
    let those = |peers: &[&Peer]| {
        let urls: Vec<String> = peers.iter().map(|peer| format!("'{}'", peer.url())).collect();
        // What fires ends further ahead than any test lasts.
        config(&urls.join(", "), "1m")
    };
    let sandbox = super::sandbox(&those(&[&one]), RULES);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda 1 bad\n");
    hears(&one, "sda firing");
    assert_eq!(running.kill().code, None);

    // A second one, over a restart; the first goes on as it was.
    sandbox.write("tripline.toml", those(&[&one, &two]));
    let told = one.received().len();
    let mut running = sandbox.watch("tripline.toml");
    hears(&two, "sda firing");
    one.wait_until("what stands there, again", |requests| requests.len() > told);
    // A third one by a reload, and the first is gone.
    sandbox.write("tripline.toml", those(&[&two, &three]));
    running.says("the configuration was loaded");
    hears(&three, "sda firing");
    assert_eq!(running.kill().code, None);

    // Down to one.
    sandbox.write("tripline.toml", those(&[&three]));
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda good\n");
    hears(&three, "sda over");
    running.stop().expect(0);
    for (peer, ends) in [(&one, 0), (&two, 0), (&three, 1)] {
        let told: Vec<String> = peer.received().iter().flat_map(posted).collect();
        assert_eq!(told.iter().filter(|told| *told == "sda over").count(), ends, "{told:?}");
    }
}
