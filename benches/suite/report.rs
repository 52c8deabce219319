//! What was seen, as tables for the screen and as files to keep: raw figures, a page, a picture.

use std::fmt::Write as _;
use std::time::Duration;

use crate::peers::Tool;
use crate::{Run, Seen, cell, machine, picture};

/// The medians of one tool in one cell.
pub(crate) struct Row {
    pub(crate) rules: usize,
    pub(crate) share: f64,
    pub(crate) tool: Tool,
    bytes: u64,
    cpu: Duration,
    wall: Duration,
    peak_kib: u64,
    /// CPU for a log of one line.
    start: Duration,
}

impl Row {
    /// MB (10^6 bytes) per second of CPU.
    fn whole(&self) -> f64 {
        rate(self.bytes, self.cpu)
    }

    /// The same without what starting takes; none where the log is so small that this would be noise.
    pub(crate) fn scan(&self) -> Option<f64> {
        let rest = self.cpu.saturating_sub(self.start);
        (rest >= Duration::from_millis(5).max(self.start / 4)).then(|| rate(self.bytes, rest))
    }
}

fn rate(bytes: u64, cpu: Duration) -> f64 {
    bytes as f64 / 1e6 / cpu.as_secs_f64().max(1e-6)
}

fn median<T: Ord + Copy>(of: impl Iterator<Item = T>) -> Option<T> {
    let mut sorted: Vec<T> = of.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

pub(crate) fn rows(seen: &Seen) -> Vec<Row> {
    let mut rows = Vec::new();
    for share in &seen.plan.shares {
        for rules in &seen.plan.rules {
            rows.extend(seen.peers.tools().filter_map(|tool| row(seen, *rules, *share, tool)));
        }
    }
    rows
}

fn row(seen: &Seen, rules: usize, share: f64, tool: Tool) -> Option<Row> {
    let of = |share: Option<f64>| {
        seen.runs.iter().filter(move |run| run.rules == rules && run.share == share && run.tool == tool)
    };
    let runs = || of(Some(share));
    Some(Row {
        rules,
        share,
        tool,
        bytes: runs().next()?.bytes,
        cpu: median(runs().map(|run| run.cost.cpu()))?,
        wall: median(runs().map(|run| run.cost.wall))?,
        peak_kib: median(runs().map(|run| run.cost.peak_kib))?,
        start: median(of(None).map(|run| run.cost.cpu()))?,
    })
}

/// Three digits that count.
pub(crate) fn short(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

pub(crate) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e8).round() / 1e6)
}

/// One table for each share: tools down, numbers of rules across.
fn table(seen: &Seen, rows: &[Row], text: &mut String, entry: impl Fn(&Row, Option<&Row>) -> Option<String>) {
    for share in &seen.plan.shares {
        let of = |rules: usize, tool: Tool| {
            rows.iter().find(|row| row.rules == rules && row.share == *share && row.tool == tool)
        };
        let _ = write!(text, "| {} of lines match |", percent(*share));
        for rules in &seen.plan.rules {
            let _ = write!(text, " {rules} rules |");
        }
        let _ = writeln!(text, "\n|---|{}", "---:|".repeat(seen.plan.rules.len()));
        for tool in seen.peers.tools() {
            let _ = write!(text, "| {tool} |");
            for rules in &seen.plan.rules {
                let ours = of(*rules, Tool::Tripline);
                let entry = of(*rules, tool).and_then(|row| entry(row, ours));
                let _ = write!(text, " {} |", entry.as_deref().unwrap_or("-"));
            }
            text.push('\n');
        }
        text.push('\n');
    }
}

/// A rate, and how many times as fast tripline is.
fn against(rate: f64, ours: Option<f64>, tool: Tool) -> String {
    match ours {
        Some(ours) if tool != Tool::Tripline => format!("{} ({}x)", short(rate), short(ours / rate)),
        _ => short(rate),
    }
}

/// The tables of the page.
pub(crate) fn tables(seen: &Seen) -> String {
    let rows = rows(seen);
    let mut text = String::from(
        "\n## Rates\n\nMB (10^6 bytes) of log per second of CPU, user and system, all threads together, without what the \
         same\ncommand takes for a log of one line. In brackets how many times as fast tripline is.\n\n",
    );
    table(seen, &rows, &mut text, |row, ours| Some(against(row.scan()?, ours.and_then(Row::scan), row.tool)));
    text += "## Whole processes\n\nThe same with the start, for those that read the whole log.\n\n";
    table(seen, &rows, &mut text, |row, ours| {
        let ours = ours.filter(|ours| ours.bytes == row.bytes)?;
        Some(against(row.whole(), Some(ours.whole()), row.tool))
    });
    text += "## Start and memory\n\nSeconds of CPU for a log of one line, and peak resident memory in MiB over the log.\n\n";
    table(seen, &rows, &mut text, |row, _| {
        Some(format!("{:.3} s, {:.1}", row.start.as_secs_f64(), row.peak_kib as f64 / 1024.0))
    });
    text += "## Time on the clock\n\nMiB of log and seconds from start to end of the process.\n\n";
    table(seen, &rows, &mut text, |row, _| {
        let mib = row.bytes as f64 / cell::MIB as f64;
        Some(format!("{mib:.0}: {:.2} s", row.wall.as_secs_f64()))
    });
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Writes the page, the raw figures and the picture.
pub(crate) fn write(seen: &Seen) -> Result<(), String> {
    let out = &seen.plan.out;
    let write = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|error| format!("can not write `{}`: {error}", path.display()))
    };
    std::fs::create_dir_all(out).map_err(|error| format!("can not make `{}`: {error}", out.display()))?;
    write("runs.csv", figures(&seen.runs))?;
    write("rates.svg", picture::picture(seen, &rows(seen)))?;
    write("README.md", page(seen))
}

fn figures(runs: &[Run]) -> String {
    let mut text = String::from("rules,share,tool,round,bytes,user_us,system_us,wall_us,peak_kib,matches\n");
    for run in runs {
        let share = run.share.map_or("start".to_owned(), |share| share.to_string());
        let hits = run.hits.map_or(String::new(), |hits| hits.to_string());
        let (user, system, wall) = (run.cost.user, run.cost.system, run.cost.wall);
        let _ = writeln!(
            text,
            "{},{share},{},{},{},{},{},{},{},{hits}",
            run.rules,
            run.tool,
            run.round,
            run.bytes,
            user.as_micros(),
            system.as_micros(),
            wall.as_micros(),
            run.cost.peak_kib,
        );
    }
    text
}

fn page(seen: &Seen) -> String {
    let plan = &seen.plan;
    let list = |of: Vec<String>| of.join(",");
    let mut text = String::from(
        "# tripline beside its peers\n\nWritten by `cargo bench --bench suite`. `runs.csv` holds every run, `rates.svg` \
         the first tables as a picture.\n\n![rates on a logarithmic scale](rates.svg)\n\n",
    );
    if !seen.wrong.is_empty() {
        let _ = writeln!(
            text,
            "**{} answers were wrong; these figures prove nothing.**\n\n```text\n{}\n```\n",
            seen.wrong.len(),
            seen.wrong.join("\n")
        );
    }
    for (name, fact) in machine::facts() {
        let _ = writeln!(text, "* {name}: {fact}");
    }
    let _ = writeln!(
        text,
        "* command: `cargo bench --bench suite -- --mib {} --rules {} --shares {} --rounds {} --seed {}`",
        plan.mib,
        list(plan.rules.iter().map(usize::to_string).collect()),
        list(plan.shares.iter().map(f64::to_string).collect()),
        plan.rounds,
        plan.seed
    );
    text += "* figures: medians over the rounds; in a round every tool runs once, in the order of the tables\n\
             * logs and rules: `benches/corpus`; every tool found the matches that were put in, unless said above\n\n\
             | tool | version | what it does here |\n|---|---|---|\n";
    for (tool, version) in &seen.peers.found {
        let _ = writeln!(text, "| {tool} | {version} | {} |", tool.does());
    }
    if !seen.peers.missing.is_empty() {
        let _ = writeln!(text, "\nLeft out: {}.", seen.peers.missing.join("; "));
    }
    text += &tables(seen);
    text += "\n## Commands\n\n```sh\n";
    for tool in seen.peers.tools() {
        let _ = writeln!(text, "{}", seen.peers.shown(tool));
    }
    text += "```\n";
    text
}
