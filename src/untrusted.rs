//! Text from logs and peers, made harmless for terminals and one-line places.

use std::fmt::{self, Write as _};

/// True if `c` could steer a terminal, hide or reorder what is read: control characters (C0, DEL, C1), line and
/// paragraph separators, bidirectional controls, characters of no width, and tags.
///
/// Source of the ranges: Unicode general categories Cc and Cf, Zl, Zp, and the default-ignorable fillers.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Shows text with every hostile character as an escape (`\n`, `\x1b`, `\u{202e}`), so that it stays on its line,
/// moves no cursor and reads in the order it is written in. Everything else is shown as it is.
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<'a>(pub &'a str);

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if !is_hostile(c) => f.write_char(c)?,
                c if u32::from(c) < 0x100 => write!(f, "\\x{:02x}", u32::from(c))?,
                c => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            }
        }
        Ok(())
    }
}

/// JSON in one or several lines with every hostile character of its texts as `\uXXXX`: to whoever parses it it is the
/// same, and a terminal that it is shown on is not steered.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Within a text a line break is escaped already.
        if c == '\n' || !is_hostile(c) {
            out.push(c);
        } else {
            // Writing to a String can not fail.
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Everything but RFC 3986's unreserved characters as `%XX`: one part of an address, which opens no other.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.extend(
                [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])),
            );
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(Untrusted(text).to_string(), shown);
    }

    #[test]
    fn plain_text_in_any_script_is_shown_as_it_is() {
        for text in ["", "Failed password for root", "登录失败 5 次", "naïve 🦀 Ωμέγα", r"C:\temp\x1b"]
        {
            check(text, text);
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        check("a\x1b[2Jb", r"a\x1b[2Jb");
        check("a\x1b]0;owned\x07", r"a\x1b]0;owned\x07");
        check("a\u{9b}31m\u{7f}\0", r"a\x9b31m\x7f\x00");
        check("one\r\ntwo\tthree\x0b", r"one\r\ntwo\tthree\x0b");
    }

    #[test]
    fn what_hides_or_reorders_is_escaped() {
        check("user\u{202e}nimda", r"user\u{202e}nimda");
        check("ad\u{200b}min\u{feff}", r"ad\u{200b}min\u{feff}");
        check("a\u{2028}b\u{2066}c\u{2069}", r"a\u{2028}b\u{2066}c\u{2069}");
        check("\u{e0041}\u{ad}", r"\u{e0041}\xad");
    }

    #[test]
    fn json_means_the_same_and_holds_nothing_hostile() {
        assert_eq!(
            json("{\"a\":\"é\u{9b}b\u{202e}c\u{e0041}\u{7f}\\n\"}\n"),
            "{\"a\":\"é\\u009bb\\u202ec\\udb40\\udc41\\u007f\\n\"}\n"
        );
        let all: String = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
        let text = serde_json::to_string(&all).expect("a text has a JSON form");
        let shown = json(&text);
        assert!(!shown.chars().any(is_hostile));
        assert_eq!(serde_json::from_str::<String>(&shown).ok(), Some(all));
    }

    #[test]
    fn a_part_of_an_address_opens_no_other_part() {
        assert_eq!(percent_encode("a-1._~Z"), "a-1._~Z");
        assert_eq!(percent_encode("a/b?c=d&e#f@g:h%2f\\"), "a%2Fb%3Fc%3Dd%26e%23f%40g%3Ah%252f%5C");
        assert_eq!(percent_encode("\x1b\n é"), "%1B%0A%20%C3%A9");
    }

    #[test]
    fn nothing_hostile_is_left_of_any_character() {
        for c in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let shown = Untrusted(c.encode_utf8(&mut [0; 4])).to_string();
            assert!(!shown.chars().any(is_hostile), "{:x}", u32::from(c));
        }
    }
}
