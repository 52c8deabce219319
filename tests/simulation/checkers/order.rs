//! Invariant 3, and (f) of the oracle: per sink and key, firing and resolved alternate with severity changes between
//! them, and what is over does not come back.

use std::collections::{BTreeMap, BTreeSet};

use tripline::model::{AlertKey, Delivery, DeliveryKind, Episode, SinkName, Status};

use super::super::trace::Failure;

#[derive(Debug, Default)]
struct Shown {
    /// What the first deliveries add up to.
    open: Option<(Episode, Status)>,
    ids: BTreeSet<String>,
    over: BTreeSet<Episode>,
    /// The peer's picture may have a hole.
    holed: bool,
}

/// Whether episodes may pass while nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backlog {
    /// Nothing is ever stale, so each peer hears of each episode.
    Short,
    /// What happened long ago is summed up: the end may be that of a later episode than the beginning.
    Long,
}

/// What every peer shows.
#[derive(Debug)]
pub(crate) struct Order {
    shown: BTreeMap<(SinkName, AlertKey), Shown>,
    backlog: Backlog,
}

impl Order {
    pub(crate) fn new(backlog: Backlog) -> Order {
        Order { shown: BTreeMap::new(), backlog }
    }

    /// A row of this sink and key was refused for good, or left without its mark.
    pub(crate) fn excuse(&mut self, row: &Delivery) {
        let Some((_, t)) = row.alert() else { return };
        self.shown.entry((row.sink.clone(), t.key.clone())).or_default().holed = true;
    }

    pub(crate) fn arrived(&mut self, row: &Delivery) -> Result<(), Failure> {
        let Some((kind, t)) = row.alert() else { return Ok(()) };
        if t.key.rule.as_str() == "tripline_store_failed" {
            // The one delivery that may leave before it is owed: a crash can forget it.
            return Ok(());
        }
        let backlog = self.backlog;
        let shown = self.shown.entry((row.sink.clone(), t.key.clone())).or_default();
        if kind != DeliveryKind::Resolve && shown.over.contains(&t.episode) {
            return Err(Failure::new("order", format!("{} at {} after its resolve", row.id(), row.sink)));
        }
        if !shown.ids.insert(row.id()) {
            return Ok(());
        }
        if kind == DeliveryKind::Resolve {
            shown.over.insert(t.episode);
            shown.over.extend(shown.open.map(|(episode, _)| episode));
        }
        let goes_on = |episode| episode == t.episode || backlog == Backlog::Long;
        let orderly = match kind {
            DeliveryKind::Raise => shown.open.is_none() && t.status != Status::Ok,
            DeliveryKind::Change => {
                let again = t.reason.says_again();
                shown.open.is_some_and(|(episode, status)| goes_on(episode) && (status != t.status || again))
                    && t.status != Status::Ok
            }
            DeliveryKind::Resolve => {
                shown.open.is_some_and(|(episode, _)| goes_on(episode)) && t.status == Status::Ok
            }
            DeliveryKind::Beat => false,
        };
        let before =
            std::mem::replace(&mut shown.open, (t.status != Status::Ok).then_some((t.episode, t.status)));
        if orderly || shown.holed {
            return Ok(());
        }
        let what = format!("{kind:?} {} of {} at {} while {before:?}", t.status.as_str(), row.id(), row.sink);
        Err(Failure::new("order", what))
    }

    /// What the peers still show as firing.
    pub(crate) fn open(&self) -> impl Iterator<Item = (&SinkName, &AlertKey)> {
        let firing = self.shown.iter().filter(|(_, shown)| shown.open.is_some() && !shown.holed);
        firing.map(|((sink, key), _)| (sink, key))
    }
}
