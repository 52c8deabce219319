//! What of the bytes between two newlines is the line.

/// Bytes that may follow `max_line` of them before a line is known to be over-long: `\r\n`.
pub(super) const LINE_END: usize = 2;

/// A line, as matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Bytes before its beginning that belong to no line.
    pub(super) hole: usize,
    /// NULs between those and `text`.
    pub(super) nuls: usize,
    /// What is held against the rules: without its line end, without NULs at its head, at most `max_line` bytes.
    pub(super) text: &'a [u8],
    /// True if it is over-long, whatever may follow.
    pub(super) cut: bool,
    /// True if there is nothing but NULs.
    pub(super) void: bool,
}

impl<'a> Line<'a> {
    /// Looks at `raw`: a line without its `\n`, or the beginning of one whose end is not known.
    ///
    /// NULs at the head come from holes: a log that was truncated under a writer that kept its offset. They count
    /// towards the length, so that a line can be judged from a bounded number of bytes; but `max_line` NULs at a
    /// time are a hole and no line, so that the line behind a hole of gigabytes is not lost as over-long.
    #[inline]
    pub(super) fn of(raw: &'a [u8], max_line: usize) -> Line<'a> {
        let nuls = raw.iter().take_while(|byte| **byte == 0).count();
        let hole = nuls - nuls % max_line;
        let body = &raw[hole..];
        let body = body.strip_suffix(b"\r").unwrap_or(body);
        let cut = body.len() > max_line;
        let text = &body[nuls - hole..body.len().min(max_line)];
        Line { hole, nuls: nuls - hole, text, cut, void: nuls == raw.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &[u8], hole: usize, text: &[u8], cut: bool) {
        let void = raw.iter().all(|byte| *byte == 0);
        let nuls = raw.iter().skip(hole).take_while(|byte| **byte == 0).count();
        assert_eq!(Line::of(raw, 4), Line { hole, nuls, text, cut, void }, "{}", raw.escape_ascii());
    }

    #[test]
    fn one_carriage_return_belongs_to_the_line_end() {
        check(b"ab\r", 0, b"ab", false);
        check(b"ab\r\r", 0, b"ab\r", false);
        check(b"\r", 0, b"", false);
        check(b"", 0, b"", false);
    }

    #[test]
    fn a_line_is_over_long_only_without_its_line_end() {
        check(b"abcd", 0, b"abcd", false);
        check(b"abcd\r", 0, b"abcd", false);
        check(b"abcde", 0, b"abcd", true);
        check(b"abcd\r\r", 0, b"abcd", true);
        check(b"abcd\rx", 0, b"abcd", true);
    }

    #[test]
    fn nuls_at_the_head_are_no_text_and_many_of_them_no_line() {
        check(b"\0ab", 0, b"ab", false);
        check(b"\0abcd", 0, b"abc", true);
        check(b"a\0b", 0, b"a\0b", false);
        check(b"\0\0\0\0abcd", 4, b"abcd", false);
        check(b"\0\0\0\0\0abcd", 4, b"abc", true);
        check(b"\0\0\0\0\0\0\0\0\0", 8, b"", false);
        check(b"\0\0\r", 0, b"", false);
    }
}
