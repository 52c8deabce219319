//! Transitions and what is said of changes as text: JSON lines for programs, readable lines for terminals.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::{Serialize, Serializer};

use crate::model::{ChangeReport, Content, Image, Labels, Link, Status, Timestamp, Transition};
use crate::untrusted::{self, Untrusted};

/// The shape of a JSON line. Fields are only ever added, at the end.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    rule: &'a str,
    alert_key: String,
    status: &'static str,
    previous: &'static str,
    reason: &'static str,
    #[serde(serialize_with = "whole_if_whole")]
    value: Option<f64>,
    count: u64,
    since: String,
    labels: BTreeMap<&'a str, &'a str>,
    summary: &'a str,
    description: &'a str,
    total: u64,
    episode: String,
    step: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Way<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    lines: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    last_lines: &'a [String],
}

/// The shape of a JSON line about a change. Fields are only ever added, at the end.
#[derive(Serialize)]
struct ChangeLine<'a> {
    kind: &'static str,
    time: String,
    rule: &'a str,
    change_key: &'a str,
    change_status: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
    summary: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    linked_changes: &'a [String],
    id: String,
    seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Picture<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Way<'a>>,
}

#[derive(Serialize)]
struct Way<'a> {
    href: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct Picture<'a> {
    src: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    href: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alt: Option<&'a str>,
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number that an i64 holds exactly")]
fn whole_if_whole<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let Some(value) = value else { return serializer.serialize_none() };
    if value.fract() == 0.0 && value.abs() <= EXACT {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// One transition as one JSON object without a line break. Labels that identify the alert win over details of the
/// same name; a value that is no number is `null`; times are RFC 3339 in UTC.
pub fn json(transition: &Transition) -> String {
    let t = transition;
    let line = Line {
        time: t.time.to_string(),
        rule: t.key.rule.as_str(),
        alert_key: t.key.to_string(),
        status: t.status.as_str(),
        previous: t.previous.as_str(),
        reason: t.reason.as_str(),
        value: t.value,
        count: t.count,
        since: t.since.to_string(),
        labels: all_labels(&t.labels, &t.details),
        summary: &t.summary,
        description: &t.description,
        total: t.total,
        episode: t.episode.to_string(),
        step: t.step,
        runbook: t.runbook.as_deref(),
        images: t.images.iter().map(picture).collect(),
        links: t.links.iter().map(way).collect(),
        lines: &t.lines,
        last_lines: &t.last_lines,
    };
    object(&line)
}

/// What is said of a change as one JSON object without a line break, marked by `"kind":"change"`. Labels and times as
/// in [`json`].
pub fn change_json(report: &ChangeReport) -> String {
    let r = report;
    object(&ChangeLine {
        kind: "change",
        time: r.time.to_string(),
        rule: r.rule.as_str(),
        change_key: &r.change_key,
        change_status: r.status.as_str(),
        labels: all_labels(&r.labels, &r.details),
        summary: &r.summary,
        description: &r.description,
        link: r.link.as_deref(),
        starts: r.starts.as_ref().map(Timestamp::to_string),
        ends: r.ends.as_ref().map(Timestamp::to_string),
        linked_changes: &r.linked_changes,
        id: r.id(),
        seen: r.seen.to_string(),
        runbook: r.runbook.as_deref(),
        images: r.images.iter().map(picture).collect(),
        links: r.links.iter().map(way).collect(),
    })
}

/// What is said as one JSON object.
pub fn content_json(content: &Content) -> String {
    match content {
        Content::Alert(_, transition) => json(transition),
        Content::Change(report) => change_json(report),
    }
}

fn object(line: &impl Serialize) -> String {
    untrusted::json(
        &serde_json::to_string(line).expect("a struct of texts and numbers always has a JSON form"),
    )
}

fn all_labels<'a>(labels: &'a Labels, details: &'a Labels) -> BTreeMap<&'a str, &'a str> {
    details.iter().chain(labels).map(|(name, value)| (&**name, value.as_str())).collect()
}

fn picture(image: &Image) -> Picture<'_> {
    Picture { src: &image.src, href: image.href.as_deref(), alt: image.alt.as_deref() }
}

fn way(link: &Link) -> Way<'_> {
    Way { href: &link.href, text: link.text.as_deref() }
}

/// One transition as one line for people: time, status, rule, summary, labels. Whatever came from a log is escaped.
/// `color` adds ANSI colours.
pub fn line(transition: &Transition, color: bool) -> String {
    let t = transition;
    let style = if color { style_of(t.status) } else { Style::new() };
    let mut text = format!(
        "{}  {style}{:<8}{style:#}  {}  {}",
        t.time,
        t.status.as_str().to_ascii_uppercase(),
        t.key.rule,
        Untrusted(&t.summary),
    );
    if t.status == Status::Ok {
        let _ = write!(text, " ({})", t.reason.as_str());
    }
    write_labels(&mut text, &t.labels, &t.details, color);
    text
}

/// What is said of a change as one line for people: time, rule, the change and how far it has come, summary, labels.
/// Whatever came from a log is escaped. `color` adds ANSI colours.
pub fn change_line(report: &ChangeReport, color: bool) -> String {
    let r = report;
    let style = if color { AnsiColor::Magenta.on_default().bold() } else { Style::new() };
    let mut text = format!(
        "{}  {style}{:<8}{style:#}  {}  {} is {}: {}",
        r.time,
        "CHANGE",
        r.rule,
        Untrusted(&r.change_key),
        r.status.as_str(),
        Untrusted(&r.summary),
    );
    if let Some(link) = &r.link {
        let _ = write!(text, "  {}", Untrusted(link));
    }
    write_labels(&mut text, &r.labels, &r.details, color);
    text
}

/// What is said as one line for people.
pub fn content_line(content: &Content, color: bool) -> String {
    match content {
        Content::Alert(_, transition) => line(transition, color),
        Content::Change(report) => change_line(report, color),
    }
}

fn write_labels(text: &mut String, labels: &Labels, details: &Labels, color: bool) {
    let faint = if color { Style::new().dimmed() } else { Style::new() };
    for (name, value) in labels.iter().chain(details.iter().filter(|(name, _)| !labels.contains_key(*name))) {
        let _ = write!(text, "  {faint}{name}={}{faint:#}", Untrusted(value));
    }
}

fn style_of(status: Status) -> Style {
    let color = match status {
        Status::Ok => AnsiColor::Green,
        Status::Info => AnsiColor::Cyan,
        Status::Warning => AnsiColor::Yellow,
        Status::Critical => AnsiColor::Red,
    };
    color.on_default().bold()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, Reason};
    use crate::sink::sample;

    #[test]
    fn a_json_line_has_the_documented_fields_in_their_order() {
        assert_eq!(
            json(&sample::transition()),
            concat!(
                r#"{"time":"2015-12-10T09:13:10Z","rule":"ssh_bruteforce","#,
                r#""alert_key":"ssh_bruteforce:3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f","#,
                r#""status":"warning","previous":"ok","reason":"level reached","value":5,"count":5,"#,
                r#""since":"2015-12-10T09:13:10Z","#,
                r#""labels":{"instance":"web-1","src_ip":"187.141.143.180","user":"root"},"#,
                r#""summary":"5 failed logins from 187.141.143.180 in 10m","#,
                r#""description":"Failed password for root","total":7,"episode":"3.4096","step":0,"#,
                r#""runbook":"https://wiki.example.com/ssh"}"#
            )
        );
    }

    #[test]
    fn pictures_are_shown_when_there_are_any() {
        let image = Image { src: "https://g/1.png".to_owned(), href: None, alt: Some("load".to_owned()) };
        let line = json(&Transition { images: vec![image], runbook: None, ..sample::transition() });
        assert!(line.ends_with(r#""step":0,"images":[{"src":"https://g/1.png","alt":"load"}]}"#), "{line}");
    }

    #[test]
    fn links_and_lines_are_shown_when_there_are_any() {
        let links = vec![
            Link { href: "https://w/a".to_owned(), text: Some("a".to_owned()) },
            Link { href: "https://w/b".to_owned(), text: None },
        ];
        let shown = r#","links":[{"href":"https://w/a","text":"a"},{"href":"https://w/b"}]"#;
        let lines = vec!["one".to_owned(), "\u{1b}two".to_owned()];
        let last_lines = vec!["nine".to_owned()];
        let t = Transition { links: links.clone(), lines, last_lines, ..sample::transition() };
        let line = json(&t);
        assert!(
            line.ends_with(&format!(r#"{shown},"lines":["one","\u001btwo"],"last_lines":["nine"]}}"#)),
            "{line}"
        );
        let line = change_json(&ChangeReport { links, ..sample::report() });
        assert!(line.ends_with(&format!("{shown}}}")), "{line}");
    }

    #[test]
    fn a_value_is_whole_where_it_can_be() {
        for (value, shown) in [(0.0, "0"), (-3.0, "-3"), (0.5, "0.5"), (f64::NAN, "null"), (1e300, "1e+300")]
        {
            let line = json(&Transition { value: Some(value), ..sample::transition() });
            assert!(line.contains(&format!(r#""value":{shown},"#)), "{line}");
        }
    }

    #[test]
    fn the_identity_wins_over_a_detail_of_the_same_name() {
        let details = sample::labels(&[("src_ip", "forged")]);
        let t = Transition { details, ..sample::transition() };
        assert!(json(&t).contains(r#""src_ip":"187.141.143.180""#));
        assert!(!json(&t).contains("forged"));
        assert!(!line(&t, false).contains("forged"));
    }

    #[test]
    fn a_json_line_is_one_line_whatever_the_log_says() {
        let summary = "a\nb\r\u{2028}\"}\\\x1b[0m\u{9b}31m\u{202e}".to_owned();
        let text = json(&Transition { summary: summary.clone(), ..sample::transition() });
        assert!(!text.contains(untrusted::is_hostile), "{text}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["summary"], *summary);
    }

    #[test]
    fn a_readable_line_aligns_the_status_and_says_why_it_is_over() {
        let t = sample::transition();
        assert_eq!(
            line(&t, false),
            "2015-12-10T09:13:10Z  WARNING   ssh_bruteforce  5 failed logins from 187.141.143.180 in 10m  \
             instance=web-1  src_ip=187.141.143.180  user=root"
        );
        let over = line(&Transition { status: Status::Ok, reason: Reason::Quiet, ..t }, false);
        assert!(
            over.contains("  OK        ssh_bruteforce  5 failed") && over.contains("10m (quiet)"),
            "{over}"
        );
    }

    #[test]
    fn colour_is_ours_alone() {
        let summary = "\x1b[31mroot\x1b]0;x\x07".to_owned();
        let details = sample::labels(&[("user", "a\nb\u{202e}")]);
        let t = Transition { summary, details, ..sample::transition() };
        let plain = line(&t, false);
        assert!(!plain.contains(['\x1b', '\n', '\x07', '\u{202e}']), "{plain}");
        assert!(plain.contains(r"\x1b[31mroot") && plain.contains(r"user=a\nb\u{202e}"), "{plain}");
        let colored = line(&t, true);
        assert!(colored.contains("\x1b[1m\x1b[33mWARNING \x1b[0m"), "{colored:?}");
        assert!(!colored.contains("\x1b[31m") && !colored.contains("\x1b]"), "{colored:?}");
    }

    #[test]
    fn a_json_line_about_a_change_has_the_documented_fields_in_their_order() {
        assert_eq!(
            change_json(&sample::report()),
            concat!(
                r#"{"kind":"change","time":"2015-12-10T09:13:10Z","rule":"deploy","change_key":"api-1.4","#,
                r#""change_status":"Processing","labels":{"app":"api","instance":"web-1","team":"shop"},"#,
                r#""summary":"api 1.4 started","description":"deploy api 1.4 started by ann","#,
                r#""link":"https://ci.example.com/api","starts":"2015-12-10T09:13:10Z","#,
                r#""ends":"2015-12-10T09:29:50Z","linked_changes":["SHOP-7"],"#,
                r#""id":"deploy:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a@3.4096","seen":"2015-12-10T09:13:10Z","#,
                r#""runbook":"https://wiki.example.com/deploy"}"#
            )
        );
        let bare = ChangeReport {
            link: None,
            starts: None,
            ends: None,
            linked_changes: Vec::new(),
            runbook: None,
            ..sample::report()
        };
        let line = change_json(&bare);
        assert!(
            line.contains(r#"started by ann","id":"#) && line.ends_with(r#""seen":"2015-12-10T09:13:10Z"}"#)
        );
    }

    #[test]
    fn a_readable_line_about_a_change_says_how_far_it_is_and_shows_no_colour_of_a_log() {
        assert_eq!(
            change_line(&sample::report(), false),
            "2015-12-10T09:13:10Z  CHANGE    deploy  api-1.4 is Processing: api 1.4 started  \
             https://ci.example.com/api  instance=web-1  team=shop  app=api"
        );
        let hostile = "\x1b[31ma\nb\u{202e}".to_owned();
        let report = ChangeReport {
            change_key: hostile.clone(),
            link: Some(hostile.clone()),
            summary: hostile.clone(),
            description: hostile.clone(),
            ..sample::report()
        };
        let plain = change_line(&report, false);
        assert!(!plain.contains(['\x1b', '\n', '\u{202e}']), "{plain}");
        assert!(!change_line(&report, true).contains("\x1b[31m"));
        let json = change_json(&report);
        assert!(!json.contains(['\x1b', '\n']), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["change_key"], *hostile);
    }
}
