//! Files of containers: envelopes, pieces, streams, and the rotation of a kubelet.

use std::process::{Command, Stdio};

use super::TO_STDOUT;
use crate::support::sandbox::{Running, Sandbox};

const SAY: &str = r"
[[rule]]
name = 'say'
source = 'app'
match = '^say (?<word>\S+)'
by = ['word']
resolve_after = '1h'
";

fn sandbox(source: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("tripline.toml", TO_STDOUT.replace("files = [\"app.log\"]", source));
    sandbox.write("rules/r.toml", SAY);
    sandbox.write("app.log", "");
    sandbox
}

/// A line as CRI writes it now.
fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("{} {stream} {tag} {text}\n", jiff::Timestamp::now())
}

/// A line as Docker writes it now, of a text that is JSON already.
fn docker(stream: &str, text: &str) -> String {
    format!("{{\"log\":\"{text}\",\"stream\":\"{stream}\",\"time\":\"{}\"}}\n", jiff::Timestamp::now())
}

#[test]
fn case_42_and_44_rules_see_what_containers_have_written() {
    let cri = [
        cri("stdout", "P", "say o"),
        cri("stderr", "F", "say two"),
        cri("stdout", "F", "ne"),
        "say bare\n".to_owned(),
        cri("stdout", "F", "\u{1b}[31m\u{7}\u{fffd} junk"),
        cri("stdout", "F", "say three"),
    ];
    let docker = [
        docker("stdout", "say o"),
        docker("stderr", "say two\\n"),
        docker("stdout", "ne\\n"),
        "say bare\n".to_owned(),
        docker("stdout", "\\u001b[31m\\u0000\\ufffd junk\\n"),
        docker("stdout", "say three\\n"),
    ];
    for (envelope, lines) in [("cri", &cri), ("docker", &docker), ("auto", &cri), ("auto", &docker)] {
        let sandbox = sandbox(&format!("envelope = '{envelope}'\nfiles = ['app.log']"));
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        let junk: Vec<u8> = (0..20_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        sandbox.append("app.log", [&junk[..], b"\n"].concat());
        sandbox.append("app.log", lines.concat());
        for word in ["one", "two", "bare", "three"] {
            assert_eq!(running.tells("say", "warning")["labels"]["word"], word, "{envelope}");
        }
        running.metric("tripline_bare_lines_total{source=\"app\"}", |lines| lines > 1.0);
        assert_eq!(running.stop().expect(0).stdout.len(), 4, "{envelope}");
    }
}

#[test]
fn case_45_a_container_that_ends_within_a_line_is_heard() {
    let sandbox = sandbox("envelope = 'cri'\nflush = '50ms'\nfiles = ['app.log']");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", cri("stdout", "P", "say last"));
    std::fs::remove_file(sandbox.path("app.log")).expect("it is there");
    assert_eq!(running.tells("say", "warning")["labels"]["word"], "last");
    running.stop().expect(0);
}

#[test]
fn case_37_and_38_a_line_in_pieces_goes_on_behind_a_stop_and_behind_a_rotation() {
    let sandbox = sandbox("envelope = 'cri'\nflush = '1m'\nfiles = ['app.log']");
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    sandbox.append("app.log", cri("stdout", "F", "say first") + &cri("stdout", "P", "sa"));
    running.tells("say", "warning");
    running.stop().expect(0);
    std::fs::rename(sandbox.path("app.log"), sandbox.path("app.log.1")).expect("it is there");
    sandbox.write("app.log", cri("stdout", "F", "y one") + &cri("stderr", "F", "say two"));
    let mut running = sandbox.watch("tripline.toml");
    for word in ["one", "two"] {
        assert_eq!(running.tells("say", "warning")["labels"]["word"], word);
    }
    running.stop().expect(0);
}

#[test]
fn case_3_and_32_a_kubelet_rotates_files_of_three_pods_and_each_line_counts_once() {
    const PODS: [&str; 3] = ["shop_web-6d4b75cb6d-hx8pq_1", "shop_db-0_2", "kube-system_proxy-abcde_3"];
    let sandbox = sandbox("envelope = 'cri'\nfollow_symlinks = true\nfiles = ['containers/*.log']");
    let place = |pod: &str, name: &str| format!("pods/{pod}/main/{name}");
    std::fs::create_dir_all(sandbox.path("containers")).expect("a directory");
    for pod in PODS {
        sandbox.write(&place(pod, "0.log"), "");
        let link = sandbox.path(&format!("containers/{pod}.log"));
        std::os::unix::fs::symlink(sandbox.path(&place(pod, "0.log")), link).expect("a link");
    }
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let mut written = 0.0;
    for round in 0..6 {
        for pod in PODS {
            // The last line of a file goes on in the next one.
            let mut text = if round > 0 { cri("stdout", "F", "ay torn") } else { String::new() };
            for line in 0..500 {
                text += &cri("stdout", "P", "say ");
                text += &cri("stderr", "F", &format!("say err-{}", line % 3));
                text += &cri("stdout", "F", &format!("out-{}", line % 3));
            }
            text += &cri("stdout", "P", "s");
            sandbox.append(&place(pod, "0.log"), text);
        }
        written += 3.0 * (1000.0 + if round > 0 { 1.0 } else { 0.0 });
        running.metric("tripline_rule_matches_total{rule=\"say\"}", |count| count >= written);
        for pod in PODS {
            let rotated = |round: u32| sandbox.path(&place(pod, &format!("0.log.2026010{round}-120000")));
            std::fs::rename(sandbox.path(&place(pod, "0.log")), rotated(round)).expect("it is there");
            sandbox.write(&place(pod, "0.log"), "");
            if round > 0 {
                Command::new("gzip").arg(rotated(round - 1)).status().expect("gzip");
            }
            if round > 2 {
                let oldest = sandbox.path(&place(pod, &format!("0.log.2026010{}-120000.gz", round - 3)));
                std::fs::remove_file(oldest).expect("it is there");
            }
        }
    }
    // Containers start anew: their links lead elsewhere from one moment to the next, and the old files go.
    for pod in PODS {
        sandbox.append(&place(pod, "0.log"), cri("stdout", "F", "ay torn") + &cri("stdout", "F", "say last"));
    }
    written += 6.0;
    running.metric("tripline_rule_matches_total{rule=\"say\"}", |count| count >= written);
    for pod in PODS {
        sandbox.write(&place(pod, "1.log"), cri("stdout", "F", "say new"));
        let (link, new) = (sandbox.path(&format!("containers/{pod}.log")), sandbox.path("new"));
        std::os::unix::fs::symlink(sandbox.path(&place(pod, "1.log")), &new).expect("a link");
        std::fs::rename(new, link).expect("a place");
    }
    written += 3.0;
    let all = running.metric("tripline_rule_matches_total{rule=\"say\"}", |count| count >= written);
    for pod in PODS {
        std::fs::remove_file(sandbox.path(&place(pod, "0.log"))).expect("it is there");
        sandbox.append(&place(pod, "1.log"), cri("stdout", "F", "say newer"));
    }
    written += 3.0;
    let all = running.metric("tripline_rule_matches_total{rule=\"say\"}", |count| count >= written).max(all);
    assert!((all - written).abs() < f64::EPSILON, "{all} of {written}");
    for reason in ["truncated", "vanished", "given_up"] {
        let lost = format!("tripline_lost_bytes_total{{source=\"app\",reason=\"{reason}\"}}");
        running.metric(&lost, |bytes| bytes == 0.0);
    }
    running.stop().expect(0);
}

#[test]
fn alerts_are_told_by_what_the_paths_of_containers_say() {
    let id = "0123456789abcdef".repeat(4);
    let sandbox = sandbox("envelope = 'cri'\nfiles = ['pods/*/*/*.log', 'containers/*.log', 'app.log']");
    sandbox.write(
        "rules/r.toml",
        "[[rule]]\nname = 'say'\nsource = 'app'\nmatch = 'say'\nresolve = 'hush'\nby = ['workload', 'container']\n\
         where = 'namespace != \"kube-system\"'\nlabels = { pod = '{pod}' }\nsummary = '{namespace}/{workload}'\n",
    );
    let web = |pod: &str| format!("pods/shop_web-6d4b75cb6d-{pod}_0f3c1a9e/main/0.log");
    let db = format!("containers/db-0_shop_main-{id}.log");
    let system = "pods/kube-system_proxy-x7k2b_1/main/0.log";
    // Nobody in Kubernetes is called so.
    let hostile = "pods/a_b\u{202e}{pod}_c/d/0.log";
    for path in [&web("hx8pq"), &web("zxcvb"), &db, system, hostile] {
        sandbox.write(path, "");
    }
    let mut running = sandbox.watch("tripline.toml");
    running.says("following");
    let say = || cri("stdout", "F", "say");
    let told = |told: &serde_json::Value| {
        let labels =
            ["workload", "container", "pod"].map(|name| told["labels"][name].as_str().unwrap_or("-"));
        format!("{} {}", labels.join(" "), told["summary"].as_str().unwrap_or("-"))
    };
    sandbox.append(system, say());
    for (path, expected) in [
        (web("hx8pq"), "web main web-6d4b75cb6d-hx8pq shop/web"),
        (db, "db main db-0 shop/db"),
        ("app.log".to_owned(), "   /"),
    ] {
        sandbox.append(&path, say());
        assert_eq!(told(&running.tells("say", "warning")), expected);
    }
    // Another pod of the same workload: the same alert, after a restart too, though it has another file.
    running.stop().expect(0);
    let mut running = sandbox.watch("tripline.toml");
    sandbox.append(hostile, say());
    sandbox.append(&web("zxcvb"), cri("stdout", "F", "hush"));
    assert_eq!(told(&running.tells("say", "ok")), "web main web-6d4b75cb6d-hx8pq shop/web");
    assert_eq!(running.stop().expect(0).stdout.len(), 1);
}

/// A record of three lines, and a rule that wants all of them.
const TRACE: &str = r"
[[rule]]
name = 'trace'
source = 'app'
match = '^trace (?<word>\S+)\n\s+at top\n\s+at bottom$'
by = ['word']
resolve_after = '1h'
";

/// Plain lines as they are, or in an envelope.
fn wrapped(envelope: &str, lines: &[&str]) -> String {
    let wrap = |line: &&str| match envelope {
        "cri" => cri("stderr", "F", line),
        "docker" => docker("stderr", &format!("{line}\\n")),
        _ => format!("{line}\n"),
    };
    lines.iter().map(wrap).collect()
}

#[test]
fn case_38_a_record_goes_on_behind_a_rotation_and_a_stop_in_whatever_envelope() {
    for (envelope, is_stopped) in
        [("none", false), ("cri", false), ("docker", false), ("none", true), ("cri", true), ("docker", true)]
    {
        let source = format!(
            "envelope = '{envelope}'\nmultiline = {{ continue = '^ ', flush = '1m' }}\nfiles = ['app.log']"
        );
        let sandbox = sandbox(&source);
        sandbox.write("rules/r.toml", format!("{SAY}{TRACE}"));
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        sandbox.append("app.log", wrapped(envelope, &["say first", "trace torn", "  at top"]));
        running.tells("say", "warning");
        let mut running = Some(running);
        if is_stopped && let Some(running) = running.take() {
            running.stop().expect(0);
        }
        std::fs::rename(sandbox.path("app.log"), sandbox.path("app.log.1")).expect("it is there");
        let rest = ["  at bottom", "trace whole", "  at top", "  at bottom", "say last"];
        sandbox.write("app.log", wrapped(envelope, &rest));
        let mut running = running.unwrap_or_else(|| sandbox.watch("tripline.toml"));
        for word in ["torn", "whole"] {
            assert_eq!(running.tells("trace", "warning")["labels"]["word"], word, "{envelope}");
        }
        let count = running.metric("tripline_rule_matches_total{rule=\"trace\"}", |count| count > 0.0);
        assert!(count < 3.0, "{envelope}: {count}");
        running.stop().expect(0);
    }
}

#[test]
fn case_39_a_last_record_is_heard_though_nothing_follows_in_whatever_envelope() {
    for envelope in ["none", "cri", "docker"] {
        let source = format!(
            "envelope = '{envelope}'\nmultiline = {{ continue = '^ ', flush = '50ms' }}\nfiles = ['app.log']"
        );
        let sandbox = sandbox(&source);
        sandbox.write("rules/r.toml", TRACE);
        let mut running = sandbox.watch("tripline.toml");
        running.says("following");
        sandbox.append("app.log", wrapped(envelope, &["trace last", "  at top", "  at bottom"]));
        assert_eq!(running.tells("trace", "warning")["labels"]["word"], "last", "{envelope}");
        // It is whole now, and was heard.
        sandbox.append("app.log", wrapped(envelope, &["trace next", "  at top", "  at bottom"]));
        assert_eq!(running.tells("trace", "warning")["labels"]["word"], "next", "{envelope}");
        let count = running.metric("tripline_rule_matches_total{rule=\"trace\"}", |count| count > 1.0);
        assert!(count < 3.0, "{envelope}: {count}");
        assert_eq!(running.stop().expect(0).stdout.len(), 2, "{envelope}");
    }
}

/// What is written to its stdin comes from here.
fn piped(sandbox: &Sandbox, args: &[&str]) -> Running {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped());
    Running::start(command)
}

/// A log of a container that begins with a line in pieces, and says something of a pod.
fn pieces() -> String {
    [
        ("10:00:00", "stdout P say o"),
        ("10:00:01", "stderr F say two"),
        ("10:00:02", "stdout F ne"),
        ("10:00:03", "stdout F 2019-01-01T00:00:00Z say nothing"),
    ]
    .map(|(time, line)| format!("2026-01-02T{time}.5Z {line}\n"))
    .concat()
}

#[test]
fn replay_takes_lines_out_of_what_their_file_begins_with_and_out_of_what_it_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/r.toml", SAY);
    let json = |args: &[&str]| {
        let told =
            sandbox.run(&[&["replay", "--rules", "rules/r.toml", "--json"], args].concat()).expect(0).json();
        let text = |told: &serde_json::Value| {
            format!(
                "{} {}",
                told["time"].as_str().unwrap_or("-"),
                told["labels"]["word"].as_str().unwrap_or("-")
            )
        };
        told.iter().filter(|told| told["status"] == "warning").map(text).collect::<Vec<_>>()
    };
    sandbox.write("shop_web-0_1/main/0.log", pieces());
    sandbox.write("plain.log", "2026-01-02T10:00:00Z x\nsay plain\n");
    let expected = ["2026-01-02T10:00:00.5Z one", "2026-01-02T10:00:01.5Z two"];
    assert_eq!(json(&["shop_web-0_1/main/0.log"]), expected);
    assert_eq!(json(&["plain.log"]), ["2026-01-02T10:00:00Z plain"]);
    // Each file by itself.
    assert_eq!(json(&["plain.log", "shop_web-0_1/main/0.log"]).len(), 3);
    assert_eq!(json(&["--envelope", "none", "shop_web-0_1/main/0.log"]), Vec::<String>::new());
    assert_eq!(json(&["--envelope", "docker", "shop_web-0_1/main/0.log"]), Vec::<String>::new());
    assert_eq!(json(&["--envelope", "cri", "shop_web-0_1/main/0.log"]), expected);
    // A plain line stands first, and what is said counts.
    sandbox.write("bare.log", format!("a head\n{}", pieces()));
    assert_eq!(json(&["bare.log"]), Vec::<String>::new());
    assert_eq!(json(&["--envelope", "auto", "bare.log"]), expected);
    for (envelope, words) in [(None, 2), (Some("none"), 0)] {
        let mut args = vec!["replay", "--rules", "rules/r.toml", "--json", "-"];
        args.extend(envelope.iter().flat_map(|envelope| ["--envelope", envelope]));
        let mut running = piped(&sandbox, &args);
        std::io::Write::write_all(&mut running.stdin(), pieces().as_bytes()).expect("it reads");
        let told = running.finish().expect(0).json();
        let raised = told.iter().filter(|told| told["status"] == "warning").count();
        assert_eq!(raised, words, "{envelope:?}");
    }
}

#[test]
fn explain_takes_a_line_out_of_its_envelope_and_joins_its_pieces() {
    let sandbox = Sandbox::new();
    sandbox.write("plain.toml", TO_STDOUT);
    sandbox.write("rules/r.toml", SAY);
    let line = "2026-01-02T10:00:00.5Z stdout F say one";
    let explained = |args: &[&str], code| {
        let answer = sandbox.run(&[&["explain", "--json"], args].concat()).expect(code).answer();
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let stamp = &answer["stamp"];
        format!("{} {} {}", answer["line"], stamp["envelope"], stamp["time"].as_str().unwrap_or("-"))
    };
    let rules = ["--rules", "rules/r.toml"];
    let one = "\"say one\" true 2026-01-02T10:00:00.5Z";
    assert_eq!(explained(&[&rules[..], &[line]].concat(), 0), one);
    assert_eq!(explained(&[&rules[..], &["--envelope", "cri", line]].concat(), 0), one);
    let none = explained(&[&rules[..], &["--envelope", "none", line]].concat(), 1);
    assert_eq!(none, format!("\"{line}\" false 2026-01-02T10:00:00.5Z"));
    sandbox.write("0.log", pieces());
    assert_eq!(explained(&[&rules[..], &["0.log:1"]].concat(), 0), one);
    assert_eq!(explained(&[&rules[..], &["0.log:2"]].concat(), 0), "\"say two\" true 2026-01-02T10:00:01.5Z");
    // What its source says counts.
    let config = ["--config", "plain.toml", line];
    assert_eq!(explained(&config, 1), format!("\"{line}\" false 2026-01-02T10:00:00.5Z"));
    sandbox.write("cri.toml", TO_STDOUT.replace("files = [", "envelope = 'cri'\nfiles = ["));
    assert_eq!(explained(&["--config", "cri.toml", line], 0), one);
    let text = sandbox.run(&["explain", "--config", "cri.toml", line]).expect(0).answer();
    assert!(text.contains("of its envelope, taken for 2026-01-02T10:00:00.5Z"), "{text}");
}

#[test]
fn files_and_pipes_that_are_named_to_run_are_taken_out_of_what_they_stand_in() {
    let sandbox = Sandbox::new();
    sandbox.write("rules/r.toml", SAY);
    sandbox.write("0.log", cri("stdout", "F", "begins"));
    sandbox.write("plain.log", "begins\n");
    let quoted = cri("stdout", "F", "say quoted");
    for (args, word) in
        [(vec!["0.log"], true), (vec!["--envelope", "none", "0.log"], false), (vec!["plain.log"], false)]
    {
        let mut running =
            sandbox.start(&[&["run", "--rules", "rules/r.toml", "--log-format", "text"], &args[..]].concat());
        running.says("following");
        let file = args.last().expect("a file");
        sandbox.append(file, &quoted);
        sandbox.append(file, "say bare\n");
        if word {
            assert_eq!(running.tells("say", "warning")["labels"]["word"], "quoted");
        }
        assert_eq!(running.tells("say", "warning")["labels"]["word"], "bare", "{args:?}");
        running.stop().expect(0);
    }
    let mut running = piped(&sandbox, &["run", "--rules", "rules/r.toml", "-"]);
    let mut stdin = running.stdin();
    std::io::Write::write_all(&mut stdin, quoted.as_bytes()).expect("it reads");
    assert_eq!(running.tells("say", "warning")["labels"]["word"], "quoted");
    drop(stdin);
    running.finish().expect(0);
}
