//! What became of what was written, held against what tripline says of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::logs::{Content, Kind, Log};
use crate::watch::sum;

/// Why bytes are lost, as metrics say it.
const REASONS: [&str; 4] = ["truncated", "vanished", "given_up", "packed"];

/// How often each line was told.
pub(crate) struct Told(BTreeMap<usize, Vec<u8>>);

impl Told {
    /// From what tripline has printed.
    pub(crate) fn read(printed: &str) -> Told {
        let mut told: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for line in printed.lines() {
            let said: serde_json::Value = serde_json::from_str(line).expect("it prints JSON");
            let summary = said["summary"].as_str().and_then(|summary| summary.split_once(' '));
            let Some((Ok(log), Ok(line))) = summary.map(|(log, line)| (log.parse(), line.parse::<usize>()))
            else {
                continue;
            };
            let times = told.entry(log).or_default();
            times.resize(times.len().max(line + 1), 0);
            times[line] = times[line].max(if said["status"] == "critical" { 2 } else { 1 });
        }
        Told(told)
    }

    /// 0, 1, or 2 if it is more than once.
    fn times(&self, log: usize, line: usize) -> u8 {
        self.0.get(&log).and_then(|times| times.get(line)).copied().unwrap_or(0)
    }
}

/// What became of the lines of one source.
pub(crate) struct Tally {
    kind: Kind,
    source: String,
    contents: usize,
    lines: usize,
    told: usize,
    lost: usize,
    twice: usize,
    /// The shortest life of a content that is gone.
    shortest: Duration,
    /// Bytes that a `stat` showed right before they were cut or deleted.
    shown: u64,
    /// Bytes of lost lines.
    bytes: u64,
    /// Contents of which a line is lost.
    torn: u64,
    /// Contents that were cut and not empty.
    cut: u64,
    /// Bytes that are counted as lost, by reason.
    counted: Vec<(&'static str, u64)>,
    /// Cuts that are counted.
    cuts: u64,
    /// Files of which it is said that they were not found again.
    missing: u64,
    /// What there is to say of single lines that are lost, and that are told twice.
    pub(crate) of_lost: Vec<String>,
    pub(crate) of_twice: Vec<String>,
}

impl Tally {
    pub(crate) fn new(kind: Kind, source: String, logs: &[&Log], told: &Told, metrics: &str) -> Tally {
        let count = |series: &str, more: &str| {
            sum(metrics, &format!("tripline_{series}_total{{source=\"{source}\"{more}"))
        };
        let counted = REASONS.map(|reason| (reason, count("lost_bytes", &format!(",reason=\"{reason}\""))));
        let (cuts, missing) = (count("truncations", "}"), count("lost_files", "}"));
        let mut tally = Tally {
            kind,
            source,
            contents: 0,
            lines: 0,
            told: 0,
            lost: 0,
            twice: 0,
            shortest: Duration::MAX,
            shown: 0,
            bytes: 0,
            torn: 0,
            cut: 0,
            counted: counted.into(),
            cuts,
            missing,
            of_lost: Vec::new(),
            of_twice: Vec::new(),
        };
        for log in logs {
            tally.lines += log.lines.len();
            log.contents.iter().for_each(|content| tally.take(log, content, told));
        }
        tally
    }

    fn take(&mut self, log: &Log, content: &Content, told: &Told) {
        let lost_before = self.lost;
        for line in content.lines.clone() {
            let times = told.times(log.number, line);
            self.told += usize::from(times > 0);
            match times {
                0 => {
                    self.lost += 1;
                    self.bytes += log.lines[line].1;
                    self.of_lost.push(about(self.kind, log, content, line, times));
                }
                1 => {}
                _ => {
                    self.twice += 1;
                    self.of_twice.push(about(self.kind, log, content, line, times));
                }
            }
        }
        self.contents += 1;
        self.shown += content.shown;
        self.torn += u64::from(self.lost > lost_before);
        self.cut += u64::from(self.kind == Kind::Cut && content.shown > 0);
        self.shortest = self.shortest.min(content.lived().unwrap_or(Duration::MAX));
    }

    fn lost_bytes(&self) -> u64 {
        self.counted.iter().map(|(_, bytes)| bytes).sum()
    }

    pub(crate) fn print_lines(&self) {
        let Tally { source, contents, lines, told, lost, twice, shortest, .. } = self;
        let shortest = shortest.as_millis();
        println!("  {source:<18} {contents:>9} {lines:>9} {told:>9} {lost:>7} {twice:>7} {shortest:>11} ms");
    }

    pub(crate) fn print_bytes(&self) {
        let Tally { source, shown, bytes, torn, cut, cuts, missing, .. } = self;
        let reasons: Vec<String> = self
            .counted
            .iter()
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(reason, bytes)| format!("{reason} {bytes}"))
            .collect();
        let unknown = bytes.saturating_sub(self.lost_bytes());
        let row = format!(
            "  {source:<18} {shown:>10} {bytes:>8} {:>10} {unknown:>8} {torn:>6} {cut:>8} {cuts:>8} {missing:>7}  {}",
            self.lost_bytes(),
            reasons.join(", ")
        );
        println!("{}", row.trim_end());
    }

    /// What is not as it should be.
    pub(crate) fn broken(&self) -> Vec<String> {
        let Tally { source, lost, twice, bytes, torn, cuts, .. } = self;
        let counted = self.lost_bytes();
        let of_cuts = self.kind == Kind::Cut;
        [
            (*twice > 0, format!("{source}: {twice} lines are told twice")),
            (*lost > 0 && !of_cuts, format!("{source}: {lost} lines are lost")),
            (counted > *bytes, format!("{source}: {counted} bytes are counted as lost, and {bytes} are")),
            (
                of_cuts && *bytes > counted && torn > cuts,
                format!("{source}: lines of {torn} contents are lost, and {cuts} cuts are counted"),
            ),
        ]
        .into_iter()
        .filter_map(|(is_broken, what)| is_broken.then_some(what))
        .collect()
    }
}

fn about(kind: Kind, log: &Log, content: &Content, line: usize, times: u8) -> String {
    let written = log.lines[line].0;
    let ms = |span: Duration| span.as_millis();
    let before = match line.checked_sub(1) {
        Some(before) => format!("{} ms after the one before it", ms(written - log.lines[before].0)),
        None => "the first of all".to_owned(),
    };
    let at = line - content.lines.start;
    let end = match content.over {
        Some(over) if over > written => format!("{} ms before it was gone", ms(over - written)),
        Some(over) => format!("{} ms after it was gone", ms(written - over)),
        None => "not gone".to_owned(),
    };
    format!(
        "{} {} line {line}, told {times} times: number {at} of {} of a content that lived {} ms; {before}, {end}",
        kind.as_str(),
        log.number,
        content.lines.len(),
        content.lived().map_or(0, ms)
    )
}
