//! Which count raises which level.

use std::ops::Range;

use super::diagnostic::Problems;
use super::walk::Fields;
use crate::model::Severity;
use crate::rule::{Comparison, Op};

/// Why a comparison is not believed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Misread {
    /// The wrong bytes of the string.
    pub(super) at: Range<usize>,
    what: What,
    pub(super) label: String,
    pub(super) help: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Form,
    /// As it was typed.
    Operator(&'static str),
    Always,
    TooLarge,
}

impl Misread {
    /// The message, for the key that holds the comparison.
    pub(super) fn title(&self, key: &str) -> String {
        match self.what {
            What::Form => format!("`{key}` is not a comparison"),
            What::Operator(op) => format!("`{key}` compares a count with `{op}`"),
            What::Always => format!("`{key}` is true without any match"),
            What::TooLarge => format!("`{key}` waits for more matches than are remembered"),
        }
    }
}

/// The most matches a comparison may wait for: so many are remembered one by one for each key.
const MOST: f64 = 1_000_000.0;

/// Reads `>= 5` or `> 4`.
///
/// # Errors
/// What is wrong, where, and the way out.
pub(super) fn parse_comparison(text: &str) -> Result<Comparison, Misread> {
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    let operator = rest.len() - rest.trim_start_matches(['<', '>', '=', '!']).len();
    let at = start..start + operator;
    let wrong = |at, what, label: &str, help: Option<&str>| {
        Err(Misread { at, what, label: label.to_owned(), help: help.map(str::to_owned) })
    };
    let op = match &rest[..operator] {
        ">=" => Op::AtLeast,
        ">" => Op::Above,
        written @ ("<" | "<=" | "=" | "==" | "!=") => {
            let op = ["<", "<=", "=", "==", "!="].into_iter().find(|op| *op == written).unwrap_or_default();
            let help = if op.starts_with('<') {
                "a quiet log has no line to look at, so few matches cannot raise an alert in this version"
            } else {
                "a count grows past any single number; write `>=`"
            };
            return wrong(
                at,
                What::Operator(op),
                "a count can only be compared with `>=` and `>`",
                Some(help),
            );
        }
        _ => return wrong(0..text.len(), What::Form, "expected `>=` or `>` and a number", None),
    };
    let number = rest[operator..].trim();
    let from = start + operator + (rest[operator..].len() - rest[operator..].trim_start().len());
    let at = from..from + number.len();
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let Some(than) = number.parse::<f64>().ok().filter(|_| plain) else {
        let at = if number.is_empty() { 0..text.len() } else { at };
        return wrong(at, What::Form, "expected a number such as `5`", None);
    };
    if than > MOST {
        return wrong(at, What::TooLarge, "at most 1000000", None);
    }
    if (Comparison { op, than }).holds(0.0) {
        return wrong(
            at,
            What::Always,
            "holds for a count of 0",
            Some("the smallest sensible comparison is `>= 1`"),
        );
    }
    Ok(Comparison { op, than })
}

/// The ladder of a rule: from the rule if it says anything of it, else from `[defaults]`, else `warning = ">= 1"`.
pub(super) fn read(problems: &mut Problems<'_>, fields: Fields<'_, '_>) -> [Option<Comparison>; 3] {
    const WORDS: [&str; 3] = ["info", "warning", "critical"];
    let mentioned = |table: Fields<'_, '_>| {
        table.value("severity").is_some() || WORDS.iter().any(|word| table.value(word).is_some())
    };
    let fields = match fields.defaults {
        Some(defaults) if !mentioned(fields.own()) => Fields { table: defaults, defaults: None },
        _ => fields.own(),
    };
    let mut ladder = WORDS.map(|word| parse_comparison(fields.text(word)?.text).ok());
    let severity = fields.text("severity");
    if let (Some(severity), Some(word)) = (&severity, WORDS.iter().find(|word| fields.value(word).is_some()))
    {
        let title = format!("`severity` and `{word}` are given");
        let label = "`severity` is short for one comparison";
        let second = fields.key_span(word, &severity.span);
        let file = problems.file.to_path_buf();
        let problem =
            problems.error("severity-and-ladder", fields.key_span("severity", &severity.span), title, label);
        problem.help = Some(format!("write `{} = \">= 1\"` instead, or leave it out", severity.text));
        problem.second = Some(super::Second { file, span: second, label: "the ladder is here".to_owned() });
        return ladder;
    }
    if WORDS.iter().all(|word| fields.value(word).is_none()) {
        let word = severity.map_or("warning", |severity| severity.text);
        let rung = Severity::ALL.iter().position(|severity| severity.as_str() == word).unwrap_or(1);
        ladder[rung] = Some(Comparison { op: Op::AtLeast, than: 1.0 });
    }
    let rungs: Vec<(&str, u64)> =
        WORDS.iter().zip(&ladder).filter_map(|(word, rung)| Some((*word, rung.as_ref()?.needed()))).collect();
    for pair in rungs.windows(2) {
        let ((mild, later), (bad, sooner)) = (pair[0], pair[1]);
        if sooner <= later {
            let span = fields.text(bad).map_or(0..0, |said| said.span);
            let title = format!("`{mild}` is never shown");
            let label = format!("`{bad}` is reached no later");
            let second = fields.text(mild).map(|said| said.span).unwrap_or_default();
            let file = problems.file.to_path_buf();
            problems.warning("ladder-order", span, title, label).second =
                Some(super::Second { file, span: second, label: format!("`{mild}` needs {later}") });
        }
    }
    ladder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_is_read() {
        for (text, needed) in
            [(">= 5", 5), ("> 4", 5), (">=5", 5), (" >  4.5 ", 5), (">= 1", 1), (">= 2.5", 3)]
        {
            assert_eq!(parse_comparison(text).unwrap().needed(), needed, "{text}");
        }
    }

    #[test]
    fn the_wrong_part_of_a_comparison_is_named() {
        for (text, at, what) in [
            ("< 5", 0..1, What::Operator("<")),
            (" <= 5", 1..3, What::Operator("<=")),
            ("== 5", 0..2, What::Operator("==")),
            ("5", 0..1, What::Form),
            (">= five", 3..7, What::Form),
            (">= 2%", 3..5, What::Form),
            (">= -1", 3..5, What::Form),
            (">= inf", 3..6, What::Form),
            (">=", 0..2, What::Form),
            (">>= 1", 0..5, What::Form),
            (">= 0", 3..4, What::Always),
            (">= 1000001", 3..10, What::TooLarge),
            ("", 0..0, What::Form),
        ] {
            let wrong = parse_comparison(text).unwrap_err();
            assert_eq!((wrong.at, wrong.what), (at, what), "{text}");
        }
    }
}
