//! [`Measured`]: a store that counts its calls and can be as slow as a bucket, and a stopwatch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bespoke_storage::clock::SystemStorageClock;
use bespoke_storage::{ETag, Fetched, Listed, ObjectStore, PutCondition, StorageClock, StoreError};
use bytes::Bytes;

/// A store that counts calls and bytes.
#[derive(Clone)]
pub(crate) struct Measured {
    inner: Arc<dyn ObjectStore>,
    /// Additional duration of each call, in milliseconds.
    pub(crate) delay_ms: u64,
    calls: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

impl Measured {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, delay_ms: u64) -> Self {
        Self {
            inner,
            delay_ms,
            calls: Arc::default(),
            sent: Arc::default(),
        }
    }

    /// Returns the numbers of calls and of sent bytes since the start.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    async fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        }
    }
}

#[async_trait]
impl ObjectStore for Measured {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.call().await;
        self.inner.get(key, if_none_match).await
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.call().await;
        self.inner.get_range(key, offset, length).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        self.call().await;
        self.sent.fetch_add(body.len() as u64, Ordering::Relaxed);
        self.inner.put(key, body, condition).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}

/// Measures time and processor time since its creation.
pub(crate) struct Stopwatch {
    clock: SystemStorageClock,
    processor_ms: f64,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            clock: SystemStorageClock::new(),
            processor_ms: processor_ms(),
        }
    }

    /// The time since the start, in milliseconds.
    pub(crate) fn ms(&self) -> f64 {
        self.clock.monotonic_us() as f64 / 1_000.0
    }

    /// Processor time of all threads of this process, in milliseconds.
    pub(crate) fn processor_ms(&self) -> f64 {
        processor_ms() - self.processor_ms
    }
}

fn processor_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
