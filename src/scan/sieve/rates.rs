//! How common bytes are, and so what is rare.

use super::super::runs::{Class, Rate};
use super::grams::{Gram, GramCounts, RunGrams};
use super::words::WORD;

/// Words of 64 places in an excerpt.
const EXCERPT: usize = 128;
/// Pieces of an excerpt.
const PIECES: usize = 16;

/// How often something stands in a log.
#[derive(Clone, Debug)]
pub(in crate::scan) struct Rates {
    /// Of each byte, 0 to 1, all together 1.
    bytes: Box<[Rate; 256]>,
    sample: Option<Sample>,
}

/// What was seen of a log.
#[derive(Clone, Debug)]
struct Sample {
    grams: GramCounts,
    /// Pieces of it, for what is not to be spelled out.
    excerpt: Vec<u8>,
}

/// Some classes.
#[derive(Clone, Debug)]
pub(super) struct Spotted {
    pub(super) classes: Vec<Class>,
    /// For each, the places of the excerpt where it stands; none, if there is no sample.
    places: Vec<[u64; EXCERPT]>,
}

/// Some of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a> {
    classes: &'a [Class],
    places: &'a [[u64; EXCERPT]],
}

impl Rates {
    /// As in the logs that most machines write.
    pub(in crate::scan) fn usual() -> Rates {
        let mut rates = Box::new([0.000_2; 256]);
        for (bytes, rate) in [
            (&b"etaoinsrlcd"[..], 0.035),
            (b"hupmfgbwyvk", 0.013),
            (b"xjqz", 0.002),
            (b"ETAOINSRLCDHUPMFGBWYVKXJQZ", 0.003),
            (b"0123456789", 0.025),
            (b" ", 0.12),
            (b".:-/=,\"[]_", 0.012),
            (b"()'{}@#\\;<>+*&%?!|", 0.003),
            (b"\n\t\r", 0.007),
        ] {
            bytes.iter().for_each(|byte| rates[usize::from(*byte)] = rate);
        }
        Rates { bytes: rates, sample: None }
    }

    /// As in a log that is like `sample`.
    pub(in crate::scan) fn of_log(sample: &[u8]) -> Rates {
        let mut rates = Rates::usual().bytes;
        // What was not seen is as rare as it usually is, or rarer.
        let (weight, all) = (1000.0, sample.len() as Rate + 1000.0);
        rates.iter_mut().for_each(|rate| *rate *= weight / all);
        sample.iter().for_each(|byte| rates[usize::from(*byte)] += 1.0 / all);
        let most = EXCERPT * 64 / PIECES;
        let pieces = sample.chunks(sample.len().div_ceil(PIECES).max(most));
        let excerpt = pieces.flat_map(|piece| &piece[..piece.len().min(most)]).copied().collect();
        Rates { bytes: rates, sample: Some(Sample { grams: GramCounts::of(sample), excerpt }) }
    }

    pub(in crate::scan) fn of_byte(&self, byte: u8) -> Rate {
        self.bytes[usize::from(byte)]
    }

    fn of(&self, class: &Class) -> Rate {
        let sum = |class: &Class| class.bytes().map(|byte| self.bytes[usize::from(byte)]).sum::<Rate>();
        // The fewer are summed up of those that are in it and those that are not.
        let rate = if class.len() <= 128 { sum(class) } else { 1.0 - sum(&class.others()) };
        rate.clamp(0.0, 1.0)
    }

    /// How often a run stands at a place.
    pub(in crate::scan) fn of_run(&self, run: &[Class]) -> Rate {
        match &self.sample {
            Some(_) => self.of_run_with(run, &self.grams_of(run)),
            None => self.apart(run),
        }
    }

    /// The same, of a run whose grams are at hand.
    ///
    /// Bytes of a log go in company: where there is a sample, nothing is more common than the rarest of its grams.
    pub(super) fn of_run_with(&self, run: &[Class], grams: &RunGrams) -> Rate {
        let apart = self.apart(run);
        let seen = grams.at.iter().flatten().filter_map(|gram| gram.seen);
        match (seen.min_by(Rate::total_cmp), &self.sample) {
            (Some(seen), Some(sample)) => settled(seen, sample.grams.least(), apart),
            _ => apart,
        }
    }

    /// How often a run stands at a place if bytes knew nothing of each other.
    fn apart(&self, run: &[Class]) -> Rate {
        let each: Vec<Rate> = run.iter().map(|class| self.of(class)).collect();
        let windows = each.windows(run.len().min(*WORD.end())).map(|window| window.iter().product());
        windows.fold(1.0, Rate::min)
    }

    /// The grams of a run, and how often they were seen.
    pub(super) fn grams_of(&self, run: &[Class]) -> RunGrams {
        RunGrams::new(run, self.sample.as_ref().map(|sample| &sample.grams))
    }

    /// How often a gram of these classes stands at a place.
    pub(super) fn of_gram(&self, classes: &[Class], gram: &Gram) -> Rate {
        let apart = classes.iter().map(|class| self.of(class)).product();
        match (gram.seen, &self.sample) {
            (Some(seen), Some(sample)) => settled(seen, sample.grams.least(), apart),
            _ => apart,
        }
    }

    /// Classes, and where in the excerpt a byte of each stands.
    pub(super) fn spotted(&self, classes: &[Class]) -> Spotted {
        let places = |class: &Class| {
            let excerpt = &self.sample.as_ref()?.excerpt;
            let mut is_in = [0; 256];
            class.bytes().for_each(|byte| is_in[usize::from(byte)] = 1);
            let mut places = [0; EXCERPT];
            for (word, bytes) in places.iter_mut().zip(excerpt.chunks(64)) {
                *word = bytes.iter().rev().fold(0, |word, byte| word << 1 | is_in[usize::from(*byte)]);
            }
            Some(places)
        };
        Spotted { places: classes.iter().filter_map(places).collect(), classes: classes.to_vec() }
    }

    /// How often the first so many of these classes follow each other: one rate for each number of `firsts`. With
    /// `others`, those may stand in the place of these.
    pub(super) fn of_window<const N: usize>(
        &self,
        window: Looked<'_>,
        others: Option<Looked<'_>>,
        firsts: [usize; N],
    ) -> [Rate; N] {
        let len = others.map_or(usize::MAX, |others| others.classes.len()).min(window.classes.len());
        let apart = |first: usize| -> Rate {
            let one = |at: usize| match others {
                Some(others) => window.classes[at].or(&others.classes[at]),
                None => window.classes[at],
            };
            (0..first.min(len)).map(|at| self.of(&one(at))).product()
        };
        let Some(Sample { excerpt, .. }) = &self.sample else { return firsts.map(apart) };
        let mut counts = [0; N];
        for word in 0..EXCERPT {
            let mut together = u64::MAX;
            for at in 0..len {
                let spot = |of: &Looked<'_>| {
                    let next = of.places[at].get(word + 1).copied().unwrap_or(0);
                    of.places[at][word] >> at | next << 1 << (63 - at)
                };
                together &= spot(&window) | others.as_ref().map_or(0, spot);
                if together == 0 {
                    break;
                }
                let ends = counts.iter_mut().zip(firsts).filter(|(_, first)| at + 1 == (*first).min(len));
                ends.for_each(|(count, _)| *count += together.count_ones());
            }
        }
        let all = excerpt.len().max(1) as Rate;
        let mut firsts = firsts.into_iter();
        counts.map(|count| settled(Rate::from(count) / all, 0.5 / all, apart(firsts.next().unwrap_or(0))))
    }
}

/// What was not seen is as rare as its bytes make it, and rarer than the least that would have been seen.
fn settled(seen: Rate, least: Rate, apart: Rate) -> Rate {
    if seen > 0.0 { seen } else { apart.min(least) }
}

impl Spotted {
    /// Those from `at` on, `len` at most.
    pub(super) fn window(&self, at: usize, len: usize) -> Looked<'_> {
        let end = self.classes.len().min(at + len);
        Looked { classes: &self.classes[at..end], places: self.places.get(at..end).unwrap_or_default() }
    }

    /// What stands in one of two windows, as far as both go.
    pub(super) fn or(&self, other: &Spotted) -> Spotted {
        let both =
            |(one, other): (&[u64; EXCERPT], &[u64; EXCERPT])| std::array::from_fn(|at| one[at] | other[at]);
        Spotted {
            classes: self.classes.iter().zip(&other.classes).map(|(one, other)| one.or(other)).collect(),
            places: self.places.iter().zip(&other.places).map(both).collect(),
        }
    }
}
