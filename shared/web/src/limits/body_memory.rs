//! [`BodyMemory`]: a pool of memory for the bodies of requests and responses.
//!
//! The body of a request reserves its memory before it is read, and the body of a long response until it is sent, so that all bodies together
//! cannot exhaust the process. Each client may use one share of a pool at most, so that a client that sends or receives many large bodies
//! slowly delays only its own requests.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::errors::TOO_MANY;
use crate::response::{Error, Result};

/// Maximum size of a request body of an account, before and after decompression, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 12 * 1024 * 1024;
/// Bytes of all bodies that are read and parsed at the same time; further bodies wait. A parsed body takes about four times its size.
const POOL_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the bodies that one client may have in the pool.
const SHARE_BYTES: usize = POOL_BYTES / 4;
/// The unit of a reservation, in bytes.
const PIECE_BYTES: usize = 1024;
/// How long a body waits for memory, in seconds.
pub(crate) const RESERVATION_WAIT_S: u64 = 5;
/// The number of shares above which unused shares are removed.
const PRUNED_SHARES: usize = 1024;

// A body larger than a share would never get its memory.
const _: () = assert!(MAX_BODY_BYTES <= SHARE_BYTES);

/// A client that has a share of the memory for bodies, and of the threads for CPU-bound work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ShareHolder {
    /// An account, by its integer id.
    Account(i64),
    /// The network of a caller without credentials: an IPv4 address, or the /48 of an IPv6 address.
    Network(IpAddr),
}

/// A pool of memory for bodies, and the shares of the clients.
pub(crate) struct BodyMemory {
    pool: Arc<Semaphore>,
    shares: Mutex<Shares>,
}

struct Shares {
    by_peer: HashMap<ShareHolder, Arc<Semaphore>>,
    /// The number of shares at which unused shares are removed next.
    pruned_at: usize,
}

/// Reserved memory. Dropping it returns the memory to the pool.
pub(crate) struct BodyReservation {
    _share: OwnedSemaphorePermit,
    _pool: OwnedSemaphorePermit,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self {
            pool: pieces(POOL_BYTES),
            shares: Mutex::new(Shares {
                by_peer: HashMap::new(),
                pruned_at: PRUNED_SHARES,
            }),
        }
    }
}

impl BodyMemory {
    /// Reserves memory for a body of at most [`MAX_BODY_BYTES`], first in the share of `peer` and then in the pool. Waits up to
    /// [`RESERVATION_WAIT_S`].
    ///
    /// # Errors
    /// 429 if the share is used up; 503 if the pool is used up.
    pub(crate) async fn reserve(&self, peer: ShareHolder, bytes: usize) -> Result<BodyReservation> {
        let requested = pieces_of(bytes)?;
        let deadline = Instant::now() + Duration::from_secs(RESERVATION_WAIT_S);
        let share = timeout_at(deadline, self.share(peer).acquire_many_owned(requested));
        let share = share.await.map_err(|_| Error::too_many(TOO_MANY, RESERVATION_WAIT_S))?;
        let pool = timeout_at(deadline, Arc::clone(&self.pool).acquire_many_owned(requested));
        let pool = pool.await.map_err(|_| Error::busy(RESERVATION_WAIT_S))?;
        Ok(BodyReservation {
            _share: share.map_err(Error::internal)?,
            _pool: pool.map_err(Error::internal)?,
        })
    }

    /// Reserves memory as [`BodyMemory::reserve`], but only if it is free now.
    ///
    /// # Errors
    /// 429 if the share is used up; 503 if the pool is used up.
    pub(crate) fn try_reserve(&self, peer: ShareHolder, bytes: usize) -> Result<BodyReservation> {
        let requested = pieces_of(bytes)?;
        let share = self.share(peer).try_acquire_many_owned(requested);
        let share = share.map_err(|_| Error::too_many(TOO_MANY, RESERVATION_WAIT_S))?;
        let pool = Arc::clone(&self.pool).try_acquire_many_owned(requested);
        let pool = pool.map_err(|_| Error::busy(RESERVATION_WAIT_S))?;
        Ok(BodyReservation {
            _share: share,
            _pool: pool,
        })
    }

    fn share(&self, peer: ShareHolder) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let Shares { by_peer, pruned_at } = &mut *shares;
        if by_peer.len() >= *pruned_at && !by_peer.contains_key(&peer) {
            // A reservation or a waiting body holds a reference to its share.
            by_peer.retain(|_, share| Arc::strong_count(share) > 1);
            *pruned_at = PRUNED_SHARES.max(2 * by_peer.len());
        }
        Arc::clone(by_peer.entry(peer).or_insert_with(|| pieces(SHARE_BYTES)))
    }
}

/// Returns the pieces that a body takes; a body that is larger than a share takes the complete share.
fn pieces_of(bytes: usize) -> Result<u32> {
    u32::try_from(bytes.min(SHARE_BYTES).div_ceil(PIECE_BYTES)).map_err(Error::internal)
}

fn pieces(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / PIECE_BYTES))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    /// Reserves memory; `None` if the body would have to wait.
    fn reserve_now(memory: &BodyMemory, account: i64, bytes: usize) -> Option<BodyReservation> {
        reserve_for(memory, ShareHolder::Account(account), bytes)
    }

    fn reserve_for(memory: &BodyMemory, peer: ShareHolder, bytes: usize) -> Option<BodyReservation> {
        let reservation = unconstrained(memory.reserve(peer, bytes)).now_or_never();
        reservation.map(|reserved| reserved.unwrap())
    }

    #[tokio::test]
    async fn client_beyond_its_share_delays_only_itself() {
        let memory = BodyMemory::default();
        let first = reserve_now(&memory, 1, MAX_BODY_BYTES).unwrap();
        assert!(reserve_now(&memory, 1, MAX_BODY_BYTES).is_none());
        let network = ShareHolder::Network([192, 0, 2, 1].into());
        let others = [
            reserve_now(&memory, 2, MAX_BODY_BYTES),
            reserve_now(&memory, 3, MAX_BODY_BYTES),
            reserve_for(&memory, network, MAX_BODY_BYTES),
        ];
        assert!(others.iter().all(Option::is_some));
        drop(first);
        assert!(reserve_now(&memory, 1, MAX_BODY_BYTES).is_some());
    }

    #[tokio::test]
    async fn clients_share_the_pool() {
        let memory = BodyMemory::default();
        let held: Vec<_> = (0..4)
            .map(|account| reserve_now(&memory, account, SHARE_BYTES).unwrap())
            .collect();
        assert!(reserve_now(&memory, 4, 1).is_none());
        drop(held);
        assert!(reserve_now(&memory, 4, 1).is_some());
    }

    #[tokio::test]
    async fn unused_shares_are_removed() {
        let memory = BodyMemory::default();
        let held = reserve_now(&memory, -1, SHARE_BYTES).unwrap();
        for account in 0..10 * PRUNED_SHARES as i64 {
            assert!(reserve_now(&memory, account, 1).is_some());
        }
        assert!(memory.shares.lock().unwrap().by_peer.len() <= PRUNED_SHARES);
        assert!(
            reserve_now(&memory, -1, 1).is_none(),
            "a share in use must not be removed"
        );
        drop(held);
    }
}
