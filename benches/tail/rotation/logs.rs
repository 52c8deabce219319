//! Logs that are written and rotated at random times, each kind in its own way, and what is known of each line.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::program::wait_until;

/// Between two writes to a log at most.
const PAUSE: Duration = Duration::from_secs(2);
/// No content is deleted or cut earlier after it came.
pub(crate) const LEAST_LIFE: Duration = Duration::from_millis(250);
/// Between two rotations at most, besides that.
const ROTATION: Duration = Duration::from_secs(10);
/// One in four comes so soon.
const SOON: Duration = Duration::from_millis(100);
/// How long a writer may go on with a file that was renamed or deleted.
const REOPENED: Duration = Duration::from_millis(100);
/// Between a copy and the cut.
const CUT: Duration = Duration::from_millis(5);
/// Rotated files that are kept.
const KEPT: usize = 3;

/// How a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By another name, and a new file.
    Rename,
    /// By a copy beside it, and a cut.
    Cut,
    /// It is deleted, and made anew.
    Delete,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Rename, Kind::Cut, Kind::Delete];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Rename => "rename",
            Kind::Cut => "copytruncate",
            Kind::Delete => "delete",
        }
    }
}

/// What was between two rotations.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Its lines.
    pub(crate) lines: Range<usize>,
    /// When it came.
    begun: Instant,
    /// When it was deleted or cut.
    pub(crate) over: Option<Instant>,
    /// Bytes that a `stat` showed right before.
    pub(crate) shown: u64,
}

impl Content {
    fn new(line: usize) -> Content {
        Content { lines: line..line, begun: Instant::now(), over: None, shown: 0 }
    }

    fn is_young(&self) -> bool {
        self.begun.elapsed() < LEAST_LIFE
    }

    /// How long it was there, if it is gone.
    pub(crate) fn lived(&self) -> Option<Duration> {
        self.over.map(|over| over - self.begun)
    }
}

/// A log, and all that was done to it.
pub(crate) struct Log {
    pub(crate) number: usize,
    path: PathBuf,
    out: File,
    /// Of each line, when it was there, and its bytes.
    pub(crate) lines: Vec<(Instant, u64)>,
    /// Until the one that is written now.
    pub(crate) contents: Vec<Content>,
}

/// What is done to a log next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Write,
    Rotate,
    Cut,
    Reopen,
}

/// Writes so many logs until then.
pub(crate) fn write(kind: Kind, paths: Vec<(usize, PathBuf)>, seed: u64, until: Instant) -> Vec<Log> {
    let mut rng = Rng::with_seed(seed);
    let mut logs: Vec<Log> = paths.into_iter().map(|(number, path)| Log::new(number, path)).collect();
    let begin = Instant::now();
    let mut steps = BinaryHeap::new();
    for at in 0..logs.len() {
        steps.push(Reverse((begin + up_to(PAUSE, &mut rng), at, Step::Write)));
        steps.push(Reverse((begin + life(kind, &mut rng), at, Step::Rotate)));
    }
    while let Some(Reverse((due, at, step))) = steps.pop() {
        if due.max(Instant::now()) > until {
            // What was renamed last is found when another has its name.
            if step == Step::Reopen {
                logs[at].reopen();
            }
            continue;
        }
        wait_until(due);
        let log = &mut logs[at];
        let mut next = |after: Duration, step| steps.push(Reverse((Instant::now() + after, at, step)));
        match step {
            Step::Write => {
                log.write(kind, &mut rng);
                next(up_to(PAUSE, &mut rng), Step::Write);
            }
            Step::Rotate if kind == Kind::Rename && log.oldest().is_some_and(|oldest| oldest.is_young()) => {
                next(LEAST_LIFE, Step::Rotate);
            }
            Step::Rotate => {
                log.rotate(kind, &mut rng);
                match kind {
                    Kind::Cut => next(up_to(CUT, &mut rng), Step::Cut),
                    Kind::Rename | Kind::Delete => next(up_to(REOPENED, &mut rng), Step::Reopen),
                }
            }
            Step::Cut | Step::Reopen => {
                if step == Step::Cut {
                    log.cut();
                } else {
                    log.reopen();
                }
                next(life(kind, &mut rng), Step::Rotate);
                // A log goes on at once as often as not.
                if rng.bool() {
                    log.write(kind, &mut rng);
                }
            }
        }
    }
    logs
}

fn up_to(most: Duration, rng: &mut Rng) -> Duration {
    most.mul_f64(rng.f64())
}

/// Until the next rotation. What is renamed is not gone yet, so that may come at once.
fn life(kind: Kind, rng: &mut Rng) -> Duration {
    let least = if kind == Kind::Rename { Duration::ZERO } else { LEAST_LIFE };
    least + up_to(if rng.u8(..4) == 0 { SOON } else { ROTATION }, rng)
}

impl Log {
    fn new(number: usize, path: PathBuf) -> Log {
        let out = append(&path);
        Log { number, path, out, lines: Vec::new(), contents: vec![Content::new(0)] }
    }

    /// A line or two, each in pieces as likely as not.
    fn write(&mut self, kind: Kind, rng: &mut Rng) {
        for _ in 0..rng.usize(1..=2) {
            let (number, more) = (self.lines.len(), "x".repeat(rng.usize(..100)));
            let line = format!("{} {} {number} {more} end\n", kind.as_str(), self.number);
            let at = rng.usize(..line.len()) * usize::from(rng.bool());
            for piece in [&line[..at], &line[at..]] {
                self.out.write_all(piece.as_bytes()).expect("room for a line");
            }
            self.lines.push((Instant::now(), line.len() as u64));
            self.written().lines.end += 1;
        }
    }

    /// What is deleted with the next rotation by another name.
    fn oldest(&mut self) -> Option<&mut Content> {
        let at = self.contents.len().checked_sub(1 + KEPT)?;
        self.contents.get_mut(at)
    }

    /// What is written now.
    fn written(&mut self) -> &mut Content {
        self.contents.last_mut().expect("there is always one")
    }

    fn rotate(&mut self, kind: Kind, rng: &mut Rng) {
        match kind {
            Kind::Delete => self.over(|path| fs::remove_file(path).expect("it was made here")),
            Kind::Rename => {
                self.shift();
                if let Some(oldest) = self.oldest() {
                    oldest.over = Some(Instant::now());
                }
                fs::rename(&self.path, self.name(1)).expect("it was made here");
                // As `create` of logrotate does, or as a program does that opens its log when it has something to say.
                if rng.bool() {
                    drop(append(&self.path));
                }
            }
            Kind::Cut => {
                self.shift();
                fs::copy(&self.path, self.name(1)).expect("room for a copy");
                if rng.bool() {
                    self.write(kind, rng);
                }
            }
        }
    }

    /// Gives each rotated file the name of the one before it; the oldest goes.
    fn shift(&self) {
        for number in (1..=KEPT).rev() {
            let name = self.name(number);
            let moved =
                if number == KEPT { fs::remove_file(name) } else { fs::rename(name, self.name(number + 1)) };
            drop(moved);
        }
    }

    fn name(&self, number: usize) -> PathBuf {
        self.path.with_added_extension(number.to_string())
    }

    /// The content is gone with this.
    fn over(&mut self, end: impl FnOnce(&Path)) {
        self.written().shown = fs::metadata(&self.path).expect("it was made here").len();
        end(&self.path);
        self.written().over = Some(Instant::now());
    }

    fn cut(&mut self) {
        let out = self.out.try_clone().expect("a descriptor");
        self.over(|_| out.set_len(0).expect("it can be cut"));
        self.contents.push(Content::new(self.lines.len()));
    }

    fn reopen(&mut self) {
        self.out = append(&self.path);
        self.contents.push(Content::new(self.lines.len()));
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("room for a log")
}
