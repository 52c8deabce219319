//! Which series `/metrics` has: names that the configuration chose, however much others write, create and ask.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::sandbox;
use crate::support::sandbox::{Running, Sandbox};

const CONFIG: &str = r#"
state_dir = "state"
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["logs/**/*.log"]
[[sink]]
name = "out"
type = "stdout"
"#;

/// Whatever stands before and behind the key is hostile too.
const RULES: &str = r"
[[rule]]
name = 'seen'
source = 'app'
match = '(?s)^(?<before>.*) key (?<key>\S+)(?<behind>.*)$'
by = ['key']
max_keys = 100000
max_raises = 'never'
flap = 'never'
resolve_after = '1h'
summary = '{before} {behind}'
labels = { file = '{file}' }

[[rule]]
name = 'often'
source = 'app'
match = 'key (?<key>\S+)'
by = ['key']
max_keys = 100000
within = '1h'
warning = '>= 1000000'
summary = '{key}'
";

/// Series of a rule, of a sink and of a source, at most.
const OF_A_RULE: usize = 20;
const OF_A_SINK: usize = 50;
const OF_A_SOURCE: usize = 20;
/// Of each of the worst files of a source three.
const OF_FILES: usize = 3 * 20;
/// Those of the process.
const OF_THE_PROCESS: usize = 20;

const MOST_BYTES: usize = 1 << 20;

fn open() -> (Sandbox, Running) {
    let sandbox = sandbox(CONFIG, RULES);
    std::fs::create_dir(sandbox.path("logs")).expect("a folder can be made");
    let running = sandbox.watch("tripline.toml");
    (sandbox, running)
}

/// Every sample of `/metrics` without its value.
fn series(text: &str) -> Vec<&str> {
    let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').expect("a value").0).collect()
}

/// As many as there may be, none twice, and within the bound of bytes.
#[track_caller]
fn are_bounded(text: &str) {
    let all = series(text);
    let of = |label: &str| {
        let named = all.iter().filter_map(|series| series.split_once(label)?.1.split('"').next());
        named.collect::<BTreeSet<_>>().len()
    };
    let (rules, sinks, sources) = (of("{rule=\""), of("{sink=\""), of("{source=\""));
    assert!(rules > 2 && sinks == 1 && sources == 1, "{rules} {sinks} {sources}");
    let most = OF_A_RULE * rules + OF_A_SINK * sinks + (OF_A_SOURCE + OF_FILES) * sources + OF_THE_PROCESS;
    assert!(all.len() <= most, "{} series of {most}", all.len());
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:#?}");
    assert!(text.len() <= MOST_BYTES, "{} bytes", text.len());
}

/// What nobody would want to find among names of metrics.
fn hostile(n: usize) -> String {
    let vectors =
        ["\"}\\n", "{a=\"b\"}", "\u{1b}[31m", "\u{202e}", "#EOF", "\\", "{rule=\"x\"}", "\u{0}", "é,'`$"];
    format!("{}{n}", vectors[n % vectors.len()])
}

fn ask(address: &str, line: &str) {
    let mut peer = TcpStream::connect(address).expect("it listens");
    let request = format!("{line} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
    peer.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).expect("it answers and closes");
    assert!(answer.starts_with(b"HTTP/1.1 "), "{line}: {answer:?}");
}

#[test]
fn the_series_are_the_same_whatever_is_written_created_and_asked() {
    const KEYS: usize = 3000;
    const FILES: usize = 300;
    let (sandbox, mut running) = open();
    sandbox.write("logs/a.log", "one key a\n");
    running.metric(r#"tripline_rule_keys{rule="often"}"#, |n| n == 1.0);
    running.metric(r#"tripline_outbox_deliveries{sink="out"}"#, |n| n == 0.0);
    let few = running.get("/metrics");
    are_bounded(&few);
    running.stop().expect(0);

    let (sandbox, mut running) = open();
    for file in 0..FILES {
        let name = hostile(file).replace(['\0', '/'], "");
        let line = |n: usize| format!("{} key {}-{n}{}\n", hostile(n), hostile(n), hostile(n + 1));
        let lines: String = (file * KEYS / FILES..(file + 1) * KEYS / FILES).map(line).collect();
        sandbox.write(&format!("logs/{file}/{name}.log"), lines);
    }
    running.metric(r#"tripline_rule_keys{rule="often"}"#, |n| n == KEYS as f64);
    running.metric(r#"tripline_rule_keys{rule="seen"}"#, |n| n == KEYS as f64);
    running.metric(r#"tripline_outbox_deliveries{sink="out"}"#, |n| n == 0.0);
    let address = running.admin();
    for line in
        ["BREW /metrics", "GET /{rule}", "DELETE /api/v1/silences/%22%7D", "PUT /", "GET /metrics?x=%22"]
    {
        ask(&address, line);
    }
    let many = running.get("/metrics");
    are_bounded(&many);
    assert_eq!(series(&many), series(&few));
    running.stop().expect(0);
}

/// Only files that are behind or have lost bytes have series, so few of each source that it can be said how many.
#[test]
fn files_that_are_behind_are_named_by_few_and_short_series() {
    let (sandbox, mut running) = open();
    // Each byte of such a name is shown as four; two names differ where nobody can see it.
    let deep = vec!["\u{1}".repeat(250); 14].join("/");
    let names: Vec<Vec<u8>> =
        (0..100u8).map(|n| [b"x".as_slice(), &[0x80 + n % 50, n / 50 + 1], b".log"].concat()).collect();
    let paths: Vec<_> = names
        .iter()
        .map(|name| {
            use std::os::unix::ffi::OsStrExt as _;
            sandbox.path("logs").join(&deep).join(std::ffi::OsStr::from_bytes(name))
        })
        .collect();
    std::fs::create_dir_all(paths[0].parent().expect("a folder")).expect("folders can be made");
    for path in &paths {
        std::fs::write(path, "").expect("a name that may be");
    }
    running.metric(r#"tripline_source_files{source="app"}"#, |n| n == paths.len() as f64);
    // Without its directory nothing can be committed, so that reading pauses and what is written waits.
    std::fs::remove_dir_all(sandbox.path("state")).expect("it is ours");
    std::fs::write(&paths[0], "one key a\n").expect("it was made");
    running.metric(r#"tripline_alerts{rule="tripline_store_failed",status="critical"}"#, |n| n == 1.0);
    for path in &paths {
        std::fs::write(path, "more lines, and all of them are unread\n").expect("it was made");
    }
    running.metric(r#"tripline_source_files_behind{source="app"}"#, |n| n == paths.len() as f64);
    let text = running.get("/metrics");
    assert!(text.contains("tripline_file_unread_bytes{"), "{text}");
    are_bounded(&text);
    assert!(text.lines().all(|line| line.len() < 1024 && !line.contains('\u{1}')), "{text}");
}
