//! `tripline replay`: finished files through the rules, on the log's own time.
//!
//! The very engine of the daemon. All files are behind until they are read to their end, so what they lead to is
//! in the order of their records; then the clock runs until no timer is left.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;

use super::load::{self, Lines, Wanted};
use super::{COULD_NOT, Color, Failure, quiet, render, talk};
use crate::engine::{Arrival, Engine, Phase, Read, RuleCounts, Tell, Timing};
use crate::model::{FileId, SourceName, Timestamp};
use crate::saved::Saved;
use crate::scan::{Block, Review, Scanned, Scanner, Tail};
use crate::sink::stdout;

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Rule file or glob of rule files; may be given several times
    #[arg(long, short, value_name = "FILE", required = true)]
    rules: Vec<PathBuf>,
    /// Year of the first stamp that names none [default: the nearest before the file was last written]
    #[arg(long, value_name = "YEAR")]
    year: Option<i16>,
    /// Zone of stamps that name none: `local`, `UTC` or an IANA name
    #[arg(long, value_name = "ZONE", default_value = "local")]
    tz: String,
    /// One JSON object per transition
    #[arg(long)]
    json: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// Log files; `-` reads stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// A file on its way through.
struct Input {
    id: FileId,
    from: Box<dyn std::io::Read>,
    modified: Timestamp,
    /// Offset of the first byte of `buf`.
    offset: u64,
    /// What was read and not yet used up, and room behind it.
    buf: Vec<u8>,
    /// Bytes of `buf` that were read.
    filled: usize,
    skipping: bool,
    done: bool,
}

pub(super) fn replay(args: &ReplayArgs) -> Result<u8, Failure> {
    let tz = zone(&args.tz)?;
    let wanted = Wanted { config: None, rules: args.rules.clone(), lines: Lines::Unknown };
    let loaded = load::load(&wanted).map_err(Failure)?;
    if !loaded.diagnostics.is_empty() {
        talk(&render::text(&loaded.diagnostics, &loaded.texts, args.color.on(&std::io::stderr())));
    }
    let Some((settings, mut ruleset)) = loaded.believed else { return Ok(COULD_NOT) };
    let source = SourceName::new("files");
    ruleset.see_instead(std::slice::from_ref(&source));
    let max_line = settings.sources.first().map_or(64 * 1024, |source| source.max_line);
    let mut scanner = Scanner::new(&ruleset, |rule| !rule.sources.is_empty(), max_line);
    let timing = Timing { name: source.clone(), tz, max_age: std::time::Duration::MAX, year: args.year };
    let scope = settings.scope.clone().unwrap_or_else(crate::daemon::scope::hostname);
    let start = Timestamp::from_secs(0);
    let mut engine = Engine::new(Arc::new(ruleset), scope, vec![timing], &Saved::default(), start);
    let mut inputs = open(&args.files)?;
    for (input, path) in inputs.iter().zip(&args.files) {
        engine.opened(input.id, &source, &path.to_string_lossy());
        engine.phase(input.id, Phase::Behind, start);
    }

    let color = args.color.on(&std::io::stdout());
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut said = 0u64;
    let mut bytes = 0u64;
    let mut review = Review::default();
    let mut scanned = Scanned::default();
    // Always the file whose time is lowest, so that what waits for others stays little.
    while let Some(ix) = next(&engine, &inputs) {
        let input = &mut inputs[ix];
        if input.buf.len() < input.filled + BLOCK {
            input.buf.resize(input.filled + BLOCK, 0);
        }
        let n = loop {
            match input.from.read(&mut input.buf[input.filled..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                result => {
                    break result.map_err(|error| {
                        Failure(format!("can not read `{}`: {error}", args.files[ix].display()))
                    })?;
                }
            }
        };
        input.filled += n;
        input.done = n == 0;
        let text = &input.buf[..input.filled];
        let tail = if input.done { Tail::Final } else { Tail::Wait };
        let block =
            Block { file: input.id, offset: input.offset, bytes: text, skipping: input.skipping, tail };
        scanner.scan(block, &mut scanned);
        if review.is_due(block.bytes, &scanned) {
            scanner = scanner.attuned(block.bytes);
        }
        bytes += scanned.consumed as u64;
        let arrival = Arrival { at: None, modified: input.modified, skew_us: 0 };
        let matches = scanned.matches(text);
        engine.read(Read { file: input.id, matches, stamp: scanned.stamp, arrival }, start);
        input.offset += scanned.consumed as u64;
        input.skipping = scanned.skipping;
        input.buf.copy_within(scanned.consumed..input.filled, 0);
        input.filled -= scanned.consumed;
        if input.done {
            engine.phase(input.id, Phase::AtEnd, start);
        }
        if !say(&mut engine, &mut out, args.json, color, &mut said)? {
            return Ok(0);
        }
    }
    let end = inputs.iter().filter_map(|input| engine.frontier(input.id)).max().unwrap_or(start);
    engine.tick(end);
    loop {
        if !say(&mut engine, &mut out, args.json, color, &mut said)? {
            return Ok(0);
        }
        let Some(wake) = engine.next_wake() else { break };
        engine.tick(wake);
    }
    if !quiet(out.flush())? {
        return Ok(0);
    }
    // A line counts for each rule that it fits, in whatever way its window took it.
    let fitted = |counts: RuleCounts| counts.matches + counts.late + counts.overflow;
    let matches: u64 = engine.rule_counts().map(|(_, counts, _)| fitted(counts)).sum();
    talk(&format!("{said} transitions from {matches} matches in {bytes} bytes\n"));
    Ok(0)
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

fn open(paths: &[PathBuf]) -> Result<VecDeque<Input>, Failure> {
    let mut inputs = VecDeque::new();
    for (number, path) in (1u64..).zip(paths) {
        let (from, modified): (Box<dyn std::io::Read>, _) = if path.as_os_str() == "-" {
            (Box::new(std::io::stdin()), crate::daemon::clock::wall())
        } else {
            let unreadable = |error| Failure(format!("can not read `{}`: {error}", path.display()));
            let file = File::open(path).map_err(unreadable)?;
            let meta = file.metadata().map_err(unreadable)?;
            if meta.is_dir() {
                return Err(Failure(format!("`{}` is a directory: name the files in it", path.display())));
            }
            let modified =
                meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            (Box::new(file), Timestamp::default().plus(modified.unwrap_or_default()))
        };
        inputs.push_back(Input {
            id: FileId(number),
            from,
            modified,
            offset: 0,
            buf: Vec::new(),
            filled: 0,
            skipping: false,
            done: false,
        });
    }
    Ok(inputs)
}

fn next(engine: &Engine, inputs: &VecDeque<Input>) -> Option<usize> {
    let open = inputs.iter().enumerate().filter(|(_, input)| !input.done);
    open.min_by_key(|(ix, input)| (engine.frontier(input.id), *ix)).map(|(ix, _)| ix)
}

/// Prints what the engine decided; false if nobody reads any more.
fn say(
    engine: &mut Engine,
    out: &mut impl Write,
    json: bool,
    color: bool,
    said: &mut u64,
) -> Result<bool, Failure> {
    engine.forget_changes();
    // What a backlog holds back from sinks is the very thing to see here.
    for emitted in engine.take().transitions.iter().filter(|emitted| emitted.tell != Tell::IfOther) {
        let transition = &emitted.transition;
        let line = if json { stdout::json(transition) } else { stdout::line(transition, color) };
        if !quiet(writeln!(out, "{line}"))? {
            return Ok(false);
        }
        *said += 1;
    }
    Ok(true)
}
