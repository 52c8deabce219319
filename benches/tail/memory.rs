//! Resident memory while more is read than there is memory for, and while a line does not end.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::program::{Hints, Program};
use crate::quantile::quantile;

const SIZE: usize = 4 << 30;
const BLOCK: usize = 1 << 20;

pub(crate) fn print() {
    println!(
        "resident memory while 4 GiB are read, in KiB: least, median, most, and how far they are from it"
    );
    let line = format!("web-1 app: fan is fine, {}\n", "x".repeat(103));
    show("lines of 128 bytes", &line.repeat(BLOCK / line.len()));
    show("one line", &"x".repeat(BLOCK));
}

fn show(name: &str, block: &str) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let unseen = dir.path().join("backlog");
    let mut file = std::fs::File::create(&unseen).expect("a file can be made");
    for _ in 0..SIZE / BLOCK {
        file.write_all(block.as_bytes()).expect("the file can be written");
    }
    file.write_all(b"\ndisk 1 bad\n").expect("the file can be written");
    let mut program = Program::follow(&dir, "*.log", Hints::Given);
    let told = program.told();
    let (tell, done) = channel();
    std::thread::spawn(move || told.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    // What it finds at its first look it would begin at its end.
    #[expect(clippy::disallowed_methods, reason = "by then it has looked")]
    std::thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    std::fs::rename(&unseen, dir.path().join("a.log")).expect("the file has another name now");
    let mut seen = Vec::new();
    loop {
        match done.recv_timeout(Duration::from_millis(5)) {
            Ok(_) => break,
            Err(RecvTimeoutError::Disconnected) => panic!("it ended before it had read all"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        seen.push((program.resident() / 1024) as f64);
    }
    let took = begin.elapsed().as_secs_f64();
    // The buffers are there once a part of it was read.
    let mut seen = seen.split_off(seen.len() / 10);
    seen.sort_by(f64::total_cmp);
    let [least, half, most] = [0.0, 0.5, 1.0].map(|share| quantile(&seen, share));
    let far = |value: f64| (value / half - 1.0) * 100.0;
    println!(
        "  {name:<20} {least:>8} {half:>8} {most:>8}  {:>+6.1} % {:>+6.1} %  ({} looks in {took:.1} s)",
        far(least),
        far(most),
        seen.len()
    );
}
