//! What is to be known of an open alert besides what was told: its lines, and when it is over if no more come, which is worked
//! out by letting a copy of its key live on.

use super::clock::Reading;
use super::text::Scene;
use super::{Engine, text};
use crate::model::{Status, Timestamp, Transition};

impl Engine {
    /// The first lines of an open alert and the newest ones besides, as it has them now.
    pub fn lines_of(&self, alert: &Transition) -> (Vec<String>, Vec<String>) {
        let ix = self.ruleset.find(alert.key.rule.as_str());
        let key = ix.and_then(|ix| self.keys[ix.0 as usize].get(&alert.key.hash));
        key.map_or_else(
            || (alert.lines.clone(), alert.last_lines.clone()),
            |key| (key.lines.first(), key.lines.last()),
        )
    }

    /// When an open alert is over if nothing comes any more: `None`, if quiet does not end it, if the time of its file
    /// stands still, or if that takes more than `steps` to work out. What was used of them is taken away.
    pub fn ends_if_quiet(&self, alert: &Transition, steps: &mut usize) -> Option<Timestamp> {
        let ix = self.ruleset.find(alert.key.rule.as_str())?;
        let key = self.keys[ix.0 as usize].get(&alert.key.hash)?;
        let rule = self.ruleset.rule(ix);
        let Reading::Running(_, lag) = self.clocks.reading_for(rule, &key.files, self.now) else {
            return None;
        };
        let place = text::newest_file(key).and_then(|file| self.clocks.place(file));
        let scene = Scene { rule, instance: &self.scope, place };
        let mut key = key.clone();
        while key.status() != Status::Ok {
            *steps = steps.checked_sub(1)?;
            let due = key.next_due(rule)?;
            if due == Timestamp::MAX {
                return None;
            }
            // An alert that is told again and again is not so for what is asked here.
            key.advance(&scene, due, true, &mut Vec::new());
        }
        Some(key.last.as_ref()?.time.plus(lag))
    }
}
