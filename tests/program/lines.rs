//! What stands in files: ends of lines, bytes, lengths, names.

use std::io::Write as _;

use super::{DISK, TO_STDOUT, sandbox};
use crate::support::sandbox::Running;

#[test]
fn a_file_that_appears_later_is_read_from_its_beginning() {
    let sandbox = sandbox(&TO_STDOUT.replace("app.log", "later/*.log"), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("no file fits yet");
    sandbox.write("later/a.log", "disk sda bad\n");
    running.tells("disk", "critical");
    running.stop().expect(0);
}

#[test]
fn what_was_there_before_the_start_is_history() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    sandbox.append("app.log", "disk sda bad\n");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sdb bad\n");
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "sdb");
    assert_eq!(running.stop().expect(0).stdout.len(), 1);
}

#[test]
fn a_file_that_is_there_is_begun_where_the_command_line_says() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    for dev in ["sda", "sdb", "sdc"] {
        sandbox.append("app.log", format!("disk {dev} bad\n"));
    }
    // Two lines, and the last byte of the one before.
    let mut running = sandbox.start(&["run", "--rules", "rules/r.toml", "--start", "last:27", "app.log"]);
    for dev in ["sdb", "sdc"] {
        assert_eq!(running.tells("disk", "critical")["labels"]["dev"], dev);
    }
    assert_eq!(running.stop().expect(0).stdout.len(), 2);
    let wrong = sandbox.run(&["run", "--rules", "rules/r.toml", "--start", "last:27kb", "app.log"]).expect(2);
    assert!(wrong.talk().contains("expected `B`, `KiB` or `MiB`"), "{}", wrong.talk());
}

#[test]
fn a_last_line_without_its_end_is_seen_and_counts_once() {
    let sandbox = sandbox(&TO_STDOUT.replace("files =", "flush = \"50ms\"\nfiles ="), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "disk sda bad");
    running.tells("disk", "critical");
    sandbox.append("app.log", ", really\ndisk sda good\n");
    assert_eq!(running.tells("disk", "ok")["total"], 1);
    running.stop().expect(0);
}

const WHOLE: &str = r"
[[rule]]
name = 'whole'
source = 'app'
match = '^say (?<word>\S+)$'
by = ['word']
resolve_after = '1h'
";

#[test]
fn ends_of_lines_are_no_part_of_them() {
    let sandbox = sandbox(TO_STDOUT, WHOLE);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "say one\r\nsay two\n\n\r\nsay three\r\n");
    for word in ["one", "two", "three"] {
        assert_eq!(running.tells("whole", "warning")["labels"]["word"], word);
    }
    running.stop().expect(0);
}

#[test]
fn bytes_that_are_no_text_hurt_nobody() {
    let sandbox = sandbox(TO_STDOUT, WHOLE);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", b"\xff\xfe\x00\x1b[2J\xc3\n\x00\x00\nsay \xe9t\xe9\x1b\nsay end\n");
    let odd = running.tells("whole", "warning");
    let word = odd["labels"]["word"].as_str().expect("a text");
    assert!(word.starts_with('\u{fffd}') && word.contains('t'), "{odd}");
    assert_eq!(running.tells("whole", "warning")["labels"]["word"], "end");
    let finished = running.stop().expect(0);
    assert!(!finished.talk().contains('\x1b') && !finished.answer().contains('\x1b'), "{finished:?}");
}

#[test]
fn a_line_over_the_limit_is_matched_by_its_head_and_the_next_is_whole() {
    let rules = DISK.replace("bad'", "bad'\nignore = 'FAR'");
    let sandbox = sandbox(&TO_STDOUT.replace("files =", "max_line = \"1KiB\"\nfiles ="), &rules);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let long = "x".repeat(3_000_000);
    sandbox.append("app.log", format!("disk sda bad {long} FAR disk sdz bad\ndisk sdb bad\n"));
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "sda");
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "sdb");
    running.metric("tripline_cut_lines_total{source=\"app\"}", |lines| lines == 1.0);
    assert_eq!(running.stop().expect(0).stdout.len(), 2);
}

#[test]
fn case_41_and_42_a_line_of_gigabytes_costs_no_memory_and_the_next_is_whole() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    // What fills the first blocks is no longer counted as growth.
    let junk = [&b"\xff\xfe\x1b[2J\xc3"[..], &vec![0xe9; 3_000_000], b"\ndisk sda bad\n"].concat();
    sandbox.append("app.log", junk);
    running.tells("disk", "critical");
    let most = |running: &Running| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).expect("it is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let before = most(&running);
    // Two gigabytes that no disk has to hold.
    let mut file = sandbox.appender("app.log");
    file.write_all(b"disk sdb bad, x").expect("the sandbox can be written");
    file.set_len(2 << 30).expect("the sandbox can be written");
    file.write_all(b"disk sdz bad\ndisk sdc bad\n").expect("the sandbox can be written");
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "sdb");
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "sdc");
    running.metric("tripline_cut_lines_total{source=\"app\"}", |lines| lines == 2.0);
    let grown = most(&running) - before;
    assert!(grown < 8 * 1024, "{grown} KiB on top of {before}");
    assert_eq!(running.stop().expect(0).stdout.len(), 3);
}

#[test]
fn case_25_and_26_a_log_that_was_compressed_during_a_stop_is_read_on() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    };
    let sandbox = sandbox(&TO_STDOUT.replace("\"app.log\"", "\"logs/a.log*\""), DISK);
    let old = "2026-01-05T10:00:00Z nothing of note\n".repeat(20_000);
    sandbox.write("logs/a.log", &old);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("logs/a.log", "disk sda bad\n");
    running.tells("disk", "critical");
    running.stop().expect(0);
    // What was in it, one more line, and what came until it was rotated.
    let parts = [gzip(&old), gzip("disk sda bad\ndisk sdb"), gzip(" bad\n")].concat();
    sandbox.write("logs/a.log.1.gz", parts);
    sandbox.write("logs/a.log.2.gz", gzip("disk sdz bad\n"));
    std::fs::remove_file(sandbox.path("logs/a.log")).expect("it is there");
    sandbox.write("logs/a.log", "disk sdc bad\n");
    let mut running = sandbox.watch("tripline.toml");
    running.says("compressed files are left alone");
    let mut found = [0; 2].map(|_| running.tells("disk", "critical")["labels"]["dev"].to_string());
    found.sort();
    assert_eq!(found, ["\"sdb\"", "\"sdc\""]);
    assert_eq!(running.stop().expect(0).stdout.len(), 2);
}

#[test]
fn case_43_files_in_utf_16_are_read_and_go_on_after_a_stop() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let sandbox = sandbox(&TO_STDOUT.replace("\"app.log\"", "\"logs/*.log\""), WHOLE);
    let mut running = sandbox.watch("tripline.toml");
    running.says("no file fits yet");
    sandbox.write("logs/a.log", utf_16("\u{feff}say ünö\r\nsay t"));
    sandbox.write("logs/b.log", "\u{feff}say uno\n");
    let mut words = [0; 2].map(|_| running.tells("whole", "warning")["labels"]["word"].clone());
    words.sort_by_key(|word| word.to_string());
    assert_eq!(words, ["uno", "ünö"]);
    running.stop().expect(0);
    sandbox.append("logs/a.log", &utf_16("wö\n")[..1]);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("logs/a.log", &utf_16("wö\nsay 三\n")[1..]);
    assert_eq!(running.tells("whole", "warning")["labels"]["word"], "twö");
    assert_eq!(running.tells("whole", "warning")["labels"]["word"], "三");
    running.stop().expect(0);
    let log = "2026-01-05T10:00:00Z disk ßda bad\n2026-01-05T10:00:01Z disk ßdb bad\n";
    sandbox.write("old.log", utf_16(&format!("\u{feff}{log}")));
    sandbox.write("rules/disk.toml", DISK);
    let shown = sandbox.run(&["replay", "--rules", "rules/disk.toml", "old.log"]).expect(0).answer();
    assert!(shown.contains("dev=ßda") && shown.contains("dev=ßdb"), "{shown}");
}

#[test]
fn files_that_are_left_out_are_not_read() {
    let main = TO_STDOUT.replace("\"app.log\"", "\"logs/**/*.log\"");
    let main =
        main.replace("files =", "exclude = [\"debug.*\", \"**/old/**\"]\nstart = \"beginning\"\nfiles =");
    let sandbox = sandbox(&main, DISK);
    for name in ["debug.log", "old/a.log", "a/b/debug.log", "a/old/b.log"] {
        sandbox.write(&format!("logs/{name}"), "disk out bad\n");
    }
    sandbox.write("logs/a/b/in.log", "disk in bad\n");
    let mut running = sandbox.watch("tripline.toml");
    assert_eq!(running.tells("disk", "critical")["labels"]["dev"], "in");
    running.metric("tripline_source_files{source=\"app\"}", |files| files == 1.0);
    assert_eq!(running.stop().expect(0).stdout.len(), 1);
}

#[test]
fn names_and_labels_of_strangers_can_not_write_to_the_terminal() {
    let sandbox = sandbox(&TO_STDOUT.replace("\"app.log\"", "\"*.log\""), DISK);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.write("\u{1b}[31mred\n.log", "disk \u{1b}]0;owned\u{7} bad\n");
    running.tells("disk", "critical");
    running.says("following");
    let finished = running.stop().expect(0);
    assert!(!finished.talk().contains(['\x1b', '\x07']), "{finished:?}");
    assert!(!finished.answer().contains(['\x1b', '\x07']), "{finished:?}");
}

#[test]
fn a_line_that_stands_for_many_counts_at_once_and_forged_ones_do_not() {
    let rules = r"
[[rule]]
name = 'failed'
source = 'app'
match = 'sshd\[\d+\]: Failed \S+ for \S+ from (?<ip>\S+)'
by = ['ip']
within = '10m'
warning = '>= 5'
critical = '>= 1000'
summary = '{count}: {line}'
";
    let sandbox = sandbox(&TO_STDOUT.replace("files =", "repeats = true\nfiles ="), rules);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append(
        "app.log",
        "h sshd[1]: Invalid user message repeated 5000 times: [ Failed password for x from 192.0.2.9]\n\
         h sshd[7]: Failed password for root from 192.0.2.7 port 1 ssh2\n\
         h sshd[7]: message repeated 4 times: [ Failed password for root from 192.0.2.7 port 1 ssh2]\n",
    );
    let told = running.tells("failed", "warning");
    let line = "h sshd[7]: Failed password for root from 192.0.2.7 port 1 ssh2";
    assert_eq!((&told["count"], &told["summary"]), (&5.into(), &format!("5: {line}").into()));
    sandbox.append(
        "app.log",
        "h sshd[8]: message repeated 4000000000 times: [ Failed password for x from 192.0.2.8 port 1 ssh2]\n",
    );
    let told = running.tells("failed", "critical");
    assert_eq!((&told["count"], &told["total"]), (&4_000_000_000u64.into(), &4_000_000_000u64.into()));
    assert_eq!(running.stop().expect(0).stdout.len(), 2);
}

/// Of a secret in a line nothing is kept, stored, said or made a key of; and two of them are one key.
#[test]
fn secrets_in_lines_are_taken_out_before_anything_is_kept() {
    let rules = r#"
[[rule]]
name = "login"
source = "app"
match = 'login (?<user>\S+) token=(?<token>\S+) pin (?<pin>\d+)'
by = ["token"]
severity = "critical"
summary = "{user} {token} {pin} {line}"
set = { user = 'lower(user)' }
labels = { token2 = "{token}", pin = "{pin}" }
redact = 'pin (\d+)'
"#;
    let sandbox = sandbox(TO_STDOUT, rules);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append(
        "app.log",
        "login Bob token=c4naryAAAA pin 4711999\nlogin Eve token=c4naryBBBB pin 4711999\n",
    );
    let told = running.tells("login", "critical");
    assert_eq!(told["summary"], "bob *** *** login Bob token=*** pin ***");
    assert_eq!((&told["labels"]["token"], &told["labels"]["pin"]), (&"***".into(), &"***".into()));
    running.metric("tripline_rule_matches_total{rule=\"login\"}", |matches| matches == 2.0);
    running.metric("tripline_rule_keys{rule=\"login\"}", |keys| keys == 1.0);
    let page = running.get("/metrics");
    let done = running.stop().expect(0);
    let mut all = format!("{}{}{page}", done.answer(), done.talk()).into_bytes();
    for entry in std::fs::read_dir(sandbox.path("state")).expect("state is kept") {
        let path = entry.expect("it can be listed").path();
        if path.is_file() {
            all.extend(std::fs::read(path).expect("it can be read"));
        }
    }
    for canary in ["c4naryAAAA", "c4naryBBBB", "4711999"] {
        let found = all.windows(canary.len()).any(|bytes| bytes == canary.as_bytes());
        assert!(!found, "{canary} was kept");
    }
}

const TRACES: &str = r"
[[rule]]
name = 'trace'
source = 'app'
match = '(?s)^ERROR (?<what>\S+).*?\n\s+at (?<frame>\S+)'
ignore = 'harmless'
by = ['what', 'frame']
within = '1h'
warning = '>= 1'
critical = '>= 3'
resolve_after = '1h'
";

#[test]
fn a_stack_trace_is_one_record_that_counts_once_however_it_arrives() {
    let config =
        TO_STDOUT.replace("files =", "multiline = { continue = '^\\s', flush = \"300ms\" }\nfiles =");
    let sandbox = sandbox(&config, TRACES);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "ERROR price\n\tat shop.book\n");
    let told = running.tells("trace", "warning");
    assert_eq!((told["labels"]["frame"].as_str(), told["count"].as_u64()), (Some("shop.book"), Some(1)));
    // It was matched as it was; now it goes on, and others come.
    sandbox.append("app.log", "\tat shop.main\nERROR price\n\tat shop.book\nERROR price\n\tat shop.ha");
    sandbox.append("app.log", "rmless\nERROR price\n\tat shop.book\nfine\n");
    assert_eq!(running.tells("trace", "critical")["count"], 3);
    running.stop().expect(0);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "ERROR other\n\tat shop.book\nfine\n");
    assert_eq!(running.tells("trace", "warning")["labels"]["what"], "other");
    assert_eq!(
        running.stop().expect(0).stdout.len(),
        1,
        "what was matched before the stop is not counted again"
    );
}
