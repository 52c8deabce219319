//! What a sink would have been told, by the very ledger of the daemon.

use crate::engine::Emitted;
use crate::model::{Content, DeliveryKind, SinkName, Transition};
use crate::route::{Ledger, Route};

/// A sink that takes everything and is never away.
pub(super) struct Pager {
    ledger: Ledger,
    route: [Route; 1],
}

impl Pager {
    /// One that was told nothing.
    pub(super) fn new() -> Pager {
        let route = Route { takes_changes: false, ..Route::new(SinkName::new("pager")) };
        Pager { ledger: Ledger::default(), route: [route] }
    }

    /// What it is told of a transition; `None`: nothing, because it is held back, or known.
    pub(super) fn tell(&mut self, emitted: &Emitted) -> Option<(DeliveryKind, Transition)> {
        let mut deliveries = Vec::new();
        self.ledger.route(emitted, &self.route, &mut deliveries, &mut Vec::new());
        match deliveries.pop()?.content {
            Content::Alert(kind, transition) => Some((kind, transition)),
            Content::Change(_) => None,
        }
    }
}
