//! The journal of systemd: how `journalctl` is asked for it, and what it answers as lines that rules know from syslog.
//!
//! ```text
//! 2026-01-05T10:00:00.5Z web-1 sshd[4711]: Failed password for root from 192.0.2.7
//! ```
//!
//! Whoever may write into the journal chooses its text and what he calls himself, so neither can begin another line, and
//! the name can not end before its `[`.

use std::ffi::OsString;

use serde_json::{Map, Value, json};

use crate::model::{Format, Timestamp};
use crate::settings::{Journal, Start};

/// Bytes of an entry as `journalctl` writes it; what is longer is skipped.
pub(super) const LONGEST: usize = 4 * 1024 * 1024;
/// Characters of a name.
const LONGEST_NAME: usize = 64;
/// What is asked for, besides the cursor and the time.
const FIELDS: [&str; 8] =
    ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "_COMM", "_HOSTNAME", "_PID", "_SYSTEMD_UNIT"];

/// Where reading begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum From<'a> {
    /// Behind the entry of that cursor.
    Cursor(&'a str),
    /// As the source says.
    Start(Start),
    /// With what was written from that second on, counted from the epoch.
    Second(i64),
}

/// How `journalctl` is called. With `follow` it waits for more, and from systemd 251 on knows nothing then of what was
/// written before the last boot: what is past has to be asked for by itself.
pub(super) fn arguments(journal: &Journal, from: From<'_>, follow: bool) -> Vec<OsString> {
    let mut all = vec!["--no-pager".to_owned(), "--all".to_owned(), "--output=json".to_owned()];
    all.extend(follow.then(|| "--follow".to_owned()));
    all.push(format!("--output-fields={}", FIELDS.join(",")));
    all.extend(journal.units.iter().map(|unit| format!("--unit={unit}")));
    all.extend(journal.identifiers.iter().map(|name| format!("--identifier={name}")));
    match from {
        From::Cursor(cursor) => all.extend(["--no-tail".to_owned(), format!("--after-cursor={cursor}")]),
        From::Second(second) => all.extend(["--no-tail".to_owned(), format!("--since=@{second}")]),
        From::Start(Start::Beginning) => all.push("--no-tail".to_owned()),
        From::Start(Start::Since(age)) => {
            all.extend(["--no-tail".to_owned(), format!("--since=-{}s", age.as_secs())]);
        }
        // Its cursor is where the end is; who knows none begins at the end of the next start.
        From::Start(Start::End | Start::Last(_)) => all.push("--lines=1".to_owned()),
    }
    all.into_iter().map(OsString::from).collect()
}

/// The boot that an entry is of, by its cursor.
pub(super) fn boot(cursor: &str) -> Option<&str> {
    cursor.split(';').find_map(|part| part.strip_prefix("b="))
}

/// An entry of the journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// With its line feed; `None`: it has no text.
    pub(super) line: Option<Vec<u8>>,
    /// Where it stands.
    pub(super) cursor: Option<String>,
    /// When it was written.
    pub(super) time: Option<Timestamp>,
}

/// What `journalctl` wrote of an entry; `None`: it is none.
pub(super) fn entry(json: &[u8], format: Format) -> Option<Entry> {
    let fields: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let cursor = fields.get("__CURSOR").and_then(Value::as_str).map(str::to_owned);
    let bytes = |name: &str| fields.get(name).and_then(bytes);
    let text = |name: &str| bytes(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let number = |name: &str| {
        text(name).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let written = number("__REALTIME_TIMESTAMP").and_then(|time| time.parse().ok());
    let Some(message) = bytes("MESSAGE") else {
        return Some(Entry { line: None, cursor, time: written.map(Timestamp) });
    };
    let time = written.and_then(|time| jiff::Timestamp::from_microsecond(time).ok());
    let pid = number("_PID").or_else(|| number("SYSLOG_PID"));
    let who = text("SYSLOG_IDENTIFIER").or_else(|| text("_COMM"));
    let mut line = Vec::new();
    if format == Format::Json {
        let mut said = Map::new();
        said.extend(time.map(|time| ("time".to_owned(), json!(time.to_string()))));
        said.insert("MESSAGE".to_owned(), String::from_utf8_lossy(&message).into());
        for (name, value) in [("SYSLOG_IDENTIFIER", who), ("_PID", pid)] {
            said.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        for name in ["_HOSTNAME", "_SYSTEMD_UNIT", "PRIORITY"] {
            said.extend(text(name).map(|value| (name.to_owned(), value.into())));
        }
        line.extend(Value::Object(said).to_string().bytes());
    } else {
        if let Some(time) = time {
            line.extend(time.to_string().bytes());
            line.push(b' ');
        }
        line.extend(name(text("_HOSTNAME").as_deref()).bytes());
        line.push(b' ');
        line.extend(name(who.as_deref()).bytes());
        if let Some(pid) = pid {
            line.extend(format!("[{pid}]").bytes());
        }
        line.extend(b": ");
        for byte in message {
            // As rsyslog writes it.
            if byte == b'\n' { line.extend(b"#012") } else { line.push(byte) }
        }
    }
    line.push(b'\n');
    Some(Entry { line: Some(line), cursor, time: written.map(Timestamp) })
}

/// A field as bytes: text, or numbers where it is none, or the first of several.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Array(items) => {
            let numbers = items.iter().map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok()));
            numbers.collect::<Option<Vec<u8>>>().or_else(|| bytes(items.first()?))
        }
        _ => None,
    }
}

/// A word that ends where a name of syslog does.
fn name(text: Option<&str>) -> String {
    let ends = |c: char| c.is_whitespace() || c.is_control() || "[]:".contains(c);
    let word: String = text.unwrap_or("").chars().take_while(|c| !ends(*c)).take(LONGEST_NAME).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What a line is made of these fields, besides those that every entry has.
    fn line(fields: &str, format: Format) -> String {
        let json = format!(
            r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1767607200500000","_HOSTNAME":"web-1",{fields}}}"#
        );
        let entry = entry(json.as_bytes(), format).unwrap();
        assert_eq!(entry.cursor.as_deref(), Some("s=1;i=2"));
        String::from_utf8(entry.line.unwrap()).unwrap()
    }

    #[test]
    fn an_entry_is_the_line_that_syslog_would_have_written() {
        let check = |fields: &str, expected: &str| {
            assert_eq!(line(fields, Format::Plain), format!("2026-01-05T10:00:00.5Z web-1 {expected}\n"));
        };
        check(
            r#""MESSAGE":"Failed password","SYSLOG_IDENTIFIER":"sshd","_PID":"7""#,
            "sshd[7]: Failed password",
        );
        check(r#""MESSAGE":"x","_COMM":"cron","SYSLOG_PID":"8""#, "cron[8]: x");
        check(r#""MESSAGE":"","SYSLOG_IDENTIFIER":"kernel""#, "kernel: ");
        // Bytes that are no text, and several values.
        check(r#""MESSAGE":[104,105,9,33],"SYSLOG_IDENTIFIER":["a","b"]"#, "a: hi\t!");
        // What is chosen to be another line, or another name.
        let forged = r"x\n2026-01-05T10:00:00Z web-1 sshd[1]: y";
        check(&format!(r#""MESSAGE":"{forged}""#), "-: x#0122026-01-05T10:00:00Z web-1 sshd[1]: y");
        check(r#""MESSAGE":"x","SYSLOG_IDENTIFIER":"sshd[1]: y","_PID":"7""#, "sshd[7]: x");
        check(r#""MESSAGE":"x","SYSLOG_IDENTIFIER":"a b\nc","_PID":"7 z""#, "a: x");
    }

    #[test]
    fn with_fields_it_keeps_the_names_of_the_journal() {
        let fields = r#""MESSAGE":"a\nb","SYSLOG_IDENTIFIER":"sshd","_PID":"7","_SYSTEMD_UNIT":"ssh.service","PRIORITY":"3""#;
        let line = line(fields, Format::Json);
        assert_eq!(line.matches('\n').count(), 1);
        let said: Value = serde_json::from_str(&line).unwrap();
        let expected = json!({
            "time": "2026-01-05T10:00:00.5Z", "MESSAGE": "a\nb", "SYSLOG_IDENTIFIER": "sshd", "_PID": "7",
            "_HOSTNAME": "web-1", "_SYSTEMD_UNIT": "ssh.service", "PRIORITY": "3",
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_no_entry_and_what_has_no_text_is_known() {
        assert_eq!(entry(b"-- No entries --", Format::Plain), None);
        assert_eq!(entry(b"[]", Format::Plain), None);
        let silent = entry(br#"{"__CURSOR":"c","MESSAGE":null}"#, Format::Plain).unwrap();
        assert_eq!(silent, Entry { line: None, cursor: Some("c".to_owned()), time: None });
        let bare = entry(br#"{"MESSAGE":"x","__REALTIME_TIMESTAMP":"never"}"#, Format::Plain).unwrap();
        assert_eq!(bare, Entry { line: Some(b"- -: x\n".to_vec()), cursor: None, time: None });
    }

    #[test]
    fn it_is_asked_for_what_was_not_read_yet() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let journal = Journal {
            units: texts(&["ssh.service"]),
            identifiers: texts(&["sudo"]),
            program: "journalctl".into(),
        };
        let check = |from, expected: &[&str]| {
            for follow in [true, false] {
                let all = arguments(&journal, from, follow);
                let said: Vec<&str> = all.iter().filter_map(|word| word.to_str()).collect();
                assert_eq!(said.contains(&"--follow"), follow);
                let asked = &said[4 + usize::from(follow)..];
                assert_eq!(asked, [&["--unit=ssh.service", "--identifier=sudo"], expected].concat());
            }
        };
        check(From::Start(Start::End), &["--lines=1"]);
        check(From::Start(Start::Beginning), &["--no-tail"]);
        check(From::Start(Start::Since(Duration::from_secs(900))), &["--no-tail", "--since=-900s"]);
        check(From::Cursor("s=1;i=2"), &["--no-tail", "--after-cursor=s=1;i=2"]);
        check(From::Second(7), &["--no-tail", "--since=@7"]);
        assert_eq!(boot("s=1;i=2;b=4a;m=3"), Some("4a"));
        assert_eq!(boot("12"), None);
    }
}
