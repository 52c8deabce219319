//! Records that go on in another content: a log is one, wherever rotation cut it.
//!
//! Of a source whose lines are joined, every file keeps what it has offered and scanning has not consumed. The first
//! block of its successor begins with that, so that a record goes on there, and what scanning consumes moves both
//! positions at once. Until then neither moves, so a crash reads both again.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::copies::originals;
use super::disk::Disk;
use super::evidence::{NEAR, ReadAt, fetch};
use super::missed::is_rotation_of;
use super::{Followed, Tail, Watched};
use crate::model::{Encoding, FileId, Position, SourceName, Timestamp};

impl<D: Disk> Tail<D> {
    /// Finds out what had the names of files before them, for those of which nothing is consumed yet.
    pub(super) fn link(&mut self) {
        let mut new = std::mem::take(&mut self.unlinked);
        new.retain(|id| {
            let file = self.files.get(id).filter(|file| !file.ended && file.progress.position == 0);
            file.is_some_and(|file| self.sources.get(&file.source).is_some_and(Watched::joins))
        });
        if new.is_empty() {
            return;
        }
        let joining: BTreeSet<SourceName> =
            new.iter().filter_map(|id| Some(self.files.get(id)?.source.clone())).collect();
        self.rouse_all(|file| joining.contains(&file.source));
        let old = self.files.iter().filter(|(_, file)| !file.ended && file.has_moved());
        let old: Vec<FileId> = old.map(|(id, _)| *id).collect();
        for id in new {
            let Some(file) = self.files.get(&id) else { continue };
            // Beside one another stand `app-1.log` and `app-2.log`, which are parts of nothing if there is no `app`.
            let is_known = |name: &PathBuf| {
                let mut mine = self.files.values().filter(|other| other.source == file.source);
                mine.any(|other| other.names().any(|known| known == name))
            };
            let mut names = logs(&file.path);
            names.retain(is_known);
            let others = old.iter().filter_map(|other| Some((*other, self.files.get(other)?)));
            let others = others.filter(|(other, before)| {
                let earlier = match (before.born, file.born) {
                    (Some(before), Some(born)) => (before, *other) < (born, id),
                    _ => *other < id,
                };
                *other != id && before.source == file.source && earlier && before.had_one_of(&names)
            });
            let Some((nearest, _)) = others.max_by_key(|(other, before)| (before.born, *other)) else {
                continue;
            };
            if let Some(file) = self.files.get_mut(&id) {
                file.before = Some(nearest);
            }
            if let Some(before) = self.files.get_mut(&nearest) {
                before.after = Some(id);
            }
        }
    }

    /// True if a file is not to be read yet: what had its name before is not read to its end, and may go on here.
    pub(super) fn waits(&self, id: FileId) -> bool {
        let file = self.files.get(&id).filter(|file| file.progress.position == 0);
        let before = file.and_then(|file| self.files.get(&file.before?));
        before.is_some_and(|before| {
            let unseen =
                before.handle.is_none() && !before.parked && before.fault.is_none() && !before.leftover;
            !before.ended && (before.wants() || unseen)
        })
    }

    /// Puts the record that may go on in this file at the beginning of `buf`, if there is one: where it begins, and how
    /// long it is. The outer `None`: the file can not be read yet.
    pub(super) fn carry(&self, id: FileId, buf: &mut [u8]) -> Option<Option<(Position, usize)>> {
        let file = self.files.get(&id)?;
        let before = file.before.filter(|_| file.progress.read_from() == 0);
        let Some((at, before)) = before.and_then(|at| Some((at, self.files.get(&at)?))) else {
            return Some(None);
        };
        if self.waits(id) || self.turns_out.contains(&at) {
            return None;
        }
        let rest = Some(&before.rest).filter(|rest| self.may_go_on(before) && rest.len() < buf.len());
        Some(rest.map(|rest| {
            buf[..rest.len()].copy_from_slice(rest);
            (Position { file: at, offset: before.progress.position }, rest.len())
        }))
    }

    /// True if what is left of a file may go on in another one: a line that has not ended does not, nor does a record in
    /// a third file.
    fn may_go_on(&self, file: &Followed<D::File>) -> bool {
        let first =
            file.before.filter(|_| file.progress.position == 0).and_then(|first| self.files.get(&first));
        let begins_here = first.is_none_or(|first| !self.may_go_on(first));
        // What begins with a mark of its own is another text.
        let said = self.sources.get(&file.source).and_then(|watched| watched.settings.encoding);
        let (encoding, _) = Encoding::of(said, file.evidence.start());
        let whole = encoding == Encoding::Utf8 && file.rest.ends_with(b"\n");
        !file.ended && file.progress.at_end() && whole && begins_here
    }

    /// True if what is left of a file may go on in its successor, of which something is there and nothing is consumed.
    pub(super) fn holds(&self, id: FileId) -> bool {
        // Few have a successor: the rest is asked of those.
        let Some((file, after)) = self.files.get(&id).and_then(|file| Some((file, file.after?))) else {
            return false;
        };
        let goes_on = |after: &Followed<D::File>| {
            !after.ended && after.handle.is_some() && after.progress.position == 0 && after.progress.size > 0
        };
        self.files.get(&after).is_some_and(|after| goes_on(after)) && self.may_go_on(file)
    }

    /// Scanning consumed so many bytes of a file's rest where they went on.
    pub(super) fn went_on(&mut self, id: FileId, bytes: usize, now: Timestamp) {
        let Some(file) = self.files.get_mut(&id).filter(|file| !file.ended) else { return };
        let bytes = bytes.min(file.rest.len());
        file.evidence.took(file.progress.position, &file.rest[..bytes]);
        file.progress.went_on(bytes);
        file.rest.drain(..bytes);
        self.settle(id, now);
    }

    /// The bytes of a content are gone. What was kept of it is read for the last time.
    pub(super) fn lose_bytes(&mut self, id: FileId) {
        let Some(file) = self.files.get_mut(&id) else { return };
        if file.rest.is_empty() {
            return self.end_remembered(id);
        }
        file.leftover = true;
        file.handle = None;
        self.schedule.remove(&(file.due, id));
        self.refresh(id);
    }
}

impl<F> Followed<F> {
    /// Bytes up to which nothing is lost if the file is gone.
    pub(super) fn kept_to(&self) -> u64 {
        self.progress.position + self.rest.len() as u64
    }

    /// Bytes that were seen to be there and are lost if the file is gone.
    pub(super) fn unread_if_gone(&self) -> u64 {
        self.progress.size.saturating_sub(self.kept_to())
    }

    /// Whether the last bytes of what is kept are still there.
    pub(super) fn rest_holds(&self, read: impl ReadAt) -> io::Result<bool> {
        let near = &self.rest[self.rest.len().saturating_sub(NEAR)..];
        let mut read = read;
        Ok(near.is_empty() || fetch(&mut read, self.kept_to() - near.len() as u64, near.len())? == near)
    }

    /// True if another file may have its name now.
    fn has_moved(&self) -> bool {
        self.progress.gone.is_some() || !self.former.is_empty() || rotated_from(&self.path).next().is_some()
    }

    /// True if it had one of these names, and has it no more.
    fn had_one_of(&self, names: &BTreeSet<PathBuf>) -> bool {
        let left = self.progress.gone.is_some() && names.contains(&*self.path);
        let former = self.former.iter().any(|name| names.contains(&**name));
        left || former || rotated_from(&self.path).any(|name| names.contains(&name))
    }
}

/// The names that a file may have had before it was rotated to this one.
fn rotated_from(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    originals(path).filter(|original| is_rotation_of(path, original))
}

/// The names of the log that a file is a part of.
fn logs(path: &Path) -> BTreeSet<PathBuf> {
    rotated_from(path).chain([path.to_path_buf()]).collect()
}

#[rustfmt::skip] // Steps read as a sentence.
#[cfg(test)]
mod tests {
    use super::super::bench::source;
    use super::super::cases::Step::*;
    use super::super::cases::{Step, check_source};
    use crate::rule::Preset;

    /// What is told of the records of `globs`, to which lines that begin with a blank are joined.
    fn check_in(globs: &[&str], steps: &[Step], expected: &[&str]) {
        let mut source = source("s", globs);
        source.multiline = Some(Preset::Indented.multiline());
        check_source(source, steps, expected);
    }

    /// The same, where rotated names are outside of the globs.
    fn check(steps: &[Step], expected: &[&str]) {
        check_in(&["/d/*.log"], steps, expected);
    }

    #[test]
    fn a_record_waits_for_the_next_one_and_is_read_early_after_a_while() {
        check(&[Start, Add("a.log", "A\n b\nB\n"), Tick(1000), Tick(6000), Add("a.log", " c\nC\n"), Tick(100)], &[
            "open 1 a.log at 0",
            "1:A| b",
            "1~B",
            "1:B| c",
        ]);
        // What was read and may go on is read again by the next process.
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Stop, Add("a.log", " c\nB\n"), Start], &[
            "open 1 a.log at 0",
            "open 1 a.log at 0",
            "1:A| b| c",
        ]);
    }

    const TORN: [Step; 5] =
        [Start, Add("a.log", "A\n b\n"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log", " c\nB\n")];

    fn torn(more: &[Step]) -> Vec<Step> {
        [&TORN[..], more].concat()
    }

    #[test]
    fn case_38_a_record_goes_on_in_the_file_that_took_the_place_of_its_own() {
        check(&torn(&[Tick(1000), Tick(40_000)]), &[
            "open 1 a.log at 0",
            "replaced 1",
            "open 2 a.log at 0",
            "1:A| b| c",
            "end 1",
            "2~B",
        ]);
        check_in(&["/d/a.log*"], &torn(&[Tick(1000)]), &[
            "open 1 a.log at 0",
            "name 1 a.log.1",
            "open 2 a.log at 0",
            "1:A| b| c",
        ]);
        // Also over a stop, before or after the rotation was seen.
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Stop, Move("a.log", "a.log.1"), Add("a.log", " c\nB\n"), Start], &[
            "open 1 a.log at 0",
            "open 1 a.log.1 at 0",
            "open 2 a.log at 0",
            "1:A| b| c",
        ]);
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log", " c\n"), Tick(1000), Stop, Add("a.log", " d\nB\n"), Start], &[
            "open 1 a.log at 0",
            "replaced 1",
            "open 2 a.log at 0",
            "open 2 a.log at 0",
            "open 1 a.log.1 at 0",
            "1:A| b| c| d",
        ]);
    }

    #[test]
    fn a_record_goes_on_over_two_rotations_that_nobody_saw() {
        let steps = [
            Start, Add("a.log", "A\n b\n"), Tick(1000), Stop,
            Move("a.log", "a.log.1"), Add("a.log", " c\nB\n d\n"),
            Move("a.log.1", "a.log.2"), Move("a.log", "a.log.1"), Add("a.log", " e\nC\n"), Start,
        ];
        let expected = |names: &'static str| ["open 1 a.log at 0", names, "open 2 a.log.1 at 0", "open 3 a.log at 0", "1:A| b| c", "2:B| d| e"];
        check(&steps, &expected("open 1 a.log.2 at 0"));
        check_in(&["/d/a.log*"], &steps, &expected("open 1 a.log.2 at 0"));
    }

    #[test]
    fn a_record_does_not_go_on_in_a_file_that_stands_beside_its_own() {
        check(&[Start, Add("w-1.log", "A\n b\n"), Tick(1000), Add("w-2.log", " c\nB\n"), Tick(1000)], &[
            "open 1 w-1.log at 0", "open 2 w-2.log at 0", "2: c",
        ]);
    }

    #[test]
    fn a_record_that_does_not_go_on_is_read_early_and_then_for_the_last_time() {
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Move("a.log", "a.log.1"), Tick(1000), Tick(6000), Tick(40_000)], &[
            "open 1 a.log at 0", "gone 1", "1~A| b", "1$A| b", "end 1",
        ]);
        // Its successor begins with another one.
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log", "B\n"), Tick(1000), Tick(40_000)], &[
            "open 1 a.log at 0", "replaced 1", "open 2 a.log at 0", "1:A| b", "end 1", "2~B",
        ]);
    }

    #[test]
    fn a_record_that_may_go_on_elsewhere_does_not_end_with_its_file() {
        check(&torn(&[Tick(1000)])[..4].iter().cloned().chain([Add("a.log", " c\n"), Tick(1000), Tick(6000), Tick(40_000), Add("a.log", " d\nB\n"), Tick(1000), Tick(40_000)]).collect::<Vec<_>>(), &[
            "open 1 a.log at 0", "replaced 1", "open 2 a.log at 0", "1~A| b", "1~A| b| c", "1:A| b| c| d", "end 1", "2~B",
        ]);
    }

    #[test]
    fn a_record_goes_on_in_one_other_file_and_no_further() {
        check(&torn(&[])[..4].iter().cloned().chain([Add("a.log", " c\n"), Tick(1000), Move("a.log", "a.log.2"), Add("a.log", "B\n d\n"), Tick(1000), Tick(60_000), Tick(60_000)]).collect::<Vec<_>>(), &[
            "open 1 a.log at 0", "replaced 1", "open 2 a.log at 0", "replaced 2", "open 3 a.log at 0", "1~A| b", "1$A| b| c", "end 1", "end 2", "3~B| d",
        ]);
    }

    #[test]
    fn half_a_line_does_not_go_on_elsewhere() {
        check(&[Start, Add("a.log", "A\n b"), Tick(1000), Move("a.log", "a.log.1"), Add("a.log", " c\nB\n"), Tick(1000), Tick(40_000)], &[
            "open 1 a.log at 0", "replaced 1", "open 2 a.log at 0", "2: c", "1$A| b", "2~B", "end 1",
        ]);
    }

    #[test]
    fn what_was_read_of_a_record_is_not_lost_with_its_file() {
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Cut("a.log"), Add("a.log", "B\n"), Tick(1000)], &[
            "open 1 a.log at 0", "cut 1 to 2 lost 0", "open 2 a.log at 0", "1$A| b", "end 1",
        ]);
        // Written anew to more than it was, and behind what was consumed.
        check(&[Start, Add("a.log", "A\n b\n"), Tick(1000), Cut("a.log"), Add("a.log", "longer\n than\nB\n"), Tick(1000)], &[
            "open 1 a.log at 0", "cut 1 to 2 lost 0", "open 2 a.log at 0", "1$A| b", "2:longer| than", "end 1",
        ]);
        check(&[Start, Add("a.log", "A\nB\n b\n"), Tick(1000), Cut("a.log"), Tick(1000), Delete("a.log"), Tick(1000)], &[
            "open 1 a.log at 0", "1:A", "cut 1 to 2 lost 0", "open 2 a.log at 0", "1$B| b", "end 1", "gone 2",
        ]);
    }
}
