//! Invariant 5: with crashes, a full disk and a bad network, the sinks are told of the same episodes as without.

use std::collections::{BTreeMap, BTreeSet};

use tripline::model::{AlertKey, Delivery, DeliveryKind, SinkName, Timestamp};

use super::super::trace::Failure;

/// Every episode of every user's rule that a sink was told of: when it was raised, and when it was over. File ids are
/// given out in the order in which files are found, so they are no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    episodes: BTreeMap<SinkName, BTreeSet<(AlertKey, Timestamp, Timestamp)>>,
}

impl Timeline {
    pub(crate) fn arrived(&mut self, row: &Delivery) {
        if let Some((DeliveryKind::Resolve, t)) = row.alert()
            && !t.key.rule.as_str().starts_with("tripline_")
        {
            self.episodes.entry(row.sink.clone()).or_default().insert((t.key.clone(), t.since, t.time));
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.episodes.values().map(BTreeSet::len).sum()
    }
}

/// Compares a troubled run with its untroubled twin.
pub(crate) fn compare(troubled: &Timeline, calm: &Timeline) -> Result<(), Failure> {
    for sink in troubled.episodes.keys().chain(calm.episodes.keys()) {
        let empty = BTreeSet::new();
        let [troubled, calm] = [troubled, calm].map(|one| one.episodes.get(sink).unwrap_or(&empty));
        if troubled != calm {
            let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| {
                let only: Vec<String> = a
                    .difference(b)
                    .map(|(key, since, until): &(AlertKey, Timestamp, Timestamp)| {
                        format!("{key} {}..{}", since.0, until.0)
                    })
                    .collect();
                only.join(", ")
            };
            let what = format!(
                "{sink} heard only in the troubled run of [{}], only in the calm run of [{}]",
                only(troubled, calm),
                only(calm, troubled)
            );
            return Err(Failure::new("twin", what));
        }
    }
    Ok(())
}
