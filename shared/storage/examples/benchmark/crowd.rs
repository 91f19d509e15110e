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
/// Number of processes at the distance of S3.
const DISTANT_PROCESSES: usize = 16;
/// The distance of S3 from a Lambda function: milliseconds until a response begins, and megabytes a second.
const DISTANCE: [&str; 4] = ["--latency-ms", "20", "--rate-mb", "75"];
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

/// Several processes compared with one.
pub(crate) struct Processes {
    /// The number of processes, and the kind of bucket.
    pub(crate) label: String,
    pub(crate) one: f64,
    pub(crate) all: f64,
    /// Median and 99th percentile of the durations of all writes, in milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
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

/// Compares several processes with one: on a directory, on the S3 server of the tests, and at the distance of S3.
pub(crate) fn processes_at(folder: &Path) -> Result<Vec<Processes>> {
    let directory = format!("dir:{}", folder.join("shared").display());
    let near = Server::start("shared/storage/tests/support/s3_server.py", &[BUCKET])?;
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty)?;
    let mut arguments = vec![empty.to_str().ok_or("the folder has no name in UTF-8")?];
    arguments.extend(DISTANCE);
    let distant = Server::start("bench/cold_start/s3.py", &arguments)?;
    Ok(vec![
        processes("directory", PROCESSES, &directory, folder)?,
        processes("S3 server", PROCESSES, &near.endpoint, folder)?,
        processes("bucket at 20 ms", DISTANT_PROCESSES, &distant.endpoint, folder)?,
    ])
}

/// Measures the writes a second of tasks that share an engine, like the requests of a server.
async fn tasks(engine: &Engine, run_ms: f64, writers: Range<u64>) -> Result<f64> {
    let watch = Stopwatch::start();
    let durations_ms = durations(engine, run_ms, writers).await?;
    Ok(durations_ms.len() as f64 * 1e3 / watch.ms())
}

/// Returns the durations of the writes of tasks that share an engine, in milliseconds.
async fn durations(engine: &Engine, run_ms: f64, writers: Range<u64>) -> Result<Vec<f64>> {
    let watch = Arc::new(Stopwatch::start());
    let mut tasks = tokio::task::JoinSet::new();
    for writer in writers {
        let (engine, watch) = (engine.clone(), Arc::clone(&watch));
        tasks.spawn(async move { write_for(run_ms, &engine, &watch, writer).await });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    Ok(all)
}

async fn write_for(run_ms: f64, engine: &Engine, watch: &Stopwatch, writer: u64) -> Result<Vec<f64>> {
    let users = data::users_in(SIZE_MB);
    let mut done = Vec::new();
    while watch.ms() < run_ms {
        let began_ms = watch.ms();
        let id = CommitId::random(&bespoke_storage::random::SystemStorageRandom);
        let n = writer * 1_000_000 + done.len() as u64;
        engine
            .write::<(), Error>(id, move |c| Ok(data::touch(c, users, n).map(drop)?))
            .await?;
        done.push(watch.ms() - began_ms);
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

fn processes(label: &str, count: usize, address: &str, folder: &Path) -> Result<Processes> {
    let (mut ones, mut alls, mut shares, mut all_ms) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let writes_per_s = |durations_ms: &[f64]| durations_ms.len() as f64 * 1e3 / PROCESSES_RUN_MS;
    for _ in 0..ROUNDS {
        ones.push(writes_per_s(&crowd(1, address, folder)?.concat()));
        let each = crowd(count, address, folder)?;
        let rates: Vec<f64> = each.iter().map(|durations_ms| writes_per_s(durations_ms)).collect();
        eprintln!("{label}: {rates:.1?}");
        let sum: f64 = rates.iter().sum();
        alls.push(sum);
        shares.push(rates.iter().copied().fold(f64::INFINITY, f64::min) * count as f64 / sum);
        all_ms.extend(each.concat());
    }
    all_ms.sort_by(f64::total_cmp);
    let percentile_ms = |percent: usize| all_ms[(all_ms.len() - 1) * percent / 100];
    Ok(Processes {
        label: format!("{count} processes, {label}"),
        one: median(ones),
        all: median(alls),
        p50_ms: percentile_ms(50),
        p99_ms: percentile_ms(99),
        slowest_share: median(shares),
    })
}

/// Returns the durations of the writes of each of `count` processes, which begin together, in milliseconds.
fn crowd(count: usize, address: &str, folder: &Path) -> Result<Vec<Vec<f64>>> {
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
    let durations_ms = lines.iter_mut().map(|out| {
        let line = out.next().ok_or("a worker died")??;
        Ok(line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<Vec<f64>, _>>()?)
    });
    let durations_ms = durations_ms.collect::<Result<Vec<_>>>();
    for mut worker in workers {
        worker.wait()?;
    }
    durations_ms
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
    let durations_ms = durations(&engine, PROCESSES_RUN_MS, writer..writer + 1).await?;
    let texts: Vec<String> = durations_ms.iter().map(|ms| format!("{ms:.2}")).collect();
    println!("{}", texts.join(" "));
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

/// A server that ends when its standard input is closed.
struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    /// Starts a script of the project, which prints its address.
    fn start(script: &str, arguments: &[&str]) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut child = Command::new(root.join(".venv/bin/python"))
            .arg(root.join(script))
            .args(arguments)
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
