//! The nouns every room shares. Plain data: nothing here reads a clock, a file or a socket.
//!
//! Types that reach the state directory derive serde; their field order is part of the store's format
//! (see `store`), so a change of a field is a change of the format version.

mod bare;
mod component;
mod container;
mod encoding;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use component::ComponentStatus;
pub use container::{ContainerPart, ContainerPath, workload};
pub use encoding::Encoding;

/// An instant in microseconds since 1970-01-01T00:00:00Z. Range: what an `i64` holds, about ±292 000 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every other instant.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every other instant.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// The instant `seconds` after the epoch.
    pub const fn from_secs(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1_000_000))
    }

    /// Whole seconds since the epoch, rounded down: what most wires want.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The instant `span` later; saturates.
    pub fn plus(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(micros(span)))
    }

    /// The instant `span` earlier; saturates.
    pub fn minus(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(micros(span)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A span in whole microseconds, saturating at what a [`Timestamp`] can hold.
pub fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Units of durations, largest first, in microseconds.
const UNITS: [(&str, u128); 5] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000)];

/// A span as an author would write it: `10m`, `1h30m`, `7d`, `250ms`; `0s` for what is shorter than a millisecond.
pub fn duration_text(span: Duration) -> String {
    let mut rest = span.as_micros();
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// RFC 3339 in UTC, with as many fractional digits as there are.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// Wraps a name that the configuration has already checked.
            pub fn new(name: impl Into<Arc<str>>) -> $name {
                $name(name.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// Where lines come from: the `name` of a `[[source]]`.
    SourceName
);
name_type!(
    /// The identity of a rule: `[a-z0-9_]{1,64}`. Renaming a rule makes another rule.
    RuleName
);
name_type!(
    /// Where transitions go: the `name` of a `[[sink]]`.
    SinkName
);

impl SinkName {
    /// True of a queue of the `[[sink]]` that is called so, configured or not: `am/127.0.0.1:9093` is one of `am`.
    pub fn is_of(&self, sink: &str) -> bool {
        self.0.strip_prefix(sink).is_some_and(|behind| behind.is_empty() || behind.starts_with('/'))
    }
}

/// One file content from its first byte to its end, for one source, unique for the life of a state directory.
///
/// Rotation by rename keeps the id with the content; truncation and replacement make a new one, so
/// `(FileId, offset)` names a line for ever. `FileId(0)` is tripline itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u64);

impl FileId {
    /// The pretended file that tripline's own alerts come from. Always readable, always read to its end.
    pub const OWN: FileId = FileId(0);

    /// The pretended file of a source that is a stream. No file that is followed ever has it.
    pub fn of_stream(source: &SourceName) -> FileId {
        let digest = Sha256::digest(source.as_str().as_bytes());
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        FileId(FileId::STREAM | number & (FileId::STREAM - 1))
    }

    /// True of [`FileId::of_stream`].
    pub fn is_of_stream(self) -> bool {
        self.0 & !(FileId::STREAM - 1) == FileId::STREAM
    }

    const STREAM: u64 = 1 << 62;
}

/// What the lines of a source are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Text.
    #[default]
    Plain,
    /// One JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
}

/// What a container runtime writes around each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Each line is in that of CRI, in that of Docker, or in none.
    Auto,
    /// That of CRI, as containerd and CRI-O write it: `2026-01-02T15:04:05.6Z stdout F text`.
    Cri,
    /// That of Docker's `json-file`: `{"log":"text\n","stream":"stdout","time":"2026-01-02T15:04:05.6Z"}`.
    Docker,
}

impl Envelope {
    /// What is written around the lines of a file, or of the files of a glob, if nobody says: on a node of Kubernetes and
    /// on a host of Docker containers write to known places.
    pub fn usual_for(path: &Path) -> Option<Envelope> {
        const PLACES: [&str; 3] = ["/var/log/pods", "/var/log/containers", "/var/lib/docker/containers"];
        PLACES.iter().any(|place| path.starts_with(place)).then_some(Envelope::Auto)
    }
}

impl Format {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Plain => "plain",
            Format::Json => "json",
            Format::Logfmt => "logfmt",
        }
    }
}

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The content it stands in.
    pub file: FileId,
    /// Bytes before the line's first byte.
    pub offset: u64,
}

/// How bad it is. Ordered: `Info < Warning < Critical`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth looking at.
    Warning,
    /// Worth waking someone.
    Critical,
}

impl Severity {
    /// From mild to bad, the order of the ladder.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// The word used in TOML, JSON, metrics and texts.
    pub fn as_str(self) -> &'static str {
        Status::from(self).as_str()
    }
}

/// What an alert shows: nothing, or the severity of its level. Ordered: `Ok < Info < Warning < Critical`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Not firing: resolved, or never raised.
    #[default]
    Ok,
    /// Firing at `info`.
    Info,
    /// Firing at `warning`.
    Warning,
    /// Firing at `critical`.
    Critical,
}

impl Status {
    /// The word used in JSON and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Info => "info",
            Status::Warning => "warning",
            Status::Critical => "critical",
        }
    }
}

impl From<Severity> for Status {
    fn from(severity: Severity) -> Status {
        match severity {
            Severity::Info => Status::Info,
            Severity::Warning => Status::Warning,
            Severity::Critical => Status::Critical,
        }
    }
}

/// The first 16 bytes of the key digest; see `engine::key` for the recipe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyHash(pub [u8; 16]);

/// In the order of their bytes. Written out, for a key is looked up with every match: two numbers are compared in place,
/// slices by a call.
impl Ord for KeyHash {
    #[inline]
    fn cmp(&self, other: &KeyHash) -> std::cmp::Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for KeyHash {
    #[inline]
    fn partial_cmp(&self, other: &KeyHash) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl KeyHash {
    /// The digest that is shown like that: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<KeyHash> {
        let digits: Vec<u8> = text.chars().map(|c| Some(c.to_digit(16)? as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        (digits.len() == 32).then_some(())?;
        Some(KeyHash(bytes.try_into().ok()?))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The stable identity of an alert at every sink: `<rule>:<32 hex>`, at most 97 ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// The rule it belongs to.
    pub rule: RuleName,
    /// Digest over rule, scope and the `by` values.
    pub hash: KeyHash,
}

impl fmt::Display for AlertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rule, self.hash)
    }
}

/// Name → value, sorted by name. Names come from configuration only; values may hold log text (already valid
/// UTF-8, otherwise hostile).
pub type Labels = BTreeMap<Arc<str>, String>;

/// A picture to show with an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where the picture is: `http(s)://…` or a peer's own image key.
    pub src: String,
    /// Where a click leads.
    pub href: Option<String>,
    /// Words for those who cannot see it.
    pub alt: Option<String>,
}

/// Where more is to be read of an alert or a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `http(s)://…`, at most 2048 bytes. Host and scheme are the author's; log text stands in it percent-encoded.
    pub href: String,
    /// What it is called, at most 255 characters.
    pub text: Option<String>,
}

/// One life of an alert, from raise to resolve: the line that caused it. The same bytes give the same episode,
/// however often the process was killed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Episode(pub Position);

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.file.0, self.0.offset)
    }
}

/// Why a transition happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// A comparison of the ladder holds that is higher than what was shown.
    LevelReached,
    /// The higher level has not held for `resolve_after`; a lower one has, or there are enough matches again.
    LevelLeft,
    /// No level has held for `resolve_after`.
    Quiet,
    /// A line that fits `resolve`.
    RecoveryLine,
    /// A line whose number says that it is over, where silence says nothing.
    Cleared,
    /// What was missed is there again.
    SeenAgain,
    /// It was missed, and has not been seen for so long that nobody expects it any more.
    Forgotten,
    /// `expire_after` passed without a recovery line.
    NoRecoveryLine,
    /// The rule is gone, disabled, or is keyed in another way since a reload or start.
    RuleGone,
    /// The process stops and `on_stop = "resolve"`.
    Stopped,
    /// Somebody said so: `tripline resolve`.
    ByHand,
    /// It is open for another `renotify`.
    StillOpen,
    /// It came and went so often that it is kept open until it is quiet for longer.
    Flapping,
    /// tripline itself found that what one of its own rules says is over.
    Over,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 14] = [
        Reason::LevelReached,
        Reason::LevelLeft,
        Reason::Quiet,
        Reason::RecoveryLine,
        Reason::Cleared,
        Reason::SeenAgain,
        Reason::Forgotten,
        Reason::NoRecoveryLine,
        Reason::RuleGone,
        Reason::Stopped,
        Reason::ByHand,
        Reason::StillOpen,
        Reason::Flapping,
        Reason::Over,
    ];

    /// True if it says again what was told already, because whoever was told wants that.
    pub const fn says_again(self) -> bool {
        matches!(self, Reason::StillOpen | Reason::Flapping)
    }

    /// The words used in JSON and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::LevelReached => "level reached",
            Reason::LevelLeft => "level left",
            Reason::Quiet => "quiet",
            Reason::RecoveryLine => "recovery line seen",
            Reason::Cleared => "clear",
            Reason::SeenAgain => "seen again",
            Reason::Forgotten => "not seen for long",
            Reason::NoRecoveryLine => "no recovery line seen",
            Reason::RuleGone => "rule gone",
            Reason::Stopped => "stopped",
            Reason::ByHand => "resolved by hand",
            Reason::StillOpen => "still open",
            Reason::Flapping => "flapping",
            Reason::Over => "condition over",
        }
    }
}

/// A change of what an alert shows, with everything a sink may want to say about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// When it became true, in record time.
    pub time: Timestamp,
    /// Which alert.
    pub key: AlertKey,
    /// What it shows from now on.
    pub status: Status,
    /// What it showed before.
    pub previous: Status,
    /// Why.
    pub reason: Reason,
    /// The measure at that moment; `None`: there is nothing to measure, as the mean of no numbers.
    pub value: Option<f64>,
    /// Matches inside the window at that moment (without a window: of this episode so far).
    pub count: u64,
    /// Matches of this episode so far, those that led to the raise included.
    pub total: u64,
    /// When this episode was raised.
    pub since: Timestamp,
    /// Which life of the alert.
    pub episode: Episode,
    /// Which transition of the episode, from 0. `(key, episode, step)` is unique and survives a crash.
    pub step: u32,
    /// Identity: constant labels, `by` values, scope as `instance`.
    pub labels: Labels,
    /// Labels with captured text that is not part of the identity.
    pub details: Labels,
    /// The rule's `summary`, rendered.
    pub summary: String,
    /// The rule's `description`, rendered.
    pub description: String,
    /// The rule's `runbook`, rendered.
    pub runbook: Option<String>,
    /// The rule's `images`, rendered.
    pub images: Vec<Image>,
    /// The rule's `links`, rendered; at most 10.
    pub links: Vec<Link>,
    /// The lines that led to the raise and those right behind it, at most [`MOST_LINES`] of at most 512 bytes each.
    pub lines: Vec<String>,
    /// The newest lines of the episode that are not among `lines`; bounded alike.
    pub last_lines: Vec<String>,
}

/// Most lines that are kept of the beginning of an episode, and most of its end.
pub const MOST_LINES: usize = 20;

/// How far a change has come. The words are those of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChangeStatus {
    /// Somebody means to do it.
    Planned,
    /// It is about to begin.
    Ready,
    /// It has begun.
    Processing,
    /// It is over, as it was meant to be.
    Done,
    /// It is over otherwise: given up, failed or rolled back.
    Canceled,
}

impl ChangeStatus {
    /// In the order of a change's life.
    pub const ALL: [ChangeStatus; 5] = [
        ChangeStatus::Planned,
        ChangeStatus::Ready,
        ChangeStatus::Processing,
        ChangeStatus::Done,
        ChangeStatus::Canceled,
    ];

    /// The word used in TOML, JSON and texts.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeStatus::Planned => "Planned",
            ChangeStatus::Ready => "Ready",
            ChangeStatus::Processing => "Processing",
            ChangeStatus::Done => "Done",
            ChangeStatus::Canceled => "Canceled",
        }
    }

    /// How far it is in the life of a change, 0 to 3. A change that is over is so in one of two ways, which are one stage.
    pub fn stage(self) -> u8 {
        match self {
            ChangeStatus::Planned => 0,
            ChangeStatus::Ready => 1,
            ChangeStatus::Processing => 2,
            ChangeStatus::Done | ChangeStatus::Canceled => 3,
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<ChangeStatus> {
        ChangeStatus::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What a line says of a change, such as a deployment or a maintenance: how far it has come, with everything a sink may
/// want to say about it. Nothing is opened by it and nothing has to be ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeReport {
    /// When the change came that far, or will: what the rule says, else the record's time.
    pub time: Timestamp,
    /// The time of the record.
    pub seen: Timestamp,
    /// The rule that says it.
    pub rule: RuleName,
    /// Digest over rule, scope and the whole change key: the change in ids and logs, where log text has no place.
    pub hash: KeyHash,
    /// Which change: log text, not empty, at most 255 bytes. A longer one ends in its digest.
    pub change_key: String,
    /// How far it has come.
    pub status: ChangeStatus,
    /// Which life of the change its sink hears of, from 1: one that begins again after its end lives again.
    pub life: u32,
    /// The line that says so. `(rule, change_key, at)` is unique and survives a crash.
    pub at: Position,
    /// Constant labels, and scope as `instance`.
    pub labels: Labels,
    /// Labels with captured text.
    pub details: Labels,
    /// The rule's `summary`, rendered.
    pub summary: String,
    /// The rule's `description`, rendered.
    pub description: String,
    /// The rule's `link`, rendered; not empty.
    pub link: Option<String>,
    /// When it is planned to begin.
    pub starts: Option<Timestamp>,
    /// When it is planned to end.
    pub ends: Option<Timestamp>,
    /// The rule's `linked_changes`, rendered; none of them empty.
    pub linked_changes: Vec<String>,
    /// The rule's `runbook`, rendered; not empty.
    pub runbook: Option<String>,
    /// The rule's `images`, rendered.
    pub images: Vec<Image>,
    /// The rule's `links`, rendered; at most 10.
    pub links: Vec<Link>,
}

impl ChangeReport {
    /// The idempotency key: the same for every attempt, and after any crash. Holds no log text.
    pub fn id(&self) -> String {
        format!("{}:{}@{}.{}", self.rule, self.hash, self.at.file.0, self.at.offset)
    }
}

/// What a delivery does to the sink's picture of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeliveryKind {
    /// The sink has it as ok, and learns that it fires.
    Raise,
    /// The sink has it firing, and learns of another severity.
    Change,
    /// The sink has it firing, and learns that it is over.
    Resolve,
    /// A sign of life; never stored, never owed.
    Beat,
}

/// What is said by a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Of an alert: what the delivery does, and the transition.
    Alert(DeliveryKind, Transition),
    /// Of a change.
    Change(ChangeReport),
}

/// What deliveries to one sink stay in order for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// An alert.
    Alert(AlertKey),
    /// A change, by its key: several rules may speak of one.
    Change(String),
}

/// Something that is owed to a sink, until it is accepted or lies in the dead letters.
///
/// Once `attempted`, the content never changes: only signature, timestamp and authentication of the request may.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Order of creation, over all sinks; unique for the life of a state directory.
    pub seq: u64,
    /// To whom.
    pub sink: SinkName,
    /// What is said.
    pub content: Content,
    /// True from the commit before its first attempt on.
    pub attempted: bool,
}

impl Delivery {
    /// The idempotency key: the same for every attempt, and after any crash.
    pub fn id(&self) -> String {
        match &self.content {
            Content::Alert(_, t) => format!("{}@{}.{}", t.key, t.episode, t.step),
            Content::Change(report) => report.id(),
        }
    }

    /// What it is about, without log text: the alert key, or rule and digest of a change.
    pub fn about(&self) -> String {
        match &self.content {
            Content::Alert(_, transition) => transition.key.to_string(),
            Content::Change(report) => format!("{}:{}", report.rule, report.hash),
        }
    }

    /// What it stays in order for.
    pub fn subject(&self) -> Subject {
        match &self.content {
            Content::Alert(_, transition) => Subject::Alert(transition.key.clone()),
            Content::Change(report) => Subject::Change(report.change_key.clone()),
        }
    }

    /// What it says of an alert, if it is of one.
    pub fn alert(&self) -> Option<(DeliveryKind, &Transition)> {
        match &self.content {
            Content::Alert(kind, transition) => Some((*kind, transition)),
            Content::Change(_) => None,
        }
    }

    /// What it says of a change, if it is of one.
    pub fn change(&self) -> Option<&ChangeReport> {
        match &self.content {
            Content::Alert(..) => None,
            Content::Change(report) => Some(report),
        }
    }

    /// The time of the record that it comes from.
    pub fn time(&self) -> Timestamp {
        match &self.content {
            Content::Alert(_, transition) => transition.time,
            Content::Change(report) => report.seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_shown_and_nothing_else_is_one() {
        let hash = KeyHash(std::array::from_fn(|at| u8::try_from(at * 17).expect("15 * 17 is 255")));
        assert_eq!(KeyHash::parse(&hash.to_string()), Some(hash));
        for text in
            ["", "0", &"0".repeat(31), &"0".repeat(33), &"g".repeat(32), &"é".repeat(16), &"+0".repeat(16)]
        {
            assert_eq!(KeyHash::parse(text), None, "{text}");
        }
    }
}
