//! What the tests' browser asks of its surroundings.

use std::time::Duration;

/// For how long it may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
