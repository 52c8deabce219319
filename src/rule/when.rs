//! `when` of a sink: of which alerts it wants to hear.

use std::sync::Arc;

use super::{Condition, NotComparable};
use crate::model::{Severity, Status, Transition};

/// What a condition of a sink may speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// `severity`: what the alert shows. Ordered.
    Severity,
    /// `info`, `warning` or `critical`, to compare it with.
    Level(Severity),
    /// `rule`: the rule's name.
    Rule,
    /// A label; the empty text if the alert does not have it.
    Label(Arc<str>),
}

/// A condition of a sink, with what was written.
#[derive(Clone, Debug)]
pub struct When {
    /// As the author wrote it.
    pub text: Arc<str>,
    /// What it means. Severities are compared by their rank.
    pub condition: Condition<About>,
    /// True if it speaks of rules: only then it is asked of tripline's own alerts.
    pub names_rules: bool,
}

impl When {
    /// True if the sink wants to hear of an alert that shows `status`. Where a label is to be compared as a number and is
    /// none, it does not.
    pub fn wants(&self, alert: &Transition, status: Status) -> bool {
        let rank = |status: Status| -> &'static [u8] {
            match status {
                Status::Ok => b"0",
                Status::Info => b"1",
                Status::Warning => b"2",
                Status::Critical => b"3",
            }
        };
        let of = |about: &About| match about {
            About::Severity => rank(status),
            About::Level(severity) => rank(Status::from(*severity)),
            About::Rule => alert.key.rule.as_str().as_bytes(),
            About::Label(name) => alert
                .labels
                .get(name)
                .or_else(|| alert.details.get(name))
                .map_or(&b""[..], |value| value.as_bytes()),
        };
        matches!(self.condition.holds(&of), Ok::<bool, NotComparable>(true))
    }
}
