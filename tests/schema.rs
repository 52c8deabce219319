//! The JSON Schema of both kinds of files: the copies in `docs/schema` are those of the code, every example fits them,
//! and wrong files do not.

#![expect(clippy::disallowed_methods, reason = "examples and schemas lie in files")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tripline::config::schema;

use crate::support::schema::misfits;

fn of_text(schema: &Value, text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut out = Vec::new();
    misfits(schema, &serde_json::to_value(table).expect("a table"), "", &mut out);
    out
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_copies_in_the_docs_are_those_of_the_code() {
    for (name, schema) in
        [("rules", schema::rules()), ("config", schema::config()), ("tests", schema::tests())]
    {
        let place = top().join(format!("docs/schema/{name}.json"));
        let text = format!("{schema:#}\n");
        if std::env::var_os("TRIPLINE_UPDATE").is_some() {
            std::fs::create_dir_all(place.parent().expect("a folder")).expect("it can be made");
            std::fs::write(&place, &text).expect("it can be written");
        }
        let known = std::fs::read_to_string(&place).unwrap_or_default();
        assert!(
            known == text,
            "{}: `TRIPLINE_UPDATE=1 cargo test --test all schema docs` writes it",
            place.display()
        );
    }
}

/// Whole files, and TOML examples on pages.
fn examples() -> Vec<(PathBuf, String)> {
    let listed = |folder: &str| {
        std::fs::read_dir(top().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path())
    };
    let files =
        listed("docs").chain(listed("rules")).chain(listed("deploy")).chain([top().join("README.md")]);
    let mut examples = Vec::new();
    for path in files.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).expect("text");
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            examples.push((path, text));
        } else if name.ends_with(".md") {
            let blocks = text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
            examples.extend(blocks.map(|block| (path.clone(), block.to_owned())));
        } else if name.ends_with(".yaml") {
            // A file in a ConfigMap: lines that are indented behind `name.toml: |`.
            for (_, rest) in text.match_indices(".toml: |\n").map(|(at, mark)| text.split_at(at + mark.len()))
            {
                let indent = rest.len() - rest.trim_start_matches(' ').len();
                let lines = rest
                    .lines()
                    .take_while(|line| line.trim().is_empty() || line.starts_with(&" ".repeat(indent)));
                let lines: Vec<&str> = lines.map(|line| line.get(indent..).unwrap_or_default()).collect();
                examples.push((path.clone(), lines.join("\n")));
            }
        }
    }
    examples
}

#[test]
fn every_example_fits_its_schema() {
    let (rules, config) = (schema::rules(), schema::config());
    let of_tests = schema::tests();
    let (mut of_rules, mut of_config, mut test_files) = (0, 0, 0);
    for (path, text) in examples() {
        // A piece of a rule, or of a scenario, is not a file.
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let has = |names: &[&str]| names.iter().any(|name| table.contains_key(*name));
        let schema = match () {
            () if has(&["line", "test"]) && has(&["rules"]) => {
                test_files += 1;
                &of_tests
            }
            () if has(&["line", "test"]) && !has(&["rule"]) => continue,
            () if has(&["rule", "defaults", "patterns", "lookup"]) => {
                of_rules += 1;
                &rules
            }
            () if has(&["source", "sink", "state_dir", "admin", "heartbeat", "rules"]) => {
                of_config += 1;
                &config
            }
            () => continue,
        };
        // An example may leave out what it is not about.
        let mut found = of_text(schema, &text);
        found.retain(|misfit| !misfit.ends_with("is missing"));
        assert_eq!(found, Vec::<String>::new(), "{}\n{text}", path.display());
    }
    assert!(
        of_rules >= 5 && of_config >= 3 && test_files >= 2,
        "{of_rules} and {of_config} examples were found"
    );
}

#[test]
fn wrong_test_files_do_not_fit() {
    let fits = |text: &str| of_text(&schema::tests(), text).is_empty();
    assert!(fits(
        "rules = 'r.toml'\ntz = 'UTC'\nformat = { app = 'json' }\n[[line]]\nsource = 'app'\nformat = 'json'\n"
    ));
    for text in [
        "tz = 'UTC'",
        "rules = 5",
        "rules = 'r'\nformat = 'xml'",
        "rules = 'r'\nformat = { app = 'xml' }",
        "rules = 'r'\nrule = 5",
    ] {
        assert!(!fits(text), "{text}");
    }
}

#[test]
fn wrong_files_do_not_fit() {
    let rule = |lines: &str| format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n{lines}\n");
    assert_eq!(
        of_text(&schema::rules(), &rule("within = '1h30m'\nmeasure = 'p95(x)'\nflap = 'never'")),
        Vec::<String>::new()
    );
    for lines in [
        "mach = 'x'",
        "within = 600",
        "within = '10min'",
        "within = 'never'",
        "warning = '5'",
        "severity = 'critcal'",
        "enabled = 'no'",
        "max_keys = 0",
        "by = [5]",
        "labels = { 'a-b' = 'x' }",
        "measure = 'p95'",
        "measure = 'averag(x)'",
        "flap = { change = 5 }",
        "max_raises = '30'",
        "images = [{ href = 'x' }]",
        "links = [{ text = 'x' }]",
        "links = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k']",
        "lines_kept = 21",
        "lines_kept = { first = 21 }",
    ] {
        assert_ne!(of_text(&schema::rules(), &rule(lines)), Vec::<String>::new(), "{lines}");
    }
    for text in ["[[rule]]\nname = 'A b'\n", "[[rule]]\nmatch = 'x'\n", "[rule]\nname = 'x'\n", "[rules]\n"] {
        assert_ne!(of_text(&schema::rules(), text), Vec::<String>::new(), "{text}");
    }
    for text in [
        "rule = ['x']",
        "on_stop = 'stay'",
        "threads = 0",
        "[admin]\nlisten = 5",
        "[[source]]\nname = 'a'\n",
        "[[source]]\nname = 'a'\nfiles = 'x'\nmax_line = 5\n",
        "[[sink]]\nname = 'a'\ntype = 'stdot'\n",
        "[heartbeat]\nevery = '1m'\n",
    ] {
        assert_ne!(of_text(&schema::config(), text), Vec::<String>::new(), "{text}");
    }
}
