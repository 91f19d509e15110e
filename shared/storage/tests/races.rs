//! Tests with many engines on one database: they lose no write and apply none twice.

#![allow(clippy::unwrap_used, reason = "helpers of tests do not count as tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test configures its child processes by environment variables"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::support::{
    FastClock, LocalFolder, add, add_in_transaction, count, directory, fresh_id, head_of, id, memory, open, stores,
    total,
};
use bespoke_storage::{
    CommitId, DirectoryStore, Engine, Error, FaultyStore, Freshness, MemoryStore, Migration, ObjectStore, Options,
    Rates, StorageClock,
};

const ENGINES: usize = 5;
const WRITES: i64 = 30;

/// The number of rows in `_commits`, without those of migrations.
async fn commits(engine: &Engine) -> i64 {
    let sql = "SELECT count(*) FROM _commits WHERE id NOT LIKE 'schema:%'";
    let read = engine
        .read::<i64, Error>(Freshness::Strict, |c| Ok(c.query_row(sql, [], |row| row.get(0))?))
        .await;
    read.unwrap().value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_engines_of_one_process_lose_no_write() {
    for store in [memory(), directory()] {
        let local = LocalFolder::new();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..ENGINES {
            let engine = open(&store, &local).await;
            tasks.spawn(async move {
                let mut last = 0;
                for _ in 0..WRITES {
                    let all = add(&engine, "all", 1).await.unwrap().value;
                    assert!(all > last, "an engine reads its own acknowledged writes");
                    last = all;
                    add(&engine, &format!("own {n}"), 1).await.unwrap();
                }
                let own = engine
                    .read(Freshness::Strict, |c| count(c, &format!("own {n}")))
                    .await
                    .unwrap()
                    .value;
                assert_eq!(own, WRITES);
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
        let engine = open(&store, &local).await;
        let writes = WRITES * i64::try_from(ENGINES).unwrap();
        assert_eq!(
            engine.read(Freshness::Strict, |c| count(c, "all")).await.unwrap().value,
            writes
        );
        assert_eq!((total(&engine).await, commits(&engine).await), (2 * writes, 2 * writes));
        assert!(head_of(&*store).await["lock"].is_null());
    }
}

/// Retries a write until it is acknowledged, like a client with an `Idempotency-Key`.
async fn write_with_retries(engine: &Engine, name: &str) {
    let id = fresh_id();
    loop {
        let name = name.to_owned();
        match engine
            .write::<i64, Error>(id.clone(), move |c| Ok(add_in_transaction(c, &name, 1)?))
            .await
        {
            Ok(_) => return,
            Err(error) => assert!(error.is_transient(), "{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bad_network_loses_and_duplicates_no_write() {
    let rates = Rates {
        lost_request: 60,
        lost_reply: 120,
        late_arrival: 60,
        conflict: 40,
        unavailable: 40,
    };
    for seed in 0..4 {
        let (local, clock) = (LocalFolder::new(), FastClock::new());
        let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn StorageClock>);
        let honest: Arc<dyn ObjectStore> = Arc::new(memory.clone());
        drop(open(&honest, &local).await);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..4 {
            let faulty = FaultyStore::new(memory.clone(), seed * 10 + n, rates);
            let options = Options {
                clock: Arc::clone(&clock) as Arc<dyn StorageClock>,
                ..local.options()
            };
            tasks.spawn(async move {
                let store: Arc<dyn ObjectStore> = Arc::new(faulty);
                let engine = loop {
                    match Engine::open(Arc::clone(&store), options.clone()).await {
                        Ok(engine) => break engine,
                        Err(error) => assert!(error.is_transient(), "{error}"),
                    }
                };
                for _ in 0..12 {
                    write_with_retries(&engine, &format!("{n}")).await;
                }
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap();
        }
        let engine = open(&honest, &local).await;
        assert_eq!((total(&engine).await, commits(&engine).await), (48, 48), "seed {seed}");
        let check = engine.read::<String, Error>(Freshness::Local, |c| {
            Ok(c.query_row("PRAGMA integrity_check", [], |row| row.get(0))?)
        });
        assert_eq!(check.await.unwrap().value, "ok");
    }
}

const STEPS: &[Migration] = &[
    crate::support::COUNTERS[0],
    Migration {
        version: 2,
        sql: "CREATE TABLE two (x)",
        min_reader: 0,
        min_writer: 0,
    },
    Migration {
        version: 3,
        sql: "INSERT INTO counter VALUES ('step 3', 1)",
        min_reader: 0,
        min_writer: 0,
    },
];

/// Starts another process of this test binary, which runs only the test `name`.
fn start(name: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("races::{name}"), "--ignored", "--nocapture"])
        .env("STORE_FOLDER", folder);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

/// The store and the options of a child process. `None` if the test was not started by its parent.
fn child_options() -> Option<(Arc<dyn ObjectStore>, Options)> {
    let folder = PathBuf::from(std::env::var_os("STORE_FOLDER")?);
    let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::open(folder.join("bucket")).unwrap());
    Some((store, Options::new(folder.join("copies"), STEPS)))
}

async fn open_parent(folder: &Path) -> Engine {
    let store = Arc::new(DirectoryStore::open(folder.join("bucket")).unwrap());
    Engine::open(store, Options::new(folder.join("copies"), STEPS))
        .await
        .unwrap()
}

#[tokio::test]
#[ignore = "run by its parent, as another process"]
async fn counting_process() {
    let Some((store, options)) = child_options() else {
        return;
    };
    let engine = Engine::open(store, options).await.unwrap();
    for _ in 0..WRITES {
        add(&engine, "all", 1).await.unwrap();
    }
    engine.close().await;
}

#[tokio::test]
async fn concurrent_processes_create_and_migrate_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..4).map(|_| start("counting_process", folder.path())).collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let engine = open_parent(folder.path()).await;
    let all = engine.read(Freshness::Strict, |c| count(c, "all")).await.unwrap().value;
    assert_eq!(all, 4 * WRITES);
    // Each migration ran once, because a second INSERT would be visible.
    assert_eq!(
        (total(&engine).await, commits(&engine).await),
        (4 * WRITES + 1, 4 * WRITES)
    );
    let store = DirectoryStore::open(folder.path().join("bucket")).unwrap();
    let head = head_of(&store).await;
    assert_eq!(head["schema"], 3);
    assert!(head["lock"].is_null());
}

#[tokio::test]
#[ignore = "run by its parent, as another process"]
async fn process_to_be_killed() {
    let Some((store, options)) = child_options() else {
        return;
    };
    let engine = Engine::open(store, options).await.unwrap();
    loop {
        add(&engine, "all", 1).await.unwrap();
        println!("\nacknowledged");
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for _ in 0..5 {
        let mut child = start("process_to_be_killed", folder.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines.by_ref() {
            heard += i64::from(line.unwrap() == "acknowledged");
            if heard == 7 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // The output between the seventh acknowledgement and the end.
        heard += i64::try_from(
            lines
                .map_while(Result::ok)
                .filter(|line| line == "acknowledged")
                .count(),
        )
        .unwrap();
        let engine = open_parent(folder.path()).await;
        let all = engine.read(Freshness::Strict, |c| count(c, "all")).await.unwrap().value;
        let least = acknowledged + heard;
        assert!(
            (least..=least + 1).contains(&all),
            "{all} where {least} were acknowledged"
        );
        acknowledged = all;
        let copies = std::fs::read_dir(folder.path().join("copies")).unwrap();
        let copies = copies.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
        assert_eq!(copies, 1, "the folder of the killed process was removed");
        engine.close().await;
    }
}

#[tokio::test]
async fn commit_id_takes_effect_once_across_engines() {
    for store in stores().await {
        let local = LocalFolder::new();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..ENGINES {
            let engine = open(&store, &local).await;
            tasks.spawn(async move {
                let one: CommitId = id("one");
                engine
                    .write::<i64, Error>(one, |c| Ok(add_in_transaction(c, "a", 1)?))
                    .await
                    .unwrap()
            });
        }
        let answers = tasks.join_all().await;
        assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
        assert!(answers.iter().all(|answer| answer.value == 1));
    }
}
