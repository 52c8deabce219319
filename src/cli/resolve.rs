//! `tripline resolve`: open alerts of the running tripline, ended by hand.

use clap::Args;

use super::ask::{AskArgs, unexpected};
use super::status::{alert_lines, plural};
use super::{Failure, NO, answer, json_line, talk};
use crate::admin::{Answer, Open, Question, Resolve};

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    /// A rule, or an alert key as `tripline status` shows it, whole or shortened
    #[arg(value_name = "KEY|RULE", required_unless_present_any = ["labels", "all"])]
    which: Option<String>,
    /// Only alerts with this label; may be given several times
    #[arg(long = "label", short, value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// All that fit, if there are several; by itself, every open alert
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    asked: AskArgs,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as `name=value`")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn resolve(args: &ResolveArgs) -> Result<u8, Failure> {
    let which = Resolve { which: args.which.clone(), labels: args.labels.clone(), all: args.all };
    let answered = args.asked.ask(&Question::Resolve(which))?;
    let (key, alerts, more) = match &answered {
        Answer::Resolved { alerts, more } => ("resolved", alerts, *more),
        Answer::Several { alerts, more } => ("several", alerts, *more),
        _ => return Err(unexpected("no list of alerts")),
    };
    if args.asked.json {
        answer(&json_line(&serde_json::json!({ key: alerts, "more": more })))?;
    }
    match answered {
        Answer::Resolved { alerts, .. } if alerts.is_empty() => {
            talk("no open alert fits: `tripline status` lists them\n");
            Ok(NO)
        }
        Answer::Resolved { alerts, more } => {
            if !args.asked.json {
                let count = plural(alerts.len() as u64 + more, "alert");
                answer(&format!("resolved {count}\n{}", listed(&alerts, more)))?;
            }
            Ok(0)
        }
        _ => {
            talk(&format!(
                "{} fit, and none was resolved: name one by its key or its labels, or say `--all`\n{}",
                plural(alerts.len() as u64 + more, "open alert"),
                listed(alerts, more)
            ));
            Ok(NO)
        }
    }
}

/// The alerts of an answer, and how many it does not list.
fn listed(alerts: &[Open], more: u64) -> String {
    let rest = if more > 0 { format!("  and {more} more\n") } else { String::new() };
    alert_lines(alerts, false) + &rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn what_is_not_listed_is_counted() {
        let alerts = [Open::from(&sample::transition())];
        let (whole, cut) = (listed(&alerts, 0), listed(&alerts, 2_345));
        assert_eq!(cut, whole.clone() + "  and 2345 more\n");
        assert!(whole.contains("ssh_bruteforce:"), "{whole}");
    }
}
