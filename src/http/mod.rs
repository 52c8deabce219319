//! The admin port: health, readiness and metrics, read only.
//!
//! The core publishes a [`View`], plain data, whenever something worth showing has changed; a request reads the
//! newest one and never asks the core, so nobody who connects can slow it down. Nothing here knows a secret: a view
//! holds names from the configuration, numbers, and texts about ourselves.
//!
//! | path | answer |
//! |---|---|
//! | `/` | one line that says what this is |
//! | `/healthz` | 200 `ok` while the core loop turns, else 503 and why. A dead sink is no reason |
//! | `/readyz` | 200 once configuration, store and the first sweep are done, 503 while starting and stopping |
//! | `/metrics` | OpenMetrics text |
//!
//! A browser can be made to ask any address in somebody's name (DNS rebinding), so a `Host` must be a loopback name
//! or the very address that was connected to.

mod door;
mod metrics;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::model::{RuleName, SinkName, SourceName, Status, Timestamp};

/// A core loop that has not turned for this long is taken for dead.
pub const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What the running daemon shows of itself, at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
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
}

/// One source.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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

#[derive(Clone)]
struct Shown {
    view: watch::Receiver<Arc<View>>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Answers on `listener` until `stop` ends, then finishes what it has begun (at most 10 s).
///
/// `now` is the clock that [`View::ticked`] is read from. At most 64 connections are served at a time, the next wait
/// to be accepted; each is for one request of at most 8 KiB and is cut 10 s after it was accepted.
///
/// # Errors
/// If the listener has no address; an accept that fails is tried again after a second.
pub async fn serve(
    listener: TcpListener,
    view: watch::Receiver<Arc<View>>,
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/", get(index))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .with_state(Shown { view, now: Arc::new(now) })
        .layer(middleware::from_fn(guard));
    let door = door::Door::new(listener);
    axum::serve(door, routes.into_make_service_with_connect_info::<door::Local>())
        .with_graceful_shutdown(stop)
        .await
}

async fn index() -> &'static str {
    concat!(
        "tripline ",
        env!("CARGO_PKG_VERSION"),
        ": a log line trips an alert. /healthz /readyz /metrics\n"
    )
}

async fn health(State(shown): State<Shown>) -> Response {
    let ticked = shown.view.borrow().ticked;
    let age = (shown.now)().since(ticked);
    if age < ALIVE_WITHIN {
        "ok\n".into_response()
    } else {
        let why = format!("the core loop has not turned for {} s\n", age.as_secs());
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
    }
}

async fn ready(State(shown): State<Shown>) -> Response {
    let (ready, stopping) = {
        let view = shown.view.borrow();
        (view.ready, view.stopping)
    };
    match (ready, stopping) {
        (_, true) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
        (true, false) => "ok\n".into_response(),
    }
}

async fn scrape(State(shown): State<Shown>) -> Response {
    let view = shown.view.borrow().clone();
    let text = metrics::text(view, (shown.now)());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

/// What holds for every path: who may ask, and what a browser may do with the answer.
async fn guard(ConnectInfo(local): ConnectInfo<door::Local>, request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut answer = match hosts.chain(target).find(|host| !is_ours(host, local.0)) {
        None => next.run(request).await,
        Some(_) => {
            let mut why = String::from("ask by a loopback name or by the address that is listened on");
            if let Some(local) = local.0 {
                let _ = write!(why, ", such as {local}");
            }
            (StatusCode::FORBIDDEN, why + "\n").into_response()
        }
    };
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A connection is counted against its limits for one request.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// True if `host` (a `Host` header: name or address, maybe with a port) is a loopback name or address, or the
/// address `local` that was connected to. The port is not looked at: forwarding changes it.
fn is_ours(host: &[u8], local: Option<SocketAddr>) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => name.parse(),
    };
    let Ok(address) = address.map(|address: IpAddr| address.to_canonical()) else { return false };
    address.is_loopback() || local.is_some_and(|local| local.ip().to_canonical() == address)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    struct Running {
        address: SocketAddr,
        view: watch::Sender<Arc<View>>,
        stop: oneshot::Sender<()>,
        served: tokio::task::JoinHandle<io::Result<()>>,
    }

    /// A server at second 100 whose core loop turned at that moment.
    async fn run() -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let now = Timestamp::from_secs(100);
        let (view, shown) = watch::channel(Arc::new(View { ticked: now, ready: true, ..View::default() }));
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, shown, move || now, async {
            let _ = stopped.await;
        }));
        Running { address, view, stop, served }
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
            ("GET /", 200, "a log line trips an alert"),
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

    #[test]
    fn the_address_that_was_connected_to_is_ours() {
        let local = |text: &str| Some(text.parse().unwrap());
        for (host, local, ours) in [
            ("10.0.0.7:7437", local("10.0.0.7:7437"), true),
            ("10.0.0.7", local("[::ffff:10.0.0.7]:7437"), true),
            ("[fd00::1]:9", local("[fd00::1]:7437"), true),
            ("10.0.0.8", local("10.0.0.7:7437"), false),
            ("10.0.0.7", None, false),
        ] {
            assert_eq!(is_ours(host.as_bytes(), local), ours, "{host} at {local:?}");
        }
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
            running.view.send_replace(Arc::new(View { ticked, ready, stopping, ..View::default() }));
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
