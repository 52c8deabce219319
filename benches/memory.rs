//! What a key costs in memory: `cargo bench --bench memory`.
//!
//! Each shape runs in a process of its own over many keys, and what the process grew by is divided by their number:
//! resident memory from `/proc/self/statm`, in pages, so tens of thousands of keys are wanted.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::engine::{Arrival, Engine, Phase, Read, Timing};
use tripline::model::{FileId, SourceName, Timestamp};
use tripline::saved::Saved;
use tripline::scan::{Block, Scanned, Scanner, Tail};

const KEYS: usize = 50_000;
const FILE: FileId = FileId(1);

/// A name, what the rule says besides, and lines for each key.
const SHAPES: [(&str, &str, usize); 8] = [
    ("counted once, no alert", "within = '1h'\nwarning = '>= 1000'", 1),
    ("counted 100 times, no alert", "within = '1h'\nwarning = '>= 1000'", 100),
    ("open alert, one line", "within = '1h'\nwarning = '>= 1'", 1),
    ("open alert, 5 lines", "within = '1h'\nwarning = '>= 1'", 5),
    ("open alert, 10 lines, all kept", "within = '1h'\nwarning = '>= 1'", 10),
    ("p95 over 100 numbers", "within = '1h'\nmeasure = 'p95(took)'\nwarning = '> 1h'", 100),
    ("p95 over 1000 numbers", "within = '1h'\nmeasure = 'p95(took)'\nwarning = '> 1h'", 1000),
    ("watched for absence", "measure = 'absent'\nwarning = '> 26h'", 1),
];

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: usize = statm.split(' ').nth(1).expect("the second number").parse().expect("a number");
    pages * 4096
}

fn grown(more: &str, lines: usize) -> usize {
    let keys = if lines > 100 { KEYS / 50 } else { KEYS };
    let text = format!(
        "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'login of (?<user>\\S+) from (?<ip>\\S+) took (?<took>\\S+)'\n\
         by = ['ip']\nmax_keys = 1000000\nmax_raises = 'never'\n{more}\n"
    );
    let text = Text { path: "r.toml".into(), text };
    let (ruleset, problems) = config::ruleset(&[text], None, &[], &TimeZone::UTC);
    let ruleset = ruleset.unwrap_or_else(|| panic!("{problems:?}"));
    let scanner = Scanner::new(&ruleset, |rule| !rule.sources.is_empty(), 64 * 1024);
    let timing = Timing {
        name: SourceName::new("s"),
        tz: TimeZone::UTC,
        max_age: Duration::from_secs(900),
        year: None,
    };
    let start = Timestamp::from_secs(1_800_000_000);
    let mut engine =
        Engine::new(Arc::new(ruleset), "bench".into(), vec![timing], &mut Saved::default(), start);
    engine.opened(FILE, &SourceName::new("s"), std::path::Path::new("/var/log/app.log").into());
    engine.phase(FILE, Phase::AtEnd, start);
    let mut scanned = Scanned::default();
    let mut offset = 0;
    let before = resident();
    for line in 0..lines {
        for key in 0..keys {
            let text = format!(
                "2027-01-15 08:{:02}:{:02} web-1 app[4711]: login of user{key} from 10.{}.{}.{} took {}.{line}ms\n",
                line / 60,
                line % 60,
                key >> 16,
                key >> 8 & 255,
                key & 255,
                key % 977,
            );
            let block =
                Block { file: FILE, offset, bytes: text.as_bytes(), skipping: false, tail: Tail::Wait };
            scanner.scan(block, &mut scanned);
            offset += scanned.consumed as u64;
            let now = start.plus(Duration::from_secs(line as u64));
            let arrival = Arrival { at: Some(now), modified: now, skew_us: 0 };
            let matches = scanned.matches(text.as_bytes());
            engine.read(Read { file: FILE, matches, stamp: scanned.stamp, arrival }, now);
            engine.take();
            engine.forget_changes();
        }
    }
    let after = resident();
    let held: usize = engine.rule_counts().map(|(_, _, keys)| keys).sum();
    assert_eq!(held, keys, "every key is held");
    (after - before) / keys
}

fn main() {
    let asked = std::env::args().nth(1).and_then(|number| number.parse::<usize>().ok());
    if let Some((_, more, lines)) = asked.and_then(|shape| SHAPES.get(shape)) {
        println!("{}", grown(more, *lines));
        return;
    }
    println!("bytes of memory for a key, keys of 12 bytes, lines of 90");
    for (number, (name, ..)) in SHAPES.iter().enumerate() {
        let program = std::env::current_exe().expect("this program has a path");
        let out = Command::new(program).arg(number.to_string()).output().expect("it can be started");
        println!("{:>8}  {name}", String::from_utf8_lossy(&out.stdout).trim());
    }
}
