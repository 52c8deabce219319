//! Runs of which seven places can be spelled out: of each place where they may stand, one look at four bytes.

use super::super::runs::{Class, Rate};
use super::rates::Rates;
use super::{STRIDE, spellings};

/// Bytes of a gram.
const GRAM: usize = 4;
/// Places of a window in which a gram lies wherever it begins.
pub(super) const GRAM_WINDOW: usize = GRAM + STRIDE - 1;
/// Spellings of one gram at most.
const MOST_SPELLINGS: usize = 64;
/// Bits of a gram's hash: 32 KiB of bitmap, which stays in the nearest cache.
const GRAM_BITS: u32 = 18;
/// Grams are looked for with this bit set in every byte, in the log too: upper case is lower case, and a few signs are
/// others.
const FOLD: u8 = 0x20;

/// The rarest window of a run that grams can watch: where it begins, and its grams with their places in it.
pub(super) fn gram_window(run: &[Class], rates: &Rates) -> Option<(usize, Vec<(u32, usize)>)> {
    run.windows(GRAM_WINDOW)
        .enumerate()
        .filter_map(|(at, window)| {
            let grams: Option<Vec<Vec<(u32, usize)>>> = window
                .windows(GRAM)
                .enumerate()
                .map(|(place, gram)| {
                    let spelled = spellings(gram, MOST_SPELLINGS, FOLD)?;
                    Some(spelled.iter().map(|bytes| (quad(bytes), place)).collect())
                })
                .collect();
            let rate: Rate = window.windows(GRAM).map(|gram| rates.of_window(gram)).sum();
            Some((rate, at, grams?.concat()))
        })
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, at, grams)| (at, grams))
}

fn quad(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |quad, byte| quad << 8 | u32::from(*byte))
}

/// A gram of a watched window, and what stands around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) gram: u32,
    /// Where in its window.
    pub(super) place: u32,
    pub(super) watched: u32,
    pub(super) around: Surroundings,
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
                let folded = || class.bytes().map(|byte| byte | FOLD);
                let (all, any) = folded().fold((u8::MAX, 0), |(all, any), byte| (all & byte, any | byte));
                (*want, *mask) = (all, !(all ^ any));
            }
        }
        let (want, mask) = (u128::from_le_bytes(want), u128::from_le_bytes(mask));
        Surroundings { want: want & mask, mask }
    }

    /// Of the gram at `at` in `bytes`.
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
    /// A bit for every hash of a gram that is watched for.
    bits: Box<[u64; 1 << (GRAM_BITS - 6)]>,
    /// Where in `entries` those of each slot begin; one more at the end.
    slots: Vec<u32>,
    pub(super) entries: Vec<Entry>,
    /// How far the hash is shifted to be a slot.
    shift: u32,
}

impl Grams {
    pub(super) fn new(mut entries: Vec<Entry>) -> Grams {
        let slots = (entries.len() * 2).next_power_of_two().max(2);
        let shift = 32 - slots.trailing_zeros();
        let mut bits = Box::new([0; 1 << (GRAM_BITS - 6)]);
        for entry in &entries {
            let hash = hash(entry.gram) >> (32 - GRAM_BITS);
            bits[(hash >> 6) as usize] |= 1 << (hash & 63);
        }
        let slot = |entry: &Entry| hash(entry.gram) >> shift;
        entries.sort_by_key(slot);
        let begin = |number: usize| entries.partition_point(|entry| (slot(entry) as usize) < number) as u32;
        Grams { bits, slots: (0..=slots).map(begin).collect(), entries, shift }
    }

    /// Apart from its callers, so that its loop has all registers.
    #[inline(never)]
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        // Eight at a time, so that the common case is one branch.
        let blocks = bytes.chunks_exact(8 * STRIDE);
        let rest = bytes.len() - blocks.remainder().len();
        for (number, block) in blocks.enumerate() {
            let quads = block.chunks_exact(STRIDE).zip(0..);
            let mut set = quads.fold(0, |set, (quad, place)| set | self.is_set(folded(quad)) << place);
            while set != 0 {
                let place = set.trailing_zeros() as usize;
                set &= set - 1;
                self.look(bytes, (number * 8 + place) * STRIDE, stands);
            }
        }
        for (quad, place) in bytes[rest..].chunks_exact(STRIDE).zip((rest..).step_by(STRIDE)) {
            if self.is_set(folded(quad)) != 0 {
                self.look(bytes, place, stands);
            }
        }
    }

    /// 1 if a gram with that hash is watched for.
    fn is_set(&self, gram: u32) -> u64 {
        let hash = hash(gram) >> (32 - GRAM_BITS);
        self.bits[(hash >> 6) as usize] >> (hash & 63) & 1
    }

    /// Which of the watched windows may have their gram at `at`.
    #[inline(never)]
    fn look(&self, bytes: &[u8], at: usize, stands: &mut impl FnMut(usize, usize)) {
        let slot = (hash(folded(&bytes[at..])) >> self.shift) as usize;
        let near = Surroundings::read(bytes, at);
        for entry in &self.entries[self.slots[slot] as usize..self.slots[slot + 1] as usize] {
            if entry.around.looks_like(near) && entry.place as usize <= at {
                stands(entry.watched as usize, at - entry.place as usize);
            }
        }
    }
}

/// The gram at the beginning of `bytes`, folded.
fn folded(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) | u32::from_le_bytes([FOLD; GRAM])
}

fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1)
}
