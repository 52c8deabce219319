//! Worlds that chance would have to build for too long.

use std::path::Path;

use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::daemon::core::{Core, Now, Remark, Setup};
use tripline::model::Timestamp;
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
    let opened = Store::with_backend(power.clone()).expect("a sound disk");
    let text = |path: &str, text: &str| Text { path: path.into(), text: text.to_owned() };
    let settings =
        config::settings(&text("/tripline.toml", settings), &TimeZone::UTC).0.expect("sound settings");
    let rules = config::ruleset(&[text("/rules.toml", RULES)], Some(&settings.sources), &[], &TimeZone::UTC);
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
        core.files().iter().find(|file| file.path == Path::new(path)).map(|file| file.offset)
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
