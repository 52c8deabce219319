//! `type = "flashduty"`.

use super::super::walk::Said;
use super::Reading;
use super::address::{Address, Form};
use super::secret::Asked;
use crate::settings::{Flashduty, FlashdutyChanges, Peer};

/// Where Flashduty takes alerts unless a sink says otherwise.
const URL: &str = "https://api.flashcat.cloud";

/// Alerts, and the integration that takes them.
const FORM: Form = Form {
    key: "url",
    example: URL,
    or: ", or paste the whole push URL",
    parameter: Some("integration_key"),
    carries: "alerts and the integration key",
};

const KEY: Asked = Asked {
    key: "integration_key",
    env: "integration_key_env",
    file: "integration_key_file",
    called: "integration key",
    example: "FLASHDUTY_KEY",
    danger: "whoever reads this file can send alerts",
};

/// Changes, and the integration that takes them.
const CHANGE_FORM: Form = Form { key: "change_url", carries: "changes and the integration key", ..FORM };

const CHANGE_KEY: Asked = Asked {
    key: "change_integration_key",
    env: "change_integration_key_env",
    file: "change_integration_key_file",
    called: "integration key of changes",
    example: "FLASHDUTY_CHANGE_KEY",
    danger: "whoever reads this file can send changes",
};

/// Two integrations take alerts and changes: a sink has the key of one of them, or of both.
pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Vec<(String, Peer)> {
    let fields = reading.fields;
    reading.not_blank(&["title_rule"]);
    let base = match fields.text("url") {
        Some(said) => taken(reading, &said, FORM, "/event/push/change/", "`change_url`"),
        None => Some(given(URL)),
    };
    let changes = match (fields.text("change_url"), &base) {
        (Some(said), _) => taken(reading, &said, CHANGE_FORM, "/event/push/alert/", "`url`"),
        // A whole push URL is that of alerts.
        (None, Some(base)) if base.url.contains("/event/push/") => Some(given(origin(&base.url))),
        (None, Some(base)) => Some(given(&base.url)),
        (None, None) => None,
    };
    // A key may have been pasted with an address that is wrong.
    let are_right = base.is_some() && changes.is_some();
    let (url, pasted) = base.map_or((String::new(), None), |base| (base.url, base.pasted));
    let (change_url, of_changes) =
        changes.map_or((String::new(), None), |changes| (changes.url, changes.pasted));
    let of_changes = reading.secret(CHANGE_KEY, of_changes, false);
    let of_alerts = reading.secret(KEY, pasted, are_right && !of_changes);
    if !are_right {
        return Vec::new();
    }
    let title_rule = fields.text("title_rule").map(|title| title.text.to_owned());
    let mut peers = Vec::new();
    if of_alerts {
        peers.push((String::new(), Peer::Flashduty(Flashduty { url, title_rule })));
    }
    if of_changes {
        // Also without alerts: with a key for those, it would be another queue, which knows nothing of what was told.
        peers.push(("/changes".to_owned(), Peer::FlashdutyChanges(FlashdutyChanges { url: change_url })));
    }
    peers
}

/// The address, unless it is one of what `instead` takes, or of another peer.
fn taken(
    reading: &mut Reading<'_, '_, '_, '_>,
    said: &Said<'_>,
    form: Form,
    others: &str,
    instead: &str,
) -> Option<Address> {
    let address = reading.address(said, form)?;
    let key = form.key;
    let (title, help) = match () {
        () if address.url.contains(others) => {
            (format!("`{key}` is an address for something else"), format!("write it as {instead}"))
        }
        () if address.host.ends_with("pagerduty.com") => {
            (format!("`{key}` is an address of PagerDuty"), "write `type = \"pagerduty\"`".to_owned())
        }
        () => return Some(address),
    };
    reading.problems.error("bad-url", said.span.clone(), title, "not taken there").help = Some(help);
    None
}

/// The scheme and host of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    &url[..url[host..].find(['/', '?']).map_or(url.len(), |length| host + length)]
}

/// An address that needs no looking at.
fn given(url: &str) -> Address {
    Address { url: url.to_owned(), host: String::new(), pasted: None }
}
