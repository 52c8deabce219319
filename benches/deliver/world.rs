//! The machine with sinks that are reached over real sockets, turned as the daemon turns it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tripline::config::{self, Text};
use tripline::daemon::clock::Clock;
use tripline::daemon::core::{Core, Setup};
use tripline::daemon::deliver::{Courier, Done, Terms};
use tripline::model::{
    AlertKey, DeliveryKind, Episode, FileId, KeyHash, Labels, Position, Reason, RuleName, SourceName, Status,
    Timestamp, Transition,
};
use tripline::settings::{Settings, Sink};
use tripline::sink::attempt::Attempt;
use tripline::store;
use tripline::tail::RealDisk;

/// One of each kind that is reached by HTTP, with the least settings.
pub(crate) const SINKS: [(&str, &str); 8] = [
    ("flashduty", "[[sink]]\nname = 's'\ntype = 'flashduty'\nintegration_key_env = 'K'\n"),
    ("pagerduty", "[[sink]]\nname = 's'\ntype = 'pagerduty'\nrouting_key_env = 'K'\n"),
    ("alertmanager", "[[sink]]\nname = 's'\ntype = 'alertmanager'\nurls = ['http://127.0.0.1:9093']\n"),
    ("slack", "[[sink]]\nname = 's'\ntype = 'slack'\nurl_env = 'K'\n"),
    ("feishu", "[[sink]]\nname = 's'\ntype = 'feishu'\nurl_env = 'K'\nsecret_env = 'S'\n"),
    ("dingtalk", "[[sink]]\nname = 's'\ntype = 'dingtalk'\nurl_env = 'K'\nsecret_env = 'S'\n"),
    ("wecom", "[[sink]]\nname = 's'\ntype = 'wecom'\nurl_env = 'K'\n"),
    ("webhook", "[[sink]]\nname = 's'\ntype = 'webhook'\nurl = 'URL'\nsecret_env = 'K'\n"),
];

/// Fits everywhere: 32 letters and digits, and what signing wants.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const RULE: &str = "[[rule]]\nname = 'disk'\nsource = 'app'\nmatch = 'disk (?<dev>\\d+) bad'\nresolve = 'never so'\n\
                    by = ['dev']\nseverity = 'critical'\nmax_keys = 100000\nmax_raises = 'never'\n\
                    summary = 'disk {dev} of this machine is bad'\n";

fn settings(sinks: &str) -> Settings {
    let text = format!("[admin]\nlisten = 'off'\n[[source]]\nname = 'app'\nfiles = ['/nowhere']\n{sinks}");
    let (settings, problems) =
        config::settings(&Text { path: PathBuf::from("/bench/tripline.toml"), text }, &TimeZone::UTC);
    settings.unwrap_or_else(|_| panic!("{problems:#?}"))
}

/// The sinks of a configuration.
pub(crate) fn sinks(text: &str) -> Vec<Sink> {
    settings(text).sinks
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
    pub(crate) fn new(sinks: &str) -> World {
        let settings = settings(sinks);
        let rules = Text { path: PathBuf::from("/bench/r.toml"), text: RULE.to_owned() };
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
        core.open_pipe(&SourceName::new("app"), "pipe", now);
        World { core, courier, clock, inbox, held: Vec::new(), _runtime: runtime, _dir: dir }
    }

    /// Raises an alert for each number.
    pub(crate) fn raise(&mut self, numbers: std::ops::Range<u64>) {
        let lines: String = numbers.map(|number| format!("disk {number} bad\n")).collect();
        let now = self.clock.now();
        self.core.pipe(lines.as_bytes(), now);
    }

    /// Turns without sending until so many deliveries are owed and durable.
    pub(crate) fn hold_until_owed(&mut self, most: usize) {
        while self.core.owed() < most || self.core.is_dirty() {
            let now = self.clock.now();
            self.core.hurry();
            self.held.extend(self.core.settle(now).attempts);
        }
    }

    /// Turns as the daemon does until that is so.
    pub(crate) fn deliver_until(&mut self, over: impl Fn(&World) -> bool) {
        for attempt in std::mem::take(&mut self.held) {
            self.courier.send(attempt);
        }
        loop {
            let step = self.core.settle(self.clock.now());
            step.attempts.into_iter().for_each(|attempt| self.courier.send(attempt));
            if over(self) {
                return;
            }
            let mut done = self.inbox.recv_timeout(Duration::from_millis(20)).ok();
            let mut taken = 0;
            while let Some(Done { attempt, sink, outcomes, .. }) = done {
                self.core.outcomes(&sink, attempt, outcomes, self.clock.now());
                taken += 1;
                done = if taken < 256 { self.inbox.try_recv().ok() } else { None };
            }
        }
    }

    pub(crate) fn owed(&self) -> usize {
        self.core.owed()
    }

    pub(crate) fn accepted(&self, sink: &str) -> u64 {
        self.core.queues().find(|(name, _)| name.as_str() == sink).map_or(0, |(_, status)| status.accepted)
    }
}

/// What an alert of a busy machine says.
pub(crate) fn transition(key: u64) -> Transition {
    let time = Timestamp(1_700_000_000_000_000);
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&key.to_be_bytes());
    let labels = [("instance", "web-1"), ("team", "infra"), ("src_ip", "203.0.113.9")];
    let line =
        "2026-01-05T10:01:20Z web-1 sshd[812]: Failed password for root from 203.0.113.9 port 40004 ssh2";
    Transition {
        time,
        key: AlertKey { rule: RuleName::new("ssh_bruteforce"), hash: KeyHash(hash) },
        status: Status::Warning,
        previous: Status::Ok,
        reason: Reason::LevelReached,
        value: Some(5.0),
        count: 5,
        total: 5,
        since: time,
        episode: Episode(Position { file: FileId(1), offset: key }),
        step: 0,
        labels: labels.into_iter().map(|(name, value)| (name.into(), value.to_owned())).collect(),
        details: Labels::from([("user".into(), "root".to_owned())]),
        summary: "5 failed logins from 203.0.113.9 in 10m".to_owned(),
        description: [line; 5].join("\n"),
        runbook: Some("https://wiki.example.com/ssh".to_owned()),
        images: Vec::new(),
        links: Vec::new(),
        lines: vec![line.to_owned(); 5],
        last_lines: Vec::new(),
    }
}

/// The `turn`th turn of an alert: raised, worse, over, and again.
pub(crate) fn turn(key: u64, turn: u64, now: Timestamp) -> (DeliveryKind, Transition) {
    let (kind, status, previous) = match turn % 3 {
        0 => (DeliveryKind::Raise, Status::Warning, Status::Ok),
        1 => (DeliveryKind::Change, Status::Critical, Status::Warning),
        _ => (DeliveryKind::Resolve, Status::Ok, Status::Critical),
    };
    let episode = Episode(Position { file: FileId(1), offset: key + turn / 3 * 1_000_000 });
    let step = u32::try_from(turn % 3).unwrap_or(0);
    (kind, Transition { time: now, since: now, status, previous, episode, step, ..transition(key) })
}

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
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
