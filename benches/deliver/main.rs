//! How fast deliveries leave, what a sink that hangs or is hostile costs, and what one that is down costs in memory.
//!
//! `cargo bench --bench deliver` prints all but what takes minutes; `-- drain`, `-- hang` or `-- memory` one part.
//! `-- long 600` and `-- hostile 600` run for so many seconds. Peers are processes of their own on the loopback, so that
//! what is counted as CPU and memory is ours alone; state is kept on disk, with every commit that a daemon would make.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

mod hang;
mod hostile;
mod hostile_peer;
mod peer;
mod sample;
mod world;

use std::time::{Duration, Instant};

use tripline::model::{
    Content, Delivery, DeliveryKind, Episode, FileId, Position, Status, Timestamp, Transition,
};
use tripline::sink;
use tripline::sink::attempt::Outcome;
use tripline::sink::queue::Queue;
use world::{RULE, World, webhook};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let seconds = || args.get(1).and_then(|arg| arg.parse().ok()).unwrap_or(600);
    match args.first().map(String::as_str) {
        Some("serve") => peer::serve(args.get(1).map_or("accept", String::as_str)),
        Some("drain") => drain(),
        Some("hang") => hang::rounds(),
        Some("memory") => memory(),
        Some("long") => hang::long(seconds()),
        Some("hostile") => hostile::run(seconds()),
        Some(other) => panic!("there is no part `{other}`: drain, hang, memory, long, hostile"),
        None => {
            drain();
            hang::rounds();
            memory();
        }
    }
}

/// Everything that is owed to one webhook leaves as fast as it can.
fn drain() {
    println!("20 000 deliveries that are owed, to a webhook on the loopback, three times");
    for (name, batch) in [("batches of 100", "batch = { count = 100, time = '0s' }"), ("one by one", "")] {
        for _ in 0..3 {
            let mut peer = peer::Peer::start("accept");
            let mut world = World::new(RULE, &webhook("w", &peer.url(), batch));
            world.read(&(0..20_000).map(|number| format!("disk {number} bad\n")).collect::<String>());
            world.hold_until_owed(20_000);
            let (begin, cpu) = (Instant::now(), world::cpu());
            world.deliver_until(|world| world.owed() == 0);
            let (took, cpu) = (begin.elapsed().as_secs_f64(), world::cpu() - cpu);
            let rate = 20_000.0 / took;
            println!(
                "  {name:<15} {took:>6.2} s  {rate:>8.0} deliveries/s  {:>8.0} per CPU second  {} requests",
                20_000.0 / cpu,
                peer.requests()
            );
        }
    }
}

/// What 100 000 transitions over 1 000 keys leave behind while nobody takes them.
fn memory() {
    println!("transitions of 1 000 keys while the sink is down: rows owed, resident memory");
    let text = "[[sink]]\nname = 's'\ntype = 'flashduty'\nintegration_key = 'k'\n";
    let settings = sample::settings(text).sinks.remove(0);
    let mut queue = Queue::new(settings.name.clone(), sink::limits(&settings), 1, Vec::new());
    let mut changes = Vec::new();
    let mut now = Timestamp(1_700_000_000_000_000);
    for number in 0..100_000_u64 {
        let (key, turn) = (number % 1_000, number / 1_000);
        let (kind, transition) = turn_of(key, turn, now);
        let content = Content::Alert(kind, transition);
        queue.push(
            Delivery { seq: number + 1, sink: settings.name.clone(), content, attempted: false },
            &mut changes,
        );
        now = now.plus(Duration::from_millis(100));
        for attempt in queue.plan(now, &mut changes) {
            let retry = Outcome::Retry { after: None, why: "down".to_owned() };
            queue.handle(attempt.id, vec![retry; attempt.deliveries.len()], now, &mut changes);
        }
        changes.clear();
        if [1_000, 3_000, 10_000, 30_000, 100_000].contains(&(number + 1)) {
            println!(
                "  {:>7} transitions  {:>6} rows  {:>6} KiB",
                number + 1,
                queue.status().queued,
                world::resident()
            );
        }
    }
}

/// The `turn`th turn of an alert: raised, worse, over, and again.
fn turn_of(key: u64, turn: u64, now: Timestamp) -> (DeliveryKind, Transition) {
    let (kind, status, previous) = match turn % 3 {
        0 => (DeliveryKind::Raise, Status::Warning, Status::Ok),
        1 => (DeliveryKind::Change, Status::Critical, Status::Warning),
        _ => (DeliveryKind::Resolve, Status::Ok, Status::Critical),
    };
    let episode = Episode(Position { file: FileId(1), offset: key + turn / 3 * 1_000_000 });
    let step = u32::try_from(turn % 3).unwrap_or(0);
    (kind, Transition { time: now, since: now, status, previous, episode, step, ..sample::transition(key) })
}
