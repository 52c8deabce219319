//! What is said to a webhook: a preset, or what the author wrote. JSON is written by serde alone, so log text can not
//! leave its string.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::super::Unit;
use super::super::stdout::content_json;
use super::super::text::cut;
use super::row_id;
use crate::model::{ChangeReport, Content, Delivery, DeliveryKind, Labels, Status, Transition};
use crate::settings::{Body, Form, Piece, Place, Webhook};
use crate::untrusted::percent_encode;

/// Characters of texts that stay where the receiver found a row too large.
const SHRUNK: usize = 512;

/// What is sent, and how it is to be read.
pub(super) struct Said {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// All rows of a unit. With `batch` they are a list, even if it is one row, except for Alertmanager's form, which has a
/// list in it.
pub(super) fn said(settings: &Webhook, unit: Unit<'_>) -> Said {
    let lean: Vec<Delivery> =
        if unit.shrink { unit.rows.iter().cloned().map(lean).collect() } else { Vec::new() };
    let rows = if unit.shrink { &lean } else { unit.rows };
    let list = settings.batch.is_some();
    let (media_type, text) = match &settings.body {
        Body::Tripline => ("application/json", joined(rows, list, |row| content_json(&row.content))),
        Body::Own(form) => ("application/json", joined(rows, list, |row| json(&filled(form, row)))),
        Body::Alertmanager => ("application/json", json(&group(settings, rows))),
        Body::CloudEvents if list => {
            ("application/cloudevents-batch+json; charset=UTF-8", joined(rows, list, |row| json(&cloud(row))))
        }
        Body::CloudEvents => {
            ("application/cloudevents+json; charset=UTF-8", joined(rows, list, |row| json(&cloud(row))))
        }
    };
    Said { media_type, bytes: text.into_bytes() }
}

fn joined(rows: &[Delivery], list: bool, one: impl Fn(&Delivery) -> String) -> String {
    let text = rows.iter().map(one).collect::<Vec<_>>().join(",");
    if list { format!("[{text}]") } else { text }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers always have a JSON form")
}

/// The row without what can be missed.
fn lean(mut row: Delivery) -> Delivery {
    let (summary, description, images, links) = match &mut row.content {
        Content::Alert(_, t) => {
            t.lines.clear();
            t.last_lines.clear();
            (&mut t.summary, &mut t.description, &mut t.images, &mut t.links)
        }
        Content::Change(r) => (&mut r.summary, &mut r.description, &mut r.images, &mut r.links),
    };
    images.clear();
    links.clear();
    for text in [summary, description] {
        *text = cut(text, SHRUNK);
    }
    row
}

/// The JSON line as a value.
fn line(row: &Delivery) -> Value {
    serde_json::from_str(&content_json(&row.content)).expect("it has just been written")
}

fn all_labels(row: &Delivery) -> BTreeMap<&str, &str> {
    let (labels, details) = match &row.content {
        Content::Alert(_, t) => (&t.labels, &t.details),
        Content::Change(r) => (&r.labels, &r.details),
    };
    details.iter().chain(labels).map(|(name, value)| (&**name, value.as_str())).collect()
}

/// The author's form with everything filled in.
fn filled(form: &Form, row: &Delivery) -> Value {
    match form {
        Form::Constant(value) => value.clone(),
        Form::Text(pieces) => Value::String(pieces.iter().map(|piece| written(piece, row)).collect()),
        Form::Labels => all_labels(row)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect::<Map<_, _>>()
            .into(),
        Form::All => line(row),
        Form::List(forms) => forms.iter().map(|form| filled(form, row)).collect(),
        Form::Table(fields) => {
            let fields = fields.iter().map(|(name, form)| (name.clone(), filled(form, row)));
            fields.collect::<Map<_, _>>().into()
        }
    }
}

fn written(piece: &Piece, row: &Delivery) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Label(name) => {
            all_labels(row).get(name.as_str()).map(|value| (*value).to_owned()).unwrap_or_default()
        }
        Piece::Place(Place::Id) => row_id(row),
        Piece::Place(place) => match &row.content {
            Content::Alert(_, transition) => of_alert(*place, transition),
            Content::Change(report) => of_change(*place, report),
        },
    }
}

fn of_alert(place: Place, t: &Transition) -> String {
    match place {
        Place::Kind => "alert".to_owned(),
        Place::Key => t.key.to_string(),
        Place::Rule => t.key.rule.to_string(),
        Place::Status => t.status.as_str().to_owned(),
        Place::Previous => t.previous.as_str().to_owned(),
        Place::State => state(t).to_owned(),
        Place::Severity => severity(t).to_owned(),
        Place::Reason => t.reason.as_str().to_owned(),
        Place::Value => t.value.map(|value| value.to_string()).unwrap_or_default(),
        Place::Count => t.count.to_string(),
        Place::Total => t.total.to_string(),
        Place::Since => t.since.to_string(),
        Place::Time => t.time.to_string(),
        Place::Summary => t.summary.clone(),
        Place::Description => t.description.clone(),
        Place::Runbook => t.runbook.clone().unwrap_or_default(),
        Place::Id | Place::Link => String::new(),
    }
}

fn of_change(place: Place, r: &ChangeReport) -> String {
    match place {
        Place::Kind => "change".to_owned(),
        Place::Key => r.change_key.clone(),
        Place::Rule => r.rule.to_string(),
        Place::Status => r.status.as_str().to_owned(),
        Place::Time => r.time.to_string(),
        Place::Summary => r.summary.clone(),
        Place::Description => r.description.clone(),
        Place::Runbook => r.runbook.clone().unwrap_or_default(),
        Place::Link => r.link.clone().unwrap_or_default(),
        Place::Id
        | Place::Previous
        | Place::State
        | Place::Severity
        | Place::Reason
        | Place::Value
        | Place::Count
        | Place::Total
        | Place::Since => String::new(),
    }
}

fn state(t: &Transition) -> &'static str {
    if t.status == Status::Ok { "resolved" } else { "firing" }
}

/// How bad it is; at the end how bad it was.
fn severity(t: &Transition) -> &'static str {
    if t.status == Status::Ok { t.previous.as_str() } else { t.status.as_str() }
}

/// CloudEvents 1.0, structured.
#[derive(Serialize)]
struct Cloud {
    specversion: &'static str,
    id: String,
    source: String,
    r#type: &'static str,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    data: Value,
}

fn cloud(row: &Delivery) -> Cloud {
    let (r#type, labels, time) = match &row.content {
        Content::Alert(kind, t) => {
            let r#type = match kind {
                DeliveryKind::Raise => "tripline.alert.raised",
                DeliveryKind::Change => "tripline.alert.changed",
                DeliveryKind::Resolve => "tripline.alert.resolved",
                DeliveryKind::Beat => "tripline.alive",
            };
            (r#type, &t.labels, t.time)
        }
        Content::Change(r) => ("tripline.change", &r.labels, r.time),
    };
    let instance = labels.get("instance").map(|instance| percent_encode(instance)).unwrap_or_default();
    Cloud {
        specversion: "1.0",
        id: row_id(row),
        source: format!("/tripline/{instance}"),
        r#type,
        subject: row.about(),
        time: time.to_string(),
        datacontenttype: "application/json",
        data: line(row),
    }
}

/// What Alertmanager sends to its webhooks, version 4.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u32,
    status: &'static str,
    receiver: &'a str,
    group_labels: BTreeMap<&'a str, String>,
    common_labels: BTreeMap<&'a str, String>,
    common_annotations: BTreeMap<&'a str, String>,
    #[serde(rename = "externalURL")]
    external_url: &'static str,
    alerts: Vec<Alert<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    status: &'static str,
    labels: BTreeMap<&'a str, String>,
    annotations: BTreeMap<&'a str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'static str,
    fingerprint: String,
}

/// The end of an alert that has none, as Go writes it.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// One alert is a group of its own, by its key; several are one by what they have in common.
fn group<'a>(settings: &'a Webhook, rows: &'a [Delivery]) -> Group<'a> {
    let alerts: Vec<Alert<'_>> = rows.iter().filter_map(|row| row.alert()).map(|(_, t)| alert(t)).collect();
    let common_labels = common(&alerts.iter().map(|alert| &alert.labels).collect::<Vec<_>>());
    let group_labels: BTreeMap<&str, String> = common_labels
        .iter()
        .filter(|(name, _)| ["alertname", "alert_key"].contains(*name))
        .map(|(name, value)| (*name, value.clone()))
        .collect();
    let named: Vec<String> = group_labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    Group {
        version: "4",
        group_key: format!("{{}}:{{{}}}", named.join(", ")),
        truncated_alerts: 0,
        status: if alerts.iter().all(|alert| alert.status == "resolved") { "resolved" } else { "firing" },
        receiver: settings.receiver.as_str(),
        common_annotations: common(&alerts.iter().map(|alert| &alert.annotations).collect::<Vec<_>>()),
        common_labels,
        group_labels,
        external_url: "",
        alerts,
    }
}

/// Labels hold what identifies the alert; all that changes within its life is an annotation.
fn alert(t: &Transition) -> Alert<'_> {
    let mut labels = owned(&t.labels);
    labels.insert("alertname", t.key.rule.to_string());
    labels.insert("alert_key", t.key.to_string());
    let mut annotations = owned(&t.details);
    let texts = [
        ("summary", t.summary.clone()),
        ("description", t.description.clone()),
        ("runbook_url", t.runbook.clone().unwrap_or_default()),
        ("severity", severity(t).to_owned()),
        ("reason", t.reason.as_str().to_owned()),
        ("value", t.value.map(|value| value.to_string()).unwrap_or_default()),
        ("count", t.count.to_string()),
    ];
    annotations.extend(texts);
    annotations.retain(|_, text| !text.is_empty());
    let hash = t.key.hash.to_string();
    Alert {
        status: state(t),
        labels,
        annotations,
        starts_at: t.since.to_string(),
        ends_at: if t.status == Status::Ok { t.time.to_string() } else { NO_END.to_owned() },
        generator_url: "",
        fingerprint: hash[..16].to_owned(),
    }
}

fn owned(labels: &Labels) -> BTreeMap<&str, String> {
    labels.iter().map(|(name, value)| (&**name, value.clone())).collect()
}

/// What all of these tables say alike.
fn common<'a>(tables: &[&BTreeMap<&'a str, String>]) -> BTreeMap<&'a str, String> {
    let Some((first, others)) = tables.split_first() else { return BTreeMap::new() };
    let alike =
        |(name, value): &(&&str, &String)| others.iter().all(|table| table.get(**name) == Some(*value));
    first.iter().filter(alike).map(|(name, value)| (*name, value.clone())).collect()
}
