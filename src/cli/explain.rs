//! `tripline explain`: what the rules make of one line, step by step.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;

use super::columns::{ALL_LINES, WIDTH, wrapped};
use super::explained::{Answer, Judged};
use super::load::{self, Lines, Wanted};
use super::{Around, COULD_NOT, Color, ConfigArgs, Failure, Joined, LineFormat, NO, render, talk};
use crate::daemon::{clock, scope};
use crate::engine::Timing;
use crate::engine::explain::{Asked, explain, when};
use crate::model::{Envelope, SourceName};
use crate::rule::{Multiline, Rule, without_blank_end};
use crate::scan::{goes_on, records, unwrapped};
use crate::settings::Source;
use crate::untrusted::Untrusted;

/// Bytes of a line that are read, at most: more than any source matches.
const MOST_LINE: usize = (1 << 20) + 2;
/// What holds of a source that no configuration speaks of.
const MAX_LINE: usize = 64 * 1024;
const MAX_AGE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    from: ConfigArgs,
    /// The only rule to ask, in full
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// The source that the line is from [default: whatever a rule sees]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// What the line is made of, if it is of no source of a configuration
    #[arg(long, value_enum, default_value_t)]
    format: LineFormat,
    /// How lines are joined to records, if they are of no source of a configuration [default: each is one]
    #[arg(long, value_enum, value_name = "PRESET")]
    multiline: Option<Joined>,
    /// What a container runtime has written around lines, if they are of no source of a configuration [default: what
    /// stands there]
    #[arg(long, value_enum, value_name = "RUNTIME")]
    envelope: Option<Around>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// The line; or `FILE:NUMBER` for a line of a file, counted from 1; or `-` for the first line of stdin. Where lines
    /// are joined, the record that begins there
    #[arg(value_name = "LINE")]
    line: String,
}

pub(super) fn run(args: &ExplainArgs) -> Result<u8, Failure> {
    let config = match &args.from.config {
        Some(path) => Some(path.clone()),
        None => load::default_config(),
    };
    if config.is_none() && args.from.rules.is_empty() {
        let way = "name a configuration with `--config` or rule files with `--rules`";
        return Err(Failure(format!("there are no rules to ask: {way}")));
    }
    let lines = if config.is_some() { Lines::Configured } else { Lines::Unknown };
    let (rules, multiline) = (args.from.rules.clone(), args.multiline.map(Multiline::from));
    let wanted = Wanted { config, rules, lines, format: args.format.into(), multiline: None, envelope: None };
    let loaded = load::load(&wanted).map_err(Failure)?;
    if !loaded.diagnostics.is_empty() {
        talk(&render::text(&loaded.diagnostics, &loaded.texts, args.color.on(&std::io::stderr())));
    }
    let Some((settings, ruleset)) = loaded.believed else { return Ok(COULD_NOT) };
    // Rules of tripline's own see no source.
    let rules: Vec<&Rule> = ruleset.rules.iter().filter(|rule| !rule.sources.is_empty()).collect();
    let asked_for = match &args.rule {
        Some(name) => vec![named(&rules, name)?],
        None => rules,
    };
    let source = args.source.as_ref().map(|name| SourceName::new(name.as_str()));
    if let Some(source) = &source
        && !asked_for.iter().any(|rule| rule.sources.contains(source))
        && !settings.sources.iter().any(|known| known.name == *source)
    {
        let names = asked_for.iter().flat_map(|rule| &rule.sources);
        return Err(unknown("source", source.as_str(), names.map(SourceName::as_str)));
    }
    let joins = multiline.is_some() || settings.sources.iter().any(|source| source.multiline.is_some());
    let envelope = args.envelope.map_or(Some(Envelope::Auto), Option::from);
    let unwraps = envelope.is_some() || settings.sources.iter().any(|source| source.envelope.is_some());
    let more = |text: &[u8]| joins || unwraps && goes_on(text);
    let (text, path) = text(&args.line, &more)?;
    let mut longest = Vec::new();
    let scope = scope::scope(&settings, scope::on_stop(&settings));
    let now = clock::wall();
    let mut judged = Vec::new();
    let mut first = None;
    for rule in asked_for {
        let sees = source.as_ref().is_none_or(|source| rule.sources.contains(source));
        let seen = source.as_ref().or(rule.sources.first()).cloned().unwrap_or(SourceName::new("files"));
        let known = settings.sources.iter().find(|known| known.name == seen);
        let max_line = known.map_or(MAX_LINE, |source| source.max_line);
        let format = known.map_or(args.format.into(), |source| source.format);
        let repeats = known.is_some_and(|source| source.repeats);
        let multiline = known.map_or(multiline.as_ref(), |source| source.multiline.as_ref());
        let timing = timing(known, seen);
        let envelope = known.map_or(envelope, |source| source.envelope);
        let (text, written) = envelope
            .and_then(|envelope| unwrapped(envelope, &text))
            .map_or((Cow::Borrowed(&*text), None), |(text, written)| (Cow::Owned(text), written));
        let line = records(&text, multiline).first().copied().unwrap_or_default();
        let line = if multiline.is_some() { without_blank_end(line) } else { line };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > longest.len() {
            longest = line.to_vec();
        }
        let (path, timing, scope) = (&path, &timing, &scope);
        let asked = Asked { line, written, path, max_line, format, repeats, multiline, timing, scope, now };
        let time = Some(first.get_or_insert_with(|| when(&asked)).time);
        // Of other sources it may be a longer record.
        let max_line =
            if line.len() < text.len() { asked.longest().min(line.len()) } else { asked.longest() };
        judged.push(Judged {
            rule,
            ruleset: &ruleset,
            time,
            explained: sees.then(|| explain(rule, &asked)),
            max_line,
            format,
        });
    }
    let answer = Answer { line: &longest, when: first, judged, alone: args.rule.is_some() };
    let color = args.color.on(&std::io::stdout());
    super::answer(&if args.json { answer.json() } else { answer.text(color) })?;
    Ok(if answer.is_taken() { 0 } else { NO })
}

fn named<'r>(rules: &[&'r Rule], name: &str) -> Result<&'r Rule, Failure> {
    let found = rules.iter().find(|rule| rule.name.as_str() == name);
    found.copied().ok_or_else(|| unknown("rule", name, rules.iter().map(|rule| rule.name.as_str())))
}

/// There is none of that name; what could have been said instead.
fn unknown<'n>(what: &str, name: &str, names: impl Iterator<Item = &'n str>) -> Failure {
    let names: BTreeSet<&str> = names.collect();
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let instead = match names.len() {
        0 => "there is none at all".to_owned(),
        1 => format!("there is {}", names[0]),
        _ => format!("there are {}", some_of(&names)),
    };
    let text = format!("there is no {what} `{name}`: {instead}");
    // `error: ` stands before it.
    Failure(wrapped(&text, WIDTH - 7, ALL_LINES).join("\n"))
}

/// As many of these names as anybody reads, and how many there are.
pub(super) fn some_of(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 12;
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    match names.len() {
        all if all > MOST => format!("{}, … ({all} in all)", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// How a source tells time.
fn timing(known: Option<&Source>, name: SourceName) -> Timing {
    match known {
        Some(source) => Timing { name, tz: source.tz.clone(), max_age: source.max_age, year: None },
        None => Timing { name, tz: TimeZone::system(), max_age: MAX_AGE, year: None },
    }
}

/// The text that begins with the line that is meant, and the path of its file. `more`: behind that text another line is
/// wanted.
fn text(said: &str, more: &impl Fn(&[u8]) -> bool) -> Result<(Vec<u8>, String), Failure> {
    if said == "-" {
        let text = behind(std::io::stdin().lock(), 1, more)
            .map_err(|error| Failure(format!("can not read stdin: {error}")))?;
        let text = text.ok_or_else(|| Failure("stdin is empty: there is no line to explain".to_owned()))?;
        return Ok((text, String::new()));
    }
    let place = said.rsplit_once(':').and_then(|(path, number)| Some((path, number.parse::<u64>().ok()?)));
    if let Some((path, _)) =
        place.filter(|(path, _)| !Path::new(path).exists() && !path.contains([' ', '\t']))
    {
        talk(&format!(
            "note: there is no file `{}`, so this is taken for the line itself\n",
            Untrusted(path)
        ));
    }
    let Some((path, number)) = place.filter(|(path, _)| Path::new(path).is_file()) else {
        return Ok((said.as_bytes().to_vec(), String::new()));
    };
    let unreadable = |error| Failure(format!("can not read `{path}`: {error}"));
    let file = std::fs::File::open(PathBuf::from(path)).map_err(unreadable)?;
    let found =
        if number == 0 { None } else { behind(BufReader::new(file), number, more).map_err(unreadable)? };
    let none = || Failure(format!("`{path}` has no line {number}: lines are counted from 1"));
    Ok((found.ok_or_else(none)?, path.to_owned()))
}

/// The text from the line of that number on, counted from 1: as long as `more` of it is wanted, and at most [`MOST_LINE`]
/// bytes.
fn behind(
    mut from: impl BufRead,
    number: u64,
    more: &impl Fn(&[u8]) -> bool,
) -> std::io::Result<Option<Vec<u8>>> {
    let (mut at, mut text, mut any) = (1, Vec::new(), false);
    loop {
        let bytes = match from.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            break;
        }
        let newline = bytes.iter().position(|byte| *byte == b'\n');
        let piece = &bytes[..newline.unwrap_or(bytes.len())];
        let used = piece.len() + usize::from(newline.is_some());
        if at >= number {
            any = true;
            text.extend_from_slice(&bytes[..used.min(MOST_LINE - text.len())]);
        }
        from.consume(used);
        if newline.is_some() || text.len() == MOST_LINE {
            if at >= number && (text.len() == MOST_LINE || !more(&text)) {
                break;
            }
            at += u64::from(newline.is_some());
        }
    }
    Ok(any.then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_number_however_the_file_ends() {
        let text = b"one\r\n\nthree".as_slice();
        for (number, line) in [(1, Some("one\r\n")), (2, Some("\n")), (3, Some("three")), (4, None)] {
            let found =
                behind(BufReader::with_capacity(2, text), number, &|_| false).expect("memory can be read");
            assert_eq!(found.as_deref(), line.map(str::as_bytes), "{number}");
        }
        let long = vec![b'x'; MOST_LINE * 2];
        assert_eq!(
            behind(long.as_slice(), 1, &|_| false).expect("memory can be read").map(|line| line.len()),
            Some(MOST_LINE)
        );
        assert_eq!(behind(b"".as_slice(), 1, &|_| false).expect("memory can be read"), None);
        let found = behind(BufReader::with_capacity(2, text), 2, &|_| true).expect("memory can be read");
        assert_eq!(found.as_deref(), Some(b"\nthree".as_slice()), "others too, if they are wanted");
    }
}
