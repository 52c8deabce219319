//! Writes JSON lines to a file. A row counts as accepted only after `fdatasync`: what the outbox forgets survives a
//! power cut. Blocks, so it is called where that is fine.
#![expect(clippy::disallowed_methods, reason = "this sink is a file")]

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::Delivery;
use crate::settings::{self, plain};
use crate::sink::attempt::Outcome;
use crate::sink::stdout;

mod others;

pub(super) use others::{Others, Taken};

/// The file that is written now.
pub(super) struct Lines {
    settings: settings::File,
    others: Others,
    open: Option<File>,
}

impl Lines {
    /// Writes nothing that one of the others has.
    pub(super) fn new(settings: settings::File, others: Others) -> Lines {
        Lines { settings, others, open: None }
    }

    /// Appends the rows, part by part as files have room for them; one outcome for each. Those before the first that
    /// could not be written are on the disk.
    pub(super) fn write(&mut self, rows: &[Delivery]) -> Vec<Outcome> {
        let lines: Vec<String> = rows.iter().map(|row| stdout::content_json(&row.content) + "\n").collect();
        let mut outcomes = Vec::with_capacity(lines.len());
        while let Some(rest) = lines.get(outcomes.len()..).filter(|rest| !rest.is_empty()) {
            let (many, outcome) = match self.append(rest) {
                Ok(written) => (written, Outcome::Accepted { note: String::new() }),
                Err(error) => (rest.len(), self.failed(&error)),
            };
            outcomes.extend(std::iter::repeat_n(outcome, many));
        }
        outcomes
    }

    fn failed(&mut self, error: &io::Error) -> Outcome {
        // Whatever is wrong with it, the next attempt begins from the name.
        self.open = None;
        let why = format!("cannot write to `{}`: {error}", self.settings.path.display());
        match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput => Outcome::Suspend { why },
            _ => Outcome::Retry { after: None, why },
        }
    }

    /// Appends as many of the lines as the file has room for, at least one; how many. All of these are on the disk
    /// afterwards, or none counts as written.
    fn append(&mut self, lines: &[String]) -> io::Result<usize> {
        let path = &self.settings.path;
        let mut file = match self.open.take().filter(|file| is_at(file, path)) {
            Some(file) => file,
            None => {
                let taken = self.others.taken(&self.settings).map(Taken::why);
                taken.map_or(Ok(()), |why| Err(io::Error::new(ErrorKind::InvalidInput, why)))?;
                open(path, self.settings.mode)?
            }
        };
        let most = self.settings.max_size.unwrap_or(u64::MAX);
        end_line(&mut file)?;
        let mut fit = fitting(lines, file.metadata()?.len(), most);
        if fit == 0 {
            file.sync_data()?;
            rotate(&self.settings)?;
            file = open(path, self.settings.mode)?;
            fit = fitting(lines, 0, most);
        }
        append_whole(&mut file, lines[..fit].concat().as_bytes())?;
        file.sync_data()?;
        self.open = Some(file);
        Ok(fit)
    }
}

/// Why nothing could be written to the file of a sink as things are on this machine; `None`: something could, as far as can
/// be seen without trying. It makes no directory: one that is missing may be a mount that is.
pub(super) fn unable(settings: &settings::File) -> Option<String> {
    use rustix::fs::{Access, access};
    let (path, directory) = (&settings.path, directory(&settings.path));
    // As somebody would type it: relative paths begin where the configuration lies.
    let (short, short_directory) = (plain(path), plain(directory));
    let (shown, within) = (short.display(), short_directory.display());
    let may = |path: &Path, access_mode: Access| access(path, access_mode).is_ok();
    let why = match (std::fs::metadata(path), std::fs::metadata(directory)) {
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => {
            format!("the directory `{within}` of `{shown}` is missing; `mkdir -p {within}` makes it")
        }
        (_, Err(error)) => format!("the directory `{within}` of `{shown}` can not be looked into: {error}"),
        (_, Ok(parent)) if !parent.is_dir() => {
            format!("`{within}`, in which `{shown}` is to be, is no directory")
        }
        (Ok(file), _) if !file.is_file() => format!("`{shown}` is no regular file; name another `path`"),
        (Ok(_), _) if !may(path, Access::READ_OK | Access::WRITE_OK) => {
            format!("`{shown}` may not be written by this user; `chown` or `chmod u+rw` helps")
        }
        (file, _)
            if !may(directory, Access::WRITE_OK | Access::EXEC_OK)
                && (file.is_err() || settings.max_size.is_some()) =>
        {
            format!("no file may be made in `{within}` by this user; `chown` or `chmod u+wx` helps")
        }
        _ => return None,
    };
    Some(why)
}

/// How many of the lines a file of that size has room for until it has `most` bytes. An empty one has room for any,
/// so that a line which is longer than a file may be has one of its own.
fn fitting(lines: &[String], mut size: u64, most: u64) -> usize {
    let has_room = |line: &&String| {
        let is_empty = size == 0;
        size = size.saturating_add(line.len() as u64);
        is_empty || size <= most
    };
    lines.iter().take_while(has_room).count()
}

/// True if the name still leads to the open file: others may have renamed or removed it.
fn is_at(file: &File, path: &Path) -> bool {
    let same = || {
        let (open, named) = (file.metadata().ok()?, std::fs::metadata(path).ok()?);
        Some((open.dev(), open.ino()) == (named.dev(), named.ino()))
    };
    same().unwrap_or(false)
}

fn open(path: &Path, mode: u32) -> io::Result<File> {
    // A pipe without a reader would block for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).append(true).custom_flags(nonblocking);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = options.create(true).mode(mode).open(path)?;
            // The name is as durable as what will stand in it.
            File::open(directory(path))?.sync_all()?;
            file
        }
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Appends all of `text`. If only a part has room, it is taken away again, unless somebody else has written meanwhile: of
/// a full disk each attempt would fill what little is freed, with lines that are written again later.
fn append_whole(file: &mut File, text: &[u8]) -> io::Result<()> {
    let before = file.metadata()?.len();
    let mut written = 0;
    while written < text.len() {
        let error = match file.write(&text[written..]) {
            Ok(0) => io::Error::from(ErrorKind::WriteZero),
            Ok(more) => {
                written += more;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        if written > 0 && file.metadata()?.len() == before + written as u64 {
            file.set_len(before)?;
        }
        return Err(error);
    }
    Ok(())
}

/// Ends a line that was cut off by a crash or a full disk. Only a whole line is ever followed by another.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// What is written gets the first number, what had that the second and so on; the oldest is overwritten.
fn rotate(settings: &settings::File) -> io::Result<()> {
    for n in (1..settings.keep).rev() {
        match std::fs::rename(settings.numbered(n), settings.numbered(n + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(&settings.path, settings.numbered(1))?;
    File::open(directory(&settings.path))?.sync_all()
}

#[cfg(test)]
mod tests;
