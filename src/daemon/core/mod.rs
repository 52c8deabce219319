//! One turn of the whole machine: look at the files, read, scan, decide, commit, and only then let deliveries go.
//!
//! Owns everything that must agree with each other after a crash, and nothing that waits: sockets and clocks are
//! outside. The daemon drives it with the real world, the simulation with a made one; both see the same code.

mod commit;
mod files;
mod history;
mod lanes;
mod owed;
mod pipe;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Emitted, Engine, OddStamp, Reported, Timing};
use crate::model::{
    AlertKey, ChangeReport, Content, Delivery, DeliveryKind, Encoding, FileId, Labels, Position, RuleName,
    SinkName, SourceName, Status, Timestamp, Transition,
};
use crate::route::{Ledger, Route};
use crate::rule::{Rule, Ruleset};
use crate::saved::{DeadLetter, Notice, NoticeOf, Saved, SavedSilence, SavedStep, Stage};
use crate::scan::{MatchKind, Review, Scanned, Scanner};
use crate::settings::{Settings, Sink, Source};
use crate::sink::attempt::{Attempt, Limits, Outcome, QueueStatus};
use crate::sink::queue::Queue;
use crate::store::{Batch, Store};
use crate::tail::{Disk, FileStatus, Loss, Note, Standing, Tail};

use history::History;
pub use history::KEPT;
use lanes::Lanes;
use owed::Down;
pub use owed::{Forsaken, Undead};
use pipe::Pipe;

/// Bytes read at once from one file.
const BLOCK: usize = 256 * 1024;
/// Offsets that led to nothing wait so long for their commit.
const COMMIT_EVERY: Duration = Duration::from_millis(250);
/// A store that failed is tried again so often.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The time of a step.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// On the engine's timeline: wall-clock time at the start of the process, monotonic from there.
    pub time: Timestamp,
    /// By how much the wall clock was set forward since then, in microseconds; 0 for what may be drift.
    pub skew_us: i64,
    /// The wall clock itself.
    pub wall: Timestamp,
}

/// What a step asks of the world.
#[derive(Debug)]
pub struct Step {
    /// Sends that may leave now: what they owe is durable.
    pub attempts: Vec<Attempt>,
    /// Signs of life to send; nobody owes them.
    pub beats: Vec<Delivery>,
    /// When to step again though nothing happened.
    pub wake: Timestamp,
    /// What is worth a line in tripline's own log.
    pub remarks: Vec<Remark>,
    /// There are many new files, and some of them were opened: the next step follows at once, with the same times.
    pub more: bool,
}

/// Something that is worth a line in tripline's own log.
#[derive(Clone, Debug, PartialEq)]
pub enum Remark {
    /// Of a file or a source.
    Tail(Note),
    /// A stamp that was not believed.
    OddStamp(OddStamp),
    /// A transition was decided.
    Transition(Box<Transition>),
    /// Something was said of a change.
    Change(Box<ChangeReport>),
    /// A delivery will never be accepted.
    Dead(SinkName, String),
    /// The store failed, and why.
    StoreFailed(String),
    /// The store works again.
    StoreBack,
}

/// Counters since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Commits that succeeded.
    pub commits: u64,
    /// Commits that failed.
    pub commit_failures: u64,
    /// Dead letters that were forgotten because there were too many.
    pub dead_dropped: u64,
}

/// What a source has gone through since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    /// Bytes read and applied.
    pub bytes: u64,
    /// Lines over the limit.
    pub cut_lines: u64,
    /// Records that have as much as a record may have; what follows is in others.
    pub cut_records: u64,
    /// Lines of which fields were wanted and that have none.
    pub unparsed_lines: u64,
    /// Lines without the envelope of their source.
    pub bare_lines: u64,
    /// Bytes known to be lost, by how: as [`Loss::ALL`].
    pub lost_bytes: [u64; Loss::ALL.len()],
    /// Files that were cut or written anew. What was written to them after the last look before, nobody knows.
    pub truncations: u64,
    /// Files that were not found again or were given up.
    pub lost_files: u64,
}

/// The machine.
pub struct Core<D: Disk> {
    tail: Tail<D>,
    engine: Engine,
    scanners: BTreeMap<SourceName, Scanner>,
    /// How well each source's scanner knows what the log is like.
    reviews: BTreeMap<SourceName, Review>,
    sources: Vec<Source>,
    /// True if rules whose sources are not configured see every source: files were given as arguments.
    every: bool,
    ledger: Ledger,
    queues: BTreeMap<SinkName, Queue>,
    /// What stands on status pages.
    notices: BTreeMap<(SinkName, NoticeOf), Notice>,
    routes: Vec<Route>,
    history: History,
    /// What was given up and nobody has looked at yet, by number.
    dead: BTreeMap<u64, DeadLetter>,
    /// Sinks that are owed something and have not been in the settings since the start.
    unreachable: BTreeSet<SinkName>,
    store: Store,
    /// Rows of the next commit, besides offsets.
    batch: Batch,
    /// Where the record begins that the first lines of a file go on with, if it begins in another file.
    crossed: BTreeMap<FileId, Position>,
    touched: BTreeSet<FileId>,
    ended: BTreeSet<FileId>,
    /// Contents that are gone, with when their rows may go: what a copy of them is, only they can tell.
    remembered: Vec<(Timestamp, FileId)>,
    last_commit: Timestamp,
    /// A transition, an attempt or an acceptance waits for the next commit.
    urgent: bool,
    /// Attempts whose rows the next commit marks as attempted.
    planned: Vec<Attempt>,
    /// Attempts of rows that a commit has marked before: repeats.
    free: Vec<Attempt>,
    /// Deliveries below this number are durable.
    durable_seq: u64,
    /// Those of them that say something else since the last commit.
    rewritten: BTreeSet<u64>,
    /// Since the last commit failed: when to try again.
    retry_at: Option<Timestamp>,
    /// To which queues, how often, and when next.
    beat: Option<(Vec<SinkName>, Duration, Timestamp)>,
    /// Sinks that are suspended, and those that have taken nothing for long, as far as it was told.
    down: Down,
    /// How sources are, as far as it was told.
    told: sources::Told,
    /// The `[[sink]]` that stands in for a queue.
    fallbacks: BTreeMap<SinkName, SinkName>,
    /// The `[[sink]]` that a queue is of.
    of: BTreeMap<SinkName, SinkName>,
    scope: String,
    counts: Counts,
    source_counts: BTreeMap<SourceName, SourceCounts>,
    remarks: Vec<Remark>,
    /// Streams, by their source.
    pipes: BTreeMap<SourceName, Pipe>,
    /// How far journals were read before this process, by their source.
    cursors: BTreeMap<SourceName, String>,
    /// Of the pipes.
    scanned: Scanned,
    lanes: Lanes,
    cores: usize,
}

/// How to build a [`Core`].
pub struct Setup<D: Disk> {
    /// Where files are.
    pub disk: D,
    /// Where state is kept.
    pub store: Store,
    /// What the store held.
    pub saved: Saved,
    /// Sources, sinks and the rest.
    pub settings: Settings,
    /// The rules.
    pub ruleset: Ruleset,
    /// The observer's scope.
    pub scope: String,
    /// See [`Core`]: rules see every source if theirs is not configured.
    pub every: bool,
    /// Files that are scanned at the same time, where the settings do not say.
    pub cores: usize,
    /// Randomness for the jitter of retries.
    pub seed: u64,
    /// Where a corrupt store was moved to, if one was.
    pub set_aside: Option<PathBuf>,
}

impl<D: Disk> Core<D> {
    /// The machine as it stood at its last commit.
    pub fn new(setup: Setup<D>, now: Now) -> Core<D> {
        let Setup { disk, store, mut saved, settings, mut ruleset, scope, every, cores, seed, set_aside } =
            setup;
        if every {
            ruleset.see_instead(&names(&settings.sources));
        }
        let ruleset = Arc::new(ruleset);
        let timings = timings(&settings.sources);
        let mut engine = Engine::new(ruleset, scope.clone(), timings, &mut saved, now.time);
        let tail = Tail::new(disk, &settings.sources, &mut saved, now.time);
        // One text of each name is enough, before there are others.
        for (file, source, path) in tail.names() {
            engine.opened(file, source, path.clone());
        }
        let ledger = Ledger::new(&saved);
        let durable_seq = saved.next_seq;
        let named = |notice: &Notice| ((notice.sink.clone(), notice.about.clone()), notice.clone());
        let notices = saved.notices.iter().map(named).collect();
        let mut core = Core {
            tail,
            engine,
            scanners: BTreeMap::new(),
            reviews: BTreeMap::new(),
            sources: Vec::new(),
            every,
            ledger,
            queues: BTreeMap::new(),
            notices,
            routes: Vec::new(),
            history: History::new(&saved),
            dead: saved.dead.iter().map(|letter| (letter.delivery.seq, letter.clone())).collect(),
            unreachable: BTreeSet::new(),
            store,
            batch: Batch::default(),
            crossed: BTreeMap::new(),
            touched: BTreeSet::new(),
            ended: BTreeSet::new(),
            remembered: Vec::new(),
            last_commit: Timestamp::MIN,
            urgent: false,
            planned: Vec::new(),
            free: Vec::new(),
            durable_seq,
            rewritten: BTreeSet::new(),
            retry_at: None,
            beat: None,
            down: Down::default(),
            told: sources::Told::default(),
            fallbacks: BTreeMap::new(),
            of: BTreeMap::new(),
            scope,
            counts: Counts::default(),
            source_counts: BTreeMap::new(),
            remarks: Vec::new(),
            pipes: BTreeMap::new(),
            cursors: cursors(&saved),
            scanned: Scanned::default(),
            lanes: Lanes::default(),
            cores,
        };
        // Nobody knows how to reach a sink that was removed before this start, but what it is owed stays owed: if it
        // comes back, it is told in order.
        let known = saved.outbox.iter().map(|row| &row.sink).chain(saved.told.iter().map(|row| &row.sink));
        let known = known.chain(saved.standing.iter().map(|row| &row.delivery.sink));
        for sink in known.cloned().collect::<BTreeSet<_>>() {
            let mine = saved.outbox.iter().filter(|row| row.sink == sink).cloned().collect();
            let mut queue = Queue::new(sink.clone(), Limits::default(), seed, mine);
            let standing = saved.standing.iter().filter(|row| row.delivery.sink == sink);
            queue.stand(standing.cloned().collect());
            queue.refuse(saved.refused.iter().filter(|row| row.sink == sink).cloned().collect());
            core.queues.insert(sink.clone(), queue);
            core.unreachable.insert(sink);
        }
        core.place(&settings, seed, now);
        core.recall(now);
        core.forget_streams(now);
        if let Some(path) = set_aside {
            let line = format!("the state was unreadable and is kept as {}", path.display());
            core.engine.own("tripline_state_lost", MatchKind::Match, &[], &line, now.time);
        }
        core
    }

    /// What the process before this one had found wrong begins anew: what is still so will be found again, and the
    /// rest would otherwise stay open for ever.
    fn recall(&mut self, now: Now) {
        let open: Vec<Transition> = self.engine.open_alerts().cloned().collect();
        let about = |alert: &Transition| {
            alert.labels.get(crate::route::SINK_LABEL).map(|sink| SinkName::new(sink.as_str()))
        };
        for alert in open {
            match alert.key.rule.as_str() {
                "tripline_store_failed" => {
                    self.engine.own("tripline_store_failed", MatchKind::Resolve, &[], "", now.time);
                }
                // They are over when the sinks have taken something.
                "tripline_sink_suspended" => self.down.suspended.extend(about(&alert)),
                "tripline_sink_failing" => self.down.failing.extend(about(&alert)),
                _ => self.told.recall(&alert),
            }
        }
    }

    /// Puts other settings and rules in force. Can not fail: everything that could was done before.
    pub fn reload(&mut self, settings: &Settings, mut ruleset: Ruleset, seed: u64, now: Now) {
        if self.every {
            ruleset.see_instead(&names(&settings.sources));
        }
        self.engine.adopt(Arc::new(ruleset), timings(&settings.sources), now.time);
        self.tail.reload(&settings.sources, now.time);
        self.place(settings, seed, now);
        self.urgent = true;
    }

    fn place(&mut self, settings: &Settings, seed: u64, now: Now) {
        let ruleset = self.engine.ruleset().clone();
        self.reviews.clear();
        self.scanners = settings
            .sources
            .iter()
            .map(|source| {
                let sees = |rule: &Rule| rule.sources.contains(&source.name);
                let (max_line, multiline) = (source.max_line, source.multiline.as_ref());
                let scanner = Scanner::joining(&ruleset, sees, max_line, source.format, multiline);
                let scanner = scanner.unwrapping(source.envelope, source.flush);
                (source.name.clone(), scanner.counting_repeats(source.repeats))
            })
            .collect();
        self.sources.clone_from(&settings.sources);
        // A block always holds a whole line or record, so that reading gets on.
        let of = |source: &Source| {
            let longest = Scanner::longest(source.max_line, source.multiline.as_ref(), source.envelope);
            if source.encoding == Some(Encoding::Utf8) { longest } else { Scanner::longest_encoded(longest) }
        };
        let longest = settings.sources.iter().map(of).max().unwrap_or(0);
        let threads = settings.threads.unwrap_or(self.cores).max(1);
        self.lanes.resize(threads, BLOCK.max(longest));
        let mut changes = Vec::new();
        for sink in &settings.sinks {
            let limits = crate::sink::limits(sink);
            self.unreachable.remove(&sink.name);
            match self.queues.get_mut(&sink.name) {
                Some(queue) => {
                    queue.retune(limits, &mut changes);
                    queue.release(now.time);
                }
                None => {
                    let queue = Queue::new(sink.name.clone(), limits, seed, Vec::new());
                    self.queues.insert(sink.name.clone(), queue);
                }
            }
        }
        self.keep_rows(changes, now);
        let routes = self.queues.keys().map(|name| {
            let Some(sink) = settings.sinks.iter().find(|known| known.name == *name) else {
                return Route { leaving: true, ..Route::new(name.clone()) };
            };
            let chosen = sink.peer.is_chosen();
            let passes_by =
                |rule: &&Rule| (chosen || !rule.sinks.is_empty()) && !rule.sinks.contains(&sink.of);
            let unnamed = ruleset.rules.iter().filter(passes_by).map(|rule| rule.name.clone());
            Route {
                sink: name.clone(),
                leaving: false,
                takes_alerts: sink.peer.takes_alerts(),
                takes_changes: sink.peer.takes_changes(),
                forward: !sink.peer.is_log(),
                takes_own: !chosen,
                when: sink.when.clone(),
                unnamed: unnamed.collect(),
                reserve: settings.sinks.iter().any(|other| other.fallback.as_ref() == Some(&sink.of)),
                stands_in_for: BTreeSet::new(),
            }
        });
        self.routes = routes.collect();
        let fallback = |sink: &Sink| Some((sink.name.clone(), sink.fallback.clone()?));
        self.fallbacks = settings.sinks.iter().filter_map(fallback).collect();
        self.of = settings.sinks.iter().map(|sink| (sink.name.clone(), sink.of.clone())).collect();
        self.down.anew = true;
        self.stand_in();
        self.tell_members(&settings.sinks, now);
        self.beat = settings.heartbeat.as_ref().map(|beat| {
            let mine = settings.sinks.iter().filter(|sink| sink.of == beat.sink && sink.peer.takes_beats());
            (mine.map(|sink| sink.name.clone()).collect(), beat.every, now.time)
        });
    }

    /// Takes what an attempt found out about a status page. It belongs into the commit of the attempt's outcomes, which
    /// are to be handed in right after it.
    pub fn learn(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            self.batch.put_notice(&notice);
            let name = (notice.sink.clone(), notice.about.clone());
            match notice.stage {
                Stage::Past => self.notices.remove(&name),
                _ => self.notices.insert(name, notice),
            };
        }
    }

    /// Takes the outcomes of an attempt, one per delivery of it.
    pub fn outcomes(&mut self, sink: &SinkName, attempt: u64, outcomes: Vec<Outcome>, now: Now) {
        let Some(queue) = self.queues.get_mut(sink) else { return };
        let mut changes = Vec::new();
        queue.handle(attempt, outcomes, now.time, &mut changes);
        self.urgent |= queue.wants_commit();
        self.keep_rows(changes, now);
    }

    /// One turn, or a part of one.
    pub fn step(&mut self, now: Now) -> Step {
        if !self.look(now) {
            let remarks = std::mem::take(&mut self.remarks);
            return Step { attempts: Vec::new(), beats: Vec::new(), wake: now.time, remarks, more: true };
        }
        if self.retry_at.is_none() {
            self.read(now);
            self.flush_pipes(now);
        }
        self.settle(now)
    }

    /// The second half of a turn: decides, commits, and lets go what may go. Reads nothing.
    pub fn settle(&mut self, now: Now) -> Step {
        // While the store fails nothing is read, and that must not look like quiet.
        if self.retry_at.is_none() {
            self.engine.tick(now.time);
        }
        self.watch_sources(now);
        self.decide(now);
        self.watch_sinks(now);
        self.plan(now);
        let mut attempts = self.commit(now);
        for attempt in &mut attempts {
            let mine = self.notices.values().filter(|notice| notice.sink == attempt.sink);
            attempt.before.notices = mine.cloned().collect();
        }
        let beats = self.beats(now);
        Step {
            attempts,
            beats,
            wake: self.next_wake(now),
            remarks: std::mem::take(&mut self.remarks),
            more: false,
        }
    }

    // ---- decisions --------------------------------------------------------------------------------------------

    /// Routes what the engine decided, until nothing more follows from it.
    fn decide(&mut self, now: Now) {
        loop {
            let output = self.engine.take();
            let quiet = output.transitions.is_empty();
            self.remarks.extend(output.odd_stamps.into_iter().map(Remark::OddStamp));
            for emitted in output.transitions {
                self.route(&emitted, now);
            }
            for reported in output.changes {
                self.route_change(reported, now);
            }
            if quiet {
                break;
            }
        }
    }

    fn route(&mut self, emitted: &Emitted, now: Now) {
        let (mut deliveries, mut told) = (Vec::new(), Vec::new());
        self.ledger.route(emitted, &self.routes, &mut deliveries, &mut told);
        for row in &told {
            self.batch.put_told(row);
        }
        self.owe(deliveries, now);
        self.history.note(&emitted.transition, now.time, &mut self.batch);
        self.remarks.push(Remark::Transition(Box::new(emitted.transition.clone())));
    }

    fn route_change(&mut self, reported: Reported, now: Now) {
        if !reported.stale {
            let routed = self.ledger.route_change(&reported.report, &self.routes, now.time);
            routed.told.iter().for_each(|row| self.batch.put_told_change(row));
            routed.forgotten.iter().for_each(|(sink, key)| self.batch.remove_told_change(sink, key));
            self.owe(routed.deliveries, now);
        }
        self.remarks.push(Remark::Change(Box::new(reported.report)));
    }

    fn plan(&mut self, now: Now) {
        let mut all = Vec::new();
        for (name, queue) in &mut self.queues {
            if self.unreachable.contains(name) {
                continue;
            }
            let mut changes = Vec::new();
            let mut attempts = Vec::new();
            if self.retry_at.is_some() {
                attempts.extend(queue.plan_urgent(is_exempt, now.time, &mut changes));
            }
            attempts.extend(queue.plan(now.time, &mut changes));
            if changes.is_empty() { &mut self.free } else { &mut self.planned }.extend(attempts);
            all.append(&mut changes);
        }
        self.urgent |= !all.is_empty();
        self.keep_rows(all, now);
    }

    // ---- time -------------------------------------------------------------------------------------------------

    fn beats(&mut self, now: Now) -> Vec<Delivery> {
        if self.beat.as_ref().is_none_or(|(_, _, next)| *next > now.time) {
            return Vec::new();
        }
        let healthy = self.retry_at.is_none() && !self.blind();
        let Some((sinks, every, next)) = &mut self.beat else { return Vec::new() };
        *next = now.time.plus(*every);
        let sinks = sinks.iter().filter(|_| healthy);
        sinks.map(|sink| beat(sink.clone(), &self.scope, now.time)).collect()
    }

    /// True if a source has files and none of them can be read, or its stream can not.
    fn blind(&self) -> bool {
        if pipe::faults(&self.pipes).next().is_some() {
            return true;
        }
        self.tail
            .standings()
            .values()
            .any(|standing| standing.files > 0 && standing.unreadable == standing.files)
    }

    fn next_wake(&self, now: Now) -> Timestamp {
        let mut wake = self.tail.next_wake();
        // While the store fails, what waits for a commit waits for the next attempt at one.
        let waits = self.retry_at.is_none() && self.is_dirty();
        let commit = waits.then(|| self.last_commit.plus(COMMIT_EVERY));
        let queues = self.reachable().filter_map(Queue::next_wake).min();
        let failing = self.fails_next(now);
        let beat = self.beat.as_ref().map(|(_, _, next)| *next);
        let engine = self.engine.next_wake().filter(|_| self.retry_at.is_none());
        for other in [engine, commit, queues, failing, beat, self.retry_at].into_iter().flatten() {
            wake = wake.min(other);
        }
        if self.retry_at.is_none() && !self.tail.ready().is_empty() {
            wake = now.time;
        }
        wake.max(now.time)
    }

    // ---- stop -------------------------------------------------------------------------------------------------

    /// Resolves what is open, because nobody will go on with it.
    pub fn resolve_all(&mut self, now: Now) {
        self.engine.resolve_all(now.time);
    }

    /// Resolves the alerts of these keys, because somebody says so. The next commit makes it last.
    pub fn resolve(&mut self, keys: &[AlertKey], now: Now) {
        self.engine.resolve(keys, now.time);
        self.urgent = true;
    }

    /// Holds back what these terms are true of. The next commit makes it last.
    ///
    /// # Errors
    /// As [`Engine::silence`]; then nothing is changed.
    pub fn silence(
        &mut self,
        terms: Vec<String>,
        until: Timestamp,
        comment: String,
        now: Now,
    ) -> Result<SavedSilence, String> {
        let made = self.engine.silence(terms, until, comment, now.time)?;
        self.urgent = true;
        Ok(made)
    }

    /// Ends a silence. The next commit makes it last.
    pub fn unsilence(&mut self, id: u64, now: Now) -> Option<SavedSilence> {
        let ended = self.engine.unsilence(id, now.time)?;
        self.urgent = true;
        Some(ended)
    }

    /// Makes the next step look at every file: what was written until now is read before a stop.
    pub fn look_everywhere(&mut self, now: Now) {
        self.tail.hurry(now.time);
    }

    /// True if there are bytes that were not read.
    pub fn is_behind(&self) -> bool {
        !self.tail.ready().is_empty()
    }

    /// True if deliveries are owed only to sinks that take none.
    pub fn all_suspended(&self) -> bool {
        self.reachable().all(|queue| queue.owed() == 0 || queue.suspended().is_some())
    }

    /// Tries a suspended sink at once: what it was suspended for may be over.
    pub fn release(&mut self, sink: &SinkName, now: Now) {
        if let Some(queue) = self.queues.get_mut(sink) {
            queue.release(now.time);
        }
    }

    /// Deliveries that are still owed to sinks that can be reached.
    pub fn owed(&self) -> usize {
        self.reachable().map(Queue::owed).sum()
    }

    fn reachable(&self) -> impl Iterator<Item = &Queue> {
        let queues = self.queues.iter().filter(|(name, _)| !self.unreachable.contains(*name));
        queues.map(|(_, queue)| queue)
    }

    /// True if something waits for a commit.
    pub fn is_dirty(&self) -> bool {
        !self.batch.is_empty()
            || !self.touched.is_empty()
            || !self.ended.is_empty()
            || self.engine.is_changed()
            || self.has_read_on()
    }

    /// Makes the next step commit whatever there is.
    pub fn hurry(&mut self) {
        self.urgent = true;
    }

    // ---- what is seen from outside ----------------------------------------------------------------------------

    /// The engine, for what it knows of alerts and rules.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many files of each source are followed, and how they stand.
    pub fn standings(&self) -> BTreeMap<&SourceName, Standing<'_>> {
        self.tail.standings()
    }

    /// Those that have anything to tell but that they are followed.
    pub fn stirring_files(&self) -> impl Iterator<Item = FileStatus<'_>> {
        self.tail.stirring()
    }

    /// All files that are followed.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = FileStatus<'_>> {
        self.tail.status()
    }

    /// What can not be read, name by name: whose it is, the name, and the operating system's words.
    pub fn faults(&self) -> impl Iterator<Item = (&SourceName, &Path, &str)> {
        self.tail.faults().chain(pipe::faults(&self.pipes))
    }

    /// The queue of each sink.
    pub fn queues(&self) -> impl Iterator<Item = (&SinkName, QueueStatus)> {
        self.queues.iter().map(|(name, queue)| (name, queue.status()))
    }

    /// True of a sink that was removed before this process began: what it is owed waits until it is configured again.
    pub fn is_unreachable(&self, sink: &SinkName) -> bool {
        self.unreachable.contains(sink)
    }

    /// What alerts did in the last day, in the order in which it was decided.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &SavedStep> {
        self.history.steps()
    }

    /// Counters.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Counters of a source.
    pub fn source_counts(&self, source: &SourceName) -> SourceCounts {
        self.source_counts.get(source).copied().unwrap_or_default()
    }

    /// True while nothing can be committed.
    pub fn store_failed(&self) -> bool {
        self.retry_at.is_some()
    }
}

fn names(sources: &[Source]) -> Vec<SourceName> {
    sources.iter().map(|source| source.name.clone()).collect()
}

fn timings(sources: &[Source]) -> Vec<Timing> {
    let timing = |source: &Source| Timing {
        name: source.name.clone(),
        tz: source.tz.clone(),
        max_age: source.max_age,
        year: None,
    };
    sources.iter().map(timing).collect()
}

/// True of the one alert that may be told before it is durable: that nothing can be made durable.
fn is_exempt(key: &AlertKey) -> bool {
    key.rule.as_str() == "tripline_store_failed"
}

/// A sign of life. Its words never change, so that a peer can tell it apart from news.
fn beat(sink: SinkName, scope: &str, now: Timestamp) -> Delivery {
    let rule = RuleName::new("tripline_heartbeat");
    let hash = crate::engine::digest(rule.as_str(), scope, std::iter::empty());
    let at = Position { file: FileId::OWN, offset: now.0.unsigned_abs() };
    let transition = Transition {
        previous: Status::Info,
        labels: Labels::from([("instance".into(), scope.to_owned())]),
        summary: format!("tripline is alive on {scope}"),
        description: "sources are read and state is kept".to_owned(),
        ..Transition::bare(AlertKey { rule, hash }, Status::Info, at, now)
    };
    let content = Content::Alert(DeliveryKind::Beat, transition);
    Delivery { seq: 0, sink, content, attempted: false }
}

/// How far journals were read.
fn cursors(saved: &Saved) -> BTreeMap<SourceName, String> {
    let streams = saved.files.values().filter(|row| row.id.is_of_stream());
    let cursor =
        |row: &crate::saved::SavedFile| String::from_utf8(row.locator.generation.as_bytes().to_vec()).ok();
    streams.filter_map(|row| Some((row.source.clone(), cursor(row)?))).collect()
}
