//! [`Assembler`]: builds the database file of a `head` from its objects.

use std::io;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use tokio::sync::Semaphore;

use crate::copy::file_builder::{FileBuilder, Layer};
use crate::copy::known_head::KnownHead;
use crate::copy::replica::Replica;
use crate::error::Error;
use crate::format::checksum;
use crate::format::chunk_table::{self, ChunkRow, ChunkTable};
use crate::format::head::Segment;
use crate::format::keys::HEAD_KEY;
use crate::limits::{
    INLINE_DECOMPRESSION_MAX_BYTES, INLINE_DECOMPRESSION_MAX_CHUNKS, PARALLEL_DECOMPRESSIONS, PARALLEL_OBJECTS,
};
use crate::store::Bucket;
use crate::sync::error::SyncError;
use crate::sync::objects;
use crate::tasks::Tasks;

/// The way in which the objects are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// By the checksum of the complete database only. Chunks that the local copy contains are not fetched.
    Checksum,
    /// By the digest of each object. All objects are fetched.
    Digests,
}

/// Builds database files.
pub(crate) struct Assembler {
    bucket: Arc<Bucket>,
    replica: Arc<Replica>,
    tasks: Tasks,
    /// Raw length of a chunk, in bytes.
    chunk_bytes: usize,
}

impl Assembler {
    pub(crate) fn new(bucket: Arc<Bucket>, replica: Arc<Replica>, tasks: Tasks, chunk_bytes: usize) -> Self {
        Self {
            bucket,
            replica,
            tasks,
            chunk_bytes,
        }
    }

    /// Builds the file of `target`. The newest pieces are written first, so that older content of the same pages is
    /// skipped.
    pub(crate) async fn assemble(self: &Arc<Self>, target: &KnownHead, check: Check) -> Result<FileBuilder, SyncError> {
        let head = &target.head;
        let file = self.replica.create_file(head.json.page_size)?;
        let tail: Vec<_> = head.encoded_tail_after(head.json.base.seq).collect();
        for (index, delta) in tail.into_iter().enumerate().rev() {
            let layer = Layer::of_delta(head.json.segments.len() + index);
            file.write_delta(layer, delta, HEAD_KEY)?;
        }
        let assembly = Arc::new(Assembly {
            assembler: Arc::clone(self),
            file,
            check,
            unpacking: Semaphore::new(PARALLEL_DECOMPRESSIONS),
        });
        let (segments, base) = tokio::join!(assembly.write_segments(target), assembly.write_base(target));
        base?;
        segments?;
        let assembly = Arc::into_inner(assembly).ok_or_else(|| io::Error::other("a piece is still being written"))?;
        Ok(assembly.file)
    }

    /// Builds the file of `target` and compares its checksum with `head`. Tries the kinds of `checks` in order until
    /// the checksum matches.
    pub(crate) async fn assemble_matching(
        self: &Arc<Self>,
        target: &KnownHead,
        checks: &[Check],
    ) -> Result<(FileBuilder, u64), SyncError> {
        for check in checks {
            let file = self.assemble(target, *check).await?;
            let sum = match file.finish() {
                Err(_) if *check == Check::Checksum => continue,
                sum => sum?,
            };
            if (file.page_count(), sum) == (target.head.json.page_count, target.head.json.checksum) {
                return Ok((file, sum));
            }
        }
        let version = target.version();
        tracing::error!(%version, "the stored database does not match its checksum");
        Err(SyncError::Failed(Error::Corrupt(format!(
            "the objects of version {version} do not fit its checksum: restore an earlier state"
        ))))
    }
}

/// A file under construction.
struct Assembly {
    assembler: Arc<Assembler>,
    file: FileBuilder,
    check: Check,
    /// Limits the memory for decompressed segments and chunks.
    unpacking: Semaphore,
}

/// A chunk of the base.
#[derive(Clone, Copy)]
struct Chunk {
    row: ChunkRow,
    /// Offset in the file, in bytes.
    offset: u64,
    raw_bytes: usize,
    /// Length of the complete base, in bytes.
    file_bytes: u64,
    /// Whether the current thread decompresses it, instead of a blocking thread.
    is_inline: bool,
}

impl Assembly {
    async fn write_segments(self: &Arc<Self>, target: &KnownHead) -> Result<(), SyncError> {
        let mut in_flight = FuturesUnordered::new();
        for (index, segment) in target.head.json.segments.iter().enumerate().rev() {
            if in_flight.len() >= PARALLEL_OBJECTS {
                in_flight.try_next().await?;
            }
            in_flight.push(self.write_segment(Layer::of_delta(index), segment));
        }
        while in_flight.try_next().await?.is_some() {}
        Ok(())
    }

    async fn write_segment(self: &Arc<Self>, layer: Layer, segment: &Segment) -> Result<(), SyncError> {
        let body = objects::fetch(&self.assembler.bucket, &segment.key).await?;
        if self.check == Check::Digests {
            objects::check_segment(segment, &body)?;
        }
        if body.len() <= INLINE_DECOMPRESSION_MAX_BYTES {
            return Ok(self.file.write_delta(layer, &body, &segment.key)?);
        }
        let key = segment.key.clone();
        self.unpack(move |file| Ok(file.write_delta(layer, &body, &key)?)).await
    }

    async fn write_base(self: &Arc<Self>, target: &KnownHead) -> Result<(), SyncError> {
        let Some(key) = &target.head.json.base.table else {
            return Ok(());
        };
        let body = objects::fetch(&self.assembler.bucket, key).await?;
        let table = ChunkTable::decode(&body, self.assembler.chunk_bytes);
        let table = table.map_err(|detail| Error::damaged(key, &detail))?;
        if table.page_size != target.head.json.page_size {
            return Err(Error::damaged(key, "its page size is not that of `head`").into());
        }
        let replica = &self.assembler.replica;
        let may_reuse = self.check == Check::Checksum && !replica.copy().dirty;
        let is_inline = replica.copy().is_empty() && table.rows.len() <= INLINE_DECOMPRESSION_MAX_CHUNKS;
        let mut in_flight = FuturesUnordered::new();
        for (index, row) in table.rows.iter().copied().enumerate() {
            if in_flight.len() >= PARALLEL_OBJECTS {
                in_flight.try_next().await?;
            }
            let chunk = Chunk {
                row,
                offset: index as u64 * table.chunk_bytes as u64,
                raw_bytes: table.raw_bytes_of(index),
                file_bytes: table.file_bytes,
                is_inline,
            };
            in_flight.push(self.write_chunk(chunk, may_reuse));
        }
        while in_flight.try_next().await?.is_some() {}
        Ok(())
    }

    async fn write_chunk(self: &Arc<Self>, chunk: Chunk, may_reuse: bool) -> Result<(), SyncError> {
        if may_reuse {
            let replica = Arc::clone(&self.assembler.replica);
            let reuse = move |file: &FileBuilder| Ok(reuse_chunk(&replica, &chunk, file)?);
            if self.unpack(reuse).await? {
                return Ok(());
            }
        }
        let key = chunk.row.key();
        let expected_digest = (self.check == Check::Digests).then_some(chunk.row.digest);
        let stored = objects::fetch(&self.assembler.bucket, &key).await?;
        let write = move |file: &FileBuilder| {
            let write_frame = |at, raw: &[u8]| file.write_base(chunk.file_bytes, chunk.offset + at as u64, raw);
            let result = chunk_table::decompress_chunk(&stored, expected_digest, chunk.raw_bytes, write_frame);
            Ok(result.map_err(|detail| Error::damaged(&key, &detail))??)
        };
        if chunk.is_inline {
            write(&self.file)
        } else {
            self.unpack(write).await
        }
    }

    /// Runs `work`, which needs memory for a segment or a chunk, on a blocking thread.
    async fn unpack<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&FileBuilder) -> Result<T, SyncError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let _memory = self.unpacking.acquire().await.map_err(io::Error::other)?;
        let this = Arc::clone(self);
        self.assembler.tasks.blocking(move || work(&this.file)).await?
    }
}

/// Writes a chunk from the local copy to `file` if the copy contains it. Returns whether it does. Most chunks of a file
/// survive a compaction, so this saves most downloads.
fn reuse_chunk(replica: &Replica, chunk: &Chunk, file: &FileBuilder) -> io::Result<bool> {
    let mut raw = vec![0; chunk.raw_bytes];
    {
        let copy = replica.copy();
        if copy.dirty {
            return Ok(false);
        }
        copy.read_at(&mut raw, chunk.offset)?;
    }
    let is_same = checksum::object_digest(&raw) == chunk.row.digest;
    if is_same {
        file.write_base(chunk.file_bytes, chunk.offset, &raw)?;
    }
    Ok(is_same)
}
