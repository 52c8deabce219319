//! Where the figures come from.

use std::process::Command;

/// A line each: processor, memory, kernel, system, compiler, revision.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let cpu = after("/proc/cpuinfo", "model name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kib: u64 = after("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let system = after("/etc/os-release", "PRETTY_NAME");
    let changed = !said("git", &["status", "--porcelain", "--", "src", "Cargo.toml"]).is_empty();
    vec![
        ("processor", format!("{cpu}, {cores} cores")),
        ("memory", format!("{:.1} GiB", kib as f64 / (1 << 20) as f64)),
        ("kernel", said("uname", &["-sr"])),
        ("system", system.trim_matches('"').to_owned()),
        ("compiler", said("rustc", &["--version"])),
        (
            "revision",
            said("git", &["rev-parse", "--short", "HEAD"]) + if changed { ", with changes" } else { "" },
        ),
    ]
}

/// What stands after the first `key` of a file, behind `:` or `=`.
fn after(path: &str, key: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.map_or("unknown".to_owned(), |rest| rest.trim_start_matches([' ', '\t', ':', '=']).trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or("unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
