//! Invariant 1 (and half of 5): every line counts once. What was written, counted in the plainest way, is what the
//! census rule says at the end.

use std::collections::{BTreeMap, BTreeSet};

use regex::bytes::Regex;
use tripline::model::{Delivery, DeliveryKind, Transition};

use super::super::plan::CENSUS;
use super::super::trace::Failure;

/// Matches per key and source.
type Totals = BTreeMap<(String, String), u64>;

/// Counts what should have been counted.
fn expected(written: &[(usize, Vec<u8>)]) -> Totals {
    let census = Regex::new(CENSUS).expect("a pattern");
    let mut totals = Totals::new();
    for (source, record) in written {
        if let Some(found) = census.captures(record) {
            let key = String::from_utf8_lossy(&found["k"]).into_owned();
            *totals.entry((key, format!("s{source}"))).or_default() += 1;
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

    /// `written`: all lines or records, each with its source.
    pub(crate) fn finish(&self, written: &[(usize, Vec<u8>)]) -> Result<(), Failure> {
        let mut expected = expected(written);
        expected.retain(|place, _| self.said.contains_key(place) || !self.excused.contains(place));
        if self.said == expected {
            return Ok(());
        }
        Err(Failure::new("census", format!("said {:?}, written {expected:?}", self.said)))
    }
}
