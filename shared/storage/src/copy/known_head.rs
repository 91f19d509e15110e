//! [`KnownHead`]: a decoded `head` with its ETag.

use std::sync::Arc;

use crate::error::Error;
use crate::format::head::Head;
use crate::store::{ETag, Object};
use crate::version::Version;

/// A `head` with its ETag.
#[derive(Debug)]
pub(crate) struct KnownHead {
    pub(crate) head: Head,
    pub(crate) etag: ETag,
    /// Time of its PUT by the store's clock. Milliseconds since 1970.
    pub(crate) last_modified_ms: u64,
}

impl KnownHead {
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Unsupported`].
    pub(crate) fn decode(object: &Object) -> Result<Arc<Self>, Error> {
        let head = Head::decode(&object.body)?;
        Ok(Arc::new(Self {
            head,
            etag: object.etag.clone(),
            last_modified_ms: object.last_modified_ms,
        }))
    }

    pub(crate) fn version(&self) -> Version {
        self.head.json.version()
    }
}
