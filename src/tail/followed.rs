//! One content of one source: what is known of it while it is not at rest.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::disk::Fault;
use super::evidence::Evidence;
use super::follow::Progress;
use super::note::Phase;
use super::{RETRY, sweep, wake};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Locator;

/// Between two attempts while file handles have run out.
const MOST_RETRY: Duration = Duration::from_secs(30);
/// How many former names of a content are remembered.
const MOST_FORMER: usize = 4;

/// One content of one source.
#[derive(Debug)]
pub(super) struct Followed<F> {
    pub(super) source: SourceName,
    /// Shared with whoever was told of it: paths are a good part of what is kept of a quiet file.
    pub(super) path: Arc<Path>,
    /// The names before, the latest first.
    pub(super) former: Vec<Arc<Path>>,
    pub(super) locator: Locator,
    /// When the file was born, as far as its file system tells.
    pub(super) born: Option<Timestamp>,
    pub(super) links: u64,
    pub(super) handle: Option<F>,
    /// It has no handle because it is quiet, and is known as well as if it had.
    pub(super) parked: bool,
    pub(super) progress: Progress,
    pub(super) evidence: Evidence,
    /// The block that is being scanned, where only scanning can tell how far it will be consumed: of a source whose lines
    /// are joined, or whose line ends are not told by a byte.
    pub(super) block: Vec<u8>,
    /// Bytes from the position on that were offered and may go on, of such a source.
    pub(super) rest: Vec<u8>,
    /// The content that had the name before, whose rest may go on at the beginning of this one.
    pub(super) before: Option<FileId>,
    /// The content that has the name now.
    pub(super) after: Option<FileId>,
    /// What the block that is being scanned begins with: so many bytes of that content's rest.
    pub(super) carried: usize,
    /// Its bytes are gone, and its rest is read for the last time.
    pub(super) leftover: bool,
    /// Bytes that are known to be lost of this file, whatever contents it had.
    pub(super) lost: u64,
    /// It was compressed since, and is read as that.
    pub(super) packed: bool,
    pub(super) announced: bool,
    pub(super) fault: Option<Fault>,
    /// The fault came from a read, so only a read can show that it is over.
    pub(super) reads_fail: bool,
    /// A read failed since the last look.
    pub(super) blocked: bool,
    pub(super) backoff: Backoff,
    pub(super) wish: wake::Wish,
    /// Since when no name of it is found, while nothing proves that there is none.
    pub(super) missing: Option<Timestamp>,
    pub(super) ended: bool,
    pub(super) due: Timestamp,
}

/// When a thing that failed may be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) at: Timestamp,
    pub(super) wait: Duration,
}

impl Backoff {
    pub(super) const NONE: Backoff = Backoff { at: Timestamp::MIN, wait: Duration::ZERO };

    /// Exhausted handles are waited for longer and longer; everything else is tried at each sweep.
    pub(super) fn after(self, fault: &Fault, now: Timestamp) -> Backoff {
        if !fault.crowded {
            return Backoff::NONE;
        }
        let wait = (self.wait * 2).clamp(RETRY, MOST_RETRY);
        Backoff { at: now.plus(wait), wait }
    }
}

impl<F> Followed<F> {
    pub(super) fn new(
        source: SourceName,
        path: Arc<Path>,
        locator: Locator,
        progress: Progress,
    ) -> Followed<F> {
        Followed {
            source,
            path,
            former: Vec::new(),
            locator,
            born: None,
            links: 1,
            handle: None,
            parked: false,
            progress,
            evidence: Evidence::default(),
            block: Vec::new(),
            rest: Vec::new(),
            before: None,
            after: None,
            carried: 0,
            leftover: false,
            lost: 0,
            packed: false,
            announced: false,
            fault: None,
            reads_fail: false,
            blocked: false,
            backoff: Backoff::NONE,
            wish: wake::Wish::default(),
            missing: None,
            ended: false,
            due: Timestamp::MIN,
        }
    }

    /// It has another name now.
    pub(super) fn rename(&mut self, path: Arc<Path>) {
        let before = std::mem::replace(&mut self.path, path);
        self.former.retain(|name| *name != before);
        self.former.insert(0, before);
        self.former.truncate(MOST_FORMER);
    }

    /// Every name it is known to have had.
    pub(super) fn names(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.path).chain(&self.former).map(|name| &**name)
    }

    #[inline]
    pub(super) fn problem(&self) -> Option<&str> {
        let missing = self.missing.map(|_| sweep::NOT_FOUND);
        self.fault.as_ref().map(|fault| fault.text.as_str()).or(missing)
    }

    pub(super) fn wants(&self) -> bool {
        if self.leftover {
            return !self.ended && !self.progress.is_out();
        }
        !self.ended && !self.blocked && self.handle.is_some() && self.progress.wants()
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        if self.ended {
            Phase::Ended
        } else if self.leftover {
            Phase::Behind
        } else if (self.handle.is_none() && !self.parked) || self.fault.is_some() {
            Phase::Unreadable
        } else if !self.progress.at_end() {
            Phase::Behind
        } else if self.progress.gone.is_some() {
            Phase::Draining
        } else {
            Phase::AtEnd
        }
    }
}
