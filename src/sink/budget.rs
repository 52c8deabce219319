//! How many sends a peer allows in a span of time.

use std::time::Duration;

use crate::model::{Timestamp, micros};

/// A limit of a peer on sends: `tokens` per `per` in the long run, `burst` at once after quiet.
///
/// In any span of length `w` at most `burst + tokens × w / per` sends leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Sends in each `per`, 1 or more.
    pub tokens: u32,
    /// The span they are counted in, longer than zero.
    pub per: Duration,
    /// Sends that may leave at one instant, 1 or more.
    pub burst: u32,
}

impl Budget {
    /// Time between two sends of a steady stream, rounded up so that the budget is never exceeded.
    fn gap_us(self) -> i64 {
        let tokens = i64::from(self.tokens.max(1));
        micros(self.per).saturating_add(tokens - 1) / tokens
    }

    fn slack(self) -> Duration {
        let slack = self.gap_us().saturating_mul(i64::from(self.burst.max(1)) - 1);
        Duration::from_micros(slack.unsigned_abs())
    }
}

/// What of some budgets is used up. Keeps one instant per budget (the "generic cell rate algorithm"), so it counts
/// in whole microseconds and never drifts.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    budgets: Vec<Budget>,
    /// For each budget, when a steady stream of the sends so far would be due to send next.
    steady: Vec<Timestamp>,
}

impl Meter {
    /// A meter of budgets of which nothing is used.
    pub(super) fn new(budgets: Vec<Budget>) -> Meter {
        Meter { steady: vec![Timestamp::MIN; budgets.len()], budgets }
    }

    /// Goes on with other budgets. What was sent keeps counting.
    pub(super) fn retune(&mut self, budgets: Vec<Budget>) {
        let used = self.steady.iter().copied().max().unwrap_or(Timestamp::MIN);
        self.steady.resize(budgets.len(), used);
        self.budgets = budgets;
    }

    /// The instant from which one more send is allowed; `MIN` if nothing limits it.
    pub(super) fn free_at(&self) -> Timestamp {
        let free = self.budgets.iter().zip(&self.steady).map(|(budget, steady)| steady.minus(budget.slack()));
        free.max().unwrap_or(Timestamp::MIN)
    }

    /// How many sends may leave at `now`, one after the other; `usize::MAX` if nothing limits them.
    pub(super) fn left(&self, now: Timestamp) -> usize {
        let left = self.budgets.iter().zip(&self.steady).map(|(budget, steady)| {
            let free = steady.minus(budget.slack());
            let saved = micros(now.since(free)) / budget.gap_us().max(1);
            let most = usize::try_from(budget.burst.max(1)).unwrap_or(usize::MAX);
            if now < free { 0 } else { usize::try_from(saved + 1).unwrap_or(most).min(most) }
        });
        left.min().unwrap_or(usize::MAX)
    }

    /// Uses up one send of every budget, if each has one left.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        if now < self.free_at() {
            return false;
        }
        for (budget, steady) in self.budgets.iter().zip(&mut self.steady) {
            *steady = (*steady).max(now).plus(Duration::from_micros(budget.gap_us().unsigned_abs()));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends_in(budgets: &[Budget], span: Duration) -> u32 {
        let mut meter = Meter::new(budgets.to_vec());
        let start = Timestamp::from_secs(1_000);
        let mut now = start;
        let mut sent = 0;
        loop {
            while meter.take(now) {
                sent += 1;
            }
            now = meter.free_at();
            if now.since(start) >= span {
                return sent;
            }
        }
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_steady_rate() {
        let fifteen = Budget { tokens: 15, per: Duration::from_secs(1), burst: 60 };
        assert_eq!(sends_in(&[fifteen], Duration::from_micros(1)), 60);
        assert_eq!(sends_in(&[fifteen], Duration::from_secs(60)), 60 + 15 * 60 - 1);
    }

    #[test]
    fn the_narrowest_of_several_budgets_rules() {
        let wide = Budget { tokens: 100, per: Duration::from_secs(1), burst: 100 };
        let narrow = Budget { tokens: 2, per: Duration::from_secs(60), burst: 1 };
        assert_eq!(sends_in(&[wide, narrow], Duration::from_secs(60)), 2);
    }

    #[test]
    fn without_a_budget_nothing_waits() {
        let mut meter = Meter::new(Vec::new());
        assert!((0..1_000).all(|_| meter.take(Timestamp::MIN)));
    }

    #[test]
    fn what_is_left_is_what_can_be_taken() {
        let fast = Budget { tokens: 2, per: Duration::from_secs(1), burst: 4 };
        let slow = Budget { tokens: 80, per: Duration::from_secs(60), burst: 10 };
        for budgets in [vec![fast], vec![slow], vec![fast, slow]] {
            let mut meter = Meter::new(budgets);
            for step in 0..400 {
                // Times that come closer and closer, so that there is all of a budget, some of it, and none.
                let now = Timestamp(1_000_000_000 + 700_000 * step - step * step * 800);
                let mut trial = meter.clone();
                let left = (0..100).filter(|_| trial.take(now)).count();
                assert_eq!(meter.left(now), left, "{now}");
                if step % 3 > 0 {
                    meter.take(now);
                }
            }
        }
        assert_eq!(Meter::new(Vec::new()).left(Timestamp::MIN), usize::MAX);
    }

    #[test]
    fn quiet_does_not_save_up_more_than_the_burst() {
        let budget = Budget { tokens: 1, per: Duration::from_secs(1), burst: 3 };
        let mut meter = Meter::new(vec![budget]);
        let late = Timestamp::from_secs(1_000_000);
        assert!(meter.take(Timestamp::from_secs(1)));
        assert_eq!((0..10).filter(|_| meter.take(late)).count(), 3);
    }
}
