//! What a compiled pattern means, spelled as a pattern again, for people.

use std::fmt::Write as _;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Literal, Look, Repetition};

/// Pieces of a class that are shown, at most.
const MOST_RANGES: usize = 8;

/// A pattern that means this, or nearly: flags are left out, and large classes are cut.
pub(super) fn spelled(hir: &Hir) -> String {
    let mut out = String::new();
    spell(hir, &mut out);
    out
}

fn spell(hir: &Hir, out: &mut String) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(Literal(text)) => spell_text(text, out),
        HirKind::Class(class) => spell_class(class, out),
        HirKind::Look(look) => out.push_str(match look {
            Look::Start | Look::StartLF | Look::StartCRLF => "^",
            Look::End | Look::EndLF | Look::EndCRLF => "$",
            Look::WordAsciiNegate | Look::WordUnicodeNegate => r"\B",
            _ => r"\b",
        }),
        HirKind::Repetition(repetition) => spell_repetition(repetition, out),
        HirKind::Capture(capture) => {
            match &capture.name {
                Some(name) => {
                    let _ = write!(out, "(?<{name}>");
                }
                None => out.push('('),
            }
            match capture.sub.kind() {
                HirKind::Alternation(ways) => spell_ways(ways, out),
                _ => spell(&capture.sub, out),
            }
            out.push(')');
        }
        HirKind::Concat(pieces) => pieces.iter().for_each(|piece| spell(piece, out)),
        HirKind::Alternation(ways) => {
            out.push_str("(?:");
            spell_ways(ways, out);
            out.push(')');
        }
    }
}

fn spell_ways(ways: &[Hir], out: &mut String) {
    for (at, way) in ways.iter().enumerate() {
        if at > 0 {
            out.push('|');
        }
        spell(way, out);
    }
}

/// Only what means something else in a pattern is escaped.
fn spell_text(text: &[u8], out: &mut String) {
    for piece in text.utf8_chunks() {
        for c in piece.valid().chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        for byte in piece.invalid() {
            let _ = write!(out, r"\x{byte:02x}");
        }
    }
}

fn spell_repetition(repetition: &Repetition, out: &mut String) {
    let Repetition { min, max, greedy, sub } = repetition;
    let single = match sub.kind() {
        HirKind::Literal(Literal(text)) => {
            std::str::from_utf8(text).is_ok_and(|text| text.chars().count() == 1)
        }
        HirKind::Concat(_) | HirKind::Repetition(_) | HirKind::Empty => false,
        _ => true,
    };
    if single {
        spell(sub, out);
    } else {
        out.push_str("(?:");
        spell(sub, out);
        out.push(')');
    }
    let _ = match (min, max) {
        (0, None) => write!(out, "*"),
        (1, None) => write!(out, "+"),
        (0, Some(1)) => write!(out, "?"),
        (least, Some(most)) if least == most => write!(out, "{{{least}}}"),
        (least, Some(most)) => write!(out, "{{{least},{most}}}"),
        (least, None) => write!(out, "{{{least},}}"),
    };
    if !greedy {
        out.push('?');
    }
}

fn spell_class(class: &Class, out: &mut String) {
    // Those that have names of their own, in both alphabets.
    for name in [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", ".", "(?s:.)"] {
        for unicode in [false, true] {
            let named = ParserBuilder::new().utf8(false).unicode(unicode).build().parse(name);
            if named.is_ok_and(|named| matches!(named.kind(), HirKind::Class(known) if known == class)) {
                out.push_str(name);
                return;
            }
        }
    }
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let last = if matches!(class, Class::Bytes(_)) { 0xff } else { u32::from(char::MAX) };
    // From the first to the last of all: what is left out says more.
    let negated = ranges.first().is_some_and(|(from, _)| *from == 0)
        && ranges.last().is_some_and(|(_, to)| *to == last);
    let shown: Vec<(u32, u32)> =
        if negated { ranges.windows(2).map(|pair| (pair[0].1 + 1, pair[1].0 - 1)).collect() } else { ranges };
    out.push_str(if negated { "[^" } else { "[" });
    for (from, to) in shown.iter().take(MOST_RANGES) {
        spell_member(*from, out);
        if to > from {
            if to - from > 1 {
                out.push('-');
            }
            spell_member(*to, out);
        }
    }
    if shown.len() > MOST_RANGES {
        out.push('…');
    }
    out.push(']');
}

fn spell_member(member: u32, out: &mut String) {
    match char::from_u32(member) {
        Some(c) if c.is_control() || (0x80..0x100).contains(&member) => {
            let _ = write!(out, r"\x{member:02x}");
        }
        Some(c) => {
            if r"\[]^-".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        None => out.push('�'),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{any_pattern, compiled, crowded, parsed};
    use super::*;

    #[test]
    fn patterns_are_spelled_as_people_write_them() {
        for (pattern, expected) in [
            (r"sshd\[\d+\]: Failed \S+", r"sshd\[\d+\]: Failed \S+"),
            (r"(?<user>\w*?) (a|bc)? .{3}", r"(?<user>\w*?) (a|bc)? .{3}"),
            (r#"[^"\]]+"#, r#"[^"\]]+"#),
            ("[a-f0-9]{2,}", "[0-9a-f]{2,}"),
            ("(?:ab){2,3}$", "(?:ab){2,3}$"),
            (r"^\bx", r"^\bx"),
            ("(?:one|two)", "(?:one|two)"),
            ("größe.", "größe."),
        ] {
            assert_eq!(spelled(&parsed(pattern).expect("a pattern")), expected);
        }
    }

    proptest! {
        /// What is spelled means the same, where nothing is left out.
        #[test]
        fn what_is_spelled_means_the_same(pattern in any_pattern(), text in crowded()) {
            prop_assume!(!pattern.contains("(?u") && pattern.is_ascii());
            let again = spelled(&parsed(&pattern).expect("a pattern"));
            prop_assume!(again.is_ascii());
            for line in text.split(|byte| *byte == b'\n') {
                prop_assert_eq!(compiled(&again).is_match(line), compiled(&pattern).is_match(line), "{}", again);
            }
        }
    }
}
