//! The words of a transition: a rule's templates filled with what its key knows. Log text enters as a value and is
//! never read as a template.

use std::fmt::Write;
use std::path::Path;

use crate::model::{ContainerPath, FileId, Labels, Transition, duration_text};
use crate::rule::{Rule, Template, Value};

use super::alert::Key;

/// What is known around a key at the moment something happens to it.
pub(super) struct Scene<'a> {
    pub(super) rule: &'a Rule,
    /// The observer's scope.
    pub(super) instance: &'a str,
    /// Path and source of the file that the key's newest match came from.
    pub(super) place: Option<(&'a Path, &'a str)>,
}

impl Scene<'_> {
    /// Writes labels and texts into `transition`, whose numbers are already set.
    pub(super) fn write(&self, key: &Key, transition: &mut Transition) {
        let fill =
            |template: &Template| template.render(|value, text| self.fill(key, transition, value, text));
        let mut labels = Labels::new();
        let mut details = Labels::new();
        for (name, template) in &self.rule.labels {
            let kind = if template.is_constant() { &mut labels } else { &mut details };
            kind.insert(name.clone(), fill(template));
        }
        for (by, value) in self.rule.by.iter().zip(&key.by) {
            let kept = &value[..value.len().min(super::alert::CAPTURE_KEPT)];
            labels.insert(by.name.clone(), String::from_utf8_lossy(kept).into_owned());
        }
        if self.rule.scoped {
            labels.insert("instance".into(), self.instance.to_owned());
        }
        let summary = fill(&self.rule.summary);
        let description = fill(&self.rule.description);
        let say = |value: &Value, text: &mut String| self.fill(key, transition, value, text);
        let runbook = self.rule.runbook.as_ref().and_then(|runbook| runbook.render(say));
        let images = self.rule.images.iter().filter_map(|image| image.render(say)).collect();
        let links = self.rule.links.iter().filter_map(|link| link.render(say)).collect();
        transition.labels = labels;
        transition.details = details;
        transition.summary = summary;
        transition.description = description;
        transition.runbook = runbook;
        transition.images = images;
        transition.links = links;
    }

    fn fill(&self, key: &Key, transition: &Transition, value: &Value, text: &mut String) {
        let (path, source) = self.place.unwrap_or((Path::new(""), ""));
        // Writing to a String can not fail.
        let _ = match value {
            Value::Capture(ix) => {
                let captured = key.captures.get(*ix).and_then(Option::as_deref);
                // Of what was never seen there is no line, but what it would be called.
                let named = || self.rule.by.iter().position(|by| by.from == *value).map(|at| &*key.by[at]);
                let capture = captured.or_else(named).unwrap_or_default();
                write!(text, "{}", String::from_utf8_lossy(capture))
            }
            Value::File => write!(text, "{}", path.to_string_lossy()),
            Value::Source => write!(text, "{source}"),
            Value::Container(part) => {
                // The file may be gone, or have never been.
                let named = self.rule.by.iter().position(|by| by.from == *value).map(|at| &*key.by[at]);
                match named {
                    Some(named) => write!(text, "{}", String::from_utf8_lossy(named)),
                    None => write!(text, "{}", ContainerPath::of(path).part(*part)),
                }
            }
            Value::Instance => write!(text, "{}", self.instance),
            Value::Rule => write!(text, "{}", self.rule.name),
            Value::Line => write!(text, "{}", String::from_utf8_lossy(&key.line)),
            Value::Lines => write!(text, "{}", key.lines.text()),
            Value::Count => write!(text, "{}", transition.count),
            Value::Total => write!(text, "{}", transition.total),
            Value::Value => match transition.value {
                Some(value) => write!(text, "{}", self.rule.number_text(value)),
                None => write!(text, "-"),
            },
            Value::Within => {
                let before = self.rule.deadlines.as_ref().and_then(|deadlines| deadlines.within);
                write!(text, "{}", duration_text(before.unwrap_or(self.rule.within)))
            }
            Value::Deadline => match self.rule.deadlines.as_ref().zip(key.missed_from) {
                Some((deadlines, missed)) => write!(text, "{}", deadlines.shown(missed)),
                None => write!(text, "-"),
            },
            Value::For => write!(text, "{}", duration_text(self.rule.hold)),
            Value::Status => write!(text, "{}", transition.status.as_str()),
            Value::Since => write!(text, "{}", transition.since),
            Value::Time => write!(text, "{}", transition.time),
        };
    }
}

/// The file whose path and source a key's texts speak of.
pub(super) fn newest_file(key: &Key) -> Option<FileId> {
    key.files.last().copied()
}
