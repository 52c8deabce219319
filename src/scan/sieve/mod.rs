//! Where in a chunk of lines a pattern may match, found without looking at lines: cost follows hits, not bytes and not
//! patterns.
//!
//! Each pattern waits for one of a few runs of byte classes that every match of it contains ([`runs`]). Of each run one
//! window is watched, by the first of these that can:
//! - grams: seven places that are narrow enough to be spelled out. Four aligned bytes of every such window lie in it
//!   wherever it begins, so only every fourth place of the log is looked at: folded, hashed into a bitmap. What that
//!   costs hardly depends on how many windows there are.
//! - words: up to eight bytes in few spellings, looked for by the vector search of `aho-corasick`.
//! - classes: up to eight classes of any width, of which four are looked at everywhere, in tables of which byte may
//!   stand where.
//!
//! A window that is there makes a candidate if its run is there too, or looks as if it was. Nothing that a pattern
//! matches is passed over; whether it does match is for the caller to find out.

mod classes;
mod grams;
mod rates;
mod simd;
mod words;

use super::plan::Tier;
use super::runs::{Class, OneOf, Rate, Run};
use classes::{BUCKETS, Classes, class_window};
use grams::{Entry, Grams, Surroundings};
pub(super) use rates::Rates;
use simd::Means;
use words::{MOST_WORDS, Words, word_window};

/// A pattern that waits for more than this share of all places is better tried on every line.
const MOST_RATE: Rate = 1.0 / 200.0;

/// Blocks that are looked at before what was found in them is.
const AT_ONCE: usize = 256;

/// One watched window, and what it stands for.
#[derive(Clone, Debug)]
struct Watched {
    /// Who waits for it.
    waiting: u32,
    run: Run,
    /// Where in the run the window begins.
    at: usize,
}

impl Watched {
    /// Whether the whole run stands in `bytes` with its window at `place`.
    #[inline]
    fn stands(&self, bytes: &[u8], place: usize) -> bool {
        let Some(from) = place.checked_sub(self.at) else { return false };
        let Some(there) = bytes.get(from..from + self.run.len()) else { return false };
        self.run.iter().zip(there).all(|(class, byte)| class.contains(*byte))
    }
}

/// Watches for many patterns at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Sieve {
    watched: Vec<Watched>,
    grams: Option<Grams>,
    words: Option<Words>,
    classes: Option<Classes>,
}

/// A requirement, and what would be watched of it.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    /// How often one of its runs stands in a log.
    pub(super) rate: Rate,
    windows: Vec<Window<'a>>,
}

/// What would be watched of a run.
#[derive(Clone, Debug)]
struct Window<'a> {
    run: &'a Run,
    at: usize,
    spelled: Spelled,
}

/// What of a window is spelled out.
#[derive(Clone, Debug)]
enum Spelled {
    /// Its grams, with their places in it.
    Grams(Vec<(u32, usize)>),
    Words(Vec<Vec<u8>>),
    Nothing,
}

impl Choice<'_> {
    pub(super) fn new<'a>(runs: &'a OneOf, rates: &Rates) -> Choice<'a> {
        let mut rate = 0.0;
        let window = |run: &'a Run| {
            let grams = rates.grams_of(run);
            rate += rates.of_run_with(run, &grams);
            let (at, spelled) = if let Some((at, grams)) = grams.window(run, rates) {
                (at, Spelled::Grams(grams))
            } else if let Some((at, words)) = word_window(run, rates) {
                (at, Spelled::Words(words))
            } else {
                (class_window(run, rates), Spelled::Nothing)
            };
            Window { run, at, spelled }
        };
        let windows = runs.iter().map(window).collect();
        Choice { rate, windows }
    }
}

impl Sieve {
    /// Watches for those of `waiting` that are rare. Also gives back the others, by their place.
    pub(super) fn new(waiting: &[Option<&Choice<'_>>], rates: &Rates) -> (Sieve, Vec<usize>) {
        let is_rare = |choice: &&Choice<'_>| choice.rate <= MOST_RATE;
        let rare: Vec<_> = waiting.iter().map(|choice| choice.filter(is_rare)).collect();
        let left = (0..rare.len()).filter(|at| rare[*at].is_none()).collect();
        (Sieve::of(&rare, rates), left)
    }

    /// Watches for all of `waiting`, however common they are.
    pub(super) fn of(waiting: &[Option<&Choice<'_>>], rates: &Rates) -> Sieve {
        Sieve::by(Means::best(), waiting, rates)
    }

    fn by(means: Means, waiting: &[Option<&Choice<'_>>], rates: &Rates) -> Sieve {
        let mut sieve = Sieve::default();
        let (mut grams, mut words, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        let windows = waiting.iter().zip(0..).flat_map(|(choice, waiting)| {
            choice.iter().flat_map(|choice| &choice.windows).map(move |window| (window, waiting))
        });
        for (Window { run, at, spelled }, waiting) in windows {
            let number = sieve.watched.len();
            let narrow = run.iter().all(Class::is_letter);
            match spelled {
                Spelled::Grams(all) => {
                    let around = [0, 1, 2, 3].map(|place| Surroundings::new(run, at + place));
                    grams.extend(all.iter().map(|(gram, place)| Entry {
                        gram: *gram,
                        place: *place as u32,
                        watched: number as u32,
                        around: around[*place],
                        narrow,
                    }));
                }
                Spelled::Words(all) if words.len() + all.len() <= MOST_WORDS => {
                    words.extend(all.iter().map(|word| (word.clone(), number)));
                }
                Spelled::Words(_) | Spelled::Nothing => classes.push(number),
            }
            sieve.watched.push(Watched { waiting, run: (*run).clone(), at: *at });
        }
        sieve.grams = (!grams.is_empty()).then(|| Grams::new(grams, means));
        let mut worded: Vec<usize> = words.iter().map(|(_, number)| *number).collect();
        worded.dedup();
        let few = means != Means::PLAIN && worded.len() <= BUCKETS;
        sieve.words = if few { None } else { Words::new(&words) };
        if sieve.words.is_none() {
            classes.append(&mut worded);
        }
        sieve.classes = (!classes.is_empty()).then(|| Classes::new(&classes, &sieve.watched, rates, means));
        sieve
    }

    /// Who waits, by what means, and for which run.
    pub(super) fn watches(&self) -> Vec<(u32, Tier, &Run)> {
        let mut tiers = vec![Tier::Words; self.watched.len()];
        let grams = self.grams.iter().flat_map(|grams| grams.entries.iter().map(|entry| entry.watched));
        grams.for_each(|number| tiers[number as usize] = Tier::Grams);
        self.classes.iter().flat_map(Classes::numbers).for_each(|number| tiers[number] = Tier::Classes);
        self.watched.iter().zip(tiers).map(|(watched, tier)| (watched.waiting, tier, &watched.run)).collect()
    }

    /// Tells of every place of `bytes` where something that is waited for stands: who waits, and a place inside.
    pub(super) fn sift(&self, bytes: &[u8], mut found: impl FnMut(u32, usize)) {
        if let Some(grams) = &self.grams {
            grams.sift(bytes, &mut |number, place, wide| {
                let watched = &self.watched[number];
                if !wide || watched.stands(bytes, place) {
                    found(watched.waiting, place);
                }
            });
        }
        let mut stands = |number: usize, place: usize| {
            let watched = &self.watched[number];
            if watched.stands(bytes, place) {
                found(watched.waiting, place);
            }
        };
        if let Some(words) = &self.words {
            words.sift(bytes, &mut stands);
        }
        if let Some(classes) = &self.classes {
            classes.sift(bytes, &mut stands);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(text: &str) -> Run {
        text.bytes().map(|byte| class(&[byte])).collect()
    }

    fn class(bytes: &[u8]) -> Class {
        let mut class = Class::default();
        bytes.iter().for_each(|byte| class.insert(*byte));
        class
    }

    fn sifted(sieve: &Sieve, bytes: &[u8]) -> Vec<(u32, usize)> {
        let mut found = Vec::new();
        sieve.sift(bytes, |waiting, place| found.push((waiting, place)));
        found.sort_unstable();
        found
    }

    fn chosen(runs: &OneOf) -> Choice<'_> {
        Choice::new(runs, &Rates::usual())
    }

    fn check(run: &Run, tier: Tier, means: &[Means]) {
        for means in means {
            let runs = vec![run.clone()];
            let sieve = Sieve::by(*means, &[Some(&chosen(&runs))], &Rates::usual());
            assert_eq!(sieve.watches()[0].1, tier, "{run:?} by {means:?}");
        }
    }

    #[test]
    fn a_run_is_watched_for_by_the_first_way_that_can() {
        let digits = || class(b"0123456789");
        let all = Means::all();
        let plain = [Means::PLAIN];
        check(&run("Connection"), Tier::Grams, &all);
        check(&[run("oom-kill"), vec![digits(); 3]].concat(), Tier::Grams, &all);
        check(&run("ERROR"), Tier::Words, &plain);
        check(&[run("\" 5"), vec![digits(); 2], run(" ")].concat(), Tier::Words, &plain);
        check(&vec![digits(); 7], Tier::Classes, &all);
        check(&[vec![digits(); 2], run("~"), vec![digits(); 2]].concat(), Tier::Classes, &all);
    }

    #[test]
    fn a_few_words_are_classes_where_those_cost_less() {
        let words: Vec<OneOf> =
            (b'A'..=b'Z').map(|letter| vec![[run("x"), run("y"), vec![class(&[letter])]].concat()]).collect();
        for (count, tier) in [(1, Tier::Classes), (8, Tier::Classes), (9, Tier::Words), (26, Tier::Words)] {
            let choices: Vec<Choice<'_>> = words[..count].iter().map(chosen).collect();
            let waiting: Vec<_> = choices.iter().map(Some).collect();
            for means in Means::all() {
                let tier = if means == Means::PLAIN { Tier::Words } else { tier };
                let watches = Sieve::by(means, &waiting, &Rates::usual());
                assert!(watches.watches().iter().all(|watch| watch.1 == tier), "{count} by {means:?}");
            }
        }
    }

    #[test]
    fn a_window_is_chosen_by_what_stands_together_in_the_sample() {
        let run = run("QXZ# error at tea");
        let at = |rates: &Rates| rates.grams_of(&run).window(&run, rates).expect("it can be spelled out").0;
        assert_eq!(at(&Rates::usual()), 0, "rare bytes");
        // Of the last window one gram at least is not there.
        assert_eq!(at(&Rates::of_log("QXZ# error at ten\n".repeat(100).as_bytes())), 10);
    }

    #[test]
    fn what_is_unknown_empty_or_everywhere_cannot_be_watched_for() {
        let waiting =
            [None, Some(vec![vec![class(b"0123456789e ")]]), Some(vec![run("Connection")]), Some(Vec::new())];
        let choices: Vec<_> = waiting.iter().map(|runs| runs.as_ref().map(chosen)).collect();
        let waiting: Vec<_> = choices.iter().map(Option::as_ref).collect();
        let (sieve, left) = Sieve::new(&waiting, &Rates::usual());
        assert_eq!(left, [0, 1]);
        assert_eq!(sifted(&sieve, b"a Connection"), [(2, 2)]);
    }

    #[test]
    fn a_run_is_found_wherever_it_stands_also_at_both_ends() {
        let digits = class(b"0123456789");
        let runs = [
            (run("Failed password"), "Failed password"),
            (run("ERROR"), "ERROR"),
            (vec![digits; 6], "123456"),
        ];
        for (run, text) in runs {
            let runs = vec![run];
            let (sieve, _) = Sieve::new(&[Some(&chosen(&runs))], &Rates::usual());
            for before in 0..70 {
                for after in [0, 1, 2, 3, 50] {
                    let bytes = format!("{}{text}{}", "-".repeat(before), "-".repeat(after));
                    let found = sifted(&sieve, bytes.as_bytes());
                    assert!(
                        found.iter().any(|(_, place)| (before..before + text.len()).contains(place)),
                        "{text} after {before} before {after}: {found:?}"
                    );
                }
            }
        }
    }

    fn any_run() -> impl Strategy<Value = Run> {
        let bytes = prop_oneof![
            6 => proptest::sample::select(vec![&b"a"[..], b"b", b"Q", b"#", b"@"]),
            3 => proptest::sample::select(vec![&b"aA"[..], b"bB", b"qQ", b"@`"]),
            1 => proptest::sample::select(vec![&b"abQ#@AB"[..], b"ab"]),
        ];
        proptest::collection::vec(bytes.prop_map(class), 2..14)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]
        #[test]
        fn nothing_that_stands_there_is_passed_over(
            waiting in proptest::collection::vec(proptest::collection::vec(any_run(), 1..3), 1..150),
            bytes in proptest::collection::vec(proptest::sample::select(b"abQ#@ABq`".to_vec()), 0..300),
        ) {
            let rates = Rates::of_log(&bytes);
            let choices: Vec<_> = waiting.iter().map(|runs| Choice::new(runs, &rates)).collect();
            let all: Vec<_> = choices.iter().map(Some).collect();
            for means in Means::all() {
                let sieve = Sieve::by(means, &all, &rates);
                let found = sifted(&sieve, &bytes);
                for (number, runs) in waiting.iter().enumerate() {
                    for run in runs {
                        for (at, there) in bytes.windows(run.len()).enumerate() {
                            if run.iter().zip(there).all(|(class, byte)| class.contains(*byte)) {
                                let places = (number as u32, at)..(number as u32, at + run.len());
                                let is_found = found.iter().any(|hit| places.contains(hit));
                                prop_assert!(is_found, "{:?}: {} at {}", means, number, at);
                            }
                        }
                    }
                }
            }
        }
    }
}
