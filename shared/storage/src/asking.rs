//! Asking the store whether `head` moved: alone while few do, together where many wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

use crate::environment::Clock;
use crate::limits::HEAD_GETS_MAX;
use crate::replica::Replica;
use crate::store::{Fetched, StoreError};
use crate::version::Version;

/// What the store answered, and what that says.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) fetched: Fetched,
    /// What was known when the question was put: "not modified" vouches for that.
    pub(crate) known: Version,
    /// When it was put.
    pub(crate) began: Moment,
}

/// A moment on both clocks of this process: the one stands still while the machine sleeps, the other can be set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// On the monotonic scale. Microseconds.
    us: u64,
    /// Milliseconds since 1970.
    unix_ms: u64,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self {
            us: clock.monotonic_us(),
            unix_ms: clock.unix_ms(),
        }
    }

    /// What has passed since then by the clock that says more. Milliseconds.
    fn age_ms(&self, clock: &dyn Clock) -> u64 {
        let now = Self::now(clock);
        let passed_ms = now.us.saturating_sub(self.us).div_ceil(1_000);
        passed_ms.max(now.unix_ms.abs_diff(self.unix_ms))
    }
}

/// The local copy was the newest when the store was asked.
#[derive(Debug, Clone, Copy)]
struct Vouched {
    asked: Moment,
    /// The store's clock in its answer. Milliseconds since 1970.
    date_ms: u64,
}

type Question = Shared<BoxFuture<'static, Result<Asked, StoreError>>>;

/// The questions of one process.
pub(crate) struct Asking {
    places: Arc<Semaphore>,
    /// Not put yet, so whoever comes now may share it.
    next: Mutex<Option<Question>>,
    vouched: Mutex<Option<Vouched>>,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(HEAD_GETS_MAX)),
            next: Mutex::default(),
            vouched: Mutex::default(),
        }
    }
}

impl Asking {
    fn next(&self) -> MutexGuard<'_, Option<Question>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vouched(&self) -> MutexGuard<'_, Option<Vouched>> {
        self.vouched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local copy was the newest when the store was asked, and the store's clock said this. Milliseconds since 1970.
    pub(crate) fn was_newest(&self, asked: Moment, date_ms: u64) {
        let mut vouched = self.vouched();
        if vouched.is_none_or(|before| before.asked.us <= asked.us) {
            *vouched = Some(Vouched { asked, date_ms });
        }
    }
}

impl Replica {
    /// Asks for `head`, by a question that is put after this call began.
    pub(crate) async fn ask(self: &Arc<Self>) -> Result<Asked, StoreError> {
        if let Ok(_place) = self.asking.places.try_acquire() {
            return self.ask_now().await;
        }
        let shared = self.asking.next().get_or_insert_with(|| self.next_question()).clone();
        shared.await
    }

    async fn ask_now(&self) -> Result<Asked, StoreError> {
        let known = self.known.load_full();
        let began = Moment::now(&*self.clock);
        let fetched = self.get_head(Some(&known.etag)).await?;
        Ok(Asked {
            fetched,
            known: known.version(),
            began,
        })
    }

    /// Waits for a place, and from then on is nobody's to share who comes later.
    fn next_question(self: &Arc<Self>) -> Question {
        let (places, replica) = (Arc::clone(&self.asking.places), Arc::downgrade(self));
        let question = async move {
            let gone = || StoreError::Unknown("the engine is closed".to_owned());
            let _place = places.acquire_owned().await.map_err(|_| gone())?;
            let replica = replica.upgrade().ok_or_else(gone)?;
            replica.asking.next().take();
            replica.ask_now().await
        };
        question.boxed().shared()
    }

    /// What the store's clock said when it vouched for the local copy, where that is less than `age_ms` ago. Milliseconds since 1970.
    pub(crate) fn date_if_younger_than(&self, age_ms: u64) -> Option<u64> {
        let vouched = (*self.asking.vouched())?;
        (vouched.asked.age_ms(&*self.clock) < age_ms).then_some(vouched.date_ms)
    }
}
