//! Texts for a page that everybody reads. Log text in them is text: it makes no link, no heading and no markup.
//!
//! Descriptions are Markdown there. What means something in CommonMark, its common extensions or HTML is written with a
//! backslash before it; titles are plain.

use crate::sink::text::{cut, lines, plain};

/// Characters of a title, which the peer counts.
const TITLE: usize = 255;
/// Characters of a description before it is made harmless. The peer names no limit; its other descriptions have this.
const DESCRIPTION: usize = 2048;

/// A title: never empty.
pub(super) fn title(summary: &str, otherwise: &str) -> String {
    let clean = |text: &str| cut(plain(text).trim(), TITLE);
    let title = clean(summary);
    if title.is_empty() { clean(otherwise) } else { title }
}

/// What is said in an update, such as `Over: ` and a summary, and below it a longer text if there is one.
pub(super) fn description(begins: &str, summary: &str, below: Option<&str>, shrink: bool) -> String {
    let most = DESCRIPTION / if shrink { 2 } else { 1 };
    let below = below.map(str::trim).filter(|below| !below.is_empty());
    let text = match below {
        Some(below) => format!("{begins}{}\n\n{}", plain(summary).trim(), lines(below)),
        None => format!("{begins}{}", plain(summary).trim()),
    };
    harmless(&cut(&text, most))
}

/// The same text in Markdown.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    let mut fresh = true;
    for (at, c) in text.char_indices() {
        let marks = r"\`*_{}[]()<>#|~&!$".contains(c)
            || (fresh && "-+=".contains(c))
            || (c == ':' && text[at..].starts_with("://"));
        if marks {
            safe.push('\\');
        }
        safe.push(c);
        fresh = c == '\n' || (fresh && c.is_whitespace());
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn log_text_makes_no_markup() {
        for (text, expected) in [
            ("5 failed logins from 203.0.113.9 at 10:15:00", "5 failed logins from 203.0.113.9 at 10:15:00"),
            ("[click](https://evil.example)", r"\[click\]\(https\://evil.example\)"),
            ("<script>alert(1)</script>", r"\<script\>alert\(1\)\</script\>"),
            ("# big\n- item\n  + item\n=== a-b", "\\# big\n\\- item\n  \\+ item\n\\=== a-b"),
            (
                r"C:\temp `x` *y* my_app ~z~ a|b &lt; ![i]",
                r"C:\\temp \`x\` \*y\* my\_app \~z\~ a\|b \&lt; \!\[i\]",
            ),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn a_title_is_one_line_and_never_empty() {
        assert_eq!(title("  disk\nsdb \u{1b}[31m\u{202e} ", "r"), "disk sdb ␛[31m�");
        assert_eq!(title(" \n", "disk"), "disk");
        assert_eq!(title(&"日".repeat(256), "r").chars().count(), 255);
        assert!(title(&"日".repeat(256), "r").ends_with('…'));
    }

    #[test]
    fn a_longer_text_stands_below_the_summary() {
        assert_eq!(description("Over: ", "disk sdb", None, false), "Over: disk sdb");
        assert_eq!(description("", "disk sdb", Some(" \n"), false), "disk sdb");
        assert_eq!(description("", "disk sdb", Some("a\nb_c"), false), "disk sdb\n\na\nb\\_c");
    }

    proptest! {
        #[test]
        fn whatever_the_texts_are_limits_hold_and_every_mark_is_harmless(
            summary in ".{0,300}", below in "(.|\n){0,2500}", shrink in any::<bool>(),
        ) {
            let title = title(&summary, "r");
            prop_assert!((1..=255).contains(&title.chars().count()) && title.trim() == title, "{title:?}");
            let text = description("", &summary, Some(&below), shrink);
            // Taken back, it is within the limit, and nothing that marks stands by itself.
            let mut plain = String::new();
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                match c {
                    '\\' => plain.push(chars.next().unwrap()),
                    c => {
                        prop_assert!(!r"`*_{}[]()<>#|~&!$".contains(c), "{text:?}");
                        plain.push(c);
                    }
                }
            }
            let most = if shrink { 1024 } else { 2048 };
            prop_assert!(plain.chars().count() <= most);
            prop_assert!(text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{text:?}");
        }
    }
}
