//! `tripline health`: whether the running tripline is ready, in one line, for who looks again and again.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use clap::Args;

use super::ask::{AskArgs, unexpected};
use super::{Failure, NO, answer, duration, json_line};
use crate::admin::{Answer, Health, Question};
use crate::model::duration_text;
use crate::untrusted::Untrusted;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    asked: AskArgs,
    /// Who has not answered by then is not ready
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: Duration,
}

/// Whatever keeps it from an answer is the answer no: a supervisor tells "could not" apart from nothing.
pub(super) fn health(args: &HealthArgs) -> Result<u8, Failure> {
    let found = ask(&args.asked, args.timeout).unwrap_or_else(|Failure(why)| Health {
        ready: false,
        // Whoever reads one line has no use for the hint below it.
        why: why.lines().next().map(str::to_owned),
    });
    let shown = if args.asked.json { json_line(&found) } else { text(&found) };
    answer(&shown)?;
    Ok(if found.ready { 0 } else { NO })
}

/// Asks on a thread of its own: connecting waits as long as the queue of a process that hangs is full, and a
/// configuration may lie on a file system that hangs. No timeout of a single call bounds both.
fn ask(asked: &AskArgs, timeout: Duration) -> Result<Health, Failure> {
    let (tell, told) = channel();
    let asked = asked.clone();
    std::thread::Builder::new().name("ask".to_owned()).spawn(move || {
        // Nobody waits any more if it took too long.
        let _ = tell.send(asked.ask(&Question::Health));
    })?;
    match told.recv_timeout(timeout) {
        Ok(Ok(Answer::Health(health))) => Ok(health),
        Ok(Ok(_)) => Err(unexpected("no health")),
        Ok(Err(failure)) => Err(failure),
        Err(RecvTimeoutError::Timeout) => {
            Err(Failure(format!("tripline does not answer within {}", duration_text(timeout))))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Failure("the question was not asked".to_owned())),
    }
}

fn text(health: &Health) -> String {
    match &health.why {
        _ if health.ready => "ready\n".to_owned(),
        Some(why) => format!("not ready: {}\n", Untrusted(why)),
        None => "not ready\n".to_owned(),
    }
}
