//! Fills the database of the benchmark with realistic data: users and their encrypted sets, so that most bytes do not
//! compress.

use std::path::Path;

use bespoke_storage::random::SeededRandom;
use bespoke_storage::rusqlite::{self, Connection, params};
use bespoke_storage::{CommitId, Engine, Error, Migration, StorageRandom};

use super::Result;

pub(crate) const SCHEMA: &[Migration] = &[Migration {
    version: 1,
    sql: TABLES,
    min_reader: 0,
    min_writer: 0,
}];

const TABLES: &str = "
    CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, email BLOB NOT NULL UNIQUE, data BLOB NOT NULL,
        created TEXT NOT NULL, language TEXT NOT NULL, calls INTEGER NOT NULL);
    CREATE TABLE measures (id INTEGER PRIMARY KEY, user INTEGER NOT NULL, name BLOB NOT NULL, data BLOB NOT NULL,
        created TEXT NOT NULL);
    CREATE INDEX measures_by_user ON measures (user);";

/// Size of a user with two sets in the file, in bytes.
const USER_BYTES: u64 = 3_400;
/// Number of users that one commit creates, which are about 50 MB.
const BATCH: u64 = 15_000;

pub(crate) fn users_in(size_mb: u64) -> u64 {
    size_mb * 1_000_000 / USER_BYTES
}

fn noise(random: &SeededRandom, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    random.fill(&mut noise);
    noise
}

fn add_user(c: &Connection, random: &SeededRandom, id: u64) -> rusqlite::Result<()> {
    let created = format!("2026-11-{:02}T10:00:00.000Z", id % 28 + 1);
    c.prepare_cached("INSERT INTO user VALUES (?1, ?2, ?3, ?4, ?5, 'en', 0)")?
        .execute(params![
            id.cast_signed(),
            format!("user-{id}"),
            noise(random, 32),
            noise(random, 240),
            created
        ])?;
    for _ in 0..2 {
        c.prepare_cached("INSERT INTO measures (user, name, data, created) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                id.cast_signed(),
                noise(random, 40),
                noise(random, 1_100),
                created
            ])?;
    }
    Ok(())
}

/// Fills the engine's database.
pub(crate) async fn fill(engine: &Engine, size_mb: u64) -> Result<()> {
    let users = users_in(size_mb);
    let mut first = 1;
    while first <= users {
        let last = (first + BATCH - 1).min(users);
        let write = engine.write::<(), Error>(CommitId::new(format!("fill {first}"))?, move |c| {
            let random = SeededRandom::new(first);
            (first..=last).try_for_each(|id| add_user(c, &random, id))?;
            Ok(())
        });
        write.await?;
        first = last + 1;
    }
    Ok(())
}

/// Creates the same database with plain SQLite in its most durable mode.
pub(crate) fn plain(path: &Path, size_mb: u64) -> Result<Connection> {
    let connection = open_plain(path)?;
    connection.execute_batch(TABLES)?;
    connection.execute_batch("BEGIN")?;
    let random = SeededRandom::new(1);
    (1..=users_in(size_mb)).try_for_each(|id| add_user(&connection, &random, id))?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(connection)
}

pub(crate) fn open_plain(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(60))?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    Ok(connection)
}

/// Changes one set.
pub(crate) fn touch(c: &Connection, users: u64, n: u64) -> rusqlite::Result<usize> {
    let random = SeededRandom::new(n);
    c.prepare_cached("UPDATE measures SET data = ?2 WHERE id = ?1")?
        .execute(params![row(users * 2, n), noise(&random, 1_100)])
}

/// Reads a user and its sets.
pub(crate) fn read_user(c: &Connection, users: u64, n: u64) -> Result<usize, Error> {
    let id = row(users, n);
    let mut user = c.prepare_cached("SELECT length(data) FROM user WHERE id = ?1")?;
    let bytes: i64 = user.query_row([id], |row| row.get(0))?;
    let mut sets = c.prepare_cached("SELECT data FROM measures WHERE user = ?1")?;
    let mut rows = sets.query([id])?;
    let mut sum = usize::try_from(bytes).unwrap_or(0);
    while let Some(row) = rows.next()? {
        sum += row.get_ref(0)?.as_blob().map_or(0, <[u8]>::len);
    }
    Ok(sum)
}

/// Returns a row id that is spread over the complete file.
fn row(rows: u64, n: u64) -> i64 {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % rows.max(1) + 1).cast_signed()
}
