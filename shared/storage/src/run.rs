//! Runs a batch of writes in one local transaction of SQLite, each in its own savepoint and with its own look into `_commits`.

use rusqlite::{Connection, OptionalExtension, params};

use crate::delta::Delta;
use crate::error::Error;
use crate::guard::{COMMITS_TABLE, SAVEPOINT};
use crate::job::{Ran, SchemaEdit, Seen, Waiting};
use crate::limits::{COMMITS_KEPT_MS, PURGED_PER_COMMIT, RESULT_MAX_BYTES};
use crate::local::LocalCopy;
use crate::session::{Session, WriteConnection};
use crate::stage::{Batch, Now, Staging};
use crate::{usage, wal};

/// What one write came to.
enum One {
    Unchanged,
    Changed,
    Left(Error),
}

enum Ended {
    Committed(Option<SchemaEdit>),
    Unchanged,
    Left(Error),
}

impl Staging for Session {
    fn run(&mut self, local: &LocalCopy, batch: &mut [Waiting], now: &Now<'_>) -> Result<Batch, Error> {
        let open = self.on(local)?;
        let changes = open.changes.clone();
        changes.take();
        let schema = match run_batch(open, batch, now)? {
            Ended::Committed(schema) => schema,
            Ended::Unchanged => return Ok(Batch::Unchanged),
            Ended::Left(error) => return Ok(Batch::Left(error)),
        };
        let delta = wal::read(&self.log()?).ok_or_else(|| Error::Corrupt("SQLite's log holds no commit".to_owned()))?;
        // What a step of the schema does is not all in rows.
        let rows = changes.take().filter(|_| schema.is_none());
        Ok(Batch::Committed(delta, schema, rows))
    }

    fn discard(&mut self) -> Result<(), Error> {
        self.forget()
    }

    fn checkpoint(&mut self, local: &LocalCopy, _: &Delta) -> Result<(), Error> {
        self.move_log(local.generation + 1)
    }
}

fn run_batch(open: &mut WriteConnection, batch: &mut [Waiting], now: &Now<'_>) -> Result<Ended, Error> {
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
            One::Left(error) => return Ok(Ended::Left(error)),
        }
    }
    open.deadline.set(u64::MAX);
    for usage in usage::taken_along(changes > 0, batch, now) {
        changes += usize::from(usage::fold(&open.connection, usage, now)?);
    }
    if changes == 0 {
        open.connection.execute_batch("ROLLBACK")?;
        return Ok(Ended::Unchanged);
    }
    purge(&open.connection, changes, now.date_ms)?;
    // A deferred constraint fails here, and says not whose fault it is.
    match open.connection.execute_batch("COMMIT") {
        Ok(()) => Ok(Ended::Committed(schema)),
        Err(error) => Ok(Ended::Left(error.into())),
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
    step(connection, &format!("SAVEPOINT {SAVEPOINT}"))?;
    open.deadline.set(waiting.deadline_us);
    open.guard.arm();
    let ran = waiting.job.run(Seen::Sqlite(connection));
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
    let undone = match value {
        Some(_) => Ok(()),
        None => step(connection, &format!("ROLLBACK TO {SAVEPOINT}")),
    };
    // Fails where the closure rolled back and began a transaction of its own: then the savepoint is gone.
    if undone
        .and_then(|()| step(connection, &format!("RELEASE {SAVEPOINT}")))
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

/// Runs a statement of the engine's own, which is run at every write.
fn step(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
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

/// Removes a few of the oldest rows whose time is over: rows are added in the order of time. One from far in the future was
/// written while the store's clock was wrong; whoever began then repeats nothing either.
fn purge(connection: &Connection, added: usize, date_ms: u64) -> Result<(), Error> {
    let oldest = i64::try_from(date_ms.saturating_sub(COMMITS_KEPT_MS)).unwrap_or(i64::MAX);
    let newest = i64::try_from(date_ms.saturating_add(COMMITS_KEPT_MS)).unwrap_or(i64::MAX);
    let limit = i64::try_from(added * PURGED_PER_COMMIT).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(
        "DELETE FROM _commits WHERE (at_ms < ?1 OR at_ms > ?3)
         AND rowid IN (SELECT rowid FROM _commits ORDER BY rowid LIMIT ?2)",
    )?;
    statement.execute(params![oldest, limit, newest])?;
    Ok(())
}

/// What a new database begins with.
pub(crate) fn first_schema() -> String {
    format!(
        "CREATE TABLE {COMMITS_TABLE} (id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, result BLOB NOT NULL) STRICT; {}",
        usage::schema()
    )
}
