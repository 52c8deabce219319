use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::{Reason, Timestamp};
use crate::sink::attempt::Purpose;
use crate::sink::sample::{self, transition};
use crate::untrusted::is_hostile;

const KEY: &str = "CANARYkey/+1";

fn secrets() -> Secrets {
    Secrets::new(vec![("integration_key", KEY.into())])
}

/// Calls `with` with a unit of one row.
fn unit<T>((kind, t): (DeliveryKind, &Transition), shrink: bool, with: impl FnOnce(Unit<'_>) -> T) -> T {
    let rows = [sample::alert(kind, t.clone())];
    with(Unit {
        rows: &rows,
        secrets: &secrets(),
        shrink,
        now: Timestamp::from_secs(0),
        purpose: Purpose::Owed,
    })
}

fn settings() -> settings::Flashduty {
    settings::Flashduty { url: "https://api.flashcat.cloud".to_owned(), title_rule: None }
}

fn raise(t: &Transition) -> (DeliveryKind, &Transition) {
    (DeliveryKind::Raise, t)
}

fn body_of(settings: &settings::Flashduty, alert: (DeliveryKind, &Transition), shrink: bool) -> Value {
    unit(alert, shrink, |unit| serde_json::from_slice(&request(settings, unit).body).unwrap())
}

fn body(t: Transition) -> Value {
    body_of(&settings(), raise(&t), false)
}

#[test]
fn an_alert_carries_every_field() {
    let image = Image {
        src: "https://g.example.com/1.png".to_owned(),
        href: Some("https://g.example.com".to_owned()),
        alt: Some("load".to_owned()),
    };
    assert_eq!(
        body(Transition { images: vec![image], ..transition() }),
        serde_json::json!({
            "title_rule": "5 failed logins from 187.141.143.180 in 10m",
            "event_status": "Warning",
            "alert_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "event_time": 1_449_738_790,
            "description": "Failed password for root\n\nRunbook: https://wiki.example.com/ssh",
            "labels": {
                "instance": "web-1", "src_ip": "187.141.143.180", "rule": "ssh_bruteforce", "user": "root",
                "runbook": "https://wiki.example.com/ssh",
            },
            "images": [
                {"alt": "load", "src": "https://g.example.com/1.png", "href": "https://g.example.com"}
            ],
        })
    );
}

#[test]
fn links_stand_below_the_runbook_as_far_as_there_is_room_for_them() {
    let link = |href: &str, text: &str| Link {
        href: href.to_owned(),
        text: (!text.is_empty()).then(|| text.to_owned()),
    };
    let check = |links: Vec<Link>, runbook: bool, description: &str, expected: &str| {
        let runbook = transition().runbook.filter(|_| runbook);
        let body = body(Transition { links, runbook, description: description.to_owned(), ..transition() });
        assert_eq!(body["description"], expected);
    };
    let two = vec![link("https://w/a", "a\nb"), link("https://w/b", "")];
    check(
        two.clone(),
        true,
        "d",
        "d\n\nRunbook: https://wiki.example.com/ssh\na b: https://w/a\nhttps://w/b",
    );
    check(two.clone(), false, "", "a b: https://w/a\nhttps://w/b");
    let long = "d".repeat(3000);
    let body = body(Transition { links: two, description: long.clone(), ..transition() });
    let text = body["description"].as_str().expect("a text");
    assert!(text.chars().count() == 2048 && text.ends_with("/ssh\na b: https://w/a\nhttps://w/b"), "{text}");
    // What does not fit is left out whole.
    check(
        vec![link(&format!("https://w/{long}"), ""), link("https://w/b", "")],
        false,
        "d",
        "d\n\nhttps://w/b",
    );
}

#[test]
fn the_status_is_the_vendor_s_word() {
    for (status, word) in [
        (Status::Info, "Info"),
        (Status::Warning, "Warning"),
        (Status::Critical, "Critical"),
        (Status::Ok, "Ok"),
    ] {
        assert_eq!(body(Transition { status, ..transition() })["event_status"], word);
    }
}

#[test]
fn a_resolve_says_why_how_long_and_how_much_and_what_it_was() {
    let t = transition();
    let over = |seconds: i64, total: u64, reason: Reason| {
        let time = Timestamp::from_secs(t.since.as_secs() + seconds);
        let body = body(Transition { status: Status::Ok, time, total, reason, ..t.clone() });
        body["description"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        over(750, 57, Reason::Quiet),
        "Resolved: quiet. Lasted 12m 30s, 57 matches.\n\nFailed password for root"
    );
    assert!(
        over(9, 1, Reason::RecoveryLine).starts_with("Resolved: recovery line seen. Lasted 9s, 1 match.")
    );
    assert!(over(7_300, 2, Reason::RuleGone).contains("Lasted 2h 1m"));
    assert!(over(180_000, 2, Reason::Stopped).contains("Lasted 2d 2h"));
}

#[test]
fn a_sign_of_life_says_the_same_each_time() {
    let told = transition();
    let beat = (DeliveryKind::Beat, &told);
    let body = body_of(&settings::Flashduty { title_rule: Some("x".to_owned()), ..settings() }, beat, false);
    assert_eq!(body["title_rule"], "tripline heartbeat");
    assert_eq!(body["event_status"], "Info");
    assert_eq!(body["description"], Value::Null);
}

#[test]
fn the_author_s_title_rule_is_untouched() {
    let authors = "[TPL]${src_ip}::$rule\u{1b}".to_owned();
    let settings = settings::Flashduty { title_rule: Some(authors.clone()), ..settings() };
    for shrink in [false, true] {
        assert_eq!(body_of(&settings, raise(&transition()), shrink)["title_rule"], authors);
    }
}

#[test]
fn log_text_in_a_title_is_no_template() {
    for (summary, title) in [
        ("my_crate::db: $HOME not set", "my_crate：：db: ＄HOME not set"),
        ("a:b ::: c::", "a:b ：：： c：："),
        ("[TPL]{{.Labels}}", "［TPL]{{.Labels}}"),
        (" [tpl]${x}", " ［tpl]＄{x}"),
        ("[MD]**x**", "［MD]**x**"),
        ("see [TPL] there", "see [TPL] there"),
        ("\x1b[31mred\x1b[0m\r\nnext\u{202e}", "␛[31mred␛[0m next�"),
        ("", "ssh_bruteforce"),
        ("登录失败", "登录失败"),
    ] {
        let body = body(Transition { summary: summary.to_owned(), ..transition() });
        assert_eq!(body["title_rule"], title);
    }
    let description = "[md]\x1b[1m![x](http://evil)\nnext\tcell".to_owned();
    let body = body(Transition { description, runbook: None, ..transition() });
    assert_eq!(body["description"], "［md]␛[1m![x](http://evil)\nnext\tcell");
}

#[test]
fn label_names_are_made_to_fit_and_never_choose_who_is_paged() {
    let labels = sample::labels(&[
        ("k8s.pod-name", "a"),
        ("9lives", "b"),
        ("layer_person_reset_1_emails", "evil@example.com"),
        ("Layer-webhook_reset_1_wecoms", "evil"),
        ("empty", ""),
        ("名", "c"),
    ]);
    let t = Transition {
        labels,
        details: sample::labels(&[("k8s_pod_name", "d")]),
        runbook: None,
        ..transition()
    };
    assert_eq!(
        body(t)["labels"],
        serde_json::json!({
            "k8s_pod_name": "a", "_9lives": "b", "_": "c", "rule": "ssh_bruteforce", "labels_dropped": "3",
        })
    );
}

#[test]
fn the_identity_comes_first_when_there_are_too_many_labels() {
    let named = |prefix: &str, n: usize| -> crate::model::Labels {
        (0..n).map(|i| (format!("{prefix}{i:03}").into(), i.to_string())).collect()
    };
    let t = Transition { labels: named("z", 40), details: named("a", 40), ..transition() };
    let sent = body(t)["labels"].as_object().unwrap().clone();
    assert_eq!(sent.len(), 50);
    assert!((0..40).all(|i| sent.contains_key(&format!("z{i:03}"))) && sent.contains_key("rule"));
    // 40 + rule + 40 + runbook are 82, of which 49 fit beside the count.
    assert_eq!(sent["labels_dropped"], "33");
    let exact = Transition { labels: named("z", 49), details: named("a", 0), runbook: None, ..transition() };
    let sent = body(exact)["labels"].as_object().unwrap().clone();
    assert_eq!((sent.len(), sent.contains_key("labels_dropped")), (50, false));
}

#[test]
fn a_picture_that_would_be_discarded_is_left_out_and_counted() {
    let image = |src: &str, alt: Option<&str>, href: Option<&str>| Image {
        src: src.to_owned(),
        alt: alt.map(str::to_owned),
        href: href.map(str::to_owned),
    };
    let long = format!("https://g/{}", "x".repeat(250));
    let images = vec![
        image("https://g/1", None, Some("javascript:alert(1)")),
        image(&long, None, None),
        image("img_7f3a", Some("load"), Some(&long)),
        image("http://g/2", Some("load"), Some("https://d/1")),
        image("data:image/png;base64,xx", None, None),
        image("https://g/a b", None, None),
    ];
    let body = body(Transition { images, ..transition() });
    assert_eq!(
        body["images"],
        serde_json::json!([
            {"alt": "image 1", "src": "https://g/1"},
            {"alt": "load", "src": "img_7f3a"},
            {"alt": "load (4)", "src": "http://g/2", "href": "https://d/1"},
        ])
    );
    assert_eq!(body["labels"]["images_dropped"], "3");
}

#[test]
fn a_long_description_makes_room_for_the_runbook() {
    let description = "日".repeat(5_000);
    let text = body(Transition { description, ..transition() });
    let text = text["description"].as_str().unwrap();
    assert_eq!(text.chars().count(), 2048);
    assert!(text.ends_with("日…\n\nRunbook: https://wiki.example.com/ssh"), "{text}");
}

#[test]
fn a_shrunk_alert_is_smaller_and_still_the_same_alert() {
    let image = Image { src: "https://g/1".to_owned(), href: None, alt: None };
    let t = Transition { description: "x".repeat(9_000), images: vec![image], ..transition() };
    let small = body_of(&settings(), raise(&t), true);
    assert_eq!(small["alert_key"], body(t)["alert_key"]);
    assert_eq!(small["description"].as_str().unwrap().chars().count(), 1024);
    assert_eq!(small["images"], Value::Null);
    assert_eq!(
        small["labels"],
        serde_json::json!({
            "instance": "web-1", "src_ip": "187.141.143.180", "rule": "ssh_bruteforce",
            "labels_dropped": "2", "images_dropped": "1",
        })
    );
}

#[test]
fn the_key_is_added_to_a_base_or_replaces_that_of_a_pasted_url() {
    const SENT: &str = "integration_key=CANARYkey%2F%2B1";
    for (url, path) in [
        ("https://api.flashcat.cloud", "https://api.flashcat.cloud/event/push/alert/standard?"),
        ("https://h:8443/base/#x", "https://h:8443/base/event/push/alert/standard?"),
        (
            "https://h/event/push/alert/standard?integration_key=old&severity=Info&layer_x=1",
            "https://h/event/push/alert/standard?severity=Info&layer_x=1&",
        ),
        ("https://h/event/push/alert/standard", "https://h/event/push/alert/standard?"),
    ] {
        assert_eq!(push_url(url, PATH, KEY), format!("{path}{SENT}"));
    }
}

fn said(status: u16, body: &str) -> Outcome {
    let answer = Answer {
        status,
        headers: vec![("retry-after".to_owned(), "7".to_owned())],
        body: body.as_bytes().to_vec(),
        whole: true,
    };
    judged(&transition(), &answer)
}

/// What an answer to the raise of `t` means.
fn judged(t: &Transition, answer: &Answer) -> Outcome {
    unit(raise(t), false, |unit| classify(unit, &request(&settings(), unit), answer))
}

fn class(status: u16, body: &str) -> char {
    sample::class_after_7s(&said(status, body))
}

fn error(code: &str, message: &str) -> String {
    serde_json::json!({"request_id": "r1", "error": {"code": code, "message": message}}).to_string()
}

#[test]
fn every_documented_code_has_its_class() {
    for (status, code, message, expected) in [
        (400, "InvalidParameter", "title_rule is required", 'D'),
        (400, "InvalidParameter", "integration_key CANARYkey/+1 is not a valid one", 'C'),
        (400, "InvalidParameter", "The app_key is wrong", 'C'),
        (400, "InvalidParameter", "alert_key length must be less than 255", 'S'),
        (400, "BadRequest", "", 'D'),
        (400, "InvalidContentType", "", 'D'),
        (400, "MethodNotAllowed", "", 'C'),
        (400, "ResourceNotFound", "account hasn't purchased", 'C'),
        (400, "NoLicense", "", 'C'),
        (400, "ReferenceExist", "", 'D'),
        (401, "Unauthorized", "", 'C'),
        (402, "BalanceNotEnough", "", 'C'),
        (403, "AccessDenied", "", 'C'),
        (404, "RouteNotFound", "", 'C'),
        (409, "UndonedOrderExist", "", 'B'),
        (413, "EntityTooLarge", "", 'S'),
        (423, "RequestLocked", "", 'B'),
        (428, "RequestVerifyRequired", "", 'C'),
        (428, "DangerousOperation", "", 'C'),
        (429, "RequestTooFrequently", "", 'B'),
        (500, "InternalError", "", 'B'),
        (503, "ServiceUnavailable", "", 'B'),
        (200, "InternalError", "a success that is none", 'B'),
        (200, "InvalidParameter", "title_rule is required", 'D'),
        (200, "NewCode", "", 'B'),
        (400, "NewCode", "", 'D'),
    ] {
        assert_eq!(class(status, &error(code, message)), expected, "{status} {code} {message}");
    }
}

#[test]
fn without_a_code_the_status_decides() {
    for (statuses, expected) in [
        (&[408, 409, 423, 425, 429, 500, 502, 503, 504, 599][..], 'B'),
        (&[301, 302, 307, 308, 401, 402, 403, 404, 405, 407, 410, 428], 'C'),
        (&[400, 406, 415, 422], 'D'),
        (&[413], 'S'),
    ] {
        for &status in statuses {
            assert_eq!(class(status, "<html>"), expected, "{status}");
            assert_eq!(class(status, "{}"), expected, "{status}");
        }
    }
}

#[test]
fn only_a_whole_json_answer_accepts() {
    assert_eq!(class(200, r#"{"request_id":"r1"}"#), 'A');
    assert_eq!(class(202, r#"{"request_id":"r1","error":{"code":"OK"}}"#), 'A');
    assert_eq!(class(200, r#"{"request_id":"r1","error":null}"#), 'A');
    for body in ["", "<html>login</html>", r#"{"request_id":"r"#, "[]", "\"ok\"", r#"{"error":7}"#] {
        assert_eq!(class(200, body), 'B', "{body}");
    }
}

#[test]
fn an_acceptance_notes_the_numbers_of_the_peer() {
    let note = |body: &str| match said(200, body) {
        Outcome::Accepted { note } => note,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        note(r#"{"request_id":"0ac-1","data":{"alert_key":"r:1f"}}"#),
        "request_id=0ac-1 alert_key=r:1f"
    );
    assert_eq!(note(r#"{"request_id":"a b\n","data":{"alert_key":"\u001b[2J"}}"#), "request_id=none");
}

#[test]
fn no_answer_puts_the_key_into_an_outcome() {
    for message in [
        "integration_key CANARYkey/+1 is not a valid one",
        "integration_key=CANARYkey%2F%2B1 bad",
        "integration_key=CANARYkey%2f%2b1 bad",
    ] {
        let shown = format!("{:?}", said(400, &error("InvalidParameter", message)));
        assert!(
            shown.starts_with("Suspend") && shown.contains("***") && !shown.contains("CANARY"),
            "{shown}"
        );
    }
    let shown = format!("{:?}", said(200, r#"{"request_id":"r1","error":{"code":"CANARYkey/+1"}}"#));
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[test]
fn a_log_line_that_names_the_key_parameter_cannot_suspend_the_sink() {
    let t = Transition { summary: "bad integration_key seen".to_owned(), ..transition() };
    let answer = |message: &str| Answer {
        status: 400,
        headers: Vec::new(),
        body: error("InvalidParameter", message).into_bytes(),
        whole: true,
    };
    let class = |message| judged(&t, &answer(message));
    assert!(matches!(class("title_rule `bad integration_key seen` is bad"), Outcome::Dead { .. }));
    assert!(matches!(class("integration_key x is not a valid one"), Outcome::Suspend { .. }));
}

#[test]
fn an_answer_that_broke_off_is_judged_by_what_is_sure() {
    let broken = |status| {
        let answer = Answer { status, headers: Vec::new(), body: b"{}".to_vec(), whole: false };
        judged(&transition(), &answer)
    };
    assert!(matches!(broken(200), Outcome::Retry { .. }));
    assert!(matches!(broken(400), Outcome::Retry { .. }));
    assert!(matches!(broken(413), Outcome::Shrink { .. }));
    assert!(matches!(broken(401), Outcome::Suspend { .. }));
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,40}",
        ".{0,40}",
        "[$:\\[\\]TPLMD{}\u{1b}\r\n\u{202e}\u{200b}日]{0,60}",
        (1_usize..3_000).prop_map(|n| "é$::".repeat(n)),
    ]
}

fn hostile_labels() -> impl Strategy<Value = crate::model::Labels> {
    proptest::collection::btree_map(hostile().prop_map(std::sync::Arc::from), hostile(), 0..70)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_log_says_the_body_keeps_every_limit(
        summary in hostile(),
        description in hostile(),
        runbook in proptest::option::of(hostile()),
        labels in hostile_labels(),
        details in hostile_labels(),
        images in proptest::collection::vec((hostile(), hostile()), 0..5),
        firing in any::<bool>(),
        shrink in any::<bool>(),
    ) {
        let images = images
            .into_iter()
            .map(|(text, alt)| Image { src: format!("https://g/{text}"), href: Some(text), alt: Some(alt) })
            .collect();
        let status = if firing { Status::Critical } else { Status::Ok };
        let t = Transition { summary, description, runbook, labels, details, images, status, ..transition() };
        let body = body_of(&settings(), raise(&t), shrink);
        let chars = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        let clean = |value: &Value| {
            value.as_str().is_none_or(|text| !text.chars().any(|c| is_hostile(c) && c != '\n' && c != '\t'))
        };

        let title = body["title_rule"].as_str().unwrap();
        prop_assert!((1..=512).contains(&title.chars().count()));
        prop_assert!(!title.contains('$') && !title.contains("::") && clean(&body["title_rule"]));
        let start = title.trim_start().to_ascii_lowercase();
        prop_assert!(!start.starts_with("[tpl]") && !start.starts_with("[md]"));
        prop_assert!(chars(&body["description"]) <= 2048 && clean(&body["description"]));
        let labels = body["labels"].as_object().unwrap();
        prop_assert!(labels.len() <= 50);
        for (name, value) in labels {
            prop_assert!((1..=128).contains(&name.len()));
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            prop_assert!(!name.as_bytes()[0].is_ascii_digit() && !name.to_lowercase().starts_with("layer_"));
            prop_assert!(chars(value) <= 2048 && clean(value));
        }
        let images = body["images"].as_array().cloned().unwrap_or_default();
        let mut alts = HashSet::new();
        for image in &images {
            prop_assert!(chars(&image["src"]) <= 256 && chars(&image["alt"]) <= 128);
            prop_assert!(chars(&image["href"]) <= 256 && clean(&image["src"]) && clean(&image["href"]));
            prop_assert!(alts.insert(image["alt"].clone()));
        }
    }

    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..700, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let answer = Answer { status, headers: Vec::new(), body, whole: true };
        let outcome = judged(&transition(), &answer);
        let accepted = matches!(outcome, Outcome::Accepted { .. });
        prop_assert!(!accepted);
    }
}
