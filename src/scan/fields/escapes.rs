//! Escapes in texts between quotes, as JSON and logfmt write them.

/// Appends `text` without its escapes to `out`. What only looks like an escape stays as it is; half a pair of
/// surrogates becomes U+FFFD.
pub(in crate::scan) fn undo(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        text = &text[at..];
        let plain = match text.get(1) {
            Some(b'"') => b'"',
            Some(b'\\') => b'\\',
            Some(b'/') => b'/',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            _ => {
                let (character, len) = unicode(text).unwrap_or(('\\', 1));
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                text = &text[len..];
                continue;
            }
        };
        out.push(plain);
        text = &text[2..];
    }
    out.extend_from_slice(text);
}

/// The character that `text` begins with as `\uXXXX`, or as two of these, and how long that is.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = unit(text)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second @ 0xdc00..0xe000) = text.get(6..).and_then(unit)
    {
        let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return Some((char::from_u32(both)?, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digit = |number: u32, digit: &u8| Some(number * 16 + char::from(*digit).to_digit(16)?);
    digits.iter().try_fold(0, digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        undo(text.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{text}");
    }

    #[test]
    fn escapes_are_undone_and_what_is_none_stays() {
        check(r#"a\"b\\c\/d\ne\tf"#, "a\"b\\c/d\ne\tf");
        check(r"\u0041\u00e9\ud83d\ude00!", "Aé😀!");
        check(r"\ud83d", "\u{fffd}");
        check(r"\ud83d\u0041", "\u{fffd}A");
        check(r"\ude00\ud83d", "\u{fffd}\u{fffd}");
        check(r"\q\u12\u12xy\", r"\q\u12\u12xy\");
        check("", "");
    }
}
