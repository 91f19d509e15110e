//! Schema, migrations, and one repository module per table: the only SQL in the project.
//!
//! **Purpose.** Converts rows to entities of `bespoke-core` and back. Encrypted columns are encrypted and decrypted
//! here, so that no caller sees ciphertext and the storage engine sees no clear text.
//!
//! **Does not depend on** HTTP, levels and permissions. `bespoke-core` defines the permissions, and the handlers check
//! them before they call a repository.
//!
//! **To add a table,** append a migration to [`migrations`](MIGRATIONS), and write a module with one function per
//! query. Each function takes [`Db`]. Every query needs an index, because debug builds panic when a statement scans a
//! complete table.

mod error;
mod guard;
mod installation;
mod migrations;
mod page;
mod read_cache;
mod row;
mod seeds;
mod snapshot;
#[cfg(test)]
mod testing;
mod vault;

pub mod account_storage;
pub mod api_keys;
pub mod audit;
pub mod bookmarks;
pub mod confirmations;
pub mod curated_sets;
pub mod designs;
pub mod exports;
pub mod images;
pub mod import;
pub mod known_networks;
pub mod leftovers;
pub mod mail_budgets;
pub mod oauth_states;
pub mod option_packs;
pub mod outbox;
pub mod page_images;
pub mod patterns;
pub mod purge;
pub mod quota;
pub mod refill;
pub mod sealed;
pub mod second_factors;
pub mod sets;
pub mod statistics;
pub mod subscribers;
pub mod suggestions;
pub mod usage;
pub mod users;

use std::path::PathBuf;
use std::sync::Arc;

use bespoke_core::BlindIndex;
use bespoke_storage::{Compact, Engine, ObjectStore, Options};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use bespoke_storage::{
    Collected, CommitId, Committed, Compacted, DatedVersion, Freshness, NotRestorable, RestorePoint, Restored, Version,
    VersionRange,
};
pub use error::{Error, Result};
pub use migrations::MIGRATIONS;
pub use page::{Page, stored_bytes};
pub use read_cache::{Shown, Stored};
pub use snapshot::Snapshot;
pub use vault::Vault;

use guard::Writer;
use read_cache::ReadCacheAt;

/// The database of one process: the storage engine, and the vault for the encrypted columns.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
    vault: Arc<Vault>,
    gathered: Arc<usage::Gathered>,
    read_cache: Arc<read_cache::ReadCache>,
    guard: Arc<guard::Guard>,
}

/// One connection inside a read or a write, and the vault for its encrypted columns. Every repository function takes
/// it.
pub struct Db<'a> {
    connection: &'a rusqlite::Connection,
    vault: &'a Vault,
    /// The read cache. `None` in a write, because a write sees data that are not committed yet.
    read_cache: Option<ReadCacheAt<'a>>,
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
        let read_cache = Arc::new(read_cache::ReadCache::default());
        let follows = Arc::clone(&read_cache);
        let options = Options {
            apply_usage: Some(usage::apply),
            on_change: Some(Arc::new(move |change| follows.follow(change))),
            ..Options::new(local_dir, MIGRATIONS)
        };
        Ok(Self {
            engine: Engine::open(store, options).await?,
            vault: Arc::new(vault),
            gathered: Arc::default(),
            read_cache,
            guard: Arc::default(),
        })
    }

    /// Checks that no restore of a backup is in progress or was interrupted, according to the local copy.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if one is, [`Error::Storage`].
    pub async fn check_complete(&self) -> Result<()> {
        self.read(Freshness::Local, guard::check_complete).await
    }

    /// Returns whether a read or write was refused with [`Error::OtherKeys`] since the last call.
    pub fn take_other_keys(&self) -> bool {
        self.guard.take_other_keys()
    }

    /// Runs a read on the local copy once it is as fresh as `freshness` demands. `f` may be called several times.
    ///
    /// # Errors
    /// Those of `f`, [`Error::OtherKeys`] if another process has changed the keys, or [`Error::Storage`].
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
            guard.admit_read(&db, version).map_err(|error| Caller(error.into()))?;
            f(&db).map_err(Caller)
        });
        let result = read.await;
        result.map(|read| read.value).map_err(|Caller(error)| error)
    }

    /// Runs a write and returns when the bucket contains it. `f` runs SQL only and may be called several times. Its
    /// result (at most 256 bytes) is stored with the commit, so that a repetition of the same commit returns the same
    /// result.
    ///
    /// # Errors
    /// Those of `f` (then nothing is written), [`Error::OtherKeys`] if another process has changed the keys,
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
        self.commit_of(Writer::Any, id, f).await
    }

    /// Writes rows of a backup. No other write is accepted while a backup is being restored.
    ///
    /// # Errors
    /// As [`Database::write`], except for [`Error::Incomplete`].
    pub async fn write_refill(&self, f: impl Fn(&Db<'_>) -> Result<()> + Send + Sync + 'static) -> Result<()> {
        let refilled = self.commit_of(Writer::Refill, self.fresh_commit_id(), f);
        refilled.await?;
        Ok(())
    }

    async fn commit_of<T, E>(
        &self,
        writer: Writer,
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
            guard.admit_write(&db, writer).map_err(|error| Caller(error.into()))?;
            f(&db).map_err(Caller)
        };
        self.engine.write(id, run).await.map_err(|Caller(error)| error)
    }

    /// Returns the keyed index.
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

    /// Starts compactions automatically in parallel to writes. Unsuitable for a process that is frozen between
    /// requests.
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
    /// [`Error::Storage`] with [`NotRestorable`] if there is no such state; [`Error::OtherKeysInState`].
    pub async fn restore(&self, point: RestorePoint) -> Result<Restored> {
        let restored = self.engine.restore(point).await?;
        let checked = self.read(Freshness::Strict, installation::check).await;
        if matches!(checked, Err(Error::OtherKeys)) {
            let spans = self.engine.restorable().await?;
            let earlier = spans.iter().map(|span| span.last.version);
            if let Some(replaced) = earlier.filter(|last| *last < restored.version).max() {
                self.engine.restore(RestorePoint::At(replaced)).await?;
            }
            return Err(Error::OtherKeysInState(restored.from));
        }
        checked.map(|_| restored)
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
        self.read(Freshness::Strict, guard::check_complete).await?;
        Ok(self.version())
    }

    /// Closes the engine after the current write has finished.
    pub async fn close(self) {
        self.engine.close().await;
    }
}

/// Carries the caller's error through the engine, which requires only that its own error can be converted to it.
struct Caller<E>(E);

impl<E: From<Error>> From<bespoke_storage::Error> for Caller<E> {
    fn from(error: bespoke_storage::Error) -> Self {
        Self(E::from(Error::from(error)))
    }
}
