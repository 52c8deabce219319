//! What ten thousand files cost that nobody writes.

use std::time::{Duration, Instant};

use crate::program::{Hints, Program};

const DIRS: usize = 100;
const FILES: usize = 10_000;
/// How long nothing happens.
const SPAN: Duration = Duration::from_secs(120);

pub(crate) fn print() {
    let (empty, one) = (world(1), world(FILES));
    println!("{FILES} files that nobody writes, in {DIRS} directories, for {} s", SPAN.as_secs());
    for start in ["at the first start", "after a restart"] {
        // As old as the other: what is done once in a while is mapped in both.
        let bare = Program::follow(&empty, "*/*.log", Hints::Given);
        let begin = Instant::now();
        let mut program = Program::follow(&one, "*/*.log", Hints::Given);
        program.says("following", FILES);
        let started = begin.elapsed();
        rest(Duration::from_secs(15));
        let (worked, begin) = (program.worked(), Instant::now());
        rest(SPAN);
        let share = (program.worked() - worked).as_secs_f64() / begin.elapsed().as_secs_f64();
        let of_each = |now: u64, bare: u64| now.saturating_sub(bare) / FILES as u64;
        let (more, own) = (of_each(program.resident(), bare.resident()), of_each(program.own(), bare.own()));
        println!("{start}");
        println!("  all are followed after      {:>8.2} s", started.as_secs_f64());
        println!("  share of one core           {:>8.3} %", share * 100.0);
        println!(
            "  resident memory for a file  {more:>8} bytes more than a process with one file; {own} without mapped files"
        );
        println!("  descriptors                 {:>8}", program.descriptors());
    }
}

fn world(files: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory can be made");
    for number in 0..files {
        let of = dir.path().join(format!("app-{}", number % DIRS));
        std::fs::create_dir_all(&of).expect("a directory can be made");
        let text =
            format!("2026-11-28T10:00:00Z web-{number} app: a line of a log that was written long ago\n");
        std::fs::write(of.join(format!("service-{number}.log")), text.repeat(20))
            .expect("a file can be made");
    }
    dir
}

fn rest(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "what happens while nothing happens is what is measured")]
    std::thread::sleep(span);
}
