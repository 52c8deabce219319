//! Blocks of the files that have something to read, and what scanning made of them.

use super::disk::Disk;
use super::note::{Ready, Turn};
use super::{RETRY, Tail, Watched};
use crate::model::{Encoding, FileId, Timestamp};

impl<D: Disk> Tail<D> {
    /// Files that have something to read now, in the order of their ids: unread bytes, or a rest without a line
    /// end that is to be matched early or for the last time.
    pub fn ready(&self) -> Vec<Ready> {
        let of = |id: &FileId| {
            let file = self.files.get(id)?;
            let (live, modified) = (file.progress.is_live(), file.progress.modified);
            Some(Ready { file: *id, source: file.source.clone(), live, modified })
        };
        self.ready.iter().filter(|id| !self.waits(**id)).filter_map(of).collect()
    }

    /// Reads one block at the read position. `None`: there is nothing to read after all, or the content changed
    /// meanwhile (the notes say how).
    ///
    /// Each turn is answered by [`Tail::consumed`] before the next one of the same file. While turns of other files
    /// wait for their answer, `None` may also say that this file needs a look of its own: read it again then. The
    /// buffer must be longer than any line or record of the source, so that every full block has something to consume.
    pub fn read(&mut self, id: FileId, buf: &mut [u8], now: Timestamp) -> Option<Turn> {
        if let Some(before) = self.files.get(&id).and_then(|file| file.before) {
            self.rouse(before);
        }
        let carried = self.carry(id, buf)?;
        let file = self.files.get_mut(&id).filter(|file| file.wants())?;
        let watched = self.sources.get(&file.source)?;
        let (joins, said) = (watched.joins(), watched.settings.encoding);
        if file.leftover {
            buf[..file.rest.len()].copy_from_slice(&file.rest);
            self.turns_out.insert(id);
            let (encoding, _) = Encoding::of(said, file.evidence.start());
            let turn = file.progress.last(file.rest.len(), encoding);
            self.refresh(id);
            return Some(turn);
        }
        let handle = file.handle.as_ref()?;
        let disk = &mut self.disk;
        let from = file.progress.read_from();
        let before = carried.map_or(0, |(_, len)| len);
        let (_, behind) = buf.split_at_mut(before);
        let mut len = 0;
        let mut outcome = Ok(true);
        while len < behind.len() {
            match disk.read_at(handle, from + len as u64, &mut behind[len..]) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        if outcome.is_ok() {
            // After the block, not before it: a content that was replaced in between must not pass.
            outcome = file.evidence.near_holds(|offset, buf| disk.read_at(handle, offset, buf));
            outcome = outcome.map(|holds| holds && behind[..len].starts_with(&file.rest));
        }
        match outcome {
            // What follows from it may touch the files of those turns.
            Err(_) | Ok(false) if !self.turns_out.is_empty() => None,
            Err(error) => {
                file.reads_fail = true;
                file.blocked = true;
                self.fail(id, error.into(), now);
                self.schedule_at(id, now.plus(RETRY));
                None
            }
            Ok(false) => {
                match disk.stat(handle) {
                    Ok(facts) => self.supersede(id, &facts, now),
                    Err(error) => self.fail(id, error.into(), now),
                }
                // What a copy in the directory is, only the old content's evidence can tell.
                self.sweep_soon(now);
                self.sweep_if_due(now);
                None
            }
            Ok(true) => {
                let (encoding, mark) = if from == 0 {
                    let (encoding, mark) = Encoding::of(said, &behind[..len]);
                    file.evidence.begin(&behind[..len], mark);
                    (encoding, mark)
                } else {
                    (Encoding::of(said, file.evidence.start()).0, 0)
                };
                let (holes, mut turn) =
                    file.progress.block(&behind[..len], (encoding, mark), len == behind.len(), now);
                behind.copy_within(holes..len, 0);
                if let Some(turn) = &mut turn {
                    if joins || encoding.unit() > 1 {
                        file.block.extend_from_slice(&behind[..turn.len]);
                    } else {
                        file.evidence.offer(turn.offset, &behind[..turn.len]);
                    }
                    // Behind a hole or a mark nothing goes on.
                    if holes == 0 && encoding == Encoding::Utf8 {
                        (turn.carried, file.carried) = (carried, before);
                        turn.len += before;
                    } else {
                        buf.copy_within(before.., 0);
                    }
                    self.turns_out.insert(id);
                }
                file.reads_fail = false;
                self.recovered(id);
                self.refresh(id);
                turn
            }
        }
    }

    /// What scanning consumed of the block of the last turn: up to the end of its last line, or up to the beginning of
    /// its last record, or all of it when the rest is skipped or [`super::TailKind::Final`]. `skipping`: the new position lies in an over-long line.
    pub fn consumed(&mut self, id: FileId, bytes: usize, skipping: bool, now: Timestamp) {
        self.turns_out.remove(&id);
        let Some(file) = self.files.get_mut(&id) else { return };
        let of_others = bytes.min(std::mem::take(&mut file.carried));
        let bytes = bytes - of_others;
        let block = std::mem::take(&mut file.block);
        if !block.is_empty() {
            file.evidence.took(file.progress.position, &block[..bytes.min(block.len())]);
        }
        let at_its_end = file.progress.consumed(bytes, skipping);
        file.evidence.consumed(file.progress.position);
        file.rest.clear();
        let joins = self.sources.get(&file.source).is_some_and(Watched::joins);
        if joins && file.progress.at_end() && !skipping {
            file.rest.extend_from_slice(block.get(bytes..).unwrap_or_default());
        }
        let (ended, leftover, before) = (file.ended, file.leftover, file.before);
        if let Some(before) = before.filter(|_| of_others > 0) {
            self.went_on(before, of_others, now);
        }
        if ended {
            return;
        }
        if leftover {
            self.end_remembered(id);
        } else if at_its_end {
            self.end(id);
        } else {
            self.settle(id, now);
        }
    }
}
