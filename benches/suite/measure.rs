//! What a process costs: CPU, wall time and peak memory, as the kernel tells it to the parent.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs processes one at a time.
pub(crate) struct Stopwatch {
    /// `measure.c`, compiled.
    program: PathBuf,
    /// Where it leaves its one line.
    result: PathBuf,
}

#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) wall: Duration,
    pub(crate) peak_kib: u64,
}

impl Cost {
    pub(crate) fn cpu(&self) -> Duration {
        self.user + self.system
    }
}

/// A process that has ended.
pub(crate) struct Ran {
    pub(crate) cost: Cost,
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) talk: String,
}

impl Stopwatch {
    pub(crate) fn build(dir: &Path) -> Result<Stopwatch, String> {
        let program = compile("measure.c", dir, &[])?;
        Ok(Stopwatch { program, result: dir.join("cost") })
    }

    /// Runs a command to its end. That it fails is for the caller to judge.
    pub(crate) fn run(&self, command: &[String]) -> Result<Ran, String> {
        let name = &command[0];
        let output = Command::new(&self.program)
            .arg(&self.result)
            .args(command)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("can not run `{name}`: {error}"))?;
        let line = std::fs::read_to_string(&self.result)
            .map_err(|error| format!("can not tell what `{name}` cost: {error}"))?;
        let words: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let &[user, system, wall, peak_kib, status] = words.as_slice() else {
            return Err(format!("can not tell what `{name}` cost: `{line}`"));
        };
        let cost = Cost {
            user: Duration::from_micros(user),
            system: Duration::from_micros(system),
            wall: Duration::from_micros(wall),
            peak_kib,
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let status = i32::try_from(status).unwrap_or(i32::MAX);
        Ok(Ran { cost, status, out: text(output.stdout), talk: text(output.stderr) })
    }
}

/// Compiles a C file that lies beside this one.
pub(crate) fn compile(source: &str, dir: &Path, libraries: &[&str]) -> Result<PathBuf, String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/suite").join(source);
    let program = dir.join(source.trim_end_matches(".c"));
    let output = Command::new("cc")
        .args(["-O2", "-o"])
        .args([&program, &from])
        .args(libraries)
        .output()
        .map_err(|error| format!("can not run `cc`: {error}"))?;
    if output.status.success() {
        return Ok(program);
    }
    let talk = String::from_utf8_lossy(&output.stderr);
    let first = talk.lines().find(|line| line.contains("error")).unwrap_or_default();
    Err(format!("`cc` does not compile `{source}`: {first}"))
}
