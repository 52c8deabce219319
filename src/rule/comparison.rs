//! A number held against another one.

use std::time::Duration;

/// A comparison of the ladder: `>= 5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The operator.
    pub op: Op,
    /// The right-hand side.
    pub than: f64,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `==`
    Equal,
    /// `!=`
    Other,
}

impl Op {
    /// All of them, those first that begin like a shorter one.
    pub const ALL: [Op; 6] = [Op::AtLeast, Op::AtMost, Op::Equal, Op::Other, Op::Above, Op::Below];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Op::AtLeast => ">=",
            Op::Above => ">",
            Op::AtMost => "<=",
            Op::Below => "<",
            Op::Equal => "==",
            Op::Other => "!=",
        }
    }

    /// True if it holds for these two.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Op::AtLeast => left >= right,
            Op::Above => left > right,
            Op::AtMost => left <= right,
            Op::Below => left < right,
            Op::Equal => left == right,
            Op::Other => left != right,
        }
    }
}

impl Comparison {
    /// True if it holds for `value`.
    pub fn holds(&self, value: f64) -> bool {
        self.op.holds(value, self.than)
    }

    /// How long something must have lasted so that it holds of the seconds, to the microsecond; for `>=` and `>`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float to int casts saturate"
    )]
    pub fn lasts(&self) -> Duration {
        let micros = self.than * 1e6;
        let needed = if self.op == Op::Above { micros.floor() + 1.0 } else { micros.ceil() };
        Duration::from_micros(needed as u64)
    }

    /// True if it holds of nothing, and of more no longer: silence makes it true.
    pub fn wants_few(&self) -> bool {
        matches!(self.op, Op::Below | Op::AtMost) && self.holds(0.0)
    }

    /// True if it holds wherever `other` does.
    pub fn holds_wherever(&self, other: &Comparison) -> bool {
        let (own, than) = (self.than, other.than);
        match (self.op, other.op) {
            (Op::AtLeast, Op::AtLeast | Op::Above) | (Op::Above, Op::Above) => own <= than,
            (Op::Above, Op::AtLeast) => own < than,
            (Op::AtMost, Op::AtMost | Op::Below) | (Op::Below, Op::Below) => own >= than,
            (Op::Below, Op::AtMost) => own > than,
            (op, Op::Equal) => op.holds(than, own),
            (Op::Other, Op::Other) => own == than,
            _ => false,
        }
    }

    /// The count from which on it holds, or does no longer, if it is compared by so many; at least 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "float to int casts saturate"
    )]
    pub fn needed(&self, by: f64) -> u64 {
        let than = self.than * by;
        let needed = match self.op {
            Op::Above | Op::AtMost => than.floor() + 1.0,
            _ => than.ceil(),
        };
        (needed as u64).max(1)
    }
}
