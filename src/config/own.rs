//! The alerts that tripline raises about itself. They are rules without patterns and sources: nobody's log line can
//! reach them.

use std::sync::Arc;
use std::time::Duration;

use super::digest;
use crate::model::Severity;
use crate::rule::{By, Comparison, Op, Rule, Segment, Template, Value};

/// Names that only tripline's own rules have.
pub const OWN_PREFIX: &str = "tripline_";

/// The label that names the source an alert is about.
pub const OF_SOURCE: &str = "source";

/// How long an alert about something that nothing will ever take back stays open.
const FACT: Duration = Duration::from_secs(24 * 3600);

/// tripline's own rules. Conditions stay open until tripline itself says that they are over; facts of one moment
/// end by themselves a day after the last of their kind.
pub fn own_rules() -> Vec<Rule> {
    let constant = |text: &str| Segment::Text(text.into());
    let line = || Segment::Value(Value::Line);
    let key = || Segment::Value(Value::Capture(0));
    let rule = |name: &str, by: Option<&str>, severity: Severity, summary: Vec<Segment>| {
        let captures: Vec<Arc<str>> = by.into_iter().map(Arc::from).collect();
        let by = captures.iter().map(|name| By { name: name.clone(), from: Value::Capture(0) }).collect();
        let rung = |level| (level == severity).then_some(Comparison { op: Op::AtLeast, than: 1.0 });
        let mut rule = Rule {
            latch: true,
            captures,
            by,
            ladder: Severity::ALL.map(rung),
            summary: Template(summary),
            description: Template(vec![Segment::Value(Value::Lines)]),
            ..Rule::bare(name)
        };
        rule.condition_digest = digest::condition(&rule);
        rule.texts_digest = digest::texts(&rule);
        rule
    };
    let fact = |mut rule: Rule| {
        rule.latch = false;
        rule.resolve_after = Some(FACT);
        rule.condition_digest = digest::condition(&rule);
        rule.texts_digest = digest::texts(&rule);
        rule
    };
    vec![
        fact(rule(
            "tripline_dead_letter",
            Some("sink"),
            Severity::Critical,
            vec![constant("sink "), key(), constant(" refuses alerts for good: "), line()],
        )),
        fact(rule(
            "tripline_state_lost",
            None,
            Severity::Critical,
            vec![constant("tripline began without its state: "), line()],
        )),
        rule(
            "tripline_store_failed",
            None,
            Severity::Critical,
            vec![constant("tripline cannot write its state: "), line()],
        ),
        rule(
            "tripline_sink_suspended",
            Some("sink"),
            Severity::Critical,
            vec![constant("sink "), key(), constant(" takes no alerts: "), line()],
        ),
        rule(
            "tripline_sink_failing",
            Some("sink"),
            Severity::Critical,
            vec![constant("sink "), key(), constant(" has taken nothing for long: "), line()],
        ),
        rule(
            "tripline_storm",
            Some("rule_name"),
            Severity::Warning,
            vec![
                constant("rule "),
                key(),
                constant(" raises more alerts than its `max_raises`: "),
                Segment::Value(Value::Total),
                constant(" are told only here, the newest "),
                line(),
            ],
        ),
        rule(
            "tripline_source_blind",
            Some(OF_SOURCE),
            Severity::Warning,
            vec![constant("source "), key(), constant(" is blind: "), line()],
        ),
        rule(
            "tripline_lagging",
            Some(OF_SOURCE),
            Severity::Warning,
            vec![constant("source "), key(), constant(" is written faster than it is read: "), line()],
        ),
        fact(rule(
            "tripline_lost_bytes",
            Some(OF_SOURCE),
            Severity::Warning,
            vec![constant("source "), key(), constant(" has lost bytes before they were read: "), line()],
        )),
        fact(rule(
            "tripline_key_overflow",
            Some("rule_name"),
            Severity::Warning,
            vec![constant("rule "), key(), constant(" has more keys than its `max_keys`: "), line()],
        )),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_latch_and_facts_end_by_themselves() {
        let told: Vec<(String, bool, bool)> = own_rules()
            .iter()
            .map(|rule| (rule.name.to_string(), rule.latches(), rule.resolve_after.is_some()))
            .collect();
        let expected = [
            ("tripline_dead_letter", false, true),
            ("tripline_state_lost", false, true),
            ("tripline_store_failed", true, false),
            ("tripline_sink_suspended", true, false),
            ("tripline_sink_failing", true, false),
            ("tripline_storm", true, false),
            ("tripline_source_blind", true, false),
            ("tripline_lagging", true, false),
            ("tripline_lost_bytes", false, true),
            ("tripline_key_overflow", false, true),
        ];
        assert_eq!(told, expected.map(|(name, latches, quiet)| (name.to_owned(), latches, quiet)));
    }
}
