//! What is found → which packs, which sources, and the text of `tripline.toml`. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::packs::Shipped;
use super::machine::{Kind, Machine};
use crate::config::UsualSource;

/// Programs of the journal that need no file to be there.
const ALWAYS: [&str; 2] = ["kernel", "systemd"];

/// Files that many programs write into: that one is there says nothing of any of them.
const SHARED: [&str; 3] = ["/var/log/syslog", "/var/log/messages", "/var/log/app/*.log"];

/// What is to be written.
pub(super) struct Plan<'a> {
    /// The packs that fit, sorted by name.
    pub(super) packs: Vec<&'a Shipped>,
    /// Names of packs of whose logs there is no sign.
    pub(super) others: Vec<&'static str>,
    /// By name.
    pub(super) sources: BTreeMap<String, Chosen>,
    /// Sentences about what could not be done as it was wanted.
    pub(super) remarks: Vec<String>,
}

/// A source as it will be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    about: Vec<String>,
    packs: Vec<&'static str>,
    pub(super) from: From,
    also: BTreeMap<&'static str, String>,
}

/// Where its lines come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum From {
    /// Files that are there.
    Files(Vec<String>),
    /// Units and identifiers of the journal.
    Journal(Vec<String>, Vec<String>),
    /// Files that may come: nothing is there.
    #[default]
    Nothing,
    /// The same, and where they usually are.
    Usual(Vec<String>),
}

impl From {
    fn is_found(&self) -> bool {
        matches!(self, From::Files(_) | From::Journal(..))
    }

    /// The better of two ways to the same lines, or both.
    fn join(self, other: From) -> From {
        fn all(mut one: Vec<String>, other: Vec<String>) -> Vec<String> {
            one.extend(other);
            one.sort();
            one.dedup();
            one
        }
        match (self, other) {
            (From::Files(one), From::Files(other)) => From::Files(all(one, other)),
            (From::Journal(units, names), From::Journal(more_units, more_names)) => {
                From::Journal(all(units, more_units), all(names, more_names))
            }
            (From::Usual(one), From::Usual(other)) => From::Usual(all(one, other)),
            (files @ From::Files(_), _) | (_, files @ From::Files(_)) => files,
            (journal @ From::Journal(..), _) | (_, journal @ From::Journal(..)) => journal,
            (From::Nothing, other) => other,
            (one, From::Nothing) => one,
        }
    }
}

/// Chooses packs: those of `wanted`, else those of whose logs there is a sign.
pub(super) fn plan<'a>(shipped: &'a [Shipped], machine: &Machine, wanted: &[String]) -> Plan<'a> {
    let mut plan =
        Plan { packs: Vec::new(), others: Vec::new(), sources: BTreeMap::new(), remarks: Vec::new() };
    for pack in shipped {
        let found: Vec<From> = pack.pack.sources.iter().map(|source| way(source, machine)).collect();
        let fits = found.iter().any(From::is_found);
        let is_wanted = wanted.iter().any(|name| name == pack.name);
        if !(is_wanted || wanted.is_empty() && fits) {
            plan.others.push(pack.name);
            continue;
        }
        plan.packs.push(pack);
        for (source, from) in pack.pack.sources.iter().zip(found) {
            plan.add(pack.name, source, from);
        }
    }
    plan
}

impl Plan<'_> {
    fn add(&mut self, pack: &'static str, source: &UsualSource, from: From) {
        let chosen = self.sources.entry(source.name.clone()).or_default();
        chosen.from = std::mem::take(&mut chosen.from).join(from);
        if !chosen.about.contains(&source.about) {
            chosen.about.push(source.about.clone());
        }
        chosen.packs.push(pack);
        for (key, value) in &source.also {
            let known = chosen.also.entry(key).or_insert_with(|| value.clone());
            if known != value {
                self.remarks.push(format!(
                    "source `{}` is read with `{key} = {known}`, and pack `{pack}` wants `{value}`: give it a source \
                     of its own, and its name to the `source` of its rules",
                    source.name
                ));
            }
        }
    }
}

/// How the lines of a source are reached on this machine.
fn way(source: &UsualSource, machine: &Machine) -> From {
    let files: Vec<String> =
        source.files.iter().filter(|glob| machine.globs.contains_key(*glob)).cloned().collect();
    let runs = |name: &String| ALWAYS.contains(&name.as_str()) || machine.programs.contains(name);
    let is_there = source.journal.iter().any(|(_, identifiers)| identifiers.iter().any(runs));
    let is_own = |glob: &String| !SHARED.contains(&glob.as_str());
    if files.iter().any(is_own) || (!files.is_empty() && is_there) {
        return From::Files(files);
    }
    if let Some((units, identifiers)) = source.journal.as_ref().filter(|_| machine.journal && is_there) {
        return From::Journal(units.clone(), identifiers.clone());
    }
    From::Usual(source.files.clone())
}

/// `tripline.toml`. `date` is when it is written, `service` is true if it is that of a service of this machine.
pub(super) fn text(plan: &Plan<'_>, date: &str, service: bool) -> String {
    let mut text = format!(
        "# Written by `tripline init` on {date}, from what was found on this machine. It is yours to change: a change\n\
         # is taken over within seconds, and a wrong one changes nothing. `tripline check` shows what is wrong.\n\n"
    );
    // What is tried elsewhere shares no alerts with it.
    let state = if service { "/var/lib/tripline" } else { "state" };
    let _ = write!(
        text,
        "# How far logs were read, open alerts, and what sinks are owed. It holds log lines: treat it like the logs.\n\
         state_dir = \"{state}\"\n\
         rules     = [\"rules/*.toml\"]\n\n\
         # On every alert, for whoever is called.\n#[labels]\n#team = \"infra\"\n\n\
         # The status page, for this machine alone; metrics are at /metrics.\n\
         [admin]\nlisten = \"127.0.0.1:7437\"\n"
    );
    // What is there first: the rest is for later.
    for found in [true, false] {
        plan.sources
            .iter()
            .filter(|(_, chosen)| chosen.from.is_found() == found)
            .for_each(|(name, chosen)| source(&mut text, name, chosen));
    }
    text.push_str(SINKS);
    text
}

const SINKS: &str = "
# Who is told. Without anybody else it is whoever looks at this terminal, or at the journal of the service.
[[sink]]
name = \"terminal\"
type = \"stdout\"

# To call someone, take the marks away from one of these; `tripline sinks test oncall` then tries it.
#[[sink]]
#name = \"oncall\"
#type = \"flashduty\"
#integration_key_env = \"FLASHDUTY_KEY\"

#[[sink]]
#name = \"oncall\"
#type = \"pagerduty\"
#routing_key_env = \"PAGERDUTY_KEY\"

#[[sink]]
#name = \"alertmanager\"
#type = \"alertmanager\"
#urls = [\"http://127.0.0.1:9093\"]
";

fn source(text: &mut String, name: &str, chosen: &Chosen) {
    let about = chosen.about.iter().filter(|about| !about.is_empty()).cloned().collect::<Vec<_>>().join("; ");
    let _ = write!(text, "\n# {}{}", about, if about.is_empty() { "" } else { ". " });
    let _ = writeln!(text, "Packs: {}.", chosen.packs.join(", "));
    if !chosen.from.is_found() {
        text.push_str(
            "# No such log was found: name where it is. Nobody is told that it is missing until then.\n",
        );
    }
    let _ = writeln!(text, "[[source]]\nname = \"{name}\"");
    match &chosen.from {
        From::Files(globs) => {
            let _ = writeln!(text, "files = {}", list(globs));
        }
        From::Journal(units, identifiers) => {
            let mut of = Vec::new();
            of.extend((!units.is_empty()).then(|| format!("units = {}", list(units))));
            of.extend((!identifiers.is_empty()).then(|| format!("identifiers = {}", list(identifiers))));
            let _ = writeln!(text, "journal = {{ {} }}", of.join(", "));
        }
        From::Usual(globs) if !globs.is_empty() => {
            let _ = writeln!(text, "files = {}\nblind_after = \"never\"", list(globs));
        }
        From::Usual(_) | From::Nothing => {
            let _ = writeln!(text, "files = [\"/var/log/{name}/*.log\"]\nblind_after = \"never\"");
        }
    }
    for (key, value) in &chosen.also {
        let _ = writeln!(text, "{key} = {value}");
    }
}

/// Texts as TOML: none of them holds what has to be escaped, and if one does it is.
fn list(texts: &[String]) -> String {
    let quoted: Vec<String> =
        texts.iter().map(|text| toml::Value::String(text.clone()).to_string()).collect();
    format!("[{}]", quoted.join(", "))
}

/// What was chosen and why, for people.
pub(super) fn told(plan: &Plan<'_>, machine: &Machine) -> String {
    let mut text = String::new();
    let kind = match machine.kind {
        Kind::Host if machine.journal => "a server with systemd",
        Kind::Host => "a server without systemd",
        Kind::Container => "the inside of a container",
        Kind::Node => "a node of Kubernetes",
    };
    let _ = writeln!(text, "this is {kind}");
    for pack in &plan.packs {
        let ways = pack.pack.sources.iter().filter_map(|source| {
            Some(match &plan.sources.get(&source.name)?.from {
                From::Files(globs) => globs.join(", "),
                From::Journal(_, names) => format!("the journal ({})", names.join(", ")),
                From::Usual(_) | From::Nothing => return None,
            })
        });
        let mut ways: Vec<String> = ways.collect();
        ways.dedup();
        let why = if ways.is_empty() { "wanted; its log was not found".to_owned() } else { ways.join("; ") };
        let _ = writeln!(text, "  {:<14} {why}", pack.name);
    }
    if plan.packs.is_empty() {
        text.push_str("  no pack fits: no log of theirs was found\n");
    }
    if !plan.others.is_empty() {
        let _ = writeln!(text, "no sign of: {}", plan.others.join(", "));
    }
    if machine.kind == Kind::Node {
        text.push_str(
            "the logs of pods are in /var/log/pods: deploy/daemonset.yaml watches them, with the labels of each pod\n",
        );
    }
    for (path, why) in machine.globs.values().filter_map(|fit| fit.unreadable.as_ref()) {
        let _ = writeln!(text, "warning: `{}` can not be read by you: {why}", path.display());
    }
    for remark in &plan.remarks {
        let _ = writeln!(text, "warning: {remark}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::machine::Fit;
    use super::*;

    fn source(files: &[&str], identifiers: &[&str]) -> UsualSource {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let journal = (!identifiers.is_empty()).then(|| (Vec::new(), owned(identifiers)));
        UsualSource { name: "s".to_owned(), files: owned(files), journal, ..UsualSource::default() }
    }

    fn check(source: &UsualSource, globs: &[&str], programs: &[&str], journal: bool, found: &str) {
        let machine = Machine {
            globs: globs
                .iter()
                .map(|glob| ((*glob).to_owned(), Fit { files: 1, unreadable: None }))
                .collect(),
            programs: programs.iter().map(|name| (*name).to_owned()).collect(),
            journal,
            ..Machine::default()
        };
        let way = way(source, &machine);
        let shown = match &way {
            From::Files(files) => files.join(" "),
            From::Journal(_, names) => format!("journal {}", names.join(" ")),
            From::Usual(_) | From::Nothing => String::new(),
        };
        assert_eq!(shown, found, "{globs:?} {programs:?}");
    }

    #[test]
    fn a_log_of_its_own_is_a_sign_and_one_that_many_write_is_one_with_the_program() {
        let named = source(&["/var/log/named.log", "/var/log/syslog"], &["named"]);
        check(&named, &["/var/log/named.log"], &[], false, "/var/log/named.log");
        check(&named, &["/var/log/syslog"], &[], true, "");
        check(&named, &["/var/log/syslog"], &["named"], true, "/var/log/syslog");
        check(&named, &[], &["named"], true, "journal named");
        check(&named, &[], &["named"], false, "");
        check(&source(&[], &["kernel"]), &[], &[], true, "journal kernel");
        check(&source(&["/var/log/app/*.log"], &[]), &["/var/log/app/*.log"], &[], true, "");
    }

    #[test]
    fn sources_of_several_packs_are_joined() {
        let files = |names: &[&str]| From::Files(names.iter().map(|name| (*name).to_owned()).collect());
        let journal =
            |names: &[&str]| From::Journal(Vec::new(), names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(files(&["b"]).join(files(&["a", "b"])), files(&["a", "b"]));
        assert_eq!(journal(&["sshd"]).join(journal(&["sudo"])), journal(&["sshd", "sudo"]));
        assert_eq!(journal(&["sshd"]).join(files(&["a"])), files(&["a"]));
        assert_eq!(From::Usual(Vec::new()).join(journal(&["x"])), journal(&["x"]));
        assert_eq!(From::Nothing.join(From::Usual(vec!["a".to_owned()])), From::Usual(vec!["a".to_owned()]));
    }
}
