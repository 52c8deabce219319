//! Who else has the file of a sink: a source that reads it, another sink. Found by what lies on the disk, for links and
//! hard links lead to a file by other names than are written.

use std::os::unix::fs::DirEntryExt as _;

use super::*;
use crate::model::SinkName;
use crate::settings::{Peer, Sink, Source, plain};

/// The most links that a name is followed through, as the system does.
const MOST_LINKS: usize = 40;

/// The most directories below each other that are looked through for other names of a file.
const DEEPEST: usize = 32;

/// What may have a file that a sink writes.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Others {
    /// The file sinks that stand before it.
    sinks: Vec<(SinkName, settings::File)>,
    sources: Vec<Source>,
}

/// Who has it.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Taken {
    /// A source reads it: each row would be a new line.
    Read(String),
    /// A sink writes it.
    Written(String),
}

impl Taken {
    /// In words.
    pub(in super::super) fn why(self) -> String {
        match self {
            Taken::Read(why) | Taken::Written(why) => why,
        }
    }
}

impl Others {
    /// All but the sink at `place`; of those that want one file the first has it.
    pub(in super::super) fn of(sinks: &[Sink], place: usize, sources: &[Source]) -> Others {
        let before = sinks[..place].iter().filter_map(|sink| match &sink.peer {
            Peer::File(file) => Some((sink.of.clone(), file.clone())),
            _ => None,
        });
        Others { sinks: before.collect(), sources: sources.to_vec() }
    }

    /// Who has the file `mine`, as things are on the disk.
    pub(in super::super) fn taken(&self, mine: &settings::File) -> Option<Taken> {
        let shown = mine.path.display();
        let (names, file) = (real_names(mine), identity(&mine.path));
        for (sink, other) in &self.sinks {
            let theirs = real_names(other);
            if names.iter().any(|name| theirs.contains(name))
                || (file.is_some() && identity(&other.path) == file)
            {
                let why = format!("the sink `{sink}` writes `{shown}` too; give each a file of its own");
                return Some(Taken::Written(why));
            }
        }
        let reads = |source: &&Source| {
            let real = Source {
                files: source.files.iter().map(|glob| real_glob(glob)).collect(),
                ..(*source).clone()
            };
            names.iter().any(|name| source.means(name) || real.means(name))
                || file.is_some_and(|file| real.files.iter().any(|glob| finds(&real, glob, file)))
        };
        let source = &self.sources.iter().find(reads)?.name;
        let why = format!(
            "the source `{source}` reads `{shown}`, so each alert would be a new line; write it elsewhere, or name it in `exclude` of the source"
        );
        Some(Taken::Read(why))
    }
}

/// What tells a file from all others.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let facts = std::fs::metadata(path).ok()?;
    Some((facts.dev(), facts.ino()))
}

/// Where the names of a sink lead. A link is renamed itself when a new file is begun.
fn real_names(file: &settings::File) -> Vec<PathBuf> {
    let in_place = |name: PathBuf| real_directory(&name).join(name.file_name().unwrap_or_default());
    std::iter::once(real(&file.path)).chain(file.names().map(in_place)).collect()
}

fn real_directory(path: &Path) -> PathBuf {
    let directory = directory(path);
    std::fs::canonicalize(directory).unwrap_or_else(|_| plain(directory))
}

/// Where a name leads, also if nothing is there yet.
fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        path = real_directory(&path).join(path.file_name().unwrap_or_default());
        match std::fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            Err(_) => break,
        }
    }
    path
}

/// A glob with the links resolved before its first wildcard.
fn real_glob(glob: &Path) -> PathBuf {
    let rest = |path: &Path| glob.strip_prefix(path).map(Path::to_owned).unwrap_or_default();
    match before_wildcards(glob) {
        whole if whole == glob => real(glob),
        first => {
            std::fs::canonicalize(&first).map_or_else(|_| glob.to_owned(), |real| real.join(rest(&first)))
        }
    }
}

fn before_wildcards(glob: &Path) -> PathBuf {
    let is_plain =
        |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    glob.components().take_while(is_plain).collect()
}

/// True if a name that the glob of a source finds is one of the file.
fn finds(source: &Source, glob: &Path, file: (u64, u64)) -> bool {
    let first = before_wildcards(glob);
    if first == glob {
        return source.means(glob) && identity(glob) == Some(file);
    }
    let more = glob.components().count() - first.components().count();
    let deep = if glob.to_string_lossy().contains("**") { DEEPEST } else { more };
    finds_in(source, &first, file, deep)
}

fn finds_in(source: &Source, directory: &Path, file: (u64, u64), deep: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let (path, kind) = (entry.path(), entry.file_type());
        // The number is in the listing: nothing is asked about all the others.
        let is_file = entry.ino() == file.1 && source.means(&path) && identity(&path) == Some(file);
        is_file
            || (deep > 1 && kind.is_ok_and(|kind| kind.is_dir()) && finds_in(source, &path, file, deep - 1))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::config;

    /// A configuration in a directory where `sub` is one, and `link` leads to it.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            let place = Place(tempfile::tempdir().unwrap());
            std::fs::create_dir(place.at("sub")).unwrap();
            symlink(place.at("sub"), place.at("link")).unwrap();
            std::fs::write(place.at("app.log"), "").unwrap();
            place
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Who has the file of the last sink; each is a path and what more is said of it.
        #[track_caller]
        fn check(&self, source: &str, sinks: &[(&str, &str)], expected: Option<&str>) {
            let sinks = sinks.iter().enumerate().map(|(n, (path, lines))| {
                format!("[[sink]]\nname = 's{n}'\ntype = 'file'\npath = '{path}'\n{lines}\n")
            });
            let text = format!("[[source]]\nname = 'app'\nfiles = {source}\n{}", sinks.collect::<String>());
            let text = config::Text { path: self.at("tripline.toml"), text };
            let (found, problems) = config::settings(&text, &TimeZone::UTC);
            let settings = found.unwrap_or_else(|_| panic!("{problems:?}"));
            let last = settings.sinks.len() - 1;
            let Peer::File(file) = &settings.sinks[last].peer else { panic!("another peer") };
            let others = Others::of(&settings.sinks, last, &settings.sources);
            let who = others.taken(file).map(Taken::why);
            assert_eq!(who.is_some(), expected.is_some(), "{who:?}");
            assert!(who.iter().all(|who| expected.is_some_and(|words| who.starts_with(words))), "{who:?}");
            // What is told is what happens.
            let row = super::super::tests::row(1);
            let outcomes = Lines::new(file.clone(), others).write(&[row]);
            let suspends = matches!(outcomes[..], [Outcome::Suspend { .. }]);
            assert_eq!(suspends, expected.is_some(), "{outcomes:?}");
        }
    }

    #[test]
    fn a_file_that_a_source_reads_by_another_name_is_not_written() {
        let read = Some("the source `app` reads `");
        let place = Place::new();
        place.check("['app.log']", &[("alerts.nd", "")], None);
        place.check("['sub/*.nd']", &[("link/a.nd", "")], read);
        place.check("['link/*.nd']", &[("sub/a.nd", "")], read);
        place.check("['link/a.nd']", &[("sub/a.nd", "")], read);
        place.check("['*.log']", &[("link/../app.log", "")], read);
        // Links of the file, as yet without one, and a file with two names.
        symlink("app.log", place.at("alias")).unwrap();
        symlink("sub/new.nd", place.at("dangling")).unwrap();
        std::fs::hard_link(place.at("app.log"), place.at("second")).unwrap();
        place.check("['*.log']", &[("alias", "")], read);
        place.check("['app.log']", &[("second", "")], read);
        place.check("['s*d']", &[("app.log", "")], read);
        place.check("['**/*.log']", &[("second", "")], read);
        place.check("['sub/*.nd']", &[("dangling", "")], read);
        place.check("['*.log']\nexclude = ['app.*']", &[("second", "")], None);
        assert_eq!(std::fs::read_to_string(place.at("sub/new.nd")).ok(), None, "nothing was begun");
    }

    #[test]
    fn of_two_sinks_that_mean_one_file_only_the_first_writes() {
        let written = Some("the sink `s0` writes `");
        let place = Place::new();
        let source = "['app.log']";
        place.check(source, &[("x.nd", ""), ("y.nd", "")], None);
        place.check(source, &[("sub/x.nd", ""), ("link/x.nd", "")], written);
        place.check(source, &[("sub/x.nd", "max_size = '1MiB'\nkeep = 2"), ("link/x.nd.2", "")], written);
        place.check(source, &[("sub/x.nd", "max_size = '1MiB'\nkeep = 2"), ("link/x.nd.3", "")], None);
        place.check(source, &[("sub/x.nd.1", ""), ("link/x.nd", "max_size = '1MiB'")], written);
        std::fs::write(place.at("one.nd"), "").unwrap();
        std::fs::hard_link(place.at("one.nd"), place.at("two.nd")).unwrap();
        place.check(source, &[("one.nd", ""), ("two.nd", "")], written);
    }
}
