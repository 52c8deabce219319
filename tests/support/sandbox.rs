//! The built program in a world of its own: an empty environment, a directory that goes with the test, and an end to
//! every wait. Tests wait for facts (a line, a request, a number in `/metrics`), never for time to pass.

#![expect(clippy::disallowed_methods, reason = "this is the world around the program")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::script::{Otherwise, Received, Script, Step};

/// How long a fact may take on a busy machine. A test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a number that has no bell.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A directory with what a test needs.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// An empty one.
    pub(crate) fn new() -> Sandbox {
        Sandbox { dir: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    /// The absolute path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, with the directories above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies in the sandbox")).expect("directories can be made");
        fs::write(path, content).expect("the sandbox can be written");
    }

    /// Appends to a file as a logging program does.
    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        self.appender(name).write_all(content.as_ref()).expect("the sandbox can be written");
    }

    /// The open file of a logging program.
    pub(crate) fn appender(&self, name: &str) -> File {
        let file = OpenOptions::new().append(true).create(true).open(self.path(name));
        file.expect("the sandbox can be written")
    }

    /// What stands in a file.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    /// The program with these arguments, with nothing of the environment of the test.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.env("HOME", self.dir.path()).env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        command.env("TMPDIR", self.dir.path()).env("TRIPLINE_LOG", "info");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        // Tests that kept their state where it belongs on a server would meet there.
        let named = args.iter().position(|arg| *arg == "--config").map_or("tripline.toml", |at| args[at + 1]);
        let config = fs::read_to_string(self.path(named)).unwrap_or_default();
        let keeps = args.first() == Some(&"run") && !args.contains(&"--dry-run") && !config.is_empty();
        assert!(!keeps || config.contains("state_dir"), "`{named}` needs a `state_dir` of its own: {config}");
        Running::start(self.command(args))
    }

    /// Starts `run` with the configuration of this name and waits until it watches and answers on its admin address.
    pub(crate) fn watch(&self, config: &str) -> Running {
        let mut running = self.start(&["run", "--config", config]);
        running.admin();
        running
    }
}

/// Where a line came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    /// The answer.
    Stdout,
    /// The talk.
    Stderr,
}

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Lines of its answer.
    pub(crate) stdout: Vec<String>,
    /// Lines of its talk.
    pub(crate) stderr: Vec<String>,
}

impl Finished {
    /// The talk as one text.
    pub(crate) fn talk(&self) -> String {
        self.stderr.join("\n")
    }

    /// The answer as one text.
    pub(crate) fn answer(&self) -> String {
        self.stdout.join("\n")
    }

    /// The answer as JSON lines.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.iter().map(|line| parse(line)).collect()
    }

    /// Ended by itself with this code, and no panic on the way.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.talk().contains("panicked at"), "{self:#?}");
        self
    }
}

/// A JSON line.
#[track_caller]
pub(crate) fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A running program. It never outlives its test.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<(Out, String)>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    /// How many lines of each were waited for already.
    taken: [usize; 2],
    admin: Option<String>,
}

impl Running {
    /// Starts a command whose outputs are piped.
    pub(crate) fn start(mut command: Command) -> Running {
        let mut child = command.spawn().expect("the program can be started");
        let (send, lines) = channel();
        let stdout = child.stdout.take().expect("stdout is a pipe");
        let stderr = child.stderr.take().expect("stderr is a pipe");
        pass(stdout, Out::Stdout, send.clone());
        pass(stderr, Out::Stderr, send);
        Running { child, lines, stdout: Vec::new(), stderr: Vec::new(), taken: [0; 2], admin: None }
    }

    /// The next line of that output which fits. Lines before it are passed over.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, out: Out, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let (seen, taken) = match out {
                Out::Stdout => (&self.stdout, &mut self.taken[0]),
                Out::Stderr => (&self.stderr, &mut self.taken[1]),
            };
            while let Some(line) = seen.get(*taken) {
                *taken += 1;
                if fits(line) {
                    return line.clone();
                }
            }
            if !self.hear(until.saturating_duration_since(Instant::now())) {
                panic!("no line says {what}\nstdout: {:#?}\nstderr: {:#?}", self.stdout, self.stderr);
            }
        }
    }

    /// The next line of talk that holds these words.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) -> String {
        self.wait_for(Out::Stderr, words, |line| line.contains(words))
    }

    /// The next transition of that rule on stdout.
    #[track_caller]
    pub(crate) fn tells(&mut self, rule: &str, status: &str) -> Value {
        let what = format!("{rule} {status}");
        let line = self.wait_for(Out::Stdout, &what, |line| {
            let json = parse(line);
            json["rule"] == rule && json["status"] == status
        });
        parse(&line)
    }

    /// Takes in one more line; false once that took too long or the program is silent for ever.
    fn hear(&mut self, patience: Duration) -> bool {
        match self.lines.recv_timeout(patience) {
            Ok((Out::Stdout, line)) => self.stdout.push(line),
            Ok((Out::Stderr, line)) => self.stderr.push(line),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    /// Where the admin page is, once the program has said so.
    #[track_caller]
    pub(crate) fn admin(&mut self) -> String {
        if let Some(address) = &self.admin {
            return address.clone();
        }
        let until = Instant::now() + PATIENCE;
        // It may have been said before what was waited for last.
        let address = loop {
            let said = self.stderr.iter().find_map(|line| line.split_once("status page address="));
            if let Some((_, address)) = said {
                break address.trim().to_owned();
            }
            if !self.hear(until.saturating_duration_since(Instant::now())) {
                panic!("no line names the status page: {:#?}", self.stderr);
            }
        };
        self.admin.insert(address).clone()
    }

    /// Asks the admin page.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> String {
        let address = self.admin();
        let mut stream = TcpStream::connect(&address).expect("the admin page answers");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the admin page listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the admin page speaks UTF-8");
        answer
    }

    /// Waits until a number in `/metrics` fits. `series` is the name with its labels.
    #[track_caller]
    pub(crate) fn metric(&mut self, series: &str, fits: impl Fn(f64) -> bool) -> f64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.get("/metrics");
            let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
            match value {
                Some(value) if fits(value) => return value,
                _ if Instant::now() >= until => panic!("{series} is {value:?}\n{:#?}", self.stderr),
                _ => drop(self.hear(LOOK_AGAIN)),
            }
        }
    }

    /// Waits until something holds that the program brings about elsewhere.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds() {
            if Instant::now() >= until {
                panic!("never: {what}\n{:#?}", self.stderr);
            }
            self.hear(LOOK_AGAIN);
        }
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to its stdin, which must be a pipe.
    pub(crate) fn stdin(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("stdin is a pipe and was not taken")
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        // One that has ended already is not reaped before `finish`, so the number is still its own.
        kill_process(pid, signal).expect("our own child can be sent signals");
    }

    /// Ends it without a chance to do anything, and takes in what it had said.
    pub(crate) fn kill(mut self) -> Finished {
        self.child.kill().expect("our own child can be killed");
        self.finish()
    }

    /// Asks it to stop and waits for its end.
    #[track_caller]
    pub(crate) fn stop(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish()
    }

    /// Asks it to stop once it has said that.
    #[track_caller]
    pub(crate) fn stop_once(mut self, words: &str) -> Finished {
        self.says(words);
        self.stop()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((Out::Stdout, line)) => self.stdout.push(line),
                Ok((Out::Stderr, line)) => self.stderr.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {:#?}", self.stderr),
            }
        }
        let code = self.child.wait().expect("our own child can be waited for").code();
        let (stdout, stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        Finished { code, stdout, stderr }
    }
}

impl Drop for Running {
    #[expect(clippy::print_stderr, reason = "what the program said is what a failed test is understood by")]
    fn drop(&mut self) {
        // Whatever went wrong in the test is told by the test; the child only has to be gone.
        let _ = self.child.kill();
        let end = self.child.wait();
        if std::thread::panicking() {
            while self.hear(LOOK_AGAIN) {}
            eprintln!("{end:?}\nstdout: {:#?}\nstderr: {:#?}", self.stdout, self.stderr);
        }
    }
}

fn pass(from: impl std::io::Read + Send + 'static, out: Out, to: Sender<(Out, String)>) {
    let thread = std::thread::Builder::new().name(format!("{out:?}"));
    let work = move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            if to.send((out, text.trim_end_matches('\n').to_owned())).is_err() {
                return;
            }
            line.clear();
        }
    };
    thread.spawn(work).expect("a thread can be started");
}

/// A scripted Flashduty for tests that are not asynchronous.
pub(crate) struct Peer {
    script: Script,
    /// Carries the script; ends with it.
    _runtime: tokio::runtime::Runtime,
}

impl Peer {
    /// Plays the steps, then accepts everything.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Peer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let script = runtime.block_on(Script::start(steps));
        Peer { script, _runtime: runtime }
    }

    /// Answers every request so.
    pub(crate) fn answering(otherwise: Otherwise) -> Peer {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let script = runtime.block_on(Script::answering([], otherwise));
        Peer { script, _runtime: runtime }
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> String {
        self.script.url()
    }

    /// Every request so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.script.received()
    }

    /// Waits until the requests so far are enough.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        match self.script.wait_until(PATIENCE, enough) {
            Ok(requests) => requests,
            Err(requests) => {
                let told: Vec<String> =
                    requests.iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
                panic!("{what} did not arrive: {told:#?}")
            }
        }
    }
}

/// What a Flashduty was told: alert key, status and the request's body, of those it answered with 200.
pub(crate) fn accepted(requests: &[Received]) -> Vec<Value> {
    requests.iter().filter(|request| request.status == Some(200)).map(told).collect()
}

/// The alert in a request.
#[track_caller]
pub(crate) fn told(request: &Received) -> Value {
    serde_json::from_slice(&request.body).expect("a request holds a JSON object")
}

/// True if a path can be found below the repository; a sentence on stderr if not.
#[expect(clippy::print_stderr, reason = "a test that checks nothing must not look like one that passed")]
pub(crate) fn sample(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let dir = std::env::var_os("TRIPLINE_SAMPLES").map_or(beside, PathBuf::from);
    let path = dir.join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!(
        "NOT CHECKED: there is no `{}`, so this test has looked at nothing; put the sample logs there or name their \
         folder in TRIPLINE_SAMPLES",
        path.display()
    );
    None
}
