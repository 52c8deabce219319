//! What it means how a program ended that was told of something. The codes are those of `sysexits.h`, as mail programs
//! use them, and of shells; one that nobody has agreed on is an accident that may pass, because a page that is lost is
//! worse than one that comes twice.

use std::time::Duration;

use super::Secrets;
use super::attempt::Outcome;
use super::text::last_words;
use crate::model::duration_text;

/// Variables of tripline's own environment that a program sees.
pub const ENVIRONMENT: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// The variable that holds what a program can recognise a repetition by; the same for each attempt.
pub const ID: &str = "TRIPLINE_ID";

/// Most bytes of what a program says that are kept: the last ones, where errors stand.
pub const MOST_SAID: usize = 4 * 1024;

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It ran for so long and was killed.
    Killed(Duration),
    /// It did not begin, and will not: it may not be run, or is no program.
    Unable(String),
    /// It did not begin, or nobody knows how it ended.
    Accident(String),
}

impl Ended {
    /// As a shell would have it, for logs; `None`: it did not begin. What it said has no place there.
    pub fn status(&self) -> Option<u16> {
        match self {
            Ended::Code(code) => u16::try_from(*code).ok(),
            Ended::Signal(signal) => u16::try_from(128 + signal).ok(),
            Ended::Killed(_) => Some(128 + 9),
            Ended::Unable(_) | Ended::Accident(_) => None,
        }
    }
}

/// What that means; `said` is what the program wrote, hostile as log text is. `secrets` are not in the reason.
pub fn outcome(ended: &Ended, said: &str, secrets: &Secrets) -> Outcome {
    let cause = match ended {
        Ended::Code(code) => format!("exit code {code}"),
        Ended::Signal(signal) => format!("ended by signal {signal}"),
        Ended::Killed(after) => format!("killed after {}", duration_text(*after)),
        Ended::Unable(why) | Ended::Accident(why) => why.clone(),
    };
    let why = last_words(&cause, said, secrets);
    match ended {
        Ended::Code(0) => Outcome::Accepted { note: String::new() },
        // EX_USAGE, EX_NOPERM, EX_CONFIG; what a shell could not run or find.
        Ended::Code(64 | 77 | 78 | 126 | 127) | Ended::Unable(_) => Outcome::Suspend { why },
        // EX_DATAERR
        Ended::Code(65) => Outcome::Dead { why },
        Ended::Code(_) | Ended::Signal(_) | Ended::Killed(_) | Ended::Accident(_) => {
            Outcome::Retry { after: None, why }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ended: &Ended, said: &str, expected: &str) {
        let shown = format!("{:?}", outcome(ended, said, &Secrets::default()));
        assert!(shown.contains(expected), "{ended:?}: {shown}");
    }

    #[test]
    fn each_code_has_its_meaning() {
        check(&Ended::Code(0), "done", "Accepted { note: \"\" }");
        for code in [64, 77, 78, 126, 127] {
            check(&Ended::Code(code), "", &format!("Suspend {{ why: \"exit code {code}\""));
        }
        check(&Ended::Code(65), "no such team", "Dead { why: \"exit code 65: no such team\"");
        for code in [1, 2, 22, 66, 69, 70, 71, 74, 75, 255] {
            check(&Ended::Code(code), "", &format!("Retry {{ after: None, why: \"exit code {code}\""));
        }
        check(&Ended::Signal(9), "", "Retry { after: None, why: \"ended by signal 9\"");
        check(
            &Ended::Killed(Duration::from_secs(90)),
            "",
            "Retry { after: None, why: \"killed after 1m30s\"",
        );
        check(&Ended::Unable("not found".to_owned()), "", "Suspend { why: \"not found\"");
        check(&Ended::Accident("too many open files".to_owned()), "", "Retry");
    }

    #[test]
    fn a_log_shows_how_it_ended_as_a_shell_would() {
        let killed = Ended::Killed(Duration::ZERO);
        for (ended, status) in [(Ended::Code(75), 75), (Ended::Signal(15), 143), (killed, 137)] {
            assert_eq!(ended.status(), Some(status));
        }
        assert_eq!(Ended::Unable(String::new()).status(), None);
    }

    #[test]
    fn what_a_program_says_is_cleaned_and_cut() {
        let why = |said: &str| match outcome(&Ended::Code(1), said, &Secrets::default()) {
            Outcome::Retry { why, .. } => why,
            _ => panic!("1 may pass"),
        };
        assert_eq!(why("\u{1b}[31mno\nroute\u{202e}\n"), "exit code 1: [31mno route");
        // The error stands at the end.
        let long = why(&format!("{}é: no\nroute\n", "x".repeat(4_000)));
        assert!(long.starts_with("exit code 1: …xxx") && long.ends_with("xé: no route"), "{long}");
        assert_eq!(long.chars().count(), 300);
        let fits = "y".repeat(300 - "exit code 1: ".len());
        assert_eq!(why(&fits), format!("exit code 1: {fits}"));
        assert_eq!(why(&format!("z{fits}")), format!("exit code 1: …{}", &fits[1..]));
    }
}
