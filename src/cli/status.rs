//! `tripline status`: what the running tripline sees, in 80 columns or as many as the terminal has.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::ask::{AskArgs, unexpected};
use super::columns::{WIDTH, columns, fit, fit_end, padded, width, wrapped};
use super::silence::silence_lines;
use super::{Color, Failure, answer, json_line};
use crate::admin::{Answer, Open, Question, Report, Sink, Source};
use crate::model::Timestamp;
use crate::untrusted::Untrusted;

/// Lines of one problem, at most.
const MOST_LINES: usize = 6;
/// Columns of a path among 80.
const PATH: usize = 41;
/// Files of one source that are shown.
const WORST: usize = 3;
/// Digits of an alert key that are shown: enough to name one among a rule's.
const DIGITS: usize = 8;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    asked: AskArgs,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// To the upper left corner, and nothing behind what is there: what is written anew does not flicker.
const HOME: &str = "\x1b[H";
/// Clears to the end of the line, and below the last one.
const REST_OF_LINE: &str = "\x1b[K\n";
const REST: &str = "\x1b[J\x1b[?7h";
/// What does not fit is cut by the terminal; [`REST`] lets it break lines again.
const NO_WRAP: &str = "\x1b[?7l";

pub(super) fn status(args: &StatusArgs) -> Result<u8, Failure> {
    let color = args.color.on(&std::io::stdout());
    let steers = args.watch && !args.asked.json && std::io::stdout().is_terminal();
    loop {
        // It may be made wider while somebody watches.
        let width = width();
        let shown = match args.asked.ask(&Question::Status) {
            Ok(Answer::Status(report)) if args.asked.json => json_line(&report),
            Ok(Answer::Status(report)) => text(&report, width, color),
            Ok(_) => return Err(unexpected("no status")),
            // It may be started again while somebody watches.
            Err(Failure(why)) if steers => format!("{}\n", Untrusted(&why)),
            Err(failure) => return Err(failure),
        };
        let shown = if steers { format!("{HOME}{}{REST}", screen(&shown)) } else { shown };
        if !answer(&shown)? || !args.watch {
            return Ok(0);
        }
        std::thread::sleep(EVERY);
    }
}

/// As much of it as a terminal has rows, so that it does not scroll; longer lines are not broken.
fn screen(text: &str) -> String {
    let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_row));
    let rows = if rows > 1 { rows - 1 } else { usize::MAX };
    let lines: Vec<&str> = text.lines().collect();
    let more = lines.len().saturating_sub(rows);
    let shown = &lines[..lines.len() - if more > 0 { more + 1 } else { 0 }];
    let mut screen = String::from(NO_WRAP);
    for line in shown {
        screen.push_str(line);
        screen.push_str(REST_OF_LINE);
    }
    if more > 0 {
        let _ = write!(screen, "… {} more lines{REST_OF_LINE}", more + 1);
    }
    screen
}

/// The report for people, in so many columns.
fn text(report: &Report, width: usize, color: bool) -> String {
    let up = span(report.at.since(report.started).as_secs_f64());
    let rules = plural(report.rules, "rule");
    let head = format!("tripline {} on {}, {rules}, up {up}", report.version, report.scope);
    let mut text = format!("{}, process {}\n", fit(&head, width - 20), report.process);
    let mut problems = report.problems.clone();
    for source in &report.sources {
        problems.extend(source.problems.iter().map(|problem| format!("source {}: {problem}", source.name)));
    }
    for sink in &report.sinks {
        let failed = sink.suspended.as_ref().map(|why| format!("is suspended: {why}"));
        let failed = failed.or_else(|| sink.failure.as_ref().map(|why| format!("failed last: {why}")));
        problems.extend(failed.map(|failed| format!("sink {} {failed}", sink.name)));
        if sink.dead > 0 {
            problems.push(format!("sink {} refused {} for good", sink.name, plural(sink.dead, "delivery")));
        }
    }
    if !problems.is_empty() {
        let _ = writeln!(text, "\n{}", plural(problems.len() as u64, "problem"));
        for problem in &problems {
            let lines = wrapped(problem, width - 4, MOST_LINES);
            let _ = writeln!(text, "  {}", lines.join("\n    "));
        }
    }
    let open = report.alerts.len() as u64 + report.more_alerts;
    match open {
        0 => text.push_str("\nno open alert\n"),
        _ => {
            let _ = writeln!(text, "\n{}", plural(open, "open alert"));
            text.push_str(&lines(&report.alerts, Some(report.at), width, color));
        }
    }
    if report.more_alerts > 0 {
        let _ = writeln!(text, "  and {} more", report.more_alerts);
    }
    if !report.silences.is_empty() {
        let _ = writeln!(text, "\n{}", plural(report.silences.len() as u64, "silence"));
        text.push_str(&silence_lines(&report.silences, report.at, width));
    }
    if !report.sources.is_empty() {
        let worst = |source: &Source| source.worst.iter().take(WORST).map(|file| columns(&file.path)).max();
        let longest = report.sources.iter().filter_map(worst).max().unwrap_or(0);
        // As wide as its names, so that figures stand near them.
        let name = 28 + longest.saturating_sub(PATH).min(width - WIDTH);
        let _ = writeln!(
            text,
            "\n{:<name$}{:>8}{:>8}{:>13}{:>10}{:>13}",
            "source", "files", "behind", "unread", "lag", "lost"
        );
        report.sources.iter().for_each(|source| source_line(&mut text, source, name));
    }
    if !report.sinks.is_empty() {
        let _ = writeln!(text, "\n{:<32}{:>8}{:>10}  state", "sink", "queued", "oldest");
        report.sinks.iter().for_each(|sink| sink_line(&mut text, sink));
    }
    text
}

/// A line for a source, whose name has so many columns, and one for each of the files that are worst off.
fn source_line(text: &mut String, source: &Source, width: usize) {
    let name = padded(&fit(&source.name, width - 1), width);
    let lag = if source.behind_files == 0 { "-".to_owned() } else { span(source.lag_seconds) };
    let unread = bytes(source.unread_bytes);
    let lost = lost(source.lost_bytes);
    let (files, behind) = (source.files, source.behind_files);
    let _ = writeln!(text, "{name}{files:>8}{behind:>8}{unread:>13}{lag:>10}{lost:>13}");
    for file in source.worst.iter().take(WORST) {
        let lag = if file.unread_bytes == 0 { "-".to_owned() } else { span(file.lag_seconds) };
        let path = width - 28 + PATH;
        let (name, unread) = (padded(&fit_end(&file.path, path), path), bytes(file.unread_bytes));
        let lost = self::lost(file.lost_bytes);
        let _ = writeln!(text, "  {name} {unread:>13}{lag:>10}{lost:>13}");
    }
}

fn lost(n: u64) -> String {
    if n == 0 { "-".to_owned() } else { bytes(n) }
}

fn sink_line(text: &mut String, sink: &Sink) {
    let name = padded(&fit(&sink.name, 31), 32);
    let oldest = if sink.queued == 0 { "-".to_owned() } else { span(sink.oldest_seconds) };
    let state = match sink {
        Sink { waits: true, .. } => "waits, not configured",
        Sink { removed: true, .. } => "removed, told the rest",
        Sink { suspended: Some(_), .. } => "suspended",
        Sink { failure: Some(_), .. } => "failing, tried again",
        Sink { refused: 1.., .. } => "refusing",
        _ => "ok",
    };
    let _ = writeln!(text, "{name}{:>8}{oldest:>10}  {state}", sink.queued);
}

/// Two lines for each alert: severity, since when, key; what it says and why. A key is never cut, since it is copied.
pub(super) fn alert_lines(alerts: &[Open], color: bool) -> String {
    lines(alerts, None, WIDTH, color)
}

/// The same, and if they are open `now`, when they end.
fn lines(alerts: &[Open], now: Option<Timestamp>, width: usize, color: bool) -> String {
    let mut text = String::new();
    for alert in alerts {
        let style = match alert.status.as_str() {
            "critical" if color => AnsiColor::Red.on_default().bold(),
            "warning" if color => AnsiColor::Yellow.on_default().bold(),
            "info" if color => AnsiColor::Cyan.on_default().bold(),
            _ => Style::new(),
        };
        let key = short_key(&alert.alert_key);
        let (status, since) = (fit(&alert.status, 8), whole_seconds(&alert.since.to_string()));
        let head = format!("  {style}{status:<8}{style:#}  {since}");
        let _ = match width.saturating_sub(columns(&key)) {
            room if room >= 34 => writeln!(text, "{head}  {key}"),
            room => writeln!(text, "{head}\n{:1$}{key}", "", room.min(12)),
        };
        let mut why = why(alert);
        if let Some((ends, now)) = alert.ends.zip(now) {
            let _ = write!(why, "; ends in {} if quiet", span(ends.since(now).as_secs_f64()));
        }
        let room = (width - 15).saturating_sub(columns(&why)).max(20);
        let said = format!("{} ({why})", fit(&alert.summary, room));
        let _ = writeln!(text, "            {}", fit(&said, width - 12));
    }
    text
}

/// Why it is open, and why that is not told.
fn why(alert: &Open) -> String {
    let reason = if alert.orphan { "its rule is gone" } else { &alert.reason };
    if let Some(untold) = &alert.untold {
        return format!("{reason}; {untold}");
    }
    // A tripline that is older says less.
    match (alert.held, alert.silence) {
        (true, Some(id)) => format!("{reason}; silence {id}"),
        (true, None) => format!("{reason}; held back"),
        (false, _) => reason.to_owned(),
    }
}

/// A key as far as it takes to name it; `resolve` takes it like that.
fn short_key(key: &str) -> String {
    let (rule, digest) = key.split_once(':').unwrap_or((key, ""));
    format!("{}:{}", Untrusted(rule), Untrusted(digest.get(..DIGITS).unwrap_or(digest)))
}

pub(super) fn whole_seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

pub(super) fn plural(n: u64, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ => format!("{n} {noun}s"),
    }
}

/// Seconds in their two largest units.
pub(super) fn span(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", whole % 60),
        (0, _, _) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
fn bytes(n: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let Some(last) = (1..=units.len()).rfind(|unit| n >> (10 * unit) > 0) else { return format!("{n} B") };
    format!("{:.1} {}", n as f64 / (1_u64 << (10 * last)) as f64, units[last - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::WorstFile;
    use crate::cli::columns::MOST_WIDTH;

    fn alert(status: &str, summary: &str) -> Open {
        let since = Timestamp(1_449_738_790_123_000);
        Open {
            alert_key: format!("{}:{}", "ssh_bruteforce", "3f".repeat(16)),
            rule: "ssh_bruteforce".to_owned(),
            status: status.to_owned(),
            since,
            changed: since,
            reason: "level reached".to_owned(),
            value: Some(5.0),
            count: 5,
            labels: [("src_ip".to_owned(), "192.0.2.7".to_owned())].into(),
            summary: summary.to_owned(),
            description: String::new(),
            lines: Vec::new(),
            last_lines: Vec::new(),
            runbook: None,
            ends: None,
            held: false,
            silence: None,
            untold: None,
            orphan: false,
        }
    }

    fn report() -> Report {
        Report {
            version: "0.1.0".to_owned(),
            process: 4711,
            scope: "web-1".to_owned(),
            at: Timestamp::from_secs(1_449_738_790 + 11_530),
            started: Timestamp::from_secs(1_449_738_790),
            rules: 42,
            ..Report::default()
        }
    }

    #[test]
    fn a_quiet_machine_takes_a_few_lines() {
        let sources = vec![Source { name: "auth".to_owned(), files: 2, ..Source::default() }];
        let sinks = vec![Sink { name: "oncall".to_owned(), ..Sink::default() }];
        let shown = text(&Report { sources, sinks, ..report() }, WIDTH, false);
        let expected = "\
tripline 0.1.0 on web-1, 42 rules, up 3h12m, process 4711

no open alert

source                         files  behind       unread       lag         lost
auth                               2       0          0 B         -            -

sink                              queued    oldest  state
oncall                                 0         -  ok
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_open_and_what_is_wrong_is_said_first() {
        let sources = vec![Source {
            name: "auth".to_owned(),
            files: 2,
            behind_files: 1,
            unread_bytes: 5 << 20,
            lag_seconds: 75.0,
            lost_bytes: 2048,
            read_bytes: 0,
            bytes_per_second: 0.0,
            last_read: None,
            worst: vec![WorstFile {
                path: "/var/log/a/very/deep/directory/of/files/secure.log".to_owned(),
                unread_bytes: 5 << 20,
                lag_seconds: 75.0,
                lost_bytes: 2048,
            }],
            problems: vec!["`/var/log/secure`: permission denied".to_owned()],
        }];
        let sinks = vec![Sink {
            name: "oncall".to_owned(),
            queued: 3,
            oldest_seconds: 90_000.0,
            suspended: Some("the key is wrong".to_owned()),
            dead: 2,
            ..Sink::default()
        }];
        let alerts = vec![alert("critical", "5 failed logins from 192.0.2.7 in 10m")];
        let shown = text(&Report { alerts, more_alerts: 7, sources, sinks, ..report() }, WIDTH, false);
        let expected = "\
tripline 0.1.0 on web-1, 42 rules, up 3h12m, process 4711

3 problems
  source auth: `/var/log/secure`: permission denied
  sink oncall is suspended: the key is wrong
  sink oncall refused 2 deliveries for good

8 open alerts
  critical  2015-12-10T09:13:10Z  ssh_bruteforce:3f3f3f3f
            5 failed logins from 192.0.2.7 in 10m (level reached)
  and 7 more

source                         files  behind       unread       lag         lost
auth                               2       1      5.0 MiB     1m15s      2.0 KiB
  …/very/deep/directory/of/files/secure.log       5.0 MiB     1m15s      2.0 KiB

sink                              queued    oldest  state
oncall                                 3     1d01h  suspended
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_alert_says_when_it_ends() {
        let ends = Some(report().at.plus(Duration::from_secs(1790)));
        let alerts = vec![Open { ends, ..alert("warning", "5 failed logins") }];
        let shown = text(&Report { alerts, ..report() }, WIDTH, false);
        let line = "            5 failed logins (level reached; ends in 29m50s if quiet)\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn what_is_not_told_says_why_and_a_key_is_whole() {
        let long = format!("{}:{}", "r".repeat(64), "3f".repeat(16));
        let alerts = vec![
            Open { held: true, silence: Some(7), alert_key: long, ..alert("warning", &"word ".repeat(40)) },
            Open { held: true, ..alert("info", "short") },
            Open { silence: Some(7), ..alert("info", "told before") },
            Open { held: true, untold: Some("unless db_down".to_owned()), ..alert("info", "second") },
        ];
        let silences = vec![crate::admin::SilenceRow {
            id: 7,
            terms: vec!["team=db".to_owned(), "severity<=warning".to_owned()],
            from: report().started,
            until: report().at,
            comment: "upgrade".to_owned(),
        }];
        let shown = text(&Report { alerts, silences, ..report() }, WIDTH, false);
        for line in [
            &format!("  warning   2015-12-10T09:13:10Z\n       {}:3f3f3f3f\n", "r".repeat(64)),
            "… (level reached; silence 7)\n",
            "            short (level reached; held back)\n",
            "            told before (level reached)\n",
            "            second (level reached; unless db_down)\n",
            "\n1 silence\n  7       0s left  team=db severity<=warning\n            upgrade\n",
        ] {
            assert!(shown.contains(line), "{line}\n{shown}");
        }
    }

    #[test]
    fn no_line_is_longer_than_a_terminal_and_nothing_steers_it() {
        let long = "\u{1b}[2J".to_owned() + &"é日\n".repeat(300);
        let problems = vec![long.clone()];
        let worst = vec![WorstFile { path: long.clone(), lost_bytes: 1 << 50, ..WorstFile::default() }];
        let (name, problems_of) = (long.clone(), vec![long.clone()]);
        let sources = vec![Source { name, problems: problems_of, worst, ..Source::default() }];
        let sinks =
            vec![Sink { name: long.clone(), failure: Some(long.clone()), dead: u64::MAX, ..Sink::default() }];
        let alerts = vec![alert("warning", &long)];
        let report = Report { alerts, problems, sources, sinks, scope: long.clone(), ..report() };
        for width in [WIDTH, 81, 119, MOST_WIDTH] {
            let shown = text(&report, width, false);
            let longest = shown.lines().map(columns).max();
            assert_eq!(longest, Some(width), "what is there to be told takes all of it");
            assert!(!shown.lines().any(|line| line.chars().any(char::is_control)), "{shown:?}");
        }
    }

    #[test]
    fn spans_and_sizes_are_short() {
        for (seconds, shown) in
            [(0.4, "0s"), (59.9, "59s"), (61.0, "1m01s"), (7_199.0, "1h59m"), (-1.0, "0s"), (1e300, "0s")]
        {
            assert_eq!(span(seconds), shown);
        }
        for (n, shown) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (u64::MAX, "16777216.0 TiB")] {
            assert_eq!(bytes(n), shown);
        }
    }
}
