//! Connections to one peer.
#![expect(clippy::disallowed_methods, reason = "certificates and their keys are files")]

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Identity, Method, Url};

use super::AttachError;
use crate::model::Timestamp;
use crate::settings::{Http, Proxy, Sink};
use crate::sink::attempt::Outcome;
use crate::sink::{Answer, MOST_ANSWER, Request, Secrets, Unit, address, host_of};

/// After how long connections are made anew, though they work: a name may have another address since, and a
/// certificate of ours or an authority may have been replaced.
const RENEW_EVERY: Duration = Duration::from_secs(5 * 60);

/// The secret that says where a proxy is.
const PROXY: &str = "proxy_url";

/// Bytes of the head of an answer over HTTP/2, at most.
const MOST_HEAD: u32 = 32 * 1024;

/// How often a peer is asked over HTTP/2 whether it is there, and how long it may take to say so. A connection is closed
/// then even if nothing can be written to it: one that was left would otherwise stay for as long as its peer likes.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);

/// A pool of connections, and the terms on which they are made.
pub(super) struct Transport {
    sink: Arc<Sink>,
    pool: Mutex<Pool>,
}

#[derive(Clone)]
struct Pool {
    client: Client,
    made: Timestamp,
}

impl Pool {
    fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.made) >= RENEW_EVERY
    }
}

impl Transport {
    /// The way to the peer of `sink`. Reads the files of certificates.
    ///
    /// # Errors
    /// If the settings would leak or can not work; the address is not shown.
    pub(super) fn new(sink: &Sink, secrets: &Secrets, now: Timestamp) -> Result<Transport, AttachError> {
        let pool = Mutex::new(Pool { client: client(sink, secrets)?, made: now });
        Ok(Transport { sink: Arc::new(sink.clone()), pool })
    }

    /// The connections to use at `now`: after [`RENEW_EVERY`] new ones, by what the files of certificates say then.
    async fn pool(&self, secrets: &Secrets, now: Timestamp) -> Pool {
        let pool = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let old = {
            let mut pool = pool();
            if !pool.is_old(now) {
                return pool.clone();
            }
            // Whoever comes meanwhile uses the old ones.
            pool.made = now;
            pool.clone()
        };
        let (sink, secrets) = (Arc::clone(&self.sink), secrets.clone());
        match tokio::task::spawn_blocking(move || client(&sink, &secrets)).await {
            Ok(Ok(client)) => {
                pool().client = client.clone();
                Pool { client, made: now }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "connections are not made anew, the ones before are used");
                old
            }
            Err(_) => old,
        }
    }

    /// Leaves connections that gave no answer in time. All requests of a peer that speaks HTTP/2 share one, and it is
    /// not closed with a request that ran out of time: a way that was cut without a word, as firewalls do, would swallow
    /// every further attempt. Several that ran out together leave them once.
    fn leave(&self, tried: &Pool) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.made == tried.made {
            pool.made = Timestamp::MIN;
        }
    }

    /// Sends a request of a unit with the headers that the settings add, and reads what comes back, up to
    /// [`MOST_ANSWER`] bytes.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        added: &[(String, String)],
        unit: Unit<'_>,
    ) -> Result<Answer, Unanswered> {
        self.exchange_up_to(request, added, unit, MOST_ANSWER).await
    }

    /// The same, up to `most` bytes. Whether the address may be used is asked each time: one that stands in a file may be
    /// another than when the sink was taken.
    pub(super) async fn exchange_up_to(
        &self,
        request: &Request,
        added: &[(String, String)],
        unit: Unit<'_>,
        most: usize,
    ) -> Result<Answer, Unanswered> {
        permit(&self.sink, &request.url).map_err(Unanswered::Barred)?;
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::POST);
        let pool = self.pool(unit.secrets, unit.now).await;
        let mut builder = pool.client.request(method, &request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in added {
            builder = builder.header(name, value);
        }
        let sent = builder.send().await;
        let over_tls = || request.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        if sent.as_ref().is_err_and(|error| error.is_timeout()) && over_tls() {
            self.leave(&pool);
        }
        let mut response = sent.map_err(Unanswered::Broken)?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        let mut answer =
            Answer { status: response.status().as_u16(), headers, body: Vec::new(), whole: true };
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() <= most => {
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
}

/// What makes connections to the peer of `sink`.
fn client(sink: &Sink, secrets: &Secrets) -> Result<Client, AttachError> {
    let name = &sink.name;
    let http = &sink.http;
    permit(sink, address(&sink.peer, secrets))?;
    let broken = |error: reqwest::Error| AttachError::Client {
        sink: name.clone(),
        why: secrets.scrub(&error.without_url().to_string()),
    };
    let own = authorities(sink)?;
    let mut builder = begin()
        .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(http.connect_timeout)
        .timeout(http.timeout)
        // Over HTTP/1 there is no such choice: it is 100 lines and 400 KiB.
        .http2_max_header_list_size(MOST_HEAD)
        .pool_idle_timeout(Duration::from_secs(60))
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PONG_WITHIN)
        .http2_keep_alive_while_idle(true)
        .dns_resolver(Resolver(http.clone()));
    builder = if http.ca_only {
        builder.tls_certs_only(own)
    } else {
        // The platform's store is used as well; an image without one still knows the public authorities.
        let public = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| Certificate::from_der(der));
        let public: Vec<_> = public.collect::<Result<_, _>>().map_err(broken)?;
        builder.tls_certs_merge(public.into_iter().chain(own))
    };
    if let Some(identity) = identity(sink)? {
        builder = builder.identity(identity);
    }
    builder = match http.proxy {
        Proxy::None => builder.no_proxy(),
        Proxy::FromEnv => builder,
        // `no_proxy` forgets those of the environment, and the ones before it.
        Proxy::Url => builder.no_proxy().proxy(proxy(sink, secrets)?),
    };
    builder.build().map_err(broken)
}

/// The beginning of a client, with the one implementation of TLS that is built in.
fn begin() -> reqwest::ClientBuilder {
    // Whoever was first has put in the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// What is wrong with the addresses among the secrets that are here.
pub(super) fn bad_addresses(sink: &Sink, here: &Secrets) -> impl Iterator<Item = AttachError> {
    let peer = Some(address(&sink.peer, here)).filter(|url| !url.is_empty());
    let proxied = sink.http.proxy == Proxy::Url && here.find(PROXY).is_some();
    let peer = peer.and_then(|url| permit(sink, url).err());
    peer.into_iter().chain(proxied.then(|| proxy(sink, here).err()).flatten())
}

fn proxy(sink: &Sink, secrets: &Secrets) -> Result<reqwest::Proxy, AttachError> {
    proxy_at(secrets.get(PROXY)).ok_or_else(|| AttachError::Proxy(sink.name.clone()))
}

/// `None` also for what `reqwest` takes and passes over: requests would go past the proxy.
fn proxy_at(url: &str) -> Option<reqwest::Proxy> {
    let known = |scheme: &str| ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_known = url.split_once("://").is_none_or(|(scheme, _)| known(scheme));
    reqwest::Proxy::all(url).ok().filter(|_| is_known)
}

/// What is wrong with the files of certificates that a sink names.
pub(super) fn bad_certificates(sink: &Sink) -> impl Iterator<Item = AttachError> {
    authorities(sink).err().into_iter().chain(identity(sink).err())
}

/// The authorities in `ca_file`.
fn authorities(sink: &Sink) -> Result<Vec<Certificate>, AttachError> {
    let Some(path) = &sink.http.ca_file else { return Ok(Vec::new()) };
    let own = Certificate::from_pem_bundle(&read(sink, "ca_file", path)?).unwrap_or_default();
    if own.is_empty() {
        return Err(AttachError::CaForm { sink: sink.name.clone(), path: path.clone() });
    }
    Ok(own)
}

/// The certificate that we show, with its key.
fn identity(sink: &Sink) -> Result<Option<Identity>, AttachError> {
    let Some((cert, key)) = &sink.http.client_cert else { return Ok(None) };
    let mut pem = read(sink, "client_cert_file", cert)?;
    pem.push(b'\n');
    pem.extend(read(sink, "client_key_file", key)?);
    let wrong = |_| AttachError::ClientCert { sink: sink.name.clone(), cert: cert.clone(), key: key.clone() };
    let identity = Identity::from_pem(&pem).map_err(wrong)?;
    // Only then it shows that the key is that of another certificate.
    begin().identity(identity.clone()).build().map_err(wrong)?;
    Ok(Some(identity))
}

fn read(sink: &Sink, key: &'static str, path: &Path) -> Result<Vec<u8>, AttachError> {
    std::fs::read(path).map_err(|error| AttachError::PemRead {
        sink: sink.name.clone(),
        key,
        path: path.to_owned(),
        error,
    })
}

/// The names of a peer as the system resolves them, each time anew.
struct Resolver(Http);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let http = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Box<dyn Iterator<Item = SocketAddr> + Send> =
                Box::new(reachable(&http, found)?.into_iter());
            Ok(allowed)
        })
    }
}

/// Those of the addresses of a name that may be connected to.
fn reachable(http: &Http, mut found: Vec<SocketAddr>) -> std::io::Result<Vec<SocketAddr>> {
    let any = !found.is_empty();
    found.retain(|address| !http.bars(address.ip()));
    match any && found.is_empty() {
        true => Err(std::io::Error::other(format!("{LINK_LOCAL} and `allow_link_local` is not set"))),
        false => Ok(found),
    }
}

const LINK_LOCAL: &str = "the name leads to an address of this link,";

/// Words of our own libraries for a peer that is not who the settings say, or that does not want us: it will not get
/// better by itself.
const REFUSED: [&str; 11] = [
    LINK_LOCAL,
    "invalid peer certificate",
    "fatal alert: AccessDenied",
    "fatal alert: BadCertificate",
    "fatal alert: CertificateExpired",
    "fatal alert: CertificateRequired",
    "fatal alert: CertificateRevoked",
    "fatal alert: CertificateUnknown",
    "fatal alert: UnknownCA",
    "fatal alert: UnrecognizedName",
    "fatal alert: UnsupportedCertificate",
];

/// What names of our libraries mean.
const MEANT: [(&str, &str); 2] = [
    ("UnknownIssuer", "no authority that this sink trusts has signed it; `ca_file` names one of your own"),
    (
        "CaUsedAsEndEntity",
        "it is one that signed itself or that signs others, and not one that an authority gave to this host",
    ),
];

/// Why there is no answer.
pub(super) enum Unanswered {
    /// The address may not be used: nothing was sent.
    Barred(AttachError),
    /// The way there or back broke.
    Broken(reqwest::Error),
}

impl Unanswered {
    /// True if the peer may have it nevertheless.
    pub(super) fn may_be_there(&self) -> bool {
        matches!(self, Unanswered::Broken(error) if !error.is_connect())
    }
}

/// What an attempt without an answer means. It may have arrived, so it is tried again, except where the peer is
/// not who the settings say: then nothing was sent, and nothing will be.
pub(super) fn unanswered(error: Unanswered, secrets: &Secrets) -> Outcome {
    let error = match error {
        Unanswered::Barred(error) => return Outcome::Suspend { why: secrets.scrub(&error.to_string()) },
        Unanswered::Broken(error) => error,
    };
    let wrong_settings = error.is_builder();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        why = format!("{why}: {inner}");
        source = inner.source();
    }
    let why = secrets.scrub(&why);
    let why = match MEANT.iter().find(|(word, _)| why.contains(word)) {
        Some((_, meant)) => format!("{why}: {meant}"),
        None => why,
    };
    if wrong_settings || REFUSED.iter().any(|words| why.contains(words)) {
        Outcome::Suspend { why }
    } else {
        Outcome::Retry { after: None, why }
    }
}

/// Whether a sink may send to an address: not for everybody on the way to read, nor to what only this link has, unless
/// its settings allow it.
fn permit(sink: &Sink, address: &str) -> Result<(), AttachError> {
    let wrong = || AttachError::Url(sink.name.clone());
    let url = Url::parse(address).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let bare = host.trim_matches(['[', ']']);
    let literal: Option<IpAddr> = bare.parse().ok();
    if literal.is_some_and(|address| sink.http.bars(address)) {
        return Err(AttachError::LinkLocal { sink: sink.name.clone(), host: bare.to_owned() });
    }
    let loopback = bare == "localhost" || literal.is_some_and(|address| address.is_loopback());
    let plaintext = url.scheme() == "http" && (loopback || sink.http.allow_plaintext);
    if url.scheme() != "https" && !plaintext {
        return Err(AttachError::Plaintext { sink: sink.name.clone(), host: host_of(address).to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_only_to_addresses_that_are_allowed() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
        };
        let open = Http { allow_link_local: true, ..Http::default() };
        let metadata =
            ["169.254.169.254", "::ffff:169.254.1.1", "fe80::1", "fd00:ec2::254", "100.100.100.200"];
        let error = reachable(&Http::default(), addresses(&metadata)).unwrap_err().to_string();
        assert!(REFUSED.iter().any(|words| error.contains(words)), "{error}");
        assert_eq!(reachable(&open, addresses(&metadata)).unwrap(), addresses(&metadata));
        let mixed = addresses(&["169.254.169.254", "10.0.0.1", "fd00::1", "127.0.0.1", "::1"]);
        assert_eq!(reachable(&Http::default(), mixed.clone()).unwrap(), mixed[1..]);
        assert_eq!(reachable(&Http::default(), Vec::new()).unwrap(), Vec::new());
    }
    #[test]
    fn a_proxy_that_would_be_passed_over_is_none() {
        let check = |url: &str, expected: bool| assert_eq!(proxy_at(url).is_some(), expected, "{url}");
        for url in ["http://proxy:3128", "HTTPS://u:p@10.0.0.1", "proxy.example.com:3128"] {
            check(url, true);
        }
        for url in ["socks5://127.0.0.1:9", "socks9://127.0.0.1:9", "ftp://127.0.0.1:9", "", "://x"] {
            check(url, false);
        }
    }
}
