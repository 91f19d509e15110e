//! [`KeyedLocks`]: locks by key with a bounded number of waiters. Work with the same key (for example of the same account) runs one after
//! the other, so that one key cannot occupy all workers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::errors::TOO_MANY;
use crate::response::Error;

/// `Retry-After` of a refused caller, in seconds.
const RETRY_S: u64 = 1;

/// A set of locks, one for each key that is in use.
pub(crate) struct KeyedLocks<K> {
    queues: Mutex<HashMap<K, Queue>>,
    /// The maximum number of holders and waiters of one key; further callers are refused.
    limit: usize,
}

/// The holder and the waiters of one key.
#[derive(Default)]
struct Queue {
    length: usize,
    mutex: Arc<tokio::sync::Mutex<()>>,
}

impl<K: Clone + Eq + Hash> KeyedLocks<K> {
    /// Creates an empty set. At most `limit` callers may hold or wait for one key.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            queues: Mutex::default(),
            limit,
        }
    }

    /// Waits for the lock of a key. Dropping the result unlocks it.
    ///
    /// # Errors
    /// 429 `tooManyRequests` if too many callers wait for that key.
    pub(crate) async fn lock(self: &Arc<Self>, key: K) -> Result<KeyedLock<K>, Error> {
        let place = self.enqueue(key, self.limit);
        let (mutex, slot) = place.ok_or_else(|| Error::too_many(TOO_MANY, RETRY_S))?;
        Ok(KeyedLock {
            _guard: mutex.lock_owned().await,
            _slot: slot,
        })
    }

    /// Waits for the lock of a key, even if more callers than the limit wait for it.
    pub(crate) async fn lock_beyond_limit(self: &Arc<Self>, key: K) -> KeyedLock<K> {
        let (mutex, slot) = self.enqueue(key, usize::MAX).expect("a queue is always shorter");
        KeyedLock {
            _guard: mutex.lock_owned().await,
            _slot: slot,
        }
    }

    /// Takes a place in the queue of a key; `None` if it has `limit` callers.
    fn enqueue(self: &Arc<Self>, key: K, limit: usize) -> Option<(Arc<tokio::sync::Mutex<()>>, QueueSlot<K>)> {
        let mut queues = self.queues();
        let queue = queues.entry(key.clone()).or_default();
        if queue.length >= limit {
            return None;
        }
        queue.length += 1;
        let slot = QueueSlot {
            locks: Arc::clone(self),
            key,
        };
        Some((Arc::clone(&queue.mutex), slot))
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<K, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A held lock of one key.
pub(crate) struct KeyedLock<K: Clone + Eq + Hash> {
    _guard: OwnedMutexGuard<()>,
    _slot: QueueSlot<K>,
}

/// The place of one caller in the queue of a key. Dropping it frees the place, also if the caller stops waiting.
struct QueueSlot<K: Clone + Eq + Hash> {
    locks: Arc<KeyedLocks<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for QueueSlot<K> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut queue) = self.locks.queues().entry(self.key.clone()) {
            queue.get_mut().length -= 1;
            if queue.get().length == 0 {
                queue.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn only_work_with_the_same_key_waits() {
        let locks = Arc::new(KeyedLocks::new(3));
        let first = locks.lock(1).await.unwrap();
        let mut second = Box::pin(locks.lock(1));
        assert!((&mut second).now_or_never().is_none());
        let other = locks.lock(2).now_or_never().unwrap().unwrap();
        drop((first, other));
        drop(second.now_or_never().unwrap().unwrap());
        assert!(locks.queues().is_empty());
    }

    #[tokio::test]
    async fn caller_above_the_limit_is_refused_until_a_waiter_gives_up() {
        let locks = Arc::new(KeyedLocks::new(3));
        let held = locks.lock(1).await.unwrap();
        let mut waiting: Vec<_> = (1..3).map(|_| Box::pin(locks.lock(1))).collect();
        assert!(waiting.iter_mut().all(|lock| lock.now_or_never().is_none()));
        let refused = locks.lock(1).await.err().unwrap();
        assert_eq!(refused.status(), 429);
        let mut beyond = Box::pin(locks.lock_beyond_limit(1));
        assert!((&mut beyond).now_or_never().is_none());
        drop(beyond);
        waiting.pop();
        assert!(locks.lock(1).now_or_never().is_none());
        drop((held, waiting));
        assert!(locks.queues().is_empty());
    }
}
