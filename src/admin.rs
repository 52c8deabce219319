//! What the command line asks a running tripline, and what it is answered: one JSON object on a line each way, over
//! `admin.sock` in the state directory. Plain data. Fields are only added, and what one side does not know it passes
//! over, so that the two may be of different versions for as long as an upgrade takes.

pub mod outbox;

use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, Transition};
use outbox::{Letters, Outbox, SinkDetail, Which};

/// The socket in the state directory. Whoever may open it may do whatever tripline may.
pub const SOCKET: &str = "admin.sock";
/// Bytes of a question, its end of line included, at most.
pub const MOST_ASKED: usize = 64 * 1024;
/// Open alerts in one answer, at most; how many more there are is said.
pub const MOST_ALERTS: usize = 10_000;
/// Of so many of them all texts are in it.
pub const MOST_TOLD: usize = 1_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether it is ready.
    Health,
    /// How it goes.
    Status,
    /// Resolve open alerts by hand.
    Resolve(Resolve),
    /// Hold back raises of some alerts for a while.
    Silence(Silence),
    /// Which silences there are.
    Silences,
    /// End a silence.
    Unsilence(u64),
    /// Which rules are in force, as far as a reload compares them.
    Rules,
    /// How rules fare.
    Activity,
    /// What alerts did in the last day.
    History,
    /// Sinks in detail.
    Sinks,
    /// What is owed, and what was given up.
    Outbox,
    /// Owe dead letters again.
    Retry(Which),
    /// Forget dead letters.
    Drop(Which),
}

/// Which alerts to resolve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolve {
    /// The name of a rule, or an alert key, whole or with the first digits of its digest; `None`: any.
    pub which: Option<String>,
    /// Names and values of labels that it has.
    #[serde(default)]
    pub labels: Vec<(String, String)>,
    /// Resolve them though there are several.
    #[serde(default)]
    pub all: bool,
}

impl Resolve {
    /// True if an alert is meant, as far as names and labels say.
    pub fn means(&self, alert: &Transition) -> bool {
        let which = self.which.as_deref().is_none_or(|which| match which.split_once(':') {
            Some((rule, digest)) => {
                alert.key.rule.as_str() == rule
                    && !digest.is_empty()
                    && alert.key.hash.to_string().starts_with(digest)
            }
            None => alert.key.rule.as_str() == which,
        });
        let labelled = |(name, value): &(String, String)| {
            let label = alert.labels.get(name.as_str()).or_else(|| alert.details.get(name.as_str()));
            label == Some(value)
        };
        which && self.labels.iter().all(labelled)
    }
}

/// What is to be silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What has to be true of an alert.
    pub terms: Vec<String>,
    /// When it is over.
    pub end: End,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// When a silence is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// After so many seconds.
    After(u64),
    /// At that moment of the wall clock.
    #[serde(with = "rfc3339")]
    Until(Timestamp),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Whether it is ready.
    Health(Health),
    /// How it goes.
    Status(Box<Report>),
    /// Alerts were resolved, and that will last.
    Resolved {
        /// Which; [`MOST_ALERTS`] at most.
        alerts: Vec<Open>,
        /// How many besides these.
        #[serde(default)]
        more: u64,
    },
    /// More than one alert is meant; nothing was done.
    Several {
        /// Which; [`MOST_ALERTS`] at most.
        alerts: Vec<Open>,
        /// How many besides these.
        #[serde(default)]
        more: u64,
    },
    /// It is silent, and that will last.
    Silenced {
        /// The new silence.
        silence: SilenceRow,
        /// Open alerts of which it is true and that were told already.
        told: u64,
        /// Open alerts of which it is true.
        #[serde(default)]
        covers: u64,
        /// What speaks against its terms, each in one sentence: names that no rule in force has.
        #[serde(default)]
        doubts: Vec<String>,
    },
    /// All silences.
    Silences {
        /// In the order in which they were made.
        silences: Vec<SilenceRow>,
        /// When this was true.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The silence that was ended, and that will last; `None`: there is none of that name.
    Unsilenced(Option<SilenceRow>),
    /// The rules in force.
    Rules(Box<Rules>),
    /// How rules fare.
    Activity(Box<Activity>),
    /// What alerts did.
    History(Box<History>),
    /// Sinks, sorted by name.
    Sinks(Vec<SinkDetail>),
    /// What is owed, and what was given up.
    Outbox(Box<Outbox>),
    /// What became of dead letters.
    Letters(Letters),
    /// It was not done; a sentence.
    Refused(String),
}

/// Whether it is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// True from the end of the first sweep to the request to stop, while the core loop turns.
    pub ready: bool,
    /// Why it is not, in a few words.
    #[serde(default)]
    pub why: Option<String>,
}

/// How it goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of the program.
    pub version: String,
    /// Number of the process.
    pub process: u32,
    /// The scope of its alerts.
    pub scope: String,
    /// When this was true.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// When the process began.
    #[serde(with = "rfc3339")]
    pub started: Timestamp,
    /// Rules in force, without tripline's own.
    pub rules: u64,
    /// What is wrong, each in one sentence.
    pub problems: Vec<String>,
    /// Open alerts, the worst and then the newest first; [`MOST_ALERTS`] at most.
    pub alerts: Vec<Open>,
    /// Open alerts besides these.
    pub more_alerts: u64,
    /// What is silent, in the order in which it was made.
    #[serde(default)]
    pub silences: Vec<SilenceRow>,
    /// In the order of the configuration.
    pub sources: Vec<Source>,
    /// Sinks, sorted by name; among them those that were removed and are owed something.
    pub sinks: Vec<Sink>,
}

/// An alert that is open, or was a moment ago.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// Its key.
    pub alert_key: String,
    /// Its rule.
    pub rule: String,
    /// `info`, `warning` or `critical`.
    pub status: String,
    /// Since when it is open.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When it last changed.
    #[serde(with = "rfc3339")]
    pub changed: Timestamp,
    /// Why it shows what it shows.
    pub reason: String,
    /// The measure at its last change.
    pub value: Option<f64>,
    /// Matches inside the window at its last change; without a window of the whole episode.
    #[serde(default)]
    pub count: u64,
    /// All labels.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Its summary.
    pub summary: String,
    /// Its description; of the first [`MOST_TOLD`] alerts of an answer.
    #[serde(default)]
    pub description: String,
    /// Lines of its beginning; of the first [`MOST_TOLD`] alerts of an answer.
    #[serde(default)]
    pub lines: Vec<String>,
    /// The newest lines, besides those; likewise.
    #[serde(default)]
    pub last_lines: Vec<String>,
    /// The link for the one who is called.
    #[serde(default)]
    pub runbook: Option<String>,
    /// When it is over if no line comes; `None`: quiet does not end it, or nobody has worked it out.
    #[serde(default, with = "maybe_rfc3339")]
    pub ends: Option<Timestamp>,
    /// True if it is held back from whoever knows nothing of it: by a silence, a schedule or another rule.
    #[serde(default)]
    pub held: bool,
    /// The silence that is true of it.
    #[serde(default)]
    pub silence: Option<u64>,
    /// Why nobody was told of it, in a few words; `None`: somebody was.
    #[serde(default)]
    pub untold: Option<String>,
    /// True if its rule is gone and it is kept open.
    #[serde(default)]
    pub orphan: bool,
}

impl From<&Transition> for Open {
    fn from(t: &Transition) -> Open {
        let labels = t.details.iter().chain(&t.labels);
        Open {
            alert_key: t.key.to_string(),
            rule: t.key.rule.to_string(),
            status: t.status.as_str().to_owned(),
            since: t.since,
            changed: t.time,
            reason: t.reason.as_str().to_owned(),
            value: t.value,
            count: t.count,
            labels: labels.map(|(name, value)| (name.to_string(), value.clone())).collect(),
            summary: t.summary.clone(),
            description: String::new(),
            lines: Vec::new(),
            last_lines: Vec::new(),
            runbook: t.runbook.clone(),
            ends: None,
            held: false,
            silence: None,
            untold: None,
            orphan: false,
        }
    }
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceRow {
    /// What it is called.
    pub id: u64,
    /// What has to be true of an alert.
    pub terms: Vec<String>,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When it is over.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Why.
    pub comment: String,
}

/// The rules in force, tripline's own included, and the alerts that are open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Of the program.
    pub version: String,
    /// The scope of its alerts.
    pub scope: String,
    /// Every rule.
    pub rules: Vec<RuleRow>,
    /// Open alerts; [`MOST_ALERTS`] at most.
    pub open: Vec<OpenRow>,
    /// Open alerts besides these.
    pub more_open: u64,
}

/// What a reload compares of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRow {
    /// Its name.
    pub name: String,
    /// Names of what its keys are made of, sorted.
    pub by: Vec<String>,
    /// Whether the observer's scope enters its keys.
    pub scoped: bool,
    /// Whether it speaks of changes, and has no alerts.
    #[serde(default)]
    pub of_changes: bool,
    /// Digest of what decides, 32 hexadecimal digits.
    pub condition: String,
    /// Digest of the rest, likewise.
    pub texts: String,
}

/// What a reload looks at of an open alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenRow {
    /// The alert.
    pub alert: Open,
    /// Its values of `by`, if it has never been seen, and is only missed because it was expected.
    pub unseen: Option<Vec<String>>,
    /// The rule whose alerts are not told one by one, if it is the alert that says so.
    pub storm_of: Option<String>,
    /// True if such an alert tells of it.
    #[serde(default)]
    pub folded: bool,
    /// True if it stays open when its rule is gone.
    #[serde(default)]
    pub outlives: bool,
}

/// A source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Files that are followed.
    pub files: u64,
    /// Those of them with unread bytes.
    pub behind_files: u64,
    /// Bytes written and not read.
    pub unread_bytes: u64,
    /// Age of the oldest unread byte in seconds; 0 if all is read.
    pub lag_seconds: f64,
    /// Bytes that were gone before they could be read, since the process began.
    #[serde(default)]
    pub lost_bytes: u64,
    /// Bytes read since the process began.
    #[serde(default)]
    pub read_bytes: u64,
    /// Bytes read in a second, over the last ten.
    #[serde(default)]
    pub bytes_per_second: f64,
    /// When something was read last; `None`: nothing since the process began.
    #[serde(default, with = "maybe_rfc3339")]
    pub last_read: Option<Timestamp>,
    /// Those of its files that are behind or have lost bytes: the worst, of bounded number.
    #[serde(default)]
    pub worst: Vec<WorstFile>,
    /// What is wrong with it, each in one sentence.
    pub problems: Vec<String>,
}

/// A file that is behind or has lost bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorstFile {
    /// Its name, harmless.
    pub path: String,
    /// Bytes written and not read.
    pub unread_bytes: u64,
    /// Age of the oldest of them in seconds.
    pub lag_seconds: f64,
    /// Bytes that were gone before they could be read, since the process began.
    pub lost_bytes: u64,
}

/// A sink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// Deliveries that are owed.
    pub queued: u64,
    /// Age of the oldest of them in seconds; 0 without one.
    pub oldest_seconds: f64,
    /// True if it was removed from the configuration.
    pub removed: bool,
    /// True if that was before this process began: nobody knows how to reach it, so what it is owed waits until it is
    /// configured again.
    #[serde(default)]
    pub waits: bool,
    /// Why nothing but probes is sent.
    pub suspended: Option<String>,
    /// What the last attempt said, if it failed.
    pub failure: Option<String>,
    /// Deliveries refused for good since one was accepted, or the process began.
    #[serde(default)]
    pub refused: u64,
    /// What was said of the last of them.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Deliveries given up since the process began.
    pub dead: u64,
}

/// How rules fare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// When this was true.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// When the newest of the minutes began.
    #[serde(with = "rfc3339")]
    pub minute: Timestamp,
    /// In the order of the ruleset, tripline's own last.
    pub rules: Vec<RuleActivity>,
}

/// A rule and what became of lines, since the process began or the rule did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleActivity {
    /// Its name.
    pub name: String,
    /// `alert` or `change`.
    pub kind: String,
    /// True of a rule of tripline's own.
    pub own: bool,
    /// Sources that it sees.
    pub sources: Vec<String>,
    /// Names of what its keys are made of.
    pub by: Vec<String>,
    /// What is compared with what, in one line.
    pub condition: String,
    /// Its summary, with places.
    pub summary: String,
    /// Matches of the last minutes, 60 at most, the newest last.
    pub minutes: Vec<u64>,
    /// Lines that counted.
    pub matches: u64,
    /// Lines that fitted `resolve`.
    pub recoveries: u64,
    /// Lines on which its patterns were tried.
    pub tried: u64,
    /// Lines of which `where` does not hold.
    pub dismissed: u64,
    /// Lines without a number where one is compared, without a key of a change, or of an unknown status.
    pub unreadable: u64,
    /// Lines older than what their window had decided.
    pub late: u64,
    /// Lines without room for their key.
    pub overflow: u64,
    /// Keys that made room for others though they counted.
    pub forgotten: u64,
    /// Keys held now.
    pub keys: u64,
    /// Open alerts.
    pub open: u64,
    /// When a line counted last, as far as the process has seen; to a second or so.
    #[serde(with = "maybe_rfc3339")]
    pub last_match: Option<Timestamp>,
}

/// What alerts did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When this was true.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// From when on it is known.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// In the order in which it was decided.
    pub transitions: Vec<Step>,
}

/// One transition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it became true.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Of which alert.
    pub alert_key: String,
    /// Its rule.
    pub rule: String,
    /// `info`, `warning`, `critical` or `ok`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Its summary.
    pub summary: String,
}

/// Instants as text.
mod rfc3339 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        let time = text.parse::<jiff::Timestamp>().map_err(D::Error::custom)?;
        Ok(Timestamp(time.as_microsecond()))
    }
}

/// Instants as text, or nothing.
mod maybe_rfc3339 {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::model::Timestamp;

    #[expect(clippy::ref_option, reason = "serde hands it over like this")]
    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let parsed =
            text.map(|text| text.parse::<jiff::Timestamp>()).transpose().map_err(D::Error::custom)?;
        Ok(parsed.map(|time| Timestamp(time.as_microsecond())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    fn resolve(which: &str, labels: &[(&str, &str)]) -> Resolve {
        let which = (!which.is_empty()).then(|| which.to_owned());
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Resolve { which, labels: labels.collect(), all: false }
    }

    fn check(which: &str, labels: &[(&str, &str)], means: bool) {
        assert_eq!(resolve(which, labels).means(&sample::transition()), means, "{which} {labels:?}");
    }

    #[test]
    fn an_alert_is_meant_by_its_rule_its_key_or_the_beginning_of_it_and_by_all_labels() {
        check("ssh_bruteforce", &[], true);
        check("ssh", &[], false);
        check("ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f", &[], true);
        check("ssh_bruteforce:3f3", &[], true);
        check("ssh_bruteforce:", &[], false);
        check("ssh_bruteforce:3f4", &[], false);
        check("ssh:3f3f", &[], false);
        check("", &[], true);
        check("", &[("src_ip", "187.141.143.180"), ("user", "root")], true);
        check("ssh_bruteforce", &[("src_ip", "187.141.143.180"), ("user", "nobody")], false);
        check("", &[("src_ip", "")], false);
        check("", &[("unknown", "")], false);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let open = Open::from(&sample::transition());
        let report = Report { at: open.since, alerts: vec![open.clone()], ..Report::default() };
        for answer in [Answer::Status(Box::new(report)), Answer::Resolved { alerts: vec![open], more: 0 }] {
            let line = serde_json::to_string(&answer).unwrap();
            assert!(!line.contains('\n') && line.contains("2015-12-10T09:13:10Z"), "{line}");
            assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer);
        }
        for question in [Question::Status, Question::Resolve(resolve("a:b", &[("c", "d")]))] {
            let line = serde_json::to_string(&question).unwrap();
            assert_eq!(serde_json::from_str::<Question>(&line).unwrap(), question);
        }
    }

    #[test]
    fn a_question_of_a_later_version_is_understood_as_far_as_it_is_known() {
        let question = serde_json::from_str::<Question>(r#"{"resolve":{"which":"a","later":1}}"#).unwrap();
        assert_eq!(question, Question::Resolve(resolve("a", &[])));
    }
}
