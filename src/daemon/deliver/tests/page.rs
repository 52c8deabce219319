//! Dialogues with a status page over HTTP.

use std::sync::PoisonError;

use super::*;
use crate::sink::attempt::Before;

use crate::sink::status_page::peer::{self, StatusPage};

fn page(url: &str) -> settings::Sink {
    let peer = Peer::StatusPage(settings::StatusPage {
        url: url.to_owned(),
        page_id: peer::PAGE,
        components: vec!["API".to_owned()],
        responders: Vec::new(),
        notify_subscribers: false,
        component_status: [crate::model::ComponentStatus::Degraded; 3],
        group_by: settings::GroupBy::Rule,
        reopen_within: Duration::from_secs(3600),
        send_description: true,
    });
    let secrets = vec![("app_key", SecretFrom::Inline(SecretString::from(peer::KEY)))];
    settings::Sink { secrets, ..settings::Sink::new(SinkName::new("oncall"), peer) }
}

/// Says an alert to a page behind `peer`; what came of it and what was logged, both without the key and log text.
async fn say(peer: &Script, total: Duration, again: bool) -> (Done, String) {
    let (log, _guard) = Log::start();
    let (courier, mut done) = courier(&page(&peer.url()), total);
    courier.send(Attempt { before: Before { again, ..Before::default() }, ..attempt() });
    let done = done.recv().await.unwrap();
    let shown = format!("{:?} {}", done.outcomes, log.text());
    assert!(!shown.contains("CANARY") && !shown.contains("LOGTEXT"), "{shown}");
    (done, log.text())
}

/// What the first thing that is asked is answered with.
async fn check(step: Step, expected: &str) {
    let peer = Script::start([step]).await;
    let (done, _) = say(&peer, AMPLE, false).await;
    let shown = format!("{:?}", done.outcomes[0]);
    assert!(shown.starts_with(expected) && done.learned.is_empty(), "{shown}");
}

#[tokio::test]
async fn whatever_a_page_does_means_what_it_should() {
    let html = Step::Answer {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>please log in</html>".to_owned(),
    };
    let busy =
        Step::Answer { status: 429, headers: vec![("retry-after", "7".to_owned())], body: String::new() };
    for (step, expected) in [
        (Step::Close, "Retry { after: None, why: \"error sending request"),
        (Step::Reset, "Retry"),
        (Step::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), "Retry"),
        (Step::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\":{\"compo".to_vec()), "Retry"),
        (Step::Endless(200), "Retry"),
        (html, "Retry"),
        (busy, "Retry { after: Some(7s)"),
        (Step::json(200, r#"{"data":[]}"#), "Retry"),
        (Step::json(401, r#"{"error":{"code":"Unauthorized","message":"CANARY%2Fapp%2Bkey"}}"#), "Suspend"),
    ] {
        check(step, expected).await;
    }
    let hanging = Script::start([Step::Hang]).await;
    let (done, _) = say(&hanging, Duration::from_millis(300), false).await;
    assert!(matches!(done.outcomes[..], [Outcome::Retry { after: None, .. }]), "{done:?}");
}

#[tokio::test]
async fn a_page_that_is_elsewhere_learns_no_key() {
    let trap = Script::start([]).await;
    for status in [301, 302, 307, 308] {
        let elsewhere = Step::Answer {
            status,
            headers: vec![("location", format!("{}/?app_key=CANARY", trap.url()))],
            body: String::new(),
        };
        check(elsewhere, "Suspend").await;
    }
    assert_eq!(trap.received().len(), 0);
}

#[tokio::test]
async fn a_whole_dialogue_goes_over_the_wire_and_what_was_learned_comes_back() {
    let page = Arc::new(Mutex::new(StatusPage { now: 1_449_738_800, ..StatusPage::default() }));
    let kept = Arc::clone(&page);
    let answer = move |request: &script::Received| {
        let mut words = request.head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut page = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, body) = page.answer(method, target, &request.body);
        Step::json(status, &body)
    };
    let peer = Script::answering([], Arc::new(answer)).await;
    let (first, log) = say(&peer, AMPLE, false).await;
    assert_eq!(
        first.outcomes,
        [Outcome::Accepted { note: "change_id=9001 request_id=r1".to_owned() }],
        "{:?}",
        page.lock().unwrap().refused
    );
    assert_eq!((first.learned.len(), first.learned[0].change_id), (1, 9001));
    assert!(log.contains("delivery accepted") && log.contains("request_id=\"r1\""), "{log}");
    let heads: Vec<String> = peer.received().into_iter().map(|request| request.head).collect();
    let key = "app_key=CANARY%2Fapp%2Bkey HTTP/1.1";
    assert!(
        heads[0].starts_with(&format!("GET /status-page/info?page_id=5750613685214&{key}")),
        "{}",
        heads[0]
    );
    assert!(heads[1].starts_with(&format!("POST /status-page/change/create?{key}")), "{}", heads[1]);
    assert!(heads.iter().all(|head| !head.to_ascii_lowercase().contains("referer")));
    // As after a crash: it is found.
    let (second, _) = say(&peer, AMPLE, true).await;
    assert_eq!((second.learned, page.lock().unwrap().events.len()), (first.learned, 1));
}
