//! Names of files that were chosen to do harm, and what is no file at all.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use super::{TO_STDOUT, sandbox};

const RULE: &str = r"
[[rule]]
name = 'bad'
source = 'app'
match = '^bad (?<n>\d+)$'
by = ['n']
summary = 'bad {n} in {file}'
resolve_after = '1h'
";

fn of(files: &str, follow_symlinks: bool) -> String {
    let source = format!("files = [\"{files}\"]\nfollow_symlinks = {follow_symlinks}");
    let config = TO_STDOUT.replace("files = [\"app.log\"]", &source);
    assert!(config.contains("follow_symlinks"), "{config}");
    config
}

/// Names in one directory.
fn hostile() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        "a\nb.log",
        "..log",
        "...log",
        " .log",
        "\u{1b}[31mred\u{7}.log",
        "{summary}.log",
        "a\"b\\c=d,e}.log",
        "\u{202e}gol.log",
        "-rf.log",
        "%00.log",
    ]
    .map(|name| name.as_bytes().to_vec())
    .into();
    names.push([b"\xff\xfe\xc3(".as_slice(), b".log"].concat());
    names.push([vec![b'x'; 251], b".log".to_vec()].concat());
    names
}

fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}')
}

#[test]
fn names_of_files_that_were_chosen_to_do_harm_are_followed_and_shown_harmless() {
    let sandbox = sandbox(&of("logs/**/*.log", true), RULE);
    // A path of nearly as many bytes as a path may have.
    let deep = vec!["d".repeat(200); 15].join("/");
    sandbox.write(&format!("logs/{deep}/deep.log"), "");
    let dir = sandbox.path("logs");
    let names = hostile();
    for name in &names {
        std::fs::write(dir.join(OsStr::from_bytes(name)), "").expect("a name that may be");
    }
    // Links that lead to themselves can not be looked at.
    for name in [b"loop\n\x1b[31m.log".as_slice(), "\u{202e}loop.log".as_bytes(), b"loop\xff.log"] {
        let path = dir.join(OsStr::from_bytes(name));
        symlink(&path, &path).expect("a link");
    }
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let mut paths: Vec<_> = names.iter().map(|name| dir.join(OsStr::from_bytes(name))).collect();
    paths.push(dir.join(&deep).join("deep.log"));
    for (n, path) in paths.iter().enumerate() {
        let log = std::fs::OpenOptions::new().append(true).open(path).expect("it was made");
        std::io::Write::write_all(&mut &log, format!("bad {n}\n").as_bytes()).expect("room");
    }
    let mut seen: Vec<String> = Vec::new();
    for _ in &paths {
        let told = running.tells("bad", "warning");
        assert!(told.to_string().bytes().all(|byte| byte >= b' '), "{told}");
        seen.push(told["labels"]["n"].as_str().expect("a label").to_owned());
    }
    seen.sort_by_key(|n| n.parse::<usize>().ok());
    assert_eq!(seen, (0..paths.len()).map(|n| n.to_string()).collect::<Vec<_>>());
    let metrics = running.get("/metrics");
    for line in metrics.lines().skip_while(|line| !line.is_empty()).skip(1) {
        let is_ours = ["tripline_", "process_", "#"].iter().any(|begin| line.starts_with(begin));
        assert!(is_ours || line.is_empty(), "{line:?}");
    }
    let status = sandbox.run(&["status", "--config", "tripline.toml"]);
    let shown = status.answer();
    assert_eq!(shown.matches("Too many levels of").count(), 3, "{shown}");
    assert!(is_harmless(&shown), "{shown:?}");
    let finished = running.stop().expect(0);
    assert!(is_harmless(&finished.talk()), "{:?}", finished.talk());
}

#[test]
fn case_55_what_is_no_file_is_left_alone_and_holds_nobody_up() {
    let sandbox = sandbox(&of("logs/*.log", true), RULE);
    sandbox.write("logs/a.log", "");
    let dir = sandbox.path("logs");
    let made = std::process::Command::new("mkfifo").arg(dir.join("pipe.log")).status().expect("mkfifo");
    assert!(made.success());
    std::fs::create_dir(dir.join("dir.log")).expect("a directory");
    symlink("/dev/zero", dir.join("zero.log")).expect("a link");
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket.log")).expect("a socket");
    let mut running = sandbox.watch("tripline.toml");
    for name in ["dir.log", "pipe.log", "socket.log", "zero.log"] {
        running.says(&format!("left alone path={}", dir.join(name).display()));
    }
    sandbox.append("logs/a.log", "bad 7\n");
    running.tells("bad", "warning");
    running.stop().expect(0);
}

#[test]
fn case_32_links_that_a_wildcard_finds_are_left_alone_and_those_that_are_written_followed() {
    let sandbox = sandbox(&of("written/*.log\", \"links/b.log", false), RULE);
    for name in ["logs/a.log", "logs/b.log", "secret"] {
        sandbox.write(name, "");
    }
    std::fs::create_dir(sandbox.path("links")).expect("a directory");
    symlink("logs", sandbox.path("written")).expect("a link");
    symlink(sandbox.path("secret"), sandbox.path("logs/secret.log")).expect("a link");
    symlink("../logs/b.log", sandbox.path("links/b.log")).expect("a link");
    let mut running = sandbox.watch("tripline.toml");
    running.says("is a symbolic link that was found by a wildcard, and is left alone");
    sandbox.append("secret", "bad 1\n");
    for (n, name) in [("2", "logs/a.log"), ("3", "logs/b.log")] {
        sandbox.append(name, format!("bad {n}\n"));
        assert_eq!(running.tells("bad", "warning")["labels"]["n"], n);
    }
    // Who trusts whoever makes links says so.
    sandbox.write("tripline.toml", of("written/*.log\", \"links/b.log", true));
    running.signal(Signal::HUP);
    assert_eq!(running.tells("bad", "warning")["labels"]["n"], "1");
    running.stop().expect(0);
}
