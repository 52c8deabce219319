//! What has to hold for every peer that is reached by HTTP: one table, from the configuration on.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::tests::script::{Script, Step};
use super::tests::{Log, attempt};
use super::*;
use crate::config::{self, Text};
use crate::sink::attempt::Purpose;
use crate::sink::sample;

/// Has the form of every peer's key.
const KEY: &str = "C4n4ryK3y0123456789abcdefC4n4ryK";

/// The sinks of all types whose peer is at `url`, with a key in every slot that a peer reads.
fn sinks(url: &str) -> Vec<settings::Sink> {
    let text = format!(
        r#"
[[sink]]
name = "flashduty"
type = "flashduty"
url = "{url}"
integration_key = "{KEY}"
change_integration_key = "{KEY}"
[[sink]]
name = "alertmanager"
type = "alertmanager"
urls = ["{url}"]
token = "{KEY}"
[[sink]]
name = "alertmanager-basic"
type = "alertmanager"
urls = ["{url}"]
username = "u"
password = "{KEY}"
[[sink]]
name = "pagerduty"
type = "pagerduty"
url = "{url}"
routing_key = "{KEY}"
[[sink]]
name = "slack"
type = "slack"
url = "{url}/{KEY}"
[[sink]]
name = "feishu"
type = "feishu"
url = "{url}/{KEY}"
secret = "{KEY}"
[[sink]]
name = "dingtalk"
type = "dingtalk"
url = "{url}/?access_token={KEY}"
secret = "{KEY}"
[[sink]]
name = "wecom"
type = "wecom"
url = "{url}/?key={KEY}"
"#
    );
    let (settings, problems) =
        config::settings(&Text { path: "/etc/tripline/tripline.toml".into(), text }, &TimeZone::UTC);
    let sinks = settings.unwrap_or_else(|_| panic!("{problems:#?}")).sinks;
    assert_eq!(sinks.len(), 9);
    sinks
}

/// What that sink takes: an alert, or a change.
fn row(sink: &settings::Sink) -> Delivery {
    match sink.peer.takes_alerts() {
        true => attempt().deliveries.remove(0),
        false => sample::change(3, "LOGTEXT of a stranger", crate::model::ChangeStatus::Done),
    }
}

/// Sends to every peer what it takes, each of whose requests gets `answer`, and gives the outcomes and all that was
/// logged.
async fn tell_all(answer: impl Fn() -> Step) -> (Vec<(SinkName, Outcome)>, String) {
    let (log, _guard) = Log::start();
    let mut outcomes = Vec::new();
    for at in 0..sinks("http://127.0.0.1:1").len() {
        // An instance of Alertmanager is asked something before.
        let peer = Script::start([answer(), answer()]).await;
        let sink = sinks(&peer.url()).remove(at);
        let (to, mut done) = mpsc::unbounded_channel();
        let terms = Terms::new(Arc::new(|| Timestamp::from_secs(784_111_747)));
        let mut courier = Courier::new(Handle::current(), terms, Arc::new(move |done| drop(to.send(done))));
        courier.attach(std::slice::from_ref(&sink)).unwrap();
        courier.send(Attempt { sink: sink.name.clone(), deliveries: vec![row(&sink)], ..attempt() });
        let done = done.recv().await.unwrap();
        assert!(!peer.received().is_empty(), "{}", sink.name);
        for request in peer.received() {
            assert!(!request.head.to_ascii_lowercase().contains("\r\nreferer:"), "{}", request.head);
        }
        outcomes.extend(done.outcomes.into_iter().map(|outcome| (sink.name.clone(), outcome)));
    }
    let text = log.text();
    assert!(!format!("{outcomes:?}{text}").contains(KEY), "{outcomes:?} {text}");
    (outcomes, text)
}

#[tokio::test]
async fn no_peer_leads_tripline_elsewhere() {
    let trap = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let location = format!("http://{}/{KEY}", trap.local_addr().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let headers = || vec![("location", location.clone()), ("refresh", format!("0; url={location}"))];
        let (outcomes, _) =
            tell_all(|| Step::Answer { status, headers: headers(), body: String::new() }).await;
        for (sink, outcome) in outcomes {
            assert!(matches!(outcome, Outcome::Suspend { .. }), "{sink} after {status}: {outcome:?}");
        }
    }
    let nobody = trap.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_a_peer_quotes_of_an_alert_is_not_logged() {
    let quoting = [
        r#"{"request_id":"0acef4","error":{"code":"InvalidParameter","message":"bad LOGTEXT"}}"#,
        r#"{"status":"invalid event","message":"LOGTEXT","errors":["LOGTEXT is wrong"]}"#,
        r#"{"errcode":44,"errmsg":"LOGTEXT","code":44,"msg":"LOGTEXT"}"#,
        "bad alert: LOGTEXT",
    ];
    for body in quoting {
        for status in [200, 400, 413, 422, 429, 500] {
            let headers =
                || vec![("content-type", "application/json".to_owned()), ("x-id", "LOGTEXT".to_owned())];
            let (outcomes, log) =
                tell_all(|| Step::Answer { status, headers: headers(), body: body.to_owned() }).await;
            assert!(log.contains("delivery"), "{log}");
            for line in log.lines().filter(|line| line.contains("LOGTEXT")) {
                // A sink that takes nothing any more says why, in the words of its peer.
                let suspended = outcomes.iter().any(|(sink, outcome)| {
                    matches!(outcome, Outcome::Suspend { .. }) && line.contains(sink.as_str())
                });
                assert!(suspended, "{status} {body}: {line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_a_log_reaches_an_address_or_a_header(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        // Lone surrogates as bytes, among others: what is no UTF-8 has been replaced when it becomes text.
        let wild = format!(
            "{}\r\nX-Evil: 1\r\n\r\n\"'`/../?&#%0d%0a@evil.example:80 ${{HOME}} {{{{x}}}} \u{2028}\u{202e}\0",
            String::from_utf8_lossy(&bytes).into_owned() + &String::from_utf8_lossy(b"\xed\xa0\x80\xed\xb0\x80"),
        );
        let terms = Terms::new(Arc::new(|| Timestamp::MIN));
        for sink in sinks("https://peer.example.com") {
            let secrets: Vec<Secret> =
                sink.secrets.iter().map(|(name, from)| Secret::new(name, from.clone())).collect();
            let secrets = read(&secrets).unwrap();
            let tame = row(&sink);
            let mut hostile = tame.clone();
            match &mut hostile.content {
                crate::model::Content::Alert(_, told) => {
                    told.labels = sample::labels(&[("instance", &wild), ("src_ip", &wild), ("component", &wild)]);
                    told.details = sample::labels(&[("user", &wild)]);
                    (told.summary, told.description) = (wild.clone(), wild.clone());
                }
                crate::model::Content::Change(told) => {
                    told.labels = sample::labels(&[("instance", &wild)]);
                    (told.change_key, told.summary, told.link) = (wild.clone(), wild.clone(), Some(wild.clone()));
                }
            }
            let ask = |row: &Delivery| {
                let rows = std::slice::from_ref(row);
                let unit = Unit { rows, secrets: &secrets, shrink: false, now: (terms.now)(), purpose: Purpose::Owed };
                sink::request(&sink.peer, unit).unwrap()
            };
            let (tame, hostile) = (ask(&tame), ask(&hostile));
            prop_assert_eq!(&hostile.url, &tame.url);
            prop_assert_eq!(&hostile.headers, &tame.headers);
            prop_assert_eq!(hostile.method, tame.method);
            prop_assert!(hostile.body != tame.body, "the texts are in the body");
        }
    }
}
