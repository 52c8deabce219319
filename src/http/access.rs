//! Who may ask: by which name, from where, and with which token.
//!
//! A browser can be made to ask any address in somebody's name (DNS rebinding, forms of other pages), so a `Host` must
//! be a loopback name, the very address that was connected to or one of the configured names, and a request of another
//! page is refused. Changes need the token as `Authorization: Bearer`, which no browser sends by itself.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Characters of a token, at least: 128 bits in base64.
pub const TOKEN_LEAST: usize = 22;

/// What is known of who may ask.
#[derive(Clone)]
pub struct Doorkeeper {
    /// Names besides loopback names and the address itself, in small letters.
    pub hosts: Arc<[String]>,
    /// The token as it is now; `None`: none is configured. `Err` says why it can not be had.
    pub token: Option<Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>>,
}

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) read: bool,
    pub(super) write: bool,
    /// A token was brought that is not the one.
    pub(super) wrong: bool,
}

impl Doorkeeper {
    /// What may be asked with these headers by who came to `local`.
    pub(super) fn access(&self, headers: &HeaderMap, local: Option<SocketAddr>) -> Access {
        let near =
            local.is_some_and(|local| local.ip().to_canonical().is_loopback()) && !is_passed_on(headers);
        let brought = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let right = brought.is_some_and(|value| self.is_token(value));
        Access { read: near || right, write: right, wrong: brought.is_some() && !right }
    }

    fn is_token(&self, authorization: &[u8]) -> bool {
        let Some((scheme, brought)) = authorization.split_at_checked(7) else { return false };
        let Some(Ok(token)) = self.token.as_ref().map(|token| token()) else { return false };
        scheme.eq_ignore_ascii_case(b"bearer ")
            && same(brought.trim_ascii(), token.expose_secret().as_bytes())
    }

    /// True if `host` (a `Host` header: name or address, maybe with a port) is a loopback name or address, a configured
    /// name, or the address `local` that was connected to. The port is not looked at: forwarding changes it.
    pub(super) fn is_ours(&self, host: &[u8], local: Option<SocketAddr>) -> bool {
        let Ok(authority) = Authority::try_from(host) else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host();
        is_loopback(name)
            || self.hosts.iter().any(|host| name.eq_ignore_ascii_case(host))
            || local.zip(address(name)).is_some_and(|(local, address)| local.ip().to_canonical() == address)
    }
}

/// True if somebody on this machine passes on what others ask: a proxy says so, or keeps the name by which it was asked.
fn is_passed_on(headers: &HeaderMap) -> bool {
    let says_so =
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    let here = |host: &axum::http::HeaderValue| {
        let host = Authority::try_from(host.as_bytes());
        host.is_ok_and(|host| is_loopback(host.host()))
    };
    says_so || !headers.get_all(header::HOST).iter().all(here)
}

/// True of a name or address that means this machine wherever it is said.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || address(name).is_some_and(|address| address.is_loopback())
}

fn address(name: &str) -> Option<IpAddr> {
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => name.parse(),
    };
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// True if a browser says that another page than ours asks.
pub(super) fn is_of_another_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return true;
    }
    let host = headers.get(header::HOST).map(|value| value.as_bytes());
    headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.as_bytes();
        let authority = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
        authority.is_none() || authority != host
    })
}

/// Compares in a time that tells nothing of where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter().zip(other.iter()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn keeper(token: bool) -> Doorkeeper {
        let read: Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync> =
            Arc::new(|| Ok(SecretString::from(TOKEN)));
        Doorkeeper { hosts: Arc::from(["web-1.example.com".to_owned()]), token: token.then_some(read) }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn check(token: bool, local: &str, authorization: &str, expected: (bool, bool, bool)) {
        let headers = match authorization {
            "" => HeaderMap::new(),
            value => headers(&[("authorization", value)]),
        };
        let Access { read, write, wrong } = keeper(token).access(&headers, local.parse().ok());
        assert_eq!((read, write, wrong), expected, "{token} {local} {authorization}");
    }

    #[test]
    fn reading_is_free_on_loopback_and_all_else_needs_the_token() {
        let bearer = format!("Bearer {TOKEN}");
        check(false, "127.0.0.1:1", "", (true, false, false));
        check(false, "[::1]:1", "", (true, false, false));
        check(false, "10.0.0.1:1", "", (false, false, false));
        check(false, "nobody knows", "", (false, false, false));
        check(false, "127.0.0.1:1", &bearer, (true, false, true));
        check(true, "127.0.0.1:1", "", (true, false, false));
        check(true, "127.0.0.1:1", &bearer, (true, true, false));
        check(true, "10.0.0.1:1", &bearer, (true, true, false));
        check(true, "10.0.0.1:1", "", (false, false, false));
    }

    /// What comes through a proxy on this machine comes from elsewhere.
    #[test]
    fn what_is_passed_on_needs_the_token_though_it_comes_from_here() {
        for (pairs, read) in [
            (vec![("host", "localhost:7437")], true),
            (vec![("host", "127.0.0.1")], true),
            (vec![("host", "[::1]:7437")], true),
            (vec![("host", "web-1.example.com")], false),
            (vec![("host", "localhost"), ("x-forwarded-for", "192.0.2.7")], false),
            (vec![("host", "localhost"), ("forwarded", "for=192.0.2.7")], false),
            (vec![("host", "localhost"), ("via", "1.1 proxy")], false),
        ] {
            let access = keeper(true).access(&headers(&pairs), "127.0.0.1:1".parse().ok());
            assert_eq!(access.read, read, "{pairs:?}");
        }
    }

    /// CVE-2025-12978 was a comparison that took a part for the whole.
    #[test]
    fn no_part_of_a_token_and_no_other_way_to_bring_it_will_do() {
        for end in 0..TOKEN.len() {
            check(true, "10.0.0.1:1", &format!("Bearer {}", &TOKEN[..end]), (false, false, true));
        }
        for value in ["Basic 0123456789abcdef0123456789abcdef", TOKEN, "Bearer", "Bearer  "] {
            check(true, "10.0.0.1:1", value, (false, false, true));
        }
        check(true, "10.0.0.1:1", &format!("Bearer {TOKEN}0"), (false, false, true));
        check(true, "10.0.0.1:1", &format!("Bearer {}", TOKEN.to_uppercase()), (false, false, true));
        check(true, "10.0.0.1:1", &format!("bearer {TOKEN}"), (true, true, false));
    }

    #[test]
    fn another_page_is_known_by_what_the_browser_says_of_it() {
        for (pairs, other) in [
            (vec![], false),
            (vec![("host", "localhost:7437"), ("origin", "http://localhost:7437")], false),
            (vec![("host", "localhost:7437"), ("origin", "http://localhost:80")], true),
            (vec![("host", "localhost:7437"), ("origin", "http://evil.example")], true),
            (vec![("host", "localhost:7437"), ("origin", "null")], true),
            (vec![("sec-fetch-site", "same-origin")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![("sec-fetch-site", "cross-site")], true),
            (vec![("sec-fetch-site", "same-site")], true),
        ] {
            assert_eq!(is_of_another_page(&headers(&pairs)), other, "{pairs:?}");
        }
    }

    #[test]
    fn configured_names_are_ours() {
        for (host, ours) in [
            ("web-1.example.com", true),
            ("WEB-1.example.com:7437", true),
            ("web-2.example.com", false),
            ("x@web-1.example.com", false),
        ] {
            assert_eq!(keeper(false).is_ours(host.as_bytes(), None), ours, "{host}");
        }
    }

    #[test]
    fn the_address_that_was_connected_to_is_ours() {
        let local = |text: &str| Some(text.parse().unwrap());
        for (host, local, ours) in [
            ("10.0.0.7:7437", local("10.0.0.7:7437"), true),
            ("10.0.0.7", local("[::ffff:10.0.0.7]:7437"), true),
            ("[fd00::1]:9", local("[fd00::1]:7437"), true),
            ("10.0.0.8", local("10.0.0.7:7437"), false),
            ("10.0.0.7", None, false),
        ] {
            assert_eq!(keeper(false).is_ours(host.as_bytes(), local), ours, "{host} at {local:?}");
        }
    }
}
