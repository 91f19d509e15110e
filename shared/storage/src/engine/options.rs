//! [`Options`] of an engine.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ablation::Ablation;
use crate::clock::{StorageClock, SystemStorageClock};
use crate::commit::usage::ApplyUsage;
use crate::copy::row_changes::OnChange;
use crate::limits::{PAGE_SIZE, READ_TIMEOUT_MS, WRITE_DEADLINE_MS};
use crate::random::{StorageRandom, SystemStorageRandom};

/// One step of the schema. Steps are applied in the order of their versions, each as a write of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// The version of the schema after this step. The first version is 1, and each is greater than the previous one.
    pub version: u32,
    /// The SQL of the step: any number of statements.
    pub sql: &'static str,
    /// The lowest schema version that code must know to read the database after this step. 0 if older code may read it.
    pub min_reader: u32,
    /// The lowest schema version that code must know to write the database after this step. 0 if older code may write it.
    pub min_writer: u32,
}

/// The options of an engine.
#[derive(Clone)]
pub struct Options {
    /// The folder for local copies, on a local disk. Each engine uses a folder of its own below it.
    pub local_dir: PathBuf,
    /// The schema that this code knows.
    pub migrations: &'static [Migration],
    /// The time after which a read is stopped, in milliseconds.
    pub read_timeout_ms: u64,
    /// The time after which a write is abandoned with an unknown outcome, in milliseconds.
    pub write_deadline_ms: u64,
    /// The page size of a new database, in bytes.
    pub page_size: u32,
    /// Clock for deadlines, waits, and the names of objects.
    pub clock: Arc<dyn StorageClock>,
    /// Random source for ids, nonces and jitter.
    pub random: Arc<dyn StorageRandom>,
    /// Applies a batch of usage counters to the database (see [`Engine::freeze_usage`](crate::Engine::freeze_usage)).
    pub apply_usage: Option<ApplyUsage>,
    /// Callback for the rows that this process changes.
    pub on_change: Option<OnChange>,
    /// A rule of the protocol that a test switches off.
    #[doc(hidden)]
    pub ablation: Option<Ablation>,
}

impl Options {
    /// Returns the defaults of [`crate::limits`] with the clock and the random source of the operating system.
    #[must_use]
    pub fn new(local_dir: impl Into<PathBuf>, migrations: &'static [Migration]) -> Self {
        Self {
            local_dir: local_dir.into(),
            migrations,
            read_timeout_ms: READ_TIMEOUT_MS,
            write_deadline_ms: WRITE_DEADLINE_MS,
            page_size: PAGE_SIZE,
            clock: Arc::new(SystemStorageClock::new()),
            random: Arc::new(SystemStorageRandom),
            apply_usage: None,
            on_change: None,
            ablation: None,
        }
    }
}
