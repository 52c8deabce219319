//! `tripline outbox`: what is owed to sinks, and what was given up.

use std::fmt::Write as _;

use clap::{Args, Subcommand};

use super::ask::{AskArgs, unexpected};
use super::columns::{ALL_LINES, WIDTH, fit, wrapped};
use super::status::{plural, whole_seconds};
use super::{Failure, NO, answer, json_line, talk};
use crate::admin::outbox::{Gone, Letters, Outbox, Owed, Which};
use crate::admin::{Answer, Question};

#[derive(Debug, Args)]
pub(super) struct OutboxArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: AskArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show what is owed and what was given up (the dead letters)
    List(AskArgs),
    /// Owe dead letters again, as far as what they say is still true
    Retry(LettersArgs),
    /// Forget dead letters; with the `--sink` of one that is not configured any more, also what it is owed
    Drop(LettersArgs),
}

#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = true, args = ["numbers", "sink", "all"])]
struct LettersArgs {
    /// Numbers as `tripline outbox` shows them
    #[arg(value_name = "NUMBER")]
    numbers: Vec<u64>,
    /// All of this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// All of them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    asked: AskArgs,
}

pub(super) fn outbox(args: &OutboxArgs) -> Result<u8, Failure> {
    match &args.what {
        None => list(&args.list),
        Some(What::List(args)) => list(args),
        Some(What::Retry(args)) => letters(args, Question::Retry, "owed again"),
        Some(What::Drop(args)) => letters(args, Question::Drop, "dropped"),
    }
}

fn list(args: &AskArgs) -> Result<u8, Failure> {
    let Answer::Outbox(outbox) = args.ask(&Question::Outbox)? else { return Err(unexpected("no outbox")) };
    answer(&if args.json { json_line(&outbox) } else { text(&outbox) })?;
    Ok(0)
}

fn letters(args: &LettersArgs, ask: impl Fn(Which) -> Question, done: &str) -> Result<u8, Failure> {
    let which = Which { numbers: args.numbers.clone(), sink: args.sink.clone(), all: args.all };
    let Answer::Letters(letters) = args.asked.ask(&ask(which))? else { return Err(unexpected("no letters")) };
    if args.asked.json {
        answer(&json_line(&letters))?;
    }
    let Letters { done: numbers, refused, gone } = letters;
    if let (Some(gone), Some(sink), false) = (&gone, &args.sink, args.asked.json) {
        answer(&gone_text(gone, sink))?;
    }
    if !args.asked.json && !numbers.is_empty() {
        let list: Vec<String> = numbers.iter().map(u64::to_string).collect();
        answer(&format!("{done}: {}\n", list.join(", ")))?;
    }
    for (number, why) in &refused {
        talk(&format!("{number}: {why}\n"));
    }
    if numbers.is_empty() && refused.is_empty() && gone.is_none() {
        talk("no dead letter fits: `tripline outbox` lists them\n");
    }
    Ok(if numbers.is_empty() && gone.is_none() { NO } else { 0 })
}

/// What was dropped with a sink, row by row.
fn gone_text(gone: &Gone, sink: &str) -> String {
    let Gone { owed, more_owed, open } = gone;
    let sink = crate::untrusted::Untrusted(sink);
    let owed_all = plural(owed.len() as u64 + more_owed, "delivery");
    let mut text = format!("dropped: {owed_all} owed to {sink}, which is not configured any more\n");
    owed.iter().for_each(|row| row_lines(&mut text, row, if row.attempted { "tried" } else { "" }));
    if *more_owed > 0 {
        let _ = writeln!(text, "  and {more_owed} more");
    }
    if *open > 0 {
        let _ = writeln!(text, "it is not told the end of {}", plural(*open, "alert"));
    }
    text
}

/// Two lines for each row: what it is, and what it says.
fn text(outbox: &Outbox) -> String {
    let mut text = String::new();
    let owed = outbox.owed.len() as u64 + outbox.more_owed;
    let dead = outbox.dead.len() as u64 + outbox.more_dead;
    match owed {
        0 => text.push_str("nothing is owed\n"),
        _ => {
            let _ = writeln!(text, "owed: {}", plural(owed, "delivery"));
        }
    }
    for row in &outbox.owed {
        row_lines(&mut text, row, if row.attempted { "tried" } else { "" });
    }
    if outbox.more_owed > 0 {
        let _ = writeln!(text, "  and {} more", outbox.more_owed);
    }
    match dead {
        0 => text.push_str("no dead letter\n"),
        _ => {
            let _ = writeln!(text, "\ngiven up: {}", plural(dead, "dead letter"));
        }
    }
    for letter in &outbox.dead {
        row_lines(&mut text, &letter.owed, &whole_seconds(&letter.at.to_string()));
        let why = wrapped(&format!("because {}", letter.why), WIDTH - 12, ALL_LINES);
        let _ = writeln!(text, "            {}", why.join("\n            "));
    }
    if outbox.more_dead > 0 {
        let _ = writeln!(text, "  and {} more", outbox.more_dead);
    }
    text
}

fn row_lines(text: &mut String, row: &Owed, note: &str) {
    let head =
        format!("{:<8}  to {}  {}  {note}", row.number, row.sink, whole_seconds(&row.time.to_string()));
    let _ = writeln!(text, "  {}", fit(head.trim_end(), WIDTH - 2));
    // A key is never cut, since it is copied; it holds no log text.
    let _ = writeln!(text, "            {} {}", row.status, crate::untrusted::Untrusted(&row.about));
    let _ = writeln!(text, "            {}", fit(&row.summary, WIDTH - 12));
}
