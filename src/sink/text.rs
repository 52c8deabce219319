//! What every peer does with texts: log text made harmless, lengths held, durations and links for people.
//!
//! Log text stays as it was read where that does no harm. Control characters (terminal escapes too) become their
//! pictures, `␛` for ESC, so that whoever reads them sees what stood in the log; what hides or reorders text becomes `�`.

use std::time::Duration;

use super::Secrets;
use crate::untrusted::is_hostile;

/// Characters of a peer's own words that are kept.
const MOST_WORDS: usize = 300;

/// Log text for a place of one line.
pub(super) fn plain(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| if matches!(c, '\n' | '\t') { ' ' } else { shown(c) })
        .collect()
}

/// Log text for a place of several lines: it keeps its line breaks and tabs.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").chars().map(|c| if matches!(c, '\n' | '\t') { c } else { shown(c) }).collect()
}

fn shown(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\x7f' => '␡',
        c if is_hostile(c) => '�',
        c => c,
    }
}

/// A peer's own words, fit for a status page: without secrets, on one line, of bounded length.
pub(super) fn words(text: &str, secrets: &Secrets) -> String {
    cut(&clean(text, secrets), MOST_WORDS)
}

/// What went wrong and what was said of it, likewise; if that is long, its end, where errors stand.
pub(super) fn last_words(cause: &str, said: &str, secrets: &Secrets) -> String {
    let (cause, said) = (words(cause, secrets), clean(said, secrets));
    let said = said.trim();
    if said.is_empty() {
        return cause;
    }
    let room = MOST_WORDS.saturating_sub(cause.chars().count() + 2);
    let said = match said.chars().count().checked_sub(room) {
        None | Some(0) => said.to_owned(),
        Some(more) => std::iter::once('…').chain(said.chars().skip(more + 1)).collect(),
    };
    cut(&format!("{cause}: {said}"), MOST_WORDS)
}

fn clean(text: &str, secrets: &Secrets) -> String {
    secrets.scrub(text).chars().map(|c| if is_hostile(c) { ' ' } else { c }).collect()
}

/// At most `most` characters (Unicode scalar values), the last of them `…` if something is missing.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    if most > 0 {
        short.push('…');
    }
    short
}

/// How long it lasted, to a person: the two largest units.
pub(super) fn duration(span: Duration) -> String {
    let s = span.as_secs();
    match (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, ..) => format!("{d}d {h}h"),
    }
}

/// True if a click on it leads to the web and nowhere else.
pub(super) fn is_link(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    (lower.starts_with("http://") || lower.starts_with("https://"))
        && !text.chars().any(|c| c.is_whitespace() || is_hostile(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_pictures_and_what_hides_is_marked() {
        for (text, on_one_line, on_several) in [
            ("naïve 登录 🦀", "naïve 登录 🦀", "naïve 登录 🦀"),
            ("a\r\nb\tc\nd", "a b c d", "a\nb\tc\nd"),
            ("\x1b[31m\0\r\x7f", "␛[31m␀␍␡", "␛[31m␀␍␡"),
            ("\u{9b}31m\u{202e}nimda\u{200b}", "�31m�nimda�", "�31m�nimda�"),
        ] {
            assert_eq!(plain(text), on_one_line, "{text:?}");
            assert_eq!(lines(text), on_several, "{text:?}");
        }
    }

    #[test]
    fn nothing_hostile_is_left_of_any_character() {
        let all: String = (0..=0x0010_ffff).filter_map(char::from_u32).collect();
        assert!(!plain(&all).chars().any(is_hostile));
        assert!(!lines(&all).chars().any(|c| is_hostile(c) && c != '\n' && c != '\t'));
    }

    #[test]
    fn a_cut_counts_characters_and_keeps_its_mark_inside_the_limit() {
        assert_eq!(cut("日志日志", 4), "日志日志");
        assert_eq!(cut("日志日志日", 4), "日志日…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn a_duration_has_its_two_largest_units() {
        for (seconds, said) in
            [(0, "0s"), (59, "59s"), (60, "1m 0s"), (3_661, "1h 1m"), (86_399, "23h 59m"), (90_000, "1d 1h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn a_link_leads_to_the_web() {
        for (text, expected) in [
            ("https://wiki.example.com/x", true),
            ("HTTP://wiki.example.com", true),
            ("javascript:alert(1)", false),
            ("//wiki.example.com", false),
            ("https://wiki.example.com/a b", false),
            ("https://wiki.example.com/\u{202e}x", false),
            ("日志日志", false),
            ("", false),
        ] {
            assert_eq!(is_link(text), expected, "{text}");
        }
    }
}
