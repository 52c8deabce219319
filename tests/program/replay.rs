//! Finished logs on their own time, and the same logs under `run`.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::support::sandbox::{Finished, Sandbox, sample};

const SSHD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/sshd.toml");

/// Time, status and `src_ip` of each transition.
fn timeline(finished: &Finished) -> Vec<String> {
    let text = |json: &serde_json::Value| json.as_str().expect("it is a text").to_owned();
    let line = |json: &serde_json::Value| {
        format!("{} {} {}", text(&json["time"]), text(&json["status"]), text(&json["labels"]["src_ip"]))
    };
    finished.json().iter().map(line).collect()
}

#[test]
fn a_named_group_that_can_take_no_part_captures_nothing() {
    let sandbox = Sandbox::new();
    let patterns = ["b(?<x>a){0}c", "(?<y>b)(?<x>a){0}c", "(?<x>a){0}(?<y>\\S)c", "(?:(?<x>a){0}|(?u)\\w+)c"];
    for pattern in patterns {
        let rule = format!("[[rule]]\nname = 'r'\nsource = 's'\nmatch = '{pattern}'\ncritical = '>= 1'\n");
        sandbox.write("rules.toml", rule);
        sandbox.write("a.log", "no\nbc\n");
        let finished = sandbox.run(&["replay", "--rules", "rules.toml", "a.log"]).expect(0);
        assert!(finished.talk().contains("from 1 matches"), "{pattern}: {finished:?}");
    }
}

#[test]
fn a_real_log_leads_to_exactly_these_transitions() {
    let Some(log) = sample("OpenSSH_2k.log") else { return };
    let log = log.to_str().unwrap();
    let sandbox = Sandbox::new();
    let finished =
        sandbox.run(&["replay", "--rules", SSHD, "--year", "2015", "--tz", "UTC", "--json", log]).expect(0);
    let expected = [
        "2015-12-10T07:28:03Z warning 112.95.230.3",
        "2015-12-10T07:34:10Z warning 123.235.32.19",
        "2015-12-10T08:08:42Z ok 112.95.230.3",
        "2015-12-10T08:14:00Z ok 123.235.32.19",
        "2015-12-10T08:24:58Z warning 5.188.10.180",
        "2015-12-10T09:05:50Z ok 5.188.10.180",
        "2015-12-10T09:08:54Z warning 185.190.58.151",
        "2015-12-10T09:11:34Z warning 103.99.0.122",
        "2015-12-10T09:13:10Z warning 187.141.143.180",
        "2015-12-10T09:17:12Z critical 187.141.143.180",
        "2015-12-10T09:51:26Z ok 185.190.58.151",
        "2015-12-10T09:52:35Z ok 103.99.0.122",
        "2015-12-10T09:55:31Z warning 187.141.143.180",
        "2015-12-10T09:59:39Z ok 187.141.143.180",
        "2015-12-10T10:05:22Z warning 60.2.12.12",
        "2015-12-10T10:14:10Z warning 119.4.203.64",
        "2015-12-10T10:44:54Z ok 60.2.12.12",
        "2015-12-10T10:54:04Z ok 119.4.203.64",
        "2015-12-10T10:54:37Z warning 183.62.140.253",
        "2015-12-10T10:56:10Z critical 183.62.140.253",
        "2015-12-10T11:03:56Z warning 103.99.0.122",
        "2015-12-10T11:42:42Z warning 183.62.140.253",
        "2015-12-10T11:44:27Z ok 103.99.0.122",
        "2015-12-10T11:44:35Z ok 183.62.140.253",
    ];
    assert_eq!(timeline(&finished), expected);
    let summary = "\
would have paged 10 times from 2015-12-10 06:55 to 2015-12-10 11:04 (UTC)
  rule                      day           pages     matches
  ssh_bruteforce            2015-12-10       10         522
  ssh_distributed_guessing  2015-12-10        0          15
pages of 9 keys, the most of them of
      2  ssh_bruteforce  src_ip=103.99.0.122  (46 matches)
";
    let talk = finished.talk();
    assert!(talk.starts_with(summary), "{talk}");
    assert!(talk.ends_with("24 transitions from 537 matches in 225216 bytes"), "{talk}");
}

fn failed(at: DateTime, from: &str) -> String {
    format!("{} host sshd[7]: Failed password for root from {from} port 22 ssh2\n", at.strftime("%b %e %T"))
}

/// Failures of two addresses, one of them going up to critical, and one that is ignored.
fn made_log(start: DateTime) -> String {
    let mut log = String::new();
    for second in 0..60 {
        let at = start + jiff::Span::new().seconds(second);
        log += &failed(at, "192.0.2.7");
        log += &failed(at, "10.0.0.1");
        if second < 5 {
            log += &failed(at, "2001:db8::9");
        }
        let _ = writeln!(log, "{} host cron[1]: nothing of interest", at.strftime("%b %e %T"));
    }
    log
}

const MADE: [&str; 6] = [
    "2020-03-01T10:00:04Z warning 192.0.2.7",
    "2020-03-01T10:00:04Z warning 2001:db8::9",
    "2020-03-01T10:00:49Z critical 192.0.2.7",
    // 50 are in the window until the eleventh line has left it, and critical stays for half an hour after that.
    "2020-03-01T10:40:00Z ok 2001:db8::9",
    "2020-03-01T10:40:10Z warning 192.0.2.7",
    "2020-03-01T10:40:55Z ok 192.0.2.7",
];

#[test]
fn a_made_log_goes_up_and_down_the_ladder() {
    let sandbox = Sandbox::new();
    sandbox.write("auth.log", made_log("2020-03-01T10:00:00".parse().unwrap()));
    let args = ["replay", "--rules", SSHD, "--year", "2020", "--tz", "UTC", "--json", "auth.log"];
    let finished = sandbox.run(&args).expect(0);
    assert_eq!(timeline(&finished), MADE);
    // 60 of one address and 5 of the other; what is ignored is no match.
    let talk = finished.talk();
    assert!(talk.contains("\n6 transitions from 65 matches in "), "{talk}");
}

#[test]
fn files_and_stdin_are_merged_by_the_time_of_their_records() {
    let sandbox = Sandbox::new();
    let log = made_log("2020-03-01T10:00:00".parse().unwrap());
    let (odd, even): (Vec<_>, Vec<_>) = log.lines().enumerate().partition(|(ix, _)| ix % 2 == 1);
    let text = |lines: Vec<(usize, &str)>| {
        lines.into_iter().map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    sandbox.write("even.log", text(even));
    sandbox.write("odd.log", text(odd));
    let mut command =
        sandbox.command(&["replay", "--rules", SSHD, "--year", "2020", "--tz", "UTC", "--json"]);
    command.args(["even.log", "-"]).stdin(std::fs::File::open(sandbox.path("odd.log")).unwrap());
    let finished = crate::support::sandbox::Running::start(command).finish().expect(0);
    assert_eq!(timeline(&finished), MADE);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn zstd(text: &str) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
}

/// The made log in four parts.
fn parts() -> Vec<String> {
    let log = made_log("2020-03-01T10:00:00".parse().expect("a time"));
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    lines.chunks(lines.len().div_ceil(4)).map(<[_]>::concat).collect()
}

const MADE_ARGS: [&str; 7] = ["replay", "--rules", SSHD, "--year", "2020", "--tz=UTC", "--json"];

#[test]
fn rotated_and_compressed_files_are_one_log_whatever_their_names_and_order() {
    let sandbox = Sandbox::new();
    let [one, two, three, four] = &parts()[..] else { panic!("four parts") };
    sandbox.write("auth.log", four);
    sandbox.write("auth.log.1", three);
    sandbox.write("auth.log.2.gz", gzip(two));
    sandbox.write("auth.log.3.gz", zstd(one));
    sandbox.write("members", [gzip(one), gzip(two), zstd(three), gzip(four)].concat());
    for files in [
        &["auth.log", "auth.log.1", "auth.log.2.gz", "auth.log.3.gz"][..],
        &["auth.log.2.gz", "auth.log", "auth.log.3.gz", "auth.log.1"],
        // Globs that no shell has expanded, and one file under two of them.
        &["auth.log*", "auth.*.gz"],
        &["./a*{log,1,gz}"],
        &["members"],
    ] {
        let finished = sandbox.run(&[&MADE_ARGS, files].concat()).expect(0);
        assert_eq!(timeline(&finished), MADE, "{files:?}");
    }
    let mut command = sandbox.command(&MADE_ARGS);
    command.arg("-").stdin(std::fs::File::open(sandbox.path("members")).unwrap());
    let finished = crate::support::sandbox::Running::start(command).finish().expect(0);
    assert_eq!(timeline(&finished), MADE);
}

#[test]
fn a_file_that_breaks_off_is_named_and_what_was_read_of_it_counts() {
    let sandbox = Sandbox::new();
    let [one, two, three, four] = &parts()[..] else { panic!("four parts") };
    sandbox.write("rest.log", [three.as_str(), four].concat());
    let broken = [gzip(one), gzip(two)].concat();
    sandbox.write("old.gz", &broken[..broken.len() - 4]);
    let finished = sandbox.run(&[&MADE_ARGS[..], &["rest.log", "old.gz"]].concat()).expect(2);
    assert_eq!(timeline(&finished), MADE);
    let read = one.len() + two.len();
    let said = format!(
        "error: `old.gz` was read for {read} bytes only: it ends in the middle of its compressed data: it was cut off, \
         or is not yet complete"
    );
    assert!(finished.talk().ends_with(&said), "{}", finished.talk());
    sandbox.write("other.xz", b"\xfd7zXZ\0rest");
    let finished = sandbox.run(&[&MADE_ARGS[..], &["other.xz"]].concat()).expect(2);
    assert!(finished.talk().contains("try `xz -dc FILE | tripline replay … -`"), "{}", finished.talk());
}

#[test]
fn the_summary_is_one_more_object_at_the_end() {
    let sandbox = Sandbox::new();
    sandbox.write("auth.log", made_log("2020-03-01T23:59:30".parse().unwrap()));
    let finished = sandbox.run(&[&MADE_ARGS[..], &["--summary", "auth.log"]].concat()).expect(0);
    let mut lines = finished.json();
    let summary = &lines.pop().expect("a summary")["summary"];
    assert_eq!(lines.len(), 6);
    assert_eq!(summary["pages"], 2);
    assert_eq!(summary["matches"], 65);
    assert_eq!(summary["open_at_the_end"], 2);
    let days = serde_json::json!([
        {"day": "2020-03-01", "pages": 2, "matches": 35},
        {"day": "2020-03-02", "pages": 0, "matches": 30},
    ]);
    assert_eq!(summary["rules"][0]["days"], days);
    sandbox.run(&["replay", "--rules", SSHD, "--summary", "auth.log"]).expect(2);
}

#[test]
fn the_first_stamp_is_of_the_year_that_was_given_and_later_ones_may_be_of_the_next() {
    let sandbox = Sandbox::new();
    for (start, first, last) in [
        ("2020-01-01T00:00:00", "2020-01-01T00:00:04Z", "2020-01-01T00:40:55Z"),
        ("2020-07-01T00:00:00", "2020-07-01T00:00:04Z", "2020-07-01T00:40:55Z"),
        ("2020-12-31T23:59:30", "2020-12-31T23:59:34Z", "2021-01-01T00:40:25Z"),
    ] {
        sandbox.write("auth.log", made_log(start.parse().unwrap()));
        let told = timeline(&sandbox.run(&[&MADE_ARGS[..], &["auth.log"]].concat()).expect(0));
        let ends = [told.first(), told.last()].map(|line| line.and_then(|line| line.split(' ').next()));
        assert_eq!(ends, [Some(first), Some(last)], "{told:#?}");
    }
}

#[test]
fn a_page_is_one_file_and_never_one_of_the_logs() {
    let sandbox = Sandbox::new();
    let log = made_log("2020-03-01T10:00:00".parse().unwrap());
    sandbox.write("auth.log", &log);
    let finished = sandbox.run(&[&MADE_ARGS[..], &["--html", "page.html", "auth.log"]].concat()).expect(0);
    assert_eq!(timeline(&finished), MADE);
    let page = String::from_utf8(sandbox.read("page.html")).expect("a page is UTF-8");
    for words in
        ["It would have paged 2 times", "src_ip=192.0.2.7", "2020-03-01 10:00:49", "65 matches in 1 file"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    // The second page of a file is no longer than it is.
    sandbox.write("auth.log", "");
    sandbox.run(&[&MADE_ARGS[..], &["--html", "page.html", "auth.log"]].concat()).expect(0);
    assert!(sandbox.read("page.html").len() < page.len());
    assert!(sandbox.read("page.html").ends_with(b"</html>\n"));
    sandbox.write("auth.log", &log);
    let finished = sandbox.run(&[&MADE_ARGS[..], &["--html", "./auth.log", "auth.*"]].concat()).expect(2);
    assert!(finished.talk().contains("`./auth.log` is one of the logs"), "{}", finished.talk());
    assert_eq!(sandbox.read("auth.log"), log.as_bytes());
    sandbox.run(&[&MADE_ARGS[..], &["--html", "no/page.html", "auth.log"]].concat()).expect(2);
}

#[test]
fn two_sets_of_rules_are_compared_on_the_same_log() {
    let sandbox = Sandbox::new();
    sandbox.write("auth.log", made_log("2020-03-01T10:00:00".parse().unwrap()));
    let rules = String::from_utf8(std::fs::read(SSHD).unwrap()).unwrap();
    sandbox.write("same.toml", rules.replace("Runbook: ", "Other words: "));
    // Five failures are not enough any more, and one more rule fits.
    let more = "[[rule]]\nname = 'cron'\nsource = 'auth'\nmatch = 'cron'\nseverity = 'info'\n";
    sandbox.write("other.toml", rules.replacen("warning  = \">= 5\"", "warning  = \">= 8\"", 1) + more);
    let run = |args: &[&str]| sandbox.run(&[&MADE_ARGS[..6], args, &["auth.log"]].concat());
    let finished = run(&["--against", "same.toml"]).expect(0);
    assert_eq!(finished.answer(), "");
    let alike = "2 alerts alike, 0 only with --rules, 0 only with --against, 0 different";
    assert_eq!(finished.talk(), alike);
    let finished = run(&["--against", "other.toml"]).expect(1);
    // Two begin at the same moment: which comes first, their keys say.
    let mut lines: Vec<&str> = finished.stdout.iter().map(String::as_str).collect();
    lines.sort_unstable();
    let [how, cron, gone, later] = lines[..] else { panic!("{lines:#?}") };
    assert!(cron.starts_with("+ 2020-03-01T10:00:00Z  INFO      cron  "), "{cron}");
    assert!(
        gone.starts_with(
            "- 2020-03-01T10:00:04Z  WARNING   ssh_bruteforce  5 failed logins from 2001:db8::9"
        ),
        "{gone}"
    );
    assert!(
        later.starts_with("~ 2020-03-01T10:00:07Z  CRITICAL  ssh_bruteforce  8 failed logins from 192.0.2.7"),
        "{later}"
    );
    assert_eq!(how, "    with --against: raised 3s later, over 3s earlier");
    assert!(
        finished.talk().contains("cron: 0 pages with --rules, 1 with --against\n"),
        "{}",
        finished.talk()
    );
    let finished = run(&["--against", "other.toml", "--json"]).expect(1);
    let mut found = finished.json();
    found.sort_by_key(|json| json["difference"].to_string());
    let kinds: Vec<_> = found.iter().map(|json| &json["difference"]).collect();
    assert_eq!(kinds, ["differs", "only_with_against", "only_with_rules"]);
    let differs = &found[0];
    assert_eq!(differs["rules"]["raised"], "2020-03-01T10:00:04Z");
    assert_eq!(differs["against"]["steps"][1], serde_json::json!(["2020-03-01T10:00:49Z", "critical"]));
    run(&["--against", "none.toml"]).expect(2);
    run(&["--against", "same.toml", "--html", "x.html"]).expect(0);
    run(&["--against", "other.toml", "--html", "y.html"]).expect(1);
    let page = |name: &str| String::from_utf8(sandbox.read(name)).expect("a page is UTF-8");
    assert!(page("x.html").contains("Nothing differs") && page("x.html").contains("2 alerts alike"));
    for words in [
        "+ only with --against",
        "− only with --rules",
        "raised 3s later, over 3s earlier",
        "2020-03-01 10:00:07",
    ] {
        assert!(page("y.html").contains(words), "{words}: {}", page("y.html"));
    }
    run(&["--against", "same.toml", "--html", "auth.log"]).expect(2);
}

/// Runs over a finished log from its beginning, until all of it was read, and stops.
#[test]
fn what_no_sink_would_have_been_told_is_marked_in_the_timeline() {
    let sandbox = Sandbox::new();
    let rule = |name: &str, rest: &str| {
        format!(
            "[[rule]]\nname = '{name}'\nsource = 's'\nmatch = '{name} began'\nresolve = '{name} is over'\n{rest}\n"
        )
    };
    sandbox.write("rules.toml", rule("down", "") + &rule("slow", "unless = 'down'"));
    let at = |second: u32, text: &str| format!("2026-01-05T10:00:{second:02}Z {text}\n");
    let log =
        [(0, "down began"), (1, "slow began"), (2, "slow is over"), (3, "down is over"), (4, "slow began")];
    sandbox.write("a.log", log.map(|(second, text)| at(second, text)).concat());
    let finished = sandbox.run(&["replay", "--rules", "rules.toml", "--tz", "UTC", "a.log"]).expect(0);
    let text = &finished.stdout;
    let told = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let status = words.next().unwrap_or_default();
        format!("{status} {} {}", words.next().unwrap_or_default(), !line.ends_with("  (not told)"))
    };
    let expected =
        ["WARNING down true", "WARNING slow false", "OK slow false", "OK down true", "WARNING slow true"];
    // The clock runs on after the log, until both have expired.
    assert_eq!(text.iter().map(|line| told(line)).take(5).collect::<Vec<_>>(), expected, "{text:?}");
}

fn run_over(sandbox: &Sandbox, log: &str) -> Finished {
    let mut args = vec!["run", "--rules", SSHD, "--start", "beginning"];
    args.extend(["--listen", "127.0.0.1:0", log]);
    let mut running = sandbox.start(&args);
    // A last line that has not ended is looked at, and read once it has.
    let lines = sandbox.read(log).iter().rposition(|byte| *byte == b'\n').expect("there is a line") + 1;
    running.metric("tripline_read_bytes_total{source=\"files\"}", |bytes| bytes == lines as f64);
    running.stop().expect(0)
}

#[test]
fn a_log_of_another_day_sends_nothing_under_run() {
    let Some(log) = sample("OpenSSH_2k.log") else { return };
    let sandbox = Sandbox::new();
    std::fs::copy(log, sandbox.path("auth.log")).unwrap();
    assert_eq!(run_over(&sandbox, "auth.log").answer(), "");
}

#[test]
fn a_log_that_ends_now_sends_what_is_open_now() {
    let Some(log) = sample("OpenSSH_2k.log") else { return };
    let sandbox = Sandbox::new();
    let text = String::from_utf8(std::fs::read(log).unwrap()).unwrap();
    let stamp =
        |line: &str| DateTime::strptime("%Y %b %e %H:%M:%S", format!("2015 {}", &line[..15])).unwrap();
    let last = stamp(text.lines().last().unwrap());
    let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let shift = last.duration_until(now);
    let shifted: String = text
        .lines()
        .map(|line| format!("{}{}\n", (stamp(line) + shift).strftime("%b %e %T"), &line[15..]))
        .collect();
    sandbox.write("auth.log", shifted);
    let finished = run_over(&sandbox, "auth.log");
    let mut told: Vec<String> =
        timeline(&finished).iter().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    told.sort();
    assert_eq!(told, ["critical 183.62.140.253", "warning 103.99.0.122"]);
}

#[test]
fn lines_are_joined_to_records_up_to_the_end_of_a_log() {
    let sandbox = Sandbox::new();
    let rules = "[[rule]]\nname = 'trace'\nsource = 'app'\nby = ['frame']\n\
                 match = '(?s)^\\S+ ERROR .*?\\n\\s+at (?<frame>\\S+)'\n";
    sandbox.write("r.toml", rules);
    let log = "2026-01-05T10:00:00Z ERROR a\n\tat shop.book\n\tat shop.main\n2026-01-05T10:00:01Z INFO fine\n\
               2026-01-05T10:00:02Z ERROR b\n\tat shop.cart\n\tat shop.main";
    sandbox.write("app.log", log);
    let replay = |args: &[&str]| {
        let finished =
            sandbox.run(&[&["replay", "--json", "--rules", "r.toml"], args, &["app.log"]].concat()).expect(0);
        let told = finished.json().into_iter().filter(|line| line["status"] == "warning");
        let told = told.map(|line| {
            format!("{} {}", line["time"].as_str().unwrap(), line["labels"]["frame"].as_str().unwrap())
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        replay(&["--multiline", "java"]),
        ["2026-01-05T10:00:00Z shop.book", "2026-01-05T10:00:02Z shop.cart"].map(str::to_owned)
    );
    assert_eq!(replay(&[]), Vec::<String>::new());
}

#[test]
fn an_alert_that_nothing_ends_is_told_again_up_to_the_end_of_the_log_and_no_further() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "rules.toml",
        "[[rule]]\nname = 'job'\nsource = 's'\nmatch = 'done (?<job>\\w+)'\nby = ['job']\n\
         deadline = '02:30 UTC'\nwithin = '1h'\nrenotify = '1h'\n",
    );
    sandbox.write("a.log", "2026-01-05T02:00:00Z done a\n2026-01-06T05:00:00Z nothing\n");
    let replay = ["replay", "--rules", "rules.toml", "--tz", "UTC", "--json", "a.log"];
    let finished = sandbox.run(&replay).expect(0);
    let told: Vec<String> = finished
        .json()
        .iter()
        .map(|line| {
            format!("{} {}", line["time"].as_str().unwrap_or(""), line["status"].as_str().unwrap_or(""))
        })
        .collect();
    let expected = [
        "2026-01-06T02:30:00Z warning",
        "2026-01-06T03:30:00Z warning",
        "2026-01-06T04:30:00Z warning",
        "2026-01-15T02:30:00Z ok",
    ];
    assert_eq!(told, expected);
    sandbox.write("other.toml", sandbox.read("rules.toml"));
    sandbox
        .run(&["replay", "--rules", "rules.toml", "--against", "other.toml", "--tz", "UTC", "a.log"])
        .expect(0);
}

/// What is told of these rules and these files, the oldest last.
fn told_of(rules: &str, files: &[(&str, &str)]) -> (String, String) {
    let sandbox = Sandbox::new();
    sandbox.write("m.toml", rules);
    files.iter().for_each(|(name, text)| sandbox.write(name, text));
    let args = ["replay", "--rules", "m.toml", "--tz", "UTC", "--color", "never"];
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let pieces = sandbox.run(&[&args[..], &names].concat()).expect(0);
    sandbox.write("whole.log", files.iter().rev().map(|(_, text)| *text).collect::<String>());
    let whole = sandbox.run(&[&args[..], &["whole.log"]].concat()).expect(0);
    (pieces.answer(), whole.answer())
}

#[test]
fn what_an_older_file_left_open_does_not_outlast_what_a_newer_one_says() {
    let rules = "[[rule]]\nname = 'db'\nsource = 's'\nmatch = 'down'\nresolve_after = '5m'\nseverity = 'critical'\n\
                 [[rule]]\nname = 'slow'\nsource = 's'\nmatch = 'slow'\nseverity = 'warning'\n";
    let files = [("q.log", "2026-11-28T10:30:00Z slow\n"), ("q.log.1", "2026-11-28T10:00:00Z down\n")];
    for tie in ["unless = 'db'\n", "after = 'db'\n"] {
        let (pieces, whole) = told_of(&format!("{rules}{tie}"), &files);
        assert_eq!(pieces, whole, "{tie}");
        assert!(whole.contains("10:05:00Z  OK") && !whole.contains("not told"), "{tie}: {whole}");
    }
}

#[test]
fn lines_that_rules_of_triplines_own_take_are_no_matches() {
    let sandbox = Sandbox::new();
    let rule = "[[rule]]\nname = 'r'\nsource = 's'\nmatch = 'from (?<ip>\\S+)'\nby = 'ip'\nmax_keys = 10\n\
                resolve_after = 'never'\nseverity = 'info'\n";
    sandbox.write("m.toml", rule);
    let line = |n| format!("2026-11-28T10:00:00Z from a{n}\n");
    sandbox.write("a.log", (0..50).map(line).collect::<String>());
    let finished = sandbox.run(&["replay", "--rules", "m.toml", "a.log"]).expect(0);
    assert!(finished.talk().contains(" from 50 matches in "), "{}", finished.talk());
}
