//! Digests of a rule: of what decides (another one restarts its windows when rules are reloaded), and of the rest.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::rule::{Change, Comparison, Deadlines, Edit, Measure, Pattern, Rule, Text, Unit, Value};

/// The first 16 bytes of SHA-256 over the condition of a rule: patterns, window, ladder, times, sources. Texts,
/// labels, pictures and bounds are not part of it. Every field is its length as a little-endian `u32` and its bytes;
/// every list is its length and its items.
pub(super) fn condition(rule: &Rule) -> [u8; 16] {
    let mut hash = Sha256::new();
    field(&mut hash, b"tripline-condition-v1");
    // Patterns that were made from `where` say nothing that it does not.
    let patterns = if rule.whole { &Vec::new() } else { &rule.patterns };
    for patterns in [patterns, &rule.ignore, &rule.resolve] {
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
    if rule.whole {
        field(&mut hash, b"whole");
    }
    for pattern in patterns.iter().filter(|pattern| !pattern.also.is_empty()) {
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
    if rule.notices_few() && !rule.by.is_empty() && !rule.expect.is_empty() {
        field(&mut hash, b"expect");
        field(&mut hash, format!("{:?}", rule.expect).as_bytes());
    }
    if let Some(Deadlines { each, within }) = &rule.deadlines {
        field(&mut hash, b"deadline");
        count(&mut hash, each.len());
        each.iter().for_each(|deadline| field(&mut hash, deadline.to_string().as_bytes()));
        field(&mut hash, format!("{within:?}").as_bytes());
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
    if let Some(Change { key, status, .. }) = &rule.change {
        field(&mut hash, b"change");
        field(&mut hash, format!("{:?} {key:?} {status:?}", rule.captures).as_bytes());
    }
    let digest = hash.finalize();
    std::array::from_fn(|at| digest[at])
}

/// The first 16 bytes of SHA-256 over what is written of a rule and does not decide: texts, labels, pictures, bounds.
/// Written by the same program, the same rule has the same digest.
pub(super) fn texts(rule: &Rule) -> [u8; 16] {
    // One by one, so that whoever adds a field says here which digest it belongs to. What keys are made of is in none:
    // it is compared by itself.
    let Rule {
        name: _,
        sources: _,
        patterns: _,
        ignore: _,
        resolve: _,
        // It says what is seen of a line, and that of sources is not known here.
        redact: _,
        set: _,
        filter: _,
        latch: _,
        captures: _,
        // Texts tell of fields by their places, so their names belong to them; those that decide are written there.
        fields: _,
        whole: _,
        by: _,
        scoped: _,
        measure: _,
        within: _,
        min_lines: _,
        expect: _,
        deadlines: _,
        ladder: _,
        unit: _,
        clear: _,
        hold: _,
        resolve_after: _,
        expire_after: _,
        outlives,
        max_keys,
        active,
        mute,
        max_raises,
        flap,
        renotify,
        unless,
        sinks,
        after: _,
        raise_remembered: _,
        change,
        labels,
        summary,
        description,
        runbook,
        images,
        links,
        lines_kept,
        condition_digest: _,
        texts_digest: _,
    } = rule;
    let mut hash = Sha256::new();
    field(&mut hash, b"tripline-texts-v1");
    let told = (active, mute, max_raises, flap, renotify, unless, sinks);
    let written = format!(
        "{:?}",
        (max_keys, told, labels, summary, description, runbook, images, links, lines_kept, outlives)
    );
    rule.field_names().for_each(|name| field(&mut hash, name.as_bytes()));
    field(&mut hash, written.as_bytes());
    if let Some(Change { key: _, status: _, time, starts, ends, link, linked_changes }) = change {
        field(&mut hash, format!("{:?}", (time, starts, ends, link, linked_changes)).as_bytes());
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

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use crate::config::{Text, ruleset};

    /// The two digests of a rule with one more line.
    fn digests(more: &str) -> ([u8; 16], [u8; 16]) {
        digests_of(&format!("match = '(?<a>x)'\nwithin = '1m'\nresolve = 'y'\n{more}"))
    }

    /// The two digests of a rule of these lines.
    fn digests_of(lines: &str) -> ([u8; 16], [u8; 16]) {
        let rule = "[[rule]]\nname = 'r'\nsource = 's'\n";
        let other = "[[rule]]\nname = 'r2'\nsource = 's'\nmatch = 'z'\n";
        let (found, problems) = ruleset(
            &[Text { path: "r.toml".into(), text: format!("{rule}{lines}\n{other}") }],
            None,
            &[],
            &TimeZone::UTC,
        );
        let found = found.unwrap_or_else(|| panic!("{lines}: {problems:?}"));
        (found.rules[0].condition_digest, found.rules[0].texts_digest)
    }

    fn check(more: &str, condition: bool, texts: bool) {
        let (plain, changed) = (digests(""), digests(more));
        assert_eq!((changed.0 != plain.0, changed.1 != plain.1), (condition, texts), "{more}");
        assert_eq!(changed, digests(more), "{more}");
    }

    #[test]
    fn each_key_is_part_of_what_decides_or_of_the_rest() {
        check("", false, false);
        for decides in
            ["where = 'a == \"x\"'", "ignore = 'z'", "warning = '>= 2'", "for = '5s'", "expire_after = '1h'"]
        {
            check(decides, true, false);
        }
        for rest in [
            "summary = 'other'",
            "description = '{a}'",
            "runbook = 'https://x.example/'",
            "images = [{ src = 'https://x.example/a.png' }]",
            "links = [{ href = 'https://x.example/{a}', text = 'x' }]",
            "lines_kept = 3",
            "labels = { team = 'db' }",
            "on_remove = 'keep'",
            "max_keys = 7",
            "active = 'Mon-Fri 08:00-18:00 UTC'",
            "mute = 'Sat UTC'",
            "max_raises = '3/1m'",
            "flap = { changes = 9, within = '2h' }",
            "renotify = '1h'",
            "unless = 'r2'",
        ] {
            check(rest, false, true);
        }
        let change = "kind = 'change'\nchange_key = '{a}'\nchange_status = 'Done'";
        let of = |more: &str| digests_of(&format!("match = '(?<a>x)'\n{change}\n{more}"));
        let plain = of("");
        for rest in [
            "change_time = '{a}'",
            "starts = '{a}'",
            "ends = '{a}'",
            "link = 'https://x/'",
            "linked_changes = 'c'",
        ] {
            assert_eq!((of(rest).0 == plain.0, of(rest).1 == plain.1), (true, false), "{rest}");
        }
        let other =
            digests_of("match = '(?<a>x)'\nkind = 'change'\nchange_key = '{a}'\nchange_status = 'Ready'");
        assert_eq!((other.0 == plain.0, other.1 == plain.1), (false, true));
        // Compared by themselves.
        check("scope = 'none'", false, false);
    }
}
