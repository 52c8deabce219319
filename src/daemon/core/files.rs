//! Files: notes of the tail become knowledge of the engine, blocks become matches.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lanes::Lane;
use super::{Core, Now, Remark};
use crate::engine::{Arrival, Phase, Read};
use crate::model::{FileId, SourceName, Timestamp};
use crate::tail::{self, Disk, Note, TailKind, Turn};

/// Bytes read between two commits.
const BYTES_PER_STEP: usize = 4 * 1024 * 1024;

impl<D: Disk> Core<D> {
    /// False: as [`tail::Tail::look`].
    pub(super) fn look(&mut self, now: Now) -> bool {
        let is_done = self.tail.look(now.time, now.wall);
        self.take_notes(now);
        if !is_done {
            // The rows of all files at once would take more memory than the files do.
            let free = self.commit(now);
            self.free.extend(free);
        }
        is_done
    }

    /// As [`tail::Tail::limit_handles`].
    pub fn limit_handles(&mut self, most: usize) {
        self.tail.limit_handles(most);
    }

    /// As [`tail::Tail::glances`].
    pub fn glances(&self) -> Option<Duration> {
        self.tail.glances()
    }

    /// As [`tail::Tail::glance`]: what has grown is for the next step.
    pub fn glance(&mut self, now: Now) -> bool {
        self.tail.glance(now.time)
    }

    pub(super) fn take_notes(&mut self, now: Now) {
        for note in self.tail.take_notes() {
            match &note {
                Note::SourceKnown(row) => self.batch.put_source(row),
                Note::Opened { file, source, path, .. } => {
                    self.engine.opened(*file, source, path.clone());
                    self.touched.insert(*file);
                    // What is followed is found again after a crash, wherever it was moved meanwhile.
                    self.urgent = true;
                    self.sync_phase(*file, now);
                }
                Note::Renamed { file, path } => {
                    if let Some(source) = self.tail.source(*file) {
                        self.engine.opened(*file, source, path.clone());
                    }
                    self.touched.insert(*file);
                    self.sync_phase(*file, now);
                }
                Note::Vanished { file } | Note::Replaced { file } => {
                    self.touched.insert(*file);
                    self.sync_phase(*file, now);
                }
                Note::Truncated { file, .. }
                | Note::CutShort { file, .. }
                | Note::Lost { file, .. }
                | Note::GivenUp { file, .. } => {
                    self.sync_phase(*file, now);
                    self.count_loss(&note, now);
                }
                Note::Unreadable { file, .. } | Note::Readable { file, .. } => {
                    if let Some(file) = file {
                        self.sync_phase(*file, now);
                    }
                }
                Note::Ended { file, remember } => {
                    self.engine.ended(*file, now.time);
                    self.crossed.remove(file);
                    self.touched.remove(file);
                    if *remember {
                        let read_to = self.tail.read_to(*file);
                        let row =
                            read_to.and_then(|(read_to, skipping)| self.tail.save(*file, read_to, skipping));
                        if let Some(row) = row {
                            self.batch.put_file(&row);
                        }
                        self.remembered.push((now.time.plus(tail::REMEMBER), *file));
                    } else {
                        self.ended.insert(*file);
                    }
                }
                Note::LeftAlone { .. } | Note::Packed { .. } | Note::Polled { .. } | Note::Hinted => {}
            }
            self.remarks.push(Remark::Tail(note));
        }
    }

    pub(super) fn sync_phase(&mut self, file: FileId, now: Now) {
        let phase = match self.tail.phase(file) {
            tail::Phase::Behind => Phase::Behind,
            tail::Phase::AtEnd => Phase::AtEnd,
            tail::Phase::Unreadable => Phase::Unreadable,
            tail::Phase::Draining | tail::Phase::Ended => Phase::Gone,
        };
        self.engine.phase(file, phase, now.time);
    }

    pub(super) fn read(&mut self, now: Now) {
        let mut left = BYTES_PER_STEP;
        while left > 0 {
            let ready = self.tail.ready();
            for file in &ready {
                self.sync_phase(file.file, now);
            }
            // What arrives live comes first; of what is behind, each source goes on with its earliest file, and with the
            // next ones as long as none of their matches waits: so what waits stays little, however far apart files are.
            let mut turns: Vec<FileId> =
                ready.iter().filter(|file| file.live).map(|file| file.file).collect();
            let mut behind: BTreeMap<&SourceName, Vec<(Option<Timestamp>, FileId)>> = BTreeMap::new();
            for file in ready.iter().filter(|file| !file.live) {
                let place = (self.engine.frontier(file.file), file.file);
                behind.entry(&file.source).or_default().push(place);
            }
            for places in behind.values_mut() {
                places.sort_unstable();
                let next = places.iter().take(self.lanes.all.len()).map(|(_, file)| *file).enumerate();
                turns.extend(next.filter(|(at, file)| *at == 0 || !self.waits(*file)).map(|(_, file)| file));
            }
            let mut turned = false;
            for files in turns.chunks(self.lanes.all.len()) {
                if let Some(used) = self.read_blocks(files, now) {
                    turned = true;
                    left = left.saturating_sub(used);
                }
            }
            if !turned {
                break;
            }
        }
    }

    /// True if some match of a file waits for files that are behind it.
    fn waits(&self, file: FileId) -> bool {
        let read_to = self.tail.read_to(file);
        read_to.is_some_and(|(read_to, _)| self.engine.applied(file, read_to) < read_to)
    }

    /// Reads one block of each of some files, and tells the engine what fits in them; says how many bytes were used
    /// up, or `None` if there was nothing to read after all.
    fn read_blocks(&mut self, files: &[FileId], now: Now) -> Option<usize> {
        let Core { lanes, tail, scanners, .. } = self;
        lanes.run(files, |file, buf| {
            // First who is to scan it: a turn that is given has to be answered.
            let scanner = scanners.get(tail.source(file)?)?;
            Some((tail.read(file, buf, now.time)?, scanner))
        });
        let mut used = None;
        for (number, file) in files.iter().enumerate() {
            let lane = std::mem::take(&mut self.lanes.all[number]);
            match &lane.turn {
                Some(turn) => {
                    used = Some(used.unwrap_or(0) + lane.scanned.consumed);
                    self.apply(*file, turn, &lane, now);
                }
                // It ends where it was read to, though it had promised more, as what is compressed does: nobody waits for it.
                None => self.sync_phase(*file, now),
            }
            self.lanes.all[number] = lane;
        }
        self.take_notes(now);
        // A file that needs a look of its own while others were on their way.
        for (number, file) in files.iter().enumerate().filter(|_| files.len() > 1) {
            if self.lanes.all[number].turn.is_none() {
                used = self.read_blocks(&[*file], now).map(|more| used.unwrap_or(0) + more).or(used);
            }
        }
        used
    }

    /// Tells the engine what fits in a block, and the tail how far it got.
    fn apply(&mut self, file: FileId, turn: &Turn, lane: &Lane, now: Now) {
        let (bytes, scanned) = (lane.bytes(), &lane.scanned);
        let of_others = turn.carried.map_or(0, |(_, len)| scanned.consumed.min(len));
        if let Some((from, _)) = turn.carried {
            self.touched.insert(from.file);
            if of_others > 0 {
                self.crossed.insert(file, from);
            }
        }
        if let Some(source) = self.tail.source(file) {
            let counts = self.source_counts.entry(source.clone()).or_default();
            counts.bytes += scanned.consumed as u64;
            counts.cut_lines += scanned.cut_lines;
            counts.cut_records += scanned.cut_records;
            counts.unparsed_lines += scanned.unparsed_lines;
            counts.bare_lines += scanned.bare_lines;
            let review = self.reviews.entry(source.clone()).or_default();
            if review.is_due(bytes, scanned)
                && let Some(scanner) = self.scanners.get_mut(source)
            {
                *scanner = scanner.attuned(bytes);
            }
        }
        scanned.tried.iter().for_each(|rule| self.engine.tried(*rule));
        // Files are stamped by the wall clock, as lines are; nothing was written later than now.
        let modified = Timestamp(turn.modified.0.saturating_sub(now.skew_us)).min(now.time);
        let arrival = Arrival { at: turn.arrival, modified, skew_us: now.skew_us };
        // Half a line may show half a stamp.
        let stamp = scanned.stamp.filter(|_| turn.tail != TailKind::Flush);
        self.engine.read(Read { file, matches: scanned.matches(bytes), stamp, arrival }, now.time);
        self.tail.consumed(file, scanned.consumed, scanned.skipping, now.time);
        self.touched.insert(file);
        self.sync_phase(file, now);
    }
}
