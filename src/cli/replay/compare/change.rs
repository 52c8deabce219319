//! What two sets of rules say of changes on the same log, line by line: a line that only one of them takes, or of which
//! they say different things.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::summary::{counted, labels_text};
use super::{Row, moved};
use crate::model::{ChangeReport, ChangeStatus, Labels, Position, RuleName, Timestamp};
use crate::untrusted::Untrusted;

/// Lines about changes that are compared of each set.
const MOST_CHANGES: usize = 100_000;

/// What identifies what is said: the line, the change and the rule, in the order of time.
type Place = (Timestamp, Position, String, RuleName);

/// What a line says of a change.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    status: ChangeStatus,
    time: Timestamp,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    labels: Labels,
    summary: String,
}

impl Said {
    /// What peers act on; texts may differ.
    fn is_like(&self, other: &Said) -> bool {
        let acted_on = |said: &Said| (said.status, said.time, said.starts, said.ends);
        acted_on(self) == acted_on(other)
    }
}

/// What one set of rules says of changes.
#[derive(Debug, Default)]
pub(in super::super) struct Changes {
    said: BTreeMap<Place, Said>,
    /// The time of the line for which there was no room any more.
    full: Option<Timestamp>,
}

impl Changes {
    /// A line said how far a change has come.
    pub(in super::super) fn tell(&mut self, report: &ChangeReport) {
        if self.said.len() >= MOST_CHANGES {
            self.full.get_or_insert(report.seen);
            return;
        }
        let place = (report.seen, report.at, report.change_key.clone(), report.rule.clone());
        let said = Said {
            status: report.status,
            time: report.time,
            starts: report.starts,
            ends: report.ends,
            labels: report.labels.clone(),
            summary: report.summary.clone(),
        };
        self.said.insert(place, said);
    }
}

/// Where the two sets differ. One of them says something at least.
#[derive(Debug, PartialEq)]
pub(super) struct Difference<'a> {
    place: &'a Place,
    rules: Option<&'a Said>,
    against: Option<&'a Said>,
}

/// Everything in which two sets differ about changes, in the order of the lines.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    pub(super) differences: Vec<Difference<'a>>,
    alike: u64,
    full: Option<Timestamp>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(rules: &'a Changes, against: &'a Changes) -> Comparison<'a> {
        let mut both: BTreeMap<&Place, (Option<&Said>, Option<&Said>)> = BTreeMap::new();
        rules.said.iter().for_each(|(place, said)| both.entry(place).or_default().0 = Some(said));
        against.said.iter().for_each(|(place, said)| both.entry(place).or_default().1 = Some(said));
        let all = both.len();
        let differs = |(_, (rules, against)): &(&Place, (Option<&Said>, Option<&Said>))| {
            !rules.zip(*against).is_some_and(|(rules, against)| rules.is_like(against))
        };
        let found = both.into_iter().filter(differs);
        let differences: Vec<_> =
            found.map(|(place, (rules, against))| Difference { place, rules, against }).collect();
        let alike = (all - differences.len()) as u64;
        let full = [rules.full, against.full].into_iter().flatten().min();
        Comparison { differences, alike, full }
    }

    /// What it comes to; nothing, if no line speaks of a change.
    pub(super) fn headline(&self) -> String {
        if self.alike == 0 && self.differences.is_empty() {
            return String::new();
        }
        let count = |is: fn(&Difference<'_>) -> bool| self.differences.iter().filter(|one| is(one)).count();
        let only_rules = count(|one| one.against.is_none());
        let only_against = count(|one| one.rules.is_none());
        let other = self.differences.len() - only_rules - only_against;
        let alike = counted(self.alike, "line");
        let mut text = format!(
            "{alike} about changes alike, {only_rules} only with --rules, {only_against} only with --against, {other} different\n"
        );
        if let Some(time) = self.full {
            text += &format!(
                "what was said of changes from {time} on was not all compared: it is more than {MOST_CHANGES}\n"
            );
        }
        text
    }
}

impl Difference<'_> {
    pub(super) fn time(&self) -> Timestamp {
        self.place.0
    }

    pub(super) fn row(&self) -> Option<Row> {
        let shown = self.against.or(self.rules)?;
        let (seen, _, key, rule) = self.place;
        Some(Row {
            sign: super::sign(self.rules.is_some(), self.against.is_some()),
            time: *seen,
            status: "CHANGE".to_owned(),
            class: "change",
            rule: rule.to_string(),
            text: format!("{} is {}: {}", Untrusted(key), shown.status.as_str(), Untrusted(&shown.summary)),
            labels: labels_text(&shown.labels),
            until: None,
            differs: self.rules.zip(self.against).map(|(rules, against)| differs(rules, against)),
        })
    }

    pub(super) fn json(&self) -> String {
        let shown = self.against.or(self.rules);
        let (seen, _, key, rule) = self.place;
        super::object(&JsonDifference {
            kind: "change",
            difference: super::difference(self.rules.is_some(), self.against.is_some()),
            rule: rule.as_str(),
            change_key: key,
            seen: seen.to_string(),
            labels: shown.map(|said| said.labels.clone()).unwrap_or_default(),
            rules: self.rules.map(JsonSaid::of),
            against: self.against.map(JsonSaid::of),
        })
    }
}

/// In what a line says something else with the other rules.
fn differs(rules: &Said, against: &Said) -> String {
    let mut words = Vec::new();
    if rules.status != against.status {
        words.push(format!("{} instead of {}", against.status.as_str(), rules.status.as_str()));
    }
    if rules.time != against.time {
        words.push(moved(rules.time, against.time));
    }
    for (name, before, after) in
        [("starts", rules.starts, against.starts), ("ends", rules.ends, against.ends)]
    {
        match (before, after) {
            (Some(before), Some(after)) if before != after => {
                words.push(format!("{name} {}", moved(before, after)));
            }
            (Some(_), None) => words.push(format!("does not say when it {name}")),
            (None, Some(after)) => words.push(format!("says that it {name} at {after}")),
            _ => {}
        }
    }
    format!("with --against: {}", words.join(", "))
}

/// `--against --json`. Fields are only ever added.
#[derive(Serialize)]
struct JsonDifference<'a> {
    kind: &'static str,
    difference: &'static str,
    rule: &'a str,
    change_key: &'a str,
    seen: String,
    labels: Labels,
    rules: Option<JsonSaid<'a>>,
    against: Option<JsonSaid<'a>>,
}

#[derive(Serialize)]
struct JsonSaid<'a> {
    change_status: &'static str,
    time: String,
    starts: Option<String>,
    ends: Option<String>,
    summary: &'a str,
}

impl JsonSaid<'_> {
    fn of(said: &Said) -> JsonSaid<'_> {
        let text = |time: &Timestamp| time.to_string();
        JsonSaid {
            change_status: said.status.as_str(),
            time: said.time.to_string(),
            starts: said.starts.as_ref().map(text),
            ends: said.ends.as_ref().map(text),
            summary: &said.summary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileId, KeyHash};

    type Line = (i64, &'static str, ChangeStatus, i64);

    /// What a set says: second of the line, change, status, and when it came so far.
    fn changes(lines: &[Line]) -> Changes {
        let mut changes = Changes::default();
        for (seen, key, status, time) in lines {
            changes.tell(&ChangeReport {
                time: Timestamp::from_secs(*time),
                seen: Timestamp::from_secs(*seen),
                rule: RuleName::new("deploy"),
                hash: KeyHash([0; 16]),
                change_key: (*key).to_owned(),
                status: *status,
                life: 1,
                at: Position { file: FileId(1), offset: seen.unsigned_abs() },
                labels: Labels::new(),
                details: Labels::new(),
                summary: "on\x1b its way".to_owned(),
                description: String::new(),
                link: None,
                starts: (*time > 100).then(|| Timestamp::from_secs(*time)),
                ends: None,
                linked_changes: Vec::new(),
                runbook: None,
                images: Vec::new(),
                links: Vec::new(),
            });
        }
        changes
    }

    use ChangeStatus::{Canceled, Done, Processing};

    #[track_caller]
    fn check(rules: &[Line], against: &[Line], expected: &[&str], headline: &str) {
        let (rules, against) = (changes(rules), changes(against));
        let found = Comparison::new(&rules, &against);
        let text: String =
            found.differences.iter().filter_map(Difference::row).map(|row| row.text()).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
        assert_eq!(found.headline(), headline);
        for difference in &found.differences {
            let json: serde_json::Value = serde_json::from_str(&difference.json()).unwrap();
            assert_eq!(json["kind"], "change");
        }
    }

    #[test]
    fn lines_about_changes_are_alike_gone_added_or_different() {
        check(&[], &[], &[], "");
        let one = (1, "api\x1b[2J", Processing, 1);
        check(
            &[one],
            &[one],
            &[],
            "1 line about changes alike, 0 only with --rules, 0 only with --against, 0 different\n",
        );
        check(
            &[one, (2, "api", Done, 2), (3, "web", Done, 3)],
            &[one, (2, "api", Canceled, 7), (3, "shop", Done, 3)],
            &[
                "~ 1970-01-01T00:00:02Z  CHANGE    deploy  api is Canceled: on\\x1b its way",
                "    with --against: Canceled instead of Done, 5s later",
                "+ 1970-01-01T00:00:03Z  CHANGE    deploy  shop is Done: on\\x1b its way",
                "- 1970-01-01T00:00:03Z  CHANGE    deploy  web is Done: on\\x1b its way",
            ],
            "1 line about changes alike, 1 only with --rules, 1 only with --against, 1 different\n",
        );
        check(
            &[one],
            &[(1, "api\x1b[2J", Processing, 200)],
            &[
                "~ 1970-01-01T00:00:01Z  CHANGE    deploy  api\\x1b[2J is Processing: on\\x1b its way",
                "    with --against: 3m19s later, says that it starts at 1970-01-01T00:03:20Z",
            ],
            "0 lines about changes alike, 0 only with --rules, 0 only with --against, 1 different\n",
        );
    }

    #[test]
    fn what_has_no_room_is_said() {
        let lines: Vec<Line> = (0..=MOST_CHANGES as i64).map(|n| (n, "api", Done, 1)).collect();
        let many = changes(&lines);
        let headline = Comparison::new(&many, &many).headline();
        assert!(headline.starts_with("100000 lines about changes alike"), "{headline}");
        assert!(headline.contains("from 1970-01-02T03:46:40Z on was not all compared"), "{headline}");
    }
}
