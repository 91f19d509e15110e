//! Writes a base: the database as one state holds it, in chunks. Those that the base before holds already are named again.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use serde_json::Map;
use ulid::Ulid;

use crate::catch_up::damaged;
use crate::checksum;
use crate::chunks::{self, ChunkRow, ChunkTable, chunk_count};
use crate::commit::Refusal;
use crate::engine::Ablation;
use crate::environment::fresh_ulid;
use crate::error::Error;
use crate::head::{Base, Stamp};
use crate::limits::OBJECT_TIMEOUT_MS;
use crate::past::Past;
use crate::replica::{Known, Replica, within};
use crate::store::Fetched;
use crate::trash::Trash;

/// Which state becomes a base.
pub(crate) struct State {
    pub(crate) past: Arc<Past>,
    pub(crate) seq: u64,
    pub(crate) stamp: Stamp,
}

/// One chunk of the new base.
enum Packed {
    /// The base before holds the same.
    Same(ChunkRow),
    New(Bytes, u64),
}

impl Replica {
    /// Writes `state`, which stands on `known`, so many chunks at once, and names what its switch will make useless.
    pub(crate) async fn store_base(
        self: &Arc<Self>,
        known: &Known,
        state: State,
        parallel: usize,
    ) -> Result<Base, Refusal> {
        let old = self.table_of(known).await?;
        let table = self.store_chunks(known, old.clone(), &state.past, parallel).await?;
        let key = format!("table/{}", self.fresh_name());
        let trash = Trash::of(&known.head, old.as_ref(), &table);
        let (stored, named) = tokio::join!(self.put_object(&key, table.encode()), self.put_trash(&trash));
        stored?;
        named?;
        Ok(Base {
            id: self.fresh_name(),
            seq: state.seq,
            table: Some(key),
            stamp: state.stamp,
            unknown: Map::new(),
        })
    }

    /// The chunk table that `head` names.
    pub(crate) async fn table_of(&self, known: &Known) -> Result<Option<ChunkTable>, Refusal> {
        let Some(key) = &known.head.json.base.table else {
            return Ok(None);
        };
        match within(&*self.clock, OBJECT_TIMEOUT_MS, self.store.get(key, None)).await? {
            Fetched::Found(object) => ChunkTable::decode(&object.body, self.tuning.chunk_bytes)
                .map(Some)
                .map_err(|detail| damaged(key, &detail).into()),
            // Where `head` has not moved, the next attempt says that it is damaged.
            _ => Err(Refusal::Lost(format!("{key} is gone"))),
        }
    }

    async fn store_chunks(
        self: &Arc<Self>,
        known: &Known,
        old: Option<ChunkTable>,
        past: &Arc<Past>,
        parallel: usize,
    ) -> Result<ChunkTable, Refusal> {
        let (page_size, chunk_bytes) = (known.head.json.page_size, self.tuning.chunk_bytes);
        let file_bytes = u64::from(past.page_count) * u64::from(page_size);
        let count = usize::try_from(chunk_count(file_bytes, chunk_bytes))
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
            chunk_bytes,
        };
        let mut under_way = FuturesUnordered::new();
        for index in 0..count {
            if under_way.len() >= parallel
                && let Some((index, row)) = under_way.try_next().await?
            {
                table.rows[index] = row;
            }
            let before = old.as_ref().and_then(|old| {
                let same_length = old.raw_bytes_of(index) == table.raw_bytes_of(index);
                old.rows.get(index).copied().filter(|_| same_length)
            });
            under_way.push(Arc::clone(self).store_chunk(Arc::clone(past), index, table.raw_bytes_of(index), before));
        }
        while let Some((index, row)) = under_way.try_next().await? {
            table.rows[index] = row;
        }
        Ok(table)
    }

    async fn store_chunk(
        self: Arc<Self>,
        past: Arc<Past>,
        index: usize,
        raw_bytes: usize,
        before: Option<ChunkRow>,
    ) -> Result<(usize, ChunkRow), Refusal> {
        let reader = Arc::clone(&self);
        let pack = move || reader.pack_chunk(&past, index, raw_bytes, before);
        let (stored, digest) = match self.tasks.blocking(pack).await?? {
            Packed::Same(row) => return Ok((index, row)),
            Packed::New(stored, digest) => (stored, digest),
        };
        let row = ChunkRow {
            ulid: fresh_ulid(&*self.clock, &*self.random),
            len: u32::try_from(stored.len()).unwrap_or(u32::MAX),
            digest,
        };
        self.put_object(&row.key(), stored).await?;
        Ok((index, row))
    }

    /// One piece of the database, compressed unless it is what it was.
    fn pack_chunk(
        &self,
        past: &Past,
        index: usize,
        raw_bytes: usize,
        before: Option<ChunkRow>,
    ) -> Result<Packed, Refusal> {
        let mut raw = vec![0; raw_bytes];
        let from = index as u64 * self.tuning.chunk_bytes as u64;
        if self.ablation == Some(Ablation::CompactionReadsOn) {
            self.local().read_at(&mut raw, from).map_err(Error::from)?;
        } else if !self.local().read_past(past, &mut raw, from).map_err(Error::from)? {
            return Err(Refusal::Lost("another copy took the place of the local one".to_owned()));
        }
        let digest = checksum::of_object(&raw);
        if let Some(row) = before.filter(|row| row.digest == digest) {
            return Ok(Packed::Same(row));
        }
        Ok(Packed::New(chunks::pack(&raw).map_err(Error::from)?, digest))
    }
}
