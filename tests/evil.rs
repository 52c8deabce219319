//! Patterns made to be slow or large: each is refused by a limit, or tried by every load, or too small to be slow.
//! How slow they are is measured by `cargo bench --bench pipeline evil`; no test reads a clock.

#[path = "../benches/evil.rs"]
mod patterns;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use patterns::{Fate, PATTERNS};
use tripline::config::probe::Probe;
use tripline::config::{self, Diagnostic, Text};

/// What a quick load says of a rule with this pattern, if each trial takes so long; and how often it was tried.
fn loaded(pattern: &str, took: Duration) -> (Vec<Diagnostic>, usize) {
    let text = format!("[[rule]]\nname = 'evil'\nsource = 's'\nmatch = '{pattern}'\n");
    let tried = Rc::new(Cell::new(0));
    let seen = tried.clone();
    // The work is not done: what it would take is what is said.
    let stopwatch = Box::new(move |_: &mut dyn FnMut()| {
        seen.set(seen.get() + 1);
        took
    });
    let text = Text { path: "evil.toml".into(), text };
    let mut probe = Probe::suspects(stopwatch);
    let (_, mut problems) = config::ruleset_probed(
        &[text],
        config::Sources::Any(&[tripline::model::Format::Plain]),
        &config::csv::Files::new(),
        &[],
        &jiff::tz::TimeZone::UTC,
        &mut probe,
    );
    problems.retain(|problem| problem.id != "matches-everything");
    (problems, tried.get())
}

fn ids(problems: &[Diagnostic]) -> Vec<&str> {
    problems.iter().map(|problem| problem.id).collect()
}

#[test]
fn no_evil_pattern_gets_past_the_limits_untried() {
    assert!(PATTERNS.len() >= 30);
    for (pattern, fate) in PATTERNS {
        let (fast, tried) = loaded(pattern, Duration::from_millis(1));
        let (slow, _) = loaded(pattern, Duration::from_millis(51));
        let (fast, slow) = (ids(&fast), ids(&slow));
        match fate {
            Fate::TooBig => assert_eq!((fast, tried), (vec!["pattern-too-big"], 0), "{pattern}"),
            Fate::Tried => {
                assert_eq!((fast, slow), (vec![], vec!["slow-pattern"]), "{pattern}");
                assert!(tried > 0, "{pattern}");
            }
            Fate::Harmless => assert_eq!((fast, slow, tried), (vec![], vec![], 0), "{pattern}"),
        }
    }
}
