//! `check`: every problem of a configuration at once, and what its rules cost.

use crate::support::sandbox::{Running, Sandbox};

/// Ten rules, each wrong in its own way.
const TEN: &str = r#"[[rule]]
name = "Upper"
source = "s"
match = 'x'

[[rule]]
name = "unknown_key"
source = "s"
mach = 'x'
match = 'x'

[[rule]]
name = "bad_pattern"
source = "s"
match = 'a[z-a]'

[[rule]]
name = "look_around"
source = "s"
match = 'a(?!b)'

[[rule]]
name = "bad_duration"
source = "s"
match = 'x'
within = "10min"

[[rule]]
name = "bad_comparison"
source = "s"
match = 'x'
within = "1m"
warning = "=> 5"

[[rule]]
name = "no_such_place"
source = "s"
match = 'x'
summary = "{nobody}"

[[rule]]
name = "bad_severity"
source = "s"
match = 'x'
severity = "critcal"

[[rule]]
name = "wrong_type"
source = "s"
match = 'x'
enabled = "no"

[[rule]]
name = "bad_pattern"
source = "s"
match = 'x'
"#;

#[test]
fn ten_mistakes_are_ten_diagnostics_in_the_order_of_the_file() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", TEN);
    let finished = sandbox.run(&["check", "rules.toml"]).expect(1);
    let heads: Vec<&String> = finished.stdout.iter().filter(|line| line.starts_with("error[")).collect();
    assert_eq!(heads.len(), 10, "{}", finished.answer());
    let places: Vec<usize> = finished
        .stdout
        .iter()
        .filter_map(|line| line.trim_start().strip_prefix("--> rules.toml:")?.split(':').next()?.parse().ok())
        .collect();
    assert_eq!(places, [2, 9, 15, 20, 26, 33, 39, 45, 51, 54], "{}", finished.answer());
    let carets = finished.stdout.iter().filter(|line| line.contains('^')).count();
    assert!(carets >= 10, "{}", finished.answer());
    assert!(!finished.answer().contains('\x1b'), "colour where nobody sees it");
}

#[test]
fn a_machine_gets_one_object_per_mistake() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", TEN);
    let problems = sandbox.run(&["check", "--json", "rules.toml"]).expect(1).json();
    let lines: Vec<_> = problems.iter().map(|problem| problem["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 9, 15, 20, 26, 33, 39, 45, 51, 54], "{problems:#?}");
    assert!(problems.iter().all(|problem| problem["severity"] == "error"), "{problems:#?}");
}

#[test]
fn a_right_file_is_said_to_be_right() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n");
    let finished = sandbox.run(&["check", "rules.toml"]).expect(0);
    assert!(finished.answer().contains("right"), "{finished:?}");
    assert_eq!(sandbox.run(&["check", "--json", "rules.toml"]).expect(0).answer(), "");
}

#[test]
fn where_no_rule_is_in_force_nothing_is_right() {
    let none = "warning: no rule is in force, so nothing is watched";
    let off = "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nenabled = false\n";
    for (rules, says) in
        [("", "there is no rule in this file"), ("[defaults]\nsource = 's'\n", "no rule"), (off, "")]
    {
        let sandbox = Sandbox::new();
        sandbox.write("rules.toml", rules);
        let finished = sandbox.run(&["check", "rules.toml"]).expect(1);
        assert!(finished.talk().contains(none) && finished.answer().contains(says), "{rules}: {finished:?}");
        assert!(!finished.answer().contains("right"), "{rules}: {finished:?}");
    }
    let sandbox = Sandbox::new();
    sandbox.write("tripline.toml", "[[source]]\nname = 's'\nfiles = ['*.log']\n");
    let finished = sandbox.run(&["check"]).expect(1);
    assert!(finished.talk().contains(none) && finished.talk().contains("no rule file fits"), "{finished:?}");
}

#[test]
fn a_plan_without_a_configuration_says_how_to_name_the_tripline_that_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n");
    let finished = sandbox.run(&["check", "-r", "rules.toml", "--against-running"]).expect(2);
    let talk = finished.talk();
    assert!(talk.contains("`--config`") && talk.contains("`--state-dir`"), "{talk}");
}

#[test]
fn a_configuration_is_checked_with_its_rules() {
    let sandbox = Sandbox::new();
    let main = "state_dir = 'state'\n[[source]]\nname = 's'\nfiles = ['*.log']\nstrat = 'end'\n";
    sandbox.write("tripline.toml", main);
    sandbox.write("rules/a.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n");
    sandbox.write("rules/b.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = '('\n");
    let finished = sandbox.run(&["check"]).expect(1);
    for words in ["`strat`", "tripline.toml:5:1", "rules/b.toml:2:8", "rules/b.toml:4:10"] {
        assert!(finished.answer().contains(words), "{words}: {}", finished.answer());
    }
    assert!(!sandbox.path("state").exists(), "looking changes nothing");
}

#[test]
fn what_is_not_there_can_not_be_checked() {
    let sandbox = Sandbox::new();
    for args in [&["check", "--config", "none.toml"][..], &["check"]] {
        let finished = sandbox.run(args).expect(2);
        assert_eq!(finished.answer(), "");
        assert!(finished.talk().starts_with("error: "), "{finished:?}");
    }
}

#[test]
fn a_rule_file_that_can_not_be_read_is_one_problem_among_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "[[rule]]\nnmae = \"x\"\n");
    sandbox.write("latin.toml", b"# caf\xe9\n");
    let finished = sandbox.run(&["check", "none.toml", "bad.toml", "latin.toml"]).expect(1);
    for words in ["can not read `none.toml`", "`nmae`", "`latin.toml` is not UTF-8"] {
        assert!(finished.answer().contains(words), "{words}: {}", finished.answer());
    }
}

#[test]
fn a_wrong_configuration_does_not_hide_what_is_wrong_in_its_rules() {
    let sandbox = Sandbox::new();
    let settings =
        |name: &str| format!("rules = [\"mine/*.toml\"]\n[[source]]\n{name} = \"app\"\nfiles = [\"[\"]\n");
    sandbox.write("mine/r.toml", "[[rule]]\nname = \"r\"\nsource = \"ap\"\nmatch = '('\n");
    let ids = |finished: &crate::support::sandbox::Finished| -> Vec<String> {
        let heads = finished.stdout.iter().filter_map(|line| line.strip_prefix("error["));
        heads.filter_map(|head| Some(head.split_once(']')?.0.to_owned())).collect()
    };
    sandbox.write("tripline.toml", settings("name"));
    assert_eq!(ids(&sandbox.run(&["check"]).expect(1)), ["bad-glob", "unknown-source", "bad-pattern"]);
    // Where a source has lost its name, nobody knows which one a rule means.
    sandbox.write("tripline.toml", settings("nam"));
    assert_eq!(
        ids(&sandbox.run(&["check"]).expect(1)),
        ["missing-key", "unknown-key", "bad-glob", "bad-pattern"]
    );
}

/// Takes over a second for a line of 64 KiB on any machine: twenty times what is refused.
const SLOW: &str = "[[rule]]\nname = 'slow'\nsource = 's'\nmatch = '(?s).{1,2000}x'\n";

#[test]
fn a_slow_pattern_is_refused_wherever_rules_are_loaded_unless_it_is_allowed() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", SLOW);
    sandbox.write("a.log", "x\n");
    let finished = sandbox.run(&["check", "rules.toml"]).expect(1);
    for words in ["error[slow-pattern]", "`(?s).{1,2000}x` is slow", "rules.toml:4:9", "allow_slow = true"] {
        assert!(finished.answer().contains(words), "{words}: {}", finished.answer());
    }
    for args in
        [&["replay", "--rules", "rules.toml", "a.log"][..], &["run", "--rules", "rules.toml", "a.log"]]
    {
        let finished = sandbox.run(args).expect(2);
        assert!(finished.talk().contains("error[slow-pattern]"), "{args:?} {finished:?}");
    }
    sandbox.write("rules.toml", format!("{SLOW}allow_slow = true\n"));
    sandbox.run(&["check", "rules.toml"]).expect(0);
    sandbox.run(&["replay", "--rules", "rules.toml", "a.log"]).expect(0);
}

/// A rule for each way of filtering.
const WAYS: &str = r#"[[rule]]
name = "by_grams"
source = "s"
match = 'Failed password for (?<user>\w+)'
resolve = 'Accepted password for (?<user>\w+)'
[[rule]]
name = "by_words"
source = "s"
match = ['ERROR', 'code 5\d\d ']
[[rule]]
name = "by_nothing"
source = "s"
match = '\w+'
"#;

#[test]
fn costs_are_shown_with_what_is_watched_for_the_most_expensive_first() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", WAYS);
    let finished = sandbox.run(&["check", "--cost", "rules.toml"]).expect(0);
    assert_eq!(finished.stdout[0], "3 rules are right");
    let rows: Vec<&String> = finished.stdout.iter().filter(|row| row.contains("by_")).collect();
    assert_eq!(rows.len(), 5, "{}", finished.answer());
    assert!(rows[0].contains("every line") && rows[0].ends_with("by_nothing"), "{}", finished.answer());
    for words in ["grams", "words", "code 5[0-9][0-9] ", "by_grams resolve 1", "by_words match 2"] {
        assert!(finished.answer().contains(words), "{words}: {}", finished.answer());
    }
    assert!(finished.stdout.iter().all(|row| row.chars().count() <= 100), "{}", finished.answer());
}

#[test]
fn a_sample_says_how_often_patterns_are_tried() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", WAYS);
    sandbox
        .write("a.log", b"ERROR \x1b[31m\xff\n-\nFailed password for -\nFailed password for bob".as_slice());
    let args = ["check", "--cost", "--json", "--sample", "a.log", "rules.toml"];
    let rows = sandbox.run(&args).expect(0).json();
    let found: std::collections::BTreeSet<(String, u64, u64, u64)> = rows
        .iter()
        .map(|row| {
            let number = |key: &str| row[key].as_u64().expect("a number");
            assert_eq!(number("sample_lines"), 4);
            let name = format!("{} {} {}", row["rule"], row["key"], row["number"]).replace('"', "");
            (name, number("candidates"), number("candidates_per_million_lines"), number("matches"))
        })
        .collect();
    let expected = [
        ("by_grams match 1", 1, 250_000, 1),
        ("by_grams resolve 1", 0, 0, 0),
        ("by_nothing match 1", 4, 1_000_000, 3),
        ("by_words match 1", 1, 250_000, 1),
        ("by_words match 2", 0, 0, 0),
    ];
    let expected = expected.map(|(name, tried, rate, fits)| (name.to_owned(), tried, rate, fits));
    assert_eq!(found, expected.into());
    let shown = sandbox.run(&["check", "--cost", "--sample", "a.log", "rules.toml"]).expect(0);
    assert!(shown.answer().contains("on 4 lines") && !shown.answer().contains('\x1b'), "{}", shown.answer());
}

#[test]
fn hostile_characters_of_a_pattern_do_not_reach_the_terminal_with_its_cost() {
    let sandbox = Sandbox::new();
    let rule = "[[rule]]\nname = 'r'\nsource = 's'\nmatch = \"ab\\u001b[3]1mcd\\u202eef\"\n";
    sandbox.write("rules.toml", rule);
    for args in [&["check", "--cost", "rules.toml"][..], &["check", "--cost", "--json", "rules.toml"]] {
        let finished = sandbox.run(args).expect(0);
        assert!(!finished.answer().contains(['\x1b']), "{finished:?}");
    }
    let table = sandbox.run(&["check", "--cost", "rules.toml"]).expect(0).answer();
    assert!(table.contains("ab\\x1b") && !table.contains('\u{202e}'), "{table}");
}

#[test]
fn a_sample_that_can_not_be_read_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", WAYS);
    sandbox.write("folder/a.log", "");
    for sample in ["none.log", "folder"] {
        let finished = sandbox.run(&["check", "--cost", "--sample", sample, "rules.toml"]).expect(2);
        assert!(finished.talk().contains(&format!("can not read `{sample}`")), "{finished:?}");
    }
    sandbox.run(&["check", "--sample", "folder/a.log", "rules.toml"]).expect(2);
}

#[test]
fn where_rules_are_wrong_there_is_no_cost_to_show() {
    let sandbox = Sandbox::new();
    sandbox.write("rules.toml", TEN);
    let finished = sandbox.run(&["check", "--cost", "rules.toml"]).expect(1);
    assert!(!finished.answer().contains("64 KiB"), "{}", finished.answer());
}

/// A configuration with these sinks and a rule.
fn with_sinks(sinks: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let config = format!("state_dir = 'state'\n[[source]]\nname = 's'\nfiles = ['*.log']\n{sinks}");
    sandbox.write("tripline.toml", config);
    sandbox.write("rules/a.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n");
    sandbox
}

#[test]
fn no_problem_of_a_sink_or_a_source_hides_another() {
    let sandbox = with_sinks(
        "[[source]]\nfiles = ['b.log']\ntz = 'Mars/X'\nredact = ['(']\n\
         [[sink]]\nname = 'pd'\ntype = 'pagerduty'\nrouting_key_file = 'key'\n\
         [[sink]]\nname = 'hook'\ntype = 'webhook'\nurl = 'ftp://h'\ntoken_header = 'a b'\n\
         [[sink]]\nname = 'gone'\ntype = 'file'\npath = '/nowhere/at/all/out'\n\
         [[sink]]\nname = 'self'\ntype = 'file'\npath = 'a.log'\n\
         [[sink]]\nname = 'odd'\ntype = 'flushduty'\nwhen = 'severity >'\n",
    );
    sandbox.write("key", "short\n");
    sandbox.write(
        "rules/a.toml",
        "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nsinks = ['hook', 'odd', 'nobody']\n",
    );
    let ids = |finished: &crate::support::sandbox::Finished| -> Vec<String> {
        finished.json().iter().map(|problem| problem["id"].as_str().expect("a text").to_owned()).collect()
    };
    let finished = sandbox.run(&["check", "--json"]).expect(1);
    let mut told = ids(&finished);
    // Who runs the test may read a key that others can.
    told.retain(|id| id != "exposed-key");
    let expected = [
        "missing-key",
        "unknown-zone",
        "bad-pattern",
        "bad-url",
        "bad-header",
        "unknown-type",
        "bad-condition",
        "unknown-sink",
        "feeds-itself",
        "bad-key",
        "unwritable",
    ];
    assert_eq!(told, expected, "{finished:?}");
    // What a syntax error leaves is no ground for saying what is missing.
    let text = String::from_utf8(sandbox.read("tripline.toml")).expect("a text");
    sandbox.write("tripline.toml", text.replace("type = 'flushduty'", "type = "));
    let finished = sandbox.run(&["check", "--json"]).expect(1);
    let told = ids(&finished);
    assert!(
        told.contains(&"syntax".to_owned()) && !told.contains(&"unknown-sink".to_owned()),
        "{finished:?}"
    );
}

#[test]
fn certificates_that_are_none_are_told_as_run_tells_them_and_those_that_are_not_here_are_a_note() {
    let sandbox = with_sinks(
        "[[sink]]\nname = 'a'\ntype = 'webhook'\nurl = 'https://h/'\nca_file = 'ca.pem'\n\
         client_cert_file = 'cert.pem'\nclient_key_file = 'key.pem'\n",
    );
    let checked = sandbox.run(&["check"]).expect(0);
    for file in ["`ca_file = \"", "`client_cert_file = \""] {
        let words = format!("note: sink `a` needs what is not here: cannot read {file}");
        assert!(checked.talk().contains(&words), "{checked:?}");
    }
    sandbox.write("ca.pem", "0\u{82}");
    sandbox.write("cert.pem", "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n");
    sandbox.write("key.pem", "none");
    let shown = sandbox.run(&["check"]).expect(1).answer();
    let ca = format!(
        "`ca_file = \"{}\"` of sink `a` holds no certificate in PEM form",
        sandbox.path("ca.pem").display()
    );
    for words in [
        &*format!("error[bad-certificate]: {ca}"),
        "tripline.toml:9:1",
        "tripline.toml:10:1",
        "`openssl x509 -inform der` makes one",
        "key.pem\"` of sink `a` are not a certificate and its key in PEM form",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let refused = sandbox.run(&["run", "--state-dir", "state"]).expect(2);
    assert!(refused.talk().contains(&ca), "{refused:?}");
}

#[test]
fn a_file_sink_without_a_directory_is_told_by_check_and_at_the_start_and_is_no_error() {
    let sandbox = with_sinks(
        "[[sink]]\nname = 'a'\ntype = 'file'\npath = 'none/alerts.ndjson'\n\
                              [admin]\nlisten = 'off'\n",
    );
    let way = format!("`mkdir -p {}` makes it", sandbox.path("none").display());
    let shown = sandbox.run(&["check"]).expect(0).answer();
    for words in ["warning[unwritable]: the directory `", &way, "tripline.toml:8:1", "of sink `a`"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let mut running = sandbox.start(&["run", "--state-dir", "state"]);
    let said = running.says("nothing can be written there as it is");
    assert!(said.contains(&way) && said.contains("sink=a"), "{said}");
    running.says("started");
    running.stop().expect(0);
    std::fs::create_dir(sandbox.path("none")).expect("the sandbox is ours");
    assert_eq!(sandbox.run(&["check"]).expect(0).answer(), "1 rule is right");
}

#[test]
fn a_directory_that_is_named_as_a_file_is_told() {
    let sandbox = with_sinks("[[source]]\nname = 'dir'\nfiles = ['rules', 'none.log', 'ru*']\n");
    let said = sandbox.run(&["check"]).expect(0).talk();
    let way = "rules` of source `dir` is a directory: name the files in it, as `";
    assert_eq!((said.matches(way).count(), said.matches("directory").count()), (1, 1), "{said}");
}

#[test]
fn a_status_page_that_no_rule_names_is_a_warning() {
    let sandbox = with_sinks(
        "[[sink]]\nname = 'page'\ntype = 'flashduty-status-page'\napp_key_env = 'K'\npage_id = 1\n\
         components = ['API']\n",
    );
    let checked = sandbox.run(&["check"]).expect(1);
    let shown = checked.answer();
    for words in ["warning[unnamed-sink]: no rule in force names the sink `page`", "tripline.toml:6:1"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    sandbox.write("rules/a.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nsinks = ['page']\n");
    assert_eq!(sandbox.run(&["check"]).expect(0).answer(), "1 rule is right");
}

#[test]
fn what_this_machine_has_against_a_sink_is_a_warning_with_its_place_and_no_fault_of_the_configuration() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = with_sinks(
        "[[sink]]\nname = 'a'\ntype = 'flashduty'\nintegration_key_file = 'key'\n\
         [[sink]]\nname = 'b'\ntype = 'exec'\ncommand = ['./notify', '--now']\n",
    );
    sandbox.write("key", "CANARY");
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(sandbox.path("key"), mode).expect("the sandbox is ours");
    };
    mode(0o644);
    let shown = sandbox.run(&["check"]).expect(0).answer();
    for words in [
        "warning[exposed-key]: everybody on this machine can read the key file",
        "tripline.toml:8:1",
        "of sink `a`",
        "warning[no-program]: there is no program `",
        "/notify`",
        "tripline.toml:12:1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("CANARY"), "{shown}");
    mode(0o602);
    let shown = sandbox.run(&["check"]).expect(1).answer();
    assert!(shown.contains("error[bad-key]: cannot read the key file"), "{shown}");
    assert!(shown.contains("everybody on this machine can replace it"), "{shown}");
    mode(0o600);
    sandbox.write("notify", "#!/bin/sh\n");
    let problems = sandbox.run(&["check", "--json"]).expect(0).json();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0]["message"].as_str().is_some_and(|text| text.contains("may not be run")),
        "{problems:?}"
    );
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(sandbox.path("notify"), executable).expect("the sandbox is ours");
    assert_eq!(sandbox.run(&["check"]).expect(0).answer(), "1 rule is right");
}

#[test]
fn a_secret_that_is_here_and_can_be_none_is_an_error_and_one_that_is_elsewhere_is_not() {
    let sandbox = with_sinks(
        "[[sink]]\nname = 'a'\ntype = 'pagerduty'\nrouting_key_env = 'PAGER_KEY'\n\
         [[sink]]\nname = 'b'\ntype = 'webhook'\nurl = 'http://127.0.0.1:1'\nsecret_env = 'HOOK_SECRET'\n",
    );
    let check = |variables: &[(&str, &str)], code: i32, says: &[&str]| {
        let mut command = sandbox.command(&["check"]);
        command.envs(variables.iter().copied());
        let shown = Running::start(command).finish().expect(code).answer();
        assert!(!shown.contains("CANARY"), "{shown}");
        for words in says {
            assert!(shown.contains(words), "{variables:?} {words}: {shown}");
        }
    };
    check(&[], 0, &["1 rule is right"]);
    let form =
        ["error[bad-key]: a routing key has 32 letters and digits", "tripline.toml:8:1", "of sink `a`"];
    check(&[("PAGER_KEY", "CANARY-1")], 1, &form);
    check(
        &[("PAGER_KEY", "a b")],
        1,
        &["error[bad-key]: the environment variable `PAGER_KEY` holds more than a key"],
    );
    check(&[("PAGER_KEY", "CANARY0123456789abcdef0123456789")], 0, &["1 rule is right"]);
    check(
        &[("HOOK_SECRET", "CANARY")],
        1,
        &["error[bad-key]: `secret` is no secret to sign with", "tripline.toml:13:1"],
    );
}

#[test]
fn test_files_that_a_shell_lets_a_glob_fit_are_no_rule_files() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/a.toml", "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\nseverity = 'info'\n");
    sandbox.write("rules/a.test.toml", "rules = ['a.toml']\n");
    for args in
        [&["check", "rules/a.toml", "rules/a.test.toml"][..], &["check", "rules/*.toml"], &["check", "rules"]]
    {
        assert_eq!(sandbox.run(args).expect(0).answer(), "1 rule is right", "{args:?}");
    }
    let finished = sandbox.run(&["check", "rules/a.test.toml"]).expect(2);
    assert!(
        finished.talk().contains("holds tests and no rules: `tripline test rules/a.test.toml`"),
        "{finished:?}"
    );
}

#[test]
fn who_names_a_configuration_as_a_rule_file_is_told_how_to_check_it() {
    let sandbox = Sandbox::new();
    sandbox.write("prod.toml", "[[source]]\nname = 's'\nfiles = ['x']\n");
    let finished = sandbox.run(&["check", "prod.toml"]).expect(2);
    assert!(
        finished.talk().contains("no rule file: `tripline check --config prod.toml` checks it"),
        "{finished:?}"
    );
    // What has rules is a rule file, whatever stands in it by mistake.
    sandbox.append("prod.toml", "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\nseverity = 'info'\n");
    let finished = sandbox.run(&["check", "prod.toml"]).expect(1);
    assert!(finished.answer().contains("`source` is not a key of a rule file"), "{finished:?}");
}

#[test]
fn a_key_that_is_not_here_is_noted_and_nothing_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/a.toml", "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\nseverity = 'info'\n");
    let sink = "[[source]]\nname = 's'\nfiles = ['x']\n[[sink]]\nname = 'oncall'\ntype = 'flashduty'\n";
    for (key, says) in [
        ("integration_key_env = 'TRIPLINE_NO_SUCH_KEY'", "`TRIPLINE_NO_SUCH_KEY`"),
        ("integration_key_file = 'no-key'", "no-key"),
    ] {
        sandbox.write("tripline.toml", format!("{sink}{key}\n"));
        let finished = sandbox.run(&["check"]).expect(0);
        let talk = finished.talk();
        assert!(
            talk.starts_with("note: sink `oncall` needs what is not here: ") && talk.contains(says),
            "{talk}"
        );
        assert_eq!((finished.answer().as_str(), talk.lines().count()), ("1 rule is right", 1), "{talk}");
    }
}

#[test]
fn links_to_what_a_source_reads_and_addresses_in_files_are_looked_at() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = with_sinks(
        "[[sink]]\nname = 'a'\ntype = 'file'\npath = 'alias'\n\
         [[sink]]\nname = 'b'\ntype = 'slack'\nurl_file = 'hook'\n\
         [[sink]]\nname = 'c'\ntype = 'file'\npath = 'sub/../alias.1'\n",
    );
    sandbox.write("app.log", "");
    std::os::unix::fs::symlink("app.log", sandbox.path("alias")).expect("the sandbox is ours");
    std::fs::hard_link(sandbox.path("app.log"), sandbox.path("alias.1")).expect("the sandbox is ours");
    sandbox.write("sub/x", "");
    sandbox.write("hook", "http://10.0.0.1/CANARY");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(sandbox.path("hook"), private).expect("the sandbox is ours");
    let shown = sandbox.run(&["check"]).expect(1).answer();
    for words in [
        "error[feeds-itself]: the source `s` reads `",
        "tripline.toml:8:1",
        "error[plaintext-url]: the `url` of sink `b` is not https, and `10.0.0.1` is not this machine",
        "tripline.toml:12:1",
        "error[shared-file]: the sink `a` writes `",
        "tripline.toml:16:1",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("CANARY"), "{shown}");
    // Whoever runs it all the same reads the file and writes nothing to it.
    sandbox.write("hook", "https://127.0.0.1:1/");
    let mut running = sandbox.start(&["run"]);
    running.says("nothing can be written there as it is");
    running.says("following");
    sandbox.append("app.log", "x\n");
    running.says("sink suspended");
    running.kill();
    assert_eq!(std::fs::read_to_string(sandbox.path("app.log")).expect("it is there"), "x\n");
}

#[test]
fn a_problem_hides_no_other_one() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("dir")).expect("the sandbox can be written");
    sandbox.write("ok.toml", "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\n");
    let talk =
        sandbox.run(&["check", "ok.toml", "x*.toml", "y*.toml", "none.toml", "dir"]).expect(1).answer();
    for missing in ["x*.toml", "y*.toml", "none.toml", "`dir`"] {
        assert!(talk.contains(missing), "{missing}: {talk}");
    }
    sandbox.write(
        "tripline.toml",
        "rules = ['*.rules']\n[[source]]\nname = 's'\nfiles = ['a.log']\n\
         [[sink]]\nname = 'p'\ntype = 'pagerduty'\nrouting_key = 'tooshort'\n",
    );
    sandbox.write("r.rules", "[[rule]]\nname = 'a'\nsource = 's'\nmatch = 'x'\nfoo = 1\n");
    let answer = sandbox.run(&["check", "--config", "tripline.toml"]).expect(1).answer();
    assert!(answer.contains("unknown-key") && answer.contains("bad-key"), "{answer}");
}
