//! Every key of every table, as data: what the reader believes, what "did you mean" offers, and what the rule
//! reference is made from.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::Reason;

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
    /// A duration, or `never`.
    DurationOrNever,
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
    /// A list of addresses or tables with [`IMAGE`] keys.
    Images,
    /// A list of addresses or tables with [`LINK`] keys.
    Links,
    /// A whole number from 0 to [`crate::model::MOST_LINES`].
    FewLines,
    /// Such a number, or a table with [`LINES_KEPT`] keys.
    LinesKept,
    /// The name of a rule or a list of them.
    RuleNames,
    /// So many in so much time, as `30/5m`, or `never`.
    MaxRaises,
    /// A table with [`FLAP`] keys, or `never`.
    Flap,
    /// The name of a [`crate::rule::Preset`], or a table with [`MULTILINE`] keys.
    Multiline,
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
            Kind::DurationOrNever => "a duration such as \"10m\", or \"never\"",
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
/// More threads than any machine's disks can feed.
const MOST_THREADS: usize = 256;
const ANY_COUNT: Kind = Kind::Count(1, MOST);
const ANY_TIME: Kind = Kind::Duration(Duration::ZERO);
const A_MOMENT: Kind = Kind::Duration(Duration::from_millis(1));
const A_SECOND: Kind = Kind::Duration(Duration::from_secs(1));

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
pub const ADMIN: &[Key] =
    &[key("listen", Kind::Text, "\"127.0.0.1:7437\"", "Address and port to listen on; \"off\" for none.")];

/// Keys of [`ADMIN`] that a later version will have.
pub const ADMIN_LATER: &[&str] = &["token_file"];

/// `[heartbeat]`.
pub const HEARTBEAT: &[Key] = &[
    key("sink", Kind::Name, "", "Name of the sink that gets the beats."),
    key("every", A_SECOND, "\"1m\"", "How often."),
];

/// `[[source]]`.
pub const SOURCE: &[Key] = &[
    key("name", Kind::Name, "", "What rules call it."),
    key("files", Kind::Globs, "", "Globs of the files to follow, relative to this file."),
    key(
        "exclude",
        Kind::Globs,
        "[]",
        "Globs of files to leave out; one without `/` is held against the name alone.",
    ),
    key(
        "start",
        Kind::Choice(&["end", "beginning"]),
        "\"end\"",
        "Where a file that is there at first sight is begun.",
    ),
    key("tz", Kind::Text, "\"local\"", "Zone of stamps that name none: \"local\", \"UTC\" or an IANA name."),
    key("max_age", A_SECOND, "\"15m\"", "How far a stamp may lie before the arrival of its line."),
    key("flush", A_MOMENT, "\"5s\"", "Quiet after which an unterminated last line is matched as it is."),
    key("max_line", Kind::Size(1024, 1024 * 1024), "\"64KiB\"", "Bytes of a line that are matched."),
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
];

/// Keys of [`SOURCE`] that a later version will have.
pub const SOURCE_LATER: &[&str] = &["time", "encoding", "journal", "syslog"];

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

/// `[[sink]]` of every type.
pub const SINK: &[Key] = &[
    key("name", Kind::Name, "", "What `[heartbeat]`, metrics and tripline's own log call it."),
    key("type", Kind::Text, "", "Which peer."),
    key("probe_every", A_SECOND, "\"1m\"", "How often a suspended sink is tried."),
    key(
        "when",
        Kind::Condition,
        "always",
        "Of which alerts it is told: a condition over `severity`, `rule` and labels.",
    ),
    key(
        "fallback",
        Kind::Name,
        "none",
        "The sink that is told instead while this one takes nothing; it is told nothing else.",
    ),
];

/// `[[sink]]` of type `flashduty`, besides [`SINK`].
pub const FLASHDUTY: &[Key] = &[
    key("url", Kind::Text, "\"https://api.flashcat.cloud\"", "Base address, or a whole push URL as pasted."),
    key("integration_key_env", Kind::Text, "", "Name of the environment variable that holds the key."),
    key(
        "integration_key_file",
        Kind::Text,
        "",
        "File that holds the key; `$CREDENTIALS_DIRECTORY` is expanded.",
    ),
    key("integration_key", Kind::Secret, "", "The key itself; warned about."),
    key(
        "change_url",
        Kind::Text,
        "as `url`",
        "Base address of the integration that takes changes, or its whole push URL as pasted.",
    ),
    key("change_integration_key_env", Kind::Text, "", "Name of the variable that holds the key for changes."),
    key("change_integration_key_file", Kind::Text, "", "File that holds the key for changes."),
    key("change_integration_key", Kind::Secret, "", "The key for changes itself; warned about."),
    key(
        "title_rule",
        Kind::Text,
        "the rule's summary as the title",
        "The peer's own title template, sent untouched.",
    ),
];

/// `[[sink]]` of type `pagerduty`, besides [`SINK`] and [`HTTP`].
pub const PAGERDUTY: &[Key] = &[
    key("routing_key_env", Kind::Text, "", "Name of the environment variable that holds the routing key."),
    key("routing_key_file", Kind::Text, "", "File that holds the routing key."),
    key("routing_key", Kind::Secret, "", "The routing key itself; warned about."),
    key("region", Kind::Choice(&["us", "eu"]), "\"us\"", "Where the account is."),
    key("url", Kind::Text, "that of the region", "Another base address."),
    key("client_url", Kind::Text, "none", "Where a click on the name of the client leads."),
    key(
        "change_after_timeout",
        Kind::Choice(&["resend", "drop"]),
        "\"resend\"",
        "What becomes of a change whose answer was lost: sent again, it may be shown twice; dropped, not at all.",
    ),
    key(
        "severity",
        Kind::Labels,
        "the same words",
        "What severities are called there: a table from ours to `info`, `warning`, `error` or `critical`.",
    ),
];

/// `[[sink]]` of type `alertmanager`, besides [`SINK`] and [`HTTP`].
pub const ALERTMANAGER: &[Key] = &[
    key("urls", Kind::Texts, "", "The address of every instance of the cluster: each is told everything."),
    key("username", Kind::Text, "none", "For basic authentication."),
    key("password_env", Kind::Text, "", "Name of the environment variable that holds the password."),
    key("password_file", Kind::Text, "", "File that holds the password."),
    key("password", Kind::Secret, "", "The password itself; warned about."),
    key("token_env", Kind::Text, "", "Name of the environment variable that holds a bearer token."),
    key("token_file", Kind::Text, "", "File that holds a bearer token."),
    key("token", Kind::Secret, "", "The bearer token itself; warned about."),
    key(
        "resend",
        A_SECOND,
        "\"1m\"",
        "How often what fires is told again: after four times that it would be over.",
    ),
    key(
        "hold_on_shutdown",
        A_SECOND,
        "as ever, four times `resend`",
        "For how long what fires stays so after a clean stop.",
    ),
    key(
        "omit_ends_at",
        Kind::Switch,
        "false",
        "Leave it to the peer (`resolve_timeout`) when something is over that it hears no more of.",
    ),
    key(
        "severity_label",
        Kind::Switch,
        "false",
        "Severity is a label, so that each severity is an alert of its own there; else an annotation.",
    ),
];

/// `[[sink]]` of types `slack`, `feishu`, `dingtalk` and `wecom`, besides [`SINK`] and [`HTTP`].
pub const CHAT: &[Key] = &[
    key("url_env", Kind::Text, "", "Name of the environment variable that holds the address of the group."),
    key("url_file", Kind::Text, "", "File that holds the address; `$CREDENTIALS_DIRECTORY` is expanded."),
    key(
        "url",
        Kind::Secret,
        "",
        "The address itself; warned about, as whoever has it can write to the group.",
    ),
    key(
        "keyword",
        Kind::Text,
        "nothing",
        "What all that is said begins with, such as a keyword that the bot asks for; at most 64 bytes.",
    ),
];

/// `[[sink]]` of types `feishu` and `dingtalk`, besides those of [`CHAT`].
pub const CHAT_SIGNED: &[Key] = &[
    key("secret_env", Kind::Text, "", "Name of the environment variable that holds the secret to sign with."),
    key("secret_file", Kind::Text, "", "File that holds the secret to sign with."),
    key("secret", Kind::Secret, "", "The secret to sign with itself; warned about."),
];

/// `[[sink]]` of type `flashduty-status-page`, besides [`SINK`].
pub const STATUS_PAGE: &[Key] = &[
    key("url", Kind::Text, "\"https://api.flashcat.cloud\"", "Base address."),
    key("app_key_env", Kind::Text, "", "Name of the environment variable that holds the app key."),
    key("app_key_file", Kind::Text, "", "File that holds the app key; `$CREDENTIALS_DIRECTORY` is expanded."),
    key("app_key", Kind::Secret, "", "Refused: who has an app key can do all that its user can."),
    key("page_id", Kind::Id, "", "The peer's number for the page."),
    key("components", Kind::NamesOrIds, "", "Which components are spoken of, by their names or ids."),
    key(
        "component_status",
        Kind::ComponentStatus,
        "{ info = \"degraded\", warning = \"partial_outage\", critical = \"full_outage\" }",
        "What an alert of a severity makes of them.",
    ),
    key(
        "group_by",
        Kind::Choice(&["rule", "alert"]),
        "\"rule\"",
        "What is one incident on the page: all alerts of a rule, or each alert.",
    ),
    key(
        "reopen_within",
        ANY_TIME,
        "\"1h\"",
        "An incident that was closed so long ago at most is opened again instead of another being made.",
    ),
    key(
        "send_description",
        Kind::Switch,
        "false",
        "`true`: descriptions of rules are sent too. Unless a rule says otherwise, they hold its log lines.",
    ),
    key("responders", Kind::Ids, "[]", "The peer's numbers for those who answer for it."),
    key(
        "notify_subscribers",
        Kind::Switch,
        "false",
        "`true`: who has subscribed to the page is told of everything by mail.",
    ),
];

/// `[[sink]]` of every type whose peer is reached by HTTP.
pub const HTTP: &[Key] = &[
    key("ca_file", Kind::Text, "", "A private certificate authority, PEM, besides the public ones."),
    key("ca_only", Kind::Switch, "false", "Only `ca_file` counts, and no public authority."),
    key("client_cert_file", Kind::Text, "", "A certificate to show to the peer, PEM."),
    key("client_key_file", Kind::Text, "", "The key of that certificate, PEM."),
    key(
        "proxy_url_env",
        Kind::Text,
        "",
        "Name of the environment variable that holds the address of a proxy.",
    ),
    key("proxy_url_file", Kind::Text, "", "File that holds the address of a proxy."),
    key(
        "proxy_url",
        Kind::Secret,
        "",
        "The address of a proxy; warned about, as a password may stand in it.",
    ),
    key("proxy_from_env", Kind::Switch, "false", "Use `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`."),
    key("allow_plaintext", Kind::Switch, "false", "Allow `http://` to a host that is not this machine."),
    key(
        "allow_link_local",
        Kind::Switch,
        "false",
        "Allow an address of this link, `169.254.0.0/16` or `fe80::/10`, where clouds tell machines their credentials.",
    ),
    key("connect_timeout", A_SECOND, "\"5s\"", "Time until a connection must stand."),
    key("timeout", A_SECOND, "15s; of a webhook 30s", "Time until the whole answer must be there."),
];

/// `[[sink]]` of type `webhook`, besides [`SINK`] and [`HTTP`].
pub const WEBHOOK: &[Key] = &[
    key("url_env", Kind::Text, "", "Name of the environment variable that holds the address."),
    key("url_file", Kind::Text, "", "File that holds the address; `$CREDENTIALS_DIRECTORY` is expanded."),
    key("url", Kind::Text, "", "The address itself, if nothing in it is secret."),
    key("method", Kind::Choice(&["POST", "PUT"]), "\"POST\"", "How it is sent."),
    key("headers", Kind::Headers, "{}", "Sent with each request; for secrets there is `token_env`."),
    key("token_env", Kind::Text, "", "Name of the environment variable that holds a token."),
    key("token_file", Kind::Text, "", "File that holds the token."),
    key("token", Kind::Secret, "", "The token itself; warned about."),
    key("token_header", Kind::Text, "\"Authorization\"", "The header that the token stands in."),
    key(
        "token_scheme",
        Kind::Text,
        "\"Bearer\" in `Authorization`, else nothing",
        "The word before the token.",
    ),
    key("username", Kind::Text, "", "With a password: HTTP's basic authentication."),
    key("password_env", Kind::Text, "", "Name of the environment variable that holds the password."),
    key("password_file", Kind::Text, "", "File that holds the password."),
    key("password", Kind::Secret, "", "The password itself; warned about."),
    key(
        "preset",
        Kind::Choice(&["tripline", "alertmanager", "cloudevents"]),
        "\"tripline\"",
        "What is said: the JSON line, what Alertmanager would send, or CloudEvents.",
    ),
    key("body", Kind::Body, "", "What is said instead, with `{name}` places in its texts."),
    key("body_file", Kind::Text, "", "A JSON file that says it instead, with places as in `body`."),
    key("secret_env", Kind::Text, "", "Name of the variable that holds the `whsec_…` secret to sign with."),
    key("secret_file", Kind::Text, "", "File that holds it."),
    key("secret", Kind::Secret, "", "The secret itself; warned about."),
    key("old_secret_env", Kind::Text, "", "Name of the variable that holds the secret that is given up."),
    key("old_secret_file", Kind::Text, "", "File that holds it; what is sent is signed with both."),
    key("old_secret", Kind::Secret, "", "That secret itself; warned about."),
    key("batch", Kind::Table, "one by one", "A table: several go together, as a list."),
    key("success", Kind::Codes, "every 2xx", "The codes that mean that it was taken."),
    key("rate", Kind::Rate, "\"10/s\"", "Most requests in a time."),
];

/// `batch` of a sink.
pub const BATCH: &[Key] = &[
    key("count", Kind::Count(1, 1000), "100", "Most that go together."),
    key(
        "bytes",
        Kind::Size(1024, 16 * 1024 * 1024),
        "\"256KiB\"",
        "Most bytes of them, counted as JSON lines; what is larger goes alone.",
    ),
    key("time", ANY_TIME, "\"1s\"", "How long one waits for others."),
];

/// `[[sink]]` of type `file`, besides [`SINK`].
pub const FILE: &[Key] = &[
    key("path", Kind::Text, "", "Where JSON lines are written."),
    key(
        "max_size",
        Kind::Size(1024, 1 << 40),
        "never",
        "From so many bytes on a new file is begun, and the old one is `path.1`.",
    ),
    key("keep", Kind::Count(1, 1000), "5", "How many old files are kept, besides the one that is written."),
    key("mode", Kind::Mode, "\"0600\"", "The permissions of a new file."),
];

/// `[[sink]]` of type `exec`, besides [`SINK`].
pub const EXEC: &[Key] = &[
    key("command", Kind::Texts, "", "The program and its arguments; no shell is between."),
    key("timeout", A_SECOND, "\"30s\"", "Time until it must have ended; then it is killed."),
    key(
        "env",
        Kind::Texts,
        "[]",
        "Names of variables that it sees, besides `PATH`, `HOME`, `LANG` and `TZ`.",
    ),
    key("concurrency", Kind::Count(1, 64), "1", "Most of them at a time."),
];

/// Keys of sinks that a later version will have.
pub const SINK_LATER: &[&str] = &["links"];

/// The types of sinks, each with the keys it takes.
pub const PEERS: &[(&str, &[&[Key]])] = &[
    ("stdout", &[SINK]),
    ("flashduty", &[SINK, HTTP, FLASHDUTY]),
    ("alertmanager", &[SINK, HTTP, ALERTMANAGER]),
    ("pagerduty", &[SINK, HTTP, PAGERDUTY]),
    ("slack", &[SINK, HTTP, CHAT]),
    ("feishu", &[SINK, HTTP, CHAT, CHAT_SIGNED]),
    ("dingtalk", &[SINK, HTTP, CHAT, CHAT_SIGNED]),
    ("wecom", &[SINK, HTTP, CHAT]),
    ("webhook", &[SINK, HTTP, WEBHOOK]),
    ("file", &[SINK, FILE]),
    ("exec", &[SINK, EXEC]),
    ("flashduty-status-page", &[SINK, HTTP, STATUS_PAGE]),
];

/// Top level of a rule file.
pub const RULE_FILE: &[Key] = &[
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

/// Top level of a test file.
pub const TEST_FILE: &[Key] = &[
    key("rules", Kind::Globs, "", "Globs of the rule files that are tested, relative to this file."),
    key("start", Kind::Any, "2026-01-05T10:00:00Z", "When tests begin, a Monday unless said."),
    key("tz", Kind::Text, "\"UTC\"", "Zone of stamps that name none, and of schedules that name none."),
    key("host", Kind::Text, "\"h1\"", "The observer's scope."),
    key(
        "format",
        Kind::Choice(&["plain", "json", "logfmt"]),
        "\"plain\"",
        "What the lines of all sources are, as `format` of a source says it.",
    ),
    key(
        "multiline",
        Kind::Multiline,
        "each line by itself",
        "How lines are joined to records, as `multiline` of a source says it.",
    ),
    key("line", Kind::Tables, "", "A line and the rule that takes it."),
    key("test", Kind::Tables, "", "What happens and what comes of it."),
];

/// `[[line]]`.
pub const LINE_TEST: &[Key] = &[
    key("source", Kind::Name, "", "The source it comes from."),
    key("text", Kind::Text, "", "The line, or the lines of a record between line ends."),
    key("log", Kind::Text, "", "Instead of `text`: a sample whose lines say above them what takes them."),
    key("rule", Kind::Any, "", "The rule that takes it, a list of all that do, or `false`."),
    key("captures", Kind::Any, "{}", "What it captures, after `set`; others may be anything."),
    key("multiline", Kind::Multiline, "that of the file", "How lines are joined to records."),
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
    key(
        "multiline",
        Kind::Multiline,
        "that of the file",
        "How the lines of all its sources are joined to records.",
    ),
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
        "Instead of `text`: a file of lines, each at its own time with `stamps = \"log\"`.",
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
        Kind::DurationOrNever,
        "\"30m\"; \"never\" with `resolve`",
        "Quiet that ends the alert.",
    ),
    key(
        "expire_after",
        Kind::DurationOrNever,
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
        Kind::DurationOrNever,
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
        "One line for the one who is called, with `{name}` places.",
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_key_is_known_once_and_has_its_sentence() {
        for (tables, later) in [
            (vec![MAIN], MAIN_LATER),
            (vec![ADMIN], ADMIN_LATER),
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
