//! The program on its way, seen from outside.

#![allow(dead_code, reason = "shared by several benches, each of which looks at other things")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running `tripline`; it ends with this.
pub(crate) struct Watch {
    child: Child,
    admin: String,
}

impl Watch {
    /// Starts it on a configuration with an admin page. What it prints goes to `told`.
    pub(crate) fn start(config: &Path, told: Stdio) -> Watch {
        Watch::start_of(Path::new(env!("CARGO_BIN_EXE_tripline")), config, told)
    }

    /// The same of a binary that was built otherwise.
    pub(crate) fn start_of(binary: &Path, config: &Path, told: Stdio) -> Watch {
        let mut child = Command::new(binary)
            .arg("run")
            .arg("--config")
            .arg(config)
            .stdout(told)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        let admin = loop {
            let Some(Ok(line)) = lines.next() else { panic!("it ended: {said:#?}") };
            if let Some((_, address)) = line.split_once("status page address=") {
                break address.to_owned();
            }
            said.push(line);
        };
        std::thread::spawn(move || lines.for_each(drop));
        Watch { child, admin }
    }

    /// Where its admin page is.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// What the admin page answers, with its head.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).expect("the admin page answers");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.admin)
            .expect("the admin page listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the admin page speaks UTF-8");
        answer
    }

    /// What `/metrics` says.
    pub(crate) fn metrics(&self) -> String {
        self.get("/metrics")
    }

    /// Bytes of resident memory.
    pub(crate) fn resident(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("Linux tells");
        text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
    }

    /// A line of `/proc/PID/status` that is in KiB.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux tells");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells of it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Seconds of CPU, user and system, so far.
    pub(crate) fn cpu(&self) -> f64 {
        ticks(&format!("/proc/{}/stat", self.child.id()), 13..15)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum of all series of `/metrics` whose names begin so.
pub(crate) fn sum(metrics: &str, series: &str) -> u64 {
    let numbers = metrics.lines().filter(|line| line.starts_with(series));
    numbers.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

/// The sum of these fields of a `stat` file, counted from 0, in seconds.
pub(crate) fn ticks(path: &str, fields: std::ops::Range<usize>) -> f64 {
    /// Of a second, on every Linux.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string(path).expect("Linux tells");
    // The name of the program may hold blanks.
    let (_, rest) = text.rsplit_once(") ").expect("it has a name");
    let fields = rest.split(' ').skip(fields.start - 2).take(fields.len());
    fields.map(|field| field.parse::<f64>().expect("a number")).sum::<f64>() / TICKS
}
