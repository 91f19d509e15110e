//! Methods of [`Engine`] for background jobs, restores and checks.

use bytes::Bytes;

use crate::engine::Engine;
use crate::error::Error;
use crate::maintenance::compaction::{Compact, Compacted};
use crate::maintenance::garbage::Collected;
use crate::maintenance::restore::{RestorePoint, Restored};
use crate::version::VersionRange;

impl Engine {
    /// Writes a new base from the current state, so that `head` and cold starts stay small. A scheduled job should call
    /// it. Writes continue meanwhile.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if other writers or the store prevent it. Repeating it is safe.
    pub async fn compact(&self, when: Compact) -> Result<Compacted, Error> {
        self.parts.compactor.compact(when).await
    }

    /// Merges the young segments into one.
    pub(crate) async fn merge_segments(&self) -> Result<Compacted, Error> {
        self.parts.compactor.merge_segments().await
    }

    /// Makes commits start compactions from now on. It must not be called in a process that is frozen between its calls,
    /// because such a process could not complete them.
    pub fn compact_by_itself(&self) {
        self.parts.compactor.run_after_commits();
    }

    /// Deletes objects that `head` has not named for a day, and objects that only a restore needs after
    /// [`TRASH_KEPT_MS`](crate::limits::TRASH_KEPT_MS).
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Repeating it is safe.
    pub async fn collect_garbage(&self) -> Result<Collected, Error> {
        self.parts.garbage.collect().await
    }

    /// Makes an earlier state the current one, for every process.
    ///
    /// The states after it can still be restored, so a restore can be undone by another one. Every state of the last
    /// [`HISTORY_MS`](crate::limits::HISTORY_MS) is kept.
    ///
    /// # Errors
    /// [`Error::NotRestorable`] with the reason why the state cannot be restored. [`Error::Unavailable`] if the outcome
    /// is unknown: compare [`Engine::version`] before repeating it, because a new epoch means that it succeeded.
    pub async fn restore(&self, point: RestorePoint) -> Result<Restored, Error> {
        self.parts.restorer.restore(point).await
    }

    /// Lists the states that can be restored now, in ascending order. States older than
    /// [`HISTORY_MS`](crate::limits::HISTORY_MS) are among them until garbage collection deletes their objects.
    ///
    /// # Errors
    /// [`Error::Unavailable`], or [`Error::Corrupt`] with the name of an unreadable object.
    pub async fn restorable(&self) -> Result<Vec<VersionRange>, Error> {
        self.parts.restorer.restorable().await
    }

    /// Fetches every object of the current state, and checks their digests and the checksum of the database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names an object that is damaged or missing.
    pub async fn check_objects(&self) -> Result<(), Error> {
        self.parts.sync.check_objects().await
    }

    /// Freezes usage counters as one batch. The next commit of this process applies it, unless [`Engine::put_usage`]
    /// stores it first.
    pub fn freeze_usage(&self, body: impl Into<Bytes>) {
        self.parts
            .frozen_usage
            .freeze(self.parts.bucket.fresh_name(), body.into());
    }

    /// Returns the frozen batches of this process, which are neither applied nor stored yet.
    #[must_use]
    pub fn frozen_usage(&self) -> Vec<Bytes> {
        let batches = self.parts.frozen_usage.batches();
        batches.iter().map(|batch| batch.body.clone()).collect()
    }

    /// Stores the frozen batches as objects, so that [`Engine::apply_stored_usage`] can apply them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Batches that were not stored are kept, and repeating it is safe.
    pub async fn put_usage(&self) -> Result<(), Error> {
        self.parts.usage.store_frozen().await
    }

    /// Returns the stored batches of all processes that are not applied yet according to the local copy. Another
    /// process may apply them meanwhile.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unapplied_stored_usage(&self) -> Result<Vec<Bytes>, Error> {
        self.parts.usage.unapplied().await
    }

    /// Applies the stored batches of all processes to the database, and deletes them from the store. A scheduled job
    /// should call it. Returns the number of batches.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Repeating it is safe.
    pub async fn apply_stored_usage(&self) -> Result<usize, Error> {
        self.parts.usage.apply_stored().await
    }
}
