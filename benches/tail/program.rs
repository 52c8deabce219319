//! The program under test, and what the system says of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Every line with `disk N bad` is an alert of its own, told at once on stdout.
const RULE: &str = "[[rule]]\nname = 'disk'\nmatch = 'disk (?<dev>\\d+) bad'\nby = ['dev']\nmax_keys = 1000000\n\
                    severity = 'warning'\nmax_raises = 'never'\nflap = 'never'\nsummary = '{dev}'\n";

/// Whether the kernel may tell it of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hints {
    Given,
    Refused,
}

pub(crate) struct Program {
    child: Child,
    talk: BufReader<ChildStderr>,
}

impl Program {
    /// Follows a file of `dir` that is named on the command line, and is ready. Its state is in memory.
    pub(crate) fn follow_alone(dir: &TempDir, file: &str) -> Program {
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        std::fs::write(at("r.toml"), format!("{RULE}source = 's'\n")).expect("a rule can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command.args(["run", "--rules", &at("r.toml"), &at(file)]);
        Program::start(command)
    }

    /// Follows `files` of `dir`, and is ready. Its state is on disk, as that of a server is.
    pub(crate) fn follow(dir: &TempDir, files: &str, hints: Hints) -> Program {
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let rule = format!("{RULE}files = ['{}']\n", at(files));
        std::fs::write(at("r.toml"), rule).expect("a rule can be written");
        let config = "state_dir = 'state'\nrules = ['r.toml']\n[admin]\nlisten = '127.0.0.1:0'\n[[sink]]\nname = 'out'\ntype = 'stdout'\n";
        std::fs::write(at("tripline.toml"), config).expect("a configuration can be written");
        let program = env!("CARGO_BIN_EXE_tripline");
        let mut command = match hints {
            Hints::Given => Command::new(program),
            Hints::Refused => {
                let mut command = Command::new("unshare");
                let refuse = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
                command.args(["-Ur", "sh", "-ec", refuse, "sh", program]);
                command
            }
        };
        command.args(["run", "--config", &at("tripline.toml")]);
        Program::start(command)
    }

    fn start(mut command: Command) -> Program {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        let mut talk = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        while !said.contains("started") {
            assert!(talk.read_line(&mut said).expect("it talks") > 0, "it ended: {said}");
        }
        Program { child, talk }
    }

    /// What it tells, line by line.
    pub(crate) fn told(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().expect("nobody took it before"))
    }

    /// Waits until so many lines of its talk hold these words.
    pub(crate) fn says(&mut self, words: &str, lines: usize) {
        let said = (&mut self.talk).lines().map_while(Result::ok).filter(|line| line.contains(words));
        assert_eq!(said.take(lines).count(), lines, "it ended");
    }

    fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.child.id());
        let mut text = String::new();
        let file = std::fs::File::open(&path).and_then(|mut file| file.read_to_string(&mut text));
        file.unwrap_or_else(|error| panic!("{path}: {error}"));
        text
    }

    /// Bytes of resident memory.
    pub(crate) fn resident(&self) -> u64 {
        self.pages(1)
    }

    /// Of them, those that are no file's: what the program itself takes.
    pub(crate) fn own(&self) -> u64 {
        self.pages(1) - self.pages(2)
    }

    fn pages(&self, column: usize) -> u64 {
        let statm = self.proc("statm");
        statm.split(' ').nth(column).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
    }

    /// CPU time so far, of all threads.
    pub(crate) fn worked(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let of = |task: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.filter_map(of).sum())
    }

    /// Descriptors it holds.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("it runs").count()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether hints can be refused to a program here.
pub(crate) fn can_refuse() -> bool {
    let refuse = "echo 0 > /proc/sys/user/max_inotify_instances";
    let tried = Command::new("unshare").args(["-Ur", "sh", "-ec", refuse]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Waits for a moment without missing it by a sleep that lasts too long.
pub(crate) fn wait_until(moment: Instant) {
    #[expect(clippy::disallowed_methods, reason = "a pace is what is wanted")]
    std::thread::sleep(moment.saturating_duration_since(Instant::now()));
}
