//! What can not work: a sentence, exit 2, and nothing is done.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use redb::{Database, TableDefinition};

use super::{DISK, TO_STDOUT, config, sandbox};
use crate::support::sandbox::{Finished, Peer, Running, accepted, parse};

/// A sentence that says `words`, and nothing that looks like a crash.
#[track_caller]
fn refused(finished: Finished, words: &str) -> Finished {
    let finished = finished.expect(2);
    let last = finished.stderr.last().expect("something is said");
    assert!(last.starts_with("error: ") && finished.talk().contains(words), "{words}: {finished:#?}");
    for crash in ["backtrace", "RUST_BACKTRACE", "src/", "unwrap", "Error {"] {
        assert!(!finished.talk().contains(crash), "{finished:#?}");
    }
    assert_eq!(finished.answer(), "");
    finished
}

#[test]
fn paths_that_can_not_be_read_are_named() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    std::fs::create_dir(sandbox.path("dir")).unwrap();
    symlink("nowhere", sandbox.path("broken")).unwrap();
    symlink("loop", sandbox.path("loop")).unwrap();
    sandbox.write("latin.toml", b"# caf\xe9\n");
    let rules = "rules/r.toml";
    for (args, words) in [
        (&["run", "--config", "none.toml"][..], "`none.toml`"),
        (&["run", "--config", "dir"], "`dir`"),
        (&["run", "--config", "broken"], "`broken`"),
        (&["run", "--config", "app.log/x"], "`app.log/x`"),
        (&["run", "--config", "latin.toml"], "`latin.toml` is not UTF-8"),
        (&["run", "--rules", "none.toml", "app.log"], "`none.toml`"),
        (&["run", "--rules", "dir", "app.log"], "`dir`"),
        (&["run", "--rules", "broken", "app.log"], "`broken`"),
        (&["run", "--rules", "none/*.toml", "app.log"], "`none/*.toml`"),
        (&["run", "--rules", rules, "dir"], "is a directory"),
        (&["run", "--rules", rules, "loop"], "loop`"),
        (&["run", "--rules", rules, "app.log/x"], "app.log/x`"),
        (&["run", "app.log"], "`--rules`"),
        (&["replay", "--rules", rules, "none.log"], "`none.log`"),
        (
            &["replay", "--rules", rules, "dir"],
            "`dir` is a directory: name the files in it, or all of them as `dir/*`",
        ),
        (&["replay", "--rules", rules, "no*.log"], "no file fits `no*.log`"),
        (&["replay", "--rules", rules, "broken"], "`broken`"),
        (&["replay", "--rules", "dir", "app.log"], "`dir`"),
        (&["replay", "--rules", rules, "--tz", "Mars/Base", "app.log"], "`Mars/Base`"),
    ] {
        refused(sandbox.run(args), words);
    }
}

#[test]
fn without_a_configuration_and_a_file_the_way_out_is_named() {
    let sandbox = crate::support::sandbox::Sandbox::new();
    let finished = sandbox.run(&["run"]).expect(2);
    for words in ["error: there is no configuration", "hint: ", "tripline demo"] {
        assert!(finished.talk().contains(words), "{finished:#?}");
    }
}

#[test]
fn arguments_that_are_wrong_are_refused() {
    let sandbox = crate::support::sandbox::Sandbox::new();
    for args in [&["rnu"][..], &["run", "--strat", "end"], &["replay"], &["run", "--listen", "here"], &[]] {
        let finished = sandbox.run(args).expect(2);
        assert!(finished.talk().contains("Usage:") || finished.talk().contains("--help"), "{finished:#?}");
    }
}

#[test]
fn a_heartbeat_to_nobody_is_shown_at_its_place() {
    let sandbox = sandbox(&format!("{TO_STDOUT}[heartbeat]\nsink = 'nobody'\n"), DISK);
    let finished = refused(sandbox.run(&["run"]), "there is no sink named `nobody`");
    assert!(finished.talk().contains("^^^^^^^^"), "{finished:#?}");
}

#[test]
fn a_sink_without_its_key_is_refused_before_anything_is_watched() {
    let peer = Peer::new([]);
    let from_env =
        config(&peer.url()).replace("integration_key_file = \"key\"", "integration_key_env = \"MY_KEY\"");
    let sandbox = sandbox(&from_env, DISK);
    refused(sandbox.run(&["run"]), "sink `oncall` has no key: the environment variable `MY_KEY` is not set");
    let with = |value: &str| {
        let mut command = sandbox.command(&["run"]);
        command.env("MY_KEY", value);
        Running::start(command).finish()
    };
    refused(with(" "), "the environment variable `MY_KEY` is empty");
    let finished =
        refused(with("C4n4ry and more"), "the environment variable `MY_KEY` holds more than a key");
    assert!(!finished.talk().contains("C4n4ry"), "{finished:#?}");

    sandbox.write("tripline.toml", config(&peer.url()));
    std::fs::remove_file(sandbox.path("key")).unwrap();
    refused(sandbox.run(&["run"]), "cannot read the key file `");
    std::fs::create_dir(sandbox.path("key")).unwrap();
    refused(sandbox.run(&["run"]), "cannot read the key file `");
    assert!(peer.received().is_empty());
}

#[test]
fn case_61_a_second_instance_is_told_of_the_first() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let first = sandbox.watch("tripline.toml");
    refused(sandbox.run(&["run"]), &format!("is in use by process {}", first.id()));
    first.stop().expect(0);
}

#[test]
fn an_admin_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let sandbox = sandbox(&TO_STDOUT.replace("127.0.0.1:0", &address), DISK);
    refused(sandbox.run(&["run"]), &format!("can not listen on `{address}`"));
    refused(sandbox.run(&["run"]), "another place with `--listen` or `[admin] listen`");
    sandbox.start(&["run", "--listen", "off"]).says("started");
    for wrong in ["80", "localhost:80", "none", ""] {
        let said = sandbox.run(&["run", "--listen", wrong]).expect(2).talk();
        assert!(said.contains("`127.0.0.1:7437` or `[::1]:7437`, or `off`"), "{said}");
    }
}

#[test]
fn what_is_said_of_log_files_is_refused_where_none_is_named() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    for option in [["--start", "end"], ["--format", "json"], ["--multiline", "java"], ["--envelope", "cri"]] {
        let said = sandbox.run(&[&["run"], &option[..]].concat()).expect(2).talk();
        assert!(said.contains("<FILE>..."), "{said}");
    }
    refused(sandbox.run(&["run", "app.log"]), "`--config tripline.toml`");
}

#[test]
fn a_wrong_rule_file_is_told_with_the_command_that_shows_it_again() {
    let sandbox = sandbox(TO_STDOUT, &DISK.replace("severity", "severty"));
    let again = "`tripline check --rules rules/r.toml` shows them again";
    refused(sandbox.run(&["run", "--rules", "rules/r.toml", "app.log"]), again);
    refused(
        sandbox.run(&["run", "--config", "tripline.toml"]),
        "`tripline check --config tripline.toml` shows",
    );
    refused(sandbox.run(&["run"]), "`tripline check` shows them again");
}

#[test]
fn in_a_log_of_json_objects_problems_of_a_reload_are_such_with_their_place() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let mut running = sandbox.start(&["run", "--log-format", "json"]);
    running.says("started");
    sandbox.write("rules/new.toml", DISK.replace("severity", "severty"));
    std::fs::rename(sandbox.path("rules/new.toml"), sandbox.path("rules/r.toml")).expect("it is there");
    running.signal(rustix::process::Signal::HUP);
    let told = parse(&running.says("severty"));
    let place = std::path::absolute(sandbox.path("rules/r.toml")).expect("it has one");
    assert!(told["file"].as_str().is_some_and(|file| place.ends_with(file)), "{told}");
    assert_eq!(
        (&told["level"], &told["id"], &told["line"]),
        (&"ERROR".into(), &"unknown-key".into(), &8.into())
    );
    assert_eq!(told["help"], "did you mean `severity`?", "{told}");
    assert!(told["label"].is_string() && told.get("note").is_none(), "{told}");
    running.says("shows where");
    for line in &running.stop().expect(0).stderr {
        parse(line);
    }
}

#[test]
fn case_56_a_state_that_is_no_use_is_set_aside_and_an_alert_says_so() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    sandbox.write("state/state.redb", "garbage");
    refused(sandbox.run(&["run", "--require-state"]), "state.redb` is corrupt");
    assert_eq!(sandbox.read("state/state.redb"), b"garbage");
    let mut running = sandbox.watch("tripline.toml");
    let requests = peer.wait_until("tripline_state_lost", |requests| !accepted(requests).is_empty());
    assert_eq!(accepted(&requests)[0]["labels"]["rule"], "tripline_state_lost");
    assert_eq!(accepted(&requests)[0]["event_status"], "Critical");
    running.says("following");
    running.stop().expect(0);
    let names = std::fs::read_dir(sandbox.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let kept = names.filter(|path| path.to_string_lossy().contains("state.redb.corrupt-"));
    let kept: Vec<_> = kept.map(|path| std::fs::read(path).unwrap()).collect();
    assert_eq!(kept, [b"garbage"]);
    // The new one is a state like any other.
    sandbox.start(&["run", "--require-state"]).stop_once("following").expect(0);
}

#[test]
fn without_a_state_that_is_required_nothing_starts() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    refused(sandbox.run(&["run", "--require-state"]), "an existing state is required");
}

#[test]
fn a_state_of_a_newer_version_is_left_alone() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    sandbox.watch("tripline.toml").stop().expect(0);
    {
        let state = Database::open(sandbox.path("state/state.redb")).unwrap();
        let write = state.begin_write().unwrap();
        let meta: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
        write.open_table(meta).unwrap().insert(&b"format"[..], &99u32.to_be_bytes()[..]).unwrap();
        write.commit().unwrap();
    }
    let before = sandbox.read("state/state.redb");
    refused(sandbox.run(&["run"]), "has format 99");
    assert!(sandbox.read("state/state.redb") == before, "not a byte is changed");
}

/// A small file system of its own, while it lives.
struct Small(std::path::PathBuf);

impl Small {
    /// `None` where one may not be mounted, with a sentence on stderr.
    #[expect(clippy::print_stderr, reason = "a test that checks nothing must not look like one that passed")]
    fn mount(at: std::path::PathBuf) -> Option<Small> {
        std::fs::create_dir(&at).expect("it lies in the sandbox");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(&at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Small(at));
        }
        eprintln!("NOT CHECKED: file systems can not be mounted here, so a full disk was not tried");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn case_57_on_a_full_disk_reading_waits_and_goes_on_when_there_is_room() {
    let peer = Peer::new([]);
    let sandbox = sandbox(&config(&peer.url()), DISK);
    let Some(_small) = Small::mount(sandbox.path("state")) else { return };
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    // All the room there is, so that the next commit that needs more fails: one with many alerts, all of which wait.
    let mut filler = std::fs::File::create(sandbox.path("state/filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    let many: String = (0..900).map(|n| format!("disk d{n} bad {}\n", "x".repeat(1000))).collect();
    sandbox.append("app.log", many);
    running.says("the state can not be written");
    peer.wait_until("tripline_store_failed", |requests| {
        accepted(requests).iter().any(|told| told["labels"]["rule"] == "tripline_store_failed")
    });
    filler.set_len(0).unwrap();
    running.says("the state is written again");
    peer.wait_until("the end of tripline_store_failed", |requests| {
        let told = accepted(requests);
        told.iter()
            .any(|told| told["labels"]["rule"] == "tripline_store_failed" && told["event_status"] == "Ok")
    });
    running.metric("tripline_rule_matches_total{rule=\"disk\"}", |matches| matches == 900.0);
    running.kill();
}

#[test]
fn a_state_directory_without_room_is_refused_with_a_sentence() {
    let sandbox = sandbox(TO_STDOUT, DISK);
    let Some(_small) = Small::mount(sandbox.path("state")) else { return };
    let mut filler = std::fs::File::create(sandbox.path("state/filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    refused(sandbox.run(&["run"]), "no space is left for `");
}

/// Whoever can write a rule decides what root does. Nobody else is refused: then it is his own affair.
#[test]
fn root_believes_no_file_that_others_can_change() {
    use std::os::unix::fs::PermissionsExt as _;
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    let is_root = rustix::process::geteuid().is_root();
    for (file, mode, refused) in [
        ("rules/r.toml", 0o644, false),
        ("rules/r.toml", 0o646, true),
        ("tripline.toml", 0o602, true),
        ("rules", 0o757, true),
        ("rules", 0o1777, false),
    ] {
        let sandbox = sandbox(TO_STDOUT, DISK);
        set(&sandbox.path(file), mode);
        if refused && is_root {
            let done = sandbox.run(&["run", "--config", "tripline.toml"]).expect(2);
            assert!(done.talk().contains("can be changed by everybody on this machine"), "{done:?}");
            let checked = sandbox.run(&["check"]).expect(0).talk();
            assert!(checked.contains("warning: `run` refuses it here: "), "{checked}");
            set(&sandbox.path(file), mode & !0o022);
        }
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        // Neither is it believed later on.
        if is_root && file == "rules/r.toml" {
            set(&sandbox.path(file), 0o666);
            running.signal(rustix::process::Signal::HUP);
            running.says("can be changed by everybody");
        }
    }
}
