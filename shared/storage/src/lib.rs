//! One SQLite database, kept in an object store, shared by any number of short-lived processes.
//!
//! # What this is for
//!
//! A process opens an [`Engine`] on an [`ObjectStore`]; the engine fetches the database into a local file. Reads run on that file,
//! after one question to the store whether it moved. A write runs in a local transaction whose log is held back; the pages it
//! changed go to the store in one conditional PUT of one object, `head`; only when that is accepted do they go into the file,
//! and is the write acknowledged. There is no server and nothing but the store.
//!
//! No acknowledged write is lost, applied twice, or seen half done, whatever crashes, stalls or races:
//!
//! - the ETag of `head` decides who commits, a lock in it only who waits;
//! - every write has a [`CommitId`], kept in the table `_commits` of the same transaction, so that a write whose answer was
//!   lost is recognised instead of repeated;
//! - the local file never holds anything that the store has not accepted.
//!
//! # What it must not know
//!
//! Any table of its users, HTTP, the environment. Time and randomness are handed in ([`environment`]).
//!
//! # How to add one more store
//!
//! Implement [`ObjectStore`] in `src/store/<name>.rs`, add one line to `tests/conformance.rs`, and let that suite say whether its
//! conditional PUT is one: it races several writers on one ETag.
//!
//! # Where to look
//!
//! [`Engine`] is the door. Behind it: `create` and `probe` (a new bucket), `replica` (the local copy and the newest `head`), `catch_up` (following `head`), `reader`,
//! `writer` (the queue and the retries), `stage` (a batch in a local transaction), `commit` (to the store), `plan` (what the
//! next `head` is), `base`, `compaction`, `garbage`, `timeline` and `restore` (background jobs and restores), and the formats: `head`, `delta`, `chunks`,
//! `history`, `trash`, `wal`. [`simulation`] plays all of it against hostile schedules; `tasks`, `pages` and `local` are its seams.

mod asking;
mod assembly;
pub mod aws;
mod base;
mod catch_up;
mod change;
mod checksum;
mod chunks;
mod commit;
mod compaction;
mod compression;
mod create;
mod delta;
mod engine;
pub mod environment;
mod error;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod garbage;
mod guard;
mod head;
mod history;
mod image;
mod job;
pub mod limits;
mod local;
mod lock;
mod pages;
mod past;
mod plan;
mod probe;
mod queue;
mod reader;
mod replica;
mod restore;
mod run;
mod session;
pub mod simulation;
mod stage;
mod store;
mod tasks;
mod timeline;
pub mod trace;
mod trash;
mod turn;
mod usage;
mod version;
mod wal;
mod writer;

pub use change::{Change, ChangedRow, OnChange};
pub use compaction::{Compact, Compacted};
#[doc(hidden)]
pub use engine::Ablation;
pub use engine::{Engine, Freshness, Migration, Options, Read};
pub use environment::{Clock, Random};
pub use error::{Error, NotRestorable};
pub use garbage::Collected;
pub use job::{CommitId, Committed};
pub use restore::{RestorePoint, Restored};
pub use rusqlite;
pub use store::{
    DirectoryStore, ETag, Fault, FaultyStore, Fetched, Listed, MemoryStore, Object, ObjectStore, Operation, Place,
    PlaceError, PutCondition, Rates, S3Settings, S3Store, StoreError,
};
pub use timeline::{Span, State};
pub use usage::UsageFold;
pub use version::{Version, VersionError};
