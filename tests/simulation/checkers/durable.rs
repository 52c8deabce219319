//! Invariant 4: what leaves is owed on the disk, word for word, even if the power goes off now.

use tripline::model::Delivery;
use tripline::sink::attempt::Attempt;
use tripline::store::Store;
use tripline::store::crash::CrashDisk;

use super::super::trace::Failure;

/// Looks for the rows of an attempt that leaves in what surely survives of `disk`.
/// `unmarked`: the mark that it was attempted may be missing.
pub(crate) fn leaves(attempt: &Attempt, disk: &CrashDisk, unmarked: bool) -> Result<(), Failure> {
    let exempt =
        |row: &Delivery| row.alert().is_some_and(|(_, t)| t.key.rule.as_str() == "tripline_store_failed");
    if attempt.deliveries.iter().all(exempt) {
        return Ok(());
    }
    let fail = |what: String| Err(Failure::new("durable", what));
    let opened = match Store::with_backend(CrashDisk::with_image(1, disk.durable())) {
        Ok(opened) => opened,
        Err(error) => return fail(format!("nothing can be opened after a power cut: {error}")),
    };
    for row in attempt.deliveries.iter().filter(|row| !exempt(row)) {
        match opened.saved.outbox.iter().find(|owed| owed.seq == row.seq) {
            Some(owed) if owed == row => {}
            Some(owed) if unmarked && Delivery { attempted: true, ..owed.clone() } == *row => {}
            owed => return fail(format!("{} leaves as {row:?}, but what is owed is {owed:?}", row.id())),
        }
    }
    Ok(())
}
