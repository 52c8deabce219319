//! Transitions as text: JSON lines for programs, readable lines for terminals.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::{Serialize, Serializer};

use crate::model::{Status, Transition};
use crate::untrusted::Untrusted;

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
        labels: t.details.iter().chain(&t.labels).map(|(name, value)| (&**name, value.as_str())).collect(),
        summary: &t.summary,
        description: &t.description,
        total: t.total,
        episode: t.episode.to_string(),
        step: t.step,
        runbook: t.runbook.as_deref(),
        images: t
            .images
            .iter()
            .map(|image| Picture { src: &image.src, href: image.href.as_deref(), alt: image.alt.as_deref() })
            .collect(),
    };
    serde_json::to_string(&line).expect("a struct of texts and numbers always has a JSON form")
}

/// One transition as one line for people: time, status, rule, summary, labels. Whatever came from a log is escaped.
/// `color` adds ANSI colours.
pub fn line(transition: &Transition, color: bool) -> String {
    let t = transition;
    let style = if color { style_of(t.status) } else { Style::new() };
    let faint = if color { Style::new().dimmed() } else { Style::new() };
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
    for (name, value) in
        t.labels.iter().chain(t.details.iter().filter(|(name, _)| !t.labels.contains_key(*name)))
    {
        let _ = write!(text, "  {faint}{name}={}{faint:#}", Untrusted(value));
    }
    text
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
        let summary = "a\nb\r\u{2028}\"}\\\x1b[0m".to_owned();
        let text = json(&Transition { summary: summary.clone(), ..sample::transition() });
        assert!(!text.contains(['\n', '\r', '\x1b']));
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
}
