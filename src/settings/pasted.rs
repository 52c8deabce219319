//! What was pasted where the name of something was wanted. By its form: a key in the wrong place is never shown.

/// Characters from which on a word of letters and digits is taken for a key: those of peers have 20 and more.
const KEY_LENGTH: usize = 20;

/// Characters from which on what stands in the place of a name and is none may be a key, whatever it is made of.
const UNUSUAL_LENGTH: usize = 16;

/// What keys of services begin with, and names do not.
const BEGINNINGS: [&str; 9] = ["sk_", "sk-", "whsec_", "xoxb-", "xoxp-", "xapp-", "ghp_", "glpat-", "eyJ"];

/// True for the name of an environment variable: letters, digits and `_`, no digit first, and no key.
pub fn is_variable(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(sound)
        && !looks_like_a_key(name)
}

/// True for the path of a file: no address, and no key. An absolute path holds whatever it likes, hashes too.
pub fn is_path(path: &str) -> bool {
    path.starts_with(['/', '$'])
        || !(path.contains("://")
            || path.ends_with('=')
            || is_uuid(path)
            || path.split('/').any(looks_like_a_key))
}

/// True if a variable of that name that is not there may be a key: variables are written in capitals.
pub fn is_unusual_variable(name: &str) -> bool {
    name.len() >= UNUSUAL_LENGTH && name.contains(|c: char| c.is_ascii_lowercase())
}

/// True if a file of that name, without its directory, that is not there may be a key: names are made of shorter words.
pub fn is_unusual_file(name: &str) -> bool {
    name.split(['_', '-', '.']).any(|word| word.len() >= UNUSUAL_LENGTH)
}

/// True if it begins as keys do, or if one of its words, between `_`, `-` and `.`, is as long as keys are and has letters
/// and digits as they have.
fn looks_like_a_key(text: &str) -> bool {
    let begins = text.len() >= UNUSUAL_LENGTH && BEGINNINGS.iter().any(|first| text.starts_with(first));
    begins
        || text.split(['_', '-', '.']).any(|word| {
            let has = |of: fn(&u8) -> bool| word.bytes().any(|byte| of(&byte));
            word.len() >= KEY_LENGTH && has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit)
        })
}

/// The form that some peers give their keys.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_give_as_keys_is_neither_a_variable_nor_a_path() {
        for key in [
            "R0ABCDEFGHIJ0123456789abcdef0123",
            "4f2a9c0de1b34567890abcdef1234567",
            "https://hooks.slack.com/services/T0/B0/x",
            "693a4bc6-7a0c-4bc4-97a0-0ec251fa5aaa",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "SEC0123456789abcdef0123456789abcdef0123456789abcdef",
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "sk_live_abcdefghijklmnopqrst",
            "whsec_YWFhYWFhYWFhYWFhYWFhYWFh",
            "xoxb-1234567890123-abcdefghijklmnop",
            "eyJhbGciOi.eyJzdWIi.abc-def",
        ] {
            assert!(!is_variable(key), "{key}");
            assert!(!is_path(key), "{key}");
        }
    }

    #[test]
    fn what_is_no_name_by_convention_is_told_from_what_is() {
        for name in ["FLASHDUTY_INTEGRATION_KEY", "PAGERDUTYROUTINGKEY2", "key", "slack_url_dev"] {
            assert!(!is_unusual_variable(name), "{name}");
        }
        for name in ["abcdefghijklmnop", "pagerDutyRoutingKeyOfProduction"] {
            assert!(is_unusual_variable(name), "{name}");
        }
        for name in ["flashduty-integration-key", "pager_duty.production.key", "slack.url"] {
            assert!(!is_unusual_file(name), "{name}");
        }
        for name in ["abcdefghijklmnop", "tok-ABCDEFGHIJKLMNOP"] {
            assert!(is_unusual_file(name), "{name}");
        }
    }

    #[test]
    fn names_and_paths_stay_what_they_are() {
        for name in
            ["FLASHDUTY_KEY", "pagerDutyRoutingKeyOfProduction", "_K8S", "K8S_PAGERDUTY_2_ROUTING_KEY"]
        {
            assert!(is_variable(name), "{name}");
        }
        for name in ["", "1A", "A-B", "A B", "A=B", "ÄB"] {
            assert!(!is_variable(name), "{name}");
        }
        for path in [
            "key",
            "secrets/prod2/pagerduty/routing.key",
            "/var/lib/docker/4f2a9c0de1b34567890abcdef1234567/key",
            "$CREDENTIALS_DIRECTORY/4f2a9c0de1b34567890abcdef1234567",
            "../flashduty-integration-key-of-production",
            "sk_key",
        ] {
            assert!(is_path(path), "{path}");
        }
    }
}
