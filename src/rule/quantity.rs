//! Numbers with a unit, as they stand in logs and are written in rules: `731`, `1.5s`, `512 MB`, `2%`.

/// A number and what it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// In seconds, bytes, or as a part of one; finite.
    pub value: f64,
    /// What of.
    pub unit: Unit,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    One,
    /// Seconds.
    Time,
    /// Bytes.
    Size,
    /// Parts of a whole: 1 is all of it.
    Share,
}

/// Units by their names, as they are found in logs, and how many seconds or bytes they are. Sizes without `i` are powers
/// of 1000 if they end with `B` (SI), and powers of 1024 if they do not, as `ls -h`, the JVM and nginx write them.
const UNITS: &[(&[&str], Unit, f64)] = &[
    (&["ns"], Unit::Time, 1e-9),
    (&["us", "µs", "μs"], Unit::Time, 1e-6),
    (&["ms", "msec"], Unit::Time, 1e-3),
    (&["s", "sec", "secs", "second", "seconds"], Unit::Time, 1.0),
    (&["m", "min", "mins", "minute", "minutes"], Unit::Time, 60.0),
    (&["h", "hr", "hrs", "hour", "hours"], Unit::Time, 3_600.0),
    (&["d", "day", "days"], Unit::Time, 86_400.0),
    (&["w", "week", "weeks"], Unit::Time, 604_800.0),
    (&["B", "byte", "bytes"], Unit::Size, 1.0),
    (&["kB", "KB"], Unit::Size, 1e3),
    (&["MB"], Unit::Size, 1e6),
    (&["GB"], Unit::Size, 1e9),
    (&["TB"], Unit::Size, 1e12),
    (&["PB"], Unit::Size, 1e15),
    (&["KiB", "K", "k"], Unit::Size, 1_024.0),
    (&["MiB", "M"], Unit::Size, 1_048_576.0),
    (&["GiB", "G"], Unit::Size, 1_073_741_824.0),
    (&["TiB", "T"], Unit::Size, 1_099_511_627_776.0),
    (&["PiB", "P"], Unit::Size, 1_125_899_906_842_624.0),
    (&["%"], Unit::Share, 0.01),
];

/// Parts of a unit and how the point is moved for them: no binary number is a hundredth, so 70 of them would be a
/// little more than 0.7.
const PARTS: [(f64, &str); 4] = [(1e-2, "e-2"), (1e-3, "e-3"), (1e-6, "e-6"), (1e-9, "e-9")];

impl Unit {
    /// What a unit of that name counts, and how many seconds, bytes or parts of one it is.
    pub fn named(name: &str) -> Option<(Unit, f64)> {
        UNITS.iter().find(|(names, ..)| names.contains(&name)).map(|(_, unit, factor)| (*unit, *factor))
    }
}

impl Quantity {
    /// Reads a number that is all of `text` but for blanks around it: decimal, with a fraction and an exponent if it
    /// has one, and a unit behind it or behind one blank. Times may have several parts: `1h2m3.5s`.
    ///
    /// `None`: it is something else, its unit is not known, or it is not finite.
    pub fn read(text: &[u8]) -> Option<Quantity> {
        let text = std::str::from_utf8(text.trim_ascii()).ok()?;
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mut value, mut unit, mut rest) = part(unsigned)?;
        while !rest.is_empty() && unit == Unit::Time {
            let (more, of, behind) = part(rest)?;
            (value, rest) = (value + more, behind);
            unit = if of == Unit::Time { unit } else { return None };
        }
        let value = if negative { -value } else { value };
        (rest.is_empty() && value.is_finite()).then_some(Quantity { value, unit })
    }
}

/// A number without a sign, its unit, and what stands behind it.
fn part(text: &str) -> Option<(f64, Unit, &str)> {
    let number = number_len(text)?;
    let (number, rest) = text.split_at(number);
    let value: f64 = number.parse().ok()?;
    let named = rest.strip_prefix(' ').unwrap_or(rest);
    let name_len = named.find(|c: char| !(c.is_alphabetic() || c == '%')).unwrap_or(named.len());
    let (name, behind) = named.split_at(name_len);
    if name.is_empty() {
        return rest.is_empty().then_some((value, Unit::One, rest));
    }
    let (unit, factor) = Unit::named(name)?;
    let moved = PARTS.iter().find(|(part, _)| *part == factor && !number.contains(['e', 'E']));
    let value = match moved {
        Some((_, exponent)) => format!("{number}{exponent}").parse().ok()?,
        None => value * factor,
    };
    Some((value, unit, behind))
}

/// How long the decimal number is that `text` begins with.
pub(crate) fn number_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    if whole == 0 {
        return None;
    }
    let mut len = whole;
    if bytes.get(len) == Some(&b'.') && digits(len + 1) > 0 {
        len += 1 + digits(len + 1);
    }
    if let Some(b'e' | b'E') = bytes.get(len) {
        let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
        let exponent = digits((len + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            len += 1 + sign + exponent;
        }
    }
    Some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<(f64, Unit)>) {
        let read = Quantity::read(text.as_bytes()).map(|read| (read.value, read.unit));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn numbers_are_read_with_their_units() {
        check("731", Some((731.0, Unit::One)));
        check(" -1.5e3 ", Some((-1500.0, Unit::One)));
        check("+4", Some((4.0, Unit::One)));
        check("1.5s", Some((1.5, Unit::Time)));
        check("250ms", Some((0.25, Unit::Time)));
        check("250 ms", Some((0.25, Unit::Time)));
        check("5 µs", Some((5e-6, Unit::Time)));
        check("1h2m3.5s", Some((3723.5, Unit::Time)));
        check("-2m30s", Some((-150.0, Unit::Time)));
        check("3 days", Some((259_200.0, Unit::Time)));
        check("512MB", Some((512e6, Unit::Size)));
        check("512 MiB", Some((536_870_912.0, Unit::Size)));
        check("2G", Some((2_147_483_648.0, Unit::Size)));
        check("10B", Some((10.0, Unit::Size)));
        check("2%", Some((0.02, Unit::Share)));
        check("70%", Some((0.7, Unit::Share)));
        check("99.99%", Some((0.9999, Unit::Share)));
        check("7ns", Some((7e-9, Unit::Time)));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", "-", "s", "x5", "5x", "5 5", "1,234", ".5", "5.", "0x1f", "1e999", "inf", "NaN", "5  s"]
        {
            check(text, None);
        }
        for text in ["1s5", "1s2MB", "5MB2MB", "--5", "5ms-3", "\u{661}"] {
            check(text, None);
        }
        assert_eq!(Quantity::read(b"5\xff"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE a-zµ%]{0,12}") {
            if let Some(read) = Quantity::read(text.as_bytes()) {
                prop_assert!(read.value.is_finite());
            }
        }
    }
}
