//! Words of other tools, and what to write here: who knows those is told at once, not sent to a manual.
//!
//! Of fail2ban (jail.conf(5)), Prometheus (alerting rules), Vector, Promtail and Filebeat (file sources).

use super::keys::Key;

/// Words that mean something in patterns of fail2ban, and what to write here.
pub(super) const PATTERN_IDIOMS: [(&str, &str); 8] = [
    ("<HOST>", "`%{ip:host}`"),
    ("<ADDR>", "`%{ip:host}`"),
    ("<IP4>", "`%{ipv4:host}`"),
    ("<IP6>", "`%{ipv6:host}`"),
    ("<F-USER>", "`(?<user>…)`"),
    ("<F-ID>", "`(?<id>…)`"),
    ("<SKIPLINES>", "one rule for each line, and `after`"),
    ("%(__prefix_line)s", "`^%{syslog} `"),
];

/// Keys of others, the key that stands here for it, and how that is written.
const KEY_IDIOMS: [(&[&str], &str, &str); 17] = [
    (&["failregex", "regex", "regexp", "pattern", "patterns"], "match", "`match`"),
    (&["ignoreregex", "ignore_regex"], "ignore", "`ignore`"),
    (
        &["maxretry", "threshold", "count"],
        "critical",
        "`warning = \">= 5\"` or `critical = \">= 50\"`, and `within`",
    ),
    (&["findtime", "window", "interval", "timeframe"], "within", "`within = \"10m\"`"),
    (&["bantime", "keep_firing_for", "cooldown"], "resolve_after", "`resolve_after = \"10m\"`"),
    (&["ignoreip"], "where", "`where`, such as `where = 'src_ip !~ \"^10\\.\"'`"),
    (&["alert", "id"], "name", "`name`"),
    (&["expr", "condition"], "measure", "`measure` and `where`"),
    (&["key", "keys", "group_by", "dedup_key", "fingerprint"], "by", "`by = [\"src_ip\"]`, of captures"),
    (&["annotations", "message", "title"], "summary", "`summary` and `description`"),
    (&["runbook_url"], "runbook", "`runbook`"),
    (&["keep", "filter"], "where", "`where`"),
    (&["tags"], "labels", "`labels`"),
    (&["logpath", "path", "paths", "include", "__path__"], "files", "`files`"),
    (&["ignore_files", "exclude_files"], "exclude", "`exclude`"),
    (&["read_from", "start_position", "tail_files"], "start", "`start = \"beginning\"` or `\"end\"`"),
    (&["backend"], "files", "nothing: how a file is watched is found out; `journal` reads the journal"),
];

/// What to write in place of a key of others in a table that has these.
pub(super) fn way(name: &str, keys: &[&[Key]]) -> Option<String> {
    let has = |key: &str| keys.iter().copied().flatten().any(|known| known.name == key);
    let (.., way) = KEY_IDIOMS.iter().find(|(names, key, _)| names.contains(&name) && has(key))?;
    Some(format!("write {way}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{main_file, rules};

    #[test]
    fn a_key_of_others_leads_to_one_that_there_is() {
        let all = [rules::RULE_OWN, rules::DEFAULTS, main_file::SOURCE];
        for (names, key, _) in KEY_IDIOMS {
            assert!(all.iter().copied().flatten().any(|known| known.name == key), "`{key}` is none");
            for name in names {
                assert!(way(name, &all).is_some(), "`{name}`");
                assert!(all.iter().copied().flatten().all(|known| known.name != *name), "`{name}` is one");
            }
        }
    }

    #[test]
    fn a_key_of_others_is_spoken_of_where_its_likeness_can_stand() {
        let check = |name, keys: &[Key], expected: Option<&str>| {
            assert_eq!(way(name, &[keys]).as_deref(), expected, "{name}");
        };
        check("findtime", rules::DEFAULTS, Some("write `within = \"10m\"`"));
        check("findtime", main_file::SOURCE, None);
        check("path", main_file::SOURCE, Some("write `files`"));
        check("withn", rules::DEFAULTS, None);
    }
}
