//! Keys of tests of rules.

use super::{ANY_COUNT, ANY_TIME, Key, Kind, key};
use crate::model::Reason;

/// What lines may be made of.
pub const FORMATS: &[&str] = &["plain", "json", "logfmt"];

/// What may stand around lines.
pub const ENVELOPES: &[&str] = &["auto", "none", "cri", "docker"];

/// Top level of a test file.
pub const TEST_FILE: &[Key] = &[
    key("rules", Kind::Globs, "", "Globs of the rule files that are tested, relative to this file."),
    key("start", Kind::Any, "2026-01-05T10:00:00Z", "When tests begin, a Monday unless said."),
    key("tz", Kind::Text, "\"UTC\"", "Zone of stamps that name none, and of schedules that name none."),
    key("host", Kind::Text, "\"h1\"", "The observer's scope."),
    key(
        "format",
        Kind::Formats,
        "\"plain\"",
        "What the lines of all sources are, or of each, as `format` of a source says it.",
    ),
    key(
        "multiline",
        Kind::Multiline,
        "each line by itself",
        "How lines are joined to records, as `multiline` of a source says it.",
    ),
    key(
        "envelope",
        Kind::Choice(ENVELOPES),
        "\"none\"",
        "What a container runtime has written around lines, as `envelope` of a source says it.",
    ),
    key("line", Kind::Tables, "", "A line and the rule that takes it."),
    key("test", Kind::Tables, "", "What happens and what comes of it."),
];

/// `[[line]]`.
pub const LINE_TEST: &[Key] = &[
    key("source", Kind::Name, "", "The source it comes from."),
    key("text", Kind::Text, "", "The line, or the lines of a record between line ends."),
    key(
        "log",
        Kind::Text,
        "",
        "Instead of `text`: a sample whose lines say above them what takes them. What begins with `#` stands behind `#|`.",
    ),
    key("rule", Kind::Any, "", "The rule that takes it, a list of all that do, or `false`."),
    key("captures", Kind::Any, "{}", "What it captures, after `set`; others may be anything."),
    key("format", Kind::Choice(FORMATS), "that of the file", "What the line is made of."),
    key("multiline", Kind::Multiline, "that of the file", "How lines are joined to records."),
    key(
        "envelope",
        Kind::Choice(ENVELOPES),
        "that of the file",
        "What a container runtime has written around it.",
    ),
    key("file", Kind::Text, "`/var/log/SOURCE.log`", "Path of the file in which it stands."),
];

/// `[[test]]`.
pub const TEST: &[Key] = &[
    key("name", Kind::Text, "", "What it shows, in a sentence."),
    key("source", Kind::Name, "", "Where lines of `feed` come from that do not say otherwise."),
    key("feed", Kind::Tables, "[]", "What happens."),
    key("sent", Kind::Any, "not asked", "Everything that is told while the test lasts, in order."),
    key("open", Kind::Tables, "[]", "What is open at some moments: all of it."),
    key(
        "until",
        ANY_TIME,
        "the last time that it speaks of",
        "How long it lasts; what happens later is not asked.",
    ),
    key(
        "stamps",
        Kind::Choice(&["feed", "log"]),
        "\"feed\"",
        "\"log\": stamps in the lines count; else a line is of the moment at which it comes.",
    ),
    key("start", Kind::Any, "that of the file", "When it begins."),
    key("tz", Kind::Text, "that of the file", "Zone of stamps that name none."),
    key("host", Kind::Text, "that of the file", "The observer's scope."),
    key("format", Kind::Formats, "that of the file", "What the lines of all its sources are, or of each."),
    key(
        "multiline",
        Kind::Multiline,
        "that of the file",
        "How the lines of all its sources are joined to records.",
    ),
    key(
        "envelope",
        Kind::Choice(ENVELOPES),
        "that of the file",
        "What a container runtime has written around lines.",
    ),
    key("file", Kind::Text, "`/var/log/SOURCE.log`", "Path of the file in which lines stand."),
];

/// One of `feed`.
pub const FEED: &[Key] = &[
    key("at", ANY_TIME, "\"0s\"", "When, counted from the start."),
    key("every", ANY_TIME, "\"0s\"", "Between two times."),
    key("times", ANY_COUNT, "1", "How often."),
    key("source", Kind::Name, "that of the test", "Where the lines come from; of `do`: whose file."),
    key("text", Kind::Text, "", "A line, or several between line ends."),
    key(
        "log",
        Kind::Text,
        "",
        "Instead of `text`: a file of lines, each at its own time with `stamps = \"log\"`. What begins with `#` stands behind `#|`.",
    ),
    key(
        "do",
        Kind::Choice(&["restart", "reload", "rotate", "truncate", "blind", "seeing"]),
        "",
        "Instead of lines: what happens to the program or the file.",
    ),
    key("down", ANY_TIME, "\"0s\"", "Of `restart`: how long nothing is read."),
    key("rules", Kind::Globs, "the same again", "Of `reload`: the rule files that are in force then."),
];

/// One of `open`.
pub const OPEN_AT: &[Key] = &[
    key("at", ANY_TIME, "", "When, counted from the start, after what happens at that moment."),
    key("alerts", Kind::Any, "", "All that are open then, in any order."),
];

/// The words of [`Reason`].
const REASONS: [&str; Reason::ALL.len()] = {
    let mut words = [""; Reason::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Reason::ALL[at].as_str();
        at += 1;
    }
    words
};

/// One of `sent` or `alerts`: what is said is compared.
pub const EXPECTED: &[Key] = &[
    key("at", ANY_TIME, "", "Of `sent`: when it leaves, counted from the start."),
    key("rule", Kind::RuleName, "anything", "The rule."),
    key("by", Kind::Any, "anything", "Names and values of `by`, all of them."),
    key("change_key", Kind::Text, "anything", "Of a change: which."),
    key(
        "status",
        Kind::Choice(&[
            "ok",
            "info",
            "warning",
            "critical",
            "Planned",
            "Ready",
            "Processing",
            "Done",
            "Canceled",
        ]),
        "anything",
        "What it shows, or how far a change has come.",
    ),
    key("count", Kind::Any, "anything", "Matches inside the window."),
    key("value", Kind::Any, "anything", "The measure: a number, or a text such as \"3.2%\"."),
    key("reason", Kind::Choice(&REASONS), "anything", "Why, in the words of the JSON form."),
    key("summary", Kind::Text, "anything", "The summary, rendered."),
    key("description", Kind::Text, "anything", "The description, rendered."),
    key("labels", Kind::Any, "anything", "Labels that it has, perhaps among others."),
];
