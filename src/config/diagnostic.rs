//! What is wrong with a text, as a value. How it looks is the business of `cli::render`.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Whether a text can be adopted in spite of the problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing of any file is adopted.
    Error,
    /// It is adopted, and most likely not what was meant.
    Warning,
}

impl Severity {
    /// The word at the beginning of the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One problem. `title` can stand alone, `label` is short because it points, `help` is there if there is a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem, in kebab case; stable over versions.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The file, as it was named by the caller.
    pub file: PathBuf,
    /// Bytes of that file; `0..0` if the problem has no place.
    pub span: Range<usize>,
    /// Lower-case, no period, the value in backticks. Never holds a secret.
    pub title: String,
    /// Words beside the caret; may be empty.
    pub label: String,
    /// Why it is so.
    pub note: Option<String>,
    /// The way out.
    pub help: Option<String>,
    /// The other place that has to do with it.
    pub second: Option<Second>,
}

/// Another place that a problem has to do with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// The file, as it was named by the caller.
    pub file: PathBuf,
    /// Bytes of that file.
    pub span: Range<usize>,
    /// Words beside it.
    pub label: String,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    /// The file, as it was named by the caller.
    pub(super) file: &'a Path,
    /// Its text, for the way back from a decoded string to what was typed.
    pub(super) text: &'a str,
    list: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Problems<'a> {
        Problems { file, text, list: Vec::new() }
    }

    /// Adds an error; the answer is there to be given a `help`, a `note` or a `second`.
    pub(super) fn error(
        &mut self,
        id: &'static str,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, id, span, title.into(), label.into())
    }

    /// Adds a warning; the answer is there to be given a `help`, a `note` or a `second`.
    pub(super) fn warning(
        &mut self,
        id: &'static str,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, id, span, title.into(), label.into())
    }

    fn add(
        &mut self,
        severity: Severity,
        id: &'static str,
        span: Range<usize>,
        title: String,
        label: String,
    ) -> &mut Diagnostic {
        let file = self.file.to_path_buf();
        let (note, help, second) = (None, None, None);
        self.list.push(Diagnostic { id, severity, file, span, title, label, note, help, second });
        self.list.last_mut().expect("a diagnostic was pushed the line before")
    }

    /// How many errors were added so far.
    pub(super) fn errors(&self) -> usize {
        self.list.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// All of it in the order of the file, each once: what stands in `[defaults]` is met once per rule. So is a note that
    /// is long.
    ///
    /// What a syntax error left of a file is still worth reading, but not what seems to be missing from it, nor
    /// anything on the lines of the error itself.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        let broken: Vec<Range<usize>> = self
            .list
            .iter()
            .filter(|problem| problem.id == SYNTAX)
            .map(|problem| self.lost_to(&problem.span))
            .collect();
        if !broken.is_empty() {
            self.list.retain(|problem| {
                let touches =
                    |lines: &Range<usize>| problem.span.start < lines.end && lines.start <= problem.span.end;
                // What the parser made up to go on has no place.
                let made_up = problem.span == (0..0);
                let follows = ABOUT_ABSENCE.contains(&problem.id) || made_up || broken.iter().any(touches);
                problem.id == SYNTAX || !follows
            });
        }
        self.list.sort_by_key(|problem| (problem.span.start, Reverse(problem.span.end)));
        let mut each: Vec<Diagnostic> = Vec::with_capacity(self.list.len());
        let mut notes = HashSet::new();
        for mut problem in self.list {
            let known = each.iter().rev().take_while(|earlier| earlier.span.start == problem.span.start);
            let same = |earlier: &Diagnostic| {
                (earlier.id, &earlier.span, &earlier.title) == (problem.id, &problem.span, &problem.title)
            };
            if !known.into_iter().any(same) {
                problem.note = problem.note.filter(|note| note.len() < LONG || notes.insert(note.clone()));
                each.push(problem);
            }
        }
        each
    }

    /// The lines of a syntax error; if it is in the header of a table, those of the table too, which were taken for a part
    /// of the one before.
    fn lost_to(&self, span: &Range<usize>) -> Range<usize> {
        let Range { start, end } = self.lines_of(span);
        let rest = self.text.get(end..).unwrap_or_default();
        if !self.text[start..].trim_start().starts_with('[') {
            return start..end;
        }
        let table = rest.split_inclusive('\n').take_while(|line| !line.trim_start().starts_with('['));
        start..end + table.map(str::len).sum::<usize>()
    }

    fn lines_of(&self, span: &Range<usize>) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let start =
            bytes[..span.start.min(bytes.len())].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end = span.end.min(bytes.len());
        start..bytes[end..].iter().position(|b| *b == b'\n').map_or(bytes.len() + 1, |at| end + at + 1)
    }
}

/// Bytes from which on a note is worth reading only once, such as the list of all keys.
const LONG: usize = 200;

/// The id of what the TOML parser says.
pub(super) const SYNTAX: &str = "syntax";

/// Ids of problems that say "it is not there": not to be believed of a file with a syntax error.
const ABOUT_ABSENCE: [&str; 9] = [
    "missing-key",
    "unknown-name",
    "unknown-macro",
    "unknown-sink",
    "unknown-source",
    "by-not-captured",
    "for-without-window",
    "threshold-without-window",
    "no-source",
];

/// The candidate that looks most like `name`, if any looks like it.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // 0.8 takes one slip in a short word and two in a long one; at 0.7 `by` suggests `name`.
    const ALIKE: f64 = 0.8;
    // A name is a word. What is longer than this is not a slip, and comparing is quadratic.
    if name.len() > 100 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// "did you mean" for a help, or nothing.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// Names in backticks, with commas, for a note.
pub(super) fn listed<'c>(names: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// At most 60 characters of what was typed, for a title.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_told_once() {
        let mut problems = Problems::new(Path::new("f"), "0123456789");
        let notes = ["x".repeat(LONG), "y".repeat(LONG), "short".to_owned()];
        for (at, note) in notes.iter().chain(&notes).enumerate() {
            problems.error("id", at..at + 1, "wrong", "").note = Some(note.clone());
        }
        let told: Vec<bool> = problems.finish().iter().map(|problem| problem.note.is_some()).collect();
        assert_eq!(told, [true, true, true, false, false, true]);
    }

    #[test]
    fn problems_come_in_the_order_of_the_file_and_once() {
        let mut problems = Problems::new(Path::new("f"), "0123456789");
        problems.error("b", 5..6, "later", "");
        problems.warning("a", 1..2, "earlier", "");
        problems.error("b", 5..6, "later", "");
        assert_eq!(problems.errors(), 2);
        let ids: Vec<&str> = problems.finish().iter().map(|problem| problem.id).collect();
        assert_eq!(ids, ["a", "b"]);
    }

    #[test]
    fn a_syntax_error_hides_what_follows_from_it() {
        let text = "one\ntwo\nthree\n";
        let mut problems = Problems::new(Path::new("f"), text);
        problems.error(SYNTAX, 5..6, "broken", "");
        problems.error("wrong-type", 4..7, "on the same line", "");
        problems.error("wrong-type", 0..0, "of what was made up", "");
        problems.error("missing-key", 9..10, "perhaps it was on the broken line", "");
        problems.error("unknown-key", 9..10, "has nothing to do with it", "");
        let ids: Vec<&str> = problems.finish().iter().map(|problem| problem.id).collect();
        assert_eq!(ids, [SYNTAX, "unknown-key"]);
    }

    #[test]
    fn a_table_whose_header_is_broken_is_lost_with_it() {
        let text = "[[rule]\nname = 'x'\nmach = 'y'\n[[rule]]\nmach = 'z'\n";
        let mut problems = Problems::new(Path::new("f"), text);
        problems.error(SYNTAX, 7..7, "unclosed", "");
        problems.error("unknown-key", 8..12, "of the rule that is none", "");
        problems.error("unknown-key", 19..23, "of the rule that is none", "");
        problems.error("unknown-key", 39..43, "of the next", "");
        let found = problems.finish();
        let spans: Vec<_> = found.iter().map(|problem| (problem.id, problem.span.start)).collect();
        assert_eq!(spans, [(SYNTAX, 7), ("unknown-key", 39)]);
    }

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let keys = ["match", "within", "severity", "by", "name"];
        for (slip, meant) in
            [("mach", Some("match")), ("severty", Some("severity")), ("withn", Some("within"))]
        {
            assert_eq!(nearest(slip, keys), meant);
        }
        assert_eq!(nearest("threshold", keys), None);
    }
}
