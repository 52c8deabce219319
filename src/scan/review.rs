//! When a scanner should look again at what its log is like.

use super::{SAMPLE, Scanned};

/// Bytes after which it is looked at whether a log has become another one. To choose anew takes a tenth of a second
/// with a thousand rules, as long as all of this may take.
const OFTEN: u64 = 64 << 20;
/// The same, after that has not helped several times: some rules are expensive whatever the log is like.
const SELDOM: u64 = 1 << 30;
/// One line in so many bytes may be tried in vain.
const BYTES_PER_WASTE: u64 = 256;

/// How well the scanner of one log knows what the log is like.
#[derive(Debug, Default)]
pub struct Review {
    /// Bytes since the last one.
    bytes: u64,
    /// Lines on which a pattern was tried in vain, since then.
    wasted: u64,
    /// Bytes from one to the next. 0 at first: the first large block is a sample.
    every: u64,
}

impl Review {
    /// A block was scanned; true if [`super::Scanner::attuned`] should be asked with it.
    pub fn is_due(&mut self, block: &[u8], scanned: &Scanned) -> bool {
        block.len() >= SAMPLE && self.after(block.len() as u64, scanned.wasted() as u64)
    }

    fn after(&mut self, bytes: u64, wasted: u64) -> bool {
        self.bytes += bytes;
        self.wasted += wasted;
        if self.bytes < self.every {
            return false;
        }
        let first = self.every == 0;
        let due = first || self.wasted > self.bytes / BYTES_PER_WASTE;
        self.every = if due && !first { (self.every * 2).min(SELDOM) } else { OFTEN };
        (self.bytes, self.wasted) = (0, 0);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_for_is_chosen_anew_when_it_is_often_in_vain_and_seldom_if_that_does_not_help() {
        let mut review = Review::default();
        let mut after = |mib: u64, wasted| review.after(mib << 20, wasted);
        assert!(after(1, 0), "the first large block is a sample");
        assert!(!after(63, 1_000_000), "too early");
        assert!(after(1, 0));
        assert!(!after(64, 1_000_000), "seldomer now");
        assert!(after(64, 0));
        assert!(!after(256, 60), "all is well");
        assert!(!after(63, 1_000_000), "and it is looked at often again");
        assert!(after(1, 0));
    }
}
