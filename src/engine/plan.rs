//! What putting other rules in force will do, told before it is done: [`super::Engine::adopt`] in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use crate::model::{AlertKey, RuleName, Status, Transition};
use crate::rule::{Rule, Ruleset};

/// What a reload compares of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its name.
    pub name: RuleName,
    /// Names of what its keys are made of, sorted.
    pub by: Vec<Arc<str>>,
    /// Whether the observer's scope enters its keys.
    pub scoped: bool,
    /// Whether it speaks of changes, and has no alerts.
    pub of_changes: bool,
    /// [`Rule::condition_digest`].
    pub condition: [u8; 16],
    /// [`Rule::texts_digest`].
    pub texts: [u8; 16],
}

impl Outline {
    /// That of a rule.
    pub fn of(rule: &Rule) -> Outline {
        Outline {
            name: rule.name.clone(),
            by: rule.by.iter().map(|by| by.name.clone()).collect(),
            scoped: rule.scoped,
            of_changes: rule.change.is_some(),
            condition: rule.condition_digest,
            texts: rule.texts_digest,
        }
    }

    fn keys_like(&self, other: &Outline) -> bool {
        (&self.by, self.scoped, self.of_changes) == (&other.by, other.scoped, other.of_changes)
    }
}

/// What a reload looks at of an open alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenKey {
    /// Its key.
    pub key: AlertKey,
    /// Its values of `by`, if it has never been seen, and is only missed because it was expected.
    pub unseen: Option<Vec<Vec<u8>>>,
    /// The rule whose alerts are not told one by one, if it is the alert that says so.
    pub storm_of: Option<RuleName>,
    /// True if such an alert tells of it.
    pub folded: bool,
    /// True if it stays open when its rule is gone.
    pub outlives: bool,
}

/// What becomes of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// There was none of that name.
    New,
    /// Nothing.
    Unchanged,
    /// It says or bounds something else. All state is kept.
    Texts,
    /// It decides in another way. Its windows begin anew.
    Condition,
    /// Its keys are made in another way. They are other alerts.
    Rekeyed,
    /// It has another name, as its condition says. It is another rule.
    Renamed(RuleName),
    /// It was removed or disabled.
    Gone,
}

impl Fate {
    /// True if alerts of the rule stay open.
    fn keeps(&self) -> bool {
        matches!(self, Fate::Unchanged | Fate::Texts | Fate::Condition)
    }
}

/// What becomes of a rule and of its open alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub rule: RuleName,
    /// What becomes of it.
    pub fate: Fate,
    /// Alerts that stay open.
    pub kept: Vec<AlertKey>,
    /// Alerts that stay open without it, because it said `on_remove = "keep"`.
    pub orphaned: Vec<AlertKey>,
    /// Alerts that are resolved at once: their rule is gone or keyed in another way, does not expect any more what is
    /// missed, or they told of a storm that is over with it.
    pub resolved: Vec<AlertKey>,
}

/// What [`Engine::adopt`] will do to rules that are outlined so when `new` ones are put in force: the old ones in
/// their order, then those that are new.
pub fn plan(old: &[Outline], new: &Ruleset, open: &[OpenKey]) -> Vec<Planned> {
    let outlines: BTreeMap<RuleName, (Outline, &Rule)> =
        new.rules.iter().map(|rule| (rule.name.clone(), (Outline::of(rule), rule))).collect();
    let is_new = |outline: &Outline| old.iter().all(|old| old.name != outline.name);
    let renamed = |old: &Outline| {
        let alike = |new: &&(Outline, &Rule)| {
            is_new(&new.0) && new.0.condition == old.condition && new.0.keys_like(old)
        };
        let mut found = outlines.values().filter(alike);
        found.next().filter(|_| found.next().is_none()).map(|(new, _)| new.name.clone())
    };
    let fate_of = |old: &Outline| match outlines.get(&old.name) {
        None => renamed(old).map_or(Fate::Gone, Fate::Renamed),
        Some((new, _)) if !new.keys_like(old) => Fate::Rekeyed,
        Some((new, _)) if new.condition != old.condition => Fate::Condition,
        Some((new, _)) if new.texts != old.texts => Fate::Texts,
        Some(_) => Fate::Unchanged,
    };
    let has_keys = |rule: &RuleName| {
        let old = old.iter().find(|old| old.name == *rule);
        let outlives = |open: &OpenKey| open.key.rule == *rule && open.folded && open.outlives;
        old.is_some_and(|old| fate_of(old).keeps()) || open.iter().any(outlives)
    };
    let of_old = old.iter().map(|old| {
        let fate = fate_of(old);
        let goes_on = |open: &&OpenKey| {
            let Some((_, rule)) = outlines.get(&old.name).filter(|_| fate.keeps()) else { return false };
            let dropped = |values: &Vec<Vec<u8>>| {
                rule.notices_absence() && !rule.expects(values.iter().map(Vec::as_slice))
            };
            // A storm is over with the last of its alerts.
            !open.unseen.as_ref().is_some_and(dropped) && open.storm_of.as_ref().is_none_or(has_keys)
        };
        let mine = open.iter().filter(|open| open.key.rule == old.name);
        let (kept, rest): (Vec<_>, Vec<_>) = mine.partition(goes_on);
        let (orphaned, resolved) = rest.into_iter().partition(|open| open.outlives && !fate.keeps());
        let keys = |open: Vec<&OpenKey>| open.into_iter().map(|open| open.key.clone()).collect();
        Planned {
            rule: old.name.clone(),
            fate,
            kept: keys(kept),
            orphaned: keys(orphaned),
            resolved: keys(resolved),
        }
    });
    let of_new = new.rules.iter().map(Outline::of).filter(is_new).map(|new| Planned {
        rule: new.name,
        fate: Fate::New,
        kept: Vec::new(),
        orphaned: Vec::new(),
        resolved: Vec::new(),
    });
    of_old.chain(of_new).collect()
}

impl Engine {
    /// What a reload compares of the rules in force.
    pub fn outlines(&self) -> impl Iterator<Item = Outline> {
        self.ruleset.rules.iter().map(Outline::of)
    }

    /// What a reload looks at of the alerts that are open and have a rule, with the last transition of each.
    pub fn open_keys(&self) -> impl Iterator<Item = (OpenKey, &Transition)> {
        let rules = self.ruleset.rules.iter().zip(&self.keys);
        let keys = rules.flat_map(|(rule, keys)| keys.values().map(move |key| (rule, key)));
        keys.filter_map(|(rule, key)| {
            let last = key.last.as_ref().filter(|last| last.status != Status::Ok)?;
            let unseen = (key.total == 0).then(|| key.by.clone());
            let is_storm = last.key.rule.as_str() == super::hold::STORM;
            let storm_of = key
                .by
                .first()
                .filter(|_| is_storm)
                .map(|rule| RuleName::new(&*String::from_utf8_lossy(rule)))
                // What has no rule goes on whatever becomes of rules.
                .filter(|rule| !self.orphans.is_folded(rule.as_str()));
            let (folded, outlives) = (key.folded.is_some(), rule.outlives.is_some());
            Some((OpenKey { key: last.key.clone(), unseen, storm_of, folded, outlives }, last))
        })
    }
}
