//! The machine with sinks that are reached over real sockets, turned as the daemon turns it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tripline::config::{self, Text};
use tripline::daemon::clock::Clock;
use tripline::daemon::core::{Core, Setup, Step};
use tripline::daemon::deliver::{Courier, Done, Terms};
use tripline::model::SourceName;
use tripline::sink::attempt::{Attempt, QueueStatus};
use tripline::store;
use tripline::tail::RealDisk;

use crate::sample;

/// Raised by `disk N bad`, over with `disk N good`.
pub(crate) const RULE: &str = "[[rule]]\nname = 'disk'\nsource = 'app'\nmatch = 'disk (?<dev>\\d+) bad'\n\
                               resolve = 'disk (?<dev>\\d+) good'\nby = ['dev']\nseverity = 'critical'\n\
                               max_keys = 100000\nmax_raises = 'never'\nflap = 'never'\n\
                               summary = 'disk {dev} of this machine is bad'\n";

/// A webhook that may be called as often as there is something to say.
pub(crate) fn webhook(name: &str, url: &str, more: &str) -> String {
    format!("[[sink]]\nname = '{name}'\ntype = 'webhook'\nurl = '{url}'\nrate = 'unlimited'\n{more}\n")
}

/// A machine that reads lines from a pipe.
pub(crate) struct World {
    core: Core<RealDisk>,
    courier: Courier,
    clock: Clock,
    inbox: Receiver<Done>,
    held: Vec<Attempt>,
    _runtime: Runtime,
    _dir: TempDir,
}

impl World {
    pub(crate) fn new(rules: &str, sinks: &str) -> World {
        let settings = sample::settings(sinks);
        let rules = Text { path: PathBuf::from("/bench/r.toml"), text: rules.to_owned() };
        let (ruleset, problems) = config::ruleset(&[rules], Some(&settings.sources), &[], &TimeZone::UTC);
        let ruleset = ruleset.unwrap_or_else(|| panic!("{problems:#?}"));
        let dir = tempfile::tempdir().expect("a directory can be made");
        let clock = Clock::start();
        let now = clock.now();
        let opened = store::open(dir.path(), false, now.time).expect("state can be kept");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let (to, inbox) = channel();
        let terms = Terms::new(Arc::new(move || clock.now().time));
        let mut courier =
            Courier::new(runtime.handle().clone(), terms, Arc::new(move |done| drop(to.send(done))));
        courier.attach(&settings.sinks).expect("the sinks can be used");
        let setup = Setup {
            disk: RealDisk::new(),
            store: opened.store,
            saved: opened.saved,
            settings,
            ruleset,
            scope: "bench".to_owned(),
            every: false,
            cores: 1,
            seed: 1,
            set_aside: None,
        };
        let mut core = Core::new(setup, now);
        core.open_pipe(&SourceName::new("app"), "pipe", false, now);
        World { core, courier, clock, inbox, held: Vec::new(), _runtime: runtime, _dir: dir }
    }

    /// Hands in lines of the log.
    pub(crate) fn read(&mut self, lines: &str) {
        let now = self.clock.now();
        self.core.pipe(&SourceName::new("app"), lines.as_bytes(), Vec::new(), now);
    }

    /// Turns without sending until so many deliveries are owed and durable.
    pub(crate) fn hold_until_owed(&mut self, most: usize) {
        while self.core.owed() < most || self.core.is_dirty() {
            self.core.hurry();
            let step = self.settle();
            self.held.extend(step.attempts);
        }
    }

    /// Turns as the daemon does until that is so.
    pub(crate) fn deliver_until(&mut self, over: impl Fn(&World) -> bool) {
        for attempt in std::mem::take(&mut self.held) {
            self.courier.send(attempt);
        }
        loop {
            let step = self.settle();
            self.send(step);
            if over(self) {
                return;
            }
            self.hear(Duration::from_millis(20));
        }
    }

    /// From the line to the moment when `sink` is owed nothing, in seconds.
    pub(crate) fn tell(&mut self, line: &str, sink: &str) -> f64 {
        let begin = Instant::now();
        self.read(line);
        self.deliver_until(|world| world.queue(sink).queued == 0);
        begin.elapsed().as_secs_f64()
    }

    /// Turns as the daemon would have meanwhile: takes what came, commits what is due.
    pub(crate) fn catch_up(&mut self) {
        loop {
            let step = self.settle();
            self.send(step);
            if !self.hear(Duration::ZERO) {
                return;
            }
        }
    }

    fn settle(&mut self) -> Step {
        self.core.settle(self.clock.now())
    }

    fn send(&self, step: Step) {
        step.attempts.into_iter().for_each(|attempt| self.courier.send(attempt));
    }

    /// Waits for the first outcome, then takes all there are; false if there was none.
    fn hear(&mut self, wait: Duration) -> bool {
        let mut done = self.inbox.recv_timeout(wait).ok();
        let mut taken = 0;
        while let Some(Done { attempt, sink, outcomes, .. }) = done {
            self.core.outcomes(&sink, attempt, outcomes, self.clock.now());
            taken += 1;
            done = if taken < 256 { self.inbox.try_recv().ok() } else { None };
        }
        taken > 0
    }

    pub(crate) fn owed(&self) -> usize {
        self.core.owed()
    }

    pub(crate) fn queue(&self, sink: &str) -> QueueStatus {
        let mut queues = self.core.queues();
        queues.find(|(name, _)| name.as_str() == sink).expect("the sink is in the settings").1
    }

    pub(crate) fn queues(&self) -> impl Iterator<Item = QueueStatus> {
        self.core.queues().map(|(_, status)| status)
    }
}

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Median and 99th percentile, in milliseconds of the seconds given.
pub(crate) fn halves_and_tails(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2] * 1e3, times[times.len() * 99 / 100] * 1e3)
}

/// CPU seconds of this process so far.
pub(crate) fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("a process has a state");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap_or(0.0)).sum();
    ticks / 100.0
}

/// Resident memory of this process in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process has a state");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
