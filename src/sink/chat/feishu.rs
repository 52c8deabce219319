//! Feishu, and Lark: a custom bot. Signed in the body, with seconds; the moment and the secret are the key, and what is
//! signed is empty.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reading, signature};
use crate::model::Timestamp;
use crate::sink::attempt::Outcome;

/// What is posted; signed if there is a secret.
pub(super) fn body(text: String, secret: Option<&str>, now: Timestamp) -> Value {
    let mut body = json!({ "msg_type": "text", "content": { "text": text } });
    if let Some(secret) = secret {
        let seconds = now.as_secs();
        body["timestamp"] = json!(seconds.to_string());
        body["sign"] = json!(signature(&format!("{seconds}\n{secret}"), ""));
    }
    body
}

/// The second pair of names is that of an older form.
#[derive(Deserialize)]
struct Reply {
    code: Option<i64>,
    msg: Option<String>,
    #[serde(rename = "StatusCode")]
    status_code: Option<i64>,
}

pub(super) fn classify(reading: &Reading<'_>) -> Outcome {
    let Some(reply) = reading.object::<Reply>() else { return reading.strange() };
    let Some(code) = reply.code.or(reply.status_code) else { return reading.strange() };
    let said = reply.msg.unwrap_or_default();
    let why = |hint: &str| reading.why(&format!("{code}{hint}: {said}"));
    match code {
        0 if (200..300).contains(&reading.answer.status) => Outcome::Accepted { note: String::new() },
        11232 => reading.retry(None, why("")),
        // One code for two things.
        9499 if reading.says(&said, "too many request") => reading.retry(None, why("")),
        9499 => Outcome::Shrink { why: why("") },
        19001 => Outcome::Suspend { why: why(" (the address is not that of a bot)") },
        19021 => Outcome::Suspend { why: why(" (`secret` is not that of the bot, or the clock is wrong)") },
        19022 => Outcome::Suspend { why: why(" (the bot does not take this machine's address)") },
        19024 => Outcome::Suspend { why: why(" (`keyword` is not one of the bot's)") },
        _ => reading.by_status(why("")),
    }
}
