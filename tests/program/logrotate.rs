//! Logs that the real `logrotate` rotates, in each of its ways: every line counts once, also over a stop.

use std::process::{Command, Stdio};

use super::{TO_STDOUT, is_installed, sandbox};
use crate::support::sandbox::{Running, Sandbox};

const PROGRAM: &str = "logrotate";

const RULES: &str = r"
[[rule]]
name = 'line'
source = 'app'
match = '^line \d+$'
resolve = '^the end$'
severity = 'info'
";

/// A log, what was written to it, and how it is rotated.
struct Rotated {
    sandbox: Sandbox,
    lines: u32,
    config: String,
}

impl Rotated {
    fn new(how: &str) -> Rotated {
        let sandbox = sandbox(TO_STDOUT, RULES);
        let log = sandbox.path("app.log");
        let config = format!("\"{}\" {{\n  rotate 50\n  nodateext\n  {how}\n}}\n", log.display());
        Rotated { sandbox, lines: 0, config }
    }

    fn write(&mut self, lines: u32) {
        let from = self.lines;
        self.lines += lines;
        let text: String = (from..self.lines).map(|n| format!("line {n}\n")).collect();
        self.sandbox.append("app.log", text);
    }

    fn rotate(&self) {
        self.sandbox.write("rotate.conf", &self.config);
        let path = |name: &str| self.sandbox.path(name);
        let mut command = Command::new(PROGRAM);
        command.arg("-f").arg("-s").arg(path("rotate.state")).arg(path("rotate.conf"));
        let done = command.stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.is_empty(), "{said}");
    }

    fn started(&self) -> Running {
        let mut running = self.sandbox.watch("tripline.toml");
        running.says("following");
        running
    }

    /// Waits until so many lines have counted since the start.
    fn counted(&self, running: &mut Running, lines: u32) {
        running.metric("tripline_rule_matches_total{rule=\"line\"}", |counted| counted == f64::from(lines));
    }
}

/// `copies`: what is written between a look and the cut is lost, so nothing is.
fn check(how: &str, copies: bool) {
    if !is_installed(PROGRAM) {
        return;
    }
    let mut log = Rotated::new(how);
    let mut running = log.started();
    for _ in 0..4 {
        log.write(300);
        if copies {
            log.counted(&mut running, log.lines);
        }
        log.rotate();
        log.write(7);
        log.counted(&mut running, log.lines);
    }
    running.stop().expect(0);
    // While nobody looks.
    let before = log.lines;
    if !copies {
        log.write(200);
    }
    log.rotate();
    log.write(50);
    let mut running = log.started();
    log.counted(&mut running, log.lines - before);
    log.rotate();
    log.sandbox.append("app.log", "the end\n");
    let over = running.tells("line", "ok");
    assert_eq!(over["total"], log.lines, "{how}: {over}");
    running.stop().expect(0);
}

#[test]
fn every_line_counts_once_where_logrotate_renames() {
    check("create", false);
}

#[test]
fn every_line_counts_once_where_logrotate_copies_and_cuts() {
    check("copytruncate", true);
}

#[test]
fn every_line_counts_once_where_logrotate_compresses() {
    check("create\n  compress", false);
}

#[test]
fn every_line_counts_once_where_logrotate_compresses_what_is_older() {
    check("create\n  compress\n  delaycompress", false);
}

#[test]
fn every_line_counts_once_where_logrotate_copies_cuts_and_compresses() {
    check("copytruncate\n  compress", true);
}
