//! Slack: an incoming webhook. The answer is a word; what was said can be neither changed nor taken back.

use serde_json::{Value, json};

use super::Reading;
use crate::sink::attempt::Outcome;

/// Without markup, and without looking up the links that a log names.
pub(super) fn body(text: String) -> Value {
    json!({ "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false })
}

/// The whole answer is one word, so nothing that it repeats can be taken for another.
pub(super) fn classify(reading: &Reading<'_>) -> Outcome {
    let answer = reading.answer;
    let whole = if answer.whole { std::str::from_utf8(&answer.body).unwrap_or_default() } else { "" };
    let word = whole.trim();
    let why = reading.why(if word.is_empty() { "without an answer" } else { word });
    match word {
        "ok" if (200..300).contains(&answer.status) => Outcome::Accepted { note: String::new() },
        "action_prohibited"
        | "channel_is_archived"
        | "channel_not_found"
        | "invalid_token"
        | "no_active_hooks"
        | "no_service"
        | "no_service_id"
        | "no_team"
        | "posting_to_general_channel_denied"
        | "team_disabled" => Outcome::Suspend { why },
        "msg_too_long" => Outcome::Shrink { why },
        "invalid_payload" | "no_text" => Outcome::Dead { why },
        "rate_limited" | "rollup_error" => reading.retry(None, why),
        _ if (200..300).contains(&answer.status) => reading.strange(),
        _ => reading.by_status(why),
    }
}
