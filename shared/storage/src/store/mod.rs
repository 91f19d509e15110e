//! Object stores behind one trait.
//!
//! A store holds named byte strings and can replace one under a condition, atomically for everybody who uses it. That is all
//! the engine asks for. To add one more: implement [`ObjectStore`], and add it to `tests/conformance.rs`.

mod directory;
mod faulty;
mod filesystem;
mod kept;
mod memory;
mod place;
mod s3;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

pub use directory::DirectoryStore;
pub use faulty::{Fault, FaultyStore, Operation, Rates};
pub use memory::MemoryStore;
pub use place::{Place, PlaceError};
pub use s3::{S3Settings, S3Store};

/// The version of one object. Opaque: compared, never computed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ETag(Bytes);

impl ETag {
    /// What the store calls this version.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The same bytes that were handed to [`ETag::new`].
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

/// An object as it was when it was fetched.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its version.
    pub etag: ETag,
    /// Its bytes.
    pub body: Bytes,
    /// The store's clock when it answered (`Date`). Milliseconds since 1970.
    pub date_ms: u64,
    /// The store's clock when this version was put (`Last-Modified`). Milliseconds since 1970.
    pub last_modified_ms: u64,
}

/// The answer to a GET.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// The object still has the version that was named (304).
    NotModified {
        /// The store's clock when it answered. Milliseconds since 1970.
        date_ms: u64,
    },
    /// The object, in a version other than the one named (200).
    Found(Object),
    /// There is no such object (404).
    Missing,
}

/// What must hold for a PUT to take effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Nothing.
    None,
    /// There is no such object yet (`If-None-Match: *`).
    CreateOnly,
    /// The object exists in this version (`If-Match`).
    Match(ETag),
}

/// One line of a LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The whole key, prefix included.
    pub key: String,
    /// Bytes of its body.
    pub bytes: u64,
    /// When this version was put, by the store's clock. Milliseconds since 1970.
    pub last_modified_ms: u64,
}

/// Why a store did not do what was asked. The kinds are what the write path decides by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The condition did not hold (412, and 404 under `If-Match`). Nothing was changed by THIS request as the store saw it;
    /// a client that repeats on its own may see this as the answer to a PUT that landed.
    #[error("the object is in another version")]
    PreconditionFailed,
    /// The store is busy (409, 503). Nothing landed.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// No answer, or one that says nothing (time-out, reset, 500). The request may have landed, or still may.
    #[error("the store did not answer: {0}")]
    Unknown(String),
    /// The store says no, and will again (any other 4xx, a full disk, a key it does not allow). Nothing landed.
    #[error("the store refused: {0}")]
    Refused(String),
    /// The object is there, but the store cannot make sense of it.
    #[error("{0}")]
    Damaged(String),
}

/// A place for objects. Every method may be called from many tasks at once.
///
/// A key is one or more names of `[A-Za-z0-9._-]` joined by `/`; a name does not begin with a dot.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// Fetches a whole object, or learns that it still is in the version `if_none_match`.
    ///
    /// # Errors
    /// [`StoreError`]; a missing object is not one.
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError>;

    /// The store's clock, where it knows without asking anybody that the object still is in that version: at this moment, not a
    /// moment ago. Milliseconds since 1970. `None` says nothing.
    fn is_still(&self, _key: &str, _etag: &ETag) -> Option<u64> {
        None
    }

    /// Fetches at most `length` bytes from `offset` on (fewer at the end of the object, none behind it).
    ///
    /// # Errors
    /// [`StoreError`]; a missing object is not one.
    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError>;

    /// Stores an object if `condition` holds, and makes it durable before it answers. Does not repeat on its own.
    ///
    /// # Errors
    /// [`StoreError::PreconditionFailed`] where the condition does not hold.
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError>;

    /// Removes an object. Removing what is not there is no error.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn delete(&self, key: &str) -> Result<(), StoreError>;

    /// Every object whose key begins with `prefix`, ordered by key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError>;

    /// A URL at which the store itself hands out the object to anybody, for `lifetime_ms` milliseconds; `None` where it
    /// has none to offer.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn presigned_get(&self, _key: &str, _lifetime_ms: u64) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

/// Refuses a key that a store could not keep safely under its own name.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let fine = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if key.split('/').all(fine) {
        Ok(())
    } else {
        Err(StoreError::Refused(format!("{key:?} is not a key")))
    }
}
