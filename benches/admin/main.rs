//! What the admin port stands, and what it costs: `cargo bench --bench admin -- slow` or `many`; without a word, both.
//!
//! The program runs as it does at its users, with its state on disk. Runs that are compared alternate, so that a disturbed
//! minute hurts both.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

mod many;
#[path = "../quantile.rs"]
mod quantile;
mod slow;
#[path = "../containers/watch.rs"]
mod watch;

use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.first().map(String::as_str) {
        Some("slow") => slow::print(),
        Some("many") => many::print(),
        Some(other) => panic!("there is no part `{other}`: slow, many"),
        None => {
            slow::print();
            many::print();
        }
    }
}

fn rest(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a pace is what is wanted")]
    std::thread::sleep(span);
}
