//! Planted bugs. A harness that has never been seen to fail proves nothing: each bug here stands for one that the
//! machine could have, and a checker must find it within a few seeds.
//!
//! They are planted round the machine, in what it reads from its disk and in what leaves it.

use std::collections::BTreeMap;
use std::io;

use fastrand::Rng;
use redb::StorageBackend;
use tripline::model::{Content, Delivery, DeliveryKind, Status};
use tripline::saved::{Saved, Told};
use tripline::store::crash::CrashDisk;
use tripline::store::{Batch, Opened, Store, StoreError};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Windows are not part of the commit.
    LosesWindows,
    /// Attempts leave before their commit.
    PushBeforeCommit,
    /// Offsets are committed before the state they led to.
    OffsetBeforeState,
    /// State is committed before the offsets that led to it.
    StateBeforeOffset,
    /// Two deliveries of one key change places.
    SwapsOrder,
    /// A resolve that was not accepted is taken for accepted.
    LosesResolves,
    /// A commit is acknowledged without a sync.
    NoSync,
    /// The words of a repeat are written anew.
    NewWords,
    /// What sinks were told is not part of the commit.
    ForgetsTold,
    /// What is owed is not part of the commit.
    ForgetsOwed,
    /// A raise is sent once more after its resolve.
    LateCopy,
    /// What an early match of a half line has counted is forgotten.
    ForgetsFlushed,
}

/// Opens the store as the mutant does.
pub(super) fn open(mutant: Option<Mutant>, disk: &CrashDisk) -> Result<Opened, StoreError> {
    match mutant {
        Some(Mutant::NoSync) => Store::with_backend(Careless(disk.clone())),
        _ => Store::with_backend(disk.clone()),
    }
}

/// A disk whose syncs do nothing.
#[derive(Clone, Debug)]
struct Careless(CrashDisk);

impl StorageBackend for Careless {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

/// Plants bugs.
#[derive(Default)]
pub(super) struct Surgeon {
    /// What was durable a while ago.
    older: Option<Saved>,
    steps: u32,
    /// The disk before the step.
    before: Option<Vec<u8>>,
    crash: bool,
    /// A delivery that is overtaken by the next one of its key.
    kept_back: Option<Delivery>,
    raises: BTreeMap<String, Delivery>,
    seen: BTreeMap<String, u32>,
}

impl Surgeon {
    /// Called before each step.
    pub(super) fn before_step(&mut self, mutant: Option<Mutant>, disk: &CrashDisk) {
        self.steps += 1;
        match mutant {
            Some(Mutant::PushBeforeCommit) => self.before = Some(disk.durable()),
            Some(Mutant::OffsetBeforeState | Mutant::StateBeforeOffset) if self.steps.is_multiple_of(64) => {
                let image = CrashDisk::with_image(1, disk.durable());
                self.older = Store::with_backend(image).ok().map(|opened| opened.saved);
            }
            _ => {}
        }
    }

    /// The disk as it is when attempts leave before their commit.
    pub(super) fn instead_of_commit(
        &mut self,
        mutant: Option<Mutant>,
        attempts_leave: bool,
        rng: &mut Rng,
    ) -> Option<CrashDisk> {
        let before = self.before.take()?;
        (mutant == Some(Mutant::PushBeforeCommit) && attempts_leave && rng.u8(..4) == 0).then(|| {
            self.crash = true;
            CrashDisk::with_image(rng.u64(..), before)
        })
    }

    /// True if the power goes off right after that.
    pub(super) fn wants_crash(&mut self) -> bool {
        std::mem::take(&mut self.crash)
    }

    /// Called on the disk before each start.
    pub(super) fn operate(&mut self, mutant: Mutant, disk: &CrashDisk) {
        if disk.image().is_empty() {
            return;
        }
        let rows = matches!(
            mutant,
            Mutant::LosesWindows
                | Mutant::OffsetBeforeState
                | Mutant::StateBeforeOffset
                | Mutant::ForgetsTold
                | Mutant::ForgetsOwed
                | Mutant::ForgetsFlushed
        );
        let Some(Opened { mut store, saved, .. }) =
            rows.then(|| Store::with_backend(disk.clone()).ok()).flatten()
        else {
            return;
        };
        let mut batch = Batch::default();
        match (mutant, self.older.take()) {
            (Mutant::LosesWindows, _) => {
                for (rule, hash, number, _) in &saved.chunks {
                    batch.remove_chunk(rule, *hash, *number);
                }
            }
            (Mutant::OffsetBeforeState, Some(older)) => {
                for key in &saved.keys {
                    batch.remove_key(&key.rule, key.hash);
                }
                for (rule, hash, number, _) in &saved.chunks {
                    batch.remove_chunk(rule, *hash, *number);
                }
                for key in &older.keys {
                    batch.put_key(key);
                }
                for (rule, hash, number, entries) in &older.chunks {
                    batch.put_chunk(rule, *hash, *number, entries);
                }
            }
            (Mutant::StateBeforeOffset, Some(older)) => {
                let known = |row: &&tripline::saved::SavedFile| saved.files.contains_key(&row.id);
                older.files.values().filter(known).for_each(|row| batch.put_file(row));
            }
            (Mutant::ForgetsTold, _) => {
                for row in saved.told {
                    batch.put_told(&Told { status: Status::Ok, ..row });
                }
            }
            (Mutant::ForgetsOwed, _) => saved.outbox.iter().for_each(|row| batch.remove_delivery(row.seq)),
            (Mutant::ForgetsFlushed, _) => {
                for mut clock in saved.clocks.into_values() {
                    clock.flushed = None;
                    batch.put_clock(&clock);
                }
            }
            _ => {}
        }
        // The power may go off in the middle of the operation; then the patient stays as it was.
        let _ = store.commit(&batch);
    }

    /// What arrives instead of `row`.
    pub(super) fn on_the_way(
        &mut self,
        mutant: Option<Mutant>,
        row: &Delivery,
        rng: &mut Rng,
    ) -> Vec<Delivery> {
        match mutant {
            Some(Mutant::SwapsOrder) => match self.kept_back.take() {
                Some(kept) if kept.subject() == row.subject() && kept.sink == row.sink => {
                    vec![row.clone(), kept]
                }
                Some(kept) => {
                    self.kept_back = Some(kept);
                    vec![row.clone()]
                }
                None if rng.u8(..4) == 0 => {
                    self.kept_back = Some(row.clone());
                    Vec::new()
                }
                None => vec![row.clone()],
            },
            Some(Mutant::LosesResolves)
                if matches!(row.alert(), Some((DeliveryKind::Resolve, _))) && rng.u8(..4) == 0 =>
            {
                Vec::new()
            }
            Some(Mutant::NewWords) => {
                let times = self.seen.entry(format!("{} {}", row.sink, row.id())).or_default();
                *times += 1;
                let mut row = row.clone();
                match &mut row.content {
                    Content::Alert(_, transition) if *times > 1 => transition.summary.push('!'),
                    Content::Change(report) if *times > 1 => report.description.push('!'),
                    _ => {}
                }
                vec![row]
            }
            Some(Mutant::LateCopy) => {
                let place = format!("{} {}", row.sink, row.about());
                let copy = match row.alert().map(|(kind, _)| kind) {
                    Some(DeliveryKind::Resolve) if rng.u8(..4) == 0 => self.raises.remove(&place),
                    Some(DeliveryKind::Raise) => {
                        self.raises.insert(place, row.clone());
                        None
                    }
                    _ => None,
                };
                std::iter::once(row.clone()).chain(copy).collect()
            }
            _ => vec![row.clone()],
        }
    }
}
