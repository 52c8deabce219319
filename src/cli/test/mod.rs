//! `tripline test`: rules are held against what their tests say.

mod render;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;

use super::{COULD_NOT, Color, Failure, NO, answer, load, render as diagnostics, talk};
use crate::config::probe::Probe;
use crate::config::{self, Diagnostic, Severity, Sources, Text};
use crate::model::{Format, SourceName};
use crate::rule::Ruleset;
use crate::scenario::{self, Coverage, LineVerdict, Lines, Scenario, Suite, Verdict};
use crate::settings::plain;

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Test files, rule files with tests, or directories of them [default: the working directory and `rules`]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only tests whose name holds this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Fail if a pattern is reached by no line of any test
    #[arg(long)]
    strict: bool,
    /// Write what came of it into the files, as what is expected from now on
    #[arg(long)]
    update: bool,
    /// One JSON object per test, and one for all
    #[arg(long)]
    json: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// A file of tests with all it speaks of.
struct Loaded {
    text: Text,
    suite: Suite,
    ruleset: Arc<Ruleset>,
    samples: BTreeMap<PathBuf, String>,
    /// Per test, in its order.
    reloads: Vec<Vec<Arc<Ruleset>>>,
}

/// What came of a file of tests.
struct Played<'a> {
    loaded: &'a Loaded,
    lines: Vec<Vec<LineVerdict>>,
    /// With the place of each test in its suite.
    tests: Vec<(usize, Verdict)>,
}

impl Played<'_> {
    fn failed(&self) -> usize {
        let lines = self.lines.iter().filter(|verdicts| !verdicts.iter().all(LineVerdict::passed));
        lines.count() + self.tests.iter().filter(|(_, verdict)| !verdict.passed()).count()
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.tests.is_empty()
    }

    fn passed(&self) -> usize {
        self.lines.len() + self.tests.len() - self.failed()
    }

    fn scenario(&self, at: usize) -> &Scenario {
        &self.loaded.suite.tests[at]
    }
}

pub(super) fn test(args: &TestArgs) -> Result<u8, Failure> {
    let mut reader = Reader::default();
    let mut all = Vec::new();
    for path in wanted(&args.files)? {
        all.extend(reader.load(&path));
    }
    if !reader.diagnostics.is_empty() {
        let color = args.color.on(&std::io::stderr());
        talk(&diagnostics::text(&reader.diagnostics, &reader.texts, color));
    }
    if reader.diagnostics.iter().any(|problem| problem.severity == Severity::Error) {
        return Ok(COULD_NOT);
    }
    if all.is_empty() {
        return Err(Failure(
            "there is nothing to test: name files that end in `.test.toml`, or rule files with `[[test]]`"
                .to_owned(),
        ));
    }
    let mut coverage = Coverage::default();
    let played: Vec<Played<'_>> = all.iter().map(|loaded| play(loaded, args, &mut coverage)).collect();
    if let Some(only) = args.only.as_ref().filter(|_| played.iter().all(|played| played.tests.is_empty())) {
        return Err(Failure(format!("no test has a name that holds `{only}`")));
    }
    if args.only.is_none() && !args.strict && played.iter().all(Played::is_empty) {
        // A mistake that must not pass for a success.
        return Err(Failure(
            "there is nothing to test: these files hold no `[[line]]` and no `[[test]]`".to_owned(),
        ));
    }
    if args.update {
        return update::write(&played);
    }
    let color = args.color.on(&std::io::stdout());
    let text =
        if args.json { render::json(&played, &coverage) } else { render::text(&played, &coverage, color) };
    answer(&text)?;
    let uncovered = args.strict && coverage.missing().next().is_some();
    let failed = played.iter().any(|played| played.failed() > 0);
    Ok(if failed || uncovered { NO } else { 0 })
}

fn play<'a>(loaded: &'a Loaded, args: &TestArgs, coverage: &mut Coverage) -> Played<'a> {
    coverage.add(&loaded.ruleset);
    let named = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut lines = Vec::new();
    for test in &loaded.suite.lines {
        let sample = match &test.from {
            Lines::Sample(path) => loaded.samples.get(path).map(String::as_str),
            Lines::Text(_) => None,
        };
        let verdicts = scenario::lines(&loaded.ruleset, test, sample);
        for verdict in &verdicts {
            coverage.see(&loaded.ruleset, &test.source, verdict.text.as_bytes());
        }
        if args.only.is_none() {
            lines.push(verdicts);
        }
    }
    let mut tests = Vec::new();
    for (at, test) in loaded.suite.tests.iter().enumerate().filter(|(_, test)| named(&test.name)) {
        let samples: Vec<String> =
            test.samples().map(|path| loaded.samples.get(path).cloned().unwrap_or_default()).collect();
        let verdict =
            scenario::play(test, &loaded.ruleset, &loaded.reloads[at], &samples, |rules, source, line| {
                coverage.see(rules, source, line);
            });
        tests.push((at, verdict));
    }
    Played { loaded, lines, tests }
}

/// The files that may hold tests, each once.
fn wanted(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let default = || ["*.test.toml", "rules/*.toml"].map(PathBuf::from).to_vec();
    let globs = if named.is_empty() { default() } else { named.to_vec() };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for glob in &globs {
        let paths = load::expand(glob, true).map_err(Failure)?;
        if paths.is_empty() && glob.is_dir() {
            return Err(Failure(format!("`{}` holds no file that ends in `.toml`", glob.display())));
        }
        if paths.is_empty() && !named.is_empty() {
            return Err(Failure(format!("no file fits `{}`: check the path", glob.display())));
        }
        found.extend(paths.into_iter().filter(|path| seen.insert(path.clone())));
    }
    Ok(found)
}

/// Reads files, each once, and keeps what is wrong with them: what is wrong with one hides nothing of the others.
#[derive(Default)]
struct Reader {
    texts: BTreeMap<PathBuf, String>,
    diagnostics: Vec<Diagnostic>,
    /// Rule files whose problems are known.
    checked: BTreeSet<Vec<PathBuf>>,
}

impl Reader {
    /// Says what is wrong, once: a rule file is read for each test file that names it.
    fn say(&mut self, problems: impl IntoIterator<Item = Diagnostic>) {
        for problem in problems {
            if !self.diagnostics.contains(&problem) {
                self.diagnostics.push(problem);
            }
        }
    }

    /// `None`: it can not be read, which has been said of the file `of`.
    fn read(&mut self, path: &Path, of: &Path) -> Option<Text> {
        match load::read_text(path) {
            Ok(text) => {
                self.texts.insert(text.path.clone(), text.text.clone());
                Some(text)
            }
            Err(why) => {
                self.say([load::unreadable(of, why)]);
                None
            }
        }
    }

    /// `None`: there are no tests in it, or something is wrong with it.
    fn load(&mut self, path: &Path) -> Option<Loaded> {
        let text = self.read(path, path)?;
        let is_pack = !load::is_test_file(path);
        if is_pack && !config::has_tests(&text.text) {
            return None;
        }
        let (suite, problems) = config::tests(&text, is_pack);
        self.say(problems);
        let (sound, suite) = match suite {
            Ok(suite) => (true, suite),
            Err(draft) => (false, draft),
        };
        let zone = suite.tests.first().map_or(TimeZone::UTC, |test| test.tz.clone());
        let own = [path.to_owned()];
        let globs = if is_pack { own.as_slice() } else { &suite.rules };
        let ruleset = self.rules(path, globs, &zone, &suite.formats);
        let mut reloads = Vec::new();
        for test in &suite.tests {
            let rulesets = test.reloads().map(|globs| self.rules(path, globs, &test.tz, &suite.formats));
            reloads.push(rulesets.collect::<Option<Vec<_>>>());
        }
        let of_lines = suite.lines.iter().filter_map(|line| match &line.from {
            Lines::Sample(path) => Some(path),
            Lines::Text(_) => None,
        });
        let named: BTreeSet<&PathBuf> =
            of_lines.chain(suite.tests.iter().flat_map(Scenario::samples)).collect();
        let mut samples = BTreeMap::new();
        for sample in named {
            match load::read_text(sample) {
                Ok(text) => drop(samples.insert(sample.clone(), text.text)),
                Err(why) => self.say([load::unreadable(path, why)]),
            }
        }
        let (ruleset, reloads) = ruleset.zip(reloads.into_iter().collect::<Option<Vec<_>>>())?;
        let rules = reloads.iter().flatten().chain([&ruleset]).flat_map(|ruleset| &ruleset.rules);
        let known: BTreeSet<&str> = rules.flat_map(|rule| &rule.sources).map(SourceName::as_str).collect();
        let unseen = config::unseen_sources(&text, &known);
        let sound = sound && unseen.is_empty();
        self.say(unseen);
        sound.then_some(Loaded { text, suite, ruleset, samples, reloads })
    }

    /// The rules of a test file `of`.
    fn rules(
        &mut self,
        of: &Path,
        globs: &[PathBuf],
        zone: &TimeZone,
        formats: &[Format],
    ) -> Option<Arc<Ruleset>> {
        let (mut paths, mut all_there) = (Vec::new(), true);
        for glob in globs {
            let found = load::expand(glob, false).and_then(|found| match found.as_slice() {
                [] => Err(format!("no rule file fits `{}`: check the path", plain(glob).display())),
                _ => Ok(found),
            });
            match found {
                Ok(found) => paths.extend(found),
                Err(why) => {
                    all_there = false;
                    self.say([load::unreadable(of, why)]);
                }
            }
        }
        let named = paths.len();
        let texts: Vec<Text> = paths.iter().filter_map(|path| self.read(path, of)).collect();
        let mut tables = config::csv::Files::new();
        for path in texts.iter().flat_map(config::csv::wanted) {
            let table = load::read_text(&path).map(|text| text.text);
            self.texts.insert(path.clone(), table.clone().unwrap_or_default());
            tables.insert(path, table);
        }
        let probe = &mut Probe::none();
        let (ruleset, problems) =
            config::ruleset_probed(&texts, Sources::Any(formats), &tables, &[], zone, probe);
        if self.checked.insert(paths) {
            self.say(problems);
        }
        ruleset.filter(|_| all_there && texts.len() == named).map(Arc::new)
    }
}
