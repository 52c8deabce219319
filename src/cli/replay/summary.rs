//! What a replay comes to: how often each rule would have paged on which day, what matched, what is open at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::pager::Pager;
use crate::cli::json_line;
use crate::engine::{Emitted, Tell};
use crate::model::{AlertKey, DeliveryKind, Labels, RuleName, Status, Timestamp, Transition};
use crate::rule::{RuleIx, Ruleset};
use crate::untrusted::Untrusted;

/// Pairs of rule and day that are told apart. A log whose stamps are nonsense may have any number of days.
const MOST_DAYS: usize = 20_000;
/// Keys that are told apart.
const MOST_KEYS: usize = 10_000;
/// Rows of the table on a terminal.
const MOST_ROWS: usize = 40;
/// Keys that are named at the end, and alerts that are open.
const MOST_NAMED: usize = 5;
/// Keys and open alerts in JSON.
const MOST_LISTED: usize = 1000;

/// Of a rule on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Raises that a sink would have got.
    pub(super) pages: u64,
    /// Lines that fitted.
    pub(super) matches: u64,
}

/// Of a rule over all days.
#[derive(Debug)]
pub(super) struct RuleDays<'a> {
    pub(super) name: &'a RuleName,
    pub(super) sum: Day,
    pub(super) days: Vec<(Date, Day)>,
}

/// Of a key.
#[derive(Clone, Debug)]
pub(super) struct KeyTally {
    pub(super) labels: Labels,
    pub(super) pages: u64,
    /// Matches of its episodes.
    pub(super) matches: u64,
    /// Those of the episode that was seen last.
    last: u64,
}

/// What was counted so far, and at the end what it was counted of.
pub(super) struct Summary {
    tz: TimeZone,
    pager: Pager,
    rules: Vec<RuleName>,
    days: BTreeMap<(usize, Date), Day>,
    /// What came when there were too many days.
    other_days: Day,
    /// The day of the last match: from when, to when, which; and how many there were of each rule.
    today: (Timestamp, Timestamp, Date),
    todays: Vec<u64>,
    pub(super) keys: BTreeMap<AlertKey, KeyTally>,
    /// Pages of keys for which there was no room.
    other_keys: u64,
    pub(super) transitions: u64,
    pub(super) changes: u64,
    pub(super) pages: u64,
    /// Raises after the end of the log, for want of lines.
    pub(super) later_pages: u64,
    /// Raises that the rules held back, until they were over or for a while.
    pub(super) held: u64,
    pub(super) facts: Facts,
}

/// What is known at the end of the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// When the log began and ended; `None`: there was no record.
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) files: usize,
    /// Bytes of lines, not compressed.
    pub(super) bytes: u64,
    /// Lines that fitted, once for each rule.
    pub(super) matches: u64,
    /// The last transition of what is open when the log ends.
    pub(super) open: Vec<Transition>,
    /// What could not be read to its end.
    pub(super) faults: Vec<String>,
}

impl Summary {
    /// Of nothing yet. Days are those of `tz`.
    pub(super) fn new(ruleset: &Ruleset, tz: TimeZone) -> Summary {
        Summary {
            tz,
            pager: Pager::new(),
            rules: ruleset.rules.iter().map(|rule| rule.name.clone()).collect(),
            days: BTreeMap::new(),
            other_days: Day::default(),
            today: (Timestamp::MAX, Timestamp::MIN, Date::default()),
            todays: vec![0; ruleset.rules.len()],
            keys: BTreeMap::new(),
            other_keys: 0,
            transitions: 0,
            changes: 0,
            pages: 0,
            later_pages: 0,
            held: 0,
            facts: Facts::default(),
        }
    }

    /// Lines fitted.
    pub(super) fn count_matches(&mut self, matches: &[(RuleIx, Timestamp)]) {
        for (rule, time) in matches {
            if !(self.today.0 <= *time && *time < self.today.1) {
                self.settle();
                self.today = day_of(*time, &self.tz);
            }
            if let Some(count) = self.todays.get_mut(rule.0 as usize) {
                *count += 1;
            }
        }
    }

    /// Puts what was counted of a day where it belongs.
    fn settle(&mut self) {
        for rule in 0..self.todays.len() {
            let matches = std::mem::take(&mut self.todays[rule]);
            if matches > 0 {
                self.day(rule, self.today.2).matches += matches;
            }
        }
    }

    fn day(&mut self, rule: usize, date: Date) -> &mut Day {
        if self.days.len() >= MOST_DAYS && !self.days.contains_key(&(rule, date)) {
            return &mut self.other_days;
        }
        self.days.entry((rule, date)).or_default()
    }

    /// A transition was decided; `later`: after the end of the log. As what a sink would have been
    /// told of it, if at all: a raise is a page.
    pub(super) fn count(&mut self, emitted: &Emitted, later: bool) -> Option<DeliveryKind> {
        let transition = &emitted.transition;
        let told = self.pager.tell(emitted).map(|(kind, _)| kind);
        let raised = told == Some(DeliveryKind::Raise);
        let began = transition.previous == Status::Ok && transition.status != Status::Ok;
        self.transitions += u64::from(emitted.tell != Tell::IfOther);
        self.held += u64::from(began && emitted.tell == Tell::Known);
        let pages = u64::from(raised && !later);
        self.pages += pages;
        self.later_pages += u64::from(raised && later);
        let rule = self.rules.iter().position(|rule| *rule == transition.key.rule);
        if let Some(rule) = rule.filter(|_| pages > 0) {
            let date = day_of(transition.time, &self.tz).2;
            self.day(rule, date).pages += pages;
        }
        if !self.keys.contains_key(&transition.key) && self.keys.len() >= MOST_KEYS {
            self.other_keys += pages;
            return told;
        }
        let labels = || {
            let told = transition.labels.iter().filter(|(name, _)| &***name != "instance");
            told.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let fresh = || KeyTally { labels: labels(), pages: 0, matches: 0, last: 0 };
        let key = self.keys.entry(transition.key.clone()).or_insert_with(fresh);
        key.pages += pages;
        if transition.step == 0 {
            key.last = 0;
        }
        key.matches += transition.total.saturating_sub(key.last);
        key.last = transition.total;
        told
    }

    /// The log is over.
    pub(super) fn finish(&mut self, facts: Facts) {
        self.settle();
        self.facts = facts;
    }

    /// Rules that matched or paged, with their days and the sum of those.
    pub(super) fn by_rule(&self) -> Vec<RuleDays<'_>> {
        let mut rules: Vec<RuleDays<'_>> = Vec::new();
        for ((rule, date), day) in &self.days {
            let name = &self.rules[*rule];
            if rules.last().is_none_or(|last| last.name != name) {
                rules.push(RuleDays { name, sum: Day::default(), days: Vec::new() });
            }
            if let Some(RuleDays { sum, days, .. }) = rules.last_mut() {
                sum.pages += day.pages;
                sum.matches += day.matches;
                days.push((*date, *day));
            }
        }
        rules.sort_by_key(|RuleDays { sum, .. }| std::cmp::Reverse((sum.pages, sum.matches)));
        rules
    }

    /// Keys that would have paged, the most often first.
    pub(super) fn top_keys(&self) -> Vec<(&AlertKey, &KeyTally)> {
        let mut keys: Vec<_> = self.keys.iter().filter(|(_, tally)| tally.pages > 0).collect();
        keys.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.pages, tally.matches)));
        keys
    }

    /// The zone of days and of times for people.
    pub(super) fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// The name of that zone.
    pub(super) fn zone(&self) -> &str {
        self.tz.iana_name().unwrap_or("local time")
    }

    /// The sentence that says it all.
    pub(super) fn headline(&self) -> String {
        let mut text = format!("would have paged {}", counted(self.pages, "time"));
        if let Some((from, to)) = self.facts.span {
            let _ = write!(text, " from {} to {} ({})", self.minute(from), self.minute(to), self.zone());
        }
        text
    }

    /// A time for people, to the minute.
    fn minute(&self, time: Timestamp) -> String {
        shown(time, &self.tz, "%Y-%m-%d %H:%M")
    }

    /// For people, on a terminal. Whatever came from a log is escaped.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        let rules = self.by_rule();
        let rows = rules.iter().map(|rule| rule.days.len()).sum::<usize>();
        let wide = rules.iter().map(|rule| rule.name.as_str().len()).max().unwrap_or(0).max(4);
        let mut row = |rule: &str, date: &str, pages: &str, matches: &str| {
            let _ = writeln!(text, "  {rule:wide$}  {date:10}  {pages:>7}  {matches:>10}");
        };
        if rows > 0 {
            row("rule", "day", "pages", "matches");
        }
        for RuleDays { name, sum, days } in rules.iter().take(MOST_ROWS) {
            if rows > MOST_ROWS {
                let all = format!("{} days", days.len());
                row(name.as_str(), &all, &sum.pages.to_string(), &sum.matches.to_string());
                continue;
            }
            for (date, day) in days {
                row(name.as_str(), &date.to_string(), &day.pages.to_string(), &day.matches.to_string());
            }
        }
        if rows > MOST_ROWS {
            let more = rules.len().saturating_sub(MOST_ROWS);
            let more =
                if more > 0 { format!("{} more, and ", counted(more as u64, "rule")) } else { String::new() };
            let _ = writeln!(text, "  ({more}each day by itself: with `--json --summary`)");
        }
        if self.later_pages > 0 {
            let _ = writeln!(
                text,
                "{} only after the log's end, for want of lines",
                counted(self.later_pages, "raise")
            );
        }
        if self.held > 0 {
            let held = counted(self.held, "raise");
            let _ = writeln!(text, "{held} held back by `active`, `unless`, `max_raises` and the like");
        }
        let keys = self.top_keys();
        if keys.len() > 1 {
            let _ = writeln!(text, "pages of {}, the most of them of", counted(keys.len() as u64, "key"));
            for (key, tally) in keys.iter().take(MOST_NAMED) {
                let (pages, matches) = (tally.pages, counted(tally.matches, "match"));
                let _ =
                    writeln!(text, "  {pages:>5}  {}{}  ({matches})", key.rule, labels_text(&tally.labels));
            }
        }
        if self.other_keys > 0 {
            let _ =
                writeln!(text, "{} of keys beyond the first {MOST_KEYS}", counted(self.other_keys, "page"));
        }
        if self.other_days != Day::default() {
            let Day { pages, matches } = self.other_days;
            let (pages, matches) = (counted(pages, "page"), counted(matches, "match"));
            let _ = writeln!(text, "{pages} and {matches} on days beyond the first {MOST_DAYS}");
        }
        let open = &self.facts.open;
        if !open.is_empty() {
            let _ = writeln!(text, "{} open at the end", counted(open.len() as u64, "alert"));
            for alert in open.iter().take(MOST_NAMED) {
                let (status, since) = (alert.status.as_str().to_ascii_uppercase(), self.minute(alert.since));
                let summary = Untrusted(&alert.summary);
                let _ = writeln!(text, "  {status:<8}  since {since}  {}  {summary}", alert.key.rule);
            }
            if open.len() > MOST_NAMED {
                let _ = writeln!(text, "  … and {} more", open.len() - MOST_NAMED);
            }
        }
        let Facts { matches, bytes, .. } = self.facts;
        let changes = match self.changes {
            0 => String::new(),
            changes => format!(" and {}", counted(changes, "change")),
        };
        let transitions = self.transitions;
        let _ = writeln!(text, "{transitions} transitions{changes} from {matches} matches in {bytes} bytes");
        text
    }

    /// One JSON object without a line break.
    pub(super) fn json(&self) -> String {
        let facts = &self.facts;
        let names = |labels: &'_ Labels| labels.clone();
        let rules = self.by_rule();
        let rules = rules.iter().map(|RuleDays { name, sum, days }| JsonRule {
            rule: name.as_str(),
            pages: sum.pages,
            matches: sum.matches,
            days: days
                .iter()
                .map(|(date, day)| JsonDay { day: date.to_string(), pages: day.pages, matches: day.matches })
                .collect(),
        });
        let keys = self.top_keys();
        let keys = keys.iter().take(MOST_LISTED).map(|(key, tally)| JsonKey {
            rule: key.rule.as_str(),
            alert_key: key.to_string(),
            labels: names(&tally.labels),
            pages: tally.pages,
            matches: tally.matches,
        });
        let open = facts.open.iter().take(MOST_LISTED).map(|alert| JsonOpen {
            rule: alert.key.rule.as_str(),
            alert_key: alert.key.to_string(),
            status: alert.status.as_str(),
            since: alert.since.to_string(),
            labels: names(&alert.labels),
            summary: &alert.summary,
        });
        let summary = JsonSummary {
            from: facts.span.map(|(from, _)| from.to_string()),
            to: facts.span.map(|(_, to)| to.to_string()),
            zone: self.zone(),
            files: facts.files,
            bytes: facts.bytes,
            transitions: self.transitions,
            matches: facts.matches,
            pages: self.pages,
            pages_after_the_end: self.later_pages,
            raises_held_back: self.held,
            pages_of_other_keys: self.other_keys,
            pages_of_other_days: self.other_days.pages,
            matches_of_other_days: self.other_days.matches,
            open_at_the_end: facts.open.len(),
            rules: rules.collect(),
            keys: keys.collect(),
            open: open.collect(),
            unread: &facts.faults,
            changes: self.changes,
        };
        let summary = BTreeMap::from([("summary", summary)]);
        json_line(&summary)
    }
}

/// `--summary`. Fields are only ever added.
#[derive(Serialize)]
struct JsonSummary<'a> {
    from: Option<String>,
    to: Option<String>,
    zone: &'a str,
    files: usize,
    bytes: u64,
    transitions: u64,
    matches: u64,
    pages: u64,
    pages_after_the_end: u64,
    raises_held_back: u64,
    pages_of_other_keys: u64,
    pages_of_other_days: u64,
    matches_of_other_days: u64,
    open_at_the_end: usize,
    rules: Vec<JsonRule<'a>>,
    keys: Vec<JsonKey<'a>>,
    open: Vec<JsonOpen<'a>>,
    unread: &'a [String],
    changes: u64,
}

#[derive(Serialize)]
struct JsonRule<'a> {
    rule: &'a str,
    pages: u64,
    matches: u64,
    days: Vec<JsonDay>,
}

#[derive(Serialize)]
struct JsonDay {
    day: String,
    pages: u64,
    matches: u64,
}

#[derive(Serialize)]
struct JsonKey<'a> {
    rule: &'a str,
    alert_key: String,
    labels: Labels,
    pages: u64,
    matches: u64,
}

#[derive(Serialize)]
struct JsonOpen<'a> {
    rule: &'a str,
    alert_key: String,
    status: &'static str,
    since: String,
    labels: Labels,
    summary: &'a str,
}

/// A number of things: `1 page`, `7 pages`.
pub(super) fn counted(count: u64, thing: &str) -> String {
    let ending = match thing.as_bytes().last() {
        _ if count == 1 => "",
        Some(b'h') => "es",
        _ => "s",
    };
    format!("{count} {thing}{ending}")
}

/// Labels for people, each after two blanks.
pub(super) fn labels_text(labels: &Labels) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let _ = write!(text, "  {name}={}", Untrusted(value));
    }
    text
}

/// A time in a zone; what no calendar knows is shown as it is.
pub(super) fn shown(time: Timestamp, tz: &TimeZone, format: &str) -> String {
    match jiff::Timestamp::from_microsecond(time.0) {
        Ok(at) => at.to_zoned(tz.clone()).strftime(format).to_string(),
        Err(_) => time.to_string(),
    }
}

/// The day of a time in a zone: from when, to when, which.
fn day_of(time: Timestamp, tz: &TimeZone) -> (Timestamp, Timestamp, Date) {
    let found = || {
        let day = jiff::Timestamp::from_microsecond(time.0).ok()?.to_zoned(tz.clone());
        let start = day.start_of_day().ok()?;
        let end = start.tomorrow().ok()?.start_of_day().ok()?;
        let stamp = |zoned: &jiff::Zoned| Timestamp(zoned.timestamp().as_microsecond());
        Some((stamp(&start), stamp(&end), day.date()))
    };
    found().unwrap_or((time, Timestamp(time.0.saturating_add(1)), Date::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::KeyHash;
    use crate::sink::sample;

    fn ruleset() -> Ruleset {
        let text = "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'a'\n[[rule]]\nname = 'b'\nsource = 's'\nmatch = 'b'\n";
        let text = crate::config::Text { path: "r.toml".into(), text: text.to_owned() };
        crate::config::ruleset(&[text], None, &[], &TimeZone::UTC).0.expect("the rules are right")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    fn transition(
        rule: &str,
        key: u8,
        time: &str,
        previous: Status,
        status: Status,
        total: u64,
    ) -> Transition {
        Transition {
            time: at(time),
            key: AlertKey { rule: RuleName::new(rule), hash: KeyHash([key; 16]) },
            status,
            previous,
            count: total,
            total,
            since: at(time),
            step: u32::from(previous != Status::Ok),
            labels: Labels::from([("instance".into(), "web-1".into()), ("k".into(), format!("v\x1b{key}"))]),
            summary: "it\x1b[2J broke".to_owned(),
            ..sample::bare()
        }
    }

    /// Three pages over two days of a zone, and one after the end.
    fn summary() -> Summary {
        use Status::{Critical, Ok, Warning};
        let ruleset = ruleset();
        let ix = |name: &str| ruleset.find(name).unwrap();
        let mut summary = Summary::new(&ruleset, TimeZone::get("Europe/Berlin").unwrap());
        // Midnight in Berlin is 23:00 in UTC.
        let times = ["2026-01-05T22:59:59Z", "2026-01-05T23:00:00Z", "2026-01-05T22:00:00Z"];
        summary.count_matches(&times.map(|time| (ix("a"), at(time))));
        summary.count_matches(&[(ix("b"), at("2026-01-06T08:00:00Z"))]);
        let open = transition("b", 2, "2026-01-06T08:00:00Z", Ok, Warning, 1);
        for transition in [
            &transition("a", 1, "2026-01-05T22:59:59Z", Ok, Warning, 2),
            &transition("a", 1, "2026-01-05T23:00:00Z", Warning, Critical, 3),
            &transition("a", 1, "2026-01-05T23:30:00Z", Critical, Ok, 3),
            &transition("a", 1, "2026-01-06T00:00:00Z", Ok, Warning, 4),
            &open,
        ] {
            summary.count(&Emitted { transition: transition.clone(), tell: Tell::Now }, false);
        }
        let held = transition("b", 9, "2026-01-06T08:00:00Z", Ok, Warning, 1);
        summary.count(&Emitted { transition: held, tell: Tell::Known }, false);
        let later = transition("a", 3, "2026-01-07T00:00:00Z", Ok, Warning, 0);
        summary.count(&Emitted { transition: later, tell: Tell::Now }, true);
        let span = Some((at("2026-01-05T22:00:00Z"), at("2026-01-06T08:00:00Z")));
        let facts = Facts { span, files: 2, bytes: 99, matches: 4, open: vec![open], faults: Vec::new() };
        summary.finish(facts);
        summary
    }

    #[test]
    fn pages_and_matches_are_counted_by_the_days_of_the_zone() {
        let text = summary().text();
        let expected = "\
would have paged 3 times from 2026-01-05 23:00 to 2026-01-06 09:00 (Europe/Berlin)
  rule  day           pages     matches
  a     2026-01-05        1           2
  a     2026-01-06        1           1
  b     2026-01-06        1           1
1 raise only after the log's end, for want of lines
1 raise held back by `active`, `unless`, `max_raises` and the like
pages of 2 keys, the most of them of
      2  a  k=v\\x1b1  (7 matches)
      1  b  k=v\\x1b2  (1 match)
1 alert open at the end
  WARNING   since 2026-01-06 09:00  b  it\\x1b[2J broke
7 transitions from 4 matches in 99 bytes
";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_same_stands_in_json() {
        let json: serde_json::Value = serde_json::from_str(&summary().json()).unwrap();
        let summary = &json["summary"];
        assert_eq!(summary["pages"], 3);
        assert_eq!(summary["pages_after_the_end"], 1);
        assert_eq!(summary["from"], "2026-01-05T22:00:00Z");
        assert_eq!(
            summary["rules"][0]["days"][1],
            serde_json::json!({"day": "2026-01-06", "pages": 1, "matches": 1})
        );
        assert_eq!(summary["keys"][0]["labels"], serde_json::json!({"k": "v\u{1b}1"}));
        assert_eq!(summary["open"][0]["status"], "warning");
    }

    #[test]
    fn a_log_of_nonsense_stamps_and_endless_keys_stays_small_and_says_so() {
        let ruleset = ruleset();
        let mut summary = Summary::new(&ruleset, TimeZone::UTC);
        let rule = ruleset.find("a").unwrap();
        let day = 86_400_000_000;
        for number in 0..(MOST_DAYS as i64 + 7) {
            summary.count_matches(&[(rule, Timestamp(number * day))]);
        }
        for number in 0..(MOST_KEYS as u64 + 5) {
            let mut raised = transition("a", 0, "1970-01-01T00:00:00Z", Status::Ok, Status::Info, 1);
            raised.key.hash.0[..8].copy_from_slice(&number.to_le_bytes());
            summary.count(&Emitted { transition: raised, tell: Tell::Now }, false);
        }
        summary.finish(Facts::default());
        assert_eq!((summary.days.len(), summary.keys.len()), (MOST_DAYS, MOST_KEYS));
        let text = summary.text();
        assert!(text.contains("0 pages and 7 matches on days beyond the first"), "{text}");
        assert!(text.contains("5 pages of keys beyond the first"), "{text}");
        assert!(text.contains(&format!("{MOST_DAYS} days")), "{text}");
        assert!(text.lines().count() < 20, "{text}");
        for time in [Timestamp::MIN, Timestamp::MAX] {
            summary.count_matches(&[(rule, time)]);
        }
    }
}
