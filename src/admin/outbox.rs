//! Sinks in detail, and what is owed to them or was given up.

use serde::{Deserialize, Serialize};

use super::{Sink, rfc3339};
use crate::model::{Content, Delivery, SinkName, Timestamp};

/// Rows of each kind in one answer, at most; how many more there are is said.
pub const MOST_ROWS: usize = 1_000;

/// A sink, and how it fared since the process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinkDetail {
    /// What `tripline status` shows too.
    #[serde(flatten)]
    pub sink: Sink,
    /// The type of its peer; empty: it is not in the configuration any more.
    pub kind: String,
    /// Attempts that wait for an answer.
    pub in_flight: u64,
    /// Seconds since nothing was accepted any more though it was tried; `None`: all is well.
    pub failing_seconds: Option<f64>,
    /// Seconds until it is tried next; `None`: at once, or nothing is owed, or an answer has to come first.
    pub next_seconds: Option<f64>,
    /// Seconds since something was accepted last.
    pub accepted_seconds: Option<f64>,
    /// What the peer said then.
    pub accepted_note: Option<String>,
    /// Rows accepted.
    pub accepted: u64,
    /// Outcomes that said: later.
    pub retried: u64,
    /// Outcomes that suspended it.
    pub suspends: u64,
    /// Rows that a later one made needless.
    pub coalesced: u64,
    /// Finished episodes that were dropped because the queue was full.
    pub folded: u64,
    /// Finished episodes that were given up because they were too old.
    pub expired: u64,
    /// Words about changes that came after later ones.
    pub late: u64,
    /// Dead letters that are kept.
    pub letters: u64,
}

/// Something that is owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    /// Its number.
    pub number: u64,
    /// To whom.
    pub sink: String,
    /// The alert's key, or the rule and the digest of a change.
    pub about: String,
    /// `info`, `warning`, `critical` or `ok`; of a change how far it has come.
    pub status: String,
    /// The time of the record that it comes from.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Its summary: log text.
    pub summary: String,
    /// True if it was sent before and may have arrived.
    pub attempted: bool,
}

impl From<&Delivery> for Owed {
    fn from(row: &Delivery) -> Owed {
        let (status, summary) = match &row.content {
            Content::Alert(_, told) => (told.status.as_str(), &told.summary),
            Content::Change(report) => (report.status.as_str(), &report.summary),
        };
        Owed {
            number: row.seq,
            sink: row.sink.to_string(),
            about: row.about(),
            status: status.to_owned(),
            time: row.time(),
            summary: summary.clone(),
            attempted: row.attempted,
        }
    }
}

/// Something that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// What was owed.
    #[serde(flatten)]
    pub owed: Owed,
    /// When it was given up.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// What the peer said.
    pub why: String,
}

/// What is owed and what was given up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// Owed, the oldest first; [`MOST_ROWS`] at most.
    pub owed: Vec<Owed>,
    /// Owed besides these.
    pub more_owed: u64,
    /// Given up, the oldest first; [`MOST_ROWS`] at most.
    pub dead: Vec<Letter>,
    /// Given up besides these.
    pub more_dead: u64,
}

/// Which dead letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// Their numbers.
    #[serde(default)]
    pub numbers: Vec<u64>,
    /// All of this sink.
    #[serde(default)]
    pub sink: Option<String>,
    /// All of them.
    #[serde(default)]
    pub all: bool,
}

impl Which {
    /// True if this one is meant.
    pub fn means(&self, letter: &Delivery) -> bool {
        let named = self.numbers.contains(&letter.seq);
        self.all || named || self.means_queue(&letter.sink)
    }

    /// True if all of that queue are meant: it is named, or the sink whose queue it is, configured or not.
    pub fn means_queue(&self, queue: &SinkName) -> bool {
        self.sink.as_deref().is_some_and(|sink| queue.is_of(sink))
    }
}

/// What was dropped with a sink that is not configured any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gone {
    /// What it was owed, the oldest first; [`MOST_ROWS`] at most.
    pub owed: Vec<Owed>,
    /// Owed besides these.
    pub more_owed: u64,
    /// Alerts that it was told of, and is not told the end of.
    pub open: u64,
}

/// What became of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Letters {
    /// Numbers of those it was done with, and that will last.
    pub done: Vec<u64>,
    /// Numbers of the others, and why not.
    pub refused: Vec<(u64, String)>,
    /// What was dropped besides, and that will last.
    #[serde(default)]
    pub gone: Option<Gone>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_named_with_all_of_its_queues() {
        let which = |sink: &str| Which { sink: Some(sink.to_owned()), ..Which::default() };
        let check = |which: Which, queue: &str, expected| {
            assert_eq!(which.means_queue(&SinkName::new(queue)), expected, "{which:?} {queue}");
        };
        check(which("am"), "am", true);
        check(which("am"), "am/10.0.0.1:9093", true);
        check(which("am/10.0.0.1:9093"), "am/10.0.0.1:9093", true);
        check(which("am"), "am-2", false);
        check(which("am/10.0.0.1"), "am/10.0.0.1:9093", false);
        check(which("am/10.0.0.1:9093"), "am", false);
        check(Which::default(), "am", false);
    }
}
