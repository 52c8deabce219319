//! Peers behind TLS, right and wrong. What a wrong one gets is counted: not one byte of a request.
#![expect(clippy::disallowed_methods, reason = "certificates and their keys of these tests are files")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::tests::{AMPLE, attempt, courier, sink};
use super::*;

const ANSWER: &str = r#"{"request_id":"0acef4","data":{"alert_key":"r:01"}}"#;

/// A certificate authority of our own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate that an authority gave, and its key.
struct Given {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// For that host, from one year to another.
    fn give(&self, host: &str, years: [i32; 2]) -> Given {
        let key = KeyPair::generate().unwrap();
        let certificate = params(host, years).signed_by(&key, &self.issuer).unwrap();
        Given { certificate, key }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        Arc::new(roots)
    }
}

fn params(host: &str, [from, to]: [i32; 2]) -> CertificateParams {
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    params
}

impl Given {
    fn chain(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        (vec![self.certificate.der().clone()], key)
    }

    fn server(&self) -> ServerConfig {
        let (chain, key) = self.chain();
        builder(&TLS13).with_no_client_auth().with_single_cert(chain, key).unwrap()
    }
}

fn builder(
    version: &'static SupportedProtocolVersion,
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
}

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// Bytes below TLS.
    bytes: AtomicUsize,
    requests: AtomicUsize,
    /// Requests over HTTP/2.
    streams: AtomicUsize,
    /// Bytes of a header that answers over HTTP/2 have.
    head: AtomicUsize,
}

impl Seen {
    fn counts(&self) -> [usize; 4] {
        [&self.connections, &self.bytes, &self.requests, &self.streams]
            .map(|count| count.load(Ordering::SeqCst))
    }
}

/// A server on this machine: its port and what it saw. Takes every request and keeps connections open.
async fn serve(config: ServerConfig) -> (u16, Arc<Seen>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, acceptor) = (Arc::<Seen>::default(), TlsAcceptor::from(Arc::new(config)));
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            all.connections.fetch_add(1, Ordering::SeqCst);
            let (seen, acceptor) = (Arc::clone(&all), acceptor.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => serve_h2(stream, &seen).await,
                    _ => serve_h1(stream, &seen).await,
                }
            });
        }
    });
    (port, seen)
}

async fn serve_h1(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen) {
    let mut got = Vec::new();
    while let Ok(read @ 1..) = stream.read_buf(&mut got).await {
        seen.bytes.fetch_add(read, Ordering::SeqCst);
        let text = String::from_utf8_lossy(&got).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (_, length) = head.split_once("content-length: ").unwrap();
        if body.len() < length.lines().next().unwrap().parse().unwrap() {
            continue;
        }
        got.clear();
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ANSWER}", ANSWER.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn serve_h2(stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_request, mut answer))) = connection.accept().await {
        seen.streams.fetch_add(1, Ordering::SeqCst);
        let mut head = axum::http::Response::new(());
        let long = "y".repeat(seen.head.load(Ordering::SeqCst)).parse().unwrap();
        head.headers_mut().insert("x", long);
        answer.send_response(head, false).unwrap().send_data(ANSWER.into(), true).unwrap();
    }
}

/// Trusts only that authority, and writes its certificate into `dir`.
fn trusting(authority: &Authority, dir: &tempfile::TempDir, url: &str) -> settings::Sink {
    let path: PathBuf = dir.path().join("ca.pem");
    std::fs::write(&path, authority.certificate.pem()).unwrap();
    let mut sink = sink(url);
    sink.http.ca_file = Some(path);
    sink
}

async fn outcome(sink: &settings::Sink) -> Outcome {
    let (courier, mut done) = courier(sink, AMPLE);
    courier.send(attempt());
    done.recv().await.unwrap().outcomes.remove(0)
}

/// Sends to `host` where that server is; the outcome begins so, and not one byte of the request arrived.
async fn refuses(host: &str, server: ServerConfig, authority: &Authority, only: bool, expected: &str) {
    let (port, seen) = serve(server).await;
    let dir = tempfile::tempdir().unwrap();
    let mut sink = trusting(authority, &dir, &format!("https://{host}:{port}"));
    sink.http.ca_only = only;
    let outcome = format!("{:?}", outcome(&sink).await);
    assert!(outcome.contains(expected) && !outcome.contains("CANARY"), "{host}: {outcome}");
    let [connections, bytes, requests, streams] = seen.counts();
    assert!(connections >= 1, "nobody came");
    assert_eq!([bytes, requests, streams], [0; 3], "{host}: {outcome}");
}

const NOW: [i32; 2] = [2020, 2120];

#[tokio::test]
async fn a_certificate_that_does_not_fit_suspends_and_not_one_byte_of_the_request_is_sent() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let suspended = "Suspend { why: \"error sending request";
    for only in [true, false] {
        refuses("localhost", own.give("example.com", NOW).server(), &own, only, suspended).await;
        refuses("127.0.0.1", own.give("localhost", NOW).server(), &own, only, suspended).await;
        refuses("localhost", own.give("localhost", [2020, 2021]).server(), &own, only, suspended).await;
        refuses("localhost", own.give("localhost", [2120, 2121]).server(), &own, only, suspended).await;
        let stranger = "no authority that this sink trusts has signed it; `ca_file`";
        refuses("localhost", other.give("localhost", NOW).server(), &own, only, stranger).await;
        let key = KeyPair::generate().unwrap();
        let certificate = params("localhost", NOW).self_signed(&key).unwrap();
        refuses("localhost", Given { certificate, key }.server(), &own, only, suspended).await;
    }
}

#[tokio::test]
async fn a_server_that_knows_no_such_name_gets_nothing() {
    let own = Authority::new("own");
    let (chain, key) = own.give("example.com", NOW).chain();
    let mut names = ResolvesServerCertUsingSni::new();
    names.add("example.com", CertifiedKey::new(chain, any_supported_type(&key).unwrap())).unwrap();
    let server = builder(&TLS13).with_no_client_auth().with_cert_resolver(Arc::new(names));
    refuses("localhost", server, &own, true, "why: \"error sending request").await;
}

#[tokio::test]
async fn what_is_no_tls_is_tried_again_and_gets_no_request() {
    for garbage in
        [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"\x16\x03\x03\xff\xff", b"\x15\x03\x03\x00\x02\x02\x28", b""]
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            stream.read_buf(&mut got).await.unwrap();
            stream.write_all(garbage).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut got).await;
            got
        });
        let outcome = format!("{:?}", outcome(&sink(&format!("https://localhost:{port}"))).await);
        assert!(outcome.starts_with("Retry") && !outcome.contains("CANARY"), "{outcome}");
        let got = server.await.unwrap();
        // The first of the handshake, and the name of the host, are all that was ever in clear.
        assert_eq!(got[0], 0x16);
        assert!(!got.windows(4).any(|four| four == b"POST" || four == b"CANA"), "{outcome}");
    }
}

#[tokio::test]
async fn a_right_certificate_is_taken_and_one_connection_carries_many_deliveries() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    for (protocols, expected) in [(vec![], [1, 2, 0]), (vec![b"h2".to_vec()], [1, 0, 2])] {
        for only in [true, false] {
            let mut server = own.give("localhost", NOW).server();
            server.alpn_protocols = protocols.clone();
            let (port, seen) = serve(server).await;
            let mut sink = trusting(&own, &dir, &format!("https://localhost:{port}"));
            sink.http.ca_only = only;
            let (courier, mut done) = courier(&sink, AMPLE);
            for _ in 0..2 {
                courier.send(attempt());
                let outcomes = done.recv().await.unwrap().outcomes;
                assert!(matches!(outcomes[..], [Outcome::Accepted { .. }]), "{outcomes:?}");
            }
            let [connections, _, requests, streams] = seen.counts();
            assert_eq!([connections, requests, streams], expected, "ca_only = {only}");
        }
    }
}

#[tokio::test]
async fn the_head_of_an_answer_over_http2_has_a_bound() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    let mut server = own.give("localhost", NOW).server();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let (port, seen) = serve(server).await;
    let sink = trusting(&own, &dir, &format!("https://localhost:{port}"));
    for (bytes, expected) in [(20 * 1024, "Accepted"), (40 * 1024, "Retry"), (0, "Accepted")] {
        seen.head.store(bytes, Ordering::SeqCst);
        let outcome = format!("{:?}", outcome(&sink).await);
        assert!(outcome.starts_with(expected), "{bytes} bytes: {outcome}");
    }
}

#[tokio::test]
async fn no_peer_hears_a_byte_behind_a_certificate_that_does_not_fit() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    for given in [own.give("example.com", NOW), own.give("localhost", [2020, 2021])] {
        let (port, seen) = serve(given.server()).await;
        for mut sink in peers_tests::sinks(&format!("https://localhost:{port}")) {
            sink.http = trusting(&own, &dir, "https://localhost").http;
            let outcome = peers_tests::outcome_of(&sink).await;
            let shown = format!("{outcome:?}");
            assert!(shown.starts_with("Suspend { why: \"error sending request"), "{}: {shown}", sink.name);
            assert!(!shown.contains(peers_tests::KEY), "{shown}");
        }
        let [connections, bytes, requests, streams] = seen.counts();
        assert!(connections >= 11, "only {connections} came");
        assert_eq!([bytes, requests, streams], [0; 3]);
    }
}

#[tokio::test]
async fn connections_are_made_anew_after_five_minutes_so_that_a_new_address_is_found() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    let (port, seen) = serve(own.give("localhost", NOW).server()).await;
    let sink = trusting(&own, &dir, &format!("https://localhost:{port}"));
    let clock = Arc::new(Mutex::new(Timestamp::from_secs(0)));
    let now = Arc::clone(&clock);
    let (to, mut done) = tokio::sync::mpsc::unbounded_channel();
    let tell = Arc::new(move |done| drop(to.send(done)));
    let terms = Terms::new(Arc::new(move || *now.lock().unwrap()));
    let mut courier = Courier::new(Handle::current(), terms, tell);
    courier.attach(std::slice::from_ref(&sink)).unwrap();
    // At 900 s the file is not what it was: the connections before go on until it is right again.
    for (at, connections) in [(0, 1), (299, 1), (300, 2), (599, 2), (600, 3), (900, 3), (1199, 3), (1200, 4)]
    {
        let pem = if at == 900 { "nothing".to_owned() } else { own.certificate.pem() };
        std::fs::write(dir.path().join("ca.pem"), pem).unwrap();
        *clock.lock().unwrap() = Timestamp::from_secs(at);
        courier.send(attempt());
        let outcomes = done.recv().await.unwrap().outcomes;
        assert!(matches!(outcomes[..], [Outcome::Accepted { .. }]), "{outcomes:?}");
        assert_eq!(seen.counts()[0], connections, "at {at} s");
    }
}

#[tokio::test]
async fn a_connection_that_swallows_requests_is_left_after_the_first() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    let mut server = own.give("localhost", NOW).server();
    server.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move {
        // The first connection stays open, and nobody reads what comes.
        let mut deaf = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        deaf.read_u8().await.unwrap();
        let stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        serve_h2(stream, &Seen::default()).await;
    });
    let sink = trusting(&own, &dir, &format!("https://localhost:{port}"));
    let (courier, mut done) = courier(&sink, Duration::from_millis(1_500));
    for expected in ["[Retry", "[Accepted"] {
        courier.send(attempt());
        let outcomes = format!("{:?}", done.recv().await.unwrap().outcomes);
        assert!(outcomes.starts_with(expected), "{outcomes}");
    }
}

#[tokio::test]
async fn a_peer_that_wants_a_certificate_gets_ours_and_nothing_from_who_has_none() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    let (ours, strange) = (own.give("tripline", NOW), Authority::new("other").give("tripline", NOW));
    for (version, with, expected) in [
        (&TLS12, Some(&ours), "Accepted"),
        (&TLS13, Some(&ours), "Accepted"),
        (&TLS12, None, "Suspend"),
        (&TLS12, Some(&strange), "Suspend"),
        // The peer finds out when the request is on its way already, which nobody there reads.
        (&TLS13, None, ""),
        (&TLS13, Some(&strange), ""),
    ] {
        let (chain, key) = own.give("localhost", NOW).chain();
        let verifier = WebPkiClientVerifier::builder_with_provider(own.roots(), Arc::new(default_provider()))
            .build()
            .unwrap();
        let server =
            builder(version).with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
        let (port, seen) = serve(server).await;
        let mut sink = trusting(&own, &dir, &format!("https://localhost:{port}"));
        if let Some(given) = with {
            let files = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
            std::fs::write(&files.0, given.certificate.pem()).unwrap();
            std::fs::write(&files.1, given.key.serialize_pem()).unwrap();
            sink.http.client_cert = Some(files);
        }
        let outcome = format!("{:?}", outcome(&sink).await);
        assert!(outcome.starts_with(expected), "{version:?} {outcome}");
        let accepted = usize::from(expected == "Accepted");
        assert_eq!(usize::from(outcome.starts_with("Accepted")), accepted, "{outcome}");
        assert_eq!(seen.counts()[2], accepted, "{version:?} {outcome}");
    }
}

#[tokio::test]
async fn a_key_that_is_of_another_certificate_is_found_out_before_anything_is_sent() {
    let own = Authority::new("own");
    let dir = tempfile::tempdir().unwrap();
    let (ours, other) = (own.give("tripline", NOW), own.give("tripline", NOW));
    let mut sink = trusting(&own, &dir, "https://localhost:1");
    let files = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&files.0, ours.certificate.pem()).unwrap();
    sink.http.client_cert = Some(files.clone());
    for (key, fits) in [(&ours.key, true), (&other.key, false)] {
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        let told: Vec<_> =
            unfit(&sink).into_iter().map(|unfit| (unfit.id, unfit.key, unfit.refused)).collect();
        let terms = Terms::new(Arc::new(|| Timestamp::MIN));
        let mut courier = Courier::new(Handle::current(), terms, Arc::new(|_| ()));
        let attached = courier.attach(std::slice::from_ref(&sink));
        if fits {
            assert!(told.is_empty() && attached.is_ok(), "{told:?} {attached:?}");
        } else {
            assert_eq!(told, [("bad-certificate", "client_cert_file", true)]);
            let why = attached.unwrap_err().to_string();
            assert!(why.contains("are not a certificate and its key"), "{why}");
        }
    }
}
