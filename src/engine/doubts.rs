//! What speaks against the terms of a silence: that no rule in force can make them true. Whoever misspells a name at
//! three in the morning is told so at once, and not by the next page.

use super::Engine;
use super::silence::Term;
use crate::model::{Severity, Status};
use crate::rule::Rule;

/// Values of a label that are named.
const MOST_NAMED: usize = 5;

/// What a rule's alerts have under a name.
enum Has {
    /// Nothing.
    Nothing,
    /// Always this.
    This(String),
    /// Whatever lines say.
    Anything,
}

impl Engine {
    /// Sentences about these terms: names that no rule in force knows, and what no rule in force can make true.
    pub fn doubts(&self, terms: &[Term]) -> Vec<String> {
        let rules = || self.ruleset.rules.iter().filter(|rule| rule.change.is_none());
        let mut doubts = Vec::new();
        for term in terms {
            let name = &*term.name;
            let value = term.text().unwrap_or_default().escape_debug();
            if name == "severity" {
                if !rules().any(|rule| self.may_hold(rule, term)) {
                    doubts.push("no rule in force has an alert of such a severity".to_owned());
                }
            } else if name == "rule" {
                let named = term.text().map(|text| self.ruleset.find(text));
                match named.map(|found| found.map(|ix| self.ruleset.rule(ix))) {
                    // Who means any other rule but one that is not there has misspelt it as well.
                    Some(None) => doubts.push(format!("no rule in force is called `{value}`")),
                    Some(Some(rule)) if rule.change.is_some() => {
                        doubts.push(format!(
                            "the rule `{value}` tells of changes, which no silence holds back"
                        ));
                    }
                    None if !rules().any(|rule| self.may_hold(rule, term)) => {
                        doubts.push("no rule in force has such a name".to_owned());
                    }
                    _ => {}
                }
            } else if rules().all(|rule| matches!(self.has(rule, name), Has::Nothing)) {
                doubts.push(format!("no rule in force has a label `{name}`"));
            } else if !rules().any(|rule| self.may_hold(rule, term)) {
                let mut values: Vec<String> = rules().filter_map(|rule| self.constant(rule, name)).collect();
                values.sort();
                values.dedup();
                let shown = values.iter().take(MOST_NAMED).map(|value| format!("`{}`", value.escape_debug()));
                let shown: Vec<String> = shown.collect();
                let more = if values.len() > MOST_NAMED { " and others" } else { "" };
                doubts.push(format!("the label `{name}` is only {}{more}", shown.join(", ")));
            }
        }
        if !rules().any(|rule| self.may_hold_all(rule, terms)) {
            let why =
                "no rule in force has alerts of which all of it is true, so for now it holds back nothing";
            doubts.push(why.to_owned());
        }
        doubts
    }

    fn may_hold_all(&self, rule: &Rule, terms: &[Term]) -> bool {
        let statuses = statuses(rule).any(|status| terms.iter().all(|term| term.allows_status(status)));
        statuses && terms.iter().all(|term| self.may_hold(rule, term))
    }

    fn may_hold(&self, rule: &Rule, term: &Term) -> bool {
        match &*term.name {
            "rule" => term.allows(rule.name.as_str()),
            "severity" => statuses(rule).any(|status| term.allows_status(status)),
            name => match self.has(rule, name) {
                Has::Nothing => term.allows(""),
                Has::This(value) => term.allows(&value),
                Has::Anything => true,
            },
        }
    }

    fn constant(&self, rule: &Rule, name: &str) -> Option<String> {
        match self.has(rule, name) {
            Has::This(value) => Some(value),
            Has::Nothing | Has::Anything => None,
        }
    }

    /// As [`super::text::Scene`] writes labels.
    fn has(&self, rule: &Rule, name: &str) -> Has {
        if name == "instance" && rule.scoped {
            return Has::This(self.scope_of(rule).to_owned());
        }
        if rule.by.iter().any(|by| &*by.name == name) || name == super::alert::FLAPPING {
            return Has::Anything;
        }
        match rule.labels.iter().find(|(known, _)| &**known == name) {
            Some((_, template)) if template.is_constant() => Has::This(template.render(|_, _| {})),
            Some(_) => Has::Anything,
            None => Has::Nothing,
        }
    }
}

fn statuses(rule: &Rule) -> impl Iterator<Item = Status> {
    let rungs = Severity::ALL.into_iter().zip(&rule.ladder);
    rungs.filter(|(_, level)| level.is_some()).map(|(severity, _)| Status::from(severity))
}
