//! A disk that loses power, for the simulation: everything in memory, everything decided by one seed.
//!
//! What was written and not synced may be lost, kept, or kept in part, each 512-byte sector by itself; so it may
//! also arrive in another order than it was written. A sync that fails leaves the writes readable but never to
//! become durable by a later sync, because kernels mark such pages clean. The length is no page but in the journal of
//! the file system: a later sync makes it durable, or nothing.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// Bytes that reach a disk wholly or not at all.
const SECTOR: usize = 512;
/// Size of the disk.
const MOST: usize = 1 << 30;

/// What goes wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `ENOSPC`: no space is left.
    Full,
    /// `EIO`: the device failed.
    Broken,
    /// The power is cut: the operation and all after it fail, and only [`CrashDisk::crash`] makes sense.
    PowerCut,
}

/// When a [`Fault`] strikes. Operations that change the disk are counted from 0: writes, changes of the length, syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// The number of the operation that fails.
    pub at: u64,
    /// How it fails.
    pub fault: Fault,
    /// True: all later ones fail too, until [`CrashDisk::heal`].
    pub lasting: bool,
}

/// A handle on a simulated disk; clones share it.
#[derive(Clone)]
pub struct CrashDisk(Arc<Mutex<Disk>>);

struct Disk {
    /// What reads see.
    live: Vec<u8>,
    /// What surely survives.
    durable: Vec<u8>,
    /// What may or may not survive, oldest first.
    pending: Vec<Change>,
    rng: fastrand::Rng,
    operations: u64,
    strike: Option<Strike>,
}

enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Change::Length(len) => image.resize(*len, 0),
            Change::Write(offset, bytes) => {
                // The length itself may be what was lost; then so is what lies behind it.
                let end = image.len().min(offset + bytes.len());
                if let Some(part) = image.get_mut(*offset..end) {
                    part.copy_from_slice(&bytes[..part.len()]);
                }
            }
        }
    }

    fn sectors(self) -> Vec<Change> {
        match self {
            Change::Length(_) => vec![self],
            Change::Write(offset, bytes) => {
                let first = (SECTOR - offset % SECTOR).min(bytes.len());
                let (head, rest) = bytes.split_at(first);
                let rest = rest.chunks(SECTOR).zip(0..);
                std::iter::once(Change::Write(offset, head.to_vec()))
                    .chain(rest.map(|(part, n)| Change::Write(offset + first + n * SECTOR, part.to_vec())))
                    .collect()
            }
        }
    }
}

impl Disk {
    /// Moves a random part of what is pending to the durable image. What is left is lost, but for the length, whose
    /// changes keep their order.
    fn settle(&mut self) {
        let keep = match self.rng.u8(0..8) {
            0 => 0.0,
            1 => 1.0,
            _ => self.rng.f64(),
        };
        for change in std::mem::take(&mut self.pending).into_iter().flat_map(Change::sectors) {
            let is_kept = self.rng.f64() < keep;
            match change {
                Change::Length(_) if !is_kept || !self.pending.is_empty() => self.pending.push(change),
                _ if is_kept => change.apply(&mut self.durable),
                _ => {}
            }
        }
    }

    fn strikes(&mut self) -> Option<Fault> {
        let number = self.operations;
        self.operations += 1;
        let strike = self.strike?;
        (number == strike.at || number > strike.at && (strike.lasting || strike.fault == Fault::PowerCut))
            .then_some(strike.fault)
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Full => io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()),
            Fault::Broken | Fault::PowerCut => {
                io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())
            }
        }
    }
}

impl CrashDisk {
    /// An empty disk. `seed` decides everything that is left to chance.
    pub fn new(seed: u64) -> CrashDisk {
        CrashDisk::with_image(seed, Vec::new())
    }

    /// A disk on which `image` is durable.
    pub fn with_image(seed: u64, image: Vec<u8>) -> CrashDisk {
        CrashDisk(Arc::new(Mutex::new(Disk {
            live: image.clone(),
            durable: image,
            pending: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            operations: 0,
            strike: None,
        })))
    }

    /// How many operations have changed the disk so far: the number of the next one.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Arranges for trouble, instead of any that was arranged before.
    pub fn strike(&self, strike: Strike) {
        self.disk().strike = Some(strike);
    }

    /// No more trouble.
    pub fn heal(&self) {
        self.disk().strike = None;
    }

    /// The disk that a restart would find if the power went off now. This handle is left to whoever holds it.
    pub fn crash(&self) -> CrashDisk {
        let mut disk = self.disk();
        disk.settle();
        let image = disk.durable.clone();
        CrashDisk::with_image(disk.rng.u64(..), image)
    }

    /// What surely survives a power cut now: the image of [`CrashDisk::crash`] if all that is pending is lost.
    pub fn durable(&self) -> Vec<u8> {
        self.disk().durable.clone()
    }

    /// What reads see now.
    pub fn image(&self) -> Vec<u8> {
        self.disk().live.clone()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.strikes() {
            None => {
                change.apply(&mut disk.live);
                disk.pending.push(change);
                Ok(())
            }
            Some(fault) => {
                // A write that fails may have been done in part.
                let mut done = change.sectors();
                let n = disk.rng.usize(0..=done.len());
                done.truncate(n);
                for part in done {
                    part.apply(&mut disk.live);
                    disk.pending.push(part);
                }
                Err(fault.error())
            }
        }
    }
}

impl fmt::Debug for CrashDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = self.disk();
        f.debug_struct("CrashDisk")
            .field("len", &disk.live.len())
            .field("pending", &disk.pending.len())
            .field("operations", &disk.operations)
            .field("strike", &disk.strike)
            .finish()
    }
}

impl StorageBackend for CrashDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk();
        let part = usize::try_from(offset)
            .ok()
            .and_then(|start| disk.live.get(start..start.checked_add(out.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // A real disk would refuse it too; here it must not become an allocation.
        let len = usize::try_from(len).ok().filter(|len| *len <= MOST).ok_or_else(|| Fault::Full.error())?;
        self.change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.strikes() {
            None => {
                let Disk { durable, pending, .. } = &mut *disk;
                pending.drain(..).for_each(|change| change.apply(durable));
                Ok(())
            }
            Some(Fault::PowerCut) => Err(Fault::PowerCut.error()),
            Some(fault) => {
                disk.settle();
                Err(fault.error())
            }
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // redb sets the length first; a write behind it would be a mistake that `apply` hides.
        if offset.checked_add(data.len()).is_none_or(|end| end > self.disk().live.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.change(Change::Write(offset, data.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk_with(seed: u64) -> CrashDisk {
        let disk = CrashDisk::new(seed);
        disk.set_len(4096).unwrap();
        disk.write(0, &[1; 4096]).unwrap();
        disk.sync_data().unwrap();
        disk
    }

    #[test]
    fn what_was_synced_survives_every_crash() {
        for seed in 0..50 {
            let disk = disk_with(seed);
            assert_eq!(disk.crash().image(), [1; 4096]);
        }
    }

    #[test]
    fn what_was_not_synced_is_kept_lost_or_torn_at_sectors() {
        let mut kept = [false; 3];
        for seed in 0..100 {
            let disk = disk_with(seed);
            disk.write(100, &[2; 3000]).unwrap();
            let image = disk.crash().image();
            for (from, to) in [(100, 512), (512, 1024), (2560, 3072), (3072, 3100)] {
                assert!(image[from..to].iter().all(|byte| *byte == image[from]), "seed {seed}");
            }
            assert!(image[..100].iter().chain(&image[3100..]).all(|byte| *byte == 1), "seed {seed}");
            let twos = image.iter().filter(|byte| **byte == 2).count();
            kept[usize::from(twos > 0) + usize::from(twos == 3000)] = true;
        }
        assert_eq!(kept, [true; 3]);
    }

    #[test]
    fn a_failed_sync_is_not_made_good_by_the_next_one() {
        let lost = (0..50).filter(|seed| {
            let disk = disk_with(*seed);
            disk.write(0, &[2; 512]).unwrap();
            disk.strike(Strike { at: disk.operations(), fault: Fault::Broken, lasting: false });
            disk.sync_data().unwrap_err();
            disk.sync_data().unwrap();
            assert_eq!(disk.image()[0], 2);
            disk.crash().image()[0] == 1
        });
        assert!((5..45).contains(&lost.count()));
    }

    #[test]
    fn a_length_that_a_failed_sync_left_behind_is_made_durable_by_the_next_one() {
        let lens = (0..50).map(|seed| {
            let disk = disk_with(seed);
            disk.set_len(8192).unwrap();
            disk.set_len(6144).unwrap();
            disk.strike(Strike { at: disk.operations(), fault: Fault::Full, lasting: false });
            disk.sync_data().unwrap_err();
            let survives = disk.durable().len();
            disk.sync_data().unwrap();
            assert_eq!(disk.durable().len(), 6144, "seed {seed}");
            survives
        });
        let lens: std::collections::BTreeSet<usize> = lens.collect();
        assert_eq!(lens, [4096, 6144, 8192].into());
    }

    #[test]
    fn a_fault_strikes_once_or_until_healed() {
        let disk = disk_with(1);
        disk.strike(Strike { at: disk.operations(), fault: Fault::Full, lasting: false });
        assert_eq!(disk.write(0, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.write(0, b"x").unwrap();
        disk.strike(Strike { at: disk.operations(), fault: Fault::Full, lasting: true });
        disk.write(0, b"x").unwrap_err();
        disk.set_len(1).unwrap_err();
        disk.heal();
        disk.write(0, b"x").unwrap();
    }
}
