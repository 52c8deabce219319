use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Image, SinkName, Status, Timestamp, Transition};
use crate::settings::{Batch, Body, Form, Piece, Place};
use crate::sink::attempt::Purpose;
use crate::sink::sample;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_b2xkIHNlY3JldCBvZiB0aGUgcGVlcg==";
const URL: &str = "https://hook.example.com/CANARYPATH?t=CANARYQUERY";

fn settings(body: Body) -> Webhook {
    Webhook {
        receiver: SinkName::new("oncall"),
        method: "POST",
        headers: Vec::new(),
        token: ("authorization".to_owned(), Some("Bearer".to_owned())),
        username: None,
        body,
        success: Vec::new(),
        batch: None,
        rate: None,
    }
}

fn in_batches(body: Body) -> Webhook {
    let batch = Batch { count: 9, bytes: 1 << 20, time: Duration::from_secs(1) };
    Webhook { batch: Some(batch), ..settings(body) }
}

fn secrets(all: &[(&'static str, &str)]) -> Secrets {
    let url = ("url", URL.into());
    Secrets::new(all.iter().map(|(name, secret)| (*name, (*secret).into())).chain([url]).collect())
}

fn resolved() -> Delivery {
    let t = sample::transition();
    let over = Transition {
        time: Timestamp::from_secs(1_449_739_000),
        status: Status::Ok,
        previous: Status::Critical,
        step: 2,
        value: None,
        ..t
    };
    sample::alert(DeliveryKind::Resolve, over)
}

fn said(settings: &Webhook, rows: &[Delivery], secrets: &Secrets, shrink: bool) -> Request {
    request(
        settings,
        Unit { rows, secrets, shrink, purpose: Purpose::Owed, now: Timestamp::from_secs(1_614_265_330) },
    )
}

fn body_of(settings: &Webhook, rows: &[Delivery]) -> Value {
    serde_json::from_slice(&said(settings, rows, &secrets(&[]), false).body).unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn lines(rows: &[Delivery]) -> Vec<Value> {
    rows.iter()
        .map(|row| serde_json::from_str(&crate::sink::stdout::content_json(&row.content)).unwrap())
        .collect()
}

#[test]
fn the_usual_body_is_the_json_line_and_a_batch_is_a_list_even_of_one() {
    let rows = [sample::raise(sample::transition()), sample::of_change(sample::report())];
    assert_eq!(body_of(&settings(Body::Tripline), &rows[..1]), lines(&rows)[0]);
    assert_eq!(body_of(&in_batches(Body::Tripline), &rows), Value::from(lines(&rows)));
    assert_eq!(body_of(&in_batches(Body::Tripline), &rows[..1]), Value::from(lines(&rows[..1])));
}

#[test]
fn every_attempt_has_the_same_id_and_its_own_moment() {
    let rows = [sample::raise(sample::transition())];
    let request = said(&settings(Body::Tripline), &rows, &secrets(&[]), false);
    assert_eq!((request.method, request.url.as_str()), ("POST", URL));
    assert_eq!(header(&request, "content-type"), Some("application/json"));
    let id = "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f@3-4096-0";
    assert_eq!(header(&request, "webhook-id"), Some(id));
    assert_eq!(header(&request, "webhook-timestamp"), Some("1614265330"));
    assert_eq!(header(&request, "webhook-signature"), None);

    let two = [rows[0].clone(), resolved()];
    let batch = said(&in_batches(Body::Tripline), &two, &secrets(&[]), false);
    let again = said(&in_batches(Body::Tripline), &two, &secrets(&[]), false);
    let other = said(&in_batches(Body::Tripline), &[two[1].clone(), two[0].clone()], &secrets(&[]), false);
    assert!(header(&batch, "webhook-id").unwrap().starts_with("batch-"));
    assert_eq!(header(&batch, "webhook-id"), header(&again, "webhook-id"));
    assert_ne!(header(&batch, "webhook-id"), header(&other, "webhook-id"));
}

#[test]
fn two_signs_of_life_are_not_one() {
    let beat = |time| {
        let beat = Transition { time: Timestamp::from_secs(time), ..sample::transition() };
        id(&[sample::alert(DeliveryKind::Beat, beat)])
    };
    assert_ne!(beat(1), beat(2));
}

/// What a receiver does: HMAC over id, timestamp and body.
fn verified(request: &Request, secret: &str) -> bool {
    let (id, seconds) =
        (header(request, "webhook-id").unwrap(), header(request, "webhook-timestamp").unwrap());
    let expected = sign::signature(&sign::key(secret).unwrap(), id, seconds.parse().unwrap(), &request.body);
    header(request, "webhook-signature").is_some_and(|all| all.split(' ').any(|one| one == expected))
}

#[test]
fn what_is_sent_is_signed_with_the_secret_and_with_the_one_that_is_given_up() {
    let rows = [sample::raise(sample::transition())];
    let sign = |all: &[(&'static str, &str)]| said(&settings(Body::Tripline), &rows, &secrets(all), false);
    let one = sign(&[("secret", SECRET)]);
    assert!(verified(&one, SECRET) && !verified(&one, OLD_SECRET));
    let both = sign(&[("secret", SECRET), ("old_secret", OLD_SECRET)]);
    assert!(verified(&both, SECRET) && verified(&both, OLD_SECRET));
    assert_eq!(header(&both, "webhook-signature").unwrap().split(' ').count(), 2);
    assert!(
        !header(&both, "webhook-id").unwrap().contains('.'),
        "a dot would make the signed text ambiguous"
    );
}

#[test]
fn a_secret_that_cannot_sign_is_named_and_not_shown() {
    for (all, named) in [
        (vec![("secret", SECRET), ("old_secret", OLD_SECRET)], None),
        (vec![("secret", "CANARY")], Some("`secret`")),
        (vec![("secret", SECRET), ("old_secret", "whsec_CANARY!")], Some("`old_secret`")),
    ] {
        let wrong = wrong_secret(&secrets(&all));
        assert_eq!(wrong.is_some(), named.is_some(), "{wrong:?}");
        let (key, shown) = wrong.unwrap_or_default();
        assert_eq!(named.map(|name| name.trim_matches('`')).unwrap_or_default(), key);
        assert!(shown.starts_with(named.unwrap_or_default()) && !shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn headers_are_those_of_the_settings_with_a_token_or_a_password() {
    let check = |settings: &Webhook, all: &[(&'static str, &str)], expected: &[(&str, &str)]| {
        let headers = headers(settings, &secrets(all));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, expected);
    };
    let plain = Webhook { headers: vec![("x-team".to_owned(), "db".to_owned())], ..settings(Body::Tripline) };
    check(&plain, &[], &[("x-team", "db")]);
    check(&plain, &[("token", "t0k")], &[("x-team", "db"), ("authorization", "Bearer t0k")]);
    let key = Webhook { token: ("x-api-key".to_owned(), None), ..settings(Body::Tripline) };
    check(&key, &[("token", "t0k")], &[("x-api-key", "t0k")]);
    let basic = Webhook { username: Some("ann".to_owned()), ..settings(Body::Tripline) };
    check(&basic, &[("password", "pass")], &[("authorization", "Basic YW5uOnBhc3M=")]);
}

#[test]
fn alertmanager_s_form_has_every_field_in_its_place() {
    let firing = json!({
        "status": "firing",
        "labels": {
            "alert_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "alertname": "ssh_bruteforce", "instance": "web-1", "src_ip": "187.141.143.180"
        },
        "annotations": {
            "count": "5", "description": "Failed password for root", "reason": "level reached",
            "runbook_url": "https://wiki.example.com/ssh", "severity": "warning",
            "summary": "5 failed logins from 187.141.143.180 in 10m", "user": "root", "value": "5"
        },
        "startsAt": "2015-12-10T09:13:10Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "3f3f3f3f3f3f3f3f"
    });
    let group = body_of(&settings(Body::Alertmanager), &[sample::raise(sample::transition())]);
    assert_eq!(
        group,
        json!({
            "version": "4",
            "groupKey": "{}:{alert_key=\"ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f\", alertname=\"ssh_bruteforce\"}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "oncall",
            "groupLabels": {
                "alert_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f", "alertname": "ssh_bruteforce"
            },
            "commonLabels": firing["labels"],
            "commonAnnotations": firing["annotations"],
            "externalURL": "",
            "alerts": [firing]
        })
    );
}

#[test]
fn the_end_of_an_alert_has_the_labels_of_its_beginning_and_the_severity_it_had() {
    let form = settings(Body::Alertmanager);
    let (begun, over) =
        (body_of(&form, &[sample::raise(sample::transition())]), body_of(&form, &[resolved()]));
    assert_eq!(over["status"], "resolved");
    for same in ["groupKey", "groupLabels", "commonLabels"] {
        assert_eq!(begun[same], over[same]);
    }
    let over = &over["alerts"][0];
    assert_eq!(over["fingerprint"], begun["alerts"][0]["fingerprint"]);
    assert_eq!(
        (&over["annotations"]["severity"], &over["annotations"]["value"]),
        (&json!("critical"), &Value::Null)
    );
    assert_eq!(
        (&over["startsAt"], &over["endsAt"]),
        (&json!("2015-12-10T09:13:10Z"), &json!("2015-12-10T09:16:40Z"))
    );
}

#[test]
fn a_group_of_several_fires_as_long_as_one_does_and_shares_what_is_alike() {
    let other = Transition {
        key: crate::model::AlertKey { hash: crate::model::KeyHash([1; 16]), ..sample::transition().key },
        labels: sample::labels(&[("instance", "web-1"), ("src_ip", "10.0.0.1")]),
        ..sample::transition()
    };
    let group = body_of(&in_batches(Body::Alertmanager), &[resolved(), sample::raise(other)]);
    assert_eq!((&group["status"], &group["alerts"].as_array().unwrap().len()), (&json!("firing"), &2));
    assert_eq!(group["groupKey"], "{}:{alertname=\"ssh_bruteforce\"}");
    assert_eq!(group["commonLabels"], json!({"alertname": "ssh_bruteforce", "instance": "web-1"}));
    assert_eq!(group["commonAnnotations"]["user"], "root");
    assert_eq!(group["commonAnnotations"].get("severity"), None);
}

#[test]
fn a_cloud_event_has_the_json_line_in_it() {
    let rows = [sample::raise(sample::transition()), sample::of_change(sample::report())];
    let request = said(&settings(Body::CloudEvents), &rows[..1], &secrets(&[]), false);
    assert_eq!(header(&request, "content-type"), Some("application/cloudevents+json; charset=UTF-8"));
    assert_eq!(
        serde_json::from_slice::<Value>(&request.body).unwrap(),
        json!({
            "specversion": "1.0",
            "id": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f@3-4096-0",
            "source": "/tripline/web-1",
            "type": "tripline.alert.raised",
            "subject": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "time": "2015-12-10T09:13:10Z",
            "datacontenttype": "application/json",
            "data": lines(&rows)[0]
        })
    );
    let batch = said(&in_batches(Body::CloudEvents), &rows, &secrets(&[]), false);
    assert_eq!(header(&batch, "content-type"), Some("application/cloudevents-batch+json; charset=UTF-8"));
    let batch: Value = serde_json::from_slice(&batch.body).unwrap();
    assert_eq!((&batch[1]["type"], &batch[1]["data"]), (&json!("tripline.change"), &lines(&rows)[1]));
}

/// Every place, and whatever else may stand in a form.
fn form() -> Form {
    let place = |place| Form::Text(vec![Piece::Place(place)]);
    let places = [
        ("kind", Place::Kind),
        ("id", Place::Id),
        ("key", Place::Key),
        ("rule", Place::Rule),
        ("status", Place::Status),
        ("previous", Place::Previous),
        ("state", Place::State),
        ("severity", Place::Severity),
        ("reason", Place::Reason),
        ("value", Place::Value),
        ("count", Place::Count),
        ("total", Place::Total),
        ("since", Place::Since),
        ("time", Place::Time),
        ("summary", Place::Summary),
        ("description", Place::Description),
        ("runbook", Place::Runbook),
        ("link", Place::Link),
    ];
    let user =
        vec![Piece::Text("by ".to_owned()), Piece::Label("user".to_owned()), Piece::Label("none".to_owned())];
    let others = [
        ("labels", Form::Labels),
        ("all", Form::All),
        ("list", Form::List(vec![Form::Constant(json!(7)), Form::Text(user)])),
        ("none", Form::Text(Vec::new())),
    ];
    let fields = places.map(|(name, at)| (name, place(at))).into_iter().chain(others);
    Form::Table(fields.map(|(name, form)| (name.to_owned(), form)).collect())
}

#[test]
fn a_form_is_filled_with_what_an_alert_says() {
    let row = sample::raise(sample::transition());
    assert_eq!(
        body_of(&settings(Body::Own(form())), std::slice::from_ref(&row)),
        json!({
            "kind": "alert",
            "id": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f@3-4096-0",
            "key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "rule": "ssh_bruteforce",
            "status": "warning",
            "previous": "ok",
            "state": "firing",
            "severity": "warning",
            "reason": "level reached",
            "value": "5",
            "count": "5",
            "total": "7",
            "since": "2015-12-10T09:13:10Z",
            "time": "2015-12-10T09:13:10Z",
            "summary": "5 failed logins from 187.141.143.180 in 10m",
            "description": "Failed password for root",
            "runbook": "https://wiki.example.com/ssh",
            "link": "",
            "labels": {"instance": "web-1", "src_ip": "187.141.143.180", "user": "root"},
            "all": lines(&[row])[0],
            "list": [7, "by root"],
            "none": ""
        })
    );
    let over = body_of(&settings(Body::Own(form())), &[resolved()]);
    assert_eq!(
        (&over["state"], &over["severity"], &over["status"]),
        (&json!("resolved"), &json!("critical"), &json!("ok"))
    );
}

#[test]
fn a_form_is_filled_with_what_is_said_of_a_change_and_empty_where_there_is_nothing() {
    let row = sample::of_change(sample::report());
    let said = body_of(&in_batches(Body::Own(form())), std::slice::from_ref(&row));
    for (name, value) in [
        ("kind", "change"),
        ("id", "deploy:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a@3-4096"),
        ("key", "api-1.4"),
        ("rule", "deploy"),
        ("status", "Processing"),
        ("summary", "api 1.4 started"),
        ("link", "https://ci.example.com/api"),
        ("previous", ""),
        ("state", ""),
        ("severity", ""),
        ("value", ""),
        ("since", ""),
    ] {
        assert_eq!(said[0][name], value, "{name}");
    }
    assert_eq!(said[0]["all"], lines(&[row])[0]);
}

fn classes(settings: &Webhook, rows: usize, status: u16) -> String {
    let rows = vec![sample::raise(sample::transition()); rows];
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let answer = Answer { status, headers, body: b"LOG webhook 410 suspended".to_vec(), whole: true };
    let unit = Unit {
        rows: &rows,
        secrets: &secrets(&[]),
        shrink: false,
        purpose: Purpose::Owed,
        now: Timestamp::MIN,
    };
    let outcomes = classify(settings, unit, &answer);
    assert_eq!(outcomes.len(), rows.len());
    outcomes.iter().map(sample::class_after_7s).collect()
}

#[test]
fn each_status_has_its_class_whatever_the_answer_says() {
    let one = settings(Body::Tripline);
    for (status, class, of_two) in [
        (200, "A", "AA"),
        (202, "A", "AA"),
        (204, "A", "AA"),
        (301, "C", "CC"),
        (302, "C", "CC"),
        (304, "C", "CC"),
        (307, "C", "CC"),
        (308, "C", "CC"),
        (400, "D", "OO"),
        (401, "C", "CC"),
        (402, "C", "CC"),
        (403, "C", "CC"),
        (404, "C", "CC"),
        (405, "C", "CC"),
        (408, "B", "BB"),
        (409, "B", "BB"),
        (410, "C", "CC"),
        (413, "S", "OO"),
        (415, "D", "OO"),
        (422, "D", "OO"),
        (425, "B", "BB"),
        (429, "B", "BB"),
        (500, "B", "BB"),
        (501, "D", "OO"),
        (502, "B", "BB"),
        (503, "B", "BB"),
        (504, "B", "BB"),
        (520, "B", "BB"),
        (599, "B", "BB"),
    ] {
        assert_eq!(classes(&one, 1, status), class, "{status}");
        assert_eq!(classes(&in_batches(Body::Tripline), 2, status), of_two, "{status}");
    }
    let exact = Webhook { success: vec![200, 409], ..one };
    for (status, class) in [(200, "A"), (409, "A"), (202, "C"), (204, "C"), (500, "B")] {
        assert_eq!(classes(&exact, 1, status), class, "{status}");
    }
}

#[test]
fn what_a_receiver_echoes_loses_every_secret() {
    let settings = Webhook { username: Some("ann".to_owned()), ..settings(Body::Tripline) };
    let secrets = secrets(&[("password", "CANARYWORD"), ("token", "CANARYTOKEN"), ("secret", SECRET)]);
    let pair = basic(&settings, &secrets).unwrap();
    let echo = format!(
        "bad {URL} CANARYTOKEN CANARYWORD {pair} {SECRET} /CANARYPATH ?t=CANARYQUERY \u{1b}[31m\u{202e} end"
    );
    let rows = [sample::raise(sample::transition())];
    let answer = Answer { status: 401, headers: Vec::new(), body: echo.into_bytes(), whole: false };
    let unit =
        Unit { rows: &rows, secrets: &secrets, shrink: false, purpose: Purpose::Owed, now: Timestamp::MIN };
    let shown = format!("{:?}", classify(&settings, unit, &answer));
    for part in ["CANARY", &pair, SECRET, "\\u{1b}", "\\u{202e}"] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("401 bad *** ***") && shown.ends_with("end\" }]"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn log_text_stays_inside_of_its_string(text in "[\\PC\\x00-\\x1f{}\"\\\\]{0,40}", name in "[a-z]{1,4}") {
        let t = Transition {
            summary: text.clone(),
            description: text.clone(),
            details: sample::labels(&[(&name, &text)]),
            ..sample::transition()
        };
        let rows = [sample::raise(t)];
        for body in [Body::Tripline, Body::Alertmanager, Body::CloudEvents, Body::Own(form())] {
            let said = said(&in_batches(body), &rows, &secrets(&[]), false).body;
            // One line of visible JSON, from which the text comes back as it was.
            prop_assert!(!said.iter().any(|byte| *byte < 0x20));
            let value: Value = serde_json::from_slice(&said).unwrap();
            let own = value.pointer("/0/summary").or_else(|| value.pointer("/0/data/summary"));
            let own = own.or_else(|| value.pointer("/alerts/0/annotations/summary"));
            prop_assert_eq!(own.and_then(Value::as_str).unwrap_or_default(), &text);
        }
    }

    #[test]
    fn what_is_shrunk_is_small_and_says_the_same_of_the_alert(text in "\\PC{0,3000}") {
        let image = Image { src: text.clone(), href: None, alt: None };
        let t = Transition {
            summary: text.clone(),
            description: text.clone(),
            images: vec![image; 3],
            ..sample::transition()
        };
        let rows = [sample::raise(t)];
        let whole = said(&settings(Body::Tripline), &rows, &secrets(&[]), false);
        let lean = said(&settings(Body::Tripline), &rows, &secrets(&[]), true);
        prop_assert_eq!(header(&whole, "webhook-id"), header(&lean, "webhook-id"));
        let lean: Value = serde_json::from_slice(&lean.body).unwrap();
        prop_assert!(lean["summary"].as_str().unwrap().chars().count() <= 512);
        prop_assert!(lean["description"].as_str().unwrap().chars().count() <= 512);
        prop_assert_eq!(lean.get("images"), None);
        prop_assert_eq!(lean["alert_key"].as_str().unwrap(), &rows[0].about());
    }
}
