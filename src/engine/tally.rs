//! What is computed over the entries of a window.

use std::collections::{HashMap, hash_map};

use crate::model::Timestamp;
use crate::rule::Measure;
use crate::saved::Entry;

/// What is kept of each match, besides its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// That it was there.
    Matches,
    /// The same, of all of them.
    Times,
    /// Its number; those of one time are summed up.
    Sum,
    /// Its number; of those of one time the lowest.
    Least,
    /// Its number; of those of one time the highest.
    Most,
    /// Its number, by itself.
    Numbers,
    /// A digest of its text; of each text the newest match.
    Texts,
    /// A digest of its text, where the matches are counted too.
    EveryText,
}

/// What one match brings to a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sample {
    /// That it is there.
    Match,
    /// A number, finite.
    Number(f64),
    /// A digest of a text.
    Text(u64),
}

impl Keep {
    /// What has to be kept for a measure of so many matches at least.
    pub(super) fn of(measure: &Measure, min_lines: u64) -> Keep {
        match measure {
            Measure::Count | Measure::Rate | Measure::Last(_) | Measure::Absent => Keep::Matches,
            Measure::Spike => Keep::Times,
            Measure::Ratio(_) | Measure::Sum(_) | Measure::Average(_) => Keep::Sum,
            Measure::Least(_) => Keep::Least,
            Measure::Most(_) => Keep::Most,
            Measure::Percentile(..) => Keep::Numbers,
            Measure::Distinct(_) if min_lines > 1 => Keep::EveryText,
            Measure::Distinct(_) => Keep::Texts,
        }
    }

    /// An entry for so many matches that bring the same.
    pub(super) fn entry(self, time: Timestamp, sample: Sample, times: u32) -> Entry {
        // Each text is there once, whatever it is repeated.
        let times = if self == Keep::Texts { 1 } else { times };
        let x = match (self, sample) {
            (Keep::Matches | Keep::Times, _) | (_, Sample::Match) => 0,
            (Keep::Sum, Sample::Number(number)) => (number * f64::from(times)).to_bits(),
            (_, Sample::Number(number)) => number.to_bits(),
            (_, Sample::Text(digest)) => digest,
        };
        Entry { time, n: u64::from(times), x }
    }

    /// Takes `other`, of the same time, into `entry`; false, if they have to stay apart.
    pub(super) fn merge(self, entry: &mut Entry, other: &Entry) -> bool {
        let (one, two) = (number(entry), number(other));
        match self.join(one, two) {
            Some(both) => entry.x = both.to_bits(),
            None if entry.x != other.x => return false,
            None => {}
        }
        entry.n = entry.n.saturating_add(other.n);
        true
    }

    /// The number of several entries together, of the kind of [`Keep::merge`]; `None` without entries, or where none is
    /// wanted.
    pub(super) fn fold<'a>(self, mut entries: impl Iterator<Item = &'a Entry>) -> Option<f64> {
        let first = number(entries.next()?);
        entries.try_fold(first, |so_far, entry| self.join(so_far, number(entry))).filter(|_| self.folds())
    }

    /// Two numbers as one.
    pub(super) fn join(self, one: f64, two: f64) -> Option<f64> {
        match self {
            Keep::Sum => Some(one + two),
            Keep::Least => Some(one.min(two)),
            Keep::Most => Some(one.max(two)),
            Keep::Matches | Keep::Times | Keep::Numbers | Keep::Texts | Keep::EveryText => None,
        }
    }

    fn folds(self) -> bool {
        matches!(self, Keep::Sum | Keep::Least | Keep::Most)
    }
}

/// The number of an entry.
pub(super) fn number(entry: &Entry) -> f64 {
    f64::from_bits(entry.x)
}

/// What can not be read off the entries quickly, kept beside them.
#[derive(Clone, Debug)]
pub(super) enum Tally {
    /// Nothing.
    Plain,
    /// All numbers in their order, and how often each is there.
    Sorted(Vec<(f64, u64)>),
    /// When each text was there last.
    Newest(HashMap<u64, Timestamp>),
    /// How often each text is there.
    Counted(HashMap<u64, u64>),
}

impl Tally {
    pub(super) fn new(keep: Keep) -> Tally {
        match keep {
            Keep::Numbers => Tally::Sorted(Vec::new()),
            Keep::Texts => Tally::Newest(HashMap::new()),
            Keep::EveryText => Tally::Counted(HashMap::new()),
            _ => Tally::Plain,
        }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        match self {
            Tally::Plain => {}
            Tally::Sorted(all) => match all.binary_search_by(|(known, _)| known.total_cmp(&number(entry))) {
                Ok(at) => all[at].1 = all[at].1.saturating_add(entry.n),
                Err(at) => all.insert(at, (number(entry), entry.n)),
            },
            Tally::Newest(newest) => {
                let known = newest.entry(entry.x).or_insert(entry.time);
                *known = (*known).max(entry.time);
            }
            Tally::Counted(counts) => {
                let known = counts.entry(entry.x).or_default();
                *known = known.saturating_add(entry.n);
            }
        }
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        match self {
            Tally::Plain => {}
            Tally::Sorted(all) => {
                if let Ok(at) = all.binary_search_by(|(known, _)| known.total_cmp(&number(entry))) {
                    all[at].1 = all[at].1.saturating_sub(entry.n);
                    if all[at].1 == 0 {
                        all.remove(at);
                    }
                }
            }
            // An older one may be left of a text whose newer one is there too: it had left when the process ended.
            Tally::Newest(newest) => {
                if newest.get(&entry.x) == Some(&entry.time) {
                    newest.remove(&entry.x);
                }
            }
            Tally::Counted(counts) => {
                if let hash_map::Entry::Occupied(mut known) = counts.entry(entry.x) {
                    *known.get_mut() = known.get().saturating_sub(entry.n);
                    if *known.get() == 0 {
                        known.remove();
                    }
                }
            }
        }
    }

    /// When a text was there last.
    pub(super) fn newest(&self, digest: u64) -> Option<Timestamp> {
        match self {
            Tally::Newest(newest) => newest.get(&digest).copied(),
            _ => None,
        }
    }

    /// How many different texts there are.
    pub(super) fn texts(&self) -> usize {
        match self {
            Tally::Newest(newest) => newest.len(),
            Tally::Counted(counts) => counts.len(),
            _ => 0,
        }
    }

    /// The number at which `percent` of a hundred are this or less: the nearest rank, as D. Langford calls definition 1
    /// in "Quartiles in Elementary Statistics" (2006). `count`: how many there are.
    pub(super) fn percentile(&self, percent: u8, count: u64) -> Option<f64> {
        let Tally::Sorted(all) = self else { return None };
        let rank = (u128::from(count) * u128::from(percent)).div_ceil(100).max(1);
        if all.len() as u64 == count {
            // Each is there once.
            let at = usize::try_from(rank - 1).ok()?;
            return all.get(at).map(|(number, _)| *number);
        }
        let mut so_far = 0u128;
        let found = all.iter().find(|(_, n)| {
            so_far += u128::from(*n);
            so_far >= rank
        });
        found.map(|(number, _)| *number)
    }
}
