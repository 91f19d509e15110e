//! The local copy: a plain SQLite file in a folder of this process's own. It is a cache: nothing in it is ever the only copy of
//! an acknowledged write, so nothing of it is fsynced.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::checksum;
use crate::create::first_delta;
use crate::delta::Delta;
use crate::environment::{Clock, Random, hex_16};
use crate::error::Error;
use crate::image::Image;
use crate::pages::Pages;
use crate::past::{Past, Pasts};
use crate::session::Session;
use crate::stage::Staging;
use crate::version::Version;

const FOLDER_PREFIX: &str = "copy-";

/// What a local copy is made of, and how writes run on it: SQLite on a file, or a model of it in a simulation.
pub(crate) trait Local: Send + Sync + 'static {
    /// A place for one more database file, empty; its path, if it has one.
    fn create(&self) -> io::Result<(PathBuf, Pages)>;
    /// Everything that an empty database consists of.
    fn first_delta(&self, page_size: u32) -> Result<Delta, Error>;
    /// Where writes run before the store has accepted them.
    fn staging(&self) -> Box<dyn Staging>;
}

/// A folder that only this engine uses; removed when it is dropped, or by the next start after a crash.
pub(crate) struct LocalFolder {
    path: PathBuf,
    /// The folder itself, locked as long as its owner lives.
    alive: Mutex<File>,
    files: AtomicU64,
}

impl LocalFolder {
    /// Makes a folder below `local_dir`, after removing those whose processes are gone.
    pub(crate) fn claim(local_dir: &Path, random: &dyn Random) -> io::Result<Self> {
        fs::create_dir_all(local_dir)?;
        // Nobody removes a folder between its creation and its lock.
        let _one_at_a_time = lock_folder(local_dir)?;
        for entry in fs::read_dir(local_dir)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX) {
                remove_if_abandoned(&entry.path());
            }
        }
        let path = local_dir.join(format!("{FOLDER_PREFIX}{}", hex_16(random)));
        fs::create_dir(&path)?;
        Ok(Self {
            alive: Mutex::new(lock_folder(&path)?),
            path,
            files: AtomicU64::new(0),
        })
    }

    /// Makes the folder again where somebody has removed it.
    fn ensure(&self) -> io::Result<()> {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.path.is_dir() {
            fs::create_dir_all(&self.path)?;
            *alive = lock_folder(&self.path)?;
        }
        Ok(())
    }

    /// A path for one more database file.
    fn fresh_file(&self) -> PathBuf {
        self.path
            .join(format!("{}.sqlite", self.files.fetch_add(1, Ordering::Relaxed)))
    }
}

/// SQLite, on files in a folder.
pub(crate) struct SqlitePlace {
    pub(crate) folder: LocalFolder,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Local for SqlitePlace {
    fn create(&self) -> io::Result<(PathBuf, Pages)> {
        self.folder.ensure()?;
        let path = self.folder.fresh_file();
        let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path)?;
        Ok((path, Pages::File(file)))
    }

    fn first_delta(&self, page_size: u32) -> Result<Delta, Error> {
        first_delta(&self.folder.fresh_file(), page_size)
    }

    fn staging(&self) -> Box<dyn Staging> {
        Box::new(Session::new(Arc::clone(&self.clock)))
    }
}

impl Drop for LocalFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn lock_folder(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    folder.lock()?;
    Ok(folder)
}

fn remove_if_abandoned(folder: &Path) {
    let held = File::open(folder).is_ok_and(|folder| folder.try_lock().is_err());
    if !held {
        // Another user's folder may not be removable; it is not in the way.
        let _ = fs::remove_dir_all(folder);
    }
}

/// The file and what is known about it. Stands behind the process's reader/writer lock.
pub(crate) struct LocalCopy {
    pub(crate) path: PathBuf,
    file: Option<Arc<Pages>>,
    pub(crate) version: Version,
    pub(crate) page_count: u32,
    pub(crate) checksum: u64,
    /// Half patched, or found damaged: to be fetched anew before anybody reads it.
    pub(crate) dirty: bool,
    /// Moves with every change of the file: connections of another generation must not be used.
    pub(crate) generation: u64,
    pasts: Pasts,
}

impl LocalCopy {
    /// Nothing yet.
    pub(crate) fn none() -> Self {
        let version = Version::default();
        Self {
            path: PathBuf::new(),
            file: None,
            version,
            page_count: 0,
            checksum: 0,
            dirty: true,
            generation: 0,
            pasts: Pasts::default(),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.file.is_none()
    }

    /// Whether it cannot be used: marked so, or its file was removed.
    pub(crate) fn is_lost(&self) -> bool {
        self.dirty || !self.path.as_os_str().is_empty() && !self.path.exists()
    }

    /// The checksum that the database has once `delta` is applied. Reads the old pages from the file, so that damage to them shows.
    pub(crate) fn checksum_after(&self, delta: &Delta) -> io::Result<u64> {
        let mut old = vec![0; delta.page_size as usize];
        let mut sum = self.checksum;
        let cut_off = delta.page_count.saturating_add(1)..=self.page_count;
        let replaced = delta.pages.keys().copied().filter(|number| *number <= self.page_count);
        for number in replaced.chain(cut_off) {
            self.read_at(&mut old, offset_of(delta.page_size, number))?;
            sum ^= checksum::of_page(delta.page_size, number, &old);
        }
        for (number, page) in &delta.pages {
            sum ^= checksum::of_page(delta.page_size, *number, page);
        }
        Ok(sum)
    }

    /// Patches the file. It is dirty where this fails.
    pub(crate) fn apply(&mut self, delta: &Delta) -> io::Result<()> {
        let sum = self.checksum_after(delta)?;
        self.dirty = true;
        self.keep_past(delta);
        write_pages(self.file()?, delta)?;
        self.moved_by(delta, sum);
        self.dirty = false;
        Ok(())
    }

    /// The database as it is now, or will be with `staged` over it, to be read with [`Self::read_past`] while the copy goes on.
    pub(crate) fn past(&self, page_size: u32, staged: Option<&Delta>) -> io::Result<Arc<Past>> {
        Ok(self.pasts.begin(self.file()?, page_size, self.page_count, staged))
    }

    /// To be called before `delta` is written: who still reads a state before it keeps what it replaces.
    pub(crate) fn keep_past(&self, delta: &Delta) {
        self.pasts.keep(self.page_count, delta);
    }

    /// Fills `buffer` from `offset` as `past` holds it; returns whether that can still be done.
    pub(crate) fn read_past(&self, past: &Past, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        Ok(!self.dirty && past.read_at(self.file()?, buffer, offset)?)
    }

    fn file(&self) -> io::Result<&Arc<Pages>> {
        self.file.as_ref().ok_or_else(|| io::Error::other("no file yet"))
    }

    /// Takes note of a delta that is in the file now.
    pub(crate) fn moved_by(&mut self, delta: &Delta, sum: u64) {
        self.page_count = delta.page_count;
        self.checksum = sum;
        self.generation += 1;
    }

    /// Replaces the file by `image`.
    pub(crate) fn install(&mut self, image: Image, version: Version, sum: u64) {
        self.free();
        self.page_count = image.page_count();
        let (path, file) = image.keep();
        self.path = path;
        self.file = Some(file);
        self.version = version;
        self.checksum = sum;
        self.dirty = false;
        self.generation += 1;
    }

    /// Removes the file.
    pub(crate) fn free(&mut self) {
        if self.file.take().is_some() && !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// The whole database. For simulations; a real one is too big.
    pub(crate) fn bytes(&self, page_size: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.page_count as usize * page_size as usize];
        self.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes the pages of `delta`, and nothing else.
    pub(crate) fn write(&self, delta: &Delta) -> io::Result<()> {
        write_pages(self.file()?, delta)
    }

    /// Fills `buffer` from `offset`; what lies behind the end of the file reads as zeros.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file()?.read_at_or_zeros(buffer, offset)
    }
}

fn offset_of(page_size: u32, number: u32) -> u64 {
    u64::from(number.saturating_sub(1)) * u64::from(page_size)
}

/// Cuts first, so that what grows again holds zeros; then the file is as long as the delta says.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemRandom;

    fn folders(at: &Path) -> usize {
        let names = fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(FOLDER_PREFIX)).count()
    }

    #[test]
    fn a_start_removes_abandoned_folders_and_no_others() {
        let place = tempfile::tempdir().unwrap();
        let alive = LocalFolder::claim(place.path(), &SystemRandom).unwrap();
        let abandoned = place.path().join("copy-of-a-process-that-died");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("0.sqlite"), "x").unwrap();
        let second = LocalFolder::claim(place.path(), &SystemRandom).unwrap();
        assert!(!abandoned.exists());
        assert!(alive.path.exists() && second.path.exists());
        drop(alive);
        assert_eq!(folders(place.path()), 1);
    }
}
