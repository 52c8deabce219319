//! Random lives of a directory against an oracle that knows what could be seen: every complete line of a file that
//! was reachable during a whole round is told exactly once, and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use rustix::io::Errno;

use super::bench::{Bench, source};
use super::fake::{Call, FakeDisk};
use crate::saved::Saved;
use crate::settings::Start;

/// Names of the glob, and names outside it.
const INSIDE: [&str; 3] = ["a.log", "b.log", "c.log"];
const OUTSIDE: [&str; 3] = ["a.1", "b.1", "c.1"];
/// The oracle lets go of a nameless file earlier than the tail does, as it notices the loss of a name later.
const HELD: Duration = Duration::from_secs(25);

#[derive(Clone, Debug)]
enum Deed {
    /// Appends to the file of that name: what is left of its half line, whole lines, and `half` bytes of one more.
    Append {
        name: usize,
        lines: usize,
        half: usize,
    },
    /// Renames to a name inside (below 3) or outside.
    Rename {
        from: usize,
        to: usize,
    },
    Delete {
        name: usize,
    },
    /// Cuts a file, inside or outside, to nothing.
    Cut {
        name: usize,
    },
    /// Lets time pass, then a round.
    Round {
        ms: u32,
    },
    /// Makes what was told so far, and the rows of the last round, survive a crash.
    Commit,
    /// What was told since then was not told.
    Crash,
    Stop,
    Go,
    Hints(bool),
    Blind,
    Heal,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => (0..6usize, 0..4usize, 0..7usize).prop_map(|(name, lines, half)| Deed::Append { name, lines, half }),
        4 => (0..3usize, 0..6usize).prop_map(|(from, to)| Deed::Rename { from, to }),
        2 => (0..6usize).prop_map(|name| Deed::Delete { name }),
        2 => (0..6usize).prop_map(|name| Deed::Cut { name }),
        10 => prop_oneof![3 => 1000..1500u32, 1 => 1..300u32, 1 => 5000..12_000u32].prop_map(|ms| Deed::Round { ms }),
        3 => Just(Deed::Commit),
        1 => Just(Deed::Crash),
        1 => Just(Deed::Stop),
        2 => Just(Deed::Go),
        1 => any::<bool>().prop_map(Deed::Hints),
        1 => Just(Deed::Blind),
        2 => Just(Deed::Heal),
    ]
}

/// A file as the oracle knows it.
#[derive(Debug, Default)]
struct Known {
    name: Option<usize>,
    /// Numbers of its complete lines.
    lines: Vec<u32>,
    /// What is missing of its last line, with its number.
    half: Option<(u32, String)>,
    /// Bytes ever written, to see growth.
    written: usize,
    written_at_round: usize,
    /// The tail has seen it, so it owes its lines while it can reach them.
    tracked: bool,
    /// The tail has it open.
    open: bool,
    quiet_from: crate::model::Timestamp,
    was_inside: bool,
    /// Cut since the last round: a content that nobody has seen yet, and that only a handle can find.
    cut: bool,
    /// Tracked by the rows of the last commit, and not cut since.
    committed: bool,
}

fn path(name: usize) -> PathBuf {
    Path::new("/d").join(INSIDE.iter().chain(&OUTSIDE).nth(name).expect("six names"))
}

fn text(number: u32) -> String {
    format!("L{number:06}\n")
}

/// The oracle and what it watches.
struct World {
    disk: FakeDisk,
    bench: Bench<FakeDisk>,
    files: Vec<Known>,
    next_line: u32,
    blind: bool,
    committed: (Saved, usize),
}

impl World {
    fn new(births: bool, buffer: usize, quiet: usize) -> World {
        let disk = FakeDisk::new();
        disk.keep_births(births);
        disk.mkdir(Path::new("/d")).unwrap();
        let mut source = source("s", &["/d/*.log"]);
        source.start = Start::Beginning;
        let mut bench = Bench::new(vec![source]);
        bench.buffer = buffer;
        bench.quiet = quiet;
        disk.set_time(bench.now);
        bench.start(disk.clone());
        bench.round();
        let committed = (bench.saved.clone(), 0);
        World { disk, bench, files: Vec::new(), next_line: 0, blind: false, committed }
    }

    fn at(&mut self, name: usize) -> Option<&mut Known> {
        self.files.iter_mut().find(|file| file.name == Some(name))
    }

    fn run(&mut self, deed: &Deed) {
        match *deed {
            Deed::Append { name, lines, half } => self.append(name, lines, half),
            Deed::Rename { from, to } => {
                if from != to && self.disk.rename(&path(from), &path(to)).is_ok() {
                    if let Some(over) = self.at(to) {
                        over.name = None;
                    }
                    self.at(from).expect("the disk had it").name = Some(to);
                }
            }
            Deed::Delete { name } => {
                if self.disk.unlink(&path(name)).is_ok() {
                    self.at(name).expect("the disk had it").name = None;
                }
            }
            Deed::Cut { name } => {
                // Cut and written to the same size within one tick of the file's time: nothing would show it.
                self.bench.now = self.bench.now.plus(Duration::from_millis(20));
                self.disk.set_time(self.bench.now);
                if self.disk.truncate(&path(name), 0).is_ok() {
                    let file = self.at(name).expect("the disk had it");
                    file.written += usize::from(!file.lines.is_empty() || file.half.is_some());
                    file.lines.clear();
                    file.half = None;
                    file.cut = true;
                    file.committed = false;
                }
            }
            Deed::Round { ms } => {
                self.bench.now = self.bench.now.plus(Duration::from_millis(ms.into()));
                self.disk.set_time(self.bench.now);
                if self.bench.tail.is_some() {
                    self.bench.round();
                    self.judge(ms >= 1000);
                }
            }
            Deed::Commit => {
                self.committed = (self.bench.saved.clone(), self.bench.told.len());
                for file in &mut self.files {
                    file.committed = file.tracked && !file.cut;
                }
            }
            Deed::Crash => {
                self.run(&Deed::Stop);
                self.bench.saved = self.committed.0.clone();
                self.bench.told.truncate(self.committed.1);
                for file in &mut self.files {
                    file.tracked = file.committed;
                }
            }
            Deed::Stop => {
                self.bench.tail = None;
                for file in &mut self.files {
                    file.open = false;
                }
            }
            Deed::Go => {
                if self.bench.tail.is_none() {
                    self.bench.start(self.disk.clone());
                    self.bench.round();
                    self.judge(true);
                }
            }
            Deed::Hints(keep) => self.disk.keep_hints(keep),
            Deed::Blind => {
                self.disk.fail(Call::List, None, Errno::IO.raw_os_error());
                self.blind = true;
            }
            Deed::Heal => {
                self.disk.heal();
                self.blind = false;
            }
        }
    }

    fn append(&mut self, name: usize, lines: usize, half: usize) {
        if self.at(name).is_none() {
            if name >= INSIDE.len() {
                return;
            }
            self.files.push(Known { name: Some(name), ..Known::default() });
        }
        let mut next = self.next_line;
        let file = self.at(name).expect("just made");
        let mut bytes = String::new();
        if let Some((number, rest)) = file.half.take() {
            bytes += &rest;
            file.lines.push(number);
        }
        for _ in 0..lines {
            bytes += &text(next);
            file.lines.push(next);
            next += 1;
        }
        if half > 0 {
            let line = text(next);
            bytes += &line[..half];
            file.half = Some((next, line[half..].to_owned()));
            next += 1;
        }
        file.written += bytes.len();
        self.next_line = next;
        self.disk.append(&path(name), bytes.as_bytes()).unwrap();
    }

    /// Compares what was told with what had to be.
    fn judge(&mut self, whole: bool) {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for told in &self.bench.told {
            let Some((file, line)) = told.split_once(":L") else { continue };
            let number: u32 = line.parse().unwrap_or_else(|_| panic!("a torn line: {told}"));
            assert!(seen.insert(number), "told twice: {told}");
            assert!(last.insert(file, number).is_none_or(|before| before < number), "out of order: {told}");
        }
        let now = self.bench.now;
        for file in &mut self.files {
            let inside = file.name.is_some_and(|name| name < INSIDE.len());
            if inside || file.was_inside || file.written != file.written_at_round {
                file.quiet_from = now;
            }
            file.was_inside = inside;
            file.written_at_round = file.written;
            if !whole {
                continue;
            }
            // Without a handle it can be read only as long as it can be opened.
            file.open &= self.bench.quiet > 1 || (!self.blind && file.name.is_some());
            file.tracked &= file.open || !file.cut;
            file.cut = false;
            if !self.blind && (inside || (file.tracked && file.name.is_some())) {
                file.open = true;
                file.tracked = true;
            }
            if file.name.is_none() && !file.open {
                file.tracked = false;
            }
            if !file.open {
                continue;
            }
            if now.since(file.quiet_from) >= HELD {
                (file.open, file.tracked) = (false, false);
                continue;
            }
            for line in &file.lines {
                assert!(seen.contains(line), "not told: {} of {file:?}", text(*line));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(600), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_that_could_be_seen_is_told_once_and_in_order(
        births in any::<bool>(),
        buffer in prop_oneof![Just(16usize), Just(100), Just(4096)],
        // With one handle for all who are quiet, they hardly ever have one.
        quiet in prop_oneof![Just(1usize), Just(512)],
        short in prop_oneof![Just(None), (1..9usize).prop_map(Some)],
        deeds in prop::collection::vec(deed(), 1..80),
    ) {
        let mut world = World::new(births, buffer, quiet);
        world.disk.shorten_reads(short);
        for deed in &deeds {
            world.run(deed);
        }
        for last in [Deed::Heal, Deed::Go, Deed::Round { ms: 1000 }] {
            world.run(&last);
        }
    }
}

#[test]
fn a_content_cut_and_written_to_its_old_size_is_a_new_one() {
    let mut world = World::new(false, 16, 512);
    let write = || Deed::Append { name: 2, lines: 1, half: 3 };
    for deed in [Deed::Stop, write(), Deed::Go, Deed::Cut { name: 2 }, write(), Deed::Round { ms: 1000 }] {
        world.run(&deed);
    }
}
