//! When lines were written, for whoever wants to know nothing else of them.

use super::fields::Reader;
use super::frame::Line;
use super::stamp::Stamp;
use crate::model::Format;

/// Reads the stamps of lines of one source as [`super::Scanner`] does.
#[derive(Debug)]
pub struct Stamps {
    reader: Reader,
    max_line: usize,
}

impl Stamps {
    /// Of lines of this format, of which only the first `max_line` bytes count.
    pub fn new(format: Format, max_line: usize) -> Stamps {
        Stamps { reader: Reader::new(format, std::iter::empty()), max_line }
    }

    /// When a line, without its line end, says it was written.
    pub fn of(&self, line: &[u8]) -> Option<Stamp> {
        self.reader.stamp(Line::of(line, self.max_line).text)
    }
}
