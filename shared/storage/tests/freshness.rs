//! Tests of the freshness of reads, and of the number of revalidations.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Hooked, LocalFolder, VirtualClock, add, count, open};
use bespoke_storage::limits::{HEAD_TRUSTED_COMMITS, HEAD_TRUSTED_MS};
use bespoke_storage::{Engine, Error, Freshness, MemoryStore, ObjectStore, Options, Version};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

/// A store that counts the GETs of `head` and blocks each until it gets a permit.
struct Watched {
    store: Arc<dyn ObjectStore>,
    gets: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

impl Watched {
    fn new(inner: &MemoryStore) -> Self {
        let (gets, permits) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1_000_000)));
        let (counted, gate) = (Arc::clone(&gets), Arc::clone(&permits));
        let before_get: crate::support::Hook = Box::new(move |key, _| {
            let (counted, gate) = (Arc::clone(&counted), Arc::clone(&gate));
            Box::pin(async move {
                if key == "head" {
                    counted.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                }
            })
        });
        let store = Arc::new(Hooked {
            before_get,
            ..Hooked::new(Arc::new(inner.clone()))
        });
        Self { store, gets, permits }
    }

    /// Returns the number of GETs since the last call.
    fn take_gets(&self) -> usize {
        self.gets.swap(0, Ordering::SeqCst)
    }
}

async fn open_at(store: &Arc<dyn ObjectStore>, local: &LocalFolder, clock: &Arc<VirtualClock>) -> Engine {
    let options = Options {
        clock: Arc::clone(clock) as Arc<_>,
        ..local.options()
    };
    Engine::open(Arc::clone(store), options).await.unwrap()
}

async fn a_in(engine: &Engine, freshness: Freshness) -> (i64, Version) {
    let read = engine.read(freshness, |c| count(c, "a")).await.unwrap();
    (read.value, read.version)
}

#[tokio::test]
async fn bounded_read_revalidates_after_its_age() {
    let (local, clock, bucket) = (LocalFolder::new(), VirtualClock::new(), MemoryStore::new());
    let watched = Watched::new(&bucket);
    let reader = open_at(&watched.store, &local, &clock).await;
    let honest: Arc<dyn ObjectStore> = Arc::new(bucket);
    let writer = open(&honest, &local).await;
    let within = Freshness::Within {
        age_ms: 1_000,
        at_least: None,
    };
    a_in(&reader, Freshness::Strict).await;
    let committed = add(&writer, "a", 1).await.unwrap();
    watched.take_gets();
    assert_eq!(a_in(&reader, within).await.0, 0);
    assert_eq!(watched.take_gets(), 0);
    clock.advance(1_000);
    assert_eq!(a_in(&reader, within).await, (1, committed.version));
    assert_eq!(watched.take_gets(), 1);
    a_in(&reader, within).await;
    assert_eq!(watched.take_gets(), 0);
}

#[tokio::test]
async fn client_with_a_version_reads_at_least_that() {
    let (local, clock, bucket) = (LocalFolder::new(), VirtualClock::new(), MemoryStore::new());
    let watched = Watched::new(&bucket);
    let reader = open_at(&watched.store, &local, &clock).await;
    let honest: Arc<dyn ObjectStore> = Arc::new(bucket);
    let writer = open(&honest, &local).await;
    a_in(&reader, Freshness::Strict).await;
    let seen = add(&writer, "a", 1).await.unwrap().version;
    let echo = |version| Freshness::Within {
        age_ms: 1_000_000,
        at_least: Some(version),
    };
    assert_eq!(a_in(&reader, echo(seen)).await, (1, seen));
    watched.take_gets();
    assert_eq!(a_in(&reader, echo(seen)).await, (1, seen));
    assert_eq!(watched.take_gets(), 0);
    // A read does not wait for a version that may never exist.
    for never in [
        Version {
            seq: seen.seq + 9,
            ..seen
        },
        Version {
            epoch: seen.epoch + 1,
            seq: 0,
        },
    ] {
        assert_eq!(a_in(&reader, echo(never)).await, (1, seen));
        assert_eq!(watched.take_gets(), 1);
    }
}

#[tokio::test]
async fn concurrent_reads_share_a_later_revalidation() {
    let (local, bucket) = (LocalFolder::new(), MemoryStore::new());
    let watched = Watched::new(&bucket);
    let reader = open(&watched.store, &local).await;
    let honest: Arc<dyn ObjectStore> = Arc::new(bucket);
    let writer = open(&honest, &local).await;
    watched.permits.forget_permits(usize::MAX);
    watched.take_gets();
    let first_reads = join_all((0..8).map(|_| a_in(&reader, Freshness::Strict)));
    let (written_sender, written) = tokio::sync::oneshot::channel();
    let (early, late, ()) = tokio::join!(
        first_reads,
        async {
            // The first eight GETs are in flight. Later reads must see this write.
            add(&writer, "a", 1).await.unwrap();
            written_sender.send(()).unwrap();
            join_all((0..100).map(|_| a_in(&reader, Freshness::Strict))).await
        },
        async {
            written.await.unwrap();
            assert_eq!(watched.gets.load(Ordering::SeqCst), 8);
            // All hundred reads have begun.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            watched.permits.add_permits(1_000);
        }
    );
    assert_eq!(early.len(), 8);
    assert!(late.iter().all(|(value, _)| *value == 1), "{late:?}");
    assert_eq!(watched.take_gets(), 9);
}

#[tokio::test]
async fn writer_trusts_a_recent_revalidation() {
    let (local, clock, bucket) = (LocalFolder::new(), VirtualClock::new(), MemoryStore::new());
    let watched = Watched::new(&bucket);
    let engine = open_at(&watched.store, &local, &clock).await;
    a_in(&engine, Freshness::Strict).await;
    watched.take_gets();
    for _ in 0..HEAD_TRUSTED_COMMITS {
        add(&engine, "a", 1).await.unwrap();
    }
    let in_a_run = watched.take_gets();
    for _ in 0..10 * HEAD_TRUSTED_COMMITS {
        add(&engine, "a", 1).await.unwrap();
    }
    assert!(in_a_run <= 1, "the first commits after a read need no revalidation");
    assert_eq!(watched.take_gets(), 10, "one revalidation for each window");
    clock.advance(HEAD_TRUSTED_MS);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(watched.take_gets(), 1, "an old revalidation is not trusted");
}

#[tokio::test]
async fn write_is_rejected_only_on_the_newest_state() {
    let (local, other, clock, bucket) = (
        LocalFolder::new(),
        LocalFolder::new(),
        VirtualClock::new(),
        MemoryStore::new(),
    );
    let store: Arc<dyn ObjectStore> = Arc::new(bucket);
    let engine = open_at(&store, &local, &clock).await;
    let other_engine = open(&store, &other).await;
    let take = |engine: Engine| async move {
        let write = engine.write::<i64, Error>(crate::support::fresh_id(), |c| {
            let taken = c.execute("DELETE FROM counter WHERE name = 'a'", [])?;
            (taken == 1)
                .then_some(0)
                .ok_or(Error::Refused("nothing to take".to_owned()))
        });
        write.await.is_ok()
    };
    for _ in 0..3 {
        a_in(&engine, Freshness::Strict).await;
        add(&other_engine, "a", 1).await.unwrap();
        assert!(
            take(engine.clone()).await,
            "it is there, though the copy does not say so"
        );
        assert!(!take(other_engine.clone()).await, "it was deleted");
    }
}
