//! Up to when it is known which names there are.
//!
//! A sweep knows; and where every directory is watched, so does each later look at which no hint waits. So sweeps can be
//! rare while nothing moves: what they alone see is what the kernel tells nobody, as a file system that is mounted over a
//! directory, or what lies behind a link.

use std::time::Duration;

use super::disk::Disk;
use super::follow::LONGEST_PACE;
use super::{SWEEP, Tail};
use crate::model::Timestamp;

/// Between two sweeps at least, however many hints there are.
const HINT_PACE: Duration = Duration::from_millis(10);
/// What each file adds to that: some ten times what it costs in a sweep.
const HINT_PACE_PER_FILE: Duration = Duration::from_micros(20);
/// How long it is at most: a file that lives for a quarter of a second is to be seen, however many there are.
const LONGEST_HINT_PACE: Duration = Duration::from_millis(100);
/// Between two sweeps while a file is held back, or one is missing.
const UNSURE_PACE: Duration = Duration::from_millis(100);
/// Between two sweeps while everything is hinted.
const HINTED_SWEEP: Duration = Duration::from_secs(5);
/// What each file adds to that: so that idle files cost next to nothing.
const HINTED_SWEEP_PER_FILE: Duration = Duration::from_millis(6);
/// The rarest that names are swept.
const RAREST_SWEEP: Duration = Duration::from_secs(60);
/// Between two questions at least whether names have moved, so that it is known when they did.
const ASK_PACE: Duration = Duration::from_secs(5);

/// What is known of names.
#[derive(Debug)]
pub(super) struct Names {
    /// Up to when, and what the wall clock showed then.
    known: Option<(Timestamp, Timestamp)>,
    /// The last sweep left nothing that is not hinted.
    hinted: bool,
    /// Nothing was hinted since.
    still: bool,
    /// What the wall clock showed at first.
    begun: Timestamp,
}

impl Names {
    pub(super) fn new(now: Timestamp) -> Names {
        Names { known: None, hinted: false, still: false, begun: now }
    }

    /// Whether they were known less than `span` ago.
    pub(super) fn were_known_at(&self, now: Timestamp, span: Duration) -> bool {
        self.known.is_some_and(|(known, _)| now.since(known) <= span)
    }

    /// Whether they are known at least up to then.
    pub(super) fn are_known_to(&self, time: Timestamp) -> bool {
        self.known.is_some_and(|(known, _)| time <= known)
    }

    /// What the wall clock showed when they were known last.
    pub(super) fn known_wall(&self) -> Timestamp {
        self.known.map_or(self.begun, |(_, wall)| wall)
    }
}

impl<D: Disk> Tail<D> {
    /// Takes the hints there are about names.
    pub(super) fn take_names(&mut self, now: Timestamp) {
        if self.disk.hinted() {
            self.names.still = false;
            self.sweep_soon(now);
        } else if self.names.hinted && !self.disk.watching() {
            // There are none any more.
            self.names.hinted = false;
            let due = self.swept.map_or(now, |swept| swept.plus(SWEEP * self.load()));
            self.next_sweep = self.next_sweep.min(due);
        } else if self.names.hinted && self.names.still {
            self.names.known = Some((now, self.wall));
            self.swept_to = self.swept_to.max(self.wall);
        }
    }

    /// Makes the next sweep come as soon as its pace allows: names that move all the time must not cost a sweep at each
    /// look.
    pub(super) fn sweep_soon(&mut self, now: Timestamp) {
        let gap = (HINT_PACE + HINT_PACE_PER_FILE.saturating_mul(self.many())).min(LONGEST_HINT_PACE);
        let soon = self.swept.map_or(now, |swept| swept.plus(gap).max(now));
        self.next_sweep = self.next_sweep.min(soon);
    }

    /// As [`Tail::sweep`], if one is due or has begun.
    pub(super) fn sweep_if_due(&mut self, now: Timestamp) -> bool {
        let is_due = self.round.is_some() || now >= self.next_sweep;
        !is_due || self.sweep(now)
    }

    /// A sweep has found them all; `linked`: what some of them lead to is not in a directory that is watched.
    pub(super) fn names_are_known(&mut self, linked: bool, now: Timestamp) {
        self.names.known = Some((now, self.wall));
        self.names.hinted = self.disk.watching() && !linked;
        self.names.still = true;
    }

    /// When to ask again whether names have moved.
    pub(super) fn next_asking(&self) -> Option<Timestamp> {
        let (known, _) = self.names.known.filter(|_| self.names.hinted && self.names.still)?;
        Some(known.plus(ASK_PACE))
    }

    /// Between this sweep and the next one, if nothing is hinted.
    pub(super) fn sweep_pace(&mut self) -> Duration {
        let (mut missing, mut closed) = (false, false);
        let mut unasked = self.resting.iter().any(|(_, file)| !file.wish.asked);
        for file in self.files.values().filter(|file| !file.ended) {
            missing |= file.missing.is_some();
            unasked |= file.parked && !file.wish.asked;
            closed |= file.handle.is_none() && !file.parked;
        }
        let sure = self.held_back.is_empty() && !missing && !std::mem::take(&mut self.handles.short);
        // Nobody hints when what can not be looked at can be.
        let hinted = self.names.hinted && !closed && self.path_faults.is_empty();
        match () {
            () if !sure => UNSURE_PACE,
            // Only a sweep sees growth of a file that is parked without a hint.
            () if unasked => LONGEST_PACE * self.load(),
            () if hinted => (HINTED_SWEEP + HINTED_SWEEP_PER_FILE * self.many()).min(RAREST_SWEEP),
            () => SWEEP * self.load(),
        }
    }

    /// How many files there are.
    pub(super) fn many(&self) -> u32 {
        u32::try_from(self.files.len() + self.resting.len()).unwrap_or(u32::MAX)
    }
}
