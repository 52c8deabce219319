//! Text of other encodings, as the UTF-8 that patterns are written for, with the way back to the bytes of the file.

use super::{Block, Scanned, Scanner, Tail};
use crate::model::Encoding;

/// The text of a block. The caller keeps one and offers it again, so that its room is used again.
#[derive(Debug, Default)]
pub struct Decoded {
    text: Vec<u8>,
    /// Where each line begins: in the text, and in the block. The first is the beginning of the text. Empty: the text
    /// is the block.
    lines: Vec<(usize, usize)>,
}

impl Decoded {
    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Replaces the text by that of `bytes`, which stand at `offset` of a file. A character whose end is not there is
    /// left out, and so is the end of one that begins before. Units that are no character become `U+FFFD`.
    pub fn decode(&mut self, encoding: Encoding, offset: u64, bytes: &[u8]) {
        self.text.clear();
        self.lines.clear();
        let unit: fn([u8; 2]) -> u16 = match encoding {
            Encoding::Utf8 => return self.text.extend_from_slice(bytes),
            Encoding::Utf16Le => u16::from_le_bytes,
            Encoding::Utf16Be => u16::from_be_bytes,
        };
        let from = usize::from(!offset.is_multiple_of(2)).min(bytes.len());
        self.lines.push((0, from));
        let mut at = from;
        let mut units = bytes[from..].as_chunks::<2>().0.iter().map(|bytes| unit(*bytes)).peekable();
        while let Some(first) = units.next() {
            let (found, len) = match (first, units.peek()) {
                (0xd800..=0xdbff, None) => break,
                (0xd800..=0xdbff, Some(second)) => match char::decode_utf16([first, *second]).next() {
                    Some(Ok(found)) => {
                        units.next();
                        (found, 4)
                    }
                    _ => (char::REPLACEMENT_CHARACTER, 2),
                },
                _ => (char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER), 2),
            };
            at += len;
            self.text.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
            if found == '\n' {
                self.lines.push((self.text.len(), at));
            }
        }
    }

    /// Where in the block that stands what stands at `at` in the text, which is the beginning of a character or the end.
    fn place(&self, at: usize) -> usize {
        let line = self.lines.partition_point(|(text, _)| *text <= at).saturating_sub(1);
        let Some((text, block)) = self.lines.get(line) else { return at };
        let before = String::from_utf8_lossy(&self.text[*text..at]);
        block + before.chars().map(|each| each.len_utf16() * 2).sum::<usize>()
    }
}

impl Scanner {
    /// As [`Scanner::longest`], for bytes that may have to be decoded.
    pub fn longest_encoded(longest: usize) -> usize {
        // What is shortest as UTF-8 has two bytes for one; half a character at either end is not to be used.
        2 * longest + 4
    }

    /// As [`Scanner::scan`] of a block whose text is `decoded`: places are those in the file and its block, lines those
    /// of the text.
    pub fn scan_decoded(&self, block: Block<'_>, decoded: &Decoded, out: &mut Scanned) {
        self.scan(Block { bytes: decoded.text(), ..block }, out);
        for hit in &mut out.hits {
            let at = usize::try_from(hit.at.offset - block.offset).unwrap_or(usize::MAX);
            hit.at.offset = block.offset + decoded.place(at) as u64;
        }
        out.consumed = match block.tail {
            // Half a character at the end of all is none.
            Tail::Final => block.bytes.len(),
            Tail::Wait | Tail::Flush => decoded.place(out.consumed),
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::FileId;
    use crate::rule::Ruleset;
    use crate::scan::samples;

    fn encode(encoding: Encoding, units: &[u16]) -> Vec<u8> {
        let bytes = |unit: &u16| match encoding {
            Encoding::Utf16Be => unit.to_be_bytes(),
            _ => unit.to_le_bytes(),
        };
        units.iter().flat_map(bytes).collect()
    }

    fn scanner(max_line: usize) -> Scanner {
        let ruleset = Ruleset { rules: vec![samples::rule(&["^.?(?<n>.*)$"], &[], &[])] };
        Scanner::new(&ruleset, |_| true, max_line)
    }

    /// Every line that fits, with its place, of a file that is read in pieces of these lengths, over and over.
    fn found(encoding: Encoding, bytes: &[u8], max_line: usize, pieces: &[usize]) -> Vec<(u64, String)> {
        let scanner = scanner(max_line);
        let (mut decoded, mut scanned) = (Decoded::default(), Scanned::default());
        let (mut offset, mut end, mut skipping, mut all) = (0, 0, false, Vec::new());
        let mut pieces = pieces.iter().cycle();
        loop {
            let tail = if end == bytes.len() { Tail::Final } else { Tail::Wait };
            end = bytes.len().min(end + pieces.next().unwrap());
            let tail = if end == bytes.len() { tail } else { Tail::Wait };
            let file = FileId(1);
            let block = Block { file, offset: offset as u64, bytes: &bytes[offset..end], skipping, tail };
            decoded.decode(encoding, block.offset, block.bytes);
            scanner.scan_decoded(block, &decoded, &mut scanned);
            for hit in scanned.matches(decoded.text()) {
                all.push((hit.at.offset, String::from_utf8_lossy(hit.line).into_owned()));
            }
            (offset, skipping) = (offset + scanned.consumed, scanned.skipping);
            if tail == Tail::Final {
                assert_eq!(offset, bytes.len());
                return all;
            }
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let text = "a\r\n\u{1f600}é\n\0\0b\nc";
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            let bytes = encode(encoding, &text.encode_utf16().collect::<Vec<_>>());
            for pieces in [&[1][..], &[3, 2], &[1000]] {
                let expected = [(0, "a"), (6, "\u{1f600}é"), (14, "b"), (22, "c")];
                let found = found(encoding, &bytes, 64, pieces);
                assert_eq!(found, expected.map(|(at, line)| (at, line.to_owned())), "{pieces:?}");
            }
        }
    }

    #[test]
    fn half_units_are_left_out_and_lone_ones_are_no_characters() {
        let mut decoded = Decoded::default();
        let mut check = |offset, bytes: &[u8], text: &str, end| {
            decoded.decode(Encoding::Utf16Le, offset, bytes);
            assert_eq!(String::from_utf8_lossy(decoded.text()), text);
            assert_eq!(decoded.place(decoded.text().len()), end, "{bytes:?}");
        };
        check(0, b"", "", 0);
        check(0, b"a", "", 0);
        check(1, b"\0a\0", "a", 3);
        check(0, b"a\0b", "a", 2);
        check(0, b"\x3d\xd8", "", 0);
        check(0, b"\x3d\xd8\0", "", 0);
        check(0, b"\x3d\xd8\0\xde", "\u{1f600}", 4);
        check(0, b"\x3d\xd8a\0", "\u{fffd}a", 4);
        check(0, b"\0\xdea\0", "\u{fffd}a", 4);
        decoded.decode(Encoding::Utf8, 7, b"a\xff\n");
        assert_eq!((decoded.text(), decoded.place(3)), (&b"a\xff\n"[..], 3));
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_is_what_the_whole_file_says(
            units in proptest::collection::vec(
                proptest::sample::select(vec![0x61, 0x62, 0x0a, 0x0d, 0, 0x0a0a, 0x0a00, 0xe9, 0x4e2d, 0xd83d, 0xde00]),
                0..60,
            ),
            half in any::<bool>(),
            big in any::<bool>(),
            max_line in 1usize..12,
            pieces in proptest::collection::vec(1usize..9, 1..5),
        ) {
            let encoding = if big { Encoding::Utf16Be } else { Encoding::Utf16Le };
            let mut bytes = encode(encoding, &units);
            bytes.extend(half.then_some(7));
            // The whole text, decoded by others, as a file that needs no decoding.
            let end = units.len() - usize::from(matches!(units.last(), Some(0xd800..=0xdbff)));
            let text = String::from_utf16_lossy(&units[..end]);
            let place = |at: u64| {
                let before = String::from_utf8_lossy(&text.as_bytes()[..at as usize]).into_owned();
                before.chars().map(|each| each.len_utf16() as u64 * 2).sum::<u64>()
            };
            let expected: Vec<(u64, String)> = found(Encoding::Utf8, text.as_bytes(), max_line, &[1000])
                .into_iter()
                .map(|(at, line)| (place(at), line))
                .collect();
            prop_assert_eq!(found(encoding, &bytes, max_line, &[1000]), expected.clone());
            // A line that is over-long is known to be so at the latest when all of it is there.
            prop_assert_eq!(found(encoding, &bytes, max_line, &pieces), expected);
        }
    }
}
