//! Tests of the start of an engine on a store whose responses are lost.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::Arc;

use crate::support::{FastClock, LocalFolder, add, fresh_id, noise, open, total};
use bespoke_storage::rusqlite::Connection;
use bespoke_storage::{Engine, Error, Fault, FaultyStore, MemoryStore, ObjectStore, Operation, Options, Rates};

/// A bucket with segments and a base.
async fn bucket_with_objects() -> MemoryStore {
    let memory = MemoryStore::new();
    let local = LocalFolder::new();
    let engine = open(&(Arc::new(memory.clone()) as Arc<dyn ObjectStore>), &local).await;
    let much = |bytes: usize| {
        move |c: &Connection| {
            c.execute_batch("CREATE TABLE IF NOT EXISTS noise (x BLOB)")?;
            c.execute("INSERT INTO noise VALUES (?1)", [noise(bytes, 1)])?;
            Ok(0)
        }
    };
    for bytes in [3_000_000, 100_000] {
        engine.write::<i64, Error>(fresh_id(), much(bytes)).await.unwrap();
    }
    add(&engine, "a", 1).await.unwrap();
    memory
}

/// Opens an engine whose waits take a fiftieth of their time. `local` must outlive it.
async fn start(store: FaultyStore, local: &LocalFolder) -> Result<Engine, Error> {
    let options = Options {
        clock: FastClock::new(),
        ..local.options()
    };
    Engine::open(Arc::new(store), options).await
}

#[tokio::test]
async fn start_survives_lost_responses() {
    for prefix in ["head", "table/", "chunk/", "segment/"] {
        for fault in [Fault::LostRequest, Fault::Unavailable] {
            let faulty = FaultyStore::new(bucket_with_objects().await, 0, Rates::default());
            for _ in 0..8 {
                faulty.script(Operation::Get, prefix, fault);
            }
            let local = LocalFolder::new();
            let engine = start(faulty, &local).await.unwrap();
            assert_eq!(total(&engine).await, 1, "{prefix} {fault:?}");
        }
    }
    for fault in [Fault::LostRequest, Fault::LostReply, Fault::Unavailable] {
        let faulty = FaultyStore::new(MemoryStore::new(), 0, Rates::default());
        // The PUTs of the probe, of `head`, and of the first migration.
        for prefix in ["probe/", "head", "head"] {
            faulty.script(Operation::Put, prefix, fault);
        }
        let local = LocalFolder::new();
        let engine = start(faulty, &local).await.unwrap();
        assert_eq!(add(&engine, "a", 1).await.unwrap().value, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn start_without_any_response_ends_after_bounded_attempts() {
    let rates = Rates {
        lost_request: 1_000,
        ..Rates::default()
    };
    let faulty = FaultyStore::new(MemoryStore::new(), 0, rates);
    let error = start(faulty.clone(), &LocalFolder::new()).await.err().unwrap();
    assert!(error.is_transient(), "{error}");
    let calls = faulty.calls().len();
    assert!((2..100).contains(&calls), "{calls} calls");
}
