//! How far symbolic links are followed: what was written in a pattern is meant, what was found by one may be anybody's.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where the links of the logs of containers lead: kubelet makes them, also over two steps.
const OF_CONTAINERS: [&str; 2] = ["/var/log/pods", "/var/lib/docker/containers"];
/// Where it makes them.
const HAS_CONTAINERS: [&str; 2] = ["/var/log/containers", "/var/log/pods"];

/// An absolute path, and what of it may be a symbolic link.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// The path.
    pub path: &'a Path,
    /// Of so many components from the root on (itself one) links are followed.
    pub given: usize,
    /// Under these directories a link at the end of the path may lead nevertheless, through no other links, to a name
    /// that ends in `.log`.
    pub into: &'a [&'a str],
}

impl<'a> Reach<'a> {
    /// A path of which everything may be a link.
    pub fn whole(path: &'a Path) -> Reach<'a> {
        Reach { path, given: usize::MAX, into: &[] }
    }

    /// What lies at a path itself, though it may be a link.
    pub(super) fn itself(path: &'a Path) -> Reach<'a> {
        Reach { path, given: 0, into: &[] }
    }

    /// A path of which so many components are given.
    pub(super) fn new(path: &'a Path, given: usize) -> Reach<'a> {
        let is_of_containers = HAS_CONTAINERS.iter().any(|dir| path.starts_with(dir));
        Reach { path, given, into: if is_of_containers { &OF_CONTAINERS } else { &[] } }
    }

    /// Whether a link at the end of the path may be followed.
    pub(super) fn is_followed(&self) -> bool {
        !self.into.is_empty() || self.given >= self.path.components().count()
    }

    /// What of the path may be links, and the rest.
    pub(super) fn split(&self) -> (PathBuf, PathBuf) {
        let mut parts = self.path.components();
        let given: PathBuf = parts.by_ref().take(self.given.max(1)).collect();
        (given, parts.as_path().to_path_buf())
    }

    /// Where a link leads that stands at the end of the path, if it may: a directory, and what lies below it.
    pub(super) fn follow(&self, target: &Path) -> Option<(&'a str, PathBuf)> {
        let is_log = target.extension().is_some_and(|end| end == "log");
        let is_plain = target.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
        let (root, below) =
            self.into.iter().find_map(|root| Some((*root, target.strip_prefix(root).ok()?.to_path_buf())))?;
        (is_log && is_plain).then_some((root, below))
    }
}

/// How many of the components of a path stand in another one, from the root on.
pub(super) fn shared(path: &Path, other: &Path) -> usize {
    path.components().zip(other.components()).take_while(|(one, other)| one == other).count()
}

/// Why a path is not opened.
#[derive(Debug)]
pub(super) struct LinkLeft;

impl std::fmt::Display for LinkLeft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a symbolic link that was found by a wildcard is not followed (`follow_symlinks`)")
    }
}

impl std::error::Error for LinkLeft {}

impl LinkLeft {
    pub(super) fn error() -> io::Error {
        io::Error::other(LinkLeft)
    }

    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<LinkLeft>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a link at this path that leads there is followed to.
    fn check(path: &str, target: &str, expected: Option<(&str, &str)>) {
        let at = Reach::new(Path::new(path), 3);
        let followed = at.follow(Path::new(target));
        assert_eq!(
            followed,
            expected.map(|(root, below)| (root, PathBuf::from(below))),
            "{path} -> {target}"
        );
        assert_eq!(at.is_followed(), path.starts_with("/var/log/"));
    }

    #[test]
    fn links_of_the_logs_of_containers_lead_to_logs_of_containers() {
        let pods = "/var/log/pods";
        let docker = "/var/lib/docker/containers";
        check("/var/log/containers/a.log", "/var/log/pods/p/c/0.log", Some((pods, "p/c/0.log")));
        check(
            "/var/log/pods/p/c/0.log",
            "/var/lib/docker/containers/1/1-json.log",
            Some((docker, "1/1-json.log")),
        );
        check("/var/log/containers/a.log", "/etc/shadow", None);
        check("/var/log/containers/a.log", "/var/lib/docker/containers/1/config.v2.json", None);
        check("/var/log/containers/a.log", "/var/log/pods/../../../etc/a.log", None);
        check("/var/log/containers/a.log", "../pods/p/c/0.log", None);
        check("/var/log/containers/a.log", "/var/log/podsy/0.log", None);
        check("/srv/log/a.log", "/var/log/pods/p/c/0.log", None);
    }

    #[test]
    fn a_path_falls_into_what_is_given_and_what_was_found() {
        let path = Path::new("/a/b/c.log");
        for (given, expected) in [
            (0, ("/", "a/b/c.log")),
            (2, ("/a", "b/c.log")),
            (4, ("/a/b/c.log", "")),
            (9, ("/a/b/c.log", "")),
        ] {
            let (dir, found) = Reach::new(path, given).split();
            assert_eq!((dir.to_str(), found.to_str()), (Some(expected.0), Some(expected.1)));
        }
        assert_eq!(shared(path, Path::new("/a/b/d/e")), 3);
        assert!(Reach::whole(path).is_followed() && !Reach::new(path, 3).is_followed());
    }
}
