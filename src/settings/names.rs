//! Which names of files settings mean.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::{File, Source};

/// What is not taken for itself in a glob.
const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

impl Source {
    /// True if the globs of the source mean this path, as both are written.
    pub fn means(&self, path: &Path) -> bool {
        let path = &plain(path);
        let excluded = |glob: &String| match path.file_name() {
            Some(name) if !glob.contains('/') => fits(glob, Path::new(name)),
            _ => fits(glob, path),
        };
        self.files.iter().any(|file| means(file, path)) && !self.exclude.iter().any(excluded)
    }
}

/// True if a glob means this path, which is as [`plain`] makes it.
pub fn means(glob: &Path, path: &Path) -> bool {
    let glob = plain(glob);
    glob == *path || fits(&glob.to_string_lossy(), path)
}

fn fits(glob: &str, name: &Path) -> bool {
    let glob = GlobBuilder::new(glob).literal_separator(true).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

impl File {
    /// All names that it gives to files: what is written, then what is kept, from the newest on.
    pub fn names(&self) -> impl Iterator<Item = PathBuf> {
        let kept = self.max_size.map_or(0, |_| self.keep);
        std::iter::once(self.path.clone()).chain((1..=kept).map(|n| self.numbered(n)))
    }

    /// The name of the file that was written `n` files ago.
    pub fn numbered(&self, n: usize) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    }
}

/// A glob that means this path and no other, whatever its names hold. One that is not UTF-8 stays as it is: it is no glob.
/// (`globset::escape` leaves a `\` of the name as it is, which then takes the meaning of what follows.)
pub fn literal(path: &Path) -> PathBuf {
    let Some(text) = path.to_str().filter(|text| text.contains(SPECIAL)) else { return path.to_owned() };
    let mut glob = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if SPECIAL.contains(&c) {
            glob.push('\\');
        }
        glob.push(c);
    }
    PathBuf::from(glob)
}

/// The only name that a glob, or a part of one between two `/`, means; `None`: it has a wildcard.
pub fn spelled(glob: &str) -> Option<Cow<'_, str>> {
    if !glob.contains(SPECIAL) {
        return Some(Cow::Borrowed(glob));
    }
    let (mut name, mut rest) = (String::with_capacity(glob.len()), glob.chars());
    while let Some(c) = rest.next() {
        name.push(match c {
            '\\' => rest.next()?,
            ']' | '}' => c,
            c if SPECIAL.contains(&c) => return None,
            c => c,
        });
    }
    Some(Cow::Owned(name))
}

/// A path without `.` and `..` between its parts, as it is without links.
pub fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            // There is nothing above the root.
            Component::ParentDir if plain.has_root() => {}
            part => plain.push(part),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_glob_that_means_it_alone() {
        for path in
            ["/var/log/app.log", "/srv/app[1]/{a,b}*?.log", r"/srv/a\b.log", "/srv/[!a]}]", "/日本.log"]
        {
            let glob = literal(Path::new(path));
            assert!(fits(glob.to_str().unwrap(), Path::new(path)), "{}", glob.display());
            assert_eq!(spelled(glob.to_str().unwrap()).as_deref(), Some(path));
        }
        for glob in ["*.log", "a?", "a[1]", "{a,b}", r"\[*", "a\\"] {
            assert_eq!(spelled(glob), None, "{glob}");
        }
    }
}
