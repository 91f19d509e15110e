//! [`Compactor`]: keeps `head` and cold starts small while writes continue.
//!
//! A compaction prepares a new base or a merged segment from the current state. When its objects are stored, it puts
//! them into the `head` of that moment, and commits that were made meanwhile stay in `head` in addition to them. The
//! compaction gives up if another process has changed the base. It prepares the objects again if garbage collection may
//! have deleted some of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ablation::Ablation;
use crate::commit::base::{BaseState, BaseWriter};
use crate::commit::error::CommitError;
use crate::commit::lock::HeadLock;
use crate::commit::publisher::Publisher;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::Error;
use crate::format::delta::Delta;
use crate::format::head::{Base, Head, HeadJson, Segment};
use crate::format::trash::Trash;
use crate::limits::{
    BUSY_BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS, PARALLEL_CHUNKS_IN_BACKGROUND,
    PARALLEL_OBJECTS, Tuning,
};
use crate::maintenance::compaction_policy;
use crate::store::{Bucket, ETag, StoreError};
use crate::sync::error::SyncError;
use crate::sync::objects;
use crate::sync::synchronizer::Synchronizer;
use crate::tasks::Tasks;

/// The condition under which a compaction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compact {
    /// If `head` has many segments, or if the segments are large compared with the database.
    WhereWorthIt,
    /// If `head` has any segment or tail entry.
    Always,
}

/// The result of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compacted {
    /// There was nothing to compact.
    NotNeeded,
    /// `head` contains the result of this compaction.
    Done,
    /// Another process changed the base first. The objects of this compaction are garbage.
    Abandoned,
}

/// The kind of a compaction.
#[derive(Clone, Copy)]
enum Goal {
    /// A new base, and the number of chunks that are stored in parallel.
    Base(Compact, usize),
    /// One segment instead of several young ones.
    MergedSegment,
}

/// The result of one attempt.
enum CompactionAttempt {
    Done(Compacted),
    /// Try again after this time, in milliseconds.
    Wait(u64),
    /// The objects are stored. The next attempt puts `head`.
    Prepared,
}

/// The objects that a compaction stored.
enum CompactedObjects {
    Base(Base),
    /// A segment, and the keys of the segments that it replaces.
    Segment(Segment, Vec<String>),
}

impl CompactedObjects {
    fn are_in(&self, head: &HeadJson) -> bool {
        match self {
            Self::Base(base) => base.id == head.base.id,
            Self::Segment(merged, _) => head.segments.iter().any(|segment| segment.key == merged.key),
        }
    }

    /// Returns the successor of `head` with these objects, or `None` if `head` does not name the segments that they
    /// replace.
    fn apply_to(&self, head: &Head, nonce: String) -> Option<Head> {
        match self {
            Self::Base(base) => Some(head.with_base(base.clone(), nonce)),
            Self::Segment(segment, keys) => head.with_merged_segment(segment, keys, nonce),
        }
    }
}

/// Stored objects that no `head` names yet.
struct Prepared {
    objects: CompactedObjects,
    /// A time before the first object was stored, by the store's clock. Milliseconds since 1970.
    began_ms: u64,
    /// ETag of `head` at that time.
    etag: ETag,
}

impl Prepared {
    /// Returns whether garbage collection certainly has not deleted any of the objects: the garbage floor is older than
    /// all of them, or `head` has not changed. The second condition matters if the store's clock was set back and the
    /// floor is in the future.
    fn is_complete(&self, known: &KnownHead) -> bool {
        known.head.json.floor_ms < self.began_ms || known.etag == self.etag
    }
}

/// The state of a compaction between its attempts.
#[derive(Default)]
struct CompactionProgress {
    /// Id of the base when the compaction began.
    base_id: Option<String>,
    prepared: Option<Prepared>,
    losses: u32,
    last_failure: String,
}

/// Runs compactions.
pub(crate) struct Compactor {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) sync: Arc<Synchronizer>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) bases: Arc<BaseWriter>,
    pub(crate) tasks: Tasks,
    pub(crate) tuning: Tuning,
    /// Held by the compaction that runs, because only one runs at a time.
    pub(crate) compacting: Arc<tokio::sync::Mutex<()>>,
    /// Whether commits start compactions.
    pub(crate) runs_after_commits: AtomicBool,
    pub(crate) ablation: Option<Ablation>,
}

impl Compactor {
    /// Writes a new base.
    pub(crate) async fn compact(self: &Arc<Self>, when: Compact) -> Result<Compacted, Error> {
        let _one_at_a_time = self.compacting.lock().await;
        self.run(Goal::Base(when, PARALLEL_OBJECTS)).await
    }

    /// Merges the young segments into one.
    pub(crate) async fn merge_segments(self: &Arc<Self>) -> Result<Compacted, Error> {
        let _one_at_a_time = self.compacting.lock().await;
        self.run(Goal::MergedSegment).await
    }

    /// Makes commits start compactions from now on.
    pub(crate) fn run_after_commits(&self) {
        self.runs_after_commits.store(true, Ordering::Relaxed);
    }

    /// Starts a compaction if the committed `head` has many or huge segments, and no compaction is running.
    pub(crate) fn start_after_commit(self: &Arc<Self>, committed: &KnownHead) {
        let head = &committed.head.json;
        let has_many_segments = head.segments.len() >= self.tuning.background_compaction_segments;
        let has_huge_segments = compaction_policy::has_huge_segments(head, &self.tuning);
        if !(has_many_segments || has_huge_segments) || !self.runs_after_commits.load(Ordering::Relaxed) {
            return;
        }
        let Ok(guard) = Arc::clone(&self.compacting).try_lock_owned() else {
            return;
        };
        let mergeable = compaction_policy::mergeable_segments(&head.segments).len();
        let goal = if has_huge_segments || mergeable * 2 < head.segments.len() {
            Goal::Base(Compact::WhereWorthIt, PARALLEL_CHUNKS_IN_BACKGROUND)
        } else {
            Goal::MergedSegment
        };
        let compactor = Arc::clone(self);
        self.tasks.spawn(Box::pin(async move {
            let _one_at_a_time = guard;
            if let Err(error) = compactor.run(goal).await {
                tracing::warn!(%error, "a compaction after a commit failed");
            }
        }));
    }

    /// Runs a compaction. The caller must hold `compacting`.
    async fn run(&self, goal: Goal) -> Result<Compacted, Error> {
        let mut lock = HeadLock::new(
            Arc::clone(&self.bucket),
            Arc::clone(&self.replica),
            Arc::clone(&self.sync),
            Arc::clone(&self.publisher),
        );
        let compacted = self.run_with(goal, &mut lock).await;
        lock.release().await;
        compacted
    }

    async fn run_with(&self, goal: Goal, lock: &mut HeadLock) -> Result<Compacted, Error> {
        let mut progress = CompactionProgress::default();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.attempt(goal, &mut progress, lock).await {
                Ok(CompactionAttempt::Done(compacted)) => return Ok(compacted),
                Ok(CompactionAttempt::Wait(ms)) => self.bucket.pause(ms).await,
                Ok(CompactionAttempt::Prepared) => {}
                Err(CommitError::Lost(detail)) => {
                    progress.losses += 1;
                    progress.last_failure = detail;
                }
                Err(CommitError::Busy(detail)) => {
                    progress.last_failure = detail;
                    self.bucket.pause(BUSY_BACKOFF_MIN_MS).await;
                }
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        let last = progress.last_failure;
        Err(Error::unavailable(format!("the compaction gave up: {last}")))
    }

    /// Prepares the objects or, if they are prepared and complete, puts `head`.
    async fn attempt(
        &self,
        goal: Goal,
        progress: &mut CompactionProgress,
        lock: &mut HeadLock,
    ) -> Result<CompactionAttempt, CommitError> {
        let head_change = self.publisher.head_changes.lock().await;
        let date_ms = self.sync.refresh().await?;
        let mut known = self.replica.head_arc();
        let json = &known.head.json;
        self.sync.check_writable(json)?;
        // Only a test switches this on.
        if let Some(Prepared {
            objects: CompactedObjects::Base(base),
            ..
        }) = &progress.prepared
            && self.ignores_last_outcome(&progress.last_failure)
        {
            let next = known.head.with_base(base.clone(), self.bucket.fresh_nonce());
            self.publisher.put_head(next, &known.etag, date_ms).await?;
            return Ok(CompactionAttempt::Done(Compacted::Done));
        }
        // The response to the last PUT may have been lost although the PUT succeeded.
        if progress
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.objects.are_in(json))
        {
            return Ok(CompactionAttempt::Done(Compacted::Done));
        }
        if *progress.base_id.get_or_insert_with(|| json.base.id.clone()) != json.base.id {
            return Ok(CompactionAttempt::Done(Compacted::Abandoned));
        }
        if !self.is_worthwhile(json, goal) {
            return Ok(CompactionAttempt::Done(Compacted::NotNeeded));
        }
        let ignores_floor = self.ablation == Some(Ablation::CompactionForgetsFloor);
        let is_complete = |prepared: &&Prepared| ignores_floor || prepared.is_complete(&known);
        let Some(prepared) = progress.prepared.as_ref().filter(is_complete) else {
            drop(head_change);
            progress.prepared = Some(Prepared {
                objects: self.store_objects(goal, &known).await?,
                began_ms: date_ms,
                etag: known.etag.clone(),
            });
            return Ok(CompactionAttempt::Prepared);
        };
        if lock.is_held_by_other(&known, date_ms) {
            return Ok(CompactionAttempt::Wait(LOCK_WAIT_MAX_MS));
        }
        if progress.losses >= LOSSES_BEFORE_LOCK && !lock.is_held_in(&known) {
            known = lock.acquire(&known, date_ms).await?;
        }
        let Some(next) = prepared.objects.apply_to(&known.head, self.bucket.fresh_nonce()) else {
            return Ok(CompactionAttempt::Done(Compacted::Abandoned));
        };
        let compacted = self.publisher.put_head(next, &known.etag, date_ms).await?;
        lock.record_release();
        self.replica.publish(&compacted);
        Ok(CompactionAttempt::Done(Compacted::Done))
    }

    /// Returns whether a test switched off the check of the last attempt's outcome.
    fn ignores_last_outcome(&self, last_failure: &str) -> bool {
        let was_rejected = last_failure == StoreError::PreconditionFailed.to_string();
        match self.ablation {
            Some(Ablation::CompactionReapplied) => !was_rejected,
            Some(Ablation::NoBaseIds) => was_rejected,
            _ => false,
        }
    }

    fn is_worthwhile(&self, head: &HeadJson, goal: Goal) -> bool {
        match goal {
            Goal::Base(Compact::Always, _) => !head.segments.is_empty() || !head.tail.is_empty(),
            Goal::Base(Compact::WhereWorthIt, _) => {
                head.segments.len() > self.tuning.compaction_segments || compaction_policy::has_large_segments(head)
            }
            Goal::MergedSegment => compaction_policy::mergeable_segments(&head.segments).len() > 1,
        }
    }

    async fn store_objects(&self, goal: Goal, known: &KnownHead) -> Result<CompactedObjects, CommitError> {
        match goal {
            Goal::Base(_, parallel) => {
                let state = self.current_state(known)?;
                Ok(CompactedObjects::Base(self.bases.store(known, state, parallel).await?))
            }
            Goal::MergedSegment => {
                let segments = compaction_policy::mergeable_segments(&known.head.json.segments);
                self.store_merged_segment(known, segments).await
            }
        }
    }

    /// Stores one segment with the effect of `segments`, and a trash object with their names.
    async fn store_merged_segment(
        &self,
        known: &KnownHead,
        segments: &[Segment],
    ) -> Result<CompactedObjects, CommitError> {
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return Err(Error::Corrupt("nothing to merge".to_owned()).into());
        };
        let keys: Vec<_> = segments.iter().map(|segment| segment.key.clone()).collect();
        let bodies = objects::fetch_all(&self.bucket, keys.clone()).await?;
        let parts = segments.to_vec();
        let merge = move || {
            let deltas = objects::decode_segments(&parts, &bodies)?;
            Delta::encode_merged(deltas).map_err(SyncError::from)
        };
        let body = self.tasks.blocking(merge).await??;
        let trash = Trash {
            names: keys.clone(),
            head: known.head.clone(),
        };
        self.publisher.put_trash(&trash).await?;
        let segment = self
            .publisher
            .put_segment(first.from, last.to, last.stamp, body)
            .await?;
        Ok(CompactedObjects::Segment(segment, keys))
    }

    /// Takes a snapshot of the local copy, which must be at `known`.
    fn current_state(&self, known: &KnownHead) -> Result<BaseState, CommitError> {
        let copy = self.replica.copy();
        let json = &known.head.json;
        let is_at_known = copy.version == known.version() && copy.matches(json.page_count, json.checksum);
        if copy.dirty || !is_at_known {
            return Err(CommitError::Lost("the local copy has changed".to_owned()));
        }
        Ok(BaseState {
            snapshot: copy.snapshot(json.page_size, None).map_err(Error::from)?,
            seq: json.seq,
            stamp: json.last_stamp(),
        })
    }
}
