//! Any text in each of the little languages inside of a rule: nothing panics, places lie inside of the text, and what is
//! believed takes any line.
//!
//! The first line of the input is what stands in the rule, the rest is the line that it is asked about.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tripline::config::{self, Text};
use tripline::engine::Timing;
use tripline::engine::explain::{Asked, explain};
use tripline::model::{Format, SourceName, Timestamp};

fuzz_target!(|input: &[u8]| {
    let (said, line) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
    let Ok(said) = std::str::from_utf8(said) else { return };
    if said.len() > 200 || line.len() > 2000 {
        return;
    }
    // As TOML writes any text.
    let quoted: String = said
        .chars()
        .map(|c| if c.is_control() || "\"\\".contains(c) { format!("\\U{:08X}", u32::from(c)) } else { c.to_string() })
        .collect();
    let quoted = format!("\"{quoted}\"");
    for key in [
        format!("where = {quoted}"),
        format!("within = '5m'\nmeasure = {quoted}\nwarning = '> 5'"),
        format!("within = '5m'\nmeasure = 'avg(n)'\nwarning = {quoted}"),
        format!("set = {{ word = {quoted} }}"),
        format!("summary = {quoted}\nlabels = {{ a = {quoted} }}"),
        format!("active = {quoted}"),
        format!("measure = 'absent'\ndeadline = {quoted}"),
        format!("within = {quoted}\nmax_raises = {quoted}"),
    ] {
        let text =
            format!("[[rule]]\nname='r'\nsource='s'\nmatch='(?<word>\\S*) ?(?<n>\\d*)'\nallow_slow=true\n{key}\n");
        let file = Text { path: "f.toml".into(), text: text.clone() };
        let (ruleset, problems) = config::ruleset(&[file], None, &[], &jiff::tz::TimeZone::UTC);
        for problem in &problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
        }
        let Some(ruleset) = ruleset else { continue };
        let timing = Timing {
            name: SourceName::new("s"),
            tz: jiff::tz::TimeZone::UTC,
            max_age: Duration::from_secs(900),
            year: None,
        };
        let format = if line.starts_with(b"\n{") { Format::Json } else { Format::Logfmt };
        let now = Timestamp::from_secs(1_767_225_600);
        let asked =
            Asked { line: &line[line.len().min(1)..], written: None, path: "", max_line: 1000, format, repeats: true, multiline: None, timing: &timing, scope: "h", now };
        let told = explain(&ruleset.rules[0], &asked);
        if let Some(fit) = told.fit {
            let _ = ruleset.rules[0].is_muted(now);
            assert!(fit.captures.len() >= 2);
        }
    }
});
