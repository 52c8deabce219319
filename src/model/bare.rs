//! Transitions and words about changes that say no more than they have to; whoever makes one adds the rest.

use super::{
    AlertKey, ChangeReport, ChangeStatus, Episode, KeyHash, Labels, Position, Reason, RuleName, Status,
    Timestamp, Transition,
};

impl Transition {
    /// That one match at `at` raised an alert to `status` at `time`. Without labels and texts.
    pub fn bare(key: AlertKey, status: Status, at: Position, time: Timestamp) -> Transition {
        Transition {
            time,
            key,
            status,
            previous: Status::Ok,
            reason: Reason::LevelReached,
            value: Some(1.0),
            count: 1,
            total: 1,
            since: time,
            episode: Episode(at),
            step: 0,
            labels: Labels::new(),
            details: Labels::new(),
            summary: String::new(),
            description: String::new(),
            runbook: None,
            images: Vec::new(),
            links: Vec::new(),
            lines: Vec::new(),
            last_lines: Vec::new(),
        }
    }
}

impl ChangeReport {
    /// That the line at `at` says of a change at `time` how far it has come. Without labels, texts, a digest and a plan.
    pub fn bare(
        rule: RuleName,
        change_key: String,
        status: ChangeStatus,
        at: Position,
        time: Timestamp,
    ) -> ChangeReport {
        ChangeReport {
            time,
            seen: time,
            rule,
            hash: KeyHash([0; 16]),
            change_key,
            status,
            life: 1,
            at,
            labels: Labels::new(),
            details: Labels::new(),
            summary: String::new(),
            description: String::new(),
            link: None,
            starts: None,
            ends: None,
            linked_changes: Vec::new(),
            runbook: None,
            images: Vec::new(),
            links: Vec::new(),
        }
    }
}
