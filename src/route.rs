//! Transitions and what is said of changes → what each sink is owed. Pure, over a ledger of what each sink was last told.
//!
//! For one key and sink, raise and resolve alternate, with changes of severity between them: a sink is told of a
//! status only if its last word was another one, so nobody hears of the end of something he never heard of, and
//! whoever heard of a beginning hears of the end.

use std::collections::BTreeMap;

use crate::engine::{Emitted, Tell};
use crate::model::{AlertKey, ChangeReport, Content, Delivery, DeliveryKind, SinkName, Status};
use crate::saved::Told;

/// The label under which tripline's own alerts name a sink.
pub const SINK_LABEL: &str = "sink";

/// A sink as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub sink: SinkName,
    /// True if it was removed from the configuration: it is told the rest of what it knows, and nothing new.
    pub leaving: bool,
    /// True if its peer takes what is said of changes.
    pub takes_changes: bool,
}

/// What each sink was last told.
#[derive(Debug, Default)]
pub struct Ledger {
    told: BTreeMap<(SinkName, AlertKey), Status>,
    next_seq: u64,
}

impl Ledger {
    /// The ledger as it was committed.
    pub fn new(told: &[Told], next_seq: u64) -> Ledger {
        let rows = told.iter().map(|row| ((row.sink.clone(), row.key.clone()), row.status));
        Ledger { told: rows.collect(), next_seq }
    }

    /// The next free delivery number.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// True if `sink` believes that something fires.
    pub fn owes(&self, sink: &SinkName) -> bool {
        self.told.keys().any(|(told, _)| told == sink)
    }

    /// Turns a transition into deliveries, and says how the ledger changes. Both belong into the commit of the
    /// transition.
    pub fn route(
        &mut self,
        emitted: &Emitted,
        routes: &[Route],
        deliveries: &mut Vec<Delivery>,
        told: &mut Vec<Told>,
    ) {
        let transition = &emitted.transition;
        if emitted.tell == Tell::Stale {
            return;
        }
        let (held, again) = (emitted.tell == Tell::Known, emitted.tell == Tell::Again);
        for route in routes {
            // What is wrong with a sink is said through the others.
            let about = transition.labels.get(SINK_LABEL).filter(|_| is_own(&transition.key));
            if about.is_some_and(|about| about == route.sink.as_str()) {
                continue;
            }
            let place = (route.sink.clone(), transition.key.clone());
            let last = self.told.get(&place).copied().unwrap_or_default();
            let kind = match (last, transition.status) {
                (last, status) if last == status && !(again && last != Status::Ok) => continue,
                (Status::Ok, _) if route.leaving || held || again => continue,
                (Status::Ok, _) => DeliveryKind::Raise,
                (_, Status::Ok) => DeliveryKind::Resolve,
                _ => DeliveryKind::Change,
            };
            match transition.status {
                Status::Ok => self.told.remove(&place),
                status => self.told.insert(place.clone(), status),
            };
            told.push(Told { sink: place.0, key: place.1, status: transition.status });
            let mut transition = transition.clone();
            // Between what was decided and what this sink knows there may lie what it was not told.
            transition.previous = last;
            deliveries.push(self.owe(&route.sink, Content::Alert(kind, transition)));
        }
    }

    /// What is said of a change, as deliveries to every sink that takes it: they belong into the commit of its line.
    /// Nobody has to be told the rest of it, so a sink that is leaving is told nothing.
    pub fn route_change(&mut self, report: &ChangeReport, routes: &[Route]) -> Vec<Delivery> {
        let takers = routes.iter().filter(|route| route.takes_changes && !route.leaving);
        takers.map(|route| self.owe(&route.sink, Content::Change(report.clone()))).collect()
    }

    fn owe(&mut self, sink: &SinkName, content: Content) -> Delivery {
        let seq = self.next_seq;
        self.next_seq += 1;
        Delivery { seq, sink: sink.clone(), content, attempted: false }
    }
}

/// True for alerts that tripline raises about itself.
pub fn is_own(key: &AlertKey) -> bool {
    key.rule.as_str().starts_with("tripline_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn a_change_is_owed_to_those_who_take_changes_and_stay() {
        let route =
            |name: &str, leaving, takes_changes| Route { sink: SinkName::new(name), leaving, takes_changes };
        let routes = [
            route("a", false, true),
            route("b", false, false),
            route("c", true, true),
            route("d", false, true),
        ];
        let mut ledger = Ledger::new(&[], 7);
        let owed = ledger.route_change(&sample::report(), &routes);
        let to: Vec<_> = owed.iter().map(|row| (row.sink.as_str(), row.seq, row.attempted)).collect();
        assert_eq!(to, [("a", 7, false), ("d", 8, false)]);
        assert!(owed.iter().all(|row| row.content == Content::Change(sample::report())));
        assert_eq!(ledger.next_seq(), 9);
        assert!(routes.iter().all(|route| !ledger.owes(&route.sink)), "nobody has to be told the end of it");
    }
}
