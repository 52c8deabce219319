//! Alertmanager, API v2: one instance of it. A cluster is several sinks, each of which is told everything, as the
//! project asks of its clients.
//!
//! Source of the wire format: `api/v2/openapi.yaml` and `docs/alerts_api.md` of the project; what 0.25.0 does beyond
//! that was tried. It is a heartbeat protocol: an alert that is not posted again before its `endsAt` is over, so
//! everything that fires is told again every [`resend`](settings::Alertmanager::resend), with an end four times as far
//! away, and what is over for [`OVER_FOR`].
//!
//! **Identity** is the set of labels: `alertname` (the rule), `alert_key`, constant labels, `by` values and the scope.
//! Everything else is an annotation, severity too: an alert that gets worse stays the same alert. With
//! [`severity_label`](settings::Alertmanager::severity_label) it is a label as well; then each severity is an alert of
//! its own there, and the one before ends in the same request.
//!
//! **An instance that was killed** has forgotten whom it notified: it would take the end of an alert and say nothing of
//! it. So before an end is posted, it is made sure that this life of the instance has heard of the alert as firing; see
//! [`Heard`].

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::attempt::{Outcome, Purpose};
use super::text::{cut, lines, plain, words};
use super::{Answer, Request, Unit};
use crate::model::{AlertKey, Delivery, DeliveryKind, Reason, Status, Timestamp, Transition};
use crate::settings;

/// For how long the end of an alert is told again, as Prometheus does.
pub const OVER_FOR: Duration = Duration::from_secs(15 * 60);
/// Alerts in one request, as Prometheus does.
pub const MOST_ALERTS: usize = 256;
/// How often an alert may be missed before it is over.
const MISSED: u32 = 4;
/// A stamp may lie 5 s ahead of its line, and times in answers are of whole seconds.
const DOUBT: Duration = Duration::from_secs(10);
/// After it was told anew that an alert fires, its end waits so long for the notification.
const NOTICED: Duration = Duration::from_secs(2);

const ALERTS: &str = "/api/v2/alerts";
const STATUS: &str = "/api/v2/status";

/// Characters of a value; there is no limit at the peer, whose memory this is kept in.
const VALUE: usize = 4096;
/// Annotations that are captured text.
const DETAILS: usize = 50;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
}

#[derive(Deserialize)]
struct State {
    uptime: String,
}

/// A life of an instance, from one start to the next.
#[derive(Debug, Default)]
pub struct Life {
    /// When it began, as it says; empty if it can not be read, which is then taken for one long life.
    began: String,
    /// For how long it has lasted by the clock of its host, taken from now; `None` if the answer does not tell.
    since: Option<Timestamp>,
}

impl Life {
    /// True if it had begun before that, for sure.
    fn is_older_than(&self, time: Timestamp) -> bool {
        self.since.is_some_and(|since| since.plus(DOUBT) < time)
    }
}

/// Which alerts the present life of an instance was told of as firing.
#[derive(Debug, Default)]
pub struct Heard {
    /// By alert, when the instance began that took it.
    by: HashMap<AlertKey, String>,
}

impl Heard {
    /// Those rows that end alerts of which this life of the instance may not have heard that they fire. What is over for
    /// it is not asked about again.
    ///
    /// What another process of ours told it is not known here. But an end is only sent after its beginning was taken, so
    /// a life that is older than the alert has taken it.
    pub fn unheard<'d>(&self, unit: Unit<'d>, life: &Life) -> Vec<&'d Delivery> {
        let unheard = |row: &&Delivery| match row.alert() {
            Some((DeliveryKind::Resolve, t)) => match self.by.get(&t.key) {
                Some(known) => *known != life.began,
                None => !life.is_older_than(t.since),
            },
            _ => false,
        };
        let asked = unit.rows.iter().filter(|_| unit.purpose == Purpose::Owed);
        asked.filter(unheard).collect()
    }

    /// It took these as they are. What is over need not be known any longer.
    pub fn took(&mut self, rows: &[Delivery], life: &Life) {
        for (kind, t) in rows.iter().filter_map(Delivery::alert) {
            match kind {
                DeliveryKind::Resolve => self.by.remove(&t.key),
                _ => self.by.insert(t.key.clone(), life.began.clone()),
            };
        }
    }

    /// It was told once more that these fire.
    pub fn took_anew(&mut self, rows: &[&Delivery], life: &Life) {
        let keys = rows.iter().filter_map(|row| row.alert());
        self.by.extend(keys.map(|(_, t)| (t.key.clone(), life.began.clone())));
    }
}

/// Asks when the instance began.
pub fn ask(settings: &settings::Alertmanager, unit: Unit<'_>) -> Request {
    Request { method: "GET", url: url(settings, STATUS), headers: headers(settings, unit), body: Vec::new() }
}

/// Its present life, by what it says of itself at `now`.
pub fn life(answer: &Answer, now: Timestamp) -> Life {
    let state =
        (answer.whole && answer.status == 200).then(|| serde_json::from_slice::<State>(&answer.body).ok());
    let Some(State { uptime: began }) = state.flatten() else { return Life::default() };
    // Both are of its own clock, so it does not matter how wrong that is.
    let at = began.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()));
    let age = answer.date().zip(at).filter(|(date, at)| at <= date).map(|(date, at)| date.since(at));
    Life { began, since: age.map(|age| now.minus(age)) }
}

/// The request that tells it of a unit.
pub fn request(settings: &settings::Alertmanager, unit: Unit<'_>) -> Request {
    let alerts: Vec<Alert> = unit.rows.iter().flat_map(|row| alerts(settings, unit, row)).collect();
    post(settings, unit, &alerts)
}

/// The request that tells it of ends as if they were not: so that it notifies of what it is about to end.
pub fn request_anew(settings: &settings::Alertmanager, unit: Unit<'_>, rows: &[&Delivery]) -> Request {
    let firing = |row: &&Delivery| {
        let (_, t) = row.alert()?;
        let firing = Transition { status: t.previous, reason: Reason::StillOpen, ..t.clone() };
        Some(alert(settings, unit, &firing, t.previous, ends(settings, unit)))
    };
    let alerts: Vec<Alert> = rows.iter().filter_map(firing).collect();
    post(settings, unit, &alerts)
}

/// What becomes of ends whose beginnings were told anew: they come a little later.
pub fn put_off() -> Outcome {
    let why = "the instance may not know of it: it was told again that this fires, and hears of the end next";
    Outcome::Retry { after: Some(NOTICED), why: why.to_owned() }
}

fn post(settings: &settings::Alertmanager, unit: Unit<'_>, alerts: &[Alert]) -> Request {
    let mut headers = headers(settings, unit);
    headers.push(("content-type", "application/json".to_owned()));
    let body = serde_json::to_vec(alerts).expect("texts always have a JSON form");
    Request { method: "POST", url: url(settings, ALERTS), headers, body }
}

fn url(settings: &settings::Alertmanager, path: &str) -> String {
    format!("{}{path}", settings.url.trim_end_matches('/'))
}

fn headers(settings: &settings::Alertmanager, unit: Unit<'_>) -> Vec<(&'static str, String)> {
    let token = unit.secrets.find("token").map(|token| format!("Bearer {token}"));
    let basic = || {
        let pair = format!("{}:{}", settings.username.as_deref()?, unit.secrets.get("password"));
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
    };
    token.or_else(basic).map(|value| ("authorization", value)).into_iter().collect()
}

/// An alert, and with severity as a label the one that it was before.
fn alerts(settings: &settings::Alertmanager, unit: Unit<'_>, row: &Delivery) -> Vec<Alert> {
    let Some((kind, t)) = row.alert() else { return Vec::new() };
    let over = |severity| alert(settings, unit, t, severity, Some(t.time.min(unit.now)));
    match kind {
        DeliveryKind::Resolve => vec![over(t.previous)],
        DeliveryKind::Change if settings.severity_label && t.previous != t.status => {
            vec![over(t.previous), alert(settings, unit, t, t.status, ends(settings, unit))]
        }
        _ => vec![alert(settings, unit, t, t.status, ends(settings, unit))],
    }
}

/// When what fires now is over unless it is told again.
fn ends(settings: &settings::Alertmanager, unit: Unit<'_>) -> Option<Timestamp> {
    let usual = settings.resend.saturating_mul(MISSED);
    match unit.purpose {
        Purpose::Hold(hold) => Some(unit.now.plus(hold.max(usual))),
        Purpose::Owed | Purpose::Again => (!settings.omit_ends_at).then(|| unit.now.plus(usual)),
    }
}

fn alert(
    settings: &settings::Alertmanager,
    unit: Unit<'_>,
    t: &Transition,
    severity: Status,
    ends_at: Option<Timestamp>,
) -> Alert {
    let starts_at = t.since.min(unit.now);
    Alert {
        labels: labels(t, settings.severity_label.then_some(severity)),
        annotations: annotations(t, severity, if unit.shrink { 8 } else { 1 }),
        starts_at: starts_at.to_string(),
        // An end before the beginning is refused.
        ends_at: ends_at.map(|ends_at| ends_at.max(starts_at).to_string()),
    }
}

fn labels(t: &Transition, severity: Option<Status>) -> BTreeMap<String, String> {
    let own = [("alertname", t.key.rule.to_string()), ("alert_key", t.key.to_string())];
    let severity = severity.map(|severity| ("severity", severity.as_str().to_owned()));
    let mut labels = BTreeMap::new();
    // The first of a name counts: what tells alerts apart for us can not be taken over by a label.
    let own = own.into_iter().chain(severity).map(|(name, value)| (name.to_owned(), value));
    let given = t.labels.iter().map(|(name, value)| (fit(name), cut(&plain(value), VALUE)));
    for (name, value) in own.chain(given).filter(|(_, value)| !value.is_empty()) {
        labels.entry(name).or_insert(value);
    }
    labels
}

fn annotations(t: &Transition, severity: Status, cut_to: usize) -> BTreeMap<String, String> {
    let most = VALUE / cut_to;
    let value = t.value.map(|value| value.to_string());
    let own = [
        ("summary", Some(cut(&plain(&t.summary), most))),
        ("description", Some(cut(&lines(&t.description), most))),
        ("severity", Some(severity.as_str().to_owned())),
        ("reason", Some(t.reason.as_str().to_owned())),
        ("value", value),
        ("count", Some(t.count.to_string())),
        ("total", Some(t.total.to_string())),
        ("runbook_url", t.runbook.as_deref().map(|link| cut(&plain(link), most))),
    ];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let details = t.details.iter().take(if cut_to > 1 { 0 } else { DETAILS });
    let details = details.map(|(name, value)| (fit(name), cut(&plain(value), most)));
    let mut annotations = BTreeMap::new();
    for (name, value) in own.chain(details).filter(|(_, value)| !value.is_empty()) {
        annotations.entry(name).or_insert(value);
    }
    annotations
}

/// A name that every version takes: `[a-zA-Z_][a-zA-Z0-9_]*`.
fn fit(name: &str) -> String {
    let mut name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

/// What the answer to a request means for each row of its unit. One that refuses a whole request has found something
/// wrong with one alert: then each is told by itself.
pub fn classify(unit: Unit<'_>, answer: &Answer) -> Vec<Outcome> {
    let said = String::from_utf8_lossy(&answer.body);
    let why = words(format!("{} {}", answer.status, said.trim()).trim_end(), unit.secrets);
    let outcome = match answer.status {
        200..300 => Outcome::Accepted { note: String::new() },
        300..400 => {
            Outcome::Suspend { why: format!("{}: redirects are not followed; correct `url`", answer.status) }
        }
        401..=405 | 407 | 410 | 415 => Outcome::Suspend { why },
        400 | 413 | 422 => Outcome::Shrink { why },
        408 | 425 | 429 | 500.. => Outcome::Retry { after: answer.retry_after(unit.now), why },
        _ => Outcome::Dead { why },
    };
    vec![outcome; unit.rows.len()]
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
mod tests;
