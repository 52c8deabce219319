//! What lines say of changes: each line once, in the order in which it was owed, and in a gentle world all of them.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;
use tripline::model::{Content, Delivery, SinkName};

use super::super::plan::CHANGES;
use super::super::trace::Failure;

/// What the sinks that take changes have heard.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Under which id, by the number of the line.
    ids: BTreeMap<(SinkName, String), String>,
    /// The newest of each change.
    newest: BTreeMap<(SinkName, String), u64>,
}

impl Changes {
    pub(crate) fn arrived(&mut self, row: &Delivery) -> Result<(), Failure> {
        let Content::Change(report) = &row.content else { return Ok(()) };
        let line = (row.sink.clone(), report.summary.clone());
        match self.ids.insert(line, row.id()) {
            Some(known) if known == row.id() => return Ok(()),
            Some(known) => {
                let what = format!("line {} makes a change as {known} and as {}", report.summary, row.id());
                return Err(Failure::new("census", what));
            }
            None => {}
        }
        let newest = self.newest.entry((row.sink.clone(), report.change_key.clone())).or_default();
        if row.seq < *newest {
            return Err(Failure::new("order", format!("{} at {} after a later one", row.id(), row.sink)));
        }
        *newest = row.seq;
        Ok(())
    }

    /// Whether each of `sinks` has heard of all lines or records.
    pub(crate) fn finish(&self, sinks: &[SinkName], written: &[(usize, Vec<u8>)]) -> Result<(), Failure> {
        let pattern = Regex::new(CHANGES).expect("a pattern");
        let fits = |(_, record): &(usize, Vec<u8>)| Some(pattern.captures(record)?["n"].to_vec());
        let expected: BTreeSet<String> = written
            .iter()
            .filter_map(fits)
            .map(|number| String::from_utf8_lossy(&number).into_owned())
            .collect();
        for sink in sinks {
            let of_sink = self.ids.keys().filter(|(to, _)| to == sink);
            let heard: BTreeSet<String> = of_sink.map(|(_, line)| line.clone()).collect();
            if heard != expected {
                let what = format!("{sink} heard of changes {heard:?}, written were {expected:?}");
                return Err(Failure::new("census", what));
            }
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}
