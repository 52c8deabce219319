//! The copies that `copytruncate` makes, where they are followed too: what was read of the original is not read again.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::bench::{Bench, source};
use super::cases::Step::*;
use super::cases::{BANNER, LOGS, check};
use super::fake::{Call, FakeDisk};

/// `/d/a.log`, which is followed and empty; copies of it are followed too. What is written at once is read at once.
fn log() -> (FakeDisk, Bench<FakeDisk>) {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log*"])]);
    bench.buffer = 64 * 1024;
    disk.set_time(bench.now);
    bench.start(disk.clone());
    bench.round();
    disk.append(Path::new("/d/a.log"), b"").unwrap();
    bench.pass(&disk, 1000);
    (disk, bench)
}

#[test]
fn case_27_the_copy_of_a_cut_file_is_not_read_again_though_its_name_fits() {
    let line = format!("1:{}", BANNER.trim_end());
    let logs = &["/d/a.log*"];
    let opened = ["open 1 a.log at 0", &line];
    let cut = ["cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0"];
    let n = "2:n";
    // Copied and cut between two looks; and with looks in between, even while the copy is being made.
    check(
        logs,
        &[Start, Add("a.log", BANNER), Tick(1000), Copy("a.log", "a.log.1"), Cut("a.log"), Add("a.log", "n\n"),
          Tick(1000), Tick(1000), Tick(20_000)],
        &[&opened[..], &cut, &["open 3 a.log.1 at 70", n]].concat(),
    );
    check(
        logs,
        &[Start, Add("a.log", BANNER), Tick(1000), Add("a.log.1", ""), Tick(20), Copy("a.log", "a.log.1"), Tick(500),
          Add("a.log", "m\n"), Tick(500), Cut("a.log"), Add("a.log", "n\n"), Tick(500), Tick(500), Tick(20_000)],
        &[&opened[..], &["1:m"], &cut, &["open 3 a.log.1 at 70", n]].concat(),
    );
    // While nobody looked: what only the copy still has is read.
    check(
        logs,
        &[Start, Add("a.log", BANNER), Tick(1000), Stop, Add("a.log", "m\n"), Copy("a.log", "a.log.1"), Cut("a.log"),
          Add("a.log", "n\n"), Start],
        &[&opened[..], &cut, &["open 3 a.log.1 at 70", n, "3:m"]].concat(),
    );
    // A longer name alone makes no copy.
    check(
        logs,
        &[Start, Add("a.log", BANNER), Tick(1000), Add("a.log.1", "other, and long enough to be told apart at once, as \
          its length is that of the banner\n"), Tick(1000)],
        &[&opened[..], &["open 2 a.log.1 at 0", "2:other, and long enough to be told apart at once, as its length is \
          that of the banner"]].concat(),
    );
}

#[test]
fn case_27_the_copy_of_a_file_of_which_nothing_was_read_yet_is_not_read_too() {
    for cut_after in [0, 300] {
        let (disk, mut bench) = log();
        disk.append(Path::new("/d/a.log"), b"1\n2\n").unwrap();
        disk.append(Path::new("/d/a.log.1"), b"1\n2\n").unwrap();
        if cut_after == 0 {
            disk.truncate(Path::new("/d/a.log"), 0).unwrap();
        }
        bench.pass(&disk, 20);
        bench.pass(&disk, 300);
        disk.truncate(Path::new("/d/a.log"), 0).unwrap();
        disk.append(Path::new("/d/a.log"), b"3\n").unwrap();
        for _ in 0..30 {
            bench.pass(&disk, 100);
        }
        let mut lines: Vec<&str> = bench.told.iter().filter_map(|told| Some(told.split_once(':')?.1)).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1", "2", "3"], "{:?}", bench.told);
    }
}

#[test]
fn case_27_the_copy_of_a_file_that_was_written_before_it_was_cut_is_not_read_again() {
    // Of a content that was read at once, no offset but its end is remembered; it is in the copy only in part.
    for (copied, later) in [(20, 10), (500, 200), (900, 900), (1500, 300), (5000, 100)] {
        let line = |number: usize, len: usize| format!("{number:<len$}\n");
        let (first, second, third) = (line(1, copied / 3), line(2, copied), line(3, later));
        let (disk, mut bench) = log();
        let (log, copy) = (Path::new("/d/a.log"), Path::new("/d/a.log.1"));
        for name in [log, copy] {
            disk.append(name, (first.clone() + &second).as_bytes()).unwrap();
        }
        disk.append(log, third.as_bytes()).unwrap();
        bench.pass(&disk, 20);
        disk.truncate(log, 0).unwrap();
        for _ in 0..30 {
            bench.pass(&disk, 500);
        }
        let lines = bench.told.iter().filter_map(|told| Some(told.split_once(':')?.1.trim_end()));
        assert_eq!(lines.collect::<Vec<_>>(), ["1", "2", "3"], "{copied}, {later}: {:?}", bench.told);
    }
}

#[test]
fn what_was_written_anew_in_the_same_words_and_copied_before_anybody_looked_is_read() {
    let preamble = "the same words each time it starts\n".repeat(40);
    // Read at once and line by line; what follows the same words is longer than what is compared of the end.
    for by_line in [false, true] {
        for (old, new) in [(3000, 200), (300, 900), (5000, 3000), (200, 200)] {
            let (disk, mut bench) = log();
            let log = Path::new("/d/a.log");
            let line = |number: usize| format!("{number} {}\n", "abcdefghij".repeat(5));
            let write = |path: &str, first: usize, len: usize| {
                disk.append(Path::new(path), (first..).map(line).take(len / 50).collect::<String>().as_bytes()).unwrap();
            };
            disk.append(log, preamble.as_bytes()).unwrap();
            if by_line {
                bench.pass(&disk, 1000);
            }
            write("/d/a.log", 0, old);
            bench.pass(&disk, 1000);
            disk.truncate(log, 0).unwrap();
            disk.append(Path::new("/d/a.log.1"), preamble.as_bytes()).unwrap();
            write("/d/a.log.1", 1000, new);
            for _ in 0..30 {
                bench.pass(&disk, 500);
            }
            for number in (0..old / 50).chain(1000..1000 + new / 50) {
                let line = format!(":{}", line(number).trim_end());
                let times = bench.told.iter().filter(|told| told.ends_with(&line)).count();
                assert_eq!(times, 1, "{number} of {old}, {new}, {by_line}: {:?}", bench.told);
            }
        }
    }
}

#[test]
fn the_copy_of_a_short_file_that_was_cut_is_not_read_again() {
    check(
        &["/d/a.log*"],
        &[
            Start, Add("a.log", "1\n2\n"), Tick(400), Copy("a.log", "a.log.1"), Cut("a.log"), Add("a.log", "3\n"),
            Tick(400), Tick(2000), Tick(2000),
        ],
        &[
            "open 1 a.log at 0", "1:1", "1:2", "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0",
            "open 3 a.log.1 at 4", "2:3",
        ],
    );
}

#[test]
fn a_copy_is_known_after_a_restart_and_whatever_its_original_is_called_by_now() {
    let banner = format!("1:{}", BANNER.trim_end());
    for globs in [&["/d/*.log"][..], &["/d/*.log*", "!*.1", "!*.bak"]] {
        check(
            globs,
            &[Start, Add("a.log", BANNER), Tick(1000), Copy("a.log", "a.log.bak"), Cut("a.log"), Add("a.log", "n\n"),
              Tick(10), Stop, Move("a.log", "a.log.1"), Start, Tick(500), Add("a.log", "x\n"), Tick(1000), Tick(1000)],
            &["open 1 a.log at 0", &banner, "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "2:n", "end 1",
              "open 2 a.log.1 at 2", "open 3 a.log at 0", "3:x"],
        );
    }
    // Renamed before anybody saw that it was cut; the copy fits, and none of its bytes are read again.
    for stop in [false, true] {
        let mut steps =
            vec![Start, Add("a.log", BANNER), Tick(1000), Copy("a.log", "a.log.bak"), Cut("a.log"),
                 Add("a.log", "n\n"), Move("a.log", "a.log.1"), Add("a.log", "x\n"), Tick(1000), Tick(20_000)];
        if stop {
            steps.splice(3..3, [Stop]);
            steps.splice(9..10, [Start]);
        }
        let name: &[&str] = if stop { &[] } else { &["name 1 a.log.1"] };
        check(
            &["/d/*.log*"],
            &steps,
            &[&["open 1 a.log at 0", &banner], name, &[
                "cut 1 to 2 lost 0", "end 1", "open 2 a.log.1 at 0", "open 3 a.log at 0", "open 4 a.log.bak at 70",
                "2:n", "3:x",
            ]].concat(),
        );
    }
}

#[test]
fn a_copy_is_known_however_long_the_name_of_its_original_had_no_file() {
    let banner = format!("1:{}", BANNER.trim_end());
    check(
        LOGS,
        &[Start, Add("a.log", BANNER), Tick(10), Copy("a.log", "a.log.1"), Cut("a.log"), Tick(10),
          Move("a.log", "a.log.2"), Tick(10_000), Tick(10_000), Tick(10_000), Add("a.log", "x\n"), Tick(1000)],
        &["open 1 a.log at 0", &banner, "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "gone 2",
          "open 3 a.log at 0", "3:x"],
    );
}

#[test]
fn a_copy_is_known_however_long_it_could_not_be_looked_at() {
    let banner = format!("1:{}", BANNER.trim_end());
    check(
        &["/d/a.log*"],
        &[Start, Add("a.log", BANNER), Tick(1000), Fail(Call::StatPath, Some("a.log.1"), Errno::IO), Copy("a.log", "a.log.1"),
          Cut("a.log"), Tick(1000), Tick(10_000), Tick(10_000), Tick(10_000), Heal, Tick(10_000), Tick(1000)],
        &["open 1 a.log at 0", &banner, "blind a.log.1: Input/output error", "cut 1 to 2 lost 0", "end 1",
          "open 2 a.log at 0", "open 3 a.log.1 at 70", "sees a.log.1"],
    );
}

#[test]
fn a_short_file_is_not_held_back_for_a_longer_one_that_begins_in_other_words() {
    let banner = format!("1:{}", BANNER.trim_end());
    check(
        &["/d/*.log*"],
        &[Start, Add("a.log", BANNER), Tick(1000), Move("a.log", "a.log.1"), Tick(1000), Stop, Add("a.log", "n\n"),
          Move("a.log", "a.log.2"), Add("a.log", "x\n"), Start],
        &["open 1 a.log at 0", &banner, "name 1 a.log.1", "open 1 a.log.1 at 70", "open 2 a.log.2 at 0", "open 3 a.log at 0", "2:n", "3:x"],
    );
}

#[test]
fn a_file_that_is_copied_and_cut_in_the_middle_of_a_look_is_read_once() {
    for calls in 0..30 {
        for stop in [false, true] {
            let disk = FakeDisk::new();
            let (log, copy) = (Path::new("/d/a.log"), Path::new("/d/a.log.1"));
            disk.mkdir(Path::new("/d")).unwrap();
            let mut bench = Bench::new(vec![source("s", &["/d/a.*"])]);
            bench.start(disk.clone());
            bench.round();
            let tick = |bench: &mut Bench<FakeDisk>, ms: u64| {
                bench.now = bench.now.plus(Duration::from_millis(ms));
                disk.set_time(bench.now);
                bench.round();
            };
            disk.append(log, BANNER.as_bytes()).unwrap();
            tick(&mut bench, 1000);
            disk.defer(calls);
            disk.copytruncate(log, copy).unwrap();
            disk.append(log, b"n\n").unwrap();
            if stop {
                bench.tail = None;
                bench.start(disk.clone());
            }
            tick(&mut bench, 1000);
            disk.catch_up();
            tick(&mut bench, 1000);
            tick(&mut bench, 12_000);
            let lines: Vec<&str> = bench.told.iter().filter_map(|told| Some(told.split_once(':')?.1)).collect();
            assert_eq!(lines, [BANNER.trim_end(), "n"], "after {calls} calls, {stop}: {:?}", bench.told);
        }
    }
}

#[test]
fn a_copy_that_is_long_in_the_making_is_known_and_a_longer_name_alone_holds_nothing_back() {
    let long: &'static str = BANNER.repeat(30).leak();
    let (first, rest) = long.split_at(BANNER.len() * 16);
    let (rest, last) = rest.split_at(BANNER.len() * 7);
    let told = |id: u64, times: usize| vec![format!("{id}:{}", BANNER.trim_end()); times];
    let mut expected = vec!["open 1 a.log at 0".to_owned()];
    expected.extend(told(1, 30));
    expected.extend(["cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "open 3 a.log.1 at 2100"].map(str::to_owned));
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(
        &["/d/a.log*"],
        &[Start, Add("a.log", long), Tick(1000), Add("a.log.1", first), Tick(100), Tick(7000), Add("a.log.1", rest), Tick(7000),
          Add("a.log.1", last), Cut("a.log"), Tick(1000), Tick(1000)],
        &expected,
    );
    check(
        &["/d/node*"],
        &[Start, Add("node1", BANNER), Tick(1000), Add("node12", BANNER), Tick(100)],
        &["open 1 node1 at 0", &format!("1:{}", BANNER.trim_end()), "open 2 node12 at 0",
          &format!("2:{}", BANNER.trim_end())],
    );
}
