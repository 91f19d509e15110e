//! [`Publisher`]: stores new objects and puts `head`. Commits and maintenance share it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Map;

use crate::commit::error::CommitError;
use crate::copy::known_head::KnownHead;
use crate::format::checksum;
use crate::format::head::{Head, Segment, Stamp};
use crate::format::keys::{SEGMENT_PREFIX, TRASH_PREFIX};
use crate::format::trash::Trash;
use crate::store::{Bucket, ETag, PutCondition};

/// Stores objects and puts `head`.
pub(crate) struct Publisher {
    bucket: Arc<Bucket>,
    /// Serializes the changes of `head`, because the writer and maintenance of one process would otherwise race for the
    /// same ETag.
    pub(crate) head_changes: tokio::sync::Mutex<()>,
}

impl Publisher {
    pub(crate) fn new(bucket: Arc<Bucket>) -> Self {
        Self {
            bucket,
            head_changes: tokio::sync::Mutex::new(()),
        }
    }

    /// Replaces the `head` with this ETag.
    pub(crate) async fn put_head(&self, head: Head, etag: &ETag, date_ms: u64) -> Result<Arc<KnownHead>, CommitError> {
        let body = head.encode()?;
        let etag = self.bucket.put_head(body, PutCondition::Match(etag.clone())).await?;
        Ok(Arc::new(KnownHead {
            head,
            etag,
            last_modified_ms: date_ms,
        }))
    }

    /// Stores an encoded delta as a segment with a fresh name.
    pub(crate) async fn put_segment(
        &self,
        from: u64,
        to: u64,
        stamp: Stamp,
        body: Bytes,
    ) -> Result<Segment, CommitError> {
        let key = format!("{SEGMENT_PREFIX}{}", self.bucket.fresh_name());
        let (len, digest) = (body.len() as u64, checksum::object_digest(&body));
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

    pub(crate) async fn put_object(&self, key: &str, body: Bytes) -> Result<(), CommitError> {
        self.bucket.create(key, body).await?;
        Ok(())
    }

    /// Stores the names of the objects that a change of `head` will make useless. It must be called before the change.
    pub(crate) async fn put_trash(&self, trash: &Trash) -> Result<(), CommitError> {
        let key = format!("{TRASH_PREFIX}{}", self.bucket.fresh_name());
        self.put_object(&key, trash.encode()?).await
    }
}
