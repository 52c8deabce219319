//! Invariant 1 (and half of 5): every line counts once. What was written, counted in the plainest way, is what the
//! census rule says at the end.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;
use tripline::model::{Delivery, DeliveryKind, Transition};

use super::super::plan::{CENSUS, MAX_LINE};
use super::super::trace::Failure;
use super::super::writer::Content;

/// Matches per key and source.
type Totals = BTreeMap<(String, String), u64>;

/// Counts what should have been counted.
fn expected(contents: &[Content]) -> Totals {
    let census = Regex::new(CENSUS).expect("a pattern");
    let mut totals = Totals::new();
    for content in contents {
        for line in content.bytes.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = &line[..line.len().min(MAX_LINE)];
            if let Some(found) = census.captures(line) {
                let key = String::from_utf8_lossy(&found["k"]).into_owned();
                *totals.entry((key, format!("s{}", content.source))).or_default() += 1;
            }
        }
    }
    totals
}

fn place(t: &Transition) -> (String, String) {
    let label = |name| t.labels.get(name).cloned().unwrap_or_default();
    (label("k"), label("source"))
}

/// What the census rule said.
#[derive(Debug, Default)]
pub(crate) struct Census {
    said: Totals,
    /// Places whose alert was refused for good at some sink, so that the total may not be said at all.
    excused: BTreeSet<(String, String)>,
}

impl Census {
    pub(crate) fn arrived(&mut self, row: &Delivery) {
        if let Some((DeliveryKind::Resolve, t)) = row.alert()
            && t.key.rule.as_str() == "census"
        {
            self.said.insert(place(t), t.total);
        }
    }

    /// A row was refused for good.
    pub(crate) fn excuse(&mut self, row: &Delivery) {
        self.excused.extend(row.alert().map(|(_, t)| place(t)));
    }

    pub(crate) fn finish(&self, contents: &[Content]) -> Result<(), Failure> {
        let mut expected = expected(contents);
        expected.retain(|place, _| self.said.contains_key(place) || !self.excused.contains(place));
        if self.said == expected {
            return Ok(());
        }
        Err(Failure::new("census", format!("said {:?}, written {expected:?}", self.said)))
    }
}
