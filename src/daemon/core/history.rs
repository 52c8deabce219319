//! What alerts did in the last day, for whoever looks back.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::{Timestamp, Transition};
use crate::saved::{Saved, SavedStep};
use crate::store::Batch;

/// How far back it goes.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Steps that are kept, at most: the oldest go first.
const MOST: usize = 10_000;
/// Characters of a summary.
const SUMMARY: usize = 200;

/// The steps, the oldest first.
#[derive(Debug)]
pub(super) struct History {
    steps: VecDeque<SavedStep>,
    next: u64,
}

impl History {
    pub(super) fn new(saved: &Saved) -> History {
        let steps: VecDeque<SavedStep> = saved.steps.iter().cloned().collect();
        let next = steps.back().map_or(1, |step| step.number + 1);
        History { steps, next }
    }

    /// Takes a step; what is too old or too much goes.
    pub(super) fn note(&mut self, transition: &Transition, now: Timestamp, batch: &mut Batch) {
        let step = SavedStep {
            number: self.next,
            decided: now,
            time: transition.time,
            key: transition.key.clone(),
            status: transition.status,
            reason: transition.reason,
            summary: transition.summary.chars().take(SUMMARY).collect(),
        };
        batch.put_step(&step);
        self.next += 1;
        self.steps.push_back(step);
        while let Some(oldest) = self.steps.front()
            && (self.steps.len() > MOST || now.since(oldest.decided) > KEPT)
        {
            batch.remove_step(oldest.number);
            self.steps.pop_front();
        }
    }

    pub(super) fn steps(&self) -> impl DoubleEndedIterator<Item = &SavedStep> {
        self.steps.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn steps_of_a_day_are_kept_and_no_more_than_are_bounded() {
        let (mut history, mut batch) = (History::new(&Saved::default()), Batch::default());
        let mut note = |history: &mut History, second| {
            history.note(&sample::transition(), Timestamp::from_secs(second), &mut batch);
        };
        (0..20).for_each(|hour| note(&mut history, hour * 3600));
        assert_eq!(history.steps().count(), 20);
        note(&mut history, 25 * 3600);
        let first = history.steps().next().map(|step| step.decided);
        assert_eq!(first, Some(Timestamp::from_secs(3600)));
        (0..2 * MOST).for_each(|_| note(&mut history, 26 * 3600));
        assert_eq!(history.steps().count(), MOST);
        let numbers: Vec<u64> = history.steps().map(|step| step.number).collect();
        assert!(numbers.is_sorted());
    }

    #[test]
    fn a_restart_goes_on_behind_the_last_number() {
        let (mut history, mut batch) = (History::new(&Saved::default()), Batch::default());
        (0..3).for_each(|_| history.note(&sample::transition(), Timestamp::from_secs(1), &mut batch));
        let saved = Saved { steps: history.steps().cloned().collect(), ..Saved::default() };
        let mut again = History::new(&saved);
        again.note(&sample::transition(), Timestamp::from_secs(2), &mut batch);
        assert_eq!(again.steps().map(|step| step.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
