//! A status page, from the log to what stands on it.

use std::sync::{Arc, Mutex};

use crate::support::sandbox::{Peer, Sandbox};
use crate::support::script::{Received, Step};
use crate::support::status_page::{KEY, PAGE, StatusPage};

/// Rules that name the page, and one that does not.
const RULES: &str = r#"
[[rule]]
name = "errors"
source = "app"
match = 'errors=(?<n>\d+)'
measure = "last(n)"
warning = ">= 5"
critical = ">= 50"
resolve_after = "1s"
summary = "requests fail"
sinks = ["page"]

[[rule]]
name = "disk"
source = "app"
match = 'disk bad'
resolve = 'disk good'
summary = "the disk is bad"

[[rule]]
name = "deploy"
source = "app"
kind = "change"
match = 'deploy (?<version>\S+) (?<phase>\S+)'
change_key = "{version}"
change_status = { phase = { started = "Processing", finished = "Done" } }
summary = "deploy of {version}"
sinks = ["page"]
"#;

pub(super) type Page = Arc<Mutex<StatusPage>>;

/// A page behind a server that may do something else than answer, once the page has taken a request.
pub(super) fn serve(
    instead: impl Fn(&Received, &StatusPage) -> Option<Step> + Send + Sync + 'static,
) -> (Peer, Page) {
    let page = Page::default();
    let kept = Arc::clone(&page);
    let peer = Peer::answering(Arc::new(move |request| {
        let mut page = kept.lock().expect("no test thread panics with the lock");
        let line = request.head.lines().next().unwrap_or_default();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (status, body) = page.answer(method, target, &request.body);
        instead(request, &page).unwrap_or_else(|| Step::json(status, &body))
    }));
    (peer, page)
}

fn sandbox(url: &str, components: &str) -> Sandbox {
    let config = format!(
        r#"
state_dir = "state"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["app.log"]
[[sink]]
name = "terminal"
type = "stdout"
[[sink]]
name = "page"
type = "flashduty-status-page"
url = "{url}"
app_key_file = "key"
page_id = {PAGE}
components = {components}
probe_every = "1s"
"#
    );
    let sandbox = super::sandbox(&config, RULES);
    sandbox.write("key", KEY);
    sandbox
}

/// Waits until so many requests were heard.
fn heard(peer: &Peer, what: &str, path: &str, times: usize) {
    let of = |request: &&Received| request.head.contains(path);
    peer.wait_until(what, |requests| requests.iter().filter(of).count() >= times);
}

const CREATE: &str = "POST /status-page/change/create";
const TIMELINE: &str = "POST /status-page/change/timeline/create";

#[test]
fn a_page_shows_the_life_of_an_alert_and_a_change_and_nothing_that_does_not_name_it() {
    // The answer to the first create is lost.
    let (peer, page) = serve(|request, page| {
        let creates = page.asked.iter().filter(|asked| CREATE.contains(asked.as_str())).count();
        (request.head.starts_with(CREATE) && creates == 1).then_some(Step::Close)
    });
    let sandbox = sandbox(&peer.url(), r#"["API", "01KC3WEB"]"#);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk bad\nerrors=7\n");
    running.says("delivery accepted");
    sandbox.append("app.log", "errors=70\n");
    heard(&peer, "that it is worse", TIMELINE, 1);
    sandbox.append("app.log", "errors=6\n");
    heard(&peer, "that it is better", TIMELINE, 2);
    sandbox.append("app.log", "errors=0\n");
    heard(&peer, "that it is over", TIMELINE, 3);
    sandbox.append("app.log", "deploy 1.4 started\n");
    heard(&peer, "a maintenance", CREATE, 2);
    sandbox.append("app.log", "deploy 1.4 finished\n");
    heard(&peer, "its end", TIMELINE, 4);
    running.metric("tripline_outbox_deliveries{sink=\"page\"}", |queued| queued == 0.0);
    let talk = running.stop().expect(0).talk();
    assert!(!talk.contains("CANARY"), "{talk}");

    let page = page.lock().expect("no test thread panics with the lock");
    let shown: Vec<String> = page
        .events
        .iter()
        .map(|event| {
            let said = event.updates.iter().map(|(_, status, words, components)| {
                format!("{status}: {words} ({})", components["01KC3API"])
            });
            format!("{} {}: {}", event.kind, event.title, said.collect::<Vec<_>>().join("; "))
        })
        .collect();
    let expected = [
        "incident requests fail: investigating: requests fail (partial_outage); investigating: requests fail \
         (full_outage); investigating: requests fail (partial_outage); resolved: Over: requests fail (operational)",
        "maintenance deploy of 1.4: ongoing: deploy of 1.4 (under_maintenance); completed: deploy of 1.4 (operational)",
    ];
    assert_eq!(shown, expected);
    assert_eq!(page.refused, [""; 0]);
    assert!(page.components.values().all(|status| status == "operational"), "{:?}", page.components);
}

#[test]
fn a_program_that_dies_between_what_the_page_took_and_its_answer_says_nothing_twice() {
    // Once with the create and once with the end, nobody hears the answer.
    let (peer, page) = serve(|request, page| {
        let told = page.asked.iter().filter(|asked| asked.starts_with("POST")).count();
        (request.head.starts_with("POST") && (told == 1 || told == 2)).then_some(Step::Hang)
    });
    let sandbox = sandbox(&peer.url(), r#""API""#);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "deploy 1.4 started\n");
    heard(&peer, "a maintenance", CREATE, 1);
    running.kill();
    sandbox.append("app.log", "deploy 1.4 finished\n");
    let running = sandbox.watch("tripline.toml");
    heard(&peer, "its end", TIMELINE, 1);
    running.kill();
    let mut running = sandbox.watch("tripline.toml");
    running.says("delivery accepted");
    running.metric("tripline_outbox_deliveries{sink=\"page\"}", |queued| queued == 0.0);
    running.stop().expect(0);
    let page = page.lock().expect("no test thread panics with the lock");
    let posts: Vec<_> = page.asked.iter().filter(|asked| asked.starts_with("POST")).collect();
    assert_eq!(posts, [CREATE, TIMELINE]);
    assert_eq!((page.events.len(), page.events[0].status.as_str()), (1, "completed"));
}

#[test]
fn a_component_that_is_not_there_suspends_the_page_and_a_look_says_so_before() {
    let (peer, page) = serve(|_, _| None);
    let sandbox = sandbox(&peer.url(), r#"["Shop"]"#);
    let checked = sandbox.run(&["check"]).expect(0);
    assert!(checked.talk().contains("whether the page of sink `page` has its `components`"), "{checked:?}");
    let tried = sandbox.run(&["sinks", "test", "page"]).expect(1);
    assert!(
        tried.talk().contains("page: look refused") && tried.talk().contains("no component `Shop`"),
        "{tried:?}"
    );
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "errors=7\n");
    let line = running.says("sink suspended");
    assert!(line.contains("has no component `Shop`; correct `components`: it has `API`"), "{line}");
    // That is an alert of its own, which the public does not hear of.
    running.tells("tripline_sink_suspended", "critical");
    let config = String::from_utf8(sandbox.read("tripline.toml")).expect("text");
    sandbox.write("tripline.toml", config.replace("Shop", "Web shop"));
    heard(&peer, "what it waited for", CREATE, 1);
    running.tells("tripline_sink_suspended", "ok");
    running.kill();
    let tried = sandbox.run(&["sinks", "test", "page"]).expect(0);
    assert!(tried.answer().starts_with("page: look accepted"), "{tried:?}");
    let page = page.lock().expect("no test thread panics with the lock");
    assert_eq!(page.events.len(), 1);
    assert_eq!(page.components["01KC3WEB"], "partial_outage");
}
