//! What a sidecar is: bytes of its binary, memory while it is idle with one file and one pack, time from its start to what it
//! tells of the first line, bytes of the page and how soon a browser paints it with a thousand open alerts.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::browser::{Browser, PROGRAMS};
use crate::quantile::quantile;
use crate::rest;
use crate::watch::{Watch, sum};

/// Starts that are timed.
const STARTS: usize = 41;
/// Page loads that are timed, each in a browser of its own.
const LOADS: usize = 9;
const ALERTS: u32 = 1000;

/// All that it is made of, also views that are fetched when they are opened.
const PAGE: [&str; 6] = ["/", "/app.js", "/playground.js", "/timeline.js", "/style.css", "/favicon.svg"];

const CONFIG: &str = "state_dir = 'state'\nrules = ['RULES']\n[admin]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'auth'\n\
                      files = ['app.log']\nstart = 'beginning'\n[[sink]]\nname = 'out'\n";
const WEBHOOK: &str = "type = 'webhook'\nurl = 'http://127.0.0.1:9/'\nbody = { text = '{summary}' }\n";
const STDOUT: &str = "type = 'stdout'\n";
const RULE: &str = "[[rule]]\nname = 'disk'\nsource = 'auth'\nmatch = 'disk (?<dev>\\S+) bad'\nby = ['dev']\nmax_keys = 10000\n\
                    resolve = 'good'\nmax_raises = 'never'\nseverity = 'critical'\nsummary = 'disk {dev} is bad'\n";

/// Of a binary that was built elsewhere, or of this build.
pub(crate) fn print(binary: Option<&str>) {
    let binary = PathBuf::from(binary.unwrap_or(env!("CARGO_BIN_EXE_tripline")));
    let bytes = std::fs::metadata(&binary).expect("the binary is there").len();
    println!("{}: {bytes} bytes, {:.2} MiB", binary.display(), bytes as f64 / f64::from(1 << 20));
    memory(&binary);
    start(&binary);
    page(&binary);
}

/// A configuration in a directory of its own, over a log that holds `lines`.
fn place(rules: &str, sink: &str, lines: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(dir.path().join("r.toml"), RULE).expect("room for a rule");
    std::fs::write(dir.path().join("app.log"), lines).expect("room for lines");
    let config = dir.path().join("tripline.toml");
    std::fs::write(&config, CONFIG.replace("RULES", rules) + sink).expect("room for a configuration");
    (dir, config)
}

fn memory(binary: &Path) {
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/sshd.toml");
    for (what, rules) in [("one rule", "r.toml"), ("the pack of sshd", pack)] {
        let (_dir, config) = place(rules, WEBHOOK, "");
        let program = Watch::start_of(binary, &config, Stdio::null());
        rest(Duration::from_secs(10));
        let kib = |name: &str| program.status(name);
        println!(
            "idle with one file and {what}: {} KiB resident, {} of it anonymous: {:.2} MiB",
            kib("VmRSS:"),
            kib("RssAnon:"),
            kib("VmRSS:") as f64 / 1024.0
        );
    }
}

/// From the start of a process to the alert on its stdout, over a log that holds the line.
fn start(binary: &Path) {
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let (_dir, config) = place("r.toml", STDOUT, "disk sda bad\n");
        let begin = Instant::now();
        let mut program = Command::new(binary)
            .args(["run", "--config"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be started");
        let mut line = String::new();
        let stdout = program.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("stdout is text");
        took.push(begin.elapsed().as_secs_f64() * 1000.0);
        assert!(line.contains("disk sda is bad"), "{line}");
        let _ = program.kill();
        let _ = program.wait();
    }
    took.sort_by(f64::total_cmp);
    println!(
        "from the start to the first alert: p50 {:.1} ms, p90 {:.1}, longest of {STARTS} {:.1}",
        quantile(&took, 0.5),
        quantile(&took, 0.9),
        quantile(&took, 1.0)
    );
}

fn page(binary: &Path) {
    let lines: String = (0..ALERTS).map(|disk| format!("disk sd{disk} bad\n")).collect();
    let (_dir, config) = place("r.toml", WEBHOOK, &lines);
    let program = Watch::start_of(binary, &config, Stdio::null());
    while sum(&program.metrics(), "tripline_alerts{rule=\"disk\"") < u64::from(ALERTS) {
        rest(Duration::from_millis(50));
    }
    let body = |path: &&str| {
        let answer = program.get(path);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        answer.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len())
    };
    let bytes: usize = PAGE.iter().map(body).sum();
    println!("the page: {bytes} bytes in {} files, {:.1} KiB", PAGE.len(), bytes as f64 / 1024.0);
    if PROGRAMS.iter().any(|program| Command::new(program).arg("--version").output().is_err()) {
        println!("no browser is installed: when it paints is NOT MEASURED");
        return;
    }
    let mut took: [Vec<f64>; 4] = Default::default();
    for _ in 0..LOADS {
        let browser = Browser::open(&format!("http://{}/", program.admin()), 1280, 900);
        let until = Instant::now() + Duration::from_secs(60);
        let wait = |script: &str| loop {
            if let Some(number) = browser.script(script).as_f64() {
                break number;
            }
            assert!(Instant::now() < until, "it never came: {:?}", browser.complaints());
        };
        for again in [0, 2] {
            if again > 0 {
                browser.script("window.old = true; location.reload()");
            }
            let shown = "return !window.old && /disk sd\\d+ is bad/.test(document.body.innerText) ? performance.now() : null";
            took[again + 1].push(wait(shown));
            took[again].push(wait(
                "return performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null",
            ));
        }
    }
    let what = ["first paint", "alerts there, at most", "again: first paint", "again: alerts there, at most"];
    for (what, took) in what.iter().zip(&mut took) {
        took.sort_by(f64::total_cmp);
        println!(
            "a browser just started, {ALERTS} open alerts, {what}: p50 {:.0} ms, longest of {LOADS} {:.0}",
            quantile(took, 0.5),
            quantile(took, 1.0)
        );
    }
}
