//! Tests of the public API of the engine on one store.

use std::sync::Arc;

use crate::support::{LocalFolder, add, count, directory, id, memory, open, stores, total};
use bespoke_storage::{CommitId, Engine, Error, Freshness, Migration, Options, Version, rusqlite};

#[tokio::test]
async fn writes_are_visible_in_this_and_other_processes() {
    for store in stores().await {
        let local = LocalFolder::new();
        let one = open(&store, &local).await;
        let two = open(&store, &local).await;
        let committed = add(&one, "a", 3).await.unwrap();
        assert!(!committed.replayed);
        assert_eq!(one.version(), committed.version);
        let read = two.read(Freshness::Strict, |c| count(c, "a")).await.unwrap();
        assert_eq!((read.value, read.version), (3, committed.version));
        add(&two, "a", 4).await.unwrap();
        assert_eq!(one.read(Freshness::Local, |c| count(c, "a")).await.unwrap().value, 3);
        assert_eq!(one.read(Freshness::Strict, |c| count(c, "a")).await.unwrap().value, 7);
        let later = open(&store, &local).await;
        assert_eq!(total(&later).await, 7);
    }
}

#[tokio::test]
async fn repeated_commit_id_takes_effect_once() {
    for store in stores().await {
        let local = LocalFolder::new();
        let (one, two) = (open(&store, &local).await, open(&store, &local).await);
        let write = |engine: Engine| async move {
            engine
                .write::<i64, Error>(id("once"), |c| {
                    c.execute(
                        "INSERT INTO counter VALUES ('a', 1) ON CONFLICT DO UPDATE SET n = n + 1",
                        [],
                    )?;
                    count(c, "a")
                })
                .await
                .unwrap()
        };
        let first = write(one.clone()).await;
        assert_eq!((first.value, first.replayed), (1, false));
        for engine in [&one, &two] {
            let again = write(engine.clone()).await;
            assert_eq!((again.value, again.replayed), (1, true));
        }
        assert_eq!(total(&two).await, 1);
        let other = one
            .write::<String, Error>(id("once"), |_| Ok("another type".to_owned()))
            .await;
        assert!(matches!(other, Err(Error::Refused(_))), "{other:?}");
    }
}

#[tokio::test]
async fn write_without_changes_commits_nothing() {
    for store in stores().await {
        let local = LocalFolder::new();
        let engine = open(&store, &local).await;
        let before = engine.version();
        let look = engine.write::<i64, Error>(id("look"), |c| count(c, "a")).await.unwrap();
        assert_eq!((look.value, look.version), (0, before));
        let none = engine
            .write::<usize, Error>(id("none"), |c| {
                Ok(c.execute("UPDATE counter SET n = 1 WHERE name = 'nobody'", [])?)
            })
            .await
            .unwrap();
        assert_eq!((none.value, none.version), (0, before));
        let failed = engine
            .write::<(), Error>(id("failed"), |c| {
                c.execute("INSERT INTO counter VALUES ('a', 1)", [])?;
                Err(Error::Refused("changed my mind".to_owned()))
            })
            .await;
        assert!(matches!(failed, Err(Error::Refused(_))));
        assert_eq!((engine.version(), total(&engine).await), (before, 0));
        // Changes other than those of rows are committed too.
        for (name, sql) in [("pragma", "PRAGMA user_version = 7"), ("ddl", "CREATE TABLE more (x)")] {
            let before = engine.version();
            engine
                .write::<(), Error>(id(name), move |c| Ok(c.execute_batch(sql)?))
                .await
                .unwrap();
            assert!(engine.version() > before, "{sql}");
        }
    }
}

#[tokio::test]
async fn closure_cannot_end_its_transaction() {
    let local = LocalFolder::new();
    let store = memory();
    let engine = open(&store, &local).await;
    let before = engine.version();
    for sql in [
        "COMMIT",
        "ROLLBACK",
        "END",
        "BEGIN",
        "RELEASE _commits_savepoint",
        "ROLLBACK TO _COMMITS_savepoint",
        "ATTACH ':memory:' AS other",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA locking_mode = NORMAL",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA synchronous = FULL",
        "PRAGMA writable_schema = 1",
        "VACUUM",
        "DELETE FROM _commits",
        "DROP TABLE _commits",
        "CREATE TEMP TABLE t (x)",
    ] {
        let result = engine
            .write::<(), Error>(id(sql), move |c| Ok(c.execute_batch(sql)?))
            .await;
        assert!(matches!(result, Err(Error::Sqlite(_))), "{sql}: {result:?}");
    }
    let result = engine
        .write::<(), Error>(id("or rollback"), |c| {
            c.execute_batch("INSERT INTO counter VALUES ('a', 1)")?;
            let _ = c.execute_batch("INSERT OR ROLLBACK INTO counter VALUES ('a', 2)");
            // Without the authorizer, this would be committed separately.
            c.execute_batch("INSERT INTO counter VALUES ('a', 3)")?;
            Ok(())
        })
        .await;
    assert!(matches!(result, Err(Error::LeftTransaction(_))), "{result:?}");
    let result = engine
        .write::<(), Error>(id("or rollback, then a transaction of its own"), |c| {
            c.execute_batch("INSERT INTO counter VALUES ('a', 1)")?;
            let _ = c.execute_batch("INSERT OR ROLLBACK INTO counter VALUES ('a', 2)");
            c.execute_batch("SAVEPOINT mine; INSERT INTO counter VALUES ('a', 3)")?;
            Ok(())
        })
        .await;
    assert!(matches!(result, Err(Error::LeftTransaction(_))), "{result:?}");
    assert_eq!((engine.version(), total(&engine).await), (before, 0));
    // Other savepoints are allowed.
    engine
        .write::<(), Error>(id("own savepoint"), |c| {
            c.execute_batch(
                "INSERT INTO counter VALUES ('a', 1); SAVEPOINT s; INSERT INTO counter VALUES ('b', 1); ROLLBACK TO s; RELEASE s",
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(total(&engine).await, 1);
}

#[tokio::test]
async fn long_values_and_ids_are_refused() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    let before = engine.version();
    let long = engine
        .write::<String, Error>(id("long"), |c| {
            c.execute("INSERT INTO counter VALUES ('a', 1)", [])?;
            Ok("x".repeat(255))
        })
        .await;
    assert!(
        matches!(
            long,
            Err(Error::TooLarge {
                bytes: 257,
                limit: 256,
                ..
            })
        ),
        "{long:?}"
    );
    assert_eq!((engine.version(), total(&engine).await), (before, 0));
    assert!(matches!(CommitId::new("x".repeat(65)), Err(Error::TooLarge { .. })));
    assert!(matches!(CommitId::new(""), Err(Error::Refused(_))));
}

#[tokio::test]
async fn panic_continues_in_its_caller_only() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    let writer = engine.clone();
    let panicked = tokio::spawn(async move {
        writer
            .write::<(), Error>(id("panic"), |c| {
                c.execute("INSERT INTO counter VALUES ('a', 1)", [])?;
                panic!("on purpose")
            })
            .await
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(total(&engine).await, 0);
    add(&engine, "a", 1).await.unwrap();
    assert_eq!(total(&engine).await, 1);
}

#[tokio::test]
async fn deferred_constraint_fails_the_violating_write() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    engine
        .write::<(), Error>(id("tables"), |c| {
            Ok(c.execute_batch(
                "CREATE TABLE parent (id INTEGER PRIMARY KEY);
                 CREATE TABLE child (parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
            )?)
        })
        .await
        .unwrap();
    let before = engine.version();
    let orphan = engine
        .write::<(), Error>(id("orphan"), |c| Ok(c.execute_batch("INSERT INTO child VALUES (7)")?))
        .await;
    assert!(matches!(orphan, Err(Error::Sqlite(_))), "{orphan:?}");
    assert_eq!(engine.version(), before);
}

#[tokio::test]
async fn long_read_is_stopped() {
    let local = LocalFolder::new();
    let mut options = local.options();
    options.read_timeout_ms = 20;
    let engine = Engine::open(memory(), options).await.unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let stopped = engine
        .read::<i64, Error>(Freshness::Local, |c| Ok(c.query_row(endless, [], |row| row.get(0))?))
        .await;
    assert!(
        matches!(stopped, Err(Error::ReadTimeout { limit_ms: 20 })),
        "{stopped:?}"
    );
    assert_eq!(engine.read(Freshness::Local, |c| count(c, "a")).await.unwrap().value, 0);
}

#[tokio::test]
async fn long_write_is_stopped_and_commits_nothing() {
    let local = LocalFolder::new();
    let store = memory();
    drop(open(&store, &local).await);
    let mut options = local.options();
    options.write_deadline_ms = 50;
    let engine = Engine::open(store, options).await.unwrap();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO counter SELECT i, i FROM n";
    let stopped = engine
        .write::<(), Error>(id("endless"), move |c| Ok(c.execute_batch(endless)?))
        .await;
    assert!(matches!(stopped, Err(Error::Unavailable { .. })), "{stopped:?}");
    assert_eq!(total(&engine).await, 0);
}

#[tokio::test]
async fn reads_cannot_write() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    let read = engine
        .read::<(), Error>(Freshness::Local, |c| {
            Ok(c.execute_batch("INSERT INTO counter VALUES ('a', 1)")?)
        })
        .await;
    assert!(matches!(read, Err(Error::Sqlite(_))), "{read:?}");
}

#[tokio::test]
async fn statements_are_cached_and_open_transactions_are_not_inherited() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    engine
        .read::<(), Error>(Freshness::Local, |c| Ok(c.execute_batch("BEGIN; SELECT 1")?))
        .await
        .unwrap();
    engine
        .read::<(), Error>(Freshness::Local, |c| {
            assert!(c.is_autocommit());
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn closed_engine_rejects_writes() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    let clone = engine.clone();
    add(&engine, "a", 1).await.unwrap();
    engine.close().await;
    assert!(matches!(add(&clone, "a", 1).await, Err(Error::Closed)));
}

#[tokio::test]
async fn dropped_engine_removes_its_folder() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    assert_eq!(local.copies(), 1);
    engine.close().await;
    assert_eq!(local.copies(), 0);
}

#[tokio::test]
async fn migrations_run_once_and_old_code_is_unsupported() {
    const OLD: &[Migration] = &[Migration {
        version: 1,
        sql: "CREATE TABLE a (x)",
        min_reader: 0,
        min_writer: 0,
    }];
    const NO_WRITE: &[Migration] = &[
        OLD[0],
        Migration {
            version: 2,
            sql: "CREATE TABLE b (x)",
            min_reader: 0,
            min_writer: 2,
        },
    ];
    const NO_READ: &[Migration] = &[
        NO_WRITE[0],
        NO_WRITE[1],
        Migration {
            version: 3,
            sql: "CREATE TABLE c (x)",
            min_reader: 3,
            min_writer: 3,
        },
    ];
    for store in stores().await {
        let local = LocalFolder::new();
        let options_with = |migrations| Options {
            migrations,
            ..local.options()
        };
        let old = Engine::open(Arc::clone(&store), options_with(OLD)).await.unwrap();
        let insert = |engine: &Engine, name: &str| {
            let (engine, name) = (engine.clone(), id(name));
            async move {
                engine
                    .write::<(), Error>(name, |c| Ok(c.execute_batch("INSERT INTO a VALUES (1)")?))
                    .await
            }
        };
        let rows = |engine: &Engine| {
            let engine = engine.clone();
            async move {
                let read = engine.read::<i64, Error>(Freshness::Strict, |c| {
                    Ok(c.query_row("SELECT count(*) FROM a", [], |row| row.get(0))?)
                });
                read.await.map(|read| read.value)
            }
        };
        insert(&old, "1").await.unwrap();
        let newer = Engine::open(Arc::clone(&store), options_with(NO_WRITE)).await.unwrap();
        assert_eq!(newer.version().seq, old.version().seq + 1);
        assert_eq!(rows(&old).await.unwrap(), 1);
        assert!(matches!(insert(&old, "2").await, Err(Error::Unsupported(_))));
        insert(&newer, "3").await.unwrap();
        drop(Engine::open(Arc::clone(&store), options_with(NO_READ)).await.unwrap());
        assert!(matches!(rows(&old).await, Err(Error::Unsupported(_))));
        assert!(matches!(rows(&newer).await, Err(Error::Unsupported(_))));
        assert!(matches!(
            Engine::open(Arc::clone(&store), options_with(OLD)).await,
            Err(Error::Unsupported(_))
        ));
    }
}

#[tokio::test]
async fn unordered_migrations_are_refused() {
    const STEPS: &[Migration] = &[
        Migration {
            version: 2,
            sql: "CREATE TABLE b (x)",
            min_reader: 0,
            min_writer: 0,
        },
        Migration {
            version: 1,
            sql: "CREATE TABLE a (x)",
            min_reader: 0,
            min_writer: 0,
        },
    ];
    let local = LocalFolder::new();
    let refused = Engine::open(
        memory(),
        Options {
            migrations: STEPS,
            ..local.options()
        },
    )
    .await
    .map(drop);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn strict_read_sees_earlier_acknowledged_write() {
    let local = LocalFolder::new();
    let store = directory();
    let (one, two) = (open(&store, &local).await, open(&store, &local).await);
    let mut last = Version::default();
    for n in 1..50 {
        let (writer, reader) = if n % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let committed = add(writer, "a", 1).await.unwrap();
        assert!(committed.version > last);
        last = committed.version;
        let read = reader.read(Freshness::Strict, |c| count(c, "a")).await.unwrap();
        assert_eq!((read.value, read.version), (n, last));
    }
}

#[test]
fn engine_works_on_one_thread_and_lets_the_runtime_end() {
    let local = LocalFolder::new();
    let store = directory();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let engine = runtime.block_on(async {
        let engine = open(&store, &local).await;
        add(&engine, "a", 1).await.unwrap();
        assert_eq!(total(&engine).await, 1);
        engine
    });
    drop(runtime);
    drop(engine);
    assert_eq!(local.copies(), 0);
}

#[tokio::test]
async fn dropped_caller_does_not_cancel_its_write() {
    let local = LocalFolder::new();
    let engine = open(&directory(), &local).await;
    {
        let mut write = Box::pin(add(&engine, "a", 1));
        // After one poll, the write is in the queue. Then its caller is dropped.
        std::future::poll_fn(|context| {
            assert!(write.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    engine.clone().close().await;
    assert_eq!(total(&engine).await, 1);
}

#[tokio::test]
async fn invalid_sql_is_an_error_of_the_caller() {
    let local = LocalFolder::new();
    let engine = open(&memory(), &local).await;
    let read = engine
        .read::<(), caller_error::CallerError>(Freshness::Local, |c| Ok(c.execute_batch("nonsense")?))
        .await;
    assert!(matches!(read, Err(caller_error::CallerError::Sqlite(_))));
}

/// The error type of a caller.
mod caller_error {
    use super::{Error, rusqlite};

    pub(crate) enum CallerError {
        Sqlite(#[expect(dead_code, reason = "only its kind is looked at")] rusqlite::Error),
        #[expect(dead_code, reason = "the bound asks for it")]
        Engine(Error),
    }

    impl From<rusqlite::Error> for CallerError {
        fn from(error: rusqlite::Error) -> Self {
            Self::Sqlite(error)
        }
    }

    impl From<Error> for CallerError {
        fn from(error: Error) -> Self {
            Self::Engine(error)
        }
    }
}
