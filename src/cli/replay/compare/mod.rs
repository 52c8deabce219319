//! Two sets of rules on the same log: what only one of them would have raised or said of a change, and what differs.

mod change;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

pub(super) use change::Changes;

use super::summary::{counted, labels_text};
use crate::cli::json_line;
use crate::model::{AlertKey, DeliveryKind, Labels, RuleName, Status, Timestamp, Transition, duration_text};
use crate::untrusted::Untrusted;

/// Episodes of each set that are compared.
const MOST_EPISODES: usize = 100_000;
/// Changes of an episode that are compared one by one.
const MOST_STEPS: usize = 100;

/// From a raise to its end.
#[derive(Clone, Debug, PartialEq)]
struct Episode {
    steps: Vec<(Timestamp, Status)>,
    worst: Status,
    /// `None`: it never ended.
    over: Option<Timestamp>,
    labels: Labels,
    summary: String,
}

impl Episode {
    fn raised(&self) -> Timestamp {
        self.steps.first().map_or(Timestamp::MIN, |(time, _)| *time)
    }

    fn meets(&self, other: &Episode) -> bool {
        let ends_before = |one: &Episode, two: &Episode| one.over.is_some_and(|over| over < two.raised());
        !ends_before(self, other) && !ends_before(other, self)
    }
}

/// What one set of rules would have raised.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    by_key: BTreeMap<AlertKey, Vec<Episode>>,
    count: usize,
    /// The raise for which there was no room any more.
    full: Option<Timestamp>,
}

impl Episodes {
    /// A sink would have been told.
    pub(super) fn tell(&mut self, kind: DeliveryKind, t: &Transition) {
        if kind == DeliveryKind::Raise {
            if self.count >= MOST_EPISODES {
                self.full.get_or_insert(t.time);
                return;
            }
            self.count += 1;
            self.by_key.entry(t.key.clone()).or_default().push(Episode {
                steps: vec![(t.time, t.status)],
                worst: t.status,
                over: None,
                labels: t.labels.clone(),
                summary: t.summary.clone(),
            });
            return;
        }
        let last = self.by_key.get_mut(&t.key).and_then(|episodes| episodes.last_mut());
        let Some(episode) = last.filter(|episode| episode.over.is_none()) else { return };
        if t.status == Status::Ok {
            episode.over = Some(t.time);
        } else if t.status != t.previous && episode.steps.len() < MOST_STEPS {
            episode.steps.push((t.time, t.status));
        }
        episode.worst = episode.worst.max(t.status);
    }

    fn of(&self, key: &AlertKey) -> &[Episode] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }
}

/// What one set of rules leads to.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What a sink would have been told of alerts.
    pub(super) episodes: Episodes,
    /// What lines say of changes.
    pub(super) changes: Changes,
}

/// Where the two sets differ. One of the episodes is there at least.
#[derive(Debug, PartialEq)]
struct Difference<'a> {
    key: &'a AlertKey,
    rules: Option<&'a Episode>,
    against: Option<&'a Episode>,
}

/// Everything in which two sets differ, in the order of time.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    differences: Vec<Difference<'a>>,
    alike: u64,
    /// Pages of each rule, with the rules and with those to compare them with.
    pages: BTreeMap<&'a RuleName, (u64, u64)>,
    changes: change::Comparison<'a>,
    /// From when on not everything was compared.
    full: Option<Timestamp>,
}

impl<'a> Comparison<'a> {
    /// Compares. Two episodes of a key are the same one if they meet; what is told of it may differ.
    pub(super) fn new(rules: &'a Heard, against: &'a Heard) -> Comparison<'a> {
        let changes = change::Comparison::new(&rules.changes, &against.changes);
        let (rules, against) = (&rules.episodes, &against.episodes);
        let mut found = Comparison {
            differences: Vec::new(),
            alike: 0,
            pages: BTreeMap::new(),
            changes,
            full: [rules.full, against.full].into_iter().flatten().min(),
        };
        let mut keys: Vec<&AlertKey> = rules.by_key.keys().chain(against.by_key.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let (mut ours, mut theirs) = (rules.of(key), against.of(key));
            let pages = found.pages.entry(&key.rule).or_default();
            pages.0 += ours.len() as u64;
            pages.1 += theirs.len() as u64;
            while let Some(pair) = found.next(&mut ours, &mut theirs) {
                match pair {
                    (Some(one), Some(two)) if (&one.steps, one.over) == (&two.steps, two.over) => {
                        found.alike += 1;
                    }
                    (rules, against) => found.differences.push(Difference { key, rules, against }),
                }
            }
        }
        found.differences.sort_by_key(|difference| (difference.time(), difference.key));
        found
    }

    /// The next pair of episodes, or the next one that has no other.
    fn next(
        &self,
        ours: &mut &'a [Episode],
        theirs: &mut &'a [Episode],
    ) -> Option<(Option<&'a Episode>, Option<&'a Episode>)> {
        let (one, two) = match (ours.first(), theirs.first()) {
            (None, None) => return None,
            (Some(one), Some(two)) if one.meets(two) => (Some(one), Some(two)),
            (Some(one), Some(two)) if two.raised() < one.raised() => (None, Some(two)),
            (Some(one), _) => (Some(one), None),
            (None, two) => (None, two),
        };
        *ours = &ours[usize::from(one.is_some())..];
        *theirs = &theirs[usize::from(two.is_some())..];
        Some((one, two))
    }

    /// True if nothing differs.
    pub(super) fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.changes.differences.is_empty()
    }

    /// Alerts and changes, each in its order of time, in the order of both; at the same moment changes come first.
    fn in_order<T>(
        &self,
        of_alert: impl Fn(&Difference<'a>) -> T,
        of_change: impl Fn(&change::Difference<'a>) -> T,
    ) -> Vec<T> {
        let mut changes = self.changes.differences.iter().peekable();
        let mut all = Vec::new();
        for difference in &self.differences {
            let upto = difference.time();
            while let Some(change) = changes.next_if(|change| change.time() <= upto) {
                all.push(of_change(change));
            }
            all.push(of_alert(difference));
        }
        all.extend(changes.map(of_change));
        all
    }

    /// What differs, for people.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        self.in_order(Difference::row, change::Difference::row).into_iter().flatten()
    }

    /// For people: a line for what only one set tells of, two for what differs.
    pub(super) fn text(&self) -> String {
        self.rows().map(|row| row.text()).collect()
    }

    /// An object for each difference, each on its line.
    pub(super) fn json(&self) -> String {
        self.in_order(Difference::json, change::Difference::json).concat()
    }

    /// What it comes to.
    pub(super) fn headline(&self) -> String {
        let mut text = String::new();
        let changed = self.pages.iter().filter(|(_, (rules, against))| rules != against);
        for (rule, (rules, against)) in changed {
            let _ =
                writeln!(text, "{rule}: {} with --rules, {against} with --against", counted(*rules, "page"));
        }
        let count =
            |is: &dyn Fn(&Difference<'_>) -> bool| self.differences.iter().filter(|one| is(one)).count();
        let only_rules = count(&|one| one.against.is_none());
        let only_against = count(&|one| one.rules.is_none());
        let other = self.differences.len() - only_rules - only_against;
        let _ = writeln!(
            text,
            "{} alike, {only_rules} only with --rules, {only_against} only with --against, {other} different",
            counted(self.alike, "alert")
        );
        if let Some(time) = self.full {
            let _ = writeln!(
                text,
                "what was raised from {time} on was not all compared: it is more than {MOST_EPISODES}"
            );
        }
        text + &self.changes.headline()
    }
}

/// What differs, as people are told. Texts are escaped for one line, but not for HTML.
#[derive(Debug)]
pub(super) struct Row {
    /// `-`: only with the rules, `+`: only with those to compare them with, `~`: with both, but not the same.
    pub(super) sign: char,
    /// When it was raised; of a change, the time of the line.
    pub(super) time: Timestamp,
    /// How bad it gets, in capitals; or that it is a change.
    pub(super) status: String,
    /// The same in small letters.
    pub(super) class: &'static str,
    pub(super) rule: String,
    pub(super) text: String,
    pub(super) labels: String,
    /// When an alert is over.
    pub(super) until: Option<String>,
    pub(super) differs: Option<String>,
}

impl Row {
    fn text(&self) -> String {
        let Row { sign, time, status, rule, text, labels, .. } = self;
        let until = self.until.as_ref().map_or(String::new(), |until| format!("  ({until})"));
        let mut line = format!("{sign} {time}  {status:<8}  {rule}  {text}{labels}{until}\n");
        if let Some(differs) = &self.differs {
            let _ = writeln!(line, "    {differs}");
        }
        line
    }
}

/// The sign of what is with the rules, with those to compare them with, or with both.
fn sign(rules: bool, against: bool) -> char {
    match (rules, against) {
        (true, true) => '~',
        (true, false) => '-',
        (false, _) => '+',
    }
}

/// The same in JSON.
fn difference(rules: bool, against: bool) -> &'static str {
    match (rules, against) {
        (true, true) => "differs",
        (true, false) => "only_with_rules",
        (false, _) => "only_with_against",
    }
}

fn object(line: &impl Serialize) -> String {
    json_line(line)
}

/// By how much a moment is another one.
fn moved(before: Timestamp, after: Timestamp) -> String {
    let way = if after < before { "earlier" } else { "later" };
    format!("{} {way}", duration_text(before.since(after).max(after.since(before))))
}

impl Difference<'_> {
    fn time(&self) -> Timestamp {
        let raised = |episode: Option<&Episode>| episode.map_or(Timestamp::MAX, Episode::raised);
        raised(self.rules).min(raised(self.against))
    }

    fn row(&self) -> Option<Row> {
        let episode = self.against.or(self.rules)?;
        Some(Row {
            sign: sign(self.rules.is_some(), self.against.is_some()),
            time: episode.raised(),
            status: episode.worst.as_str().to_ascii_uppercase(),
            class: episode.worst.as_str(),
            rule: self.key.rule.to_string(),
            text: Untrusted(&episode.summary).to_string(),
            labels: labels_text(&episode.labels),
            until: Some(episode.over.map_or("never over".to_owned(), |over| format!("until {over}"))),
            differs: self.rules.zip(self.against).map(|(rules, against)| differs(rules, against)),
        })
    }

    fn json(&self) -> String {
        let shown = self.against.or(self.rules);
        object(&JsonDifference {
            difference: difference(self.rules.is_some(), self.against.is_some()),
            rule: self.key.rule.as_str(),
            alert_key: self.key.to_string(),
            labels: shown.map(|episode| episode.labels.clone()).unwrap_or_default(),
            rules: self.rules.map(JsonEpisode::of),
            against: self.against.map(JsonEpisode::of),
        })
    }
}

/// In what an episode differs with the other rules.
fn differs(rules: &Episode, against: &Episode) -> String {
    let mut words = Vec::new();
    if rules.raised() != against.raised() {
        words.push(format!("raised {}", moved(rules.raised(), against.raised())));
    }
    if rules.worst != against.worst {
        words.push(format!("{} at worst instead of {}", against.worst.as_str(), rules.worst.as_str()));
    }
    match (rules.over, against.over) {
        (Some(before), Some(after)) if before != after => {
            words.push(format!("over {}", moved(before, after)));
        }
        (Some(_), None) => words.push("never over".to_owned()),
        (None, Some(_)) => words.push("over instead of never".to_owned()),
        _ => {}
    }
    if words.is_empty() {
        words.push("its severity changes at other times".to_owned());
    }
    format!("with --against: {}", words.join(", "))
}

/// `--against --json`. Fields are only ever added.
#[derive(Serialize)]
struct JsonDifference<'a> {
    difference: &'static str,
    rule: &'a str,
    alert_key: String,
    labels: Labels,
    rules: Option<JsonEpisode<'a>>,
    against: Option<JsonEpisode<'a>>,
}

#[derive(Serialize)]
struct JsonEpisode<'a> {
    raised: String,
    worst: &'static str,
    over: Option<String>,
    steps: Vec<(String, &'static str)>,
    summary: &'a str,
}

impl JsonEpisode<'_> {
    fn of(episode: &Episode) -> JsonEpisode<'_> {
        JsonEpisode {
            raised: episode.raised().to_string(),
            worst: episode.worst.as_str(),
            over: episode.over.map(|over| over.to_string()),
            steps: episode.steps.iter().map(|(time, status)| (time.to_string(), status.as_str())).collect(),
            summary: &episode.summary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pager::Pager;
    use super::*;
    use crate::engine::{Emitted, Tell};
    use crate::model::{KeyHash, Transition};
    use crate::sink::sample;

    /// Episodes as `key: seconds status, …`, each transition of a key after the other.
    fn heard(keys: &[(u8, &[(i64, Status)])]) -> Heard {
        let (mut episodes, mut pager) = (Episodes::default(), Pager::new());
        for (key, steps) in keys {
            let mut previous = Ok;
            for (second, status) in *steps {
                let transition = Transition {
                    time: Timestamp::from_secs(*second),
                    key: AlertKey { rule: RuleName::new("r"), hash: KeyHash([*key; 16]) },
                    status: *status,
                    previous: std::mem::replace(&mut previous, *status),
                    since: Timestamp::from_secs(*second),
                    labels: Labels::from([("k".into(), format!("\x1b{key}"))]),
                    summary: "bad".to_owned(),
                    ..sample::bare()
                };
                let told = pager.tell(&Emitted { transition, tell: Tell::Now });
                let (kind, told) = told.expect("each is news");
                episodes.tell(kind, &told);
            }
        }
        Heard { episodes, changes: Changes::default() }
    }

    #[track_caller]
    fn check(rules: &[(i64, Status)], against: &[(i64, Status)], expected: &[&str]) {
        let (rules, against) = (heard(&[(1, rules)]), heard(&[(1, against)]));
        let found = Comparison::new(&rules, &against);
        let text = found.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, expected);
        assert_eq!(found.is_equal(), expected.is_empty());
        // The other way round the same episodes differ.
        let back = Comparison::new(&against, &rules);
        assert_eq!((back.differences.len(), back.alike), (found.differences.len(), found.alike));
        let json = found.json();
        assert_eq!(json.lines().count(), found.differences.len());
        assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }

    use Status::{Critical, Ok, Warning};

    #[test]
    fn what_is_alike_is_no_difference() {
        check(&[], &[], &[]);
        check(&[(10, Warning), (20, Ok)], &[(10, Warning), (20, Ok)], &[]);
    }

    #[test]
    fn what_only_one_set_raises_is_said() {
        let line = "1970-01-01T00:00:10Z  WARNING   r  bad  k=\\x1b1  (until 1970-01-01T00:00:20Z)";
        check(&[(10, Warning), (20, Ok)], &[], &[&format!("- {line}")]);
        check(&[], &[(10, Warning), (20, Ok)], &[&format!("+ {line}")]);
        // They do not meet: two of them.
        let other = "+ 1970-01-01T00:00:30Z  WARNING   r  bad  k=\\x1b1  (never over)";
        check(&[(10, Warning), (20, Ok)], &[(30, Warning)], &[&format!("- {line}"), other]);
    }

    #[test]
    fn what_differs_in_time_or_severity_is_said_as_one_alert() {
        check(
            &[(10, Warning), (12, Critical), (20, Ok)],
            &[(15, Warning), (600, Ok)],
            &[
                "~ 1970-01-01T00:00:15Z  WARNING   r  bad  k=\\x1b1  (until 1970-01-01T00:10:00Z)",
                "    with --against: raised 5s later, warning at worst instead of critical, over 9m40s later",
            ],
        );
        check(
            &[(10, Warning), (12, Critical)],
            &[(10, Warning), (13, Critical)],
            &[
                "~ 1970-01-01T00:00:10Z  CRITICAL  r  bad  k=\\x1b1  (never over)",
                "    with --against: its severity changes at other times",
            ],
        );
    }

    #[test]
    fn an_alert_that_falls_apart_is_one_different_and_one_more() {
        let one = [(10, Warning), (90, Ok)];
        let two = [(10, Warning), (20, Ok), (40, Warning), (90, Ok)];
        let (rules, against) = (heard(&[(1, &one), (2, &one)]), heard(&[(1, &two), (2, &one)]));
        let found = Comparison::new(&rules, &against);
        assert_eq!(
            found.headline(),
            "r: 2 pages with --rules, 3 with --against\n\
             1 alert alike, 0 only with --rules, 1 only with --against, 1 different\n"
        );
    }

    #[test]
    fn what_has_no_room_is_said() {
        let steps: Vec<(i64, Status)> =
            (0..=MOST_EPISODES as i64).flat_map(|n| [(2 * n, Warning), (2 * n + 1, Ok)]).collect();
        let many = heard(&[(1, &steps)]);
        let headline = Comparison::new(&many, &many).headline();
        assert!(headline.contains("100000 alerts alike"), "{headline}");
        assert!(headline.contains("from 1970-01-03T07:33:20Z on was not all compared"), "{headline}");
    }
}
