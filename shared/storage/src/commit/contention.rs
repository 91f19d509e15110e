//! [`ContentionWindow`]: decides when a writer may commit without first revalidating `head`.

use crate::copy::replica::Replica;
use crate::limits::{CONTENDED_MS, HEAD_TRUSTED_COMMITS, HEAD_TRUSTED_MS};
use crate::store::Bucket;
use crate::sync::revalidation::Revalidator;

/// The state of the current contention window: consecutive commits of one process after one revalidation.
///
/// Within a window, a commit takes one request, because the conditional PUT of `head` reveals whether the local copy was
/// current. A process that must revalidate first loses the race against a process inside its window, so that a window
/// makes commits cheap even under contention. To be fair, a process that ends a window while others write pauses for
/// as long as the window was busy.
#[derive(Default)]
pub(crate) struct ContentionWindow {
    /// The number of commits in the window.
    commits: u32,
    must_revalidate: bool,
    /// Total duration of the accepted attempts of the window, in microseconds.
    busy_us: u64,
    /// Start of the current attempt, on the clock's monotonic scale, in microseconds.
    began_us: u64,
    /// Time of the last accepted commit, on the same scale, in microseconds.
    last_us: u64,
    /// Other processes are assumed to write until then, on the same scale, in microseconds.
    contended_until_us: u64,
}

impl ContentionWindow {
    /// Begins an attempt. Returns the store's time of the last revalidation if the writer may commit without another
    /// one. Milliseconds since 1970.
    pub(crate) async fn begin_attempt(
        &mut self,
        bucket: &Bucket,
        replica: &Replica,
        revalidator: &Revalidator,
    ) -> Option<u64> {
        self.began_us = bucket.clock().monotonic_us();
        let revalidated_ms = self.trusted_revalidation_ms(replica, revalidator);
        if revalidated_ms.is_none() {
            if self.began_us < self.contended_until_us {
                let idle_us = self.began_us.saturating_sub(self.last_us);
                bucket.pause(self.busy_us.saturating_sub(idle_us) / 1_000).await;
            }
            // The next window begins.
            (self.commits, self.busy_us, self.must_revalidate) = (0, 0, false);
            self.began_us = bucket.clock().monotonic_us();
        }
        revalidated_ms
    }

    fn trusted_revalidation_ms(&self, replica: &Replica, revalidator: &Revalidator) -> Option<u64> {
        if self.must_revalidate || self.commits >= HEAD_TRUSTED_COMMITS {
            return None;
        }
        let is_locked = replica.head().head.json.lock.is_some();
        if is_locked || replica.copy().is_lost() {
            return None;
        }
        revalidator.confirmed_within(HEAD_TRUSTED_MS)
    }

    /// Makes the next attempt revalidate.
    pub(crate) fn require_revalidation(&mut self) {
        self.must_revalidate = true;
    }

    /// Records that the attempt was accepted.
    pub(crate) fn record_commit(&mut self, bucket: &Bucket) {
        self.last_us = bucket.clock().monotonic_us();
        self.busy_us += self.last_us.saturating_sub(self.began_us);
        self.commits += 1;
    }

    /// Records that another process writes too. The next attempt revalidates.
    pub(crate) fn record_contention(&mut self, bucket: &Bucket) {
        self.must_revalidate = true;
        self.busy_us = 0;
        self.contended_until_us = bucket.clock().monotonic_us().saturating_add(CONTENDED_MS * 1_000);
    }
}
