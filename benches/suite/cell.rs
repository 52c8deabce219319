//! The logs of one cell of the tables: one of full size, and the heads of it for tools that would take minutes.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::corpus;

pub(crate) const MIB: u64 = 1 << 20;

/// A file that ends with a whole line.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// For each rule, in its order, how many lines were made for it.
    pub(crate) planted: Vec<u64>,
}

pub(crate) struct Cell {
    whole: Log,
    /// By the size that was asked for; only what is smaller than the whole.
    heads: Vec<(u64, Log)>,
}

impl Cell {
    /// Writes a log of `mib` MiB into `dir`, over the one of the cell before, and its heads of these sizes. A log of
    /// no MiB has one line.
    pub(crate) fn write(
        dir: &Path,
        seed: u64,
        mib: u64,
        share: f64,
        rules: usize,
        heads: &[u64],
    ) -> Result<Cell, String> {
        let mut sizes: Vec<u64> = heads.iter().copied().filter(|head| *head < mib).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let path = dir.join("whole.log");
        let written = |result: io::Result<()>| {
            result.map_err(|error| format!("can not write a log into `{}`: {error}", dir.display()))
        };
        let mut cell = Cell {
            whole: Log { path, bytes: 0, planted: vec![0; rules] },
            heads: sizes
                .into_iter()
                .map(|size| (size, Log { path: PathBuf::new(), bytes: 0, planted: vec![] }))
                .collect(),
        };
        written(cell.fill(corpus::Log::new(seed, share, rules), mib * MIB))?;
        for (size, head) in &mut cell.heads {
            head.path = dir.join(format!("head-{size}.log"));
            written(copy(&cell.whole.path, &head.path, head.bytes))?;
        }
        Ok(cell)
    }

    /// The log itself goes through a small buffer: a child's peak must be its own.
    fn fill(&mut self, mut lines: corpus::Log, most: u64) -> io::Result<()> {
        let whole = &mut self.whole;
        let mut file = File::create(&whole.path)?;
        let mut text = Vec::new();
        let mut flushed = 0;
        loop {
            let rule = lines.line(&mut text);
            if let Some(rule) = rule {
                whole.planted[rule] += 1;
            }
            whole.bytes = flushed + text.len() as u64;
            for (size, head) in &mut self.heads {
                if head.bytes == 0 && whole.bytes >= *size * MIB {
                    head.bytes = whole.bytes;
                    head.planted = whole.planted.clone();
                }
            }
            let full = whole.bytes >= most;
            if full || text.len() >= 256 << 10 {
                file.write_all(&text)?;
                flushed = whole.bytes;
                text.clear();
            }
            if full {
                return Ok(());
            }
        }
    }

    /// The log for a tool that takes no more than so many MiB.
    pub(crate) fn log(&self, most_mib: Option<u64>) -> &Log {
        let head = self.heads.iter().find(|(size, _)| Some(*size) == most_mib);
        head.map_or(&self.whole, |(_, log)| log)
    }

    pub(crate) fn heads(&self) -> impl Iterator<Item = &Log> {
        self.heads.iter().map(|(_, log)| log)
    }
}

fn copy(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    io::copy(&mut File::open(from)?.take(bytes), &mut File::create(to)?).map(drop)
}
