//! How sinks stand to sources, to rules and to each other: a file that feeds itself, two that write the same file, a
//! `when` that nothing can make true because it speaks of what there is not, a status page that no rule names.

use std::path::{Path, PathBuf};

use super::super::diagnostic::{Problems, did_you_mean, short};
use super::super::{Diagnostic, Text, main_file};
use crate::model::SinkName;
use crate::rule::{About, Condition, Number, Ruleset, Word};
use crate::settings::{Peer, SecretFrom, Settings, Sink, means, plain};

/// Labels that alerts have without anybody giving them.
const BUILT_IN: [&str; 2] = ["instance", "flapping"];

/// Says which file sinks write what a source reads or what tripline itself needs, and which write one file, those included
/// that are kept. Paths are compared as they are written: where links lead can be seen only where they are.
pub(in crate::config) fn files(main: &Text, settings: &Settings) -> Vec<Diagnostic> {
    let mut problems = Problems::new(&main.path, &main.text);
    let mut known: Vec<(&SinkName, Vec<PathBuf>)> = Vec::new();
    for sink in &settings.sinks {
        let Peer::File(file) = &sink.peer else { continue };
        let names: Vec<PathBuf> = file.names().map(|name| plain(&name)).collect();
        let span = main_file::place_in_sink(main, &sink.of, &["path"]);
        let of = short(sink.of.as_str());
        let reads = |name: &&PathBuf| settings.sources.iter().find(|source| source.means(name));
        if let Some((name, source)) = names.iter().find_map(|name| Some((name, reads(&name)?))) {
            let source = short(source.name.as_str());
            let title = format!("the source `{source}` reads what the sink `{of}` writes");
            let problem =
                problems.error("feeds-itself", span.clone(), title, "each alert would be a new line");
            problem.help = Some("write it elsewhere, or name it in `exclude` of the source".to_owned());
            problem.note = kept_name(&names, name);
        }
        if let Some((what, name)) =
            names.iter().find_map(|name| Some((own_file(main, settings, name)?, name)))
        {
            let title = format!("the sink `{of}` writes {what}");
            let problem = problems.error("own-file", span.clone(), title, "tripline needs it as it is");
            problem.help = Some("give the sink a file of its own, elsewhere".to_owned());
            problem.note = Some(format!("that is `{}`", name.display()));
        }
        let shared = |(other, theirs): &(&SinkName, Vec<PathBuf>)| {
            Some((short(other.as_str()), names.iter().find(|name| theirs.contains(name))?.clone()))
        };
        if let Some((other, name)) = known.iter().find_map(shared) {
            let title = format!("the sinks `{other}` and `{of}` write one file");
            let problem = problems.error("shared-file", span, title, "written by another sink too");
            problem.help = Some("give each a file of its own".to_owned());
            problem.note = Some(format!("that is `{}`", name.display()));
        }
        known.push((&sink.of, names));
    }
    problems.finish()
}

/// What of tripline itself has this name.
fn own_file(main: &Text, settings: &Settings, name: &Path) -> Option<&'static str> {
    let is_rules = |glob: &PathBuf| means(glob, name);
    let is_key = |from: &SecretFrom| matches!(from, SecretFrom::File(path) if plain(path) == *name);
    let mut keys = settings.sinks.iter().flat_map(|sink| &sink.secrets).map(|(_, from)| from);
    match () {
        () if settings.state_dir.as_ref().is_some_and(|dir| name.starts_with(plain(dir))) => {
            Some("into the state directory")
        }
        () if plain(&main.path) == *name => Some("over the configuration"),
        () if settings.rules.iter().any(is_rules) => Some("what is read as rules"),
        () if keys.any(is_key) => Some("over the key of a sink"),
        () => None,
    }
}

/// Says which name is meant if it is not the one that is written.
fn kept_name(names: &[PathBuf], name: &PathBuf) -> Option<String> {
    (names.first() != Some(name)).then(|| format!("it keeps older lines in `{}`", name.display()))
}

/// Warns of each `when` that speaks of rules and labels that no rule has.
pub(in crate::config) fn unknown_names(
    main: &Text,
    settings: &Settings,
    ruleset: &Ruleset,
) -> Vec<Diagnostic> {
    let mut problems = Problems::new(&main.path, &main.text);
    let rules: Vec<&str> = ruleset.rules.iter().map(|rule| rule.name.as_str()).collect();
    let given = settings.sources.iter().flat_map(|source| &source.labels).chain(&settings.labels);
    let of_rules = ruleset.rules.iter().flat_map(|rule| {
        rule.by.iter().map(|by| &*by.name).chain(rule.labels.iter().map(|(name, _)| &**name))
    });
    let labels: Vec<&str> = given.map(|(name, _)| &**name).chain(of_rules).chain(BUILT_IN).collect();
    let mut seen: Vec<&SinkName> = Vec::new();
    for Sink { of, when, .. } in &settings.sinks {
        let Some(when) = when.as_ref().filter(|_| !seen.contains(&of)) else { continue };
        // A sink may be several queues.
        seen.push(of);
        let mut named = Named::default();
        named.look_at(&when.condition);
        let span = main_file::place_in_sink(main, of, &["when"]);
        for (what, names, known) in [("rule", &named.rules, &rules), ("label", &named.labels, &labels)] {
            for name in names.iter().filter(|name| !known.contains(name)) {
                let title = match what {
                    "rule" => format!("`when` speaks of a rule `{}` that there is not", short(name)),
                    _ => format!("`when` speaks of a label `{}` that no rule has", short(name)),
                };
                problems.warning("when-unknown", span.clone(), title, format!("unknown {what}")).help =
                    did_you_mean(name, known.iter().copied());
            }
        }
    }
    problems.finish()
}

/// Warns of each sink that has to be named by rules, and is named by none.
pub(in crate::config) fn unnamed(main: &Text, settings: &Settings, ruleset: &Ruleset) -> Vec<Diagnostic> {
    let mut problems = Problems::new(&main.path, &main.text);
    let named = |sink: &SinkName| ruleset.rules.iter().any(|rule| rule.sinks.contains(sink));
    for Sink { of, peer, .. } in
        settings.sinks.iter().filter(|sink| sink.peer.is_chosen() && !named(&sink.of))
    {
        let span = main_file::place_in_sink(main, of, &["name"]);
        let of = short(of.as_str());
        let title = format!("no rule in force names the sink `{of}`, so it is told nothing");
        let problem = problems.warning("unnamed-sink", span, title, "named nowhere");
        problem.note = Some(format!("a sink of type \"{}\" is told only of what names it", peer.kind()));
        problem.help = Some(format!("write `sinks = [\"{of}\"]` in rules that are for everybody to know of"));
    }
    problems.finish()
}

/// What a condition names.
#[derive(Default)]
struct Named<'c> {
    rules: Vec<&'c str>,
    labels: Vec<&'c str>,
}

impl<'c> Named<'c> {
    fn look_at(&mut self, condition: &'c Condition<About>) {
        match condition {
            Condition::Not(one) => self.look_at(one),
            Condition::All(all) | Condition::Any(all) => all.iter().for_each(|one| self.look_at(one)),
            Condition::Compared(left, _, right) => {
                for side in [left, right] {
                    if let Number::Of(about) = side {
                        self.take(about);
                    }
                }
            }
            Condition::Same(left, right) => {
                for (side, other) in [(left, right), (right, left)] {
                    match (side, other) {
                        (Word::Of(About::Rule), Word::Is(name)) => self.rules.push(name),
                        (Word::Of(about), _) => self.take(about),
                        (Word::Is(_), _) => {}
                    }
                }
            }
            Condition::OneOf(About::Rule, names) => self.rules.extend(names.iter().map(|name| &**name)),
            Condition::OneOf(about, _) | Condition::OneOfNumbers(about, _) | Condition::Fits(about, ..) => {
                self.take(about);
            }
        }
    }

    fn take(&mut self, about: &'c About) {
        if let About::Label(name) = about {
            self.labels.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::super::super::{ruleset, settings};
    use super::*;

    fn check(main: &str, rules: &str, expected: &[(&str, &str)]) {
        let main = Text { path: "/etc/tripline/tripline.toml".into(), text: main.to_owned() };
        let (found, problems) = settings(&main, &TimeZone::UTC);
        let found = found.unwrap_or_else(|_| panic!("{problems:#?}"));
        let rules = Text { path: "r.toml".into(), text: rules.to_owned() };
        let (rules, problems) = ruleset(&[rules], Some(&found.sources), &found.labels, &TimeZone::UTC);
        let rules = rules.unwrap_or_else(|| panic!("{problems:#?}"));
        let mut said = files(&main, &found);
        said.extend(unknown_names(&main, &found, &rules));
        said.extend(unnamed(&main, &found, &rules));
        let said: Vec<_> = said.iter().map(|said| (said.id, &main.text[said.span.clone()])).collect();
        assert_eq!(said, expected, "{}", main.text);
    }

    const RULE: &str = "[[rule]]\nname = 'disk'\nsource = 's'\nmatch = 'disk (?<dev>\\S+)'\nby = ['dev']\n\
                        labels = { team = 'db' }\n";

    #[test]
    fn a_file_that_a_source_reads_or_another_sink_writes_is_told_of() {
        let of = |source: &str, paths: &[&str]| {
            let sinks = paths.iter().enumerate();
            let sinks = sinks.map(|(n, path)| format!("[[sink]]\nname='f{n}'\ntype='file'\npath='{path}'\n"));
            format!("[[source]]\nname='s'\n{source}\n{}", sinks.collect::<String>())
        };
        for (source, path) in [
            ("files=['*.log']", "alerts.log"),
            ("files=['./*.log']", "/etc/tripline/alerts.log"),
            ("files=['a.log']", "./a.log"),
            ("files=['/etc/**/*.log']", "alerts.log"),
            ("files=['/etc/{tripline,x}/*']", "out.ndjson"),
        ] {
            check(&of(source, &[path]), RULE, &[("feeds-itself", "path")]);
        }
        for (source, path) in [
            ("files=['*.log']", "alerts.ndjson"),
            ("files=['*.log']", "out/alerts.log"),
            ("files=['*.log']\nexclude=['alerts.*']", "alerts.log"),
            ("files=['*.log']\nexclude=['/etc/tripline/alerts.*']", "alerts.log"),
        ] {
            check(&of(source, &[path]), RULE, &[]);
        }
        for other in ["./x", "sub/../x", "/etc/./other/../tripline/x", "/../etc/tripline/x"] {
            check(&of("files=['a']", &["x", other]), RULE, &[("shared-file", "path")]);
        }
        check(&of("files=['sub/../*.log']", &["../tripline/alerts.log"]), RULE, &[("feeds-itself", "path")]);
        // Those that are kept are written too.
        let kept = |second: &str| {
            of("files=['a', 'old/*']", &["x'\nmax_size='1MiB'\nkeep='3"]).replace("'3'", "3") + second
        };
        let sink = |path: &str| format!("[[sink]]\nname='g'\ntype='file'\npath='{path}'\n");
        check(&kept(&sink("x.3")), RULE, &[("shared-file", "path")]);
        check(&kept(&sink("x.4")), RULE, &[]);
        check(&kept(&sink("old/x")), RULE, &[("feeds-itself", "path")]);
        check(&of("files=['x.*']", &["x'\nmax_size='1MiB"]), RULE, &[("feeds-itself", "path")]);
        check(&of("files=['x.*']", &["x"]), RULE, &[]);
        check(&of("files=['a']", &["x", "y"]), RULE, &[]);
    }

    #[test]
    fn a_sink_that_writes_what_tripline_needs_is_told_of() {
        let of = |path: &str, more: &str| {
            format!(
                "state_dir='state'\n[[source]]\nname='s'\nfiles=['x']\n[[sink]]\nname='f'\ntype='file'\npath='{path}'\n{more}"
            )
        };
        let key = "[[sink]]\nname='w'\ntype='webhook'\nurl_file='keys/w'\n";
        for path in
            ["state/state.redb", "./state/x", "tripline.toml", "rules/a.toml", "rules/../rules/b.toml"]
        {
            check(&of(path, ""), RULE, &[("own-file", "path")]);
        }
        check(&of("keys/w", key), RULE, &[("own-file", "path")]);
        for path in ["states", "state.redb", "rules/a.log", "tripline.toml.1", "keys/v"] {
            check(&of(path, key), RULE, &[]);
        }
        check(&of("rules/a", "max_size='1MiB'\nkeep=2\n"), RULE, &[]);
    }

    #[test]
    fn a_status_page_that_no_rule_names_is_told_of() {
        let main = "[[source]]\nname='s'\nfiles=['x']\n[[sink]]\nname='o'\ntype='stdout'\n[[sink]]\nname='page'\n\
                    type='flashduty-status-page'\napp_key_env='K'\npage_id=1\ncomponents=['a']\n";
        check(main, RULE, &[("unnamed-sink", "name")]);
        let named = |lines: &str| format!("{RULE}{lines}\n");
        check(main, &named("sinks = ['o', 'page']"), &[]);
        check(main, &named("sinks = ['o']"), &[("unnamed-sink", "name")]);
        check(main, &named("sinks = ['page']\nenabled = false"), &[("unnamed-sink", "name")]);
        check(main, &format!("[defaults]\nsinks = ['page']\n{RULE}"), &[]);
    }

    #[test]
    fn a_when_that_speaks_of_what_there_is_not_is_told_of() {
        let of = |when: &str| {
            format!(
                "[labels]\ncluster='nj'\n[[source]]\nname='s'\nfiles=['x']\nlabels={{ app='shop' }}\n\
                 [[sink]]\nname='o'\ntype='stdout'\nwhen='{when}'\n"
            )
        };
        for when in [
            "severity >= warning and team == \"db\"",
            "dev =~ \"^sd\" or cluster == \"nj\" or app == \"shop\" or instance == \"web\"",
            "rule == \"disk\" or rule in [\"disk\", \"tripline_dead_letter\"]",
            "rule =~ \"^ssh\"",
        ] {
            check(&of(when), RULE, &[]);
        }
        for when in [
            "taem == \"db\"",
            "severty >= 3",
            "not rule == \"nope\"",
            "rule in [\"disk\", \"nope\"]",
            "team == \"db\" and (other =~ \"x\" or team == \"x\")",
        ] {
            check(&of(when), RULE, &[("when-unknown", "when")]);
        }
    }
}
