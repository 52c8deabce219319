//! `tripline silence`: what the running tripline does not tell of for a while.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Zoned;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use super::ask::{AskArgs, WhichArgs, unexpected};
use super::columns::{fit, width};
use super::status::{plural, span};
use super::{Failure, NO, answer, duration, json_line, talk};
use crate::admin::{Answer, End, Question, Silence, SilenceRow};
use crate::daemon::clock::wall;
use crate::engine::silence::new_terms;
use crate::model::Timestamp;
use crate::untrusted::Untrusted;

#[derive(Debug, Args)]
pub(super) struct SilenceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Hold back alerts of which all terms are true
    Add(AddArgs),
    /// Show silences that are not over
    List(AskArgs),
    /// End a silence now
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
#[group(id = "end", required = true, multiple = false, args = ["duration", "until"])]
struct AddArgs {
    /// For how long, such as `2h` or `1d12h`
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Up to when: `18:00`, `2026-11-28 18:00` or `2026-11-28T18:00:00Z`; local time unless said
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why, for whoever looks at the list
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// `team=db`, `rule!=disk`, `src_ip=~10\..*` (a pattern for the whole value) or `severity<=warning`
    #[arg(value_name = "TERM", required = true)]
    terms: Vec<String>,
    #[command(flatten)]
    asked: AskArgs,
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// As `silence list` shows it
    #[arg(value_name = "ID")]
    id: u64,
    #[command(flatten)]
    of: WhichArgs,
}

pub(super) fn silence(args: &SilenceArgs) -> Result<u8, Failure> {
    match &args.what {
        What::Add(args) => add(args),
        What::List(args) => list(args),
        What::Remove(args) => remove(args),
    }
}

fn add(args: &AddArgs) -> Result<u8, Failure> {
    new_terms(&args.terms).map_err(Failure)?;
    let zone = TimeZone::system();
    let end = match (&args.until, args.duration) {
        (Some(text), _) => {
            let now = jiff::Timestamp::from_microsecond(wall().0)?.to_zoned(zone);
            End::Until(moment(text, &now).map_err(Failure)?)
        }
        (None, span) => End::After(span.unwrap_or_default().as_secs()),
    };
    let question =
        Question::Silence(Silence { terms: args.terms.clone(), end, comment: args.comment.clone() });
    let answered = args.asked.ask(&question)?;
    let Answer::Silenced { silence, told, covers, doubts } = answered else {
        return Err(unexpected("no silence"));
    };
    for doubt in &doubts {
        talk(&format!("warning: {}\n", Untrusted(doubt)));
    }
    if !doubts.is_empty() {
        let id = silence.id;
        talk(&format!(
            "warning: it holds back nothing as rules are now; `tripline silence remove {id}` ends it\n"
        ));
    }
    if args.asked.json {
        let made =
            serde_json::json!({ "silence": silence, "told": told, "covers": covers, "doubts": doubts });
        answer(&json_line(&made))?;
        return Ok(0);
    }
    let mut text = format!("silence {} until {}\n", silence.id, silence.until);
    let _ = writeln!(text, "it is true of {} now", plural(covers, "open alert"));
    if told > 0 {
        let open = plural(told, "open alert");
        let _ = writeln!(text, "{open} of it stay told: whoever knows of a beginning is told the rest");
    }
    answer(&text)?;
    Ok(0)
}

fn list(args: &AskArgs) -> Result<u8, Failure> {
    let answered = args.ask(&Question::Silences)?;
    let Answer::Silences { silences, at } = answered else { return Err(unexpected("no silences")) };
    if args.json {
        answer(&json_line(&serde_json::json!({ "silences": silences })))?;
        return Ok(0);
    }
    let text =
        if silences.is_empty() { "no silence\n".to_owned() } else { silence_lines(&silences, at, width()) };
    answer(&text)?;
    Ok(0)
}

fn remove(args: &RemoveArgs) -> Result<u8, Failure> {
    match args.of.ask(&Question::Unsilence(args.id))? {
        Answer::Unsilenced(Some(silence)) => {
            answer(&format!("removed silence {}\n", silence.id))?;
            Ok(0)
        }
        Answer::Unsilenced(None) => {
            talk(&format!("there is no silence {}: `tripline silence list` shows them\n", args.id));
            Ok(NO)
        }
        _ => Err(unexpected("no silence")),
    }
}

/// A line for each silence, and one for its comment.
pub(super) fn silence_lines(silences: &[SilenceRow], now: Timestamp, width: usize) -> String {
    let mut text = String::new();
    for silence in silences {
        let left = span(silence.until.since(now).as_secs_f64());
        let head = format!("{}  {left:>7} left  {}", silence.id, silence.terms.join(" "));
        let _ = writeln!(text, "  {}", fit(&head, width - 2));
        if !silence.comment.is_empty() {
            let _ = writeln!(text, "            {}", fit(&silence.comment, width - 12));
        }
    }
    text
}

/// A moment as somebody writes it: with a zone, or in that of `now`; a time alone is the next one.
fn moment(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let instant = |time: jiff::Timestamp| Ok(Timestamp(time.as_microsecond()));
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return instant(time);
    }
    let zone = now.time_zone().clone();
    let odd = |error: jiff::Error| format!("`{text}`: {error}");
    // A date alone would be a midnight that nobody thinks of, and a number an hour.
    if text.contains(':')
        && let Ok(time) = text.parse::<DateTime>()
    {
        return instant(time.to_zoned(zone).map_err(odd)?.timestamp());
    }
    if text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        let today = now.date().to_datetime(time).to_zoned(zone.clone()).map_err(odd)?;
        if today > *now {
            return instant(today.timestamp());
        }
        let tomorrow = now.date().tomorrow().map_err(odd)?;
        return instant(tomorrow.to_datetime(time).to_zoned(zone).map_err(odd)?.timestamp());
    }
    Err(format!("`{text}` is no time: write `18:00`, `2026-11-28 18:00` or `2026-11-28T18:00:00Z`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::columns::columns;

    fn check(text: &str, expected: Option<&str>) {
        let now: Zoned = "2026-11-28T17:30:00+01:00[Europe/Berlin]".parse().unwrap();
        let found = moment(text, &now).map(|time| time.to_string());
        assert_eq!(found.as_deref().ok(), expected, "{text}: {found:?}");
    }

    #[test]
    fn a_time_is_read_as_it_is_meant() {
        check("2026-11-28T18:00:00Z", Some("2026-11-28T18:00:00Z"));
        check("2026-11-28T18:00:00+05:00", Some("2026-11-28T13:00:00Z"));
        check("2026-11-28 18:00", Some("2026-11-28T17:00:00Z"));
        check("2026-07-01T18:00:30", Some("2026-07-01T16:00:30Z"));
        check("18:00", Some("2026-11-28T17:00:00Z"));
        // The next one is tomorrow's.
        check("17:30", Some("2026-11-29T16:30:00Z"));
        check("06:00", Some("2026-11-29T05:00:00Z"));
        for wrong in ["", "soon", "2026-11-28", "25:00", "2026-13-01 10:00", "18", "\u{1b}[2J"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_list_fits_a_terminal() {
        let row = SilenceRow {
            id: 1_764_331_234,
            terms: vec!["team=db".to_owned(), "x".repeat(100)],
            from: Timestamp::from_secs(0),
            until: Timestamp::from_secs(7_200),
            comment: "\u{1b}[2Jupgrade".to_owned(),
        };
        let shown = silence_lines(&[row], Timestamp::from_secs(60), 80);
        assert!(shown.starts_with("  1764331234    1h59m left  team=db xxx"), "{shown}");
        assert!(shown.lines().all(|line| columns(line) <= 80), "{shown}");
        assert!(shown.ends_with("            \\x1b[2Jupgrade\n"), "{shown}");
    }
}
