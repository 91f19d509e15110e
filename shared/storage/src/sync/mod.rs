//! Keeps the local copy current: revalidates `head` and follows it.
//!
//! # Contents
//!
//! - `reads`: reads with strict, local or bounded freshness.
//! - `revalidation`: conditional GETs of `head`, shared by concurrent readers.
//! - `plan`: chooses between an incremental and a full sync.
//! - `synchronizer`: performs the sync.
//! - `assembly`: builds a complete database file from the objects that a `head` names.
//! - `objects`: fetches objects and checks their digests.
//!
//! # Dependencies
//!
//! This module depends on `copy`, `format` and `store`, and on neither `commit` nor `maintenance`. It never changes the
//! bucket.
//!
//! # Data flow
//!
//! A strict read sends a conditional GET of `head`. If the response is "not modified", the local copy was current after
//! the read began. If a newer `head` arrives, `plan` compares it with the copy. If the deltas of `head` continue from
//! the version of the copy, an incremental sync fetches the missing segments and applies them. Otherwise a full sync
//! fetches the base and all deltas, and replaces the copy. It reuses the chunks that the old copy still contains. Both
//! end with a comparison of the checksum.
//!
//! # Adding a kind of sync
//!
//! Add a variant to [`SyncPlan`](plan::SyncPlan) and a method to [`Synchronizer`](synchronizer::Synchronizer). Page
//! faults, which fetch single pages on demand, would be such a kind: a chunk table locates each page.

pub(crate) mod assembly;
pub(crate) mod error;
pub(crate) mod objects;
pub(crate) mod plan;
pub(crate) mod reads;
pub(crate) mod revalidation;
pub(crate) mod synchronizer;
