//! A line that is one JSON object.
//!
//! The name of a field is the keys that lead to it with dots between them, the places of an array counted from 0:
//! `http.status`, `errors.0.code`. A key may have dots itself, as `"log.level"`. Read like a person would: control
//! characters and bytes that are not UTF-8 may stand in texts, and `NaN` is a number, because there are loggers that
//! write them.

use std::ops::Range;

use memchr::memchr2;

use super::{Fields, escapes};

/// The deepest nesting of objects and arrays. What is nested deeper has no fields.
const DEEPEST: usize = 128;

/// Fills `fields.all` with the fields of these sorted names. False: the line is not a JSON object.
pub(super) fn read(names: &[Box<[u8]>], line: &[u8], fields: &mut Fields) -> bool {
    let mut reader = Reader { names, line, at: 0, fields };
    reader.blanks();
    let is_read = reader.object(0..names.len(), 0, 1).is_some();
    reader.blanks();
    is_read && reader.at == line.len()
}

struct Reader<'a> {
    names: &'a [Box<[u8]>],
    line: &'a [u8],
    at: usize,
    fields: &'a mut Fields,
}

/// Where names go on from a place in the line.
struct Below {
    /// The name that ends here.
    name: Option<usize>,
    /// The names that lead deeper.
    deeper: Range<usize>,
    /// Bytes of these that lead to here, with the dot behind them.
    len: usize,
}

/// A text between quotes: where it stands, and whether something is escaped in it.
struct Quoted {
    from: usize,
    to: usize,
    is_escaped: bool,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.line.get(self.at) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.line.get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// An object of whose names `wanted` are asked for, each of which begins with the same `len` bytes.
    fn object(&mut self, wanted: Range<usize>, len: usize, depth: usize) -> Option<()> {
        if !self.takes(b'{') || depth > DEEPEST {
            return None;
        }
        self.blanks();
        if self.takes(b'}') {
            return Some(());
        }
        loop {
            let key = self.quoted()?;
            let below = self.below_key(&wanted, len, &key);
            self.blanks();
            if !self.takes(b':') {
                return None;
            }
            self.blanks();
            self.value(below, depth)?;
            self.blanks();
            if !self.takes(b',') {
                return self.takes(b'}').then_some(());
            }
            self.blanks();
        }
    }

    fn array(&mut self, wanted: &Range<usize>, len: usize, depth: usize) -> Option<()> {
        if !self.takes(b'[') || depth > DEEPEST {
            return None;
        }
        self.blanks();
        if self.takes(b']') {
            return Some(());
        }
        for place in 0usize.. {
            let below = if wanted.is_empty() {
                self.below(wanted, len, b"")
            } else {
                self.below(wanted, len, place.to_string().as_bytes())
            };
            self.value(below, depth)?;
            self.blanks();
            if !self.takes(b',') {
                break;
            }
            self.blanks();
        }
        self.takes(b']').then_some(())
    }

    /// Of several values of one name the last counts, and what is no text there is nothing.
    fn value(&mut self, below: Below, depth: usize) -> Option<()> {
        if let Some(name) = below.name {
            self.fields.all[name] = None;
        }
        match self.line.get(self.at)? {
            b'{' => self.object(below.deeper, below.len, depth + 1),
            b'[' => self.array(&below.deeper, below.len, depth + 1),
            b'"' => {
                let Quoted { from, to, is_escaped } = self.quoted()?;
                if let Some(name) = below.name {
                    self.fields.put(name, self.line, from, to, is_escaped);
                }
                Some(())
            }
            _ => self.word(below.name),
        }
    }

    /// A number, or one of the words that stand for themselves.
    fn word(&mut self, name: Option<usize>) -> Option<()> {
        let from = self.at;
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        self.at += self.line[from..].iter().take_while(is_part).count();
        let word = &self.line[from..self.at];
        let known: [&[u8]; 5] = [b"true", b"false", b"NaN", b"Infinity", b"-Infinity"];
        if known.contains(&word) || is_number(word) {
            if let Some(name) = name {
                self.fields.put(name, self.line, from, self.at, false);
            }
            return Some(());
        }
        (word == b"null").then_some(())
    }

    fn quoted(&mut self) -> Option<Quoted> {
        if !self.takes(b'"') {
            return None;
        }
        let from = self.at;
        let mut is_escaped = false;
        loop {
            let rest = self.line.get(self.at..)?;
            let at = self.at + memchr2(b'"', b'\\', rest)?;
            if self.line[at] == b'"' {
                self.at = at + 1;
                return Some(Quoted { from, to: at, is_escaped });
            }
            is_escaped = true;
            self.at = at + 2;
        }
    }

    fn below_key(&mut self, wanted: &Range<usize>, len: usize, key: &Quoted) -> Below {
        let text = &self.line[key.from..key.to];
        if wanted.is_empty() || !key.is_escaped {
            return self.below(wanted, len, text);
        }
        let made = self.fields.made.len();
        escapes::undo(text, &mut self.fields.made);
        let below = self.below(wanted, len, &self.fields.made[made..]);
        self.fields.made.truncate(made);
        below
    }

    /// Which of `wanted`, that all begin with the same `len` bytes, go on with `key`.
    fn below(&self, wanted: &Range<usize>, len: usize, key: &[u8]) -> Below {
        let names = &self.names[wanted.clone()];
        let first = wanted.start + names.partition_point(|name| &name[len..] < key);
        let mut below = Below { name: None, deeper: first..first, len: len + key.len() + 1 };
        // All that begin with the key stand together: itself, perhaps longer ones, and those that a dot follows.
        for at in first..wanted.end {
            match self.names[at][len..].strip_prefix(key) {
                Some([]) => below.name = Some(at),
                Some([b'.', ..]) if below.deeper.is_empty() => below.deeper = at..at + 1,
                Some([b'.', ..]) => below.deeper.end = at + 1,
                Some(_) => {}
                None => break,
            }
        }
        below
    }
}

/// True for a number as JSON writes it; zeros may stand before it, and its fraction may be empty.
fn is_number(word: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = &fraction[digits(fraction)..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return whole > 0 && !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    whole > 0 && rest.is_empty()
}
