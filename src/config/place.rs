//! From a byte of a decoded TOML string back to the bytes that were typed.
//!
//! TOML 1.1, "String": four kinds of quotes, escapes in two of them, and line ends that disappear after `\`.

use std::ops::Range;

/// The typed bytes of `inner`, which is a range of `decoded`, the value of the string literal that stands at `span`
/// of `text`. Falls back to the whole literal when the two do not belong together.
pub(super) fn typed(text: &str, span: &Range<usize>, decoded: &str, inner: &Range<usize>) -> Range<usize> {
    find(text, span, decoded, inner).unwrap_or_else(|| span.clone())
}

fn find(text: &str, span: &Range<usize>, decoded: &str, inner: &Range<usize>) -> Option<Range<usize>> {
    let raw = text.get(span.clone())?;
    let quote = *["'''", "\"\"\"", "'", "\""].iter().find(|quote| raw.starts_with(**quote))?;
    let literal = quote.starts_with('\'');
    let end = raw.len().checked_sub(quote.len())?;
    let mut at = quote.len();
    if quote.len() == 3 {
        let rest = &raw[at..];
        at += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut start = None;
    for (offset, value) in decoded.char_indices() {
        let rest = raw.get(at..end)?;
        if !literal && quote.len() == 3 {
            at += folded(rest);
        }
        let rest = raw.get(at..end)?;
        let width = if !literal && rest.starts_with('\\') {
            match rest.as_bytes().get(1)? {
                b'x' => 4,
                b'u' => 6,
                b'U' => 10,
                _ => 2,
            }
        } else if value == '\n' && rest.starts_with("\r\n") {
            2
        } else {
            let typed = rest.chars().next()?;
            if typed != value {
                return None;
            }
            typed.len_utf8()
        };
        let next = offset + value.len_utf8();
        if start.is_none() && inner.start < next {
            start = Some(at);
            if inner.is_empty() {
                return Some(span.start + at..span.start + at);
            }
        }
        at += width;
        if inner.end <= next
            && let Some(start) = start
        {
            return Some(span.start + start..span.start + at.min(end));
        }
    }
    // Behind the last character: an end that is missing.
    Some(span.start + start.unwrap_or(at)..span.start + at).filter(|found| found.end <= span.end)
}

/// Bytes of a `\` at a line's end with all the blank that follows it, as often as it comes.
fn folded(text: &str) -> usize {
    let mut rest = text;
    while let Some(behind) = rest.strip_prefix('\\') {
        let next = behind.trim_start_matches([' ', '\t', '\r', '\n']);
        if !behind[..behind.len() - next.len()].contains('\n') {
            break;
        }
        rest = next;
    }
    text.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use toml::de::DeTable;

    fn check(document: &str, inner: &str, expected: &str) {
        let (table, errors) = DeTable::parse_recoverable(document);
        assert!(errors.is_empty(), "{document}: {errors:?}");
        let value = table.get_ref().get("x").unwrap();
        let decoded = value.get_ref().as_str().unwrap();
        let start = decoded.find(inner).unwrap();
        let found = typed(document, &value.span(), decoded, &(start..start + inner.len()));
        assert_eq!(&document[found], expected, "{document}");
    }

    #[test]
    fn every_kind_of_quote_leads_back() {
        check(r"x = 'a\d+[z-a]'", "[z-a]", "[z-a]");
        check(r#"x = "a\\d+[z-a]""#, "[z-a]", "[z-a]");
        check(r#"x = "a\\d+""#, r"\d", r"\\d");
        check(r#"x = "\u00e9\t[z-a]\x41""#, "[z-a]A", r"[z-a]\x41");
        check("x = '''\r\nab\r\n[z-a]'''", "[z-a]", "[z-a]");
        check("x = '''\nab\n'[z-a]'''", "'[z-a]", "'[z-a]");
        check("x = \"\"\"\\\n   ab \\\n\n  \\\n c[z-a]\\\n \"\"\"", "c[z-a]", "c[z-a]");
        check("x = \"\"\"\n\\U0001F600é\"[z-a]\"\"\"\"", "é\"[z-a]\"", "é\"[z-a]\"");
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        assert_eq!(typed("x = 'ab'", &(4..8), "ab", &(2..2)), 7..7);
        assert_eq!(typed("x = ''", &(4..6), "", &(0..0)), 5..5);
    }

    #[test]
    fn what_does_not_belong_together_is_shown_whole() {
        assert_eq!(typed("x = 'ab'", &(4..8), "xyz", &(1..2)), 4..8);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            raw in "[\"'\\\\unx \r\né]{0,16}", decoded in "\\PC{0,8}", start in 0..9_usize, length in 0..9_usize,
        ) {
            let found = typed(&raw, &(0..raw.len()), &decoded, &(start..start + length));
            prop_assert!(found.start <= found.end && found.end <= raw.len());
        }
    }
}
