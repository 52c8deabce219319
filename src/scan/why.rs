//! Why a pattern does not fit a line, as far as it can be told: how far it gets, which text of it is missing, and
//! which small change would make it fit.
//!
//! Whether it fits is asked of the matcher that the scan uses; what is made here are other patterns, to ask about.

use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, Hir, HirKind, Literal, Look, Repetition,
};

use memchr::memmem;

use super::matcher::{Room, Seen};
use super::spelled::spelled;
use crate::rule::{Pattern, Rule};

/// Patterns that are compiled for one answer, at most.
const MOST_TRIED: usize = 400;
/// Bytes of such a pattern, compiled.
const MOST_COMPILED: usize = 1 << 20;

/// What a pattern is to its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One of `ignore`.
    Ignore,
    /// One of `resolve`.
    Resolve,
    /// One of `match`.
    Match,
    /// One of `match_all`.
    MatchAll,
}

/// A pattern of a rule, held against a line.
#[derive(Clone, Debug)]
pub struct Tried<'r> {
    /// What it is to its rule.
    pub role: Role,
    /// The pattern.
    pub pattern: &'r Pattern,
    /// Whether it fits, by itself.
    pub fits: bool,
}

/// Why a pattern does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// How far it gets; `None`: not even its first piece fits anywhere.
    pub head: Option<Head>,
    /// The first text that the pattern wants, whatever else it wants, and that does not stand in the line.
    pub missing: Option<Vec<u8>>,
    /// True if it wants the end of a line inside, and there is none: lines are joined by `multiline` only.
    pub line_end: bool,
    /// Changes of which each by itself would make it fit.
    pub near: Vec<Near>,
}

/// The longest beginning of a pattern that fits somewhere in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where in the line it begins to fit, in bytes.
    pub from: usize,
    /// Where in the line it ends, in bytes.
    pub to: usize,
    /// That much of the pattern, spelled as a pattern.
    pub pattern: String,
    /// What the pattern wants next.
    pub next: String,
}

/// What a pattern may be wrong about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// Capital and small letters.
    Case,
    /// How many blanks there are, or of what kind.
    Blanks,
    /// That it begins or ends where the line does.
    Anchors,
}

/// All patterns of a rule, in the order in which they stand in it.
pub fn tried<'r>(rule: &'r Rule, line: &[u8]) -> Vec<Tried<'r>> {
    let mut room = Room::default();
    let mut all = Vec::new();
    let mut add = |role, pattern: &'r Pattern| {
        let alone = Pattern { also: Vec::new(), ..pattern.clone() };
        all.push(Tried { role, pattern, fits: Seen::alone(&alone).fits(0, line, &mut room) });
    };
    for (role, patterns) in
        [(Role::Match, &rule.patterns), (Role::Resolve, &rule.resolve), (Role::Ignore, &rule.ignore)]
    {
        for pattern in patterns {
            let role = if pattern.also.is_empty() { role } else { Role::MatchAll };
            add(role, pattern);
            pattern.also.iter().for_each(|also| add(Role::MatchAll, also));
        }
    }
    all
}

/// Why a pattern that does not fit a line by itself does not.
pub fn why(pattern: &Pattern, line: &[u8]) -> Why {
    let mut search = Search { line, left: MOST_TRIED };
    let head = search.head(&[], &pattern.hir);
    let mut wanted = Vec::new();
    literals(&pattern.hir, &mut wanted);
    let missing = wanted.into_iter().find(|text| memmem::find(line, text).is_none()).map(<[u8]>::to_vec);
    let mut near = vec![Near::Case, Near::Blanks, Near::Anchors];
    near.retain(|near| search.find(near.loosen(&pattern.hir)).is_some());
    // Another blank would make it fit, but then it is another pattern.
    let line_end = wants_line_end(&pattern.hir) && !line.contains(&b'\n');
    if line_end {
        near.clear();
    }
    Why { head, missing, line_end, near }
}

/// True if nothing fits but what has the end of a line in it.
pub fn wants_line_end(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(class) => class.literal().is_some_and(|literal| literal.contains(&b'\n')),
        HirKind::Repetition(repetition) => repetition.min > 0 && wants_line_end(&repetition.sub),
        HirKind::Capture(capture) => wants_line_end(&capture.sub),
        HirKind::Concat(all) => all.iter().any(wants_line_end),
        HirKind::Alternation(all) => all.iter().all(wants_line_end),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}

/// Texts that every match holds, in the order in which they stand there.
fn literals<'h>(hir: &'h Hir, out: &mut Vec<&'h [u8]>) {
    match hir.kind() {
        HirKind::Literal(Literal(text)) if !text.trim_ascii().is_empty() => out.push(text),
        HirKind::Concat(all) => all.iter().for_each(|one| literals(one, out)),
        HirKind::Capture(capture) => literals(&capture.sub, out),
        HirKind::Repetition(repetition) if repetition.min > 0 => literals(&repetition.sub, out),
        _ => {}
    }
}

struct Search<'l> {
    line: &'l [u8],
    /// How many more patterns may be compiled.
    left: usize,
}

impl Search<'_> {
    /// Where a pattern fits first.
    fn find(&mut self, hir: Hir) -> Option<(usize, usize)> {
        self.left = self.left.checked_sub(1)?;
        let found = Pattern::engine(&hir, MOST_COMPILED)?.find(self.line)?;
        Some((found.start(), found.end()))
    }

    /// How far `hir` gets behind `before`, which fits.
    fn head(&mut self, before: &[Hir], hir: &Hir) -> Option<Head> {
        let behind = |more: &[Hir]| Hir::concat([before, more].concat());
        match hir.kind() {
            HirKind::Concat(pieces) => {
                // What fits up to a piece fits up to those before it.
                let (mut fits, mut too_many) = (0, pieces.len() + 1);
                while too_many - fits > 1 {
                    let middle = fits.midpoint(too_many);
                    match self.find(behind(&pieces[..middle])) {
                        Some(_) => fits = middle,
                        None => too_many = middle,
                    }
                }
                let next = pieces.get(fits)?;
                self.head(&[before, &pieces[..fits]].concat(), next)
            }
            HirKind::Literal(Literal(text)) => {
                let cuts: Vec<usize> = match std::str::from_utf8(text) {
                    Ok(text) => text.char_indices().map(|(at, _)| at).collect(),
                    Err(_) => (0..text.len()).collect(),
                };
                let (mut fits, mut too_many) = (0, cuts.len());
                while too_many - fits > 1 {
                    let middle = fits.midpoint(too_many);
                    match self.find(behind(&[Hir::literal(&text[..cuts[middle]])])) {
                        Some(_) => fits = middle,
                        None => too_many = middle,
                    }
                }
                let (done, next) = text.split_at(cuts[fits]);
                self.stop(behind(&[Hir::literal(done)]), &Hir::literal(next))
            }
            HirKind::Capture(Capture { sub, .. }) => self.head(before, sub),
            HirKind::Repetition(Repetition { min: 1.., sub, .. })
                if !matches!(sub.kind(), HirKind::Class(_)) =>
            {
                self.head(before, sub)
            }
            HirKind::Alternation(ways) => {
                let heads: Vec<Head> = ways.iter().filter_map(|way| self.head(before, way)).collect();
                let farthest = heads.iter().max_by_key(|head| head.to)?.to;
                let mut heads: Vec<Head> = heads.into_iter().filter(|head| head.to == farthest).collect();
                let next = if heads.len() > 1 { spelled(hir) } else { heads[0].next.clone() };
                Some(Head { next, ..heads.remove(0) })
            }
            _ => self.stop(behind(&[]), hir),
        }
    }

    fn stop(&mut self, head: Hir, next: &Hir) -> Option<Head> {
        let pattern = spelled(&head);
        let (from, to) = self.find(head)?;
        (!pattern.is_empty()).then(|| Head { from, to, pattern, next: spelled(next) })
    }
}

impl Near {
    /// The same pattern, not as strict.
    fn loosen(self, hir: &Hir) -> Hir {
        let all = |all: &[Hir]| all.iter().map(|one| self.loosen(one)).collect();
        match hir.kind() {
            HirKind::Literal(Literal(text)) => self.loosen_text(text),
            HirKind::Class(class) if self == Near::Case => {
                let mut class = class.clone();
                // A build without the tables of Unicode leaves the class as it is.
                let _ = class.try_case_fold_simple();
                Hir::class(class)
            }
            HirKind::Look(Look::Start | Look::End | Look::StartLF | Look::EndLF | Look::StartCRLF)
                if self == Near::Anchors =>
            {
                Hir::empty()
            }
            HirKind::Repetition(repetition) => {
                let sub = Box::new(self.loosen(&repetition.sub));
                Hir::repetition(Repetition { sub, ..repetition.clone() })
            }
            HirKind::Capture(Capture { sub, .. }) => self.loosen(sub),
            HirKind::Concat(pieces) => Hir::concat(all(pieces)),
            HirKind::Alternation(ways) => Hir::alternation(all(ways)),
            _ => hir.clone(),
        }
    }

    fn loosen_text(self, text: &[u8]) -> Hir {
        let class = |bytes: &[u8]| {
            let ranges = bytes.iter().map(|byte| ClassBytesRange::new(*byte, *byte));
            Hir::class(Class::Bytes(ClassBytes::new(ranges)))
        };
        let blanks = || {
            let sub = Box::new(class(b" \t\r\x0b\x0c"));
            Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub })
        };
        let is_blank = |byte: &u8| byte.is_ascii_whitespace();
        let pieces = text.chunk_by(|one, other| {
            self == Near::Blanks && is_blank(one) == is_blank(other) || !one.is_ascii() && !other.is_ascii()
        });
        let loosen = |piece: &[u8]| match (self, piece) {
            (Near::Blanks, [first, ..]) if is_blank(first) => blanks(),
            (Near::Case, [letter]) if letter.is_ascii_alphabetic() => {
                class(&[letter.to_ascii_lowercase(), letter.to_ascii_uppercase()])
            }
            (Near::Case, piece) if !piece.is_ascii() => any_case(piece),
            _ => Hir::literal(piece),
        };
        Hir::concat(pieces.map(loosen).collect())
    }
}

/// Letters beyond ASCII, in any case.
fn any_case(text: &[u8]) -> Hir {
    let Ok(text) = std::str::from_utf8(text) else { return Hir::literal(text) };
    let letter = |letter: char| {
        let mut class = ClassUnicode::new([regex_syntax::hir::ClassUnicodeRange::new(letter, letter)]);
        let _ = class.try_case_fold_simple();
        Hir::class(Class::Unicode(class))
    };
    Hir::concat(text.chars().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{any_pattern, crowded, rule};
    use super::*;

    fn ask(pattern: &str, line: &str) -> Why {
        let rule = rule(&[pattern], &[], &[]);
        assert!(!tried(&rule, line.as_bytes())[0].fits, "{pattern} fits {line}");
        why(&rule.patterns[0], line.as_bytes())
    }

    fn check_head(pattern: &str, line: &str, head: Option<(&str, &str, &str)>) {
        let found = ask(pattern, line).head;
        let found = found.as_ref().map(|head| (&line[..head.to], head.pattern.as_str(), head.next.as_str()));
        assert_eq!(found, head, "{pattern} on {line}");
    }

    #[test]
    fn it_is_told_how_far_a_pattern_gets_and_what_it_wants_then() {
        let failed = r"Failed \S+ for (?:invalid user )?(?<user>\S*) from (?<ip>[0-9.]+) port";
        check_head(
            failed,
            "sshd: Failed password, user bob",
            Some(("sshd: Failed password, ", r"Failed \S+ ", "for ")),
        );
        check_head(
            failed,
            "Failed password for root from ::1",
            Some((
                "Failed password for root from ",
                r"Failed \S+ for (?:invalid user )?(?<user>\S*) from ",
                "[.0-9]+",
            )),
        );
        check_head("^error", "an error", Some(("", "^", "error")));
        check_head("disk (?:sda|sdb) bad", "disk sdc bad", Some(("disk sd", "disk sd", "(?:sda|sdb)")));
        check_head("code=(?:ok|[0-9]{3})", "code=x", Some(("code=", "code=", r"(?:ok|\d{3})")));
        check_head("xyz", "nothing of it", None);
        check_head("größe (?<n>\\d+)", "größe viel", Some(("größe ", "größe ", r"\d+")));
    }

    #[test]
    fn the_text_that_is_missing_is_told() {
        assert_eq!(
            ask(r"Failed \S+ for (?<user>\S+) from", "Failed x of y").missing,
            Some(b" for ".to_vec())
        );
        assert_eq!(ask(r"x\d+", "x y").missing, None);
        assert_eq!(ask("(?:never|always)", "x y").missing, None, "one of them is enough");
    }

    #[test]
    fn near_misses_are_told() {
        for (pattern, line, near) in [
            ("out of memory: Killed", "Out of Memory: killed", vec![Near::Case]),
            ("größe", "GRÖSSE GRÖßE", vec![Near::Case]),
            ("Failed password", "Failed  password", vec![Near::Blanks]),
            ("Failed password", "Failed\tpassword", vec![Near::Blanks]),
            ("^Failed$", "a Failed b", vec![Near::Anchors]),
            ("^Failed", "failed", vec![Near::Case]),
            ("Failed", "refused", vec![]),
        ] {
            assert_eq!(ask(pattern, line).near, near, "{pattern} on {line}");
        }
    }

    #[test]
    fn a_pattern_of_many_pieces_costs_no_more_than_its_bound() {
        let ways: Vec<String> = (0..500).map(|n| format!("way{n}[xyz]end{n}")).collect();
        let pattern = format!("(?:{})", ways.join("|"));
        let rule = rule(&[&pattern], &[], &[]);
        let mut search = Search { line: &b"way7 way1x ".repeat(100), left: MOST_TRIED };
        assert!(search.head(&[], &rule.patterns[0].hir).is_some());
        assert_eq!(search.left, 0, "there would be more to try");
    }

    proptest! {
        /// Whatever a pattern and a line are, the parts that are said to fit do, and the pattern as a whole does not.
        #[test]
        fn what_is_said_to_fit_fits(pattern in any_pattern(), text in crowded()) {
            let rule = rule(&[&pattern], &[], &[]);
            for line in text.split(|byte| *byte == b'\n') {
                let told = &tried(&rule, line)[0];
                prop_assert_eq!(told.fits, rule.patterns[0].regex.is_match(line));
                if told.fits {
                    continue;
                }
                let why = why(told.pattern, line);
                if let Some(head) = why.head {
                    prop_assert!(head.from <= head.to && head.to <= line.len());
                    prop_assert!(!head.next.is_empty());
                }
                if let Some(missing) = why.missing {
                    prop_assert!(memmem::find(line, &missing).is_none());
                }
            }
        }
    }
}
