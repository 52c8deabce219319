//! Who else can change a file that root believes: whoever can write a rule file decides who is called, and with a sink of type
//! `exec` what is run. As `ssh` does it, such files are refused.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The link that kubelet puts into a mounted ConfigMap, which is writable for all by its mode and for nobody by its mount.
const KUBELET: &str = "..data";

/// What is asked of a file or a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    mode: u32,
    gid: u32,
    /// It is the directory of a ConfigMap that root has mounted.
    mounted: bool,
}

impl Facts {
    fn of(meta: &Metadata) -> Facts {
        Facts { mode: meta.mode(), gid: meta.gid(), mounted: false }
    }

    /// Who besides its owner and root can change it. In a directory with the sticky bit nobody replaces what is not his.
    fn writer(self, is_dir: bool) -> Option<&'static str> {
        match self.mode {
            _ if self.mounted || (is_dir && self.mode & 0o1000 != 0) => None,
            mode if mode & 0o002 != 0 => Some("everybody on this machine"),
            mode if mode & 0o020 != 0 && self.gid != 0 => Some("its group"),
            _ => None,
        }
    }
}

/// Why a file that was opened is not to be believed by root, as a sentence with the way out; `None`: it is, or somebody
/// else asks.
pub(super) fn exposed(path: &Path, opened: &File) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let file = opened.metadata().ok()?;
    if let Some(who) = Facts::of(&file).writer(false) {
        return Some(sentence(path, who, path));
    }
    // The name it was found by, and the one it has.
    let real = path.canonicalize().ok()?;
    let found = std::path::absolute(path).ok()?;
    let dirs = found.ancestors().skip(1).chain(real.ancestors().skip(1));
    dirs.into_iter().find_map(|dir| {
        let who = facts(dir).ok()?.writer(true)?;
        Some(sentence(path, who, dir))
    })
}

fn facts(dir: &Path) -> io::Result<Facts> {
    let link = std::fs::symlink_metadata(dir.join(KUBELET));
    let mounted = link.is_ok_and(|link| link.is_symlink() && link.uid() == 0);
    Ok(Facts { mounted, ..Facts::of(&std::fs::metadata(dir)?) })
}

fn sentence(path: &Path, who: &str, by: &Path) -> String {
    let by = by.display();
    format!(
        "`{}` can be changed by {who}, and tripline runs as root: `chmod go-w {by}`, or run it as a user of its own",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modes of a file and of a directory, with the group of root and another one.
    #[test]
    fn who_can_change_it_is_told_by_its_mode() {
        for (mode, gid, of_file, of_dir) in [
            (0o644, 7, None, None),
            (0o600, 7, None, None),
            (0o640, 7, None, None),
            (0o664, 7, Some("its group"), Some("its group")),
            (0o664, 0, None, None),
            (0o620, 7, Some("its group"), Some("its group")),
            (0o646, 7, Some("everybody on this machine"), Some("everybody on this machine")),
            (0o666, 0, Some("everybody on this machine"), Some("everybody on this machine")),
            (0o755, 7, None, None),
            (0o775, 7, Some("its group"), Some("its group")),
            (0o777, 0, Some("everybody on this machine"), Some("everybody on this machine")),
            (0o1777, 0, Some("everybody on this machine"), None),
            (0o1775, 7, Some("its group"), None),
        ] {
            let facts = Facts { mode, gid, mounted: false };
            assert_eq!((facts.writer(false), facts.writer(true)), (of_file, of_dir), "{mode:o} {gid}");
            assert_eq!(Facts { mounted: true, ..facts }.writer(true), None);
        }
    }
}
