//! Where in a chunk of lines a pattern may match, found without looking at lines: cost follows hits, not bytes and not
//! patterns.
//!
//! Each pattern waits for one of a few runs of byte classes that every match of it contains ([`runs`]). Of each run one
//! window is watched, by the first of these that can:
//! - grams: seven places that are narrow enough to be spelled out. Four aligned bytes of every such window lie in it
//!   wherever it begins, so only every fourth place of the log is looked at: folded, hashed into a bitmap. What that
//!   costs hardly depends on how many windows there are.
//! - words: up to eight bytes in few spellings, looked for by the vector search of `aho-corasick`.
//! - strides: seven places or more of any width. As with grams only every fourth place is looked at, in tables of
//!   which byte may stand where.
//! - bytes: one byte that is rare, looked for by the vector search of `memchr`.
//! - masks: up to four classes of any width, looked at everywhere, 64 windows at a time.
//!
//! A window that is there makes a candidate once its whole run is there. Nothing that a pattern matches is passed over;
//! whether it does match is for the caller to find out.

use std::collections::BTreeMap;

use aho_corasick::packed;
use memchr::{memchr_iter, memchr2_iter, memchr3_iter};

use super::plan::Tier;
use super::runs::{Class, OneOf, Rate, Run};

/// Bytes of a gram.
const GRAM: usize = 4;
/// Places between two looks for grams.
const STRIDE: usize = 4;
/// Places of a window in which a gram lies wherever it begins.
const GRAM_WINDOW: usize = GRAM + STRIDE - 1;
/// Spellings of one gram at most.
const MOST_SPELLINGS: usize = 64;
/// Bits of a gram's hash: 32 KiB of bitmap, which stays in the nearest cache.
const GRAM_BITS: u32 = 18;
/// Grams are looked for with this bit set in every byte, in the log too: upper case is lower case, and a few signs are
/// others.
const FOLD: u8 = 0x20;
/// Places of a word.
const WORD: std::ops::RangeInclusive<usize> = 3..=8;
/// Spellings of one word at most.
const FEW_SPELLINGS: usize = 8;
/// Spellings of one word at most, where it is that or looking everywhere.
const MANY_SPELLINGS: usize = 16;
/// Spellings of all words at most: what the vector search takes.
const MOST_WORDS: usize = 64;
/// Places of a window that strides look at, and that many more if it has them.
const STRIDE_WINDOW: usize = GRAM_WINDOW;
/// Bytes that are looked at where one of a window may stand.
const STRIDE_BYTES: usize = 8;
/// Windows that are looked for by strides share so many of 64 bits, each with a bit for each place where it may begin.
const STRIDE_BUCKETS: usize = 64 / STRIDE;
/// A byte is looked for by itself if it stands at no more than this share of places.
const RARE: Rate = 1.0 / 300.0;
/// Bytes that are looked for by themselves, at most.
const MOST_BYTES: usize = 6;
/// Places of a mask.
const MASK: usize = 4;
/// Windows that are looked for by masks share one of so many bits.
const BUCKETS: usize = 64;
/// A pattern that waits for more than this share of all places is better tried on every line.
const MOST_RATE: Rate = 1.0 / 200.0;

/// How often bytes stand in a log, each 0 to 1, all together 1.
#[derive(Clone, Debug)]
pub(super) struct Rates(Box<[Rate; 256]>);

impl Rates {
    /// As in the logs that most machines write.
    pub(super) fn usual() -> Rates {
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
        Rates(rates)
    }

    /// As in a log that is like `sample`.
    pub(super) fn of_log(sample: &[u8]) -> Rates {
        let Rates(mut rates) = Rates::usual();
        // What was not seen is as rare as it usually is, or rarer.
        let (weight, all) = (1000.0, sample.len() as Rate + 1000.0);
        rates.iter_mut().for_each(|rate| *rate *= weight / all);
        sample.iter().for_each(|byte| rates[usize::from(*byte)] += 1.0 / all);
        Rates(rates)
    }

    fn of(&self, class: &Class) -> Rate {
        class.bytes().map(|byte| self.0[usize::from(byte)]).sum::<Rate>().min(1.0)
    }

    /// How often a run stands at a place, by the rarest of its windows.
    pub(super) fn of_run(&self, run: &[Class]) -> Rate {
        run.windows(run.len().min(*WORD.end())).map(|window| self.of_window(window)).fold(1.0, Rate::min)
    }

    fn of_window(&self, window: &[Class]) -> Rate {
        window.iter().map(|class| self.of(class)).product()
    }
}

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
    strides: Option<Strides>,
    bytes: Vec<Bytes>,
    masks: Option<Masks>,
}

impl Sieve {
    /// Watches for what each of `waiting` requires, for one of its runs, if that is rare. Also gives back those that
    /// cannot be watched for, by their place.
    pub(super) fn new(waiting: &[Option<&OneOf>], rates: &Rates) -> (Sieve, Vec<usize>) {
        let is_rare = |runs: &OneOf| runs.iter().map(|run| rates.of_run(run)).sum::<Rate>() <= MOST_RATE;
        let rare: Vec<_> = waiting.iter().map(|runs| runs.filter(|runs| is_rare(runs))).collect();
        let left = (0..rare.len()).filter(|at| rare[*at].is_none()).collect();
        (Sieve::of(&rare, rates), left)
    }

    /// Watches for what each of `waiting` requires, however common it is.
    pub(super) fn of(waiting: &[Option<&OneOf>], rates: &Rates) -> Sieve {
        let mut sieve = Sieve::default();
        let (mut grams, mut words, mut strides, mut masks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut bytes: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for (waiting, runs) in waiting.iter().enumerate() {
            let Some(runs) = runs else { continue };
            for run in *runs {
                let number = sieve.watched.len();
                let word = |most| {
                    let found = word_window(run, most, rates);
                    found.filter(|(_, spelled)| words.len() + spelled.len() <= MOST_WORDS)
                };
                let at = if let Some((at, spelled)) = gram_window(run, rates) {
                    grams.extend(spelled.into_iter().map(|(gram, place)| Entry {
                        gram,
                        place: place as u32,
                        watched: number as u32,
                        around: Around::new(run, at + place),
                    }));
                    at
                } else if let Some((at, spelled)) = word(FEW_SPELLINGS) {
                    words.extend(spelled.into_iter().map(|word| (word, number)));
                    at
                } else if let Some(at) = stride_window(run, rates) {
                    strides.push(number);
                    at
                } else if let Some((at, spelled)) = word(MANY_SPELLINGS) {
                    words.extend(spelled.into_iter().map(|word| (word, number)));
                    at
                } else if let Some((at, byte)) = rare_byte(run, rates)
                    && (bytes.contains_key(&byte) || bytes.len() < MOST_BYTES)
                {
                    bytes.entry(byte).or_default().push(number);
                    at
                } else {
                    masks.push(number);
                    mask_window(run, rates)
                };
                sieve.watched.push(Watched { waiting: waiting as u32, run: run.clone(), at });
            }
        }
        sieve.grams = (!grams.is_empty()).then(|| Grams::new(grams));
        let vectors = Words::new(&words);
        if vectors.is_none() {
            masks.extend(words.iter().map(|(_, number)| *number));
            masks.sort_unstable();
            masks.dedup();
        }
        sieve.words = vectors;
        sieve.strides = (!strides.is_empty()).then(|| Strides::new(&strides, &sieve.watched));
        let mut bytes = bytes.into_iter();
        while let Some(first) = bytes.next() {
            sieve.bytes.push(Bytes { all: std::iter::once(first).chain(bytes.by_ref().take(2)).collect() });
        }
        sieve.masks = (!masks.is_empty()).then(|| Masks::new(&masks, &sieve.watched));
        sieve
    }

    /// Who waits, by what means, and for which run.
    pub(super) fn watches(&self) -> Vec<(u32, Tier, &Run)> {
        let mut tiers = vec![Tier::Words; self.watched.len()];
        let strides = self.strides.iter().flat_map(|strides| strides.buckets.iter().flatten());
        strides.for_each(|number| tiers[*number] = Tier::Strides);
        let bytes = self.bytes.iter().flat_map(|bytes| bytes.all.iter().flat_map(|(_, numbers)| numbers));
        bytes.for_each(|number| tiers[*number] = Tier::Bytes);
        let grams = self.grams.iter().flat_map(|grams| grams.entries.iter().map(|entry| entry.watched));
        let masks = self.masks.iter().flat_map(|masks| masks.buckets.iter().flatten().copied());
        grams.for_each(|number| tiers[number as usize] = Tier::Grams);
        masks.for_each(|number| tiers[number] = Tier::Masks);
        self.watched.iter().zip(tiers).map(|(watched, tier)| (watched.waiting, tier, &watched.run)).collect()
    }

    /// Tells of every place of `bytes` where something that is waited for stands: who waits, and a place inside.
    pub(super) fn sift(&self, bytes: &[u8], mut found: impl FnMut(u32, usize)) {
        let mut stands = |number: usize, place: usize| {
            let watched = &self.watched[number];
            if watched.stands(bytes, place) {
                found(watched.waiting, place);
            }
        };
        if let Some(grams) = &self.grams {
            grams.sift(bytes, &mut stands);
        }
        if let Some(words) = &self.words {
            words.sift(bytes, &mut stands);
        }
        if let Some(strides) = &self.strides {
            strides.sift(bytes, &mut stands);
        }
        self.bytes.iter().for_each(|rare| rare.sift(bytes, &mut stands));
        if let Some(masks) = &self.masks {
            masks.sift(bytes, &mut stands);
        }
    }
}

/// All spellings of a few classes, if there are at most so many.
fn spellings(classes: &[Class], most: usize, fold: u8) -> Option<Vec<Vec<u8>>> {
    let mut all = vec![Vec::with_capacity(classes.len())];
    for class in classes {
        let mut bytes: Vec<u8> = class.bytes().map(|byte| byte | fold).collect();
        bytes.sort_unstable();
        bytes.dedup();
        if all.len() * bytes.len() > most {
            return None;
        }
        all = all
            .iter()
            .flat_map(|so_far| bytes.iter().map(|byte| [so_far.as_slice(), &[*byte]].concat()))
            .collect();
    }
    Some(all)
}

/// The rarest window of a run that grams can watch: where it begins, and its grams with their places in it.
fn gram_window(run: &[Class], rates: &Rates) -> Option<(usize, Vec<(u32, usize)>)> {
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

/// The rarest window of a run that has few spellings: where it begins, and those.
fn word_window(run: &[Class], most: usize, rates: &Rates) -> Option<(usize, Vec<Vec<u8>>)> {
    WORD.flat_map(|len| run.windows(len).enumerate())
        .filter_map(|(at, window)| Some((rates.of_window(window), at, spellings(window, most, 0)?)))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, at, spelled)| (at, spelled))
}

/// Where the window begins that strides see least often, if there is room for one.
fn stride_window(run: &[Class], rates: &Rates) -> Option<usize> {
    let rate = |at: usize| {
        let seen = |from: usize| &run[from..run.len().min(from + STRIDE_BYTES)];
        (at..at + STRIDE).map(|from| rates.of_window(seen(from))).sum::<Rate>()
    };
    (0..=run.len().checked_sub(STRIDE_WINDOW)?).min_by(|one, other| rate(*one).total_cmp(&rate(*other)))
}

/// The rarest byte that stands in a run by itself, if it is rare: where, and which.
fn rare_byte(run: &[Class], rates: &Rates) -> Option<(usize, u8)> {
    let bytes = run.iter().enumerate().filter(|(_, class)| rates.of(class) <= RARE);
    let bytes = bytes.filter_map(|(at, class)| Some((rates.of(class), at, class.only()?)));
    bytes.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, at, byte)| (at, byte))
}

/// Where the rarest window for masks begins.
fn mask_window(run: &[Class], rates: &Rates) -> usize {
    run.windows(run.len().min(MASK))
        .enumerate()
        .map(|(at, window)| (rates.of_window(window), at))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map_or(0, |(_, at)| at)
}

fn quad(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |quad, byte| quad << 8 | u32::from(*byte))
}

/// A gram of a watched window, and what stands around it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    gram: u32,
    /// Where in its window.
    place: u32,
    watched: u32,
    around: Around,
}

/// What the sixteen bytes from six before a gram must look like, as far as they belong to its run: folded, and of each
/// byte those bits that all of its class have alike. Most of what only looks alike is told apart by this one look.
#[derive(Clone, Copy, Debug, Default)]
struct Around {
    want: u128,
    mask: u128,
}

impl Around {
    const BEFORE: usize = 6;
    const LEN: usize = 16;

    /// Of the gram at `at` in `run`.
    fn new(run: &[Class], at: usize) -> Around {
        let (mut want, mut mask) = ([0; Around::LEN], [0; Around::LEN]);
        for (place, (want, mask)) in want.iter_mut().zip(&mut mask).enumerate() {
            let class = (at + place).checked_sub(Around::BEFORE).and_then(|place| run.get(place));
            if let Some(class) = class {
                let folded = || class.bytes().map(|byte| byte | FOLD);
                let (all, any) = folded().fold((u8::MAX, 0), |(all, any), byte| (all & byte, any | byte));
                (*want, *mask) = (all, !(all ^ any));
            }
        }
        let (want, mask) = (u128::from_le_bytes(want), u128::from_le_bytes(mask));
        Around { want: want & mask, mask }
    }

    /// Of the gram at `at` in `bytes`.
    fn read(bytes: &[u8], at: usize) -> u128 {
        let whole = at.checked_sub(Around::BEFORE).and_then(|from| bytes.get(from..from + Around::LEN));
        let mut near = [0; Around::LEN];
        match whole {
            Some(whole) => near.copy_from_slice(whole),
            // What stands beyond an end is no part of a run that stands there.
            None => near.iter_mut().enumerate().for_each(|(place, byte)| {
                let place = (at + place).checked_sub(Around::BEFORE);
                *byte = place.and_then(|place| bytes.get(place)).copied().unwrap_or(0);
            }),
        }
        u128::from_le_bytes(near) | u128::from_le_bytes([FOLD; Around::LEN])
    }

    fn looks_like(&self, near: u128) -> bool {
        near & self.mask == self.want
    }
}

#[derive(Clone, Debug)]
struct Grams {
    /// A bit for every hash of a gram that is watched for.
    bits: Box<[u64; 1 << (GRAM_BITS - 6)]>,
    /// Where in `entries` those of each slot begin; one more at the end.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    /// How far the hash is shifted to be a slot.
    shift: u32,
}

impl Grams {
    fn new(mut entries: Vec<Entry>) -> Grams {
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
    fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
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
        let near = Around::read(bytes, at);
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

#[derive(Clone, Debug)]
struct Words {
    search: packed::Searcher,
    /// For each spelling: the windows that may begin where it does. Only one of several that begin there is told.
    watched: Vec<Vec<usize>>,
}

impl Words {
    fn new(words: &[(Vec<u8>, usize)]) -> Option<Words> {
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
    fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let mut at = 0;
        while let Some(hit) = self.search.find_in(bytes, (at..bytes.len()).into()) {
            let watched = &self.watched[hit.pattern().as_usize()];
            watched.iter().for_each(|number| stands(*number, hit.start()));
            at = hit.start() + 1;
        }
    }
}

/// For each byte and each place that is looked at: which windows may have it there, and where they would begin.
#[derive(Clone, Debug)]
struct Strides {
    tables: Box<[[u64; 256]; STRIDE_BYTES]>,
    buckets: Vec<Vec<usize>>,
}

impl Strides {
    fn new(numbers: &[usize], watched: &[Watched]) -> Strides {
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
    fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
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

/// Up to three rare bytes, each with the windows that begin with it.
#[derive(Clone, Debug)]
struct Bytes {
    all: Vec<(u8, Vec<usize>)>,
}

impl Bytes {
    #[inline(never)]
    fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
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

/// For each byte and each of the first places of a window: the buckets with a window that may have it there.
#[derive(Clone, Debug)]
struct Masks {
    tables: Box<[[u64; 256]; MASK]>,
    /// Buckets with a window that has no such place.
    beyond: [u64; MASK],
    buckets: Vec<Vec<usize>>,
}

impl Masks {
    fn new(numbers: &[usize], watched: &[Watched]) -> Masks {
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
    fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
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

    /// What watches for a run.
    fn tier(run: Run) -> Tier {
        let (sieve, left) = Sieve::new(&[Some(&vec![run])], &Rates::usual());
        assert!(left.is_empty());
        sieve.watches()[0].1
    }

    #[test]
    fn a_run_is_watched_for_by_the_first_way_that_can() {
        let digits = || class(b"0123456789");
        assert_eq!(tier(run("Connection")), Tier::Grams);
        assert_eq!(tier([run("oom-kill"), vec![digits(); 3]].concat()), Tier::Grams);
        assert_eq!(tier(run("ERROR")), Tier::Words);
        assert_eq!(tier([run("\" 5"), vec![digits(); 2], run(" ")].concat()), Tier::Words);
        assert_eq!(tier(vec![digits(); 7]), Tier::Strides);
        assert_eq!(tier([vec![digits(); 2], run("~"), vec![digits(); 2]].concat()), Tier::Bytes);
        assert_eq!(tier([vec![digits(); 2], run("."), vec![digits(); 2]].concat()), Tier::Masks);
    }

    #[test]
    fn what_is_unknown_empty_or_everywhere_cannot_be_watched_for() {
        let waiting =
            [None, Some(vec![vec![class(b"0123456789e ")]]), Some(vec![run("Connection")]), Some(Vec::new())];
        let waiting: Vec<_> = waiting.iter().map(Option::as_ref).collect();
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
            let (sieve, _) = Sieve::new(&[Some(&vec![run])], &Rates::usual());
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
            let waiting: Vec<_> = waiting.iter().map(Some).collect();
            let (sieve, left) = Sieve::new(&waiting, &Rates::usual());
            let found = sifted(&sieve, &bytes);
            for (number, runs) in waiting.iter().enumerate().filter(|(number, _)| !left.contains(number)) {
                for run in runs.iter().copied().flatten() {
                    for (at, there) in bytes.windows(run.len()).enumerate() {
                        if run.iter().zip(there).all(|(class, byte)| class.contains(*byte)) {
                            let places = (number as u32, at)..(number as u32, at + run.len());
                            prop_assert!(found.iter().any(|hit| places.contains(hit)), "{} at {}", number, at);
                        }
                    }
                }
            }
        }
    }
}
