//! What vector searches find: words in few spellings, and single bytes that are rare.

use std::ops::RangeInclusive;

use aho_corasick::packed;
use memchr::{memchr_iter, memchr2_iter, memchr3_iter};

use super::super::runs::{Class, Rate};
use super::rates::Rates;
use super::spellings;

/// Places of a word.
pub(super) const WORD: RangeInclusive<usize> = 3..=8;
/// Spellings of one word at most.
pub(super) const FEW_SPELLINGS: usize = 8;
/// Spellings of one word at most, where it is that or looking everywhere.
pub(super) const MANY_SPELLINGS: usize = 16;
/// Spellings of all words at most: what the vector search takes.
pub(super) const MOST_WORDS: usize = 64;
/// A byte is looked for by itself if it stands at no more than this share of places.
const RARE: Rate = 1.0 / 300.0;
/// Bytes that are looked for by themselves, at most.
pub(super) const MOST_BYTES: usize = 6;

/// The rarest window of a run that has few spellings: where it begins, and those.
pub(super) fn word_window(run: &[Class], most: usize, rates: &Rates) -> Option<(usize, Vec<Vec<u8>>)> {
    WORD.flat_map(|len| run.windows(len).enumerate())
        .filter_map(|(at, window)| Some((rates.of_window(window), at, spellings(window, most, 0)?)))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, at, spelled)| (at, spelled))
}

/// The rarest byte that stands in a run by itself, if it is rare: where, and which.
pub(super) fn rare_byte(run: &[Class], rates: &Rates) -> Option<(usize, u8)> {
    let bytes = run.iter().enumerate().filter(|(_, class)| rates.of(class) <= RARE);
    let bytes = bytes.filter_map(|(at, class)| Some((rates.of(class), at, class.only()?)));
    bytes.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, at, byte)| (at, byte))
}

#[derive(Clone, Debug)]
pub(super) struct Words {
    search: packed::Searcher,
    /// For each spelling: the windows that may begin where it does. Only one of several that begin there is told.
    watched: Vec<Vec<usize>>,
}

impl Words {
    pub(super) fn new(words: &[(Vec<u8>, usize)]) -> Option<Words> {
        let mut spelled: Vec<Vec<u8>> = words.iter().map(|(word, _)| word.clone()).collect();
        spelled.sort();
        spelled.dedup();
        let search = packed::Config::new().only_teddy(true).builder().extend(&spelled).build()?;
        let watched = spelled
            .iter()
            .map(|word| {
                let together = |other: &[u8]| other.starts_with(word) || word.starts_with(other);
                let mut numbers: Vec<usize> =
                    words.iter().filter(|(other, _)| together(other)).map(|(_, number)| *number).collect();
                numbers.dedup();
                numbers
            })
            .collect();
        Some(Words { search, watched })
    }

    #[inline(never)]
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let mut at = 0;
        while let Some(hit) = self.search.find_in(bytes, (at..bytes.len()).into()) {
            let watched = &self.watched[hit.pattern().as_usize()];
            watched.iter().for_each(|number| stands(*number, hit.start()));
            at = hit.start() + 1;
        }
    }
}

/// Up to three rare bytes, each with the windows that begin with it.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub(super) all: Vec<(u8, Vec<usize>)>,
}

impl Bytes {
    #[inline(never)]
    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let mut hit = |place: usize| {
            let watched = self.all.iter().filter(|(byte, _)| *byte == bytes[place]);
            watched.for_each(|(_, numbers)| numbers.iter().for_each(|number| stands(*number, place)));
        };
        match self.all[..] {
            [] => {}
            [(one, _)] => memchr_iter(one, bytes).for_each(&mut hit),
            [(one, _), (two, _)] => memchr2_iter(one, two, bytes).for_each(&mut hit),
            [(one, _), (two, _), (three, _), ..] => memchr3_iter(one, two, three, bytes).for_each(&mut hit),
        }
    }
}
