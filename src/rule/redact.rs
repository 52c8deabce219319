//! What is taken out of a line before anything of it is kept: passwords, tokens, keys.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::Input;
use regex_automata::meta::{self, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

/// What stands where something was taken out.
pub const MASK: &[u8] = b"***";

/// One of the patterns that hold without being asked for.
#[derive(Clone, Copy, Debug)]
pub struct Secret {
    /// What it takes out.
    pub about: &'static str,
    /// The pattern; the first of its groups that takes part is taken out.
    pub pattern: &'static str,
    /// Of these texts one stands in whatever fits.
    needs: &'static [&'static str],
    /// A line that holds one.
    pub example: &'static str,
}

/// Patterns that hold unless `redact_defaults = false`. Our own: what the services named in them document of the form of
/// their secrets, and what programs write in front of a secret.
pub const SECRETS: &[Secret] = &[
    Secret {
        about: "what stands behind a word for a secret and `=` or `:`",
        pattern: r#"(?:[Pp]assword|PASSWORD|[Pp]asswd|PASSWD|[Pp]wd|PWD|[Pp]assphrase|PASSPHRASE|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Aa]pi[_-]?[Kk]ey|API[_-]?KEY|[Aa]ccess[_-]?[Kk]ey|ACCESS[_-]?KEY|[Pp]rivate[_-]?[Kk]ey|PRIVATE[_-]KEY)["']?(?:=|: ?)(?:"((?:[^"\\]|\\.)*)"?|'([^']*)'?|([^\s"',;&]+))"#,
        needs: &[
            "word=", "word:", "word\"", "word'", "WORD=", "WORD:", "WORD\"", "WORD'", "wd=", "wd:", "wd\"",
            "wd'", "WD=", "WD:", "WD\"", "WD'", "rase=", "rase:", "rase\"", "rase'", "RASE=", "RASE:",
            "RASE\"", "RASE'", "cret=", "cret:", "cret\"", "cret'", "CRET=", "CRET:", "CRET\"", "CRET'",
            "oken=", "oken:", "oken\"", "oken'", "OKEN=", "OKEN:", "OKEN\"", "OKEN'", "ey=", "ey:", "ey\"",
            "ey'", "EY=", "EY:", "EY\"", "EY'",
        ],
        example: "connecting with password=hunter2 as app",
    },
    Secret {
        about: "the value of an `Authorization` header",
        pattern: r#"(?:[Aa]uthorization|AUTHORIZATION)["']?(?:=|: ?)["']?(?:(?:[Bb]earer|[Bb]asic|[Dd]igest|[Tt]oken|[Nn]egotiate) +)?([^\s"',;]+)"#,
        needs: &["uthorization", "UTHORIZATION"],
        example: "GET / Authorization: Basic YTpi",
    },
    Secret {
        about: "a bearer token",
        pattern: r"(?:[Bb]earer|BEARER) +([A-Za-z0-9._~+/=-]{8,})",
        needs: &["earer ", "EARER "],
        example: "upstream sent Bearer 8f14e45fceea167a",
    },
    Secret {
        about: "the password in an address",
        pattern: r"://[^\s/:@]*:([^\s/@]+)@",
        needs: &["://"],
        example: "dialing postgres://app:s3cr3t@db:5432/x",
    },
    Secret {
        about: "an AWS access key",
        pattern: r"\b((?:AKIA|ASIA)[0-9A-Z]{16})\b",
        needs: &["AKIA", "ASIA"],
        example: "denied for AKIAIOSFODNN7EXAMPLE",
    },
    Secret {
        about: "a JSON web token",
        pattern: r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        needs: &["eyJ"],
        example: "session eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc expired",
    },
    Secret {
        about: "tokens of GitHub, GitLab and Slack",
        pattern: r"\b(gh[pousr]_[A-Za-z0-9]{20,}|glpat-[A-Za-z0-9_-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,})",
        needs: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-", "xox"],
        example: "push with ghp_0123456789abcdefghijABCDEFGHIJ failed",
    },
    Secret {
        about: "a private key",
        pattern: r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+)",
        needs: &["PRIVATE KEY"],
        example: "key: -----BEGIN RSA PRIVATE KEY-----MIIEow",
    },
];

/// The default patterns, compiled; and what says quickly which of them may fit: a pattern of texts for each of them.
static DEFAULTS: LazyLock<(Regex, Vec<Regex>)> = LazyLock::new(|| {
    let compiled = |pattern: &str| {
        Regex::builder()
            .configure(meta::Config::new().utf8_empty(false).auto_prefilter(false))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(pattern)
            .expect("a test compiles each of them")
    };
    let needs = |secret: &Secret| {
        let texts: Vec<String> = secret.needs.iter().map(|needed| regex_syntax::escape(needed)).collect();
        texts.join("|")
    };
    // Choices between texts and nothing else: the one case in which the library's own prefilters are right.
    let needs: Vec<String> = SECRETS.iter().map(needs).collect();
    let gate = Regex::new_many(&needs).expect("texts are patterns");
    (gate, SECRETS.iter().map(|secret| compiled(secret.pattern)).collect())
});

/// What is taken out of the lines of a rule.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// Whether [`SECRETS`] hold.
    pub defaults: bool,
    /// Patterns besides: the first group that takes part, or all of what fits if there is none.
    pub own: Vec<Regex>,
}

/// [`SECRETS`] and nothing else.
impl Default for Redaction {
    fn default() -> Redaction {
        Redaction { defaults: true, own: Vec::new() }
    }
}

impl Redaction {
    /// The places in a text that are taken out: sorted, apart from each other, not empty.
    pub fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.defaults {
            let (gate, secrets) = &*DEFAULTS;
            let mut asked = [false; SECRETS.len()];
            let mut at = 0;
            // Texts are found in one go over the line, however often they stand there.
            while let Some(needed) = gate.search(&Input::new(text).range(at..)) {
                at = needed.end();
                let which = needed.pattern().as_usize();
                if !std::mem::replace(&mut asked[which], true) {
                    places(&secrets[which], text, &mut found);
                }
            }
        }
        self.own.iter().for_each(|pattern| places(pattern, text, &mut found));
        if found.len() < 2 {
            return found;
        }
        found.sort_by_key(|place| place.start);
        let mut apart: Vec<Range<usize>> = Vec::new();
        for place in found {
            match apart.last_mut().filter(|last| place.start <= last.end) {
                Some(last) => last.end = last.end.max(place.end),
                None => apart.push(place),
            }
        }
        apart
    }
}

fn places(pattern: &Regex, text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut captures = Captures::all(pattern.group_info().clone());
    let mut at = 0;
    while at <= text.len() {
        pattern.search_captures(&Input::new(text).range(at..), &mut captures);
        let Some(whole) = captures.get_match() else { return };
        let groups = if captures.group_len() > 1 { 1..captures.group_len() } else { 0..1 };
        let group = groups.filter_map(|group| captures.get_group(group)).next();
        if let Some(group) = group.filter(|group| !group.is_empty()) {
            found.push(group.start..group.end);
        }
        at = whole.end().max(whole.start() + 1);
    }
}

/// A piece of a text, which begins at `from` in it, without what is taken out of the text.
pub fn masked(piece: &[u8], from: usize, out: &[Range<usize>]) -> Vec<u8> {
    let (mut kept, mut at) = (Vec::new(), 0);
    let end = from + piece.len();
    for place in out.iter().filter(|place| place.start < end && place.end > from) {
        let (start, stop) = (place.start.max(from) - from, place.end.min(end) - from);
        kept.extend_from_slice(&piece[at..start]);
        kept.extend_from_slice(MASK);
        at = stop;
    }
    kept.extend_from_slice(&piece[at..]);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(text: &str) -> String {
        let out = Redaction::default().find(text.as_bytes());
        String::from_utf8_lossy(&masked(text.as_bytes(), 0, &out)).into_owned()
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(redacted(text), expected, "{text}");
    }

    #[test]
    fn secrets_are_taken_out_and_what_stands_around_them_stays() {
        check("login password=hunter2, user=bob", "login password=***, user=bob");
        check(r#"{"password":"a b","n":1}"#, r#"{"password":"***","n":1}"#);
        check(r#"{"password":"a\"b c","n":1}"#, r#"{"password":"***","n":1}"#);
        check("secret='a b' x", "secret='***' x");
        check("token=\"cut off", "token=\"***");
        check(r#"{"api_key": "abc", "token":"x"}"#, r#"{"api_key": "***", "token":"***"}"#);
        check("GET /?access_key=abc&x=1", "GET /?access_key=***&x=1");
        check("Authorization: Bearer abc.def.ghi end", "Authorization: Bearer *** end");
        check("authorization=Basic dTpw; next", "authorization=Basic ***; next");
        check("redis://:pass@h:1 and http://u:p@x/", "redis://:***@h:1 and http://u:***@x/");
        check("key AKIAIOSFODNN7EXAMPLE.", "key ***.");
        check("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln ok", "jwt *** ok");
        check("-----BEGIN PRIVATE KEY-----MIIE", "-----BEGIN PRIVATE KEY-----***");
        // Words alone are none.
        check(
            "Failed password for root from 192.0.2.7 port 22 ssh2",
            "Failed password for root from 192.0.2.7 port 22 ssh2",
        );
        check("token bucket is empty, see https://x/y:z", "token bucket is empty, see https://x/y:z");
    }

    #[test]
    fn each_secret_takes_something_out_of_its_example_and_needs_what_it_says() {
        for secret in SECRETS {
            assert!(
                redacted(secret.example).contains("***"),
                "{}: {}",
                secret.about,
                redacted(secret.example)
            );
            assert!(secret.needs.iter().any(|needed| secret.example.contains(needed)), "{}", secret.about);
        }
    }

    #[test]
    fn a_piece_loses_what_it_shares_with_a_secret() {
        let text = b"a password=hunter2 b";
        let out = Redaction::default().find(text);
        assert_eq!((out.len(), &out[0]), (1, &(11..18)));
        assert_eq!(masked(&text[2..], 2, &out), b"password=*** b");
        assert_eq!(masked(&text[13..16], 13, &out), MASK);
        assert_eq!(masked(&text[..8], 0, &out), &text[..8]);
        assert_eq!(masked(&text[18..], 18, &out), b" b");
    }

    proptest! {
        /// The quick look never hides what the patterns would find.
        #[test]
        fn the_gate_lets_through_whatever_fits(
            head in "[ -~]{0,12}",
            which in prop::collection::vec((0..SECRETS.len(), "[ -~]{0,4}"), 1..4),
            flip in any::<prop::sample::Index>(),
        ) {
            let parts = which.iter().map(|(which, behind)| format!("{}{behind}", SECRETS[*which].example));
            let mut text = format!("{head}{}", parts.collect::<String>()).into_bytes();
            let at = flip.index(text.len());
            text[at] ^= 1;
            let (_, secrets) = &*DEFAULTS;
            let mut naive = Vec::new();
            secrets.iter().for_each(|secret| places(secret, &text, &mut naive));
            naive.sort_by_key(|place| place.start);
            let covered = |places: &[Range<usize>]| -> Vec<bool> {
                (0..text.len()).map(|at| places.iter().any(|place| place.contains(&at))).collect()
            };
            prop_assert_eq!(covered(&Redaction::default().find(&text)), covered(&naive));
        }

        #[test]
        fn what_is_found_is_sorted_and_apart(text in "([ -~]|password=|token: |://a:b@){0,20}") {
            let out = Redaction { defaults: true, own: vec![Regex::new("[a-c]+").unwrap()] }.find(text.as_bytes());
            prop_assert!(out.iter().all(|place| place.start < place.end && place.end <= text.len()));
            prop_assert!(out.windows(2).all(|two| two[0].end < two[1].start));
        }
    }
}
