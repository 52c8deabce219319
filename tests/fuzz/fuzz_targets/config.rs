//! Any text, as a rule file and as `tripline.toml`: nothing panics, and each place that is told lies in the text, between
//! characters, so that it can be shown.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use tripline::cli::render;
use tripline::config::{self, Diagnostic, Text};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let zone = jiff::tz::TimeZone::UTC;
    let file = Text { path: "f.toml".into(), text: text.to_owned() };
    check(text, &config::settings(&file, &zone).1);
    check(text, &config::ruleset(&[file], None, &[], &zone).1);
});

fn check(text: &str, problems: &[Diagnostic]) {
    for problem in problems {
        let second = problem.second.iter().map(|second| &second.span);
        for span in second.chain([&problem.span]) {
            assert!(text.get(span.clone()).is_some(), "{span:?} of {problem:?}");
        }
    }
    let texts = BTreeMap::from([("f.toml".into(), text.to_owned())]);
    let shown = render::text(problems, &texts, false);
    assert!(!shown.contains('\x1b'));
    assert_eq!(render::json(problems, &texts).lines().count(), problems.len());
}
