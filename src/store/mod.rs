//! The one database: what must survive, in one transaction, or not at all.
//!
//! [`open`] a state directory (or [`in_memory`]), take what was [`Saved`], and [`Store::commit`] a [`Batch`] of
//! rows whenever something happened that must not be forgotten. A commit that returned `Ok` survives a power cut;
//! one that did not may or may not have happened, and the store trusts nothing until it was reopened.
//!
//! Below it is redb with two-phase commit: its checksums are no defence against somebody who chooses what we store,
//! and log lines are chosen by others. Its first creation is not safe against crashes, so a new database is
//! made under another name and renamed. Opening checks every page and every row: what is broken is never
//! guessed around.

mod directory;
mod error;
mod rows;

pub mod crash;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend};

use crate::saved::Saved;

pub use directory::open;
pub use error::StoreError;
pub use rows::{Batch, Table};

/// The format of the rows. A change of any struct in [`crate::saved`] is a change of it.
pub const FORMAT: u32 = 11;

/// Bytes of pages kept in memory. The engine holds everything anyway; this is for the inner pages of commits.
const CACHE: usize = 512 << 10;

/// What [`open`] found.
#[derive(Debug)]
pub struct Opened {
    /// Ready for commits.
    pub store: Store,
    /// What survived.
    pub saved: Saved,
    /// Where a corrupt store was moved; then `saved` is empty and `fresh` is true.
    pub set_aside: Option<PathBuf>,
    /// True if nothing was there, or nothing usable.
    pub fresh: bool,
}

/// The open database. One per state directory and one writer: `&mut self` commits.
#[derive(Debug)]
pub struct Store {
    /// `None` from a failed commit until a successful reopen.
    db: Option<Database>,
    home: Home,
}

/// Where the database can be opened again.
enum Home {
    Directory(directory::Held),
    Backend(Box<dyn Fn() -> Result<Database, redb::DatabaseError> + Send + Sync>),
}

impl std::fmt::Debug for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Home({})", self.place().display())
    }
}

impl Home {
    fn place(&self) -> &Path {
        match self {
            Home::Directory(held) => held.path(),
            Home::Backend(_) => Path::new("(memory)"),
        }
    }

    fn open(&mut self) -> Result<Database, redb::Error> {
        match self {
            Home::Directory(held) => held.open(),
            Home::Backend(open) => Ok(open()?),
        }
    }

    /// Opens the database, checks all of it and reads it.
    fn open_checked(&mut self) -> Result<(Database, Saved), StoreError> {
        let place = self.place().to_owned();
        let opened = guarded(&place, || {
            let mut db = self.open()?;
            // A page that was freed and is used again would destroy the next commit, so the allocator counts too.
            if !db.check_integrity()? {
                return Err(corrupt("its pages do not fit together"));
            }
            let found = format(&db)?;
            if found != FORMAT {
                return Ok(Err(found));
            }
            let saved = read(&db)?;
            Ok(Ok((db, saved)))
        })?;
        opened.map_err(|found| match found {
            _ if found > FORMAT => StoreError::Newer { place, found },
            _ => StoreError::Corrupt { place, why: format!("format {found} never existed") },
        })
    }
}

/// A store that lives as long as the process: for runs without a state directory, and for tests.
///
/// # Errors
/// None that memory is known to have; the type is that of every other store.
pub fn in_memory() -> Result<Store, StoreError> {
    Ok(Store::with_backend(Memory(Arc::new(InMemoryBackend::new())))?.store)
}

/// Memory that a reopened database finds again.
#[derive(Clone, Debug)]
struct Memory(Arc<InMemoryBackend>);

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        StorageBackend::read(&*self.0, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        StorageBackend::write(&*self.0, offset, data)
    }
}

impl Store {
    /// A store on any backend whose clones share one content, such as [`crash::CrashDisk`].
    ///
    /// An empty backend gets a new database. Unlike [`open`] this can not rename, so a crash within this very call
    /// on an empty backend may leave something that does not open; nothing was committed by then.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Newer`], or what the backend answers.
    pub fn with_backend(backend: impl StorageBackend + Clone) -> Result<Opened, StoreError> {
        let length = backend.len();
        let mut home = Home::Backend(Box::new(move || builder().create_with_backend(backend.clone())));
        let fresh = length.map_err(|source| StoreError::io(home.place(), source))? == 0;
        if fresh {
            let place = home.place().to_owned();
            guarded(&place, || begin(home.open()?))?;
        }
        let (store, saved) = Store::open(home)?;
        Ok(Opened { store, saved, set_aside: None, fresh })
    }

    fn open(mut home: Home) -> Result<(Store, Saved), StoreError> {
        let (db, saved) = home.open_checked()?;
        Ok((Store { db: Some(db), home }, saved))
    }

    /// Everything that is committed.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after a failed commit, [`StoreError::Corrupt`] and [`StoreError::Io`] when the disk
    /// gives back something else than it was given.
    pub fn load(&self) -> Result<Saved, StoreError> {
        let db = self.db.as_ref().ok_or_else(|| self.closed())?;
        guarded(self.home.place(), || read(db))
    }

    /// Writes all of `batch` or nothing; durable when it returns `Ok`. An empty batch costs nothing.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`] (also if the database was deleted or replaced under us) or
    /// [`StoreError::Corrupt`]; then it is unknown whether the batch is there, and every further commit fails
    /// with [`StoreError::Closed`] until [`Store::reopen`] succeeded. Rows are absolute, so offering the same batch
    /// again is right in both cases.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let Some(db) = self.db.take() else { return Err(self.closed()) };
        if batch.is_empty() {
            self.db = Some(db);
            return Ok(());
        }
        let home = &self.home;
        // The database goes into the guarded part, so that a failure closes it there as well.
        let db = guarded(home.place(), || {
            if let Home::Directory(held) = home {
                held.check_in_place()?;
            }
            write(&db, batch)?;
            Ok(db)
        })?;
        self.db = Some(db);
        Ok(())
    }

    /// Closes the database and opens it from where it lies, without the pages that were in memory.
    ///
    /// # Errors
    /// As [`open`] with `require`; the store stays closed and this can be tried again.
    pub fn reopen(&mut self) -> Result<(), StoreError> {
        self.close();
        let (db, _) = self.home.open_checked()?;
        self.db = Some(db);
        Ok(())
    }

    /// Lets the database write what makes the next opening short. What it can not write, the next opening repairs.
    fn close(&mut self) {
        let db = self.db.take();
        let _ = guarded(self.home.place(), || {
            drop(db);
            Ok(())
        });
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed { place: self.home.place().to_owned() }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// The first commit of a new database: all tables, so that a missing one is corruption, and the format.
fn begin(db: Database) -> Result<(), redb::Error> {
    let mut batch = Batch::default();
    batch.put_format(FORMAT);
    let tables = db.begin_write()?;
    for table in Table::ALL {
        tables.open_table(table.definition())?;
    }
    commit_rows(tables, &batch)
}

fn write(db: &Database, batch: &Batch) -> Result<(), redb::Error> {
    commit_rows(db.begin_write()?, batch)
}

fn commit_rows(mut tables: redb::WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    tables.set_two_phase_commit(true);
    for table in Table::ALL {
        let mut rows = batch.of(table).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let mut open = tables.open_table(table.definition())?;
        for (key, value) in rows {
            match value {
                Some(value) => drop(open.insert(key, value)?),
                None => drop(open.remove(key)?),
            }
        }
    }
    Ok(tables.commit()?)
}

fn format(db: &impl ReadableDatabase) -> Result<u32, redb::Error> {
    let meta = db.begin_read()?.open_table(Table::Meta.definition())?;
    let row = meta.get(rows::FORMAT_KEY)?.ok_or_else(|| corrupt("it names no format"))?;
    let bytes = row.value().try_into().map_err(|_| corrupt("its format is not a number"))?;
    Ok(u32::from_be_bytes(bytes))
}

fn read(db: &Database) -> Result<Saved, redb::Error> {
    let tables = db.begin_read()?;
    // File 0 is tripline itself, and delivery 0 is never used, so that no counter starts as another's default.
    let mut saved = Saved { next_file: 1, next_seq: 1, ..Saved::default() };
    for table in Table::ALL {
        let open = match tables.open_table(table.definition()) {
            Err(redb::TableError::TableDoesNotExist(_)) if table.may_be_missing() => continue,
            open => open?,
        };
        for row in open.iter()? {
            let (key, value) = row?;
            rows::restore(&mut saved, table, key.value(), value.value())
                .map_err(|why| corrupt(&format!("a row of table `{}` {why}", table.name())))?;
        }
    }
    Ok(saved)
}

fn corrupt(why: &str) -> redb::Error {
    redb::Error::Corrupted(why.to_owned())
}

/// Runs `work` so that a panic becomes corruption: redb asserts where it finds pages that it would never have
/// written, and a damaged file must not stop the process from setting it aside.
fn guarded<T>(place: &Path, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| StoreError::redb(place, error)),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
            Err(StoreError::Corrupt {
                place: place.to_owned(),
                why: format!("the database gave up ({said})"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::crash::{CrashDisk, Fault, Strike};
    use super::rows::samples;
    use super::*;
    use crate::model::{FileId, KeyHash, RuleName, Timestamp};
    use crate::saved::{Entry, SavedKey};

    const COMMITS: u64 = 8;

    /// What a busy instance commits: rows of every kind that come, change, grow and go.
    fn step(n: u64) -> Batch {
        let mut batch = if n == 0 { samples::batch() } else { Batch::default() };
        let (_, file) = samples::saved().files.pop_first().unwrap();
        batch.put_file(&crate::saved::SavedFile { offset: n * 1000, ..file });
        let rule = RuleName::new("busy");
        for key in 0..6 {
            let hash = KeyHash([u8::try_from(key).unwrap(); 16]);
            let time = Timestamp::from_secs(i64::try_from(n).unwrap());
            batch.put_chunk(&rule, hash, n, &vec![Entry { time, n, x: 0 }; 40]);
            if let Some(old) = n.checked_sub(3) {
                batch.remove_chunk(&rule, hash, old);
            }
            let saved = samples::saved().keys.remove(0);
            let line = "x".repeat(100 * usize::try_from(n).unwrap());
            batch.put_key(&SavedKey { rule: rule.clone(), hash, line, files: vec![FileId(n)], ..saved });
        }
        batch.put_delivery(&samples::delivery(100 + n));
        if n.is_multiple_of(2) {
            batch.remove_delivery(99 + n);
        }
        batch.put_next(4, 101 + n, Timestamp(0));
        batch
    }

    /// What is there after 0, 1, … commits.
    fn states() -> Vec<Saved> {
        let mut store = in_memory().unwrap();
        let mut states = vec![store.load().unwrap()];
        for n in 0..COMMITS {
            store.commit(&step(n)).unwrap();
            states.push(store.load().unwrap());
        }
        states
    }

    /// A disk with an empty store on it, properly closed.
    fn begun(seed: u64) -> CrashDisk {
        let disk = CrashDisk::new(seed);
        Store::with_backend(disk.clone()).unwrap();
        CrashDisk::with_image(seed, disk.image())
    }

    /// Operations that the whole script takes, from opening to closing.
    fn operations() -> u64 {
        let disk = begun(0);
        let mut store = Store::with_backend(disk.clone()).unwrap().store;
        (0..COMMITS).for_each(|n| store.commit(&step(n)).unwrap());
        drop(store);
        disk.operations()
    }

    #[test]
    fn case_56_and_58_a_power_cut_at_any_operation_leaves_a_prefix_of_the_commits_and_all_that_were_acknowledged()
     {
        let states = states();
        let mut rng = fastrand::Rng::with_seed(7);
        for at in 0..operations() {
            let disk = begun(at);
            disk.strike(Strike { at, fault: Fault::PowerCut, lasting: true });
            let mut acknowledged = 0;
            if let Ok(Opened { mut store, .. }) = Store::with_backend(disk.clone()) {
                acknowledged = (0..COMMITS).take_while(|n| store.commit(&step(*n)).is_ok()).count();
            }
            // The recovery is cut short as well, once or twice, before it is left alone.
            let mut disk = disk.crash();
            for _ in 0..rng.u8(0..3) {
                let at = rng.u64(0..25);
                disk.strike(Strike { at, fault: Fault::PowerCut, lasting: true });
                let _ = Store::with_backend(disk.clone());
                disk = disk.crash();
            }
            let opened = Store::with_backend(disk).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
            assert!(!opened.fresh);
            let held = states.iter().position(|state| *state == opened.saved);
            let held = held.unwrap_or_else(|| panic!("cut at {at}: not a state that ever was"));
            assert!(
                held == acknowledged || held == acknowledged + 1,
                "cut at {at}: {held} of {acknowledged}"
            );
        }
    }

    /// Runs the script with one fault, reopening and offering the same batch again after each failure.
    fn endure(strike: Strike) -> Saved {
        let disk = begun(strike.at);
        let mut store = Store::with_backend(disk.clone()).unwrap().store;
        disk.strike(Strike { at: disk.operations() + strike.at, ..strike });
        for n in 0..COMMITS {
            while let Err(error) = store.commit(&step(n)) {
                match strike.fault {
                    Fault::Full => assert!(matches!(error, StoreError::Full { .. }), "{strike:?}: {error}"),
                    _ => assert!(matches!(error, StoreError::Io { .. }), "{strike:?}: {error}"),
                }
                assert!(matches!(store.commit(&step(n)), Err(StoreError::Closed { .. })));
                if store.reopen().is_err() {
                    disk.heal();
                    store.reopen().unwrap_or_else(|error| panic!("{strike:?}: {error}"));
                }
                disk.heal();
            }
        }
        let crashed = disk.crash();
        Store::with_backend(crashed).unwrap_or_else(|error| panic!("{strike:?}: {error}")).saved
    }

    #[test]
    fn case_57_a_full_or_broken_disk_at_any_operation_loses_nothing_that_is_offered_again() {
        let expected = states().pop().unwrap();
        for at in 0..operations() {
            for (fault, lasting) in [(Fault::Full, false), (Fault::Full, true), (Fault::Broken, at % 2 == 0)]
            {
                let strike = Strike { at, fault, lasting };
                assert!(endure(strike) == expected, "{strike:?}");
            }
        }
    }

    /// Opens a damaged image: equal to `expected`, or refused as corrupt. True if it opened.
    fn check_damage(what: &str, image: Vec<u8>, expected: &Saved) -> bool {
        match Store::with_backend(CrashDisk::with_image(0, image)) {
            Ok(opened) => {
                assert!(opened.saved == *expected, "{what}: another state than was written");
                true
            }
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => panic!("{what}: {error}"),
        }
    }

    /// The byte of redb's header whose lowest bit says which of two commits counts.
    const GOD_BYTE: usize = 9;

    #[test]
    fn a_flipped_bit_is_harmless_or_found() {
        let states = states();
        let [.., before, expected] = states.as_slice() else { panic!() };
        let disk = begun(0);
        let mut store = Store::with_backend(disk.clone()).unwrap().store;
        (0..COMMITS).for_each(|n| store.commit(&step(n)).unwrap());
        let killed = disk.image();
        drop(store);
        let closed = disk.image();
        let mut rng = fastrand::Rng::with_seed(1);
        for (kind, image) in [("closed", closed), ("killed", killed)] {
            let used: Vec<_> = (0..image.len()).filter(|at| image[*at] != 0).collect();
            let header = (0..320).map(|at| (at, rng.u8(0..8))).collect::<Vec<_>>();
            let pages = (0..400).map(|n| (used[n * used.len() / 400], 5));
            let mut found = 0;
            for (at, bit) in header.into_iter().chain((0..8).map(|bit| (GOD_BYTE, bit))).chain(pages) {
                // After a kill this one bit turns the file into what a kill just before the last commit leaves.
                let expected = if (kind, at, bit) == ("killed", GOD_BYTE, 0) { before } else { expected };
                let mut image = image.clone();
                image[at] ^= 1 << bit;
                found += u32::from(!check_damage(&format!("{kind}, bit {bit} of {at}"), image, expected));
            }
            assert!(found > 100, "{kind}: only {found} found");
        }
    }

    #[test]
    fn commits_are_two_phase() {
        let disk = begun(0);
        let mut store = Store::with_backend(disk.clone()).unwrap().store;
        store.commit(&step(0)).unwrap();
        assert_eq!(disk.crash().image()[GOD_BYTE] & 4, 4);
    }

    #[test]
    fn a_truncated_image_is_found() {
        let disk = begun(0);
        let mut store = Store::with_backend(disk.clone()).unwrap().store;
        store.commit(&step(0)).unwrap();
        let expected = store.load().unwrap();
        drop(store);
        let image = disk.image();
        for n in 1..100 {
            let len = n * image.len() / 100;
            assert!(!check_damage(&format!("cut at {len}"), image[..len].to_vec(), &expected), "{len}");
        }
    }
}
