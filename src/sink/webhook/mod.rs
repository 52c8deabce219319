//! Webhooks: alerts and changes to whoever takes JSON by HTTP.
//!
//! What is said stands in [`body`], the signature in [`sign`]. `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` are those of the Standard Webhooks specification, 1.0.0. The id is the same for every attempt of
//! the same rows, so it is what a receiver recognises a repetition by; the timestamp is that of the attempt. Ids hold no
//! `.` there, because it parts id, timestamp and body where they are signed.
//!
//! Only the status decides what an answer means: the text of one may echo log lines.

mod body;
mod sign;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use super::attempt::Outcome;
use super::text::words;
use super::{Answer, Request, Secrets, Unit};
use crate::model::{Content, Delivery, DeliveryKind};
use crate::settings::Webhook;
use body::Said;

/// Shortest part of an address that is taken for a secret in what a receiver echoes.
const SECRET_PART: usize = 8;

/// The request that says the rows of a unit.
pub(super) fn request(settings: &Webhook, unit: Unit<'_>) -> Request {
    let Said { media_type, bytes } = body::said(settings, unit);
    let id = id(unit.rows);
    let seconds = unit.now.as_secs();
    let mut headers = vec![
        ("content-type", media_type.to_owned()),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", seconds.to_string()),
    ];
    let keys = ["secret", "old_secret"].into_iter().filter_map(|name| sign::key(unit.secrets.find(name)?));
    let signatures: Vec<String> = keys.map(|key| sign::signature(&key, &id, seconds, &bytes)).collect();
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    Request { method: settings.method, url: unit.secrets.get("url").to_owned(), headers, body: bytes }
}

/// What the settings add to the headers of each request.
pub(super) fn headers(settings: &Webhook, secrets: &Secrets) -> Vec<(String, String)> {
    let mut headers = settings.headers.clone();
    let (header, scheme) = &settings.token;
    if let Some(token) = secrets.find("token") {
        let value = scheme.as_ref().map_or_else(|| token.to_owned(), |scheme| format!("{scheme} {token}"));
        headers.push((header.clone(), value));
    }
    if let Some(pair) = basic(settings, secrets) {
        headers.push(("authorization".to_owned(), format!("Basic {pair}")));
    }
    headers
}

fn basic(settings: &Webhook, secrets: &Secrets) -> Option<String> {
    let (username, password) = (settings.username.as_ref()?, secrets.find("password")?);
    Some(BASE64.encode(format!("{username}:{password}")))
}

/// Which of the secrets is wrong and why, without showing them.
pub(super) fn wrong_secret(secrets: &Secrets) -> Option<(&'static str, &'static str)> {
    let bad = |name: &str| secrets.find(name).is_some_and(|secret| sign::key(secret).is_none());
    if bad("secret") {
        Some(("secret", "`secret` is no secret to sign with: it is written as `whsec_` and base64"))
    } else if bad("old_secret") {
        Some(("old_secret", "`old_secret` is no secret to sign with: it is written as `whsec_` and base64"))
    } else {
        None
    }
}

/// What a receiver recognises a repetition by.
fn id(rows: &[Delivery]) -> String {
    let ids: Vec<String> = rows.iter().map(row_id).collect();
    match ids.as_slice() {
        [id] => id.clone(),
        ids => {
            let digest = Sha256::digest(ids.join("\n"));
            let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("batch-{hex}")
        }
    }
}

/// The delivery's id without dots. Rule names and digests hold none, nor `-`, so it stays unique.
fn row_id(row: &Delivery) -> String {
    let id = row.id().replace('.', "-");
    match &row.content {
        // Each sign of life is one of its own.
        Content::Alert(DeliveryKind::Beat, beat) => format!("{id}-{}", beat.time.as_secs()),
        _ => id,
    }
}

/// What an answer means, for each row.
pub(super) fn classify(settings: &Webhook, unit: Unit<'_>, answer: &Answer) -> Vec<Outcome> {
    let status = answer.status;
    let taken = match settings.success.as_slice() {
        [] => (200..300).contains(&status),
        codes => codes.contains(&status),
    };
    let several = unit.rows.len() > 1;
    let why =
        || clean(settings, unit.secrets, &format!("{status} {}", String::from_utf8_lossy(&answer.body)));
    let outcome = match status {
        _ if taken => Outcome::Accepted { note: status.to_string() },
        200..300 => Outcome::Suspend { why: format!("{status} is none of the codes that `success` names") },
        300..400 => Outcome::Suspend { why: format!("{status}: redirects are not followed; correct `url`") },
        401..=405 | 407 | 410 | 426 | 451 => Outcome::Suspend { why: why() },
        408 | 409 | 421 | 423 | 425 | 429 => {
            Outcome::Retry { after: answer.retry_after(unit.now), why: why() }
        }
        400..=499 | 501 if several => Outcome::Alone { why: why() },
        413 => Outcome::Shrink { why: why() },
        400..=499 | 501 => Outcome::Dead { why: why() },
        _ => Outcome::Retry { after: answer.retry_after(unit.now), why: why() },
    };
    vec![outcome; unit.rows.len()]
}

/// A receiver's words without secrets: those of the settings, what they become on the way, and parts of the address.
fn clean(settings: &Webhook, secrets: &Secrets, text: &str) -> String {
    let url = secrets.get("url");
    let behind_host = url.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?']));
    let parts = behind_host.map_or("", |(_, path)| path).split(['/', '?', '&', '=']);
    let parts = parts.filter(|part| part.len() >= SECRET_PART).map(str::to_owned);
    let derived = parts.chain(basic(settings, secrets)).map(|secret| ("url", secret.into()));
    words(secrets.scrub_with(&Secrets::new(derived.collect()), text).trim(), secrets)
}

#[cfg(test)]
mod tests;
