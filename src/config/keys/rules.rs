//! Keys of rule files: rules, and what stands beside them.

use std::time::Duration;

use super::{A_MOMENT, A_SECOND, ANY_COUNT, ANY_TIME, Key, Kind, key};

/// Top level of a rule file.
pub const RULE_FILE: &[Key] = &[
    key(
        "pack",
        Kind::Table,
        "",
        "What the rules are about and where their logs usually are, for `tripline packs` and `tripline init`.",
    ),
    key("defaults", Kind::Table, "", "What holds for every rule of this file that does not say otherwise."),
    key("patterns", Kind::PatternTable, "{}", "Own named patterns, for `%{name}` in the rules of this file."),
    key(
        "lookup",
        Kind::Lookups,
        "{}",
        "Tables to look up captures in: `[lookup.hosts]` and then a string for each, or a CSV file.",
    ),
    key("rule", Kind::Tables, "", "One rule."),
    key("line", Kind::Tables, "", "A line and the rule that takes it, for `tripline test`."),
    key("test", Kind::Tables, "", "What happens and what comes of it, for `tripline test`."),
];

/// `[pack]`.
pub const PACK: &[Key] = &[
    key("about", Kind::Text, "", "One line: what it tells of."),
    key("source", Kind::Any, "{}", "A table for each source that its rules name, as `[pack.source.auth]`."),
];

/// `[pack.source.NAME]`.
pub const PACK_SOURCE: &[Key] = &[
    key("about", Kind::Text, "", "One line: what is written there."),
    key(
        "files",
        Kind::Globs,
        "[]",
        "Where distributions put it: absolute globs, all that exist are followed.",
    ),
    key("journal", Kind::Table, "none", "What of the journal of systemd it is, where there is no such file."),
    key("format", Kind::Choice(&["plain", "json", "logfmt"]), "\"plain\"", "As `format` of a source."),
    key("multiline", Kind::Multiline, "each line by itself", "As `multiline` of a source."),
    key("repeats", Kind::Switch, "false", "As `repeats` of a source."),
];

/// `[[rule]]`: keys that [`DEFAULTS`] cannot give.
pub const RULE_OWN: &[Key] = &[
    key("name", Kind::RuleName, "", "The rule's identity; another name makes another rule."),
    key(
        "kind",
        Kind::Choice(&["alert", "change"]),
        "\"alert\"",
        "Whether matches raise alerts or say how far changes have come.",
    ),
    key("match", Kind::Patterns, "", "A line that fits any of them is a match."),
    key("match_all", Kind::Patterns, "none", "A line that fits all of them is a match too."),
    key("resolve", Kind::Patterns, "none", "A line that fits any of them ends the alert of its key."),
    key(
        "set",
        Kind::Rewritings,
        "{}",
        "What becomes of captures, or new ones that are made of them, before anything looks at them.",
    ),
    key("measure", Kind::Measure, "\"count\"", "The number that is compared, from the matches of a key."),
    key(
        "expect",
        Kind::Expected,
        "none",
        "Keys that are missed though they were never seen: for each name of `by` its values.",
    ),
    key(
        "deadline",
        Kind::Deadlines,
        "none",
        "By when a match has to have come; with `measure = \"absent\"`, which it implies.",
    ),
    key(
        "clear",
        Kind::Comparison,
        "none",
        "What has to be true of the measure before the lowest level ends.",
    ),
    key(
        "where",
        Kind::Condition,
        "none",
        "What has to be true of a match besides, or it counts for nothing.",
    ),
];

/// `[[rule]]` with `kind = "change"`, besides what it shares with others.
pub const CHANGE: &[Key] = &[
    key("change_key", Kind::Text, "", "Which change it is, with `{name}` places; what a peer knows it by."),
    key("change_status", Kind::ChangeStatus, "", "How far it has come."),
    key(
        "change_time",
        Kind::Text,
        "the time of the line",
        "A stamp of when it came that far or will, with `{name}` places.",
    ),
    key("starts", Kind::Text, "none", "A stamp of when it is planned to begin, with `{name}` places."),
    key("ends", Kind::Text, "none", "A stamp of when it is planned to end, with `{name}` places."),
    key("link", Kind::Text, "none", "Where more is to be seen, with `{name}` places."),
    key("linked_changes", Kind::Texts, "[]", "What else belongs to it, with `{name}` places."),
];

/// Keys of rules that mean nothing with `kind = "change"`: a change has no number, no window and no end.
pub const ALERT_ONLY: &[&str] = &[
    "resolve",
    "measure",
    "expect",
    "clear",
    "by",
    "within",
    "min_lines",
    "info",
    "warning",
    "critical",
    "severity",
    "for",
    "resolve_after",
    "expire_after",
    "active",
    "mute",
    "max_keys",
    "max_raises",
    "flap",
    "renotify",
    "unless",
    "after",
    "after_within",
    "deadline",
    "lines_kept",
    "on_remove",
];

/// `[[rule]]`, and `[defaults]` for all rules of a file.
pub const DEFAULTS: &[Key] = &[
    key("source", Kind::Names, "", "Names of the sources whose lines the rule sees."),
    key(
        "files",
        Kind::Globs,
        "",
        "Instead of `source`: globs of files to follow, relative to the rule file.",
    ),
    key(
        "exclude",
        Kind::Globs,
        "[]",
        "Of `files`: globs of files to leave out; one without `/` is held against the name alone.",
    ),
    key("ignore", Kind::Patterns, "none", "A line that fits any of them is neither match nor recovery."),
    key(
        "by",
        Kind::Texts,
        "[]: one alert per rule",
        "Captures that make a key: one alert for each of their values.",
    ),
    key(
        "within",
        A_MOMENT,
        "none: each matching line by itself",
        "The window over which matches are counted.",
    ),
    key("min_lines", ANY_COUNT, "1", "With fewer matches inside the window there is nothing to compare."),
    key("info", Kind::Comparison, "none", "What the measure is compared with for `info`."),
    key("warning", Kind::Comparison, "none", "What the measure is compared with for `warning`."),
    key("critical", Kind::Comparison, "none", "What the measure is compared with for `critical`."),
    key(
        "severity",
        Kind::Choice(&["info", "warning", "critical"]),
        "\"warning\"",
        "Short for the comparison `>= 1` of that level; not together with a ladder.",
    ),
    key("for", ANY_TIME, "\"0s\"", "How long a comparison must be true without a break."),
    key(
        "resolve_after",
        Kind::DurationOrNever(Duration::ZERO),
        "\"30m\"; \"never\" with `resolve`",
        "Quiet that ends the alert.",
    ),
    key(
        "expire_after",
        Kind::DurationOrNever(Duration::ZERO),
        "\"7d\" with `resolve`",
        "Ends an alert that no recovery line ended.",
    ),
    key("active", Kind::Schedules, "always", "When alerts of the rule are told; at other times it is muted."),
    key("mute", Kind::Schedules, "[]", "When they are not told, whatever `active` says."),
    key("max_keys", ANY_COUNT, "1000", "Most keys at a time; one alert tells of more."),
    key(
        "max_raises",
        Kind::MaxRaises,
        "\"30/5m\"",
        "How many alerts of the rule are told one by one; those beyond are told together as `tripline_storm`.",
    ),
    key(
        "flap",
        Kind::Flap,
        "{ changes = 6, within = \"1h\" }",
        "An alert that comes and goes more often than this stays open until it was quiet for as long.",
    ),
    key(
        "renotify",
        Kind::DurationOrNever(Duration::from_secs(1)),
        "\"never\"",
        "An alert that is still open is told again so often.",
    ),
    key(
        "unless",
        Kind::RuleNames,
        "none",
        "Rules that hold raises back: while one of them has an alert open with the same values of `by`.",
    ),
    key(
        "after",
        Kind::RuleNames,
        "none",
        "A match counts only if one of these rules has an alert open with the same values of `by`.",
    ),
    key(
        "after_within",
        A_MOMENT,
        "none",
        "For `after`: an alert counts for so long after its raise, also if it is over.",
    ),
    key(
        "scope",
        Kind::Choice(&["none"]),
        "the observer's",
        "\"none\": the alert is shared by all observers.",
    ),
    key("sinks", Kind::Names, "all", "Names of the sinks that are told."),
    key(
        "labels",
        Kind::Labels,
        "{}",
        "Labels of the rule's alerts, with `{name}` places; never part of the key.",
    ),
    key(
        "summary",
        Kind::Text,
        "\"{rule}: {line}\"",
        "One line for the one who is called, with `{name}` places. Of a rule that looks for few, `{rule}: {value} within {within}` unless said.",
    ),
    key("description", Kind::Text, "\"{lines}\"", "More lines, with `{name}` places."),
    key(
        "redact",
        Kind::Patterns,
        "[]",
        "What is taken out of lines that the rule takes: the first group, or all that fits.",
    ),
    key("runbook", Kind::Text, "none", "A link, with `{name}` places."),
    key("images", Kind::Images, "[]", "Pictures, with `{name}` places."),
    key(
        "links",
        Kind::Links,
        "[]",
        "Where more is to be read, with `{name}` places behind the host; at most 10.",
    ),
    key(
        "lines_kept",
        Kind::LinesKept,
        "{ first = 5, last = 5 }",
        "How many lines are kept of an alert: of its beginning and of its end.",
    ),
    key(
        "on_remove",
        Kind::Choice(&["resolve", "keep"]),
        "\"resolve\"",
        "What becomes of open alerts when the rule is gone; kept ones end after `expire_after`, or 7 days.",
    ),
    key(
        "allow_slow",
        Kind::Switch,
        "false",
        "`true`: the rule is taken although one of its patterns is slow; see `tripline check --cost`.",
    ),
    key("enabled", Kind::Switch, "true", "`false`: as if the rule were not there."),
];

/// `flap`.
pub const FLAP: &[Key] = &[
    // Their times are kept for each key. One alone would keep every alert open.
    key("changes", Kind::Count(2, 1000), "6", "Raises and resolves that are too many."),
    key("within", A_SECOND, "\"1h\"", "The time they lie in, and the quiet that ends the alert then."),
];

/// Keys of rules that a later version will have.
pub const RULE_LATER: &[&str] = &["repeats"];

/// One of `images`.
pub const IMAGE: &[Key] = &[
    key("src", Kind::Text, "", "Where the picture is."),
    key("href", Kind::Text, "none", "Where a click leads."),
    key("alt", Kind::Text, "none", "Words for those who cannot see it."),
];

/// One of `links`.
pub const LINK: &[Key] = &[
    key("href", Kind::Text, "", "The address; what fills a place is percent-encoded."),
    key("text", Kind::Text, "none", "What it is called."),
];

/// `lines_kept`.
pub const LINES_KEPT: &[Key] = &[
    key("first", Kind::FewLines, "5", "Lines that led to the raise and that came right behind it."),
    key("last", Kind::FewLines, "5", "The newest lines, besides those."),
];
