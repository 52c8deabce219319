use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::sink::sample;

struct Bench {
    directory: tempfile::TempDir,
    lines: Lines,
}

impl Bench {
    fn new(max_size: Option<u64>, keep: usize) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alerts.ndjson");
        let lines = Lines::new(settings::File { path, max_size, keep, mode: 0o600 }, Others::default());
        Bench { directory, lines }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.directory.path().join(format!("alerts.ndjson{suffix}"))
    }

    /// Writes one row of each key.
    fn write(&mut self, keys: &[u8]) -> Vec<Outcome> {
        let rows: Vec<Delivery> = keys.iter().map(|key| row(*key)).collect();
        self.lines.write(&rows)
    }

    fn accepts(&mut self, keys: &[u8]) {
        assert_eq!(self.write(keys), vec![Outcome::Accepted { note: String::new() }; keys.len()]);
    }

    /// The keys of the lines of a file; `None` for a line that is not whole.
    fn keys(&self, suffix: &str) -> Vec<Option<u8>> {
        let text = std::fs::read_to_string(self.path(suffix)).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let key = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).ok()?;
            let hex = value["alert_key"].as_str()?.strip_prefix("r:")?.to_owned();
            u8::from_str_radix(&hex[..2], 16).ok()
        };
        text.lines().map(key).collect()
    }
}

pub(super) fn row(key: u8) -> Delivery {
    use crate::model::{DeliveryKind, Status};
    sample::row(key.into(), key, DeliveryKind::Raise, Status::Info, 1, 0)
}

#[test]
fn each_row_is_a_line_and_a_new_file_is_for_its_owner_alone() {
    let mut bench = Bench::new(None, 1);
    bench.accepts(&[1, 2]);
    bench.accepts(&[3]);
    assert_eq!(bench.keys(""), [Some(1), Some(2), Some(3)]);
    let mode = std::fs::metadata(bench.path("")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_line_that_a_crash_cut_off_is_ended_before_the_next_one() {
    let mut bench = Bench::new(None, 1);
    std::fs::write(bench.path(""), "{\"time\":\"20").unwrap();
    bench.accepts(&[1]);
    bench.accepts(&[2]);
    assert_eq!(bench.keys(""), [None, Some(1), Some(2)]);
}

#[test]
fn a_file_that_was_renamed_away_or_removed_is_begun_anew() {
    let mut bench = Bench::new(None, 1);
    bench.accepts(&[1]);
    std::fs::rename(bench.path(""), bench.path(".old")).unwrap();
    bench.accepts(&[2]);
    std::fs::remove_file(bench.path("")).unwrap();
    bench.accepts(&[3]);
    assert_eq!((bench.keys(".old"), bench.keys("")), (vec![Some(1)], vec![Some(3)]));
}

#[test]
fn a_full_file_moves_on_and_the_oldest_is_given_up() {
    let line = stdout::content_json(&row(1).content).len() as u64 + 1;
    let mut bench = Bench::new(Some(2 * line), 2);
    bench.accepts(&[1]);
    bench.accepts(&[2]);
    assert!(!bench.path(".1").exists(), "what just fits does not move it on");
    for key in 3..=7 {
        bench.accepts(&[key]);
    }
    assert_eq!(bench.keys(""), [Some(7)]);
    assert_eq!(bench.keys(".1"), [Some(5), Some(6)]);
    assert_eq!(bench.keys(".2"), [Some(3), Some(4)]);
    assert!(!bench.path(".3").exists());
}

#[test]
fn no_file_grows_beyond_its_size_but_by_a_single_line() {
    let line = stdout::content_json(&row(1).content).len() as u64 + 1;
    let check = |most: u64, batches: &[&[u8]], files: &[&[u8]]| {
        let mut bench = Bench::new(Some(most), 20);
        batches.iter().for_each(|batch| bench.accepts(batch));
        let older = (1..).map(|n| format!(".{n}")).take_while(|name| bench.path(name).exists());
        let mut names: Vec<String> = older.collect();
        names.reverse();
        names.push(String::new());
        let found: Vec<Vec<u8>> =
            names.iter().map(|name| bench.keys(name).into_iter().flatten().collect()).collect();
        assert_eq!(found, files, "{most} {batches:?}");
        for name in &names {
            let size = std::fs::metadata(bench.path(name)).unwrap().len();
            assert!(size <= most || bench.keys(name).len() == 1, "{most} {batches:?} {name}: {size}");
        }
    };
    check(2 * line, &[&[1, 2, 3, 4, 5]], &[&[1, 2], &[3, 4], &[5]]);
    check(2 * line, &[&[1], &[2, 3], &[4, 5, 6]], &[&[1, 2], &[3, 4], &[5, 6]]);
    check(3 * line - 1, &[&[1, 2, 3], &[4]], &[&[1, 2], &[3, 4]]);
    check(line, &[&[1, 2, 3]], &[&[1], &[2], &[3]]);
    check(1, &[&[1], &[2, 3]], &[&[1], &[2], &[3]]);
    check(9 * line, &[&[1, 2, 3], &[4]], &[&[1, 2, 3, 4]]);
}

#[test]
fn a_line_that_was_cut_off_counts_with_its_end() {
    let line = stdout::content_json(&row(1).content).len() as u64 + 1;
    let mut bench = Bench::new(Some(line + 3), 1);
    std::fs::write(bench.path(""), "cut").unwrap();
    bench.accepts(&[1]);
    assert_eq!((bench.keys(".1"), bench.keys("")), (vec![None], vec![Some(1)]));
}

#[test]
fn what_is_on_the_disk_is_owed_no_longer_though_the_next_part_can_not_be_written() {
    let line = stdout::content_json(&row(1).content).len() as u64 + 1;
    let mut bench = Bench::new(Some(2 * line), 1);
    std::fs::create_dir(bench.path(".1")).unwrap();
    let outcomes = bench.write(&[1, 2, 3, 4]);
    let accepted = Outcome::Accepted { note: String::new() };
    assert_eq!(outcomes[..2], [accepted.clone(), accepted]);
    assert!(outcomes[2..].iter().all(|one| matches!(one, Outcome::Suspend { .. })), "{outcomes:?}");
    assert_eq!(outcomes.len(), 4);
    // Once there is room, what is still owed is all that is written.
    std::fs::remove_dir(bench.path(".1")).unwrap();
    bench.accepts(&[3, 4]);
    assert_eq!((bench.keys(".1"), bench.keys("")), (vec![Some(1), Some(2)], vec![Some(3), Some(4)]));
}

#[test]
fn a_name_that_leads_nowhere_suspends_until_it_leads_somewhere() {
    let mut bench = Bench::new(None, 1);
    let elsewhere = bench.directory.path().join("none/alerts.ndjson");
    let at = |path: &Path| {
        let settings = settings::File { path: path.to_owned(), max_size: None, keep: 1, mode: 0o600 };
        Lines::new(settings, Others::default())
    };
    let check = |path: &Path, expected: &str, says: &str| {
        let shown = format!("{:?}", at(path).write(&[row(1)])[0]);
        assert!(shown.starts_with(expected) && shown.contains(says), "{}: {shown}", path.display());
    };
    check(&elsewhere, "Suspend", "none/alerts.ndjson");
    check(bench.directory.path(), "Suspend", "cannot write to");
    check(Path::new("/dev/null"), "Suspend", "no regular file");
    let pipe = bench.directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    check(&pipe, "Suspend", "no regular file");
    std::fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    bench.lines = at(&elsewhere);
    bench.accepts(&[1]);
}

#[test]
fn where_nothing_can_be_written_is_told_before_anything_is() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("plain"), "").unwrap();
    let check = |name: &str, expected: Option<&str>| {
        let settings = settings::File { path: at(name), max_size: None, keep: 1, mode: 0o600 };
        let why = unable(&settings);
        assert_eq!(why.is_some(), expected.is_some(), "{name}: {why:?}");
        assert!(
            why.as_deref().is_none_or(|why| expected.is_some_and(|words| why.contains(words))),
            "{why:?}"
        );
        // What is told is what happens.
        let suspends =
            matches!(Lines::new(settings, Others::default()).write(&[row(1)])[..], [Outcome::Suspend { .. }]);
        assert_eq!(suspends, expected.is_some(), "{name}");
    };
    let missing = format!("`mkdir -p {}` makes it", at("none").display());
    check("none/alerts.ndjson", Some(&missing));
    check("plain/alerts.ndjson", Some("is no directory"));
    check("", Some("is no regular file"));
    check("plain", None);
    check("new", None);
    // Root may write anywhere.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let set = |name: &str, mode| {
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::fs::create_dir(at("closed")).unwrap();
    set("closed", 0o500);
    check("closed/alerts.ndjson", Some("no file may be made in"));
    set("plain", 0o400);
    check("plain", Some("may not be written by this user"));
}
