//! Logs of containers: a node of Kubernetes with three pods, and what envelopes cost.
//!
//! `cargo bench --bench containers -- pods 60` writes for so many seconds what a runtime writes, rotates as a kubelet does,
//! lets containers and pods come and go, and compares what rules have counted with what was written, line by line.
//! `-- pods 60 node` does so in `/var/log/pods` and `/var/log/containers`, if there are none.
//! `-- speed` runs a log in envelopes and the same lines without through the whole program, by turns.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

#[path = "../corpus/mod.rs"]
mod corpus;
mod node;
mod speed;
mod watch;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let number = |otherwise| args.get(1).and_then(|arg| arg.parse().ok()).unwrap_or(otherwise);
    match args.first().map(String::as_str) {
        Some("pods") => node::run(number(60), args.get(2).is_some_and(|arg| arg == "node")),
        Some("speed") => speed::run(number(256) as usize),
        Some(other) => panic!("there is no part `{other}`: pods, speed"),
        None => {
            node::run(60, false);
            speed::run(256);
        }
    }
}
