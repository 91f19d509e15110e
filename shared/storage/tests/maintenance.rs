//! Tests of compaction, garbage collection and restore, on a real database.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::s3::S3Server;
use crate::support::{Hooked, LocalFolder, VirtualClock, add, count, fresh_id, head_of, memory, noise, open};
use bespoke_storage::{
    Compact, Compacted, ETag, Engine, Error, FaultyStore, Fetched, Freshness, Listed, MemoryStore, Object, ObjectStore,
    Options, PutCondition, Rates, RestorePoint, S3Store, StorageClock, StoreError, limits,
};
use bytes::Bytes;
use tokio::sync::Notify;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// A bucket whose clock the test sets.
struct World {
    local: LocalFolder,
    clock: Arc<VirtualClock>,
    store: Arc<dyn ObjectStore>,
}

impl World {
    fn new() -> Self {
        let clock = VirtualClock::new();
        Self {
            local: LocalFolder::new(),
            store: Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn StorageClock>)),
            clock,
        }
    }

    async fn open(&self) -> Engine {
        let options = Options {
            clock: Arc::clone(&self.clock) as Arc<dyn StorageClock>,
            ..self.local.options()
        };
        Engine::open(Arc::clone(&self.store), options).await.unwrap()
    }

    async fn objects(&self, prefix: &str) -> usize {
        self.store.list(prefix).await.unwrap().len()
    }
}

/// A write that becomes a segment.
async fn add_segment(engine: &Engine, seed: u64) {
    let write = move |c: &bespoke_storage::rusqlite::Connection| {
        c.execute_batch("CREATE TABLE IF NOT EXISTS noise (x BLOB)")?;
        c.execute("INSERT INTO noise VALUES (?1)", [noise(100_000, seed)])?;
        Ok(0)
    };
    engine.write::<i64, Error>(fresh_id(), write).await.unwrap();
}

async fn counted(engine: &Engine) -> i64 {
    let read = engine.read(Freshness::Strict, |c| count(c, "a")).await;
    read.unwrap().value
}

#[tokio::test]
async fn compaction_writes_a_base_of_the_same_database() {
    let world = World::new();
    let engine = world.open().await;
    let other = world.open().await;
    assert_eq!(
        engine.compact(Compact::WhereWorthIt).await.unwrap(),
        Compacted::NotNeeded
    );
    for seed in 0..17 {
        add_segment(&engine, seed).await;
    }
    add(&engine, "a", 1).await.unwrap();
    let before = engine.version();
    assert_eq!(engine.compact(Compact::WhereWorthIt).await.unwrap(), Compacted::Done);
    let head = head_of(&*world.store).await;
    assert_eq!(
        (head["segments"].as_array().unwrap().len(), engine.version()),
        (0, before)
    );
    assert_eq!(engine.compact(Compact::Always).await.unwrap(), Compacted::NotNeeded);
    // An engine that was behind, one that was current, and a new one.
    for engine in [other, engine, world.open().await] {
        assert_eq!(counted(&engine).await, 1);
        add(&engine, "b", 1).await.unwrap();
    }
}

#[tokio::test]
async fn compaction_runs_if_segments_are_large_for_the_database() {
    let world = World::new();
    let engine = world.open().await;
    let worth_it = async || engine.compact(Compact::WhereWorthIt).await.unwrap();
    for seed in 0..5 {
        add_segment(&engine, seed).await;
    }
    assert_eq!(worth_it().await, Compacted::Done);
    add_segment(&engine, 5).await;
    assert_eq!(worth_it().await, Compacted::NotNeeded);
    add_segment(&engine, 6).await;
    assert_eq!(worth_it().await, Compacted::Done);
}

/// A store that notifies the test of the PUT of the first chunk, and blocks it until the test notifies the store.
fn holding_a_chunk(inner: Arc<dyn ObjectStore>) -> (Arc<dyn ObjectStore>, Arc<Notify>, Arc<Notify>) {
    let (held, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (notify_held, may_go_on, first) = (Arc::clone(&held), Arc::clone(&go_on), AtomicBool::new(true));
    let before_put = Box::new(move |key: String, _| {
        let (notify_held, may_go_on) = (Arc::clone(&notify_held), Arc::clone(&may_go_on));
        let holds = key.starts_with("chunk/") && first.swap(false, Ordering::SeqCst);
        Box::pin(async move {
            if holds {
                notify_held.notify_one();
                may_go_on.notified().await;
            }
        }) as Pin<Box<dyn Future<Output = ()> + Send>>
    });
    let store = Hooked {
        before_put,
        ..Hooked::new(inner)
    };
    (Arc::new(store), held, go_on)
}

#[tokio::test]
async fn writes_continue_during_a_compaction() {
    let local = LocalFolder::new();
    let (store, held, go_on) = holding_a_chunk(memory());
    let engine = open(&store, &local).await;
    engine.compact_by_itself();
    let due = limits::BACKGROUND_COMPACTION_SEGMENTS as u64;
    for seed in 0..due {
        add_segment(&engine, seed).await;
    }
    held.notified().await;
    // More segments than are allowed without a compaction, and a tail that continues after the base.
    let began = engine.version();
    add(&engine, "a", 1).await.unwrap();
    for seed in due..limits::SEGMENTS_MAX as u64 + 3 {
        add_segment(&engine, seed).await;
    }
    let ended = add(&engine, "a", 1).await.unwrap().version;
    assert!(head_of(&*store).await["segments"].as_array().unwrap().len() > limits::SEGMENTS_MAX);
    go_on.notify_one();
    // Waits for the running compaction.
    assert_eq!(engine.compact(Compact::WhereWorthIt).await.unwrap(), Compacted::Done);
    let head = head_of(&*store).await;
    assert!(
        head["base"]["seq"].as_u64().unwrap() > began.seq,
        "the second began later"
    );
    for (version, expected) in [(began, 0), (ended, 2)] {
        engine.restore(RestorePoint::At(version)).await.unwrap();
        for engine in [&engine, &open(&store, &LocalFolder::new()).await] {
            assert_eq!(counted(engine).await, expected, "{version}");
        }
    }
}

/// A write that becomes a segment and changes existing rows.
async fn change_segment(engine: &Engine, seed: u64) {
    let write = move |c: &bespoke_storage::rusqlite::Connection| {
        c.execute(
            "UPDATE noise SET x = ?2 WHERE rowid = ?1",
            (1 + (seed % 20).cast_signed(), noise(100_000, seed)),
        )?;
        Ok(0)
    };
    engine.write::<i64, Error>(fresh_id(), write).await.unwrap();
}

#[tokio::test]
async fn young_segments_are_merged_if_they_are_small_for_the_database() {
    let (local, store) = (LocalFolder::new(), memory());
    let engine = open(&store, &local).await;
    let lagging = open(&store, &LocalFolder::new()).await;
    let much = |c: &bespoke_storage::rusqlite::Connection| {
        c.execute_batch("CREATE TABLE noise (x BLOB)")?;
        for seed in 0..200 {
            c.execute("INSERT INTO noise VALUES (?1)", [noise(100_000, seed)])?;
        }
        Ok(0)
    };
    engine.write::<i64, Error>(fresh_id(), much).await.unwrap();
    engine.compact_by_itself();
    let base = head_of(&*store).await["base"]["id"].clone();
    change_segment(&engine, 1_000).await;
    let began = engine.version();
    for seed in 1..limits::BACKGROUND_COMPACTION_SEGMENTS as u64 {
        change_segment(&engine, 1_000 + seed).await;
        if seed == 15 {
            // This state will be inside the merged segment.
            assert_eq!(counted(&lagging).await, 0);
        }
    }
    let segments = || async { head_of(&*store).await["segments"].as_array().unwrap().len() };
    while segments().await == limits::BACKGROUND_COMPACTION_SEGMENTS {
        tokio::task::yield_now().await;
    }
    assert_eq!((segments().await, &head_of(&*store).await["base"]["id"]), (1, &base));
    add(&engine, "a", 1).await.unwrap();
    for engine in [&lagging, &open(&store, &LocalFolder::new()).await] {
        assert_eq!(counted(engine).await, 1);
    }
    // A state inside the merged segment.
    engine.restore(RestorePoint::At(began)).await.unwrap();
    assert_eq!(counted(&open(&store, &LocalFolder::new()).await).await, 0);
}

#[tokio::test]
async fn base_of_a_commit_makes_the_compaction_give_up() {
    let local = LocalFolder::new();
    let (store, held, go_on) = holding_a_chunk(memory());
    let (engine, other) = (open(&store, &local).await, open(&store, &local).await);
    add_segment(&engine, 1).await;
    let (compacted, ()) = tokio::join!(engine.compact(Compact::Always), async {
        held.notified().await;
        let much = |c: &bespoke_storage::rusqlite::Connection| {
            c.execute("INSERT INTO noise VALUES (?1)", [noise(3_000_000, 2)])?;
            Ok(0)
        };
        other.write::<i64, Error>(fresh_id(), much).await.unwrap();
        go_on.notify_one();
    });
    assert_eq!(compacted.unwrap(), Compacted::Abandoned);
    assert_eq!(add(&engine, "a", 1).await.unwrap().value, 1);
    assert_eq!(counted(&open(&store, &local).await).await, 1);
}

#[tokio::test]
async fn unchanged_chunks_are_reused_by_the_next_base() {
    let world = World::new();
    let engine = world.open().await;
    for seed in 0..30 {
        add_segment(&engine, seed).await;
    }
    engine.compact(Compact::Always).await.unwrap();
    let chunks = world.objects("chunk/").await;
    assert!(chunks > 2);
    add(&engine, "a", 1).await.unwrap();
    engine.compact(Compact::Always).await.unwrap();
    let added = world.objects("chunk/").await - chunks;
    assert!(added < chunks, "{added} of {chunks} chunks were written");
    assert_eq!(counted(&world.open().await).await, 1);
}

#[tokio::test]
async fn garbage_is_deleted_after_a_week() {
    let world = World::new();
    let engine = world.open().await;
    add_segment(&engine, 1).await;
    engine.compact(Compact::Always).await.unwrap();
    add_segment(&engine, 2).await;
    engine.compact(Compact::Always).await.unwrap();
    world.clock.advance(6 * DAY_MS);
    assert_eq!(engine.collect_garbage().await.unwrap().deleted, 0);
    // A week in which every state can be restored, and a day for restores that have begun.
    world.clock.advance(2 * DAY_MS + DAY_MS / 2);
    assert!(engine.collect_garbage().await.unwrap().deleted > 0);
    assert_eq!((world.objects("segment/").await, world.objects("trash/").await), (0, 0));
    assert_eq!(world.objects("table/").await, 1);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(counted(&world.open().await).await, 1);
}

#[tokio::test]
async fn orphan_is_deleted_after_a_day() {
    let world = World::new();
    let engine = world.open().await;
    let key = "segment/01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let condition = bespoke_storage::PutCondition::CreateOnly;
    world.store.put(key, "left".into(), condition).await.unwrap();
    let before = head_of(&*world.store).await;
    assert_eq!(engine.collect_garbage().await.unwrap().deleted, 0);
    // Without garbage, `head` is not put.
    assert_eq!(head_of(&*world.store).await, before);
    world.clock.advance(DAY_MS);
    let collected = engine.collect_garbage().await.unwrap();
    assert_eq!(collected.deleted, 1);
    let head = head_of(&*world.store).await;
    assert_eq!(head["floor_ms"].as_u64(), Some(collected.floor_ms));
}

#[tokio::test]
async fn object_with_another_digest_is_named_though_its_pages_are_correct() {
    let world = World::new();
    let engine = world.open().await;
    add_segment(&engine, 1).await;
    engine.check_objects().await.unwrap();
    let head = head_of(&*world.store).await;
    let key = head["segments"][0]["key"].as_str().unwrap();
    let Fetched::Found(object) = world.store.get(key, None).await.unwrap() else {
        panic!("{key} is gone");
    };
    // The same pages with another compression.
    let (length, packed) = object.body.split_at(8);
    let raw_bytes = u64::from_le_bytes(length.try_into().unwrap());
    let raw = zstd::bulk::decompress(packed, usize::try_from(raw_bytes).unwrap()).unwrap();
    let again = [length, &zstd::bulk::compress(&raw, 19).unwrap()].concat();
    world.store.put(key, again.into(), PutCondition::None).await.unwrap();
    assert_eq!(counted(&world.open().await).await, 0);
    let error = engine.check_objects().await.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt(detail) if detail.contains(key)),
        "{error}"
    );
}

#[tokio::test]
async fn restore_and_its_undo_reach_every_process() {
    let world = World::new();
    let (engine, other) = (world.open().await, world.open().await);
    let one = add(&engine, "a", 1).await.unwrap().version;
    world.clock.advance(DAY_MS);
    let noon_ms = world.clock.unix_ms();
    world.clock.advance(1);
    engine.compact(Compact::Always).await.unwrap();
    let two = add(&engine, "a", 1).await.unwrap().version;
    assert_eq!(counted(&other).await, 2);

    let restored = engine.restore(RestorePoint::At(one)).await.unwrap();
    assert_eq!((restored.from, restored.version.epoch), (one, one.epoch + 1));
    for engine in [&engine, &other, &world.open().await] {
        assert_eq!((counted(engine).await, engine.version()), (1, restored.version));
    }
    // The undone state is restored by its version and by its time.
    engine.restore(RestorePoint::At(two)).await.unwrap();
    assert_eq!(counted(&other).await, 2);
    engine.restore(RestorePoint::Before(noon_ms)).await.unwrap();
    assert_eq!(counted(&other).await, 1);
    add(&other, "a", 5).await.unwrap();
    assert_eq!(counted(&engine).await, 6);
}

#[tokio::test]
async fn unknown_state_is_not_restorable() {
    let world = World::new();
    let engine = world.open().await;
    let before = engine.version();
    for point in [RestorePoint::Before(1), RestorePoint::At("9-9".parse().unwrap())] {
        let error = engine.restore(point).await.unwrap_err();
        assert!(matches!(error, Error::NotRestorable(_)), "{error}");
    }
    assert_eq!(engine.version(), before);
}

#[tokio::test]
async fn full_sync_reuses_the_chunks_of_the_local_copy() {
    let local = LocalFolder::new();
    let faulty = FaultyStore::new(MemoryStore::new(), 0, Rates::default());
    let store = Arc::new(faulty.clone()) as Arc<dyn ObjectStore>;
    let (engine, lagging) = (open(&store, &local).await, open(&store, &local).await);
    for seed in 0..40 {
        add_segment(&engine, seed).await;
    }
    engine.compact(Compact::Always).await.unwrap();
    assert_eq!(counted(&lagging).await, 0);
    let chunks = store.list("chunk/").await.unwrap().len();
    add(&engine, "a", 1).await.unwrap();
    engine.compact(Compact::Always).await.unwrap();
    let fetched = || {
        faulty
            .calls()
            .iter()
            .filter(|(_, key)| key.starts_with("chunk/"))
            .count()
    };
    let before = fetched();
    assert_eq!(counted(&lagging).await, 1);
    let fetched = fetched() - before;
    assert!((1..chunks / 2).contains(&fetched), "{fetched} of {chunks} chunks");
}

/// A bucket of S3 whose clock can be advanced. The ages of its objects increase accordingly.
struct LaterS3 {
    inner: S3Store,
    /// How far the clock is ahead of the real one, in milliseconds.
    ahead: AtomicU64,
}

#[async_trait::async_trait]
impl ObjectStore for LaterS3 {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        let later = |date_ms| date_ms + self.ahead.load(Ordering::SeqCst);
        Ok(match self.inner.get(key, if_none_match).await? {
            Fetched::NotModified { date_ms } => Fetched::NotModified {
                date_ms: later(date_ms),
            },
            Fetched::Found(object) => Fetched::Found(Object {
                date_ms: later(object.date_ms),
                ..object
            }),
            Fetched::Missing => Fetched::Missing,
        })
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.inner.get_range(key, offset, length).await
    }

    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        self.inner.put(key, body, condition).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}

#[tokio::test]
async fn maintenance_works_on_s3() {
    let (local, server) = (LocalFolder::new(), S3Server::start());
    let later = Arc::new(LaterS3 {
        inner: server.store(),
        ahead: AtomicU64::new(0),
    });
    let store = Arc::clone(&later) as Arc<dyn ObjectStore>;
    let (engine, other) = (open(&store, &local).await, open(&store, &local).await);
    for seed in 0..17 {
        add_segment(&engine, seed).await;
    }
    let one = add(&engine, "a", 1).await.unwrap().version;
    assert_eq!(engine.compact(Compact::WhereWorthIt).await.unwrap(), Compacted::Done);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(counted(&other).await, 2);
    engine.restore(RestorePoint::At(one)).await.unwrap();
    assert_eq!(
        (counted(&other).await, counted(&open(&store, &local).await).await),
        (1, 1)
    );
    engine.compact(Compact::Always).await.unwrap();
    assert_eq!(engine.collect_garbage().await.unwrap().deleted, 0);
    later.ahead.store(9 * DAY_MS, Ordering::SeqCst);
    assert!(engine.collect_garbage().await.unwrap().deleted > 17);
    assert_eq!(store.list("segment/").await.unwrap().len(), 0);
    assert_eq!(store.list("table/").await.unwrap().len(), 1);
    assert_eq!(counted(&other).await, 1);
    add(&other, "a", 1).await.unwrap();
    assert_eq!(counted(&open(&store, &local).await).await, 2);
}
