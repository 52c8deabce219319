//! The first and the last lines of an episode.

use std::collections::VecDeque;

use crate::rule::LinesKept;

/// Bytes kept of a line.
pub(super) const LINE_KEPT: usize = 512;
/// What stands at the end of a line that is cut, and for lines that are left out.
const CUT: &str = "…";

/// What is kept of the lines of an episode; while there is none, of those that may lead to one.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    first: Vec<Vec<u8>>,
    /// Newer than all of `first`. Empty until something has come of it.
    last: VecDeque<Vec<u8>>,
    /// True if a line between `first` and `last` was let go.
    gap: bool,
}

impl Lines {
    /// Those that were saved, as far as they are still to be kept.
    pub(super) fn load(kept: LinesKept, first: Vec<String>, last: Vec<String>, gap: bool) -> Lines {
        let bytes = |lines: Vec<String>| lines.into_iter().map(String::into_bytes);
        let (mut first, last): (Vec<_>, VecDeque<_>) = (bytes(first).collect(), bytes(last).collect());
        let gap = gap || first.len() > kept.first || last.len() > kept.last;
        first.truncate(kept.first);
        let mut lines = Lines { first, last, gap };
        lines.last.drain(..lines.last.len().saturating_sub(kept.last));
        lines
    }

    /// Forgets all but the newest of those that were before a line that may lead to an episode; `before` of them count.
    /// Gives back the room of one.
    pub(super) fn begin(&mut self, kept: LinesKept, before: u64) -> Vec<u8> {
        self.gap = false;
        let most = if kept.first > 0 { kept.first } else { kept.last };
        let keep = usize::try_from(before).unwrap_or(most).min(most.saturating_sub(1));
        let room = if kept.first > 0 {
            self.first.extend(self.last.drain(..));
            self.first.drain(..self.first.len().saturating_sub(keep)).next()
        } else {
            self.last.drain(..self.last.len().saturating_sub(keep)).next()
        };
        room.unwrap_or_default()
    }

    /// Keeps a line that is [`cut`] already, perhaps instead of another. `room` is for it.
    pub(super) fn push(&mut self, kept: LinesKept, line: &[u8], mut room: Vec<u8>) {
        let is_first = self.first.len() < kept.first && self.last.is_empty() && !self.gap;
        if !is_first {
            while self.last.len() >= kept.last.max(1) {
                room = self.last.pop_front().unwrap_or_default();
                self.gap = true;
            }
            if kept.last == 0 {
                self.gap = true;
                return;
            }
        }
        room.clear();
        room.extend_from_slice(line);
        if is_first {
            self.first.push(room);
        } else {
            self.last.push_back(room);
        }
    }

    /// The first ones as text.
    pub(super) fn first(&self) -> Vec<String> {
        self.first.iter().map(|line| lossy(line)).collect()
    }

    /// The last ones as text.
    pub(super) fn last(&self) -> Vec<String> {
        self.last.iter().map(|line| lossy(line)).collect()
    }

    /// See [`crate::saved::SavedKey::lines_gap`].
    pub(super) fn gap(&self) -> bool {
        self.gap
    }

    /// All of them, one below the other, with a sign where some are left out between them.
    pub(super) fn text(&self) -> String {
        let sign = (self.gap && !self.first.is_empty() && !self.last.is_empty()).then(|| CUT.to_owned());
        let all: Vec<String> = self.first().into_iter().chain(sign).chain(self.last()).collect();
        all.join("\n")
    }
}

/// Writes a line into `kept`, cut between two characters and with a sign if it is longer than [`LINE_KEPT`].
pub(super) fn cut(line: &[u8], kept: &mut Vec<u8>) {
    kept.clear();
    if line.len() <= LINE_KEPT {
        kept.extend_from_slice(line);
        return;
    }
    let most = LINE_KEPT - CUT.len();
    let is_inside = |at: &usize| line[*at] & 0b1100_0000 == 0b1000_0000;
    // What is no UTF-8 is cut anywhere.
    let end = (most - 3..=most).rev().find(|at| !is_inside(at)).unwrap_or(most);
    kept.extend_from_slice(&line[..end]);
    kept.extend_from_slice(CUT.as_bytes());
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: LinesKept = LinesKept { first: 5, last: 5 };

    /// Lines `1` to `run_up` before there is an episode, then up to `all`.
    fn kept(kept: LinesKept, run_up: u64, all: u64) -> Lines {
        let mut lines = Lines::default();
        for n in 1..=all {
            let room = if n <= run_up { lines.begin(kept, n - 1) } else { Vec::new() };
            lines.push(kept, n.to_string().as_bytes(), room);
        }
        lines
    }

    fn check(of: LinesKept, run_up: u64, all: u64, text: &str) {
        let lines = kept(of, run_up, all);
        assert_eq!(lines.text().replace('\n', " "), text, "{of:?} {run_up} {all}");
        let again = Lines::load(of, lines.first(), lines.last(), lines.gap());
        assert_eq!(again.text(), lines.text());
    }

    #[test]
    fn the_first_and_the_last_are_kept_and_what_is_left_out_is_marked() {
        check(FIVE, 1, 1, "1");
        check(FIVE, 1, 5, "1 2 3 4 5");
        check(FIVE, 1, 10, "1 2 3 4 5 6 7 8 9 10");
        check(FIVE, 1, 11, "1 2 3 4 5 … 7 8 9 10 11");
        check(LinesKept { first: 0, last: 2 }, 1, 7, "6 7");
        check(LinesKept { first: 0, last: 3 }, 5, 5, "3 4 5");
        check(LinesKept { first: 2, last: 0 }, 1, 7, "1 2");
        check(LinesKept { first: 0, last: 0 }, 3, 7, "");
        check(LinesKept { first: 1, last: 1 }, 1, 3, "1 … 3");
    }

    #[test]
    fn of_what_led_to_an_episode_the_newest_lines_are_its_first() {
        check(FIVE, 8, 8, "4 5 6 7 8");
        check(FIVE, 8, 9, "4 5 6 7 8 9");
        check(FIVE, 3, 9, "1 2 3 4 5 6 7 8 9");
        // The next one has only what counts for it.
        let mut lines = kept(FIVE, 1, 12);
        let room = lines.begin(FIVE, 2);
        lines.push(FIVE, b"13", room);
        assert_eq!(lines.text(), "11\n12\n13");
    }

    #[test]
    fn with_other_bounds_the_ends_of_what_was_kept_stay() {
        let load = |of| {
            let lines = kept(FIVE, 1, 12);
            Lines::load(of, lines.first(), lines.last(), lines.gap()).text().replace('\n', " ")
        };
        assert_eq!(load(LinesKept { first: 2, last: 1 }), "1 2 … 12");
        assert_eq!(load(LinesKept { first: 0, last: 0 }), "");
        let mut grown =
            Lines::load(LinesKept { first: 7, last: 7 }, vec!["1".into()], vec!["9".into()], true);
        grown.push(LinesKept { first: 7, last: 7 }, b"10", Vec::new());
        assert_eq!(grown.text(), "1\n…\n9\n10");
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_says_so() {
        let check = |line: &str, bytes: usize| {
            let mut kept = vec![b'x'];
            cut(line.as_bytes(), &mut kept);
            let text = String::from_utf8(kept).expect("cut between characters");
            assert_eq!(text.len(), bytes, "{line}");
            let whole = text.strip_suffix('…').filter(|_| line.len() > 512).unwrap_or(&text);
            assert!(line.starts_with(whole) && (text == line) == (line.len() <= 512), "{text}");
        };
        check("", 0);
        check(&"a".repeat(512), 512);
        check(&"a".repeat(513), 512);
        check(&"é".repeat(256), 512);
        check(&"é".repeat(300), 511);
        check(&format!("a{}", "é".repeat(300)), 512);
        check(&"🦀".repeat(200), 511);
        let mut kept = Vec::new();
        cut(&[0x80; 600], &mut kept);
        assert_eq!(kept.len(), 512);
    }
}
