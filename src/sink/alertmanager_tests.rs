use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sink::Secrets;
use crate::sink::sample::{self, transition};
use crate::untrusted::is_hostile;

/// 2015-12-10T09:14:10Z, a minute after what [`transition`] says.
const NOW: Timestamp = Timestamp(1_449_738_850_000_000);

fn settings() -> settings::Alertmanager {
    settings::Alertmanager {
        url: "http://127.0.0.1:9093/am/".to_owned(),
        username: None,
        resend: Duration::from_secs(60),
        hold_on_shutdown: None,
        omit_ends_at: false,
        severity_label: false,
    }
}

fn with<T>(rows: &[Delivery], purpose: Purpose, then: impl FnOnce(Unit<'_>) -> T) -> T {
    let secrets = Secrets::new(vec![("token", "CANARY".into()), ("password", "CANARY".into())]);
    then(Unit { rows, secrets: &secrets, shrink: false, now: NOW, purpose })
}

fn body(settings: &settings::Alertmanager, rows: &[Delivery], purpose: Purpose) -> Value {
    with(rows, purpose, |unit| serde_json::from_slice(&request(settings, unit).body).unwrap())
}

fn resolve() -> Delivery {
    let over = Transition {
        time: Timestamp(1_449_738_840_000_000),
        status: Status::Ok,
        previous: Status::Warning,
        ..transition()
    };
    sample::alert(DeliveryKind::Resolve, over)
}

fn worse() -> Delivery {
    let worse = Transition { status: Status::Critical, previous: Status::Warning, ..transition() };
    sample::alert(DeliveryKind::Change, worse)
}

#[test]
fn an_alert_carries_its_identity_as_labels_and_all_else_as_annotations() {
    let rows = [sample::raise(transition())];
    let expected = json!([{
        "labels": {
            "alertname": "ssh_bruteforce",
            "alert_key": "ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f",
            "instance": "web-1",
            "src_ip": "187.141.143.180",
        },
        "annotations": {
            "summary": "5 failed logins from 187.141.143.180 in 10m",
            "description": "Failed password for root",
            "severity": "warning", "reason": "level reached", "value": "5", "count": "5", "total": "7",
            "runbook_url": "https://wiki.example.com/ssh",
            "user": "root",
        },
        "startsAt": "2015-12-10T09:13:10Z",
        "endsAt": "2015-12-10T09:18:10Z",
    }]);
    assert_eq!(body(&settings(), &rows, Purpose::Owed), expected);
    let request = with(&rows, Purpose::Owed, |unit| request(&settings(), unit));
    assert_eq!((request.method, request.url.as_str()), ("POST", "http://127.0.0.1:9093/am/api/v2/alerts"));
    assert!(request.headers.contains(&("authorization", "Bearer CANARY".to_owned())));
}

#[test]
fn an_alert_that_gets_worse_is_the_same_one_and_its_end_is_that_of_the_same() {
    let rows = [sample::raise(transition()), worse(), resolve()];
    let all = body(&settings(), &rows, Purpose::Owed);
    let labels: Vec<&Value> = all.as_array().unwrap().iter().map(|alert| &alert["labels"]).collect();
    assert!(labels.len() == 3 && labels.windows(2).all(|two| two[0] == two[1]), "{all}");
    assert_eq!(all[1]["annotations"]["severity"], "critical");
    assert_eq!(all[2]["endsAt"], "2015-12-10T09:14:00Z");
}

#[test]
fn with_severity_as_a_label_each_severity_ends_where_the_next_one_begins() {
    let settings = settings::Alertmanager { severity_label: true, ..settings() };
    let shown = |row: Delivery| -> Vec<(String, String)> {
        let all = body(&settings, &[row], Purpose::Owed);
        let one = |alert: &Value| {
            (
                alert["labels"]["severity"].as_str().unwrap().to_owned(),
                alert["endsAt"].as_str().unwrap().to_owned(),
            )
        };
        all.as_array().unwrap().iter().map(one).collect()
    };
    let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(severity, ends)| ((*severity).to_owned(), (*ends).to_owned())).collect()
    };
    let (past, later) = ("2015-12-10T09:13:10Z", "2015-12-10T09:18:10Z");
    assert_eq!(shown(sample::raise(transition())), of(&[("warning", later)]));
    assert_eq!(shown(worse()), of(&[("warning", past), ("critical", later)]));
    assert_eq!(shown(resolve()), of(&[("warning", "2015-12-10T09:14:00Z")]));
}

#[test]
fn before_a_stop_the_end_lies_further_away_and_clocks_may_be_left_out_of_it() {
    let rows = [sample::raise(transition())];
    let ends =
        |settings: &settings::Alertmanager, purpose| body(settings, &rows, purpose)[0]["endsAt"].clone();
    assert_eq!(ends(&settings(), Purpose::Again), "2015-12-10T09:18:10Z");
    assert_eq!(ends(&settings(), Purpose::Hold(Duration::from_secs(1800))), "2015-12-10T09:44:10Z");
    assert_eq!(ends(&settings(), Purpose::Hold(Duration::from_secs(1))), "2015-12-10T09:18:10Z");
    let without = settings::Alertmanager { omit_ends_at: true, ..settings() };
    assert_eq!(ends(&without, Purpose::Again), Value::Null);
    assert_eq!(body(&without, &[resolve()], Purpose::Owed)[0]["endsAt"], "2015-12-10T09:14:00Z");
}

#[test]
fn an_end_waits_until_this_life_of_the_instance_has_heard_of_the_beginning() {
    let of = |began: &str| Life { began: began.to_owned(), since: None };
    let mut heard = Heard::default();
    let (raise, over) = ([sample::raise(transition())], [resolve()]);
    let unheard =
        |heard: &Heard, purpose, began| with(&over, purpose, |unit| heard.unheard(unit, &of(began)).len());
    assert_eq!(unheard(&heard, Purpose::Owed, "monday"), 1, "nobody knows what was before us");
    heard.took(&raise, &of("monday"));
    assert_eq!(unheard(&heard, Purpose::Owed, "monday"), 0);
    assert_eq!(unheard(&heard, Purpose::Owed, "tuesday"), 1, "it was killed in between");
    heard.took_anew(&[&over[0]], &of("tuesday"));
    assert_eq!(unheard(&heard, Purpose::Owed, "tuesday"), 0);
    heard.took(&over, &of("tuesday"));
    assert_eq!(unheard(&heard, Purpose::Again, "wednesday"), 0, "an end that was heard is only told again");
    assert!(heard.by.is_empty(), "what is over is not remembered");

    let request = with(&over, Purpose::Owed, |unit| request_anew(&settings(), unit, &[&over[0]]));
    let anew: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(anew[0]["labels"], body(&settings(), &raise, Purpose::Owed)[0]["labels"]);
    assert_eq!(
        (&anew[0]["endsAt"], &anew[0]["annotations"]["severity"]),
        (&"2015-12-10T09:18:10Z".into(), &"warning".into())
    );
    assert_eq!(anew[0]["annotations"]["reason"], "still open");
}

#[test]
fn an_end_of_what_another_process_told_goes_alone_to_a_life_that_is_older_than_the_alert() {
    let over = [resolve()];
    // The alert began a minute ago, as all clocks but that of the instance have it: that one is three hours behind.
    for (uptime, date, unheard) in [
        ("2015-12-10T06:12:00.123Z", "Thu, 10 Dec 2015 06:14:10 GMT", 0),
        ("2015-12-10T06:13:05.000Z", "Thu, 10 Dec 2015 06:14:10 GMT", 1),
        ("2015-12-10T06:13:40.000Z", "Thu, 10 Dec 2015 06:14:10 GMT", 1),
        ("2015-12-10T06:18:00.000Z", "Thu, 10 Dec 2015 06:14:10 GMT", 1),
        ("2015-12-10T06:12:00.123Z", "today", 1),
        ("today", "Thu, 10 Dec 2015 06:14:10 GMT", 1),
    ] {
        let headers = vec![("date".to_owned(), date.to_owned())];
        let body = json!({ "uptime": uptime }).to_string().into_bytes();
        let life = life(&Answer { status: 200, headers, body, whole: true }, NOW);
        let mut heard = Heard::default();
        let count = |heard: &Heard| with(&over, Purpose::Owed, |unit| heard.unheard(unit, &life).len());
        assert_eq!(count(&heard), unheard, "{uptime} {date}");
        // What this process knows counts for more.
        heard.by.insert(transition().key, "another life".to_owned());
        assert_eq!(count(&heard), 1);
    }
}

fn class(status: u16, body: &str) -> char {
    let rows = [sample::raise(transition()), resolve()];
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let answer = Answer { status, headers, body: body.as_bytes().to_vec(), whole: true };
    let outcomes = with(&rows, Purpose::Owed, |unit| classify(unit, &answer));
    assert_eq!(outcomes.len(), 2);
    assert!(!format!("{outcomes:?}").contains("CANARY"));
    sample::class_after_7s(&outcomes[0])
}

#[test]
fn every_answer_has_its_class() {
    for (status, expected) in [
        (200, 'A'),
        (204, 'A'),
        (301, 'C'),
        (307, 'C'),
        (400, 'S'),
        (401, 'C'),
        (403, 'C'),
        (404, 'C'),
        (408, 'B'),
        (413, 'S'),
        (415, 'C'),
        (418, 'D'),
        (422, 'S'),
        (429, 'B'),
        (500, 'B'),
        (503, 'B'),
        (599, 'B'),
    ] {
        assert_eq!(class(status, "\"CANARY\u{1b}[2J\""), expected, "{status}");
    }
}

#[test]
fn when_it_began_is_read_where_it_can_be() {
    let state = |status, body: &str, whole| {
        life(&Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), whole }, NOW).began
    };
    assert_eq!(
        state(200, r#"{"cluster":{},"uptime":"2026-11-28T10:00:00.000Z"}"#, true),
        "2026-11-28T10:00:00.000Z"
    );
    for (status, body, whole) in [
        (200, r#"{"uptime":"x"}"#, false),
        (404, r#"{"uptime":"x"}"#, true),
        (200, "[", true),
        (200, "{}", true),
    ] {
        assert_eq!(state(status, body, whole), "");
    }
}

proptest! {
    #[test]
    fn whatever_the_texts_are_names_fit_and_values_are_bounded_and_harmless(
        summary in "\\PC{0,40}|[é\u{1b}]{4090,4200}",
        description in ".{0,40}|(日志\n){0,2000}",
        name in "[a-zA-Z0-9_.\\-é ]{1,40}",
        value in ".{0,40}",
    ) {
        let t = Transition {
            summary,
            description,
            labels: [(name.as_str().into(), value.clone()), ("alertname".into(), "spoofed".to_owned())].into(),
            details: (0..60).map(|n| (format!("{n}{name}").into(), value.clone())).collect(),
            ..transition()
        };
        let all = body(&settings(), &[sample::raise(t)], Purpose::Owed);
        prop_assert_eq!(&all[0]["labels"]["alertname"], "ssh_bruteforce");
        for part in ["labels", "annotations"] {
            for (name, value) in all[0][part].as_object().unwrap() {
                let mut bytes = name.bytes();
                prop_assert!(bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_'), "{name}");
                prop_assert!(bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
                let value = value.as_str().unwrap();
                prop_assert!(!value.is_empty() && value.chars().count() <= VALUE);
                prop_assert!(value.chars().all(|c| c == '\n' || c == '\t' || !is_hostile(c)), "{value:?}");
            }
        }
    }

    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..700, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let answer = Answer { status, headers: Vec::new(), body, whole: true };
        let rows = [resolve()];
        prop_assert_eq!(with(&rows, Purpose::Owed, |unit| classify(unit, &answer)).len(), 1);
        life(&answer, NOW);
    }
}
