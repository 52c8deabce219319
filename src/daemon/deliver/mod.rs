//! Carries attempts to peers and brings back what became of each row. The only part of delivery with sockets; what
//! to send when is decided by [`crate::sink::queue`].
//!
//! The key of a peer is read anew for every attempt and lives only in the request. It is in no log, error, metric
//! or redirect: redirects are not followed, no `Referer` is sent, no proxy of the environment is used, errors lose
//! their URL, and every text that comes back is scrubbed. Libraries below may log addresses at `debug` and
//! `trace`: whoever sets up logging must keep [`QUIET`] quiet.

mod exec;
mod file;
mod fit;
mod page;
mod transport;

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

use super::secret::{Secret, SecretError};
use crate::model::{Delivery, SinkName, Timestamp};
use crate::saved::Notice;
use crate::settings::{self, Peer};
use crate::sink::alertmanager::{self, Heard};
use crate::sink::attempt::{Attempt, Outcome};
use crate::sink::{self, Secrets, Unit, stdout};
use file::Lines;
pub use fit::{Unfit, missing, taken, unfit};
use page::Page;
use transport::Transport;

/// Targets of `tracing` that may show a URL, and with it a key, below `warn`.
pub const QUIET: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower"];

/// How attempts are made.
#[derive(Clone)]
pub struct Terms {
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
    /// JSON, and the clock `now`.
    pub fn new(now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Terms {
        Terms { send: true, readable: false, color: false, now }
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
    /// What was found out of a status page.
    pub learned: Vec<Notice>,
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
    /// An address of this link.
    #[error(
        "`{host}` of sink `{sink}` is an address of this link, where clouds tell machines their credentials; write that of the peer, or add `allow_link_local = true`"
    )]
    LinkLocal {
        /// Which sink.
        sink: SinkName,
        /// Where to.
        host: String,
    },
    /// A file of certificates or of their key cannot be read.
    #[error("cannot read `{key} = \"{path}\"` of sink `{sink}`: {error}")]
    PemRead {
        /// Which sink.
        sink: SinkName,
        /// The key in TOML.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// `client_cert_file` and `client_key_file` do not make a certificate.
    #[error(
        "`client_cert_file = \"{cert}\"` and `client_key_file = \"{key}\"` of sink `{sink}` are not a certificate and its key in PEM form; one has a block `-----BEGIN CERTIFICATE-----`, the other its `-----BEGIN PRIVATE KEY-----`"
    )]
    ClientCert {
        /// Which sink.
        sink: SinkName,
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The proxy is none.
    #[error("the proxy of sink `{0}` is no address of an HTTP proxy; write it as `http://host:port`")]
    Proxy(SinkName),
    /// `ca_file` is no PEM file with certificates.
    #[error(
        "`ca_file = \"{path}\"` of sink `{sink}` holds no certificate in PEM form: a block that begins with `-----BEGIN CERTIFICATE-----`; `openssl x509 -inform der` makes one of a `.der` file"
    )]
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
    /// The key can be had, and is none.
    #[error("sink `{sink}` has no key: {why}")]
    NoKey {
        /// Which sink.
        sink: SinkName,
        /// Why, without the key.
        why: &'static str,
    },
    /// The program is not there, or may not be run.
    #[error("the `command` of sink `{sink}` can not be run: {why}")]
    Program {
        /// Which sink.
        sink: SinkName,
        /// Why.
        why: String,
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

/// A peer that is reached by HTTP.
struct Push {
    peer: Peer,
    /// Most rows in one request.
    unit: usize,
    secrets: Arc<Vec<Secret>>,
    transport: Transport,
    /// Of an Alertmanager.
    heard: Mutex<Heard>,
}

#[derive(Clone)]
enum Way {
    Push(Arc<Push>),
    Page(Arc<Page>),
    Stdout,
    File(Arc<Mutex<Lines>>),
    Exec(Arc<settings::Exec>),
}

/// Makes attempts on a runtime, each in its own task. Never blocks the caller.
pub struct Courier {
    runtime: Handle,
    terms: Terms,
    done: Arc<dyn Fn(Done) + Send + Sync>,
    ways: HashMap<SinkName, Way>,
    /// What is read, and is written by no sink.
    sources: Vec<settings::Source>,
}

impl Courier {
    /// A courier without sinks. `done` is called once for each attempt, on a thread of the runtime.
    pub fn new(runtime: Handle, terms: Terms, done: Arc<dyn Fn(Done) + Send + Sync>) -> Courier {
        Courier { runtime, terms, done, ways: HashMap::new(), sources: Vec::new() }
    }

    /// Learns what is read: the sinks that are attached from now on write none of it.
    pub fn reads(&mut self, sources: &[settings::Source]) {
        self.sources = sources.to_vec();
    }

    /// Learns how to reach `sinks`, or learns it anew. Reads their files, and each secret once, to know that it is
    /// there; it is read again at each attempt.
    ///
    /// # Errors
    /// If one of them can not be used. Then nothing has changed for any.
    pub fn attach(&mut self, sinks: &[settings::Sink]) -> Result<(), AttachError> {
        let ways = (0..sinks.len()).map(|place| Ok((sinks[place].name.clone(), self.way(sinks, place)?)));
        let ways: Vec<_> = ways.collect::<Result<_, AttachError>>()?;
        self.ways.extend(ways);
        Ok(())
    }

    /// The way to the sink at that place.
    fn way(&self, sinks: &[settings::Sink], place: usize) -> Result<Way, AttachError> {
        let sink = &sinks[place];
        match &sink.peer {
            Peer::Stdout => return Ok(Way::Stdout),
            Peer::File(settings) => {
                let others = file::Others::of(sinks, place, &self.sources);
                let why = file::unable(settings).or_else(|| others.taken(settings).map(file::Taken::why));
                if let Some(why) = why.filter(|_| self.terms.send) {
                    tracing::warn!(sink = %sink.name, why, "nothing can be written there as it is");
                }
                return Ok(Way::File(Arc::new(Mutex::new(Lines::new(settings.clone(), others)))));
            }
            Peer::Exec(exec) => {
                // A program that is not there is found out now too.
                let unable = exec::unable(exec).filter(|_| self.terms.send);
                let refused = |why| AttachError::Program { sink: sink.name.clone(), why };
                return unable.map_or_else(|| Ok(Way::Exec(Arc::new(exec.clone()))), |why| Err(refused(why)));
            }
            _ => {}
        }
        let keyless = |error| AttachError::Key { sink: sink.name.clone(), error };
        let secrets: Vec<Secret> =
            sink.secrets.iter().map(|(name, from)| Secret::new(name, from.clone())).collect();
        // A sink that could never send anything is found out now, and not with the first alert.
        let known = match self.terms.send {
            true => read(&secrets).map_err(keyless)?,
            false => read(&secrets).unwrap_or_default(),
        };
        if let Some((_, why)) = sink::wrong_secret(&sink.peer, &known).filter(|_| self.terms.send) {
            return Err(AttachError::NoKey { sink: sink.name.clone(), why });
        }
        if self.terms.send {
            secrets
                .iter()
                .filter_map(Secret::exposed)
                .for_each(|why| tracing::warn!(sink = %sink.name, why, "a key is not well kept"));
        }
        let transport = Transport::new(sink, &known, (self.terms.now)())?;
        let secrets = Arc::new(secrets);
        if let Peer::StatusPage(settings) = &sink.peer {
            let _inside = self.runtime.enter();
            return Ok(Way::Page(Arc::new(Page::new(settings.clone(), secrets, transport))));
        }
        let unit = sink::limits(sink).unit.max(1);
        let (peer, heard) = (sink.peer.clone(), Mutex::default());
        Ok(Way::Push(Arc::new(Push { peer, unit, secrets, transport, heard })))
    }

    /// True if a secret of the sink is not the one last used, or is missing for another reason: release its queue. Blocks on
    /// their files.
    pub fn key_changed(&self, sink: &SinkName) -> bool {
        let secrets = match self.ways.get(sink) {
            Some(Way::Push(push)) => &push.secrets,
            Some(Way::Page(page)) => page.secrets(),
            Some(Way::Stdout | Way::File(_) | Way::Exec(_)) | None => return false,
        };
        secrets.iter().any(Secret::changed)
    }

    /// Makes the attempt. Everything the queue emitted with it must be durable. A sign of life is sent the same
    /// way, as an attempt of its own with an id no queue knows, such as 0.
    pub fn send(&self, attempt: Attempt) {
        let (id, sink, rows) = (attempt.id, attempt.sink.clone(), attempt.deliveries.len());
        let way = self.ways.get(&sink).cloned();
        let (terms, done) = (self.terms.clone(), Arc::clone(&self.done));
        let work = self.runtime.spawn(async move {
            let outcomes = match way {
                Some(Way::Push(push)) => push_all(&push, &attempt, &terms).await,
                Some(Way::Page(page)) => return page.tell(&attempt, &terms).await,
                Some(Way::Stdout) => write_all(attempt, terms).await,
                Some(Way::File(lines)) => append_all(lines, attempt).await,
                Some(Way::Exec(exec)) => tell_all(&exec, &attempt).await,
                None => same(rows, &retry("the sink is not in the settings any more")),
            };
            (outcomes, Vec::new())
        });
        self.runtime.spawn(async move {
            // A task that panicked has an outcome too, or its rows would be in flight for ever.
            let failed = |_| (same(rows, &retry("the attempt failed inside tripline")), Vec::new());
            let (outcomes, learned) = work.await.unwrap_or_else(failed);
            done(Done { attempt: id, sink, outcomes, learned });
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

async fn append_all(lines: Arc<Mutex<Lines>>, attempt: Attempt) -> Vec<Outcome> {
    // A disk may take as long as it likes.
    let rows = attempt.deliveries.clone();
    let written = tokio::task::spawn_blocking(move || {
        lines.lock().unwrap_or_else(PoisonError::into_inner).write(&rows)
    });
    let rows = &attempt.deliveries;
    let failed = |_| same(rows.len(), &retry("writing failed inside tripline"));
    let outcomes = written.await.unwrap_or_else(failed);
    rows.iter().zip(&outcomes).for_each(|(row, outcome)| log(&attempt, row, outcome, None, None));
    outcomes
}

async fn tell_all(exec: &settings::Exec, attempt: &Attempt) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(attempt.deliveries.len());
    for row in &attempt.deliveries {
        let (outcome, ended) = exec::tell(exec, row).await;
        log(attempt, row, &outcome, ended.status(), None);
        outcomes.push(outcome);
    }
    outcomes
}

fn rendered(rows: &[Delivery], terms: &Terms) -> String {
    let line = |row: &Delivery| match terms.readable {
        true => stdout::content_line(&row.content, terms.color),
        false => stdout::content_json(&row.content),
    };
    rows.iter().map(|row| line(row) + "\n").collect()
}

/// The secrets as they are now. Blocks on their files.
fn read(secrets: &[Secret]) -> Result<Secrets, SecretError> {
    let read = secrets.iter().map(|secret| Ok((secret.name(), secret.read()?)));
    Ok(Secrets::new(read.collect::<Result<_, SecretError>>()?))
}

/// The same for an attempt, without blocking; what becomes of it if they can not be had.
async fn secrets_for(secrets: &Arc<Vec<Secret>>, sink: &SinkName) -> Result<Secrets, Outcome> {
    let secrets = Arc::clone(secrets);
    match tokio::task::spawn_blocking(move || read(&secrets)).await {
        Ok(Ok(secrets)) => Ok(secrets),
        Ok(Err(error)) => {
            let why = error.to_string();
            tracing::error!(%sink, why, "sink suspended: no key");
            Err(Outcome::Suspend { why })
        }
        Err(_) => Err(retry("reading the key failed inside tripline")),
    }
}

async fn push_all(push: &Arc<Push>, attempt: &Attempt, terms: &Terms) -> Vec<Outcome> {
    let secrets = match secrets_for(&push.secrets, &attempt.sink).await {
        Ok(secrets) => secrets,
        Err(outcome) => return same(attempt.deliveries.len(), &outcome),
    };
    if let Some((_, why)) = sink::wrong_secret(&push.peer, &secrets) {
        tracing::error!(sink = %attempt.sink, why, "sink suspended: a secret is of no use");
        return same(attempt.deliveries.len(), &Outcome::Suspend { why: why.to_owned() });
    }
    let mut outcomes = Vec::with_capacity(attempt.deliveries.len());
    // Rows of one request lie side by side; what the peer does not take stands between them as it may.
    for rows in attempt.deliveries.chunk_by(|a, b| sink::takes(&push.peer, a) == sink::takes(&push.peer, b)) {
        if !sink::takes(&push.peer, &rows[0]) {
            let outcome = Outcome::Dead { why: "this type of sink does not take it".to_owned() };
            rows.iter().for_each(|row| log(attempt, row, &outcome, None, None));
            outcomes.extend(same(rows.len(), &outcome));
            continue;
        }
        for rows in rows.chunks(push.unit) {
            let Attempt { shrink, purpose, .. } = *attempt;
            let unit = Unit { rows, secrets: &secrets, shrink, now: (terms.now)(), purpose };
            outcomes.extend(match &push.peer {
                Peer::Alertmanager(settings) => tell_instance(push, settings, attempt, unit, terms).await,
                _ => push_unit(push, attempt, unit, terms).await,
            });
        }
    }
    outcomes
}

/// Says a unit to the peer; one outcome for each row.
async fn push_unit(push: &Push, attempt: &Attempt, unit: Unit<'_>, terms: &Terms) -> Vec<Outcome> {
    let Some(request) = sink::request(&push.peer, unit) else {
        return same(unit.rows.len(), &retry("the sink is not reached by HTTP any more"));
    };
    let added = sink::headers(&push.peer, unit.secrets);
    let (outcomes, status, request_id) = match push.transport.exchange(&request, &added, unit).await {
        Ok(answer) => {
            let unit = Unit { now: (terms.now)(), ..unit };
            let outcomes = sink::classify(&push.peer, unit, &request, &answer);
            (outcomes, Some(answer.status), sink::request_id(&push.peer, &answer))
        }
        Err(error) => {
            let may_be_there = error.may_be_there();
            let outcome = transport::unanswered(error, unit.secrets);
            let of_row = |row| match &outcome {
                Outcome::Retry { why, .. } if may_be_there && sink::says_once(&push.peer, row) => {
                    Outcome::Dead { why: format!("it may have arrived, and is not sent twice: {why}") }
                }
                outcome => outcome.clone(),
            };
            (unit.rows.iter().map(of_row).collect(), None, None)
        }
    };
    for (row, outcome) in unit.rows.iter().zip(&outcomes) {
        log(attempt, row, outcome, status, request_id.as_deref());
    }
    outcomes
}

/// Tells an instance of Alertmanager of a unit. One that may have begun anew hears first that what is over has fired.
async fn tell_instance(
    push: &Push,
    settings: &settings::Alertmanager,
    attempt: &Attempt,
    unit: Unit<'_>,
    terms: &Terms,
) -> Vec<Outcome> {
    let asked = push.transport.exchange(&alertmanager::ask(settings, unit), &[], unit).await;
    // What is wrong with it is found out by what follows.
    let life = asked.map(|answer| alertmanager::life(&answer, (terms.now)())).unwrap_or_default();
    let heard = || push.heard.lock().unwrap_or_else(PoisonError::into_inner);
    let unheard: Vec<_> = heard().unheard(unit, &life).into_iter().cloned().collect();
    if unheard.is_empty() {
        let outcomes = push_unit(push, attempt, unit, terms).await;
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })) {
            heard().took(unit.rows, &life);
        }
        return outcomes;
    }
    let rows: Vec<_> = unheard.iter().collect();
    let request = alertmanager::request_anew(settings, unit, &rows);
    match push.transport.exchange(&request, &[], unit).await {
        Ok(answer) if (200..300).contains(&answer.status) => {
            heard().took_anew(&rows, &life);
            tracing::info!(sink = %attempt.sink, alerts = rows.len(), "an instance may not know of alerts that are over: it is told again that they fire, then of their ends");
            same(unit.rows.len(), &alertmanager::put_off())
        }
        Ok(answer) => alertmanager::classify(unit, &answer),
        Err(error) => same(unit.rows.len(), &transport::unanswered(error, unit.secrets)),
    }
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
        Outcome::Alone { .. } => {
            tracing::warn!(sink, about, number, status, request_id, "delivery refused with others");
        }
        Outcome::Dead { .. } => {
            tracing::error!(sink, about, number, status, request_id, "delivery refused for good");
        }
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod peers_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
