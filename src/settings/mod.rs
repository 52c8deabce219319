//! What `tripline.toml` says besides rules, checked. Plain data; `config` makes it, the daemon wires by it.

mod names;
mod pasted;
mod sink;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{Encoding, Envelope, Format, SinkName, SourceName};
use crate::rule::{Multiline, Redaction};
pub use names::{literal, means, plain, spelled};
pub use pasted::{is_path, is_unusual_file, is_unusual_variable, is_variable};
pub use sink::{
    Alertmanager, Chat, ChatService, Exec, File, Flashduty, FlashdutyChanges, GroupBy, Http, PagerDuty, Peer,
    Proxy, SecretFrom, Sink, StatusPage,
};
pub use webhook::{Batch, Body, Form, Piece, Place, Webhook};

/// Everything but the rules.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Globs of rule files, absolute.
    pub rules: Vec<PathBuf>,
    /// The directory that keeps the state; `None`: state is kept in memory.
    pub state_dir: Option<PathBuf>,
    /// The observer's name; `None`: found from the environment (see `daemon::scope`).
    pub scope: Option<String>,
    /// On every alert.
    pub labels: Vec<(Arc<str>, String)>,
    /// What is taken out of every line that a rule takes.
    pub redact: Redaction,
    /// Where lines come from.
    pub sources: Vec<Source>,
    /// Where transitions go.
    pub sinks: Vec<Sink>,
    /// The status address.
    pub admin: Admin,
    /// A regular sign of life.
    pub heartbeat: Option<Heartbeat>,
    /// What happens to open alerts at a clean stop; `None`: keep, but resolve in a sidecar without durable state.
    pub on_stop: Option<OnStop>,
    /// Time a stop may take, for reading to the end and delivering. Default 25 s.
    pub stop_budget: Duration,
    /// Files that are scanned at the same time, 1 to 256; `None`: as many as there are cores.
    pub threads: Option<usize>,
}

/// Open alerts at a clean stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// They stay open; the next start goes on with them.
    Keep,
    /// They are resolved with the reason `stopped`.
    Resolve,
}

/// `[admin]`.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// Address to listen on; `None`: no admin port.
    pub listen: Option<std::net::SocketAddr>,
    /// The file that holds the token; `None`: nobody changes anything over HTTP, and nobody reads from elsewhere.
    pub token_file: Option<PathBuf>,
    /// Names by which it may be asked, besides loopback names and the address that is listened on; in small letters.
    pub hosts: Vec<String>,
}

/// `[heartbeat]`.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// To whom.
    pub sink: SinkName,
    /// How often; 1 s or more.
    pub every: Duration,
}

/// `[[source]]`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Unique.
    pub name: SourceName,
    /// Absolute globs (`*`, `?`, `[…]`, `{a,b}`, `**`; `\\` before one of these takes its meaning).
    pub files: Vec<PathBuf>,
    /// Globs of what is left out; one without `/` is held against the file's name, others against the whole path.
    pub exclude: Vec<String>,
    /// Whether symbolic links are followed that were found by a wildcard; those that were written are.
    pub follow_symlinks: bool,
    /// It is this instead of files.
    pub stream: Option<Stream>,
    /// Where a file that is there at first sight is begun.
    pub start: Start,
    /// Zone of stamps that name none.
    pub tz: TimeZone,
    /// How far a stamp may lie before the arrival of its line, and the age from which a transition is stale.
    pub max_age: Duration,
    /// Quiet after which an unterminated last line is matched as it is, or a last record.
    pub flush: Duration,
    /// How its lines are joined to records; `None`: each is one. Its `flush` is that of the source.
    pub multiline: Option<Multiline>,
    /// Bytes of a line that are matched; 1 KiB to 1 MiB, 64 KiB unless said.
    pub max_line: usize,
    /// How its files are written; `None`: as their first bytes say, else UTF-8.
    pub encoding: Option<Encoding>,
    /// What a container runtime writes around each of its lines; `None`: nothing.
    pub envelope: Option<Envelope>,
    /// What its lines are made of: whether they have fields.
    pub format: Format,
    /// Whether `message repeated 5 times: [ X ]` is five lines with X.
    pub repeats: bool,
    /// On every alert of a rule that sees only sources with the same value.
    pub labels: Vec<(Arc<str>, String)>,
    /// What is taken out of its lines; the defaults do not hold here.
    pub redact: Redaction,
    /// What is told of itself.
    pub own: OwnAlerts,
}

/// A source that is no files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A FIFO, which may come later.
    Fifo(PathBuf),
    /// The journal of systemd.
    Journal(Journal),
}

/// What is read of the journal of systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Of these units; empty: of all.
    pub units: Vec<String>,
    /// Of what calls itself so; empty: of all.
    pub identifiers: Vec<String>,
    /// The program that reads it, with a path or as the environment finds it.
    pub program: PathBuf,
}

/// When tripline's own alerts about a source are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnAlerts {
    /// How long something of it must not be readable, or no file fit; `None`: never.
    pub blind_after: Option<Duration>,
    /// How long bytes must be unread while more come; `None`: never.
    pub lagging_after: Option<Duration>,
    /// Whether bytes are lost.
    pub lost_bytes: bool,
}

impl Default for OwnAlerts {
    fn default() -> OwnAlerts {
        let after = Some(Duration::from_secs(10 * 60));
        OwnAlerts { blind_after: after, lagging_after: after, lost_bytes: true }
    }
}

/// Where reading begins in a file that no checkpoint knows and that was there before the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Only what is written from now on.
    End,
    /// All of it.
    Beginning,
    /// From the first line on that begins within so many bytes before its end.
    Last(u64),
    /// From the first line on that was written at most so long ago.
    Since(Duration),
}
