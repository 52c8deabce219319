//! Tells a program: one run for each row, one JSON line on its standard input, no shell. It is the leader of a process
//! group of its own, so that what it starts is killed with it when its time is over.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::model::Delivery;
use crate::settings::Exec;
use crate::sink::Secrets;
use crate::sink::attempt::Outcome;
use crate::sink::exec::{ENVIRONMENT, Ended, ID, MOST_SAID, outcome};
use crate::sink::stdout;

/// How long the pipes of a program that has ended are read.
const PIPES: Duration = Duration::from_millis(200);

/// Characters from which on the value of a variable is taken for a secret: `on` or `80` is none.
const LEAST_SECRET: usize = 4;

/// Tells of one row; what that means, and how the program ended.
pub(super) async fn tell(settings: &Exec, row: &Delivery) -> (Outcome, Ended) {
    let mut said = Said::default();
    let ended = match command(settings, row).spawn() {
        Err(error) => not_begun(settings, &error),
        Ok(mut child) => {
            let line = stdout::content_json(&row.content) + "\n";
            match tokio::time::timeout(settings.timeout, run(&mut child, line, &mut said)).await {
                Ok(Ok(status)) => ended(status),
                Ok(Err(error)) => Ended::Accident(format!("it is not known how the program ended: {error}")),
                Err(_) => {
                    kill(&mut child).await;
                    Ended::Killed(settings.timeout)
                }
            }
        }
    };
    let secrets = secrets(settings);
    (outcome(&ended, &said.text(&secrets), &secrets.0), ended)
}

#[expect(clippy::disallowed_methods, reason = "a program sees a part of our environment")]
fn command(settings: &Exec, row: &Delivery) -> Command {
    let (program, arguments) = settings.command.split_first().expect("a command is not empty");
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    let names = ENVIRONMENT.into_iter().chain(settings.env.iter().map(String::as_str));
    command.envs(names.filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env(ID, row.id());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Who stops tripline stops it too; the row is owed and told again.
    command.process_group(0).kill_on_drop(true);
    command
}

/// What the variables of `env` hold, line by line, and the bytes of the longest: a program that fails likes to say what it called, token and all.
#[expect(clippy::disallowed_methods, reason = "a program sees a part of our environment")]
fn secrets(settings: &Exec) -> (Secrets, usize) {
    let values = settings.env.iter().filter_map(std::env::var_os);
    let values: Vec<String> = values.map(|value| value.to_string_lossy().into_owned()).collect();
    let mut lines: Vec<&str> = values.iter().flat_map(|value| value.lines()).map(str::trim).collect();
    lines.retain(|line| line.chars().count() >= LEAST_SECRET);
    // One may be the beginning of another.
    lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.len()));
    let longest = lines.first().map_or(0, |line| line.len());
    (Secrets::new(lines.into_iter().map(|line| ("env", SecretString::from(line))).collect()), longest)
}

/// Why this machine would not run the program of a sink; `None`: it would, as far as can be seen without running it.
#[expect(clippy::disallowed_methods, reason = "a program is a file")]
pub(super) fn unable(settings: &Exec) -> Option<String> {
    let program = settings.command.first()?;
    let is_file = |path: &Path| path.is_file();
    let runs = |path: &Path| is_file(path) && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if !program.contains('/') {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|directory| runs(&directory.join(program)));
        return (!found).then(|| format!("there is no program `{program}` in `PATH`"));
    }
    let path = Path::new(program);
    match () {
        () if runs(path) => None,
        () if is_file(path) => Some(format!("`{program}` may not be run by this user; `chmod +x` may help")),
        () if path.is_dir() => Some(format!("`{program}` is a directory")),
        () => Some(format!("there is no program `{program}`")),
    }
}

fn not_begun(settings: &Exec, error: &std::io::Error) -> Ended {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied};
    let why = format!("cannot run `{}`: {error}", settings.command[0]);
    // ENOEXEC: it is no program at all.
    let no_program = error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error());
    match error.kind() {
        PermissionDenied | InvalidInput => Ended::Unable(why),
        _ if no_program => Ended::Unable(why),
        // It was there at the start. While it is replaced by a newer one it is away for a moment.
        _ => Ended::Accident(why),
    }
}

/// Hands the line over, and hears what is said, until the program ends. What it left running is not waited for.
async fn run(child: &mut Child, line: String, said: &mut Said) -> std::io::Result<ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // Whoever does not read it may still do what it is for.
            let _ = stdin.write_all(line.as_bytes()).await;
        }
        // Dropped, so that the program sees the end.
    };
    let Said { stdout: out, stderr: err } = said;
    let hear = async { tokio::join!(hear(stdout, out), hear(stderr, err), tell) };
    tokio::pin!(hear);
    let status = tokio::select! {
        status = child.wait() => status?,
        _ = &mut hear => return child.wait().await,
    };
    // What it wrote is there already; only what it left running can keep its pipes open.
    let _ = tokio::time::timeout(PIPES, &mut hear).await;
    Ok(status)
}

/// The last bytes of what a program wrote.
#[derive(Default)]
struct Said {
    stdout: Kept,
    stderr: Kept,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// There was something before.
    cut: bool,
}

impl Kept {
    fn text(&self, secrets: &Secrets, longest: usize) -> String {
        let text = secrets.scrub(&String::from_utf8_lossy(&self.bytes));
        // The rest of a secret whose beginning was cut off would not be recognised; percent-encoded it is longer.
        let unsure = if self.cut { text.ceil_char_boundary(3 * longest) } else { 0 };
        text[unsure..].trim().to_owned()
    }
}

impl Said {
    /// What went wrong, if it says so, else what it says at all.
    fn text(&self, (secrets, longest): &(Secrets, usize)) -> String {
        let errors = self.stderr.text(secrets, *longest);
        if errors.is_empty() { self.stdout.text(secrets, *longest) } else { errors }
    }
}

/// Reads to the end, so that the program is never held up by a full pipe, and keeps little.
async fn hear(from: Option<impl AsyncRead + Unpin>, kept: &mut Kept) {
    let Some(mut from) = from else { return };
    let mut bytes = [0; MOST_SAID];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        kept.bytes.extend_from_slice(&bytes[..read]);
        let over = kept.bytes.len().saturating_sub(MOST_SAID);
        kept.cut |= over > 0;
        kept.bytes.drain(..over);
    }
}

fn ended(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::Accident(status.to_string()),
    }
}

/// Kills the program and what it started. Until it is waited for, its number is nobody else's.
async fn kill(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        // It may have ended just now.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait().await;
}

#[cfg(test)]
mod tests;
