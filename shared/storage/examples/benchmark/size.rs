//! Measures a database of one size: commits, syncs, cold starts and reads, on a local store and on a slow one.

use std::path::Path;
use std::sync::Arc;

use bespoke_storage::{CommitId, Compact, DirectoryStore, Engine, Error, Freshness, ObjectStore, Options};

use super::Result;
use super::data::{self, SCHEMA};
use super::measured::{Measured, Stopwatch, median};

/// Number of measured commits, which is more than the tail of `head` contains.
const COMMITS: u64 = 100;
const READS: u64 = 20_000;
const ROUNDS: u64 = 5;
/// Number of commits of another process that a sync applies.
const MISSED_COMMITS: [u64; 3] = [1, 10, 100];
/// Duration of a call to the slow store, in milliseconds.
pub(crate) const BUCKET_MS: u64 = 20;

/// The results for one size of the database. Plain SQLite is measured for comparison.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) size_mb: u64,
    pub(crate) file_bytes: u64,
    /// Bytes sent per commit.
    pub(crate) mean_sent: u64,
    pub(crate) most_sent: u64,
    /// Calls of the store per commit.
    pub(crate) calls: f64,
    pub(crate) commit_ms: f64,
    pub(crate) commit_processor_ms: f64,
    pub(crate) plain_commit_ms: f64,
    /// Size of the complete file, compressed, and the time to compress it.
    pub(crate) whole_bytes: u64,
    pub(crate) whole_ms: f64,
    /// Time of a sync after each number of [`MISSED_COMMITS`].
    pub(crate) catch_up_ms: Vec<f64>,
    /// Time of a start without a local copy, and of copying the file.
    pub(crate) cold_ms: f64,
    pub(crate) copy_ms: f64,
    pub(crate) read_us: f64,
    pub(crate) plain_read_us: f64,
    /// Times on the slow store.
    pub(crate) slow_commit_ms: f64,
    pub(crate) slow_read_ms: f64,
    pub(crate) slow_cold_ms: f64,
}

pub(crate) async fn measure(folder: &Path, size_mb: u64) -> Result<Line> {
    let users = data::users_in(size_mb);
    let bucket: Arc<dyn ObjectStore> = Arc::new(DirectoryStore::open(folder.join("bucket"))?);
    let store = Measured::new(Arc::clone(&bucket), 0);
    let open = |store: &Measured| Engine::open(Arc::new(store.clone()), Options::new(folder.join("copies"), SCHEMA));
    let engine = open(&store).await?;
    data::fill(&engine, size_mb).await?;
    engine.compact(Compact::Always).await?;
    let mut line = Line {
        size_mb,
        ..Line::default()
    };
    let plain_path = folder.join("plain.sqlite");
    let plain = data::plain(&plain_path, size_mb)?;
    line.file_bytes = std::fs::metadata(&plain_path)?.len();
    commits(&mut line, &engine, &store, &plain, users).await?;
    reads(&mut line, &engine, &plain, users).await?;
    let other = open(&store).await?;
    let mut next = 1_000_000;
    for missed in MISSED_COMMITS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            other.ping().await?;
            for _ in 0..missed {
                touch(&engine, users, next).await?;
                next += 1;
            }
            let watch = Stopwatch::start();
            other.ping().await?;
            rounds.push(watch.ms());
        }
        line.catch_up_ms.push(median(rounds));
    }
    let watch = Stopwatch::start();
    drop(open(&store).await?);
    line.cold_ms = watch.ms();
    (line.whole_bytes, line.whole_ms) = whole(&plain_path)?;
    let watch = Stopwatch::start();
    std::fs::copy(&plain_path, folder.join("copy.sqlite"))?;
    line.copy_ms = watch.ms();
    let slow = Measured::new(bucket, BUCKET_MS);
    let watch = Stopwatch::start();
    let far = open(&slow).await?;
    line.slow_cold_ms = watch.ms();
    let (mut commits, mut reads) = (Vec::new(), Vec::new());
    for n in 0..30 {
        let watch = Stopwatch::start();
        touch(&far, users, 2_000_000 + n).await?;
        commits.push(watch.ms());
        let watch = Stopwatch::start();
        far.read(Freshness::Strict, |c| data::read_user(c, users, n)).await?;
        reads.push(watch.ms());
    }
    (line.slow_commit_ms, line.slow_read_ms) = (median(commits), median(reads));
    Ok(line)
}

pub(crate) async fn touch(engine: &Engine, users: u64, n: u64) -> Result<()> {
    let id = CommitId::new(format!("{} {n}", std::process::id()))?;
    engine
        .write::<(), Error>(id, move |c| Ok(data::touch(c, users, n).map(drop)?))
        .await?;
    Ok(())
}

async fn commits(
    line: &mut Line,
    engine: &Engine,
    store: &Measured,
    plain: &bespoke_storage::rusqlite::Connection,
    users: u64,
) -> Result<()> {
    let (mut engine_times, mut sqlite_times, mut processor) = (Vec::new(), Vec::new(), 0.0);
    let first = store.totals();
    for n in 0..COMMITS {
        let (_, before) = store.totals();
        let watch = Stopwatch::start();
        touch(engine, users, n).await?;
        engine_times.push(watch.ms());
        processor += watch.processor_ms();
        line.most_sent = line.most_sent.max(store.totals().1 - before);
        let watch = Stopwatch::start();
        data::touch(plain, users, n)?;
        sqlite_times.push(watch.ms());
    }
    let last = store.totals();
    line.mean_sent = (last.1 - first.1) / COMMITS;
    line.calls = (last.0 - first.0) as f64 / COMMITS as f64;
    line.commit_processor_ms = processor / COMMITS as f64;
    (line.commit_ms, line.plain_commit_ms) = (median(engine_times), median(sqlite_times));
    Ok(())
}

async fn reads(
    line: &mut Line,
    engine: &Engine,
    plain: &bespoke_storage::rusqlite::Connection,
    users: u64,
) -> Result<()> {
    let (mut engine_times, mut sqlite_times) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let watch = Stopwatch::start();
        for n in 0..READS {
            engine
                .read(Freshness::Local, |c| data::read_user(c, users, round + n))
                .await?;
        }
        engine_times.push(watch.ms() * 1e3 / READS as f64);
        let watch = Stopwatch::start();
        for n in 0..READS {
            data::read_user(plain, users, round + n)?;
        }
        sqlite_times.push(watch.ms() * 1e3 / READS as f64);
    }
    (line.read_us, line.plain_read_us) = (median(engine_times), median(sqlite_times));
    Ok(())
}

/// Measures the alternative of storing the complete file at each commit: its compressed size, and the time to compress
/// it.
fn whole(path: &Path) -> Result<(u64, f64)> {
    let watch = Stopwatch::start();
    let mut packed = zstd::Encoder::new(Count(0), 3)?;
    std::io::copy(&mut std::fs::File::open(path)?, &mut packed)?;
    Ok((packed.finish()?.0, watch.ms()))
}

struct Count(u64);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
