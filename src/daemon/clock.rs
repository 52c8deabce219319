//! The only file that asks the time.
#![expect(clippy::disallowed_methods, reason = "somebody has to ask")]

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::core::Now;
use crate::config::probe::Stopwatch;
use crate::model::{Timestamp, micros};

/// A wall clock that is set by less than this against the monotonic one is taken for drift.
const DRIFT: i64 = 2_000_000;

/// The engine's timeline: begins at the wall clock, and is monotonic from there, sleeping times of the machine
/// included. That the wall clock is set moves the stamps of other people's lines, not our durations.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Wall-clock time minus monotonic time at the start, in microseconds.
    start: i64,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Clock {
        Clock { start: wall().0 - monotonic() }
    }

    /// The present time.
    pub fn now(&self) -> Now {
        let time = Timestamp(self.start + monotonic());
        let wall = wall();
        let skew = wall.0 - time.0;
        Now { time, skew_us: if skew.abs() < DRIFT { 0 } else { skew }, wall }
    }
}

fn monotonic() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// How long this thread has worked: what others do on the machine does not count.
fn worked() -> std::time::Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = std::time::Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0));
    seconds + std::time::Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// How many times as long a pattern takes in a build that is not optimised, at least.
const DEBUG_BUILD: u32 = 4;

/// Runs a piece of work and says how long this thread worked on it: a machine that is busy with other things makes no
/// pattern slow, and neither does a build that is not optimised.
pub fn stopwatch() -> Stopwatch {
    let slower = if cfg!(debug_assertions) { DEBUG_BUILD } else { 1 };
    Box::new(move |work| {
        let start = worked();
        work();
        worked().saturating_sub(start) / slower
    })
}

/// The wall clock.
pub fn wall() -> Timestamp {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Timestamp(micros(since)),
        Err(before) => Timestamp(-micros(before.duration())),
    }
}
