//! What goes over the wire: requests with their bodies, and what is found in answers.
//!
//! Source of the wire format: the vendor's pages and SDK for status pages. Answers are read field by field, for the
//! vendor's own clients do not agree whether numbers are numbers and lists may be `null`.

use serde::Serialize;
use serde_json::Value;

use crate::model::ComponentStatus;
use crate::settings::StatusPage;
use crate::sink::{Request, Secrets};
use crate::untrusted::percent_encode;

/// The secret, and the query parameter it stands in: there is no other place for it.
pub(super) const KEY: &str = "app_key";

/// What kind of notice it is, in the peer's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Incident,
    Maintenance,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Incident => "incident",
            Kind::Maintenance => "maintenance",
        }
    }

    /// The status in which it is over.
    pub(super) fn over(self) -> &'static str {
        match self {
            Kind::Incident => "resolved",
            Kind::Maintenance => "completed",
        }
    }

    /// The status in which it goes on.
    pub(super) fn going_on(self) -> &'static str {
        match self {
            Kind::Incident => "investigating",
            Kind::Maintenance => "ongoing",
        }
    }
}

/// `/status-page/change/create`.
#[derive(Serialize)]
pub(super) struct Create<'a> {
    pub(super) page_id: i64,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) title: &'a str,
    pub(super) status: &'static str,
    pub(super) description: &'a str,
    pub(super) start_at_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) close_at_seconds: Option<i64>,
    pub(super) updates: Vec<Update<'a>>,
    #[serde(skip_serializing_if = "<[i64]>::is_empty")]
    pub(super) responders: &'a [i64],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) linked_changes: &'a [String],
    pub(super) notify_subscribers: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) auto_update_by_schedule: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_retrospective: bool,
}

/// One of `updates`.
#[derive(Serialize)]
pub(super) struct Update<'a> {
    pub(super) at_seconds: i64,
    pub(super) status: &'static str,
    pub(super) description: &'a str,
    pub(super) component_changes: Vec<ComponentChange>,
}

/// `/status-page/change/timeline/create`.
#[derive(Serialize)]
pub(super) struct TimelineEntry<'a> {
    pub(super) page_id: i64,
    pub(super) change_id: i64,
    pub(super) status: &'static str,
    pub(super) description: &'a str,
    pub(super) at_seconds: i64,
    pub(super) component_changes: Vec<ComponentChange>,
}

/// One of `component_changes`.
#[derive(Serialize)]
pub(super) struct ComponentChange {
    component_id: String,
    status: &'static str,
}

/// What is said of components.
pub(super) fn component_changes(said: &[(String, ComponentStatus)]) -> Vec<ComponentChange> {
    let change = |(id, status): &(String, ComponentStatus)| ComponentChange {
        component_id: id.clone(),
        status: status.as_str(),
    };
    said.iter().map(change).collect()
}

/// Says something to the peer.
pub(super) fn post(settings: &StatusPage, secrets: &Secrets, path: &str, body: &impl Serialize) -> Request {
    Request {
        method: "POST",
        url: url(settings, secrets, path, &[]),
        headers: vec![("content-type", "application/json".to_owned())],
        body: serde_json::to_vec(body).expect("texts and numbers always have a JSON form"),
    }
}

/// Asks the peer something about the page.
pub(super) fn get(settings: &StatusPage, secrets: &Secrets, path: &str, asked: &[(&str, &str)]) -> Request {
    let page = settings.page_id.to_string();
    let asked: Vec<_> = [("page_id", page.as_str())].into_iter().chain(asked.iter().copied()).collect();
    Request {
        method: "GET",
        url: url(settings, secrets, path, &asked),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// The key last, so that what is shortened for a log is cut there.
fn url(settings: &StatusPage, secrets: &Secrets, path: &str, asked: &[(&str, &str)]) -> String {
    let (base, query) = settings.url.split_once('?').unwrap_or((&settings.url, ""));
    let mut url = format!("{}{path}?", base.trim_end_matches('/'));
    if !query.is_empty() {
        url.push_str(query);
        url.push('&');
    }
    for (name, value) in asked {
        url.push_str(&format!("{name}={}&", percent_encode(value)));
    }
    url + KEY + "=" + &percent_encode(secrets.get(KEY))
}

/// A component of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Component {
    pub(super) id: String,
    pub(super) name: String,
}

/// The components of a page; `None` if the answer is no page.
pub(super) fn components(data: &Value) -> Option<Vec<Component>> {
    let component = |value: &Value| {
        let name = value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Component { id: word(value.get("component_id")?)?, name })
    };
    let all = list(data.as_object()?.get("components"))?;
    Some(all.iter().filter_map(component).collect())
}

/// A notice as the page shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) change_id: i64,
    pub(super) title: String,
    pub(super) status: String,
    pub(super) start: Option<i64>,
    /// When what was said in it, and with which status.
    pub(super) updates: Vec<(Option<i64>, String)>,
    /// Every component that it speaks of.
    pub(super) components: Vec<String>,
}

/// A notice; `None` if the answer is none.
pub(super) fn shown(data: &Value) -> Option<Shown> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let updates = list(data.get("updates"))?;
    let changes = updates.iter().filter_map(|update| list(update.get("component_changes"))).flatten();
    let named = list(data.get("affected_components"))?.iter().chain(changes);
    let mut components: Vec<String> =
        named.filter_map(|component| word(component.get("component_id")?)).collect();
    components.sort_unstable();
    components.dedup();
    Some(Shown {
        change_id: number(data.get("change_id")?)?,
        title: text(data, "title"),
        status: text(data, "status"),
        start: data.get("start_at_seconds").and_then(number),
        updates: updates
            .iter()
            .map(|update| (update.get("at_seconds").and_then(number), text(update, "status")))
            .collect(),
        components,
    })
}

/// Notices of a list; `None` if the answer is no list.
pub(super) fn listed(data: &Value) -> Option<Vec<Shown>> {
    list(data.as_object()?.get("items"))?.iter().map(shown).collect()
}

/// The peer's number for what was created.
pub(super) fn change_id(data: &Value) -> Option<i64> {
    number(data.get("change_id")?)
}

/// True if the peer says that it has the update.
pub(super) fn has_update(data: &Value) -> bool {
    data.get("update_id").and_then(word).is_some()
}

/// A list, which is empty if it is not there.
fn list(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None | Some(Value::Null) => Some(&[]),
        Some(value) => value.as_array().map(Vec::as_slice),
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
