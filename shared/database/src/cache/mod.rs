//! Read cache: records that are read often, cached until the rows that they were read from change.
//!
//! A commit of this process names the rows that it changed. After any other change, the complete cache is invalidated.
//! Builds with assertions read each entry that survived a change once more, and compare.
//!
//! **Does not depend on** connections and repositories: they ask the cache for a record, and pass the function that
//! reads it.
//!
//! **To cache another record,** implement `Cacheable` for it in `records`, and add a field and the tables that
//! invalidate it to `ReadCache`.

mod read_cache;
mod records;
mod versioned;

pub use records::{CachedRecord, CachedResponse, CachedSet, Credential};

pub(crate) use read_cache::{ReadCache, ReadCacheAt};
pub(crate) use versioned::{Cache, Cacheable};
