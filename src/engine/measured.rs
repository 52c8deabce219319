//! What a key measures, what that makes of its levels, and when it changes though no line comes.

use super::alert::Key;
use super::tally::Keep;
use super::window::Use;
use crate::model::Timestamp;
use crate::rule::{Comparison, Measure, Rule};

/// Deadlines in a row that a key misses before nobody expects it any more.
const DEADLINES_MISSED: usize = 10;

impl Key {
    /// When a match will next be one of the window before, or enough is known of that.
    pub(super) fn next_turn(&self, rule: &Rule) -> Option<Timestamp> {
        let turn = match rule.measure {
            Measure::Spike => {
                let first = self.window.first_after(self.clock.minus(rule.within));
                first.map(|time| time.plus(rule.within))
            }
            _ if rule.notices_few() => None,
            _ => return None,
        };
        let known = Some(self.born.plus(rule.remembers())).filter(|known| *known > self.clock);
        turn.into_iter().chain(known).min()
    }

    /// True if what lies in the window is all that lay in it: few matches are few then, and not the first of many.
    #[inline]
    pub(super) fn sees_window(&self, rule: &Rule) -> bool {
        !rule.notices_few() || self.watched && self.clock >= self.born.plus(rule.within)
    }

    /// From when on it is missed if nothing comes after its newest match.
    pub(super) fn miss_from(&self, rule: &Rule) -> Option<Timestamp> {
        match &rule.deadlines {
            None => Some(self.last_match),
            // It has not come since it is expected, or since an operator had the last word.
            Some(deadlines) if self.total == 0 || self.born > self.last_match => deadlines.next(self.born),
            Some(deadlines) => deadlines.missed_after(self.last_match),
        }
    }

    /// When it will next have been missed for so long that a level begins.
    pub(super) fn next_miss(&self, rule: &Rule) -> Option<Timestamp> {
        if rule.notices_few() {
            return None;
        }
        let from = self.missed_from.filter(|_| self.watched)?;
        let after = |level: &Comparison| from.plus(level.lasts());
        let waiting = self.rungs.iter().zip(&rule.ladder).filter(|(rung, _)| rung.since.is_none());
        waiting.filter_map(|(_, level)| level.as_ref().map(after)).min()
    }

    /// When nobody expects it any more.
    pub(super) fn forgotten(&self, rule: &Rule) -> Option<Timestamp> {
        let from = self.missed_from.filter(|_| self.watched && !self.expected)?;
        let after = from.plus(rule.forget_after()?);
        match &rule.deadlines {
            None => Some(after),
            // That is later than a level begins, and each deadline takes time to find.
            Some(_) if self.clock < from => None,
            Some(deadlines) => {
                let last = (1..DEADLINES_MISSED).try_fold(from, |missed, _| deadlines.next(missed))?;
                Some(after.max(last))
            }
        }
    }

    /// True if the comparison of a level holds.
    #[inline]
    pub(super) fn level_holds(&self, rule: &Rule, rung: usize, value: Option<f64>) -> bool {
        match (&rule.ladder[rung], value) {
            // To the microsecond, as the moment is at which it is looked at.
            (Some(level), _) if matches!(rule.measure, Measure::Absent) => {
                // What nobody expects any more is not missed either, whatever still wakes its key up.
                let from = self.missed_from.filter(|_| self.watched);
                from.is_some_and(|from| self.clock >= from.plus(level.lasts()))
            }
            (Some(level), Some(value)) => self.sees_window(rule) && level.holds(value),
            _ => false,
        }
    }

    /// True if a level that holds goes on to: its comparison is true, or it is the lowest and `clear` is not true yet, or
    /// nobody can know.
    #[inline]
    pub(super) fn stays(&self, rule: &Rule, rung: usize, value: Option<f64>) -> bool {
        let lowest = rule.ladder[..rung].iter().all(Option::is_none);
        let is_clear = || value.is_none_or(|value| rule.clear.is_none_or(|clear| clear.holds(value)));
        self.level_holds(rule, rung, value) || lowest && !is_clear() || !self.sees_window(rule)
    }

    /// True if the measure says that it is over: `clear` is true, or, of a number that does not just grow with matches,
    /// no level is.
    pub(super) fn is_clear(&self, rule: &Rule) -> bool {
        let Some(value) = self.value(rule) else { return false };
        let mut levels = rule.ladder.iter().flatten();
        match &rule.clear {
            Some(clear) => clear.holds(value),
            None => {
                let ends = !rule.measure.counts() || rule.notices_few();
                ends && !rule.latches() && !levels.any(|level| level.holds(value))
            }
        }
    }

    /// The measure; nothing, if there is nothing to measure.
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^52 are out of reach of a bounded window")]
    pub(super) fn value(&self, rule: &Rule) -> Option<f64> {
        if rule.latches() {
            return Some(f64::from(u8::from(self.latched)));
        }
        let windowed = !rule.within.is_zero();
        let count = self.count(rule);
        match &rule.measure {
            Measure::Spike => {
                let before = self.window.count().saturating_sub(count);
                let known = self.clock >= self.born.plus(rule.remembers()) && before >= rule.min_lines.max(1);
                known.then(|| count as f64 / before as f64)
            }
            _ if windowed && self.window.count() < rule.min_lines => None,
            Measure::Count => Some(count as f64),
            Measure::Rate => Some(count as f64 / rule.within.as_secs_f64()),
            Measure::Distinct(_) => Some(count as f64),
            Measure::Ratio(_) | Measure::Average(_) => self.window.number().map(|sum| sum / count as f64),
            Measure::Sum(_) if rule.notices_few() => Some(self.window.number().unwrap_or(0.0)),
            Measure::Sum(_) | Measure::Least(_) | Measure::Most(_) => self.window.number(),
            Measure::Percentile(percent, _) => self.window.percentile(*percent),
            Measure::Absent => {
                let from = self.missed_from.filter(|from| *from <= self.clock)?;
                Some(self.clock.since(from).as_secs_f64())
            }
            Measure::Last(_) => self.newest_number.filter(|_| !windowed || count > 0),
        }
    }

    /// The window as the author thinks of it: matches inside it, or of the episode if there is no window.
    pub(super) fn count(&self, rule: &Rule) -> u64 {
        match &rule.measure {
            _ if rule.within.is_zero() => self.total,
            Measure::Spike => self.window.count_after(self.clock.minus(rule.within)),
            Measure::Distinct(_) => self.window.texts() as u64,
            _ => self.window.count(),
        }
    }
}

/// What has to be kept of the matches of a key.
pub(super) fn kept_for(rule: &Rule) -> Use {
    Use { span: rule.remembers(), keep: Keep::of(&rule.measure, rule.min_lines), needed: rule.most_needed() }
}
