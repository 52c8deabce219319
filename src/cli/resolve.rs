//! `tripline resolve`: open alerts of the running tripline, ended by hand.

use clap::Args;

use super::ask::{AskArgs, unexpected};
use super::status::alert_lines;
use super::{Failure, NO, answer, json_line, talk};
use crate::admin::{Answer, Question, Resolve};

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    /// A rule, or an alert key as `tripline status` shows it, whole or shortened
    #[arg(value_name = "KEY|RULE", required_unless_present_any = ["labels", "all"])]
    which: Option<String>,
    /// Only alerts with this label; may be given several times
    #[arg(long = "label", short, value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// All that fit, if there are several
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
    if args.asked.json {
        answer(&json_line(&answered))?;
    }
    match answered {
        Answer::Resolved(alerts) if alerts.is_empty() => {
            talk("no open alert fits: `tripline status` lists them\n");
            Ok(NO)
        }
        Answer::Resolved(alerts) => {
            if !args.asked.json {
                let noun = if alerts.len() == 1 { "alert" } else { "alerts" };
                answer(&format!("resolved {} {noun}\n{}", alerts.len(), alert_lines(&alerts, false)))?;
            }
            Ok(0)
        }
        Answer::Several(alerts) => {
            talk(&format!(
                "{} open alerts fit, and none was resolved: name one by its key or its labels, or say `--all`\n{}",
                alerts.len(),
                alert_lines(&alerts, false)
            ));
            Ok(NO)
        }
        _ => Err(unexpected("no list of alerts")),
    }
}
