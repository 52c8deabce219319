//! Worlds that chance would have to build for too long.

use std::io::Write as _;
use std::path::Path;

use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::daemon::core::{Core, Now, Remark, Setup};
use tripline::model::{SourceName, Timestamp};
use tripline::store::Store;
use tripline::store::crash::CrashDisk;
use tripline::tail::fake::FakeDisk;

const SETTINGS: &str = "[admin]\nlisten = \"off\"\n[[source]]\nname = \"s\"\nfiles = [\"/s/*.log\"]\n\
                        start = \"beginning\"\ntz = \"UTC\"\n";
const RULES: &str = "[[rule]]\nname = \"census\"\nsource = \"s\"\nmatch = 'hit'\nresolve = 'over'\n";

/// 2026-03-01T00:00:20Z.
const START: i64 = 1_772_323_220_000_000;

fn start(disk: &FakeDisk, power: &CrashDisk, now: Now) -> Core<FakeDisk> {
    start_as(SETTINGS, disk, power, now)
}

/// The machine with these settings.
pub(super) fn start_as(settings: &str, disk: &FakeDisk, power: &CrashDisk, now: Now) -> Core<FakeDisk> {
    start_with(settings, RULES, disk, power, now)
}

fn start_with(settings: &str, rules: &str, disk: &FakeDisk, power: &CrashDisk, now: Now) -> Core<FakeDisk> {
    let opened = Store::with_backend(power.clone()).expect("a sound disk");
    let text = |path: &str, text: &str| Text { path: path.into(), text: text.to_owned() };
    let settings =
        config::settings(&text("/tripline.toml", settings), &TimeZone::UTC).0.expect("sound settings");
    let rules = config::ruleset(&[text("/rules.toml", rules)], Some(&settings.sources), &[], &TimeZone::UTC);
    let setup = Setup {
        disk: disk.clone(),
        store: opened.store,
        saved: opened.saved,
        settings,
        ruleset: rules.0.expect("sound rules"),
        scope: "sim".to_owned(),
        every: false,
        cores: 2,
        seed: 1,
        set_aside: None,
    };
    Core::new(setup, now)
}

/// Every line of one file fits, and it is later than another file that is long: what waits for that one stays little.
#[test]
fn a_file_that_is_ahead_is_not_read_on_while_its_matches_wait() {
    let disk = FakeDisk::new();
    disk.set_time(Timestamp(START));
    let (hits, lines) = (80_000, 80_000);
    let ahead = "2026-03-01T00:00:09Z hit\n".repeat(hits);
    let behind =
        "2026-03-01T00:00:00Z nothing of interest, but long enough to be worth a line\n".repeat(lines);
    disk.append(Path::new("/s/a.log"), ahead.as_bytes()).expect("an empty disk");
    disk.append(Path::new("/s/b.log"), behind.as_bytes()).expect("an empty disk");
    let now = |ms: i64| {
        let time = Timestamp(START + ms * 1000);
        disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    };
    let mut core = start(&disk, &CrashDisk::new(1), now(0));
    core.step(now(0));
    let read = |core: &Core<FakeDisk>, path: &str| {
        core.files().find(|file| file.path == Path::new(path)).map(|file| file.offset)
    };
    let (ahead, behind) = (read(&core, "/s/a.log").unwrap_or(0), read(&core, "/s/b.log").unwrap_or(0));
    // A block is 256 KiB, and 4 MiB are read between two commits.
    assert!((1..=256 * 1024).contains(&ahead), "{ahead} bytes of the file that is ahead");
    assert!(behind > 3 * 1024 * 1024, "{behind} bytes of the file that is behind");
    let steps = (100..3000).step_by(100).find(|ms| {
        core.step(now(*ms));
        !core.is_behind()
    });
    assert!(steps.is_some(), "all of it is read");
    let matches: u64 = core.engine().rule_counts().map(|(_, counts, _)| counts.matches).sum();
    assert_eq!(matches, hits as u64);
}

/// What is written while another file is far from its end does not wait for that.
#[test]
fn case_54_a_line_of_a_small_file_is_told_at_once_beside_a_huge_backlog() {
    let disk = FakeDisk::new();
    let now = |ms: i64| {
        let time = Timestamp(START + ms * 1000);
        disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    };
    let mut core = start(&disk, &CrashDisk::new(1), now(0));
    disk.append(Path::new("/s/small.log"), b"a line\n").expect("an empty disk");
    (1..10).for_each(|step| drop(core.step(now(100 * step))));
    let huge =
        "2026-03-01T00:00:00Z nothing of interest, but long enough to be worth a line\n".repeat(800_000);
    disk.append(Path::new("/s/huge.log"), huge.as_bytes()).expect("an empty disk");
    core.step(now(2000));
    disk.append(Path::new("/s/small.log"), b"2026-03-01T00:00:22Z hit\n").expect("a file");
    let told = |core: &mut Core<FakeDisk>, ms: i64| {
        let remarks = core.step(now(ms)).remarks;
        remarks.iter().any(|remark| matches!(remark, Remark::Transition(_)))
    };
    let when = (2050..3000).step_by(50).find(|ms| told(&mut core, *ms));
    assert!(when.is_some_and(|ms| ms < 2500), "{when:?}");
    let read = core.files().find(|file| file.path == Path::new("/s/huge.log")).map(|file| file.offset);
    assert!(core.is_behind() && read.is_some_and(|read| read < huge.len() as u64 / 2), "{read:?}");
}

/// More is read than fits between two commits, and the only match waits for the file that is behind.
#[test]
fn a_match_that_waited_over_a_commit_for_another_file_counts_once() {
    let disk = FakeDisk::new();
    let long =
        "2026-03-01T00:00:00Z nothing of interest, but long enough to be worth a line\n".repeat(80_000);
    disk.set_time(Timestamp(START));
    disk.append(Path::new("/s/a.log"), b"2026-03-01T00:00:09Z hit\n").expect("an empty disk");
    disk.append(Path::new("/s/b.log"), long.as_bytes()).expect("an empty disk");
    let power = CrashDisk::new(1);
    let now = |ms: i64| {
        let time = Timestamp(START + ms * 1000);
        disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    };
    let mut core = start(&disk, &power, now(0));
    let raised = |remarks: &[Remark]| remarks.iter().any(|remark| matches!(remark, Remark::Transition(_)));
    let first = core.step(now(0)).remarks;
    assert!(!raised(&first), "the match waits: {first:?}");
    assert!(core.is_behind());
    assert!(raised(&core.step(now(300)).remarks), "and then counts");
    let power = power.crash();
    drop(core);
    let mut core = start(&disk, &power, now(1000));
    core.step(now(1000));
    disk.append(Path::new("/s/a.log"), b"2026-03-01T00:00:21Z over\n").expect("a file");
    let remarks: Vec<Remark> = (2000..4000).step_by(100).flat_map(|ms| core.step(now(ms)).remarks).collect();
    let totals: Vec<u64> = remarks
        .iter()
        .filter_map(|remark| match remark {
            Remark::Transition(transition) => Some(transition.total),
            _ => None,
        })
        .collect();
    assert_eq!(totals, [1]);
}

/// What was compressed while nobody looked, and was read to its end before, promises more than it has.
#[test]
fn a_log_that_was_read_and_then_compressed_keeps_nobody_waiting_after_a_start() {
    let disk = FakeDisk::new();
    let now = |ms: i64| {
        let time = Timestamp(START + ms * 1000);
        disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    };
    let power = CrashDisk::new(1);
    let mut core = start(&disk, &power, now(0));
    let log = Path::new("/s/a.log");
    disk.append(log, b"a line\n").expect("an empty disk");
    (1..50).for_each(|step| drop(core.step(now(100 * step))));
    drop(core);
    let power = power.crash();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"a line\n").expect("memory");
    disk.unlink(log).expect("it is there");
    disk.append(Path::new("/s/a.log.1.gz"), &packed.finish().expect("memory")).expect("a file");
    disk.append(log, b"2026-03-01T00:00:26Z hit\n").expect("a file");
    let mut core = start(&disk, &power, now(6000));
    let told = |core: &mut Core<FakeDisk>, ms: i64| {
        let remarks = core.step(now(ms)).remarks;
        remarks.iter().any(|remark| matches!(remark, Remark::Transition(_)))
    };
    let when = (6000..60_000).step_by(100).find(|ms| told(&mut core, *ms));
    assert!(when.is_some_and(|ms| ms < 8000), "{when:?}");
}

/// Of a journal: what a process read that dies before its commit is read again, and what had counted is not.
#[test]
fn a_cursor_is_committed_with_what_its_entries_led_to() {
    let disk = FakeDisk::new();
    let now = |ms: i64| {
        let time = Timestamp(START + ms * 1000);
        disk.set_time(time);
        Now { time, skew_us: 0, wall: time }
    };
    let settings = format!("{SETTINGS}[[source]]\nname = \"j\"\njournal = {{}}\n");
    let rules = RULES.replace("\"s\"", "\"j\"");
    let journal = SourceName::new("j");
    let start = |power: &CrashDisk, ms: i64| {
        let mut core = start_with(&settings, &rules, &disk, power, now(ms));
        core.open_pipe(&journal, "journal", true, now(ms));
        core.step(now(ms));
        core
    };
    let bring = |core: &mut Core<FakeDisk>, entries: &[(&str, &str)], ms: i64| {
        let (mut bytes, mut cursors) = (String::new(), Vec::new());
        for (cursor, line) in entries {
            bytes += &format!("2026-03-01T00:00:{line}\n");
            cursors.push((bytes.len(), (*cursor).to_owned()));
        }
        core.pipe(&journal, bytes.as_bytes(), cursors, now(ms));
    };
    let mut power = CrashDisk::new(1);
    let mut core = start(&power, 0);
    assert_eq!(core.cursor(&journal), None);
    bring(&mut core, &[("c0", "08Z nothing"), ("c1", "09Z hit"), ("c2", "10Z hit")], 0);
    core.step(now(300));
    bring(&mut core, &[("c3", "11Z hit"), ("c4", "12Z nothing")], 400);
    assert_eq!(core.cursor(&journal), Some("c4"));
    power = power.crash();
    core = start(&power, 1000);
    assert_eq!(core.cursor(&journal), Some("c2"), "what was not committed was not read");
    bring(&mut core, &[("c3", "11Z hit"), ("c4", "12Z nothing")], 1000);
    core.pipe_is_quiet(&journal, now(1000));
    core.step(now(1300));
    // Of what led to nothing the cursor alone is committed.
    bring(&mut core, &[("c5", "20Z nothing")], 1400);
    core.step(now(1700));
    power = power.crash();
    core = start(&power, 2000);
    assert_eq!(core.cursor(&journal), Some("c5"));
    bring(&mut core, &[("c6", "21Z over")], 2000);
    let remarks: Vec<Remark> = (2100..4000).step_by(100).flat_map(|ms| core.step(now(ms)).remarks).collect();
    let total = remarks.iter().find_map(|remark| match remark {
        Remark::Transition(transition) => Some(transition.total),
        _ => None,
    });
    assert_eq!(total, Some(3));
}
