//! Random lives of a log that is copied and cut, whose copies are followed too: what both of them showed is told once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::bench::{Bench, source};
use super::fake::FakeDisk;
use crate::settings::Start;

const LOG: &str = "/d/a.log";

#[derive(Clone, Debug)]
enum Deed {
    /// Appends lines, each with so many bytes after its number.
    Write { lines: usize, len: usize },
    /// Lets so many milliseconds pass, then looks and reads.
    Look { ms: i64 },
}

/// A life of the log up to its cut.
#[derive(Clone, Debug)]
struct Life {
    deeds: Vec<Deed>,
    /// The copy is there, and empty.
    made: Vec<Deed>,
    /// It is whole.
    copied: Vec<Deed>,
}

fn deed(longest: i64) -> impl Strategy<Value = Deed> {
    prop_oneof![
        (1..5usize, prop_oneof![0..20usize, 60..200usize, 900..1200usize])
            .prop_map(|(lines, len)| Deed::Write { lines, len }),
        prop_oneof![1..60i64, 60..longest].prop_map(|ms| Deed::Look { ms }),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    // What stands beside its original for a second and is too short to be told is read.
    let deeds = |longest, most| prop::collection::vec(deed(longest), 0..most);
    (deeds(3000, 5), deeds(300, 2), deeds(300, 3)).prop_map(|(deeds, made, copied)| Life {
        deeds,
        made,
        copied,
    })
}

struct World {
    disk: FakeDisk,
    bench: Bench<FakeDisk>,
    lines: usize,
}

impl World {
    fn run(&mut self, deeds: &[Deed]) {
        for deed in deeds {
            match *deed {
                Deed::Write { lines, len } => {
                    for _ in 0..lines {
                        let line = format!("L{:06} {}\n", self.lines, "x".repeat(len));
                        self.lines += 1;
                        self.disk.append(Path::new(LOG), line.as_bytes()).unwrap();
                    }
                }
                Deed::Look { ms } => self.bench.pass(&self.disk, ms),
            }
        }
    }
}

fn check(lives: &[Life], buffer: usize, quiet: usize) {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut source = source("s", &["/d/*.log*"]);
    source.start = Start::Beginning;
    let mut bench = Bench::new(vec![source]);
    bench.buffer = buffer;
    bench.quiet = quiet;
    disk.set_time(bench.now);
    bench.start(disk.clone());
    disk.append(Path::new(LOG), b"").unwrap();
    bench.pass(&disk, 1000);
    let mut world = World { disk, bench, lines: 0 };
    let mut copies = Vec::new();
    for (number, life) in lives.iter().enumerate() {
        let copy = PathBuf::from(format!("{LOG}.{number}"));
        world.run(&life.deeds);
        world.disk.append(&copy, b"").unwrap();
        world.run(&life.made);
        let content = world.disk.content(Path::new(LOG)).unwrap();
        world.disk.append(&copy, &content).unwrap();
        world.run(&life.copied);
        // Within one tick of its time, what is written to the old size would show nothing.
        world.bench.now = world.bench.now.plus(Duration::from_millis(20));
        world.disk.set_time(world.bench.now);
        world.disk.truncate(Path::new(LOG), 0).unwrap();
        copies.push(content);
    }
    copies.push(world.disk.content(Path::new(LOG)).unwrap());
    for _ in 0..30 {
        world.bench.pass(&world.disk, 1000);
    }
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for line in world.bench.told.iter().filter_map(|told| told.split_once(":L")) {
        *told.entry(&line.1[..6]).or_default() += 1;
    }
    for line in
        copies.iter().flat_map(|content| content.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty())
    {
        let number = std::str::from_utf8(&line[1..7]).unwrap();
        assert!(told.contains_key(number), "{number} is not told: {:?}", world.bench.told);
    }
    for (number, times) in &told {
        assert!(*times == 1, "{number} is told {times} times: {:?}", world.bench.told);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_log_and_its_copy_both_showed_is_told_once(
        lives in prop::collection::vec(life(), 1..4),
        buffer in prop_oneof![Just(2048usize), Just(65_536)],
        // With one handle for all who are quiet, they hardly ever have one.
        quiet in prop_oneof![Just(1usize), Just(512)],
    ) {
        check(&lives, buffer, quiet);
    }
}
