//! Changes of a "standard change event" integration. One request carries one report; reports with one key are one
//! change there.
//!
//! Source of the wire format: the vendor's page on the standard change event. It says nothing of the length of titles,
//! so that of alerts holds here. Titles are no templates there.

use serde::Serialize;
use std::collections::BTreeMap;

use super::{DESCRIPTION, LABELS, TITLE, kept_labels, push_url, with_links};
use crate::model::{ChangeReport, ChangeStatus, Timestamp};
use crate::settings::FlashdutyChanges;
use crate::sink::text::{cut, is_link, lines, plain};
use crate::sink::{Request, Unit};

const PATH: &str = "/event/push/change/standard";
pub(super) const KEY: &str = "change_integration_key";

#[derive(Serialize)]
struct Event {
    title: String,
    change_key: String,
    change_status: &'static str,
    event_time: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    labels: BTreeMap<String, String>,
}

/// The request that tells Flashduty how far a change has come. With `shrink`, after the peer found it too large: texts
/// cut to half, no labels beyond the identity.
///
/// # Panics
/// If there is no change in the unit.
pub fn request(settings: &FlashdutyChanges, unit: Unit<'_>) -> Request {
    let report = unit.rows.first().and_then(|row| row.change()).expect("one row, and it takes no others");
    Request {
        method: "POST",
        url: push_url(&settings.url, PATH, unit.secrets.get(KEY)),
        headers: vec![("content-type", "application/json".to_owned())],
        body: serde_json::to_vec(&event(report, unit.shrink))
            .expect("texts and numbers always have a JSON form"),
    }
}

fn event(report: &ChangeReport, shrink: bool) -> Event {
    let half = if shrink { 2 } else { 1 };
    // A link that is too long is left out: cut, it leads nowhere. What else there is of it goes into the labels.
    let link = report.link.clone().filter(|link| is_link(link));
    let title = plain(&report.summary);
    let title = if title.trim().is_empty() { plain(&report.change_key) } else { title };
    Event {
        title: cut(&title, TITLE / half),
        change_key: change_key(report),
        change_status: report.status.as_str(),
        event_time: event_time(report).as_secs(),
        description: with_links(&lines(&report.description), None, &report.links, DESCRIPTION / half),
        link,
        labels: labels(report, half, shrink),
    }
}

/// A change that lives again is another one there: what is over stays so.
fn change_key(report: &ChangeReport) -> String {
    let key = plain(&report.change_key);
    if report.life > 1 { format!("{key}#{}", report.life) } else { key }
}

/// A time that is still to come is taken for what is `Ready` alone.
fn event_time(report: &ChangeReport) -> Timestamp {
    match report.status {
        ChangeStatus::Ready => report.time,
        _ => report.time.min(report.seen),
    }
}

fn labels(report: &ChangeReport, half: usize, shrink: bool) -> BTreeMap<String, String> {
    let planned = [("starts", report.starts), ("ends", report.ends)];
    let planned: Vec<_> =
        planned.into_iter().filter_map(|(name, time)| Some((name, time?.to_string()))).collect();
    let linked = report.linked_changes.join(", ");
    let own = [("rule", report.rule.as_str())];
    let identity = report.labels.iter().map(|(name, value)| (&**name, value.as_str())).chain(own);
    let details = report.details.iter().map(|(name, value)| (&**name, value.as_str()));
    let planned = planned.iter().map(|(name, time)| (*name, time.as_str()));
    let rest = details.chain(planned).chain([("linked_changes", linked.as_str())]);
    let runbook = report.runbook.iter().map(|link| ("runbook", link.as_str()));
    let all = identity.map(|pair| (pair, true)).chain(rest.chain(runbook).map(|pair| (pair, !shrink)));
    kept_labels(all, LABELS, half).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Link;
    use crate::sink::{Secrets, sample};

    fn body(report: ChangeReport, shrink: bool) -> Value {
        let rows = [sample::of_change(report)];
        let secrets = Secrets::new(vec![(KEY, "CANARYkey/+1".into())]);
        let settings = FlashdutyChanges { url: "https://api.flashcat.cloud".to_owned() };
        let unit = Unit {
            rows: &rows,
            secrets: &secrets,
            shrink,
            now: Timestamp::MIN,
            purpose: crate::sink::attempt::Purpose::Owed,
        };
        let request = request(&settings, unit);
        assert_eq!(
            request.url,
            "https://api.flashcat.cloud/event/push/change/standard?integration_key=CANARYkey%2F%2B1"
        );
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn a_change_carries_every_field() {
        let report = ChangeReport {
            starts: Some(Timestamp::from_secs(1_449_740_000)),
            linked_changes: vec!["INC-1".to_owned(), "INC-2".to_owned()],
            ..sample::report()
        };
        let expected = json!({
            "title": "api 1.4 started",
            "change_key": "api-1.4",
            "change_status": "Processing",
            "event_time": 1_449_738_790,
            "description": "deploy api 1.4 started by ann",
            "link": "https://ci.example.com/api",
            "labels": {
                "instance": "web-1", "team": "shop", "rule": "deploy", "app": "api",
                "starts": "2015-12-10T09:33:20Z", "ends": "2015-12-10T09:29:50Z",
                "linked_changes": "INC-1, INC-2", "runbook": "https://wiki.example.com/deploy",
            },
        });
        assert_eq!(body(report, false), expected);
    }

    #[test]
    fn a_change_that_lives_again_is_another_one() {
        for (life, expected) in [(1, "api-1.4"), (2, "api-1.4#2"), (u32::MAX, "api-1.4#4294967295")] {
            assert_eq!(body(ChangeReport { life, ..sample::report() }, false)["change_key"], expected);
        }
    }

    #[test]
    fn links_stand_below_the_description() {
        let links = vec![Link { href: "https://w/a".to_owned(), text: Some("notes".to_owned()) }];
        let body = body(ChangeReport { links, ..sample::report() }, false);
        assert_eq!(body["description"], "deploy api 1.4 started by ann\n\nnotes: https://w/a");
    }

    #[test]
    fn only_what_is_ready_lies_in_the_future() {
        let later = Timestamp::from_secs(1_449_800_000);
        for (status, expected) in
            [(ChangeStatus::Ready, 1_449_800_000), (ChangeStatus::Planned, 1_449_738_790)]
        {
            let report = ChangeReport { status, time: later, ..sample::report() };
            assert_eq!(body(report, false)["event_time"], expected);
        }
    }

    proptest! {
        #[test]
        fn every_limit_holds_whatever_the_texts_are(
            title in "\\PC{0,40}|[é\u{1b}$]{0,600}",
            description in ".{0,40}|(日志\n){0,1200}",
            key in ".{1,40}",
            value in ".{0,40}|é{2000,2100}",
            shrink in any::<bool>(),
        ) {
            let report = ChangeReport {
                summary: title,
                description,
                change_key: key,
                details: (0..60).map(|n| (format!("l{n}").into(), value.clone())).collect(),
                ..sample::report()
            };
            let body = body(report, shrink);
            let length = |text: &Value| text.as_str().map_or(0, |text| text.chars().count());
            prop_assert!(length(&body["title"]) <= 512 && length(&body["description"]) <= 2048);
            let labels = body["labels"].as_object().unwrap();
            prop_assert!(labels.len() <= 50 && labels.values().all(|value| length(value) <= 2048));
            let clean = |text: &Value| text.as_str().unwrap_or("").chars().all(|c| !c.is_control() || c == '\n' || c == '\t');
            prop_assert!(["title", "change_key", "description"].iter().all(|field| clean(&body[field])));
        }
    }
}
