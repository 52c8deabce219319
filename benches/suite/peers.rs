//! The tools side by side: how each is found, told the rules, run, and asked what it found.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use crate::measure::{self, Ran};

/// In the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Plain reading, the ceiling of all.
    Read,
    Wc,
    Tripline,
    Captures,
    Hyperscan,
    Ripgrep,
    Mtail,
    Sec,
}

pub(crate) const ALL: [Tool; 8] = [
    Tool::Read,
    Tool::Wc,
    Tool::Tripline,
    Tool::Captures,
    Tool::Hyperscan,
    Tool::Ripgrep,
    Tool::Mtail,
    Tool::Sec,
];

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad`, so that a width is obeyed.
        f.pad(match self {
            Tool::Read => "read",
            Tool::Wc => "wc",
            Tool::Tripline => "tripline",
            Tool::Captures => "hyperscan-captures",
            Tool::Hyperscan => "hyperscan",
            Tool::Ripgrep => "ripgrep",
            Tool::Mtail => "mtail",
            Tool::Sec => "sec",
        })
    }
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(name: &str) -> Result<Tool, String> {
        let all = || ALL.map(|tool| tool.to_string()).join(", ");
        ALL.into_iter()
            .find(|tool| tool.to_string() == name)
            .ok_or_else(|| format!("there is no tool `{name}`: {}", all()))
    }
}

/// What a tool says it found.
pub(crate) struct Found {
    pub(crate) hits: u64,
    /// In the order of the rules; empty if it does not tell them apart.
    pub(crate) by_rule: Vec<u64>,
}

impl Tool {
    /// What it is made to do, for the reader of the tables.
    pub(crate) fn does(self) -> &'static str {
        match self {
            Tool::Read => "reads the log in blocks of 256 KiB and does nothing with them",
            Tool::Wc => "counts newlines",
            Tool::Tripline => "the whole program: rules, captures, windows, alerts; no line leads to one",
            Tool::Captures => {
                "Hyperscan over blocks of 256 KiB, then PCRE2 (JIT) for the captures of each hit"
            }
            Tool::Hyperscan => "the same without captures",
            Tool::Ripgrep => "counts lines that match any pattern; no captures, does not tell rules apart",
            Tool::Mtail => "one counter per rule",
            Tool::Sec => "one `Single` rule per rule, whose action counts",
        }
    }

    /// The largest log it is given, so that a run takes seconds.
    pub(crate) fn most_mib(self, rules: usize) -> Option<u64> {
        let by_rules = |few, some, many| match rules {
            ..=10 => few,
            11..=100 => some,
            _ => many,
        };
        match self {
            Tool::Ripgrep => by_rules(None, Some(256), Some(16)),
            Tool::Mtail | Tool::Sec => by_rules(Some(16), Some(4), Some(1)),
            _ => None,
        }
    }

    /// Reads what it said. None for tools that do not match.
    pub(crate) fn found(self, ran: &Ran) -> Result<Option<Found>, String> {
        // grep's way to say that nothing matched.
        let nothing = self == Tool::Ripgrep && ran.status == 1 && ran.talk.is_empty();
        if ran.status != 0 && !nothing {
            let error = ran.talk.lines().find(|line| line.contains("error")).or(ran.talk.lines().last());
            return Err(format!("ended with status {}: `{}`", ran.status, error.unwrap_or_default()));
        }
        let total = |text: &str| match text.trim().parse() {
            Ok(hits) => Ok(Found { hits, by_rule: Vec::new() }),
            Err(_) => Err(format!("can not read a number of matches in `{text}`")),
        };
        match self {
            Tool::Read | Tool::Wc => return Ok(None),
            // `3 transitions from 5316 matches in 1073741824 bytes`
            Tool::Tripline => {
                let last = ran.talk.lines().last().unwrap_or_default();
                let matches = last.split_once(" matches in ").and_then(|(left, _)| left.rsplit(' ').next());
                total(matches.unwrap_or(last))
            }
            Tool::Ripgrep if nothing => total("0"),
            Tool::Ripgrep => total(&ran.out),
            Tool::Captures | Tool::Hyperscan | Tool::Sec => by_rule(ran.out.lines().map(|line| {
                let (rule, hits) = line.split_once(' ')?;
                Some((rule.parse().ok()?, hits.parse().ok()?))
            })),
            Tool::Mtail => mtail_counters(&ran.out),
        }
        .map(Some)
    }
}

fn by_rule(lines: impl Iterator<Item = Option<(usize, u64)>>) -> Result<Found, String> {
    let mut found = Found { hits: 0, by_rule: Vec::new() };
    for line in lines {
        let (rule, hits) = line.ok_or("can not read the matches of a rule")?;
        if found.by_rule.len() <= rule {
            found.by_rule.resize(rule + 1, 0);
        }
        found.by_rule[rule] = hits;
        found.hits += hits;
    }
    Ok(found)
}

/// `{"rule_17": [{"LabelValues": [{"Value": {"Value": 3}}]}]}`
fn mtail_counters(json: &str) -> Result<Found, String> {
    let metrics: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|error| format!("can not read counters: {error}"))?;
    by_rule(metrics.iter().filter(|(name, _)| name.starts_with("rule_")).map(|(name, metric)| {
        let rule = name.strip_prefix("rule_")?.parse().ok()?;
        Some((rule, metric.pointer("/0/LabelValues/0/Value/Value").map_or(Some(0), |value| value.as_u64())?))
    }))
}

/// The tools of this machine, and the rules written for them.
pub(crate) struct Peers {
    dir: PathBuf,
    /// With what each says of its version.
    pub(crate) found: Vec<(Tool, String)>,
    /// What is not here, each with the reason.
    pub(crate) missing: Vec<String>,
}

impl Peers {
    /// Looks for tools; all of them, or those that were asked for.
    pub(crate) fn find(dir: &Path, wanted: Option<&[Tool]>) -> Peers {
        let mut peers = Peers { dir: dir.to_owned(), found: Vec::new(), missing: Vec::new() };
        let hyperscan = measure::compile("hyperscan.c", dir, &["-lhs", "-lpcre2-8"]);
        // tripline is what the others are held against.
        let wanted =
            |tool: &Tool| *tool == Tool::Tripline || wanted.is_none_or(|wanted| wanted.contains(tool));
        for tool in ALL.into_iter().filter(wanted) {
            let version = match tool {
                Tool::Captures | Tool::Hyperscan => {
                    hyperscan.clone().and_then(|program| says(&program.to_string_lossy(), &[]))
                }
                Tool::Read => says("dd", &["--version"]),
                Tool::Wc => says("wc", &["--version"]),
                Tool::Tripline => says(env!("CARGO_BIN_EXE_tripline"), &["--version"]),
                Tool::Ripgrep => says("rg", &["--version"]),
                Tool::Mtail => says("mtail", &["--version"]),
                Tool::Sec => says("sec", &["--version"]),
            };
            match version {
                Ok(version) => peers.found.push((tool, version)),
                Err(why) => peers.missing.push(format!("{tool}: {why}")),
            }
        }
        peers
    }

    pub(crate) fn tools(&self) -> impl Iterator<Item = Tool> {
        self.found.iter().map(|(tool, _)| *tool)
    }

    /// The rules in every tool's own language, over those of before.
    pub(crate) fn write_rules(&self, patterns: &[String]) -> Result<(), String> {
        let mut files = [
            ("rules.toml", String::new()),
            ("rules.rg", String::new()),
            ("rules.hs", String::new()),
            ("rules.pcre", String::new()),
            ("rules.mtail", String::new()),
            ("rules.sec", String::new()),
        ];
        let [toml, rg, hs, pcre, mtail, sec] = files.each_mut().map(|(_, text)| text);
        for (rule, pattern) in patterns.iter().enumerate() {
            let plain = unnamed(pattern);
            let slashed = pattern.replace('/', r"\/").replace("(?<", "(?P<");
            // No log reaches the level, so nothing is printed. A string's `Debug` is TOML's quoting for such patterns.
            let written = write!(
                toml,
                "[[rule]]\nname = \"rule_{rule}\"\nsource = \"suite\"\nmatch = {pattern:?}\nwithin = \"1m\"\n\
                 critical = \">= 1000000\"\n\n"
            )
            // ripgrep joins patterns with `|`; without a group a leading `(?i)` would reach into the next.
            .and_then(|()| writeln!(rg, "(?:{plain})"))
            .and_then(|()| writeln!(hs, "{}", within_line(&plain)))
            .and_then(|()| writeln!(pcre, "{pattern}"))
            .and_then(|()| writeln!(mtail, "counter rule_{rule}\n/{slashed}/ {{\n  rule_{rule}++\n}}"))
            // SEC stops at the first rule that matches unless told otherwise.
            .and_then(|()| {
                writeln!(
                    sec,
                    "type=Single\nptype=RegExp\ncontinue=TakeNext\npattern={pattern}\ndesc={rule}\n\
                     action=lcall %o -> ( sub {{ ++$hits[{rule}] }} )\n"
                )
            });
            written.map_err(|error| error.to_string())?;
        }
        sec.push_str(
            "type=Single\nptype=SubStr\ncontext=[SEC_INTERNAL_EVENT]\npattern=SEC_SHUTDOWN\ndesc=end\n\
             action=lcall %o -> ( sub { print STDOUT map { \"$_ $hits[$_]\\n\" } grep { $hits[$_] } 0..$#hits } )\n",
        );
        for (name, text) in files {
            let path = self.dir.join(name);
            std::fs::write(&path, text)
                .map_err(|error| format!("can not write `{}`: {error}", path.display()))?;
        }
        Ok(())
    }

    /// What [`Peers::write_rules`] wrote for tripline.
    pub(crate) fn rules(&self) -> Result<String, String> {
        let path = self.dir.join("rules.toml");
        std::fs::read_to_string(&path).map_err(|error| format!("can not read `{}`: {error}", path.display()))
    }

    pub(crate) fn command(&self, tool: Tool, log: &Path) -> Vec<String> {
        let file = |name: &str| self.dir.join(name).to_string_lossy().into_owned();
        let log = log.to_string_lossy().into_owned();
        let words: Vec<&str> = match tool {
            Tool::Read => vec!["dd", "of=/dev/null", "bs=256K", "status=none"],
            Tool::Wc => vec!["wc", "-l", &log],
            Tool::Tripline => {
                return [
                    env!("CARGO_BIN_EXE_tripline"),
                    "replay",
                    "--tz",
                    "UTC",
                    "--year",
                    "2026",
                    "--rules",
                    &file("rules.toml"),
                    &log,
                ]
                .map(str::to_owned)
                .into();
            }
            Tool::Captures | Tool::Hyperscan => {
                let way = if tool == Tool::Captures { "captures" } else { "scan" };
                return vec![file("hyperscan"), way.into(), file("rules.hs"), file("rules.pcre"), log];
            }
            // The limits only matter for a thousand patterns, which else are refused or thrash its cache.
            Tool::Ripgrep => vec![
                "rg",
                "--no-config",
                "--no-unicode",
                "--regex-size-limit=1G",
                "--dfa-size-limit=1G",
                "-c",
                "-f",
            ],
            Tool::Mtail => vec!["mtail", "--one_shot", "--port=0", "--logtostderr", "--progs"],
            Tool::Sec => vec!["sec", "--fromstart", "--notail", "--intevents"],
        };
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        match tool {
            Tool::Read => words.push(format!("if={log}")),
            Tool::Ripgrep => words.extend([file("rules.rg"), log]),
            Tool::Mtail => words.extend([file("rules.mtail"), "--logs".to_owned(), log]),
            Tool::Sec => words.extend([format!("--conf={}", file("rules.sec")), format!("--input={log}")]),
            Tool::Wc | Tool::Tripline | Tool::Captures | Tool::Hyperscan => {}
        }
        words
    }

    /// The command for a reader: without folders that are gone.
    pub(crate) fn shown(&self, tool: Tool) -> String {
        let words = self.command(tool, &self.dir.join("whole.log")).join(" ");
        words
            .replace(&format!("{}/", self.dir.display()), "")
            .replace(env!("CARGO_BIN_EXE_tripline"), "tripline")
    }
}

/// The first line of a program's version.
fn says(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("can not run `{program}`: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned).ok_or(format!("`{program}` does not tell its version"))
}

/// Named groups as plain ones: ripgrep wants every name once in all patterns.
fn unnamed(pattern: &str) -> String {
    let mut plain = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("(?<") {
        plain.push_str(before);
        plain.push('(');
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    plain + rest
}

/// The same pattern over a block: no class takes a newline. The logs have no white space but blanks.
fn within_line(pattern: &str) -> String {
    pattern.replace("[^", r"[^\n").replace(r"\s", " ")
}
