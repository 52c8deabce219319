//! The same of more files than handles.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::bench::{Bench, source};
use super::fake::{Call, FakeDisk};
use super::Phase;

fn at(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

/// So many files with a line each, followed from their ends with so many handles.
fn world(files: usize, handles: usize) -> (FakeDisk, Bench<FakeDisk>) {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    (0..files).for_each(|number| disk.append(&at(&format!("{number}.log")), b"old\n").unwrap());
    let mut bench = Bench::new(vec![source("s", &["/d/*.log"])]);
    bench.start(disk.clone());
    bench.tail.as_mut().unwrap().limit_handles(handles);
    bench.pass(&disk, 0);
    bench.pass(&disk, 60_000);
    bench.told.clear();
    (disk, bench)
}

/// How many lines were told, each once.
fn lines(told: &[String]) -> usize {
    let mut lines: Vec<&str> = told.iter().filter(|told| !told.starts_with("blind")).filter_map(|line| Some(line.split_once(':')?.1)).collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "each once: {told:?}");
    all
}

#[test]
fn files_that_were_written_at_first_sight_and_are_quiet_later_give_up_their_handles() {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log"])]);
    bench.quiet = 8;
    disk.set_time(bench.now);
    (0..40).for_each(|number| disk.append(&at(&format!("{number}.log")), b"just now\n").unwrap());
    bench.now = bench.now.plus(Duration::from_millis(500));
    bench.start(disk.clone());
    bench.pass(&disk, 0);
    let open = |bench: &Bench<FakeDisk>| bench.tail.as_ref().unwrap().schedule.len();
    assert!(open(&bench) <= 10, "{}", open(&bench));
    // Those that go on are told at once.
    for number in [0, 39] {
        disk.append(&at(&format!("{number}.log")), format!("{number}\n").as_bytes()).unwrap();
        bench.pass(&disk, 100);
    }
    assert_eq!(lines(&bench.told), 2, "{:?}", bench.told);
    // Whoever comes later is awaited for a second.
    (40..80).for_each(|number| disk.append(&at(&format!("{number}.log")), format!("{number}\n").as_bytes()).unwrap());
    bench.pass(&disk, 100);
    assert!(open(&bench) > 40, "{}", open(&bench));
    let next = bench.tail.as_ref().unwrap().next_wake().since(bench.now);
    assert!(next <= Duration::from_secs(1), "{next:?}");
    bench.pass(&disk, 1000);
    bench.pass(&disk, 1000);
    assert!(open(&bench) <= 8, "{}", open(&bench));
    assert_eq!(lines(&bench.told), 42);
}

#[test]
fn what_gives_up_its_handle_between_two_sweeps_and_gets_no_hint_is_looked_for_soon() {
    for watches in [usize::MAX, 4] {
        let disk = FakeDisk::new();
        disk.mkdir(Path::new("/d")).unwrap();
        let mut bench = Bench::new(vec![source("s", &["/d/*.log"])]);
        bench.quiet = 8;
        disk.set_time(bench.now);
        bench.start(disk.clone());
        bench.pass(&disk, 1000);
        disk.limit_hints(watches);
        (0..40).for_each(|number| disk.append(&at(&format!("{number}.log")), format!("{number}\n").as_bytes()).unwrap());
        // The last sweep for several seconds sees them busy; a second later they are not.
        bench.pass(&disk, 100);
        bench.pass(&disk, 1100);
        assert!(bench.tail.as_ref().unwrap().schedule.len() <= 8);
        bench.told.clear();
        (0..40).for_each(|number| disk.append(&at(&format!("{number}.log")), format!("{number}\n").as_bytes()).unwrap());
        bench.pass(&disk, 250);
        bench.pass(&disk, 20);
        assert_eq!(lines(&bench.told), 40, "{watches}: {:?}", bench.told);
    }
}

#[test]
fn case_22_what_is_written_at_any_moment_of_giving_up_a_handle_is_told_once() {
    for hints in [true, false] {
        let mut parked = 0;
        for calls in 0..60 {
            let (disk, mut bench) = world(2, 2);
            disk.keep_hints(hints);
            disk.append(&at("new.log"), b"").unwrap();
            disk.defer(calls);
            disk.append(&at("0.log"), b"late\n").unwrap();
            bench.pass(&disk, 1000);
            parked += usize::from(bench.tail.as_ref().unwrap().resting.len() > 0);
            disk.catch_up();
            bench.pass(&disk, 250);
            bench.pass(&disk, 1000);
            assert_eq!(lines(&bench.told), 1, "{hints} {calls}: {:?}", bench.told);
            assert!(disk.open_files() <= 2);
        }
        assert!(parked > 30, "{parked}");
    }
}

#[test]
fn case_22_what_is_written_to_a_file_without_a_handle_right_before_it_is_deleted_is_told_to_be_lost() {
    let (disk, mut bench) = world(40, 8);
    for number in 0..40 {
        let name = at(&format!("{number}.log"));
        disk.append(&name, format!("last words of {number}\n").as_bytes()).unwrap();
        disk.unlink(&name).unwrap();
    }
    (0..4).for_each(|_| bench.pass(&disk, 1000));
    let lost = bench.told.iter().filter(|told| told.starts_with("lost")).count();
    bench.told.retain(|told| told.contains("last words"));
    let read = lines(&bench.told);
    assert!((1..=8).contains(&read), "{:?}", bench.told);
    assert_eq!(lost, 40 - read);
}

#[test]
fn case_23_many_times_as_many_files_as_handles_are_all_read_soon_after_they_are_all_written() {
    let (disk, mut bench) = world(600, 30);
    for turn in 0..2 {
        for number in 0..600 {
            disk.append(&at(&format!("{number}.log")), format!("{turn} {number}\n").as_bytes()).unwrap();
        }
        for _ in 0..30 {
            bench.pass(&disk, 100);
            assert!(disk.open_files() <= 30);
        }
        assert_eq!(lines(&bench.told), 600 * (turn + 1));
    }
}

#[test]
fn case_23_files_that_are_unread_at_first_sight_wait_for_their_turn_and_begin_where_they_should() {
    let disk = FakeDisk::new();
    for number in 0..200 {
        disk.append(&at(&format!("{number}.log")), format!("{number} one\n{number} two\n").as_bytes()).unwrap();
    }
    let begin = crate::settings::Start::Last(8);
    let mut bench = Bench::new(vec![crate::settings::Source { start: begin, ..source("s", &["/d/*.log"]) }]);
    bench.start(disk.clone());
    bench.tail.as_mut().unwrap().limit_handles(16);
    for _ in 0..30 {
        bench.pass(&disk, 100);
        assert!(disk.open_files() <= 16);
    }
    assert_eq!(lines(&bench.told), 200);
    assert!(!bench.told.iter().any(|line| line.ends_with("one")));
}

#[test]
fn case_49_handles_that_others_have_taken_delay_and_lose_nothing() {
    let (disk, mut bench) = world(500, 32);
    assert!(disk.open_files() <= 32);
    for turn in 0..20 {
        // Others take nearly all there are, and give them back.
        disk.limit_open(if turn % 4 < 2 { 2 } else { 64 });
        for number in 0..50 {
            disk.append(&at(&format!("{}.log", number * 10)), format!("{turn} {number}\n").as_bytes()).unwrap();
        }
        bench.pass(&disk, 500);
    }
    disk.limit_open(usize::MAX);
    for _ in 0..50 {
        bench.pass(&disk, 1000);
    }
    assert_eq!(lines(&bench.told), 20 * 50);
    assert!(disk.open_files() <= 32);
    let tail = bench.tail.as_ref().unwrap();
    assert!(tail.status().all(|file| file.phase == Phase::AtEnd && file.problem.is_none()));
}

#[test]
fn case_53_quiet_files_have_few_handles_and_are_left_alone() {
    let (disk, mut bench) = world(800, usize::MAX);
    assert!(disk.open_files() <= 512);
    bench.pass(&disk, 60_000);
    // A turn of all that is due in a second, whatever that is.
    let begin = bench.now;
    let mut turns = 0;
    while bench.now.since(begin).as_secs() < 20 {
        let wake = bench.tail.as_ref().unwrap().next_wake();
        let ms = i64::try_from(wake.since(bench.now).as_millis()).unwrap();
        bench.pass(&disk, ms.max(1));
        turns += 1;
    }
    assert!(turns <= 2 * 20 + 2, "{turns}");
    assert!(bench.told.is_empty(), "{:?}", bench.told);
}

#[test]
fn a_file_without_a_handle_is_found_again_under_any_name_of_its_directory() {
    let (disk, mut bench) = world(20, 8);
    let parked = |bench: &Bench<FakeDisk>| bench.tail.as_ref().unwrap().resting.get(crate::model::FileId(1)).is_some();
    assert!(parked(&bench));
    disk.rename(&at("0.log"), &at("0.1")).unwrap();
    disk.append(&at("0.log"), b"next\n").unwrap();
    disk.append(&at("0.1"), b"late\n").unwrap();
    bench.pass(&disk, 20);
    bench.pass(&disk, 1000);
    assert_eq!(bench.told, ["name 1 0.1", "open 21 0.log at 0", "1:late", "21:next"]);
}

#[test]
fn a_quiet_file_without_a_handle_that_is_deleted_is_no_loss_and_one_that_was_written_is() {
    for (written, told) in [(false, ["gone 1", "end 1"]), (true, ["lost 1 from 4", "end 1"])] {
        let (disk, mut bench) = world(20, 8);
        if written {
            disk.append(&at("0.log"), b"late\n").unwrap();
        }
        disk.unlink(&at("0.log")).unwrap();
        for _ in 0..8 {
            bench.pass(&disk, 100);
        }
        assert_eq!(bench.told, told);
    }
}

#[test]
fn a_file_that_can_not_be_opened_when_it_is_written_is_told_and_read_later() {
    let (disk, mut bench) = world(20, 8);
    disk.fail(Call::Open, Some(&at("0.log")), Errno::ACCESS.raw_os_error());
    disk.append(&at("0.log"), b"late\n").unwrap();
    bench.pass(&disk, 20);
    assert_eq!(bench.told, ["blind 1 0.log: Permission denied"]);
    disk.heal();
    bench.pass(&disk, 1000);
    assert_eq!(bench.told[1..], ["sees 1 0.log", "1:late"]);
}

#[test]
fn another_content_in_the_place_of_one_without_a_handle_is_read_from_its_beginning() {
    let (disk, mut bench) = world(20, 8);
    disk.truncate(&at("0.log"), 0).unwrap();
    disk.append(&at("0.log"), b"new\nlonger\n").unwrap();
    bench.pass(&disk, 20);
    assert_eq!(bench.told, ["cut 1 to 21 lost 0", "end 1", "open 21 0.log at 0", "21:new", "21:longer"]);
}

#[test]
fn case_23_files_that_end_in_half_a_line_or_in_a_record_that_may_go_on_keep_no_handle_from_others() {
    for joins in [false, true] {
        let disk = FakeDisk::new();
        for number in 0..40 {
            let text = format!("{number} one\n{number} half");
            disk.append(&at(&format!("{number}.log")), text.as_bytes()).unwrap();
        }
        let mut source = source("s", &["/d/*.log"]);
        source.start = crate::settings::Start::Beginning;
        source.multiline = joins.then(|| crate::rule::Preset::Indented.multiline());
        let mut bench = Bench::new(vec![source]);
        bench.start(disk.clone());
        bench.tail.as_mut().unwrap().limit_handles(8);
        for _ in 0..60 {
            bench.pass(&disk, 1000);
            assert!(disk.open_files() <= 8);
        }
        let tail = bench.tail.as_ref().unwrap();
        assert_eq!((tail.status().count(), tail.resting.len() >= 32), (40, true));
        bench.told.clear();
        for number in 0..40 {
            disk.append(&at(&format!("{number}.log")), b" more\nlast\n").unwrap();
        }
        for _ in 0..60 {
            bench.pass(&disk, 1000);
        }
        for number in 0..40 {
            let whole = format!(":{number} half more");
            let told = bench.told.iter().filter(|told| told.ends_with(&whole));
            assert_eq!(told.count(), 1, "{joins} {number}: {:?}", bench.told);
        }
    }
}

#[test]
fn what_was_deleted_without_a_handle_makes_no_file_wait_that_may_be_its_copy() {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log*"])]);
    bench.quiet = 8;
    for number in 0..40 {
        disk.append(&at(&format!("{number}.log")), format!("{number} {}\n", "x".repeat(200)).as_bytes()).unwrap();
    }
    bench.start(disk.clone());
    bench.pass(&disk, 0);
    bench.pass(&disk, 60_000);
    bench.told.clear();
    for number in 0..40 {
        disk.unlink(&at(&format!("{number}.log"))).unwrap();
        disk.append(&at(&format!("{number}.log.1")), b"short\n").unwrap();
    }
    (0..3).for_each(|_| bench.pass(&disk, 100));
    let told = bench.told.iter().filter(|told| told.ends_with(":short")).count();
    assert_eq!(told, 40, "{:?}", bench.told);
}
