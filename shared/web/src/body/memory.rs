//! Memory for the bodies of requests.
//!
//! A body reserves its memory before it is read, so that all bodies together cannot exhaust the process. One caller has a share at
//! most, so that a caller that sends many large bodies slowly delays its own requests only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::MAX_BODY_BYTES;
use crate::limits::TOO_MANY;
use crate::{Error, Result};

/// Bytes of the bodies that are read and worked on at once; further bodies wait. Memory is some four times that.
const POOL_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the bodies that one caller sends at once: a quarter of the pool.
const SHARE_BYTES: usize = POOL_BYTES / 4;
/// Memory is reserved in pieces of so many bytes.
const PIECE_BYTES: usize = 1024;
/// How long a body waits for memory, in seconds.
const WAIT_S: u64 = 5;
/// The number of shares at which unused ones are removed.
const PRUNED_SHARES: usize = 1024;

// A body that is larger than a share would wait forever.
const _: () = assert!(MAX_BODY_BYTES <= SHARE_BYTES);

/// The caller that a body is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sender {
    /// An account, by its integer id.
    Account(i64),
    /// A network of callers without credentials: an IPv4 address, or the /48 of an IPv6 address.
    Network(IpAddr),
}

/// Memory for bodies, and the shares of its senders.
pub(crate) struct BodyMemory {
    pool: Arc<Semaphore>,
    shares: Mutex<Shares>,
}

struct Shares {
    by_sender: HashMap<Sender, Arc<Semaphore>>,
    /// The number of shares at which unused ones are removed next.
    pruned_at: usize,
}

/// Reserved memory, until this is dropped.
pub(crate) struct Reservation {
    _share: OwnedSemaphorePermit,
    _pool: OwnedSemaphorePermit,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            pool: pieces(POOL_BYTES),
            shares: Mutex::new(Shares {
                by_sender: HashMap::new(),
                pruned_at: PRUNED_SHARES,
            }),
        }
    }
}

impl BodyMemory {
    /// Waits for memory for a body of at most [`MAX_BODY_BYTES`], first in the share of its sender and then in the pool.
    ///
    /// # Errors
    /// After [`WAIT_S`]: 429 if the sender uses its share, 503 if the pool is used.
    pub(crate) async fn reserve(&self, sender: Sender, bytes: usize) -> Result<Reservation> {
        let wanted = u32::try_from(bytes.min(SHARE_BYTES).div_ceil(PIECE_BYTES)).map_err(Error::internal)?;
        let deadline = Instant::now() + Duration::from_secs(WAIT_S);
        let share = timeout_at(deadline, self.share(sender).acquire_many_owned(wanted));
        let share = share.await.map_err(|_| Error::too_many(TOO_MANY, WAIT_S))?;
        let pool = timeout_at(deadline, Arc::clone(&self.pool).acquire_many_owned(wanted));
        let pool = pool.await.map_err(|_| Error::busy(WAIT_S))?;
        Ok(Reservation {
            _share: share.map_err(Error::internal)?,
            _pool: pool.map_err(Error::internal)?,
        })
    }

    fn share(&self, sender: Sender) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let Shares { by_sender, pruned_at } = &mut *shares;
        if by_sender.len() >= *pruned_at && !by_sender.contains_key(&sender) {
            // Reservations and waiting bodies refer to their share.
            by_sender.retain(|_, share| Arc::strong_count(share) > 1);
            *pruned_at = PRUNED_SHARES.max(2 * by_sender.len());
        }
        Arc::clone(by_sender.entry(sender).or_insert_with(|| pieces(SHARE_BYTES)))
    }
}

fn pieces(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / PIECE_BYTES))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    /// Reserves memory if there is some at once.
    fn now(memory: &BodyMemory, account: i64, bytes: usize) -> Option<Reservation> {
        now_for(memory, Sender::Account(account), bytes)
    }

    fn now_for(memory: &BodyMemory, sender: Sender, bytes: usize) -> Option<Reservation> {
        let reservation = unconstrained(memory.reserve(sender, bytes)).now_or_never();
        reservation.map(|reserved| reserved.unwrap())
    }

    #[tokio::test]
    async fn sender_beyond_its_share_waits_alone() {
        let memory = BodyMemory::default();
        let first = now(&memory, 1, MAX_BODY_BYTES).unwrap();
        assert!(now(&memory, 1, MAX_BODY_BYTES).is_none());
        let network = Sender::Network([192, 0, 2, 1].into());
        let others = [
            now(&memory, 2, MAX_BODY_BYTES),
            now(&memory, 3, MAX_BODY_BYTES),
            now_for(&memory, network, MAX_BODY_BYTES),
        ];
        assert!(others.iter().all(Option::is_some));
        drop(first);
        assert!(now(&memory, 1, MAX_BODY_BYTES).is_some());
    }

    #[tokio::test]
    async fn senders_share_the_pool() {
        let memory = BodyMemory::default();
        let held: Vec<_> = (0..4)
            .map(|account| now(&memory, account, SHARE_BYTES).unwrap())
            .collect();
        assert!(now(&memory, 4, 1).is_none());
        drop(held);
        assert!(now(&memory, 4, 1).is_some());
    }

    #[tokio::test]
    async fn unused_shares_are_removed() {
        let memory = BodyMemory::default();
        let held = now(&memory, -1, SHARE_BYTES).unwrap();
        for account in 0..10 * PRUNED_SHARES as i64 {
            assert!(now(&memory, account, 1).is_some());
        }
        assert!(memory.shares.lock().unwrap().by_sender.len() <= PRUNED_SHARES);
        assert!(now(&memory, -1, 1).is_none(), "a used share is kept");
        drop(held);
    }
}
