//! The source text is data too: what the compiler can not see is held against it here. Each failure names the line
//! and the way out.

#![expect(clippy::disallowed_methods, reason = "the source text lies in files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms of the library, lowest first, each with the rooms below it that it names. This is the whole map: what
/// is not listed is not allowed, and what is listed is needed.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("untrusted", &[]),
    ("packs", &[]),
    ("admin", &["model"]),
    ("rule", &["model", "untrusted"]),
    ("settings", &["model", "rule"]),
    ("saved", &["model"]),
    ("scan", &["model", "rule"]),
    ("engine", &["model", "rule", "saved", "scan"]),
    ("route", &["model", "rule", "saved", "engine"]),
    ("scenario", &["model", "rule", "saved", "scan", "engine", "route"]),
    ("config", &["model", "untrusted", "rule", "settings", "scan", "scenario"]),
    ("tail", &["model", "settings", "saved", "scan"]),
    ("sink", &["model", "untrusted", "settings", "saved"]),
    ("store", &["model", "saved"]),
    ("http", &["model", "untrusted", "admin"]),
    ("playground", &["model", "untrusted", "rule", "saved", "scan", "engine", "config", "route", "sink"]),
    (
        "daemon",
        &[
            "model",
            "untrusted",
            "admin",
            "rule",
            "settings",
            "saved",
            "scan",
            "engine",
            "config",
            "route",
            "tail",
            "sink",
            "store",
            "http",
            "playground",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "untrusted",
            "admin",
            "rule",
            "settings",
            "saved",
            "scan",
            "engine",
            "scenario",
            "config",
            "route",
            "tail",
            "sink",
            "daemon",
            "packs",
        ],
    ),
];

/// Rooms and files that decide: they are told the time and the facts, and touch nothing outside of memory.
const PURE: &[&str] = &[
    "src/admin.rs",
    "src/config/",
    "src/engine/",
    "src/model.rs",
    "src/packs.rs",
    "src/playground.rs",
    "src/route.rs",
    "src/rule/",
    "src/saved.rs",
    "src/scan/",
    "src/scenario/",
    "src/settings/",
    "src/sink/",
    "src/tail/evidence.rs",
    "src/tail/follow.rs",
    "src/tail/lag.rs",
    "src/tail/start.rs",
    "src/untrusted.rs",
];

/// What pure code must not name. Types of addresses are values, so of `std::net` only the sockets stand here.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "std::os",
    "std::io::std",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "SystemTime",
    "Instant::now",
    "time::Instant",
    "Timestamp::now",
    "Zoned::now",
    "TimeZone::system",
    "fastrand::u",
    "Rng::new",
    "inotify::",
    "reqwest::",
    "rustix::",
    "tokio::",
];

/// Parts of names that say nothing or something else here, each with the word to use.
const AVOIDED: &[(&str, &str)] = &[
    ("Common", "say what it is"),
    ("Event", "a line, a record, a match or a transition; the word is free on a peer's wire"),
    ("Fingerprint", "a key of an alert, evidence about a file"),
    ("Handler", "say what it does"),
    ("Helper", "say what it does"),
    ("Incident", "an alert; incidents are what the people called make of it"),
    ("Manager", "say what it does"),
    ("Message", "a line, a summary or a remark"),
    ("Misc", "say what it is"),
    ("Util", "say what it does"),
];

/// The files and folders of `sink` that know no peer. In all others stand wire types: there the peer's words win.
const NO_WIRES: &[&str] = &["attempt", "budget", "mod", "queue", "sample", "standing", "text"];

fn is_wire(path: &str) -> bool {
    let inside = path.strip_prefix("src/sink/").and_then(|file| file.split(['/', '.']).next());
    inside.is_some_and(|part| !NO_WIRES.contains(&part))
}

struct Source {
    /// From the top of the project, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Its lines from 1, and for each whether it is compiled for tests only. Tests stand at the foot of a file.
    fn lines(&self, tests: &BTreeSet<String>) -> impl Iterator<Item = (usize, &str, bool)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let opens = |at: usize| {
            let below = lines[at + 1..].iter().find(|line| !line.trim_start().starts_with("#["));
            lines[at] == "#[cfg(test)]" && below.is_some_and(|line| line.ends_with(" {"))
        };
        let all = !self.path.starts_with("src/") || tests.contains(&self.path);
        let foot = if all { 0 } else { (0..lines.len()).find(|at| opens(*at)).unwrap_or(lines.len()) };
        self.text.lines().enumerate().map(move |(at, line)| (at + 1, line, at >= foot))
    }

    /// The room it belongs to; none for `lib.rs` and `main.rs`.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let room = inside.split(['/', '.']).next()?;
        (room != "lib" && room != "main").then_some(room)
    }

    /// The folder in which the files of its child modules lie.
    fn children(&self) -> PathBuf {
        let path = Path::new(&self.path);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let root = ["lib", "main", "mod"].contains(&stem)
            || self.path == "tests/all.rs"
            || self.path == "benches/pipeline.rs";
        if root { folder.to_owned() } else { folder.join(stem) }
    }

    /// The files it names with `mod`, and whether only for tests.
    fn named(&self) -> Vec<(Vec<String>, usize, bool)> {
        let mut named = Vec::new();
        let (mut tests_only, mut other_path) = (false, None);
        for (number, line) in (1..).zip(self.text.lines()) {
            let line = line.trim();
            if line == "#[cfg(test)]" {
                tests_only = true;
            } else if let Some(path) = line.strip_prefix("#[path = \"") {
                other_path = path.strip_suffix("\"]").map(str::to_owned);
            } else if let Some(name) = declared(line) {
                let beside = Path::new(&self.path).parent().unwrap_or(Path::new(""));
                let folder = self.children();
                let places = match other_path.take() {
                    Some(path) => vec![beside.join(path)],
                    None => vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")],
                };
                let places = places.iter().map(|place| straight(place)).collect();
                named.push((places, number, tests_only));
                tests_only = false;
            } else if !line.starts_with("#[") && !line.starts_with("//") {
                tests_only = false;
            }
        }
        named
    }
}

/// The path without `..`.
fn straight(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The module that a line declares, if its text stands in another file.
fn declared(line: &str) -> Option<&str> {
    let line = line.split_once("; //").map_or(line, |(line, _)| line).trim_end_matches(';');
    let (visibility, name) = line.split_once("mod ")?;
    let visible = visibility.is_empty() || visibility == "pub " || visibility.starts_with("pub(");
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (visible && plain && !name.is_empty()).then_some(name)
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project with one of these endings, sorted by path.
fn sources(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if ![".git", "target"].contains(&name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let text = std::fs::read_to_string(&path).expect("text");
                let path = path.strip_prefix(top()).expect("below the top").to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn rust() -> Vec<Source> {
    sources(&["src", "tests", "benches"], &[".rs"])
}

/// Files below `src` that are compiled for tests only, because only tests name them.
fn test_files(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // A file that is named by a test file is one too; two rounds reach as deep as the tree is.
    for _ in 0..2 {
        for source in sources {
            let whole = found.contains(&source.path);
            let named = source.named().into_iter().filter(|(_, _, tests_only)| *tests_only || whole);
            found.extend(named.flat_map(|(places, ..)| places).collect::<Vec<_>>());
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// True if `word` stands in `line` with no letter, digit or `_` beside it.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part) && (!word.ends_with(part) || !line[at + word.len()..].starts_with(part))
    })
}

/// The rooms that a line names as `crate::room`.
fn rooms_named(line: &str) -> Vec<&str> {
    let room = |rest: &'_ str| rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
    line.match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, words)| &line[at + words.len()..])
        .map(|rest| &rest[..room(rest)])
        .collect()
}

#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_room_names_only_rooms_below_it() {
    let sources = rust();
    let tests = test_files(&sources);
    let below: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for source in &sources {
        let Some(room) = source.room() else { continue };
        let Some(allowed) = below.get(room) else {
            problems.push(format!("{}: `{room}` has no place in LAYERS of tests/tidy.rs", source.path));
            continue;
        };
        for (number, line, test) in source.lines(&tests) {
            if test || is_comment(line) {
                continue;
            }
            for named in rooms_named(line) {
                if named == room {
                    continue;
                }
                used.insert((room, named));
                if named.is_empty() {
                    problems.push(format!(
                        "{}:{number}: write one `use crate::room::…` for each room, so that layers can be read",
                        source.path
                    ));
                } else if !allowed.contains(&named) {
                    problems.push(format!(
                        "{}:{number}: `{room}` names `{named}`, which does not lie below it; hand the value in as \
                         an argument, move the type down, or put the pair into LAYERS of tests/tidy.rs with a reason",
                        source.path
                    ));
                }
            }
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for (room, allowed) in LAYERS {
        for named in *allowed {
            if !seen.contains(named) {
                problems.push(format!("tests/tidy.rs: LAYERS: `{named}` does not lie below `{room}`"));
            } else if !used.contains(&(*room, *named)) {
                problems.push(format!("tests/tidy.rs: LAYERS: `{room}` does not name `{named}`; strike it"));
            }
        }
        seen.push(room);
    }
    none(problems);
}

#[test]
fn the_map_shows_every_room() {
    let map = std::fs::read_to_string(top().join("src/lib.rs")).expect("the map");
    let shown: BTreeSet<&str> = map.lines().filter_map(declared).collect();
    let rooms: BTreeSet<&str> = LAYERS.iter().map(|(room, _)| *room).collect();
    assert_eq!(shown, rooms, "`pub mod`s of src/lib.rs against LAYERS of tests/tidy.rs");
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let sources = rust();
    let tests = test_files(&sources);
    let mut problems = Vec::new();
    for place in PURE {
        assert!(
            sources.iter().any(|source| source.path.starts_with(place)),
            "tests/tidy.rs: PURE: there is no `{place}`"
        );
    }
    for source in sources.iter().filter(|source| PURE.iter().any(|place| source.path.starts_with(place))) {
        for (number, line, test) in source.lines(&tests) {
            if test || is_comment(line) {
                continue;
            }
            let listed = |word: &str| {
                line.contains("std::time::{") && word == "time::Instant" && has_word(line, "Instant")
            };
            for word in OUTSIDE.iter().filter(|word| has_word(line, word) || listed(word)) {
                problems.push(format!(
                    "{}:{number}: `{word}` in a pure room; take the fact or the time as an argument, and ask for \
                     it in `daemon`, `cli`, `store` or `tail::disk`",
                    source.path
                ));
            }
        }
    }
    none(problems);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    let place = "src/scan/sieve/simd.rs";
    let sources = rust();
    let of_ours = sources.iter().filter(|source| source.path.starts_with("src/"));
    let mut problems = Vec::new();
    let mut seen = false;
    for source in of_ours {
        let lines: Vec<&str> = source.text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| !is_comment(line)) {
            let named = has_word(line, "unsafe") || has_word(line, "unsafe_code");
            seen |= named && source.path == place;
            let number = at + 1;
            if named && source.path != place {
                problems.push(format!("{}:{number}: `unsafe`; it stands in `{place}` alone", source.path));
            }
            let explained = lines[at.saturating_sub(2)..at].iter().any(|line| line.contains("// SAFETY: "));
            if has_word(line, "unsafe") && !explained {
                problems.push(format!(
                    "{}:{number}: say above it, behind `// SAFETY: `, why it holds",
                    source.path
                ));
            }
        }
    }
    assert!(seen, "tests/tidy.rs: there is no `unsafe` in `{place}`");
    none(problems);
}

#[test]
fn every_file_is_compiled() {
    let sources = rust();
    let mut problems = Vec::new();
    let roots = [
        "src/lib.rs",
        "src/main.rs",
        "tests/all.rs",
        "tests/fuzz/fuzz_targets/config.rs",
        "tests/fuzz/fuzz_targets/expression.rs",
        "tests/fuzz/fuzz_targets/scan.rs",
        "benches/admin/main.rs",
        "benches/containers/main.rs",
        "benches/deliver/main.rs",
        "benches/memory.rs",
        "benches/pipeline.rs",
        "benches/render.rs",
        "benches/suite/main.rs",
        "benches/tail/main.rs",
    ];
    let mut named: BTreeSet<String> = roots.map(str::to_owned).into();
    for source in &sources {
        for (places, number, _) in source.named() {
            let there = |place: &&String| sources.iter().any(|source| source.path == **place);
            match places.iter().find(there) {
                Some(place) => drop(named.insert(place.clone())),
                None => problems.push(format!("{}:{number}: names a file that is not there", source.path)),
            }
        }
    }
    for source in sources.iter().filter(|source| !named.contains(&source.path)) {
        problems.push(format!("{}:1: no `mod` names it; name it or delete it", source.path));
    }
    none(problems);
}

#[test]
fn nothing_is_left_over() {
    let words: [(String, &str); 7] = [
        (["to", "do!"].concat(), "write it"),
        (["unimple", "mented!"].concat(), "write it"),
        (["db", "g!"].concat(), "take it out"),
        (["TO", "DO"].concat(), "do it, or write it down where wishes are kept"),
        (["FIX", "ME"].concat(), "fix it, or assert what is and say so"),
        (["X", "XX"].concat(), "say it in words"),
        (
            ["#[ig", "nore"].concat(),
            "a test that does not run proves nothing; what takes long belongs to .ci/full",
        ),
    ];
    let mut problems = Vec::new();
    let all =
        sources(&["."], &[".rs", ".toml", ".md", ".yaml", ".service", ".txt", "Dockerfile", "run", "full"]);
    for source in &all {
        for (number, line) in (1..).zip(source.text.lines()) {
            let mut say = |what: &str, way: &str| {
                problems.push(format!("{}:{number}: {what}; {way}", source.path));
            };
            for (word, way) in words.iter().filter(|(word, _)| has_word(line, word)) {
                say(&format!("`{word}`"), way);
            }
            if line.ends_with([' ', '\t', '\r']) {
                say("white space at the end", "cut it");
            }
            if line.contains('\t') {
                say("a tab", "use blanks, or write `\\t`");
            }
        }
        if !source.text.is_empty() && (!source.text.ends_with('\n') || source.text.ends_with("\n\n")) {
            let last = source.text.lines().count();
            problems
                .push(format!("{}:{last}: the last line has not exactly one end; give it one", source.path));
        }
    }
    none(problems);
}

/// A test that sleeps is slow on good days and red on bad ones. What has to ask again and again until a process
/// outside answers may wait between two questions, and says so in the `expect` that it needs for it anyway.
#[test]
fn tests_wait_for_facts() {
    let sleep = ["sle", "ep("].concat();
    let sources = rust();
    let tests = test_files(&sources);
    let mut problems = Vec::new();
    for source in &sources {
        let lines: Vec<_> = source.lines(&tests).collect();
        let says = |lines: &[(usize, &str, bool)]| {
            lines.iter().any(|(_, line, _)| line.contains("disallowed_methods"))
        };
        let whole_file = source.text.contains("#![expect(") && says(&lines[..lines.len().min(40)]);
        for (at, (number, line, test)) in lines.iter().enumerate() {
            let explained = whole_file || says(&lines[at.saturating_sub(8)..at]);
            if *test && line.contains(&sleep) && !is_comment(line) && !explained {
                problems.push(format!(
                    "{}:{number}: a test sleeps; wait on the fact, or explain it with `#[expect(clippy::\
                     disallowed_methods, reason = …)]` right above",
                    source.path
                ));
            }
        }
    }
    none(problems);
}

#[test]
fn a_page_has_one_title() {
    let mut problems = Vec::new();
    for page in sources(&["."], &[".md"]) {
        let mut code = false;
        let mut titles = Vec::new();
        for (number, line) in (1..).zip(page.text.lines()) {
            code ^= line.starts_with("```");
            if !code && line.starts_with("# ") {
                titles.push(number);
            }
        }
        if titles != [1] {
            problems.push(format!("{}:1: titles at lines {titles:?}; one `# ` on the first line", page.path));
        }
    }
    none(problems);
}

#[test]
fn names_are_those_of_the_glossary() {
    let mut problems = Vec::new();
    for source in rust() {
        for folder in source.path.split(['/', '.']) {
            for vague in ["common", "handler", "helpers", "manager", "misc", "util", "utils"] {
                if folder == vague {
                    problems.push(format!("{}:1: `{vague}` says nothing; name what is inside", source.path));
                }
            }
        }
        for (number, line) in (1..).zip(source.text.lines()).filter(|(_, line)| !is_comment(line)) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let kind = |word: &str| ["struct", "enum", "trait", "type", "union"].contains(&word);
            for name in words.windows(2).filter(|pair| kind(pair[0])).map(|pair| pair[1]) {
                let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                for (avoided, instead) in AVOIDED.iter().filter(|(avoided, _)| name.contains(avoided)) {
                    if !is_wire(&source.path) {
                        problems
                            .push(format!("{}:{number}: `{name}` says `{avoided}`; {instead}", source.path));
                    }
                }
            }
        }
    }
    none(problems);
}

/// The checks above are only as good as their eyes.
#[test]
fn the_eyes_see() {
    assert_eq!(rooms_named("use crate::tail::{self}; x(my_crate::no, crate::sink)"), ["tail", "sink"]);
    assert_eq!(rooms_named("use crate::{tail, sink};"), [""]);
    assert!(has_word("a Rng::new()", "Rng::new") && !has_word("StringRng::new()", "Rng::new"));
    assert!(has_word("std::fs::read", "std::fs") && !has_word("std::fsx", "std::fs"));
    assert_eq!(declared("pub(crate) mod sample;"), Some("sample"));
    assert_eq!(declared("mod tests {"), None);
    let text = "use a;\n#[cfg(test)]\nmod b;\nfn c() {}\n\n#[cfg(test)]\n#[x]\nmod tests {\n}\n".to_owned();
    let source = Source { path: "src/x.rs".to_owned(), text };
    let foot: Vec<bool> = source.lines(&BTreeSet::new()).map(|(_, _, test)| test).collect();
    assert_eq!(foot, [false, false, false, false, false, true, true, true, true]);
    let named = (vec!["src/x/b.rs".to_owned(), "src/x/b/mod.rs".to_owned()], 3, true);
    assert_eq!(source.named(), [named]);
}
