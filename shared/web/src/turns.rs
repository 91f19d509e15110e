//! Turns: work with the same key (of the same account, for example) runs one after the other, so that the work with another key waits for
//! at most one piece of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::Error;
use crate::limits::TOO_MANY;

/// When a client may try again whose work was refused, in seconds.
const RETRY_S: u64 = 1;

/// The work that waits or runs.
pub(crate) struct Turns<K> {
    works: Mutex<HashMap<K, Work>>,
    /// Most pieces of work with one key that wait or run; further ones are refused.
    limit: usize,
}

/// The work with one key that waits or runs.
#[derive(Default)]
struct Work {
    pieces: usize,
    running: Arc<tokio::sync::Mutex<()>>,
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// No work yet; at most `limit` pieces with one key may wait or run.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            works: Mutex::default(),
            limit,
        }
    }

    /// Waits for the turn of a piece of work. The next one begins when the turn is dropped.
    ///
    /// # Errors
    /// 429 `tooManyRequests` if too much work with that key waits.
    pub(crate) async fn take(self: &Arc<Self>, key: K) -> Result<Turn<K>, Error> {
        let (running, place) = {
            let mut works = self.works();
            let work = works.entry(key.clone()).or_default();
            if work.pieces >= self.limit {
                return Err(Error::too_many(TOO_MANY, RETRY_S));
            }
            work.pieces += 1;
            let place = Place {
                turns: Arc::clone(self),
                key,
            };
            (Arc::clone(&work.running), place)
        };
        let running = running.lock_owned().await;
        Ok(Turn {
            _running: running,
            _place: place,
        })
    }

    fn works(&self) -> MutexGuard<'_, HashMap<K, Work>> {
        self.works.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a piece of work.
pub(crate) struct Turn<K: Clone + Eq + Hash> {
    _running: OwnedMutexGuard<()>,
    _place: Place<K>,
}

/// The place of a piece of work among those with its key.
struct Place<K: Clone + Eq + Hash> {
    turns: Arc<Turns<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut work) = self.turns.works().entry(self.key.clone()) {
            work.get_mut().pieces -= 1;
            if work.get().pieces == 0 {
                work.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_with_a_key_runs_one_after_the_other_and_that_with_another_beside_it() {
        let turns = Arc::new(Turns::new(3));
        let first = turns.take(1).await.unwrap();
        let mut second = Box::pin(turns.take(1));
        assert!((&mut second).now_or_never().is_none());
        let other = turns.take(2).now_or_never().unwrap().unwrap();
        drop((first, other));
        drop(second.now_or_never().unwrap().unwrap());
        assert!(turns.works().is_empty());
    }

    #[tokio::test]
    async fn work_above_the_limit_is_refused_until_waiting_work_gives_up() {
        let turns = Arc::new(Turns::new(3));
        let running = turns.take(1).await.unwrap();
        let mut waiting: Vec<_> = (1..3).map(|_| Box::pin(turns.take(1))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let refused = turns.take(1).await.err().unwrap();
        assert_eq!(refused.status(), 429);
        waiting.pop();
        assert!(turns.take(1).now_or_never().is_none());
        drop((running, waiting));
        assert!(turns.works().is_empty());
    }
}
