//! The same of where reading begins, of what cannot be read, and of what is lost.

use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;

use super::bench::source;
use super::cases::Step::{self, *};
use super::cases::check_source;
use super::fake::{Call, FakeDisk};
use super::{Note, Tail};
use crate::model::Timestamp;
use crate::saved::Saved;
use crate::settings::{self, Source};

const LOGS: &[&str] = &["/d/*.log"];

fn begun(start: settings::Start) -> Source {
    Source { start, ..source("s", LOGS) }
}

#[test]
fn the_start_policy_is_for_what_is_there_at_first_sight_alone() {
    let lines = "1970-01-01T00:10:00Z a\n1970-01-01T00:14:50Z b\n1970-01-01T00:16:00Z c\n";
    for start in [settings::Start::Last(50), settings::Start::Since(Duration::from_secs(150))] {
        check_source(begun(start), &[Add("a.log", lines), Start, Add("b.log", lines), Tick(1000)], &[
            "open 1 a.log at 23", "1:1970-01-01T00:14:50Z b", "1:1970-01-01T00:16:00Z c",
            "open 2 b.log at 0", "2:1970-01-01T00:10:00Z a", "2:1970-01-01T00:14:50Z b", "2:1970-01-01T00:16:00Z c",
        ]);
    }
}

#[test]
fn many_files_at_first_sight_are_opened_some_at_a_time_and_the_source_is_known_with_the_last() {
    let disk = FakeDisk::new();
    for number in 0..20 {
        disk.append(Path::new(&format!("/d/{number:02}.log")), b"old\n").unwrap();
    }
    let now = Timestamp::from_secs(1_000_000_000);
    let mut tail = Tail::new(disk, &[begun(settings::Start::End)], &mut Saved::default(), now);
    let mut parts = Vec::new();
    loop {
        let is_over = tail.look(now, now);
        let notes = tail.take_notes();
        let opened = notes.iter().filter(|note| matches!(note, Note::Opened { .. })).count();
        let known = notes.iter().any(|note| matches!(note, Note::SourceKnown(_)));
        assert_eq!(known, is_over, "{notes:?}");
        parts.push(opened);
        if is_over {
            break;
        }
    }
    // Three, until a quarter of those there are is more.
    assert_eq!(parts, [3, 3, 3, 3, 3, 3, 2]);
}

#[test]
fn a_checkpoint_wins_over_the_start_policy() {
    check_source(begun(settings::Start::Last(4)), &[
        Add("a.log", "one\ntwo\n"), Start, Stop, Add("a.log", "three\nfour\n"), Start,
    ], &["open 1 a.log at 4", "1:two", "open 1 a.log at 8", "1:three", "1:four"]);
}

#[test]
fn case_6_and_29_and_30_bytes_that_were_seen_and_cut_away_are_counted_and_read_ones_are_not() {
    check_source(source("s", LOGS), &[
        Start, Add("a.log", ""), Tick(1000), Fail(Call::Read, Some("a.log"), Errno::IO),
        Add("a.log", "three\n"), Tick(1000), Cut("a.log"), Add("a.log", "4\n"), Heal, Tick(1000),
        Cut("a.log"), Tick(1000), Add("a.log", "five\n"), Tick(1000),
    ], &[
        "open 1 a.log at 0", "blind 1 a.log: Input/output error", "short 1 lost 4", "1:4", "sees 1 a.log",
        "cut 1 to 2 lost 0", "end 1", "open 2 a.log at 0", "2:five",
    ]);
}

#[test]
fn case_8_room_that_was_taken_and_is_given_back_is_no_loss() {
    check_source(source("s", LOGS), &[
        Start, Add("a.log", "one\n\0\0\0\0\0\0"), Tick(1000), Cut("a.log"), Add("a.log", "one\n"), Tick(1000),
        Add("a.log", "two\n"), Tick(1000),
    ], &["open 1 a.log at 0", "1:one", "1:two"]);
}

#[test]
fn case_16_and_20_and_63_a_deleted_file_is_held_for_an_hour_and_what_is_given_up_is_counted_exactly() {
    const HOUR: i64 = 3_600_000;
    let check = |steps: &[Step], more: &[&str]| {
        let blind = [
            Add("a.log", "one\n"), Start, Add("a.log", "two\nthree\n"), Fail(Call::Read, Some("a.log"), Errno::IO),
            Tick(1000),
        ];
        let told = ["open 1 a.log at 4", "blind 1 a.log: Input/output error"];
        check_source(source("s", LOGS), &[&blind, steps].concat(), &[&told, more].concat());
    };
    check(&[Delete("a.log"), Tick(1000), Tick(HOUR - 2000), Heal, Tick(1000)], &[
        "gone 1", "sees 1 a.log", "1:two", "1:three",
    ]);
    check(&[Delete("a.log"), Tick(1000), Tick(HOUR), Heal, Tick(1000)], &["gone 1", "given up 1 lost 10", "end 1"]);
    // Under another name it takes no room that somebody wants back.
    check(&[Move("a.log", "a.1"), Tick(1000), Tick(2 * HOUR), Heal, Tick(1000)], &[
        "gone 1", "sees 1 a.log", "1:two", "1:three",
    ]);
}
