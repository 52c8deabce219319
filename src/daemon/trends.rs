//! What the counters of rules and sources come to over time: matches by the minute, bytes by the second, and when
//! something was last. Kept from one look to the next; a restart begins anew.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::http::View;
use crate::model::{RuleName, SourceName, Timestamp};

/// Minutes that are kept.
const MINUTES: usize = 60;
const MINUTE_US: i64 = 60_000_000;
/// Over how long a rate is taken.
const RATE: Duration = Duration::from_secs(10);

/// The trends of all rules and sources.
#[derive(Debug, Default)]
pub(super) struct Trends {
    rules: BTreeMap<RuleName, RuleTrend>,
    sources: BTreeMap<SourceName, SourceTrend>,
    /// The newest minute, counted from the epoch.
    minute: Option<i64>,
}

/// How a rule fared.
#[derive(Clone, Debug, Default)]
pub(super) struct RuleTrend {
    seen: u64,
    /// The newest last.
    pub(super) minutes: VecDeque<u64>,
    pub(super) last_match: Option<Timestamp>,
}

/// How a source fared.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceTrend {
    /// Bytes at moments of the last seconds.
    looks: VecDeque<(Timestamp, u64)>,
    pub(super) last_read: Option<Timestamp>,
}

impl SourceTrend {
    /// Bytes in a second.
    #[expect(clippy::cast_precision_loss, reason = "it is shown with three digits")]
    pub(super) fn rate(&self) -> f64 {
        let (Some((from, first)), Some((to, last))) = (self.looks.front(), self.looks.back()) else {
            return 0.0;
        };
        let span = to.since(*from).as_secs_f64();
        if span > 0.0 { last.saturating_sub(*first) as f64 / span } else { 0.0 }
    }
}

impl Trends {
    /// Takes a look at the counters.
    pub(super) fn look(&mut self, view: &View, now: Timestamp) {
        let minute = now.0.div_euclid(MINUTE_US);
        let passed = usize::try_from(minute - self.minute.unwrap_or(minute)).unwrap_or(0).min(MINUTES);
        self.minute = Some(minute);
        self.rules.retain(|name, _| view.rules.iter().any(|rule| rule.name == *name));
        for rule in &view.rules {
            let trend = self.rules.entry(rule.name.clone()).or_default();
            trend.minutes.extend(std::iter::repeat_n(0, passed));
            if trend.minutes.is_empty() {
                trend.minutes.push_back(0);
            }
            while trend.minutes.len() > MINUTES {
                trend.minutes.pop_front();
            }
            // A reload counts from nothing again.
            let new = rule.matches.checked_sub(trend.seen).unwrap_or(rule.matches);
            trend.seen = rule.matches;
            if new > 0 {
                trend.last_match = Some(now);
                if let Some(newest) = trend.minutes.back_mut() {
                    *newest += new;
                }
            }
        }
        self.sources.retain(|name, _| view.sources.iter().any(|source| source.name == *name));
        for source in &view.sources {
            let trend = self.sources.entry(source.name.clone()).or_default();
            let before = trend.looks.back().map_or(0, |(_, bytes)| *bytes);
            if source.read_bytes > before {
                trend.last_read = Some(now);
            }
            trend.looks.push_back((now, source.read_bytes));
            while trend.looks.len() > 2 && now.since(trend.looks[1].0) >= RATE {
                trend.looks.pop_front();
            }
        }
    }

    /// When the newest minute began.
    pub(super) fn minute(&self) -> Timestamp {
        Timestamp(self.minute.unwrap_or_default() * MINUTE_US)
    }

    pub(super) fn rule(&self, name: &RuleName) -> RuleTrend {
        self.rules.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn source(&self, name: &str) -> SourceTrend {
        let found = self.sources.iter().find(|(known, _)| known.as_str() == name);
        found.map(|(_, trend)| trend.clone()).unwrap_or_default()
    }
}
