//! A log that was compressed after it was rotated, read at offsets of what it was before.
//!
//! What is compressed can only be read from its beginning on, so what was read last is kept, and whoever wants what lies
//! before that waits until all is read again. Who goes on where he stopped does not.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use super::unpack::{Decoded, Taken};

/// How many times its size a compressed file may give.
const MOST_RATIO: u64 = 100;
/// What a file may give in any case: one line, over and over, is a log too.
const FREE: u64 = 64 << 20;
/// What it may give at most, in bytes.
const MOST: u64 = 16 << 30;
/// Memory that a file may ask for, in bytes: what `zstd` takes up to level 19.
const MOST_WINDOW: u64 = 8 << 20;
/// Why no more of a text is read.
const BOMB: &str = "compressed, it is so much smaller that it is no log";
/// The same.
const BROKEN: &str = "its compressed data is broken or not whole";
/// Bytes that are unpacked at once.
const STEP: usize = 64 * 1024;

/// Reads the compressed bytes at an offset of theirs.
pub(crate) type Raw = Arc<dyn Fn(u64, &mut [u8]) -> io::Result<usize> + Send + Sync>;

/// Where the text of a compressed file ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Why.
    pub why: &'static str,
    /// Compressed bytes from there on, 1 or more: how long their text would be, nobody knows.
    pub left: u64,
}

/// The text of a compressed file.
pub(crate) struct Packed {
    raw: Raw,
    /// Its compressed bytes.
    size: u64,
    /// Bytes of text that are given out at most.
    most: u64,
    state: Mutex<State>,
}

struct State {
    from: Decoded,
    /// How far that has come.
    taken: Arc<Taken>,
    /// The last bytes of the text up to here.
    kept: Vec<u8>,
    /// How many of them are kept, so that a block and what lies before it can be read again.
    keep: usize,
    /// Where in the text the next byte stands.
    at: u64,
    /// Where the text ends, once that is known.
    end: Option<u64>,
    /// That it ends too early.
    broken: Option<Broken>,
}

impl Packed {
    /// The text of what `raw` reads, which has `size` bytes.
    pub(crate) fn new(raw: Raw, size: u64) -> Packed {
        let most = size.saturating_mul(MOST_RATIO).clamp(FREE, MOST);
        let state = Mutex::new(State::new(&raw));
        Packed { raw, size, most, state }
    }

    /// Reads at an offset of the text; 0 only at its end.
    ///
    /// # Errors
    /// If the compressed bytes can not be read. If they are no text, the text ends there.
    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.keep = state.keep.max(2 * buf.len() + STEP);
        if offset < state.at - state.kept.len() as u64 {
            let (end, broken) = (state.end, state.broken);
            *state = State { keep: state.keep, end, broken, ..State::new(&self.raw) };
        }
        while state.at <= offset && state.end.is_none_or(|end| state.at < end) {
            if let Err(error) = state.step(self.most, self.size) {
                // Half a step has been taken.
                *state = State { keep: state.keep, ..State::new(&self.raw) };
                return Err(error);
            }
        }
        let behind = usize::try_from(state.at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let text = &state.kept[state.kept.len().saturating_sub(behind)..];
        let len = text.len().min(buf.len());
        buf[..len].copy_from_slice(&text[..len]);
        Ok(len)
    }

    /// Bytes of the text; as long as that is not known, no fewer than it has.
    pub(crate) fn size(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.end.unwrap_or(self.most)
    }

    /// That the text ends too early, if it does and that is known.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).broken
    }
}

impl State {
    fn new(raw: &Raw) -> State {
        let from = Serial { raw: Arc::clone(raw), at: 0 };
        let taken = Arc::new(Taken::default());
        let from = Decoded::new(Box::new(from), taken.clone(), MOST_WINDOW);
        State { from, taken, kept: Vec::new(), keep: 0, at: 0, end: None, broken: None }
    }

    /// Unpacks some more of `size` bytes.
    fn step(&mut self, most: u64, size: u64) -> io::Result<()> {
        if self.kept.len() >= self.keep + STEP {
            self.kept.drain(..self.kept.len() - self.keep);
        }
        let left = usize::try_from(most - self.at).unwrap_or(usize::MAX);
        if left == 0 {
            self.end_early(BOMB, size);
            return Ok(());
        }
        let before = self.kept.len();
        self.kept.resize(before + STEP.min(left), 0);
        let result = self.from.read(&mut self.kept[before..]);
        let came = *result.as_ref().unwrap_or(&0);
        self.kept.truncate(before + came);
        self.at += came as u64;
        match result {
            Ok(0) => self.end = Some(self.at),
            Ok(_) => {}
            Err(error) if error.raw_os_error().is_some() => return Err(error),
            Err(_) => self.end_early(BROKEN, size),
        }
        Ok(())
    }

    fn end_early(&mut self, why: &'static str, size: u64) {
        self.end = Some(self.at);
        self.broken = Some(Broken { why, left: size.saturating_sub(self.taken.bytes()).max(1) });
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("most", &self.most).finish_non_exhaustive()
    }
}

/// Reads one byte after the other.
struct Serial {
    raw: Raw,
    at: u64,
}

impl Read for Serial {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = (self.raw)(self.at, buf)?;
        self.at += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(bytes: Vec<u8>) -> Raw {
        Arc::new(move |offset, buf: &mut [u8]| {
            let rest = &bytes[(offset as usize).min(bytes.len())..];
            let len = rest.len().min(buf.len()).min(1000);
            buf[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn packed(bytes: Vec<u8>) -> Packed {
        let size = bytes.len() as u64;
        Packed::new(raw(bytes), size)
    }

    #[test]
    fn any_place_of_the_text_can_be_read_in_any_order() {
        let text: Vec<u8> = (0..200_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let (first, second) = text.split_at(text.len() / 3);
        let packed = packed([gzip(first), gzip(second)].concat());
        let mut rng = fastrand::Rng::with_seed(7);
        let mut buf = [0; 5000];
        for _ in 0..60 {
            let offset = rng.usize(..text.len() + 9);
            let len = rng.usize(1..buf.len());
            let mut got = 0;
            while got < len {
                match packed.read_at((offset + got) as u64, &mut buf[got..len]).unwrap() {
                    0 => break,
                    n => got += n,
                }
            }
            let rest = &text[offset.min(text.len())..];
            assert!(buf[..got] == rest[..rest.len().min(len)], "at {offset}");
        }
        assert_eq!(packed.read_at(text.len() as u64, &mut buf).unwrap(), 0);
        assert_eq!((packed.size(), packed.broken()), (text.len() as u64, None));
    }

    #[test]
    fn a_bomb_ends_at_its_bound_and_little_is_held_of_it() {
        let bomb = gzip(&vec![b'x'; 100 << 20]);
        let size = bomb.len() as u64;
        let packed = packed(bomb);
        let mut buf = vec![0; 256 * 1024];
        let mut at = 0;
        loop {
            match packed.read_at(at, &mut buf).unwrap() {
                0 => break,
                n => at += n as u64,
            }
            assert!(packed.state.lock().unwrap().kept.capacity() < 2 << 20);
        }
        assert_eq!((at, packed.size()), (FREE, FREE));
        let broken = packed.broken().unwrap();
        assert_eq!(broken.why, BOMB);
        // A third of it was not unpacked.
        assert!((size / 3..size / 2).contains(&broken.left), "{} of {size}", broken.left);
    }

    #[test]
    fn what_breaks_off_ends_there_and_what_can_not_be_read_is_tried_again() {
        let text: Vec<u8> = (0..60_000u32).flat_map(|n| format!("{}\n", n * n % 9973).into_bytes()).collect();
        let whole = gzip(&text);
        let half = packed(whole[..whole.len() / 2].to_vec());
        let mut buf = [0; 9000];
        let mut found = Vec::new();
        loop {
            match half.read_at(found.len() as u64, &mut buf).unwrap() {
                0 => break,
                n => found.extend_from_slice(&buf[..n]),
            }
        }
        assert!(text.starts_with(&found) && found.len() > text.len() / 4);
        assert_eq!(half.size(), found.len() as u64);
        assert_eq!(half.broken(), Some(Broken { why: BROKEN, left: 1 }));
        let fails = Arc::new(AtomicBool::new(false));
        let (inner, on) = (raw(whole.clone()), Arc::clone(&fails));
        let reads: Raw = Arc::new(move |offset, buf: &mut [u8]| match on.load(Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(5)),
            false => inner(offset, buf),
        });
        let packed = Packed::new(reads, whole.len() as u64);
        assert!(packed.read_at(0, &mut buf).unwrap() > 0);
        fails.store(true, Ordering::Relaxed);
        assert_eq!(packed.read_at(text.len() as u64 - 1, &mut buf).unwrap_err().raw_os_error(), Some(5));
        fails.store(false, Ordering::Relaxed);
        assert_eq!(packed.read_at(text.len() as u64 - 1, &mut buf).unwrap(), 1);
        assert_eq!((buf[0], packed.broken()), (b'\n', None));
    }
}
