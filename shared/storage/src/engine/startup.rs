//! [`StartRetry`]: retries the start of a process while the store does not respond.

use std::sync::Arc;

use crate::error::Error;
use crate::limits::{BUSY_BACKOFF_MAX_MS, BUSY_BACKOFF_MIN_MS, START_PATIENCE_MS};
use crate::store::Bucket;

/// The retries of one start. They share one time limit.
pub(crate) struct StartRetry {
    bucket: Arc<Bucket>,
    /// The end of the retries, on the clock's monotonic scale, in microseconds.
    ends_us: u64,
    backoff_ms: u64,
}

impl StartRetry {
    pub(crate) fn new(bucket: Arc<Bucket>) -> Self {
        Self {
            ends_us: bucket.clock().monotonic_us().saturating_add(START_PATIENCE_MS * 1_000),
            bucket,
            backoff_ms: BUSY_BACKOFF_MIN_MS,
        }
    }

    /// Returns whether to retry after `error`. If so, it waits first.
    pub(crate) async fn after(&mut self, error: &Error) -> bool {
        if !error.is_transient() || self.bucket.clock().monotonic_us() >= self.ends_us {
            return false;
        }
        tracing::warn!(%error, "the bucket did not respond during the start; trying again");
        self.bucket.pause(self.backoff_ms).await;
        self.backoff_ms = (self.backoff_ms * 2).min(BUSY_BACKOFF_MAX_MS);
        true
    }
}
