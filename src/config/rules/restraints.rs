//! What keeps alerts from being told: bounds, flapping, and what other rules say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::super::Second;
use super::super::diagnostic::{Problems, did_you_mean, short};
use super::super::units::parse_duration;
use super::super::walk::{Fields, Value};
use super::Reader;
use crate::model::RuleName;
use crate::rule::{After, Flap, MaxRaises, Rule};

/// A name of another rule, to be looked for once all files are read.
pub(super) struct Reference {
    /// The rule that says it.
    from: RuleName,
    /// Which.
    name: String,
    /// `unless` or `after`.
    key: &'static str,
    file: PathBuf,
    span: Range<usize>,
}

/// All of this of one rule.
pub(super) struct Restraints {
    pub(super) max_raises: Option<MaxRaises>,
    pub(super) flap: Option<Flap>,
    pub(super) renotify: Option<Duration>,
    pub(super) unless: Vec<RuleName>,
    pub(super) after: Option<After>,
}

/// Rules of a circle that are named.
const MOST_NAMED: usize = 5;

const MAX_RAISES: MaxRaises = MaxRaises { most: 30, within: Duration::from_secs(300) };
const FLAP: Flap = Flap { changes: 6, within: Duration::from_secs(3600) };

impl Reader<'_, '_> {
    pub(super) fn restraints(
        &self,
        problems: &mut Problems<'_>,
        references: &mut Vec<Reference>,
    ) -> Restraints {
        let written = |key| self.fields.text(key).map(|said| said.text);
        let max_raises = match written("max_raises") {
            Some("never") => None,
            Some(text) => parse_max_raises(text).ok(),
            None => Some(MAX_RAISES),
        };
        let flap = match self.fields.value("flap") {
            Some(value) => flap(value),
            None => Some(FLAP),
        };
        let unless = self.others(problems, "unless", references);
        let rules = self.others(problems, "after", references);
        let within = self.fields.duration("after_within").unwrap_or_default();
        let after_within = self.fields.own().value("after_within");
        // Without names that are right there may be wrong ones, which were shown.
        if let Some(value) = after_within.filter(|_| self.fields.value("after").is_none()) {
            let title = "`after_within` has no effect without `after`";
            problems.error("no-effect", value.span(), title, "after what?").help =
                Some("name the rule: `after = \"…\"`".to_owned());
        }
        Restraints {
            max_raises,
            flap,
            renotify: self.fields.duration_or_never("renotify").flatten(),
            unless,
            after: (!rules.is_empty()).then_some(After { rules, within }),
        }
    }

    fn others(
        &self,
        problems: &mut Problems<'_>,
        key: &'static str,
        references: &mut Vec<Reference>,
    ) -> Vec<RuleName> {
        let from = self.fields.own().text("name").map_or("", |name| name.text);
        let mut names: Vec<RuleName> = Vec::new();
        for said in self.fields.texts(key) {
            if said.text == from {
                let title = format!("a rule can not name itself in `{key}`");
                problems.error("own-name", said.span, title, "this very rule");
                continue;
            }
            names.push(RuleName::new(said.text));
            let (name, file) = (said.text.to_owned(), problems.file.to_path_buf());
            references.push(Reference { from: RuleName::new(from), name, key, file, span: said.span });
        }
        names
    }
}

/// Finds the rules that others name, and says which are not there. `enabled`: the names of all rules that are enabled,
/// right or wrong.
pub(super) fn connect<'e>(
    rules: &mut [Rule],
    references: Vec<Reference>,
    enabled: impl Iterator<Item = &'e String> + Clone,
    mut say: impl FnMut(&PathBuf, &dyn Fn(&mut Problems<'_>)),
) {
    check_circles(&references, enabled.clone(), &mut say);
    let places: BTreeMap<RuleName, usize> =
        rules.iter().enumerate().map(|(at, rule)| (rule.name.clone(), at)).collect();
    for reference in references {
        let Reference { from, name, key, file, span } = reference;
        if enabled.clone().all(|known| *known != name) {
            say(&file, &|problems| {
                let title = format!("there is no rule named `{}`", short(&name));
                let problem =
                    problems.error("unknown-rule", span.clone(), title, "no enabled rule has this name");
                problem.help = did_you_mean(&name, enabled.clone().map(String::as_str));
            });
            continue;
        }
        let both = places.get(&from).zip(places.get(&RuleName::new(name.as_str())));
        let Some((&mine, &other)) = both else { continue };
        if rules[other].change.is_some() {
            say(&file, &|problems| {
                let title = format!("`{}` has no alerts: it speaks of changes", short(&name));
                let problem = problems.error("no-alerts", span.clone(), title, "nothing of it is ever open");
                problem.help = Some("name a rule that raises alerts".to_owned());
            });
            continue;
        }
        let shares = rules[mine].by.iter().any(|by| rules[other].by.iter().any(|o| o.name == by.name));
        if !shares && !rules[mine].by.is_empty() && !rules[other].by.is_empty() {
            say(&file, &|problems| {
                let title = format!("`{}` shares no name of `by` with this rule", short(&name));
                let label = "any alert of it counts for every key of this rule";
                problems.warning("nothing-shared", span.clone(), title, label);
            });
        }
        if key == "after" {
            let within = rules[mine].after.as_ref().map(|after| after.within).unwrap_or_default();
            let remembered = &mut rules[other].raise_remembered;
            *remembered = (*remembered).max(within);
        }
    }
}

/// Says which rules are `after` each other in a circle, so that none of them can be the first to raise. One of several
/// rules in `after` is enough, so a rule that also names one outside of the circle is in none; and what stands behind a
/// circle is right once that is.
fn check_circles<'e>(
    references: &[Reference],
    enabled: impl Iterator<Item = &'e String>,
    say: &mut impl FnMut(&PathBuf, &dyn Fn(&mut Problems<'_>)),
) {
    let enabled: BTreeSet<&str> = enabled.map(String::as_str).collect();
    let mut after: BTreeMap<&str, Vec<&Reference>> = BTreeMap::new();
    for reference in references.iter().filter(|reference| reference.key == "after") {
        if enabled.contains(reference.from.as_str()) {
            after.entry(reference.from.as_str()).or_default().push(reference);
        }
    }
    // Whatever can raise is taken away, until nothing more can. A name that is none has been said.
    loop {
        let before = after.len();
        let waits: BTreeSet<&str> = after.keys().copied().collect();
        after.retain(|_, of| of.iter().all(|reference| waits.contains(reference.name.as_str())));
        if after.len() == before {
            break;
        }
    }
    // Each of those that are left is after another one of them, so whoever goes on comes round.
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for reference in references.iter().filter(|reference| after.contains_key(reference.from.as_str())) {
        let mut way: Vec<&Reference> = Vec::new();
        let mut at = reference.from.as_str();
        while seen.insert(at)
            && let Some(next) = after.get(at).and_then(|of| of.first())
        {
            way.push(next);
            at = &next.name;
        }
        if let Some(begin) = way.iter().position(|reference| reference.from.as_str() == at) {
            say_circle(&way[begin..], say);
        }
    }
}

fn say_circle(circle: &[&Reference], say: &mut impl FnMut(&PathBuf, &dyn Fn(&mut Problems<'_>))) {
    let [first, second, ..] = circle else { return };
    let others = circle.len().saturating_sub(MOST_NAMED);
    let named: Vec<String> =
        circle.iter().take(MOST_NAMED).map(|of| format!("`{}`", short(&of.name))).collect();
    let way = named.join(", which is after ");
    let more = if others == 0 { String::new() } else { format!(", and so on over {others} more") };
    say(&first.file, &|problems| {
        let title =
            format!("`{}` is after {way}{more}: none of them can ever raise", short(first.from.as_str()));
        let problem = problems.error("after-circle", first.span.clone(), title, "each waits for another");
        problem.second = Some(Second {
            file: second.file.clone(),
            span: second.span.clone(),
            label: format!("`{}` waits here", short(second.from.as_str())),
        });
        problem.help = Some("leave out `after` in the rule that is to be the first".to_owned());
    });
}

/// Reads `30/5m`.
///
/// # Errors
/// What is wrong with it, and where.
pub(in crate::config) fn parse_max_raises(text: &str) -> Result<MaxRaises, (Range<usize>, String)> {
    let Some((most, within)) = text.split_once('/') else {
        return Err((0..text.len(), "expected a number, `/` and a time".to_owned()));
    };
    let count = most.trim().parse().ok().filter(|most| (1..=1_000_000).contains(most));
    let Some(count) = count else {
        return Err((0..most.len(), "expected a whole number from 1 to 1000000".to_owned()));
    };
    let from = most.len() + 1;
    match parse_duration(within) {
        Ok(span) if span.is_zero() => Err((from..text.len(), "longer than nothing".to_owned())),
        Ok(within) => Ok(MaxRaises { most: count, within }),
        Err(wrong) => Err((from + wrong.at.start..from + wrong.at.end, wrong.why)),
    }
}

/// What `flap` says; what is wrong with it has been said.
fn flap(value: Value<'_, '_>) -> Option<Flap> {
    let DeValue::Table(table) = value.get_ref() else { return None };
    let fields = Fields { table, defaults: None };
    Some(Flap {
        changes: fields.count("changes").unwrap_or(FLAP.changes),
        within: fields.duration("within").unwrap_or(FLAP.within),
    })
}
