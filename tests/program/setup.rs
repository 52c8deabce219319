//! The first minutes of somebody who has never heard of it: `init`, `packs`, completions and manual pages.

use std::process::Command;

use crate::support::sandbox::Sandbox;

/// A machine with sshd's log and the journal, below `machine`.
fn machine() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("machine/var/log/auth.log", "");
    sandbox.write("machine/run/systemd/system/x", "");
    sandbox.write("machine/usr/bin/journalctl", "");
    sandbox
}

#[test]
fn init_writes_a_configuration_that_is_right_and_runs_and_says_why() {
    let sandbox = machine();
    let done = sandbox.run(&["init", "--root", "machine", "new"]).expect(0);
    let talk = done.talk();
    for words in ["a server with systemd", "sshd", "/var/log/auth.log", "wrote new/tripline.toml"] {
        assert!(talk.contains(words), "{words}: {talk}");
    }
    assert!(talk.ends_with("next: tripline run --config new/tripline.toml"), "{talk}");
    let text = String::from_utf8(sandbox.read("new/tripline.toml")).expect("text");
    assert!(text.contains("name = \"auth\"\nfiles = [\"/var/log/auth.log\"]"), "{text}");
    let checked = sandbox.run(&["check", "--config", "new/tripline.toml"]).expect(0);
    assert!(checked.answer().contains("right"), "{checked:?}");
}

#[test]
fn init_touches_nothing_that_is_there_unless_it_is_told_to() {
    let sandbox = machine();
    sandbox.write("tripline.toml", "# mine\n");
    let refused = sandbox.run(&["init", "--root", "machine"]).expect(2);
    assert!(
        refused.talk().contains("`./tripline.toml` is there already: `--force` replaces it"),
        "{refused:?}"
    );
    assert_eq!(sandbox.read("tripline.toml"), b"# mine\n");
    assert!(!sandbox.path("rules").exists());
    let printed = sandbox.run(&["init", "--root", "machine", "--print"]).expect(0);
    assert!(printed.answer().contains("[[source]]") && sandbox.read("tripline.toml") == b"# mine\n");
    sandbox.run(&["init", "--root", "machine", "--force"]).expect(0);
    assert!(sandbox.read("tripline.toml").starts_with(b"# Written by `tripline init`"));
}

#[test]
fn a_machine_without_a_known_log_gets_a_configuration_that_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("machine/etc/hostname", "x\n");
    let done = sandbox.run(&["init", "--root", "machine"]).expect(0);
    assert!(done.talk().contains("no pack fits"), "{done:?}");
    let done = sandbox.run(&["init", "--root", "machine", "--force", "--pack", "sshd"]).expect(0);
    assert!(done.talk().contains("wanted; its log was not found"), "{done:?}");
    sandbox.run(&["check", "--config", "tripline.toml"]).expect(0);
    let unknown = sandbox.run(&["init", "--pack", "sshdd"]).expect(2);
    assert!(unknown.talk().contains("did you mean `sshd`?"), "{unknown:?}");
}

/// The commands of the README, as they stand there: only where the machine, its state and its port would be touched they are
/// given others.
#[test]
fn five_commands_lead_to_an_alert_of_ones_own() {
    let readme = include_str!("../../README.md");
    let block =
        readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a block");
    let commands: Vec<&str> = block.split("$ ").filter(|command| !command.is_empty()).collect();
    let [install, demo, init, rule, run] = commands[..] else { panic!("{commands:#?}") };
    assert_eq!(install, "cargo install --path .\n");
    let sandbox = machine();
    let words = |command: &'static str| -> Vec<&'static str> {
        command.trim().strip_prefix("tripline ").expect("it is ours").split(' ').collect()
    };
    let told = sandbox.run(&words(demo)).expect(0);
    assert!(told.talk().contains("The status page: http://127.0.0.1:"), "{told:?}");
    sandbox.run(&[&words(init)[..], &["--root", "machine"]].concat()).expect(0);
    let shell = |text: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", text]).current_dir(sandbox.path("."));
        shell.spawn().expect("there is a shell")
    };
    assert!(shell(rule).wait().expect("it ends").success());
    let (line, run) = run.split_once(" & ").expect("two at once");
    let place = ["--state-dir", "state", "--listen", "127.0.0.1:0"];
    let mut running = sandbox.start(&[&words(run)[..], &place].concat());
    let mut line = shell(line);
    let told = running.tells("payment_failed", "warning");
    assert_eq!(told["summary"], "the payment of order 41 failed: declined");
    line.wait().expect("it ends");
}

#[test]
fn packs_are_listed_explained_and_written() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(&["packs"]).expect(0).answer();
    assert!(list.lines().any(|line| line.starts_with("sshd ")), "{list}");
    let one = sandbox.run(&["packs", "sshd"]).expect(0).answer();
    assert!(one.contains("ssh_bruteforce") && one.contains("/var/log/auth.log"), "{one}");
    assert!(one.lines().all(|line| line.chars().count() <= 80), "{one}");
    let json = sandbox.run(&["packs", "--json"]).expect(0).json();
    assert_eq!(
        json.len(),
        list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with(' ')).count()
    );
    let written = sandbox.run(&["packs", "--write", "rules", "sshd"]).expect(0);
    assert_eq!(written.answer(), "rules/sshd.toml");
    sandbox.run(&["check", "rules/sshd.toml"]).expect(0);
    let again = sandbox.run(&["packs", "--write", "rules", "sshd"]).expect(2);
    assert!(again.talk().contains("is there already"), "{again:?}");
}

/// What the program says of itself is on the page.
#[test]
fn the_page_of_commands_is_what_help_says() {
    let sandbox = Sandbox::new();
    let help = |args: &[&str]| {
        let said = sandbox.run(&[args, &["--help"]].concat()).expect(0).answer();
        said.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>()
    };
    let head = help(&[]);
    let names = |help: &str| {
        let commands =
            help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
        let names = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
        names.filter(|name| *name != "help" && !name.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut page = format!(
        "# Commands\n\nAs `tripline COMMAND --help` says it; made from the program itself.\n\n```text\n{head}```\n"
    );
    for name in names(&head) {
        let of = help(&[&name]);
        page += &format!("\n## {name}\n\n```text\n{of}```\n");
        for inner in names(&of) {
            page += &format!("\n### {name} {inner}\n\n```text\n{}```\n", help(&[&name, &inner]));
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("TRIPLINE_UPDATE").is_some() {
        std::fs::write(&path, page).expect("the page can be written");
    } else {
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/cli.md is not what the program says: TRIPLINE_UPDATE=1 cargo test help_says"
        );
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let sandbox = Sandbox::new();
    for (shell, words) in
        [("bash", "complete -F"), ("zsh", "#compdef tripline"), ("fish", "complete -c tripline")]
    {
        let script = sandbox.run(&["completions", shell]).expect(0).answer();
        assert!(script.contains(words) && script.contains("silence"), "{shell}");
    }
    sandbox.run(&["man", "pages"]).expect(0);
    let page = String::from_utf8(sandbox.read("pages/tripline-run.1")).expect("text");
    assert!(page.contains(".TH tripline-run 1") && page.contains("dry\\-run"), "{page}");
    assert!(sandbox.run(&["man"]).expect(0).answer().contains(".TH tripline 1"));
}
