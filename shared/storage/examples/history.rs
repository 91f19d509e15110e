//! Measures the size of history: commits that add a set of 600 bytes to a database of 20 MB, or change one.
//!
//! `cargo run -p bespoke-storage --example history`

use std::error::Error;
use std::sync::Arc;

use bespoke_storage::random::{SeededRandom, SystemStorageRandom};
use bespoke_storage::rusqlite::{self, Connection};
use bespoke_storage::{CommitId, Engine, MemoryStore, Migration, ObjectStore, Options, StorageRandom};

/// Number of rows in the database at the start.
const ROWS: u64 = 30_000;
/// Size of a row, in bytes. Its content is encrypted, so it does not compress.
const ROW_BYTES: usize = 600;
/// Number of measured commits.
const COMMITS: u64 = 3_000;
const COMMITS_A_WEEK: [(&str, u64); 2] = [("1 a minute", 7 * 24 * 60), ("100 a second", 7 * 24 * 3_600 * 100)];

const TABLES: &[Migration] = &[Migration {
    version: 1,
    sql: "CREATE TABLE sets (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, content BLOB NOT NULL);
          CREATE INDEX sets_owner ON sets (owner);",
    min_reader: 0,
    min_writer: 0,
}];

fn noise(seed: u64) -> Vec<u8> {
    let mut noise = vec![0; ROW_BYTES];
    SeededRandom::new(seed).fill(&mut noise);
    noise
}

fn insert(connection: &Connection, seed: u64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO sets (owner, content) VALUES (?1, ?2)")?;
    insert.execute(((seed * 7_919 % 10_000).cast_signed(), noise(seed)))?;
    Ok(())
}

async fn bytes(store: &dyn ObjectStore, prefix: &str) -> Result<u64, Box<dyn Error>> {
    Ok(store.list(prefix).await?.iter().map(|object| object.bytes).sum())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let engine = Engine::open(Arc::clone(&store), Options::new(folder.path(), TABLES)).await?;
    let fill = |connection: &Connection| {
        (0..ROWS).try_for_each(|seed| insert(connection, seed))?;
        Ok::<_, bespoke_storage::Error>(())
    };
    engine.write(CommitId::random(&SystemStorageRandom), fill).await?;
    let before = bytes(&*store, "").await?;
    for seed in ROWS..ROWS + COMMITS {
        let write = move |connection: &Connection| {
            if seed % 3 == 0 {
                let mut update = connection.prepare_cached("UPDATE sets SET content = ?2 WHERE id = ?1")?;
                update.execute(((seed * 104_729 % ROWS).cast_signed(), noise(seed)))?;
            } else {
                insert(connection, seed)?;
            }
            Ok::<_, bespoke_storage::Error>(())
        };
        engine.write(CommitId::random(&SystemStorageRandom), write).await?;
    }
    let history = bytes(&*store, "history/").await?;
    let segments = bytes(&*store, "segment/").await?;
    let count = store.list("history/").await?.len() as u64;
    println!(
        "{COMMITS} commits: the bucket grew by {} bytes, of which {segments} in segments and {history} in {count} history objects",
        bytes(&*store, "").await? - before
    );
    for (rate, commits) in COMMITS_A_WEEK {
        println!(
            "{rate}: {} MB of history in seven days, in {} objects",
            history * commits / COMMITS / 1_000_000,
            count * commits / COMMITS
        );
    }
    Ok(())
}
