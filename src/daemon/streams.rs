//! Sources that are no files: a FIFO, and the journal of systemd. Each has a thread that brings what comes block by block,
//! and reads on only after a block was used: a slow loop makes the writer wait, instead of filling memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::{Input, clock, journal};
use crate::model::{Format, SourceName, Timestamp};
use crate::settings::{Journal, Source, Start, Stream};
use crate::untrusted::Untrusted;

/// Bytes that are brought at once, and read at once.
const BLOCK: usize = 64 * 1024;
/// Between two looks whether a thread is still wanted, and two attempts at a FIFO.
const TURN: Duration = Duration::from_secs(1);
/// Quiet after which a journal is read to its end: the first entry may have to be searched for.
const QUIET: Duration = Duration::from_secs(2);
/// Between two attempts at a journal, at most.
const MOST_WAIT: Duration = Duration::from_secs(60);
/// What `journalctl` says of a cursor that is of no use to it.
const UNKNOWN_CURSOR: &str = "seek to cursor";
/// Bytes that are kept of what a program said last.
const LAST_WORDS: usize = 1024;

/// Lines that a stream brought.
pub(super) struct Block {
    /// Whole lines, or what came.
    pub(super) bytes: Vec<u8>,
    /// Where entries stand, with the end of each in `bytes`.
    pub(super) cursors: Vec<(usize, String)>,
    /// Bytes that came before and were passed over, because their entry is too long.
    pub(super) lost: u64,
    /// Whom to tell that it was used.
    pub(super) used: SyncSender<()>,
}

/// What is to be known of a stream.
pub(super) enum Brought {
    Block(Block),
    /// It is read to its end.
    Quiet,
    /// It can not be read, and why; `None`: it can be again.
    Fault(Option<String>),
}

/// The streams that are read.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<SourceName, Reader>);

struct Reader {
    stream: Stream,
    format: Format,
    /// Nobody wants it any more.
    left: Arc<AtomicBool>,
    child: Arc<Mutex<Option<Child>>>,
}

impl Streams {
    /// True if this stream of the source is read already.
    pub(super) fn has(&self, source: &Source) -> bool {
        let read = self.0.get(&source.name).map(|reader| (&reader.stream, reader.format));
        read == source.stream.as_ref().map(|stream| (stream, source.format))
    }

    /// The sources whose stream is read.
    pub(super) fn names(&self) -> Vec<SourceName> {
        self.0.keys().cloned().collect()
    }

    /// Stops to read a stream.
    pub(super) fn leave(&mut self, name: &SourceName) {
        if let Some(reader) = self.0.remove(name) {
            reader.left.store(true, Ordering::Relaxed);
            end(&reader.child);
        }
    }

    /// Reads the stream of a source, a journal from behind `cursor`.
    ///
    /// # Errors
    /// If there is no thread for it.
    pub(super) fn open(
        &mut self,
        source: &Source,
        cursor: Option<String>,
        now: Timestamp,
        inbox: &Sender<Input>,
    ) -> io::Result<()> {
        let Some(stream) = source.stream.clone() else { return Ok(()) };
        let (left, child) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let link = Link { source: source.name.clone(), left: left.clone(), inbox: inbox.clone() };
        let (start, format, running) = (source.start, source.format, child.clone());
        let read = stream.clone();
        std::thread::Builder::new().name(format!("source {}", source.name)).spawn(move || match read {
            Stream::Fifo(path) => follow_fifo(&link, &path),
            Stream::Journal(journal) => {
                Follow { link, journal, start, now, format, cursor, caught_up: None, running }.run();
            }
        })?;
        self.0.insert(source.name.clone(), Reader { stream, format, left, child });
        Ok(())
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for name in self.names() {
            self.leave(&name);
        }
    }
}

fn end(child: &Mutex<Option<Child>>) {
    if let Some(mut child) = child.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Whom a thread tells what.
struct Link {
    source: SourceName,
    left: Arc<AtomicBool>,
    inbox: Sender<Input>,
}

/// Nobody wants to know any more.
struct Left;

impl Link {
    fn tell(&self, brought: Brought) -> Result<(), Left> {
        if self.left.load(Ordering::Relaxed) {
            return Err(Left);
        }
        let input = Input::Stream(self.source.clone(), self.left.clone(), brought);
        self.inbox.send(input).map_err(|_| Left)
    }

    /// Brings a block and waits until it was used.
    fn bring(&self, bytes: Vec<u8>, cursors: Vec<(usize, String)>, lost: u64) -> Result<(), Left> {
        let (tell_used, used) = sync_channel(1);
        self.tell(Brought::Block(Block { bytes, cursors, lost, used: tell_used }))?;
        used.recv().map_err(|_| Left)
    }

    fn wait(&self, time: Duration) -> Result<(), Left> {
        let mut rest = time;
        while !rest.is_zero() {
            if self.left.load(Ordering::Relaxed) {
                return Err(Left);
            }
            let part = rest.min(TURN);
            std::thread::park_timeout(part);
            rest -= part;
        }
        Ok(())
    }
}

/// Waits for something to read; which of them have it.
fn readable<const N: usize>(files: [BorrowedFd<'_>; N], time: Duration) -> [bool; N] {
    let mut polled = files.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN));
    let time = Timespec::try_from(time).ok();
    match poll(&mut polled, time.as_ref()) {
        Ok(_) => polled.map(|polled| !polled.revents().is_empty()),
        // A signal: there is a next time.
        Err(_) => [false; N],
    }
}

fn follow_fifo(link: &Link, path: &Path) {
    let mut well = true;
    loop {
        let turn = match open_fifo(path) {
            Ok(file) => {
                let again =
                    if std::mem::replace(&mut well, true) { Ok(()) } else { link.tell(Brought::Fault(None)) };
                again.and_then(|()| read_fifo(link, path, file))
            }
            Err(why) => {
                let said = if std::mem::replace(&mut well, false) {
                    link.tell(Brought::Fault(Some(why)))
                } else {
                    Ok(())
                };
                said.and_then(|()| link.wait(TURN))
            }
        };
        if turn.is_err() {
            return;
        }
    }
}

fn open_fifo(path: &Path) -> Result<File, String> {
    // Held open for writing too, it has no end when the last writer leaves.
    let open = |access: OFlags| {
        rustix::fs::open(path, access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
    };
    // Looked at first: to open a device may do something.
    let is_fifo = |meta: std::fs::Metadata| meta.file_type().is_fifo();
    if !std::fs::metadata(path).map(is_fifo).map_err(|error| error.to_string())? {
        return Err("is no FIFO".to_owned());
    }
    let file = open(OFlags::RDWR).or_else(|_| open(OFlags::RDONLY)).map_err(|error| error.to_string())?;
    let file = File::from(file);
    match file.metadata().map(is_fifo) {
        Ok(true) => Ok(file),
        Ok(false) => Err("is no FIFO".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads until another one lies there.
fn read_fifo(link: &Link, path: &Path, mut file: File) -> Result<(), Left> {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let mine = file.metadata().map(identity).ok();
    loop {
        if readable([file.as_fd()], TURN) == [true] {
            let mut block = vec![0; BLOCK];
            match file.read(&mut block) {
                Ok(0) => link.wait(TURN / 10)?,
                Ok(len) => {
                    block.truncate(len);
                    link.bring(block, Vec::new(), 0)?;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ok(()),
            }
        }
        if link.left.load(Ordering::Relaxed) {
            return Err(Left);
        }
        if std::fs::metadata(path).map(identity).ok() != mine {
            return Ok(());
        }
    }
}

/// The reader of a journal.
struct Follow {
    link: Link,
    journal: Journal,
    start: Start,
    /// By the wall clock, when it began.
    now: Timestamp,
    format: Format,
    cursor: Option<String>,
    /// When what is past was asked for, in seconds since the epoch; `None`: that has to be done yet.
    caught_up: Option<i64>,
    running: Arc<Mutex<Option<Child>>>,
}

/// How `journalctl` ended.
struct Ended {
    why: String,
    /// It had worked before.
    worked: bool,
    /// It has told all there is.
    well: bool,
}

/// The number of this boot, as cursors have it; `None`: the system does not say.
#[expect(clippy::disallowed_methods, reason = "only the kernel knows it")]
fn this_boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().replace('-', ""))
}

impl Follow {
    fn run(mut self) {
        let (mut wait, mut well) = (TURN, true);
        loop {
            let began = clock::wall().0.div_euclid(1_000_000);
            if self.is_for_end() {
                // Nothing that is past is wanted.
                self.caught_up.get_or_insert(began);
            }
            let Ended { why, worked, well: done } = match self.follow(&mut well) {
                Ok(ended) => ended,
                Err(Left) => return end(&self.running),
            };
            end(&self.running);
            if self.caught_up.is_none() && done {
                self.caught_up = Some(began);
                continue;
            }
            if !worked && why.contains(UNKNOWN_CURSOR) {
                // It would be refused for ever.
                self.cursor = None;
            }
            wait = if worked { TURN } else { (wait * 2).min(MOST_WAIT) };
            let said = if std::mem::replace(&mut well, false) {
                self.link.tell(Brought::Fault(Some(why)))
            } else {
                Ok(())
            };
            if said.and_then(|()| self.link.wait(wait)).is_err() {
                return;
            }
        }
    }

    /// True if it begins where the journal ends.
    fn is_for_end(&self) -> bool {
        self.cursor.is_none() && matches!(self.start, Start::End | Start::Last(_))
    }

    /// Where to begin, with what is past or with what comes.
    fn from(&self) -> journal::From<'_> {
        let is_of_another = |cursor: &str| match (journal::boot(cursor), this_boot()) {
            (Some(boot), Some(this)) => boot != this,
            _ => false,
        };
        match (self.cursor.as_deref(), self.caught_up) {
            // All that is of another boot has been told.
            (Some(cursor), Some(second)) if is_of_another(cursor) => journal::From::Second(second),
            (Some(cursor), _) => journal::From::Cursor(cursor),
            (None, Some(second)) if !self.is_for_end() => journal::From::Second(second),
            (None, _) => journal::From::Start(self.start),
        }
    }

    /// Reads what is past, or follows, until the program ends.
    fn follow(&mut self, well: &mut bool) -> Result<Ended, Left> {
        let shown = Untrusted(&self.journal.program.to_string_lossy()).to_string();
        let mut command = Command::new(&self.journal.program);
        let follows = self.caught_up.is_some();
        command.args(journal::arguments(&self.journal, self.from(), follows));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("LC_ALL", "C").env("SYSTEMD_COLORS", "0");
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let why = format!("`{shown}` can not be started: {error}");
                return Ok(Ended { why, worked: false, well: false });
            }
        };
        let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Ok(Ended { why: format!("`{shown}` has no output"), worked: false, well: false });
        };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let mut pending = Pending { from: self.is_for_end().then_some(self.now), ..Pending::default() };
        let mut words = Vec::new();
        let (mut worked, mut quiet, mut told_quiet) = (false, Duration::ZERO, false);
        let mut block = vec![0; BLOCK];
        let (mut out_open, mut err_open) = (true, true);
        while out_open {
            // A pipe that has ended is always readable.
            let [out, err] = match err_open {
                true => readable([stdout.as_fd(), stderr.as_fd()], TURN),
                false => [readable([stdout.as_fd()], TURN)[0], false],
            };
            if self.link.left.load(Ordering::Relaxed) {
                return Err(Left);
            }
            if err {
                match stderr.read(&mut block) {
                    Ok(0) | Err(_) => err_open = false,
                    Ok(len) => {
                        words.extend_from_slice(&block[..len]);
                        words.drain(..words.len().saturating_sub(LAST_WORDS));
                    }
                }
            }
            if out {
                quiet = Duration::ZERO;
                match stdout.read(&mut block) {
                    Ok(0) | Err(_) => out_open = false,
                    Ok(len) => {
                        let (bytes, cursors) = pending.take(&block[..len], self.format);
                        if let Some((_, cursor)) = cursors.last() {
                            self.cursor = Some(cursor.clone());
                            worked = true;
                        }
                        let lost = std::mem::take(&mut pending.lost);
                        if !cursors.is_empty() || !bytes.is_empty() || lost > 0 {
                            self.recovered(well)?;
                            self.link.bring(bytes, cursors, lost)?;
                        }
                    }
                }
            } else if !err {
                quiet += TURN;
                if quiet >= QUIET && sees_nothing(&words) {
                    if std::mem::replace(well, false) {
                        let words = String::from_utf8_lossy(&words).trim().to_owned();
                        let last = words.lines().last().unwrap_or_default();
                        let why = format!("`{shown}` says: {}", Untrusted(last));
                        self.link.tell(Brought::Fault(Some(why)))?;
                    }
                } else if quiet >= QUIET && !told_quiet && follows {
                    (worked, told_quiet) = (true, true);
                    self.recovered(well)?;
                    self.link.tell(Brought::Quiet)?;
                }
            }
        }
        // What it said last; what it left running may hold the pipe for ever.
        while err_open && readable([stderr.as_fd()], TURN / 10) == [true] {
            match stderr.read(&mut block) {
                Ok(0) | Err(_) => err_open = false,
                Ok(len) => {
                    words.extend_from_slice(&block[..len]);
                    words.drain(..words.len().saturating_sub(LAST_WORDS));
                }
            }
        }
        let child = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let status = child.and_then(|mut child| child.wait().ok());
        let done = status.is_some_and(|status| status.success()) && !sees_nothing(&words);
        let status = status.map_or_else(String::new, |status| format!(" ({status})"));
        let words = String::from_utf8_lossy(&words).trim().to_owned();
        let last = words.lines().last().map_or_else(String::new, |line| format!(": {}", Untrusted(line)));
        Ok(Ended { why: format!("`{shown}` has ended{status}{last}"), worked, well: done })
    }

    fn recovered(&self, well: &mut bool) -> Result<(), Left> {
        if std::mem::replace(well, true) { Ok(()) } else { self.link.tell(Brought::Fault(None)) }
    }
}

/// True if `journalctl` has said that there is no journal for who asks: it then waits for one without another word.
fn sees_nothing(words: &[u8]) -> bool {
    ["No journal files were found", "insufficient permissions"]
        .iter()
        .any(|said| memchr::memmem::find(words, said.as_bytes()).is_some())
}

/// What is not a whole entry yet.
#[derive(Default)]
struct Pending {
    rest: Vec<u8>,
    /// The rest of an entry that is too long is passed over.
    skipping: bool,
    /// Bytes of such entries.
    lost: u64,
    /// What was written before is there for its cursor alone.
    from: Option<Timestamp>,
}

impl Pending {
    /// The lines of the entries that end in these bytes, and where each of them ends.
    fn take(&mut self, mut bytes: &[u8], format: Format) -> (Vec<u8>, Vec<(usize, String)>) {
        let (mut lines, mut cursors) = (Vec::new(), Vec::new());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (now, later) = bytes.split_at(end);
            bytes = &later[1..];
            if std::mem::take(&mut self.skipping) || self.rest.len() + now.len() > journal::LONGEST {
                self.lost += (self.rest.len() + now.len() + 1) as u64;
                self.rest.clear();
                continue;
            }
            self.rest.extend_from_slice(now);
            if let Some(entry) = journal::entry(&self.rest, format) {
                let is_old = self.from.zip(entry.time).is_some_and(|(from, time)| time < from);
                lines.extend(entry.line.filter(|_| !is_old).unwrap_or_default());
                cursors.extend(entry.cursor.map(|cursor| (lines.len(), cursor)));
            }
            self.rest.clear();
        }
        if self.skipping || self.rest.len() + bytes.len() > journal::LONGEST {
            self.lost += (self.rest.len() + bytes.len()) as u64;
            (self.rest, self.skipping) = (Vec::new(), true);
        } else {
            self.rest.extend_from_slice(bytes);
        }
        (lines, cursors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_was_written_before_only_the_cursor_counts() {
        let entry = |n: i64| {
            format!("{{\"__CURSOR\":\"c{n}\",\"__REALTIME_TIMESTAMP\":\"{n}\",\"MESSAGE\":\"m\"}}\n")
        };
        let mut pending = Pending { from: Some(Timestamp(6)), ..Pending::default() };
        let (lines, cursors) = pending.take((entry(5) + &entry(6)).as_bytes(), Format::Plain);
        assert_eq!(String::from_utf8(lines).unwrap(), "1970-01-01T00:00:00.000006Z - -: m\n");
        assert_eq!(cursors, [(0, "c5".to_owned()), (35, "c6".to_owned())]);
    }

    #[test]
    fn entries_are_whole_however_they_come_and_what_is_too_long_is_passed_over() {
        let huge = "x".repeat(journal::LONGEST);
        let entry = |n: usize, text: &str| format!("{{\"__CURSOR\":\"c{n}\",\"MESSAGE\":\"{text}\"}}\n");
        let text = [entry(1, "one"), entry(2, &huge), "no entry\n".to_owned(), entry(3, "three")].concat();
        for size in [7, 1000, BLOCK] {
            let (mut pending, mut lines, mut cursors) = (Pending::default(), Vec::new(), Vec::new());
            for bytes in text.as_bytes().chunks(size) {
                let (more, marks) = pending.take(bytes, Format::Plain);
                cursors.extend(marks.into_iter().map(|(end, cursor)| (lines.len() + end, cursor)));
                lines.extend(more);
                assert!(pending.rest.len() <= journal::LONGEST);
            }
            assert_eq!(String::from_utf8(lines).unwrap(), "- -: one\n- -: three\n");
            assert_eq!(cursors, [(9, "c1".to_owned()), (20, "c3".to_owned())]);
            assert_eq!(pending.lost, entry(2, &huge).len() as u64, "in pieces of {size}");
        }
    }
}
