//! What a match says of a change. Nothing is remembered: each match stands for itself, and its place makes it unique.

use std::fmt::Write as _;

use super::alert::CAPTURE_KEPT;
use super::lines::cut;
use super::{Engine, Reported, digest};
use crate::model::{ChangeReport, ChangeStatus, KeyHash, Labels, Timestamp};
use crate::rule::{AddressTemplate, Change, Rule, StatusOf, Template, Value};
use crate::scan::Match;

/// Bytes of a change key, at most: what every peer takes.
const KEY_KEPT: usize = 255;

impl Engine {
    /// Says what a match of a rule says of a change.
    pub(super) fn say_change(&mut self, rule: &Rule, change: &Change, seen: Timestamp, hit: &Match<'_>) {
        let Some(status) = status_of(&change.status, hit) else {
            self.counts[hit.rule.0 as usize].unknown_status += 1;
            return;
        };
        let key = change.key.render(|value, text| match value {
            // As for alerts, the key is made of all of it.
            Value::Capture(ix) => text.push_str(&lossy(hit.captures.get(*ix), usize::MAX)),
            _ => self.fill(rule, hit, value, text),
        });
        if key.trim().is_empty() {
            self.counts[hit.rule.0 as usize].unreadable += 1;
            return;
        }
        let hash =
            digest(rule.name.as_str(), self.scope_of(rule), [("change_key", key.as_bytes())].into_iter());
        if !self.counts_once(rule, hash, hit) {
            return;
        }
        if self.tells_matches {
            self.output.matches.push((hit.rule, seen));
        }
        let stale = seen < self.now.minus(self.clocks.max_age(&[hit.at.file]));
        let (report, unread) = self.report(rule, change, status, (key, hash), seen, hit);
        let counts = &mut self.counts[hit.rule.0 as usize];
        counts.matches += 1;
        counts.stale_changes += u64::from(stale);
        counts.unreadable += u64::from(unread);
        self.output.changes.push(Reported { report, stale });
    }

    /// What is said, and whether a stamp of it could not be read.
    fn report(
        &self,
        rule: &Rule,
        change: &Change,
        status: ChangeStatus,
        (key, hash): (String, KeyHash),
        seen: Timestamp,
        hit: &Match<'_>,
    ) -> (ChangeReport, bool) {
        let mut unread = false;
        let mut stamp = |template: &Option<Template>| {
            let text = template.as_ref()?.render(|value, text| self.fill(rule, hit, value, text));
            let is_there = !text.trim().is_empty();
            let read = self.clocks.read(hit.at.file, &text, seen);
            unread |= is_there && read.is_none();
            read
        };
        let time = stamp(&change.time).unwrap_or(seen);
        let (starts, ends) = (stamp(&change.starts), stamp(&change.ends));
        let say = |value: &Value, text: &mut String| match value {
            Value::Status => text.push_str(status.as_str()),
            // Writing to a String can not fail.
            Value::Time => write!(text, "{time}").unwrap_or_default(),
            _ => self.fill(rule, hit, value, text),
        };
        let fill = |template: &Template| template.render(say);
        let address = |address: &Option<AddressTemplate>| address.as_ref()?.render(say);
        let (mut labels, mut details) = (Labels::new(), Labels::new());
        for (name, template) in &rule.labels {
            let kind = if template.is_constant() { &mut labels } else { &mut details };
            kind.insert(name.clone(), fill(template));
        }
        if rule.scoped {
            labels.insert("instance".into(), self.scope.clone());
        }
        let linked = change.linked_changes.iter().map(fill);
        let report = ChangeReport {
            time,
            seen,
            rule: rule.name.clone(),
            hash,
            change_key: shortened(key),
            status,
            life: 1,
            at: hit.at,
            labels,
            details,
            summary: fill(&rule.summary),
            description: fill(&rule.description),
            link: address(&change.link),
            starts,
            ends,
            linked_changes: linked.filter(|text| !text.trim().is_empty()).collect(),
            runbook: address(&rule.runbook),
            images: rule.images.iter().filter_map(|image| image.render(say)).collect(),
            links: rule.links.iter().filter_map(|link| link.render(say)).collect(),
        };
        (report, unread)
    }

    /// Writes what a name says of a line. The configuration allows no other names here.
    fn fill(&self, rule: &Rule, hit: &Match<'_>, value: &Value, text: &mut String) {
        let mut line = Vec::new();
        let said = match value {
            Value::Instance => self.scope.as_bytes(),
            Value::Line => {
                cut(hit.line, &mut line);
                &line
            }
            _ => self.value_of(rule, value, hit),
        };
        text.push_str(&lossy(Some(said), CAPTURE_KEPT));
    }
}

fn status_of(status: &StatusOf, hit: &Match<'_>) -> Option<ChangeStatus> {
    match status {
        StatusOf::Word(status) => Some(*status),
        StatusOf::Capture(capture, words) => {
            let value = hit.captures.get(*capture)?;
            words.get(std::str::from_utf8(value).ok()?).copied()
        }
    }
}

/// At most `most` bytes as text.
fn lossy(bytes: Option<&[u8]>, most: usize) -> String {
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
}

/// A key that peers take. What is too long ends in a digest of all of it, so that two of them stay two.
fn shortened(key: String) -> String {
    if key.len() <= KEY_KEPT {
        return key;
    }
    let whole = digest("", "", [("", key.as_bytes())].into_iter());
    let room = key.floor_char_boundary(KEY_KEPT - 33);
    format!("{}~{whole}", &key[..room])
}
