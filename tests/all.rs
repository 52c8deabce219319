//! One integration binary: the program from outside, the simulation, the pages, and the source text itself.

/// The ways in which files have bitten tailers: the table on the page, and that each has its tests.
mod cases;
/// Every kind of problem: a wrong text, what is said of it, and the table in the docs.
mod diagnostics;
/// The pages: tables made from the code, examples run through it.
mod docs;
/// Patterns made to be slow or large.
mod evil;
/// The built program, run as a user would run it.
mod program;
/// Real logs, where they are at hand.
mod real;
/// The JSON Schema of both kinds of files, and what fits it.
mod schema;
/// The machine in a made world: disk, clock, network and writers from one seed.
mod simulation;
/// What all of them stand on.
mod support;
/// The source text: layers, dead files, leftovers.
mod tidy;
