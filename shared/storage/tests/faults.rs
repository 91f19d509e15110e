//! Tests of the engine with single injected faults of the store.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::support::{
    COUNTERS, Hooked, LocalFolder, VirtualClock, add, add_in_transaction, count, database_of, edit_head, files_of,
    fresh_id, head_of, id, json_of, open, total,
};
use bespoke_storage::{
    Ablation, Engine, Error, Fault, FaultyStore, Freshness, MemoryStore, Migration, ObjectStore, Operation, Options,
    Rates, StorageClock,
};
use tokio::sync::Semaphore;

/// Opens an engine on a store with scripted faults. Returns the store without faults too.
async fn scripted(local: &LocalFolder, options: Options) -> (Engine, FaultyStore, Arc<dyn ObjectStore>) {
    let memory = MemoryStore::new();
    let honest: Arc<dyn ObjectStore> = Arc::new(memory.clone());
    drop(open(&honest, local).await);
    let faulty = FaultyStore::new(memory, 0, Rates::default());
    let engine = Engine::open(Arc::new(faulty.clone()), options).await.unwrap();
    (engine, faulty, honest)
}

#[tokio::test]
async fn write_takes_effect_once_under_every_fault_of_its_put() {
    for (fault, replayed) in [
        (Fault::LostRequest, false),
        (Fault::LostReply, true),
        (Fault::LateArrival, true),
        (Fault::Conflict, false),
        (Fault::Unavailable, false),
    ] {
        let local = LocalFolder::new();
        let (engine, faulty, honest) = scripted(&local, local.options()).await;
        faulty.script(Operation::Put, "head", fault);
        let committed = add(&engine, "a", 1).await.unwrap();
        assert_eq!((committed.value, committed.replayed), (1, replayed), "{fault:?}");
        assert_eq!(total(&engine).await, 1, "{fault:?}");
        assert_eq!(total(&open(&honest, &local).await).await, 1, "{fault:?}");
        assert!(head_of(&*honest).await["lock"].is_null());
    }
}

#[tokio::test]
async fn lost_response_applies_a_write_twice_without_commits_table() {
    let local = LocalFolder::new();
    let options = Options {
        ablation: Some(Ablation::NoCommitsTest),
        ..local.options()
    };
    let (engine, faulty, _) = scripted(&local, options).await;
    faulty.script(Operation::Put, "head", Fault::LostReply);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(total(&engine).await, 2, "`_commits` prevents this");
}

#[tokio::test]
async fn refused_put_leaves_the_file_unchanged() {
    let local = LocalFolder::new();
    let memory = MemoryStore::new();
    let faulty = FaultyStore::new(memory, 0, Rates::default());
    let engine = Engine::open(Arc::new(faulty.clone()), local.options()).await.unwrap();
    add(&engine, "a", 1).await.unwrap();
    let before = files_of(&local);
    for sql in [
        "INSERT INTO counter SELECT value, value FROM json_each('[1,2,3]')",
        "CREATE TABLE more (x); INSERT INTO more VALUES (zeroblob(500000))",
        "DROP TABLE counter",
    ] {
        faulty.script(Operation::Put, "head", Fault::Forbidden);
        let refused = engine
            .write::<(), Error>(fresh_id(), move |c| Ok(c.execute_batch(sql)?))
            .await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        let after: Vec<_> = files_of(&local)
            .into_iter()
            .filter(|(_, bytes)| !bytes.is_empty())
            .collect();
        let before: Vec<_> = before.iter().filter(|(_, bytes)| !bytes.is_empty()).cloned().collect();
        assert!(after == before, "{sql}: the files differ");
    }
    assert_eq!(total(&engine).await, 1);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(total(&engine).await, 2);
}

#[tokio::test]
async fn unreachable_store_is_unavailable() {
    let local = LocalFolder::new();
    let mut options = local.options();
    options.write_deadline_ms = 60;
    let (engine, faulty, _) = scripted(&local, options).await;
    for _ in 0..20 {
        faulty.script(Operation::Get, "head", Fault::Unavailable);
    }
    let write = add(&engine, "a", 1).await;
    assert!(
        matches!(
            write,
            Err(Error::Unavailable {
                retry_after_ms: 1..,
                ..
            })
        ),
        "{write:?}"
    );
    let read = engine.read(Freshness::Strict, |c| count(c, "a")).await;
    assert!(matches!(read, Err(Error::Unavailable { .. })), "{read:?}");
    assert!(matches!(engine.ping().await, Err(Error::Unavailable { .. })));
    assert_eq!(engine.read(Freshness::Local, |c| count(c, "a")).await.unwrap().value, 0);
}

/// Opens an engine whose store counts the PUTs of `head` and blocks each until it gets a permit.
async fn gated(local: &LocalFolder) -> (Engine, Arc<Semaphore>, Arc<AtomicU32>, FaultyStore) {
    let memory = MemoryStore::new();
    drop(open(&(Arc::new(memory.clone()) as Arc<dyn ObjectStore>), local).await);
    let faulty = FaultyStore::new(memory, 0, Rates::default());
    let (gate, puts) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let (hook_gate, hook_puts) = (Arc::clone(&gate), Arc::clone(&puts));
    let before_put: crate::support::Hook = Box::new(move |_, _| {
        hook_puts.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&hook_gate);
        Box::pin(async move { gate.acquire().await.unwrap().forget() })
    });
    let store = Hooked {
        before_put,
        ..Hooked::new(Arc::new(faulty.clone()))
    };
    let engine = Engine::open(Arc::new(store), local.options()).await.unwrap();
    (engine, gate, puts, faulty)
}

#[tokio::test]
async fn waiting_writes_share_one_commit_in_spite_of_a_failed_one() {
    let local = LocalFolder::new();
    let (engine, gate, puts, faulty) = gated(&local).await;
    let runs = Arc::new(AtomicU32::new(0));
    let mut good = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (engine, runs) = (engine.clone(), Arc::clone(&runs));
        good.spawn(async move {
            let write = engine.write::<i64, Error>(id(&n.to_string()), move |c| {
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(add_in_transaction(c, "a", 1)?)
            });
            write.await.unwrap()
        });
    }
    let failing = engine.clone();
    let mut bad = tokio::spawn(async move {
        let write = failing.write::<(), Error>(id("bad"), |c| {
            add_in_transaction(c, "a", 100)?;
            Err(Error::Refused("changed my mind".to_owned()))
        });
        write.await
    });
    while puts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // The failing write has run already. Its caller gets the error only when the store has accepted the state that the
    // write has read.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!bad.is_finished());
    let before = engine.version();
    // The first PUT is rejected, so all writes run again.
    faulty.script(Operation::Put, "head", Fault::Conflict);
    gate.add_permits(1);
    while puts.load(Ordering::SeqCst) == 1 {
        tokio::task::yield_now().await;
    }
    assert!(!bad.is_finished());
    gate.add_permits(1);
    assert!(matches!((&mut bad).await.unwrap(), Err(Error::Refused(_))));
    let answers = good.join_all().await;
    assert!(
        answers.iter().all(|answer| answer.version.seq == before.seq + 1),
        "{answers:?}"
    );
    assert_eq!(
        puts.load(Ordering::SeqCst),
        2,
        "eleven writes in one commit, sent twice"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 20);
    assert_eq!(total(&engine).await, 10);
}

#[tokio::test]
async fn rollback_of_the_transaction_makes_each_write_run_alone() {
    let local = LocalFolder::new();
    let (engine, gate, puts, _) = gated(&local).await;
    gate.add_permits(100);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let engine = engine.clone();
        tasks.spawn(async move {
            let write = engine.write::<i64, Error>(id(&n.to_string()), move |c| {
                let value = add_in_transaction(c, "a", 1)?;
                if n == 3 {
                    c.execute("INSERT OR ROLLBACK INTO counter VALUES ('a', 0)", [])?;
                }
                Ok(value)
            });
            (n, write.await)
        });
    }
    for (n, result) in tasks.join_all().await {
        match result {
            Ok(_) => assert_ne!(n, 3),
            Err(error) => assert!(n == 3 && matches!(error, Error::Sqlite(_)), "{n}: {error}"),
        }
    }
    assert_eq!((total(&engine).await, puts.load(Ordering::SeqCst)), (5, 5));
}

#[tokio::test]
async fn deferred_constraint_in_a_batch_fails_one_write() {
    let local = LocalFolder::new();
    let (engine, gate, ..) = gated(&local).await;
    gate.add_permits(100);
    let tables = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                  CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)";
    engine
        .write::<(), Error>(id("tables"), move |c| Ok(c.execute_batch(tables)?))
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for sql in [
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (7)",
        "INSERT INTO parent VALUES (2)",
    ] {
        let engine = engine.clone();
        tasks.spawn(async move {
            engine
                .write::<(), Error>(id(sql), move |c| Ok(c.execute_batch(sql)?))
                .await
                .is_ok()
                == sql.contains("parent V")
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|as_expected| as_expected));
}

/// A store on which another engine commits before each of the first `losses` PUTs of `head`, and whether each PUT
/// contained a lock.
struct Contested {
    engine: Engine,
    honest: Arc<dyn ObjectStore>,
    locks: Arc<Mutex<Vec<bool>>>,
    losses: Arc<AtomicU32>,
}

async fn contested(local: &LocalFolder) -> Contested {
    let honest: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let rival = open(&honest, local).await;
    let (locks, losses) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU32::new(0)));
    let (hook_locks, hook_losses) = (Arc::clone(&locks), Arc::clone(&losses));
    let before_put: crate::support::Hook = Box::new(move |key, body| {
        assert_eq!(key, "head");
        hook_locks.lock().unwrap().push(!json_of(&body)["lock"].is_null());
        let (rival, losses) = (rival.clone(), Arc::clone(&hook_losses));
        Box::pin(async move {
            if losses.load(Ordering::SeqCst) > 0 {
                losses.fetch_sub(1, Ordering::SeqCst);
                add(&rival, "rival", 1).await.unwrap();
            }
        })
    });
    let store = Hooked {
        before_put,
        ..Hooked::new(Arc::clone(&honest))
    };
    let engine = Engine::open(Arc::new(store), local.options()).await.unwrap();
    Contested {
        engine,
        honest,
        locks,
        losses,
    }
}

#[tokio::test]
async fn lock_is_taken_after_two_losses_and_removed_by_the_commit() {
    let local = LocalFolder::new();
    let Contested {
        engine,
        honest,
        locks,
        losses,
    } = contested(&local).await;
    losses.store(1, Ordering::SeqCst);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(*locks.lock().unwrap(), [false, false], "one loss is not enough");
    locks.lock().unwrap().clear();
    losses.store(2, Ordering::SeqCst);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(*locks.lock().unwrap(), [false, false, true, false]);
    assert!(head_of(&*honest).await["lock"].is_null());
    assert_eq!(total(&engine).await, 5);
}

#[tokio::test]
async fn write_without_commit_releases_its_lock_before_it_returns() {
    let local = LocalFolder::new();
    let Contested {
        engine,
        honest,
        locks,
        losses,
    } = contested(&local).await;
    losses.store(2, Ordering::SeqCst);
    let result = engine
        .write::<(), Error>(id("gives up"), |c| {
            add_in_transaction(c, "a", 1)?;
            if count(c, "rival")? == 2 {
                Err(Error::Refused("too late".to_owned()))
            } else {
                Ok(())
            }
        })
        .await;
    assert!(matches!(result, Err(Error::Refused(_))));
    assert_eq!(*locks.lock().unwrap(), [false, false, true, false]);
    assert!(head_of(&*honest).await["lock"].is_null());
    assert_eq!(total(&engine).await, 2);
}

/// Opens an engine whose store has the same clock, which advances only by sleeps.
async fn on_virtual_time(local: &LocalFolder) -> (Engine, Arc<VirtualClock>, MemoryStore) {
    let clock = VirtualClock::new();
    let store = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn StorageClock>);
    let options = Options {
        clock: Arc::clone(&clock) as Arc<dyn StorageClock>,
        ..local.options()
    };
    let engine = Engine::open(Arc::new(store.clone()), options).await.unwrap();
    (engine, clock, store)
}

#[tokio::test]
async fn lock_of_another_process_expires_after_ten_seconds() {
    let local = LocalFolder::new();
    let (engine, clock, store) = on_virtual_time(&local).await;
    add(&engine, "a", 1).await.unwrap();
    edit_head(&store, |head| {
        head["lock"] = serde_json::json!({ "owner": "gone", "token": "t" });
    })
    .await;
    let before_ms = clock.unix_ms();
    add(&engine, "a", 1).await.unwrap();
    let waited_ms = clock.unix_ms() - before_ms;
    assert!((10_000..10_500).contains(&waited_ms), "{waited_ms} ms");
    assert!(head_of(&store).await["lock"].is_null());
    // Reads do not wait.
    edit_head(&store, |head| {
        head["lock"] = serde_json::json!({ "owner": "gone", "token": "t" });
    })
    .await;
    let before_ms = clock.unix_ms();
    assert_eq!(total(&engine).await, 2);
    assert_eq!(clock.unix_ms(), before_ms);
}

#[tokio::test]
async fn write_behind_a_long_lock_is_unavailable() {
    let local = LocalFolder::new();
    let (engine, clock, store) = on_virtual_time(&local).await;
    let options = Options {
        clock,
        write_deadline_ms: 3_000,
        ..local.options()
    };
    drop(engine);
    let engine = Engine::open(Arc::new(store.clone()), options).await.unwrap();
    edit_head(&store, |head| {
        head["lock"] = serde_json::json!({ "owner": "gone", "token": "t" });
    })
    .await;
    let result = add(&engine, "a", 1).await;
    assert!(
        matches!(&result, Err(Error::Unavailable { detail, .. }) if detail.contains("lock")),
        "{result:?}"
    );
    assert!(
        !head_of(&store).await["lock"].is_null(),
        "the lock of another process is not removed"
    );
}

#[tokio::test]
async fn commit_ids_are_kept_for_a_day_by_the_stores_clock() {
    const HOUR_MS: u64 = 60 * 60 * 1_000;
    let local = LocalFolder::new();
    let (engine, clock, _) = on_virtual_time(&local).await;
    let count_old_ids = |engine: &Engine| {
        let engine = engine.clone();
        async move {
            let sql = "SELECT count(*) FROM _commits WHERE id LIKE 'old %'";
            let read = engine.read::<i64, Error>(Freshness::Strict, |c| Ok(c.query_row(sql, [], |row| row.get(0))?));
            read.await.unwrap().value
        }
    };
    for n in 0..10 {
        engine
            .write::<i64, Error>(id(&format!("old {n}")), |c| Ok(add_in_transaction(c, "a", 1)?))
            .await
            .unwrap();
    }
    clock.advance(23 * HOUR_MS);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(count_old_ids(&engine).await, 10);
    let again = engine
        .write::<i64, Error>(id("old 3"), |c| Ok(add_in_transaction(c, "a", 1)?))
        .await
        .unwrap();
    assert!(again.replayed);
    clock.advance(2 * HOUR_MS);
    for _ in 0..3 {
        add(&engine, "a", 1).await.unwrap();
    }
    assert_eq!(count_old_ids(&engine).await, 0, "each commit purges a few");
}

#[tokio::test]
async fn write_is_not_retried_after_twelve_hours() {
    let local = LocalFolder::new();
    let date = VirtualClock::new();
    let memory = MemoryStore::with_clock(Arc::clone(&date) as Arc<dyn StorageClock>);
    let faulty = FaultyStore::new(memory.clone(), 0, Rates::default());
    let stall = Arc::new(OnceLock::new());
    let hook_stall = Arc::clone(&stall);
    let before_put: crate::support::Hook = Box::new(move |_, _| {
        if let Some(ms) = hook_stall.get() {
            date.advance(*ms);
        }
        Box::pin(async {})
    });
    let store = Hooked {
        before_put,
        ..Hooked::new(Arc::new(faulty.clone()))
    };
    // The monotonic clock of the process stood still, as in a frozen process.
    let engine = Engine::open(Arc::new(store), local.options()).await.unwrap();
    stall.set(12 * 60 * 60 * 1_000 + 1).unwrap();
    faulty.script(Operation::Put, "head", Fault::LostRequest);
    let result = add(&engine, "a", 1).await;
    assert!(
        matches!(&result, Err(Error::Unavailable { detail, .. }) if detail.contains("too long ago")),
        "{result:?}"
    );
    assert_eq!(total(&engine).await, 0);
}

#[tokio::test]
async fn damaged_local_copy_is_replaced() {
    let local = LocalFolder::new();
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let engine = open(&store, &local).await;
    for n in 0..50 {
        add(&engine, &format!("row {n}"), 1).await.unwrap();
    }
    let good = database_of(&local);
    // The checksum reveals damage to a page that the next commit replaces.
    let (path, mut bytes) = files_of(&local)
        .into_iter()
        .find(|(_, bytes)| !bytes.is_empty())
        .unwrap();
    let elsewhere = LocalFolder::new();
    let other = open(&store, &elsewhere).await;
    let changed = {
        add(&other, "row 7", 1).await.unwrap();
        let read = engine.version();
        assert!(read < other.version());
        let page = bytes.windows(5).position(|window| window == b"row 7").unwrap() / 4_096;
        bytes[page * 4_096 + 4_095] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        page
    };
    assert_eq!(total(&engine).await, 51);
    assert_ne!(database_of(&local), good);
    assert_ne!(
        files_of(&local)[0].0,
        path,
        "page {changed} was damaged: there is a new file"
    );
    let check = engine.read::<String, Error>(Freshness::Local, |c| {
        Ok(c.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
    });
    assert_eq!(check.await.unwrap().value, "ok");
}

#[tokio::test]
async fn late_response_does_not_replace_a_newer_version() {
    let (local, elsewhere) = (LocalFolder::new(), LocalFolder::new());
    let honest: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let rival = open(&honest, &elsewhere).await;
    let (gate, accepted_puts) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let (hook_gate, hook_accepted_puts) = (Arc::clone(&gate), Arc::clone(&accepted_puts));
    let after_put: crate::support::Hook = Box::new(move |_, _| {
        hook_accepted_puts.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&hook_gate);
        Box::pin(async move { gate.acquire().await.unwrap().forget() })
    });
    let store = Hooked {
        after_put,
        ..Hooked::new(Arc::clone(&honest))
    };
    let engine = Engine::open(Arc::new(store), local.options()).await.unwrap();
    let writer = engine.clone();
    let write = tokio::spawn(async move { add(&writer, "a", 1).await });
    while accepted_puts.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // The PUT succeeded and its response is delayed. Another engine commits on it, and this engine reads that commit.
    assert_eq!(add(&rival, "a", 1).await.unwrap().value, 2);
    assert_eq!(total(&engine).await, 2);
    gate.add_permits(100);
    assert_eq!(write.await.unwrap().unwrap().value, 1);
    assert_eq!(engine.version(), rival.version(), "the known version never decreases");
    assert_eq!(engine.read(Freshness::Local, |c| count(c, "a")).await.unwrap().value, 2);
    assert!(database_of(&local) == database_of(&elsewhere));
    let puts = accepted_puts.load(Ordering::SeqCst);
    assert_eq!(add(&engine, "a", 1).await.unwrap().value, 3);
    assert_eq!(
        accepted_puts.load(Ordering::SeqCst),
        puts + 1,
        "it used the newest version"
    );
    assert_eq!(total(&rival).await, 3);
    assert!(database_of(&local) == database_of(&elsewhere));
}

#[tokio::test]
async fn migration_of_another_process_is_not_repeated_after_a_day() {
    const STEPS: &[Migration] = &[
        COUNTERS[0],
        Migration {
            version: 2,
            sql: "CREATE TABLE two (x)",
            min_reader: 0,
            min_writer: 0,
        },
    ];
    let local = LocalFolder::new();
    // Only the clock of the store jumps, because the process would take a jump of its own for the duration of its
    // calls.
    let clock = VirtualClock::new();
    let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn StorageClock>);
    let first = open(&(Arc::new(memory.clone()) as Arc<dyn ObjectStore>), &local).await;
    let options = Options {
        migrations: STEPS,
        ..local.options()
    };
    let gets = AtomicU32::new(0);
    let (hook_memory, hook_options) = (memory.clone(), options.clone());
    let before_get: crate::support::Hook = Box::new(move |_, _| {
        // The first GET opens the database. Before the second one, another engine runs the migration, and its commit id
        // is purged.
        let second = gets.fetch_add(1, Ordering::SeqCst) == 1;
        let (memory, options, clock) = (hook_memory.clone(), hook_options.clone(), Arc::clone(&clock));
        Box::pin(async move {
            if second {
                let other = Engine::open(Arc::new(memory), options).await.unwrap();
                clock.advance(25 * 60 * 60 * 1_000);
                for _ in 0..5 {
                    add(&other, "a", 1).await.unwrap();
                }
            }
        })
    });
    let store = Hooked {
        before_get,
        ..Hooked::new(Arc::new(memory.clone()))
    };
    let engine = Engine::open(Arc::new(store), options).await.unwrap();
    assert_eq!(head_of(&memory).await["schema"], 2);
    assert_eq!((total(&engine).await, total(&first).await), (5, 5));
}
