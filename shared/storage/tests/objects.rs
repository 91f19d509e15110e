//! Tests of the objects in the store: segments, bases, and damaged objects.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{
    Hooked, LocalFolder, add, body_of, database_of, edit_head, fresh_id, head_of, json_of, noise, open, stores, total,
};
use bespoke_storage::{
    ETag, Engine, Error, FaultyStore, Fetched, Freshness, Listed, MemoryStore, Migration, ObjectStore, Options,
    PutCondition, Rates, StoreError, limits,
};
use bytes::Bytes;

const BLOBS: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE blob (id INTEGER PRIMARY KEY, body BLOB)",
    min_reader: 0,
    min_writer: 0,
}];

async fn open_blobs(store: &Arc<dyn ObjectStore>, local: &LocalFolder) -> Engine {
    Engine::open(
        Arc::clone(store),
        Options {
            migrations: BLOBS,
            ..local.options()
        },
    )
    .await
    .unwrap()
}

async fn insert(engine: &Engine, bytes: usize, seed: u64) {
    let body = noise(bytes, seed);
    let write = engine.write::<(), Error>(fresh_id(), move |c| {
        c.execute("INSERT INTO blob (body) VALUES (?1)", [&body])?;
        Ok(())
    });
    write.await.unwrap();
}

async fn sql(engine: &Engine, sql: &'static str) {
    engine
        .write::<(), Error>(fresh_id(), move |c| Ok(c.execute_batch(sql)?))
        .await
        .unwrap();
}

/// Asserts that a new engine has the same file byte for byte, and its integrity check succeeds.
async fn assert_same_from_scratch(store: &Arc<dyn ObjectStore>, writer: &LocalFolder) {
    let cold = LocalFolder::new();
    let engine = open_blobs(store, &cold).await;
    assert!(database_of(&cold) == database_of(writer), "the files differ");
    let check = engine.read::<String, Error>(Freshness::Local, |c| {
        Ok(c.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
    });
    assert_eq!(check.await.unwrap().value, "ok");
}

fn length(json: &serde_json::Value) -> usize {
    json.as_array().unwrap().len()
}

#[tokio::test]
async fn deltas_stay_in_head_until_the_tail_is_full() {
    for store in stores().await {
        let local = LocalFolder::new();
        let (engine, follower_place) = (open_blobs(&store, &local).await, LocalFolder::new());
        let follower = open_blobs(&store, &follower_place).await;
        // 20 KB each, so the sixth exceeds the limit of the tail.
        for n in 0..20 {
            insert(&engine, 20_000, n).await;
            assert!(body_of(&*store, "head").await.len() <= limits::HEAD_MAX_BYTES);
            if n % 7 == 0 {
                follower.ping().await.unwrap();
                assert!(database_of(&follower_place) == database_of(&local));
            }
        }
        let head = head_of(&*store).await;
        assert_eq!(length(&head["segments"]), 3);
        assert_eq!(store.list("segment/").await.unwrap().len(), 3);
        assert_same_from_scratch(&store, &local).await;
        // A delta that is too large for `head` becomes a segment, after a segment of the tail.
        insert(&engine, 100_000, 99).await;
        let head = head_of(&*store).await;
        assert_eq!((length(&head["segments"]), length(&head["tail"])), (5, 0));
        insert(&engine, 100_000, 100).await;
        sql(&engine, "DELETE FROM blob WHERE id % 3 = 0; PRAGMA user_version = 3").await;
        assert_same_from_scratch(&store, &local).await;
        follower.ping().await.unwrap();
        assert!(database_of(&follower_place) == database_of(&local));
        assert!(head["base"]["table"].is_null());
    }
}

#[tokio::test]
async fn huge_delta_becomes_a_new_base() {
    for store in stores().await {
        let local = LocalFolder::new();
        let (engine, follower_place) = (open_blobs(&store, &local).await, LocalFolder::new());
        let follower = open_blobs(&store, &follower_place).await;
        insert(&engine, 3_500_000, 1).await;
        let head = head_of(&*store).await;
        let first_base = head["base"].clone();
        assert_eq!((length(&head["segments"]), length(&head["tail"])), (0, 0));
        assert_eq!(first_base["seq"], head["seq"]);
        assert_eq!(store.list("chunk/").await.unwrap().len(), 4);
        assert!(body_of(&*store, first_base["table"].as_str().unwrap()).await.len() == 16 + 4 * 28 + 8);
        assert_same_from_scratch(&store, &local).await;
        // Less than a quarter of the database becomes a segment on the base.
        insert(&engine, 700_000, 2).await;
        let head = head_of(&*store).await;
        assert_eq!((length(&head["segments"]), &head["base"]), (1, &first_base));
        assert_same_from_scratch(&store, &local).await;
        follower.ping().await.unwrap();
        assert!(database_of(&follower_place) == database_of(&local));
        insert(&engine, 2_500_000, 3).await;
        assert_ne!(head_of(&*store).await["base"]["id"], first_base["id"]);
        assert_same_from_scratch(&store, &local).await;
        // A copy that is older than the base needs a full sync.
        follower.ping().await.unwrap();
        assert!(database_of(&follower_place) == database_of(&local));
    }
}

#[tokio::test]
async fn commit_after_the_last_allowed_segment_writes_a_base() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let local = LocalFolder::new();
    let engine = open_blobs(&store, &local).await;
    // The first write makes two segments, because the migrations were in the tail.
    for n in 1..limits::SEGMENTS_MAX as u64 {
        insert(&engine, 66_000, n).await;
    }
    let head = head_of(&*store).await;
    assert_eq!(length(&head["segments"]), limits::SEGMENTS_MAX);
    insert(&engine, 66_000, 99).await;
    let head = head_of(&*store).await;
    assert_eq!(length(&head["segments"]), 0);
    assert_eq!(head["base"]["seq"], head["seq"]);
    assert_same_from_scratch(&store, &local).await;
}

#[tokio::test]
async fn shrinking_and_growing_files_are_identical_in_all_processes() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let (local, follower_place) = (LocalFolder::new(), LocalFolder::new());
    let (engine, follower) = (
        open_blobs(&store, &local).await,
        open_blobs(&store, &follower_place).await,
    );
    sql(&engine, "PRAGMA user_version = 1").await;
    for n in 0..6 {
        insert(&engine, 300_000, n).await;
        // SQLite does not write pages that are allocated and freed in one commit.
        sql(
            &engine,
            "INSERT INTO blob VALUES (1000, zeroblob(200000)); DELETE FROM blob WHERE id = 1000;
             DELETE FROM blob WHERE id % 2 = 0",
        )
        .await;
        follower.ping().await.unwrap();
        assert!(database_of(&follower_place) == database_of(&local), "{n}");
    }
    assert_same_from_scratch(&store, &local).await;
}

/// A store with a base, segments and a tail.
async fn full_store() -> (MemoryStore, serde_json::Value) {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let local = LocalFolder::new();
    let engine = open_blobs(&store, &local).await;
    insert(&engine, 1_500_000, 1).await;
    insert(&engine, 90_000, 2).await;
    insert(&engine, 90_000, 3).await;
    insert(&engine, 1_000, 4).await;
    let head = head_of(&memory).await;
    assert_eq!((length(&head["segments"]), length(&head["tail"])), (2, 1));
    (memory, head)
}

async fn try_open(memory: &MemoryStore) -> Result<(), Error> {
    let local = LocalFolder::new();
    let options = Options {
        migrations: BLOBS,
        ..local.options()
    };
    Engine::open(Arc::new(memory.clone()), options).await.map(drop)
}

#[tokio::test]
async fn damaged_object_is_named() {
    let (memory, head) = full_store().await;
    try_open(&memory).await.unwrap();
    let chunks = memory.list("chunk/").await.unwrap();
    let table = head["base"]["table"].as_str().unwrap().to_owned();
    let mut keys = vec![
        "head".to_owned(),
        table,
        head["segments"][1]["key"].as_str().unwrap().to_owned(),
    ];
    keys.extend(chunks.into_iter().map(|line| line.key));
    for key in keys {
        let whole = body_of(&memory, &key).await;
        let mut flipped = whole.to_vec();
        flipped[whole.len() / 2] ^= 1;
        for damaged in [
            flipped.into(),
            whole.slice(..whole.len() / 2),
            whole.slice(..0),
            whole.slice(1..),
        ] {
            memory.put(&key, damaged, PutCondition::None).await.unwrap();
            let error = try_open(&memory).await.unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(text) if text.contains(&key)),
                "{key}: {error}"
            );
        }
        if key != "head" {
            memory.delete(&key).await.unwrap();
            let error = try_open(&memory).await.unwrap_err();
            assert!(
                matches!(&error, Error::Corrupt(text) if text.contains(&key)),
                "{key}: {error}"
            );
        }
        memory.put(&key, whole, PutCondition::None).await.unwrap();
    }
    try_open(&memory).await.unwrap();
    // Two swapped objects are valid, but the checksum of the database reveals them.
    edit_head(&memory, |head| head["checksum"] = "0123456789abcdef".into()).await;
    let error = try_open(&memory).await.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt(text) if text.contains("checksum")),
        "{error}"
    );
}

#[tokio::test]
async fn newer_format_is_unsupported() {
    let (memory, _) = full_store().await;
    edit_head(&memory, |head| head["format"] = 2.into()).await;
    let error = try_open(&memory).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unsupported(text) if text.contains("format 2")),
        "{error}"
    );
}

#[tokio::test]
async fn bucket_without_its_head_is_refused() {
    let (memory, _) = full_store().await;
    let local = LocalFolder::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let engine = open_blobs(&store, &local).await;
    let head = body_of(&memory, "head").await;
    memory.delete("head").await.unwrap();
    assert!(matches!(try_open(&memory).await, Err(Error::Refused(_))));
    assert!(matches!(engine.ping().await, Err(Error::Corrupt(_))));
    let write = engine
        .write::<(), Error>(fresh_id(), |c| Ok(c.execute_batch("INSERT INTO blob VALUES (77, 1)")?))
        .await;
    assert!(matches!(write, Err(Error::Corrupt(_))), "{write:?}");
    memory.put("head", head, PutCondition::CreateOnly).await.unwrap();
    engine.ping().await.unwrap();
}

#[tokio::test]
async fn replaced_database_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let other: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let local = LocalFolder::new();
    let engine = open(&store, &local).await;
    let stranger = open(&other, &local).await;
    for _ in 0..3 {
        add(&stranger, "a", 1).await.unwrap();
    }
    store
        .put("head", body_of(&*other, "head").await, PutCondition::None)
        .await
        .unwrap();
    assert!(matches!(engine.ping().await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn commit_preserves_unknown_fields() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let local = LocalFolder::new();
    let engine = open(&store, &local).await;
    edit_head(&*store, |head| {
        head["future"] = serde_json::json!({ "deep": [1, 2] });
        head["base"]["future"] = 7.into();
        head["floor_ms"] = 12_345.into();
    })
    .await;
    add(&engine, "a", 1).await.unwrap();
    let head = json_of(&body_of(&*store, "head").await);
    assert_eq!(head["future"]["deep"][1], 2);
    assert_eq!(head["base"]["future"], 7);
    assert_eq!(head["floor_ms"], 12_345);
}

#[tokio::test]
async fn new_epoch_replaces_the_copy() {
    let (memory, _) = full_store().await;
    let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let local = LocalFolder::new();
    let engine = open_blobs(&store, &local).await;
    let old = body_of(&memory, "head").await;
    insert(&engine, 500, 9).await;
    insert(&engine, 500, 10).await;
    let newest = engine.version();
    // Like a restore, this puts an earlier state under a new epoch.
    memory.put("head", old, PutCondition::None).await.unwrap();
    edit_head(&memory, |head| head["epoch"] = 2.into()).await;
    let version = engine.ping().await.unwrap();
    assert_eq!((version.epoch, version.seq), (2, newest.seq - 2));
    assert_same_from_scratch(&store, &local).await;
    insert(&engine, 500, 11).await;
    assert_same_from_scratch(&store, &local).await;
}

#[tokio::test]
async fn all_page_sizes_of_sqlite_work() {
    for page_size in [512, 1_024, 4_096, 65_536] {
        let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
        let local = LocalFolder::new();
        let options = Options {
            migrations: BLOBS,
            page_size,
            ..local.options()
        };
        let engine = Engine::open(Arc::clone(&store), options).await.unwrap();
        insert(&engine, 200_000, 1).await;
        insert(&engine, 1_300_000, 2).await;
        insert(&engine, 2_000, 3).await;
        assert_eq!(head_of(&*store).await["page_size"], page_size);
        assert_same_from_scratch(&store, &local).await;
    }
    let options = Options {
        page_size: 1_000,
        ..LocalFolder::new().options()
    };
    let refused = Engine::open(Arc::new(MemoryStore::new()), options).await.map(drop);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn small_commit_is_one_put_of_a_few_bytes() {
    let memory = MemoryStore::new();
    let store: Arc<dyn ObjectStore> = Arc::new(memory);
    let local = LocalFolder::new();
    let engine = open(&store, &local).await;
    for n in 0..200 {
        add(&engine, &format!("user {n}"), 1).await.unwrap();
    }
    add(&engine, "user 7", 1).await.unwrap();
    let tail = head_of(&*store).await["tail"].as_array().unwrap().last().unwrap()["len"]
        .as_u64()
        .unwrap();
    assert!(tail < 6_000, "{tail} bytes for one row and its commit id");
    assert_eq!(total(&engine).await, 201);
}

#[tokio::test]
async fn object_that_is_deleted_after_a_newer_head_is_not_damage() {
    let (memory, head) = full_store().await;
    let elsewhere = LocalFolder::new();
    let honest: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    let rival = open_blobs(&honest, &elsewhere).await;
    let segment = head["segments"][0]["key"].as_str().unwrap().to_owned();
    let moved = Arc::new(AtomicBool::new(false));
    let before_get: crate::support::Hook = Box::new(move |key, _| {
        let (rival, memory, segment, moved) = (rival.clone(), memory.clone(), segment.clone(), Arc::clone(&moved));
        Box::pin(async move {
            if key == segment && !moved.swap(true, Ordering::SeqCst) {
                insert(&rival, 3_000_000, 7).await;
                memory.delete(&segment).await.unwrap();
            }
        })
    });
    let store: Arc<dyn ObjectStore> = Arc::new(Hooked {
        before_get,
        ..Hooked::new(honest)
    });
    let local = LocalFolder::new();
    let _engine = open_blobs(&store, &local).await;
    assert!(database_of(&local) == database_of(&elsewhere));
}

/// A memory store whose conditions are not atomic.
struct Careless {
    inner: MemoryStore,
    /// Whether it checks the condition, and writes later. Otherwise it ignores the condition.
    checks_first: bool,
}

#[async_trait::async_trait]
impl ObjectStore for Careless {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.inner.get(key, if_none_match).await
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.inner.get_range(key, offset, length).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        if self.checks_first {
            let current_etag = match self.inner.get(key, None).await? {
                Fetched::Found(object) => Some(object.etag),
                _ => None,
            };
            let holds = match condition {
                PutCondition::None => true,
                PutCondition::CreateOnly => current_etag.is_none(),
                PutCondition::Match(etag) => current_etag == Some(etag),
            };
            if !holds {
                return Err(StoreError::PreconditionFailed);
            }
            tokio::task::yield_now().await;
        }
        self.inner.put(key, body, PutCondition::None).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}

#[tokio::test]
async fn store_without_atomic_conditions_is_refused() {
    for checks_first in [false, true] {
        let local = LocalFolder::new();
        let inner = MemoryStore::new();
        let careless = Careless {
            inner: inner.clone(),
            checks_first,
        };
        let refused = Engine::open(Arc::new(careless), local.options()).await.err().unwrap();
        assert!(
            matches!(&refused, Error::Refused(text) if text.contains("not atomic") && text.contains("Use a bucket")),
            "{refused}"
        );
        assert!(inner.list("").await.unwrap().is_empty(), "the probe leaves no objects");
    }
}

#[tokio::test]
async fn only_a_new_bucket_is_probed() {
    let local = LocalFolder::new();
    let faulty = FaultyStore::new(MemoryStore::new(), 0, Rates::default());
    let store: Arc<dyn ObjectStore> = Arc::new(faulty.clone());
    let probes = || {
        faulty
            .calls()
            .iter()
            .filter(|(_, key)| key.starts_with("probe/"))
            .count()
    };
    drop(open(&store, &local).await);
    let first = probes();
    assert!(first > 0);
    drop(open(&store, &local).await);
    assert_eq!(probes(), first);
}
