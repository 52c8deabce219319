//! A pattern as it was typed → compiled, with the caret under the wrong character when it does not.
//!
//! The place of an error goes back three steps: from the expanded text to the author's (`macros`), from the decoded
//! string to the typed one (`place`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::Hir;

use super::diagnostic::{Problems, short};
use super::idioms::PATTERN_IDIOMS;
use super::macros::{Expanded, Macros};
use super::probe;
use super::walk::{Said, is_identifier};
use crate::rule::Pattern;

/// The largest compiled pattern, in bytes.
const MOST_COMPILED: usize = 256 * 1024;

/// Bytes that all patterns together may take, compiled: a rule file must not take the machine's memory.
const MOST_COMPILED_IN_ALL: usize = 128 << 20;

/// Rules that are named when all patterns together are too large.
const MOST_NAMED: usize = 3;

/// The largest number that a repetition may say. What fits a byte takes 24 bytes compiled, so more of it is too large
/// anyway; and more of nothing means nothing.
const MOST_REPEATED: u32 = 10_000;

/// Repetitions of fewer times are not what makes a pattern slow.
const SPOKEN_OF: u32 = 10;

/// The deepest nesting of groups and classes.
const MOST_NESTED: u32 = 50;

/// A pattern that can be used.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) text: Arc<str>,
    pub(super) expanded: Arc<str>,
    pub(super) hir: Hir,
    pub(super) regex: Regex,
    /// Group index and name of each named group.
    pub(super) names: Vec<(usize, String)>,
    /// See [`probe::width`].
    pub(super) width: u64,
    /// The bounds of its largest repetition, as they are written; `None`: there is none to speak of.
    pub(super) most_repeated: Option<Box<str>>,
    /// See [`Pattern::also`].
    pub(super) also: Vec<Compiled>,
}

impl Compiled {
    /// With the places of its groups among the rule's captures.
    pub(super) fn placed(self, captures: &[Arc<str>]) -> Pattern {
        let slot = |(group, name): &(usize, String)| {
            captures.iter().position(|capture| **capture == **name).map(|slot| (*group, slot))
        };
        let slots = self.names.iter().filter_map(slot).collect();
        let also = self.also.into_iter().map(|also| also.placed(captures)).collect();
        let Compiled { text, expanded, hir, regex, .. } = self;
        Pattern { text, expanded, hir, regex, slots, also }
    }

    /// The names that a line has captured which it fits.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.names.iter().chain(self.also.iter().flat_map(|also| &also.names));
        own.map(|(_, name)| name.as_str())
    }
}

/// What the patterns of all files take, compiled.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes that are left; `None` once there were too few, which has been said.
    left: Option<usize>,
    /// Bytes of each rule, by its name.
    rules: BTreeMap<String, usize>,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget::of(MOST_COMPILED_IN_ALL)
    }

    fn of(bytes: usize) -> Budget {
        Budget { left: Some(bytes), rules: BTreeMap::new() }
    }

    /// Takes what a pattern of `rule` needs; says so if that is too much. False: nothing is left, and nothing more
    /// need be compiled, because nothing will be adopted.
    fn take(&mut self, problems: &mut Problems<'_>, said: &Said<'_>, rule: &str, bytes: usize) -> bool {
        let Some(left) = self.left else { return false };
        *self.rules.entry(rule.to_owned()).or_default() += bytes;
        self.left = left.checked_sub(bytes);
        if self.left.is_none() {
            let mut largest: Vec<(&String, &usize)> = self.rules.iter().collect();
            largest.sort_by_key(|(_, bytes)| Reverse(**bytes));
            let named: Vec<String> = largest
                .iter()
                .take(MOST_NAMED)
                .map(|(name, bytes)| format!("`{}` ({} KiB)", short(name), bytes.div_ceil(1024)))
                .collect();
            let title = format!("all patterns up to `{}` are too large together", short(said.text));
            let label = format!("more than {} MiB compiled", MOST_COMPILED_IN_ALL >> 20);
            let problem = problems.error("patterns-too-big", said.span.clone(), title, label);
            problem.note = Some(format!("the largest of {} rules are {}", largest.len(), named.join(", ")));
            problem.help = Some("write smaller repetitions in them, or give up rules".to_owned());
        }
        self.left.is_some()
    }
}

/// What a pattern says of itself.
#[derive(Debug)]
struct Survey {
    names: Vec<ast::CaptureName>,
    /// True if classes are those of Unicode: the pattern is not ASCII, or asks for it.
    unicode: bool,
    hir: Hir,
    /// The largest number that a repetition says, and where.
    repeated: Option<(u32, ast::Span)>,
    width: u64,
}

impl ast::Visitor for &mut Survey {
    type Output = ();
    type Err = Infallible;

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), Infallible> {
        let flags = match node {
            Ast::Flags(set) => Some(&set.flags),
            Ast::Group(group) => {
                if let ast::GroupKind::CaptureName { name, .. } = &group.kind {
                    self.names.push(name.clone());
                }
                group.flags()
            }
            Ast::Repetition(repetition) => {
                let op = &repetition.op;
                use ast::{RepetitionKind::Range, RepetitionRange::*};
                if let Range(Exactly(most) | AtLeast(most) | Bounded(_, most)) = op.kind
                    && self.repeated.is_none_or(|(known, _)| known < most)
                {
                    self.repeated = Some((most, op.span));
                }
                None
            }
            _ => None,
        };
        self.unicode |= flags.is_some_and(|flags| flags.flag_state(ast::Flag::Unicode) == Some(true));
        Ok(())
    }
}

/// Compiles the pattern of `key` (`match`, `ignore`, `resolve`). `None`: something is wrong, which has been said.
pub(super) fn compile(
    problems: &mut Problems<'_>,
    key: &str,
    said: &Said<'_>,
    macros: &Macros,
    rule: &str,
    budget: &mut Budget,
) -> Option<Compiled> {
    let expanded = macros.expand(problems, said)?;
    let survey = survey(problems, said, &expanded)?;
    if !captures_are_sound(problems, said, &expanded, &survey) || budget.left.is_none() {
        return None;
    }
    let regex = match Pattern::engine(&survey.hir, MOST_COMPILED) {
        Some(regex) => regex,
        None => {
            // The syntax was accepted above by the same parser with the same limits: what is left is the size.
            let label = format!("more than {} KiB compiled", MOST_COMPILED / 1024);
            let title = format!("`{}` is too large", short(said.text));
            problems.error("pattern-too-big", said.span.clone(), title, label).help =
                Some("repetitions such as `{1,1000}` multiply what they repeat".to_owned());
            return None;
        }
    };
    if !budget.take(problems, said, rule, regex.memory_usage()) {
        return None;
    }
    // A search takes room that stays taken, so it is made only where it may find something.
    // What fits the empty line alone, as `^$`, fits no other; and what fits nothing is put in its place with `set`.
    let fits_all = || regex.is_match(b"") && regex.is_match(b"\x01");
    if key != "set" && survey.hir.properties().minimum_len() == Some(0) && fits_all() {
        let title = format!("a pattern of `{key}` fits every line");
        problems.warning(
            "matches-everything",
            said.span.clone(),
            title,
            "fits nothing at all, so it fits all",
        );
    }
    say_idiom(problems, said);
    let Survey { hir, width, repeated, .. } = survey;
    let most_repeated = repeated
        .filter(|(most, _)| *most >= SPOKEN_OF)
        .and_then(|(_, span)| expanded.text.get(span.start.offset..span.end.offset))
        .map(Box::from);
    let names = survey.names.into_iter().map(|name| (name.index as usize, name.name)).collect();
    Some(Compiled {
        text: said.text.into(),
        expanded: expanded.text.into(),
        hir,
        regex,
        names,
        width,
        most_repeated,
        also: Vec::new(),
    })
}

/// Says that a word of others is only a text here.
fn say_idiom(problems: &mut Problems<'_>, said: &Said<'_>) {
    if let Some((inner, flags)) = between_slashes(said.text) {
        let way = if flags.contains('i') { format!("(?i){inner}") } else { inner.to_owned() };
        let title = format!("the slashes of `{}` are a part of the pattern", short(said.text));
        problems.warning("other-idiom", said.span.clone(), title, "fits this very text").help =
            Some(format!("write `{}`", short(&way)));
    }
    let found = PATTERN_IDIOMS.iter().find_map(|(word, way)| Some((said.text.find(word)?, word, way)));
    if let Some((at, word, way)) = found {
        let span = said.place(problems, &(at..at + word.len()));
        let title = format!("`{word}` stands for nothing");
        problems.warning("other-idiom", span, title, "fits this very text").help =
            Some(format!("write {way}"));
    }
}

/// What stands between slashes, and the flags behind them, as programs write patterns that can tell them from texts.
fn between_slashes(text: &str) -> Option<(&str, &str)> {
    let (inner, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
    let is_flags = !flags.is_empty() && flags.chars().all(|c| "gimsx".contains(c));
    (is_flags && !inner.is_empty() && !inner.contains('/')).then_some((inner, flags))
}

/// True if a pattern of `[patterns]` can be used; says what is wrong otherwise.
pub(super) fn is_sound(problems: &mut Problems<'_>, said: &Said<'_>, expanded: &Expanded) -> bool {
    survey(problems, said, expanded)
        .is_some_and(|survey| captures_are_sound(problems, said, expanded, &survey))
}

fn captures_are_sound(
    problems: &mut Problems<'_>,
    said: &Said<'_>,
    expanded: &Expanded,
    survey: &Survey,
) -> bool {
    let mut sound = true;
    for name in &survey.names {
        let at = expanded.origin(name.span.start.offset..name.span.end.offset);
        let span = said.place(problems, &at);
        if !is_identifier(&name.name) {
            let title = format!("`{}` is not a capture name", short(&name.name));
            problems.error("bad-capture-name", span, title, "a letter or `_`, then letters, digits and `_`");
            sound = false;
        }
    }
    sound
}

fn survey(problems: &mut Problems<'_>, said: &Said<'_>, expanded: &Expanded) -> Option<Survey> {
    let text = &expanded.text;
    let parsed = ast::parse::ParserBuilder::new().nest_limit(MOST_NESTED).build().parse(text);
    let tree = match parsed {
        Ok(tree) => tree,
        Err(error) => {
            say(problems, said, expanded, &error);
            return None;
        }
    };
    let (unicode, hir) = (!text.is_ascii(), Hir::empty());
    let mut survey = Survey { names: Vec::new(), unicode, hir, repeated: None, width: 0 };
    let Ok(()) = ast::visit(&tree, &mut survey);
    if let Some((_, span)) = survey.repeated.filter(|(most, _)| *most > MOST_REPEATED) {
        let span = place(problems, said, expanded, &span);
        let title = format!("a repetition of `{}` is too large", short(said.text));
        problems.error("pattern-too-big", span, title, format!("at most {MOST_REPEATED} times")).help =
            Some("write `+` or `*` for any number of times".to_owned());
        return None;
    }
    let mut translator =
        regex_syntax::hir::translate::TranslatorBuilder::new().utf8(false).unicode(survey.unicode).build();
    let translated = translator.translate(text, &tree).map(|hir| survey.hir = hir);
    if let Err(error) = translated {
        let span = place(problems, said, expanded, error.span());
        let needs_unicode = matches!(error.kind(), regex_syntax::hir::ErrorKind::UnicodeNotAllowed);
        let problem =
            problems.error("bad-pattern", span, "a pattern cannot be compiled", error.kind().to_string());
        problem.help = needs_unicode.then(|| "write `(?u)` at the beginning of the pattern".to_owned());
        return None;
    }
    survey.width = probe::width(&survey.hir);
    Some(survey)
}

/// What the parser of patterns says, in our words where we know better.
fn say(problems: &mut Problems<'_>, said: &Said<'_>, expanded: &Expanded, error: &ast::Error) {
    use ast::ErrorKind;

    let span = place(problems, said, expanded, error.span());
    let from = error.span().start.offset;
    let rest = expanded.text.get(from..).unwrap_or("");
    // The parser points at the flag that it does not know; the construct begins at the bracket before it.
    let bracket = from.saturating_sub(2);
    let group =
        expanded.text.get(bracket..).filter(|_| *error.kind() == ErrorKind::FlagUnrecognized).unwrap_or("");
    let construct = |length: usize| said.place(problems, &expanded.origin(bracket..bracket + length));
    let typed_escaped = problems.text.get(said.span.clone()).is_some_and(|typed| typed.starts_with('"'));
    if let Some((construct, help)) = LOOK_AROUND.iter().find_map(|(start, construct, help)| {
        (*error.kind() == ErrorKind::UnsupportedLookAround && rest.starts_with(start))
            .then_some((construct, help))
    }) {
        let title = format!("{construct} is not supported");
        problems.error("look-around", span, title, "patterns are matched in linear time").help =
            Some((*help).to_owned());
    } else if *error.kind() == ErrorKind::UnsupportedBackreference
        || rest.starts_with(r"\k")
        || group.starts_with("(?P=")
    {
        let span = if group.starts_with("(?P=") { construct("(?P=".len()) } else { span };
        let label = "patterns are matched in linear time";
        let problem = problems.error("back-reference", span, "a back-reference is not supported", label);
        problem.help =
            Some("give the second place a capture of its own; nothing compares the two".to_owned());
    } else if group.starts_with("(?>") {
        let span = construct("(?>".len());
        let label = "nothing is ever tried twice";
        problems.error("bad-pattern", span, "an atomic group is not supported", label).help =
            Some("write `(?:…)`".to_owned());
    } else {
        let second = match error.kind() {
            ErrorKind::GroupNameDuplicate { original } => Some(super::Second {
                file: problems.file.to_path_buf(),
                span: place(problems, said, expanded, original),
                label: "first used here".to_owned(),
            }),
            _ => None,
        };
        let title = "a pattern is not a valid regular expression";
        let problem = problems.error("bad-pattern", span, title, error.kind().to_string());
        problem.second = second;
        problem.help = typed_escaped
            .then(|| "write patterns between single quotes, so that backslashes need no doubling".to_owned());
    }
}

/// How a look-around begins, what it is called, and what to do instead.
const LOOK_AROUND: [(&str, &str, &str); 4] = [
    ("(?=", "a look-ahead", "match the text itself: what is outside of a capture is only a condition"),
    ("(?!", "a negative look-ahead", "write what must not be there as its own pattern: `ignore = '…'`"),
    ("(?<=", "a look-behind", "match the text itself: what is outside of a capture is only a condition"),
    ("(?<!", "a negative look-behind", "write what must not be there as its own pattern: `ignore = '…'`"),
];

fn place(problems: &Problems<'_>, said: &Said<'_>, expanded: &Expanded, span: &ast::Span) -> Range<usize> {
    said.place(problems, &expanded.origin(span.start.offset..span.end.offset))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_too_large_together_is_said_once_with_the_largest_rules() {
        let mut problems = Problems::new(Path::new("f"), "'x' 'y' 'z'");
        let mut budget = Budget::of(10_000);
        let said = |at: usize, text| Said::new(text, at..at + 3);
        let mut take = |at, text, rule, bytes| budget.take(&mut problems, &said(at, text), rule, bytes);
        assert!(take(0, "x", "small", 2000) && take(0, "x", "large", 4000) && take(0, "x", "small", 1000));
        assert!(!take(4, "y", "larger", 5000) && !take(8, "z", "huge", 1));
        let [only] = problems.finish().try_into().expect("one problem");
        assert_eq!((only.id, only.span), ("patterns-too-big", 4..7));
        assert!(only.title.contains("`y`"), "{}", only.title);
        let note = "the largest of 3 rules are `larger` (5 KiB), `large` (4 KiB), `small` (3 KiB)";
        assert_eq!(only.note.as_deref(), Some(note));
    }
}
