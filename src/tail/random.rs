//! Random lives of a directory against an oracle that knows what could be seen: every complete line of a file that
//! was reachable during a whole round is told exactly once, and in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use rustix::io::Errno;

use super::bench::{Bench, source};
use super::cases::pack;
use super::fake::{Call, FakeDisk};
use crate::saved::Saved;
use crate::settings::Start;

/// Names that fit the globs, the last one in a directory of its own, and names that fit none.
const INSIDE: [&str; 4] = ["a.log", "b.log", "c.log", "e/d.log"];
const OUTSIDE: [&str; 3] = ["a.1", "b.1", "c.1"];
/// The name that stands in that directory.
const BELOW: usize = 3;
/// A symbolic link that a glob names; it leads to a name outside.
const LINK: &str = "/d/cur";
const NAMES: usize = INSIDE.len() + OUTSIDE.len();
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
    Rename {
        from: usize,
        to: usize,
    },
    /// Gives a file another name besides.
    Link {
        from: usize,
        to: usize,
    },
    /// Lets the symbolic link lead elsewhere.
    Swap {
        to: usize,
    },
    /// Renames the directory away, or removes it with all that is in it; the next file makes it again.
    Unmake {
        away: bool,
    },
    /// The file can not be opened from now on.
    Deny {
        name: usize,
    },
    /// Compresses a file outside.
    Pack {
        name: usize,
    },
    /// Sets the wall clock.
    Jump {
        seconds: i64,
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
        14 => (0..NAMES, 0..4usize, 0..7usize).prop_map(|(name, lines, half)| Deed::Append { name, lines, half }),
        4 => (0..BELOW, 0..NAMES).prop_map(|(from, to)| Deed::Rename { from, to }),
        1 => (0..NAMES, 0..NAMES).prop_map(|(from, to)| Deed::Link { from, to }),
        2 => (INSIDE.len()..NAMES).prop_map(|to| Deed::Swap { to }),
        1 => any::<bool>().prop_map(|away| Deed::Unmake { away }),
        1 => (0..NAMES).prop_map(|name| Deed::Deny { name }),
        1 => (INSIDE.len()..NAMES).prop_map(|name| Deed::Pack { name }),
        1 => (-100_000i64..100_000).prop_map(|seconds| Deed::Jump { seconds }),
        2 => (0..NAMES).prop_map(|name| Deed::Delete { name }),
        2 => (0..NAMES).prop_map(|name| Deed::Cut { name }),
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
    names: BTreeSet<usize>,
    /// It can not be opened.
    denied: bool,
    /// It was quiet for so long under a name outside that it may be forgotten, and would be new if it came back.
    over: bool,
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
    Path::new("/d").join(INSIDE.iter().chain(&OUTSIDE).nth(name).expect("a name"))
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
    /// Where the symbolic link leads.
    target: Option<usize>,
    unmade: usize,
    committed: (Saved, usize),
}

impl World {
    fn new(births: bool, buffer: usize, quiet: usize) -> World {
        let disk = FakeDisk::new();
        disk.keep_births(births);
        disk.mkdir(Path::new("/d")).unwrap();
        let mut source = source("s", &["/d/*.log", "/d/e/*.log", LINK]);
        source.start = Start::Beginning;
        let mut bench = Bench::new(vec![source]);
        bench.buffer = buffer;
        bench.quiet = quiet;
        disk.set_time(bench.wall());
        bench.start(disk.clone());
        bench.round();
        let committed = (bench.saved.clone(), 0);
        World {
            disk,
            bench,
            files: Vec::new(),
            next_line: 0,
            blind: false,
            target: None,
            unmade: 0,
            committed,
        }
    }

    fn at(&mut self, name: usize) -> Option<&mut Known> {
        self.files.iter_mut().find(|file| file.names.contains(&name))
    }

    fn run(&mut self, deed: &Deed) {
        match *deed {
            Deed::Append { name, lines, half } => self.append(name, lines, half),
            Deed::Rename { from, to } => {
                // Two names of one file stay what they are.
                let one = self.at(from).is_some_and(|file| file.names.contains(&to));
                if to != BELOW && !one && self.disk.rename(&path(from), &path(to)).is_ok() {
                    if let Some(over) = self.at(to) {
                        over.names.remove(&to);
                    }
                    let names = &mut self.at(from).expect("the disk had it").names;
                    names.remove(&from);
                    names.insert(to);
                }
            }
            Deed::Link { from, to } => {
                let apart = from != BELOW && to != BELOW && self.at(from).is_some_and(|file| !file.over);
                if apart && self.disk.link(&path(from), &path(to)).is_ok() {
                    self.at(from).expect("the disk had it").names.insert(to);
                }
            }
            Deed::Swap { to } if self.at(to).is_some_and(|file| file.over) => {}
            Deed::Swap { to } => {
                let _ = self.disk.unlink(Path::new(LINK));
                self.disk.symlink(&path(to), Path::new(LINK)).unwrap();
                self.target = Some(to);
            }
            Deed::Unmake { away } => {
                let dir = Path::new("/d/e");
                self.unmade += 1;
                let gone = match away {
                    true => self.disk.rename(dir, Path::new(&format!("/d/e{}", self.unmade))),
                    false => self.disk.unlink(dir),
                };
                if let Some(file) = self.at(BELOW).filter(|_| gone.is_ok()) {
                    file.names.clear();
                }
            }
            Deed::Deny { name } => {
                if self.at(name).is_some() {
                    self.disk.fail(Call::Open, Some(&path(name)), Errno::ACCESS.raw_os_error());
                    self.at(name).expect("just seen").denied = true;
                }
            }
            Deed::Pack { name } => {
                if let Ok(text) = self.disk.content(&path(name)) {
                    let packed = path(name).with_extension("1.gz");
                    let _ = self.disk.unlink(&packed);
                    self.disk.append(&packed, &pack("gz", &text)).unwrap();
                    self.run(&Deed::Delete { name });
                }
            }
            Deed::Jump { seconds } => {
                self.bench.wall_ahead = seconds * 1_000_000;
                self.disk.set_time(self.bench.wall());
            }
            Deed::Delete { name } => {
                if self.disk.unlink(&path(name)).is_ok() {
                    self.at(name).expect("the disk had it").names.remove(&name);
                }
            }
            Deed::Cut { name } => {
                // Cut and written to the same size within one tick of the file's time: nothing would show it.
                self.bench.now = self.bench.now.plus(Duration::from_millis(20));
                self.disk.set_time(self.bench.wall());
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
                self.disk.set_time(self.bench.wall());
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
                self.files.iter_mut().for_each(|file| file.denied = false);
            }
        }
    }

    fn append(&mut self, name: usize, lines: usize, half: usize) {
        if self.at(name).is_none() {
            if name >= INSIDE.len() && self.target != Some(name) {
                return;
            }
            self.files.push(Known { names: BTreeSet::from([name]), ..Known::default() });
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
        let (now, target) = (self.bench.now, self.target);
        for file in &mut self.files {
            let inside = file.names.iter().any(|name| *name < INSIDE.len() || target == Some(*name));
            if inside || file.was_inside || file.written != file.written_at_round {
                file.quiet_from = now;
            }
            file.was_inside = inside;
            file.written_at_round = file.written;
            if !whole {
                continue;
            }
            if now.since(file.quiet_from) >= HELD {
                (file.open, file.tracked, file.over) = (false, false, true);
                continue;
            }
            // Without a handle it can be read only as long as it can be opened.
            file.open &= self.bench.quiet > 1 || (!self.blind && !file.denied && !file.names.is_empty());
            file.tracked &= file.open || !file.cut;
            file.cut = false;
            if !self.blind && !file.denied && (inside || (file.tracked && !file.names.is_empty())) {
                file.open = true;
                file.tracked = true;
            }
            if file.names.is_empty() && !file.open {
                file.tracked = false;
            }
            if !file.open {
                continue;
            }
            for line in &file.lines {
                assert!(seen.contains(line), "not told: {} of {file:?}", text(*line));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(2000), failure_persistence: None, ..ProptestConfig::default() })]

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

#[test]
fn a_file_without_a_name_that_is_cut_is_held_as_long_as_one_that_grows_whatever_the_wall_clock_says() {
    for (quiet, births) in [(1, false), (512, false), (1, true), (512, true)] {
        let mut world = World::new(births, 100, quiet);
        let write = |name| Deed::Append { name, lines: 1, half: 0 };
        let round = |ms| Deed::Round { ms };
        let away = [
            write(2),
            Deed::Jump { seconds: -10 },
            round(1000),
            Deed::Rename { from: 2, to: 6 },
            round(1000),
        ];
        let cut = [round(9000), Deed::Cut { name: 6 }, round(12_000), round(9000), write(6), round(1000)];
        for deed in away.into_iter().chain(cut) {
            world.run(&deed);
        }
    }
}
