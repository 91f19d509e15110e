//! [`Committer`]: commits one staged batch. It stores the objects that the batch needs, puts `head`, and moves the
//! pages into the local file.

use std::sync::Arc;

use bytes::Bytes;

use crate::ablation::Ablation;
use crate::commit::base::{BaseState, BaseWriter};
use crate::commit::error::CommitError;
use crate::commit::placement::{self, Placement};
use crate::commit::publisher::Publisher;
use crate::commit::staging::{StagedCommit, Staging};
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::copy::row_changes::{Change, OnChange};
use crate::copy::snapshot::Snapshot;
use crate::error::Error;
use crate::format::delta::Delta;
use crate::format::head::{Segment, Stamp};
use crate::format::head_edit::{CommitEdit, StoredObjects};
use crate::format::history;
use crate::limits::{PARALLEL_OBJECTS, Tuning};
use crate::store::Bucket;
use crate::tasks::Tasks;

/// Commits staged batches.
pub(crate) struct Committer {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) bases: Arc<BaseWriter>,
    pub(crate) tasks: Tasks,
    pub(crate) tuning: Tuning,
    pub(crate) on_change: Option<OnChange>,
    /// A running compaction holds this lock. While it does, more segments are allowed.
    pub(crate) compacting: Arc<tokio::sync::Mutex<()>>,
    pub(crate) ablation: Option<Ablation>,
    /// Random id of the writer of this process, in the list of recent writers of `head`.
    pub(crate) writer_id: String,
}

impl Committer {
    /// Commits `staged`, a batch that was run on the state `known`. When this returns, the batch is committed but not
    /// yet in the local file.
    pub(crate) async fn commit(
        &self,
        known: &Arc<KnownHead>,
        staged: &Arc<StagedCommit>,
        date_ms: u64,
    ) -> Result<Arc<KnownHead>, CommitError> {
        let placement = placement::choose(
            &known.head,
            &staged.delta,
            staged.encoded.len(),
            self.segments_max(),
            &self.tuning,
        );
        let stored = match placement {
            Placement::Inline => StoredObjects::None,
            Placement::SpillTail => StoredObjects::Tail(self.spill_tail(known).await?),
            Placement::SpillAll => StoredObjects::Segments(self.spill_all(known, staged.encoded.clone()).await?),
            Placement::NewBase => {
                let state = BaseState {
                    snapshot: self.snapshot_after(known, staged)?,
                    seq: known.head.json.seq + 1,
                    stamp: Stamp::default(),
                };
                StoredObjects::Base(self.bases.store(known, state, PARALLEL_OBJECTS).await?)
            }
        };
        let edit = CommitEdit {
            stored,
            delta: staged.encoded.clone(),
            page_count: staged.delta.page_count,
            checksum: staged.checksum,
            schema: staged.schema,
            nonce: self.bucket.fresh_nonce(),
            at_ms: self.bucket.now_ms(date_ms),
            writer: self.writer_id.clone(),
        };
        let head = known.head.after_commit(edit);
        self.publisher.put_head(head, &known.etag, date_ms).await
    }

    /// Returns the number of segments at which a commit writes a new base instead of another segment.
    fn segments_max(&self) -> usize {
        if self.compacting.try_lock().is_err() {
            self.tuning.segments_max_during_compaction
        } else {
            self.tuning.segments_max
        }
    }

    /// Takes a snapshot of the database as it will be after `staged`.
    fn snapshot_after(&self, known: &KnownHead, staged: &StagedCommit) -> Result<Arc<Snapshot>, CommitError> {
        let copy = self.replica.copy();
        if copy.generation != staged.generation || copy.dirty {
            return Err(CommitError::Lost("the local copy has changed".to_owned()));
        }
        let snapshot = copy.snapshot(known.head.json.page_size, Some(&staged.delta));
        snapshot.map_err(|error| Error::from(error).into())
    }

    /// Stores the tail as one segment, for readers, and as history, for restores.
    async fn spill_tail(&self, known: &Arc<KnownHead>) -> Result<Segment, CommitError> {
        let (segment, history) = tokio::join!(self.put_tail(known), self.put_history(known));
        history?;
        segment
    }

    /// Stores the tail and the new delta as segments. A segment with a single commit also serves as its history.
    async fn spill_all(&self, known: &Arc<KnownHead>, delta: Bytes) -> Result<Vec<Segment>, CommitError> {
        let json = &known.head.json;
        let put_delta = self
            .publisher
            .put_segment(json.seq, json.seq + 1, Stamp::default(), delta);
        if json.tail.is_empty() {
            return Ok(vec![put_delta.await?]);
        }
        let (tail, delta) = tokio::join!(self.spill_tail(known), put_delta);
        Ok(vec![tail?, delta?])
    }

    async fn put_tail(&self, known: &Arc<KnownHead>) -> Result<Segment, CommitError> {
        let json = &known.head.json;
        let from = json.tail.first().map_or(json.seq, |entry| entry.from);
        let body = match known.head.blobs.as_slice() {
            [only] => only.clone(),
            _ => {
                let known = Arc::clone(known);
                let merge = move || Delta::encode_merged(known.head.tail_after(0)?);
                self.tasks.blocking(merge).await??
            }
        };
        self.publisher
            .put_segment(from, json.seq, json.last_stamp(), body)
            .await
    }

    /// Stores the commits of the tail one by one, unless there is only one, because its segment serves as history.
    async fn put_history(&self, known: &Arc<KnownHead>) -> Result<(), CommitError> {
        if known.head.blobs.len() < 2 || self.ablation == Some(Ablation::NoHistory) {
            return Ok(());
        }
        let (known, name) = (Arc::clone(known), self.bucket.fresh_name());
        let encode = move || history::encode(&known.head, &name);
        match self.tasks.blocking(encode).await?? {
            Some((key, body)) => self.publisher.put_object(&key, body).await,
            None => Ok(()),
        }
    }

    /// Moves a committed batch from SQLite's log into the local file. Blocks until the current reads have ended.
    ///
    /// The batch is committed even if this fails. In that case the copy stays dirty and will be replaced.
    pub(crate) fn accept(&self, session: &mut dyn Staging, staged: &StagedCommit, committed: &Arc<KnownHead>) {
        let mut copy = self.replica.copy_mut();
        if copy.generation != staged.generation || copy.dirty {
            // Normally a reader found this commit in `head` before the response to the PUT arrived, and has applied this
            // version or a newer one. If the copy has changed for another reason, it lacks the commit, so it must not be
            // read.
            let _ = session.discard();
            copy.dirty |= copy.version < committed.version();
            self.replica.publish(committed);
            return;
        }
        copy.dirty = true;
        self.replica.close_readers();
        copy.save_for_snapshots(&staged.delta);
        match session.checkpoint(&copy, &staged.delta) {
            Ok(()) => {
                copy.record_change(&staged.delta, staged.checksum);
                let (from, to) = (copy.version, committed.version());
                copy.version = to;
                if let (Some(on_change), Some(rows)) = (&self.on_change, &staged.rows) {
                    on_change(&Change { from, to, rows });
                }
                copy.dirty = false;
            }
            Err(error) => {
                tracing::warn!(%error, "the local copy could not be updated; it will be replaced");
                let _ = session.discard();
            }
        }
        self.replica.publish(committed);
    }
}
