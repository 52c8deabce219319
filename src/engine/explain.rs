//! What a rule makes of one line, step by step, as a value.
//!
//! The line goes through the scanner and through an engine that knows nothing but this rule, so what is told is what
//! they do; what they do not say by themselves is asked of the functions they are made of.

use std::path::Path;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use super::tally::Sample;
use super::{Arrival, Engine, Read, Timing, redacted};
use crate::model::{AlertKey, ChangeReport, FileId, Format, Reason, Severity, Status, Timestamp, Transition};
use crate::rule::{Condition, Multiline, NotComparable, Pattern, Rule, Ruleset, Value, rung_severity};
use crate::saved::Saved;
use crate::scan::stamp::{self, Stamp};
use crate::scan::why::{self, Role, Tried};
use crate::scan::{Block, Captures, KeptMatch, Match, MatchKind, Scanned, Scanner, Tail};

/// A line, and what is known of where it stands.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The line or record, without its last line end.
    pub line: &'a [u8],
    /// When it was written, by the envelope that it stood in.
    pub written: Option<Stamp>,
    /// Path of its file; empty, if it stands in none.
    pub path: &'a str,
    /// Bytes of a line that are matched.
    pub max_line: usize,
    /// What it is made of.
    pub format: Format,
    /// True if a line that stands for several counts as so many.
    pub repeats: bool,
    /// How lines are joined to records.
    pub multiline: Option<&'a Multiline>,
    /// How its source tells time.
    pub timing: &'a Timing,
    /// The observer's scope.
    pub scope: &'a str,
    /// The present.
    pub now: Timestamp,
}

/// When a line happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// The stamp, and where in the line it stands, in bytes; `None`: there is none.
    pub stamp: Option<(Stamp, std::ops::Range<usize>)>,
    /// The envelope that it stood in has said when it was written, and that is what counts.
    pub written: bool,
    /// The time it is taken for, if it is found unread.
    pub time: Timestamp,
    /// True if it is so old that what comes of it would not be told.
    pub stale: bool,
}

/// What a rule makes of a line.
#[derive(Clone, Debug)]
pub struct Explained<'r> {
    /// Each of its patterns by itself. Those that were made from its `where` are left out.
    pub tried: Vec<Tried<'r>>,
    /// What comes of it; `None`: the rule does not take the line.
    pub fit: Option<Fit>,
}

/// A line that fits the patterns of a rule.
#[derive(Clone, Debug)]
pub struct Fit {
    /// As what.
    pub kind: MatchKind,
    /// The time it is taken for: a field may say another one than what looks like a stamp.
    pub time: Timestamp,
    /// True if something is taken out of the line before anything else here looks at it.
    pub redacted: bool,
    /// In the order of [`Rule::captures`].
    pub captures: Vec<Captured>,
    /// `where`, comparison by comparison; nothing for a recovery line.
    pub parts: Vec<Part>,
    /// Whether all of `where` holds; true without one.
    pub holds: Result<bool, NotComparable>,
    /// The number that it brings to the measure, if the measure takes one of each line.
    pub number: Option<Result<f64, NotComparable>>,
    /// Names and values that make its key. For a recovery line, those that it names.
    pub by: Vec<(Arc<str>, Option<Vec<u8>>)>,
    /// The key, if all of its values are known.
    pub key: Option<AlertKey>,
    /// What such a line leads to, if nothing was before it.
    pub outcome: Outcome,
}

/// A capture, before and after `set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Its name.
    pub name: Arc<str>,
    /// What the pattern captured; `None`: it took no part.
    pub text: Option<Vec<u8>>,
    /// What `set` makes of it, if it says anything of it.
    pub set: Option<Option<Vec<u8>>>,
}

/// A comparison of a condition.
#[derive(Clone, Debug)]
pub struct Part {
    /// The comparison.
    pub condition: Condition<Value>,
    /// What it speaks of, and what that is here.
    pub values: Vec<(Value, Vec<u8>)>,
    /// Whether it holds.
    pub holds: Result<bool, NotComparable>,
}

/// What a line leads to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// `where` does not hold, or something is no number: it counts for nothing.
    Nothing,
    /// It ends what is open of its key, or of all keys that agree with it.
    Ends,
    /// It raises an alert at once.
    Raises(Box<Transition>),
    /// It says how far a change has come.
    Reports(Box<ChangeReport>),
    /// It counts.
    Counts(Counts),
}

/// What a key knows after one line that raised nothing.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Matches inside the window.
    pub count: u64,
    /// The measure; `None`: there is nothing to measure yet.
    pub value: Option<f64>,
    /// Levels that hold, and have to go on for `for`.
    pub pending: Vec<Severity>,
    /// What would be said if the lowest level were raised now.
    pub told: Box<Transition>,
}

impl Asked<'_> {
    /// Bytes that are matched.
    pub fn longest(&self) -> usize {
        self.multiline.map_or(self.max_line, |multiline| multiline.max_bytes)
    }
}

/// When a line happened, for a source that tells time like that.
pub fn when(asked: &Asked<'_>) -> When {
    let line = asked.line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = &line[..line.len().min(asked.max_line)];
    let found = stamp::find(line).zip(stamp::place(line)).filter(|_| asked.written.is_none());
    let mut engine = engine(Arc::default(), asked);
    let arrival = arrival(asked);
    let stamp = asked.written.or(found.as_ref().map(|(stamp, _)| *stamp));
    let time = engine.clocks.record_time(FILE, stamp, arrival, &mut Vec::new());
    When {
        stamp: found,
        written: asked.written.is_some(),
        time,
        stale: time < asked.now.minus(asked.timing.max_age),
    }
}

/// What `rule` makes of a line, whatever its sources are. What other rules do is left out: `after` holds, `unless` does
/// not.
pub fn explain<'r>(rule: &'r Rule, asked: &Asked<'_>) -> Explained<'r> {
    let mut alone = Rule { after: None, ..rule.clone() };
    if rule.whole {
        // What is made from `where` lets pass what `where` does, and does not say why.
        alone.patterns = any_line().into_iter().collect();
    }
    let ruleset = Arc::new(Ruleset { rules: vec![alone] });
    let scanner = Scanner::joining(&ruleset, |_| true, asked.max_line, asked.format, asked.multiline)
        .counting_repeats(asked.repeats);
    let mut scanned = Scanned::default();
    let block = Block { file: FILE, offset: 0, bytes: asked.line, skipping: false, tail: Tail::Final };
    scanner.scan(block, &mut scanned);
    let text = &asked.line[..asked.line.len().min(asked.longest())];
    let mut tried = why::tried(rule, text);
    tried.retain(|tried| !rule.whole || matches!(tried.role, Role::Resolve | Role::Ignore));
    let mut engine = engine(ruleset, asked);
    let mut matches =
        scanned.matches(asked.line).map(|hit| Match { stamp: asked.written.or(hit.stamp), ..hit });
    let fit = matches.next().map(|hit| {
        let clean = redacted(rule, &hit);
        let mut fit = engine.weigh(rule, &clean.as_ref().map_or(hit, KeptMatch::seen));
        fit.redacted = clean.is_some();
        fit.time = engine.clocks.record_time(FILE, hit.stamp, arrival(asked), &mut Vec::new());
        let stamp = asked.written.or(scanned.stamp);
        engine.read(Read { file: FILE, matches: [hit], stamp, arrival: arrival(asked) }, asked.now);
        fit.outcome = engine.outcome(rule, hit.kind);
        fit
    });
    Explained { tried, fit }
}

/// True if some pattern of the line's rule fits that makes the rule leave the line alone.
pub fn is_ignored(tried: &[Tried<'_>]) -> bool {
    tried.iter().any(|tried| tried.role == Role::Ignore && tried.fits)
}

/// A pattern that every line fits.
fn any_line() -> Option<Pattern> {
    const MOST: usize = 1 << 16;
    let (hir, empty) = (Hir::empty(), Arc::<str>::from(""));
    let regex = Pattern::engine(&hir, MOST)?;
    Some(Pattern { text: empty.clone(), expanded: empty, hir, regex, slots: Vec::new(), also: Vec::new() })
}

/// The file that the line is taken to stand in.
const FILE: FileId = FileId(1);

fn engine(ruleset: Arc<Ruleset>, asked: &Asked<'_>) -> Engine {
    let timings = vec![asked.timing.clone()];
    let mut engine = Engine::new(ruleset, asked.scope.to_owned(), timings, &mut Saved::default(), asked.now);
    engine.opened(FILE, &asked.timing.name, Path::new(asked.path).into());
    engine
}

/// Found unread: its stamp counts, however old it is.
fn arrival(asked: &Asked<'_>) -> Arrival {
    Arrival { at: None, modified: asked.now, skew_us: 0 }
}

impl Engine {
    /// What is known of a match before it is applied. `rule`: the engine's only one.
    fn weigh(&self, rule: &Rule, hit: &Match<'_>) -> Fit {
        let rewritten = self.rewritten(rule, hit);
        let captured = rule.captures.iter().enumerate().map(|(at, name)| Captured {
            name: name.clone(),
            text: hit.captures.get(at).map(<[u8]>::to_vec),
            set: rule
                .set
                .iter()
                .any(|rewrite| rewrite.capture == at)
                .then(|| rewritten[at].as_deref().map(<[u8]>::to_vec)),
        });
        let captures = captured.collect();
        let set = Match { captures: Captures::Each(&rewritten), ..*hit };
        let hit = if rule.set.is_empty() { hit } else { &set };
        let by: Vec<_> = rule
            .by
            .iter()
            .map(|by| (by.name.clone(), self.by_value(&by.from, hit).map(<[u8]>::to_vec)))
            .collect();
        let recovery = hit.kind == MatchKind::Resolve;
        let known = !recovery || by.iter().all(|(_, value)| value.is_some());
        let key = known.then(|| AlertKey { rule: rule.name.clone(), hash: self.hash_of(rule, hit) });
        let filter = rule.filter.as_ref().filter(|_| !recovery);
        let part = |condition: &Condition<Value>| Part {
            values: condition
                .names()
                .into_iter()
                .map(|name| (name.clone(), self.value_of(rule, name, hit).to_vec()))
                .collect(),
            holds: condition.holds(&|value| self.value_of(rule, value, hit)),
            condition: condition.clone(),
        };
        let parts = filter.map(|filter| filter.condition.parts().into_iter().map(part).collect());
        let holds = filter.map_or(Ok(true), |filter| self.holds(rule, filter, hit));
        let number = match self.sample(rule, hit) {
            _ if recovery => None,
            Ok(Sample::Number(number)) => Some(Ok(number)),
            Ok(Sample::Match | Sample::Text(_)) => None,
            Err(NotComparable) => Some(Err(NotComparable)),
        };
        let parts = parts.unwrap_or_default();
        Fit {
            kind: hit.kind,
            time: self.now,
            redacted: false,
            captures,
            parts,
            holds,
            number,
            by,
            key,
            outcome: Outcome::Nothing,
        }
    }

    /// What came of the only match, which was applied.
    fn outcome(&mut self, rule: &Rule, kind: MatchKind) -> Outcome {
        if kind == MatchKind::Resolve {
            return Outcome::Ends;
        }
        let output = self.take();
        if let Some(said) = output.changes.into_iter().next() {
            return Outcome::Reports(Box::new(said.report));
        }
        let mut raised = output.transitions.into_iter().map(|emitted| emitted.transition);
        if let Some(raised) = raised.find(|transition| transition.status != Status::Ok) {
            return Outcome::Raises(Box::new(raised));
        }
        let ix = crate::rule::RuleIx(0);
        let Some(hash) = self.keys[0].keys().next().copied() else { return Outcome::Nothing };
        let mut counts = None;
        self.with_key(ix, hash, Some(FILE), &mut |key, scene, out| {
            let (count, value) = (key.count(rule), key.value(rule));
            let pending = (0..3).filter(|rung| key.rungs[*rung].since.is_some()).map(rung_severity).collect();
            let lowest =
                (0..3).find(|rung| rule.ladder[*rung].is_some()).map_or(Severity::Warning, rung_severity);
            key.shift(scene, key.clock, lowest.into(), Reason::LevelReached, out);
            let told = out.last().cloned();
            counts = told.map(|told| Counts { count, value, pending, told: Box::new(told) });
        });
        counts.map_or(Outcome::Nothing, Outcome::Counts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::SourceName;
    use crate::scan::samples::rule;

    fn ask<T>(line: &[u8], answer: impl FnOnce(&Asked<'_>) -> T) -> T {
        let name = SourceName::new("s");
        let max_age = std::time::Duration::from_secs(900);
        let timing = Timing { name, tz: jiff::tz::TimeZone::UTC, max_age, year: None };
        let now = Timestamp::from_secs(1_767_225_600);
        let format = Format::Plain;
        answer(&Asked {
            written: None,
            line,
            path: "",
            max_line: 100,
            format,
            repeats: false,
            multiline: None,
            timing: &timing,
            scope: "here",
            now,
        })
    }

    #[test]
    fn a_line_is_taken_for_its_stamp_and_an_old_one_is_stale() {
        for (line, time, place, stale) in [
            ("Dec 31 23:59:00 h x", "2025-12-31T23:59:00Z", Some(0..15), false),
            ("2019-01-02T03:04:05Z x", "2019-01-02T03:04:05Z", Some(0..20), true),
            ("2031-01-02T03:04:05Z x", "2026-01-01T00:00:05Z", Some(0..20), false),
            ("x", "2026-01-01T00:00:00Z", None, false),
        ] {
            let when = ask(line.as_bytes(), when);
            assert_eq!((when.time.to_string().as_str(), when.stale), (time, stale), "{line}");
            assert_eq!(when.stamp.map(|(_, place)| place), place, "{line}");
        }
    }

    proptest! {
        /// What is told of each pattern is why the scan takes the line, or does not.
        #[test]
        fn the_patterns_say_what_the_scan_does(line in "[abc]{0,6}") {
            let mut rule = rule(&["a(?<x>b*)", "cc"], &["aa$"], &["^b(?<x>c)"]);
            rule.patterns[0].also = rule.patterns.split_off(1);
            let told = ask(line.as_bytes(), |asked| explain(&rule, asked).fit.map(|fit| fit.kind));
            let tried = why::tried(&rule, line.as_bytes());
            let fits = |role| tried.iter().filter(|tried| tried.role == role).all(|tried| tried.fits);
            let kind = match () {
                () if is_ignored(&tried) => None,
                () if fits(Role::Resolve) => Some(MatchKind::Resolve),
                () if fits(Role::MatchAll) => Some(MatchKind::Match),
                () => None,
            };
            prop_assert_eq!(told, kind);
        }
    }
}
