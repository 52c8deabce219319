//! What tripline writes into its own log about what it sees.

use super::core::Remark;
use crate::model::Status;
use crate::settings::plain;
use crate::tail::{Kind, Note};
use crate::untrusted::Untrusted;

/// Writes a line into tripline's own log. Log text of others only at debug: it may be private.
pub(super) fn say(remark: &Remark) {
    match remark {
        Remark::Tail(note) => say_note(note),
        Remark::OddStamp(odd) => tracing::warn!(
            source = %odd.source,
            offset_s = odd.offset_s,
            "stamps lie far from the arrival of their lines, which counts instead: looks like a time zone, see `tz`"
        ),
        Remark::Transition(t) => {
            let (key, status, reason) = (t.key.to_string(), t.status.as_str(), t.reason.as_str());
            match t.status {
                Status::Ok => tracing::debug!(key, status, reason, "transition"),
                _ => tracing::debug!(key, status, reason, value = t.value, "transition"),
            }
        }
        Remark::Change(report) => {
            let (rule, change, status) =
                (report.rule.as_str(), report.hash.to_string(), report.status.as_str());
            tracing::debug!(rule, change, status, "change");
        }
        Remark::Dead(sink, _) => {
            tracing::error!(%sink, "a delivery will not be accepted and lies in the dead letters");
        }
        Remark::StoreFailed(why) => tracing::error!(why, "the state can not be written: reading is paused"),
        Remark::StoreBack => tracing::info!("the state is written again"),
    }
}

fn say_note(note: &Note) {
    match note {
        Note::Opened { path, from, .. } => {
            tracing::info!(path = %Untrusted(&plain(path).to_string_lossy()), from, "following");
        }
        // As `copytruncate` does it each day, after all was read.
        Note::Truncated { path, lost: 0, .. } | Note::CutShort { path, lost: 0, .. } => {
            tracing::info!(path = %Untrusted(&path.to_string_lossy()), "was cut or written anew");
        }
        Note::Truncated { path, lost, .. } | Note::CutShort { path, lost, .. } => {
            let path = Untrusted(&path.to_string_lossy()).to_string();
            tracing::warn!(%path, lost_bytes = lost, "was cut or written anew before it was read");
        }
        Note::Unreadable { path, error, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), error, "can not be read");
        }
        Note::Readable { path, .. } => {
            tracing::info!(path = %Untrusted(&path.to_string_lossy()), "can be read again");
        }
        Note::LeftAlone { path, kind: Kind::Link, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), "is a symbolic link that was found by a wildcard, and is left alone; `follow_symlinks = true` follows it");
        }
        Note::LeftAlone { path, kind: Kind::Own, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), "is what tripline itself writes to, and is left alone: it would read what it writes for ever");
        }
        Note::LeftAlone { path, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), "is no regular file and is left alone");
        }
        Note::Packed { source, path } => {
            let path = Untrusted(&path.to_string_lossy()).to_string();
            tracing::info!(%source, %path, "compressed files are left alone; `tripline replay` reads them");
        }
        Note::Lost { path, from, why, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), read_to = from, why, "what came after is lost");
        }
        Note::Polled { error } => {
            tracing::warn!(
                error,
                "the system has no more watches: files without one are looked at every 250 ms; see fs.inotify.max_user_watches"
            );
        }
        Note::Hinted => tracing::info!("all files that are to be watched can be watched again"),
        Note::GivenUp { path, lost, .. } => {
            tracing::warn!(path = %Untrusted(&path.to_string_lossy()), lost_bytes = lost, "was deleted and is given up unread");
        }
        note => tracing::debug!(note = %Untrusted(&format!("{note:?}")), "tail"),
    }
}
