//! The same of many rotations at once, which are faster than looks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bench::{Bench, source};
use super::fake::FakeDisk;

fn at(name: &str) -> PathBuf {
    Path::new("/d").join(name)
}

/// `/d/*.log`, with one quiet file.
fn world() -> (FakeDisk, Bench<FakeDisk>) {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log"])]);
    disk.set_time(bench.now);
    bench.start(disk.clone());
    bench.round();
    disk.append(&at("a.log"), b"").unwrap();
    bench.pass(&disk, 1000);
    bench.told.clear();
    (disk, bench)
}

#[test]
fn case_30_what_goes_through_a_name_soon_after_another_file_was_born_in_the_middle_of_a_look_is_read() {
    for ms in 0..50 {
        let (disk, mut bench) = world();
        // The look takes longer than a moment: when it opens this file, its clock is behind.
        disk.set_time(bench.now.plus(Duration::from_millis(1050)));
        disk.append(&at("b.log"), b"").unwrap();
        bench.now = bench.now.plus(Duration::from_millis(1000));
        bench.round();
        disk.set_time(bench.now.plus(Duration::from_millis(50 + ms)));
        for (name, line) in [("a.log.1", b"1\n"), ("a.log.2", b"2\n"), ("a.log.3", b"3\n")] {
            disk.rename(&at("a.log"), &at(name)).unwrap();
            disk.append(&at("a.log"), line).unwrap();
        }
        bench.pass(&disk, 1000);
        bench.pass(&disk, 1000);
        let mut lines: Vec<&str> = bench.told.iter().filter_map(|told| Some(told.split_once(':')?.1)).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1", "2", "3"], "{ms} ms later: {:?}", bench.told);
    }
}

#[test]
fn what_is_not_the_copy_of_a_file_without_a_handle_is_not_held_back() {
    let disk = FakeDisk::new();
    disk.mkdir(Path::new("/d")).unwrap();
    let mut bench = Bench::new(vec![source("s", &["/d/*.log*"])]);
    disk.set_time(bench.now);
    bench.start(disk.clone());
    bench.round();
    bench.tail.as_mut().unwrap().limit_handles(2);
    for name in ["a.log", "b.log", "c.log", "d.log"] {
        disk.append(&at(name), format!("{name} begins\n").as_bytes()).unwrap();
        bench.pass(&disk, 5000);
    }
    assert!(bench.tail.as_ref().unwrap().resting.get(crate::model::FileId(1)).is_some());
    disk.append(&at("a.log.1"), b"other\n").unwrap();
    bench.pass(&disk, 100);
    assert!(bench.told.iter().any(|told| told.ends_with(":other")), "{:?}", bench.told);
}

#[test]
fn case_6_and_30_what_came_and_was_cut_away_between_two_looks_is_counted_as_a_cut() {
    let (disk, mut bench) = world();
    disk.append(&at("a.log"), b"never seen\n").unwrap();
    disk.truncate(&at("a.log"), 0).unwrap();
    bench.pass(&disk, 5000);
    disk.append(&at("a.log"), b"1\n").unwrap();
    bench.pass(&disk, 5000);
    bench.pass(&disk, 5000);
    assert_eq!(bench.told, ["short 1 lost 0", "1:1"]);
}

#[test]
fn names_and_contents_that_change_all_the_time_do_not_cost_a_sweep_at_each_look() {
    let (disk, mut bench) = world();
    let mut sweeps = Vec::new();
    for number in 0..1000 {
        let (name, next) = (at(&format!("{number}.log")), at(&format!("{}.log", number + 1)));
        match number % 3 {
            0 => disk.append(&next, b"deleted\n").unwrap(),
            1 => disk.unlink(&name).unwrap(),
            _ => disk.truncate(&at("a.log"), 0).unwrap(),
        }
        disk.append(&at("a.log"), format!("{number}\n").as_bytes()).unwrap();
        bench.pass(&disk, 1);
        sweeps.extend(bench.tail.as_ref().unwrap().swept);
    }
    sweeps.dedup();
    assert!((20..=100).contains(&sweeps.len()), "{} in a second", sweeps.len());
}

#[test]
fn files_that_are_held_for_what_they_may_still_say_take_no_handle_from_quiet_ones() {
    let (disk, mut bench) = world();
    bench.tail.as_mut().unwrap().handles.quiet = 8;
    for number in 0..40 {
        let name = at(&format!("{number}.log"));
        disk.append(&name, b"1\n").unwrap();
        bench.pass(&disk, 500);
        disk.unlink(&name).unwrap();
        bench.pass(&disk, 100);
    }
    assert!(disk.open_files() > 16, "{}", disk.open_files());
    disk.append(&at("a.log"), b"last\n").unwrap();
    disk.unlink(&at("a.log")).unwrap();
    bench.told.clear();
    bench.pass(&disk, 100);
    assert!(bench.told.iter().any(|told| told == "1:last"), "{:?}", bench.told);
}
