//! PagerDuty, Events API v2: alerts and changes of one integration. One request carries one of them.
//!
//! Source of the wire format: the vendor's pages "Send an alert event", "Send a change event" and "Rate limits" of the
//! Events API v2, and its OpenAPI. The peer refuses what is too long instead of cutting it, so limits are held here.
//!
//! The key stands in the body. An alert is known there by its `dedup_key`; a change has none, so one whose answer was
//! lost may be there twice.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::attempt::Outcome;
use super::text::{self, cut, lines, plain, words};
use super::{Answer, Request, Unit};
use crate::model::{self, ChangeReport, Content, DeliveryKind, Image, Status, Transition};
use crate::settings;

/// The secret of the settings.
pub const KEY: &str = "routing_key";
const ALERTS: &str = "/v2/enqueue";
const CHANGES: &str = "/v2/change/enqueue";

const SUMMARY: usize = 1024;
/// Of a detail; there is only a limit for all of it.
const VALUE: usize = 2048;
const DESCRIPTION: usize = 16 * 1024;
const DETAILS: usize = 100;
/// Bytes of a body: 512 KB are taken, and nobody says which.
const BODY: usize = 500_000;
/// Letters and digits of a routing key.
const KEY_LENGTH: usize = 32;
/// Too many requests: how long is asked for by the vendor's pages, whatever the answer says.
const BUSY: Duration = Duration::from_secs(30);

/// What is said of a key that is wrong, in lower case.
const KEY_ERRORS: [&str; 3] = [
    "invalid routing key",
    "length of 'routing_key' is incorrect (should be 32 characters)",
    "'routing_key' cannot contain non-alphanumeric characters",
];

#[derive(Serialize)]
struct Event<'a> {
    routing_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dedup_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    custom_details: BTreeMap<String, Detail>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    /// Of the log.
    Lines(Vec<String>),
}

impl Detail {
    fn is_empty(&self) -> bool {
        match self {
            Detail::Text(text) => text.is_empty(),
            Detail::Lines(lines) => lines.is_empty(),
        }
    }

    /// What is left out first has the most: lines before texts, as they are in the log as well.
    fn weight(&self) -> (bool, usize) {
        match self {
            Detail::Text(text) => (false, text.len()),
            Detail::Lines(lines) => (true, lines.iter().map(String::len).sum()),
        }
    }
}

#[derive(Serialize)]
struct Link {
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Serialize)]
struct Picture {
    src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alt: Option<String>,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    dedup_key: Option<String>,
}

/// The request for a unit of one row. With `shrink`, after the peer found it too large: shorter texts, and no details
/// but the identity.
///
/// # Panics
/// If the unit is empty.
pub fn request(settings: &settings::PagerDuty, unit: Unit<'_>) -> Request {
    let row = unit.rows.first().expect("a unit has a row");
    let routing_key = unit.secrets.get(KEY);
    let bare = Event {
        routing_key,
        event_action: None,
        dedup_key: None,
        client: None,
        client_url: None,
        payload: None,
        links: Vec::new(),
        images: Vec::new(),
    };
    let (path, mut event) = match &row.content {
        Content::Alert(kind, t) => (ALERTS, alert(settings, *kind, t, unit.shrink, bare)),
        Content::Change(report) => (CHANGES, change(report, unit.shrink, bare)),
    };
    let mut body = encoded(&event);
    while body.len() > BODY && leave_out(&mut event) {
        body = encoded(&event);
    }
    let url = format!("{}{path}", settings.url.trim_end_matches('/'));
    Request { method: "POST", url, headers: vec![("content-type", "application/json".to_owned())], body }
}

/// Leaves out one thing: lines of the log, then the longest detail, then pictures, then links. False if nothing is left that can be missed.
fn leave_out(event: &mut Event<'_>) -> bool {
    let details = event.payload.as_mut().map(|payload| &mut payload.custom_details);
    if let Some(details) = details.filter(|details| !details.is_empty()) {
        let longest = details.iter().max_by_key(|(_, detail)| detail.weight()).map(|(name, _)| name.clone());
        return longest.is_some_and(|name| details.remove(&name).is_some());
    }
    event.images.pop().is_some() || event.links.pop().is_some()
}

fn encoded(event: &Event<'_>) -> Vec<u8> {
    serde_json::to_vec(event).expect("texts always have a JSON form")
}

fn alert<'a>(
    settings: &'a settings::PagerDuty,
    kind: DeliveryKind,
    t: &Transition,
    shrink: bool,
    bare: Event<'a>,
) -> Event<'a> {
    let dedup_key = Some(t.key.to_string());
    if kind == DeliveryKind::Resolve {
        return Event { event_action: Some("resolve"), dedup_key, ..bare };
    }
    let half = if shrink { 2 } else { 1 };
    let label = |name: &str| {
        let found = t.labels.get(name).or_else(|| t.details.get(name));
        found.map(|value| cut(&plain(value), VALUE / half)).filter(|value| !value.is_empty())
    };
    let summary = cut(&plain(&t.summary), SUMMARY / half);
    let summary = if summary.trim().is_empty() { t.key.rule.to_string() } else { summary };
    Event {
        event_action: Some("trigger"),
        dedup_key,
        client: Some("tripline"),
        client_url: settings.client_url.as_deref(),
        payload: Some(Payload {
            summary,
            source: label("instance").unwrap_or_else(|| "tripline".to_owned()),
            severity: Some(severity(settings, t.status)),
            timestamp: t.time.to_string(),
            component: label("component"),
            group: label("group"),
            class: label("class"),
            custom_details: details(t, half, shrink),
        }),
        links: links([(t.runbook.as_deref(), Some("runbook"))], &t.links),
        images: if shrink { Vec::new() } else { t.images.iter().filter_map(picture).collect() },
        ..bare
    }
}

fn change<'a>(report: &ChangeReport, shrink: bool, bare: Event<'a>) -> Event<'a> {
    let half = if shrink { 2 } else { 1 };
    let planned = [("starts", report.starts), ("ends", report.ends)];
    let planned = planned.into_iter().filter_map(|(name, time)| Some((name, time?.to_string())));
    let own = [
        ("change_key", cut(&plain(&report.change_key), VALUE / half)),
        ("change_status", report.status.as_str().to_owned()),
        ("description", cut(&lines(&report.description), DESCRIPTION / half)),
        ("rule", report.rule.to_string()),
        ("linked_changes", cut(&plain(&report.linked_changes.join(", ")), VALUE / half)),
    ];
    let own = own.into_iter().chain(planned).map(|(name, value)| (name.to_owned(), Detail::Text(value)));
    let labels = report.labels.iter().chain(report.details.iter().filter(|_| !shrink));
    let labels =
        labels.map(|(name, value)| (name.to_string(), Detail::Text(cut(&plain(value), VALUE / half))));
    let summary = cut(&plain(&report.summary), SUMMARY / half);
    let summary =
        if summary.trim().is_empty() { cut(&plain(&report.change_key), SUMMARY / half) } else { summary };
    let source = report.labels.get("instance").map(|scope| cut(&plain(scope), VALUE));
    Event {
        payload: Some(Payload {
            summary,
            source: source.unwrap_or_else(|| "tripline".to_owned()),
            severity: None,
            timestamp: report.time.to_string(),
            component: None,
            group: None,
            class: None,
            custom_details: first_of_each(own.chain(labels)),
        }),
        links: links(
            [(report.link.as_deref(), None), (report.runbook.as_deref(), Some("runbook"))],
            &report.links,
        ),
        ..bare
    }
}

fn severity(settings: &settings::PagerDuty, status: Status) -> &'static str {
    let [info, warning, critical] = settings.severities;
    match status {
        Status::Critical => critical,
        Status::Warning => warning,
        Status::Info | Status::Ok => info,
    }
}

fn details(t: &Transition, half: usize, shrink: bool) -> BTreeMap<String, Detail> {
    let own = [
        ("rule", t.key.rule.to_string()),
        ("description", cut(&lines(&t.description), DESCRIPTION / half)),
        ("reason", t.reason.as_str().to_owned()),
        ("since", t.since.to_string()),
        ("value", t.value.map(|value| value.to_string()).unwrap_or_default()),
        ("count", t.count.to_string()),
        ("total", t.total.to_string()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), Detail::Text(value)));
    let kept = [("lines", &t.lines), ("last_lines", &t.last_lines)].into_iter().filter(|_| !shrink);
    let kept = kept.map(|(name, kept)| {
        let shown = kept.iter().map(|line| cut(&plain(line), VALUE)).collect();
        (name.to_owned(), Detail::Lines(shown))
    });
    let labels = t.labels.iter().chain(t.details.iter().filter(|_| !shrink));
    let labels =
        labels.map(|(name, value)| (name.to_string(), Detail::Text(cut(&plain(value), VALUE / half))));
    first_of_each(own.chain(kept).chain(labels))
}

/// Of each name the first detail, if it is not empty.
fn first_of_each(pairs: impl Iterator<Item = (String, Detail)>) -> BTreeMap<String, Detail> {
    let mut details = BTreeMap::new();
    for (name, value) in pairs.filter(|(_, value)| !value.is_empty()).take(DETAILS) {
        details.entry(name).or_insert(value);
    }
    details
}

/// Those of a rule that have a key of their own, then the others.
fn links<const N: usize>(own: [(Option<&str>, Option<&str>); N], others: &[model::Link]) -> Vec<Link> {
    let others = others.iter().map(|link| (Some(link.href.as_str()), link.text.as_deref()));
    own.into_iter().chain(others).filter_map(|(href, text)| link(href?, text)).collect()
}

fn link(href: &str, text: Option<&str>) -> Option<Link> {
    is_link(href).then(|| Link { href: href.to_owned(), text: text.map(|text| cut(&plain(text), VALUE)) })
}

/// Pictures by https only, as the vendor's pages ask.
fn picture(image: &Image) -> Option<Picture> {
    let is_https = image.src.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    (is_https && is_link(&image.src)).then(|| Picture {
        src: image.src.clone(),
        href: image.href.clone().filter(|href| is_link(href)),
        alt: image.alt.as_deref().map(|alt| cut(&plain(alt), VALUE)).filter(|alt| !alt.is_empty()),
    })
}

/// Cut it leads nowhere.
fn is_link(text: &str) -> bool {
    text.len() <= VALUE && text::is_link(text)
}

/// True if a text may be a routing key.
pub fn is_routing_key(text: &str) -> bool {
    text.len() == KEY_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What an answer means for the row.
pub fn classify(unit: Unit<'_>, answer: &Answer) -> Outcome {
    let reply = if answer.whole { serde_json::from_slice::<Reply>(&answer.body).ok() } else { None };
    let said = reply.as_ref().map_or_else(String::new, |reply| {
        [&reply.message].into_iter().chain(&reply.errors).map(String::as_str).collect::<Vec<_>>().join("; ")
    });
    let why = words(format!("{} {said}", answer.status).trim_end(), unit.secrets);
    let after = answer.retry_after(unit.now);
    match answer.status {
        200..300 => {
            let known = reply.and_then(|reply| reply.dedup_key).is_some();
            Outcome::Accepted { note: if known { why } else { answer.status.to_string() } }
        }
        300..400 => {
            Outcome::Suspend { why: format!("{}: redirects are not followed; correct `url`", answer.status) }
        }
        400 if reply.as_ref().is_some_and(|reply| names_key(reply, unit)) => Outcome::Suspend { why },
        400 if names_length(&said) => Outcome::Shrink { why },
        401 | 403 | 404 | 405 | 407 | 410 => Outcome::Suspend { why },
        413 => Outcome::Shrink { why },
        429 => Outcome::Retry { after: Some(after.map_or(BUSY, |after| after.max(BUSY))), why },
        408 | 425 | 500.. => Outcome::Retry { after, why },
        _ => Outcome::Dead { why },
    }
}

/// True if it is the key that is wrong, and not the alert. The answer may quote the alert: where that speaks of routing
/// itself, only a sentence of the vendor counts, and only if it is not the alert's.
fn names_key(reply: &Reply, unit: Unit<'_>) -> bool {
    let names = |text: &str| text.contains("routing_key") || text.contains("routing key");
    let rows = unit.rows.iter().map(|row| serde_json::to_string(&row.content).unwrap_or_default());
    let ours: Vec<String> = rows.map(|text| text.to_ascii_lowercase()).collect();
    let quoted = ours.iter().any(|text| names(text));
    reply.errors.iter().chain([&reply.message]).map(|error| error.trim().to_ascii_lowercase()).any(|error| {
        let vendors = KEY_ERRORS.contains(&error.as_str()) && !ours.iter().any(|text| text.contains(&error));
        names(&error) && (!quoted || vendors)
    })
}

fn names_length(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["too long", "too large", "exceed", "maximum is"].iter().any(|words| said.contains(words))
}

#[cfg(test)]
#[path = "pagerduty_tests.rs"]
mod tests;
