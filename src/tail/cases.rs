//! The ways in which files have bitten other tailers, as steps and what must come of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::bench::{Bench, source};
use super::disk::Disk;
use super::evidence::Evidence;
use super::reach::Reach;
use super::fake::{Call, FakeDisk, FakeFile};
use super::Phase;
use crate::model::{FileId, Timestamp};
use crate::settings::{Source, Start as Begin};

#[derive(Clone)]
pub(super) enum Step {
    /// Adds to a file of `/d`, making it if need be.
    Add(&'static str, &'static str),
    /// The same through a handle that was taken by `Hold`, which outlives the name; at an offset or at the end.
    Late(&'static str, Option<usize>, &'static str),
    Hold(&'static str),
    Move(&'static str, &'static str),
    MoveDir(&'static str, &'static str),
    Link(&'static str, &'static str),
    Copy(&'static str, &'static str),
    Cut(&'static str),
    Delete(&'static str),
    /// Compresses the first, which is gone then, to what is added to the second.
    Pack(&'static str, &'static str),
    /// Takes so many bytes from its end.
    Chop(&'static str, usize),
    Fifo(&'static str),
    Dir(&'static str),
    /// What follows happens within the next round, after this many calls on the disk.
    Defer(usize),
    /// Passes this many milliseconds, then a round.
    Tick(i64),
    Stop,
    Start,
    Births(bool),
    Hints(bool),
    /// Whether those who asked are told of writes.
    Tells(bool),
    LimitHints(usize),
    Overflow,
    Remount,
    ShortReads(usize),
    LimitOpen(usize),
    Fail(Call, Option<&'static str>, Errno),
    Heal,
}
use Step::*;

/// Runs the steps over `/d/*.log` and compares what was told. Each `Start` begins at 1000 s or where time stands.
pub(super) fn check(globs: &[&str], steps: &[Step], expected: &[&str]) {
    check_source(source("s", globs), steps, expected);
}

/// The same for a source with settings of its own.
pub(super) fn check_source(source: Source, steps: &[Step], expected: &[&str]) {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source]);
    let mut held: BTreeMap<&str, FakeFile> = BTreeMap::new();
    disk.set_time(Timestamp::from_secs(900));
    let at = |name: &str| Path::new("/d").join(name);
    for step in steps {
        match step {
            Add(name, text) => disk.append(&at(name), text.as_bytes()).unwrap(),
            Hold(name) => {
                held.insert(name, disk.clone().open(Reach::whole(&at(name))).unwrap());
            }
            Late(name, offset, text) => disk.write(&held[name], *offset, text.as_bytes()).unwrap(),
            Move(from, to) => disk.rename(&at(from), &at(to)).unwrap(),
            MoveDir(from, to) => disk.rename(Path::new(from), Path::new(to)).unwrap(),
            Link(from, to) => disk.link(&at(from), &at(to)).unwrap(),
            Copy(from, to) => disk.append(&at(to), &disk.content(&at(from)).unwrap()).unwrap(),
            Cut(name) => disk.truncate(&at(name), 0).unwrap(),
            Delete(name) => disk.unlink(&at(name)).unwrap(),
            Pack(from, to) => {
                disk.append(&at(to), &pack(to, &disk.content(&at(from)).unwrap())).unwrap();
                disk.unlink(&at(from)).unwrap();
            }
            Chop(name, len) => disk.truncate(&at(name), disk.content(&at(name)).unwrap().len() - len).unwrap(),
            Fifo(name) => disk.mkfifo(&at(name)).unwrap(),
            Defer(calls) => disk.defer(*calls),
            Dir(name) => disk.mkdir(&at(name)).unwrap(),
            Tick(ms) => {
                bench.now = Timestamp(bench.now.0 + ms * 1000);
                disk.set_time(bench.now);
                bench.round();
            }
            Stop => bench.tail = None,
            Start => {
                disk.set_time(bench.now);
                bench.start(disk.clone());
                bench.round();
            }
            Births(keep) => disk.keep_births(*keep),
            Hints(keep) => disk.keep_hints(*keep),
            Tells(tell) => disk.tell_writes(*tell),
            LimitHints(most) => disk.limit_hints(*most),
            Overflow => disk.overflow(),
            Remount => disk.remount(),
            ShortReads(most) => disk.shorten_reads(Some(*most)),
            LimitOpen(most) => disk.limit_open(*most),
            Fail(call, name, errno) => {
                let path = name.map(at);
                disk.fail(*call, path.as_deref(), errno.raw_os_error());
            }
            Heal => {
                disk.heal();
                disk.limit_open(usize::MAX);
                disk.limit_hints(usize::MAX);
            }
        }
    }
    assert_eq!(bench.told, expected);
}

/// Compressed as the name says.
pub(super) fn pack(name: &str, text: &[u8]) -> Vec<u8> {
    if name.ends_with(".zst") {
        return ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest);
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

pub(super) const LOGS: &[&str] = &["/d/*.log"];

#[test]
fn what_is_there_at_first_sight_is_begun_by_policy_and_what_comes_later_at_its_beginning() {
    check(LOGS, &[Add("a.log", "old\nhal"), Start, Add("a.log", "f\nnew\n"), Add("b.log", "first\n"), Tick(1000)], &[
        "open 1 a.log at 7",
        "open 2 b.log at 0",
        "1:f",
        "1:new",
        "2:first",
    ]);
}

#[test]
fn case_34_a_file_that_is_born_later_is_read_from_its_beginning_also_if_nobody_looked() {
    check(LOGS, &[Start, Add("a.log", "1\n2\n"), Tick(1000)], &["open 1 a.log at 0", "1:1", "1:2"]);
    check(LOGS, &[Start, Stop, Add("a.log", "1\n2\n"), Start], &["open 1 a.log at 0", "1:1", "1:2"]);
}

#[test]
fn case_33_a_file_that_lives_for_a_quarter_of_a_second_is_read() {
    let life = [Add("p.log", "x\n"), Tick(250), Delete("p.log"), Tick(250)];
    let steps = [&[Start, Tick(1000)], &life[..], &life[..]].concat();
    check(LOGS, &steps, &["open 1 p.log at 0", "1:x", "gone 1", "open 2 p.log at 0", "2:x", "gone 2"]);
}

#[test]
fn case_28_what_an_editor_has_saved_is_a_new_content_and_its_rest_is_read_once() {
    // As `sed -i` and most editors do: a new file takes the name.
    check(LOGS, &[
        Start, Add("a.log", "1\n2\n"), Tick(1000), Add("a.tmp", "1\n2\n3\n"), Move("a.tmp", "a.log"), Tick(1000),
        Add("a.log", "4\n"), Tick(1000),
    ], &["open 1 a.log at 0", "1:1", "1:2", "replaced 1", "open 2 a.log at 0", "2:1", "2:2", "2:3", "2:4"]);
}

#[test]
fn case_12_what_is_known_of_a_file_says_of_how_many_bytes_it_is_known() {
    let disk = FakeDisk::new();
    disk.append(Path::new("/d/a.log"), &b"line\n".repeat(400)).unwrap();
    let mut bench = Bench::new(vec![Source { start: Begin::Beginning, ..source("s", LOGS) }]);
    bench.start(disk.clone());
    bench.round();
    bench.told.clear();
    for len in [64, 256, 1000] {
        // As a version would have saved it that looks at fewer bytes.
        let evidence = Evidence::take(|offset, buf| disk.clone().read_at(&disk.clone().open(Reach::whole(Path::new("/d/a.log")))?, offset, buf), len).unwrap();
        bench.saved.files.first_entry().unwrap().get_mut().head = evidence.head();
        bench.start(disk.clone());
        bench.round();
    }
    assert_eq!(bench.told, ["open 1 a.log at 2000"; 3]);
}

#[test]
fn case_1_and_2_a_reused_inode_is_another_content() {
    for births in [true, false] {
        for second in ["x\n", "much longer than before\n"] {
            let line: &'static str = second;
            let text = format!("2:{}", line.trim_end());
            check(
                LOGS,
                &[Births(births), Start, Add("a.log", "one\ntwo\n"), Tick(1000), Delete("a.log"), Tick(1000),
                  Tick(40_000), Add("a.log", line), Tick(1000)],
                &["open 1 a.log at 0", "1:one", "1:two", "gone 1", "end 1", "open 2 a.log at 0", &text],
            );
        }
    }
    let down = |births| [
        Births(births), Start, Add("a.log", "one\ntwo\n"), Tick(1000), Stop, Delete("a.log"),
        Add("a.log", "other\nlines\n"), Start, Tick(1000),
    ];
    check(LOGS, &down(true), &[
        "open 1 a.log at 0", "1:one", "1:two", "open 2 a.log at 0", "2:other", "2:lines", "lost 1 from 8", "end 1",
    ]);
    check(LOGS, &down(false), &[
        "open 1 a.log at 0", "1:one", "1:two", "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "2:other",
        "2:lines",
    ]);
}

#[test]
fn case_4_and_29_a_file_cut_and_written_again_is_read_from_its_beginning_whatever_its_size() {
    for (second, told) in [("x\n", "2:x"), ("abc\n", "2:abc"), ("longer\n", "2:longer")] {
        check(
            LOGS,
            &[Start, Add("a.log", "one\n"), Tick(1000), Cut("a.log"), Add("a.log", second), Tick(1000)],
            &["open 1 a.log at 0", "1:one", "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", told],
        );
    }
    // Of the same length, and with the same end.
    check(
        LOGS,
        &[Start, Add("a.log", "one xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"), Tick(1000), Cut("a.log"), Add("a.log", "two xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"), Add("a.log", "3\n"),
          Tick(1000)],
        &["open 1 a.log at 0", "1:one xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "2:two xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "2:3"],
    );
    // Seen, but not read in time; and cut while nobody was looking.
    check(
        LOGS,
        &[Start, Add("a.log", "one\nhalf"), Tick(1000), Cut("a.log"), Add("a.log", "x\n"), Tick(1000), Stop,
          Cut("a.log"), Add("a.log", "y\n"), Start, Tick(1000)],
        &["open 1 a.log at 0", "1:one", "cut 1 to 2 lost 4", "end 1", "open 2 a.log at 0", "2:x",
          "end 1", "cut 2 to 3 lost 0", "end 2", "open 3 a.log at 0", "3:y"],
    );
}

pub(super) const BANNER: &str = "banner banner banner banner banner banner banner banner banner banner\n";

#[test]
fn case_5_and_9_and_10_equal_heads_do_not_make_equal_files() {
    check(
        LOGS,
        &[Start, Add("a.log", BANNER), Add("a.log", "1\n"), Tick(1000), Cut("a.log"), Add("a.log", BANNER),
          Add("a.log", "2\n3\n"), Tick(1000)],
        &["open 1 a.log at 0", &format!("1:{}", BANNER.trim_end()), "1:1", "cut 1 to 2 lost 0", "end 1",
          "open 2 a.log at 0", &format!("2:{}", BANNER.trim_end()), "2:2", "2:3"],
    );
    check(LOGS, &[Start, Add("a.log", "head\n1\n"), Add("b.log", "head\n2\n"), Tick(1000)], &[
        "open 1 a.log at 0", "open 2 b.log at 0", "1:head", "1:1", "2:head", "2:2",
    ]);
    check(
        LOGS,
        &[Start, Add("a.log", "head\n1\n"), Tick(1000), Delete("a.log"), Add("b.log", "head\n1\n2\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:head", "1:1", "gone 1", "open 2 b.log at 0", "2:head", "2:1", "2:2"],
    );
}

#[test]
fn case_7_and_8_holes_are_no_lines() {
    check(
        LOGS,
        &[Start, Add("a.log", "one\ntwo\n"), Hold("a.log"), Tick(1000), Cut("a.log"), Tick(1000),
          Late("a.log", Some(8), "three\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:one", "1:two", "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "2:three"],
    );
    check(
        LOGS,
        &[Start, Add("a.log", "\0\0\0\0\0\0\0\0"), Hold("a.log"), Tick(1000), Late("a.log", Some(0), "x\n"),
          Tick(1000), Late("a.log", Some(2), "y\n"), Tick(9000)],
        &["open 1 a.log at 0", "1:x", "1:y"],
    );
}

#[test]
fn case_14_one_content_under_two_names_is_read_once() {
    check(
        LOGS,
        &[Start, Add("b.log", "1\n"), Link("b.log", "a.log"), Tick(1000), Add("b.log", "2\n"), Tick(1000),
          Delete("a.log"), Add("b.log", "3\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "1:2", "name 1 b.log", "1:3"],
    );
}

#[test]
fn case_15_late_writes_to_a_renamed_file_are_read_until_it_has_been_quiet() {
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Hold("a.log"), Tick(1000), Move("a.log", "a.1"), Add("a.log", "n\n"),
          Tick(1000), Tick(29_000), Late("a.log", None, "2\n"), Tick(900), Tick(29_000),
          Late("a.log", None, "3\nrest"), Tick(900), Tick(29_500), Tick(500), Late("a.log", None, "4\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "replaced 1", "open 2 a.log at 0", "2:n", "1:2", "1:3", "1~rest", "1$rest",
          "end 1"],
    );
}

#[test]
fn case_17_and_3_renames_inside_the_glob_neither_lose_nor_repeat() {
    check(
        &["/d/*.log*"],
        &[Start, Add("a.log", "1\n"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log.1", "2\n"),
          Add("a.log", "3\n"), Tick(1000), Move("a.log.1", "a.log.2"), Move("a.log", "a.log.1"), Tick(1000),
          Add("a.log.2", "4\n"), Add("a.log.1", "5\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "name 1 a.log.1", "open 2 a.log at 0", "1:2", "2:3", "name 2 a.log.1",
          "name 1 a.log.2", "1:4", "2:5"],
    );
    // Out of the glob and back.
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Move("a.log", "a.1"), Tick(1000), Move("a.1", "b.log"),
          Add("b.log", "2\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "gone 1", "name 1 b.log", "1:2"],
    );
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Move("a.log", "a.1"), Tick(1000), Move("a.1", "a.log"),
          Tick(1000), Tick(60_000), Add("a.log", "2\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "gone 1", "name 1 a.log", "1:2"],
    );
}

#[test]
fn a_content_replaced_between_the_look_and_the_read_does_not_pass() {
    let disk = FakeDisk::new();
    let path = Path::new("/d/a.log");
    let mut bench = Bench::new(vec![source("s", LOGS)]);
    bench.start(disk.clone());
    bench.round();
    disk.append(path, b"one\n").unwrap();
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.round();
    disk.append(path, b"two\n").unwrap();
    bench.now = bench.now.plus(Duration::from_secs(1));
    let tail = bench.tail.as_mut().unwrap();
    assert!(tail.look(bench.now, bench.now));
    assert_eq!(tail.ready().len(), 1);
    disk.truncate(path, 0).unwrap();
    disk.append(path, b"ten\nsix\n").unwrap();
    assert_eq!(tail.read(FileId(1), &mut [0; 64], bench.now), None);
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.round();
    assert_eq!(bench.told, [
        "open 1 a.log at 0", "1:one", "cut 1 to 2 lost 4", "end 1", "open 2 a.log at 0", "2:ten", "2:six",
    ]);
}

#[test]
fn case_18_and_52_what_cannot_be_seen_is_kept_and_told_once() {
    for errno in [Errno::ACCESS, Errno::IO, Errno::STALE, Errno::MFILE] {
        let words = std::io::Error::from_raw_os_error(errno.raw_os_error()).to_string();
        let blind = format!("blind d: {}", words.split(" (").next().unwrap());
        check(
            LOGS,
            &[Start, Add("a.log", "1\n"), Tick(1000), Fail(Call::List, None, errno), Add("a.log", "2\n"),
              Tick(40_000), Tick(40_000), Heal, Add("a.log", "3\n"), Tick(40_000)],
            &["open 1 a.log at 0", "1:1", &blind, "1:2", "sees d", "1:3"],
        );
    }
    check(
        LOGS,
        &[Add("a.log", "1\n"), Fail(Call::Open, Some("a.log"), Errno::ACCESS), Start, Tick(1000), Tick(1000),
          Add("a.log", "2\n"), Heal, Tick(1000)],
        &["blind a.log: Permission denied", "open 1 a.log at 0", "sees a.log", "1:1", "1:2"],
    );
    // At a restart, too.
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Stop, Add("a.log", "2\n"),
          Fail(Call::Open, Some("a.log"), Errno::ACCESS), Start, Tick(1000), Heal, Tick(1000)],
        &["open 1 a.log at 0", "1:1", "blind 1 a.log: Permission denied", "open 1 a.log at 2", "sees 1 a.log", "1:2"],
    );
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Add("a.log", "2\n"), Fail(Call::Read, Some("a.log"), Errno::IO),
          Tick(1000), Tick(5000), Heal, Tick(1000)],
        &["open 1 a.log at 0", "1:1", "blind 1 a.log: Input/output error", "sees 1 a.log", "1:2"],
    );
}

#[test]
fn case_19_and_21_a_deleted_file_is_read_to_its_end_and_its_successor_from_its_beginning() {
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Add("a.log", "2\nrest"), Delete("a.log"), Add("a.log", "n\n"),
          Tick(1000), Tick(5000), Tick(30_000)],
        &["open 1 a.log at 0", "1:1", "replaced 1", "open 2 a.log at 0", "1:2", "2:n", "1~rest", "1$rest", "end 1"],
    );
    // Without hints, a nameless file is noticed by its handle.
    check(
        LOGS,
        &[Hints(false), Start, Add("a.log", "1\n"), Tick(1000), Delete("a.log"), Tick(200), Tick(40_000)],
        &["open 1 a.log at 0", "1:1", "gone 1", "end 1"],
    );
}

#[test]
fn case_24_a_file_rotated_while_nobody_looked_is_found_under_its_new_name() {
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Stop, Add("a.log", "2\n"), Move("a.log", "a.log.1"),
          Add("a.log", "n\n"), Start, Add("a.log.1", "3\n"), Tick(1000), Stop, Start, Tick(31_000)],
        &["open 1 a.log at 0", "1:1", "open 1 a.log.1 at 2", "open 2 a.log at 0", "1:2", "2:n", "1:3",
          "open 2 a.log at 2", "open 1 a.log.1 at 6", "end 1"],
    );
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Stop, Delete("a.log"), Start, Tick(1000), Stop, Start, Tick(1000)],
        &["open 1 a.log at 0", "1:1", "lost 1 from 2", "end 1", "end 1"],
    );
}

#[test]
fn case_13_a_remount_changes_no_content() {
    check(LOGS, &[Start, Add("a.log", "1\n"), Tick(1000), Stop, Remount, Add("a.log", "2\n"), Start], &[
        "open 1 a.log at 0", "1:1", "open 1 a.log at 2", "1:2",
    ]);
}

#[test]
fn case_31_a_directory_replaced_under_its_name_is_followed() {
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Add("a.log", "2\n"), MoveDir("/d", "/old"), Tick(1000),
          Add("a.log", "3\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "gone 1", "1:2", "open 2 a.log at 0", "2:3"],
    );
}

#[test]
fn case_11_and_35_and_36_and_37_a_line_without_its_end_is_offered_early_and_read_whole_later() {
    check(
        LOGS,
        &[Start, Add("a.log", "FATAL"), Tick(1000), Tick(4999), Tick(1), Tick(60_000), Add("a.log", " end\n"),
          Tick(1000)],
        &["open 1 a.log at 0", "1~FATAL", "1:FATAL end"],
    );
    check(LOGS, &[Start, Add("a.log", "ERR"), Tick(2000), Add("a.log", "OR x\n"), Tick(9000)], &[
        "open 1 a.log at 0", "1:ERROR x",
    ]);
    check(
        LOGS,
        &[Start, Add("a.log", "1\nha"), Tick(1000), Stop, Add("a.log", "lf\n"), Start],
        &["open 1 a.log at 0", "1:1", "open 1 a.log at 2", "1:half"],
    );
}

#[test]
fn case_49_files_beyond_the_limit_wait_and_the_others_work() {
    check(
        LOGS,
        &[Start, LimitOpen(1), Add("a.log", "1\n"), Add("b.log", "2\n"), Tick(1000), Add("a.log", "3\n"), Tick(1000),
          Tick(1000), Heal, Tick(500), Tick(1500)],
        &["open 1 a.log at 0", "blind b.log: Too many open files", "1:1", "1:3", "open 2 b.log at 0", "sees b.log",
          "2:2"],
    );
}

#[test]
fn case_51_a_forgotten_handle_is_opened_again_at_the_same_byte() {
    check(
        LOGS,
        &[Start, Add("a.log", "1\n"), Tick(1000), Fail(Call::Stat, Some("a.log"), Errno::STALE), Add("a.log", "2\n"),
          Tick(500), Heal, Tick(1000), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "blind 1 a.log: Stale file handle", "sees 1 a.log", "1:2"],
    );
}

#[test]
fn case_55_what_is_no_regular_file_is_told_once_and_never_opened() {
    check(
        LOGS,
        &[Fifo("p.log"), Dir("y.log"), Fail(Call::Open, Some("p.log"), Errno::IO), Start, Tick(1000), Tick(1000),
          Delete("y.log"), Add("y.log", "1\n"), Tick(1000)],
        &["odd p.log", "odd y.log", "open 1 y.log at 0", "1:1"],
    );
}

#[test]
fn short_reads_change_nothing() {
    check(LOGS, &[ShortReads(1), Start, Add("a.log", "one\ntwo\nthr"), Tick(1000), Add("a.log", "ee\n"), Tick(1000)], &[
        "open 1 a.log at 0", "1:one", "1:two", "1:three",
    ]);
}

#[test]
fn a_reload_keeps_what_still_fits_and_ends_what_does_not() {
    let disk = FakeDisk::new();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log"]), source("t", &["/d/a.*"])]);
    disk.append(Path::new("/d/a.log"), b"old\n").unwrap();
    disk.append(Path::new("/d/b.log"), b"old\n").unwrap();
    bench.start(disk.clone());
    bench.round();
    bench.sources = vec![source("s", &["/d/a.*"]), source("u", &["/d/b.log"])];
    let tail = bench.tail.as_mut().unwrap();
    tail.reload(&bench.sources, bench.now);
    disk.append(Path::new("/d/a.log"), b"1\n").unwrap();
    bench.now = bench.now.plus(Duration::from_secs(1));
    bench.round();
    assert_eq!(bench.told, [
        "open 1 a.log at 4", "open 2 b.log at 4", "open 3 a.log at 4", "end 2", "end 3", "open 4 b.log at 4", "1:1",
    ]);
    let tail = bench.tail.as_ref().unwrap();
    assert_eq!(tail.phase(FileId(1)), Phase::AtEnd);
    assert_eq!((tail.phase(FileId(2)), tail.save(FileId(2), 4, false)), (Phase::Ended, None));
}

#[test]
fn rotation_truncation_and_restart_on_the_real_disk() {
    use super::RealDisk;
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let write = |name: &str, text: &str, anew: bool| {
        use std::io::Write;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).append(!anew).truncate(anew).create(true).open(path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let add = |name: &str, text: &str| write(name, text, false);
    let mut source = source("s", &[]);
    source.files = vec![path("*.log")];
    let mut bench: Bench<RealDisk> = Bench::new(vec![source]);
    add("a.log", "old\n");
    bench.now = Timestamp::from_secs(4_000_000_000);
    let round = |bench: &mut Bench<RealDisk>| {
        bench.now = bench.now.plus(Duration::from_secs(2));
        bench.round();
        std::mem::take(&mut bench.told)
    };
    bench.start(RealDisk::new());
    assert_eq!(round(&mut bench), ["open 1 a.log at 4"]);
    add("a.log", "1\n");
    std::fs::rename(path("a.log"), path("a.1")).unwrap();
    add("a.1", "2\n");
    add("a.log", "3\n");
    assert_eq!(round(&mut bench), ["replaced 1", "open 2 a.log at 0", "1:1", "1:2", "2:3"]);
    std::fs::copy(path("a.log"), path("a.2")).unwrap();
    write("a.log", "4\n5\n", true);
    assert_eq!(round(&mut bench), ["cut 2 to 3 lost 0", "end 2", "open 3 a.log at 0", "3:4", "3:5"]);
    bench.tail = None;
    add("a.log", "6\n");
    std::fs::rename(path("a.log"), path("a.3")).unwrap();
    add("a.log", "7\n");
    bench.start(RealDisk::new());
    assert_eq!(round(&mut bench), [
        "end 2", "open 3 a.3 at 4", "open 1 a.1 at 8", "open 4 a.log at 0", "3:6", "4:7",
    ]);
}

#[test]
fn what_was_rotated_through_a_name_between_two_looks_is_found_beside_it() {
    check(
        &["/d/*.log"],
        &[
            Start, Add("a.log", "1\n"), Tick(100),
            Move("a.log", "a.log.1"), Add("a.log", "2\n"), Move("a.log", "a.log.2"), Add("a.log", "3\n"), Tick(1100),
        ],
        &["open 1 a.log at 0", "1:1", "replaced 1", "open 2 a.log.2 at 0", "open 3 a.log at 0", "2:2", "3:3"],
    );
    // The same while nobody looked at all, twice over.
    check(
        &["/d/*.log"],
        &[
            Start, Add("a.log", "1\n"), Tick(100), Stop,
            Move("a.log", "a.log.1"), Add("a.log", "2\n"), Move("a.log", "a.log.2"),
            Add("a.log", "3\n"), Move("a.log", "a.log.3"), Add("a.log", "4\n"), Start, Tick(100),
        ],
        &[
            "open 1 a.log at 0", "1:1", "open 1 a.log.1 at 2", "open 2 a.log.2 at 0", "open 3 a.log.3 at 0",
            "open 4 a.log at 0", "2:2", "3:3", "4:4",
        ],
    );
}

#[test]
fn what_lies_beside_a_name_and_never_had_it_is_left_alone() {
    let long = "a line that is long enough to be told apart from all others, and then some\n";
    // A copy that was made before the name was last seen, and files of other names.
    check(
        &["/d/*.log"],
        &[
            Start, Add("a.log", "1\n"), Tick(100), Copy("a.log", "a.log.1"), Add("other", "x\n"), Tick(1100),
            Move("a.log", "a.log.2"), Add("a.log", "2\n"), Add("b.txt", "x\n"), Tick(1100),
        ],
        &["open 1 a.log at 0", "1:1", "replaced 1", "open 2 a.log at 0", "2:2"],
    );
    // A copy that was made at the very moment of the rotation.
    let line = format!("1:{}", long.trim_end());
    check(
        &["/d/*.log"],
        &[
            Start, Add("a.log", long), Add("a.log", long), Tick(100),
            Copy("a.log", "a.log.bak"), Add("a.log", "2\n"), Move("a.log", "a.log.1"), Add("a.log", "3\n"), Tick(1100),
        ],
        &["open 1 a.log at 0", &line, &line, "replaced 1", "open 2 a.log at 0", "1:2", "2:3"],
    );
}

#[test]
fn a_file_that_is_renamed_in_the_middle_of_a_look_is_not_lost() {
    let begin = ["open 1 a.log at 0", "1:1"];
    for calls in 0..12 {
        let end = if calls < 3 { &["open 1 a.1 at 2", "1:2"][..] } else { &["open 1 a.log at 2", "1:2", "gone 1"] };
        check(
            LOGS,
            &[Start, Add("a.log", "1\n"), Tick(1000), Stop, Add("a.log", "2\n"), Defer(calls), Move("a.log", "a.1"),
              Start, Tick(1000), Tick(1000)],
            &[&begin, end].concat(),
        );
    }
}

#[test]
fn what_is_rotated_after_its_directory_was_listed_for_another_name_is_read_once() {
    for calls in 0..40 {
        let disk = FakeDisk::new();
        let at = |name: &str| Path::new("/d").join(name);
        disk.mkdir(Path::new("/d")).unwrap();
        let mut bench = Bench::new(vec![source("s", LOGS)]);
        bench.start(disk.clone());
        bench.pass(&disk, 0);
        disk.append(&at("b.log"), b"0\n").unwrap();
        bench.pass(&disk, 1000);
        // What is new in `a.log` makes the directory be listed.
        disk.append(&at("a.log"), b"new\n").unwrap();
        disk.rename(&at("b.log"), &at("b.log.1")).unwrap();
        disk.append(&at("b.log"), b"1\n").unwrap();
        disk.defer(calls);
        disk.rename(&at("b.log"), &at("b.log.2")).unwrap();
        disk.append(&at("b.log"), b"2\n").unwrap();
        bench.pass(&disk, 1000);
        disk.catch_up();
        (0..2).for_each(|_| bench.pass(&disk, 1000));
        let mut lines: Vec<&str> =
            bench.told.iter().filter_map(|told| Some(told.split_once(':')?.1)).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["0", "1", "2", "new"], "after {calls} calls: {:?}", bench.told);
    }
}

#[test]
fn what_is_rotated_through_a_name_in_the_middle_of_a_look_is_read_once() {
    let run = |globs: &[&str], calls: usize, before: usize, shift: bool| {
        let disk = FakeDisk::new();
        let at = |name: &str| Path::new("/d").join(name);
        disk.mkdir(Path::new("/d")).unwrap();
        let mut bench = Bench::new(vec![source("s", globs)]);
        let mut tick = |ms: u64| {
            bench.now = bench.now.plus(Duration::from_millis(ms));
            disk.set_time(bench.now);
            if bench.tail.is_none() {
                bench.start(disk.clone());
            }
            bench.round();
        };
        tick(0);
        disk.append(&at("a.log"), b"0\n").unwrap();
        tick(1000);
        for (number, (name, line)) in
            [("a.log.1", b"1\n"), ("a.log.2", b"2\n"), ("a.log.3", b"3\n")].into_iter().enumerate()
        {
            if number == before {
                disk.defer(calls);
            }
            disk.rename(&at("a.log"), &at(name)).unwrap();
            disk.append(&at("a.log"), line).unwrap();
        }
        if shift {
            disk.defer(calls);
            for (from, to) in [("a.log.3", "a.log.4"), ("a.log.2", "a.log.3"), ("a.log.1", "a.log.2")] {
                disk.rename(&at(from), &at(to)).unwrap();
            }
        }
        tick(1000);
        disk.catch_up();
        tick(1000);
        tick(1000);
        let lines = bench.told.iter().filter_map(|told| told.split_once(':'));
        let lines: Vec<&str> = lines.map(|(_, line)| line).collect();
        let about = format!("after {calls} calls and {before} rotations, {shift}: {:?}", bench.told);
        assert_eq!(lines, ["0", "1", "2", "3"], "{about}");
    };
    for calls in 0..40 {
        for before in 0..3 {
            run(LOGS, calls, before, false);
        }
        run(LOGS, calls, 3, true);
        run(&["/d/a.*", "!*.log.*"], calls, 1, false);
    }
}

#[test]
fn what_went_through_a_name_that_had_nothing_before_is_found_too() {
    let rotations = [
        Add("a.log", "1\n"), Move("a.log", "a.log.1"), Add("a.log", "2\n"), Move("a.log", "a.log.2"), Add("a.log", "3\n"),
    ];
    let found = ["open 1 a.log.1 at 0", "open 2 a.log.2 at 0", "open 3 a.log at 0", "1:1", "2:2", "3:3"];
    check(&["/d/a.log"], &[Start].into_iter().chain(rotations).chain([Tick(1000)]).collect::<Vec<_>>(), &found);
    let rotations = [
        Add("a.log", "1\n"), Move("a.log", "a.log.1"), Add("a.log", "2\n"), Move("a.log", "a.log.2"), Add("a.log", "3\n"),
    ];
    check(
        &["/d/a.log"],
        &[Start, Tick(1000), Stop].into_iter().chain(rotations).chain([Start]).collect::<Vec<_>>(),
        &found,
    );
    // Rotated away while nobody looked, before its successor came.
    check(
        &["/d/a.log"],
        &[Start, Tick(1000), Stop, Add("a.log", "1\n"), Move("a.log", "a.log.1"), Start, Tick(1000), Tick(1000),
          Add("a.log", "2\n"), Tick(1000)],
        &["open 1 a.log.1 at 0", "open 2 a.log at 0", "1:1", "2:2"],
    );
}

#[test]
fn what_is_named_otherwise_or_packed_never_went_through_a_name() {
    check(
        &["/d/a.log*", "!*.1", "!*.debug", "!*2", "!*.gz"],
        &[Start, Add("a.log", "1\n"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log.debug", "x\n"), Add("a.log2", "x\n"), Add("a.log.2.gz", "x\n"), Add("a.log", "2\n"), Tick(1000)],
        &["open 1 a.log at 0", "1:1", "replaced 1", "open 2 a.log at 0", "2:2"],
    );
}
