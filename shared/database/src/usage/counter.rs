//! [`UsageCounter`]: counts the calls that a process has served, until they are written to the database.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bespoke_core::Timestamp;
use bespoke_storage::Engine;
use hashbrown::HashMap;
use uuid::Uuid;

use super::calls::{Call, Usage};
use super::quota::{KeyQuota, NewReservation, Reservations};
use crate::day::day_of;
use crate::error::Result;

/// The age of the oldest count, in milliseconds, from which [`UsageCounter::flush`] puts the counts into the bucket.
const FLUSH_AFTER_MS: i64 = 60_000;
/// The number of entries (one per account, key and day) from which their age does not matter. They are more than a
/// megabyte.
const FLUSH_ENTRIES: usize = 10_000;
/// The maximum number of entries of a batch. A commit includes a few batches.
const BATCH_ENTRIES: usize = 500;
/// The age of the oldest count, in milliseconds, from which [`UsageCounter::offer`] gives the counts to the next commit.
const OFFER_AFTER_MS: i64 = 10_000;

/// The calls that this process has counted, and the requests that it has reserved.
pub struct UsageCounter {
    engine: Engine,
    pending: Pending,
}

impl UsageCounter {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            pending: Pending::default(),
        }
    }

    /// Counts a call in memory.
    pub fn count(&self, call: Call) {
        self.pending.count(call);
    }

    /// Returns the calls with a key on that day that this process has served and still counts in memory.
    pub fn calls_in_memory(&self, user_id: i64, key: Uuid, day: i64) -> i64 {
        let counts = self.pending.lock();
        counts
            .usage
            .get(&(user_id, Some(key), day))
            .map_or(0, |usage| usage.calls - usage.refused)
    }

    /// Takes one request out of the reservation of this process. Returns the number of requests left of the quota;
    /// `None` if none is reserved.
    pub fn take_reserved_call(&self, quota: &KeyQuota, now: Timestamp) -> Option<u64> {
        self.pending.lock().reservations.take(quota, now)
    }

    /// Returns the next reservation to make for a key. Requests that were served without a reservation become part of
    /// it.
    pub fn next_reservation(&self, quota: KeyQuota, now: Timestamp) -> NewReservation {
        let counted = self.calls_in_memory(quota.user_id, quota.key, day_of(now));
        self.pending.lock().reservations.next(quota, counted, now)
    }

    /// Records a granted reservation and serves one request of it. Returns the number of requests left of the quota;
    /// `None` if none was granted.
    pub fn record_reservation(&self, request: NewReservation, granted: (u64, u64)) -> Option<u64> {
        self.pending.lock().reservations.record(request, granted)
    }

    /// Offers the counts of this process to its next commit, unless they are very recent.
    pub fn offer(&self, now: Timestamp) {
        self.freeze(OFFER_AFTER_MS, now);
    }

    /// Puts the counts of this process into the bucket if they are due.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The counts are kept and put later.
    pub async fn flush(&self, now: Timestamp) -> Result<()> {
        if self.freeze(FLUSH_AFTER_MS, now) {
            self.engine.put_usage().await?;
        }
        Ok(())
    }

    /// Puts all counts of this process into the bucket, because the process is about to end.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The counts are lost.
    pub async fn put(&self, now: Timestamp) -> Result<()> {
        self.freeze(i64::MIN, now);
        Ok(self.engine.put_usage().await?)
    }

    /// Applies the counts in the bucket to the database. Returns the number of batches.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The call can be repeated safely.
    pub async fn merge(&self) -> Result<usize> {
        Ok(self.engine.apply_stored_usage().await?)
    }

    /// Returns the counts that are not in the database yet: those of this process up to now, and those of others up to
    /// a minute ago.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]
    pub async fn unmerged(&self) -> Result<Vec<Usage>> {
        let mut all: Vec<_> = self.pending.lock().usage.values().cloned().collect();
        let mut bodies = self.engine.frozen_usage();
        bodies.extend(self.engine.unapplied_stored_usage().await?);
        for body in bodies {
            // Unreadable batches are skipped here, and dropped when they are applied.
            all.extend(serde_json::from_slice::<Vec<Usage>>(&body).unwrap_or_default());
        }
        Ok(all)
    }

    /// Hands the counts to the engine in batches if they are due. Returns whether they were.
    fn freeze(&self, age_ms: i64, now: Timestamp) -> bool {
        let Some(usage) = self.pending.take(age_ms, now) else {
            return false;
        };
        for batch in usage.chunks(BATCH_ENTRIES) {
            let body = serde_json::to_vec(batch).expect("plain numbers always serialise");
            self.engine.freeze_usage(body);
        }
        true
    }
}

/// Counts of a process that are not in a batch yet.
#[derive(Default)]
struct Pending(Mutex<UnwrittenCounts>);

#[derive(Default)]
struct UnwrittenCounts {
    /// Time of the oldest counted call.
    oldest: Option<Timestamp>,
    /// By account, key and day.
    usage: HashMap<(i64, Option<Uuid>, i64), Usage>,
    reservations: Reservations,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, UnwrittenCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, call: Call) {
        let Call {
            user_id,
            key,
            refused,
            at,
        } = call;
        let day = day_of(at);
        let mut counts = self.lock();
        counts.oldest.get_or_insert(at);
        let usage = counts.usage.entry((user_id, key, day)).or_insert(Usage {
            user_id,
            key,
            day,
            calls: 0,
            refused: 0,
            last_ms: 0,
        });
        usage.calls += 1;
        usage.refused += i64::from(refused);
        usage.last_ms = usage.last_ms.max(at.as_millis());
    }

    /// Takes all counts if the oldest is at least `age_ms` old or there are many.
    fn take(&self, age_ms: i64, now: Timestamp) -> Option<Vec<Usage>> {
        let mut counts = self.lock();
        let is_old = counts.oldest.is_some_and(|oldest| oldest.plus_ms(age_ms) <= now);
        if !is_old && counts.usage.len() < FLUSH_ENTRIES {
            return None;
        }
        counts.oldest = None;
        counts.reservations.mark_reported();
        Some(std::mem::take(&mut counts.usage).into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_callers_do_not_flush_before_a_limit() {
        let (pending, at) = (Pending::default(), Timestamp::from_millis(0));
        let count = |user_id| {
            pending.count(Call {
                user_id,
                key: None,
                refused: false,
                at,
            });
        };
        (1..FLUSH_ENTRIES as i64).for_each(count);
        assert_eq!(pending.take(FLUSH_AFTER_MS, at), None);
        count(1);
        assert_eq!(pending.take(FLUSH_AFTER_MS, at), None);
        // The maximum number in memory.
        count(0);
        assert_eq!(
            pending.take(FLUSH_AFTER_MS, at).map(|all| all.len()),
            Some(FLUSH_ENTRIES)
        );
        // The maximum age in memory.
        count(1);
        let later = at.plus_ms(FLUSH_AFTER_MS);
        assert_eq!(pending.take(FLUSH_AFTER_MS, later).map(|all| all.len()), Some(1));
    }
}
