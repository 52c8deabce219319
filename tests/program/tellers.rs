//! One story, told by every way that takes JSON lines: a webhook, a file and a program.

use serde_json::Value;

use crate::support::sandbox::{Out, Peer, Sandbox};

const STORY: &str = r#"
[[rule]]
name = "load"
source = "app"
match = 'load (?<n>\d+)'
measure = "last(n)"
resolve = 'load is fine'
resolve_after = "1s"
warning = ">= 5"
critical = ">= 9"
summary = "load {n}"

[[rule]]
name = "deploy"
kind = "change"
source = "app"
match = 'deploy (?<version>\S+) (?<phase>started|finished)'
change_key = "{version}"
change_status = { started = "Processing", finished = "Done" }
"#;

/// What stands in a JSON line, in short.
fn short(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    match line.get("kind") {
        Some(_) => format!("{} {}", text("change_key"), text("change_status")),
        None => format!("{} after {}", text("status"), text("previous")),
    }
}

/// What was told of the alert, and of the change, each in its order. A line that came again counts once.
fn stories(lines: &[Value]) -> (Vec<String>, Vec<String>) {
    let mut unique: Vec<&Value> = Vec::new();
    lines.iter().filter(|line| line["rule"] == "load" || line["rule"] == "deploy").for_each(|line| {
        if !unique.contains(&line) {
            unique.push(line);
        }
    });
    let of = |rule: &str| unique.iter().filter(|line| line["rule"] == rule).map(|line| short(line)).collect();
    (of("load"), of("deploy"))
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    let whole = |line: &str| serde_json::from_str(line).ok();
    String::from_utf8_lossy(bytes).lines().filter_map(whole).collect()
}

/// Where a tripline is about to run that tells these sinks the story, of which these lines are there already.
fn begun(sandbox: &Sandbox, sinks: &str, lines: &str) {
    let rest = "state_dir = 'state'\nstop_budget = '20s'\n[admin]\nlisten = 'off'\n\
                [[source]]\nname = 'app'\nfiles = ['app.log']\nstart = 'beginning'\n";
    sandbox.write("tripline.toml", format!("{rest}{sinks}"));
    sandbox.write("rules/story.toml", STORY);
    sandbox.write("app.log", lines);
}

#[test]
fn a_webhook_a_file_and_a_program_are_told_the_same_story() {
    let peer = Peer::new([]);
    let sandbox = Sandbox::new();
    let sinks = format!(
        r#"
[[sink]]
name = "hook"
type = "webhook"
url = "{}/hook"
batch = {{ count = 10, time = "0s" }}
[[sink]]
name = "archive"
type = "file"
path = "alerts.ndjson"
[[sink]]
name = "program"
type = "exec"
command = ["/bin/sh", "-c", 'cat >> "$0"', "{}"]
"#,
        peer.url(),
        sandbox.path("told.ndjson").display()
    );
    begun(&sandbox, &sinks, "deploy 1.4 started\nload 6\n");
    let running = sandbox.start(&["run"]);
    let heard = |requests: &[crate::support::script::Received]| {
        let bodies =
            requests.iter().filter_map(|request| serde_json::from_slice::<Vec<Value>>(&request.body).ok());
        bodies.flatten().collect::<Vec<_>>()
    };
    let until = |count: usize| {
        peer.wait_until("the next word of the alert", |requests| stories(&heard(requests)).0.len() >= count)
    };
    until(1);
    sandbox.append("app.log", "load 10\n");
    until(2);
    sandbox.append("app.log", "load 6\n");
    until(3);
    sandbox.append("app.log", "load is fine\ndeploy 1.4 finished\n");
    until(4);
    running.stop().expect(0);

    let alert = ["warning after ok", "critical after warning", "warning after critical", "ok after warning"];
    let expected =
        (alert.map(str::to_owned).to_vec(), vec!["1.4 Processing".to_owned(), "1.4 Done".to_owned()]);
    let hook = heard(&peer.received());
    assert_eq!(stories(&hook), expected, "{hook:?}");
    let archive = json_lines(&sandbox.read("alerts.ndjson"));
    assert_eq!(stories(&archive), expected, "{archive:?}");
    let program = json_lines(&sandbox.read("told.ndjson"));
    assert_eq!(stories(&program), expected, "{program:?}");
}

#[test]
fn a_program_that_fails_is_told_again_and_again_until_it_does_its_work() {
    let sandbox = Sandbox::new();
    let sinks = format!(
        r#"
[[sink]]
name = "program"
type = "exec"
command = ["bin/notify", "{}"]
"#,
        sandbox.path("told.ndjson").display()
    );
    begun(&sandbox, &sinks, "load 10\n");
    // It fails until its third run, and says so with what could steer a terminal.
    let script = "#!/bin/sh\necho x >> \"$1.runs\"\n[ $(wc -l < \"$1.runs\") -ge 3 ] && cat >> \"$1\" && exit 0\n\
                  printf '\\033[31mbusy' >&2\nexit 75\n";
    sandbox.write("bin/notify", script);
    use std::os::unix::fs::PermissionsExt as _;
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("bin/notify"), executable).expect("it was just written");
    let mut running = sandbox.start(&["run"]);
    running.wait_for(Out::Stderr, "that it was accepted", |line| line.contains("delivery accepted"));
    let finished = running.stop().expect(0);
    let talk = finished.talk();
    assert!(talk.contains("status=75") && !talk.contains("busy") && !talk.contains('\u{1b}'), "{talk}");
    let told = json_lines(&sandbox.read("told.ndjson"));
    assert_eq!(stories(&told).0, ["critical after ok"]);
}

#[test]
fn on_a_full_disk_nothing_is_lost_and_no_half_line_stays() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    use std::io::{Read as _, Seek as _, SeekFrom};
    /// Bytes.
    const BEGUN: u64 = 32 << 20;
    let sandbox = Sandbox::new();
    let sinks = r#"
[[sink]]
name = "archive"
type = "file"
path = "alerts.ndjson"
"#;
    begun(&sandbox, sinks, "load 6\n");
    // Longer than the state ever is, without taking room: the limit below is for all files, and is met by this one.
    sandbox.write("alerts.ndjson", "");
    let appender = sandbox.appender("alerts.ndjson");
    appender.set_len(BEGUN - 1).expect("a hole takes no room");
    sandbox.append("alerts.ndjson", "\n");
    let mut running = sandbox.start(&["run"]);
    let alerts = || {
        let mut file = std::fs::File::open(sandbox.path("alerts.ndjson")).expect("it is there");
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(BEGUN)).and_then(|_| file.read_to_end(&mut text)).expect("it can be read");
        text
    };
    running.wait_until("the raise", || alerts().ends_with(b"\n"));
    let before = alerts();
    // So many bytes have room, which is less than a line.
    let pid = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    let room = |bytes: Option<usize>| {
        let current = bytes.map(|bytes| BEGUN + (before.len() + bytes) as u64);
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum: None }).expect("it is our child");
    };
    room(Some(100));
    sandbox.append("app.log", "load 10\ndeploy 1.4 started\n");
    for _ in 0..2 {
        let said = running.says("will be tried again");
        assert!(said.contains("cannot write to"), "{said}");
    }
    running.wait_until("no half line", || alerts() == before);
    // Not a single byte has room.
    room(Some(0));
    running.says("will be tried again");
    assert_eq!(alerts(), before);
    room(None);
    let whole = || stories(&json_lines(&alerts()));
    running.wait_until("what was owed", || whole().0.len() == 2 && whole().1.len() == 1);
    sandbox.append("app.log", "load is fine\ndeploy 1.4 finished\n");
    running.wait_until("the end", || whole().0.len() >= 3 && whole().1.len() == 2);
    running.stop().expect(0);
    let text = alerts();
    let lines = json_lines(&text);
    assert_eq!(lines.len(), text.iter().filter(|byte| **byte == b'\n').count(), "each line is whole");
    let (alert, change) = stories(&lines);
    assert_eq!(alert[..2], ["warning after ok", "critical after warning"], "{alert:?}");
    assert_eq!(change, ["1.4 Processing", "1.4 Done"]);
}
