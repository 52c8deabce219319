//! Flashduty: alerts of a "standard alert event" integration. One request carries one alert. What is said of changes
//! goes to an integration of its own, see [`change`].
//!
//! Source of the wire format: the vendor's page on the standard alert event (both versions of its tables) and the
//! error codes of its OpenAPI. Limits are in characters and enforced here, so that the peer never has to cut.
//!
//! **Titles are templates there**: without any prefix `$name` is replaced by a label and `::` splits the text. A
//! `title_rule` of the author goes out untouched. Any other title holds log text, so what would be taken for a
//! template is written with its full-width twin: `$` → `＄`, `::` → `：：`, a leading `[TPL]` or `[MD]` → `［TPL]`,
//! `［MD]`. It reads the same, has the same length, and can be turned back by eye.

pub mod change;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::attempt::{Outcome, by_status};
use super::text::{cut, duration, is_link, lines, plain, words};
use super::{Answer, Request, Secrets, Unit};
use crate::model::{Delivery, DeliveryKind, Image, Link, Status, Transition};
use crate::settings;
use crate::untrusted::percent_encode;

const PATH: &str = "/event/push/alert/standard";
const KEY_PARAMETER: &str = "integration_key";

const TITLE: usize = 512;
const DESCRIPTION: usize = 2048;
const LABELS: usize = 50;
const LABEL_NAME: usize = 128;
const LABEL_VALUE: usize = 2048;
const IMAGE_SRC: usize = 256;
const IMAGE_ALT: usize = 128;
const IMAGE_HREF: usize = 256;

/// Labels with this prefix choose who is paged on Flashduty; they are never sent.
const RESERVED: &str = "layer_";

#[derive(Serialize)]
struct Event {
    title_rule: String,
    event_status: &'static str,
    alert_key: String,
    event_time: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture>,
}

#[derive(Serialize)]
struct Picture {
    alt: String,
    src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<String>,
}

/// An answer that says yes.
#[derive(Deserialize)]
pub(super) struct Reply {
    #[serde(default)]
    request_id: Option<String>,
    /// What was asked for.
    #[serde(default)]
    pub(super) data: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// The request that tells Flashduty of a transition, and what it does there. With `shrink`, after the peer found it too large: texts cut to
/// half, no images, no labels beyond the identity.
///
/// # Panics
/// If there is no alert in the unit.
pub fn request(settings: &settings::Flashduty, unit: Unit<'_>) -> Request {
    let (kind, transition) =
        unit.rows.first().and_then(Delivery::alert).expect("one row, and it takes no others");
    let event = event(settings, kind, transition, unit.shrink);
    Request {
        method: "POST",
        url: push_url(&settings.url, PATH, unit.secrets.get(KEY_PARAMETER)),
        headers: vec![("content-type", "application/json".to_owned())],
        body: serde_json::to_vec(&event).expect("texts and numbers always have a JSON form"),
    }
}

/// `base` with the path `push`, unless it is a whole push URL, and with the key as the only `integration_key`. Other
/// parameters of the URL stay: Flashduty gives meaning to some.
fn push_url(base: &str, push: &str, key: &str) -> String {
    let base = base.split_once('#').map_or(base, |(url, _)| url);
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let is_key = |pair: &str| pair.split('=').next() == Some(KEY_PARAMETER);
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !is_key(pair));
    let mut url = if path.contains("/event/push/") {
        path.to_owned()
    } else {
        format!("{}{push}", path.trim_end_matches('/'))
    };
    url.push('?');
    for pair in kept {
        url.push_str(pair);
        url.push('&');
    }
    url + KEY_PARAMETER + "=" + &percent_encode(key)
}

fn event(settings: &settings::Flashduty, kind: DeliveryKind, t: &Transition, shrink: bool) -> Event {
    let half = if shrink { 2 } else { 1 };
    if kind == DeliveryKind::Beat {
        return Event {
            title_rule: "tripline heartbeat".to_owned(),
            event_status: "Info",
            alert_key: t.key.to_string(),
            event_time: t.time.as_secs(),
            description: String::new(),
            labels: labels(t, half, 0, shrink),
            images: Vec::new(),
        };
    }
    let (images, left_out) = if shrink { (Vec::new(), t.images.len()) } else { pictures(&t.images) };
    Event {
        title_rule: match &settings.title_rule {
            Some(authors) => authors.clone(),
            None => title(t, TITLE / half),
        },
        event_status: match t.status {
            Status::Ok => "Ok",
            Status::Info => "Info",
            Status::Warning => "Warning",
            Status::Critical => "Critical",
        },
        alert_key: t.key.to_string(),
        event_time: t.time.as_secs(),
        description: description(t, DESCRIPTION / half),
        labels: labels(t, half, left_out, shrink),
        images,
    }
}

/// Takes the meaning from a leading `[TPL]` or `[MD]`, in any case and behind any white space.
fn without_prefix(text: String) -> String {
    let rest = text.trim_start();
    let starts =
        |prefix: &str| rest.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts("[tpl]") || starts("[md]") { text.replacen('[', "［", 1) } else { text }
}

fn title(t: &Transition, most: usize) -> String {
    let summary = plain(&t.summary);
    let mut title = String::with_capacity(summary.len());
    let mut rest = summary.as_str();
    while let Some(c) = rest.chars().next() {
        let colons = rest.len() - rest.trim_start_matches(':').len();
        match (c, colons) {
            ('$', _) => title.push('＄'),
            (_, 2..) => title.extend(std::iter::repeat_n('：', colons)),
            _ => title.push(c),
        }
        rest = &rest[c.len_utf8().max(colons)..];
    }
    if title.trim().is_empty() {
        title = t.key.rule.to_string();
    }
    cut(&without_prefix(title), most)
}

fn description(t: &Transition, most: usize) -> String {
    let text = lines(&t.description);
    if t.status == Status::Ok {
        let lasted = duration(t.time.since(t.since));
        let matches = if t.total == 1 { "match" } else { "matches" };
        let over = format!("Resolved: {}. Lasted {lasted}, {} {matches}.", t.reason.as_str(), t.total);
        let all = if text.is_empty() { over } else { format!("{over}\n\n{text}") };
        return cut(&all, most);
    }
    with_links(&without_prefix(text), t.runbook.as_deref(), &t.links, most)
}

/// A text and below it the links, which are the way out: the text is cut to make room for them.
fn with_links(text: &str, runbook: Option<&str>, links: &[Link], most: usize) -> String {
    let mut ways = Vec::new();
    if let Some(runbook) = runbook.filter(|link| !link.is_empty()) {
        ways.push(cut(&format!("Runbook: {}", plain(runbook)), most));
    }
    let mut taken: usize = ways.iter().map(|way| way.chars().count() + 1).sum();
    for Link { href, text } in links {
        let way = match text.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => format!("{}: {href}", plain(text)),
            None => href.clone(),
        };
        let length = way.chars().count() + 1;
        // Cut it leads nowhere, and there has to be room for the text.
        if taken + length <= most / 2 {
            taken += length;
            ways.push(way);
        }
    }
    let ways = ways.join("\n");
    if ways.is_empty() {
        return cut(text, most);
    }
    let room = most.saturating_sub(ways.chars().count() + 2);
    if text.is_empty() || room == 0 { ways } else { format!("{}\n\n{ways}", cut(text, room)) }
}

/// A name that Flashduty takes (`[a-zA-Z_][a-zA-Z0-9_]*`, at most 128 characters), or `None` if nothing is left.
fn label_name(name: &str) -> Option<String> {
    let mut normal: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .take(LABEL_NAME)
        .collect();
    if normal.starts_with(|c: char| c.is_ascii_digit()) {
        normal.insert(0, '_');
        normal.truncate(LABEL_NAME);
    }
    let reserved = normal.to_ascii_lowercase().starts_with(RESERVED);
    (!normal.is_empty() && !reserved).then_some(normal)
}

/// At most `room` of these labels, the first ones. What was left out, or is not wanted, is counted in the last one.
fn kept_labels<'a>(
    labels: impl Iterator<Item = ((&'a str, &'a str), bool)>,
    room: usize,
    half: usize,
) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut dropped = 0;
    for ((name, value), wanted) in labels.filter(|((_, value), _)| !value.is_empty()) {
        match label_name(name) {
            Some(name) if wanted && kept.iter().all(|(other, _)| *other != name) => {
                kept.push((name, cut(&plain(value), LABEL_VALUE / half)));
            }
            _ => dropped += 1,
        }
    }
    if dropped > 0 || kept.len() > room {
        dropped += kept.len().saturating_sub(room - 1);
        kept.truncate(room - 1);
        kept.push(("labels_dropped".to_owned(), dropped.to_string()));
    }
    kept
}

/// Identity, rule, details, runbook: the first 50. What was left out is counted in a label of its own. Severity is
/// none of them: it changes within an alert, and the status says it.
fn labels(t: &Transition, half: usize, images_left_out: usize, shrink: bool) -> BTreeMap<String, String> {
    let own = [("rule", t.key.rule.as_str())].into_iter();
    let details = t.details.iter().map(|(name, value)| (&**name, value.as_str()));
    let runbook = t.runbook.iter().map(|link| ("runbook", link.as_str()));
    let wanted =
        t.labels.iter().map(|(name, value)| (&**name, value.as_str())).chain(own).map(|pair| (pair, true));
    let wanted = wanted.chain(details.chain(runbook).map(|pair| (pair, !shrink)));

    let mut kept = kept_labels(wanted, LABELS - usize::from(images_left_out > 0), half);
    if images_left_out > 0 {
        kept.push(("images_dropped".to_owned(), images_left_out.to_string()));
    }
    kept.into_iter().collect()
}

/// A key of the image upload API: no scheme, no white space.
fn is_image_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

/// The pictures Flashduty takes, and how many it would not. Pictures with one `alt` are merged there, so each gets
/// its own. A link that is too long is left out: cut, it leads nowhere.
fn pictures(images: &[Image]) -> (Vec<Picture>, usize) {
    let mut alts = HashSet::new();
    let mut kept = Vec::new();
    for (n, image) in (1..).zip(images) {
        let fits =
            image.src.chars().count() <= IMAGE_SRC && (is_link(&image.src) || is_image_key(&image.src));
        if !fits {
            continue;
        }
        let words = plain(image.alt.as_deref().unwrap_or_default());
        let mut alt = if words.trim().is_empty() { format!("image {n}") } else { cut(&words, IMAGE_ALT) };
        if alts.contains(&alt) {
            let mark = format!(" ({n})");
            alt = cut(&alt, IMAGE_ALT - mark.chars().count()) + &mark;
        }
        alts.insert(alt.clone());
        let href = image.href.clone().filter(|href| href.chars().count() <= IMAGE_HREF && is_link(href));
        kept.push(Picture { alt, src: image.src.clone(), href });
    }
    let left_out = images.len() - kept.len();
    (kept, left_out)
}

/// The answer as Flashduty writes it: a JSON object. (A JSON array would pass as one, field by field.)
fn reply(answer: &Answer) -> Option<Reply> {
    let object = answer.body.trim_ascii_start().starts_with(b"{");
    if object && answer.whole { serde_json::from_slice(&answer.body).ok() } else { None }
}

/// The peer's number for the request, for logs; `None` if it gave none or one that is no plain word.
pub fn request_id(answer: &Answer) -> Option<String> {
    let header = || answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("flashcat-request-id"));
    let id = reply(answer)
        .and_then(|reply| reply.request_id)
        .or_else(|| header().map(|(_, value)| value.clone()))?;
    plain_word(&id).then_some(id)
}

fn plain_word(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// What an answer to `request` means. The code of the error decides, then the status: the vendor calls the status
/// informational.
pub fn classify(unit: Unit<'_>, request: &Request, answer: &Answer) -> Outcome {
    match judge(unit, request, answer) {
        Ok(reply) => Outcome::Accepted { note: note(answer, &reply, unit.secrets) },
        Err(refused) => refused.outcome,
    }
}

/// An answer that says no, or nothing.
pub(super) struct Refused {
    /// The peer's word for it; empty if it gave none.
    pub(super) code: String,
    pub(super) outcome: Outcome,
}

impl From<Outcome> for Refused {
    fn from(outcome: Outcome) -> Refused {
        Refused { code: String::new(), outcome }
    }
}

/// What an answer says, for every part of the vendor's API.
pub(super) fn judge(unit: Unit<'_>, request: &Request, answer: &Answer) -> Result<Reply, Refused> {
    let status = answer.status;
    let good = (200..300).contains(&status);
    let retry = |why: String| Outcome::Retry { after: answer.retry_after(unit.now), why };
    let Some(reply) = reply(answer) else {
        let outcome = match status {
            // What became of it is unknown: it is asked or said again.
            200..300 => {
                retry(format!("{status} without a whole JSON answer; is `url` the address of Flashduty?"))
            }
            400 if !answer.whole => retry("400 with an answer that broke off".to_owned()),
            _ => by_status(status, format!("{status} without a JSON answer"), retry),
        };
        return Err(outcome.into());
    };
    let refusal = reply.error.as_ref();
    let code = refusal.and_then(|refusal| refusal.code.as_deref()).unwrap_or_default();
    if good && matches!(code, "" | "0" | "OK") {
        return Ok(reply);
    }
    let message = refusal.and_then(|refusal| refusal.message.as_deref()).unwrap_or_default();
    let why = words(format!("{status} {code}: {message}").trim_end_matches([':', ' ']), unit.secrets);
    let outcome = match code {
        "InvalidParameter" if names_key(message, request) => Outcome::Suspend { why },
        "InvalidParameter" | "BadRequest" if names_length(message) => Outcome::Shrink { why },
        "InvalidParameter" | "BadRequest" | "InvalidContentType" | "ReferenceExist" => Outcome::Dead { why },
        "MethodNotAllowed"
        | "ResourceNotFound"
        | "NoLicense"
        | "Unauthorized"
        | "BalanceNotEnough"
        | "AccessDenied"
        | "RouteNotFound"
        | "RequestVerifyRequired"
        | "DangerousOperation" => Outcome::Suspend { why },
        "UndonedOrderExist"
        | "RequestLocked"
        | "RequestTooFrequently"
        | "InternalError"
        | "ServiceUnavailable" => retry(why),
        "EntityTooLarge" => Outcome::Shrink { why },
        _ if good => retry(why),
        _ => by_status(status, why, retry),
    };
    Err(Refused { code: code.to_owned(), outcome })
}

/// True if an invalid parameter is the key and not the alert. The message may echo the alert, so a log line that
/// says `integration_key` must not be able to suspend the sink: then only a message that begins with it counts.
fn names_key(message: &str, request: &Request) -> bool {
    let message = message.to_ascii_lowercase();
    let body = String::from_utf8_lossy(&request.body).to_ascii_lowercase();
    ["integration_key", "app_key"].iter().any(|name| {
        message.trim_start().starts_with(name) || (message.contains(name) && !body.contains(name))
    })
}

fn names_length(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "too long",
        "too large",
        "too many",
        "exceed",
        "max length",
        "maximum length",
        "length must",
        "length should",
    ]
    .iter()
    .any(|words| message.contains(words))
}

fn note(answer: &Answer, reply: &Reply, secrets: &Secrets) -> String {
    let id = request_id(answer).unwrap_or_else(|| "none".to_owned());
    let returned =
        reply.data.as_ref().and_then(|data| data.get("alert_key")).and_then(|value| value.as_str());
    let mut note = format!("request_id={id}");
    if let Some(alert_key) = returned.filter(|text| plain_word(text)) {
        note.push_str(" alert_key=");
        note.push_str(alert_key);
    }
    words(&note, secrets)
}

#[cfg(test)]
#[path = "flashduty_tests.rs"]
mod tests;
