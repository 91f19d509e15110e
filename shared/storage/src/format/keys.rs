//! The keys of all objects in a bucket.
//!
//! `head` is the one mutable object. Every other object is written once under a fresh ULID below one of these prefixes.

/// The key of the one mutable object.
pub(crate) const HEAD_KEY: &str = "head";
/// Deltas that no longer fit into `head`.
pub(crate) const SEGMENT_PREFIX: &str = "segment/";
/// Chunks of a base.
pub(crate) const CHUNK_PREFIX: &str = "chunk/";
/// Chunk tables, one for each base.
pub(crate) const TABLE_PREFIX: &str = "table/";
/// Single commits, for restores.
pub(crate) const HISTORY_PREFIX: &str = "history/";
/// Lists of objects that `head` no longer names, for restores and garbage collection.
pub(crate) const TRASH_PREFIX: &str = "trash/";
/// Objects of the test that a new bucket has to pass.
pub(crate) const PROBE_PREFIX: &str = "probe/";
/// Batches of usage counters that maintenance applies to the database.
pub(crate) const USAGE_PREFIX: &str = "usage/";
