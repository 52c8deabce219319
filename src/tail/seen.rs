//! What one sweep saw of the names of a source.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::Tail;
use super::disk::{Disk, Fault, Kind};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Locator;

/// The names of one source, as one sweep saw them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Names of regular files.
    pub(super) names: FileNames,
    /// Names and directories that could not be looked at.
    pub(super) blind: BTreeMap<PathBuf, Fault>,
    /// What is left alone, and what it is.
    pub(super) odd: BTreeMap<PathBuf, Kind>,
    /// A name is a link that is followed: what it leads to may change where nobody looks.
    pub(super) linked: bool,
}

/// The names of regular files: as many as there are files, at each sweep, so in few pieces of memory.
#[derive(Debug, Default)]
pub(super) struct FileNames {
    /// By path.
    all: Vec<Name>,
    /// Their places in `all`, by content, and those of one content by path.
    by_locator: Vec<u32>,
}

/// A name, what lies there, and how it was.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) path: PathBuf,
    pub(super) locator: Locator,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
}

impl FileNames {
    /// `all` in the order of their paths.
    pub(super) fn new(all: Vec<Name>) -> FileNames {
        let mut by_locator: Vec<u32> = (0..all.len()).filter_map(|place| u32::try_from(place).ok()).collect();
        by_locator.sort_by(|one, other| all[*one as usize].locator.cmp(&all[*other as usize].locator));
        FileNames { all, by_locator }
    }

    /// All of them, by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Name> {
        self.all.iter()
    }

    /// What lies at a path.
    pub(super) fn at(&self, path: &Path) -> Option<&Locator> {
        let place = self.all.binary_search_by(|name| name.path.as_path().cmp(path)).ok()?;
        Some(&self.all[place].locator)
    }

    /// The names of a content, in their order.
    pub(super) fn of(&self, locator: &Locator) -> impl Iterator<Item = &Name> {
        let name = |place: &u32| &self.all[*place as usize];
        let first = self.by_locator.partition_point(|place| name(place).locator < *locator);
        self.by_locator[first..].iter().map(name).take_while(|name| name.locator == *locator)
    }
}

impl Seen {
    /// Whether it is unknown what lies at `path`.
    pub(super) fn is_blind(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.blind.contains_key(above))
    }
}

/// The files of a source by the digests of all names they are known to have had: made anew in each sweep in which
/// something is new, so it copies none of them.
#[derive(Debug)]
pub(super) struct Named {
    source: SourceName,
    /// In their order.
    ids: Vec<(u64, FileId)>,
    /// Files from this number on are not among them.
    next: u64,
}

impl Named {
    /// Of a source that is seen for the first time: nothing is a copy of what was read.
    pub(super) fn nothing(source: &SourceName) -> Named {
        Named { source: source.clone(), ids: Vec::new(), next: u64::MAX }
    }

    /// The files that had this name. By a chance in many billions others too: what they hold decides.
    pub(super) fn of<'a>(&'a self, name: &Path) -> impl Iterator<Item = FileId> + use<'a> {
        let digest = digest(name);
        let first = self.ids.partition_point(|(other, _)| *other < digest);
        self.ids[first..].iter().take_while(move |(other, _)| *other == digest).map(|(_, id)| *id)
    }
}

fn digest(name: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.as_os_str().hash(&mut hasher);
    hasher.finish()
}

impl<D: Disk> Tail<D> {
    /// The files of a source by their names.
    pub(super) fn named(&self, source: &SourceName) -> Named {
        let mut ids = Vec::new();
        for (id, file) in self.files.iter().filter(|(_, file)| file.source == *source) {
            ids.extend(file.names().map(|name| (digest(name), *id)));
        }
        for (id, file) in self.resting.iter().filter(|(_, file)| file.source == *source) {
            ids.extend(file.names().map(|name| (digest(name), id)));
        }
        ids.sort_unstable();
        Named { source: source.clone(), ids, next: self.next_file }
    }

    /// Takes in what is followed since.
    pub(super) fn bring_up(&self, named: &mut Named) {
        let new = std::mem::replace(&mut named.next, self.next_file)..self.next_file;
        let new = new.filter_map(|number| Some((FileId(number), self.files.get(&FileId(number))?)));
        for (id, file) in new.filter(|(_, file)| file.source == named.source) {
            for row in file.names().map(|name| (digest(name), id)) {
                let at = named.ids.partition_point(|other| *other < row);
                named.ids.insert(at, row);
            }
        }
    }
}
