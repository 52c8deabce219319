//! What the admin port stands, what it costs, and what a sidecar is: `cargo bench --bench admin -- slow`, `many` or
//! `sidecar [BINARY]`; without a word, all.
//!
//! The program runs as it does at its users, with its state on disk. Runs that are compared alternate, so that a disturbed
//! minute hurts both.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "figures of the real world, for people")]

#[allow(dead_code, reason = "shared with the tests, which do more with it")]
#[path = "../../tests/support/browser.rs"]
mod browser;
mod many;
#[path = "../quantile.rs"]
mod quantile;
mod sandbox;
mod sidecar;
mod slow;
#[path = "../containers/watch.rs"]
mod watch;

use std::time::Duration;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match args.first().map(String::as_str) {
        Some("slow") => slow::print(),
        Some("many") => many::print(),
        Some("sidecar") => sidecar::print(args.get(1).map(String::as_str)),
        Some(other) => panic!("there is no part `{other}`: slow, many, sidecar"),
        None => {
            sidecar::print(None);
            slow::print();
            many::print();
        }
    }
}

fn rest(span: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a pace is what is wanted")]
    std::thread::sleep(span);
}
