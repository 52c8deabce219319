//! Patterns made to be slow or large, for the tests, and for the bench that measures them. Add what somebody found.

/// What becomes of an evil pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is refused before it is compiled, or because it is too large compiled.
    TooBig,
    /// A load tries it, and refuses it if it is slow.
    Tried,
    /// It is too small to be slow, whatever the line.
    Harmless,
}

use Fate::{Harmless, TooBig, Tried};

/// Each with what becomes of it.
pub(crate) const PATTERNS: &[(&str, Fate)] = &[
    // Compile bombs.
    (r"x{1000}{100}", TooBig),
    (r"(?:){4294967295}", TooBig),
    (r"\w{4294967295}", TooBig),
    (r"(?u)\w{1000}", TooBig),
    (r"(?u)\w{20}", TooBig),
    (r"\w{1000}{50}", TooBig),
    (r"(?u)\p{L}{50}", TooBig),
    (r"(?:(?:(?:x{10}){10}){10}){10}", TooBig),
    (r"(?:a{0,100}){0,100}", TooBig),
    (r"a{0,5000}", TooBig),
    (r"(?:\b){10001}", TooBig),
    (r"(?:[a-z0-9]{1,63}\.){1,127}com", TooBig),
    // More states in play than an automaton can remember.
    (r"\w{1000}", Tried),
    (r"(?s).{1,2000}x", Tried),
    (r"(?<t>a{1,1000}){1,3}b", Tried),
    (r"(?:a?){1000}a{1000}", Tried),
    (r"(?s)(?:.{100}){20}x", Tried),
    (r"(?<n>x{1,500})+", Tried),
    (r"(?<a>(?:a?){100})+$", Tried),
    (r"(?<w>(?:a{0,50}){2})*$", Tried),
    (r"(?<a>[a0x ]{1,100})+(?<b>[a0x ]{1,100})+$", Tried),
    (r"(?<a>.*)(?:a?){150}$", Tried),
    (r"(?:a|b|ab|ba|aab|abb){1,200}c", Tried),
    (r"[a-z]*a[a-z]{60}0", Tried),
    (r"(?:.{0,50},){10}z", Tried),
    (r"(?:\s*\S+){50}", Tried),
    (r"(?:.*?a){50}b", Tried),
    (r"(?:[a-z]?[a-z]?){200}", Tried),
    (r"(?i)(?:error|warn|fail|fatal|panic){1,40}!", Tried),
    (r"[^b]{0,1000}b", Tried),
    (r"(?:\ba?){200}", Tried),
    // Few steps, however long the line is.
    (r"\b(?<a>\w{1,100})+\b", Harmless),
    (r"(?s)(?<a>.*?).{200}(?<b>.*)$", Harmless),
    // What takes exponential time elsewhere takes linear time here.
    (r"(a+)+b", Harmless),
    (r"(?:a|aa)+b", Harmless),
    (r"(?:a|a)*b", Harmless),
    (r"(?:a*)*b", Harmless),
    (r"(?:.*)*x", Harmless),
    (r".*.*.*=.*", Harmless),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", Harmless),
    (r"(?:x+x+)+y", Harmless),
    (r"(?<a>.*?)(?<b>.*?)(?<c>.*?)$", Harmless),
    (r"[ab]*a[ab]{12}c", Harmless),
    (r"\b(?:\w+\b ?)+!", Harmless),
    (r"(?u)(?:\w+\s*)+$", Harmless),
];
