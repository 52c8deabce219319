//! Deliveries for tests.

use std::sync::Arc;

use crate::model::{
    AlertKey, Delivery, DeliveryKind, Episode, FileId, KeyHash, Labels, Position, Reason, RuleName, SinkName,
    Status, Timestamp, Transition,
};

/// Labels from pairs.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| (Arc::from(*name), (*value).to_owned())).collect()
}

/// A warning of the rule `ssh_bruteforce` for the address 187.141.143.180, with every field filled in.
pub(crate) fn transition() -> Transition {
    let time = Timestamp::from_secs(1_449_738_790);
    Transition {
        time,
        key: AlertKey { rule: RuleName::new("ssh_bruteforce"), hash: KeyHash([0x3f; 16]) },
        status: Status::Warning,
        previous: Status::Ok,
        reason: Reason::LevelReached,
        value: Some(5.0),
        count: 5,
        total: 7,
        since: time,
        episode: Episode(Position { file: FileId(3), offset: 4096 }),
        step: 0,
        labels: labels(&[("instance", "web-1"), ("src_ip", "187.141.143.180")]),
        details: labels(&[("user", "root")]),
        summary: "5 failed logins from 187.141.143.180 in 10m".to_owned(),
        description: "Failed password for root".to_owned(),
        runbook: Some("https://wiki.example.com/ssh".to_owned()),
        images: Vec::new(),
    }
}

/// A row that raises `transition`.
pub(crate) fn raise(transition: Transition) -> Delivery {
    let kind = DeliveryKind::Raise;
    Delivery { seq: 1, sink: SinkName::new("oncall"), kind, transition, attempted: false }
}

/// A row of key `key`: what it does, what it shows, in which episode and at which step.
pub(crate) fn row(
    seq: u64,
    key: u8,
    kind: DeliveryKind,
    status: Status,
    episode: u64,
    step: u32,
) -> Delivery {
    let transition = Transition {
        key: AlertKey { rule: RuleName::new("r"), hash: KeyHash([key; 16]) },
        time: Timestamp::from_secs(i64::try_from(seq).unwrap()),
        status,
        episode: Episode(Position { file: FileId(1), offset: episode }),
        step,
        ..transition()
    };
    Delivery { seq, kind, ..raise(transition) }
}
