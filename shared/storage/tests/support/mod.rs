//! Support for the tests of the engine: stores ([`stores`], [`Hooked`]), local folders ([`LocalFolder`]), clocks
//! ([`VirtualClock`], [`FastClock`]) and a table of counters ([`COUNTERS`]).

#![allow(dead_code, reason = "each test binary uses some of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

pub(crate) mod s3;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bespoke_storage::clock::{Sleep, SystemStorageClock};
use bespoke_storage::random::SeededRandom;
use bespoke_storage::rusqlite::{self, Connection, OptionalExtension};
use bespoke_storage::{
    CommitId, Committed, DirectoryStore, ETag, Engine, Error, Fetched, Freshness, Listed, MemoryStore, Migration,
    ObjectStore, Options, PutCondition, StorageClock, StorageRandom, StoreError,
};

/// One table of counters.
pub(crate) const COUNTERS: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE counter (name TEXT PRIMARY KEY, n INTEGER NOT NULL)",
    min_reader: 0,
    min_writer: 0,
}];

/// A temporary folder for local copies.
pub(crate) struct LocalFolder(tempfile::TempDir);

impl LocalFolder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("copies")
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.path(), COUNTERS)
    }

    /// The number of local copies.
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

/// An empty store of each kind: memory, directory, S3.
pub(crate) async fn stores() -> Vec<Arc<dyn ObjectStore>> {
    let server = s3::S3Server::start();
    let s3 = server.store();
    vec![memory(), directory(), with_owner(s3, server)]
}

pub(crate) fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(MemoryStore::new())
}

/// A directory store that removes its folder when it is dropped.
pub(crate) fn directory() -> Arc<dyn ObjectStore> {
    let folder = tempfile::tempdir().unwrap();
    with_owner(DirectoryStore::open(folder.path().join("bucket")).unwrap(), folder)
}

/// A store that owns its folder or its server.
fn with_owner(store: impl ObjectStore, owned: impl Send + Sync + 'static) -> Arc<dyn ObjectStore> {
    let before_put: Hook = Box::new(move |_, _| {
        let _ = &owned;
        Box::pin(async {})
    });
    Arc::new(Hooked {
        before_put,
        ..Hooked::new(Arc::new(store))
    })
}

pub(crate) async fn open(store: &Arc<dyn ObjectStore>, local: &LocalFolder) -> Engine {
    Engine::open(Arc::clone(store), local.options()).await.unwrap()
}

pub(crate) fn id(text: &str) -> CommitId {
    CommitId::new(text).unwrap()
}

/// A new commit id. It contains the process id, so it is unique between processes.
pub(crate) fn fresh_id() -> CommitId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    id(&format!(
        "{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ))
}

/// Adds `by` to a counter in a write of its own, and returns the new value.
pub(crate) async fn add(engine: &Engine, name: &str, by: i64) -> Result<Committed<i64>, Error> {
    let name = name.to_owned();
    engine
        .write(fresh_id(), move |c| Ok(add_in_transaction(c, &name, by)?))
        .await
}

/// Adds `by` to a counter in the transaction of `c`, and returns the new value.
pub(crate) fn add_in_transaction(c: &Connection, name: &str, by: i64) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET n = n + ?2 RETURNING n";
    c.prepare_cached(sql)?
        .query_row(rusqlite::params![name, by], |row| row.get(0))
}

pub(crate) fn count(c: &Connection, name: &str) -> Result<i64, Error> {
    let mut statement = c.prepare_cached("SELECT n FROM counter WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The sum of all counters, by a strict read.
pub(crate) async fn total(engine: &Engine) -> i64 {
    let sum = |c: &Connection| {
        Ok::<i64, Error>(c.query_row("SELECT coalesce(sum(n), 0) FROM counter", [], |row| row.get(0))?)
    };
    engine.read(Freshness::Strict, sum).await.unwrap().value
}

/// A hook of a [`Hooked`] store, which is awaited with the key and, for a PUT, the body.
pub(crate) type Hook = Box<dyn Fn(String, bytes::Bytes) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A store that calls hooks before every GET, before every PUT, and after every PUT.
pub(crate) struct Hooked {
    pub(crate) inner: Arc<dyn ObjectStore>,
    pub(crate) before_get: Hook,
    pub(crate) before_put: Hook,
    pub(crate) after_put: Hook,
}

impl Hooked {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        let nothing = || -> Hook { Box::new(|_, _| Box::pin(async {})) };
        Self {
            inner,
            before_get: nothing(),
            before_put: nothing(),
            after_put: nothing(),
        }
    }
}

#[async_trait::async_trait]
impl ObjectStore for Hooked {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        (self.before_get)(key.to_owned(), bytes::Bytes::new()).await;
        self.inner.get(key, if_none_match).await
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.inner.get_range(key, offset, length).await
    }

    async fn put(&self, key: &str, body: bytes::Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        (self.before_put)(key.to_owned(), body.clone()).await;
        let answer = self.inner.put(key, body.clone(), condition).await;
        (self.after_put)(key.to_owned(), body).await;
        answer
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}

/// A clock that advances only by sleeps, which return at once.
pub(crate) struct VirtualClock(AtomicU64);

impl VirtualClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_800_000_000_000)))
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn turn_back(&self, ms: u64) {
        self.0.fetch_sub(ms, Ordering::SeqCst);
    }
}

impl StorageClock for VirtualClock {
    fn unix_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic_us(&self) -> u64 {
        self.unix_ms() * 1_000
    }

    fn sleep(&self, ms: u64) -> Sleep<'_> {
        Box::pin(async move { self.advance(ms) })
    }
}

/// The system clock, fifty times as fast, so that waits, locks and deadlines take a fiftieth of their time.
pub(crate) struct FastClock(SystemStorageClock);

impl FastClock {
    const TIMES: u64 = 50;

    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(SystemStorageClock::new()))
    }
}

impl StorageClock for FastClock {
    fn unix_ms(&self) -> u64 {
        1_800_000_000_000 + self.monotonic_us() / 1_000
    }

    fn monotonic_us(&self) -> u64 {
        self.0.monotonic_us() * Self::TIMES
    }

    fn sleep(&self, ms: u64) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(std::time::Duration::from_micros(
            ms * 1_000 / Self::TIMES,
        )))
    }
}

pub(crate) async fn body_of(store: &dyn ObjectStore, key: &str) -> bytes::Bytes {
    match store.get(key, None).await.unwrap() {
        Fetched::Found(object) => object.body,
        other => panic!("{key}: {other:?}"),
    }
}

/// The JSON of a `head`.
pub(crate) fn json_of(body: &[u8]) -> serde_json::Value {
    let length = u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    serde_json::from_slice(&body[12..12 + length]).unwrap()
}

pub(crate) async fn head_of(store: &dyn ObjectStore) -> serde_json::Value {
    json_of(&body_of(store, "head").await)
}

/// Replaces the JSON of `head`, with a valid digest.
pub(crate) async fn edit_head(store: &dyn ObjectStore, edit: impl FnOnce(&mut serde_json::Value)) {
    let body = body_of(store, "head").await;
    let mut json = json_of(&body);
    let rest = 12 + u32::from_le_bytes(body[..4].try_into().unwrap()) as usize;
    edit(&mut json);
    let json = serde_json::to_vec(&json).unwrap();
    let content = [json.as_slice(), &body[rest..]].concat();
    let mut edited = u32::try_from(json.len()).unwrap().to_le_bytes().to_vec();
    edited.extend(xxhash_rust::xxh3::xxh3_64(&content).to_le_bytes());
    edited.extend(content);
    store.put("head", edited.into(), PutCondition::None).await.unwrap();
}

/// Paths and contents of the files below the folder for local copies, without lock files.
pub(crate) fn files_of(local: &LocalFolder) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for copy in std::fs::read_dir(local.path()).unwrap() {
        let copy = copy.unwrap().path();
        if copy.is_dir() {
            let paths = std::fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().path());
            files.extend(paths.filter(|path| !path.ends_with("alive")).map(|path| {
                let bytes = std::fs::read(&path).unwrap();
                (path, bytes)
            }));
        }
    }
    files.sort();
    files
}

/// Content of the only database file below `local`.
pub(crate) fn database_of(local: &LocalFolder) -> Vec<u8> {
    let files = files_of(local);
    let mut databases = files
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|name| name == "sqlite"));
    let (_, bytes) = databases.next().unwrap();
    assert!(databases.next().is_none(), "more than one database file");
    bytes
}

/// Random bytes, which do not compress.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    SeededRandom::new(seed).fill(&mut noise);
    noise
}
