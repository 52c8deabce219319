//! `type = "flashduty-status-page"`.

use std::time::Duration;

use super::super::walk::require;
use super::Reading;
use super::address::Form;
use super::secret::Asked;
use crate::model::{ComponentStatus, Severity};
use crate::settings::{GroupBy, Peer, StatusPage};

const URL: &str = "https://api.flashcat.cloud";

const FORM: Form =
    Form { key: "url", example: URL, or: "", parameter: Some("app_key"), carries: "the app key" };

const KEY: Asked = Asked {
    key: "app_key",
    env: "app_key_env",
    file: "app_key_file",
    called: "app key",
    example: "FLASHDUTY_APP_KEY",
    danger: "whoever reads this file can do all that the user of the key can",
};

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Vec<(String, Peer)> {
    let fields = reading.fields;
    let pasted = read_key(reading);
    for key in ["page_id", "components"] {
        require(reading.problems, fields.table, reading.header, key, "a flashduty-status-page sink");
    }
    let components = fields.names_or_ids("components");
    if let Some(value) = fields
        .value("components")
        .filter(|value| value.get_ref().as_array().is_some_and(|all| all.is_empty()))
    {
        let label = "a page shows incidents at its components";
        reading.problems.error("empty-list", value.span(), "`components` is empty", label);
    }
    let (Some(url), Some(page_id)) = (pasted, fields.id("page_id")) else { return Vec::new() };
    let said = fields.pairs("component_status");
    let of = |severity: Severity, usual: ComponentStatus| {
        let word = said.iter().find(|(name, _)| *name == severity.as_str()).map(|(_, word)| word.text);
        let status = ComponentStatus::OF_ALERTS.into_iter().find(|status| Some(status.as_str()) == word);
        status.unwrap_or(usual)
    };
    let page = StatusPage {
        url,
        page_id,
        components,
        responders: fields.ids("responders"),
        notify_subscribers: fields.switch("notify_subscribers").unwrap_or(false),
        component_status: [
            of(Severity::Info, ComponentStatus::Degraded),
            of(Severity::Warning, ComponentStatus::PartialOutage),
            of(Severity::Critical, ComponentStatus::FullOutage),
        ],
        group_by: match fields.text("group_by").map(|word| word.text) {
            Some("alert") => GroupBy::Alert,
            _ => GroupBy::Rule,
        },
        reopen_within: fields.duration("reopen_within").unwrap_or(Duration::from_secs(3600)),
        send_description: fields.switch("send_description").unwrap_or(false),
    };
    vec![(String::new(), Peer::StatusPage(page))]
}

/// The address, without a key that was pasted with it: that is refused as well as one that stands here by itself.
fn read_key(reading: &mut Reading<'_, '_, '_, '_>) -> Option<String> {
    let (url, pasted) = match reading.fields.text("url").map(|said| reading.address(&said, FORM)) {
        Some(Some(address)) => (Some(address.url), address.pasted.map(|(span, _)| span)),
        Some(None) => (None, None),
        None => (Some(URL.to_owned()), None),
    };
    let written = reading.fields.value("app_key").map(|_| reading.fields.key_span("app_key", reading.header));
    let inline: Vec<_> = pasted.into_iter().chain(written).collect();
    for span in &inline {
        let title = "an app key can not stand in the configuration";
        reading.problems.error("inline-secret", span.clone(), title, KEY.danger).help =
            Some(format!("use `{}` or `{}`", KEY.env, KEY.file));
    }
    if inline.is_empty() {
        reading.secret(KEY, None, true);
    }
    url
}
