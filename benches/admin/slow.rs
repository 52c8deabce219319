//! How soon a line is told, and how soon `/healthz` answers, while ten thousand connections ask slowly.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::quantile::quantile;
use crate::rest;
use crate::watch::Watch;

const CONNECTIONS: u32 = 10_000;
/// In which they are opened.
const SPAN: Duration = Duration::from_secs(30);
const LINES: u32 = 60_000;
const EVERY: Duration = Duration::from_micros(500);
/// Every how many lines an alert is raised.
const MATCHED: u32 = 20;
const PAIRS: usize = 3;
/// Between two questions.
const PROBE: Duration = Duration::from_millis(100);

const CONFIG: &str = "state_dir = 'state'\nrules = ['r.toml']\n[admin]\nlisten = '127.0.0.1:0'\n\
                      [[source]]\nname = 's'\nfiles = ['a.log']\n[[sink]]\nname = 'out'\ntype = 'stdout'\n";
const RULE: &str = "[[rule]]\nname = 'disk'\nsource = 's'\nmatch = 'disk (?<dev>\\d+) bad'\nby = ['dev']\n\
                    max_keys = 1000000\nseverity = 'warning'\nmax_raises = 'never'\nflap = 'never'\nsummary = '{dev}'\n";

/// What was seen in one run, in ms.
struct Seen {
    /// From the write of a line to its alert.
    told: Vec<f64>,
    /// From the question to the answer.
    health: Vec<f64>,
    /// Connections that were opened beside it.
    opened: usize,
}

pub(crate) fn print() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).expect("what is granted may be used");
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if granted < u64::from(CONNECTIONS) + 100 {
        println!("slow: left out, {granted} descriptors are too few for {CONNECTIONS} connections");
        return;
    }
    println!(
        "{CONNECTIONS} connections in {} s that ask a byte at a time, beside {} lines/s; in ms: p50, p99, longest, of so many",
        SPAN.as_secs(),
        1.0 / EVERY.as_secs_f64()
    );
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        without.push(run(false));
        with.push(run(true));
    }
    let p99 = |runs: &[Seen]| {
        let mut each: Vec<f64> = runs.iter().map(|seen| quantile(&seen.told, 0.99)).collect();
        each.sort_by(f64::total_cmp);
        quantile(&each, 0.5)
    };
    for (name, runs) in [("without", &without), ("with", &with)] {
        for seen in runs {
            show(name, "told", &seen.told);
            show(name, "/healthz", &seen.health);
        }
        let fewest = runs.iter().map(|seen| seen.opened).min().unwrap_or_default();
        println!("  {name:<8} {fewest} connections, or more");
    }
    let ratio = p99(&with) / p99(&without);
    println!("  p99 of what is told, the median of the runs with them beside that without: {ratio:.2}");
}

fn show(name: &str, what: &str, seen: &[f64]) {
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(seen, share));
    println!("  {name:<8} {what:<9} {half:>8.2} {most:>8.2} {all:>8.2}  {:>5}", seen.len());
}

fn run(crowded: bool) -> Seen {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("tripline.toml"), CONFIG).expect("room for a configuration");
    std::fs::write(at("r.toml"), RULE).expect("room for a rule");
    let mut file = File::create(at("a.log")).expect("a file can be made");
    let (told, out) = std::io::pipe().expect("a pipe can be made");
    let program = Watch::start(&at("tripline.toml"), Stdio::from(out));
    let (seen, all) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(told).lines().map_while(Result::ok) {
            let Some(rest) = line.split("\"summary\":\"").nth(1) else { continue };
            let number = rest.split('"').next().and_then(|number| number.parse::<u32>().ok());
            if number.is_some_and(|number| seen.send((number, Instant::now())).is_err()) {
                return;
            }
        }
    });
    // By then the program has seen the file, which is quiet.
    rest(Duration::from_secs(2));
    let over = AtomicBool::new(false);
    let begin = Instant::now();
    let (written, health, opened) = std::thread::scope(|scope| {
        let (over, program) = (&over, &program);
        let probe = scope.spawn(move || {
            let mut health = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = program.get("/healthz");
                assert!(answer.ends_with("ok\n"), "{answer}");
                health.push(asked.elapsed().as_secs_f64() * 1000.0);
                rest(PROBE.saturating_sub(asked.elapsed()));
            }
            health
        });
        let crowd = crowded.then(|| scope.spawn(move || crowd(program.admin(), begin, over)));
        let mut written = Vec::new();
        for number in 0..LINES {
            rest((begin + EVERY * number).saturating_duration_since(Instant::now()));
            let kind = if number % MATCHED == 0 { "disk" } else { "fan" };
            let line =
                format!("web-1 kernel: {kind} {number} bad, this line is as long as lines of a log are\n");
            written.push(Instant::now());
            file.write_all(line.as_bytes()).expect("the file can be written");
        }
        over.store(true, Ordering::Relaxed);
        let opened = crowd.map_or(0, |crowd| crowd.join().expect("it listens to all of them"));
        (written, probe.join().expect("it was answered each time"), opened)
    });
    let told = (0..LINES.div_ceil(MATCHED)).map(|_| {
        let (number, at) = all.recv_timeout(Duration::from_secs(30)).expect("every line is told");
        at.duration_since(written[number as usize]).as_secs_f64() * 1000.0
    });
    let mut seen = Seen { told: told.collect(), health, opened };
    seen.told.sort_by(f64::total_cmp);
    seen.health.sort_by(f64::total_cmp);
    seen
}

/// Opens connections at a pace, and sends a byte of a head that never ends over each of them in turn. How many were opened.
fn crowd(address: &str, begin: Instant, over: &AtomicBool) -> usize {
    let mut peers: Vec<TcpStream> = Vec::new();
    let mut turn = 0;
    while !over.load(Ordering::Relaxed) {
        if peers.len() < CONNECTIONS as usize {
            let due = begin + SPAN * u32::try_from(peers.len()).expect("some thousands") / CONNECTIONS;
            rest(due.saturating_duration_since(Instant::now()));
            let mut peer = TcpStream::connect(address).expect("it listens");
            // It may have been let go of already.
            let _ = peer.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ");
            peers.push(peer);
        } else {
            rest(Duration::from_millis(1));
        }
        turn = (turn + 1) % peers.len();
        // Those who were let go of are told so here.
        let _ = peers[turn].write_all(b"x");
    }
    peers.len()
}
