//! The time of a record, of a file, and of a key.
//!
//! A line that arrived while its file was read to the end is judged by its arrival, others by their stamps alone;
//! a file that is read to its end runs on with the clock, one that is behind stands still. So a quiet file
//! resolves as time passes, and a file that is behind resolves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::model::{ContainerPart, ContainerPath, FileId, SourceName, Timestamp};
use crate::rule::Rule;
use crate::saved::{SavedClock, SavedFlush};
use crate::scan::stamp::{self, Stamp};

/// What timers wait for while files are one log ([`Clocks::log`]): no file has this id.
pub(super) const LOG: FileId = FileId(u64::MAX - 1);

/// How far a stamp may lie after the arrival of its line.
const AHEAD: Duration = Duration::from_secs(5);

/// How a source tells time.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The source.
    pub name: SourceName,
    /// Zone of stamps that name none.
    pub tz: TimeZone,
    /// How far a stamp may lie before its arrival; from this age on a transition is stale.
    pub max_age: Duration,
    /// Year of the first year-less stamp of each file, for a finished log; `None`: the nearest to its reference.
    pub year: Option<i16>,
}

/// Whether a file's time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has bytes that were not read: its time is that of its newest record.
    Behind,
    /// It is read to its end: its time runs on.
    AtEnd,
    /// It can not be read, so nobody knows: its time stands still.
    Unreadable,
    /// It was seen to vanish, and was read to its end before: it holds nothing up.
    Gone,
}

/// What a block tells of the time of its lines.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When its lines arrived; `None`: they were found unread.
    pub at: Option<Timestamp>,
    /// When the file was last modified, on the engine's timeline.
    pub modified: Timestamp,
    /// What must be subtracted from a stamp to place it on the engine's timeline, in microseconds: by how much
    /// the wall clock was set forward since the process began.
    pub skew_us: i64,
}

/// A stamp that lies too far from the arrival of its line, seen for the first time this day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddStamp {
    /// Where.
    pub source: SourceName,
    /// Stamp minus arrival, in seconds.
    pub offset_s: i64,
}

#[derive(Debug)]
pub(super) struct FileClock {
    pub(super) source: usize,
    pub(super) path: Arc<Path>,
    /// Time of the newest record that was read.
    pub(super) newest: Option<Timestamp>,
    /// Time up to which its matches were applied: behind `newest` while matches wait for other files.
    pub(super) applied: Option<Timestamp>,
    /// By how much the stamp of the newest record trails its arrival, in microseconds.
    lag_us: u64,
    phase: Phase,
    pub(super) flushed: Option<Box<SavedFlush>>,
    /// The last civil stamp: many lines are of one moment. Of a file that nobody writes there is none.
    civil: Option<Box<Civil>>,
}

/// A stamp that had to be resolved.
#[derive(Debug)]
struct Civil {
    stamp: Stamp,
    /// What it was held against.
    near: Timestamp,
    /// What it came to.
    time: Timestamp,
    /// What the last one came to that had no year: the next one lies near it, in a finished log.
    yearless: Option<Timestamp>,
}

impl FileClock {
    fn time(&self, now: Timestamp) -> Timestamp {
        match (self.phase, self.newest) {
            (Phase::AtEnd | Phase::Gone, Some(newest)) => newest.max(now.minus(self.lag())),
            (Phase::AtEnd | Phase::Gone, None) => now,
            (Phase::Behind | Phase::Unreadable, _) => self.applied.unwrap_or(Timestamp::MIN),
        }
    }

    fn lag(&self) -> Duration {
        Duration::from_micros(self.lag_us)
    }

    fn holds(&self) -> bool {
        matches!(self.phase, Phase::Behind | Phase::Unreadable)
    }
}

/// What the time of a key is, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A file is behind or unreadable: no timer at or after this time of it may ring.
    Held(FileId, Timestamp),
    /// The time of the key at the engine's `now`, and by how much it trails `now`.
    Running(Timestamp, Duration),
}

#[derive(Debug)]
pub(super) struct Clocks {
    pub(super) timings: Vec<Timing>,
    pub(super) files: BTreeMap<FileId, Box<FileClock>>,
    /// Those that are behind: few, and asked for at each match that waits.
    behind: BTreeSet<FileId>,
    /// While files that are behind are pieces of one finished log: the time up to which it was applied. A piece that was
    /// read to its end does not stand still while others bring what came after it.
    pub(super) log: Option<Timestamp>,
    /// Per source: the day of its last warning.
    warned: BTreeMap<SourceName, i64>,
}

impl Clocks {
    pub(super) fn new(timings: Vec<Timing>, saved: BTreeMap<FileId, SavedClock>) -> Clocks {
        let mut clocks = Clocks {
            timings,
            files: BTreeMap::new(),
            behind: BTreeSet::new(),
            log: None,
            warned: BTreeMap::new(),
        };
        for row in saved.into_values() {
            // Of a source that is gone, nobody says that the file is read: it holds nothing up.
            let Some(source) = clocks.source(&row.source) else { continue };
            let file = FileClock {
                source,
                path: Path::new(&*row.path).into(),
                newest: row.newest,
                applied: row.newest,
                lag_us: row.lag_us,
                phase: Phase::Behind,
                flushed: row.flushed.map(Box::new),
                civil: None,
            };
            clocks.behind.insert(row.file);
            clocks.files.insert(row.file, Box::new(file));
        }
        clocks
    }

    fn source(&self, name: &SourceName) -> Option<usize> {
        self.timings.iter().position(|timing| timing.name == *name)
    }

    pub(super) fn retime(&mut self, timings: Vec<Timing>) {
        let old = std::mem::replace(&mut self.timings, timings);
        let names: Vec<_> = old.into_iter().map(|timing| timing.name).collect();
        let places: Vec<_> = names.iter().map(|name| self.source(name)).collect();
        self.files.retain(|_, file| match places[file.source] {
            Some(place) => {
                file.source = place;
                // The zone may be another one.
                file.civil = None;
                true
            }
            None => false,
        });
        self.behind.retain(|id| self.files.contains_key(id));
    }

    /// A file is followed, under this path. False: so it was before, as far as is known.
    pub(super) fn open(&mut self, id: FileId, source: &SourceName, path: Arc<Path>) -> bool {
        let Some(source) = self.source(source) else { return false };
        if let Some(file) = self.files.get_mut(&id) {
            // One and the same text for all who know the file, also where it reads alike.
            let is_another = file.path != path;
            file.path = path;
            return is_another;
        }
        let file = FileClock {
            source,
            path,
            newest: None,
            applied: None,
            lag_us: 0,
            phase: Phase::Behind,
            flushed: None,
            civil: None,
        };
        self.behind.insert(id);
        self.files.insert(id, Box::new(file));
        true
    }

    /// A file is in another phase. False: it is in that one, or not known.
    pub(super) fn turn(&mut self, id: FileId, phase: Phase) -> bool {
        let Some(file) = self.files.get_mut(&id).filter(|file| file.phase != phase) else { return false };
        file.phase = phase;
        match phase {
            Phase::Behind => self.behind.insert(id),
            Phase::AtEnd | Phase::Unreadable | Phase::Gone => self.behind.remove(&id),
        };
        true
    }

    /// Nothing of a file will come any more.
    pub(super) fn forget(&mut self, id: FileId) {
        self.files.remove(&id);
        self.behind.remove(&id);
    }

    /// The files that are behind, with the times up to which they were read.
    pub(super) fn behind(&self) -> impl Iterator<Item = (FileId, &FileClock, Timestamp)> {
        self.behind.iter().filter_map(|id| {
            let file = self.files.get(id)?;
            Some((*id, &**file, file.newest.unwrap_or(Timestamp::MIN)))
        })
    }

    pub(super) fn save(&self, id: FileId) -> Option<SavedClock> {
        let file = self.files.get(&id)?;
        Some(SavedClock {
            file: id,
            source: self.timings[file.source].name.clone(),
            path: file.path.to_string_lossy().into(),
            newest: file.applied,
            lag_us: file.lag_us,
            flushed: file.flushed.as_deref().cloned(),
        })
    }

    /// When the record happened, by the rules of the module's head; moves the file's time.
    pub(super) fn record_time(
        &mut self,
        id: FileId,
        stamp: Option<Stamp>,
        arrival: Arrival,
        odd: &mut Vec<OddStamp>,
    ) -> Timestamp {
        let Some(file) = self.files.get_mut(&id) else { return arrival.at.unwrap_or(arrival.modified) };
        let timing = &self.timings[file.source];
        let reference = arrival.at.unwrap_or(arrival.modified);
        let resolved = stamp.and_then(|stamp| {
            // Stamps are wall-clock times; the reference is put on the wall clock to choose the year.
            let wall = Timestamp(reference.0.saturating_add(arrival.skew_us));
            let near = match timing.year {
                // A finished log of a known year: later stamps may lie in the next one.
                Some(year) if !stamp.has_year() => match file.civil.as_ref().and_then(|last| last.yearless) {
                    Some(last) => last.plus(HALF_A_YEAR),
                    None => end_of(year, &timing.tz)?,
                },
                _ => wall,
            };
            let time = match file.civil.as_deref() {
                Some(last) if last.stamp == stamp && last.near == near => last.time,
                _ => stamp.resolve(&timing.tz, near)?,
            };
            let before = file.civil.as_ref().and_then(|last| last.yearless);
            let yearless = if stamp.has_year() { before } else { Some(time) };
            let civil = Civil { stamp, near, time, yearless };
            match &mut file.civil {
                Some(last) => **last = civil,
                None => file.civil = Some(Box::new(civil)),
            }
            Some(Timestamp(time.0.saturating_sub(arrival.skew_us)))
        });
        let time = match (arrival.at, resolved) {
            (Some(at), Some(stamp)) if stamp >= at.minus(timing.max_age) && stamp <= at.plus(AHEAD) => {
                // The lag is that of the newest record: an old stamp between new ones says nothing of the rest.
                if file.newest.is_none_or(|newest| stamp >= newest) {
                    file.lag_us =
                        at.since(stamp).min(timing.max_age).as_micros().try_into().unwrap_or(u64::MAX);
                }
                stamp
            }
            (Some(at), stamp) => {
                if let Some(stamp) = stamp {
                    let day = at.as_secs().div_euclid(86_400);
                    if self.warned.insert(timing.name.clone(), day) != Some(day) {
                        let offset_s = stamp.0.saturating_sub(at.0) / 1_000_000;
                        odd.push(OddStamp { source: timing.name.clone(), offset_s });
                    }
                }
                file.lag_us = 0;
                at
            }
            (None, Some(stamp)) => {
                file.lag_us = 0;
                stamp.min(arrival.modified.plus(AHEAD))
            }
            (None, None) => file.newest.unwrap_or(arrival.modified),
        };
        file.newest = Some(file.newest.map_or(time, |newest| newest.max(time)));
        time
    }

    /// By how much a file's time trails the clock while it is read to its end.
    pub(super) fn lag(&self, id: FileId) -> Duration {
        self.files.get(&id).map_or(Duration::ZERO, |file| file.lag())
    }

    /// What the timers of keys with this file wait for while it is behind.
    pub(super) fn waits_for(&self, id: FileId) -> FileId {
        if self.log.is_some() { LOG } else { id }
    }

    /// True if the timers of keys with this file wait for it, or for the log.
    pub(super) fn holds(&self, id: FileId) -> bool {
        let in_log = self.log.is_some() && self.files.contains_key(&id);
        in_log || self.files.get(&id).is_some_and(|file| file.holds())
    }

    /// The time of a key of `rule` whose matches came from `files`. What stays away may come from any file of its
    /// sources.
    pub(super) fn reading_for(&self, rule: &Rule, files: &[FileId], now: Timestamp) -> Reading {
        if !rule.notices_absence() {
            return self.reading(files, now);
        }
        let all: Vec<FileId> = self.files_of(rule).map(|(id, _)| id).collect();
        self.reading(&all, now)
    }

    /// The time up to which some file of the rule's sources was read.
    pub(super) fn newest(&self, rule: &Rule, now: Timestamp) -> Timestamp {
        self.files_of(rule).map(|(_, file)| file.time(now)).max().unwrap_or(now)
    }

    fn files_of(&self, rule: &Rule) -> impl Iterator<Item = (FileId, &FileClock)> {
        let seen = |file: &FileClock| rule.sources.contains(&self.timings[file.source].name);
        self.files.iter().filter(move |(_, file)| seen(file)).map(|(id, file)| (*id, &**file))
    }

    /// The time of a key whose matches came from `files`.
    pub(super) fn reading(&self, files: &[FileId], now: Timestamp) -> Reading {
        let known = || files.iter().filter_map(|id| Some((*id, self.files.get(id)?)));
        if let Some(time) = self.log.filter(|_| known().next().is_some()) {
            return Reading::Held(LOG, time);
        }
        let holder = known().filter(|(_, file)| file.holds()).min_by_key(|(id, file)| (file.time(now), *id));
        if let Some((id, file)) = holder {
            return Reading::Held(id, file.time(now));
        }
        // Files that are forgotten, and tripline's own, run with the clock.
        let time = known().map(|(_, file)| file.time(now)).max().unwrap_or(now);
        let lag = known().map(|(_, file)| file.lag()).min().unwrap_or(Duration::ZERO);
        Reading::Running(time, lag)
    }

    /// How old a transition of a key of these files may be and still be told.
    pub(super) fn max_age(&self, files: &[FileId]) -> Duration {
        let known = files.iter().filter_map(|id| self.files.get(id));
        known.map(|file| self.timings[file.source].max_age).max().unwrap_or(Duration::from_secs(15 * 60))
    }

    /// The moment that a text of a line names, which may lie ahead: a stamp without a year is that of the year nearest to
    /// the line's own time.
    pub(super) fn read(&self, id: FileId, text: &str, near: Timestamp) -> Option<Timestamp> {
        let zone = &self.timings[self.files.get(&id)?.source].tz;
        stamp::find(text.trim().as_bytes())?.resolve(zone, near.plus(HALF_A_YEAR))
    }

    /// What the path of a file says of its container.
    pub(super) fn container(&self, id: FileId, part: ContainerPart) -> Option<&str> {
        Some(ContainerPath::of(&self.files.get(&id)?.path).part(part))
    }

    /// Path and source of a file, for texts.
    #[inline]
    pub(super) fn place(&self, id: FileId) -> Option<(&Path, &str)> {
        let file = self.files.get(&id)?;
        Some((&file.path, self.timings[file.source].name.as_str()))
    }
}

const HALF_A_YEAR: Duration = Duration::from_secs(180 * 86_400);

/// The last moment before the last day of a year: every stamp without a year lies nearest to it in that year, since none
/// is taken to lie more than a day after it.
fn end_of(year: i16, tz: &TimeZone) -> Option<Timestamp> {
    let last = jiff::civil::Date::new(year, 12, 31).ok()?.at(0, 0, 0, 0).to_zoned(tz.clone()).ok()?;
    Some(Timestamp(last.timestamp().as_microsecond() - 1))
}
