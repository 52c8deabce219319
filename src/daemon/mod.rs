//! Wires the machine to the world: one thread turns it, a runtime carries deliveries and answers HTTP, small threads
//! bring signals, reloads and stdin as values of one closed enum.

mod admin;
mod answers;
pub mod clock;
pub mod core;
pub mod deliver;
mod gone;
mod hints;
mod inlets;
mod journal;
mod letters;
pub(crate) mod limits;
mod own_log;
pub mod scope;
pub mod secret;
pub mod socket;
mod streams;
mod trends;
mod view;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use self::answers::{Process, Waiting};
use self::clock::Clock;
use self::core::{Core, Now, Setup, Step};
use self::deliver::{AttachError, Courier, Done, Terms};
use self::socket::SocketError;
use crate::admin::{Answer, Question};
use crate::http::Generations;
use crate::model::{RuleName, SinkName, SourceName, Status, Timestamp};
use crate::rule::Ruleset;
use crate::saved::{Saved, SavedKey};
use crate::settings::{OnStop, Peer, Settings, Start, Stream, plain};
use crate::sink::attempt::{Attempt, Before, Outcome, Purpose};
use crate::sink::queue::HOLD;
use crate::store::{self, StoreError};
use crate::tail::{Disk, RealDisk};
use crate::untrusted::Untrusted;
use streams::{Brought, Streams};
use trends::Trends;

/// Longest wait between two turns, so that `/healthz` and the watchdog can tell a quiet loop from a dead one.
const LONGEST_TURN: Duration = Duration::from_secs(1);
/// How old the status page's view of the machine may be.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// Settings and rules that are believed.
pub type Believed = (Settings, Ruleset);

/// Loads the configuration again; `Err` says that the running one stays, and why, after the problems were shown.
pub type Load = Box<dyn FnMut(Why) -> Option<Result<Believed, String>> + Send>;

/// Why the configuration is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A regular look: nothing is to be done unless a file changed.
    Look,
    /// SIGHUP: it is to be loaded whether it changed or not.
    Asked,
}

/// How to run.
pub struct Options {
    /// Settings and rules to begin with.
    pub believed: Believed,
    /// Why rules may not be there that nobody has taken out: a sentence.
    pub gap: Option<String>,
    /// How to get them anew; `None`: never, and SIGHUP stops.
    pub load: Option<Load>,
    /// Rules see every source if theirs is not configured.
    pub every: bool,
    /// Read stdin, as a file of this source.
    pub stdin: Option<SourceName>,
    /// Do everything but send.
    pub dry_run: bool,
    /// Refuse to start without the state of the last run.
    pub require_state: bool,
    /// Whether stdout takes readable lines.
    pub readable: bool,
    /// Whether they have colours.
    pub color: bool,
    /// Told where the status page is, once it is there.
    pub bound: Option<Box<dyn FnOnce(SocketAddr)>>,
    /// Stop by itself once stdin has ended (or this flag is set from outside) and everything is delivered.
    pub ends: Option<Arc<std::sync::atomic::AtomicBool>>,
}

/// Why the daemon could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state can not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rules of open alerts are not there, and neither are files that may have held them.
    #[error(
        "{gap}, and {} not there: `{rule}`; put back what was there, or take it out of `rules` if what is open is to be \
         resolved",
        match alerts { 1 => "1 open alert is of a rule that is".to_owned(), n => format!("{n} open alerts are of rules that are") }
    )]
    RulesGone {
        /// Which files.
        gap: String,
        /// How many would be resolved.
        alerts: usize,
        /// The rule of one of them.
        rule: RuleName,
    },
    /// A sink can not be used.
    #[error(transparent)]
    Sink(#[from] AttachError),
    /// The admin address can not be used.
    #[error(
        "can not listen on `{address}` for the status page: {error}; choose another place with `--listen` or `[admin] listen`, or \
         `off`"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The command line could not reach it.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The machine refuses what every process needs.
    #[error("can not start: {0}")]
    Start(#[from] std::io::Error),
}

/// What reaches the loop from outside.
enum Input {
    Done(Done),
    Signal(Signal),
    /// The command line wants to know, and whom to tell.
    Asked(Question, oneshot::Sender<Answer>),
    Loaded(Result<Box<Believed>, String>),
    /// Of a stream, unless it was left meanwhile.
    Stream(SourceName, Arc<std::sync::atomic::AtomicBool>, Brought),
    StdinEnd(SourceName),
    /// Files are to be looked at, and whom to tell once they were.
    Hint(SyncSender<()>),
}

/// Signals that mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Stop(i32),
    Reload,
}

/// What the world knows of reloads.
#[derive(Debug, Default)]
struct Reloads {
    ok: u64,
    failed: u64,
    /// Why the last one failed.
    failure: Option<String>,
}

/// Runs until a signal says stop; the answer is the exit code.
///
/// # Errors
/// If it can not start. Once started, it goes on whatever happens.
pub fn run(options: Options) -> Result<u8, RunError> {
    let Options { believed, gap, load, every, stdin, dry_run, require_state, readable, color, bound, ends } =
        options;
    let (settings, ruleset) = believed;
    limits::keep_memory_private();
    let clock = Clock::start();
    let now = clock.now();
    let on_stop = scope::on_stop(&settings);
    let scope = scope::scope(&settings, on_stop);

    let (store, saved, set_aside) = match &settings.state_dir {
        Some(dir) => {
            let opened = store::open(dir, require_state, now.time)?;
            if let Some(path) = &opened.set_aside {
                tracing::error!(path = %path.display(), "the state was unreadable, was set aside, and is begun anew");
            }
            (opened.store, opened.saved, opened.set_aside)
        }
        None => {
            let store = store::in_memory()?;
            let saved = store.load()?;
            (store, saved, None)
        }
    };

    if let Some(gap) = gap {
        let ended = would_end(&saved, &ruleset);
        if let Some(rule) = ended.first().map(|rule| (*rule).clone()) {
            return Err(RunError::RulesGone { gap, alerts: ended.len(), rule });
        }
    }
    let unknown = |row: &&crate::model::Delivery| settings.sinks.iter().all(|sink| sink.name != row.sink);
    let orphans = saved.outbox.iter().filter(unknown).count();
    if orphans > 0 {
        tracing::warn!(
            deliveries = orphans,
            "owed to sinks that are not configured any more: kept until they are, or `tripline outbox drop --sink NAME`"
        );
    }
    // The other half is for the store, sockets and files that are read once.
    let handles = limits::raise_file_limit() / 2;

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (inbox, inputs) = channel();
    let mut terms = Terms::new(Arc::new(move || clock.now().time));
    (terms.send, terms.readable, terms.color) = (!dry_run, readable, color);
    let mut courier = courier(&runtime, &inbox, terms);
    courier.reads(&settings.sources);
    courier.attach(&settings.sinks)?;
    // It turns from now on: whoever probes before the first look at the files is over must not take it for dead.
    let (started, ticked) = (now.time, clock.now().time);
    let begun = crate::http::View { started, ticked, ..crate::http::View::default() };
    let (show, shown) = watch::channel(Arc::new(begun));
    let published = shown.clone();
    let health: socket::AskHealth = Arc::new(move || published.borrow().health(clock.now().time));
    let address = admin::listen(&runtime, &settings, shown, clock, &inbox)?;
    let dir = settings.state_dir.as_deref();
    let socket = match dir.map(|dir| socket::listen(&runtime, dir, inbox.clone(), health)).transpose() {
        // Not every file system holds sockets, and logs are watched all the same.
        Err(SocketError::Io { path, error }) => {
            tracing::warn!(path = %path.display(), %error, "the command line can not reach this process");
            None
        }
        socket => socket?,
    };
    inlets::signals(&runtime, &inbox)?;
    let reload = load.map(|load| inlets::reloader(load, inbox.clone())).transpose()?;

    let disk = RealDisk::new();
    hints::hint_reader(disk.descriptors()?, inbox.clone())?;
    let files: Vec<PathBuf> = settings.sources.iter().flat_map(|source| source.files.clone()).collect();
    let fresh = saved.files.is_empty();
    let setup = Setup {
        disk,
        store,
        saved,
        settings: settings.clone(),
        ruleset,
        scope: scope.clone(),
        every,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        seed: fastrand::u64(..),
        set_aside,
    };
    let mut core = Core::new(setup, now);
    core.limit_handles(handles);
    gone::warn(&core);
    if let Some(source) = &stdin {
        core.open_pipe(source, "stdin", false, now);
        inlets::stdin_reader(source.clone(), inbox.clone())?;
    }
    let open = core.engine().open_alerts().count();
    if open > 0 {
        tracing::info!(alerts = open, "open since before, and told then: `tripline status` shows them");
    }
    tracing::info!(
        rules = users_rules(&core),
        sinks = settings.sinks.len(),
        files = files.len(),
        dry_run,
        "started"
    );
    for file in &files {
        tracing::info!(files = %Untrusted(&plain(file).to_string_lossy()), "watching");
    }
    if fresh && begins_at_ends(&settings) {
        tracing::info!(
            "what stands in the files already is not read: `tripline replay --rules RULES FILE` shows what it would have raised"
        );
    }
    if let Some(address) = address {
        tracing::info!(%address, "status page");
        if let Some(bound) = bound {
            bound(address);
        }
    }

    let mut daemon = Daemon {
        clock,
        core,
        courier,
        settings,
        dry_run,
        inputs,
        reload,
        show,
        reloads: Reloads::default(),
        stopping: None,
        holding: None,
        hint_waits: None,
        streams: Streams::default(),
        inbox,
        waits: Vec::new(),
        ends,
        shown: Timestamp::MIN,
        watchdog: sd_notify::watchdog_enabled(),
        next_watchdog: Timestamp::MIN,
        checked_keys: now.time,
        blindness_said: false,
        process: Process { started: now.time, scope },
        waiting: Vec::new(),
        trends: Trends::default(),
        generations: Generations::default(),
    };
    daemon.place_streams(daemon.clock.now());
    let code = daemon.turn_until_stopped(on_stop);
    // While the state directory is still held: the name may be another's right after.
    drop(socket);
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(code)
}

struct Daemon {
    clock: Clock,
    core: Core<RealDisk>,
    courier: Courier,
    settings: Settings,
    dry_run: bool,
    inputs: Receiver<Input>,
    reload: Option<SyncSender<()>>,
    show: watch::Sender<Arc<crate::http::View>>,
    reloads: Reloads,
    /// When the stop must be over, and how far it is.
    stopping: Option<Timestamp>,
    /// Words to peers that take silence for an end and have not answered; `None`: they were not said yet.
    holding: Option<usize>,
    hint_waits: Option<SyncSender<()>>,
    streams: Streams,
    inbox: Sender<Input>,
    /// What streams brought while nothing can be committed.
    waits: Vec<(SourceName, streams::Block)>,
    ends: Option<Arc<std::sync::atomic::AtomicBool>>,
    shown: Timestamp,
    watchdog: Option<Duration>,
    next_watchdog: Timestamp,
    checked_keys: Timestamp,
    blindness_said: bool,
    process: Process,
    waiting: Vec<Waiting>,
    trends: Trends,
    generations: Generations,
}

impl Daemon {
    fn turn_until_stopped(&mut self, on_stop: OnStop) -> u8 {
        let mut resolved = false;
        loop {
            let now = self.clock.now();
            let mut step = self.core.step(now);
            while step.more {
                self.carry_out(step, now);
                step = self.core.step(now);
            }
            let wake = self.carry_out(step, now);
            self.hint_waits.take().map(|taken| taken.try_send(()));
            self.let_answers_go();
            self.take_blocks(now);
            self.tell_supervisor(now);
            self.check_keys(now);
            if let Some(code) = self.finished(now, on_stop, &mut resolved) {
                return code;
            }
            self.say_blind();
            let now = self.clock.now();
            let wait = wake.since(now.time).min(LONGEST_TURN);
            if let Some(code) = self.take_inputs(wait) {
                return code;
            }
        }
    }

    /// Waits for the first input, then takes all there are; an exit code if the stop can not wait.
    fn take_inputs(&mut self, wait: Duration) -> Option<u8> {
        let mut input = self.first_input(wait);
        let mut taken = 0;
        while let Some(next) = input {
            let now = self.clock.now();
            match next {
                Input::Done(done) => self.take_outcomes(done, now),
                Input::Signal(Signal::Reload) => match &self.reload {
                    Some(reload) => {
                        let _ = reload.try_send(());
                    }
                    // There is nothing to load anew: its terminal was closed.
                    None if self.stopping.is_none() => self.begin_stop(now),
                    None => {}
                },
                Input::Signal(Signal::Stop(number)) if self.stopping.is_some() => {
                    tracing::warn!("stopped at once: what is owed is kept");
                    return Some(128u8.saturating_add(u8::try_from(number).unwrap_or(0)));
                }
                Input::Signal(Signal::Stop(_)) => self.begin_stop(now),
                Input::Asked(question, reply) => self.asked(question, reply, now),
                Input::Loaded(result) => self.adopt(result, now),
                Input::Stream(source, left, brought) => {
                    if !left.load(std::sync::atomic::Ordering::Relaxed) {
                        self.take_brought(source, brought, now);
                    }
                }
                Input::Hint(taken) => self.hint_waits = Some(taken),
                Input::StdinEnd(source) => {
                    self.core.close_pipe(&source, now);
                    let is_over =
                        |source: &crate::settings::Source| source.files.is_empty() && source.stream.is_none();
                    if self.stopping.is_none() && self.settings.sources.iter().all(is_over) {
                        self.begin_stop(now);
                    }
                }
            }
            taken += 1;
            // A flood of input must not keep the loop from turning.
            input = if taken < 256 { self.inputs.try_recv().ok() } else { None };
        }
        None
    }

    /// The next input; none if there was none for so long, or if a file has grown.
    fn first_input(&mut self, wait: Duration) -> Option<Input> {
        let until = self.clock.now().time.plus(wait);
        let mut left = wait;
        loop {
            let pace = self.core.glances().map_or(left, |pace| pace.min(left));
            if let Ok(input) = self.inputs.recv_timeout(pace) {
                return Some(input);
            }
            let now = self.clock.now();
            left = until.since(now.time);
            if left.is_zero() || self.core.glance(now) {
                return None;
            }
        }
    }

    fn take_brought(&mut self, source: SourceName, brought: Brought, now: Now) {
        match brought {
            Brought::Block(block) => {
                self.waits.push((source, block));
                self.take_blocks(now);
            }
            Brought::Quiet => self.core.pipe_is_quiet(&source, now),
            Brought::Fault(fault) => {
                match &fault {
                    Some(why) => tracing::warn!(%source, why, "can not be read"),
                    None => tracing::info!(%source, "can be read again"),
                }
                self.core.pipe_fault(&source, fault, now);
            }
        }
    }

    /// Uses what streams brought, unless nothing can be committed.
    fn take_blocks(&mut self, now: Now) {
        if self.core.store_failed() {
            return;
        }
        for (source, block) in std::mem::take(&mut self.waits) {
            self.core.pipe_lost(&source, block.lost, now);
            self.core.pipe(&source, &block.bytes, block.cursors, now);
            let _ = block.used.try_send(());
        }
    }

    /// Reads the streams that the settings name, and no others.
    fn place_streams(&mut self, now: Now) {
        let sources = &self.settings.sources;
        let is_named =
            |name: &SourceName| sources.iter().any(|source| source.stream.is_some() && source.name == *name);
        for name in self.streams.names().iter().filter(|name| !is_named(name)) {
            self.streams.leave(name);
            self.waits.retain(|(of, _)| of != name);
            self.core.leave_pipe(name, now);
        }
        for source in sources {
            if self.streams.has(source) {
                continue;
            }
            self.streams.leave(&source.name);
            self.waits.retain(|(of, _)| *of != source.name);
            let (path, is_behind) = match &source.stream {
                Some(Stream::Fifo(path)) => (path.to_string_lossy().into_owned(), false),
                Some(Stream::Journal(_)) => ("journal".to_owned(), true),
                None => continue,
            };
            if self.dry_run && matches!(source.stream, Some(Stream::Fifo(_))) {
                tracing::warn!(source = %source.name, "what is read of a FIFO is gone, so a dry run reads none");
                continue;
            }
            let cursor = self.core.cursor(&source.name).map(str::to_owned);
            self.core.open_pipe(&source.name, &path, is_behind, now);
            match self.streams.open(source, cursor, now.wall, &self.inbox) {
                Ok(()) => tracing::info!(source = %source.name, path = %Untrusted(&path), "following"),
                Err(error) => self.core.pipe_fault(&source.name, Some(error.to_string()), now),
            }
        }
    }

    fn take_outcomes(&mut self, done: Done, now: Now) {
        if done.attempt == HOLD {
            self.holding = self.holding.map(|holding| holding.saturating_sub(1));
            return;
        }
        let refused = done.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Suspend { .. }));
        self.core.learn(done.learned);
        self.core.outcomes(&done.sink, done.attempt, done.outcomes, now);
        // `tripline run … | head`: nobody reads any more, and there is nobody else to tell.
        if refused
            && self.stopping.is_none()
            && self.settings.sinks.iter().all(|sink| matches!(sink.peer, Peer::Stdout))
        {
            tracing::info!("stdout is closed");
            self.begin_stop(now);
        }
    }

    fn begin_stop(&mut self, now: Now) {
        tracing::info!(budget = ?self.settings.stop_budget, "stopping: reading to the end and delivering");
        self.stopping = Some(now.time.plus(self.settings.stop_budget));
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.core.look_everywhere(now);
        self.core.hurry();
    }

    /// The exit code, once a stop has done all it can.
    fn finished(&mut self, now: Now, on_stop: OnStop, resolved: &mut bool) -> Option<u8> {
        if self.stopping.is_none()
            && self.ends.as_ref().is_some_and(|ends| ends.load(std::sync::atomic::Ordering::Relaxed))
        {
            self.begin_stop(now);
        }
        let until = self.stopping?;
        let late = now.time >= until;
        if self.core.is_behind() && !late {
            return None;
        }
        if !*resolved {
            *resolved = true;
            if on_stop == OnStop::Resolve {
                self.core.resolve_all(now);
            }
            self.core.hurry();
            let step = self.core.settle(now);
            self.carry_out(step, now);
            return None;
        }
        if self.core.is_dirty() && !late {
            self.core.hurry();
            return None;
        }
        let owed = if self.dry_run { 0 } else { self.core.owed() };
        let hopeless = self.core.all_suspended();
        if owed > 0 && !late && !hopeless {
            return None;
        }
        // The last word to those who take silence for an end.
        let hold = if self.holding.is_none() && !self.dry_run { self.core.hold() } else { Vec::new() };
        self.holding = Some(self.holding.unwrap_or(0) + hold.len());
        hold.into_iter().for_each(|attempt| self.courier.send(attempt));
        if self.holding.is_some_and(|holding| holding > 0) && !late {
            return None;
        }
        let unwritten = self.settings.state_dir.is_some() && self.core.store_failed();
        match (owed, unwritten) {
            (0, false) => tracing::info!("stopped"),
            (_, true) => tracing::error!(
                owed,
                "stopped although the state could not be written: the next start begins where it was last"
            ),
            (_, false) => {
                let kept = self.settings.state_dir.is_some();
                tracing::warn!(owed, kept, "stopped with deliveries that were not accepted");
            }
        }
        Some(u8::from(unwritten))
    }

    fn adopt(&mut self, result: Result<Box<Believed>, String>, now: Now) {
        let attached = result.and_then(|believed| {
            self.courier.reads(&believed.0.sources);
            self.courier.attach(&believed.0.sinks).map_err(|error| error.to_string())?;
            Ok(believed)
        });
        let (mut settings, ruleset) = match attached {
            Ok(believed) => *believed,
            Err(why) => {
                tracing::error!(why, "the configuration was not loaded: the running one stays");
                self.reloads.failed += 1;
                self.reloads.failure = Some(why);
                return;
            }
        };
        if settings.state_dir != self.settings.state_dir
            || settings.admin.listen != self.settings.admin.listen
        {
            tracing::warn!("`state_dir` and `[admin] listen` change with a restart only");
            settings.state_dir.clone_from(&self.settings.state_dir);
            settings.admin = self.settings.admin.clone();
        }
        let state = sd_notify::NotifyState::monotonic_usec_now();
        let _ = state.map(|state| sd_notify::notify(&[sd_notify::NotifyState::Reloading, state]));
        self.core.reload(&settings, ruleset, fastrand::u64(..), now);
        gone::warn(&self.core);
        self.settings = settings;
        self.place_streams(now);
        self.reloads.ok += 1;
        self.reloads.failure = None;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        tracing::info!(rules = users_rules(&self.core), "the configuration was loaded");
    }

    /// Does what a step asks for; says when to turn again.
    fn carry_out(&mut self, step: Step, now: Now) -> Timestamp {
        for attempt in step.attempts {
            self.send(attempt, now);
        }
        for beat in step.beats {
            let (sink, deliveries) = (beat.sink.clone(), vec![beat]);
            let attempt = Attempt {
                id: 0,
                sink,
                deliveries,
                number: 1,
                shrink: false,
                purpose: Purpose::Owed,
                before: Before::default(),
            };
            if self.dry_run {
                continue;
            }
            self.courier.send(attempt);
        }
        for remark in &step.remarks {
            own_log::say(remark);
        }
        if now.time.since(self.shown) >= SHOW_EVERY {
            self.shown = now.time;
            self.show(now);
        }
        step.wake
    }

    fn send(&mut self, attempt: Attempt, now: Now) {
        if !self.dry_run {
            self.courier.send(attempt);
            return;
        }
        use std::io::Write as _;
        let mut outcomes = Vec::new();
        for row in &attempt.deliveries {
            let line = crate::sink::stdout::content_json(&row.content);
            let _ = writeln!(std::io::stdout(), "would send to {}: {line}", row.sink);
            outcomes.push(Outcome::Accepted { note: "dry run".to_owned() });
        }
        self.core.outcomes(&attempt.sink, attempt.id, outcomes, now);
    }

    fn tell_supervisor(&mut self, now: Now) {
        if self.next_watchdog == Timestamp::MIN {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
            self.next_watchdog = now.time;
        }
        let Some(every) = self.watchdog else { return };
        if now.time >= self.next_watchdog {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            self.next_watchdog = now.time.plus(every / 2);
        }
    }

    /// Says once of each source that it has no file: nothing is worse than to watch nothing without a word.
    fn say_blind(&mut self) {
        if self.blindness_said {
            return;
        }
        self.blindness_said = true;
        let mut seen: BTreeSet<&SourceName> = self.core.standings().into_keys().collect();
        // What is there and can not be read has been told.
        seen.extend(self.core.faults().map(|(source, ..)| source));
        let named = self.settings.sources.iter().filter(|source| !source.files.is_empty());
        for source in named.filter(|source| !seen.contains(&source.name)) {
            let globs: Vec<_> = source.files.iter().map(|glob| plain(glob).display().to_string()).collect();
            let files = globs.join(", ");
            tracing::warn!(source = %source.name, files = %Untrusted(&files), "no file fits yet");
        }
    }

    /// A key that was changed in its file releases its sink at once.
    fn check_keys(&mut self, now: Now) {
        if now.time.since(self.checked_keys) < Duration::from_secs(1) {
            return;
        }
        self.checked_keys = now.time;
        let suspended = self.core.queues().filter(|(_, status)| status.suspended.is_some());
        let changed: Vec<SinkName> =
            suspended.map(|(sink, _)| sink.clone()).filter(|sink| self.courier.key_changed(sink)).collect();
        for sink in changed {
            self.core.release(&sink, now);
        }
    }
}

/// True if files that are there at first sight are begun at their end.
fn begins_at_ends(settings: &Settings) -> bool {
    settings.sources.iter().any(|source| source.start == Start::End && !source.files.is_empty())
}

/// How many rules of the user are in force.
fn users_rules<D: Disk>(core: &Core<D>) -> usize {
    core.engine().ruleset().rules.len().saturating_sub(crate::config::own::own_rules().len())
}

/// The rules of the open alerts that a start with these rules would resolve because their rules are not there.
fn would_end<'s>(saved: &'s Saved, ruleset: &Ruleset) -> Vec<&'s RuleName> {
    let is_open = |row: &&SavedKey| row.open.as_ref().is_some_and(|last| last.status != Status::Ok);
    let is_lost = |row: &&SavedKey| row.outlives.is_none() && ruleset.find(row.rule.as_str()).is_none();
    saved.keys.iter().filter(is_open).filter(is_lost).map(|row| &row.rule).collect()
}

fn courier(runtime: &Runtime, inbox: &Sender<Input>, terms: Terms) -> Courier {
    let inbox = inbox.clone();
    // The loop is gone only when the process ends.
    let done = Arc::new(move |done| drop(inbox.send(Input::Done(done))));
    Courier::new(runtime.handle().clone(), terms, done)
}
