//! `tripline replay`: finished files through the rules, on the log's own time, by the very engine of the daemon.

mod compare;
mod drive;
mod html;
mod inputs;
mod pager;
mod progress;
mod summary;

use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, StdoutLock, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;

use super::load::{self, Lines, Wanted};
use super::{Around, COULD_NOT, Color, Failure, Joined, LineFormat, NO, answer, quiet, render, talk};
use crate::config::own::OWN_PREFIX;
use crate::engine::{Output, RuleCounts, Tell};
use crate::model::{ChangeReport, DeliveryKind, RuleName};
use crate::rule::{Multiline, Ruleset};
use crate::sink::stdout;
use crate::untrusted::Untrusted;

use compare::{Comparison, Heard};
use drive::{Drive, Scene};
use html::Story;
use inputs::Input;
use pager::Pager;
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
    /// What lines are made of
    #[arg(long, value_enum, default_value_t)]
    format: LineFormat,
    /// How lines are joined to records [default: each is one]
    #[arg(long, value_enum, value_name = "PRESET")]
    multiline: Option<Joined>,
    /// What a container runtime has written around lines [default: whatever they stand in, for files in the places of
    /// containers and those that begin with it]
    #[arg(long, value_enum, value_name = "RUNTIME")]
    envelope: Option<Around>,
    /// One JSON object per transition
    #[arg(long)]
    json: bool,
    /// One more JSON object at the end: how often each rule would have paged on which day
    #[arg(long, requires = "json")]
    summary: bool,
    /// Write a page that shows it all, one file that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Compare with these rules instead: say what only one of the two sets would have told a sink, and what differs;
    /// exit 1 if anything does. May be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "summary")]
    against: Vec<PathBuf>,
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
    let (Some(ruleset), scene) = load(args, &args.rules, &tz)? else { return Ok(COULD_NOT) };
    let inputs = inputs::open(&args.files)?;
    let progress = || Progress::new(!args.no_progress && std::io::stderr().is_terminal());
    if !args.against.is_empty() {
        let (Some(against), _) = load(args, &args.against, &tz)? else { return Ok(COULD_NOT) };
        let page = args.html.as_deref().map(|path| Page::new(path, &inputs)).transpose()?;
        return compare(args, Drive::new(vec![ruleset, against], inputs, &scene), page, &tz, progress());
    }
    let page = args.html.as_deref().map(|path| Page::new(path, &inputs)).transpose()?;
    let page = page.map(|page| (page, Story::default()));
    let summary = Summary::new(&ruleset, tz);
    timeline(args, Drive::new(vec![ruleset], inputs, &scene), summary, page, progress())
}

/// Rules, `None` if they are wrong, which was said; and how the log is to be understood.
fn load(args: &ReplayArgs, rules: &[PathBuf], tz: &TimeZone) -> Result<(Option<Ruleset>, Scene), Failure> {
    let wanted = Wanted {
        config: None,
        rules: rules.to_vec(),
        lines: Lines::Unknown,
        format: args.format.into(),
        multiline: None,
        envelope: None,
    };
    let loaded = load::load(&wanted).map_err(Failure)?;
    if !loaded.diagnostics.is_empty() {
        talk(&render::text(&loaded.diagnostics, &loaded.texts, args.color.on(&std::io::stderr())));
    }
    let (settings, ruleset) = loaded.believed.unzip();
    let scope = settings.as_ref().and_then(|settings| settings.scope.clone());
    let source = settings.as_ref().and_then(|settings| settings.sources.first());
    let scene = Scene {
        tz: tz.clone(),
        year: args.year,
        scope: scope.unwrap_or_else(crate::daemon::scope::hostname),
        max_line: source.map_or(64 * 1024, |source| source.max_line),
        format: args.format.into(),
        multiline: args.multiline.map(Multiline::from),
        envelope: args.envelope.map(Option::from),
    };
    Ok((ruleset, scene))
}

/// The page that is to be written.
struct Page {
    path: PathBuf,
    file: File,
}

impl Page {
    /// Makes sure at once that it can be written, and that it is none of the logs.
    fn new(path: &Path, inputs: &[Input]) -> Result<Page, Failure> {
        let can_not = |error| Failure(format!("can not write `{}`: {error}", path.display()));
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(can_not)?;
        let meta = file.metadata().map_err(can_not)?;
        if inputs.iter().any(|input| input.place == (meta.dev(), meta.ino())) {
            let text = format!("`{}` is one of the logs: name another file for the page", path.display());
            return Err(Failure(text));
        }
        Ok(Page { path: path.to_owned(), file })
    }

    fn write(mut self, html: &str) -> Result<(), Failure> {
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(html.as_bytes()));
        written.map_err(|error| Failure(format!("can not write `{}`: {error}", self.path.display())))
    }
}

/// Says what two sets of rules would have told a sink differently.
fn compare(
    args: &ReplayArgs,
    mut drive: Drive,
    page: Option<Page>,
    tz: &TimeZone,
    mut progress: Progress,
) -> Result<u8, Failure> {
    let size = drive.size();
    let mut heard = [Heard::default(), Heard::default()];
    let mut pagers = [Pager::new(), Pager::new()];
    let mut hear = |side: usize, output: Output| {
        let deliveries = output.transitions.iter().filter_map(|emitted| pagers[side].tell(emitted));
        deliveries.for_each(|(kind, transition)| heard[side].episodes.tell(kind, &transition));
        output.changes.iter().for_each(|reported| heard[side].changes.tell(&reported.report));
    };
    while drive.turn() {
        progress.show(|| drive.taken(), size);
        (0..2).for_each(|side| hear(side, drive.take(side)));
    }
    drive.end();
    for side in 0..2 {
        hear(side, drive.take(side));
        while drive.run_on(side) {
            hear(side, drive.take(side));
        }
    }
    progress.hide();
    let found = Comparison::new(&heard[0], &heard[1]);
    if let Some(page) = page {
        page.write(&html::difference_page(&found, drive.faults(), tz))?;
    }
    let text = if args.json { found.json() } else { found.text() };
    if !answer(&text)? {
        return Ok(0);
    }
    talk(&found.headline());
    match complain(drive.faults()) {
        0 if found.is_equal() => Ok(0),
        0 => Ok(NO),
        could_not => Ok(could_not),
    }
}

/// Prints every transition and every change as it is decided, and at the end what it comes to.
fn timeline(
    args: &ReplayArgs,
    mut drive: Drive,
    summary: Summary,
    page: Option<(Page, Story)>,
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
        page,
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
    let is_own = |name: &RuleName| name.as_str().starts_with(OWN_PREFIX);
    let counts = drive.engine(0).rule_counts();
    told.summary.finish(Facts {
        span: drive.began().map(|began| (began, end)),
        files: drive.files(),
        bytes: drive.bytes(),
        matches: counts.filter(|(name, ..)| !is_own(name)).map(|(_, counts, _)| fitted(counts)).sum(),
        open: drive.engine(0).open_alerts().cloned().collect(),
        faults: drive.faults().to_vec(),
    });
    while drive.run_on(0) {
        if !told.tell(drive.take(0), true, &mut progress)? {
            return Ok(0);
        }
    }
    progress.hide();
    let Told { mut out, summary, page, .. } = told;
    if let Some((page, story)) = page {
        page.write(&html::page(story, &summary))?;
    }
    if args.summary && !quiet(write!(out, "{}", summary.json()))? {
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
    page: Option<(Page, Story)>,
}

impl Told<'_> {
    /// Prints what an engine decided; false if nobody reads any more. `later`: after the end of the log.
    fn tell(&mut self, output: Output, later: bool, progress: &mut Progress) -> Result<bool, Failure> {
        self.summary.count_matches(&output.matches);
        if let Some((_, story)) = &mut self.page {
            story.count_matches(&output.matches);
        }
        let mut changes = output.changes.iter().map(|reported| &reported.report).peekable();
        self.summary.changes += output.changes.len() as u64;
        for emitted in &output.transitions {
            let upto = emitted.transition.time;
            while let Some(report) = changes.next_if(|report| report.seen <= upto) {
                if !self.tell_change(report, progress)? {
                    return Ok(false);
                }
            }
            let told = self.summary.count(emitted, later);
            if let Some((_, story)) = &mut self.page {
                story.tell(emitted, told == Some(DeliveryKind::Raise), later);
            }
            // What is told again, or once nothing holds it back any more, stands above.
            if emitted.tell == Tell::IfOther {
                continue;
            }
            progress.hide();
            let transition = &emitted.transition;
            let mut line =
                if self.json { stdout::json(transition) } else { stdout::line(transition, self.color) };
            // What only stands here is not to be taken for a page.
            if told.is_none() && !self.json {
                line += "  (not told)";
            }
            if !quiet(writeln!(self.out, "{line}"))? {
                return Ok(false);
            }
        }
        for report in changes {
            if !self.tell_change(report, progress)? {
                return Ok(false);
            }
        }
        if self.flush && !(output.transitions.is_empty() && output.changes.is_empty()) {
            return quiet(self.out.flush());
        }
        Ok(true)
    }

    fn tell_change(&mut self, report: &ChangeReport, progress: &mut Progress) -> Result<bool, Failure> {
        progress.hide();
        if let Some((_, story)) = &mut self.page {
            story.tell_change(report);
        }
        let line =
            if self.json { stdout::change_json(report) } else { stdout::change_line(report, self.color) };
        quiet(writeln!(self.out, "{line}"))
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
