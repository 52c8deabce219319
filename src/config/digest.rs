//! A digest of what decides: another one restarts a rule's windows when rules are reloaded.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::rule::{Comparison, Edit, Measure, Pattern, Rule, Text, Unit, Value};

/// The first 16 bytes of SHA-256 over the condition of a rule: patterns, window, ladder, times, sources. Texts,
/// labels, pictures and bounds are not part of it. Every field is its length as a little-endian `u32` and its bytes;
/// every list is its length and its items.
pub(super) fn condition(rule: &Rule) -> [u8; 16] {
    let mut hash = Sha256::new();
    field(&mut hash, b"tripline-condition-v1");
    for patterns in [&rule.patterns, &rule.ignore, &rule.resolve] {
        count(&mut hash, patterns.len());
        patterns.iter().for_each(|Pattern { expanded, .. }| field(&mut hash, expanded.as_bytes()));
    }
    for comparison in &rule.ladder {
        field(&mut hash, comparison.as_ref().map(written).unwrap_or_default().as_bytes());
    }
    for time in [Some(rule.within), Some(rule.hold), rule.resolve_after, rule.expire_after] {
        let written = time.as_ref().map(Duration::as_millis).map_or_else(String::new, |ms| ms.to_string());
        field(&mut hash, written.as_bytes());
    }
    let mut sources: Vec<&str> = rule.sources.iter().map(|source| source.as_str()).collect();
    sources.sort_unstable();
    count(&mut hash, sources.len());
    sources.iter().for_each(|source| field(&mut hash, source.as_bytes()));
    // What is not there is left out, so that rules without it keep the digest that they had before it was known.
    if let Some(filter) = &rule.filter {
        field(&mut hash, b"where");
        field(&mut hash, filter.text.as_bytes());
    }
    for pattern in rule.patterns.iter().filter(|pattern| !pattern.also.is_empty()) {
        field(&mut hash, b"also");
        count(&mut hash, pattern.also.len());
        pattern.also.iter().for_each(|also| field(&mut hash, also.expanded.as_bytes()));
    }
    if !rule.set.is_empty() {
        field(&mut hash, b"set");
        for rewrite in &rule.set {
            field(&mut hash, rule.captures[rewrite.capture].as_bytes());
            field(&mut hash, rewrite.text.as_bytes());
            tables(&mut hash, &rewrite.to);
        }
    }
    if let Some(measure) = measure(rule) {
        field(&mut hash, b"measure");
        field(&mut hash, measure.as_bytes());
    }
    if rule.unit != Unit::One {
        field(&mut hash, format!("unit {:?}", rule.unit).as_bytes());
    }
    if rule.min_lines > 0 {
        field(&mut hash, b"min_lines");
        field(&mut hash, rule.min_lines.to_string().as_bytes());
    }
    if let Some(clear) = &rule.clear {
        field(&mut hash, b"clear");
        field(&mut hash, written(clear).as_bytes());
    }
    if let Some(after) = &rule.after {
        field(&mut hash, b"after");
        count(&mut hash, after.rules.len());
        after.rules.iter().for_each(|name| field(&mut hash, name.as_str().as_bytes()));
        field(&mut hash, after.within.as_millis().to_string().as_bytes());
    }
    let digest = hash.finalize();
    std::array::from_fn(|at| digest[at])
}

/// The tables that a text is looked up in.
fn tables(hash: &mut Sha256, text: &Text) {
    let Text::Changed(change, text) = text else { return };
    if let Edit::Lookup(table, _) = change {
        count(hash, table.len());
        for (key, value) in &**table {
            field(hash, key.as_bytes());
            field(hash, value.as_bytes());
        }
    }
    tables(hash, text);
}

fn written(comparison: &Comparison) -> String {
    format!("{} {}", comparison.op.as_str(), comparison.than)
}

/// The measure of a rule in words; nothing for a count.
fn measure(rule: &Rule) -> Option<String> {
    let of = |name: &str, of: &Value| match of {
        Value::Capture(ix) => Some(format!("{name} {}", rule.captures[*ix])),
        other => Some(format!("{name} {other:?}")),
    };
    match &rule.measure {
        Measure::Count => None,
        Measure::Rate => Some("rate".to_owned()),
        Measure::Spike => Some("spike".to_owned()),
        Measure::Absent => Some(format!("absent {:?}", rule.expect)),
        Measure::Ratio(filter) => Some(format!("ratio {}", filter.text)),
        Measure::Distinct(value) => of("distinct", value),
        Measure::Sum(value) => of("sum", value),
        Measure::Average(value) => of("avg", value),
        Measure::Least(value) => of("min", value),
        Measure::Most(value) => of("max", value),
        Measure::Last(value) => of("last", value),
        Measure::Percentile(percent, value) => of(&format!("p{percent}"), value),
    }
}

fn count(hash: &mut Sha256, length: usize) {
    hash.update(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

fn field(hash: &mut Sha256, bytes: &[u8]) {
    count(hash, bytes.len());
    hash.update(bytes);
}
