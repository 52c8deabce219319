//! Runs of which seven places can be spelled out: of each place where they may stand, one look at four bytes.

use super::super::runs::{Class, Rate};
use super::AT_ONCE;
use super::rates::Rates;
use super::simd::{BLOCK, Bitmap, FOLD, GRAM_BITS, Means, folded, hash, mark, places};

/// Places between two looks.
const STRIDE: usize = 4;
/// Bytes of a gram.
pub(super) const GRAM: usize = 4;
/// Spellings of one gram at most.
const MOST_SPELLINGS: usize = 64;

/// The grams of a run.
#[derive(Clone, Debug)]
pub(super) struct RunGrams {
    /// All spellings of all of them, folded.
    all: Vec<u32>,
    /// Of each place where one begins: nothing, if it has too many spellings.
    pub(super) at: Vec<Option<Gram>>,
}

/// Four classes in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gram {
    /// Where its spellings begin and end.
    spellings: (usize, usize),
    /// How often it was seen at a place, if there is a sample.
    pub(super) seen: Option<Rate>,
}

impl RunGrams {
    pub(super) fn new(run: &[Class], counts: Option<&GramCounts>) -> RunGrams {
        let folded: Vec<Class> = run.iter().map(Class::folded).collect();
        let mut all = Vec::new();
        let at = folded.windows(GRAM).map(|gram| {
            let from = all.len();
            if !spell(gram, &mut all) {
                all.truncate(from);
                return None;
            }
            let seen = counts.map(|counts| counts.rate(&all[from..]));
            Some(Gram { spellings: (from, all.len()), seen })
        });
        RunGrams { at: at.collect(), all }
    }

    /// The rarest window of the run that grams can watch: where it begins, and its grams with their places in it.
    pub(super) fn window(&self, run: &[Class], rates: &Rates) -> Option<(usize, Vec<(u32, usize)>)> {
        let rate = |gram: &Option<Gram>, at: usize| Some(rates.of_gram(&run[at..at + GRAM], gram.as_ref()?));
        let each: Vec<Option<Rate>> = self.at.iter().zip(0..).map(|(gram, at)| rate(gram, at)).collect();
        let (_, at) = each
            .windows(STRIDE)
            .zip(0..)
            .filter_map(|(window, at)| Some((window.iter().copied().sum::<Option<Rate>>()?, at)))
            .min_by(|one, other| one.0.total_cmp(&other.0))?;
        let window = self.at[at..at + STRIDE].iter().flatten().zip(0..);
        let spelled = window.flat_map(|(gram, place)| {
            let (from, to) = gram.spellings;
            self.all[from..to].iter().map(move |gram| (*gram, place))
        });
        Some((at, spelled.collect()))
    }
}

/// Adds to `all` the spellings of [`GRAM`] classes that are folded; false, if there are too many of them.
fn spell(gram: &[Class], all: &mut Vec<u32>) -> bool {
    let from = all.len();
    all.push(0);
    for (class, place) in gram.iter().zip(0..) {
        let spelled = all.len() - from;
        let mut more = class.bytes().map(|byte| u32::from(byte) << (8 * place));
        let Some(first) = more.next() else { return false };
        for other in more {
            if all.len() - from + spelled > MOST_SPELLINGS {
                return false;
            }
            for at in from..from + spelled {
                all.push(all[at] | other);
            }
        }
        all[from..from + spelled].iter_mut().for_each(|gram| *gram |= first);
    }
    true
}

/// How often grams stand in a sample.
#[derive(Clone, Debug)]
pub(super) struct GramCounts {
    /// By hash.
    counts: Vec<u16>,
    places: Rate,
}

impl GramCounts {
    pub(super) fn of(sample: &[u8]) -> GramCounts {
        let mut counts = vec![0u16; 1 << GRAM_BITS];
        for gram in sample.windows(GRAM).filter_map(|bytes| bytes.first_chunk()) {
            let count = &mut counts[hash(folded(*gram)) as usize];
            *count = count.saturating_add(1);
        }
        GramCounts { counts, places: sample.len().max(1) as Rate }
    }

    /// Of one of those grams, at a place.
    pub(super) fn rate(&self, grams: &[u32]) -> Rate {
        let count = |gram: &u32| u64::from(self.counts[hash(*gram) as usize]);
        grams.iter().map(count).sum::<u64>() as Rate / self.places
    }

    /// What stood nowhere is rarer than this.
    pub(super) fn least(&self) -> Rate {
        0.5 / self.places
    }
}

/// A gram of a watched window, and what stands around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) gram: u32,
    /// Where in its window.
    pub(super) place: u32,
    pub(super) watched: u32,
    pub(super) around: Surroundings,
    /// True if what looks like its surroundings is its run but for upper and lower case and what lies farther away:
    /// nothing in it is so wide that a look does not decide.
    pub(super) narrow: bool,
}

/// What the sixteen bytes from six before a gram must look like, as far as they belong to its run: folded, and of each
/// byte those bits that all of its class have alike. Most of what only looks alike is told apart by this one look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings {
    want: u128,
    mask: u128,
}

impl Surroundings {
    const BEFORE: usize = 6;
    const LEN: usize = 16;

    /// Of the gram at `at` in `run`.
    pub(super) fn new(run: &[Class], at: usize) -> Surroundings {
        let (mut want, mut mask) = ([0; Surroundings::LEN], [0; Surroundings::LEN]);
        for (place, (want, mask)) in want.iter_mut().zip(&mut mask).enumerate() {
            let class = (at + place).checked_sub(Surroundings::BEFORE).and_then(|place| run.get(place));
            if let Some(class) = class {
                let folded = class.folded();
                let (all, any) =
                    folded.bytes().fold((u8::MAX, 0), |(all, any), byte| (all & byte, any | byte));
                (*want, *mask) = (all, !(all ^ any));
            }
        }
        let (want, mask) = (u128::from_le_bytes(want), u128::from_le_bytes(mask));
        Surroundings { want: want & mask, mask }
    }

    /// Of the gram at `at` in `bytes`.
    #[inline]
    fn read(bytes: &[u8], at: usize) -> u128 {
        let whole =
            at.checked_sub(Surroundings::BEFORE).and_then(|from| bytes.get(from..from + Surroundings::LEN));
        let mut near = [0; Surroundings::LEN];
        match whole {
            Some(whole) => near.copy_from_slice(whole),
            // What stands beyond an end is no part of a run that stands there.
            None => near.iter_mut().enumerate().for_each(|(place, byte)| {
                let place = (at + place).checked_sub(Surroundings::BEFORE);
                *byte = place.and_then(|place| bytes.get(place)).copied().unwrap_or(0);
            }),
        }
        u128::from_le_bytes(near) | u128::from_le_bytes([FOLD; Surroundings::LEN])
    }

    fn looks_like(&self, near: u128) -> bool {
        near & self.mask == self.want
    }
}

#[derive(Clone, Debug)]
pub(super) struct Grams {
    means: Means,
    /// A bit for every hash of a gram that is watched for.
    bitmap: Box<Bitmap>,
    /// Where in `entries` those of each slot begin; one more at the end.
    slots: Vec<u32>,
    pub(super) entries: Vec<Entry>,
    /// How far the hash is shifted to be a slot.
    shift: u32,
}

impl Grams {
    pub(super) fn new(mut entries: Vec<Entry>, means: Means) -> Grams {
        let slots = (entries.len() * 2).next_power_of_two().clamp(2, 1 << GRAM_BITS);
        let shift = GRAM_BITS - slots.trailing_zeros();
        let mut bitmap = Box::new([0; 1 << (GRAM_BITS - 5)]);
        entries.iter().for_each(|entry| mark(&mut bitmap, entry.gram));
        entries.sort_by_key(|entry| hash(entry.gram) >> shift);
        let mut begins = vec![0; slots + 1];
        entries.iter().for_each(|entry| begins[(hash(entry.gram) >> shift) as usize + 1] += 1);
        (0..slots).for_each(|slot| begins[slot + 1] += begins[slot]);
        Grams { means, bitmap, slots: begins, entries, shift }
    }

    /// Tells `stands` of places where a window may begin: whose, where, and whether its whole run is to be looked at.
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize, bool)) {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut sets = [0; AT_ONCE];
        for (blocks, from) in blocks.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE * BLOCK)) {
            let sets = &mut sets[..blocks.len()];
            self.means.grams(&self.bitmap, blocks, sets);
            places(sets, |place| self.look(bytes, from + place, stands));
        }
        (bytes.len() - rest.len()..bytes.len()).step_by(STRIDE).for_each(|at| self.look(bytes, at, stands));
    }

    /// Which of the watched windows may have their gram at `at`.
    #[inline(never)]
    fn look(&self, bytes: &[u8], at: usize, stands: &mut impl FnMut(usize, usize, bool)) {
        let Some(gram) = bytes[at..].first_chunk() else { return };
        let slot = (hash(folded(*gram)) >> self.shift) as usize;
        let near = Surroundings::read(bytes, at);
        for entry in &self.entries[self.slots[slot] as usize..self.slots[slot + 1] as usize] {
            if entry.around.looks_like(near) && entry.place as usize <= at {
                stands(entry.watched as usize, at - entry.place as usize, !entry.narrow);
            }
        }
    }
}
