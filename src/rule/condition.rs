//! What has to be true of a line besides its pattern: comparisons of what was captured, with `and`, `or` and `not`.

use std::sync::Arc;

use regex_automata::meta::Regex;

use super::{Op, Quantity};

/// A condition over things that are named by `N`.
#[derive(Clone, Debug)]
pub enum Condition<N> {
    /// It does not hold.
    Not(Box<Condition<N>>),
    /// Each of them holds.
    All(Vec<Condition<N>>),
    /// One of them holds.
    Any(Vec<Condition<N>>),
    /// A number stands to another one like this.
    Compared(Number<N>, Op, Number<N>),
    /// Two texts are the same, byte by byte.
    Same(Word<N>, Word<N>),
    /// A pattern fits somewhere in a text. As the author wrote it, and compiled.
    Fits(N, Arc<str>, Regex),
    /// A text is one of these.
    OneOf(N, Vec<Arc<str>>),
    /// A number is one of these.
    OneOfNumbers(N, Vec<Quantity>),
}

/// A number in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Number<N> {
    /// What is captured, read as a number.
    Of(N),
    /// As it was written.
    Is(Quantity),
}

/// A text in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Word<N> {
    /// What is captured; empty, if nothing is.
    Of(N),
    /// As it was written.
    Is(Arc<str>),
}

/// Something that is to be compared is no number, or one of another kind: a time and a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotComparable;

impl<N> Condition<N> {
    /// True if it holds, given what things are called by their names; nothing is the empty text.
    ///
    /// From left to right, as far as it takes: what stands behind an `or` whose left side holds is not looked at.
    ///
    /// # Errors
    /// Where it hangs on a number that is none.
    pub fn holds<'v>(&self, of: &impl Fn(&N) -> &'v [u8]) -> Result<bool, NotComparable> {
        Ok(match self {
            Condition::Not(condition) => !condition.holds(of)?,
            Condition::All(all) => {
                for condition in all {
                    if !condition.holds(of)? {
                        return Ok(false);
                    }
                }
                true
            }
            Condition::Any(all) => {
                for condition in all {
                    if condition.holds(of)? {
                        return Ok(true);
                    }
                }
                false
            }
            Condition::Compared(left, op, right) => {
                let (left, right) = (left.read(of)?, right.read(of)?);
                if left.unit != right.unit {
                    return Err(NotComparable);
                }
                op.holds(left.value, right.value)
            }
            Condition::Same(left, right) => left.read(of) == right.read(of),
            Condition::Fits(name, _, regex) => regex.is_match(of(name)),
            Condition::OneOf(name, all) => all.iter().any(|one| one.as_bytes() == of(name)),
            Condition::OneOfNumbers(name, all) => {
                let number = Quantity::read(of(name)).ok_or(NotComparable)?;
                if all.iter().all(|one| one.unit != number.unit) {
                    return Err(NotComparable);
                }
                all.contains(&number)
            }
        })
    }

    /// The comparisons it is made of, in the order in which they stand; one with `not` right before it is one with it.
    pub fn parts(&self) -> Vec<&Condition<N>> {
        match self {
            Condition::All(all) | Condition::Any(all) => all.iter().flat_map(Condition::parts).collect(),
            Condition::Not(inner) if matches!(**inner, Condition::All(_) | Condition::Any(_)) => {
                inner.parts()
            }
            _ => vec![self],
        }
    }

    /// What a comparison speaks of, in the order in which it stands; of `and` and `or` nothing.
    pub fn names(&self) -> Vec<&N> {
        match self {
            Condition::Not(inner) => inner.names(),
            Condition::All(_) | Condition::Any(_) => Vec::new(),
            Condition::Compared(left, _, right) => {
                [left, right].into_iter().filter_map(Number::name).collect()
            }
            Condition::Same(left, right) => [left, right].into_iter().filter_map(Word::name).collect(),
            Condition::Fits(name, ..) | Condition::OneOf(name, _) | Condition::OneOfNumbers(name, _) => {
                vec![name]
            }
        }
    }
}

impl<N> Number<N> {
    fn name(&self) -> Option<&N> {
        match self {
            Number::Of(name) => Some(name),
            Number::Is(_) => None,
        }
    }

    fn read<'v>(&self, of: &impl Fn(&N) -> &'v [u8]) -> Result<Quantity, NotComparable> {
        match self {
            Number::Of(name) => Quantity::read(of(name)).ok_or(NotComparable),
            Number::Is(quantity) => Ok(*quantity),
        }
    }
}

impl<N> Word<N> {
    fn name(&self) -> Option<&N> {
        match self {
            Word::Of(name) => Some(name),
            Word::Is(_) => None,
        }
    }

    fn read<'v: 'w, 'w>(&'w self, of: &impl Fn(&N) -> &'v [u8]) -> &'w [u8] {
        match self {
            Word::Of(name) => of(name),
            Word::Is(text) => text.as_bytes(),
        }
    }
}
