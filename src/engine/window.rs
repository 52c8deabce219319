//! The matches of one key inside (t − span, t], exact to the microsecond.
//!
//! Kept as chunks so that a commit writes what changed: matches arrive at the end, hence only the last chunk is
//! rewritten; chunks that have left the window are removed as a whole.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;
use crate::saved::Entry;

/// Entries of a chunk: 4 KiB of memory, less on disk. Few in tests, which shall see many chunks.
const CHUNK_ENTRIES: usize = if cfg!(test) { 8 } else { 256 };

/// Entries a window holds at least before it forgets the oldest ones.
const ENTRIES_MIN: u64 = 4096;

/// The chunks of one key as they are saved, by their numbers.
pub(super) type Chunks = Vec<(u64, Vec<Entry>)>;

/// Matches of one key, in the order of time.
#[derive(Debug)]
pub(super) struct Window {
    span: Duration,
    chunks: VecDeque<Chunk>,
    /// Number of the chunk in front; numbers only grow.
    first: u64,
    /// Chunks with a change since the last [`Window::take_changes`] lie in this range, so that a commit does not look at
    /// all that is remembered.
    dirty: std::ops::Range<u64>,
    /// Chunks `gone.0 .. gone.1` were dropped since the last [`Window::take_changes`].
    gone: Option<(u64, u64)>,
    /// Sum of `n` over all entries.
    count: u64,
    /// How many entries there are.
    entries: u64,
    /// More entries than this are never held; the count saturates. At least twice what any comparison needs,
    /// so comparisons stay exact.
    entries_max: u64,
}

/// Never empty, except as the only one.
#[derive(Debug, Default)]
struct Chunk {
    entries: VecDeque<Entry>,
    dirty: bool,
}

impl Window {
    /// An empty window. `needed` is the largest count that must be told apart.
    pub(super) fn new(span: Duration, needed: u64) -> Window {
        Window {
            span,
            chunks: VecDeque::new(),
            first: 0,
            dirty: 0..0,
            gone: None,
            count: 0,
            entries: 0,
            entries_max: ENTRIES_MIN.max(needed.saturating_mul(2)),
        }
    }

    /// A window from its saved chunks. Chunks below `first` are leftovers and ignored.
    pub(super) fn load(span: Duration, needed: u64, first: u64, saved: Chunks) -> Window {
        let mut window = Window::new(span, needed);
        window.first =
            saved.iter().map(|(number, _)| *number).find(|number| *number >= first).unwrap_or(first);
        for (_, entries) in saved.into_iter().filter(|(number, _)| *number >= first) {
            window.entries += entries.len() as u64;
            window.count = entries.iter().fold(window.count, |sum, entry| sum.saturating_add(entry.n));
            window.chunks.push_back(Chunk { entries: entries.into(), dirty: false });
        }
        while window.entries > window.entries_max {
            window.pop_front();
        }
        window
    }

    /// Matches inside.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Number of the first chunk that is still needed.
    pub(super) fn first_chunk(&self) -> u64 {
        self.first
    }

    /// When the oldest entry leaves.
    pub(super) fn next_leave(&self) -> Option<Timestamp> {
        self.front().map(|entry| entry.time.plus(self.span))
    }

    /// When the newest entry leaves.
    pub(super) fn empty_at(&self) -> Option<Timestamp> {
        self.chunks.back()?.entries.back().map(|entry| entry.time.plus(self.span))
    }

    /// Adds a match. Late ones are put in their place.
    pub(super) fn insert(&mut self, time: Timestamp) {
        self.count = self.count.saturating_add(1);
        if self.chunks.is_empty() {
            self.chunks.push_back(Chunk::default());
        }
        // From the back: late lines are late by little.
        let mut at = self.chunks.len() - 1;
        while at > 0 && self.chunks[at].entries.front().is_some_and(|entry| time < entry.time) {
            at -= 1;
        }
        self.touch(at);
        let chunk = &mut self.chunks[at];
        let place = match chunk.entries.back() {
            Some(newest) if newest.time <= time => chunk.entries.len(),
            _ => chunk.entries.partition_point(|entry| entry.time <= time),
        };
        if place > 0 && chunk.entries[place - 1].time == time {
            chunk.entries[place - 1].n = chunk.entries[place - 1].n.saturating_add(1);
            return;
        }
        chunk.entries.insert(place, Entry { time, n: 1 });
        self.entries += 1;
        self.spill(at);
        if self.entries > self.entries_max {
            self.pop_front();
        }
    }

    /// Hands what a chunk holds too much to the next one.
    fn spill(&mut self, mut at: usize) {
        while self.chunks[at].entries.len() > CHUNK_ENTRIES {
            let Some(entry) = self.chunks[at].entries.pop_back() else { return };
            if at + 1 == self.chunks.len() {
                self.chunks.push_back(Chunk::default());
            }
            at += 1;
            self.chunks[at].entries.push_front(entry);
            self.touch(at);
        }
    }

    /// Notes that the chunk at `at` has to be written.
    fn touch(&mut self, at: usize) {
        self.chunks[at].dirty = true;
        let number = self.first + at as u64;
        self.dirty = if self.dirty.is_empty() {
            number..number + 1
        } else {
            self.dirty.start.min(number)..self.dirty.end.max(number + 1)
        };
    }

    /// Drops what lies at or before `at` − span.
    pub(super) fn expire(&mut self, at: Timestamp) {
        while self.next_leave().is_some_and(|leave| leave <= at) {
            self.pop_front();
        }
    }

    /// Drops what lies at or before `time`: a recovery line empties the window up to its own time.
    pub(super) fn clear_up_to(&mut self, time: Timestamp) {
        while self.front().is_some_and(|entry| entry.time <= time) {
            self.pop_front();
        }
        // Entries of the front chunk may have gone although the chunk stays: unlike an expiry, that can not be
        // told from the clock when the chunk is loaded again.
        if !self.chunks.is_empty() {
            self.touch(0);
        }
    }

    fn front(&self) -> Option<&Entry> {
        self.chunks.front()?.entries.front()
    }

    fn pop_front(&mut self) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        if let Some(entry) = chunk.entries.pop_front() {
            self.count = self.count.saturating_sub(entry.n);
            self.entries -= 1;
        }
        if chunk.entries.is_empty() {
            self.chunks.pop_front();
            self.gone = Some((self.gone.map_or(self.first, |(from, _)| from), self.first + 1));
            self.first += 1;
        }
    }

    /// Says which chunks changed since the last call: `Some` to be written, `None` to be removed.
    pub(super) fn take_changes(&mut self, mut say: impl FnMut(u64, Option<Vec<Entry>>)) {
        if let Some((from, to)) = self.gone.take() {
            (from..to).for_each(|number| say(number, None));
        }
        for number in std::mem::take(&mut self.dirty) {
            let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
            let Some(chunk) = at.and_then(|at| self.chunks.get_mut(at)) else { continue };
            if std::mem::take(&mut chunk.dirty) {
                say(number, Some(chunk.entries.iter().copied().collect()));
            }
        }
    }

    /// A window that replaces `old`: its chunks get numbers that were never used.
    pub(super) fn continue_after(&mut self, old: &Window) {
        let used = old.all_chunks();
        self.first = used.end;
        self.gone = (!used.is_empty()).then_some((used.start, used.end));
    }

    /// The chunks with their numbers, for a window that is loaded again under other rules.
    pub(super) fn into_chunks(self) -> impl Iterator<Item = (u64, Vec<Entry>)> {
        (self.first..).zip(self.chunks).map(|(number, chunk)| (number, chunk.entries.into()))
    }

    /// The numbers of all chunks that may be stored, for a key that is dropped.
    pub(super) fn all_chunks(&self) -> std::ops::Range<u64> {
        self.gone.map_or(self.first, |(from, _)| from)..self.first + self.chunks.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn the_left_edge_is_open_and_the_right_edge_closed() {
        let mut window = Window::new(Duration::from_secs(60), 3);
        for second in [0, 30, 60] {
            window.insert(at(second));
            window.expire(at(second));
        }
        assert_eq!(window.count(), 2, "the match at 0 s has left at 60 s");
        assert_eq!(window.next_leave(), Some(at(90)));
    }

    #[test]
    fn a_window_that_is_too_full_forgets_the_oldest() {
        let mut window = Window::new(Duration::from_secs(1 << 40), 10);
        (0..10_000).for_each(|second| window.insert(at(second)));
        assert_eq!(window.count(), ENTRIES_MIN);
        assert_eq!(window.front().map(|entry| entry.time), Some(at(10_000 - 4096)));
    }

    proptest! {
        #[test]
        fn counts_like_a_list_and_survives_a_reload(steps in prop::collection::vec((0i64..40, 0u8..12), 1..400)) {
            let span = Duration::from_secs(20);
            let (mut window, mut naive, mut stored) = (Window::new(span, 5), Vec::new(), std::collections::BTreeMap::new());
            let mut now = 0;
            for (seconds, what) in steps {
                match what {
                    0 => { now += 15; window.expire(at(now)); naive.retain(|t| *t > now - 20); }
                    1 => { let to = now - seconds / 2; window.clear_up_to(at(to)); naive.retain(|t| *t > to); }
                    2 => {
                        window.take_changes(|number, entries| { match entries { Some(e) => { stored.insert(number, e); } None => { stored.remove(&number); } } });
                        window = Window::load(span, 5, window.first_chunk(), stored.clone().into_iter().collect());
                        window.expire(at(now));
                    }
                    // Mostly forward, sometimes late.
                    3 => { let t = now - seconds % 20; window.insert(at(t)); naive.push(t); }
                    _ => { now += seconds / 13; window.expire(at(now)); naive.retain(|t| *t > now - 20); window.insert(at(now)); naive.push(now); }
                }
                prop_assert_eq!(window.count(), naive.len() as u64);
                prop_assert_eq!(window.next_leave(), naive.iter().min().map(|t| at(t + 20)));
            }
        }
    }
}
