//! The JSON Schema of both kinds of files: the copies in `docs/schema` are those of the code, every example fits them,
//! and wrong files do not.

#![expect(clippy::disallowed_methods, reason = "examples and schemas lie in files")]

use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use tripline::config::schema;

/// What of a value does not fit a schema; nothing, if it fits. As much of the standard as our schemas use: a keyword
/// that is not known here fails the test.
fn misfits(schema: &Value, value: &Value, place: &str, out: &mut Vec<String>) {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(format!("{place}: {what}"));
    let fits = |schema: &Value, value: &Value| {
        let mut none = Vec::new();
        misfits(schema, value, "", &mut none);
        none.is_empty()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (keyword, says) in schema.as_object().expect("a schema is a table") {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => {}
            "type" => {
                let is = match text(says).as_str() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    other => panic!("type `{other}`"),
                };
                if !is {
                    wrong(format!("is no {says}"));
                }
            }
            "enum" => {
                if !says.as_array().expect("a list").contains(value) {
                    wrong(format!("{value} is none of {says}"));
                }
            }
            "const" => {
                if says != value {
                    wrong(format!("{value} is not {says}"));
                }
            }
            "pattern" => {
                let pattern = Regex::new(&text(says)).expect("a pattern");
                if value.as_str().is_some_and(|value| !pattern.is_match(value)) {
                    wrong(format!("{value} does not fit {says}"));
                }
            }
            "minimum" | "maximum" => {
                let (value, bound) = (value.as_u64(), says.as_u64().expect("a number"));
                let is = |value| if keyword == "minimum" { value >= bound } else { value <= bound };
                if value.is_some_and(|value| !is(value)) {
                    wrong(format!("beyond {bound}"));
                }
            }
            "anyOf" => {
                if !says.as_array().expect("a list").iter().any(|schema| fits(schema, value)) {
                    wrong(format!("{value} fits none of {says}"));
                }
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    misfits(says, item, &format!("{place}[{at}]"), out);
                }
            }
            "required" => {
                for key in says.as_array().expect("a list").iter().map(text) {
                    if value.as_object().is_some_and(|table| !table.contains_key(&key)) {
                        wrong(format!("`{key}` is missing"));
                    }
                }
            }
            "propertyNames" => {
                for key in value.as_object().into_iter().flat_map(|table| table.keys()) {
                    if !fits(says, &Value::from(key.as_str())) {
                        wrong(format!("`{key}` is no name"));
                    }
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = says.get(key) {
                        misfits(schema, value, &format!("{place}.{key}"), out);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    match says {
                        _ if known.is_some_and(|known| known.contains_key(key)) => {}
                        Value::Bool(false) => out.push(format!("{place}: `{key}` is no key")),
                        says => misfits(says, value, &format!("{place}.{key}"), out),
                    }
                }
            }
            other => panic!("`{other}` is not known to this test"),
        }
    }
    out.append(&mut found);
}

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
    for (name, schema) in [("rules", schema::rules()), ("config", schema::config())] {
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
        if name.ends_with(".toml") && !name.ends_with(".test.toml") {
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
    let (mut of_rules, mut of_config) = (0, 0);
    for (path, text) in examples() {
        // A piece of a rule, or of a scenario, is not a file.
        let Ok(table) = text.parse::<toml::Table>() else { continue };
        let has = |names: &[&str]| names.iter().any(|name| table.contains_key(*name));
        let schema = match () {
            () if has(&["line", "test"]) => continue,
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
    assert!(of_rules >= 5 && of_config >= 3, "{of_rules} and {of_config} examples were found");
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
