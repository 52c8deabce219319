//! How fast deliveries leave, what a sink that hangs costs the others, and what one that is down costs in memory.
//!
//! `cargo bench --bench deliver` prints all of it; `-- render`, `-- drain`, `-- hang` or `-- memory` one part. The peer
//! is a process of its own on the loopback, so that what is counted as CPU is ours alone; state is kept on disk, with
//! every commit that a daemon would make.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

mod peer;
mod world;

use std::time::{Duration, Instant};

use tripline::model::{Content, Delivery, DeliveryKind, Timestamp};
use tripline::sink::attempt::{Attempt, Change, Outcome, Purpose};
use tripline::sink::queue::Queue;
use tripline::sink::{self, Secrets, Unit};
use world::{World, median, sinks, transition};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if args.first().is_some_and(|arg| arg == "serve") {
        return peer::serve();
    }
    let wanted = |part: &str| args.is_empty() || args.iter().any(|arg| arg == part);
    if wanted("render") {
        render();
    }
    if wanted("drain") {
        drain();
    }
    if wanted("hang") {
        hang();
    }
    if wanted("memory") {
        memory();
    }
}

/// One delivery of each kind of sink: put into the queue, planned, rendered, signed, accepted and taken out.
fn render() {
    println!("rendering, signing and queueing one delivery, median of 9 x 2 000");
    let url = "http://127.0.0.1:1/";
    for (name, settings) in world::SINKS {
        let settings = sinks(&settings.replace("URL", url)).remove(0);
        let known = settings.secrets.iter().map(|(name, _)| (*name, world::SECRET.into())).collect();
        let secrets = Secrets::new(known);
        let mut queue = Queue::new(settings.name.clone(), unbounded(sink::limits(&settings)), 1, Vec::new());
        let mut seq = 0;
        let mut bytes = 0;
        let mut times = Vec::new();
        for _ in 0..9 {
            let begin = Instant::now();
            for _ in 0..2_000 {
                seq += 1;
                let now = Timestamp(i64::try_from(seq).unwrap_or(0) * 1_000_000);
                let content = Content::Alert(DeliveryKind::Raise, transition(seq));
                let delivery = Delivery { seq, sink: settings.name.clone(), content, attempted: false };
                let mut changes: Vec<Change> = Vec::new();
                queue.push(delivery, &mut changes);
                for Attempt { id, deliveries, .. } in
                    queue.plan(now.plus(Duration::from_secs(3600)), &mut changes)
                {
                    let unit = Unit {
                        rows: &deliveries,
                        secrets: &secrets,
                        shrink: false,
                        now,
                        purpose: Purpose::Owed,
                    };
                    bytes += sink::request(&settings.peer, unit).map_or(0, |request| request.body.len());
                    let outcomes = vec![Outcome::Accepted { note: String::new() }; deliveries.len()];
                    queue.handle(id, outcomes, now, &mut changes);
                    queue.committed();
                }
            }
            times.push(begin.elapsed().as_secs_f64() / 2_000.0);
        }
        println!("  {name:<14} {:>8.1} us  {:>5} bytes", median(&mut times) * 1e6, bytes / 18_000);
    }
}

/// No budget, and nothing that waits for company.
fn unbounded(limits: sink::attempt::Limits) -> sink::attempt::Limits {
    sink::attempt::Limits { budgets: Vec::new(), linger: Duration::ZERO, resend: None, ..limits }
}

/// Everything that is owed to one webhook leaves as fast as it can.
fn drain() {
    println!("20 000 deliveries that are owed, to a webhook on the loopback, three times");
    for (name, batch) in [("batches of 100", "batch = { count = 100, time = \"0s\" }\n"), ("one by one", "")]
    {
        for _ in 0..3 {
            let peer = peer::Peer::start("accept");
            let sink = format!(
                "[[sink]]\nname = 'w'\ntype = 'webhook'\nurl = '{}'\nrate = 'unlimited'\n{batch}",
                peer.url()
            );
            let mut world = World::new(&sink);
            world.raise(0..20_000);
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

/// A sink beside one that never answers, and the same without it, in turn.
fn hang() {
    println!(
        "from the line to the acceptance, 1 000 alerts one after the other, with a sink that hangs beside and without"
    );
    let mut figures: [Vec<(f64, f64)>; 2] = Default::default();
    for round in 0..10 {
        let beside = round % 2 == 1;
        let (good, bad) = (peer::Peer::start("accept"), peer::Peer::start("hang"));
        let webhook = |name: &str, url: &str| {
            format!("[[sink]]\nname = '{name}'\ntype = 'webhook'\nurl = '{url}'\nrate = 'unlimited'\n")
        };
        let mut sinks = webhook("good", &good.url());
        if beside {
            sinks += &webhook("bad", &bad.url());
        }
        let mut world = World::new(&sinks);
        let mut times = Vec::new();
        for number in 0..1_000 {
            let begin = Instant::now();
            world.raise(number..number + 1);
            world.deliver_until(|world| world.accepted("good") > number);
            times.push(begin.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        figures[usize::from(beside)].push((times[500], times[990]));
    }
    for (name, figures) in [("without", &figures[0]), ("beside", &figures[1])] {
        let mut halves: Vec<f64> = figures.iter().map(|(p50, _)| *p50).collect();
        let mut tails: Vec<f64> = figures.iter().map(|(_, p99)| *p99).collect();
        println!(
            "  {name:<8} p50 {:>7.3} ms   p99 {:>7.3} ms",
            median(&mut halves) * 1e3,
            median(&mut tails) * 1e3
        );
    }
}

/// What 100 000 transitions over 1 000 keys leave behind while nobody takes them.
fn memory() {
    println!("transitions of 1 000 keys while the sink is down: rows owed, resident memory");
    let settings = sinks("[[sink]]\nname = 's'\ntype = 'flashduty'\nintegration_key = 'k'\n").remove(0);
    let mut queue = Queue::new(settings.name.clone(), sink::limits(&settings), 1, Vec::new());
    let mut changes = Vec::new();
    let mut now = Timestamp(1_700_000_000_000_000);
    for number in 0..100_000_u64 {
        let (key, turn) = (number % 1_000, number / 1_000);
        let (kind, transition) = world::turn(key, turn, now);
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
