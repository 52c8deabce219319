//! Where transitions go: one file per peer over one delivery core. Pure: requests and answers are data, and who
//! carries them is the daemon's business (`daemon::deliver`).
//!
//! * [`attempt`]: the nouns of delivery. [`budget`]: sends per time.
//! * [`queue`]: what is owed to one sink, in which order, and when it is tried.
//! * `text`: what is done with log text and with a peer's words.
//! * [`standing`]: what is told again and again to a peer that forgets.
//! * [`chat`]: groups of people who read along: Slack, Feishu, DingTalk, WeCom.
//! * [`flashduty`]: alerts of a standard alert integration. Wire types live in the peer's file only.
//! * [`alertmanager`]: alerts of one instance.
//! * [`pagerduty`]: alerts and changes of one integration.
//! * [`stdout`]: transitions as JSON lines or as readable lines. [`exec`]: what becomes of a program that was told.
//! * `webhook`: whoever takes JSON by HTTP.
//! * [`status_page`]: what the public is told; a dialogue, because nothing may be said twice there.
//!
//! A new peer is a file with a `request` that renders the rows of a [`Unit`] and a `classify` that reads an answer.

pub mod alertmanager;
pub mod attempt;
pub mod budget;
pub mod chat;
pub mod exec;
pub mod flashduty;
pub mod pagerduty;
pub mod queue;
#[cfg(test)]
pub(crate) mod sample;
pub mod standing;
pub mod status_page;
pub mod stdout;
mod text;
mod webhook;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::model::{Content, Delivery, Timestamp};
use crate::settings::{Peer, Sink};
use attempt::{Limits, Outcome, Purpose};
use budget::Budget;
use standing::Resend;

/// Most bytes of an answer's body that are read, as a rule.
pub const MOST_ANSWER: usize = 64 * 1024;

/// Rows that are said to a peer at once, and what is needed to say them.
#[derive(Clone, Copy)]
pub struct Unit<'a> {
    /// All of different alerts and changes; at least one.
    pub rows: &'a [Delivery],
    /// The peer's secrets, as they are now.
    pub secrets: &'a Secrets,
    /// The peer found it too large before: what can be missed is left out.
    pub shrink: bool,
    /// The moment of the attempt, for signatures and for a `Retry-After` that is a date.
    pub now: Timestamp,
    /// Why it is said.
    pub purpose: Purpose,
}

/// What only tripline and a peer know, by the names of the keys in TOML.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<(&'static str, SecretString)>);

impl Secrets {
    /// These.
    pub fn new(secrets: Vec<(&'static str, SecretString)>) -> Secrets {
        Secrets(secrets)
    }

    /// One of them; the empty text if the settings give none.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// One of them, if the settings give it.
    pub fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, secret)| secret.expose_secret())
    }

    /// Replaces each of them by `***`: in small or capital letters, with any of its characters percent-encoded or not,
    /// in base64, alone or behind something, and also if it is cut off behind its better half. For every text that
    /// comes from a peer or a transport.
    pub fn scrub(&self, text: &str) -> String {
        self.scrub_with(&Secrets::default(), text)
    }

    /// The same of these and others. All at once: where one begins as another does, the longest that stands there goes,
    /// and nothing is left of it.
    pub fn scrub_with(&self, others: &Secrets, text: &str) -> String {
        let all = self.0.iter().chain(&others.0);
        without(text, &all.flat_map(|(_, secret)| spellings(secret)).collect::<Vec<Spelling>>())
    }
}

/// Where the peer is, as the settings or its secrets say; empty for one that is not reached by HTTP. May hold secrets.
pub fn address<'a>(peer: &'a Peer, secrets: &'a Secrets) -> &'a str {
    match peer {
        Peer::Stdout | Peer::File(_) | Peer::Exec(_) => "",
        Peer::Webhook(_) => secrets.get("url"),
        Peer::Flashduty(settings) => &settings.url,
        Peer::FlashdutyChanges(settings) => &settings.url,
        Peer::Alertmanager(settings) => &settings.url,
        Peer::PagerDuty(settings) => &settings.url,
        Peer::Chat(_) => secrets.get(chat::URL),
        Peer::StatusPage(settings) => &settings.url,
    }
}

/// Headers that the settings add to each request, with their secrets.
pub fn headers(peer: &Peer, secrets: &Secrets) -> Vec<(String, String)> {
    match peer {
        Peer::Webhook(settings) => webhook::headers(settings, secrets),
        _ => Vec::new(),
    }
}

/// True if the peer takes such a row: it may have been owed while the sink of this name was of another type.
pub fn takes(peer: &Peer, row: &Delivery) -> bool {
    match row.content {
        Content::Alert(..) => peer.takes_alerts(),
        Content::Change(_) => peer.takes_changes(),
    }
}

/// True if a row that may have arrived is not to be sent again.
pub fn says_once(peer: &Peer, row: &Delivery) -> bool {
    matches!(peer, Peer::PagerDuty(settings) if settings.drop_unsure_changes) && row.change().is_some()
}

/// Which of the peer's secrets is wrong and why, as far as it can be seen without asking it.
pub fn wrong_secret(peer: &Peer, secrets: &Secrets) -> Option<(&'static str, &'static str)> {
    match peer {
        Peer::PagerDuty(_) if !pagerduty::is_routing_key(secrets.get(pagerduty::KEY)) => {
            Some((pagerduty::KEY, "a routing key has 32 letters and digits, and this one has not"))
        }
        Peer::Webhook(_) => webhook::wrong_secret(secrets),
        _ => None,
    }
}

/// What is sent for a unit; `None` for a peer that is not reached by HTTP, or not with one request.
pub fn request(peer: &Peer, unit: Unit<'_>) -> Option<Request> {
    match peer {
        Peer::Stdout | Peer::File(_) | Peer::Exec(_) | Peer::StatusPage(_) => None,
        Peer::Webhook(settings) => Some(webhook::request(settings, unit)),
        Peer::Flashduty(settings) => Some(flashduty::request(settings, unit)),
        Peer::FlashdutyChanges(settings) => Some(flashduty::change::request(settings, unit)),
        Peer::Alertmanager(settings) => Some(alertmanager::request(settings, unit)),
        Peer::PagerDuty(settings) => Some(pagerduty::request(settings, unit)),
        Peer::Chat(settings) => Some(chat::request(settings, unit)),
    }
}

/// What the answer to a request means for each row of its unit.
pub fn classify(peer: &Peer, unit: Unit<'_>, request: &Request, answer: &Answer) -> Vec<Outcome> {
    match peer {
        Peer::Stdout | Peer::File(_) | Peer::Exec(_) | Peer::StatusPage(_) => Vec::new(),
        Peer::Webhook(settings) => webhook::classify(settings, unit, answer),
        Peer::Flashduty(_) | Peer::FlashdutyChanges(_) => vec![flashduty::classify(unit, request, answer)],
        Peer::Alertmanager(_) => alertmanager::classify(unit, answer),
        Peer::PagerDuty(_) => vec![pagerduty::classify(unit, answer)],
        Peer::Chat(settings) => chat::classify(settings.service, unit, request, answer),
    }
}

/// The peer's own number for a request, for logs; `None` if it gave none or one that is no plain word.
pub fn request_id(peer: &Peer, answer: &Answer) -> Option<String> {
    match peer {
        Peer::Stdout | Peer::File(_) | Peer::Exec(_) => None,
        Peer::Alertmanager(_) | Peer::PagerDuty(_) | Peer::Webhook(_) | Peer::Chat(_) => None,
        Peer::Flashduty(_) | Peer::FlashdutyChanges(_) | Peer::StatusPage(_) => flashduty::request_id(answer),
    }
}

/// What is sent. The URL holds the key, so `Debug` shows neither its query nor the body.
pub struct Request {
    /// `POST` as a rule.
    pub method: &'static str,
    /// Where to. Contains secrets.
    pub url: String,
    /// Besides those that the transport adds by itself.
    pub headers: Vec<(&'static str, String)>,
    /// Already encoded.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host_of(&self.url))
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// The `host:port` of a URL, without a user or password that may stand before it.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// What came back. Written by the peer: hostile, and apt to echo the key.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most so many bytes as whoever carries it reads, [`MOST_ANSWER`] as a rule.
    pub body: Vec<u8>,
    /// False if the body broke off or was cut there.
    pub whole: bool,
}

impl Answer {
    /// How long the peer asks to be left alone, from `Retry-After`: seconds, or an HTTP date held against `now`
    /// (RFC 9110, section 10.2.3). `None` if there is none or it makes no sense.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let (_, value) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        let value = value.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        Some(http_date(value)?.since(now))
    }

    /// What time it is at the peer, as its answer says.
    pub fn date(&self) -> Option<Timestamp> {
        let (_, value) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
        http_date(value.trim())
    }
}

/// A time as HTTP writes it.
fn http_date(value: &str) -> Option<Timestamp> {
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Timestamp(date.as_microsecond()))
}

/// Bytes from which on the beginning of a secret is one, and base64 of it is looked for.
const TELLING: usize = 12;

/// What spells a secret, and how many of its first bytes are enough.
struct Spelling {
    bytes: Zeroizing<Vec<u8>>,
    least: usize,
}

/// A secret as it is, and in base64.
fn spellings(secret: &SecretString) -> Vec<Spelling> {
    let raw = secret.expose_secret().as_bytes();
    let least = raw.len().div_ceil(2).max(TELLING).min(raw.len());
    let mut all = vec![Spelling { bytes: Zeroizing::new(raw.to_vec()), least }];
    if raw.len() < TELLING {
        return all;
    }
    // What stands before it decides how its bytes fall into groups of three.
    for before in 0..3 {
        for alphabet in [&STANDARD, &URL_SAFE] {
            let mut bytes = Zeroizing::new(vec![0; before]);
            bytes.extend(raw);
            let whole = bytes.len() / 3 * 3;
            bytes.truncate(whole);
            let encoded = Zeroizing::new(alphabet.encode(&*bytes));
            // Characters in which something of what stands before it is left.
            let own = Zeroizing::new(encoded.as_bytes()[[0, 2, 3][before]..].to_vec());
            all.push(Spelling { least: own.len(), bytes: own });
        }
    }
    all
}

/// The text with `***` for all that is spelt so.
fn without(text: &str, spellings: &[Spelling]) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let spelt = spellings.iter().filter_map(|spelling| {
            encoded_prefix(rest.as_bytes(), &spelling.bytes, spelling.least)
                .filter(|length| rest.is_char_boundary(*length))
        });
        match spelt.max() {
            Some(length) => {
                clean.push_str("***");
                rest = &rest[length..];
            }
            None => {
                clean.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    clean
}

/// How many bytes at the start of `text` spell `raw`, or at least `least` of its first bytes, if they do and it is not
/// empty.
fn encoded_prefix(text: &[u8], raw: &[u8], least: usize) -> Option<usize> {
    let (mut at, mut spelt) = (0, 0);
    for byte in raw {
        at += match text.get(at..).unwrap_or_default() {
            [b'%', high, low, ..] if hex(*high).zip(hex(*low)) == Some((byte >> 4, byte & 15)) => 3,
            [b'+', ..] if *byte == b' ' => 1,
            [same, ..] if same.eq_ignore_ascii_case(byte) => 1,
            _ => break,
        };
        spelt += 1;
    }
    (at > 0 && spelt >= least).then_some(at)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What the queue of a sink may do, by its peer.
///
/// Flashduty: 100 requests a second and 1000 a minute for each integration; 15 a second with a burst of 60 stays
/// below both (at most 75 in a second, 960 in a minute). A status page: one row after the other, and whoever carries its
/// requests keeps 200 ms between them. stdout and files: in order, many rows at a time.
pub fn limits(sink: &Sink) -> Limits {
    let own = match &sink.peer {
        Peer::Flashduty(_) | Peer::FlashdutyChanges(_) => Limits {
            concurrency: 8,
            budgets: vec![Budget { tokens: 15, per: Duration::from_secs(1), burst: 60 }],
            ..Limits::default()
        },
        // About 120 a minute are taken for a key, alerts and changes together.
        Peer::PagerDuty(_) => Limits {
            concurrency: 4,
            wait_doublings: 3,
            budgets: vec![Budget { tokens: 100, per: Duration::from_secs(60), burst: 20 }],
            ..Limits::default()
        },
        // Told again it takes everything as it is, so there is no harm in many alerts at a time.
        Peer::Alertmanager(settings) => Limits {
            unit: alertmanager::MOST_ALERTS,
            concurrency: 2,
            resend: Some(Resend {
                every: settings.resend,
                over_for: alertmanager::OVER_FOR,
                hold: settings.hold_on_shutdown,
            }),
            ..Limits::default()
        },
        // What got no answer may still be on its way: it is given time to arrive before it is looked for.
        Peer::StatusPage(_) => {
            Limits { in_order: true, retry_base: Duration::from_secs(5), ..Limits::default() }
        }
        Peer::Chat(settings) => chat::limits(settings.service),
        Peer::Stdout | Peer::File(_) => Limits { unit: 256, ..Limits::default() },
        Peer::Webhook(webhook) => {
            let per = |(tokens, per)| Budget { tokens, per, burst: tokens };
            let together = webhook.batch.map(|batch| (batch.count, batch.bytes, batch.time));
            let (unit, unit_bytes, linger) = together.unwrap_or((1, usize::MAX, Duration::ZERO));
            let budgets = webhook.rate.map(per).into_iter().collect();
            Limits { unit, unit_bytes, linger, concurrency: 8, budgets, ..Limits::default() }
        }
        Peer::Exec(exec) => Limits { concurrency: exec.concurrency, ..Limits::default() },
    };
    Limits { probe_every: sink.probe_every, ..own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str) -> Option<u64> {
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        let answer = Answer { status: 429, headers, body: Vec::new(), whole: true };
        // 1994-11-06T08:49:07Z
        answer.retry_after(Timestamp::from_secs(784_111_747)).map(|wait| wait.as_secs())
    }

    fn scrub(text: &str, secret: &SecretString) -> String {
        Secrets::new(vec![("", secret.clone())]).scrub(text)
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        assert_eq!(after("120"), Some(120));
        assert_eq!(after(" 0 "), Some(0));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(30));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(after("99999999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn a_retry_after_that_makes_no_sense_is_none() {
        for value in ["", "-1", "soon", "1.5", "12 s", "Sun, 99 Nov 1994 08:49:37 GMT", "\u{202e}"] {
            assert_eq!(after(value), None, "{value}");
        }
    }

    #[test]
    fn a_request_shows_its_host_and_nothing_else() {
        let request = Request {
            method: "POST",
            url: "https://user:CANARY@api.example.com:8443/CANARY?integration_key=CANARY".to_owned(),
            headers: vec![("authorization", "CANARY".to_owned())],
            body: b"CANARY".to_vec(),
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("api.example.com:8443"), "{shown}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }

    #[test]
    fn a_secret_is_scrubbed_in_every_form() {
        let secret = SecretString::from("p/q r+s");
        for text in
            ["ké p/q r+s!", "ké p%2Fq%20r%2Bs!", "ké p%2fq%20r%2bs!", "ké p/q+r+s!", "ké %70/q%20r+s!"]
        {
            assert_eq!(scrub(text, &secret), "ké ***!");
        }
        assert_eq!(scrub("ké P/Q R+S!", &secret), "ké ***!");
        for text in ["", "p/q r", "p%2q r+s", "%", "日志%2"] {
            assert_eq!(scrub(text, &secret), text);
        }
        assert_eq!(scrub("kept", &SecretString::from("")), "kept");
    }

    #[test]
    fn of_secrets_that_begin_alike_nothing_is_left() {
        let [token, url, part] = [
            "acmeprod-4711-tok99999",
            "https://h/sb/acmeprod-4711-REALq8w7e6r5",
            "acmeprod-4711-REALq8w7e6r5",
        ]
        .map(|secret| ("", SecretString::from(secret)));
        let (all, parts) = (Secrets::new(vec![token.clone(), url]), Secrets::new(vec![part.clone()]));
        assert_eq!(all.scrub_with(&parts, "403 /sb/acmeprod-4711-REALq8w7e6r5?x"), "403 /sb/***?x");
        assert_eq!(
            Secrets::new(vec![token.clone(), part.clone()]).scrub("acmeprod-4711-REALq8w7e6r5"),
            "***"
        );
        assert_eq!(Secrets::new(vec![part, token]).scrub("acmeprod-4711-tok99999"), "***");
    }

    #[test]
    fn what_is_left_of_a_secret_and_what_was_made_of_it_is_scrubbed_too() {
        let key = "CANARYcanaryCANARYcanary4711日";
        let secret = SecretString::from(key);
        for cut in 17..key.len() - 3 {
            assert_eq!(scrub(&format!("{}…", &key[..cut]), &secret), "***…", "{cut}");
        }
        assert_eq!(scrub("CANARYcanary is a bird", &secret), "CANARYcanary is a bird");
        for before in ["", "u", "me", "you:", "\u{ff}\u{fe}", "?>?>~~"] {
            for alphabet in [&STANDARD, &URL_SAFE] {
                let text = format!("Basic {}", alphabet.encode(format!("{before}{key}")));
                let clean = scrub(&text, &secret);
                let middle = alphabet.encode(format!("{before}{key}"));
                assert!(clean.contains("***") && !clean.contains(&middle[middle.len() / 2..]), "{clean}");
            }
        }
    }
}
