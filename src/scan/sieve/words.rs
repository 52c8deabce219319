//! Runs with words in few spellings, which a vector search finds.

use std::ops::RangeInclusive;

use aho_corasick::packed;

use super::super::runs::Class;
use super::rates::Rates;

/// Places of a word.
pub(super) const WORD: RangeInclusive<usize> = 3..=8;
/// Spellings of one word at most.
const MOST_SPELLINGS: usize = 8;
/// Spellings of all words at most: what the vector search takes.
pub(super) const MOST_WORDS: usize = 64;

/// The rarest window of a run that has few spellings: where it begins, and those.
pub(super) fn word_window(run: &[Class], rates: &Rates) -> Option<(usize, Vec<Vec<u8>>)> {
    WORD.flat_map(|len| run.windows(len).enumerate())
        .filter_map(|(at, window)| Some((rates.of_run(window), at, spellings(window)?)))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, at, spelled)| (at, spelled))
}

/// All spellings of a few classes, if there are not too many.
fn spellings(classes: &[Class]) -> Option<Vec<Vec<u8>>> {
    let mut all = vec![Vec::with_capacity(classes.len())];
    for class in classes {
        let bytes: Vec<u8> = class.bytes().collect();
        if all.len() * bytes.len() > MOST_SPELLINGS {
            return None;
        }
        all = all
            .iter()
            .flat_map(|so_far| bytes.iter().map(|byte| [so_far.as_slice(), &[*byte]].concat()))
            .collect();
    }
    Some(all)
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
