//! What is said to people: one row with all there is to it, or many with a line for each.
//!
//! Limits are bytes of the text as it is sent. What does not fit is cut at a character and ends in `…`; links are never
//! cut, as they would lead nowhere.

use std::collections::BTreeMap;

use crate::model::{
    ChangeReport, Content, Delivery, DeliveryKind, Image, Labels, RuleName, Status, Transition,
};
use crate::sink::text::{duration, is_link, lines, plain};

/// The twin that is written for a character, if it cannot stand for itself.
pub(super) type Escape = fn(char) -> Option<&'static str>;

/// What ends a text of which something is missing.
const MARK: &str = "…";

/// Bytes of one label's value; the whole of it is in the log.
const LABEL_VALUE: usize = 256;

/// Bytes that are kept for how many labels were left out.
const LEFT_OUT: usize = 40;

/// How a service is written to.
pub(super) struct Pen<'a> {
    /// Bytes of a text, escapes included; at least 1 000.
    pub(super) most: usize,
    /// What is written in another way.
    pub(super) escape: Escape,
    /// What each text begins with, untouched.
    pub(super) keyword: Option<&'a str>,
}

/// What is said of these rows: of a single one all there is, of several a digest. With `shrink`, after the peer found it
/// too large: half the bytes, and without what can be missed.
pub(super) fn of(pen: &Pen<'_>, rows: &[Delivery], shrink: bool) -> String {
    let pen = Pen { most: if shrink { pen.most / 2 } else { pen.most }, ..*pen };
    match rows {
        [row] => match &row.content {
            Content::Alert(kind, transition) => pen.alert(*kind, transition, shrink),
            Content::Change(report) => pen.change(report, shrink),
        },
        rows => pen.digest(rows),
    }
}

/// How an alert or a change is marked: most severe first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stand {
    Critical,
    Warning,
    Info,
    Resolved,
    Change,
}

impl Stand {
    fn of(content: &Content) -> Stand {
        match content {
            Content::Alert(_, transition) => Stand::from(transition.status),
            Content::Change(_) => Stand::Change,
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Stand::Critical => "🔴",
            Stand::Warning => "🟠",
            Stand::Info => "🔵",
            Stand::Resolved => "✅",
            Stand::Change => "🔧",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Stand::Critical => "Critical",
            Stand::Warning => "Warning",
            Stand::Info => "Info",
            Stand::Resolved => "Resolved",
            Stand::Change => "Change",
        }
    }
}

impl From<Status> for Stand {
    fn from(status: Status) -> Stand {
        match status {
            Status::Critical => Stand::Critical,
            Status::Warning => Stand::Warning,
            Status::Info => Stand::Info,
            Status::Ok => Stand::Resolved,
        }
    }
}

/// A row of a digest.
struct Entry<'a> {
    stand: Stand,
    rule: &'a RuleName,
    /// What it is about, on one line.
    text: String,
}

impl Pen<'_> {
    /// `text` as it is sent, in at most `most` bytes.
    fn fit(&self, text: &str, most: usize) -> String {
        let mut sent = String::new();
        let mut kept = 0;
        for c in text.chars() {
            if sent.len() + MARK.len() <= most {
                kept = sent.len();
            }
            match (self.escape)(c) {
                Some(twin) => sent.push_str(twin),
                None => sent.push(c),
            }
            if sent.len() > most {
                sent.truncate(kept);
                if MARK.len() <= most {
                    sent.push_str(MARK);
                }
                return sent;
            }
        }
        sent
    }

    /// The first line: keyword, mark and title, of which the title may be cut.
    fn title(&self, mark: &str, title: &str) -> String {
        let keyword = self.keyword.map(|keyword| format!("{keyword} ")).unwrap_or_default();
        let room = (self.most / 2).saturating_sub(keyword.len() + mark.len());
        format!("{keyword}{mark}{}", self.fit(title, room))
    }

    fn alert(&self, kind: DeliveryKind, t: &Transition, shrink: bool) -> String {
        if kind == DeliveryKind::Beat {
            return self.title("", "tripline heartbeat");
        }
        let stand = Stand::from(t.status);
        let was = if kind == DeliveryKind::Change && t.previous != t.status {
            format!(" (was {})", t.previous.as_str())
        } else {
            String::new()
        };
        let mark = format!("{} {}{was}: ", stand.sign(), stand.word());
        let mut text = self.title(&mark, &title(&t.summary, &t.key.rule));
        let matches = if t.total == 1 { "match" } else { "matches" };
        let (reason, total) = (t.reason.as_str(), t.total);
        text.push_str(&match t.status {
            Status::Ok => {
                let lasted = duration(t.time.since(t.since));
                format!("\n{reason} at {}. Lasted {lasted}, {total} {matches}.", t.time)
            }
            _ => format!("\n{reason} at {}. Open since {}, {total} {matches}.", t.time, t.since),
        });
        let links = links(t.runbook.as_deref(), if shrink { &[] } else { &t.images });
        self.rest(text, &t.key.rule, (&t.labels, &t.details), &links, &t.description, shrink)
    }

    fn change(&self, r: &ChangeReport, shrink: bool) -> String {
        let mark = format!("{} Change {}: ", Stand::Change.sign(), r.status.as_str());
        let mut text = self.title(&mark, &title(&r.summary, &r.rule));
        // Half is the title's, and links and labels have to find room too.
        let fact = LABEL_VALUE.min(self.most / 8);
        text.push_str(&format!("\n{} at {}.", self.fit(&plain(&r.change_key), fact), r.time));
        for (word, time) in [("Begins", r.starts), ("Ends", r.ends)] {
            if let Some(time) = time {
                text.push_str(&format!(" {word} {time}."));
            }
        }
        if !r.linked_changes.is_empty() {
            let linked = plain(&r.linked_changes.join(", "));
            text.push_str(&format!("\nbelongs to: {}", self.fit(&linked, fact)));
        }
        let mut links = links(r.runbook.as_deref(), if shrink { &[] } else { &r.images });
        links.splice(0..0, r.link.as_deref().and_then(|address| link("Link", address)));
        self.rest(text, &r.rule, (&r.labels, &r.details), &links, &r.description, shrink)
    }

    /// What follows the facts: labels, a line for each, then the description, then links. Links are the way out, so the
    /// description is cut to make room for them.
    fn rest(
        &self,
        mut text: String,
        rule: &RuleName,
        (labels, details): (&Labels, &Labels),
        links: &[String],
        description: &str,
        shrink: bool,
    ) -> String {
        text.push_str(&format!("\nrule: {rule}"));
        // A quarter for links, and one for labels, as far as there is that much; what they leave is the description's.
        let left = self.most.saturating_sub(text.len() + LEFT_OUT);
        let mut ways = String::new();
        for link in links {
            let line = self.fit(link, usize::MAX);
            if ways.len() + line.len() < left.min(self.most / 4) {
                ways.push('\n');
                ways.push_str(&line);
            }
        }
        let details = details.iter().filter(|(name, _)| !shrink && !labels.contains_key(*name));
        let mut named = labels.iter().chain(details).filter(|(_, value)| !value.is_empty()).peekable();
        let until = text.len() + (left - ways.len()).min(self.most / 4);
        while let Some((name, value)) = named.peek() {
            let line = format!("\n{}: {}", self.fit(name, LABEL_VALUE), self.fit(&plain(value), LABEL_VALUE));
            if text.len() + line.len() > until {
                break;
            }
            text.push_str(&line);
            named.next();
        }
        let left_out = named.count();
        if left_out > 0 {
            text.push_str(&format!("\n{left_out} more labels"));
        }
        let room = self.most.saturating_sub(text.len() + ways.len() + 2);
        let description = self.fit(&lines(description), room);
        if !shrink && !description.trim().is_empty() {
            text.push_str("\n\n");
            text.push_str(&description);
        }
        text + &ways
    }

    /// Many rows in one text: how many of what, then each rule with its rows, the most severe first. Each row has its
    /// line, whatever the others hold: what is left of the bytes is shared out among those that are still to come.
    fn digest(&self, rows: &[Delivery]) -> String {
        let mut by_rule: BTreeMap<&RuleName, Vec<Entry<'_>>> = BTreeMap::new();
        for entry in rows.iter().map(entry) {
            by_rule.entry(entry.rule).or_default().push(entry);
        }
        let mut groups: Vec<Vec<Entry<'_>>> = by_rule.into_values().collect();
        groups.iter_mut().for_each(|group| group.sort_by_key(|entry| entry.stand));
        groups.sort_by_key(|group| group[0].stand);
        let mut text = self.title("📋 ", &counts(groups.iter().flatten()));

        let mut lines: Vec<(String, Option<&str>)> = Vec::new();
        for group in &groups {
            let rule = group[0].rule;
            if group.len() > 1 {
                lines.push((format!("\n{rule}: {}", counts(group.iter())), None));
            }
            for Entry { stand, text, .. } in group {
                let of = if group.len() > 1 { String::new() } else { format!(" {rule}") };
                lines.push((format!("\n{} {}{of}: ", stand.sign(), stand.word()), Some(text)));
            }
        }
        let fixed: usize = lines.iter().map(|(line, _)| line.len()).sum();
        let mut room = self.most.saturating_sub(text.len() + fixed);
        let mut shares = rows.len();
        for (line, said) in lines {
            text.push_str(&line);
            if let Some(said) = said {
                let said = self.fit(said, room / shares);
                room -= said.len();
                shares -= 1;
                text.push_str(&said);
            }
        }
        text
    }
}

fn entry(row: &Delivery) -> Entry<'_> {
    let stand = Stand::of(&row.content);
    match &row.content {
        Content::Alert(_, t) => Entry { stand, rule: &t.key.rule, text: title(&t.summary, &t.key.rule) },
        Content::Change(r) => {
            let text = format!("{} {}, {}", plain(&r.change_key), r.status.as_str(), plain(&r.summary));
            Entry { stand, rule: &r.rule, text }
        }
    }
}

/// How many there are of what: `2 critical, 1 resolved`.
fn counts<'a>(entries: impl Iterator<Item = &'a Entry<'a>>) -> String {
    let mut of: BTreeMap<Stand, usize> = BTreeMap::new();
    entries.for_each(|entry| *of.entry(entry.stand).or_default() += 1);
    let count = |(stand, n): (&Stand, &usize)| match (stand, n) {
        (Stand::Change, 2..) => format!("{n} changes"),
        _ => format!("{n} {}", stand.word().to_ascii_lowercase()),
    };
    of.iter().map(count).collect::<Vec<_>>().join(", ")
}

/// A summary on one line; the rule's name if there is nothing in it.
fn title(summary: &str, rule: &RuleName) -> String {
    let summary = plain(summary);
    if summary.trim().is_empty() { rule.to_string() } else { summary }
}

fn link(word: &str, address: &str) -> Option<String> {
    is_link(address).then(|| format!("{word}: {address}"))
}

/// The way to a runbook, whatever its author wrote, and to pictures.
fn links(runbook: Option<&str>, images: &[Image]) -> Vec<String> {
    let runbook = runbook.filter(|text| !text.is_empty()).map(|text| format!("Runbook: {}", plain(text)));
    let image = |image: &Image| {
        let words = image.alt.as_deref().filter(|alt| !alt.trim().is_empty()).unwrap_or("Image");
        link(&plain(words), image.href.as_deref().unwrap_or(&image.src))
    };
    runbook.into_iter().chain(images.iter().filter_map(image)).collect()
}
