//! Carries attempts to peers and brings back what became of each row. The only part of delivery with sockets; what
//! to send when is decided by [`crate::sink::queue`].
//!
//! The key of a peer is read anew for every attempt and lives only in the request. It is in no log, error, metric
//! or redirect: redirects are not followed, no `Referer` is sent, no proxy of the environment is used, errors lose
//! their URL, and every text that comes back is scrubbed. Libraries below may log addresses at `debug` and
//! `trace`: whoever sets up logging must keep [`QUIET`] quiet.
#![expect(clippy::disallowed_methods, reason = "a private certificate authority is a file")]

use std::collections::HashMap;
use std::error::Error as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::runtime::Handle;

use super::secret::{Secret, SecretError};
use crate::model::{Delivery, SinkName, Timestamp};
use crate::settings::{self, Peer};
use crate::sink::attempt::{Attempt, Outcome};
use crate::sink::{Answer, MOST_ANSWER, flashduty, host_of, scrub, stdout};

/// Targets of `tracing` that may show a URL, and with it a key, below `warn`.
pub const QUIET: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower"];

/// How attempts are made.
#[derive(Clone)]
pub struct Terms {
    /// Time until a connection must stand, TLS included. 5 s.
    pub connect: Duration,
    /// Time until the answer must be read. 15 s.
    pub total: Duration,
    /// Whether attempts are made at all. If not, keys need not be there.
    pub send: bool,
    /// Whether the stdout sink writes readable lines instead of JSON.
    pub readable: bool,
    /// Whether readable lines have colours.
    pub color: bool,
    /// The clock, for a `Retry-After` that is a date.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Terms {
    /// The usual times, JSON, and the clock `now`.
    pub fn new(now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Terms {
        let (connect, total) = (Duration::from_secs(5), Duration::from_secs(15));
        Terms { connect, total, send: true, readable: false, color: false, now }
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// [`Attempt::id`].
    pub attempt: u64,
    /// [`Attempt::sink`].
    pub sink: SinkName,
    /// One per row, in their order.
    pub outcomes: Vec<Outcome>,
}

/// Why a sink cannot be used. None of them shows the URL: a key may stand in it.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No URL, or none with a host.
    #[error("the `url` of sink `{0}` is no URL; write it as `https://host`")]
    Url(SinkName),
    /// The key would travel in clear.
    #[error(
        "the `url` of sink `{sink}` is not https, and `{host}` is not this machine; write `https://`, or add `allow_plaintext = true`"
    )]
    Plaintext {
        /// Which sink.
        sink: SinkName,
        /// Where to.
        host: String,
    },
    /// `ca_file` cannot be read.
    #[error("cannot read `ca_file = \"{path}\"` of sink `{sink}`: {error}")]
    CaRead {
        /// Which sink.
        sink: SinkName,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// `ca_file` is no PEM file with certificates.
    #[error("`ca_file = \"{path}\"` of sink `{sink}` holds no certificate in PEM form")]
    CaForm {
        /// Which sink.
        sink: SinkName,
        /// The file.
        path: PathBuf,
    },
    /// The key cannot be had.
    #[error("sink `{sink}` has no key: {error}")]
    Key {
        /// Which sink.
        sink: SinkName,
        /// Why, without the key.
        error: SecretError,
    },
    /// TLS cannot be set up.
    #[error("cannot set up connections for sink `{sink}`: {why}")]
    Client {
        /// Which sink.
        sink: SinkName,
        /// Why.
        why: String,
    },
}

struct Push {
    settings: settings::Flashduty,
    secret: Secret,
    client: reqwest::Client,
}

#[derive(Clone)]
enum Way {
    Flashduty(Arc<Push>),
    Stdout,
}

/// Makes attempts on a runtime, each in its own task. Never blocks the caller.
pub struct Courier {
    runtime: Handle,
    terms: Terms,
    done: Arc<dyn Fn(Done) + Send + Sync>,
    ways: HashMap<SinkName, Way>,
}

impl Courier {
    /// A courier without sinks. `done` is called once for each attempt, on a thread of the runtime.
    pub fn new(runtime: Handle, terms: Terms, done: Arc<dyn Fn(Done) + Send + Sync>) -> Courier {
        Courier { runtime, terms, done, ways: HashMap::new() }
    }

    /// Learns how to reach `sinks`, or learns it anew. Reads each `ca_file`, and each key once, to know that it is
    /// there; it is read again at each attempt.
    ///
    /// # Errors
    /// If one of them can not be used. Then nothing has changed for any.
    pub fn attach(&mut self, sinks: &[settings::Sink]) -> Result<(), AttachError> {
        let ways = sinks.iter().map(|sink| Ok((sink.name.clone(), self.way(sink)?)));
        let ways: Vec<_> = ways.collect::<Result<_, AttachError>>()?;
        self.ways.extend(ways);
        Ok(())
    }

    fn way(&self, sink: &settings::Sink) -> Result<Way, AttachError> {
        let Peer::Flashduty(settings) = &sink.peer else { return Ok(Way::Stdout) };
        let client = client(&sink.name, settings, &self.terms)?;
        let secret = Secret::new(settings.key.clone());
        // A sink that could never send anything is found out now, and not with the first alert.
        if self.terms.send {
            secret.read().map_err(|error| AttachError::Key { sink: sink.name.clone(), error })?;
        }
        Ok(Way::Flashduty(Arc::new(Push { client, secret, settings: settings.clone() })))
    }

    /// True if the sink's key can be read and is not the one last used: release its queue. Blocks on the key's file.
    pub fn key_changed(&self, sink: &SinkName) -> bool {
        matches!(self.ways.get(sink), Some(Way::Flashduty(push)) if push.secret.changed())
    }

    /// Makes the attempt. Everything the queue emitted with it must be durable. A sign of life is sent the same
    /// way, as an attempt of its own with an id no queue knows, such as 0.
    pub fn send(&self, attempt: Attempt) {
        let (id, sink, rows) = (attempt.id, attempt.sink.clone(), attempt.deliveries.len());
        let way = self.ways.get(&sink).cloned();
        let (terms, done) = (self.terms.clone(), Arc::clone(&self.done));
        let work = self.runtime.spawn(async move {
            match way {
                Some(Way::Flashduty(push)) => push_all(&push, &attempt, &terms).await,
                Some(Way::Stdout) => write_all(attempt, terms).await,
                None => same(rows, &retry("the sink is not in the settings any more")),
            }
        });
        self.runtime.spawn(async move {
            // A task that panicked has an outcome too, or its rows would be in flight for ever.
            let outcomes =
                work.await.unwrap_or_else(|_| same(rows, &retry("the attempt failed inside tripline")));
            done(Done { attempt: id, sink, outcomes });
        });
    }
}

fn retry(why: &str) -> Outcome {
    Outcome::Retry { after: None, why: why.to_owned() }
}

fn same(rows: usize, outcome: &Outcome) -> Vec<Outcome> {
    vec![outcome.clone(); rows]
}

async fn write_all(attempt: Attempt, terms: Terms) -> Vec<Outcome> {
    let rows = attempt.deliveries.len();
    // A pipe that nobody reads blocks for as long as it likes.
    let written = tokio::task::spawn_blocking(move || {
        let text = rendered(&attempt.deliveries, &terms);
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    });
    let outcome = match written.await {
        Ok(Ok(())) => Outcome::Accepted { note: String::new() },
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Outcome::Suspend { why: format!("cannot write to stdout: {error}") }
        }
        // A disk that is full may have room again.
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot write to stdout, will be tried again");
            retry(&format!("cannot write to stdout: {error}"))
        }
        Err(_) => retry("writing failed inside tripline"),
    };
    same(rows, &outcome)
}

fn rendered(rows: &[Delivery], terms: &Terms) -> String {
    let line = |row: &Delivery| match terms.readable {
        true => stdout::content_line(&row.content, terms.color),
        false => stdout::content_json(&row.content),
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}

async fn push_all(push: &Arc<Push>, attempt: &Attempt, terms: &Terms) -> Vec<Outcome> {
    let holder = Arc::clone(push);
    let key = match tokio::task::spawn_blocking(move || holder.secret.read()).await {
        Ok(Ok(key)) => key,
        Ok(Err(error)) => {
            let why = error.to_string();
            tracing::error!(sink = %attempt.sink, why, "sink suspended: no key");
            return same(attempt.deliveries.len(), &Outcome::Suspend { why });
        }
        Err(_) => return same(attempt.deliveries.len(), &retry("reading the key failed inside tripline")),
    };
    let mut outcomes = Vec::with_capacity(attempt.deliveries.len());
    for delivery in &attempt.deliveries {
        // It was owed while the sink of this name was of another type.
        let Some(alert) = delivery.alert() else {
            let outcome = Outcome::Dead { why: "sinks of type `flashduty` take no changes".to_owned() };
            log(attempt, delivery, &outcome, None, None);
            outcomes.push(outcome);
            continue;
        };
        let request = flashduty::request(&push.settings, &key, alert, attempt.shrink);
        let answered = exchange(&push.client, &request).await;
        let (outcome, status, request_id) = match answered {
            Ok(answer) => (
                flashduty::classify(&answer, &request, &key, (terms.now)()),
                Some(answer.status),
                flashduty::request_id(&answer),
            ),
            Err(error) => (unanswered(error, &key), None, None),
        };
        log(attempt, delivery, &outcome, status, request_id.as_deref());
        outcomes.push(outcome);
    }
    outcomes
}

/// Says what became of one row. The peer's own words stay out, unless the sink is suspended by them: a peer that
/// refuses an alert may quote it, and log lines have no place in our log.
fn log(
    attempt: &Attempt,
    delivery: &Delivery,
    outcome: &Outcome,
    status: Option<u16>,
    request_id: Option<&str>,
) {
    let sink = attempt.sink.as_str();
    let number = attempt.number;
    let about = delivery.about();
    let request_id = request_id.unwrap_or("none");
    match outcome {
        Outcome::Accepted { .. } => {
            tracing::info!(sink, about, number, status, request_id, "delivery accepted");
        }
        Outcome::Retry { why, .. } if status.is_none() => {
            tracing::warn!(sink, about, number, why, "delivery not answered, will be tried again");
        }
        Outcome::Retry { .. } => {
            tracing::warn!(sink, about, number, status, request_id, "delivery put off by the peer");
        }
        Outcome::Suspend { why } => {
            tracing::error!(sink, about, number, status, request_id, why, "sink suspended");
        }
        Outcome::Shrink { .. } => {
            tracing::warn!(sink, about, number, status, request_id, "delivery too large for the peer");
        }
        Outcome::Dead { .. } => {
            tracing::error!(sink, about, number, status, request_id, "delivery refused for good");
        }
    }
}

async fn exchange(
    client: &reqwest::Client,
    request: &crate::sink::Request,
) -> Result<Answer, reqwest::Error> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap_or(reqwest::Method::POST);
    let mut builder = client.request(method, &request.url).body(request.body.clone());
    for (name, value) in &request.headers {
        builder = builder.header(*name, value);
    }
    let mut response = builder.send().await?;
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let headers = headers.collect();
    let mut answer = Answer { status: response.status().as_u16(), headers, body: Vec::new(), whole: true };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.body.len() + chunk.len() <= MOST_ANSWER => {
                answer.body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(answer),
            // The status alone may decide, so what is there is not thrown away.
            Ok(Some(_)) | Err(_) => {
                answer.whole = false;
                return Ok(answer);
            }
        }
    }
}

/// What an attempt without an answer means. It may have arrived, so it is tried again, except where the peer is
/// not who the settings say: then nothing was sent, and nothing will be.
fn unanswered(error: reqwest::Error, key: &SecretString) -> Outcome {
    let wrong_settings = error.is_builder();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        why = format!("{why}: {inner}");
        source = inner.source();
    }
    let why = scrub(&why, key);
    if wrong_settings || why.contains("invalid peer certificate") {
        Outcome::Suspend { why }
    } else {
        Outcome::Retry { after: None, why }
    }
}

fn client(
    sink: &SinkName,
    settings: &settings::Flashduty,
    terms: &Terms,
) -> Result<reqwest::Client, AttachError> {
    let url = reqwest::Url::parse(&settings.url).map_err(|_| AttachError::Url(sink.clone()))?;
    let host = url.host_str().ok_or_else(|| AttachError::Url(sink.clone()))?;
    let bare = host.trim_matches(['[', ']']);
    let loopback =
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let plaintext = url.scheme() == "http" && (loopback || settings.allow_plaintext);
    if url.scheme() != "https" && !plaintext {
        return Err(AttachError::Plaintext { sink: sink.clone(), host: host_of(&settings.url).to_owned() });
    }
    let broken = |error: reqwest::Error| AttachError::Client {
        sink: sink.clone(),
        why: error.without_url().to_string(),
    };
    // The platform's store is used as well; an image without one still knows the public authorities.
    let mut authorities = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|der| reqwest::Certificate::from_der(der))
        .collect::<Result<Vec<_>, _>>()
        .map_err(broken)?;
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path).map_err(|error| AttachError::CaRead {
            sink: sink.clone(),
            path: path.clone(),
            error,
        })?;
        let own = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if own.is_empty() {
            return Err(AttachError::CaForm { sink: sink.clone(), path: path.clone() });
        }
        authorities.extend(own);
    }
    reqwest::Client::builder()
        .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .https_only(!plaintext)
        .connect_timeout(terms.connect)
        .timeout(terms.total)
        .pool_idle_timeout(Duration::from_secs(60))
        .tls_certs_merge(authorities)
        .build()
        .map_err(broken)
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
