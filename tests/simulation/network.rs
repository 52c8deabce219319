//! The peers and the way to them: answers come late, or get lost after the peer took what was sent. A copy never
//! overtakes a newer one: what has not arrived when its attempt ends never will.

use fastrand::Rng;
use tripline::model::{Delivery, SinkName};
use tripline::sink::attempt::{Attempt, Outcome};

use super::plan::Temper;

/// An attempt on its way.
#[derive(Debug)]
struct Flight {
    attempt: Attempt,
    /// For each row: whether it arrives, and what is answered.
    fates: Vec<(bool, Outcome)>,
    arrives_at: i64,
    arrived: bool,
    ends_at: i64,
}

/// All attempts on their way.
#[derive(Debug, Default)]
pub(super) struct Network {
    flights: Vec<Flight>,
    /// Per sink: unreachable until then.
    down_until: Vec<i64>,
    /// True: every attempt is accepted at once.
    pub(super) healed: bool,
}

/// What comes back.
pub(super) struct Answer {
    pub(super) sink: SinkName,
    pub(super) attempt: u64,
    pub(super) rows: Vec<Delivery>,
    pub(super) outcomes: Vec<Outcome>,
}

/// The number of a sink, from its name.
pub(super) fn number(sink: &SinkName) -> usize {
    let of = sink.as_str().split('/').next().unwrap_or_default();
    of.trim_start_matches("sink").parse().expect("sinks are named by numbers")
}

impl Network {
    /// Takes an attempt that has left.
    pub(super) fn send(&mut self, attempt: Attempt, tempers: &[Temper], now: i64, rng: &mut Rng) {
        let sink = number(&attempt.sink);
        self.down_until.resize(tempers.len(), 0);
        let temper = tempers[sink];
        if rng.u32(..1000) < u32::from(temper.refuses) {
            self.down_until[sink] = now + rng.i64(0..120_000_000);
        }
        let down = self.down_until[sink] > now;
        let first = fate(temper, down, self.healed, rng);
        let fates = attempt
            .deliveries
            .iter()
            .map(|_| if rng.u8(..8) == 0 { fate(temper, down, self.healed, rng) } else { first.clone() })
            .collect();
        let slow = if self.healed { 10_000 } else { i64::from(temper.slow_ms) * 1000 };
        let ends_at = now + 1000 + rng.i64(0..=slow);
        let arrives_at = rng.i64(now..=ends_at);
        self.flights.push(Flight { attempt, fates, arrives_at, arrived: false, ends_at });
    }

    /// What arrives and what is answered up to `now`, in the order of time.
    pub(super) fn pass(&mut self, now: i64) -> (Vec<Delivery>, Vec<Answer>) {
        let mut arrivals: Vec<(i64, Delivery)> = Vec::new();
        for flight in self.flights.iter_mut().filter(|flight| !flight.arrived && flight.arrives_at <= now) {
            arrivals.extend(flight.rows().into_iter().map(|row| (flight.arrives_at, row)));
            flight.arrived = true;
        }
        arrivals.sort_by_key(|(at, row)| (*at, row.seq));
        let mut answers: Vec<(i64, Answer)> = Vec::new();
        self.flights.retain(|flight| {
            if flight.ends_at > now {
                return true;
            }
            let outcomes = flight.fates.iter().map(|(_, outcome)| outcome.clone()).collect();
            let (sink, attempt) = (flight.attempt.sink.clone(), flight.attempt.id);
            let rows = flight.attempt.deliveries.clone();
            answers.push((flight.ends_at, Answer { sink, attempt, rows, outcomes }));
            false
        });
        answers.sort_by_key(|(at, _)| *at);
        (
            arrivals.into_iter().map(|(_, row)| row).collect(),
            answers.into_iter().map(|(_, answer)| answer).collect(),
        )
    }

    /// The process died: what is on its way arrives now or never, and nobody hears the answers.
    pub(super) fn cut(&mut self, rng: &mut Rng) -> Vec<Delivery> {
        let flights = std::mem::take(&mut self.flights);
        let late = flights.iter().filter(|flight| !flight.arrived);
        late.filter(|_| rng.bool()).flat_map(Flight::rows).collect()
    }

    /// When something arrives or is answered next.
    pub(super) fn next(&self) -> Option<i64> {
        let due = |flight: &Flight| if flight.arrived { flight.ends_at } else { flight.arrives_at };
        self.flights.iter().map(due).min()
    }
}

impl Flight {
    /// The rows that arrive.
    fn rows(&self) -> Vec<Delivery> {
        let rows = self.attempt.deliveries.iter().zip(&self.fates);
        rows.filter(|(_, (arrives, _))| *arrives).map(|(row, _)| row.clone()).collect()
    }
}

fn fate(temper: Temper, down: bool, healed: bool, rng: &mut Rng) -> (bool, Outcome) {
    let accepted = (true, Outcome::Accepted { note: String::new() });
    if healed {
        return accepted;
    }
    let mut why = "down".to_owned();
    let after = rng.bool().then(|| std::time::Duration::from_secs(rng.u64(0..20)));
    if down {
        return (false, Outcome::Retry { after: None, why });
    }
    let mut left = rng.u8(..100);
    let mut falls = |chance: u8| {
        let falls = left < chance;
        left = left.saturating_sub(chance);
        falls && chance > 0
    };
    if falls(temper.refuses) {
        why = "later".to_owned();
        return (false, Outcome::Retry { after, why });
    }
    if falls(temper.forgets) {
        why = "the answer is lost".to_owned();
        return (true, Outcome::Retry { after: None, why });
    }
    if falls(temper.suspends) {
        return (false, Outcome::Suspend { why: "no licence".to_owned() });
    }
    if falls(temper.buries) {
        return (false, Outcome::Dead { why: "never".to_owned() });
    }
    if falls(temper.shrinks) {
        return (false, Outcome::Shrink { why: "too large".to_owned() });
    }
    accepted
}
