//! (c) of the oracle: a repeat has the words of what it repeats.

use std::collections::BTreeMap;

use tripline::model::{Content, Delivery, SinkName};

use super::super::trace::Failure;

/// What was said under each id.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    said: BTreeMap<(SinkName, String), Content>,
}

impl Repeats {
    pub(crate) fn arrived(&mut self, row: &Delivery) -> Result<(), Failure> {
        let place = (row.sink.clone(), row.id());
        match self.said.get(&place) {
            Some(said) if *said == row.content => Ok(()),
            Some(said) => {
                let what = format!("{} at {} was {said:?} and is {:?}", row.id(), row.sink, row.content);
                Err(Failure::new("repeat", what))
            }
            None => {
                self.said.insert(place, row.content.clone());
                Ok(())
            }
        }
    }
}
