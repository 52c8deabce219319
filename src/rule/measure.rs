//! The one number per key that a rule computes.

use std::time::Duration;

use super::{Comparison, Filter, Unit, Value};
use crate::model::duration_text;

/// What is computed of the matches in a window.
#[derive(Clone, Debug)]
pub enum Measure {
    /// How many there are.
    Count,
    /// How many there are a second.
    Rate,
    /// Of how many of them a condition holds, as a part of all.
    Ratio(Filter),
    /// How many different texts there are.
    Distinct(Value),
    /// All numbers together.
    Sum(Value),
    /// Their mean.
    Average(Value),
    /// The lowest of them.
    Least(Value),
    /// The highest of them.
    Most(Value),
    /// The newest of them, whatever its window.
    Last(Value),
    /// For how long there has been none.
    Absent,
    /// How many times as many there are as in the window before.
    Spike,
    /// So many of a hundred are this or less: 1 to 99.
    Percentile(u8, Value),
}

impl Measure {
    /// True if it counts matches or texts, so that it grows with them and shrinks as they leave.
    pub fn counts(&self) -> bool {
        matches!(self, Measure::Count | Measure::Rate | Measure::Distinct(_))
    }

    /// True if it is 0 without a match, and not nothing.
    pub fn adds_up(&self) -> bool {
        self.counts() || matches!(self, Measure::Sum(_))
    }

    /// The capture that it takes of each match.
    pub fn of(&self) -> Option<&Value> {
        match self {
            Measure::Count | Measure::Rate | Measure::Ratio(_) | Measure::Absent | Measure::Spike => None,
            Measure::Distinct(value)
            | Measure::Sum(value)
            | Measure::Average(value)
            | Measure::Least(value)
            | Measure::Most(value)
            | Measure::Last(value)
            | Measure::Percentile(_, value) => Some(value),
        }
    }
}

/// More digits behind the point say nothing: no log writes so many.
const MOST_DECIMALS: usize = 9;

/// A number of that unit as people read it: `3.2%`, `1.5s`, `512MB`, `17`.
pub fn number_text(value: f64, unit: Unit) -> String {
    compared_text(value, unit, &[])
}

/// The same beside what it is compared with, where as many digits are shown as it takes: 99.96 % is not 100 %, and
/// what is below 99.9 % does not look like it.
pub(super) fn compared_text(value: f64, unit: Unit, with: &[Comparison]) -> String {
    let whole = value;
    let (value, name) = match unit {
        Unit::One => (value, ""),
        Unit::Share => (value * 100.0, "%"),
        Unit::Time if value.abs() >= 60.0 => return long(value),
        Unit::Time if value == 0.0 => (value, "s"),
        Unit::Time => scaled(value, &[("s", 1.0), ("ms", 1e-3)]),
        Unit::Size => scaled(value, &[("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)]),
    };
    // Three digits tell what there is to know of a measured number; whole ones are shown as they are.
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    let size = if value == 0.0 { 1.0 } else { whole / value };
    let differs = |text: &str| {
        let shown = text.parse::<f64>().unwrap_or(value);
        let turns = |level: &Comparison| {
            // What is written at the level itself is read back as exactly the level.
            let than = level.than / size;
            let shown = if (shown - than).abs() <= 1e-12 * than.abs() { level.than } else { shown * size };
            level.holds(shown) != level.holds(whole)
        };
        (shown.fract() == 0.0 && value.fract() != 0.0 && unit == Unit::Share) || with.iter().any(turns)
    };
    let texts = (decimals..=MOST_DECIMALS.max(decimals)).map(|decimals| format!("{value:.decimals$}"));
    let text = texts.clone().find(|text| !differs(text)).or(texts.clone().next()).unwrap_or_default();
    let decimals = text.find('.').map_or(0, |point| text.len() - point - 1);
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{name}")
}

/// A time of a minute or more, in its two largest units.
fn long(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    let step = [(86_400.0, 3_600.0), (3_600.0, 60.0)].into_iter().find(|(unit, _)| seconds >= *unit);
    let step = step.map_or(1.0, |(_, step)| step);
    let rounded = Duration::try_from_secs_f64((seconds / step).round() * step).unwrap_or(Duration::MAX);
    format!("{sign}{}", duration_text(rounded))
}

/// In the largest of these units of which it is at least one, else in the last.
fn scaled(value: f64, units: &[(&'static str, f64)]) -> (f64, &'static str) {
    let fits = units.iter().find(|(_, size)| value.abs() >= *size).or(units.last());
    fits.map_or((value, ""), |(name, size)| (value / size, *name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Op;

    #[test]
    fn numbers_are_shown_with_three_digits_and_a_unit() {
        for (value, unit, text) in [
            (5.0, Unit::One, "5"),
            (1_234_567.0, Unit::One, "1234567"),
            (0.5, Unit::One, "0.5"),
            (2.0 / 3.0, Unit::One, "0.667"),
            (-12.34, Unit::One, "-12.3"),
            (0.032, Unit::Share, "3.2%"),
            (0.9996, Unit::Share, "99.96%"),
            (1.0 / 3.0, Unit::Share, "33.3%"),
            (1.0, Unit::Share, "100%"),
            (1.5, Unit::Time, "1.5s"),
            (0.25, Unit::Time, "250ms"),
            (0.000_05, Unit::Time, "0.05ms"),
            (93_600.000_001, Unit::Time, "1d2h"),
            (-3_725.0, Unit::Time, "-1h2m"),
            (61.4, Unit::Time, "1m1s"),
            (0.0, Unit::Time, "0s"),
            (1e9, Unit::Time, "11574d2h"),
            (512e6, Unit::Size, "512MB"),
            (0.0, Unit::Size, "0B"),
        ] {
            assert_eq!(number_text(value, unit), text);
        }
    }

    #[test]
    fn a_number_never_looks_as_if_it_were_on_the_other_side_of_a_level() {
        for (op, than, value, unit, text) in [
            (Op::Below, 0.9999, 0.9996, Unit::Share, "99.96%"),
            (Op::Below, 0.999, 0.9988, Unit::Share, "99.88%"),
            (Op::AtLeast, 0.02, 0.019_999, Unit::Share, "1.9999%"),
            (Op::AtLeast, 0.02, 0.02, Unit::Share, "2%"),
            (Op::Above, 0.5, 0.500_3, Unit::Time, "500.3ms"),
            (Op::Above, 500.0, 500.3, Unit::One, "500.3"),
            (Op::Above, 500.0, 512.73, Unit::One, "513"),
            (Op::AtMost, 5e8, 5e8, Unit::Size, "500MB"),
            (Op::AtMost, 5e8, 500_100_000.0, Unit::Size, "500.1MB"),
            (Op::Below, 1.0 / 3.0, 1.0 / 3.0, Unit::One, "0.333"),
        ] {
            let level = Comparison { op, than };
            assert_eq!(compared_text(value, unit, &[level]), text, "{value} {op:?} {than}");
        }
    }
}
