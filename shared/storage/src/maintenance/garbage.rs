//! [`GarbageCollector`]: deletes the objects that neither `head` nor a possible restore needs.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ablation::Ablation;
use crate::commit::base::BaseWriter;
use crate::commit::error::CommitError;
use crate::commit::lock::HeadLock;
use crate::commit::publisher::Publisher;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::Error;
use crate::format::head::Segment;
use crate::format::keys::{CHUNK_PREFIX, HISTORY_PREFIX, PROBE_PREFIX, SEGMENT_PREFIX, TABLE_PREFIX, TRASH_PREFIX};
use crate::limits::{BUSY_BACKOFF_MIN_MS, GARBAGE_MIN_AGE_MS, LOCK_WAIT_MAX_MS, MAINTENANCE_ATTEMPTS, TRASH_KEPT_MS};
use crate::maintenance::objects;
use crate::store::{Bucket, Listed};
use crate::sync::synchronizer::Synchronizer;

/// The prefixes of all objects that may become garbage, in the order of their keys.
///
/// The trash is last, so that a trash object is deleted after the objects that it names.
const PREFIXES: [&str; 6] = [
    CHUNK_PREFIX,
    HISTORY_PREFIX,
    PROBE_PREFIX,
    SEGMENT_PREFIX,
    TABLE_PREFIX,
    TRASH_PREFIX,
];

/// The result of a garbage collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Number of deleted objects.
    pub deleted: usize,
    /// The garbage floor: `head` must not name again an object that was created at or before this time. By the store's
    /// clock, milliseconds since 1970.
    pub floor_ms: u64,
}

/// The result of one attempt.
enum GarbageAttempt {
    Done(Collected),
    /// Another process holds the lock.
    Locked,
}

/// Deletes garbage.
pub(crate) struct GarbageCollector {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) sync: Arc<Synchronizer>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) bases: Arc<BaseWriter>,
    pub(crate) ablation: Option<Ablation>,
}

impl GarbageCollector {
    /// Collects garbage, in several attempts if other processes change `head`.
    pub(crate) async fn collect(&self) -> Result<Collected, Error> {
        let lock = HeadLock::new(
            Arc::clone(&self.bucket),
            Arc::clone(&self.replica),
            Arc::clone(&self.sync),
            Arc::clone(&self.publisher),
        );
        let mut last_failure = String::new();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.attempt(&lock).await {
                Ok(GarbageAttempt::Done(collected)) => return Ok(collected),
                Ok(GarbageAttempt::Locked) => self.bucket.pause(LOCK_WAIT_MAX_MS).await,
                Err(CommitError::Lost(detail)) => last_failure = detail,
                Err(CommitError::Busy(detail)) => {
                    last_failure = detail;
                    self.bucket.pause(BUSY_BACKOFF_MIN_MS).await;
                }
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "the garbage collection gave up: {last_failure}"
        )))
    }

    /// Lists the objects, gets `head`, raises the floor, and then deletes.
    ///
    /// The floor is raised before the deletion because of a process that has stored objects, then stalled, and is about
    /// to name them in `head`. Raising the floor changes `head`, so the PUT of that process fails, and it does not name
    /// a deleted object.
    async fn attempt(&self, lock: &HeadLock) -> Result<GarbageAttempt, CommitError> {
        let early_names = self.names_before_list().await?;
        let listed = self.list_all().await?;
        let date_ms = self.sync.refresh().await?;
        let first = self.replica.head_arc();
        self.sync.check_writable(&first.head.json)?;
        let is_young = |object: &Listed| date_ms < object.last_modified_ms + TRASH_KEPT_MS;
        let candidates = listed
            .into_iter()
            .filter(|object| !(self.is_kept_for_restores(&object.key) && is_young(object)));
        let mut kept = match &early_names {
            Some(names) => names.clone(),
            None => self.bases.named_objects(&first).await?,
        };
        // The trash is listed again after the GET of `head`. The trash object of a change is stored before the change.
        // Therefore this list contains every object that `head` no longer names, even if the trash object was stored
        // after the first list.
        let trash = self.bucket.list(TRASH_PREFIX).await?;
        for trash in trash.iter().filter(|object| is_young(object)) {
            kept.extend(objects::fetch_trash(&self.bucket, &trash.key).await?.names);
        }
        let head_change = self.publisher.head_changes.lock().await;
        let date_ms = self.sync.refresh().await?;
        let known = self.replica.head_arc();
        if lock.is_held_by_other(&known, date_ms) {
            return Ok(GarbageAttempt::Locked);
        }
        if early_names.is_none() {
            check_not_compacted(&first, &known)?;
            // Without a compaction, `head` only names additional segments.
            let segments = known.head.json.segments.iter();
            kept.extend(segments.map(|segment| segment.key.clone()));
        }
        let old_floor_ms = known.head.json.floor_ms;
        let floor_ms = old_floor_ms.max(date_ms.saturating_sub(GARBAGE_MIN_AGE_MS));
        let is_garbage = |object: &Listed| object.last_modified_ms <= floor_ms && !kept.contains(&object.key);
        let garbage: Vec<_> = candidates.filter(is_garbage).collect();
        if garbage.is_empty() {
            return Ok(GarbageAttempt::Done(Collected {
                deleted: 0,
                floor_ms: old_floor_ms,
            }));
        }
        if self.ablation != Some(Ablation::GcWithoutFloor) {
            let head = known.head.with_floor(floor_ms, self.bucket.fresh_nonce());
            let raised = self.publisher.put_head(head, &known.etag, date_ms).await?;
            self.replica.publish(&raised);
        }
        drop(head_change);
        let deleted = garbage.len();
        for object in garbage {
            self.bucket.delete(&object.key).await?;
        }
        Ok(GarbageAttempt::Done(Collected { deleted, floor_ms }))
    }

    /// Returns whether an object may be needed by a restore, though `head` does not name it.
    fn is_kept_for_restores(&self, key: &str) -> bool {
        let ignores_history = self.ablation == Some(Ablation::HistoryIsGarbage);
        key.starts_with(TRASH_PREFIX) || (key.starts_with(HISTORY_PREFIX) && !ignores_history)
    }

    async fn list_all(&self) -> Result<Vec<Listed>, CommitError> {
        let mut listed = Vec::new();
        for prefix in PREFIXES {
            listed.extend(self.bucket.list(prefix).await?);
        }
        Ok(listed)
    }

    /// Returns the objects that `head` names before the objects are listed, if a test switched off the right order.
    async fn names_before_list(&self) -> Result<Option<HashSet<String>>, CommitError> {
        if self.ablation != Some(Ablation::GetBeforeList) {
            return Ok(None);
        }
        self.sync.refresh().await?;
        self.bases.named_objects(&self.replica.head_arc()).await.map(Some)
    }
}

/// Returns [`CommitError::Lost`] if a compaction took objects out of `head` between `first` and `known`.
fn check_not_compacted(first: &KnownHead, known: &KnownHead) -> Result<(), CommitError> {
    let (first, known) = (&first.head.json, &known.head.json);
    let is_still_named = |segment: &Segment| known.segments.iter().any(|other| other.key == segment.key);
    if first.base.id != known.base.id || !first.segments.iter().all(is_still_named) {
        return Err(CommitError::Lost("another process compacted meanwhile".to_owned()));
    }
    Ok(())
}
