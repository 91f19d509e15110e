//! Carries one staged commit to the store: objects first, then `head` under its ETag, then into the local file.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Map;
use tokio::task::JoinSet;
use ulid::Ulid;

use crate::checksum;
use crate::chunks::{self, ChunkRow, ChunkTable, chunk_count};
use crate::delta::Delta;
use crate::environment::{fresh_ulid, hex_16};
use crate::error::Error;
use crate::head::{Base, FullHead, HEAD_KEY, Segment};
use crate::limits::{CHUNK_BYTES, HEAD_TIMEOUT_MS, OBJECT_TIMEOUT_MS, PARALLEL_OBJECTS};
use crate::plan::{self, Change, Moved, Way};
use crate::replica::{Known, Replica, within};
use crate::session::Session;
use crate::stage::Staged;
use crate::store::{ETag, PutCondition, StoreError};

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
        let moved = match plan::way(&known.head, &staged.delta, staged.encoded.len()) {
            Way::Inline => Moved::Nothing,
            Way::SpillTail => Moved::Tail(self.spill(known, None).await?),
            Way::SpillAll => Moved::All(self.spill(known, Some(staged)).await?),
            Way::NewBase => Moved::Base(self.store_base(known, staged).await?),
        };
        let change = Change {
            moved,
            delta: staged.encoded.clone(),
            page_count,
            checksum: staged.checksum,
            schema: staged.schema,
            nonce: hex_16(&*self.random),
        };
        let head = plan::next(&known.head, change);
        self.put_head(head, &known.etag, date_ms).await
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

    /// Puts the tail, and perhaps the new delta, into one segment with a name of its own.
    async fn spill(self: &Arc<Self>, known: &Arc<Known>, staged: Option<&Arc<Staged>>) -> Result<Segment, Refusal> {
        let json = &known.head.json;
        let from = json.tail.first().map_or(json.seq, |entry| entry.from);
        let to = json.seq + u64::from(staged.is_some());
        let body = match staged {
            Some(staged) if json.tail.is_empty() => staged.encoded.clone(),
            _ => {
                let (known, staged) = (Arc::clone(known), staged.cloned());
                blocking(move || {
                    let tail = known.head.tail_after(0)?;
                    let merged = Delta::merge(tail.into_iter().chain(staged.map(|staged| staged.delta.clone())));
                    let merged = merged.ok_or_else(|| Error::Corrupt("nothing to spill".to_owned()))?;
                    Ok(merged.encode().map_err(Error::from)?)
                })
                .await?
            }
        };
        let key = format!("segment/{}", self.fresh_name());
        let (len, digest) = (body.len() as u64, checksum::of_object(&body));
        self.put_object(&key, body).await?;
        Ok(Segment {
            key,
            from,
            to,
            len,
            digest,
            unknown: Map::new(),
        })
    }

    /// Writes the whole database, as it is after `staged`, as chunks and their table.
    async fn store_base(self: &Arc<Self>, known: &Arc<Known>, staged: &Arc<Staged>) -> Result<Base, Refusal> {
        let page_size = staged.delta.page_size;
        let file_bytes = u64::from(staged.delta.page_count) * u64::from(page_size);
        let count = usize::try_from(chunk_count(file_bytes))
            .map_err(std::io::Error::other)
            .map_err(Error::from)?;
        let empty = ChunkRow {
            ulid: Ulid::nil(),
            len: 0,
            digest: 0,
        };
        let mut table = ChunkTable {
            page_size,
            file_bytes,
            rows: vec![empty; count],
        };
        let mut under_way: JoinSet<Result<(usize, ChunkRow), Refusal>> = JoinSet::new();
        for index in 0..count {
            if under_way.len() >= PARALLEL_OBJECTS {
                let (index, row) = one_done(&mut under_way).await?;
                table.rows[index] = row;
            }
            let (replica, staged, raw_bytes) = (Arc::clone(self), Arc::clone(staged), table.raw_bytes_of(index));
            under_way.spawn(async move {
                let ulid = fresh_ulid(&*replica.clock, &*replica.random);
                let reader = Arc::clone(&replica);
                let (stored, digest) = blocking(move || reader.pack_chunk(&staged, index, raw_bytes)).await?;
                let row = ChunkRow {
                    ulid,
                    len: u32::try_from(stored.len()).unwrap_or(u32::MAX),
                    digest,
                };
                replica.put_object(&row.key(), stored).await?;
                Ok((index, row))
            });
        }
        while !under_way.is_empty() {
            let (index, row) = one_done(&mut under_way).await?;
            table.rows[index] = row;
        }
        let key = format!("table/{}", self.fresh_name());
        self.put_object(&key, table.encode()).await?;
        Ok(Base {
            id: self.fresh_name(),
            seq: known.head.json.seq + 1,
            table: Some(key),
            unknown: Map::new(),
        })
    }

    /// One piece of the file with the staged pages over it, compressed; and the digest of the raw bytes.
    fn pack_chunk(&self, staged: &Staged, index: usize, raw_bytes: usize) -> Result<(Bytes, u64), Refusal> {
        let mut raw = vec![0; raw_bytes];
        let from = index as u64 * CHUNK_BYTES as u64;
        {
            let local = self.local();
            if local.generation != staged.generation || local.dirty {
                return Err(Refusal::Lost("the local copy moved on".to_owned()));
            }
            local.read_at(&mut raw, from).map_err(Error::from)?;
        }
        let page_size = staged.delta.page_size as usize;
        let first = u32::try_from(from / page_size as u64 + 1).unwrap_or(u32::MAX);
        let last = first.saturating_add(u32::try_from(raw_bytes / page_size).unwrap_or(u32::MAX));
        for (number, page) in staged.delta.pages.range(first..last) {
            let at = (number - first) as usize * page_size;
            raw[at..at + page_size].copy_from_slice(page);
        }
        Ok((chunks::pack(&raw).map_err(Error::from)?, checksum::of_object(&raw)))
    }

    async fn put_object(&self, key: &str, body: Bytes) -> Result<(), Refusal> {
        let put = self.store.put(key, body, PutCondition::CreateOnly);
        within(&*self.clock, OBJECT_TIMEOUT_MS, put).await?;
        Ok(())
    }

    fn fresh_name(&self) -> String {
        fresh_ulid(&*self.clock, &*self.random).to_string()
    }

    /// Moves what the store accepted into the local file. The write is committed whatever comes of this: where it fails, the
    /// copy stays dirty and is fetched anew. Blocks until the reads under way are done.
    pub(crate) fn accept(&self, session: &mut Session, staged: &Staged, known: &Arc<Known>) {
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
        match session.checkpoint(local.generation + 1) {
            Ok(()) => {
                local.moved_by(&staged.delta, staged.checksum);
                local.version = known.version();
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

async fn one_done<T: 'static>(tasks: &mut JoinSet<Result<T, Refusal>>) -> Result<T, Refusal> {
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(Refusal::Busy(error.to_string())),
        None => Err(Refusal::Busy("no task left".to_owned())),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Refusal::Busy(error.to_string())),
    }
}
