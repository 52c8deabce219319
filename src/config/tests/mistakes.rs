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
