//! tripline side by side with its peers: the same rules in each one's language, the same bytes, one process per run.
//!
//! `cargo bench --bench suite -- --help` shows what can be asked for, `-- --quick` tries it in a minute. The suite
//! makes logs and rules of its own (`benches/corpus`), runs what it finds on the machine, names what it does not find,
//! and installs nothing. Runs alternate, so that a disturbed minute hurts all alike. Every tool has to find as many
//! matches as were put into the log; one that finds others makes the suite fail, since a rate of wrong answers says
//! nothing. What is counted is CPU time of the whole process, user and system, start included; tables that leave out
//! the start subtract what the same command takes for a log of one line.
//!
//! Fairness: one match counts per rule and line; classes are ASCII; tools that would take minutes get the head of the
//! same log. ripgrep reports neither rules nor captures, so it does less than the others.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine and writes files")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tables go to stdout, progress to stderr")]

mod astray;
mod cell;
#[path = "../corpus/mod.rs"]
mod corpus;
mod machine;
mod measure;
mod peers;
mod picture;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use cell::Cell;
use measure::{Cost, Stopwatch};
use peers::{Peers, Tool};

/// Compares tripline with its peers on logs of its own making
#[derive(Debug, Parser)]
#[command(name = "suite", bin_name = "cargo bench --bench suite --")]
struct Options {
    /// Size of each log in MiB [default: 256]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    mib: Option<u64>,
    /// Numbers of rules [default: 10,100,1000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    rules: Option<Vec<usize>>,
    /// Shares of lines that match a rule, from 0 to 1 [default: 0.0001,0.01,0.2]
    #[arg(long, value_name = "SHARE", value_delimiter = ',')]
    shares: Option<Vec<f64>>,
    /// How often each tool runs in each cell [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Tools to run, by the names in the tables [default: all that are found]
    #[arg(long, value_name = "TOOL", value_delimiter = ',')]
    tools: Option<Vec<Tool>>,
    /// Seed of logs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for figures and picture [default: benches/runs/<date>-suite; with --quick below target]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A minute instead of many: 8 MiB, 10 and 100 rules, two shares, one round
    #[arg(long)]
    quick: bool,
    /// Leave logs and rules of the last cell where they are, and say where
    #[arg(long)]
    keep: bool,
    /// What cargo passes to every benchmark it is asked to run
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is run, once all defaults are known.
struct Plan {
    mib: u64,
    rules: Vec<usize>,
    shares: Vec<f64>,
    rounds: u32,
    seed: u64,
    out: PathBuf,
}

impl Plan {
    fn of(options: &Options) -> Result<Plan, String> {
        let quick = options.quick;
        let pick = |quickly: &[f64], else_: &[f64]| if quick { quickly.to_vec() } else { else_.to_vec() };
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let today = jiff::Zoned::now().date();
        let plan = Plan {
            mib: options.mib.unwrap_or(if quick { 8 } else { 256 }),
            rules: options.rules.clone().unwrap_or(if quick { vec![10, 100] } else { vec![10, 100, 1000] }),
            shares: options.shares.clone().unwrap_or_else(|| pick(&[0.0001, 0.2], &[0.0001, 0.01, 0.2])),
            rounds: options.rounds.unwrap_or(if quick { 1 } else { 3 }),
            seed: options.seed,
            out: options.out.clone().unwrap_or_else(|| match quick {
                true => Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite"),
                false => top.join(format!("benches/runs/{today}-suite")),
            }),
        };
        if let Some(rules) = plan.rules.iter().find(|rules| !(1..=corpus::MOST).contains(*rules)) {
            return Err(format!("there are patterns for 1 to {} rules, not for `{rules}`", corpus::MOST));
        }
        if let Some(share) = plan.shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
            return Err(format!("a share lies between 0 and 1, not at `{share}`"));
        }
        Ok(plan)
    }
}

/// One process and what it took.
struct Run {
    rules: usize,
    /// None where the log is one line, to see what starting takes.
    share: Option<f64>,
    tool: Tool,
    round: u32,
    bytes: u64,
    cost: Cost,
    hits: Option<u64>,
}

/// Everything that was seen, for tables and files.
struct Seen {
    plan: Plan,
    peers: Peers,
    runs: Vec<Run>,
    /// What must not be: tools that failed or found something else.
    wrong: Vec<String>,
}

impl Seen {
    /// Said at once, and again at the end, where it can not be overlooked.
    fn wrong(&mut self, what: String) {
        if !self.wrong.contains(&what) {
            eprintln!("WRONG: {what}");
            self.wrong.push(what);
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        // `cargo test --all-targets` runs benchmarks to see whether they start.
        println!("run me with `cargo bench --bench suite`");
        return ExitCode::SUCCESS;
    }
    match suite(&options) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("\n===== {} WRONG ANSWERS: the figures prove nothing =====", wrong.len());
            wrong.iter().for_each(|wrong| eprintln!("{wrong}"));
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn suite(options: &Options) -> Result<Vec<String>, String> {
    let plan = Plan::of(options)?;
    let dir =
        tempfile::Builder::new().prefix("tripline-suite-").tempdir().map_err(|error| error.to_string())?;
    let stopwatch = Stopwatch::build(dir.path())?;
    let peers = Peers::find(dir.path(), options.tools.as_deref());
    for missing in &peers.missing {
        eprintln!("left out: {missing}");
    }
    let mut seen = Seen { plan, peers, runs: Vec::new(), wrong: Vec::new() };
    for rules in seen.plan.rules.clone() {
        let patterns = corpus::patterns(rules);
        seen.peers.write_rules(&patterns)?;
        eprintln!("{rules} rules: start");
        let one_line = Cell::write(dir.path(), seen.plan.seed, 0, 0.0, rules, &[])?;
        rounds(&mut seen, &stopwatch, &one_line, rules, None, &patterns);
        for share in seen.plan.shares.clone() {
            eprintln!("{rules} rules, {} of lines match", report::percent(share));
            let heads: Vec<u64> = seen.peers.tools().filter_map(|tool| tool.most_mib(rules)).collect();
            let cell = Cell::write(dir.path(), seen.plan.seed, seen.plan.mib, share, rules, &heads)?;
            // Rounds show it for the whole log; the heads are asked once.
            for log in cell.heads() {
                if let Err(error) = run(&mut seen, &stopwatch, Tool::Tripline, log, share, &patterns) {
                    seen.wrong(error);
                }
            }
            rounds(&mut seen, &stopwatch, &cell, rules, Some(share), &patterns);
        }
    }
    report::write(&seen)?;
    print!("{}", report::tables(&seen));
    println!("\nfigures and picture: {}", seen.plan.out.display());
    if options.keep {
        println!("logs and rules: {}", dir.keep().display());
    }
    Ok(seen.wrong)
}

/// All tools in turn, then all again. One that failed is not asked again for this cell.
fn rounds(
    seen: &mut Seen,
    stopwatch: &Stopwatch,
    cell: &Cell,
    rules: usize,
    share: Option<f64>,
    patterns: &[String],
) {
    let mut tools: Vec<Tool> = seen.peers.tools().collect();
    for round in 1..=seen.plan.rounds {
        tools.retain(|tool| {
            let log = cell.log(tool.most_mib(rules));
            match run(seen, stopwatch, *tool, log, share.unwrap_or_default(), patterns) {
                Ok((cost, hits)) => {
                    let bytes = log.bytes;
                    seen.runs.push(Run { rules, share, tool: *tool, round, bytes, cost, hits });
                    true
                }
                Err(error) => {
                    seen.wrong(error);
                    false
                }
            }
        });
    }
}

/// Runs a tool over a log and holds what it found against what was put in.
fn run(
    seen: &mut Seen,
    stopwatch: &Stopwatch,
    tool: Tool,
    log: &cell::Log,
    share: f64,
    patterns: &[String],
) -> Result<(Cost, Option<u64>), String> {
    let ran = stopwatch.run(&seen.peers.command(tool, &log.path))?;
    let found = tool.found(&ran).map_err(|error| format!("{tool} with {} rules {error}", patterns.len()))?;
    let Some(mut found) = found else { return Ok((ran.cost, None)) };
    let planted: u64 = log.planted.iter().sum();
    if found.hits != planted {
        let mut wrong = format!(
            "{tool} found {} matches of {} rules in {} bytes, {planted} were put in",
            found.hits,
            patterns.len(),
            log.bytes
        );
        // Who tells rules apart shows where to look.
        if !found.by_rule.is_empty() {
            found.by_rule.resize(patterns.len(), 0);
        }
        let differing = found.by_rule.iter().enumerate().filter(|(rule, hits)| **hits != log.planted[*rule]);
        for (rule, hits) in differing.take(5) {
            wrong += &format!("\n    `{}`: {hits} instead of {}", patterns[rule], log.planted[rule]);
        }
        if tool == Tool::Tripline {
            let made = corpus::Log::new(seen.plan.seed, share, patterns.len());
            for line in astray::lines(seen.peers.rules()?, patterns, log, made) {
                wrong += &format!("\n    {line}");
            }
        }
        seen.wrong(wrong);
    }
    Ok((ran.cost, Some(found.hits)))
}
