//! [`Revalidator`]: revalidates the known `head` with conditional GETs.
//!
//! Every strict read must know that the local copy was current at some moment after the read began. A conditional GET
//! of `head` proves that with the response "not modified", or returns the newer version. A GET takes one round trip (10
//! to 30 ms on S3), so two mechanisms keep the number of GETs low:
//!
//! - **Concurrency limit.** At most [`HEAD_GETS_MAX`] GETs are in flight. While a slot is free, a caller sends its own
//!   GET.
//! - **Single flight.** If all slots are taken, callers join the *next* GET, which has not been sent yet. They must not
//!   join a GET that is already in flight, because the store may have served it before their read began.
//!
//! The result of the last successful revalidation is remembered, so that a process can commit without another GET
//! shortly after one (see `commit::contention`), and so that operators can allow bounded staleness.
//!
//! This module does not change the local copy. `synchronizer` follows a newer `head`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

use crate::clock::StorageClock;
use crate::copy::replica::Replica;
use crate::limits::HEAD_GETS_MAX;
use crate::store::{Bucket, Fetched, StoreError};
use crate::version::Version;

/// The result of one conditional GET of `head`.
#[derive(Debug, Clone)]
pub(crate) struct Revalidation {
    /// `NotModified`, or the new `head`.
    pub(crate) fetched: Fetched,
    /// The version that was known when the GET was sent. `NotModified` confirms this version.
    pub(crate) confirmed: Version,
    /// Time of the request. The local copy was current at this moment or later.
    pub(crate) sent_at: Moment,
}

/// A moment on both clocks of this process. Neither is reliable alone: the monotonic clock may stop while the machine
/// sleeps, and the other clock may be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// On the monotonic scale, in microseconds.
    us: u64,
    /// Milliseconds since 1970.
    unix_ms: u64,
}

impl Moment {
    pub(crate) fn now(clock: &dyn StorageClock) -> Self {
        Self {
            us: clock.monotonic_us(),
            unix_ms: clock.unix_ms(),
        }
    }

    /// Returns the age by the clock that shows the larger one, in milliseconds.
    fn age_ms(&self, clock: &dyn StorageClock) -> u64 {
        let now = Self::now(clock);
        let monotonic_age_ms = now.us.saturating_sub(self.us).div_ceil(1_000);
        monotonic_age_ms.max(now.unix_ms.abs_diff(self.unix_ms))
    }
}

/// The last confirmation that the known `head` is current.
#[derive(Debug, Clone, Copy)]
struct Confirmation {
    sent_at: Moment,
    /// The store's time in its response. Milliseconds since 1970.
    store_time_ms: u64,
}

type SharedGet = Shared<BoxFuture<'static, Result<Revalidation, StoreError>>>;

/// Sends and shares the conditional GETs of `head` of one process.
pub(crate) struct Revalidator {
    bucket: Arc<Bucket>,
    replica: Arc<Replica>,
    slots: Arc<Semaphore>,
    /// The next GET. It has not been sent yet, so later callers may join it.
    next: Mutex<Option<SharedGet>>,
    last_confirmation: Mutex<Option<Confirmation>>,
}

impl Revalidator {
    pub(crate) fn new(bucket: Arc<Bucket>, replica: Arc<Replica>) -> Self {
        Self {
            bucket,
            replica,
            slots: Arc::new(Semaphore::new(HEAD_GETS_MAX)),
            next: Mutex::default(),
            last_confirmation: Mutex::default(),
        }
    }

    /// Revalidates `head` with a GET that is sent after this call began.
    ///
    /// # Errors
    /// Returns the error of the store. All callers that share a GET get the same error.
    pub(crate) async fn revalidate(self: &Arc<Self>) -> Result<Revalidation, StoreError> {
        if let Ok(_slot) = self.slots.try_acquire() {
            return self.send().await;
        }
        let shared = lock(&self.next).get_or_insert_with(|| self.queue_next()).clone();
        shared.await
    }

    /// Returns the store's time if the store can tell without a request that the known `head` is current. Milliseconds
    /// since 1970.
    pub(crate) fn confirmed_without_request(&self) -> Option<u64> {
        self.bucket.confirms_head(&self.replica.head().etag)
    }

    /// Records a successful revalidation: the local copy was current at `sent_at`, when the GET was sent. `store_time_ms`
    /// is the store's time in the response.
    pub(crate) fn record_confirmation(&self, sent_at: Moment, store_time_ms: u64) {
        let mut last = lock(&self.last_confirmation);
        // Responses may arrive out of order. The confirmation of the GET that was sent last counts.
        if last.is_none_or(|previous| previous.sent_at.us <= sent_at.us) {
            *last = Some(Confirmation { sent_at, store_time_ms });
        }
    }

    /// Returns the store's time of the last confirmation if it is younger than `max_age_ms`. Milliseconds since 1970.
    pub(crate) fn confirmed_within(&self, max_age_ms: u64) -> Option<u64> {
        let confirmation = (*lock(&self.last_confirmation))?;
        let age_ms = confirmation.sent_at.age_ms(self.bucket.clock());
        (age_ms < max_age_ms).then_some(confirmation.store_time_ms)
    }

    async fn send(&self) -> Result<Revalidation, StoreError> {
        let known = self.replica.head_arc();
        let sent_at = Moment::now(self.bucket.clock());
        let fetched = self.bucket.get_head(Some(&known.etag)).await?;
        Ok(Revalidation {
            fetched,
            confirmed: known.version(),
            sent_at,
        })
    }

    /// Creates the GET that waits for a free slot. When it is sent, it leaves `next`, so that later callers create
    /// another one.
    fn queue_next(self: &Arc<Self>) -> SharedGet {
        let (slots, revalidator) = (Arc::clone(&self.slots), Arc::downgrade(self));
        let get = async move {
            let closed = || StoreError::Unknown("the engine is closed".to_owned());
            let _slot = slots.acquire_owned().await.map_err(|_| closed())?;
            let revalidator = revalidator.upgrade().ok_or_else(closed)?;
            lock(&revalidator.next).take();
            revalidator.send().await
        };
        get.boxed().shared()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
