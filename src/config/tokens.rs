//! What conditions, measures and rewritings are made of: tokens, names, and what is said when they are wrong.

use std::ops::Range;

use regex_automata::meta::Regex;

use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::units::{QUANTITY_UNITS, parse_quantity};
use super::walk::Said;
use crate::rule::{Op, Quantity};

/// What names stand for.
pub(super) struct Names<'a, N> {
    /// What a name stands for.
    pub(super) find: &'a dyn Fn(&str) -> Option<N>,
    /// All of them; `None`: it is not known which there are, because a pattern is wrong.
    pub(super) all: Option<Vec<&'a str>>,
    /// What else is said of a name that is not known.
    pub(super) note: &'a dyn Fn(&str) -> String,
}

impl<N> Names<'_, N> {
    /// What stands at `at` of `said` by its name; says so if nothing has it.
    pub(super) fn look_up(
        &self,
        problems: &mut Problems<'_>,
        said: &Said<'_>,
        at: &Range<usize>,
        otherwise: Option<String>,
    ) -> Option<N> {
        let name = &said.text[at.clone()];
        let found = (self.find)(name);
        if let (None, Some(all)) = (&found, &self.all) {
            let span = said.place(problems, at);
            let title = format!("`{}` is not known", short(name));
            let problem = problems.error("unknown-name", span, title, "nothing has this name");
            let meant = did_you_mean(name, all.iter().copied());
            let note = if meant.is_none() { (self.note)(name) } else { String::new() };
            problem.note = Some(format!("the names are {}{note}", listed(all.iter().copied())));
            problem.help = meant.or(otherwise);
        }
        found
    }
}

/// Compiles a pattern; `None`: it is wrong, which has been said.
pub(super) type Compile<'a, 'i> = &'a mut dyn FnMut(&mut Problems<'i>, &Said<'_>) -> Option<Regex>;

/// What is wrong with the form of a text.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    at: Range<usize>,
    title: &'static str,
    label: String,
    help: Option<String>,
}

impl Wrong {
    pub(super) fn new(at: Range<usize>, title: &'static str, label: impl Into<String>) -> Wrong {
        Wrong { at, title, label: label.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }

    pub(super) fn say(self, problems: &mut Problems<'_>, said: &Said<'_>, id: &'static str) {
        let span = said.place(problems, &self.at);
        problems.error(id, span, self.title, self.label).help = self.help;
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// With its backticks, if it has any.
    Name(&'t str),
    Number(Quantity),
    /// Without its quotes.
    Text(&'t str),
    Op(Op),
    /// `=~`, or `!~` if not `wanted`.
    Fits {
        wanted: bool,
    },
    And,
    Or,
    Not,
    In,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// A token and where it stands.
pub(super) type Placed<'t> = (Token<'t>, Range<usize>);

/// What a text is made of, blanks aside.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (token, len) = token(&text[at..], first).map_err(|mut wrong| {
            wrong.at = at + wrong.at.start..at + wrong.at.end;
            wrong
        })?;
        tokens.push((token, at..at + len));
        at += len;
    }
    Ok(tokens)
}

/// What `text` begins with, and how long that is.
fn token(text: &str, first: char) -> Result<(Token<'_>, usize), Wrong> {
    const SIGNS: [(&str, Token<'_>); 13] = [
        ("=~", Token::Fits { wanted: true }),
        ("!~", Token::Fits { wanted: false }),
        (">=", Token::Op(Op::AtLeast)),
        ("<=", Token::Op(Op::AtMost)),
        ("==", Token::Op(Op::Equal)),
        ("!=", Token::Op(Op::Other)),
        (">", Token::Op(Op::Above)),
        ("<", Token::Op(Op::Below)),
        ("(", Token::Open),
        (")", Token::Close),
        ("[", Token::OpenList),
        ("]", Token::CloseList),
        (",", Token::Comma),
    ];
    if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| text.starts_with(sign)) {
        return Ok((*token, sign.len()));
    }
    match first {
        '"' | '\'' => {
            let Some(len) = text[1..].find(first) else {
                return Err(Wrong::new(0..1, "a text is not closed", format!("no `{first}` follows")));
            };
            Ok((Token::Text(&text[1..1 + len]), len + 2))
        }
        '0'..='9' | '-' | '+' => match parse_quantity(text) {
            Ok((quantity, len)) => Ok((Token::Number(quantity), len)),
            Err(wrong) => Err(Wrong::new(wrong.at, "a number is wrong", wrong.why).help(QUANTITY_UNITS)),
        },
        '`' => match text[1..].find(first) {
            None => Err(Wrong::new(0..1, "a name is not closed", "no other backtick follows")),
            Some(0) => Err(Wrong::new(0..2, "a name is empty", "nothing stands between the backticks")),
            Some(len) => Ok((Token::Name(&text[..len + 2]), len + 2)),
        },
        'a'..='z' | 'A'..='Z' | '_' => {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let len = text.find(|c| !fits(c)).unwrap_or(text.len());
            let token = match &text[..len] {
                "and" => Token::And,
                "or" => Token::Or,
                "not" => Token::Not,
                "in" => Token::In,
                name => Token::Name(name),
            };
            Ok((token, len))
        }
        other => {
            let at = 0..other.len_utf8();
            let wrong = Wrong::new(at, "this has no meaning in a condition", "not expected here");
            Err(match other {
                '=' if text.starts_with("=>") => wrong.help("write `>=`"),
                '=' if text.starts_with("=<") => wrong.help("write `<=`"),
                '=' => wrong.help("write `==`"),
                '&' => wrong.help("write `and`"),
                '|' => wrong.help("write `or`"),
                '!' => wrong.help("write `not`, or `!=`"),
                _ => wrong,
            })
        }
    }
}
