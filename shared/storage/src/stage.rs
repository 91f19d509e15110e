//! Runs a batch of writes in one local transaction, each in its own savepoint and with its own look into `_commits`, and turns
//! what they changed into a delta.

use rusqlite::{Connection, OptionalExtension, params};

use bytes::Bytes;

use crate::delta::Delta;
use crate::engine::Ablation;
use crate::error::Error;
use crate::guard::{COMMITS_TABLE, SAVEPOINT};
use crate::head::Head;
use crate::job::{Ran, SchemaEdit, Waiting};
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT, RESULT_MAX_BYTES};
use crate::plan;
use crate::replica::{Known, Replica};
use crate::session::{Session, WriteConnection};
use crate::wal;

/// A local COMMIT that the store has not accepted yet.
pub(crate) struct Staged {
    pub(crate) delta: Delta,
    /// The delta as the store gets it; empty where a new base takes its place.
    pub(crate) encoded: Bytes,
    pub(crate) checksum: u64,
    /// Of the local copy that it stands on.
    pub(crate) generation: u64,
    pub(crate) schema: Option<SchemaEdit>,
}

/// What staging a batch came to.
pub(crate) enum Stage {
    /// The local copy is not at the `head` that was named, or does not fit it.
    Moved,
    /// Nothing changed; every write has its outcome.
    Unchanged,
    Staged(Box<Staged>),
    /// The transaction was lost to one of the writes: each has to run alone.
    Left(Error),
}

/// What one write came to.
enum One {
    Unchanged,
    Changed,
    Left(Error),
}

/// What a batch is run against.
struct Now<'a> {
    head: &'a Head,
    /// The store's clock. Milliseconds since 1970.
    date_ms: u64,
    /// Whether `_commits` is looked into; only a test says no.
    look: bool,
}

/// Stages `batch` on top of `known`. `date_ms` is the store's clock. Blocks; holds off patches while it runs.
pub(crate) fn stage(
    replica: &Replica,
    session: &mut Session,
    batch: &mut [Waiting],
    known: &Known,
    date_ms: u64,
) -> Result<Stage, Error> {
    let local = replica.local();
    let head = &known.head.json;
    if local.dirty || local.version != head.version() {
        return Ok(Stage::Moved);
    }
    if (local.checksum, local.page_count) != (head.checksum, head.page_count) {
        drop(local);
        replica.local_mut().dirty = true;
        return Ok(Stage::Moved);
    }
    let open = session.on(&local, &replica.clock)?;
    let now = Now {
        head,
        date_ms,
        look: replica.ablation != Some(Ablation::NoCommitsTest),
    };
    let schema = match run_batch(open, batch, &now) {
        Ok(Batch::Committed(schema)) => schema,
        Ok(Batch::Unchanged) => return Ok(Stage::Unchanged),
        Ok(Batch::Left(error)) => {
            session.discard()?;
            return Ok(Stage::Left(error));
        }
        Err(error) => {
            session.discard()?;
            return Err(error);
        }
    };
    let log = session.log()?;
    let mut delta = wal::read(&log).ok_or_else(|| Error::Corrupt("SQLite's log holds no commit".to_owned()))?;
    if delta.page_size != head.page_size {
        return Err(Error::Refused(format!(
            "the page size is {}, not {}",
            delta.page_size, head.page_size
        )));
    }
    delta.fill_growth(local.page_count);
    let checksum = local.checksum_after(&delta)?;
    let encoded = if plan::is_huge(&delta) {
        Bytes::new()
    } else {
        delta.encode()?
    };
    Ok(Stage::Staged(Box::new(Staged {
        delta,
        encoded,
        checksum,
        generation: local.generation,
        schema,
    })))
}

enum Batch {
    Committed(Option<SchemaEdit>),
    Unchanged,
    Left(Error),
}

fn run_batch(open: &mut WriteConnection, batch: &mut [Waiting], now: &Now<'_>) -> Result<Batch, Error> {
    open.deadline.set(u64::MAX);
    open.connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut changes = 0;
    let mut schema = None;
    for waiting in batch.iter_mut() {
        match run_one(open, waiting, now)? {
            One::Unchanged => {}
            One::Changed => {
                changes += 1;
                schema = waiting.schema.or(schema);
            }
            One::Left(error) => return Ok(Batch::Left(error)),
        }
    }
    open.deadline.set(u64::MAX);
    if changes == 0 {
        open.connection.execute_batch("ROLLBACK")?;
        return Ok(Batch::Unchanged);
    }
    purge(&open.connection, changes, now.date_ms)?;
    // A deferred constraint fails here, and says not whose fault it is.
    match open.connection.execute_batch("COMMIT") {
        Ok(()) => Ok(Batch::Committed(schema)),
        Err(error) => Ok(Batch::Left(error.into())),
    }
}

fn run_one(open: &mut WriteConnection, waiting: &mut Waiting, now: &Now<'_>) -> Result<One, Error> {
    let connection = &open.connection;
    if waiting.schema.is_some_and(|edit| edit.schema <= now.head.schema) {
        waiting.job.replay(b"null");
        return Ok(One::Unchanged);
    }
    if now.look
        && let Some(stored) = landed_before(connection, waiting.id.as_str())?
    {
        waiting.job.replay(&stored);
        return Ok(One::Unchanged);
    }
    let before = counters(connection)?;
    connection.execute_batch(&format!("SAVEPOINT {SAVEPOINT}"))?;
    open.deadline.set(waiting.deadline_us);
    open.guard.arm();
    let ran = waiting.job.run(connection);
    let uncounted = open.guard.disarm();
    let stopped = open.deadline.passed();
    open.deadline.set(u64::MAX);
    if stopped {
        waiting
            .job
            .reject(Error::unavailable("the write ran longer than its deadline"));
    }
    if connection.is_autocommit() {
        return Ok(One::Left(left(stopped, "it was rolled back as a whole")));
    }
    let value = match ran {
        Ran::Value(json) if json.len() > RESULT_MAX_BYTES => {
            let bytes = json.len();
            waiting.job.reject(Error::TooLarge {
                what: "the value of a write",
                bytes,
                limit: RESULT_MAX_BYTES,
            });
            None
        }
        Ran::Value(json) if !stopped => Some(json),
        Ran::Value(_) | Ran::Failed => None,
    };
    let undo = if value.is_some() {
        String::new()
    } else {
        format!("ROLLBACK TO {SAVEPOINT};")
    };
    // Fails where the closure rolled back and began a transaction of its own: then the savepoint is gone.
    if connection
        .execute_batch(&format!("{undo} RELEASE {SAVEPOINT}"))
        .is_err()
    {
        return Ok(One::Left(left(stopped, "its savepoint is gone")));
    }
    let Some(json) = value else { return Ok(One::Unchanged) };
    if waiting.schema.is_none() && !uncounted && counters(connection)? == before {
        return Ok(One::Unchanged);
    }
    if now.look {
        remember(connection, waiting.id.as_str(), now.date_ms, &json)?;
    }
    Ok(One::Changed)
}

fn left(stopped: bool, how: &str) -> Error {
    if stopped {
        Error::unavailable("the write ran longer than its deadline")
    } else {
        Error::LeftTransaction(how.to_owned())
    }
}

/// What moves with every change of rows and of the schema.
fn counters(connection: &Connection) -> Result<(u64, i64), Error> {
    let schema = connection
        .prepare_cached("PRAGMA schema_version")?
        .query_row([], |row| row.get(0))?;
    Ok((connection.total_changes(), schema))
}

fn landed_before(connection: &Connection, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let mut statement = connection.prepare_cached("SELECT result FROM _commits WHERE id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

fn remember(connection: &Connection, id: &str, date_ms: u64, json: &[u8]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("INSERT INTO _commits (id, at_ms, result) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![id, i64::try_from(date_ms).unwrap_or(i64::MAX), json])?;
    Ok(())
}

/// Removes a few of the oldest rows whose time is over: rows are added in the order of time.
fn purge(connection: &Connection, added: usize, date_ms: u64) -> Result<(), Error> {
    let oldest = i64::try_from(date_ms.saturating_sub(COMMITS_KEPT_MS)).unwrap_or(i64::MAX);
    let limit = i64::try_from(added * PURGED_PER_COMMIT).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "DELETE FROM _commits WHERE at_ms < ?1 AND rowid IN (SELECT rowid FROM _commits ORDER BY rowid LIMIT ?2)",
    )?;
    statement.execute(params![oldest, limit])?;
    Ok(())
}

/// What a new database begins with.
pub(crate) fn first_schema() -> String {
    format!(
        "CREATE TABLE {COMMITS_TABLE} (id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, result BLOB NOT NULL) STRICT"
    )
}
