//! Measures the paths that matter, on a directory store below a given folder (default: the system's for temporary files):
//! `cargo run --release -p bespoke-storage --example measure -- /some/disk`.

use std::path::PathBuf;
use std::sync::Arc;

use bespoke_storage::environment::SystemClock;
use bespoke_storage::{
    Clock, CommitId, DirectoryStore, Engine, Error, Freshness, MemoryStore, Migration, ObjectStore, Options, rusqlite,
};

const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body TEXT)",
    min_reader: 0,
    min_writer: 0,
}];

struct Stopwatch(SystemClock);

impl Stopwatch {
    fn report(&self, what: &str, times: u64, since_us: u64) {
        let us = self.0.monotonic_us() - since_us;
        let (each, rate) = (us as f64 / times as f64, times as f64 * 1e6 / us as f64);
        println!("{what:<58} {each:>10.2} us each {rate:>12.0} per second");
    }
}

fn two_selects(c: &rusqlite::Connection, n: u64) -> Result<i64, Error> {
    let mut by_id = c.prepare_cached("SELECT body FROM user WHERE id = ?1")?;
    let body: String = by_id.query_row([(n % 1_000 + 1).cast_signed()], |row| row.get(0))?;
    let mut by_name = c.prepare_cached("SELECT id FROM user WHERE name = ?1")?;
    let id: i64 = by_name.query_row([format!("user {}", n % 1_000)], |row| row.get(0))?;
    Ok(id + body.len() as i64)
}

async fn touch(engine: &Engine, id: String, n: u64) -> Result<(), Error> {
    let id = CommitId::new(id)?;
    let write = engine.write::<(), Error>(id, move |c| {
        c.prepare_cached("UPDATE user SET body = 'changed' WHERE id = ?1")?
            .execute([(n % 1_000 + 1).cast_signed()])?;
        Ok(())
    });
    write.await.map(drop)
}

async fn reads(name: &str, engine: &Engine, watch: &Stopwatch) -> Result<(), Error> {
    const TIMES: u64 = 100_000;
    for (how, freshness) in [("strict", Freshness::Strict), ("local", Freshness::Local)] {
        let since = watch.0.monotonic_us();
        for n in 0..TIMES {
            engine.read(freshness, |_| Ok::<_, Error>(n)).await?;
        }
        watch.report(&format!("{name}: {how} read, no SQL"), TIMES, since);
        let since = watch.0.monotonic_us();
        for n in 0..TIMES {
            engine.read(freshness, |c| two_selects(c, n)).await?;
        }
        watch.report(&format!("{name}: {how} read, 2 SELECTs"), TIMES, since);
    }
    Ok(())
}

async fn writes(name: &str, engine: &Engine, watch: &Stopwatch) -> Result<(), Error> {
    const ALONE: u64 = 300;
    const TOGETHER: u64 = 3_000;
    let since = watch.0.monotonic_us();
    for n in 0..ALONE {
        touch(engine, format!("{name} alone {n}"), n).await?;
    }
    watch.report(&format!("{name}: write, one after the other"), ALONE, since);
    let since = watch.0.monotonic_us();
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..30 {
        let (engine, name) = (engine.clone(), name.to_owned());
        tasks.spawn(async move {
            for n in 0..TOGETHER / 30 {
                touch(&engine, format!("{name} {worker} {n}"), worker * 31 + n).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(Ok(result)) = tasks.join_next().await {
        result?;
    }
    watch.report(&format!("{name}: write, 30 at once"), TOGETHER, since);
    let since = watch.0.monotonic_us();
    for n in 0..ALONE {
        touch(engine, format!("{name} mixed {n}"), n).await?;
        engine.read(Freshness::Strict, |c| two_selects(c, n)).await?;
    }
    watch.report(
        &format!("{name}: write, then strict read with fresh connections"),
        ALONE,
        since,
    );
    Ok(())
}

async fn measure(name: &str, store: Arc<dyn ObjectStore>, local: PathBuf, watch: &Stopwatch) -> Result<(), Error> {
    const OPENS: u64 = 50;
    let since = watch.0.monotonic_us();
    let engine = Engine::open(Arc::clone(&store), Options::new(&local, SCHEMA)).await?;
    watch.report(&format!("{name}: create"), 1, since);
    engine
        .write::<(), Error>(CommitId::new("fill")?, |c| {
            let sql = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
                       INSERT INTO user (name, body) SELECT 'user ' || i, hex(randomblob(60)) FROM n";
            Ok(c.execute_batch(sql)?)
        })
        .await?;
    reads(name, &engine, watch).await?;
    writes(name, &engine, watch).await?;
    let since = watch.0.monotonic_us();
    for n in 0..OPENS {
        let cold = Engine::open(Arc::clone(&store), Options::new(&local, SCHEMA)).await?;
        cold.read(Freshness::Local, |c| two_selects(c, n)).await?;
    }
    watch.report(&format!("{name}: open and read, a small database"), OPENS, since);
    engine.close().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = root.join(format!("measure-{}", std::process::id()));
    let watch = Stopwatch(SystemClock::new());
    for threads in ["current_thread", "multi_thread"] {
        println!("-- {threads}");
        let mut builder = match threads {
            "current_thread" => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        builder.enable_time().build()?.block_on(async {
            measure("memory", Arc::new(MemoryStore::new()), folder.join("local"), &watch).await?;
            let directory = Arc::new(DirectoryStore::open(folder.join(threads))?);
            measure("directory", directory, folder.join("local"), &watch).await
        })?;
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
