//! Rules that name their files: each is its own source, and those with the same files share one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use toml::de::DeTable;

use super::super::Text;
use super::super::diagnostic::{Problems, short};
use super::super::walk::{Fields, parse};
use super::{Around, Reader};
use crate::model::{Envelope, Format, SourceName};
use crate::rule::Redaction;
use crate::settings::{OwnAlerts, Source, Start, literal};

/// The files of a rule, and those that are left out; sorted.
type Globs = (Vec<PathBuf>, Vec<String>);

/// What a rule says of files, if it names no sources by itself.
fn globs(fields: Fields<'_, '_>, base: &Path) -> Option<Globs> {
    let own = fields.own();
    let is_named = own.value("source").is_some();
    let otherwise = |key| fields.defaults.is_some_and(|defaults| defaults.contains_key(key));
    if own.value("files").is_none() && (is_named || otherwise("source") || !otherwise("files")) {
        return None;
    }
    let mut files: Vec<PathBuf> =
        fields.texts("files").iter().map(|glob| literal(base).join(glob.text)).collect();
    let mut exclude: Vec<String> = fields.texts("exclude").iter().map(|glob| glob.text.to_owned()).collect();
    files.sort();
    files.dedup();
    exclude.sort();
    exclude.dedup();
    Some((files, exclude))
}

fn base(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The sources of rules that name their files, sorted by name. Each is called like the rule, of several with the same
/// files like the first by name, wherever they stand: so that the order of rules means nothing. What is wrong with the
/// rules is left to whoever reads them.
pub(in super::super) fn sources(texts: &[Text], local: &TimeZone) -> Vec<Source> {
    let mut found: BTreeMap<Globs, String> = BTreeMap::new();
    // Most rule files name none, and there may be thousands of rules.
    for text in texts.iter().filter(|text| text.text.contains("files")) {
        let mut problems = Problems::new(&text.path, &text.text);
        let document = parse(&mut problems);
        let file = Fields { table: &document, defaults: None };
        let defaults = file.value("defaults").and_then(|value| value.get_ref().as_table());
        for (_, table) in file.tables("rule") {
            let fields = Fields { table, defaults };
            let Some(name) = fields.own().text("name") else { continue };
            let enabled = fields.switch("enabled").unwrap_or(true);
            let Some(globs) = globs(fields, base(&text.path)).filter(|_| enabled) else { continue };
            let known = found.entry(globs).or_insert_with(|| name.text.to_owned());
            if name.text < known.as_str() {
                name.text.clone_into(known);
            }
        }
    }
    let mut sources: Vec<Source> = found
        .into_iter()
        .map(|((files, exclude), name)| Source {
            name: SourceName::new(name),
            envelope: files.iter().find_map(|glob| Envelope::usual_for(glob)),
            files,
            exclude,
            follow_symlinks: false,
            stream: None,
            start: Start::End,
            tz: local.clone(),
            max_age: std::time::Duration::from_secs(15 * 60),
            flush: std::time::Duration::from_secs(5),
            max_line: 64 * 1024,
            encoding: None,
            format: Format::Plain,
            repeats: false,
            multiline: None,
            labels: Vec::new(),
            redact: Redaction { defaults: false, own: Vec::new() },
            own: OwnAlerts::default(),
        })
        .collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

/// Says that lines come from two places.
pub(super) fn say_both(problems: &mut Problems<'_>, table: &DeTable<'_>) {
    if let Some(value) = table.get("files").filter(|_| table.contains_key("source")) {
        let title = "`source` and `files` both say where lines come from";
        problems.error("source-and-files", value.span(), title, "besides `source`").help =
            Some("leave one of them out".to_owned());
    }
}

impl Reader<'_, '_> {
    /// The source that the rule is by itself; `None`: it names others, or should.
    pub(super) fn inline(&self, problems: &mut Problems<'_>, around: &Around<'_>) -> Option<SourceName> {
        let own = self.fields.own();
        say_both(problems, self.fields.table);
        let found = globs(self.fields, base(problems.file));
        if let Some(value) = own.value("exclude").filter(|_| found.is_none()) {
            let title = "`exclude` has no effect without `files`";
            problems.error("no-effect", value.span(), title, "left out of what?").help =
                Some("a `[[source]]` has its own `exclude`".to_owned());
        }
        let (files, exclude) = found?;
        self.not_empty(problems, "files", files.is_empty(), "a rule without files sees no line");
        let is_it = |source: &&Source| (&source.files, &source.exclude) == (&files, &exclude);
        // One that is disabled or has no name is no source, and nothing comes of it.
        let Some(source) = around.inline.iter().find(is_it) else { return Some(SourceName::new("")) };
        let name = source.name.clone();
        let configured = around.sources.configured().unwrap_or_default();
        if configured.iter().any(|source| source.name == name) {
            let span = self.fields.value("files").map_or_else(|| self.header.clone(), |value| value.span());
            let title = format!("there is a source named `{}` already", short(name.as_str()));
            problems.error("duplicate-name", span, title, "makes a source of the rule's name").help =
                Some("name the rule or the source in another way".to_owned());
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Diagnostic, Sources, csv, probe::Probe, ruleset_probed};
    use super::*;
    use crate::rule::Ruleset;

    fn texts(all: &[(&str, &str)]) -> Vec<Text> {
        all.iter().map(|(path, text)| Text { path: path.into(), text: (*text).to_owned() }).collect()
    }

    fn read(all: &[(&str, &str)], known: &[Source]) -> (Option<Ruleset>, Vec<Diagnostic>) {
        let none = csv::Files::new();
        let zone = TimeZone::UTC;
        ruleset_probed(&texts(all), Sources::These(known), &none, &[], &zone, &mut Probe::none())
    }

    /// Which source each rule sees, and the files of each source.
    fn check(all: &[(&str, &str)], seen: &[(&str, &str)], sources: &[(&str, &[&str], &[&str])]) {
        let (found, problems) = read(all, &[]);
        let found = found.unwrap_or_else(|| panic!("{problems:?}"));
        let told: Vec<(&str, &str)> = found
            .rules
            .iter()
            .filter(|rule| !rule.sources.is_empty())
            .map(|rule| (rule.name.as_str(), rule.sources[0].as_str()))
            .collect();
        assert_eq!(told, seen);
        let made = super::sources(&texts(all), &TimeZone::UTC);
        let made: Vec<(&str, Vec<&str>, Vec<&str>)> = made
            .iter()
            .map(|source| {
                let files = source.files.iter().map(|file| file.to_str().expect("it was text"));
                (source.name.as_str(), files.collect(), source.exclude.iter().map(String::as_str).collect())
            })
            .collect();
        let expected: Vec<_> =
            sources.iter().map(|(name, files, exclude)| (*name, files.to_vec(), exclude.to_vec())).collect();
        assert_eq!(made, expected);
    }

    const A: &str = "[[rule]]\nname = 'a'\nmatch = 'x'\nfiles = ['app.log', '/var/log/x.log']\n";
    const B: &str = "[[rule]]\nname = 'b'\nmatch = 'x'\nfiles = ['/var/log/x.log', 'app.log']\n";

    #[test]
    fn a_rule_with_files_is_its_own_source_and_the_same_files_are_one_source() {
        let both: &[&str] = &["/etc/r/app.log", "/var/log/x.log"];
        check(&[("/etc/r/a.toml", A)], &[("a", "a")], &[("a", both, &[])]);
        // In whatever order they stand.
        for all in
            [[("/etc/r/a.toml", A), ("/etc/r/b.toml", B)], [("/etc/r/b.toml", B), ("/etc/r/a.toml", A)]]
        {
            let seen = if all[0].1 == A { [("a", "a"), ("b", "a")] } else { [("b", "a"), ("a", "a")] };
            check(&all, &seen, &[("a", both, &[])]);
        }
        // Relative paths are so to the file of the rule.
        check(
            &[("/one/a.toml", A), ("two/b.toml", B)],
            &[("a", "a"), ("b", "b")],
            &[
                ("a", &["/one/app.log", "/var/log/x.log"], &[]),
                ("b", &["/var/log/x.log", "two/app.log"], &[]),
            ],
        );
        let less = B.to_owned() + "exclude = '*.gz'\n";
        check(
            &[("/etc/r/a.toml", A), ("/etc/r/b.toml", &less)],
            &[("a", "a"), ("b", "b")],
            &[("a", both, &[]), ("b", both, &["*.gz"])],
        );
        // One that is not there names nothing.
        check(
            &[("/etc/r/a.toml", &(A.to_owned() + "enabled = false\n")), ("/etc/r/b.toml", B)],
            &[("b", "b")],
            &[("b", both, &[])],
        );
    }

    #[test]
    fn files_may_be_a_default_and_a_rule_says_otherwise() {
        let text = "[defaults]\nfiles = 'x.log'\n[[rule]]\nname = 'a'\nmatch = 'x'\n[[rule]]\nname = 'b'\nmatch = 'x'\nfiles = 'y.log'\n";
        check(
            &[("r.toml", text)],
            &[("a", "a"), ("b", "b")],
            &[("a", &["x.log"], &[]), ("b", &["y.log"], &[])],
        );
        let text = "[defaults]\nsource = 's'\n[[rule]]\nname = 'a'\nmatch = 'x'\nfiles = 'y.log'\n";
        check(&[("r.toml", text)], &[("a", "a")], &[("a", &["y.log"], &[])]);
    }

    fn check_wrong(text: &str, known: &[Source], expected: &[(&str, &str)]) {
        let (found, problems) = read(&[("r.toml", text)], known);
        let told: Vec<(&str, &str)> =
            problems.iter().map(|problem| (problem.id, &text[problem.span.clone()])).collect();
        assert_eq!(told, expected, "{text}");
        assert!(found.is_none(), "{text}");
    }

    #[test]
    fn where_lines_come_from_is_said_once() {
        let rule = |more: &str| format!("[[rule]]\nname = 'a'\nmatch = 'x'\n{more}\n");
        let named = |name: &str| {
            sources(&texts(&[("x.toml", &A.replace("'a'", &format!("'{name}'")))]), &TimeZone::UTC)
        };
        check_wrong(&rule("source = 's'\nfiles = 'x.log'"), &named("s"), &[("source-and-files", "'x.log'")]);
        let shared = format!("[defaults]\nsource = 's'\nfiles = 'y.log'\n{}", rule(""));
        check_wrong(&shared, &named("s"), &[("source-and-files", "'y.log'")]);
        check_wrong(&rule("files = []"), &[], &[("empty-list", "[]")]);
        check_wrong(&rule("files = 'a[b'"), &[], &[("bad-glob", "'a[b'")]);
        check_wrong(&rule("source = 's'\nexclude = 'x'"), &named("s"), &[("no-effect", "'x'")]);
        check_wrong(&rule("files = 'x.log'"), &named("a"), &[("duplicate-name", "'x.log'")]);
        check_wrong(&rule(""), &[], &[("missing-key", "[[rule]]")]);
    }
}
