//! Fields against a plain oracle: every field of a line by `serde_json`, or the pairs that a line was written from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::model::FileId;
use crate::rule::{Pattern, Rule, Ruleset};
use crate::scan::samples::rule;
use crate::scan::{Block, Scanned, Scanner, Tail};

/// The asked for fields of a line; `None`: it has none at all.
fn read(format: Format, line: &[u8], names: &[&str]) -> Option<Vec<Option<String>>> {
    let reader = Reader::new(format, names.iter().copied());
    // What was made of the line before is still there.
    let mut fields = Fields { made: b"of another line".to_vec(), ..Fields::default() };
    let is_read = reader.read(line, &mut fields);
    let text = |name: &&str| {
        let place = reader.place(name).expect("it was asked for");
        let text = fields.all[place]?.of(line, &fields.made);
        Some(String::from_utf8_lossy(text).into_owned())
    };
    is_read.then(|| names.iter().map(text).collect())
}

fn check(format: Format, line: &str, expected: &[(&str, Option<&str>)]) {
    let (names, texts): (Vec<&str>, Vec<Option<&str>>) = expected.iter().copied().unzip();
    let found = read(format, line.as_bytes(), &names).unwrap_or_else(|| panic!("no fields: {line}"));
    assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), texts, "{line}");
}

fn check_none(format: Format, line: &[u8]) {
    assert_eq!(read(format, line, &["a"]), None, "{}", line.escape_ascii());
}

#[test]
fn a_field_is_named_by_the_keys_that_lead_to_it() {
    let line =
        r#" {"a":"x","http":{"status":503,"ok":false},"list":[1,{"b":"y"},[true]],"log.level":"warn","":7} "#;
    check(
        Format::Json,
        line,
        &[
            ("a", Some("x")),
            ("http.status", Some("503")),
            ("http.ok", Some("false")),
            ("list.0", Some("1")),
            ("list.1.b", Some("y")),
            ("list.2.0", Some("true")),
            ("list.3", None),
            ("log.level", Some("warn")),
            ("http", None),
            ("list", None),
            ("stat", None),
            ("http.statu", None),
            ("http.status.x", None),
            ("", Some("7")),
        ],
    );
    check(
        Format::Json,
        r#"{"a":{"":1,"b.c":2,".d":3}}"#,
        &[("a.", Some("1")), ("a.b.c", Some("2")), ("a..d", Some("3"))],
    );
    check(Format::Json, "{}", &[("a", None)]);
}

#[test]
fn names_that_begin_alike_are_told_apart() {
    let line = r#"{"a-b":1,"a":{"b":2,"bc":{"d":3}},"a.b":4,"ab":5,"a b":6}"#;
    let expected =
        [("a-b", "1"), ("a.b", "4"), ("a.bc.d", "3"), ("ab", "5"), ("a b", "6")].map(|(n, v)| (n, Some(v)));
    check(Format::Json, line, &expected);
}

#[test]
fn texts_are_without_their_escapes_and_so_are_names() {
    check(
        Format::Json,
        r#"{"m\u0073g":"say \"h\u00e9\"\n","plain":"a","b":"\\"}"#,
        &[("msg", Some("say \"hé\"\n")), ("plain", Some("a")), ("b", Some("\\"))],
    );
}

#[test]
fn of_several_fields_of_one_name_the_last_counts_and_null_is_none() {
    check(Format::Json, r#"{"a":1,"a":"\u0032"}"#, &[("a", Some("2"))]);
    check(Format::Json, r#"{"a":1,"a":null,"b":null}"#, &[("a", None), ("b", None)]);
    check(Format::Json, r#"{"a":1,"a":{"b":2}}"#, &[("a", None), ("a.b", Some("2"))]);
    check(Format::Json, r#"{"a":{"b":2},"a.b":3}"#, &[("a.b", Some("3"))]);
    check(Format::Logfmt, "a=1 a=2", &[("a", Some("2"))]);
}

#[test]
fn numbers_and_words_are_kept_as_they_are_written() {
    check(
        Format::Json,
        r#"{"a":-1.50e+3,"b":true,"c":NaN,"d":-Infinity,"e":12345678901234567890123}"#,
        &[
            ("a", Some("-1.50e+3")),
            ("b", Some("true")),
            ("c", Some("NaN")),
            ("d", Some("-Infinity")),
            ("e", Some("12345678901234567890123")),
        ],
    );
}

#[test]
fn what_is_not_one_json_object_has_no_fields() {
    for line in [
        "",
        " ",
        "x",
        "[1]",
        "\"a\"",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{a:1}",
        "{\"a\":x}",
        "{\"a\":[1,]}",
        "{\"a\":[1}",
        "{\"a\":\"x}",
        "{\"a\":\"\\\"}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":1.2.3}",
        "{\"a\":.5}",
        "{,}",
        "{\"a\":tru}",
        "{\"a\":[}]}",
    ] {
        check_none(Format::Json, line.as_bytes());
    }
}

#[test]
fn what_is_nested_too_deep_has_no_fields_and_takes_no_stack() {
    let nested = |depth: usize, open: &str, close: &str| {
        format!("{{\"a\":1,\"b\":{}0{}}}", open.repeat(depth), close.repeat(depth))
    };
    check(Format::Json, &nested(120, "[", "]"), &[("a", Some("1"))]);
    check(Format::Json, &nested(120, "{\"b\":", "}"), &[("a", Some("1"))]);
    check_none(Format::Json, nested(128, "[", "]").as_bytes());
    check_none(Format::Json, "{\"a\":".repeat(200_000).as_bytes());
    check_none(Format::Json, format!("{{\"b\":{}", "[".repeat(1_000_000)).as_bytes());
}

#[test]
fn bytes_that_are_not_utf8_and_control_characters_may_stand_in_texts() {
    let line = b"{\"a\":\"x\xff\ty\",\"b\":1}";
    assert_eq!(
        read(Format::Json, line, &["a", "b"]),
        Some(vec![Some("x\u{fffd}\ty".to_owned()), Some("1".to_owned())])
    );
}

#[test]
fn logfmt_is_read_as_its_writers_write_it() {
    check(
        Format::Logfmt,
        r#"time=2026-01-02T15:04:05Z level=warn msg="say \"x\"\n" debug path=/a=b&c empty= quoted="" tail"#,
        &[
            ("level", Some("warn")),
            ("msg", Some("say \"x\"\n")),
            ("debug", Some("")),
            ("path", Some("/a=b&c")),
            ("empty", Some("")),
            ("quoted", Some("")),
            ("tail", Some("")),
            ("nothing", None),
        ],
    );
    check(Format::Logfmt, "http.status=503 @t=1", &[("http.status", Some("503")), ("@t", Some("1"))]);
}

#[test]
fn junk_between_pairs_is_passed_over() {
    check(
        Format::Logfmt,
        r#"Jan 5 10:00:00 h app[1]: =x "stray a=1 "b=2 c="3"d=4 e="unclosed a=9"#,
        &[
            ("a", Some("1")),
            ("b", Some("2")),
            ("c", Some("3")),
            ("d", Some("4")),
            ("e", Some("unclosed a=9")),
            ("", None),
        ],
    );
    for line in ["", "   ", "panic: runtime error", "=", "= =x", "\"", "\"\"\""] {
        check_none(Format::Logfmt, line.as_bytes());
    }
}

#[test]
fn a_plain_line_has_no_fields() {
    check_none(Format::Plain, b"{\"a\":1}");
}

/// Lines as loggers write them, the time being 2026-01-02T15:04:05.678Z or a part of it.
#[test]
fn structured_lines_tell_their_time_in_a_field_wherever_it_stands() {
    let far = "x".repeat(400);
    let at = |micros: i64| Some(Stamp::Instant(crate::model::Timestamp(1_767_366_245_000_000 + micros)));
    let check = |format, line: &str, expected| {
        let reader = Reader::new(format, std::iter::empty());
        assert_eq!(reader.stamp(line.as_bytes()), expected, "{line}");
    };
    let json = |line: String, micros| check(Format::Json, &line, at(micros));
    // zap, with its two usual encoders
    json(
        format!(
            r#"{{"level":"error","ts":1767366245.678,"caller":"a/b.go:7","msg":"{far}","stacktrace":"x"}}"#
        ),
        678_000,
    );
    json(format!(r#"{{"L":"ERROR","msg":"{far}","ts":"2026-01-02T15:04:05.678Z"}}"#), 678_000);
    // logrus, slog
    json(format!(r#"{{"level":"warning","msg":"{far}","time":"2026-01-02T16:04:05+01:00"}}"#), 0);
    json(r#"{"time":"2026-01-02T15:04:05.678901234Z","level":"INFO","msg":"x"}"#.to_owned(), 678_901);
    // pino, bunyan, winston
    json(r#"{"level":50,"time":1767366245678,"pid":7,"hostname":"h","msg":"x"}"#.to_owned(), 678_000);
    json(
        format!(
            r#"{{"name":"a","hostname":"h","pid":7,"level":50,"msg":"{far}","time":"2026-01-02T15:04:05.678Z","v":0}}"#
        ),
        678_000,
    );
    json(
        format!(
            r#"{{"level":"error","message":"{far} 2020-01-01 00:00:00","timestamp":"2026-01-02T15:04:05.678Z"}}"#
        ),
        678_000,
    );
    // log4j: JsonLayout, the older one, and the layout of the Elastic Common Schema
    json(
        format!(
            r#"{{"instant":{{"epochSecond":1767366245,"nanoOfSecond":678000000}},"level":"ERROR","message":"{far}"}}"#
        ),
        678_000,
    );
    json(r#"{"timeMillis":1767366245678,"thread":"main","level":"ERROR","message":"x"}"#.to_owned(), 678_000);
    json(
        format!(
            r#"{{"log.level":"ERROR","message":"{far}","@timestamp":"2026-01-02T15:04:05.678Z","ecs.version":"1.2.0"}}"#
        ),
        678_000,
    );
    // nginx with escape=json
    json(
        r#"{"remote_addr":"192.0.2.7","time_local":"02/Jan/2026:15:04:05 +0000","status":"503"}"#.to_owned(),
        0,
    );
    json(r#"{"msec":"1767366245.678","request_time":"0.120","status":"503"}"#.to_owned(), 678_000);
    json(r#"{"time":"0.120","time_iso8601":"2026-01-02T15:04:05+00:00"}"#.to_owned(), 0);
    // Nanoseconds, a name with an escape, and a time in a text that is none of the line
    json(r#"{"ts":1767366245678000000}"#.to_owned(), 678_000);
    json(r#"{"t\u0073":1767366245}"#.to_owned(), 0);
    json(
        r#"{"msg":"\"ts\":1600000000","user":{"time":"2020-01-01T00:00:00Z"},"ts":1767366245}"#.to_owned(),
        0,
    );
    let logfmt = |line: String, micros| check(Format::Logfmt, &line, at(micros));
    logfmt(format!(r#"level=error msg="{far}" time="2026-01-02T15:04:05Z""#), 0);
    logfmt("logger=x t=2026-01-02T15:04:05.678Z level=error".to_owned(), 678_000);
    logfmt("ts=1767366245.678 caller=a.go:7 level=error".to_owned(), 678_000);
    // Where no field tells it, it is looked for as in every line
    logfmt("2026-01-02T15:04:05.678Z app[7]: level=error".to_owned(), 678_000);
    check(Format::Json, "2026-01-02T15:04:05Z panic: x", at(0));
    check(Format::Json, r#"{"ts":"soon"}"#, None);
}

/// Every field of a JSON text, as `serde_json` reads it.
struct Leaves<'m> {
    /// `None`: of the whole text. A key may be empty.
    name: Option<String>,
    all: &'m mut BTreeMap<String, String>,
}

impl Leaves<'_> {
    fn below(&mut self, key: &str) -> Leaves<'_> {
        let name = self.name.as_ref().map_or_else(|| key.to_owned(), |name| format!("{name}.{key}"));
        Leaves { name: Some(name), all: self.all }
    }

    fn put<E>(self, value: impl ToString) -> Result<(), E> {
        self.all.extend(self.name.map(|name| (name, value.to_string())));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Leaves<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        self.name.as_ref().and_then(|name| self.all.remove(name));
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Leaves<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.put(value)
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.put(value)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(self.below(&key))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut place = 0;
        while let Some(()) = seq.next_element_seed(self.below(&place.to_string()))? {
            place += 1;
        }
        Ok(())
    }
}

fn leaves(line: &str) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    if !line.trim_start().starts_with('{') {
        return None;
    }
    let mut reader = serde_json::Deserializer::from_str(line);
    Leaves { name: None, all: &mut all }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(all)
}

const KEYS: [&str; 8] = ["a", "b", "ab", "a.b", "a-b", "\\u0061", "é", "x y"];

/// Any JSON, as text, with blanks and with keys that come twice.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-1.5",
        "12",
        "\"\"",
        "\"text\"",
        r#""q\"\\\/\n""#,
        r#""\ud83d\ude00é""#,
        "\"{\"",
        "\"]\"",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 40, 6, |inner| {
        let blank = || proptest::sample::select(vec!["", " ", "\t"]);
        let pair = (proptest::sample::select(KEYS.to_vec()), blank(), inner.clone())
            .prop_map(|(key, blank, value)| format!("{blank}\"{key}\"{blank}:{blank}{value}{blank}"));
        let join = |open: &'static str, close: &'static str| {
            move |parts: Vec<String>| format!("{open}{}{close}", parts.join(","))
        };
        prop_oneof![
            3 => proptest::collection::vec(pair, 0..6).prop_map(join("{", "}")),
            1 => proptest::collection::vec(inner, 0..4).prop_map(join("[", "]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]
    #[test]
    fn any_json_has_the_fields_that_serde_json_finds(line in any_json(), others in proptest::collection::vec("[ab.0-]{1,5}", 0..5)) {
        let expected = leaves(&line);
        let asked: Vec<&str> =
            expected.iter().flat_map(BTreeMap::keys).chain(&others).map(String::as_str).filter(|name| !name.is_empty()).collect();
        let found = read(Format::Json, line.as_bytes(), &asked);
        let texts = |all: &BTreeMap<String, String>| asked.iter().map(|name| all.get(*name).cloned()).collect::<Vec<_>>();
        prop_assert_eq!(found, expected.as_ref().map(texts), "{}", line);
    }

    #[test]
    fn a_damaged_line_has_fields_if_serde_json_says_so(line in any_json(), at in 0..60usize, with in "[\\[\\]{}\",:\\\\a0 ]{0,2}", cut in 0..9usize) {
        let mut line = format!("{{\"a\":{line}}}");
        let at = line.char_indices().map(|(at, _)| at).nth(at).unwrap_or(line.len());
        let end = line[at..].char_indices().map(|(place, _)| at + place).nth(cut).unwrap_or(line.len());
        line.replace_range(at..end, &with);
        let found = read(Format::Json, line.as_bytes(), &["a"]);
        if let Some(all) = leaves(&line) {
            let found = found.map(|mut found| found.remove(0));
            // A number may have been given digits that say nothing.
            let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
            let expected = all.get("a").cloned();
            let same = found.as_ref().is_some_and(|found| number(found).is_some() && number(found) == number(&expected));
            prop_assert!(same || found == Some(expected), "{}", line);
        }
    }

    #[test]
    fn logfmt_reads_the_pairs_that_were_written(
        pairs in proptest::collection::vec(("[a-c.@-]{1,3}", proptest::option::of("[a-c \"\\\\=é\n]{0,6}")), 1..8),
        junk in proptest::sample::select(vec!["", "  ", "\t"]),
    ) {
        let (mut line, mut expected) = (String::new(), BTreeMap::new());
        for (key, value) in &pairs {
            expected.insert(key.as_str(), value.clone().unwrap_or_default());
            line += junk;
            line += key;
            if let Some(value) = value {
                line += "=";
                let bare = !value.contains([' ', '\n', '"', '\\']);
                line += &if bare { value.clone() } else { serde_json::to_string(value).expect("a text") };
            }
            line += " ";
        }
        let names: Vec<&str> = expected.keys().copied().collect();
        let has_pair = pairs.iter().any(|(_, value)| value.is_some());
        let texts = || expected.values().cloned().map(Some).collect::<Vec<_>>();
        prop_assert_eq!(read(Format::Logfmt, line.as_bytes(), &names), has_pair.then(texts), "{}", line);
    }

    #[test]
    fn any_bytes_are_read_or_not(line in proptest::collection::vec(proptest::sample::select(b"{}[]\":,\\u0a=e. \xff".to_vec()), 0..40)) {
        for format in [Format::Json, Format::Logfmt] {
            read(format, &line, &["a", "a.0", "", "e"]);
        }
    }
}

/// A rule that gives each line that is JSON these fields, if it also fits all of `patterns`.
fn whole(patterns: &[&str], fields: &[&str]) -> Rule {
    let mut rule = rule(patterns, &[], &[]);
    rule.patterns[0].also = rule.patterns.split_off(1);
    rule.captures = fields.iter().map(|name| Arc::from(*name)).collect();
    rule.fields = (0..fields.len()).collect();
    Rule { whole: true, ..rule }
}

/// What `line` is to each of `rules`, the plain way.
fn plainly(rules: &[Rule], line: &str) -> Vec<Vec<Option<String>>> {
    let all = leaves(line);
    let fits = |pattern: &Pattern| pattern.regex.is_match(line);
    let fitting = rules.iter().filter(|rule| {
        let pattern = rule.patterns.iter().find(|pattern| fits(pattern) && pattern.also.iter().all(fits));
        pattern.is_some() && !rule.ignore.iter().any(fits) && (all.is_some() || !rule.whole)
    });
    let captures = |rule: &Rule| {
        let mut groups = rule.patterns[0].regex.create_captures();
        rule.patterns[0].regex.captures(line, &mut groups);
        let name = |(at, name): (usize, &Arc<str>)| {
            let group = groups.get_group_by_name(name).map(|span| line[span].to_owned());
            group.or_else(|| all.as_ref()?.get(&**name).cloned().filter(|_| rule.fields.contains(&at)))
        };
        rule.captures.iter().enumerate().map(name).collect()
    };
    fitting.map(captures).collect()
}

proptest! {
    #[test]
    fn the_scan_finds_the_fields_that_the_plain_way_finds(
        lines in proptest::collection::vec(prop_oneof![any_json(), "fail (bob|eve)?", r#"\{"a":"fail [a-z]{1,3}","b":[0-9]\}"#], 0..30),
    ) {
        let mut mixed = rule(&["fail (?<b>bob|eve)?"], &["ignored"], &[]);
        mixed.captures.extend(["a".into(), "a.b".into()]);
        mixed.fields = vec![0, 1];
        let rules = vec![
            mixed,
            whole(&[""], &["a", "é", "a.0"]),
            whole(&["", "\"a\"|\\\\u", "fail|true"], &["b"]),
            rule(&["\"b\""], &[], &[]),
        ];
        let ruleset = Ruleset { rules };
        let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
        let mut scanned = Scanned::default();
        let block = Block { file: FileId(1), offset: 0, bytes: text.as_bytes(), skipping: false, tail: Tail::Wait };
        Scanner::structured(&ruleset, |_| true, 4096, Format::Json).scan(block, &mut scanned);
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found: Vec<Vec<Option<String>>> = scanned
            .matches(text.as_bytes())
            .map(|found| found.captures.iter().map(|text| text.map(shown)).collect())
            .collect();
        let expected: Vec<_> = lines.iter().flat_map(|line| plainly(&ruleset.rules, line)).collect();
        prop_assert_eq!(found, expected, "{}", text);
        // One of the rules wants every line.
        prop_assert_eq!(scanned.unparsed_lines, lines.iter().filter(|line| leaves(line).is_none()).count() as u64);
    }
}
