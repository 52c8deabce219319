//! Every kind of problem, by its id: a small wrong text, exactly what is said of it, and the table in the docs. Texts
//! are in `rendered.txt`; with `TRIPLINE_UPDATE=1` it is written anew.

#![expect(clippy::disallowed_methods, reason = "the source text and the snapshot lie in files")]

pub(crate) mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use tripline::cli::render;
use tripline::config::probe::Probe;
use tripline::config::{self, Diagnostic, Sources, Text};
use tripline::model::Format;

use crate::support::sandbox::Sandbox;
use cases::CASES;

/// A wrong text, and what the page says of its kind.
pub(crate) struct Case {
    /// The id of what is said first of it.
    pub(crate) id: &'static str,
    wrong: Wrong,
    /// What it means, one sentence.
    pub(crate) about: &'static str,
    /// The way out, one sentence.
    pub(crate) way: &'static str,
}

const fn case(id: &'static str, wrong: Wrong, about: &'static str, way: &'static str) -> Case {
    Case { id, wrong, about, way }
}

enum Wrong {
    /// A rule with these lines, besides name and source.
    Rule(&'static str),
    /// A whole rule file.
    File(&'static str),
    /// A whole `tripline.toml`.
    Main(&'static str),
    /// A whole test file.
    Test(&'static str),
    /// A rule file with a table that stands in `hosts.csv`, which is this.
    Csv(&'static str),
    /// A rule with these lines, whose pattern takes so many milliseconds when it is tried.
    Slow(&'static str, u64),
    /// A rule with these lines, beside no sink that takes changes.
    Untold(&'static str),
    /// No text at all.
    Unreadable,
    /// Too large for a table, or said of the machine: it has a test of its own beside its code. So bad it is.
    Elsewhere(&'static str),
}

/// A table that stands in a file.
const TABLE: &str = "[lookup]\nhosts = { csv = 'hosts.csv', key = 'host', value = 'team' }";

/// A source that joins no lines.
const ALONE: &str = "[[source]]\nname = 's'\nfiles = ['x']";

/// A case as it was checked.
pub(crate) struct Said {
    texts: BTreeMap<PathBuf, String>,
    /// All that is said of it.
    pub(crate) problems: Vec<Diagnostic>,
}

impl Case {
    /// `None`: it is checked elsewhere.
    pub(crate) fn said(&self) -> Option<Said> {
        let rule = |lines: &str| format!("[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
        let (text, is_main) = match self.wrong {
            Wrong::Rule(lines) | Wrong::Untold(lines) | Wrong::Slow(lines, _) => (rule(lines), false),
            Wrong::Csv(_) => (format!("{TABLE}\n"), false),
            Wrong::File(text) | Wrong::Test(text) => (format!("{text}\n"), false),
            Wrong::Main(text) => (format!("{text}\n"), true),
            Wrong::Unreadable | Wrong::Elsewhere(_) => return None,
        };
        let path = PathBuf::from(if is_main { "tripline.toml" } else { "rules.toml" });
        let mut texts = BTreeMap::from([(path.clone(), text.clone())]);
        let mut tables = config::csv::Files::new();
        if let Wrong::Csv(text) = self.wrong {
            texts.insert("hosts.csv".into(), format!("{text}\n"));
            tables.insert("hosts.csv".into(), Ok(format!("{text}\n")));
        }
        let file = Text { path, text };
        let mut problems = if is_main {
            config::settings(&file, &TimeZone::UTC).1
        } else if matches!(self.wrong, Wrong::Test(_)) {
            config::tests(&file, false).1
        } else if matches!(self.wrong, Wrong::Untold(_)) {
            config::untold(&[file], &[])
        } else {
            // What each trial takes is said instead of measured.
            let took = Duration::from_millis(if let Wrong::Slow(_, took) = self.wrong { took } else { 0 });
            let mut probe = Probe::all(Box::new(move |_| took));
            let any = Sources::Any(&[Format::Plain]);
            let alone =
                config::settings(&Text { path: PathBuf::new(), text: ALONE.to_owned() }, &TimeZone::UTC).0;
            let alone = alone.map(|settings| settings.sources).unwrap_or_default();
            let sources = match self.id {
                "unknown-source" => Sources::These(&[]),
                "line-end" => Sources::These(&alone),
                _ => any,
            };
            config::ruleset_probed(&[file], sources, &tables, &[], &TimeZone::UTC, &mut probe).1
        };
        // What every file without a source is told.
        problems.retain(|problem| problem.id != "no-source" || self.id == problem.id);
        Some(Said { texts, problems })
    }

    /// As `check` shows it.
    fn rendered(&self) -> String {
        match (self.said(), &self.wrong) {
            (Some(said), _) => {
                let first = &said.problems[..1.min(said.problems.len())];
                render::text(first, &said.texts, false)
            }
            (None, Wrong::Unreadable) => {
                let sandbox = Sandbox::new();
                sandbox.write("rules.toml", b"[[rule]]\nname = \xff");
                sandbox.run(&["check", "--rules", "rules.toml"]).expect(1).answer() + "\n"
            }
            (None, _) => "see the tests of the file that says it\n".to_owned(),
        }
    }

    /// The line at which the caret of the problem stands.
    pub(crate) fn example(&self) -> Option<String> {
        let said = self.said()?;
        let problem = said.problems.first()?;
        let (text, span) = (&said.texts[&problem.file], problem.span.clone());
        let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
        Some(text[start..end].to_owned()).filter(|line| !line.is_empty())
    }
}

/// The table for the page.
pub(crate) fn table() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = "| id | | what it means | the way out | such as |\n|---|---|---|---|---|\n".to_owned();
    for cases in CASES.chunk_by(|one, other| one.id == other.id) {
        let severities: BTreeSet<&str> =
            cases.iter().filter_map(|case| Some(case.said()?.problems.first()?.severity.as_str())).collect();
        let severities: Vec<&str> = severities.into_iter().collect();
        let severities = match cases[0].wrong {
            Wrong::Elsewhere(severity) => severity.to_owned(),
            Wrong::Unreadable => "error".to_owned(),
            _ => severities.join(" or "),
        };
        let example = cases[0].example().map_or("–".to_owned(), |line| format!("`{}`", cell(&line)));
        let Case { id, about, way, .. } = &cases[0];
        let _ = writeln!(text, "| `{id}` | {severities} | {} | {} | {example} |", cell(about), cell(way));
    }
    text
}

#[test]
fn each_wrong_text_is_told_in_exactly_these_words() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/rendered.txt");
    let mut all = String::new();
    for case in CASES {
        let _ = write!(all, "==== {}\n\n{}\n", case.id, case.rendered().trim_end());
        all.push('\n');
        if let Some(said) = case.said() {
            let first = said.problems.first().map(|problem| problem.id);
            assert_eq!(first, Some(case.id), "{:?}: {:#?}", said.texts, said.problems);
        }
    }
    let all = format!("{}\n", all.trim_end());
    if std::env::var_os("TRIPLINE_UPDATE").is_some() {
        std::fs::write(&place, &all).expect("it can be written");
    }
    let known = std::fs::read_to_string(&place).unwrap_or_default();
    for (is, was) in all.split("==== ").zip(known.split("==== ")) {
        assert_eq!(
            is, was,
            "if it is meant so, `TRIPLINE_UPDATE=1 cargo test --test all diagnostics` writes it"
        );
    }
    assert_eq!(all.len(), known.len(), "the snapshot has another number of cases");
}

#[test]
fn the_table_is_sorted_and_says_whole_sentences() {
    assert!(CASES.is_sorted_by_key(|case| case.id));
    for Case { id, about, way, .. } in CASES {
        assert!(about.ends_with('.') && way.ends_with('.'), "{id}");
    }
}

/// Ids in the source, each with the severity if the line says it.
fn ids_of_the_source() -> BTreeMap<String, BTreeSet<String>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![top];
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.contains("tests") {
                let text = std::fs::read_to_string(&path).expect("text");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let config = path.components().any(|part| part.as_os_str() == "config");
                for (mark, severity) in
                    [(".error(", "error"), (".warning(", "warning"), ("id: ", ""), ("id = ", "")]
                {
                    // Elsewhere `id` is that of something else.
                    let speaks =
                        config || ["load.rs", "fit.rs"].contains(&name.as_str()) || !severity.is_empty();
                    for (at, _) in code.match_indices(mark).filter(|_| speaks) {
                        let Some(id) = code[at + mark.len()..].trim_start().strip_prefix('"') else {
                            continue;
                        };
                        let id = id.split('"').next().unwrap_or_default();
                        let severities = found.entry(id.to_owned()).or_default();
                        severities.extend((!severity.is_empty()).then(|| severity.to_owned()));
                    }
                }
                // Some are handed on as arguments.
                for (at, _) in code.match_indices("\"bad-").filter(|_| config) {
                    let id = code[at + 1..].split('"').next().unwrap_or_default();
                    found.entry(id.to_owned()).or_default();
                }
            }
        }
    }
    found
}

#[test]
fn every_id_of_the_source_has_a_case() {
    let source = ids_of_the_source();
    assert!(source.len() >= 60, "only {} ids were found in the source", source.len());
    let mut cases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for case in CASES {
        let told = match case.wrong {
            Wrong::Elsewhere(severity) => Some(severity),
            _ => case.said().and_then(|said| Some(said.problems.first()?.severity.as_str())),
        };
        cases.entry(case.id).or_default().insert(told.unwrap_or("error"));
    }
    let way = "add a case to tests/diagnostics/cases.rs";
    for (id, severities) in &source {
        let Some(known) = cases.get(id.as_str()) else { panic!("`{id}` has no case: {way}") };
        for severity in severities {
            assert!(known.contains(severity.as_str()), "`{id}` has no case that is a {severity}: {way}");
        }
    }
    for id in cases.keys().filter(|id| **id != "syntax") {
        assert!(source.contains_key(*id), "nothing in the source says `{id}`: take its case out");
    }
}
