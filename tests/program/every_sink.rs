//! One configuration with every type of sink, scripted peers and a real Alertmanager: everybody hears the same story,
//! once from beginning to end, and once by a program that is killed again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::alertmanager::{self, Alertmanager};
use super::chats::{CHATS, Chat};
use super::{LOAD, is_installed, status_page};
use crate::support::sandbox::{Out, Peer, Running, Sandbox, told};
use crate::support::script::{Received, Step};
use crate::support::status_page::{KEY, PAGE, StatusPage};

/// Rules name all of them.
const DEFAULTS: &str = r#"
[defaults]
sinks = ["terminal", "fd", "pd", "am", "hook", "slack", "feishu", "dingtalk", "wecom", "page", "file", "exec"]
"#;

/// Deployments.
const DEPLOY: &str = r#"
[[rule]]
name          = "deploy"
source        = "app"
kind          = "change"
match         = 'deploy (?<app>\S+) (?<phase>\S+)'
change_key    = "{app}"
change_status = { phase = { planned = "Planned", started = "Processing", finished = "Done" } }
summary       = "deploy of {app} {phase}"
"#;

/// Those of which [`Everyone::record`] knows what they heard.
const TELLING: [&str; 5] = ["exec", "fd", "file", "hook", "pd"];

/// Everybody who is told, and the place where tripline runs.
struct Everyone {
    sandbox: Sandbox,
    peers: BTreeMap<&'static str, Peer>,
    page: Arc<Mutex<StatusPage>>,
    alertmanager: Alertmanager,
    _home: Sandbox,
}

fn answering(body: &'static str) -> Peer {
    let status = if body.contains("Event processed") { 202 } else { 200 };
    Peer::answering(Arc::new(move |_| Step::Answer { status, headers: Vec::new(), body: body.to_owned() }))
}

impl Everyone {
    fn new() -> Everyone {
        let (page_peer, page) = status_page::serve(|_, _| None);
        let mut peers = BTreeMap::from([
            ("fd", Peer::new([])),
            ("pd", answering(r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#)),
            ("hook", answering("")),
            ("witness", Peer::new([])),
            ("page", page_peer),
        ]);
        peers.extend(CHATS.map(|chat| (chat.kind, answering(chat.yes))));
        let home = Sandbox::new();
        let alertmanager = Alertmanager::start(&home, "one", &peers["witness"].url(), "127.0.0.1:0");
        let url = |name: &str| peers[name].url();
        let sandbox = Sandbox::new();
        let http = format!(
            "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'app'\nfiles = ['app.log']\n\
             [[sink]]\nname = 'terminal'\ntype = 'stdout'\n\
             [[sink]]\nname = 'fd'\ntype = 'flashduty'\nurl = '{}'\nintegration_key_file = 'k32'\n\
             change_integration_key_file = 'k32'\n\
             [[sink]]\nname = 'pd'\ntype = 'pagerduty'\nurl = '{}'\nrouting_key_file = 'k32'\n\
             [[sink]]\nname = 'am'\ntype = 'alertmanager'\nurls = ['http://{}']\nresend = '2s'\n\
             hold_on_shutdown = '10m'\n\
             [[sink]]\nname = 'hook'\ntype = 'webhook'\nurl = '{}'\nrate = 'unlimited'\n\
             [[sink]]\nname = 'page'\ntype = 'flashduty-status-page'\nurl = '{}'\napp_key_file = 'app'\n\
             page_id = {PAGE}\ncomponents = ['API']\ngroup_by = 'alert'\n\
             [[sink]]\nname = 'file'\ntype = 'file'\npath = 'alerts.ndjson'\n\
             [[sink]]\nname = 'exec'\ntype = 'exec'\ncommand = ['/bin/sh', '-c', 'cat >> \"$0\"', '{}']\n",
            url("fd"),
            url("pd"),
            alertmanager.address,
            url("hook"),
            url("page"),
            sandbox.path("exec.ndjson").display(),
        );
        let chats = CHATS.map(|Chat { kind: name, .. }| {
            sandbox.write(&format!("{name}.url"), format!("{}/bot?key=x", peers[name].url()));
            format!("[[sink]]\nname = '{name}'\ntype = '{name}'\nurl_file = '{name}.url'\n")
        });
        sandbox.write("tripline.toml", http + &chats.concat());
        sandbox.write("rules/r.toml", format!("{DEFAULTS}{LOAD}{DEPLOY}"));
        sandbox.write("k32", "0123456789abcdef0123456789ABCDEF");
        sandbox.write("app", KEY);
        for name in ["app.log", "alerts.ndjson", "exec.ndjson"] {
            sandbox.write(name, "");
        }
        Everyone { sandbox, peers, page, alertmanager, _home: home }
    }

    fn start(&self) -> Running {
        let mut running = self.sandbox.watch("tripline.toml");
        running.says("following");
        running
    }

    /// Waits until nothing is owed to anybody.
    fn wait_until_told(&self, running: &mut Running) {
        let am = format!("am/{}", self.alertmanager.address);
        for queue in [
            "terminal",
            "fd",
            "fd/changes",
            "pd",
            &am,
            "hook",
            "slack",
            "feishu",
            "dingtalk",
            "wecom",
            "page",
            "file",
            "exec",
        ] {
            running.metric(&format!("tripline_outbox_deliveries{{sink=\"{queue}\"}}"), |owed| owed == 0.0);
        }
    }

    /// Waits until everybody has heard how `about` stands, as the `nth` thing that they hear. What waits for its turn
    /// while something newer is said is rightly left out, and the numbers on the admin page are of a moment ago.
    fn wait_until_heard(&self, running: &mut Running, nth: usize, about: &str, stands: &str) {
        let have_heard = || {
            let record = self.record();
            let last = |story: &BTreeMap<String, Vec<String>>| story.get(about)?.last().cloned();
            let told = record.values().filter(|story| last(story).as_deref() == Some(stands)).count();
            let page = self.page.lock().expect("no test thread panics with the lock");
            let updates: usize = page.events.iter().map(|event| event.updates.len()).sum();
            let chats = CHATS.iter().filter(|chat| self.peers[chat.kind].received().len() >= nth).count();
            told == TELLING.len() && updates >= nth && chats == CHATS.len()
        };
        running.wait_until("everybody has heard it", have_heard);
    }

    /// What each sink was told of alerts and of changes, each in its order and in the same words; what was said twice
    /// in a row counts once. Chats tell it to people, see [`Everyone::chat`].
    fn record(&self) -> BTreeMap<&'static str, BTreeMap<String, Vec<String>>> {
        let mut record: BTreeMap<&'static str, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        let mut hear = |sink: &'static str, about: String, stands: String| {
            let story = record.entry(sink).or_default().entry(about).or_default();
            if story.last() != Some(&stands) {
                story.push(stands);
            }
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for request in self.peers["fd"].received() {
            let told = told(&request);
            match told.get("change_key") {
                Some(key) => hear("fd", text(key), text(&told["change_status"])),
                None => hear("fd", text(&told["labels"]["host"]), text(&told["event_status"]).to_lowercase()),
            }
        }
        let mut hosts: BTreeMap<String, String> = BTreeMap::new();
        for request in self.peers["pd"].received() {
            let told = told(&request);
            let details = &told["payload"]["custom_details"];
            let key = text(&told["dedup_key"]);
            match told["event_action"].as_str() {
                None => hear("pd", text(&details["change_key"]), text(&details["change_status"])),
                Some("resolve") => hear("pd", hosts.get(&key).cloned().unwrap_or_default(), "ok".to_owned()),
                Some(_) => {
                    hosts.insert(key, text(&details["host"]));
                    hear("pd", text(&details["host"]), text(&told["payload"]["severity"]));
                }
            }
        }
        let line = |json: &Value| match json.get("kind") {
            Some(_) => (text(&json["change_key"]), text(&json["change_status"])),
            None => (text(&json["labels"]["host"]), text(&json["status"])),
        };
        for request in self.peers["hook"].received() {
            let (about, stands) = line(&told(&request));
            hear("hook", about, stands);
        }
        for (sink, file) in [("file", "alerts.ndjson"), ("exec", "exec.ndjson")] {
            for json in
                String::from_utf8_lossy(&self.sandbox.read(file)).lines().filter(|line| !line.is_empty())
            {
                // A line that a kill broke off is followed by the whole one.
                if let Ok(json) = serde_json::from_str(json) {
                    let (about, stands) = line(&json);
                    hear(sink, about, stands);
                }
            }
        }
        // tripline's own alerts are nobody's story.
        record.values_mut().for_each(|stories| stories.retain(|about, _| !about.is_empty()));
        record
    }

    /// Everything that a chat was told, as one text.
    fn chat(&self, name: &str) -> String {
        let text = |request: &Received| String::from_utf8_lossy(&request.body).into_owned();
        self.peers[name].received().iter().map(text).collect()
    }

    fn check_quiet(&self) {
        let page = self.page.lock().expect("no test thread panics with the lock");
        assert!(page.events.iter().all(|event| !event.is_active()), "{:#?}", page.events);
        assert_eq!(page.refused, [""; 0]);
        assert!(page.components.values().all(|status| status == "operational"), "{:?}", page.components);
        let now = jiff::Timestamp::now().to_string();
        let active = |alert: &Value| {
            alert["labels"]["host"].is_string() && alert["endsAt"].as_str() > Some(now.as_str())
        };
        assert!(!self.alertmanager.alerts().iter().any(active), "{:#?}", self.alertmanager.alerts());
    }
}

fn story(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_sink_hears_the_same_story() {
    if !is_installed(alertmanager::PROGRAM) {
        return;
    }
    let everyone = Everyone::new();
    let mut running = everyone.start();
    let levels = ["warning", "critical", "warning", "ok"];
    let phases = ["Planned", "Processing", "Done"];
    let lines = ["load web-1 60\n", "load web-1 95\n", "load web-1 61\n", "calm web-1\n"];
    let changes = ["deploy api planned\n", "deploy api started\n", "deploy api finished\n"];
    let alert = lines.iter().zip(levels).map(|(line, status)| (line, "web-1", status));
    let change = changes.iter().zip(phases).map(|(line, status)| (line, "api", status));
    for (nth, (line, about, stands)) in (1..).zip(alert.chain(change)) {
        everyone.sandbox.append("app.log", line);
        everyone.wait_until_heard(&mut running, nth, about, stands);
    }
    let witness = &everyone.peers["witness"];
    let heard = |requests: &[Received]| alertmanager::heard_by(requests, "host");
    witness.wait_until("the end", |requests| heard(requests).contains(&"web-1 resolved".to_owned()));
    running.stop().expect(0);

    let record = everyone.record();
    for (sink, stories) in &record {
        assert_eq!(stories["web-1"], story(&levels), "{sink}: {stories:?}");
        assert_eq!(stories["api"], story(&phases), "{sink}: {stories:?}");
    }
    assert_eq!(record.keys().copied().collect::<Vec<_>>(), TELLING);
    assert_eq!(heard(&witness.received()), ["web-1 firing", "web-1 resolved"]);
    for Chat { kind: chat, .. } in CHATS {
        let text = everyone.chat(chat);
        for words in
            ["Warning", "Critical (was warning)", "Warning (was critical)", "Resolved", "Planned", "Done"]
        {
            assert!(text.contains(words), "{chat}: {words}: {text}");
        }
    }
    everyone.check_quiet();
    let page = everyone.page.lock().expect("no test thread panics with the lock");
    let shown: Vec<_> = page
        .events
        .iter()
        .map(|event| (event.kind.as_str(), event.status.as_str(), event.updates.len()))
        .collect();
    assert_eq!(shown, [("incident", "resolved", 4), ("maintenance", "completed", 3)]);
}

#[test]
fn a_program_that_is_killed_twenty_times_misses_nothing_at_any_sink() {
    if !is_installed(alertmanager::PROGRAM) {
        return;
    }
    let everyone = Everyone::new();
    let mut random = fastrand::Rng::with_seed(7);
    everyone.start().kill();
    let mut running = everyone.sandbox.watch("tripline.toml");
    for number in 0..20 {
        let lines = format!(
            "load h{number} 60\ncalm h{number}\ndeploy d{number} started\ndeploy d{number} finished\n"
        );
        everyone.sandbox.append("app.log", lines);
        // Somewhere between the start and the last acceptance.
        for _ in 0..random.usize(2..40) {
            running.wait_for(Out::Stderr, "anything", |_| true);
        }
        running.kill();
        running = everyone.sandbox.watch("tripline.toml");
    }
    let about: BTreeSet<String> = (0..20).flat_map(|n| [format!("h{n}"), format!("d{n}")]).collect();
    let is_over = |(about, story): (&String, &Vec<String>)| {
        story.last().is_some_and(|last| last == if about.starts_with('h') { "ok" } else { "Done" })
    };
    running.wait_until("everything is over for everybody", || {
        let record = everyone.record();
        let over = record.values().filter(|told| told.len() == about.len() && told.iter().all(is_over));
        over.count() == TELLING.len()
    });
    everyone.wait_until_told(&mut running);
    let finished = running.stop().expect(0);
    assert!(!finished.talk().contains("refused for good"), "{}", finished.talk());

    for (sink, stories) in everyone.record() {
        assert_eq!(stories.keys().cloned().collect::<BTreeSet<_>>(), about, "{sink}");
        for (about, told) in stories {
            let expected = if about.starts_with('h') {
                story(&["warning", "ok"])
            } else {
                story(&["Processing", "Done"])
            };
            assert_eq!(told, expected, "{sink}: {about}");
        }
    }
    for Chat { kind: chat, .. } in CHATS {
        let text = everyone.chat(chat);
        let missing: Vec<_> = about.iter().filter(|about| !text.contains(about.as_str())).collect();
        assert!(missing.is_empty() && text.contains("Resolved"), "{chat}: {missing:?}");
    }
    let heard = alertmanager::heard_by(&everyone.peers["witness"].received(), "host");
    let firing: BTreeSet<_> = heard.iter().filter_map(|told| told.strip_suffix(" firing")).collect();
    let resolved: BTreeSet<_> = heard.iter().filter_map(|told| told.strip_suffix(" resolved")).collect();
    assert_eq!(firing, resolved, "who heard of a beginning hears of the end");
    everyone.check_quiet();
    let page = everyone.page.lock().expect("no test thread panics with the lock");
    let titles: BTreeSet<_> = page.events.iter().map(|event| event.title.as_str()).collect();
    assert_eq!(titles.len(), page.events.len(), "nothing is on the page twice: {titles:?}");
}
