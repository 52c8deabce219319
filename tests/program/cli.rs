//! Help, colour, pipes that close, the demo.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{DISK, TO_STDOUT, sandbox};
use crate::support::sandbox::{Out, Running, Sandbox};

#[test]
fn help_says_what_there_is() {
    let sandbox = Sandbox::new();
    for (args, words) in [
        (
            &["--help"][..],
            &[
                "run",
                "check",
                "replay",
                "explain",
                "schema",
                "demo",
                "status",
                "resolve",
                "silence",
                "Usage:",
                "tripline run --rules",
            ][..],
        ),
        (
            &["run", "--help"],
            &[
                "--config",
                "TRIPLINE_CONFIG",
                "--rules",
                "--start",
                "--state-dir",
                "--listen",
                "--dry-run",
                "stdin",
            ],
        ),
        (
            &["check", "--help"],
            &["--config", "--rules", "--cost", "--sample", "--against-running", "--json", "--color"],
        ),
        (
            &["replay", "--help"],
            &[
                "--rules",
                "--year",
                "--tz",
                "--json",
                "--summary",
                "--html",
                "--against",
                "--no-progress",
                "stdin",
            ],
        ),
        (
            &["explain", "--help"],
            &["--config", "--rules", "--rule", "--source", "--json", "FILE:NUMBER", "stdin"],
        ),
        (&["health", "--help"], &["--state-dir", "--config", "--timeout", "[default: 5s]", "exit 1"]),
        (&["demo", "--help"], &["raised, escalated and resolved"]),
    ] {
        let help = sandbox.run(args).expect(0);
        for word in words {
            assert!(help.answer().contains(word), "{args:?} {word}: {}", help.answer());
        }
        assert_eq!(help.talk(), "");
    }
    let version = sandbox.run(&["--version"]).expect(0).answer();
    assert_eq!(version, format!("tripline {}", env!("CARGO_PKG_VERSION")));
}

/// Runs a command of the program in a terminal of `script`, where colour is on unless it is refused.
fn on_a_terminal(sandbox: &Sandbox, args: &str, variable: Option<(&str, &str)>) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_tripline");
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{program} {args}"), "/dev/null"]).current_dir(sandbox.path(""));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").stdin(Stdio::null());
    command.envs(variable);
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that checks nothing must not look like one that passed")]
fn colour_is_for_terminals_that_want_it() {
    let sandbox = sandbox(TO_STDOUT, &DISK.replace("severity", "severty"));
    let colored = |args: &[&str]| sandbox.run(args).expect(1).answer().contains('\x1b');
    assert!(!colored(&["check"]));
    assert!(colored(&["check", "--color", "always"]));
    assert!(!colored(&["check", "--color", "never"]));
    let Some(plain) = on_a_terminal(&sandbox, "check", Some(("NO_COLOR", "1"))) else {
        eprintln!("NOT CHECKED: there is no `script`, so colour on a terminal was not tried");
        return;
    };
    assert!(plain.contains("severty") && !plain.contains('\x1b'), "{plain:?}");
    assert!(on_a_terminal(&sandbox, "check", None).unwrap().contains('\x1b'));
    assert!(!on_a_terminal(&sandbox, "check", Some(("TERM", "dumb"))).unwrap().contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_news() {
    let many: String = (0..5000)
        .map(|n| format!("[[rule]]\nname = 'r{n}'\nsource = 'app'\nmatch = 'x{n} bad'\nsevrity = 'info'\n"))
        .collect();
    let sandbox = sandbox(TO_STDOUT, DISK);
    sandbox.write("many.toml", many);
    // More than any pipe holds.
    let lines: String = (0..20_000).map(|n| format!("disk d{} bad\n", n % 900)).collect();
    let lines = lines.clone() + &lines.replace("bad", "good");
    sandbox.write("big.log", lines);
    for (args, code) in [
        (&["replay", "--json", "--rules", "rules/r.toml", "big.log"][..], 0),
        (&["replay", "--rules", "rules/r.toml", "big.log"], 0),
        (&["check", "many.toml"], 1),
        (&["check", "--json", "many.toml"], 1),
    ] {
        let mut command = sandbox.command(args);
        // A pipe whose reading end is closed before the first byte.
        let closed = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer
        };
        let output = command.stdout(closed()).output().unwrap();
        let both = sandbox.command(args).stdout(closed()).stderr(closed()).status().unwrap();
        assert_eq!(both.code(), Some(code), "{args:?} with stderr closed too");
        let talk = String::from_utf8_lossy(&output.stderr);
        assert!(!talk.contains("panicked") && !talk.contains("error:"), "{args:?}: {talk}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {talk}");
    }
}

#[test]
fn a_daemon_goes_on_when_nobody_listens_to_its_talk() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = sandbox.command(&["run", "--rules", "rules/r.toml", "-"]);
    command.stdin(Stdio::piped()).stderr(writer);
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"disk sda bad\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

#[test]
fn the_demo_shows_a_whole_life_and_ends_by_itself() {
    let sandbox = Sandbox::new();
    let finished = sandbox.run(&["demo"]).expect(0);
    let told: Vec<String> = finished
        .json()
        .iter()
        .map(|json| format!("{} {}", json["rule"], json["status"]).replace('"', ""))
        .collect();
    for line in [
        "ssh_bruteforce warning",
        "ssh_bruteforce critical",
        "ssh_bruteforce ok",
        "disk_io critical",
        "disk_io ok",
        "oom_kill warning",
        "oom_kill ok",
    ] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:#?}");
    }
    assert!(finished.talk().contains("That was all"), "{finished:#?}");
    assert_eq!(std::fs::read_dir(sandbox.path("")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn the_demo_stops_when_asked() {
    // The last is what is left of a terminal that is closed.
    for (args, signal) in [(&["demo"][..], Signal::INT), (&["demo", "--loop"], Signal::HUP)] {
        let sandbox = Sandbox::new();
        let mut running: Running = sandbox.start(args);
        running.wait_for(Out::Stderr, "the beginning", |line| line.contains("an ordinary morning"));
        running.signal(signal);
        let talk = running.finish().expect(0).talk();
        assert!(!talk.contains("That was all") && talk.contains("Next: "), "{talk}");
        assert_eq!(std::fs::read_dir(sandbox.path("")).unwrap().count(), 0, "nothing is left behind");
    }
}
