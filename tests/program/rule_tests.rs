use std::path::{Path, PathBuf};

use super::DISK;
use crate::support::sandbox::Sandbox;

const TESTS: &str = r#"# what a disk does
rules = ["r.toml"]

[[line]]
source = "app"
text = "disk sda bad"
rule = "disk" # of course

[[test]]
name = "a disk is bad until it is good"
source = "app"
feed = [
  { text = "disk sda bad" },     # the beginning
  { at = "5m", text = "disk sda good" },
]
sent = [
  { at = "0s", rule = "disk", by = { dev = "sda" }, status = "critical" },
  { at = "5m", rule = "disk", status = "ok" },
]
open = [{ at = "4m", alerts = [{ rule = "disk" }] }, { at = "5m", alerts = [] }]
"#;

fn sandbox(tests: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("r.toml", DISK);
    sandbox.write("r.test.toml", tests);
    sandbox
}

/// Fields of structured lines, and a table beside the rules.
#[test]
fn lines_with_fields_are_tested_too() {
    let sandbox = Sandbox::new();
    sandbox.write("hosts.csv", "host,team\nweb-1,shop\n");
    sandbox.write(
        "r.toml",
        "[lookup]\nteams = { csv = 'hosts.csv', key = 'host', value = 'team' }\n[[rule]]\nname='slow'\nsource='app'\n\
         where='http.status >= 500'\nset={ team = 'lookup(teams, host)' }\nby=['team']\n",
    );
    sandbox.write(
        "r.test.toml",
        "rules=['r.toml']\nformat='json'\n[[line]]\nsource='app'\ntext='{\"host\":\"web-1\",\"http\":{\"status\":503}}'\n\
         rule='slow'\ncaptures={ team='shop' }\n[[line]]\nsource='app'\ntext='{\"http\":{\"status\":200}}'\nrule=false\n",
    );
    sandbox.run(&["test"]).expect(0);
}

/// As they were copied from a node, with the path that they had there.
#[test]
fn lines_of_containers_are_tested_too() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "r.toml",
        "[[rule]]\nname='panics'\nsource='pods'\nmatch='^panic: (?<what>\\S+)'\nresolve='^calm'\nby=['workload']\n\
         where='namespace == \"shop\"'\n",
    );
    let log = "#= rule=panics what=torn\n2026-01-05T10:00:00.5Z stderr P panic: to\n2026-01-05T10:00:00.6Z stdout F other\n\
               2026-01-05T10:00:00.7Z stderr F rn\n#= rule=panics what=next\n2026-01-05T10:00:09Z stderr F panic: next\n";
    sandbox.write("0.log", log);
    let file = "/var/log/pods/shop_web-6d4b75cb6d-hx8pq_1/main/0.log";
    let tests = |sent: &str, file: &str| {
        let docker = r#"{"log":"panic: \"at\"\n","stream":"stderr","time":"2026-01-05T10:00:00Z"}"#;
        format!(
            "rules=['r.toml']\nenvelope='cri'\n\
             [[line]]\nsource='pods'\nfile='{file}'\nlog='0.log'\n\
             [[line]]\nsource='pods'\nfile='{file}'\nenvelope='docker'\ntext='{docker}'\nrule='panics'\ncaptures={{ what='\"at\"' }}\n\
             [[line]]\nsource='pods'\nfile='{file}'\nenvelope='none'\ntext='2026-01-05T10:00:00Z stderr F panic: x'\nrule=false\n\
             [[line]]\nsource='pods'\ntext='2026-01-05T10:00:00Z stderr F panic: elsewhere'\nrule=false\n\
             [[test]]\nname='pieces are joined'\nsource='pods'\nfile='{file}'\nstamps='log'\nuntil='10s'\n\
             feed=[{{ log='0.log' }}, {{ at='9500ms', text='2026-01-05T10:00:09.5Z stdout F calm' }}]\n{sent}\n"
        )
    };
    let sent = "sent=[{ at='700ms', rule='panics', by={ workload='web' }, summary='panics: panic: torn' }, { at='9500ms', rule='panics', status='ok' }]";
    sandbox.write("r.test.toml", tests(sent, file));
    sandbox.run(&["test"]).expect(0);
    sandbox.write("r.test.toml", tests("sent=[]", file));
    sandbox.run(&["test"]).expect(1);
    sandbox.write("r.test.toml", tests(sent, "/var/log/app.log"));
    sandbox.run(&["test"]).expect(1);
}

/// The tests of the tree pass, and reach every pattern.
#[test]
fn the_rules_of_the_tree_are_as_their_tests_say() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["rules", "tests/rules"].map(|dir| std::fs::read_dir(top.join(dir)).expect("it is there"));
    let paths = files.into_iter().flatten().map(|entry| entry.expect("it can be listed").path());
    let is_tests = |path: &PathBuf| path.to_string_lossy().ends_with(".test.toml");
    let tests: Vec<PathBuf> = paths.filter(is_tests).collect();
    // Each by itself: all together they take longer than a test may wait for a program.
    std::thread::scope(|scope| {
        for some in tests.chunks(tests.len().div_ceil(2)) {
            scope.spawn(move || {
                for path in some {
                    let path = path.to_str().expect("text");
                    let done = Sandbox::new().run(&["test", "--strict", path]).expect(0);
                    assert!(done.answer().contains(" passed, 0 failed; "), "{done:#?}");
                }
            });
        }
    });
}

#[test]
fn what_passes_is_said_and_found_in_the_working_directory() {
    let sandbox = sandbox(TESTS);
    let done = sandbox.run(&["test"]).expect(0);
    assert!(done.answer().contains("ok    a disk is bad until it is good"), "{done:#?}");
    assert!(done.answer().contains("2 passed, 0 failed; 1 of 1 rules and 2 of 2 patterns are reached"));
}

#[test]
fn what_differs_is_shown_side_by_side() {
    let wrong = TESTS
        .replace("status = \"critical\" }", "status = \"warning\" }")
        .replace("{ at = \"5m\", rule", "{ at = \"6m\", rule");
    let done = sandbox(&wrong.replace("rule = \"disk\" #", "rule = false #"))
        .run(&["test", "r.test.toml"])
        .expect(1);
    let said = done.answer();
    for words in [
        "FAIL  line 4: no rule takes it",
        "found     taken by disk dev=sda",
        "FAIL  a disk is bad until it is good",
        "- { at = \"0s\", rule = \"disk\", by = { dev = \"sda\" }, status = \"warning\" }",
        "+ { at = \"0s\", rule = \"disk\", by = { dev = \"sda\" }, status = \"critical\", count = 1 }",
        "`status` differs",
        "`at` differs",
        "0 passed, 2 failed",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let json = sandbox(&wrong).run(&["test", "--json"]).expect(1).json();
    assert_eq!(
        (&json[0]["passed"], &json[1]["passed"], &json[2]["failed"]),
        (&true.into(), &false.into(), &1.into())
    );
    assert_eq!(json[1]["differences"][0]["rows"][0]["differs"][0], "status");
}

#[test]
fn a_line_that_no_rule_takes_is_named() {
    let done =
        sandbox(&TESTS.replace("{ text = \"disk sda bad\" }", "{ text = \"disk sda\\u001b[2J mad\" }"));
    let said = done.run(&["test"]).expect(1).answer();
    assert!(said.contains("no rule takes `disk sda"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
}

#[test]
fn what_came_of_it_is_written_and_nothing_else() {
    let expected = TESTS.replace(
        "  { at = \"0s\", rule = \"disk\", by = { dev = \"sda\" }, status = \"critical\" },\n  { at = \"5m\", rule = \"disk\", status = \"ok\" },\n",
        "  { at = \"0s\", rule = \"disk\", by = { dev = \"sda\" }, status = \"critical\", count = 1 },\n  { at = \"5m\", rule = \"disk\", by = { dev = \"sda\" }, status = \"ok\", reason = \"recovery line seen\" },\n",
    );
    let start = TESTS.find("sent = [").expect("it is there");
    let end = TESTS.find("open = ").expect("it is there");
    let asks = format!("{}sent = []\n{}", &TESTS[..start], &TESTS[end..])
        .replace("rule = \"disk\" #", "rule = false #");
    let sandbox = sandbox(&asks);
    sandbox.run(&["test", "--update"]).expect(0);
    let written = String::from_utf8(sandbox.read("r.test.toml")).expect("it is text");
    assert_eq!(
        written,
        expected.replace("rule = \"disk\" # of", "rule = \"disk\"\ncaptures = { dev = \"sda\" } # of")
    );
    sandbox.run(&["test", "--strict"]).expect(0);
    // What is left to be said by hand is wrong as before.
    sandbox.write(
        "r.test.toml",
        TESTS.replace("{ at = \"5m\", alerts = [] }", "{ at = \"5m\", alerts = [{ rule = \"disk\" }] }"),
    );
    let done = sandbox.run(&["test", "--update"]).expect(1);
    assert!(done.talk().contains("is not written: say yourself what has to be open"), "{done:#?}");
}

#[test]
fn samples_say_what_takes_their_lines_and_are_grown_by_pasting() {
    let sandbox = sandbox("rules = ['r.toml']\n[[line]]\nsource = 'app'\nlog = 's.log'\n");
    let log = "# what a disk says\n#= none\nnothing\ndisk \"a b\" bad\ndisk sda bad\n#= rule=disk dev=sdb\ndisk sdb good\n";
    sandbox.write("s.log", log);
    let said = sandbox.run(&["test"]).expect(1).answer();
    assert!(said.contains("5: disk sda bad") && said.contains("expected  no rule takes it"), "{said}");
    sandbox.run(&["test", "--update"]).expect(0);
    let grown = log.replace("disk sda bad", "#= rule=disk dev=sda\ndisk sda bad");
    assert_eq!(String::from_utf8(sandbox.read("s.log")).expect("it is text"), grown);
    sandbox.run(&["test", "--strict"]).expect(0);
    // What stands in a remark is read as it is written.
    sandbox.write("s.log", "#= rule=disk dev=\"sd\\\"a\ndisk sda bad\n");
    let said = sandbox.run(&["test"]).expect(1).answer();
    assert!(said.contains("line 1: the text of `dev` is not closed"), "{said}");
}

#[test]
fn a_line_of_a_log_may_begin_as_a_comment_does() {
    let sandbox = sandbox(
        "rules = ['r.toml']\nmultiline = { start = '^# Time: ' }\n[[line]]\nsource = 'db'\nlog = 's.log'\n\
         [[test]]\nname = 'a slow one'\nsource = 'db'\nfeed = [{ log = 's.log' }]\nuntil = '1m'\n\
         sent = [{ at = '2s', rule = 'slow', by = { user = 'app' } }]\n",
    );
    sandbox.write(
        "r.toml",
        "[[rule]]\nname = 'slow'\nsource = 'db'\nby = ['user']\n\
         match = '(?ms)^# Time: .*^# User@Host: (?<user>\\w+).*^SELECT'\n",
    );
    let log = "# of MySQL 8\n#|# Time: 2026-01-05T10:00:00Z\n#|# User@Host: app[app] @ web-1 []\nSELECT 1;\n\
               #= none\n#|# Time: 2026-01-05T10:00:01Z\n#|#= nobody\n";
    sandbox.write("s.log", log);
    sandbox.run(&["test", "--update"]).expect(0);
    let grown = log.replacen("#|# Time", "#= rule=slow user=app\n#|# Time", 1);
    assert_eq!(String::from_utf8(sandbox.read("s.log")).expect("it is text"), grown);
    sandbox.run(&["test", "--strict"]).expect(0);
    // Without it they are comments, and what is left is a line of its own.
    sandbox.write("s.log", grown.replace("#|", ""));
    sandbox.run(&["test"]).expect(1);
}

#[test]
fn a_pattern_that_nothing_reaches_fails_if_asked() {
    let tests = TESTS
        .replace("\"disk sda good\"", "\"x\"")
        .replace("  { at = \"5m\", rule = \"disk\", status = \"ok\" },\n", "");
    let tests = tests.replace(", { at = \"5m\", alerts = [] }", "");
    let sandbox = sandbox(&tests);
    sandbox.run(&["test"]).expect(0);
    let said = sandbox.run(&["test", "--strict"]).expect(1).answer();
    assert!(said.contains("nothing reaches `resolve` of `disk`: disk (?<dev>\\S+) good"), "{said}");
}

#[test]
fn tests_stand_in_a_pack_too() {
    let sandbox = Sandbox::new();
    let inline = TESTS.replace("rules = [\"r.toml\"]\n", "");
    sandbox.write("rules/r.toml", format!("{DISK}{inline}"));
    sandbox.run(&["test"]).expect(0);
    // And the pack is a rule file as before.
    sandbox.run(&["check", "rules/r.toml"]).expect(0);
}

#[test]
fn what_is_wrong_with_a_test_is_said_at_its_place() {
    let check = |from: &str, to: &str, words: &[&str]| {
        let text = TESTS.replacen(from, to, 1);
        assert_ne!(text, TESTS, "{from}");
        let done = sandbox(&text).run(&["test"]).expect(2);
        let said = done.talk();
        for words in words {
            assert!(said.contains(words), "{words}\n{said}");
        }
    };
    check("rules = [\"r.toml\"]", "rules = [\"q.toml\"]", &["can not read"]);
    check("rules = [\"r.toml\"]\n", "", &["error[missing-key]: a test file needs `rules`"]);
    check("source = \"app\"", "sorce = \"app\"", &["error[unknown-key]", "did you mean `source`?"]);
    check("rule = \"disk\" #", "rule = 7 #", &["error[wrong-type]: `rule` takes the name of a rule"]);
    check(
        "text = \"disk sda bad\"\n",
        "text = \"x\"\nlog = \"y\"\n",
        &["error[conflict]: `text` and `log` exclude"],
    );
    check("name = \"a disk is bad until it is good\"\n", "", &["error[missing-key]: a test needs `name`"]);
    check("source = \"app\"\nfeed", "feed", &["error[missing-key]: a feed needs `source`"]);
    check(
        "{ text = \"disk sda bad\" }",
        "{ do = \"explode\" }",
        &["error[bad-choice]: `do` cannot be `explode`"],
    );
    check("{ at = \"5m\", text", "{ at = \"5 m\", text", &["error[bad-duration]"]);
    check(
        "{ at = \"5m\", rule = \"disk\", status = \"ok\" }",
        "{ rule = \"disk\" }",
        &["what is sent needs `at`"],
    );
    check("status = \"ok\"", "status = \"fine\"", &["error[bad-choice]: `status` cannot be `fine`"]);
    check("by = { dev = \"sda\" }", "by = \"sda\"", &["error[wrong-type]: `by` takes a table of texts"]);
    check("{ at = \"4m\", alerts", "{ alerts", &["a moment of `open` needs `at`"]);
    check("[{ rule = \"disk\" }]", "[{ rule = \"disk\", at = \"1m\" }]", &["what is open has no `at`"]);
    check("# what a disk does", "start = 7", &["error[wrong-type]: `start` takes a date and time"]);
    check("# what a disk does", "start = \"soon\"", &["error[bad-start]: `soon` is not a date and time"]);
    check(
        "# what a disk does",
        "tz = \"Europe/Berlib\"",
        &["error[unknown-zone]", "did you mean `Europe/Berlin`?"],
    );
    check(
        "feed = [",
        "until = \"5m\"\nfeed = [{ times = 9999999, text = \"x\" },",
        &["`times` is out of range"],
    );
    check(
        "{ at = \"5m\", text = \"disk sda good\" }",
        "{ text = \"x\", down = \"5m\" }",
        &["`down` has no effect"],
    );
    let start = TESTS.find("sent = [").expect("it is there");
    let done = sandbox(&TESTS[..start]).run(&["test"]).expect(2);
    assert!(done.talk().contains("error[missing-key]: a test expects nothing"), "{done:#?}");
    let done = sandbox(TESTS).run(&["test", "--only", "dsk"]).expect(2);
    assert!(done.talk().contains("no test has a name that holds `dsk`"), "{done:#?}");
    sandbox(TESTS).run(&["test", "--only", "a disk"]).expect(0);
    let done = Sandbox::new().run(&["test"]).expect(2);
    assert!(done.talk().contains("there is nothing to test"), "{done:#?}");
    let done = sandbox("rules = [\"r.toml\"]\n").run(&["test"]).expect(2);
    assert!(done.talk().contains("these files hold no `[[line]]` and no `[[test]]`"), "{done:#?}");
}

#[test]
fn all_that_is_wrong_is_said_at_once_over_all_files() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = '('\n");
    sandbox.write("worse.toml", "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'x'\nwithin = '5'\n");
    // Wrong itself, and its rules are wrong too; so are those of its reload.
    sandbox.write(
        "a.test.toml",
        "rules = ['bad.toml']\n[[test]]\nname = 'a'\nsource = 's'\nsent = []\n\
         feed = [{ do = 'explode' }, { do = 'reload', rules = ['worse.toml'] }, { log = 'none.log' }]\n",
    );
    sandbox.write("b.test.toml", "rules = ['none.toml', 'no-*.toml', 'bad.toml']\nstrat = 1\n");
    sandbox.write("c.test.toml", "rules = [\n");
    sandbox.write("d.test.toml", TESTS);
    sandbox.write("r.toml", DISK);
    let talk = sandbox.run(&["test"]).expect(2).talk();
    for words in [
        "`do` cannot be `explode`",
        "--> bad.toml:4:10",
        "`5` is not a duration",
        "can not read `none.log`",
        "can not read `none.toml`",
        "no rule file fits `no-*.toml`",
        "`strat` is not a key of a test file",
        "--> c.test.toml",
    ] {
        assert!(talk.contains(words), "{words}\n{talk}");
    }
    assert_eq!(talk.matches("--> bad.toml:4:10").count(), 1, "{talk}");
}

#[test]
fn a_test_that_would_take_for_ever_is_refused_or_given_up() {
    let test =
        |feed: &str| format!("rules = ['r.toml']\n[[test]]\nname = 'a'\nsource = 'app'\nsent = []\n{feed}\n");
    let lines = "feed = [{ text = 'a\\nb', times = 500000 }, { text = 'c' }]".replace('\'', "\"");
    let talk = sandbox(&test(&lines)).run(&["test"]).expect(2).talk();
    assert!(talk.contains("error[out-of-range]: a test feeds more than 1000000 lines"), "{talk}");
    // A line that is said again each second, for years.
    let sandbox = sandbox(&test("feed = [{ text = 'disk sda bad' }]\nuntil = '1000d'"));
    sandbox.write("r.toml", DISK.to_owned() + "renotify = '1s'\nexpire_after = 'never'\n");
    let done = sandbox.run(&["test"]).expect(1);
    let words = "given up at 1d3h46m40s of 1000d: more than 1000000 lines or moments, or 100000 alerts sent";
    assert!(done.answer().contains(words), "{}", done.answer());
    let json = sandbox.run(&["test", "--json"]).expect(1).json();
    assert_eq!((&json[0]["passed"], &json[0]["differences"]), (&false.into(), &serde_json::json!([])));
}

/// A pack carries tests of its lines with fields, and one test has sources of several kinds.
#[test]
fn each_test_and_each_source_says_what_its_lines_are() {
    let sandbox = Sandbox::new();
    let fields = "[[rule]]\nname='slow'\nsource='app'\nwhere='status >= 500'\nseverity='info'\n";
    let text = "[[rule]]\nname='disk'\nsource='kern'\nmatch='disk bad'\nseverity='info'\n";
    let line = "[[line]]\nsource='app'\nformat='json'\ntext='{\"status\":503}'\nrule='slow'\n";
    let test = "[[test]]\nname='both'\nformat={ app='json' }\nfeed=[{ source='app', text='{\"status\":503}' }, { at='1s', \
                source='kern', text='disk bad' }]\nsent=[{ at='0s', rule='slow' }, { at='1s', rule='disk' }]\nuntil='1s'\n";
    sandbox.write("pack.toml", [fields, text, line, test].concat());
    sandbox.run(&["test", "--strict", "pack.toml"]).expect(0);
    sandbox.write("plain.toml", [fields, &line.replace("format='json'\n", "")].concat());
    let finished = sandbox.run(&["test", "plain.toml"]).expect(2);
    assert!(finished.talk().contains("for tests their `format`"), "{finished:?}");
    sandbox.write("wrong.toml", [fields, &line.replace("'json'", "'jsn'")].concat());
    assert!(sandbox.run(&["test", "wrong.toml"]).expect(2).talk().contains("bad-choice"));
}

#[test]
fn a_source_that_no_rule_sees_is_a_slip_of_the_pen() {
    for (tests, place) in [
        (TESTS.replace("source = \"app\"\ntext", "source = \"ap\"\ntext"), ":5:10"),
        (TESTS.replace("source = \"app\"\nfeed", "source = \"ap\"\nfeed"), ":11:10"),
        (TESTS.replace("{ text = \"disk sda bad\" }", "{ source = \"ap\", text = \"x\" }"), ":13:14"),
    ] {
        let finished = sandbox(&tests).run(&["test"]).expect(2);
        let talk = finished.talk();
        assert!(talk.contains("error[unknown-source]: no rule sees source `ap`"), "{talk}");
        assert!(
            talk.contains(&format!("r.test.toml{place}")) && talk.contains("did you mean `app`"),
            "{talk}"
        );
    }
}

#[test]
fn tests_of_one_file_may_be_of_several_formats() {
    let sandbox = Sandbox::new();
    let rule = "[[rule]]\nname = 'bad'\nsource = ['a', 'b']\nwhere = 'status >= 500'\nby = ['source']\n";
    let test = |name: &str, format: &str, sent: &str| {
        format!(
            "[[test]]\nname = '{name}'\nformat = {format}\nsent = [{sent}]\n\
             feed = [{{ source = 'a', text = '{{\"status\":503}}' }}, {{ source = 'b', text = 'status=504' }}]\n"
        )
    };
    let by = |source: &str| {
        format!("{{ at = '0s', rule = 'bad', status = 'warning', by = {{ source = '{source}' }} }}")
    };
    let both = format!("{}, {}", by("a"), by("b"));
    let line = "[[line]]\nsource = 'b'\nformat = 'logfmt'\ntext = 'status=500'\nrule = 'bad'\n";
    let tests = [
        test("json", "'json'", &by("a")),
        test("logfmt", "'logfmt'", &by("b")),
        test("both", "{ a = 'json', b = 'logfmt' }", &both),
    ];
    sandbox.write("r.toml", [rule, line, &tests.concat()].concat());
    let finished = sandbox.run(&["test", "r.toml"]);
    assert!(finished.expect(0).answer().contains("4 passed"), "{line}");
}

#[test]
fn what_gets_better_is_told_as_it_is_and_a_mute_holds_reminders() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "r.toml",
        "[[rule]]\nname = 'disk'\nsource = 's'\nmatch = 'at (?<used>\\d+)'\nmeasure = 'last(used)'\nwarning = '> 80'\n\
         critical = '> 95'\nclear = '< 70'\nresolve_after = '0s'\nrenotify = '7m'\nmute = '10:05-12:00 UTC'\n\
         summary = '[{status}] {value}'\n\
         [[test]]\nname = 'better'\nsource = 's'\nstart = '2026-01-05T10:00:00Z'\nuntil = '3h'\n\
         feed = [{ at = '0s', text = 'at 97' }, { at = '1m', text = 'at 85' }, { at = '2h3m', text = 'at 60' }]\n\
         sent = [\n\
         { at = '0s', rule = 'disk', status = 'critical', summary = '[critical] 97' },\n\
         { at = '1m', rule = 'disk', status = 'warning', summary = '[warning] 85' },\n\
         { at = '2h', rule = 'disk', status = 'warning', summary = '[warning] 85' },\n\
         { at = '2h3m', rule = 'disk', status = 'ok', summary = '[warning] 85' },\n\
         ]\nopen = []\n",
    );
    let finished = sandbox.run(&["test", "r.toml"]);
    assert_eq!(finished.code, Some(0), "{}{}", finished.answer(), finished.talk());
}

#[test]
fn rules_that_are_not_there_are_the_only_thing_that_is_told() {
    let sandbox = Sandbox::new();
    let line = "[[line]]\nsource = 'app'\ntext = 'x'\nrule = 'r'\n";
    sandbox.write("r.test.toml", format!("rules = ['none*.toml']\n{line}"));
    let talk = sandbox.run(&["test"]).expect(2).talk();
    assert!(talk.contains("no rule file fits") && talk.contains("error: 1 problem in 1 file"), "{talk}");
}

#[test]
fn a_directory_without_rules_says_so() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("empty")).expect("the sandbox can be written");
    let finished = sandbox.run(&["test", "empty"]).expect(2);
    assert!(finished.talk().contains("`empty` holds no file that ends in `.toml`"), "{finished:?}");
}
