//! How a part of a service stands, in the words of a status page.

use serde::{Deserialize, Serialize};

/// How a component of a status page stands. Ordered from good to bad, but for maintenance, which is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ComponentStatus {
    /// As it should be.
    Operational,
    /// Slower or worse than it should be.
    Degraded,
    /// Some of it is down.
    PartialOutage,
    /// All of it is down.
    FullOutage,
    /// Somebody works on it.
    UnderMaintenance,
}

impl ComponentStatus {
    /// What an alert can make of a component.
    pub const OF_ALERTS: [ComponentStatus; 4] = [
        ComponentStatus::Operational,
        ComponentStatus::Degraded,
        ComponentStatus::PartialOutage,
        ComponentStatus::FullOutage,
    ];

    /// The word used in TOML and by the peer.
    pub const fn as_str(self) -> &'static str {
        match self {
            ComponentStatus::Operational => "operational",
            ComponentStatus::Degraded => "degraded",
            ComponentStatus::PartialOutage => "partial_outage",
            ComponentStatus::FullOutage => "full_outage",
            ComponentStatus::UnderMaintenance => "under_maintenance",
        }
    }
}
