//! `[pack]` of a rule file → what its rules are about, and where their logs usually are.

use toml::de::DeTable;

use super::diagnostic::{Problems, listed, short};
use super::keys::main_file::JOURNAL;
use super::keys::rules::{PACK, PACK_SOURCE};
use super::walk::{Fields, check, parse, require};
use super::{Text, multiline};

/// What a rule file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// One line: what it tells of.
    pub about: String,
    /// In the order of the file.
    pub sources: Vec<UsualSource>,
    /// In the order of the file.
    pub rules: Vec<PackRule>,
}

/// A source that rules of a pack name, as it usually is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsualSource {
    /// What rules call it.
    pub name: String,
    /// One line: what is written there.
    pub about: String,
    /// Globs, absolute.
    pub files: Vec<String>,
    /// Where there is no such file: units and identifiers of the journal; both empty: all of it.
    pub journal: Option<(Vec<String>, Vec<String>)>,
    /// What else its `[[source]]` says: keys and values as they are typed.
    pub also: Vec<(&'static str, String)>,
}

/// A rule of a pack, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRule {
    /// Its name.
    pub name: String,
    /// Sources that it sees.
    pub sources: Vec<String>,
    /// Its summary, with places.
    pub summary: String,
    /// What to do first: of its description what stands behind `Runbook: `, up to the empty line.
    pub runbook: Option<String>,
}

/// What stands before the words of a description that say what to do.
const RUNBOOK: &str = "Runbook: ";

/// Says what is wrong with `[pack]`.
pub(super) fn check_pack(problems: &mut Problems<'_>, document: &DeTable<'_>) {
    let Some((name, value)) = document.get_key_value("pack") else { return };
    let Some(table) = value.get_ref().as_table() else { return };
    check(problems, table, "[pack]", &[PACK], &[]);
    require(problems, table, &name.span(), "about", "[pack]");
    let Some(sources) = (Fields { table, defaults: None }).value("source") else { return };
    let Some(sources) = sources.get_ref().as_table() else {
        let title = "`source` takes a table for each source";
        problems.error("wrong-type", sources.span(), title, "write `[pack.source.NAME]`");
        return;
    };
    let named = named(document);
    for (name, value) in sources.iter() {
        let Some(table) = value.get_ref().as_table() else {
            problems.error("wrong-type", value.span(), "a source of `[pack]` is a table", "no table");
            continue;
        };
        check(problems, table, "a source of `[pack]`", &[PACK_SOURCE], &[]);
        let own = Fields { table, defaults: None };
        if let Some(journal) = own.value("journal").and_then(|journal| journal.get_ref().as_table()) {
            check(problems, journal, "`journal`", &[JOURNAL], &[]);
        }
        multiline::read(problems, own, 64 * 1024);
        for glob in own.texts("files").iter().filter(|glob| !glob.text.starts_with('/')) {
            let title = format!("`{}` is not absolute", short(glob.text));
            problems.error(
                "bad-glob",
                glob.span.clone(),
                title,
                "where a log usually is has no other directory",
            );
        }
        if !named.iter().any(|known| known == name.get_ref().as_ref()) {
            let title = format!("no rule of this file sees source `{}`", short(name.get_ref()));
            problems.error("unknown-source", name.span(), title, "unknown source").note =
                Some(format!("its rules see {}", listed(named.iter().map(String::as_str))));
        }
    }
}

/// The sources that the rules of a file name.
fn named(document: &DeTable<'_>) -> Vec<String> {
    let file = Fields { table: document, defaults: None };
    let defaults = file.value("defaults").and_then(|value| value.get_ref().as_table());
    let rules = file.tables("rule");
    let sources =
        rules.iter().flat_map(|(_, table)| Fields { table, defaults }.texts("source")).map(|said| said.text);
    let mut sources: Vec<String> = sources.map(str::to_owned).collect();
    sources.sort();
    sources.dedup();
    sources
}

/// What a rule file says of itself, as far as it is right; `None`: it has no `[pack]`.
pub(super) fn read(text: &Text) -> Option<Pack> {
    let mut problems = Problems::new(&text.path, &text.text);
    let document = parse(&mut problems);
    let pack = document.get("pack")?.get_ref().as_table()?;
    let fields = Fields { table: pack, defaults: None };
    let tables = fields.value("source").and_then(|sources| sources.get_ref().as_table());
    let sources = tables.into_iter().flat_map(|tables| tables.iter()).filter_map(|(name, value)| {
        let table = value.get_ref().as_table()?;
        let own = Fields { table, defaults: None };
        let owned =
            |fields: Fields<'_, '_>, key| fields.texts(key).iter().map(|said| said.text.to_owned()).collect();
        let journal = own.value("journal").and_then(|journal| journal.get_ref().as_table()).map(|table| {
            let journal = Fields { table, defaults: None };
            (owned(journal, "units"), owned(journal, "identifiers"))
        });
        let typed = |key| Some((key, text.text.get(own.value(key)?.span())?.to_owned()));
        Some(UsualSource {
            name: name.get_ref().to_string(),
            about: own.text("about").map(|said| said.text.to_owned()).unwrap_or_default(),
            files: owned(own, "files"),
            journal,
            also: ["format", "multiline", "repeats"].into_iter().filter_map(typed).collect(),
        })
    });
    let defaults = document.get("defaults").and_then(|value| value.get_ref().as_table());
    let rules = Fields { table: &document, defaults: None }.tables("rule");
    let rules = rules.into_iter().filter_map(|(_, table)| {
        let own = Fields { table, defaults };
        let text = |key| own.text(key).map(|said| said.text.to_owned());
        let behind = |text: String| Some(text.strip_prefix(RUNBOOK)?.split("\n\n").next()?.trim().to_owned());
        Some(PackRule {
            name: text("name")?,
            sources: own.texts("source").iter().map(|said| said.text.to_owned()).collect(),
            summary: text("summary").unwrap_or_default(),
            runbook: text("description").and_then(behind),
        })
    });
    Some(Pack {
        about: fields.text("about").map(|said| said.text.to_owned()).unwrap_or_default(),
        sources: sources.collect(),
        rules: rules.collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::ruleset;

    fn text(text: &str) -> Text {
        Text { path: PathBuf::from("/rules/x.toml"), text: text.to_owned() }
    }

    const RULE: &str = "[[rule]]\nname = 'x_a'\nsource = 'app'\nmatch = 'a'\nsummary = 'it is a'\n\
                        description = \"Runbook: look at a\\nand b.\\n\\n{lines}\"\n";

    fn check(pack: &str, says: &[&str]) {
        let file = text(&format!("{RULE}{pack}"));
        let (_, said) = ruleset(&[file], None, &[], &jiff::tz::TimeZone::UTC);
        let said: Vec<&str> = said.iter().map(|problem| problem.title.as_str()).collect();
        assert_eq!(said, says, "{pack}");
    }

    #[test]
    fn what_is_wrong_with_a_pack_is_said() {
        check("[pack]\nabout = 'a'\n", &[]);
        check(
            "[pack]\nabout = 'a'\n[pack.source.app]\nfiles = ['/var/log/app.log']\nmultiline = 'java'\n",
            &[],
        );
        check("[pack]\n", &["[pack] needs `about`"]);
        check("[pack]\nabout = 'a'\nsource = 'app'\n", &["`source` takes a table for each source"]);
        check("[pack]\nabout = 'a'\nsource = { app = 1 }\n", &["a source of `[pack]` is a table"]);
        check("[pack]\nabout = 'a'\n[pack.source.app]\nfiles = 'app.log'\n", &["`app.log` is not absolute"]);
        check("[pack]\nabout = 'a'\n[pack.source.other]\n", &["no rule of this file sees source `other`"]);
        check(
            "[pack]\nabout = 'a'\n[pack.source.app]\nfile = '/a'\n",
            &["`file` is not a key of a source of `[pack]`"],
        );
        check(
            "[pack]\nabout = 'a'\n[pack.source.app]\njournal = { unit = 'a' }\n",
            &["`unit` is not a key of `journal`"],
        );
    }

    #[test]
    fn what_a_pack_says_of_itself_is_read_as_it_is_typed() {
        let pack = "[pack]\nabout = 'crashes'\n[pack.source.app]\nabout = 'its log'\nfiles = ['/var/log/a', '/b']\n\
                    journal = { identifiers = ['a'] }\nmultiline = { start = '^\\d' }\n";
        let read = read(&text(&format!("{RULE}{pack}"))).unwrap();
        let source = UsualSource {
            name: "app".to_owned(),
            about: "its log".to_owned(),
            files: vec!["/var/log/a".to_owned(), "/b".to_owned()],
            journal: Some((Vec::new(), vec!["a".to_owned()])),
            also: vec![("multiline", "{ start = '^\\d' }".to_owned())],
        };
        let rule = PackRule {
            name: "x_a".to_owned(),
            sources: vec!["app".to_owned()],
            summary: "it is a".to_owned(),
            runbook: Some("look at a\nand b.".to_owned()),
        };
        let expected = Pack { about: "crashes".to_owned(), sources: vec![source], rules: vec![rule] };
        assert_eq!(read, expected);
        assert_eq!(super::read(&text(RULE)), None);
    }
}
