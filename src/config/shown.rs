//! A rule once it is believed → text again, for those who look at a running tripline.

use super::template::BUILT_IN;
use crate::model::duration_text;
use crate::rule::{Comparison, Measure, Rule, Segment, Template, Value, number_text, rung_severity};

/// The name of a capture, or of what is built in.
pub fn name_text(rule: &Rule, value: &Value) -> String {
    match value {
        Value::Capture(at) => rule.captures.get(*at).map_or_else(String::new, ToString::to_string),
        value => {
            BUILT_IN.iter().find(|(_, known, _)| known == value).map_or("", |(name, ..)| *name).to_owned()
        }
    }
}

/// A comparison as an author would write it.
pub fn comparison_text(rule: &Rule, comparison: &Comparison) -> String {
    format!("{} {}", comparison.op.as_str(), number_text(comparison.than, rule.unit))
}

/// What is compared, as an author would write it.
pub fn measure_text(rule: &Rule) -> String {
    let of = |name: &str, value: &Value| format!("{name}({})", name_text(rule, value));
    match &rule.measure {
        Measure::Count => "count".to_owned(),
        Measure::Rate => "rate".to_owned(),
        Measure::Absent => "absent".to_owned(),
        Measure::Spike => "spike".to_owned(),
        Measure::Ratio(filter) => format!("ratio({})", filter.text),
        Measure::Distinct(value) => of("distinct", value),
        Measure::Sum(value) => of("sum", value),
        Measure::Average(value) => of("avg", value),
        Measure::Least(value) => of("min", value),
        Measure::Most(value) => of("max", value),
        Measure::Last(value) => of("last", value),
        Measure::Percentile(percent, value) => of(&format!("p{percent}"), value),
    }
}

/// What is compared with what, in one line, as `count in 10m: warning >= 5, critical >= 50`.
pub fn condition_line(rule: &Rule) -> String {
    if rule.change.is_some() {
        return "each matching line".to_owned();
    }
    let measure = measure_text(rule);
    let within = match rule.within {
        within if within.is_zero() => String::new(),
        within => format!(" in {}", duration_text(within)),
    };
    let levels = rule.ladder.iter().enumerate().filter_map(|(rung, level)| {
        Some(format!("{} {}", rung_severity(rung).as_str(), comparison_text(rule, level.as_ref()?)))
    });
    let levels: Vec<String> = levels.collect();
    let hold = match rule.hold {
        hold if hold.is_zero() => String::new(),
        hold => format!(" for {}", duration_text(hold)),
    };
    format!("{measure}{within}: {}{hold}", levels.join(", "))
}

/// A template with the names of its places.
pub fn template_text(rule: &Rule, template: &Template) -> String {
    let shown = |segment: &Segment| match segment {
        Segment::Text(text) => text.replace('{', "{{").replace('}', "}}"),
        Segment::Value(value) => format!("{{{}}}", name_text(rule, value)),
    };
    template.0.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Text, ruleset};

    fn check(rule: &str, condition: &str, summary: &str) {
        let text =
            format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = '(?<user>a) (?<took>\\d+)'\n{rule}\n");
        let text = Text { path: PathBuf::from("r.toml"), text };
        let (ruleset, said) = ruleset(&[text], None, &[], &jiff::tz::TimeZone::UTC);
        let ruleset = ruleset.unwrap_or_else(|| panic!("{rule}: {said:?}"));
        let rule = &ruleset.rules[0];
        assert_eq!(condition_line(rule), condition);
        assert_eq!(template_text(rule, &rule.summary), summary);
    }

    #[test]
    fn a_rule_is_shown_as_it_was_typed() {
        check("", "count: warning >= 1", "{rule}: {line}");
        check(
            "within = '10m'\nwarning = '>= 5'\ncritical = '>= 50'\nsummary = '{{x}} {count} of {user}'",
            "count in 10m: warning >= 5, critical >= 50",
            "{{x}} {count} of {user}",
        );
        check(
            "within = '5m'\nmeasure = 'p95(took)'\nwarning = '> 500'\nfor = '2m'\nsummary = '{value}'",
            "p95(took) in 5m: warning > 500 for 2m",
            "{value}",
        );
        check(
            "within = '5m'\nmeasure = 'ratio(took > 3)'\nwarning = '>= 2%'\nsummary = 'a'",
            "ratio(took > 3) in 5m: warning >= 2%",
            "a",
        );
    }
}
