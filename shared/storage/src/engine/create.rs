//! [`Creator`]: gets the `head` of a bucket, or creates it in an empty bucket.

use std::sync::Arc;

use serde_json::Map;

use crate::copy::backend::CopyBackend;
use crate::copy::file_builder::{FileBuilder, Layer};
use crate::copy::known_head::KnownHead;
use crate::engine::probe::probe;
use crate::error::Error;
use crate::format::delta::is_page_size;
use crate::format::head::{Base, Head, HeadJson, Stamp, TailEntry};
use crate::format::keys::{CHUNK_PREFIX, HEAD_KEY, SEGMENT_PREFIX, TABLE_PREFIX};
use crate::limits::FORMAT;
use crate::store::{Bucket, Fetched, PutCondition, StoreError};

/// Creates a database.
pub(crate) struct Creator<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) backend: &'a dyn CopyBackend,
    /// Bytes.
    pub(crate) page_size: u32,
    /// Whether the store has to prove that its conditional PUT is atomic. Always `true`, except in a simulation.
    pub(crate) probes_store: bool,
}

impl Creator<'_> {
    /// Returns the current `head`. Creates the database if the store is empty.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a response is lost. Repeating it is safe.
    pub(crate) async fn get_or_create_head(&self) -> Result<Arc<KnownHead>, Error> {
        if let Fetched::Found(object) = self.bucket.get_head(None).await? {
            return KnownHead::decode(&object);
        }
        self.reject_leftovers().await?;
        self.create_head().await?;
        match self.bucket.get_head(None).await? {
            Fetched::Found(object) => KnownHead::decode(&object),
            _ => Err(Error::unavailable("`head` was created and is missing")),
        }
    }

    /// Puts the first `head`. If another process was faster, the `head` of that process is the database.
    async fn create_head(&self) -> Result<(), Error> {
        if self.probes_store {
            probe(self.bucket).await?;
        }
        let head = self.first_head()?;
        match self.bucket.put_head(head.encode()?, PutCondition::CreateOnly).await {
            Ok(_) | Err(StoreError::PreconditionFailed) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Rejects a bucket that has data but no `head`, because a new `head` would hide the loss of the old one.
    async fn reject_leftovers(&self) -> Result<(), Error> {
        for prefix in [CHUNK_PREFIX, SEGMENT_PREFIX, TABLE_PREFIX] {
            if !self.bucket.list(prefix).await?.is_empty() {
                // Another process may have created `head` and written objects since the last GET.
                if let Fetched::Found(_) = self.bucket.get_head(None).await? {
                    return Ok(());
                }
                return Err(Error::Refused(format!(
                    "the store holds objects below {prefix} and no `head`: put `head` back, or use an empty place"
                )));
            }
        }
        Ok(())
    }

    /// Returns the `head` of a database that contains the engine's tables only.
    fn first_head(&self) -> Result<Head, Error> {
        let page_size = self.page_size;
        if !is_page_size(page_size) {
            return Err(Error::Refused(format!("{page_size} is not a page size of SQLite")));
        }
        let delta = self.backend.first_delta(page_size)?;
        let blob = delta.encode()?;
        let file = FileBuilder::create(self.backend, page_size)?;
        file.write_delta(Layer::of_delta(0), &blob, HEAD_KEY)?;
        let checksum = file.finish()?;
        let base = Base {
            id: self.bucket.fresh_name(),
            seq: 0,
            table: None,
            stamp: Stamp::default(),
            unknown: Map::new(),
        };
        let json = HeadJson {
            format: FORMAT,
            database: self.bucket.fresh_nonce(),
            epoch: 1,
            seq: 1,
            nonce: self.bucket.fresh_nonce(),
            schema: 0,
            min_reader: 0,
            min_writer: 0,
            page_size,
            page_count: delta.page_count,
            checksum,
            base,
            segments: Vec::new(),
            tail: vec![TailEntry {
                from: 0,
                to: 1,
                len: blob.len() as u64,
                stamp: Stamp::default(),
                unknown: Map::new(),
            }],
            lock: None,
            floor_ms: 0,
            branch: None,
            writers: Vec::new(),
            unknown: Map::new(),
        };
        Ok(Head {
            json,
            blobs: vec![blob],
        })
    }
}
