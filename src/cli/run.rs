//! `tripline run`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use sha2::{Digest as _, Sha256};

use super::load::{self, Lines, Loaded, Texts, Wanted};
use super::present::Present;
use super::{Around, Color, ConfigArgs, Failure, Joined, LineFormat, render, talk};
use crate::config::probe::Probe;
use crate::config::units::parse_start;
use crate::config::{Diagnostic, Severity};
use crate::daemon::clock::stopwatch;
use crate::daemon::{self, Believed, Load, Options, Why};
use crate::model::{Envelope, SourceName};
use crate::rule::Multiline;
use crate::settings::{Admin, Peer, Start, literal, plain};

/// Between two readings of files that are to be loaded at once.
const BETWEEN_READINGS: Duration = Duration::from_millis(20);

/// So often they are read again before they are taken as they are: half a second.
const MOST_READINGS: usize = 25;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    from: ConfigArgs,
    /// Log files to watch instead of the configured sources, for `--rules` or the configuration that `--config` names; `-`
    /// reads stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where FILEs that are there already are begun: `end`, `beginning`, `last:1MiB`, `since:15m`
    #[arg(long, value_name = "WHERE", default_value = "end", value_parser = start, requires = "files")]
    start: Start,
    /// What the lines of FILEs are made of
    #[arg(long, value_enum, default_value_t, requires = "files")]
    format: LineFormat,
    /// How the lines of FILEs are joined to records [default: each is one]
    #[arg(long, value_enum, value_name = "PRESET", requires = "files")]
    multiline: Option<Joined>,
    /// What a container runtime has written around the lines of FILEs [default: whatever they stand in, for stdin, for
    /// files in the places of containers, and if a FILE begins with it]
    #[arg(long, value_enum, value_name = "RUNTIME", requires = "files")]
    envelope: Option<Around>,
    /// Keep state here, so that a restart goes on where it was
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Address and port of the status page; `off` for none
    #[arg(long, value_name = "ADDRESS", value_parser = listen)]
    listen: Option<Listen>,
    /// Do everything but send: print what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Refuse to start without the state of the last run
    #[arg(long)]
    require_state: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// How tripline's own log on stderr looks
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

fn start(text: &str) -> Result<Start, String> {
    parse_start(text).map_err(|wrong| wrong.why)
}

/// Where the status page is to be found, if anywhere.
#[derive(Clone, Copy, Debug)]
struct Listen(Option<SocketAddr>);

fn listen(text: &str) -> Result<Listen, String> {
    match text.parse() {
        _ if text == "off" => Ok(Listen(None)),
        Ok(address) => Ok(Listen(Some(address))),
        Err(_) => {
            Err("write an IP address and a port, as `127.0.0.1:7437` or `[::1]:7437`, or `off`".to_owned())
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One line of text
    #[default]
    Text,
    /// One JSON object
    Json,
}

pub(super) fn run(args: RunArgs) -> Result<u8, Failure> {
    set_up_log(args.log_format, args.color);
    let config = match &args.from.config {
        Some(path) => Some(path.clone()),
        None if args.files.is_empty() => load::default_config(),
        None => None,
    };
    let is_bare = config.is_none() && args.files.is_empty();
    if is_bare && args.from.rules.is_empty() {
        return Err(nothing_to_watch());
    }
    let here = std::env::current_dir()?;
    let stdin = args.files.iter().any(|file| file.as_os_str() == "-");
    let arguments: Vec<&Path> =
        args.files.iter().filter(|file| file.as_os_str() != "-").map(PathBuf::as_path).collect();
    let mut files = Vec::new();
    for argument in &arguments {
        files.push(globs_of(argument, &here)?);
    }
    let is_wrapped =
        |file: &Path| Envelope::usual_for(&here.join(file)).is_some() || load::begins_wrapped(file);
    let envelope = match args.envelope {
        Some(around) => around.into(),
        None => (stdin || arguments.iter().copied().any(is_wrapped)).then_some(Envelope::Auto),
    };
    let lines = if args.files.is_empty() { Lines::Configured } else { Lines::Files(files, args.start) };
    let every = !args.files.is_empty();
    if every && args.from.rules.is_empty() && config.is_none() {
        let way = match load::default_config() {
            Some(path) => format!(", or with `--config {}` a configuration that has some", path.display()),
            None => String::new(),
        };
        return Err(Failure(format!("no rules: name a rule file with `--rules`{way}")));
    }
    let (rules, multiline) = (args.from.rules.clone(), args.multiline.map(Multiline::from));
    let wanted = Wanted { config, rules, lines, format: args.format.into(), multiline, envelope };
    let said = Said { format: args.log_format, color: args.color.on(&std::io::stderr()) };
    let again = args.from.check_again();
    let texts = load::read(&wanted).map_err(Failure)?;
    if is_bare && !texts.has_files() {
        return Err(nothing_to_watch());
    }
    if let Some(why) = texts.exposed() {
        return Err(Failure(why.to_owned()));
    }
    let first = texts.digest();
    let mut loaded = load::check(&wanted, texts, &mut Probe::suspects(stopwatch()));
    said.show(&loaded);
    let Some(mut believed) = loaded.believed.take() else { return Err(refused(&loaded, &again)) };
    apply(&mut believed, &args);

    let mut known = Known { last: first, seen: None, present: loaded.present.clone() };
    let reload_args = Overrides { state_dir: args.state_dir.clone(), listen: args.listen };
    let load: Load = Box::new(move |why| {
        let read = || {
            let texts = load::read(&wanted);
            (texts.as_ref().map_or_else(|why| Sha256::digest(why).into(), Texts::digest), texts)
        };
        let (digest, texts) = match why {
            Why::Look => read(),
            Why::Asked => settled(read(), || {
                std::thread::sleep(BETWEEN_READINGS);
                read()
            }),
        };
        // Nothing is compiled, let alone tried, before it is known that something changed.
        if !known.is_new(why, digest) {
            return None;
        }
        let texts = match texts {
            Ok(texts) => texts,
            Err(why) => return Some(Err(why)),
        };
        if let Some(why) = texts.lost(&known.present) {
            return Some(Err(why));
        }
        if let Some(why) = texts.exposed() {
            return Some(Err(why.to_owned()));
        }
        let mut loaded = load::check(&wanted, texts, &mut Probe::suspects(stopwatch()));
        said.show(&loaded);
        let Some(mut believed) = loaded.believed.take() else {
            return Some(Err(format!("the configuration on disk is wrong: `{again}` shows where")));
        };
        known.present = loaded.present;
        reload_args.apply(&mut believed);
        Some(Ok(believed))
    });
    let stdout = std::io::stdout();
    let options = Options {
        believed,
        gap: loaded.present.gap(),
        load: Some(load),
        every,
        stdin: stdin.then(|| SourceName::new("files")),
        dry_run: args.dry_run,
        require_state: args.require_state,
        readable: stdout.is_terminal(),
        color: args.color.on(&stdout),
        bound: None,
        ends: None,
    };
    Ok(daemon::run(options)?)
}

/// What is in force, and what was seen since, as digests of all that was read or of why it could not be.
struct Known {
    last: [u8; 32],
    seen: Option<[u8; 32]>,
    /// Which files were there when the rules in force were read.
    present: Present,
}

/// Reads again until two readings are alike: somebody who asks is not kept waiting for the next look, and what another
/// writes in place at that moment, and is empty until it is written, is not taken for the end of its rules.
fn settled<T>(first: ([u8; 32], T), again: impl FnMut() -> ([u8; 32], T)) -> ([u8; 32], T) {
    let mut last = first;
    for next in std::iter::repeat_with(again).take(MOST_READINGS) {
        let alike = next.0 == last.0;
        last = next;
        if alike {
            break;
        }
    }
    last
}

impl Known {
    /// True if what was read is to be loaded. A file that is written in place is empty for a moment, and its rules are
    /// not gone: unless somebody asks, only what two looks find alike is meant.
    fn is_new(&mut self, why: Why, now: [u8; 32]) -> bool {
        let settled = self.seen.replace(now) == Some(now);
        let new = why == Why::Asked || (settled && now != self.last);
        if new {
            self.last = now;
        }
        new
    }
}

fn nothing_to_watch() -> Failure {
    let hint = "`tripline init` writes one for this machine; or try `tripline demo`, or `tripline run --rules RULES.toml LOGFILE`";
    Failure(format!("there is no configuration and no log file is named\nhint: {hint}"))
}

/// What the command line says in place of the configuration, at the start and at every reload.
struct Overrides {
    state_dir: Option<PathBuf>,
    listen: Option<Listen>,
}

impl Overrides {
    fn apply(&self, (settings, _): &mut Believed) {
        if let Some(dir) = &self.state_dir {
            settings.state_dir = Some(dir.clone());
        }
        if let Some(Listen(listen)) = self.listen {
            settings.admin.listen = listen;
        }
    }
}

fn apply(believed: &mut Believed, args: &RunArgs) {
    Overrides { state_dir: args.state_dir.clone(), listen: args.listen }.apply(believed);
    if args.dry_run {
        // What would be sent is not sent, so nothing of it may be remembered as told; and it may run beside the
        // daemon it is a rehearsal for.
        believed.0.state_dir = None;
        if args.listen.is_none() {
            believed.0.admin = Admin::default();
        }
    }
    let inline = |sink: &crate::settings::Sink| matches!(&sink.peer, Peer::Stdout);
    if believed.0.sinks.iter().all(inline) && !std::io::stdout().is_terminal() {
        tracing::debug!("alerts go to stdout as JSON lines");
    }
}

/// What an argument means, as a glob: itself and no other if it is there, and else whatever fits once it appears.
fn globs_of(argument: &Path, here: &Path) -> Result<PathBuf, Failure> {
    let shown = argument.display();
    let Some(file) = load::path_of(argument) else {
        if load::fitting(argument).map_err(Failure)?.files.is_empty() {
            tracing::warn!(glob = %shown, "no file fits yet; what appears is read from its beginning");
        }
        return Ok(literal(here).join(argument));
    };
    match std::fs::metadata(&file) {
        Ok(meta) if meta.is_dir() => {
            return Err(Failure(format!(
                "`{shown}` is a directory: name the files in it, or a glob in quotes"
            )));
        }
        Ok(meta) if !meta.is_file() => {
            return Err(Failure(format!(
                "`{shown}` is no regular file: give a pipe to stdin, and `-` for its name"
            )));
        }
        Ok(_) => {
            std::fs::File::open(&file)
                .map_err(|error| Failure(format!("can not read `{shown}`: {error}")))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            tracing::warn!(file = %shown, "is not there yet; it is read from its beginning once it appears");
        }
        Err(error) => return Err(Failure(format!("can not read `{shown}`: {error}"))),
    }
    Ok(literal(&here.join(file)))
}

/// How problems of a configuration are told on stderr.
#[derive(Clone, Copy)]
struct Said {
    format: LogFormat,
    color: bool,
}

impl Said {
    fn show(self, loaded: &Loaded) {
        for glob in &loaded.present.blank {
            tracing::warn!(glob = %plain(glob).display(), "no rule file fits");
        }
        match self.format {
            _ if loaded.diagnostics.is_empty() => {}
            LogFormat::Text => talk(&render::text(&loaded.diagnostics, &loaded.texts, self.color)),
            LogFormat::Json => loaded.diagnostics.iter().for_each(|problem| log(problem, &loaded.texts)),
        }
    }
}

/// Who takes a log of JSON objects takes nothing else.
fn log(problem: &Diagnostic, texts: &BTreeMap<PathBuf, String>) {
    let (line, column) = render::place(problem, texts);
    let Diagnostic { id, file, title, note, help, .. } = problem;
    let (file, note, help) = (file.display(), note.as_deref(), help.as_deref());
    let label = Some(problem.label.as_str()).filter(|label| !label.is_empty());
    match problem.severity {
        Severity::Error => tracing::error!(%file, line, column, id, label, note, help, "{title}"),
        Severity::Warning => tracing::warn!(%file, line, column, id, label, note, help, "{title}"),
    }
}

fn refused(loaded: &Loaded, again: &str) -> Failure {
    let errors = loaded.errors();
    let noun = if errors == 1 { "error" } else { "errors" };
    Failure(format!("the configuration has {errors} {noun}, see above; `{again}` shows them again"))
}

/// tripline's own log goes to stderr: `TRIPLINE_LOG` chooses (`info` unless said).
pub(super) fn set_up_log(format: LogFormat, color: Color) {
    use tracing_subscriber::EnvFilter;
    let builder = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let asked = std::env::var("TRIPLINE_LOG").unwrap_or_default();
    // One word that is no level would be taken for the name of a module, and everything else would be silent.
    let word = !asked.contains(['=', ',']) && !asked.is_empty();
    let known = !word || asked.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let mut filter = builder.parse_lossy(if known { asked.as_str() } else { "" });
    // These may write whole addresses, and with them keys, below `warn`.
    for target in daemon::deliver::QUIET {
        if let Ok(quiet) = format!("{target}=warn").parse() {
            filter = filter.add_directive(quiet);
        }
    }
    // A log that nobody takes is no reason to end: told of on stderr, it would be one.
    let log = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    // A second call in one process keeps the first log.
    let _ = match format {
        LogFormat::Text => log.with_ansi(color.on(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    if !known {
        let asked = crate::untrusted::Untrusted(&asked).to_string();
        tracing::warn!(TRIPLINE_LOG = asked, "is no level: use error, warn, info, debug or trace");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_this_moment_is_not_loaded_unless_somebody_asks() {
        let [old, empty, new] = [[0; 32], [1; 32], [2; 32]];
        let mut known = Known { last: old, seen: None, present: Present::default() };
        let looks = [old, empty, new, new, new, old, empty, old, old];
        let loaded = looks.map(|now| known.is_new(Why::Look, now));
        assert_eq!(loaded, [false, false, false, true, false, false, false, false, true]);
        assert!(known.is_new(Why::Asked, empty) && !known.is_new(Why::Look, empty));
    }

    #[test]
    fn who_asks_while_a_file_is_written_gets_what_is_written() {
        let check = |first: u8, then: &[u8], expected: u8| {
            let mut then = then.iter().copied();
            let digest = |n: u8| ([n; 32], n);
            let read = settled(digest(first), || digest(then.next().expect("nobody reads on and on")));
            assert_eq!((read.1, then.next()), (expected, None));
        };
        check(1, &[1], 1);
        check(0, &[1, 1], 1);
        check(1, &[0, 2, 2], 2);
        // Files that are never at rest hold nobody up for ever.
        let restless: Vec<u8> = (1..).take(MOST_READINGS).collect();
        check(0, &restless, restless[MOST_READINGS - 1]);
    }
}
