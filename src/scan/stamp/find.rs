//! Finds a stamp by positions and separators, never by regex: it is asked of lines by the million.

use std::time::Duration;

use memchr::{memchr_iter, memchr2_iter};

use super::{Civil, Stamp};
use crate::model::Timestamp;

/// Bytes of a line that are looked at.
const LOOKED_AT: usize = 256;
/// Bytes of a line in which a date that stands behind other words is looked for.
const LAST_RESORT: usize = 128;
/// Seconds of an epoch stamp that are believed: 2001-09-09 up to 2100. Other numbers of ten digits are numbers.
const EPOCH: std::ops::Range<i64> = 1_000_000_000..4_102_444_800;

/// Hour, minute, second.
type Clock = (i8, i8, i8);

/// The stamp of a line, looked for in its first 256 bytes; `None` if it has none.
///
/// Formats, in the order in which they are tried; fractions follow `.` or `,`:
///
/// * syslog `Dec 10 06:55:46` (RFC 3164), also behind a priority `<34>` or a year; RFC 5424 `<34>1 2003-…`
/// * klog `I1121 09:15:50.123456`; C's `asctime`, as in Apache's `[Sun Dec 04 04:47:44 2005]`
/// * `2026-01-02T15:04:05` (RFC 3339, ISO 8601) with `T` or a space, and Go's `2026/01/02 15:04:05`; behind it
///   `Z`, `UTC`, `GMT`, `+08:00`, `+0800`, `+08` or no zone
/// * `05-Jan-2026 10:00:00.123`, as BIND and PHP write it, and Redis's `05 Jan 2026 10:00:00.123`, with a zone or without
/// * HDFS `081109 203615`
/// * seconds, milliseconds or microseconds since 1970 in 10, 13 or 16 digits, also in brackets
/// * JSON: `"time"`, `"ts"`, `"timestamp"`, `"@timestamp"` with a date or such a number
/// * anywhere: `[10/Oct/2000:13:55:36 -0700]` (Common Log Format) and `audit(1364481363.243:`
/// * an ISO date and time, or one of BIND, PHP and Redis, that begins a word within the first 128 bytes
pub fn find(line: &[u8]) -> Option<Stamp> {
    let line = &line[..line.len().min(LOOKED_AT)];
    let leading = match line.first()? {
        b'<' => behind_priority(line),
        b'[' => asctime(&line[1..]).or_else(|| numeric(&line[1..])),
        b'{' => json(line),
        _ => plain(line),
    };
    leading.or_else(|| in_brackets(line)).or_else(|| behind_words(line))
}

/// A stamp that `text` begins with, where it is known that it is one: the value of a field. Besides the formats that
/// lines begin with: nanoseconds since 1970 in 19 digits, and the Common Log Format without its brackets.
pub(in crate::scan) fn alone(text: &[u8]) -> Option<Stamp> {
    let nanos = || epoch(text.get(..16).filter(|_| text.len() == 19 && text.iter().all(u8::is_ascii_digit))?);
    plain(text).or_else(|| common_log(text)).or_else(nanos)
}

/// Seconds since 1970, and the nanoseconds beside them.
pub(in crate::scan) fn of_seconds(seconds: &[u8], nanos: &[u8]) -> Option<Stamp> {
    let Stamp::Instant(seconds) = epoch(seconds)? else { return None };
    let nanos: u64 = std::str::from_utf8(nanos).ok()?.parse().unwrap_or(0);
    let within = Duration::from_nanos(nanos.min(999_999_999));
    Some(Stamp::Instant(seconds.plus(within)))
}

fn plain(text: &[u8]) -> Option<Stamp> {
    match text.first()? {
        b'A'..=b'Z' => syslog(text, None).or_else(|| klog(text)).or_else(|| asctime(text)),
        b'0'..=b'9' => numeric(text).or_else(|| syslog(text.get(5..)?, Some(year_before_space(text)?))),
        _ => None,
    }
}

fn numeric(text: &[u8]) -> Option<Stamp> {
    iso(text).or_else(|| dated(text)).or_else(|| hdfs(text)).or_else(|| epoch(text))
}

fn behind_priority(line: &[u8]) -> Option<Stamp> {
    let digits = line[1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    let text = line[1 + digits..].strip_prefix(b">")?;
    plain(text.strip_prefix(b"1 ").unwrap_or(text))
}

fn syslog(text: &[u8], year: Option<i16>) -> Option<Stamp> {
    let month = month(text)?;
    let (day, text) = padded_day(text.get(3..)?)?;
    let (time, text) = clock(text.strip_prefix(b" ")?)?;
    let (micros, _) = fraction(text);
    Civil::checked(year, (month, day), time, micros).map(Stamp::Civil)
}

fn klog(text: &[u8]) -> Option<Stamp> {
    let (level, date) = text.split_first()?;
    if !b"IWEF".contains(level) {
        return None;
    }
    let day = (two(date)?, two(date.get(2..)?)?);
    let (time, text) = clock(date.get(4..)?.strip_prefix(b" ")?)?;
    let (micros, _) = fraction(text);
    Civil::checked(None, day, time, micros).map(Stamp::Civil)
}

fn asctime(text: &[u8]) -> Option<Stamp> {
    const WEEKDAYS: [&[u8]; 7] = [b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun "];
    let (weekday, text) = text.split_at_checked(4)?;
    if !WEEKDAYS.contains(&weekday) {
        return None;
    }
    let month = month(text)?;
    let (day, text) = padded_day(text.get(3..)?)?;
    let (time, text) = clock(text.strip_prefix(b" ")?)?;
    let (micros, text) = fraction(text);
    let text = text.strip_prefix(b" ")?;
    let year = four(text)?;
    if text.get(4).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    Civil::checked(Some(year), (month, day), time, micros).map(Stamp::Civil)
}

fn iso(text: &[u8]) -> Option<Stamp> {
    let separator = *text.get(4)?;
    if !matches!(separator, b'-' | b'/') || text.get(7) != Some(&separator) {
        return None;
    }
    if !matches!(text.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let year = four(text)?;
    let day = (two(&text[5..])?, two(&text[8..])?);
    let (time, text) = clock(&text[11..])?;
    let (micros, text) = fraction(text);
    zoned(Civil::checked(Some(year), day, time, micros)?, text)
}

fn dated(text: &[u8]) -> Option<Stamp> {
    let separator = *text.get(2)?;
    if !matches!(separator, b'-' | b' ') || text.get(6) != Some(&separator) || text.get(11) != Some(&b' ') {
        return None;
    }
    let day = (month(&text[3..])?, two(text)?);
    let (time, rest) = clock(&text[12..])?;
    let (micros, rest) = fraction(rest);
    zoned(Civil::checked(Some(four(&text[7..])?), day, time, micros)?, rest)
}

fn hdfs(text: &[u8]) -> Option<Stamp> {
    if text.get(6)? != &b' ' || text.get(13).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let (date, time) = (&text[..6], text.get(7..13)?);
    let short = i16::from(two(date)?);
    let year = if short < 70 { 2000 + short } else { 1900 + short };
    let day = (two(&date[2..])?, two(&date[4..])?);
    let time = (two(time)?, two(&time[2..])?, two(&time[4..])?);
    Civil::checked(Some(year), day, time, 0).map(Stamp::Civil)
}

fn epoch(text: &[u8]) -> Option<Stamp> {
    let digits = text.iter().take(17).take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[..digits].iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let (micros, rest) = match digits {
        10 => {
            let (micros, rest) = fraction(&text[10..]);
            (number * 1_000_000 + i64::from(micros), rest)
        }
        13 => (number * 1_000, &text[13..]),
        16 => (number, &text[16..]),
        _ => return None,
    };
    let ends = rest.first().is_none_or(|byte| byte.is_ascii_whitespace() || b"],;|:})\"".contains(byte));
    (ends && EPOCH.contains(&micros.div_euclid(1_000_000))).then_some(Stamp::Instant(Timestamp(micros)))
}

fn json(line: &[u8]) -> Option<Stamp> {
    // Inside a string a quote is escaped, so `"ts"` with both its quotes bare can only be a key or a whole value.
    memchr_iter(b'"', line).find_map(|quote| {
        let text = &line[quote..];
        let keys: [&[u8]; 4] = [b"\"time\"", b"\"ts\"", b"\"timestamp\"", b"\"@timestamp\""];
        let key = keys.into_iter().find(|key| text.starts_with(key))?;
        let value = text[key.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        iso(value).or_else(|| epoch(value))
    })
}

fn in_brackets(line: &[u8]) -> Option<Stamp> {
    memchr2_iter(b'[', b'(', line).find_map(|at| {
        let inside = &line[at + 1..];
        if line[at] == b'[' {
            return common_log(inside);
        }
        line[..at].ends_with(b"audit").then(|| epoch(inside)).flatten()
    })
}

fn common_log(text: &[u8]) -> Option<Stamp> {
    if text.get(2)? != &b'/' || text.get(6)? != &b'/' || text.get(11)? != &b':' {
        return None;
    }
    let day = (month(&text[3..])?, two(text)?);
    let (time, rest) = clock(&text[12..])?;
    let (micros, rest) = fraction(rest);
    zoned(Civil::checked(Some(four(&text[7..])?), day, time, micros)?, rest)
}

fn behind_words(line: &[u8]) -> Option<Stamp> {
    // The first colon of a date with a time stands 13 bytes behind its beginning, or 14 if its month is a word.
    memchr_iter(b':', &line[..line.len().min(LAST_RESORT)]).find_map(|colon| {
        let from = |back: usize| {
            let start = colon.checked_sub(back)?;
            let begins = start == 0 || !line[start - 1].is_ascii_alphanumeric();
            begins.then(|| &line[start..])
        };
        let digits = from(13).filter(|text| text[4] == b'-').and_then(iso);
        digits.or_else(|| from(14).filter(|text| text[3].is_ascii_uppercase()).and_then(dated))
    })
}

/// The stamp of `civil`, given what stands behind its time.
fn zoned(civil: Civil, behind: &[u8]) -> Option<Stamp> {
    let spaced = behind.strip_prefix(b" ");
    let zone = spaced.unwrap_or(behind);
    let offset = match zone.first() {
        Some(b'Z' | b'z') if spaced.is_none() => Some(0),
        Some(b'+' | b'-') => offset(zone, spaced.is_none()),
        Some(b'U' | b'G') if zone.starts_with(b"UTC") || zone.starts_with(b"GMT") => {
            let ends = zone.get(3).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"+-".contains(byte));
            ends.then_some(0)
        }
        _ => None,
    };
    match offset {
        Some(offset) => civil.at_offset(offset),
        None => Some(Stamp::Civil(civil)),
    }
}

/// Seconds east of UTC, from `+08:00`, `+0800` or (if `hours_alone`) `+08`.
fn offset(zone: &[u8], hours_alone: bool) -> Option<i64> {
    let (sign, digits) = zone.split_first()?;
    let hours = two(digits)?;
    let rest = &digits[2..];
    let (minutes, rest) = match two(rest.strip_prefix(b":").unwrap_or(rest)) {
        Some(minutes) => (minutes, &rest[2 + usize::from(rest[0] == b':')..]),
        None if hours_alone => (0, rest),
        None => return None,
    };
    if hours > 18 || minutes > 59 || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let seconds = (i64::from(hours) * 60 + i64::from(minutes)) * 60;
    Some(if *sign == b'-' { -seconds } else { seconds })
}

/// `HH:MM:SS` and what stands behind it; its ranges are not checked.
fn clock(text: &[u8]) -> Option<(Clock, &[u8])> {
    let (clock, rest) = text.split_at_checked(8)?;
    if clock[2] != b':' || clock[5] != b':' || rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some(((two(clock)?, two(&clock[3..])?, two(&clock[6..])?), rest))
}

/// Microseconds of a fraction, and what stands behind it; zero and all of `text` if there is none.
fn fraction(text: &[u8]) -> (u32, &[u8]) {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return (0, text);
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return (0, text);
    }
    let micros = (0..6).fold(0, |micros, place| {
        let digit = if place < count { digits[place] - b'0' } else { 0 };
        micros * 10 + u32::from(digit)
    });
    (micros, &digits[count..])
}

/// A space, then a day of one or two digits that may be padded with another space.
#[inline]
fn padded_day(text: &[u8]) -> Option<(i8, &[u8])> {
    let text = text.strip_prefix(b" ")?;
    let text = text.strip_prefix(b" ").unwrap_or(text);
    match two(text) {
        Some(day) => Some((day, &text[2..])),
        None => Some((digit(*text.first()?)?, &text[1..])),
    }
}

fn year_before_space(text: &[u8]) -> Option<i16> {
    if text.get(4)? == &b' ' { four(text) } else { None }
}

fn month(text: &[u8]) -> Option<i8> {
    Some(match text.get(..3)? {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

fn digit(byte: u8) -> Option<i8> {
    if byte.is_ascii_digit() { i8::try_from(byte - b'0').ok() } else { None }
}

fn two(text: &[u8]) -> Option<i8> {
    let [tens, ones, ..] = text else { return None };
    Some(digit(*tens)? * 10 + digit(*ones)?)
}

fn four(text: &[u8]) -> Option<i16> {
    Some(i16::from(two(text)?) * 100 + i16::from(two(text.get(2..)?)?))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn shown(stamp: Stamp) -> String {
        match stamp {
            Stamp::Instant(instant) => instant.to_string(),
            Stamp::Civil(c) => {
                let year = c.year.map_or("----".to_owned(), |year| year.to_string());
                let fraction = if c.micros == 0 { String::new() } else { format!(".{:06}", c.micros) };
                format!(
                    "{year}-{:02}-{:02} {:02}:{:02}:{:02}{fraction}",
                    c.month, c.day, c.hour, c.minute, c.second
                )
            }
        }
    }

    fn check(table: &[(&str, &str)]) {
        for (line, expected) in table {
            let found = find(line.as_bytes()).map_or("none".to_owned(), shown);
            assert_eq!(found, *expected, "{line}");
        }
    }

    #[test]
    fn syslog_stamps_are_civil_and_have_no_year_unless_it_stands_before() {
        check(&[
            ("Dec 10 06:55:46 host sshd[1]: x", "-----12-10 06:55:46"),
            ("Dec  1 06:55:46 host sshd[1]: x", "-----12-01 06:55:46"),
            ("Dec 1 06:55:46 host x", "-----12-01 06:55:46"),
            ("Jan 31 23:59:60 host x", "-----01-31 23:59:59.999999"),
            ("Feb 29 00:00:00 host x", "-----02-29 00:00:00"),
            ("Dec 10 06:55:46.125 host x", "-----12-10 06:55:46.125000"),
            ("2026 Dec 10 06:55:46 host x", "2026-12-10 06:55:46"),
            ("<34>Oct 11 22:14:15 mymachine su: x", "-----10-11 22:14:15"),
            ("<165>1 2003-10-11T22:14:15.003Z host app - ID47 - x", "2003-10-11T22:14:15.003Z"),
            ("<34>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 x", "2003-08-24T12:14:15.000003Z"),
            ("Dec 10 06:55:46", "-----12-10 06:55:46"),
            ("I1121 09:15:50.123456    1 main.go:1] x", "-----11-21 09:15:50.123456"),
            ("F0229 00:00:00.000001 7 x.go:2] x", "-----02-29 00:00:00.000001"),
        ]);
    }

    #[test]
    fn dates_in_digits_know_their_zone_if_they_name_it() {
        check(&[
            ("2026-01-02T15:04:05Z x", "2026-01-02T15:04:05Z"),
            ("2026-01-02T15:04:05.5+08:00 x", "2026-01-02T07:04:05.5Z"),
            ("2026-01-02T15:04:05.123456789Z stdout F x", "2026-01-02T15:04:05.123456Z"),
            ("2026-01-02 15:04:05+0800", "2026-01-02T07:04:05Z"),
            ("2026-01-02 15:04:05 -0330 x", "2026-01-02T18:34:05Z"),
            ("2026-01-02 15:04:05+00 x", "2026-01-02T15:04:05Z"),
            ("2026-01-02 15:04:05 -12 x", "2026-01-02 15:04:05"),
            ("2026-01-02 15:04:05+99:00 x", "2026-01-02 15:04:05"),
            ("2026-01-01 00:00:00.123 UTC [7] LOG:  x", "2026-01-01T00:00:00.123Z"),
            ("2026-01-01 00:00:00 GMT x", "2026-01-01T00:00:00Z"),
            ("2026-01-01 00:00:00.123 CET [7] LOG:  x", "2026-01-01 00:00:00.123000"),
            ("2026-01-01 00:00:00 UTCX x", "2026-01-01 00:00:00"),
            ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2000-03-01T00:00:00Z", "2000-03-01T00:00:00Z"),
            ("2015-10-18 18:01:47,978 INFO [main] x", "2015-10-18 18:01:47.978000"),
            ("2015-07-29 17:41:44,747 - INFO  [x:y@1] - z", "2015-07-29 17:41:44.747000"),
            ("2026-01-02 15:04:05, x", "2026-01-02 15:04:05"),
            ("2026/01/02 15:04:05 [error] 1#1: x", "2026-01-02 15:04:05"),
            ("2026/01/02 15:04:05.000250 main.go:1: x", "2026-01-02 15:04:05.000250"),
            ("[2026-01-02 15:04:05,1] x", "2026-01-02 15:04:05.100000"),
            ("081109 203615 148 INFO x", "2008-11-09 20:36:15"),
            ("991231 235959", "1999-12-31 23:59:59"),
            ("05-Jan-2026 10:00:00.123 client @0x7f x", "2026-01-05 10:00:00.123000"),
            ("[05-Jan-2026 10:00:00 UTC] PHP Fatal error: x", "2026-01-05T10:00:00Z"),
            ("[05-Jan-2026 10:00:00] NOTICE: fpm is running", "2026-01-05 10:00:00"),
            ("[05-Jan-2026 10:00:00 Europe/Berlin] x", "2026-01-05 10:00:00"),
            ("1:M 05 Jan 2026 10:00:00.123 # x", "2026-01-05 10:00:00.123000"),
            ("[7] 05 Jan 10:00:00 # x", "none"),
            ("05-Jan-26 10:00:00 x", "none"),
            ("x1:M 35 Jan 2026 10:00:00 # x", "none"),
        ]);
    }

    #[test]
    fn web_servers_put_it_in_brackets() {
        check(&[
            ("[Sun Dec 04 04:47:44 2005] [notice] x", "2005-12-04 04:47:44"),
            ("[Sun Dec  4 04:47:44 2005] x", "2005-12-04 04:47:44"),
            ("[Sun Dec 04 04:47:44.123456 2005] [core:error] x", "2005-12-04 04:47:44.123456"),
            ("Sun Dec 04 04:47:44 2005 : x", "2005-12-04 04:47:44"),
            (
                "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET / HTTP/1.0\" 200 5",
                "2000-10-10T20:55:36Z",
            ),
            ("[a] (b) [10/Oct/2000:13:55:36 +0000]", "2000-10-10T13:55:36Z"),
            ("h [10/Oct/2000:13:55:36]", "2000-10-10 13:55:36"),
        ]);
    }

    #[test]
    fn numbers_since_the_epoch_have_ten_thirteen_or_sixteen_digits() {
        check(&[
            ("1700000000 x", "2023-11-14T22:13:20Z"),
            ("1700000000.123    12 10.0.0.1 TCP_MISS/200", "2023-11-14T22:13:20.123Z"),
            ("[1700000000.123] x", "2023-11-14T22:13:20.123Z"),
            ("1700000000123 x", "2023-11-14T22:13:20.123Z"),
            ("1700000000123456", "2023-11-14T22:13:20.123456Z"),
            ("type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e", "2013-03-28T14:36:03.243Z"),
        ]);
    }

    #[test]
    fn json_lines_name_it() {
        check(&[
            (r#"{"level":"info","time":"2026-01-02T15:04:05Z","msg":"x"}"#, "2026-01-02T15:04:05Z"),
            (r#"{"level":"info","ts":1700000000.1,"msg":"x"}"#, "2023-11-14T22:13:20.1Z"),
            (r#"{"timestamp" : 1700000000123}"#, "2023-11-14T22:13:20.123Z"),
            (r#"{"@timestamp":"2026-01-02 15:04:05,5","x":1}"#, "2026-01-02 15:04:05.500000"),
            (r#"{"msg":"say \"ts\":1600000000 ","ts":1700000000}"#, "2023-11-14T22:13:20Z"),
            (r#"{"ts":"soon","time":"1700000000"}"#, "2023-11-14T22:13:20Z"),
        ]);
    }

    #[test]
    fn a_date_behind_words_is_the_last_resort() {
        check(&[
            (
                "api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO x",
                "2017-05-16 00:00:00.008000",
            ),
            ("time=\"2026-01-02T15:04:05+01:00\" level=info msg=x", "2026-01-02T14:04:05Z"),
            ("INFO 2026-01-02 15:04:05 x", "2026-01-02 15:04:05"),
            ("WARN: 12:00:00 2026-01-02 15:04:05 x", "2026-01-02 15:04:05"),
        ]);
        let far = format!("{} 2026-01-02 15:04:05", "x".repeat(127));
        check(&[(far.as_str(), "none")]);
    }

    #[test]
    fn what_only_looks_like_a_stamp_is_none() {
        let lines = [
            "",
            "\n",
            "x",
            "[",
            "<",
            "<34>",
            "{",
            "[    0.000000] Linux version 6.1",
            "[12345.678901] usb 1-1: new device",
            "    at java.lang.Thread.run(Thread.java:748)",
            "Feb 31 10:00:00 host x",
            "Dec 10 25:00:00 host x",
            "Dec 10 10:60:00 host x",
            "Dec 00 10:00:00 host x",
            "Dec 100 10:00:00 host x",
            "Dec 10 10:00:001 host x",
            "December 10 10:00:00 x",
            "2026-02-29T00:00:00Z",
            "2100-02-29 00:00:00",
            "2026-13-01 00:00:00",
            "2026-00-01 00:00:00",
            "2026-01-01 24:00:00",
            "0001-01-01T00:00:00Z",
            "2026-01-01",
            "2026-01-01 00:00",
            "x12026-01-02 15:04:05",
            "2026-01/02 15:04:05",
            "[32/Oct/2000:13:55:36 -0700]",
            "[10/Okt/2000:13:55:36 -0700]",
            "[Son Dec 04 04:47:44 2005] x",
            "[Sun Dec 04 04:47:44 20051] x",
            "I1321 09:15:50.123456 x",
            "X1121 09:15:50.123456 x",
            "081309 203615 x",
            "081109 2036150",
            "17000000001 x",
            "170000000 x",
            "0000000000 x",
            "5550000000 x",
            "1700000000-7 x",
            "1700000000.1.2 x",
            "<1234>Oct 11 22:14:15 x",
            "<x>Oct 11 22:14:15 x",
            "unaudited(1364481363.243:1",
            r#"{"time":12}"#,
            r#"{"times":1700000000}"#,
        ];
        for line in lines {
            assert_eq!(find(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "sample logs that cannot be part of the project")]
    fn nearly_every_line_of_real_logs_has_one() {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data");
        let folder = std::env::var_os("TRIPLINE_LOGS").unwrap_or_else(|| beside.into());
        let Ok(entries) = std::fs::read_dir(&folder) else {
            #[expect(clippy::print_stderr, reason = "a skipped proof must be heard")]
            {
                eprintln!("NOT PROVEN: {} holds no real logs to hold stamps against", folder.display());
            }
            return;
        };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "log") {
                continue;
            }
            let text = std::fs::read(&path).expect("a readable sample");
            let lines: Vec<&[u8]> =
                text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
            let stamped = lines.iter().filter(|line| find(line).is_some()).count();
            assert!(stamped * 100 > lines.len() * 99, "{}: {stamped} of {}", path.display(), lines.len());
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            line in proptest::collection::vec(any::<u8>(), 0..300),
            // Bytes of which stamps are made reach deeper.
            close in "[0-9<>\\[\\](){}:\"/., TZ+auditsDecSunGMT-]{0,60}",
        ) {
            find(&line);
            find(close.as_bytes());
        }

        #[test]
        fn a_damaged_stamp_never_panics_and_what_is_found_can_be_resolved_or_not(
            which in 0..12usize,
            at in 0..40usize,
            byte in any::<u8>(),
            cut in 0..60usize,
            reference in any::<i64>(),
        ) {
            let lines = [
                "Dec 10 06:55:46.123 h x", "2026-01-02T15:04:05.123456789+08:00 x", "[Sun Dec 04 04:47:44.1 2005] x",
                "h - - [10/Oct/2000:13:55:36 -0700] x", "I1121 09:15:50.123456 x", "081109 203615 1 x",
                "1700000000.123 x", "[1700000000.123] x", "msg=audit(1364481363.243:24287): x",
                r#"{"ts":1700000000.1,"m":"x"}"#, "<34>1 2003-10-11T22:14:15.003Z x", "2026 Dec 10 06:55:46 UTC",
            ];
            let mut line = lines[which].as_bytes().to_vec();
            if let Some(place) = line.get_mut(at) {
                *place = byte;
            }
            line.truncate(cut);
            if let Some(stamp) = find(&line) {
                stamp.resolve(&TimeZone::UTC, Timestamp(reference));
            }
        }

        #[test]
        fn every_instant_is_found_again(micros in 0i64..4_000_000_000_000_000, offset in -18i64 * 60..18 * 60) {
            let instant = jiff::Timestamp::from_microsecond(micros).expect("in range");
            let zone = TimeZone::fixed(jiff::tz::Offset::from_seconds(offset as i32 * 60).expect("in range"));
            let line = instant.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S.%6f%:z x").to_string();
            // East of Greenwich the first hours may lie before the years that are believed.
            if !line.starts_with("1969") {
                prop_assert_eq!(find(line.as_bytes()), Some(Stamp::Instant(Timestamp(micros))), "{}", line);
            }
        }
    }
}
