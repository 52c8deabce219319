//! Deliveries for tests.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::Outcome;
use crate::model::{
    AlertKey, ChangeReport, ChangeStatus, Content, Delivery, DeliveryKind, Episode, FileId, KeyHash, Labels,
    Position, Reason, RuleName, SinkName, Status, Timestamp, Transition,
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
        links: Vec::new(),
        lines: Vec::new(),
        last_lines: Vec::new(),
    }
}

/// The same with nothing in it that is not needed: no number, labels or texts.
pub(crate) fn bare() -> Transition {
    Transition {
        value: None,
        count: 1,
        total: 1,
        labels: Labels::new(),
        details: Labels::new(),
        summary: String::new(),
        description: String::new(),
        runbook: None,
        ..transition()
    }
}

/// The class of an outcome: accepted (A), again later (B), suspended (C), dead (D), smaller (S) or alone (O).
pub(crate) fn class(outcome: &Outcome) -> char {
    match outcome {
        Outcome::Accepted { .. } => 'A',
        Outcome::Retry { .. } => 'B',
        Outcome::Suspend { .. } => 'C',
        Outcome::Dead { .. } => 'D',
        Outcome::Shrink { .. } => 'S',
        Outcome::Alone { .. } => 'O',
    }
}

/// The same of an answer that asks to be left alone for seven seconds.
pub(crate) fn class_after_7s(outcome: &Outcome) -> char {
    if let Outcome::Retry { after, .. } = outcome {
        assert_eq!(*after, Some(Duration::from_secs(7)));
    }
    class(outcome)
}

/// A row that raises `transition`.
pub(crate) fn raise(transition: Transition) -> Delivery {
    alert(DeliveryKind::Raise, transition)
}

/// A row that does `kind` with `transition`.
pub(crate) fn alert(kind: DeliveryKind, transition: Transition) -> Delivery {
    delivery(1, Content::Alert(kind, transition))
}

fn delivery(seq: u64, content: Content) -> Delivery {
    Delivery { seq, sink: SinkName::new("oncall"), content, attempted: false }
}

/// That api 1.4 is being deployed, with every field filled in but pictures.
pub(crate) fn report() -> ChangeReport {
    let seen = Timestamp::from_secs(1_449_738_790);
    ChangeReport {
        time: seen,
        seen,
        rule: RuleName::new("deploy"),
        hash: KeyHash([0x5a; 16]),
        change_key: "api-1.4".to_owned(),
        status: ChangeStatus::Processing,
        life: 1,
        at: Position { file: FileId(3), offset: 4096 },
        labels: labels(&[("instance", "web-1"), ("team", "shop")]),
        details: labels(&[("app", "api")]),
        summary: "api 1.4 started".to_owned(),
        description: "deploy api 1.4 started by ann".to_owned(),
        link: Some("https://ci.example.com/api".to_owned()),
        starts: Some(seen),
        ends: Some(Timestamp::from_secs(1_449_739_790)),
        linked_changes: vec!["SHOP-7".to_owned()],
        runbook: Some("https://wiki.example.com/deploy".to_owned()),
        images: Vec::new(),
        links: Vec::new(),
    }
}

/// A row with `report`.
pub(crate) fn of_change(report: ChangeReport) -> Delivery {
    delivery(1, Content::Change(report))
}

/// A row that says of the change `change_key` how far it has come.
pub(crate) fn change(seq: u64, change_key: &str, status: ChangeStatus) -> Delivery {
    let at = Position { file: FileId(1), offset: seq };
    let seen = Timestamp::from_secs(i64::try_from(seq).unwrap());
    let change_key = change_key.to_owned();
    delivery(seq, Content::Change(ChangeReport { seen, change_key, status, at, ..report() }))
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
    delivery(seq, Content::Alert(kind, transition))
}
