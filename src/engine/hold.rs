//! Who is told of a transition: what holds a raise back, what lets it go, and what folds it into one alert with others.
//!
//! What is held back concerns only sinks that know nothing of the episode. Who was told of it is told the rest, and its
//! end is always told to whoever knows of its beginning.

use std::collections::VecDeque;

use super::alert::Key;
use super::{Emitted, Engine, Tell, digest};
use crate::model::{KeyHash, Reason, Status, Timestamp, Transition};
use crate::rule::{After, By, Rule, RuleIx, Ruleset};
use crate::scan::{Match, MatchKind};

/// tripline's own alert of alerts that are not told one by one.
pub(super) const STORM: &str = "tripline_storm";

/// What other rules a rule looks at, and how many of its alerts were told lately.
#[derive(Debug, Default)]
pub(super) struct Ties {
    pub(super) unless: Vec<RuleIx>,
    after: Vec<RuleIx>,
    /// True if others look at it in their `unless`.
    holds_others: bool,
    /// When its alerts were told, one by one, within [`crate::rule::MaxRaises::within`].
    raises: VecDeque<Timestamp>,
}

impl Ties {
    /// A saved key may have been told of lately: neither a restart nor a reload gives a rule as many raises anew.
    pub(super) fn count_raise(&mut self, rule: &Rule, key: &Key) {
        let told = key.raised.filter(|_| !key.held && key.folded.is_none());
        if let (Some(bound), Some((raised, _))) = (rule.max_raises, told) {
            let place = self.raises.partition_point(|known| *known <= raised);
            self.raises.insert(place, raised);
            let more = self.raises.len().saturating_sub(bound.most);
            self.raises.drain(..more);
        }
    }
}

/// The ties of all rules of a ruleset.
pub(super) fn ties(ruleset: &Ruleset) -> Vec<Ties> {
    let found = |names: &[crate::model::RuleName]| -> Vec<RuleIx> {
        names.iter().filter_map(|name| ruleset.find(name.as_str())).collect()
    };
    let mut ties: Vec<Ties> = ruleset.rules.iter().map(|_| Ties::default()).collect();
    for (ix, rule) in ruleset.iter().filter(|(_, rule)| !rule.unless.is_empty() || rule.after.is_some()) {
        let unless = found(&rule.unless);
        for other in &unless {
            ties[other.0 as usize].holds_others = true;
        }
        ties[ix.0 as usize].unless = unless;
        ties[ix.0 as usize].after = rule.after.as_ref().map(|after| found(&after.rules)).unwrap_or_default();
    }
    ties
}

/// What holds a raise back.
enum Hold {
    /// Nothing.
    None,
    /// Something that may be over then, or when another alert is.
    Until(Timestamp),
    /// The same thing has happened too often.
    Storm,
}

impl Engine {
    /// Sends out what a key has decided.
    pub(super) fn emit(&mut self, ix: RuleIx, hash: KeyHash, made: Vec<Transition>) {
        let quiet = made.is_empty();
        for transition in made {
            let Some(tell) = self.tell(ix, hash, &transition) else { continue };
            if transition.status == Status::Ok && self.ties[ix.0 as usize].holds_others {
                self.freed = self.freed.max(Some(transition.time));
            }
            self.output.transitions.push(Emitted { transition, tell });
        }
        let Some(key) = self.keys[ix.0 as usize].get(&hash) else { return };
        if quiet && key.held && key.look_at.is_none() && !key.untold {
            let at = key.clock;
            self.look_again(ix, hash, at);
        }
    }

    /// Who is to be told of a transition that has just been decided; `None`: nobody, and nothing is lost by it.
    fn tell(&mut self, ix: RuleIx, hash: KeyHash, transition: &Transition) -> Option<Tell> {
        let key = self.keys[ix.0 as usize].get_mut(&hash)?;
        let again = transition.status == transition.previous;
        let stale = transition.time < self.now.minus(self.clocks.max_age(&key.files));
        key.untold |= stale && !again;
        if transition.status == Status::Ok {
            let folded = key.folded.take().is_some();
            self.released(ix, hash);
            if folded {
                self.settle_storms(transition.time);
            }
            return Some(if stale { Tell::Stale } else { Tell::Now });
        }
        if stale {
            return (!again).then_some(Tell::Stale);
        }
        if again {
            let muted = self.ruleset.rule(ix).is_muted(transition.time);
            let told = !key.held && key.folded.is_none() && !muted;
            return (told && self.silenced_by(transition).is_none()).then_some(Tell::Again);
        }
        let begins = transition.previous == Status::Ok || key.held;
        Some(if self.holds_back(ix, hash, transition.time, begins) { Tell::Known } else { Tell::Now })
    }

    /// True if a raise is held back, or what was folded goes on; keeps in mind why. `begins`: nobody may know of it yet.
    fn holds_back(&mut self, ix: RuleIx, hash: KeyHash, time: Timestamp, begins: bool) -> bool {
        let hold = self.hold(ix, hash, time, begins);
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return false };
        match hold {
            Hold::None => {
                let folded = key.folded.take().is_some();
                self.released(ix, hash);
                if folded {
                    self.settle_storms(time);
                }
                return false;
            }
            Hold::Until(look) => {
                key.held = true;
                key.look_at = Some(look);
                self.held.insert((ix, hash));
            }
            Hold::Storm => {
                let is_new = key.folded.replace(key.status()).is_none();
                self.released(ix, hash);
                if is_new {
                    self.storm(ix, hash, time);
                }
            }
        }
        true
    }

    fn hold(&mut self, ix: RuleIx, hash: KeyHash, time: Timestamp, begins: bool) -> Hold {
        let ruleset = self.ruleset.clone();
        let rule = ruleset.rule(ix);
        let Some(key) = self.keys[ix.0 as usize].get(&hash) else { return Hold::None };
        let rises = key.folded.is_some_and(|folded| key.status() > folded);
        if key.folded.is_some() && !rises {
            return Hold::Storm;
        }
        if !begins && !rises {
            return Hold::None;
        }
        let muted = rule.is_muted(time);
        let holds = |other: &RuleIx| self.is_open_for(&ruleset, *other, rule, &key.by);
        if muted || self.ties[ix.0 as usize].unless.iter().any(holds) {
            let until = Some(time).filter(|_| muted).and_then(|time| rule.next_mute_change(time));
            return Hold::Until(until.unwrap_or(Timestamp::MAX));
        }
        if key.last.as_ref().is_some_and(|last| self.silenced_by(last).is_some()) {
            return Hold::Until(Timestamp::MAX);
        }
        let Some(bound) = rule.max_raises else { return Hold::None };
        let raises = &mut self.ties[ix.0 as usize].raises;
        while raises.front().is_some_and(|first| time.since(*first) >= bound.within) {
            raises.pop_front();
        }
        if raises.len() >= bound.most {
            return Hold::Storm;
        }
        raises.push_back(time);
        Hold::None
    }

    fn released(&mut self, ix: RuleIx, hash: KeyHash) {
        if let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) {
            key.held = false;
            key.look_at = None;
        }
        self.held.remove(&(ix, hash));
    }

    /// Sees whether what held a raise back is over.
    fn look_again(&mut self, ix: RuleIx, hash: KeyHash, time: Timestamp) {
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        if time < self.now.minus(self.clocks.max_age(&key.files)) {
            // The backlog may still tell that it is over.
            key.untold = true;
            self.released(ix, hash);
            self.untold.insert((ix, hash));
        } else if !self.holds_back(ix, hash, time, true) {
            self.say_again(ix, hash, Tell::IfOther);
        }
    }

    /// Looks at all that is held back, if an alert has ended that holds others back.
    pub(super) fn let_go_freed(&mut self) {
        while let Some(time) = self.freed.take() {
            for (ix, hash) in self.held.clone() {
                let at = self.keys[ix.0 as usize].get(&hash).map_or(time, |key| key.clock.max(time));
                self.look_again(ix, hash, at);
                self.schedule(ix, hash);
            }
        }
    }

    /// Says once more what is true now, for sinks that know otherwise.
    pub(super) fn retell(&mut self, ix: RuleIx, hash: KeyHash) {
        let Some(key) = self.keys[ix.0 as usize].get(&hash) else { return };
        let fires = key.status() != Status::Ok;
        let at = key.clock;
        let known = fires && (key.held || key.folded.is_some() || self.holds_back(ix, hash, at, true));
        self.say_again(ix, hash, if known { Tell::Known } else { Tell::IfOther });
    }

    fn say_again(&mut self, ix: RuleIx, hash: KeyHash, tell: Tell) {
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        let mut made = Vec::new();
        key.retell(&mut made);
        if key.status() == Status::Ok {
            key.last = None;
        }
        if !std::mem::replace(&mut key.changed, true) {
            self.changed_keys.push((ix, hash));
        }
        self.output.transitions.extend(made.into_iter().map(|transition| Emitted { transition, tell }));
        self.schedule(ix, hash);
    }

    // ---- other rules ------------------------------------------------------------------------------------------

    /// True if an alert of the rule `other` is open whose values of `by` are those of a key of `rule`, where both have
    /// the name.
    pub(super) fn is_open_for(&self, ruleset: &Ruleset, other: RuleIx, rule: &Rule, by: &[Vec<u8>]) -> bool {
        let value = |part: &By| {
            let at = rule.by.iter().position(|mine| mine.name == part.name)?;
            Some(by[at].as_slice())
        };
        self.keys_alike(ruleset, other, value).any(|key| key.status() != Status::Ok)
    }

    /// The keys of a rule whose parts have these values; a part without one may have any.
    fn keys_alike<'a>(
        &'a self,
        ruleset: &Ruleset,
        ix: RuleIx,
        value: impl Fn(&By) -> Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a Key> {
        let rule = ruleset.rule(ix);
        let keys = &self.keys[ix.0 as usize];
        let values: Vec<Option<&[u8]>> = rule.by.iter().map(&value).collect();
        let whole = values.iter().copied().collect::<Option<Vec<_>>>().map(|values| {
            let named = rule.by.iter().map(|by| by.name.as_ref()).zip(values);
            digest(rule.name.as_str(), self.scope_of(rule), named)
        });
        let one = whole.and_then(|hash| keys.get(&hash));
        let several = keys.values().take(if whole.is_some() { 0 } else { usize::MAX });
        let agrees = move |key: &&Key| {
            key.by.iter().zip(&values).all(|(have, named)| named.is_none_or(|named| named == have))
        };
        one.into_iter().chain(several.filter(agrees))
    }

    /// True if a match comes after what it has to come after, and not with it in one line.
    pub(super) fn comes_after(&self, rule: &Rule, after: &After, time: Timestamp, hit: &Match<'_>) -> bool {
        let ruleset = &self.ruleset;
        let value = |part: &By| {
            let mine = rule.by.iter().find(|mine| mine.name == part.name)?;
            Some(self.by_value(&mine.from, hit).unwrap_or_default())
        };
        let counts = |key: &Key| {
            let is_open = key.status() != Status::Ok;
            key.raised.is_some_and(|(raised, at)| {
                at != hit.at && raised <= time && (is_open || time.since(raised) < after.within)
            })
        };
        self.ties[hit.rule.0 as usize]
            .after
            .iter()
            .any(|other| self.keys_alike(ruleset, *other, value).any(counts))
    }

    // ---- storms -----------------------------------------------------------------------------------------------

    /// A key of a rule is not told by itself from now on.
    fn storm(&mut self, ix: RuleIx, hash: KeyHash, time: Timestamp) {
        let ruleset = self.ruleset.clone();
        let rule = ruleset.rule(ix);
        let Some(key) = self.keys[ix.0 as usize].get(&hash) else { return };
        let values = rule.by.iter().zip(&key.by);
        let named: Vec<String> =
            values.map(|(by, value)| format!("{}={}", by.name, String::from_utf8_lossy(value))).collect();
        let about = [("rule_name", rule.name.as_str())];
        self.own_at(STORM, MatchKind::Match, &about, &named.join(" "), time);
        let Some(storm) = ruleset.find(STORM) else { return };
        let of = |key: &&Key| key.by[0] == rule.name.as_str().as_bytes();
        let Some(key) = self.keys[storm.0 as usize].values().find(of) else { return };
        // It says how many there are; that is news when there are ten times as many.
        if key.total >= 10 && key.total == 10u64.pow(key.total.ilog10()) {
            let hash = key.hash;
            self.with_key(storm, hash, None, &mut |key, scene, out| {
                key.shift(scene, time, key.status(), Reason::StillOpen, out);
            });
        }
    }

    /// Ends the alert of each storm of which nothing is open any more.
    pub(super) fn settle_storms(&mut self, time: Timestamp) {
        let Some(storm) = self.ruleset.find(STORM) else { return };
        let open = self.keys[storm.0 as usize].values().filter(|key| key.status() != Status::Ok);
        let over = |name: &str| {
            let rule = self.ruleset.find(name);
            !self.orphans.is_folded(name)
                && rule.is_none_or(|ix| self.keys[ix.0 as usize].values().all(|key| key.folded.is_none()))
        };
        let names: Vec<String> = open.map(|key| String::from_utf8_lossy(&key.by[0]).into_owned()).collect();
        let ended: Vec<String> = names.into_iter().filter(|name| over(name)).collect();
        for name in ended {
            self.own_at(STORM, MatchKind::Resolve, &[("rule_name", &name)], "", time);
        }
    }
}
