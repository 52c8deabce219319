//! What is measured of a rule's matches, and what a level needs to begin and to end.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::super::diagnostic::{Problems, did_you_mean, short};
use super::super::ladder::{self, Ladder};
use super::super::possible;
use super::super::tokens::Names;
use super::super::walk::{Fields, Said};
use super::super::{Second, condition, deadline, measure};
use super::{Around, Reader, never};
use crate::rule::{By, Deadlines, Filter, Flap, Measure, Unit, Value};

/// How long an alert stays open that nothing ends, unless something else is said.
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

impl Reader<'_, '_> {
    pub(super) fn filter(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        names: &Names<'_, Value>,
    ) -> Option<Filter> {
        let said = self.fields.own().text("where")?;
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "where", said).map(|compiled| compiled.regex)
        };
        let condition = condition::parse(problems, &said, names, &mut compile)?;
        Some(Filter { text: said.text.into(), condition })
    }

    /// `None`: it is wrong, which has been said.
    pub(super) fn measure(
        &self,
        problems: &mut Problems<'_>,
        around: &mut Around<'_>,
        names: &Names<'_, Value>,
    ) -> Option<Measure> {
        let Some(said) = self.fields.own().text("measure") else {
            return Some(if self.has_deadline() { Measure::Absent } else { Measure::Count });
        };
        let mut compile = |problems: &mut Problems<'_>, said: &Said<'_>| {
            self.compile(problems, around, "measure", said).map(|compiled| compiled.regex)
        };
        let measure = measure::parse(problems, &said, names, &mut compile)?;
        if self.has_deadline() && !matches!(measure, Measure::Absent) {
            let title = format!("`deadline` has no effect with `{}`", short(said.text));
            let span = self.fields.own().key_span("deadline", &self.header);
            let problem = problems.error("deadline-without-absent", span, title, "nothing is ever missed");
            problem.help = Some("leave out `measure`".to_owned());
        }
        Some(measure)
    }

    /// True if matches have to come by a time.
    pub(super) fn has_deadline(&self) -> bool {
        self.fields.own().value("deadline").is_some()
    }

    /// By when, if they have to.
    pub(super) fn deadlines(&self, problems: &mut Problems<'_>, local: &TimeZone) -> Option<Deadlines> {
        let own = self.fields.own();
        let list = own.value("deadline")?.get_ref().as_array();
        self.not_empty(problems, "deadline", list.is_some_and(|list| list.is_empty()), "by when?");
        let each = own.texts("deadline");
        let each = each.iter().filter_map(|said| deadline::parse(problems, said, local)).collect();
        Some(Deadlines { each, within: own.duration("within") })
    }

    /// The keys that are missed though they were never seen, as lists of values in the order of `by`.
    pub(super) fn expect(
        &self,
        problems: &mut Problems<'_>,
        missed: bool,
        by: &[By],
        max_keys: usize,
    ) -> Vec<Vec<Box<str>>> {
        let Some(value) = self.fields.own().value("expect") else {
            return if missed && by.is_empty() { vec![Vec::new()] } else { Vec::new() };
        };
        let Some(table) = value.get_ref().as_table() else { return Vec::new() };
        if table.is_empty() {
            let title = "`expect` is empty";
            problems.error("empty-table", value.span(), title, "nothing is expected").help =
                Some("name the values of `by`, or leave it out".to_owned());
            return Vec::new();
        }
        if !missed {
            let title = "`expect` has no effect without `measure = \"absent\"`";
            let problem =
                problems.error("expect-without-absent", value.span(), title, "nothing is ever missed");
            problem.help = Some("or compare a count with `<`: too few are missed too".to_owned());
        }
        for (name, _) in table.iter().filter(|(name, _)| by.iter().all(|by| *by.name != **name.get_ref())) {
            let title = format!("`{}` is not in `by`", short(name.get_ref()));
            let problem = problems.error("unknown-name", name.span(), title, "no part of the key");
            problem.help = did_you_mean(name.get_ref(), by.iter().map(|by| &*by.name));
        }
        let mut all: Vec<Vec<Box<str>>> = vec![Vec::new()];
        for by in by {
            let own = Fields { table, defaults: None };
            let values = own.texts(&by.name);
            if own.value(&by.name).is_none() {
                let title = format!("`expect` does not say which `{}`", by.name);
                problems.error("missing-key", value.span(), title, "a key needs each name of `by`");
            }
            let list = own
                .value(&by.name)
                .filter(|value| value.get_ref().as_array().is_some_and(|all| all.is_empty()));
            if let Some(list) = list {
                let title = format!("`expect` names no `{}`", by.name);
                problems.error("empty-list", list.span(), title, "nothing is expected");
            }
            let with = |known: &Vec<Box<str>>, said: &Said<'_>| {
                known.iter().cloned().chain([said.text.into()]).collect()
            };
            all = all.iter().flat_map(|known| values.iter().map(move |said| with(known, said))).collect();
            if all.len() > max_keys {
                let title = format!("`expect` names more than {max_keys} keys");
                problems.error("out-of-range", value.span(), title, "more than `max_keys`");
                return Vec::new();
            }
        }
        all
    }

    pub(super) fn resolve_after(
        &self,
        problems: &mut Problems<'_>,
        has_resolve: bool,
        measure: Option<&Measure>,
        few: bool,
    ) -> Option<Duration> {
        const DEFAULT: Duration = Duration::from_secs(30 * 60);
        let own = self.fields.own().duration_or_never("resolve_after");
        let missed = few || matches!(measure, Some(Measure::Absent));
        let at_once = missed.then_some(Some(Duration::ZERO));
        let implied = at_once.or(has_resolve.then_some(None));
        let written = self.fields.duration_or_never("resolve_after");
        let after = own.or(implied).or(written).unwrap_or(Some(DEFAULT));
        // A number that is well again ends it too.
        let clears =
            self.fields.own().value("clear").is_some() || few || measure.is_some_and(|it| !it.counts());
        if after.is_none()
            && !has_resolve
            && !clears
            && let Some(value) = self.fields.text("resolve_after")
        {
            let title = "nothing will ever end this alert";
            problems.warning("never-ends", value.span, title, "silence never ends it").help =
                Some("give the rule a `resolve` pattern, or a duration here".to_owned());
        }
        after
    }

    /// How long open alerts outlive the rule: never for ever.
    pub(super) fn outlives(&self, expire_after: Option<Duration>) -> Option<Duration> {
        let keeps = self.fields.text("on_remove").is_some_and(|said| said.text == "keep");
        keeps.then(|| expire_after.unwrap_or(A_WEEK))
    }

    pub(super) fn expire_after(&self, problems: &mut Problems<'_>, has_resolve: bool) -> Option<Duration> {
        if has_resolve {
            return self.fields.duration_or_never("expire_after").unwrap_or(Some(A_WEEK));
        }
        if let Some(value) = self.fields.own().value("expire_after") {
            let title = "`expire_after` has no effect without `resolve`";
            problems.warning("no-effect", value.span(), title, "no recovery line is waited for").help =
                Some("`resolve_after` ends an alert after quiet".to_owned());
        }
        None
    }

    /// Whether a measure has what it needs.
    pub(super) fn check_measure(
        &self,
        problems: &mut Problems<'_>,
        measure: &Measure,
        ladder: &Ladder,
        known: &never::Known<'_>,
        captures: &[Arc<str>],
        by: &[By],
    ) {
        let own = self.fields.own();
        let Some(said) = own.text("measure").or_else(|| own.texts("deadline").into_iter().next()) else {
            return;
        };
        let name = short(said.text);
        let needs_window = !matches!(measure, Measure::Count | Measure::Last(_) | Measure::Absent);
        for (key, label) in [
            ("within", "the time is what is compared: say for how long in the level"),
            ("clear", "a line that fits `match` ends the alert"),
            ("resolve", "a line that fits `match` ends the alert"),
        ] {
            // How early it may come is what `within` says of a deadline.
            let has_effect = key == "within" && self.has_deadline();
            if let (Measure::Absent, Some(value), false) = (measure, own.value(key), has_effect) {
                let title = format!("`{key}` has no effect with `absent`");
                problems.error("no-effect", value.span(), title, label);
            }
        }
        if needs_window && self.fields.value("within").is_none() {
            let title = format!("`{name}` needs `within`");
            problems.error("measure-without-window", said.span.clone(), title, "of which matches?").help =
                Some("say over which time: `within = \"5m\"`".to_owned());
        }
        if !matches!(measure, Measure::Count) && ladder.written.is_none() && !self.has_deadline() {
            let title = format!("`{name}` is compared with nothing");
            problems.error("measure-without-level", said.span.clone(), title, "no level is given").help =
                Some("say from which value on: `warning = \"> …\"`".to_owned());
        }
        if let Measure::Distinct(value) = measure
            && let Some(by) = by.iter().find(|by| by.from == *value && !ladder.few)
        {
            let title = format!("`{name}` is 1 for every key: `{}` is in `by`", by.name);
            problems.warning("no-effect", said.span.clone(), title, "each key has one value").help =
                Some(format!("take `{}` out of `by`, or count the values of another capture", by.name));
        }
        let is_number = !matches!(measure, Measure::Distinct(_));
        if let Some(Value::Capture(capture)) = measure.of().filter(|_| is_number) {
            let groups = known.groups(&captures[*capture]);
            if !possible::can_be_number(&groups) {
                never::never_a_number(problems, said.span.clone(), &captures[*capture]);
            } else if ladder.unit.is_some_and(|unit| unit != Unit::One)
                && possible::are_bare(&groups)
                && let Some(span) = &ladder.written
            {
                measure::no_unit(problems, span.clone(), &captures[*capture]);
            }
        }
    }

    /// Things that make no sense where few matches raise an alert.
    pub(super) fn check_few(&self, problems: &mut Problems<'_>) {
        for (key, label) in [
            ("min_lines", "with few matches there would be nothing to compare"),
            ("resolve", "the alert ends as soon as there are enough matches"),
        ] {
            if let Some(value) = self.fields.own().value(key) {
                let title = format!("`{key}` has no effect where too few matches are missed");
                problems.error("no-effect", value.span(), title, label);
            }
        }
    }

    /// What latches on `resolve` is true from the match to the recovery, so quiet has nothing to end. Only what comes and
    /// goes is held open by quiet, for as long as `flap` says.
    pub(super) fn check_latched(&self, problems: &mut Problems<'_>, flap: Option<Flap>) {
        let Some(after) = self.fields.own().duration_or_never("resolve_after").flatten() else { return };
        if flap.is_some_and(|flap| after > flap.within) {
            return;
        }
        if let Some(value) = self.fields.own().value("resolve_after") {
            let title = "`resolve_after` has no effect with `resolve` and without `within`";
            problems.warning("no-effect", value.span(), title, "it is open until the recovery line").help =
                Some("`expire_after` says for how long at most; with `within` quiet ends it too".to_owned());
        }
    }

    /// Things that only make sense with a window.
    pub(super) fn check_window(&self, problems: &mut Problems<'_>, has_resolve: bool, counts: bool) {
        if self.fields.value("within").is_some() && !self.has_deadline() {
            return;
        }
        if let Some(value) = self.fields.own().value("min_lines") {
            let (title, label) = if self.has_deadline() {
                ("`min_lines` has no effect with `deadline`", "one match is enough")
            } else {
                ("`min_lines` has no effect without `within`", "each line counts by itself")
            };
            problems.warning("no-effect", value.span(), title, label);
        }
        if !counts {
            return;
        }
        let (span, label) = (self.header.clone(), "in this rule".to_owned());
        let second = Some(Second { file: problems.file.to_path_buf(), span, label });
        let lasts = self.fields.duration("for").is_some_and(|hold| !hold.is_zero());
        if let Some(hold) = self.fields.text("for").filter(|_| lasts && !has_resolve) {
            let from_defaults = self.fields.own().value("for").is_none();
            let title = "`for` needs `within` or `resolve`";
            let problem = problems.error("for-without-window", hold.span, title, "nothing lasts here");
            problem.note = Some("without them each line stands for itself and is over at once".to_owned());
            problem.second = second.clone().filter(|_| from_defaults);
        }
        for word in ["info", "warning", "critical"] {
            let Some(said) = self.fields.text(word) else { continue };
            let Ok(written) = ladder::parse_comparison(said.text) else { continue };
            let comparison = written.comparison();
            let (few, needed) = (comparison.wants_few(), comparison.needed(1.0));
            let used = self.fields.own().value(word).is_some() || !self.says_ladder();
            if (few || needed > 1) && used {
                let number = if few { "few".to_owned() } else { needed.to_string() };
                let title = format!("`{word}` waits for {number} matches, and there is no `within`");
                let problem = problems.error(
                    "threshold-without-window",
                    said.span,
                    title,
                    "each line is counted by itself",
                );
                problem.help = Some("say over which time: `within = \"10m\"`".to_owned());
                problem.second = second.clone().filter(|_| self.fields.own().value(word).is_none());
            }
        }
    }

    fn says_ladder(&self) -> bool {
        ["info", "warning", "critical", "severity"].iter().any(|word| self.fields.own().value(word).is_some())
    }
}
