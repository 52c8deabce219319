//! How far each sink was told that each change has come, so that nobody hears of an earlier status after a later one.
//!
//! ```text
//! Planned ▶ Ready ▶ Processing ▶ Done or Canceled      one life: it only goes forward, steps may be left out
//!    ▲         ▲          ▲               │
//!    └─────────┴──────────┴───────────────┘            the next life
//! ```
//!
//! What comes late, by its status or by the time of its line, is not told. Sinks that only write down what they hear
//! are told everything as it is.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{ChangeReport, ChangeStatus, Delivery, SinkName, Timestamp};
use crate::saved::ToldChange;

/// Changes that are remembered, over all sinks: those that were told of last.
const MOST: usize = 10_000;

/// A change is forgotten when nothing was told of it for so long.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What follows from one report: all of it belongs into the commit of its line.
#[derive(Debug, Default, PartialEq)]
pub struct RoutedChange {
    /// What is owed.
    pub deliveries: Vec<Delivery>,
    /// What sinks were told now.
    pub told: Vec<ToldChange>,
    /// Of which changes it is forgotten what they were told.
    pub forgotten: Vec<(SinkName, String)>,
}

/// What sinks were told of changes.
#[derive(Debug, Default)]
pub(super) struct Lives {
    told: BTreeMap<(SinkName, String), ToldChange>,
    /// The same, by the number of the last delivery: the oldest first.
    latest: BTreeMap<u64, (SinkName, String)>,
    /// Reports that came too late, since the process began.
    late: BTreeMap<SinkName, u64>,
}

impl Lives {
    /// As it was committed.
    pub(super) fn new(rows: &[ToldChange]) -> Lives {
        let mut lives = Lives::default();
        for row in rows {
            lives.keep(row.clone());
        }
        lives
    }

    /// Which life of its change a report tells `sink` of; `None`: it comes too late, and is counted.
    pub(super) fn life(&mut self, sink: &SinkName, report: &ChangeReport) -> Option<u32> {
        let known = self.told.get(&(sink.clone(), report.change_key.clone()));
        let life = known.map_or(Some(1), |known| life(known, report));
        if life.is_none() {
            *self.late.entry(sink.clone()).or_default() += 1;
        }
        life
    }

    /// Reports of which `sink` was not told because they came too late.
    pub(super) fn late(&self, sink: &SinkName) -> u64 {
        self.late.get(sink).copied().unwrap_or_default()
    }

    /// Forgets what `sink` was told; the keys of the changes.
    pub(super) fn forsake(&mut self, sink: &SinkName) -> Vec<String> {
        self.late.remove(sink);
        self.latest.retain(|_, (told, _)| told != sink);
        self.told.extract_if(.., |(told, _), _| told == sink).map(|((_, key), _)| key).collect()
    }

    /// True if `sink` was told something later since a report was owed to it.
    pub(super) fn is_overtaken(&self, sink: &SinkName, report: &ChangeReport) -> bool {
        let known = self.told.get(&(sink.clone(), report.change_key.clone()));
        known.is_some_and(|known| {
            (report.life, report.status.stage()) < (known.life, known.status.stage())
                || (report.life == known.life && report.status != known.status && report.seen < known.seen)
        })
    }

    /// `sink` is owed a report that bears its life, as delivery `seq`.
    pub(super) fn tell(
        &mut self,
        sink: &SinkName,
        report: &ChangeReport,
        seq: u64,
        now: Timestamp,
        routed: &mut RoutedChange,
    ) {
        let known = self.told.get(&(sink.clone(), report.change_key.clone()));
        let same_life = known.filter(|known| known.life == report.life);
        let row = ToldChange {
            sink: sink.clone(),
            change_key: report.change_key.clone(),
            status: report.status,
            life: report.life,
            since: same_life.map_or(report.seen, |known| known.since),
            seen: same_life.map_or(report.seen, |known| known.seen.max(report.seen)),
            at: now,
            seq,
        };
        self.keep(row.clone());
        routed.told.push(row);
        self.forget(now, routed);
    }

    fn keep(&mut self, row: ToldChange) {
        let (place, seq) = ((row.sink.clone(), row.change_key.clone()), row.seq);
        if let Some(before) = self.told.insert(place.clone(), row) {
            self.latest.remove(&before.seq);
        }
        self.latest.insert(seq, place);
    }

    /// Forgets what is too old, and the oldest of what is too much.
    pub(super) fn forget(&mut self, now: Timestamp, routed: &mut RoutedChange) {
        while let Some(oldest) = self.latest.first_entry() {
            let old = self.told.get(oldest.get()).is_none_or(|row| now.since(row.at) > KEPT);
            if !old && self.told.len() <= MOST {
                break;
            }
            let place = oldest.remove();
            self.told.remove(&place);
            routed.told.retain(|row| (&row.sink, &row.change_key) != (&place.0, &place.1));
            routed.forgotten.push(place);
        }
    }
}

/// Which life a report is of, where the last word of the change was `known`; `None`: the report comes too late.
fn life(known: &ToldChange, report: &ChangeReport) -> Option<u32> {
    // A late word about the life before this one.
    if known.life > 1 && report.seen < known.since {
        return None;
    }
    let news = report.seen >= known.seen;
    match report.status.stage().cmp(&known.status.stage()) {
        Ordering::Greater => Some(known.life),
        // It can end in two ways: the later word counts.
        Ordering::Equal => (news || report.status == known.status).then_some(known.life),
        Ordering::Less => (news && is_over(known.status)).then(|| known.life.saturating_add(1)),
    }
}

fn is_over(status: ChangeStatus) -> bool {
    status.stage() == ChangeStatus::Done.stage()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Ledger, Route};
    use super::*;
    use crate::saved::Saved;
    use crate::sink::sample;

    fn route(name: &str, forward: bool) -> Route {
        Route { forward, ..Route::new(SinkName::new(name)) }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn said(key: &str, status: ChangeStatus, seen: i64) -> ChangeReport {
        ChangeReport { change_key: key.to_owned(), status, seen: at(seen), ..sample::report() }
    }

    /// Does to rows what a commit of `routed` would.
    fn commit(saved: &mut Saved, routed: &RoutedChange) {
        for row in &routed.told {
            saved
                .told_changes
                .retain(|known| (&known.sink, &known.change_key) != (&row.sink, &row.change_key));
            saved.told_changes.push(row.clone());
        }
        saved.told_changes.retain(|row| {
            !routed.forgotten.iter().any(|place| (&row.sink, &row.change_key) == (&place.0, &place.1))
        });
    }

    fn heard(routed: &RoutedChange) -> Option<(ChangeStatus, u32)> {
        let report = routed.deliveries.first()?.change()?;
        Some((report.status, report.life))
    }

    /// One sink hears these, each a second after the one before unless it says when it was seen.
    fn check(words: &[(ChangeStatus, i64)], expected: &[Option<u32>]) {
        let mut ledger = Ledger::default();
        let routes = [route("a", true)];
        let lives: Vec<_> = words
            .iter()
            .map(|(status, seen)| {
                heard(&ledger.route_change(&said("api", *status, *seen), &routes, at(*seen)))
                    .map(|(_, life)| life)
            })
            .collect();
        assert_eq!(lives, expected, "{words:?}");
        let late = expected.iter().filter(|life| life.is_none()).count() as u64;
        assert_eq!(ledger.late_changes(&SinkName::new("a")), late);
    }

    #[test]
    fn a_change_only_goes_forward_and_begins_anew_after_its_end() {
        use ChangeStatus::{Canceled, Done, Planned, Processing, Ready};
        check(&[(Planned, 1), (Ready, 2), (Processing, 3), (Done, 4)], &[Some(1); 4]);
        check(&[(Processing, 1), (Planned, 2), (Ready, 3), (Done, 4)], &[Some(1), None, None, Some(1)]);
        check(&[(Processing, 1), (Processing, 2)], &[Some(1), Some(1)]);
        check(&[(Done, 1), (Processing, 2), (Planned, 3), (Done, 4)], &[Some(1), Some(2), None, Some(2)]);
        check(&[(Done, 1), (Canceled, 2), (Planned, 3), (Done, 4)], &[Some(1), Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn what_a_file_that_is_behind_says_late_begins_no_life_and_ends_none() {
        use ChangeStatus::{Canceled, Done, Processing, Ready};
        check(&[(Done, 10), (Processing, 5)], &[Some(1), None]);
        check(&[(Done, 10), (Canceled, 5), (Done, 6)], &[Some(1), None, Some(1)]);
        check(&[(Done, 10), (Ready, 20), (Done, 9)], &[Some(1), Some(2), None]);
        check(&[(Processing, 10), (Done, 9)], &[Some(1), Some(1)]);
    }

    #[test]
    fn who_only_writes_down_what_he_hears_is_told_everything_as_it_is() {
        let mut ledger = Ledger::default();
        let routes = [route("a", true), route("b", false)];
        let mut told = Vec::new();
        for (seen, status) in [(1, ChangeStatus::Done), (2, ChangeStatus::Ready), (3, ChangeStatus::Planned)]
        {
            let routed = ledger.route_change(&said("api", status, seen), &routes, at(seen));
            let of = |row: &Delivery| format!("{} {}", row.sink, row.change().unwrap().life);
            told.push(routed.deliveries.iter().map(of).collect::<Vec<_>>().join(", "));
            assert!(routed.told.iter().all(|row| row.sink.as_str() == "a"));
        }
        assert_eq!(told, ["a 1, b 1", "a 2, b 1", "b 1"]);
    }

    #[test]
    fn what_is_owed_again_by_hand_goes_forward_too() {
        let mut ledger = Ledger::default();
        let routes = [route("a", true), route("b", false)];
        let first = ledger.route_change(&said("api", ChangeStatus::Processing, 1), &routes, at(1));
        let stands = |ledger: &Ledger| {
            let overtaken = |row: &Delivery| ledger.is_overtaken(&row.sink, row.change().unwrap());
            first.deliveries.iter().map(overtaken).collect::<Vec<_>>()
        };
        assert_eq!(stands(&ledger), [false, false]);
        ledger.route_change(&said("api", ChangeStatus::Done, 2), &routes, at(2));
        assert_eq!(stands(&ledger), [true, false]);
        ledger.route_change(&said("api", ChangeStatus::Processing, 3), &routes, at(3));
        assert_eq!(stands(&ledger), [true, false], "of an earlier life");
    }

    #[test]
    fn a_change_is_forgotten_after_thirty_days_and_of_too_many_the_oldest() {
        let mut ledger = Ledger::default();
        let routes = [route("a", true)];
        let mut saved = Saved::default();
        let month = i64::try_from(KEPT.as_secs()).unwrap();
        let mut hear = |key: &str, status, now| {
            let routed = ledger.route_change(&said(key, status, now), &routes, at(now));
            commit(&mut saved, &routed);
            heard(&routed).map(|(_, life)| life)
        };
        assert_eq!(hear("api", ChangeStatus::Done, 0), Some(1));
        assert_eq!(hear("api", ChangeStatus::Ready, month), Some(2));
        assert_eq!(hear("api", ChangeStatus::Planned, 2 * month), None);
        assert_eq!(hear("api", ChangeStatus::Planned, 2 * month + 1), Some(1), "forgotten");
        for n in 0..MOST {
            assert_eq!(hear(&n.to_string(), ChangeStatus::Done, 3 * month), Some(1));
        }
        assert_eq!(saved.told_changes.len(), MOST);
        assert!(saved.told_changes.iter().all(|row| row.change_key != "api"));
        assert_eq!(Lives::new(&saved.told_changes).latest.len(), MOST);
    }

    /// Of each word the life and the stage.
    fn stages(told: &[(ChangeStatus, u32)]) -> Vec<(u32, u8)> {
        told.iter().map(|(status, life)| (*life, status.stage())).collect()
    }

    proptest! {
        /// Whatever lines say and in whatever order, over restarts: no sink hears of an earlier stage after a later one
        /// of the same life, no life follows one that has not ended, and nothing that goes forward is left out.
        #[test]
        fn no_sink_ever_hears_of_a_step_back(
            words in prop::collection::vec((0usize..5, 0u8..2, 0i64..40, any::<bool>()), 0..60),
        ) {
            let routes = [route("a", true), route("b", false)];
            let mut saved = Saved { next_seq: 1, ..Saved::default() };
            let mut ledger = Ledger::new(&saved);
            let mut told: BTreeMap<String, Vec<(ChangeStatus, u32)>> = BTreeMap::new();
            let mut as_it_is = 0;
            for (n, (status, key, back, restart)) in words.iter().enumerate() {
                if *restart {
                    saved.next_seq = ledger.next_seq();
                    ledger = Ledger::new(&saved);
                }
                let now = 100 + i64::try_from(n).unwrap() * 10;
                let status = ChangeStatus::ALL[*status];
                let report = said(&format!("k{key}"), status, now - back);
                let mine = told.entry(report.change_key.clone()).or_default();
                let routed = ledger.route_change(&report, &routes, at(now));
                commit(&mut saved, &routed);
                as_it_is += routed.deliveries.iter().filter(|row| row.sink.as_str() == "b").count();
                let of_a = routed.deliveries.iter().find(|row| row.sink.as_str() == "a");
                let life = of_a.map(|row| row.change().unwrap().life);
                match (mine.last(), life) {
                    (None, life) => prop_assert_eq!(life, Some(1)),
                    (Some((before, last)), Some(life)) if life == *last => {
                        prop_assert!(status.stage() >= before.stage());
                    }
                    (Some((before, last)), Some(life)) => {
                        prop_assert_eq!(life, last + 1);
                        prop_assert!(is_over(*before) && !is_over(status));
                    }
                    // What is in time and goes forward, or repeats the last word, is never held back.
                    (Some((before, _)), None) => {
                        prop_assert!(*back > 0 || (status.stage() < before.stage() && !is_over(*before)));
                    }
                }
                mine.extend(life.map(|life| (status, life)));
            }
            prop_assert_eq!(as_it_is, words.len());
            for told in told.values() {
                prop_assert!(stages(told).is_sorted());
            }
            prop_assert!(saved.told_changes.iter().all(|row| row.sink.as_str() == "a"));
        }
    }
}
