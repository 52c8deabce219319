//! The command line: one file per subcommand. stdout is the answer, stderr is talk; exit 0 is yes, 1 the answer is
//! no, 2 could not.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is where files and the environment are read"
)]

mod ask;
mod check;
mod columns;
mod completions;
mod cost;
mod demo;
mod explain;
mod explained;
mod exposed;
mod health;
mod init;
mod load;
mod outbox;
mod packs;
mod plan;
mod present;
pub mod render;
mod replay;
mod resolve;
mod restrained;
mod run;
mod schema;
mod silence;
mod sinks;
mod status;
mod test;

use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::units::parse_duration;
use crate::model::{Envelope, Format};
use crate::rule::{Multiline, Preset};

/// A log line trips an alert.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, about, long_about = LONG, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const LONG: &str = "tripline tails log files, runs every line through rules written in TOML, and tells the on-call \
system when something starts, gets worse, and is over.\n\n\
Try it:\n  tripline demo\n  tripline replay --rules rules/sshd.toml /var/log/auth.log\n  \
tripline run --rules rules/sshd.toml /var/log/auth.log";

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch logs and raise alerts
    Run(run::RunArgs),
    /// Check a configuration and its rules, all problems at once
    Check(check::CheckArgs),
    /// Hold rules against their tests, on a clock that is only a number
    Test(test::TestArgs),
    /// Run finished logs through rules on the log's own time; nothing is sent
    Replay(replay::ReplayArgs),
    /// Show step by step what rules make of one line; exit 1 if no rule takes it
    Explain(explain::ExplainArgs),
    /// Show open alerts, sources, sinks and problems of the running tripline
    Status(status::StatusArgs),
    /// Say whether the running tripline is ready; exit 1 and why if it is not
    Health(health::HealthArgs),
    /// End open alerts of the running tripline by hand
    Resolve(resolve::ResolveArgs),
    /// Do not tell of some alerts of the running tripline for a while
    Silence(silence::SilenceArgs),
    /// Show how sinks fare, or try one with an alert that is marked as a test
    Sinks(sinks::SinksArgs),
    /// Show what is owed to sinks and what was given up; owe it again or forget it
    Outbox(outbox::OutboxArgs),
    /// Look at this machine and write a configuration with the rule packs that fit
    Init(init::InitArgs),
    /// List and explain the rule packs that are part of the program, or write their files
    Packs(packs::PacksArgs),
    /// Print the JSON Schema of rule files, of their tests, or of tripline.toml, for editors
    Schema(schema::SchemaArgs),
    /// Print the completion script of a shell
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(completions::ManArgs),
    /// Watch a living log for half a minute: alerts raised, escalated and resolved
    Demo(demo::DemoArgs),
}

/// Where configuration and rules come from.
#[derive(Clone, Debug, Args)]
struct ConfigArgs {
    /// Configuration file [default: ./tripline.toml, else /etc/tripline/tripline.toml]
    #[arg(long, short, env = "TRIPLINE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Rule file or glob of rule files; may be given several times; replaces `rules` of the configuration, if there is one
    #[arg(long, short, value_name = "FILE")]
    rules: Vec<PathBuf>,
}

impl ConfigArgs {
    /// The command that checks the same.
    fn check_again(&self) -> String {
        let named = |option: &'static str, path: &PathBuf| format!(" {option} {}", path.display());
        let config = self.config.iter().map(|path| named("--config", path));
        let rules = self.rules.iter().map(|path| named("--rules", path));
        std::iter::once("tripline check".to_owned()).chain(config).chain(rules).collect()
    }
}

/// How output looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal that knows colours, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Color::Auto => {
                let is_dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
                let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                stream.is_terminal() && !is_dumb && !unwanted
            }
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// What lines are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LineFormat {
    /// Text
    #[default]
    Plain,
    /// One JSON object, whose fields rules may name
    Json,
    /// `key=value` pairs, which rules may name
    Logfmt,
}

impl From<LineFormat> for Format {
    fn from(format: LineFormat) -> Format {
        match format {
            LineFormat::Plain => Format::Plain,
            LineFormat::Json => Format::Json,
            LineFormat::Logfmt => Format::Logfmt,
        }
    }
}

/// How lines are joined to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Joined {
    /// Stack traces of Java
    Java,
    /// Tracebacks of Python
    Python,
    /// Panics of Go
    Go,
    /// What begins with white space goes on
    Indented,
}

impl From<Joined> for Multiline {
    fn from(joined: Joined) -> Multiline {
        let preset = match joined {
            Joined::Java => Preset::Java,
            Joined::Python => Preset::Python,
            Joined::Go => Preset::Go,
            Joined::Indented => Preset::Indented,
        };
        preset.multiline()
    }
}

/// What a container runtime has written around lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Around {
    /// What CRI or Docker writes, line by line, if they do
    Auto,
    /// Nothing
    None,
    /// `2026-01-02T15:04:05.6Z stdout F TEXT`, as containerd and CRI-O write it
    Cri,
    /// `{"log":"TEXT\n","stream":"stdout","time":"2026-01-02T15:04:05.6Z"}`
    Docker,
}

impl From<Around> for Option<Envelope> {
    fn from(around: Around) -> Option<Envelope> {
        match around {
            Around::Auto => Some(Envelope::Auto),
            Around::None => None,
            Around::Cri => Some(Envelope::Cri),
            Around::Docker => Some(Envelope::Docker),
        }
    }
}

/// The answer was no.
const NO: u8 = 1;
/// It could not be done.
const COULD_NOT: u8 = 2;

/// Why a command could not do it: a sentence with place and way out.
#[derive(Debug)]
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Failure {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        Failure(text)
    }
}

/// A duration of an option, as in the configuration.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|misread| misread.why.to_string())
}

/// A line of JSON.
fn json_line(of: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(of).expect("texts, numbers and tables of them have a JSON form");
    crate::untrusted::json(&text) + "\n"
}

/// Writes to stderr. That nobody listens is no reason to end.
fn talk(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes a whole answer to stdout; false if its reader went away, which is no error.
fn answer(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    quiet(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader that went away is no error.
fn quiet(result: std::io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure(format!("can not write to stdout: {error}"))),
    }
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::check(&args),
        Command::Test(args) => test::test(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Status(args) => status::status(&args),
        Command::Health(args) => health::health(&args),
        Command::Resolve(args) => resolve::resolve(&args),
        Command::Silence(args) => silence::silence(&args),
        Command::Sinks(args) => sinks::sinks(&args),
        Command::Outbox(args) => outbox::outbox(&args),
        Command::Init(args) => init::init(&args),
        Command::Packs(args) => packs::packs(&args),
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Demo(args) => demo::demo(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Failure(text)) => {
            let lines: Vec<_> =
                text.lines().map(|line| crate::untrusted::Untrusted(line).to_string()).collect();
            talk(&format!("error: {}\n", lines.join("\n")));
            ExitCode::from(COULD_NOT)
        }
    }
}
