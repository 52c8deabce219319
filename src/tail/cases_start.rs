//! The same of where reading begins, of what cannot be read, and of what is lost.

use std::time::Duration;

use super::bench::source;
use super::cases::Step::*;
use super::cases::check_source;
use crate::settings::{self, Source};

fn begun(start: settings::Start) -> Source {
    Source { start, ..source("s", &["/d/*.log"]) }
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
fn a_checkpoint_wins_over_the_start_policy() {
    check_source(begun(settings::Start::Last(4)), &[
        Add("a.log", "one\ntwo\n"), Start, Stop, Add("a.log", "three\nfour\n"), Start,
    ], &["open 1 a.log at 4", "1:two", "open 1 a.log at 8", "1:three", "1:four"]);
}
