//! `type = "exec"`.

use std::time::Duration;

use super::super::walk::missing;
use super::Reading;
use crate::settings::{Exec, Peer, is_variable};

pub(super) fn read(reading: &mut Reading<'_, '_, '_, '_>) -> Option<Peer> {
    let fields = reading.fields;
    for name in fields.texts("env") {
        if !is_variable(name.text) {
            let title = "`env` takes names of variables";
            reading.problems.error("bad-name", name.span, title, "not a name").help =
                Some("the value is that of tripline's own environment".to_owned());
        }
    }
    let Some(value) = fields.value("command") else {
        missing(reading.problems, reading.header, "command", "an exec sink").help =
            Some("write `command = [\"/usr/local/bin/notify\", \"--now\"]`".to_owned());
        return None;
    };
    let said = fields.texts("command");
    for part in said.iter().filter(|part| part.text.contains('\0')) {
        let title = "`command` holds a control character";
        reading.problems.error("bad-text", part.span.clone(), title, "not allowed here");
    }
    let mut command: Vec<String> = said.iter().map(|part| part.text.to_owned()).collect();
    match command.first_mut() {
        None => {
            reading.problems.error("empty-list", value.span(), "`command` is empty", "a program is missing");
            return None;
        }
        Some(program) if program.trim().is_empty() => {
            let span = said[0].span.clone();
            reading.problems.error("empty", span, "`command` is empty", "a program is missing");
        }
        // A shell would have taken it apart.
        Some(program) if command_line(program, said.len()) => {
            let words = program.split_whitespace().map(|word| format!("{word:?}")).collect::<Vec<_>>();
            let title = "`command` is no list of the program and its arguments";
            reading
                .problems
                .error("bad-command", said[0].span.clone(), title, "no shell takes this apart")
                .help = Some(format!("write `[{}]`", super::super::diagnostic::short(&words.join(", "))));
        }
        Some(program) if program.contains('/') => {
            *program = reading.base.join(&*program).to_string_lossy().into_owned();
        }
        Some(_) => {}
    }
    Some(Peer::Exec(Exec {
        command,
        timeout: fields.duration("timeout").unwrap_or(Duration::from_secs(30)),
        env: fields.texts("env").iter().map(|name| name.text.to_owned()).collect(),
        concurrency: fields.count("concurrency").unwrap_or(1),
    }))
}

/// True if somebody wrote a line for a shell instead of a list.
fn command_line(program: &str, parts: usize) -> bool {
    parts == 1 && program.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, peer};
    use super::*;

    fn exec(lines: &str) -> Exec {
        let Peer::Exec(exec) = peer(&format!("type='exec'\n{lines}")) else { panic!("another peer") };
        exec
    }

    #[test]
    fn a_program_is_found_by_its_path_or_by_path_and_arguments_stay_as_they_are() {
        assert_eq!(
            exec("command=['bin/notify','a b','$HOME']").command,
            ["/etc/tripline/bin/notify", "a b", "$HOME"]
        );
        assert_eq!(exec("command='notify'").command, ["notify"]);
        let usual = exec("command=['/bin/notify']");
        assert_eq!((usual.timeout, usual.concurrency), (Duration::from_secs(30), 1));
        assert_eq!((usual.command, usual.env), (vec!["/bin/notify".to_owned()], Vec::new()));
        let said = exec("command=['n']\ntimeout='5s'\nenv=['A_1','B']\nconcurrency=4");
        assert_eq!((said.timeout, said.concurrency), (Duration::from_secs(5), 4));
        assert_eq!(said.env, ["A_1", "B"]);
    }

    #[test]
    fn what_is_wrong_with_a_program_is_said() {
        check("type='exec'", &[("missing-key", "[[sink]]")]);
        check("type='exec'\nenv='a b'", &[("missing-key", "[[sink]]"), ("bad-name", "'a b'")]);
        check("type='exec'\ncommand=[]", &[("empty-list", "[]")]);
        check("type='exec'\ncommand=''", &[("empty", "''")]);
        check("type='exec'\ncommand='notify --now'", &[("bad-command", "'notify --now'")]);
        check("type='exec'\ncommand=[\"a\\u0000b\"]", &[("bad-text", "\"a\\u0000b\"")]);
        check("type='exec'\ncommand='n'\nenv='TOKEN=x'", &[("bad-name", "'TOKEN=x'")]);
        let key = "'R0ABCDEFGHIJ0123456789abcdef0123'";
        check(&format!("type='exec'\ncommand='n'\nenv=[{key}]"), &[("bad-name", key)]);
        check("type='exec'\ncommand='n'\ntimeout='0s'", &[("out-of-range", "'0s'")]);
    }
}
