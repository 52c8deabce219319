//! A pattern's HIR as operations that are tried from left to right.

use regex_syntax::hir::{Class as HirClass, Hir, HirKind, Look, Repetition};

use super::{Follow, Many, Op, Program, Reach, Start};
use crate::scan::runs::Class;
use crate::scan::sieve::Rates;

/// Operations of a pattern, at most.
const MOST_OPS: usize = 2000;
/// Classes that are compared before a place is tried, at most.
const MOST_START: usize = 4;
/// Ways that are looked at for what a pattern begins with, one inside the other.
const MOST_BRANCHES: usize = 16;

/// The program of a pattern, and how many slots it uses. `keeps` says of which groups the places are wanted. `None`:
/// another engine has to do it.
pub(super) fn program(hir: &Hir, keeps: &dyn Fn(usize) -> bool) -> Option<(Program, usize)> {
    let mut writer = Writer { program: Program::default(), keeps, slots: 0 };
    writer.write(hir)?;
    writer.push(Op::Done)?;
    let Writer { mut program, slots, .. } = writer;
    for at in 0..program.ops.len() {
        if let Op::Many(number) = program.ops[at] {
            let next = next(&program, at);
            let class = *program.class(program.many[number as usize].class);
            program.many[number as usize].settle(&class, &next);
        }
    }
    program.ops.shrink_to_fit();
    program.many.shrink_to_fit();
    program.classes.shrink_to_fit();
    program.literals.shrink_to_fit();
    Some((program, slots))
}

impl Many {
    /// Learns what comes after it.
    fn settle(&mut self, own: &Class, next: &Next) {
        self.follow = match next {
            Next::Bytes(class) if class.overlaps(own) => class.only().map_or(Follow::Anything, Follow::Byte),
            Next::Bytes(_) => {
                // As many as there are, whatever it would like.
                self.greedy = true;
                Follow::Other
            }
            Next::Nothing if self.greedy => Follow::Other,
            Next::Nothing | Next::Unknown => Follow::Anything,
        };
    }
}

/// Turns HIR into operations.
struct Writer<'a> {
    program: Program,
    keeps: &'a dyn Fn(usize) -> bool,
    slots: usize,
}

impl Writer<'_> {
    fn push(&mut self, op: Op) -> Option<u32> {
        self.program.ops.push(op);
        (self.program.ops.len() <= MOST_OPS).then(|| self.next() - 1)
    }

    /// Where the next operation will stand.
    fn next(&self) -> u32 {
        self.program.ops.len() as u32
    }

    fn change(&mut self, at: u32, op: Op) {
        self.program.ops[at as usize] = op;
    }

    /// The number of a class; the same for the same class.
    fn class(&mut self, class: Class) -> u32 {
        let classes = &mut self.program.classes;
        let known = classes.iter().position(|known| *known == class);
        known.unwrap_or_else(|| {
            classes.push(class);
            classes.len() - 1
        }) as u32
    }

    fn write(&mut self, hir: &Hir) -> Option<()> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) => {
                let from = self.program.literals.len() as u32;
                self.program.literals.extend_from_slice(&literal.0);
                self.push(Op::Literal(from, self.program.literals.len() as u32))?;
            }
            HirKind::Class(class) => {
                let class = self.class(bytes_of(class)?);
                self.push(Op::OneOf(class))?;
            }
            HirKind::Look(look) => {
                use Look::{End, EndLF, Start, StartLF, WordAscii, WordAsciiNegate};
                let known = matches!(look, Start | End | StartLF | EndLF | WordAscii | WordAsciiNegate);
                self.push(Op::Look(known.then_some(*look)?))?;
            }
            HirKind::Repetition(repetition) => self.repetition(repetition)?,
            HirKind::Capture(capture) => {
                let group = capture.index as usize;
                if !(self.keeps)(group) {
                    return self.write(&capture.sub);
                }
                self.slots = self.slots.max(2 * group + 2);
                self.push(Op::Save(2 * capture.index))?;
                self.write(&capture.sub)?;
                self.push(Op::Save(2 * capture.index + 1))?;
            }
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.write(part))?,
            HirKind::Alternation(parts) => {
                let mut jumps = Vec::new();
                for (number, part) in parts.iter().enumerate() {
                    if number + 1 == parts.len() {
                        self.write(part)?;
                        break;
                    }
                    let split = self.push(Op::Split(0, 0))?;
                    self.write(part)?;
                    jumps.push(self.push(Op::Jump(0))?);
                    self.change(split, Op::Split(split + 1, self.next()));
                }
                let end = self.next();
                jumps.into_iter().for_each(|jump| self.change(jump, Op::Jump(end)));
            }
        }
        Some(())
    }

    fn repetition(&mut self, repetition: &Repetition) -> Option<()> {
        let Repetition { min, max, greedy, sub } = repetition;
        let single = match sub.kind() {
            HirKind::Class(class) => Some(bytes_of(class)?),
            HirKind::Literal(literal) if literal.0.len() == 1 => Some(Class::from_iter([literal.0[0]])),
            _ => None,
        };
        if let Some(class) = single {
            let (min, max, greedy) = (*min, max.unwrap_or(u32::MAX), *greedy);
            let (reach, class) = (reach(&class), self.class(class));
            self.program.many.push(Many { class, reach, min, max, greedy, follow: Follow::Anything });
            self.push(Op::Many(self.program.many.len() as u32 - 1))?;
            return Some(());
        }
        // Other engines have their own idea of what a loop around the empty text captures.
        if sub.properties().minimum_len().is_none_or(|len| len == 0) && *max != Some(1) {
            return None;
        }
        (0..*min).try_for_each(|_| self.write(sub))?;
        let branch =
            |inside, outside| if *greedy { Op::Split(inside, outside) } else { Op::Split(outside, inside) };
        match max {
            None => {
                let split = self.push(Op::Split(0, 0))?;
                self.write(sub)?;
                self.push(Op::Jump(split))?;
                self.change(split, branch(split + 1, self.next()));
            }
            Some(max) => {
                let mut splits = Vec::new();
                for _ in *min..*max {
                    splits.push(self.push(Op::Split(0, 0))?);
                    self.write(sub)?;
                }
                let end = self.next();
                splits.into_iter().for_each(|split| self.change(split, branch(split + 1, end)));
            }
        }
        Some(())
    }
}

/// A class of single bytes; others need more than one byte.
fn bytes_of(class: &HirClass) -> Option<Class> {
    match class {
        HirClass::Bytes(class) => {
            Some(Class::of(class.ranges().iter().map(|range| (range.start(), range.end()))))
        }
        HirClass::Unicode(class) if class.is_ascii() => Some(
            class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .map(|char| char as u8)
                .collect(),
        ),
        HirClass::Unicode(_) => None,
    }
}

fn reach(class: &Class) -> Reach {
    let others: Vec<u8> = (0..=u8::MAX).filter(|byte| !class.contains(*byte)).collect();
    match others[..] {
        [one] => Reach::Until1(one),
        [one, two] => Reach::Until2(one, two),
        [one, two, three] => Reach::Until3(one, two, three),
        _ => Reach::Table,
    }
}

/// What comes after an operation.
enum Next {
    /// One of these bytes.
    Bytes(Class),
    /// The end of the pattern.
    Nothing,
    Unknown,
}

fn next(program: &Program, mut at: usize) -> Next {
    loop {
        at += 1;
        match program.ops[at] {
            Op::Literal(from, to) => {
                return Next::Bytes(program.literal(from, to).iter().copied().take(1).collect());
            }
            Op::OneOf(class) => return Next::Bytes(*program.class(class)),
            Op::Many(many) if program.repeat(many).min() > 0 => {
                return Next::Bytes(*program.repeat(many).class);
            }
            Op::Done => return Next::Nothing,
            Op::Save(_) => {}
            // Only forwards: a loop that comes back here would go round for ever.
            Op::Jump(to) if to as usize > at => at = to as usize - 1,
            Op::Many(_) | Op::Split(..) | Op::Jump(_) | Op::Look(_) => return Next::Unknown,
        }
    }
}

/// Where a match may begin.
pub(super) fn start(hir: &Hir, program: &Program, rates: &Rates) -> Start {
    if hir.properties().look_set_prefix().contains(Look::Start) {
        return Start::Beginning;
    }
    // What takes no room does not move the beginning.
    let mut wide = program.ops.iter().filter(|op| !matches!(op, Op::Save(_) | Op::Look(_))).peekable();
    if let Some(Op::Literal(from, to)) = wide.peek() {
        let literal = program.literal(*from, *to);
        let rarest = (0..literal.len())
            .min_by(|one, other| rates.of_byte(literal[*one]).total_cmp(&rates.of_byte(literal[*other])));
        return rarest.map_or(Start::Anywhere, |at| Start::Byte(literal[at], at));
    }
    let mut classes = Vec::new();
    for op in wide {
        match *op {
            Op::OneOf(class) => classes.push(*program.class(class)),
            Op::Literal(from, to) => {
                classes.extend(program.literal(from, to).iter().map(|byte| Class::from_iter([*byte])));
            }
            Op::Many(many) => {
                let many = program.repeat(many);
                classes.extend(std::iter::repeat_n(*many.class, many.min().min(MOST_START)));
                break;
            }
            _ => break,
        }
    }
    classes.truncate(MOST_START);
    if classes.is_empty() {
        classes.extend(first_of(program, 0, MOST_BRANCHES));
    }
    if classes.is_empty() { Start::Anywhere } else { Start::Classes(classes.into()) }
}

/// What a match of the operations from `at` on begins with; `None`: it may be empty, or there are too many ways.
fn first_of(program: &Program, mut at: usize, branches: usize) -> Option<Class> {
    loop {
        match program.ops[at] {
            Op::Literal(from, to) => {
                return Some(program.literal(from, to).iter().copied().take(1).collect());
            }
            Op::OneOf(class) => return Some(*program.class(class)),
            Op::Many(many) if program.repeat(many).min() > 0 => return Some(*program.repeat(many).class),
            Op::Save(_) | Op::Look(_) => at += 1,
            Op::Jump(to) if to as usize > at => at = to as usize,
            Op::Many(many) => {
                let others = first_of(program, at + 1, branches.checked_sub(1)?)?;
                return Some(program.repeat(many).class.or(&others));
            }
            Op::Split(one, other) => {
                let one = first_of(program, one as usize, branches.checked_sub(1)?)?;
                return Some(one.or(&first_of(program, other as usize, branches - 1)?));
            }
            Op::Jump(_) | Op::Done => return None,
        }
    }
}
