//! Files of containers: envelopes, pieces, streams, and the rotation of a kubelet.

use std::process::Command;

use super::TO_STDOUT;
use crate::support::sandbox::Sandbox;

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
    let sandbox = sandbox("envelope = 'cri'\nfiles = ['containers/*.log']");
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
    let all = running.metric("tripline_rule_matches_total{rule=\"say\"}", |count| count >= written);
    assert!((all - written).abs() < f64::EPSILON, "{all} of {written}");
    running.metric("tripline_lost_bytes_total{source=\"app\"}", |bytes| bytes == 0.0);
    running.stop().expect(0);
}
