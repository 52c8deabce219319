//! Rules: their keys, what goes together, what they say of each other, of sources and of sinks.

use super::*;
use crate::rule::{Comparison, Op, Segment, Template, Unit, Value};
use crate::settings::Source;

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
        "match = 'x'\nimages = [5, { href = 'https://x/' }]",
        &[("wrong-type", "5"), ("missing-key", "{ href = 'https://x/' }")],
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
fn what_stays_away_has_no_window_whatever_the_defaults_say() {
    let text = "[defaults]\nwithin='1h'\nmin_lines=2\n[[rule]]\nname='r'\nsource='s'\nmatch='x'\nmeasure='absent'\nwarning='> 1h'\n";
    let rule = &good(text).rules[0];
    assert_eq!((rule.within, rule.min_lines), (Duration::ZERO, 0));
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
    let last = "match = '(?<n>\\d+)'\nmeasure = 'last(n)'\nwarning = '< 7'\nresolve_after = 'never'";
    check_rule(last, &[]);
    check_rule("match = 'x'\nexpire_after = '1d'", &[("no-effect", "'1d'")]);
    let latched = "match = 'x'\nresolve = 'y'\nresolve_after = ";
    check_rule(&format!("{latched}'5m'"), &[("no-effect", "'5m'")]);
    check_rule(&format!("{latched}'never'"), &[]);
    check_rule(&format!("{latched}'5m'\nwithin = '1m'"), &[]);
    // What flaps is open until it was quiet for so long.
    check_rule(&format!("{latched}'61m'"), &[]);
    check_rule(&format!("{latched}'61m'\nflap = 'never'"), &[("no-effect", "'61m'")]);
    check_rule(
        &format!("{latched}'61m'\nflap = {{ changes = 4, within = '2h' }}"),
        &[("no-effect", "'61m'")],
    );
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
            "the names are `file`, `source`, `namespace`, `pod`, `container`, `workload`; it may be a field if all sources of the rule have a `format`: `c` has none",
        ],
    );
    let one = "; it may be a field if the source has a `format`: \"json\" or \"logfmt\"";
    check(
        "'c'",
        &[&format!("the names are `file`, `source`, `namespace`, `pod`, `container`, `workload`{one}")],
    );
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
        "runbook='https://z/'",
        "severity='warning'",
    ] {
        assert_eq!(digest(same), plain, "{same}");
    }
    let others = [
        "ignore='y'",
        "resolve='y'",
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
