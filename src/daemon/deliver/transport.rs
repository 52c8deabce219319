//! Connections to one peer.
#![expect(clippy::disallowed_methods, reason = "certificates and their keys are files")]

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Method, Url};

use super::AttachError;
use crate::settings::{Http, Proxy, Sink};
use crate::sink::attempt::Outcome;
use crate::sink::{Answer, MOST_ANSWER, Request, Secrets, address, host_of};

/// A pool of connections, and the terms on which they are made.
pub(super) struct Transport {
    client: Client,
}

impl Transport {
    /// The way to the peer of `sink`. Reads the files of certificates.
    ///
    /// # Errors
    /// If the settings would leak or can not work; the address is not shown.
    pub(super) fn new(sink: &Sink, secrets: &Secrets) -> Result<Transport, AttachError> {
        let name = &sink.name;
        let http = &sink.http;
        let plaintext = plaintext(sink, secrets)?;
        let broken = |error: reqwest::Error| AttachError::Client {
            sink: name.clone(),
            why: secrets.scrub(&error.without_url().to_string()),
        };
        let read = |key: &'static str, path: &Path| {
            std::fs::read(path).map_err(|error| AttachError::PemRead {
                sink: name.clone(),
                key,
                path: path.to_owned(),
                error,
            })
        };
        let own = match &http.ca_file {
            None => Vec::new(),
            Some(path) => {
                let own = Certificate::from_pem_bundle(&read("ca_file", path)?).unwrap_or_default();
                if own.is_empty() {
                    return Err(AttachError::CaForm { sink: name.clone(), path: path.clone() });
                }
                own
            }
        };
        let mut builder = Client::builder()
            .user_agent(concat!("tripline/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .https_only(!plaintext)
            .connect_timeout(http.connect_timeout)
            .timeout(http.timeout)
            .pool_idle_timeout(Duration::from_secs(60));
        builder = if http.ca_only {
            builder.tls_certs_only(own)
        } else {
            // The platform's store is used as well; an image without one still knows the public authorities.
            let public =
                webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| Certificate::from_der(der));
            let public: Vec<_> = public.collect::<Result<_, _>>().map_err(broken)?;
            builder.tls_certs_merge(public.into_iter().chain(own))
        };
        if let Some((cert, key)) = &http.client_cert {
            let mut pem = read("client_cert_file", cert)?;
            pem.push(b'\n');
            pem.extend(read("client_key_file", key)?);
            let identity = Identity::from_pem(&pem).map_err(|_| AttachError::ClientCert(name.clone()))?;
            builder = builder.identity(identity);
        }
        builder = match http.proxy {
            Proxy::None => builder.no_proxy(),
            Proxy::FromEnv => builder,
            Proxy::Url => {
                let proxy = reqwest::Proxy::all(secrets.get("proxy_url"));
                // `no_proxy` forgets those of the environment, and the ones before it.
                builder.no_proxy().proxy(proxy.map_err(|_| AttachError::Proxy(name.clone()))?)
            }
        };
        Ok(Transport { client: builder.build().map_err(broken)? })
    }

    /// Sends a request with the headers that the settings add, and reads what comes back, up to [`MOST_ANSWER`] bytes.
    pub(super) async fn exchange(
        &self,
        request: &Request,
        added: &[(String, String)],
    ) -> Result<Answer, reqwest::Error> {
        self.exchange_up_to(request, added, MOST_ANSWER).await
    }

    /// The same, up to `most` bytes.
    pub(super) async fn exchange_up_to(
        &self,
        request: &Request,
        added: &[(String, String)],
        most: usize,
    ) -> Result<Answer, reqwest::Error> {
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::POST);
        let mut builder = self.client.request(method, &request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in added {
            builder = builder.header(name, value);
        }
        let mut response = builder.send().await?;
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

/// What an attempt without an answer means. It may have arrived, so it is tried again, except where the peer is
/// not who the settings say: then nothing was sent, and nothing will be.
pub(super) fn unanswered(error: reqwest::Error, secrets: &Secrets) -> Outcome {
    let wrong_settings = error.is_builder();
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        why = format!("{why}: {inner}");
        source = inner.source();
    }
    let why = secrets.scrub(&why);
    if wrong_settings || why.contains("invalid peer certificate") {
        Outcome::Suspend { why }
    } else {
        Outcome::Retry { after: None, why }
    }
}

/// True if what is sent goes out for everybody on the way to read, which is allowed.
fn plaintext(sink: &Sink, secrets: &Secrets) -> Result<bool, AttachError> {
    let Http { allow_plaintext, .. } = sink.http;
    let address = address(&sink.peer, secrets);
    let wrong = || AttachError::Url(sink.name.clone());
    let url = Url::parse(address).map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let bare = host.trim_matches(['[', ']']);
    let loopback =
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let plaintext = url.scheme() == "http" && (loopback || allow_plaintext);
    if url.scheme() != "https" && !plaintext {
        return Err(AttachError::Plaintext { sink: sink.name.clone(), host: host_of(address).to_owned() });
    }
    Ok(plaintext)
}
