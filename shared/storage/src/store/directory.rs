//! [`DirectoryStore`]: a store in a folder of one machine, the embedded default.
//!
//! Conditional PUTs are atomic between processes, because a PUT holds `flock` on one file while it compares the ETag,
//! writes, syncs, renames and syncs the folder. That file is never deleted. A mutex does the same between the threads of
//! a process.
//!
//! Each file begins with the ETag of the object (16 random bytes) and the time of its PUT (8 bytes), so that a
//! revalidation reads only a few bytes.
//!
//! A reader may see a version after the rename and before the sync of the folder. A power failure may undo that version,
//! but no acknowledged write is lost, because the writer has no response yet at that time.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::filesystem::refuse_network;
use super::open_object::OpenObject;
use super::{ETag, Fetched, Listed, Object, ObjectStore, PutCondition, StoreError, check_key};
use crate::clock::{StorageClock, SystemStorageClock};
use crate::disk::advice;
use crate::random::{StorageRandom, SystemStorageRandom, hex_16};

/// Length of the header before the body: ETag and time of the PUT, in bytes.
const HEADER_BYTES: usize = 24;
/// Length of an ETag, in bytes.
const ETAG_BYTES: usize = 16;
/// Maximum size of a body that is read on the thread of the caller, in bytes. Chunks of a base and pictures are not
/// larger. A blocking thread reads larger bodies.
const INLINE_READ_BYTES: u64 = 1024 * 1024;
/// Name of the file with the lock. Names that begin with a dot belong to the store itself.
const LOCK_NAME: &str = ".lock";
/// Prefix of files that a PUT is writing.
const TEMPORARY_PREFIX: &str = ".put-";
/// Prefix of renamed folders that had the name of an object.
const ASIDE_PREFIX: &str = ".aside-";

/// Objects as files below one folder. Clones share it, and any number of processes of one machine may open it.
#[derive(Clone)]
pub struct DirectoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    root: PathBuf,
    clock: Arc<dyn StorageClock>,
    random: Arc<dyn StorageRandom>,
    /// `flock` belongs to an open file, so threads that share the file need a mutex too.
    lock: Mutex<File>,
    /// Folders that exist and are durable in their parents.
    folders: Mutex<HashSet<PathBuf>>,
    open_object: OpenObject,
}

impl DirectoryStore {
    /// Opens the folder `path`, and creates it if it is missing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] on a network file system, or [`StoreError::Busy`] if the folder cannot be used.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(path, Arc::new(SystemStorageClock::new()), Arc::new(SystemStorageRandom))
    }

    /// Opens the folder like [`DirectoryStore::open`], with another clock and another random source for ETags.
    ///
    /// # Errors
    /// As [`DirectoryStore::open`].
    pub fn open_with(
        path: impl Into<PathBuf>,
        clock: Arc<dyn StorageClock>,
        random: Arc<dyn StorageRandom>,
    ) -> Result<Self, StoreError> {
        let root = path.into();
        create_folder(&root).map_err(|error| busy(&root, &error))?;
        refuse_network(&root)?;
        let lock_path = root.join(LOCK_NAME);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path);
        let lock = Mutex::new(lock.map_err(|error| busy(&lock_path, &error))?);
        let folders = Mutex::new(HashSet::from([root.clone()]));
        Ok(Self {
            shared: Arc::new(Shared {
                root,
                clock,
                random,
                lock,
                folders,
                open_object: OpenObject::default(),
            }),
        })
    }
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        check_key(key)?;
        let Shared {
            root,
            clock,
            open_object,
            ..
        } = &*self.shared;
        let now_us = clock.monotonic_us();
        let path = root.join(key);
        let Some((file, header)) = open_with_header(&path)? else {
            return Ok(Fetched::Missing);
        };
        let date_ms = clock.unix_ms();
        if let Some(etag) = if_none_match
            && etag.as_bytes() == &header[..ETAG_BYTES]
        {
            open_object.keep(key, etag.as_bytes(), &path, file, now_us);
            return Ok(Fetched::NotModified { date_ms });
        }
        let bytes = body_bytes(&file).map_err(|error| unread(&path, &error))?;
        let read = move || read_body(&file, &header, date_ms, 0, bytes).map_err(|error| unread(&path, &error));
        let is_large = bytes > INLINE_READ_BYTES;
        let object = if is_large { blocking(read).await } else { read() };
        object.map(Fetched::Found)
    }

    fn is_still(&self, key: &str, etag: &ETag) -> Option<u64> {
        let Shared { clock, open_object, .. } = &*self.shared;
        let is_confirmed = open_object.has(key, etag.as_bytes(), clock.monotonic_us());
        is_confirmed.then(|| clock.unix_ms())
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        check_key(key)?;
        let path = self.shared.root.join(key);
        let Some((file, header)) = open_with_header(&path)? else {
            return Ok(Fetched::Missing);
        };
        let date_ms = self.shared.clock.unix_ms();
        let read = body_bytes(&file).and_then(|bytes| {
            let available = bytes.saturating_sub(offset).min(length);
            read_body(&file, &header, date_ms, offset, available)
        });
        read.map(Fetched::Found).map_err(|error| unread(&path, &error))
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        check_key(key)?;
        let (shared, key) = (Arc::clone(&self.shared), key.to_owned());
        blocking(move || shared.put(&key, &body, &condition)).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        check_key(key)?;
        let (shared, path) = (Arc::clone(&self.shared), self.shared.root.join(key));
        blocking(move || {
            shared.exclusively(|| match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(unread(&path, &error)),
                _ => Ok(()),
            })
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let (shared, prefix) = (Arc::clone(&self.shared), prefix.to_owned());
        blocking(move || {
            let mut found = Vec::new();
            list_folder(&shared.root, "", &prefix, &mut found)?;
            found.sort_by(|one: &Listed, other| one.key.cmp(&other.key));
            Ok(found)
        })
        .await
    }
}

impl Shared {
    /// Runs `work` while no other process and no other thread changes an object.
    fn exclusively<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.lock().map_err(|error| busy(&self.root, &error))?;
        let result = work();
        // If this fails, this process keeps the lock. The next holder of the mutex takes it again, which succeeds because
        // the open file is the same.
        let _ = lock.unlock();
        result
    }

    fn put(&self, key: &str, body: &[u8], condition: &PutCondition) -> Result<ETag, StoreError> {
        let path = self.root.join(key);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        self.ensure_folder(&folder).map_err(|error| busy(&folder, &error))?;
        let mut etag = [0; ETAG_BYTES];
        self.random.fill(&mut etag);
        if *condition == PutCondition::CreateOnly {
            if path.exists() {
                return Err(StoreError::PreconditionFailed);
            }
            // Creating a hard link is atomic between processes. It needs no lock, so many chunks can be stored at once.
            let temporary = self.write_temporary(&folder, etag, body)?;
            let result = fs::hard_link(&temporary, &path);
            let _ = fs::remove_file(&temporary);
            match result {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(StoreError::PreconditionFailed),
                other => other.map_err(|error| busy(&path, &error))?,
            }
            sync_folder(&folder).map_err(|error| unknown(&folder, &error))?;
            return Ok(ETag::new(etag.to_vec()));
        }
        self.exclusively(|| {
            if let PutCondition::Match(wanted) = condition {
                let current = open_with_header(&path)?;
                if current.is_none_or(|(_, header)| header[..ETAG_BYTES] != *wanted.as_bytes()) {
                    return Err(StoreError::PreconditionFailed);
                }
            }
            let temporary = self.write_temporary(&folder, etag, body)?;
            self.replace(&temporary, &path).map_err(|error| {
                let _ = fs::remove_file(&temporary);
                busy(&path, &error)
            })?;
            sync_folder(&folder).map_err(|error| unknown(&folder, &error))?;
            Ok(ETag::new(etag.to_vec()))
        })
    }

    /// Renames the file `temporary` to `path`. A folder of that name is renamed first, because a file cannot replace a
    /// folder.
    fn replace(&self, temporary: &Path, path: &Path) -> std::io::Result<()> {
        match fs::rename(temporary, path) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                let aside = path.with_file_name(format!("{ASIDE_PREFIX}{}", hex_16(&*self.random)));
                fs::rename(path, aside)?;
                fs::rename(temporary, path)
            }
            renamed => renamed,
        }
    }

    /// Writes a durable file that is not visible as an object yet. If this fails, the PUT had no effect.
    fn write_temporary(&self, folder: &Path, etag: [u8; ETAG_BYTES], body: &[u8]) -> Result<PathBuf, StoreError> {
        let path = folder.join(format!("{TEMPORARY_PREFIX}{}", hex_16(&*self.random)));
        let mut header = [0; HEADER_BYTES];
        header[..ETAG_BYTES].copy_from_slice(&etag);
        header[ETAG_BYTES..].copy_from_slice(&self.clock.unix_ms().to_le_bytes());
        let written = File::create_new(&path).and_then(|mut file| {
            file.write_all(&header)?;
            file.write_all(body)?;
            file.sync_data()
        });
        match written {
            Ok(()) => Ok(path),
            Err(error) => {
                let _ = fs::remove_file(&path);
                Err(busy(&path, &error))
            }
        }
    }

    fn ensure_folder(&self, folder: &Path) -> std::io::Result<()> {
        let mut durable = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable.contains(folder) {
            create_folder(folder)?;
            durable.insert(folder.to_owned());
        }
        Ok(())
    }
}

/// Creates a folder and its parents, and makes each durable in its parent.
fn create_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_folder(parent.unwrap_or(Path::new(".")))
}

fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens the file of an object and reads its header. `None` if the object is missing.
fn open_with_header(path: &Path) -> Result<Option<(File, [u8; HEADER_BYTES])>, StoreError> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| unread(path, &error))?,
    };
    let mut header = [0; HEADER_BYTES];
    match file.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(StoreError::Damaged(format!(
            "{} is shorter than its header: restore it from a backup",
            path.display()
        ))),
        Err(error) if error.kind() == ErrorKind::IsADirectory => Err(StoreError::Damaged(format!(
            "{} is a folder: restore the object from a backup",
            path.display()
        ))),
        other => other
            .map(|()| Some((file, header)))
            .map_err(|error| unread(path, &error)),
    }
}

/// Returns the length of the body in `file` in bytes.
fn body_bytes(file: &File) -> std::io::Result<u64> {
    let bytes = rustix::fs::fstat(file)?.st_size;
    Ok(u64::try_from(bytes)
        .unwrap_or_default()
        .saturating_sub(HEADER_BYTES as u64))
}

/// Reads `length` bytes of the body from `offset` on. The file must contain them.
fn read_body(
    file: &File,
    header: &[u8; HEADER_BYTES],
    date_ms: u64,
    offset: u64,
    length: u64,
) -> std::io::Result<Object> {
    let mut body = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    file.read_exact_at(&mut body, offset.saturating_add(HEADER_BYTES as u64))?;
    let (etag, put_ms) = header.split_at(ETAG_BYTES);
    let put_ms = put_ms.try_into().map_or(0, u64::from_le_bytes);
    Ok(Object {
        etag: ETag::new(etag.to_vec()),
        body: body.into(),
        date_ms,
        last_modified_ms: put_ms,
    })
}

fn list_folder(folder: &Path, above: &str, prefix: &str, found: &mut Vec<Listed>) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(|error| unread(folder, &error))? {
        let entry = entry.map_err(|error| unread(folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let (key, path) = (format!("{above}{name}"), entry.path());
        if path.is_dir() {
            let inside = format!("{key}/");
            if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                list_folder(&path, &inside, prefix, found)?;
            }
        } else if key.starts_with(prefix)
            && let Some((file, header)) = open_with_header(&path)?
        {
            let bytes = file.metadata().map_err(|error| unread(&path, &error))?.len();
            let last_modified_ms = header[ETAG_BYTES..].try_into().map_or(0, u64::from_le_bytes);
            found.push(Listed {
                key,
                bytes: bytes - HEADER_BYTES as u64,
                last_modified_ms,
            });
        }
    }
    Ok(())
}

/// Runs `work` on a thread for blocking work. It completes even if the caller stops waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Unknown(error.to_string())),
    }
}

/// The error of a PUT that had no effect.
fn busy(path: &Path, error: &std::io::Error) -> StoreError {
    permanent(path, error).unwrap_or_else(|| StoreError::Busy(text_of(path, error)))
}

/// The error of a read.
fn unread(path: &Path, error: &std::io::Error) -> StoreError {
    permanent(path, error).unwrap_or_else(|| unknown(path, error))
}

/// The error of a PUT that may have taken effect.
fn unknown(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unknown(text_of(path, error))
}

/// Returns [`StoreError::Refused`] with advice if waiting cannot help.
fn permanent(path: &Path, error: &std::io::Error) -> Option<StoreError> {
    let advice = advice(error.kind());
    (!advice.is_empty()).then(|| StoreError::Refused(format!("{}{advice}", text_of(path, error))))
}

fn text_of(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
