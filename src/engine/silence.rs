//! Silences: what somebody does not want to be told of for a while. They hold back raises, as a schedule does; whoever
//! was told of a beginning is told the rest.

use std::collections::BTreeMap;

use regex_automata::meta::Regex;
use regex_syntax::hir::{Hir, Look};

use super::clock::Reading;
use super::{Change, Engine};
use crate::model::{Severity, Status, Timestamp, Transition};
use crate::rule::{Op, Pattern};
use crate::saved::SavedSilence;

/// Silences at a time, at most.
pub const MOST_SILENCES: usize = 1000;
/// Terms of a silence, at most.
pub const MOST_TERMS: usize = 16;
/// Bytes of a term, and of a comment, at most.
pub const MOST_TEXT: usize = 1024;
/// Bytes of a compiled pattern, at most.
const MOST_COMPILED: usize = 256 * 1024;

/// Operators as they are written, those first that begin like a shorter one.
const OPERATORS: [&str; 9] = ["=~", "!~", "!=", "<=", ">=", "==", "=", "<", ">"];

/// What has to be true of an alert: `team=db`, `rule!=x`, `src_ip=~10\..*`, `severity<=warning`.
#[derive(Debug)]
pub struct Term {
    pub(super) name: Box<str>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// A label is that text, or is not.
    Text { is: bool, text: Box<str> },
    /// A pattern fits the whole of a label, or does not.
    Fits { does: bool, regex: Regex },
    /// The severity stands to another one like this.
    Severity(Op, Severity),
}

impl Term {
    /// Reads a term as it is written. A value may stand in quotes. A label that an alert does not have is empty.
    ///
    /// # Errors
    /// A sentence: what is wrong, and what would be right.
    pub fn read(text: &str) -> Result<Term, String> {
        if text.len() > MOST_TEXT {
            return Err(format!("a term has {MOST_TEXT} bytes at most"));
        }
        let shown = text.escape_debug();
        let found = text.find(['=', '!', '<', '>']).and_then(|at| {
            let operator = OPERATORS.into_iter().find(|operator| text[at..].starts_with(operator))?;
            Some((text[..at].trim(), operator, text[at + operator.len()..].trim()))
        });
        let Some((name, operator, value)) = found else {
            return Err(format!(
                "`{shown}` compares nothing: write `team=db`, `team!=db`, `src_ip=~10\\..*` or `severity<=warning`"
            ));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("`{shown}` does not begin with the name of a label, `rule` or `severity`"));
        }
        let value = ['"', '\'']
            .into_iter()
            .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
            .unwrap_or(value);
        let test = match (name, operator) {
            ("severity", "=~" | "!~") => {
                return Err(format!("`{shown}`: a severity is compared, as in `severity<=warning`"));
            }
            ("severity", _) => {
                let severity = Severity::ALL.into_iter().find(|severity| severity.as_str() == value);
                let op = Op::ALL.into_iter().find(|op| op.as_str() == operator).unwrap_or(Op::Equal);
                let Some(severity) = severity else {
                    return Err(format!("`{shown}`: a severity is `info`, `warning` or `critical`"));
                };
                Test::Severity(op, severity)
            }
            (_, "=" | "==" | "!=") => Test::Text { is: operator != "!=", text: value.into() },
            (_, "=~" | "!~") => {
                let regex = whole(value).map_err(|why| format!("`{shown}`: {why}"))?;
                Test::Fits { does: operator == "=~", regex }
            }
            _ => {
                return Err(format!("`{shown}`: only `severity` is greater or less than another"));
            }
        };
        Ok(Term { name: name.into(), test })
    }

    pub(super) fn holds(&self, alert: &Transition) -> bool {
        let label = match &*self.name {
            "rule" => alert.key.rule.as_str(),
            name => alert.labels.get(name).or_else(|| alert.details.get(name)).map_or("", String::as_str),
        };
        match &self.test {
            Test::Severity(..) => self.allows_status(alert.status),
            _ => self.allows(label),
        }
    }

    /// True if it holds of a label, or a rule's name, that is this. Says nothing of a severity.
    pub(super) fn allows(&self, label: &str) -> bool {
        match &self.test {
            Test::Text { is, text } => (label == &**text) == *is,
            Test::Fits { does, regex } => regex.is_match(label) == *does,
            Test::Severity(..) => true,
        }
    }

    /// True if it holds of what shows that. Says nothing of a label.
    pub(super) fn allows_status(&self, status: Status) -> bool {
        match &self.test {
            Test::Severity(op, than) => {
                let rank = |status: Status| f64::from(status as u8);
                op.holds(rank(status), rank(Status::from(*than)))
            }
            _ => true,
        }
    }

    /// The text that it is compared with, if it is compared with one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.test {
            Test::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The only value that it allows, if there is but one.
    fn only(&self) -> Option<&str> {
        match &self.test {
            Test::Text { is: true, text } => Some(text),
            _ => None,
        }
    }

    /// True if it singles something out: if it is not true of whatever lacks the label.
    fn chooses(&self) -> bool {
        match &self.test {
            Test::Text { is, text } => text.is_empty() != *is,
            Test::Fits { does, regex } => regex.is_match("") != *does,
            Test::Severity(..) => true,
        }
    }
}

/// A pattern for the whole of a text.
fn whole(pattern: &str) -> Result<Regex, String> {
    let hir = regex_syntax::parse(pattern).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => format!("is no pattern: {}", error.kind()),
        regex_syntax::Error::Translate(error) => format!("is no pattern: {}", error.kind()),
        _ => "is no pattern".to_owned(),
    })?;
    let hir = Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]);
    Pattern::engine(&hir, MOST_COMPILED).ok_or_else(|| "is too large a pattern".to_owned())
}

/// Reads all terms of a silence.
///
/// # Errors
/// A sentence for each that is wrong, or one if together they would silence nearly everything.
pub fn read_terms(texts: &[String]) -> Result<Vec<Term>, String> {
    if texts.is_empty() || texts.len() > MOST_TERMS {
        return Err(format!("a silence has 1 to {MOST_TERMS} terms, such as `team=db`"));
    }
    let (mut terms, mut wrong) = (Vec::new(), Vec::new());
    for text in texts {
        match Term::read(text) {
            Ok(term) => terms.push(term),
            Err(why) => wrong.push(why),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    if !terms.iter().any(Term::chooses) {
        let way =
            "say what is to be silent as well, as in `team=db`, or `severity<=critical` if it is everything";
        return Err(format!("that is true of every alert without such a label: {way}"));
    }
    Ok(terms)
}

/// Reads the terms of a silence that somebody wants to make.
///
/// # Errors
/// As [`read_terms`], and a sentence if they contradict each other, so that no alert whatever fits them.
pub fn new_terms(texts: &[String]) -> Result<Vec<Term>, String> {
    let terms = read_terms(texts)?;
    let shown = |at: usize| texts[at].escape_debug();
    for (at, one) in terms.iter().enumerate() {
        let Some(only) = one.only() else { continue };
        let other = terms.iter().position(|other| other.name == one.name && !other.allows(only));
        if let Some(other) = other {
            return Err(format!(
                "`{}` and `{}` are never true of the same alert: make a silence of each, or write a pattern, as in \
                 `{}=~a|b`",
                shown(at.min(other)),
                shown(at.max(other)),
                one.name
            ));
        }
    }
    let is_some = |severity: &Severity| {
        let status = Status::from(*severity);
        terms.iter().all(|term| term.allows_status(status))
    };
    if !Severity::ALL.iter().any(is_some) {
        let of_severity = (0..terms.len()).filter(|at| &*terms[*at].name == "severity");
        let of_severity: Vec<String> = of_severity.map(|at| format!("`{}`", shown(at))).collect();
        return Err(format!(
            "no severity is {}: they are `info`, `warning` and `critical`",
            of_severity.join(" and ")
        ));
    }
    Ok(terms)
}

/// All silences that are not over.
#[derive(Debug, Default)]
pub(super) struct Silences {
    all: BTreeMap<u64, Silence>,
    /// Those that another version of tripline made and this one does not understand, and when they are over. They
    /// silence nothing, and stay until then for the version that does.
    unread: BTreeMap<u64, Timestamp>,
}

#[derive(Debug)]
struct Silence {
    row: SavedSilence,
    terms: Vec<Term>,
}

impl Silences {
    /// Those that were saved.
    pub(super) fn load(rows: &[SavedSilence]) -> Silences {
        let mut silences = Silences::default();
        for row in rows {
            match read_terms(&row.terms) {
                Ok(terms) => {
                    silences.all.insert(row.id, Silence { row: row.clone(), terms });
                }
                Err(_) => {
                    silences.unread.insert(row.id, row.until);
                }
            }
        }
        silences
    }

    /// One that is true of an alert.
    pub(super) fn of(&self, alert: &Transition, now: Timestamp) -> Option<u64> {
        let fits = |silence: &&Silence| {
            silence.row.until > now && silence.terms.iter().all(|term| term.holds(alert))
        };
        self.all.values().find(fits).map(|silence| silence.row.id)
    }

    /// When the next is over.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.all.values().map(|silence| silence.row.until).chain(self.unread.values().copied()).min()
    }
}

impl Engine {
    /// Adds a silence that begins now, and says what it is called.
    ///
    /// # Errors
    /// A sentence: a term is wrong, it is over already, or there are too many.
    pub fn silence(
        &mut self,
        terms: Vec<String>,
        until: Timestamp,
        comment: String,
        now: Timestamp,
    ) -> Result<SavedSilence, String> {
        self.now = self.now.max(now);
        let read = new_terms(&terms)?;
        if until <= self.now {
            return Err(format!("`{until}` is over: a silence ends later than now"));
        }
        if comment.len() > MOST_TEXT {
            return Err(format!("a comment has {MOST_TEXT} bytes at most"));
        }
        if self.silences.all.len() >= MOST_SILENCES {
            return Err(format!("there are {MOST_SILENCES} silences already: remove some"));
        }
        // The second it was made in is short, and rises over restarts.
        let Silences { all, unread } = &self.silences;
        let newest = all.keys().next_back().into_iter().chain(unread.keys().next_back()).max();
        let last = newest.map_or(0, |last| last + 1);
        let id = u64::try_from(self.now.as_secs()).unwrap_or(0).max(last);
        let row = SavedSilence { id, terms, from: self.now, until, comment };
        self.silences.all.insert(id, Silence { row: row.clone(), terms: read });
        self.made.push(Change::Silence(row.clone()));
        Ok(row)
    }

    /// Ends a silence; `None`: there is none of that name. What it held back alone is told with the next tick.
    pub fn unsilence(&mut self, id: u64, now: Timestamp) -> Option<SavedSilence> {
        self.now = self.now.max(now);
        let silence = self.silences.all.remove(&id)?;
        self.made.push(Change::SilenceGone(id));
        self.look_at_all_held();
        Some(silence.row)
    }

    /// All silences, in the order in which they were made.
    pub fn silences(&self) -> impl Iterator<Item = &SavedSilence> {
        self.silences.all.values().map(|silence| &silence.row)
    }

    /// The open alerts that a silence is true of, whatever others are.
    pub fn covered_by(&self, id: u64) -> impl Iterator<Item = &Transition> {
        let silence = self.silences.all.get(&id);
        let holds = move |alert: &&Transition| {
            silence.is_some_and(|silence| silence.terms.iter().all(|term| term.holds(alert)))
        };
        self.open_alerts().filter(holds)
    }

    /// A silence that is true of an alert.
    pub fn silenced_by(&self, alert: &Transition) -> Option<u64> {
        self.silences.of(alert, self.now)
    }

    /// True if an open alert is held back from sinks that know nothing of it.
    pub fn is_held(&self, alert: &Transition) -> bool {
        let ix = self.ruleset.find(alert.key.rule.as_str());
        ix.is_some_and(|ix| self.held.contains(&(ix, alert.key.hash))) || self.orphans.is_held(&alert.key)
    }

    /// Forgets silences that are over.
    pub(super) fn end_silences(&mut self) {
        if self.silences.next_end().is_none_or(|end| end > self.now) {
            return;
        }
        let now = self.now;
        let over = self.silences.all.extract_if(.., |_, silence| silence.row.until <= now);
        self.made.extend(over.map(|(id, _)| Change::SilenceGone(id)));
        let over = self.silences.unread.extract_if(.., |_, until| *until <= now);
        self.made.extend(over.map(|(id, _)| Change::SilenceGone(id)));
        self.look_at_all_held();
    }

    /// Lets every key that is held back see with the next tick whether it still is.
    fn look_at_all_held(&mut self) {
        for (ix, hash) in self.held.clone() {
            let rule = self.ruleset.rule(ix);
            let Some(key) = self.keys[ix.0 as usize].get_mut(&hash) else { continue };
            let (Reading::Held(_, time) | Reading::Running(time, _)) =
                self.clocks.reading_for(rule, &key.files, self.now);
            let at = time.max(key.clock);
            key.look_at = Some(key.look_at.map_or(at, |look| look.min(at)));
            self.schedule(ix, hash);
        }
    }
}
