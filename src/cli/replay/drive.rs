//! Drives engines over finished logs: all files are behind until they are read to their end, so what they lead to is
//! in the order of their records; then the clock runs until no timer is left.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rayon_core::{ThreadPool, ThreadPoolBuilder};

use super::inputs::{Input, Lane};
use crate::engine::{Arrival, Engine, Output, Phase, Read, Timing};
use crate::model::{Envelope, Format, SourceName, Timestamp};
use crate::rule::{Multiline, Rule, Ruleset};
use crate::saved::Saved;
use crate::scan::{Review, Scanner};

/// The engine's clock while files are read: before every record, so that nothing happens by the clock.
const START: Timestamp = Timestamp::from_secs(0);

/// How long what is pending in an envelope waits behind lines of other streams.
const FLUSH: Duration = Duration::from_secs(5);

/// How stamps are understood, and who the observer is.
pub(super) struct Scene {
    /// Zone of stamps that name none.
    pub(super) tz: TimeZone,
    /// Year of the first stamp that names none.
    pub(super) year: Option<i16>,
    /// The observer's scope.
    pub(super) scope: String,
    /// Bytes of a line that are matched.
    pub(super) max_line: usize,
    /// What lines are made of.
    pub(super) format: Format,
    /// How they are joined to records.
    pub(super) multiline: Option<Multiline>,
    /// What stands around them; `None`: what a file begins with says it.
    pub(super) envelope: Option<Option<Envelope>>,
}

/// One set of rules on its way.
struct Side {
    engine: Engine,
    review: Review,
}

/// Several sets of rules over the same files.
pub(super) struct Drive {
    sides: Vec<Side>,
    /// One for each side.
    scanners: Vec<Scanner>,
    /// The same for lines in envelopes.
    unwrapping: Vec<Scanner>,
    inputs: Vec<Input>,
    lanes: Vec<Lane>,
    /// `None`: there is one lane, or threads can not be had.
    pool: Option<ThreadPool>,
    /// Bytes of lines, not compressed.
    bytes: u64,
    began: Option<Timestamp>,
    faults: Vec<String>,
}

impl Drive {
    /// Begins to run `inputs` through each of `rulesets`, on as many threads as there are cores.
    pub(super) fn new(rulesets: Vec<Ruleset>, inputs: Vec<Input>, scene: &Scene) -> Drive {
        let source = SourceName::new("files");
        let mut drive = Drive {
            sides: Vec::new(),
            scanners: Vec::new(),
            unwrapping: Vec::new(),
            inputs,
            lanes: Vec::new(),
            pool: None,
            bytes: 0,
            began: None,
            faults: Vec::new(),
        };
        for mut ruleset in rulesets {
            ruleset.see_instead(std::slice::from_ref(&source));
            let sees = |rule: &Rule| !rule.sources.is_empty();
            let multiline = scene.multiline.as_ref();
            let scanner = Scanner::joining(&ruleset, sees, scene.max_line, scene.format, multiline);
            let envelope = scene.envelope.flatten().unwrap_or(Envelope::Auto);
            let flush = multiline.map_or(FLUSH, |multiline| multiline.flush);
            drive.unwrapping.push(scanner.clone().unwrapping(Some(envelope), flush));
            drive.scanners.push(scanner);
            let (tz, year) = (scene.tz.clone(), scene.year);
            let timing = Timing { name: source.clone(), tz, max_age: Duration::MAX, year };
            let (ruleset, scope) = (Arc::new(ruleset), scene.scope.clone());
            let mut engine = Engine::new(ruleset, scope, vec![timing], &mut Saved::default(), START);
            engine.tell_matches();
            engine.join();
            for input in &drive.inputs {
                engine.opened(input.id, &source, input.path.as_path().into());
                engine.phase(input.id, Phase::Behind, START);
            }
            drive.sides.push(Side { engine, review: Review::default() });
        }
        for input in &mut drive.inputs {
            let usual = Envelope::usual_for(&input.path).map(|_| true);
            input.wrapped = scene.envelope.map_or(usual, |said| Some(said.is_some()));
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = cores.min(drive.inputs.len()).max(1);
        drive.lanes.resize_with(threads, Lane::default);
        let name = |number| format!("scan-{number}");
        let pool = || ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        drive.pool = (threads > 1).then(pool).and_then(Result::ok);
        drive
    }

    /// Reads on in the files whose time is lowest, and applies what was found; false if there is nothing left.
    pub(super) fn turn(&mut self) -> bool {
        let turns = self.next();
        let Drive { inputs, lanes, scanners, unwrapping, pool, .. } = self;
        let scanners = [&scanners[..], unwrapping];
        let chosen =
            inputs.iter_mut().enumerate().filter(|(ix, _)| turns.contains(ix)).map(|(_, input)| input);
        match pool {
            Some(pool) if turns.len() > 1 => pool.in_place_scope(|scope| {
                chosen.zip(lanes).for_each(|(input, lane)| scope.spawn(move |_| input.turn(scanners, lane)));
            }),
            _ => chosen.zip(lanes).for_each(|(input, lane)| input.turn(scanners, lane)),
        }
        for (number, ix) in turns.iter().enumerate() {
            self.apply(*ix, number);
        }
        !turns.is_empty()
    }

    /// The files to go on with, in the order of the arguments. The one whose time is lowest always gets on; beside it
    /// others do, as long as none of their matches waits: so what waits stays little, however far apart files are.
    fn next(&self) -> Vec<usize> {
        let Some(Side { engine, .. }) = self.sides.first() else { return Vec::new() };
        let open = self.inputs.iter().enumerate().filter(|(_, input)| !input.done);
        let mut turns: Vec<_> = open.map(|(ix, input)| (engine.frontier(input.id), ix)).collect();
        if turns.len() > self.lanes.len() {
            turns.select_nth_unstable(self.lanes.len() - 1);
            turns.truncate(self.lanes.len());
        }
        turns.sort_unstable();
        let waits = |ix: usize| {
            let Input { id, offset, .. } = self.inputs[ix];
            self.sides.iter().any(|side| side.engine.applied(id, offset) < offset)
        };
        let mut number = 0..;
        turns.retain(|(_, ix)| number.next() == Some(0) || !waits(*ix));
        let mut turns: Vec<usize> = turns.into_iter().map(|(_, ix)| ix).collect();
        turns.sort_unstable();
        turns
    }

    fn apply(&mut self, ix: usize, lane: usize) {
        let (input, lane) = (&self.inputs[ix], &mut self.lanes[lane]);
        self.bytes += lane.consumed as u64;
        if let Some(error) = lane.failed.take() {
            let read = input.offset;
            self.faults.push(format!("`{}` was read for {read} bytes only: {error}", input.path.display()));
        }
        let first = self.sides.first().is_some_and(|side| side.engine.frontier(input.id).is_none());
        let is_wrapped = input.wrapped == Some(true);
        let scanners = if is_wrapped { &mut self.unwrapping } else { &mut self.scanners };
        for ((side, scanner), scanned) in self.sides.iter_mut().zip(scanners).zip(&lane.scanned) {
            let bytes = lane.bytes();
            if side.review.is_due(bytes, scanned) {
                *scanner = scanner.attuned(bytes);
            }
            let arrival = Arrival { at: None, modified: input.modified, skew_us: 0 };
            let matches = scanned.matches(bytes);
            side.engine.read(Read { file: input.id, matches, stamp: scanned.stamp, arrival }, START);
            if input.done {
                side.engine.phase(input.id, Phase::AtEnd, START);
            }
        }
        if first && let Some(began) = self.sides.first().and_then(|side| side.engine.frontier(input.id)) {
            self.began = Some(self.began.map_or(began, |other| other.min(began)));
        }
    }

    /// Lets the clock run to the end of the log; returns that. From then on nothing is told again: an alert that nothing
    /// ends would be for ever.
    pub(super) fn end(&mut self) -> Timestamp {
        let Some(Side { engine, .. }) = self.sides.first() else { return START };
        let end = self.inputs.iter().filter_map(|input| engine.frontier(input.id)).max().unwrap_or(START);
        for side in &mut self.sides {
            side.engine.tick(end);
            side.engine.tell_once();
        }
        end
    }

    /// Lets the clock of a side run to its next timer; false if there is none.
    pub(super) fn run_on(&mut self, side: usize) -> bool {
        let Some(wake) = self.sides[side].engine.next_wake() else { return false };
        self.sides[side].engine.tick(wake);
        true
    }

    /// What followed for a side since the last call.
    pub(super) fn take(&mut self, side: usize) -> Output {
        let engine = &mut self.sides[side].engine;
        engine.forget_changes();
        engine.take()
    }

    /// The engine of a side.
    pub(super) fn engine(&self, side: usize) -> &Engine {
        &self.sides[side].engine
    }

    /// When the log began, as far as it was read.
    pub(super) fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// Bytes of lines that went through, not compressed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many files there are.
    pub(super) fn files(&self) -> usize {
        self.inputs.len()
    }

    /// Bytes of the files that were taken so far, compressed as they may be.
    pub(super) fn taken(&self) -> u64 {
        self.inputs.iter().map(|input| input.taken.bytes()).sum()
    }

    /// Bytes of all files, if that is known.
    pub(super) fn size(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.size).sum()
    }

    /// What could not be read to its end: a sentence for each file.
    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }
}
