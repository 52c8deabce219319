//! What evil patterns cost on evil lines, as the probe of a load measures it: a line of 64 KiB each.
//!
//! Those that are refused are shown too, by what they were refused for; none of the others may take over 50 ms.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tripline::config::probe::Probe;
use tripline::config::{self, Text};

use crate::evil;

/// Prints a row for each pattern.
#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a bench measures and prints")]
pub(crate) fn table() {
    for (pattern, fate) in evil::PATTERNS {
        let text = format!("[[rule]]\nname = 'evil'\nsource = 's'\nmatch = '{pattern}'\n");
        let slowest = Arc::new(Mutex::new(Duration::ZERO));
        let seen = slowest.clone();
        let probe = Probe::all(Box::new(move |work| {
            let start = Instant::now();
            work();
            let took = start.elapsed();
            let mut slowest = seen.lock().expect("nobody panics with it");
            *slowest = slowest.max(took);
            took
        }));
        let start = Instant::now();
        let text = Text { path: "evil.toml".into(), text };
        let (_, problems) = config::ruleset_probed(
            &[text],
            config::Sources::Any(&[tripline::model::Format::Plain]),
            &config::csv::Files::new(),
            &[],
            &jiff::tz::TimeZone::UTC,
            &mut { probe },
        );
        let all = start.elapsed();
        let said = problems.iter().map(|problem| problem.id).collect::<Vec<_>>().join(" ");
        let slowest = *slowest.lock().expect("nobody panics with it");
        println!("{fate:?}\t{slowest:.1?} at once\t{all:.1?} in all\t{said}\t{pattern}");
    }
}
