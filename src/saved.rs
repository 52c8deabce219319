//! What survives a crash, as data: the rows that `tail`, `engine`, `route` and `sink` hand to the store and get
//! back at the next start. The store encodes them field by field in this order, so every change of a struct here
//! (or of the types of `model` it holds) is a change of `store::FORMAT`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    AlertKey, ChangeStatus, Delivery, Episode, FileId, KeyHash, Position, Reason, RuleName, SinkName,
    SourceName, Status, Timestamp, Transition,
};

/// Which file it is, as far as the kernel tells: never compared across file systems by `inode` alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Locator {
    /// Device number.
    pub dev: u64,
    /// Inode number; reused by the next file as a matter of course.
    pub inode: u64,
    /// What tells two lives of one inode apart: the file handle's bytes, else the birth time, else nothing.
    pub generation: Generation,
}

/// Bytes that tell two lives of one inode apart. Those of a birth time take no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct Generation(Bytes);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Bytes {
    /// So many of these.
    Few(u8, [u8; FEW]),
    Many(Box<[u8]>),
}

const FEW: usize = 14;

impl Generation {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len)],
            Bytes::Many(bytes) => bytes,
        }
    }

    /// True if nothing tells two lives apart.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl From<&[u8]> for Generation {
    fn from(bytes: &[u8]) -> Generation {
        let mut few = [0; FEW];
        Generation(match (few.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(part), Ok(len)) => {
                part.copy_from_slice(bytes);
                Bytes::Few(len, few)
            }
            _ => Bytes::Many(bytes.into()),
        })
    }
}

impl From<Vec<u8>> for Generation {
    fn from(bytes: Vec<u8>) -> Generation {
        bytes.as_slice().into()
    }
}

impl From<Generation> for Vec<u8> {
    fn from(generation: Generation) -> Vec<u8> {
        generation.as_bytes().to_vec()
    }
}

/// Evidence about content: a digest of the `len` bytes that end at offset `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Offset behind the last byte that the digest covers.
    pub end: u64,
    /// How many bytes it covers; 0: it proves nothing.
    pub len: u16,
    /// Digest of them.
    pub digest: u64,
}

/// One followed content, as far as it was applied to the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFile {
    /// Its id for ever.
    pub id: FileId,
    /// The source that follows it.
    pub source: SourceName,
    /// The last name it was seen under, as the bytes the kernel gave.
    pub path: Vec<u8>,
    /// The names before that one, the latest first; at most 4. A copy of it is named after one of them.
    pub former: Vec<Vec<u8>>,
    /// Which file it is.
    pub locator: Locator,
    /// The first bytes (up to 1024) of the content.
    pub head: Guard,
    /// Bytes at or before `offset` that must still be there if the content is the same.
    pub guard: Guard,
    /// All bytes before it were applied. The beginning of a line, unless `skipping`.
    pub offset: u64,
    /// True if `offset` lies in the rest of an over-long line, which is skipped up to its end.
    pub skipping: bool,
    /// True if nothing more comes of it: it is only there to tell its copies from new contents.
    pub ended: bool,
}

/// What is remembered of a source itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSource {
    /// Which.
    pub name: SourceName,
    /// When it was first followed: files born later are read from their beginning.
    pub first_seen: Timestamp,
}

/// What the engine knows of the time of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedClock {
    /// Which file.
    pub file: FileId,
    /// The source it belongs to.
    pub source: SourceName,
    /// Its path, for texts.
    pub path: Arc<str>,
    /// Stamp of its newest record.
    pub newest: Option<Timestamp>,
    /// Arrival minus stamp of that record, in microseconds, 0 to `max_age`.
    pub lag_us: u64,
    /// What an unterminated line that was matched early has counted already.
    pub flushed: Option<SavedFlush>,
}

/// An unterminated line that was matched before its end came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFlush {
    /// Where it begins.
    pub offset: u64,
    /// The rules and keys it has counted for.
    pub counted: Vec<(RuleName, KeyHash)>,
}

/// A run of equal times in a window, or of what a coarse window takes for equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The record time.
    pub time: Timestamp,
    /// How many matches had it.
    pub n: u64,
    /// What the rule's measure keeps of them: the bits of a number, or a digest of a text; else 0.
    pub x: u64,
}

/// One comparison of a ladder, for one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// Since when the comparison is true without break; `None`: it is false.
    pub since: Option<Timestamp>,
    /// The moment up to which the level held (exclusive), or `MAX` while it holds; `None`: not in this episode.
    pub held: Option<Timestamp>,
}

/// One key of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedKey {
    /// The rule.
    pub rule: RuleName,
    /// The key.
    pub hash: KeyHash,
    /// Names and raw values of `by`, sorted by name.
    pub by: Vec<(Arc<str>, Vec<u8>)>,
    /// [`crate::rule::Rule::condition_digest`] of the rule that made the window and the rungs.
    pub condition_digest: [u8; 16],
    /// Everything up to here is decided.
    pub clock: Timestamp,
    /// When it was first seen, or first expected; of what has to come by a time, or when an operator ended its alert; of few
    /// matches, from when on they are counted.
    pub born: Timestamp,
    /// Time of the newest match.
    pub last_match: Timestamp,
    /// The ladder's state.
    pub rungs: [Rung; 3],
    /// Set from a match until its recovery line, for rules that latch.
    pub latched: bool,
    /// The episode that is pending or open: its first match.
    pub episode: Option<Episode>,
    /// Matches of the episode.
    pub total: u64,
    /// The last transition of the episode, which holds all that was told of it; `None`: nothing is open.
    pub open: Option<Transition>,
    /// True if a transition was stale and the sinks may have to be told at the end of the backlog.
    pub untold: bool,
    /// True if its raise is held back from sinks that know nothing of the episode.
    pub held: bool,
    /// What it showed when it was folded into an alert about a storm; `None`: it is told by itself.
    pub folded: Option<Status>,
    /// When it was last raised, and the newest line at that moment.
    pub raised: Option<(Timestamp, Position)>,
    /// When it was raised and resolved lately.
    pub turns: Vec<Timestamp>,
    /// True while it is kept open because it comes and goes.
    pub flapping: bool,
    /// The files its matches came from.
    pub files: Vec<FileId>,
    /// Captures of the newest match, by name, cut to 2048 bytes each.
    pub captures: Vec<(Arc<str>, Vec<u8>)>,
    /// The first lines of the episode, cut to 512 bytes each.
    pub lines: Vec<String>,
    /// The last ones that are not among the first, cut alike.
    pub last_lines: Vec<String>,
    /// True if a line between the first and the last was let go.
    pub lines_gap: bool,
    /// The newest line, cut to 512 bytes.
    pub line: String,
    /// Number of the window's first chunk that is still needed.
    pub first_chunk: u64,
    /// The step to which times of a coarse window are cut, in microseconds; 0: they are exact.
    pub step_us: i64,
    /// The number of the newest match, for rules that look at that alone.
    pub newest_number: Option<f64>,
    /// [`crate::rule::Rule::outlives`] of its rule.
    pub outlives: Option<Duration>,
    /// Set while an alert is open without a rule: when it is over at the latest.
    pub orphan_until: Option<Timestamp>,
}

/// Alerts that nobody wants to be told of for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSilence {
    /// What it is called; rises with time.
    pub id: u64,
    /// What has to be true of an alert, as it was written; all of them.
    pub terms: Vec<String>,
    /// When it was made.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
    /// Why.
    pub comment: String,
}

/// What a sink was last told of an alert. A missing row means `ok`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// To whom.
    pub sink: SinkName,
    /// Of what.
    pub key: AlertKey,
    /// What it showed.
    pub status: Status,
}

/// How far a sink was told that a change has come, for peers to which changes only go forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldChange {
    /// To whom.
    pub sink: SinkName,
    /// Of which change: log text.
    pub change_key: String,
    /// What was told last.
    pub status: ChangeStatus,
    /// In which life of the change, from 1.
    pub life: u32,
    /// The time of the line that began this life, as far as this sink heard of it.
    pub since: Timestamp,
    /// The time of the newest line of it.
    pub seen: Timestamp,
    /// When it was told.
    pub at: Timestamp,
    /// The number of that delivery.
    pub seq: u64,
}

/// What a sink was told last, for a peer that forgets what it is not told again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedStanding {
    /// The delivery that was accepted: of an alert, and no sign of life.
    pub delivery: Delivery,
    /// It is told again until then: of what fires for ever, which is `MAX`.
    pub until: Timestamp,
}

/// The beginning of an alert that a sink refused for good. Unless the sink takes something of the episode after all, it
/// is not told of the end, even if nobody keeps the dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Who refused.
    pub sink: SinkName,
    /// Of which alert.
    pub key: AlertKey,
    /// In which episode.
    pub episode: Episode,
}

/// What a notice on a status page is about; it also names the notice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NoticeOf {
    /// All alerts of a rule.
    Rule(RuleName),
    /// One alert.
    Alert(AlertKey),
    /// A change, by its key.
    Change(String),
}

/// How far a notice on a status page has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// It speaks of a change that has not begun.
    Planned,
    /// It speaks of what is so now.
    Open,
    /// It was closed, at that second since the epoch.
    Closed(i64),
    /// Somebody deleted it on the page while alerts were open; they are counted, and nothing is said of them.
    Deleted,
    /// Nothing has to be remembered of it. That is what a missing row says, so it removes the row.
    Past,
}

/// Something that stands on a status page for alerts or for a change, as far as the page is known to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The sink that put it there.
    pub sink: SinkName,
    /// What it is about.
    pub about: NoticeOf,
    /// The peer's number for it.
    pub change_id: i64,
    /// Its title, at most 255 characters.
    pub title: String,
    /// Time of the newest thing that was said in it, in seconds since the epoch. Later ones lie behind it.
    pub said_at: i64,
    /// The components it speaks of, by the peer's ids.
    pub components: Vec<String>,
    /// The alerts that are open in it, with what they show; never `ok`.
    pub open: Vec<(AlertKey, Status)>,
    /// How far it has come.
    pub stage: Stage,
}

/// What an alert did, for whoever looks back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStep {
    /// Rises with each step.
    pub number: u64,
    /// When it was decided.
    pub decided: Timestamp,
    /// When it became true, in record time.
    pub time: Timestamp,
    /// Which alert.
    pub key: AlertKey,
    /// What it showed from then on.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// Its summary, cut to 200 characters.
    pub summary: String,
}

/// A delivery that the peer will never take as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// What was owed.
    pub delivery: Delivery,
    /// When it was given up.
    pub at: Timestamp,
    /// The peer's answer, without secrets.
    pub why: String,
}

/// All of it, as read at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// Sources ever followed.
    pub sources: Vec<SavedSource>,
    /// Files. There may be many: whoever takes them out one by one gives their memory back one by one.
    pub files: BTreeMap<FileId, SavedFile>,
    /// Clocks of the same files.
    pub clocks: BTreeMap<FileId, SavedClock>,
    /// Keys.
    pub keys: Vec<SavedKey>,
    /// Window chunks: rule, key, number, entries; sorted.
    pub chunks: Vec<(RuleName, KeyHash, u64, Vec<Entry>)>,
    /// The ledger.
    pub told: Vec<Told>,
    /// The ledger of changes.
    pub told_changes: Vec<ToldChange>,
    /// What is owed, in the order of `seq`.
    pub outbox: Vec<Delivery>,
    /// What was given up.
    pub dead: Vec<DeadLetter>,
    /// What is told again and again.
    pub standing: Vec<SavedStanding>,
    /// What was refused, of alerts that are not over for the sinks.
    pub refused: Vec<Refused>,
    /// What stands on status pages.
    pub notices: Vec<Notice>,
    /// What is silent.
    pub silences: Vec<SavedSilence>,
    /// What alerts did lately, in the order of their numbers.
    pub steps: Vec<SavedStep>,
    /// The next free file id; 1 in a new store.
    pub next_file: u64,
    /// The next free delivery number.
    pub next_seq: u64,
    /// The most that the wall clock had shown when names were reconciled with files, or at the birth of one.
    pub swept_to: Timestamp,
}
