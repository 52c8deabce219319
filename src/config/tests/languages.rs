//! The little languages inside of a rule: patterns, texts, conditions, measures, rewritings, times.

use super::*;

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
    check_rule(r"match = '^(?:[ \t]|$)'", &[]);
    check_rule("match = '(?<a>x)'\nset = { a = 'replace(a, \"^$\", \"none\")' }", &[]);
    check_rule("match = 'x(?<a>y)?'\nset = { a = 'default(a, \"none\")' }\nby = ['a']", &[]);
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
    check_rule("match = 'x'\nimages = [{ src = 'https://x/', alt = '}' }]", &[("bad-template", "}")]);
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
        Some(
            "the names are `user`, `file`, `source`, `line`, `instance`, `rule`, `namespace`, `pod`, `container`, `workload`"
        )
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
        ("measure = 'distinct(path)'\nby = ['n', 'path']\nwarning = '>= 5'", "no-effect", "'distinct(path)'"),
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
        "match = '(?<n>\\d+)'\nmeasure = 'avg(n)'\nwarning = '> 5'",
        &[("measure-without-window", "'avg(n)'")],
    );
    check_rule("match = '(?<n>\\d+)'\nmeasure = 'last(n)'\nwarning = '> 5'\nfor = '1m'", &[]);
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
        "match = '(?<job>\\w)'\nby = ['job']\nexpect = { job = 'a' }",
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
fn classes_are_ascii_unless_asked() {
    let matches = |pattern: &str, line: &str| {
        let text = format!("[[rule]]\nname='r'\nsource='s'\nmatch='{pattern}'\n");
        good(&text).rules[0].patterns[0].regex.is_match(line.as_bytes())
    };
    assert!(!matches(r"^\w$", "é") && matches(r"(?u)^\w$", "é") && matches(r"^(?iu:\w)$", "é"));
    assert!(matches(r"^é?\w$", "ü") && matches("(?i)É", "é"));
    assert!(matches("%%{x}", "%{x}"));
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
