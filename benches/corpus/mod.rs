//! Logs of any size and the rules that fit some of their lines, both from a seed: the same arguments give the same
//! bytes on every machine.
//!
//! Rule sets are nested: the first ten of a hundred are the ten. Four of five matching lines belong to the first ten
//! rules, 15 % to the next ninety and 5 % to the rest, scaled up where there is no rest. Every line made for a rule
//! fits that rule and no other; every other line fits none.

mod shapes;

use std::io::Write as _;

use fastrand::Rng;
use shapes::{CORE, Core, FAMILIES, GOOD, NEAR, NOUNS, PLAIN, PROGRAMS, VERBS, WORDLESS, WORDS};

/// More rules would have no pair of noun and verb of their own.
pub(crate) const MOST: usize = NOUNS.len() * VERBS.len();
/// The log's own seconds pass this often, so that a window of a minute holds many lines, as on a busy host.
const LINES_PER_SECOND: u64 = 1000;
/// How the matches are spread: the first rule of a group, and its weight.
const GROUPS: [(usize, f64); 3] = [(0, 80.0), (10, 15.0), (100, 5.0)];

/// The patterns of `rules` rules. Lines of a [`Log`] with the same number fit them.
pub(crate) fn patterns(rules: usize) -> Vec<String> {
    (0..rules).map(|rule| own_words(rule, shape(rule).0)).collect()
}

/// About `bytes` bytes of log, ending with a whole line. `share` of the lines (0 to 1) fit one of the `rules` rules.
#[allow(dead_code, reason = "who needs a log on disk writes it line by line")]
pub(crate) fn log(seed: u64, bytes: usize, share: f64, rules: usize) -> Vec<u8> {
    let mut log = Log::new(seed, share, rules);
    let mut text = Vec::with_capacity(bytes + 512);
    while text.len() < bytes {
        log.line(&mut text);
    }
    text
}

/// Lines without end, on a running clock.
pub(crate) struct Log {
    rng: Rng,
    share: f64,
    lines: u64,
    /// One for each rule, in its order: lines that fit it.
    fitting: Vec<Vec<Piece>>,
    /// Lines that carry a rule's words and do not fit.
    near: Vec<Vec<Piece>>,
    plain: Vec<Vec<Piece>>,
}

impl Log {
    /// `share` of the lines (0 to 1) fit one of the `rules` rules; one in a hundred others comes near to one.
    pub(crate) fn new(seed: u64, share: f64, rules: usize) -> Log {
        assert!((1..=MOST).contains(&rules), "there are patterns for 1 to {MOST} rules, not for {rules}");
        let pieces = |rule: usize, text: &str| pieces(&own_words(rule, text));
        let near = |rule: usize| match CORE.get(rule) {
            Some(Core(.., near)) => pieces(rule, near),
            None => pieces(rule, NEAR[rule % NEAR.len()]),
        };
        Log {
            rng: Rng::with_seed(seed),
            share,
            lines: 0,
            fitting: (0..rules).map(|rule| pieces(rule, &shape(rule).1)).collect(),
            near: (0..rules).map(near).collect(),
            plain: PLAIN.iter().map(|line| pieces(0, line)).collect(),
        }
    }

    /// Appends one line and says which rule it was made for.
    pub(crate) fn line(&mut self, to: &mut Vec<u8>) -> Option<usize> {
        let rng = &mut self.rng;
        let rule = (rng.f64() < self.share).then(|| draw(rng, self.fitting.len()));
        let pieces = match rule {
            Some(rule) => &self.fitting[rule],
            None if rng.u8(..100) == 0 => &self.near[rng.usize(..self.near.len())],
            None => &self.plain[rng.usize(..self.plain.len())],
        };
        let time = Time::of(self.lines);
        for piece in pieces {
            piece.fill(time, rng, to);
        }
        to.push(b'\n');
        self.lines += 1;
        rule
    }
}

/// The rule that a matching line belongs to.
fn draw(rng: &mut Rng, rules: usize) -> usize {
    let groups = GROUPS.iter().filter(|(first, _)| *first < rules);
    let mut at = rng.f64() * groups.clone().map(|(_, weight)| weight).sum::<f64>();
    let mut drawn = (0, rules);
    for (ix, (first, weight)) in groups.enumerate() {
        let end = GROUPS.get(ix + 1).map_or(rules, |(next, _)| rules.min(*next));
        drawn = (*first, end);
        if at < *weight {
            break;
        }
        at -= weight;
    }
    rng.usize(drawn.0..drawn.1)
}

/// Pattern and line of a rule, with the places for its own words still open.
fn shape(rule: usize) -> (&'static str, String) {
    if let Some(Core(pattern, line, _)) = CORE.get(rule) {
        return (pattern, (*line).to_owned());
    }
    if rule % 50 == 49 {
        let (pattern, line) = WORDLESS[rule / 50 % WORDLESS.len()];
        return (pattern, format!("{{syslog}} node-7 {{P}}[{{n}}]: {line}"));
    }
    let (pattern, line) = FAMILIES[rule % FAMILIES.len()];
    (pattern, line.to_owned())
}

fn own_words(rule: usize, text: &str) -> String {
    let noun = NOUNS[rule % NOUNS.len()];
    let verb = VERBS[rule / NOUNS.len() % VERBS.len()];
    let mut capital = noun.to_owned();
    capital[..1].make_ascii_uppercase();
    text.replace("{NC}", &capital)
        .replace("{NU}", &noun.to_ascii_uppercase())
        .replace("{VU}", &verb.to_ascii_uppercase())
        .replace("{N}", noun)
        .replace("{V}", verb)
        .replace("{P}", PROGRAMS[rule % PROGRAMS.len()])
}

/// A part of a line.
enum Piece {
    Text(String),
    Number(u32),
    Digit,
    Hex,
    Capital,
    Tag,
    Address,
    OneOf(&'static [&'static str]),
    Syslog,
    Klog,
    Iso,
    Java,
    Clf,
    Slash,
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        let piece = match &rest[..end] {
            "{n}" => Piece::Number(65_535),
            "{s}" => Piece::Number(99),
            "{d}" => Piece::Digit,
            "{x}" => Piece::Hex,
            "{A}" => Piece::Capital,
            "{h}" => Piece::Tag,
            "{ip}" => Piece::Address,
            "{w}" => Piece::OneOf(&WORDS),
            "{M}" => Piece::OneOf(&NOUNS),
            "{G}" => Piece::OneOf(&GOOD),
            "{syslog}" => Piece::Syslog,
            "{klog}" => Piece::Klog,
            "{iso}" => Piece::Iso,
            "{java}" => Piece::Java,
            "{clf}" => Piece::Clf,
            "{slash}" => Piece::Slash,
            _ => {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = &rest[end..];
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// A time in December 2026.
#[derive(Clone, Copy)]
struct Time {
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    micro: u64,
}

impl Time {
    fn of(line: u64) -> Time {
        let second = line / LINES_PER_SECOND;
        Time {
            day: 1 + second / 86_400,
            hour: second / 3600 % 24,
            minute: second / 60 % 60,
            second: second % 60,
            micro: line % LINES_PER_SECOND * 1000,
        }
    }
}

impl Piece {
    fn fill(&self, time: Time, rng: &mut Rng, to: &mut Vec<u8>) {
        let Time { day, hour, minute, second, micro } = time;
        let written = match self {
            Piece::Text(text) => to.write_all(text.as_bytes()),
            Piece::Number(most) => write!(to, "{}", rng.u32(1..=*most)),
            Piece::Digit => to.write_all(&[rng.u8(b'0'..=b'9')]),
            Piece::Hex => to.write_all(&[b"0123456789abcdef"[rng.usize(..16)]]),
            Piece::Capital => to.write_all(&[rng.u8(b'A'..=b'Z')]),
            Piece::Tag => (0..5).try_for_each(|_| to.write_all(&[rng.alphanumeric() as u8])),
            Piece::Address => write!(to, "10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..)),
            Piece::OneOf(words) => to.write_all(words[rng.usize(..words.len())].as_bytes()),
            Piece::Syslog => write!(to, "Dec {day:>2} {hour:02}:{minute:02}:{second:02}"),
            Piece::Klog => write!(to, "12{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}"),
            Piece::Iso => write!(to, "2026-12-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z"),
            Piece::Java => {
                write!(to, "2026-12-{day:02} {hour:02}:{minute:02}:{second:02},{:03}", micro / 1000)
            }
            Piece::Clf => write!(to, "{day:02}/Dec/2026:{hour:02}:{minute:02}:{second:02} +0000"),
            Piece::Slash => write!(to, "2026/12/{day:02} {hour:02}:{minute:02}:{second:02}"),
        };
        written.expect("memory takes what is written");
    }
}
