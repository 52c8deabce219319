//! Keys and their timers: what a key wants to be looked at for, and when the time of its files allows it.

use std::collections::BTreeSet;

use super::alert::{Key, Timer};
use super::clock::{Clocks, Reading};
use super::text::{self, Scene};
use super::{Change, Engine};
use crate::model::{FileId, KeyHash, Status, Timestamp, Transition};
use crate::rule::{Rule, RuleIx};

/// When which key is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Keys that are to be looked at when `now` reaches the time.
    at: BTreeSet<(Timestamp, RuleIx, KeyHash)>,
    /// Keys whose due time waits for a file's time.
    held: BTreeSet<(FileId, Timestamp, RuleIx, KeyHash)>,
    /// Nothing that waits for this file is due before that time.
    calm: Option<(FileId, Timestamp)>,
    /// The file whose held timers are being handled.
    ringing: Option<FileId>,
}

impl Timers {
    /// When the first rings.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.at.first().map(|(wake, ..)| *wake)
    }

    /// Puts a key where its next due time will be seen. One that rings too early is put right when it rings: a busy
    /// key would be moved with every line.
    fn place(&mut self, ix: RuleIx, key: &mut Key, rule: &Rule, clocks: &Clocks, now: Timestamp) {
        let due = key.next_due(rule);
        if let (Some(Timer::Held(by, set)), Some(due)) = (key.timer, due)
            && set <= due
            && key.files.last().is_some_and(|file| clocks.waits_for(*file) == by && clocks.holds(*file))
            && !rule.notices_absence()
        {
            return;
        }
        let wanted = due.map(|due| match clocks.reading_for(rule, &key.files, now) {
            // While a file's timers ring, they ring in the order of time over all keys.
            Reading::Held(file, time) if due >= time || self.ringing == Some(file) => Timer::Held(file, due),
            Reading::Held(..) => Timer::At(now),
            Reading::Running(_, lag) => Timer::At(due.plus(lag)),
        });
        match (key.timer, wanted) {
            (Some(Timer::At(set)), Some(Timer::At(wake))) if set <= wake => return,
            (Some(Timer::Held(by, set)), Some(Timer::Held(file, due))) if by == file && set <= due => return,
            _ => {}
        }
        self.remove(ix, key);
        key.timer = wanted;
        match wanted {
            Some(Timer::At(wake)) => {
                self.at.insert((wake, ix, key.hash));
            }
            Some(Timer::Held(file, due)) => {
                self.held.insert((file, due, ix, key.hash));
                self.calm =
                    self.calm.map(|(calm, until)| (calm, if calm == file { until.min(due) } else { until }));
            }
            None => {}
        }
    }

    fn remove(&mut self, ix: RuleIx, key: &mut Key) {
        match key.timer.take() {
            Some(Timer::At(wake)) => {
                self.at.remove(&(wake, ix, key.hash));
            }
            Some(Timer::Held(file, due)) => {
                self.held.remove(&(file, due, ix, key.hash));
            }
            None => {}
        }
    }

    /// The first of those that wait for `file`.
    fn first_held(&self, file: FileId) -> Option<(Timestamp, RuleIx, KeyHash)> {
        let range = (file, Timestamp::MIN, RuleIx(0), KeyHash([0; 16]))..;
        let (by, due, ix, hash) = *self.held.range(range).next()?;
        (by == file).then_some((due, ix, hash))
    }
}

impl Engine {
    /// Does something with a key, and everything that follows from that; false if there is no such key.
    pub(super) fn with_key(
        &mut self,
        ix: RuleIx,
        hash: KeyHash,
        file: Option<FileId>,
        act: &mut dyn FnMut(&mut Key, &Scene<'_>, &mut Vec<Transition>),
    ) -> bool {
        let rule = self.ruleset.rule(ix);
        let Some(mut key) = self.keys[ix.0 as usize].get_mut(&hash) else { return false };
        let place = file.or_else(|| text::newest_file(key)).and_then(|file| self.clocks.place(file));
        let scene = Scene { rule, instance: &self.scope, place };
        let mut made = Vec::new();
        act(key, &scene, &mut made);
        // Who has nothing to tell is not looked up again, unless what is held back asks for a look.
        if key.held || !made.is_empty() {
            self.emit(ix, hash, made);
            key = match self.keys[ix.0 as usize].get_mut(&hash) {
                Some(key) => key,
                None => return true,
            };
        }
        let rule = self.ruleset.rule(ix);
        if key.untold {
            self.untold.insert((ix, hash));
        } else if key.status() == Status::Ok {
            key.last = None;
        }
        if !std::mem::replace(&mut key.changed, true) {
            self.changed_keys.push((ix, hash));
        }
        let room = &mut self.rooms[ix.0 as usize];
        room.none = room.none && !key.is_quiet();
        if key.is_idle(rule) {
            self.drop_key(ix, hash);
        } else {
            self.timers.place(ix, key, rule, &self.clocks, self.now);
        }
        true
    }

    /// Puts the key where its next due time will be seen; drops it if it is idle.
    pub(super) fn schedule(&mut self, ix: RuleIx, hash: KeyHash) {
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        let rule = self.ruleset.rule(ix);
        if key.is_idle(rule) {
            self.drop_key(ix, hash);
        } else {
            self.timers.place(ix, key, rule, &self.clocks, self.now);
        }
    }

    /// Handles every timer that `now` has reached.
    pub(super) fn ring(&mut self) {
        while let Some(&(wake, ix, hash)) = self.timers.at.first() {
            if wake > self.now {
                break;
            }
            self.timers.at.pop_first();
            self.ring_key(ix, hash, Timer::At(wake));
        }
    }

    /// Handles the timers that waited for `file` and lie before `time`.
    pub(super) fn ring_held(&mut self, file: FileId, time: Timestamp) {
        if self.timers.calm.is_some_and(|(calm, until)| calm == file && time <= until) {
            return;
        }
        self.timers.calm = None;
        self.timers.ringing = Some(file);
        let mut until = Timestamp::MAX;
        while let Some((due, ix, hash)) = self.timers.first_held(file) {
            if due >= time {
                until = due;
                break;
            }
            self.timers.held.remove(&(file, due, ix, hash));
            // The key may wait for another file by now, or for later: it is put where it belongs.
            self.ring_key(ix, hash, Timer::Held(file, due));
        }
        self.timers.ringing = None;
        self.timers.calm = Some((file, until));
    }

    /// That timer of a key rang, and is gone.
    fn ring_key(&mut self, ix: RuleIx, hash: KeyHash, rang: Timer) {
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        key.timer = None;
        let rule = self.ruleset.rule(ix);
        let Some(due) = key.next_due(rule) else { return };
        if self.freed.is_some_and(|freed| freed < due || (freed == due && key.held)) {
            // What had been held back until then is told before its own time goes on. Not after each of many that end in
            // one moment: all that is held back is looked at.
            self.let_go_freed();
            return self.schedule(ix, hash);
        }
        // A key may be due later than its timer was set to. Then others may come first, though both are due by now.
        let is_due = match (self.clocks.reading_for(rule, &key.files, self.now), rang) {
            (Reading::Held(_, time), Timer::Held(_, set)) => due < time && due <= set,
            (Reading::Held(_, time), Timer::At(_)) => due < time,
            (Reading::Running(time, lag), Timer::At(set)) => due <= time && due.plus(lag) <= set,
            // While a file's timers ring, nobody else's do.
            (Reading::Running(..), Timer::Held(..)) => false,
        };
        if is_due {
            self.with_key(ix, hash, None, &mut |key, scene, out| key.advance(scene, due, true, out));
        } else {
            self.schedule(ix, hash);
        }
    }

    /// What waited for `file` waits no longer for it.
    pub(super) fn unhold(&mut self, file: FileId) {
        let from = (file, Timestamp::MIN, RuleIx(0), KeyHash([0; 16]));
        let to = (FileId(file.0 + 1), Timestamp::MIN, RuleIx(0), KeyHash([0; 16]));
        let held: Vec<_> = self.timers.held.range(from..to).copied().collect();
        for (_, _, ix, hash) in held {
            self.schedule(ix, hash);
        }
    }

    /// Tells at the end of a backlog what the sinks have not been told while it was read.
    pub(super) fn tell_untold(&mut self) {
        let untold: Vec<_> = self.untold.iter().copied().collect();
        for (ix, hash) in untold {
            let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else {
                self.untold.remove(&(ix, hash));
                continue;
            };
            let rule = self.ruleset.rule(ix);
            if let Reading::Running(..) = self.clocks.reading_for(rule, &key.files, self.now) {
                self.untold.remove(&(ix, hash));
                key.untold = false;
                self.retell(ix, hash);
            }
        }
    }

    pub(super) fn all_keys(&self, which: impl Fn(&Key) -> bool) -> Vec<(RuleIx, KeyHash)> {
        let keys = (0u32..).map(RuleIx).zip(&self.keys);
        let found = keys.flat_map(|(ix, keys)| keys.values().map(move |key| (ix, key)));
        found.filter(|(_, key)| which(key)).map(|(ix, key)| (ix, key.hash)).collect()
    }

    pub(super) fn drop_key(&mut self, ix: RuleIx, hash: KeyHash) {
        let Some(mut key) = self.keys[ix.0 as usize].remove(&hash) else { return };
        self.timers.remove(ix, &mut key);
        self.rooms[ix.0 as usize].none = false;
        let name = &self.ruleset.rule(ix).name;
        for number in key.window.all_chunks() {
            self.made.push(Change::ChunkGone(name.clone(), hash, number));
        }
        self.made.push(Change::KeyGone(name.clone(), hash));
    }
}
