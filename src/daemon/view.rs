//! What the admin page is told of the machine.

use std::collections::BTreeMap;

use super::Reloads;
use super::core::{Core, Now};
use crate::http::{RuleView, SinkView, SourceView, View};
use crate::model::{RuleName, Status};
use crate::settings::Settings;
use crate::tail::{Disk, Phase};

pub(super) fn view<D: Disk>(
    core: &Core<D>,
    settings: &Settings,
    now: Now,
    stopping: bool,
    reloads: &Reloads,
) -> View {
    let files = core.files();
    let mut problems: Vec<String> = Vec::new();
    if core.store_failed() {
        problems.push("the state can not be written: reading is paused".to_owned());
    }
    for (name, status) in
        core.queues().filter(|(name, status)| status.queued > 0 && core.is_unreachable(name))
    {
        let owed = status.queued;
        problems.push(format!(
            "sink `{name}` is not configured any more: what it is owed ({owed}) waits until it is again"
        ));
    }
    let sources = settings.sources.iter().map(|source| {
        let mine = || files.iter().filter(|file| file.source == source.name);
        let counts = core.source_counts(&source.name);
        let behind = || mine().filter(|file| file.phase == Phase::Behind);
        let oldest = behind().map(|file| now.time.since(file.grown).as_secs_f64()).fold(0.0, f64::max);
        SourceView {
            name: source.name.clone(),
            files: mine().count() as u64,
            behind_files: behind().count() as u64,
            unread_bytes: mine().map(|file| file.lag).sum(),
            read_bytes: counts.bytes,
            lag_seconds: oldest,
            lost_bytes: counts.lost_bytes,
            cut_lines: counts.cut_lines,
            cut_records: counts.cut_records,
            unparsed_lines: counts.unparsed_lines,
            problems: mine().filter_map(|file| file.problem.clone()).collect(),
        }
    });
    let mut open: BTreeMap<(RuleName, Status), u64> = BTreeMap::new();
    for alert in core.engine().open_alerts() {
        *open.entry((alert.key.rule.clone(), alert.status)).or_default() += 1;
    }
    let dropped = core.engine().rule_counts().map(|(_, counts, _)| counts.overflow).sum();
    let rules = core.engine().rule_counts().map(|(name, counts, keys)| RuleView {
        name: name.clone(),
        tried: counts.tried,
        matches: counts.matches,
        recoveries: counts.recoveries,
        keys: keys as u64,
        dismissed: counts.dismissed,
        unreadable: counts.unreadable,
        unknown_status: counts.unknown_status,
        stale_changes: counts.stale_changes,
        late: counts.late,
        overflow: counts.overflow,
    });
    let sinks = core.queues().map(|(name, status)| SinkView {
        name: name.clone(),
        queued: status.queued as u64,
        oldest_seconds: status.oldest.map_or(0.0, |oldest| now.time.since(oldest).as_secs_f64()),
        suspended: status.suspended.clone(),
        outcomes: BTreeMap::from([
            ("accepted", status.accepted),
            ("retried", status.retried),
            ("suspended", status.suspends),
            ("shrunk", status.shrunk),
            ("dead", status.dead),
        ]),
        dead: core.dead().filter(|letter| letter.delivery.sink == *name).count() as u64,
        folded: status.folded,
        expired: status.expired,
        late_changes: core.late_changes(name),
    });
    let counts = core.counts();
    View {
        ticked: now.time,
        ready: true,
        stopping,
        sources: sources.collect(),
        rules: rules.collect(),
        alerts: open.into_iter().map(|((rule, status), n)| (rule, status, n)).collect(),
        sinks: sinks.collect(),
        reloads_ok: reloads.ok,
        reloads_failed: reloads.failed,
        last_reload_ok: reloads.failure.is_none(),
        commits: counts.commits,
        commit_failures: counts.commit_failures,
        problems,
        dropped: BTreeMap::from([("max_keys", dropped)]),
    }
}
