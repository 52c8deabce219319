//! A status page as the peer keeps it: what breaks its rules is refused with its words, the rest is kept and can be
//! looked at. Asked by tests of the dialogue directly, and by tests of the program over HTTP.

#![allow(dead_code, reason = "shared by several test crates, each of which looks at other things")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The key that it takes.
pub(crate) const KEY: &str = "CANARY/app+key";
/// The page that it has.
pub(crate) const PAGE: i64 = 5_750_613_685_214;
/// Its components: ids and names.
pub(crate) const COMPONENTS: [(&str, &str); 3] =
    [("01KC3API", "API"), ("01KC3WEB", "Web shop"), ("01KC3OLD", "Web shop (old)")];

const THIRTY_DAYS: i64 = 30 * 24 * 3600;

/// Something that stands on the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) change_id: i64,
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: String,
    pub(crate) start: i64,
    pub(crate) retrospective: bool,
    /// The body that created it.
    pub(crate) body: Value,
    /// Time, status, description and what was said of components.
    pub(crate) updates: Vec<(i64, String, String, BTreeMap<String, String>)>,
}

impl Notice {
    /// True while it is not over.
    pub(crate) fn is_active(&self) -> bool {
        !["resolved", "completed"].contains(&self.status.as_str())
    }

    /// What it says of each component that it ever spoke of.
    fn affected(&self) -> BTreeMap<String, String> {
        self.updates.iter().flat_map(|(.., components)| components.clone()).collect()
    }

    fn shown(&self) -> Value {
        let list = |components: &BTreeMap<String, String>| -> Value {
            components.iter().map(|(id, status)| json!({ "component_id": id, "status": status })).collect()
        };
        let update = |(n, (at, status, description, components)): (usize, &(i64, String, String, _))| {
            json!({
                "update_id": format!("u{n}"), "at_seconds": at, "status": status, "description": description,
                "component_changes": list(components),
            })
        };
        json!({
            "change_id": self.change_id, "type": self.kind, "title": self.title, "status": self.status,
            "start_at_seconds": self.start, "is_retrospective": self.retrospective,
            "affected_components": list(&self.affected()),
            "updates": self.updates.iter().enumerate().map(update).collect::<Vec<_>>(),
        })
    }
}

/// The page.
#[derive(Debug, Default)]
pub(crate) struct StatusPage {
    /// The wall clock, in seconds.
    pub(crate) now: i64,
    /// All that stands or stood on it.
    pub(crate) events: Vec<Notice>,
    /// What its components show: what was said last of each.
    pub(crate) components: BTreeMap<String, String>,
    /// What was refused because it broke a rule, and why.
    pub(crate) refused: Vec<String>,
    /// What was asked: method and path.
    pub(crate) asked: Vec<String>,
    /// True: nobody may write, as after a licence has ended.
    pub(crate) unlicensed: bool,
}

type Refusal = (u16, &'static str, String);

fn invalid(why: impl Into<String>) -> Refusal {
    (400, "InvalidParameter", why.into())
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, Refusal> {
    value[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{name} is required")))
}

fn statuses(kind: &str) -> Result<[&'static str; 4], Refusal> {
    match kind {
        "incident" => Ok(["investigating", "identified", "monitoring", "resolved"]),
        "maintenance" => Ok(["scheduled", "ongoing", "completed", ""]),
        _ => Err(invalid("type is invalid")),
    }
}

impl StatusPage {
    /// Answers a request: status and body.
    pub(crate) fn answer(&mut self, method: &str, target: &str, body: &[u8]) -> (u16, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.push(format!("{method} {path}"));
        let query: BTreeMap<String, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        match self.decide(method, path, &query, &body) {
            Ok(data) => (200, json!({ "request_id": "r1", "data": data }).to_string()),
            Err((status, code, message)) => {
                if code == "InvalidParameter" {
                    self.refused.push(format!("{path}: {message}: {body}"));
                }
                let error = json!({ "code": code, "message": message });
                (status, json!({ "request_id": "r1", "error": error }).to_string())
            }
        }
    }

    /// Deletes an event, as somebody does on the console.
    pub(crate) fn delete(&mut self, change_id: i64) {
        self.events.retain(|event| event.change_id != change_id);
    }

    fn decide(
        &mut self,
        method: &str,
        path: &str,
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Result<Value, Refusal> {
        if query.get("app_key").map(String::as_str) != Some(KEY) {
            return Err((401, "Unauthorized", "app_key is wrong".to_owned()));
        }
        let asks = query.get("page_id").and_then(|id| id.parse().ok());
        if asks.or(body["page_id"].as_i64()) != Some(PAGE) {
            return Err((400, "ResourceNotFound", "page not found".to_owned()));
        }
        let kind = query.get("type").map(String::as_str).unwrap_or_default();
        match (method, path) {
            ("GET", "/status-page/info") => {
                let components: Vec<Value> =
                    COMPONENTS.iter().map(|(id, name)| json!({ "component_id": id, "name": name })).collect();
                Ok(json!({ "page_id": PAGE, "name": "status", "components": components }))
            }
            ("GET", "/status-page/change/active/list") => {
                statuses(kind)?;
                let of = |event: &&Notice| event.kind == kind && event.is_active();
                Ok(json!({ "items": self.events.iter().filter(of).map(Notice::shown).collect::<Vec<_>>() }))
            }
            ("GET", "/status-page/change/list") => self.list(kind, query),
            ("GET", "/status-page/change/info") => {
                let id = query.get("change_id").and_then(|id| id.parse::<i64>().ok());
                let found = self.events.iter().find(|event| Some(event.change_id) == id);
                found.map(Notice::shown).ok_or((400, "ResourceNotFound", "change not found".to_owned()))
            }
            ("POST", _) if self.unlicensed => Err((400, "NoLicense", "the plan is over".to_owned())),
            ("POST", "/status-page/change/create") => self.create(body),
            ("POST", "/status-page/change/timeline/create") => self.timeline(body),
            _ => Err((404, "RouteNotFound", "no such path".to_owned())),
        }
    }

    /// Of a type and status, open at some moment between two.
    fn list(&self, kind: &str, query: &BTreeMap<String, String>) -> Result<Value, Refusal> {
        let status = query.get("status").map(String::as_str).unwrap_or_default();
        if !statuses(kind)?.contains(&status) || status.is_empty() {
            return Err(invalid("status is invalid"));
        }
        let bound = |name: &str, otherwise: i64| match query.get(name) {
            Some(text) => text.parse::<i64>().map_err(|_| invalid(name)),
            None => Ok(otherwise),
        };
        let (from, to) = (bound("start_at_seconds", 0)?, bound("end_at_seconds", i64::MAX)?);
        let fits = |event: &&Notice| {
            let end =
                if event.is_active() { i64::MAX } else { event.updates.last().map_or(0, |last| last.0) };
            event.kind == kind && event.status == status && event.start <= to && end >= from
        };
        Ok(json!({ "items": self.events.iter().filter(fits).map(Notice::shown).collect::<Vec<_>>() }))
    }

    fn create(&mut self, body: &Value) -> Result<Value, Refusal> {
        let kind = text(body, "type")?.to_owned();
        let title = text(body, "title")?.to_owned();
        let status = text(body, "status")?.to_owned();
        text(body, "description")?;
        if title.chars().count() > 255 {
            return Err(invalid("title is too long"));
        }
        if !body["notify_subscribers"].is_boolean() {
            return Err(invalid("notify_subscribers is required"));
        }
        let retrospective = body["is_retrospective"].as_bool().unwrap_or(false);
        let said =
            body["updates"].as_array().filter(|all| !all.is_empty()).ok_or_else(|| invalid("updates"))?;
        let mut event = Notice {
            change_id: i64::try_from(self.events.len()).unwrap_or(0) + 9001,
            kind,
            title,
            status,
            start: 0,
            retrospective,
            body: body.clone(),
            updates: Vec::new(),
        };
        for (n, update) in said.iter().enumerate() {
            let at = update["at_seconds"].as_i64().unwrap_or(self.now);
            let components = components(&event.kind, update)?;
            if n == 0 && components.is_empty() {
                return Err(invalid("the first update must carry component_changes"));
            }
            if n > 0 && at <= event.updates[n - 1].0 {
                return Err(invalid("updates are not in order"));
            }
            let status = text(update, "status")?.to_owned();
            if !statuses(&event.kind)?.contains(&status.as_str()) {
                return Err(invalid("status of an update is invalid"));
            }
            event.updates.push((at, status, text(update, "description")?.to_owned(), components));
        }
        event.start = event.updates[0].0;
        let last = event.updates.last().map(|last| last.1.clone());
        if last.as_ref() != Some(&event.status) {
            return Err(invalid("status is not that of the last update"));
        }
        if retrospective == event.is_active() || (retrospective && event.updates.len() < 2) {
            return Err(invalid("a retrospective event has its end among at least two updates"));
        }
        let closes = body["close_at_seconds"].as_i64();
        if closes.is_some_and(|closes| closes <= event.start) {
            return Err(invalid("close_at_seconds is not behind the start"));
        }
        if retrospective && closes != event.updates.last().map(|last| last.0) {
            return Err(invalid("close_at_seconds is not when it was over"));
        }
        if body["auto_update_by_schedule"].as_bool().unwrap_or(false) {
            let starts = body["start_at_seconds"].as_i64().ok_or_else(|| invalid("start_at_seconds"))?;
            let closes = closes.ok_or_else(|| invalid("close_at_seconds is required"))?;
            if event.kind != "maintenance" || closes <= starts || closes - self.now > THIRTY_DAYS {
                return Err(invalid("the window of a maintenance is at most 30 days"));
            }
        }
        for name in ["responders", "linked_changes"] {
            if body.get(name).is_some_and(|list| !list.is_array()) {
                return Err(invalid(name));
            }
        }
        ended_well(&event)?;
        // What is to come shows nothing yet.
        for (.., components) in event.updates.iter().filter(|(_, status, ..)| status != "scheduled") {
            self.components.extend(components.clone());
        }
        let change_id = event.change_id;
        self.events.push(event);
        Ok(json!({ "change_id": change_id, "change_name": "n" }))
    }

    fn timeline(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = body["change_id"].as_i64();
        let place = self.events.iter().position(|event| Some(event.change_id) == id);
        let place = place.ok_or((400, "ResourceNotFound", "change not found".to_owned()))?;
        let mut event = self.events[place].clone();
        let status = text(body, "status")?.to_owned();
        if !statuses(&event.kind)?.contains(&status.as_str()) {
            return Err(invalid("status is invalid"));
        }
        let at = body["at_seconds"].as_i64().unwrap_or(self.now);
        if at <= event.start && event.status != "scheduled" {
            return Err(invalid("at_seconds is not behind the start"));
        }
        let components = components(&event.kind, body)?;
        event.status = status.clone();
        event.updates.push((at, status, text(body, "description")?.to_owned(), components.clone()));
        ended_well(&event)?;
        self.components.extend(components);
        let update_id = format!("u{}", event.updates.len());
        self.events[place] = event;
        Ok(json!({ "update_id": update_id }))
    }
}

/// What is over leaves everything operational that it spoke of.
fn ended_well(event: &Notice) -> Result<(), Refusal> {
    let well = event.is_active() || event.affected().values().all(|status| status == "operational");
    if well { Ok(()) } else { Err(invalid("all affected components must be operational")) }
}

fn components(kind: &str, update: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let allowed: &[&str] = match kind {
        "incident" => &["operational", "degraded", "partial_outage", "full_outage"],
        _ => &["operational", "under_maintenance"],
    };
    let mut components = BTreeMap::new();
    for change in update["component_changes"].as_array().into_iter().flatten() {
        let (id, status) = (text(change, "component_id")?, text(change, "status")?);
        if COMPONENTS.iter().all(|(known, _)| *known != id) {
            return Err((400, "ResourceNotFound", "component not found".to_owned()));
        }
        if !allowed.contains(&status) || components.insert(id.to_owned(), status.to_owned()).is_some() {
            return Err(invalid("component_changes are invalid"));
        }
    }
    Ok(components)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, hex.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
