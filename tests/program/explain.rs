//! `explain`: what the rules make of one line.

use std::io::Write as _;

use crate::support::sandbox::{Finished, Sandbox};

const RULES: &str = r#"
[[rule]]
name = "logins"
source = "auth"
match = 'Failed \S+ for (?<user>\S+) from (?<ip>\S+)'
ignore = 'from 10\.'
by = ["ip"]
within = "10m"
warning = ">= 5"
critical = ">= 50"
summary = "{count} from {ip} in {within}"

[[rule]]
name = "slow"
source = "app"
match = 'path=(?<path>\S+) ms=(?<ms>\S+)'
set = { path = "mask(path)" }
where = 'path =~ "^/pay" and ms > 100ms'
by = ["path"]
summary = "{path} took {ms}"

[[rule]]
name = "disk"
source = ["app", "kernel"]
match = 'disk (?<dev>\S+) bad'
resolve = 'disk (?<dev>\S+) good'
by = ["dev"]
for = "2m"
severity = "critical"
"#;

fn explain(args: &[&str]) -> Finished {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", RULES);
    sandbox.write("a.log", "one\ndisk sda bad\n");
    sandbox.run(&[&["explain", "--rules", "r.toml"], args].concat())
}

/// The answer to one line has these lines in it, one after the other, and this exit code.
fn check(args: &[&str], code: i32, expected: &[&str]) {
    let finished = explain(args).expect(code);
    let answer = finished.answer();
    let mut rest = answer.as_str();
    for line in expected {
        let Some((_, behind)) = rest.split_once(line) else { panic!("{args:?}: no `{line}` in\n{answer}") };
        rest = behind;
    }
}

#[test]
fn a_line_that_counts_is_explained_to_its_texts() {
    check(
        &["Dec 10 06:55:46 h sshd: Failed password for root from 1.2.3.4"],
        0,
        &[
            "`Dec 10 06:55:46` at byte 1, taken for ",
            "rule logins: counts",
            r"match      yes Failed \S+ for",
            r"ignore     no  from 10\.",
            "user = `root`",
            "ip = `1.2.3.4`",
            "key        logins:",
            "counts 1 of 5 within 10m",
            "warning    >= 5: not yet: it is 1",
            "summary    1 from 1.2.3.4 in 10m",
            "rule slow: does not fit",
        ],
    );
}

#[test]
fn a_secret_is_in_no_capture_and_no_key() {
    let sandbox = Sandbox::new();
    let rules = r#"
[[rule]]
name = "refused"
source = "shop"
match = 'refused (?<what>\S+) card (?<card>\d+)'
redact = 'card (\d+)\d{4}'
by = ["card"]
summary = "{what} {card}"
"#;
    sandbox.write("r.toml", rules);
    let line = "refused token=hunter2 card 12345678";
    let shapes = [(&[][..], "what = `token=***`"), (&["--json"], r#""captured":"token=***""#)];
    for (shape, captured) in shapes {
        let answer = |line: &str| {
            let answer =
                sandbox.run(&[&["explain", "--rules", "r.toml"], shape, &[line]].concat()).expect(0).answer();
            // The line itself is shown as it was given.
            answer.replacen(line, "", 1)
        };
        let told = answer(line);
        assert!(told.contains(captured) && told.contains("***5678") && !told.contains("hunter2"), "{told}");
        // The key is the one that the daemon makes of it.
        let key = |answer: &str| answer.split_once("refused:").expect(answer).1[..32].to_owned();
        assert_eq!(key(&told), key(&answer(&line.replace("1234", "9999"))), "{told}");
    }
}

#[test]
fn what_a_line_leads_to_is_told() {
    check(
        &["path=/pay/81 ms=2s"],
        0,
        &["rule slow: raises", "by `set` `/pay/<n>`", "raises warning at once"],
    );
    check(&["disk sda bad"], 0, &["rule disk: counts", "critical   >= 1: true, and has to stay so for 2m"]);
    check(&["disk sda good"], 0, &["rule disk: recovery", "ends what is open of this key"]);
}

#[test]
fn of_what_waits_for_its_recovery_line_it_is_not_told_that_quiet_ends_it() {
    let sandbox = Sandbox::new();
    let rule =
        "[[rule]]\nname = 'down'\nsource = 's'\nmatch = 'down'\nresolve = 'up'\nresolve_after = '1m'\n";
    let answer = |rule: &str| {
        sandbox.write("r.toml", rule);
        sandbox.run(&["explain", "--rules", "r.toml", "down"]).expect(0).answer()
    };
    let latched = answer(rule);
    assert!(
        latched.contains("end        quiet does not end it: a line that fits `resolve` does\n"),
        "{latched}"
    );
    assert!(!latched.contains("`resolve_after`"), "{latched}");
    let counted = answer(&format!("{rule}within = '5m'\n"));
    assert!(counted.contains("(`resolve_after`)"), "{counted}");
}

#[test]
fn it_is_told_which_part_of_a_condition_is_false() {
    check(
        &["--rule", "slow", "path=/pay/81 ms=50ms"],
        1,
        &["rule slow: counts for nothing", "yes path =~ \"^/pay\"", "no  ms > 100ms: ms is `50ms`"],
    );
    check(&["--rule", "slow", "path=/pay/81 ms=x"], 1, &["ms is `x`, which is no such number"]);
}

#[test]
fn it_is_told_where_a_pattern_stops() {
    check(
        &["--rule", "logins", "Failed password, user bob"],
        1,
        &[
            "rule logins: does not fit",
            "\n                 Failed password, user bob\n                                  ^ it fits up to here as \
             `Failed \\S+ `; then it wants `for `\n",
            "` for ` does not stand in the line",
        ],
    );
    check(&["failed x for root from 1.1.1.1"], 1, &["rule logins: does not fit, but nearly: with `(?i)`"]);
    check(&["Failed x for root from 10.1.1.1"], 1, &[r"rule logins: ignores it: `from 10\.` fits"]);
}

#[test]
fn fields_are_explained_as_captures_are() {
    let sandbox = Sandbox::new();
    let rule = "[[rule]]\nname = 'slow'\nsource = 'app'\nwhere = 'took > 2s and level == \"error\"'\nby = ['http.path']\n";
    sandbox.write("r.toml", rule);
    let ask = |line: &str, code| {
        sandbox
            .run(&["explain", "--rules", "r.toml", "--format", "json", "--rule", "slow", line])
            .expect(code)
            .answer()
    };
    let line = r#"{"ts":"2026-01-05T10:00:00Z","took":"3s","level":"error","http":{"path":"/a\u0062"}}"#;
    let answer = ask(line, 0);
    for said in [
        "rule slow: raises",
        "match      yes every line that is json",
        "field      took = `3s`",
        "http.path = `/ab`",
    ] {
        assert!(answer.contains(said), "{said}\n{answer}");
    }
    let answer = ask(&line.replace("error", "info"), 1);
    assert!(answer.contains("no  level == \"error\": level is `info`"), "{answer}");
    let answer = ask("took=3s", 1);
    assert!(
        answer.contains("rule slow: does not fit") && answer.contains("no  every line that is json"),
        "{answer}"
    );
}

#[test]
fn what_a_line_says_of_a_change_is_told() {
    let sandbox = Sandbox::new();
    let rule = "[[rule]]\nname = 'deploy'\nsource = 'app'\nkind = 'change'\nmatch = 'deploy (?<app>\\S+) (?<phase>\\S+)'\n\
                change_key = '{app}'\nchange_status = { phase = { started = 'Processing' } }\nsummary = '{app} {status}'\n";
    sandbox.write("r.toml", rule);
    let ask = |line: &str, code| {
        sandbox.run(&["explain", "--rules", "r.toml", "--rule", "deploy", line]).expect(code).answer()
    };
    let answer = ask("deploy shop started", 0);
    for said in [
        "rule deploy: tells of a change",
        "change     shop",
        "tells that it is Processing at ",
        "shop Processing",
    ] {
        assert!(answer.contains(said), "{said}\n{answer}");
    }
    assert!(!answer.contains("measure") && !answer.contains("key  "), "{answer}");
    let answer = ask("deploy shop stopped", 1);
    assert!(answer.contains("rule deploy: counts for nothing"), "{answer}");
}

#[test]
fn what_other_rules_and_the_calendar_do_is_told_as_far_as_one_line_tells() {
    let sandbox = Sandbox::new();
    let rules = "[[rule]]\nname = 'login'\nsource = 'auth'\nmatch = 'login (?<user>\\S+) (?<host>\\S+)'\nby = ['user', 'host']\n\
                 [[rule]]\nname = 'down'\nsource = 'auth'\nmatch = 'down'\n\
                 [[rule]]\nname = 'wipe'\nsource = 'auth'\nmatch = 'wipe (?<user>\\S+)'\nby = ['user']\nafter = 'login'\n\
                 after_within = '10m'\nunless = ['down', 'login']\nactive = ['Mon-Fri 08:00-18:00 Europe/Berlin', 'Sat']\n\
                 mute = '2026-01-05 - 2026-01-06 UTC'\nflap = { changes = 4, within = '2h' }\nmax_raises = '7/1m'\n";
    sandbox.write("r.toml", rules);
    let ask = |line: &str, more: &[&str]| {
        sandbox.run(&[&["explain", "--rules", "r.toml", "--rule", "wipe", line], more].concat()).expect(0)
    };
    let check = |line: &str, expected: &[&str]| {
        // Broken between words, as a terminal shows it.
        let mut answer = String::new();
        for line in ask(line, &[]).stdout {
            let goes_on = line.starts_with(&" ".repeat(13));
            answer += &if goes_on { format!(" {}", line.trim_start()) } else { format!("\n{line}") };
        }
        answer.push('\n');
        let mut rest = answer.as_str();
        for line in expected {
            let Some((_, behind)) = rest.split_once(line) else { panic!("no `{line}` in\n{answer}") };
            rest = behind;
        }
    };
    check(
        "2026-01-05T16:59:00Z wipe bob",
        &[
            "after      counts only if an alert of `login` for the same `user` is open, or was raised within 10m before: \
             not known from one line, here taken to be so\n",
            "result     raises warning at once\n",
            "unless     a raise is held back while any alert of `down`, or an alert of `login` for the same `user` is \
             open: not known from one line\n",
            "active     yes Mon-Fri 08:00-18:00 Europe/Berlin: the line is of Mon 2026-01-05 17:59 +01:00\n",
            "active     no  Sat",
            "mute       yes 2026-01-05",
            "the line is of Mon 2026-01-05 16:59 +00:00\n",
            "muted      yes a raise at that time is held back until 2026-01-07T07:00:00Z\n",
            "storm      more than 7 raises of the rule in 1m are told together (`max_raises`): not known",
            "flap       4 raises and ends of it within 2h keep it open",
        ],
    );
    check(
        "2026-01-07T07:00:00Z wipe bob",
        &["mute       no ", "muted      no  a raise at that time is not\n"],
    );
    check(
        "2026-01-07T17:00:00Z wipe bob",
        &[
            "active     no  Mon-Fri",
            "muted      yes a raise at that time is held back until 2026-01-08T07:00:00Z\n",
        ],
    );
    let json = ask("2026-01-05T16:59:00Z wipe bob", &["--json"]).json();
    let told = &json[0]["rules"][0]["restraints"];
    assert_eq!(told["after"]["rules"][0], serde_json::json!({ "rule": "login", "same": ["user"] }));
    assert_eq!(told["active"][0]["holds"], true);
    assert_eq!((&told["muted"], &told["muted_until"]), (&true.into(), &"2026-01-07T07:00:00Z".into()));
}

#[test]
fn of_many_rules_those_are_shown_that_could_be_meant_in_lines_that_a_terminal_holds() {
    let sandbox = Sandbox::new();
    let rule = |i: usize| {
        let sources: Vec<String> = (0..40).map(|j| format!("'source_{i}_{j}'")).collect();
        format!(
            "[[rule]]\nname = 'rule_{i}'\nsource = [{}]\nmatch = 'number {i} is wrong'\n",
            sources.join(", ")
        )
    };
    sandbox.write("r.toml", (0..120).map(rule).collect::<String>());
    let answer =
        |line: &str, code| sandbox.run(&["explain", "--rules", "r.toml", line]).expect(code).answer();
    for (line, code) in [("number 100 is wrong", 0), ("number 100 is wrung", 1), ("NUMBER 100 IS WRONG", 1)] {
        let said = answer(line, code);
        assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
        assert!(said.contains("rule rule_100: ") && said.lines().count() < 60, "{said}");
    }
    assert!(
        answer("number 100 is wrong", 0)
            .ends_with("and 99 more rules, none of them nearer: `--rule NAME` says why of one")
    );
    // Those that nearly fit come before those that were written first.
    let in_part = answer("number 100 is wrung", 1);
    assert!(
        in_part.contains("\n\nrule rule_100: does not fit: behind `number 100 is wr` it wants"),
        "{in_part}"
    );
    let nearly = answer("NUMBER 100 IS WRONG", 1);
    assert!(nearly.contains("\n\nrule rule_100: does not fit, but nearly"), "{nearly}");
    let unknown = sandbox.run(&["explain", "--rules", "r.toml", "--rule", "x", "y"]).expect(2);
    assert!(unknown.stderr.iter().all(|line| line.chars().count() <= 80), "{unknown:?}");
    assert!(unknown.talk().contains("`rule_0`") && unknown.talk().ends_with("in all)"), "{unknown:?}");
}

#[test]
fn a_line_is_taken_from_a_file_or_from_stdin() {
    check(&["a.log:2"], 0, &["line       disk sda bad", "rule disk: counts"]);
    let finished = explain(&["a.log:3"]).expect(2);
    assert!(finished.talk().contains("`a.log` has no line 3"), "{finished:?}");
    check(&["b.log:3"], 1, &["line       b.log:3"]);
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", RULES);
    let mut command = sandbox.command(&["explain", "--rules", "r.toml", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(b"disk sda bad\nmore\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(String::from_utf8_lossy(&output.stdout).contains("rule disk: counts"), "{output:?}");
}

#[test]
fn a_rule_that_does_not_see_the_source_says_so() {
    check(&["--source", "auth", "disk sda bad"], 1, &["rule disk: does not see that source"]);
    let finished = explain(&["--source", "nowhere", "x"]).expect(2);
    assert!(
        finished.talk().contains("there is no source `nowhere`: there are `app`, `auth`, `kernel`"),
        "{finished:?}"
    );
    let finished = explain(&["--rule", "nothing", "x"]).expect(2);
    assert!(finished.talk().contains("there is no rule `nothing`: there are `disk`"), "{finished:?}");
}

#[test]
fn a_hostile_line_steers_nothing() {
    let line = "path=/pay/\u{1b}[2J{count}{{\u{202e} ms=2s";
    check(
        &[line],
        0,
        &[r"path=/pay/\x1b[2J{count}{{\u{202e} ms=2s", r"summary    /pay/\x1b[<n>J{count}{{\u{202e} took"],
    );
    let json = explain(&["--json", line]).expect(0).json();
    assert_eq!((&json[0]["taken"], &json[0]["line"]), (&true.into(), &line.into()));
    let rule = json[0]["rules"].as_array().expect("a list").iter().find(|rule| rule["rule"] == "slow");
    assert_eq!(rule.expect("it was asked")["raises"], "warning");
}

const TRACE: &str = "\
[[rule]]
name = 'trace'
source = 'app'
match = '(?s)^ERROR .*?\\n\\s+at (?<frame>\\S+)'
";

#[test]
fn lines_that_are_one_record_are_explained_together() {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", TRACE);
    sandbox.write("a.log", "fine\nERROR x\n\tat shop.book\nERROR y\n\tat shop.cart\n");
    let explain = |args: &[&str]| sandbox.run(&[&["explain", "--rules", "r.toml"], args].concat());
    let answer = explain(&["--multiline", "java", "a.log:2"]).expect(0).answer();
    assert!(answer.contains("frame = `shop.book`") && !answer.contains("shop.cart"), "{answer}");
    explain(&["a.log:2"]).expect(1);
    explain(&["--multiline", "java", "a.log:3"]).expect(1);
    explain(&["--multiline", "java", "ERROR x\n\tat shop.book"]).expect(0);

    sandbox.write(
        "tripline.toml",
        "rules = ['r.toml']\n[[source]]\nname = 'app'\nfiles = ['x']\nmultiline = { start = '^\\S' }\n",
    );
    let mut child = sandbox
        .command(&["explain", "--config", "tripline.toml", "-"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(&sandbox.read("a.log")[5..]).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let answer = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{answer}");
    assert!(answer.contains("frame = `shop.book`"), "{answer}");
}

#[test]
fn rules_that_are_named_are_explained_and_checked_by_the_configuration_that_is_there() {
    let sandbox = Sandbox::new();
    sandbox.write("tripline.toml", "[[source]]\nname = 'app'\nfiles = ['x']\nformat = 'json'\n");
    sandbox.write("r.toml", "[[rule]]\nname = 'r'\nsource = 'app'\nwhere = 'status >= 500'\n");
    sandbox.run(&["check", "-r", "r.toml"]).expect(0);
    sandbox.run(&["explain", "-r", "r.toml", "{\"status\":503}"]).expect(0);
    // By themselves nobody knows.
    sandbox.run(&["check", "r.toml"]).expect(1);
    sandbox.run(&["check", "--format", "json", "r.toml"]).expect(0);
    sandbox.write("other.toml", "[[rule]]\nname = 'r'\nsource = 'nope'\nmatch = 'x'\n");
    assert!(sandbox.run(&["check", "-r", "other.toml"]).expect(1).answer().contains("unknown-source"));
    assert!(sandbox.run(&["explain", "-r", "other.toml", "x"]).expect(2).talk().contains("unknown-source"));
    sandbox.run(&["check", "other.toml"]).expect(0);
}

#[test]
fn what_looks_like_a_place_in_a_file_that_is_not_there_is_said_to_be_a_line() {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\n");
    let explain = |line| sandbox.run(&["explain", "-r", "r.toml", line]).expect(0).talk();
    assert!(explain("xa.log:3").contains("note: there is no file `xa.log`"));
    for line in ["x y:3", "x", "x:y"] {
        assert_eq!(explain(line), "", "{line}");
    }
}

#[test]
fn a_pattern_over_several_lines_does_not_fit_for_want_of_multiline() {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = '^ERROR x$\\n'\n");
    let explain =
        |args: &[&str]| sandbox.run(&[&["explain", "-r", "r.toml"], args].concat()).expect(1).answer();
    for args in [&["ERROR x"][..], &["--rule", "r", "ERROR x"]] {
        let answer = explain(args);
        assert!(
            answer.contains("it wants the end of a line inside") && !answer.contains("blanks"),
            "{answer}"
        );
    }
    assert!(explain(&["--json", "ERROR x"]).contains("\"wants_line_end\":true"));
}
