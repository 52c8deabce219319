//! The page of `--against`: what two sets of rules would have told differently.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::super::compare::Comparison;
use super::{HEAD, MOST_FAULTS, Plain, said, when};

/// Differences that the table shows.
const MOST_ROWS: usize = 1000;
/// Characters that are shown of a text.
const LONGEST: usize = 300;

/// The page. `faults`: what could not be read to its end.
pub(in super::super) fn page(found: &Comparison<'_>, faults: &[String], tz: &TimeZone) -> String {
    let title = if found.is_equal() { "Nothing differs" } else { "What differs" };
    let mut html = format!("{HEAD}<h1>{title}</h1>");
    for line in found.headline().lines() {
        let _ = write!(html, "<p>{}</p>", Plain(line));
    }
    let zone = tz.iana_name().unwrap_or("local time");
    let _ = write!(html, "<p>Times of the first column are {}.</p>", Plain(zone));
    for fault in faults.iter().take(MOST_FAULTS) {
        let _ = write!(html, "<p class=\"fault\"><b>Not all was read:</b> {}</p>", Plain(fault));
    }
    if !found.is_equal() {
        html.push_str(
            "<table class=\"all\"><thead><tr><th>time<th>told<th>rule<th>what<th>how</thead><tbody>",
        );
    }
    let mut number = 0;
    for row in found.rows() {
        number += 1;
        if number > MOST_ROWS {
            continue;
        }
        let side = match row.sign {
            '-' => "− only with --rules",
            '+' => "+ only with --against",
            _ => "~ with both",
        };
        let (time, class) = (when(row.time, tz), row.class);
        let text = cut(&row.text);
        let labels = cut(row.labels.trim_start());
        let (rule, text, labels) = (Plain(&row.rule), Plain(&text), Plain(&labels));
        let how = [&row.until, &row.differs].into_iter().flatten();
        let how: Vec<String> = how.map(|how| Plain(how).to_string()).collect();
        let _ = write!(
            html,
            "<tr><td>{time}<td>{side}<br><span class=\"badge {class}\">{class}</span><td>{rule}\
             <td><bdi>{text}</bdi><small><bdi>{labels}</bdi></small><td>{}",
            how.join("<br>")
        );
    }
    if number > 0 {
        html.push_str("</tbody></table>");
    }
    said(&mut html, number.saturating_sub(MOST_ROWS) as u64, "differences");
    html.push_str("</main></body></html>\n");
    html
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
