//! Random lives of a log that is copied and cut, whose copies are followed too: what both of them showed is told once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::bench::{Bench, source};
use super::fake::FakeDisk;
use crate::settings::Start;

const LOG: &str = "/d/a.log";

#[derive(Clone, Debug)]
enum Deed {
    /// Appends lines, each with so many bytes after its number. Of the last one, a half may come with what is written next.
    Write {
        lines: usize,
        len: usize,
        half: bool,
    },
    /// Lets so many milliseconds pass, then looks and reads, after a start if need be.
    Look {
        ms: i64,
    },
    Stop,
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
        10 => (1..5usize, prop_oneof![0..20usize, 60..200usize, 900..1200usize], any::<bool>())
            .prop_map(|(lines, len, half)| Deed::Write { lines, len, half }),
        10 => prop_oneof![1..60i64, 60..longest].prop_map(|ms| Deed::Look { ms }),
        1 => Just(Deed::Stop),
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
    /// What each content begins with.
    preamble: String,
    /// What is still to be written of the last line.
    half: String,
    /// It was stopped once: what is in a copy may be told again.
    stopped: bool,
}

impl World {
    fn run(&mut self, deeds: &[Deed]) {
        for deed in deeds {
            match *deed {
                Deed::Write { lines, len, half } => {
                    let mut text = std::mem::take(&mut self.half);
                    if text.is_empty() && self.disk.content(Path::new(LOG)).unwrap().is_empty() {
                        text.clone_from(&self.preamble);
                    }
                    for _ in 0..lines {
                        text += &format!("L{:06} {}\n", self.lines, "x".repeat(len));
                        self.lines += 1;
                    }
                    if half {
                        self.half = text.split_off(text.len() - (len + 9) / 2);
                    }
                    self.write(&text);
                }
                Deed::Look { ms } => {
                    if self.bench.tail.is_none() {
                        self.bench.start(self.disk.clone());
                    }
                    self.bench.pass(&self.disk, ms);
                }
                Deed::Stop => {
                    self.bench.tail = None;
                    self.stopped = true;
                }
            }
        }
    }

    fn write(&self, text: &str) {
        self.disk.append(Path::new(LOG), text.as_bytes()).unwrap();
    }

    /// Writes what is missing of the last line.
    fn finish(&mut self) {
        let half = std::mem::take(&mut self.half);
        self.write(&half);
    }

    fn content(&self) -> String {
        String::from_utf8(self.disk.content(Path::new(LOG)).unwrap()).unwrap()
    }

    /// Copies the log and cuts it. Says what is in the copy.
    fn live(&mut self, life: &Life, copy: &Path) -> String {
        self.run(&life.deeds);
        self.disk.append(copy, b"").unwrap();
        self.run(&life.made);
        let content = self.content();
        self.disk.append(copy, content.as_bytes()).unwrap();
        self.run(&life.copied);
        self.finish();
        // Within one tick of its time, what is written to the old size would show nothing.
        self.bench.now = self.bench.now.plus(Duration::from_millis(20));
        self.disk.set_time(self.bench.now);
        self.disk.truncate(Path::new(LOG), 0).unwrap();
        content
    }
}

fn check(lives: &[Life], buffer: usize, quiet: usize, preamble: usize) {
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
    let preamble = "it begins in the same words each time\n".repeat(preamble);
    let mut world = World { disk, bench, lines: 0, preamble, half: String::new(), stopped: false };
    let lives = lives.iter().enumerate();
    let mut shown: Vec<String> =
        lives.map(|(number, life)| world.live(life, Path::new(&format!("{LOG}.{number}")))).collect();
    world.run(&[Deed::Look { ms: 1000 }]);
    world.finish();
    shown.push(world.content());
    world.run(&[const { Deed::Look { ms: 1000 } }; 30]);
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, line) in world.bench.told.iter().filter_map(|told| told.split_once(":L")) {
        *told.entry(&line[..6]).or_default() += 1;
    }
    // What a copy has half of is told as that.
    let whole =
        shown.iter().flat_map(|content| content.split_inclusive('\n')).filter(|line| line.ends_with('\n'));
    for line in whole.filter_map(|line| line.strip_prefix('L')) {
        assert!(told.contains_key(&line[..6]), "{line} is not told: {:?}", world.bench.told);
    }
    for (number, times) in &told {
        assert!(*times == 1 || world.stopped, "{number} is told {times} times: {:?}", world.bench.told);
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
        // In lines: what is longer than is kept of a content is no evidence that another one goes on in the same words.
        preamble in 0..4usize,
    ) {
        check(&lives, buffer, quiet, preamble);
    }
}
