//! What every match of a pattern must contain: runs of byte classes, of which at least one stands in it.
//!
//! They are read off the pattern's HIR, as R. Cox derives trigrams in "Regular Expression Matching with a Trigram
//! Index" (2012), but with classes instead of bytes, so that `" 5[0-9][0-9] ` is one run of six. Anything that is not
//! understood is a gap; a gap makes runs shorter, never wrong.

use regex_syntax::hir::{Class as HirClass, Hir, HirKind, Repetition};
use regex_syntax::utf8::Utf8Sequences;

/// Runs that are told apart at most, where alternatives multiply.
const MOST_RUNS: usize = 16;
/// Runs of which one is required, at most, where alternatives add up.
const MOST_ALTERNATIVES: usize = 64;
/// Requirements that are kept of a pattern, to choose from by what a log is like.
const MOST_CHOICES: usize = 4;
/// Classes in a run, at most.
const LONGEST: usize = 24;
/// Copies of what is repeated that are looked at.
const MOST_COPIES: u32 = 8;
/// Copies of what is repeated up to so often are told apart by their number.
const FEW_COPIES: u32 = 3;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class([u64; 4]);

impl Class {
    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// Its bytes in their order.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().zip(0u8..).flat_map(|(bits, word)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = u8::try_from(left.trailing_zeros()).ok().filter(|_| left != 0)?;
                left &= left - 1;
                Some(word * 64 + bit)
            })
        })
    }

    /// True if some byte is in both.
    pub(super) fn overlaps(&self, other: &Class) -> bool {
        self.0.iter().zip(other.0).any(|(one, other)| one & other != 0)
    }

    /// Its byte, if it has just one.
    pub(super) fn only(&self) -> Option<u8> {
        let mut bytes = self.bytes();
        bytes.next().filter(|_| bytes.next().is_none())
    }

    /// True if it has one byte, or one letter in upper and lower case.
    pub(super) fn is_letter(&self) -> bool {
        let mut folded = self.bytes().map(|byte| byte.to_ascii_lowercase());
        let first = folded.next();
        folded.all(|byte| Some(byte) == first)
    }

    /// Its bytes with bit 0x20 set: letters are lower-case then, and little else is mixed up.
    pub(super) fn folded(&self) -> Class {
        Class(self.0.map(|bits| (bits | bits << 32) & (u64::MAX << 32)))
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }

    /// The bytes that are not in it.
    pub(super) fn others(&self) -> Class {
        Class(self.0.map(|bits| !bits))
    }

    pub(super) fn or(&self, other: &Class) -> Class {
        Class(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(super) fn of(ranges: impl Iterator<Item = (u8, u8)>) -> Class {
        ranges.flat_map(|(from, to)| from..=to).collect()
    }
}

impl FromIterator<u8> for Class {
    fn from_iter<T: IntoIterator<Item = u8>>(bytes: T) -> Class {
        let mut class = Class::default();
        bytes.into_iter().for_each(|byte| class.insert(byte));
        class
    }
}

/// Contiguous bytes, as classes.
pub(super) type Run = Vec<Class>;

/// How often something stands at a place of a log, 0 to 1.
pub(super) type Rate = f64;

/// A requirement: one of these runs stands in every match.
pub(super) type OneOf = Vec<Run>;

/// What every match of `hir` contains, each by itself; the rarest first. Empty: nothing is known of it.
///
/// `rate` says how often a run is found.
pub(super) fn required(hir: &Hir, rate: &dyn Fn(&[Class]) -> Rate) -> Vec<OneOf> {
    let around = Around { rate };
    around.all_of(around.part(hir))
}

/// The same for a pattern whose matches may lie in several lines: of each run the rarest piece that lies in one of them,
/// because between lines other bytes may stand than where they are joined.
pub(super) fn within_lines(all: Vec<OneOf>, rate: &dyn Fn(&[Class]) -> Rate) -> Vec<OneOf> {
    let piece = |run: Run| {
        let pieces = run.split(|class| class.contains(b'\n')).filter(|piece| !piece.is_empty());
        pieces.min_by(|one, other| rate(one).total_cmp(&rate(other))).map(<[Class]>::to_vec)
    };
    let pieces = |runs: OneOf| runs.into_iter().map(piece).collect::<Option<OneOf>>();
    let mut all: Vec<OneOf> = all.into_iter().filter_map(pieces).collect();
    // Rates are no less than 0, so their bits are in their order.
    all.sort_by_cached_key(|runs| rate_of(runs, rate).to_bits());
    all
}

/// A requirement, and how often one of its runs is found: to look at each once is most of what loading a long pattern
/// takes.
type Rated = (Rate, OneOf);

/// What is known of a part of a pattern.
#[derive(Clone, Debug)]
enum Part {
    /// It matches one of these and nothing else.
    Exact(OneOf),
    /// It begins with one of `head`, ends with one of `tail`, and holds one of each of `inside`.
    Loose { head: OneOf, tail: OneOf, inside: Vec<Rated> },
}

/// A part of which nothing is known.
fn gap() -> Part {
    Part::Loose { head: vec![Run::new()], tail: vec![Run::new()], inside: Vec::new() }
}

struct Around<'a> {
    rate: &'a dyn Fn(&[Class]) -> Rate,
}

impl Around<'_> {
    fn part(&self, hir: &Hir) -> Part {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Part::Exact(vec![Run::new()]),
            HirKind::Literal(literal) => self
                .limited(literal.0.iter().map(|byte| Class::of(std::iter::once((*byte, *byte)))).collect()),
            HirKind::Class(class) => classes(class),
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Concat(parts) => parts
                .iter()
                .fold(Part::Exact(vec![Run::new()]), |so_far, part| self.join(so_far, self.part(part))),
            HirKind::Alternation(parts) => self.either(parts.iter().map(|part| self.part(part)).collect()),
        }
    }

    /// One run, which may be too long.
    fn limited(&self, run: Run) -> Part {
        if run.len() <= LONGEST {
            return Part::Exact(vec![run]);
        }
        let inside = run.chunks_exact(LONGEST).map(|run| vec![run.to_vec()]);
        let inside = self.rarest(Vec::new(), inside);
        let (head, tail) = (run[..LONGEST].to_vec(), run[run.len() - LONGEST..].to_vec());
        Part::Loose { head: vec![head], tail: vec![tail], inside }
    }

    fn repetition(&self, repetition: &Repetition) -> Part {
        let once = self.part(&repetition.sub);
        if repetition.min == 0 {
            return match (once, repetition.max) {
                (Part::Exact(mut runs), Some(1)) if runs.len() < MOST_RUNS => {
                    runs.push(Run::new());
                    Part::Exact(runs)
                }
                _ => gap(),
            };
        }
        let copies = repetition.min.min(MOST_COPIES);
        let all = (1..copies).fold(once.clone(), |so_far, _| self.join(so_far, once.clone()));
        if repetition.max == Some(copies) {
            return all;
        }
        if let (Part::Exact(runs), Some(most)) = (&once, repetition.max)
            && most <= FEW_COPIES
            && runs.len() == 1
            && runs[0].len() * most as usize <= LONGEST
        {
            let copies = (repetition.min..=most).map(|copies| runs[0].repeat(copies as usize));
            return Part::Exact(copies.collect());
        }
        // More of the same may follow, so it is known where it begins and where it ends, and no longer as a whole.
        match all {
            Part::Exact(runs) => {
                let inside = self.rarest(Vec::new(), [runs.clone()]);
                Part::Loose { head: runs.clone(), tail: runs, inside }
            }
            loose @ Part::Loose { .. } => loose,
        }
    }

    fn join(&self, one: Part, other: Part) -> Part {
        use Part::{Exact, Loose};
        match (one, other) {
            (Exact(a), Exact(b)) => match crossed(&a, &b) {
                Some(runs) if runs.iter().all(|run| run.len() <= LONGEST) => Exact(runs),
                Some(runs) => {
                    let inside = self.rarest(Vec::new(), [a, b]);
                    Loose { head: head_of(&runs), tail: tail_of(&runs), inside }
                }
                None => {
                    let inside = self.rarest(Vec::new(), [a.clone(), b.clone()]);
                    Loose { inside, head: a, tail: b }
                }
            },
            (Exact(a), Loose { head, tail, inside }) => {
                let crossed = crossed(&a, &head).map(|runs| head_of(&runs));
                let (head, apart) = crossed.map_or((a, Some(head)), |runs| (runs, None));
                let inside = self.rarest(inside, apart.into_iter().chain([head.clone()]));
                Loose { head, tail, inside }
            }
            (Loose { head, tail, inside }, Exact(b)) => {
                let crossed = crossed(&tail, &b).map(|runs| tail_of(&runs));
                let (tail, apart) = crossed.map_or((b, Some(tail)), |runs| (runs, None));
                let inside = self.rarest(inside, apart.into_iter().chain([tail.clone()]));
                Loose { head, tail, inside }
            }
            (Loose { head, tail: end, inside: first }, Loose { head: begin, tail, inside: second }) => {
                let between = match crossed(&end, &begin) {
                    Some(runs) => vec![head_of(&runs)],
                    None => vec![end, begin],
                };
                Loose { head, tail, inside: self.rarest([first, second].concat(), between) }
            }
        }
    }

    fn either(&self, parts: Vec<Part>) -> Part {
        let exact = |part: &Part| matches!(part, Part::Exact(_));
        let count = |part: &Part| if let Part::Exact(runs) = part { runs.len() } else { 0 };
        if parts.iter().all(exact) && parts.iter().map(count).sum::<usize>() <= MOST_RUNS {
            let runs = parts
                .into_iter()
                .flat_map(|part| if let Part::Exact(runs) = part { runs } else { Vec::new() });
            return Part::Exact(runs.collect());
        }
        let ends = |of: fn(&Part) -> &Vec<Run>| -> Vec<Run> {
            let runs: Vec<Run> = parts.iter().flat_map(|part| of(part).iter().cloned()).collect();
            if runs.len() <= MOST_RUNS { runs } else { vec![Run::new()] }
        };
        let head = ends(|part| match part {
            Part::Exact(runs) | Part::Loose { head: runs, .. } => runs,
        });
        let tail = ends(|part| match part {
            Part::Exact(runs) | Part::Loose { tail: runs, .. } => runs,
        });
        let rarest: Option<Vec<OneOf>> =
            parts.into_iter().map(|part| self.all_of(part).into_iter().next()).collect();
        let inside = rarest.map(|all| all.concat()).filter(|all| all.len() <= MOST_ALTERNATIVES);
        Part::Loose { head, tail, inside: self.rarest(Vec::new(), inside) }
    }

    fn all_of(&self, part: Part) -> Vec<OneOf> {
        let all = match part {
            Part::Exact(runs) => self.rarest(Vec::new(), [runs]),
            Part::Loose { head, tail, inside } => self.rarest(inside, [head, tail]),
        };
        all.into_iter().map(|(_, runs)| runs).collect()
    }

    /// The rarest requirements of those that are known and these. One that an empty run fulfils is none.
    fn rarest(&self, known: Vec<Rated>, others: impl IntoIterator<Item = OneOf>) -> Vec<Rated> {
        let requires = |runs: &OneOf| runs.iter().all(|run| !run.is_empty());
        let others = others.into_iter().filter(requires).map(|runs| (rate_of(&runs, self.rate), runs));
        let mut all: Vec<Rated> = known.into_iter().chain(others).collect();
        all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        all.dedup_by(|(_, one), (_, other)| one == other);
        all.truncate(MOST_CHOICES);
        all
    }
}

fn rate_of(runs: &OneOf, rate: &dyn Fn(&[Class]) -> Rate) -> Rate {
    runs.iter().map(|run| rate(run)).sum()
}

/// The first classes of runs that may be too long.
fn head_of(runs: &[Run]) -> Vec<Run> {
    runs.iter().map(|run| run[..run.len().min(LONGEST)].to_vec()).collect()
}

/// The last classes of runs that may be too long.
fn tail_of(runs: &[Run]) -> Vec<Run> {
    runs.iter().map(|run| run[run.len().saturating_sub(LONGEST)..].to_vec()).collect()
}

/// Every run of `a` followed by every run of `b`, if those are not too many.
fn crossed(a: &[Run], b: &[Run]) -> Option<Vec<Run>> {
    let few = a.len() * b.len() <= MOST_RUNS;
    few.then(|| a.iter().flat_map(|a| b.iter().map(|b| [a.as_slice(), b].concat())).collect())
}

fn classes(class: &HirClass) -> Part {
    let ranges = match class {
        HirClass::Bytes(class) => {
            let class = Class::of(class.ranges().iter().map(|range| (range.start(), range.end())));
            return Part::Exact(vec![vec![class]]);
        }
        HirClass::Unicode(class) => class.ranges(),
    };
    let sequences = ranges.iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
    let (mut single, mut runs) = (Class::default(), Vec::new());
    for sequence in sequences {
        match sequence.as_slice() {
            [byte] => (byte.start..=byte.end).for_each(|byte| single.insert(byte)),
            bytes => runs.push(
                bytes.iter().map(|range| Class::of(std::iter::once((range.start, range.end)))).collect(),
            ),
        }
        if runs.len() >= MOST_RUNS {
            return gap();
        }
    }
    if single != Class::default() || runs.is_empty() {
        runs.push(vec![single]);
    }
    Part::Exact(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::samples::{any_pattern, compiled, crowded, parsed};
    use crate::scan::sieve::Rates;
    use proptest::prelude::*;

    fn all(pattern: &str) -> Vec<OneOf> {
        let hir = parsed(pattern).expect("a valid pattern");
        let rates = Rates::usual();
        required(&hir, &|run| rates.of_run(run))
    }

    /// A run as text: a class of several bytes in brackets, one of very many as a dot.
    fn shown(run: &[Class]) -> String {
        let class = |class: &Class| {
            let bytes: Vec<u8> = class.bytes().collect();
            match bytes.len() {
                1 => bytes.escape_ascii().to_string(),
                2..=10 => format!("[{}]", bytes.escape_ascii()),
                _ => ".".to_owned(),
            }
        };
        run.iter().map(class).collect()
    }

    fn check(pattern: &str, expected: Option<&[&str]>) {
        let found = all(pattern).first().map(|runs| runs.iter().map(|run| shown(run)).collect::<Vec<_>>());
        assert_eq!(
            found,
            expected.map(|runs| runs.iter().map(|run| (*run).to_owned()).collect()),
            "{pattern}"
        );
    }

    #[test]
    fn the_rarest_of_what_every_match_contains_is_required() {
        check(r"Failed (?<what>\S+) from", Some(&["Failed ."]));
        check(r"\bERROR\b", Some(&["ERROR"]));
        check("FATAL|PANIC", Some(&["FATAL", "PANIC"]));
        check("(?i)oom", Some(&["[Oo][Oo][Mm]"]));
        check(r#"[\d.]+" 5\d\d "#, Some(&[r#".\" 5[0123456789][0123456789] "#]));
        check("x{3,}y?", Some(&["xxx"]));
        check("a(?:bc){2}d", Some(&["abcbcd"]));
        check("colou?r of", Some(&["colour of", "color of"]));
        check("größe", Some(&[r"gr\xc3\xb6\xc3\x9fe"]));
        check("(?:ab|c.*d)e", Some(&["abe", "de"]));
        check("a[xy]{1,3}/8", Some(&["a[xy]/8", "a[xy][xy]/8", "a[xy][xy][xy]/8"]));
        check("a[xy]{1,4}/8", Some(&["[xy]/8"]));
    }

    #[test]
    fn what_may_be_anything_requires_nothing() {
        for pattern in ["", "^$", ".*", "a*", "(?:abc)?", "abc|", "(?u)\\w*"] {
            check(pattern, None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]
        #[test]
        fn every_match_contains_one_of_the_runs_of_each_requirement(pattern in any_pattern(), text in crowded()) {
            let Some(found) = compiled(&pattern).find(&text) else { return Ok(()) };
            for runs in all(&pattern) {
                let holds = |run: &Run| {
                    let mut places = text[found.range()].windows(run.len());
                    places.any(|bytes| run.iter().zip(bytes).all(|(class, byte)| class.contains(*byte)))
                };
                prop_assert!(runs.iter().any(holds), "{:?} has none of {:?}", found, runs);
            }
        }
    }
}
