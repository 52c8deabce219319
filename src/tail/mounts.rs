//! Which file systems give hints that can be relied on.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::StatFs;

/// How many devices are remembered; when there are more, all are asked anew.
const MOST: usize = 256;

/// File systems on which others write without this kernel knowing, or of which it does not tell everything.
const BLIND: [u32; 17] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x6573_5546, // FUSE, virtiofs
    0x0102_1997, // 9p
    0x794c_7630, // overlay
    0x5346_414f, // AFS
    0x00c3_6400, // Ceph
    0x7375_7245, // Coda
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x0bd0_0bd3, // Lustre
    0x4750_4653, // GPFS
    0x786f_4256, // VirtualBox
    0x1983_0326, // BeeGFS
    0x7c7c_6673, // Parallels
];

/// What is known of them, by device.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    blind: BTreeMap<u64, bool>,
}

impl Mounts {
    /// Whether hints about an open file may be missing.
    pub(super) fn is_blind(&mut self, file: impl AsFd) -> io::Result<bool> {
        let device = rustix::fs::fstat(&file)?.st_dev;
        self.look_up(device, || Ok(rustix::fs::fstatfs(file)?))
    }

    /// The same of a directory.
    pub(super) fn is_blind_at(&mut self, dir: &Path) -> io::Result<bool> {
        let device = rustix::fs::stat(dir)?.st_dev;
        self.look_up(device, || Ok(rustix::fs::statfs(dir)?))
    }

    fn look_up(&mut self, device: u64, ask: impl FnOnce() -> io::Result<StatFs>) -> io::Result<bool> {
        if let Some(known) = self.blind.get(&device) {
            return Ok(*known);
        }
        // The field has a sign, and 32 or 64 bits: the lower ones are the type.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the bits are compared")]
        let blind = BLIND.contains(&(ask()?.f_type as u32));
        if self.blind.len() >= MOST {
            self.blind.clear();
        }
        self.blind.insert(device, blind);
        Ok(blind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_asked_once() {
        let home = tempfile::tempdir().unwrap();
        let mut mounts = Mounts::default();
        let first = mounts.is_blind_at(home.path()).unwrap();
        assert_eq!(mounts.is_blind(tempfile::tempfile_in(&home).unwrap()).unwrap(), first);
        assert_eq!(mounts.blind.len(), 1);
        assert!(!mounts.is_blind_at(Path::new("/proc")).unwrap());
        for device in 0..MOST as u64 + 9 {
            mounts.look_up(u64::MAX - device, || Ok(rustix::fs::statfs("/proc")?)).unwrap();
        }
        assert!(mounts.blind.len() <= MOST);
    }
}
