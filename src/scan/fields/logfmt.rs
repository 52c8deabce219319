//! A line of `key=value` pairs, as Go's loggers, Heroku and Grafana write them.
//!
//! Values may stand between quotes, in which something may be escaped. A key by itself is a field with the empty text.
//! What is neither is passed over: a date at the beginning, a stray quote, `=` without a key.

use memchr::memchr2;

use super::Fields;

/// Fills `fields.all` with the fields of these sorted names. False: the line has no `key=value` at all.
pub(super) fn read(names: &[Box<[u8]>], line: &[u8], fields: &mut Fields) -> bool {
    let mut has_pair = false;
    let mut at = 0;
    while at < line.len() {
        let key = &line[at..at + key_len(&line[at..])];
        at += key.len();
        let name = || names.binary_search_by(|known| (**known).cmp(key)).ok();
        if line.get(at) != Some(&b'=') {
            if let Some(name) = name().filter(|_| !key.is_empty()) {
                fields.put(name, line, at, at, false);
            }
            // What a key cannot hold is passed over: blanks, or a stray quote.
            at += usize::from(at < line.len());
            continue;
        }
        has_pair |= !key.is_empty();
        at += 1;
        let (from, to, is_escaped, end) = value(line, at);
        at = end;
        if let Some(name) = name().filter(|_| !key.is_empty()) {
            fields.put(name, line, from, to, is_escaped);
        }
    }
    has_pair
}

fn key_len(text: &[u8]) -> usize {
    text.iter().take_while(|byte| **byte > b' ' && **byte != b'=' && **byte != b'"').count()
}

/// The value at `at`: from where to where, whether something is escaped in it, and where it is over.
fn value(line: &[u8], at: usize) -> (usize, usize, bool, usize) {
    if line.get(at) != Some(&b'"') {
        let to = at + line[at..].iter().take_while(|byte| **byte > b' ').count();
        return (at, to, false, to);
    }
    let (from, mut is_escaped, mut next) = (at + 1, false, at + 1);
    loop {
        // Without an end the rest of the line is the value: a line may be cut.
        let rest = line.get(next..).unwrap_or_default();
        let Some(found) = memchr2(b'"', b'\\', rest) else {
            return (from, line.len(), is_escaped, line.len());
        };
        if rest[found] == b'"' {
            return (from, next + found, is_escaped, next + found + 1);
        }
        is_escaped = true;
        next += found + 2;
    }
}
