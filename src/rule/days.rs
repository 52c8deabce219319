//! Days of the week, as a set.

use std::fmt;

use jiff::civil::Weekday;

/// Days of the week; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// Bit 0 is Monday. Never zero: every constructor puts one in, and none takes one out.
    bits: u8,
}

/// How days are written, Monday first.
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Days {
    /// Every day.
    pub const ALL: Days = Days { bits: 0b111_1111 };

    /// From one day to the other, both included: over the weekend if `last` comes before `first`.
    pub fn between(first: Weekday, last: Weekday) -> Days {
        let mut bits = bit(first);
        let mut day = first;
        while day != last {
            day = day.next();
            bits |= bit(day);
        }
        Days { bits }
    }

    /// Those of both.
    pub fn and(self, more: Days) -> Days {
        Days { bits: self.bits | more.bits }
    }

    /// True if that day is one of them.
    pub fn has(self, day: Weekday) -> bool {
        self.bits & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`; all of them are `Mon-Sun`.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Days::ALL {
            return f.write_str("Mon-Sun");
        }
        let has = |day: usize| self.bits & 1 << (day % 7) != 0;
        let mut separator = "";
        for first in (0..7).filter(|day| has(*day) && !has(day + 6)) {
            let length = (1..7).find(|length| !has(first + length)).unwrap_or(7);
            let last = NAMES[(first + length - 1) % 7];
            match length {
                1 => write!(f, "{separator}{last}")?,
                2 => write!(f, "{separator}{},{last}", NAMES[first])?,
                _ => write!(f, "{separator}{}-{last}", NAMES[first])?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Wednesday};

    fn check(days: Days, text: &str, has: &str) {
        assert_eq!(days.to_string(), text);
        let each: String = (0i8..7)
            .map(|day| Weekday::from_monday_zero_offset(day).unwrap())
            .map(|day| if days.has(day) { 'x' } else { '.' })
            .collect();
        assert_eq!(each, has, "{text}");
    }

    #[test]
    fn spans_of_days_go_over_the_weekend() {
        check(Days::between(Monday, Friday), "Mon-Fri", "xxxxx..");
        check(Days::between(Friday, Monday), "Fri-Mon", "x...xxx");
        check(Days::between(Saturday, Sunday), "Sat,Sun", ".....xx");
        check(Days::between(Sunday, Monday), "Sun,Mon", "x.....x");
        check(Days::between(Wednesday, Wednesday), "Wed", "..x....");
        check(
            Days::between(Wednesday, Wednesday).and(Days::between(Saturday, Sunday)),
            "Wed,Sat,Sun",
            "..x..xx",
        );
        check(Days::between(Thursday, Wednesday), "Mon-Sun", "xxxxxxx");
    }
}
