//! An operator says that an alert is over.

use super::Engine;
use super::alert::Key;
use super::clock::Reading;
use super::text::Scene;
use crate::model::{AlertKey, Reason, Status, Timestamp, Transition};

impl Engine {
    /// Resolves the alerts of these keys that are open. Their keys begin anew: see `Key::begin_anew`.
    pub fn resolve(&mut self, keys: &[AlertKey], now: Timestamp) {
        self.now = self.now.max(now);
        for key in keys {
            if self.end_orphan(key, Reason::ByHand) {
                continue;
            }
            let AlertKey { rule, hash } = key;
            let Some(ix) = self.ruleset.find(rule.as_str()) else { continue };
            let Some(key) = self.keys[ix.0 as usize].get(hash) else { continue };
            if key.status() == Status::Ok {
                continue;
            }
            let time = match self.clocks.reading_for(self.ruleset.rule(ix), &key.files, self.now) {
                Reading::Held(_, time) | Reading::Running(time, _) => time,
            };
            // What somebody says is true from now on, however old the lines are that are being read.
            let said = self.now;
            self.with_key(ix, *hash, None, &mut |key, scene, out| key.begin_anew(scene, time, said, out));
        }
    }
}

impl Key {
    /// Ends what is open, and counts as if this key had never been seen: its window is empty, and nothing holds before
    /// another line fits, though a comparison such as `< 5` may be true of nothing. What is missed is missed from `time`
    /// on, the time of its files, or from the next deadline, because no line will ever come to begin it again; what is few
    /// is counted anew for a whole window.
    fn begin_anew(&mut self, scene: &Scene<'_>, time: Timestamp, said: Timestamp, out: &mut Vec<Transition>) {
        self.window.clear_up_to(self.clock);
        self.flapping = false;
        self.end(scene, self.clock.max(said), Reason::ByHand, out);
        self.turns.clear();
        if scene.rule.notices_absence() {
            self.clock = self.clock.max(time);
            match scene.rule.deadlines {
                None if scene.rule.notices_few() => self.born = self.clock,
                None => self.last_match = self.last_match.max(self.clock),
                // Nothing came, so nothing counts for the next deadline.
                Some(_) => self.born = self.clock,
            }
            self.missed_from = self.miss_from(scene.rule);
        }
    }
}
