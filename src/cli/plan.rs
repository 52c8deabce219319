//! `tripline check --against-running`: what a reload would do to the rules and the alerts of the running tripline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::ask::{ask, unexpected};
use super::status::{alert_lines, plural};
use super::{Failure, json_line, talk};
use crate::admin::{Answer, Open, OpenRow, Question, RuleRow, Rules};
use crate::config::own::OWN_PREFIX;
use crate::engine::plan::{Fate, OpenKey, Outline, Planned, plan};
use crate::model::{AlertKey, KeyHash, RuleName};
use crate::rule::Ruleset;

/// The plan, with what is known of the alerts in it.
#[derive(Debug)]
pub(super) struct Against {
    running: Rules,
    planned: Vec<Planned>,
}

/// Asks the tripline of this state directory for its rules, and plans.
pub(super) fn against(dir: &Path, new: &Ruleset) -> Result<Against, Failure> {
    let Answer::Rules(running) = ask(dir, &Question::Rules)? else { return Err(unexpected("no rules")) };
    let here = env!("CARGO_PKG_VERSION");
    if running.version != here {
        let other = &running.version;
        talk(&format!("warning: version {other} runs, and this is {here}: what they compare may differ\n"));
    }
    planned(*running, new).ok_or_else(|| unexpected("a digest that is none"))
}

fn planned(running: Rules, new: &Ruleset) -> Option<Against> {
    let outlines: Vec<Outline> = running.rules.iter().map(outline).collect::<Option<_>>()?;
    let open: Vec<OpenKey> = running.open.iter().map(open_key).collect::<Option<_>>()?;
    let planned = plan(&outlines, new, &open);
    Some(Against { running, planned })
}

fn outline(row: &RuleRow) -> Option<Outline> {
    Some(Outline {
        name: RuleName::new(row.name.as_str()),
        by: row.by.iter().map(|name| name.as_str().into()).collect(),
        scoped: row.scoped,
        of_changes: row.of_changes,
        condition: KeyHash::parse(&row.condition)?.0,
        texts: KeyHash::parse(&row.texts)?.0,
    })
}

fn open_key(row: &OpenRow) -> Option<OpenKey> {
    let (rule, digest) = row.alert.alert_key.split_once(':')?;
    let key = AlertKey { rule: RuleName::new(rule), hash: KeyHash::parse(digest)? };
    let bytes = |values: &Vec<String>| values.iter().map(|value| value.clone().into_bytes()).collect();
    let storm_of = row.storm_of.as_deref().map(RuleName::new);
    Some(OpenKey {
        key,
        unseen: row.unseen.as_ref().map(bytes),
        storm_of,
        folded: row.folded,
        outlives: row.outlives,
    })
}

/// One rule of the plan, for machines.
#[derive(Serialize)]
struct Line<'a> {
    rule: &'a str,
    plan: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_to: Option<&'a str>,
    kept: Vec<&'a Open>,
    /// Kept open without the rule.
    kept_open: Vec<&'a Open>,
    resolved: Vec<&'a Open>,
}

impl Against {
    /// One JSON object for each rule, those that do not change included.
    pub(super) fn json(&self) -> String {
        let mut text = String::new();
        for Planned { rule, fate, kept, orphaned, resolved } in &self.planned {
            let renamed_to = match fate {
                Fate::Renamed(to) => Some(to.as_str()),
                _ => None,
            };
            let plan = word(fate);
            let (kept, resolved) = (self.alerts(kept), self.alerts(resolved));
            let kept_open = self.alerts(orphaned);
            let line = Line { rule: rule.as_str(), plan, renamed_to, kept, kept_open, resolved };
            text.push_str(&json_line(&line));
        }
        text
    }

    /// What changes, for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("\na reload of the tripline on {} would change\n", self.running.scope);
        let mut unchanged = 0;
        for Planned { rule, fate, kept, orphaned, resolved } in &self.planned {
            if *fate == Fate::Unchanged && resolved.is_empty() {
                unchanged += u64::from(!rule.as_str().starts_with(OWN_PREFIX));
                continue;
            }
            let counts = [kept.len(), orphaned.len(), resolved.len()];
            let _ = writeln!(text, "  {:<10}{rule}: {}", word(fate), says(fate, counts));
            self.show(&mut text, resolved);
            if !orphaned.is_empty() {
                text.push_str("          kept open:\n");
                self.show(&mut text, orphaned);
            }
        }
        if self.planned.iter().all(|planned| planned.fate == Fate::Unchanged) {
            text.push_str("  nothing\n");
        }
        let verb = if unchanged == 1 { "stays" } else { "stay" };
        let _ = writeln!(text, "{} {verb} as before", plural(unchanged, "rule"));
        if self.running.more_open > 0 {
            let more = plural(self.running.more_open, "open alert");
            let _ = writeln!(text, "what becomes of {more} besides is not shown");
        }
        text
    }

    fn show(&self, text: &mut String, keys: &[AlertKey]) {
        let alerts: Vec<Open> = self.alerts(keys).into_iter().cloned().collect();
        for line in alert_lines(&alerts, false).lines() {
            let _ = writeln!(text, "          {}", &line[2..]);
        }
    }

    fn alerts(&self, keys: &[AlertKey]) -> Vec<&Open> {
        let rows: BTreeMap<&str, &Open> =
            self.running.open.iter().map(|row| (row.alert.alert_key.as_str(), &row.alert)).collect();
        keys.iter().filter_map(|key| rows.get(key.to_string().as_str()).copied()).collect()
    }
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::New => "new",
        Fate::Unchanged => "unchanged",
        Fate::Texts => "texts",
        Fate::Condition => "condition",
        Fate::Rekeyed => "rekeyed",
        Fate::Renamed(_) => "renamed",
        Fate::Gone => "gone",
    }
}

fn says(fate: &Fate, [kept, orphaned, resolved]: [usize; 3]) -> String {
    let what = match fate {
        Fate::New => "begins".to_owned(),
        Fate::Unchanged | Fate::Texts => "all state is kept".to_owned(),
        Fate::Condition => "its windows begin anew".to_owned(),
        Fate::Rekeyed => "its keys are other ones".to_owned(),
        Fate::Renamed(to) => format!("`{to}` is another rule"),
        Fate::Gone => "removed or disabled".to_owned(),
    };
    let alerts = |n: usize, becomes: &str| {
        let verb = if n == 1 { "is" } else { "are" };
        (n > 0).then(|| format!("{} {verb} {becomes}", plural(n as u64, "open alert")))
    };
    let parts = [
        Some(what),
        alerts(kept, "kept"),
        alerts(orphaned, "kept open without it"),
        alerts(resolved, "resolved"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    fn row(name: &str, condition: u8, texts: u8) -> RuleRow {
        RuleRow {
            name: name.to_owned(),
            by: Vec::new(),
            scoped: true,
            of_changes: false,
            condition: KeyHash([condition; 16]).to_string(),
            texts: KeyHash([texts; 16]).to_string(),
        }
    }

    fn open(rule: &str) -> OpenRow {
        let alert = Open::from(&crate::sink::sample::transition());
        let alert_key = format!("{rule}:{}", KeyHash([0x3f; 16]));
        let alert = Open { alert_key, rule: rule.to_owned(), ..alert };
        OpenRow { alert, unseen: None, storm_of: None, folded: false, outlives: rule == "lasting" }
    }

    fn rule(name: &str, condition: u8, texts: u8) -> Rule {
        Rule { condition_digest: [condition; 16], texts_digest: [texts; 16], ..Rule::bare(name) }
    }

    fn running() -> Rules {
        Rules {
            version: "0.1.0".to_owned(),
            scope: "web-1".to_owned(),
            rules: vec![
                row("same", 0, 0),
                row("words", 1, 0),
                row("limit", 2, 0),
                row("old", 3, 0),
                row("lasting", 5, 0),
            ],
            open: vec![open("words"), open("limit"), open("old"), open("lasting")],
            more_open: 0,
        }
    }

    #[test]
    fn what_changes_is_said_with_the_alerts_that_end() {
        let new = vec![rule("same", 0, 0), rule("words", 1, 1), rule("limit", 9, 0), rule("fresh", 4, 0)];
        let shown = planned(running(), &Ruleset { rules: new }).unwrap();
        let expected = "
a reload of the tripline on web-1 would change
  texts     words: all state is kept; 1 open alert is kept
  condition limit: its windows begin anew; 1 open alert is kept
  gone      old: removed or disabled; 1 open alert is resolved
          warning   2015-12-10T09:13:10Z  old:3f3f3f3f
                    5 failed logins from 187.141.143.180 in 10m (level reached)
  gone      lasting: removed or disabled; 1 open alert is kept open without it
          kept open:
          warning   2015-12-10T09:13:10Z  lasting:3f3f3f3f
                    5 failed logins from 187.141.143.180 in 10m (level reached)
  new       fresh: begins
1 rule stays as before
";
        assert_eq!(shown.text(), expected);
        let lines: Vec<serde_json::Value> =
            shown.json().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 6);
        assert_eq!(lines[4]["kept_open"][0]["rule"], "lasting");
        assert_eq!((&lines[3]["rule"], &lines[3]["plan"]), (&"old".into(), &"gone".into()));
        assert_eq!(lines[3]["resolved"][0]["labels"]["src_ip"], "187.141.143.180");
        assert_eq!(lines[2]["kept"][0]["rule"], "limit");
    }

    #[test]
    fn nothing_is_a_plan_too_and_a_digest_must_be_one() {
        let same = vec![
            rule("same", 0, 0),
            rule("words", 1, 0),
            rule("limit", 2, 0),
            rule("old", 3, 0),
            rule("lasting", 5, 0),
        ];
        let shown = planned(running(), &Ruleset { rules: same }).unwrap().text();
        assert!(shown.ends_with("would change\n  nothing\n5 rules stay as before\n"), "{shown}");
        let mut odd = running();
        odd.rules[0].condition = "zz".to_owned();
        assert!(planned(odd, &Ruleset::default()).is_none());
        let mut odd = running();
        odd.open[0].alert.alert_key = "é".repeat(33);
        assert!(planned(odd, &Ruleset::default()).is_none());
    }
}
