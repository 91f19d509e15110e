//! The lock in `head`: it asks the others to wait. Fairness only: safety rests on the ETag.

use std::sync::Arc;

use serde_json::Map;

use crate::commit::Refusal;
use crate::environment::{below, hex_16};
use crate::head::Lock;
use crate::limits::{LOCK_MS, LOSSES_BEFORE_LOCK};
use crate::plan;
use crate::replica::{Known, Replica};

/// What one writer, or one piece of maintenance, has to do with the lock.
pub(crate) struct Locking {
    /// Names this process in a lock.
    owner: String,
    /// Set as soon as a lock may be ours.
    token: Option<String>,
}

impl Locking {
    pub(crate) fn new(replica: &Replica) -> Self {
        Self {
            owner: hex_16(&*replica.random),
            token: None,
        }
    }

    pub(crate) fn holds(&self, known: &Known) -> bool {
        let lock = known.head.json.lock.as_ref();
        lock.is_some_and(|lock| Some(&lock.token) == self.token.as_ref())
    }

    /// Whether somebody else holds a lock that is still young. Both times are the store's; a negative age counts as expired.
    pub(crate) fn is_locked_out(&self, known: &Known, date_ms: u64) -> bool {
        let young = date_ms
            .checked_sub(known.last_modified_ms)
            .is_some_and(|age_ms| age_ms < LOCK_MS);
        known.head.json.lock.is_some() && young && !self.holds(known)
    }

    pub(crate) async fn take(&mut self, replica: &Replica, known: &Known, date_ms: u64) -> Result<Arc<Known>, Refusal> {
        let token = hex_16(&*replica.random);
        self.token = Some(token.clone());
        let lock = Lock {
            owner: self.owner.clone(),
            token,
            unknown: Map::new(),
        };
        let head = plan::with_lock(&known.head, Some(lock), hex_16(&*replica.random));
        let locked = replica.put_head(head, &known.etag, date_ms).await?;
        replica.publish(&locked);
        Ok(locked)
    }

    /// A PUT that cleared the lock was accepted.
    pub(crate) fn cleared(&mut self) {
        self.token = None;
    }

    /// Clears the lock where it may be ours. Where that cannot be done, it expires.
    pub(crate) async fn release(&mut self, replica: &Arc<Replica>) {
        if self.token.is_none() {
            return;
        }
        for _ in 0..=LOSSES_BEFORE_LOCK {
            let Ok(date_ms) = replica.refresh().await else {
                continue;
            };
            let known = replica.known.load_full();
            if !self.holds(&known) {
                break;
            }
            let head = plan::with_lock(&known.head, None, hex_16(&*replica.random));
            if let Ok(unlocked) = replica.put_head(head, &known.etag, date_ms).await {
                replica.publish(&unlocked);
                break;
            }
        }
        self.token = None;
    }
}

impl Replica {
    /// Waits between half of `ms` and all of it.
    pub(crate) async fn pause(&self, ms: u64) {
        let jitter = below(&*self.random, ms / 2 + 1);
        self.clock.sleep(ms - jitter).await;
    }
}
