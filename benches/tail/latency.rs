//! From the write of a line to its alert on stdout: found, matched, decided, committed, sent and read. With the state in
//! memory nothing is written before it is told, so that is how soon it is matched; on disk each alert is durable first.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Hints, Program, can_refuse, wait_until};
use crate::quantile::quantile;

/// How lines come: their number, the time between two, and every how many of them is matched.
const LOADS: [(&str, u32, Duration, u32); 3] = [
    ("a line every 2 s", 40, Duration::from_millis(2000), 1),
    ("a line every 500 ms", 100, Duration::from_millis(500), 1),
    ("2 000 lines/s", 40_000, Duration::from_micros(500), 20),
];

/// The file that lines are written to.
const FILE: &str = "a.log";

pub(crate) fn print() {
    println!("from the write of a line to its alert on stdout, in ms: p50, p99, longest, of so many");
    for (name, lines, every, matched) in LOADS {
        show(name, "in memory", of(lines, every, matched, |dir| Program::follow_alone(dir, FILE)));
    }
    for (name, lines, every, matched) in LOADS {
        show(name, "hints", of(lines, every, matched, |dir| Program::follow(dir, FILE, Hints::Given)));
    }
    if can_refuse() {
        for (name, lines, every, matched) in LOADS {
            show(
                name,
                "polling",
                of(lines, every, matched, |dir| Program::follow(dir, FILE, Hints::Refused)),
            );
        }
    } else {
        println!("  polling: left out, `unshare -Ur` does not work here");
    }
}

fn show(load: &str, way: &str, mut seen: Vec<f64>) {
    seen.sort_by(f64::total_cmp);
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| quantile(&seen, share));
    println!("  {way:<9} {load:<20} {half:>8.2} {most:>8.2} {all:>8.2}  {:>5}", seen.len());
}

fn of(lines: u32, every: Duration, matched: u32, follow: impl Fn(&TempDir) -> Program) -> Vec<f64> {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let path = dir.path().join(FILE);
    let mut file = std::fs::File::create(&path).expect("a file can be made");
    let mut program = follow(&dir);
    let told = program.told();
    let (seen, all) = channel();
    std::thread::spawn(move || {
        for line in told.lines().map_while(Result::ok) {
            let Some(rest) = line.split("\"summary\":\"").nth(1) else { continue };
            let number = rest.split('"').next().and_then(|number| number.parse::<u32>().ok());
            if seen.send((number.expect("the number of a line"), Instant::now())).is_err() {
                return;
            }
        }
    });
    #[expect(clippy::disallowed_methods, reason = "by then the program has seen the file, which is quiet")]
    std::thread::sleep(Duration::from_secs(2));
    let mut written = Vec::new();
    let begin = Instant::now();
    for number in 0..lines {
        // By a little more and less than the pace, so that no two clocks run together.
        wait_until(begin + every * number + every / 10 * (number * 7 % 10) / 10);
        let kind = if number % matched == 0 { "disk" } else { "fan" };
        let line = format!("web-1 kernel: {kind} {number} bad, this line is as long as lines of a log are\n");
        written.push(Instant::now());
        file.write_all(line.as_bytes()).expect("the file can be written");
    }
    let wanted = lines.div_ceil(matched);
    (0..wanted)
        .map(|_| {
            let (number, at) = all.recv_timeout(Duration::from_secs(30)).expect("every line is told");
            at.duration_since(written[number as usize]).as_secs_f64() * 1000.0
        })
        .collect()
}
