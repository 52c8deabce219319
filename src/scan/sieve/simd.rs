//! Looking at many places at once, with the vector instructions of the processor it runs on.
//!
//! This is the only file with `unsafe`. It pays for it: on a log of which one line in 10 000 fits one of 100 or 1000
//! rules, the whole program takes a third of the time that it takes in plain code, and four tenths without AVX-512. What
//! is unsafe is little, and of three kinds:
//! - A function made for a processor is called. [`Means`] other than plain come from [`Means::all`] alone, which asks
//!   the processor first.
//! - Bytes are loaded. They come as arrays of the very size that is loaded, and no load here asks for alignment.
//! - Words of the bitmap are gathered. The bitmap has 2^13 of them, and what indexes it has been shifted to 13 bits.
//!
//! Each search has a twin in plain code, which is what other processors run. A search may tell of more than its twin,
//! never of less; a property holds all that this machine can run to that.

#![allow(unsafe_code, reason = "vector loads and gathers; see above")]

/// Bytes of a block, which is what a search tells of at once.
pub(super) const BLOCK: usize = 64;
/// Places of a window that a search for classes looks at, if the first few are as wanted.
pub(super) const WINDOW: usize = 8;
/// Those few.
pub(super) const LOOK: usize = 4;
const _: () = assert!(LOOK == 4 && WINDOW == 8, "places are written out below");
/// A block and the bytes after it that a window may need.
const AHEAD: usize = BLOCK + WINDOW;
/// Bits of the hash of a gram: 32 KiB of bitmap, which stays in the nearest cache.
pub(super) const GRAM_BITS: u32 = 18;
/// Grams are looked for with this bit set in every byte, in the log too: upper case is lower case, and a few signs are
/// others.
pub(super) const FOLD: u8 = 0x20;
/// Spreads grams over hashes: the golden ratio, as in Knuth's multiplicative hashing.
const SPREAD: u32 = 0x9e37_79b1;

/// A bit for each hash of a gram.
pub(super) type Bitmap = [u32; 1 << (GRAM_BITS - 5)];

/// What a search is done with. Nobody but [`Means::all`] makes one that is not plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means(By);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// AVX-512 with byte permutes: 64 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Vbmi,
    /// AVX2: 32 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever there is.
    Plain,
}

impl Means {
    /// What every processor can do.
    pub(super) const PLAIN: Means = Means(By::Plain);

    /// All that this processor can do, the best first.
    pub(super) fn all() -> Vec<Means> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let words = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if words && is_x86_feature_detected!("avx512vbmi") {
                all.push(Means(By::Vbmi));
            }
            if is_x86_feature_detected!("avx2") {
                all.push(Means(By::Avx2));
            }
        }
        all.push(Means::PLAIN);
        all
    }

    /// The best that this processor can do.
    pub(super) fn best() -> Means {
        Means::all()[0]
    }

    /// For each block, a bit for each place at a multiple of four where there may be a gram of `bitmap`.
    pub(super) fn grams(self, bitmap: &Bitmap, blocks: &[[u8; BLOCK]], sets: &mut [u64]) {
        match self.0 {
            // SAFETY: the processor was asked, see `Means::all`.
            #[cfg(target_arch = "x86_64")]
            By::Vbmi => unsafe { x86::grams_64(bitmap, blocks, sets) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            By::Avx2 => unsafe { x86::grams_32(bitmap, blocks, sets) },
            By::Plain => plain::grams(bitmap, blocks, sets),
        }
    }

    /// For each block of `bytes` that [`WINDOW`] bytes follow, a bit for each place where a window of `tables` may begin.
    pub(super) fn classes(self, tables: &Tables, bytes: &[u8], sets: &mut [u64]) {
        match self.0 {
            // SAFETY: the processor was asked, see `Means::all`.
            #[cfg(target_arch = "x86_64")]
            By::Vbmi => unsafe { x86::classes_64(tables, bytes, sets) },
            // SAFETY: the same.
            #[cfg(target_arch = "x86_64")]
            By::Avx2 => unsafe { x86::classes_32(tables, bytes, sets) },
            By::Plain => plain::classes(tables, bytes, sets),
        }
    }
}

/// Tells `found` of the places of the bits of `sets`, one of which stands for a block.
pub(super) fn places(sets: &[u64], mut found: impl FnMut(usize)) {
    for (set, block) in sets.iter().zip((0..).step_by(BLOCK)) {
        let mut set = *set;
        while set != 0 {
            found(block + set.trailing_zeros() as usize);
            set &= set - 1;
        }
    }
}

/// Which byte may stand at which place of a window: a bit for each of eight kinds of windows.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) whole: Box<[[u8; 256]; WINDOW]>,
    /// By the lower seven bits of a byte.
    #[cfg(target_arch = "x86_64")]
    sevens: Box<[[[u8; 64]; 2]; WINDOW]>,
    /// By its lower four bits, and by its upper four.
    #[cfg(target_arch = "x86_64")]
    fours: [[[u8; 16]; 2]; WINDOW],
}

impl Tables {
    pub(super) fn new(whole: Box<[[u8; 256]; WINDOW]>) -> Tables {
        #[cfg(target_arch = "x86_64")]
        let (mut sevens, mut fours) = (Box::new([[[0; 64]; 2]; WINDOW]), [[[0; 16]; 2]; WINDOW]);
        #[cfg(target_arch = "x86_64")]
        for (place, table) in whole.iter().enumerate() {
            for (byte, kinds) in table.iter().enumerate() {
                sevens[place][byte >> 6 & 1][byte & 63] |= kinds;
                fours[place][0][byte & 15] |= kinds;
                fours[place][1][byte >> 4] |= kinds;
            }
        }
        Tables {
            whole,
            #[cfg(target_arch = "x86_64")]
            sevens,
            #[cfg(target_arch = "x86_64")]
            fours,
        }
    }
}

/// The hash of a folded gram, of [`GRAM_BITS`] bits.
pub(super) fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(SPREAD) >> (32 - GRAM_BITS)
}

/// Watches for a folded gram.
pub(super) fn mark(bitmap: &mut Bitmap, gram: u32) {
    let hash = hash(gram);
    bitmap[(hash >> 5) as usize] |= 1 << (hash & 31);
}

/// A gram, folded.
pub(super) fn folded(gram: [u8; 4]) -> u32 {
    u32::from_le_bytes(gram) | u32::from_le_bytes([FOLD; 4])
}

/// The twins.
mod plain {
    use super::{AHEAD, BLOCK, Bitmap, LOOK, Tables, WINDOW, folded, hash};

    pub(super) fn grams(bitmap: &Bitmap, blocks: &[[u8; BLOCK]], sets: &mut [u64]) {
        for (block, set) in blocks.iter().zip(sets) {
            let (quads, _) = block.as_chunks::<4>();
            *set = quads.iter().zip((0..).step_by(4)).fold(0, |set, (quad, place)| {
                let hash = hash(folded(*quad));
                set | u64::from(bitmap[(hash >> 5) as usize] >> (hash & 31) & 1) << place
            });
        }
    }

    pub(super) fn classes(tables: &Tables, bytes: &[u8], sets: &mut [u64]) {
        let blocks = bytes.windows(AHEAD).step_by(BLOCK);
        for (block, set) in blocks.zip(sets) {
            *set = block.windows(WINDOW).take(BLOCK).zip(0..).fold(0, |set, (window, place)| {
                let look = |kinds: u8, at: usize| kinds & tables.whole[at][usize::from(window[at])];
                let few = (0..LOOK).fold(u8::MAX, look);
                // Few places come so far that all of it has to be looked at.
                if few == 0 || (LOOK..WINDOW).fold(few, look) == 0 { set } else { set | 1 << place }
            });
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{AHEAD, BLOCK, Bitmap, FOLD, GRAM_BITS, SPREAD, Tables, WINDOW};

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn grams_64(bitmap: &Bitmap, blocks: &[[u8; BLOCK]], sets: &mut [u64]) {
        let (fold, spread) = (_mm512_set1_epi8(FOLD as i8), _mm512_set1_epi32(SPREAD as i32));
        let one = _mm512_set1_epi32(1);
        for (block, set) in blocks.iter().zip(sets) {
            let hash = _mm512_mullo_epi32(_mm512_or_si512(load_64(block), fold), spread);
            let word = _mm512_srli_epi32::<{ 32 - GRAM_BITS + 5 }>(hash);
            // SAFETY: what is left of 32 bits after a shift by 19 indexes no more than the 2^13 words there are.
            let words = unsafe { _mm512_i32gather_epi32::<4>(word, bitmap.as_ptr().cast()) };
            let bit = _mm512_rolv_epi32(one, _mm512_srli_epi32::<{ 32 - GRAM_BITS }>(hash));
            *set = apart(u32::from(_mm512_test_epi32_mask(words, bit)));
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn grams_32(bitmap: &Bitmap, blocks: &[[u8; BLOCK]], sets: &mut [u64]) {
        let (fold, spread) = (_mm256_set1_epi8(FOLD as i8), _mm256_set1_epi32(SPREAD as i32));
        let low = _mm256_set1_epi32(31);
        // A bit for each of eight grams.
        let look = |quads: &[u8; 32]| {
            let hash = _mm256_mullo_epi32(_mm256_or_si256(load_32(quads), fold), spread);
            let word = _mm256_srli_epi32::<{ 32 - GRAM_BITS as i32 + 5 }>(hash);
            // SAFETY: what is left of 32 bits after a shift by 19 indexes no more than the 2^13 words there are.
            let words = unsafe { _mm256_i32gather_epi32::<4>(bitmap.as_ptr().cast(), word) };
            let place = _mm256_and_si256(_mm256_srli_epi32::<{ 32 - GRAM_BITS as i32 }>(hash), low);
            // The bit that is asked for becomes the highest.
            let set = _mm256_sllv_epi32(words, _mm256_xor_si256(place, low));
            _mm256_movemask_ps(_mm256_castsi256_ps(set)) as u32
        };
        for (block, set) in blocks.iter().zip(sets) {
            let (halves, _) = block.as_chunks::<32>();
            *set = apart(look(&halves[0]) | look(&halves[1]) << 8);
        }
    }

    /// Sixteen bits, each the first of four.
    #[inline]
    fn apart(set: u32) -> u64 {
        let mut set = u64::from(set);
        set = (set | set << 24) & 0x0000_00ff_0000_00ff;
        set = (set | set << 12) & 0x000f_000f_000f_000f;
        set = (set | set << 6) & 0x0303_0303_0303_0303;
        (set | set << 3) & 0x1111_1111_1111_1111
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn classes_64(tables: &Tables, bytes: &[u8], sets: &mut [u64]) {
        let tables: [(__m512i, __m512i); WINDOW] =
            std::array::from_fn(|at| (load_64(&tables.sevens[at][0]), load_64(&tables.sevens[at][1])));
        for (at, set) in (0..).step_by(BLOCK).zip(sets) {
            let Some(block) = bytes[at..].first_chunk::<AHEAD>() else { break };
            // The kinds that may have what stands at these places of their windows. Written out, not a loop and not a
            // function: each place has tables of its own, which stay in registers.
            macro_rules! kinds {
                ($($place:literal)*) => {{
                    let mut kinds = _mm512_set1_epi8(-1);
                    $(
                        let Some(there) = block[$place..].first_chunk() else { continue };
                        let (low, high) = tables[$place];
                        kinds = _mm512_and_si512(kinds, _mm512_permutex2var_epi8(low, load_64(there), high));
                    )*
                    kinds
                }};
            }
            let few = kinds!(0 1 2 3);
            *set = 0;
            if _mm512_test_epi8_mask(few, few) != 0 {
                let all = _mm512_and_si512(few, kinds!(4 5 6 7));
                *set = _mm512_test_epi8_mask(all, all);
            }
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn classes_32(tables: &Tables, bytes: &[u8], sets: &mut [u64]) {
        // SAFETY: an array of 16 bytes.
        let load_16 = |bytes: &[u8; 16]| unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        let twice = |table: &[u8; 16]| _mm256_broadcastsi128_si256(load_16(table));
        let tables: [(__m256i, __m256i); WINDOW] =
            std::array::from_fn(|place| (twice(&tables.fours[place][0]), twice(&tables.fours[place][1])));
        let nibble = _mm256_set1_epi8(15);
        let none = |kinds: __m256i| {
            u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(kinds, _mm256_setzero_si256())) as u32)
        };
        for (at, set) in (0..).step_by(BLOCK).zip(sets) {
            let Some(block) = bytes[at..].first_chunk::<AHEAD>() else { break };
            // As above, for both halves.
            macro_rules! kinds {
                ($($place:literal)*) => {{
                    let mut kinds = [_mm256_set1_epi8(-1); 2];
                    $(
                        let (low, high) = tables[$place];
                        let halves = block[$place..].first_chunk().zip(block[$place + 32..].first_chunk());
                        let Some((first, second)) = halves else { continue };
                        for (kinds, there) in kinds.iter_mut().zip([load_32(first), load_32(second)]) {
                            let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(there), nibble);
                            let low = _mm256_shuffle_epi8(low, _mm256_and_si256(there, nibble));
                            let both = _mm256_and_si256(low, _mm256_shuffle_epi8(high, upper));
                            *kinds = _mm256_and_si256(*kinds, both);
                        }
                    )*
                    kinds
                }};
            }
            let [first, second] = kinds!(0 1 2 3);
            *set = 0;
            if none(_mm256_or_si256(first, second)) != u64::from(u32::MAX) {
                let [beyond_first, beyond_second] = kinds!(4 5 6 7);
                let first = _mm256_and_si256(first, beyond_first);
                let second = _mm256_and_si256(second, beyond_second);
                *set = !(none(first) | none(second) << 32);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_64(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: an array of 64 bytes.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_32(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: an array of 32 bytes.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Places that a search over so many blocks tells of.
    fn found(blocks: usize, search: impl FnOnce(&mut [u64])) -> Vec<usize> {
        let (mut sets, mut all) = (vec![u64::MAX; blocks], Vec::new());
        search(&mut sets);
        places(&sets, |place| all.push(place));
        all
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => proptest::sample::select(b"aB1 [\xc3\xe1".to_vec()), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..400)
    }

    proptest! {
        #[test]
        fn grams_are_found_the_same_by_all_means(
            bytes in bytes(),
            watched in proptest::collection::vec(0usize..400, 0..9),
        ) {
            let mut bitmap: Box<Bitmap> = vec![0; 1 << (GRAM_BITS - 5)].try_into().unwrap();
            for gram in watched.iter().filter_map(|at| bytes.get(at / 4 * 4..)?.first_chunk()) {
                mark(&mut bitmap, folded(*gram));
            }
            let (blocks, _) = bytes.as_chunks::<BLOCK>();
            let plain = found(blocks.len(), |sets| Means::PLAIN.grams(&bitmap, blocks, sets));
            for at in watched.iter().map(|at| at / 4 * 4).filter(|at| at + BLOCK <= blocks.len() * BLOCK) {
                prop_assert!(plain.contains(&at), "{} is watched for", at);
            }
            for means in Means::all() {
                let found = found(blocks.len(), |sets| means.grams(&bitmap, blocks, sets));
                prop_assert_eq!(&found, &plain, "{:?}", means);
            }
        }

        #[test]
        fn classes_are_found_by_all_means(
            bytes in bytes(),
            kinds in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..4), WINDOW),
                1..9,
            ),
            windows in proptest::collection::vec((0usize..400, 0usize..8), 0..4),
        ) {
            let mut whole = Box::new([[0; 256]; WINDOW]);
            for (kind, classes) in kinds.iter().enumerate() {
                for (table, class) in whole.iter_mut().zip(classes) {
                    class.iter().for_each(|byte| table[usize::from(*byte)] |= 1 << kind);
                }
            }
            for (at, kind) in windows {
                for (table, byte) in whole.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
                    table[usize::from(*byte)] |= 1 << kind;
                }
            }
            let tables = Tables::new(whole);
            let blocks = bytes.len().saturating_sub(WINDOW) / BLOCK;
            let plain = found(blocks, |sets| Means::PLAIN.classes(&tables, &bytes, sets));
            for means in Means::all() {
                let found = found(blocks, |sets| means.classes(&tables, &bytes, sets));
                let all = plain.iter().all(|place| found.contains(place));
                prop_assert!(all, "{:?}: {:?} and not {:?}", means, found, plain);
            }
        }
    }
}
