//! [`Database`]: opens the database of one process, and runs its reads, writes and maintenance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bespoke_core::BlindIndex;
use bespoke_storage::{
    Collected, CommitId, Committed, Compact, Compacted, Engine, Freshness, ObjectStore, Options, RestorePoint,
    Restored, Version, VersionRange,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backup::{DatabaseCopy, restore};
use crate::cache::{ReadCache, ReadCacheAt};
use crate::connection::{Db, Vault};
use crate::error::{Error, Result};
use crate::guard::{Guard, WriteSource};
use crate::keys::installation;
use crate::migrations::MIGRATIONS;
use crate::usage::{self, UsageCounter};

/// The database of one process: the storage engine, and the vault for the encrypted columns.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
    vault: Arc<Vault>,
    usage: Arc<UsageCounter>,
    read_cache: Arc<ReadCache>,
    guard: Arc<Guard>,
}

impl Database {
    /// Syncs the database from its bucket into `local_dir`. Creates or migrates it if necessary.
    ///
    /// # Errors
    /// [`Error::Storage`] when the bucket cannot be used, [`Error::OtherKeys`] when the database was made with other keys.
    pub async fn open(store: Arc<dyn ObjectStore>, local_dir: PathBuf, vault: Vault) -> Result<Self> {
        let database = Self::open_for_restore(store, local_dir, vault).await?;
        if database
            .read::<_, Error>(Freshness::Local, installation::check)
            .await?
            .is_none()
        {
            database.write(database.fresh_commit_id(), installation::claim).await?;
        }
        Ok(database)
    }

    /// Syncs the database as [`Database::open`] does, even if it was created with other keys. Used by
    /// [`Database::restore`] and [`Database::restorable`].
    ///
    /// # Errors
    /// [`Error::Storage`] when the bucket cannot be used.
    pub async fn open_for_restore(store: Arc<dyn ObjectStore>, local_dir: PathBuf, vault: Vault) -> Result<Self> {
        let read_cache = Arc::new(ReadCache::default());
        let callback_cache = Arc::clone(&read_cache);
        let options = Options {
            apply_usage: Some(usage::apply),
            on_change: Some(Arc::new(move |change| callback_cache.follow(change))),
            ..Options::new(local_dir, MIGRATIONS)
        };
        let engine = Engine::open(store, options).await?;
        Ok(Self {
            usage: Arc::new(UsageCounter::new(engine.clone())),
            engine,
            vault: Arc::new(vault),
            read_cache,
            guard: Arc::default(),
        })
    }

    /// Checks that no restore of a backup is in progress or was interrupted, according to the local copy.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if there is such a restore, or [`Error::Storage`].
    pub async fn check_complete(&self) -> Result<()> {
        self.read(Freshness::Local, restore::check_complete).await
    }

    /// Returns whether a read or write was refused with [`Error::OtherKeys`] since the last call.
    pub fn take_other_keys(&self) -> bool {
        self.guard.take_other_keys()
    }

    /// Runs a read on the local copy, after a sync if `freshness` requires it. `f` may be called several times.
    ///
    /// # Errors
    /// The errors of `f`, [`Error::OtherKeys`] if another process has changed the keys, or [`Error::Storage`].
    pub async fn read<T, E>(
        &self,
        freshness: Freshness,
        mut f: impl FnMut(&Db<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: From<Error> + Send,
    {
        let (vault, read_cache, guard) = (&*self.vault, &*self.read_cache, &*self.guard);
        let read = self.engine.read_at(freshness, |connection, version| {
            let read_cache = Some(ReadCacheAt { read_cache, version });
            let db = Db {
                connection,
                vault,
                read_cache,
            };
            guard
                .admit_read(&db, version)
                .map_err(|error| CallerError(error.into()))?;
            f(&db).map_err(CallerError)
        });
        let result = read.await;
        result.map(|read| read.value).map_err(|CallerError(error)| error)
    }

    /// Runs a write, and returns when the bucket contains it. `f` must only run SQL, because it may be called several
    /// times. Its result (at most 256 bytes) is stored with the commit, so that a repetition of the commit returns the
    /// same result.
    ///
    /// # Errors
    /// The errors of `f` (then nothing is written), [`Error::OtherKeys`] if another process has changed the keys,
    /// [`Error::Incomplete`] while a backup is being restored, or [`Error::Storage`].
    pub async fn write<T, E>(
        &self,
        id: CommitId,
        f: impl Fn(&Db<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        Ok(self.commit(id, f).await?.value)
    }

    /// Runs a write as [`Database::write`] does. The result also tells whether an earlier attempt had already
    /// succeeded.
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn commit<T, E>(
        &self,
        id: CommitId,
        f: impl Fn(&Db<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.commit_of(WriteSource::Any, id, f).await
    }

    /// Writes rows of a backup. No other write is accepted while a backup is being restored.
    ///
    /// # Errors
    /// As [`Database::write`], except for [`Error::Incomplete`].
    pub async fn write_restored(&self, f: impl Fn(&Db<'_>) -> Result<()> + Send + Sync + 'static) -> Result<()> {
        let written = self.commit_of(WriteSource::Restore, self.fresh_commit_id(), f);
        written.await?;
        Ok(())
    }

    async fn commit_of<T, E>(
        &self,
        source: WriteSource,
        id: CommitId,
        f: impl Fn(&Db<'_>) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Committed<T>, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (vault, guard) = (Arc::clone(&self.vault), Arc::clone(&self.guard));
        let run = move |connection: &rusqlite::Connection| {
            let db = Db {
                connection,
                vault: &vault,
                read_cache: None,
            };
            guard
                .admit_write(&db, source)
                .map_err(|error| CallerError(error.into()))?;
            f(&db).map_err(CallerError)
        };
        self.engine.write(id, run).await.map_err(|CallerError(error)| error)
    }

    /// Returns the counter of calls.
    pub fn usage(&self) -> &UsageCounter {
        &self.usage
    }

    /// Returns the vault for the encrypted columns.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Returns the blind index with the newest key.
    pub fn index(&self) -> &BlindIndex {
        self.vault.index()
    }

    /// Returns a commit id for a write that no client will repeat.
    pub fn fresh_commit_id(&self) -> CommitId {
        CommitId::new(self.vault.random().uuid().to_string()).expect("a UUID is short enough for an id")
    }

    /// Returns the newest version that this process knows.
    pub fn version(&self) -> Version {
        self.engine.version()
    }

    /// Compacts the commits since the last base into a new base, if that is worthwhile.
    ///
    /// # Errors
    /// [`Error::Storage`]. The call can be repeated safely.
    pub async fn compact(&self) -> Result<Compacted> {
        Ok(self.engine.compact(Compact::WhereWorthIt).await?)
    }

    /// From now on, a commit that makes a compaction worthwhile starts it in the background, while writes continue. Must not
    /// be called in a process that is frozen between requests.
    pub fn compact_by_itself(&self) {
        self.engine.compact_by_itself();
    }

    /// Fetches every object of the database from the bucket, and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::Storage`] names the damaged object.
    pub async fn check_objects(&self) -> Result<()> {
        Ok(self.engine.check_objects().await?)
    }

    /// Deletes objects of the bucket that nothing refers to.
    ///
    /// # Errors
    /// [`Error::Storage`]. The call can be repeated safely.
    pub async fn collect_garbage(&self) -> Result<Collected> {
        Ok(self.engine.collect_garbage().await?)
    }

    /// Restores an earlier state for all processes. If that state has other keys than this process, the replaced state
    /// is restored again.
    ///
    /// # Errors
    /// [`Error::Storage`] with [`crate::NotRestorable`] if there is no such state; [`Error::OtherKeysInState`].
    pub async fn restore(&self, point: RestorePoint) -> Result<Restored> {
        let restored = self.engine.restore(point).await?;
        let keys = self.read(Freshness::Strict, installation::check).await;
        if matches!(keys, Err(Error::OtherKeys)) {
            // The replaced state is the newest one before the commit of the restore.
            let ranges = self.engine.restorable().await?;
            let last_versions = ranges.iter().map(|range| range.last.version);
            if let Some(replaced) = last_versions.filter(|last| *last < restored.version).max() {
                self.engine.restore(RestorePoint::At(replaced)).await?;
            }
            return Err(Error::OtherKeysInState(restored.from));
        }
        keys.map(|_| restored)
    }

    /// Returns the states that can be restored, earliest first.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn restorable(&self) -> Result<Vec<VersionRange>> {
        Ok(self.engine.restorable().await?)
    }

    /// Checks that the bucket responds. Returns the newest version.
    ///
    /// # Errors
    /// [`Error::Storage`] if it does not.
    pub async fn ping(&self) -> Result<Version> {
        Ok(self.engine.ping().await?)
    }

    /// Returns the newest version, if this process can read and write it.
    ///
    /// # Errors
    /// [`Error::Storage`] if the bucket does not respond; [`Error::OtherKeys`] if another process has changed the keys; [`Error::Incomplete`]
    /// while a restore of a backup is incomplete.
    pub async fn ready(&self) -> Result<Version> {
        self.read(Freshness::Strict, restore::check_complete).await?;
        Ok(self.version())
    }

    /// Copies the current database into a file. Returns the version of the copy. Fields stay encrypted.
    ///
    /// # Errors
    /// [`Error::Storage`] when the database cannot be read or the file cannot be written.
    pub async fn copy_to(&self, file: &Path) -> Result<Version> {
        let read = self.engine.read(Freshness::Strict, |connection| {
            // The local copy changes only between reads, so this copy is consistent.
            let local = connection.path().unwrap_or_default();
            std::fs::copy(local, file).map_err(bespoke_storage::Error::Local)
        });
        Ok(read.await?.version)
    }

    /// Opens a copy with the keys of this process.
    ///
    /// # Errors
    /// [`Error::Sqlite`] when the file is not a database; [`Error::OtherKeys`] when it was created with other keys.
    pub fn open_copy(&self, file: &Path) -> Result<DatabaseCopy> {
        DatabaseCopy::open(file, Arc::clone(&self.vault))
    }

    /// Closes the engine after the current write has finished.
    pub async fn close(self) {
        self.engine.close().await;
    }
}

/// Wraps a caller's error for the engine, which requires an error type that its own error can be converted to.
struct CallerError<E>(E);

impl<E: From<Error>> From<bespoke_storage::Error> for CallerError<E> {
    fn from(error: bespoke_storage::Error) -> Self {
        Self(E::from(Error::from(error)))
    }
}
