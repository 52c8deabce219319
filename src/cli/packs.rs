//! `tripline packs`: the rule packs that are part of the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::columns::{ALL_LINES, WIDTH, wrapped};
use super::{Failure, answer, json_line, talk};
use crate::config::{self, Pack, Text};
use crate::packs::{self, PACKS};

#[derive(Debug, Args)]
pub(super) struct PacksArgs {
    /// Packs to show in full, or to write [default: all, a line each]
    #[arg(value_name = "PACK")]
    names: Vec<String>,
    /// Write them here as rule files, to use and to change
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Replace files that are there already
    #[arg(long, requires = "write")]
    force: bool,
    /// One JSON object for each
    #[arg(long, conflicts_with = "write")]
    json: bool,
}

pub(super) fn packs(args: &PacksArgs) -> Result<u8, Failure> {
    let chosen = chosen(&args.names)?;
    if let Some(dir) = &args.write {
        let written = write(dir, &chosen.iter().collect::<Vec<_>>(), args.force)?;
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        answer(&format!("{}\n", names.join("\n")))?;
        talk("next: name them in `rules` of tripline.toml, and `tripline check`\n");
        return Ok(0);
    }
    let shown: String = match (args.json, args.names.is_empty()) {
        (true, _) => chosen.iter().map(json).collect(),
        (false, true) => list(&chosen),
        (false, false) => chosen.iter().map(page).collect::<Vec<_>>().join("\n"),
    };
    answer(&shown)?;
    Ok(0)
}

/// A pack of the program, with what it says of itself.
pub(super) struct Shipped {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) pack: Pack,
}

/// All packs of the program.
pub(super) fn shipped() -> Vec<Shipped> {
    let read = |packs::Pack { name, text }: &packs::Pack| {
        let file = Text { path: PathBuf::from(format!("{name}.toml")), text: (*text).to_owned() };
        Shipped { name, text, pack: config::pack(&file).unwrap_or_default() }
    };
    PACKS.iter().map(read).collect()
}

/// The packs of these names, or all.
pub(super) fn chosen(names: &[String]) -> Result<Vec<Shipped>, Failure> {
    let unknown: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| packs::find(name).is_none()).collect();
    if let Some(name) = unknown.first() {
        let near = PACKS.iter().map(|pack| pack.name).find(|known| strsim::jaro(known, name) >= 0.8);
        let way =
            near.map_or("`tripline packs` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Failure(format!("there is no pack `{name}`: {way}")));
    }
    let is_chosen = |pack: &Shipped| names.is_empty() || names.iter().any(|name| name == pack.name);
    Ok(shipped().into_iter().filter(is_chosen).collect())
}

/// Writes packs as files; none, if one is there already and `force` is not said.
pub(super) fn write(dir: &Path, packs: &[&Shipped], force: bool) -> Result<Vec<PathBuf>, Failure> {
    let paths: Vec<PathBuf> = packs.iter().map(|pack| dir.join(format!("{}.toml", pack.name))).collect();
    if let Some(there) = paths.iter().find(|path| !force && path.exists()) {
        let path = there.display();
        return Err(Failure(format!("`{path}` is there already: `--force` replaces it")));
    }
    std::fs::create_dir_all(dir).map_err(|error| can_not_write(dir, &error))?;
    for (pack, path) in packs.iter().zip(&paths) {
        std::fs::write(path, pack.text).map_err(|error| can_not_write(path, &error))?;
    }
    Ok(paths)
}

pub(super) fn can_not_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("can not write `{}`: {error}", path.display()))
}

fn list(packs: &[Shipped]) -> String {
    let mut text = String::new();
    for Shipped { name, pack, .. } in packs {
        let about = wrapped(&pack.about, WIDTH - 22, ALL_LINES).join("\n                      ");
        let _ = writeln!(text, "{name:<16}{:>3}   {about}", pack.rules.len());
    }
    let _ = writeln!(
        text,
        "\n`tripline packs PACK` shows one in full, `tripline packs --write rules PACK` writes its file,\n\
         `tripline init` writes a configuration with those that fit this machine."
    );
    text
}

/// A pack in full.
fn page(Shipped { name, pack, .. }: &Shipped) -> String {
    let mut text = wrapped(&format!("{name}: {}", pack.about), WIDTH - 2, ALL_LINES).join("\n  ") + "\n";
    for source in &pack.sources {
        let head = wrapped(&format!("source {}: {}", source.name, source.about), WIDTH - 4, ALL_LINES);
        let _ = writeln!(text, "\n  {}", head.join("\n    "));
        for file in &source.files {
            let _ = writeln!(text, "    {file}");
        }
        if let Some((units, identifiers)) = &source.journal {
            let names: Vec<&str> = units.iter().chain(identifiers).map(String::as_str).collect();
            let of = if names.is_empty() { "all of it".to_owned() } else { names.join(", ") };
            for line in wrapped(&format!("the journal: {of}"), WIDTH - 6, ALL_LINES) {
                let _ = writeln!(text, "    {line}");
            }
        }
    }
    for rule in &pack.rules {
        let _ = writeln!(text, "\n  {}", rule.name);
        let mut paragraph = |said: &str| {
            for line in wrapped(said, WIDTH - 4, ALL_LINES) {
                let _ = writeln!(text, "    {line}");
            }
        };
        paragraph(&rule.summary);
        if let Some(runbook) = &rule.runbook {
            paragraph(&runbook.replace('\n', " "));
        }
    }
    text
}

fn json(Shipped { name, pack, .. }: &Shipped) -> String {
    let sources = pack.sources.iter().map(|source| {
        let journal = source.journal.as_ref();
        let journal =
            journal.map(|(units, identifiers)| json!({ "units": units, "identifiers": identifiers }));
        json!({ "name": source.name, "about": source.about, "files": source.files, "journal": journal })
    });
    let rules = pack.rules.iter().map(|rule| {
        json!({ "name": rule.name, "sources": rule.sources, "summary": rule.summary, "runbook": rule.runbook })
    });
    json_line(&json!({
        "name": name,
        "about": pack.about,
        "sources": sources.collect::<Vec<_>>(),
        "rules": rules.collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On whoever opens one at night: a pack says what it is about, where its logs are, and what to do first.
    #[test]
    fn each_pack_says_what_it_is_about_and_each_rule_what_to_do_first() {
        for Shipped { name, pack, .. } in shipped() {
            assert!(!pack.about.is_empty() && pack.about.len() <= 140, "{name}: {:?}", pack.about);
            for rule in &pack.rules {
                assert!(!rule.summary.is_empty(), "{name}: {} has no summary", rule.name);
                assert!(rule.runbook.is_some(), "{name}: {} does not say what to do first", rule.name);
                for source in &rule.sources {
                    let known = pack.sources.iter().any(|known| known.name == *source);
                    assert!(known, "{name}: nothing is said of source {source}");
                }
            }
        }
    }

    #[test]
    fn names_of_packs_are_sorted_and_those_that_are_none_are_refused() {
        assert!(PACKS.is_sorted_by_key(|pack| pack.name));
        let refused = chosen(&["sshd".to_owned(), "sshdd".to_owned()]).err().unwrap();
        assert_eq!(refused.0, "there is no pack `sshdd`: did you mean `sshd`?");
        let refused = chosen(&["oracle".to_owned()]).err().unwrap();
        assert_eq!(refused.0, "there is no pack `oracle`: `tripline packs` lists them");
    }
}
