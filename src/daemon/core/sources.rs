//! What is told of sources: that something of them can not be read, that they are written faster than they are read,
//! that bytes of them are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::{Core, Now, pipe};
use crate::config::own::OF_SOURCE;
use crate::model::{SourceName, Timestamp, Transition, duration_text};
use crate::scan::MatchKind;
use crate::settings::Source;
use crate::tail::{Behind, Disk, Loss, Note};
use crate::untrusted::Untrusted;

/// Between two looks at how sources are.
const EVERY: Duration = Duration::from_secs(1);

const BLIND: &str = "tripline_source_blind";
const LAGGING: &str = "tripline_lagging";

/// How sources are, as far as it was told.
#[derive(Debug)]
pub(super) struct Told {
    next: Timestamp,
    /// Since when something of a source is not readable.
    blind_since: BTreeMap<SourceName, Timestamp>,
    blind: BTreeSet<SourceName>,
    lagging: BTreeSet<SourceName>,
    /// Those that were behind when the process began, and have not been read to the end since.
    recalled: BTreeSet<SourceName>,
}

impl Default for Told {
    fn default() -> Told {
        let (blind_since, blind) = Default::default();
        Told { next: Timestamp::MIN, blind_since, blind, lagging: BTreeSet::new(), recalled: BTreeSet::new() }
    }
}

impl Told {
    /// An alert that a process before this one had raised: the next look sees whether it is over.
    pub(super) fn recall(&mut self, alert: &Transition) {
        let Some(source) = alert.labels.get(OF_SOURCE).map(|name| SourceName::new(name.as_str())) else {
            return;
        };
        match alert.key.rule.as_str() {
            BLIND => {
                self.blind.insert(source);
            }
            LAGGING => {
                self.recalled.insert(source.clone());
                self.lagging.insert(source);
            }
            _ => {}
        }
    }
}

impl<D: Disk> Core<D> {
    /// Looks at how sources are, and raises and ends what is told of that.
    pub(super) fn watch_sources(&mut self, now: Now) {
        // What is not read because nothing can be committed is told as that.
        if now.time < self.told.next || self.retry_at.is_some() {
            return;
        }
        self.told.next = now.time.plus(EVERY);
        let (mut blind, mut lagging) = (BTreeMap::new(), BTreeMap::new());
        let standings = self.tail.standings();
        for source in &self.sources {
            let mine = standings.get(&source.name);
            let faults = self.tail.faults().chain(pipe::faults(&self.pipes));
            let faults = faults.filter(|(of, ..)| **of == source.name);
            let files = mine.map_or(0, |mine| mine.files) + usize::from(source.stream.is_some());
            if let Some(why) = self.told.is_blind(source, files, faults, now) {
                blind.insert(source.name.clone(), why);
            }
            if let Some(why) = self.told.is_lagging(source, mine.and_then(|mine| mine.behind.as_ref()), now) {
                lagging.insert(source.name.clone(), why);
            }
        }
        let before = std::mem::replace(&mut self.told.blind, blind.keys().cloned().collect());
        self.say(BLIND, &before, &blind, now);
        let before = std::mem::replace(&mut self.told.lagging, lagging.keys().cloned().collect());
        self.say(LAGGING, &before, &lagging, now);
    }

    fn say(
        &mut self,
        rule: &'static str,
        before: &BTreeSet<SourceName>,
        after: &BTreeMap<SourceName, String>,
        now: Now,
    ) {
        for (name, why) in after.iter().filter(|(name, _)| !before.contains(*name)) {
            self.engine.own(rule, MatchKind::Match, &[(OF_SOURCE, name.as_str())], why, now.time);
        }
        for name in before.iter().filter(|name| !after.contains_key(*name)) {
            self.engine.own(rule, MatchKind::Resolve, &[(OF_SOURCE, name.as_str())], "", now.time);
        }
    }

    /// Counts what a note of the tail says is lost, and tells it.
    pub(super) fn count_loss(&mut self, note: &Note, now: Now) {
        let Some((file, loss, bytes)) = note.loss() else { return };
        let Some(source) = self.tail.source(file).cloned() else { return };
        let counts = self.source_counts.entry(source.clone()).or_default();
        counts.lost_bytes[loss as usize] += bytes;
        match note {
            Note::Truncated { .. } | Note::CutShort { .. } => counts.truncations += 1,
            _ => counts.lost_files += 1,
        }
        let path = self.tail.path(file).map(|path| path.to_string_lossy().into_owned());
        self.tell_loss(&source, &path.unwrap_or_default(), loss, bytes, now);
    }

    /// Tells that bytes are lost, if there are any.
    pub(super) fn tell_loss(&mut self, source: &SourceName, path: &str, loss: Loss, bytes: u64, now: Now) {
        let is_told = self.sources.iter().any(|known| known.name == *source && known.own.lost_bytes);
        if bytes > 0 && is_told {
            let line = format!("{bytes} bytes of `{}`: {}", Untrusted(path), loss.about());
            let about = [(OF_SOURCE, source.as_str())];
            self.engine.own("tripline_lost_bytes", MatchKind::Match, &about, &line, now.time);
        }
    }
}

impl Told {
    /// Why a source is blind, if it is to be told, or has been told and is not over.
    fn is_blind<'a>(
        &mut self,
        source: &Source,
        files: usize,
        faults: impl Iterator<Item = (&'a SourceName, &'a Path, &'a str)>,
        now: Now,
    ) -> Option<String> {
        let after = source.own.blind_after?;
        let mut faults: Vec<_> = faults.collect();
        faults.sort_unstable();
        let why = match faults.first() {
            Some((_, path, error)) => {
                let more = match faults.len() {
                    1 => String::new(),
                    more => format!(", and {} more", more - 1),
                };
                format!("`{}`: {error}{more}", Untrusted(&path.to_string_lossy()))
            }
            None if files == 0 => "no file fits its `files`".to_owned(),
            None => {
                self.blind_since.remove(&source.name);
                return None;
            }
        };
        let since = *self.blind_since.entry(source.name.clone()).or_insert(now.time);
        let told = self.blind.contains(&source.name);
        (told || now.time.since(since) >= after).then_some(why)
    }

    /// What a source has to catch up on, if it is to be told, or has been told and is not over.
    fn is_lagging(&mut self, source: &Source, behind: Option<&Behind<'_>>, now: Now) -> Option<String> {
        let after = source.own.lagging_after?;
        let Some(oldest) = behind else {
            self.recalled.remove(&source.name);
            return None;
        };
        let age = oldest.seen.map_or(Duration::ZERO, |seen| now.time.since(seen));
        let is_told = if self.lagging.contains(&source.name) {
            // It ends well below where it begins, so that it does not come and go.
            age >= after / 2 || self.recalled.contains(&source.name)
        } else {
            // A backlog that does not grow is only read.
            age >= after && now.time.since(oldest.grown) < after
        };
        let path = oldest.path.to_string_lossy();
        is_told.then(|| {
            let (lag, age) = (oldest.lag, duration_text(Duration::from_secs(age.as_secs())));
            format!("{lag} bytes of `{}` are unread, the oldest for {age}", Untrusted(&path))
        })
    }
}
