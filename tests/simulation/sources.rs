//! What tripline says of its own sources: raised, ended, once, also over restarts.

use std::path::Path;

use tripline::daemon::core::{Core, Now, Remark};
use tripline::model::{SourceName, Timestamp};
use tripline::store::crash::CrashDisk;
use tripline::tail::fake::{Call, FakeDisk};

use super::directed::start_as;

const SETTINGS: &str = "[admin]\nlisten = \"off\"\n[[source]]\nname = \"s\"\nfiles = [\"/s/*.log\"]\n\
                        start = \"beginning\"\ntz = \"UTC\"\nblind_after = \"1m\"\nlagging_after = \"1m\"\n";
const FILE: &str = "/s/a.log";
const EACCES: i32 = 13;

/// 2026-03-01T00:00:20Z.
const START: i64 = 1_772_323_220_000_000;

struct World {
    disk: FakeDisk,
    power: CrashDisk,
    core: Option<Core<FakeDisk>>,
    settings: String,
    seconds: i64,
}

impl World {
    fn new(settings: &str) -> World {
        let (disk, power) = (FakeDisk::new(), CrashDisk::new(1));
        disk.set_time(Timestamp(START));
        disk.mkdir(Path::new("/s")).expect("an empty disk");
        let mut world = World { disk, power, core: None, settings: settings.to_owned(), seconds: 0 };
        world.start();
        world
    }

    fn now(&self) -> Now {
        let time = Timestamp(START + self.seconds * 1_000_000);
        self.disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    }

    fn start(&mut self) {
        self.core = Some(start_as(&self.settings, &self.disk, &self.power, self.now()));
    }

    /// A process that dies, and the next one.
    fn crash(&mut self) {
        self.power = self.power.crash();
        self.core = None;
        self.start();
    }

    fn append(&self, bytes: &str) {
        self.disk.append(Path::new(FILE), bytes.as_bytes()).expect("a file");
    }

    /// What is said within so many seconds, a step in each, and after how many.
    fn pass(&mut self, seconds: i64) -> Vec<(i64, String)> {
        let mut said = Vec::new();
        for second in 1..=seconds {
            self.seconds += 1;
            let now = self.now();
            let step = self.core.as_mut().expect("it runs").step(now);
            for remark in step.remarks {
                if let Remark::Transition(t) = remark {
                    assert_eq!(t.labels.get("source").map(String::as_str), Some("s"));
                    said.push((second, format!("{} {}: {}", t.key.rule, t.status.as_str(), t.summary)));
                }
            }
        }
        said
    }
}

fn check(said: &[(i64, String)], expected: &[(i64, &str)]) {
    let said: Vec<(i64, &str)> = said.iter().map(|(second, text)| (*second, text.as_str())).collect();
    assert_eq!(said, expected);
}

const DENIED: &str =
    "tripline_source_blind warning: source s is blind: `/s/a.log`: Permission denied (os error 13)";
const SEEN: &str = "tripline_source_blind ok: source s is blind: `/s/a.log`: Permission denied (os error 13)";

#[test]
fn case_52_a_source_that_can_not_be_read_for_long_is_told_once_and_until_it_can() {
    let mut world = World::new(SETTINGS);
    world.append("one\n");
    check(&world.pass(2), &[]);
    let deny = |world: &World| world.disk.fail(Call::Stat, Some(Path::new(FILE)), EACCES);
    // Too short, again and again.
    for _ in 0..3 {
        deny(&world);
        check(&world.pass(50), &[]);
        world.disk.heal();
        check(&world.pass(50), &[]);
    }
    deny(&world);
    check(&world.pass(600), &[(61, DENIED)]);
    world.disk.heal();
    check(&world.pass(600), &[(1, SEEN)]);
}

#[test]
fn a_source_that_is_blind_over_a_restart_is_told_once() {
    let mut world = World::new(SETTINGS);
    world.append("one\n");
    world.disk.fail(Call::Open, Some(Path::new(FILE)), EACCES);
    check(&world.pass(100), &[(61, DENIED)]);
    world.crash();
    world.disk.fail(Call::Open, Some(Path::new(FILE)), EACCES);
    check(&world.pass(200), &[]);
    world.crash();
    world.disk.heal();
    check(&world.pass(200), &[(1, SEEN)]);
}

#[test]
fn a_source_without_a_file_is_told_until_one_comes() {
    let none = "source s is blind: no file fits its `files`";
    let mut world = World::new(SETTINGS);
    check(&world.pass(200), &[(61, &format!("tripline_source_blind warning: {none}"))]);
    world.append("one\n");
    check(&world.pass(200), &[(1, &format!("tripline_source_blind ok: {none}"))]);
    let mut silent = World::new(&SETTINGS.replace("blind_after = \"1m\"", "blind_after = \"never\""));
    check(&silent.pass(200), &[]);
}

#[test]
fn a_source_that_is_written_faster_than_it_is_read_is_told_until_it_is_read_to_its_end() {
    let mut world = World::new(SETTINGS);
    // A step reads 4 MiB.
    let more = format!("{}\n", "x".repeat(63)).repeat(5 * 1024 * 1024 / 64);
    let mut said = Vec::new();
    for second in 0..400 {
        world.append(&more);
        said.extend(world.pass(1).into_iter().map(|(_, text)| (second, text)));
        if !said.is_empty() {
            break;
        }
    }
    let [(second, text)] = &said[..] else { panic!("{said:?}") };
    assert!(
        text.starts_with("tripline_lagging warning: source s is written faster than it is read: "),
        "{text}"
    );
    assert!(*second >= 60, "{second}");
    let ends: Vec<String> = world.pass(600).into_iter().map(|(_, text)| text).collect();
    let [end] = &ends[..] else { panic!("{ends:?}") };
    assert!(end.starts_with("tripline_lagging ok: "), "{end}");
}

#[test]
fn lost_bytes_are_counted_by_reason_and_told_as_one_alert() {
    for (line, told) in [("", true), ("tell_lost = false\n", false)] {
        let mut world = World::new(&format!("{SETTINGS}{line}"));
        world.append("");
        world.pass(2);
        let mut said = Vec::new();
        for _ in 0..3 {
            world.disk.fail(Call::Read, Some(Path::new(FILE)), 5);
            world.append("seven!\n");
            said.extend(world.pass(2));
            world.disk.truncate(Path::new(FILE), 0).expect("a file");
            said.extend(world.pass(2));
            world.disk.heal();
            said.extend(world.pass(2));
        }
        let words = "tripline_lost_bytes warning: source s has lost bytes before they were read: 7 bytes of \
                     `/s/a.log`: the file was cut or written anew";
        assert_eq!(
            said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            [words][..usize::from(told)]
        );
        let counts = world.core.as_ref().expect("it runs").source_counts(&SourceName::new("s"));
        assert_eq!((counts.lost_bytes, counts.truncations), ([21, 0, 0, 0, 0], 3));
    }
}
