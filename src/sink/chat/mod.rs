//! Groups of people who read along: Slack, Feishu, DingTalk and WeCom. They are told of alerts and changes, and keep
//! nothing of them: what is over is said as a text of its own.
//!
//! * `text`: what is said, of one row or of many, within the bytes that a service takes.
//! * `slack`, `feishu`, `dingtalk`, `wecom`: how each of them is asked, and what its answers mean.
//!
//! **Everything is sent as plain text.** In the markup of these services nobody has documented how a character is taken
//! for itself, and a line that was shown differently from how it stands in the log cannot be searched for. What some of
//! them still read into plain text is taken away by `escape`: no log line can call anyone or begin a link of its own
//! name.
//!
//! The answers come with HTTP 200 whatever they say; the code in them decides. They may repeat what was said, so a word
//! in them counts only where it cannot come from there, see `says`.
//!
//! Source of the wire formats: the vendors' pages on incoming webhooks and group bots.

mod dingtalk;
mod feishu;
mod slack;
#[cfg(test)]
mod tests;
mod text;
mod wecom;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use secrecy::SecretString;
use serde::Deserialize;
use sha2::Sha256;

use super::attempt::{Limits, Outcome, by_status};
use super::budget::Budget;
use super::text::words;
use super::{Answer, Request, Secrets, Unit};
use crate::settings::{Chat, ChatService};

/// The secret that is the whole address.
pub(super) const URL: &str = "url";

/// The secret to sign with.
const SECRET: &str = "secret";

/// Bytes of a text for services whose limit is one of the whole body, 20 000 bytes: JSON writes no character of a text
/// with more than twice its bytes.
const MOST_TEXT: usize = 8_000;

/// What is sent for a unit: one row as it is, several as a digest.
pub fn request(settings: &Chat, unit: Unit<'_>) -> Request {
    let service = settings.service;
    let most = match service {
        ChatService::WeCom => wecom::MOST_TEXT,
        ChatService::Slack | ChatService::Feishu | ChatService::DingTalk => MOST_TEXT,
    };
    let pen = text::Pen { most, escape: escape(service), keyword: settings.keyword.as_deref() };
    let said = text::of(&pen, unit.rows, unit.shrink);
    let address = unit.secrets.get(URL).to_owned();
    let secret = unit.secrets.find(SECRET);
    let (url, body) = match service {
        ChatService::Slack => (address, slack::body(said)),
        ChatService::Feishu => (address, feishu::body(said, secret, unit.now)),
        ChatService::DingTalk => (dingtalk::signed(&address, secret, unit.now), dingtalk::body(said)),
        ChatService::WeCom => (address, wecom::body(said)),
    };
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    Request { method: "POST", url, headers, body: body.to_string().into_bytes() }
}

/// What an answer means: the same for every row, as they were said in one text. Rows that were refused together are
/// tried one by one, shorter: not all of them need be to blame.
pub fn classify(service: ChatService, unit: Unit<'_>, request: &Request, answer: &Answer) -> Vec<Outcome> {
    let reading = Reading { unit, request, answer };
    let outcome = match service {
        ChatService::Slack => slack::classify(&reading),
        ChatService::Feishu => feishu::classify(&reading),
        ChatService::DingTalk => dingtalk::classify(&reading),
        ChatService::WeCom => wecom::classify(&reading),
    };
    let outcome = match outcome {
        Outcome::Dead { why } if unit.rows.len() > 1 => Outcome::Shrink { why },
        outcome => outcome,
    };
    vec![outcome; unit.rows.len()]
}

/// What the queue may do. In any minute at most so many texts leave: Feishu 90 (of 100, and 4 of 5 in a second), DingTalk
/// and WeCom 18 (of 20; beyond them DingTalk is deaf for ten minutes). Slack takes about one a second and short bursts.
/// What piles up beyond that goes as a digest; WeCom's texts are short, and so are its digests. Feishu asks to be left alone
/// at the full and the half hour, when it refuses more than its limits say.
pub(super) fn limits(service: ChatService) -> Limits {
    let budget = |tokens, seconds, burst| Budget { tokens, per: Duration::from_secs(seconds), burst };
    let (unit, budgets) = match service {
        ChatService::Slack => (50, vec![budget(1, 1, 5)]),
        ChatService::Feishu => (50, vec![budget(2, 1, 2), budget(80, 60, 10)]),
        ChatService::DingTalk => (50, vec![budget(15, 60, 3)]),
        ChatService::WeCom => (10, vec![budget(15, 60, 3)]),
    };
    let shuns_half_hours = service == ChatService::Feishu;
    Limits { unit, digest: true, budgets, shuns_half_hours, ..Limits::default() }
}

/// What has to be written in another way to be taken for itself in a plain text: the twin that reads the same.
///
/// Slack: its three control characters, as it asks for. Feishu: `<at …>`. DingTalk: `@` and a number. WeCom: `<@…>`.
fn escape(service: ChatService) -> text::Escape {
    match service {
        ChatService::Slack => |c| match c {
            '&' => Some("&amp;"),
            '<' => Some("&lt;"),
            '>' => Some("&gt;"),
            _ => None,
        },
        ChatService::Feishu | ChatService::WeCom => |c| (c == '<').then_some("＜"),
        ChatService::DingTalk => |c| (c == '@').then_some("＠"),
    }
}

/// HMAC with SHA-256, in base64.
fn signature(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length is taken");
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

/// An answer while it is read.
struct Reading<'a> {
    unit: Unit<'a>,
    request: &'a Request,
    answer: &'a Answer,
}

impl Reading<'_> {
    /// The answer as the bots write it; `None` if it is no whole JSON object.
    fn object<'a, T: Deserialize<'a>>(&'a self) -> Option<T> {
        let body = &self.answer.body;
        let object = body.trim_ascii_start().starts_with(b"{") && self.answer.whole;
        if object { serde_json::from_slice(body).ok() } else { None }
    }

    /// What the peer said, for people: behind the status, and without the address or parts of it.
    fn why(&self, said: &str) -> String {
        let secrets = self.unit.secrets;
        let parts =
            Secrets::new(parts(secrets.get(URL)).map(|part| (URL, SecretString::from(part))).collect());
        let said = secrets.scrub_with(&parts, said);
        words(format!("{} {said}", self.answer.status).trim_end_matches([':', ' ']), secrets)
    }

    /// It is tried again, not before `least` and not before what `Retry-After` says.
    fn retry(&self, least: Option<Duration>, why: String) -> Outcome {
        Outcome::Retry { after: self.answer.retry_after(self.unit.now).max(least), why }
    }

    /// What the HTTP status alone means.
    fn by_status(&self, why: String) -> Outcome {
        match self.answer.status {
            // It may have been taken. Said twice is better than not at all.
            200..300 => self.retry(None, why),
            status => by_status(status, why, |why| self.retry(None, why)),
        }
    }

    /// What an answer means that is none of this service's.
    fn strange(&self) -> Outcome {
        let status = self.answer.status;
        self.by_status(format!("{status} with an answer that cannot be read; is `url` the right address?"))
    }

    /// True if the peer's words say this, and not only what it repeats of ours: they begin so, or it stands nowhere in
    /// what was sent. `what` in lower case.
    fn says(&self, said: &str, what: &str) -> bool {
        let said = said.to_lowercase();
        let sent = String::from_utf8_lossy(&self.request.body).to_lowercase();
        said.trim_start().starts_with(what) || (said.contains(what) && !sent.contains(what))
    }
}

/// The parts of an address that may be its secret: of its path and query what is too long to be a word.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?'])).map_or("", |(_, path)| path);
    path.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= 8)
}
