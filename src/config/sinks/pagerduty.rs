//! `type = "pagerduty"`.

use super::super::diagnostic::{did_you_mean, listed, short};
use super::Reading;
use super::address::Form;
use super::secret::Asked;
use crate::settings::{PagerDuty, Peer};

const FORM: Form = Form {
    key: "url",
    example: "https://events.pagerduty.com",
    or: "",
    parameter: None,
    carries: "alerts and the routing key",
};

const KEY: Asked = Asked {
    key: "routing_key",
    env: "routing_key_env",
    file: "routing_key_file",
    called: "routing key",
    example: "PAGERDUTY_KEY",
    danger: "whoever reads this file can send alerts",
};

/// Severities there, from the lowest to the highest.
const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

/// Without what stands behind it where it is pasted from the peer's pages.
fn base(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v2/enqueue").or_else(|| url.strip_suffix("/v2/change/enqueue")).unwrap_or(url)
}

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Vec<(String, Peer)> {
    let fields = reading.fields;
    let region = fields.text("region").map(|said| said.text);
    let said = fields.text("url");
    if let (Some(_), Some(said)) = (region, &said) {
        let title = "a pagerduty sink has `region` and `url`";
        reading.problems.error("conflict", said.span.clone(), title, "leave one of them out");
    }
    let url = match &said {
        Some(said) => reading.address(said, FORM).map(|address| base(&address.url).to_owned()),
        None if region == Some("eu") => Some("https://events.eu.pagerduty.com".to_owned()),
        None => Some(FORM.example.to_owned()),
    };
    let client_url =
        fields.text("client_url").and_then(|said| reading.address(&said, Form { key: "client_url", ..FORM }));
    let drop_unsure_changes = fields.text("change_after_timeout").is_some_and(|said| said.text == "drop");
    let mut severities = ["info", "warning", "critical"];
    for (ours, theirs) in fields.pairs("severity") {
        let known = SEVERITIES.iter().find(|known| **known == theirs.text);
        let place = ["info", "warning", "critical"].iter().position(|level| *level == ours);
        match (place, known) {
            (Some(place), Some(known)) => severities[place] = known,
            (None, _) => {
                let title = format!("`{}` is not a severity", short(ours));
                let span = theirs.span.clone();
                reading.problems.error("bad-choice", span, title, "takes `info`, `warning` and `critical`");
            }
            (_, None) => {
                let title = format!("`{}` is not a severity of PagerDuty", short(theirs.text));
                let label = format!("takes {}", listed(SEVERITIES));
                reading.problems.error("bad-choice", theirs.span.clone(), title, label).help =
                    did_you_mean(theirs.text, SEVERITIES);
            }
        }
    }
    if !reading.secret(KEY, None, true) {
        return Vec::new();
    }
    let Some(url) = url else { return Vec::new() };
    let client_url = client_url.map(|address| address.url);
    vec![(String::new(), Peer::PagerDuty(PagerDuty { url, client_url, drop_unsure_changes, severities }))]
}
