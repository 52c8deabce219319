//! What happened, in words, and what went wrong.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Something that must never be seen.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Who saw it.
    pub(super) checker: &'static str,
    /// What it saw.
    pub(super) what: String,
}

impl Failure {
    pub(super) fn new(checker: &'static str, what: impl Into<String>) -> Failure {
        Failure { checker, what: what.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checker `{}`: {}", self.checker, self.what)
    }
}

/// The run, line by line.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Vec<String>,
}

impl Trace {
    pub(super) fn say(&mut self, mono_us: i64, what: impl fmt::Display) {
        self.lines.push(format!("{:>12.6} {what}", Seconds(mono_us)));
    }

    /// The same for the same run.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.lines.hash(&mut hasher);
        hasher.finish()
    }

    /// The last `most` lines.
    pub(super) fn tail(&self, most: usize) -> String {
        self.lines[self.lines.len().saturating_sub(most)..].join("\n")
    }
}

struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}
