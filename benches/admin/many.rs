//! What `/metrics` holds, how soon it answers and what the program takes, with few keys and one file, and with a million keys
//! and ten thousand files.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::quantile::quantile;
use crate::rest;
use crate::watch::{Watch, sum};

const KEYS: u32 = 1_000_000;
const FILES: u32 = 10_000;
const DIRS: u32 = 100;
/// How often is asked.
const ASKED: usize = 50;

const CONFIG: &str = "state_dir = 'state'\nrules = ['r.toml']\n[admin]\nlisten = '127.0.0.1:0'\n\
                      [[source]]\nname = 's'\nfiles = ['*/*.log']\n[[sink]]\nname = 'out'\ntype = 'stdout'\n";
const RULE: &str = "[[rule]]\nname = 'often'\nsource = 's'\nmatch = 'user (?<user>\\d+) failed'\nby = ['user']\n\
                    max_keys = 1000000\nwithin = '1h'\nwarning = '>= 5'\nsummary = '{user}'\n";

pub(crate) fn print() {
    println!(
        "/metrics: series, bytes, ms to the answer (p50, longest of {ASKED}), longest of /healthz, MiB resident"
    );
    of(1, 1);
    of(KEYS, FILES);
}

fn of(keys: u32, files: u32) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("tripline.toml"), CONFIG).expect("room for a configuration");
    std::fs::write(at("r.toml"), RULE).expect("room for a rule");
    let name = |file: u32| at(&format!("app-{}", file % DIRS)).join(format!("service-{file}.log"));
    for file in 0..files {
        std::fs::create_dir_all(name(file).parent().expect("a directory")).expect("a directory can be made");
        std::fs::write(name(file), "").expect("a file can be made");
    }
    let program = Watch::start(&at("tripline.toml"), Stdio::null());
    wait(&program, "tripline_source_files{", files);
    for file in 0..files {
        let mut lines = String::new();
        for key in (file..keys).step_by(files as usize) {
            writeln!(lines, "web-1 app: user {key} failed to log in").expect("a text takes all");
        }
        std::fs::write(name(file), lines).expect("room for lines");
    }
    wait(&program, "tripline_rule_keys{rule=\"often\"}", keys);
    let (mut took, mut health, mut text) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..ASKED {
        let begin = Instant::now();
        text = program.metrics();
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        let begin = Instant::now();
        program.get("/healthz");
        health.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    health.sort_by(f64::total_cmp);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    println!(
        "  {keys:>7} keys, {files:>5} files {:>5} {:>7} {:>8.2} {:>8.2} {:>8.2} {:>6}",
        body.lines().filter(|line| !line.starts_with('#')).count(),
        body.len(),
        quantile(&took, 0.5),
        quantile(&took, 1.0),
        quantile(&health, 1.0),
        program.resident() >> 20
    );
}

/// Waits until a number is reached.
fn wait(program: &Watch, series: &str, wanted: u32) {
    let until = Instant::now() + Duration::from_secs(600);
    loop {
        let seen = sum(&program.metrics(), series);
        if seen == u64::from(wanted) {
            return;
        }
        assert!(Instant::now() < until, "{series} is {seen}");
        rest(Duration::from_millis(100));
    }
}
