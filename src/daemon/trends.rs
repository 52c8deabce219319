//! What the counters of rules and sources come to over time: matches by the minute, bytes by the second, and when
//! something was last. Kept from one look to the next; a restart begins anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
        // Only a reload takes rules away: nobody compares all names four times a second.
        if self.rules.len() > view.rules.len() {
            let known: BTreeSet<&RuleName> = view.rules.iter().map(|rule| &rule.name).collect();
            self.rules.retain(|name, _| known.contains(name));
        }
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
        if self.sources.len() > view.sources.len() {
            let known: BTreeSet<&SourceName> = view.sources.iter().map(|source| &source.name).collect();
            self.sources.retain(|name, _| known.contains(name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RuleView;

    /// What is counted of rules, by name.
    fn view(rules: &[(&str, u64)]) -> View {
        let rule = |(name, matches): &(&str, u64)| RuleView {
            name: RuleName::new(*name),
            tried: 0,
            matches: *matches,
            recoveries: 0,
            keys: 0,
            dismissed: 0,
            unreadable: 0,
            unknown_status: 0,
            stale_changes: 0,
            late: 0,
            overflow: 0,
            forgotten: 0,
        };
        View { rules: rules.iter().map(rule).collect(), ..View::default() }
    }

    #[test]
    fn matches_are_kept_by_the_minute_and_go_with_their_rule() {
        let mut trends = Trends::default();
        let mut check = |second, rules: &[(&str, u64)], minutes: &[u64]| {
            trends.look(&view(rules), Timestamp::from_secs(second));
            assert_eq!(trends.rule(&RuleName::new("a")).minutes, minutes, "{second}");
        };
        check(60, &[("a", 3)], &[3]);
        check(119, &[("a", 5)], &[5]);
        check(120, &[("a", 5)], &[5, 0]);
        check(240, &[("a", 6)], &[5, 0, 0, 1]);
        // Counters begin anew with a reload.
        check(241, &[("a", 2)], &[5, 0, 0, 3]);
        // Another rule in its place, and an hour without a look.
        check(242, &[("b", 0)], &[]);
        check(243, &[("a", 1), ("b", 0)], &[1]);
        check(7_500, &[("a", 1), ("b", 0)], &[0; MINUTES]);
        assert_eq!(trends.rule(&RuleName::new("a")).last_match, Some(Timestamp::from_secs(243)));
    }
}
