//! Makes the file that a `head` stands for, out of its objects.

use std::io;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use tokio::sync::Semaphore;

use crate::catch_up::{Stumble, check_segment, damaged};
use crate::checksum;
use crate::chunks::{self, ChunkRow, ChunkTable};
use crate::head::{HEAD_KEY, Segment};
use crate::image::{Image, Layer};
use crate::limits::{INLINE_UNPACK_BYTES, INLINE_UNPACK_CHUNKS, PARALLEL_OBJECTS, UNPACKED_AT_ONCE};
use crate::replica::{Known, Replica};

/// What is looked at while a file is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing: the file will be weighed as a whole. What the local copy has is not fetched.
    Whole,
    /// Each object is fetched, and compared with its digest.
    Objects,
}

/// A file with everything that `target` names. The newest is fetched first: what it holds is not written twice.
pub(crate) async fn assemble(replica: &Arc<Replica>, target: &Known, check: Check) -> Result<Image, Stumble> {
    let head = &target.head;
    let image = Image::create(&*replica.place, head.json.page_size)?;
    let tail: Vec<_> = head.packed_tail_after(head.json.base.seq).collect();
    for (index, packed) in tail.into_iter().enumerate().rev() {
        let layer = Layer::of_delta(head.json.segments.len() + index);
        image.lay_delta(layer, packed, HEAD_KEY)?;
    }
    let assembly = Arc::new(Assembly {
        replica: Arc::clone(replica),
        image,
        check,
        unpacking: Semaphore::new(UNPACKED_AT_ONCE),
    });
    let (segments, base) = tokio::join!(assembly.lay_segments(target), assembly.lay_base(target));
    base?;
    segments?;
    let assembly = Arc::into_inner(assembly).ok_or_else(|| io::Error::other("a piece is still being laid"))?;
    Ok(assembly.image)
}

struct Assembly {
    replica: Arc<Replica>,
    image: Image,
    check: Check,
    /// Each piece that is being unpacked has memory for it.
    unpacking: Semaphore,
}

/// A piece of a base.
#[derive(Clone, Copy)]
struct Chunk {
    row: ChunkRow,
    /// In the file. Bytes.
    offset: u64,
    raw_bytes: usize,
    /// Of the whole base.
    file_bytes: u64,
    /// Whether it is laid down without another thread.
    at_once: bool,
}

impl Assembly {
    async fn lay_segments(self: &Arc<Self>, target: &Known) -> Result<(), Stumble> {
        let mut under_way = FuturesUnordered::new();
        for (index, segment) in target.head.json.segments.iter().enumerate().rev() {
            if under_way.len() >= PARALLEL_OBJECTS {
                under_way.try_next().await?;
            }
            under_way.push(self.lay_segment(Layer::of_delta(index), segment));
        }
        while under_way.try_next().await?.is_some() {}
        Ok(())
    }

    async fn lay_segment(self: &Arc<Self>, layer: Layer, segment: &Segment) -> Result<(), Stumble> {
        let body = self.replica.fetch(&segment.key).await?;
        if self.check == Check::Objects {
            check_segment(segment, &body)?;
        }
        if body.len() <= INLINE_UNPACK_BYTES {
            return Ok(self.image.lay_delta(layer, &body, &segment.key)?);
        }
        let key = segment.key.clone();
        self.unpack(move |image| Ok(image.lay_delta(layer, &body, &key)?)).await
    }

    async fn lay_base(self: &Arc<Self>, target: &Known) -> Result<(), Stumble> {
        let Some(key) = &target.head.json.base.table else {
            return Ok(());
        };
        let body = self.replica.fetch(key).await?;
        let table = ChunkTable::decode(&body, self.replica.tuning.chunk_bytes);
        let table = table.map_err(|detail| damaged(key, &detail))?;
        if table.page_size != target.head.json.page_size {
            return Err(damaged(key, "its page size is not that of `head`").into());
        }
        let has_copy = self.check == Check::Whole && !self.replica.local().dirty;
        let at_once = self.replica.local().is_none() && table.rows.len() <= INLINE_UNPACK_CHUNKS;
        let mut under_way = FuturesUnordered::new();
        for (index, row) in table.rows.iter().copied().enumerate() {
            if under_way.len() >= PARALLEL_OBJECTS {
                under_way.try_next().await?;
            }
            let chunk = Chunk {
                row,
                offset: index as u64 * table.chunk_bytes as u64,
                raw_bytes: table.raw_bytes_of(index),
                file_bytes: table.file_bytes,
                at_once,
            };
            under_way.push(self.lay_chunk(chunk, has_copy));
        }
        while under_way.try_next().await?.is_some() {}
        Ok(())
    }

    async fn lay_chunk(self: &Arc<Self>, chunk: Chunk, has_copy: bool) -> Result<(), Stumble> {
        if has_copy {
            let replica = Arc::clone(&self.replica);
            let take_over = move |image: &Image| Ok(take_over(&replica, &chunk, image)?);
            if self.unpack(take_over).await? {
                return Ok(());
            }
        }
        let (key, check) = (chunk.row.key(), self.check);
        let stored = self.replica.fetch(&key).await?;
        let lay = move |image: &Image| {
            let lay = |at, raw: &[u8]| image.lay_base(chunk.file_bytes, chunk.offset + at as u64, raw);
            let digest = (check == Check::Objects).then_some(chunk.row.digest);
            let laid = chunks::with_pieces(&stored, digest, chunk.raw_bytes, lay);
            Ok(laid.map_err(|detail| damaged(&key, &detail))??)
        };
        if chunk.at_once {
            lay(&self.image)
        } else {
            self.unpack(lay).await
        }
    }

    /// Runs `work` on a thread for blocking work.
    async fn unpack<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Image) -> Result<T, Stumble> + Send + 'static,
    ) -> Result<T, Stumble> {
        let _room = self.unpacking.acquire().await.map_err(io::Error::other)?;
        let this = Arc::clone(self);
        self.replica.tasks.blocking(move || work(&this.image)).await?
    }
}

/// Lays down a chunk from the local copy, where that holds it: most of a file outlives a compaction. Returns whether it did.
fn take_over(replica: &Replica, chunk: &Chunk, image: &Image) -> io::Result<bool> {
    let mut raw = vec![0; chunk.raw_bytes];
    {
        let local = replica.local();
        if local.dirty {
            return Ok(false);
        }
        local.read_at(&mut raw, chunk.offset)?;
    }
    let same = checksum::of_object(&raw) == chunk.row.digest;
    if same {
        image.lay_base(chunk.file_bytes, chunk.offset, &raw)?;
    }
    Ok(same)
}
