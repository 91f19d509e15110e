//! [`ContentionWindow`]: decides when a writer may commit, so that the writers of all processes commit in rotation.

use crate::copy::replica::Replica;
use crate::error::Error;
use crate::format::head::{HeadJson, RecentWriter};
use crate::limits::{
    ACTIVE_WRITER_MS, CONTENDED_COMMITS_MIN, CONTENDED_MS, CONTENDED_WINDOW_MS, HEAD_TRUSTED_COMMITS, HEAD_TRUSTED_MS,
    WINDOW_WAIT_MAX_MS,
};
use crate::store::Bucket;
use crate::sync::revalidation::Revalidator;
use crate::sync::synchronizer::Synchronizer;
use crate::version::Version;

/// The state of the current contention window: consecutive commits of one process after one revalidation.
///
/// Within a window, a commit takes one request, because the conditional PUT of `head` reveals whether the local copy was
/// current. A process that must revalidate first loses the race against a process inside its window, so that a window
/// makes commits cheap even under contention.
///
/// If other processes write too, windows are short, and writers rotate: `head` lists the recent writers by the time of
/// their last commit. After its window, a process waits for the windows of all active writers that committed before it.
/// If such a writer does not use its window, the others continue after the duration of a window. A writer that waited in
/// vain no longer waits for it, until it commits again.
pub(crate) struct ContentionWindow {
    /// Id of this writer in the list of recent writers.
    writer_id: String,
    /// The number of commits in the window.
    commits: u32,
    must_revalidate: bool,
    /// Total duration of the accepted attempts of the window, in microseconds.
    busy_us: u64,
    /// Start of the current attempt after its revalidation, on the clock's monotonic scale, in microseconds.
    began_us: u64,
    /// Other processes are assumed to write until then, on the same scale, in microseconds.
    contended_until_us: u64,
    /// The newest version that this writer has seen, and the time when it saw it first, on the same scale.
    newest: (Version, u64),
    /// Writers that have not committed since then do not use their windows. Milliseconds since 1970.
    idle_since_ms: u64,
    /// Whether another active writer was in `head` at the last revalidation.
    has_rivals: bool,
    /// Moving average of the duration of accepted attempts, in microseconds.
    commit_us: u64,
}

/// The beginning of an attempt.
pub(crate) struct AttemptStart {
    /// The store's time of the last revalidation. Milliseconds since 1970.
    pub(crate) date_ms: u64,
    /// Whether the writer trusts an earlier revalidation.
    pub(crate) is_trusted: bool,
}

impl ContentionWindow {
    pub(crate) fn new(writer_id: String) -> Self {
        Self {
            writer_id,
            commits: 0,
            must_revalidate: false,
            busy_us: 0,
            began_us: 0,
            contended_until_us: 0,
            newest: (Version::default(), 0),
            idle_since_ms: 0,
            has_rivals: false,
            commit_us: 0,
        }
    }

    /// Begins an attempt: within the window at once, and otherwise after a revalidation that finds that no other active
    /// writer comes first.
    ///
    /// # Errors
    /// The errors of [`Synchronizer::refresh`].
    pub(crate) async fn begin_attempt(
        &mut self,
        bucket: &Bucket,
        replica: &Replica,
        sync: &Synchronizer,
    ) -> Result<AttemptStart, Error> {
        self.began_us = bucket.clock().monotonic_us();
        if let Some(date_ms) = self.trusted_revalidation_ms(replica, sync.revalidator()) {
            return Ok(AttemptStart {
                date_ms,
                is_trusted: true,
            });
        }
        (self.commits, self.busy_us, self.must_revalidate) = (0, 0, false);
        let wait_began_us = self.began_us;
        loop {
            let sent_us = bucket.clock().monotonic_us();
            let date_ms = sync.refresh().await?;
            self.began_us = bucket.clock().monotonic_us();
            let round_trip_us = self.began_us.saturating_sub(sent_us);
            let waited_us = self.began_us.saturating_sub(wait_began_us);
            let wait_us = self.wait_us(&replica.head().head.json, bucket.now_ms(date_ms), waited_us);
            if wait_us == 0 || waited_us > WINDOW_WAIT_MAX_MS * 1_000 {
                return Ok(AttemptStart {
                    date_ms,
                    is_trusted: false,
                });
            }
            // The next revalidation should find the commit after which this writer comes.
            let until_next_us = wait_us.saturating_sub(round_trip_us / 2);
            bucket.clock().sleep(until_next_us.div_ceil(1_000).max(1)).await;
        }
    }

    fn trusted_revalidation_ms(&self, replica: &Replica, revalidator: &Revalidator) -> Option<u64> {
        let is_contended = self.began_us < self.contended_until_us;
        let is_long = self.commits >= CONTENDED_COMMITS_MIN && self.busy_us >= CONTENDED_WINDOW_MS * 1_000;
        if self.must_revalidate || self.commits >= HEAD_TRUSTED_COMMITS || is_contended && is_long {
            return None;
        }
        let is_locked = replica.head().head.json.lock.is_some();
        if is_locked || replica.copy().is_lost() {
            return None;
        }
        revalidator.confirmed_within(HEAD_TRUSTED_MS)
    }

    /// Returns the time until the windows of the active writers that committed before this one should be over, in
    /// microseconds: 0 at the latest when this writer has waited as long as the windows of all active writers take.
    /// `now_ms` is the present time in milliseconds since 1970.
    fn wait_us(&mut self, head: &HeadJson, now_ms: u64, waited_us: u64) -> u64 {
        if self.newest.0 != head.version() {
            self.newest = (head.version(), self.began_us);
        }
        let own = head.writers.iter().position(|writer| writer.id == self.writer_id);
        let is_active = |writer: &&RecentWriter| {
            now_ms.abs_diff(writer.at_ms) < ACTIVE_WRITER_MS && writer.at_ms > self.idle_since_ms
        };
        let (before, after) = head.writers.split_at(own.unwrap_or_default());
        let earlier = before.iter().filter(is_active).count() as u64;
        let is_later = |writer: &&RecentWriter| writer.id != self.writer_id && is_active(writer);
        let later = after.iter().filter(is_later).count() as u64;
        self.has_rivals = earlier + later > 0;
        if self.has_rivals {
            self.extend_contention();
        }
        let unchanged_us = self.began_us.saturating_sub(self.newest.1);
        let until_own_us = (earlier * self.window_us()).saturating_sub(unchanged_us);
        let rotation_us = (earlier + later + 1) * self.window_us();
        let wait_us = until_own_us.min(rotation_us.saturating_sub(waited_us));
        // The writers before this one have not used their windows.
        if wait_us == 0
            && earlier > 0
            && let Some(last) = before.last()
        {
            self.idle_since_ms = last.at_ms;
        }
        wait_us
    }

    /// Returns the expected duration of the window of another writer, in microseconds.
    fn window_us(&self) -> u64 {
        let shortest_us = u64::from(CONTENDED_COMMITS_MIN) * self.commit_us;
        let longest_us = u64::from(HEAD_TRUSTED_COMMITS) * self.commit_us;
        shortest_us.max(CONTENDED_WINDOW_MS * 1_000).min(longest_us)
    }

    /// Returns the duration of the attempt without its waits for other writers, in milliseconds.
    pub(crate) fn attempt_ms(&self, bucket: &Bucket) -> u64 {
        bucket.clock().monotonic_us().saturating_sub(self.began_us) / 1_000
    }

    /// Whether other writers commit in rotation with this one, so that it need not wait after a lost race. Otherwise the
    /// others are unknown, for example because they run older code.
    pub(crate) fn is_in_rotation(&self) -> bool {
        self.has_rivals
    }

    /// Makes the next attempt revalidate.
    pub(crate) fn require_revalidation(&mut self) {
        self.must_revalidate = true;
    }

    /// Records that the attempt was accepted, so that `version` is the newest one.
    pub(crate) fn record_commit(&mut self, bucket: &Bucket, version: Version) {
        let now_us = bucket.clock().monotonic_us();
        let took_us = now_us.saturating_sub(self.began_us);
        self.newest = (version, now_us);
        self.busy_us += took_us;
        self.commits += 1;
        self.commit_us = match self.commit_us {
            0 => took_us,
            average_us => (average_us * 3 + took_us) / 4,
        };
    }

    /// Records that another process writes too. The next attempt revalidates.
    pub(crate) fn record_contention(&mut self, bucket: &Bucket) {
        self.must_revalidate = true;
        self.began_us = bucket.clock().monotonic_us();
        self.extend_contention();
    }

    fn extend_contention(&mut self) {
        self.contended_until_us = self.began_us.saturating_add(CONTENDED_MS * 1_000);
    }
}
