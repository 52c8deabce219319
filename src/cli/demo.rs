//! `tripline demo`: a living log, rotated while it runs, and the very daemon that watches it.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use super::run::{LogFormat, set_up_log};
use super::{Color, Failure, talk};
use crate::config::{self, Text};
use crate::daemon::{self, Options};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Tell the story again and again, until Ctrl-C
    #[arg(long = "loop")]
    again: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// Short times, so that something is over within a minute.
const RULES: &str = r#"
[defaults]
source        = "demo"
resolve_after = "6s"

[[rule]]
name     = "ssh_bruteforce"
match    = '^%{syslog} sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>.*) from %{ip:src_ip} port \d+(?: ssh2)?(?:: \S+ \S+)?$'
by       = ["src_ip"]
within   = "8s"
warning  = ">= 5"
critical = ">= 12"
summary  = "{count} failed logins from {src_ip} in {within} (last user {user})"

[[rule]]
name     = "disk_io"
match    = '^%{syslog} kernel: (?:\[ *[\d.]+\] )?(?:\w+: )?I/O error, dev (?<dev>\w+), sector'
resolve  = '^%{syslog} kernel: (?:\[ *[\d.]+\] )?sd \S+ \[(?<dev>\w+)\] Attached SCSI disk$'
by       = ["dev"]
severity = "critical"
summary  = "disk {dev} does not answer"

[[rule]]
name     = "oom_kill"
match    = '^%{syslog} kernel: (?:\[ *[\d.]+\] )?Out of memory: Killed process \d+ \((?<process>[^)]+)\)'
by       = ["process"]
summary  = "the kernel ended {process} for want of memory"
"#;

/// What happens: seconds from the start, what a person is told, what is written.
const STORY: &[(f64, Option<&str>, Act)] = &[
    (0.5, Some("an ordinary morning: cron, logins, nothing that a rule wants"), Act::Quiet(4)),
    (3.0, Some("someone begins to guess passwords from 203.0.113.9"), Act::Guess("203.0.113.9", 6)),
    (
        6.0,
        Some("a disk stops answering"),
        Act::Line("kernel: [ 812.2] blk_update_request: I/O error, dev sdb, sector 5120"),
    ),
    (
        8.0,
        Some("the guessing gets worse, and the log is rotated in the middle of it"),
        Act::Guess("203.0.113.9", 4),
    ),
    (8.6, None, Act::Rotate),
    (8.8, None, Act::Guess("203.0.113.9", 8)),
    (
        11.0,
        Some("the kernel ends a process"),
        Act::Line("kernel: Out of memory: Killed process 4242 (java) total-vm:8388608kB"),
    ),
    (
        13.0,
        Some("the disk is back: its own line ends its alert"),
        Act::Line("kernel: sd 2:0:0:0: [sdb] Attached SCSI disk"),
    ),
    (15.0, Some("from here on the log is quiet, and quiet ends the rest"), Act::Quiet(2)),
];

/// When everything is over: the last level leaves within its window and its quiet time.
const END: f64 = 27.0;

#[derive(Clone, Copy)]
enum Act {
    Quiet(u32),
    Guess(&'static str, u32),
    Line(&'static str),
    Rotate,
}

pub(super) fn demo(args: &DemoArgs) -> Result<u8, Failure> {
    if std::env::var_os("TRIPLINE_LOG").is_some() {
        set_up_log(LogFormat::Text, args.color);
    }
    let dir = Scratch::new()?;
    let log = dir.0.join("demo.log");
    File::create(&log)?;
    let main = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[[source]]\nname = \"demo\"\nfiles = [{:?}]\ntz = \"UTC\"\n",
        log.to_string_lossy()
    );
    let main = Text { path: dir.0.join("tripline.toml"), text: main };
    let rules = Text { path: PathBuf::from("demo.toml"), text: RULES.to_owned() };
    let (settings, problems) = config::settings(&main, &TimeZone::UTC);
    let sources = settings.as_ref().ok().map(|settings| settings.sources.as_slice());
    let (ruleset, more) = config::ruleset(&[rules], sources, &[], &TimeZone::UTC);
    let (Ok(mut settings), Some(ruleset)) = (settings, ruleset) else {
        return Err(Failure(format!("the demo's own rules are wrong: {problems:?} {more:?}")));
    };
    settings.state_dir = None;
    talk(&format!("A log is being written to {}; three rules watch it.\n", log.display()));
    talk("What happens is told like this; what tripline says stands between. Ctrl-C stops.\n");
    let ends = Arc::new(AtomicBool::new(false));
    let (over, again) = (ends.clone(), args.again);
    std::thread::Builder::new().name("story".to_owned()).spawn(move || {
        loop {
            let told = tell(&log);
            if let Err(error) = &told {
                talk(&format!("the demo's log can not be written: {error}\n"));
            }
            if !again || told.is_err() {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    })?;
    let stdout = std::io::stdout();
    let options = Options {
        gap: None,
        believed: (settings, ruleset),
        load: None,
        every: false,
        stdin: None,
        dry_run: false,
        require_state: false,
        readable: stdout.is_terminal(),
        color: args.color.on(&stdout),
        bound: Some(Box::new(|address| talk(&format!("The status page: http://{address}/\n\n")))),
        ends: Some(ends.clone()),
    };
    let code = daemon::run(options)?;
    let all = if ends.load(Ordering::Relaxed) { "That was all. " } else { "" };
    talk(&format!("\n{all}Next: `tripline init` writes a configuration for this machine.\n"));
    Ok(code)
}

/// Writes the log as the story goes.
fn tell(log: &Path) -> std::io::Result<()> {
    let start = daemon::clock::wall();
    let passed = || daemon::clock::wall().since(start).as_secs_f64();
    for (at, words, act) in STORY {
        pause(at - passed());
        if let Some(words) = words {
            talk(&format!("  -- {words}\n"));
        }
        match act {
            Act::Quiet(n) => {
                for minute in 0..*n {
                    write(log, &format!("CRON[{}]: (root) CMD (run-parts /etc/cron.hourly)", 900 + minute))?;
                }
            }
            Act::Guess(from, n) => {
                for (number, user) in (0..*n).zip(["root", "admin", "oracle", "pi"].iter().cycle()) {
                    let port = 40_000 + number;
                    write(
                        log,
                        &format!("sshd[31]: Failed password for {user} from {from} port {port} ssh2"),
                    )?;
                    pause(0.15);
                }
            }
            Act::Line(line) => write(log, line)?,
            Act::Rotate => {
                std::fs::rename(log, log.with_extension("log.1"))?;
                File::create(log)?;
            }
        }
    }
    pause(END - passed());
    Ok(())
}

fn write(log: &Path, line: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(log)?;
    writeln!(file, "{} demo {line}", daemon::clock::wall())
}

#[expect(clippy::disallowed_methods, reason = "a story takes its time")]
fn pause(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds.max(0.0)));
}

/// A directory that goes with the demo.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Scratch> {
        let name = format!("tripline-demo-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir(&dir).map_err(|error| {
            let dir = dir.display();
            std::io::Error::other(format!("can not make `{dir}`: {error}; name another place with `TMPDIR`"))
        })?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
