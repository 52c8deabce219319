//! What tails do with symbolic links: those that a user wrote, and those that anybody made.

use std::path::Path;
use std::time::Duration;

use super::bench::{Bench, source};
use super::fake::FakeDisk;
use crate::settings::Source;

/// A tail over a disk, with an engine that writes down what it is told.
struct Links {
    disk: FakeDisk,
    bench: Bench<FakeDisk>,
}

impl Links {
    fn new(patterns: &[&str], follow_symlinks: bool) -> Links {
        let bench = Bench::new(vec![Source { follow_symlinks, ..source("s", patterns) }]);
        let mut links = Links { disk: FakeDisk::new(), bench };
        links.start();
        links.told(&[]);
        links
    }

    fn start(&mut self) {
        self.bench.start(self.disk.clone());
    }

    fn add(&self, path: &str, text: &str) {
        self.disk.append(Path::new(path), text.as_bytes()).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        drop(self.disk.unlink(Path::new(path)));
        self.disk.symlink(Path::new(target), Path::new(path)).unwrap();
    }

    /// What is told within the next second.
    #[track_caller]
    fn told(&mut self, expected: &[&str]) {
        self.bench.now = self.bench.now.plus(Duration::from_secs(1));
        self.bench.round();
        assert_eq!(std::mem::take(&mut self.bench.told), expected);
    }
}

#[test]
fn case_32_a_link_that_leads_elsewhere_is_another_content_and_the_old_one_is_drained() {
    for (pattern, follow) in [("/d/cur.log", false), ("/d/*.log", true)] {
        let mut links = Links::new(&[pattern], follow);
        links.add("/t/1", "1\n");
        links.add("/t/2", "2\n");
        links.link("/d/cur.log", "/t/1");
        links.told(&["open 1 cur.log at 0", "1:1"]);
        links.link("/d/cur.log", "/t/2");
        links.add("/t/1", "late\n");
        links.told(&["replaced 1", "open 2 cur.log at 0", "1:late", "2:2"]);
        links.link("/d/cur.log", "/t/nothing");
        links.told(&["gone 2"]);
    }
}

#[test]
fn case_32_a_link_that_a_wildcard_finds_is_told_once_and_left_alone() {
    let mut links = Links::new(&["/d/*.log"], false);
    links.add("/etc/shadow", "secret\n");
    links.link("/d/x.log", "/etc/shadow");
    links.link("/d/nowhere.log", "/nowhere");
    links.add("/d/a.log", "1\n");
    links.told(&["open 1 a.log at 0", "link nowhere.log", "link x.log", "1:1"]);
    links.told(&[]);
    // A followed file that becomes a link is gone.
    links.link("/d/a.log", "/etc/shadow");
    links.told(&["gone 1", "link a.log"]);
    // And one that becomes a file is followed.
    links.disk.unlink(Path::new("/d/x.log")).unwrap();
    links.add("/d/x.log", "2\n");
    links.told(&["open 2 x.log at 0", "2:2"]);
}

#[test]
fn case_32_directories_are_gone_through_where_they_are_written() {
    for (pattern, expected) in [
        // Written before the first wildcard, in a pattern and in a plain path.
        ("/link/a.log", &["open 1 a.log at 0", "1:a"][..]),
        ("/link/*.log", &["open 1 a.log at 0", "1:a"]),
        // Found by one, written behind one.
        ("/*/a.log", &["open 1 a.log at 0", "link link", "1:a"]),
        ("/*/link/*.log", &["link link", "link link"]),
        ("/*/link/a.log", &["link a.log", "link link"]),
        ("/d/**/a.log", &[]),
    ] {
        let mut links = Links::new(&[pattern], false);
        links.link("/link", "/real");
        links.link("/d/link", "/real");
        links.add("/real/a.log", "a\n");
        links.told(expected);
        links.told(&[]);
    }
}

#[test]
fn case_32_the_links_that_kubelet_makes_are_followed_to_where_they_may_lead() {
    let mut links = Links::new(&["/var/log/containers/*.log"], false);
    links.add("/var/log/pods/p/c/0.log", "1\n");
    links.add("/var/lib/docker/containers/7/7-json.log", "2\n");
    links.add("/var/lib/docker/containers/7/config.v2.json", "secret\n");
    links.add("/etc/shadow.log", "secret\n");
    links.link("/var/log/containers/a.log", "/var/log/pods/p/c/0.log");
    // Of a runtime that has its logs elsewhere: over two links.
    links.link("/var/log/pods/q/c/0.log", "/var/lib/docker/containers/7/7-json.log");
    links.link("/var/log/containers/b.log", "/var/log/pods/q/c/0.log");
    for (name, target) in [
        ("c", "/etc/shadow.log"),
        ("d", "/var/lib/docker/containers/7/config.v2.json"),
        ("e", "/var/log/pods/r/0.log"),
    ] {
        links.link(&format!("/var/log/containers/{name}.log"), target);
    }
    // What a pod may do with its own directory.
    links.link("/var/log/pods/r", "/etc");
    links.add("/etc/0.log", "secret\n");
    links.told(&[
        "open 1 a.log at 0", "open 2 b.log at 0", "link c.log", "link d.log", "link e.log", "1:1", "2:2",
    ]);
    links.told(&[]);
}

#[test]
fn case_32_a_file_that_was_read_behind_a_link_is_not_lost_when_links_are_no_longer_followed() {
    for (pattern, link, target) in [("/d/*.log", "/d/a.log", "/t/1.log"), ("/d/*/*.log", "/d/link", "/t")] {
        let mut links = Links::new(&[pattern], true);
        links.add("/t/1.log", "1\n");
        links.link(link, target);
        let name = if link == "/d/link" { "1.log" } else { "a.log" };
        links.told(&[&format!("open 1 {name} at 0"), "1:1"]);
        links.add("/t/1.log", "2\n");
        links.bench.sources[0].follow_symlinks = false;
        links.start();
        let blind = format!("blind 1 {name}: a symbolic link that was found by a wildcard is not followed");
        let left = format!("link {}", link.rsplit('/').next().unwrap());
        links.told(&[&blind, &left]);
        links.told(&[]);
        links.bench.sources[0].follow_symlinks = true;
        links.start();
        links.told(&[&format!("open 1 {name} at 2"), "1:2"]);
    }
}

#[test]
fn what_the_process_itself_writes_to_is_left_alone_under_every_name() {
    let mut links = Links::new(&["/d/*.log"], false);
    links.add("/d/own.log", "1\n");
    links.add("/d/a.log", "1\n");
    links.disk.make_own(Path::new("/d/own.log")).unwrap();
    links.told(&["open 1 a.log at 0", "own own.log", "1:1"]);
    links.add("/d/own.log", "2\n");
    links.told(&[]);
    // It is rotated, and written on; what has its name now is another file, until the process begins anew.
    links.disk.rename(Path::new("/d/own.log"), Path::new("/d/own.log.1")).unwrap();
    links.add("/d/own.log", "3\n");
    links.told(&["open 2 own.log at 0", "2:3"]);
    links.disk.make_own(Path::new("/d/own.log")).unwrap();
    links.start();
    links.told(&["end 2", "open 1 a.log at 2", "own own.log"]);
}
