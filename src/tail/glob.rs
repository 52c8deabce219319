//! Which names a source means: globs walked component by component, so that a directory is listed only if a
//! pattern still leads through it, and a name without wildcards is asked for without any listing.
//!
//! `*` and `?` never cross a `/`, match leading dots, and `**` stands for any number of directories; it does not
//! go through symbolic links, so no loop of links is ever walked. Behind the first wildcard no other part of a pattern
//! does, unless the source says so.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::disk::{Disk, Facts, Fault, Kind};
use super::reach::{Reach, shared};
use super::siblings::Siblings;
use crate::model::SourceName;
use crate::settings::{Source, spelled};

/// How many patterns the alternatives of one pattern may become when they hold a `/`.
const MAX_ALTERNATIVES: usize = 1024;

/// The names of a source, as patterns.
#[derive(Debug)]
pub(crate) struct Globs {
    patterns: Vec<Vec<Step>>,
    leave_names: Vec<GlobMatcher>,
    leave_paths: Vec<GlobMatcher>,
    /// What stands before the first wildcard of each pattern.
    given: Vec<PathBuf>,
    follow_links: bool,
}

/// One component of a pattern.
#[derive(Debug)]
enum Step {
    Literal(OsString),
    Pattern(GlobMatcher),
    Deep,
}

/// Where a walk stands: (pattern, component).
type Place = (usize, usize);

/// Listings of one sweep: each directory is listed once, whatever asks for it.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    entries: BTreeMap<(PathBuf, usize), Listing>,
    /// Nobody else will ask for what is listed now: all of it at once would be as much as is kept of all files.
    pub(super) passing: bool,
    /// Where contents lie, in directories in which one was looked for.
    pub(super) siblings: BTreeMap<(SourceName, PathBuf), Rc<Siblings>>,
}

/// The entries of a directory, by name.
type Listing = Result<Rc<BTreeMap<OsString, Kind>>, Fault>;

impl Listings {
    /// The entries of `dir`, from the disk if nobody asked before who may follow as many links.
    pub(crate) fn get<D: Disk>(&mut self, disk: &mut D, dir: Reach<'_>) -> Listing {
        let key = (dir.path.to_path_buf(), dir.given.min(dir.path.components().count()));
        if let Some(known) = self.entries.get(&key) {
            return known.clone();
        }
        let listing =
            disk.list(dir).map(|entries| Rc::new(entries.into_iter().collect())).map_err(Fault::from);
        if !self.passing {
            self.entries.insert(key, listing.clone());
        }
        listing
    }

    /// The next who asks gets it from the disk.
    pub(crate) fn forget(&mut self, dir: &Path) {
        self.entries.retain(|(known, _), _| known != dir);
    }
}

/// What a walk came upon.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Names that fit, in their order; whether there is a file behind one only a stat can tell.
    pub(crate) names: Vec<PathBuf>,
    /// Directories that could not be listed, though they may exist.
    pub(crate) blind: BTreeMap<PathBuf, Fault>,
    /// Links to directories, and directories behind links, through which a pattern would lead if links were followed.
    pub(crate) links: BTreeSet<PathBuf>,
    /// Directories in which a change of names matters.
    pub(crate) dirs: BTreeSet<PathBuf>,
    /// A name is a link that is followed.
    pub(crate) linked: bool,
}

impl Globs {
    /// A pattern that is no valid glob is taken as the plain path it spells; a bad exclusion excludes nothing.
    pub(crate) fn new(source: &Source) -> Globs {
        let mut leave_names = Vec::new();
        let mut leave_paths = Vec::new();
        for text in &source.exclude {
            if let Some(matcher) = matcher(text) {
                if text.contains('/') { leave_paths.push(matcher) } else { leave_names.push(matcher) }
            }
        }
        let patterns: Vec<Vec<Step>> = source.files.iter().flat_map(|pattern| steps(pattern)).collect();
        let given = patterns.iter().map(|steps| given(steps)).collect();
        Globs { patterns, leave_names, leave_paths, given, follow_links: source.follow_symlinks }
    }

    /// Every name that fits now.
    pub(crate) fn walk<D: Disk>(&self, disk: &mut D, listings: &mut Listings) -> Found {
        let mut found = Found::default();
        let start = (0..self.patterns.len()).map(|pattern| (pattern, 0)).collect();
        self.descend(disk, listings, Path::new("/"), start, &mut found);
        found.names.retain(|name| !self.left_out(name));
        found.names.sort_unstable();
        found.names.dedup();
        found
    }

    /// Whether a path is one of the names, whatever lies there.
    pub(crate) fn fit(&self, path: &Path) -> bool {
        let names: Vec<&OsStr> = path
            .components()
            .filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
            .collect();
        let Some((last, dirs)) = names.split_last() else { return false };
        let mut places: BTreeSet<Place> = (0..self.patterns.len()).map(|pattern| (pattern, 0)).collect();
        for name in dirs {
            places = self.open(&places).into_iter().flat_map(|at| self.through(at, name)).collect();
        }
        self.open(&places).into_iter().any(|at| self.ends_with(at, last)) && !self.left_out(path)
    }

    /// How far links are followed to a path: as far as it was written so, or all of it.
    pub(crate) fn reach<'a>(&self, path: &'a Path) -> Reach<'a> {
        if self.follow_links {
            return Reach::whole(path);
        }
        Reach::new(path, self.given.iter().map(|given| shared(path, given)).max().unwrap_or(0))
    }

    fn left_out(&self, path: &Path) -> bool {
        let name = path.file_name().map_or(path, Path::new);
        self.leave_names.iter().any(|glob| glob.is_match(name))
            || self.leave_paths.iter().any(|glob| glob.is_match(path))
    }

    fn step(&self, (pattern, at): Place) -> Option<&Step> {
        self.patterns.get(pattern)?.get(at)
    }

    fn is_last(&self, (pattern, at): Place) -> bool {
        self.patterns.get(pattern).is_some_and(|steps| at + 1 == steps.len())
    }

    /// The places, with those that are reached by letting a `**` stand for nothing.
    fn open(&self, places: &BTreeSet<Place>) -> BTreeSet<Place> {
        let mut all = BTreeSet::new();
        for &(pattern, at) in places {
            let mut at = at;
            all.insert((pattern, at));
            while matches!(self.step((pattern, at)), Some(Step::Deep)) && !self.is_last((pattern, at)) {
                at += 1;
                all.insert((pattern, at));
            }
        }
        all
    }

    /// The place behind a directory of that name.
    fn through(&self, place: Place, name: &OsStr) -> Option<Place> {
        let (pattern, at) = place;
        let next = match self.step(place)? {
            Step::Deep => return Some(place),
            _ if self.is_last(place) => return None,
            Step::Literal(literal) => literal == name,
            Step::Pattern(glob) => glob.is_match(Path::new(name)),
        };
        next.then_some((pattern, at + 1))
    }

    fn ends_with(&self, place: Place, name: &OsStr) -> bool {
        self.is_last(place)
            && match self.step(place) {
                Some(Step::Literal(literal)) => literal == name,
                Some(Step::Pattern(glob)) => glob.is_match(Path::new(name)),
                Some(Step::Deep) => true,
                None => false,
            }
    }

    fn descend<D: Disk>(
        &self,
        disk: &mut D,
        listings: &mut Listings,
        dir: &Path,
        places: BTreeSet<Place>,
        found: &mut Found,
    ) {
        let mut below: BTreeMap<OsString, BTreeSet<Place>> = BTreeMap::new();
        let mut listing = None;
        for place in self.open(&places) {
            if let Some(Step::Literal(name)) = self.step(place) {
                if self.is_last(place) {
                    found.dirs.insert(dir.to_path_buf());
                    let path = dir.join(name);
                    let is_link = |facts: Facts| facts.kind == Kind::Link;
                    found.linked |= disk.stat_path(Reach::itself(&path)).is_ok_and(is_link);
                    found.names.push(path);
                } else {
                    below.entry(name.clone()).or_default().extend(self.through(place, name));
                }
                continue;
            }
            found.dirs.insert(dir.to_path_buf());
            let entries = match listing.get_or_insert_with(|| listings.get(disk, self.reach(dir))) {
                Ok(entries) => entries,
                Err(fault) => {
                    if fault.link {
                        found.links.insert(dir.to_path_buf());
                    } else if !fault.absent {
                        found.blind.insert(dir.to_path_buf(), fault.clone());
                    }
                    continue;
                }
            };
            let deep = matches!(self.step(place), Some(Step::Deep));
            for (name, kind) in entries.iter() {
                if self.ends_with(place, name) && !(deep && *kind == Kind::Dir) {
                    let path = exactly(dir, name);
                    found.linked |= *kind == Kind::Link && self.reach(&path).is_followed();
                    found.names.push(path);
                }
                let leads_on = *kind == Kind::Dir || (*kind == Kind::Link && !deep);
                let Some(next) = self.through(place, name).filter(|_| leads_on) else { continue };
                if *kind == Kind::Link {
                    let path = dir.join(name);
                    if self.reach(&path).given < path.components().count() {
                        let is_dir = |facts: Facts| facts.kind == Kind::Dir;
                        if disk.stat_path(Reach::whole(&path)).is_ok_and(is_dir) {
                            found.links.insert(path);
                        }
                        continue;
                    }
                }
                below.entry(name.clone()).or_default().insert(next);
            }
        }
        for (name, places) in below {
            self.descend(disk, listings, &dir.join(name), places, found);
        }
    }
}

/// A name in a directory, in no more memory than it takes: there may be many.
fn exactly(dir: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::with_capacity(dir.as_os_str().len() + 1 + name.len());
    path.push(dir);
    path.push(name);
    path
}

/// What a pattern says before its first wildcard.
fn given(steps: &[Step]) -> PathBuf {
    let names = steps.iter().map_while(|step| if let Step::Literal(name) = step { Some(name) } else { None });
    std::iter::once(OsStr::new("/")).chain(names.map(OsString::as_os_str)).collect()
}

fn matcher(text: &str) -> Option<GlobMatcher> {
    let glob: Glob = GlobBuilder::new(text).literal_separator(true).build().ok()?;
    Some(glob.compile_matcher())
}

/// The components of a pattern; several times if its alternatives hold a `/`.
fn steps(pattern: &Path) -> Vec<Vec<Step>> {
    let plain = || vec![literals(pattern)];
    let Some(text) = pattern.to_str() else { return plain() };
    if !text.contains(['*', '?', '[', '{', '\\']) {
        return plain();
    }
    let mut whole = vec![text.to_owned()];
    while let Some(at) = whole.iter().position(|text| crossing_braces(text).is_some()) {
        let text = whole.remove(at);
        let Some((from, to)) = crossing_braces(&text) else { continue };
        for alternative in alternatives(&text[from + 1..to]) {
            whole.push(format!("{}{alternative}{}", &text[..from], &text[to + 1..]));
        }
        if whole.len() > MAX_ALTERNATIVES {
            return plain();
        }
    }
    let compiled: Option<Vec<Vec<Step>>> = whole.iter().map(|text| compile(text)).collect();
    compiled.unwrap_or_else(plain)
}

fn compile(text: &str) -> Option<Vec<Step>> {
    text.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| match spelled(part) {
            _ if part == "**" => Some(Step::Deep),
            Some(name) => Some(Step::Literal(name.into_owned().into())),
            None => matcher(part).map(Step::Pattern),
        })
        .collect()
}

fn literals(path: &Path) -> Vec<Step> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(Step::Literal(name.to_owned())),
            Component::ParentDir => Some(Step::Literal("..".into())),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}

/// The first outermost `{…}` that holds a `/`: such a pattern has no components of its own.
fn crossing_braces(text: &str) -> Option<(usize, usize)> {
    let (mut depth, mut from, mut escaped) = (0usize, 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => {
                if depth == 0 {
                    from = at;
                }
                depth += 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 && text[from..at].contains('/') {
                    return Some((from, at));
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts between the outermost commas.
fn alternatives(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut escaped) = (0usize, 0, false);
    let mut parts = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::bench::source;
    use super::super::fake::{Call, FakeDisk};
    use super::*;

    /// Walks `patterns` over a tree and compares what fits and which directories were listed.
    fn check(patterns: &[&str], exclude: &[&str], fits: &[&str], listed: &[&str]) {
        let mut disk = FakeDisk::new();
        for path in [
            "/log/a.log",
            "/log/a.log.1",
            "/log/.b.log",
            "/log/app/x/c.log",
            "/log/app/y/d.log",
            "/log/n[1]/f.log",
            "/etc/e.log",
        ] {
            disk.append(Path::new(path), b"").unwrap();
        }
        disk.symlink(Path::new("/log"), Path::new("/log/app/loop")).unwrap();
        let mut source = source("s", patterns);
        source.follow_symlinks = true;
        source.exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
        let globs = Globs::new(&source);
        let mut listings = Listings::default();
        let found = globs.walk(&mut disk, &mut listings);
        let names: Vec<&str> = found.names.iter().filter_map(|name| name.to_str()).collect();
        assert_eq!(names, fits, "{patterns:?}");
        let dirs: Vec<&str> = listings.entries.keys().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(dirs, listed, "{patterns:?}");
        for name in &found.names {
            assert!(globs.fit(name), "{}", name.display());
        }
        assert!(!globs.fit(Path::new("/etc/e.log")));
    }

    #[test]
    fn a_walk_finds_what_fits_and_lists_only_what_it_must() {
        check(&["/log/a.log"], &[], &["/log/a.log"], &[]);
        check(&["/log/*.log"], &[], &["/log/.b.log", "/log/a.log"], &["/log"]);
        check(&["/log/a.log*"], &["*.1"], &["/log/a.log"], &["/log"]);
        check(
            &["/log/app/*/*.log"],
            &["/log/app/y/**", ".*"],
            &["/log/app/loop/a.log", "/log/app/x/c.log"],
            &["/log/app", "/log/app/loop", "/log/app/x", "/log/app/y"],
        );
        check(
            &["/log/app/**/*.log"],
            &[],
            &["/log/app/x/c.log", "/log/app/y/d.log"],
            &["/log/app", "/log/app/x", "/log/app/y"],
        );
        check(&["/log/{app/x/c,a}.log"], &[], &["/log/a.log", "/log/app/x/c.log"], &[]);
        check(&[r"/log/n\[1\]/f.log"], &[], &["/log/n[1]/f.log"], &[]);
        check(&["/log/n[1]/f.log"], &[], &[], &["/log"]);
        check(
            &["/log/app/{x,y}/?.log"],
            &["c.*"],
            &["/log/app/y/d.log"],
            &["/log/app", "/log/app/x", "/log/app/y"],
        );
        check(&["/absent/*/x.log"], &[], &[], &["/absent"]);
        check(&["/log/a[.log"], &[], &["/log/a[.log"], &[]);
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_blind_and_an_absent_one_is_not() {
        let mut disk = FakeDisk::new();
        disk.append(Path::new("/log/a.log"), b"").unwrap();
        disk.fail(Call::List, Some(Path::new("/log")), rustix::io::Errno::ACCESS.raw_os_error());
        let globs = Globs::new(&source("s", &["/log/*.log", "/absent/*.log"]));
        let found = globs.walk(&mut disk, &mut Listings::default());
        assert!(found.names.is_empty());
        assert_eq!(found.blind.into_keys().collect::<Vec<_>>(), [PathBuf::from("/log")]);
    }
}
