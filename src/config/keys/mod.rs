//! Every key of every table, as data: what the reader believes, what "did you mean" offers, and what the rule
//! reference is made from. Each kind of file has its tables: [`main_file`] and [`sinks`], [`rules`], [`scenario`].

pub mod main_file;
pub mod rules;
pub mod scenario;
pub mod sinks;

use std::borrow::Cow;
use std::time::Duration;

/// One key of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// As it is typed.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds if it is absent; empty: nothing, or it must be given.
    pub default: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any string.
    Text,
    /// A string that no diagnostic may show.
    Secret,
    /// A string or a list of strings.
    Texts,
    /// A regular expression or a list of them.
    Patterns,
    /// One regular expression.
    Pattern,
    /// A glob or a list of them.
    Globs,
    /// The name of a source or sink, `[a-z0-9_-]{1,64}`.
    Name,
    /// Such a name or a list of them.
    Names,
    /// The name of a rule, `[a-z0-9_]{1,64}`.
    RuleName,
    /// A duration of at least this.
    Duration(Duration),
    /// A duration of at least this, or `never`.
    DurationOrNever(Duration),
    /// Bytes, between these.
    Size(u64, u64),
    /// A whole number, between these.
    Count(usize, usize),
    /// `true` or `false`.
    Switch,
    /// A peer's number for something, 1 or more.
    Id,
    /// A list of such numbers.
    Ids,
    /// A name or such a number, or a list of them.
    NamesOrIds,
    /// A table from severities to what components of a status page show.
    ComponentStatus,
    /// What lines are made of: one of [`scenario::FORMATS`], or a table from sources to such words.
    Formats,
    /// How far a change has come: a word of [`crate::model::ChangeStatus`], or a table from values of a capture to such
    /// words, or a table from the capture's name to that table.
    ChangeStatus,
    /// A comparison of the measure.
    Comparison,
    /// A measure, of a capture or a condition; it is read where these are known.
    Measure,
    /// A condition over captures; it is read where these are known.
    Condition,
    /// A schedule or a list of them.
    Schedules,
    /// A deadline or a list of them.
    Deadlines,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A table from label names to strings.
    Labels,
    /// A table from names of `by` to strings or lists of them.
    Expected,
    /// A table from capture names to rewritings.
    Rewritings,
    /// A table of tables of strings.
    Lookups,
    /// A table from pattern names to patterns.
    PatternTable,
    /// A list of addresses or tables with [`rules::IMAGE`] keys.
    Images,
    /// A list of addresses or tables with [`rules::LINK`] keys.
    Links,
    /// A whole number from 0 to [`crate::model::MOST_LINES`].
    FewLines,
    /// Such a number, or a table with [`rules::LINES_KEPT`] keys.
    LinesKept,
    /// The name of a rule or a list of them.
    RuleNames,
    /// So many in so much time, as `30/5m`, or `never`.
    MaxRaises,
    /// A table with [`rules::FLAP`] keys, or `never`.
    Flap,
    /// The name of a [`crate::rule::Preset`], or a table with [`main_file::MULTILINE`] keys.
    Multiline,
    /// `end`, `beginning`, `last:1MiB` or `since:15m`.
    Start,
    /// So many in so much time, as `10/s`, or `unlimited`.
    Rate,
    /// A list of HTTP codes.
    Codes,
    /// A table from names of HTTP headers to strings.
    Headers,
    /// Permissions, as `0640`.
    Mode,
    /// JSON as a table or a list, with `{name}` places in its texts.
    Body,
    /// Of several kinds; it is read where it is wanted.
    Any,
    /// A `[table]`.
    Table,
    /// `[[tables]]`.
    Tables,
}

impl Kind {
    /// For "takes …".
    pub fn describe(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Kind::Text | Kind::Secret => "a string",
            Kind::Texts => "a string or a list of strings",
            Kind::Patterns => "a regular expression in single quotes, or a list of them",
            Kind::Pattern => "a regular expression in single quotes",
            Kind::Globs => "a glob or a list of globs",
            Kind::Name => "a name of 1 to 64 letters `a-z`, digits, `_` and `-`",
            Kind::Names => "a name or a list of names, each of 1 to 64 letters `a-z`, digits, `_` and `-`",
            Kind::RuleName => "a name of 1 to 64 letters `a-z`, digits and `_`",
            Kind::Duration(_) => "a duration such as \"10m\"",
            Kind::DurationOrNever(_) => "a duration such as \"10m\", or \"never\"",
            Kind::Size(..) => "a size such as \"64KiB\"",
            Kind::Count(least, most) => return format!("a whole number from {least} to {most}").into(),
            Kind::Switch => "`true` or `false`",
            Kind::Id => "a number, 1 or more",
            Kind::Ids => "a list of numbers, each 1 or more",
            Kind::NamesOrIds => "a name or number, or a list of them",
            Kind::ComponentStatus => "a table such as `{ critical = \"full_outage\" }`",
            Kind::ChangeStatus => {
                "`Planned`, `Ready`, `Processing`, `Done` or `Canceled`, or a table such as `{ started = \"Processing\", ended = \"Done\" }`"
            }
            Kind::Comparison => "a comparison such as \">= 5\"",
            Kind::Measure => "a measure such as \"p95(latency)\"",
            Kind::Condition => "a condition such as 'status >= 500'",
            Kind::Schedules => "times such as \"Mon-Fri 08:00-18:00 Europe/Berlin\", or a list of them",
            Kind::Deadlines => "a time such as \"Mon-Fri 02:30 Europe/Berlin\", or a list of them",
            Kind::Choice(_) => "one of a few words",
            Kind::Labels => "a table of strings such as `{ team = \"db\" }`",
            Kind::Expected => "a table such as `{ job = [\"db-main\", \"db-audit\"] }`",
            Kind::Rewritings => "a table of strings such as `{ path = \"mask(path)\" }`",
            Kind::Lookups => "a table of tables of strings",
            Kind::PatternTable => "a table of patterns",
            Kind::Images => "a list of addresses or of tables such as `{ src = \"https://…\" }`",
            Kind::Links => {
                "a list of addresses or of tables such as `{ href = \"https://…\", text = \"…\" }`"
            }
            Kind::FewLines => "a whole number, 0 to 20",
            Kind::LinesKept => "a whole number, 0 to 20, or a table such as `{ first = 5, last = 5 }`",
            Kind::RuleNames => "the name of a rule or a list of them",
            Kind::MaxRaises => "a number and a time such as \"30/5m\", or \"never\"",
            Kind::Flap => "a table such as `{ changes = 6, within = \"1h\" }`, or \"never\"",
            Kind::Multiline => {
                "`\"java\"`, `\"python\"`, `\"go\"`, `\"indented\"`, or a table such as `{ start = '^\\d{4}-' }`"
            }
            Kind::Start => {
                "\"end\", \"beginning\", a size such as \"last:1MiB\", or a time such as \"since:15m\""
            }
            Kind::Formats => {
                "`\"plain\"`, `\"json\"` or `\"logfmt\"`, or a table such as `{ app = \"json\" }`"
            }
            Kind::Rate => "a number and a time such as \"10/s\" or \"100/1m\", or \"unlimited\"",
            Kind::Codes => "a list of HTTP codes such as `[200, 202]`",
            Kind::Headers => "a table of strings such as `{ X-Team = \"db\" }`",
            Kind::Mode => "permissions such as \"0640\"",
            Kind::Body => "a table or a list such as `{ text = \"{summary}\" }`",
            Kind::Any => "see what it says",
            Kind::Table => "a table",
            Kind::Tables => "a list of tables",
        })
    }
}

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default, about }
}

/// The largest count that is believed: what is larger is a typing mistake, or a bound that bounds nothing.
pub(super) const MOST: usize = 1_000_000;
const ANY_COUNT: Kind = Kind::Count(1, MOST);
const ANY_TIME: Kind = Kind::Duration(Duration::ZERO);
const A_MOMENT: Kind = Kind::Duration(Duration::from_millis(1));
const A_SECOND: Kind = Kind::Duration(Duration::from_secs(1));

#[cfg(test)]
mod tests {
    use super::main_file::{ADMIN, HEARTBEAT, MAIN, MAIN_LATER, MULTILINE, SOURCE, SOURCE_LATER};
    use super::rules::{
        ALERT_ONLY, CHANGE, DEFAULTS, FLAP, IMAGE, LINES_KEPT, LINK, PACK, PACK_SOURCE, RULE_FILE,
        RULE_LATER, RULE_OWN,
    };
    use super::scenario::{EXPECTED, FEED, LINE_TEST, OPEN_AT, TEST, TEST_FILE};
    use super::sinks::{
        BATCH, CHAT, CHAT_SIGNED, EXEC, FILE, FLASHDUTY, HTTP, SINK, SINK_LATER, STATUS_PAGE, WEBHOOK,
    };
    use std::collections::BTreeSet;

    #[test]
    fn a_key_is_known_once_and_has_its_sentence() {
        for (tables, later) in [
            (vec![MAIN], MAIN_LATER),
            (vec![ADMIN], &[]),
            (vec![HEARTBEAT], &[]),
            (vec![SOURCE], SOURCE_LATER),
            (vec![SINK, HTTP, FLASHDUTY], SINK_LATER),
            (vec![SINK, HTTP, CHAT, CHAT_SIGNED], SINK_LATER),
            (vec![SINK, HTTP, WEBHOOK], SINK_LATER),
            (vec![BATCH], &[]),
            (vec![SINK, FILE], SINK_LATER),
            (vec![SINK, EXEC], SINK_LATER),
            (vec![SINK, HTTP, STATUS_PAGE], SINK_LATER),
            (vec![RULE_FILE], &[]),
            (vec![PACK], &[]),
            (vec![PACK_SOURCE], &[]),
            (vec![RULE_OWN, DEFAULTS, CHANGE], RULE_LATER),
            (vec![IMAGE], &[]),
            (vec![LINK], &[]),
            (vec![LINES_KEPT], &[]),
            (vec![FLAP], &[]),
            (vec![MULTILINE], &[]),
            (vec![TEST_FILE], &[]),
            (vec![LINE_TEST], &[]),
            (vec![TEST], &[]),
            (vec![FEED], &[]),
            (vec![OPEN_AT], &[]),
            (vec![EXPECTED], &[]),
        ] {
            let mut seen = BTreeSet::new();
            for key in tables.concat() {
                assert!(seen.insert(key.name), "`{}` twice", key.name);
                assert!(key.about.ends_with('.'), "`{}`: {}", key.name, key.about);
            }
            for name in later {
                assert!(seen.insert(name), "`{name}` is there already");
            }
        }
    }

    /// Whoever adds a key says here or in [`ALERT_ONLY`] whether rules that speak of changes have it.
    #[test]
    fn each_key_of_rules_is_for_alerts_alone_or_for_changes_too() {
        let both = [
            "name",
            "kind",
            "match",
            "match_all",
            "set",
            "where",
            "source",
            "ignore",
            "scope",
            "labels",
            "summary",
            "description",
            "runbook",
            "images",
            "links",
            "allow_slow",
            "enabled",
            "files",
            "exclude",
            // Of a later version.
            "redact",
            "repeats",
            "sinks",
        ];
        let named: BTreeSet<&str> = both.iter().chain(ALERT_ONLY).copied().collect();
        let keys: BTreeSet<&str> = [RULE_OWN, DEFAULTS].concat().iter().map(|key| key.name).collect();
        assert_eq!(named.len(), both.len() + ALERT_ONLY.len(), "a key is in both");
        assert!(keys.is_subset(&named), "neither: {:?}", keys.difference(&named));
        let known: BTreeSet<&str> = keys.iter().chain(RULE_LATER).copied().collect();
        assert!(named.is_subset(&known), "no keys: {:?}", named.difference(&known));
    }
}
