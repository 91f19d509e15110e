//! Tests of restores: every state of the last seven days can be restored byte for byte, by its version and by its
//! time.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::Arc;

use crate::support::{LocalFolder, VirtualClock, add, count, database_of, fresh_id, head_of, noise, open};
use bespoke_storage::{
    Ablation, Compact, Compacted, Engine, Error, FaultyStore, Freshness, MemoryStore, NotRestorable, ObjectStore,
    Options, Rates, RestorePoint, StorageClock, Version, VersionRange,
};
use bytes::Bytes;

const MINUTE_MS: u64 = 60 * 1_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// An acknowledged state.
struct Acknowledged {
    version: Version,
    /// Time of the acknowledgement, in milliseconds since 1970.
    at_ms: u64,
    digest: u64,
}

/// A bucket whose clock the test sets, and one process.
struct World {
    local: LocalFolder,
    clock: Arc<VirtualClock>,
    store: Arc<dyn ObjectStore>,
    engine: Engine,
    states: Vec<Acknowledged>,
}

impl World {
    async fn new() -> Self {
        Self::with(None).await
    }

    async fn with(ablation: Option<Ablation>) -> Self {
        let (local, clock) = (LocalFolder::new(), VirtualClock::new());
        let store: Arc<dyn ObjectStore> =
            Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn StorageClock>));
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn StorageClock>,
            ablation,
            ..local.options()
        };
        let engine = Engine::open(Arc::clone(&store), options).await.unwrap();
        let table = |c: &bespoke_storage::rusqlite::Connection| {
            c.execute_batch("CREATE TABLE noise (id INTEGER PRIMARY KEY, x BLOB)")?;
            Ok(0)
        };
        engine.write::<i64, Error>(fresh_id(), table).await.unwrap();
        Self {
            local,
            clock,
            store,
            engine,
            states: Vec::new(),
        }
    }

    /// Writes that many random bytes after a pause.
    async fn write(&mut self, pause_ms: u64, bytes: usize) {
        self.clock.advance(pause_ms);
        let seed = self.states.len() as u64;
        let write = move |c: &bespoke_storage::rusqlite::Connection| {
            let id = (seed % 40).cast_signed();
            c.execute("INSERT OR REPLACE INTO noise VALUES (?1, ?2)", (id, noise(bytes, seed)))?;
            Ok(0)
        };
        let version = self
            .engine
            .write::<i64, Error>(fresh_id(), write)
            .await
            .unwrap()
            .version;
        self.states.push(Acknowledged {
            version,
            at_ms: self.clock.unix_ms(),
            digest: self.digest(),
        });
    }

    /// Writes like a busy installation: mostly small writes, some large ones, and maintenance in between.
    async fn write_many(&mut self, writes: u64, pause_ms: u64) {
        for turn in 0..writes {
            let bytes = match turn % 50 {
                20 => 90_000,
                40 => 700_000,
                _ => 3_000,
            };
            self.write(pause_ms, bytes).await;
            if turn % 70 == 69 {
                self.engine.compact(Compact::Always).await.unwrap();
            }
            if turn % 60 == 59 {
                self.engine.collect_garbage().await.unwrap();
            }
        }
    }

    /// Digest of the local copy.
    fn digest(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&database_of(&self.local))
    }

    async fn restore(&self, point: RestorePoint) -> Result<Version, Error> {
        self.engine.restore(point).await.map(|restored| restored.from)
    }

    /// Restores every `step`th state by its version and by its time, and compares it byte for byte.
    async fn check_every(&self, step: usize) {
        for state in self.states.iter().step_by(step) {
            for point in [RestorePoint::At(state.version), RestorePoint::Before(state.at_ms)] {
                let from = self.restore(point).await;
                assert_eq!(from.unwrap(), state.version, "{point:?}");
                assert_eq!(self.digest(), state.digest, "{point:?}");
            }
        }
    }

    async fn restore_error(&self, point: RestorePoint) -> NotRestorable {
        match self.restore(point).await {
            Err(Error::NotRestorable(why)) => why,
            other => panic!("{point:?}: {other:?}"),
        }
    }

    async fn objects(&self, prefix: &str) -> usize {
        self.store.list(prefix).await.unwrap().len()
    }
}

fn format_ranges(spans: &[VersionRange]) -> String {
    let spans = spans
        .iter()
        .map(|span| format!("{}..{}", span.first.version, span.last.version));
    spans.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn states_of_slow_commits_are_restorable() {
    let mut world = World::new().await;
    world.write_many(250, MINUTE_MS).await;
    let newest = world.engine.version();
    assert!(world.objects("history/").await > 2);
    assert_eq!(
        format_ranges(&world.engine.restorable().await.unwrap()),
        format!("1-1..{newest}")
    );
    world.check_every(12).await;
}

#[tokio::test]
async fn states_of_fast_commits_are_restorable() {
    let mut world = World::new().await;
    world.engine.compact_by_itself();
    world.write_many(250, 10).await;
    let newest = world.engine.version();
    assert_eq!(
        format_ranges(&world.engine.restorable().await.unwrap()),
        format!("1-1..{newest}")
    );
    world.check_every(12).await;
}

#[tokio::test]
async fn moment_between_two_commits_selects_the_first() {
    let mut world = World::new().await;
    world.write_many(100, MINUTE_MS).await;
    let (before, at_ms) = (world.states[30].version, world.states[30].at_ms);
    assert_eq!(
        world.restore(RestorePoint::Before(at_ms + 59_999)).await.unwrap(),
        before
    );
    assert_eq!(world.digest(), world.states[30].digest);
    // A restore can be undone, because the undone state keeps its version.
    let last = world.states.last().unwrap();
    world.restore(RestorePoint::At(last.version)).await.unwrap();
    assert_eq!(world.digest(), last.digest);
}

#[tokio::test]
async fn states_of_every_epoch_are_restorable() {
    let mut world = World::new().await;
    world.write_many(80, MINUTE_MS).await;
    world.restore(RestorePoint::At(world.states[40].version)).await.unwrap();
    world.write_many(80, MINUTE_MS).await;
    let branch = world.states[40].version.seq;
    let first = Version { epoch: 2, seq: branch };
    assert_eq!(
        format_ranges(&world.engine.restorable().await.unwrap()),
        format!(
            "1-1..{} {first}..{}",
            world.states[79].version, world.states[159].version
        )
    );
    // No state of the epoch precedes its restore.
    let unknown = Version {
        epoch: 2,
        seq: branch - 1,
    };
    assert_eq!(
        world.restore_error(RestorePoint::At(unknown)).await,
        NotRestorable::Unknown(unknown)
    );
    world.check_every(9).await;
}

#[tokio::test]
async fn states_are_kept_for_seven_days() {
    let mut world = World::new().await;
    world.write_many(100, MINUTE_MS).await;
    world.engine.compact(Compact::Always).await.unwrap();
    let kept = world.objects("history/").await;
    world.clock.advance(7 * DAY_MS - 100 * MINUTE_MS);
    world.engine.collect_garbage().await.unwrap();
    assert_eq!(world.objects("history/").await, kept);
    let old = world.states.remove(3);
    assert_eq!(world.restore(RestorePoint::At(old.version)).await.unwrap(), old.version);
    assert_eq!(world.digest(), old.digest);
    world.clock.advance(2 * DAY_MS);
    world.engine.collect_garbage().await.unwrap();
    assert_eq!(world.objects("history/").await, 0);
    let why = world.restore_error(RestorePoint::Before(old.at_ms)).await;
    assert!(
        matches!(why, NotRestorable::BeforeFirst { first_ms: Some(_), .. }),
        "{why:?}"
    );
}

#[tokio::test]
async fn bucket_without_history_restores_the_ends_of_its_segments() {
    // Version 0.1 wrote no history.
    let mut world = World::with(Some(Ablation::NoHistory)).await;
    for _ in 0..100 {
        world.write(MINUTE_MS, 3_000).await;
    }
    let cuts: Vec<u64> = head_of(&*world.store).await["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| segment["to"].as_u64().unwrap())
        .collect();
    assert!(cuts.len() > 1);
    let local = LocalFolder::new();
    let options = Options {
        clock: Arc::clone(&world.clock) as Arc<dyn StorageClock>,
        ..local.options()
    };
    world.engine = Engine::open(Arc::clone(&world.store), options).await.unwrap();
    world.local = local;
    let first_new = world.states.len();
    for _ in 0..100 {
        world.write(MINUTE_MS, 3_000).await;
    }
    let spans = world.engine.restorable().await.unwrap();
    assert_eq!(spans[0].first.version.seq, cuts[0]);
    assert_eq!(spans.last().unwrap().last.version, world.engine.version());
    // The states that were in the tail, and all later ones.
    assert!(spans.last().unwrap().first.version < world.states[first_new].version);
    let merged = world
        .states
        .iter()
        .find(|state| state.version.seq == cuts[0] + 3)
        .unwrap();
    for point in [RestorePoint::At(merged.version), RestorePoint::Before(merged.at_ms)] {
        let why = world.restore_error(point).await;
        let NotRestorable::Between { before, after } = why else {
            panic!("{why:?}")
        };
        assert_eq!((before.version.seq, after.version.seq), (cuts[0], cuts[1]));
    }
    world
        .states
        .retain(|state| state.version.seq == cuts[0] || state.version.seq > cuts[cuts.len() - 1]);
    world.check_every(10).await;
}

#[tokio::test]
async fn unrestorable_state_is_refused_with_its_reason() {
    let mut world = World::new().await;
    // So many writes that the first of them become history.
    world.write_many(60, MINUTE_MS).await;
    assert!(world.objects("history/").await > 0);
    let (before, now_ms) = (world.engine.version(), world.clock.unix_ms());
    let future = NotRestorable::Future {
        wanted_ms: now_ms + 1,
        now_ms,
    };
    assert_eq!(world.restore_error(RestorePoint::Before(now_ms + 1)).await, future);
    let why = world.restore_error(RestorePoint::Before(1)).await;
    assert!(
        matches!(
            why,
            NotRestorable::BeforeFirst {
                wanted_ms: 1,
                first_ms: Some(_)
            }
        ),
        "{why:?}"
    );
    for unknown in ["9-9", "1-0", "1-999"].map(|text| text.parse().unwrap()) {
        let why = world.restore_error(RestorePoint::At(unknown)).await;
        assert_eq!(why, NotRestorable::Unknown(unknown));
    }
    assert_eq!(world.engine.version(), before);
}

#[tokio::test]
async fn commits_stay_ordered_after_the_clock_is_set_back() {
    let mut world = World::new().await;
    world.write(MINUTE_MS, 10).await;
    let latest_ms = world.clock.unix_ms();
    world.clock.turn_back(DAY_MS);
    world.write(MINUTE_MS, 10).await;
    let tail = head_of(&*world.store).await["tail"].as_array().unwrap().clone();
    assert_eq!(tail.last().unwrap()["at_ms"].as_u64(), Some(latest_ms));
}

/// A store that records the keys of its GETs.
struct RecordingStore {
    faulty: FaultyStore,
    store: Arc<dyn ObjectStore>,
}

impl RecordingStore {
    fn new() -> Self {
        let faulty = FaultyStore::new(MemoryStore::new(), 0, Rates::default());
        let store = Arc::new(faulty.clone()) as Arc<dyn ObjectStore>;
        Self { faulty, store }
    }

    /// The keys that a new process fetches for its first read.
    async fn cold_start(&self) -> Vec<String> {
        let (local, before) = (LocalFolder::new(), self.faulty.calls().len());
        let engine = open(&self.store, &local).await;
        engine.read(Freshness::Strict, |c| count(c, "a")).await.unwrap();
        self.faulty
            .calls()
            .split_off(before)
            .into_iter()
            .map(|(_, key)| key)
            .collect()
    }
}

#[tokio::test]
async fn cold_start_fetches_no_history() {
    let (recording, local) = (RecordingStore::new(), LocalFolder::new());
    let engine = open(&recording.store, &local).await;
    let mut fetched = Vec::new();
    for _ in 0..3 {
        for seed in 0..150_i64 {
            let name = format!("counter {}", seed % 30);
            add(&engine, &name, 1).await.unwrap();
            let write = move |c: &bespoke_storage::rusqlite::Connection| {
                c.execute_batch("CREATE TABLE IF NOT EXISTS noise (id INTEGER PRIMARY KEY, x BLOB)")?;
                c.execute(
                    "INSERT OR REPLACE INTO noise VALUES (?1, ?2)",
                    (seed % 5, noise(2_000, seed.unsigned_abs())),
                )?;
                Ok(0)
            };
            engine.write::<i64, Error>(fresh_id(), write).await.unwrap();
        }
        assert_eq!(engine.compact(Compact::Always).await.unwrap(), Compacted::Done);
        let keys = recording.cold_start().await;
        assert!(keys.iter().all(|key| !key.starts_with("history/")), "{keys:?}");
        fetched.push(keys.len());
    }
    assert!(recording.store.list("history/").await.unwrap().len() > 6);
    assert_eq!(fetched[0], fetched[2]);
}

#[tokio::test]
async fn missing_history_object_is_named() {
    let mut world = World::new().await;
    for _ in 0..100 {
        world.write(MINUTE_MS, 3_000).await;
    }
    let history = world.store.list("history/").await.unwrap();
    world
        .store
        .put(
            &history[0].key,
            Bytes::from_static(b"damaged"),
            bespoke_storage::PutCondition::None,
        )
        .await
        .unwrap();
    let state = &world.states[5];
    let error = world.restore(RestorePoint::At(state.version)).await.unwrap_err();
    assert!(error.to_string().contains(&history[0].key), "{error}");
}
