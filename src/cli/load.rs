//! Files → texts → what is believed. The only place that reads configuration.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::present::Present;
use crate::config::probe::Probe;
use crate::config::{self, Diagnostic, Draft, Severity, Text};
use crate::daemon::clock::stopwatch;
use crate::daemon::deliver::{Unfit, taken, unfit};
use crate::model::{Envelope, Format, SourceName};
use crate::rule::{Multiline, Redaction, Ruleset};
use crate::scan::is_wrapped;
use crate::settings::{Admin, OwnAlerts, Peer, SecretFrom, Settings, Source, Start, literal, plain, spelled};

/// Where a machine keeps its configuration.
const PLACES: [&str; 2] = ["tripline.toml", "/etc/tripline/tripline.toml"];

/// Bytes of a log that show what it begins with.
const HEAD: u64 = 4096;

/// Bytes of a file that is read, at most.
const MOST_TEXT: u64 = 16 << 20;

/// What to load. Kept by the daemon, so that a reload asks for the same.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The configuration file; `None`: there is none, files are given as arguments.
    pub(crate) config: Option<PathBuf>,
    /// Rule files or globs that replace those of the configuration.
    pub(crate) rules: Vec<PathBuf>,
    /// Where lines come from.
    pub(crate) lines: Lines,
    /// What the lines of files are made of that no configuration knows.
    pub(crate) format: Format,
    /// How lines of such files are joined to records.
    pub(crate) multiline: Option<Multiline>,
    /// What stands around the lines of such files.
    pub(crate) envelope: Option<Envelope>,
}

/// Where lines come from.
#[derive(Clone, Debug)]
pub(crate) enum Lines {
    /// From the sources of the configuration, and those that rules are by themselves.
    Configured,
    /// From these files, absolute, begun there.
    Files(Vec<PathBuf>, Start),
    /// From nowhere that the configuration knows: any source name is good.
    Unknown,
}

/// What was found, believed or not.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// `None` if there is an error.
    pub(crate) believed: Option<(Settings, Ruleset)>,
    /// What is right of the settings, if anything is wrong with these or with the rules.
    doubted: Option<Settings>,
    /// All problems, in the order of files and of places in them.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What was read, for showing places in it.
    pub(crate) texts: BTreeMap<PathBuf, String>,
    /// How many rules of the user are in force.
    pub(crate) rules: usize,
    /// Which files are there.
    pub(crate) present: Present,
}

impl Loaded {
    /// What is set, as far as it is right by itself.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.believed.as_ref().map(|(settings, _)| settings).or(self.doubted.as_ref())
    }

    /// What is wrong with the sinks of a configuration on this machine, in the order of places.
    pub(crate) fn here(&self, main: Option<&Path>) -> Vec<Diagnostic> {
        let (Some(settings), Some(main)) = (self.settings(), main) else { return Vec::new() };
        let text = self.texts.get(main).cloned().unwrap_or_default();
        let main = Text { path: main.to_owned(), text };
        let mut found = Vec::new();
        let alone =
            settings.sinks.iter().flat_map(|sink| unfit(sink).into_iter().map(|one| (sink.of.clone(), one)));
        for (of, Unfit { id, key, why, refused }) in alone.chain(taken(&settings.sinks, &settings.sources)) {
            let keys = [format!("{key}_env"), format!("{key}_file"), key.to_owned()];
            let problem = Diagnostic {
                id,
                severity: if refused { Severity::Error } else { Severity::Warning },
                file: main.path.clone(),
                span: config::place_in_sink(&main, &of, &keys.each_ref().map(String::as_str)),
                title: why,
                label: format!("of sink `{of}`"),
                note: None,
                help: None,
                second: None,
            };
            // A sink may be several queues, all with its secrets; and what paths alone show has been said.
            let is_said = |said: &Diagnostic| (said.id, &said.span) == (problem.id, &problem.span);
            if !found.contains(&problem) && !self.diagnostics.iter().any(is_said) {
                found.push(problem);
            }
        }
        found.sort_by_key(|problem| problem.span.start);
        found
    }

    /// How many of the problems are errors.
    pub(crate) fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|problem| problem.severity == Severity::Error).count()
    }
}

/// The configuration file that is meant if none is named.
pub(crate) fn default_config() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// The settings of a configuration, without its rules; without one, of the configuration that is meant. `way` is what
/// can be done instead.
///
/// # Errors
/// A sentence, if there is no such configuration or it can not be believed.
pub(crate) fn settings(config: Option<&Path>, way: &str) -> Result<Settings, String> {
    let config = config.map(Path::to_owned).or_else(default_config);
    let Some(path) = config else { return Err(format!("there is no configuration: {way}")) };
    let text = read_text(&path)?;
    let bodies = bodies(&text);
    let Ok(mut settings) = config::settings_with(&text, &TimeZone::system(), &bodies).0 else {
        let check = "`tripline check` shows them";
        return Err(format!("`{}` has errors ({check}): put them right, or {way}", path.display()));
    };
    anchor(&mut settings, &std::env::current_dir().unwrap_or_default());
    Ok(settings)
}

/// What stands in the files that sinks take their bodies from.
fn bodies(main: &Text) -> config::csv::Files {
    let read = |path: PathBuf| {
        let text = read_text(&path).map(|text| text.text);
        (path, text)
    };
    config::body_files(main).into_iter().map(read).collect()
}

/// The state directory that a configuration names.
///
/// # Errors
/// As [`settings`].
pub(crate) fn state_dir(config: Option<&Path>) -> Result<PathBuf, String> {
    let way = "name the state directory of the tripline that runs with `--state-dir`";
    let dir = settings(config, way)?.state_dir;
    dir.ok_or_else(|| format!("the configuration names no state directory: {way}"))
}

/// Everything that was read, before it is believed.
#[derive(Debug)]
pub(crate) struct Texts {
    settings: Result<Settings, Draft>,
    /// What is wrong with the settings.
    diagnostics: Vec<Diagnostic>,
    all: BTreeMap<PathBuf, String>,
    rules: Vec<Text>,
    /// What rules look things up in.
    tables: config::csv::Files,
    present: Present,
    unread: Vec<Diagnostic>,
    /// Why a file is not to be believed by root: a sentence for each.
    exposed: Vec<String>,
}

impl Texts {
    /// Why what was read is not to be put in force: others can change it, and root would believe them.
    pub(crate) fn exposed(&self) -> Option<&str> {
        self.exposed.first().map(String::as_str)
    }

    /// What was named as a rule file and is a configuration.
    pub(crate) fn configuration(&self) -> Option<&Path> {
        let is_main = |text: &Text| {
            let heads: Vec<&str> =
                text.text.lines().map(str::trim_start).filter(|line| line.starts_with('[')).collect();
            let any =
                |heads_of: &[&str]| heads.iter().any(|head| heads_of.iter().any(|of| head.starts_with(of)));
            any(&["[[source]]", "[[sink]]", "[admin]"]) && !any(&["[[rule]]"])
        };
        self.rules.iter().find(|text| is_main(text)).map(|text| text.path.as_path())
    }

    /// True if a rule names its files.
    pub(crate) fn has_files(&self) -> bool {
        !config::inline_sources(&self.rules, &TimeZone::UTC).is_empty()
    }

    /// What was there `before` and is gone, though nobody says so.
    pub(crate) fn lost(&self, before: &Present) -> Option<String> {
        self.present.lost(before)
    }

    /// Of all that was read: another digest means that something changed.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut sha = Sha256::new();
        for (path, text) in &self.all {
            sha.update(path.as_os_str().as_encoded_bytes());
            sha.update((text.len() as u64).to_le_bytes());
            sha.update(text);
        }
        sha.finalize().into()
    }
}

/// Reads and checks everything. A pattern that is too slow is an error.
///
/// # Errors
/// A sentence, if a file that was named can not be read.
pub(crate) fn load(wanted: &Wanted) -> Result<Loaded, String> {
    Ok(check(wanted, read(wanted)?, &mut Probe::suspects(stopwatch())))
}

/// Reads everything.
///
/// # Errors
/// A sentence, if a file that was named can not be read.
pub(crate) fn read(wanted: &Wanted) -> Result<Texts, String> {
    let local = TimeZone::system();
    let (mut texts, mut exposed) = (BTreeMap::new(), Vec::new());
    let main = match &wanted.config {
        Some(path) => {
            let (text, why) = read_guarded(path)?;
            exposed.extend(why);
            text
        }
        None => Text {
            path: std::env::current_dir().unwrap_or_default().join("tripline.toml"),
            text: String::new(),
        },
    };
    let bodies = bodies(&main);
    let (settings, diagnostics) = config::settings_with(&main, &local, &bodies);
    texts.insert(main.path.clone(), main.text.clone());
    texts.extend(bodies.into_iter().map(|(path, text)| (path, text.unwrap_or_default())));
    let named = !wanted.rules.is_empty();
    let globs = match &settings {
        _ if named => wanted.rules.clone(),
        Ok(settings) => settings.rules.clone(),
        Err(draft) => draft.settings.rules.clone(),
    };
    // A shell lets a glob fit them too.
    let tests = globs.iter().filter(|glob| named && is_test_file(glob) && path_of(glob).is_some()).count();
    let (mut rules, mut present, mut unread) = (Vec::new(), Present::default(), Vec::new());
    if wanted.config.is_some() {
        present.saw(&main.path, &main.text);
    }
    for glob in &globs {
        let found = match expand(glob, false) {
            Ok(found) => found,
            Err(why) => {
                unread.push(unreadable(glob, why));
                continue;
            }
        };
        if !found.is_empty() {
            present.fitted.push(glob.clone());
        } else if named && is_test_file(glob) && path_of(glob).is_some() {
            if tests == globs.len() {
                let path = glob.display();
                return Err(format!("`{path}` holds tests and no rules: `tripline test {path}` plays them"));
            }
        } else if named {
            let why = format!("no rule file fits `{}`: check the path", plain(glob).display());
            unread.push(unreadable(glob, why));
        } else if wanted.config.is_some() {
            present.blank.push(glob.clone());
        }
        for path in found {
            let Entry::Vacant(place) = texts.entry(path) else { continue };
            match read_guarded(place.key()) {
                Ok((text, why)) => {
                    present.saw(&text.path, &text.text);
                    place.insert(text.text.clone());
                    rules.push(text);
                    exposed.extend(why);
                }
                Err(why) => unread.push(unreadable(place.insert_entry(String::new()).key(), why)),
            }
        }
    }
    let mut tables = config::csv::Files::new();
    for path in rules.iter().flat_map(config::csv::wanted) {
        let Entry::Vacant(place) = tables.entry(path) else { continue };
        let table = read_guarded(place.key()).map(|(text, why)| {
            exposed.extend(why);
            text.text
        });
        // So that another text of it is another configuration, and so that places in it can be shown.
        texts.insert(place.key().clone(), table.clone().unwrap_or_default());
        place.insert(table);
    }
    Ok(Texts { settings, diagnostics, all: texts, rules, tables, present, unread, exposed })
}

/// Checks everything that was read for `wanted`, and tries patterns as `probe` does.
pub(crate) fn check(wanted: &Wanted, texts: Texts, probe: &mut Probe) -> Loaded {
    let Texts { settings, mut diagnostics, all, rules, tables, present, mut unread, exposed: _ } = texts;
    let (mut settings, is_right, knows_sources, wrong_sinks) = match settings {
        Ok(settings) => (settings, true, true, Some(Vec::new())),
        Err(Draft { settings, knows_sources, wrong_sinks }) => (settings, false, knows_sources, wrong_sinks),
    };
    anchor(&mut settings, &std::env::current_dir().unwrap_or_default());
    if let Lines::Files(files, start) = &wanted.lines {
        let has_config = wanted.config.is_some();
        take_arguments(&mut settings, files, *start, &TimeZone::system(), wanted);
        if !has_config {
            stand_alone(&mut settings);
        }
    }
    // Where it is not known which sources there are, every name is let pass.
    let configured = matches!(wanted.lines, Lines::Configured);
    let known = match configured {
        true if knows_sources => config::Sources::These(&settings.sources),
        // A source that is wrong may be one with fields.
        true => config::Sources::Any(&[Format::Json]),
        false => config::Sources::Any(std::slice::from_ref(&wanted.format)),
    };
    let globals = &settings.labels;
    let (mut ruleset, mut problems) =
        config::ruleset_probed(&rules, known, &tables, globals, &TimeZone::system(), probe);
    // A sink that is wrong may be the one that hears it.
    if is_right {
        problems.extend(config::untold(&rules, &settings.sinks));
        let place = |file: &Path| rules.iter().position(|text| text.path == file);
        problems.sort_by_key(|problem| (place(&problem.file), problem.span.start));
    }
    diagnostics.extend(problems);
    if configured {
        let inline = config::inline_sources(&rules, &TimeZone::system());
        if !inline.is_empty() {
            diagnostics.retain(|problem| problem.id != "no-source");
        }
        settings.sources.extend(inline);
        anchor(&mut settings, &std::env::current_dir().unwrap_or_default());
        if wanted.config.is_none() {
            stand_alone(&mut settings);
        }
    }
    match &wrong_sinks {
        // Without a configuration there are no sinks that a rule could mean.
        _ if wanted.config.is_none() => {
            ruleset.iter_mut().flat_map(|ruleset| &mut ruleset.rules).for_each(|rule| rule.sinks.clear());
        }
        Some(wrong) => {
            let unknown = config::unknown_sinks(&rules, &settings, wrong);
            ruleset = ruleset.filter(|_| unknown.is_empty());
            diagnostics.extend(unknown);
        }
        // One without a name may be the one that a rule means.
        None => {}
    }
    if let (Some(config), true) = (&wanted.config, configured) {
        let main = Text { path: config.clone(), text: all.get(config).cloned().unwrap_or_default() };
        let wrong = config::sinks_among(&main, &settings);
        // Labels of sources are among what a `when` may speak of.
        let rules = ruleset.iter().filter(|_| knows_sources);
        let unknown = rules.flat_map(|ruleset| config::sinks_beside_rules(&main, &settings, ruleset));
        let unknown: Vec<Diagnostic> = unknown.collect();
        ruleset = ruleset.filter(|_| wrong.is_empty());
        diagnostics.extend(wrong.into_iter().chain(unknown));
    }
    let whole = unread.is_empty();
    diagnostics.append(&mut unread);
    let own = config::own::own_rules().len();
    let rules = ruleset.as_ref().map_or(0, |ruleset| ruleset.rules.len().saturating_sub(own));
    let (believed, doubted) = match ruleset {
        Some(mut ruleset) if whole && is_right => {
            config::redact(&settings, &mut ruleset);
            (Some((settings, ruleset)), None)
        }
        _ => (None, Some(settings)),
    };
    Loaded { believed, doubted, diagnostics, texts: all, rules, present }
}

/// A file of configuration, or one that it names, can not be read.
pub(super) fn unreadable(path: &Path, why: String) -> Diagnostic {
    Diagnostic {
        id: "unreadable",
        severity: Severity::Error,
        file: path.to_owned(),
        span: 0..0,
        title: why,
        label: String::new(),
        note: None,
        help: None,
        second: None,
    }
}

/// Log files given as arguments replace the configured sources.
fn take_arguments(
    settings: &mut Settings,
    files: &[PathBuf],
    start: Start,
    local: &TimeZone,
    Wanted { format, multiline, envelope, .. }: &Wanted,
) {
    let source = Source {
        name: SourceName::new("files"),
        files: files.to_vec(),
        exclude: Vec::new(),
        follow_symlinks: false,
        stream: None,
        start,
        tz: local.clone(),
        max_age: std::time::Duration::from_secs(15 * 60),
        flush: multiline.as_ref().map_or(std::time::Duration::from_secs(5), |multiline| multiline.flush),
        multiline: multiline.clone(),
        max_line: 64 * 1024,
        encoding: None,
        envelope: *envelope,
        format: *format,
        repeats: false,
        labels: Vec::new(),
        redact: Redaction { defaults: false, own: Vec::new() },
        own: OwnAlerts::default(),
    };
    settings.sources = vec![source];
}

/// True if a log file begins with a line in the envelope of a container runtime. What can not be read now may be later.
pub(super) fn begins_wrapped(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && is_wrapped(&head)
}

/// Without a configuration nothing is kept and nobody is listened to, unless the command line says so.
fn stand_alone(settings: &mut Settings) {
    settings.state_dir = None;
    settings.admin = Admin::default();
}

/// Paths that are relative to a configuration that was named by a relative path are so to where we stand now.
fn anchor(settings: &mut Settings, here: &Path) {
    for files in settings.sources.iter_mut().flat_map(|source| &mut source.files) {
        if files.is_relative() {
            *files = literal(here).join(&*files);
        }
    }
    let secrets = settings.sinks.iter_mut().flat_map(|sink| {
        let secrets = sink.secrets.iter_mut().filter_map(|(_, from)| match from {
            SecretFrom::File(path) => Some(path),
            SecretFrom::Env(_) | SecretFrom::Inline(_) => None,
        });
        let cert = sink.http.client_cert.iter_mut().flat_map(|(cert, key)| [cert, key]);
        let written = match &mut sink.peer {
            Peer::File(file) => Some(&mut file.path),
            _ => None,
        };
        secrets.chain(&mut sink.http.ca_file).chain(cert).chain(written)
    });
    for path in secrets.chain(&mut settings.state_dir).chain(&mut settings.admin.token_file) {
        // A variable such as `$CREDENTIALS_DIRECTORY` stands for an absolute path.
        if path.is_relative() && !path.to_string_lossy().starts_with('$') {
            *path = here.join(&*path);
        }
    }
}

pub(super) fn read_text(path: &Path) -> Result<Text, String> {
    read_guarded(path).map(|(text, _)| text)
}

/// Opens a file without waiting for anybody: whoever opens a FIFO waits for its writer, and a reload that waits is none. What
/// a shell hands over, as in `check <(…)`, has a writer.
fn open(path: &Path) -> std::io::Result<File> {
    if ["/dev/fd", "/dev/stdin", "/proc"].iter().any(|handed| path.starts_with(handed)) {
        return File::open(path);
    }
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.file_type().is_fifo() {
        return Err(std::io::Error::other("it is a FIFO, and no regular file"));
    }
    Ok(file)
}

/// The same, and why it is not to be believed by root.
fn read_guarded(path: &Path) -> Result<(Text, Option<String>), String> {
    let mut exposed = None;
    // A device such as `/dev/zero` never ends.
    let text = open(path).and_then(|file| {
        let mut text = String::new();
        exposed = super::exposed::exposed(path, &file);
        file.take(MOST_TEXT + 1).read_to_string(&mut text).map(|_| text)
    });
    match text {
        Ok(text) if text.len() as u64 > MOST_TEXT => Err(format!(
            "`{}` has more than {} MiB: that is no configuration",
            path.display(),
            MOST_TEXT >> 20
        )),
        Ok(text) => Ok((Text { path: path.to_owned(), text }, exposed)),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(format!("`{}` is not UTF-8 text: save it as UTF-8", path.display()))
        }
        Err(error) => Err(format!("can not read `{}`: {error}", plain(path).display())),
    }
}

/// True for `*.test.toml`, which is never a rule file.
pub(super) fn is_test_file(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with(".test.toml"))
}

/// The rule files a path or glob names, sorted; with `tests` those that are for tests too.
///
/// # Errors
/// A sentence, if it is no glob, or not all of the directories can be read that it looks into: what is in them may not be
/// gone.
pub(super) fn expand(glob: &Path, tests: bool) -> Result<Vec<PathBuf>, String> {
    let mut found = match path_of(glob) {
        Some(path) if path.is_dir() => return expand(&literal(&path).join("*.toml"), tests),
        Some(path) => vec![path],
        None => {
            let Fitting { files, unread } = fitting(glob)?;
            unread.map_or(Ok(files), Err)?
        }
    };
    found.retain(|path| tests || !is_test_file(path));
    Ok(found)
}

/// The one path that is meant: what is there is called so whatever a glob would mean. `None`: it is a glob that may fit any
/// number of files.
pub(super) fn path_of(path: &Path) -> Option<PathBuf> {
    if path.exists() {
        return Some(path.to_owned());
    }
    let Some(text) = path.to_str() else { return Some(path.to_owned()) };
    spelled(text).map(|path| PathBuf::from(path.as_ref()))
}

/// What fits a glob.
pub(super) struct Fitting {
    /// The files, sorted; hidden ones fit none.
    pub(super) files: Vec<PathBuf>,
    /// A sentence about the first directory that could not be looked into.
    pub(super) unread: Option<String>,
}

/// The files that fit a glob.
///
/// # Errors
/// A sentence, if it is no glob.
pub(super) fn fitting(glob: &Path) -> Result<Fitting, String> {
    let text = glob.to_string_lossy();
    let matcher = GlobBuilder::new(&text)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("`{text}` is not a glob: {error}"))?
        .compile_matcher();
    let parts = glob.components().map(|part| part.as_os_str().to_str().and_then(spelled));
    let fixed: PathBuf = parts.map_while(|part| part.map(|part| part.into_owned())).collect();
    let depth = if text.contains("**") { 16 } else { glob.components().count() - fixed.components().count() };
    let (mut files, mut unread) = (Vec::new(), None);
    let start = if fixed.as_os_str().is_empty() { PathBuf::from(".") } else { fixed.clone() };
    let mut see = |path: &Path| {
        let shown = if fixed.as_os_str().is_empty() { path.strip_prefix(".").unwrap_or(path) } else { path };
        let hidden = shown.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if matcher.is_match(shown) && !hidden {
            files.push(shown.to_owned());
        }
    };
    walk(&start, depth, &mut see, &mut unread);
    files.sort();
    Ok(Fitting { files, unread })
}

fn walk(dir: &Path, depth: usize, see: &mut impl FnMut(&Path), unread: &mut Option<String>) {
    let entries = match std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        // There never was one, or it is gone by now.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return,
        Err(error) => {
            unread.get_or_insert_with(|| format!("can not read the directory `{}`: {error}", dir.display()));
            return;
        }
    };
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            if depth > 1 {
                walk(&path, depth - 1, see, unread);
            }
        } else {
            see(&path);
        }
    }
}
