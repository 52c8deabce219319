//! What lies beside a content that lost its name: it may be there under a name that fits no glob.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::Tail;
use super::continued::is_packed;
use super::disk::{Disk, Fault, Kind};
use super::glob::Listings;
use crate::model::SourceName;
use crate::saved::Locator;

/// What lies in a directory, whether it fits or not.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    places: BTreeMap<Locator, PathBuf>,
    /// Something there could not be looked at.
    unknown: Option<Fault>,
}

/// Where a content that lost its name was found.
pub(super) enum Sibling {
    At(Arc<Path>),
    Nowhere,
    Unknown(Fault),
}

impl<D: Disk> Tail<D> {
    /// Looks for a file among all names of its directory, also those that fit no glob.
    pub(super) fn find_sibling(
        &mut self,
        source: &SourceName,
        path: &Path,
        locator: &Locator,
        listings: &mut Listings,
    ) -> Sibling {
        let Some(dir) = path.parent() else { return Sibling::Nowhere };
        let siblings = match self.siblings(source, dir, listings) {
            Ok(siblings) => siblings,
            Err(fault) if fault.absent => return Sibling::Nowhere,
            Err(fault) => return Sibling::Unknown(fault),
        };
        match (siblings.places.get(locator), &siblings.unknown) {
            (Some(path), _) => Sibling::At(path.as_path().into()),
            (None, Some(fault)) => Sibling::Unknown(fault.clone()),
            (None, None) => Sibling::Nowhere,
        }
    }

    /// What lies in a directory; it is looked at once in a sweep, however many contents are looked for.
    fn siblings(
        &mut self,
        source: &SourceName,
        dir: &Path,
        listings: &mut Listings,
    ) -> Result<Rc<Siblings>, Fault> {
        let key = (source.clone(), dir.to_path_buf());
        if let Some(known) = listings.siblings.get(&key) {
            return Ok(known.clone());
        }
        let at = self.reach(source, dir);
        let entries = listings.get(&mut self.disk, at)?;
        let mut siblings = Siblings::default();
        // What is compressed is another file, though it may have the inode that was free.
        let files = entries.iter().filter(|(_, kind)| **kind == Kind::File).map(|(name, _)| dir.join(name));
        for path in files.filter(|path| !is_packed(path)) {
            let at = self.reach(source, &path);
            match self.disk.stat_path(at).map_err(Fault::from) {
                Ok(facts) if facts.kind == Kind::File => {
                    siblings.places.entry(facts.locator).or_insert(path);
                }
                Ok(_) => {}
                Err(fault) if fault.absent => {}
                Err(fault) => siblings.unknown = Some(fault),
            }
        }
        let siblings = Rc::new(siblings);
        listings.siblings.insert(key, siblings.clone());
        Ok(siblings)
    }
}
