//! Which number raises which level.

use std::ops::Range;

use super::diagnostic::Problems;
use super::units::{QUANTITY_UNITS, parse_quantity};
use super::walk::{Fields, Said};
use crate::model::Severity;
use crate::rule::{Comparison, Measure, Op, Quantity, Unit};

/// Why a comparison is not believed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Misread {
    /// The wrong bytes of the string.
    pub(super) at: Range<usize>,
    pub(super) label: String,
    pub(super) help: Option<String>,
}

/// The most matches a comparison may wait for: so many are remembered one by one for each key.
const MOST: f64 = 1_000_000.0;

/// The longest absence that is believed, in seconds: 100 years.
const LONGEST_ABSENCE: f64 = 36_500.0 * 86_400.0;

/// The levels, from mild to bad.
const WORDS: [&str; 3] = ["info", "warning", "critical"];

/// A comparison as it was written: its operator, what stands behind it, and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    op: Op,
    op_at: Range<usize>,
    than: Quantity,
    than_at: Range<usize>,
}

impl Written {
    pub(super) fn comparison(&self) -> Comparison {
        Comparison { op: self.op, than: self.than.value }
    }
}

/// Reads `>= 5`, `> 500ms`, `< 2%`.
///
/// # Errors
/// What is wrong, where, and the way out.
pub(super) fn parse_comparison(text: &str) -> Result<Written, Misread> {
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    let operator = rest.len() - rest.trim_start_matches(['<', '>', '=', '!']).len();
    let op_at = start..start + operator;
    let wrong = |at, label: &str, help: Option<&str>| {
        Err(Misread { at, label: label.to_owned(), help: help.map(str::to_owned) })
    };
    let Some(op) = Op::ALL.into_iter().find(|op| op.as_str() == &rest[..operator]) else {
        let help = match &rest[..operator] {
            "=" => Some("write `==`"),
            // A whole formula, as of Prometheus.
            "" if rest.contains(['<', '>', '=']) => Some(
                "what is compared stands in `measure`, over how long in `within`; write here only such as `>= 5`",
            ),
            _ => None,
        };
        let at = if operator == 0 { 0..text.len() } else { op_at };
        return wrong(at, "expected `>=`, `>`, `<=`, `<`, `==` or `!=`, and a number", help);
    };
    let behind = rest[operator..].trim_start();
    let from = text.len() - behind.len();
    let number = behind.trim_end();
    // Alone it may have a blank before its unit.
    if let Some(than) = Quantity::read(number.as_bytes()).filter(|_| !number.is_empty()) {
        return Ok(Written { op, op_at, than, than_at: from..from + number.len() });
    }
    match parse_quantity(number) {
        Ok((_, len)) => {
            let grouped = number[len..].starts_with(',');
            let help = grouped.then_some("write a number without commas between its digits");
            wrong(from + len..from + number.len(), "expected nothing behind the number", help)
        }
        Err(_) if number.is_empty() => wrong(0..text.len(), "expected a number such as `5`", None),
        Err(misread) if misread.at.is_empty() => {
            wrong(from..from + number.len(), "expected a number such as `5`", None)
        }
        Err(misread) => {
            let at = from + misread.at.start..from + misread.at.end;
            wrong(at, &misread.why, Some(QUANTITY_UNITS))
        }
    }
}

/// What a comparison can not be for this measure: what is wrong with it, in words for its key.
fn misfit(
    written: &Written,
    measure: &Measure,
    seconds: f64,
    deadline: bool,
    clears: bool,
) -> Option<(&'static str, Misread)> {
    let Written { op, op_at, than, than_at } = written;
    let wrong = |at: &Range<usize>, title, label: &str, help: &str| {
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        Some((title, Misread { at: at.clone(), label: label.to_owned(), help }))
    };
    let rises = matches!(op, Op::AtLeast | Op::Above);
    if let Measure::Ratio(_) = measure {
        return match than.unit {
            Unit::Time | Unit::Size => {
                wrong(than_at, "compares a share with something else", "expected a share such as `2%`", "")
            }
            _ if !(0.0..=1.0).contains(&than.value) => wrong(
                than_at,
                "is never or always true",
                "a share lies between 0 and 1",
                "write `2%` for two of a hundred",
            ),
            _ if !clears && rises && op.holds(0.0, than.value) => {
                wrong(than_at, "is always true", "holds for a share of 0", "")
            }
            _ if somewhere(Some(measure), &[written.comparison()]).is_none() => {
                wrong(op_at, "is never true", "a share lies between 0 and 1", "write `>=` or `<=`")
            }
            _ => None,
        };
    }
    if let Measure::Spike = measure {
        if than.unit != Unit::One {
            let label = "expected a number such as `3`, for three times as many";
            return wrong(than_at, "compares a factor with something else", label, "");
        }
        if somewhere(Some(measure), &[written.comparison()]).is_none() {
            return wrong(than_at, "is never true", "a factor is 0 or more", "");
        }
        return None;
    }
    if let Measure::Absent = measure {
        if clears {
            return None;
        }
        if than.value > LONGEST_ABSENCE {
            return wrong(than_at, "waits for too long", "longer than 100 years", "");
        }
        if !rises {
            return wrong(
                op_at,
                "is true as long as nothing is missed",
                "an absence only grows; write `>`",
                "",
            );
        }
        if than.unit != Unit::Time {
            return wrong(
                than_at,
                "compares a time with something else",
                "expected a time such as `26h`",
                "",
            );
        }
        if than.value < 0.0 || than.value == 0.0 && !deadline {
            let label =
                if deadline { "expected how late it is" } else { "expected a time after the last match" };
            return wrong(than_at, "is always true", label, "");
        }
    }
    if !measure.counts() {
        return None;
    }
    if matches!(op, Op::Equal | Op::Other) && !clears {
        let label = "a count can only be compared with `>=`, `>`, `<` and `<=`";
        let help = "a count passes any single number; write `>=`, or `<` for too few";
        return wrong(op_at, "waits for a single number of matches", label, help);
    }
    if than.unit != Unit::One {
        return wrong(than_at, "compares a count with something else", "a count has no unit", "");
    }
    if than.value * seconds > MOST {
        return wrong(
            than_at,
            "waits for more matches than are remembered",
            "at most 1000000 in the window",
            "",
        );
    }
    if !clears && rises && op.holds(0.0, than.value) {
        let help = "the smallest sensible comparison is `>= 1`";
        return wrong(than_at, "is true without any match", "holds for a count of 0", help);
    }
    if !clears && !rises && !op.holds(0.0, than.value) {
        let help = "the smallest sensible comparison is `< 1`";
        return wrong(than_at, "is never true", "does not even hold for a count of 0", help);
    }
    None
}

/// What a rule compares its measure with.
#[derive(Clone, Debug, Default)]
pub(super) struct Ladder {
    pub(super) levels: [Option<Comparison>; 3],
    pub(super) clear: Option<Comparison>,
    pub(super) unit: Option<Unit>,
    /// True if a level begins because there are few matches.
    pub(super) few: bool,
    /// Where the first level is, if one is written.
    pub(super) written: Option<Range<usize>>,
}

/// The ladder of a rule: from the rule if it says anything of it, else from `[defaults]`, else `warning = ">= 1"`.
/// `seconds`: by how much a comparison is multiplied to be one of matches. `deadline`: what is compared is how late a
/// match is.
pub(super) fn read(
    problems: &mut Problems<'_>,
    fields: Fields<'_, '_>,
    measure: Option<&Measure>,
    seconds: f64,
    deadline: bool,
) -> Ladder {
    let own = match fields.defaults {
        Some(defaults) if !mentioned(fields.own()) => Fields { table: defaults, defaults: None },
        _ => fields.own(),
    };
    let errors = problems.errors();
    let mut ladder = Ladder::default();
    let mut each: Vec<(&str, Said<'_>, Written)> = Vec::new();
    for (word, fields) in WORDS.map(|word| (word, own)).into_iter().chain([("clear", fields.own())]) {
        let Some(said) = fields.text(word) else { continue };
        if word != "clear" {
            ladder.written.get_or_insert(said.span.clone());
        }
        let Ok(written) = parse_comparison(said.text) else { continue };
        if let Some((title, misfit)) =
            measure.and_then(|measure| misfit(&written, measure, seconds, deadline, word == "clear"))
        {
            let span = said.place(problems, &misfit.at);
            let title = format!("`{word}` {title}");
            problems.error("bad-comparison", span, title, misfit.label).help = misfit.help;
            continue;
        }
        each.push((word, said, written));
    }
    let adds_up = measure.is_some_and(Measure::adds_up);
    let levels = || each.iter().filter(|(word, ..)| adds_up && *word != "clear");
    let few = levels().find(|(_, _, written)| written.comparison().wants_few());
    if let Some((few_word, few_said, _)) = few {
        ladder.few = true;
        for (word, said, written) in levels().filter(|(_, _, written)| !written.comparison().wants_few()) {
            let span = said.place(problems, &written.op_at);
            let title = format!("`{few_word}` waits for few matches and `{word}` for many");
            let file = problems.file.to_path_buf();
            let second =
                super::Second { file, span: few_said.span.clone(), label: "waits for few".to_owned() };
            let problem = problems.error("bad-comparison", span, title, "waits for many");
            problem.help = Some("make two rules of it".to_owned());
            problem.second = Some(second);
        }
    }
    let ratio = measure.is_some_and(|measure| matches!(measure, Measure::Ratio(_)));
    let unit = |written: &Written| if ratio { Unit::Share } else { written.than.unit };
    if let Some((first_word, first_said, first)) = each.first() {
        ladder.unit = Some(unit(first));
        for (word, said, written) in &each[1..] {
            if unit(written) != unit(first) {
                let span = said.place(problems, &written.than_at);
                let title = format!("`{first_word}` and `{word}` compare with different things");
                let second = Some(super::Second {
                    file: problems.file.to_path_buf(),
                    span: first_said.place(problems, &first.than_at),
                    label: "the first is here".to_owned(),
                });
                problems.error("mixed-units", span, title, "another kind of number").second = second;
            }
        }
    }
    for (word, _, written) in &each {
        let mut comparison = written.comparison();
        // Late is what has not come at the deadline itself, not a microsecond after it.
        if deadline && comparison.than == 0.0 {
            comparison.op = Op::AtLeast;
        }
        let comparison = Some(comparison);
        match WORDS.iter().position(|known| known == word) {
            Some(rung) => ladder.levels[rung] = comparison,
            None => ladder.clear = comparison,
        }
    }
    // Only of a count it can be said what one match is worth, and of a deadline what it means to miss it.
    let least = match measure {
        None | Some(Measure::Count) => Some(1.0),
        _ => deadline.then_some(0.0),
    };
    severity(problems, own, least, &mut ladder);
    if deadline {
        ladder.unit = Some(Unit::Time);
    }
    order(problems, own, &ladder, measure, seconds);
    if !deadline && problems.errors() == errors {
        check_clear(problems, fields.own(), own, &ladder, measure);
    }
    ladder
}

/// A value of the measure for which all of these hold, if there is one.
fn somewhere(measure: Option<&Measure>, all: &[Comparison]) -> Option<f64> {
    let (low, high) = match measure {
        Some(Measure::Ratio(_)) => (0.0, 1.0),
        None
        | Some(Measure::Count | Measure::Rate | Measure::Distinct(_) | Measure::Spike | Measure::Absent) => {
            (0.0, f64::INFINITY)
        }
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let whole = matches!(measure, None | Some(Measure::Count | Measure::Distinct(_)));
    // What holds changes only where something is compared with, so it is enough to look there, and right beside it. The
    // first that is found is shown: those that are easy to read come first.
    let mut points: Vec<f64> = all.iter().map(|one| one.than).collect();
    points.sort_by(f64::total_cmp);
    let between = points.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    let beside = points.iter().flat_map(|than| [than + 1.0, than - 1.0, than.next_up(), than.next_down()]);
    let near =
        points.iter().flat_map(|than| [than.floor(), than.ceil(), than.floor() - 1.0, than.ceil() + 1.0]);
    let each: Vec<f64> = if whole {
        near.collect()
    } else {
        between.chain(points.iter().copied()).chain(beside).chain([low, high]).collect()
    };
    let can_be = |value: &f64| value.is_finite() && (low..=high).contains(value);
    each.into_iter().filter(can_be).find(|value| all.iter().all(|one| one.holds(*value)))
}

/// Says that `clear` ends what a level has just begun, or that it never ends anything. `levels`: where the levels are.
fn check_clear(
    problems: &mut Problems<'_>,
    fields: Fields<'_, '_>,
    levels: Fields<'_, '_>,
    ladder: &Ladder,
    measure: Option<&Measure>,
) {
    let (Some(said), Some(clear)) = (fields.text("clear"), ladder.clear) else { return };
    if matches!(measure, Some(Measure::Absent)) {
        return;
    }
    if somewhere(measure, &[clear]).is_none() {
        let title = "`clear` can never be true";
        problems.warning("never-ends", said.span, title, "the alert would never end").help =
            Some("compare it with a value that there can be".to_owned());
        return;
    }
    let each = WORDS.iter().zip(ladder.levels);
    let both = each.filter_map(|(word, level)| Some((*word, somewhere(measure, &[level?, clear])?))).next();
    if let Some((word, value)) = both {
        let title = format!("`clear` and `{word}` can be true at once");
        let value = crate::rule::number_text(value, ladder.unit.unwrap_or(Unit::One));
        let problem = problems.warning("clear-overlaps", said.span, title, format!("both are for {value}"));
        problem.help = Some(format!("write what is well again, on the other side of `{word}`"));
        let file = problem.file.clone();
        let level = levels.text(word).or_else(|| levels.text("severity"));
        problem.second =
            level.map(|level| super::Second { file, span: level.span, label: "begins here".to_owned() });
    }
}

fn mentioned(fields: Fields<'_, '_>) -> bool {
    fields.value("severity").is_some() || WORDS.iter().any(|word| fields.value(word).is_some())
}

/// `severity`, which is short for a comparison with `least`.
fn severity(problems: &mut Problems<'_>, fields: Fields<'_, '_>, least: Option<f64>, ladder: &mut Ladder) {
    let severity = fields.text("severity");
    let word = WORDS.iter().find(|word| fields.value(word).is_some());
    match (severity, word) {
        (Some(severity), Some(word)) => {
            let title = format!("`severity` and `{word}` are given");
            let label = "`severity` is short for one comparison";
            let second = fields.key_span(word, &severity.span);
            let file = problems.file.to_path_buf();
            let span = fields.key_span("severity", &severity.span);
            let problem = problems.error("severity-and-ladder", span, title, label);
            let than = if least == Some(0.0) { "0s" } else { "1" };
            problem.help = Some(match WORDS.contains(&severity.text) {
                true => format!("write `{} = \">= {than}\"` instead, or leave it out", severity.text),
                false => "leave it out".to_owned(),
            });
            problem.second =
                Some(super::Second { file, span: second, label: "the ladder is here".to_owned() });
        }
        (_, Some(_)) => {}
        (severity, None) => {
            let Some(than) = least else { return };
            let word = severity.map_or("warning", |severity| severity.text);
            let rung = Severity::ALL.iter().position(|severity| severity.as_str() == word).unwrap_or(1);
            ladder.levels[rung] = Some(Comparison { op: Op::AtLeast, than });
        }
    }
}

/// Says that a level is never shown because a worse one is reached no later.
fn order(
    problems: &mut Problems<'_>,
    fields: Fields<'_, '_>,
    ladder: &Ladder,
    measure: Option<&Measure>,
    seconds: f64,
) {
    let rungs: Vec<(&str, Comparison)> =
        WORDS.iter().zip(ladder.levels).filter_map(|(word, level)| Some((*word, level?))).collect();
    for pair in rungs.windows(2) {
        let ((mild, later), (bad, sooner)) = (pair[0], pair[1]);
        let hides = if ladder.few && !(later.wants_few() && sooner.wants_few()) {
            false
        } else if measure.is_some_and(Measure::counts) {
            let (sooner, later) = (sooner.needed(seconds), later.needed(seconds));
            if ladder.few { sooner >= later } else { sooner <= later }
        } else {
            sooner.holds_wherever(&later)
        };
        if hides {
            let span = fields.text(bad).map_or(0..0, |said| said.span);
            let title = format!("`{mild}` is never shown");
            let label = format!("`{bad}` is reached no later");
            let second = fields.text(mild).map(|said| said.span).unwrap_or_default();
            let file = problems.file.to_path_buf();
            problems.warning("ladder-order", span, title, label).second =
                Some(super::Second { file, span: second, label: format!("`{mild}` is here") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_read() {
        for (text, op, than, unit) in [
            (">= 5", Op::AtLeast, 5.0, Unit::One),
            (" >  4.5 ", Op::Above, 4.5, Unit::One),
            (">=5", Op::AtLeast, 5.0, Unit::One),
            ("< -3", Op::Below, -3.0, Unit::One),
            ("<= 1h30m", Op::AtMost, 5400.0, Unit::Time),
            ("== 0", Op::Equal, 0.0, Unit::One),
            ("!= 2%", Op::Other, 0.02, Unit::Share),
            ("> 512 MB", Op::Above, 512e6, Unit::Size),
        ] {
            let read = parse_comparison(text);
            let read = read.map(|written| (written.op, written.than.value, written.than.unit));
            assert_eq!(read, Ok((op, than, unit)), "{text}");
        }
    }

    #[test]
    fn the_wrong_part_of_a_comparison_is_named() {
        for (text, at) in [
            ("5", 0..1),
            (">= five", 3..7),
            (">= 2parsec", 4..10),
            (">= 2MB3MB", 3..9),
            (">= 5 6", 4..6),
            (">= inf", 3..6),
            (">=", 0..2),
            (">>= 1", 0..3),
            ("= 1", 0..1),
            ("", 0..0),
            ("count > 5", 0..9),
        ] {
            assert_eq!(parse_comparison(text).map_err(|wrong| wrong.at), Err(at), "{text}");
        }
    }
}
