//! Rotation, truncation and sudden death: every line counts once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use jiff::Timestamp;

use crate::support::sandbox::{Finished, Peer, Running, Sandbox, accepted};

/// How much is done, unless `TRIPLINE_CHAOS` multiplies it.
const RENAMES: usize = 50;
const TRUNCATIONS: usize = 20;
const KILLS: usize = 20;
const STOPS: usize = 10;
const LINES_PER_BURST: usize = 60;
const KEYS: usize = 3;

/// Counts at which a key is warned of and called critical: both are reached by every key, on the way.
const RULES: &str = r#"
[defaults]
source = "app"

[[rule]]
name = "burst"
match = 'key=(?<key>\w+) failed'
resolve = 'key=(?<key>\w+) done'
by = ["key"]
within = "1h"
warning = ">= 100"
critical = ">= 1000"
summary = "{count} of {key}"

[[rule]]
name = "mark"
match = 'mark (?<n>\d+)$'
by = ["n"]
severity = "info"
resolve_after = "1h"
summary = "{n}"
"#;

fn config(url: &str) -> String {
    format!(
        r#"
state_dir = "state"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["app.log*"]
exclude = ["*.left"]
start = "beginning"
tz = "UTC"
[[sink]]
name = "out"
type = "stdout"
[[sink]]
name = "oncall"
type = "flashduty"
url = "{url}"
integration_key_file = "key"
"#
    )
}

struct World {
    sandbox: Sandbox,
    rng: fastrand::Rng,
    /// Every line that was written, in order.
    written: String,
    counts: BTreeMap<String, u64>,
    marks: usize,
    /// Copies that fit the globs.
    copies: usize,
    file: std::fs::File,
    past: Vec<Finished>,
}

impl World {
    fn put(&mut self, lines: &str) {
        // In pieces, so that lines are seen half written.
        let mut rest = lines.as_bytes();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(self.rng.usize(1..=rest.len()));
            self.file.write_all(now).expect("the log can be written");
            rest = later;
        }
        self.written += lines;
    }

    fn burst(&mut self) {
        let mut lines = String::new();
        for _ in 0..self.rng.usize(1..=LINES_PER_BURST * 2) {
            let key = format!("k{}", self.rng.usize(0..KEYS));
            let noise = self.rng.alphabetic();
            let _ = writeln!(lines, "{} app: key={key} failed {noise}", Timestamp::now());
            let _ = writeln!(lines, "{} app: all is well with {noise}", Timestamp::now());
            *self.counts.entry(key).or_default() += 1;
        }
        self.put(&lines);
    }

    /// Writes a line that raises an alert, and waits for it: what was written before is read and committed by then.
    fn mark(&mut self, running: &mut Running) {
        self.marks += 1;
        let mark = self.marks.to_string();
        self.put(&format!("{} app: mark {mark}\n", Timestamp::now()));
        let what = format!("mark {mark}");
        running.wait_for(crate::support::sandbox::Out::Stdout, &what, |line| {
            let json = crate::support::sandbox::parse(line);
            json["rule"] == "mark" && json["labels"]["n"] == *mark
        });
    }

    fn rename(&mut self, number: usize) {
        let name = format!("app.log.{number}");
        std::fs::rename(self.sandbox.path("app.log"), self.sandbox.path(&name)).expect("it can be renamed");
        if self.rng.bool() {
            // A program that has not noticed yet writes on into the old file.
            self.burst();
        }
        self.file = self.sandbox.appender("app.log");
    }

    fn truncate(&mut self, number: usize, running: &mut Running) {
        self.mark(running);
        // Every other copy fits the globs, and is known for what it is.
        self.copies += usize::from(number.is_multiple_of(2));
        let name = format!("app.log.{number}.{}", if number.is_multiple_of(2) { "copy" } else { "left" });
        std::fs::copy(self.sandbox.path("app.log"), self.sandbox.path(&name)).expect("it can be copied");
        self.file.set_len(0).expect("it can be truncated");
    }
}

#[derive(Clone, Copy)]
enum Act {
    Rename,
    Truncate,
    Kill,
    /// A clean one, while lines are written.
    Stop,
}

#[test]
fn case_58_and_62_rotation_truncation_kill_and_stop_lose_nothing_and_count_nothing_twice() {
    let times = std::env::var("TRIPLINE_CHAOS").map_or(1, |times| times.parse().unwrap());
    let seed =
        std::env::var("TRIPLINE_CHAOS_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    let peer = Peer::new([]);
    let sandbox = Sandbox::new();
    sandbox.write("tripline.toml", config(&peer.url()));
    sandbox.write("key", "k");
    sandbox.write("rules/r.toml", RULES);
    sandbox.write("app.log", "");
    let file = sandbox.appender("app.log");
    let rng = fastrand::Rng::with_seed(seed);
    let mut world = World {
        sandbox,
        rng,
        written: String::new(),
        counts: BTreeMap::new(),
        marks: 0,
        copies: 0,
        file,
        past: Vec::new(),
    };
    let mut acts: Vec<Act> =
        [(Act::Rename, RENAMES), (Act::Truncate, TRUNCATIONS), (Act::Kill, KILLS), (Act::Stop, STOPS)]
            .into_iter()
            .flat_map(|(act, n)| std::iter::repeat_n(act, n * times))
            .collect();
    world.rng.shuffle(&mut acts);

    let mut running = world.sandbox.watch("tripline.toml");
    for (number, act) in acts.into_iter().enumerate() {
        world.burst();
        match act {
            Act::Rename => world.rename(number),
            Act::Truncate => world.truncate(number, &mut running),
            Act::Kill => {
                world.past.push(running.kill());
                if world.rng.bool() {
                    world.burst();
                }
                running = world.sandbox.watch("tripline.toml");
            }
            Act::Stop => {
                running.signal(rustix::process::Signal::TERM);
                world.burst();
                world.past.push(running.finish().expect(0));
                running = world.sandbox.watch("tripline.toml");
            }
        }
    }
    world.burst();
    // A short file whose name could be that of a copy is held back for a second.
    let files = (RENAMES * times + 1 + world.copies) as f64;
    running.metric("tripline_source_files{source=\"app\"}", |followed| followed == files);
    running.metric("tripline_source_problems{source=\"app\"}", |problems| problems == 0.0);
    running.metric("tripline_source_unread_bytes{source=\"app\"}", |unread| unread == 0.0);
    world.mark(&mut running);
    let mut end = String::new();
    for key in world.counts.keys() {
        let _ = writeln!(end, "{} app: key={key} done", Timestamp::now());
    }
    world.put(&end);
    let keys = world.counts.len();
    peer.wait_until(&format!("{keys} resolves, seed {seed}"), |requests| {
        accepted(requests).iter().filter(|told| told["event_status"] == "Ok").count() >= keys
    });
    running.metric("tripline_outbox_deliveries{sink=\"out\"}", |owed| owed == 0.0);
    world.past.push(running.stop().expect(0));

    // The same lines in one file, read by one process.
    world.sandbox.write("plain", &world.written);
    let plain = world.sandbox.run(&["replay", "--rules", "rules/r.toml", "--json", "plain"]).expect(0);
    let totals = |all: &[serde_json::Value]| -> BTreeMap<String, u64> {
        let over = all.iter().filter(|json| json["rule"] == "burst" && json["status"] == "ok");
        over.map(|json| (json["labels"]["key"].as_str().unwrap().to_owned(), json["total"].as_u64().unwrap()))
            .collect()
    };
    assert_eq!(totals(&plain.json()), world.counts, "the plain run, seed {seed}");
    let lines: Vec<_> = world.past.iter().flat_map(Finished::json).collect();
    assert_eq!(totals(&lines), world.counts, "seed {seed}");

    // Told once each, in order; the same request may come twice, because a process was killed before the answer.
    let mut told: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
    for request in peer.received() {
        let json = crate::support::sandbox::told(&request);
        let of_key = told.entry(json["alert_key"].as_str().unwrap().to_owned()).or_default();
        let status = json["event_status"].as_str().unwrap().to_owned();
        if of_key.last().is_none_or(|(_, body)| *body != request.body) {
            of_key.push((status, request.body));
        }
    }
    let statuses = |key: &str| -> Vec<Vec<&str>> {
        let of_rule = told.iter().filter(|(alert_key, _)| alert_key.starts_with(key));
        of_rule.map(|(_, all)| all.iter().map(|(status, _)| status.as_str()).collect()).collect()
    };
    assert_eq!(statuses("burst:"), vec![vec!["Warning", "Critical", "Ok"]; keys], "seed {seed}");
    assert_eq!(statuses("mark:"), vec![vec!["Info"]; world.marks], "seed {seed}");
    assert_eq!(told.len(), keys + world.marks, "nothing else was raised, seed {seed}: {told:#?}");
}
