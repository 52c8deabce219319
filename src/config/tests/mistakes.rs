//! What is well written and can not have been meant.

use super::*;

#[test]
fn a_list_that_names_nothing_is_not_taken_for_all() {
    check_rule("match = 'x'\nsinks = []", &[("empty-list", "[]")]);
    let missed = |expect: &str| {
        format!(
            "match = '(?<j>x)(?<k>y)'\nby = ['j', 'k']\nmeasure = 'absent'\nwarning = '> 5m'\nexpect = {expect}"
        )
    };
    check_rule(&missed("{}"), &[("empty-table", "{}")]);
    check_rule(&missed("{ j = [], k = 'y' }"), &[("empty-list", "[]")]);
    check_rule(&missed("{ j = ['x'], k = 'y' }"), &[]);
}

/// A rule with one more line: what is said of it, where, and the way out.
fn check_syntax(line: &str, place: &str, title: &str, help: &str) {
    let text = format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n{line}\n");
    let (_, problems) = rules(&text);
    let problem = problems.iter().find(|problem| problem.id == "syntax").expect(line);
    let told = (&text[problem.span.clone()], problem.title.as_str(), problem.help.as_deref());
    assert_eq!(told, (place, title, Some(help)), "{line}");
}

#[test]
fn a_word_without_quotes_is_told_as_one_with_what_to_write() {
    for (word, help) in [
        ("no", "write `false`"),
        ("off", "write `false`"),
        ("yes", "write `true`"),
        ("True", "write `true`"),
        ("never", "write it between quotes: `\"never\"`"),
        ("5m", "write it between quotes: `\"5m\"`"),
        ("nan5", "write it between quotes: `\"nan5\"`"),
    ] {
        check_syntax(&format!("within = {word}"), word, &format!("`{word}` is no value"), help);
    }
    check_syntax("by = [a]", "a", "`a` is no value", "write it between quotes: `\"a\"`");
    check_syntax("summary = disk is full", "disk", "`disk` is no value", "write it between quotes");
    // What is wrong otherwise is told as before.
    let (_, problems) = rules("[[rule]]\nname = = 'r'\n");
    assert_eq!((problems[0].title.as_str(), &problems[0].help), ("extra `=`", &None));
}

#[test]
fn a_file_in_another_language_is_told_once() {
    for (text, place, title) in [
        ("# rules\n---\ngroups:\n  - name: a\n    rules: []\n", "groups:", "this is YAML, and no TOML"),
        ("- name: a\n  match: b\n", "- name: a", "this is YAML, and no TOML"),
        ("{\n  \"rule\": []\n}\n", "{", "this is JSON, and no TOML"),
    ] {
        let (_, problems) = rules(text);
        let told: Vec<_> =
            problems.iter().map(|problem| (&text[problem.span.clone()], &*problem.title)).collect();
        assert_eq!(told, [(place, title)]);
    }
    // One slip in a file that is TOML is told as it is.
    let (_, problems) = rules("name: 'x'\n[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nseverity: info\n");
    assert!(
        problems.len() > 1 && !problems.iter().any(|problem| problem.title.contains("TOML")),
        "{problems:?}"
    );
}

#[test]
fn a_percentile_that_there_is_not_is_told_how_to_write() {
    for (measure, help) in [
        ("median", "`p50(…)` is the median"),
        ("p99.9", "percentiles are whole, `p1` to `p99`"),
        ("p999", "percentiles are whole, `p1` to `p99`"),
        ("p100", "`max(…)` is the highest"),
        ("p0", "`min(…)` is the lowest"),
    ] {
        let text = format!(
            "[[rule]]\nname = 'r'\nsource = 's'\nmatch = '(?<n>\\d+)'\nwithin = '5m'\nmeasure = '{measure}(n)'\nwarning = '> 5'\n"
        );
        let (_, problems) = rules(&text);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!((problem.id, problem.help.as_deref()), ("unknown-measure", Some(help)), "{measure}");
        assert!(
            problem.note.as_deref().is_some_and(|note| note.ends_with("`spike`, `p1` to `p99`")),
            "{problem:?}"
        );
    }
}

#[test]
fn a_pattern_that_fits_nothing_or_nothing_that_counts_is_told() {
    for pattern in ["ERROR$ x", "^a^b", r"[^\s\S]"] {
        check_rule(&format!("match = '{pattern}'"), &[("never-fits", &format!("'{pattern}'"))]);
        let lines = format!("match = 'x'\nresolve = '{pattern}'");
        check_rule(&lines, &[("never-fits", &format!("'{pattern}'"))]);
    }
    check_rule("match = 'x'\nignore = 'x'", &[("never-fits", "'x'")]);
    check_rule("match = 'x'\nresolve = 'x'", &[("never-fits", "'x'")]);
    check_rule(
        "match = ['a', 'disk \\w+ (?:bad|worse)']\nignore = 'disk'",
        &[("never-fits", "'disk \\w+ (?:bad|worse)'")],
    );
    check_rule("match_all = ['a', 'b']\nignore = 'b'", &[("never-fits", "'a'")]);
    for lines in [
        "match = 'disk \\w+'\nignore = 'disk sda'",
        "match = 'disk|fan'\nignore = 'disk'",
        "match = '(?:disk )?x'\nresolve = 'disk'",
        "match = 'disk'\nignore = '(?i)disk'\nresolve = '^disk'",
        "match = '^x$'",
        "match = '(?m)a$\\n?^b'",
    ] {
        check_rule(lines, &[]);
    }
}

#[test]
fn what_is_captured_is_held_against_what_it_is_compared_with() {
    let number = "match = '(?<a>\\d+)'\nwhere = ";
    check_rule(&format!("{number}'a > 5ms'"), &[("unit-mismatch", "5ms")]);
    check_rule(&format!("{number}'a == \"abc\"'"), &[("never-equal", "\"abc\"")]);
    check_rule(
        &format!("{number}'a in [\"5\", \"x\"] or not a != \"y\"'"),
        &[("never-equal", "\"x\""), ("never-equal", "\"y\"")],
    );
    let word = "match = '(?<a>[a-z]+)'\n";
    check_rule(&format!("{word}where = 'file != \"x\" and a > 5'"), &[("never-a-number", "a")]);
    check_rule(&format!("{word}where = 'a in [1, 2]'"), &[("never-a-number", "a")]);
    check_rule(
        &format!("{word}within = '5m'\nmeasure = 'sum(a)'\nwarning = '> 5'"),
        &[("never-a-number", "'sum(a)'")],
    );
    check_rule(
        &format!("{word}within = '5m'\nmeasure = 'ratio(a >= 5)'\nwarning = '> 5%'"),
        &[("never-a-number", "a")],
    );
    for lines in [
        "match = '(?<a>\\S+)'\nwhere = 'a > 5ms and a == \"abc\"'",
        "match = '(?<a>\\d+)'\nwhere = 'a == \"\" or a == \"7\" or a == \"***\" or a >= 5'",
        "match = ['(?<a>\\d+)', '(?<a>[a-z]+)']\nwhere = 'a == \"abc\" or a > 5'",
        "match = '(?<a>[a-z]+)'\nset = { a = 'lookup(t, a)' }\nwhere = 'a > 5'",
        "match = '(?<a>\\d+(?:ms)?)'\nwhere = 'a > 5ms'",
        "match = '(?<a>\\bx|y)'\nwhere = 'a == \"z\"'",
        "match = '%{duration:a}'\nwhere = 'a > 5ms'",
        "match = '(?<a>[a-z]+)'\nwithin = '5m'\nmeasure = 'distinct(a)'\nwarning = '> 5'",
    ] {
        let text = format!("[lookup.t]\nx = '5'\n[[rule]]\nname = 'r'\nsource = 's'\n{lines}\n");
        check_rules(&text, &[]);
    }
    let missed = |pattern: &str| {
        format!(
            "match = '{pattern}'\nby = 'j'\nmeasure = 'absent'\nwarning = '> 5m'\nexpect = {{ j = ['7', 'abc'] }}"
        )
    };
    check_rule(&missed("(?<j>\\d)"), &[("never-equal", "'abc'")]);
    check_rule(&missed("(?<j>\\w+)"), &[]);
    let change = |words: &str| {
        format!(
            "kind = 'change'\nmatch = '(?<a>\\w+) (?<p>started|done)'\nchange_key = '{{a}}'\nchange_status = {{ p = {{ {words} }} }}"
        )
    };
    check_rule(&change("startd = 'Processing', done = 'Done'"), &[("never-equal", "startd")]);
    check_rule(&change("started = 'Processing'"), &[]);
}

#[test]
fn a_capture_of_resolve_that_selects_nothing_is_told() {
    let lines = |resolve: &str, more: &str| {
        format!("match = 'bad (?<h>\\w+) (?<dev>\\w+)'\nby = ['h', 'dev']\nresolve = '{resolve}'\n{more}")
    };
    check_rule(&lines("ok (?<host>y)", ""), &[("unused-capture", "host")]);
    check_rule(&lines("ok (?<h>y) (?<devi>y)", ""), &[("unused-capture", "devi")]);
    check_rule(&lines("ok %{word:host}", ""), &[("unused-capture", "host")]);
    check_rule(&lines("ok (?<h>y)", ""), &[]);
    check_rule(&lines("all ok", ""), &[]);
    check_rule(&lines("ok (?<why>y)", "summary = '{why}'"), &[]);
    check_rule(&lines("ok (?<x>y)", "set = { h = 'lower(x)' }"), &[]);
    check_rule(&lines("ok (?<h>y) (?<dev>y) (?<rest>.*)", ""), &[]);
}

#[test]
fn clear_lies_on_the_other_side_of_every_level() {
    let value = |warning: &str, clear: &str| {
        format!("match = '(?<n>\\d+)'\nmeasure = 'last(n)'\nwarning = '{warning}'\nclear = '{clear}'")
    };
    for (warning, clear) in
        [("> 80", "> 90"), ("> 80", "< 90"), (">= 80", "<= 80"), ("== 5", "!= 6"), ("< 5", "< 3")]
    {
        check_rule(&value(warning, clear), &[("clear-overlaps", &format!("'{clear}'"))]);
    }
    for (warning, clear) in
        [("> 80", "<= 80"), ("> 80", "< 70"), ("== 5", "!= 5"), ("< 5", ">= 5"), ("!= 0", "== 0")]
    {
        check_rule(&value(warning, clear), &[]);
    }
    let count = |warning: &str, clear: &str| {
        format!("match = 'x'\nwithin = '5m'\nwarning = '{warning}'\nclear = '{clear}'")
    };
    check_rule(&count(">= 2", "< 0"), &[("never-ends", "'< 0'")]);
    check_rule(&count(">= 2", "< 3"), &[("clear-overlaps", "'< 3'")]);
    // Between 4 and 5 there is no count.
    check_rule(&count("> 4", "< 5"), &[]);
    check_rule(&count(">= 2", "<= 0"), &[]);
    check_rule(&count("< 5", ">= 10"), &[]);
}

#[test]
fn a_share_is_not_above_one() {
    let share = |measure: &str, level: &str| {
        format!("match = '(?<n>\\d+)'\nwithin = '5m'\nmeasure = '{measure}'\nwarning = '{level}'")
    };
    check_rule(&share("ratio(n > 5)", "> 1"), &[("bad-comparison", ">")]);
    check_rule(&share("ratio(n > 5)", "> 100%"), &[("bad-comparison", ">")]);
    check_rule(&share("ratio(n > 5)", "< 0%"), &[("bad-comparison", "<")]);
    check_rule(&share("spike", "< 0"), &[("bad-comparison", "0")]);
    for level in [">= 1", "< 100%", "== 0%", "> 99.9%"] {
        check_rule(&share("ratio(n > 5)", level), &[]);
    }
    check_rule(&share("spike", "<= 0"), &[]);
}

#[test]
fn idioms_of_other_programs_are_told() {
    check_rule("match = '<HOST> failed'", &[("other-idiom", "<HOST>")]);
    check_rule("match = '%(__prefix_line)s x'", &[("other-idiom", "%(__prefix_line)s")]);
    check_rule("match = '[<]HOST> failed'", &[]);
    check_rule("match = '/error/i'", &[("other-idiom", "'/error/i'")]);
    for path in ["/var/log/", "/error/", "/api/users", "/a/b/i", "//i", "x/y/i"] {
        check_rule(&format!("match = '{path}'"), &[]);
    }
    check_rule(
        "match = 'x'\nlabels = { severity = 'critical', team = 'db' }",
        &[("other-idiom", "severity")],
    );
    let text = |summary: &str| format!("match = '(?<a>x)'\nsummary = '{summary}'");
    for (summary, place) in
        [("{{ $labels.a }} failed", "{{ $labels.a }}"), ("{{.Labels}}", "{{.Labels}}"), ("of $a", "$a")]
    {
        check_rule(&text(summary), &[("other-idiom", place)]);
    }
    for summary in [
        "{{a}}",
        "{a} costs $a",
        "$5 and $ab",
        "{{ a }} $",
        "${a}",
        "{{{{.Host.Name}}}}",
        "find {{n: {{$gt: 5}}}}",
    ] {
        check_rule(&text(summary), &[]);
    }
}

#[test]
fn values_that_no_one_means_are_refused() {
    check_rule("match = 'x'\nrenotify = '999ms'", &[("out-of-range", "'999ms'")]);
    check_rule("match = 'x'\nrenotify = '1s'", &[]);
    let change = |lines: &str| {
        format!(
            "kind = 'change'\nmatch = '(?<a>\\w+)'\nchange_key = '{{a}}'\nchange_status = 'Done'\n{lines}"
        )
    };
    check_rule(&change("starts = 'tomorrow'"), &[("bad-stamp", "'tomorrow'")]);
    check_rule(&change("change_time = '5pm'"), &[("bad-stamp", "'5pm'")]);
    check_rule(&change("starts = '2026-01-05T10:00:00Z'\nends = '{a}'"), &[]);
    let text = "[[rule]]\nname = 'r'\nmatch = 'x'\nfiles = ['~/x.log', './~/x.log', 'x~']\n";
    check_rules(text, &[("bad-glob", "'~/x.log'")]);
    for wrong in ["$HOME/x.log", "${HOME}/x.log", "file:///var/log/syslog"] {
        let literal = format!("'{wrong}'");
        let text = format!("[[rule]]\nname = 'r'\nmatch = 'x'\nfiles = [{literal}, './$x', '$1']\n");
        check_rules(&text, &[("bad-glob", &literal)]);
    }
    check_main("[[source]]\nname = 's'\nfiles = '~/x.log'\n", &[("bad-glob", "'~/x.log'")]);
}
