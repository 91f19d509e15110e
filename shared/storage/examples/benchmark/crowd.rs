//! Measures concurrent writers: tasks of one process, threads with plain SQLite, and several processes, each of which runs [`work`].

use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bespoke_storage::aws::Aws;
use bespoke_storage::{CommitId, DirectoryStore, Engine, Error, Freshness, ObjectStore, Options, S3Settings, S3Store};

use super::Result;
use super::data::{self, SCHEMA};
use super::measured::{Stopwatch, median};

/// Duration of each case in each round, in milliseconds.
const RUN_MS: f64 = 5_000.0;
/// Duration of each case with several processes, in milliseconds. It is longer, so that each process gets many contention windows.
const PROCESSES_RUN_MS: f64 = 15_000.0;
const ROUNDS: usize = 3;
const TASKS: u64 = 16;
const PROCESSES: usize = 8;
const SIZE_MB: u64 = 10;
const BUCKET: &str = "bespoke-benchmark";

/// Acknowledged writes a second, as medians.
pub(crate) struct Writers {
    /// One task, or many tasks, of a process with an engine.
    pub(crate) one: f64,
    pub(crate) many: f64,
    /// One thread, or many threads, with plain SQLite.
    pub(crate) plain_one: f64,
    pub(crate) plain_many: f64,
    /// On a directory, and on the S3 server.
    pub(crate) processes: Vec<Processes>,
}

/// Eight processes compared with one.
pub(crate) struct Processes {
    /// The kind of bucket.
    pub(crate) label: &'static str,
    pub(crate) one: f64,
    pub(crate) all: f64,
    /// The share of the slowest process, where 1 is an equal share.
    pub(crate) slowest_share: f64,
}

pub(crate) async fn measure(folder: &Path) -> Result<Writers> {
    std::fs::create_dir_all(folder)?;
    let bucket = folder.join("bucket");
    let store: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::open(&bucket)?);
    let engine = Engine::open(store, Options::new(folder.join("copies"), SCHEMA)).await?;
    data::fill(&engine, SIZE_MB).await?;
    let plain = folder.join("plain.sqlite");
    drop(data::plain(&plain, SIZE_MB)?);
    let mut rates = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        rates[0].push(tasks(&engine, RUN_MS, 0..1).await?);
        rates[1].push(plain_threads(&plain, 1)?);
        rates[2].push(tasks(&engine, RUN_MS, 0..TASKS).await?);
        rates[3].push(plain_threads(&plain, TASKS)?);
    }
    drop(engine);
    let [one, plain_one, many, plain_many] = rates.map(median);
    Ok(Writers {
        one,
        many,
        plain_one,
        plain_many,
        processes: processes_at(folder)?,
    })
}

/// Compares eight processes with one, on a directory and on the S3 server.
pub(crate) fn processes_at(folder: &Path) -> Result<Vec<Processes>> {
    let server = Server::start()?;
    let directory = format!("dir:{}", folder.join("shared").display());
    Ok(vec![
        processes("directory", &directory, folder)?,
        processes("S3 server", &server.endpoint, folder)?,
    ])
}

/// Measures the writes a second of tasks that share an engine, like the requests of a server.
async fn tasks(engine: &Engine, run_ms: f64, writers: Range<u64>) -> Result<f64> {
    let watch = Arc::new(Stopwatch::start());
    let mut tasks = tokio::task::JoinSet::new();
    for writer in writers {
        let (engine, watch) = (engine.clone(), Arc::clone(&watch));
        tasks.spawn(async move { write_for(run_ms, &engine, &watch, writer).await });
    }
    let mut sum = 0;
    while let Some(done) = tasks.join_next().await {
        sum += done??;
    }
    Ok(sum as f64 * 1e3 / watch.ms())
}

async fn write_for(run_ms: f64, engine: &Engine, watch: &Stopwatch, writer: u64) -> Result<u64> {
    let users = data::users_in(SIZE_MB);
    let mut done = 0;
    while watch.ms() < run_ms {
        let id = CommitId::random(&bespoke_storage::random::SystemStorageRandom);
        let n = writer * 1_000_000 + done;
        engine
            .write::<(), Error>(id, move |c| Ok(data::touch(c, users, n).map(drop)?))
            .await?;
        done += 1;
    }
    Ok(done)
}

fn plain_threads(path: &Path, count: u64) -> Result<f64> {
    let watch = Stopwatch::start();
    let users = data::users_in(SIZE_MB);
    let sum = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|thread| {
                let watch = &watch;
                scope.spawn(move || -> Result<u64> {
                    let connection = data::open_plain(path)?;
                    let mut done = 0;
                    while watch.ms() < RUN_MS {
                        data::touch(&connection, users, thread * 1_000_000 + done)?;
                        done += 1;
                    }
                    Ok(done)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Ok(0)))
            .sum::<Result<u64>>()
    })?;
    Ok(sum as f64 * 1e3 / watch.ms())
}

fn processes(label: &'static str, address: &str, folder: &Path) -> Result<Processes> {
    let (mut ones, mut alls, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ones.push(crowd(1, address, folder)?.iter().sum());
        let all = crowd(PROCESSES, address, folder)?;
        eprintln!("{label}: {all:.1?}");
        let sum: f64 = all.iter().sum();
        alls.push(sum);
        shares.push(all.iter().copied().fold(f64::INFINITY, f64::min) * PROCESSES as f64 / sum);
    }
    Ok(Processes {
        label,
        one: median(ones),
        all: median(alls),
        slowest_share: median(shares),
    })
}

/// Measures the writes a second of each of `count` processes, which begin together.
fn crowd(count: usize, address: &str, folder: &Path) -> Result<Vec<f64>> {
    let mut workers: Vec<Child> = Vec::new();
    for _ in 0..count {
        let mut worker = Command::new(std::env::current_exe()?);
        worker.arg("worker").arg(address).arg(folder.join("copies"));
        workers.push(worker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    }
    let mut lines = Vec::new();
    for worker in &mut workers {
        let mut out = BufReader::new(worker.stdout.take().ok_or("no output")?).lines();
        out.next().ok_or("a worker did not start")??;
        lines.push(out);
    }
    for worker in &mut workers {
        worker.stdin.as_mut().ok_or("no input")?.write_all(b"go\n")?;
    }
    let rates = lines
        .iter_mut()
        .map(|out| Ok(out.next().ok_or("a worker died")??.parse()?));
    let rates = rates.collect::<Result<Vec<f64>>>();
    for mut worker in workers {
        worker.wait()?;
    }
    rates
}

/// Runs one of the processes: `worker ADDRESS COPIES`.
pub(crate) async fn work(arguments: &[String]) -> Result<()> {
    let [address, copies] = arguments else {
        return Err("worker ADDRESS COPIES".into());
    };
    let store: Arc<dyn ObjectStore> = match address.strip_prefix("dir:") {
        Some(folder) => Arc::new(DirectoryStore::open(folder)?),
        None => Arc::new(S3Store::open(settings(address))?),
    };
    let engine = Engine::open(store, Options::new(copies, SCHEMA)).await?;
    // The first process finds an empty database.
    if engine.read(Freshness::Local, is_empty).await?.value {
        data::fill(&engine, SIZE_MB).await?;
    }
    println!("ready");
    let mut go = String::new();
    std::io::stdin().read_line(&mut go)?;
    let writer = u64::from(std::process::id());
    println!("{}", tasks(&engine, PROCESSES_RUN_MS, writer..writer + 1).await?);
    engine.close().await;
    Ok(())
}

fn is_empty(c: &bespoke_storage::rusqlite::Connection) -> Result<bool, Error> {
    Ok(c.query_row("SELECT NOT EXISTS (SELECT 1 FROM user)", [], |row| row.get(0))?)
}

fn settings(endpoint: &str) -> S3Settings {
    S3Settings {
        bucket: BUCKET.to_owned(),
        prefix: String::new(),
        aws: Aws {
            endpoint: Some(endpoint.to_owned()),
            region: None,
            access: Some(Aws::access("benchmark".to_owned(), "benchmark".to_owned(), None)),
        },
    }
}

/// The S3 server of the tests. It ends when its standard input is closed.
struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    fn start() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = Command::new(root.join("../../.venv/bin/python"))
            .arg(root.join("tests/support/s3_server.py"))
            .arg(BUCKET)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut endpoint = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut endpoint)?;
        Ok(Self {
            child,
            endpoint: endpoint.trim_end().to_owned(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
