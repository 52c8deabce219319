//! What must hold, judged from outside: from what was written, what arrived at the peers, and what lies on the disk.

pub(super) mod census;
pub(super) mod changes;
pub(super) mod durable;
pub(super) mod order;
pub(super) mod repeat;
pub(super) mod told;
pub(super) mod twin;
