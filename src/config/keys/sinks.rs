//! Keys of `[[sink]]`, for all types and for each.

use super::{A_SECOND, ANY_TIME, Key, Kind, key};

/// `[[sink]]` of every type.
pub const SINK: &[Key] = &[
    key("name", Kind::Name, "", "What rules, `[heartbeat]`, metrics and tripline's own log call it."),
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
        "The sink that is told of alerts instead while this one takes nothing; it is told nothing else.",
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
    key("time", ANY_TIME, "\"1s\"", "How long one waits for others; 5m at most."),
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
