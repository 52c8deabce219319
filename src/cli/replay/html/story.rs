//! What a page remembers of a replay while it goes on: enough to be drawn at the end, and never more than fits into
//! a page, whatever the log is like.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::summary::labels_text;
use crate::engine::{Emitted, Tell};
use crate::model::{AlertKey, ChangeReport, ChangeStatus, Status, Timestamp};
use crate::rule::RuleIx;
use crate::untrusted::Untrusted;

/// Keys that are remembered; those that are drawn are chosen from them at the end.
const MOST_LANES: usize = 2000;
/// Changes of a key that are remembered.
const MOST_STEPS: usize = 200;
/// Transitions that the table shows, and lines about changes.
const MOST_ROWS: usize = 1000;
/// Characters that are shown of a text.
const LONGEST: usize = 300;
/// Pieces of time for which matches are counted.
const MOST_BINS: usize = 4096;

/// One key over time.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) rule: String,
    /// The labels that make it this key, escaped for one line.
    pub(super) labels: String,
    /// What it showed from when on.
    pub(super) steps: Vec<(Timestamp, Status)>,
    /// Changes that found no room.
    pub(super) more: u64,
    pub(super) pages: u64,
    pub(super) worst: Status,
}

/// One deployment, maintenance and the like over time.
#[derive(Clone, Debug)]
pub(super) struct ChangeLane {
    /// The rule that spoke of it first.
    pub(super) rule: String,
    /// Which change, escaped for one line.
    pub(super) key: String,
    /// What lines said of it from when on.
    pub(super) steps: Vec<(Timestamp, ChangeStatus)>,
    /// Lines that found no room.
    pub(super) more: u64,
}

/// One line about a change of the table. Texts are escaped for one line, but not for HTML.
#[derive(Debug)]
pub(super) struct ChangeRow {
    pub(super) seen: Timestamp,
    /// When it came that far, or will.
    pub(super) time: Timestamp,
    pub(super) status: ChangeStatus,
    pub(super) rule: String,
    pub(super) key: String,
    pub(super) summary: String,
    /// Where more is to be seen; as text, because a log may say anything.
    pub(super) link: String,
}

/// One transition of the table. Texts are escaped for one line, but not for HTML.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) time: Timestamp,
    pub(super) rule: String,
    pub(super) status: Status,
    pub(super) previous: Status,
    pub(super) reason: &'static str,
    pub(super) summary: String,
    pub(super) labels: String,
    /// Sinks are not told of it, because its rule says so.
    pub(super) held: bool,
    /// It came after the end of the log.
    pub(super) later: bool,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(in crate::cli::replay) struct Story {
    pub(super) lanes: BTreeMap<AlertKey, Lane>,
    /// Transitions of keys for which there was no room.
    pub(super) other_lanes: u64,
    pub(super) rows: Vec<Row>,
    /// Transitions that the table does not show.
    pub(super) other_rows: u64,
    /// Changes by their keys, whichever rules speak of them.
    pub(super) changes: BTreeMap<String, ChangeLane>,
    /// Lines about changes for which there was no room.
    pub(super) other_changes: u64,
    pub(super) change_rows: Vec<ChangeRow>,
    /// Lines about changes that the table does not show.
    pub(super) other_change_rows: u64,
    pub(super) matches: Bins,
}

impl Story {
    /// Lines fitted.
    pub(in crate::cli::replay) fn count_matches(&mut self, matches: &[(RuleIx, Timestamp)]) {
        matches.iter().for_each(|(_, time)| self.matches.add(*time));
    }

    /// A transition was decided. `paged`: a sink would have been told that something begins; `later`: after the end of
    /// the log.
    pub(in crate::cli::replay) fn tell(&mut self, emitted: &Emitted, paged: bool, later: bool) {
        let t = &emitted.transition;
        if let Some(lane) = self.lanes.get_mut(&t.key) {
            lane.pages += u64::from(paged);
        }
        // What is told again stands there already.
        if emitted.tell == Tell::IfOther {
            return;
        }
        if self.rows.len() < MOST_ROWS {
            self.rows.push(Row {
                time: t.time,
                rule: t.key.rule.to_string(),
                status: t.status,
                previous: t.previous,
                reason: t.reason.as_str(),
                summary: cut(&t.summary),
                labels: text_of(t.details.iter().chain(&t.labels)),
                held: emitted.tell == Tell::Known,
                later,
            });
        } else {
            self.other_rows += 1;
        }
        if !self.lanes.contains_key(&t.key) && self.lanes.len() >= MOST_LANES {
            self.other_lanes += 1;
            return;
        }
        let fresh = || Lane {
            rule: t.key.rule.to_string(),
            labels: text_of(t.labels.iter()),
            steps: Vec::new(),
            more: 0,
            pages: u64::from(paged),
            worst: Status::Ok,
        };
        let lane = self.lanes.entry(t.key.clone()).or_insert_with(fresh);
        if lane.steps.len() < MOST_STEPS {
            lane.steps.push((t.time, t.status));
        } else {
            lane.more += 1;
        }
        lane.worst = lane.worst.max(t.status);
    }

    /// A line said how far a change has come.
    pub(in crate::cli::replay) fn tell_change(&mut self, report: &ChangeReport) {
        let escaped = |text: &str| cut(&Untrusted(&cut(text)).to_string());
        if self.change_rows.len() < MOST_ROWS {
            self.change_rows.push(ChangeRow {
                seen: report.seen,
                time: report.time,
                status: report.status,
                rule: report.rule.to_string(),
                key: escaped(&report.change_key),
                summary: escaped(&report.summary),
                link: report.link.as_deref().map(escaped).unwrap_or_default(),
            });
        } else {
            self.other_change_rows += 1;
        }
        if !self.changes.contains_key(&report.change_key) && self.changes.len() >= MOST_LANES {
            self.other_changes += 1;
            return;
        }
        let fresh = || ChangeLane {
            rule: report.rule.to_string(),
            key: escaped(&report.change_key),
            steps: Vec::new(),
            more: 0,
        };
        let lane = self.changes.entry(report.change_key.clone()).or_insert_with(fresh);
        if lane.steps.len() < MOST_STEPS {
            lane.steps.push((report.seen, report.status));
        } else {
            lane.more += 1;
        }
    }

    /// The changes to draw, at most so many: those that began last, in the order in which they began.
    pub(super) fn drawn_changes(&self, most: usize) -> Vec<&ChangeLane> {
        let mut lanes: Vec<&ChangeLane> = self.changes.values().collect();
        lanes.sort_by_key(|lane| lane.steps.first().map(|(time, _)| *time));
        lanes.split_off(lanes.len().saturating_sub(most))
    }

    /// The lanes to draw, at most so many: those that matter most, in the order in which they begin.
    pub(super) fn drawn(&self, most: usize) -> Vec<&Lane> {
        let mut lanes: Vec<&Lane> = self.lanes.values().collect();
        lanes.sort_by_key(|lane| std::cmp::Reverse((lane.worst, lane.pages)));
        lanes.truncate(most);
        lanes.sort_by_key(|lane| lane.steps.first().map(|(time, _)| *time));
        lanes
    }
}

/// Labels but the scope, which is the same everywhere; escaped for one line.
fn text_of<'a>(labels: impl Iterator<Item = (&'a Arc<str>, &'a String)>) -> String {
    let told = labels.filter(|(name, _)| &***name != "instance");
    let text = labels_text(&told.map(|(name, value)| (name.clone(), cut(value))).collect());
    cut(text.trim_start())
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Counts over time, in pieces that grow with the time they span.
#[derive(Debug)]
pub(super) struct Bins {
    /// Microseconds of a piece.
    width: i64,
    counts: BTreeMap<i64, u64>,
    /// The piece of the last match, and how many of it are not in `counts` yet.
    last: (i64, u64),
}

impl Default for Bins {
    fn default() -> Bins {
        Bins { width: 1_000_000, counts: BTreeMap::new(), last: (0, 0) }
    }
}

impl Bins {
    fn add(&mut self, time: Timestamp) {
        let bin = time.0.div_euclid(self.width);
        if bin == self.last.0 {
            self.last.1 += 1;
            return;
        }
        self.settle();
        self.last = (time.0.div_euclid(self.width), 1);
    }

    fn settle(&mut self) {
        let (bin, count) = std::mem::take(&mut self.last);
        if count > 0 {
            *self.counts.entry(bin).or_default() += count;
        }
        while self.counts.len() > MOST_BINS {
            self.width = self.width.saturating_mul(2);
            let finer = std::mem::take(&mut self.counts);
            for (bin, count) in finer {
                *self.counts.entry(bin.div_euclid(2)).or_default() += count;
            }
        }
    }

    /// Counts of `parts` equal parts of a span, 1 or more.
    #[expect(clippy::cast_precision_loss, reason = "a picture has a few hundred bars")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share lies between 0 and 1"
    )]
    pub(super) fn over(&mut self, from: Timestamp, to: Timestamp, parts: usize) -> Vec<u64> {
        self.settle();
        let mut counts = vec![0; parts];
        for (bin, count) in &self.counts {
            let middle = Timestamp(bin.saturating_mul(self.width).saturating_add(self.width / 2));
            let part = super::picture::share(middle, from, to) * counts.len() as f64;
            let last = counts.len() - 1;
            counts[(part as usize).min(last)] += count;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_counted_where_they_are_however_long_a_log_is() {
        for step in [1_000, 1_000_000, 3_600_000_000, 86_400_000_000] {
            let mut bins = Bins::default();
            let at = |number: i64| Timestamp(-5_000 * step + number * step);
            for number in 0..10_000 {
                for _ in 0..=number / 5_000 {
                    bins.add(at(number));
                }
            }
            let counts = bins.over(at(0), at(10_000), 4);
            assert!(bins.counts.len() <= MOST_BINS);
            assert_eq!(counts.iter().sum::<u64>(), 15_000);
            // To within one piece.
            for (count, expected) in counts.iter().zip([2_500, 2_500, 5_000, 5_000]) {
                assert!(step < 1_000_000 || count.abs_diff(expected) < 20, "{step}: {counts:?}");
            }
        }
        let mut bins = Bins::default();
        [Timestamp::MIN, Timestamp::MAX, Timestamp(0)].into_iter().for_each(|time| bins.add(time));
        assert_eq!(bins.over(Timestamp(0), Timestamp(0), 3).iter().sum::<u64>(), 3);
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(cut("ab"), "ab");
        let long = "é".repeat(LONGEST + 1);
        assert_eq!(cut(&long).chars().count(), LONGEST + 1);
        assert!(cut(&long).ends_with("é…"));
    }
}
