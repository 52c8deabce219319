//! Sources that are no files: a FIFO, and the journal, played by a script.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{TO_STDOUT, sandbox};
use crate::support::sandbox::{Out, Running, Sandbox, parse};

const RULE: &str = "[[rule]]\nname = \"bad\"\nsource = \"app\"\nmatch = 'app(\\[\\d+\\])?: bad (?<n>\\d+)$'\nby = [\"n\"]\n\
                    resolve_after = \"1h\"\n\
                    [[rule]]\nname = \"all\"\nsource = \"app\"\nmatch = ': bad'\nwarning = \">= 1\"\nsummary = \"{total} in all\"\n\
                    resolve = ': done'\nwithin = \"1h\"\n";

fn of(source: &str) -> String {
    let config = TO_STDOUT.replace("files = [\"app.log\"]", source);
    assert!(config.contains(source), "{config}");
    config
}

fn mkfifo(sandbox: &Sandbox, name: &str) {
    let made = std::process::Command::new("mkfifo").arg(sandbox.path(name)).status().expect("mkfifo");
    assert!(made.success());
}

#[test]
fn a_fifo_is_read_whoever_writes_and_however_often_it_is_made_anew() {
    let sandbox = sandbox(&of("fifo = \"pipe\""), RULE);
    let mut running = sandbox.watch("tripline.toml");
    running.says("can not be read source=app");
    running.metric("tripline_source_problems{source=\"app\"}", |problems| problems == 1.0);
    running.metric("tripline_source_files{source=\"app\"}", |files| files == 1.0);
    mkfifo(&sandbox, "pipe");
    running.says("can be read again source=app");
    let write = |text: &str| {
        let mut pipe = OpenOptions::new().write(true).open(sandbox.path("pipe")).expect("somebody reads");
        pipe.write_all(text.as_bytes()).expect("somebody reads");
    };
    // Lines of writers that come and go; one of them leaves in the middle.
    for text in ["app: bad 1\napp: b", "ad 2\n"] {
        write(text);
    }
    for n in ["1", "2"] {
        assert_eq!(running.tells("bad", "warning")["labels"]["n"], n);
    }
    std::fs::remove_file(sandbox.path("pipe")).expect("it is there");
    sandbox.write("pipe", "app: bad 3\n");
    assert!(running.says("can not be read source=app").contains("is no FIFO"));
    std::fs::remove_file(sandbox.path("pipe")).expect("it is there");
    mkfifo(&sandbox, "pipe");
    running.says("can be read again source=app");
    write("app: bad 4\n");
    assert_eq!(running.tells("bad", "warning")["labels"]["n"], "4");
    // Nothing of the last process holds this one up.
    running.stop().expect(0);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    write("app: done\n");
    assert_eq!(running.tells("all", "ok")["total"], 3);
    // A source that is a file from now on has no stream.
    sandbox.write("app.log", "");
    sandbox.write("tripline.toml", TO_STDOUT);
    running.signal(Signal::HUP);
    running.says("the configuration was loaded");
    running.says("following");
    sandbox.append("app.log", "app: bad 5\n");
    assert_eq!(running.tells("bad", "warning")["labels"]["n"], "5");
    running.stop().expect(0);
}

/// A `journalctl` that knows `--after-cursor`, and as its journal the lines of a file. It ends once when `end` is there.
const JOURNALCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> calls
from=1
for word in "$@"; do
  case "$word" in
    --after-cursor=lost) echo 'Failed to seek to cursor: Invalid argument' >&2; exit 1 ;;
    --after-cursor=*) from=$((${word#--after-cursor=} + 1)) ;;
    --lines=1) from=$(wc -l < journal); [ "$from" -gt 0 ] || from=1 ;;
  esac
done
case " $* " in
  *' --follow '*) ;;
  *) tail -n "+$from" journal; exit ;;
esac
if [ -e closed ]; then
  echo 'No journal files were opened due to insufficient permissions.' >&2
  exec sleep 60
fi
tail -n "+$from" -f journal &
tail=$!
trap 'kill $tail' EXIT
while kill -0 $tail 2> /dev/null; do
  if [ -e end ]; then
    rm end
    echo "the journal is gone" >&2
    exit 3
  fi
  [ "$PPID" = "$(cut -d ' ' -f 4 /proc/$$/stat)" ] || exit
  sleep 0.05
done
"#;

struct Journal {
    sandbox: Sandbox,
    entries: usize,
}

impl Journal {
    fn new(source: &str) -> Journal {
        let sandbox = sandbox(&of(source), RULE);
        sandbox.write("journalctl", JOURNALCTL);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(sandbox.path("journalctl"), mode).expect("our own file");
        sandbox.write("journal", "");
        Journal { sandbox, entries: 0 }
    }

    fn add(&mut self, message: impl Into<Value>) {
        self.entries += 1;
        let time = jiff::Timestamp::now().as_microsecond();
        let entry = json!({
            "__CURSOR": self.entries.to_string(), "__REALTIME_TIMESTAMP": time.to_string(), "_HOSTNAME": "web-1",
            "SYSLOG_IDENTIFIER": "app", "_PID": "7", "_SYSTEMD_UNIT": "app.service", "MESSAGE": message.into(),
        });
        self.sandbox.append("journal", format!("{entry}\n"));
    }

    fn calls(&self) -> Vec<String> {
        String::from_utf8(self.sandbox.read("calls")).expect("words").lines().map(str::to_owned).collect()
    }
}

const SOURCE: &str = "journal = { units = [\"app.service\"], program = \"./journalctl\" }";

#[test]
fn a_journal_is_read_on_from_where_it_was_read_and_counted_once() {
    let mut journal = Journal::new(SOURCE);
    journal.add("bad 0");
    let mut running = journal.sandbox.watch("tripline.toml");
    running.says("following");
    // What was told right before a sudden end may be told again.
    let told = |running: &mut Running, n: u32| {
        let n = n.to_string();
        running.wait_for(Out::Stdout, &n, |line| {
            let told = parse(line);
            told["rule"] == "bad" && told["labels"]["n"] == *n
        });
    };
    let sandbox = journal.sandbox.path("calls");
    running.wait_until("it is asked", || sandbox.exists());
    for n in 1..=20 {
        journal.add(format!("bad {n}"));
        told(&mut running, n);
        match n % 4 {
            // Sudden ends of tripline, with entries while it is not there.
            0 => {
                running.kill();
                journal.add(format!("bad {}", 100 + n));
                running = journal.sandbox.watch("tripline.toml");
                told(&mut running, 100 + n);
            }
            1 => {
                running.stop().expect(0);
                journal.add("bytes of no text".as_bytes().to_vec());
                running = journal.sandbox.watch("tripline.toml");
            }
            // And of the program.
            2 if n < 10 => {
                journal.sandbox.write("end", "");
                let said = running.says("can not be read source=app");
                assert!(said.contains("the journal is gone"), "{said}");
                running.says("can be read again source=app");
            }
            _ => {}
        }
    }
    journal.add("done");
    assert_eq!(running.tells("all", "ok")["total"], 25);
    running.stop().expect(0);
    let calls = journal.calls();
    assert!(calls[0].contains("--unit=app.service") && calls[0].ends_with("--lines=1"), "{calls:#?}");
    assert!(calls[1..].iter().all(|call| call.contains("--after-cursor=")), "{calls:#?}");
}

#[test]
fn a_cursor_that_is_of_no_use_is_told_and_given_up() {
    let mut journal = Journal::new(SOURCE);
    let mut running = journal.sandbox.watch("tripline.toml");
    let calls = journal.sandbox.path("calls");
    running.wait_until("it is asked", || calls.exists());
    journal.add("bad 1");
    running.tells("bad", "warning");
    let time = jiff::Timestamp::now().as_microsecond().to_string();
    let lost = json!({ "__CURSOR": "lost", "__REALTIME_TIMESTAMP": time, "SYSLOG_IDENTIFIER": "app", "MESSAGE": "bad 2" });
    journal.sandbox.append("journal", format!("{lost}\n"));
    journal.entries += 1;
    running.tells("bad", "warning");
    running.stop().expect(0);
    let mut running = journal.sandbox.watch("tripline.toml");
    assert!(running.says("can not be read source=app").contains("Failed to seek to cursor"));
    running.says("can be read again source=app");
    journal.add("bad 3");
    assert_eq!(running.tells("bad", "warning")["labels"]["n"], "3");
    running.stop().expect(0);
}

/// It waits then without another word, which is no reason to think that nothing happens.
#[test]
fn a_journal_that_may_not_be_read_is_told() {
    let journal = Journal::new(SOURCE);
    journal.sandbox.write("closed", "");
    let mut running = journal.sandbox.watch("tripline.toml");
    let said = running.says("can not be read source=app");
    assert!(said.contains("insufficient permissions"), "{said}");
    running.stop().expect(0);
}

#[test]
fn an_entry_of_the_journal_that_is_too_long_is_passed_over_and_told_as_lost() {
    let mut journal = Journal::new(&format!("{SOURCE}\nstart = \"beginning\""));
    journal.add("bad 1");
    journal.add("bad 2 ".to_owned() + &"x".repeat(4 << 20));
    journal.add("bad 3");
    let mut running = journal.sandbox.watch("tripline.toml");
    assert_eq!(running.tells("bad", "warning")["labels"]["n"], "1");
    let lost = running.tells("tripline_lost_bytes", "warning");
    assert_eq!(lost["labels"]["source"], "app", "{lost}");
    running.tells("bad", "warning");
    running.stop().expect(0);
}

#[test]
fn a_journal_has_fields_where_they_are_wanted_and_one_line_for_each_entry() {
    let mut journal = Journal::new(&format!("{SOURCE}\nformat = \"json\"\nstart = \"beginning\""));
    let rule = "[[rule]]\nname = \"unit\"\nsource = \"app\"\nwhere = '_SYSTEMD_UNIT == \"app.service\"'\nby = [\"SYSLOG_IDENTIFIER\"]\nsummary = \"{MESSAGE}\"\n";
    journal.sandbox.write("rules/r.toml", rule);
    journal.add("first\nsecond");
    let mut running = journal.sandbox.watch("tripline.toml");
    let told = running.tells("unit", "warning");
    assert_eq!(told["labels"]["SYSLOG_IDENTIFIER"], "app");
    assert!(
        told["summary"].as_str().is_some_and(|text| text.contains("first") && text.contains("second")),
        "{told}"
    );
    running.stop().expect(0);
}
