//! [`LocalCopy`]: the database file of a process, with its version and checksum.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::copy::file_builder::FileBuilder;
use crate::copy::pages::Pages;
use crate::copy::snapshot::{Snapshot, Snapshots};
use crate::format::checksum;
use crate::format::delta::Delta;
use crate::version::Version;

/// The database file and its state. The reader/writer lock of the replica protects it.
pub(crate) struct LocalCopy {
    pub(crate) path: PathBuf,
    file: Option<Arc<Pages>>,
    pub(crate) version: Version,
    pub(crate) page_count: u32,
    pub(crate) checksum: u64,
    /// Whether the copy is partly changed or damaged. A dirty copy must be replaced before the next read.
    pub(crate) dirty: bool,
    /// The number of changes of the file. A connection that was opened at another generation must not be used.
    pub(crate) generation: u64,
    snapshots: Snapshots,
}

impl LocalCopy {
    /// Returns a copy without a file. It is dirty.
    pub(crate) fn empty() -> Self {
        Self {
            path: PathBuf::new(),
            file: None,
            version: Version::default(),
            page_count: 0,
            checksum: 0,
            dirty: true,
            generation: 0,
            snapshots: Snapshots::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    /// Returns whether the copy cannot be used, because it is dirty or another program removed its file.
    pub(crate) fn is_lost(&self) -> bool {
        self.dirty || !self.path.as_os_str().is_empty() && !self.path.exists()
    }

    /// Returns whether the copy has this page count and this checksum.
    pub(crate) fn matches(&self, page_count: u32, checksum: u64) -> bool {
        (self.page_count, self.checksum) == (page_count, checksum)
    }

    /// Computes the checksum of the database after `delta`. The old pages are read from the file, so that the checksum
    /// reveals damage to them.
    pub(crate) fn checksum_after(&self, delta: &Delta) -> io::Result<u64> {
        let mut old_page = vec![0; delta.page_size as usize];
        let mut sum = self.checksum;
        let truncated = delta.page_count.saturating_add(1)..=self.page_count;
        let replaced = delta.pages.keys().copied().filter(|number| *number <= self.page_count);
        for number in replaced.chain(truncated) {
            self.read_at(&mut old_page, offset_of(delta.page_size, number))?;
            sum ^= checksum::page_hash(delta.page_size, number, &old_page);
        }
        for (number, page) in &delta.pages {
            sum ^= checksum::page_hash(delta.page_size, *number, page);
        }
        Ok(sum)
    }

    /// Applies a delta to the file. If this fails, the copy is dirty.
    pub(crate) fn apply(&mut self, delta: &Delta) -> io::Result<()> {
        let sum = self.checksum_after(delta)?;
        self.dirty = true;
        self.save_for_snapshots(delta);
        write_pages(self.file()?, delta)?;
        self.record_change(delta, sum);
        self.dirty = false;
        Ok(())
    }

    /// Takes a snapshot of the database as it is now or, if `staged` is given, as it will be after that delta.
    pub(crate) fn snapshot(&self, page_size: u32, staged: Option<&Delta>) -> io::Result<Arc<Snapshot>> {
        Ok(self.snapshots.take(self.file()?, page_size, self.page_count, staged))
    }

    /// Saves the pages that `delta` replaces for all snapshots that still exist. It must be called before the pages are
    /// written.
    pub(crate) fn save_for_snapshots(&self, delta: &Delta) {
        self.snapshots.save_replaced_pages(self.page_count, delta);
    }

    /// Fills `buffer` from `offset` of a snapshot. Returns `false` if the snapshot can no longer be read.
    pub(crate) fn read_snapshot(&self, snapshot: &Snapshot, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        Ok(!self.dirty && snapshot.read_at(self.file()?, buffer, offset)?)
    }

    fn file(&self) -> io::Result<&Arc<Pages>> {
        self.file.as_ref().ok_or_else(|| io::Error::other("no file yet"))
    }

    /// Records that `delta` was written to the file.
    pub(crate) fn record_change(&mut self, delta: &Delta, sum: u64) {
        self.page_count = delta.page_count;
        self.checksum = sum;
        self.generation += 1;
    }

    /// Replaces the file by a new one.
    pub(crate) fn replace(&mut self, file: FileBuilder, version: Version, sum: u64) {
        self.remove_file();
        self.page_count = file.page_count();
        let (path, file) = file.into_parts();
        self.path = path;
        self.file = Some(file);
        self.version = version;
        self.checksum = sum;
        self.dirty = false;
        self.generation += 1;
    }

    pub(crate) fn remove_file(&mut self) {
        if self.file.take().is_some() && !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Reads the complete database. Only for simulations, whose databases are small.
    pub(crate) fn bytes(&self, page_size: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.page_count as usize * page_size as usize];
        self.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes the pages of `delta` to the file without recording the change.
    pub(crate) fn write(&self, delta: &Delta) -> io::Result<()> {
        write_pages(self.file()?, delta)
    }

    /// Fills `buffer` from `offset`, with zeros after the end of the file.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file()?.read_at_or_zeros(buffer, offset)
    }
}

fn offset_of(page_size: u32, number: u32) -> u64 {
    u64::from(number.saturating_sub(1)) * u64::from(page_size)
}

/// Writes the pages of `delta`. The length is set first, so that pages that an earlier delta cut off contain zeros.
fn write_pages(file: &Pages, delta: &Delta) -> io::Result<()> {
    let bytes = u64::from(delta.page_count) * u64::from(delta.page_size);
    if file.len()? != bytes {
        file.set_len(bytes)?;
    }
    for (number, page) in &delta.pages {
        file.write_all_at(page, offset_of(delta.page_size, *number))?;
    }
    Ok(())
}
