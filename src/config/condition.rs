//! The small language of conditions: `status >= 500 and not path =~ "^/health" or user in ["root", "admin"]`.
//!
//! `or` binds least, then `and`, then `not`; brackets group. A comparison stands between two values: names, numbers
//! with or without a unit, texts between `"` or `'`, in which nothing is escaped. Order is a matter of numbers; `==`
//! and `!=` compare numbers if a number stands on one side, and texts otherwise.

use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Problems, short};
use super::tokens::{Compile, Names, Placed, Token, Wrong, tokens};
use super::walk::Said;
use crate::rule::{Condition, Number, Op, Quantity, Word};

/// The deepest nesting of brackets and `not`.
const MOST_NESTED: usize = 50;

/// Reads a condition. `None`: something is wrong, which has been said.
pub(super) fn parse<'i, N: Clone>(
    problems: &mut Problems<'i>,
    said: &Said<'_>,
    names: &Names<'_, N>,
    compile: Compile<'_, 'i>,
) -> Option<Condition<N>> {
    let tokens = match tokens(said.text) {
        Ok(tokens) => tokens,
        Err(wrong) => {
            wrong.say(problems, said, "bad-condition");
            return None;
        }
    };
    let mut reader = Reader { problems, said, names, compile, tokens: &tokens, at: 0, sound: true };
    match reader.whole() {
        Ok(condition) => condition.filter(|_| reader.sound),
        Err(wrong) => {
            wrong.say(reader.problems, said, "bad-condition");
            None
        }
    }
}

struct Reader<'r, 'i, 't, N> {
    problems: &'r mut Problems<'i>,
    said: &'r Said<'t>,
    names: &'r Names<'r, N>,
    compile: Compile<'r, 'i>,
    tokens: &'r [Placed<'t>],
    at: usize,
    /// False if something was wrong that does not keep the rest from being read.
    sound: bool,
}

/// One side of a comparison. A name that is not known is nothing, and said.
enum Side<'t, N> {
    Name(Option<N>),
    Number(Quantity),
    Text(&'t str),
}

impl<'t, N: Clone> Reader<'_, '_, 't, N> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.at).map(|(token, _)| *token)
    }

    fn next(&mut self) -> Option<Placed<'t>> {
        let next = self.tokens.get(self.at).cloned();
        self.at += 1;
        next
    }

    fn takes(&mut self, token: Token<'_>) -> bool {
        let is_there = self.peek() == Some(token);
        self.at += usize::from(is_there);
        is_there
    }

    /// What was expected where something else stands, or nothing.
    fn expected(&self, what: &str) -> Wrong {
        match self.tokens.get(self.at) {
            Some((_, at)) => Wrong::new(at.clone(), "a condition is wrong here", format!("expected {what}")),
            None => {
                let end = self.tokens.last().map_or(0, |(_, at)| at.end);
                Wrong::new(end..end, "a condition is not complete", format!("expected {what}"))
            }
        }
    }

    fn whole(&mut self) -> Result<Option<Condition<N>>, Wrong> {
        let condition = self.any(0)?;
        match self.tokens.get(self.at) {
            None => Ok(condition),
            Some((Token::Name(_) | Token::Number(_) | Token::Text(_) | Token::Not | Token::Open, at)) => {
                let title = "two conditions stand side by side";
                Err(Wrong::new(at.clone(), title, "expected `and` or `or` before it"))
            }
            Some(_) => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Option<Condition<N>>, Wrong> {
        let mut all = vec![self.all(depth)?];
        while self.takes(Token::Or) {
            all.push(self.all(depth)?);
        }
        Ok(joined(all, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Option<Condition<N>>, Wrong> {
        let mut all = vec![self.one(depth)?];
        while self.takes(Token::And) {
            all.push(self.one(depth)?);
        }
        Ok(joined(all, Condition::All))
    }

    fn one(&mut self, depth: usize) -> Result<Option<Condition<N>>, Wrong> {
        if depth > MOST_NESTED {
            let at = self.tokens.get(self.at).map_or(0..0, |(_, at)| at.clone());
            let label = format!("more than {MOST_NESTED} brackets and `not`");
            return Err(Wrong::new(at, "a condition is nested too deep", label));
        }
        if self.takes(Token::Not) {
            let condition = self.one(depth + 1)?;
            return Ok(condition.map(|condition| Condition::Not(Box::new(condition))));
        }
        if self.takes(Token::Open) {
            let condition = self.any(depth + 1)?;
            return if self.takes(Token::Close) { Ok(condition) } else { Err(self.expected("`)`")) };
        }
        self.comparison()
    }

    fn side(&mut self) -> Result<(Side<'t, N>, Range<usize>), Wrong> {
        let wrong = self.expected("a name, a number or a text");
        let Some((token, at)) = self.next() else { return Err(wrong) };
        let side = match token {
            Token::Name(name) => Side::Name(self.named(name, &at)),
            Token::Number(quantity) => Side::Number(quantity),
            Token::Text(text) => Side::Text(text),
            _ => return Err(wrong),
        };
        Ok((side, at))
    }

    fn named(&mut self, name: &str, at: &Range<usize>) -> Option<N> {
        let quoted = format!("a text stands between quotes: `\"{}\"`", short(name));
        let found = self.names.look_up(self.problems, self.said, at, Some(quoted));
        self.sound &= found.is_some();
        found
    }

    fn comparison(&mut self) -> Result<Option<Condition<N>>, Wrong> {
        let (left, left_at) = self.side()?;
        let wanted = !self.takes(Token::Not);
        let wrong = self.expected("a comparison such as `>= 5`, `=~ \"…\"` or `in […]`");
        let condition = match self.next() {
            Some((Token::In, _)) => self.list(left, &left_at)?,
            _ if !wanted => {
                self.at -= 1;
                return Err(self.expected("`in` behind `not`"));
            }
            Some((Token::Fits { wanted }, _)) => {
                let fits = self.fits(left, &left_at)?;
                return Ok(if wanted { fits } else { fits.map(|fits| Condition::Not(Box::new(fits))) });
            }
            Some((Token::Op(op), _)) => {
                let (right, right_at) = self.side()?;
                return compared(left, &left_at, op, right, &right_at);
            }
            _ => {
                let bare = matches!(left, Side::Name(_));
                let help =
                    "a name by itself is no condition; whether something was captured is `name != \"\"`";
                return Err(if bare { wrong.help(help) } else { wrong });
            }
        };
        Ok(if wanted { condition } else { condition.map(|list| Condition::Not(Box::new(list))) })
    }

    fn fits(&mut self, left: Side<'t, N>, left_at: &Range<usize>) -> Result<Option<Condition<N>>, Wrong> {
        let Side::Name(name) = left else {
            return Err(Wrong::new(left_at.clone(), "a pattern is held against a name", "not a name"));
        };
        let wrong = self.expected("a pattern between quotes");
        let Some((Token::Text(_), at)) = self.next() else { return Err(wrong) };
        let part = self.said.part(self.problems, &(at.start + 1..at.end - 1));
        let regex = (self.compile)(self.problems, &part);
        self.sound &= regex.is_some();
        let text = Arc::from(part.text);
        Ok(name.zip(regex).map(|(name, regex)| Condition::Fits(name, text, regex)))
    }

    fn list(&mut self, left: Side<'t, N>, left_at: &Range<usize>) -> Result<Option<Condition<N>>, Wrong> {
        let Side::Name(name) = left else {
            return Err(Wrong::new(left_at.clone(), "only a name is looked for in a list", "not a name"));
        };
        if !self.takes(Token::OpenList) {
            return Err(self.expected("a list such as `[\"a\", \"b\"]`"));
        }
        let (mut texts, mut numbers): (Vec<Arc<str>>, Vec<Quantity>) = (Vec::new(), Vec::new());
        loop {
            if self.takes(Token::CloseList) {
                break;
            }
            let wrong = self.expected("a text or a number");
            match self.next() {
                Some((Token::Text(text), _)) if numbers.is_empty() => texts.push(text.into()),
                Some((Token::Number(number), _)) if texts.is_empty() => numbers.push(number),
                Some((Token::Text(_) | Token::Number(_), at)) => {
                    let title = "a list holds texts and numbers";
                    return Err(Wrong::new(at, title, "of another kind than the first"));
                }
                _ => return Err(wrong),
            }
            if !self.takes(Token::Comma) && self.peek() != Some(Token::CloseList) {
                return Err(self.expected("`,` or `]`"));
            }
        }
        if texts.is_empty() && numbers.is_empty() {
            let at = self.tokens[self.at - 2].1.start..self.tokens[self.at - 1].1.end;
            return Err(Wrong::new(at, "a list is empty", "nothing is ever in it"));
        }
        Ok(name.map(|name| {
            if numbers.is_empty() {
                Condition::OneOf(name, texts)
            } else {
                Condition::OneOfNumbers(name, numbers)
            }
        }))
    }
}

/// One condition of several; nothing, if one of them is nothing.
fn joined<N>(
    all: Vec<Option<Condition<N>>>,
    join: impl FnOnce(Vec<Condition<N>>) -> Condition<N>,
) -> Option<Condition<N>> {
    let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
    if all.len() == 1 { all.pop() } else { Some(join(all)) }
}

fn compared<N>(
    left: Side<'_, N>,
    left_at: &Range<usize>,
    op: Op,
    right: Side<'_, N>,
    right_at: &Range<usize>,
) -> Result<Option<Condition<N>>, Wrong> {
    let both = left_at.start..right_at.end;
    let is_equality = matches!(op, Op::Equal | Op::Other);
    let mixed = |text: &Range<usize>| {
        Err(Wrong::new(text.clone(), "a number is compared with a text", "a text")
            .help("leave out the quotes"))
    };
    match (left, right) {
        (Side::Text(_), Side::Number(_)) => mixed(left_at),
        (Side::Number(_), Side::Text(_)) => mixed(right_at),
        (Side::Number(_) | Side::Text(_), Side::Number(_) | Side::Text(_)) => {
            Err(Wrong::new(both, "a comparison says nothing of the line", "both sides are constant"))
        }
        (left, right) if !is_equality || left.is_number() || right.is_number() => {
            for (side, at) in [(&left, left_at), (&right, right_at)] {
                if let Side::Text(_) = side {
                    let title = "a text has no order";
                    return Err(Wrong::new(at.clone(), title, format!("`{}` compares numbers", op.as_str())));
                }
            }
            Ok(left.number().zip(right.number()).map(|(left, right)| Condition::Compared(left, op, right)))
        }
        (left, right) => Ok(left.word().zip(right.word()).map(|(left, right)| {
            let same = Condition::Same(left, right);
            if op == Op::Equal { same } else { Condition::Not(Box::new(same)) }
        })),
    }
}

impl<N> Side<'_, N> {
    fn is_number(&self) -> bool {
        matches!(self, Side::Number(_))
    }

    fn number(self) -> Option<Number<N>> {
        match self {
            Side::Name(name) => name.map(Number::Of),
            Side::Number(quantity) => Some(Number::Is(quantity)),
            Side::Text(_) => None,
        }
    }

    fn word(self) -> Option<Word<N>> {
        match self {
            Side::Name(name) => name.map(Word::Of),
            Side::Text(text) => Some(Word::Is(text.into())),
            Side::Number(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    use super::*;
    use crate::rule::NotComparable;

    const VALUES: [(&str, &str); 6] = [
        ("status", "503"),
        ("path", "/checkout/8731"),
        ("took", "1.5s"),
        ("size", "512MB"),
        ("http.user", "root"),
        ("none", ""),
    ];

    fn parsed(text: &str) -> Result<Condition<&'static str>, Vec<(&'static str, String)>> {
        let file = format!("'''{text}'''");
        let mut problems = Problems::new(Path::new("f"), &file);
        let find = |name: &str| VALUES.iter().find(|(known, _)| *known == name).map(|(known, _)| *known);
        let names =
            Names { find: &find, all: Some(VALUES.map(|(name, _)| name).to_vec()), note: &|_| String::new() };
        let said = Said::new(text, 0..file.len());
        let parsed = parse(&mut problems, &said, &names, &mut |_, said| Regex::new(said.text).ok());
        let told: Vec<_> = problems
            .finish()
            .into_iter()
            .map(|problem| (problem.id, file[problem.span].to_owned()))
            .collect();
        assert_eq!(parsed.is_some(), told.is_empty(), "{text}: {told:?}");
        parsed.ok_or(told)
    }

    fn holds(condition: &Condition<&'static str>) -> Result<bool, NotComparable> {
        condition.holds(&|name| {
            VALUES.iter().find(|(known, _)| known == name).map_or(&b""[..], |(_, value)| value.as_bytes())
        })
    }

    fn check(text: &str, expected: Result<bool, NotComparable>) {
        assert_eq!(holds(&parsed(text).expect(text)), expected, "{text}");
    }

    fn check_wrong(text: &str, id: &str, place: &str) {
        let told = parsed(text).err().unwrap_or_default();
        assert_eq!(told, [(id, place.to_owned())], "{text}");
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_texts_as_texts() {
        check("status >= 500", Ok(true));
        check("status == 503.0", Ok(true));
        check("status == \"503.0\"", Ok(false));
        check("500 < status", Ok(true));
        check("took > 900ms", Ok(true));
        check("took > 1m", Ok(false));
        check("size <= 512MB", Ok(true));
        check("size < 500MiB", Ok(true));
        check("http.user == 'root'", Ok(true));
        check("http.user != path", Ok(true));
        check("none == \"\"", Ok(true));
    }

    #[test]
    fn patterns_and_lists() {
        check("path =~ \"^/checkout/\\d+$\"", Ok(true));
        check("path !~ \"^/checkout\"", Ok(false));
        check("http.user in [\"root\", \"admin\"]", Ok(true));
        check("http.user not in ['admin',]", Ok(true));
        check("status in [500, 503]", Ok(true));
        check("took in [1s, 1500ms]", Ok(true));
    }

    #[test]
    fn or_binds_least_and_not_binds_most() {
        check("status == 1 and status == 2 or status == 503", Ok(true));
        check("status == 503 or status == 1 and status == 2", Ok(true));
        check("(status == 503 or status == 1) and status == 2", Ok(false));
        check("not status == 1 and status == 503", Ok(true));
        check("not (status == 503 or status == 1)", Ok(false));
        check("not not status == 503", Ok(true));
    }

    #[test]
    fn what_is_no_number_or_another_kind_of_one_can_not_be_compared() {
        check("path > 5", Err(NotComparable));
        check("not path > 5", Err(NotComparable));
        check("took > 5", Err(NotComparable));
        check("took > size", Err(NotComparable));
        check("took in [5, 6]", Err(NotComparable));
        check("none >= 0", Err(NotComparable));
        // What comes first decides whether the rest is looked at.
        check("status == 503 or path > 5", Ok(true));
        check("status == 1 and path > 5", Ok(false));
    }

    #[test]
    fn the_wrong_part_of_a_condition_is_named() {
        check_wrong("", "bad-condition", "");
        check_wrong("status", "bad-condition", "");
        check_wrong("status >=", "bad-condition", "");
        check_wrong("stauts >= 5", "unknown-name", "stauts");
        check_wrong("status = 5", "bad-condition", "=");
        check_wrong("status >= 5 && took > 1s", "bad-condition", "&");
        check_wrong("status >= 5 took > 1s", "bad-condition", "took");
        check_wrong("status >= 5 )", "bad-condition", ")");
        check_wrong("(status >= 5", "bad-condition", "");
        check_wrong("took > 5parsec", "bad-condition", "parsec");
        check_wrong("took > 5MB3MB", "bad-condition", "5MB3MB");
        check_wrong("took > -", "bad-condition", "-");
        check_wrong("path =~ 5", "bad-condition", "5");
        check_wrong("\"a\" =~ \"b\"", "bad-condition", "\"a\"");
        check_wrong("path > \"a\"", "bad-condition", "\"a\"");
        check_wrong("5 == \"a\"", "bad-condition", "\"a\"");
        check_wrong("5 > 4", "bad-condition", "5 > 4");
        check_wrong("path == \"a", "bad-condition", "\"");
        check_wrong("path in []", "bad-condition", "[]");
        check_wrong("path in [\"a\", 5]", "bad-condition", "5");
        check_wrong("path in [\"a\" \"b\"]", "bad-condition", "\"b\"");
        check_wrong("path in \"a\"", "bad-condition", "\"a\"");
        check_wrong("path not > 5", "bad-condition", ">");
        check_wrong("path é 5", "bad-condition", "é");
        check_wrong(&format!("{}status == 5", "not ".repeat(60)), "bad-condition", "not");
        check_wrong(&format!("{}status == 5", "(".repeat(60_000)), "bad-condition", "(");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_in_its_place(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "status", "path", "nobody", "5", "1h2m", "%", "\"a\"", "'", "and", "or", "not", "in", "(", ")", "[",
                    "]", ",", ">=", "=", "=~", "!~", "é", " ", "-",
                ]),
                0..12,
            ),
        ) {
            if let Ok(condition) = parsed(&pieces.join(" ")) {
                let _ = holds(&condition);
            }
        }
    }
}
