//! `set = { path = 'mask(path)' }`: what becomes of captured texts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::diagnostic::{Problems, did_you_mean, listed, short};
use super::tokens::{Compile, Names, Placed, Token, Wrong, tokens};
use super::walk::Said;
use crate::rule::{Edit, Table, Text, Unit, Value};

/// Every function: its name, what it takes, and what it does.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("lower", "lower(x)", "in small letters (ASCII)"),
    ("upper", "upper(x)", "in capital letters (ASCII)"),
    ("trim", "trim(x)", "without blanks at both ends"),
    ("mask", "mask(x)", "numbers, UUIDs and hexadecimal numbers become `<n>`"),
    ("first", "first(x, 8)", "the first characters, so many at most"),
    ("replace", "replace(x, \"[0-9]+\", \"#\")", "what fits a pattern becomes a text, wherever it fits"),
    ("default", "default(x, \"none\")", "the text, or another one where nothing was captured"),
    (
        "lookup",
        "lookup(hosts, x, \"other\")",
        "what a table of `[lookup]` says of it, else the last text, else nothing",
    ),
];

/// Tables of `[lookup]`, by their names.
pub(super) type Tables = BTreeMap<String, Arc<Table>>;

/// The deepest nesting of functions.
const MOST_NESTED: usize = 20;

/// Reads what a text becomes. `None`: something is wrong, which has been said.
pub(super) fn parse<'i>(
    problems: &mut Problems<'i>,
    said: &Said<'_>,
    names: &Names<'_, Value>,
    tables: &Tables,
    compile: Compile<'_, 'i>,
) -> Option<Text> {
    let read = tokens(said.text).and_then(|tokens| {
        let mut reader =
            Reader { problems, said, names, tables, compile, tokens: &tokens, at: 0, sound: true };
        let text = reader.text(0)?;
        match reader.tokens.get(reader.at) {
            Some((_, at)) => Err(Wrong::new(at.clone(), "a rewriting is wrong here", "expected the end")),
            None => Ok(text.filter(|_| reader.sound)),
        }
    });
    match read {
        Ok(text) => text,
        Err(wrong) => {
            wrong.say(problems, said, "bad-rewriting");
            None
        }
    }
}

struct Reader<'r, 'i, 't> {
    problems: &'r mut Problems<'i>,
    said: &'r Said<'t>,
    names: &'r Names<'r, Value>,
    tables: &'r Tables,
    compile: Compile<'r, 'i>,
    tokens: &'r [Placed<'t>],
    at: usize,
    /// False if something was wrong that does not keep the rest from being read.
    sound: bool,
}

impl<'t> Reader<'_, '_, 't> {
    fn next(&mut self, what: &str) -> Result<Placed<'t>, Wrong> {
        let next = self.tokens.get(self.at).cloned();
        self.at += 1;
        next.ok_or_else(|| {
            let end = self.tokens.last().map_or(0, |(_, at)| at.end);
            Wrong::new(end..end, "a rewriting is not complete", format!("expected {what}"))
        })
    }

    fn expect(&mut self, token: &Token<'_>, what: &str) -> Result<(), Wrong> {
        let (found, at) = self.next(what)?;
        if found == *token {
            Ok(())
        } else {
            Err(Wrong::new(at, "a rewriting is wrong here", format!("expected {what}")))
        }
    }

    /// A literal text between quotes, and where it stands without them.
    fn literal(&mut self) -> Result<(&'t str, Range<usize>), Wrong> {
        match self.next("a text between quotes")? {
            (Token::Text(text), at) => Ok((text, at.start + 1..at.end - 1)),
            (_, at) => Err(Wrong::new(at, "a rewriting is wrong here", "expected a text between quotes")),
        }
    }

    fn text(&mut self, depth: usize) -> Result<Option<Text>, Wrong> {
        const WHAT: &str = "a name, a text or a function";
        let (token, at) = self.next(WHAT)?;
        if depth > MOST_NESTED {
            return Err(Wrong::new(
                at,
                "a rewriting is nested too deep",
                format!("more than {MOST_NESTED} brackets"),
            ));
        }
        match token {
            Token::Text(text) => Ok(Some(Text::Is(text.into()))),
            Token::Name(name) if matches!(self.tokens.get(self.at), Some((Token::Open, _))) => {
                self.call(name, at, depth)
            }
            Token::Name(_) => Ok(self.named(&at).map(Text::Of)),
            _ => Err(Wrong::new(at, "a rewriting is wrong here", format!("expected {WHAT}"))),
        }
    }

    fn named(&mut self, at: &Range<usize>) -> Option<Value> {
        let found = self.names.look_up(self.problems, self.said, at, None);
        self.sound &= found.is_some();
        found
    }

    fn call(&mut self, name: &'t str, at: Range<usize>, depth: usize) -> Result<Option<Text>, Wrong> {
        self.at += 1;
        let Some((_, form, _)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let wrong = Wrong::new(at, "there is no such function", "unknown function");
            let known = || FUNCTIONS.iter().map(|(known, ..)| *known);
            let help = did_you_mean(name, known());
            return Err(wrong.help(help.unwrap_or_else(|| format!("the functions are {}", listed(known())))));
        };
        let comma = |reader: &mut Self| reader.expect(&Token::Comma, &format!("`,` as in `{form}`"));
        let table = if name == "lookup" {
            let table = self.table()?;
            comma(self)?;
            table
        } else {
            None
        };
        let text = self.text(depth + 1)?;
        let change = match name {
            "lower" => Some(Edit::Lower),
            "upper" => Some(Edit::Upper),
            "trim" => Some(Edit::Trim),
            "mask" => Some(Edit::Mask),
            "first" => {
                comma(self)?;
                Some(Edit::First(self.count()?))
            }
            "default" => {
                comma(self)?;
                Some(Edit::Default(self.literal()?.0.into()))
            }
            "replace" => {
                comma(self)?;
                let (_, at) = self.literal()?;
                let part = self.said.part(self.problems, &at);
                let regex = (self.compile)(self.problems, &part);
                comma(self)?;
                let (with, _) = self.literal()?;
                regex.map(|regex| Edit::Replace(regex, with.into()))
            }
            _ => {
                let has_other = matches!(self.tokens.get(self.at), Some((Token::Comma, _)));
                self.at += usize::from(has_other);
                let otherwise = if has_other { self.literal()?.0 } else { "" };
                table.map(|table| Edit::Lookup(table, otherwise.into()))
            }
        };
        self.expect(&Token::Close, &format!("`)` as in `{form}`"))?;
        self.sound &= change.is_some();
        Ok(change.zip(text).map(|(change, text)| Text::Changed(change, Box::new(text))))
    }

    fn table(&mut self) -> Result<Option<Arc<Table>>, Wrong> {
        let (token, at) = self.next("the name of a table")?;
        let Token::Name(name) = token else {
            return Err(Wrong::new(at, "a rewriting is wrong here", "expected the name of a table"));
        };
        let found = self.tables.get(name).cloned();
        if found.is_none() {
            let span = self.said.place(self.problems, &at);
            let title = format!("there is no table `{}`", short(name));
            let problem = self.problems.error("unknown-table", span, title, "unknown table");
            let known = || self.tables.keys().map(String::as_str);
            problem.help = did_you_mean(name, known())
                .or_else(|| Some(format!("write it in this file: `[lookup.{}]`", short(name))));
        }
        Ok(found)
    }

    fn count(&mut self) -> Result<usize, Wrong> {
        let (token, at) = self.next("a whole number")?;
        match token {
            Token::Number(number)
                if number.unit == Unit::One
                    && number.value.fract() == 0.0
                    && (1.0..=1e6).contains(&number.value) =>
            {
                Ok(number.value as usize)
            }
            _ => Err(Wrong::new(at, "a rewriting is wrong here", "expected a whole number, 1 or more")),
        }
    }
}
