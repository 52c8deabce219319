//! What a key remembers of its raises: whether it comes and goes too often, and what others may count after it.

use std::time::Duration;

use super::alert::Key;
use super::text::Scene;
use crate::model::{Reason, Status, Timestamp, Transition};
use crate::rule::Rule;

impl Key {
    /// For how long a level stays after it held.
    #[inline]
    pub(super) fn quiet(&self, rule: &Rule) -> Option<Duration> {
        match rule.flap.filter(|_| self.flapping) {
            Some(flap) => Some(rule.resolve_after.unwrap_or_default().max(flap.within)),
            None => rule.resolve_after,
        }
    }

    /// True if one more end would be a change too many, or has been.
    #[inline]
    pub(super) fn flaps(&self, rule: &Rule, now: Timestamp) -> bool {
        let Some(flap) = rule.flap else { return false };
        let lately = self.turns.iter().filter(|turn| now.since(**turn) < flap.within).count();
        self.status() != Status::Ok && (self.flapping || lately + 1 >= flap.changes)
    }

    /// It was raised or resolved.
    pub(super) fn turned(&mut self, rule: &Rule, status: Status, time: Timestamp) {
        if status != Status::Ok {
            self.raised = Some((time, self.at));
        }
        let Some(flap) = rule.flap else { return };
        if self.flapping {
            self.turns.clear();
        }
        self.flapping = false;
        if self.turns.len() + 1 >= flap.changes {
            self.turns.remove(0);
        }
        self.turns.push(time);
    }

    /// What made it open is over, but it comes and goes: it stays open until it has been quiet for longer.
    pub(super) fn linger(&mut self, scene: &Scene<'_>, now: Timestamp, out: &mut Vec<Transition>) {
        self.latched = false;
        self.newest_number = None;
        for rung in &mut self.rungs {
            rung.since = None;
            rung.held = rung.held.map(|held| held.min(now));
        }
        if !self.flapping {
            self.flapping = true;
            self.shift(scene, now, self.status(), Reason::Flapping, out);
        }
    }

    /// Until when its raises are worth remembering, if nothing else is.
    #[inline]
    pub(super) fn remembered_until(&self, rule: &Rule) -> Option<Timestamp> {
        if self.status() != Status::Ok {
            return None;
        }
        let raise = self.raised.map(|(time, _)| time.plus(rule.raise_remembered));
        let turn = rule.flap.and_then(|flap| Some(self.turns.last()?.plus(flap.within)));
        raise.into_iter().chain(turn).filter(|until| *until > self.clock).max()
    }
}
