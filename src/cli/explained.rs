//! How an explanation looks: for people, and as JSON. Whatever is of the line is shown as [`Untrusted`].

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};

use super::columns::{ALL_LINES, WIDTH, columns, wrapped};
use super::explain::some_of;
use super::json_line;
use super::restrained::{self, Step};
use super::status::plural;
use crate::config::shown::{comparison_text, measure_text, name_text};
use crate::engine::explain::{Counts, Explained, Fit, Outcome, Part, When, is_ignored};
use crate::model::{ChangeReport, Format, Timestamp, Transition, duration_text};
use crate::rule::{
    Condition, Measure, NotComparable, Number, Op, Quantity, Rule, Ruleset, Value, Word, number_text,
    rung_severity,
};
use crate::scan::MatchKind;
use crate::scan::why::{self, Near, Role, Tried, Why};
use crate::untrusted::Untrusted;

/// Characters of a value, or of a pattern, that are shown.
const MOST_SHOWN: usize = 200;
/// Columns of a page that stand before what is said.
const MARGIN: usize = 13;
/// Rules that take nothing of the line and are shown all the same, at most.
const MOST_OTHERS: usize = 20;
/// Characters of the line that are shown before and behind a caret.
const AROUND: (usize, usize) = (60, 40);

/// What all rules that were asked make of a line.
pub(super) struct Answer<'a> {
    pub(super) line: &'a [u8],
    /// By the source of the first rule.
    pub(super) when: Option<When>,
    pub(super) judged: Vec<Judged<'a>>,
    /// True if one rule was asked for by its name: then everything is shown.
    pub(super) alone: bool,
}

/// A rule, and what it makes of the line.
pub(super) struct Judged<'a> {
    pub(super) rule: &'a Rule,
    /// All rules that are in force.
    pub(super) ruleset: &'a Ruleset,
    /// What the line was taken for.
    pub(super) time: Option<Timestamp>,
    /// `None`: it does not see the source.
    pub(super) explained: Option<Explained<'a>>,
    /// Bytes of the line or record that it sees.
    pub(super) max_line: usize,
    /// What lines of its source are made of.
    pub(super) format: Format,
}

impl Answer<'_> {
    /// True if the line counts for a rule, or ends an alert of it.
    pub(super) fn is_taken(&self) -> bool {
        self.judged.iter().any(Judged::takes)
    }

    pub(super) fn text(&self, color: bool) -> String {
        let mut page = Page { out: String::new(), color };
        page.step("line", &shown(self.line));
        if let Some(when) = &self.when {
            page.prose("stamp", &stamp_text(self.line, when));
        }
        let full = |judged: &&Judged<'_>| {
            self.alone || judged.explained.as_ref().is_some_and(|explained| explained.fit.is_some())
        };
        for judged in self.judged.iter().filter(full) {
            page.out.push('\n');
            judged.write(self.line, &mut page);
        }
        let others = self.judged.iter().filter(|judged| !full(judged));
        let mut others: Vec<_> = others.map(|judged| (judged.rule, judged.in_short(self.line))).collect();
        if !others.is_empty() {
            page.out.push('\n');
        }
        let mut left_out = Vec::new();
        if others.len() > MOST_OTHERS {
            // Whoever wonders why a rule says nothing means one that could.
            others.sort_by_key(|(_, (distance, _))| *distance);
            left_out = others.split_off(MOST_OTHERS);
        }
        for (rule, (_, why)) in others {
            let text = format!("rule {}: {why}", rule.name);
            let _ = writeln!(page.out, "{}", wrapped(&text, WIDTH - 4, ALL_LINES).join("\n    "));
        }
        if !left_out.is_empty() {
            let rules = plural(left_out.len() as u64, "more rule");
            let _ = writeln!(page.out, "and {rules}, none of them nearer: `--rule NAME` says why of one");
        }
        page.out
    }

    pub(super) fn json(&self) -> String {
        let stamp = self.when.as_ref().map(|when| {
            json!({
                "text": when.stamp.as_ref().map(|(_, place)| lossy(&self.line[place.clone()])),
                "from": when.stamp.as_ref().map(|(_, place)| place.start),
                "to": when.stamp.as_ref().map(|(_, place)| place.end),
                "time": when.time.to_string(),
                "stale": when.stale,
                "envelope": when.written,
            })
        });
        let rules: Vec<Json> = self.judged.iter().map(|judged| judged.json(self.line)).collect();
        let all =
            json!({ "line": lossy(self.line), "taken": self.is_taken(), "stamp": stamp, "rules": rules });
        json_line(&all)
    }
}

impl Judged<'_> {
    fn takes(&self) -> bool {
        let fit = self.explained.as_ref().and_then(|explained| explained.fit.as_ref());
        fit.is_some_and(|fit| !matches!(fit.outcome, Outcome::Nothing))
    }

    fn verdict(&self) -> &'static str {
        let Some(explained) = &self.explained else { return "not seen" };
        match explained.fit.as_ref().map(|fit| (&fit.outcome, fit.kind)) {
            None if is_ignored(&explained.tried) => "ignored",
            None => "does not fit",
            Some((Outcome::Nothing, _)) => "counts for nothing",
            Some((_, MatchKind::Resolve)) => "recovery",
            Some((Outcome::Raises(_), _)) => "raises",
            Some((Outcome::Reports(_), _)) => "tells of a change",
            Some(_) => "counts",
        }
    }

    /// What is said of a rule that does not fit, in short, and how far from it the line is.
    fn in_short(&self, line: &[u8]) -> (Distance, String) {
        let Some(explained) = &self.explained else {
            return (Distance::Unseen, "does not see that source".to_owned());
        };
        if let Some(ignored) = explained.tried.iter().find(|tried| tried.role == Role::Ignore && tried.fits) {
            let why = format!("ignores it: `{}` fits", shown(ignored.pattern.text.as_bytes()));
            return (Distance::Near, why);
        }
        let line = &line[..line.len().min(self.max_line)];
        let wanted = explained.tried.iter().filter(|tried| !tried.fits && tried.role != Role::Ignore);
        let whys: Vec<Why> = wanted.map(|tried| why::why(tried.pattern, line)).collect();
        if whys.iter().any(|why| why.line_end) {
            return (Distance::Near, format!("does not fit: {LINE_END}"));
        }
        if let Some(near) = whys.iter().flat_map(|why| &why.near).next() {
            return (Distance::Near, format!("does not fit, but nearly: {}", near_text(*near)));
        }
        if self.rule.whole {
            let why = format!("does not fit: the line is not {}", self.format.as_str());
            return (Distance::Far, why);
        }
        // A letter or two stand in any line.
        const TELLS: usize = 4;
        let heads = whys.iter().filter_map(|why| why.head.as_ref());
        let farthest = heads.filter(|head| head.pattern.len() >= TELLS).max_by_key(|head| head.pattern.len());
        let missing = whys.iter().find_map(|why| why.missing.as_ref());
        match (farthest, missing) {
            (Some(head), _) => {
                let (fits, next) = (shown(head.pattern.as_bytes()), shown(head.next.as_bytes()));
                let distance = Distance::InPart(Reverse(head.pattern.len()));
                (distance, format!("does not fit: behind `{fits}` it wants `{next}`"))
            }
            (None, Some(missing)) => {
                (Distance::Far, format!("does not fit: `{}` does not stand in the line", shown(missing)))
            }
            (None, None) => (Distance::Far, "does not fit".to_owned()),
        }
    }

    fn write(&self, line: &[u8], page: &mut Page) {
        let rule = self.rule;
        let names: Vec<&str> = rule.sources.iter().map(|source| source.as_str()).collect();
        let sources = some_of(&names);
        let bold = if page.color { Style::new().bold() } else { Style::new() };
        let _ = writeln!(page.out, "{bold}rule {}{bold:#}: {}", rule.name, self.verdict());
        let Some(explained) = &self.explained else {
            page.prose("source", &format!("it sees {sources}"));
            return;
        };
        page.prose("source", &sources);
        if line.len() > self.max_line {
            let rest = line.len() - self.max_line;
            page.step("cut", &format!("{rest} bytes behind the first {} are not matched", self.max_line));
        }
        let seen = &line[..line.len().min(self.max_line)];
        let fits = explained.fit.is_some();
        if rule.whole {
            let mark = page.mark(fits, fits);
            page.step("match", &format!("{mark} every line that is {}", self.format.as_str()));
        }
        for tried in &explained.tried {
            page.tried(tried, seen, !fits);
        }
        if let Some(fit) = &explained.fit {
            if self.time.is_some_and(|time| time != fit.time) {
                page.prose("time", &format!("taken for {}, as its source or a field says", fit.time));
            }
            page.fit(rule, self.ruleset, fit);
        }
    }

    fn json(&self, line: &[u8]) -> Json {
        let seen = &line[..line.len().min(self.max_line)];
        let rule = self.rule;
        let mut all = json!({ "rule": rule.name.as_str(), "verdict": self.verdict(), "taken": self.takes() });
        let Some(explained) = &self.explained else { return all };
        let patterns: Vec<Json> = explained.tried.iter().map(|tried| tried_json(tried, seen)).collect();
        all["patterns"] = patterns.into();
        let Some(fit) = &explained.fit else { return all };
        let captured = |text: &Option<Vec<u8>>| text.as_ref().map(|text| lossy(text));
        let captures = fit.captures.iter().map(|capture| {
            let set = capture.set.as_ref().unwrap_or(&capture.text);
            (capture.name.to_string(), json!({ "captured": captured(&capture.text), "value": captured(set) }))
        });
        all["redacted"] = fit.redacted.into();
        all["captures"] = captures.collect::<serde_json::Map<_, _>>().into();
        let parts = fit.parts.iter().map(|part| {
            let values =
                part.values.iter().map(|(name, value)| (name_text(rule, name), Json::from(lossy(value))));
            json!({
                "condition": condition_text(rule, &part.condition),
                "values": values.collect::<serde_json::Map<_, _>>(),
                "holds": part.holds.ok(),
            })
        });
        all["where"] = json!({ "holds": fit.holds.ok(), "parts": parts.collect::<Vec<_>>() });
        let by = fit.by.iter().map(|(name, value)| (name.to_string(), Json::from(captured(value))));
        all["by"] = by.collect::<serde_json::Map<_, _>>().into();
        all["alert_key"] = fit.key.as_ref().filter(|_| rule.change.is_none()).map(ToString::to_string).into();
        if rule.change.is_none() {
            all["measure"] = measure_text(rule).into();
            all["restraints"] = restrained::json(rule, self.ruleset, fit.time);
        }
        all["number"] = fit.number.and_then(Result::ok).into();
        match &fit.outcome {
            Outcome::Nothing | Outcome::Ends => {}
            Outcome::Reports(report) => all["change"] = change_json(report),
            Outcome::Raises(raised) => {
                all["count"] = raised.count.into();
                all["value"] = raised.value.into();
                all["raises"] = raised.status.as_str().into();
                all["texts"] = texts_json(raised);
            }
            Outcome::Counts(counts) => {
                all["count"] = counts.count.into();
                all["value"] = counts.value.into();
                let pending: Vec<&str> = counts.pending.iter().map(|level| level.as_str()).collect();
                all["pending"] = pending.into();
                all["texts"] = texts_json(&counts.told);
            }
        }
        all
    }
}

fn change_json(report: &ChangeReport) -> Json {
    json!({
        "change_key": report.change_key,
        "status": report.status.as_str(),
        "time": report.time.to_string(),
        "starts": report.starts.map(|time| time.to_string()),
        "ends": report.ends.map(|time| time.to_string()),
        "summary": report.summary,
        "description": report.description,
        "link": report.link,
        "runbook": report.runbook,
        "linked_changes": report.linked_changes,
        "labels": labels_json(report.labels.iter().chain(&report.details)),
    })
}

fn labels_json<'a>(labels: impl Iterator<Item = (&'a Arc<str>, &'a String)>) -> Json {
    labels
        .map(|(name, value)| (name.to_string(), Json::from(value.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn texts_json(told: &Transition) -> Json {
    json!({
        "summary": told.summary,
        "description": told.description,
        "runbook": told.runbook,
        "labels": labels_json(told.labels.iter().chain(&told.details)),
    })
}

fn tried_json(tried: &Tried<'_>, line: &[u8]) -> Json {
    let mut all =
        json!({ "key": role_text(tried.role), "pattern": &*tried.pattern.text, "fits": tried.fits });
    if !tried.fits && tried.role != Role::Ignore {
        let Why { head, missing, line_end, near } = why::why(tried.pattern, line);
        if let Some(head) = head {
            all["fits_up_to"] = head.to.into();
            all["head"] = head.pattern.into();
            all["next"] = head.next.into();
        }
        if let Some(missing) = missing {
            all["missing"] = lossy(&missing).into();
        }
        if line_end {
            all["wants_line_end"] = true.into();
        }
        let near: Vec<&str> = near.iter().map(|near| near_text(*near)).collect();
        all["near"] = near.into();
    }
    all
}

/// How far a rule is from a line that it does not take, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// It would fit but for one thing, which is named.
    Near,
    /// Its pattern fits up to some place: so many bytes of it.
    InPart(Reverse<usize>),
    /// Nothing of it stands there.
    Far,
    /// It does not see the line.
    Unseen,
}

/// What is written, step by step.
struct Page {
    out: String,
    color: bool,
}

impl Page {
    /// What is to be copied or stands above a caret, as it is.
    fn step(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.out, "  {name:<10} {text}");
    }

    /// What is to be read, in lines that a terminal shows whole.
    fn prose(&mut self, name: &str, text: &str) {
        let lines = wrapped(text, WIDTH - MARGIN, ALL_LINES);
        self.step(name, &lines.join(&format!("\n{:MARGIN$}", "")));
    }

    /// The same behind a mark.
    fn marked(&mut self, name: &str, mark: &str, text: &str) {
        const MARK: usize = 4;
        let lines = wrapped(text, WIDTH - MARGIN - MARK, ALL_LINES);
        let margin = MARGIN + MARK;
        self.step(name, &format!("{mark} {}", lines.join(&format!("\n{:margin$}", ""))));
    }

    fn mark(&self, yes: bool, good: bool) -> String {
        let style = match (self.color, good) {
            (false, _) => Style::new(),
            (true, true) => AnsiColor::Green.on_default(),
            (true, false) => AnsiColor::Red.on_default(),
        };
        let word = if yes { "yes" } else { "no" };
        format!("{style}{word:<3}{style:#}")
    }

    fn tried(&mut self, tried: &Tried<'_>, line: &[u8], ask_why: bool) {
        let ignore = tried.role == Role::Ignore;
        let mark = self.mark(tried.fits, tried.fits != ignore);
        self.step(role_text(tried.role), &format!("{mark} {}", shown(tried.pattern.text.as_bytes())));
        if tried.fits || ignore || !ask_why {
            return;
        }
        let why = why::why(tried.pattern, line);
        if let Some(head) = &why.head {
            let (text, caret) = around(line, head.to);
            self.step("", &format!("    {text}"));
            let wanted = format!(
                "it fits up to here as `{}`; then it wants `{}`",
                shown(head.pattern.as_bytes()),
                shown(head.next.as_bytes())
            );
            self.step("", &format!("    {:caret$}^ {wanted}", ""));
        }
        if let Some(missing) = &why.missing {
            self.step("", &format!("    `{}` does not stand in the line", shown(missing)));
        }
        if why.line_end {
            self.step("", &format!("    {LINE_END}"));
        }
        for near in &why.near {
            self.step("", &format!("    {}", near_text(*near)));
        }
    }

    fn restraint(&mut self, step: &Step) {
        match (step.holds, step.lets) {
            (Some(holds), Some(lets)) => self.marked(step.name, &self.mark(holds, lets), &step.text),
            _ => self.prose(step.name, &step.text),
        }
    }

    fn fit(&mut self, rule: &Rule, ruleset: &Ruleset, fit: &Fit) {
        if fit.redacted {
            self.step("redact", "secrets are taken out before anything below looks at the line");
        }
        for capture in &fit.captures {
            let text = |text: &Option<Vec<u8>>| match text {
                Some(text) => format!("`{}`", shown(text)),
                None => "nothing".to_owned(),
            };
            let set = match &capture.set {
                Some(set) => format!(", by `set` {}", text(set)),
                None => String::new(),
            };
            let field = rule.field_names().any(|name| *name == *capture.name);
            self.step(
                if field { "field" } else { "capture" },
                &format!("{} = {}{set}", capture.name, text(&capture.text)),
            );
        }
        if fit.kind == MatchKind::Match {
            self.condition(rule, fit);
            if matches!(fit.outcome, Outcome::Nothing) && fit.holds != Ok(true) {
                return;
            }
            let number = match fit.number {
                None => String::new(),
                Some(Ok(number)) => format!(": this line brings {}", number_text(number, rule.unit)),
                Some(Err(NotComparable)) => {
                    ": this line brings no such number, so it counts for nothing".to_owned()
                }
            };
            if rule.change.is_none() {
                self.step("measure", &format!("{}{number}", measure_text(rule)));
            }
        }
        if let Outcome::Reports(report) = &fit.outcome {
            return self.change(report);
        }
        let by: Vec<String> = fit
            .by
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name} = `{}`", shown(value)),
                None if fit.kind == MatchKind::Resolve => format!("{name} = any"),
                None => format!("{name} = ``"),
            })
            .collect();
        self.step(
            "by",
            &if by.is_empty() { "nothing: one alert for the rule".to_owned() } else { by.join(", ") },
        );
        match &fit.key {
            Some(key) => self.step("key", &key.to_string()),
            None => self.step("key", "all that agree with these values"),
        }
        if matches!(fit.outcome, Outcome::Raises(_) | Outcome::Counts(_)) {
            restrained::after(rule, ruleset).iter().for_each(|step| self.restraint(step));
        }
        match &fit.outcome {
            Outcome::Nothing => {}
            Outcome::Reports(_) => {}
            Outcome::Ends => self.step("result", "ends what is open of this key, and empties its window"),
            Outcome::Raises(raised) => {
                self.step("result", &format!("raises {} at once", raised.status.as_str()));
                self.timers(rule);
                restrained::raises(rule, ruleset, fit.time).iter().for_each(|step| self.restraint(step));
                self.told(raised);
            }
            Outcome::Counts(counts) => {
                self.counts(rule, counts);
                self.timers(rule);
                restrained::raises(rule, ruleset, fit.time).iter().for_each(|step| self.restraint(step));
                self.told(&counts.told);
            }
        }
    }

    fn change(&mut self, report: &ChangeReport) {
        self.step("change", &shown(report.change_key.as_bytes()));
        self.step("result", &format!("tells that it is {} at {}", report.status.as_str(), report.time));
        for (name, time) in [("starts", report.starts), ("ends", report.ends)] {
            if let Some(time) = time {
                self.step(name, &time.to_string());
            }
        }
        let texts = [
            ("summary", Some(&report.summary)),
            ("descript.", Some(&report.description)),
            ("link", report.link.as_ref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                self.prose(name, &shown(text.as_bytes()));
            }
        }
    }

    fn condition(&mut self, rule: &Rule, fit: &Fit) {
        let Some(filter) = &rule.filter else { return };
        self.step(
            "where",
            &format!(
                "{} {}",
                self.mark(fit.holds == Ok(true), fit.holds == Ok(true)),
                shown(filter.text.as_bytes())
            ),
        );
        for Part { condition, values, holds } in &fit.parts {
            let mark = self.mark(*holds == Ok(true), *holds == Ok(true));
            let values: Vec<String> = values
                .iter()
                .map(|(name, value)| format!("{} is `{}`", name_text(rule, name), shown(value)))
                .collect();
            let odd = if holds.is_err() { ", which is no such number" } else { "" };
            let condition = condition_text(rule, condition);
            self.step("", &format!("  {mark} {}: {}{odd}", shown(condition.as_bytes()), values.join(", ")));
        }
    }

    fn counts(&mut self, rule: &Rule, counts: &Counts) {
        let within = if rule.within.is_zero() {
            String::new()
        } else {
            format!(" within {}", duration_text(rule.within))
        };
        let lowest = rule.ladder.iter().flatten().next();
        let of = lowest
            .filter(|level| {
                matches!(rule.measure, Measure::Count) && matches!(level.op, Op::AtLeast | Op::Above)
            })
            .map(|level| format!(" of {}", level.needed(1.0)));
        self.step("result", &format!("counts {}{}{within}", counts.count, of.unwrap_or_default()));
        for (rung, level) in rule.ladder.iter().enumerate() {
            let Some(level) = level else { continue };
            let severity = rung_severity(rung);
            let state = match counts.value {
                Some(value) if rule.notices_few() => format!(
                    "it is {}, and is compared once it was seen for {}",
                    rule.number_text(value),
                    duration_text(rule.within)
                ),
                _ if counts.pending.contains(&severity) => {
                    format!("true, and has to stay so for {}", duration_text(rule.hold))
                }
                None if rule.min_lines > 1 => format!("nothing to measure before {} matches", rule.min_lines),
                None => "nothing to measure yet".to_owned(),
                Some(value) => format!("not yet: it is {}", rule.number_text(value)),
            };
            self.step(severity.as_str(), &format!("{}: {state}", comparison_text(rule, level)));
        }
    }

    /// What time does to an alert.
    fn timers(&mut self, rule: &Rule) {
        let mut say = |name: &str, span: Option<Duration>, what: &str| {
            if let Some(span) = span.filter(|span| !span.is_zero()) {
                self.prose(name, &format!("{}: {what}", duration_text(span)));
            }
        };
        say("for", Some(rule.hold), "a level has to be true for so long without a break");
        // What latches is true until its recovery line, and knows no quiet.
        let resolve_after = rule.resolve_after.filter(|_| !rule.latch);
        let quiet = if rule.within.is_zero() {
            "quiet for so long ends the alert (`resolve_after`)"
        } else {
            "so long after no level holds any more the alert ends (`resolve_after`)"
        };
        say("end", resolve_after, quiet);
        say("expire", rule.expire_after, "without a recovery line it ends after so long (`expire_after`)");
        say("renotify", rule.renotify, "while it is open it is told again so often");
        if resolve_after.is_none() {
            let ways =
                [(!rule.resolve.is_empty(), "a line that fits `resolve`"), (rule.clear.is_some(), "`clear`")];
            let ways: Vec<&str> = ways.iter().filter(|(there, _)| *there).map(|(_, way)| *way).collect();
            let ways = if ways.is_empty() { "a number that is good again" } else { &ways.join(", or ") };
            self.prose("end", &format!("quiet does not end it: {ways} does"));
        }
        if let Some(clear) = &rule.clear {
            self.prose(
                "clear",
                &format!("{} has to be true before the lowest level ends", comparison_text(rule, clear)),
            );
        }
    }

    fn told(&mut self, told: &Transition) {
        let texts = [
            ("summary", Some(&told.summary)),
            ("descript.", Some(&told.description)),
            ("runbook", told.runbook.as_ref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                self.prose(name, &shown(text.as_bytes()));
            }
        }
        let labels: Vec<String> = told
            .labels
            .iter()
            .chain(&told.details)
            .map(|(name, value)| format!("{name} = `{}`", shown(value.as_bytes())))
            .collect();
        if !labels.is_empty() {
            self.prose("labels", &labels.join(", "));
        }
    }
}

fn stamp_text(line: &[u8], when: &When) -> String {
    let time = when.time;
    let stale =
        if when.stale { "; older than `max_age`, so what comes of it is not told one by one" } else { "" };
    match &when.stamp {
        _ if when.written => format!("of its envelope, taken for {time}{stale}"),
        Some((stamp, place)) => {
            let year = if stamp.has_year() { "" } else { ", with the nearest year" };
            let text = shown(&line[place.clone()]);
            format!("`{text}` at byte {}, taken for {time}{year}{stale}", place.start + 1)
        }
        None => format!("none: taken for the time at which it arrives, {time}"),
    }
}

fn role_text(role: Role) -> &'static str {
    match role {
        Role::Ignore => "ignore",
        Role::Resolve => "resolve",
        Role::Match => "match",
        Role::MatchAll => "match_all",
    }
}

const LINE_END: &str =
    "it wants the end of a line inside, and lines are one by one: `multiline` of the source joins them";

fn near_text(near: Near) -> &'static str {
    match near {
        Near::Case => "with `(?i)` before it, which makes capital and small letters the same, it would fit",
        Near::Blanks => "with other blanks it would fit: write `\\s+` where there may be several, or tabs",
        Near::Anchors => "without `^` and `$` it would fit: it stands elsewhere in the line",
    }
}

/// A comparison as an author would write it.
fn condition_text(rule: &Rule, condition: &Condition<Value>) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let quantity = |quantity: &Quantity| number_text(quantity.value, quantity.unit);
    let number = |number: &Number<Value>| match number {
        Number::Of(name) => name_text(rule, name),
        Number::Is(is) => quantity(is),
    };
    let word = |word: &Word<Value>| match word {
        Word::Of(name) => name_text(rule, name),
        Word::Is(text) => quoted(text),
    };
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let text = |condition: &Condition<Value>, not: bool| -> Option<String> {
        Some(match condition {
            Condition::Compared(left, op, right) if !not => {
                format!("{} {} {}", number(left), op.as_str(), number(right))
            }
            Condition::Same(left, right) => {
                format!("{} {} {}", word(left), if not { "!=" } else { "==" }, word(right))
            }
            Condition::Fits(name, pattern, _) => {
                format!("{} {} {}", name_text(rule, name), if not { "!~" } else { "=~" }, quoted(pattern))
            }
            Condition::OneOf(name, all) => {
                let all = all.iter().map(|one| quoted(one)).collect();
                format!("{}{} in {}", name_text(rule, name), if not { " not" } else { "" }, list(all))
            }
            Condition::OneOfNumbers(name, all) => {
                let all = all.iter().map(quantity).collect();
                format!("{}{} in {}", name_text(rule, name), if not { " not" } else { "" }, list(all))
            }
            _ => return None,
        })
    };
    match condition {
        Condition::Not(inner) => {
            text(inner, true).unwrap_or_else(|| format!("not ({})", condition_text(rule, inner)))
        }
        condition => text(condition, false).unwrap_or_default(),
    }
}

/// Bytes of the line, or text of a rule, harmless and not too long.
fn shown(bytes: &[u8]) -> String {
    let text = lossy(&bytes[..bytes.len().min(4 * MOST_SHOWN + 4)]);
    let cut = text.char_indices().nth(MOST_SHOWN).map(|(at, _)| at);
    match cut {
        Some(at) => format!("{}…", Untrusted(&text[..at])),
        None => Untrusted(&text).to_string(),
    }
}

/// The part of a line around a place, and how many columns of it stand before that place.
fn around(line: &[u8], at: usize) -> (String, usize) {
    let (before, behind) = (lossy(&line[..at]), lossy(&line[at..]));
    let count = before.chars().count();
    let (cut, more) = if count > AROUND.0 { (count - AROUND.0, "…") } else { (0, "") };
    let before: String = before.chars().skip(cut).collect();
    let behind: String = behind.chars().take(AROUND.1).collect();
    let before = format!("{more}{}", Untrusted(&before));
    let caret = columns(&before);
    (format!("{before}{}", Untrusted(&behind)), caret)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
