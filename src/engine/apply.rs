//! A match reaches its key, or a recovery line the keys that agree with it.

use super::alert::{Key, Taken};
use super::clock::Reading;
use super::key;
use super::merge::Timed;
use super::tally::Sample;
use super::text::Scene;
use super::{Engine, digest};
use crate::model::{FileId, KeyHash, Timestamp, Transition};
use crate::rule::{By, Filter, Measure, NotComparable, Quantity, Rule, RuleIx, Ruleset, Value};
use crate::saved::SavedFlush;
use crate::scan::{Captures, Match, MatchKind};

/// Keys that are looked for at once when there is no room.
const QUIETEST: usize = 64;

/// What is known of the keys of a rule that may be forgotten.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Those that were quiet for longest when all were looked at, the quietest last.
    quietest: Vec<(Timestamp, KeyHash)>,
    /// True if there was none, and none has become quiet since.
    pub(super) none: bool,
}

impl Engine {
    pub(super) fn apply_merged(&mut self) {
        while let Some(timed) = self.pop_merged(false) {
            self.apply_kept(&timed);
        }
    }

    pub(super) fn apply_kept(&mut self, timed: &Timed) {
        let ruleset = self.ruleset.clone();
        self.apply(&ruleset, timed.time, &timed.hit.seen());
    }

    pub(super) fn pop_merged(&mut self, all: bool) -> Option<Timed> {
        if self.merge.is_empty() {
            return None;
        }
        let files = &self.clocks.files;
        let behind = self.clocks.behind().filter(|_| !all);
        let frontiers: Vec<_> = behind.map(|(id, _, read_to)| (id, read_to)).collect();
        let source = |id: FileId| files.get(&id).map(|file| file.source);
        self.merge.pop(|a, b| source(a) == source(b), &frontiers)
    }

    /// The time up to which the others of a file's source were read, if some are behind.
    pub(super) fn frontier_of_others(&self, file: FileId) -> Option<Timestamp> {
        let source = self.clocks.files.get(&file)?.source;
        let others = self.clocks.behind().filter(|(id, other, _)| *id != file && other.source == source);
        others.map(|(_, _, read_to)| read_to).min()
    }

    /// `ruleset`: the engine's own.
    pub(super) fn apply(&mut self, ruleset: &Ruleset, time: Timestamp, hit: &Match<'_>) {
        let Some(rule) = ruleset.rules.get(hit.rule.0 as usize) else { return };
        if rule.set.is_empty() {
            return self.apply_set(rule, time, hit);
        }
        let captures = self.rewritten(rule, hit);
        self.apply_set(rule, time, &Match { captures: Captures::Each(&captures), ..*hit });
    }

    /// The captures of a match as its rule wants them, after `set`, aligned with [`Rule::captures`]; `None`: it would
    /// count for nothing, because `where` is not true of it or it holds no number where one is measured.
    pub fn captures(&self, hit: &Match<'_>) -> Option<Vec<Option<Box<[u8]>>>> {
        let rule = self.ruleset.rules.get(hit.rule.0 as usize)?;
        let captures = self.rewritten(rule, hit);
        let seen = Match { captures: Captures::Each(&captures), ..*hit };
        let holds = |filter| self.holds(rule, filter, &seen) == Ok(true);
        let counts = rule.filter.as_ref().is_none_or(holds) && self.sample(rule, &seen).is_ok();
        (hit.kind == MatchKind::Resolve || counts).then_some(captures)
    }

    /// The captures of a match as the rule wants them.
    pub(super) fn rewritten(&self, rule: &Rule, hit: &Match<'_>) -> Vec<Option<Box<[u8]>>> {
        let mut captures: Vec<Option<Box<[u8]>>> =
            hit.captures.iter().map(|capture| Some(capture?.into())).collect();
        captures.resize(rule.captures.len(), None);
        for rewrite in &rule.set {
            // All are made of what was captured, whatever became of that.
            let is_there = rewrite.to.is_there(&|capture| hit.captures.get(capture).is_some());
            let text = || rewrite.to.of(&|value: &Value| self.value_of(rule, value, hit));
            captures[rewrite.capture] = is_there.then(|| text().into());
        }
        captures
    }

    /// Applies a match whose captures are as the rule wants them.
    fn apply_set(&mut self, rule: &Rule, time: Timestamp, hit: &Match<'_>) {
        if let Some(clock) = self.clocks.files.get_mut(&hit.at.file) {
            clock.applied = clock.applied.max(Some(time));
            self.clocks.log = self.clocks.log.map(|log| log.max(time));
        }
        self.expect(true);
        self.ring_held(self.clocks.waits_for(hit.at.file), time);
        if self.last_line.replace(hit.at) != Some(hit.at) {
            self.let_go_freed();
        }
        match hit.kind {
            MatchKind::Resolve => {
                self.counts[hit.rule.0 as usize].recoveries += 1;
                for hash in self.agreeing(rule, hit) {
                    self.with_key(hit.rule, hash, Some(hit.at.file), &mut |key, scene, out| {
                        key.recover(scene, time, out);
                    });
                }
            }
            MatchKind::Match => {
                if let Some(filter) = &rule.filter {
                    let holds = self.holds(rule, filter, hit);
                    let counts = &mut self.counts[hit.rule.0 as usize];
                    match holds {
                        Ok(true) => {}
                        Ok(false) => counts.dismissed += 1,
                        Err(NotComparable) => counts.unreadable += 1,
                    }
                    if holds != Ok(true) {
                        return;
                    }
                }
                if let Some(after) = &rule.after {
                    // What is over by now is so, whether its turn has come or not.
                    self.ring();
                    if !self.comes_after(rule, after, time, hit) {
                        self.counts[hit.rule.0 as usize].dismissed += 1;
                        return;
                    }
                }
                if let Some(change) = &rule.change {
                    return self.say_change(rule, change, time, hit);
                }
                let Ok(sample) = self.sample(rule, hit) else {
                    self.counts[hit.rule.0 as usize].unreadable += 1;
                    return;
                };
                let hash = self.hash_of(rule, hit);
                if !self.counts_once(rule, hash, hit) {
                    return;
                }
                if self.tells_matches {
                    self.output.matches.push((hit.rule, time));
                }
                let mut taken = Taken::Late;
                let mut meet = |key: &mut Key, scene: &Scene<'_>, out: &mut Vec<Transition>| {
                    taken = key.meet(scene, time, hit, sample, out);
                };
                if !self.with_key(hit.rule, hash, Some(hit.at.file), &mut meet) {
                    if !self.admit(rule, hash, time, hit) {
                        return;
                    }
                    self.with_key(hit.rule, hash, Some(hit.at.file), &mut meet);
                }
                let counts = &mut self.counts[hit.rule.0 as usize];
                match taken {
                    Taken::Counted => counts.matches = counts.matches.saturating_add(hit.times.into()),
                    Taken::Late => counts.late = counts.late.saturating_add(hit.times.into()),
                }
            }
        }
    }

    /// Makes a new key; false if there is no room for it.
    fn admit(&mut self, rule: &Rule, hash: KeyHash, time: Timestamp, hit: &Match<'_>) -> bool {
        if self.make_room(hit.rule, rule, time) {
            let by = rule.by.iter().map(|by| self.by_value(&by.from, hit).unwrap_or_default().to_vec());
            let key = Key::new(rule, hash, by.collect(), time);
            self.keys[hit.rule.0 as usize].insert(hash, key);
            return true;
        }
        self.counts[hit.rule.0 as usize].overflow += 1;
        self.tell_overflow(rule, time);
        false
    }

    /// Says that a rule knows less than it would with more keys.
    fn tell_overflow(&mut self, rule: &Rule, time: Timestamp) {
        if !rule.name.as_str().starts_with("tripline_") {
            let line = format!("{} at most, so that not all is counted", rule.max_keys);
            let about = [("rule_name", rule.name.as_str())];
            self.own_at("tripline_key_overflow", MatchKind::Match, &about, &line, time);
        }
    }

    /// Begins to watch keys that are expected and were never seen, once it is known what time it is for them: with the
    /// first match of a backlog, else with the clock.
    pub(super) fn expect(&mut self, matched: bool) {
        if self.unexpected.is_empty() {
            return;
        }
        let ruleset = self.ruleset.clone();
        let mut waiting = std::mem::take(&mut self.unexpected);
        waiting.retain(|ix| {
            let rule = ruleset.rule(*ix);
            let start = match self.clocks.reading_for(rule, &[], self.now) {
                Reading::Held(_, time) if !matched || time == Timestamp::MIN => return true,
                Reading::Held(_, time) | Reading::Running(time, _) => time,
            };
            for values in &rule.expect {
                let by: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
                let named = rule.by.iter().map(|by| by.name.as_ref()).zip(by.iter().map(Vec::as_slice));
                let hash = digest(rule.name.as_str(), self.scope_of(rule), named);
                // Room is made only for what is not there: it takes a key that is.
                if self.keys[ix.0 as usize].contains_key(&hash) {
                    continue;
                }
                self.make_room(*ix, rule, start);
                let mut key = Key::new(rule, hash, by, start);
                key.changed = true;
                self.keys[ix.0 as usize].insert(hash, key);
                self.changed_keys.push((*ix, hash));
                self.schedule(*ix, hash);
            }
            false
        });
        self.unexpected = waiting;
    }

    pub(super) fn by_value<'a>(&'a self, from: &Value, hit: &Match<'a>) -> Option<&'a [u8]> {
        match from {
            Value::Capture(ix) => hit.captures.get(*ix),
            Value::File => {
                self.clocks.place(hit.at.file).map(|(path, _)| path.as_os_str().as_encoded_bytes())
            }
            Value::Source => self.clocks.place(hit.at.file).map(|(_, source)| source.as_bytes()),
            Value::Container(part) => self.clocks.container(hit.at.file, *part).map(str::as_bytes),
            // The configuration allows no other value in a key.
            _ => None,
        }
    }

    /// What a match brings to the rule's measure.
    pub(super) fn sample(&self, rule: &Rule, hit: &Match<'_>) -> Result<Sample, NotComparable> {
        Ok(match &rule.measure {
            Measure::Count | Measure::Rate | Measure::Absent | Measure::Spike => Sample::Match,
            Measure::Ratio(filter) => Sample::Number(f64::from(u8::from(self.holds(rule, filter, hit)?))),
            Measure::Distinct(of) => Sample::Text(key::text_digest(self.value_of(rule, of, hit))),
            Measure::Sum(of)
            | Measure::Average(of)
            | Measure::Least(of)
            | Measure::Most(of)
            | Measure::Last(of)
            | Measure::Percentile(_, of) => {
                let read = Quantity::read(self.value_of(rule, of, hit)).ok_or(NotComparable)?;
                if read.unit != rule.unit {
                    return Err(NotComparable);
                }
                Sample::Number(read.value)
            }
        })
    }

    /// True if what a rule wants of its matches besides their patterns is true of this one.
    pub(super) fn holds(&self, rule: &Rule, filter: &Filter, hit: &Match<'_>) -> Result<bool, NotComparable> {
        filter.condition.holds(&|value| self.value_of(rule, value, hit))
    }

    /// What a name says of a match; nothing is the empty text.
    pub(super) fn value_of<'a>(&'a self, rule: &'a Rule, value: &Value, hit: &Match<'a>) -> &'a [u8] {
        match value {
            Value::Line => hit.line,
            Value::Instance => self.scope_of(rule).as_bytes(),
            Value::Rule => rule.name.as_str().as_bytes(),
            _ => self.by_value(value, hit).unwrap_or_default(),
        }
    }

    pub(super) fn hash_of(&self, rule: &Rule, hit: &Match<'_>) -> KeyHash {
        if let Some(hash) = self.only[hit.rule.0 as usize] {
            return hash;
        }
        let value = |by: &By| self.by_value(&by.from, hit).unwrap_or_default();
        let values = rule.by.iter().map(|by| (by.name.as_ref(), value(by)));
        digest(rule.name.as_str(), self.scope_of(rule), values)
    }

    /// The keys of a rule whose values agree with those that a recovery line names.
    pub(super) fn agreeing(&self, rule: &Rule, hit: &Match<'_>) -> Vec<KeyHash> {
        let keys = &self.keys[hit.rule.0 as usize];
        let values: Vec<Option<&[u8]>> = rule.by.iter().map(|by| self.by_value(&by.from, hit)).collect();
        if values.iter().all(Option::is_some) {
            let hash = self.hash_of(rule, hit);
            return keys.contains_key(&hash).then_some(hash).into_iter().collect();
        }
        let agrees = |key: &&Key| {
            key.by.iter().zip(&values).all(|(have, named)| named.is_none_or(|named| named == have))
        };
        keys.values().filter(agrees).map(|key| key.hash).collect()
    }

    /// False if an unterminated line has counted for this rule and key before its end came.
    pub(super) fn counts_once(&mut self, rule: &Rule, hash: KeyHash, hit: &Match<'_>) -> bool {
        let Some(clock) = self.clocks.files.get_mut(&hit.at.file) else { return true };
        let pair = || (rule.name.clone(), hash);
        match &mut clock.flushed {
            Some(flush) if flush.offset == hit.at.offset => {
                let pair = pair();
                if flush.counted.contains(&pair) {
                    return false;
                }
                flush.counted.push(pair);
            }
            flushed if hit.partial => {
                *flushed = Some(Box::new(SavedFlush { offset: hit.at.offset, counted: vec![pair()] }));
            }
            None => return true,
            flushed => *flushed = None,
        }
        // It may have waited for another file, long after its own was read.
        self.changed_clocks.insert(hit.at.file);
        true
    }

    /// True if another key may be made; forgets the key that was quiet for longest if there is no room.
    pub(super) fn make_room(&mut self, ix: RuleIx, rule: &Rule, time: Timestamp) -> bool {
        let keys = &self.keys[ix.0 as usize];
        if keys.len() < rule.max_keys {
            return true;
        }
        // All keys are looked at only now and then: whoever has a new key in each line shall not make each line dear.
        let Room { quietest, none } = &mut self.rooms[ix.0 as usize];
        if *none {
            return false;
        }
        let is_still = |(clock, hash): &(Timestamp, KeyHash)| {
            keys.get(hash).is_some_and(|key| key.clock == *clock && key.is_quiet())
        };
        let mut next = std::iter::from_fn(|| quietest.pop()).find(is_still);
        if next.is_none() {
            let mut quiet: Vec<_> =
                keys.values().filter(|key| key.is_quiet()).map(|key| (key.clock, key.hash)).collect();
            quiet.sort_unstable_by(|a, b| b.cmp(a));
            *quietest = quiet.split_off(quiet.len().saturating_sub(QUIETEST));
            next = quietest.pop();
            *none = next.is_none();
        }
        match next {
            Some((_, hash)) => {
                let lost = keys.get(&hash).is_some_and(|key| key.counts_for_something(time));
                self.drop_key(ix, hash);
                if lost {
                    self.counts[ix.0 as usize].forgotten += 1;
                    self.tell_overflow(rule, time);
                }
                true
            }
            None => false,
        }
    }
}
