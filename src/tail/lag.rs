//! How long bytes have waited to be read.

use crate::model::Timestamp;

/// The oldest unread byte of one file, as far as looks can tell.
///
/// Of a file that is never read to its end but read on, the oldest byte is never older than twice the time it takes to
/// read what waits: one later look is remembered, and takes the place of the first one once what it found there is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag(Option<Waits>);

#[derive(Clone, Copy, Debug)]
struct Waits {
    /// Since when it is there, at least.
    since: Timestamp,
    /// The look that saw it first.
    seen: Timestamp,
    /// What lies behind this offset came later, and was first seen then.
    later: Option<(u64, Timestamp)>,
}

impl Lag {
    /// Bytes that were found, and have been there since `since` at least.
    pub(crate) fn found(since: Timestamp, now: Timestamp) -> Lag {
        Lag(Some(Waits { since: since.min(now), seen: now, later: None }))
    }

    /// A look at a file that is read up to `read`, and saw `size` bytes where the look before had seen `before`.
    pub(crate) fn looked(&mut self, before: u64, size: u64, read: u64, now: Timestamp) {
        match &mut self.0 {
            _ if size <= read => self.0 = None,
            None => *self = Lag::found(now, now),
            Some(waits) if waits.later.is_none() && size > before => waits.later = Some((before, now)),
            Some(_) => {}
        }
    }

    /// It is read up to `read` now, of `size` bytes.
    pub(crate) fn read(&mut self, read: u64, size: u64) {
        let later = self.0.and_then(|waits| waits.later);
        if read >= size {
            self.0 = None;
        } else if let Some((_, at)) = later.filter(|(from, _)| *from <= read) {
            *self = Lag::found(at, at);
        }
    }

    /// Since when the oldest unread byte is there, at least.
    #[inline]
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.0.map(|waits| waits.since)
    }

    /// The look that saw it first.
    #[inline]
    pub(crate) fn seen(&self) -> Option<Timestamp> {
        self.0.map(|waits| waits.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_on_is_only_as_old_as_what_waits() {
        // (at, size) is a look, (0, read) a read → since when bytes wait
        let at = Timestamp::from_secs;
        let check = |steps: &[(i64, u64, u64)], since: Option<i64>| {
            let (mut lag, mut size, mut read) = (Lag::default(), 0, 0);
            for (time, new_size, read_to) in steps {
                lag.looked(size, *new_size, read, at(*time));
                (size, read) = (*new_size, *read_to);
                lag.read(read, size);
            }
            assert_eq!(lag.since(), since.map(at), "{steps:?}");
        };
        check(&[(1, 10, 10)], None);
        check(&[(1, 10, 5)], Some(1));
        check(&[(1, 10, 5), (2, 10, 9)], Some(1));
        check(&[(1, 10, 5), (2, 20, 9)], Some(1));
        check(&[(1, 10, 5), (2, 20, 10)], Some(2));
        check(&[(1, 10, 5), (2, 20, 10), (3, 30, 19)], Some(2));
        check(&[(1, 10, 5), (2, 20, 10), (3, 30, 20)], Some(3));
        check(&[(1, 10, 5), (2, 20, 20)], None);
        check(&[(1, 10, 5), (2, 5, 5)], None);
    }
}
