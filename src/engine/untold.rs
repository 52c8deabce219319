//! Why nobody was told of an alert that is open.

use std::fmt;

use super::Engine;
use crate::model::{RuleName, Transition};

/// What holds back an open alert from whoever does not know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There are too many of its rule: one alert speaks of all of them.
    Storm,
    /// `active` or `mute`.
    Muted,
    /// Its rule is silent while this one has an alert open.
    Unless(RuleName),
    /// The silence of that name.
    Silence(u64),
    /// Something that is over; it is told in a moment.
    Over,
    /// It was decided from lines that were found unread, and may be over where they end.
    Backlog,
}

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untold::Storm => f.write_str("only in `tripline_storm`"),
            Untold::Muted => f.write_str("muted"),
            Untold::Unless(rule) => write!(f, "unless {rule}"),
            Untold::Silence(id) => write!(f, "silence {id}"),
            Untold::Over => f.write_str("held back"),
            Untold::Backlog => f.write_str("told at the end of the backlog"),
        }
    }
}

impl Engine {
    /// Why an open alert is held back from sinks that know nothing of it; `None`: it is not.
    pub fn why_untold(&self, alert: &Transition) -> Option<Untold> {
        let ix = self.ruleset.find(alert.key.rule.as_str())?;
        let key = self.keys[ix.0 as usize].get(&alert.key.hash)?;
        if key.folded.is_some() {
            return Some(Untold::Storm);
        }
        if !key.held {
            return key.untold.then_some(Untold::Backlog);
        }
        let rule = self.ruleset.rule(ix);
        if rule.is_muted(key.clock) {
            return Some(Untold::Muted);
        }
        let mut unless = self.ties[ix.0 as usize].unless.iter();
        if let Some(other) = unless.find(|other| self.is_open_for(&self.ruleset, **other, rule, &key.by)) {
            return Some(Untold::Unless(self.ruleset.rule(*other).name.clone()));
        }
        Some(self.silenced_by(alert).map_or(Untold::Over, Untold::Silence))
    }
}
