//! What the loop answers to the command line. Nothing is said to be done before it is durable.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use super::core::{Core, KEPT, Now};
use super::letters;
use super::{Daemon, Reloads, users_rules};
use crate::admin::{
    Activity, Answer, End, History, MOST_ALERTS, MOST_TOLD, Open, OpenRow, Question, Report, Resolve,
    RuleActivity, RuleRow, Rules, Silence, SilenceRow, Source, Step, WorstFile,
};
use crate::config::own::OWN_PREFIX;
use crate::config::shown::{condition_line, template_text};
use crate::engine::silence::new_terms;
use crate::http::{FileView, View};
use crate::model::{AlertKey, KeyHash, RuleName, Timestamp, Transition};
use crate::saved::SavedSilence;
use crate::settings::Settings;
use crate::tail::Disk;

/// Steps of time that are looked ahead for one answer, to say when alerts end: some milliseconds.
const MOST_STEPS: usize = 20_000;

/// The end of a longer one could not be written as a date.
const LONGEST_SILENCE: Duration = Duration::from_secs(100 * 366 * 86_400);

/// An answer that waits for the commit of what it says.
pub(super) struct Waiting {
    answer: Answer,
    /// How many commits there were when it was decided.
    commits: u64,
    reply: oneshot::Sender<Answer>,
}

/// What is told of the process itself.
pub(super) struct Process {
    pub(super) started: Timestamp,
    pub(super) scope: String,
}

impl Daemon {
    /// Answers, or promises to once it is durable.
    pub(super) fn asked(&mut self, question: Question, reply: oneshot::Sender<Answer>, now: Now) {
        let answer = match question {
            Question::Health => Answer::Health(self.show.borrow().health(now.time)),
            Question::Status => {
                let view = self.view(now);
                let mut report =
                    report(&self.core, &self.settings, &view, &self.reloads, &self.process, now.time);
                for source in &mut report.sources {
                    let trend = self.trends.source(&source.name);
                    (source.bytes_per_second, source.last_read) = (trend.rate(), trend.last_read);
                }
                Answer::Status(Box::new(report))
            }
            Question::Rules => Answer::Rules(Box::new(rules(&self.core, &self.process))),
            Question::Silences => Answer::Silences { silences: silences(&self.core), at: now.time },
            Question::Activity => Answer::Activity(Box::new(self.activity(now))),
            Question::History => Answer::History(Box::new(history(&self.core, now.time))),
            Question::Sinks => Answer::Sinks(letters::sinks(&self.core, &self.settings, now.time)),
            Question::Outbox => Answer::Outbox(Box::new(letters::outbox(&self.core))),
            Question::Resolve(_)
            | Question::Silence(_)
            | Question::Unsilence(_)
            | Question::Retry(_)
            | Question::Drop(_)
                if self.core.store_failed() =>
            {
                Answer::Refused(
                    "the state can not be written now, so nothing was done: see the log".to_owned(),
                )
            }
            Question::Resolve(which) => self.resolve(&which, now),
            Question::Retry(which) => Answer::Letters(letters::retry(&mut self.core, &which, now)),
            Question::Drop(which) => Answer::Letters(letters::forget(&mut self.core, &which, now)),
            Question::Silence(silence) => self.silence(silence, now),
            Question::Unsilence(id) => {
                let ended = self.core.unsilence(id, now);
                if let Some(SavedSilence { terms, until, comment, .. }) = &ended {
                    tracing::info!(id, ?terms, %until, ?comment, "a silence was removed");
                }
                Answer::Unsilenced(ended.as_ref().map(row))
            }
        };
        let lasts = match &answer {
            Answer::Resolved { alerts, .. } => !alerts.is_empty(),
            Answer::Silenced { .. } | Answer::Unsilenced(Some(_)) => true,
            Answer::Letters(letters) => !letters.done.is_empty() || letters.gone.is_some(),
            _ => false,
        };
        if lasts {
            self.waiting.push(Waiting { answer, commits: self.core.counts().commits, reply });
        } else {
            // Whoever went away does not want to know.
            let _ = reply.send(answer);
        }
    }

    fn activity(&self, now: Now) -> Activity {
        let view = self.view(now);
        let engine = self.core.engine();
        let mut open: BTreeMap<&RuleName, u64> = BTreeMap::new();
        for (rule, _, alerts) in &view.alerts {
            *open.entry(rule).or_default() += alerts;
        }
        let rules = engine.ruleset().rules.iter().zip(&view.rules).map(|(rule, seen)| {
            let trend = self.trends.rule(&rule.name);
            RuleActivity {
                name: rule.name.to_string(),
                kind: if rule.change.is_some() { "change" } else { "alert" }.to_owned(),
                own: rule.name.as_str().starts_with(OWN_PREFIX),
                sources: rule.sources.iter().map(ToString::to_string).collect(),
                by: rule.by.iter().map(|by| by.name.to_string()).collect(),
                condition: condition_line(rule),
                summary: template_text(rule, &rule.summary),
                minutes: trend.minutes.into(),
                matches: seen.matches,
                recoveries: seen.recoveries,
                tried: seen.tried,
                dismissed: seen.dismissed,
                unreadable: seen.unreadable + seen.unknown_status,
                late: seen.late + seen.stale_changes,
                overflow: seen.overflow,
                forgotten: seen.forgotten,
                keys: seen.keys,
                open: open.get(&rule.name).copied().unwrap_or_default(),
                last_match: trend.last_match,
            }
        });
        Activity { at: now.time, minute: self.trends.minute(), rules: rules.collect() }
    }

    fn resolve(&mut self, which: &Resolve, now: Now) -> Answer {
        let meant = self.core.engine().open_alerts().filter(|alert| which.means(alert));
        let meant: Vec<Transition> = meant.cloned().collect();
        let (alerts, more) = listed(&meant);
        match meant.len() {
            2.. if !which.all => Answer::Several { alerts, more },
            0 => Answer::Resolved { alerts, more },
            _ => {
                let keys: Vec<AlertKey> = meant.into_iter().map(|alert| alert.key).collect();
                tracing::info!(alerts = keys.len(), "resolved by hand");
                self.core.resolve(&keys, now);
                Answer::Resolved { alerts, more }
            }
        }
    }

    fn silence(&mut self, silence: Silence, now: Now) -> Answer {
        if matches!(silence.end, End::After(seconds) if seconds > LONGEST_SILENCE.as_secs()) {
            return Answer::Refused("a silence lasts 100 years at most: disable the rule instead".to_owned());
        }
        let until = match silence.end {
            End::After(seconds) => now.time.plus(Duration::from_secs(seconds)),
            // Who names a moment looks at a wall clock, which may have been set since the start.
            End::Until(moment) => Timestamp(moment.0.saturating_sub(now.skew_us)),
        };
        match self.core.silence(silence.terms, until, silence.comment, now) {
            Ok(made) => {
                let SavedSilence { id, terms, comment, .. } = &made;
                tracing::info!(id, ?terms, %until, ?comment, "a silence was added");
                let engine = self.core.engine();
                let told = |alert: &&Transition| engine.why_untold(alert).is_none();
                let told = engine.covered_by(made.id).filter(told).count() as u64;
                let covers = engine.covered_by(made.id).count() as u64;
                let doubts = new_terms(terms).map(|terms| engine.doubts(&terms)).unwrap_or_default();
                Answer::Silenced { silence: row(&made), told, covers, doubts }
            }
            Err(why) => Answer::Refused(why),
        }
    }

    /// Lets answers go whose commit succeeded, or failed.
    pub(super) fn let_answers_go(&mut self) {
        let commits = self.core.counts().commits;
        let failed = self.core.store_failed();
        for waiting in std::mem::take(&mut self.waiting) {
            if commits > waiting.commits {
                let _ = waiting.reply.send(waiting.answer);
            } else if failed {
                let why =
                    "it is done, but the state can not be written: it will not last if tripline ends now";
                let _ = waiting.reply.send(Answer::Refused(why.to_owned()));
            } else {
                self.waiting.push(waiting);
            }
        }
    }
}

fn row(silence: &SavedSilence) -> SilenceRow {
    let SavedSilence { id, terms, from, until, comment } = silence.clone();
    SilenceRow { id, terms, from, until, comment }
}

fn silences<D: Disk>(core: &Core<D>) -> Vec<SilenceRow> {
    core.engine().silences().map(row).collect()
}

fn rules<D: Disk>(core: &Core<D>, process: &Process) -> Rules {
    let engine = core.engine();
    let rules = engine.outlines().map(|outline| RuleRow {
        name: outline.name.to_string(),
        by: outline.by.iter().map(ToString::to_string).collect(),
        scoped: outline.scoped,
        of_changes: outline.of_changes,
        condition: KeyHash(outline.condition).to_string(),
        texts: KeyHash(outline.texts).to_string(),
    });
    // What is expected was written in a rule, so it is text.
    let text = |value: &Vec<u8>| String::from_utf8_lossy(value).into_owned();
    let open = engine.open_keys().take(MOST_ALERTS).map(|(open, alert)| OpenRow {
        alert: Open::from(alert),
        unseen: open.unseen.map(|values| values.iter().map(text).collect()),
        storm_of: open.storm_of.map(|rule| rule.to_string()),
        folded: open.folded,
        outlives: open.outlives,
    });
    Rules {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scope: process.scope.clone(),
        rules: rules.collect(),
        open: open.collect(),
        more_open: engine.open_keys().count().saturating_sub(MOST_ALERTS) as u64,
    }
}

/// As many alerts as an answer lists, and how many there are besides.
fn listed(alerts: &[Transition]) -> (Vec<Open>, u64) {
    let (shown, more) = alerts.split_at(alerts.len().min(MOST_ALERTS));
    (shown.iter().map(Open::from).collect(), more.len() as u64)
}

/// An open alert, and whether it is told.
fn open_alert<D: Disk>(core: &Core<D>, alert: &Transition) -> Open {
    let (held, silence) = (core.engine().is_held(alert), core.engine().silenced_by(alert));
    let untold = core.engine().why_untold(alert).map(|why| why.to_string());
    let orphan = core.engine().is_orphan(alert);
    Open { held, silence, untold, orphan, ..Open::from(alert) }
}

/// An open alert with all that there is to read of it; `steps` bound how long is worked on when it ends.
fn told_alert<D: Disk>(core: &Core<D>, alert: &Transition, steps: &mut usize) -> Open {
    let (lines, last_lines) = core.engine().lines_of(alert);
    Open {
        description: alert.description.clone(),
        lines,
        last_lines,
        ends: core.engine().ends_if_quiet(alert, steps),
        ..open_alert(core, alert)
    }
}

fn history<D: Disk>(core: &Core<D>, now: Timestamp) -> History {
    let from = now.minus(KEPT);
    let recent = core.steps().filter(|step| step.decided >= from);
    let transitions = recent.map(|step| Step {
        time: step.time,
        alert_key: step.key.to_string(),
        rule: step.key.rule.to_string(),
        status: step.status.as_str().to_owned(),
        reason: step.reason.as_str().to_owned(),
        summary: step.summary.clone(),
    });
    History { at: now, from, transitions: transitions.collect() }
}

fn worst_file(file: &FileView) -> WorstFile {
    let FileView { path, unread_bytes, lag_seconds, lost_bytes } = file.clone();
    WorstFile { path, unread_bytes, lag_seconds, lost_bytes }
}

fn report<D: Disk>(
    core: &Core<D>,
    settings: &Settings,
    view: &View,
    reloads: &Reloads,
    process: &Process,
    now: Timestamp,
) -> Report {
    let mut steps = MOST_STEPS;
    let mut open: Vec<&Transition> = core.engine().open_alerts().collect();
    open.sort_by(|a, b| (b.status, b.since, &a.key).cmp(&(a.status, a.since, &b.key)));
    let sources = view.sources.iter().map(|source| Source {
        name: source.name.to_string(),
        files: source.files,
        behind_files: source.behind_files,
        unread_bytes: source.unread_bytes,
        lag_seconds: source.lag_seconds,
        lost_bytes: source.lost_bytes.values().sum(),
        read_bytes: source.read_bytes,
        bytes_per_second: 0.0,
        last_read: None,
        worst: source.worst.iter().map(worst_file).collect(),
        problems: source.problems.clone(),
    });
    let sinks = core.queues().map(|(name, status)| letters::sink(core, name, &status, settings, now));
    let mut problems = view.problems.clone();
    if let Some(why) = &reloads.failure {
        problems.push(format!("the configuration was not loaded, the running one stays: {why}"));
    }
    let rules = users_rules(core) as u64;
    if rules == 0 {
        problems.push("no rule is in force, so nothing is watched".to_owned());
    }
    Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        scope: process.scope.clone(),
        at: now,
        started: process.started,
        rules,
        problems,
        alerts: {
            let (told, more) = open.split_at(open.len().min(MOST_TOLD));
            let told = told.iter().map(|alert| told_alert(core, alert, &mut steps));
            let more = more.iter().take(MOST_ALERTS - MOST_TOLD).map(|alert| open_alert(core, alert));
            told.chain(more).collect()
        },
        silences: silences(core),
        more_alerts: open.len().saturating_sub(MOST_ALERTS) as u64,
        sources: sources.collect(),
        sinks: sinks.filter(|sink| !sink.removed || sink.queued > 0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn what_an_answer_does_not_list_it_counts() {
        for (alerts, listed_of_them, more) in [(0, 0, 0), (2, 2, 0), (MOST_ALERTS + 3, MOST_ALERTS, 3)] {
            let (shown, rest) = listed(&vec![sample::transition(); alerts]);
            assert_eq!((shown.len(), rest), (listed_of_them, more), "{alerts}");
        }
    }
}
