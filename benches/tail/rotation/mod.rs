//! Whether every line is told while a thousand files are renamed, cut and deleted: `rotation 120 1000` for so many seconds,
//! files, and, if it is said, a seed.
//!
//! A third of the files is rotated by renaming, a third by `copytruncate`, a third is deleted and made anew, each at random
//! times. Of half of them the rotated names fit the globs too. Each line has a key of its own: it is told as a warning,
//! and as critical if it counts twice.

mod logs;
mod tally;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::logs::{Kind, Log};
use self::tally::{Tally, Told};
use crate::program::wait_until;
use crate::watch::{Watch, sum};

/// Whether the rotated names fit the globs too.
const WIDE: [bool; 2] = [false, true];
/// Nothing more is waited for once nothing has come for so long.
const SILENCE: Duration = Duration::from_secs(15);
/// Lines of a source of which more is said, if they are lost or told twice.
const EXAMPLES: usize = 10;

pub(crate) fn run(args: &[String]) {
    let number = |at: usize, otherwise: u64| {
        args.get(at).map_or(otherwise, |arg| arg.parse().expect("a number: seconds, files, seed"))
    };
    let (seconds, files, seed) = (number(0, 120), number(1, 1000), number(2, 1));
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("tripline.toml");
    fs::write(&config, configuration()).expect("room for a configuration");
    fs::create_dir(dir.path().join("rules")).expect("room for rules");
    fs::write(dir.path().join("rules/lines.toml"), rules()).expect("room for rules");
    for (kind, wide) in all() {
        fs::create_dir(dir.path().join(source(kind, wide))).expect("room for logs");
    }
    let told = dir.path().join("told");
    let watch = Watch::start(&config, File::create(&told).expect("room for what is told").into());
    // What it finds at its first look it would begin at its end.
    wait_until(Instant::now() + Duration::from_secs(2));
    let before = load();
    let begin = Instant::now();
    let until = begin + Duration::from_secs(seconds);
    let writers = Kind::ALL.map(|kind| {
        let of = (0..files as usize).filter(|number| Kind::ALL[number % Kind::ALL.len()] == kind);
        let name = |number: usize| {
            (number, dir.path().join(source(kind, is_wide(number))).join(format!("{number}.log")))
        };
        let paths: Vec<(usize, PathBuf)> = of.map(name).collect();
        std::thread::spawn(move || logs::write(kind, paths, seed * 3 + kind as u64, until))
    });
    let logs = writers.map(|writer| writer.join().expect("it wrote"));
    let took = begin.elapsed();
    let lines: usize = logs.iter().flatten().map(|log| log.lines.len()).sum();
    let metrics = settled(&watch, lines as u64);
    let contents: usize = logs.iter().flatten().map(|log| log.contents.len()).sum();
    println!(
        "{:.0} s, {files} files, seed {seed}: {lines} lines in {contents} contents; load {before} before, {} after",
        took.as_secs_f64(),
        load()
    );
    println!("tripline took {:.1} s of CPU", watch.cpu());
    drop(watch);
    let told = Told::read(&fs::read_to_string(&told).expect("it was made here"));
    let tallies: Vec<Tally> = all()
        .map(|(kind, wide)| {
            let logs: Vec<&Log> =
                logs[kind as usize].iter().filter(|log| is_wide(log.number) == wide).collect();
            Tally::new(kind, source(kind, wide), &logs, &told, &metrics)
        })
        .collect();
    println!("  source              contents     lines      told    lost   twice  shortest life");
    tallies.iter().for_each(Tally::print_lines);
    println!(
        "  bytes: shown by a stat right before the cut or the end; lost; of those, in lost_bytes, and unknown; contents that"
    );
    println!(
        "  lost some; cuts of what was not empty, and cuts counted; files counted as not found; lost_bytes by reason"
    );
    tallies.iter().for_each(Tally::print_bytes);
    for tally in &tallies {
        for examples in [&tally.of_lost, &tally.of_twice] {
            examples.iter().take(EXAMPLES).for_each(|example| println!("  {example}"));
        }
    }
    let broken: Vec<String> = tallies.iter().flat_map(Tally::broken).collect();
    assert!(broken.is_empty(), "not kept: {broken:#?}");
}

fn is_wide(number: usize) -> bool {
    number / Kind::ALL.len() % 2 == 1
}

fn all() -> impl Iterator<Item = (Kind, bool)> {
    Kind::ALL.into_iter().flat_map(|kind| WIDE.map(|wide| (kind, wide)))
}

fn source(kind: Kind, wide: bool) -> String {
    format!("{}{}", kind.as_str(), if wide { "-all" } else { "" })
}

fn configuration() -> String {
    let mut text =
        "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[sink]]\nname = 'out'\ntype = 'stdout'\n"
            .to_owned();
    for (kind, wide) in all() {
        let (name, end) = (source(kind, wide), if wide { "*" } else { "" });
        let _ = writeln!(text, "[[source]]\nname = '{name}'\nfiles = ['{name}/*.log{end}']");
    }
    text
}

fn rules() -> String {
    let rule = |kind: Kind| {
        let kind = kind.as_str();
        format!(
            "[[rule]]\nname = '{kind}'\nsource = ['{kind}', '{kind}-all']\nmatch = '^{kind} (?<log>\\d+) (?<line>\\d+) x* end$'\n\
             by = ['log', 'line']\nmax_keys = 1000000\nwithin = '1h'\nwarning = '>= 1'\ncritical = '>= 2'\n\
             max_raises = 'never'\nflap = 'never'\nsummary = '{{log}} {{line}}'\n"
        )
    };
    Kind::ALL.map(rule).concat()
}

/// What `/metrics` says once all lines are told, or nothing more comes.
fn settled(watch: &Watch, lines: u64) -> String {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let metrics = watch.metrics();
        let owed = sum(&metrics, "tripline_outbox_deliveries{");
        let matches =
            |kind: Kind| sum(&metrics, &format!("tripline_rule_matches_total{{rule=\"{}\"}}", kind.as_str()));
        let now: u64 = Kind::ALL.into_iter().map(matches).sum();
        if now != last || owed > 0 {
            (last, since) = (now, Instant::now());
        }
        // What is told twice comes after all are told once.
        if since.elapsed() > SILENCE {
            println!("{now} of {lines} lines counted in the end");
            return metrics;
        }
        wait_until(Instant::now() + Duration::from_millis(200));
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").expect("Linux tells");
    text.split(' ').next().unwrap_or_default().to_owned()
}
