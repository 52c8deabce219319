//! What keeps an alert of a rule from being told, or told once more, though its levels say so.

use std::time::Duration;

use crate::model::RuleName;

/// `after`: a match counts only behind the alert of another rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The rules of which one must have raised an alert whose values of `by` are the same, where both have the name.
    pub rules: Vec<RuleName>,
    /// For how long after its raise an alert that is over still counts. Zero: only while it is open.
    pub within: Duration,
}

/// `flap`: when an alert that comes and goes is kept open instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// Raises and resolves that are too many; 2 or more.
    pub changes: usize,
    /// The time within which they are, and the quiet after which the alert is over.
    pub within: Duration,
}

/// `max_raises`: how many alerts are told one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxRaises {
    /// Raises; 1 or more.
    pub most: usize,
    /// Within so long.
    pub within: Duration,
}
