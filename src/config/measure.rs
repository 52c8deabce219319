//! `measure = "p95(latency)"`: what a rule computes, and of which capture.

use std::ops::Range;

use super::condition;
use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::tokens::{Compile, Names};
use super::walk::Said;
use crate::rule::{Filter, Measure, Value};

/// Every measure: its name, what it takes between brackets, and what it is.
pub const MEASURES: &[(&str, &str, &str)] = &[
    ("count", "", "how many matches there are"),
    ("rate", "", "how many matches there are a second"),
    ("ratio", "a condition", "of how many matches the condition holds, as a part of all: `>= 2%`"),
    ("distinct", "a capture", "how many different values there are"),
    ("sum", "a capture", "all numbers together"),
    ("avg", "a capture", "their mean"),
    ("min", "a capture", "the lowest"),
    ("max", "a capture", "the highest"),
    ("last", "a capture", "the newest; it stays until another one comes, or until it has left the window"),
    ("absent", "", "for how long there has been no match: `> 26h`"),
    ("spike", "", "how many times as many matches there are as in the window before: `>= 3`"),
    ("p50", "a capture", "so many of a hundred are this or less; `p1` to `p99`"),
];

/// Reads a measure. `None`: something is wrong, which has been said.
pub(super) fn parse<'i>(
    problems: &mut Problems<'i>,
    said: &Said<'_>,
    names: &Names<'_, Value>,
    compile: Compile<'_, 'i>,
) -> Option<Measure> {
    let text = said.text;
    let name_len = text.find('(').unwrap_or(text.len());
    let name = text[..name_len].trim();
    let from = text.len() - text.trim_start().len();
    let at = from..from + name.len();
    let inner = match text.trim_end().strip_suffix(')') {
        Some(open) if name_len < open.len() => Some(name_len + 1..open.len()),
        _ => None,
    };
    let digits = name.strip_prefix('p').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let percent = digits.and_then(|percent| percent.parse::<u8>().ok());
    let percent = percent.filter(|percent| (1..=99).contains(percent) && !name.starts_with("p0"));
    let known = MEASURES.iter().find(|(known, ..)| *known == name).map(|(_, takes, _)| *takes);
    let Some(takes) = known.or(percent.map(|_| "a capture")) else {
        let title = format!("`{}` is not a measure", short(name));
        let problem = problems.error("unknown-measure", said.place(problems, &at), title, "unknown measure");
        problem.help =
            of_a_hundred(name).or_else(|| did_you_mean(name, MEASURES.iter().map(|(name, ..)| *name)));
        let names = MEASURES.iter().map(|(name, ..)| if *name == "p50" { "p1` to `p99" } else { name });
        problem.note = Some(format!("the measures are {}", listed(names)));
        return None;
    };
    let wrong = |problems: &mut Problems<'_>, at: Range<usize>, title: String, help: String| {
        let span = said.place(problems, &at);
        problems.error("bad-measure", span, title, if takes.is_empty() { "" } else { takes }).help =
            Some(help);
        None
    };
    if takes.is_empty() {
        let behind = at.end..text.trim_end().len();
        return match name {
            _ if !behind.is_empty() => {
                wrong(problems, behind, format!("`{name}` takes nothing"), format!("write `{name}`"))
            }
            "rate" => Some(Measure::Rate),
            "absent" => Some(Measure::Absent),
            "spike" => Some(Measure::Spike),
            _ => Some(Measure::Count),
        };
    }
    let Some(inner) = inner.filter(|inner| !text[inner.clone()].trim().is_empty()) else {
        let example =
            if name == "ratio" { "ratio(status >= 500)".to_owned() } else { format!("{name}(latency)") };
        let behind = at.end..text.trim_end().len().max(at.end);
        return wrong(
            problems,
            behind,
            format!("`{name}` takes {takes} between brackets"),
            format!("`{example}`"),
        );
    };
    if name == "ratio" {
        let part = said.part(problems, &inner);
        let condition = condition::parse(problems, &part, names, compile)?;
        return Some(Measure::Ratio(Filter { text: part.text.trim().into(), condition }));
    }
    let capture = text[inner.clone()].trim();
    let from = inner.start + (text[inner.clone()].len() - text[inner.clone()].trim_start().len());
    let at = from..from + capture.len();
    let value = names.look_up(problems, said, &at, None)?;
    Some(match name {
        "distinct" => Measure::Distinct(value),
        "sum" => Measure::Sum(value),
        "avg" => Measure::Average(value),
        "min" => Measure::Least(value),
        "max" => Measure::Most(value),
        "last" => Measure::Last(value),
        _ => Measure::Percentile(percent.unwrap_or(50), value),
    })
}

/// What to write for a percentile that there is not.
fn of_a_hundred(name: &str) -> Option<String> {
    let number = name.strip_prefix(['p', 'P']).and_then(|percent| percent.parse::<f64>().ok());
    let way = match (name, number) {
        ("median", _) => "`p50(…)` is the median",
        ("p0", _) => "`min(…)` is the lowest",
        ("p100", _) => "`max(…)` is the highest",
        (_, Some(_)) => "percentiles are whole, `p1` to `p99`",
        _ => return None,
    };
    Some(way.to_owned())
}

/// Says that numbers without a unit can not be held against one with a unit. `compared`: where the comparison is.
pub(super) fn no_unit(problems: &mut Problems<'_>, compared: Range<usize>, capture: &str) {
    let title = format!("`{}` has no unit to compare with", short(capture));
    let problem = problems.error("unit-mismatch", compared, title, "compares a number with a unit");
    problem.note = Some(format!("`{}` captures digits only", short(capture)));
    problem.help = Some("compare with a bare number, or capture the unit too".to_owned());
}
