//! Keys and their timers: what a key wants to be looked at for, and when the time of its files allows it.

use super::alert::{Key, Timer};
use super::clock::Reading;
use super::text::{self, Scene};
use super::{Change, Emitted, Engine, Tell};
use crate::model::{FileId, KeyHash, Status, Timestamp, Transition};
use crate::rule::RuleIx;

impl Engine {
    /// Does something with a key, and everything that follows from that.
    pub(super) fn with_key(
        &mut self,
        ix: RuleIx,
        hash: KeyHash,
        file: Option<FileId>,
        act: impl FnOnce(&mut Key, &Scene<'_>, &mut Vec<Transition>),
    ) {
        let ruleset = self.ruleset.clone();
        let rule = ruleset.rule(ix);
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        let place = file.or_else(|| text::newest_file(key)).and_then(|file| self.clocks.place(file));
        let scene = Scene { rule, instance: &self.scope, place };
        let mut made = Vec::new();
        act(key, &scene, &mut made);
        let oldest_told = self.now.minus(self.clocks.max_age(&key.files));
        for transition in made {
            let stale = transition.time < oldest_told;
            key.untold |= stale;
            let tell = if stale { Tell::Stale } else { Tell::Now };
            self.output.transitions.push(Emitted { transition, tell });
        }
        if key.untold {
            self.untold.insert((ix, hash));
        } else if key.status() == Status::Ok {
            key.last = None;
        }
        self.changed_keys.insert((ix, hash));
        self.schedule(ix, hash);
    }

    /// Puts the key where its next due time will be seen; drops it if it is idle.
    pub(super) fn schedule(&mut self, ix: RuleIx, hash: KeyHash) {
        let ruleset = self.ruleset.clone();
        let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { return };
        match key.timer.take() {
            Some(Timer::At(wake)) => {
                self.timers.remove(&(wake, ix, hash));
            }
            Some(Timer::Held(file, due)) => {
                self.held.remove(&(file, due, ix, hash));
            }
            None => {}
        }
        if key.is_idle() {
            self.drop_key(ix, hash);
            return;
        }
        let Some(due) = key.next_due(ruleset.rule(ix)) else { return };
        match self.clocks.reading(&key.files, self.now) {
            // While a file's timers ring, they ring in the order of time over all keys.
            Reading::Held(file, time) if due >= time || self.ringing == Some(file) => {
                self.held.insert((file, due, ix, hash));
                key.timer = Some(Timer::Held(file, due));
            }
            Reading::Held(..) => {
                self.timers.insert((self.now, ix, hash));
                key.timer = Some(Timer::At(self.now));
            }
            Reading::Running(_, lag) => {
                let wake = due.plus(lag);
                self.timers.insert((wake, ix, hash));
                key.timer = Some(Timer::At(wake));
            }
        }
    }

    /// Handles every timer that `now` has reached.
    pub(super) fn ring(&mut self) {
        while let Some(&(wake, ix, hash)) = self.timers.first() {
            if wake > self.now {
                break;
            }
            self.timers.pop_first();
            let ruleset = self.ruleset.clone();
            let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { continue };
            key.timer = None;
            let Some(due) = key.next_due(ruleset.rule(ix)) else { continue };
            match self.clocks.reading(&key.files, self.now) {
                Reading::Held(_, time) if due < time => {
                    self.with_key(ix, hash, None, |key, scene, out| key.advance(scene, due, true, out));
                }
                Reading::Running(time, _) if due <= time => {
                    self.with_key(ix, hash, None, |key, scene, out| key.advance(scene, due, true, out));
                }
                _ => self.schedule(ix, hash),
            }
        }
    }

    /// Handles the timers that waited for `file` and lie before `time`.
    pub(super) fn ring_held(&mut self, file: FileId, time: Timestamp) {
        self.ringing = Some(file);
        loop {
            let range = (file, Timestamp::MIN, RuleIx(0), KeyHash([0; 16]))..;
            let Some(&(held_by, due, ix, hash)) = self.held.range(range).next() else { break };
            if held_by != file || due >= time {
                break;
            }
            // The key may wait for another file by now: `schedule` finds out.
            self.held.remove(&(held_by, due, ix, hash));
            let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { continue };
            key.timer = None;
            match self.clocks.reading(&key.files, self.now) {
                Reading::Held(_, held_at) if due < held_at => {
                    self.with_key(ix, hash, None, |key, scene, out| key.advance(scene, due, true, out));
                }
                _ => self.schedule(ix, hash),
            }
        }
        self.ringing = None;
    }

    /// What waited for `file` waits no longer for it.
    pub(super) fn unhold(&mut self, file: FileId) {
        let from = (file, Timestamp::MIN, RuleIx(0), KeyHash([0; 16]));
        let to = (FileId(file.0 + 1), Timestamp::MIN, RuleIx(0), KeyHash([0; 16]));
        let held: Vec<_> = self.held.range(from..to).copied().collect();
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
            if let Reading::Running(..) = self.clocks.reading(&key.files, self.now) {
                self.untold.remove(&(ix, hash));
                key.untold = false;
                let mut made = Vec::new();
                key.retell(&mut made);
                let told = made.into_iter().map(|transition| Emitted { transition, tell: Tell::IfOther });
                self.output.transitions.extend(told);
                if key.status() == Status::Ok {
                    key.last = None;
                }
                self.changed_keys.insert((ix, hash));
                self.schedule(ix, hash);
            }
        }
    }

    pub(super) fn all_keys(&self, which: impl Fn(&Key) -> bool) -> Vec<(RuleIx, KeyHash)> {
        let keys = (0u32..).map(RuleIx).zip(&self.keys);
        let found = keys.flat_map(|(ix, keys)| keys.values().map(move |key| (ix, key)));
        found.filter(|(_, key)| which(key)).map(|(ix, key)| (ix, key.hash)).collect()
    }

    pub(super) fn drop_key(&mut self, ix: RuleIx, hash: KeyHash) {
        let Some(key) = self.keys[ix.0 as usize].remove(&hash) else { return };
        match key.timer {
            Some(Timer::At(wake)) => {
                self.timers.remove(&(wake, ix, hash));
            }
            Some(Timer::Held(file, due)) => {
                self.held.remove(&(file, due, ix, hash));
            }
            None => {}
        }
        self.changed_keys.remove(&(ix, hash));
        let name = &self.ruleset.rule(ix).name;
        for number in key.window.all_chunks() {
            self.output.changes.push(Change::ChunkGone(name.clone(), hash, number));
        }
        self.output.changes.push(Change::KeyGone(name.clone(), hash));
    }
}
