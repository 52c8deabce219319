//! Keys of `tripline.toml`, but for those of sinks.

use std::time::Duration;

use super::scenario::ENVELOPES;
use super::{A_MOMENT, A_SECOND, ANY_COUNT, ANY_TIME, Key, Kind, key};

/// More threads than any machine's disks can feed.
const MOST_THREADS: usize = 256;

/// Top level of `tripline.toml`.
pub const MAIN: &[Key] = &[
    key("rules", Kind::Globs, "[\"rules/*.toml\"]", "Globs of rule files, relative to this file."),
    key("state_dir", Kind::Text, "\"/var/lib/tripline\"", "The directory that keeps the state."),
    key(
        "scope",
        Kind::Text,
        "found from the environment",
        "The observer's name; part of every key, label `instance`.",
    ),
    key(
        "on_stop",
        Kind::Choice(&["keep", "resolve"]),
        "\"keep\"; \"resolve\" in a sidecar without durable state",
        "What happens to open alerts at a clean stop.",
    ),
    key("stop_budget", ANY_TIME, "\"25s\"", "Time a stop may take, for reading to the end and delivering."),
    key(
        "threads",
        Kind::Count(1, MOST_THREADS),
        "as many as there are cores",
        "Files that are scanned at the same time when there is much to read.",
    ),
    key("labels", Kind::Labels, "{}", "Labels of every alert."),
    key(
        "redact",
        Kind::Patterns,
        "[]",
        "What is taken out of every line that a rule takes, besides the defaults.",
    ),
    key("redact_defaults", Kind::Switch, "true", "`false`: the default patterns of `redact` do not hold."),
    key("admin", Kind::Table, "", "The admin port: health, readiness and metrics."),
    key("heartbeat", Kind::Table, "", "A regular sign of life to one sink."),
    key("source", Kind::Tables, "", "Where lines come from."),
    key("sink", Kind::Tables, "one of type \"stdout\"", "Where transitions go."),
];

/// Keys of [`MAIN`] that a later version will have.
pub const MAIN_LATER: &[&str] = &["limits", "defaults", "silence"];

/// `[admin]`.
pub const ADMIN: &[Key] = &[
    key("listen", Kind::Text, "\"127.0.0.1:7437\"", "Address and port to listen on; \"off\" for none."),
    key(
        "token_file",
        Kind::Text,
        "none",
        "The file with the token that changes need, and that reading needs from elsewhere: 22 characters or more.",
    ),
    key(
        "hosts",
        Kind::Texts,
        "[]",
        "Host names by which it may be asked, besides loopback names and the address itself.",
    ),
];

/// `[heartbeat]`.
pub const HEARTBEAT: &[Key] = &[
    key("sink", Kind::Name, "", "Name of the sink that gets the beats."),
    key("every", A_SECOND, "\"1m\"", "How often."),
];

/// `[[source]]`.
pub const SOURCE: &[Key] = &[
    key("name", Kind::Name, "", "What rules call it."),
    key(
        "files",
        Kind::Globs,
        "",
        "Globs of the files to follow, relative to this file; or say `fifo` or `journal`.",
    ),
    key("fifo", Kind::Text, "", "Instead of `files`: the path of a FIFO to read from."),
    key("journal", Kind::Table, "", "Instead of `files`: what to read of the journal of systemd."),
    key(
        "exclude",
        Kind::Globs,
        "[]",
        "Globs of files to leave out; one without `/` is held against the name alone.",
    ),
    key(
        "follow_symlinks",
        Kind::Switch,
        "false",
        "`true`: symbolic links that a wildcard finds are followed; those that `files` names are in any case.",
    ),
    key("start", Kind::Start, "\"end\"", "Where a file that is there at first sight is begun."),
    key("tz", Kind::Text, "\"local\"", "Zone of stamps that name none: \"local\", \"UTC\" or an IANA name."),
    key("max_age", A_SECOND, "\"15m\"", "How far a stamp may lie before the arrival of its line."),
    key("flush", A_MOMENT, "\"5s\"", "Quiet after which an unterminated last line is matched as it is."),
    key("max_line", Kind::Size(1024, 1024 * 1024), "\"64KiB\"", "Bytes of a line that are matched."),
    key(
        "encoding",
        Kind::Choice(&["auto", "utf-8", "utf-16le", "utf-16be"]),
        "\"auto\"",
        "How its files are written: \"auto\" goes by the mark that a file begins with, else it is UTF-8.",
    ),
    key(
        "envelope",
        Kind::Choice(ENVELOPES),
        "\"auto\" for files of containers, else \"none\"",
        "What a container runtime writes around each line; rules see what is in it.",
    ),
    key(
        "format",
        Kind::Choice(&["plain", "json", "logfmt"]),
        "\"plain\"",
        "What lines are made of: those of \"json\" and \"logfmt\" have fields.",
    ),
    key(
        "repeats",
        Kind::Switch,
        "false",
        "`true`: a line of syslog such as `sshd[7]: message repeated 5 times: [ X ]` counts as five with `sshd[7]: X`.",
    ),
    key("multiline", Kind::Multiline, "each line by itself", "How lines are joined to records."),
    key("labels", Kind::Labels, "{}", "Labels of alerts of rules that see only sources with the same value."),
    key("redact", Kind::Patterns, "[]", "What is taken out of its lines before anything of them is kept."),
    key(
        "blind_after",
        Kind::DurationOrNever(Duration::from_secs(1)),
        "\"10m\"",
        "After this long without a file, or with one that can not be read, `tripline_source_blind` is raised.",
    ),
    key(
        "lagging_after",
        Kind::DurationOrNever(Duration::from_secs(1)),
        "\"10m\"",
        "When bytes are unread for this long while more come, `tripline_lagging` is raised.",
    ),
    key("tell_lost", Kind::Switch, "true", "`false`: `tripline_lost_bytes` is not raised."),
];

/// Keys of [`SOURCE`] that a later version will have.
pub const SOURCE_LATER: &[&str] = &["time", "syslog"];

/// `journal` of a source.
pub const JOURNAL: &[Key] = &[
    key("units", Kind::Texts, "all", "Units to read, as `ssh.service`."),
    key("identifiers", Kind::Texts, "all", "Names that programs call themselves by, as `sudo`."),
    key(
        "program",
        Kind::Text,
        "\"journalctl\"",
        "What reads it: a path, or a name that the environment finds.",
    ),
];

/// `multiline` as a table. One of the first three has to be there.
pub const MULTILINE: &[Key] = &[
    key("start", Kind::Pattern, "", "A line that fits begins a record."),
    key(
        "continue",
        Kind::Pattern,
        "",
        "A line that fits goes on with the record before it; others begin one.",
    ),
    key("end", Kind::Pattern, "", "A line that fits is the last of its record."),
    key("max_lines", ANY_COUNT, "500", "Lines of a record; what follows begins another one."),
    key(
        "max_bytes",
        Kind::Size(1024, 1024 * 1024),
        "\"64KiB\", or `max_line`",
        "Bytes of a record, line ends included; what follows begins another one.",
    ),
    key("flush", A_MOMENT, "\"2s\"", "Quiet after which the last record of a file is matched as it is."),
];
