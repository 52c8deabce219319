//! DingTalk: a custom robot. Signed in the query, with milliseconds; the secret is the key, and the moment and the secret
//! are what is signed.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Reading, signature};
use crate::model::Timestamp;
use crate::sink::attempt::Outcome;
use crate::untrusted::percent_encode;

/// How long the robot is deaf once it was asked too often.
const DEAF: Duration = Duration::from_secs(10 * 60);

/// How long it is left alone when it is busy.
const BUSY: Duration = Duration::from_secs(60);

/// The address with the signature of this moment, if there is a secret. One that was pasted with it loses it.
pub(super) fn signed(address: &str, secret: Option<&str>, now: Timestamp) -> String {
    let Some(secret) = secret else { return address.to_owned() };
    let address = address.split_once('#').map_or(address, |(address, _)| address);
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query.split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !matches!(name, "" | "timestamp" | "sign")
    });
    let mut url = format!("{path}?");
    for pair in kept {
        url.push_str(pair);
        url.push('&');
    }
    let ms = now.0.div_euclid(1_000);
    let sign = percent_encode(&signature(secret, &format!("{ms}\n{secret}")));
    format!("{url}timestamp={ms}&sign={sign}")
}

/// What is posted: to be read, and calling nobody.
pub(super) fn body(text: String) -> Value {
    json!({ "msgtype": "text", "text": { "content": text }, "at": { "atMobiles": [], "isAtAll": false } })
}

#[derive(Deserialize)]
struct Reply {
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

pub(super) fn classify(reading: &Reading<'_>) -> Outcome {
    let Some(Reply { errcode: code, errmsg: said }) = reading.object() else { return reading.strange() };
    let why = |hint: &str| reading.why(&format!("{code}{hint}: {said}"));
    let any = |words: &[&str]| words.iter().any(|what| reading.says(&said, what));
    match code {
        0 if (200..300).contains(&reading.answer.status) => Outcome::Accepted { note: String::new() },
        130101 => reading.retry(Some(DEAF), why("")),
        410100 | -1 => reading.retry(Some(BUSY), why("")),
        // Its rules for what it takes. Which of them it was is only said in words.
        310000 if any(&["keyword", "关键词"]) => {
            Outcome::Suspend { why: why(" (`keyword` is not one of the robot's)") }
        }
        310000 if any(&["sign", "签名", "timestamp", "时间戳"]) => {
            Outcome::Suspend { why: why(" (`secret` is not that of the robot, or the clock is wrong)") }
        }
        310000 if any(&["whitelist", "白名单", " ip"]) => {
            Outcome::Suspend { why: why(" (the robot does not take this machine's address)") }
        }
        310000 => Outcome::Suspend { why: why(" (keyword, signature or address)") },
        300001 | 300005 | 400013 | 400101 | 400102 | 400106 => Outcome::Suspend { why: why("") },
        40035 | 43004 | 400105 => Outcome::Dead { why: why("") },
        _ if any(&["too long", "exceed 20000"]) => Outcome::Shrink { why: why("") },
        _ => reading.by_status(why("")),
    }
}
