//! The pages are held against the code: tables are made from it, examples are run through it. With
//! `TRIPLINE_UPDATE=1` the tables are written anew instead.

#![expect(clippy::disallowed_methods, reason = "pages are files, and a variable asks for new ones")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use tripline::config::keys::{Key, Kind, main_file, rules, scenario, sinks};
use tripline::config::measure::MEASURES;
use tripline::config::rewrite::FUNCTIONS;
use tripline::config::{self, Sources, Text, macros, own, template};
use tripline::model::{Format, Reason, duration_text};
use tripline::rule::Value;

/// What stands between `<!-- made: name -->` and `<!-- end -->` on a page.
fn made(name: &str) -> Option<String> {
    let table = |tables: &[&[Key]]| Some(key_table(&tables.concat()));
    match name {
        "rule file" => table(&[rules::RULE_FILE]),
        "pack" => table(&[rules::PACK]),
        "pack source" => table(&[rules::PACK_SOURCE]),
        "rule" => table(&[rules::RULE_OWN, rules::DEFAULTS]),
        "change" => table(&[rules::CHANGE]),
        "image" => table(&[rules::IMAGE]),
        "link" => table(&[rules::LINK]),
        "lines kept" => table(&[rules::LINES_KEPT]),
        "test file" => table(&[scenario::TEST_FILE]),
        "line test" => table(&[scenario::LINE_TEST]),
        "test" => table(&[scenario::TEST]),
        "feed" => table(&[scenario::FEED]),
        "open" => table(&[scenario::OPEN_AT]),
        "expected" => table(&[scenario::EXPECTED]),
        "secrets" => Some(secrets()),
        "functions" => Some(functions()),
        "measures" => Some(measures()),
        "names" => Some(names()),
        "patterns" => Some(patterns()),
        "own rules" => Some(own_rules()),
        "diagnostics" => Some(crate::diagnostics::table()),
        "cases" => Some(crate::cases::table()),
        "main" => table(&[main_file::MAIN]),
        "admin" => table(&[main_file::ADMIN]),
        "heartbeat" => table(&[main_file::HEARTBEAT]),
        "source" => table(&[main_file::SOURCE]),
        "journal" => table(&[main_file::JOURNAL]),
        "multiline" => table(&[main_file::MULTILINE]),
        "sink" => table(&[sinks::SINK]),
        "http" => table(&[sinks::HTTP]),
        "flashduty" => table(&[sinks::FLASHDUTY]),
        "alertmanager" => table(&[sinks::ALERTMANAGER]),
        "pagerduty" => table(&[sinks::PAGERDUTY]),
        "chat" => table(&[sinks::CHAT]),
        "chat signed" => table(&[sinks::CHAT_SIGNED]),
        "webhook" => table(&[sinks::WEBHOOK]),
        "batch" => table(&[sinks::BATCH]),
        "body" => Some(body()),
        "file" => table(&[sinks::FILE]),
        "exec" => table(&[sinks::EXEC]),
        "status page" => table(&[sinks::STATUS_PAGE]),
        _ => None,
    }
}

fn key_table(keys: &[Key]) -> String {
    let mut text = "| key | takes | if it is not there | what it says |\n|---|---|---|---|\n".to_owned();
    for key in keys {
        let default = match key.default {
            "" => "–".to_owned(),
            // A value as it would be typed; other defaults are words.
            value if format!("x = {value}").parse::<toml::Table>().is_ok() => code(value),
            words => cell(words),
        };
        let _ = writeln!(text, "| `{}` | {} | {default} | {} |", key.name, takes(key.kind), cell(key.about));
    }
    text
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Choice(words) => {
            words.iter().map(|word| code(&format!("{word:?}"))).collect::<Vec<_>>().join(", ")
        }
        Kind::Duration(least) | Kind::DurationOrNever(least) if !least.is_zero() => {
            format!("{}, at least {}", kind.describe(), code(&duration_text(least)))
        }
        Kind::Size(least, most) => format!("{}, {least} to {most} bytes", kind.describe()),
        kind => cell(&kind.describe()),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

fn secrets() -> String {
    let mut text = "| what | such as |\n|---|---|\n".to_owned();
    for secret in tripline::rule::redact::SECRETS {
        let _ = writeln!(text, "| {} | {} |", cell(secret.about), code(secret.example));
    }
    text
}

fn names() -> String {
    let mut text = "| name | what it is |\n|---|---|\n".to_owned();
    for (name, _, about) in template::BUILT_IN {
        let _ = writeln!(text, "| `{{{name}}}` | {} |", cell(about));
    }
    text
}

fn body() -> String {
    let mut text = "| name | what it is |\n|---|---|\n".to_owned();
    let others = [
        ("label.NAME", "the value of that label"),
        ("labels", "all labels, as a table; stands alone in its text"),
        ("all", "the whole JSON line, as a table; stands alone in its text"),
    ];
    let names = template::IN_A_BODY.iter().map(|(name, _, about)| (*name, *about)).chain(others);
    for (name, about) in names {
        let _ = writeln!(text, "| `{{{name}}}` | {} |", cell(about));
    }
    text
}

fn functions() -> String {
    let mut text = "| function | what it does |\n|---|---|\n".to_owned();
    for (_, form, about) in FUNCTIONS {
        let _ = writeln!(text, "| `{}` | {} |", cell(form), cell(about));
    }
    text
}

fn measures() -> String {
    let mut text = "| measure | what it is |\n|---|---|\n".to_owned();
    for (name, takes, about) in MEASURES {
        let takes = if takes.is_empty() { String::new() } else { format!("({takes})") };
        let _ = writeln!(text, "| `{name}{takes}` | {} |", cell(about));
    }
    text
}

fn patterns() -> String {
    let mut text = "| pattern | fits | such as |\n|---|---|---|\n".to_owned();
    for pattern in macros::BUILT_IN {
        let (about, example) = (cell(pattern.about), code(pattern.example));
        let _ = writeln!(text, "| `%{{{}}}` | {about} | {example} |", pattern.name);
    }
    text
}

fn own_rules() -> String {
    let mut text =
        "| rule | severity | one alert for each | says | ends |\n|---|---|---|---|---|\n".to_owned();
    for rule in own::own_rules() {
        let severity = (0..3).find(|rung| rule.ladder[*rung].is_some()).map(tripline::rule::rung_severity);
        let severity = severity.expect("one comparison is there").as_str();
        let by: Vec<String> = rule.by.iter().map(|by| code(&by.name)).collect();
        let by = if by.is_empty() { "tripline".to_owned() } else { by.join(", ") };
        let says = rule.summary.render(|value, text| {
            text.push_str(match value {
                Value::Line => "…",
                Value::Total => "*n*",
                _ => "*name*",
            });
        });
        let ends = match rule.resolve_after {
            Some(quiet) => format!("{} after the last time", duration_text(quiet)),
            None => "when it is over".to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {severity} | {by} | {} | {ends} |", rule.name, cell(&says));
    }
    text
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages that users read, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let listed = |folder: &str| {
        std::fs::read_dir(top().join(folder))
            .expect("a folder of the project")
            .map(|entry| entry.expect("an entry").path())
    };
    let mut pages: Vec<PathBuf> =
        listed("docs").chain(listed("rules")).chain([top().join("README.md")]).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages.into_iter().map(|page| (page.clone(), std::fs::read_to_string(page).expect("text"))).collect()
}

/// A page with its tables made anew, and how many there are.
fn remade(page: &str) -> (String, usize) {
    let (mut text, mut inside, mut tables) = (String::new(), false, 0);
    for line in page.lines() {
        if line == "<!-- end -->" {
            inside = false;
        }
        if !inside {
            text.push_str(line);
            text.push('\n');
        }
        if let Some(name) = line.strip_prefix("<!-- made: ").and_then(|rest| rest.strip_suffix(" -->")) {
            let table = made(name).unwrap_or_else(|| panic!("`{name}` is no table of tests/docs.rs"));
            text.push_str(&table);
            (inside, tables) = (true, tables + 1);
        }
    }
    assert!(!inside, "a table has no `<!-- end -->`");
    (text, tables)
}

#[test]
fn tables_say_what_the_code_says() {
    let update = std::env::var_os("TRIPLINE_UPDATE").is_some();
    let mut tables = 0;
    for (path, text) in pages() {
        let (new, here) = remade(&text);
        tables += here;
        if update {
            std::fs::write(&path, new).expect("the page can be written");
        } else {
            let name = path.display();
            assert!(text == new, "{name} is not what the code says: TRIPLINE_UPDATE=1 cargo test docs");
        }
    }
    assert_eq!(tables, 41, "every table is on a page");
}

/// Blocks of TOML on the pages are whole rule files or whole configurations.
#[test]
fn examples_are_right() {
    let mut examples = 0;
    for (path, page) in pages() {
        for (number, block) in (1..).zip(page.split("```toml\n").skip(1)) {
            let text = block.split("```").next().expect("a split has a first part").to_owned();
            let is_rules = text.contains("[[rule]]") || text.contains("[pack]");
            let is_json = text.contains("format = \"json\"");
            let format = if is_json { Format::Json } else { Format::Plain };
            let is_tests = text.contains("[[test]]") && !is_rules;
            let text = Text { path: "example.toml".into(), text };
            let problems = if is_rules {
                let probe = &mut config::probe::Probe::none();
                config::ruleset_probed(
                    &[text],
                    Sources::Any(&[format]),
                    &config::csv::Files::new(),
                    &[],
                    &TimeZone::UTC,
                    probe,
                )
                .1
            } else if is_tests {
                config::tests(&text, false).1
            } else {
                config::settings(&text, &TimeZone::UTC).1
            };
            let told: Vec<String> = problems.iter().map(|problem| format!("{problem:?}")).collect();
            assert!(told.is_empty(), "{} example {number}: {}", path.display(), told.join("\n"));
            examples += 1;
        }
    }
    assert!(examples >= 6, "{examples} examples");
}

/// Metrics are an interface: each one that is written is on the page, by its whole name.
#[test]
fn every_metric_is_on_the_page() {
    let source = include_str!("../src/http/metrics.rs");
    let page = include_str!("../docs/operations.md");
    let mut seen = 0;
    for (call, end) in [
        ("to.gauge(", ""),
        ("to.gauge_alone(", ""),
        ("to.counter(", "_total"),
        ("to.counter_alone(", "_total"),
    ] {
        for rest in source.split(call).skip(1) {
            let name = rest.split('"').nth(1).expect("its first argument is its name");
            let whole = format!("`tripline_{name}{end}");
            assert!(
                page.contains(&format!("{whole}`")) || page.contains(&format!("{whole}{{")),
                "{whole}` is missing"
            );
            seen += 1;
        }
    }
    assert!(seen >= 25, "only {seen} metrics were found in the source");
}

#[test]
fn each_reason_has_its_row() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sinks.md")).unwrap();
    for reason in Reason::ALL.map(Reason::as_str) {
        assert!(page.contains(&format!("\n| `{reason}` | ")), "{reason}");
    }
}
