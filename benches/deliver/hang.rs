//! What a sink that never answers costs the others.
//!
//! Three machines in one process, each with a webhook that takes everything: one has nothing else, one has a second
//! webhook that takes everything, and one a second that reads its requests and never answers. They are told the same
//! lines in turn, one line here, then there, so that whatever else the computer does meets all three alike. What is
//! compared is the time from the line until the first webhook has said yes. The fair pair is the last two: both owe
//! every alert twice, so that both commit the same rows for it, and what differs is the silence alone. The first
//! machine shows what a second sink of any kind costs.

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::world::{RULE, World, halves_and_tails, median, webhook};

const KINDS: [&str; 3] = ["alone", "beside one that answers", "beside one that hangs"];

/// More keys than a window of lines holds, and few enough that a peer that is away meets each of them again.
const KEYS: u64 = 500;

/// Of each machine, median and 99th percentile.
type Round = [(f64, f64); 3];

struct Machine {
    world: World,
    _peers: [Peer; 2],
}

fn machines() -> [Machine; 3] {
    [None, Some("accept"), Some("hang")].map(|second| {
        let peers = [Peer::start("accept"), Peer::start(second.unwrap_or("accept"))];
        let beside = second.map(|_| webhook("second", &peers[1].url(), "")).unwrap_or_default();
        Machine { world: World::new(RULE, &(webhook("first", &peers[0].url(), "") + &beside)), _peers: peers }
    })
}

/// The `number`th line: each key is bad, then good again.
fn line(number: u64) -> String {
    format!("disk {} {}\n", number % KEYS, if (number / KEYS).is_multiple_of(2) { "bad" } else { "good" })
}

/// 1 000 lines without a pause, ten times, each with new machines: what hangs is not found out in this time.
pub(crate) fn rounds() {
    println!(
        "from the line to the acceptance in ms, 1 000 lines one after the other, three machines in turn"
    );
    let mut all: Vec<Round> = Vec::new();
    for round in 1..=10 {
        let mut machines = machines();
        let figures = run(&mut machines, 1_000, Duration::ZERO).map(halves_and_tails);
        println!(
            "  round {round:>2}: {}",
            figures.map(|(p50, p99)| format!("{p50:.3} / {p99:.3}")).join("   ")
        );
        all.push(figures);
    }
    report(&all);
}

/// 20 lines a second for each machine and so long: what hangs is given up, tried again, probed, and told of as failing.
pub(crate) fn long(seconds: u64) {
    println!(
        "from the line to the acceptance in ms, 20 lines a second for {seconds} s, three machines in turn"
    );
    let mut machines = machines();
    let times = run(&mut machines, seconds * 20, Duration::from_millis(50));
    report(&[times.map(halves_and_tails)]);
    let hung = machines[2].world.queue("second");
    println!("  what hangs is owed {} rows; {} outcomes said: later", hung.queued, hung.retried);
}

fn run(machines: &mut [Machine; 3], lines: u64, pace: Duration) -> [Vec<f64>; 3] {
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut next = Instant::now();
    for number in 0..lines {
        let line = line(number);
        // Nobody is always the first after a pause.
        for turn in 0..3 {
            let at = (turn + usize::try_from(number).unwrap_or(0)) % 3;
            let world = &mut machines[at].world;
            if !pace.is_zero() {
                world.catch_up();
            }
            times[at].push(world.tell(&line, "first"));
        }
        next += pace;
        #[expect(clippy::disallowed_methods, reason = "lines come at their pace")]
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    times
}

/// Medians over the rounds, and of what a round's figures are to each other: rounds differ by more than machines do.
fn report(rounds: &[Round]) {
    type Figure = fn((f64, f64)) -> f64;
    let figures: [(&str, Figure); 2] = [("p50", |(p50, _)| p50), ("p99", |(_, p99)| p99)];
    let over = |of: &dyn Fn(&Round) -> f64| median(&mut rounds.iter().map(of).collect::<Vec<_>>());
    for (at, kind) in KINDS.iter().enumerate() {
        let [p50, p99] = figures.map(|(_, figure)| over(&|round| figure(round[at])));
        println!("  {kind:<24} p50 {p50:>7.3}   p99 {p99:>7.3}");
    }
    for (name, figure) in figures {
        let ratio = |to: usize| over(&|round| figure(round[2]) / figure(round[to]));
        println!("  {name} of hangs / answers {:.2}, of hangs / alone {:.2}", ratio(1), ratio(0));
    }
}
