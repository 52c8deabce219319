//! `--html`: one file that shows a replay, without network, scripts or fonts of its own. Whatever came from a log is
//! text in it.

mod difference;
mod picture;
mod story;

use std::fmt::{self, Write as _};

use jiff::tz::TimeZone;

pub(super) use difference::page as difference_page;
pub(super) use story::Story;

use super::progress::bytes;
use super::summary::{Day, RuleDays, Summary, counted, labels_text, shown};
use crate::model::{ChangeStatus, Status, Timestamp};
use crate::untrusted::Untrusted;

/// Rows of the table of days, and of the one of keys.
const MOST_DAYS: usize = 500;
const MOST_KEYS: usize = 50;
/// Files that are named because they could not be read to their end.
const MOST_FAULTS: usize = 20;

/// Text that stays text in HTML, on one line.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Escape(f);
        write!(text, "{}", Untrusted(self.0))
    }
}

/// Passes on what is written, with what HTML reads as its own written in another way.
struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escape<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.write_str("&amp;")?,
                '<' => self.0.write_str("&lt;")?,
                '>' => self.0.write_str("&gt;")?,
                '"' => self.0.write_str("&quot;")?,
                '\'' => self.0.write_str("&#39;")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A time for people, to the second.
fn when(time: Timestamp, tz: &TimeZone) -> String {
    shown(time, tz, "%Y-%m-%d %H:%M:%S")
}

/// The page.
pub(super) fn page(mut story: Story, summary: &Summary) -> String {
    let tz = summary.tz();
    let facts = &summary.facts;
    let mut html = String::new();
    let _ = write!(html, "{HEAD}<h1>It {}</h1>", Plain(&summary.headline()));
    let open = counted(facts.open.len() as u64, "alert");
    let (files, size) = (counted(facts.files as u64, "file"), bytes(facts.bytes));
    let matches = counted(facts.matches, "match");
    let _ = write!(html, "<p>{matches} in {files} of {size}; {open} open at the end.");
    if summary.changes > 0 {
        let _ = write!(html, " {} about changes.", counted(summary.changes, "line"));
    }
    if summary.later_pages > 0 {
        let later = counted(summary.later_pages, "raise");
        let _ = write!(html, " {later} only after the log’s end, for want of lines.");
    }
    if summary.held > 0 {
        let _ = write!(html, " {} held back.", counted(summary.held, "raise"));
    }
    let _ = write!(html, " Times are {}.</p>", Plain(summary.zone()));
    for fault in facts.faults.iter().take(MOST_FAULTS) {
        let _ = write!(html, "<p class=\"fault\"><b>Not all was read:</b> {}</p>", Plain(fault));
    }
    said(
        &mut html,
        facts.faults.len().saturating_sub(MOST_FAULTS) as u64,
        "files were not read to their end, and",
    );
    if let Some((from, to)) = facts.span {
        let legend = picture::legend(!story.changes.is_empty());
        let _ = write!(html, "<div class=\"legend\">{legend}</div>");
        let _ = write!(html, "<figure>{}</figure>", picture::picture(&mut story, from, to, tz));
    }
    days(&mut html, summary);
    keys(&mut html, summary);
    changes(&mut html, &story, tz);
    rows(&mut html, &story, tz);
    html.push_str("</main></body></html>\n");
    html
}

fn days(html: &mut String, summary: &Summary) {
    let rules = summary.by_rule();
    let rows: usize = rules.iter().map(|rule| rule.days.len()).sum();
    if rows == 0 {
        return;
    }
    html.push_str(
        "<h2>By rule and day</h2><table class=\"few\"><thead><tr><th>rule<th>day<th class=\"n\">pages",
    );
    html.push_str("<th class=\"n\">matches</thead><tbody>");
    let all = rules.iter().flat_map(|RuleDays { name, days, .. }| days.iter().map(move |day| (name, day)));
    for (name, (date, Day { pages, matches })) in all.take(MOST_DAYS) {
        let strong = if *pages > 0 { " class=\"n strong\"" } else { " class=\"n\"" };
        let _ = write!(html, "<tr><td>{name}<td>{date}<td{strong}>{pages}<td class=\"n\">{matches}");
    }
    html.push_str("</tbody></table>");
    said(html, rows.saturating_sub(MOST_DAYS) as u64, "rows");
}

fn keys(html: &mut String, summary: &Summary) {
    let keys = summary.top_keys();
    if keys.is_empty() {
        return;
    }
    html.push_str("<h2>Keys that page most often</h2><table class=\"few\"><thead><tr><th>rule<th>key");
    html.push_str("<th class=\"n\">pages<th class=\"n\">matches</thead><tbody>");
    for (key, tally) in keys.iter().take(MOST_KEYS) {
        let labels = labels_text(&tally.labels);
        let labels: String = labels.trim_start().chars().take(300).collect();
        let (rule, labels) = (&key.rule, Plain(&labels));
        let (pages, matches) = (tally.pages, tally.matches);
        let _ = write!(
            html,
            "<tr><td>{rule}<td><bdi>{labels}</bdi><td class=\"n strong\">{pages}<td class=\"n\">{matches}"
        );
    }
    html.push_str("</tbody></table>");
    said(html, keys.len().saturating_sub(MOST_KEYS) as u64, "keys");
}

fn changes(html: &mut String, story: &Story, tz: &TimeZone) {
    if story.change_rows.is_empty() {
        return;
    }
    html.push_str("<h2>Changes</h2><table class=\"all\"><thead><tr><th>time<th>status<th>rule<th>change");
    html.push_str("<th>as of</thead><tbody>");
    for row in &story.change_rows {
        let seen = when(row.seen, tz);
        let time = if row.time == row.seen { String::new() } else { format!("as of {}", when(row.time, tz)) };
        let (mark, word) = (change_mark(row.status), row.status.as_str());
        let (rule, key) = (Plain(&row.rule), Plain(&row.key));
        let (summary, link) = (Plain(&row.summary), Plain(&row.link));
        let _ = write!(
            html,
            "<tr><td>{seen}<td><span class=\"badge change\">{mark} {word}</span><td>{rule}\
             <td><bdi>{key}</bdi><small><bdi>{summary}</bdi></small><small><bdi>{link}</bdi></small><td>{time}"
        );
    }
    html.push_str("</tbody></table>");
    said(html, story.other_change_rows, "lines about changes");
}

/// A sign for a status, beside its word.
fn change_mark(status: ChangeStatus) -> &'static str {
    match status {
        ChangeStatus::Planned | ChangeStatus::Ready => "○",
        ChangeStatus::Processing => "■",
        ChangeStatus::Done => "✓",
        ChangeStatus::Canceled => "✕",
    }
}

fn rows(html: &mut String, story: &Story, tz: &TimeZone) {
    if story.rows.is_empty() {
        return;
    }
    html.push_str(
        "<h2>What happened</h2><table class=\"all\"><thead><tr><th>time<th>status<th>rule<th>summary",
    );
    html.push_str("<th>why</thead><tbody>");
    for row in &story.rows {
        let later = if row.later { " class=\"later\" title=\"after the end of the log\"" } else { "" };
        let (time, kind) = (when(row.time, tz), row.status.as_str());
        let mark = match row.status {
            Status::Ok => "✓",
            Status::Info => "●",
            Status::Warning => "▲",
            Status::Critical => "◆",
        };
        let step = match (row.previous, row.status) {
            (Status::Ok, _) | (_, Status::Ok) => "",
            (before, now) if now > before => " ↑",
            _ => " ↓",
        };
        let (rule, summary, labels) = (Plain(&row.rule), Plain(&row.summary), Plain(&row.labels));
        let _ = write!(
            html,
            "<tr{later}><td>{time}<td><span class=\"badge {kind}\">{mark} {kind}{step}</span><td>{rule}\
             <td><bdi>{summary}</bdi><small><bdi>{labels}</bdi></small><td>{}{}",
            row.reason,
            if row.held { ", held back" } else { "" }
        );
    }
    html.push_str("</tbody></table>");
    said(html, story.other_rows, "transitions");
}

/// Says what found no room.
fn said(html: &mut String, more: u64, what: &str) {
    if more > 0 {
        let _ = write!(
            html,
            "<p class=\"said\">{more} more {what} are not shown; <code>--json</code> has all.</p>"
        );
    }
}

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'; connect-src 'none'; img-src 'none';
 font-src 'none'; object-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tripline replay</title>
<style>
:root{--page:#fbfbfa;--ink:#1f2328;--soft:#66707b;--line:#e3e5e8;--card:#fff;
--critical:#b3123a;--warning:#e08a00;--info:#3b7dc4;--ok:#2f7d4f;--match:#9aa7b5;--change:#7b4bb7}
@media(prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e6e8eb;--soft:#98a2ad;--line:#2c3239;--card:#1b1f24;
--critical:#ff5c7a;--warning:#ffb52e;--info:#6cb0f5;--ok:#6ccf94;--match:#5d6b7a;--change:#c3a1f2}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:24px;line-height:1.25;margin:0 0 8px}h2{font-size:17px;margin:36px 0 8px}
p{margin:0 0 12px;color:var(--soft)}.fault{color:var(--critical)}.said{font-size:13px;margin:8px 0}
figure{margin:0;padding:12px 20px;background:var(--card);border:1px solid var(--line);border-radius:8px}
.picture{display:block;overflow:visible}.picture svg{overflow:visible}
.picture text{font-size:12px;fill:var(--soft)}
.lane{font-size:13px;line-height:20px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;color:var(--soft)}
.lane b{color:var(--ink);font-weight:600}
.base{stroke:var(--line)}.mark{stroke:var(--line);stroke-dasharray:2 3}
rect.critical,path.critical{fill:var(--critical);stroke:var(--critical)}
rect.warning,path.warning{fill:var(--warning);stroke:var(--warning)}
rect.info,circle.info,path.info{fill:var(--info);stroke:var(--info)}
rect.match{fill:var(--match)}rect.change,path.change{fill:var(--change)}
.hollow{fill:var(--card);stroke:var(--change);stroke-width:2}
.stroke,.halo{fill:none;stroke:var(--change);stroke-width:2.5;stroke-linecap:round}.halo{stroke:var(--card);stroke-width:6}
.edge{stroke:var(--card)!important;stroke-width:1.5}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:20px 0 8px;font-size:13px;color:var(--soft)}
.legend span{display:inline-flex;align-items:center;gap:4px}.legend svg{overflow:visible}.legend i{font-style:normal}
table{border-collapse:collapse;width:100%;font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:13px}
.few th,td.n{white-space:nowrap;overflow-wrap:normal}
th,td{padding:6px 12px 6px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
.few{width:auto;min-width:min(100%,480px)}
.n{text-align:right;font-variant-numeric:tabular-nums}.strong{font-weight:700}
.all td:first-child{white-space:nowrap;font-variant-numeric:tabular-nums}
.all small{display:block;color:var(--soft)}.later{opacity:.65}
.badge{white-space:nowrap;font-weight:600}
.badge.critical{color:var(--critical)}.badge.warning{color:var(--warning)}
.badge.info{color:var(--info)}.badge.ok{color:var(--ok)}.badge.change{color:var(--change)}
@media(prefers-color-scheme:light){.badge.warning{color:#9a5b00}}
@media(max-width:640px){.all thead{display:none}.all tr{display:block;border-bottom:1px solid var(--line);padding:8px 0}
.all td{display:block;border:0;padding:1px 0}.all td:first-child,.all td:nth-child(2){display:inline-block;margin-right:12px}
figure{padding:12px}}
@media print{figure{break-inside:auto}tr{break-inside:avoid}}
</style></head><body><main>
"#;

#[cfg(test)]
mod tests {
    use super::super::summary::Facts;
    use super::*;
    use crate::engine::{Emitted, Tell};
    use crate::model::{
        AlertKey, ChangeReport, DeliveryKind, FileId, KeyHash, Labels, Position, RuleName, Transition,
    };
    use crate::rule::Ruleset;
    use crate::sink::sample;

    /// Raised at that second, with a text for everything that a log may write.
    fn raised(key: u32, second: i64, text: &str) -> Transition {
        let mut hash = [0; 16];
        hash[..4].copy_from_slice(&key.to_be_bytes());
        Transition {
            time: Timestamp::from_secs(second),
            key: AlertKey { rule: RuleName::new("r"), hash: KeyHash(hash) },
            status: Status::Critical,
            previous: Status::Ok,
            since: Timestamp::from_secs(second),
            labels: Labels::from([("k".into(), text.to_owned())]),
            details: Labels::from([("d".into(), text.to_owned())]),
            summary: text.to_owned(),
            ..sample::bare()
        }
    }

    /// The page of these transitions, each with its end a second later.
    fn made(transitions: impl Iterator<Item = Transition>, faults: Vec<String>) -> String {
        let mut summary = Summary::new(&Ruleset::default(), TimeZone::UTC);
        let mut story = Story::default();
        let (mut last, mut open) = (0, Vec::new());
        for raised in transitions {
            last = raised.time.as_secs() + 1;
            let over = Transition {
                time: Timestamp::from_secs(last),
                status: Status::Ok,
                previous: Status::Critical,
                ..raised.clone()
            };
            open = vec![raised.clone()];
            for transition in [raised, over] {
                let emitted = Emitted { transition, tell: Tell::Now };
                let paged = summary.count(&emitted, false);
                story.tell(&emitted, paged == Some(DeliveryKind::Raise), false);
                story.count_matches(&[(crate::rule::RuleIx(0), emitted.transition.time)]);
            }
        }
        let span = Some((Timestamp::from_secs(0), Timestamp::from_secs(last)));
        summary.finish(Facts { span, files: 1, bytes: 1, matches: 1, open, faults });
        page(story, &summary)
    }

    const HOSTILE: &str =
        "<script>alert('x')</script>\"><img src=//e.vil/x onerror=a()>&lt;\x1b[2J\u{202e}\0\n]]>--!>";

    #[test]
    fn log_text_is_text_and_nothing_is_fetched() {
        let html = made((0..3).map(|key| raised(key, 10, HOSTILE)), vec![HOSTILE.to_owned()]);
        for word in [
            "<script",
            "<img",
            "onerror=a()>&lt;",
            "\x1b",
            "\u{202e}",
            "\0",
            "]]>",
            "http:",
            "https:",
            "@import",
            "url(",
        ] {
            assert!(!html.contains(word), "{word:?}");
        }
        let shown = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;&lt;img src=//e.vil/x onerror=a()&gt;&amp;lt;\\x1b[2J\\u{202e}\\x00\\n]]&gt;--!&gt;";
        // The table's summaries and labels, the lanes, the keys and the fault.
        assert!(html.matches(shown).count() > 6 + 12 + 3 + 3, "{}", html.matches(shown).count());
        for word in [
            "prefers-color-scheme:dark",
            "script-src 'none'",
            "<svg",
            "#critical",
            "would have paged 3 times",
        ] {
            assert!(html.contains(word), "{word:?}");
        }
        // What is opened is closed, as far as it has to be.
        for tag in ["svg", "table", "figure", "foreignObject", "rect", "bdi", "main", "title"] {
            let opened =
                html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    fn change(number: i64, key: &str, status: ChangeStatus, text: &str) -> ChangeReport {
        ChangeReport {
            time: Timestamp::from_secs(number + 7200),
            seen: Timestamp::from_secs(number),
            rule: RuleName::new("deploy"),
            hash: KeyHash([0; 16]),
            change_key: key.to_owned(),
            status,
            life: 1,
            at: Position { file: FileId(1), offset: number.unsigned_abs() },
            labels: Labels::new(),
            details: Labels::new(),
            summary: text.to_owned(),
            description: text.to_owned(),
            link: Some(text.to_owned()),
            starts: None,
            ends: None,
            linked_changes: vec![text.to_owned()],
            runbook: Some(text.to_owned()),
            images: Vec::new(),
            links: Vec::new(),
        }
    }

    /// The page of a log in which only changes are spoken of.
    fn of_changes(reports: impl Iterator<Item = ChangeReport>) -> String {
        let mut summary = Summary::new(&Ruleset::default(), TimeZone::UTC);
        let mut story = Story::default();
        let mut last = 0;
        for report in reports {
            last = report.seen.as_secs() + 10;
            summary.changes += 1;
            story.tell_change(&report);
        }
        let span = Some((Timestamp::from_secs(0), Timestamp::from_secs(last)));
        summary.finish(Facts { span, ..Facts::default() });
        page(story, &summary)
    }

    #[test]
    fn a_change_has_a_lane_with_a_mark_for_each_line_and_words_beside_each() {
        use ChangeStatus::{Canceled, Done, Planned, Processing};
        let steps = [(0, Planned), (20, Processing), (50, Done), (80, Canceled)];
        let html = of_changes(steps.into_iter().map(|(second, status)| change(second, "api-7", status, "x")));
        assert!(html.contains("4 lines about changes"), "{html}");
        assert_eq!(html.matches("<div class=\"lane\"><b>deploy</b> <bdi>api-7</bdi></div>").count(), 1);
        for words in [
            "<title>Planned, 1970-01-01 00:00:00 to 1970-01-01 00:00:20</title>",
            "<title>Processing, 1970-01-01 00:00:20 to 1970-01-01 00:00:50</title>",
            "<use href=\"#done\"><title>Done, 1970-01-01 00:00:50</title></use>",
            "<use href=\"#canceled\"><title>Canceled, 1970-01-01 00:01:20</title></use>",
            "<span class=\"badge change\">✓ Done</span>",
            "<td>as of 1970-01-01 02:00:50",
            "planned or ready</span>",
        ] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(!made(std::iter::empty(), Vec::new()).contains("planned or ready"), "there is none");
    }

    #[test]
    fn log_text_in_changes_is_text_and_bounded() {
        let html =
            of_changes((0..3).map(|number| change(number, HOSTILE, ChangeStatus::Processing, HOSTILE)));
        for word in ["<script", "<img", "\x1b", "\u{202e}", "\0", "]]>", "http:", "https:"] {
            assert!(!html.contains(word), "{word:?}");
        }
        // The lane; key, summary and link of each row.
        assert_eq!(html.matches("&lt;script&gt;alert(&#39;x&#39;)").count(), 1 + 3 * 3);
        let long = HOSTILE.repeat(2000);
        let many =
            (0..3000).map(|number| change(number, &format!("{number}{long}"), ChangeStatus::Done, &long));
        let html = of_changes(many);
        assert!(html.len() < 6 << 20, "{} bytes", html.len());
        for words in [
            "2000 more lines about changes are not shown",
            "1980 more changes are not drawn",
            "1000 lines are about still other changes",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn the_page_stays_small_and_says_what_it_leaves_out() {
        let long = HOSTILE.repeat(2000);
        let many = (0..6000u32).map(|number| raised(number / 2, i64::from(number), &long));
        let html = made(many, vec![long.clone(); 300]);
        assert!(html.len() < 12 << 20, "{} bytes", html.len());
        for words in [
            "11000 more transitions are not shown",
            "1940 more keys are not drawn",
            "4000 transitions are of still other keys",
            "2950 more keys are not shown",
            "280 more files were not read to their end",
        ] {
            assert!(html.contains(words), "{words}");
        }
    }

    #[test]
    fn a_log_in_which_nothing_happened_has_a_page_too() {
        let html = made(std::iter::empty(), Vec::new());
        assert!(html.contains("would have paged 0 times") && html.ends_with("</html>\n"));
    }
}
