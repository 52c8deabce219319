//! What is kept of a row and of its key.

use std::collections::VecDeque;

use crate::model::{
    AlertKey, Content, Delivery, DeliveryKind, Episode, Severity, SinkName, Status, Timestamp,
};
use crate::saved::Refused;
use crate::sink::attempt::{Change, Limits};
use crate::sink::stdout::content_json;

/// Something that is owed.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) delivery: Delivery,
    /// When it was first seen here.
    pub(super) since: Timestamp,
    pub(super) tries: u32,
    pub(super) retries: u32,
    pub(super) suspends: u32,
    pub(super) shrink: bool,
    /// True if it goes in a unit of its own from now on.
    pub(super) alone: bool,
    /// True if the peer may have it although no answer said so.
    pub(super) unsure: bool,
    /// What it counts against [`Limits::unit_bytes`]; 0 if nothing does.
    pub(super) bytes: usize,
    /// Until then a unit that is not full may wait with it.
    pub(super) linger: Timestamp,
}

impl Row {
    pub(super) fn new(delivery: Delivery, since: Timestamp, limits: &Limits) -> Row {
        // A row that another process attempted may have arrived.
        let unsure = delivery.attempted;
        let bytes = bytes_of(&delivery, limits);
        let linger = Timestamp::MIN;
        Row {
            delivery,
            since,
            tries: 0,
            retries: 0,
            suspends: 0,
            shrink: false,
            alone: false,
            unsure,
            bytes,
            linger,
        }
    }

    pub(super) fn priority(&self) -> u8 {
        match &self.delivery.content {
            Content::Alert(DeliveryKind::Resolve, _) => 0,
            Content::Alert(DeliveryKind::Raise, t) if t.status == Status::from(Severity::Critical) => 1,
            Content::Alert(DeliveryKind::Raise, _) => 2,
            Content::Alert(DeliveryKind::Change | DeliveryKind::Beat, _) => 3,
            Content::Change(_) => 4,
        }
    }

    /// True if it does this in that episode of its alert.
    pub(super) fn does(&self, kind: DeliveryKind, episode: Episode) -> bool {
        matches!(&self.delivery.content, Content::Alert(does, t) if *does == kind && t.episode == episode)
    }
}

/// What a row counts against [`Limits::unit_bytes`].
pub(super) fn bytes_of(delivery: &Delivery, limits: &Limits) -> usize {
    if limits.unit_bytes == usize::MAX { 0 } else { content_json(&delivery.content).len() }
}

/// The rows of one alert or change. Only the first can be in flight.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) rows: VecDeque<u64>,
    pub(super) busy: bool,
    /// True from a row's end until that end is durable.
    pub(super) settling: bool,
    /// The first row is not tried before this.
    pub(super) not_before: Timestamp,
    /// What the peer shows of an alert, as far as this process has seen; `Ok`: it refused the raise of this episode.
    pub(super) shown: Option<(Episode, Status)>,
}

impl Lane {
    pub(super) fn new() -> Lane {
        Lane { rows: VecDeque::new(), busy: false, settling: false, not_before: Timestamp::MIN, shown: None }
    }

    /// What the peer shows of the lane's alert from now on. That it refused a beginning has to last.
    pub(super) fn show(
        &mut self,
        shown: Option<(Episode, Status)>,
        sink: &SinkName,
        key: &AlertKey,
        changes: &mut Vec<Change>,
    ) {
        let refused = |shown| matches!(shown, Some((_, Status::Ok)));
        let before = std::mem::replace(&mut self.shown, shown);
        match shown {
            Some((episode, Status::Ok)) => {
                changes.push(Change::Refused(Refused { sink: sink.clone(), key: key.clone(), episode }));
            }
            _ if refused(before) => changes.push(Change::Unrefused(sink.clone(), key.clone())),
            _ => {}
        }
    }
}
