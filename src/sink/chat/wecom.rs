//! WeCom: a group bot. Not signed. A text, because Markdown is not shown to those who read along in `WeChat`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Reading;
use crate::sink::attempt::Outcome;

/// Bytes of a text that the bot takes.
pub(super) const MOST_TEXT: usize = 2_048;

/// How long it is left alone when it was asked too often.
const BUSY: Duration = Duration::from_secs(60);

/// What is posted.
pub(super) fn body(text: String) -> Value {
    json!({ "msgtype": "text", "text": { "content": text } })
}

#[derive(Deserialize)]
struct Reply {
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

pub(super) fn classify(reading: &Reading<'_>) -> Outcome {
    let Some(Reply { errcode: code, errmsg: said }) = reading.object() else { return reading.strange() };
    let why = reading.why(&format!("{code}: {said}"));
    match code {
        0 if (200..300).contains(&reading.answer.status) => Outcome::Accepted { note: String::new() },
        45009 | 45033 | -1 => reading.retry(Some(BUSY), why),
        93000 | 93004 | 93008 => Outcome::Suspend { why },
        40058 | 45002 => Outcome::Shrink { why },
        40008 | 40035 | 43004 | 44004 => Outcome::Dead { why },
        _ => reading.by_status(why),
    }
}
