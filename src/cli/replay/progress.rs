//! How far a long replay has come: one line on a terminal that is written over again and again, and goes before
//! anything else is written.

use std::time::Duration;

use crate::cli::talk;
use crate::daemon::clock::Clock;
use crate::model::Timestamp;

/// Nothing is shown before: what is soon over needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two pictures.
const EVERY: Duration = Duration::from_millis(100);
/// Columns of the bar itself, at most.
const WIDEST_BAR: usize = 30;
/// Columns of the words beside it, at least.
const WORDS: usize = 50;

/// The line on the terminal.
pub(super) struct Progress {
    /// `None`: nothing is ever shown.
    clock: Option<(Clock, Timestamp)>,
    last: Timestamp,
    shown: bool,
}

impl Progress {
    /// Begins now; `on`: there is a terminal, and it is wanted.
    pub(super) fn new(on: bool) -> Progress {
        let clock = on.then(Clock::start).map(|clock| (clock, clock.now().time));
        Progress { clock, last: Timestamp::MIN, shown: false }
    }

    /// `done` bytes of `all` went through.
    pub(super) fn show(&mut self, done: impl Fn() -> u64, all: Option<u64>) {
        let Some((clock, start)) = &self.clock else { return };
        let now = clock.now().time;
        if now.since(*start) < PATIENCE || now.since(self.last) < EVERY {
            return;
        }
        // Some terminals do not know how wide they are, and say 0.
        let size = rustix::termios::tcgetwinsize(std::io::stderr());
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        let columns = if columns == 0 { 80 } else { columns };
        talk(&format!("\r\x1b[K{}", line(done(), all, now.since(*start), columns)));
        self.last = now;
        self.shown = true;
    }

    /// Takes the line away, so that something else can be written.
    pub(super) fn hide(&mut self) {
        if std::mem::take(&mut self.shown) {
            talk("\r\x1b[K");
        }
    }

    /// True if a line may be shown.
    pub(super) fn is_on(&self) -> bool {
        self.clock.is_some()
    }
}

/// The line after `elapsed`, shorter than a terminal of `columns`.
#[expect(clippy::cast_precision_loss, reason = "nobody reads so many digits of a bar")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share lies between 0 and 1")]
fn line(done: u64, all: Option<u64>, elapsed: Duration, columns: usize) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
    let rate_text = format!("{}/s", bytes(rate as u64));
    let Some(all) = all.filter(|all| *all > 0) else {
        return cut(format!("{}  {rate_text}", bytes(done)), columns);
    };
    // A file may grow while it is read.
    let share = (done as f64 / all as f64).min(1.0);
    let left = Duration::from_secs_f64((all.saturating_sub(done) as f64 / rate.max(1.0)).min(1e9));
    let words = format!(
        "{:3.0} %  {} of {}  {rate_text}  {} left",
        (share * 100.0).floor(),
        bytes(done),
        bytes(all),
        clock_text(left)
    );
    let bar = columns.saturating_sub(WORDS).min(WIDEST_BAR);
    if bar < 5 {
        return cut(words, columns);
    }
    let full = (share * bar as f64) as usize;
    cut(format!("[{}{}] {words}", "#".repeat(full), ".".repeat(bar - full)), columns)
}

/// A line that fills the last column would begin another one.
fn cut(mut text: String, columns: usize) -> String {
    text.truncate(columns.saturating_sub(1));
    text
}

/// Seconds as a watch shows them.
fn clock_text(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// Bytes with three digits or so.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn bytes(count: u64) -> String {
    let mut number = count as f64;
    let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].iter();
    let mut unit = "B";
    while number >= 999.5 {
        let Some(next) = units.next() else { break };
        number /= 1000.0;
        unit = next;
    }
    if unit == "B" || number >= 99.5 { format!("{number:.0} {unit}") } else { format!("{number:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_people_say_them() {
        for (count, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_400, "99.4 kB"),
            (99_600, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (268_435_456, "268 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), shown, "{count}");
        }
    }

    #[test]
    fn the_line_says_share_bytes_rate_and_what_is_left() {
        let at = Duration::from_secs(10);
        assert_eq!(
            line(2_500_000_000, Some(10_000_000_000), at, 100),
            "[#######.......................]  25 %  2.5 GB of 10.0 GB  250 MB/s  0:30 left"
        );
        assert_eq!(line(10_000, Some(36_010_000_000), at, 40), "  0 %  10.0 kB of 36.0 GB  1.0 kB/s  10");
        assert_eq!(line(5_000_000, None, at, 80), "5.0 MB  500 kB/s");
        assert!(
            line(30, Some(20), at, 80).contains(" 100 %")
                && line(30, Some(20), at, 80).ends_with("0:00 left")
        );
    }

    #[test]
    fn the_line_never_reaches_the_last_column() {
        for columns in 0..200 {
            for (done, all) in [(0, Some(1)), (u64::MAX, Some(u64::MAX)), (1, Some(u64::MAX)), (7, None)] {
                let text = line(done, all, Duration::from_micros(1_000_001), columns);
                assert!(text.is_ascii() && text.len() < columns.max(1), "{columns}: {text:?}");
            }
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_asked() {
        let mut progress = Progress::new(false);
        progress.show(|| panic!("nobody wants to know"), None);
        assert!(!progress.is_on());
    }
}
