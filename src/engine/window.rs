//! The matches of one key inside (t − span, t], exact to the microsecond.
//!
//! Kept as chunks so that a commit writes what changed: matches arrive at the end, hence only the last chunk is
//! rewritten; chunks that have left the window are removed as a whole.
//!
//! Memory is bounded. Where only the number of matches counts, the oldest are forgotten beyond what any comparison needs.
//! Otherwise a window that gets too full becomes coarse: times are cut to steps, and numbers whose order counts are
//! rounded by 1 % at most; what is alike then is one entry.

use std::collections::VecDeque;
use std::time::Duration;

use super::tally::{Keep, Sample, Tally, number};
use crate::model::{Timestamp, micros};
use crate::saved::Entry;

/// Entries of a chunk: 6 KiB of memory, less on disk. Few in tests, which shall see many chunks.
const CHUNK_ENTRIES: usize = if cfg!(test) { 8 } else { 256 };

/// Entries a window holds at least before it forgets the oldest ones or becomes coarse.
pub(super) const ENTRIES_MIN: u64 = if cfg!(test) { 256 } else { 8192 };

/// The first step of a coarse window, as a part of its span.
const FIRST_STEP: i64 = 64;
/// The longest step, as a part of its span. Beyond that the oldest entries are forgotten here too.
const LAST_STEP: i64 = 8;
/// Numbers of a coarse window are powers of this: 1 % to either side of the middle.
const ROUNDED: f64 = 1.02;

/// The chunks of one key as they are saved, by their numbers.
pub(super) type Chunks = Vec<(u64, Vec<Entry>)>;

/// What a window is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    pub(super) span: Duration,
    pub(super) keep: Keep,
    /// The largest count that must be told apart.
    pub(super) needed: u64,
}

/// Matches of one key, in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Window {
    span: Duration,
    keep: Keep,
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
    /// More entries than this are never held. At least twice what any comparison of a count needs, so comparisons stay
    /// exact.
    entries_max: u64,
    /// Times are cut to multiples of so many microseconds; 0: they are exact.
    step: i64,
    tally: Tally,
}

/// Never empty, except as the only one, or where newer matches of its texts took the places of all of its entries.
#[derive(Clone, Debug, Default)]
struct Chunk {
    entries: VecDeque<Entry>,
    dirty: bool,
    /// [`Keep::fold`] over its entries.
    number: Option<f64>,
}

impl Window {
    /// An empty window.
    pub(super) fn new(used: Use) -> Window {
        Window {
            span: used.span,
            keep: used.keep,
            chunks: VecDeque::new(),
            first: 0,
            dirty: 0..0,
            gone: None,
            count: 0,
            entries: 0,
            entries_max: match used.keep {
                Keep::Matches | Keep::Texts | Keep::EveryText => {
                    ENTRIES_MIN.max(used.needed.saturating_mul(2))
                }
                _ => ENTRIES_MIN,
            },
            step: 0,
            tally: Tally::new(used.keep),
        }
    }

    /// A window from its saved chunks, whose times were cut to `step`. Chunks below `first` are leftovers and ignored.
    pub(super) fn load(used: Use, first: u64, step: i64, saved: Chunks) -> Window {
        let mut window = Window::new(used);
        window.step = step;
        window.first =
            saved.iter().map(|(number, _)| *number).find(|number| *number >= first).unwrap_or(first);
        for (_, entries) in saved.into_iter().filter(|(number, _)| *number >= first) {
            window.entries += entries.len() as u64;
            window.count = entries.iter().fold(window.count, |sum, entry| sum.saturating_add(entry.n));
            entries.iter().for_each(|entry| window.tally.add(entry));
            window.chunks.push_back(Chunk {
                number: window.keep.fold(entries.iter()),
                entries: entries.into(),
                dirty: false,
            });
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

    /// Matches inside after `time`.
    pub(super) fn count_after(&self, time: Timestamp) -> u64 {
        let mut count = 0u64;
        for chunk in self.chunks.iter().rev() {
            let from = chunk.entries.partition_point(|entry| entry.time <= time);
            count = chunk.entries.range(from..).fold(count, |sum, entry| sum.saturating_add(entry.n));
            if from > 0 {
                break;
            }
        }
        count
    }

    /// The first match after `time`.
    pub(super) fn first_after(&self, time: Timestamp) -> Option<Timestamp> {
        let chunk =
            self.chunks.iter().find(|chunk| chunk.entries.back().is_some_and(|entry| entry.time > time))?;
        let from = chunk.entries.partition_point(|entry| entry.time <= time);
        chunk.entries.get(from).map(|entry| entry.time)
    }

    /// What the numbers of all matches come to, summed up or the lowest or highest of them; `None` without a match.
    pub(super) fn number(&self) -> Option<f64> {
        let mut numbers = self.chunks.iter().filter_map(|chunk| chunk.number);
        let first = numbers.next()?;
        numbers.try_fold(first, |so_far, number| self.keep.join(so_far, number))
    }

    /// See [`Tally::percentile`].
    pub(super) fn percentile(&self, percent: u8) -> Option<f64> {
        self.tally.percentile(percent, self.count)
    }

    /// How many different texts there are.
    pub(super) fn texts(&self) -> usize {
        self.tally.texts()
    }

    /// Number of the first chunk that is still needed.
    pub(super) fn first_chunk(&self) -> u64 {
        self.first
    }

    /// The step to which times are cut, in microseconds.
    pub(super) fn step(&self) -> i64 {
        self.step
    }

    /// When the oldest entry leaves.
    pub(super) fn next_leave(&self) -> Option<Timestamp> {
        self.front().map(|entry| entry.time.plus(self.span))
    }

    /// When the newest entry leaves.
    #[inline]
    pub(super) fn empty_at(&self) -> Option<Timestamp> {
        for chunk in self.chunks.iter().rev() {
            if let Some(newest) = chunk.entries.back() {
                return Some(newest.time.plus(self.span));
            }
        }
        None
    }

    /// Adds so many matches that bring the same. Late ones are put in their place.
    pub(super) fn insert(&mut self, time: Timestamp, sample: Sample, times: u32) {
        let entry = self.cut(self.keep.entry(time, sample, times));
        if self.keep == Keep::Texts {
            match self.tally.newest(entry.x) {
                Some(newest) if newest >= entry.time => return,
                Some(older) => self.take_out(older, entry.x),
                None => {}
            }
        }
        self.place(entry);
        if self.entries > self.entries_max {
            match self.keep {
                Keep::Matches | Keep::Texts => self.pop_front(),
                _ => self.become_coarse(),
            }
        }
    }

    fn place(&mut self, entry: Entry) {
        self.count = self.count.saturating_add(entry.n);
        self.tally.add(&entry);
        if self.chunks.is_empty() {
            self.chunks.push_back(Chunk::default());
        }
        // From the back: late lines are late by little.
        let mut at = self.chunks.len() - 1;
        while at > 0 && self.chunks[at].entries.front().is_none_or(|first| entry.time < first.time) {
            at -= 1;
        }
        let keep = self.keep;
        if self.step > 0 && self.merge_alike(&entry) {
            return;
        }
        self.touch(at);
        let chunk = &mut self.chunks[at];
        let place = match chunk.entries.back() {
            Some(newest) if newest.time <= entry.time => chunk.entries.len(),
            _ => chunk.entries.partition_point(|known| known.time <= entry.time),
        };
        let is_last = place == chunk.entries.len();
        if place > 0
            && chunk.entries[place - 1].time == entry.time
            && keep.merge(&mut chunk.entries[place - 1], &entry)
        {
            chunk.refresh(keep);
            return;
        }
        chunk.entries.insert(place, entry);
        // As a fold over all of it would: at the end of it there is nothing else to do.
        match chunk.number.filter(|_| is_last) {
            Some(so_far) => chunk.number = keep.join(so_far, number(&entry)),
            None => chunk.refresh(keep),
        }
        self.entries += 1;
        self.spill(at);
    }

    /// Takes an entry into one that is alike: in a coarse window there are few different ones, but many of each.
    fn merge_alike(&mut self, entry: &Entry) -> bool {
        let keep = self.keep;
        for at in (0..self.chunks.len()).rev() {
            let chunk = &mut self.chunks[at];
            let from = chunk.entries.partition_point(|known| known.time < entry.time);
            let mut alike = chunk.entries.range_mut(from..).take_while(|known| known.time == entry.time);
            if alike.any(|known| keep.merge(known, entry)) {
                chunk.refresh(keep);
                self.touch(at);
                return true;
            }
            if from > 0 {
                break;
            }
        }
        false
    }

    /// Hands what a chunk holds too much to the next one.
    fn spill(&mut self, mut at: usize) {
        while self.chunks[at].entries.len() > CHUNK_ENTRIES {
            let Some(entry) = self.chunks[at].entries.pop_back() else { return };
            self.chunks[at].refresh(self.keep);
            if at + 1 == self.chunks.len() {
                self.chunks.push_back(Chunk::default());
            }
            at += 1;
            self.chunks[at].entries.push_front(entry);
            self.chunks[at].refresh(self.keep);
            self.touch(at);
        }
    }

    /// Takes out the entry of a text.
    fn take_out(&mut self, time: Timestamp, digest: u64) {
        let found = self.chunks.iter().enumerate().rev().find_map(|(at, chunk)| {
            let from = chunk.entries.partition_point(|entry| entry.time < time);
            let place =
                chunk.entries.range(from..).position(|entry| entry.time == time && entry.x == digest)?;
            Some((at, from + place))
        });
        let Some((at, place)) = found else { return };
        if let Some(entry) = self.chunks[at].entries.remove(place) {
            self.count = self.count.saturating_sub(entry.n);
            self.entries -= 1;
            self.tally.remove(&entry);
            self.touch(at);
        }
        self.drop_empty();
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

    /// As much of an entry as is kept in a coarse window.
    #[inline]
    fn cut(&self, entry: Entry) -> Entry {
        if self.step == 0 {
            return entry;
        }
        let time = Timestamp(entry.time.0.div_euclid(self.step).saturating_mul(self.step));
        let x = if self.keep == Keep::Numbers { rounded(number(&entry)).to_bits() } else { entry.x };
        Entry { time, x, ..entry }
    }

    /// Makes room: cuts times, and rounds numbers whose order counts.
    fn become_coarse(&mut self) {
        let span = micros(self.span);
        let last = (span / LAST_STEP).max(1);
        while self.entries > self.entries_max / 2 && self.step < last {
            self.step = if self.step == 0 { (span / FIRST_STEP).max(1) } else { (self.step * 2).min(last) };
            let mut all: Vec<Entry> =
                self.chunks.iter().flat_map(|chunk| &chunk.entries).map(|entry| self.cut(*entry)).collect();
            all.sort_by_key(|entry| (entry.time, entry.x));
            all.dedup_by(|next, entry| next.time == entry.time && self.keep.merge(entry, next));
            let used = self.all_chunks();
            self.chunks.clear();
            (self.first, self.gone) = (used.end, Some((used.start, used.end)));
            (self.entries, self.tally) = (all.len() as u64, Tally::new(self.keep));
            all.iter().for_each(|entry| self.tally.add(entry));
            for entries in all.chunks(CHUNK_ENTRIES) {
                let number = self.keep.fold(entries.iter());
                let entries = entries.iter().copied().collect();
                self.chunks.push_back(Chunk { entries, dirty: true, number });
            }
            self.dirty = self.first..self.first + self.chunks.len() as u64;
        }
        while self.entries > self.entries_max {
            self.pop_front();
        }
    }

    /// Drops what lies at or before `at` − span.
    pub(super) fn expire(&mut self, at: Timestamp) {
        self.drop_while(|entry, span| entry.time.plus(span) <= at);
    }

    /// Drops what lies at or before `time`: a recovery line empties the window up to its own time.
    pub(super) fn clear_up_to(&mut self, time: Timestamp) {
        self.drop_while(|entry, _| entry.time <= time);
        // Entries of the front chunk may have gone although the chunk stays: unlike an expiry, that can not be
        // told from the clock when the chunk is loaded again.
        if !self.chunks.is_empty() {
            self.touch(0);
        }
    }

    fn drop_while(&mut self, leaves: impl Fn(&Entry, Duration) -> bool) {
        let before = self.entries;
        while self.front().is_some_and(|entry| leaves(entry, self.span)) {
            self.drop_front();
        }
        if self.entries < before
            && let Some(chunk) = self.chunks.front_mut()
        {
            chunk.refresh(self.keep);
        }
    }

    #[inline]
    fn front(&self) -> Option<&Entry> {
        self.chunks.front()?.entries.front()
    }

    fn pop_front(&mut self) {
        self.drop_front();
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.refresh(self.keep);
        }
    }

    fn drop_front(&mut self) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        if let Some(entry) = chunk.entries.pop_front() {
            self.count = self.count.saturating_sub(entry.n);
            self.entries -= 1;
            self.tally.remove(&entry);
        }
        self.drop_empty();
    }

    /// Drops chunks in front that hold nothing.
    fn drop_empty(&mut self) {
        while self.chunks.front().is_some_and(|chunk| chunk.entries.is_empty()) {
            self.chunks.pop_front();
            self.gone = Some((self.gone.map_or(self.first, |(from, _)| from), self.first + 1));
            self.first += 1;
        }
        if self.chunks.is_empty() {
            self.step = 0;
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

impl Chunk {
    /// Computes its number anew: to take out what was put in would leave the rounding errors of both behind.
    fn refresh(&mut self, keep: Keep) {
        self.number = keep.fold(self.entries.iter());
    }
}

/// The middle of those numbers that a coarse window takes for one.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_normal() {
        return 0.0;
    }
    let power = (number.abs().ln() / ROUNDED.ln()).round();
    (power * ROUNDED.ln()).exp().copysign(number)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const SPAN: i64 = 20;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn used(keep: Keep) -> Use {
        Use { span: Duration::from_secs(SPAN.unsigned_abs()), keep, needed: 5 }
    }

    #[test]
    fn the_left_edge_is_open_and_the_right_edge_closed() {
        let mut window = Window::new(Use { span: Duration::from_secs(60), keep: Keep::Matches, needed: 3 });
        for second in [0, 30, 60] {
            window.insert(at(second), Sample::Match, 1);
            window.expire(at(second));
        }
        assert_eq!(window.count(), 2, "the match at 0 s has left at 60 s");
        assert_eq!(window.next_leave(), Some(at(90)));
    }

    #[test]
    fn a_window_that_is_too_full_forgets_the_oldest_where_only_their_number_counts() {
        let long = Duration::from_secs(1 << 40);
        let mut window = Window::new(Use { span: long, keep: Keep::Matches, needed: 10 });
        (0..10_000).for_each(|second| window.insert(at(second), Sample::Match, 1));
        assert_eq!(window.count(), ENTRIES_MIN);
        assert_eq!(window.front().map(|entry| entry.time), Some(at(10_000 - ENTRIES_MIN as i64)));
    }

    /// What a window is asked for.
    #[derive(Debug, PartialEq)]
    struct Answer {
        count: u64,
        number: Option<f64>,
        percentiles: Vec<Option<f64>>,
        texts: usize,
        next_leave: Option<Timestamp>,
    }

    fn answer(window: &Window) -> Answer {
        Answer {
            count: window.count(),
            number: window.number(),
            percentiles: [1, 50, 95, 99].map(|percent| window.percentile(percent)).into(),
            texts: window.texts(),
            next_leave: window.next_leave(),
        }
    }

    /// The same of a list of times and numbers.
    fn naive(keep: Keep, all: &[(i64, f64)]) -> Answer {
        let mut all = all.to_vec();
        if keep == Keep::Texts {
            // The newest of each.
            let newest: BTreeMap<u64, i64> =
                all.iter().fold(BTreeMap::new(), |mut newest, (time, number)| {
                    let known = newest.entry(number.to_bits()).or_insert(*time);
                    *known = (*known).max(*time);
                    newest
                });
            all = newest.into_iter().map(|(bits, time)| (time, f64::from_bits(bits))).collect();
        }
        let mut numbers: Vec<f64> = all.iter().map(|(_, number)| *number).collect();
        numbers.sort_by(f64::total_cmp);
        let rank = |percent: usize| (numbers.len() * percent).div_ceil(100).checked_sub(1);
        let percentile = |percent| rank(percent).filter(|_| keep == Keep::Numbers).map(|rank| numbers[rank]);
        Answer {
            count: all.len() as u64,
            number: match keep {
                Keep::Sum => numbers.iter().copied().reduce(|one, two| one + two),
                Keep::Least => numbers.first().copied(),
                Keep::Most => numbers.last().copied(),
                _ => None,
            },
            percentiles: [1, 50, 95, 99].map(percentile).into(),
            texts: match keep {
                Keep::Texts | Keep::EveryText => {
                    all.iter().map(|(_, number)| number.to_bits()).collect::<BTreeSet<_>>().len()
                }
                _ => 0,
            },
            next_leave: all.iter().map(|(time, _)| at(time + SPAN)).min(),
        }
    }

    fn sample(keep: Keep, number: f64) -> Sample {
        match keep {
            Keep::Texts | Keep::EveryText => Sample::Text(number.to_bits()),
            _ => Sample::Number(number),
        }
    }

    const KEEPS: [Keep; 8] = [
        Keep::Matches,
        Keep::Times,
        Keep::Sum,
        Keep::Least,
        Keep::Most,
        Keep::Numbers,
        Keep::Texts,
        Keep::EveryText,
    ];

    fn keep_rows(window: &mut Window, stored: &mut BTreeMap<u64, Vec<Entry>>) {
        window.take_changes(|number, entries| match entries {
            Some(entries) => _ = stored.insert(number, entries),
            None => _ = stored.remove(&number),
        });
    }

    #[test]
    fn a_text_is_counted_though_an_older_match_of_it_was_left_on_the_disk() {
        let text = |time: i64, text: u64| Entry { time: at(time), n: 1, x: text };
        let saved = vec![(0, vec![text(0, 1), text(1, 2)]), (1, vec![text(19, 1)])];
        let mut window = Window::load(used(Keep::Texts), 0, 0, saved);
        window.expire(at(20));
        window.insert(at(20), Sample::Text(3), 1);
        assert_eq!((window.texts(), window.count()), (3, 3));
        window.insert(at(20), Sample::Text(1), 1);
        window.expire(at(39));
        assert_eq!((window.texts(), window.count()), (2, 2));
    }

    #[test]
    fn a_match_that_stands_for_several_counts_like_so_many() {
        for keep in KEEPS {
            let used = Use { span: Duration::from_secs(100), keep, needed: 5 };
            let (mut once, mut often) = (Window::new(used), Window::new(used));
            for (second, value, times) in [(1, 4.0, 3), (1, 4.0, 2), (5, 2.5, 1), (9, 7.0, 4)] {
                let sample = match keep {
                    Keep::Matches | Keep::Times => Sample::Match,
                    Keep::Texts | Keep::EveryText => Sample::Text(second as u64),
                    _ => Sample::Number(value),
                };
                once.insert(at(second), sample, times);
                (0..times).for_each(|_| often.insert(at(second), sample, 1));
                let told = |window: &Window| {
                    (
                        window.count(),
                        window.number(),
                        window.percentile(60),
                        window.texts(),
                        window.count_after(at(1)),
                    )
                };
                assert_eq!(told(&once), told(&often), "{keep:?}");
            }
            // Nobody counts that far one by one.
            (0..10).for_each(|second| once.insert(at(second), Sample::Match, u32::MAX));
            let is_large = keep == Keep::Texts || once.count() > 10 * u64::from(u32::MAX) - 1;
            assert!(is_large, "{keep:?} {}", once.count());
        }
    }

    proptest! {
        #[test]
        fn computes_like_a_list_and_survives_a_reload(
            keep in proptest::sample::select(KEEPS.to_vec()),
            steps in prop::collection::vec((0i64..40, 0u8..12, -3i32..4), 1..240),
        ) {
            let (mut window, mut list, mut stored) = (Window::new(used(keep)), Vec::new(), BTreeMap::new());
            let mut now = 0;
            for (seconds, what, number) in steps {
                // Small whole numbers, so that sums do not hang on their order.
                let number = f64::from(number);
                match what {
                    0 => {
                        now += 15;
                        window.expire(at(now));
                        list.retain(|(time, _)| *time > now - SPAN);
                    }
                    1 => {
                        let to = now - seconds / 2;
                        window.clear_up_to(at(to));
                        list.retain(|(time, _)| *time > to);
                    }
                    2 => {
                        keep_rows(&mut window, &mut stored);
                        let rows = stored.clone().into_iter().collect();
                        window = Window::load(used(keep), window.first_chunk(), window.step(), rows);
                        window.expire(at(now));
                    }
                    // Mostly forward, sometimes late.
                    3 => {
                        let time = now - seconds % SPAN;
                        window.insert(at(time), sample(keep, number), 1);
                        list.push((time, number));
                    }
                    _ => {
                        now += seconds / 13;
                        window.expire(at(now));
                        list.retain(|(time, _)| *time > now - SPAN);
                        window.insert(at(now), sample(keep, number), 1);
                        list.push((now, number));
                    }
                }
                prop_assert_eq!(answer(&window), naive(keep, &list));
                if keep == Keep::Times {
                    for time in [now - SPAN, now - SPAN / 2, now] {
                        let after: Vec<i64> = list.iter().map(|(at, _)| *at).filter(|at| *at > time).collect();
                        prop_assert_eq!(window.count_after(at(time)), after.len() as u64);
                        prop_assert_eq!(window.first_after(at(time)), after.into_iter().min().map(at));
                    }
                }
            }
        }

        #[test]
        fn a_coarse_window_is_bounded_and_off_by_little(
            keep in proptest::sample::select(vec![Keep::Sum, Keep::Least, Keep::Most, Keep::Numbers]),
            seed in any::<u64>(),
            // Few enough different numbers, once they are rounded, for the little room that tests have.
            spread in 0.01f64..0.3,
        ) {
            let span = Duration::from_secs(1000);
            let mut window = Window::new(Use { span, keep, needed: 1 });
            let (mut all, mut state, mut steps) = (Vec::new(), seed, BTreeSet::new());
            let mut stored = BTreeMap::new();
            for millisecond in 0..3_000_000i64 / 997 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let number = 1.0 + (state >> 40) as f64 / f64::from(1 << 24) * spread;
                let time = Timestamp(millisecond * 997 * 1000);
                window.expire(time);
                window.insert(time, Sample::Number(number), 1);
                all.push((time, number));
                prop_assert!(window.entries <= ENTRIES_MIN);
                steps.insert(window.step());
            }
            keep_rows(&mut window, &mut stored);
            prop_assert_eq!(stored.values().map(Vec::len).sum::<usize>() as u64, window.entries);
            let now = all[all.len() - 1].0;
            let inside = |less: i64| -> Vec<f64> {
                let from = Timestamp(now.0 - micros(span) + less);
                all.iter().filter(|(time, _)| *time > from).map(|(_, number)| *number).collect()
            };
            // The left edge lies at most a step too far to the right.
            let step = window.step();
            prop_assert!(step > 0 && step <= micros(span) / LAST_STEP, "{:?}", steps);
            let (most, least) = (inside(0), inside(step));
            let bounds = least.len()..=most.len();
            prop_assert!(bounds.contains(&(window.count() as usize)), "{} in {:?}, steps {:?}", window.count(), bounds, steps);
            match keep {
                Keep::Sum => {
                    let bounds = least.iter().sum::<f64>() * 0.999..=most.iter().sum::<f64>() * 1.001;
                    prop_assert!(bounds.contains(&window.number().unwrap()));
                }
                Keep::Numbers => {
                    let mut sorted = most;
                    sorted.sort_by(f64::total_cmp);
                    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
                    let found = window.percentile(50).unwrap();
                    prop_assert!((at(0.35) * 0.989..=at(0.65) * 1.011).contains(&found), "{}", found);
                }
                _ => prop_assert!(most.contains(&window.number().unwrap())),
            }
        }
    }
}
