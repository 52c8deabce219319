//! What the loop answers of sinks, of what is owed to them, and of what was given up.

use super::core::{Core, Now};
use crate::admin::Sink;
use crate::admin::outbox::{Gone, Letter, Letters, MOST_ROWS, Outbox, Owed, SinkDetail, Which};
use crate::model::{SinkName, Timestamp};
use crate::saved::DeadLetter;
use crate::settings::Settings;
use crate::sink::attempt::QueueStatus;
use crate::tail::Disk;

/// A sink as `tripline status` shows it.
pub(super) fn sink<D: Disk>(
    core: &Core<D>,
    name: &SinkName,
    status: &QueueStatus,
    settings: &Settings,
    now: Timestamp,
) -> Sink {
    Sink {
        name: name.to_string(),
        queued: status.queued as u64,
        oldest_seconds: status.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()),
        removed: settings.sinks.iter().all(|sink| sink.name != *name),
        waits: core.is_unreachable(name),
        suspended: status.suspended.clone(),
        failure: status.last_failure.clone(),
        refused: status.refused,
        refusal: status.refusal.clone(),
        dead: status.dead,
    }
}

/// All sinks in detail.
pub(super) fn sinks<D: Disk>(core: &Core<D>, settings: &Settings, now: Timestamp) -> Vec<SinkDetail> {
    let detail = |(name, status): (&SinkName, QueueStatus)| {
        let configured = settings.sinks.iter().find(|sink| sink.name == *name);
        let (accepted_at, accepted_note) = status.last_accepted.clone().unzip();
        SinkDetail {
            kind: configured.map_or_else(String::new, |sink| sink.peer.kind().to_owned()),
            in_flight: status.in_flight as u64,
            failing_seconds: status.failing_since.map(|since| now.since(since).as_secs_f64()),
            next_seconds: status.next_attempt.map(|at| at.since(now).as_secs_f64()),
            accepted_seconds: accepted_at.map(|at| now.since(at).as_secs_f64()),
            accepted_note: accepted_note.filter(|note| !note.is_empty()),
            accepted: status.accepted,
            retried: status.retried,
            suspends: status.suspends,
            coalesced: status.coalesced,
            folded: status.folded,
            expired: status.expired,
            late: core.late_changes(name),
            letters: core.dead().filter(|letter| letter.delivery.sink == *name).count() as u64,
            sink: sink(core, name, &status, settings, now),
        }
    };
    let gone = |name: &str| core.gone().any(|(gone, _)| gone.as_str() == name);
    let matters =
        |detail: &SinkDetail| !detail.kind.is_empty() || detail.sink.queued > 0 || gone(&detail.sink.name);
    core.queues().map(detail).filter(matters).collect()
}

fn letter(letter: &DeadLetter) -> Letter {
    Letter { owed: Owed::from(&letter.delivery), at: letter.at, why: letter.why.clone() }
}

/// What is owed, and what was given up.
pub(super) fn outbox<D: Disk>(core: &Core<D>) -> Outbox {
    let mut owed: Vec<Owed> = core.outbox().map(Owed::from).collect();
    owed.sort_by_key(|row| row.number);
    let dead = core.dead().count();
    Outbox {
        more_owed: owed.len().saturating_sub(MOST_ROWS) as u64,
        owed: owed.into_iter().take(MOST_ROWS).collect(),
        dead: core.dead().take(MOST_ROWS).map(letter).collect(),
        more_dead: dead.saturating_sub(MOST_ROWS) as u64,
    }
}

fn meant<D: Disk>(core: &Core<D>, which: &Which) -> Vec<u64> {
    let known = core.dead().filter(|letter| which.means(&letter.delivery)).map(|letter| letter.delivery.seq);
    let known: Vec<u64> = known.collect();
    let unknown = which.numbers.iter().filter(|number| !known.contains(number));
    known.iter().chain(unknown).copied().collect()
}

/// Owes dead letters again, as far as they are still true.
pub(super) fn retry<D: Disk>(core: &mut Core<D>, which: &Which, now: Now) -> Letters {
    let mut letters = Letters::default();
    for number in meant(core, which) {
        match core.revive(number, now) {
            Ok(()) => letters.done.push(number),
            Err(why) => letters.refused.push((number, why.to_string())),
        }
    }
    if !letters.done.is_empty() {
        tracing::info!(letters = letters.done.len(), "dead letters are owed again by hand");
    }
    letters
}

/// Forgets dead letters, and with all of a sink that is not configured any more what it is owed.
pub(super) fn forget<D: Disk>(core: &mut Core<D>, which: &Which, now: Now) -> Letters {
    let mut letters = Letters::default();
    for number in meant(core, which) {
        match core.bury(number) {
            true => letters.done.push(number),
            false => letters.refused.push((number, super::core::Undead::None.to_string())),
        }
    }
    if !letters.done.is_empty() {
        tracing::info!(letters = letters.done.len(), "dead letters were dropped by hand");
    }
    let queues: Vec<SinkName> =
        core.queues().map(|(name, _)| name.clone()).filter(|name| which.means_queue(name)).collect();
    let (mut rows, mut open) = (Vec::new(), 0);
    for queue in &queues {
        let Some(gone) = core.forsake(queue, now) else { continue };
        let (deliveries, known) = (gone.rows.len(), gone.open);
        if deliveries > 0 || known > 0 {
            tracing::warn!(
                sink = %queue,
                deliveries,
                open = known,
                "what a sink was owed that is not configured any more was dropped by hand"
            );
        }
        rows.extend(gone.rows);
        open += known;
    }
    if !rows.is_empty() || open > 0 {
        let deliveries = rows.len();
        rows.truncate(MOST_ROWS);
        letters.gone = Some(Gone {
            owed: rows.iter().map(Owed::from).collect(),
            more_owed: (deliveries - rows.len()) as u64,
            open: open as u64,
        });
    }
    letters
}
