//! What this machine has to say of a sink before anything is sent: for `tripline check`, which sends nothing.

use super::super::secret::{Secret, SecretError};
use super::{exec, read};
use crate::settings::{Peer, Sink};
use crate::sink;

/// Something that is wrong with a sink on this machine. Never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Its id as a diagnostic.
    pub id: &'static str,
    /// The key in TOML that it is about; of a secret without `_env` or `_file`.
    pub key: &'static str,
    /// What it is.
    pub why: String,
    /// True if `run` refuses the sink for it, wherever it runs.
    pub refused: bool,
}

/// All of it. A secret that is not here is none of it: who checks a configuration need not be who runs it.
pub fn unfit(sink: &Sink) -> Vec<Unfit> {
    if let Peer::Exec(settings) = &sink.peer {
        let of = |why| Unfit { id: "no-program", key: "command", why, refused: false };
        return exec::unable(settings).map(of).into_iter().collect();
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
    found
}

/// What of its secrets is not here, a sentence each, without the secret: whoever runs it needs them.
pub fn missing(sink: &Sink) -> Vec<String> {
    let errors = secrets(sink).filter_map(|secret| secret.read().err());
    errors.filter(is_elsewhere).map(|error| error.to_string()).collect()
}

fn secrets(sink: &Sink) -> impl Iterator<Item = Secret> {
    sink.secrets.iter().map(|(name, from)| Secret::new(name, from.clone()))
}

/// True if a secret may be right where it is used.
fn is_elsewhere(error: &SecretError) -> bool {
    match error {
        SecretError::Empty(_) | SecretError::NotAKey(_) => false,
        // Of another kind are words of the system: it is not here, or is not for who checks.
        SecretError::NotRead { error, .. } => error.kind() != std::io::ErrorKind::Other,
        SecretError::NotSet { .. } | SecretError::NoCredentials => true,
    }
}
