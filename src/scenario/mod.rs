//! Tests of rules, once they are believed, and what becomes of them: the engine of the daemon on a clock that is only a
//! number. Pure: files are read before, and what is printed comes after.
//!
//! [`lines()`] asks which rules take a line, [`play()`] lets lines come at their times and
//! holds what left against what was expected, [`Coverage`] says which patterns nothing has reached.

mod coverage;
mod expected;
mod play;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

pub use coverage::{Coverage, Uncovered};
pub use expected::{Expected, Number, Sent, What};
pub use play::{Difference, LineVerdict, Row, Took, Verdict, lines, play};

pub use world::MAX_LINE;

use crate::model::{Envelope, Format, SourceName, Timestamp};
use crate::rule::Multiline;

/// Lines that come in a test, and moments at which something is looked at, at most: a test takes seconds, not days.
pub const MOST_TURNS: u64 = 1_000_000;

/// What a test may send, at most: all of it is kept.
pub const MOST_SENT: usize = 100_000;

/// What lines are made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formats {
    /// Those of sources that are not named.
    pub others: Format,
    /// Those of these sources.
    pub named: BTreeMap<SourceName, Format>,
}

impl Formats {
    /// What the lines of a source are made of.
    pub fn of(&self, source: &SourceName) -> Format {
        self.named.get(source).copied().unwrap_or(self.others)
    }

    /// All that occur.
    pub fn all(&self) -> impl Iterator<Item = Format> {
        self.named.values().copied().chain([self.others])
    }
}

/// All tests of one file.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// Globs of the rule files that are tested, absolute or relative to where the program stands; empty: the rules that
    /// stand in the file itself.
    pub rules: Vec<PathBuf>,
    /// What their rules are read for: if lines of any test have fields, all formats with fields that there are, so that
    /// rules may name fields; else the plain one.
    pub formats: Vec<Format>,
    /// `[[line]]`.
    pub lines: Vec<LineTest>,
    /// `[[test]]`.
    pub tests: Vec<Scenario>,
}

/// `[[line]]`: one line, or the lines of a sample, by themselves.
#[derive(Clone, Debug)]
pub struct LineTest {
    /// Where its header stands.
    pub header: Range<usize>,
    /// The source it comes from.
    pub source: SourceName,
    /// What they are made of.
    pub format: Format,
    /// How they are joined to records.
    pub multiline: Option<Multiline>,
    /// What a container runtime has written around them.
    pub envelope: Option<Envelope>,
    /// Path of their file; `None`: one that is made of the name of the source.
    pub path: Option<String>,
    /// Which lines.
    pub from: Lines,
    /// Which rules take it; of a sample the lines say it themselves.
    pub takes: Vec<Takes>,
    /// Where `rule` and `captures` stand in the file, if they do; and where they can be written if not.
    pub places: BTreeMap<&'static str, Range<usize>>,
    /// Behind its last key.
    pub end: usize,
}

/// Where lines of a test come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// They stand there.
    Text(String),
    /// A file, absolute or relative to where the program stands.
    Sample(PathBuf),
}

/// A rule that takes a line, and what it must have captured; other captures may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// Its name.
    pub rule: String,
    /// Names and values; the empty text is also what took no part.
    pub captures: BTreeMap<String, String>,
}

/// `[[test]]`: what happens, and what has to come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where its header stands.
    pub header: Range<usize>,
    /// What it shows.
    pub name: String,
    /// When it begins.
    pub start: Timestamp,
    /// Zone of stamps that name none.
    pub tz: TimeZone,
    /// The observer's scope.
    pub scope: String,
    /// What its lines are made of.
    pub formats: Formats,
    /// How they are joined to records.
    pub multiline: Option<Multiline>,
    /// What a container runtime has written around them.
    pub envelope: Option<Envelope>,
    /// Path of their file; `None`: one that is made of the name of the source.
    pub path: Option<String>,
    /// Whether the log's own stamps count; else a line is of the moment at which it comes.
    pub own_stamps: bool,
    /// In the order of the file.
    pub feed: Vec<Feed>,
    /// Everything that leaves, in order; `None`: not asked.
    pub sent: Option<Vec<Expected>>,
    /// Where `sent` stands.
    pub sent_at: Option<Range<usize>>,
    /// What is open at some moments.
    pub open: Vec<OpenAt>,
    /// How long it lasts at least, counted from `start`.
    pub until: Duration,
}

/// The path of the file in which lines of a source stand, if it is not said.
fn path_of(path: Option<&String>, source: &SourceName) -> Arc<Path> {
    let path = path.cloned().unwrap_or_else(|| format!("/var/log/{source}.log"));
    Path::new(&path).into()
}

/// Something that happens once or several times.
#[derive(Clone, Debug)]
pub struct Feed {
    /// When, counted from the start.
    pub at: Duration,
    /// Between two times.
    pub every: Duration,
    /// How often.
    pub times: u32,
    /// What.
    pub what: Happens,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Happens {
    /// Lines come from a source.
    Lines(SourceName, Lines),
    /// The program is killed, and comes back so much later.
    Restart(Duration),
    /// These rules are put in force; none: the same again. Their place among [`Scenario::reloads`].
    Reload(Vec<PathBuf>),
    /// The file of the source, or of all, is rotated: what comes goes into a new one.
    Rotate(Option<SourceName>),
    /// The file can not be read.
    Blind(Option<SourceName>),
    /// It can be read again.
    Seeing(Option<SourceName>),
}

/// What is open at a moment: all of it.
#[derive(Clone, Debug)]
pub struct OpenAt {
    /// When, counted from the start; what happens at that very moment has happened.
    pub at: Duration,
    /// Which alerts.
    pub alerts: Vec<Expected>,
}

impl Feed {
    /// How many lines come of it, or how often something else happens; of a sample, whose lines are not known here, one.
    pub fn turns(&self) -> u64 {
        let lines = match &self.what {
            Happens::Lines(_, Lines::Text(text)) => text.lines().count().max(1) as u64,
            _ => 1,
        };
        lines.saturating_mul(self.times.into())
    }
}

impl Scenario {
    /// The rule files of all its reloads, in their order.
    pub fn reloads(&self) -> impl Iterator<Item = &[PathBuf]> {
        self.feed.iter().filter_map(|feed| match &feed.what {
            Happens::Reload(rules) if !rules.is_empty() => Some(rules.as_slice()),
            _ => None,
        })
    }

    /// The samples it feeds.
    pub fn samples(&self) -> impl Iterator<Item = &PathBuf> {
        self.feed.iter().filter_map(|feed| match &feed.what {
            Happens::Lines(_, Lines::Sample(path)) => Some(path),
            _ => None,
        })
    }

    /// The last moment that it speaks of, counted from the start.
    pub fn lasts(&self) -> Duration {
        let fed = self.feed.iter().map(|feed| feed.at + feed.every * feed.times.saturating_sub(1));
        let sent = self.sent.iter().flatten().filter_map(|expected| expected.at);
        let open = self.open.iter().map(|open| open.at);
        fed.chain(sent).chain(open).chain([self.until]).max().unwrap_or_default()
    }
}
