//! `tripline check`: the problems of a configuration, and what its rules cost.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;

use super::load::{self, Lines, Wanted};
use super::{Color, ConfigArgs, Failure, LineFormat, NO, cost, plan, render};
use crate::config::Severity;
use crate::config::probe::Probe;
use crate::daemon::clock::stopwatch;
use crate::daemon::deliver::missing;
use crate::settings::{Peer, Settings, Source, plain};
use crate::untrusted::Untrusted;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    from: ConfigArgs,
    /// Rule files to check by themselves, without the configuration unless it is named
    #[arg(value_name = "RULES")]
    files: Vec<std::path::PathBuf>,
    /// What the lines are made of that rules without a configuration see
    #[arg(long, value_enum, default_value_t)]
    format: LineFormat,
    /// Also show how each pattern is filtered and what it costs, the most expensive first
    #[arg(long)]
    cost: bool,
    /// Log to count on how many lines each pattern is tried
    #[arg(long, value_name = "LOG", requires = "cost")]
    sample: Option<std::path::PathBuf>,
    /// Also show what a reload would do to the running tripline: what becomes of each rule and of its open alerts
    #[arg(long)]
    against_running: bool,
    /// The state directory of the running tripline [default: that of the configuration]
    #[arg(long, value_name = "DIR", requires = "against_running")]
    state_dir: Option<std::path::PathBuf>,
    /// One JSON object per problem, with `--cost` per pattern, and with `--against-running` per rule
    #[arg(long)]
    json: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// What sources name as a file and is a directory here.
fn directories(settings: &Settings) -> impl Iterator<Item = (&Source, &Path)> {
    let files = settings
        .sources
        .iter()
        .flat_map(|source| source.files.iter().map(move |file| (source, file.as_path())));
    files.filter(|(_, file)| load::path_of(file).is_some_and(|path| path.is_dir()))
}

pub(super) fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let mut rules = args.from.rules.clone();
    rules.extend(args.files.iter().cloned());
    let config = match &args.from.config {
        Some(path) => Some(path.clone()),
        None if args.files.is_empty() => load::default_config(),
        None => None,
    };
    if config.is_none() && rules.is_empty() {
        return Err(Failure(
            "there is nothing to check: name a configuration with `--config` or rule files".to_owned(),
        ));
    }
    let configured = config.is_some();
    let lines = if config.is_none() { Lines::Unknown } else { Lines::Configured };
    let wanted = Wanted { config, rules, lines, format: args.format.into(), multiline: None, envelope: None };
    let texts = load::read(&wanted).map_err(Failure)?;
    if let Some(path) = texts.configuration() {
        let path = path.display();
        return Err(Failure(format!(
            "`{path}` is a configuration and no rule file: `tripline check --config {path}` checks it"
        )));
    }
    if let Some(why) = texts.exposed().filter(|_| wanted.config.is_some()) {
        super::talk(&format!("warning: `run` refuses it here: {}\n", Untrusted(why)));
    }
    let mut probe = Probe::all(stopwatch());
    let mut loaded = load::check(&wanted, texts, &mut probe);
    let wrong = !loaded.diagnostics.is_empty();
    let here = loaded.here(wanted.config.as_deref());
    let refused = here.iter().any(|problem| problem.severity == Severity::Error);
    loaded.diagnostics.extend(here);
    for glob in &loaded.present.blank {
        super::talk(&format!("warning: no rule file fits `{}`\n", plain(glob).display()));
        if args.against_running {
            super::talk("warning: if one did before, a reload is refused, and the running rules stay\n");
        }
    }
    for (source, dir) in loaded.settings().into_iter().flat_map(directories) {
        let dir = plain(dir);
        let (shown, source) = (dir.display(), &source.name);
        super::talk(&format!(
            "warning: `{shown}` of source `{source}` is a directory: name the files in it, as `{shown}/*.log`\n"
        ));
    }
    if loaded.believed.is_some() && loaded.rules == 0 {
        super::talk("warning: no rule is in force, so nothing is watched\n");
    }
    let pages = loaded.believed.iter().flat_map(|(settings, _)| &settings.sinks);
    for sink in pages.filter(|sink| matches!(sink.peer, Peer::StatusPage(_))) {
        super::talk(&format!(
            "note: whether the page of sink `{}` has its `components` shows when the first incident is told: `check` asks nobody\n",
            sink.of
        ));
    }
    let sinks = loaded.settings().into_iter().flat_map(|settings| &settings.sinks);
    let absent = sinks.flat_map(|sink| missing(sink).into_iter().map(|why| (sink.of.as_str(), why)));
    // A sink may be several queues, all with its secrets.
    for (sink, why) in absent.collect::<BTreeSet<_>>() {
        let why = Untrusted(&why);
        super::talk(&format!("note: sink `{sink}` needs what is not here: {why}\n"));
    }
    let costs = match loaded.believed.as_ref().filter(|_| args.cost) {
        Some((_, ruleset)) => {
            let costs = cost::costs(ruleset, &probe, args.sample.as_deref())?;
            if args.json { costs.json() } else { format!("\n{}", costs.table()) }
        }
        None => String::new(),
    };
    let text = match (args.json, loaded.diagnostics.is_empty()) {
        (true, _) => render::json(&loaded.diagnostics, &loaded.texts),
        (false, false) => render::text(&loaded.diagnostics, &loaded.texts, args.color.on(&std::io::stdout())),
        (false, true) if loaded.rules == 0 => String::new(),
        (false, true) if loaded.rules == 1 => "1 rule is right\n".to_owned(),
        (false, true) => format!("{} rules are right\n", loaded.rules),
    };
    super::answer(&(text + &costs))?;
    if let Some((settings, ruleset)) = loaded.believed.as_ref().filter(|_| args.against_running) {
        let dir = args.state_dir.as_ref().or(settings.state_dir.as_ref().filter(|_| configured));
        let none = "it is not known which tripline is meant: name its configuration with `--config`, or its state \
                    directory with `--state-dir`";
        let dir = dir.ok_or_else(|| Failure(none.to_owned()))?;
        let against = plan::against(dir, ruleset)?;
        super::answer(&if args.json { against.json() } else { against.text() })?;
    }
    // What is only so on this machine is no fault of the configuration.
    Ok(if wrong || refused || loaded.rules == 0 { NO } else { 0 })
}
