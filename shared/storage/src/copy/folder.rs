//! [`LocalFolder`]: the folder of one engine, which contains its database files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::random::{StorageRandom, hex_16};

const FOLDER_PREFIX: &str = "copy-";

/// A folder that only one engine uses. It is removed when this value is dropped, or after a crash by the next engine
/// that starts.
pub(crate) struct LocalFolder {
    path: PathBuf,
    /// The open folder. Its lock shows other processes that this one is alive.
    alive: Mutex<File>,
    /// The number of files that were created.
    files: AtomicU64,
}

impl LocalFolder {
    /// Creates a folder below `local_dir`, after removing the folders of processes that have ended.
    pub(crate) fn claim(local_dir: &Path, random: &dyn StorageRandom) -> io::Result<Self> {
        fs::create_dir_all(local_dir)?;
        // Serializes starts, so that no other process removes the new folder before it is locked.
        let _parent_lock = lock_folder(local_dir)?;
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

    /// Creates the folder again if another program has removed it.
    pub(crate) fn ensure(&self) -> io::Result<()> {
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.path.is_dir() {
            fs::create_dir_all(&self.path)?;
            *alive = lock_folder(&self.path)?;
        }
        Ok(())
    }

    /// Returns a path for a new database file.
    pub(crate) fn fresh_file(&self) -> PathBuf {
        self.path
            .join(format!("{}.sqlite", self.files.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for LocalFolder {
    fn drop(&mut self) {
        // The next start removes it if this fails.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn lock_folder(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    folder.lock()?;
    Ok(folder)
}

fn remove_if_abandoned(folder: &Path) {
    let is_locked = File::open(folder).is_ok_and(|folder| folder.try_lock().is_err());
    if !is_locked {
        // The folder may belong to another user. A folder that cannot be deleted does no harm.
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemStorageRandom;

    fn folders(at: &Path) -> usize {
        let names = fs::read_dir(at)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(FOLDER_PREFIX)).count()
    }

    #[test]
    fn start_removes_only_abandoned_folders() {
        let parent = tempfile::tempdir().unwrap();
        let alive = LocalFolder::claim(parent.path(), &SystemStorageRandom).unwrap();
        let abandoned = parent.path().join("copy-of-a-process-that-died");
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join("0.sqlite"), "x").unwrap();
        let second = LocalFolder::claim(parent.path(), &SystemStorageRandom).unwrap();
        assert!(!abandoned.exists());
        assert!(alive.path.exists() && second.path.exists());
        drop(alive);
        assert_eq!(folders(parent.path()), 1);
    }
}
