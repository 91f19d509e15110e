//! What the tests of the engine share: stores, local folders, and a table of counters.

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests count as no test themselves")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bespoke_storage::rusqlite::{self, Connection, OptionalExtension};
use bespoke_storage::{
    CommitId, Committed, DirectoryStore, Engine, Error, Freshness, MemoryStore, Migration, ObjectStore, Options,
};

/// One table of counters.
pub(crate) const COUNTERS: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL)",
    min_reader: 0,
    min_writer: 0,
}];

/// A folder for local copies.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("copies")
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.path(), COUNTERS)
    }

    /// How many copies there are.
    pub(crate) fn copies(&self) -> usize {
        let entries = std::fs::read_dir(self.path()).unwrap();
        entries
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with("copy-")
            })
            .count()
    }
}

/// A directory that lives as long as the store in it.
pub(crate) struct Kept<S>(
    pub(crate) S,
    #[expect(dead_code, reason = "kept for its end")] tempfile::TempDir,
);

#[async_trait::async_trait]
impl<S: ObjectStore> ObjectStore for Kept<S> {
    async fn get(
        &self,
        key: &str,
        if_none_match: Option<&bespoke_storage::ETag>,
    ) -> Result<bespoke_storage::Fetched, bespoke_storage::StoreError> {
        self.0.get(key, if_none_match).await
    }

    async fn get_range(
        &self,
        key: &str,
        offset: u64,
        length: u64,
    ) -> Result<bespoke_storage::Fetched, bespoke_storage::StoreError> {
        self.0.get_range(key, offset, length).await
    }

    async fn put(
        &self,
        key: &str,
        body: bytes::Bytes,
        condition: bespoke_storage::PutCondition,
    ) -> Result<bespoke_storage::ETag, bespoke_storage::StoreError> {
        self.0.put(key, body, condition).await
    }

    async fn delete(&self, key: &str) -> Result<(), bespoke_storage::StoreError> {
        self.0.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<bespoke_storage::Listed>, bespoke_storage::StoreError> {
        self.0.list(prefix).await
    }
}

/// An empty store of each kind: memory, then directory.
pub(crate) fn stores() -> Vec<Arc<dyn ObjectStore>> {
    let folder = tempfile::tempdir().unwrap();
    let directory = DirectoryStore::open(folder.path().join("bucket")).unwrap();
    vec![Arc::new(MemoryStore::new()), Arc::new(Kept(directory, folder))]
}

pub(crate) async fn open(store: &Arc<dyn ObjectStore>, place: &Place) -> Engine {
    Engine::open(Arc::clone(store), place.options()).await.unwrap()
}

pub(crate) fn id(text: &str) -> CommitId {
    CommitId::new(text).unwrap()
}

/// An id that this process has not used; unique between processes by the process id.
pub(crate) fn fresh_id() -> CommitId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    id(&format!(
        "{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ))
}

/// Adds `by` to a counter; returns what it stands at then.
pub(crate) async fn add(engine: &Engine, name: &str, by: i64) -> Result<Committed<i64>, Error> {
    let name = name.to_owned();
    engine.write(fresh_id(), move |c| Ok(add_now(c, &name, by)?)).await
}

pub(crate) fn add_now(c: &Connection, name: &str, by: i64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET n = n + ?2 RETURNING n";
    c.prepare_cached(sql)?
        .query_row(rusqlite::params![name, by], |row| row.get(0))
}

pub(crate) fn count(c: &Connection, name: &str) -> Result<i64, Error> {
    let mut statement = c.prepare_cached("SELECT n FROM counter WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The sum of all counters, strictly read.
pub(crate) async fn total(engine: &Engine) -> i64 {
    let sum = |c: &Connection| {
        Ok::<i64, Error>(c.query_row("SELECT coalesce(sum(n), 0) FROM counter", [], |row| row.get(0))?)
    };
    engine.read(Freshness::Strict, sum).await.unwrap().value
}
