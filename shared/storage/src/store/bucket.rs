//! [`Bucket`]: the object store as the engine uses it. Every call has a time limit, and every new object has a fresh
//! name.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use ulid::Ulid;

use super::{ETag, Fetched, Listed, ObjectStore, PutCondition, StoreError};
use crate::clock::StorageClock;
use crate::format::keys::HEAD_KEY;
use crate::limits::{CLOCK_TOLERANCE_MS, HEAD_TIMEOUT_MS, OBJECT_TIMEOUT_MS};
use crate::random;
use crate::random::StorageRandom;

/// A store with the clock and the random source of this process.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn StorageClock>,
    random: Arc<dyn StorageRandom>,
}

impl Bucket {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn StorageClock>,
        random: Arc<dyn StorageRandom>,
    ) -> Self {
        Self { store, clock, random }
    }

    pub(crate) fn clock(&self) -> &dyn StorageClock {
        &*self.clock
    }

    pub(crate) fn random(&self) -> &dyn StorageRandom {
        &*self.random
    }

    /// Gets `head`, or [`Fetched::NotModified`] if it still has this ETag.
    pub(crate) async fn get_head(&self, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        within(self.clock(), HEAD_TIMEOUT_MS, self.store.get(HEAD_KEY, if_none_match)).await
    }

    /// Returns the store's time if the store can tell without a request that `head` still has this ETag. Milliseconds
    /// since 1970.
    pub(crate) fn confirms_head(&self, etag: &ETag) -> Option<u64> {
        self.store.is_still(HEAD_KEY, etag)
    }

    pub(crate) async fn put_head(&self, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        self.put_small(HEAD_KEY, body, condition).await
    }

    /// Gets an object. [`Fetched::NotModified`] is impossible.
    pub(crate) async fn get(&self, key: &str) -> Result<Fetched, StoreError> {
        within(self.clock(), OBJECT_TIMEOUT_MS, self.store.get(key, None)).await
    }

    /// Stores a new object.
    pub(crate) async fn create(&self, key: &str, body: Bytes) -> Result<ETag, StoreError> {
        let put = self.store.put(key, body, PutCondition::CreateOnly);
        within(self.clock(), OBJECT_TIMEOUT_MS, put).await
    }

    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        within(self.clock(), OBJECT_TIMEOUT_MS, self.store.delete(key)).await
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        within(self.clock(), OBJECT_TIMEOUT_MS, self.store.list(prefix)).await
    }

    /// Puts an object that is as small as `head`, with the time limit of `head`.
    pub(crate) async fn put_small(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        within(self.clock(), HEAD_TIMEOUT_MS, self.store.put(key, body, condition)).await
    }

    /// Gets an object that is as small as `head`, with the time limit of `head`.
    pub(crate) async fn get_small(&self, key: &str) -> Result<Fetched, StoreError> {
        within(self.clock(), HEAD_TIMEOUT_MS, self.store.get(key, None)).await
    }

    /// Deletes an object that is as small as `head`, with the time limit of `head`.
    pub(crate) async fn delete_small(&self, key: &str) -> Result<(), StoreError> {
        within(self.clock(), HEAD_TIMEOUT_MS, self.store.delete(key)).await
    }

    /// Returns a fresh ULID as text.
    pub(crate) fn fresh_name(&self) -> String {
        self.fresh_ulid().to_string()
    }

    pub(crate) fn fresh_ulid(&self) -> Ulid {
        random::fresh_ulid(self.clock(), self.random())
    }

    /// Returns 16 random bytes in hexadecimal, for nonces, tokens and ids.
    pub(crate) fn fresh_nonce(&self) -> String {
        random::hex_16(self.random())
    }

    /// Sleeps for a random time between half of `ms` and `ms`.
    pub(crate) async fn pause(&self, ms: u64) {
        let jitter = random::below(self.random(), ms / 2 + 1);
        self.clock.sleep(ms - jitter).await;
    }

    /// Returns the time of a commit, in milliseconds since 1970: the time of this process, because a store may report
    /// seconds only. If it differs from the store's time `date_ms` by more than [`CLOCK_TOLERANCE_MS`], the store's time
    /// is returned.
    pub(crate) fn now_ms(&self, date_ms: u64) -> u64 {
        let own_ms = self.clock.unix_ms();
        if own_ms.abs_diff(date_ms) <= CLOCK_TOLERANCE_MS {
            own_ms
        } else {
            date_ms
        }
    }
}

/// Waits for `work` for at most `limit_ms`. Returns [`StoreError::Unknown`] after that. The timer starts only if `work`
/// is not ready at once.
async fn within<T>(
    clock: &dyn StorageClock,
    limit_ms: u64,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut work = pin!(work);
    let mut timer = None;
    std::future::poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        let timer = timer.get_or_insert_with(|| clock.sleep(limit_ms));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(StoreError::Unknown(format!("no answer within {limit_ms} ms")))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
