//! Fields of structured lines: read only of lines that a rule wants, and only those that some rule asks for.
//!
//! A field is a text by its name. What a line says is read to its end, because of several fields of one name the last
//! counts; what is not asked for is passed over and kept nowhere.

pub(super) mod escapes;
mod json;
mod logfmt;

use super::Span;
use super::stamp::{self, Stamp};
use crate::model::Format;

/// Fields that tell when a line was written, the most trustworthy first.
const STAMPS: [&str; 10] = [
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "t",
    "timeMillis",
    "time_iso8601",
    "time_local",
    "datetime",
    "msec",
];
/// The same as log4j writes it: whole seconds, and the nanoseconds beside them.
const SECONDS: &str = "instant.epochSecond";
const NANOS: &str = "instant.nanoOfSecond";

/// Reads the fields of the lines of one source.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    format: Format,
    /// The names of the fields that are asked for, sorted, each once.
    names: Vec<Box<[u8]>>,
    /// Where the names of [`STAMPS`] are among them; then [`SECONDS`] and [`NANOS`].
    stamps: Vec<usize>,
}

/// What was read of one line, and room to read the next one.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    /// Where each of the asked for stands: in the line, or behind its end in `made`.
    pub(super) all: Vec<Option<Span>>,
    /// Texts that do not stand in lines as they are, because something is escaped in them. Of many lines.
    pub(super) made: Vec<u8>,
}

impl Reader {
    /// For lines of this format; `names`: the fields that are asked for.
    pub(super) fn new<'a>(format: Format, names: impl Iterator<Item = &'a str>) -> Reader {
        let own = STAMPS.into_iter().chain([SECONDS, NANOS]);
        let mut names: Vec<Box<[u8]>> = names.chain(own.clone()).map(|name| name.as_bytes().into()).collect();
        names.sort_unstable();
        names.dedup();
        let mut reader = Reader { format, names, stamps: Vec::new() };
        reader.stamps = own.filter_map(|name| reader.place(name)).collect();
        reader
    }

    /// True if lines have fields at all.
    pub(super) fn is_structured(&self) -> bool {
        self.format != Format::Plain
    }

    /// Where the field of that name is among those that are asked for.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|known| (**known).cmp(name.as_bytes())).ok()
    }

    /// Replaces what `fields` knows of a line. False: the line is not of the format, and has no fields.
    pub(super) fn read(&self, line: &[u8], fields: &mut Fields) -> bool {
        fields.all.clear();
        fields.all.resize(self.names.len(), None);
        let is_read = match self.format {
            Format::Plain => false,
            Format::Json => json::read(&self.names, line, fields),
            Format::Logfmt => logfmt::read(&self.names, line, fields),
        };
        if !is_read {
            fields.all.fill(None);
        }
        is_read
    }

    /// When a line says it was written, by what was read of it.
    pub(super) fn stamp_in(&self, line: &[u8], fields: &Fields) -> Option<Stamp> {
        let text = |at: &usize| Some(fields.all[*at]?.of(line, &fields.made));
        let (by_name, log4j) = self.stamps.split_at(STAMPS.len());
        let mut named = by_name.iter().filter_map(text);
        named.find_map(stamp::alone).or_else(|| {
            let [seconds, nanos] = log4j else { return None };
            stamp::of_seconds(text(seconds)?, text(nanos).unwrap_or_default())
        })
    }

    /// When a line says it was written: in a field, if it has fields, or anywhere.
    pub(super) fn stamp(&self, line: &[u8]) -> Option<Stamp> {
        let mut fields = Fields::default();
        let named =
            (self.is_structured() && self.read(line, &mut fields)).then(|| self.stamp_in(line, &fields));
        named.flatten().or_else(|| stamp::find(line))
    }
}

impl Fields {
    /// Keeps a text, of which `raw` stands in the line from `from` on.
    fn put(&mut self, name: usize, line: &[u8], from: usize, to: usize, is_escaped: bool) {
        self.all[name] = Some(if is_escaped {
            let at = line.len() + self.made.len();
            escapes::undo(&line[from..to], &mut self.made);
            Span::new(at, line.len() + self.made.len())
        } else {
            Span::new(from, to)
        });
    }
}

#[cfg(test)]
mod tests;
