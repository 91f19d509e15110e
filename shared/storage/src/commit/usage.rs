//! [`UsageBatch`]: batches of usage counters that a commit applies to the database.
//!
//! A process counts in memory, so that a read causes no write. From time to time, it freezes its counters as one batch
//! with a unique name. The next commit of the process applies the batch. If the process makes no commit,
//! `maintenance::usage` stores the batch as an object, and applies it later. A commit that applies a batch records the
//! name of the batch in the table `_usage_merged`, so that a batch that is applied both ways counts once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;

use crate::clock::StorageClock;
use crate::limits::{USAGE_BATCH_KEPT_MS, USAGE_BATCHES_PER_COMMIT};

/// Applies the content of one batch to the database. It runs inside a transaction of the engine, and may run again.
pub type ApplyUsage = fn(&Connection, &[u8]) -> rusqlite::Result<()>;

/// Counters with a unique name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsageBatch {
    pub(crate) name: String,
    /// Time when it was frozen, by the clock of the process. Milliseconds since 1970.
    pub(crate) frozen_ms: u64,
    pub(crate) body: Bytes,
}

/// The batches of this process that are neither in the database nor in the store.
pub(crate) struct FrozenUsage {
    batches: Mutex<Vec<Arc<UsageBatch>>>,
    clock: Arc<dyn StorageClock>,
}

impl FrozenUsage {
    pub(crate) fn new(clock: Arc<dyn StorageClock>) -> Self {
        Self {
            batches: Mutex::default(),
            clock,
        }
    }

    pub(crate) fn batches(&self) -> MutexGuard<'_, Vec<Arc<UsageBatch>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch.
    pub(crate) fn freeze(&self, name: String, body: Bytes) {
        let batch = UsageBatch {
            name,
            frozen_ms: self.clock.unix_ms(),
            body,
        };
        self.batches().push(Arc::new(batch));
    }

    /// Removes batches that are in the database or in the store.
    pub(crate) fn remove(&self, saved: &[Arc<UsageBatch>]) {
        self.batches()
            .retain(|batch| !saved.iter().any(|saved| saved.name == batch.name));
    }

    /// Returns the batches that the next commit applies.
    pub(crate) fn for_next_commit(&self) -> Vec<Arc<UsageBatch>> {
        self.drop_expired();
        let batches = self.batches();
        batches.iter().take(USAGE_BATCHES_PER_COMMIT).cloned().collect()
    }

    /// Drops batches that are so old that their names may have been purged from the database, because such a batch might
    /// be counted twice.
    pub(crate) fn drop_expired(&self) {
        let now_ms = self.clock.unix_ms();
        let mut batches = self.batches();
        let count_before = batches.len();
        batches.retain(|batch| now_ms.saturating_sub(batch.frozen_ms) <= USAGE_BATCH_KEPT_MS);
        if batches.len() < count_before {
            tracing::warn!(
                batches = count_before - batches.len(),
                "usage counters are lost: the store did not accept them for days"
            );
        }
    }
}
