//! What lines say of changes: each line once, in the order in which it was owed, and in a gentle world all of them. To a
//! peer that is no log a change only goes forward.

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
    /// How far it has come there: its life and its stage.
    stages: BTreeMap<(SinkName, String), (u32, u8)>,
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
        if row.sink.as_str().contains('/') {
            let place = (row.sink.clone(), report.change_key.clone());
            let stage = (report.life, report.status.stage());
            let before = self.stages.insert(place, stage).unwrap_or_default();
            if stage < before {
                let what = format!("{} at {} goes back from {before:?} to {stage:?}", row.id(), row.sink);
                return Err(Failure::new("forward", what));
            }
        }
        Ok(())
    }

    /// Whether each of `sinks` has heard of all lines or records; one that is no log, of no others.
    pub(crate) fn finish(
        &self,
        sinks: &[(SinkName, bool)],
        written: &[(usize, Vec<u8>)],
    ) -> Result<(), Failure> {
        let pattern = Regex::new(CHANGES).expect("a pattern");
        let fits = |(_, record): &(usize, Vec<u8>)| Some(pattern.captures(record)?["n"].to_vec());
        let expected: BTreeSet<String> = written
            .iter()
            .filter_map(fits)
            .map(|number| String::from_utf8_lossy(&number).into_owned())
            .collect();
        for (sink, is_log) in sinks {
            let of_sink = self.ids.keys().filter(|(to, _)| to == sink);
            let heard: BTreeSet<String> = of_sink.map(|(_, line)| line.clone()).collect();
            if (*is_log && heard != expected) || !heard.is_subset(&expected) {
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
