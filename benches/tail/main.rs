//! What following files costs, how soon a line is known, and whether all are: `cargo bench --bench tail -- latency`, `writer`,
//! `idle`, `memory` or `rotation`; without a word, all of them.
//!
//! The program runs as it does at its users, beside whoever writes. Runs that are compared alternate, so that a disturbed
//! minute hurts both. A part that can not be measured here says why and is left out.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

mod idle;
mod latency;
mod memory;
mod program;
#[path = "../quantile.rs"]
mod quantile;
mod rotation;
#[path = "../containers/watch.rs"]
mod watch;
mod writer;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.first().map(String::as_str) {
        Some("write") => writer::write(&args[1..]),
        Some("latency") => latency::print(),
        Some("writer") => writer::print(),
        Some("idle") => idle::print(),
        Some("memory") => memory::print(),
        Some("rotation") => rotation::run(&args[1..]),
        Some(other) => panic!("there is no part `{other}`: latency, writer, idle, memory, rotation"),
        None => {
            latency::print();
            writer::print();
            idle::print();
            memory::print();
            rotation::run(&[]);
        }
    }
}
