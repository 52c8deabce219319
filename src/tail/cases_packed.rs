//! The ways in which compression has bitten other tailers, as steps and what must come of them.

use super::cases::Step::*;
use super::cases::{Step, check};

const LOG: &[&str] = &["/d/a.log"];
const READ: &[&str] = &["open 1 a.log at 0", "1:1", "1:2"];

/// Read up to its second line, then rotated and compressed while nobody looked, with these names.
fn packed(rotated: &'static str, packed: &'static str, more: &[Step]) -> Vec<Step> {
    let steps = [
        Start, Add("a.log", "1\n2\n"), Tick(1000), Stop, Add("a.log", "3\n"), Move("a.log", rotated),
        Pack(rotated, packed),
    ];
    [&steps[..], more].concat()
}

#[test]
fn case_25_what_was_compressed_while_nobody_looked_is_read_on_and_never_again() {
    for (rotated, name) in [
        ("a.log.1", "a.log.1.gz"),
        ("a.log-20260101", "a.log-20260101.gz"),
        ("a.log.20260101-000000", "a.log.20260101-000000.gz"),
        ("a-2026.log", "a-2026.log.gz"),
        ("a.log.0", "a.log.zst"),
    ] {
        let opened = format!("open 1 {name} at 4");
        let more = [Add("a.log", "n\n"), Start, Tick(29_000), Tick(1000), Tick(1000)];
        check(LOG, &packed(rotated, name, &more), &[
            READ, &[opened.as_str(), "open 2 a.log at 0", "1:3", "2:n", "end 1"],
        ].concat());
    }
    // Its name fits: it is no log by itself.
    let more = [Add("a.log", "n\n"), Start, Tick(31_000), Stop, Start, Tick(1000)];
    check(&["/d/a.log*"], &packed("a.log.1", "a.log.1.gz", &more), &[
        READ,
        &["packed a.log.1.gz", "open 1 a.log.1.gz at 4", "open 2 a.log at 0", "1:3", "2:n", "end 1",
          "packed a.log.1.gz", "open 2 a.log at 2"],
    ].concat());
    check(&["/d/*"], &[Start, Add("b.log", "old\n"), Pack("b.log", "b.log.gz"), Tick(1000)], &["packed b.log.gz"]);
}

#[test]
fn what_was_read_of_a_compressed_log_is_not_read_again_after_a_restart() {
    let more = [Add("a.log", "n\n"), Start, Stop, Move("a.log.1.gz", "a.log.2.gz"), Start, Tick(31_000)];
    check(LOG, &packed("a.log.1", "a.log.1.gz", &more), &[
        READ,
        &["open 1 a.log.1.gz at 4", "open 2 a.log at 0", "1:3", "2:n", "open 2 a.log at 2", "open 1 a.log.2.gz at 6",
          "end 1"],
    ].concat());
}

#[test]
fn case_26_every_member_is_read() {
    let more = [Add("more", "4\nha"), Pack("more", "a.log.1.gz"), Add("more", "lf\nrest"), Pack("more", "a.log.1.gz"),
        Start, Tick(31_000)];
    check(LOG, &packed("a.log.1", "a.log.1.gz", &more), &[
        READ, &["open 1 a.log.1.gz at 4", "1:3", "1:4", "1:half", "1$rest", "end 1"],
    ].concat());
}

#[test]
fn what_has_another_text_is_another_log() {
    let other = [
        Start, Add("a.log", "1\n2\n"), Tick(1000), Stop, Delete("a.log"), Add("b", "1\n0\n3\n"), Pack("b", "a.log.1.gz"),
        Add("c", "1\n"), Pack("c", "a.log.2.gz"), Add("a.log.3.gz", "1\n2"), Add("a.log.4.gz", ""), Start,
        Tick(1000),
    ];
    check(LOG, &other, &[READ, &["lost 1 from 4", "end 1"]].concat());
}

#[test]
fn what_is_missing_of_a_compressed_log_is_told() {
    check(LOG, &packed("a.log.1", "a.log.1.gz", &[Chop("a.log.1.gz", 6), Start, Tick(1000), Tick(1000)]), &[
        READ, &["open 1 a.log.1.gz at 4", "1:3", "packed 1 lost 1 from 6", "end 1"],
    ].concat());
}

#[test]
fn inodes_that_are_used_again_make_no_log_of_what_is_compressed_and_hide_no_other() {
    check(LOG, &[
        Births(false), Start, Add("a.log", ""), Tick(1000), Stop, Delete("a.log"), Add("a.log.1.gz", "raw\n"), Start,
        Tick(1000), Tick(1000),
    ], &["open 1 a.log at 0", "lost 1 from 0", "end 1"]);
    let more = [Start, Add("b.log", "n\n"), Tick(1000)];
    check(&["/d/*.log"], &[&[Births(false)], &packed("a.log.1", "a.log.1.gz", &more)[..]].concat(), &[
        READ, &["open 1 a.log.1.gz at 4", "1:3", "open 2 b.log at 0", "2:n"],
    ].concat());
}
