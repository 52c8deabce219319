//! Those who write logs, and what they wrote. The oracle of the census stands on [`Content`]: every byte that could
//! be read, by content.
//!
//! A writer destroys only what was surely read: bytes are cut or deleted when a power cut could not make anybody want
//! them again, and a name leaves the globs only when the machine is sure to find it again.

use std::path::PathBuf;

use fastrand::Rng;
use tripline::model::FileId;
use tripline::tail::fake::FakeDisk;

use super::plan::{CENSUS_OVER, KEYS, MAX_BYTES, MAX_LINE, MAX_LINES, Mood, Plan};

/// Bytes from the beginning of a file to its end, or to where it was cut.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) source: usize,
    pub(super) bytes: Vec<u8>,
    /// The content that had the name before, if it was renamed.
    before: Option<usize>,
}

/// All lines that were written, or records, each with its source.
pub(super) fn records(contents: &[Content], joins: bool) -> Vec<(usize, Vec<u8>)> {
    // What was renamed goes on in what took its name.
    let mut logs: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        let before = content.before.filter(|_| joins);
        let log = before.and_then(|before| logs.iter_mut().find(|(last, ..)| *last == before));
        match log.filter(|(.., bytes)| bytes.is_empty() || bytes.ends_with(b"\n")) {
            Some(log) => {
                log.0 = number;
                log.2.extend(&content.bytes);
            }
            None => logs.push((number, content.source, content.bytes.clone())),
        }
    }
    let mut records: Vec<(usize, Vec<u8>)> = Vec::new();
    for (_, source, bytes) in logs {
        // How many lines and bytes the record has that may go on.
        let mut so_far = (0, 0);
        for written in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = written.strip_suffix(b"\n").unwrap_or(written);
            let len = line.len().min(MAX_LINE);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let head = &line[..line.len().min(MAX_LINE)];
            let (lines, bytes) = so_far;
            let goes_on =
                joins && lines > 0 && lines < MAX_LINES && bytes + len <= MAX_BYTES && line.starts_with(b" ");
            match records.last_mut().filter(|_| goes_on) {
                Some((_, record)) => {
                    record.push(b'\n');
                    record.extend(head);
                    so_far = (lines + 1, bytes + written.len());
                }
                None => {
                    records.push((source, head.to_vec()));
                    so_far = (1, written.len());
                }
            }
            if line.len() > MAX_LINE {
                so_far = (0, 0);
            }
        }
    }
    records
}

/// A name that is written to.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) source: usize,
    pub(super) path: PathBuf,
    /// Its place among the contents.
    content: usize,
    /// What is missing of a half line.
    rest: Vec<u8>,
    /// True once it exists.
    pub(super) there: bool,
    /// The newest content of this very file that was cut.
    pub(super) cut: Option<FileId>,
    /// When something was last done to it.
    pub(super) touched: Option<i64>,
}

/// A renamed log somebody may still write to.
#[derive(Debug)]
struct Rotated {
    path: PathBuf,
    content: usize,
    rest: Vec<u8>,
    at: i64,
}

/// What a writer is about to do to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Append,
    Rename,
    Truncate,
    CopyTruncate,
    Delete,
    Late,
}

#[derive(Debug)]
pub(super) struct Writers {
    pub(super) logs: Vec<Log>,
    rotated: Vec<Rotated>,
    pub(super) contents: Vec<Content>,
    lines: u32,
    rotations: u32,
    /// Draws which lines go on with a record.
    joins: Rng,
    /// The next line may go on with the record before it.
    goes_on: bool,
}

/// How long after its rename somebody may still write to a log: shorter than a nameless file is held.
const LATE_SPAN: i64 = 20_000_000;

impl Writers {
    pub(super) fn new(plan: &Plan) -> Writers {
        let mut writers = Writers {
            logs: Vec::new(),
            rotated: Vec::new(),
            contents: Vec::new(),
            lines: 0,
            rotations: 0,
            joins: Rng::with_seed(u64::from(plan.rounds)),
            goes_on: false,
        };
        for source in 0..plan.sources {
            for log in 0..plan.logs {
                let path = Plan::dir(source).join(format!("{log}.log"));
                let content = writers.content(source);
                writers.logs.push(Log {
                    source,
                    path,
                    content,
                    rest: Vec::new(),
                    there: false,
                    cut: None,
                    touched: None,
                });
            }
        }
        writers
    }

    fn content(&mut self, source: usize) -> usize {
        self.contents.push(Content { source, bytes: Vec::new(), before: None });
        self.contents.len() - 1
    }

    /// What to do to which log; the caller makes sure that it may be done.
    pub(super) fn choose(&self, plan: &Plan, rng: &mut Rng) -> (usize, Deed) {
        let deed = match (rng.u8(..40), plan.mood) {
            (0..3, _) => Deed::Rename,
            (3..5, Mood::Rough) => Deed::Truncate,
            (5, Mood::Rough) => Deed::CopyTruncate,
            (6..8, Mood::Rough) => Deed::Delete,
            (8..10, Mood::Rough) => Deed::Late,
            _ => Deed::Append,
        };
        (rng.usize(..self.logs.len()), deed)
    }

    /// True if the log ends with a whole line.
    pub(super) fn is_whole(&self, log: usize) -> bool {
        self.logs[log].rest.is_empty()
    }

    /// Appends lines; `wall_us` is what the writer's clock shows.
    pub(super) fn append(&mut self, disk: &FakeDisk, log: usize, plan: &Plan, wall_us: i64, rng: &mut Rng) {
        let mut bytes = std::mem::take(&mut self.logs[log].rest);
        let lines =
            if plan.mood == Mood::Rough && rng.u8(..40) == 0 { rng.u32(20..120) } else { rng.u32(..4) };
        // Gently, a record is written at once: what it leads to must not depend on when its end is seen. Nor does anything
        // go on that had time to end.
        self.goes_on &= plan.mood == Mood::Rough;
        if plan.mood == Mood::Rough && !self.contents[self.logs[log].content].bytes.is_empty() {
            self.goes_on = true;
        }
        for _ in 0..lines {
            bytes.extend(self.line(log, plan, wall_us, rng));
            self.goes_on = true;
        }
        if rng.u8(..4) == 0 {
            self.goes_on &= plan.mood == Mood::Rough;
            let line = self.line(log, plan, wall_us, rng);
            // What goes on in a new file does so at once, if only with its first byte.
            let cut = rng.usize(..line.len()).max(usize::from(line.starts_with(b" ")));
            bytes.extend(&line[..cut]);
            self.logs[log].rest = line[cut..].to_vec();
        }
        self.goes_on = false;
        self.put(disk, log, &bytes);
    }

    fn put(&mut self, disk: &FakeDisk, log: usize, bytes: &[u8]) {
        let log = &mut self.logs[log];
        disk.append(&log.path, bytes).expect("logs are files");
        log.there = true;
        self.contents[log.content].bytes.extend(bytes);
    }

    fn line(&mut self, log: usize, plan: &Plan, wall_us: i64, rng: &mut Rng) -> Vec<u8> {
        self.lines += 1;
        let gentle = plan.mood != Mood::Rough;
        let number = self.lines;
        // Gently, the lines of one key stand in one log, so that their order does not depend on who is read first.
        let key = match gentle {
            true => KEYS[log % KEYS.len()],
            false => KEYS[rng.usize(..KEYS.len())],
        };
        let rule = rng.usize(..plan.rules.len());
        let mut words = format!("hit {number:06} k={key}; it r{rule} again");
        match rng.u8(..20) {
            0..4 => words = format!("k={key}; up r{rule}"),
            4 => words = format!("nothing {number}"),
            5 => words = format!("hit {number:06} k={key}; r{rule} r{}", rng.usize(..plan.rules.len())),
            _ => {}
        }
        let mut line = match rng.u8(..16) {
            // Gently with a stamp: behind the bound of a record it is the first line of the next one.
            _ if plan.joins.is_some() && self.goes_on && self.joins.u8(..5) < 2 => {
                let stamp = if gentle { stamp(wall_us, "%Y-%m-%dT%H:%M:%S%.6fZ ") } else { Vec::new() };
                [b" at ", &stamp[..]].concat()
            }
            // What comes then may begin with a blank.
            0 if plan.odd_stamps && plan.joins.is_none() => Vec::new(),
            1 if plan.odd_stamps => stamp(wall_us, "%b %d %H:%M:%S "),
            2 | 3 if plan.odd_stamps => stamp(wall_us - rng.i64(0..30_000_000), "%Y-%m-%dT%H:%M:%S%.6fZ "),
            4 if plan.odd_stamps => stamp(wall_us - rng.i64(0..4_000_000_000), "%Y-%m-%dT%H:%M:%S%.6fZ "),
            5 if plan.odd_stamps => stamp(wall_us + rng.i64(0..20_000_000), "%Y-%m-%dT%H:%M:%S%.6fZ "),
            _ => stamp(wall_us, "%Y-%m-%dT%H:%M:%S%.6fZ "),
        };
        let mut filler = |most: usize| -> Vec<u8> {
            let len = rng.usize(..most);
            (0..len).map(|_| if plan.garbage { rng.u8(b'\n' + 1..) } else { b'.' }).collect()
        };
        if plan.long_lines && self.lines.is_multiple_of(7) {
            // Sometimes the words lie behind what is looked at.
            line.extend(filler(1200));
        }
        line.extend(words.as_bytes());
        line.push(b' ');
        line.extend(filler(if plan.long_lines && self.lines.is_multiple_of(5) { 3000 } else { 30 }));
        line.extend(if rng.u8(..6) == 0 { &b"\r\n"[..] } else { &b"\n"[..] });
        line
    }

    /// Renames a log; its name is free afterwards.
    pub(super) fn rename(&mut self, disk: &FakeDisk, log: usize, now: i64) -> String {
        self.rotations += 1;
        let source = self.logs[log].source;
        let content = self.content(source);
        let log = &mut self.logs[log];
        let to = PathBuf::from(format!("{}.{}", log.path.display(), self.rotations));
        disk.rename(&log.path, &to).expect("it is there");
        self.contents[content].before = Some(log.content);
        let rotated = Rotated {
            path: to.clone(),
            content: std::mem::replace(&mut log.content, content),
            rest: std::mem::take(&mut log.rest),
            at: now,
        };
        self.rotated.push(rotated);
        log.there = false;
        log.cut = None;
        // A record goes on in one other file, not in a third.
        let old = self.rotated.last().map_or(&[][..], |old| &self.contents[old.content].bytes);
        self.goes_on = old.split(|byte| *byte == b'\n').any(|line| !line.is_empty() && line[0] != b' ');
        to.display().to_string()
    }

    /// Writes to a log that was renamed a moment ago.
    pub(super) fn late(
        &mut self,
        disk: &FakeDisk,
        plan: &Plan,
        wall_us: i64,
        now: i64,
        rng: &mut Rng,
    ) -> bool {
        self.rotated.retain(|rotated| now - rotated.at < LATE_SPAN);
        if self.rotated.is_empty() {
            return false;
        }
        let which = rng.usize(..self.rotated.len());
        let line = self.line(0, plan, wall_us, rng);
        let rotated = &mut self.rotated[which];
        let mut bytes = std::mem::take(&mut rotated.rest);
        bytes.extend(line);
        disk.append(&rotated.path, &bytes).expect("rotated logs stay");
        self.contents[rotated.content].bytes.extend(bytes);
        true
    }

    /// Cuts a log to nothing.
    pub(super) fn truncate(&mut self, disk: &FakeDisk, log: usize) {
        disk.truncate(&self.logs[log].path, 0).expect("it is there");
        self.logs[log].content = self.content(self.logs[log].source);
    }

    /// Copies a log, to its side or out of the way, and cuts it to nothing.
    pub(super) fn copy_truncate(&mut self, disk: &FakeDisk, log: usize, beside: bool) {
        self.rotations += 1;
        let number = self.rotations;
        let beside = beside.then(|| format!("{}.{number}", self.logs[log].path.display()));
        let copy = PathBuf::from(beside.unwrap_or_else(|| format!("/old/{number}")));
        disk.copytruncate(&self.logs[log].path, &copy).expect("it is there");
        self.logs[log].content = self.content(self.logs[log].source);
    }

    pub(super) fn delete(&mut self, disk: &FakeDisk, log: usize) {
        disk.unlink(&self.logs[log].path).expect("it is there");
        self.logs[log].there = false;
        self.logs[log].cut = None;
        self.logs[log].content = self.content(self.logs[log].source);
    }

    /// Ends every half line of a log that has a name to write to.
    pub(super) fn finish_lines(&mut self, disk: &FakeDisk) {
        for log in 0..self.logs.len() {
            let mut rest = std::mem::take(&mut self.logs[log].rest);
            if !rest.is_empty() {
                if rest.last() != Some(&b'\n') {
                    rest.push(b'\n');
                }
                self.put(disk, log, &rest);
            }
        }
    }

    /// Says in every source that everything is over.
    pub(super) fn finish(&mut self, disk: &FakeDisk, plan: &Plan, wall_us: i64) {
        for source in 0..plan.sources {
            let log = self.logs.iter().position(|log| log.source == source).expect("each source has a log");
            let mut bytes = Vec::new();
            for key in KEYS {
                for rule in 0..plan.rules.len() {
                    bytes.extend(stamp(wall_us, "%Y-%m-%dT%H:%M:%S%.6fZ "));
                    bytes.extend(format!("k={key}; up r{rule}\n").as_bytes());
                }
            }
            bytes.extend(stamp(wall_us, "%Y-%m-%dT%H:%M:%S%.6fZ "));
            bytes.extend(format!("{CENSUS_OVER}\n").as_bytes());
            self.put(disk, log, &bytes);
        }
    }
}

fn stamp(wall_us: i64, format: &str) -> Vec<u8> {
    let at = jiff::Timestamp::from_microsecond(wall_us).expect("the made clock shows sensible times");
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string().into_bytes()
}
