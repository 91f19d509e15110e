//! Object stores behind one trait, [`ObjectStore`].
//!
//! # Contents
//!
//! - `memory`: a store in memory, for tests.
//! - `directory`: a store in a folder of one machine, the embedded default. `filesystem` rejects network file systems,
//!   and `open_object` answers whether an object is unchanged without opening it again.
//! - `s3`: a bucket of S3 or of a compatible server.
//! - `faulty`: a memory store with injected network faults.
//! - `place`: parses `dir:` and `s3://` and opens the store.
//! - `bucket`: the store as the engine uses it, with time limits and fresh names.
//!
//! # Dependencies
//!
//! This module depends on `format` for the names of objects, on `aws` for connections, on `error`, and on no other layer. A store
//! knows nothing about the content of objects.
//!
//! # Data flow
//!
//! A store keeps named byte strings. The engine needs one guarantee: a PUT with a condition is atomic for all processes
//! that use the store. A store sorts its errors by their meaning for a commit (see [`StoreError`]). It may retry GET,
//! LIST and DELETE, but never PUT, because only the caller can find out whether a PUT without a response succeeded.
//!
//! # Adding a store
//!
//! Implement [`ObjectStore`], add a line to `tests/conformance.rs`, and a scheme to [`Place`] if operators can choose
//! the store.

mod bucket;
mod directory;
mod faulty;
mod filesystem;
mod memory;
mod open_object;
mod place;
mod s3;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

pub(crate) use bucket::Bucket;
pub use directory::DirectoryStore;
pub use faulty::{Fault, FaultyStore, Operation, Rates};
pub use memory::MemoryStore;
pub use place::{Place, PlaceError};
pub use s3::{S3Settings, S3Store};

use crate::error::Error;

/// The version of an object. It is opaque: it is compared and never computed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ETag(Bytes);

impl ETag {
    /// Creates an ETag from the bytes that the store returned.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes that were passed to [`ETag::new`].
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({:?})", self.0)
    }
}

/// A fetched object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its version.
    pub etag: ETag,
    /// Its content.
    pub body: Bytes,
    /// The store's time of the response (`Date`). Milliseconds since 1970.
    pub date_ms: u64,
    /// The store's time of the PUT of this version (`Last-Modified`). Milliseconds since 1970.
    pub last_modified_ms: u64,
}

/// The response to a GET.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// The object still has the given ETag (304).
    NotModified {
        /// The store's time of the response. Milliseconds since 1970.
        date_ms: u64,
    },
    /// The object, with another ETag than the given one (200).
    Found(Object),
    /// There is no such object (404).
    Missing,
}

/// The condition of a PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// None.
    None,
    /// There is no such object yet (`If-None-Match: *`).
    CreateOnly,
    /// The object exists with this ETag (`If-Match`).
    Match(ETag),
}

/// One entry of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The complete key with its prefix.
    pub key: String,
    /// Length of its body, in bytes.
    pub bytes: u64,
    /// The store's time of the PUT of this version. Milliseconds since 1970.
    pub last_modified_ms: u64,
}

/// An error of a store. Its kinds are those that a commit has to distinguish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The condition did not hold (412, and 404 with `If-Match`). This request changed nothing. If a client below the
    /// store retries on its own, this may be the response to the retry of a PUT that succeeded.
    #[error("the object is in another version")]
    PreconditionFailed,
    /// The store is busy (409, 503). The request had no effect.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The response is missing or inconclusive (time-out, reset, 500). The request may have taken effect, or may still
    /// do so.
    #[error("the store did not answer: {0}")]
    Unknown(String),
    /// The store rejects the request permanently (any other 4xx, a full disk, an invalid key). The request had no
    /// effect.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The object exists, but the store cannot read it.
    #[error("{0}")]
    Damaged(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::PreconditionFailed | StoreError::Busy(_) | StoreError::Unknown(_) => {
                Self::unavailable(error.to_string())
            }
            StoreError::Refused(detail) => Self::Refused(detail),
            StoreError::Damaged(detail) => Self::Corrupt(detail),
        }
    }
}

/// A store of objects. Many tasks may call its methods at once.
///
/// A key consists of names of `[A-Za-z0-9._-]`, joined by `/`. A name does not begin with a dot.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// Fetches a complete object, or learns that it still has the ETag `if_none_match`.
    ///
    /// # Errors
    /// [`StoreError`]. A missing object is not an error.
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError>;

    /// Returns the store's time if the store can tell without a request that the object has that ETag at this moment.
    /// Milliseconds since
    /// 1970. `None` is inconclusive.
    fn is_still(&self, _key: &str, _etag: &ETag) -> Option<u64> {
        None
    }

    /// Fetches at most `length` bytes from `offset` on: fewer at the end of the object, none after it.
    ///
    /// # Errors
    /// [`StoreError`]. A missing object is not an error.
    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError>;

    /// Stores an object if `condition` holds. The object is durable when this returns. The store must not retry on its
    /// own.
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`] if the condition does not hold.
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError>;

    /// Deletes an object. Deleting a missing object is not an error.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Lists all objects whose keys begin with `prefix`, ordered by key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;

    /// Returns a URL at which everyone can download the object from the store itself for `lifetime_ms`. `None` if the
    /// store does not support such URLs.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn presigned_get(&self, _key: &str, _lifetime_ms: u64) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

/// Rejects a key that is not safe as a file name.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let is_valid = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if key.split('/').all(is_valid) {
        Ok(())
    } else {
        Err(StoreError::Refused(format!("{key:?} is not a key")))
    }
}
