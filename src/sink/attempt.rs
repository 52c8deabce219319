//! What goes between a queue, its courier and the store: limits in, attempts out, outcomes in, changes out.

use std::time::Duration;

use super::budget::Budget;
use super::standing::Resend;
use crate::model::{AlertKey, Delivery, SinkName, Timestamp};
use crate::saved::{DeadLetter, Notice, Refused, SavedStanding};

/// What a queue may do, per peer.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most rows in one attempt, 1 or more.
    pub unit: usize,
    /// True: rows go one by one while the budgets have a send for each that is ready, and together only beyond that.
    pub digest: bool,
    /// Most bytes in one attempt, counted as the JSON lines of its rows; a row that is larger goes alone. `usize::MAX`:
    /// nothing is counted.
    pub unit_bytes: usize,
    /// How long a unit that is not full may wait for more rows. 0: not at all.
    pub linger: Duration,
    /// Most attempts in flight, 1 or more.
    pub concurrency: usize,
    /// Budgets of attempts; all hold at once.
    pub budgets: Vec<Budget>,
    /// Upper bound of the first wait after a failure; each further one doubles it. 1 s.
    pub retry_base: Duration,
    /// Upper bound of every wait. 5 min.
    pub retry_cap: Duration,
    /// How often the wait that the peer asks for is doubled while it goes on asking for one. 0.
    pub wait_doublings: u32,
    /// True if nothing is sent in the first seconds of each full and each half hour, when everybody's reports are: how
    /// many seconds is drawn for each queue, so that not all wait for the same moment.
    pub shuns_half_hours: bool,
    /// How often a suspended sink is tried with one row.
    pub probe_every: Duration,
    /// Rows from which on what was never attempted is dropped: first what is said of changes, then finished episodes,
    /// the oldest first. Rows that may not be dropped stay, at most three for each alert that is open, so the queue has
    /// a bound however long the peer is away. 10 000.
    pub max_rows: usize,
    /// Failures in a row after which only single probes are sent; what fails together, or within the longest wait of a row
    /// after so many failures, is one. 5, which takes 15 s at the least.
    pub breaker_after: u32,
    /// What was over so long ago and was never attempted is given up: nobody wants to be woken by it. What the peer may
    /// know of is owed for ever. 24 h.
    pub max_age: Duration,
    /// How the peer is told again what it was told; `None`: it remembers.
    pub resend: Option<Resend>,
    /// True if rows are tried strictly one after the other, the oldest first, whatever they are about: what is said to
    /// the peer depends on what was said before.
    pub in_order: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            unit: 1,
            digest: false,
            unit_bytes: usize::MAX,
            linger: Duration::ZERO,
            concurrency: 1,
            budgets: Vec::new(),
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_secs(5 * 60),
            wait_doublings: 0,
            shuns_half_hours: false,
            probe_every: Duration::from_secs(60),
            max_rows: 10_000,
            breaker_after: 5,
            max_age: Duration::from_secs(24 * 3600),
            resend: None,
            in_order: false,
        }
    }
}

/// What became of one row of an attempt. The texts hold no secret and go to the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer has it.
    Accepted {
        /// What the peer said, such as its number for the request.
        note: String,
    },
    /// The peer may take it later. It may have it already: the answer could have been lost.
    Retry {
        /// How long the peer wants to be left alone, by everyone.
        after: Option<Duration>,
        /// What went wrong.
        why: String,
    },
    /// The peer takes nothing until someone changes settings, a key or a licence.
    Suspend {
        /// What is refused.
        why: String,
    },
    /// The row is too large; it is tried once more with less in it, then given up.
    Shrink {
        /// What the peer said.
        why: String,
    },
    /// The peer refused a unit of several rows, and not each of them may be to blame: the row is tried again by itself.
    Alone {
        /// What the peer said.
        why: String,
    },
    /// The peer will never take this row.
    Dead {
        /// What the peer said.
        why: String,
    },
}

/// What an HTTP status means to a peer of which nothing better is known; `why` is what is said of it. Of a status that
/// says yes, too: then what was answered is not what that peer answers.
pub(super) fn by_status(status: u16, why: String, retry: impl Fn(String) -> Outcome) -> Outcome {
    match status {
        300..400 => Outcome::Suspend { why: format!("{status}: redirects are not followed; correct `url`") },
        401..=405 | 407 | 410 | 421 | 428 | 451 => Outcome::Suspend { why },
        413 => Outcome::Shrink { why },
        408 | 409 | 423 | 425 | 429 => retry(why),
        400..500 => Outcome::Dead { why },
        _ => retry(why),
    }
}

/// Rows to be sent together, once everything that was emitted with them is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Names the attempt in [`Queue::handle`](super::queue::Queue::handle); 1 or more, unique for the life of the queue.
    pub id: u64,
    /// To whom.
    pub sink: SinkName,
    /// What, all of different alerts and changes.
    pub deliveries: Vec<Delivery>,
    /// How often these rows were tried in this process, this time included; the most over all rows.
    pub number: u32,
    /// True if the peer found the row too large: leave out what can be missed.
    pub shrink: bool,
    /// Why it is made.
    pub purpose: Purpose,
    /// What came before, for peers to whom nothing may be said twice.
    pub before: Before,
}

/// Why an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Its rows are owed.
    Owed,
    /// The peer forgets what it is not told again.
    Again,
    /// We stop: what fires is to be believed for so long without us.
    Hold(Duration),
}

/// What is known before an attempt, for peers to whom nothing may be said twice. Without [`Limits::in_order`] only
/// `again` means something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Before {
    /// True if it may have been said: by an attempt that got no answer, or by a process that is gone.
    pub again: bool,
    /// What ends the episode or the change that the row speaks of, if that is owed too.
    pub end: Option<Box<Delivery>>,
    /// What the sink has on its page; filled in by who keeps it.
    pub notices: Vec<Notice>,
}

/// What has to become durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The row with this `seq` now reads so.
    Put(Delivery),
    /// The row with this `seq` is owed no longer.
    Remove(u64),
    /// The row is owed no longer and lies among the dead letters instead.
    Dead(DeadLetter),
    /// This is told again from now on.
    Stand(SavedStanding),
    /// This alert is told to this sink again no longer.
    Unstand(SinkName, AlertKey),
    /// The beginning of this alert was refused for good: its end is not told.
    Refused(Refused),
    /// That is of no account any more.
    Unrefused(SinkName, AlertKey),
}

/// What a sink's part of the status page shows. Counts are since the start of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// Rows owed, those in flight included.
    pub queued: usize,
    /// Attempts in flight.
    pub in_flight: usize,
    /// Time of the oldest record of which something is owed.
    pub oldest: Option<Timestamp>,
    /// Why nothing but probes is sent until settings change; the peer's words, without secrets.
    pub suspended: Option<String>,
    /// True while only single probes are sent because the peer failed too often.
    pub breaker_open: bool,
    /// When it is tried next, if that is not now: it waits after a failure, for as long as the peer asked, or for its
    /// rate. `None` too if nothing is owed, or an answer has to come first.
    pub next_attempt: Option<Timestamp>,
    /// What the last failed attempt said; `None` once something was accepted after it.
    pub last_failure: Option<String>,
    /// Since when nothing was accepted though it was tried; `None` once something was.
    pub failing_since: Option<Timestamp>,
    /// Rows refused for good since something was accepted, and what was said of the last one.
    pub refused: u64,
    /// See there; `None` if there are none.
    pub refusal: Option<String>,
    /// When something was accepted last, and what the peer said then.
    pub last_accepted: Option<(Timestamp, String)>,
    /// Rows accepted.
    pub accepted: u64,
    /// Outcomes that said: later.
    pub retried: u64,
    /// Outcomes that suspended the sink.
    pub suspends: u64,
    /// Outcomes that asked for less.
    pub shrunk: u64,
    /// Rows given up.
    pub dead: u64,
    /// Finished episodes and words about changes, never attempted, that were dropped because the queue was full.
    pub folded: u64,
    /// Finished episodes and words about changes, never attempted, that were given up because they had become too old.
    pub expired: u64,
    /// Rows that a later one of the same episode made needless.
    pub coalesced: u64,
    /// Resolves that were not sent because the peer had refused their raise.
    pub skipped: u64,
}
