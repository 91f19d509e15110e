//! [`HeadLock`]: the lock in `head`, with which a writer that has lost several races asks the others to wait.
//!
//! The lock serves fairness only. The ETag of `head` guarantees safety, so a writer that ignores the lock does no harm.

use std::sync::Arc;

use serde_json::Map;

use crate::commit::error::CommitError;
use crate::commit::publisher::Publisher;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::format::head::Lock;
use crate::limits::{LOCK_MS, LOSSES_BEFORE_LOCK};
use crate::store::Bucket;
use crate::sync::synchronizer::Synchronizer;

/// The lock from the view of one writer or one maintenance job.
pub(crate) struct HeadLock {
    bucket: Arc<Bucket>,
    replica: Arc<Replica>,
    sync: Arc<Synchronizer>,
    publisher: Arc<Publisher>,
    /// Id of the owner in the lock.
    owner: String,
    /// Token of the last acquisition, which may have failed. `None` if the lock is certainly not held.
    token: Option<String>,
}

impl HeadLock {
    pub(crate) fn new(
        bucket: Arc<Bucket>,
        replica: Arc<Replica>,
        sync: Arc<Synchronizer>,
        publisher: Arc<Publisher>,
    ) -> Self {
        Self {
            owner: bucket.fresh_nonce(),
            token: None,
            bucket,
            replica,
            sync,
            publisher,
        }
    }

    /// Returns whether `known` contains the lock of this owner.
    pub(crate) fn is_held_in(&self, known: &KnownHead) -> bool {
        let lock = known.head.json.lock.as_ref();
        lock.is_some_and(|lock| Some(&lock.token) == self.token.as_ref())
    }

    /// Returns whether another owner holds a lock that has not expired. `date_ms` and the time of the lock are both from
    /// the store's clock. A lock with a negative age counts as expired.
    pub(crate) fn is_held_by_other(&self, known: &KnownHead, date_ms: u64) -> bool {
        let is_young = date_ms
            .checked_sub(known.last_modified_ms)
            .is_some_and(|age_ms| age_ms < LOCK_MS);
        known.head.json.lock.is_some() && is_young && !self.is_held_in(known)
    }

    /// Puts a `head` with the lock of this owner.
    pub(crate) async fn acquire(&mut self, known: &KnownHead, date_ms: u64) -> Result<Arc<KnownHead>, CommitError> {
        let token = self.bucket.fresh_nonce();
        self.token = Some(token.clone());
        let lock = Lock {
            owner: self.owner.clone(),
            token,
            unknown: Map::new(),
        };
        let head = known.head.with_lock(Some(lock), self.bucket.fresh_nonce());
        let locked = self.publisher.put_head(head, &known.etag, date_ms).await?;
        self.replica.publish(&locked);
        Ok(locked)
    }

    /// Records that a PUT without a lock was accepted.
    pub(crate) fn record_release(&mut self) {
        self.token = None;
    }

    /// Removes the lock if this owner may hold it. If that fails, the lock expires.
    pub(crate) async fn release(&mut self) {
        if self.token.is_none() {
            return;
        }
        for _ in 0..=LOSSES_BEFORE_LOCK {
            let Ok(date_ms) = self.sync.refresh().await else {
                continue;
            };
            let known = self.replica.head_arc();
            if !self.is_held_in(&known) {
                break;
            }
            let head = known.head.with_lock(None, self.bucket.fresh_nonce());
            if let Ok(unlocked) = self.publisher.put_head(head, &known.etag, date_ms).await {
                self.replica.publish(&unlocked);
                break;
            }
        }
        self.token = None;
    }
}
