//! How the patterns of a scanner are filtered, and what that comes to on a log: for authors, not for the scan.

use super::matcher::{Room, Seen};
use super::{MatchKind, Scanner};
use crate::rule::{Pattern, RuleIx};

/// By what a pattern is watched for; the later, the dearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Four bytes at every fourth place: costs the same for one pattern and for a thousand.
    Grams,
    /// A few spellings, looked for everywhere at once.
    Words,
    /// A few classes, looked at everywhere.
    Classes,
    /// Nothing can be watched for: every line is tried.
    EveryLine,
}

impl Tier {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Grams => "grams",
            Tier::Words => "words",
            Tier::Classes => "classes",
            Tier::EveryLine => "every line",
        }
    }
}

/// Something that a pattern is watched for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// By what means.
    pub tier: Tier,
    /// The bytes that may stand at each place, in their order.
    pub run: Vec<Vec<u8>>,
}

/// How one pattern of `match` or `resolve` is filtered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternPlan {
    /// Whose it is.
    pub rule: RuleIx,
    /// In which list of the rule it stands.
    pub kind: MatchKind,
    /// Where in that list.
    pub number: usize,
    /// A line is tried if one of these stands in it; empty: every line is.
    pub watches: Vec<Watch>,
}

impl PatternPlan {
    /// The dearest means that it needs.
    pub fn tier(&self) -> Tier {
        self.watches.iter().map(|watch| watch.tier).max().unwrap_or(Tier::EveryLine)
    }
}

/// What patterns came to on a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines of the log.
    pub lines: u64,
    /// Bytes of the log, line ends included.
    pub bytes: u64,
    /// Aligned with [`Scanner::plan`].
    pub patterns: Vec<Tried>,
}

/// What one pattern came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Lines it was tried on.
    pub lines: u64,
    /// Lines it fits, whatever else of its rule fits them.
    pub fits: u64,
}

impl Scanner {
    /// How each pattern is filtered, in the order of rules, then of judgement.
    pub fn plan(&self) -> Vec<PatternPlan> {
        let mut plans: Vec<PatternPlan> = self
            .matcher
            .hits
            .iter()
            .map(|hit| {
                let seen = &self.matcher.seen[hit.seen as usize];
                let deciding = hit.deciding as usize;
                let (kind, number) = match deciding.checked_sub(seen.recoveries) {
                    Some(number) => (MatchKind::Match, number),
                    None => (MatchKind::Resolve, deciding),
                };
                PatternPlan { rule: seen.ix, kind, number, watches: Vec::new() }
            })
            .collect();
        for (waiting, tier, run) in self.matcher.sieve.watches() {
            let run = run.iter().map(|class| class.bytes().collect()).collect();
            plans[waiting as usize].watches.push(Watch { tier, run });
        }
        plans
    }

    /// Adds what the patterns come to on `lines`: whole lines, but for the end of the last one.
    pub fn tally(&self, lines: &[u8], tally: &mut Tally) {
        let count = memchr::memchr_iter(b'\n', lines).count();
        let count = (count + usize::from(!lines.is_empty() && !lines.ends_with(b"\n"))) as u64;
        tally.lines += count;
        tally.bytes += lines.len() as u64;
        tally.patterns.resize(self.matcher.hits.len(), Tried::default());
        let (mut candidates, room) = (Vec::new(), &mut Room::default());
        self.matcher.gather(lines, self.max_line, &mut candidates);
        for candidate in candidates {
            // The order of hits is that of the plan.
            let Ok(at) = self.matcher.hits.binary_search(&candidate.hit) else { continue };
            let seen = &self.matcher.seen[candidate.hit.seen as usize];
            let text = candidate.line(lines, self.max_line).text;
            let fits = seen.fits(candidate.hit.deciding as usize, text, room);
            tally.patterns[at].lines += 1;
            tally.patterns[at].fits += u64::from(fits);
        }
        let mut filtered = vec![false; tally.patterns.len()];
        self.matcher.sieve.watches().iter().for_each(|(waiting, ..)| filtered[*waiting as usize] = true);
        // What nothing is watched for by was asked of every line; counted above are those that it fits.
        let all = tally.patterns.iter_mut().zip(filtered).filter(|(_, filtered)| !filtered);
        all.for_each(|(tried, _)| tried.lines = tally.lines);
    }
}

/// One pattern, tried on lines by itself: what the scan does to a line that the pattern may fit.
#[derive(Debug)]
pub struct Trial {
    alone: Seen,
    room: Room,
}

impl Trial {
    /// Of this pattern.
    pub fn new(pattern: &Pattern) -> Trial {
        Trial { alone: Seen::alone(pattern), room: Room::default() }
    }

    /// True if it fits `line`; what it captures has been found out too.
    pub fn fits(&mut self, line: &[u8]) -> bool {
        self.alone.fits(0, line, &mut self.room)
    }

    /// Steps that it takes to say so, where they are counted and are not too many. A line of any length is done quickly
    /// if its steps are not too many: what takes more is done by an engine that does not count.
    pub fn steps(&mut self, line: &[u8]) -> Option<usize> {
        self.room.backtrack.took = None;
        self.fits(line);
        self.room.backtrack.took
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Ruleset;
    use crate::scan::samples::rule;

    fn scanner(patterns: &[&str], resolve: &[&str]) -> Scanner {
        Scanner::new(&Ruleset { rules: vec![rule(patterns, &[], resolve)] }, |_| true, 100)
    }

    /// The tier of a pattern, and how its runs begin, a class of several as its first byte and `+`.
    fn check(pattern: &str, tier: Tier, runs: &[&str]) {
        let plan = scanner(&[pattern], &[]).plan();
        let [only] = plan.as_slice() else { panic!("{plan:?}") };
        let place = |bytes: &Vec<u8>| match bytes.as_slice() {
            [byte] => char::from(*byte).to_string(),
            bytes => format!("{}+", char::from(bytes[0])),
        };
        let shown: Vec<String> = only.watches.iter().map(|w| w.run.iter().map(place).collect()).collect();
        assert_eq!(
            (only.tier(), shown),
            (tier, runs.iter().map(|run| (*run).to_owned()).collect()),
            "{pattern}"
        );
    }

    #[test]
    fn a_plan_says_what_is_watched_for_and_how() {
        check("Connection refused", Tier::Grams, &["Connection refused"]);
        check(r"\d\d~\d\d", Tier::Classes, &["0+0+~0+0+"]);
        check("Connection|[0-9]~", Tier::Classes, &["Connection", "0+~"]);
        check(".*", Tier::EveryLine, &[]);
    }

    #[test]
    fn recoveries_come_first_and_are_numbered_by_themselves() {
        let places: Vec<_> =
            scanner(&["one", "two"], &["three"]).plan().iter().map(|plan| (plan.kind, plan.number)).collect();
        assert_eq!(places, [(MatchKind::Resolve, 0), (MatchKind::Match, 0), (MatchKind::Match, 1)]);
    }

    #[test]
    fn a_tally_counts_lines_that_are_tried_and_lines_that_fit() {
        let scanner = scanner(&["ERROR \\d", "\\w+"], &["ERROR gone"]);
        let mut tally = Tally::default();
        scanner.tally(b"ERROR gone\nERROR 7\r\nERROR ERROR\n", &mut tally);
        scanner.tally(b"-\nERROR 8", &mut tally);
        let tried = |lines, fits| Tried { lines, fits };
        assert_eq!((tally.lines, tally.bytes), (5, 41));
        assert_eq!(tally.patterns[0].fits, 1);
        assert_eq!(tally.patterns[1].fits, 2);
        assert_eq!(tally.patterns[2], tried(5, 4));
    }

    #[test]
    fn a_tally_of_nothing_counts_nothing() {
        let mut tally = Tally::default();
        scanner(&["x"], &[]).tally(b"", &mut tally);
        assert_eq!(tally, Tally { patterns: vec![Tried::default()], ..Tally::default() });
    }

    #[test]
    fn a_trial_says_whether_a_line_fits() {
        let sample = rule(&["user (?<name>\\w+)"], &[], &[]);
        let mut trial = Trial::new(&sample.patterns[0]);
        assert!(trial.fits(b"user bob") && !trial.fits(b"user -") && trial.fits(b"user eve"));
        assert!(trial.steps(b"user bob") > Some(0));
        let slow = rule(&["a*a*a*b"], &[], &[]);
        assert_eq!(Trial::new(&slow.patterns[0]).steps(&[b'a'; 1000]), None);
    }
}
