//! `tripline init`: looks at the machine and writes a configuration with the packs that fit.

mod machine;
mod plan;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::Args;

use super::packs::{Shipped, can_not_write, chosen, shipped, write};
use super::{Failure, answer, talk};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where to write `tripline.toml` and `rules/`
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Take these packs, whether their logs are found or not [default: those whose logs are]
    #[arg(long = "pack", value_name = "PACK")]
    packs: Vec<String>,
    /// Look for logs below this directory, for images and mounts
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Replace what is there already
    #[arg(long)]
    force: bool,
    /// Print `tripline.toml` and write nothing
    #[arg(long)]
    print: bool,
}

pub(super) fn init(args: &InitArgs) -> Result<u8, Failure> {
    // Names that are none are refused before anything is looked at.
    chosen(&args.packs)?;
    if !args.root.is_dir() {
        return Err(Failure(format!(
            "`{}` is no directory: nothing can be found there",
            args.root.display()
        )));
    }
    let main = args.dir.join("tripline.toml");
    if main.exists() && !args.force && !args.print {
        let path = main.display();
        return Err(Failure(format!(
            "`{path}` is there already: `--force` replaces it, `--print` shows the new one"
        )));
    }
    let shipped = shipped();
    let machine = machine::look(&args.root, &shipped);
    let plan = plan::plan(&shipped, &machine, &args.packs);
    let date = jiff::Zoned::now().date().to_string();
    let text = plan::text(&plan, &date, machine.root && is_service(&args.dir));
    if args.print {
        talk(&plan::told(&plan, &machine));
        answer(&text)?;
        return Ok(0);
    }
    let packs: Vec<_> =
        shipped.iter().filter(|pack| plan.packs.iter().any(|one| one.name == pack.name)).collect();
    let rules = write(&args.dir.join("rules"), &packs, args.force)?;
    std::fs::write(&main, text).map_err(|error| can_not_write(&main, &error))?;
    talk(&plan::told(&plan, &machine));
    if args.force {
        clear_away(&args.dir.join("rules"), &shipped, &plan);
    }
    talk(&format!(
        "wrote {} and {} in {}\n",
        main.display(),
        count(rules.len()),
        args.dir.join("rules").display()
    ));
    talk(&format!("next: {}\n", next(&args.dir)));
    Ok(0)
}

/// Packs of an earlier time that do not fit any more would name sources that are not there. Those that nobody has changed
/// go.
fn clear_away(rules: &Path, shipped: &[Shipped], plan: &plan::Plan<'_>) {
    for pack in shipped.iter().filter(|pack| plan.packs.iter().all(|one| one.name != pack.name)) {
        let path = rules.join(format!("{}.toml", pack.name));
        match std::fs::read_to_string(&path) {
            Ok(text) if text == pack.text && std::fs::remove_file(&path).is_ok() => {
                talk(&format!("removed {}: no sign of its log\n", path.display()));
            }
            Ok(_) => {
                let path = path.display();
                talk(&format!("warning: `{path}` was changed and is kept; its sources are not configured\n"));
            }
            Err(_) => {}
        }
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 rule file".to_owned() } else { format!("{files} rule files") }
}

/// The command to run next.
fn next(dir: &Path) -> String {
    match dir.as_os_str().to_str() {
        Some("." | "" | "/etc/tripline") => "tripline run".to_owned(),
        _ => format!("tripline run --config {}", quoted(&dir.join("tripline.toml").to_string_lossy())),
    }
}

/// True for the directory in which `tripline run` looks by itself, wherever it is started.
fn is_service(dir: &Path) -> bool {
    std::path::absolute(dir).is_ok_and(|dir| dir == Path::new("/etc/tripline"))
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")).into() }
}
