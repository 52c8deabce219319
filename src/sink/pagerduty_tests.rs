use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Delivery, Labels, Timestamp};
use crate::sink::Secrets;
use crate::sink::attempt::Purpose;
use crate::sink::sample::{self, report, transition};

#[path = "../../tests/support/schema.rs"]
mod schema;

use schema::misfits;

const ROUTING: &str = "CANARY0123456789abcdef0123456789";

fn settings() -> settings::PagerDuty {
    settings::PagerDuty {
        url: "https://events.pagerduty.com/".to_owned(),
        client_url: Some("https://logs.example.com".to_owned()),
        drop_unsure_changes: false,
        severities: ["info", "warning", "critical"],
    }
}

fn with<T>(row: Delivery, shrink: bool, then: impl FnOnce(Unit<'_>) -> T) -> T {
    let secrets = Secrets::new(vec![(KEY, ROUTING.into())]);
    let rows = [row];
    then(Unit { rows: &rows, secrets: &secrets, shrink, now: Timestamp::MIN, purpose: Purpose::Owed })
}

/// The address and the body, which is held against the vendor's reference.
fn sent(row: Delivery, shrink: bool) -> (String, Value) {
    let request = with(row, shrink, |unit| request(&settings(), unit));
    assert!(request.body.len() <= BODY, "{} bytes", request.body.len());
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let is_change = request.url.ends_with(CHANGES);
    let mut wrong = Vec::new();
    misfits(&if is_change { change_schema() } else { alert_schema() }, &body, "", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?} {body}");
    (request.url, body)
}

fn text(most: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most })
}

fn link() -> Value {
    json!({
        "type": "array",
        "items": { "type": "object", "required": ["href"], "additionalProperties": false,
            "properties": { "href": { "type": "string", "pattern": "^https?://" }, "text": text(4096) } },
    })
}

/// "Send an alert event", from the tables of the vendor's page and its OpenAPI.
fn alert_schema() -> Value {
    let key = json!({ "type": "string", "pattern": "^[0-9A-Za-z]{32}$" });
    let payload = json!({
        "type": "object", "required": ["summary", "source", "severity"], "additionalProperties": false,
        "properties": {
            "summary": text(1024), "source": text(4096), "timestamp": { "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}T" },
            "severity": { "enum": ["critical", "error", "warning", "info"] },
            "component": text(4096), "group": text(4096), "class": text(4096), "custom_details": { "type": "object" },
        },
    });
    let image = json!({
        "type": "object", "required": ["src"], "additionalProperties": false,
        "properties": { "src": { "type": "string", "pattern": "^https://" }, "href": text(4096), "alt": text(4096) },
    });
    json!({
        "anyOf": [
            { "type": "object", "required": ["routing_key", "event_action", "payload"], "additionalProperties": false,
              "properties": {
                "routing_key": key, "event_action": { "const": "trigger" }, "dedup_key": text(255), "payload": payload,
                "client": text(4096), "client_url": text(4096), "links": link(),
                "images": { "type": "array", "items": image },
            } },
            { "type": "object", "required": ["routing_key", "event_action", "dedup_key"], "additionalProperties": false,
              "properties": { "routing_key": key, "event_action": { "enum": ["resolve", "acknowledge"] }, "dedup_key": text(255) } },
        ],
    })
}

/// "Send a change event", likewise.
fn change_schema() -> Value {
    json!({
        "type": "object", "required": ["routing_key", "payload"], "additionalProperties": false,
        "properties": {
            "routing_key": { "type": "string", "pattern": "^[0-9A-Za-z]{32}$" },
            "payload": {
                "type": "object", "required": ["summary"], "additionalProperties": false,
                "properties": { "summary": text(1024), "source": text(4096), "timestamp": text(64), "custom_details": { "type": "object" } },
            },
            "links": link(),
        },
    })
}

#[test]
fn an_alert_carries_every_field() {
    let image = |src: &str| Image { src: src.to_owned(), href: None, alt: Some("load".to_owned()) };
    let extra = sample::labels(&[("component", "sshd"), ("group", "edge"), ("class", "auth")]);
    let labels: Labels = transition().labels.into_iter().chain(extra).collect();
    let images = vec![image("https://g.example.com/1.png"), image("http://g.example.com/2.png")];
    let href = "https://wiki.example.com/x".to_owned();
    let links = vec![model::Link { href, text: Some("a\u{1b}".to_owned()) }];
    let lines = vec!["Failed password for root".to_owned(), "\u{1b}[31mFailed\tagain".to_owned()];
    let last_lines = vec!["the last one".to_owned()];
    let t = Transition { labels, images, links, lines, last_lines, ..transition() };
    let (_, shrunk) = sent(sample::raise(t.clone()), true);
    assert!(shrunk["payload"]["custom_details"].get("lines").is_none(), "{shrunk}");
    let (url, body) = sent(sample::raise(t), false);
    assert_eq!(url, "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(
        body,
        json!({
            "routing_key": ROUTING,
            "event_action": "trigger",
            "dedup_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "client": "tripline",
            "client_url": "https://logs.example.com",
            "payload": {
                "summary": "5 failed logins from 187.141.143.180 in 10m",
                "source": "web-1",
                "severity": "warning",
                "timestamp": "2015-12-10T09:13:10Z",
                "component": "sshd", "group": "edge", "class": "auth",
                "custom_details": {
                    "rule": "ssh_bruteforce", "description": "Failed password for root", "reason": "level reached",
                    "since": "2015-12-10T09:13:10Z", "value": "5", "count": "5", "total": "7",
                    "instance": "web-1", "src_ip": "187.141.143.180", "user": "root",
                    "component": "sshd", "group": "edge", "class": "auth",
                    "lines": ["Failed password for root", "␛[31mFailed again"], "last_lines": ["the last one"],
                },
            },
            "links": [
                { "href": "https://wiki.example.com/ssh", "text": "runbook" },
                { "href": "https://wiki.example.com/x", "text": "a␛" },
            ],
            "images": [{ "src": "https://g.example.com/1.png", "alt": "load" }],
        })
    );
}

#[test]
fn an_end_is_the_key_alone_and_severities_have_their_names() {
    let over = Transition { status: Status::Ok, ..transition() };
    let (_, body) = sent(sample::alert(DeliveryKind::Resolve, over), false);
    let expected = json!({
        "routing_key": ROUTING, "event_action": "resolve",
        "dedup_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
    });
    assert_eq!(body, expected);
    let settings = settings::PagerDuty { severities: ["info", "error", "critical"], ..settings() };
    let named = with(sample::raise(transition()), false, |unit| request(&settings, unit));
    let body: Value = serde_json::from_slice(&named.body).unwrap();
    assert_eq!(body["payload"]["severity"], "error");
}

#[test]
fn a_change_carries_every_field() {
    let (url, body) = sent(sample::of_change(report()), false);
    assert_eq!(url, "https://events.pagerduty.com/v2/change/enqueue");
    assert_eq!(
        body,
        json!({
            "routing_key": ROUTING,
            "payload": {
                "summary": "api 1.4 started", "source": "web-1", "timestamp": "2015-12-10T09:13:10Z",
                "custom_details": {
                    "change_key": "api-1.4", "change_status": "Processing", "rule": "deploy", "app": "api",
                    "description": "deploy api 1.4 started by ann", "linked_changes": "SHOP-7",
                    "starts": "2015-12-10T09:13:10Z", "ends": "2015-12-10T09:29:50Z",
                    "instance": "web-1", "team": "shop",
                },
            },
            "links": [
                { "href": "https://ci.example.com/api" },
                { "href": "https://wiki.example.com/deploy", "text": "runbook" },
            ],
        })
    );
}

fn class_of(row: Delivery, status: u16, body: &str) -> Outcome {
    let answer = Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), whole: true };
    let outcome = with(row, false, |unit| classify(unit, &answer));
    assert!(!format!("{outcome:?}").contains("CANARY"), "{outcome:?}");
    outcome
}

fn class(status: u16, body: &str) -> char {
    sample::class(&class_of(sample::raise(transition()), status, body))
}

#[test]
fn every_answer_has_its_class() {
    let invalid = |error: &str| {
        json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [error] })
            .to_string()
    };
    for (status, body, expected) in [
        (
            202,
            json!({ "status": "success", "message": "Event processed", "dedup_key": "x" }).to_string(),
            'A',
        ),
        (202, String::new(), 'A'),
        (200, "<html>".to_owned(), 'A'),
        (302, String::new(), 'C'),
        (400, invalid("Invalid routing key"), 'C'),
        (400, invalid("Length of 'routing_key' is incorrect (should be 32 characters)"), 'C'),
        (400, invalid(&format!("'routing_key' {ROUTING} cannot contain non-alphanumeric characters")), 'C'),
        (400, invalid("'payload.summary' is too long (maximum is 1024 characters)"), 'S'),
        (400, invalid("'payload.severity' is invalid (must be one of the following: 'critical', ...)"), 'D'),
        (400, "[]".to_owned(), 'D'),
        (401, String::new(), 'C'),
        (403, String::new(), 'C'),
        (404, String::new(), 'C'),
        (408, String::new(), 'B'),
        (413, String::new(), 'S'),
        (418, String::new(), 'D'),
        (429, String::new(), 'B'),
        (500, "\u{1b}[2J".to_owned(), 'B'),
        (503, String::new(), 'B'),
    ] {
        assert_eq!(class(status, &body), expected, "{status} {body}");
    }
}

#[test]
fn too_many_are_left_alone_for_half_a_minute_at_least() {
    let after = |header: Option<&str>| {
        let headers = header.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter().collect();
        let answer = Answer { status: 429, headers, body: Vec::new(), whole: true };
        match with(sample::raise(transition()), false, |unit| classify(unit, &answer)) {
            Outcome::Retry { after, .. } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((after(None), after(Some("5")), after(Some("90"))), (Some(30), Some(30), Some(90)));
}

#[test]
fn a_log_line_that_speaks_of_the_key_can_not_suspend_the_sink() {
    for (summary, error, suspends) in [
        ("bad routing_key seen", "'payload.summary' `bad routing_key seen` is not nice", false),
        ("bad routing_key seen", "Invalid routing key", true),
        ("x; 'routing_key' y", "'payload.summary' `x; 'routing_key' y` is not nice", false),
        ("routing_key", "routing_key: this is no summary", false),
        ("Invalid routing key", "Invalid routing key", false),
        ("all is well", "the routing key is disabled", true),
    ] {
        let row = sample::raise(Transition { summary: summary.to_owned(), ..transition() });
        let outcome = class_of(row, 400, &json!({ "errors": [error] }).to_string());
        assert_eq!(matches!(outcome, Outcome::Suspend { .. }), suspends, "{summary} {error} {outcome:?}");
    }
}

#[test]
fn what_is_too_much_goes_lines_first_then_the_longest_and_then_pictures() {
    let image =
        |n| Image { src: format!("https://g.example.com/{n}"), href: None, alt: Some("日".repeat(VALUE)) };
    let details: Labels = (0..90).map(|n| (format!("d{n}").into(), "日".repeat(VALUE))).collect();
    let t = Transition { details, images: (0..20).map(image).collect(), ..transition() };
    let (_, body) = sent(sample::raise(t.clone()), false);
    let kept = &body["payload"]["custom_details"];
    let long = kept.as_object().unwrap().keys().filter(|name| name.starts_with('d')).count();
    assert!(
        (1..90).contains(&long) && kept["total"] == "7" && kept["rule"] == "ssh_bruteforce",
        "{long} {kept}"
    );
    assert_eq!(body["images"].as_array().map(Vec::len), Some(20));
    // Lines are short beside the other details, and go before any of them; what just fits keeps them.
    let lines = vec!["x".to_owned(); 20];
    let some = |details: usize| {
        let details =
            t.details.iter().take(details).map(|(name, value)| (name.clone(), value.clone())).collect();
        sent(sample::raise(Transition { details, lines: lines.clone(), ..t.clone() }), false).1
    };
    let count = |body: &Value| {
        let details = body["payload"]["custom_details"].as_object().unwrap();
        (details.contains_key("lines"), details.keys().filter(|name| name.starts_with('d')).count())
    };
    assert_eq!(count(&some(10)), (true, 11), "and the description");
    assert_eq!(count(&some(90)), (false, long));
    let t = Transition { images: (0..100).map(image).collect(), ..t };
    let (_, body) = sent(sample::raise(t), false);
    assert!(body["payload"]["custom_details"].as_object().is_some_and(|left| left.is_empty()));
    assert!(body["images"].as_array().is_some_and(|left| (1..100).contains(&left.len())));
    assert_eq!(body["links"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_routing_key_is_known_by_its_form() {
    assert!(is_routing_key(ROUTING));
    for wrong in
        ["", "R0123", &"a".repeat(31), &"a".repeat(33), &"é".repeat(16), &format!("{}-", &ROUTING[1..])]
    {
        assert!(!is_routing_key(wrong), "{wrong}");
    }
}

proptest! {
    #[test]
    fn every_limit_holds_whatever_the_texts_are(
        summary in "\\PC{0,40}|[é\u{1b}\r\n]{0,2000}",
        description in ".{0,40}|(日志\n){0,9000}",
        name in "[a-z_]{1,20}",
        value in ".{0,40}|é{2040,2100}",
        link in ".{0,40}|https://[a-z\u{202e} ]{0,20}",
        shrink in any::<bool>(),
    ) {
        let labels: Labels = (0..300).map(|n| (format!("{name}{n}").into(), value.clone())).collect();
        let t = Transition {
            summary: summary.clone(),
            description: description.clone(),
            details: labels.clone(),
            lines: vec![value.clone(); model::MOST_LINES],
            last_lines: vec![description.chars().take(512).collect(); model::MOST_LINES],
            runbook: Some(link.clone()),
            images: vec![Image { src: link.clone(), href: Some(link.clone()), alt: Some(value.clone()) }],
            ..transition()
        };
        let (_, body) = sent(sample::raise(t), shrink);
        prop_assert_eq!(&body["dedup_key"], "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f");
        let clean = |text: &str| text.chars().all(|c| !c.is_control());
        prop_assert!(body["payload"]["summary"].as_str().is_some_and(clean));
        let report = ChangeReport { summary, description, details: labels, link: Some(link), ..report() };
        sent(sample::of_change(report), shrink);
    }

    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..700, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let answer = Answer { status, headers: Vec::new(), body, whole: true };
        with(sample::raise(transition()), false, |unit| classify(unit, &answer));
    }
}
