//! Whole files through the door: one case per kind of problem, the rendered text, and what loads.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::cli::render;
use crate::model::ComponentStatus;
use crate::rule::{Comparison, Op, Segment, Template, Unit, Value};
use crate::settings::{GroupBy, OnStop, Peer, SecretFrom, Source, Start};

fn file(path: &str, text: &str) -> Text {
    Text { path: path.into(), text: text.to_owned() }
}

fn rules(text: &str) -> (Option<Ruleset>, Vec<Diagnostic>) {
    ruleset(&[file("rules/a.toml", text)], None, &[], &TimeZone::UTC)
}

fn main_file(text: &str) -> (Result<Settings, Draft>, Vec<Diagnostic>) {
    settings(&file("/etc/tripline/tripline.toml", text), &TimeZone::UTC)
}

/// Ids of problems with the text their carets stand under.
fn told<'t>(text: &'t str, problems: &'t [Diagnostic]) -> Vec<(&'static str, &'t str)> {
    problems.iter().map(|problem| (problem.id, &text[problem.span.clone()])).collect()
}

/// One rule with these lines in it, and what is said of it.
fn check_rule(lines: &str, expected: &[(&str, &str)]) {
    let text = format!("[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
    let (found, problems) = rules(&text);
    assert_eq!(told(&text, &problems), expected, "{lines}\n{problems:#?}");
    assert_eq!(found.is_some(), problems.iter().all(|p| p.severity == Severity::Warning), "{lines}");
}

fn check_rules(text: &str, expected: &[(&str, &str)]) {
    let (_, problems) = rules(text);
    assert_eq!(told(text, &problems), expected, "{text}\n{problems:#?}");
}

fn check_main(text: &str, expected: &[(&str, &str)]) {
    let (found, problems) = main_file(text);
    let heard: Vec<_> = told(text, &problems).into_iter().filter(|(id, _)| *id != "no-source").collect();
    assert_eq!(heard, expected, "{text}\n{problems:#?}");
    assert_eq!(found.is_ok(), problems.iter().all(|p| p.severity == Severity::Warning), "{text}");
}

fn good(text: &str) -> Ruleset {
    let (found, problems) = rules(text);
    assert!(problems.is_empty(), "{problems:#?}");
    found.unwrap()
}

#[test]
fn what_outlives_its_rule_does_so_for_a_time() {
    let check = |lines: &str, hours: Option<u64>| {
        let (found, problems) = rules(&format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n{lines}\n"));
        let found = found.unwrap_or_else(|| panic!("{problems:?}"));
        assert_eq!(found.rules[0].outlives, hours.map(|hours| Duration::from_secs(hours * 3600)), "{lines}");
    };
    check("", None);
    check("on_remove = 'resolve'", None);
    check("on_remove = 'keep'", Some(168));
    check("on_remove = 'keep'\nresolve = 'y'", Some(168));
    check("on_remove = 'keep'\nresolve = 'y'\nexpire_after = '2h'", Some(2));
    check("on_remove = 'keep'\nresolve = 'y'\nexpire_after = 'never'", Some(168));
}

#[test]
fn keys_and_values_of_rules_are_checked() {
    check_rule("match = 'x'\nmach = 'y'", &[("unknown-key", "mach")]);
    check_rule("match = 'x'\nrepeats = true", &[("not-yet", "repeats")]);
    check_rule("match = 'x'\non_remove = 'leave'", &[("bad-choice", "'leave'")]);
    check_rule("match = 'x'\nwithin = 600", &[("wrong-type", "600")]);
    check_rule("match = ['x', 5]", &[("wrong-type", "5")]);
    check_rule("match = 'x'\nwithin = '10min'", &[("bad-duration", "min")]);
    check_rule("match = 'x'\nwithin = '0s'", &[("out-of-range", "'0s'")]);
    check_rule("match = 'x'\nwithin = 'never'", &[("bad-duration", "n")]);
    for (lines, value) in [
        ("max_keys = 0", "0"),
        ("max_keys = 1000001", "1000001"),
        ("min_lines = -1", "-1"),
        ("flap = { changes = 1 }", "1"),
        ("flap = { changes = 1001 }", "1001"),
        ("max_raises = '0/5m'", "0"),
    ] {
        let id = if value == "0" && lines.contains('/') { "bad-max-raises" } else { "out-of-range" };
        check_rule(&format!("match = 'x'\nwithin = '1m'\n{lines}"), &[(id, value)]);
    }
    for lines in
        ["max_keys = 1", "min_lines = 1000000", "flap = { changes = 2 }", "flap = { changes = 1000 }"]
    {
        check_rule(&format!("match = 'x'\nwithin = '1m'\n{lines}"), &[]);
    }
    check_main("threads = 257", &[("out-of-range", "257")]);
    check_rule("match = 'x'\nwithin = '1m'\nwarning = '== 5'", &[("bad-comparison", "==")]);
    check_rule(
        "match = 'x'\nwithin = '1m'\nwarning = \">= f\\u0069ve\"",
        &[("bad-comparison", "f\\u0069ve")],
    );
    check_rule("match = 'x'\nseverity = 'critcal'", &[("bad-choice", "'critcal'")]);
    check_rule("match = 'x'\nenabled = 'no'", &[("wrong-type", "'no'")]);
    check_rule(
        "match = 'x'\nlabels = { 'a-b' = 'x', team = 5 }",
        &[("bad-label-name", "'a-b'"), ("wrong-type", "5")],
    );
    check_rule(
        "match = 'x'\nlabels = { instance = 'x', layer_1 = 'y' }",
        &[("reserved-label", "instance"), ("reserved-label", "layer_1")],
    );
    check_rules("[[rule]]\nname = 'r'\nsource = ''\nmatch = 'x'\n", &[("bad-name", "''")]);
    check_rules("[[rule]]\nname = 'r'\nsource = []\nmatch = 'x'\n", &[("empty-list", "[]")]);
    check_rule("match = []", &[("empty-list", "[]")]);
    check_rule("match = 'x'\nresolve = []", &[("empty-list", "[]")]);
    check_rule(
        "match = 'x'\nimages = [5, { href = 'x' }]",
        &[("wrong-type", "5"), ("missing-key", "{ href = 'x' }")],
    );
    check_rules("[[rule]]\n", &[("missing-key", "[[rule]]"); 3]);
    check_rules("[rule]\nname = 'x'\n", &[("wrong-type", "[rule]")]);
    check_rules("rule = [5]\n", &[("wrong-type", "5")]);
    check_rules(
        "[defaults]\nmatch = 'x'\nwithn = '5m'\n",
        &[("not-a-default", "match"), ("unknown-key", "withn")],
    );
    check_rules("[rules]\n", &[("unknown-key", "rules")]);
}

#[test]
fn what_is_taken_out_of_lines_comes_from_all_that_say_so() {
    let (found, _) =
        main_file("redact = 'a'\nredact_defaults = false\n[[source]]\nname='s'\nfiles='x'\nredact='b'\n");
    let settings = found.unwrap();
    let mut ruleset = good("[[rule]]\nname='r'\nsource='s'\nmatch='x'\nredact=['c(d)']\n");
    redact(&settings, &mut ruleset);
    let rule = &ruleset.rules[0];
    assert_eq!(rule.redact.find(b"abcd password=x"), [0..2, 3..4, 6..7]);
    // Of another source only what holds for all.
    let mut other = good("[[rule]]\nname='r'\nsource='t'\nmatch='x'\n");
    redact(&settings, &mut other);
    assert_eq!(other.rules[0].redact.find(b"ab").len(), 1);
    check_rule("match='x'\nredact='(y'", &[("bad-pattern", "(")]);
}

#[test]
fn what_a_sink_wants_to_hear_of_is_checked() {
    let sink = |when: &str| format!("[[sink]]\nname='a'\ntype='stdout'\nwhen={when}\n");
    let check = |when: &str, expected: &[(&str, &str)]| check_main(&sink(when), expected);
    check("'severity >= warning and team == \"db\"'", &[]);
    check("'severity in [\"warning\", \"critical\"] or not rule =~ \"^ssh\"'", &[]);
    check("'severity == critical'", &[]);
    check("'severity == \"critcal\"'", &[("bad-condition", "'severity == \"critcal\"'")]);
    check("'severity >= 2'", &[("bad-condition", "'severity >= 2'")]);
    check("'team >= warning'", &[("bad-condition", "'team >= warning'")]);
    check("'severity =~ \"crit\"'", &[("bad-condition", "'severity =~ \"crit\"'")]);
    check("'severity >='", &[("bad-condition", "")]);
    check("'rule =~ \"[z-a]\"'", &[("bad-pattern", "z-a")]);
    check("7", &[("wrong-type", "7")]);
    let (settings, _) = main_file(&sink("'severity == \"critical\" and team in [\"db\"]'"));
    let settings = settings.unwrap();
    assert!(settings.sinks[0].when.as_ref().is_some_and(|when| !when.names_rules));
    let rules = "[defaults]\nsinks='a'\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\nsinks=['a','onkall']\n";
    let texts = [file("r.toml", rules)];
    let problems = unknown_sinks(&texts, &settings);
    assert_eq!(told(rules, &problems), [("unknown-sink", "'onkall'")]);
}

#[test]
fn what_rules_say_of_others_is_checked() {
    check_rule("match='x'\nmax_raises='30/5'", &[("bad-max-raises", "5")]);
    check_rule("match='x'\nmax_raises='many'", &[("bad-max-raises", "many")]);
    check_rule("match='x'\nmax_raises='0/5m'", &[("bad-max-raises", "0")]);
    check_rule("match='x'\nmax_raises=30", &[("wrong-type", "30")]);
    check_rule("match='x'\nmax_raises='never'\nflap='never'\nrenotify='4h'", &[]);
    check_rule("match='x'\nflap={changes=1}", &[("out-of-range", "1")]);
    check_rule("match='x'\nmax_keys=1000001", &[("out-of-range", "1000001")]);
    let (_, problems) = rules("[[rule]]\nname='r'\nsource='s'\nmatch='x'\nmax_keys=1000001\n");
    assert_eq!(problems[0].label, "takes 1 to 1000000");
    check_rule("match='x'\nflap={change=4}", &[("unknown-key", "change")]);
    check_rule("match='x'\nflap='often'", &[("wrong-type", "'often'")]);
    check_rule("match='x'\nunless='q'", &[("unknown-rule", "'q'")]);
    check_rule("match='x'\nunless='r'", &[("own-name", "'r'")]);
    check_rule("match='x'\nafter=['r']", &[("own-name", "'r'")]);
    check_rule("match='x'\nafter_within='5m'", &[("no-effect", "'5m'")]);
    check_rule("match='x'\nafter='r'\nafter_within='5m'", &[("own-name", "'r'")]);
    let other = "[[rule]]\nname='q'\nsource='s'\nmatch='(?<ip>y)'\nby=['ip']\n";
    let one = "[[rule]]\nname='r'\nsource='s'\nmatch='(?<k>x)'\nby=['k']\nafter='q'\nafter_within='5m'\n";
    check_rules(&format!("{one}{other}"), &[("nothing-shared", "'q'")]);
    check_rules(&format!("{one}{other}enabled=false\n"), &[("unknown-rule", "'q'")]);
    let shared = one.replace("'k'", "'ip'").replace("?<k>", "?<ip>");
    let found = good(&format!("{other}{shared}"));
    assert_eq!(found.rules[0].raise_remembered.as_secs(), 300);
    assert_eq!(found.rules[1].raise_remembered.as_secs(), 0);
    // In the order of files, wherever the names are looked for.
    let texts = [file("a", one), file("b", "[[rule]]\nname='w'\n")];
    let (_, problems) = ruleset(&texts, None, &[], &TimeZone::UTC);
    let ids: Vec<_> = problems.iter().map(|problem| (problem.id, problem.file.to_str().unwrap())).collect();
    assert_eq!(ids, [("unknown-rule", "a"), ("missing-key", "b"), ("missing-key", "b")]);
}

#[test]
fn names_are_checked() {
    let two = "[[rule]]\nname='a'\nsource='s'\nmatch='x'\n[[rule]]\nname='a'\nsource='s'\nmatch='x'\n";
    check_rules(two, &[("duplicate-name", "'a'")]);
    check_rules("[[rule]]\nname='A b'\nsource='s'\nmatch='x'\n", &[("bad-name", "'A b'")]);
    check_rules("[[rule]]\nname='tripline_x'\nsource='s'\nmatch='x'\n", &[("reserved-name", "'tripline_x'")]);
    let (_, problems) = ruleset(&[file("a", &two[..39]), file("b", &two[..39])], None, &[], &TimeZone::UTC);
    let second = problems[0].second.as_ref().unwrap();
    assert_eq!((problems.len(), &*problems[0].file, &*second.file), (1, "b".as_ref(), "a".as_ref()));
}

#[test]
fn patterns_are_checked_at_the_character() {
    check_rule(r"match = 'a(b[z-a])'", &[("bad-pattern", "z-a")]);
    check_rule(r#"match = "(?<pid>\\d+ \"detected\" [z-a]""#, &[("bad-pattern", "z-a")]);
    check_rule("match = '''\n\\d+\n[z-a]'''", &[("bad-pattern", "z-a")]);
    check_rule("match = \"\"\"\\\n   ab\\u0063 \\\n   [z-a]\"\"\"", &[("bad-pattern", "z-a")]);
    check_rule(r"match = '%{ip:src} é [z-a] %{int}'", &[("bad-pattern", "z-a")]);
    check_rule(r"match = 'a(b'", &[("bad-pattern", "(")]);
    check_rule(r"match = 'a(?!b)'", &[("look-around", "(?!")]);
    check_rule(r"match = 'a(?<=b)'", &[("look-around", "(?<=")]);
    check_rule(r"match = '(a)\1'", &[("back-reference", r"\1")]);
    check_rule(r"match = '(?P<a>a)(?P=a)'", &[("back-reference", "(?P=")]);
    check_rule(r"match = '(?>a)b'", &[("bad-pattern", "(?>")]);
    check_rule(r"match = '\p{Greek}'", &[("bad-pattern", r"\p{Greek}")]);
    check_rule(r"match = '(?u)\p{Greek}'", &[]);
    check_rule(r"match = '(?<a>x)(?<a>y)'", &[("bad-pattern", "a")]);
    check_rule(r"match = '%{ip:a} %{ip:a}'", &[("bad-pattern", "%{ip:a}")]);
    check_rule("match = '(?<count>x) %{ip:file}'\nby = ['file']\nsummary = '{count} {total}'", &[]);
    check_rule(r"match = '(?<a.b>x)'", &[("bad-capture-name", "a.b")]);
    check_rule(r"match = 'x*'", &[("matches-everything", "'x*'")]);
    check_rule(r"match = '\w{1000}{50}'", &[("pattern-too-big", r"'\w{1000}{50}'")]);
    check_rule(r"match = 'x{1000}{100}'", &[("pattern-too-big", r"'x{1000}{100}'")]);
    check_rule(r"match = 'a(?:){4294967295}b'", &[("pattern-too-big", "{4294967295}")]);
    check_rule(r"match = 'x{1,10000}'", &[("pattern-too-big", r"'x{1,10000}'")]);
    check_rule(r"match = 'x{3,10001}'", &[("pattern-too-big", "{3,10001}")]);
    check_rule("match = 'x'\nallow_slow = 'yes'", &[("wrong-type", "'yes'")]);
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    check_rule(&format!("match = '{}'", nested(60)), &[("bad-pattern", &nested(10))]);
}

#[test]
fn macros_are_checked_at_the_character() {
    check_rule(r"match = 'from %{ipp:src}'", &[("unknown-macro", "ipp")]);
    check_rule(r"match = 'from %{ip:a-b}'", &[("bad-macro", "a-b")]);
    check_rule(r"match = 'from %{ip'", &[("bad-macro", "%{")]);
    check_rule(r"match = 'at %%{x}'", &[]);
    check_rules("[patterns]\na = 'x%{b}'\nb = '%{c}'\nc = '%{a}'\n", &[("pattern-cycle", "a")]);
    check_rules("[patterns]\na = '[z-a]'\n", &[("bad-pattern", "z-a")]);
    check_rules("[patterns]\nip = 'x'\n", &[("no-rule", ""), ("built-in-replaced", "ip")]);
    check_rules("[patterns]\n'a b' = 'x'\nc = 5\n", &[("bad-name", "'a b'"), ("wrong-type", "5")]);
    let bomb: String =
        (1..12).map(|n| format!("a{n} = '{}'\n", format!("%{{a{}}}", n - 1).repeat(10))).collect();
    let text = format!("[patterns]\na0 = 'xxxxxxxxxx'\n{bomb}");
    let (_, problems) = rules(&text);
    assert_eq!(problems[0].id, "pattern-too-big");
    let chain: String = (0..5000).map(|n| format!("a{n} = '%{{a{}}}'\n", n + 1)).collect();
    let (_, problems) = rules(&format!("[patterns]\n{chain}"));
    assert!(problems.iter().any(|problem| problem.id == "pattern-too-big"));
}

#[test]
fn a_broken_pattern_is_said_once() {
    let text =
        "[patterns]\na = '[z-a]'\n[[rule]]\nname='r'\nsource='s'\nmatch='%{a:b} '\nby=['c']\nsummary='{d}'\n";
    check_rules(text, &[("bad-pattern", "z-a")]);
}

#[test]
fn texts_are_checked_at_the_character() {
    check_rule("match = '(?<user>x)'\nsummary = 'a {usr}'", &[("unknown-name", "usr")]);
    check_rule("match = 'x'\nsummary = \"\\t{ a\"", &[("bad-template", "{")]);
    check_rule("match = 'x'\nlabels = { a = '{nobody}' }", &[("unknown-name", "nobody")]);
    check_rule("match = 'x'\nimages = [{ src = 'x', alt = '}' }]", &[("bad-template", "}")]);
    let (_, problems) = rules("[[rule]]\nname='r'\nsource='s'\nmatch='(?<user>x)'\nrunbook='{usr}'\n");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `user`?"));
}

#[test]
fn conditions_are_checked_at_the_character() {
    let rule =
        |condition: &str| format!(r"match = '(?<path>\S+) (?<status>\d+)'{}where = '{condition}'", '\n');
    check_rule(&rule("status >= 500 and not path =~ \"^/health\" or file == source"), &[]);
    check_rule(&rule("stats >= 500"), &[("unknown-name", "stats")]);
    check_rule(&rule("status >= five"), &[("unknown-name", "five")]);
    check_rule(&rule("status > 5parsec"), &[("bad-condition", "parsec")]);
    check_rule(&rule("path =~ \"[z-a]\""), &[("bad-pattern", "z-a")]);
    check_rule(&rule("path =~ \"%{ipp}\""), &[("unknown-macro", "ipp")]);
    check_rule(&rule("path =~ \"x{1,20000}\""), &[("pattern-too-big", "{1,20000}")]);
    check_rule(
        "match = 'x'\nwhere = \"y == 'a\\u0062' and\"",
        &[("unknown-name", "y"), ("bad-condition", "")],
    );
    check_rule("match = 'x'\nwhere = \"\\u006cine =~ '\\u005bz-a]'\"", &[("bad-pattern", "z-a")]);
    check_rule("match = 'x'\nresolve = '(?<only>y)'\nwhere = 'only == \"y\"'", &[("unknown-name", "only")]);
    check_rule("match = 'x'\nwhere = 5", &[("wrong-type", "5")]);
    let (_, problems) =
        rules("[[rule]]\nname='r'\nsource='s'\nmatch='(?<user>x)'\nwhere='usr == \"root\"'\n");
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `user`?"));
    assert_eq!(
        problems[0].note.as_deref(),
        Some("the names are `user`, `file`, `source`, `line`, `instance`, `rule`")
    );
}

#[test]
fn measures_are_checked_at_the_character() {
    let rule =
        |lines: &str| format!("match = '(?<path>\\S+) (?<took>\\S+) (?<n>\\d+)'\nwithin = '5m'\n{lines}");
    for sound in [
        "measure = 'count'\nwarning = '>= 5'",
        "measure = 'rate'\nwarning = '> 2.5'",
        "measure = 'sum(n)'\nwarning = '> 2.5'\nresolve = 'x'",
        "measure = 'spike'\nwarning = '>= 3'",
        "measure = 'ratio( n >= 500 and path != \"/\" )'\nwarning = '>= 2%'\ncritical = '> 0.1'\nmin_lines = 50",
        "measure = 'distinct(path)'\nwarning = '> 10'",
        "measure = 'p95(took)'\nwarning = '> 500ms'\ncritical = '> 2s'\nclear = '< 400ms'",
        "measure = 'p1(n)'\nwarning = '< 5'",
        "measure = ' last( n ) '\nwarning = '== 3'",
        "measure = 'sum(took)'\nwarning = '>= 1 GiB'",
        "measure = 'min(n)'\ninfo = '<= 3'\nwarning = '< 2'",
    ] {
        check_rule(&rule(sound), &[]);
    }
    for (lines, id, place) in [
        ("measure = 'p95'\nwarning = '> 5'", "bad-measure", ""),
        ("measure = 'avg()'\nwarning = '> 5'", "bad-measure", "()"),
        ("measure = 'count(n)'", "bad-measure", "(n)"),
        ("measure = 'p0(n)'\nwarning = '> 5'", "unknown-measure", "p0"),
        ("measure = 'p100(n)'\nwarning = '> 5'", "unknown-measure", "p100"),
        ("measure = 'p+5(n)'\nwarning = '> 5'", "unknown-measure", "p+5"),
        ("measure = 'avg(n)'\nwarning = '> 1e400'", "bad-comparison", "1e400"),
        ("measure = 'averag(n)'\nwarning = '> 5'", "unknown-measure", "averag"),
        ("measure = 'avg(m)'\nwarning = '> 5'", "unknown-name", "m"),
        ("measure = 'avg(n + 1)'\nwarning = '> 5'", "unknown-name", "n + 1"),
        ("measure = 'ratio(n >= )'\nwarning = '> 5%'", "bad-condition", ""),
        ("measure = \"ratio(path =~ '\\u005bz-a]')\"\nwarning = '> 5%'", "bad-pattern", "z-a"),
        ("measure = 'avg(n)'", "measure-without-level", "'avg(n)'"),
        ("measure = 'avg(n)'\nseverity = 'info'", "measure-without-level", "'avg(n)'"),
        ("measure = 'avg(n)'\nwarning = '> 5ms'", "unit-mismatch", "'> 5ms'"),
        ("measure = 'avg(took)'\nwarning = '> 5ms'\ncritical = '> 1'", "mixed-units", "1"),
        ("measure = 'avg(took)'\nwarning = '> 5ms'\nclear = '< 1MB'", "mixed-units", "1MB"),
        ("measure = 'ratio(n > 5)'\nwarning = '>= 2'", "bad-comparison", "2"),
        ("measure = 'ratio(n > 5)'\nwarning = '>= 2s'", "bad-comparison", "2s"),
        ("measure = 'ratio(n > 5)'\nwarning = '>= 0%'", "bad-comparison", "0%"),
        ("measure = 'distinct(path)'\nwarning = '!= 2'", "bad-comparison", "!="),
        ("measure = 'distinct(path)'\nwarning = '< 0'", "bad-comparison", "0"),
        ("measure = 'sum(n)'\nwarning = '< 5'\ncritical = '> 100'", "bad-comparison", ">"),
        ("warning = '<= 5'\ncritical = '>= 100'", "bad-comparison", ">="),
        ("warning = '< 5'\nmin_lines = 2", "no-effect", "2"),
        ("warning = '< 5'\nresolve = 'x'", "no-effect", "'x'"),
        ("info = '< 5'\nwarning = '<= 4'\ncritical = '< 4'", "ladder-order", "'<= 4'"),
        ("measure = 'rate'\nwarning = '<= -1'", "bad-comparison", "-1"),
        ("measure = 'spike'\nwarning = '> 300%'", "bad-comparison", "300%"),
        ("measure = 'rate'\nwarning = '> 1ms'", "bad-comparison", "1ms"),
        ("measure = 'rate'\nwarning = '> 10000'", "bad-comparison", "10000"),
        ("measure = 'avg(n)'\nwarning = '=> 5'", "bad-comparison", "=>"),
        ("measure = 'avg(n)'\nwarning = '> 5parsec'", "bad-comparison", "parsec"),
        ("measure = 'avg(n)'\ninfo = '< 5'\nwarning = '< 6'", "ladder-order", "'< 6'"),
        ("measure = 5", "wrong-type", "5"),
    ] {
        check_rule(&rule(lines), &[(id, place)]);
    }
    check_rule(
        "match = '(?<n>x)'\nmeasure = 'avg(n)'\nwarning = '> 5'",
        &[("measure-without-window", "'avg(n)'")],
    );
    check_rule("match = '(?<n>x)'\nmeasure = 'last(n)'\nwarning = '> 5'\nfor = '1m'", &[]);
    check_rule("match = 'x'\nmin_lines = 5", &[("no-effect", "5")]);
    let absent = |lines: &str| {
        format!("match = '(?<job>\\w+) (?<host>\\w+)'\nby = ['job', 'host']\nmeasure = 'absent'\n{lines}")
    };
    for (lines, expected) in [
        ("warning = '> 26h'\ncritical = '>= 50h'", &[][..]),
        ("warning = '> 26h'\nexpect = { job = ['a', 'b'], host = 'h' }", &[]),
        ("warning = '> 26h'\nexpect = { job = ['a'] }", &[("missing-key", "{ job = ['a'] }")]),
        (
            "warning = '> 1h'\nexpect = { job = 5, host = ['h', 6] }",
            &[("wrong-type", "5"), ("wrong-type", "6")],
        ),
        (
            "warning = '> 1h'\nexpect = { job = 'a', hots = 'h' }",
            &[("missing-key", "{ job = 'a', hots = 'h' }"), ("unknown-name", "hots")],
        ),
        (
            "warning = '> 1h'\nmax_keys = 3\nexpect = { job = ['a', 'b'], host = ['g', 'h'] }",
            &[("out-of-range", "{ job = ['a', 'b'], host = ['g', 'h'] }")],
        ),
        ("warning = '< 26h'", &[("bad-comparison", "<")]),
        ("warning = '> 26'", &[("bad-comparison", "26")]),
        ("warning = '> 0s'", &[("bad-comparison", "0s")]),
        ("warning = '> 26h'\nwithin = '1h'", &[("no-effect", "'1h'")]),
        ("warning = '> 26h'\nresolve = 'x'", &[("no-effect", "'x'")]),
        ("warning = '> 26h'\nclear = '> 1h'", &[("no-effect", "'> 1h'")]),
        ("warning = '> 26h'\nmin_lines = 2", &[("no-effect", "2")]),
        ("warning = '> 99999w'", &[("bad-comparison", "99999w")]),
    ] {
        check_rule(&absent(lines), expected);
    }
    check_rule(
        "match = '(?<job>x)'\nby = ['job']\nexpect = { job = 'a' }",
        &[("expect-without-absent", "{ job = 'a' }")],
    );
    check_rules(
        "[defaults]\nmeasure = 'count'\nclear = '< 5'\n",
        &[("not-a-default", "measure"), ("not-a-default", "clear")],
    );
}

#[test]
fn patterns_that_have_to_fit_together_are_checked() {
    check_rule("match_all = ['a(?<x>.)', 'b(?<y>.)']\nby = ['x', 'y']", &[]);
    check_rule("match = '(?<x>c)'\nmatch_all = ['a(?<x>.)', 'b']\nby = ['x']", &[]);
    check_rule("match_all = ['a(?<x>.)', 'b(?<x>.)']", &[("duplicate-capture", "'b(?<x>.)'")]);
    check_rule("match_all = []", &[("empty-list", "[]")]);
    check_rule("match_all = ['a', '[z-a]']", &[("bad-pattern", "z-a")]);
    check_rule("match_all = ['a', 'b']\nby = ['x']", &[("by-not-captured", "'x'")]);
}

#[test]
fn what_stays_away_has_no_window_whatever_the_defaults_say() {
    let text = "[defaults]\nwithin='1h'\nmin_lines=2\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\nmeasure='absent'\nwarning='> 1h'\n";
    let rule = &good(text).rules[0];
    assert_eq!((rule.within, rule.min_lines), (Duration::ZERO, 0));
}

#[test]
fn rewritings_are_checked_at_the_character() {
    let rule = |set: &str| format!("match = '(?<path>\\S+) (?<user>\\w+)'\nset = {{ {set} }}");
    let table = "[lookup.hosts]\n'10.0.0.1' = 'gateway'\n[[rule]]\nname='r'\nsource='s'\n";
    let sound = "path = 'mask(path)', user = 'lower(trim(first(user, 8)))', new = 'replace(user, \"^%{int}\", \"#\")'";
    check_rule(
        &format!("{}\nby = ['path', 'new']\nsummary = '{{new}}'\nwhere = 'new != \"\"'", rule(sound)),
        &[],
    );
    let looked_up = "role = 'lookup(hosts, path)', other = 'lookup( hosts , lower(path) , \"?\" )'";
    check_rules(&format!("{table}{}\n", rule(looked_up)), &[]);
    for (set, id, place) in [
        ("path = 'masc(path)'", "bad-rewriting", "masc"),
        ("path = 'mask(pth)'", "unknown-name", "pth"),
        ("path = 'mask(path'", "bad-rewriting", ""),
        ("path = 'mask()'", "bad-rewriting", ")"),
        ("path = 'mask(path) path'", "bad-rewriting", "path"),
        ("path = 'first(path)'", "bad-rewriting", ")"),
        ("path = 'first(path, 2s)'", "bad-rewriting", "2s"),
        ("path = 'first(path, 0)'", "bad-rewriting", "0"),
        ("path = 'replace(path, user, \"x\")'", "bad-rewriting", "user"),
        ("path = 'replace(path, \"[z-a]\", \"x\")'", "bad-pattern", "z-a"),
        ("path = 'lookup(hosts, path)'", "unknown-table", "hosts"),
        ("path = ''", "bad-rewriting", ""),
        ("path = '5'", "bad-rewriting", "5"),
        ("path = '&'", "bad-rewriting", "&"),
        ("'a b' = 'path'", "bad-capture-name", "'a b'"),
        ("path = 5", "wrong-type", "5"),
    ] {
        check_rule(&rule(set), &[(id, place)]);
    }
    let deep = format!("path = '{}path{}'", "trim(".repeat(30), ")".repeat(30));
    check_rule(&rule(&deep), &[("bad-rewriting", "trim")]);
    check_rules("[lookup]\na = 5\n[lookup.b]\nc = 5\n", &[("wrong-type", "5"), ("wrong-type", "5")]);
    let digest = |table: &str| {
        let text = format!(
            "[lookup.t]\n{table}\n[[rule]]\nname='r'\nsource='s'\nmatch='(?<a>x)'\nset={{a='lookup(t, a)'}}\n"
        );
        good(&text).rules[0].condition_digest
    };
    assert_ne!(digest("x = 'y'"), digest("x = 'z'"));
}

#[test]
fn what_cannot_work_together_is_said() {
    check_rule("match = 'x'\nfor = '1m'", &[("for-without-window", "'1m'")]);
    check_rule("match = 'x'\nwarning = '> 1'", &[("threshold-without-window", "'> 1'")]);
    check_rule(
        "match = 'x'\nwithin = '1m'\nseverity = 'info'\nwarning = '>= 5'",
        &[("severity-and-ladder", "severity")],
    );
    check_rule(
        "match = 'x'\nwithin = '1m'\nwarning = '>= 5'\ncritical = '> 4'",
        &[("ladder-order", "'> 4'")],
    );
    check_rule("match = 'x'\nresolve_after = 'never'", &[("never-ends", "'never'")]);
    let last = "match = '(?<n>x)'\nmeasure = 'last(n)'\nwarning = '< 7'\nresolve_after = 'never'";
    check_rule(last, &[]);
    check_rule("match = 'x'\nexpire_after = '1d'", &[("no-effect", "'1d'")]);
    check_rule("match = '(?<user>x)'\nby = ['usr']", &[("by-not-captured", "'usr'")]);
    check_rule("match = ['(?<user>x)', 'y']\nby = ['user']", &[("by-not-captured", "'user'")]);
    check_rule("match = '(?<user>x)'\nby = ['user', 'user']", &[("duplicate-name", "'user'")]);
    check_rule("match = 'x'\nby = ['file', 'source']", &[]);
    check_rule("match = 'x'\nresolve = '(?<user>y)'\nby = ['user']", &[("by-not-captured", "'user'")]);
    check_rule("match = '(?<user>x)'\nresolve = 'y'\nfor = '30m'\nby = ['user']", &[]);
}

#[test]
fn a_rule_knows_the_configured_sources() {
    let (found, _) = main_file(
        "[[source]]\nname='auth'\nfiles='a'\nlabels={dc='1',rack='2'}\n[[source]]\nname='kern'\nfiles='b'\nlabels={dc='1',rack='3'}\n",
    );
    let sources: Vec<Source> = found.unwrap().sources;
    let text = "[[rule]]\nname='r'\nsource=['auth','kern']\nmatch='x'\nlabels={team='{line}'}\n";
    let globals = [("cluster".into(), "nj".to_owned()), ("dc".into(), "0".to_owned())];
    let (found, problems) = ruleset(&[file("a", text)], Some(&sources), &globals, &TimeZone::UTC);
    assert!(problems.is_empty());
    let found = found.unwrap();
    let expected: Vec<(Arc<str>, Template)> = vec![
        ("cluster".into(), Template::constant("nj")),
        ("dc".into(), Template::constant("1")),
        ("team".into(), Template(vec![Segment::Value(Value::Line)])),
    ];
    assert_eq!(found.rules[0].labels, expected);
    assert_eq!(found.rules.last().unwrap().labels[0].1, Template::constant("nj"));

    let text = "[[rule]]\nname='r'\nsource='atuh'\nmatch='x'\n";
    let (_, problems) = ruleset(&[file("a", text)], Some(&sources), &[], &TimeZone::UTC);
    assert_eq!(told(text, &problems), [("unknown-source", "'atuh'")]);
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `auth`?"));
}

#[test]
fn names_are_fields_where_every_source_of_the_rule_has_a_format() {
    let main = "[[source]]\nname = 'a'\nfiles = 'a'\nformat = 'json'\n[[source]]\nname = 'b'\nfiles = 'b'\nformat = 'logfmt'\n\
                [[source]]\nname = 'c'\nfiles = 'c'\n";
    let (settings, _) = main_file(main);
    let sources = settings.expect("a right configuration").sources;
    let check = |names: &str, expected: &[&str]| {
        let text = format!("[[rule]]\nname = 'r'\nsource = {names}\nmatch = 'x'\nby = ['host']");
        let (_, problems) = ruleset(&[file("a", &text)], Some(&sources), &[], &TimeZone::UTC);
        let notes: Vec<&str> = problems.iter().filter_map(|problem| problem.note.as_deref()).collect();
        assert_eq!(notes, expected, "{names}");
    };
    check("['a', 'b']", &[]);
    check(
        "['a', 'c']",
        &[
            "the names are `file`, `source`; it may be a field if all sources of the rule have a `format`: `c` has none",
        ],
    );
    let one = "; it may be a field if the source has a `format`: \"json\" or \"logfmt\"";
    check("'c'", &[&format!("the names are `file`, `source`{one}")]);
    check_main("[[source]]\nname = 'a'\nfiles = 'a'\nformat = 'xml'", &[("bad-choice", "'xml'")]);
}

#[test]
fn what_is_written_nearer_wins() {
    let rule = |lines: &str| {
        let text = format!(
            "[defaults]\nresolve_after='1h'\nseverity='info'\nmax_keys=5\nlabels={{a='1',b='1'}}\nsource='s'\nexpire_after='1d'\n\
             [[rule]]\nname='r'\nmatch='x'\n{lines}\n"
        );
        good(&text).rules.remove(0)
    };
    let plain = rule("labels={b='2'}");
    assert_eq!(plain.resolve_after, Some(Duration::from_secs(3600)));
    assert_eq!(plain.ladder, [Some(Comparison { op: Op::AtLeast, than: 1.0 }), None, None]);
    assert_eq!((plain.max_keys, plain.sources[0].as_str(), plain.expire_after), (5, "s", None));
    assert_eq!(plain.labels[1].1, Template::constant("2"));
    let recovered = rule("resolve='y'");
    assert_eq!((recovered.resolve_after, recovered.latches()), (None, true));
    assert_eq!(recovered.expire_after, Some(Duration::from_secs(86_400)));
    let both = rule("resolve='y'\nresolve_after='5m'\nwithin='1m'\ncritical='>= 2'");
    assert_eq!((both.resolve_after, both.latches()), (Some(Duration::from_secs(300)), false));
    assert_eq!(both.ladder, [None, None, Some(Comparison { op: Op::AtLeast, than: 2.0 })]);
}

#[test]
fn a_disabled_rule_is_left_out() {
    let one = "[[rule]]\nname='r'\nsource='s'\nmatch='x'\n";
    let found = good(&format!("{one}{one}enabled=false\n"));
    assert_eq!(found.rules.len(), 1 + own::own_rules().len());
}

#[test]
fn deadlines_are_checked() {
    let due = |lines: &str| {
        format!(
            "match = '(?<job>\\w+)'\nby = 'job'\nexpect = {{ job = 'a' }}\ndeadline = '02:30 UTC, Mon-Fri'\n{lines}"
        )
    };
    for (lines, expected) in [
        ("", &[][..]),
        ("measure = 'absent'", &[]),
        ("severity = 'critical'\nwithin = '4h'\nfor = '5m'", &[]),
        ("warning = '> 0s'\ncritical = '> 2h'\nsummary = 'not by {deadline}'", &[]),
        (
            "measure = 'rate'\nwithin = '5m'\nwarning = '> 1'",
            &[("expect-without-absent", "{ job = 'a' }"), ("deadline-without-absent", "deadline")],
        ),
        ("warning = '>= 1'", &[("bad-comparison", "1")]),
        ("warning = '> -1h'", &[("bad-comparison", "-1h")]),
        ("warning = '< 1h'", &[("bad-comparison", "<")]),
        ("severity = 'info'\nwarning = '> 1h'", &[("severity-and-ladder", "severity")]),
        ("clear = '> 1h'", &[("no-effect", "'> 1h'")]),
        ("resolve = 'y'", &[("no-effect", "'y'")]),
        ("within = '1h'\nmin_lines = 3", &[("no-effect", "3")]),
    ] {
        check_rule(&due(lines), expected);
    }
    check_rule("match = 'x'\ndeadline = []", &[("empty-list", "[]")]);
    check_rule("match = 'x'\ndeadline = ['02:30', 5]", &[("wrong-type", "5")]);
    check_rule("match = 'x'\ndeadline = ['02:30', '2.30']", &[("bad-deadline", "2.30")]);
    check_rule(
        "match = 'x'\nsummary = '{deadline}'\ndeadline = \"02:3\\u0030 Moscow\"",
        &[("unknown-zone", "Moscow")],
    );
    check_rules("[defaults]\ndeadline = '02:30'\n", &[("not-a-default", "deadline")]);
}

#[test]
fn a_deadline_is_missed_at_its_moment_and_by_nothing_else() {
    let level = |lines: &str| {
        let text = format!(
            "[defaults]\nwithin='5m'\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\ndeadline='02:30'\n{lines}\n"
        );
        let rule = &good(&text).rules[0];
        assert!(rule.within.is_zero() && rule.unit == Unit::Time && rule.expect == [Vec::new()], "{lines}");
        let within = rule.deadlines.as_ref().unwrap().within.map(|within| within.as_secs());
        (rule.ladder.map(|level| level.map(|level| (level.op, level.than))), within)
    };
    assert_eq!(level(""), ([None, Some((Op::AtLeast, 0.0)), None], None));
    assert_eq!(level("severity='critical'"), ([None, None, Some((Op::AtLeast, 0.0))], None));
    let two = [None, Some((Op::AtLeast, 0.0)), Some((Op::Above, 7200.0))];
    assert_eq!(level("warning='> 0s'\ncritical='> 2h'\nwithin='4h'"), (two, Some(14400)));
}

#[test]
fn rules_that_wait_for_each_other_are_told_of_their_circle() {
    let check = |of: &[(&str, &str)], expected: &[&str]| {
        let rule = |(name, lines): &(&str, &str)| {
            format!("[[rule]]\nname='{name}'\nsource='s'\nmatch='x'\n{lines}\n")
        };
        let text: String = of.iter().map(rule).collect();
        let (found, problems) = rules(&text);
        let titles: Vec<&str> = problems.iter().map(|problem| problem.title.as_str()).collect();
        assert_eq!(titles, expected, "{text}");
        assert_eq!(found.is_some(), expected.is_empty(), "{text}");
    };
    check(
        &[("a", "after='b'"), ("b", "after='a'")],
        &["`a` is after `b`, which is after `a`: none of them can ever raise"],
    );
    check(
        &[("a", "after='b'"), ("b", "after='c'"), ("c", "after=['a', 'b']"), ("d", "after='a'")],
        &["`a` is after `b`, which is after `c`, which is after `a`: none of them can ever raise"],
    );
    // Who comes first in the file may only stand behind the circle.
    check(
        &[("d", "after='b'"), ("a", "after='b'"), ("b", "after='a'")],
        &["`b` is after `a`, which is after `b`: none of them can ever raise"],
    );
    check(
        &[("a", "after='b'"), ("b", "after='a'"), ("c", "after='d'"), ("d", "after='c'")],
        &[
            "`a` is after `b`, which is after `a`: none of them can ever raise",
            "`c` is after `d`, which is after `c`: none of them can ever raise",
        ],
    );
    let long: Vec<(String, String)> =
        (0..20).map(|n| (format!("r{n}"), format!("after='r{}'", (n + 1) % 20))).collect();
    let long: Vec<(&str, &str)> = long.iter().map(|(name, lines)| (name.as_str(), lines.as_str())).collect();
    check(
        &long,
        &[
            "`r0` is after `r1`, which is after `r2`, which is after `r3`, which is after `r4`, which is after `r5`, \
           and so on over 15 more: none of them can ever raise",
        ],
    );
    // One of several is enough.
    check(&[("a", "after=['b', 'c']"), ("b", "after='a'"), ("c", "")], &[]);
    check(&[("a", "after='b'"), ("b", "after='c'"), ("c", "")], &[]);
    // The first one holds the other back, and who comes first is not settled.
    check(&[("a", "unless='b'"), ("b", "unless='a'")], &[]);
    check(&[("a", "after='b'"), ("b", "unless='a'")], &[]);
    // What is not enabled is told by itself, and rules with other errors are in the circle too.
    check(&[("a", "after='b'"), ("b", "after='a'\nenabled=false")], &["there is no rule named `b`"]);
    check(
        &[("a", "after='b'"), ("b", "after='a'\nwithin='5'")],
        &["`a` is after `b`, which is after `a`: none of them can ever raise", "`5` is not a duration"],
    );
}

#[test]
fn a_rule_that_is_never_told_is_warned_about() {
    check_rule("match = 'x'\nmute = 'Mon-Sun'", &[("never-told", "'Mon-Sun'")]);
    check_rule("match = 'x'\nactive = 'Mon-Fri'\nmute = ['Sat']", &[]);
    let covered = "match = 'x'\nactive = 'Mon'\nmute = '00:00-24:00'";
    check_rule(covered, &[("never-told", "'00:00-24:00'")]);
    // The night that is skipped in spring.
    let skipped = "match = 'x'\nactive = '2026-03-29T02:00 - 2026-03-29T03:00 Europe/Berlin'";
    check_rule(skipped, &[("never-told", "'2026-03-29T02:00 - 2026-03-29T03:00 Europe/Berlin'")]);
    // What is wrong may be what is left.
    check_rule("match = 'x'\nactive = ['Mon', '8:00']\nmute = 'Mon'", &[("bad-schedule", "8:00")]);
    let of_defaults = "[defaults]\nmute = 'Mon-Sun'\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\n";
    check_rules(of_defaults, &[("never-told", "'Mon-Sun'")]);
}

#[test]
fn a_file_without_a_rule_says_so_unless_something_is_wrong_with_it() {
    for text in ["", "# nothing\n", "[defaults]\nsource = 's'\n", "rule = []\n"] {
        check_rules(text, &[("no-rule", "")]);
    }
    check_rules("[[rules]]\n", &[("unknown-key", "rules")]);
    check_rules("[[rule]]\nname='r'\nsource='s'\nmatch='x'\nenabled=false\n", &[]);
}

#[test]
fn a_rule_without_a_pattern_hears_of_fields() {
    let plain = "[[source]]\nname='a'\nfiles='/a'\n[[source]]\nname='b'\nfiles='/b'\nformat='json'\n";
    let sources = main_file(plain).0.unwrap().sources;
    let check = |source: &str, expected: &str| {
        let text = format!("[[rule]]\nname='r'\nsource={source}\nwhere='x == 1'\n");
        let (_, problems) = ruleset(&[file("a", &text)], Some(&sources), &[], &TimeZone::UTC);
        let help = problems.iter().find(|p| p.id == "missing-key").and_then(|p| p.help.clone());
        assert_eq!(help.unwrap_or_default(), expected, "{source}");
    };
    let format = "`format = \"json\"` or `\"logfmt\"`";
    let only = "only lines with fields need none";
    let give = format!("{only}: give source `a` {format}, if that is what they are");
    check("'a'", &give);
    check("['b', 'a']", &give);
    check("'b'", "");
    check("'c'", &format!("{only}: those of a source with {format}"));
}

#[test]
fn schedules_of_rules_and_defaults_are_checked() {
    check_rule(
        "match = 'x'\nactive = 'Mon-Fri 08:00'\nmute = ['Sat', 7]",
        &[("bad-schedule", "08:00"), ("wrong-type", "7")],
    );
    check_rule("match = 'x'\nactive = []\nmute = []", &[("empty-list", "[]")]);
    check_rule("match = 'x'\nactive = \"Mon\\u002dFry\"", &[("unknown-zone", "Fry")]);
    let text = "[defaults]\nactive = 'Mon-Fri'\nmute = '12:00-13:00'\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\nmute=[]\n";
    let rule = &good(text).rules[0];
    assert_eq!((rule.active[0].to_string().as_str(), rule.mute.len()), ("Mon-Fri UTC", 0));
    // Said once, however many rules take it.
    let one = "[[rule]]\nname='NAME'\nsource='s'\nmatch='x'\n";
    let two = format!("[defaults]\nactive='Mon 8'\n{}{}", one.replace("NAME", "a"), one.replace("NAME", "b"));
    check_rules(&two, &[("bad-schedule", "8")]);
}

#[test]
fn only_what_decides_enters_the_digest() {
    let digest = |lines: &str| {
        let text = format!("[[rule]]\nname='r'\nsource=['s','t']\nmatch='x'\n{lines}\n");
        good(&text).rules[0].condition_digest
    };
    let plain = digest("");
    for same in [
        "active='Mon-Fri'",
        "mute='Sat'",
        "summary='y'",
        "labels={a='b'}",
        "max_keys=7",
        "runbook='z'",
        "severity='warning'",
    ] {
        assert_eq!(digest(same), plain, "{same}");
    }
    let others = [
        "ignore='x'",
        "resolve='x'",
        "within='1m'",
        "severity='critical'",
        "resolve_after='1m'",
        "within='2m'",
        "within='1m'\nfor='1m'",
        "within='1m'\nwarning='> 1'",
        "within='1m'\nwarning='>= 1.5'",
        "match_all=['y', 'z']",
        "match_all=['y', 'a']",
        "set={a='line'}",
        "set={a='lower(line)'}",
        "where='line == \"x\"'",
        "where='line == \"y\"'",
        "within='1m'\nmeasure='rate'\nwarning='>= 1'",
        "within='1m'\nmeasure='distinct(line)'\nwarning='>= 1'",
        "within='1m'\nmin_lines=5",
        "measure='absent'\nwarning='> 1h'",
        "measure='absent'\nwarning='> 1h'\ndeadline='02:30 UTC'",
        "measure='absent'\nwarning='> 1h'\ndeadline='Mon 02:30 UTC'",
        "measure='absent'\nwarning='> 1h'\ndeadline='02:30 UTC'\nwithin='1h'",
        "within='1m'\nclear='< 1'",
    ];
    let mut seen = vec![plain];
    for other in others {
        let found = digest(other);
        assert!(!seen.contains(&found), "{other}");
        seen.push(found);
    }
    let turned = "[[rule]]\nname='q'\nsource=['t','s']\nmatch='x'\n";
    assert_eq!(good(turned).rules[0].condition_digest, plain);
    // Golden: it is stored, so another recipe restarts every window of every user.
    let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "7b30725723758f6c61e83fa18c7c54cb");
}

#[test]
fn a_chat_is_checked() {
    let sink = |kind: &str, line: &str| format!("[[sink]]\nname='a'\ntype='{kind}'\n{line}\n");
    let kept = |kind: &str, line: &str| {
        let (found, _) = main_file(&sink(kind, line));
        let sink = found.expect("nothing is wrong").sinks.remove(0);
        let secrets: Vec<&str> = sink.secrets.iter().map(|(name, _)| *name).collect();
        assert!(sink.peer.takes_alerts() && sink.peer.takes_changes());
        (sink.peer.kind(), secrets)
    };
    for kind in ["slack", "feishu", "dingtalk", "wecom"] {
        check_main(&sink(kind, ""), &[("missing-key", "[[sink]]")]);
        check_main(&sink(kind, "url_env='U'\nkeyword='DB'"), &[]);
        check_main(&sink(kind, "url='https://h/x?key=k'"), &[("inline-secret", "url")]);
        check_main(&sink(kind, "url='h'"), &[("bad-url", "h")]);
        check_main(&sink(kind, "url='http://h/x'"), &[("plaintext-url", "http://")]);
        check_main(&sink(kind, "url_env='U'\nurl_file='f'"), &[("several-keys", "url_file")]);
        check_main(&sink(kind, "url_env='U'\nkeyword=' '"), &[("empty", "' '")]);
        let long = format!("'{}'", "k".repeat(65));
        check_main(&sink(kind, &format!("url_env='U'\nkeyword={long}")), &[("out-of-range", &long)]);
        assert_eq!(kept(kind, "url_file='f'"), (kind, vec!["url"]));
    }
    for kind in ["feishu", "dingtalk"] {
        assert_eq!(kept(kind, "url_env='U'\nsecret_env='S'"), (kind, vec!["secret", "url"]));
        check_main(&sink(kind, "url_env='U'\nsecret='s'"), &[("inline-secret", "secret")]);
    }
    check_main(&sink("slack", "url_env='U'\nsecret_env='S'"), &[("unknown-key", "secret_env")]);
}

#[test]
fn the_main_file_is_checked() {
    let source = |line: &str| format!("[[source]]\nname='a'\nfiles='x'\n{line}\n");
    let sink = |line: &str| format!("[[sink]]\nname='a'\ntype='flashduty'\n{line}\n");
    check_main("rule = ['x']", &[("unknown-key", "rule")]);
    check_main("redact = ['pin=(\\d+)']\nredact_defaults = false", &[]);
    check_main("redact = ['pin=(\\d+']", &[("bad-pattern", "(")]);
    check_main(&source("redact = 7"), &[("wrong-type", "7")]);
    check_main("state_dir = ''\nscope = \"a\\tb\"", &[("empty", "''"), ("bad-text", "\"a\\tb\"")]);
    check_main("on_stop = 'stay'", &[("bad-choice", "'stay'")]);
    check_main("rules = 'a[b'", &[("bad-glob", "'a[b'")]);
    check_main("admin = { listen = 'localhost:1' }", &[("bad-address", "'localhost:1'")]);
    check_main("[admin]\ntoken_file = 'x'", &[("not-yet", "token_file")]);
    check_main(
        "[heartbeat]\nsink = 'x'\nevery = '10ms'",
        &[("unknown-sink", "'x'"), ("out-of-range", "'10ms'")],
    );
    check_main("[[source]]\n", &[("missing-key", "[[source]]"); 2]);
    check_main("[[source]]\nname='A'\nfiles=[]\n", &[("bad-name", "'A'"), ("empty-list", "[]")]);
    check_main(&source("time = 'auto'"), &[("not-yet", "time")]);
    check_main(&source("multiline = 'java'"), &[]);
    check_main(
        &source("multiline = { start = '^\\d', max_lines = 9, max_bytes = '1MiB', flush = '1s' }"),
        &[],
    );
    check_main(&source("multiline = 'jawa'"), &[("bad-choice", "'jawa'")]);
    check_main(&source("multiline = 7"), &[("wrong-type", "7")]);
    check_main(&source("multiline = {}"), &[("missing-key", "{}")]);
    check_main(
        &source("multiline = { strat = 'x' }"),
        &[("missing-key", "{ strat = 'x' }"), ("unknown-key", "strat")],
    );
    check_main(&source("multiline = { start = '(' }"), &[("bad-pattern", "(")]);
    check_main(&source("multiline = { start = ['x'] }"), &[("wrong-type", "['x']")]);
    check_main(&source("multiline = { end = 'x', start = 'y' }"), &[("conflict", "'y'")]);
    check_main(&source("multiline = { continue = '^ ', max_lines = 0 }"), &[("out-of-range", "0")]);
    check_main(&source("multiline = { continue = '^ ', max_bytes = 5 }"), &[("out-of-range", "5")]);
    check_main(&source("multiline = { continue = '^ ', flush = '0s' }"), &[("out-of-range", "'0s'")]);
    let short = "max_line = '64KiB'\nmultiline = { continue = '^ ', max_bytes = '32KiB' }";
    check_main(&source(short), &[("conflict", "'64KiB'")]);
    check_main(&source("multiline = 'go'\nrepeats = true"), &[("conflict", "true")]);
    check_main(&source("multiline = 'go'\nflush = '1s'"), &[("no-effect", "'1s'")]);
    check_main(&source("tz = 'Europe/Berln'"), &[("unknown-zone", "'Europe/Berln'")]);
    check_main(&source("max_line = '64kb'"), &[("bad-size", "kb")]);
    check_main(&source("max_line = 5"), &[("out-of-range", "5")]);
    check_main(&source("[[source]]\nname='a'\nfiles='y'"), &[("duplicate-name", "'a'")]);
    check_main(
        "[[sink]]\nname='a'\ntype='exec'\nwebhook='x'\n",
        &[("missing-key", "[[sink]]"), ("unknown-key", "webhook")],
    );
    check_main("[[sink]]\nname='a'\ntype='stdot'\n", &[("unknown-type", "'stdot'")]);
    check_main("[[sink]]\nname='a'\ntype='stdout'\nurl='x'\n", &[("unknown-key", "url")]);
    check_main(&sink(""), &[("missing-key", "[[sink]]")]);
    check_main(&sink("integration_key='k'"), &[("inline-secret", "integration_key")]);
    check_main(
        &sink("integration_key_env='K'\nintegration_key_file='f'"),
        &[("several-keys", "integration_key_file")],
    );
    check_main(
        &sink("integration_key_env='K'\nurl='https://h/p?integration_key=k'"),
        &[("inline-secret", "integration_key"), ("several-keys", "integration_key")],
    );
    check_main(&sink("integration_key_env='K'\nurl='http://h'"), &[("plaintext-url", "http://")]);
    for (url, place) in [
        ("ftp://h", "ftp"),
        ("h", "h"),
        ("https://", ""),
        ("https://a b", " "),
        ("https://u:p@h/", "u:p@h"),
        ("https://h:x/", "x"),
        ("https://h/?integration_key=", "integration_key"),
    ] {
        check_main(&sink(&format!("integration_key_env='K'\nurl='{url}'")), &[("bad-url", place)]);
    }
    for url in ["http://127.0.0.1:80/x", "http://[::1]:9", "http://localhost", "https://h?a=b"] {
        check_main(&sink(&format!("integration_key_env='K'\nurl='{url}'")), &[]);
    }
    check_main(&sink("integration_key_env='K'\nurl='http://h'\nallow_plaintext=true"), &[]);
}

#[test]
fn nothing_written_is_a_configuration() {
    let (found, problems) = main_file("");
    assert!(problems.is_empty());
    let found = found.unwrap();
    assert_eq!(found.rules, [PathBuf::from("/etc/tripline/rules/*.toml")]);
    assert_eq!(found.state_dir, Some("/var/lib/tripline".into()));
    assert_eq!(found.admin.listen.unwrap().to_string(), "127.0.0.1:7437");
    assert!(matches!(found.sinks[0].peer, Peer::Stdout));
    assert_eq!((found.on_stop, found.stop_budget, found.threads), (None, Duration::from_secs(25), None));
    let (_, problems) = main_file("scope = 'x'");
    assert_eq!(told("scope = 'x'", &problems), [("no-source", "")]);
}

#[test]
fn a_full_main_file_is_believed() {
    let text = r#"
rules     = ["r/*.toml", "/abs/x.toml"]
state_dir = "state"
scope     = "web"
on_stop   = "resolve"
stop_budget = "5s"
threads = 4
[labels]
cluster = "nj"
[admin]
listen = "off"
[heartbeat]
sink  = "oncall"
every = "30s"
[[source]]
name    = "auth"
files   = ["/var/log/auth.log", "secure"]
exclude = ["*.gz"]
start   = "beginning"
tz      = "Asia/Shanghai"
max_age = "1h"
flush   = "1s"
max_line = 2048
[source.labels]
dc = "1"
[[sink]]
name = "oncall"
type = "flashduty"
url  = "https://api.flashcat.cloud/event/push/alert/standard?a=b&integration_key=abc"
title_rule = "$x"
ca_file = "ca.pem"
probe_every = "2m"
[[sink]]
name = "out"
type = "stdout"
"#;
    let (found, problems) = main_file(text);
    assert_eq!(told(text, &problems), [("inline-secret", "integration_key")]);
    let found = found.unwrap();
    assert_eq!(found.rules, [PathBuf::from("/etc/tripline/r/*.toml"), PathBuf::from("/abs/x.toml")]);
    assert_eq!(found.state_dir, Some("/etc/tripline/state".into()));
    assert_eq!((found.scope.as_deref(), found.on_stop), (Some("web"), Some(OnStop::Resolve)));
    assert!(found.admin.listen.is_none());
    assert_eq!(found.heartbeat.unwrap().every, Duration::from_secs(30));
    let source = &found.sources[0];
    assert_eq!(source.files[1], PathBuf::from("/etc/tripline/secure"));
    assert_eq!((source.start, source.max_line), (Start::Beginning, 2048));
    assert_eq!(source.tz.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(source.labels, [("dc".into(), "1".to_owned())]);
    let Peer::Flashduty(peer) = &found.sinks[0].peer else { panic!("{:?}", found.sinks[0]) };
    assert_eq!(peer.url, "https://api.flashcat.cloud/event/push/alert/standard?a=b");
    let [("integration_key", SecretFrom::Inline(key))] = &found.sinks[0].secrets[..] else { panic!() };
    assert_eq!(key.expose_secret(), "abc");
}

/// Ten mistakes of ten kinds.
const TEN: &str = r##"[defaults]
resolve_after = "30 m"

[[rule]]
name   = "ssh"
source = "auth"
mach   = 'x'
match  = "sshd\\[\\d+\\]: \"Failed\" [z-a]"

[[rule]]
name     = "ssh"
source   = "auth"
match    = 'from %{ipp:src_ip}'
repeats  = true

[[rule]]
name     = "disk"
source   = "kernel"
match    = 'dev (?<dev>\w+)(?! ok)'
severity = "critcal"

[[rule]]
name     = "login"
source   = "auth"
match    = 'login of %{user:user}'
by       = ["user"]
warning  = "== 5"
within   = "5m"
summary  = "{count} logins of {usr}"
"##;

#[test]
fn ten_mistakes_are_shown_in_the_order_of_the_file() {
    let (found, problems) = rules(TEN);
    assert!(found.is_none());
    let texts = BTreeMap::from([("rules/a.toml".into(), TEN.to_owned())]);
    let shown = render::text(&problems, &texts, false);
    assert_eq!(shown, include_str!("ten_mistakes.txt"), "{shown}");
}

#[test]
fn one_syntax_error_does_not_hide_the_others() {
    let text = "[[rule]]\nname = = 'r'\nsource = 's'\nmatch = \"\\d\"\nseverty = 'info'\n[[rule]\n";
    let (_, problems) = rules(text);
    let ids: Vec<&str> = problems.iter().map(|problem| problem.id).collect();
    assert!(ids.iter().filter(|id| **id == "syntax").count() >= 3, "{problems:#?}");
    assert!(ids.contains(&"unknown-key"), "{problems:#?}");
    assert!(!ids.contains(&"missing-key"), "{problems:#?}");
}

/// The examples of the rule language that this version has.
const EXAMPLES: &str = r##"
[defaults]
labels        = { team = "infra" }
resolve_after = "30m"

[patterns]
blkdev = 'sd[a-z]+|nvme\d+n\d+'

[[rule]]
name     = "ssh_bruteforce"
source   = "auth"
match    = 'sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?P<user>\S*) from %{ip:src_ip} port \d+'
ignore   = 'from 10\.0\.'
by       = ["src_ip"]
within   = "10m"
warning  = ">= 5"
critical = ">= 50"
summary  = "{count} failed ssh logins from {src_ip} in {within} (last user {user})"

[[rule]]
name     = "oom_kill"
source   = "kernel"
match    = 'Out of memory: Killed process (?P<pid>\d+) \((?P<process>[^)]+)\).*?anon-rss:(?P<rss_kb>\d+)kB'
by       = ["process"]
severity = "critical"
resolve_after = "1h"
summary  = "OOM killer ended {process} (pid {pid}, rss {rss_kb} kB)"

[[rule]]
name     = "disk_io"
source   = "kernel"
match    = ['I/O error, dev %{blkdev:dev}, sector', 'EXT4-fs error \(device %{blkdev:dev}\d*\)']
resolve  = '\[%{blkdev:dev}\] (?:Attached SCSI disk|link is back)'
by       = ["dev"]
severity = "critical"
summary  = "disk {dev}: {line}"

[[rule]]
name     = "deploy_stuck"
source   = "deploy"
match    = 'deploy (?P<app>\S+) (?P<version>\S+) started'
resolve  = 'deploy (?P<app>\S+) (?P<version>\S+) (?:finished|failed)'
by       = ["app", "version"]
for      = "30m"
summary  = "deploy of {app} {version} has been running for {for}"
"##;

#[test]
fn the_examples_of_the_rule_language_load_and_match() {
    let found = good(EXAMPLES);
    for (name, line, captured) in [
        (
            "ssh_bruteforce",
            "sshd[7]: Failed password for invalid user bob from 192.0.2.7 port 22 ssh2",
            "src_ip=192.0.2.7",
        ),
        (
            "ssh_bruteforce",
            "sshd[7]: Failed password for bob from 2001:db8::7 port 22 ssh2",
            "src_ip=2001:db8::7",
        ),
        ("oom_kill", "Out of memory: Killed process 5 (java) total-vm:1kB, anon-rss:77kB", "process=java"),
        ("disk_io", "EXT4-fs error (device sda1): x", "dev=sda"),
        ("deploy_stuck", "deploy shop v1 started", "version=v1"),
    ] {
        let rule = found.rule(found.find(name).unwrap());
        let (key, value) = captured.split_once('=').unwrap();
        let values = rule.patterns.iter().find_map(|pattern| {
            let mut captures = pattern.regex.create_captures();
            pattern.regex.captures(line.as_bytes(), &mut captures);
            let slot = rule.captures.iter().position(|capture| **capture == *key)?;
            let (group, _) = pattern.slots.iter().find(|(_, to)| *to == slot)?;
            Some(line.as_bytes()[captures.get_group(*group)?.range()].to_vec())
        });
        assert_eq!(values.as_deref(), Some(value.as_bytes()), "{name}: {line}");
    }
    let stuck = found.rule(found.find("deploy_stuck").unwrap());
    assert!(stuck.latches() && stuck.hold == Duration::from_secs(1800) && stuck.resolve_after.is_none());
    let ssh = found.rule(found.find("ssh_bruteforce").unwrap());
    assert_eq!((ssh.most_needed(), ssh.within, ssh.by.len()), (50, Duration::from_secs(600), 1));
}

#[test]
fn the_first_rule_of_the_book_loads() {
    let found = good(
        r##"[[rule]]
name     = "ssh_bruteforce"
source   = "auth"
match    = 'sshd(?:-session)?\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>\S*) from %{ip:src_ip} port \d+'
ignore   = 'from 10\.0\.'
by       = ["src_ip"]
within   = "10m"
warning  = ">= 5"
critical = ">= 50"
summary  = "{count} failed logins from {src_ip} in {within}"
"##,
    );
    let names: Vec<&str> = found.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ssh_bruteforce",
            "tripline_dead_letter",
            "tripline_state_lost",
            "tripline_store_failed",
            "tripline_sink_suspended",
            "tripline_sink_failing",
            "tripline_storm",
            "tripline_key_overflow"
        ]
    );
}

#[test]
fn classes_are_ascii_unless_asked() {
    let matches = |pattern: &str, line: &str| {
        let text = format!("[[rule]]\nname='r'\nsource='s'\nmatch='{pattern}'\n");
        good(&text).rules[0].patterns[0].regex.is_match(line.as_bytes())
    };
    assert!(!matches(r"^\w$", "é") && matches(r"(?u)^\w$", "é") && matches(r"^(?iu:\w)$", "é"));
    assert!(matches(r"^é?\w$", "ü") && matches("(?i)É", "é"));
    assert!(matches("%%{x}", "%{x}"));
}

/// All the little languages inside of a rule.
const LANGUAGES: &str = r##"
[defaults]
active = ["Mon-Fri 08:00-18:00 Europe/Berlin", "2026-12-24T18:00 - 2026-12-27"]
mute   = "22:00-06:00 UTC"
[patterns]
code = '[A-Z]{2}\d+'
[lookup.hosts]
'10.0.0.1' = "gateway"

[[rule]]
name     = "a"
source   = ["s", "t"]
match    = '(?<path>\S+) (?<status>\d+) %{num:took}ms %{code}'
match_all = ['from (?<ip>\S+)', 'port']
set      = { path = 'lower(mask(first(path, 20)))', new = 'replace(path, "x+", "y")', host = 'lookup(hosts, path, "?")' }
where    = 'status >= 500 and (path =~ "^/pay" or not status in [503, 504]) and file != "x"'
by       = ["path"]
measure  = "ratio(status >= 500 or took > 1.5s)"
within   = "1h30m"
warning  = ">= 2%"
critical = "> 0.5"
clear    = "< 1%"
for      = "1m"
max_raises = "30/5m"
flap     = { changes = 6, within = "1h" }
labels   = { host = "{host}{{" }
images   = ["https://x/{path}", { src = "y", alt = "z" }]
links    = ["https://x/{path}", { href = "http://y:8/?{path}#x", text = "z {lines}" }]
lines_kept = { first = 3, last = 0 }

[[rule]]
name     = "b"
source   = "s"
match    = '(?<job>\S+) done'
by       = ["job"]
expect   = { job = ["x", "y"] }
deadline = "Mon-Fri 02:30 Europe/Berlin"
unless   = "a"
after    = ["a"]
after_within = "5m"
"##;

#[test]
fn all_languages_are_spoken_by_the_text_that_is_damaged() {
    let (found, problems) = rules(LANGUAGES);
    let ids: Vec<&str> = problems.iter().map(|problem| problem.id).collect();
    assert!(found.is_some(), "{problems:#?}");
    assert!(ids.iter().all(|id| *id == "nothing-shared"), "{ids:?}");
}

/// Everything that can be done with a text.
fn read_all(text: &str) {
    let as_main = file("tripline.toml", text);
    let (_, main) = settings(&as_main, &TimeZone::UTC);
    let (_, rules) = ruleset(&[as_main], Some(&[]), &[], &TimeZone::UTC);
    let texts = BTreeMap::from([("tripline.toml".into(), text.to_owned())]);
    for problems in [main, rules] {
        for problem in &problems {
            assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
            let second = problem.second.as_ref();
            assert!(second.is_none_or(|second| text.get(second.span.clone()).is_some()), "{problem:?}");
        }
        render::text(&problems, &texts, true);
        render::json(&problems, &texts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(200)))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_damaged_file_makes_it_panic(
        which in 0..3_usize, at in any::<prop::sample::Index>(), gone in 0..20_usize, put in "[\"'\\\\\\[\\]{}=%é\n\r x(?<:]{0,6}",
    ) {
        let mut text = [TEN, EXAMPLES, LANGUAGES][which].to_owned();
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.ceil_char_boundary((start + gone).min(text.len()));
        text.replace_range(start..end, &put);
        read_all(&text);
    }

    #[test]
    fn no_pattern_and_no_text_makes_it_panic(
        pattern in "([(\\[{?<!=:>)\\]}%*+|\\\\a-z0-9é]|%\\{ip(:a)?\\}|\\(\\?<a>){0,16}", text in "[{}a-z é]{0,10}",
    ) {
        let quoted = toml::Value::String(pattern).to_string();
        read_all(&format!("[[rule]]\nname='r'\nsource='s'\nmatch={quoted}\nsummary='{text}'\nwithin='{text}'\nwarning='{text}'\n"));
    }
}

#[test]
fn a_pattern_that_wants_a_line_end_is_told_where_no_source_joins_lines() {
    let check = |sources: &str, pattern: &str, expected: &[&str]| {
        let main = Text { path: "tripline.toml".into(), text: sources.to_owned() };
        let sources = settings(&main, &TimeZone::UTC).0.expect("sound settings").sources;
        let text = format!("[[rule]]\nname='r'\nsource=['a','b']\n{pattern}\n");
        let rules = Text { path: "rules.toml".into(), text };
        let (_, problems) = ruleset(&[rules], Some(&sources), &[], &TimeZone::UTC);
        let ids: Vec<&str> = problems.iter().map(|problem| problem.id).collect();
        assert_eq!(ids, expected, "{pattern}");
    };
    let source = |name: &str, more: &str| format!("[[source]]\nname='{name}'\nfiles='x'\n{more}\n");
    let alone = source("a", "") + &source("b", "");
    let joined = source("a", "") + &source("b", "multiline='java'");
    check(&alone, r"match='a\nb'", &["line-end"]);
    check(&alone, "match='x'\nignore='(?:a|b)\\n+(?:c|d)'", &["line-end"]);
    check(&alone, "match='x'\nresolve='(?:a\\n|\\nb)'", &["line-end"]);
    check(&alone, r"match=['(?m)^a$', 'a\n?', 'a\s+b', '(?:a\n|b)']", &[]);
    check(&joined, r"match='a\nb'", &[]);
}

#[test]
fn a_status_page_is_checked() {
    let sink = |line: &str| {
        format!(
            "[[sink]]\nname='p'\ntype='flashduty-status-page'\npage_id=5750613685214\ncomponents=['API', 123]\n{line}\n"
        )
    };
    let keyed = |line: &str| sink(&format!("app_key_env='K'\n{line}"));
    check_main(&keyed(""), &[]);
    check_main(&sink(""), &[("missing-key", "[[sink]]")]);
    // An app key can do too much to stand here.
    check_main(&sink("app_key='k'"), &[("inline-secret", "app_key")]);
    check_main(&keyed("app_key='k'"), &[("inline-secret", "app_key")]);
    check_main(&sink("url='https://h?x=1&app_key=k'"), &[("inline-secret", "app_key")]);
    check_main(&keyed("url='http://h'"), &[("plaintext-url", "http://")]);
    check_main(&keyed("component_status={ warning='major_outage' }"), &[("bad-choice", "'major_outage'")]);
    check_main(&keyed("component_status={ warnung='degraded' }"), &[("unknown-key", "warnung")]);
    check_main(
        &keyed("component_status={ info='under_maintenance' }"),
        &[("bad-choice", "'under_maintenance'")],
    );
    check_main(&keyed("component_status={ info=1 }"), &[("wrong-type", "1")]);
    check_main(&keyed("component_status='degraded'"), &[("wrong-type", "'degraded'")]);
    check_main(&keyed("responders=[1, 0, 'ann']"), &[("out-of-range", "0"), ("wrong-type", "'ann'")]);
    check_main(
        &keyed("group_by='sink'\nreopen_within='soon'"),
        &[("bad-choice", "'sink'"), ("bad-duration", "s")],
    );
    let bare = "[[sink]]\nname='p'\ntype='flashduty-status-page'\napp_key_env='K'\n";
    check_main(bare, &[("missing-key", "[[sink]]"), ("missing-key", "[[sink]]")]);
    check_main(&format!("{bare}page_id=-5\ncomponents=[]"), &[("out-of-range", "-5"), ("empty-list", "[]")]);
    check_main(
        &format!("{bare}page_id='5'\ncomponents=[' ', true]"),
        &[("wrong-type", "'5'"), ("empty", "' '"), ("wrong-type", "true")],
    );
    // The public is told of no sign of life, and of nothing that was meant for others.
    check_main(&keyed("[[sink]]\nname='o'\ntype='stdout'\nfallback='p'"), &[("bad-fallback", "'p'")]);
    check_main(&keyed("[heartbeat]\nsink='p'"), &[("unknown-sink", "'p'")]);

    let text = keyed(
        "component_status={ info='operational' }\nresponders=[7]\ngroup_by='alert'\nreopen_within='5m'\nurl='https://h/x?y=1'",
    );
    let found = settings(&file("tripline.toml", &text), &TimeZone::UTC).0.unwrap();
    let Peer::StatusPage(page) = &found.sinks[0].peer else { panic!("{:?}", found.sinks[0]) };
    assert_eq!(
        (page.page_id, page.url.as_str(), page.components.as_slice()),
        (5_750_613_685_214, "https://h/x?y=1", ["API".to_owned(), "123".to_owned()].as_slice())
    );
    assert_eq!(
        page.component_status.map(ComponentStatus::as_str),
        ["operational", "partial_outage", "full_outage"]
    );
    assert_eq!(
        (page.responders.as_slice(), page.group_by, page.reopen_within.as_secs()),
        ([7].as_slice(), GroupBy::Alert, 300)
    );
    let usual = settings(&file("tripline.toml", &keyed("")), &TimeZone::UTC).0.unwrap();
    let Peer::StatusPage(page) = &usual.sinks[0].peer else { panic!("{:?}", usual.sinks[0]) };
    assert!(!page.notify_subscribers && !page.send_description && page.group_by == GroupBy::Rule);
    assert_eq!(page.url, "https://api.flashcat.cloud");
}
