//! Transitions and what is said of changes → what each sink is owed. Pure, over a ledger of what each sink was last told.
//!
//! For one key and sink, raise and resolve alternate, with changes of severity between them: a sink is told of a
//! status only if its last word was another one, so nobody hears of the end of something he never heard of, and
//! whoever heard of a beginning hears of the end. Of a change a sink hears only what goes [forward](RoutedChange).

mod change;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Emitted, Tell};
use crate::model::{
    AlertKey, ChangeReport, Content, Delivery, DeliveryKind, RuleName, SinkName, Status, Timestamp,
    Transition,
};
use crate::rule::When;
use crate::saved::{Saved, Told};
use change::Lives;
pub use change::RoutedChange;

/// The label under which tripline's own alerts name a sink.
pub const SINK_LABEL: &str = "sink";

/// A sink as routing sees it.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub sink: SinkName,
    /// True if it was removed from the configuration: it is told the rest of what it knows, and nothing new.
    pub leaving: bool,
    /// True if its peer takes alerts.
    pub takes_alerts: bool,
    /// True if its peer takes what is said of changes.
    pub takes_changes: bool,
    /// True if changes only go forward to its peer; else it is told everything as it is.
    pub forward: bool,
    /// True if it is told of tripline's own alerts.
    pub takes_own: bool,
    /// Of which alerts it wants to hear; `None`: of all.
    pub when: Option<When>,
    /// Rules that name other sinks, or none where it has to be named.
    pub unnamed: BTreeSet<RuleName>,
    /// True if it is told nothing by itself: it is the fallback of others.
    pub reserve: bool,
    /// Those of them that take nothing now.
    pub stands_in_for: BTreeSet<SinkName>,
}

impl Route {
    /// A sink that hears of everything.
    pub fn new(sink: SinkName) -> Route {
        Route {
            sink,
            leaving: false,
            takes_alerts: true,
            takes_changes: true,
            forward: false,
            takes_own: true,
            when: None,
            unnamed: BTreeSet::new(),
            reserve: false,
            stands_in_for: BTreeSet::new(),
        }
    }

    /// What an alert that shows `status` shows to this sink, whose last word of it was `last`.
    ///
    /// Who knows of an episode is told the rest, whatever is said of it since; but a level that is too low for a sink is
    /// none to it.
    fn shows(&self, alert: &Transition, last: Status) -> Status {
        let status = alert.status;
        let own = is_own(&alert.key);
        let asked = self.when.as_ref().filter(|when| !own || when.names_rules);
        let wants = asked.is_none_or(|when| when.wants(alert, status));
        let named = if own { self.takes_own } else { !self.unnamed.contains(&alert.key.rule) };
        match last {
            Status::Ok if self.leaving || !self.takes_alerts || !named || !wants => Status::Ok,
            last if status < last && !wants => Status::Ok,
            _ => status,
        }
    }
}

/// What each sink was last told.
#[derive(Debug, Default)]
pub struct Ledger {
    told: BTreeMap<(SinkName, AlertKey), Status>,
    lives: Lives,
    next_seq: u64,
}

impl Ledger {
    /// The ledger as it was committed.
    pub fn new(saved: &Saved) -> Ledger {
        let told = saved.told.iter().map(|row| ((row.sink.clone(), row.key.clone()), row.status));
        Ledger { told: told.collect(), lives: Lives::new(&saved.told_changes), next_seq: saved.next_seq }
    }

    /// The next free delivery number.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// What `sink` was last told of an alert, or is owed.
    pub fn told(&self, sink: &SinkName, key: &AlertKey) -> Status {
        self.told.get(&(sink.clone(), key.clone())).copied().unwrap_or_default()
    }

    /// How many alerts `sink` believes to be open, or will when it has taken what it is owed.
    pub fn open(&self, sink: &SinkName) -> usize {
        self.told.keys().filter(|(told, _)| told == sink).count()
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
        // Who stands in for another is told what that one is owed.
        let first = routes.iter().filter(|route| !route.reserve);
        for route in first.chain(routes.iter().filter(|route| route.reserve)) {
            // What is wrong with a sink is said through the others.
            let about = transition.labels.get(SINK_LABEL).filter(|_| is_own(&transition.key));
            if about.is_some_and(|about| about == route.sink.as_str()) {
                continue;
            }
            let place = (route.sink.clone(), transition.key.clone());
            let last = self.told.get(&place).copied().unwrap_or_default();
            if last == Status::Ok && route.reserve && !self.stands_in(route, transition) {
                continue;
            }
            let status = route.shows(transition, last);
            let kind = match (last, status) {
                (last, status) if last == status && !(again && last != Status::Ok) => continue,
                (Status::Ok, _) if held || again => continue,
                (Status::Ok, _) => DeliveryKind::Raise,
                (_, Status::Ok) => DeliveryKind::Resolve,
                _ => DeliveryKind::Change,
            };
            match status {
                Status::Ok => self.told.remove(&place),
                status => self.told.insert(place.clone(), status),
            };
            told.push(Told { sink: place.0, key: place.1, status });
            let mut transition = transition.clone();
            // Between what was decided and what this sink knows there may lie what it was not told.
            transition.previous = last;
            transition.status = status;
            deliveries.push(self.owe(&route.sink, Content::Alert(kind, transition)));
        }
    }

    /// True if a sink that takes nothing now is owed this alert, or if it is the reason that it takes nothing.
    fn stands_in(&self, route: &Route, alert: &Transition) -> bool {
        let about = alert.labels.get(SINK_LABEL).filter(|_| is_own(&alert.key));
        let owes = |sink: &SinkName| self.told.contains_key(&(sink.clone(), alert.key.clone()));
        let mut down = route.stands_in_for.iter();
        down.any(|sink| owes(sink) || about.is_some_and(|about| about == sink.as_str()))
    }

    /// What is said of a change, as deliveries to every sink that takes it, unless it comes too late for that sink.
    /// Nobody has to be told the rest of it, so a sink that is leaving is told nothing.
    pub fn route_change(&mut self, report: &ChangeReport, routes: &[Route], now: Timestamp) -> RoutedChange {
        let named = |route: &&Route| !route.unnamed.contains(&report.rule);
        let takes = |route: &&Route| route.takes_changes && !route.leaving && !route.reserve;
        let mut routed = RoutedChange::default();
        self.lives.forget(now, &mut routed);
        for Route { sink, forward, .. } in routes.iter().filter(takes).filter(named) {
            let life = if *forward { self.lives.life(sink, report) } else { Some(1) };
            let Some(life) = life else { continue };
            let report = ChangeReport { life, ..report.clone() };
            if *forward {
                self.lives.tell(sink, &report, self.next_seq, now, &mut routed);
            }
            routed.deliveries.push(self.owe(sink, Content::Change(report)));
        }
        routed
    }

    /// True if `sink` was told something later of the change since a report was owed to it.
    pub fn is_overtaken(&self, sink: &SinkName, report: &ChangeReport) -> bool {
        self.lives.is_overtaken(sink, report)
    }

    /// Of how many reports `sink` was not told because they came too late, since the process began.
    pub fn late_changes(&self, sink: &SinkName) -> u64 {
        self.lives.late(sink)
    }

    /// Forgets what `sink` was told, because it is gone for good: the rows that say so of its alerts, and the keys of its
    /// changes. Both belong into one commit.
    pub fn forsake(&mut self, sink: &SinkName) -> (Vec<Told>, Vec<String>) {
        let told = self.told.extract_if(.., |(told, _), _| told == sink);
        let told = told.map(|((sink, key), _)| Told { sink, key, status: Status::Ok }).collect();
        (told, self.lives.forsake(sink))
    }

    /// Something new that is owed to a sink.
    pub fn owe(&mut self, sink: &SinkName, content: Content) -> Delivery {
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
    use proptest::prelude::*;

    use super::*;
    use crate::model::{KeyHash, Labels, Severity, Timestamp};
    use crate::rule::{About, Condition, Number, Op};
    use crate::sink::sample;

    const STATUSES: [Status; 4] = [Status::Ok, Status::Info, Status::Warning, Status::Critical];

    fn alert(rule: &str, status: Status, team: &str) -> Transition {
        Transition {
            time: Timestamp(0),
            key: AlertKey { rule: RuleName::new(rule), hash: KeyHash([0; 16]) },
            status,
            previous: Status::Ok,
            labels: Labels::from([("team".into(), team.to_owned())]),
            ..sample::bare()
        }
    }

    /// `severity >= least`.
    fn at_least(least: Severity) -> When {
        let (severity, least) = (Number::Of(About::Severity), Number::Of(About::Level(least)));
        let condition = Condition::Compared(severity, Op::AtLeast, least);
        When { text: "severity >= …".into(), condition, names_rules: false }
    }

    fn told(
        ledger: &mut Ledger,
        route: &Route,
        transition: Transition,
        tell: Tell,
    ) -> Option<(DeliveryKind, Status)> {
        let (mut deliveries, mut rows) = (Vec::new(), Vec::new());
        let emitted = Emitted { transition, tell };
        ledger.route(&emitted, std::slice::from_ref(route), &mut deliveries, &mut rows);
        assert_eq!(deliveries.len(), rows.len());
        let alert = deliveries.first()?.alert();
        alert.map(|(kind, transition)| (kind, transition.status))
    }

    #[test]
    fn a_level_that_is_too_low_for_a_sink_is_none_to_it() {
        let route = Route { when: Some(at_least(Severity::Critical)), ..Route::new(SinkName::new("s")) };
        let mut ledger = Ledger::default();
        let mut hear = |status| told(&mut ledger, &route, alert("r", status, "db"), Tell::Now);
        assert_eq!(hear(Status::Warning), None);
        assert_eq!(hear(Status::Critical), Some((DeliveryKind::Raise, Status::Critical)));
        assert_eq!(hear(Status::Warning), Some((DeliveryKind::Resolve, Status::Ok)));
        assert_eq!(hear(Status::Info), None);
        assert_eq!(hear(Status::Critical), Some((DeliveryKind::Raise, Status::Critical)));
        assert_eq!(hear(Status::Ok), Some((DeliveryKind::Resolve, Status::Ok)));
        assert_eq!(hear(Status::Ok), None);
    }

    #[test]
    fn who_was_told_is_told_the_rest_whatever_is_said_since() {
        let open = Route::new(SinkName::new("s"));
        let closed = Route { unnamed: [RuleName::new("r")].into(), ..open.clone() };
        let mut ledger = Ledger::default();
        let mut hear = |route: &Route, status| told(&mut ledger, route, alert("r", status, "db"), Tell::Now);
        assert_eq!(hear(&closed, Status::Warning), None);
        assert_eq!(hear(&open, Status::Warning), Some((DeliveryKind::Raise, Status::Warning)));
        assert_eq!(hear(&closed, Status::Critical), Some((DeliveryKind::Change, Status::Critical)));
        assert_eq!(hear(&closed, Status::Info), Some((DeliveryKind::Change, Status::Info)));
        assert_eq!(hear(&closed, Status::Ok), Some((DeliveryKind::Resolve, Status::Ok)));
        assert_eq!(hear(&closed, Status::Warning), None);
    }

    #[test]
    fn a_fallback_is_told_what_another_is_owed_and_takes_not_and_the_rest_of_it() {
        let pager = Route { when: Some(at_least(Severity::Critical)), ..Route::new(SinkName::new("pager")) };
        let reserve = Route { reserve: true, ..Route::new(SinkName::new("backup")) };
        let standing = Route { stands_in_for: [SinkName::new("pager")].into(), ..reserve.clone() };
        let mut ledger = Ledger::default();
        let mut hear = |backup: &Route, transition: Transition| {
            let (mut deliveries, mut told) = (Vec::new(), Vec::new());
            let emitted = Emitted { transition, tell: Tell::Now };
            // The order of routes is that of names: the one that stands in may come first.
            ledger.route(&emitted, &[backup.clone(), pager.clone()], &mut deliveries, &mut told);
            deliveries
                .iter()
                .map(|row| format!("{} {:?}", row.sink, row.alert().unwrap().0))
                .collect::<Vec<_>>()
        };
        let critical = || alert("r", Status::Critical, "db");
        assert_eq!(hear(&reserve, critical()), ["pager Raise"]);
        assert_eq!(
            hear(&standing, alert("r", Status::Ok, "db")),
            ["pager Resolve"],
            "it knows nothing of it"
        );
        assert!(
            hear(&standing, alert("r", Status::Warning, "db")).is_empty(),
            "the pager would not be told either"
        );
        assert_eq!(hear(&standing, critical()), ["pager Raise", "backup Raise"]);
        assert_eq!(hear(&reserve, alert("r", Status::Ok, "db")), ["pager Resolve", "backup Resolve"]);
        let mut why = alert("tripline_sink_suspended", Status::Critical, "");
        why.labels.insert("sink".into(), "pager".to_owned());
        assert_eq!(hear(&standing, why.clone()), ["backup Raise"]);
        why.status = Status::Ok;
        assert_eq!(hear(&reserve, why), ["backup Resolve"]);
    }

    #[test]
    fn alerts_of_tripline_itself_reach_every_sink_that_does_not_speak_of_rules() {
        let choosy = Route {
            when: Some(at_least(Severity::Critical)),
            unnamed: [RuleName::new("tripline_storm")].into(),
            ..Route::new(SinkName::new("s"))
        };
        let mut ledger = Ledger::default();
        let own = || alert("tripline_storm", Status::Warning, "");
        assert!(told(&mut ledger, &choosy, own(), Tell::Now).is_some());
        let spoken =
            Route { when: Some(When { names_rules: true, ..at_least(Severity::Critical) }), ..choosy };
        assert!(told(&mut Ledger::default(), &spoken, own(), Tell::Now).is_none());
    }

    #[test]
    fn a_sink_that_takes_nothing_of_tripline_itself_is_told_nothing_of_it() {
        let route = Route { takes_own: false, ..Route::new(SinkName::new("page")) };
        let hear = |rule| told(&mut Ledger::default(), &route, alert(rule, Status::Warning, ""), Tell::Now);
        assert_eq!(hear("tripline_storm"), None);
        assert_eq!(hear("r"), Some((DeliveryKind::Raise, Status::Warning)));
    }

    proptest! {
        /// Against a sink that thinks for itself: it opens with a level that it wants, follows what comes, and closes with
        /// the end or with a level that is too low for it.
        #[test]
        fn every_sink_hears_a_story(
            steps in prop::collection::vec((0usize..4, 0usize..3, any::<bool>(), 0u8..4), 0..40),
        ) {
            let mut ledger = Ledger::default();
            let mut open = Status::Ok;
            for (status, least, named, tell) in steps {
                let (status, least) = (STATUSES[status], Severity::ALL[least]);
                let unnamed = if named { BTreeSet::new() } else { [RuleName::new("r")].into() };
                let route = Route { when: Some(at_least(least)), unnamed, ..Route::new(SinkName::new("s")) };
                let tell = [Tell::Now, Tell::Known, Tell::IfOther, Tell::Stale][usize::from(tell)];
                let wants = status >= Status::from(least);
                let expected = match tell {
                    Tell::Stale => open,
                    _ if open == Status::Ok && (!named || !wants || tell == Tell::Known) => Status::Ok,
                    _ if status < open && !wants => Status::Ok,
                    _ => status,
                };
                let heard = told(&mut ledger, &route, alert("r", status, "db"), tell);
                let kind = match (open, expected) {
                    (before, after) if before == after => None,
                    (Status::Ok, after) => Some((DeliveryKind::Raise, after)),
                    (_, Status::Ok) => Some((DeliveryKind::Resolve, Status::Ok)),
                    (_, after) => Some((DeliveryKind::Change, after)),
                };
                prop_assert_eq!(heard, kind);
                open = expected;
            }
        }
    }

    #[test]
    fn a_change_is_owed_to_those_who_take_changes_and_stay() {
        let route = |name: &str, leaving, takes_changes| Route {
            leaving,
            takes_changes,
            ..Route::new(SinkName::new(name))
        };
        let routes = [
            route("a", false, true),
            route("b", false, false),
            route("c", true, true),
            route("d", false, true),
        ];
        let mut ledger = Ledger::new(&Saved { next_seq: 7, ..Saved::default() });
        let owed = ledger.route_change(&sample::report(), &routes, Timestamp(0)).deliveries;
        let to: Vec<_> = owed.iter().map(|row| (row.sink.as_str(), row.seq, row.attempted)).collect();
        assert_eq!(to, [("a", 7, false), ("d", 8, false)]);
        assert!(owed.iter().all(|row| row.content == Content::Change(sample::report())));
        assert_eq!(ledger.next_seq(), 9);
        assert!(
            routes.iter().all(|route| ledger.open(&route.sink) == 0),
            "nobody has to be told the end of it"
        );
    }
}
