//! What is owed to sinks, and what was given up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::{Emitted, Tell};
use crate::model::{Content, Delivery, DeliveryKind, SinkName, Status, Subject, Timestamp, Transition};
use crate::route::{Route, is_own};
use crate::saved::{DeadLetter, Notice, Stage};
use crate::scan::MatchKind;
use crate::settings::{Peer, Sink};
use crate::sink::attempt::{self, Attempt};
use crate::sink::queue::Queue;
use crate::tail::Disk;

use super::{Core, Now, Remark};

/// Dead letters that are kept; of more the oldest go, and are counted.
const MOST_DEAD: usize = 1_000;

/// A sink that was tried and has taken nothing for so long is failing.
const FAILING_AFTER: Duration = Duration::from_secs(5 * 60);

/// Sinks that take nothing, as far as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Down {
    /// The peer refuses everything until somebody changes something.
    pub(super) suspended: BTreeSet<SinkName>,
    /// The peer has not answered well for long.
    pub(super) failing: BTreeSet<SinkName>,
    /// How many rows each of them had taken when that was seen last.
    taken: BTreeMap<SinkName, u64>,
    /// True if other settings say since then who stands in for whom.
    pub(super) anew: bool,
}

impl Down {
    fn all(&self) -> impl Iterator<Item = &SinkName> {
        self.suspended.iter().chain(&self.failing)
    }
}

/// What went with a sink that is gone for good.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forsaken {
    /// What it was owed, in the order of its making.
    pub rows: Vec<Delivery>,
    /// Alerts that it was told of, and is not told the end of.
    pub open: usize,
}

/// Why a dead letter can not be owed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undead {
    /// There is none of that number.
    #[error("there is no dead letter of that number: `tripline outbox` lists them")]
    None,
    /// Its sink is gone.
    #[error("its sink is not in the configuration any more")]
    Sink,
    /// The alert or change has another state by now.
    #[error("it is out of date: the alert is over, or the sink was told something else of it since")]
    Late,
}

impl<D: Disk> Core<D> {
    pub(super) fn owe(&mut self, deliveries: Vec<Delivery>, now: Now) {
        self.urgent = true;
        for delivery in deliveries {
            let mut changes = Vec::new();
            if let Some(queue) = self.queues.get_mut(&delivery.sink) {
                queue.push(delivery, &mut changes);
            }
            self.rewritten.extend(changes.iter().filter_map(|change| match change {
                attempt::Change::Put(row) => Some(row.seq),
                _ => None,
            }));
            self.keep_rows(changes, now);
        }
    }

    pub(super) fn keep_rows(&mut self, changes: Vec<attempt::Change>, now: Now) {
        for change in changes {
            match change {
                attempt::Change::Put(row) => self.batch.put_delivery(&row),
                attempt::Change::Remove(seq) => self.batch.remove_delivery(seq),
                attempt::Change::Stand(row) => self.batch.put_standing(&row),
                attempt::Change::Unstand(sink, key) => self.batch.remove_standing(&sink, &key),
                attempt::Change::Refused(row) => self.batch.put_refused(&row),
                attempt::Change::Unrefused(sink, key) => self.batch.remove_refused(&sink, &key),
                attempt::Change::Dead(letter) => {
                    self.batch.remove_delivery(letter.delivery.seq);
                    self.batch.put_dead(&letter);
                    let sink = letter.delivery.sink.clone();
                    let line = format!("{} will not be accepted: {}", letter.delivery.id(), letter.why);
                    let of_own = letter.delivery.alert().is_some_and(|(_, t)| is_own(&t.key));
                    if !of_own {
                        let about = [(crate::route::SINK_LABEL, sink.as_str())];
                        self.engine.own("tripline_dead_letter", MatchKind::Match, &about, &line, now.time);
                    }
                    self.dead.insert(letter.delivery.seq, letter);
                    self.bound_dead();
                    self.urgent = true;
                    self.remarks.push(Remark::Dead(sink, line));
                }
            }
        }
    }

    /// Raises alerts through the other sinks while one takes nothing, and lets its fallback be told instead.
    pub(super) fn watch_sinks(&mut self, now: Now) {
        let (mut suspended, mut failing) = (BTreeMap::new(), BTreeMap::new());
        let before = std::mem::take(&mut self.down);
        for (name, queue) in &self.queues {
            let long = |since: Timestamp| now.time >= since.plus(FAILING_AFTER);
            let owed = queue.owed() > 0;
            let mut taken = queue.accepted();
            // That it is tried anew, after a reload, with another key or by another process of ours, proves nothing.
            let known = before.taken.get(name).copied().unwrap_or_default();
            let unproven = owed && taken == known && !self.unreachable.contains(name);
            if let Some(why) = queue.suspended() {
                suspended.insert(name.clone(), why.to_owned());
            } else if owed && queue.failing_since().is_some_and(long) {
                failing.insert(name.clone(), queue.last_failure().unwrap_or_default().to_owned());
            } else if unproven && before.suspended.contains(name) {
                suspended.insert(name.clone(), String::new());
                taken = known;
            } else if unproven && before.failing.contains(name) {
                failing.insert(name.clone(), String::new());
                taken = known;
            } else {
                continue;
            }
            self.down.taken.insert(name.clone(), taken);
        }
        self.say_down("tripline_sink_suspended", &before.suspended, &suspended, now);
        self.say_down("tripline_sink_failing", &before.failing, &failing, now);
        self.down.suspended = suspended.into_keys().collect();
        self.down.failing = failing.into_keys().collect();
        let is_new = |name: &&SinkName| before.anew || before.all().all(|known| known != *name);
        let new: Vec<SinkName> = self.down.all().filter(is_new).cloned().collect();
        self.stand_in();
        self.decide(now);
        for name in new {
            self.tell_instead(&name, now);
        }
    }

    fn say_down(
        &mut self,
        rule: &'static str,
        before: &BTreeSet<SinkName>,
        after: &BTreeMap<SinkName, String>,
        now: Now,
    ) {
        for (name, why) in after.iter().filter(|(name, _)| !before.contains(*name)) {
            let about = [(crate::route::SINK_LABEL, name.as_str())];
            self.engine.own(rule, MatchKind::Match, &about, why, now.time);
        }
        for name in before.iter().filter(|name| !after.contains_key(*name)) {
            let about = [(crate::route::SINK_LABEL, name.as_str())];
            self.engine.own(rule, MatchKind::Resolve, &about, "", now.time);
        }
    }

    /// Lets fallbacks know for whom they stand in.
    pub(super) fn stand_in(&mut self) {
        // Where a sink has several queues for alerts, it takes nothing only if none of them does.
        let all_down = |down: &SinkName| {
            let mut mine = self.fallbacks.keys().filter(|queue| self.of.get(*queue) == self.of.get(down));
            mine.all(|queue| self.down.all().any(|down| down == queue))
        };
        for route in &mut self.routes {
            let of = self.of.get(&route.sink);
            let mine = self.down.all().filter(|down| of.is_some() && self.fallbacks.get(*down) == of);
            let mine = mine.filter(|down| all_down(down));
            route.stands_in_for = mine.cloned().collect();
        }
    }

    /// Tells each instance of an Alertmanager what others of its sink were told and it was not: each has to know of
    /// everything that is open, whenever it was added.
    pub(super) fn tell_members(&mut self, sinks: &[Sink], now: Now) {
        let mut members: BTreeMap<&SinkName, Vec<Route>> = BTreeMap::new();
        for sink in sinks.iter().filter(|sink| matches!(sink.peer, Peer::Alertmanager(_))) {
            let route = self.routes.iter().find(|route| route.sink == sink.name);
            // It is told what the others know, and not what somebody else is owed.
            let route = route.map(|route| Route { reserve: false, ..route.clone() });
            members.entry(&sink.of).or_default().extend(route);
        }
        let open: Vec<Transition> = self.engine.open_alerts().cloned().collect();
        for (of, routes) in members {
            // Those that are gone too: what they knew is known to nobody else if all have changed.
            let others: Vec<_> =
                self.queues.keys().filter(|queue| queue.is_of(of.as_str())).cloned().collect();
            for alert in &open {
                let knows = |queue: &SinkName| self.ledger.told(queue, &alert.key) != Status::Ok;
                if !others.iter().any(knows) {
                    continue;
                }
                let missing: Vec<Route> =
                    routes.iter().filter(|route| !knows(&route.sink)).cloned().collect();
                self.tell_these(alert.clone(), &missing, now);
            }
        }
    }

    fn tell_these(&mut self, transition: Transition, routes: &[Route], now: Now) {
        let (mut deliveries, mut told) = (Vec::new(), Vec::new());
        self.ledger.route(&Emitted { transition, tell: Tell::Now }, routes, &mut deliveries, &mut told);
        told.iter().for_each(|row| self.batch.put_told(row));
        self.owe(deliveries, now);
    }

    /// Tells the fallback of a sink what that one is owed and does not take: the alerts that are open.
    fn tell_instead(&mut self, down: &SinkName, now: Now) {
        let Some(queue) = self.queues.get(down) else { return };
        let mut owed: BTreeMap<Subject, Transition> = BTreeMap::new();
        for row in queue.rows() {
            if let Some((_, told)) = row.alert() {
                owed.insert(row.subject(), told.clone());
            }
        }
        let routes: Vec<_> =
            self.routes.iter().filter(|route| route.stands_in_for.contains(down)).cloned().collect();
        for transition in owed.into_values().filter(|told| told.status != Status::Ok) {
            self.tell_these(transition, &routes, now);
        }
    }

    /// When a sink that fails now will have failed for long.
    pub(super) fn fails_next(&self, now: Now) -> Option<Timestamp> {
        let since = self.queues.values().filter_map(Queue::failing_since);
        since.map(|since| since.plus(FAILING_AFTER)).filter(|at| *at > now.time).min()
    }

    /// Words to peers that would take our silence for the end of everything, for the last moment before a stop.
    pub fn hold(&self) -> Vec<Attempt> {
        self.reachable().flat_map(Queue::hold).collect()
    }

    /// Of how many words about changes a sink was not told because they came after later ones.
    pub fn late_changes(&self, sink: &SinkName) -> u64 {
        self.ledger.late_changes(sink)
    }

    /// What was given up, the oldest first.
    pub fn dead(&self) -> impl Iterator<Item = &DeadLetter> {
        self.dead.values()
    }

    /// What is owed and not in the hands of a peer yet, sink by sink and in the order of its making.
    pub fn outbox(&self) -> impl Iterator<Item = &Delivery> {
        self.queues.values().flat_map(Queue::rows)
    }

    /// Owes a dead letter again, as it is; the next commit makes it last.
    ///
    /// # Errors
    /// If nobody can take it, or if what it says is not true any more.
    pub fn revive(&mut self, seq: u64, now: Now) -> Result<(), Undead> {
        let letter = self.dead.get(&seq).ok_or(Undead::None)?;
        let delivery = &letter.delivery;
        let queue = self.queues.get(&delivery.sink).filter(|_| !self.unreachable.contains(&delivery.sink));
        let queue = queue.ok_or(Undead::Sink)?;
        if let Content::Alert(kind, told) = &delivery.content {
            let shown = self.ledger.told(&delivery.sink, &told.key);
            let open = self.engine.open_alerts().find(|open| open.key == told.key);
            let same = open.is_some_and(|open| open.episode == told.episode);
            let true_still = match kind {
                DeliveryKind::Resolve => !same && shown == Status::Ok,
                _ => same && shown == told.status,
            };
            if !true_still || queue.owes(&delivery.subject()) {
                return Err(Undead::Late);
            }
        }
        if delivery.change().is_some_and(|report| self.ledger.is_overtaken(&delivery.sink, report)) {
            return Err(Undead::Late);
        }
        let again = self.ledger.owe(&delivery.sink.clone(), delivery.content.clone());
        self.bury(seq);
        self.owe(vec![again], now);
        Ok(())
    }

    /// Forgets a dead letter; the next commit makes it last. False if there is none of that number.
    pub fn bury(&mut self, seq: u64) -> bool {
        let known = self.dead.remove(&seq).is_some();
        if known {
            self.batch.remove_dead(seq);
            self.urgent = true;
        }
        known
    }

    /// Sinks that are not configured any more and believe that alerts are open, with how many.
    pub fn gone(&self) -> impl Iterator<Item = (&SinkName, usize)> {
        let gone = self.routes.iter().filter(|route| route.leaving).map(|route| &route.sink);
        gone.map(|sink| (sink, self.ledger.open(sink))).filter(|(_, open)| *open > 0)
    }

    /// Forgets a sink that is not configured any more, and with it what it is owed and what it was told; the next commit
    /// makes it last. `None`: it is configured, or there never was one of that name.
    pub fn forsake(&mut self, sink: &SinkName, now: Now) -> Option<Forsaken> {
        if !self.routes.iter().any(|route| route.sink == *sink && route.leaving) {
            return None;
        }
        let mut changes = Vec::new();
        let rows = self.queues.remove(sink)?.forsake(&mut changes);
        self.keep_rows(changes, now);
        let (told, told_changes) = self.ledger.forsake(sink);
        told.iter().for_each(|row| self.batch.put_told(row));
        told_changes.iter().for_each(|key| self.batch.remove_told_change(sink, key));
        for (_, notice) in self.notices.extract_if(.., |(of, _), _| of == sink) {
            self.batch.put_notice(&Notice { stage: Stage::Past, ..notice });
        }
        self.unreachable.remove(sink);
        self.routes.retain(|route| route.sink != *sink);
        self.urgent = true;
        Some(Forsaken { rows, open: told.len() })
    }

    /// Keeps the number of dead letters within bounds.
    fn bound_dead(&mut self) {
        while self.dead.len() > MOST_DEAD
            && let Some((oldest, _)) = self.dead.pop_first()
        {
            self.batch.remove_dead(oldest);
            self.counts.dead_dropped += 1;
        }
    }
}
