//! Which names of files settings mean.

use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::{File, Source};

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
