use super::*;
use crate::settings::{Batch, Body, Webhook};

const SECRET: &str = "whsec_CANARYsecretCANARYsecretCANARYse";

fn webhook(url: &str) -> settings::Sink {
    let name = SinkName::new("oncall");
    let batch = Batch { count: 2, bytes: 1 << 20, time: Duration::ZERO };
    let peer = Peer::Webhook(Webhook {
        receiver: name.clone(),
        method: "PUT",
        headers: vec![("x-team".to_owned(), "db".to_owned())],
        token: ("authorization".to_owned(), Some("Bearer".to_owned())),
        username: None,
        body: Body::Tripline,
        success: Vec::new(),
        batch: Some(batch),
        rate: None,
    });
    let inline = |secret: &str| SecretFrom::Inline(SecretString::from(secret));
    let secrets = vec![
        ("url", inline(&format!("{url}/hook/CANARYPATH?t=CANARYQUERY"))),
        ("token", inline("CANARYTOKEN")),
        ("secret", inline(SECRET)),
    ];
    settings::Sink { secrets, ..settings::Sink::new(name, peer) }
}

/// Says `rows` rows to a peer that does `step`; the classes of the outcomes, and what was asked.
async fn said(step: Step, rows: usize) -> (Vec<Outcome>, Vec<script::Received>) {
    let (log, _guard) = Log::start();
    let peer = Script::start([step]).await;
    let (courier, mut done) = courier(&webhook(&peer.url()), AMPLE);
    let mut attempt = attempt();
    attempt.deliveries =
        (0..rows).map(|n| Delivery { seq: n as u64, ..attempt.deliveries[0].clone() }).collect();
    courier.send(attempt);
    let done = done.recv().await.unwrap();
    let shown = format!("{done:?} {}", log.text());
    assert!(!shown.contains("CANARY"), "{shown}");
    assert!(!log.text().contains("LOGTEXT"), "{}", log.text());
    (done.outcomes, peer.received())
}

async fn check(step: Step, expected: &str) {
    let (outcomes, _) = said(step, 1).await;
    let shown = format!("{:?}", outcomes[0]);
    assert!(shown.starts_with(expected), "{shown}");
}

#[tokio::test]
async fn a_batch_is_one_request_with_its_headers_and_its_signature() {
    let (outcomes, received) = said(Step::json(202, ""), 3).await;
    assert_eq!(
        outcomes,
        vec![
            Outcome::Accepted { note: "202".to_owned() },
            Outcome::Accepted { note: "202".to_owned() },
            Outcome::Accepted { note: "200".to_owned() }
        ]
    );
    let rows = |request: &script::Received| {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        body.as_array().unwrap().iter().filter(|row| row["summary"] == "LOGTEXT of a stranger").count()
    };
    assert_eq!(received.iter().map(rows).collect::<Vec<_>>(), [2, 1]);
    let head = &received[0].head;
    assert!(head.starts_with("PUT /hook/CANARYPATH?t=CANARYQUERY HTTP/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/json",
        "x-team: db",
        "authorization: Bearer CANARYTOKEN",
        "webhook-timestamp: 784111747",
        "webhook-id: batch-",
        "webhook-signature: v1,",
    ] {
        assert!(head.lines().any(|found| found.starts_with(line)), "{line} in {head}");
    }
}

#[tokio::test]
async fn the_status_decides_and_no_answer_is_tried_again() {
    check(Step::Close, "Retry").await;
    check(Step::Reset, "Retry").await;
    check(Step::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()), "Retry").await;
    check(Step::Endless(200), "Accepted").await;
    check(Step::Endless(500), "Retry").await;
    let html = Step::Answer {
        status: 204,
        headers: vec![("content-type", "text/html".to_owned())],
        body: String::new(),
    };
    check(html, "Accepted").await;
    let echo = "token CANARYTOKEN is wrong, CANARYPATH and CANARYQUERY too";
    check(Step::json(401, echo), "Suspend { why: \"401 token *** is wrong, *** and *** too").await;
    check(Step::json(410, ""), "Suspend { why: \"410\"").await;
    check(Step::json(422, "no such field"), "Dead { why: \"422 no such field\"").await;
    let busy =
        Step::Answer { status: 503, headers: vec![("retry-after", "9".to_owned())], body: String::new() };
    check(busy, "Retry { after: Some(9s)").await;
    let (outcomes, _) = said(Step::json(422, "one of them"), 2).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Alone { .. })), "{outcomes:?}");
}

#[tokio::test]
async fn nobody_else_is_told_the_token() {
    let trap = Script::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        let headers = vec![("location", trap.url())];
        check(Step::Answer { status, headers, body: String::new() }, "Suspend").await;
    }
    assert_eq!(trap.received().len(), 0);
}

#[tokio::test]
async fn an_address_or_a_secret_that_cannot_be_used_is_refused_at_once_and_later_suspends() {
    let mut courier =
        Courier::new(Handle::current(), Terms::new(Arc::new(|| Timestamp::MIN)), Arc::new(|_| ()));
    let refused = |courier: &mut Courier, name: &str, value: &str, says: &str| {
        let mut sink = webhook("https://hook.example.com");
        for (known, from) in &mut sink.secrets {
            if *known == name {
                *from = SecretFrom::Inline(SecretString::from(value));
            }
        }
        let error = courier.attach(&[sink]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says) && !shown.contains("CANARY"), "{shown}");
    };
    refused(&mut courier, "secret", "CANARY", "`secret` is no secret to sign with");
    refused(&mut courier, "url", "CANARY", "is no URL");
    refused(&mut courier, "url", "http://10.0.0.1/CANARY", "is not this machine");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    let peer = Script::start([]).await;
    let mut sink = webhook(&peer.url());
    sink.secrets[2].1 = SecretFrom::File(path.clone());
    let (courier, mut done) = super::courier(&sink, AMPLE);
    std::fs::write(&path, "CANARY").unwrap();
    courier.send(attempt());
    let shown = format!("{:?}", done.recv().await.unwrap());
    assert!(shown.contains("Suspend") && !shown.contains("CANARY"), "{shown}");
    assert_eq!(peer.received().len(), 0, "nothing goes out unsigned");
}
