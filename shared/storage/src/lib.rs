//! One SQLite database in an object store, shared by any number of short-lived processes.
//!
//! # How it works
//!
//! A process opens an [`Engine`] on an [`ObjectStore`]. The engine fetches the database into a local file. A read
//! revalidates `head`, the one mutable object, and runs on the local file. A write runs in a local transaction, whose
//! changed pages are stored with one conditional PUT of `head`. When the store accepts the PUT, the write is committed:
//! the pages are moved into the local file, and the caller gets its result. The store is the only service that the
//! engine needs.
//!
//! No acknowledged write is lost, applied twice, or visible in part, even if processes crash, stall or race:
//!
//! - The ETag of `head` decides which writer commits. A lock in `head` only makes the others wait, for fairness.
//! - Every write has a [`CommitId`], which the same transaction records in the table `_commits`. If a response is lost,
//!   the retry recognizes that the write was committed already.
//! - The local file never contains pages that the store has not accepted.
//!
//! # Layers
//!
//! Each module depends only on modules below it:
//!
//! | Module | Contents |
//! | --- | --- |
//! | `simulation` | deterministic simulation of all other modules |
//! | `engine` | the public API: open, read, write, maintain |
//! | `maintenance` | compaction, garbage collection, restore, usage counters |
//! | `commit` | write queue, batches, staging transaction, conditional PUT, contention, lock |
//! | `sync` | revalidation of `head`, sync plan, incremental and full sync |
//! | `copy` | the local copy: file, snapshots, connections |
//! | `format`, `store` | stored formats without I/O; the [`ObjectStore`] trait and its implementations |
//! | `clock`, `random`, `tasks`, `error`, `limits`, `version`, `trace` | used by all modules |
//!
//! Two tests in `tests/imports` of this workspace check that: imports point downwards, and no import cycle has more than
//! three files.
//!
//! # Dependencies
//!
//! The crate knows no table of its users, no HTTP API and no environment variable. [`clock`] and [`random`] inject time
//! and randomness.
//!
//! # Adding a store
//!
//! Implement [`ObjectStore`] in `src/store/<name>.rs`, and add one line to `tests/conformance.rs`. That suite races
//! several writers on one ETag to find out whether the conditional PUT of the store is atomic.

mod ablation;
pub mod aws;
pub mod clock;
mod commit;
mod copy;
mod disk;
mod engine;
mod error;
mod format;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod maintenance;
pub mod random;
pub mod simulation;
mod store;
mod sync;
mod tasks;
pub mod trace;
mod version;

#[doc(hidden)]
pub use ablation::Ablation;
pub use clock::StorageClock;
pub use commit::usage::ApplyUsage;
pub use commit::write::{CommitId, Committed};
pub use copy::row_changes::{Change, ChangedRow, OnChange};
pub use engine::Engine;
pub use engine::options::{Migration, Options};
pub use error::{Error, NotRestorable};
pub use maintenance::compaction::{Compact, Compacted};
pub use maintenance::garbage::Collected;
pub use maintenance::restore::{RestorePoint, Restored};
pub use random::StorageRandom;
pub use rusqlite;
pub use store::{
    DirectoryStore, ETag, Fault, FaultyStore, Fetched, Listed, MemoryStore, Object, ObjectStore, Operation, Place,
    PlaceError, PutCondition, Rates, S3Settings, S3Store, StoreError,
};
pub use sync::reads::{Freshness, Read};
pub use version::{DatedVersion, Version, VersionError, VersionRange};
