//! [`Restorer`]: restores an earlier state under a new epoch, from the objects that `head`, trash and history still
//! name.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::stream::{FuturesOrdered, TryStreamExt};

use crate::commit::base::BaseWriter;
use crate::commit::error::CommitError;
use crate::commit::lock::HeadLock;
use crate::commit::publisher::Publisher;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::{Error, NotRestorable};
use crate::format::delta::Delta;
use crate::format::head::{Branch, Head};
use crate::format::history::{self, Commit, HistoryKey};
use crate::format::keys::{HISTORY_PREFIX, TRASH_PREFIX};
use crate::format::trash::Trash;
use crate::limits::{
    BUSY_BACKOFF_MIN_MS, LOCK_WAIT_MAX_MS, LOSSES_BEFORE_LOCK, MAINTENANCE_ATTEMPTS, PARALLEL_OBJECTS, RESTORABLE_MS,
};
use crate::maintenance::objects::fetch_trash;
use crate::maintenance::timeline::{Cuts, Route, Timeline};
use crate::store::Bucket;
use crate::sync::assembly::{Assembler, Check};
use crate::sync::error::SyncError;
use crate::sync::objects;
use crate::sync::synchronizer::Synchronizer;
use crate::tasks::Tasks;
use crate::version::{Version, VersionRange};

/// The state to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestorePoint {
    /// The state of this version.
    At(Version),
    /// The newest state that was committed by this time. Milliseconds since 1970.
    Before(u64),
}

/// The result of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The version whose content was restored.
    pub from: Version,
    /// The new version with that content.
    pub version: Version,
}

/// The state of a restore between its attempts.
#[derive(Default)]
struct RestoreProgress {
    /// The epoch in which the restore began.
    epoch: Option<u64>,
    /// Id of the base that the last attempt tried to put, and the result of the restore if that PUT succeeded.
    last_put: Option<(String, Restored)>,
    losses: u32,
    last_failure: String,
}

enum RestoreAttempt {
    Done(Restored),
    /// Another process holds the lock.
    Locked,
}

/// Restores earlier states.
pub(crate) struct Restorer {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) sync: Arc<Synchronizer>,
    pub(crate) assembler: Arc<Assembler>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) bases: Arc<BaseWriter>,
    pub(crate) tasks: Tasks,
}

impl Restorer {
    /// Restores the state of `point`.
    pub(crate) async fn restore(&self, point: RestorePoint) -> Result<Restored, Error> {
        let mut lock = HeadLock::new(
            Arc::clone(&self.bucket),
            Arc::clone(&self.replica),
            Arc::clone(&self.sync),
            Arc::clone(&self.publisher),
        );
        let restored = self.restore_with(point, &mut lock).await;
        lock.release().await;
        restored
    }

    /// Lists the states that can be restored now, in ascending order.
    pub(crate) async fn restorable(&self) -> Result<Vec<VersionRange>, Error> {
        let mut last_failure = String::new();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            let date_ms = self.sync.refresh().await?;
            match self.timeline(&self.replica.head_arc(), date_ms).await {
                Ok(timeline) => return Ok(timeline.ranges()),
                Err(CommitError::Failed(error)) => return Err(error),
                Err(CommitError::Lost(detail) | CommitError::Busy(detail)) => last_failure = detail,
            }
            self.bucket.pause(BUSY_BACKOFF_MIN_MS).await;
        }
        Err(Error::unavailable(format!(
            "the restorable states cannot be listed: {last_failure}"
        )))
    }

    async fn restore_with(&self, point: RestorePoint, lock: &mut HeadLock) -> Result<Restored, Error> {
        let mut progress = RestoreProgress::default();
        for _ in 0..MAINTENANCE_ATTEMPTS {
            match self.attempt(point, &mut progress, lock).await {
                Ok(RestoreAttempt::Done(restored)) => return Ok(restored),
                Ok(RestoreAttempt::Locked) => self.bucket.pause(LOCK_WAIT_MAX_MS).await,
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
        Err(Error::unavailable(format!("the restore's outcome is unknown: {last}")))
    }

    async fn attempt(
        &self,
        point: RestorePoint,
        progress: &mut RestoreProgress,
        lock: &mut HeadLock,
    ) -> Result<RestoreAttempt, CommitError> {
        let date_ms = self.sync.refresh().await?;
        let mut known = self.replica.head_arc();
        self.sync.check_writable(&known.head.json)?;
        if let Some((base, restored)) = &progress.last_put
            && *base == known.head.json.base.id
        {
            return Ok(RestoreAttempt::Done(*restored));
        }
        if *progress.epoch.get_or_insert(known.head.json.epoch) != known.head.json.epoch {
            let detail = "another restore took place meanwhile: look at the current state before repeating";
            return Err(CommitError::Failed(Error::unavailable(detail)));
        }
        if lock.is_held_by_other(&known, date_ms) {
            return Ok(RestoreAttempt::Locked);
        }
        if progress.losses >= LOSSES_BEFORE_LOCK && !lock.is_held_in(&known) {
            known = lock.acquire(&known, date_ms).await?;
        }
        let (from, next) = self.build(&known, point, date_ms).await?;
        let version = next.json.version();
        let restored = Restored { from, version };
        progress.last_put = Some((next.json.base.id.clone(), restored));
        let put = self.publisher.put_head(next, &known.etag, date_ms).await?;
        lock.record_release();
        self.sync.sync_to(put).await?;
        Ok(RestoreAttempt::Done(restored))
    }

    /// Finds all restorable states. Objects that garbage collection may be about to delete are ignored.
    async fn timeline(&self, known: &KnownHead, date_ms: u64) -> Result<Timeline, CommitError> {
        let mut heads = vec![Cuts::of(None, &known.head)];
        let mut in_flight = FuturesOrdered::new();
        for key in self.list_young(TRASH_PREFIX, date_ms).await? {
            if in_flight.len() >= PARALLEL_OBJECTS {
                heads.extend(in_flight.try_next().await?);
            }
            in_flight.push_back(async move {
                let head = fetch_trash(&self.bucket, &key).await?.head;
                Ok::<_, CommitError>(Cuts::of(Some(key), &head))
            });
        }
        while let Some(head) = in_flight.try_next().await? {
            heads.push(head);
        }
        let history = self.list_young(HISTORY_PREFIX, date_ms).await?;
        Ok(Timeline::new(
            heads,
            history.iter().filter_map(|key| HistoryKey::parse(key)).collect(),
        ))
    }

    async fn list_young(&self, prefix: &str, date_ms: u64) -> Result<Vec<String>, CommitError> {
        let listed = self.bucket.list(prefix).await?;
        let young = listed
            .into_iter()
            .filter(|object| date_ms < object.last_modified_ms + RESTORABLE_MS);
        Ok(young.map(|object| object.key).collect())
    }

    /// Returns the version to restore, and the successor of `known` with the content of that version.
    ///
    /// All objects of the successor were read. A trash object was stored with the names that the successor removes from
    /// `head`.
    async fn build(
        &self,
        known: &Arc<KnownHead>,
        point: RestorePoint,
        date_ms: u64,
    ) -> Result<(Version, Head), CommitError> {
        let timeline = self.timeline(known, date_ms).await?;
        let version = self.version_at(&timeline, point, date_ms).await?;
        let routes = timeline.routes(version).map_err(Error::NotRestorable)?;
        let mut missing = String::new();
        for route in &routes {
            match self.build_by(known, route, version).await {
                Ok((target, page_count, checksum)) => {
                    let mut next = self.successor(known, &target, date_ms).await?;
                    (next.json.page_count, next.json.checksum) = (page_count, checksum);
                    return Ok((version, next));
                }
                Err(SyncError::Missing(key)) => missing = key,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::NotRestorable(NotRestorable::Gone { version, key: missing }).into())
    }

    async fn version_at(&self, timeline: &Timeline, point: RestorePoint, date_ms: u64) -> Result<Version, CommitError> {
        let wanted_ms = match point {
            RestorePoint::At(version) => return Ok(version),
            RestorePoint::Before(wanted_ms) => wanted_ms,
        };
        // The clock of the process that committed a state may be ahead of the clock of this process.
        let now_ms = self.bucket.now_ms(date_ms).max(date_ms);
        if wanted_ms > now_ms {
            return Err(Error::NotRestorable(NotRestorable::Future { wanted_ms, now_ms }).into());
        }
        let mut history = Vec::new();
        if let Some(object) = timeline.history_at(wanted_ms) {
            let epoch = object.epoch;
            let commits = self.commits(object).await?;
            let version = |commit: &Commit| Version { epoch, seq: commit.seq };
            history.extend(commits.iter().map(|commit| (version(commit), commit.stamp.at_ms)));
        }
        Ok(timeline.newest_at(wanted_ms, &history).map_err(Error::NotRestorable)?)
    }

    async fn commits(&self, object: &HistoryKey) -> Result<Vec<Commit>, SyncError> {
        let body = objects::fetch(&self.bucket, &object.key).await?;
        Ok(history::decode(object, &body)?)
    }

    /// Builds the `head` at the end of `route`, and returns it with its page count and its checksum.
    async fn build_by(
        &self,
        known: &Arc<KnownHead>,
        route: &Route<'_>,
        version: Version,
    ) -> Result<(Arc<KnownHead>, u32, u64), SyncError> {
        let start = match &route.head.key {
            None => known.head.clone(),
            Some(key) => Trash::decode(key, &objects::fetch(&self.bucket, key).await?)?.head,
        };
        let mut head = start.cut_back_to(route.cut);
        if !route.history.is_empty() {
            self.append_history(&mut head, route, version.seq).await?;
        }
        if start.json.schema < head.json.schema {
            // A migration followed the cut. Only the current `head` contains the versions of code that can read and write
            // the schema of the migration.
            let (json, newest) = (&mut head.json, &known.head.json);
            json.min_reader = json.min_reader.max(newest.min_reader);
            json.min_writer = json.min_writer.max(newest.min_writer);
        }
        let target = Arc::new(KnownHead {
            head,
            etag: known.etag.clone(),
            last_modified_ms: known.last_modified_ms,
        });
        let file = self.assembler.assemble(&target, Check::Digests).await?;
        let (page_count, checksum) = (file.page_count(), file.finish()?);
        Ok((target, page_count, checksum))
    }

    /// Appends the history of `route` up to state `seq` to `head`, as one segment. The segment also contains the tail,
    /// because segments precede the tail.
    async fn append_history(&self, head: &mut Head, route: &Route<'_>, seq: u64) -> Result<(), SyncError> {
        let from = head.json.tail.first().map_or(route.cut, |entry| entry.from);
        let mut deltas = head.tail_after(0)?;
        let (mut reached_seq, mut stamp) = (route.cut, head.json.last_stamp());
        for object in &route.history {
            let commits = self.commits(object).await?;
            for commit in commits.into_iter().filter(|commit| commit.seq <= seq) {
                if commit.seq == reached_seq + 1 {
                    (reached_seq, stamp) = (commit.seq, commit.stamp);
                    deltas.push(commit.delta);
                }
            }
        }
        if reached_seq != seq || deltas.iter().any(|delta| delta.page_size != head.json.page_size) {
            return Err(Error::Corrupt(format!("history does not lead to the state {seq}")).into());
        }
        let body = self.tasks.blocking(move || Delta::encode_merged(deltas)).await??;
        let segment = self.publisher.put_segment(from, seq, stamp, body).await;
        let segment = segment.map_err(|error| match error {
            CommitError::Failed(error) => SyncError::Failed(error),
            CommitError::Lost(detail) | CommitError::Busy(detail) => SyncError::Failed(Error::unavailable(detail)),
        })?;
        head.json.tail.clear();
        head.blobs.clear();
        head.json.segments.push(segment);
        head.json.seq = seq;
        head.json.schema = stamp.schema;
        Ok(())
    }

    /// Returns the successor of `known` with the content of `target`. First it stores a trash object with the names that
    /// the successor removes from `head`.
    async fn successor(
        &self,
        known: &Arc<KnownHead>,
        target: &Arc<KnownHead>,
        date_ms: u64,
    ) -> Result<Head, CommitError> {
        let target_objects: HashSet<_> = self.bases.named_objects(target).await?;
        let current_objects = self.bases.named_objects(known).await?;
        let trash = Trash {
            names: current_objects.difference(&target_objects).cloned().collect(),
            head: known.head.clone(),
        };
        self.publisher.put_trash(&trash).await?;
        let current = &known.head.json;
        let at_ms = self.bucket.now_ms(date_ms).max(current.last_stamp().at_ms);
        let mut next = target.head.clone();
        let json = &mut next.json;
        json.last_stamp_mut().at_ms = at_ms;
        json.epoch = current.epoch + 1;
        json.branch = Some(Branch {
            epoch: json.epoch,
            seq: json.seq,
            at_ms,
        });
        json.nonce = self.bucket.fresh_nonce();
        json.base.id = self.bucket.fresh_name();
        json.lock = None;
        json.floor_ms = current.floor_ms;
        json.unknown = current.unknown.clone();
        Ok(next)
    }
}
