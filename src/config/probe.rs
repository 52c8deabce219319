//! What a pattern may cost on one line: it is tried on lines that are hard for it, and judged by what that took.
//!
//! Reads no clock: whoever loads hands in a [`Stopwatch`]. Without one nothing is tried.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::diagnostic::{Problems, short};
use super::pattern::Compiled;
use super::walk::Said;
use crate::rule::Pattern;
use crate::scan::plan::Trial;

/// Bytes of the lines that a pattern is tried on: the longest that are matched unless `max_line` says otherwise.
pub const LINE: usize = 64 * 1024;
/// A pattern that takes longer for such a line is warned about: 13 MB/s a core.
const WARN: Duration = Duration::from_millis(5);
/// A pattern that takes longer is refused: twenty such lines a second would take a whole core.
const REFUSE: Duration = Duration::from_millis(50);
/// What is refused at once: no machine is so busy that CPU time is four times what it should be.
const BEYOND_DOUBT: Duration = Duration::from_millis(4 * 50);
/// Bytes of a line that are tried first, so that what takes seconds is refused in a fraction of one, and what is quick is
/// not tried on all of them.
const FIRST: [usize; 2] = [4 * 1024, 16 * 1024];
/// Bytes of lines whose steps are counted where patterns are not timed: as many as the widest of [`NARROW`] has places, and
/// twice as many. What grows like the line between the two does so for longer ones.
const COUNTED: [usize; 2] = [256, 512];
/// Steps for each byte of such a line that a pattern may take without being timed. At four, another engine takes over.
const STEPS_PER_BYTE: usize = 2;
/// The width up to which that is so: repetitions of more have not been seen to end in such lines.
const NARROW: u64 = 256;
/// Measurements of which the lowest counts: a machine that is busy must refuse nothing.
const RUNS: usize = 3;
/// CPU time after which patterns that can not be refused are no longer tried, so that thousands of rules are checked
/// in seconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Patterns that are refused before nothing more is tried: nothing will be adopted.
const MOST_REFUSED: usize = 5;
/// Literal prefixes that lines are made of, at most.
const MOST_PREFIXES: usize = 8;
/// The width up to which a pattern can not be refused, so that a load need not try it.
///
/// Measured with 80 patterns made to be slow, on two cores shared with other work: 0.59 ms at most for each unit of
/// width and line of 64 KiB, so 24 ms here, half of [`REFUSE`]. Of 34 rules as they are usually written 33 had a width
/// of 2 to 40, and all took under 1 ms.
const PLAIN: u64 = 40;

/// Runs a piece of work and says how long it took.
pub type Stopwatch = Box<dyn FnMut(&mut dyn FnMut()) -> Duration>;

/// A stopwatch that somebody else holds.
type Running<'a> = &'a mut dyn FnMut(&mut dyn FnMut()) -> Duration;

/// Tries patterns and remembers what they cost: what stands in many rules is tried once.
#[derive(Default)]
pub struct Probe {
    /// `None`: nothing is tried.
    stopwatch: Option<Stopwatch>,
    /// Whether patterns are tried that can not be refused.
    plain: bool,
    /// CPU time of all trials.
    spent: Duration,
    refused: usize,
    known: HashMap<Arc<str>, Cost>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe")
            .field("plain", &self.plain)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

/// What a pattern costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// For one line of [`LINE`] bytes, the hardest of those that were tried.
    pub took: Duration,
    /// What that line is a repetition of.
    pub of: Vec<u8>,
}

impl Probe {
    /// Tries nothing.
    pub fn none() -> Probe {
        Probe::default()
    }

    /// Tries the patterns that may have to be refused: for a load that must be quick.
    pub fn suspects(stopwatch: Stopwatch) -> Probe {
        Probe { stopwatch: Some(stopwatch), ..Probe::default() }
    }

    /// Tries every pattern: for authors.
    pub fn all(stopwatch: Stopwatch) -> Probe {
        Probe { stopwatch: Some(stopwatch), plain: true, ..Probe::default() }
    }

    /// What `pattern` cost, if it was tried.
    pub fn cost(&self, pattern: &Pattern) -> Option<&Cost> {
        self.known.get(&pattern.expanded)
    }

    /// Tries a pattern, if it is one to be tried; says so if it is slow.
    ///
    /// What is `allowed` to be slow is tried only where every pattern is, and never spoken of.
    pub(super) fn judge(
        &mut self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        compiled: &Compiled,
        allowed: bool,
    ) {
        let Some(stopwatch) = &mut self.stopwatch else { return };
        let must = compiled.width > PLAIN && !allowed;
        let may = self.plain && self.spent <= PATIENCE;
        if !(must || may) || self.refused >= MOST_REFUSED {
            return;
        }
        let cost = self.known.entry(compiled.expanded.clone()).or_insert_with(|| {
            let names: Vec<Arc<str>> = compiled.names.iter().map(|(_, name)| name.as_str().into()).collect();
            let counts = !self.plain && compiled.width <= NARROW;
            measure(&compiled.clone().placed(&names), counts, &mut |work| {
                let took = stopwatch(work);
                self.spent += took;
                took
            })
        });
        if allowed || cost.took <= WARN {
            return;
        }
        self.refused += usize::from(cost.took > REFUSE);
        let title = format!("`{}` is slow", short(said.text));
        let label = format!("{} ms for one line of {} KiB", cost.took.as_millis(), LINE / 1024);
        let span = said.span.clone();
        let problem = if cost.took > REFUSE {
            problems.error("slow-pattern", span, title, label)
        } else {
            problems.warning("slow-pattern", span, title, label)
        };
        problem.note = Some(format!(
            "measured on `{}`, again and again; above {} ms it is warned about, above {} ms refused",
            cost.of.escape_ascii(),
            WARN.as_millis(),
            REFUSE.as_millis()
        ));
        let way = match &compiled.most_repeated {
            Some(bounds) => format!("write a smaller number than in `{bounds}`, or `+` in place of it"),
            None => {
                "leave out parts that may be there or not, alternatives and `.*`, where it can do without"
                    .to_owned()
            }
        };
        problem.help = Some(format!("{way}; `allow_slow = true` takes it as it is"));
    }
}

/// The cost of a pattern on the hardest line. Nothing more is tried once it is refused. `counts`: what steps are enough to
/// tell is not timed.
fn measure(pattern: &Pattern, counts: bool, stopwatch: Running<'_>) -> Cost {
    let mut trial = Trial::new(pattern);
    let mut worst = Cost { took: Duration::ZERO, of: Vec::new() };
    for of in parts(pattern) {
        if counts && is_quick(&mut trial, &of) {
            continue;
        }
        let took = lowest(&mut trial, &of, stopwatch);
        if took > worst.took {
            worst = Cost { took, of };
        }
        if worst.took > REFUSE {
            break;
        }
    }
    worst
}

/// A line that is a repetition of this.
fn line(of: &[u8], bytes: usize) -> Vec<u8> {
    let mut line = of.repeat(bytes.div_ceil(of.len()));
    line.truncate(bytes);
    line
}

/// True if a line that is a repetition of this takes few steps for each byte, however long it is.
fn is_quick(trial: &mut Trial, of: &[u8]) -> bool {
    // What is at the ends of a line is no growth.
    const ENDS: usize = 16;
    let [one, two] = COUNTED.map(|bytes| trial.steps(&line(of, bytes)));
    let grows_like_it = |one, two| two <= 2 * one + ENDS && two <= COUNTED[1] * STEPS_PER_BYTE;
    one.zip(two).is_some_and(|(one, two)| grows_like_it(one, two))
}

/// What a line takes that is a repetition of this.
fn lowest(trial: &mut Trial, of: &[u8], stopwatch: Running<'_>) -> Duration {
    let mut run = |line: &[u8]| stopwatch(&mut || _ = std::hint::black_box(trial.fits(line)));
    for bytes in FIRST {
        // Matching is linear in the line at best, and at worst it is tried anew at each byte.
        let times = u32::try_from(LINE / bytes).unwrap_or(1);
        let at_best = run(&line(of, bytes)).saturating_mul(times);
        let at_worst = at_best.saturating_mul(times);
        if at_worst <= WARN || at_best > BEYOND_DOUBT {
            return at_best;
        }
    }
    let line = line(of, LINE);
    let mut lowest = Duration::MAX;
    for _ in 0..RUNS {
        lowest = lowest.min(run(&line));
        if lowest <= WARN || lowest > BEYOND_DOUBT {
            break;
        }
    }
    lowest
}

/// What lines are made of: what is in many classes, and how the pattern itself may begin.
fn parts(pattern: &Pattern) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = [b"a", b"x", b"0", b" "].map(|byte| byte.to_vec()).into();
    let prefixes = Extractor::new().extract(&pattern.hir);
    let prefixes = prefixes.literals().unwrap_or_default();
    for prefix in prefixes.iter().map(|literal| literal.as_bytes()).take(MOST_PREFIXES) {
        if !prefix.is_empty() && parts.iter().all(|part| part != prefix) {
            parts.push(prefix.to_vec());
        }
    }
    parts
}

/// How many places of a pattern can be in play at once at most, about: what a search without luck looks at for each
/// byte of a line.
pub(super) fn width(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty => 0,
        HirKind::Look(_) => 1,
        HirKind::Literal(_) | HirKind::Class(_) => width_of_all(std::slice::from_ref(hir)),
        HirKind::Repetition(repeated) => {
            let open = repeated.max != Some(repeated.min);
            let times = repeated.max.unwrap_or(repeated.min.max(1));
            u64::from(times).saturating_mul(width(&repeated.sub).saturating_add(u64::from(open)))
        }
        HirKind::Capture(capture) => width(&capture.sub),
        HirKind::Concat(parts) => width_of_all(parts),
        HirKind::Alternation(parts) => parts.iter().map(width).fold(0, u64::saturating_add),
    }
}

/// The width of parts that follow each other. Of bytes and classes in a row, as of a word in any case, only those
/// places are in play that come after the same byte.
fn width_of_all(parts: &[Hir]) -> u64 {
    let (mut all, mut row) = (0_u64, [0_u64; 256]);
    for part in parts {
        match part.kind() {
            HirKind::Literal(literal) => literal.0.iter().for_each(|byte| row[usize::from(*byte)] += 1),
            HirKind::Class(Class::Bytes(class)) => {
                let bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
                bytes.for_each(|byte| row[usize::from(byte)] += 1);
            }
            // Its places share their first bytes.
            HirKind::Class(Class::Unicode(_)) => row.iter_mut().for_each(|count| *count += 1),
            _ => {
                let row = std::mem::replace(&mut row, [0; 256]);
                all = all.saturating_add(most(row)).saturating_add(width(part));
            }
        }
    }
    all.saturating_add(most(row))
}

fn most(row: [u64; 256]) -> u64 {
    row.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Diagnostic, Sources, Text, ruleset_probed};
    use crate::model::Format;

    /// A stopwatch that shows these times one after the other, then the last of them for ever.
    fn shows(times: &[u64]) -> Stopwatch {
        let mut times: Vec<u64> = times.iter().rev().copied().collect();
        Box::new(move |work| {
            work();
            let time = if times.len() > 1 { times.pop() } else { times.last().copied() };
            Duration::from_millis(time.unwrap_or(0))
        })
    }

    fn loaded(lines: &str, probe: &mut Probe) -> Vec<Diagnostic> {
        let text = format!("[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
        let (found, problems) = ruleset_probed(
            &[Text { path: "a".into(), text }],
            Sources::Any(&[Format::Plain]),
            &crate::config::csv::Files::new(),
            &[],
            &jiff::tz::TimeZone::UTC,
            probe,
        );
        let errors = problems.iter().filter(|problem| problem.severity == crate::config::Severity::Error);
        assert_eq!(found.is_none(), errors.count() > 0);
        problems
    }

    /// What is said of a rule whose lines take these times in ms.
    fn check(lines: &str, times: &[u64], expected: &[&str]) {
        let problems = loaded(lines, &mut Probe::all(shows(times)));
        let said: Vec<String> = problems
            .iter()
            .map(|problem| format!("{} {} {}", problem.severity.as_str(), problem.title, problem.label))
            .collect();
        assert_eq!(said, expected, "{lines} {times:?}");
    }

    #[test]
    fn slow_is_warned_about_and_very_slow_is_refused() {
        check("match = 'b'", &[5], &[]);
        check("match = 'b'", &[6], &["warning `b` is slow 6 ms for one line of 64 KiB"]);
        check("match = 'b'", &[1, 1, 50, 50, 50, 0], &["warning `b` is slow 50 ms for one line of 64 KiB"]);
        check("match = 'b'", &[1, 1, 51], &["error `b` is slow 51 ms for one line of 64 KiB"]);
        check("match = 'b'", &[12, 12, 50, 50, 50, 0], &["warning `b` is slow 50 ms for one line of 64 KiB"]);
        check("match = 'b'", &[13], &["error `b` is slow 208 ms for one line of 64 KiB"]);
        for key in ["ignore", "resolve"] {
            check(
                &format!("match = 'c'\n{key} = 'b'"),
                &[0, 0, 0, 0, 0, 1, 6],
                &["warning `b` is slow 6 ms for one line of 64 KiB"],
            );
        }
    }

    #[test]
    fn the_lowest_of_three_counts_so_that_a_busy_machine_refuses_nothing() {
        check("match = 'b'", &[1, 1, 90, 70, 4, 0], &[]);
        check("match = 'b'", &[1, 1, 90, 4, 0], &[]);
        check("match = 'b'", &[1, 1, 90, 70, 60], &["error `b` is slow 60 ms for one line of 64 KiB"]);
    }

    #[test]
    fn what_is_allowed_to_be_slow_is_not_spoken_of() {
        check("match = 'b'\nallow_slow = true", &[900], &[]);
        check(
            "match = 'b'\nallow_slow = false",
            &[1, 1, 201],
            &["error `b` is slow 201 ms for one line of 64 KiB"],
        );
    }

    #[test]
    fn what_can_not_be_refused_is_tried_for_a_while_only() {
        let patterns = |count: usize, times: usize| {
            let patterns: Vec<String> = (0..count).map(|n| format!("'a{n}(?:b?){{{times}}}c'")).collect();
            format!("match = [{}]", patterns.join(", "))
        };
        let tried = |lines: &str, ms: u64| {
            let mut probe = Probe::all(shows(&[ms]));
            let _ = loaded(lines, &mut probe);
            probe.known.len()
        };
        // Six lines each, first two pieces of it and then the whole: 18 ms.
        assert_eq!(tried(&patterns(1000, 1), 1), 112);
        assert_eq!(tried(&patterns(300, 50), 1), 300);
        assert_eq!(tried(&patterns(300, 50), 60), MOST_REFUSED);
    }

    #[test]
    fn what_is_quick_for_the_head_of_a_line_is_not_tried_on_all_of_it() {
        let runs = |head: Duration| {
            let count = std::rc::Rc::new(std::cell::Cell::new(0));
            let counted = count.clone();
            let stopwatch = Box::new(move |_: &mut dyn FnMut()| {
                counted.set(counted.get() + 1);
                head
            });
            assert_eq!(loaded("match = 'b'", &mut Probe::all(stopwatch)), []);
            count.get()
        };
        let quick = FIRST.map(|bytes| {
            let times = u32::try_from(LINE / bytes).unwrap();
            WARN / times / times
        });
        let more = Duration::from_nanos(1);
        assert_eq!([quick[0], quick[0] + more, quick[1], quick[1] + more].map(runs), [5, 10, 10, 15]);
    }

    #[test]
    fn a_quick_load_times_only_what_steps_do_not_tell() {
        let timed = |pattern: &str| {
            let count = std::rc::Rc::new(std::cell::Cell::new(0));
            let counted = count.clone();
            let mut probe = Probe::suspects(Box::new(move |_| {
                counted.set(counted.get() + 1);
                Duration::ZERO
            }));
            assert_eq!(loaded(&format!("match = '{pattern}'"), &mut probe), []);
            count.get()
        };
        // Of four lines, or five with the one that is made of how the pattern begins.
        for (pattern, times) in [
            (r"^\w+(?:,\w+){20} (?:a|b|c){30}x", 0),
            // Quick for all but one.
            (r"0.*0.*0.*(?:1[234]?){30}5", 1),
            // Too wide to be told by short lines.
            (r"\w{300}", 4),
            // Of several engines the one that counts no steps.
            (r"refused by %{ip:src} port \d+$", 5),
        ] {
            assert_eq!(timed(pattern), times, "{pattern}");
        }
    }

    #[test]
    fn what_takes_few_steps_for_a_short_line_does_for_a_long_one() {
        for pattern in [
            r"\b(?<a>\w{1,100})+\b",
            r"(?s)(?<a>.*?).{200}(?<b>.*)$",
            r"^\w+(?:,\w+){20} (?:a|b|c){30}x",
            r"(?:a|aa)+b",
            r"a.*b.*c",
            r"(?<x>[a-z]{1,64}) (?:\w+=\w* ?){0,9}$",
            r"0.*0.*0.*(?:1[234]?){30}5",
            r"[ab]*a[ab]{12}c",
        ] {
            let sample = crate::scan::samples::rule(&[pattern], &[], &[]);
            let mut trial = Trial::new(&sample.patterns[0]);
            for of in parts(&sample.patterns[0]) {
                let steps = trial.steps(&line(&of, LINE));
                assert!(!is_quick(&mut trial, &of) || steps.is_some(), "{pattern} {of:?}");
            }
        }
    }

    #[test]
    fn what_was_tried_once_is_known() {
        let mut probe = Probe::all(shows(&[1, 7, 6, 5]));
        assert_eq!(loaded("match = ['b', 'b']", &mut probe).len(), 0);
        assert_eq!(probe.known.len(), 1);
    }

    #[test]
    fn a_quick_load_tries_only_what_may_have_to_be_refused() {
        let tried = |pattern: &str| {
            let mut probe = Probe::suspects(shows(&[0]));
            assert_eq!(loaded(&format!("match = '{pattern}'"), &mut probe), []);
            !probe.known.is_empty()
        };
        for plain in [
            "ERROR",
            r"sshd\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>\S*) from (?<ip>[\d.]+) port \d+",
            r"(?u)\w+ failed",
            r"(?i)smartd-long-name\[\d+\]: device: (?<device>\S+), \d+ currently unreadable sectors",
            r"(?<ip>\S+) \S+ \S+ \[(?<t>[^\]]+)\] (?<m>\w+) (?<p>\S+) (?<s>\d{3}) (?<b>\d+|-)",
        ] {
            assert!(!tried(plain), "{plain}");
        }
        for wide in [r"\w{50}", "(?:a?){30}x", "x(?:(?:b{1,5}c){1,5}){1,5}", "%{ip:src}"] {
            assert!(tried(wide), "{wide}");
        }
        assert_eq!(loaded(r"match = '\w{50}'", &mut Probe::none()), []);
    }

    #[test]
    fn lines_are_made_of_common_bytes_and_of_what_the_pattern_begins_with() {
        let mut probe = Probe::all(shows(&[0, 0, 0, 0, 1, 6]));
        let problems = loaded("match = 'ab|x|cd'", &mut probe);
        assert!(problems[0].note.as_ref().is_some_and(|note| note.contains("`ab`")), "{problems:?}");
    }
}
