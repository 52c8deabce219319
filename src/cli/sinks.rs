//! `tripline sinks`: how the sinks of the running tripline fare, and a trial of one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio::sync::mpsc;

use super::ask::{AskArgs, unexpected};
use super::columns::{ALL_LINES, fit, width, wrapped};
use super::status::span;
use super::{Failure, NO, answer, json_line, load, talk};
use crate::admin::outbox::SinkDetail;
use crate::admin::{Answer, Question};
use crate::daemon::clock::wall;
use crate::daemon::deliver::{Courier, Terms};
use crate::daemon::scope;
use crate::model::{
    AlertKey, ChangeReport, ChangeStatus, Content, Delivery, DeliveryKind, FileId, Labels, Position, Reason,
    RuleName, Status, Timestamp, Transition,
};
use crate::settings::{Settings, Sink};
use crate::sink::attempt::{Attempt, Before, Outcome, Purpose};

/// The rule that test alerts come from; nobody can write one of that name.
const RULE: &str = "tripline_test";

#[derive(Debug, Args)]
pub(super) struct SinksArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: AskArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Show how sinks fare: queue, state, last answer
    List(AskArgs),
    /// Send an alert that is marked as a test and resolve it, and a change and its end where the sink takes changes; a
    /// status page is only looked at. No tripline has to run
    Test(TestArgs),
}

#[derive(Debug, Args)]
struct TestArgs {
    /// The sink, as the configuration names it, or one of its queues, as `tripline sinks` does
    #[arg(value_name = "NAME")]
    sink: String,
    /// Configuration file [default: ./tripline.toml, else /etc/tripline/tripline.toml]
    #[arg(long, short, env = "TRIPLINE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn sinks(args: &SinksArgs) -> Result<u8, Failure> {
    match &args.what {
        None => list(&args.list),
        Some(What::List(args)) => list(args),
        Some(What::Test(args)) => test(args),
    }
}

fn list(args: &AskArgs) -> Result<u8, Failure> {
    let Answer::Sinks(sinks) = args.ask(&Question::Sinks)? else { return Err(unexpected("no sinks")) };
    if args.json {
        answer(&json_line(&serde_json::json!({ "sinks": sinks })))?;
    } else {
        let width = std::io::stdout().is_terminal().then(width);
        answer(&sinks.iter().map(|sink| text(sink, width)).collect::<String>())?;
    }
    Ok(0)
}

/// A few lines for each sink. What a peer says is broken into lines of that width, and never cut.
fn text(detail: &SinkDetail, width: Option<usize>) -> String {
    let sink = &detail.sink;
    let kind = if detail.kind.is_empty() { "removed" } else { &detail.kind };
    let state = match (&sink.suspended, detail.failing_seconds) {
        _ if sink.waits => "waits, not configured".to_owned(),
        (Some(_), _) => "suspended".to_owned(),
        (None, Some(seconds)) => format!("failing for {}", span(seconds)),
        (None, None) if sink.refused > 0 => format!("refusing, {} in a row", sink.refused),
        (None, None) => "ok".to_owned(),
    };
    let said = |words: &str| {
        let width = width.map_or(usize::MAX, |width| width - 14);
        wrapped(words, width, ALL_LINES).join("\n              ")
    };
    let mut text = format!("{}  ({kind})  {state}\n", fit(&sink.name, 40));
    let oldest =
        if sink.queued == 0 { String::new() } else { format!(", the oldest {}", span(sink.oldest_seconds)) };
    let _ = writeln!(text, "    owed      {}{oldest}, {} under way", sink.queued, detail.in_flight);
    let SinkDetail { accepted, retried, suspends, coalesced, folded, expired, late, letters, .. } = detail;
    let _ = writeln!(text, "    accepted  {accepted}; put off {retried}, suspended {suspends} times");
    let _ = writeln!(
        text,
        "    left out  {coalesced} needless, {folded} folded, {expired} expired, {late} late; dead letters {letters}"
    );
    if let Some(why) = sink.suspended.as_ref().or(sink.failure.as_ref()).or(sink.refusal.as_ref()) {
        let _ = writeln!(text, "    because   {}", said(why));
    }
    if let Some(seconds) = detail.next_seconds.filter(|seconds| *seconds > 0.0 && !sink.waits) {
        let _ = writeln!(text, "    next      in {}", span(seconds));
    }
    if let Some(seconds) = detail.accepted_seconds {
        let note = detail.accepted_note.as_deref().unwrap_or("");
        let last = format!("{} ago  {note}", span(seconds));
        let _ = writeln!(text, "    last      {}", said(last.trim_end()));
    }
    text
}

/// Sends what is marked as a test, and its end. What stands in the state of a running tripline is not touched.
fn test(args: &TestArgs) -> Result<u8, Failure> {
    let way = "name another with `--config`";
    let settings = load::settings(args.config.as_deref(), way).map_err(Failure)?;
    let names = |sink: &Sink| [&sink.of, &sink.name].map(|name| name.as_str().to_owned());
    let mine: Vec<Sink> =
        settings.sinks.iter().filter(|sink| names(sink).contains(&args.sink)).cloned().collect();
    if mine.is_empty() {
        let mut names: Vec<String> = settings.sinks.iter().flat_map(names).collect();
        // Queues of one sink need not stand side by side with its name.
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let name = crate::untrusted::Untrusted(&args.sink);
        return Err(Failure(format!("there is no sink named `{name}`: the sinks are {}", names.join(", "))));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (to, mut done) = mpsc::unbounded_channel();
    let terms = Terms::new(Arc::new(wall));
    let mut courier = Courier::new(runtime.handle().clone(), terms, Arc::new(move |one| drop(to.send(one))));
    courier.reads(&settings.sources);
    courier.attach(&mine)?;
    let now = wall();
    let mut well = true;
    for sink in &mine {
        for (words, content) in contents(sink, &settings, now) {
            let delivery = Delivery { seq: 0, sink: sink.name.clone(), content, attempted: true };
            let attempt = Attempt {
                id: 1,
                sink: sink.name.clone(),
                deliveries: vec![delivery],
                number: 1,
                shrink: false,
                purpose: Purpose::Owed,
                before: Before::default(),
            };
            courier.send(attempt);
            let outcome = runtime.block_on(done.recv()).and_then(|done| done.outcomes.into_iter().next());
            let (good, said) = told(outcome);
            well &= good;
            let line = format!("{}: {words} {said}", sink.name);
            let line = format!("{}\n", crate::untrusted::Untrusted(line.trim_end()));
            if good { answer(&line).map(drop)? } else { talk(&line) }
        }
    }
    Ok(if well { 0 } else { NO })
}

/// Whether it is there, and what the peer said.
fn told(outcome: Option<Outcome>) -> (bool, String) {
    match outcome {
        Some(Outcome::Accepted { note }) => (true, format!("accepted  {note}")),
        Some(Outcome::Retry { why, .. }) => {
            (false, format!("not accepted now, it would be tried again: {why}"))
        }
        Some(Outcome::Suspend { why }) => (false, format!("refused, and the sink would be suspended: {why}")),
        Some(Outcome::Shrink { why } | Outcome::Alone { why } | Outcome::Dead { why }) => {
            (false, format!("refused for good: {why}"))
        }
        None => (false, "not answered".to_owned()),
    }
}

/// What a test says to a sink, each in a word.
fn contents(sink: &Sink, settings: &Settings, now: Timestamp) -> Vec<(&'static str, Content)> {
    let scope = scope::scope(settings, scope::on_stop(settings));
    let mut labels: Labels = settings.labels.iter().cloned().collect();
    labels.insert("instance".into(), scope.clone());
    labels.insert("test".into(), "true".to_owned());
    let rule = RuleName::new(RULE);
    let at = Position { file: FileId::OWN, offset: now.0.unsigned_abs() };
    // Each test is an alert of its own: it is over at once, and one before it may still be on its way.
    let hash = crate::engine::digest(RULE, &scope, [("at", now.to_string().as_bytes())].into_iter());
    let mut contents = Vec::new();
    if sink.peer.takes_alerts() {
        let key = AlertKey { rule: rule.clone(), hash };
        let raise = Transition {
            labels: labels.clone(),
            summary: format!("test from tripline on {scope}: nothing is wrong"),
            description: "somebody tries whether alerts arrive; this one is resolved at once".to_owned(),
            ..Transition::bare(key, Status::Warning, at, now)
        };
        if sink.peer.is_chosen() {
            // The public reads what is said there: it is only asked whether the page is as it should be.
            return vec![("look", Content::Alert(DeliveryKind::Beat, raise))];
        }
        let over = Transition {
            status: Status::Ok,
            previous: Status::Warning,
            reason: Reason::ByHand,
            step: 1,
            ..raise.clone()
        };
        contents.push(("raise", Content::Alert(DeliveryKind::Raise, raise)));
        contents.push(("resolve", Content::Alert(DeliveryKind::Resolve, over)));
    }
    if sink.peer.takes_changes() {
        for (words, status) in [("change", ChangeStatus::Processing), ("its end", ChangeStatus::Done)] {
            let change_key = format!("tripline-test-{now}");
            let report = ChangeReport {
                hash,
                labels: labels.clone(),
                summary: format!("test from tripline on {scope}: nothing has changed"),
                description: "somebody tries whether changes arrive".to_owned(),
                ..ChangeReport::bare(rule.clone(), change_key, status, at, now)
            };
            contents.push((words, Content::Change(report)));
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(detail: &SinkDetail, width: Option<usize>, state: &str, because: &[&str]) {
        let text = text(detail, width);
        assert!(text.starts_with(&format!("oncall  (webhook)  {state}\n")), "{text}");
        let lines = text.lines().skip_while(|line| !line.starts_with("    because"));
        let said: Vec<&str> = lines
            .take_while(|line| !line.starts_with("    last"))
            .map(|line| line[14..].trim_end())
            .collect();
        assert_eq!(said, because, "{text}");
    }

    #[test]
    fn a_state_has_its_word_and_its_reason_whole() {
        let of = |sink: crate::admin::Sink| SinkDetail {
            sink: crate::admin::Sink { name: "oncall".to_owned(), ..sink },
            kind: "webhook".to_owned(),
            ..SinkDetail::default()
        };
        let sink = crate::admin::Sink::default;
        let some = |text: &str| Some(text.to_owned());
        check(&of(sink()), None, "ok", &[]);
        let (first, second) = ("x".repeat(66), "is wrong; write another");
        let long = some(&format!("{first} {second}"));
        let suspended = of(crate::admin::Sink { suspended: long.clone(), ..sink() });
        check(&suspended, None, "suspended", &[&format!("{first} {second}")]);
        check(&suspended, Some(80), "suspended", &[&first, second]);
        let refusing = of(crate::admin::Sink { refused: 3, refusal: some("400 no such field"), ..sink() });
        check(&refusing, Some(80), "refusing, 3 in a row", &["400 no such field"]);
        let failing = SinkDetail { failing_seconds: Some(61.0), ..refusing };
        check(&failing, Some(80), "failing for 1m01s", &["400 no such field"]);
        let hostile = of(crate::admin::Sink { failure: some("a\u{1b}[31m\nb"), ..sink() });
        let shown = text(&hostile, None);
        assert!(!shown.contains('\u{1b}') && shown.contains("because   a"), "{shown}");
    }
}
