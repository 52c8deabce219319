use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use super::TO_STDOUT;
use super::sandbox;
use crate::support::sandbox::{Running, Sandbox};

const DIRS: usize = 200;

/// A source over two hundred directories with a file each, and a rule for it.
fn wide() -> Sandbox {
    let rule = "[[rule]]\nname = \"disk\"\nsource = \"wide\"\nmatch = 'disk (?<dev>\\S+) bad'\nby = [\"dev\"]\n\
                severity = \"warning\"\nmax_raises = \"never\"\n";
    let globs: Vec<String> = (0..DIRS).map(|number| format!("\"logs/{number}/*.log\"")).collect();
    let source = format!("[[source]]\nname = \"wide\"\nfiles = [{}]\n", globs.join(", "));
    let sandbox = sandbox(&format!("{TO_STDOUT}\n{source}"), rule);
    (0..DIRS).for_each(|number| sandbox.write(&format!("logs/{number}/a.log"), "before\n"));
    sandbox
}

/// Writes a line to each file, and to a new one beside it; every one of them is told.
fn every_line_is_told(sandbox: &Sandbox, running: &mut Running, turn: &str) {
    running.metric("tripline_source_files{source=\"wide\"}", |files| files >= DIRS as f64);
    for number in 0..DIRS {
        sandbox.append(&format!("logs/{number}/a.log"), format!("disk {turn}a{number} bad\n"));
        sandbox.append(&format!("logs/{number}/{turn}.log"), format!("disk {turn}b{number} bad\n"));
    }
    let told: BTreeSet<String> =
        (0..2 * DIRS).map(|_| running.tells("disk", "warning")["labels"]["dev"].to_string()).collect();
    assert_eq!(told.len(), 2 * DIRS);
}

#[test]
fn case_47_two_hundred_directories_share_one_instance_and_all_files_another() {
    let sandbox = wide();
    let mut running = sandbox.watch("tripline.toml");
    every_line_is_told(&sandbox, &mut running, "one");
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap();
    let links = descriptors.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    // Each is held by who reads it, and by who waits for it.
    assert_eq!(links.filter(|link| link.ends_with("anon_inode:inotify")).count(), 2 * 2);
    running.stop().expect(0);
}

#[test]
#[expect(clippy::print_stderr, reason = "what was not tested is said loudly")]
fn case_48_with_fewer_watches_than_directories_every_line_is_found_and_the_lack_is_told() {
    let limit = "echo 50 > /proc/sys/user/max_inotify_watches";
    let tried = Command::new("unshare").args(["-Ur", "sh", "-ec", limit]).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: case 48 on a real kernel: `unshare -Ur` can not limit watches here");
        return;
    }
    let sandbox = wide();
    let bare = sandbox.command(&["run", "--config", "tripline.toml"]);
    let mut command = Command::new("unshare");
    let limited = format!("{limit} && exec \"$@\"");
    command.args(["-Ur", "sh", "-ec", &limited, "sh"]).arg(bare.get_program()).args(bare.get_args());
    command.env_clear().envs(bare.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(sandbox.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command);
    running.says("no more watches");
    running.admin();
    every_line_is_told(&sandbox, &mut running, "one");
    every_line_is_told(&sandbox, &mut running, "two");
    let finished = running.stop().expect(0);
    assert_eq!(finished.talk().matches("no more watches").count(), 1);
}

#[test]
fn case_49_with_256_descriptors_for_two_thousand_files_every_line_is_told_and_state_is_kept() {
    const FILES: usize = 2000;
    let rule = "[[rule]]\nname = \"disk\"\nsource = \"app\"\nmatch = 'disk (?<dev>\\S+) bad'\nby = [\"dev\"]\n\
                severity = \"warning\"\nmax_raises = \"never\"\n";
    let sandbox = sandbox(&TO_STDOUT.replace("app.log", "logs/*.log"), rule);
    (0..FILES).for_each(|number| sandbox.write(&format!("logs/{number}.log"), "before\n"));
    let bare = sandbox.command(&["run", "--config", "tripline.toml"]);
    let mut command = Command::new("sh");
    command.args(["-ec", "ulimit -n 256 && exec \"$@\"", "sh"]).arg(bare.get_program()).args(bare.get_args());
    command.env_clear().envs(bare.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(sandbox.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command);
    running.metric("tripline_source_files{source=\"app\"}", |files| files >= FILES as f64);
    for turn in ["one", "two"] {
        for number in (0..FILES).step_by(5) {
            sandbox.append(&format!("logs/{number}.log"), format!("disk {turn}{number} bad\n"));
        }
        let told: BTreeSet<String> =
            (0..FILES / 5).map(|_| running.tells("disk", "warning")["labels"]["dev"].to_string()).collect();
        assert_eq!(told.len(), FILES / 5);
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap().count();
        assert!(descriptors < 256 * 2 / 3, "{descriptors}");
    }
    let finished = running.stop().expect(0);
    assert!(!finished.talk().contains("can not be read"), "{}", finished.talk());
}
