//! What is said of sinks that are not configured any more and believe that alerts are open: as long as they can be told
//! the ends, somebody can still see to it that they are.

use super::core::Core;
use crate::model::SinkName;
use crate::tail::Disk;

/// A sentence for each of them.
pub(super) fn problems<D: Disk>(core: &Core<D>) -> Vec<String> {
    let sentence = |(sink, open): (&SinkName, usize)| {
        let alerts = if open == 1 { "1 alert is" } else { &format!("{open} alerts are") };
        let rest = match core.is_unreachable(sink) {
            true => format!(
                "nobody tells it the end; configure it again under this name until then, or see to its end there, and \
                 `tripline outbox drop --sink {sink}` forgets it"
            ),
            false => "it is told the end while this process runs, and not after a restart; configure it again under \
                      this name until then"
                .to_owned(),
        };
        format!("sink `{sink}` is not configured any more and believes that {alerts} open: {rest}")
    };
    core.gone().map(sentence).collect()
}

/// Says the same in tripline's own log.
pub(super) fn warn<D: Disk>(core: &Core<D>) {
    problems(core).iter().for_each(|problem| tracing::warn!("{problem}"));
}
