//! Tables of `[lookup]` that stand in files of their own: `hosts = { csv = "hosts.csv", key = "host", value = "team" }`.
//!
//! Comma-separated as RFC 4180 has it: the first line names the columns; a text between quotes may hold commas, line
//! ends, and quotes that are written twice.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::walk::{Fields, parse, require};
use super::{Diagnostic, Second, Text};
use crate::rule::Table;

/// Texts of files that rules look things up in, by their paths; or why one could not be read.
pub type Files = BTreeMap<PathBuf, Result<String, String>>;

/// The keys of a table that stands in a file.
const KEYS: [&str; 3] = ["csv", "key", "value"];
/// Entries of one table, at most: they stay in memory.
const MOST_ENTRIES: usize = 100_000;
/// Problems of one file that are told.
const MOST_TOLD: usize = 10;

/// The files that a rule file wants for its tables.
pub fn wanted(text: &Text) -> Vec<PathBuf> {
    if !text.text.contains("csv") {
        return Vec::new();
    }
    let document = parse(&mut Problems::new(&text.path, &text.text));
    let lookup = document.get("lookup").and_then(|value| value.get_ref().as_table());
    let tables =
        lookup.into_iter().flat_map(|all| all.iter()).filter_map(|(_, value)| value.get_ref().as_table());
    let named = tables.filter(|table| is_meant(table)).filter_map(|table| path(&text.path, table));
    named.collect()
}

/// True for a table that stands in a file: it has `csv`, and besides nothing but what belongs to that, or at least some
/// of it.
pub(super) fn is_meant(table: &DeTable<'_>) -> bool {
    let known = |name: &str| KEYS.contains(&name);
    let all_known = table.iter().all(|(name, _)| known(name.get_ref()));
    table.contains_key("csv") && (all_known || table.contains_key("key") || table.contains_key("value"))
}

fn path(rule_file: &Path, table: &DeTable<'_>) -> Option<PathBuf> {
    let said = Fields { table, defaults: None }.text("csv")?;
    Some(rule_file.parent().unwrap_or(Path::new("")).join(said.text))
}

/// Reads the table that `table` names; `at` is where it stands. Problems of the file itself go to `others`.
pub(super) fn read(
    problems: &mut Problems<'_>,
    others: &mut Vec<Diagnostic>,
    table: &DeTable<'_>,
    at: &Range<usize>,
    files: &Files,
) -> Table {
    for (name, _) in table.iter().filter(|(name, _)| !KEYS.contains(&name.get_ref().as_ref())) {
        let title = format!("`{}` is not a key of a table in a file", short(name.get_ref()));
        let problem = problems.error("unknown-key", name.span(), title, "unknown key");
        problem.help = did_you_mean(name.get_ref(), KEYS);
        problem.note = Some(format!("the keys are {}", listed(KEYS)));
    }
    for key in ["key", "value"] {
        require(problems, table, at, key, "a table in a file");
    }
    let fields = Fields { table, defaults: None };
    let columns = fields.text("key").zip(fields.text("value"));
    let (Some(file), Some((key, value)), Some(said)) =
        (path(problems.file, table), columns, fields.text("csv"))
    else {
        return Table::new();
    };
    let text = match files.get(&file) {
        Some(Ok(text)) => text,
        Some(Err(why)) => {
            problems.error("unreadable", said.span, why.clone(), "can not be read");
            return Table::new();
        }
        None => {
            let title = format!("`{}` was not read", short(said.text));
            problems.error("unreadable", said.span, title, "can not be read");
            return Table::new();
        }
    };
    let mut inner = Problems::new(&file, text);
    let mut rows = Rows { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 } };
    let header = rows.next().unwrap_or_default();
    let mut column = |said: &super::walk::Said<'_>| {
        let place = header.iter().position(|(name, _)| name.trim() == said.text);
        if place.is_none() {
            let title = format!("`{}` has no column `{}`", short(&file.to_string_lossy()), short(said.text));
            let names = || header.iter().map(|(name, _)| name.trim());
            let problem = problems.error("unknown-column", said.span.clone(), title, "no such column");
            problem.help = did_you_mean(said.text, names());
            problem.note = Some(match header.as_slice() {
                [] => "the file is empty; its first line names the columns".to_owned(),
                _ => format!("the columns are {}", listed(names())),
            });
        }
        place
    };
    let (Some(key), Some(value)) = (column(&key), column(&value)) else { return Table::new() };
    let entries = entries(&mut inner, &mut rows, &header, key, value);
    others.extend(inner.finish());
    entries
}

/// The rows behind the header.
fn entries(
    problems: &mut Problems<'_>,
    rows: &mut Rows<'_>,
    header: &[Field],
    key: usize,
    value: usize,
) -> Table {
    let mut all: BTreeMap<Box<str>, (Arc<str>, Range<usize>)> = BTreeMap::new();
    while problems.errors() < MOST_TOLD
        && let Some(row) = rows.next()
    {
        // A blank line says nothing.
        if let [(only, _)] = row.as_slice()
            && only.trim().is_empty()
            && header.len() > 1
        {
            continue;
        }
        let whole = row.first().map_or(0, |(_, at)| at.start)..row.last().map_or(0, |(_, at)| at.end);
        if let Some((_, at)) = row.iter().find(|(_, at)| rows.is_open(at)) {
            problems.error(
                "bad-csv",
                at.start..at.start + 1,
                "a quote is not closed",
                "no other quote follows",
            );
            break;
        }
        if row.len() != header.len() {
            let title = format!("a row has {} fields, and there are {} columns", row.len(), header.len());
            problems.error("bad-csv", whole, title, "another number of fields").help =
                Some("a text with a comma stands between quotes".to_owned());
            continue;
        }
        if all.len() >= MOST_ENTRIES {
            let title = format!("a table has more than {MOST_ENTRIES} entries");
            problems.error("out-of-range", whole, title, "one too many");
            break;
        }
        let (name, at) = &row[key];
        match all.entry(name.as_str().into()) {
            Entry::Vacant(place) => {
                place.insert((row[value].0.as_str().into(), at.clone()));
            }
            Entry::Occupied(known) => {
                let second = Second {
                    file: problems.file.to_path_buf(),
                    span: known.get().1.clone(),
                    label: "first used here".to_owned(),
                };
                let title = format!("there are two entries for `{}`", short(name));
                problems.error("duplicate-name", at.clone(), title, "used again").second = Some(second);
            }
        }
    }
    all.into_iter().map(|(name, (value, _))| (name, value)).collect()
}

/// A text without its quotes, and where it stands with them.
type Field = (String, Range<usize>);

/// The rows of a text.
struct Rows<'t> {
    text: &'t str,
    at: usize,
}

impl Rows<'_> {
    fn next(&mut self) -> Option<Vec<Field>> {
        if self.at >= self.text.len() {
            return None;
        }
        let mut row = Vec::new();
        loop {
            row.push(self.field());
            let rest = &self.text[self.at..];
            if rest.starts_with(',') {
                self.at += 1;
                continue;
            }
            self.at += if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) };
            return Some(row);
        }
    }

    fn field(&mut self) -> Field {
        let from = self.at;
        let mut text = String::new();
        if self.text[from..].starts_with('"') {
            self.at += 1;
            // A quote that is written twice is one of the text.
            while let Some(len) = self.text[self.at..].find('"') {
                text.push_str(&self.text[self.at..self.at + len]);
                self.at += len + 1;
                if !self.text[self.at..].starts_with('"') {
                    break;
                }
                text.push('"');
                self.at += 1;
            }
        }
        let rest = &self.text[self.at..];
        let len = rest.find([',', '\n']).unwrap_or(rest.len());
        // A carriage return belongs to the line end.
        let ends = !rest[len..].starts_with(',');
        let plain = rest[..len].strip_suffix('\r').filter(|_| ends).unwrap_or(&rest[..len]);
        text.push_str(plain);
        self.at += plain.len();
        (text, from..self.at)
    }

    /// True if a text there begins with a quote that is never closed.
    fn is_open(&self, at: &Range<usize>) -> bool {
        let Some(inner) = self.text[at.clone()].strip_prefix('"') else { return false };
        inner.matches('"').count() % 2 == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Severity, Sources, probe::Probe, ruleset_probed};
    use super::*;
    use crate::model::Format;
    use crate::rule::{Edit, Ruleset, Text as Made};

    const RULE: &str =
        "[[rule]]\nname = 'r'\nsource = 's'\nmatch = '(?<a>x)'\nset = { a = 'lookup(t, a)' }\n";

    /// What is read of a rule file in `rules/` whose table `t` is `table`, beside a file `t.csv`.
    fn load(table: &str, file: Option<&str>) -> (String, Option<Ruleset>, Vec<Diagnostic>) {
        let text = format!("[lookup]\nt = {table}\n{RULE}");
        let file = match file {
            Some(file) => Ok(file.to_owned()),
            None => Err("can not read `t.csv`: it is not there".to_owned()),
        };
        let rules = Text { path: "rules/a.toml".into(), text: text.clone() };
        assert!(wanted(&rules).iter().all(|path| path == Path::new("rules/t.csv")), "{table}");
        let files = Files::from([("rules/t.csv".into(), file)]);
        let sources = Sources::Any(&[Format::Plain]);
        let zone = jiff::tz::TimeZone::UTC;
        let (found, problems) = ruleset_probed(&[rules], sources, &files, &[], &zone, &mut Probe::none());
        (text, found, problems)
    }

    fn table(found: &Ruleset) -> Vec<(&str, &str)> {
        let Made::Changed(Edit::Lookup(table, _), _) = &found.rules[0].set[0].to else { panic!("a lookup") };
        table.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    const MEANT: &str = "{ csv = 't.csv', key = 'host', value = 'team' }";

    fn check(file: &str, expected: &[(&str, &str)]) {
        let (_, found, problems) = load(MEANT, Some(file));
        assert!(problems.is_empty(), "{file}: {problems:?}");
        assert_eq!(table(&found.expect("no problems")), expected, "{file}");
    }

    /// What is said of the file, with the text it is said of, and then what is said of the rule file.
    fn check_wrong(table: &str, file: Option<&str>, expected: &[(&str, &str)]) {
        let (text, found, problems) = load(table, file);
        let of = |problem: &Diagnostic| {
            let text = if problem.file.ends_with("t.csv") { file.unwrap_or_default() } else { &text };
            (problem.id, text[problem.span.clone()].to_owned())
        };
        let told: Vec<_> = problems.iter().map(of).collect();
        let told: Vec<(&str, &str)> = told.iter().map(|(id, at)| (*id, &**at)).collect();
        assert_eq!(told, expected, "{table} {file:?}");
        assert!(found.is_none() && problems.iter().all(|problem| problem.severity == Severity::Error));
    }

    #[test]
    fn columns_are_found_by_their_names() {
        check("host,team\na,x\nb,y\n", &[("a", "x"), ("b", "y")]);
        check("\u{feff}team , id, host\r\nx,1,a\r\ny,2,b", &[("a", "x"), ("b", "y")]);
        check("host,team\n\n", &[]);
        check("host,team\n,x\n", &[("", "x")]);
    }

    #[test]
    fn a_text_between_quotes_may_hold_anything() {
        check(
            "host,team\n\"a,b\",\"say \"\"x\"\"\"\n\"two\nlines\",\"\"\n é , ü\n",
            &[(" é ", " ü"), ("a,b", "say \"x\""), ("two\nlines", "")],
        );
    }

    #[test]
    fn a_table_with_other_keys_stands_where_it_is_written() {
        let (_, found, problems) = load("{ csv = 'a sheet', txt = 'a text' }", None);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(table(&found.expect("no problems")), [("csv", "a sheet"), ("txt", "a text")]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_shown_in_its_place() {
        check_wrong(MEANT, Some("host,team\na,x\n\"a\",y\n"), &[("duplicate-name", "\"a\"")]);
        check_wrong(MEANT, Some("host,team\na,x,y\nb\n"), &[("bad-csv", "a,x,y"), ("bad-csv", "b")]);
        check_wrong(MEANT, Some("host,team\na,\"x\nb,y\n"), &[("bad-csv", "\"")]);
        check_wrong(MEANT, Some("hots,team\na,x\n"), &[("unknown-column", "'host'")]);
        check_wrong(MEANT, Some(""), &[("unknown-column", "'host'"), ("unknown-column", "'team'")]);
        let many = "host,team\n".to_owned() + &"a,x\n".repeat(100);
        check_wrong(MEANT, Some(&many), &[("duplicate-name", "a"); MOST_TOLD]);
    }

    #[test]
    fn what_is_wrong_with_naming_it_is_shown_in_the_rule_file() {
        check_wrong(MEANT, None, &[("unreadable", "'t.csv'")]);
        check_wrong("{ csv = 't.csv', key = 'host' }", Some(""), &[("missing-key", "t")]);
        check_wrong("{ csv = 't.csv' }", Some(""), &[("missing-key", "t"), ("missing-key", "t")]);
        check_wrong(
            "{ csv = 't.csv', key = 'host', vaule = 'team' }",
            Some("host,team\n"),
            &[("missing-key", "t"), ("unknown-key", "vaule")],
        );
        check_wrong("{ csv = 't.csv', key = 5, value = 'a' }", Some("a\n"), &[("wrong-type", "5")]);
    }

    #[test]
    fn a_table_that_is_too_large_is_refused() {
        let rows = |count: usize| {
            let rows = (0..count).map(|row| format!("{row},x\n"));
            "host,team\n".to_owned() + &rows.collect::<String>()
        };
        assert!(load(MEANT, Some(&rows(MOST_ENTRIES))).2.is_empty());
        let (_, _, problems) = load(MEANT, Some(&rows(MOST_ENTRIES + 1)));
        assert_eq!(problems.iter().map(|problem| problem.id).collect::<Vec<_>>(), ["out-of-range"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            rows in proptest::collection::btree_map("[a, \"\n\ré]{1,5}", "[b,\"\n\r ]{0,5}", 0..8),
            end in proptest::sample::select(vec!["\n", "\r\n"]),
        ) {
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let mut text = format!("host,team{end}");
            for (name, value) in &rows {
                text += &format!("{},{}{end}", quoted(name), quoted(value));
            }
            let (_, found, problems) = load(MEANT, Some(&text));
            prop_assert!(problems.is_empty(), "{}: {:?}", text, problems);
            let expected: Vec<(&str, &str)> = rows.iter().map(|(name, value)| (&**name, &**value)).collect();
            let found = found.expect("no problems");
            prop_assert_eq!(table(&found), expected, "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(host|team|[a,\"\n\ré]){0,20}") {
            load(MEANT, Some(&text));
        }
    }
}
