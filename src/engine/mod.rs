//! Matches and time → transitions. Pure: no clock, no file, no socket, no thread, no randomness.
//!
//! # The door
//! An [`Engine`] is told what happened (`opened`, `read`, `phase`, `ended`, `own`, `adopt`, `tick`) together with the
//! engine's `now`, and asked what follows from it: [`Engine::take`] gives the transitions and the rows that
//! changed, [`Engine::next_wake`] the moment at which it wants to be ticked though nothing happened. One sequence of
//! calls gives one sequence of answers; everything that must survive leaves as data. A rule that speaks of changes has
//! no keys: each of its matches is an answer by itself ([`Output::changes`]).

mod alert;
mod apply;
mod by_hand;
mod change;
mod clock;
mod doubts;
pub mod explain;
mod flap;
mod hold;
mod key;
mod lines;
mod measured;
mod merge;
mod orphans;
pub mod plan;
mod quiet;
mod rows;
pub mod silence;
mod tally;
mod text;
mod timers;
mod untold;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use clock::{Arrival, OddStamp, Phase, Timing};
pub use key::digest;
pub use rows::Change;
pub use untold::Untold;

use crate::model::{
    ChangeReport, FileId, KeyHash, Position, Reason, RuleName, SourceName, Status, Timestamp, Transition,
};
use crate::rule::{Rule, RuleIx, Ruleset};
use crate::saved::{Saved, SavedKey};
use crate::scan::stamp::Stamp;
use crate::scan::{Captures, KeptMatch, Match, MatchKind};

use alert::Key;
use clock::{Clocks, LOG};
use merge::{Merge, Timed};
use orphans::Orphans;
use silence::Silences;
use timers::Timers;
use window::Chunks;

/// A block of a file after scanning.
#[derive(Debug)]
pub struct Read<M> {
    /// Which file.
    pub file: FileId,
    /// What fitted, in the order of offsets.
    pub matches: M,
    /// Stamp of the record nearest to the block's end.
    pub stamp: Option<Stamp>,
    /// When it arrived.
    pub arrival: Arrival,
}

/// A match without what its rule takes out of lines; `None`: there is nothing to take out.
fn redacted(rule: &Rule, hit: &Match<'_>) -> Option<KeptMatch> {
    let out = rule.redact.find(hit.line);
    let others = |value: &[u8]| rule.redact.find(value);
    // What a line has lost by being unwrapped may stand whole in a capture.
    let is_clean = out.is_empty()
        && match hit.captures {
            Captures::Spans { .. } => true,
            Captures::Each(_) => hit.captures.iter().flatten().all(|value| others(value).is_empty()),
        };
    (!is_clean).then(|| hit.redacted(&out, others))
}

/// A transition on its way to `route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// What changed.
    pub transition: Transition,
    /// How it is to be told.
    pub tell: Tell,
}

/// How a transition is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// To every sink that takes it.
    Now,
    /// To nobody: it was decided long after it became true.
    Stale,
    /// To the sinks whose last word was another status: the end of a backlog, or of what held a raise back.
    IfOther,
    /// To the sinks that know of its episode; from others its raise is held back.
    Known,
    /// To the sinks that know of its episode, though it is what they know.
    Again,
}

/// What was said of a change, on its way to `route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    /// What was said.
    pub report: ChangeReport,
    /// True if its line was found so late that nobody is told.
    pub stale: bool,
}

/// What follows from what happened.
#[derive(Debug, Default)]
pub struct Output {
    /// In the order in which they were decided.
    pub transitions: Vec<Emitted>,
    /// What lines said of changes, in the order in which they were applied.
    pub changes: Vec<Reported>,
    /// Stamps that were not believed.
    pub odd_stamps: Vec<OddStamp>,
    /// Of each line that fitted a rule, whatever its window made of it: which rule, and when. Empty unless
    /// [`Engine::tell_matches`] was called.
    pub matches: Vec<(RuleIx, Timestamp)>,
}

/// What was counted of a rule since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// Lines on which its patterns were tried, because what they are watched for by stood there.
    pub tried: u64,
    /// Lines that fitted and counted.
    pub matches: u64,
    /// Lines that fitted `resolve`.
    pub recoveries: u64,
    /// Lines that fitted, but of which `where` does not hold.
    pub dismissed: u64,
    /// Lines that fitted, but hold no number where one is to be compared, no key of a change, or no stamp where one is
    /// looked for. Without a stamp a change is told all the same.
    pub unreadable: u64,
    /// Lines that fitted, but whose value stands for no status of a change.
    pub unknown_status: u64,
    /// Lines that fitted and were found so late that nobody is told of their change.
    pub stale_changes: u64,
    /// Lines that fitted, but were older than the window their key had reached.
    pub late: u64,
    /// Lines that fitted, but had no room for their key.
    pub overflow: u64,
    /// Keys that were forgotten for want of room though they had matches in their window or were watched.
    pub forgotten: u64,
}

/// What became of a key that was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loaded {
    /// A rule goes on with it.
    Taken,
    /// Its rule does not expect it any more, and it was never seen.
    Unexpected,
    /// There is no rule that keys alike.
    Ruleless,
}

/// The state of all rules over all keys.
#[derive(Debug)]
pub struct Engine {
    ruleset: Arc<Ruleset>,
    scope: String,
    clocks: Clocks,
    merge: Merge,
    /// Per rule, in the order of the ruleset.
    keys: Vec<BTreeMap<KeyHash, Key>>,
    timers: Timers,
    untold: BTreeSet<(RuleIx, KeyHash)>,
    /// Those with [`Key::held`].
    held: BTreeSet<(RuleIx, KeyHash)>,
    silences: Silences,
    orphans: Orphans,
    /// When something ended last that may have held others back, if they were not looked at since.
    freed: Option<Timestamp>,
    /// The line that was applied last: what it ends is over for all rules before anything that was held back is let go.
    last_line: Option<Position>,
    /// Where the last line of tripline's own would stand.
    own_offset: u64,
    /// Per rule.
    ties: Vec<hold::Ties>,
    /// Per rule.
    rooms: Vec<apply::Room>,
    counts: Vec<RuleCounts>,
    /// Per rule without `by`: its only key.
    only: Vec<Option<KeyHash>>,
    /// Rules whose expected keys are not yet watched.
    unexpected: Vec<RuleIx>,
    /// Those with [`Key::changed`], and some that have gone since.
    changed_keys: Vec<(RuleIx, KeyHash)>,
    changed_clocks: BTreeSet<FileId>,
    /// Rows that could not wait to be asked for: of what is gone, and of the rules before a reload.
    made: Vec<Change>,
    /// See [`Engine::tell_matches`].
    tells_matches: bool,
    output: Output,
    now: Timestamp,
}

impl Engine {
    /// From now on an alert that stays open is not told again, whatever its rule says: for whoever lets the clock run
    /// until no timer is left.
    pub fn tell_once(&mut self) {
        let ruleset = Arc::make_mut(&mut self.ruleset);
        ruleset.rules.iter_mut().for_each(|rule| rule.renotify = None);
    }

    /// An engine that goes on from what was saved, and takes the clocks of files out of it: there may be many. Keys of
    /// rules that are gone or keyed in another way are resolved, as at a reload.
    pub fn new(
        ruleset: Arc<Ruleset>,
        scope: String,
        timings: Vec<Timing>,
        saved: &mut Saved,
        now: Timestamp,
    ) -> Engine {
        let mut engine = Engine {
            ruleset: Arc::new(Ruleset::default()),
            scope,
            clocks: Clocks::new(timings, std::mem::take(&mut saved.clocks)),
            merge: Merge::default(),
            keys: Vec::new(),
            timers: Timers::default(),
            untold: BTreeSet::new(),
            held: BTreeSet::new(),
            silences: Silences::load(&saved.silences),
            orphans: Orphans::default(),
            freed: None,
            last_line: None,
            own_offset: 0,
            ties: Vec::new(),
            rooms: Vec::new(),
            counts: Vec::new(),
            only: Vec::new(),
            unexpected: Vec::new(),
            changed_keys: Vec::new(),
            changed_clocks: BTreeSet::new(),
            made: Vec::new(),
            tells_matches: false,
            output: Output::default(),
            now,
        };
        let mut chunks: BTreeMap<(&RuleName, KeyHash), Chunks> = BTreeMap::new();
        for (rule, hash, number, entries) in &saved.chunks {
            chunks.entry((rule, *hash)).or_default().push((*number, entries.clone()));
        }
        engine.place_ruleset(ruleset);
        for row in &saved.keys {
            let rows = chunks.remove(&(&row.rule, row.hash)).unwrap_or_default();
            let numbers: Vec<u64> = rows.iter().map(|(number, _)| *number).collect();
            let loaded = engine.load(row.clone(), rows);
            if loaded != Loaded::Taken {
                engine.let_go(row.clone(), numbers, loaded == Loaded::Ruleless);
            }
        }
        engine.settle_storms(now);
        engine
    }

    fn place_ruleset(&mut self, ruleset: Arc<Ruleset>) {
        self.keys = ruleset.rules.iter().map(|_| BTreeMap::new()).collect();
        self.counts = vec![RuleCounts::default(); ruleset.rules.len()];
        self.ties = hold::ties(&ruleset);
        self.rooms = ruleset.rules.iter().map(|_| apply::Room::default()).collect();
        let only = |rule: &Rule| {
            rule.by.is_empty().then(|| digest(rule.name.as_str(), self.scope_of(rule), std::iter::empty()))
        };
        self.only = ruleset.rules.iter().map(only).collect();
        let expects = |(_, rule): &(RuleIx, &Rule)| rule.notices_absence() && !rule.expect.is_empty();
        self.unexpected = ruleset.iter().filter(expects).map(|(ix, _)| ix).collect();
        self.ruleset = ruleset;
    }

    /// Takes a saved key under the rule of its name.
    fn load(&mut self, row: SavedKey, chunks: Chunks) -> Loaded {
        let ruleset = self.ruleset.clone();
        let Some(ix) = ruleset.find(row.rule.as_str()) else { return Loaded::Ruleless };
        let rule = ruleset.rule(ix);
        if rule.change.is_some() {
            return Loaded::Ruleless;
        }
        if !row.by.iter().map(|(name, _)| name).eq(rule.by.iter().map(|by| &by.name)) {
            return Loaded::Ruleless;
        }
        let values = row.by.iter().map(|(name, value)| (name.as_ref(), value.as_slice()));
        if digest(rule.name.as_str(), self.scope_of(rule), values) != row.hash {
            return Loaded::Ruleless;
        }
        // It was only ever watched because it was expected.
        let seen = row.total > 0 || !rule.notices_absence();
        if !seen && !rule.expects(row.by.iter().map(|(_, value)| value.as_slice())) {
            return Loaded::Unexpected;
        }
        let restarted = row.condition_digest != rule.condition_digest;
        let was_orphan = row.orphan_until.is_some();
        let rewritten = restarted || was_orphan || row.outlives != rule.outlives;
        let mut key = Key::load(rule, row, chunks);
        if was_orphan {
            key.hold_until(self.now);
        }
        let hash = key.hash;
        if restarted && rule.notices_few() {
            // What was read so far is not in the new window.
            key.born = key.born.max(self.clocks.newest(rule, self.now));
        }
        if rewritten {
            key.changed = true;
            self.changed_keys.push((ix, hash));
        }
        if key.untold {
            self.untold.insert((ix, hash));
        }
        if key.held {
            self.held.insert((ix, hash));
        }
        self.ties[ix.0 as usize].count_raise(rule, &key);
        self.keys[ix.0 as usize].insert(hash, key);
        self.schedule(ix, hash);
        Loaded::Taken
    }

    fn scope_of(&self, rule: &Rule) -> &str {
        if rule.scoped { &self.scope } else { "" }
    }

    /// Puts other rules in force; [`plan::plan`] tells what that will do. Same name and same key: the state is kept; another condition: open alerts are
    /// kept and windows restart; gone, disabled or keyed in another way: resolved.
    pub fn adopt(&mut self, ruleset: Arc<Ruleset>, timings: Vec<Timing>, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(timed) = self.pop_merged(true) {
            self.apply_kept(&timed);
        }
        let old = self.ruleset.clone();
        let counts = std::mem::take(&mut self.counts);
        self.made = self.take_changes();
        let keys = std::mem::take(&mut self.keys);
        let orphans = self.orphans.take();
        self.timers = Timers::default();
        self.untold.clear();
        self.held.clear();
        self.clocks.retime(timings);
        self.place_ruleset(ruleset);
        for (((_, rule), keys), counted) in old.iter().zip(keys).zip(counts) {
            if let Some(ix) = self.ruleset.find(rule.name.as_str()) {
                self.counts[ix.0 as usize] = counted;
            }
            for key in keys.into_values() {
                let row = key.save(rule);
                let chunks: Vec<_> = key.window.into_chunks().collect();
                let numbers = chunks.iter().map(|(number, _)| *number).collect();
                let loaded = self.load(row.clone(), chunks);
                if loaded != Loaded::Taken {
                    self.let_go(row, numbers, loaded == Loaded::Ruleless);
                }
            }
        }
        for row in orphans {
            let loaded = self.load(row.clone(), Vec::new());
            if loaded != Loaded::Taken {
                self.let_go(row, Vec::new(), loaded == Loaded::Ruleless);
            }
        }
        // What held others back may be gone, or may not hold them any more.
        self.freed = Some(self.now);
        self.let_go_freed();
        self.settle_storms(self.now);
    }

    /// A file is followed, or goes by another name.
    pub fn opened(&mut self, file: FileId, source: &SourceName, path: Arc<Path>) {
        if self.clocks.open(file, source, path) {
            self.changed_clocks.insert(file);
        }
    }

    /// A file is behind, read to its end, unreadable, or gone.
    pub fn phase(&mut self, file: FileId, phase: Phase, now: Timestamp) {
        self.now = self.now.max(now);
        if !self.clocks.turn(file, phase) {
            return;
        }
        if matches!(phase, Phase::AtEnd | Phase::Gone) {
            self.unhold(file);
        }
        self.apply_merged();
        if self.clocks.log.is_some() && self.clocks.behind().next().is_none() {
            self.clocks.log = None;
            self.unhold(LOG);
        }
        self.expect(false);
    }

    /// From now on files that are behind are pieces of one log, until all of them were read to their end: what was read
    /// in one of them is over when another one says so. For finished logs: no piece grows.
    pub fn join(&mut self) {
        self.clocks.log = Some(Timestamp::MIN);
    }

    /// Nothing of a file will come any more.
    pub fn ended(&mut self, file: FileId, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(timed) = self.merge.pop_of(file) {
            self.apply_kept(&timed);
        }
        self.clocks.forget(file);
        self.made.push(Change::ClockGone(file));
        self.changed_clocks.remove(&file);
        self.unhold(file);
        self.apply_merged();
    }

    /// A block of a file was read and scanned.
    pub fn read<'a>(&mut self, read: Read<impl IntoIterator<Item = Match<'a>>>, now: Timestamp) {
        self.now = self.now.max(now);
        self.changed_clocks.insert(read.file);
        let live = read.arrival.at.is_some();
        let lagged = self.clocks.lag(read.file);
        if live {
            // What arrives live never waits, and never overtakes its own file.
            while let Some(timed) = self.merge.pop_of(read.file) {
                self.apply_kept(&timed);
            }
        }
        let others = self.frontier_of_others(read.file);
        let ruleset = self.ruleset.clone();
        for hit in read.matches {
            let clean = ruleset.rules.get(hit.rule.0 as usize).and_then(|rule| redacted(rule, &hit));
            let hit = clean.as_ref().map_or(hit, KeptMatch::seen);
            let time =
                self.clocks.record_time(read.file, hit.stamp, read.arrival, &mut self.output.odd_stamps);
            if live && hit.at.file != read.file {
                // A record that began in another file overtakes nothing of that one either.
                while let Some(timed) = self.merge.pop_of(hit.at.file) {
                    self.apply_kept(&timed);
                }
            }
            let in_turn = self.merge.is_empty() && others.is_none_or(|frontier| time <= frontier);
            if live || in_turn {
                self.apply(&ruleset, time, &hit);
            } else {
                self.merge.push(Timed { time, hit: hit.keep() });
            }
        }
        if read.stamp.is_some() {
            self.clocks.record_time(read.file, read.stamp, read.arrival, &mut self.output.odd_stamps);
        }
        self.apply_merged();
        self.let_go_freed();
        if let (None, Some(clock)) =
            (self.merge.first_waiting(read.file), self.clocks.files.get_mut(&read.file))
        {
            clock.applied = clock.applied.max(clock.newest);
            let upto = clock.applied.unwrap_or(Timestamp::MIN);
            if self.clocks.log.is_none() {
                self.ring_held(read.file, upto);
            }
        }
        if let Some(log) = self.clocks.log {
            let read_to = self.clocks.behind().map(|(_, _, read_to)| read_to).min();
            let upto = log.max(read_to.unwrap_or(Timestamp::MIN));
            self.clocks.log = Some(upto);
            self.ring_held(LOG, upto);
        }
        // Its keys are due that much sooner. Less than a second is what stamps are off anyway.
        if self.clocks.lag(read.file) + Duration::from_secs(1) < lagged {
            for (ix, hash) in self.all_keys(|key| key.watched || key.files.contains(&read.file)) {
                self.schedule(ix, hash);
            }
        }
    }

    /// Patterns of a rule were tried on a line.
    pub fn tried(&mut self, rule: RuleIx) {
        if let Some(counts) = self.counts.get_mut(rule.0 as usize) {
            counts.tried += 1;
        }
    }

    /// Something of tripline's own happened (or is over): raises (or resolves) the alert of the rule `name`.
    pub fn own(&mut self, name: &str, kind: MatchKind, values: &[(&str, &str)], line: &str, now: Timestamp) {
        self.now = self.now.max(now);
        self.own_at(name, kind, values, line, self.now);
        self.let_go_freed();
    }

    /// The same, at a moment of the log.
    fn own_at(&mut self, name: &str, kind: MatchKind, values: &[(&str, &str)], line: &str, time: Timestamp) {
        let ruleset = self.ruleset.clone();
        let Some(ix) = ruleset.find(name) else { return };
        let value = |name: &Arc<str>| {
            values.iter().find(|(known, _)| *known == name.as_ref()).map(|(_, value)| value.as_bytes().into())
        };
        let captures: Vec<Option<Box<[u8]>>> = ruleset.rule(ix).captures.iter().map(value).collect();
        // What happens twice in one moment is two things.
        self.own_offset = self.now.0.unsigned_abs().max(self.own_offset + 1);
        let hit = Match {
            rule: ix,
            kind,
            at: Position { file: FileId::OWN, offset: self.own_offset },
            stamp: None,
            captures: Captures::Each(&captures),
            line: line.as_bytes(),
            partial: false,
            times: 1,
        };
        // The clock may have been set back since the condition was found: it is over all the same.
        let newest = self.keys[ix.0 as usize].values().map(|key| key.last_match).max();
        let time = match kind {
            MatchKind::Match => time,
            MatchKind::Resolve => newest.map_or(time, |newest| newest.max(time)),
        };
        self.apply(&ruleset, time, &hit);
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.expect(false);
        self.end_silences();
        self.end_orphans();
        self.ring();
        self.let_go_freed();
        self.tell_untold();
    }

    /// Resolves everything that is open: the process stops and nobody goes on.
    pub fn resolve_all(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for (ix, hash) in self.all_keys(|key| key.status() != Status::Ok) {
            self.with_key(ix, hash, None, &mut |key, scene, out| {
                let time = key.clock.max(now);
                key.end(scene, time, Reason::Stopped, out);
            });
        }
        self.stop_orphans();
    }

    /// From now on [`Output::matches`] tells of every match. For those who count by time; who only wants the sum has
    /// [`Engine::rule_counts`].
    pub fn tell_matches(&mut self) {
        self.tells_matches = true;
    }

    /// What followed since the last call.
    pub fn take(&mut self) -> Output {
        std::mem::take(&mut self.output)
    }

    /// True if there are rows to be written.
    pub fn is_changed(&self) -> bool {
        !(self.changed_keys.is_empty() && self.changed_clocks.is_empty() && self.made.is_empty())
    }

    /// The rows that changed since the last call. They belong into one commit with the offsets of what was read.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.made);
        for (ix, hash) in std::mem::take(&mut self.changed_keys) {
            let rule = self.ruleset.rule(ix);
            let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { continue };
            if !std::mem::take(&mut key.changed) {
                continue;
            }
            changes.push(Change::Key(Box::new(key.save(rule))));
            key.window.take_changes(|number, entries| {
                let name = rule.name.clone();
                changes.push(match entries {
                    Some(entries) => Change::Chunk(name, hash, number, entries),
                    None => Change::ChunkGone(name, hash, number),
                });
            });
        }
        for file in std::mem::take(&mut self.changed_clocks) {
            if let Some(row) = self.clocks.save(file) {
                changes.push(Change::Clock(row));
            }
        }
        changes
    }

    /// For those who keep nothing: the rows that changed are not asked for.
    pub fn forget_changes(&mut self) {
        for (ix, hash) in std::mem::take(&mut self.changed_keys) {
            if let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) {
                key.changed = false;
            }
        }
        self.changed_clocks.clear();
        self.made.clear();
    }

    /// When to call [`Engine::tick`] though nothing happened; always after the `now` of the last call.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let wakes =
            [self.timers.first(), self.silences.next_end(), self.orphans.next_end()].into_iter().flatten();
        wakes.min().map(|wake| wake.max(Timestamp(self.now.0.saturating_add(1))))
    }

    /// The offset up to which matches of `file` were applied, if it was read up to `read_to`.
    pub fn applied(&self, file: FileId, read_to: u64) -> u64 {
        self.merge.first_waiting(file).map_or(read_to, |first| first.min(read_to))
    }

    /// The time up to which a file was read, for choosing which one to continue; `None`: not yet known.
    pub fn frontier(&self, file: FileId) -> Option<Timestamp> {
        self.clocks.files.get(&file)?.newest
    }

    /// Every file whose time is known, also of the process before.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        self.clocks.files.keys().copied()
    }

    /// The rules in force.
    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.ruleset
    }

    /// Counts of each rule, with the number of its keys.
    pub fn rule_counts(&self) -> impl Iterator<Item = (&RuleName, RuleCounts, usize)> {
        let rules = self.ruleset.rules.iter().zip(&self.counts).zip(&self.keys);
        rules.map(|((rule, counts), keys)| (&rule.name, *counts, keys.len()))
    }

    /// What each key measures now: its rule, its values of `by`, how far it is decided, and the measure.
    pub fn measured(&self) -> impl Iterator<Item = (RuleIx, &[Vec<u8>], Timestamp, Option<f64>)> {
        self.ruleset.iter().zip(&self.keys).flat_map(|((ix, rule), keys)| {
            keys.values().map(move |key| (ix, key.by.as_slice(), key.clock, key.value(rule)))
        })
    }

    /// The last transition of every alert that is open, of those without a rule too.
    pub fn open_alerts(&self) -> impl Iterator<Item = &Transition> {
        let keys = self.keys.iter().flat_map(BTreeMap::values);
        let of_rules = keys.filter_map(|key| key.last.as_ref()).filter(|last| last.status != Status::Ok);
        of_rules.chain(self.orphans.open())
    }
}
