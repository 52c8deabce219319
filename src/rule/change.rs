//! What a match says of a change: a deployment, a maintenance.

use std::collections::BTreeMap;

use super::{AddressTemplate, Template};
use crate::model::ChangeStatus;

/// `kind = "change"`: each match says of one change how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which change. Its places are captures and what is known of a line.
    pub key: Template,
    /// How far it has come.
    pub status: StatusOf,
    /// A stamp of when it came that far, or will; `None`: the time of the record.
    pub time: Option<Template>,
    /// A stamp of when it is planned to begin.
    pub starts: Option<Template>,
    /// A stamp of when it is planned to end.
    pub ends: Option<Template>,
    /// Where more is to be seen.
    pub link: Option<AddressTemplate>,
    /// What else belongs to it.
    pub linked_changes: Vec<Template>,
}

/// Where the status of a change comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusOf {
    /// It is always the same.
    Word(ChangeStatus),
    /// The value of a capture (an index into [`super::Rule::captures`]) decides; other values make no change.
    Capture(usize, BTreeMap<Box<str>, ChangeStatus>),
}
