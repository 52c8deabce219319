//! Files: notes of the tail become knowledge of the engine, blocks become matches.

use std::collections::BTreeMap;

use super::{Core, Now, Place, Remark};
use crate::engine::{Arrival, Phase, Read};
use crate::model::{FileId, SourceName, Timestamp};
use crate::scan::{self, Block};
use crate::tail::{self, Disk, Note, TailKind};

/// Bytes after which a log may have become another one.
const ATTUNE_EVERY: u64 = 1 << 30;
/// Bytes read between two commits.
const BYTES_PER_STEP: usize = 4 * 1024 * 1024;

impl<D: Disk> Core<D> {
    pub(super) fn look(&mut self, now: Now) {
        self.tail.look(now.time, now.wall);
        self.take_notes(now);
    }

    pub(super) fn take_notes(&mut self, now: Now) {
        for note in self.tail.take_notes() {
            match &note {
                Note::SourceKnown(row) => self.batch.put_source(row),
                Note::Opened { file, source, path, from } => {
                    self.engine.opened(*file, source, &path.to_string_lossy());
                    let place = Place { source: source.clone(), read_to: *from, skipping: false };
                    self.places.entry(*file).or_insert(place);
                    self.touched.insert(*file);
                    // What is followed is found again after a crash, wherever it was moved meanwhile.
                    self.urgent = true;
                    self.sync_phase(*file, now);
                }
                Note::Renamed { file, path } => {
                    if let Some(place) = self.places.get(file) {
                        self.engine.opened(*file, &place.source, &path.to_string_lossy());
                    }
                    self.touched.insert(*file);
                    self.sync_phase(*file, now);
                }
                Note::Vanished { file } | Note::Replaced { file } => {
                    self.touched.insert(*file);
                    self.sync_phase(*file, now);
                }
                Note::Truncated { file, lost, .. } => {
                    if let Some(place) = self.places.get(file) {
                        let counts = self.source_counts.entry(place.source.clone()).or_default();
                        counts.truncations += 1;
                        counts.lost_bytes += lost;
                    }
                }
                Note::Unreadable { file, .. } | Note::Readable { file, .. } => {
                    if let Some(file) = file {
                        self.sync_phase(*file, now);
                    }
                }
                Note::Ended { file, remember } => {
                    self.engine.ended(*file, now.time);
                    let place = self.places.remove(file);
                    self.touched.remove(file);
                    if *remember {
                        let row =
                            place.and_then(|place| self.tail.save(*file, place.read_to, place.skipping));
                        if let Some(row) = row {
                            self.batch.put_file(&row);
                        }
                        self.remembered.push((now.time.plus(tail::REMEMBER), *file));
                    } else {
                        self.ended.insert(*file);
                    }
                }
                Note::Lost { .. } | Note::NotRegular { .. } => {}
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
            // What arrives live comes first; of what is behind, each source goes on with its earliest file.
            let mut turns: Vec<FileId> =
                ready.iter().filter(|file| file.live).map(|file| file.file).collect();
            let mut earliest: BTreeMap<&SourceName, (Option<Timestamp>, FileId)> = BTreeMap::new();
            for file in ready.iter().filter(|file| !file.live) {
                let place = (self.engine.frontier(file.file), file.file);
                let best = earliest.entry(&file.source).or_insert(place);
                *best = place.min(*best);
            }
            turns.extend(earliest.values().map(|(_, file)| *file));
            let mut turned = false;
            for file in turns {
                if let Some(used) = self.read_block(file, now) {
                    turned = true;
                    left = left.saturating_sub(used);
                }
            }
            if !turned {
                break;
            }
        }
    }

    /// Reads one block of a file and tells the engine what fits in it; says how many bytes were used up, or `None`
    /// if there was nothing to read after all.
    pub(super) fn read_block(&mut self, file: FileId, now: Now) -> Option<usize> {
        let mut buf = std::mem::take(&mut self.buf);
        let turn = self.tail.read(file, &mut buf, now.time);
        let mut used = None;
        let scanner = self.places.get(&file).and_then(|place| self.scanners.get(&place.source));
        if let (Some(turn), Some(scanner)) = (turn, scanner) {
            let (tail, stamped) = match turn.tail {
                TailKind::Wait => (scan::Tail::Wait, true),
                // Half a line may show half a stamp.
                TailKind::Flush => (scan::Tail::Flush, false),
                TailKind::Final => (scan::Tail::Final, true),
            };
            let bytes = &buf[..turn.len];
            let block = Block { file, offset: turn.offset, bytes, skipping: turn.skipping, tail };
            scanner.scan(block, &mut self.scanned);
            let consumed = self.scanned.consumed;
            used = Some(consumed);
            let place = self.places.entry(file).and_modify(|place| {
                place.read_to = turn.offset + consumed as u64;
                place.skipping = self.scanned.skipping;
            });
            if let std::collections::btree_map::Entry::Occupied(place) = place {
                let counts = self.source_counts.entry(place.get().source.clone()).or_default();
                counts.bytes += consumed as u64;
                counts.cut_lines += self.scanned.cut_lines;
                let at = self.attune_at.entry(place.get().source.clone()).or_default();
                if bytes.len() >= scan::SAMPLE && counts.bytes >= *at {
                    *at = counts.bytes.saturating_add(ATTUNE_EVERY);
                    let attuned = scanner.attuned(bytes);
                    self.scanners.insert(place.get().source.clone(), attuned);
                }
            }
            // Files are stamped by the wall clock, as lines are; nothing was written later than now.
            let modified = Timestamp(turn.modified.0.saturating_sub(now.skew_us)).min(now.time);
            let arrival = Arrival { at: turn.arrival, modified, skew_us: now.skew_us };
            let matches = self.scanned.matches(bytes);
            let stamp = self.scanned.stamp.filter(|_| stamped);
            self.engine.read(Read { file, matches, stamp, arrival }, now.time);
            self.tail.consumed(file, consumed, self.scanned.skipping, now.time);
            self.touched.insert(file);
            self.sync_phase(file, now);
        }
        self.buf = buf;
        self.take_notes(now);
        used
    }
}
