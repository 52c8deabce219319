//! The ways in which files have bitten tailers: each has a row on its page, and tests with its number in their names.

#![expect(clippy::disallowed_methods, reason = "tests are found in the source text")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What can happen, and what tripline does about it; the first is number 1.
const CASES: [(&str, &str); 63] = [
    (
        "a file is deleted and the next one gets its inode",
        "two contents: birth time and bytes tell them apart",
    ),
    ("the same while tripline is down", "an old position is never used in a new file"),
    (
        "a kubelet renames `0.log`, compresses the one before, and the inode comes back",
        "each line counts once",
    ),
    (
        "a file is cut and grows to its old size or beyond between two looks",
        "the bytes before the position are other ones: it is read from its beginning",
    ),
    (
        "copied and cut, and the new content begins as the old one did",
        "told apart by the bytes before the position",
    ),
    (
        "something is written between the copy and the cut",
        "what was seen is counted as lost to the byte, what was never seen as a cut of which nobody knows",
    ),
    (
        "a writer goes on at its old offset after a cut: a hole of zeros",
        "the hole is skipped, and is no line",
    ),
    ("room is taken in advance and filled later", "zeros at the end are no bytes yet"),
    ("two files begin alike", "both are read"),
    ("one vanishes and another appears with the same beginning, in one look", "no rename is seen in it"),
    ("a file is shorter than what tells files apart", "it is read at once"),
    ("another version looks at more or fewer bytes", "what is known says of how many bytes it is known"),
    ("a file system gets another device number", "contents are known by their bytes"),
    ("one file has two names that fit", "it is read once"),
    ("a renamed file is still written to", "it is read until it has been quiet for 30 s"),
    ("that wait is over and bytes are unread", "they are read on; what is given up is counted to the byte"),
    (
        "names move between the listing and the look",
        "the next look sees where they went; nothing is lost or read twice",
    ),
    ("a listing or a look fails", "a failure is no deletion: what is known is kept"),
    ("deleted and made again at once", "the old one is read to its end, the new one from its beginning"),
    (
        "deleted files that are held open fill the disk",
        "given up after an hour, or a minute where they are large, and counted",
    ),
    ("a file is deleted before its end is read", "it is held open and read to its end"),
    ("a line comes in the moment in which an idle file is closed", "it is read"),
    ("the bound on open files starves some", "all have their turn"),
    ("rotated out of the pattern while tripline is down", "found beside its old name and read on"),
    ("the same, and compressed", "read on in what it was compressed to, never from the beginning"),
    ("a compressed file of several parts", "all are read"),
    ("a pattern fits the rotated name too", "a renamed file goes on, a copy is known as one"),
    (
        "an editor saves a file: a new one takes its name",
        "a new content, read once; what is older than `max_age` tells nobody",
    ),
    ("a position beyond the end, after many cuts", "never taken into a new content"),
    (
        "rotation is faster than any look",
        "what lies beside the name is found by its birth; what is gone is counted where it was ever seen",
    ),
    ("a directory is removed and made again", "followed under its name, nothing is read twice"),
    (
        "symbolic links are swapped, doubled, dangling",
        "followed where they are written, the old target is read to its end",
    ),
    ("a file is born and gone within moments", "read if it lived for a quarter of a second"),
    ("a file is born while tripline runs", "read from its beginning"),
    ("the last line has no end", "matched after `flush`, and once when its end comes"),
    ("a line comes in pieces", "one line"),
    ("a piece of a line, then a restart", "one line"),
    (
        "a piece of a line or record, then a rotation",
        "a record goes on in the next file; a piece of a line is matched as it is",
    ),
    ("the last record, and nothing follows", "matched after `flush`"),
    ("a unit of UTF-16 is cut by the end of a block", "decoded as one"),
    ("a line of gigabytes", "its head is matched, the rest skipped in constant memory"),
    ("bytes that are no text", "matched as they are, shown without harm"),
    ("a byte order mark, and a restart", "no part of the text, and remembered"),
    ("CRI: a piece of stdout, then a line of stderr", "each stream is joined for itself"),
    ("CRI: a piece without its end", "matched as it is after `flush`"),
    ("the queue of inotify overflows", "names and files are looked at anyway"),
    ("few inotify instances are allowed", "two are used"),
    ("few watches are allowed", "what has none is looked at by the clock, and tripline says so"),
    ("more files than descriptors", "the rest waits its turn; the state and the sinks keep theirs"),
    ("a file system that tells of nothing", "looked at by the clock"),
    ("a server of files forgets a handle", "opened again at the same byte"),
    ("reading is forbidden, and allowed later", "read from its beginning; told once"),
    ("thousands of files in which nothing happens", "next to nothing is spent on them"),
    ("one huge file beside small ones", "all have their turn, the small ones within a second"),
    ("a FIFO, socket, device or directory that fits", "never opened, told once"),
    ("the state is torn or full of zeros", "set aside and told; tripline starts"),
    ("the disk of the state is full", "reading waits, alerts go on, nothing that was committed is lost"),
    ("killed at any moment", "every alert is told at least once, every line counts once"),
    ("a long backlog and a sink that is away", "memory stays what it is"),
    ("clocks jump, files are of the future", "read like any other; waits go by a clock that does not jump"),
    ("two tripline with one state", "the second says so and stops"),
    ("stopped in the middle of a write", "nothing is lost, nothing counts twice"),
    ("a sink is away for hours while files rotate", "rules go on: what waits is alerts, not files"),
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests of each case, by the numbers in their names.
fn tests() -> BTreeMap<usize, BTreeSet<String>> {
    let mut tests: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![top().join("src"), top().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Some(text) =
                path.extension().filter(|end| *end == "rs").and_then(|_| std::fs::read_to_string(&path).ok())
            else {
                continue;
            };
            for name in text.lines().filter_map(|line| line.trim_start().strip_prefix("fn case_")) {
                let name = name.split('(').next().unwrap_or_default();
                let mut words = name.split('_');
                while let Some(number) = words.next().and_then(|word| word.parse().ok()) {
                    tests.entry(number).or_default().insert(format!("case_{name}"));
                    if words.next() != Some("and") {
                        break;
                    }
                }
            }
        }
    }
    tests
}

/// The rows of the page.
pub(crate) fn table() -> String {
    let tests = tests();
    let mut table = String::from("| | what can happen | what tripline does | tests |\n|---|---|---|---|\n");
    for (number, (what, does)) in (1..).zip(CASES) {
        let of_it: Vec<String> =
            tests.get(&number).into_iter().flatten().map(|name| format!("`{name}`")).collect();
        table += &format!("| {number} | {what} | {does} | {} |\n", of_it.join("<br>"));
    }
    table
}

#[test]
fn each_case_has_a_test_and_each_number_a_case() {
    let with_tests: Vec<usize> = tests().into_keys().collect();
    let all: Vec<usize> = (1..=CASES.len()).collect();
    assert_eq!(with_tests, all);
}
