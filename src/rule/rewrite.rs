//! What becomes of a captured text before anything looks at it: `set = { path = 'mask(path)' }`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::meta::Regex;

use super::Value;

/// Texts and what stands beside each.
pub type Table = BTreeMap<Box<str>, Arc<str>>;

/// A captured text, made anew.
#[derive(Clone, Debug)]
pub struct Rewrite {
    /// As the author wrote it.
    pub text: Arc<str>,
    /// Which of [`super::Rule::captures`].
    pub capture: usize,
    /// What it becomes.
    pub to: Text,
}

/// A text that is made of what was captured.
#[derive(Clone, Debug)]
pub enum Text {
    /// As it was captured; empty, if it was not.
    Of(Value),
    /// As it was written.
    Is(Arc<str>),
    /// Another one, changed.
    Changed(Edit, Box<Text>),
}

/// What is done to a text. Letters are those of ASCII.
#[derive(Clone, Debug)]
pub enum Edit {
    /// In small letters.
    Lower,
    /// In capital letters.
    Upper,
    /// Without blanks at both ends.
    Trim,
    /// Numbers, UUIDs and long hexadecimal numbers are all `<n>`.
    Mask,
    /// No more than so many characters; of what is not UTF-8, bytes.
    First(usize),
    /// What fits the pattern becomes this, wherever it fits in the first 2048 bytes, up to 200 times.
    Replace(Regex, Arc<str>),
    /// The other text, if it is empty or was not captured.
    Default(Arc<str>),
    /// What stands beside it in a table, else the other text.
    Lookup(Arc<Table>, Arc<str>),
}

impl Text {
    /// True if something that it is made of was captured, or if it is made of nothing that can be.
    pub fn is_there(&self, captured: &impl Fn(usize) -> bool) -> bool {
        match self {
            Text::Of(Value::Capture(capture)) => captured(*capture),
            Text::Of(_) | Text::Is(_) => true,
            Text::Changed(Edit::Default(_), _) => true,
            Text::Changed(_, text) => text.is_there(captured),
        }
    }

    /// The text, given what is captured.
    pub fn of<'v>(&'v self, value: &impl Fn(&Value) -> &'v [u8]) -> Cow<'v, [u8]> {
        match self {
            Text::Of(name) => Cow::Borrowed(value(name)),
            Text::Is(text) => Cow::Borrowed(text.as_bytes()),
            Text::Changed(change, text) => change.apply(text.of(value)),
        }
    }
}

impl Edit {
    fn apply<'v>(&'v self, text: Cow<'v, [u8]>) -> Cow<'v, [u8]> {
        match self {
            Edit::Lower => Cow::Owned(text.to_ascii_lowercase()),
            Edit::Upper => Cow::Owned(text.to_ascii_uppercase()),
            Edit::Trim => Cow::Owned(text.trim_ascii().to_vec()),
            Edit::Mask => Cow::Owned(masked(&text)),
            Edit::First(count) => {
                let end = match std::str::from_utf8(&text) {
                    Ok(text) => text.char_indices().nth(*count).map_or(text.len(), |(at, _)| at),
                    Err(_) => text.len().min(*count),
                };
                Cow::Owned(text[..end].to_vec())
            }
            Edit::Replace(regex, with) => Cow::Owned(replaced(&text, regex, with.as_bytes())),
            Edit::Default(otherwise) if text.is_empty() => Cow::Borrowed(otherwise.as_bytes()),
            Edit::Default(_) => text,
            Edit::Lookup(table, otherwise) => {
                let found = std::str::from_utf8(&text).ok().and_then(|text| table.get(text));
                Cow::Borrowed(found.unwrap_or(otherwise).as_bytes())
            }
        }
    }
}

/// Replacements that are made in one text, and bytes at its beginning that are looked at for them: looking for the next
/// one may take as long as the text is, and the text may be a hostile line of a megabyte.
const MOST_REPLACED: usize = 200;
const LOOKED_AT: usize = 2048;

fn replaced(whole: &[u8], regex: &Regex, with: &[u8]) -> Vec<u8> {
    let (text, rest) = whole.split_at(whole.len().min(LOOKED_AT));
    let mut new = Vec::with_capacity(text.len());
    let mut at = 0;
    // Where the last one ended: nothing at all does not fit again right there.
    let mut ended = None;
    for _ in 0..MOST_REPLACED {
        let Some(found) = regex.find(Input::new(text).range(at..)) else { break };
        new.extend_from_slice(&text[at..found.start()]);
        at = found.end();
        if ended != Some(found.start()) || !found.is_empty() {
            new.extend_from_slice(with);
            ended = Some(at);
        }
        if found.is_empty() {
            let Some(byte) = text.get(at) else { break };
            new.push(*byte);
            at += 1;
        }
    }
    new.extend_from_slice(&text[at..]);
    new.extend_from_slice(rest);
    new
}

/// Digits of a hexadecimal number that is masked without a `0x`.
const LONG: usize = 8;

fn masked(text: &[u8]) -> Vec<u8> {
    let mut new = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let inside_word = at > 0 && text[at - 1].is_ascii_alphanumeric();
        let len = if inside_word { 0 } else { id_len(&text[at..]) };
        let len = if len > 0 { len } else { text[at..].iter().take_while(|b| b.is_ascii_digit()).count() };
        if len == 0 {
            new.push(text[at]);
            at += 1;
        } else {
            new.extend_from_slice(b"<n>");
            at += len;
        }
    }
    new
}

/// How long the UUID or hexadecimal number is that `text` begins with, as a word by itself.
fn id_len(text: &[u8]) -> usize {
    let hex = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ends = |len: usize| text.get(len).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let dashes = [8, 13, 18, 23];
    let uuid = text.len() >= 36
        && (0..36)
            .all(|at| if dashes.contains(&at) { text[at] == b'-' } else { text[at].is_ascii_hexdigit() });
    if uuid && ends(36) {
        return 36;
    }
    let prefix = if text.starts_with(b"0x") || text.starts_with(b"0X") { 2 } else { 0 };
    let len = prefix + hex(prefix);
    let is_number = len > prefix && prefix > 0 || len >= LONG && text[..len].iter().any(u8::is_ascii_digit);
    if is_number && ends(len) { len } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(change: &Edit, text: &str, expected: &str) {
        let changed = change.apply(Cow::Borrowed(text.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&changed), expected, "{change:?} {text}");
    }

    #[test]
    fn texts_are_changed() {
        check(&Edit::Lower, "ABCé", "abcé");
        check(&Edit::Upper, "abcé", "ABCé");
        check(&Edit::Trim, " \ta b ", "a b");
        check(&Edit::First(2), "éèà", "éè");
        check(&Edit::First(9), "ab", "ab");
        check(&Edit::Default("none".into()), "", "none");
        check(&Edit::Default("none".into()), "ab", "ab");
        let regex = |text| Regex::new(text).expect("a valid pattern");
        check(&Edit::Replace(regex("[0-9]+"), "#".into()), "a1b22", "a#b#");
        check(&Edit::Replace(regex("x*"), "-".into()), "abx", "-a-b-");
        let table = BTreeMap::from([("10.0.0.1".into(), "gateway".into())]);
        let lookup = Edit::Lookup(Arc::new(table), "other".into());
        check(&lookup, "10.0.0.1", "gateway");
        check(&lookup, "10.0.0.2", "other");
    }

    #[test]
    fn numbers_and_ids_are_masked() {
        for (text, expected) in [
            ("/checkout/8731/items", "/checkout/<n>/items"),
            ("id=8f14e45f-ceea-467f-a0e6-d1c5a4b2d7aa!", "id=<n>!"),
            ("at 0x7ffee3b0 in f", "at <n> in f"),
            ("commit 0a1b2c3d4e5f", "commit <n>"),
            ("deadbeef facade", "deadbeef facade"),
            ("node12-a7", "node<n>-a<n>"),
            ("0xzz", "<n>xzz"),
            ("1.5", "<n>.<n>"),
            ("", ""),
        ] {
            check(&Edit::Mask, text, expected);
        }
    }

    /// By the iterator of the engine itself.
    #[expect(clippy::disallowed_methods, reason = "a few bytes, to compare with")]
    fn simple(text: &str, pattern: &str) -> String {
        let regex = Regex::new(pattern).unwrap();
        let (mut new, mut at) = (String::new(), 0);
        for found in regex.find_iter(text) {
            new += &text[at..found.start()];
            new += "-";
            at = found.end();
        }
        new + &text[at..]
    }

    proptest! {
        #[test]
        fn what_fits_is_replaced_as_by_the_usual_engine(text in "[abx]{0,9}", pattern in "(x\\*|a?|ab|b\\|x|x\\+)") {
            let regex = Regex::new(&pattern).unwrap();
            let new = replaced(text.as_bytes(), &regex, b"-");
            prop_assert_eq!(String::from_utf8(new).unwrap(), simple(&text, &pattern));
        }

        #[test]
        fn no_digit_is_left_of_any_text(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let masked = masked(&text);
            prop_assert!(!masked.iter().any(u8::is_ascii_digit));
            prop_assert_eq!(&super::masked(&masked), &masked);
        }
    }
}
