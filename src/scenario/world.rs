//! The world of a scenario: one file per source, one sink that takes everything, and a clock that stands until it is
//! moved.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::expected::Sent;
use super::{Feed, Happens, MOST_SENT, MOST_TURNS, Scenario, path_of};
use crate::engine::{Arrival, Engine, Phase, Read, Timing};
use crate::model::{FileId, SinkName, SourceName, Timestamp};
use crate::route::{Ledger, Route};
use crate::rule::{Rule, Ruleset};
use crate::saved::{Saved, Told};
use crate::scan::stamp::Stamp;
use crate::scan::{Block, Match, Scanned, Scanner, Tail};

/// Bytes of a line that are matched.
pub const MAX_LINE: usize = 64 * 1024;
/// As a source has it that says nothing.
const MAX_AGE: Duration = Duration::from_secs(15 * 60);

/// The same of lines in pieces.
const FLUSH: Duration = Duration::from_secs(5);

/// A source's file as it is.
#[derive(Debug)]
struct Place {
    file: FileId,
    offset: u64,
    blind: bool,
    /// Lines that nobody could read yet, with their times.
    unread: Vec<(Timestamp, Vec<u8>)>,
    /// A record that may go on, which begins at `offset`.
    rest: Vec<u8>,
    /// It lies in an over-long line.
    skipping: bool,
    /// From which offsets on lines came at which times, as far as that is still asked.
    came: Vec<(u64, Timestamp)>,
    /// When the rest is matched as it is; `None`: it was, or there is none.
    flush_at: Option<Timestamp>,
    /// When the last of it arrived, if somebody saw that.
    seen: Option<Timestamp>,
}

impl Place {
    fn new(file: FileId) -> Place {
        Place {
            file,
            offset: 0,
            blind: false,
            unread: Vec::new(),
            rest: Vec::new(),
            skipping: false,
            came: Vec::new(),
            flush_at: None,
            seen: None,
        }
    }

    /// When the rest is matched as it is, if it can be read.
    fn flushes(&self) -> Option<Timestamp> {
        self.flush_at.filter(|_| !self.blind)
    }

    /// When the line at that offset came.
    fn came(&self, offset: u64) -> Option<Timestamp> {
        let behind = self.came.partition_point(|(from, _)| *from <= offset);
        self.came[..behind].last().map(|(_, time)| *time)
    }
}

pub(super) struct World<'a> {
    scenario: &'a Scenario,
    ruleset: Arc<Ruleset>,
    scanners: BTreeMap<SourceName, Scanner>,
    engine: Engine,
    ledger: Ledger,
    rows: Saved,
    places: BTreeMap<SourceName, Place>,
    next_file: u64,
    pub(super) now: Timestamp,
    /// Nobody reads until then: the program is down.
    down_until: Option<Timestamp>,
    /// Moments at which the engine was asked.
    looks: u64,
    /// When too much had happened; nothing more does.
    pub(super) given_up: Option<Timestamp>,
    /// What left.
    pub(super) sent: Vec<Sent>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario, ruleset: Arc<Ruleset>) -> World<'a> {
        let rows = Saved { next_file: 1, ..Saved::default() };
        let now = scenario.start;
        let engine = engine(scenario, &ruleset, &rows, now);
        let mut world = World {
            scenario,
            scanners: BTreeMap::new(),
            engine,
            ledger: Ledger::default(),
            rows,
            places: BTreeMap::new(),
            next_file: 1,
            now,
            down_until: None,
            looks: 0,
            given_up: None,
            sent: Vec::new(),
            ruleset: ruleset.clone(),
        };
        world.place(ruleset);
        for source in sources(scenario, &world.ruleset) {
            world.rotate(&source);
        }
        world.tell();
        world
    }

    fn place(&mut self, ruleset: Arc<Ruleset>) {
        let names = sources(self.scenario, &ruleset);
        let scanner = |name: SourceName| {
            let sees = |rule: &Rule| rule.sources.contains(&name);
            let multiline = self.scenario.multiline.as_ref();
            let format = self.scenario.formats.of(&name);
            let scanner = Scanner::joining(&ruleset, sees, MAX_LINE, format, multiline)
                .unwrapping(self.scenario.envelope, self.pending().unwrap_or_default());
            (name, scanner)
        };
        self.scanners = names.into_iter().map(scanner).collect();
        self.ruleset = ruleset;
    }

    /// How long what may go on waits; `None`: nothing may.
    fn pending(&self) -> Option<Duration> {
        let Scenario { multiline, envelope, .. } = self.scenario;
        multiline.as_ref().map(|multiline| multiline.flush).or(envelope.map(|_| FLUSH))
    }

    /// A new file for a source; what comes goes into that.
    fn rotate(&mut self, source: &SourceName) {
        let file = FileId(self.next_file);
        self.next_file += 1;
        // The last record of a file ends with it.
        if self.places.get(source).is_some_and(|place| !place.rest.is_empty()) {
            self.scan(source, Tail::Final, None);
        }
        let old = self.places.remove(source);
        if let Some(old) = &old {
            self.engine.ended(old.file, self.now);
        }
        let (blind, unread) = old.map_or((false, Vec::new()), |old| (old.blind, old.unread));
        self.places.insert(source.clone(), Place { blind, unread, ..Place::new(file) });
        self.engine.opened(file, source, path_of(self.scenario.path.as_ref(), source));
        self.engine.phase(file, if blind { Phase::Unreadable } else { Phase::AtEnd }, self.now);
    }

    /// Lets time pass up to `to`, and at `to` too if `including`.
    pub(super) fn pass(&mut self, to: Timestamp, including: bool) {
        while let Some(wake) = self.next().filter(|wake| *wake < to || including && *wake == to) {
            self.now = self.now.max(wake);
            self.looks += 1;
            if self.looks > MOST_TURNS {
                self.give_up();
            }
            if self.given_up.is_some() {
                return;
            }
            if self.down_until.is_some_and(|until| until <= self.now) {
                self.resume();
            } else {
                self.flush();
                self.engine.tick(self.now);
            }
            self.tell();
        }
        self.now = self.now.max(to);
    }

    /// Lets nothing more happen.
    pub(super) fn give_up(&mut self) {
        self.given_up.get_or_insert(self.now);
    }

    fn next(&self) -> Option<Timestamp> {
        match self.down_until {
            Some(until) => Some(until),
            None => self.places.values().filter_map(Place::flushes).chain(self.engine.next_wake()).min(),
        }
    }

    /// Matches the records that have not gone on for so long as they are.
    fn flush(&mut self) {
        let is_due = |place: &Place| place.flushes().is_some_and(|at| at <= self.now);
        let due: Vec<SourceName> =
            self.places.iter().filter(|(_, place)| is_due(place)).map(|(name, _)| name.clone()).collect();
        for source in &due {
            let seen = self.places.get(source).and_then(|place| place.seen);
            self.scan(source, Tail::Flush, seen);
            if let Some(place) = self.places.get_mut(source) {
                place.flush_at = None;
            }
        }
    }

    /// Something happens now. `reload`: the rules of a reload, if it has rules of its own.
    pub(super) fn happen(&mut self, feed: &Feed, lines: &[u8], reload: Option<&Arc<Ruleset>>) {
        match &feed.what {
            Happens::Lines(source, _) => self.write(source, lines),
            Happens::Restart(down) => {
                // What was decided is durable; the clock goes on.
                self.down_until = Some(self.now.plus(*down));
                if down.is_zero() {
                    self.resume();
                }
            }
            Happens::Reload(_) => {
                let ruleset = reload.unwrap_or(&self.ruleset).clone();
                self.place(ruleset.clone());
                let timings = timings(self.scenario, &ruleset);
                self.engine.adopt(ruleset, timings, self.now);
                for source in sources(self.scenario, &self.ruleset) {
                    if !self.places.contains_key(&source) {
                        self.rotate(&source);
                    }
                }
                self.engine.tick(self.now);
            }
            Happens::Rotate(source) => self.each(source.as_ref(), |world, source| world.rotate(source)),
            Happens::Blind(source) => self.each(source.as_ref(), |world, source| world.see(source, false)),
            Happens::Seeing(source) => self.each(source.as_ref(), |world, source| world.see(source, true)),
        }
        self.tell();
    }

    fn each(&mut self, source: Option<&SourceName>, act: impl Fn(&mut World<'a>, &SourceName)) {
        let all: Vec<SourceName> = self.places.keys().cloned().collect();
        for name in all.iter().filter(|name| source.is_none_or(|source| source == *name)) {
            act(self, name);
        }
    }

    fn see(&mut self, source: &SourceName, seeing: bool) {
        let Some(place) = self.places.get_mut(source) else { return };
        place.blind = !seeing;
        let file = place.file;
        let unread = std::mem::take(&mut place.unread);
        if !seeing {
            self.engine.phase(file, Phase::Unreadable, self.now);
            return;
        }
        self.catch_up(source, unread);
        self.engine.tick(self.now);
    }

    /// Reads what was found unread.
    fn catch_up(&mut self, source: &SourceName, unread: Vec<(Timestamp, Vec<u8>)>) {
        let Some(file) = self.places.get(source).map(|place| place.file) else { return };
        self.engine.phase(file, Phase::Behind, self.now);
        for (written, line) in unread {
            self.read(source, &line, written, None);
        }
        self.engine.phase(file, Phase::AtEnd, self.now);
    }

    fn write(&mut self, source: &SourceName, lines: &[u8]) {
        let Some(place) = self.places.get_mut(source) else { return };
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if place.blind || self.down_until.is_some() {
                place.unread.push((self.now, line.to_vec()));
            }
        }
        if !place.blind && self.down_until.is_none() {
            self.read(source, lines, self.now, Some(self.now));
        }
    }

    fn read(&mut self, source: &SourceName, lines: &[u8], written: Timestamp, at: Option<Timestamp>) {
        let pending = self.pending();
        let Some(place) = self.places.get_mut(source) else { return };
        place.came.push((place.offset + place.rest.len() as u64, written));
        place.rest.extend_from_slice(lines);
        place.flush_at = pending.map(|flush| self.now.plus(flush));
        place.seen = at;
        self.scan(source, if pending.is_some() { Tail::Wait } else { Tail::Final }, at);
        if at.is_some() {
            self.engine.tick(self.now);
        }
        self.tell();
    }

    /// Scans what was read and may go on. `at`: when the last of it came, if that is known.
    fn scan(&mut self, source: &SourceName, tail: Tail, at: Option<Timestamp>) {
        let (Some(scanner), Some(place)) = (self.scanners.get(source), self.places.get_mut(source)) else {
            return;
        };
        let mut scanned = Scanned::default();
        let rest = std::mem::take(&mut place.rest);
        let (file, offset, skipping) = (place.file, place.offset, place.skipping);
        scanner.scan(Block { file, offset, bytes: &rest, skipping, tail }, &mut scanned);
        place.offset += scanned.consumed as u64;
        // What is fed is whole lines, however long they are.
        place.skipping = scanned.skipping && tail != Tail::Final;
        let own = self.scenario.own_stamps;
        // A test that says when a line comes need not write it into the line.
        let came = |hit: &Match<'_>| place.came(hit.at.offset).map(Stamp::Instant);
        let stamp = |hit: Match<'_>| if own { hit.stamp } else { came(&hit) };
        let matches: Vec<_> = scanned.matches(&rest).map(|hit| Match { stamp: stamp(hit), ..hit }).collect();
        // Of a record that may go on the first line tells the time.
        let newest =
            if scanned.consumed < rest.len() { Some(place.offset) } else { place.offset.checked_sub(1) };
        let newest = newest.and_then(|last| place.came(last));
        let stamp = if own { scanned.stamp } else { newest.map(Stamp::Instant) };
        let modified = place.came.last().map_or(self.now, |(_, time)| *time);
        let arrival = Arrival { at, modified, skew_us: 0 };
        let stamp = stamp.filter(|_| tail != Tail::Flush);
        self.engine.read(Read { file, matches, stamp, arrival }, self.now);
        place.rest = rest[scanned.consumed..].to_vec();
        let old = place.came.partition_point(|(from, _)| *from <= place.offset);
        place.came.drain(..old.saturating_sub(1));
        if place.rest.is_empty() {
            place.flush_at = None;
        }
    }

    /// The program comes back with what was durable.
    fn resume(&mut self) {
        self.down_until = None;
        for change in self.engine.take_changes() {
            change.keep(&mut self.rows);
        }
        self.rows.next_seq = self.ledger.next_seq();
        self.ledger = Ledger::new(&self.rows);
        self.engine = engine(self.scenario, &self.ruleset, &self.rows, self.now);
        let sources: Vec<SourceName> = self.places.keys().cloned().collect();
        for source in &sources {
            let Some(place) = self.places.get_mut(source) else { continue };
            let (file, blind) = (place.file, place.blind);
            let unread = if blind { Vec::new() } else { std::mem::take(&mut place.unread) };
            self.engine.opened(file, source, path_of(self.scenario.path.as_ref(), source));
            if blind {
                self.engine.phase(file, Phase::Unreadable, self.now);
            } else {
                self.catch_up(source, unread);
            }
            // What may go on is read again, and nobody remembers whether it was matched.
            if let (Some(place), Some(multiline)) = (self.places.get_mut(source), &self.scenario.multiline)
                && !place.rest.is_empty()
            {
                place.flush_at.get_or_insert(self.now.plus(multiline.flush));
                place.seen = None;
            }
        }
        self.engine.tick(self.now);
    }

    /// Routes what was decided.
    fn tell(&mut self) {
        let route = Route::new(SinkName::new("test"));
        loop {
            let output = self.engine.take();
            if output.transitions.is_empty() && output.changes.is_empty() {
                break;
            }
            for reported in output.changes {
                let owed = self.ledger.route_change(&reported.report, std::slice::from_ref(&route), self.now);
                if !owed.deliveries.is_empty() && !reported.stale {
                    self.sent.push(Sent::change(self.scenario.start, self.now, reported.report));
                }
            }
            for emitted in output.transitions {
                let (mut deliveries, mut told) = (Vec::new(), Vec::new());
                self.ledger.route(&emitted, std::slice::from_ref(&route), &mut deliveries, &mut told);
                told.into_iter().for_each(|row| keep_told(&mut self.rows, row));
                for delivery in deliveries {
                    let Some((_, transition)) = delivery.alert() else { continue };
                    let rule = self.ruleset.find(transition.key.rule.as_str());
                    let rule = rule.map(|ix| self.ruleset.rule(ix));
                    self.sent.push(Sent::new(self.scenario.start, self.now, transition.clone(), rule));
                }
            }
        }
        if self.sent.len() > MOST_SENT {
            self.give_up();
        }
        for change in self.engine.take_changes() {
            change.keep(&mut self.rows);
        }
    }

    /// What is open.
    pub(super) fn open(&self) -> Vec<Sent> {
        let sent = |alert: &crate::model::Transition| {
            let rule = self.ruleset.find(alert.key.rule.as_str()).map(|ix| self.ruleset.rule(ix));
            Sent::new(self.scenario.start, self.now, alert.clone(), rule)
        };
        self.engine.open_alerts().map(sent).collect()
    }
}

/// The sources that a scenario or a rule names.
fn sources(scenario: &Scenario, ruleset: &Ruleset) -> Vec<SourceName> {
    let fed = scenario.feed.iter().filter_map(|feed| match &feed.what {
        Happens::Lines(source, _) => Some(source),
        _ => None,
    });
    let mut names: Vec<SourceName> =
        ruleset.rules.iter().flat_map(|rule| &rule.sources).chain(fed).cloned().collect();
    names.sort();
    names.dedup();
    names
}

fn timings(scenario: &Scenario, ruleset: &Ruleset) -> Vec<Timing> {
    let timing = |name| Timing { name, tz: scenario.tz.clone(), max_age: MAX_AGE, year: None };
    sources(scenario, ruleset).into_iter().map(timing).collect()
}

fn engine(scenario: &Scenario, ruleset: &Arc<Ruleset>, rows: &Saved, now: Timestamp) -> Engine {
    Engine::new(ruleset.clone(), scenario.scope.clone(), timings(scenario, ruleset), &mut rows.clone(), now)
}

fn keep_told(rows: &mut Saved, told: Told) {
    rows.told.retain(|known| (&known.sink, &known.key) != (&told.sink, &told.key));
    rows.told.push(told);
}
