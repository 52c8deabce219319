//! What a rule is once it is believed. A [`Ruleset`] exists only compiled, so adopting one cannot fail.
//!
//! Knows nothing of TOML: `config` is one way to make a ruleset, a library user may take another.

mod change;
mod comparison;
mod condition;
mod days;
mod deadline;
mod measure;
mod multiline;
mod quantity;
pub mod redact;
mod restraint;
mod rewrite;
mod schedule;
mod template;
mod when;

use std::sync::Arc;
use std::time::Duration;

use regex_automata::meta::{self, Regex};
use regex_syntax::hir::Hir;

pub use change::{Change, StatusOf};
pub use comparison::{Comparison, Op};
pub use condition::{Condition, NotComparable, Number, Word};
pub use days::Days;
pub use deadline::{Deadline, Deadlines};
use measure::compared_text;
pub use measure::{Measure, number_text};
pub use multiline::{Bound, Multiline, Preset, without_blank_end};
pub(crate) use quantity::number_len;
pub use quantity::{Quantity, Unit};
pub use redact::Redaction;
pub use restraint::{After, Flap, MaxRaises};
pub use rewrite::{Edit, Rewrite, Table, Text};
pub use schedule::{Hours, Schedule};
pub use template::{AddressTemplate, ImageTemplate, LinkTemplate, Segment, Template};
pub use when::{About, When};

use crate::model::{ContainerPart, RuleName, Severity, SinkName, SourceName, Timestamp};

/// Index of a rule in its [`Ruleset`]. Valid for that ruleset only: what survives a reload is the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIx(pub u32);

/// All rules that are in force, compiled.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// In the order of files and of rules in them; order carries no meaning.
    pub rules: Vec<Rule>,
}

impl Ruleset {
    /// The rule of that index.
    ///
    /// # Panics
    /// If the index is of another, larger ruleset: a bug.
    pub fn rule(&self, ix: RuleIx) -> &Rule {
        &self.rules[ix.0 as usize]
    }

    /// All rules with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIx, &Rule)> {
        (0u32..).map(RuleIx).zip(&self.rules)
    }

    /// Lets rules of which no source is one of these see all of them instead: for files that were given by hand.
    pub fn see_instead(&mut self, sources: &[SourceName]) {
        for rule in self.rules.iter_mut().filter(|rule| !rule.sources.is_empty()) {
            if !rule.sources.iter().any(|source| sources.contains(source)) {
                rule.sources = sources.to_vec();
            }
        }
    }

    /// The index of the rule of that name.
    pub fn find(&self, name: &str) -> Option<RuleIx> {
        self.iter().find(|(_, rule)| rule.name.as_str() == name).map(|(ix, _)| ix)
    }
}

/// One condition, one number per key, one ladder; or what a line says of a change.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique in its ruleset.
    pub name: RuleName,
    /// Sources whose lines it sees.
    pub sources: Vec<SourceName>,
    /// A line that fits any of them is a match, unless it fits `ignore`.
    pub patterns: Vec<Pattern>,
    /// A line that fits any of them is neither match nor recovery.
    pub ignore: Vec<Pattern>,
    /// A line that fits any of them ends the alert of its key.
    pub resolve: Vec<Pattern>,
    /// What is taken out of a line that fits, and of what it captures, before anything looks at it.
    pub redact: Arc<Redaction>,
    /// `set`: what becomes of captures, of matches and of recovery lines, before anything looks at them.
    pub set: Vec<Rewrite>,
    /// `where`: what has to be true of a match besides, or it counts for nothing.
    pub filter: Option<Filter>,
    /// True if a match stays true until it is told otherwise: by a recovery line (`resolve` without `within`), or by
    /// tripline itself for its own rules.
    pub latch: bool,
    /// Names of all captures of `patterns` and `resolve`, of what `set` makes and of `fields`, each once;
    /// [`Pattern::slots`] points into it.
    pub captures: Vec<Arc<str>>,
    /// Those of `captures` that a line's field of that name gives where no pattern does.
    pub fields: Vec<usize>,
    /// True if every line that is of its source's format is a match, as long as it fits `patterns`: they were made
    /// from `filter`, because there is no `match`.
    pub whole: bool,
    /// What a key is made of, sorted by name.
    pub by: Vec<By>,
    /// Whether the observer's scope enters the key. `scope = "none"` shares the alert on purpose.
    pub scoped: bool,
    /// The number that is compared.
    pub measure: Measure,
    /// The window: (t − within, t]. Zero: each matching line by itself.
    pub within: Duration,
    /// With fewer matches than this inside the window there is nothing to measure; of a spike: inside the one before.
    pub min_lines: u64,
    /// Keys that are watched from the start, whether they have been seen or not: values in the order of `by`. Without `by`
    /// the only key is expected, if the rule notices absence.
    pub expect: Vec<Vec<Box<str>>>,
    /// By when a match has to have been seen, for rules that notice absence: it is late from then on, and absent for no
    /// other reason.
    pub deadlines: Option<Deadlines>,
    /// Comparisons of the measure, `info`, `warning`, `critical`; at least one is there.
    pub ladder: [Option<Comparison>; 3],
    /// What these comparisons count.
    pub unit: Unit,
    /// What has to be true before the lowest level ends.
    pub clear: Option<Comparison>,
    /// How long a comparison must be true before its level holds.
    pub hold: Duration,
    /// Quiet after which a level leaves; `None`: never.
    pub resolve_after: Option<Duration>,
    /// Ends an alert without a recovery line, counted from its last match; only for rules with `resolve`.
    pub expire_after: Option<Duration>,
    /// How long its open alerts outlive it when it is gone; `None`: they are resolved then.
    pub outlives: Option<Duration>,
    /// When its alerts are told; none: always. Outside of all of them it is muted.
    pub active: Vec<Schedule>,
    /// When they are not told, whatever `active` says.
    pub mute: Vec<Schedule>,
    /// Most keys at a time, 1 or more.
    pub max_keys: usize,
    /// Raises beyond these are told together, as one alert of tripline's own; `None`: each is told by itself.
    pub max_raises: Option<MaxRaises>,
    /// An alert that comes and goes more often is kept open; `None`: never.
    pub flap: Option<Flap>,
    /// An open alert is told again so often; `None`: never.
    pub renotify: Option<Duration>,
    /// While one of these rules has an open alert whose values of `by` are the same, where both have the name, a raise is held back.
    pub unless: Vec<RuleName>,
    /// What must have been raised before a match counts.
    pub after: Option<After>,
    /// For how long others count what comes `after` an alert of this rule.
    pub raise_remembered: Duration,
    /// If the rule speaks of changes: what a match says of one. It then has no keys, and what is measured, compared and
    /// held back means nothing.
    pub change: Option<Change>,
    /// Who is told; empty: every sink.
    pub sinks: Vec<SinkName>,
    /// Labels of alerts: constant ones identify, others are details. Never part of the key.
    pub labels: Vec<(Arc<str>, Template)>,
    /// One line.
    pub summary: Template,
    /// More lines.
    pub description: Template,
    /// A link for the one who is called.
    pub runbook: Option<AddressTemplate>,
    /// Pictures.
    pub images: Vec<ImageTemplate>,
    /// Where more is to be read.
    pub links: Vec<LinkTemplate>,
    /// How many lines are kept of an episode.
    pub lines_kept: LinesKept,
    /// Digest of what decides (patterns, window, ladder, times): another digest restarts windows on reload.
    pub condition_digest: [u8; 16],
    /// Digest of everything else that is written of it: what it says, and what bounds it.
    pub texts_digest: [u8; 16],
}

impl Rule {
    /// True if a match stays true until a recovery line.
    pub fn latches(&self) -> bool {
        self.latch
    }

    /// True if what a match makes true stays so for a while: inside a window, until a recovery line or until another
    /// number comes.
    pub fn lasts(&self) -> bool {
        !self.within.is_zero() || self.latch || matches!(self.measure, Measure::Last(_) | Measure::Absent)
    }

    /// The names of `fields`.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|capture| &*self.captures[*capture])
    }

    /// For how long matches are remembered.
    pub fn remembers(&self) -> Duration {
        if matches!(self.measure, Measure::Spike) { self.within.saturating_mul(2) } else { self.within }
    }

    /// True if it notices that matches stay away: all of them, or too many.
    #[inline]
    pub fn notices_absence(&self) -> bool {
        matches!(self.measure, Measure::Absent) || self.notices_few()
    }

    /// True if a level begins because there are few matches in the window. A key is judged once a whole window of it has
    /// been seen.
    #[inline]
    pub fn notices_few(&self) -> bool {
        self.measure.adds_up()
            && !self.within.is_zero()
            && self.ladder.iter().flatten().any(Comparison::wants_few)
    }

    /// True if a key of these values is watched from the start.
    pub fn expects<'a>(&self, by: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
        let is = |expected: &Vec<Box<str>>| expected.iter().map(|value| value.as_bytes()).eq(by.clone());
        self.notices_absence() && self.expect.iter().any(is)
    }

    /// After how long without a match a key is forgotten that is not expected: ten times as long as it takes to miss it;
    /// of few matches, when the window has been empty for ten times its length.
    pub fn forget_after(&self) -> Option<Duration> {
        if self.notices_few() {
            return Some(self.within.saturating_mul(11));
        }
        let longest = self.ladder.iter().flatten().map(Comparison::lasts).max().unwrap_or_default();
        self.notices_absence().then_some(longest.saturating_mul(10))
    }

    /// A rule that sees no line and counts by itself what it is given, `warning` from the first on.
    pub fn bare(name: &str) -> Rule {
        Rule {
            name: RuleName::new(name),
            sources: Vec::new(),
            patterns: Vec::new(),
            ignore: Vec::new(),
            resolve: Vec::new(),
            redact: Arc::default(),
            set: Vec::new(),
            filter: None,
            latch: false,
            captures: Vec::new(),
            fields: Vec::new(),
            whole: false,
            by: Vec::new(),
            scoped: true,
            measure: Measure::Count,
            within: Duration::ZERO,
            min_lines: 0,
            expect: Vec::new(),
            deadlines: None,
            ladder: [None, Some(Comparison { op: Op::AtLeast, than: 1.0 }), None],
            unit: Unit::One,
            clear: None,
            hold: Duration::ZERO,
            resolve_after: None,
            expire_after: None,
            outlives: None,
            active: Vec::new(),
            mute: Vec::new(),
            max_keys: 1000,
            max_raises: None,
            flap: None,
            renotify: None,
            unless: Vec::new(),
            after: None,
            raise_remembered: Duration::ZERO,
            change: None,
            sinks: Vec::new(),
            labels: Vec::new(),
            summary: Template::default(),
            description: Template::default(),
            runbook: None,
            images: Vec::new(),
            links: Vec::new(),
            lines_kept: LinesKept::default(),
            condition_digest: [0; 16],
            texts_digest: [0; 16],
        }
    }

    /// True if nothing is raised at that moment, by `active` and `mute`.
    pub fn is_muted(&self, at: Timestamp) -> bool {
        let holds = |schedules: &[Schedule]| schedules.iter().any(|schedule| schedule.contains(at));
        (!self.active.is_empty() && !holds(&self.active)) || holds(&self.mute)
    }

    /// The first moment after that one at which [`Rule::is_muted`] says otherwise; or an earlier one after it, to ask
    /// again from, if schedules begin and end thousands of times in between. `None`: there is none.
    pub fn next_mute_change(&self, after: Timestamp) -> Option<Timestamp> {
        const MOST: usize = 2000;
        let now = self.is_muted(after);
        let mut at = after;
        for _ in 0..MOST {
            let schedules = self.active.iter().chain(&self.mute);
            at = schedules.filter_map(|schedule| schedule.next_change(at)).min()?;
            if self.is_muted(at) != now {
                break;
            }
        }
        Some(at)
    }

    /// A value of its measure as people read it, beside what it is compared with.
    pub fn number_text(&self, value: f64) -> String {
        let levels: Vec<Comparison> = self.ladder.iter().chain([&self.clear]).flatten().copied().collect();
        compared_text(value, self.unit, &levels)
    }

    /// The largest count any comparison needs; windows must remember at least so many matches exactly.
    pub fn most_needed(&self) -> u64 {
        let seconds = if matches!(self.measure, Measure::Rate) { self.within.as_secs_f64() } else { 1.0 };
        let comparisons = self.ladder.iter().chain([&self.clear]).flatten();
        let needed = comparisons.map(|comparison| comparison.needed(seconds)).max().unwrap_or(1);
        needed.max(self.min_lines)
    }

    /// True if the measure may rise, or a comparison become true, because a match leaves the window.
    #[inline]
    pub fn watches_leaves(&self) -> bool {
        let rises = |comparison: &Comparison| matches!(comparison.op, Op::AtLeast | Op::Above);
        !self.measure.counts() || !self.ladder.iter().chain([&self.clear]).flatten().all(rises)
    }
}

/// How many lines are kept of an episode; at most [`crate::model::MOST_LINES`] of each end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinesKept {
    /// Of those that led to the raise and came right after it.
    pub first: usize,
    /// Of the newest ones, besides those.
    pub last: usize,
}

impl Default for LinesKept {
    fn default() -> LinesKept {
        LinesKept { first: 5, last: 5 }
    }
}

/// A condition of a rule, with what was written.
#[derive(Clone, Debug)]
pub struct Filter {
    /// As the author wrote it.
    pub text: Arc<str>,
    /// What it means. Captures are those of [`Rule::captures`].
    pub condition: Condition<Value>,
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As the author wrote it.
    pub text: Arc<str>,
    /// With macros expanded: what `regex` compiled.
    pub expanded: Arc<str>,
    /// What it means, for whoever compiles it again.
    pub hir: Hir,
    /// The compiled form.
    pub regex: Regex,
    /// For each named group: (group index, index into [`Rule::captures`]).
    pub slots: Vec<(usize, usize)>,
    /// Others that have to fit the same line too, or it does not fit; these have none themselves.
    pub also: Vec<Pattern>,
}

impl Pattern {
    /// Compiles a pattern. `None`: its compiled form takes more than `most` bytes.
    ///
    /// Without an engine for captures that is made whether it is needed or not, and without literal prefilters: the scan has better ones, and those of `regex-automata` 0.4.18 find wrong ends or
    /// nothing where a literal stands twice, as in `[^"]*"([^"]*)"` (a kin of rust-lang/regex issue 1354).
    pub fn engine(hir: &Hir, most: usize) -> Option<Regex> {
        let engine = meta::Config::new()
            .utf8_empty(false)
            .auto_prefilter(false)
            .onepass(false)
            .nfa_size_limit(Some(most));
        Regex::builder().configure(engine).build_from_hir(hir).ok()
    }
}

/// One part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The name as it enters the key and the labels.
    pub name: Arc<str>,
    /// Where the value comes from.
    pub from: Value,
}

/// Where a text's or a key's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A capture, by index into [`Rule::captures`]. Absent: the empty text.
    Capture(usize),
    /// `{file}`: the path of the file the line stands in.
    File,
    /// `{source}`: the source's name.
    Source,
    /// `{namespace}`, `{pod}`, `{container}`, `{workload}`: of the path of the file. Absent: the empty text.
    Container(ContainerPart),
    /// `{instance}`: the scope.
    Instance,
    /// `{rule}`: the rule's name.
    Rule,
    /// `{line}`: the last matching line.
    Line,
    /// `{lines}` of a `description`: the lines that are kept of the episode.
    Lines,
    /// `{count}`: matches inside the window.
    Count,
    /// `{total}`: matches of the episode.
    Total,
    /// `{value}`: the measure.
    Value,
    /// `{within}`: the window, as the author would write it.
    Within,
    /// `{deadline}`: the deadline that was missed, RFC 3339 as its zone shows it.
    Deadline,
    /// `{for}`: how long it must last.
    For,
    /// `{status}`: `info`, `warning`, `critical` or `ok`; of a change how far it has come.
    Status,
    /// `{since}`: when the episode was raised, RFC 3339.
    Since,
    /// `{time}`: when the transition happened, RFC 3339.
    Time,
}

/// The status a rung of [`Rule::ladder`] stands for.
pub const fn rung_severity(rung: usize) -> Severity {
    Severity::ALL[rung]
}
