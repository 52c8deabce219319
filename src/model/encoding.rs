//! How the text of a log is written as bytes.

/// How the text of a log is written as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, and whatever else is not told apart from it: bytes stay as they are.
    #[default]
    Utf8,
    /// UTF-16, the less significant byte of a unit first.
    Utf16Le,
    /// UTF-16, the more significant byte of a unit first.
    Utf16Be,
}

/// Bytes at the beginning of a file that say how it is written, and are no text.
const MARKS: [(&[u8], Encoding); 3] =
    [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16Le), (b"\xfe\xff", Encoding::Utf16Be)];

impl Encoding {
    /// Bytes of a file that have to be known for [`Encoding::of`].
    pub const MARK: usize = 4;

    /// How a file is written that begins with `head`, and how many of these bytes are the mark that says so.
    ///
    /// The mark of UTF-8 is always one. Where nothing is `said`, that of UTF-16 is one if an ASCII character follows,
    /// since whoever writes the first bytes of a log must not make the rest of it unreadable; with fewer than
    /// [`Encoding::MARK`] bytes it is not known yet, and nothing can be lost by waiting. Where UTF-16 is said, the mark
    /// tells which; where UTF-8 is said, nothing is decoded.
    pub fn of(said: Option<Encoding>, head: &[u8]) -> (Encoding, usize) {
        let Some((mark, found)) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) else {
            return (said.unwrap_or_default(), 0);
        };
        let is_ascii = match (found, head.get(mark.len()..mark.len() + 2)) {
            (Encoding::Utf8, _) => return (Encoding::Utf8, mark.len()),
            (_, None) => None,
            (Encoding::Utf16Le, Some(unit)) => Some(unit[1] == 0 && matches!(unit[0], 1..=0x7f)),
            (Encoding::Utf16Be, Some(unit)) => Some(unit[0] == 0 && matches!(unit[1], 1..=0x7f)),
        };
        match (said, is_ascii) {
            (Some(Encoding::Utf8), _) | (None, Some(false)) => (Encoding::Utf8, 0),
            (Some(_), _) | (None, Some(true)) => (*found, mark.len()),
            (None, None) => (*found, 0),
        }
    }

    /// Bytes of its smallest unit.
    pub fn unit(self) -> usize {
        match self {
            Encoding::Utf8 => 1,
            Encoding::Utf16Le | Encoding::Utf16Be => 2,
        }
    }

    /// Where in `bytes`, which begin with a unit, the first line ends.
    pub fn line_end(self, bytes: &[u8]) -> Option<usize> {
        let units = |newline: [u8; 2]| bytes.as_chunks().0.iter().position(|unit| *unit == newline);
        let at = match self {
            Encoding::Utf8 => bytes.iter().position(|byte| *byte == b'\n'),
            Encoding::Utf16Le => units([b'\n', 0]),
            Encoding::Utf16Be => units([0, b'\n']),
        };
        at.map(|at| (at + 1) * self.unit())
    }

    /// How many of `bytes`, which stand at `offset` of a file, are NUL characters at their beginning.
    pub fn nuls(self, offset: u64, bytes: &[u8]) -> usize {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        // Half a unit is no character.
        let half = (offset + zeros as u64) % self.unit() as u64;
        zeros - usize::try_from(half).unwrap_or(0).min(zeros)
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding::*;
    use super::*;

    #[test]
    fn a_mark_says_how_a_file_is_written_if_it_can_be_believed() {
        let check =
            |said, head: &[u8], expected| assert_eq!(Encoding::of(said, head), expected, "{said:?} {head:?}");
        for (head, found, mark) in [
            (&b""[..], Utf8, 0),
            (b"a", Utf8, 0),
            (b"\xef\xbb", Utf8, 0),
            (b"\xef\xbb\xbf", Utf8, 3),
            (b"\xff", Utf8, 0),
            (b"\xff\xfea\0", Utf16Le, 2),
            (b"\xfe\xff\0ab", Utf16Be, 2),
            (b"\0\xff\xfe", Utf8, 0),
            // Not known yet, so nothing is taken for a mark.
            (b"\xff\xfe", Utf16Le, 0),
            (b"\xff\xfe\n", Utf16Le, 0),
            (b"\xfe\xff\0", Utf16Be, 0),
            // Two bytes of somebody's choice before lines of ASCII.
            (b"\xff\xfeab", Utf8, 0),
            (b"\xff\xfe\0a", Utf8, 0),
            (b"\xfe\xffa\0", Utf8, 0),
            (b"\xff\xfe\0\0", Utf8, 0),
        ] {
            check(None, head, (found, mark));
        }
        check(Some(Utf8), b"\xef\xbb\xbfa", (Utf8, 3));
        check(Some(Utf8), b"\xff\xfea\0", (Utf8, 0));
        check(Some(Utf16Be), b"\0a", (Utf16Be, 0));
        check(Some(Utf16Be), b"\xff\xfe\x2d\x4e", (Utf16Le, 2));
        check(Some(Utf16Be), b"\xef\xbb\xbfa", (Utf8, 3));
    }

    #[test]
    fn a_line_ends_with_a_unit() {
        let check =
            |encoding: Encoding, bytes: &[u8], end| assert_eq!(encoding.line_end(bytes), end, "{bytes:?}");
        check(Utf8, b"a\nb\n", Some(2));
        check(Utf8, b"a", None);
        check(Utf16Le, b"\n\n\n\0", Some(4));
        check(Utf16Le, b"a\0\n", None);
        check(Utf16Be, b"\n\0\0\n", Some(4));
    }

    #[test]
    fn half_a_unit_is_no_nul() {
        let check =
            |encoding: Encoding, offset, bytes: &[u8], nuls| assert_eq!(encoding.nuls(offset, bytes), nuls);
        check(Utf8, 1, b"\0\0\0a", 3);
        check(Utf16Le, 0, b"\0\0a\0", 2);
        check(Utf16Be, 2, b"\0\0\0a", 2);
        check(Utf16Be, 2, b"\0a", 0);
        check(Utf16Be, 3, b"\0\0\0\0a", 3);
        check(Utf16Be, 3, b"a", 0);
        check(Utf16Le, 0, b"\0", 0);
    }
}
