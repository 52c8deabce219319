//! How fast bytes become matches, transitions and rows. Throughput is in bytes of log, unless it says elements.

mod corpus;
mod cost;
mod evil;

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use tripline::config::probe::Probe;
use tripline::config::{self, Text};
use tripline::engine::{Arrival, Change, Engine, Phase, Read, Timing};
use tripline::model::{FileId, SourceName, Timestamp};
use tripline::rule::Ruleset;
use tripline::saved::Saved;
use tripline::scan::{Block, Scanned, Scanner, Tail, stamp};
use tripline::store::{self, Batch};

/// What a follower reads at a time.
const BLOCK: usize = 256 << 10;
const MAX_LINE: usize = 64 << 10;
const LOG: usize = 4 << 20;
/// Few lines and many lines that fit a rule.
const SHARES: [(&str, f64); 2] = [("low", 0.0001), ("high", 0.2)];

/// Rules as an author writes them: a window each, keyed by the pattern's first capture.
fn rule_text(rules: usize) -> String {
    let mut text = String::new();
    for (number, pattern) in corpus::patterns(rules).iter().enumerate() {
        let first = pattern.split("(?<").nth(1).and_then(|rest| rest.split('>').next());
        let by = first.map(|name| format!("by = [{name:?}]\n")).unwrap_or_default();
        text.push_str(&format!(
            "[[rule]]\nname = \"rule_{number}\"\nsource = \"bench\"\nmatch = {pattern:?}\n{by}within = \"1m\"\nwarning = \">= 100\"\n"
        ));
    }
    text
}

fn ruleset(rules: usize) -> Ruleset {
    rules_of(rule_text(rules))
}

fn rules_of(text: String) -> Ruleset {
    let text = Text { path: PathBuf::from("bench.toml"), text };
    let (ruleset, problems) = config::ruleset(&[text], None, &[], &TimeZone::UTC);
    ruleset.unwrap_or_else(|| panic!("the corpus has wrong rules: {problems:#?}"))
}

fn scanner(rules: usize) -> Scanner {
    Scanner::new(&ruleset(rules), |rule| !rule.sources.is_empty(), MAX_LINE)
}

/// Reads `log` as a follower would; the number of matches.
fn scan_all(scanner: &Scanner, log: &[u8], scanned: &mut Scanned) -> usize {
    let (mut at, mut matches) = (0, 0);
    while at < log.len() {
        let end = log.len().min(at + BLOCK);
        let block = Block {
            file: FileId(1),
            offset: at as u64,
            bytes: &log[at..end],
            skipping: false,
            tail: Tail::Wait,
        };
        scanner.scan(block, scanned);
        matches += scanned.matches(block.bytes).len();
        at += scanned.consumed;
    }
    matches
}

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    let mut scanned = Scanned::default();
    for rules in [10, 100] {
        let scanner = scanner(rules);
        for (name, share) in SHARES {
            let log = corpus::log(1, LOG, share, rules);
            let found = scan_all(&scanner, &log, &mut scanned);
            let lines = log.iter().filter(|byte| **byte == b'\n').count();
            // A corpus that drifts away from its rules would make every figure a lie.
            assert!((found as f64 - lines as f64 * share).abs() < lines as f64 * 0.02, "{found} of {lines}");
            group.throughput(Throughput::Bytes(log.len() as u64));
            group.bench_function(BenchmarkId::new(format!("{rules} rules"), name), |b| {
                b.iter(|| scan_all(&scanner, black_box(&log), &mut scanned));
            });
        }
    }
    group.finish();
}

fn engine(ruleset: Ruleset) -> Engine {
    let (name, max_age) = (SourceName::new("bench"), Duration::MAX);
    let timing = Timing { name: name.clone(), tz: TimeZone::UTC, max_age, year: Some(2026) };
    let start = Timestamp::from_secs(0);
    let mut engine =
        Engine::new(Arc::new(ruleset), "bench".into(), vec![timing], &mut Saved::default(), start);
    engine.opened(FileId(1), &name, std::path::Path::new("bench.log").into());
    engine.phase(FileId(1), Phase::Behind, start);
    engine
}

/// From bytes to transitions and rows: what a backlog goes through, but for the disk.
fn whole(scanner: &Scanner, engine: &mut Engine, log: &[u8], scanned: &mut Scanned) -> Vec<Change> {
    let (mut at, mut changes) = (0, Vec::new());
    let arrival = Arrival { at: None, modified: Timestamp::from_secs(4_000_000_000), skew_us: 0 };
    while at < log.len() {
        let end = log.len().min(at + BLOCK);
        let (file, bytes) = (FileId(1), &log[at..end]);
        scanner.scan(Block { file, offset: at as u64, bytes, skipping: false, tail: Tail::Wait }, scanned);
        let matches = scanned.matches(bytes);
        engine.read(Read { file, matches, stamp: scanned.stamp, arrival }, Timestamp::from_secs(0));
        at += scanned.consumed;
        engine.take();
        changes.extend(engine.take_changes());
    }
    changes
}

fn pipeline(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan and engine");
    let mut scanned = Scanned::default();
    for rules in [10, 100] {
        let scanner = scanner(rules);
        for (name, share) in SHARES {
            let log = corpus::log(1, LOG, share, rules);
            group.throughput(Throughput::Bytes(log.len() as u64));
            group.bench_function(BenchmarkId::new(format!("{rules} rules"), name), |b| {
                b.iter_batched_ref(
                    || engine(ruleset(rules)),
                    |engine| whole(&scanner, engine, black_box(&log), &mut scanned),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

/// One commit of what a block with many matches changed. In memory: how much a disk adds is the disk's affair.
fn commit(c: &mut Criterion) {
    let mut group = c.benchmark_group("store");
    let scanner = scanner(10);
    let log = corpus::log(1, BLOCK, 0.2, 10);
    let changes = whole(&scanner, &mut engine(ruleset(10)), &log, &mut Scanned::default());
    group.throughput(Throughput::Elements(changes.len() as u64));
    let mut store = store::in_memory().expect("a store in memory");
    group.bench_function("commit one block", |b| {
        b.iter(|| {
            let mut batch = Batch::default();
            for change in &changes {
                match change {
                    Change::Key(row) => batch.put_key(row),
                    Change::Chunk(rule, hash, number, entries) => {
                        batch.put_chunk(rule, *hash, *number, entries);
                    }
                    Change::Clock(row) => batch.put_clock(row),
                    Change::KeyGone(..) | Change::ChunkGone(..) | Change::ClockGone(..) => {}
                    Change::Silence(..) | Change::SilenceGone(..) => {}
                }
            }
            store.commit(&batch).expect("a commit in memory");
        });
    });
    group.finish();
}

/// What one more match in a full window costs until its rows are there: as much as in an empty one.
fn windows(c: &mut Criterion) {
    let mut group = c.benchmark_group("window");
    let text = "name = 'big'\nsource = 'bench'\nmatch = 'fail'\nwithin = '1000d'\nwarning = '>= 1000000'";
    let ruleset = || rules_of(format!("[[rule]]\n{text}\n"));
    let scanner = Scanner::new(&ruleset(), |_| true, 64 * 1024);
    let mut scanned = Scanned::default();
    for entries in [100, 10_000, 1_000_000u32] {
        let mut engine = engine(ruleset());
        // Each line at a time of its own.
        let line = |n: u32| {
            format!(
                "2026-01-{:02}T00:{:02}:{:02}.{:06}Z fail\n",
                1 + n / 36_000_000,
                n / 600_000 % 60,
                n / 10_000 % 60,
                n % 10_000
            )
        };
        let log: String = (0..entries).map(line).collect();
        drop(whole(&scanner, &mut engine, log.as_bytes(), &mut scanned));
        let mut n = entries;
        group.bench_function(BenchmarkId::new("one more of", entries), |b| {
            b.iter(|| {
                n += 1;
                black_box(whole(&scanner, &mut engine, line(n).as_bytes(), &mut scanned))
            });
        });
    }
    group.finish();
}

fn stamps(c: &mut Criterion) {
    let mut group = c.benchmark_group("stamp");
    for (name, line) in [
        ("syslog", "Dec 10 06:55:46 node-7 sshd[24200]: Failed password for root from 10.0.0.1 port 22 ssh2"),
        ("iso", "2026-01-02T15:04:05.123456+08:00 node-7 sshd[24200]: Failed password for root"),
        ("access", "10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] \"GET /index.html HTTP/1.1\" 200 5316"),
        ("json", r#"{"level":"info","msg":"done","ts":1700000000.123,"took":"3ms"}"#),
        ("none", "    at org.example.service.Worker.run(Worker.java:748) ~[worker-1.2.3.jar:1.2.3]"),
    ] {
        group.bench_function(name, |b| b.iter(|| stamp::find(black_box(line.as_bytes()))));
    }
    group.finish();
}

/// What a load costs: compiling, and trying the patterns that may have to be refused.
fn load(c: &mut Criterion) {
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for rules in [100, 1000] {
        let text = Text { path: PathBuf::from("bench.toml"), text: rule_text(rules) };
        group.bench_function(BenchmarkId::new("rules", rules), |b| {
            b.iter(|| {
                let stopwatch = Box::new(|work: &mut dyn FnMut()| {
                    work();
                    Duration::ZERO
                });
                let mut probe = Probe::suspects(stopwatch);
                config::ruleset_probed(
                    std::slice::from_ref(&text),
                    config::Sources::Any(&[tripline::model::Format::Plain]),
                    &config::csv::Files::new(),
                    &[],
                    &TimeZone::UTC,
                    &mut probe,
                )
            });
        });
    }
    group.finish();
}

/// Not of criterion: refused patterns take what they take, and each is measured as a load does.
fn evil_patterns(_: &mut Criterion) {
    if std::env::args().any(|arg| arg == "evil") {
        cost::table();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = scan, pipeline, windows, commit, stamps, load, evil_patterns
}
criterion_main!(benches);
