//! Named patterns: `%{name}` and `%{name:capture}`, ours and those of `[patterns]`.
//!
//! All of ours are written for a linear-time engine; none captures, and none matches the empty text unless it says so.

use std::collections::BTreeMap;
use std::ops::Range;

use super::diagnostic::{Problems, did_you_mean, short};
use super::pattern;
use super::walk::{Said, is_identifier};

/// A named pattern that is always there.
#[derive(Clone, Copy, Debug)]
pub struct Macro {
    /// For `%{name}`.
    pub name: &'static str,
    /// What it stands for.
    pub pattern: &'static str,
    /// What it fits, in a few words.
    pub about: &'static str,
    /// A text that it fits as a whole.
    pub example: &'static str,
}

const fn named(
    name: &'static str,
    pattern: &'static str,
    about: &'static str,
    example: &'static str,
) -> Macro {
    Macro { name, pattern, about, example }
}

macro_rules! octet {
    () => {
        "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    };
}
macro_rules! ipv4 {
    () => {
        concat!(r"(?-u:\b)", octet!(), r"(?:\.", octet!(), r"){3}(?-u:\b)")
    };
}
macro_rules! ts {
    () => {
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    };
}
macro_rules! syslogts {
    () => {
        "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"
    };
}
macro_rules! h {
    () => {
        "[0-9A-Fa-f]{1,4}"
    };
}
// Longest tails first: the engine takes the first alternative that fits, and `fe80::1` must not end at `fe80::`.
macro_rules! ipv6 {
    () => {
        concat!(
            "(?:",
            concat!("::(?:[Ff]{4}:)?", octet!(), r"(?:\.", octet!(), "){3}"),
            concat!("|(?:", h!(), ":){7}", h!()),
            concat!("|", h!(), ":(?::", h!(), "){1,6}"),
            concat!("|(?:", h!(), ":){1,2}(?::", h!(), "){1,5}"),
            concat!("|(?:", h!(), ":){1,3}(?::", h!(), "){1,4}"),
            concat!("|(?:", h!(), ":){1,4}(?::", h!(), "){1,3}"),
            concat!("|(?:", h!(), ":){1,5}(?::", h!(), "){1,2}"),
            concat!("|(?:", h!(), ":){1,6}:", h!()),
            concat!("|(?:", h!(), ":){1,7}:"),
            concat!("|:(?::", h!(), "){1,7}"),
            "|::",
            r")(?:%[0-9A-Za-z._-]{1,15})?",
        )
    };
}

/// The named patterns that every rule file has.
pub const BUILT_IN: &[Macro] = &[
    named("ip", concat!("(?:", ipv6!(), "|", ipv4!(), ")"), "an IPv4 or IPv6 address", "2001:db8::7"),
    named("ipv4", ipv4!(), "an IPv4 address, each part 0 to 255", "192.0.2.255"),
    named("ipv6", ipv6!(), "an IPv6 address, also with a zone or an IPv4 tail", "fe80::1%eth0"),
    named("mac", "[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}", "a hardware address", "52:54:00:12:34:56"),
    named(
        "host",
        r"[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62})(?:\.[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}))*",
        "a host name, short or full",
        "db-1.example.net",
    ),
    named("port", "[0-9]{1,5}", "a port number", "65535"),
    named("int", "[+-]?[0-9]+", "a whole number", "-17"),
    named("num", r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", "a decimal number", "-1.5e3"),
    named("hex", "(?:0[xX])?[0-9A-Fa-f]+", "a hexadecimal number", "0xdeadBEEF"),
    named(
        "uuid",
        "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
        "a UUID",
        "8f14e45f-ceea-467f-a0e6-d1c5a4b2d7aa",
    ),
    named("word", "[0-9A-Za-z_]+", "letters, digits and `_`", "worker_3"),
    named("notspace", r"[^ \t\r\n]+", "anything up to the next blank", "a/b:c"),
    named("space", r"[ \t]+", "blanks and tabs", "  "),
    named("data", ".*?", "as little as possible, also nothing", "any thing"),
    named("rest", ".*", "the rest of the line, also nothing", "any thing"),
    named(
        "quoted",
        r#"(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"#,
        "a text in quotes, quotes included",
        r#""a \" b""#,
    ),
    named("user", r"[0-9A-Za-z._@+$\\-]+", "a user or account name", r"CORP\svc-web$"),
    named(
        "email",
        r"[0-9A-Za-z.!#$&'*+/=?^_`{|}~-]+@[0-9A-Za-z.-]+",
        "an e-mail address",
        "first.last+tag@example.net",
    ),
    named("path", r"(?:/[^ \t\r\n/:;,)'\x22]*)+", "an absolute path without blanks", "/var/log/app-1.log"),
    named(
        "url",
        r"[A-Za-z][0-9A-Za-z+.-]*://[^ \t\r\n<>'\x22]+",
        "an address with a scheme",
        "https://example.net/x?y=1",
    ),
    named(
        "method",
        "(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND)",
        "an HTTP method",
        "PATCH",
    ),
    named("httpstatus", "[1-5][0-9]{2}", "an HTTP status code", "503"),
    named(
        "level",
        "(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|error|err|crit(?:ical)?|fatal|alert|emerg(?:ency)?|panic|severe)",
        "a log level",
        "WARNING",
    ),
    named("ts", ts!(), "a date and time such as RFC 3339", "2026-01-05T10:00:00.123+01:00"),
    named("syslogts", syslogts!(), "a date and time as syslog writes them", "Jan  5 10:00:00"),
    named(
        "syslog",
        concat!("(?:<[0-9]{1,3}>)?(?:", syslogts!(), "|", ts!(), ") [^ ]+"),
        "the head of a line of syslog: when, old or new, and which host",
        "2026-01-05T10:00:00.123+01:00 web-1",
    ),
    named("date", "[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date", "2026-01-05"),
    named("time", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?", "a time of day", "10:00:00.5"),
    named(
        "duration",
        r"[0-9]+(?:\.[0-9]+)?(?:ns|us|(?-u:\xC2\xB5)s|ms|s|m|h|d)(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|(?-u:\xC2\xB5)s|ms|s|m|h|d))*",
        "a number with a unit of time",
        "1h2m3.5s",
    ),
    named("bytes", "[0-9]+(?:\\.[0-9]+)?[ ]?(?:[KMGTP]i?)?B", "a number with a unit of size", "1.5 GiB"),
    named("version", r"v?[0-9]+(?:\.[0-9]+)+(?:[-+][0-9A-Za-z.+-]+)?", "a version number", "v1.4.0-rc.1"),
    named(
        "class",
        r"[A-Za-z_$][0-9A-Za-z_$]*(?:\.[A-Za-z_$][0-9A-Za-z_$]*)*",
        "a class name with its package",
        "java.io.IOException",
    ),
];

/// The most text a pattern may become; what compiles to the allowed size is far shorter.
const MOST_TEXT: usize = 64 * 1024;

/// Patterns inside patterns inside patterns: more is a mistake, and the stack is not endless.
const MOST_DEPTH: usize = 20;

/// A pattern with its macros replaced, and the way back.
#[derive(Clone, Debug, Default)]
pub(super) struct Expanded {
    /// What the regex parser gets.
    pub(super) text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    /// Where it begins in the expanded text.
    at: usize,
    /// What of the author's text it comes from.
    from: Range<usize>,
    /// True if it is the author's text byte by byte; else all of it stands for all of `from`.
    verbatim: bool,
}

impl Expanded {
    fn push(&mut self, text: &str, from: Range<usize>, verbatim: bool) {
        if !text.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), from, verbatim });
            self.text.push_str(text);
        }
    }

    /// The part of the author's text that the bytes `span` of the expanded text come from.
    pub(super) fn origin(&self, span: Range<usize>) -> Range<usize> {
        let piece = |offset: usize| self.pieces.iter().rev().find(|piece| piece.at <= offset);
        let start = match piece(span.start) {
            Some(piece) if piece.verbatim => (piece.from.start + (span.start - piece.at)).min(piece.from.end),
            Some(piece) if span.start >= self.text.len() => piece.from.end,
            Some(piece) => piece.from.start,
            None => 0,
        };
        let end = match piece(span.end.saturating_sub(1)) {
            _ if span.is_empty() => start,
            Some(piece) if piece.verbatim => (piece.from.start + (span.end - piece.at)).min(piece.from.end),
            Some(piece) => piece.from.end,
            None => start,
        };
        start..end.max(start)
    }
}

/// The patterns of one file's `[patterns]` with ours behind them.
#[derive(Debug, Default)]
pub(super) struct Macros {
    /// `None`: wrong, which has been said.
    own: BTreeMap<String, Option<String>>,
}

impl Macros {
    /// Reads `[patterns]`; wrong ones are said once, here.
    pub(super) fn read(
        problems: &mut Problems<'_>,
        pairs: &[(&str, Said<'_>)],
        keys: impl Fn(&str) -> Range<usize>,
    ) -> Macros {
        let mut macros = Macros::default();
        let texts: BTreeMap<&str, &Said<'_>> = pairs.iter().map(|(name, said)| (*name, said)).collect();
        for (name, _) in pairs {
            if !is_identifier(name) {
                let title = format!("`{}` is not a pattern name", short(name));
                problems.error(
                    "bad-name",
                    keys(name),
                    title,
                    "a letter or `_`, then letters, digits and `_`",
                );
            } else if BUILT_IN.iter().any(|built_in| built_in.name == *name) {
                let title = format!("`{name}` replaces a built-in pattern");
                problems.warning("built-in-replaced", keys(name), title, "in this file");
            }
            macros.resolve(problems, name, &texts, &mut Vec::new());
        }
        macros
    }

    fn resolve<'n>(
        &mut self,
        problems: &mut Problems<'_>,
        name: &'n str,
        texts: &BTreeMap<&'n str, &'n Said<'n>>,
        path: &mut Vec<&'n str>,
    ) {
        let Some(said) = texts.get(name).copied() else { return };
        if self.own.contains_key(name) {
            return;
        }
        path.push(name);
        let mut sound = path.len() <= MOST_DEPTH;
        if !sound {
            let title = format!("patterns are nested deeper than {MOST_DEPTH}");
            problems.error("pattern-too-big", said.span.clone(), title, "too deep");
        }
        for part in parts(said.text) {
            if !sound {
                break;
            }
            let Part::Macro { name: used, name_at, .. } = part else { continue };
            let Some((&used, _)) = texts.get_key_value(used) else { continue };
            if let Some(from) = path.iter().position(|earlier| *earlier == used) {
                let circle = [&path[from..], &[used]].concat().join("` → `");
                let title = format!("pattern `{used}` is made of itself");
                let span = said.place(problems, &name_at);
                problems.error("pattern-cycle", span, title, "comes back to it").note =
                    Some(format!("`{circle}`"));
                sound = false;
                break;
            }
            self.resolve(problems, used, texts, path);
        }
        path.pop();
        let expanded = if sound { self.expand(problems, said) } else { None };
        let believed = expanded.filter(|expanded| pattern::is_sound(problems, said, expanded));
        self.own.insert(name.to_owned(), believed.map(|expanded| expanded.text));
    }

    /// Replaces the macros of a pattern. `None`: something is wrong, which has been said.
    pub(super) fn expand(&self, problems: &mut Problems<'_>, said: &Said<'_>) -> Option<Expanded> {
        let mut expanded = Expanded::default();
        let mut sound = true;
        for part in parts(said.text) {
            match part {
                Part::Verbatim(from) => expanded.push(&said.text[from.clone()], from, true),
                Part::Escaped(from) => expanded.push(r"%\{", from, false),
                Part::Unclosed(from) => {
                    let span = said.place(problems, &from);
                    let help = "`%{name}` or `%{name:capture}`; a literal `%{` is written `%%{`";
                    problems.error("bad-macro", span, "a `%{` is not closed", "no `}` follows").help =
                        Some(help.to_owned());
                    sound = false;
                }
                Part::Macro { whole, name, name_at, capture } => {
                    let body = self.body(problems, said, name, &name_at);
                    if let Some((capture, at)) = &capture
                        && !is_identifier(capture)
                    {
                        let title = format!("`{}` is not a capture name", short(capture));
                        let span = said.place(problems, at);
                        problems.error(
                            "bad-macro",
                            span,
                            title,
                            "a letter or `_`, then letters, digits and `_`",
                        );
                        sound = false;
                    }
                    sound &= body.is_some();
                    let body = body.unwrap_or_default();
                    let text = match capture {
                        Some((capture, _)) => format!("(?P<{capture}>{body})"),
                        None => format!("(?:{body})"),
                    };
                    expanded.push(&text, whole, false);
                }
            }
            if expanded.text.len() > MOST_TEXT {
                let label = format!("more than {} KiB with its macros replaced", MOST_TEXT / 1024);
                problems.error("pattern-too-big", said.span.clone(), "a pattern is too large", label);
                return None;
            }
        }
        sound.then_some(expanded)
    }

    /// What a name stands for. `None`: unknown, or wrong; either has been said.
    fn body(
        &self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        name: &str,
        at: &Range<usize>,
    ) -> Option<&str> {
        if let Some(own) = self.own.get(name) {
            return own.as_deref();
        }
        if let Some(found) = BUILT_IN.iter().find(|built_in| built_in.name == name) {
            return Some(found.pattern);
        }
        let names = || BUILT_IN.iter().map(|m| m.name).chain(self.own.keys().map(String::as_str));
        let title = format!("there is no pattern named `{}`", short(name));
        let span = said.place(problems, at);
        problems.error("unknown-macro", span, title, "unknown pattern").help = Some(
            did_you_mean(name, names())
                .unwrap_or_else(|| "name it in `[patterns]`; a literal `%{` is written `%%{`".to_owned()),
        );
        None
    }
}

/// A part of a pattern as its author wrote it.
enum Part<'t> {
    Verbatim(Range<usize>),
    /// `%%{`
    Escaped(Range<usize>),
    /// `%{` without its end.
    Unclosed(Range<usize>),
    Macro {
        whole: Range<usize>,
        name: &'t str,
        name_at: Range<usize>,
        capture: Option<(&'t str, Range<usize>)>,
    },
}

/// Cuts a pattern at its macros.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("%{") {
        let open = at + found;
        if open > at && text.as_bytes()[open - 1] == b'%' {
            parts.push(Part::Verbatim(at..open - 1));
            parts.push(Part::Escaped(open - 1..open + 2));
            at = open + 2;
            continue;
        }
        parts.push(Part::Verbatim(at..open));
        let Some(length) = text[open..].find('}') else {
            parts.push(Part::Unclosed(open..open + 2));
            at = text.len();
            break;
        };
        let inner = open + 2..open + length;
        at = inner.end + 1;
        let (name, capture) = match text[inner.clone()].split_once(':') {
            Some((name, capture)) => (name, Some((capture, inner.end - capture.len()..inner.end))),
            None => (&text[inner.clone()], None),
        };
        let name_at = inner.start..inner.start + name.len();
        parts.push(Part::Macro { whole: open..at, name, name_at, capture });
    }
    parts.push(Part::Verbatim(at..text.len()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::bytes::RegexBuilder;

    fn whole(name: &str, text: &str) -> bool {
        let body = BUILT_IN.iter().find(|m| m.name == name).unwrap().pattern;
        let regex = RegexBuilder::new(&format!("^(?:{body})$")).unicode(false).build().unwrap();
        regex.is_match(text.as_bytes())
    }

    fn first<'t>(name: &str, text: &'t str) -> Option<&'t str> {
        let body = BUILT_IN.iter().find(|m| m.name == name).unwrap().pattern;
        let found = RegexBuilder::new(body).unicode(false).size_limit(128 * 1024).build().unwrap();
        found.find(text.as_bytes()).map(|found| &text[found.range()])
    }

    #[test]
    fn every_built_in_pattern_fits_its_example() {
        for Macro { name, example, about, .. } in BUILT_IN {
            assert!(whole(name, example), "{name}");
            assert!(!about.is_empty() && is_identifier(name), "{name}");
        }
    }

    #[test]
    fn addresses_are_tight() {
        for text in
            ["::", "::1", "1::", "fe80::1", "1:2:3:4:5:6:7:8", "1::8", "1:2:3:4:5:6:7::", "::ffff:192.0.2.1"]
        {
            assert!(whole("ip", text), "{text}");
            assert_eq!(first("ip", &format!("from {text} port 22")), Some(text));
        }
        for text in ["256.1.1.1", "1.2.3", "1.2.3.4.", "1:2:3", "1:2:3:4:5:6:7:8:9", "12345::", "1::2::3", ""]
        {
            assert!(!whole("ip", text), "{text}");
        }
        assert_eq!(first("ip", "at 12:34:56 from 10.0.0.250:22"), Some("10.0.0.250"));
        assert_eq!(first("ipv4", "1999.0.0.1 and 10.0.0.1234"), None);
    }

    #[test]
    fn what_is_not_fit_is_not_matched() {
        for (name, text) in [
            ("int", "1.5"),
            ("num", "."),
            ("num", "1e"),
            ("uuid", "8f14e45f-ceea-467f-a0e6"),
            ("word", "a-b"),
            ("ts", "2026-01-05"),
            ("level", "warnings"),
            ("method", "get"),
            ("duration", "5"),
            ("httpstatus", "600"),
            ("syslog", "Jan  5 10:00:00 web-1 cron[1]:"),
            ("syslog", "web-1 Jan  5 10:00:00 x"),
            ("quoted", "\"a"),
            ("path", "a/b"),
        ] {
            assert!(!whole(name, text), "{name}: {text}");
        }
    }
}
