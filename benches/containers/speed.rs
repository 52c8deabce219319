//! A log in envelopes beside the same lines without.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::corpus::{Log, patterns};
use crate::watch::ticks;

const RULES: usize = 100;
/// One line in a thousand leads to something.
const SHARE: f64 = 0.001;
const ROUNDS: usize = 7;
/// Bytes in one piece, as containerd and Docker cut them.
const PIECE: usize = 16 * 1024;

/// One in so many lines is longer than a piece; 0: none is.
const LONG: [usize; 2] = [0, 5_000];

/// Runs logs of so many MiB without their envelopes.
pub(crate) fn run(mib: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let rules = dir.path().join("rules.toml");
    let mut text = String::new();
    for (number, pattern) in patterns(RULES).iter().enumerate() {
        let _ = writeln!(
            text,
            "[[rule]]\nname = 'rule_{number}'\nsource = 'a'\nmatch = {pattern:?}\nwithin = '1m'\nwarning = '>= 1000000'\n"
        );
    }
    std::fs::write(&rules, text).expect("room for rules");
    for long in LONG {
        let name = if long == 0 {
            "no line is in pieces".to_owned()
        } else {
            format!("one line in {long} is in pieces")
        };
        println!("{mib} MiB of lines, {RULES} rules, {SHARE} of the lines fit one; {name}");
        let logs = ["plain", "cri", "docker"].map(|envelope| {
            let path = dir.path().join(format!("{envelope}-{long}.log"));
            fill(&path, envelope, mib << 20, long);
            (envelope, path)
        });
        let mut took: Vec<Vec<f64>> = vec![Vec::new(); logs.len()];
        println!("CPU seconds, by turns:");
        for _ in 0..ROUNDS {
            let mut row = String::new();
            for ((envelope, path), took) in logs.iter().zip(&mut took) {
                let cpu = replay(&rules, path);
                took.push(cpu);
                let _ = write!(row, "  {envelope} {cpu:.2}");
            }
            println!("{row}");
        }
        let middle = |took: &[f64]| {
            let mut sorted = took.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted[sorted.len() / 2]
        };
        let plain = middle(&took[0]);
        for ((envelope, path), took) in logs.iter().zip(&took) {
            let bytes = std::fs::metadata(path).expect("it was written").len() as f64;
            let each = middle(took);
            println!(
                "  {envelope:<7} median {each:.2} s  {:.2} of plain  {:.0} MB of file per CPU second",
                each / plain,
                bytes / 1e6 / each
            );
            std::fs::remove_file(path).expect("it was written");
        }
    }
}

/// Seconds of CPU of one run.
fn replay(rules: &Path, log: &Path) -> f64 {
    let before = cpu_of_ended();
    let status = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["replay", "--no-progress", "--rules"])
        .arg(rules)
        .arg(log)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("it can be started");
    assert!(status.success(), "{status}");
    cpu_of_ended() - before
}

/// Seconds of CPU that programs took which were started here and are over.
fn cpu_of_ended() -> f64 {
    ticks("/proc/self/stat", 15..17)
}

/// Writes the same lines in whatever envelope, until their own bytes are so many.
fn fill(path: &Path, envelope: &str, bytes: usize, long: usize) {
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path).expect("room for a log"));
    let mut log = Log::new(1, SHARE, RULES);
    let (mut line, mut wrapped) = (Vec::new(), Vec::new());
    let (mut written, mut number) = (0, 0usize);
    while written < bytes {
        line.clear();
        log.line(&mut line);
        line.truncate(line.len() - usize::from(line.ends_with(b"\n")));
        number += 1;
        if long > 0 && number.is_multiple_of(long) {
            while line.len() < 2 * PIECE + PIECE / 2 {
                line.extend_from_slice(b" and so on");
            }
        }
        written += line.len() + 1;
        wrapped.clear();
        wrap(envelope, number, &line, &mut wrapped);
        out.write_all(&wrapped).expect("room for a log");
    }
    out.flush().expect("room for a log");
}

/// Appends a line as a runtime writes it. One in twenty is of stderr.
fn wrap(envelope: &str, number: usize, line: &[u8], out: &mut Vec<u8>) {
    let stream = if number.is_multiple_of(20) { "stderr" } else { "stdout" };
    let (second, rest) = (number / 1000 % 86_400, number % 1000 * 1_000_000 + number % 999_983);
    let time =
        format!("2026-01-02T{:02}:{:02}:{:02}.{rest:09}Z", second / 3600, second / 60 % 60, second % 60);
    match envelope {
        "plain" => {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        "cri" => {
            let last = line.chunks(PIECE).count().max(1) - 1;
            for (at, piece) in line.chunks(PIECE).enumerate() {
                let tag = if at == last { "F" } else { "P" };
                let _ = write!(out, "{time} {stream} {tag} ");
                out.extend_from_slice(piece);
                out.push(b'\n');
            }
        }
        _ => {
            let last = line.chunks(PIECE).count().max(1) - 1;
            for (at, piece) in line.chunks(PIECE).enumerate() {
                let end = if at == last { "\n" } else { "" };
                let text = format!("{}{end}", String::from_utf8_lossy(piece));
                let text = serde_json::to_string(&text).expect("a text is JSON");
                let _ = writeln!(out, r#"{{"log":{text},"stream":"{stream}","time":"{time}"}}"#);
            }
        }
    }
}
