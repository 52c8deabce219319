//! `tripline replay`: finished files through the rules, on the log's own time, by the very engine of the daemon.

mod decode;
mod drive;
mod inputs;
mod pager;
mod progress;
mod summary;

use std::io::{BufWriter, IsTerminal as _, StdoutLock, Write as _};
use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use super::load::{self, Lines, Wanted};
use super::{COULD_NOT, Color, Failure, quiet, render, talk};
use crate::engine::{Output, RuleCounts, Tell};
use crate::rule::Ruleset;
use crate::sink::stdout;
use crate::untrusted::Untrusted;

use drive::{Drive, Scene};
use progress::Progress;
use summary::{Facts, Summary};

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Rule file or glob of rule files; may be given several times
    #[arg(long, short, value_name = "FILE", required = true)]
    rules: Vec<PathBuf>,
    /// Year of the first stamp that names none [default: the nearest before the file was last written]
    #[arg(long, value_name = "YEAR")]
    year: Option<i16>,
    /// Zone of days, and of stamps that name none: `local`, `UTC` or an IANA name
    #[arg(long, value_name = "ZONE", default_value = "local")]
    tz: String,
    /// One JSON object per transition
    #[arg(long)]
    json: bool,
    /// One more JSON object at the end: how often each rule would have paged on which day
    #[arg(long, requires = "json")]
    summary: bool,
    /// No bar on the terminal, however long it takes
    #[arg(long)]
    no_progress: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// Log files or globs, also compressed (gzip, zstd), in any order; `-` reads stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<u8, Failure> {
    let tz = zone(&args.tz)?;
    let Some((ruleset, scene)) = load(args, &tz)? else { return Ok(COULD_NOT) };
    let inputs = inputs::open(&args.files)?;
    let summary = Summary::new(&ruleset, tz);
    let drive = Drive::new(vec![ruleset], inputs, &scene);
    let progress = Progress::new(!args.no_progress && std::io::stderr().is_terminal());
    timeline(args, drive, summary, progress)
}

/// The rules, and how the log is to be understood; `None` if the rules are wrong, which was said.
fn load(args: &ReplayArgs, tz: &TimeZone) -> Result<Option<(Ruleset, Scene)>, Failure> {
    let wanted = Wanted { config: None, rules: args.rules.clone(), lines: Lines::Unknown };
    let loaded = load::load(&wanted).map_err(Failure)?;
    if !loaded.diagnostics.is_empty() {
        talk(&render::text(&loaded.diagnostics, &loaded.texts, args.color.on(&std::io::stderr())));
    }
    let believed = loaded.believed.map(|(settings, ruleset)| {
        let scope = settings.scope.clone().unwrap_or_else(crate::daemon::scope::hostname);
        let max_line = settings.sources.first().map_or(64 * 1024, |source| source.max_line);
        (ruleset, Scene { tz: tz.clone(), year: args.year, scope, max_line })
    });
    Ok(believed)
}

/// Prints every transition as it is decided, and at the end what it comes to.
fn timeline(
    args: &ReplayArgs,
    mut drive: Drive,
    summary: Summary,
    mut progress: Progress,
) -> Result<u8, Failure> {
    let size = drive.size();
    let mut told = Told {
        out: BufWriter::new(std::io::stdout().lock()),
        json: args.json,
        color: args.color.on(&std::io::stdout()),
        // On a terminal both stand on the same lines.
        flush: progress.is_on() && std::io::stdout().is_terminal(),
        summary,
    };
    while drive.turn() {
        progress.show(|| drive.taken(), size);
        if !told.tell(drive.take(0), false, &mut progress)? {
            return Ok(0);
        }
    }
    let end = drive.end();
    if !told.tell(drive.take(0), false, &mut progress)? {
        return Ok(0);
    }
    // A line counts for each rule that it fits, in whatever way its window took it.
    let fitted = |counts: RuleCounts| counts.matches + counts.late + counts.overflow;
    told.summary.finish(Facts {
        span: drive.began().map(|began| (began, end)),
        files: drive.files(),
        bytes: drive.bytes(),
        matches: drive.engine(0).rule_counts().map(|(_, counts, _)| fitted(counts)).sum(),
        open: drive.engine(0).open_alerts().cloned().collect(),
        faults: drive.faults().to_vec(),
    });
    while drive.run_on(0) {
        if !told.tell(drive.take(0), true, &mut progress)? {
            return Ok(0);
        }
    }
    progress.hide();
    let Told { mut out, summary, .. } = told;
    if args.summary && !quiet(writeln!(out, "{}", summary.json()))? {
        return Ok(0);
    }
    if !quiet(out.flush())? {
        return Ok(0);
    }
    talk(&summary.text());
    Ok(complain(drive.faults()))
}

/// Says what could not be read to its end; the exit code of that.
fn complain(faults: &[String]) -> u8 {
    for fault in faults {
        talk(&format!("error: {}\n", Untrusted(fault)));
    }
    if faults.is_empty() { 0 } else { COULD_NOT }
}

/// Where transitions are printed and counted.
struct Told<'a> {
    out: BufWriter<StdoutLock<'a>>,
    json: bool,
    color: bool,
    flush: bool,
    summary: Summary,
}

impl Told<'_> {
    /// Prints what an engine decided; false if nobody reads any more. `later`: after the end of the log.
    fn tell(&mut self, output: Output, later: bool, progress: &mut Progress) -> Result<bool, Failure> {
        self.summary.count_matches(&output.matches);
        for emitted in &output.transitions {
            self.summary.count(emitted, later);
            // What is told again, or once nothing holds it back any more, stands above.
            if emitted.tell == Tell::IfOther {
                continue;
            }
            progress.hide();
            let transition = &emitted.transition;
            let line =
                if self.json { stdout::json(transition) } else { stdout::line(transition, self.color) };
            if !quiet(writeln!(self.out, "{line}"))? {
                return Ok(false);
            }
        }
        if self.flush && !output.transitions.is_empty() {
            return quiet(self.out.flush());
        }
        Ok(true)
    }
}

fn zone(name: &str) -> Result<TimeZone, Failure> {
    match name {
        "local" => Ok(TimeZone::system()),
        "UTC" => Ok(TimeZone::UTC),
        name => TimeZone::get(name).map_err(|_| {
            Failure(format!(
                "there is no time zone `{name}`: use `local`, `UTC` or a name like `Europe/Berlin`"
            ))
        }),
    }
}
