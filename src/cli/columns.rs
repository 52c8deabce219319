//! Text in the columns of a terminal: a character takes none, one or two of them.

use unicode_width::UnicodeWidthChar as _;

use crate::untrusted::Untrusted;

/// Columns of a terminal that is not asked, and of one that has fewer.
pub(super) const WIDTH: usize = 80;
/// Columns that are used at most: longer lines are not read.
pub(super) const MOST_WIDTH: usize = 160;
/// Lines of a reason that is asked for: it is bounded where it comes from.
pub(super) const ALL_LINES: usize = usize::MAX;

/// Columns of the terminal that takes the answer.
pub(super) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.map_or(WIDTH, |size| usize::from(size.ws_col)).clamp(WIDTH, MOST_WIDTH)
}

/// Columns that a terminal gives to text that steers nothing: UAX #11, a letter that may be either is narrow.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    c.width().unwrap_or(1)
}

/// Bytes of the longest beginning that takes so many columns at most.
fn beginning(text: &str, width: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += columns_of(c);
        if taken > width {
            return at;
        }
    }
    text.len()
}

/// Text of whoever, harmless and not wider than that.
pub(super) fn fit(text: &str, width: usize) -> String {
    let mut text = Untrusted(text).to_string();
    if columns(&text) > width {
        text.truncate(beginning(&text, width.saturating_sub(1)));
        text.push('…');
    }
    text
}

/// The end of a path of whoever, harmless and not wider than that.
pub(super) fn fit_end(path: &str, width: usize) -> String {
    let path = Untrusted(path).to_string();
    let all = columns(&path);
    if all <= width {
        return path;
    }
    let (mut passed, mut rest) = (0, path.chars());
    while all - passed > width.saturating_sub(1) {
        passed += rest.next().map_or(all, columns_of);
    }
    format!("…{}", rest.as_str())
}

/// Text and what it lacks of so many columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{:1$}", "", width.saturating_sub(columns(text)))
}

/// Text of whoever, harmless, in so many lines at most that are not wider than that, broken between words where there
/// are some.
pub(super) fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let text = Untrusted(text).to_string();
    let (mut rest, mut lines) = (text.as_str(), Vec::new());
    while lines.len() + 1 < most && columns(rest) > width {
        // One that is wider than the line stands alone on it.
        let fits = beginning(rest, width).max(rest.chars().next().map_or(0, char::len_utf8));
        let blank = match rest[fits..].starts_with(' ') {
            true => Some(fits),
            false => rest[..fits].rfind(' ').filter(|at| *at > 0),
        };
        let (line, behind) = rest.split_at(blank.unwrap_or(fits));
        lines.push(line.to_owned());
        rest = &behind[usize::from(blank.is_some())..];
    }
    lines.push(fit(rest, width));
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_letter_takes_the_columns_a_terminal_gives_it() {
        for (text, expected) in
            [("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("日本", 4), ("…", 1), ("🔥", 2)]
        {
            assert_eq!(columns(text), expected, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_at_a_letter() {
        for (text, width, begins, ends) in [
            ("日本語", 6, "日本語", "日本語"),
            ("日本語", 5, "日本…", "…本語"),
            ("日本語", 4, "日…", "…語"),
            ("日本語", 1, "…", "…"),
            ("abc", 2, "a…", "…c"),
            ("a\nb", 4, "a\\nb", "a\\nb"),
        ] {
            assert_eq!((fit(text, width).as_str(), fit_end(text, width).as_str()), (begins, ends), "{text}");
        }
        assert_eq!(padded("日", 4), "日  ");
    }

    #[test]
    fn what_is_wrong_is_told_to_its_end() {
        let text = "one two three  four";
        assert_eq!(wrapped(text, 7, 6), ["one two", "three ", "four"]);
        assert_eq!(wrapped(text, 19, 6), [text]);
        assert_eq!(wrapped("abcdefgh ij", 4, 6), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("日本語 日本", 5, 6), ["日本", "語", "日本"]);
        assert_eq!(wrapped("", 4, 6), [""]);
        let endless = wrapped(&"word ".repeat(100), 10, 6);
        assert_eq!((endless.len(), endless.last().map(String::as_str)), (6, Some("word word…")));
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_it_may_be_and_all_letters_are_there(
            text in "[a日é🔥\u{301} ]{0,60}", width in 2_usize..20
        ) {
            let lines = wrapped(&text, width, ALL_LINES);
            prop_assert!(lines.iter().all(|line| columns(line) <= width), "{lines:?}");
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
            prop_assert!(columns(&fit(&text, width)) <= width && columns(&fit_end(&text, width)) <= width);
        }
    }
}
