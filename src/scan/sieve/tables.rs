//! Runs of wide classes: which byte may stand at which place, in tables.

use super::super::runs::{Class, Rate};
use super::grams::GRAM_WINDOW;
use super::rates::Rates;
use super::{STRIDE, Watched};

/// Places of a window that strides look at, and that many more if it has them.
const STRIDE_WINDOW: usize = GRAM_WINDOW;
/// Bytes that are looked at where one of a window may stand.
const STRIDE_BYTES: usize = 8;
/// Windows that are looked for by strides share so many of 64 bits, each with a bit for each place where it may begin.
const STRIDE_BUCKETS: usize = 64 / STRIDE;
/// Places of a mask.
const MASK: usize = 4;
/// Windows that are looked for by masks share one of so many bits.
const BUCKETS: usize = 64;

/// Where the window begins that strides see least often, if there is room for one.
pub(super) fn stride_window(run: &[Class], rates: &Rates) -> Option<usize> {
    let rate = |at: usize| {
        let seen = |from: usize| &run[from..run.len().min(from + STRIDE_BYTES)];
        (at..at + STRIDE).map(|from| rates.of_window(seen(from))).sum::<Rate>()
    };
    (0..=run.len().checked_sub(STRIDE_WINDOW)?).min_by(|one, other| rate(*one).total_cmp(&rate(*other)))
}

/// Where the rarest window for masks begins.
pub(super) fn mask_window(run: &[Class], rates: &Rates) -> usize {
    run.windows(run.len().min(MASK))
        .enumerate()
        .map(|(at, window)| (rates.of_window(window), at))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map_or(0, |(_, at)| at)
}

/// For each byte and each place that is looked at: which windows may have it there, and where they would begin.
#[derive(Clone, Debug)]
pub(super) struct Strides {
    tables: Box<[[u64; 256]; STRIDE_BYTES]>,
    pub(super) buckets: Vec<Vec<usize>>,
}

impl Strides {
    pub(super) fn new(numbers: &[usize], watched: &[Watched]) -> Strides {
        let mut tables = Box::new([[0; 256]; STRIDE_BYTES]);
        let mut buckets = vec![Vec::new(); STRIDE_BUCKETS];
        for (order, number) in numbers.iter().enumerate() {
            let bucket = order % STRIDE_BUCKETS;
            buckets[bucket].push(*number);
            let Watched { run, at, .. } = &watched[*number];
            for shift in 0..STRIDE {
                let bit = 1 << (bucket * STRIDE + shift);
                for (place, table) in tables.iter_mut().enumerate() {
                    match run.get(at + shift + place) {
                        Some(class) => class.bytes().for_each(|byte| table[usize::from(byte)] |= bit),
                        None => table.iter_mut().for_each(|mask| *mask |= bit),
                    }
                }
            }
        }
        Strides { tables, buckets }
    }

    #[inline(never)]
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let [first, second, third, fourth, ..] = &*self.tables;
        for (quad, place) in bytes.chunks_exact(STRIDE).zip((0..).step_by(STRIDE)) {
            let mask = first[usize::from(quad[0])]
                & second[usize::from(quad[1])]
                & third[usize::from(quad[2])]
                & fourth[usize::from(quad[3])];
            if mask != 0 {
                self.look(bytes, place, mask, stands);
            }
        }
    }

    /// Which of the watched windows may have a place in `mask` where the bytes at `at` begin.
    #[inline(never)]
    fn look(&self, bytes: &[u8], at: usize, mut mask: u64, stands: &mut impl FnMut(usize, usize)) {
        for (table, byte) in self.tables[STRIDE..].iter().zip(&bytes[at + STRIDE..]) {
            mask &= table[usize::from(*byte)];
        }
        while mask != 0 {
            let bit = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if let Some(begin) = at.checked_sub(bit % STRIDE) {
                self.buckets[bit / STRIDE].iter().for_each(|number| stands(*number, begin));
            }
        }
    }
}

/// For each byte and each of the first places of a window: the buckets with a window that may have it there.
#[derive(Clone, Debug)]
pub(super) struct Masks {
    tables: Box<[[u64; 256]; MASK]>,
    /// Buckets with a window that has no such place.
    beyond: [u64; MASK],
    pub(super) buckets: Vec<Vec<usize>>,
}

impl Masks {
    pub(super) fn new(numbers: &[usize], watched: &[Watched]) -> Masks {
        let mut masks = Masks {
            tables: Box::new([[0; 256]; MASK]),
            beyond: [0; MASK],
            buckets: vec![Vec::new(); BUCKETS],
        };
        for (order, number) in numbers.iter().enumerate() {
            let bucket = order % BUCKETS;
            masks.buckets[bucket].push(*number);
            let Watched { run, at, .. } = &watched[*number];
            for place in 0..MASK {
                match run.get(at + place) {
                    Some(class) => {
                        class.bytes().for_each(|byte| masks.tables[place][usize::from(byte)] |= 1 << bucket);
                    }
                    None => {
                        masks.beyond[place] |= 1 << bucket;
                        masks.tables[place].iter_mut().for_each(|mask| *mask |= 1 << bucket);
                    }
                }
            }
        }
        masks
    }

    #[inline(never)]
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let [first, second, third, fourth] = &*self.tables;
        let mut hit = |at: usize, mut mask: u64| {
            while mask != 0 {
                let bucket = mask.trailing_zeros() as usize;
                self.buckets[bucket].iter().for_each(|number| stands(*number, at));
                mask &= mask - 1;
            }
        };
        for (at, window) in bytes.windows(MASK).enumerate() {
            let mask = first[usize::from(window[0])]
                & second[usize::from(window[1])]
                & third[usize::from(window[2])]
                & fourth[usize::from(window[3])];
            if mask != 0 {
                hit(at, mask);
            }
        }
        // The last places, where a window may lack what it does not need.
        for at in bytes.len().saturating_sub(MASK - 1)..bytes.len() {
            let mask = (0..MASK).fold(u64::MAX, |mask, place| {
                mask & bytes
                    .get(at + place)
                    .map_or(self.beyond[place], |byte| self.tables[place][usize::from(*byte)])
            });
            hit(at, mask);
        }
    }
}
