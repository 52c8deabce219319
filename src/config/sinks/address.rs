//! Addresses of peers: checked, and a key that was pasted with one taken out of it.

use std::ops::Range;

use secrecy::SecretString;

use super::super::walk::Said;
use super::Reading;
use crate::settings::Http;

/// An address without the key that stood in it, and that key with its place.
pub(super) struct Address {
    pub(super) url: String,
    /// With its port, if one is named.
    pub(super) host: String,
    pub(super) pasted: Option<(Range<usize>, SecretString)>,
}

/// How an address is written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// The key in TOML.
    pub(super) key: &'static str,
    /// An address that would be right.
    pub(super) example: &'static str,
    /// What is said besides it.
    pub(super) or: &'static str,
    /// The query parameter of a pasted address that holds a secret.
    pub(super) parameter: Option<&'static str>,
    /// What would be sent for everybody to read.
    pub(super) carries: &'static str,
}

impl Reading<'_, '_, '_, '_> {
    /// Takes an address apart. `None`: it is none, which has been said without showing it.
    pub(super) fn address(&mut self, said: &Said<'_>, form: Form) -> Option<Address> {
        let text = said.text;
        let plaintext = self.fields.switch("allow_plaintext").unwrap_or(false);
        let wrong = |reading: &mut Self, at: Range<usize>, label: &str| {
            let span = said.place(reading.problems, &at);
            let Form { key, example, or, .. } = form;
            let title = format!("`{key}` is not a valid address");
            reading.problems.error("bad-url", span, title, label).help =
                Some(format!("write it like `\"{example}\"`{or}"));
            None
        };
        let Some(scheme) = text.find("://") else {
            return wrong(self, 0..text.len(), "expected `https://`");
        };
        if let Some(at) =
            text.find(|c: char| c.is_whitespace() || c.is_control() || "\"<>\\^`{|}#".contains(c))
        {
            let end = at + text[at..].chars().next().map_or(1, char::len_utf8);
            return wrong(self, at..end, "this cannot stand in an address");
        }
        let host_at = scheme + 3;
        let host_end = text[host_at..].find(['/', '?']).map_or(text.len(), |length| host_at + length);
        let authority = &text[host_at..host_end];
        if authority.contains('@') {
            return wrong(self, host_at..host_end, "a user or password cannot stand in the address");
        }
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                if port.parse::<u16>().is_err() {
                    let at = host_end - port.len()..host_end;
                    return wrong(self, at, "expected a port, 0 to 65535");
                }
                host
            }
            _ => authority,
        };
        if host.is_empty() {
            return wrong(self, host_at..host_end, "a host is missing");
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let allow_link_local = self.fields.switch("allow_link_local").unwrap_or(false);
        let http = Http { allow_link_local, ..Http::default() };
        if bare.parse().is_ok_and(|address| http.bars(address)) {
            let span = said.place(self.problems, &(host_at..host_end));
            let title = format!("`{}` is an address of this link", form.key);
            self.problems.error("bad-url", span, title, "clouds tell machines their credentials here").help =
                Some("write the address of the peer, or add `allow_link_local = true`".to_owned());
            return None;
        }
        match &text[..scheme] {
            "https" => {}
            "http" if plaintext || is_loopback(host) => {}
            "http" => {
                let span = said.place(self.problems, &(0..host_at));
                let title = format!("{} would be sent unencrypted", form.carries);
                self.problems.error("plaintext-url", span, title, "not encrypted").help =
                    Some("write `https://`, or add `allow_plaintext = true`".to_owned());
                return None;
            }
            _ => return wrong(self, 0..scheme, "expected `https`"),
        }
        let Some(query_at) = text.find('?') else {
            return Some(Address { url: text.to_owned(), host: authority.to_owned(), pasted: None });
        };
        let mut kept: Vec<&str> = Vec::new();
        let mut pasted = None;
        let mut at = query_at + 1;
        for pair in text[at..].split('&') {
            match (pair.split_once('='), form.parameter) {
                (Some((name, value)), Some(secret)) if name == secret => {
                    let place = at..at + name.len();
                    if value.is_empty() || pasted.is_some() {
                        return wrong(self, place, "expected one key with a value");
                    }
                    pasted = Some((said.place(self.problems, &place), SecretString::from(value)));
                }
                _ => kept.push(pair),
            }
            at += pair.len() + 1;
        }
        let (query, path) = (kept.join("&"), &text[..query_at]);
        let url = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        Some(Address { url, host: authority.to_owned(), pasted })
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
