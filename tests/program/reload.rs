//! A thousand rules are put in force again and again while lines come.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::Signal;

use super::{TO_STDOUT, sandbox};

/// As many rules as somebody who has all packs and his own.
const RULES: usize = 1000;

/// More lines than these would only make the end wait.
const MOST: u64 = 60_000;

/// `edition` stands in every text, and in the patterns of every tenth rule.
fn rules(edition: usize) -> String {
    let mut text = "[[rule]]\nname = \"census\"\nsource = \"app\"\nmatch = 'census line \\d+'\nresolve = 'census over'\n\
                    severity = \"info\"\nsummary = \"{total}\"\n"
        .to_owned();
    for number in 1..RULES {
        let changing = if number % 10 == 0 { edition } else { 0 };
        text += &format!(
            "[[rule]]\nname = \"r{number}\"\nsource = \"app\"\n\
             match = 'unit{number}x?{changing} failed: code=(?<code>\\d+) on (?<host>\\S+)'\nby = [\"host\"]\n\
             within = \"5m\"\nwarning = \">= 5\"\nsummary = \"edition {edition} {{host}} {{code}}\"\n"
        );
    }
    text
}

#[test]
fn a_reload_of_a_thousand_rules_neither_drops_nor_repeats_a_line() {
    let sandbox = sandbox(TO_STDOUT, &rules(0));
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut log = sandbox.appender("app.log");
    let writer = {
        let (stop, written) = (stop.clone(), written.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && written.load(Ordering::Relaxed) < MOST {
                let number = written.fetch_add(1, Ordering::Relaxed);
                // In pieces, so that a reload also meets half a line.
                for piece in ["census ", "line ", &format!("{number}\nanother line {number}\n")] {
                    log.write_all(piece.as_bytes()).expect("the sandbox can be written");
                }
            }
        })
    };
    running.tells("census", "info");
    for edition in 1..=3 {
        // As a whole, whatever is loaded at this moment: a look of the program's own may be first.
        sandbox.write("rules/next", rules(edition));
        std::fs::rename(sandbox.path("rules/next"), sandbox.path("rules/r.toml"))
            .expect("files can change names");
        running.signal(Signal::HUP);
        running.says("the configuration was loaded");
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends by itself");
    sandbox.append("app.log", "census over\n");
    let over = running.tells("census", "ok");
    assert_eq!(
        over["total"].as_u64().or_else(|| over["count"].as_u64()),
        Some(written.load(Ordering::Relaxed))
    );
    running.stop().expect(0);
}
