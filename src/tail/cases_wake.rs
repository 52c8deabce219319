//! The same of how soon growth is seen, with the hints there are and without.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::bench::{Bench, source};
use super::cases::Step::*;
use super::cases::check_source;
use super::fake::{Call, FakeDisk};
use crate::model::FileId;

const LOGS: &[&str] = &["/d/*.log"];
const HOUR: i64 = 3_600_000;

/// A file of `/d` that is followed and was quiet for an hour, and everybody who looks at it.
fn quiet() -> (FakeDisk, Bench<FakeDisk>) {
    let disk = FakeDisk::new();
    disk.append(Path::new("/d/a.log"), b"old\n").unwrap();
    let mut bench = Bench::new(vec![source("s", LOGS)]);
    bench.start(disk.clone());
    bench.pass(&disk, 0);
    bench.pass(&disk, HOUR);
    bench.pass(&disk, 1000);
    (disk, bench)
}

#[test]
fn a_quiet_file_is_left_alone_until_its_hint_comes_and_a_busy_one_is_glanced_at() {
    let (disk, mut bench) = quiet();
    // What is due first is the sweep; the file is looked at no sooner than in five seconds.
    disk.fail(Call::Stat, None, Errno::IO.raw_os_error());
    for _ in 0..3 {
        bench.pass(&disk, 1000);
    }
    disk.heal();
    let tail = bench.tail.as_mut().unwrap();
    assert_eq!((tail.glances(), tail.glance(bench.now)), (None, false));
    disk.append(Path::new("/d/a.log"), b"one\n").unwrap();
    bench.pass(&disk, 1);
    assert_eq!(bench.told, ["open 1 a.log at 4", "1:one"]);

    let mut tail = bench.tail.take().unwrap();
    assert_eq!(tail.glances(), Some(Duration::from_micros(400)));
    let now = bench.now.plus(Duration::from_millis(2));
    assert!(!tail.glance(now));
    disk.append(Path::new("/d/a.log"), b"two\n").unwrap();
    assert!(tail.glance(now) && tail.next_wake() <= now);
    assert!(tail.look(now, now));
    assert!(tail.ready().len() == 1 && !tail.glance(now), "what is unread needs no glance");
    let turn = tail.read(FileId(1), &mut [0; 99], now).unwrap();
    assert_eq!(turn.arrival, Some(now));
    tail.consumed(FileId(1), turn.len, false, now);
    let later = now.plus(Duration::from_secs(1));
    assert!(!tail.glance(later) && tail.glances().is_none());
}

#[test]
fn when_a_line_came_is_known_however_long_its_file_was_not_looked_at() {
    let (disk, bench) = quiet();
    let mut tail = bench.tail.unwrap();
    // Four seconds without a look, hints taken all the time; the stalled one knows nothing.
    for (stalled, arrival) in [(1, true), (20, false)] {
        let mut now = bench.now.plus(Duration::from_secs(if stalled > 1 { 100 } else { 0 }));
        for _ in 0..14 {
            now = now.plus(Duration::from_secs(1));
            tail.take_hints(now);
        }
        disk.append(Path::new("/d/a.log"), b"one\n").unwrap();
        now = now.plus(Duration::from_secs(stalled));
        assert!(tail.look(now, now));
        let turn = tail.read(FileId(1), &mut [0; 99], now).unwrap();
        assert_eq!(turn.arrival, Some(now).filter(|_| arrival), "{stalled}");
        tail.consumed(FileId(1), turn.len, false, now);
        assert!(tail.look(now.plus(Duration::from_secs(2)), now));
        assert!(tail.look(now.plus(Duration::from_secs(3)), now));
    }
}

#[test]
fn case_46_hints_that_did_not_fit_make_one_look_at_everything() {
    check_source(source("s", LOGS), &[
        Add("a.log", ""), Add("b.log", ""), Start, Tick(HOUR), Tick(1000), Tells(false), Overflow,
        Add("a.log", "one\n"), Add("b.log", "two\n"), Move("a.log", "a.1"), Add("a.log", "three\n"), Tick(20),
        // From then on they wait for hints again.
        Tells(true), Tick(HOUR), Tick(1000), Tick(1000), Add("b.log", "four\n"), Tick(1),
    ], &[
        "open 1 a.log at 0", "open 2 b.log at 0", "replaced 1", "open 3 a.log at 0", "1:one", "2:two", "3:three",
        "end 1", "2:four",
    ]);
}

#[test]
fn case_48_without_room_for_more_hints_the_rest_is_polled_which_is_said_once_and_tried_again() {
    check_source(source("s", LOGS), &[
        Add("a.log", ""), Add("b.log", ""), Add("c.log", ""), LimitHints(1), Start, Tick(HOUR), Tick(1000),
        Add("c.log", "one\n"), Add("b.log", "two\n"), Tick(250), Add("a.log", "three\n"), Tick(250),
        Tick(10_000), Tick(250), Tick(30_000), Tick(250), Add("c.log", "four\n"), Tick(250),
        Heal, Tick(30_000), Tick(250), Tick(30_000), Tick(1000), Tick(30_000), Tick(1000), Add("c.log", "five\n"), Tick(1),
    ], &[
        "open 1 a.log at 0", "open 2 b.log at 0", "open 3 c.log at 0", "polled: No space left on device",
        "2:two", "3:one", "1:three", "3:four", "hinted", "3:five",
    ]);
}

#[test]
fn case_50_where_nothing_is_hinted_growth_is_seen_within_250_ms() {
    let (disk, mut bench) = quiet();
    disk.keep_hints(false);
    bench.start(disk.clone());
    bench.pass(&disk, HOUR);
    for _ in 0..50 {
        let wake = bench.tail.as_ref().unwrap().next_wake();
        assert!(wake.since(bench.now) <= Duration::from_millis(250));
        bench.pass(&disk, 250);
    }
    disk.append(Path::new("/d/a.log"), b"one\n").unwrap();
    bench.pass(&disk, 250);
    assert_eq!(bench.told.last().unwrap(), "1:one");
}

#[test]
fn case_50_of_a_file_whose_hints_do_not_come_nobody_waits_for_them_for_long() {
    check_source(source("s", LOGS), &[
        Add("a.log", ""), Start, Tick(HOUR), Tick(1000), Tells(false),
        Add("a.log", "one\n"), Tick(5000), Tick(2000), Tick(2000), Add("a.log", "two\n"), Tick(5000), Tick(2000), Tick(2000),
        Add("a.log", "three\n"), Tick(5000), Tick(2000), Tick(2000),
        Add("a.log", "four\n"), Tick(250), Tick(HOUR), Add("a.log", "five\n"), Tick(250),
    ], &["open 1 a.log at 0", "1:one", "1:two", "1:three", "1:four", "1:five"]);
}
