#![expect(clippy::disallowed_methods, reason = "the programs of these tests are files")]

use super::*;
use crate::sink::sample;

/// What becomes of a run of a shell with this script.
async fn outcome_of(script: &str, timeout: Duration) -> Outcome {
    let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    tell(&settings(command, timeout), &row()).await.0
}

fn settings(command: Vec<String>, timeout: Duration) -> Exec {
    Exec { command, timeout, env: vec!["CARGO_PKG_NAME".to_owned()], concurrency: 1 }
}

fn row() -> Delivery {
    let transition =
        crate::model::Transition { summary: "$(id) `id` ; \"'\n".to_owned(), ..sample::transition() };
    sample::raise(transition)
}

/// Long enough for any machine: it never passes in a test that succeeds.
const AMPLE: Duration = Duration::from_secs(60);

async fn check(script: &str, expected: &str) {
    let shown = format!("{:?}", outcome_of(script, AMPLE).await);
    assert!(shown.contains(expected), "{script}: {shown}");
}

#[tokio::test]
async fn a_program_gets_one_json_line_and_few_variables() {
    let dir = tempfile::tempdir().unwrap();
    let (line, variables) = (dir.path().join("line"), dir.path().join("variables"));
    let script = format!("cat > '{}'; env > '{}'", line.display(), variables.display());
    let outcome = outcome_of(&script, AMPLE).await;
    assert_eq!(outcome, Outcome::Accepted { note: String::new() });
    let text = std::fs::read_to_string(line).unwrap();
    assert_eq!(text, stdout::content_json(&row().content) + "\n");
    let variables = std::fs::read_to_string(variables).unwrap();
    let id = "TRIPLINE_ID=ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f@3.4096.0";
    assert!(variables.lines().any(|line| line == id), "{variables}");
    // The shell adds some of its own.
    let ours = ["PATH", "HOME", "LANG", "TZ", "CARGO_PKG_NAME", "TRIPLINE_ID", "PWD", "OLDPWD", "SHLVL", "_"];
    for variable in variables.lines() {
        let name = variable.split('=').next().unwrap();
        assert!(ours.contains(&name), "{variable}");
    }
    assert!(variables.contains("CARGO_PKG_NAME=tripline"));
}

#[tokio::test]
async fn the_way_it_ends_decides_and_what_it_says_is_the_reason() {
    check("exit 0", "Accepted").await;
    check("echo busy >&2; exit 75", "Retry { after: None, why: \"exit code 75: busy\"").await;
    check("echo on stdout; exit 1", "Retry { after: None, why: \"exit code 1: on stdout\"").await;
    check("kill -9 $$", "ended by signal 9").await;
    check("exit 65", "Dead").await;
    check("no-such-program-at-all", "Suspend { why: \"exit code 127: ").await;
    check("printf '\\033[31mred' >&2; exit 1", "exit code 1: [31mred\"").await;
}

#[tokio::test]
async fn what_is_no_program_suspends_and_one_that_is_away_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "no program").unwrap();
    let no_directory = text.join("none");
    for (program, expected) in [
        (dir.path().join("none"), "Retry { after: None, why: \"cannot run `"),
        (no_directory, "Retry { after: None, why: \"cannot run `"),
        (text, "Suspend { why: \"cannot run `"),
        (dir.path().to_owned(), "Suspend { why: \"cannot run `"),
    ] {
        let outcome = tell(&settings(vec![program.display().to_string()], AMPLE), &row()).await.0;
        let shown = format!("{outcome:?}");
        assert!(shown.starts_with(expected), "{shown}");
    }
}

#[test]
fn what_would_not_run_is_found_without_running_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "no program").unwrap();
    let check = |program: &str, expected: Option<&str>| {
        let said = unable(&settings(vec![program.to_owned()], AMPLE));
        assert_eq!(said.is_some(), expected.is_some(), "{program}: {said:?}");
        assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{program}");
    };
    check("/bin/sh", None);
    check("sh", None);
    check("no-such-program-at-all", Some("there is no program `no-such-program-at-all` in `PATH`"));
    check(&text.display().to_string(), Some("may not be run by this user"));
    check(&dir.path().display().to_string(), Some("is a directory"));
    check(&dir.path().join("none").display().to_string(), Some("there is no program `"));
}

#[tokio::test]
async fn neither_a_program_that_reads_nothing_nor_one_that_never_stops_talking_holds_anything_up() {
    let long = crate::model::Transition { description: "x".repeat(1 << 20), ..sample::transition() };
    let deaf = settings(vec!["/bin/true".to_owned()], AMPLE);
    assert!(matches!(tell(&deaf, &sample::raise(long)).await.0, Outcome::Accepted { .. }));
    let outcome = outcome_of("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo END >&2; exit 1", AMPLE).await;
    let Outcome::Retry { why, .. } = outcome else { panic!("{outcome:?}") };
    assert!(why.starts_with("exit code 1: …xxx") && why.ends_with("xxxEND") && why.len() < 1_000, "{why}");
}

#[tokio::test]
async fn a_program_whose_time_is_over_is_killed_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    // What it starts holds its pipes open, and says who it is.
    let script = format!("sleep 1000 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", pid.display());
    let outcome = outcome_of(&script, Duration::from_secs(5)).await;
    assert_eq!(outcome, Outcome::Retry { after: None, why: "killed after 5s".to_owned() });
    let pid: i32 = std::fs::read_to_string(&pid).expect("five seconds are enough").trim().parse().unwrap();
    // Dead, or waiting to be fetched by whoever adopts it. A signal is on its way for a moment.
    let dead = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = status.rsplit(')').next().unwrap_or_default().trim().chars().next();
        std::thread::yield_now();
        matches!(state, None | Some('Z' | 'X'))
    };
    assert!((0..1_000_000).any(|_| dead()));
}

#[tokio::test]
async fn what_a_program_leaves_running_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let outcome = outcome_of(&format!("sleep 1000 & echo $! > '{}'", pid.display()), AMPLE).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_refused_before_anything_is_sent() {
    use super::super::{Courier, Terms};
    use crate::model::{SinkName, Timestamp};
    use std::sync::Arc;
    let attach = |program: &str, send: bool| {
        let terms = Terms { send, ..Terms::new(Arc::new(|| Timestamp::MIN)) };
        let mut courier = Courier::new(tokio::runtime::Handle::current(), terms, Arc::new(|_| ()));
        let peer = crate::settings::Peer::Exec(settings(vec![program.to_owned()], AMPLE));
        courier.attach(&[crate::settings::Sink::new(SinkName::new("pager"), peer)])
    };
    let refused = attach("/none/notify", true).unwrap_err().to_string();
    assert_eq!(refused, "the `command` of sink `pager` can not be run: there is no program `/none/notify`");
    assert!(attach("/bin/sh", true).is_ok());
    assert!(attach("/none/notify", false).is_ok(), "a rehearsal runs nothing");
}

#[tokio::test]
async fn what_a_variable_holds_is_not_said_again() {
    // The variable is `CARGO_PKG_NAME`.
    check("echo \"401 for https://h/?token=$CARGO_PKG_NAME\" >&2; exit 77", "https://h/?token=***\"").await;
    check("echo at $CARGO_PKG_NAME; exit 1", "exit code 1: at ***\"").await;
    // Of one that was cut off nothing is recognised any more.
    let cut = "printf %s x$CARGO_PKG_NAME; head -c 4092 /dev/zero | tr '\\0' ' '; exit 1";
    check(cut, "why: \"exit code 1\"").await;
}
