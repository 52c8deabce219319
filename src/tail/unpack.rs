//! The bytes of a log as they were written, out of a file that may be compressed. What it is, its bytes say, not its
//! name. Behind one compressed part another may follow, as rotation and `cat` make them.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};

/// Bytes that are held of each file: what is compressed is read in pieces.
const HELD: usize = 16 * 1024;
/// Bytes that say what a file is, at most.
const LONGEST: usize = 10;

/// What stands where in compressed files that can not be read here, and who can.
const FOREIGN: [(usize, &[u8], &str, &str); 4] = [
    (0, b"\xfd7zXZ\0", "xz", "xz -dc"),
    (4, b"1AY&SY", "bzip2", "bzip2 -dc"),
    (0, b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
    (0, b"PK\x03\x04", "zip", "unzip -p"),
];

/// How far a file was read, for those who look on from outside.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    bytes: AtomicU64,
    /// More was wanted when nothing was left.
    ended: AtomicBool,
}

impl Taken {
    /// Bytes of the file itself, compressed as they are.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// An empty last block and a checksum. A frame that breaks off would keep what it still looks back to, megabytes of
/// it; one that ends gives it out.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

/// Reads what is not compressed any more.
pub(crate) struct Decoded {
    state: State,
    taken: Arc<Taken>,
    /// Why a frame breaks off; said once what came before is read.
    broken: Option<io::Error>,
}

enum State {
    /// Nothing is known yet.
    Begin(Source),
    Plain(Source),
    Gzip(Box<GzDecoder<Source>>),
    Zstd(Box<StreamingDecoder<Source, FrameDecoder>>),
    /// A compressed part is over; another one may follow.
    Between(Source),
    /// It is over, or broken.
    End,
}

impl Decoded {
    /// Reads `from`, and says in `taken` how far. A file of zstd that asks for more memory than `most_window` bytes is
    /// refused.
    pub(crate) fn new(from: Box<dyn Read + Send>, taken: Arc<Taken>, most_window: u64) -> Decoded {
        let source = Source { from, held: Vec::new(), at: 0, taken: taken.clone(), most_window };
        Decoded { state: State::Begin(source), taken, broken: None }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Unsupported {
            return error;
        }
        if self.taken.ended.load(Ordering::Relaxed) {
            let text = "it ends in the middle of its compressed data: it was cut off, or is not yet complete";
            return io::Error::new(io::ErrorKind::UnexpectedEof, text);
        }
        io::Error::new(io::ErrorKind::InvalidData, format!("its compressed data is broken ({error})"))
    }

    fn read_on(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = match &mut self.state {
                State::Plain(source) => return source.read(buf),
                State::Gzip(decoder) => decoder.read(buf)?,
                State::Zstd(decoder) => match decoder.read(buf) {
                    Err(error) if self.broken.is_none() => {
                        self.broken = Some(error);
                        // Whether that works or not, what is wrong is known.
                        let last = BlockDecodingStrategy::UptoBlocks(1);
                        let _ = decoder.decoder.decode_blocks(&LAST_BLOCK[..], last);
                        continue;
                    }
                    result => result?,
                },
                State::End => return Ok(0),
                State::Begin(_) | State::Between(_) => 0,
            };
            if n > 0 {
                return Ok(n);
            }
            // Whatever fails on the way leaves nothing that could be read on.
            self.state = match std::mem::replace(&mut self.state, State::End) {
                State::Begin(source) => begin(source)?,
                State::Between(source) => go_on(source)?,
                State::Gzip(decoder) => State::Between(decoder.into_inner()),
                State::Zstd(decoder) => {
                    if let Some(error) = self.broken.take() {
                        return Err(error);
                    }
                    let (source, frame) = decoder.into_parts();
                    let sum = frame.get_checksum_from_data();
                    if sum.is_some() && sum != frame.get_calculated_checksum() {
                        return Err(io::Error::other("its checksum is another one"));
                    }
                    State::Between(source)
                }
                state => state,
            };
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_on(buf).map_err(|error| {
            self.state = State::End;
            self.explain(error)
        })
    }
}

/// What a file begins with decides what it is.
fn begin(mut source: Source) -> io::Result<State> {
    let head = source.peek(LONGEST)?;
    let is_it = |(at, magic, ..): &&(usize, &[u8], &str, &str)| {
        head.get(*at..).is_some_and(|bytes| bytes.starts_with(magic))
    };
    if let Some((_, _, name, way)) = FOREIGN.iter().find(is_it) {
        let text = format!(
            "it is compressed with {name}; only gzip and zstd are read here: try `{way} FILE | tripline replay … -`"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    Ok(part(source)?.unwrap_or_else(State::Plain))
}

/// Behind a compressed part only another one may follow, or the zeros that fill up the last block of a tape.
fn go_on(source: Source) -> io::Result<State> {
    let mut source = match part(source)? {
        Ok(state) => return Ok(state),
        Err(source) => source,
    };
    loop {
        let held = source.fill_buf()?;
        if held.is_empty() {
            return Ok(State::End);
        }
        if held.iter().any(|byte| *byte != 0) {
            return Err(io::Error::other("something else follows it"));
        }
        let zeros = held.len();
        source.consume(zeros);
    }
}

/// The compressed part that begins here; the source itself, if none does.
fn part(mut source: Source) -> io::Result<Result<State, Source>> {
    loop {
        let head = source.peek(LONGEST)?;
        if head.starts_with(b"\x1f\x8b\x08") {
            return Ok(Ok(State::Gzip(Box::new(GzDecoder::new(source)))));
        }
        let Some((magic, rest)) = head.split_first_chunk() else { return Ok(Err(source)) };
        match (u32::from_le_bytes(*magic), rest.first_chunk()) {
            (0xfd2f_b528, _) => {
                let most = source.most_window;
                let frame = StreamingDecoder::new_with_max_window_size(source, most);
                return Ok(Ok(State::Zstd(Box::new(frame.map_err(io::Error::other)?))));
            }
            // A frame of notes that are no content.
            (0x184d_2a50..=0x184d_2a5f, Some(len)) => {
                let len = 8 + u64::from(u32::from_le_bytes(*len));
                if io::copy(&mut source.by_ref().take(len), &mut io::sink())? < len {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            _ => return Ok(Err(source)),
        }
    }
}

/// A file as it is, with room to look at what comes.
struct Source {
    from: Box<dyn Read + Send>,
    held: Vec<u8>,
    /// Where in `held` that begins which was not yet taken.
    at: usize,
    taken: Arc<Taken>,
    most_window: u64,
}

impl Source {
    /// The next `len` bytes, fewer only at the end.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        self.held.drain(..std::mem::take(&mut self.at));
        while self.held.len() < len {
            if self.fetch()? == 0 {
                break;
            }
        }
        Ok(&self.held[..self.held.len().min(len)])
    }

    /// Holds more than it did.
    fn fetch(&mut self) -> io::Result<usize> {
        let before = self.held.len();
        self.held.resize(before + HELD, 0);
        let n = uninterrupted(&mut self.from, &mut self.held[before..]);
        self.held.truncate(before + *n.as_ref().unwrap_or(&0));
        n
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.held.len() {
            self.held.clear();
            self.at = 0;
            if self.fetch()? == 0 {
                self.taken.ended.store(true, Ordering::Relaxed);
            }
        }
        Ok(&self.held[self.at..])
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
        self.taken.bytes.fetch_add(len as u64, Ordering::Relaxed);
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.held.len() && buf.len() >= HELD {
            // What is not compressed goes straight to where it is wanted, and nothing is held.
            self.held = Vec::new();
            self.at = 0;
            let n = uninterrupted(&mut self.from, buf)?;
            self.taken.bytes.fetch_add(n as u64, Ordering::Relaxed);
            return Ok(n);
        }
        let held = self.fill_buf()?;
        let n = held.len().min(buf.len());
        buf[..n].copy_from_slice(&held[..n]);
        self.consume(n);
        Ok(n)
    }
}

fn uninterrupted(from: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buf) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    /// Gives so many bytes at a time.
    struct Drops(io::Cursor<Vec<u8>>, usize);

    impl Read for Drops {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = buf.len().min(self.1);
            self.0.read(&mut buf[..n])
        }
    }

    /// What is read of `bytes`, and what is said if they break off; in whatever pieces they come.
    fn read(bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let all = [1, 7, usize::MAX].map(|drop| {
            let taken = Arc::new(Taken::default());
            let source = Drops(io::Cursor::new(bytes.to_vec()), drop);
            let mut decoded = Decoded::new(Box::new(source), taken.clone(), 8 << 20);
            let mut text = Vec::new();
            let said = io::copy(&mut decoded, &mut text).err().map(|error| error.to_string());
            assert!(taken.bytes() <= bytes.len() as u64);
            assert!(said.is_some() || taken.bytes() == bytes.len() as u64, "{} bytes", taken.bytes());
            assert_eq!(decoded.read(&mut [0; 9]).unwrap(), 0, "it is over");
            (text, said)
        });
        assert!(all[0] == all[1] && all[1] == all[2], "{all:?}");
        let [one, ..] = all;
        one
    }

    #[track_caller]
    fn check(bytes: &[u8], text: &[u8]) {
        let (found, said) = read(bytes);
        assert_eq!(said, None);
        assert!(found == text, "{}", found.escape_ascii());
    }

    #[test]
    fn what_is_not_compressed_is_read_as_it_is() {
        for text in [&b""[..], b"a", b"\x1f", b"\x1f\x8b", b"\x28\xb5\x2f", b"\0\0\0\0", b"line\nline\n"] {
            check(text, text);
        }
    }

    #[test]
    fn parts_follow_each_other_in_any_order_and_zeros_fill_up() {
        let (one, two) = (b"one\n".repeat(50_000), b"two\n".repeat(3));
        let notes = b"\x50\x2a\x4d\x18\x05\0\0\0notes";
        for (parts, text) in [
            (vec![gzip(&one)], one.clone()),
            (vec![zstd(&one)], one.clone()),
            (vec![gzip(&one), gzip(&two)], [&one[..], &two].concat()),
            (vec![zstd(&two), zstd(&one)], [&two[..], &one].concat()),
            (vec![gzip(b""), zstd(&two), gzip(&one), vec![0; 40_000]], [&two[..], &one].concat()),
            (vec![notes.to_vec(), zstd(&two), notes.to_vec(), zstd(&two)], two.repeat(2)),
            (vec![zstd(b"")], Vec::new()),
        ] {
            check(&parts.concat(), &text);
        }
    }

    #[test]
    fn what_is_cut_off_gives_what_came_before_and_says_so() {
        let text: Vec<u8> = (0..60_000u32).flat_map(|n| format!("{}\n", n * n % 9973).into_bytes()).collect();
        for whole in [gzip(&text), zstd(&text), [gzip(b"first\n"), gzip(&text)].concat()] {
            for cut in [whole.len() - 1, whole.len() / 2, whole.len() - 5] {
                let (found, said) = read(&whole[..cut]);
                let longer = [b"first\n".as_slice(), &text].concat();
                assert!(text.starts_with(&found) || longer.starts_with(&found), "{} bytes", found.len());
                assert!(said.as_deref().is_some_and(|said| said.contains("it was cut off")), "{said:?}");
            }
            assert!(read(&whole[..whole.len() / 2]).0.len() > text.len() / 4);
        }
    }

    #[test]
    fn what_is_broken_is_said_and_never_panics() {
        let text = b"a line of a log\n".repeat(200);
        let mut rng = fastrand::Rng::with_seed(4);
        for whole in [gzip(&text), zstd(&text)] {
            for _ in 0..300 {
                let mut bytes = whole.clone();
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u8(..8);
                let (found, said) = read(&bytes);
                let harmless = found == text || at < 10;
                assert!(said.is_some() || harmless, "byte {at}: {}", found.escape_ascii());
            }
        }
        let (_, said) = read(&[gzip(&text), b"more".to_vec()].concat());
        assert!(said.is_some_and(|said| said.contains("something else follows")));
    }

    #[test]
    fn what_others_compress_is_refused_with_a_way_out() {
        for (at, magic, name, way) in FOREIGN {
            let said = read(&[&b"BZh9"[..at], magic, b"rest of it"].concat()).1.unwrap();
            assert!(said.contains(name) && said.contains(way), "{said}");
        }
        let (text, said) = read(b"BZhing is no archive");
        assert_eq!((text.len(), said), (20, None));
    }
}
