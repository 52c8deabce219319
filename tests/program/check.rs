//! `check`: every problem of a configuration at once.

use crate::support::sandbox::Sandbox;

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
