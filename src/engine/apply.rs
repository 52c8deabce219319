//! A match reaches its key, or a recovery line the keys that agree with it.

use super::alert::{Key, Met, Taken};
use super::merge::Timed;
use super::{Engine, Phase, digest};
use crate::model::{FileId, KeyHash, Timestamp};
use crate::rule::{Rule, RuleIx, Value};
use crate::saved::SavedFlush;
use crate::scan::{Match, MatchKind};

impl Engine {
    pub(super) fn apply_merged(&mut self) {
        while let Some(timed) = self.pop_merged(false) {
            self.apply(timed);
        }
    }

    pub(super) fn pop_merged(&mut self, all: bool) -> Option<Timed> {
        if self.merge.is_empty() {
            return None;
        }
        let files = &self.clocks.files;
        let behind = files.iter().filter(|(_, file)| !all && file.phase == Phase::Behind);
        let frontiers: Vec<_> =
            behind.map(|(id, file)| (*id, file.newest.unwrap_or(Timestamp::MIN))).collect();
        let source = |id: FileId| files.get(&id).map(|file| file.source);
        self.merge.pop(|a, b| source(a) == source(b), &frontiers)
    }

    pub(super) fn apply(&mut self, timed: Timed) {
        let Timed { time, hit } = timed;
        let ruleset = self.ruleset.clone();
        let Some(rule) = ruleset.rules.get(hit.rule.0 as usize) else { return };
        if let Some(clock) = self.clocks.files.get_mut(&hit.at.file) {
            clock.applied = clock.applied.max(Some(time));
        }
        self.ring_held(hit.at.file, time);
        let values: Vec<Option<Vec<u8>>> = rule.by.iter().map(|by| self.by_value(&by.from, &hit)).collect();
        match hit.kind {
            MatchKind::Resolve => {
                self.counts[hit.rule.0 as usize].recoveries += 1;
                for hash in self.agreeing(hit.rule, rule, &values) {
                    self.with_key(hit.rule, hash, Some(hit.at.file), |key, scene, out| {
                        key.recover(scene, time, out);
                    });
                }
            }
            MatchKind::Match => {
                let by: Vec<Vec<u8>> = values.into_iter().map(Option::unwrap_or_default).collect();
                let hash = self.hash_of(rule, &by);
                if !self.counts_once(rule, hash, &hit) {
                    return;
                }
                if !self.make_room(hit.rule, rule, hash) {
                    self.counts[hit.rule.0 as usize].overflow += 1;
                    if !rule.name.as_str().starts_with("tripline_") {
                        let line = format!("rule `{}` has more than {} keys", rule.name, rule.max_keys);
                        let now = self.now;
                        self.own(
                            "tripline_key_overflow",
                            MatchKind::Match,
                            &[("rule_name", rule.name.as_str())],
                            &line,
                            now,
                        );
                    }
                    return;
                }
                let keys = &mut self.keys[hit.rule.0 as usize];
                keys.entry(hash).or_insert_with(|| Key::new(rule, hash, by, time));
                let mut taken = Taken::Late;
                self.with_key(hit.rule, hash, Some(hit.at.file), |key, scene, out| {
                    let met = Met { time, at: hit.at, captures: hit.captures, line: &hit.line };
                    taken = key.meet(scene, met, out);
                });
                let counts = &mut self.counts[hit.rule.0 as usize];
                match taken {
                    Taken::Counted => counts.matches += 1,
                    Taken::Late => counts.late += 1,
                }
            }
        }
    }

    pub(super) fn by_value(&self, from: &Value, hit: &Match) -> Option<Vec<u8>> {
        match from {
            Value::Capture(ix) => hit.captures.get(*ix)?.as_ref().map(|value| value.to_vec()),
            Value::File => self.clocks.place(hit.at.file).map(|(path, _)| path.as_bytes().to_vec()),
            Value::Source => self.clocks.place(hit.at.file).map(|(_, source)| source.as_bytes().to_vec()),
            // The configuration allows no other value in a key.
            _ => None,
        }
    }

    pub(super) fn hash_of(&self, rule: &Rule, by: &[Vec<u8>]) -> KeyHash {
        let names = rule.by.iter().map(|by| by.name.as_ref());
        digest(rule.name.as_str(), self.scope_of(rule), names.zip(by.iter().map(Vec::as_slice)))
    }

    /// The keys of a rule whose values agree with those that a recovery line names.
    pub(super) fn agreeing(&self, ix: RuleIx, rule: &Rule, values: &[Option<Vec<u8>>]) -> Vec<KeyHash> {
        let keys = &self.keys[ix.0 as usize];
        if values.iter().all(Option::is_some) {
            let by: Vec<Vec<u8>> = values.iter().flatten().cloned().collect();
            let hash = self.hash_of(rule, &by);
            return keys.contains_key(&hash).then_some(hash).into_iter().collect();
        }
        let agrees = |key: &&Key| {
            key.by.iter().zip(values).all(|(have, named)| named.as_ref().is_none_or(|named| named == have))
        };
        keys.values().filter(agrees).map(|key| key.hash).collect()
    }

    /// False if an unterminated line has counted for this rule and key before its end came.
    pub(super) fn counts_once(&mut self, rule: &Rule, hash: KeyHash, hit: &Match) -> bool {
        let Some(clock) = self.clocks.files.get_mut(&hit.at.file) else { return true };
        let pair = (rule.name.clone(), hash);
        match &mut clock.flushed {
            Some(flush) if flush.offset == hit.at.offset => {
                if flush.counted.contains(&pair) {
                    return false;
                }
                flush.counted.push(pair);
            }
            flushed if hit.partial => {
                *flushed = Some(SavedFlush { offset: hit.at.offset, counted: vec![pair] });
            }
            None => return true,
            flushed => *flushed = None,
        }
        // It may have waited for another file, long after its own was read.
        self.changed_clocks.insert(hit.at.file);
        true
    }

    /// True if the key exists or may be made; forgets the key that was quiet for longest if there is no room.
    pub(super) fn make_room(&mut self, ix: RuleIx, rule: &Rule, hash: KeyHash) -> bool {
        let keys = &self.keys[ix.0 as usize];
        if keys.contains_key(&hash) || keys.len() < rule.max_keys {
            return true;
        }
        let quiet = keys.values().filter(|key| key.is_quiet()).min_by_key(|key| (key.clock, key.hash));
        match quiet.map(|key| key.hash) {
            Some(hash) => {
                self.drop_key(ix, hash);
                true
            }
            None => false,
        }
    }
}
