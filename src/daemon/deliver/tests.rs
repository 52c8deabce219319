#![expect(clippy::disallowed_methods, reason = "keys and certificates of these tests are files")]

use std::sync::Mutex;

use tokio::sync::{Notify, mpsc};
use tracing_subscriber::EnvFilter;

use super::*;
use std::time::Duration;

use secrecy::SecretString;

use crate::model::DeliveryKind;
use crate::settings::SecretFrom;
use crate::sink::attempt::{Before, Purpose};
use crate::sink::sample;

/// A webhook over real connections.
mod webhook;

#[path = "../../../tests/support/script.rs"]
pub(super) mod script;

mod page;

use script::{Script, Step};

const KEY: &str = "CANARY/key+1";

/// Everything `tracing` wrote, at every level.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn start() -> (Log, tracing::subscriber::DefaultGuard) {
        let log = Log::default();
        let quiet = QUIET.iter().map(|target| format!(",{target}=warn")).collect::<String>();
        let to = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(format!("trace{quiet}")))
            .with_ansi(false)
            .with_writer(move || to.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn sink(url: &str) -> settings::Sink {
    let peer = Peer::Flashduty(settings::Flashduty { url: url.to_owned(), title_rule: None });
    let secrets = vec![("integration_key", SecretFrom::Inline(SecretString::from(KEY)))];
    settings::Sink { secrets, ..settings::Sink::new(SinkName::new("oncall"), peer) }
}

pub(super) fn attempt() -> Attempt {
    let transition =
        crate::model::Transition { summary: "LOGTEXT of a stranger".to_owned(), ..sample::transition() };
    let deliveries = vec![sample::raise(transition)];
    Attempt {
        id: 9,
        sink: SinkName::new("oncall"),
        deliveries,
        number: 1,
        shrink: false,
        purpose: Purpose::Owed,
        before: Before::default(),
    }
}

/// A courier whose whole attempt may take `total`.
pub(super) fn courier(sink: &settings::Sink, total: Duration) -> (Courier, mpsc::UnboundedReceiver<Done>) {
    let (to, done) = mpsc::unbounded_channel();
    let terms = Terms::new(Arc::new(|| Timestamp::from_secs(784_111_747)));
    let http = settings::Http { timeout: total, ..sink.http.clone() };
    let sink = settings::Sink { http, ..sink.clone() };
    let done_to = Arc::new(move |done| {
        let _ = to.send(done);
    });
    let mut courier = Courier::new(Handle::current(), terms, done_to);
    courier.attach(std::slice::from_ref(&sink)).unwrap();
    (courier, done)
}

/// Sends once to a peer that does `step`; gives the outcome and what was logged, both without the key.
async fn send(step: Step, total: Duration) -> (Outcome, String, Script) {
    let (log, _guard) = Log::start();
    let peer = Script::start([step]).await;
    let (courier, mut done) = courier(&sink(&peer.url()), total);
    courier.send(attempt());
    let done = done.recv().await.unwrap();
    assert_eq!((done.attempt, done.sink.as_str(), done.outcomes.len()), (9, "oncall", 1));
    let shown = format!("{done:?} {}", log.text());
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!log.text().contains("LOGTEXT"), "{}", log.text());
    (done.outcomes[0].clone(), log.text(), peer)
}

/// Long enough for any machine: it never passes in a test that succeeds.
pub(super) const AMPLE: Duration = Duration::from_secs(60);

async fn check(step: Step, expected: &str) -> String {
    let (outcome, log, _) = send(step, AMPLE).await;
    let shown = format!("{outcome:?}");
    assert!(shown.starts_with(expected), "{shown}");
    log
}

#[tokio::test]
async fn an_accepted_alert_is_logged_with_its_key_and_the_peer_s_number() {
    let (outcome, log, peer) = send(Step::accept(), AMPLE).await;
    assert_eq!(outcome, Outcome::Accepted { note: "request_id=0acef4 alert_key=r:01".to_owned() });
    for part in [
        "delivery accepted",
        "sink=\"oncall\"",
        "about=\"ssh_bruteforce:3f",
        "number=1",
        "status=200",
        "request_id=\"0acef4\"",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    let received = peer.received();
    assert_eq!(received.len(), 1);
    let head = received[0].head.to_ascii_lowercase();
    assert!(
        head.starts_with("post /event/push/alert/standard?integration_key=canary%2fkey%2b1 http/1.1"),
        "{head}"
    );
    assert!(head.contains("content-type: application/json") && head.contains("user-agent: tripline/"));
    assert!(!head.contains("referer") && !head.contains("accept-encoding"), "{head}");
    let body: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["title_rule"], "LOGTEXT of a stranger");
}

#[tokio::test]
async fn trouble_at_the_peer_is_tried_again() {
    check(
        Step::json(500, r#"{"error":{"code":"InternalError","message":"LOGTEXT"}}"#),
        "Retry { after: None",
    )
    .await;
    let busy = |after: &str| Step::Answer {
        status: 429,
        headers: vec![("retry-after", after.to_owned())],
        body: String::new(),
    };
    check(busy("7"), "Retry { after: Some(7s)").await;
    check(busy("Sun, 06 Nov 1994 08:49:37 GMT"), "Retry { after: Some(30s)").await;
}

#[tokio::test]
async fn what_is_no_answer_is_tried_again() {
    check(Step::Close, "Retry { after: None, why: \"error sending request").await;
    check(Step::Reset, "Retry { after: None, why: \"error sending request").await;
    check(Step::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), "Retry").await;
    check(Step::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"request".to_vec()), "Retry").await;
    check(Step::Endless(200), "Retry").await;
    check(
        Step::Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}".to_vec()),
        "Retry",
    )
    .await;
    let login = Step::Answer {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>please log in</html>".to_owned(),
    };
    check(login, "Retry { after: None, why: \"200 without a whole JSON answer").await;
}

#[tokio::test]
async fn a_peer_that_never_answers_costs_the_set_time_and_no_more() {
    let (outcome, log, peer) = send(Step::Hang, Duration::from_millis(300)).await;
    assert!(matches!(outcome, Outcome::Retry { after: None, .. }), "{outcome:?}");
    assert!(log.contains("delivery not answered"), "{log}");
    assert!(peer.received().len() <= 1);
}

#[tokio::test]
async fn nobody_at_home_is_tried_again() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (courier, mut done) = courier(&sink(&url), AMPLE);
    courier.send(attempt());
    let shown = format!("{:?}", done.recv().await.unwrap());
    assert!(shown.contains("Retry") && shown.contains("refused") && !shown.contains("CANARY"), "{shown}");
}

#[tokio::test]
async fn a_bad_key_suspends_and_is_shown_nowhere() {
    let message = format!("integration_key {KEY} is not a valid one");
    let body =
        serde_json::json!({"request_id": "r7", "error": {"code": "InvalidParameter", "message": message}});
    let log = check(
        Step::json(400, &body.to_string()),
        "Suspend { why: \"400 InvalidParameter: integration_key ***",
    )
    .await;
    assert!(log.contains("sink suspended") && log.contains("request_id=\"r7\""), "{log}");
}

#[tokio::test]
async fn a_refused_alert_is_dead_and_its_text_is_not_logged() {
    let body = r#"{"request_id":"r8","error":{"code":"InvalidParameter","message":"bad title LOGTEXT"}}"#;
    let log = check(Step::json(400, body), "Dead { why: \"400 InvalidParameter: bad title LOGTEXT").await;
    assert!(log.contains("delivery refused for good") && log.contains("status=400"), "{log}");
    check(Step::json(200, body), "Dead").await;
    check(Step::json(413, ""), "Shrink").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let trap = Script::start([]).await;
    for status in [301, 302, 307, 308] {
        let elsewhere = Step::Answer {
            status,
            headers: vec![("location", format!("{}/?integration_key=CANARY", trap.url()))],
            body: String::new(),
        };
        check(elsewhere, "Suspend").await;
    }
    assert_eq!(trap.received().len(), 0);
}

#[tokio::test]
async fn after_every_trouble_the_same_alert_is_accepted() {
    let peer = Script::start([Step::Reset, Step::Endless(500), Step::json(503, "{}")]).await;
    let (courier, mut done) = courier(&sink(&peer.url()), AMPLE);
    for expected in ["Retry", "Retry", "Retry", "Accepted"] {
        courier.send(attempt());
        let outcome = format!("{:?}", done.recv().await.unwrap().outcomes[0]);
        assert!(outcome.starts_with(expected), "{outcome}");
    }
    let bodies: Vec<_> = peer.received().into_iter().map(|request| request.body).collect();
    assert!(bodies.len() >= 3 && bodies.windows(2).all(|two| two[0] == two[1]));
}

#[tokio::test]
async fn a_slow_peer_holds_up_no_one_else() {
    let told = Arc::new(Notify::new());
    let slow = Step::WhenTold(Arc::clone(&told), Box::new(Step::accept()));
    let peer = Script::start([slow]).await;
    let (courier, mut done) = courier(&sink(&peer.url()), AMPLE);
    courier.send(Attempt { id: 1, ..attempt() });
    while peer.received().is_empty() {
        tokio::task::yield_now().await;
    }
    courier.send(Attempt { id: 2, ..attempt() });
    assert_eq!(done.recv().await.unwrap().attempt, 2);
    told.notify_one();
    assert_eq!(done.recv().await.unwrap().attempt, 1);
}

#[tokio::test]
async fn a_key_that_vanished_suspends_and_a_new_one_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let peer = Script::start([]).await;
    let mut sink = sink(&peer.url());
    sink.secrets = vec![("integration_key", SecretFrom::File(path.clone()))];
    std::fs::write(&path, "old\n").unwrap();
    let (courier, mut done) = courier(&sink, AMPLE);
    std::fs::remove_file(&path).unwrap();
    courier.send(attempt());
    let outcome = done.recv().await.unwrap().outcomes[0].clone();
    assert!(
        matches!(&outcome, Outcome::Suspend { why } if why.contains("cannot read the key file")),
        "{outcome:?}"
    );
    assert!(!courier.key_changed(&sink.name));
    std::fs::write(&path, "first\n").unwrap();
    assert!(courier.key_changed(&sink.name));
    courier.send(attempt());
    assert!(matches!(done.recv().await.unwrap().outcomes[0], Outcome::Accepted { .. }));
    assert!(!courier.key_changed(&sink.name));
    assert!(peer.received()[0].head.contains("integration_key=first "));
    // The same key, in a file that everybody could replace for a while.
    use std::os::unix::fs::PermissionsExt as _;
    let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o666);
    courier.send(attempt());
    assert!(matches!(done.recv().await.unwrap().outcomes[0], Outcome::Suspend { .. }));
    assert!(!courier.key_changed(&sink.name));
    set(0o600);
    assert!(courier.key_changed(&sink.name));
}

#[tokio::test]
async fn an_address_that_changes_in_its_file_is_held_to_the_same_rules_at_each_attempt() {
    let (log, _guard) = Log::start();
    let (dir, peer) = (tempfile::tempdir().unwrap(), Script::start([]).await);
    let path = dir.path().join("hook");
    std::fs::write(&path, peer.url()).unwrap();
    let chat = settings::Chat { service: settings::ChatService::Slack, keyword: None };
    let secrets = vec![("url", SecretFrom::File(path.clone()))];
    let sink = settings::Sink { secrets, ..settings::Sink::new(SinkName::new("oncall"), Peer::Chat(chat)) };
    let (courier, mut done) = courier(&sink, AMPLE);
    for (address, expected) in [
        ("http://api.example.com/CANARY", Some("`api.example.com` is not this machine")),
        ("http://10.0.0.1:1/CANARY", Some("`10.0.0.1:1` is not this machine")),
        (
            "http://169.254.169.254/CANARY",
            Some("`169.254.169.254` of sink `oncall` is an address of this link"),
        ),
        ("https://[fd00:ec2::254]/CANARY", Some("is an address of this link")),
        ("CANARY", Some("is no URL")),
        (&peer.url(), None),
    ] {
        std::fs::write(&path, address).unwrap();
        courier.send(attempt());
        let outcome = done.recv().await.unwrap().outcomes[0].clone();
        let told: Vec<_> = unfit(&sink).into_iter().map(|unfit| unfit.why).collect();
        match (&outcome, expected) {
            (Outcome::Suspend { why }, Some(says)) => assert!(why.contains(says), "{why}"),
            (_, Some(_)) => panic!("{address}: {outcome:?}"),
            (_, None) => assert_eq!(peer.received().len(), 1, "{outcome:?}"),
        }
        // Who checks the file is told so without an attempt.
        assert!(expected.is_none_or(|says| told.iter().any(|why| why.contains(says))), "{address}: {told:?}");
        assert!(!format!("{outcome:?} {told:?} {}", log.text()).contains("CANARY"), "{outcome:?} {told:?}");
    }
}

#[tokio::test]
async fn a_sink_that_nobody_knows_leaves_its_rows_owed() {
    let (courier, mut done) = courier(&sink("https://api.example.com"), AMPLE);
    courier.send(Attempt { sink: SinkName::new("stranger"), ..attempt() });
    assert!(matches!(done.recv().await.unwrap().outcomes[..], [Outcome::Retry { .. }]));
}

#[tokio::test]
async fn settings_that_would_leak_or_cannot_work_are_refused_without_showing_the_url() {
    let dir = tempfile::tempdir().unwrap();
    let no_pem = dir.path().join("ca.pem");
    std::fs::write(&no_pem, "nothing").unwrap();
    let mut courier =
        Courier::new(Handle::current(), Terms::new(Arc::new(|| Timestamp::MIN)), Arc::new(|_| ()));
    for (url, ca_file, says) in [
        ("http://api.example.com/?integration_key=CANARY", None, "`api.example.com` is not this machine"),
        ("http://CANARY@10.0.0.1", None, "`10.0.0.1` is not this machine"),
        ("ftp://127.0.0.1/CANARY", None, "is not https"),
        ("CANARY", None, "is no URL"),
        ("https://h/CANARY", Some(dir.path().join("none.pem")), "cannot read `ca_file"),
        ("https://h/CANARY", Some(no_pem), "holds no certificate"),
    ] {
        let mut sink = sink(url);
        sink.http.ca_file = ca_file;
        let error = courier.attach(&[sink]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says) && shown.contains("oncall") && !shown.contains("CANARY"), "{shown}");
    }
    let mut open = sink("http://10.0.0.1");
    open.http.allow_plaintext = true;
    courier.attach(&[open]).unwrap();
    for url in ["https://api.flashcat.cloud", "http://[::1]:8080", "http://localhost"] {
        courier.attach(&[sink(url)]).unwrap();
    }
    let mut allowed = sink("http://192.0.2.1");
    allowed.http.allow_plaintext = true;
    courier.attach(&[allowed]).unwrap();
}

#[tokio::test]
async fn sinks_are_taken_together_or_not_at_all() {
    let peer = Script::start([]).await;
    let known = sink(&peer.url());
    let (mut courier, mut done) = courier(&known, AMPLE);
    let elsewhere = sink("http://127.0.0.1:1");
    let mut keyless = sink(&peer.url());
    keyless.secrets = vec![("integration_key", SecretFrom::Env("NO_SUCH_VARIABLE".to_owned()))];
    let error = courier.attach(&[elsewhere, keyless.clone()]).unwrap_err();
    assert!(error.to_string().contains("`NO_SUCH_VARIABLE` is not set"), "{error}");
    courier.send(attempt());
    assert!(matches!(done.recv().await.unwrap().outcomes[..], [Outcome::Accepted { .. }]));
    courier.terms.send = false;
    courier.attach(&[keyless]).unwrap();
}

#[tokio::test]
async fn a_change_that_was_owed_to_a_sink_that_is_flashduty_now_is_dead_and_the_alert_beside_it_is_sent() {
    let peer = Script::start([Step::accept()]).await;
    let (courier, mut done) = courier(&sink(&peer.url()), AMPLE);
    let change = sample::change(3, "LOGTEXT of a stranger", crate::model::ChangeStatus::Done);
    courier.send(Attempt { deliveries: vec![change, attempt().deliveries.remove(0)], ..attempt() });
    let outcomes = done.recv().await.unwrap().outcomes;
    assert!(matches!(outcomes.as_slice(), [Outcome::Dead { .. }, Outcome::Accepted { .. }]), "{outcomes:?}");
    assert_eq!(peer.received().len(), 1);
}

#[tokio::test]
async fn the_address_of_a_chat_is_shown_nowhere_whatever_becomes_of_it() {
    let (log, _guard) = Log::start();
    let trap = Script::start([]).await;
    let elsewhere = |status| Step::Answer {
        status,
        headers: vec![("location", format!("{}/CANARY", trap.url()))],
        body: String::new(),
    };
    let quoting = |status, code: i64| {
        let words = "CANARYtoken of /hook/CANARYtoken?key=CANARYquery";
        Step::json(status, &serde_json::json!({"errcode": code, "errmsg": words}).to_string())
    };
    let steps = [
        (quoting(200, 0), "Accepted"),
        (quoting(200, 45009), "Retry { after: Some(60s)"),
        (quoting(200, 93000), "Suspend"),
        (quoting(200, 40058), "Shrink"),
        (quoting(404, 1), "Suspend"),
        (quoting(503, 1), "Retry"),
        (elsewhere(302), "Suspend"),
        (elsewhere(307), "Suspend"),
        (Step::Answer { status: 200, headers: Vec::new(), body: "<html>CANARYtoken".to_owned() }, "Retry"),
        (Step::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"errcode\":0".to_vec()), "Retry"),
        (Step::Endless(200), "Retry"),
        (Step::Close, "Retry"),
        (Step::Reset, "Retry"),
    ];
    let (steps, expected): (Vec<Step>, Vec<&str>) = steps.into_iter().unzip();
    let peer = Script::start(steps).await;
    let url = format!("{}/hook/CANARYtoken?key=CANARYquery", peer.url());
    let secrets = vec![("url", SecretFrom::Inline(SecretString::from(url)))];
    let service = settings::ChatService::WeCom;
    let chat = Peer::Chat(settings::Chat { service, keyword: None });
    let sink = settings::Sink { secrets, ..settings::Sink::new(SinkName::new("oncall"), chat) };
    let (courier, mut done) = courier(&sink, AMPLE);
    let rows = || {
        vec![
            attempt().deliveries.remove(0),
            sample::row(2, 1, DeliveryKind::Resolve, crate::model::Status::Ok, 1, 1),
        ]
    };
    for (n, expected) in expected.into_iter().enumerate() {
        // A text of one row and one of two mean the same to whoever answers.
        courier.send(Attempt { deliveries: rows().split_off(n % 2), ..attempt() });
        let outcomes = done.recv().await.unwrap().outcomes;
        assert_eq!(outcomes.len(), 2 - n % 2);
        for outcome in outcomes {
            let shown = format!("{outcome:?}");
            assert!(shown.starts_with(expected), "{n}: {shown}");
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }
    assert_eq!(trap.received().len(), 0);
    assert!(!log.text().contains("CANARY") && !log.text().contains("LOGTEXT"), "{}", log.text());
}

#[tokio::test]
async fn a_change_without_an_answer_is_sent_again_or_dropped_as_asked_and_an_alert_always_sent_again() {
    let peer = Script::start((0..3).map(|_| Step::Close)).await;
    let change = sample::change(3, "api-1.4", crate::model::ChangeStatus::Done);
    let alert = attempt().deliveries.remove(0);
    for (drop_unsure_changes, url, row, expected) in [
        (false, peer.url(), &change, "Retry"),
        (true, peer.url(), &change, "Dead"),
        (true, peer.url(), &alert, "Retry"),
        // Nobody can have it if nobody was there.
        (true, "http://127.0.0.1:0".to_owned(), &change, "Retry"),
    ] {
        let severities = ["info", "warning", "critical"];
        let of = settings::PagerDuty { url, client_url: None, drop_unsure_changes, severities };
        let secrets =
            vec![("routing_key", SecretFrom::Inline(SecretString::from("CANARY0123456789abcdef0123456789")))];
        let sink =
            settings::Sink { secrets, ..settings::Sink::new(SinkName::new("oncall"), Peer::PagerDuty(of)) };
        let (courier, mut done) = courier(&sink, AMPLE);
        courier.send(Attempt { deliveries: vec![row.clone()], ..attempt() });
        let outcome = format!("{:?}", done.recv().await.unwrap().outcomes[0]);
        assert!(outcome.starts_with(expected) && !outcome.contains("CANARY"), "{outcome}");
    }
}

#[tokio::test]
async fn stdout_gets_one_line_for_each_row() {
    let rows = [
        attempt().deliveries.remove(0),
        sample::row(2, 1, DeliveryKind::Resolve, crate::model::Status::Ok, 1, 1),
        sample::change(3, "api-1.4", crate::model::ChangeStatus::Done),
    ];
    let terms = Terms::new(Arc::new(|| Timestamp::MIN));
    let text = rendered(&rows, &terms);
    assert_eq!(text.lines().count(), 3);
    assert!(text.lines().last().unwrap().starts_with(r#"{"kind":"change","#), "{text}");
    assert!(
        text.ends_with('\n') && text.starts_with(r#"{"time":"2015-12-10T09:13:10Z","rule":"ssh_bruteforce""#)
    );
    let readable = rendered(&rows, &Terms { readable: true, ..terms });
    assert!(readable.starts_with("2015-12-10T09:13:10Z  WARNING") && readable.lines().count() == 3);
}
