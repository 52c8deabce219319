//! tripline: a log line trips an alert.
//!
//! ```text
//! bytes ──frame──▶ lines ──scan──▶ matches ──▶ measures ──▶ alerts ──route──▶ deliveries ──▶ sinks
//!  tail             (only the lines some rule wants          one commit: offsets + windows + alerts + outbox
//! (facts, reads)     are ever decoded, joined, parsed)
//! ```
//!
//! One machine, [`daemon::core::Core`], turns: it looks at files, reads, scans, decides, commits, and lets go what
//! the commit owes. It is handed the time, a disk and a store, and asked what to send and when to turn again. The
//! daemon drives it with the real world, the simulation with a made one; `replay` drives its scanner and its engine
//! over finished files. Everything else stands around it.
//!
//! # Layers
//!
//! A room names only rooms below it; `tests/tidy.rs` holds the source text against the exact table.
//!
//! ```text
//!   cli                                           arguments, files, what is printed
//!   daemon                                        threads, sockets, signals, the clock; in it the machine
//!   playground                                    what is typed into the status page, played
//!   config   tail   sink   store   http           each knows its own business and none of the others
//!   scenario                                      what tests of rules say, and how it is played
//!   route                                         reads what the engine emits
//!   engine
//!   scan
//!   rule   settings   saved                       what is believed, what survives
//!   admin                                         what the command line asks the daemon
//!   packs                                         rule files that are part of the program
//!   model   untrusted                             the nouns; text of others
//! ```
//!
//! `admin model packs playground rule settings saved untrusted scan engine config route sink`, and of `tail` what decides (`follow`,
//! `evidence`, `lag`, `start`), are pure: no file, socket, thread, environment, randomness or clock. Time is an argument. Clippy
//! refuses the calls (`.clippy.toml` gives the reasons), and `tests/tidy.rs` the names. So the same input gives the
//! same output, one seed replays a failure, and others can embed the parts.
//!
//! # Invariants
//!
//! What always holds, whatever the code is changed to. Code that relies on one says so; the tests check them from
//! outside.
//!
//! 1. **Cuts do not matter.** The same bytes give the same matches, in whatever pieces they were read, as long as
//!    the pieces come less than `flush` apart.
//! 2. **Fast is not different.** What the scanner finds with its short cuts is what every regex over every line
//!    would find, capture for capture.
//! 3. **Sinks hear a story.** For one key, a sink is told of a beginning, then of changes, then of the end, in this
//!    order; then perhaps of the next beginning.
//! 4. **Durable first.** Nothing is sent before the commit that owes it. (One alert is exempt: the one that says
//!    that nothing can be committed.)
//! 5. **A kill changes nothing.** Wherever the process is cut off, it comes back with the same alerts and the same
//!    delivery ids, owes what it owed, and counts no line a second time.
//! 6. **Who was told of a beginning is told of the end.** Over restarts, reloads and the removal of rules and sinks.
//! 7. **Wake-ups lie ahead.** Nobody who has just been handed `now` asks to be woken at `now` or before: the loop
//!    can not spin without work.
//! 8. **Whatever grows has a bound,** and what a bound drops is counted.
//! 9. **A reload that fails changes nothing.** Rules exist only compiled, so what could fail has been done before
//!    anything is touched.
//! 10. **A resolve that is owed is sent.** Folding, staleness and full queues may drop a beginning together with
//!     its end, never the end alone.
//!
//! # Deliberately absent
//!
//! On-call schedules, escalation and the grouping of alerts from many machines: that is what the peers behind the
//! sinks do. Shipping, storing and searching logs. Scripts in rules, and any logic in texts: a rule computes one
//! number per key and compares it. An order between rules. An `unsafe` of our own, but for one file of vector
//! instructions in `scan`. A plug-in interface: a new peer
//! is a file in [`sink`]. A cluster: triplines do not know of each other.

// The rooms, in reading order.

// The nouns that all rooms share: time, names, severity, keys, transitions, deliveries.
pub mod model;

// A rule once it is believed: patterns, window, ladder, texts. A ruleset exists only compiled.
pub mod rule;

// What `tripline.toml` says besides rules, once it is believed.
pub mod settings;

// What survives a crash, as rows.
pub mod saved;

// Text → settings, ruleset and every problem at once, with the place in the text.
pub mod config;

// Files: which there are, what happened to them, and their bytes, each line once.
pub mod tail;

// Bytes → matches: lines, prefilter, regexes, captures, stamps.
pub mod scan;

// Matches and time → transitions: windows, levels, alerts, keys. Of other rules: matches → what is said of changes.
pub mod engine;

// Transitions and changes → what each sink is owed.
pub mod route;

// Tests of rules, played on a clock that is only a number.
pub mod scenario;

// Rules and lines that somebody typed into the status page, played.
pub mod playground;

// The one database: everything that must survive, in one transaction.
pub mod store;

// Where deliveries go: one file per peer over one queue that keeps order, retries and limits.
pub mod sink;

// The machine, and the world it runs in.
pub mod daemon;

// What the command line asks a running tripline, and what it is answered.
pub mod admin;

// Health, readiness and metrics for whoever asks.
pub mod http;

// The rule packs that are part of the program.
pub mod packs;

// The command line: one file per subcommand.
pub mod cli;

// Text that others wrote, shown so that it can do no harm.
pub mod untrusted;
