//! What whoever writes a log pays for being watched: CPU time of a process that does nothing else, with the program
//! beside it and without, in turns.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::program::{Hints, Program, wait_until};
use crate::quantile::quantile;

const PAIRS: usize = 5;
/// How lines come: the time between two in µs, and their number.
const LOADS: [(&str, u64, u32); 2] = [("a line every 500 ms", 500_000, 60), ("2 000 lines/s", 500, 16_000)];

pub(crate) fn print() {
    println!(
        "CPU time of the writer for a line, in µs, medians of {PAIRS}: alone, watched, and what is more"
    );
    for (name, every, lines) in LOADS {
        let (mut alone, mut watched) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            alone.push(run(every, lines, false));
            watched.push(run(every, lines, true));
        }
        let raw = format!("alone {alone:.2?} watched {watched:.2?}");
        for runs in [&mut alone, &mut watched] {
            runs.sort_by(f64::total_cmp);
        }
        let (alone, watched) = (quantile(&alone, 0.5), quantile(&watched, 0.5));
        let more = (watched / alone - 1.0) * 100.0;
        println!("  {name:<20} {alone:>8.2} {watched:>8.2} {more:>+6.1} %   {raw}");
    }
}

fn run(every: u64, lines: u32, watched: bool) -> f64 {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let path = dir.path().join("a.log");
    std::fs::write(&path, "").expect("a file can be made");
    let program = watched.then(|| Program::follow(&dir, "a.log", Hints::Given));
    #[expect(clippy::disallowed_methods, reason = "by then the program has seen the file, which is quiet")]
    std::thread::sleep(Duration::from_secs(2));
    let me = std::env::current_exe().expect("this has a name");
    let (path, every, lines) = (path.to_string_lossy(), every.to_string(), lines.to_string());
    let output = Command::new(me).args(["write", &path, &every, &lines]).output().expect("it can be started");
    drop(program);
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().unwrap_or_else(|_| panic!("a figure, not `{said}`"))
}

/// Writes lines to a file, and says what CPU time each has cost.
pub(crate) fn write(args: &[String]) {
    let [path, every, lines] = args else { panic!("path, µs, lines") };
    let (every, lines): (u64, u32) = (every.parse().expect("a number"), lines.parse().expect("a number"));
    let every = Duration::from_micros(every);
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let mut file = file.expect("the file is there");
    let line = format!("web-1 app: fan is fine, {}\n", "x".repeat(90));
    let (begin, cpu) = (Instant::now(), worked());
    for number in 0..lines {
        wait_until(begin + every * number);
        file.write_all(line.as_bytes()).expect("the file can be written");
    }
    println!("{:.3}", (worked() - cpu) / f64::from(lines) * 1e6);
}

fn worked() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
