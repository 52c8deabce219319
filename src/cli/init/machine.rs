//! What is on this machine: which logs are there, whether they can be read, and what runs here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::load::{fitting, path_of};
use super::super::packs::Shipped;

/// Where programs lie.
const PROGRAMS: [&str; 6] =
    ["usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin", "usr/lib/systemd", "usr/lib/openssh"];
/// What marks a container, by the runtime that leaves it.
const CONTAINER: [&str; 2] = [".dockerenv", "run/.containerenv"];

/// What kind of machine it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A server.
    #[default]
    Host,
    /// The inside of a container.
    Container,
    /// A node of Kubernetes: logs of pods lie on it.
    Node,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    pub(super) kind: Kind,
    /// Of each glob of the packs that anything fits: what does, and why one of them can not be read.
    pub(super) globs: BTreeMap<String, Fit>,
    /// True if there is a journal of systemd.
    pub(super) journal: bool,
    /// Programs that are named by packs and are there.
    pub(super) programs: BTreeSet<String>,
    /// True if who asks may write everywhere.
    pub(super) root: bool,
}

/// What fits a glob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fit {
    pub(super) files: usize,
    /// The first of them that can not be read, and why.
    pub(super) unreadable: Option<(PathBuf, String)>,
}

/// Looks at the machine whose files lie below `root`.
pub(super) fn look(root: &Path, packs: &[Shipped]) -> Machine {
    let there = |path: &str| root.join(path).exists();
    let sources = || packs.iter().flat_map(|pack| &pack.pack.sources);
    let globs = sources().flat_map(|source| &source.files).filter_map(|glob| {
        let fit = fit(&root.join(glob.trim_start_matches('/')));
        (fit.files > 0).then(|| (glob.clone(), fit))
    });
    let journals = sources().filter_map(|source| source.journal.as_ref());
    let named: BTreeSet<&String> = journals.flat_map(|(_, identifiers)| identifiers).collect();
    let is_program = |name: &&&String| PROGRAMS.iter().any(|dir| root.join(dir).join(name.as_str()).exists());
    let in_container = CONTAINER.iter().any(|mark| there(mark));
    Machine {
        kind: match (in_container, there("var/log/pods")) {
            (true, _) => Kind::Container,
            (false, true) => Kind::Node,
            (false, false) => Kind::Host,
        },
        globs: globs.collect(),
        journal: there("run/systemd/system") && (there("usr/bin/journalctl") || there("bin/journalctl")),
        programs: named.iter().filter(is_program).map(|name| (*name).clone()).collect(),
        root: rustix::process::geteuid().is_root(),
    }
}

fn fit(glob: &Path) -> Fit {
    let files = match path_of(glob) {
        Some(path) => vec![path],
        None => fitting(glob).map(|found| found.files).unwrap_or_default(),
    };
    let mut fit = Fit::default();
    for file in files {
        // What is no file is not opened, and what can not be seen is not there.
        if !std::fs::metadata(&file).is_ok_and(|facts| facts.is_file()) {
            continue;
        }
        match std::fs::File::open(&file) {
            Ok(_) => fit.files += 1,
            Err(error) => {
                fit.files += 1;
                fit.unreadable.get_or_insert_with(|| (file, error.to_string()));
            }
        }
    }
    fit
}
