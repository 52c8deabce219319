//! What peers that want to hurt us cost: memory, and the time of a sink beside them.
//!
//! One machine has a webhook that takes everything and a sink for each hostile peer; it is told of 20 alerts a second
//! for the one, and of one every two seconds for the others. A second machine in the same process has as many sinks
//! that take everything, and is told the same lines in turn. The floods use the processors that both share, so that
//! what is compared is not what a flood costs the computer, but what it costs the loop that decides. The figure that
//! counts is the resident memory, which has to stay what it is.

use std::time::{Duration, Instant};

use crate::hostile_peer::KINDS;
use crate::peer::Peer;
use crate::world::{RULE, World, cpu, halves_and_tails, resident, webhook};

/// Time between two lines that are measured.
const TICK: Duration = Duration::from_millis(50);

pub(crate) fn run(seconds: u64) {
    println!("{} hostile peers for {seconds} s: memory, and the time of a sink beside them", KINDS.len());
    let good: Vec<Peer> = [(); 2].map(|()| Peer::start("accept")).into();
    let mut bad: Vec<Peer> = KINDS.iter().map(|kind| Peer::start(kind)).collect();
    let tame = Peer::start("accept");
    let names: Vec<String> = (1..=KINDS.len()).map(|number| format!("bad-{number}")).collect();
    let of = |sink: &str, rule: &str, names: &[String]| {
        let rule = rule.replace("disk", sink);
        format!("{rule}sinks = {names:?}\n")
    };
    let rules = of("disk", RULE, &["good".to_owned()]) + &of("fan", RULE, &names);
    let sinks = |good: &Peer, url: &dyn Fn(usize) -> String| {
        let bad = names.iter().enumerate().map(|(at, name)| {
            let url = url(at);
            let (url, more) = match url.split_once(' ') {
                Some((url, file)) => (url, format!("ca_file = '{file}'\nca_only = true\ntimeout = '3s'")),
                None => (url.as_str(), "timeout = '3s'".to_owned()),
            };
            webhook(name, url, &more)
        });
        webhook("good", &good.url(), "") + &bad.collect::<String>()
    };
    let mut worlds = [
        World::new(&rules, &sinks(&good[0], &|_| tame.url())),
        World::new(&rules, &sinks(&good[1], &|at| bad[at].url())),
    ];
    let mut times: [Vec<f64>; 2] = Default::default();
    let begin = Instant::now();
    let mut shown = 0;
    for number in 0.. {
        let now = begin.elapsed();
        if number % 600 == 0 || number == 100 || now.as_secs() >= seconds {
            let rows: usize = worlds[1].queues().map(|status| status.queued).sum();
            println!(
                "  {:>4} s  {:>6} KiB resident  {rows:>4} rows owed  {:>6.1} s of CPU",
                now.as_secs(),
                resident(),
                cpu()
            );
            shown += 1;
        }
        if now.as_secs() >= seconds {
            break;
        }
        let state = |number: u64| if (number / 500).is_multiple_of(2) { "bad" } else { "good" };
        let line = format!("disk {} {}\n", number % 500, state(number));
        for turn in 0..2 {
            let at = (turn + usize::try_from(number).unwrap_or(0)) % 2;
            worlds[at].catch_up();
            times[at].push(worlds[at].tell(&line, "good"));
        }
        #[expect(clippy::disallowed_methods, reason = "lines come at their pace")]
        let sleep_until = |at: Duration| std::thread::sleep(at.saturating_sub(begin.elapsed()));
        let next = TICK * u32::try_from(number + 1).unwrap_or(u32::MAX);
        if number % 40 == 0 {
            // Not at the moment of a line that is measured: it would meet the first flood of each of them.
            sleep_until(next.saturating_sub(TICK / 2));
            let line = format!("fan {} {}\n", number / 40 % 100, state(number / 40 * 5));
            worlds.iter_mut().for_each(|world| world.read(&line));
            worlds.iter_mut().for_each(World::catch_up);
        }
        sleep_until(next);
    }
    assert!(shown > 1, "the memory was looked at");
    for (name, times) in ["beside tame ones", "beside hostile ones"].iter().zip(times) {
        let (p50, p99) = halves_and_tails(times);
        println!("  {name:<20} p50 {p50:>7.3} ms   p99 {p99:>7.3} ms");
    }
    for ((kind, peer), name) in KINDS.iter().zip(&mut bad).zip(&names) {
        let status = worlds[1].queue(name);
        println!(
            "  {kind:<20} {:>6} requests  {:>5} accepted  {:>6} put off  {:>4} owed",
            peer.requests(),
            status.accepted,
            status.retried,
            status.queued
        );
    }
}
