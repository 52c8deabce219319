//! `type = "alertmanager"`.

use super::super::diagnostic::short;
use super::Reading;
use super::address::{Address, Form};
use super::secret::Asked;
use crate::settings::{Alertmanager, Peer};

const FORM: Form = Form {
    key: "urls",
    example: "http://127.0.0.1:9093",
    or: ", with the path prefix if it has one",
    parameter: None,
    carries: "alerts",
};

const TOKEN: Asked = Asked {
    key: "token",
    env: "token_env",
    file: "token_file",
    called: "bearer token",
    example: "ALERTMANAGER_TOKEN",
    danger: "whoever reads this file can send alerts",
};

const PASSWORD: Asked = Asked {
    key: "password",
    env: "password_env",
    file: "password_file",
    called: "password",
    example: "ALERTMANAGER_PASSWORD",
    danger: "whoever reads this file can send alerts",
};

/// Every instance of a cluster is told everything: each has a queue of its own, named after it even if there is only
/// one, so that it is the same one whichever others come and go.
pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Vec<(String, Peer)> {
    let fields = reading.fields;
    reading.not_blank(&["username"]);
    let said = fields.texts("urls");
    if said.is_empty() && fields.value("urls").is_none() {
        let title = "an alertmanager sink needs `urls`";
        let header = reading.header.clone();
        reading.problems.error("missing-key", header, title, "`urls` is missing").help =
            Some(format!("add `urls = [\"{}\"]`, with every instance of the cluster", FORM.example));
    } else if said.is_empty() && fields.value("urls").is_some_and(|value| value.get_ref().is_array()) {
        let span = fields.key_span("urls", reading.header);
        reading.problems.error("empty-list", span, "`urls` is empty", "nobody would be told");
    }
    let token = reading.secret(TOKEN, None, false);
    let username = fields.text("username");
    let password = reading.secret(PASSWORD, None, false);
    let wrong = match (&username, password) {
        (Some(_), false) => Some(("username", "`username` needs a password", "`password_env` is missing")),
        (None, true) => Some(("password_env", "a password needs `username`", "`username` is missing")),
        (Some(_), true) if token => {
            Some(("username", "a token and a user can not both be shown", "one of both"))
        }
        _ => None,
    };
    if let Some((key, title, label)) = wrong {
        let id = if token { "conflict" } else { "missing-key" };
        let span = fields.key_span(key, reading.header);
        reading.problems.error(id, span, title, label);
    }
    let mut instances: Vec<(String, Peer)> = Vec::new();
    for said in &said {
        let Some(Address { url, host, .. }) = reading.address(said, FORM) else { continue };
        if url.trim_end_matches('/').ends_with("/api/v1/alerts") {
            let title = "no Alertmanager takes alerts at `/api/v1/alerts` any more";
            reading.problems.error("bad-url", said.span.clone(), title, "not taken there").help =
                Some("leave the path out: alerts go to `/api/v2/alerts`".to_owned());
            continue;
        }
        let name = format!("/{host}");
        if instances.iter().any(|(known, _)| *known == name) {
            let title = format!("`{}` is named twice", short(&host));
            reading.problems.error("duplicate-name", said.span.clone(), title, "named again");
            continue;
        }
        let peer = Alertmanager {
            url: url.trim_end_matches('/').trim_end_matches("/api/v2/alerts").to_owned(),
            username: username.as_ref().map(|said| said.text.to_owned()),
            resend: fields.duration("resend").unwrap_or(std::time::Duration::from_secs(60)),
            hold_on_shutdown: fields.duration("hold_on_shutdown"),
            omit_ends_at: fields.switch("omit_ends_at").unwrap_or(false),
            severity_label: fields.switch("severity_label").unwrap_or(false),
        };
        instances.push((name, Peer::Alertmanager(peer)));
    }
    instances
}
