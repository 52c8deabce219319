//! Where reading begins in a file that was there before its source. Few bytes are read, however long the file is.

use std::io;

use memchr::memchr;

use super::evidence::{ReadAt, fetch};
use crate::model::{Encoding, Timestamp};
use crate::scan::stamps::Stamps;
use crate::settings::{Source, Start};

/// What is gone through line by line, once the search has come that close.
const NEAR: u64 = 64 * 1024;
/// Bytes that are enough, mostly, to find a line with a stamp.
const GLANCE: usize = 16 * 1024;
/// Bytes of which at least one line is expected to begin, and to have a stamp: more than the longest line.
const STRETCH: usize = 2 * 1024 * 1024;

/// The offset at which a file of `size` bytes is begun that was last changed at `modified`. Always at the beginning of
/// a line, but for [`Start::End`] and where no line begins.
///
/// [`Start::Since`]: the first line whose stamp is no older, found by halving, so the stamps have to be in order. A
/// file without stamps is begun at its beginning if it was changed since, else at its end.
pub(super) fn begin(
    source: &Source,
    size: u64,
    modified: Timestamp,
    wall: Timestamp,
    mut read: impl ReadAt,
) -> io::Result<u64> {
    match source.start {
        Start::End => Ok(size),
        Start::Beginning => Ok(0),
        Start::Last(bytes) if bytes >= size => Ok(0),
        Start::Last(bytes) => {
            let (encoding, _) = Encoding::of(source.encoding, &fetch(&mut read, 0, Encoding::MARK)?);
            Ok(line_from(&mut read, size - bytes, size, encoding)?.unwrap_or(size))
        }
        Start::Since(span) => {
            let (oldest, near) = (wall.minus(span), modified.min(wall));
            let stamps = Stamps::new(source.format, source.max_line);
            let time = |line: &[u8]| stamps.of(line)?.resolve(&source.tz, near);
            match since(&mut read, size, oldest, time)? {
                // Half a line that is being written.
                Some(offset) if offset < size || modified < oldest => Ok(offset),
                Some(_) => last_line(&mut read, size),
                None if modified >= oldest => Ok(0),
                None => Ok(size),
            }
        }
    }
}

/// The first line that is no older than `oldest`, or the end; `None` if no line has a time.
fn since(
    read: &mut impl ReadAt,
    size: u64,
    oldest: Timestamp,
    time: impl Fn(&[u8]) -> Option<Timestamp>,
) -> io::Result<Option<u64>> {
    // What lies before `low` is older; `best` is the best answer yet, and what lies between it and `high` is not better.
    let (mut low, mut high, mut best) = (0, size, size);
    let mut any = false;
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        if let Some(line) = line_from(read, middle, high, Encoding::Utf8)? {
            match first_stamp(read, line, high, &time)? {
                Look::Stamp(at, stamp) if stamp < oldest => {
                    (low, any) = (at, true);
                    continue;
                }
                Look::Stamp(at, _) => (best, any) = (at, true),
                // Lines without a stamp go with the one before them.
                Look::Nothing => {}
                // To read too much is better than too little.
                Look::Unknown => best = line,
            }
        }
        high = middle;
    }
    let mut older = low > 0;
    let young = |line: &[u8]| {
        let time = time(line)?;
        any = true;
        older |= time < oldest;
        Some(time).filter(|time| *time >= oldest)
    };
    Ok(match first_stamp(read, low, high, young)? {
        // What stands above the first stamp of all belongs to it.
        Look::Stamp(..) if !older => Some(0),
        Look::Stamp(at, _) => Some(at),
        Look::Nothing => Some(best).filter(|_| any),
        Look::Unknown => Some(low).filter(|_| any),
    })
}

/// What a look at some lines showed.
enum Look {
    /// The first line with a stamp.
    Stamp(u64, Timestamp),
    /// None of them has one.
    Nothing,
    /// They were not all looked at.
    Unknown,
}

/// Looks for a stamp at the lines that begin between two offsets; at `from` a line begins.
fn first_stamp(
    read: &mut impl ReadAt,
    from: u64,
    to: u64,
    mut time: impl FnMut(&[u8]) -> Option<Timestamp>,
) -> io::Result<Look> {
    for len in [GLANCE, STRETCH] {
        let bytes = fetch(read, from, len)?;
        let mut at = 0;
        while let Some(end) = memchr(b'\n', &bytes[at..]) {
            if from + at as u64 >= to {
                return Ok(Look::Nothing);
            }
            if let Some(stamp) = time(&bytes[at..at + end]) {
                return Ok(Look::Stamp(from + at as u64, stamp));
            }
            at += end + 1;
        }
        if bytes.len() < len || from + at as u64 >= to {
            return Ok(Look::Nothing);
        }
    }
    Ok(Look::Unknown)
}

/// The first line that begins at `from` or behind it and not behind `to`, if that is not too far away.
fn line_from(read: &mut impl ReadAt, from: u64, to: u64, encoding: Encoding) -> io::Result<Option<u64>> {
    let unit = encoding.unit() as u64;
    let Some(mut at) = from.next_multiple_of(unit).checked_sub(unit) else { return Ok(Some(0)) };
    let end = to.min(at.saturating_add(STRETCH as u64));
    while at < end {
        let len = usize::try_from(end - at).map_or(GLANCE, |left| left.min(GLANCE));
        let bytes = fetch(read, at, len)?;
        if let Some(behind) = encoding.line_end(&bytes) {
            return Ok(Some(at + behind as u64));
        }
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
    }
    Ok(None)
}

/// Where the line begins that has not ended yet, if there is one and it is no longer than some line may be.
fn last_line(read: &mut impl ReadAt, size: u64) -> io::Result<u64> {
    let from = size.saturating_sub(STRETCH as u64);
    let bytes = fetch(read, from, STRETCH)?;
    let newline = memchr::memrchr(b'\n', &bytes);
    Ok(newline.map_or(if from == 0 { 0 } else { size }, |at| from + at as u64 + 1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::bench::source;
    use super::*;
    use crate::model::Format;

    /// 2026-03-01T12:00:00Z.
    const NOON: i64 = 1_772_366_400;

    fn stamped(seconds: i64, text: &str) -> String {
        format!("{} {text}\n", Timestamp::from_secs(seconds))
    }

    fn begun(start: Start, modified: i64, text: &[u8]) -> (u64, usize) {
        begun_as(Format::Plain, start, modified, text)
    }

    /// Where it is begun, and how many bytes were read for that.
    fn begun_as(format: Format, start: Start, modified: i64, text: &[u8]) -> (u64, usize) {
        let source = Source { start, format, ..source("s", &["/d/*.log"]) };
        let mut taken = 0;
        let read = |offset: u64, buf: &mut [u8]| {
            let from = usize::try_from(offset).unwrap().min(text.len());
            let len = buf.len().min(text.len() - from);
            buf[..len].copy_from_slice(&text[from..from + len]);
            taken += len;
            Ok(len)
        };
        let wall = Timestamp::from_secs(NOON);
        let at = begin(&source, text.len() as u64, Timestamp::from_secs(modified), wall, read).unwrap();
        (at, taken)
    }

    #[test]
    fn the_last_bytes_begin_with_a_whole_line() {
        let check = |text: &str, bytes: u64, expected: &str| {
            let (at, _) = begun(Start::Last(bytes), NOON, text.as_bytes());
            assert_eq!(&text[usize::try_from(at).unwrap()..], expected, "{text:?}, {bytes}");
        };
        check("one\ntwo\nthree\n", 100, "one\ntwo\nthree\n");
        check("one\ntwo\nthree\n", 14, "one\ntwo\nthree\n");
        check("one\ntwo\nthree\n", 13, "two\nthree\n");
        check("one\ntwo\nthree\n", 10, "two\nthree\n");
        check("one\ntwo\nthree\n", 9, "three\n");
        check("one\ntwo\nthree\n", 6, "three\n");
        check("one\ntwo\nthree\n", 5, "");
        check("one\ntwo\nthr", 3, "thr");
        check("one\ntwo\nthr", 2, "");
        check("one\ntwo\n", 0, "");
        check("", 0, "");
    }

    #[test]
    fn the_last_bytes_of_utf_16_begin_with_a_whole_line_too() {
        for (mark, bytes) in
            [(b"\xff\xfe", u16::to_le_bytes as fn(u16) -> [u8; 2]), (b"\xfe\xff", u16::to_be_bytes)]
        {
            // The second letter is a line feed and a half, wherever its halves stand.
            let units = "one\n\u{a0a}two\nthree\n".encode_utf16().flat_map(bytes);
            let text: Vec<u8> = mark.iter().copied().chain(units).collect();
            for (last, expected) in [(100, 0), (25, 10), (22, 10), (21, 20), (12, 20), (11, 32)] {
                assert_eq!(begun(Start::Last(last), NOON, &text).0, expected, "{last} of {}", text.len());
            }
        }
    }

    #[test]
    fn a_line_that_is_no_older_begins_what_was_written_since() {
        let check = |ages: &[i64], rest: &str, expected: usize| {
            let mut text = String::new();
            let mut begins = Vec::new();
            for age in ages {
                begins.push(text.len());
                text += &stamped(NOON - age, "one\n  and its second line");
            }
            begins.push(text.len());
            text += rest;
            begins.push(text.len());
            let (at, _) = begun(Start::Since(Duration::from_secs(900)), NOON, text.as_bytes());
            let expected = begins[expected];
            assert_eq!(usize::try_from(at).unwrap(), expected, "{ages:?} {rest:?}");
        };
        check(&[3000, 2000, 901, 900, 10], "", 3);
        check(&[900, 10], "", 0);
        check(&[3000, 901], "", 2);
        check(&[3000, 901], "half a li", 2);
        check(&[3000, 10], "half a li", 1);
    }

    #[test]
    fn a_file_without_stamps_is_read_whole_if_it_was_changed_since() {
        let check = |age: i64, expected: u64| {
            let text = "no time stands here\n".repeat(10_000);
            let (at, _) = begun(Start::Since(Duration::from_secs(900)), NOON - age, text.as_bytes());
            assert_eq!(at, expected, "changed {age} s ago");
        };
        check(900, 0);
        check(901, 200_000);
    }

    #[test]
    fn a_stamp_without_a_year_is_of_the_nearest_one() {
        let text = "Mar  1 11:00:00 h x\nMar  1 11:50:00 h y\n";
        assert_eq!(begun(Start::Since(Duration::from_secs(900)), NOON, text.as_bytes()).0, 20);
    }

    #[test]
    fn stamps_in_fields_are_found_wherever_they_stand() {
        let line = |time: i64| format!("{{\"n\":1,\"t\":{time}}}\n");
        let text = line(NOON - 1000) + &line(NOON - 10);
        let start = Start::Since(Duration::from_secs(900));
        let format = Format::Json;
        assert_eq!(begun_as(format, start, NOON, text.as_bytes()).0, text.len() as u64 / 2);
        assert_eq!(
            begun_as(Format::Plain, start, NOON, text.as_bytes()).0,
            0,
            "that is a number as any other"
        );
    }

    #[test]
    fn of_a_long_file_few_bytes_are_read() {
        let text: String = (0..400_000).map(|n| stamped(NOON - 40_000 + n / 10, "a line")).collect();
        let (at, taken) = begun(Start::Since(Duration::from_secs(60)), NOON, text.as_bytes());
        let rest = &text[usize::try_from(at).unwrap()..];
        assert_eq!(rest.lines().count(), 600);
        assert!(taken < text.len() / 10, "{taken} of {}", text.len());
    }

    proptest! {
        #[test]
        fn halving_finds_what_going_through_all_lines_finds(
            steps in prop::collection::vec((0_i64..4, 0_usize..3, 0_usize..3000), 1..200),
            age in 0_i64..400,
        ) {
            let mut text = String::new();
            let mut time = NOON - steps.iter().map(|(step, ..)| step).sum::<i64>();
            let mut expected = None;
            for (step, more, len) in steps {
                time += step;
                if time >= NOON - age {
                    expected.get_or_insert(text.len());
                }
                text += &stamped(time, &"x".repeat(len));
                text += &"  goes on without a stamp\n".repeat(more);
            }
            let (at, _) = begun(Start::Since(Duration::from_secs(u64::try_from(age).unwrap())), NOON, text.as_bytes());
            prop_assert_eq!(usize::try_from(at).unwrap(), expected.unwrap_or(text.len()));
        }
    }
}
