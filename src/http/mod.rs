//! The admin port: the status page and the API below it, health, readiness and metrics.
//!
//! The core publishes a [`View`], plain data, whenever something worth showing has changed: health, readiness and
//! metrics read the newest one and never ask the core. The view holds names from the configuration, numbers, and texts
//! about ourselves. What the page shows besides, alerts with their lines, is asked of the core, once a second at most;
//! for that [`access`] decides who may.
//!
//! | path | answer |
//! |---|---|
//! | `/`, and the files it names | the page |
//! | `/api/v1/…` | what it stands on: `docs/api.md` |
//! | `/healthz` | 200 `ok` while the core loop turns, else 503 and why. A dead sink is no reason |
//! | `/readyz` | 200 once configuration, store and the first sweep are done, 503 while starting and stopping |
//! | `/metrics` | OpenMetrics text |

pub mod access;
pub mod api;
mod door;
mod events;
mod metrics;
mod page;

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use access::Doorkeeper;
use api::{Ask, Core, TryOut};

use crate::admin::Health;
use crate::model::{RuleName, SinkName, SourceName, Status, Timestamp};

/// A core loop that has not turned for this long is taken for dead.
pub const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What the running daemon shows of itself, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// When the process began, on the wall clock.
    pub started: Timestamp,
    /// When the core loop last turned, on the clock that is given to [`serve`].
    pub ticked: Timestamp,
    /// True from the end of the first sweep on.
    pub ready: bool,
    /// True from the request to stop on.
    pub stopping: bool,
    /// What is wrong beyond a single source, each in one sentence.
    pub problems: Vec<String>,
    /// In the order of the configuration.
    pub sources: Vec<SourceView>,
    /// In the order of the ruleset.
    pub rules: Vec<RuleView>,
    /// How many alerts of a rule show a status; `ok` is not counted.
    pub alerts: Vec<(RuleName, Status, u64)>,
    /// In the order of the configuration.
    pub sinks: Vec<SinkView>,
    /// Reloads that changed the rules.
    pub reloads_ok: u64,
    /// Reloads that changed nothing, because something was wrong.
    pub reloads_failed: u64,
    /// True if the rules in force are those on disk; also before the first reload.
    pub last_reload_ok: bool,
    /// Commits that are durable.
    pub commits: u64,
    /// Commits that failed and were offered again.
    pub commit_failures: u64,
    /// What bounds have dropped, by the name of the bound.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Which of it is new.
    pub generations: Generations,
}

impl View {
    /// Why the core loop is taken for dead `now`; `None`: it turns.
    fn stuck(&self, now: Timestamp) -> Option<String> {
        let age = now.since(self.ticked);
        (age >= ALIVE_WITHIN).then(|| format!("the core loop has not turned for {} s", age.as_secs()))
    }

    /// Why it is not ready: it is `starting` or `stopping`; `None`: it is.
    fn unready(&self) -> Option<&'static str> {
        match (self.ready, self.stopping) {
            (_, true) => Some("stopping"),
            (false, false) => Some("starting"),
            (true, false) => None,
        }
    }

    /// What `/readyz` and `/healthz` say together, to whoever asks only once.
    pub fn health(&self, now: Timestamp) -> Health {
        let why = self.unready().map(str::to_owned).or_else(|| self.stuck(now));
        Health { ready: why.is_none(), why }
    }
}

/// Numbers that rise whenever something of a kind has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// Open alerts and silences.
    pub alerts: u64,
    /// Sources.
    pub sources: u64,
    /// Sinks, and what they are owed.
    pub sinks: u64,
    /// Rules, and what they have matched.
    pub rules: u64,
    /// What alerts did.
    pub history: u64,
}

/// One source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceView {
    /// Its name.
    pub name: SourceName,
    /// Files that are followed.
    pub files: u64,
    /// Those of them with unread bytes.
    pub behind_files: u64,
    /// Bytes that are written and not read.
    pub unread_bytes: u64,
    /// Bytes read so far.
    pub read_bytes: u64,
    /// Age of the oldest unread byte in seconds, as far as looks at its files tell; 0 if all is read.
    pub lag_seconds: f64,
    /// Bytes that were gone before they could be read, by how.
    pub lost_bytes: BTreeMap<&'static str, u64>,
    /// Files that were cut or written anew.
    pub truncations: u64,
    /// Files that were not found again or were given up.
    pub lost_files: u64,
    /// Those of its files that are behind, can not be read or have lost bytes: the worst, of bounded number.
    pub worst: Vec<FileView>,
    /// Lines longer than the cap, matched in part.
    pub cut_lines: u64,
    /// Records that have as many lines or bytes as they may have.
    pub cut_records: u64,
    /// Lines of which fields were wanted and that are not of the source's format.
    pub unparsed_lines: u64,
    /// Lines without the envelope of their source.
    pub bare_lines: u64,
    /// What is wrong with it, each in one sentence.
    pub problems: Vec<String>,
}

/// One file that is worth a line.
#[derive(Clone, Debug, PartialEq)]
pub struct FileView {
    /// Its name, harmless.
    pub path: String,
    /// Bytes that are written and not read.
    pub unread_bytes: u64,
    /// Age of the oldest of them in seconds.
    pub lag_seconds: f64,
    /// Bytes that were gone before they could be read.
    pub lost_bytes: u64,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleView {
    /// Its name.
    pub name: RuleName,
    /// Lines on which its patterns were tried.
    pub tried: u64,
    /// Records that fit `match`.
    pub matches: u64,
    /// Records that fit `resolve`.
    pub recoveries: u64,
    /// Keys it holds now.
    pub keys: u64,
    /// Matches of which `where` does not hold.
    pub dismissed: u64,
    /// Matches without a number where one is to be compared.
    pub unreadable: u64,
    /// Matches whose value stands for no status of a change.
    pub unknown_status: u64,
    /// Changes of which nobody was told, because their lines were found so late.
    pub stale_changes: u64,
    /// Matches that came after their window was decided.
    pub late: u64,
    /// Matches folded because there were too many keys.
    pub overflow: u64,
    /// Keys with matches in their window that were forgotten because there were too many keys.
    pub forgotten: u64,
}

/// One sink.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkView {
    /// Its name.
    pub name: SinkName,
    /// Deliveries that are owed.
    pub queued: u64,
    /// Age of the oldest of them in seconds; 0 if there is none.
    pub oldest_seconds: f64,
    /// Why nothing is sent, without secrets; `None`: it works.
    pub suspended: Option<String>,
    /// Attempts so far, by the name of their outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Deliveries that lie in the dead letters.
    pub dead: u64,
    /// Deliveries that were folded instead of sent.
    pub folded: u64,
    /// Deliveries that were given up because they had become too old.
    pub expired: u64,
    /// Words about changes that came after later ones and were not told.
    pub late_changes: u64,
}

/// What is shown, and to whom.
#[derive(Clone)]
struct Shown {
    view: watch::Receiver<Arc<View>>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    core: Arc<Core>,
    keeper: Doorkeeper,
    listeners: Arc<Semaphore>,
}

/// What the admin port is made of.
pub struct Parts {
    /// What is shown without asking.
    pub view: watch::Receiver<Arc<View>>,
    /// The clock that [`View::ticked`] is read from.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How the core is asked.
    pub ask: Ask,
    /// The playground.
    pub try_out: TryOut,
    /// Who may ask.
    pub keeper: Doorkeeper,
}

/// Answers on `listener` until `stop` ends, then finishes what it has begun (at most 10 s).
///
/// At most 64 connections are served at a time; the next one takes the place of whoever has not asked yet. Each is for one request with at most 8 KiB
/// of headers and 64 KiB behind them, and is cut 10 s after it was accepted, or after 5 min if it listens to what
/// happens, which 16 may at a time.
///
/// # Errors
/// If the listener has no address; an accept that fails is tried again after a second.
pub async fn serve(
    listener: TcpListener,
    parts: Parts,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let Parts { view, now, ask, try_out, keeper } = parts;
    let core = Arc::new(Core::new(ask, try_out));
    let listeners = Arc::new(Semaphore::new(events::LISTENERS));
    let shown = Shown { view, now, core, keeper, listeners };
    let door = door::Door::new(listener);
    axum::serve(door, routes(shown).into_make_service_with_connect_info::<door::Local>())
        .with_graceful_shutdown(stop)
        .await
}

fn routes(shown: Shown) -> Router {
    let mut routes = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/api/v1/access", get(api::access))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/rules", get(api::activity))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/sinks", get(api::sinks))
        .route("/api/v1/outbox", get(api::outbox))
        .route("/api/v1/events", get(events::listen))
        .route("/api/v1/try", post(api::try_out))
        .route("/api/v1/alerts/resolve", post(api::resolve))
        .route("/api/v1/silences", post(api::silence))
        .route("/api/v1/silences/{id}", delete(api::unsilence))
        .route("/api/v1/outbox/retry", post(api::retry))
        .route("/api/v1/outbox/drop", post(api::drop_letters))
        .route("/api/{*path}", axum::routing::any(api::unknown));
    for asset in page::ASSETS {
        routes = routes.route(asset.path, get(async || asset.answer()));
    }
    routes
        .with_state(shown.clone())
        .layer(DefaultBodyLimit::max(door::BODY_BYTES))
        .layer(middleware::from_fn_with_state(shown, guard))
}

async fn health(State(shown): State<Shown>) -> Response {
    probe(shown.view.borrow().stuck((shown.now)()))
}

async fn ready(State(shown): State<Shown>) -> Response {
    probe(shown.view.borrow().unready())
}

/// The answer to a probe: all is well, or it is not, and why.
fn probe(fault: Option<impl Display>) -> Response {
    match fault {
        None => "ok\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn scrape(State(shown): State<Shown>) -> Response {
    let view = shown.view.borrow().clone();
    let text = metrics::text(view, (shown.now)());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

/// What the page may do: ask us, and nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Bytes that are read behind headers.
const MOST_SENT: u64 = door::BODY_BYTES as u64;

/// What holds for every path: who may ask, and what a browser may do with the answer.
async fn guard(
    State(shown): State<Shown>,
    ConnectInfo(local): ConnectInfo<door::Local>,
    request: Request,
    next: Next,
) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let is_stranger = |host: &&[u8]| !shown.keeper.is_ours(host, local.address);
    let of_api = request.uri().path().starts_with("/api/");
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let is_long = length.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length > MOST_SENT);
    let mut answer = match hosts.chain(target).find(is_stranger) {
        None if is_long => {
            (StatusCode::PAYLOAD_TOO_LARGE, format!("at most {MOST_SENT} bytes are read\n")).into_response()
        }
        None if of_api => match api::refuse_others(request.headers()) {
            Some(refused) => refused,
            None => next.run(request).await,
        },
        None => next.run(request).await,
        Some(_) => {
            let mut why = String::from("ask by a loopback name or by the address that is listened on");
            if let Some(local) = local.address {
                let _ = write!(why, ", such as {local}");
            }
            (StatusCode::FORBIDDEN, why + "; `hosts` in `[admin]` allows other names\n").into_response()
        }
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A connection is counted against its limits for one request.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use std::net::SocketAddr;
    use std::pin::Pin;

    use secrecy::SecretString;

    use super::*;
    use crate::admin::outbox::Letters;
    use crate::admin::{Answer, Question};

    struct Running {
        address: SocketAddr,
        view: watch::Sender<Arc<View>>,
        stop: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<io::Result<()>>,
        asked: Arc<std::sync::Mutex<Vec<Question>>>,
    }

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    /// A server at second 100 whose core loop turned at that moment, and whose token is [`TOKEN`] if it has one.
    async fn run_with(token: bool) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let now = Timestamp::from_secs(100);
        let (view, shown) = watch::channel(Arc::new(View { ticked: now, ready: true, ..View::default() }));
        let (stop, stopped) = oneshot::channel();
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let questions = Arc::clone(&asked);
        let answer = move |question: Question| -> Pin<Box<dyn Future<Output = Answer> + Send>> {
            let answer = match &question {
                Question::Status => Answer::Status(Box::default()),
                Question::Activity => Answer::Activity(Box::default()),
                Question::History => Answer::History(Box::default()),
                Question::Sinks => Answer::Sinks(Vec::new()),
                Question::Outbox => Answer::Outbox(Box::default()),
                Question::Retry(_) | Question::Drop(_) => Answer::Letters(Letters::default()),
                Question::Unsilence(7) => Answer::Unsilenced(None),
                question => Answer::Refused(format!("{question:?}")),
            };
            questions.lock().unwrap().push(question);
            Box::pin(std::future::ready(answer))
        };
        let read: Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync> =
            Arc::new(|| Ok(SecretString::from(TOKEN)));
        let parts = Parts {
            view: shown,
            now: Arc::new(move || now),
            ask: Arc::new(answer),
            try_out: Arc::new(|sent| Ok(format!("{{\"bytes\":{}}}", sent.len()))),
            keeper: Doorkeeper { hosts: Arc::from([]), token: token.then_some(read) },
        };
        let served = tokio::spawn(serve(listener, parts, async {
            let _ = stopped.await;
        }));
        Running { address, view, stop, served, asked }
    }

    async fn run() -> Running {
        run_with(true).await
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        peer.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn check(address: SocketAddr, request: &str, status: u16, body: &str) {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
        let (head, said) = answer.split_once("\r\n\r\n").unwrap();
        assert!(said.contains(body) && said.is_empty() == body.is_empty(), "{request:?}: {answer}");
        for header in ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff"] {
            assert!(head.contains(header), "{request:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn paths_and_methods() {
        let running = run().await;
        for (line, status, body) in [
            ("GET /", 200, "<!doctype html>"),
            ("GET /app.js", 200, "fetch"),
            ("GET /favicon.svg", 200, "<svg"),
            ("GET /index.html", 404, ""),
            ("GET /api/v1/status", 200, "\"alerts\":[]"),
            ("GET /api/v1/rules", 200, "\"rules\":[]"),
            ("GET /api/v1/history", 200, "\"transitions\":[]"),
            ("GET /api/v1/sinks", 200, "\"sinks\":[]"),
            ("GET /api/v1/outbox", 200, "\"dead\":[]"),
            ("GET /api/v1/access", 200, "\"may_write\":false"),
            ("GET /api/v2/status", 404, "no such path"),
            ("GET /api/v1/../../etc/passwd", 404, "no such path"),
            ("POST /api/v1/status", 405, ""),
            ("GET /healthz", 200, "ok\n"),
            ("GET /readyz", 200, "ok\n"),
            ("GET /metrics", 200, "# EOF\n"),
            ("GET /metrics?x=1", 200, "# EOF\n"),
            ("HEAD /healthz", 200, ""),
            ("HEAD /metrics", 200, ""),
            ("POST /healthz", 405, ""),
            ("DELETE /", 405, ""),
            ("OPTIONS /metrics", 405, ""),
            ("TRACE /metrics", 405, ""),
            ("GET /debug/pprof", 404, ""),
            ("GET //healthz", 404, ""),
            ("GET /healthz/", 404, ""),
            ("GET /../etc/passwd", 404, ""),
            ("POST /nothing", 404, ""),
        ] {
            check(running.address, &format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n"), status, body)
                .await;
        }
    }

    /// Every path that is answered, read off the text above: one that is added is looked at too.
    fn paths() -> Vec<String> {
        let above = include_str!("mod.rs").split("#[cfg(test)]").next().unwrap_or_default();
        let routed = above.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default());
        let paths = routed.chain(page::ASSETS.iter().map(|asset| asset.path));
        paths.map(|path| path.replace("{id}", "7").replace("{*path}", "x")).collect()
    }

    #[tokio::test]
    async fn whatever_is_answered_a_browser_is_told_what_it_may_do_with_it() {
        let running = run().await;
        let paths = paths();
        assert!(paths.len() > 20 && paths.iter().any(|path| path == "/api/v1/outbox/drop"), "{paths:?}");
        for path in paths.iter().map(String::as_str).chain(["/nothing", "//", "/api/v1/silences/%3Cb%3E"]) {
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
                for headers in [
                    "Host: localhost",
                    "Host: evil.example",
                    "Host: localhost\r\nOrigin: http://evil.example",
                ] {
                    let mut peer = TcpStream::connect(running.address).await.unwrap();
                    let request =
                        format!("{method} {path} HTTP/1.1\r\n{headers}\r\nContent-Length: 0\r\n\r\n");
                    peer.write_all(request.as_bytes()).await.unwrap();
                    // One of them never ends.
                    let mut answer = Vec::new();
                    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
                        assert_ne!(peer.read_buf(&mut answer).await.unwrap(), 0, "{request:?}");
                    }
                    let answer = String::from_utf8_lossy(&answer);
                    for header in [
                        &*format!("content-security-policy: {POLICY}\r\n"),
                        "x-content-type-options: nosniff\r\n",
                    ] {
                        assert!(answer.contains(header), "{request:?}: {answer}");
                    }
                }
            }
        }
        let is_lax = ["-inline", "-eval", "*", "data:", "http"].iter().any(|word| POLICY.contains(word));
        assert!(!is_lax && POLICY.starts_with("default-src 'none';"), "{POLICY}");
    }

    #[tokio::test]
    async fn metrics_name_their_type() {
        let running = run().await;
        let answer = ask(running.address, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(
            answer
                .contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n")
        );
    }

    #[tokio::test]
    async fn only_who_asks_by_our_own_address_is_answered() {
        let running = run().await;
        let port = running.address.port();
        for (host, status) in [
            ("localhost", 200),
            ("LocalHost:1", 200),
            ("127.0.0.1", 200),
            (&format!("127.0.0.1:{port}"), 200),
            ("127.9.9.9", 200),
            ("[::1]:80", 200),
            ("[::ffff:127.0.0.1]", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example", 403),
            ("evil.example:7437", 403),
            ("localhost@evil.example", 403),
            ("evil.example@localhost", 403),
            ("0.0.0.0", 403),
            ("[::]", 403),
            ("10.0.0.1", 403),
            ("2130706433", 403),
            ("", 403),
            ("localhost, evil.example", 403),
            ("localhost\r\nHost: evil.example", 403),
        ] {
            let answer =
                ask(running.address, &format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host:?}: {answer}");
        }
        check(running.address, "GET /nothing HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "127.0.0.1").await;
        check(running.address, "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, "ask by")
            .await;
        let answer = ask(running.address, "GET /healthz HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    }

    /// All that changes something, with what may be sent to it.
    const CHANGES: [(&str, &str, &str); 5] = [
        ("POST", "/api/v1/alerts/resolve", r#"{"which":"a"}"#),
        ("POST", "/api/v1/silences", r#"{"terms":["rule=a"],"seconds":60}"#),
        ("DELETE", "/api/v1/silences/7", ""),
        ("POST", "/api/v1/outbox/retry", r#"{"numbers":[1]}"#),
        ("POST", "/api/v1/outbox/drop", r#"{"numbers":[1]}"#),
    ];

    fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
        let len = body.len();
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len}\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn nothing_is_changed_without_the_token() {
        let (running, without) = (run().await, run_with(false).await);
        let json = "Content-Type: application/json\r\n";
        for (method, path, body) in CHANGES {
            for headers in [
                String::new(),
                json.to_owned(),
                format!("{json}Authorization: Bearer x\r\n"),
                format!("{json}Cookie: token={TOKEN}\r\n"),
                format!("{json}Authorization: Basic {TOKEN}\r\n"),
            ] {
                let asked = request(method, path, &headers, body);
                check(running.address, &asked, 401, "changes need the token").await;
            }
            let headers = format!("{json}Authorization: Bearer {TOKEN}\r\n");
            check(without.address, &request(method, path, &headers, body), 403, "set `token_file`").await;
            // What a form, or the script of another page, can send.
            let form = format!("Content-Type: text/plain\r\nAuthorization: Bearer {TOKEN}\r\n");
            if method == "POST" {
                check(running.address, &request(method, path, &form, body), 415, "has to be JSON").await;
            }
            let other = format!("{headers}Origin: http://evil.example\r\n");
            check(running.address, &request(method, path, &other, body), 403, "another page").await;
            let other = format!("{headers}Sec-Fetch-Site: cross-site\r\n");
            check(running.address, &request(method, path, &other, body), 403, "another page").await;
        }
        assert!(running.asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn with_the_token_the_core_is_asked_to_do_it() {
        let running = run().await;
        let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {TOKEN}\r\n");
        let expected = [
            (422, "Resolve(Resolve { which: Some"),
            (422, "After(60)"),
            (404, "no such silence"),
            (200, "\"done\":[]"),
            (200, "\"done\":[]"),
        ];
        for ((method, path, body), (status, said)) in CHANGES.into_iter().zip(expected) {
            check(running.address, &request(method, path, &headers, body), status, said).await;
        }
        assert_eq!(running.asked.lock().unwrap().len(), CHANGES.len());
        check(running.address, &request("DELETE", "/api/v1/silences/x", &headers, ""), 404, "number").await;
        // What is misspelt would mean less, and so more alerts.
        for (path, sent) in [
            ("alerts/resolve", r#"{"rule":"disk","all":true}"#),
            ("outbox/drop", r#"{"number":[1],"all":true}"#),
            ("silences", r#"{"terms":["a=b"],"seconds":60,"coment":"x"}"#),
        ] {
            let sent = request("POST", &format!("/api/v1/{path}"), &headers, sent);
            check(running.address, &sent, 422, "unknown field `").await;
        }
        check(running.address, &request("POST", "/api/v1/silences", &headers, "{"), 422, "not understood")
            .await;
    }

    #[tokio::test]
    async fn the_core_is_asked_once_in_a_while_however_many_ask() {
        let running = run().await;
        for _ in 0..5 {
            check(running.address, &request("GET", "/api/v1/status", "", ""), 200, "alerts").await;
        }
        assert_eq!(running.asked.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_page_is_told_when_something_is_new() {
        let running = run().await;
        let mut peer = TcpStream::connect(running.address).await.unwrap();
        peer.write_all(request("GET", "/api/v1/events", "", "").as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains("\"history\":0,") {
            assert_ne!(peer.read_buf(&mut heard).await.unwrap(), 0);
        }
        let generations = Generations { history: 3, ..Generations::default() };
        running.view.send_replace(Arc::new(View { generations, ..View::default() }));
        while !String::from_utf8_lossy(&heard).contains("\"history\":3,") {
            assert_ne!(peer.read_buf(&mut heard).await.unwrap(), 0);
        }
        let heard = String::from_utf8_lossy(&heard);
        assert!(
            heard.contains("\r\ncontent-type: text/event-stream")
                && heard.contains("event: changed\ndata: {")
        );
    }

    #[tokio::test]
    async fn what_is_tried_out_is_handed_over_whole() {
        let running = run().await;
        let json = "Content-Type: application/json\r\n";
        let asked = request("POST", "/api/v1/try", json, r#"{"rules":""}"#);
        check(running.address, &asked, 200, "{\"bytes\":12}").await;
        check(running.address, &request("POST", "/api/v1/try", "", "{}"), 415, "has to be JSON").await;
    }

    #[tokio::test]
    async fn health_is_the_core_loop_and_readiness_is_start_and_stop() {
        let running = run().await;
        let second = Timestamp::from_secs;
        for (ticked, ready, stopping, health, readiness) in [
            (second(100), true, false, (200, "ok\n"), (200, "ok\n")),
            (second(91), true, false, (200, "ok\n"), (200, "ok\n")),
            (second(90), true, false, (503, "not turned for 10 s"), (200, "ok\n")),
            (second(101), true, false, (200, "ok\n"), (200, "ok\n")),
            (second(100), false, false, (200, "ok\n"), (503, "starting\n")),
            (second(100), true, true, (200, "ok\n"), (503, "stopping\n")),
        ] {
            let view = View { ticked, ready, stopping, ..View::default() };
            let answered = view.health(second(100));
            assert_eq!(answered.ready, health.0 == 200 && readiness.0 == 200, "{answered:?}");
            let said = [health, readiness].map(|(_, said)| said.trim_end());
            let why = answered.why.as_deref().unwrap_or("ok");
            assert!(said.iter().any(|said| why.contains(said)), "{why}");
            running.view.send_replace(Arc::new(view));
            let request = |path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            check(running.address, &request("/healthz"), health.0, health.1).await;
            check(running.address, &request("/readyz"), readiness.0, readiness.1).await;
        }
    }

    #[tokio::test]
    async fn a_request_that_is_too_large_or_no_request_is_not_answered_with_success() {
        let running = run().await;
        let mut peer = TcpStream::connect(running.address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(9000));
        // The server may close while this is still being sent.
        let _ = peer.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = peer.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
        let answer = ask(running.address, "\u{0}\u{1b}[2J\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        check(running.address, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "tripline").await;
        let body = "x".repeat(door::BODY_BYTES + 1);
        let request = format!(
            "POST /api/v1/try HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        check(running.address, &request, 413, "at most 65536 bytes").await;
    }

    #[tokio::test]
    async fn a_connection_serves_one_request() {
        let running = run().await;
        let one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let answer = ask(running.address, &one.repeat(2)).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn it_ends_when_it_is_told_to() {
        let running = run().await;
        running.stop.send(()).unwrap();
        running.served.await.unwrap().unwrap();
        TcpStream::connect(running.address).await.unwrap_err();
    }
}
