//! Asking the store whether `head` moved: alone while few do, together where many wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

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
    /// When it was put, on the clock's monotonic scale. Microseconds.
    pub(crate) began_us: u64,
}

type Question = Shared<BoxFuture<'static, Result<Asked, StoreError>>>;

/// The questions of one process.
pub(crate) struct Asking {
    places: Arc<Semaphore>,
    /// Not put yet, so whoever comes now may share it.
    next: Mutex<Option<Question>>,
    /// The local copy was the newest at this moment, on the clock's monotonic scale. Microseconds; 0 before the first time.
    newest_us: AtomicU64,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(HEAD_GETS_MAX)),
            next: Mutex::default(),
            newest_us: AtomicU64::new(0),
        }
    }
}

impl Asking {
    fn next(&self) -> MutexGuard<'_, Option<Question>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local copy was the newest when that question was put.
    pub(crate) fn was_newest(&self, began_us: u64) {
        self.newest_us.fetch_max(began_us, Ordering::Relaxed);
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
        let began_us = self.clock.monotonic_us();
        let fetched = self.get_head(Some(&known.etag)).await?;
        Ok(Asked {
            fetched,
            known: known.version(),
            began_us,
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

    /// Whether the local copy was the newest less than `age_ms` ago.
    pub(crate) fn is_younger_than(&self, age_ms: u64) -> bool {
        let newest_us = self.asking.newest_us.load(Ordering::Relaxed);
        let age_us = self.clock.monotonic_us().saturating_sub(newest_us);
        newest_us > 0 && age_us < age_ms.saturating_mul(1_000)
    }
}
