//! Structured lines: fields in conditions, keys, measures and texts.

use super::{TO_STDOUT, sandbox};
use crate::support::sandbox::Sandbox;

const SHOP: &str = r#"
[[rule]]
name = "shop"
source = "app"
where = 'level == "error" and http.status >= 500'
by = ["http.host"]
within = "5m"
warning = ">= 2"
resolve_after = "1h"
summary = "{count} times {http.status} at {http.host}: {msg} ({`user-agent`})"
"#;

#[test]
fn fields_of_followed_lines_are_compared_make_keys_and_fill_texts() {
    let sandbox = sandbox(&TO_STDOUT.replace("files =", "format = \"json\"\nfiles ="), SHOP);
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let line = |level: &str, status: u16, host: &str| {
        format!(
            "{{\"level\":\"{level}\",\"http\":{{\"status\":{status},\"host\":\"{host}\"}},\"msg\":\"say \\\"no\\\"\",\"user-agent\":\"x\"}}\n"
        )
    };
    let lines = [
        line("error", 503, "a"),
        line("info", 503, "a"),
        line("error", 404, "a"),
        line("error", 500, "b"),
        "{\"level\":\"error\",\"status\":500 and so on\n{\"level\":\"error\"}}\n".to_owned(),
        line("\\u0065rror", 502, "a"),
    ];
    sandbox.append("app.log", lines.concat());
    let told = running.tells("shop", "warning");
    assert_eq!(told["labels"]["http.host"], "a");
    assert_eq!(told["summary"], "2 times 502 at a: say \"no\" (x)");
    // Of a line without what is watched for nothing is wanted.
    running.metric("tripline_unparsed_lines_total{source=\"app\"}", |lines| lines == 1.0);
    assert_eq!(running.stop().expect(0).stdout.len(), 1);
}

/// A log that is named by hand, the rules for it, and the transitions that are told.
fn check(format: &str, log: &str, rules: &str, expected: &[&str]) {
    let sandbox = Sandbox::new();
    sandbox.write("a.log", log);
    sandbox.write("rules.toml", rules);
    sandbox.run(&["check", "--format", format, "rules.toml"]).expect(0);
    let finished =
        sandbox.run(&["replay", "--rules", "rules.toml", "--format", format, "--json", "a.log"]).expect(0);
    let text = |json: &serde_json::Value| json.as_str().expect("it is a text").to_owned();
    let told: Vec<String> = finished
        .json()
        .iter()
        .map(|told| format!("{} {} {}", text(&told["time"]), text(&told["status"]), text(&told["summary"])))
        .collect();
    assert_eq!(told, expected, "{log}");
}

#[test]
fn a_finished_json_log_is_judged_by_the_times_in_its_fields() {
    let rules = r#"
[[rule]]
name = "slow"
source = "any"
measure = "max(took)"
by = ["tags.0"]
within = "1m"
warning = "> 1s"
resolve_after = "10s"
set = { name = 'upper(tags.0)' }
summary = "{name} took {value}"
"#;
    let far = "x".repeat(300);
    let log = format!(
        "{}\n{}\nno json\n{}\n",
        format_args!("{{\"msg\":\"{far}\",\"tags\":[\"a\"],\"took\":\"2s\",\"time\":1767366245678}}"),
        format_args!("{{\"msg\":\"{far}\",\"tags\":[\"b\"],\"took\":\"900ms\",\"time\":1767366250000}}"),
        format_args!("{{\"msg\":\"{far}\",\"tags\":[\"a\"],\"took\":\"1ms\",\"time\":1767366400000}}"),
    );
    check(
        "json",
        &log,
        rules,
        &["2026-01-02T15:04:05.678Z warning A took 2s", "2026-01-02T15:05:15.678Z ok A took 2s"],
    );
}

#[test]
fn logfmt_lines_have_fields_beside_what_a_pattern_captures() {
    let rules = r#"
[[rule]]
name = "denied"
source = "any"
match = 'msg="denied (?<what>\S+)'
where = 'user != "root"'
resolve_after = "1h"
summary = "{user} was denied {what}"
"#;
    let log = "time=2026-01-02T15:04:05Z level=warn msg=\"denied sudo\" user=root\n\
               time=2026-01-02T15:04:06Z level=warn msg=\"denied su do\" user=\"e v\\te\"\n";
    check(
        "logfmt",
        log,
        rules,
        &[
            "2026-01-02T15:04:06Z warning e v\te was denied su",
            "2026-01-02T16:04:06Z ok e v\te was denied su",
        ],
    );
}

#[test]
fn the_cost_of_a_rule_without_a_pattern_says_what_is_watched_for() {
    let sandbox = Sandbox::new();
    let rules = "[[rule]]\nname = \"one\"\nsource = \"a\"\nwhere = 'level == \"fatal\"'\n\
                 [[rule]]\nname = \"two\"\nsource = \"a\"\nwhere = 'level != \"info\"'\n";
    sandbox.write("rules.toml", rules);
    let finished = sandbox.run(&["check", "--format", "json", "--cost", "--json", "rules.toml"]).expect(0);
    let told: Vec<String> = finished
        .json()
        .iter()
        .map(|row| format!("{} {} {} {}", row["rule"], row["key"], row["tier"], row["watched_for"]))
        .collect();
    assert_eq!(
        told,
        [r#""two" "where" "every line" []"#, r#""one" "where" "classes" ["\"fatal\"","\\\\u"]"#]
    );
}

#[test]
fn a_table_in_a_file_is_read_again_when_it_changes() {
    let rules = "[lookup]\nteams = { csv = 'teams.csv', key = 'host', value = 'team' }\n\
                 [[rule]]\nname = 'down'\nsource = 'app'\nmatch = '(?<host>\\S+) is down'\n\
                 set = { team = 'lookup(teams, host, \"nobody\")' }\nby = ['host']\nlabels = { team = '{team}' }\n";
    let sandbox = sandbox(TO_STDOUT, rules);
    sandbox.write("rules/teams.csv", "host,team\na,one\n");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", "a is down\n");
    assert_eq!(running.tells("down", "warning")["labels"]["team"], "one");
    sandbox.write("rules/teams.csv", "host,team\na,one\nb,two\nb,three\n");
    running.says("there are two entries for `b`");
    running.says("the running one stays");
    sandbox.append("app.log", "b is down\n");
    assert_eq!(running.tells("down", "warning")["labels"]["team"], "nobody");
    sandbox.write("rules/teams.csv", "host,team\na,one\nc,\"two, three\"\n");
    running.says("the configuration was loaded");
    sandbox.append("app.log", "c is down\n");
    assert_eq!(running.tells("down", "warning")["labels"]["team"], "two, three");
    running.stop().expect(0);
}
