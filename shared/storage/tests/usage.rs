//! Tests of usage counters outside the database: they are applied by a commit or by maintenance, and never twice.
//!
//! `Engine::freeze_usage` closes a batch of counters, which then waits in memory. The next commit of the process applies
//! it, or `Engine::put_usage` stores it as an object, which `Engine::apply_stored_usage` applies later.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::Arc;

use crate::support::{FastClock, LocalFolder, VirtualClock, add, add_in_transaction, count};
use bespoke_storage::rusqlite::Connection;
use bespoke_storage::{
    Engine, Error, Fault, FaultyStore, Freshness, MemoryStore, ObjectStore, Operation, Options, Rates, StorageClock,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Opens an engine that applies usage batches to the counter `calls`.
async fn open(store: Arc<dyn ObjectStore>, local: &LocalFolder, clock: Arc<dyn StorageClock>) -> Engine {
    let options = Options {
        clock,
        apply_usage: Some(|connection, body| {
            let text =
                std::str::from_utf8(body).map_err(|error| bespoke_storage::rusqlite::Error::Utf8Error(0, error))?;
            add_in_transaction(connection, "calls", text.parse().unwrap_or(0)).map(|_| ())
        }),
        ..local.options()
    };
    Engine::open(store, options).await.unwrap()
}

async fn calls(engine: &Engine) -> i64 {
    let read = engine.read(Freshness::Strict, |c| count(c, "calls")).await;
    read.unwrap().value
}

async fn objects(store: &MemoryStore) -> usize {
    store.list("usage/").await.unwrap().len()
}

#[tokio::test]
async fn commit_applies_frozen_usage() {
    let (local, bucket) = (LocalFolder::new(), MemoryStore::new());
    let engine = open(Arc::new(bucket.clone()), &local, FastClock::new()).await;
    let before = engine.version();
    engine.freeze_usage("5");
    engine.freeze_usage("2");
    assert_eq!(calls(&engine).await, 0);
    assert_eq!(engine.frozen_usage().len(), 2);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(calls(&engine).await, 7);
    assert_eq!(engine.version().seq, before.seq + 1);
    assert!(engine.frozen_usage().is_empty());
    assert_eq!(objects(&bucket).await, 0);
}

#[tokio::test]
async fn write_without_changes_applies_no_usage() {
    let (local, bucket) = (LocalFolder::new(), MemoryStore::new());
    let engine = open(Arc::new(bucket), &local, FastClock::new()).await;
    engine.freeze_usage("5");
    let nothing = engine.write::<i64, Error>(crate::support::fresh_id(), |c: &Connection| count(c, "a"));
    nothing.await.unwrap();
    assert_eq!(engine.frozen_usage().len(), 1);
}

#[tokio::test]
async fn stored_usage_is_applied_once_and_deleted() {
    let (local, bucket) = (LocalFolder::new(), MemoryStore::new());
    let clock = FastClock::new();
    let one = open(Arc::new(bucket.clone()), &local, clock.clone()).await;
    let two = open(Arc::new(bucket.clone()), &local, clock.clone()).await;
    for (engine, counts) in [(&one, "5"), (&two, "3"), (&two, "1")] {
        engine.freeze_usage(counts);
    }
    one.put_usage().await.unwrap();
    two.put_usage().await.unwrap();
    assert!(two.frozen_usage().is_empty());
    assert_eq!(objects(&bucket).await, 3);
    assert_eq!(one.unapplied_stored_usage().await.unwrap().len(), 3);
    let (by_one, by_two) = tokio::join!(one.apply_stored_usage(), two.apply_stored_usage());
    // Both may report the same batch; the counter below shows that it was applied once.
    assert!(by_one.unwrap() <= 3 && by_two.unwrap() <= 3);
    assert_eq!(calls(&one).await, 9);
    assert_eq!(objects(&bucket).await, 0);
    assert_eq!(one.apply_stored_usage().await.unwrap(), 0);
    assert!(one.unapplied_stored_usage().await.unwrap().is_empty());
}

#[tokio::test]
async fn usage_that_is_stored_and_committed_counts_once() {
    let (local, bucket, clock) = (LocalFolder::new(), MemoryStore::new(), FastClock::new());
    let faulty = FaultyStore::new(bucket.clone(), 1, Rates::default());
    let engine = open(Arc::new(faulty.clone()), &local, clock).await;
    engine.freeze_usage("5");
    faulty.script(Operation::Put, "usage/", Fault::LostReply);
    assert!(engine.put_usage().await.unwrap_err().is_transient());
    assert_eq!(objects(&bucket).await, 1);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(calls(&engine).await, 5);
    assert!(engine.unapplied_stored_usage().await.unwrap().is_empty());
    engine.apply_stored_usage().await.unwrap();
    assert_eq!(calls(&engine).await, 5);
    assert_eq!(objects(&bucket).await, 0);
}

#[tokio::test]
async fn usage_of_a_commit_with_a_lost_response_counts_once() {
    let (local, bucket, clock) = (LocalFolder::new(), MemoryStore::new(), FastClock::new());
    let faulty = FaultyStore::new(bucket.clone(), 1, Rates::default());
    let engine = open(Arc::new(faulty.clone()), &local, clock).await;
    engine.freeze_usage("5");
    faulty.script(Operation::Put, "head", Fault::LostReply);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(calls(&engine).await, 5);
    add(&engine, "a", 1).await.unwrap();
    engine.put_usage().await.unwrap();
    engine.apply_stored_usage().await.unwrap();
    assert_eq!(calls(&engine).await, 5);
}

#[tokio::test]
async fn expired_usage_is_dropped() {
    let (local, bucket, clock) = (LocalFolder::new(), MemoryStore::new(), VirtualClock::new());
    let engine = open(Arc::new(bucket.clone()), &local, clock.clone()).await;
    engine.freeze_usage("5");
    clock.advance(3 * DAY_MS + 1);
    engine.put_usage().await.unwrap();
    assert_eq!(objects(&bucket).await, 0);
    assert!(engine.frozen_usage().is_empty());
}

#[tokio::test]
async fn invalid_usage_does_not_stop_other_batches() {
    let (local, bucket) = (LocalFolder::new(), MemoryStore::new());
    let engine = open(Arc::new(bucket), &local, FastClock::new()).await;
    engine.freeze_usage(vec![0xff]);
    engine.freeze_usage("5");
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(calls(&engine).await, 5);
    assert!(engine.frozen_usage().is_empty());
}
