//! What one seed is made of: every parameter is drawn, so that whole classes of trouble are sometimes absent.

use std::path::PathBuf;

use fastrand::Rng;
use jiff::tz::TimeZone;
use tripline::config::{self, Text};
use tripline::model::SinkName;
use tripline::rule::Ruleset;
use tripline::settings::Settings;

use super::checkers::order::Backlog;

/// Values of `k`.
pub(super) const KEYS: [char; 4] = ['a', 'b', 'c', 'd'];
/// Bytes of a line that are matched.
pub(super) const MAX_LINE: usize = 1024;
/// Lines of a record, where lines are joined.
pub(super) const MAX_LINES: usize = 5;
/// Bytes of such a record.
pub(super) const MAX_BYTES: usize = 1500;
/// What counts for the rule that counts everything.
pub(super) const CENSUS: &str = r"hit \d{6} k=(?<k>[a-d]);";
/// What says something of a change.
pub(super) const CHANGES: &str = r"hit (?<n>\d{6}) k=(?<k>[a-d]); (?<how>it|r)";
/// The line that makes that rule say its total.
pub(super) const CENSUS_OVER: &str = "CENSUS OVER";

/// How the world treats the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Anything goes.
    Rough,
    /// Only what must not change what is decided; with or without trouble.
    Gentle {
        /// True: crashes, a full disk, a bad network.
        trouble: bool,
    },
}

/// A sink's peer: chances out of 100 that an attempt meets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Temper {
    /// It says later, and does not have it.
    pub(super) refuses: u8,
    /// It has it, and the answer is lost.
    pub(super) forgets: u8,
    /// It wants nothing until something changes.
    pub(super) suspends: u8,
    /// It will never take it.
    pub(super) buries: u8,
    /// It says that the request is too large.
    pub(super) shrinks: u8,
    /// Longest time to an answer, in milliseconds.
    pub(super) slow_ms: u32,
}

/// One drawn rule.
#[derive(Clone, Debug)]
pub(super) struct RuleDraw {
    number: usize,
    shape: Shape,
    within_ms: u32,
    hold_ms: u32,
    resolve_after_ms: u32,
    ladder: [u32; 3],
    restraints: Restraints,
    /// Counts edits of texts.
    pub(super) edition: u32,
    pub(super) removed: bool,
}

/// What keeps a rule's alerts from being told, or tells them again.
#[derive(Clone, Copy, Debug, Default)]
struct Restraints {
    /// The rule of that number holds its raises back.
    unless: Option<usize>,
    /// Only what comes after an alert of the rule of that number counts.
    after: Option<usize>,
    /// So many raises in half a minute are told by themselves.
    max_raises: Option<u32>,
    /// So many raises and resolves within so many milliseconds are too many.
    flap: Option<(u32, u32)>,
    renotify_ms: Option<u32>,
    /// It is muted in the first half of each minute of an hour, or nearly.
    mute: bool,
}

impl Restraints {
    fn draw(mut rng: Rng, number: usize, gentle: bool) -> Restraints {
        let mut some = |chance: u8| rng.u8(..100) < chance;
        let [unless, after, max_raises, flap, renotify, mute] = [25, 15, 25, 40, 30, 20].map(&mut some);
        let mut drawn = Restraints {
            unless: unless.then(|| rng.usize(..5)).filter(|other| *other != number),
            after: after.then(|| rng.usize(..5)).filter(|other| *other != number),
            max_raises: max_raises.then(|| rng.u32(1..4)),
            flap: flap.then(|| (rng.u32(2..6), 60_000)),
            renotify_ms: renotify.then(|| rng.u32(3..30) * 1000 + 300),
            mute,
        };
        if gentle {
            // These hang on the order of lines of one second, or on what is not kept over a restart.
            // And no line is written when one ends to flap.
            let flap = drawn.flap.map(|(changes, within_ms)| (changes, within_ms + 300));
            drawn = Restraints { flap, renotify_ms: drawn.renotify_ms, ..Restraints::default() };
        }
        drawn
    }

    /// `there`: the numbers of the rules that there are.
    fn text(&self, there: &[usize]) -> String {
        let mut text = String::new();
        let named = |other: Option<usize>| other.filter(|other| there.contains(other));
        if let Some(other) = named(self.unless) {
            text += &format!("unless = \"r{other}\"\n");
        }
        if let Some(other) = named(self.after) {
            text += &format!("after = \"r{other}\"\nafter_within = \"10s\"\n");
        }
        if let Some(most) = self.max_raises {
            text += &format!("max_raises = \"{most}/30s\"\n");
        }
        text += &match self.flap {
            Some((changes, within_ms)) => {
                format!("flap = {{ changes = {changes}, within = \"{}\" }}\n", millis(within_ms))
            }
            None => "flap = \"never\"\n".to_owned(),
        };
        if let Some(ms) = self.renotify_ms {
            text += &format!("renotify = \"{}\"\n", millis(ms));
        }
        if self.mute {
            let minutes: Vec<String> =
                (0..30).map(|n| format!("00:{:02}-00:{:02}", 2 * n, 2 * n + 1)).collect();
            text += &format!("mute = \"{} UTC\"\n", minutes.join(","));
        }
        text
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Window,
    WindowFor,
    WindowAndRecovery,
    Latch,
    Plain,
}

/// All that is drawn before anything happens.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) mood: Mood,
    pub(super) rounds: u32,
    pub(super) sources: usize,
    /// Logs per source.
    pub(super) logs: usize,
    /// Whether rotated names fit the globs too.
    pub(super) inside: bool,
    pub(super) births: bool,
    pub(super) hints: bool,
    pub(super) short_reads: Option<usize>,
    /// Chances out of 1000 per turn.
    pub(super) crash: u32,
    /// Chances out of 1000 per round.
    pub(super) strike: u32,
    pub(super) stop: u32,
    pub(super) reload: u32,
    pub(super) jump: u32,
    pub(super) leap: u32,
    pub(super) unreadable: u32,
    /// Lines that are late, without stamp or year-less.
    pub(super) odd_stamps: bool,
    pub(super) garbage: bool,
    pub(super) long_lines: bool,
    /// Lines that begin with a blank go on with the record before them, which waits so many milliseconds for more.
    pub(super) joins: Option<u32>,
    /// No more files than that are open at once.
    pub(super) handles: Option<usize>,
    pub(super) longest_down_ms: u32,
    pub(super) sinks: Vec<Temper>,
    pub(super) sink_there: Vec<bool>,
    pub(super) rules: Vec<RuleDraw>,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng, mood: Mood) -> Plan {
        let gentle = mood != Mood::Rough;
        let trouble = mood != Mood::Gentle { trouble: false };
        let sinks = 1 + rng.usize(..3);
        let rules = 3 + rng.usize(..3);
        let some = |rng: &mut Rng, chance: u32, often: u32| if rng.u32(..100) < chance { often } else { 0 };
        let mut plan = Plan {
            mood,
            rounds: rng.u32(15..45),
            sources: 1 + rng.usize(..2),
            logs: 1 + rng.usize(..2),
            inside: gentle || rng.bool(),
            births: gentle || rng.u8(..4) > 0,
            hints: gentle || rng.u8(..3) > 0,
            short_reads: (rng.u8(..3) == 0).then(|| rng.usize(1..200)),
            crash: some(rng, 80, 12),
            strike: some(rng, 50, 150),
            stop: some(rng, 50, 60),
            reload: some(rng, 40, 100),
            jump: some(rng, 20, 100),
            leap: some(rng, 60, 400),
            unreadable: some(rng, 30, 80),
            odd_stamps: rng.bool(),
            garbage: rng.bool(),
            long_lines: rng.bool(),
            joins: None,
            handles: None,
            longest_down_ms: if rng.u8(..8) == 0 { 1_500_000 } else { 20_000 },
            sinks: (0..sinks).map(|_| Temper::draw(rng)).collect(),
            sink_there: vec![true; sinks],
            rules: (0..rules).map(|number| RuleDraw::draw(rng, number, gentle)).collect(),
        };
        if gentle {
            plan.reload = 0;
            plan.jump = 0;
            plan.leap = 0;
            plan.unreadable = 0;
            plan.odd_stamps = false;
            plan.longest_down_ms = 8_000;
            for temper in &mut plan.sinks {
                temper.buries = 0;
                temper.shrinks = 0;
            }
        }
        // Of a generator of its own, so that seeds from before it was there draw what they drew. Who can not see one of two
        // files, or not say which is older, may tear a record.
        let mut own = Rng::with_seed(rng.clone().u64(..) ^ 0x6a6f_696e);
        if own.bool() && plan.births && plan.unreadable == 0 && plan.jump == 0 {
            plan.joins = Some(if gentle { 50 } else { [50, 2000, 7000][own.usize(..3)] });
        }
        if !gentle && own.bool() {
            plan.handles = Some(own.usize(2..8));
        }
        if !trouble {
            plan.crash = 0;
            plan.strike = 0;
            plan.stop = 0;
            plan.sinks = vec![Temper { slow_ms: 20, ..Temper::default() }; sinks];
        }
        plan
    }

    /// Whether anything can be decided so late that nobody is told.
    pub(super) fn backlog(&self) -> Backlog {
        let short =
            self.longest_down_ms <= 20_000 && self.jump == 0 && !self.odd_stamps && self.unreadable == 0;
        if short { Backlog::Short } else { Backlog::Long }
    }

    /// The directory of a source.
    pub(super) fn dir(source: usize) -> PathBuf {
        PathBuf::from(format!("/s{source}"))
    }

    /// The settings in force now, as a reload would read them.
    pub(super) fn settings(&self) -> Settings {
        let mut text = String::from("scope = \"sim\"\n[admin]\nlisten = \"off\"\n");
        for source in 0..self.sources {
            let glob = if self.inside { "*.log*" } else { "*.log" };
            text += &format!(
                "[[source]]\nname = \"s{source}\"\nfiles = [\"/s{source}/{glob}\"]\nstart = \"beginning\"\n\
                 tz = \"UTC\"\nmax_line = \"1KiB\"\n"
            );
            if let Some(flush) = self.joins {
                text += &format!(
                    "multiline = {{ continue = '^ ', max_lines = {MAX_LINES}, max_bytes = {MAX_BYTES}, flush = \"{flush}ms\" }}\n"
                );
            }
        }
        for (sink, _) in self.sink_there.iter().enumerate().filter(|(_, there)| **there) {
            let peer = if sink == 1 { "stdout" } else { "flashduty" };
            text += &format!("[[sink]]\nname = \"sink{sink}\"\ntype = \"{peer}\"\n");
            if peer == "flashduty" {
                text += "integration_key_env = \"KEY\"\n";
            }
            if sink == 0 {
                text += "change_integration_key_env = \"KEY\"\n";
            }
        }
        let text = Text { path: "/etc/tripline.toml".into(), text };
        let (settings, problems) = config::settings(&text, &TimeZone::UTC);
        settings.unwrap_or_else(|_| panic!("the world's settings are wrong: {problems:?}\n{}", text.text))
    }

    /// The sinks that hear of changes, and whether of everything as it is.
    pub(super) fn takers_of_changes(&self) -> Vec<(SinkName, bool)> {
        let settings = self.settings();
        let takers = settings.sinks.into_iter().filter(|sink| sink.peer.takes_changes());
        takers.map(|sink| (sink.name, sink.peer.is_log())).collect()
    }

    /// The rules in force now.
    pub(super) fn ruleset(&self) -> Ruleset {
        let sources: Vec<String> = (0..self.sources).map(|source| format!("\"s{source}\"")).collect();
        let mut text = format!("[defaults]\nsource = [{}]\n", sources.join(", "));
        text += &format!(
            "[[rule]]\nname = \"census\"\nmatch = '{CENSUS}'\nresolve = '{CENSUS_OVER}'\n\
             by = [\"k\", \"source\"]\nseverity = \"info\"\nexpire_after = \"52w\"\nsummary = \"{{total}}\"\n"
        );
        let there: Vec<usize> =
            self.rules.iter().filter(|rule| !rule.removed).map(|rule| rule.number).collect();
        text += &format!(
            "[[rule]]\nname = \"changes\"\nkind = \"change\"\nmatch = '{CHANGES}'\nchange_key = \"{{k}}\"\n\
             change_status = {{ it = \"Processing\", r = \"Done\" }}\nsummary = \"{{n}}\"\n"
        );
        for rule in self.rules.iter().filter(|rule| !rule.removed) {
            text += &rule.text();
            text += &Restraints { after: self.after(rule.number), ..rule.restraints }.text(&there);
        }
        let text = Text { path: "/etc/rules.toml".into(), text };
        let settings = self.settings();
        let (ruleset, problems) = config::ruleset(
            std::slice::from_ref(&text),
            Some(&settings.sources),
            &settings.labels,
            &TimeZone::UTC,
        );
        ruleset.unwrap_or_else(|| panic!("the world's rules are wrong: {problems:?}\n{}", text.text))
    }

    /// What a rule is after, unless that waits for the rule itself.
    fn after(&self, number: usize) -> Option<usize> {
        let drawn = |number: usize| {
            let rule = self.rules.iter().find(|rule| rule.number == number && !rule.removed);
            rule.and_then(|rule| rule.restraints.after)
        };
        let chain = std::iter::successors(drawn(number), |other| drawn(*other));
        let waits_for_itself = chain.take(self.rules.len()).any(|other| other == number);
        drawn(number).filter(|_| !waits_for_itself)
    }

    /// Changes something that a reload may change.
    pub(super) fn edit(&mut self, rng: &mut Rng) {
        let rule = rng.usize(..self.rules.len());
        match rng.u8(..6) {
            0 => self.rules[rule].removed ^= true,
            1 => self.rules[rule] = RuleDraw { edition: 1, ..RuleDraw::draw(rng, rule, false) },
            2 if self.sink_there.len() > 1 => {
                let sink = 1 + rng.usize(..self.sink_there.len() - 1);
                self.sink_there[sink] ^= true;
            }
            _ => self.rules[rule].edition += 1,
        }
    }
}

impl Temper {
    fn draw(rng: &mut Rng) -> Temper {
        let mut some = |chance: u8, most: u8| if rng.u8(..100) < chance { rng.u8(1..most) } else { 0 };
        let (refuses, forgets, suspends) = (some(60, 50), some(60, 40), some(25, 10));
        let (buries, shrinks) = (some(15, 6), some(20, 8));
        let slow_ms = [20, 500, 5_000, 40_000][rng.usize(..4)];
        Temper { refuses, forgets, suspends, buries, shrinks, slow_ms }
    }
}

impl RuleDraw {
    fn draw(rng: &mut Rng, number: usize, gentle: bool) -> RuleDraw {
        let shapes = [Shape::Window, Shape::WindowFor, Shape::WindowAndRecovery, Shape::Latch, Shape::Plain];
        let low = 1 + rng.u32(..3);
        let mut rule = RuleDraw {
            number,
            shape: shapes[rng.usize(..shapes.len())],
            within_ms: rng.u32(2..40) * 1000,
            hold_ms: rng.u32(1..6) * 1000,
            resolve_after_ms: rng.u32(2..60) * 1000,
            ladder: [low, low + 1 + rng.u32(..2), low + 3 + rng.u32(..4)],
            // Of a generator of their own, so that seeds from before they were there draw what they drew.
            restraints: Restraints::draw(Rng::with_seed(rng.clone().u64(..)), number, gentle),
            edition: 0,
            removed: false,
        };
        if gentle {
            // Lines are written at whole seconds and seen within a quarter of one, so no timer comes close to them.
            rule.within_ms += 500;
            rule.hold_ms += 500;
            rule.resolve_after_ms += 400;
        }
        rule
    }

    fn text(&self) -> String {
        let RuleDraw {
            number, within_ms, hold_ms, resolve_after_ms, ladder: [info, warning, critical], ..
        } = *self;
        let mut text = format!(
            "[[rule]]\nname = \"r{number}\"\nmatch = 'k=(?<k>[a-d]); .*\\br{number}\\b'\nby = [\"k\"]\n\
             summary = \"edition {} of {{k}}: {{count}}\"\n",
            self.edition
        );
        let within = millis(within_ms);
        let ladder =
            format!("info = \">= {info}\"\nwarning = \">= {warning}\"\ncritical = \">= {critical}\"\n");
        let resolve = format!("resolve = 'k=(?<k>[a-d]); up r{number}\\b'\n");
        let quiet = format!("resolve_after = \"{}\"\n", millis(resolve_after_ms));
        match self.shape {
            Shape::Window => text += &format!("within = \"{within}\"\n{ladder}{quiet}"),
            Shape::WindowFor => {
                text += &format!("within = \"{within}\"\n{ladder}{quiet}for = \"{}\"\n", millis(hold_ms));
            }
            Shape::WindowAndRecovery => text += &format!("within = \"{within}\"\n{ladder}{quiet}{resolve}"),
            Shape::Latch => text += &format!("severity = \"critical\"\n{resolve}expire_after = \"1h\"\n"),
            Shape::Plain => text += &format!("severity = \"warning\"\n{quiet}"),
        }
        text
    }
}

fn millis(ms: u32) -> String {
    match (ms / 1000, ms % 1000) {
        (seconds, 0) => format!("{seconds}s"),
        (seconds, rest) => format!("{seconds}s{rest}ms"),
    }
}
