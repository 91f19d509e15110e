//! Carries one staged commit to the store: objects first, then `head` under its ETag, then into the local file.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Map;

use crate::base::State;
use crate::change;
use crate::checksum;
use crate::delta::Delta;
use crate::engine::Ablation;
use crate::environment::{fresh_ulid, hex_16};
use crate::error::Error;
use crate::head::{FullHead, HEAD_KEY, Segment, Stamp};
use crate::history;
use crate::limits::{CLOCK_TOLERANCE_MS, HEAD_TIMEOUT_MS, OBJECT_TIMEOUT_MS, PARALLEL_OBJECTS};
use crate::past::Past;
use crate::plan::{self, Change, Moved, Way};
use crate::replica::{Known, Replica, within};
use crate::stage::{Staged, Staging};
use crate::store::{ETag, PutCondition, StoreError};
use crate::trash::Trash;

/// Why a commit did not land, or may not have.
pub(crate) enum Refusal {
    /// Somebody else was first, or our own PUT landed and its answer was lost: `_commits` tells.
    Lost(String),
    /// Nothing landed; try again later.
    Busy(String),
    /// It never will.
    Failed(Error),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::PreconditionFailed | StoreError::Unknown(_) => Self::Lost(error.to_string()),
            StoreError::Busy(detail) => Self::Busy(detail),
            StoreError::Refused(_) | StoreError::Damaged(_) => Self::Failed(error.into()),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable { detail, .. } => Self::Busy(detail),
            other => Self::Failed(other),
        }
    }
}

impl Replica {
    /// The whole way of one commit to the store. What it returns is committed, and not yet in the local file.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        known: &Arc<Known>,
        staged: &Arc<Staged>,
        date_ms: u64,
    ) -> Result<Arc<Known>, Refusal> {
        let page_count = staged.delta.page_count;
        let segments_max = self.segments_max();
        let moved = match plan::way(
            &known.head,
            &staged.delta,
            staged.encoded.len(),
            segments_max,
            &self.tuning,
        ) {
            Way::Inline => Moved::Nothing,
            Way::SpillTail => Moved::Tail(self.spill(known).await?),
            Way::SpillAll => Moved::All(self.spill_all(known, staged.encoded.clone()).await?),
            Way::NewBase => {
                let state = State {
                    past: self.past_with(known, staged)?,
                    seq: known.head.json.seq + 1,
                    stamp: Stamp::default(),
                };
                Moved::Base(self.store_base(known, state, PARALLEL_OBJECTS).await?)
            }
        };
        let change = Change {
            moved,
            delta: staged.encoded.clone(),
            page_count,
            checksum: staged.checksum,
            schema: staged.schema,
            nonce: hex_16(&*self.random),
            at_ms: self.now_ms(date_ms),
        };
        let head = plan::next(&known.head, change);
        self.put_head(head, &known.etag, date_ms).await
    }

    /// What the database will be with `staged`.
    fn past_with(&self, known: &Known, staged: &Staged) -> Result<Arc<Past>, Refusal> {
        let local = self.local();
        if local.generation != staged.generation || local.dirty {
            return Err(Refusal::Lost("the local copy moved on".to_owned()));
        }
        let past = local.past(known.head.json.page_size, Some(&staged.delta));
        past.map_err(|error| Error::from(error).into())
    }

    /// The one conditional PUT.
    pub(crate) async fn put_head(&self, head: FullHead, etag: &ETag, date_ms: u64) -> Result<Arc<Known>, Refusal> {
        let body = head.encode()?;
        let put = self.store.put(HEAD_KEY, body, PutCondition::Match(etag.clone()));
        let etag = within(&*self.clock, HEAD_TIMEOUT_MS, put).await?;
        Ok(Arc::new(Known {
            head,
            etag,
            last_modified_ms: date_ms,
        }))
    }

    /// The present, for what is dated: this process's clock tells milliseconds, unless it is far from `date_ms`, the store's, which
    /// may tell seconds only. Milliseconds since 1970.
    pub(crate) fn now_ms(&self, date_ms: u64) -> u64 {
        let own_ms = self.clock.unix_ms();
        if own_ms.abs_diff(date_ms) <= CLOCK_TOLERANCE_MS {
            own_ms
        } else {
            date_ms
        }
    }

    /// Stores the tail as one segment, for readers, and as history, for restores.
    async fn spill(self: &Arc<Self>, known: &Arc<Known>) -> Result<Segment, Refusal> {
        let (segment, history) = tokio::join!(self.put_tail(known), self.put_history(known));
        history?;
        segment
    }

    /// Stores the tail, and a new delta as a segment of its own: one that holds a single commit is history too.
    async fn spill_all(self: &Arc<Self>, known: &Arc<Known>, delta: Bytes) -> Result<Vec<Segment>, Refusal> {
        let json = &known.head.json;
        let new = self.put_segment(json.seq, json.seq + 1, Stamp::default(), delta);
        if json.tail.is_empty() {
            return Ok(vec![new.await?]);
        }
        let (tail, new) = tokio::join!(self.spill(known), new);
        Ok(vec![tail?, new?])
    }

    async fn put_tail(self: &Arc<Self>, known: &Arc<Known>) -> Result<Segment, Refusal> {
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
        self.put_segment(from, json.seq, plan::stamp_of(json), body).await
    }

    /// Stores the commits of the tail one by one. A segment of one commit needs no history.
    async fn put_history(self: &Arc<Self>, known: &Arc<Known>) -> Result<(), Refusal> {
        if known.head.blobs.len() < 2 || self.ablation == Some(Ablation::NoHistory) {
            return Ok(());
        }
        let (known, name) = (Arc::clone(known), self.fresh_name());
        let encode = move || history::encode(&known.head, &name);
        match self.tasks.blocking(encode).await?? {
            Some((key, body)) => self.put_object(&key, body).await,
            None => Ok(()),
        }
    }

    /// Stores an encoded delta under a name of its own.
    pub(crate) async fn put_segment(&self, from: u64, to: u64, stamp: Stamp, body: Bytes) -> Result<Segment, Refusal> {
        let key = format!("segment/{}", self.fresh_name());
        let (len, digest) = (body.len() as u64, checksum::of_object(&body));
        self.put_object(&key, body).await?;
        Ok(Segment {
            key,
            from,
            to,
            len,
            digest,
            stamp,
            unknown: Map::new(),
        })
    }

    pub(crate) async fn put_object(&self, key: &str, body: Bytes) -> Result<(), Refusal> {
        let put = self.store.put(key, body, PutCondition::CreateOnly);
        within(&*self.clock, OBJECT_TIMEOUT_MS, put).await?;
        Ok(())
    }

    /// Stores what a change of `head` will make useless, before the change.
    pub(crate) async fn put_trash(&self, trash: &Trash) -> Result<(), Refusal> {
        self.put_object(&format!("trash/{}", self.fresh_name()), trash.encode()?)
            .await
    }

    pub(crate) fn fresh_name(&self) -> String {
        fresh_ulid(&*self.clock, &*self.random).to_string()
    }

    /// Moves what the store accepted into the local file. The write is committed whatever comes of this: where it fails, the
    /// copy stays dirty and is fetched anew. Blocks until the reads under way are done.
    pub(crate) fn accept(&self, session: &mut dyn Staging, staged: &Staged, known: &Arc<Known>) {
        let mut local = self.local_mut();
        if local.generation != staged.generation || local.dirty {
            // A reader met our own commit in `head` before its answer came, and has applied it, or something newer. Where the
            // copy moved for any other reason, it lacks the commit, and must not be read before it is fetched.
            let _ = session.discard();
            local.dirty |= local.version < known.version();
            self.publish(known);
            return;
        }
        local.dirty = true;
        self.pool.clear();
        local.keep_past(&staged.delta);
        match session.checkpoint(&local, &staged.delta) {
            Ok(()) => {
                local.moved_by(&staged.delta, staged.checksum);
                let (from, to) = (local.version, known.version());
                local.version = to;
                if let (Some(on_change), Some(rows)) = (&self.on_change, &staged.rows) {
                    on_change(&change::Change { from, to, rows });
                }
                local.dirty = false;
            }
            Err(error) => {
                tracing::warn!(%error, "the local copy will be fetched anew");
                let _ = session.discard();
            }
        }
        self.publish(known);
    }
}
