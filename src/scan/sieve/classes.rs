//! Runs of which too much may stand at a place to be spelled out: which byte may stand where, in tables.

use super::super::runs::{Class, Rate};
use super::rates::{Looked, Rates, Spotted};
use super::simd::{BLOCK, LOOK, Means, Tables, WINDOW, places};
use super::{AT_ONCE, Watched};

/// Windows that are looked for together share so many bits.
pub(super) const BUCKETS: usize = 8;
/// Groups of buckets at most; each is a pass over the log.
const MOST_GROUPS: usize = 4;
/// Windows share a bucket if that costs no more than this.
const LITTLE: Rate = 1.0 / 4_000.0;

/// Where the window of a run begins that is seen least often.
pub(super) fn class_window(run: &[Class], rates: &Rates) -> usize {
    let spotted = rates.spotted(run);
    let last = run.len().saturating_sub(WINDOW);
    // Where all of them are looked at, and a shorter one at the end that may begin with something rarer.
    (0..=last.max(run.len().saturating_sub(LOOK)))
        .map(|at| (cost(rates, spotted.window(at, WINDOW), None), at))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .map_or(0, |(_, at)| at)
}

/// What it takes to look for a window, or for one of two, as the rate of what would take the same. Where the first few
/// places are as wanted it costs a little to look at the others of a block, and much where all are.
fn cost(rates: &Rates, window: Looked<'_>, others: Option<Looked<'_>>) -> Rate {
    let [few, all] = rates.of_window(window, others, [LOOK, WINDOW]);
    all + few / 16.0
}

#[derive(Clone, Debug)]
pub(super) struct Classes {
    means: Means,
    groups: Vec<Group>,
}

/// Windows that are looked for in one pass.
#[derive(Clone, Debug)]
struct Group {
    tables: Tables,
    buckets: Vec<Vec<usize>>,
}

impl Classes {
    pub(super) fn new(numbers: &[usize], watched: &[Watched], rates: &Rates, means: Means) -> Classes {
        let mut buckets: Vec<Bucket> = Vec::new();
        for number in numbers {
            let Watched { run, at, .. } = &watched[*number];
            let spotted = rates.spotted(&run[*at..run.len().min(at + WINDOW)]);
            let dearer = buckets.iter().enumerate().map(|(at, bucket)| {
                (
                    cost(rates, bucket.spotted.window(0, WINDOW), Some(spotted.window(0, WINDOW)))
                        - bucket.cost,
                    at,
                )
            });
            match dearer.min_by(|one, other| one.0.total_cmp(&other.0)) {
                Some((more, at)) if more < LITTLE || buckets.len() == BUCKETS * MOST_GROUPS => {
                    let bucket = &mut buckets[at];
                    bucket.numbers.push(*number);
                    bucket.spotted = bucket.spotted.or(&spotted);
                    bucket.cost += more;
                }
                _ => {
                    let cost = cost(rates, spotted.window(0, WINDOW), None);
                    buckets.push(Bucket { numbers: vec![*number], spotted, cost });
                }
            }
        }
        Classes { means, groups: buckets.chunks(BUCKETS).map(Group::new).collect() }
    }

    /// What is watched for.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        self.groups.iter().flat_map(|group| group.buckets.iter().flatten().copied())
    }

    pub(super) fn sift(&self, bytes: &[u8], stands: &mut impl FnMut(usize, usize)) {
        let blocks = bytes.len().saturating_sub(WINDOW) / BLOCK;
        let mut sets = [0; AT_ONCE];
        for group in &self.groups {
            for from in (0..blocks).step_by(AT_ONCE) {
                let sets = &mut sets[..AT_ONCE.min(blocks - from)];
                let from = from * BLOCK;
                self.means.classes(&group.tables, &bytes[from..], sets);
                places(sets, |place| group.look(bytes, from + place, stands));
            }
            (blocks * BLOCK..bytes.len()).for_each(|at| group.look(bytes, at, stands));
        }
    }
}

impl Group {
    fn new(buckets: &[Bucket]) -> Group {
        let mut places = Box::new([[0; 256]; WINDOW]);
        for (bucket, bit) in buckets.iter().zip(0..) {
            for (table, class) in places.iter_mut().zip(&bucket.spotted.classes) {
                class.bytes().for_each(|byte| table[usize::from(byte)] |= 1 << bit);
            }
            let beyond = places[bucket.spotted.classes.len()..].iter_mut().flatten();
            beyond.for_each(|kinds| *kinds |= 1 << bit);
        }
        Group {
            tables: Tables::new(places),
            buckets: buckets.iter().map(|bucket| bucket.numbers.clone()).collect(),
        }
    }

    /// Which of the windows may begin at `at`.
    #[inline(never)]
    fn look(&self, bytes: &[u8], at: usize, stands: &mut impl FnMut(usize, usize)) {
        let looked = self.tables.whole.iter().zip(&bytes[at..]);
        let mut kinds = looked.fold(u8::MAX, |kinds, (table, byte)| kinds & table[usize::from(*byte)]);
        while kinds != 0 {
            let waiting = self.buckets.get(kinds.trailing_zeros() as usize);
            for number in waiting.map_or(&[][..], Vec::as_slice) {
                stands(*number, at);
            }
            kinds &= kinds - 1;
        }
    }
}

/// Windows that share a bit.
#[derive(Clone, Debug)]
struct Bucket {
    numbers: Vec<usize>,
    /// What may stand at each place of one of them; beyond that, anything.
    spotted: Spotted,
    cost: Rate,
}
