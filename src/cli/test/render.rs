//! What came of tests, for people and for machines.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::Played;
use crate::cli::json_line;
use crate::model::duration_text;
use crate::scenario::{Coverage, Difference, LineVerdict, MOST_SENT, MOST_TURNS, Row, Takes};
use crate::untrusted::Untrusted;

/// Patterns that are named because nothing reaches them; of more it is said how many.
const MOST_MISSING: usize = 20;
/// Lines that are named because no rule takes them.
const MOST_UNTAKEN: usize = 3;

struct Paint {
    good: Style,
    bad: Style,
    faint: Style,
}

pub(super) fn text(played: &[Played<'_>], coverage: &Coverage, color: bool) -> String {
    let style = |style: Style| if color { style } else { Style::new() };
    let paint = Paint {
        good: style(Style::new().fg_color(Some(AnsiColor::Green.into()))),
        bad: style(Style::new().fg_color(Some(AnsiColor::Red.into())).bold()),
        faint: style(Style::new().dimmed()),
    };
    let mut text = String::new();
    for played in played {
        file(&mut text, played, &paint);
    }
    let (passed, failed) = sums(played);
    let (patterns, reached) = coverage.patterns();
    let (rules, taken) = coverage.rules();
    let missing: Vec<_> = coverage.missing().collect();
    for one in missing.iter().take(MOST_MISSING) {
        let _ = writeln!(
            text,
            "{}nothing reaches `{}` of `{}`: {}{:#}",
            paint.faint,
            one.kind,
            one.rule,
            Untrusted(&one.pattern),
            paint.faint
        );
    }
    if missing.len() > MOST_MISSING {
        let _ = writeln!(text, "{}and {} more{:#}", paint.faint, missing.len() - MOST_MISSING, paint.faint);
    }
    let style = if failed > 0 { paint.bad } else { paint.good };
    let _ = writeln!(
        text,
        "{style}{passed} passed, {failed} failed{style:#}; {taken} of {rules} rules and {reached} of {patterns} patterns are reached"
    );
    text
}

fn file(text: &mut String, played: &Played<'_>, paint: &Paint) {
    let _ = writeln!(text, "{}", Untrusted(&played.loaded.text.path.display().to_string()));
    let mark = |text: &mut String, passed: bool, name: &str| {
        let (style, word) = if passed { (paint.good, "ok  ") } else { (paint.bad, "FAIL") };
        let _ = writeln!(text, "  {style}{word}{style:#}  {name}");
    };
    for (test, verdicts) in played.loaded.suite.lines.iter().zip(&played.lines) {
        let line = line_of(&played.loaded.text.text, test.header.start);
        let name = match verdicts.as_slice() {
            [one] if one.number.is_none() => format!("line {line}: {}", expectation(&one.expected)),
            several => format!("line {line}: {} lines of a sample", several.len()),
        };
        mark(text, verdicts.iter().all(LineVerdict::passed), &name);
        for verdict in verdicts.iter().filter(|verdict| !verdict.passed()) {
            of_line(text, verdict);
        }
    }
    for (at, verdict) in &played.tests {
        let test = played.scenario(*at);
        mark(text, verdict.passed(), &Untrusted(&test.name).to_string());
        if let Some(at) = verdict.given_up {
            let _ = writeln!(
                text,
                "        given up at {} of {}: more than {MOST_TURNS} lines or moments, or {MOST_SENT} alerts sent",
                duration_text(at),
                duration_text(test.lasts())
            );
        }
        verdict.differences.iter().for_each(|difference| of_test(text, difference, paint));
        if !verdict.differences.is_empty() {
            for line in verdict.untaken.iter().take(MOST_UNTAKEN) {
                let _ = writeln!(text, "        no rule takes `{}`", Untrusted(line));
            }
        }
    }
}

fn of_line(text: &mut String, verdict: &LineVerdict) {
    let number = verdict.number.map(|number| format!("{number}: ")).unwrap_or_default();
    let _ = writeln!(text, "        {number}{}", Untrusted(&verdict.text));
    if let Some(remark) = &verdict.remark {
        let _ = writeln!(text, "        {}", Untrusted(remark));
    }
    if verdict.number.is_some() {
        let _ = writeln!(text, "        expected  {}", expectation(&verdict.expected));
    }
    let took: Vec<String> = verdict
        .took
        .iter()
        .map(|took| {
            let captures: Vec<String> =
                took.captures.iter().map(|(name, value)| format!("{name}={}", Untrusted(value))).collect();
            format!("{} {}", took.rule, captures.join(" "))
        })
        .collect();
    let found =
        if took.is_empty() { "no rule takes it".to_owned() } else { format!("taken by {}", took.join(", ")) };
    let _ = writeln!(text, "        found     {}", found.trim_end());
}

fn expectation(takes: &[Takes]) -> String {
    let one = |takes: &Takes| {
        let captures: Vec<String> =
            takes.captures.iter().map(|(name, value)| format!(" {name}={}", Untrusted(value))).collect();
        format!("{}{}", Untrusted(&takes.rule), captures.concat())
    };
    if takes.is_empty() {
        "no rule takes it".to_owned()
    } else {
        format!("taken by {}", takes.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

fn of_test(text: &mut String, difference: &Difference, paint: &Paint) {
    let what = match difference.open_at {
        Some(at) => format!("open at {}", duration_text(at)),
        None => "sent".to_owned(),
    };
    let _ = writeln!(text, "        {what}: - is expected, + came of it");
    for row in &difference.rows {
        let (bad, faint) = (paint.bad, paint.faint);
        let shown = |row: &dyn std::fmt::Display| Untrusted(&row.to_string()).to_string();
        let _ = match row {
            Row::Same(sent) => writeln!(text, "        {faint}  {}{faint:#}", shown(sent)),
            Row::Missing(expected) => writeln!(text, "        {bad}- {}{bad:#}", shown(expected)),
            Row::Unexpected(sent) => writeln!(text, "        {bad}+ {}{bad:#}", shown(sent)),
            Row::Other(expected, sent, names) => writeln!(
                text,
                "        {bad}- {}{bad:#}\n        {bad}+ {}{bad:#}\n          {}",
                shown(expected),
                shown(sent),
                others(names, sent),
            ),
        };
    }
}

/// What is not as expected, with what it is where the row does not show it.
fn others(names: &[&'static str], sent: &crate::scenario::Sent) -> String {
    let (summary, description) = sent.texts();
    let alert = sent.alert();
    let one = |name: &&'static str| match *name {
        "value" => format!("value is {}", sent.value.as_deref().unwrap_or("nothing")),
        "count" => format!("count is {}", alert.map_or(0, |alert| alert.count)),
        "reason" => format!("reason is `{}`", alert.map_or("", |alert| alert.reason.as_str())),
        "summary" => format!("summary is `{}`", Untrusted(summary)),
        "description" => format!("description is `{}`", Untrusted(description)),
        "labels" => format!("labels are {}", Untrusted(&format!("{:?}", sent.labels()))),
        name => format!("`{name}` differs"),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn sums(played: &[Played<'_>]) -> (usize, usize) {
    (played.iter().map(Played::passed).sum(), played.iter().map(Played::failed).sum())
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// One object for each test: `file`, `line`, `name` or `text`, `passed`, and what is wrong; and then the sums.
pub(super) fn json(played: &[Played<'_>], coverage: &Coverage) -> String {
    let mut out = String::new();
    let mut write = |value: serde_json::Value| out.push_str(&json_line(&value));
    for played in played {
        let (path, text) = (played.loaded.text.path.display().to_string(), &played.loaded.text.text);
        for (test, verdicts) in played.loaded.suite.lines.iter().zip(&played.lines) {
            for verdict in verdicts {
                let takes: Vec<&str> = verdict.expected.iter().map(|takes| takes.rule.as_str()).collect();
                let took: Vec<_> = verdict
                    .took
                    .iter()
                    .map(|took| json!({ "rule": took.rule, "captures": took.captures }))
                    .collect();
                write(json!({
                    "kind": "line",
                    "file": path,
                    "line": line_of(text, test.header.start),
                    "sample_line": verdict.number,
                    "text": verdict.text,
                    "passed": verdict.passed(),
                    "expected": takes,
                    "took": took,
                }));
            }
        }
        for (at, verdict) in &played.tests {
            let test = played.scenario(*at);
            let rows = |difference: &Difference| {
                let row = |row: &Row| match row {
                    Row::Same(sent) => json!({ "same": sent.to_string() }),
                    Row::Missing(expected) => json!({ "missing": expected.to_string() }),
                    Row::Unexpected(sent) => json!({ "unexpected": sent.to_string() }),
                    Row::Other(expected, sent, names) => {
                        json!({ "expected": expected.to_string(), "found": sent.to_string(), "differs": names })
                    }
                };
                json!({
                    "open_at": difference.open_at.map(duration_text),
                    "rows": difference.rows.iter().map(row).collect::<Vec<_>>(),
                })
            };
            write(json!({
                "kind": "test",
                "file": path,
                "line": line_of(text, test.header.start),
                "name": test.name,
                "passed": verdict.passed(),
                "given_up_at": verdict.given_up.map(duration_text),
                "differences": verdict.differences.iter().map(rows).collect::<Vec<_>>(),
                "untaken": verdict.untaken,
            }));
        }
    }
    let (passed, failed) = sums(played);
    let (patterns, reached) = coverage.patterns();
    let (rules, taken) = coverage.rules();
    let missing: Vec<_> = coverage
        .missing()
        .map(|one| json!({ "rule": one.rule, "key": one.kind, "pattern": one.pattern }))
        .collect();
    write(json!({
        "kind": "sum",
        "passed": passed,
        "failed": failed,
        "rules": rules,
        "rules_reached": taken,
        "patterns": patterns,
        "patterns_reached": reached,
        "unreached": missing,
    }));
    out
}
