//! What the status page is told of the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::core::{Core, Now};
use super::{Daemon, Reloads, gone};
use crate::http::{FileView, Generations, RuleView, SinkView, SourceView, View};
use crate::model::{RuleName, SourceName, Status, Timestamp};
use crate::settings::Settings;
use crate::tail::{Disk, FileStatus, Loss, Phase};
use crate::untrusted::Untrusted;

/// Files and problems of one source that are shown: more are a sign of one cause.
const MOST_WORST: usize = 20;

impl Daemon {
    /// What the status page and `tripline status` are told of the machine.
    pub(super) fn view(&self, now: Now) -> View {
        let (stopping, started) = (self.stopping.is_some(), self.process.started);
        let mut view = view(&self.core, &self.settings, now, stopping, &self.reloads, started);
        view.problems.extend(gone::problems(&self.core));
        view
    }

    /// The same for the status page, once in a while: it also knows what is new, and what things come to over time.
    pub(super) fn show(&mut self, now: Now) {
        let mut view = self.view(now);
        self.trends.look(&view, now.time);
        let before = self.show.borrow().clone();
        let Generations { alerts, sources, sinks, rules, history } = &mut self.generations;
        *alerts += u64::from(view.alerts != before.alerts || view.problems != before.problems);
        *sources += u64::from(view.sources != before.sources);
        *sinks += u64::from(view.sinks != before.sinks);
        *rules += u64::from(view.rules != before.rules);
        let newest = self.core.steps().next_back().map_or(0, |step| step.number);
        if *history != newest {
            *history = newest;
            *alerts += 1;
        }
        view.generations = self.generations;
        self.show.send_replace(Arc::new(view));
    }
}

fn view<D: Disk>(
    core: &Core<D>,
    settings: &Settings,
    now: Now,
    stopping: bool,
    reloads: &Reloads,
    started: Timestamp,
) -> View {
    let files = files(core, now);
    let mut problems: Vec<String> = Vec::new();
    if core.store_failed() {
        problems.push("the state can not be written: reading is paused".to_owned());
    }
    for (name, status) in
        core.queues().filter(|(name, status)| status.queued > 0 && core.is_unreachable(name))
    {
        let owed = status.queued;
        problems.push(format!(
            "sink `{name}` is not configured any more: what it is owed ({owed}) waits until it is again, or until \
             `tripline outbox drop --sink {name}` forgets it"
        ));
    }
    let none = Files::default();
    let mut blind: BTreeMap<&SourceName, Vec<String>> = BTreeMap::new();
    for (source, path, error) in core.faults() {
        let of = blind.entry(source).or_default();
        if of.len() < MOST_WORST {
            of.push(format!("`{}`: {error}", Untrusted(&path.to_string_lossy())));
        }
    }
    let sources = settings.sources.iter().map(|source| {
        let mine = files.get(&source.name).unwrap_or(&none);
        let counts = core.source_counts(&source.name);
        SourceView {
            name: source.name.clone(),
            files: mine.all + u64::from(source.stream.is_some()),
            behind_files: mine.behind,
            unread_bytes: mine.unread,
            read_bytes: counts.bytes,
            lag_seconds: mine.lag_seconds,
            lost_bytes: Loss::ALL.map(|loss| (loss.as_str(), counts.lost_bytes[loss as usize])).into(),
            truncations: counts.truncations,
            lost_files: counts.lost_files,
            worst: mine.worst.iter().take(MOST_WORST).map(|file| shown(file, now)).collect(),
            cut_lines: counts.cut_lines,
            cut_records: counts.cut_records,
            unparsed_lines: counts.unparsed_lines,
            bare_lines: counts.bare_lines,
            problems: blind.remove(&source.name).unwrap_or_default(),
        }
    });
    let mut open: BTreeMap<(RuleName, Status), u64> = BTreeMap::new();
    for alert in core.engine().open_alerts() {
        *open.entry((alert.key.rule.clone(), alert.status)).or_default() += 1;
    }
    let dropped = core.engine().rule_counts().map(|(_, counts, _)| counts.overflow + counts.forgotten).sum();
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
        forgotten: counts.forgotten,
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
        started,
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
        generations: Generations::default(),
    }
}

/// The files of one source, taken together.
#[derive(Default)]
struct Files<'a> {
    all: u64,
    behind: u64,
    /// Bytes.
    unread: u64,
    /// Of those that are behind, how long the oldest unread byte is there.
    lag_seconds: f64,
    /// Those with unread or lost bytes, the worst first.
    worst: Vec<FileStatus<'a>>,
}

fn files<D: Disk>(core: &Core<D>, now: Now) -> BTreeMap<&SourceName, Files<'_>> {
    let mut sources: BTreeMap<&SourceName, Files<'_>> = BTreeMap::new();
    for (source, standing) in core.standings() {
        sources.entry(source).or_default().all = standing.files as u64;
    }
    for file in core.stirring_files() {
        let files = sources.entry(file.source).or_default();
        files.unread += file.lag;
        if file.phase == Phase::Behind {
            files.behind += 1;
            files.lag_seconds = files.lag_seconds.max(age(&file, now));
        }
        if file.lag > 0 || file.lost > 0 {
            files.worst.push(file);
        }
    }
    for files in sources.values_mut() {
        files.worst.sort_by_key(|file| std::cmp::Reverse((file.lag, file.lost)));
    }
    sources
}

/// How long its oldest unread byte is there, in seconds.
fn age(file: &FileStatus<'_>, now: Now) -> f64 {
    file.unread_since.map_or(0.0, |since| now.time.since(since).as_secs_f64())
}

fn shown(file: &FileStatus<'_>, now: Now) -> FileView {
    FileView {
        path: Untrusted(&file.path.to_string_lossy()).to_string(),
        unread_bytes: file.lag,
        lag_seconds: age(file, now),
        lost_bytes: file.lost,
    }
}
