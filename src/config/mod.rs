//! Text → [`Settings`], [`Ruleset`] and every problem of every file in one run.
//!
//! Takes text, never a path to read; knows the paths only to name them and to resolve relative ones against them.
//! The way of a file: `walk` parses it and holds it against the key tables of [`keys`]; `main_file` and `rules` turn
//! what is believable into types; `pattern` and `template` do so with the two little languages inside of strings, and
//! find the way back to the character that was typed. `probe` judges what a pattern costs, with the stopwatch of the
//! caller.
//!
//! A file with one error changes nothing: the answer is then `None` and the running rules stay.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::model::{Format, SinkName};
use crate::rule::{Redaction, Ruleset};
use crate::scenario::Suite;
use crate::settings::{self, Settings};
use probe::Probe;

mod calendar;
mod captured;
mod condition;
pub mod csv;
mod deadline;
mod demand;
mod diagnostic;
mod digest;
mod idioms;
pub mod keys;
mod ladder;
pub mod macros;
mod main_file;
pub mod measure;
mod multiline;
pub mod own;
mod pack;
mod pattern;
mod place;
mod possible;
pub mod probe;
pub mod rewrite;
mod rules;
mod scenario;
mod schedule;
pub mod schema;
pub mod shown;
mod sinks;
mod stream;
pub mod template;
mod tokens;
pub mod units;
mod walk;
mod when;
mod zone;

pub use diagnostic::{Diagnostic, Second, Severity};
pub use pack::{Pack, PackRule, UsualSource};

/// A file that somebody has read.
#[derive(Clone, Debug)]
pub struct Text {
    /// As diagnostics show it. Relative paths in the text are relative to its parent.
    pub path: PathBuf,
    /// What stands in it.
    pub text: String,
}

/// What of settings with errors is good enough to check everything else by, so that all problems are shown at once.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Without the sinks that are wrong. Sources are there as far as they can be read.
    pub settings: Settings,
    /// True if it is known what all sources are called.
    pub knows_sources: bool,
    /// What the sinks are called that are wrong; `None` if that is not known of all.
    pub wrong_sinks: Option<Vec<SinkName>>,
}

/// Which sources rules may name.
#[derive(Clone, Copy, Debug)]
pub enum Sources<'a> {
    /// These, as configured.
    These(&'a [settings::Source]),
    /// Whatever they are called, because files are given on the command line. Their lines have one of these formats.
    Any(&'a [Format]),
}

impl<'a> Sources<'a> {
    fn configured(self) -> Option<&'a [settings::Source]> {
        match self {
            Sources::These(sources) => Some(sources),
            Sources::Any(_) => None,
        }
    }
}

/// Reads `tripline.toml`. `local` is the zone that `tz = "local"` means.
///
/// The settings are there if no diagnostic is an error; diagnostics come in the order of the file. The empty text is
/// a valid configuration with every default, no source, and one sink on stdout.
///
/// # Errors
/// What is known all the same.
pub fn settings(text: &Text, local: &TimeZone) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    settings_with(text, local, &csv::Files::new())
}

/// The same with the texts of [`body_files`].
///
/// # Errors
/// As [`settings()`].
pub fn settings_with(
    text: &Text,
    local: &TimeZone,
    bodies: &csv::Files,
) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    main_file::read(text, local, bodies)
}

/// The files that sinks take their bodies from, as `tripline.toml` names them.
pub fn body_files(text: &Text) -> Vec<PathBuf> {
    main_file::body_files(text)
}

/// Where a sink of `tripline.toml` says something: the first of these keys that it has, else its header.
pub fn place_in_sink(main: &Text, sink: &SinkName, keys: &[&str]) -> Range<usize> {
    main_file::place_in_sink(main, sink, keys)
}

/// Reads the tests of a test file, or those that stand in a rule file (`is_pack`), whose rules are read by [`ruleset`].
///
/// Diagnostics come in the order of the text.
///
/// # Errors
/// If one of them is an error: what is known all the same, so that what it speaks of can be looked at too.
pub fn tests(text: &Text, is_pack: bool) -> (Result<Suite, Suite>, Vec<Diagnostic>) {
    scenario::read(text, is_pack)
}

/// Which sources of tests no rule sees: `known` are those that rules see. Nothing could come of their lines, whatever is
/// expected.
pub fn unseen_sources(text: &Text, known: &BTreeSet<&str>) -> Vec<Diagnostic> {
    scenario::unseen_sources(text, known)
}

/// The sources that rules are by themselves, because they name `files`: named after the rules, sorted by name. Those of
/// rules with the same files are one.
pub fn inline_sources(texts: &[Text], local: &TimeZone) -> Vec<settings::Source> {
    rules::sources(texts, local)
}

/// What a rule file says of itself in `[pack]`, as far as it is right; `None`: nothing.
pub fn pack(text: &Text) -> Option<Pack> {
    pack::read(text)
}

/// True if tests stand in that rule file.
pub fn has_tests(text: &str) -> bool {
    scenario::has_tests(text)
}

/// Lets rules take out of lines what the settings and their sources say, besides what they say themselves.
pub fn redact(settings: &Settings, ruleset: &mut Ruleset) {
    for rule in &mut ruleset.rules {
        let sources = settings.sources.iter().filter(|source| rule.sources.contains(&source.name));
        let all = [&settings.redact, &*rule.redact].into_iter().chain(sources.map(|source| &source.redact));
        let own = all.flat_map(|redaction| &redaction.own).cloned().collect();
        rule.redact = Arc::new(Redaction { defaults: settings.redact.defaults, own });
    }
}

/// Says which names in `sinks` of rules are no sinks of the settings, nor among `others`.
pub fn unknown_sinks(texts: &[Text], settings: &Settings, others: &[SinkName]) -> Vec<Diagnostic> {
    let names: Vec<&str> =
        settings.sinks.iter().map(|sink| &sink.of).chain(others).map(SinkName::as_str).collect();
    when::unknown_sinks(texts, &names)
}

/// Reads all rule files at once, and adds tripline's own rules ([`own::own_rules`]).
///
/// `sources` are the configured ones; `None` if files are given on the command line, where a rule's sources are kept
/// as typed. `globals` are the labels of every alert, `local` is the zone of schedules that name none. The ruleset is there if no diagnostic is an error; diagnostics
/// come in the order of `texts`, then of each text.
pub fn ruleset(
    texts: &[Text],
    sources: Option<&[settings::Source]>,
    globals: &[(Arc<str>, String)],
    local: &TimeZone,
) -> (Option<Ruleset>, Vec<Diagnostic>) {
    let sources = sources.map_or(Sources::Any(&[Format::Plain]), Sources::These);
    ruleset_probed(texts, sources, &csv::Files::new(), globals, local, &mut Probe::none())
}

/// The same, with the files that tables of `[lookup]` stand in ([`csv::wanted`]) and a trial of what patterns cost.
pub fn ruleset_probed(
    texts: &[Text],
    sources: Sources<'_>,
    tables: &csv::Files,
    globals: &[(Arc<str>, String)],
    local: &TimeZone,
    probe: &mut Probe,
) -> (Option<Ruleset>, Vec<Diagnostic>) {
    rules::read(texts, sources, tables, globals, local, probe)
}

/// What is wrong with rules beside these sinks: those of which nobody hears. In the order of `texts`, then of each text.
pub fn untold(texts: &[Text], sinks: &[settings::Sink]) -> Vec<Diagnostic> {
    rules::untold(texts, sinks)
}

/// What is wrong with how the sinks of `tripline.toml` stand to its sources and to each other: file sinks that write what
/// a source reads, or one file. In the order of sinks.
pub fn sinks_among(main: &Text, settings: &Settings) -> Vec<Diagnostic> {
    sinks::among::files(main, settings)
}

/// How the sinks of `tripline.toml` stand to the rules: which `when` speak of rules and labels that there are not, and which
/// sinks have to be named by a rule and are not.
pub fn sinks_beside_rules(main: &Text, settings: &Settings, ruleset: &Ruleset) -> Vec<Diagnostic> {
    let mut found = sinks::among::unknown_names(main, settings, ruleset);
    found.extend(sinks::among::unnamed(main, settings, ruleset));
    found
}

#[cfg(test)]
mod tests;
