//! What other rules, the calendar and bounds do to an alert of a rule, as far as one line tells: for people and in JSON.

use serde_json::{Value as Json, json};

use crate::model::{RuleName, Timestamp, duration_text};
use crate::rule::{Rule, Ruleset, Schedule};

/// A step of an explanation.
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Whether it lets the alert be told; `None`: one line does not tell.
    pub(super) lets: Option<bool>,
    /// Whether what is said is so.
    pub(super) holds: Option<bool>,
    pub(super) text: String,
}

const UNKNOWN: &str = "not known from one line";

/// What has to have been raised before a match counts.
pub(super) fn after(rule: &Rule, ruleset: &Ruleset) -> Option<Step> {
    let after = rule.after.as_ref()?;
    let when = if after.within.is_zero() {
        "is open".to_owned()
    } else {
        format!("is open, or was raised within {} before", duration_text(after.within))
    };
    let others = others(rule, ruleset, &after.rules);
    let text = format!("counts only if {others} {when}: {UNKNOWN}, here taken to be so");
    Some(Step { name: "after", lets: None, holds: None, text })
}

/// What holds a raise back that happens at `time`.
pub(super) fn raises(rule: &Rule, ruleset: &Ruleset, time: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    if !rule.unless.is_empty() {
        let others = others(rule, ruleset, &rule.unless);
        let text = format!("a raise is held back while {others} is open: {UNKNOWN}");
        steps.push(Step { name: "unless", lets: None, holds: None, text });
    }
    for (name, schedules) in [("active", &rule.active), ("mute", &rule.mute)] {
        for schedule in schedules {
            let holds = schedule.contains(time);
            let text = format!("{schedule}: the line is of {}", schedule.shown(time));
            steps.push(Step { name, lets: Some(holds == (name == "active")), holds: Some(holds), text });
        }
    }
    if !(rule.active.is_empty() && rule.mute.is_empty()) {
        let muted = rule.is_muted(time);
        let end = rule.next_mute_change(time).filter(|end| rule.is_muted(*end) != muted);
        let text = match (muted, end) {
            (true, Some(end)) => format!("a raise at that time is held back until {end}"),
            (true, None) => "a raise at that time is held back, and there is no end to it".to_owned(),
            (false, _) => "a raise at that time is not".to_owned(),
        };
        steps.push(Step { name: "muted", lets: Some(!muted), holds: Some(muted), text });
    }
    if let Some(bound) = rule.max_raises {
        let within = duration_text(bound.within);
        let text = format!(
            "more than {} raises of the rule in {within} are told together (`max_raises`): {UNKNOWN}",
            bound.most
        );
        steps.push(Step { name: "storm", lets: None, holds: None, text });
    }
    if let Some(flap) = rule.flap {
        let within = duration_text(flap.within);
        let text = format!(
            "{} raises and ends of it within {within} keep it open until it was quiet for {within}: {UNKNOWN}",
            flap.changes
        );
        steps.push(Step { name: "flap", lets: None, holds: None, text });
    }
    steps
}

/// The same for programs.
pub(super) fn json(rule: &Rule, ruleset: &Ruleset, time: Timestamp) -> Json {
    let others = |names: &[RuleName]| -> Vec<Json> {
        let other = |name: &RuleName| json!({ "rule": name.as_str(), "same": shared(rule, ruleset, name) });
        names.iter().map(other).collect()
    };
    let schedules = |all: &[Schedule]| -> Vec<Json> {
        let one = |schedule: &Schedule| json!({ "schedule": schedule.to_string(), "holds": schedule.contains(time) });
        all.iter().map(one).collect()
    };
    let muted = rule.is_muted(time);
    let end = rule.next_mute_change(time).filter(|end| muted && !rule.is_muted(*end));
    json!({
        "after": rule.after.as_ref().map(|after| json!({
            "rules": others(&after.rules),
            "within": duration_text(after.within),
        })),
        "unless": others(&rule.unless),
        "active": schedules(&rule.active),
        "mute": schedules(&rule.mute),
        "muted": muted,
        "muted_until": end.map(|end| end.to_string()),
        "max_raises": rule.max_raises.map(|bound| format!("{}/{}", bound.most, duration_text(bound.within))),
        "flap": rule.flap.map(|flap| json!({ "changes": flap.changes, "within": duration_text(flap.within) })),
    })
}

/// Rules, each with the values that have to be the same.
fn others(rule: &Rule, ruleset: &Ruleset, names: &[RuleName]) -> String {
    let other = |name: &RuleName| {
        let same: Vec<String> = shared(rule, ruleset, name).iter().map(|by| format!("`{by}`")).collect();
        if same.is_empty() {
            format!("any alert of `{name}`")
        } else {
            format!("an alert of `{name}` for the same {}", same.join(" and "))
        }
    };
    names.iter().map(other).collect::<Vec<_>>().join(", or ")
}

/// Names that both rules have in `by`.
fn shared<'r>(rule: &'r Rule, ruleset: &Ruleset, other: &RuleName) -> Vec<&'r str> {
    let Some(other) = ruleset.find(other.as_str()).map(|ix| ruleset.rule(ix)) else { return Vec::new() };
    let both = rule.by.iter().filter(|by| other.by.iter().any(|theirs| theirs.name == by.name));
    both.map(|by| &*by.name).collect()
}
