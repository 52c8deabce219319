//! One line against one pattern: whether it fits, and what its groups capture.
//!
//! A backtracker straight from the pattern's HIR. The sieve has found that the line is worth it, so most lines that
//! come here fit, and the first thing tried is right nearly always; the automata of `regex-automata` walk such a line
//! several times, and with hundreds of patterns each of them is cold when its turn comes. What could make this slow
//! or another one (loops around what may be empty, classes beyond ASCII, too many steps) is left to them.

mod write;

use memchr::{memchr, memchr_iter, memchr2, memchr3, memrchr};
use regex_syntax::hir::{Hir, Look};

use super::runs::Class;
use super::sieve::Rates;

/// Steps that every line is worth.
const STEPS: usize = 4000;
/// Steps that a byte of it is worth besides.
const STEPS_PER_BYTE: usize = 4;

/// A pattern in a form that is tried from left to right.
#[derive(Clone, Debug)]
pub(super) struct Backtracker {
    program: Program,
    start: Start,
    /// Two for each group, as in `regex-automata`.
    slots: usize,
}

/// Operations, and what they speak of. All of a kind stand together: of hundreds of patterns each is cold when its turn
/// comes, and what costs then is how many places of memory it is spread over.
#[derive(Clone, Debug, Default)]
struct Program {
    ops: Vec<Op>,
    many: Vec<Many>,
    classes: Vec<Class>,
    literals: Vec<u8>,
}

/// Where in a line a match may begin.
#[derive(Clone, Debug)]
enum Start {
    Beginning,
    /// Each match has this byte so many places behind its beginning.
    Byte(u8, usize),
    /// Each match begins with bytes of these classes, one or more.
    Classes(Box<[Class]>),
    Anywhere,
}

/// Numbers are places in the other parts of the program.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// The bytes from the one to the other.
    Literal(u32, u32),
    OneOf(u32),
    Many(u32),
    /// The first is tried, then the second.
    Split(u32, u32),
    Jump(u32),
    /// The place is kept in that slot.
    Save(u32),
    Look(Look),
    Done,
}

/// From `min` to `max` bytes of a class.
#[derive(Clone, Copy, Debug)]
struct Many {
    class: u32,
    reach: Reach,
    min: u32,
    /// `u32::MAX`: any number.
    max: u32,
    greedy: bool,
    follow: Follow,
}

/// How it is found how far a class reaches.
#[derive(Clone, Copy, Debug)]
enum Reach {
    Until1(u8),
    Until2(u8, u8),
    Until3(u8, u8, u8),
    Table,
}

/// What has to follow, as far as it saves looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follow {
    Anything,
    Byte(u8),
    /// Nothing that the class has: there is one place at which it can end.
    Other,
}

/// What is tried next if the way that was taken leads nowhere.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Try {
        op: usize,
        at: usize,
    },
    /// The slot had another value before.
    Undo {
        slot: usize,
        was: usize,
    },
    /// A greedy repetition gives back: it may end at `low` or more, and below `high`.
    Shrink {
        op: usize,
        low: usize,
        high: usize,
    },
    /// A lazy repetition takes one more, of at most `left`.
    Grow {
        op: usize,
        at: usize,
        left: usize,
    },
}

/// Room to work in, used again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    choices: Vec<Choice>,
    /// Where groups begin and end in the line that fitted last; `usize::MAX`: they took no part.
    pub(super) slots: Vec<usize>,
    /// Steps that the last line took; `None`: too many.
    pub(super) took: Option<usize>,
}

/// It would take too many steps to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Backtracker {
    /// `keeps` says of which groups the places are wanted, `rates` how common bytes are. `None`: another engine has to do
    /// it.
    pub(super) fn new(hir: &Hir, keeps: &dyn Fn(usize) -> bool, rates: &Rates) -> Option<Backtracker> {
        let (program, slots) = write::program(hir, keeps)?;
        let start = write::start(hir, &program, rates);
        Some(Backtracker { program, start, slots })
    }

    /// True if `line` fits; then `room.slots` tells of the groups.
    pub(super) fn fits(&self, line: &[u8], room: &mut Room) -> Result<bool, TooLong> {
        let most = STEPS + line.len() * STEPS_PER_BYTE;
        let mut steps = most;
        room.took = None;
        let fits = self.search(line, room, &mut steps)?;
        room.took = Some(most - steps);
        Ok(fits)
    }

    fn search(&self, line: &[u8], room: &mut Room, steps: &mut usize) -> Result<bool, TooLong> {
        room.slots.resize(self.slots, usize::MAX);
        room.slots.fill(usize::MAX);
        let mut try_at = |at| self.fits_at(line, at, room, steps);
        match &self.start {
            Start::Beginning => try_at(0),
            Start::Byte(byte, behind) => {
                first(memchr_iter(*byte, line.get(*behind..).unwrap_or_default()), try_at)
            }
            Start::Classes(classes) => {
                let begins =
                    |bytes: &[u8]| classes.iter().zip(bytes).all(|(class, byte)| class.contains(*byte));
                let places = line.windows(classes.len()).enumerate().filter(|(_, bytes)| begins(bytes));
                first(places.map(|(at, _)| at), try_at)
            }
            Start::Anywhere => first(0..=line.len(), try_at),
        }
    }

    #[inline(never)]
    fn fits_at(&self, line: &[u8], at: usize, room: &mut Room, steps: &mut usize) -> Result<bool, TooLong> {
        let Room { choices, slots, .. } = room;
        choices.clear();
        let (mut op, mut at) = (0, at);
        loop {
            *steps = steps.checked_sub(1).ok_or(TooLong)?;
            let next = match self.program.ops[op] {
                Op::Literal(from, to) => {
                    let literal = self.program.literal(from, to);
                    begins_with(&line[at..], literal).then_some((op + 1, at + literal.len()))
                }
                Op::OneOf(class) => {
                    let class = self.program.class(class);
                    line.get(at).is_some_and(|byte| class.contains(*byte)).then_some((op + 1, at + 1))
                }
                Op::Many(many) => {
                    let (ends, choice) = self.program.repeat(many).first(op, line, at, steps)?;
                    if let Some(choice) = choice {
                        choices.push(choice);
                    }
                    ends.map(|ends| (op + 1, ends))
                }
                Op::Split(first, second) => {
                    choices.push(Choice::Try { op: second as usize, at });
                    Some((first as usize, at))
                }
                Op::Jump(to) => Some((to as usize, at)),
                Op::Save(slot) => {
                    let slot = slot as usize;
                    if !choices.is_empty() {
                        choices.push(Choice::Undo { slot, was: slots[slot] });
                    }
                    slots[slot] = at;
                    Some((op + 1, at))
                }
                Op::Look(look) => holds(look, line, at).then_some((op + 1, at)),
                Op::Done => return Ok(true),
            };
            (op, at) = match next {
                Some(next) => next,
                None => match self.back(line, choices, slots, steps)? {
                    Some(next) => next,
                    None => {
                        slots.fill(usize::MAX);
                        return Ok(false);
                    }
                },
            };
        }
    }

    /// The newest choice that was not tried.
    fn back(
        &self,
        line: &[u8],
        choices: &mut Vec<Choice>,
        slots: &mut [usize],
        steps: &mut usize,
    ) -> Result<Option<(usize, usize)>, TooLong> {
        loop {
            let Some(choice) = choices.pop() else { return Ok(None) };
            let (choice, op, at) = match choice {
                Choice::Undo { slot, was } => {
                    slots[slot] = was;
                    continue;
                }
                Choice::Try { op, at } => return Ok(Some((op, at))),
                Choice::Shrink { op, low, high } => {
                    let Op::Many(many) = self.program.ops[op] else { continue };
                    let (ends, choice) = self.program.repeat(many).shrink(op, line, low, high);
                    (choice, op, ends)
                }
                Choice::Grow { op, at, left } => {
                    let Op::Many(many) = self.program.ops[op] else { continue };
                    let (ends, choice) = self.program.repeat(many).grow(op, line, at, left, steps)?;
                    (choice, op, ends)
                }
            };
            if let Some(choice) = choice {
                choices.push(choice);
            }
            if let Some(at) = at {
                return Ok(Some((op + 1, at)));
            }
        }
    }
}

/// As `starts_with`, for literals that seldom stand there: most differ in the first bytes, which are compared without a
/// call.
#[inline]
fn begins_with(bytes: &[u8], literal: &[u8]) -> bool {
    match (bytes.first_chunk::<4>(), literal.first_chunk::<4>()) {
        (Some(head), Some(first)) => head == first && bytes[4..].starts_with(&literal[4..]),
        _ => bytes.len() >= literal.len() && bytes.iter().zip(literal).all(|(byte, wanted)| byte == wanted),
    }
}

/// True if one of `places` is right.
fn first(
    places: impl Iterator<Item = usize>,
    mut try_at: impl FnMut(usize) -> Result<bool, TooLong>,
) -> Result<bool, TooLong> {
    for at in places {
        if try_at(at)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Program {
    #[inline]
    fn class(&self, number: u32) -> &Class {
        &self.classes[number as usize]
    }

    #[inline]
    fn literal(&self, from: u32, to: u32) -> &[u8] {
        &self.literals[from as usize..to as usize]
    }

    #[inline]
    fn repeat(&self, number: u32) -> Repeat<'_> {
        let many = self.many[number as usize];
        Repeat { class: self.class(many.class), many }
    }
}

/// Bytes of a class, one after the other.
struct Repeat<'a> {
    many: Many,
    class: &'a Class,
}

impl Repeat<'_> {
    #[inline]
    fn min(&self) -> usize {
        self.many.min as usize
    }

    #[inline]
    fn max(&self) -> usize {
        if self.many.max == u32::MAX { usize::MAX } else { self.many.max as usize }
    }

    /// Where it ends if it begins at `at`, at first, and what else there is.
    #[inline]
    fn first(
        &self,
        op: usize,
        line: &[u8],
        at: usize,
        steps: &mut usize,
    ) -> Result<(Option<usize>, Option<Choice>), TooLong> {
        let most = if self.many.greedy { self.max() } else { self.min() };
        let ahead = &line[at..];
        let ahead = &ahead[..ahead.len().min(most)];
        let reach = self.reach(ahead);
        // Sixteen bytes are about as much work as a step.
        *steps = steps.checked_sub(reach / 16).ok_or(TooLong)?;
        if reach < self.min() {
            return Ok((None, None));
        }
        let low = at + self.min();
        Ok(match (self.many.greedy, self.many.follow) {
            (true, Follow::Other) => (Some(at + reach), None),
            (true, Follow::Anything) if reach == self.min() => (Some(low), None),
            (true, Follow::Anything) => {
                (Some(at + reach), Some(Choice::Shrink { op, low, high: at + reach }))
            }
            // As if it had already ended one place too late.
            (true, Follow::Byte(_)) => self.shrink(op, line, low, at + reach + 1),
            (false, _) => (Some(low), Some(Choice::Grow { op, at: low, left: self.max() - self.min() })),
        })
    }

    /// Where it ends at last below `high`, and what else there is.
    #[inline]
    fn shrink(&self, op: usize, line: &[u8], low: usize, high: usize) -> (Option<usize>, Option<Choice>) {
        let ends = match self.many.follow {
            Follow::Byte(byte) => memrchr(byte, &line[low..high.min(line.len())]).map(|found| low + found),
            Follow::Anything | Follow::Other => high.checked_sub(1).filter(|ends| *ends >= low),
        };
        (ends, ends.filter(|ends| *ends > low).map(|high| Choice::Shrink { op, low, high }))
    }

    /// Where it ends next beyond `at`, and what else there is.
    fn grow(
        &self,
        op: usize,
        line: &[u8],
        at: usize,
        left: usize,
        steps: &mut usize,
    ) -> Result<(Option<usize>, Option<Choice>), TooLong> {
        let ahead = &line[at..];
        let ahead = &ahead[..ahead.len().min(left)];
        let step = match self.many.follow {
            Follow::Byte(byte) => {
                let to = at.saturating_add(left).saturating_add(1).min(line.len());
                let behind = &line[(at + 1).min(to)..to];
                let found = memchr(byte, behind);
                // It is looked for once more by class, a byte at a time.
                let looked = found.unwrap_or(behind.len());
                *steps = steps.checked_sub(looked / 4).ok_or(TooLong)?;
                found.map(|found| found + 1)
            }
            Follow::Anything | Follow::Other => Some(1),
        };
        let step = step.filter(|step| *step <= ahead.len() && self.reach(&ahead[..*step]) == *step);
        let choice = step.map(|step| Choice::Grow { op, at: at + step, left: left - step });
        Ok((step.map(|step| at + step), choice))
    }

    /// How many of the first of `bytes` are of the class.
    #[inline]
    fn reach(&self, bytes: &[u8]) -> usize {
        let found = match self.many.reach {
            Reach::Until1(one) => memchr(one, bytes),
            Reach::Until2(one, two) => memchr2(one, two, bytes),
            Reach::Until3(one, two, three) => memchr3(one, two, three, bytes),
            Reach::Table => bytes.iter().position(|byte| !self.class.contains(*byte)),
        };
        found.unwrap_or(bytes.len())
    }
}

fn holds(look: Look, line: &[u8], at: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let before = at.checked_sub(1).map(|at| &line[at]);
    match look {
        Look::Start => at == 0,
        Look::End => at == line.len(),
        Look::StartLF => before.is_none_or(|byte| *byte == b'\n'),
        Look::EndLF => line.get(at).is_none_or(|byte| *byte == b'\n'),
        Look::WordAscii => word(before) != word(line.get(at)),
        _ => word(before) == word(line.get(at)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::Input;
    use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
    use regex_automata::util::syntax;

    use super::*;
    use crate::scan::samples::{any_pattern, compiled, crowded, is_unicode, parsed};

    fn of(pattern: &str) -> Option<Backtracker> {
        Backtracker::new(&parsed(pattern).expect("a valid pattern"), &|_| true, &Rates::usual())
    }

    /// Where the simplest engine there is finds the groups.
    fn expected(pattern: &str, line: &[u8]) -> Option<Vec<usize>> {
        let syntax = syntax::Config::new().utf8(false).unicode(is_unicode(pattern));
        let nfa = thompson::Config::new().utf8(false);
        let engine = PikeVM::builder().syntax(syntax).thompson(nfa).build(pattern).expect("a valid pattern");
        let mut captures = engine.create_captures();
        engine.captures(&mut engine.create_cache(), line, &mut captures);
        let slots = captures.slots().iter().map(|slot| slot.map_or(usize::MAX, |slot| slot.get())).collect();
        captures.is_match().then_some(slots)
    }

    /// What the engine finds that rules fall back to.
    fn fallen_back(pattern: &str, line: &[u8]) -> Option<Vec<usize>> {
        let regex = compiled(pattern);
        let mut slots = vec![None; regex.group_info().slot_len()];
        regex.search_slots(&Input::new(line), &mut slots)?;
        Some(slots.into_iter().map(|slot| slot.map_or(usize::MAX, |slot| slot.get())).collect())
    }

    /// `None`: too long to say.
    fn found(backtracker: &Backtracker, line: &[u8]) -> Option<Option<Vec<usize>>> {
        let mut room = Room { slots: vec![7; 3], ..Room::default() };
        let fits = backtracker.fits(line, &mut room).ok()?;
        Some(fits.then_some(room.slots))
    }

    fn check(pattern: &str, line: &str) {
        let backtracker = of(pattern).expect("it can be done");
        let found = found(&backtracker, line.as_bytes()).expect("in time");
        let expected = expected(pattern, line.as_bytes());
        assert_eq!(fallen_back(pattern, line.as_bytes()), expected, "{pattern} {line}");
        // The place of the whole match is not kept.
        assert_eq!(
            found.map(|slots| slots.get(2..).unwrap_or_default().to_vec()),
            expected.map(|slots| slots[2..].to_vec()),
            "{pattern} {line}"
        );
    }

    #[test]
    fn groups_stand_where_other_engines_find_them() {
        let sshd = r"sshd\[(\d+)\]: Failed (\S+) for (?:invalid user )?(\S*) from ([\d.]+) port (\d+)";
        check(
            sshd,
            "Dec 10 h sshd[24200]: Failed password for invalid user admin from 10.0.0.1 port 22 ssh2",
        );
        check(sshd, "Dec 10 h sshd[24200]: Failed password for root from 10.0.0.1 port 22 ssh2");
        check(sshd, "Dec 10 h sshd[24200]: Failed password for from 10.0.0.1 port 22 ssh2");
        check(sshd, "Dec 10 h sshd[24200]: Accepted password for root");
        for (pattern, line) in [
            ("(a+)(b*)c", "aabbac"),
            ("(.*)b", "abab"),
            ("(.*?)b(.*?)$", "abab"),
            ("(x{2,3})x", "xxxxx"),
            ("(x{2,3}?)x", "xxxxx"),
            ("(?:(a)|b)*c", "abc"),
            ("(?:(ab)|(a))(bc)?", "abc"),
            ("(?i)(Error|warn):\\s*(.+)", "ERROR:  it is"),
            ("^(\\w+) .*(\\d)$", "one two 33"),
            ("\\b(\\w)\\B", "a bc"),
            ("(?m)^(b)$", "a\nb\nc"),
            ("(?:(\\w+)=(\\w+) ?){2}", "a=1 b=2 c=3"),
            ("((?:ab){1,2}?)a", "ababab"),
            ("[^\"]*\"([^\"]*)\"", "a \"b\" \"c\""),
            (".bb|(b)", "zabb"),
            ("[^()]*(?:\\([^()]*\\))?[^()]*(:)", "$(:):"),
            ("\\d+(\\d)(\\d)", "12345"),
            ("(é+)a", "xééa"),
        ] {
            check(pattern, line);
        }
    }

    #[test]
    fn what_it_is_not_made_for_is_left_to_others() {
        for pattern in ["(?:a*)*", "(?u)\\w", "(?u)\\bx", "(?:a|b?){3}", "(?Rm)a$", "(?:abc){3000}"] {
            assert!(of(pattern).is_none(), "{pattern}");
        }
        let slow = of("(?:a+)+b").expect("it can be done");
        assert_eq!(found(&slow, &[b'a'; 1000]), None);
        let far = of(r"user=(?<u>\S+?): denied").expect("it can be done");
        let line = format!(": denied {}:", "user=".repeat(13_000));
        assert_eq!(found(&far, line.as_bytes()), None);
        let near = format!("{}user=bob: denied", "user= ".repeat(100));
        assert!(found(&far, near.as_bytes()).expect("in time").is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(500), ..ProptestConfig::default() })]
        #[test]
        fn it_finds_what_other_engines_find(
            parts in proptest::collection::vec(any_pattern(), 1..4),
            line in crowded(),
        ) {
            let pattern = parts.iter().map(|part| format!("({part})")).collect::<String>();
            let Some(found) = of(&pattern).and_then(|backtracker| found(&backtracker, &line)) else { return Ok(()) };
            let expected = expected(&pattern, &line);
            prop_assert_eq!(fallen_back(&pattern, &line), expected.clone(), "{}", &pattern);
            prop_assert_eq!(found.map(|slots| slots[2..].to_vec()), expected.map(|slots| slots[2..].to_vec()), "{}", pattern);
        }
    }
}
