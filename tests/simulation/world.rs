//! The made world: one thread, one clock, one seed.
//!
//! What may go wrong, and why the machine must survive it:
//! - the power goes off at any operation on the store's disk, between a commit and the attempts it lets go, and
//!   after they left: unsynced writes are lost, reordered and torn; the logs themselves survive;
//! - the process is killed, which loses nothing that was written;
//! - the store's disk is full or fails, for a while;
//! - peers refuse, forget their answers, suspend, refuse for good, are slow and are away;
//! - writers cut their lines anywhere, write garbage and over-long lines, rotate in every way, also while a directory
//!   is being looked at; but they destroy only what was durably read (see [`super::writer`]);
//! - the wall clock jumps, the process stalls, files cannot be read, rules and sinks change at any time.

use std::path::Path;

use fastrand::Rng;
use tripline::daemon::core::{Core, Now, Remark, Setup};
use tripline::model::{Content, Delivery, FileId, Timestamp};
use tripline::sink::attempt::{Attempt, Outcome};
use tripline::store::crash::{CrashDisk, Fault, Strike};
use tripline::store::{Opened, Store};
use tripline::tail::fake::{Call, FakeDisk};

use super::checkers::census::Census;
use super::checkers::changes::Changes;
use super::checkers::order::Order;
use super::checkers::repeat::Repeats;
use super::checkers::twin::Timeline;
use super::checkers::{durable, told};
use super::mutants::{self, Mutant};
use super::network::{Answer, Network};
use super::plan::{Mood, Plan};
use super::trace::{Failure, Trace};
use super::writer::{Deed, Writers, records};

/// 2026-03-01T00:00:00Z.
const START: i64 = 1_772_323_200_000_000;
/// Turns after which a world that does not come to rest has failed.
const MOST_TURNS: u32 = 60_000;
/// Turns in a row that may want the next one at once.
const MOST_RESTLESS: u32 = 20;

/// What a run shows.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) failure: Option<Failure>,
    pub(super) trace: Trace,
    pub(super) timeline: Timeline,
    pub(super) counts: Counts,
}

/// What happened how often: a harness in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) turns: u64,
    pub(super) crashes: u64,
    pub(super) cut_commits: u64,
    pub(super) arrivals: u64,
    pub(super) changes: usize,
    pub(super) reloads: u64,
    pub(super) failed_commits: u64,
}

/// Plays one seed to its end.
pub(super) fn play(seed: u64, mood: Mood, mutant: Option<Mutant>) -> Run {
    let mut world = World::new(seed, mood, mutant);
    let failure = world.live().and_then(|()| world.finish()).err();
    world.disk.heal();
    world.counts.changes = world.changes.len();
    Run { failure, trace: world.trace, timeline: world.timeline, counts: world.counts }
}

pub(super) struct World {
    plan: Plan,
    /// Draws what is written and when.
    script: Rng,
    /// Draws everything else.
    chance: Rng,
    /// Files that are read before what is in them is applied. Too little is written for a second thread.
    cores: usize,
    /// Draws when the writers act in the middle of a look, and how they name copies.
    meddle: Rng,
    /// Chances out of 100 that they do.
    meddles: u32,
    /// Microseconds since the beginning.
    clock: i64,
    /// By how much the wall clock was set forward.
    jumped: i64,
    disk: FakeDisk,
    pub(super) power: CrashDisk,
    core: Option<Core<FakeDisk>>,
    /// Wall and true time of the process's start.
    booted: (i64, i64),
    wake: i64,
    /// Turns in a row after which the next one was wanted at once.
    restless: u32,
    down_until: i64,
    /// When the store's disk works again.
    heals_at: Option<i64>,
    strike_at: Option<u64>,
    /// The newest time that a process or a writer of this world has known.
    newest: i64,
    writers: Writers,
    network: Network,
    order: Order,
    repeats: Repeats,
    census: Census,
    changes: Changes,
    timeline: Timeline,
    trace: Trace,
    counts: Counts,
    mutant: Option<Mutant>,
    surgeon: mutants::Surgeon,
}

impl World {
    fn new(seed: u64, mood: Mood, mutant: Option<Mutant>) -> World {
        let mut script = Rng::with_seed(seed);
        let plan = Plan::draw(&mut script, mood);
        let disk = FakeDisk::new();
        disk.keep_births(plan.births);
        disk.keep_hints(plan.hints);
        disk.shorten_reads(plan.short_reads);
        for source in 0..plan.sources {
            disk.mkdir(&Plan::dir(source)).expect("an empty disk");
        }
        let mut meddle = Rng::with_seed(seed ^ 0xdeed);
        let meddles = if mood == Mood::Rough && meddle.bool() { meddle.u32(1..80) } else { 0 };
        let writers = Writers::new(&plan);
        let mut trace = Trace::default();
        trace.say(0, format_args!("seed {seed}: {plan:?}"));
        World {
            script,
            chance: Rng::with_seed(seed ^ 0x5eed),
            cores: 1 + (seed % 3) as usize,
            meddle,
            meddles,
            clock: 0,
            jumped: 0,
            disk,
            power: CrashDisk::new(seed),
            core: None,
            booted: (0, 0),
            wake: 0,
            restless: 0,
            down_until: 0,
            heals_at: None,
            strike_at: None,
            newest: 0,
            writers,
            network: Network::default(),
            order: Order::new(plan.backlog()),
            repeats: Repeats::default(),
            census: Census::default(),
            changes: Changes::default(),
            timeline: Timeline::default(),
            trace,
            counts: Counts::default(),
            mutant,
            surgeon: mutants::Surgeon::default(),
            plan,
        }
    }

    fn wall(&self) -> i64 {
        START + self.clock + self.jumped
    }

    fn now(&self) -> Now {
        let time = self.booted.0 + (self.clock - self.booted.1);
        Now { time: Timestamp(time), skew_us: self.wall() - time, wall: Timestamp(self.wall()) }
    }

    fn say(&mut self, what: impl std::fmt::Display) {
        self.trace.say(self.clock, what);
    }

    fn hits(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.chance.u32(..1000) < per_mille
    }

    // ---- the life of the process ------------------------------------------------------------------------------

    fn start(&mut self) -> Result<(), Failure> {
        if let Some(mutant) = self.mutant {
            self.surgeon.operate(mutant, &self.power);
        }
        let opened = loop {
            match mutants::open(self.mutant, &self.power) {
                Ok(opened) => break opened,
                Err(error) if self.struck() => {
                    self.say(format_args!("the power goes off during the repair: {error}"));
                    self.power = self.power.crash();
                    self.strike_at = None;
                }
                Err(_) if self.heals_at.is_some_and(|at| at > self.clock) => {
                    self.down_until = self.heals_at.unwrap_or(0);
                    return Ok(());
                }
                Err(error) => {
                    return Err(Failure::new("opens", format!("the store does not open: {error}")));
                }
            }
        };
        let Opened { store, saved, .. } = opened;
        let settings = self.plan.settings();
        self.booted = (self.wall(), self.clock);
        let setup = Setup {
            disk: self.disk.clone(),
            store,
            saved,
            settings,
            ruleset: self.plan.ruleset(),
            scope: "sim".to_owned(),
            every: false,
            cores: self.cores,
            seed: self.chance.u64(..),
            set_aside: None,
        };
        let mut core = Core::new(setup, self.now());
        if let Some(handles) = self.plan.handles {
            core.limit_handles(handles);
        }
        self.core = Some(core);
        self.wake = self.clock;
        self.say("starts");
        Ok(())
    }

    /// True if the disk has no power any more.
    fn struck(&mut self) -> bool {
        self.strike_at.is_some_and(|at| self.power.operations() > at)
    }

    fn die(&mut self, how: &str, power: CrashDisk) -> Result<(), Failure> {
        self.say(format_args!("{how}"));
        self.counts.crashes += 1;
        // What the old process still writes while it is dropped goes to the disk that nobody sees any more.
        self.power = power;
        self.core = None;
        self.strike_at = None;
        self.heals_at = None;
        for row in self.network.cut(&mut self.chance) {
            self.arrive(&row)?;
        }
        let down = self.chance.i64(0..i64::from(self.plan.longest_down_ms) * 1000);
        self.down_until = self.clock + down;
        if self.hits(100) {
            let at = self.chance.u64(..40);
            self.power.strike(Strike { at, fault: Fault::PowerCut, lasting: true });
            self.strike_at = Some(at);
        }
        Ok(())
    }

    fn crash(&mut self) -> Result<(), Failure> {
        if self.chance.bool() {
            let power = self.power.crash();
            self.die("the power goes off", power)
        } else {
            let power = CrashDisk::with_image(self.chance.u64(..), self.power.image());
            self.die("it is killed", power)
        }
    }

    /// One turn of the machine, and what may cut it short.
    fn turn(&mut self) -> Result<(), Failure> {
        self.counts.turns += 1;
        let (arrivals, answers) = self.network.pass(self.clock);
        for row in arrivals {
            self.arrive(&row)?;
        }
        let now = self.now();
        let Some(core) = &mut self.core else { return Ok(()) };
        for Answer { sink, attempt, rows, outcomes } in answers {
            for (row, outcome) in rows.iter().zip(&outcomes) {
                let id = row.id();
                self.trace.say(self.clock, format_args!("{sink} #{attempt}: {id} {outcome:?}"));
                if matches!(outcome, Outcome::Dead { .. } | Outcome::Shrink { .. }) {
                    self.order.excuse(row);
                    self.census.excuse(row);
                }
            }
            core.outcomes(&sink, attempt, outcomes, now);
        }
        self.surgeon.before_step(self.mutant, &self.power);
        let failed = core.counts().commit_failures;
        let step = core.step(now);
        let (behind, store_failed) = (core.is_behind(), core.store_failed());
        self.counts.failed_commits += core.counts().commit_failures - failed;
        for remark in &step.remarks {
            match remark {
                Remark::Transition(t) => self.trace.say(
                    self.clock,
                    format_args!(
                        "{} {} → {} ({}) as of {} count {} total {}",
                        t.key,
                        t.previous.as_str(),
                        t.status.as_str(),
                        t.reason.as_str(),
                        t.time.0 - START,
                        t.count,
                        t.total
                    ),
                ),
                other => self.trace.say(self.clock, format_args!("{other:?}")),
            }
        }
        if self.struck() {
            self.counts.cut_commits += 1;
            let power = self.power.crash();
            return self.die("the power goes off in the middle of a commit", power);
        }
        if self.hits(self.plan.crash) {
            return self.crash();
        }
        for remark in &step.remarks {
            if let Remark::Dead(sink, line) = remark {
                self.trace.say(self.clock, format_args!("dead at {sink}: {line}"));
            }
        }
        let left = !step.attempts.is_empty();
        if let Some(power) = self.surgeon.instead_of_commit(self.mutant, left, &mut self.chance) {
            self.power = power;
        }
        for attempt in step.attempts {
            self.leave(attempt)?;
        }
        if self.surgeon.wants_crash() {
            let power = self.power.crash();
            return self.die("the power goes off before the commit", power);
        }
        if left && self.hits(self.plan.crash * 3) {
            return self.crash();
        }
        // Once more at once is fine: what a commit set free may go on. But not for ever.
        self.restless =
            if step.wake <= now.time && (!behind || store_failed) { self.restless + 1 } else { 0 };
        if self.restless > MOST_RESTLESS {
            return Err(Failure::new("wake", format!("wants to wake at {} at {}", step.wake.0, now.time.0)));
        }
        self.wake = self.clock.saturating_add(step.wake.0.saturating_sub(now.time.0).max(0));
        Ok(())
    }

    fn leave(&mut self, attempt: Attempt) -> Result<(), Failure> {
        for row in &attempt.deliveries {
            let what = match &row.content {
                Content::Alert(kind, t) => format!("{kind:?} {}", t.status.as_str()),
                Content::Change(report) => report.status.as_str().to_owned(),
            };
            let (sink, number, id) = (&row.sink, attempt.id, row.id());
            self.trace.say(self.clock, format_args!("{sink} #{number} leaves: {id} {what}"));
        }
        // While nothing can be committed, what was committed before goes on although its mark can not be written. A
        // crash then forgets that it was attempted.
        let unmarked = self.core.as_ref().is_some_and(Core::store_failed);
        if unmarked {
            attempt.deliveries.iter().for_each(|row| self.excuse(row));
        }
        if self.mutant.is_some() || self.chance.u8(..8) == 0 {
            durable::leaves(&attempt, &self.power, unmarked)?;
        }
        self.network.send(attempt, &self.plan.sinks, self.clock, &mut self.chance);
        Ok(())
    }

    /// What the peer shows of this key may have a hole from now on.
    fn excuse(&mut self, row: &Delivery) {
        self.order.excuse(row);
        self.census.excuse(row);
    }

    /// A row reaches its peer.
    fn arrive(&mut self, row: &Delivery) -> Result<(), Failure> {
        for row in self.surgeon.on_the_way(self.mutant, row, &mut self.chance) {
            self.counts.arrivals += 1;
            self.order.arrived(&row)?;
            self.repeats.arrived(&row)?;
            self.changes.arrived(&row)?;
            self.census.arrived(&row);
            self.timeline.arrived(&row);
        }
        Ok(())
    }

    // ---- the world round it -----------------------------------------------------------------------------------

    /// Lets time pass to `until`, turn by turn as the machine asks for them.
    fn run_until(&mut self, until: i64) -> Result<(), Failure> {
        let mut turns = 0;
        loop {
            if self.heals_at.is_some_and(|at| at <= self.clock) {
                self.heals_at = None;
                self.power.heal();
                self.say("the store's disk works again");
            }
            if self.core.is_none() && self.down_until <= self.clock {
                self.start()?;
            }
            self.disk.set_time(Timestamp(self.wall()));
            self.newest = self.newest.max(self.wall()).max(self.now().time.0);
            self.turn()?;
            turns += 1;
            if turns > MOST_TURNS {
                return Err(Failure::new("wake", format!("{turns} turns and no end")));
            }
            let own = if self.core.is_some() { self.wake } else { self.down_until };
            let next =
                own.min(self.network.next().unwrap_or(i64::MAX)).min(self.heals_at.unwrap_or(i64::MAX));
            if next > until && self.clock >= until {
                return Ok(());
            }
            if next > until {
                self.clock = until;
                self.disk.set_time(Timestamp(self.wall()));
                return Ok(());
            }
            self.clock = self.clock.max(next);
        }
    }

    fn live(&mut self) -> Result<(), Failure> {
        for round in 0..self.plan.rounds {
            let acts = if round == 0 { 1 } else { self.script.u32(..4) };
            for _ in 0..acts {
                self.write();
            }
            self.trouble();
            if self.plan.mood == Mood::Rough {
                let most = [50_000, 2_000_000, 30_000_000, 120_000_000][self.script.usize(..4)];
                let until = self.clock + self.script.i64(1..most);
                if self.hits(self.plan.leap) {
                    // The process is not scheduled for a while.
                    self.clock = until;
                }
                self.run_until(until)?;
            } else {
                let second = self.clock;
                self.run_until(second + 150_000)?;
                // A half line that is whole only much later may have left its window.
                self.disk.set_time(Timestamp(self.wall()));
                self.writers.finish_lines(&self.disk);
                let seconds = if self.script.u8(..8) == 0 { self.script.i64(1..30) } else { 1 };
                self.run_until(second + seconds * 1_000_000)?;
            }
        }
        Ok(())
    }

    fn write(&mut self) {
        self.newest = self.newest.max(self.wall());
        self.disk.set_time(Timestamp(self.wall()));
        let (log, deed) = self.writers.choose(&self.plan, &mut self.script);
        let wall = self.wall();
        let path = self.writers.logs[log].path.clone();
        let there = self.writers.logs[log].there;
        let again = self.writers.logs[log].touched.replace(self.clock) == Some(self.clock);
        if again && self.plan.mood != Mood::Rough {
            // Which of two files with the same stamps comes first is anybody's guess.
            return;
        }
        if deed != Deed::Append {
            // Whether it may be done depends on what was done before.
            self.disk.catch_up();
        }
        // Nobody looks while the machine is down, and whoever is late says so by the clock.
        if self.core.is_some() && deed != Deed::Late && self.meddle.u32(..100) < self.meddles {
            self.disk.defer(self.meddle.usize(..40));
        }
        match deed {
            Deed::Append => {
                self.writers.append(&self.disk, log, &self.plan, wall, &mut self.script);
                let bytes = self.disk.content(&path).map_or(0, |content| content.len());
                self.say(format_args!("{} grows to {bytes} bytes", path.display()));
            }
            Deed::Rename if there && (self.plan.inside || self.is_known(log)) => {
                let to = self.writers.rename(&self.disk, log, self.clock);
                self.say(format_args!("{} becomes {to}", path.display()));
                if self.plan.joins.is_some() {
                    // What goes on elsewhere does so at once.
                    self.writers.append(&self.disk, log, &self.plan, wall, &mut self.script);
                }
            }
            // Whether a late line comes before or after what went on elsewhere is anybody's guess.
            Deed::Late if self.plan.joins.is_some() => {}
            Deed::Late if self.writers.late(&self.disk, &self.plan, wall, self.clock, &mut self.script) => {
                self.say("a late line in a rotated log");
            }
            Deed::Truncate | Deed::CopyTruncate | Deed::Delete
                if there && self.writers.is_whole(log) && self.is_read(&path).is_some() =>
            {
                self.writers.logs[log].cut = self.is_read(&path);
                match deed {
                    Deed::Truncate => self.writers.truncate(&self.disk, log),
                    Deed::Delete => self.writers.delete(&self.disk, log),
                    _ => self.writers.copy_truncate(&self.disk, log, self.meddle.bool()),
                }
                self.say(format_args!("{deed:?} of {}", path.display()));
            }
            _ => {}
        }
    }

    /// True if the machine surely finds the file again wherever in its directory it goes.
    fn is_known(&mut self, log: usize) -> bool {
        let path = self.writers.logs[log].path.clone();
        if !self.plan.births {
            return self.is_read(&path).is_some();
        }
        let Ok(facts) = tripline::tail::Disk::stat_path(&mut self.disk, tripline::tail::Reach::whole(&path))
        else {
            return false;
        };
        let Some(saved) = self.saved() else { return false };
        let cut = self.writers.logs[log].cut;
        let name = path.as_os_str().as_encoded_bytes();
        let mut rows = saved.files.values().filter(|row| row.path == name && row.locator == facts.locator);
        rows.any(|row| Some(row.id) > cut)
            && self.core.as_ref().is_some_and(|core| core.files().any(|file| file.path == path))
    }

    /// The content of the file, if every byte of it was read, and a power cut could not undo that.
    fn is_read(&mut self, path: &Path) -> Option<FileId> {
        let size = self.disk.content(path).map_or(0, |content| content.len() as u64);
        let facts = tripline::tail::Disk::stat_path(&mut self.disk, tripline::tail::Reach::whole(path))
            .ok()
            .filter(|_| size > 0)?;
        let files = self.core.as_ref()?.files();
        let seen = files.filter(|file| file.path == path && file.offset == size && file.size == size);
        let id = seen.map(|file| file.file).next_back()?;
        let saved = self.saved()?;
        let mut rows = saved.files.values().filter(|row| row.id == id && row.locator == facts.locator);
        rows.any(|row| row.offset == size).then_some(id)
    }

    fn saved(&self) -> Option<tripline::saved::Saved> {
        let image = CrashDisk::with_image(1, self.power.durable());
        Some(Store::with_backend(image).ok()?.saved)
    }

    fn trouble(&mut self) {
        if self.core.is_some()
            && self.strike_at.is_none()
            && self.heals_at.is_none()
            && self.hits(self.plan.strike)
        {
            let at = self.power.operations() + self.chance.u64(..30);
            match self.chance.u8(..4) {
                0 | 1 => {
                    self.power.strike(Strike { at, fault: Fault::PowerCut, lasting: true });
                    self.strike_at = Some(at);
                }
                kind => {
                    let fault = if kind == 2 { Fault::Full } else { Fault::Broken };
                    self.say(format_args!("the store's disk will be {fault:?}"));
                    self.power.strike(Strike { at, fault, lasting: self.chance.bool() });
                    let most = if self.plan.mood == Mood::Rough { 30_000_000 } else { 6_000_000 };
                    self.heals_at = Some(self.clock + self.chance.i64(0..most));
                }
            }
        }
        if self.core.is_some() && self.hits(self.plan.stop) {
            self.say("stops");
            // Closing writes to the disk, so it comes first.
            self.core = None;
            self.network.cut(&mut self.chance);
            self.down_until = self.clock + self.chance.i64(0..5_000_000);
        }
        if self.hits(self.plan.jump) {
            self.jumped += self.chance.i64(-4_000_000_000..4_000_000_000);
            self.say("the wall clock is set");
        }
        if self.hits(self.plan.unreadable) {
            let call =
                [Call::List, Call::Open, Call::Stat, Call::StatPath, Call::Read][self.chance.usize(..5)];
            self.disk.fail(call, None, 5);
            self.say(format_args!("{call:?} fails"));
        } else {
            self.disk.heal();
        }
        if self.hits(self.plan.reload) {
            self.plan.edit(&mut self.chance);
            self.reload();
        }
    }

    fn reload(&mut self) {
        let now = self.now();
        self.counts.reloads += 1;
        self.say("reloads");
        if let Some(core) = &mut self.core {
            core.reload(&self.plan.settings(), self.plan.ruleset(), self.chance.u64(..), now);
        }
    }

    // ---- the end ----------------------------------------------------------------------------------------------

    /// Everything heals, the writers say that all is over, and the world comes to rest.
    fn finish(&mut self) -> Result<(), Failure> {
        self.say("everything heals");
        self.disk.heal();
        self.disk.catch_up();
        self.meddles = 0;
        if self.strike_at.take().is_some() || self.heals_at.take().is_some() {
            self.power.heal();
        }
        self.plan.crash = 0;
        self.network.healed = true;
        self.plan.sink_there.fill(true);
        self.down_until = self.clock;
        if self.plan.mood == Mood::Rough && self.core.is_some() {
            self.reload();
        }
        self.catch_up();
        self.run_until(self.clock + 1_000_000)?;
        self.disk.set_time(Timestamp(self.wall()));
        self.writers.finish_lines(&self.disk);
        self.run_until(self.clock + 60_000_000)?;
        self.catch_up();
        self.clock += 5_000_000;
        self.disk.set_time(Timestamp(self.wall()));
        self.writers.finish(&self.disk, &self.plan, self.wall());
        self.run_until(self.clock + 60_000_000)?;
        let mut leap = 1_000_000;
        for _ in 0..400 {
            let Some(core) = &self.core else {
                self.run_until(self.clock + 1_000_000)?;
                continue;
            };
            if core.owed() == 0 && core.engine().open_alerts().next().is_none() && !core.is_dirty() {
                break;
            }
            self.clock += leap;
            leap = (leap * 5 / 4).min(3_600_000_000);
            self.run_until(self.clock)?;
        }
        self.check_end()
    }

    /// A clock that was set back reaches again what was known.
    fn catch_up(&mut self) {
        let behind = self.newest - self.wall().min(self.now().time.0);
        self.clock += behind.max(0);
    }

    fn check_end(&mut self) -> Result<(), Failure> {
        self.say("the end");
        let core = self.core.as_ref().expect("it was started");
        let open: Vec<String> =
            core.engine().open_alerts().map(|t| format!("{} {:?}", t.key, t.reason)).collect();
        if core.owed() > 0 || !open.is_empty() {
            return Err(Failure::new("rest", format!("{} owed, open: {open:?}", core.owed())));
        }
        if let Some(saved) = self.saved() {
            for letter in &saved.dead {
                self.excuse(&letter.delivery);
            }
        }
        let written = records(&self.writers.contents, self.plan.joins.is_some());
        self.census.finish(&written)?;
        if self.plan.mood != Mood::Rough {
            self.changes.finish(&self.plan.takers_of_changes(), &written)?;
        }
        told::finish(&self.order)
    }
}
