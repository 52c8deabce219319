//! Invariants 6 and 10: in the end, when nothing fires any more, nobody believes that something does.

use super::super::trace::Failure;
use super::order::Order;

pub(crate) fn finish(order: &Order) -> Result<(), Failure> {
    let open: Vec<String> = order.open().map(|(sink, key)| format!("{key} at {sink}")).collect();
    if open.is_empty() { Ok(()) } else { Err(Failure::new("told", format!("still firing: {open:?}"))) }
}
