//! What this machine has to say of a sink before anything is sent: for `tripline check`, which sends nothing.

use super::super::secret::{Secret, SecretError};
use super::{AttachError, exec, file, read, transport};
use crate::model::SinkName;
use crate::settings::{Peer, Sink, Source};
use crate::sink::{self, Secrets};

/// Something that is wrong with a sink on this machine. Never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its id as a diagnostic.
    pub id: &'static str,
    /// The key in TOML that it is about; of a secret without `_env` or `_file`.
    pub key: &'static str,
    /// What it is.
    pub why: String,
    /// True if `run` does without the sink for it, wherever it runs.
    pub refused: bool,
}

/// All of it. A secret that is not here is none of it: who checks a configuration need not be who runs it.
pub fn unfit(sink: &Sink) -> Vec<Unfit> {
    match &sink.peer {
        Peer::Exec(settings) => {
            let of = |why| Unfit { id: "no-program", key: "command", why, refused: false };
            return exec::unable(settings).map(of).into_iter().collect();
        }
        Peer::File(settings) => {
            let of = |why| Unfit { id: "unwritable", key: "path", why, refused: false };
            return file::unable(settings).map(of).into_iter().collect();
        }
        _ => {}
    }
    let secrets: Vec<Secret> = secrets(sink).collect();
    let mut found = Vec::new();
    for secret in &secrets {
        let key = secret.name();
        let bad = secret.read().err().filter(|error| !is_elsewhere(error));
        found.extend(bad.map(|error| Unfit { id: "bad-key", key, why: error.to_string(), refused: true }));
        found.extend(secret.exposed().map(|why| Unfit { id: "exposed-key", key, why, refused: false }));
    }
    let wrong = read(&secrets).ok().and_then(|known| sink::wrong_secret(&sink.peer, &known));
    found.extend(wrong.map(|(key, why)| Unfit { id: "bad-key", key, why: why.to_owned(), refused: true }));
    let here = secrets.iter().filter_map(|secret| Some((secret.name(), secret.read().ok()?)));
    let here = Secrets::new(here.collect());
    found.extend(transport::bad_addresses(sink, &here).map(|error| {
        let (id, key) = match &error {
            AttachError::Plaintext { .. } => ("plaintext-url", "url"),
            AttachError::Proxy(_) => ("bad-url", "proxy_url"),
            _ => ("bad-url", "url"),
        };
        Unfit { id, key, why: error.to_string(), refused: true }
    }));
    let bad = transport::bad_certificates(sink).filter_map(|error| {
        let key = match &error {
            // It may be there where it is used.
            AttachError::PemRead { .. } => return None,
            AttachError::CaForm { .. } => "ca_file",
            _ => "client_cert_file",
        };
        Some(Unfit { id: "bad-certificate", key, why: error.to_string(), refused: true })
    });
    found.extend(bad);
    found
}

/// Which file sinks would write what a source reads, or another sink writes, by names that do not show it.
pub fn taken(sinks: &[Sink], sources: &[Source]) -> Vec<(SinkName, Unfit)> {
    let of = |(place, sink): (usize, &Sink)| {
        let Peer::File(settings) = &sink.peer else { return None };
        let taken = file::Others::of(sinks, place, sources).taken(settings)?;
        let id = match taken {
            file::Taken::Read(_) => "feeds-itself",
            file::Taken::Written(_) => "shared-file",
        };
        Some((sink.of.clone(), Unfit { id, key: "path", why: taken.why(), refused: true }))
    };
    sinks.iter().enumerate().filter_map(of).collect()
}

/// What of its secrets and certificates is not here, a sentence each, without the secret: whoever runs it needs them.
pub fn missing(sink: &Sink) -> Vec<String> {
    let errors = secrets(sink).filter_map(|secret| secret.read().err());
    let secrets = errors.filter(is_elsewhere).map(|error| error.to_string());
    let certificates = transport::bad_certificates(sink);
    let certificates = certificates.filter(|error| matches!(error, AttachError::PemRead { .. }));
    secrets.chain(certificates.map(|error| error.to_string())).collect()
}

fn secrets(sink: &Sink) -> impl Iterator<Item = Secret> {
    sink.secrets.iter().map(|(name, from)| Secret::new(name, from.clone()))
}

/// True if a secret may be right where it is used.
fn is_elsewhere(error: &SecretError) -> bool {
    match error {
        SecretError::Empty(_)
        | SecretError::NotAKey(_)
        | SecretError::NotAscii(_)
        | SecretError::Dressed { .. } => false,
        // Of another kind are words of the system: it is not here, or is not for who checks.
        SecretError::NotRead { error, .. } => error.kind() != std::io::ErrorKind::Other,
        SecretError::NotSet { .. } | SecretError::NoCredentials => true,
    }
}
