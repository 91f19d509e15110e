//! The [`BaseWriter`]: stores a base, that is, one state of the database in chunks. Chunks of the previous base that have
//! the same content are reused.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use serde_json::Map;
use ulid::Ulid;

use crate::ablation::Ablation;
use crate::commit::error::CommitError;
use crate::commit::publisher::Publisher;
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::copy::snapshot::Snapshot;
use crate::error::Error;
use crate::format::checksum;
use crate::format::chunk_table::{self, ChunkRow, ChunkTable, chunk_count};
use crate::format::head::{Base, Stamp};
use crate::format::keys::TABLE_PREFIX;
use crate::format::trash::Trash;
use crate::store::{Bucket, Fetched};
use crate::tasks::Tasks;

/// The state that becomes a base.
pub(crate) struct BaseState {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) seq: u64,
    pub(crate) stamp: Stamp,
}

/// One chunk of the new base.
enum PackedChunk {
    /// The previous base contains the same bytes.
    Reused(ChunkRow),
    /// The encoded chunk and the digest of its raw bytes.
    New(Bytes, u64),
}

/// Writes bases, and reads their chunk tables.
pub(crate) struct BaseWriter {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) replica: Arc<Replica>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) tasks: Tasks,
    /// Raw length of a chunk, in bytes.
    pub(crate) chunk_bytes: usize,
    pub(crate) ablation: Option<Ablation>,
}

impl BaseWriter {
    /// Stores the chunks of `state`, `parallel` at a time, then their table and the names of the objects that the new
    /// base replaces.
    pub(crate) async fn store(
        self: &Arc<Self>,
        known: &KnownHead,
        state: BaseState,
        parallel: usize,
    ) -> Result<Base, CommitError> {
        let old = self.chunk_table(known).await?;
        let table = self.store_chunks(known, old.clone(), &state.snapshot, parallel).await?;
        let key = format!("{TABLE_PREFIX}{}", self.bucket.fresh_name());
        let trash = Trash::of_new_base(&known.head, old.as_ref(), &table);
        let (table_stored, trash_stored) = tokio::join!(
            self.publisher.put_object(&key, table.encode()),
            self.publisher.put_trash(&trash)
        );
        table_stored?;
        trash_stored?;
        Ok(Base {
            id: self.bucket.fresh_name(),
            seq: state.seq,
            table: Some(key),
            stamp: state.stamp,
            unknown: Map::new(),
        })
    }

    /// Returns the keys of all objects that `head` names.
    pub(crate) async fn named_objects(&self, known: &KnownHead) -> Result<HashSet<String>, CommitError> {
        let json = &known.head.json;
        let mut names: HashSet<_> = json.segments.iter().map(|segment| segment.key.clone()).collect();
        names.extend(json.base.table.clone());
        let table = self.chunk_table(known).await?;
        names.extend(table.iter().flat_map(|table| &table.rows).map(|row| row.key()));
        Ok(names)
    }

    /// Fetches the chunk table that `head` names.
    async fn chunk_table(&self, known: &KnownHead) -> Result<Option<ChunkTable>, CommitError> {
        let Some(key) = &known.head.json.base.table else {
            return Ok(None);
        };
        match self.bucket.get(key).await? {
            Fetched::Found(object) => ChunkTable::decode(&object.body, self.chunk_bytes)
                .map(Some)
                .map_err(|detail| Error::damaged(key, &detail).into()),
            // Normally another process has replaced the base and deleted this table, so this process retries with the
            // newer `head`. If the current `head` still names the table, data is missing, and the next full sync
            // reports that.
            _ => Err(CommitError::Lost(format!("{key} is gone"))),
        }
    }

    async fn store_chunks(
        self: &Arc<Self>,
        known: &KnownHead,
        old: Option<ChunkTable>,
        snapshot: &Arc<Snapshot>,
        parallel: usize,
    ) -> Result<ChunkTable, CommitError> {
        let (page_size, chunk_bytes) = (known.head.json.page_size, self.chunk_bytes);
        let file_bytes = u64::from(snapshot.page_count) * u64::from(page_size);
        let count = usize::try_from(chunk_count(file_bytes, chunk_bytes))
            .map_err(std::io::Error::other)
            .map_err(Error::from)?;
        let placeholder = ChunkRow {
            ulid: Ulid::nil(),
            len: 0,
            digest: 0,
        };
        let mut table = ChunkTable {
            page_size,
            file_bytes,
            rows: vec![placeholder; count],
            chunk_bytes,
        };
        let mut in_flight = FuturesUnordered::new();
        for index in 0..count {
            if in_flight.len() >= parallel
                && let Some((index, row)) = in_flight.try_next().await?
            {
                table.rows[index] = row;
            }
            let previous = old.as_ref().and_then(|old| {
                let same_length = old.raw_bytes_of(index) == table.raw_bytes_of(index);
                old.rows.get(index).copied().filter(|_| same_length)
            });
            let raw_bytes = table.raw_bytes_of(index);
            in_flight.push(Arc::clone(self).store_chunk(Arc::clone(snapshot), index, raw_bytes, previous));
        }
        while let Some((index, row)) = in_flight.try_next().await? {
            table.rows[index] = row;
        }
        Ok(table)
    }

    async fn store_chunk(
        self: Arc<Self>,
        snapshot: Arc<Snapshot>,
        index: usize,
        raw_bytes: usize,
        previous: Option<ChunkRow>,
    ) -> Result<(usize, ChunkRow), CommitError> {
        let writer = Arc::clone(&self);
        let pack = move || writer.pack_chunk(&snapshot, index, raw_bytes, previous);
        let (stored, digest) = match self.tasks.blocking(pack).await?? {
            PackedChunk::Reused(row) => return Ok((index, row)),
            PackedChunk::New(stored, digest) => (stored, digest),
        };
        let row = ChunkRow {
            ulid: self.bucket.fresh_ulid(),
            len: u32::try_from(stored.len()).unwrap_or(u32::MAX),
            digest,
        };
        self.publisher.put_object(&row.key(), stored).await?;
        Ok((index, row))
    }

    /// Reads a chunk from the snapshot, and encodes it unless the previous base contains the same bytes.
    fn pack_chunk(
        &self,
        snapshot: &Snapshot,
        index: usize,
        raw_bytes: usize,
        previous: Option<ChunkRow>,
    ) -> Result<PackedChunk, CommitError> {
        let mut raw = vec![0; raw_bytes];
        let from = index as u64 * self.chunk_bytes as u64;
        let copy = self.replica.copy();
        // The ablation reads the current copy, although commits may have changed it after the snapshot.
        if self.ablation == Some(Ablation::CompactionReadsOn) {
            copy.read_at(&mut raw, from).map_err(Error::from)?;
        } else if !copy.read_snapshot(snapshot, &mut raw, from).map_err(Error::from)? {
            return Err(CommitError::Lost("the local copy was replaced".to_owned()));
        }
        drop(copy);
        let digest = checksum::object_digest(&raw);
        if let Some(row) = previous.filter(|row| row.digest == digest) {
            return Ok(PackedChunk::Reused(row));
        }
        let stored = chunk_table::compress_chunk(&raw).map_err(Error::from)?;
        Ok(PackedChunk::New(stored, digest))
    }
}
