//! A tail under test, with an engine that does nothing but write down what it is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::disk::{Disk, Kind};
use super::fake::FakeDisk;
use super::{Loss, Note, REMEMBER, Tail, TailKind, Turn};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Saved;
use crate::settings::{Source, Start};

/// A source over these globs, those with a `!` left out; begins at the end, flushes after 5 s.
pub(crate) fn source(name: &str, globs: &[&str]) -> Source {
    Source {
        name: SourceName::new(name),
        files: globs.iter().filter(|glob| !glob.starts_with('!')).map(PathBuf::from).collect(),
        exclude: globs.iter().filter_map(|glob| glob.strip_prefix('!')).map(str::to_owned).collect(),
        follow_symlinks: false,
        stream: None,
        start: Start::End,
        tz: jiff::tz::TimeZone::UTC,
        max_age: Duration::from_secs(900),
        flush: Duration::from_secs(5),
        max_line: 64 * 1024,
        multiline: None,
        encoding: None,
        envelope: None,
        format: crate::model::Format::Plain,
        repeats: false,
        labels: Vec::new(),
        redact: Default::default(),
        own: Default::default(),
    }
}

/// A tail and an engine that does nothing but write down what it is told. Each round is committed.
pub(crate) struct Bench<D: Disk> {
    pub(crate) sources: Vec<Source>,
    pub(crate) tail: Option<Tail<D>>,
    pub(crate) saved: Saved,
    pub(crate) now: Timestamp,
    /// By how much the wall clock is ahead of `now`, in microseconds.
    pub(crate) wall_ahead: i64,
    pub(crate) buffer: usize,
    /// Handles of quiet files.
    pub(crate) quiet: usize,
    pub(crate) told: Vec<String>,
    remembered: Vec<(Timestamp, FileId)>,
}

impl Bench<FakeDisk> {
    /// A round so many milliseconds later, by the clock of the disk too.
    pub(crate) fn pass(&mut self, disk: &FakeDisk, ms: i64) {
        self.now = Timestamp(self.now.0 + ms * 1000);
        disk.set_time(self.now);
        self.round();
    }
}

impl<D: Disk> Bench<D> {
    pub(crate) fn new(sources: Vec<Source>) -> Bench<D> {
        let now = Timestamp::from_secs(1000);
        let saved = Saved::default();
        Bench {
            sources,
            tail: None,
            saved,
            now,
            wall_ahead: 0,
            buffer: 4096,
            quiet: 512,
            told: Vec::new(),
            remembered: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self, disk: D) {
        let mut tail = Tail::new(disk, &self.sources, &mut self.saved.clone(), self.now);
        tail.handles.quiet = self.quiet;
        self.tail = Some(tail);
    }

    /// What the wall clock shows.
    pub(crate) fn wall(&self) -> Timestamp {
        Timestamp(self.now.0 + self.wall_ahead)
    }

    /// Looks once and reads all that is ready; then commits.
    pub(crate) fn round(&mut self) {
        let wall = self.wall();
        let tail = self.tail.as_mut().expect("started");
        while !tail.look(self.now, wall) {}
        assert!(tail.next_wake() > self.now, "the next wake-up lies after now");
        let mut buffer = vec![0; self.buffer];
        loop {
            for note in tail.take_notes() {
                if let Note::Ended { file, remember: true } = note {
                    self.remembered.push((self.now.plus(REMEMBER), file));
                }
                write_note(note, &mut self.told, &mut self.saved);
            }
            let ready = tail.ready();
            if ready.is_empty() {
                break;
            }
            for ready in ready {
                let Some(turn) = tail.read(ready.file, &mut buffer, self.now) else { continue };
                assert!(!tail.ready().iter().any(|other| other.file == ready.file), "one turn at a time");
                let block = &buffer[..turn.len];
                if self.sources.iter().any(|source| source.multiline.is_some()) {
                    let consumed = records(ready.file, &turn, block, &mut self.told);
                    tail.consumed(ready.file, consumed, false, self.now);
                    continue;
                }
                let lines_end = memchr::memrchr(b'\n', block).map_or(0, |at| at + 1);
                let (lines, rest) = block.split_at(lines_end);
                for line in lines.split_inclusive(|byte| *byte == b'\n') {
                    let text = String::from_utf8_lossy(&line[..line.len() - 1]).into_owned();
                    self.told.push(format!("{}:{text}", ready.file.0));
                }
                let mark = match turn.tail {
                    TailKind::Wait => None,
                    TailKind::Flush => Some('~'),
                    TailKind::Final => Some('$'),
                };
                if let Some(mark) = mark.filter(|_| !rest.is_empty()) {
                    self.told.push(format!("{}{mark}{}", ready.file.0, String::from_utf8_lossy(rest)));
                }
                let consumed = if turn.tail == TailKind::Final { turn.len } else { lines_end };
                assert!(consumed > 0 || turn.len < self.buffer, "a full block has a line");
                tail.consumed(ready.file, consumed, false, self.now);
            }
        }
        self.remembered.retain(|(until, file)| !tail.has_told_copies(*file, *until));
        let rows = tail.files.iter().map(|(id, file)| (*id, file.progress.position, file.ended));
        let rows = rows.chain(tail.resting.iter().map(|(id, file)| (id, file.progress.position, false)));
        for (id, position, ended) in rows.collect::<Vec<_>>() {
            if ended && !self.remembered.iter().any(|(_, file)| *file == id) {
                tail.forget(id);
            }
            match tail.save(id, position, false) {
                Some(row) => _ = self.saved.files.insert(id, row),
                None => _ = self.saved.files.remove(&id),
            }
        }
        self.saved.next_file = tail.next_file();
        self.saved.swept_to = tail.swept_to();
    }
}

/// Joins lines that begin with a blank to the one before them, as scanning does; says how much is consumed.
fn records(file: FileId, turn: &Turn, block: &[u8], told: &mut Vec<String>) -> usize {
    let whole = memchr::memrchr(b'\n', block).map_or(0, |at| at + 1);
    let end = if turn.tail == TailKind::Wait { whole } else { block.len() };
    let begins = |at: &usize| *at == 0 || block[*at - 1] == b'\n' && block[*at] != b' ';
    let begins: Vec<usize> = (0..end).filter(begins).collect();
    let mut consumed = 0;
    for (number, from) in begins.iter().enumerate() {
        let to = begins.get(number + 1).copied().unwrap_or(end);
        consumed = *from;
        let mark = match turn.tail {
            _ if to < end => ':',
            TailKind::Wait => return consumed,
            TailKind::Flush => '~',
            TailKind::Final => '$',
        };
        let begun = turn.carried.filter(|(_, len)| from < len).map_or(file, |(at, _)| at.file);
        let text = String::from_utf8_lossy(&block[*from..to]).trim_end().replace('\n', "|");
        told.push(format!("{}{mark}{text}", begun.0));
    }
    if turn.tail == TailKind::Final { block.len() } else { consumed }
}

fn write_note(note: Note, told: &mut Vec<String>, saved: &mut Saved) {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let who = |file: Option<FileId>, path: &Path| match file {
        Some(file) => format!("{} {}", file.0, name(path)),
        None => name(path),
    };
    told.push(match note {
        Note::SourceKnown(row) => {
            saved.sources.push(row);
            return;
        }
        Note::Opened { file, path, from, .. } => format!("open {} {} at {from}", file.0, name(&path)),
        Note::Renamed { file, path } => format!("name {} {}", file.0, name(&path)),
        Note::Vanished { file } => format!("gone {}", file.0),
        Note::Replaced { file } => format!("replaced {}", file.0),
        Note::Truncated { file, next, lost, .. } => format!("cut {} to {} lost {lost}", file.0, next.0),
        Note::Unreadable { file, path, error, .. } => {
            format!("blind {}: {}", who(file, &path), error.split(" (").next().unwrap())
        }
        Note::Readable { file, path, .. } => format!("sees {}", who(file, &path)),
        Note::LeftAlone { path, kind, .. } => {
            format!(
                "{} {}",
                match kind {
                    Kind::Link => "link",
                    Kind::Own => "own",
                    _ => "odd",
                },
                name(&path)
            )
        }
        Note::Packed { path, .. } => format!("packed {}", name(&path)),
        Note::Lost { file, from, how: Loss::Packed, lost, .. } => {
            format!("packed {} lost {lost} from {from}", file.0)
        }
        Note::Lost { file, from, .. } => format!("lost {} from {from}", file.0),
        Note::CutShort { file, lost, .. } => format!("short {} lost {lost}", file.0),
        Note::GivenUp { file, lost, .. } => format!("given up {} lost {lost}", file.0),
        Note::Polled { error } => format!("polled: {}", error.split(" (").next().unwrap()),
        Note::Hinted => "hinted".to_owned(),
        Note::Ended { file, .. } => format!("end {}", file.0),
    });
}
