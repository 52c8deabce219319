//! `multiline` of a source or a test → [`Multiline`].

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Problems;
use super::macros::Macros;
use super::pattern::{self, Budget};
use super::walk::Fields;
use crate::rule::{Bound, Multiline, Preset};

/// What decides which lines are one record; exactly one of them has to be there.
const BOUNDS: [(&str, Bound); 3] =
    [("start", Bound::Start), ("continue", Bound::Continue), ("end", Bound::End)];

/// Reads it, for lines of at most `max_line` bytes. `None`: it is not there, or wrong, which has been said.
pub(super) fn read(
    problems: &mut Problems<'_>,
    fields: Fields<'_, '_>,
    max_line: usize,
) -> Option<Multiline> {
    let value = fields.value("multiline")?;
    let table = match value.get_ref() {
        DeValue::String(name) => {
            let preset = Preset::ALL.into_iter().find(|preset| preset.as_str() == name)?.multiline();
            let max_bytes = preset.max_bytes.max(max_line);
            return Some(Multiline { max_bytes, ..preset });
        }
        DeValue::Table(table) => table,
        _ => return None,
    };
    let own = Fields { table, defaults: None };
    let (macros, mut budget) = (Macros::default(), Budget::new());
    let mut bounds = Vec::new();
    for (key, bound) in BOUNDS {
        let Some(said) = own.value(key) else { continue };
        // Each is looked at, also where one is too many.
        let compiled = own
            .text(key)
            .and_then(|text| pattern::compile(problems, key, &text, &macros, "multiline", &mut budget));
        bounds.push((key, bound, said, compiled));
    }
    let mut bounds = bounds.into_iter();
    let Some((key, bound, said, compiled)) = bounds.next() else {
        let title = "`multiline` needs `start`, `continue` or `end`";
        problems.error("missing-key", value.span(), title, "which lines are one record?").help =
            Some("say which line begins a record, as `start = '^\\d{4}-'`".to_owned());
        return None;
    };
    if let Some((other, _, second, _)) = bounds.next() {
        let title = format!("`{key}` and `{other}` exclude each other");
        let at = if said.span().start < second.span().start { second } else { said };
        problems.error("conflict", at.span(), title, "one of both");
        return None;
    }
    let max_bytes = own.size("max_bytes").unwrap_or(Multiline::MAX_BYTES.max(max_line));
    if let Some(longest) = fields.value("max_line").map(Spanned::span).filter(|_| max_bytes < max_line) {
        let title = "`max_line` is more than `max_bytes` of `multiline`";
        problems.error("conflict", longest, title, "no line can be longer than its record").help =
            Some("raise `max_bytes`, or lower `max_line`".to_owned());
    }
    Some(Multiline {
        bound,
        regex: compiled?.regex,
        behind_blank: None,
        max_lines: own.count("max_lines").unwrap_or(Multiline::MAX_LINES),
        max_bytes,
        flush: own.duration("flush").unwrap_or(Multiline::FLUSH),
    })
}
