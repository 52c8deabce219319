//! One key of a rule: its window, the ladder's rungs, and the alert they show.
//!
//! Moves by its own clock, in record time: `meet` and `recover` for lines, `advance` for the time between them.
//! Each change of what the alert shows is one [`Transition`], decided here and nowhere else.

use std::sync::Arc;

use crate::model::{
    AlertKey, Episode, FileId, KeyHash, Labels, Position, Reason, Status, Timestamp, Transition,
};
use crate::rule::{Rule, rung_severity};
use crate::saved::{Rung, SavedKey};
use crate::scan::Match;

use super::lines::{Lines, cut};
use super::measured::kept_for;
use super::tally::Sample;
use super::text::Scene;
use super::window::Window;

/// Bytes kept of a capture for texts and labels; the key is made of the whole capture.
pub(super) const CAPTURE_KEPT: usize = 2048;
/// Files that hold a key's timers; more than these are forgotten oldest first.
const FILES_KEPT: usize = 16;

/// The label of alerts that are kept open because they come and go.
pub(super) const FLAPPING: &str = "flapping";

/// Whether a comparison that is false ends its level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fall {
    /// The moment is over.
    Now,
    /// More lines of the same moment may follow.
    Later,
}

/// What became of a matching line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It counts.
    Counted,
    /// It is older than the window that its key has reached.
    Late,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) hash: KeyHash,
    /// Raw values, in the order of [`Rule::by`].
    pub(super) by: Vec<Vec<u8>>,
    /// Everything up to here is decided; only [`Key::advance`], [`Key::meet`] and [`Key::recover`] move it.
    pub(super) clock: Timestamp,
    /// When it was first seen, or first expected; of what has to come by a time, or when an operator ended its alert; of few
    /// matches, from when on they are counted.
    pub(super) born: Timestamp,
    pub(super) last_match: Timestamp,
    /// [`Key::miss_from`] of that match, for rules that notice absence: it takes time to find. `None`: never.
    pub(super) missed_from: Option<Timestamp>,
    pub(super) rungs: [Rung; 3],
    pub(super) latched: bool,
    pub(super) window: Window,
    /// The number of the newest match, for rules that look at that alone.
    pub(super) newest_number: Option<f64>,
    /// Set while a rung is true or an alert is open.
    pub(super) episode: Option<Episode>,
    pub(super) total: u64,
    /// What was last made of this key, without its lines. Its status is `Ok` only while `untold`.
    pub(super) last: Option<Transition>,
    pub(super) untold: bool,
    /// True if its raise is held back from sinks that know nothing of the episode.
    pub(super) held: bool,
    /// When it is to be seen whether that still is so; `None`: when something else happens.
    pub(super) look_at: Option<Timestamp>,
    /// What it showed when it was folded into an alert about a storm.
    pub(super) folded: Option<Status>,
    /// When it was last raised, and the newest line at that moment.
    pub(super) raised: Option<(Timestamp, Position)>,
    /// When it was raised and resolved lately; fewer than [`crate::rule::Flap::changes`].
    pub(super) turns: Vec<Timestamp>,
    /// True while it is kept open because it comes and goes.
    pub(super) flapping: bool,
    /// The newest line that reached it.
    pub(super) at: Position,
    pub(super) files: Vec<FileId>,
    /// Of the newest match, aligned with [`Rule::captures`], cut.
    pub(super) captures: Vec<Option<Vec<u8>>>,
    /// As `line`, of an episode.
    pub(super) lines: Lines,
    /// The newest match, cut; any bytes, made text where it is shown.
    pub(super) line: Vec<u8>,
    /// True if it is remembered though nothing has come of it, because it would be missed.
    pub(super) watched: bool,
    /// True if it is watched whether it has been seen or not.
    pub(super) expected: bool,
    /// True if its row was not written since something happened to it.
    pub(super) changed: bool,
    /// Where the engine's timer tables hold this key; never later than it is due.
    pub(super) timer: Option<Timer>,
}

/// A place in the engine's timer tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Looked at when the engine's `now` reaches it.
    At(Timestamp),
    /// Waits until that file's time is past the due time.
    Held(FileId, Timestamp),
}

impl Key {
    pub(super) fn new(rule: &Rule, hash: KeyHash, by: Vec<Vec<u8>>, clock: Timestamp) -> Key {
        let mut key = Key {
            hash,
            watched: rule.notices_absence(),
            expected: rule.expects(by.iter().map(Vec::as_slice)),
            by,
            clock,
            born: clock,
            last_match: clock,
            missed_from: None,
            rungs: [Rung::default(); 3],
            latched: false,
            window: Window::new(kept_for(rule)),
            newest_number: None,
            episode: None,
            total: 0,
            last: None,
            untold: false,
            held: false,
            look_at: None,
            folded: None,
            raised: None,
            turns: Vec::new(),
            flapping: false,
            at: Position { file: FileId::OWN, offset: 0 },
            files: Vec::new(),
            captures: vec![None; rule.captures.len()],
            lines: Lines::default(),
            line: Vec::new(),
            changed: false,
            timer: None,
        };
        key.missed_from = key.miss_from(rule);
        key
    }

    /// A key as it was committed, under a rule of the same name and the same `by`.
    pub(super) fn load(rule: &Rule, saved: SavedKey, chunks: Vec<(u64, Vec<crate::saved::Entry>)>) -> Key {
        let capture = |name: &Arc<str>| {
            saved.captures.iter().find(|(saved, _)| saved == name).map(|(_, value)| value.clone())
        };
        let by: Vec<Vec<u8>> = saved.by.into_iter().map(|(_, value)| value).collect();
        let mut key = Key {
            hash: saved.hash,
            watched: rule.notices_absence(),
            expected: rule.expects(by.iter().map(Vec::as_slice)),
            by,
            clock: saved.clock,
            born: saved.born,
            last_match: saved.last_match,
            missed_from: None,
            rungs: saved.rungs,
            latched: saved.latched,
            window: Window::load(kept_for(rule), saved.first_chunk, saved.step_us, chunks),
            newest_number: saved.newest_number,
            episode: saved.episode,
            total: saved.total,
            last: saved.open,
            untold: saved.untold,
            held: saved.held,
            // What held it may be over.
            look_at: saved.held.then_some(saved.clock),
            folded: saved.folded,
            raised: saved.raised,
            turns: saved.turns,
            flapping: saved.flapping && rule.flap.is_some(),
            at: Position { file: FileId::OWN, offset: 0 },
            files: saved.files,
            captures: rule.captures.iter().map(capture).collect(),
            lines: Lines::load(rule.lines_kept, saved.lines, saved.last_lines, saved.lines_gap),
            line: saved.line.into_bytes(),
            changed: false,
            timer: None,
        };
        key.missed_from = key.miss_from(rule);
        key.window.expire(key.clock);
        if saved.condition_digest != rule.condition_digest {
            key.restart(rule);
        }
        key
    }

    /// The row of this key.
    pub(super) fn save(&self, rule: &Rule) -> SavedKey {
        let captures = rule.captures.iter().zip(&self.captures);
        SavedKey {
            rule: rule.name.clone(),
            hash: self.hash,
            by: rule.by.iter().map(|by| by.name.clone()).zip(self.by.iter().cloned()).collect(),
            condition_digest: rule.condition_digest,
            clock: self.clock,
            born: self.born,
            last_match: self.last_match,
            rungs: self.rungs,
            latched: self.latched,
            episode: self.episode,
            total: self.total,
            open: self.last.clone(),
            untold: self.untold,
            held: self.held,
            folded: self.folded,
            raised: self.raised,
            turns: self.turns.clone(),
            flapping: self.flapping,
            files: self.files.clone(),
            captures: captures.filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect(),
            lines: self.lines.first(),
            last_lines: self.lines.last(),
            lines_gap: self.lines.gap(),
            line: text(&self.line),
            first_chunk: self.window.first_chunk(),
            step_us: self.window.step(),
            newest_number: self.newest_number,
            outlives: rule.outlives,
            orphan_until: None,
        }
    }

    /// What is shown has held until then, whatever the clock of this key says.
    pub(super) fn hold_until(&mut self, time: Timestamp) {
        for rung in self.rungs.iter_mut().filter(|rung| rung.held.is_some_and(|held| held < time)) {
            rung.held = Some(time);
        }
    }

    /// The rule's condition has another definition: the window starts anew, an open alert stays.
    pub(super) fn restart(&mut self, rule: &Rule) {
        let kept = std::mem::replace(&mut self.window, Window::new(kept_for(rule)));
        self.window.continue_after(&kept);
        self.newest_number = None;
        let open = self.status();
        for (rung, state) in self.rungs.iter_mut().enumerate() {
            let shown = Status::from(rung_severity(rung)) == open;
            // Without a window to measure, the level has held until now, and leaves in its time.
            *state = Rung { since: None, held: shown.then_some(self.clock) };
        }
        self.latched = self.latched && rule.latches() && open != Status::Ok;
        if self.latched {
            self.judge(rule, self.clock, Fall::Now);
        }
        if open == Status::Ok {
            self.episode = None;
            // That it was seen at all is what makes it missed.
            self.total = if rule.notices_absence() { self.total } else { 0 };
        }
        if rule.notices_few() {
            // What is shown goes on until a whole window has been seen again.
            self.born = self.born.max(self.clock);
            let holding = Rung { since: Some(self.clock), held: Some(Timestamp::MAX) };
            for (rung, state) in self.rungs.iter_mut().enumerate() {
                if rule.ladder[rung].is_some() && Status::from(rung_severity(rung)) <= open {
                    *state = holding;
                }
            }
        }
    }

    /// What the alert shows.
    pub(super) fn status(&self) -> Status {
        self.last.as_ref().map_or(Status::Ok, |last| last.status)
    }

    /// True if nothing would be lost by forgetting it.
    pub(super) fn is_idle(&self, rule: &Rule) -> bool {
        !self.untold
            && self.remembered_until(rule).is_none()
            && !self.latched
            && !self.watched
            && self.status() == Status::Ok
            && self.window.count() == 0
            && self.rungs.iter().all(|rung| rung.since.is_none())
    }

    /// True if forgetting it loses at most a count that has not led to anything.
    pub(super) fn is_quiet(&self) -> bool {
        !self.untold
            && !self.expected
            && self.status() == Status::Ok
            && self.rungs.iter().all(|rung| rung.since.is_none())
    }

    /// True if something of it still counts at `time`: it has matches in its window, or is watched.
    pub(super) fn counts_for_something(&self, time: Timestamp) -> bool {
        self.watched || self.window.empty_at().is_some_and(|empty| empty > time)
    }

    /// The next moment at which something may change if no line comes.
    pub(super) fn next_due(&self, rule: &Rule) -> Option<Timestamp> {
        let windowed = !rule.within.is_zero() && !self.latched;
        let watches_leaves = rule.watches_leaves();
        if windowed
            && !watches_leaves
            && self.status() == Status::Ok
            && self.rungs.iter().all(|rung| rung.since.is_none())
        {
            // As it comes out below, for most keys and most lines.
            return self.window.empty_at().or_else(|| self.remembered_until(rule));
        }
        let leave = if !windowed {
            None
        } else if watches_leaves || self.rungs.iter().any(|rung| rung.since.is_some()) {
            self.window.next_leave()
        } else {
            self.window.empty_at()
        };
        let waiting = |rung: &&Rung| rung.held != Some(Timestamp::MAX);
        let hold =
            self.rungs.iter().filter(waiting).filter_map(|rung| Some(rung.since?.plus(rule.hold))).min();
        let level = self.next_leave_of_level(rule);
        let again = rule.renotify.zip(self.last.as_ref().filter(|last| last.status != Status::Ok));
        let again = again.map(|(after, last)| last.time.plus(after));
        let look = self.look_at.filter(|look| self.held && *look != Timestamp::MAX);
        let due = [
            leave,
            hold,
            level,
            self.expires(rule),
            self.moment_over(rule),
            self.next_miss(rule),
            again,
            look,
            self.forgotten(rule),
            self.next_turn(rule),
            self.remembered_until(rule),
        ];
        due.into_iter().flatten().min()
    }

    /// A comparison that became false with the newest line is seen to be false once that moment is over: more
    /// lines with the same stamp may follow. So is one of few matches seen to be true.
    fn moment_over(&self, rule: &Rule) -> Option<Timestamp> {
        let value = self.value(rule);
        let mut rungs = self.rungs.iter().enumerate();
        let turned = rungs.any(|(at, rung)| match rung.since {
            Some(_) => !self.stays(rule, at, value),
            None => rule.notices_few() && self.level_holds(rule, at, value),
        });
        turned.then_some(self.clock)
    }

    /// When the level that is shown leaves.
    fn next_leave_of_level(&self, rule: &Rule) -> Option<Timestamp> {
        let status = self.status();
        if status == Status::Ok {
            return None;
        }
        let alive = |rung: &Rung| match (rung.held?, self.quiet(rule)) {
            (Timestamp::MAX, _) | (_, None) => Some(Timestamp::MAX),
            (held, Some(quiet)) => Some(held.plus(quiet)),
        };
        let shown =
            self.rungs.iter().enumerate().filter(|(rung, _)| Status::from(rung_severity(*rung)) >= status);
        let until = shown.filter_map(|(_, rung)| alive(rung)).max();
        // A level that nothing holds any more leaves at once.
        until.map_or(Some(self.clock), |until| (until != Timestamp::MAX).then_some(until))
    }

    fn expires(&self, rule: &Rule) -> Option<Timestamp> {
        let waits = self.status() != Status::Ok || self.latched;
        rule.expire_after.filter(|_| waits).map(|expire| self.last_match.plus(expire))
    }

    /// Lets time pass up to `to`, and at `to` itself if `including`.
    pub(super) fn advance(
        &mut self,
        scene: &Scene<'_>,
        to: Timestamp,
        including: bool,
        out: &mut Vec<Transition>,
    ) {
        while let Some(due) = self.next_due(scene.rule) {
            if due > to || (due == to && !including) {
                break;
            }
            let before = (due, self.status(), self.window.count(), self.rungs);
            self.pass(scene, due, out);
            let after = (due, self.status(), self.window.count(), self.rungs);
            let passes = before != after || self.next_due(scene.rule).is_none_or(|next| next > due);
            assert!(passes, "time passes: {before:?}");
        }
        if to != Timestamp::MAX {
            self.clock = self.clock.max(to);
        }
    }

    /// What happens at the moment `due` by itself.
    fn pass(&mut self, scene: &Scene<'_>, due: Timestamp, out: &mut Vec<Transition>) {
        let rule = scene.rule;
        self.clock = self.clock.max(due);
        self.window.expire(due);
        self.judge(rule, due, Fall::Now);
        if self.expires(rule).is_some_and(|expires| expires <= due) {
            self.end(scene, due, Reason::NoRecoveryLine, out);
            self.window.clear_up_to(due);
            return;
        }
        if self.forgotten(rule).is_some_and(|forgotten| forgotten <= due) {
            self.end(scene, due, Reason::Forgotten, out);
            self.watched = false;
            return;
        }
        self.show(scene, due, out);
        if self.look_at.is_some_and(|look| look <= due) {
            self.look_at = None;
        }
        let last = self.last.as_ref().filter(|last| last.status != Status::Ok);
        if last.zip(rule.renotify).is_some_and(|(last, after)| last.time.plus(after) <= due) {
            self.shift(scene, due, self.status(), Reason::StillOpen, out);
        }
    }

    /// A line that fits.
    pub(super) fn meet(
        &mut self,
        scene: &Scene<'_>,
        time: Timestamp,
        hit: &Match<'_>,
        sample: Sample,
        out: &mut Vec<Transition>,
    ) -> Taken {
        let rule = scene.rule;
        self.advance(scene, time, false, out);
        let late = time < self.clock;
        let now = self.clock.max(time);
        let windowed = !rule.within.is_zero();
        if windowed && late && time <= now.minus(rule.remembers()) {
            return Taken::Late;
        }
        self.clock = now;
        self.at = hit.at;
        if rule.notices_few() && !self.watched {
            // It was forgotten, and is seen for the first time again.
            self.born = now;
        }
        self.watched = rule.notices_absence();
        self.last_match = self.last_match.max(time);
        let idle = self.episode.is_none();
        let mut room = Vec::new();
        if windowed {
            self.window.expire(now);
            self.window.insert(time, sample, hit.times);
        } else if rule.latches() {
            self.latched = true;
        }
        // Of two lines the one that was written later says what is.
        if let Sample::Number(number) = sample
            && time >= self.last_match
        {
            self.newest_number = Some(number);
        }
        let times = u64::from(hit.times);
        self.total = self.total.saturating_add(times);
        if idle {
            // What has not led anywhere and has left the window is not part of this episode.
            self.total = if windowed { self.window.count() } else { times };
            room = self.lines.begin(rule.lines_kept, self.total.saturating_sub(times));
        }
        self.missed_from = self.miss_from(rule);
        self.remember(rule, hit, room);
        if rule.lasts() {
            // Whatever more lines may follow, what was missed is there. Whether they are few is seen when the moment is over.
            let fall = if rule.notices_absence() { Fall::Now } else { Fall::Later };
            let few = rule.notices_few();
            if !few {
                self.judge(rule, now, fall);
            }
            if idle && self.rungs.iter().any(|rung| rung.since.is_some()) {
                self.episode = Some(Episode(hit.at));
            }
            if !few {
                self.show(scene, now, out);
            }
            // Silence ends nothing here, so a number does.
            if rule.resolve_after.is_none() && self.status() != Status::Ok && self.is_clear(rule) {
                if self.flaps(rule, now) {
                    self.linger(scene, now, out);
                } else {
                    self.end(scene, now, Reason::Cleared, out);
                }
            }
        } else {
            // One moment: true at `now`, false right after it.
            self.episode.get_or_insert(Episode(hit.at));
            let rungs = self.rungs.iter_mut().zip(&rule.ladder);
            for (rung, _) in rungs.filter(|(_, level)| level.is_some_and(|level| level.holds(1.0))) {
                rung.held = Some(Timestamp::MAX);
            }
            self.show(scene, now, out);
            for rung in &mut self.rungs {
                rung.held = rung.held.map(|held| held.min(now));
            }
        }
        Taken::Counted
    }

    /// A line that fits `resolve`: ends the alert or what is pending, empties the window up to its own time.
    pub(super) fn recover(&mut self, scene: &Scene<'_>, time: Timestamp, out: &mut Vec<Transition>) {
        self.advance(scene, time, false, out);
        self.clock = self.clock.max(time);
        self.window.clear_up_to(time);
        // A recovery that is older than the newest match says nothing of that match.
        if self.last_match <= time {
            if self.flaps(scene.rule, self.clock) {
                self.linger(scene, self.clock, out);
            } else {
                // Without such patterns it is tripline that speaks.
                let is_line = !scene.rule.resolve.is_empty();
                let reason = if is_line { Reason::RecoveryLine } else { Reason::Over };
                self.end(scene, self.clock, reason, out);
            }
        }
        self.judge(scene.rule, self.clock, Fall::Now);
    }

    /// Ends what is open or pending, whatever holds.
    pub(super) fn end(
        &mut self,
        scene: &Scene<'_>,
        time: Timestamp,
        reason: Reason,
        out: &mut Vec<Transition>,
    ) {
        self.latched = false;
        self.rungs = [Rung::default(); 3];
        if self.status() == Status::Ok {
            self.episode = None;
        } else {
            self.shift(scene, time, Status::Ok, reason, out);
        }
        self.newest_number = None;
    }

    /// Measures, and holds the measure against the ladder.
    fn judge(&mut self, rule: &Rule, now: Timestamp, fall: Fall) {
        if !rule.lasts() {
            return;
        }
        let value = self.value(rule);
        let holds: [bool; 3] = std::array::from_fn(|at| self.level_holds(rule, at, value));
        let stays: [bool; 3] = std::array::from_fn(|at| self.stays(rule, at, value));
        for (at, rung) in self.rungs.iter_mut().enumerate() {
            let holds = holds[at] || rung.since.is_some() && stays[at];
            match (holds, rung.since) {
                (true, None) => rung.since = Some(now),
                (false, Some(_)) if fall == Fall::Now => {
                    rung.since = None;
                    rung.held = rung.held.map(|held| held.min(now));
                }
                _ => {}
            }
            if holds && rung.since.is_some_and(|since| since.plus(rule.hold) <= now) {
                rung.held = Some(Timestamp::MAX);
            }
        }
    }

    /// The highest level that held within its quiet.
    #[inline]
    fn highest(&self, rule: &Rule, now: Timestamp) -> Status {
        let quiet = self.quiet(rule);
        let alive = |rung: &Rung| match (rung.held, quiet) {
            (None, _) => false,
            (Some(Timestamp::MAX), _) | (Some(_), None) => true,
            (Some(held), Some(quiet)) => now < held.plus(quiet),
        };
        self.rungs.iter().rposition(alive).map_or(Status::Ok, |rung| rung_severity(rung).into())
    }

    /// Compares what holds with what is shown.
    fn show(&mut self, scene: &Scene<'_>, now: Timestamp, out: &mut Vec<Transition>) {
        let rule = scene.rule;
        let status = self.highest(rule, now);
        let shown = self.status();
        if status == Status::Ok && !self.flapping && self.flaps(rule, now) {
            self.flapping = true;
            let kept = self.highest(rule, now);
            if kept != Status::Ok {
                return self.shift(scene, now, kept, Reason::Flapping, out);
            }
            self.flapping = false;
        }
        if status == shown {
            if status == Status::Ok && self.rungs.iter().all(|rung| rung.since.is_none()) {
                self.episode = None;
            }
            return;
        }
        let reason = match () {
            () if status > shown => Reason::LevelReached,
            () if rule.notices_few() => Reason::LevelLeft,
            () if rule.notices_absence() => Reason::SeenAgain,
            () if status == Status::Ok => Reason::Quiet,
            () => Reason::LevelLeft,
        };
        if status == Status::Ok {
            self.rungs.iter_mut().for_each(|rung| rung.held = None);
        }
        self.shift(scene, now, status, reason, out);
    }

    /// Makes the transition to `status`, which may be what it shows already: then it is told again.
    pub(super) fn shift(
        &mut self,
        scene: &Scene<'_>,
        time: Timestamp,
        status: Status,
        reason: Reason,
        out: &mut Vec<Transition>,
    ) {
        let previous = self.status();
        let open = self.last.take().filter(|last| last.status != Status::Ok);
        // A level that is raised by the end of `for` after an older episode has gone: no line of its own caused it.
        let fallback = || Episode(Position { file: FileId::OWN, offset: time.0.unsigned_abs() });
        let mut transition = Transition {
            time,
            key: AlertKey { rule: scene.rule.name.clone(), hash: self.hash },
            status,
            previous,
            reason,
            value: self.value(scene.rule),
            count: self.count(scene.rule),
            total: self.total,
            since: open.as_ref().map_or(time, |open| open.since),
            episode: open.as_ref().map(|open| open.episode).or(self.episode).unwrap_or_else(fallback),
            step: open.as_ref().map_or(0, |open| open.step + 1),
            labels: Labels::new(),
            details: Labels::new(),
            summary: String::new(),
            description: String::new(),
            runbook: None,
            images: Vec::new(),
            links: Vec::new(),
            lines: Vec::new(),
            last_lines: Vec::new(),
        };
        // Without a match in its window there is nothing new to speak of.
        let rule = scene.rule;
        let is_empty = !rule.within.is_zero() && !rule.notices_absence() && transition.count == 0;
        match open {
            // What is over, or gets better because nothing comes any more, is told in the words in which it was told last.
            Some(open) if status == Status::Ok || (is_empty && status <= previous) => {
                transition.labels = open.labels;
                transition.details = open.details;
                transition.summary = open.summary;
                transition.description = open.description;
                transition.runbook = open.runbook;
                transition.images = open.images;
                transition.links = open.links;
            }
            _ => scene.write(self, &mut transition),
        }
        if (previous == Status::Ok) != (status == Status::Ok) {
            self.turned(scene.rule, status, time);
        }
        if self.flapping {
            transition.details.insert(FLAPPING.into(), "true".to_owned());
        }
        if status == Status::Ok {
            self.episode = None;
        }
        self.last = Some(transition.clone());
        out.push(self.with_lines(transition));
    }

    /// Says once more what is true now, for sinks that know otherwise.
    pub(super) fn retell(&mut self, out: &mut Vec<Transition>) {
        let Some(last) = &mut self.last else { return };
        last.step += 1;
        let last = last.clone();
        out.push(self.with_lines(last));
    }

    /// A transition on its way out: it carries the lines that are kept now.
    fn with_lines(&self, transition: Transition) -> Transition {
        Transition { lines: self.lines.first(), last_lines: self.lines.last(), ..transition }
    }

    /// Keeps of a line what texts may speak of; `room` is for one of the kept lines.
    fn remember(&mut self, rule: &Rule, hit: &Match<'_>, room: Vec<u8>) {
        for (kept, capture) in self.captures.iter_mut().zip(hit.captures.iter()) {
            match capture {
                Some(value) => {
                    let kept = kept.get_or_insert_default();
                    kept.clear();
                    kept.extend_from_slice(&value[..value.len().min(CAPTURE_KEPT)]);
                }
                None => *kept = None,
            }
        }
        cut(hit.line, &mut self.line);
        self.lines.push(rule.lines_kept, &self.line, room);
        let file = hit.at.file;
        if self.files.last() != Some(&file) {
            self.files.retain(|known| *known != file);
            if self.files.len() == FILES_KEPT {
                self.files.remove(0);
            }
            self.files.push(file);
        }
    }
}

/// Log text as it is saved.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
