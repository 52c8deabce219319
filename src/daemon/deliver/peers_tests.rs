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
pub(super) const KEY: &str = "C4n4ryK3y0123456789abcdefC4n4ryK";

/// The sinks of all types whose peer is at `url`, with a key in every slot that a peer reads.
pub(super) fn sinks(url: &str) -> Vec<settings::Sink> {
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
[[sink]]
name = "webhook"
type = "webhook"
url = "{url}/{KEY}"
token = "{KEY}"
secret = "whsec_{KEY}"
[[sink]]
name = "page"
type = "flashduty-status-page"
url = "{url}"
app_key_file = "/nowhere"
page_id = 5750613685214
components = ["API"]
"#
    );
    let (settings, problems) =
        config::settings(&Text { path: "/etc/tripline/tripline.toml".into(), text }, &TimeZone::UTC);
    let mut sinks = settings.unwrap_or_else(|_| panic!("{problems:#?}")).sinks;
    assert_eq!(sinks.len(), 11);
    // An app key may not stand in a configuration.
    let page = sinks.last_mut().unwrap();
    page.secrets = vec![("app_key", settings::SecretFrom::Inline(KEY.into()))];
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
        let outcome = outcome_of(&sink).await;
        let unread = matches!(answer(), Step::Reset);
        assert!(unread || !peer.received().is_empty(), "{}", sink.name);
        for request in peer.received() {
            assert!(!request.head.to_ascii_lowercase().contains("\r\nreferer:"), "{}", request.head);
        }
        outcomes.push((sink.name.clone(), outcome));
    }
    let text = log.text();
    assert!(!format!("{outcomes:?}{text}").contains(KEY), "{outcomes:?} {text}");
    (outcomes, text)
}

/// Sends to that peer what it takes.
pub(super) async fn outcome_of(sink: &settings::Sink) -> Outcome {
    let (to, mut done) = mpsc::unbounded_channel();
    let terms = Terms::new(Arc::new(|| Timestamp::from_secs(784_111_747)));
    let mut courier = Courier::new(Handle::current(), terms, Arc::new(move |done| drop(to.send(done))));
    courier.attach(std::slice::from_ref(sink)).unwrap();
    courier.send(Attempt { sink: sink.name.clone(), deliveries: vec![row(sink)], ..attempt() });
    done.recv().await.unwrap().outcomes.remove(0)
}

#[tokio::test]
async fn what_is_no_answer_is_tried_again_and_loses_nothing() {
    // Those that know what they were told by the status alone, whatever stands behind it.
    let by_status = ["alertmanager", "alertmanager-basic", "pagerduty", "webhook"];
    let html = |status| Step::Answer {
        status,
        headers: vec![("content-type", "text/html; charset=utf-16".to_owned())],
        body: format!("<html>{KEY} please log in</html>"),
    };
    let head = |status: u16, rest: &str| format!("HTTP/1.1 {status} x\r\n{rest}").into_bytes();
    let garbage: [fn() -> Vec<u8>; 4] = [
        || b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        || b"\x16\x03\x01\0\0".to_vec(),
        || b"HTTP/1.1 twohundred OK\r\n\r\n".to_vec(),
        || b"HTTP/1.1 200 OK\r\ncontent-len".to_vec(),
    ];
    let mut steps: Vec<(bool, Box<dyn Fn() -> Step>)> = vec![
        (false, Box::new(|| Step::Close)),
        (false, Box::new(|| Step::Reset)),
        (false, Box::new(|| Step::Endless(500))),
    ];
    steps.extend(
        garbage
            .map(|bytes| -> (bool, Box<dyn Fn() -> Step>) { (false, Box::new(move || Step::Raw(bytes()))) }),
    );
    steps.push((false, Box::new(move || html(503))));
    // A whole head, and no whole body of the kind that is wanted.
    let truncated = "content-length: 99\r\n\r\n{\"err";
    steps.push((true, Box::new(move || Step::Raw(head(200, truncated)))));
    steps.push((true, Box::new(move || Step::Cut(head(200, truncated)))));
    steps.push((false, Box::new(move || Step::Cut(head(500, truncated)))));
    steps.push((true, Box::new(|| Step::Endless(200))));
    steps.push((true, Box::new(move || html(200))));
    for (said, step) in steps {
        for (sink, outcome) in tell_all(&step).await.0 {
            // A queue of an Alertmanager is called by its instance.
            let of = sink.as_str().split('/').next().unwrap_or_default();
            let accepted = said && by_status.contains(&of);
            match outcome {
                Outcome::Accepted { .. } => assert!(accepted, "{sink}"),
                Outcome::Retry { .. } => assert!(!accepted, "{sink}"),
                outcome => panic!("{sink}: {outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_tried_again_and_its_key_is_shown_to_nobody() {
    let (log, _guard) = Log::start();
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for (url, words) in [
        (format!("http://{closed}"), &["refused"][..]),
        ("https://tripline-test.invalid".to_owned(), &["dns error", "timed out"]),
    ] {
        for sink in sinks(&url) {
            let shown = format!("{:?}", outcome_of(&sink).await);
            assert!(shown.starts_with("Retry") && !shown.contains(KEY), "{}: {shown}", sink.name);
            assert!(words.iter().any(|word| shown.contains(word)), "{}: {shown}", sink.name);
        }
    }
    assert!(!log.text().contains(KEY), "{}", log.text());
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
        // What is said to a status page is a dialogue, whose addresses are held elsewhere.
        for sink in sinks("https://peer.example.com").into_iter().filter(|sink| !matches!(sink.peer, Peer::StatusPage(_))) {
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
            // A signature is that of the body, and always of one form.
            let signature = |(name, value): &&(&'static str, String)| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b",+/=".contains(&byte);
                *name == "webhook-signature" && value.starts_with("v1,") && value.bytes().all(plain)
            };
            let others = |request: &sink::Request| {
                request.headers.iter().filter(|header| !signature(header)).cloned().collect::<Vec<_>>()
            };
            prop_assert_eq!(others(&hostile), others(&tame));
            prop_assert_eq!(hostile.headers.len(), tame.headers.len());
            prop_assert_eq!(hostile.method, tame.method);
            prop_assert!(hostile.body != tame.body, "the texts are in the body");
        }
    }
}
